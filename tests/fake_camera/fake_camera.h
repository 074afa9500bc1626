/* A V4L2 camera that is not there: shared declarations. The manual is at the top of intercept.c. */
#ifndef FAKE_CAMERA_H
#define FAKE_CAMERA_H

#include <linux/videodev2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define MOST_MODES 16
#define MOST_RATES 8
#define MOST_FAULTS 32
#define MOST_IMAGES 64
#define MOST_CONTROLS 8
#define PATH_LENGTH 512
#define DEFAULT_NODE "/dev/fakevideo0"

/* One line `mode` of a scenario. */
struct mode {
    uint32_t fourcc;
    bool stepwise;
    uint32_t width, height;         /* of a stepwise mode: the largest */
    uint32_t least_width, least_height, step_width, step_height;
    unsigned rates, rate[MOST_RATES]; /* none: the driver does not say */
};

/* One line `at` of a scenario: what goes wrong with frames `from` to `to`. */
struct fault {
    unsigned from, to;
    char name[24];
    long amount;
    char word[PATH_LENGTH];
};

/* One line `control` of a scenario. */
struct control {
    uint32_t id, type;
    long min, max, step, preset;
    char name[32];
};

struct scenario {
    char beside_node[PATH_LENGTH], beside_link[PATH_LENGTH];
    bool late_link;
    char node[PATH_LENGTH], link[PATH_LENGTH], log[PATH_LENGTH], frames[PATH_LENGTH];
    char driver[16], card[32], bus[32];
    uint32_t capabilities;
    struct mode mode[MOST_MODES];
    unsigned modes;
    struct fault fault[MOST_FAULTS];
    unsigned faults;
    struct control control[MOST_CONTROLS];
    unsigned controls;
    unsigned fps, stride, busy, denied, absent;
    uint64_t no_space;              /* pixels from which on STREAMON gives ENOSPC; 0 = never */
    uint32_t colorspace, ycbcr, quantization;
    bool old_layer;                 /* libcamera's layer as of 2020: mmap only for reading and writing */
    char stamp[16];
};

/* scenario.c */
bool scenario_load(struct scenario *scenario, const char *path);

/* device.c: all return 0 or more, or -1 with errno set. */
void device_plug(const char *scenario_path);
bool device_is_node(const char *path);
int device_open(int flags);
bool device_has(int fd);
int device_ioctl(int fd, unsigned long request, void *argument);
void device_close(int fd);
void *device_map(int fd, void *address, size_t length, int protection, int flags, off_t offset);
/* 1: not ours */
int device_unmap(void *address, size_t length);
void device_polled(int fd, short events);
void device_note(const char *format, ...);
uint64_t now_micros(void);

/* The C library's own functions, found in intercept.c. */
extern int (*real_open)(const char *, int, ...);
extern int (*real_close)(int);
extern void *(*real_mmap)(void *, size_t, int, int, int, off_t);
extern int (*real_munmap)(void *, size_t);

#endif

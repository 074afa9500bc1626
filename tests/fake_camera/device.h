/* The camera's state, shared by device.c (nodes, streaming, memory) and ioctls.c. */
#ifndef FAKE_CAMERA_DEVICE_H
#define FAKE_CAMERA_DEVICE_H

#include "frames.h"

#define MOST_FILES 16
#define MOST_BUFFERS 32
#define VIOLATION(...) device_note("VIOLATION " __VA_ARGS__)

enum place { HERE, QUEUED, DONE };

struct buffer {
    int memory;
    uint8_t *bytes;
    void *mapped;
    enum place place;
    struct v4l2_buffer state;
};

/* An open descriptor; `fd` is what the program holds, `peer` makes it readable. */
struct file {
    bool open, dead;
    int fd, peer;
};

/* All of it is guarded by one lock, which the callers of ioctls.c hold. */
struct device {
    struct scenario scenario;
    struct file *owner;
    struct buffer buffers[MOST_BUFFERS];
    unsigned count, length;
    unsigned queued[MOST_BUFFERS], queued_count, done[MOST_BUFFERS], done_count;
    unsigned expected; /* behind libcamera's layer: the buffer to be queued next */
    struct v4l2_pix_format format;
    struct v4l2_fract interval;
    bool streaming;
    unsigned long generation; /* of the thread that makes frames; another one ends */
    unsigned frame;
    long hang, eintr_left, eio_left, qbuf_eio_left, off_busy_left, busy_left, denied_left;
};

extern struct device device;

/* Whether libcamera's layer is played. */
bool layer(void);
int fail(int error);
void clear_queues(void);
void free_buffers(void);
/* Starts a thread that makes frames. */
void start_frames(void);
/* One ioctl on a descriptor of ours. */
int answer(struct file *file, unsigned long request, void *argument);

#endif

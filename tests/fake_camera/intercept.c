/* A V4L2 camera that is not there, for tests and for trying the program by hand.
 *
 * Preloaded into a program, this library stands in for the C library's open, close, ioctl, mmap, munmap and
 * poll, and answers for one device node that does not exist. A program that makes its own system calls
 * instead does not see the camera; that is on purpose, for libcamera's layer is preloaded likewise.
 *
 *     cc -shared -fPIC -o fake_camera.so tests/fake_camera/{intercept,device,ioctls,scenario,frames}.c -ldl -lpthread
 *     mkdir frames; ffmpeg -f lavfi -i testsrc=size=640x480:rate=30 -frames:v 60 frames/%03d.jpg
 *     printf '%s\n' 'mode MJPG 640x480 30' "frames $PWD/frames" 'at 300 unplug 3000' > scenario
 *     FAKE_CAMERA=$PWD/scenario LD_PRELOAD=$PWD/fake_camera.so sealcam stream ... --source /dev/fakevideo0
 *
 * FAKE_CAMERA names the scenario; without it the library does nothing. A scenario is a text of lines:
 *
 *     node PATH              the node; default /dev/fakevideo0, for which there is no file. Any other is made as
 *                            an empty file, so that programs which look for it find it.
 *     link PATH              a symbolic link to the node, made and removed with it, as udev does by-id
 *     late link              the link comes only when the stream starts
 *     beside NODE LINK       the file of another camera's node and its link, there while this camera is
 *     driver, card, bus NAME as VIDIOC_QUERYCAP gives them; \xNN is a byte. Driver `libcamera` keeps the
 *                            contract of libcamera's preloaded layer and notes every breach of it.
 *     caps WORD              capture (default), meta, mplane, output
 *     mode FOURCC WxH [RATE...]                  a format and size, repeated for more
 *     mode FOURCC WxH-WxH/WxH [SLOWEST FASTEST]  a range of sizes in steps
 *     frames FOLDER          *.jpg, shown in turn in MJPG modes
 *     fps N                  real pace; default what was set by VIDIOC_S_PARM
 *     stride N               bytes added to each line of a raw format
 *     colour N N N           colorspace, ycbcr_enc, quantization
 *     nospace WxH            STREAMON gives ENOSPC at as many pixels or more
 *     busy N, denied N       the first N VIDIOC_S_FMT give EBUSY, the first N open give EACCES
 *     absent MS              the node appears so long after the program's start
 *     stamp WORD             monotonic (default), unknown, zero, future
 *     control ID TYPE MIN MAX STEP DEFAULT NAME  a control, ascending by ID (hexadecimal); TYPE as in
 *                            v4l2_ctrl_type. Items of menus are called "Item N". Setting one is noted in the log.
 *     layer old              libcamera's layer as of 2020: mmap only for reading and writing
 *     log FILE               calls, and breaches of the rules in lines that begin with VIOLATION
 *     at N[-M] FAULT         what goes wrong at frame N, counted from 1 and on across reopening
 *
 * Faults:
 *     flag, empty, junk      error flag, bytesused 0, bytes that are no JPEG
 *     cut BYTES, pad BYTES   bytesused less by so many, or more with zeros behind the frame
 *     garbage BYTES          the same with noise instead of zeros
 *     used BYTES             bytesused says this, whatever there is
 *     silence MS             no frame for so long before this one
 *     stuck                  no frame from here on until the stream is stopped and started
 *     eintr N, eio N         the next N VIDIOC_DQBUF fail so
 *     hang MS                the next VIDIOC_DQBUF takes so long, whatever it is asked for
 *     qbuf-eio N             the next N VIDIOC_QBUF fail so
 *     off-busy N             the next N VIDIOC_STREAMOFF give EBUSY and do nothing
 *     unplug MS [SCENARIO]   the device goes and comes back so much later, as the one of SCENARIO
 *
 * JPEG frames carry a comment segment "frame N" behind SOI. Raw frames carry N in their first four bytes,
 * then in each line of a 4:2:2 format luma x+y+4N and chroma 128, in other formats bytes x+y+4N.
 * A buffer that is handed to the driver is overwritten at once: whoever still reads it sees noise.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>

#include "fake_camera.h"

int (*real_open)(const char *, int, ...);
int (*real_close)(int);
void *(*real_mmap)(void *, size_t, int, int, int, off_t);
int (*real_munmap)(void *, size_t);
static int (*real_openat)(int, const char *, int, ...);
static int (*real_ioctl)(int, unsigned long, ...);
static int (*real_poll)(struct pollfd *, nfds_t, int);
static int (*real_ppoll)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);

__attribute__((constructor)) static void start(void) {
    static bool started;
    if (started)
        return;
    started = true;
    real_open = dlsym(RTLD_NEXT, "open");
    real_openat = dlsym(RTLD_NEXT, "openat");
    real_close = dlsym(RTLD_NEXT, "close");
    real_ioctl = dlsym(RTLD_NEXT, "ioctl");
    real_mmap = dlsym(RTLD_NEXT, "mmap");
    real_munmap = dlsym(RTLD_NEXT, "munmap");
    real_poll = dlsym(RTLD_NEXT, "poll");
    real_ppoll = dlsym(RTLD_NEXT, "ppoll");
    const char *scenario = getenv("FAKE_CAMERA");
    if (scenario)
        device_plug(scenario);
}

static mode_t mode_of(int flags, va_list arguments) {
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

static int open_at(int folder, const char *path, int flags, mode_t mode) {
    start();
    if (device_is_node(path))
        return device_open(flags);
    return real_openat(folder, path, flags, mode);
}

#define OPEN(name)                                             \
    int name(const char *path, int flags, ...) {               \
        va_list arguments;                                     \
        va_start(arguments, flags);                            \
        mode_t mode = mode_of(flags, arguments);               \
        va_end(arguments);                                     \
        return open_at(AT_FDCWD, path, flags, mode);           \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                           \
    int name(int folder, const char *path, int flags, ...) {   \
        va_list arguments;                                     \
        va_start(arguments, flags);                            \
        mode_t mode = mode_of(flags, arguments);               \
        va_end(arguments);                                     \
        return open_at(folder, path, flags, mode);             \
    }
OPENAT(openat)
OPENAT(openat64)

int close(int fd) {
    start();
    if (device_has(fd))
        device_close(fd);
    return real_close(fd);
}

int ioctl(int fd, unsigned long request, ...) {
    start();
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return device_has(fd) ? device_ioctl(fd, request, argument) : real_ioctl(fd, request, argument);
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
    start();
    if (fd >= 0 && device_has(fd))
        return device_map(fd, address, length, protection, flags, offset);
    return real_mmap(address, length, protection, flags, fd, offset);
}

void *mmap64(void *address, size_t length, int protection, int flags, int fd, off64_t offset) {
    return mmap(address, length, protection, flags, fd, (off_t)offset);
}

int munmap(void *address, size_t length) {
    start();
    int result = device_unmap(address, length);
    return result == 1 ? real_munmap(address, length) : result;
}

int poll(struct pollfd *fds, nfds_t count, int timeout) {
    start();
    for (nfds_t i = 0; i < count; i++)
        device_polled(fds[i].fd, fds[i].events);
    return real_poll(fds, count, timeout);
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask) {
    start();
    for (nfds_t i = 0; i < count; i++)
        device_polled(fds[i].fd, fds[i].events);
    return real_ppoll(fds, count, timeout, mask);
}

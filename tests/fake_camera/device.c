/* How the camera behaves: its node, its stream and its memory. Its ioctls are in ioctls.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "device.h"

struct device device;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool active, plugged;
static uint64_t plug_at;
static char next_scenario[PATH_LENGTH];
static int log_file = -1;
static struct file files[MOST_FILES];

uint64_t now_micros(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void sleep_until(uint64_t time) {
    struct timespec at = { (time_t)(time / 1000000), (long)(time % 1000000) * 1000 };
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        ;
}

void device_note(const char *text, ...) {
    if (log_file < 0)
        return;
    va_list arguments;
    va_start(arguments, text);
    vdprintf(log_file, text, arguments);
    va_end(arguments);
}

int fail(int error) {
    errno = error;
    return -1;
}

bool layer(void) {
    return !strncmp(device.scenario.driver, "libcamera", sizeof device.scenario.driver);
}

/* --- The node ------------------------------------------------------------------------------------- */

static void make_file(const char *path) {
    int file = real_open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file >= 0)
        real_close(file);
}

static void make_link(const char *node, const char *link) {
    if (link[0] && symlink(node, link) && errno != EEXIST)
        fprintf(stderr, "fake camera: %s: %m\n", link);
}

static void plug(const char *path) {
    if (!scenario_load(&device.scenario, path))
        abort();
    if (device.scenario.log[0] && log_file < 0)
        log_file = real_open(device.scenario.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    frames_load(&device.scenario);
    device.busy_left = device.scenario.busy, device.denied_left = device.scenario.denied;
    plugged = true;
    if (strcmp(device.scenario.node, DEFAULT_NODE))
        make_file(device.scenario.node);
    if (!device.scenario.late_link)
        make_link(device.scenario.node, device.scenario.link);
    if (device.scenario.beside_node[0])
        make_file(device.scenario.beside_node);
    make_link(device.scenario.beside_node, device.scenario.beside_link);
    device_note("plugged %s\n", device.scenario.node);
}

static void unplug(const struct fault *fault) {
    plugged = false;
    plug_at = now_micros() + (uint64_t)fault->amount * 1000;
    if (fault->word[0])
        snprintf(next_scenario, sizeof next_scenario, "%s", fault->word);
    if (strcmp(device.scenario.node, DEFAULT_NODE))
        unlink(device.scenario.node);
    if (device.scenario.link[0])
        unlink(device.scenario.link);
    if (device.scenario.beside_node[0]) {
        unlink(device.scenario.beside_node);
        unlink(device.scenario.beside_link);
    }
    for (struct file *file = files; file < files + MOST_FILES; file++)
        if (file->open && !file->dead) {
            file->dead = true;
            if (file->peer != file->fd)
                real_close(file->peer); /* the program's end hangs up */
        }
    device.streaming = false;
    device.generation++;
    device_note("unplugged %s\n", device.scenario.node);
}

static void plug_if_due(void) {
    if (active && !plugged && now_micros() >= plug_at)
        plug(next_scenario);
}

void device_plug(const char *path) {
    active = true;
    snprintf(next_scenario, sizeof next_scenario, "%s", path);
    struct scenario look;
    if (!scenario_load(&look, path))
        abort();
    plug_at = now_micros() + look.absent * 1000;
    plug_if_due();
}

bool device_is_node(const char *path) {
    if (!active)
        return false;
    pthread_mutex_lock(&lock);
    plug_if_due();
    char real[PATH_MAX], node[PATH_MAX];
    bool same = !strcmp(path, device.scenario.node);
    if (!same && realpath(path, real) && realpath(device.scenario.node, node))
        same = !strcmp(real, node);
    same = same && plugged;
    pthread_mutex_unlock(&lock);
    return same;
}

int device_open(int flags) {
    pthread_mutex_lock(&lock);
    struct file *file = files;
    while (file < files + MOST_FILES && file->open)
        file++;
    int fd = -1, error = 0, pair[2];
    if (device.denied_left > 0)
        device.denied_left--, error = EACCES;
    else if (file == files + MOST_FILES)
        error = EMFILE;
    else if (layer()) {
        /* As libcamera's layer has it: an eventfd, always writable. */
        fd = pair[0] = pair[1] = eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);
    } else if (!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair)) {
        fd = pair[0];
    }
    if (fd >= 0)
        *file = (struct file){ .open = true, .fd = fd, .peer = pair[1] };
    device_note("open%s%s\n", flags & O_NONBLOCK ? " nonblock" : "", flags & O_CLOEXEC ? " cloexec" : "");
    pthread_mutex_unlock(&lock);
    if (error)
        errno = error;
    return fd;
}

static struct file *find(int fd) {
    for (struct file *file = files; file < files + MOST_FILES; file++)
        if (file->open && file->fd == fd)
            return file;
    return NULL;
}

bool device_has(int fd) {
    if (!active)
        return false;
    pthread_mutex_lock(&lock);
    bool found = find(fd);
    pthread_mutex_unlock(&lock);
    return found;
}

/* --- Streaming ------------------------------------------------------------------------------------ */

void clear_queues(void) {
    uint8_t byte[256];
    device.queued_count = device.done_count = 0;
    for (unsigned i = 0; i < device.count; i++)
        device.buffers[i].place = HERE;
    if (device.owner)
        while (read(device.owner->fd, byte, layer() ? 8 : sizeof byte) > 0)
            ;
}

void free_buffers(void) {
    for (unsigned i = 0; i < device.count; i++) {
        real_munmap(device.buffers[i].bytes, device.length);
        real_close(device.buffers[i].memory);
    }
    device.count = 0;
}

void device_close(int fd) {
    pthread_mutex_lock(&lock);
    struct file *file = find(fd);
    if (file) {
        if (file == device.owner) {
            device.streaming = false;
            device.generation++;
            clear_queues();
            free_buffers();
            device.owner = NULL;
        }
        if (!file->dead && file->peer != file->fd)
            real_close(file->peer);
        file->open = false;
        device_note("close\n");
    }
    pthread_mutex_unlock(&lock);
}

static void make_ready(unsigned index, const struct faults *faults) {
    struct buffer *buffer = &device.buffers[index];
    struct v4l2_buffer *state = &buffer->state;
    uint64_t stamp = now_micros();
    if (!strcmp(device.scenario.stamp, "zero"))
        stamp = 0;
    if (!strcmp(device.scenario.stamp, "future"))
        stamp += 3600u * 1000000u;
    state->timestamp.tv_sec = (time_t)(stamp / 1000000);
    state->timestamp.tv_usec = (suseconds_t)(stamp % 1000000);
    state->sequence = device.frame;
    state->field = V4L2_FIELD_NONE;
    state->bytesused = frames_fill(&device.scenario, &device.format, device.frame, faults, buffer->bytes, device.length);
    /* On a buffer of libcamera's layer the mark stays for good. */
    uint32_t sticky = layer() ? state->flags & V4L2_BUF_FLAG_ERROR : 0;
    state->flags = V4L2_BUF_FLAG_DONE | sticky | (faults->flag ? V4L2_BUF_FLAG_ERROR : 0);
    if (strcmp(device.scenario.stamp, "unknown"))
        state->flags |= V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
    buffer->place = DONE;
    device.done[device.done_count++] = index;
    static const uint64_t one = 1;
    if (write(device.owner->peer, &one, layer() ? 8 : 1) < 0)
        device_note("note: the descriptor is full\n");
}

/* Makes frames until the stream ends; runs in a thread of its own. */
static void *produce(void *argument) {
    unsigned long mine = (unsigned long)argument;
    uint64_t next = now_micros();
    for (;;) {
        pthread_mutex_lock(&lock);
        uint64_t pace = device.scenario.fps ? 1000000 / device.scenario.fps
                                     : (uint64_t)device.interval.numerator * 1000000 / device.interval.denominator;
        pthread_mutex_unlock(&lock);
        next += pace;
        sleep_until(next);
        pthread_mutex_lock(&lock);
        if (mine == device.generation && device.streaming && device.queued_count > 0) {
            struct faults faults = faults_of(&device.scenario, ++device.frame);
            device.eintr_left += faults.eintr, device.eio_left += faults.eio, device.off_busy_left += faults.off_busy;
            device.qbuf_eio_left += faults.qbuf_eio, device.hang += faults.hang;
            if (faults.unplug) {
                unplug(faults.unplug);
            } else if (faults.stuck) {
                pthread_mutex_unlock(&lock);
                return NULL;
            } else if (faults.silence) {
                pthread_mutex_unlock(&lock);
                next = now_micros() + (uint64_t)faults.silence * 1000;
                sleep_until(next);
                pthread_mutex_lock(&lock);
            }
            if (mine == device.generation && device.streaming && device.queued_count > 0) {
                unsigned index = device.queued[0];
                memmove(device.queued, device.queued + 1, --device.queued_count * sizeof *device.queued);
                make_ready(index, &faults);
            }
        }
        bool ended = mine != device.generation;
        pthread_mutex_unlock(&lock);
        if (ended)
            return NULL;
    }
}

void start_frames(void) {
    if (device.scenario.late_link)
        make_link(device.scenario.node, device.scenario.link);
    pthread_t thread;
    if (pthread_create(&thread, NULL, produce, (void *)++device.generation))
        abort();
    pthread_detach(thread);
}

int device_ioctl(int fd, unsigned long request, void *argument) {
    pthread_mutex_lock(&lock);
    struct file *file = find(fd);
    int result = file ? answer(file, request, argument) : fail(EBADF);
    pthread_mutex_unlock(&lock);
    return result;
}

/* --- Memory --------------------------------------------------------------------------------------- */

void *device_map(int fd, void *address, size_t size, int protection, int flags, off_t offset) {
    pthread_mutex_lock(&lock);
    struct file *file = find(fd);
    void *result = MAP_FAILED;
    unsigned index = device.length ? (unsigned)(offset / device.length) : MOST_BUFFERS;
    bool protected = device.scenario.old_layer ? protection == (PROT_READ | PROT_WRITE) : protection & PROT_READ;
    if (file && !file->dead && index < device.count && offset == (off_t)index * device.length && size == device.length && protected &&
        flags & MAP_SHARED)
        result = device.buffers[index].mapped = real_mmap(address, size, protection, flags, device.buffers[index].memory, 0);
    else
        errno = file && file->dead ? ENODEV : EINVAL;
    pthread_mutex_unlock(&lock);
    return result;
}

int device_unmap(void *address, size_t size) {
    if (!active)
        return 1;
    int result = 1;
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < device.count; i++)
        if (device.buffers[i].mapped && device.buffers[i].mapped == address) {
            if (size != device.length) {
                VIOLATION("munmap of %zu bytes of %u\n", size, device.length);
                result = fail(EINVAL);
            } else {
                device.buffers[i].mapped = NULL;
                result = real_munmap(address, size);
            }
        }
    pthread_mutex_unlock(&lock);
    return result;
}

void device_polled(int fd, short events) {
    /* POLLOUT: an eventfd is always writable, so that such a wait would never end. */
    if (device_has(fd) && events & 4 && layer())
        VIOLATION("poll for writing\n");
}

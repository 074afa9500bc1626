/* How the camera behaves: nodes, ioctls and buffers. What is in the pictures is in frames.c. */
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

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct scenario scenario;
static bool active, plugged;
static uint64_t plug_at;
static char next_scenario[PATH_LENGTH];
static int log_file = -1;

static struct file files[MOST_FILES];
static struct file *owner;
static struct buffer buffers[MOST_BUFFERS];
static unsigned count, length;
static unsigned queued[MOST_BUFFERS], queued_count, done[MOST_BUFFERS], done_count;
static unsigned expected; /* behind libcamera's layer: the buffer to be queued next */
static struct v4l2_pix_format format;
static struct v4l2_fract interval;
static bool streaming;
static uintptr_t generation;
static unsigned frame;
static long eintr_left, eio_left, off_busy_left, busy_left, denied_left;

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

static int fail(int error) {
    errno = error;
    return -1;
}

static bool layer(void) {
    return !strncmp(scenario.driver, "libcamera", sizeof scenario.driver);
}

/* --- The node ------------------------------------------------------------------------------------- */

static void plug(const char *path) {
    if (!scenario_load(&scenario, path))
        abort();
    if (scenario.log[0] && log_file < 0)
        log_file = real_open(scenario.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    frames_load(&scenario);
    busy_left = scenario.busy, denied_left = scenario.denied;
    plugged = true;
    /* A file to be found; without the right to make one, the name alone has to do. */
    int file = real_open(scenario.node, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (file >= 0)
        real_close(file);
    if (scenario.link[0] && symlink(scenario.node, scenario.link))
        fprintf(stderr, "fake camera: %s: %m\n", scenario.link);
    device_note("plugged %s\n", scenario.node);
}

static void unplug(const struct fault *fault) {
    plugged = false;
    plug_at = now_micros() + (uint64_t)fault->amount * 1000;
    if (fault->word[0])
        snprintf(next_scenario, sizeof next_scenario, "%s", fault->word);
    unlink(scenario.node);
    if (scenario.link[0])
        unlink(scenario.link);
    for (struct file *file = files; file < files + MOST_FILES; file++)
        if (file->open && !file->dead) {
            file->dead = true;
            if (file->peer != file->fd)
                real_close(file->peer); /* the program's end hangs up */
        }
    streaming = false;
    generation++;
    device_note("unplugged %s\n", scenario.node);
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
    bool same = !strcmp(path, scenario.node);
    if (!same && realpath(path, real) && realpath(scenario.node, node))
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
    if (denied_left > 0)
        denied_left--, error = EACCES;
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

static void clear_queues(void) {
    uint8_t byte[256];
    queued_count = done_count = 0;
    for (unsigned i = 0; i < count; i++)
        buffers[i].place = HERE;
    if (owner)
        while (read(owner->fd, byte, layer() ? 8 : sizeof byte) > 0)
            ;
}

static void free_buffers(void) {
    for (unsigned i = 0; i < count; i++) {
        real_munmap(buffers[i].bytes, length);
        real_close(buffers[i].memory);
    }
    count = 0;
}

void device_close(int fd) {
    pthread_mutex_lock(&lock);
    struct file *file = find(fd);
    if (file) {
        if (file == owner) {
            streaming = false;
            generation++;
            clear_queues();
            free_buffers();
            owner = NULL;
        }
        if (!file->dead && file->peer != file->fd)
            real_close(file->peer);
        file->open = false;
        device_note("close\n");
    }
    pthread_mutex_unlock(&lock);
}

static void make_ready(unsigned index, const struct faults *faults) {
    struct buffer *buffer = &buffers[index];
    struct v4l2_buffer *state = &buffer->state;
    uint64_t stamp = now_micros();
    if (!strcmp(scenario.stamp, "zero"))
        stamp = 0;
    if (!strcmp(scenario.stamp, "future"))
        stamp += 3600u * 1000000u;
    state->timestamp.tv_sec = (time_t)(stamp / 1000000);
    state->timestamp.tv_usec = (suseconds_t)(stamp % 1000000);
    state->sequence = frame;
    state->field = V4L2_FIELD_NONE;
    state->bytesused = frames_fill(&scenario, &format, frame, faults, buffer->bytes, length);
    /* On a buffer of libcamera's layer the mark stays for good. */
    uint32_t sticky = layer() ? state->flags & V4L2_BUF_FLAG_ERROR : 0;
    state->flags = V4L2_BUF_FLAG_DONE | sticky | (faults->flag ? V4L2_BUF_FLAG_ERROR : 0);
    if (strcmp(scenario.stamp, "unknown"))
        state->flags |= V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
    buffer->place = DONE;
    done[done_count++] = index;
    static const uint64_t one = 1;
    if (write(owner->peer, &one, layer() ? 8 : 1) < 0)
        device_note("note: the descriptor is full\n");
}

/* Makes frames until the stream ends; runs in a thread of its own. */
static void *produce(void *argument) {
    uintptr_t mine = (uintptr_t)argument;
    uint64_t next = now_micros();
    for (;;) {
        pthread_mutex_lock(&lock);
        uint64_t pace = scenario.fps ? 1000000 / scenario.fps
                                     : (uint64_t)interval.numerator * 1000000 / interval.denominator;
        pthread_mutex_unlock(&lock);
        next += pace;
        sleep_until(next);
        pthread_mutex_lock(&lock);
        if (mine == generation && streaming && queued_count > 0) {
            struct faults faults = faults_of(&scenario, ++frame);
            eintr_left += faults.eintr, eio_left += faults.eio, off_busy_left += faults.off_busy;
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
            if (mine == generation && streaming && queued_count > 0) {
                unsigned index = queued[0];
                memmove(queued, queued + 1, --queued_count * sizeof *queued);
                make_ready(index, &faults);
            }
        }
        bool ended = mine != generation;
        pthread_mutex_unlock(&lock);
        if (ended)
            return NULL;
    }
}

/* --- ioctls --------------------------------------------------------------------------------------- */

static int query_capability(struct v4l2_capability *argument) {
    memset(argument, 0, sizeof *argument);
    memcpy(argument->driver, scenario.driver, sizeof argument->driver);
    memcpy(argument->card, scenario.card, sizeof argument->card);
    memcpy(argument->bus_info, scenario.bus, sizeof argument->bus_info);
    argument->device_caps = scenario.capabilities;
    /* `capabilities` tells of all nodes of the device, pictures included. */
    argument->capabilities = scenario.capabilities | V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_DEVICE_CAPS;
    device_note("VIDIOC_QUERYCAP\n");
    return 0;
}

/* The mode of number `index` among those of a format (0: the first mode of each format). */
static struct mode *mode_at(uint32_t fourcc, unsigned index) {
    for (struct mode *mode = scenario.mode; mode < scenario.mode + scenario.modes; mode++) {
        bool counts = mode->fourcc == fourcc;
        if (!fourcc) {
            counts = true;
            for (struct mode *before = scenario.mode; before < mode; before++)
                counts = counts && before->fourcc != mode->fourcc;
        }
        if (counts && index-- == 0)
            return mode;
    }
    return NULL;
}

static int enumerate_format(struct v4l2_fmtdesc *argument) {
    struct mode *mode = mode_at(0, argument->index);
    if (!mode || argument->type != V4L2_BUF_TYPE_VIDEO_CAPTURE)
        return fail(EINVAL);
    argument->pixelformat = mode->fourcc;
    snprintf((char *)argument->description, sizeof argument->description, "Format \xff %.4s", (char *)&mode->fourcc);
    return 0;
}

static int enumerate_size(struct v4l2_frmsizeenum *argument) {
    struct mode *mode = mode_at(argument->pixel_format, argument->index);
    if (!mode)
        return fail(EINVAL);
    if (mode->stepwise) {
        argument->type = V4L2_FRMSIZE_TYPE_STEPWISE;
        argument->stepwise = (struct v4l2_frmsize_stepwise){
            mode->least_width,  mode->width,  mode->step_width,
            mode->least_height, mode->height, mode->step_height,
        };
    } else {
        argument->type = V4L2_FRMSIZE_TYPE_DISCRETE;
        argument->discrete = (struct v4l2_frmsize_discrete){ mode->width, mode->height };
    }
    return 0;
}

static int enumerate_interval(struct v4l2_frmivalenum *argument) {
    struct mode *mode;
    for (unsigned i = 0; (mode = mode_at(argument->pixel_format, i)); i++)
        if (mode->stepwise || (mode->width == argument->width && mode->height == argument->height))
            break;
    if (!mode || argument->index >= mode->rates)
        return fail(EINVAL);
    if (mode->stepwise) {
        if (argument->index > 0 || mode->rates < 2)
            return fail(EINVAL);
        argument->type = V4L2_FRMIVAL_TYPE_CONTINUOUS;
        argument->stepwise.min = (struct v4l2_fract){ 1, mode->rate[1] };
        argument->stepwise.max = (struct v4l2_fract){ 1, mode->rate[0] };
        argument->stepwise.step = (struct v4l2_fract){ 1, 1000 };
    } else {
        argument->type = V4L2_FRMIVAL_TYPE_DISCRETE;
        argument->discrete = (struct v4l2_fract){ 1, mode->rate[argument->index] };
    }
    return 0;
}

/* Sets what is nearest to what is asked for: another format or size if need be, as drivers do. */
static int set_format(struct file *file, struct v4l2_format *argument) {
    if (argument->type != V4L2_BUF_TYPE_VIDEO_CAPTURE)
        return fail(EINVAL);
    if (busy_left > 0)
        return busy_left--, fail(EBUSY);
    if (count > 0 || (owner && owner != file))
        return fail(EBUSY);
    struct v4l2_pix_format *pix = &argument->fmt.pix;
    struct mode *best = NULL;
    for (struct mode *mode = scenario.mode; mode < scenario.mode + scenario.modes; mode++) {
        bool fits = mode->fourcc == pix->pixelformat && pix->width >= mode->least_width &&
                    pix->width <= mode->width && pix->height >= mode->least_height && pix->height <= mode->height;
        if (!best || (mode->fourcc == pix->pixelformat && best->fourcc != pix->pixelformat) || fits)
            best = mode;
        if (fits)
            break;
    }
    if (!best)
        return fail(EINVAL);
    if (pix->pixelformat != best->fourcc || pix->width < best->least_width || pix->width > best->width ||
        pix->height < best->least_height || pix->height > best->height) {
        pix->pixelformat = best->fourcc;
        pix->width = best->width, pix->height = best->height;
    }
    pix->field = V4L2_FIELD_NONE;
    pix->bytesperline = frames_stride(pix->pixelformat, pix->width, scenario.stride);
    pix->sizeimage = frames_size(pix);
    pix->colorspace = scenario.colorspace;
    pix->ycbcr_enc = scenario.ycbcr;
    pix->quantization = scenario.quantization;
    format = *pix;
    interval = (struct v4l2_fract){ 1, 30 };
    device_note("VIDIOC_S_FMT %.4s %ux%u\n", (char *)&pix->pixelformat, pix->width, pix->height);
    return 0;
}

static int set_parameters(struct v4l2_streamparm *argument) {
    struct v4l2_fract *wanted = &argument->parm.capture.timeperframe;
    if (wanted->numerator && wanted->denominator)
        interval = *wanted;
    *wanted = interval;
    argument->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
    return 0;
}

static int request_buffers(struct file *file, struct v4l2_requestbuffers *argument) {
    if (argument->type != V4L2_BUF_TYPE_VIDEO_CAPTURE || argument->memory != V4L2_MEMORY_MMAP)
        return fail(EINVAL);
    if (owner && owner != file)
        return fail(EBUSY);
    device_note("VIDIOC_REQBUFS %u\n", argument->count);
    for (unsigned i = 0; i < count; i++)
        if (buffers[i].mapped && layer())
            return VIOLATION("VIDIOC_REQBUFS while buffers are mapped\n"), fail(EBUSY);
    if (streaming) {
        if (layer())
            VIOLATION("VIDIOC_REQBUFS while streaming\n");
        return fail(EBUSY);
    }
    clear_queues();
    free_buffers();
    owner = argument->count ? file : NULL;
    if (layer() && argument->count > 4)
        VIOLATION("%u buffers asked for\n", argument->count);
    if (argument->count > MOST_BUFFERS)
        argument->count = MOST_BUFFERS;
    expected = 0;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    length = layer() ? format.sizeimage : (unsigned)((format.sizeimage + page - 1) / page * page);
    for (; count < argument->count; count++) {
        struct buffer *buffer = &buffers[count];
        memset(buffer, 0, sizeof *buffer);
        buffer->memory = memfd_create("fake camera", MFD_CLOEXEC);
        if (ftruncate(buffer->memory, length))
            abort();
        buffer->bytes = real_mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, buffer->memory, 0);
        buffer->state.index = count;
        buffer->state.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
        buffer->state.memory = V4L2_MEMORY_MMAP;
        buffer->state.length = length;
        buffer->state.m.offset = count * length;
    }
    return 0;
}

static bool valid(const struct file *file, const struct v4l2_buffer *argument) {
    return owner == file && argument->type == V4L2_BUF_TYPE_VIDEO_CAPTURE && argument->memory == V4L2_MEMORY_MMAP &&
           argument->index < count;
}

static int queue_buffer(struct file *file, struct v4l2_buffer *argument) {
    if (!valid(file, argument))
        return fail(EINVAL);
    struct buffer *buffer = &buffers[argument->index];
    if (buffer->place != HERE)
        return VIOLATION("buffer %u queued twice\n", argument->index), fail(EINVAL);
    if (layer() && argument->index != expected)
        VIOLATION("buffer %u queued, it was the turn of %u\n", argument->index, expected);
    expected = (argument->index + 1) % count;
    memset(buffer->bytes, 0xee, length);
    buffer->place = QUEUED;
    queued[queued_count++] = argument->index;
    return 0;
}

static int dequeue_buffer(struct file *file, struct v4l2_buffer *argument) {
    if (!valid(file, argument) || !streaming)
        return fail(EINVAL);
    if (eintr_left > 0)
        return eintr_left--, fail(EINTR);
    if (eio_left > 0)
        return eio_left--, fail(EIO);
    if (!done_count)
        return fail(EAGAIN);
    if (layer())
        for (unsigned i = 0; i < count; i++)
            if (buffers[i].place == HERE)
                VIOLATION("a second buffer dequeued before the first was given back\n");
    unsigned index = done[0];
    memmove(done, done + 1, --done_count * sizeof *done);
    buffers[index].place = HERE;
    *argument = buffers[index].state;
    uint64_t byte;
    if (read(file->fd, &byte, layer() ? 8 : 1) < 0)
        device_note("note: nothing to read from the descriptor\n");
    return 0;
}

static int stream_on(struct file *file) {
    if (owner != file)
        return fail(EINVAL);
    if (streaming)
        return 0;
    if (scenario.no_space && (uint64_t)format.width * format.height >= scenario.no_space)
        return fail(ENOSPC);
    streaming = true;
    device_note("VIDIOC_STREAMON %u queued\n", queued_count);
    pthread_t thread;
    if (pthread_create(&thread, NULL, produce, (void *)++generation))
        abort();
    pthread_detach(thread);
    return 0;
}

static int stream_off(struct file *file) {
    if (owner != file)
        return fail(EINVAL);
    device_note("VIDIOC_STREAMOFF\n");
    if (off_busy_left > 0)
        return off_busy_left--, fail(EBUSY);
    streaming = false;
    generation++;
    expected = 0;
    clear_queues();
    return 0;
}

/* A control of a type that older programs do not know, as UVC's region of interest is. */
static int query_control(struct v4l2_query_ext_ctrl *argument) {
    if (layer() || !(argument->id & V4L2_CTRL_FLAG_NEXT_CTRL))
        return fail(layer() ? ENOTTY : EINVAL);
    memset(argument, 0, sizeof *argument);
    argument->id = V4L2_CID_CAMERA_CLASS_BASE + 36;
    argument->type = 0x0107;
    return 0;
}

static int answer(struct file *file, unsigned long request, void *argument) {
    if (file->dead)
        return fail(ENODEV);
    switch ((unsigned)request) {
    case VIDIOC_QUERYCAP: return query_capability(argument);
    case VIDIOC_ENUM_FMT: return enumerate_format(argument);
    case VIDIOC_ENUM_FRAMESIZES: return enumerate_size(argument);
    case VIDIOC_ENUM_FRAMEINTERVALS: return layer() ? fail(ENOTTY) : enumerate_interval(argument);
    case VIDIOC_S_FMT: return set_format(file, argument);
    case VIDIOC_S_PARM: return scenario.old_layer ? fail(ENOTTY) : set_parameters(argument);
    case VIDIOC_REQBUFS: return request_buffers(file, argument);
    case VIDIOC_QBUF: return queue_buffer(file, argument);
    case VIDIOC_DQBUF: return dequeue_buffer(file, argument);
    case VIDIOC_STREAMON: return stream_on(file);
    case VIDIOC_STREAMOFF: return stream_off(file);
    case VIDIOC_QUERY_EXT_CTRL: return query_control(argument);
    case VIDIOC_QUERYBUF: {
        struct v4l2_buffer *buffer = argument;
        if (!valid(file, buffer))
            return fail(EINVAL);
        *buffer = buffers[buffer->index].state;
        return 0;
    }
    default:
        device_note("unknown ioctl %#lx\n", request);
        return fail(ENOTTY);
    }
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
    unsigned index = length ? (unsigned)(offset / length) : MOST_BUFFERS;
    bool protected = scenario.old_layer ? protection == (PROT_READ | PROT_WRITE) : protection & PROT_READ;
    if (file && !file->dead && index < count && offset == (off_t)index * length && size == length && protected &&
        flags & MAP_SHARED)
        result = buffers[index].mapped = real_mmap(address, size, protection, flags, buffers[index].memory, 0);
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
    for (unsigned i = 0; i < count; i++)
        if (buffers[i].mapped && buffers[i].mapped == address) {
            if (size != length) {
                VIOLATION("munmap of %zu bytes of %u\n", size, length);
                result = fail(EINVAL);
            } else {
                buffers[i].mapped = NULL;
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

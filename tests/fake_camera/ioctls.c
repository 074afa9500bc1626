/* How the camera answers: one function for each ioctl. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device.h"

static int query_capability(struct v4l2_capability *argument) {
    memset(argument, 0, sizeof *argument);
    memcpy(argument->driver, device.scenario.driver, sizeof argument->driver);
    memcpy(argument->card, device.scenario.card, sizeof argument->card);
    memcpy(argument->bus_info, device.scenario.bus, sizeof argument->bus_info);
    argument->device_caps = device.scenario.capabilities;
    /* `capabilities` tells of all nodes of the device, pictures included. */
    argument->capabilities = device.scenario.capabilities | V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_DEVICE_CAPS;
    device_note("VIDIOC_QUERYCAP\n");
    return 0;
}

/* The mode of number `index` among those of a format (0: the first mode of each format). */
static struct mode *mode_at(uint32_t fourcc, unsigned index) {
    for (struct mode *mode = device.scenario.mode; mode < device.scenario.mode + device.scenario.modes; mode++) {
        bool counts = mode->fourcc == fourcc;
        if (!fourcc) {
            counts = true;
            for (struct mode *before = device.scenario.mode; before < mode; before++)
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
    if (device.busy_left > 0)
        return device.busy_left--, fail(EBUSY);
    if (device.count > 0 || (device.owner && device.owner != file))
        return fail(EBUSY);
    struct v4l2_pix_format *pix = &argument->fmt.pix;
    struct mode *best = NULL;
    for (struct mode *mode = device.scenario.mode; mode < device.scenario.mode + device.scenario.modes; mode++) {
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
    pix->bytesperline = frames_stride(pix->pixelformat, pix->width, device.scenario.stride);
    pix->sizeimage = frames_size(pix);
    pix->colorspace = device.scenario.colorspace;
    pix->ycbcr_enc = device.scenario.ycbcr;
    pix->quantization = device.scenario.quantization;
    device.format = *pix;
    device.interval = (struct v4l2_fract){ 1, 30 };
    device_note("VIDIOC_S_FMT %.4s %ux%u\n", (char *)&pix->pixelformat, pix->width, pix->height);
    return 0;
}

static int set_parameters(struct v4l2_streamparm *argument) {
    struct v4l2_fract *wanted = &argument->parm.capture.timeperframe;
    if (wanted->numerator && wanted->denominator)
        device.interval = *wanted;
    *wanted = device.interval;
    argument->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
    return 0;
}

static int request_buffers(struct file *file, struct v4l2_requestbuffers *argument) {
    if (argument->type != V4L2_BUF_TYPE_VIDEO_CAPTURE || argument->memory != V4L2_MEMORY_MMAP)
        return fail(EINVAL);
    if (device.owner && device.owner != file)
        return fail(EBUSY);
    device_note("VIDIOC_REQBUFS %u\n", argument->count);
    for (unsigned i = 0; i < device.count; i++)
        if (device.buffers[i].mapped && layer())
            return VIOLATION("VIDIOC_REQBUFS while buffers are mapped\n"), fail(EBUSY);
    if (device.streaming) {
        if (layer())
            VIOLATION("VIDIOC_REQBUFS while streaming\n");
        return fail(EBUSY);
    }
    clear_queues();
    free_buffers();
    device.owner = argument->count ? file : NULL;
    if (layer() && argument->count > 4)
        VIOLATION("%u buffers asked for\n", argument->count);
    if (argument->count > MOST_BUFFERS)
        argument->count = MOST_BUFFERS;
    device.expected = 0;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    device.length = layer() ? device.format.sizeimage : (unsigned)((device.format.sizeimage + page - 1) / page * page);
    for (; device.count < argument->count; device.count++) {
        struct buffer *buffer = &device.buffers[device.count];
        memset(buffer, 0, sizeof *buffer);
        buffer->memory = memfd_create("fake camera", MFD_CLOEXEC);
        if (ftruncate(buffer->memory, device.length))
            abort();
        buffer->bytes = real_mmap(NULL, device.length, PROT_READ | PROT_WRITE, MAP_SHARED, buffer->memory, 0);
        buffer->state.index = device.count;
        buffer->state.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
        buffer->state.memory = V4L2_MEMORY_MMAP;
        buffer->state.length = device.length;
        buffer->state.m.offset = device.count * device.length;
    }
    return 0;
}

static bool valid(const struct file *file, const struct v4l2_buffer *argument) {
    return device.owner == file && argument->type == V4L2_BUF_TYPE_VIDEO_CAPTURE && argument->memory == V4L2_MEMORY_MMAP &&
           argument->index < device.count;
}

static int queue_buffer(struct file *file, struct v4l2_buffer *argument) {
    if (!valid(file, argument))
        return fail(EINVAL);
    if (device.qbuf_eio_left > 0)
        return device.qbuf_eio_left--, fail(EIO);
    struct buffer *buffer = &device.buffers[argument->index];
    if (buffer->place != HERE)
        return VIOLATION("buffer %u queued twice\n", argument->index), fail(EINVAL);
    if (layer() && argument->index != device.expected)
        VIOLATION("buffer %u queued, it was the turn of %u\n", argument->index, device.expected);
    device.expected = (argument->index + 1) % device.count;
    memset(buffer->bytes, 0xee, device.length);
    buffer->place = QUEUED;
    device.queued[device.queued_count++] = argument->index;
    return 0;
}

static int dequeue_buffer(struct file *file, struct v4l2_buffer *argument) {
    if (!valid(file, argument) || !device.streaming)
        return fail(EINVAL);
    if (device.hang > 0) {
        device_note("hang\n");
        usleep((useconds_t)device.hang * 1000);
        device.hang = 0;
    }
    if (device.eintr_left > 0)
        return device.eintr_left--, fail(EINTR);
    if (device.eio_left > 0)
        return device.eio_left--, fail(EIO);
    if (!device.done_count)
        return fail(EAGAIN);
    if (layer())
        for (unsigned i = 0; i < device.count; i++)
            if (device.buffers[i].place == HERE)
                VIOLATION("a second buffer dequeued before the first was given back\n");
    unsigned index = device.done[0];
    memmove(device.done, device.done + 1, --device.done_count * sizeof *device.done);
    device.buffers[index].place = HERE;
    *argument = device.buffers[index].state;
    uint64_t byte;
    if (read(file->fd, &byte, layer() ? 8 : 1) < 0)
        device_note("note: nothing to read from the descriptor\n");
    return 0;
}

static int stream_on(struct file *file) {
    if (device.owner != file)
        return fail(EINVAL);
    if (device.streaming)
        return 0;
    if (device.scenario.no_space && (uint64_t)device.format.width * device.format.height >= device.scenario.no_space)
        return fail(ENOSPC);
    device.streaming = true;
    device_note("VIDIOC_STREAMON %u queued\n", device.queued_count);
    start_frames();
    return 0;
}

static int stream_off(struct file *file) {
    if (device.owner != file)
        return fail(EINVAL);
    device_note("VIDIOC_STREAMOFF\n");
    if (device.off_busy_left > 0)
        return device.off_busy_left--, fail(EBUSY);
    device.streaming = false;
    device.generation++;
    device.expected = 0;
    clear_queues();
    return 0;
}

/* The scenario's controls, and behind them one of a type that older programs do not know, as UVC's region of
 * interest is. */
static int query_control(struct v4l2_query_ext_ctrl *argument) {
    uint32_t after = argument->id & ~V4L2_CTRL_FLAG_NEXT_CTRL, last = V4L2_CID_CAMERA_CLASS_BASE + 36;
    if (layer() || !(argument->id & V4L2_CTRL_FLAG_NEXT_CTRL) || after >= last)
        return fail(layer() ? ENOTTY : EINVAL);
    memset(argument, 0, sizeof *argument);
    for (unsigned i = 0; i < device.scenario.controls; i++) {
        const struct control *control = &device.scenario.control[i];
        if (control->id <= after)
            continue;
        argument->id = control->id;
        argument->type = control->type;
        argument->minimum = control->min, argument->maximum = control->max;
        argument->step = (uint64_t)control->step, argument->default_value = control->preset;
        memcpy(argument->name, control->name, sizeof argument->name);
        return 0;
    }
    argument->id = last;
    argument->type = 0x0107;
    return 0;
}

static const struct control *control_of(uint32_t id) {
    for (unsigned i = 0; i < device.scenario.controls; i++)
        if (device.scenario.control[i].id == id)
            return &device.scenario.control[i];
    return NULL;
}

static int query_menu(struct v4l2_querymenu *argument) {
    const struct control *control = control_of(argument->id);
    if (!control || (long)argument->index > control->max)
        return fail(EINVAL);
    snprintf((char *)argument->name, sizeof argument->name, "Item %u", argument->index);
    return 0;
}

static int set_control(struct v4l2_control *argument) {
    const struct control *control = control_of(argument->id);
    if (layer() || !control || control->type == V4L2_CTRL_TYPE_INTEGER64)
        return fail(layer() ? ENOTTY : EINVAL);
    device_note("VIDIOC_S_CTRL %s %d\n", control->name, argument->value);
    return argument->value < control->min || argument->value > control->max ? fail(ERANGE) : 0;
}

static int set_large_control(struct v4l2_ext_controls *argument) {
    const struct control *control = control_of(argument->controls->id);
    if (layer() || !control || argument->count != 1)
        return fail(layer() ? ENOTTY : EINVAL);
    long value = control->type == V4L2_CTRL_TYPE_INTEGER64 ? argument->controls->value64 : argument->controls->value;
    device_note("VIDIOC_S_EXT_CTRLS %s %ld\n", control->name, value);
    return value < control->min || value > control->max ? fail(ERANGE) : 0;
}

int answer(struct file *file, unsigned long request, void *argument) {
    if (file->dead)
        return fail(ENODEV);
    switch ((unsigned)request) {
    case VIDIOC_QUERYCAP: return query_capability(argument);
    case VIDIOC_ENUM_FMT: return enumerate_format(argument);
    case VIDIOC_ENUM_FRAMESIZES: return enumerate_size(argument);
    case VIDIOC_ENUM_FRAMEINTERVALS: return layer() ? fail(ENOTTY) : enumerate_interval(argument);
    case VIDIOC_S_FMT: return set_format(file, argument);
    case VIDIOC_S_PARM: return device.scenario.old_layer ? fail(ENOTTY) : set_parameters(argument);
    case VIDIOC_REQBUFS: return request_buffers(file, argument);
    case VIDIOC_QBUF: return queue_buffer(file, argument);
    case VIDIOC_DQBUF: return dequeue_buffer(file, argument);
    case VIDIOC_STREAMON: return stream_on(file);
    case VIDIOC_STREAMOFF: return stream_off(file);
    case VIDIOC_QUERY_EXT_CTRL: return query_control(argument);
    case VIDIOC_QUERYCTRL: return fail(layer() ? ENOTTY : EINVAL);
    case VIDIOC_QUERYMENU: return query_menu(argument);
    case VIDIOC_S_CTRL: return set_control(argument);
    case VIDIOC_S_EXT_CTRLS: return set_large_control(argument);
    case VIDIOC_QUERYBUF: {
        struct v4l2_buffer *buffer = argument;
        if (!valid(file, buffer))
            return fail(EINVAL);
        *buffer = device.buffers[buffer->index].state;
        return 0;
    }
    default:
        device_note("unknown ioctl %#lx\n", request);
        return fail(ENOTTY);
    }
}

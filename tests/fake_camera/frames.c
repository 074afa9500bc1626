/* What is in the pictures, and which faults befall them. */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "frames.h"

struct image {
    uint8_t *bytes;
    size_t length;
};

static struct image images[MOST_IMAGES];
static unsigned image_count;

struct faults faults_of(const struct scenario *scenario, unsigned frame) {
    struct faults all = { .used = -1 };
    for (const struct fault *f = scenario->fault; f < scenario->fault + scenario->faults; f++) {
        if (frame < f->from || frame > f->to)
            continue;
        if (!strcmp(f->name, "flag")) all.flag = true;
        else if (!strcmp(f->name, "empty")) all.empty = true;
        else if (!strcmp(f->name, "junk")) all.junk = true;
        else if (!strcmp(f->name, "stuck")) all.stuck = true;
        else if (!strcmp(f->name, "cut")) all.cut = f->amount;
        else if (!strcmp(f->name, "pad")) all.pad = f->amount;
        else if (!strcmp(f->name, "garbage")) all.garbage = f->amount;
        else if (!strcmp(f->name, "used")) all.used = f->amount;
        else if (!strcmp(f->name, "silence")) all.silence = f->amount;
        else if (!strcmp(f->name, "eintr")) all.eintr = f->amount;
        else if (!strcmp(f->name, "hang")) all.hang = f->amount;
        else if (!strcmp(f->name, "eio")) all.eio = f->amount;
        else if (!strcmp(f->name, "qbuf-eio")) all.qbuf_eio = f->amount;
        else if (!strcmp(f->name, "off-busy")) all.off_busy = f->amount;
        else if (!strcmp(f->name, "unplug")) all.unplug = f;
        else fprintf(stderr, "fake camera: fault %s: not known\n", f->name), abort();
    }
    return all;
}

static int is_jpeg(const struct dirent *entry) {
    const char *dot = strrchr(entry->d_name, '.');
    return dot && !strcmp(dot, ".jpg");
}

void frames_load(const struct scenario *scenario) {
    struct dirent **names = NULL;
    int count = scenario->frames[0] ? scandir(scenario->frames, &names, is_jpeg, alphasort) : 0;
    image_count = 0;
    for (int i = 0; i < count && image_count < MOST_IMAGES; i++) {
        char path[2 * PATH_LENGTH];
        snprintf(path, sizeof path, "%s/%s", scenario->frames, names[i]->d_name);
        FILE *file = fopen(path, "re");
        if (!file)
            continue;
        struct image *image = &images[image_count];
        fseek(file, 0, SEEK_END);
        image->length = (size_t)ftell(file);
        image->bytes = realloc(image->bytes, image->length);
        rewind(file);
        image_count += fread(image->bytes, 1, image->length, file) == image->length;
        fclose(file);
    }
    for (const struct mode *mode = scenario->mode; mode < scenario->mode + scenario->modes; mode++)
        if (mode->fourcc == V4L2_PIX_FMT_MJPEG && !image_count)
            fprintf(stderr, "fake camera: no *.jpg in %s to show in MJPG modes\n", scenario->frames), abort();
}

unsigned frames_stride(uint32_t fourcc, unsigned width, unsigned extra) {
    switch (fourcc) {
    case V4L2_PIX_FMT_MJPEG: return 0;
    case V4L2_PIX_FMT_YUYV:
    case V4L2_PIX_FMT_UYVY: return 2 * width + extra;
    case V4L2_PIX_FMT_RGB24: return 3 * width + extra;
    default: return width + extra;
    }
}

unsigned frames_size(const struct v4l2_pix_format *format) {
    unsigned luma = format->bytesperline * format->height;
    switch (format->pixelformat) {
    case V4L2_PIX_FMT_MJPEG: return 2 * format->width * format->height + 65536;
    case V4L2_PIX_FMT_NV12:
    case V4L2_PIX_FMT_YUV420: return luma + luma / 2;
    default: return luma;
    }
}

static size_t fill_jpeg(unsigned frame, uint8_t *into, unsigned length) {
    const struct image *image = &images[frame % image_count];
    char comment[32];
    int size = snprintf(comment, sizeof comment, "frame %u", frame);
    uint8_t segment[] = { 0xff, 0xd8, 0xff, 0xfe, 0, (uint8_t)(size + 2) };
    size_t total = sizeof segment + (size_t)size + image->length - 2;
    if (total > length)
        return 0;
    memcpy(into, segment, sizeof segment);
    memcpy(into + sizeof segment, comment, (size_t)size);
    memcpy(into + sizeof segment + size, image->bytes + 2, image->length - 2);
    return total;
}

static size_t fill_raw(const struct v4l2_pix_format *format, unsigned frame, uint8_t *into) {
    bool yuyv = format->pixelformat == V4L2_PIX_FMT_YUYV, uyvy = format->pixelformat == V4L2_PIX_FMT_UYVY;
    size_t total = frames_size(format), stride = format->bytesperline;
    for (size_t at = 0; at < total; at++) {
        size_t x = at % stride, y = at / stride;
        if (yuyv || uyvy)
            into[at] = (x & 1) == (size_t)yuyv ? 128 : (uint8_t)(x / 2 + y + 4 * frame);
        else
            into[at] = (uint8_t)(x + y + 4 * frame);
    }
    memcpy(into, &frame, sizeof frame);
    return total;
}

uint32_t frames_fill(const struct scenario *scenario, const struct v4l2_pix_format *format, unsigned frame,
                     const struct faults *faults, uint8_t *into, unsigned length) {
    (void)scenario;
    bool jpeg = format->pixelformat == V4L2_PIX_FMT_MJPEG;
    size_t used = jpeg ? fill_jpeg(frame, into, length) : fill_raw(format, frame, into);
    if (faults->junk)
        memset(into, 0x11, used);
    if (faults->empty)
        used = 0;
    if (faults->cut)
        used = used > (size_t)faults->cut ? used - (size_t)faults->cut : 1;
    for (long i = 0; i < faults->pad + faults->garbage && used < length; i++)
        into[used++] = faults->garbage ? (uint8_t)(i * 131 + 7) : 0;
    return faults->used >= 0 ? (uint32_t)faults->used : (uint32_t)used;
}

/* What is in the pictures, and which faults befall them. */
#ifndef FAKE_CAMERA_FRAMES_H
#define FAKE_CAMERA_FRAMES_H

#include "fake_camera.h"

/* The faults of one frame. */
struct faults {
    bool flag, empty, junk, stuck;
    long cut, pad, garbage, used, silence, hang, eintr, eio, qbuf_eio, off_busy;
    const struct fault *unplug;
};

struct faults faults_of(const struct scenario *scenario, unsigned frame);
/* Reads the folder of JPEG images. */
void frames_load(const struct scenario *scenario);
unsigned frames_stride(uint32_t fourcc, unsigned width, unsigned extra);
unsigned frames_size(const struct v4l2_pix_format *format);
/* Writes a frame and returns `bytesused`. */
uint32_t frames_fill(const struct scenario *scenario, const struct v4l2_pix_format *format, unsigned frame,
                     const struct faults *faults, uint8_t *into, unsigned length);

#endif

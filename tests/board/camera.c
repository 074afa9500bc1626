/* What a scenario on the emulated board does with V4L2 devices, apart from the program under test.
 *
 *   camera feed DEVICE CLIP.mjpeg FPS [FRAMES]  writes JPEGs to a v4l2loopback device, as a USB camera would
 *                                               give them; the clip loops; 0 frames: for ever
 *   camera grab DEVICE WIDTH HEIGHT FILE        one raw YUYV picture, rows without padding
 *   camera set DEVICE NAME VALUE                a control by its name, such as "Test Pattern"
 *   camera controls DEVICE                      their names and values
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what, const char *where)
{
    fprintf(stderr, "camera: %s: %s: %s\n", where, what, strerror(errno));
    exit(1);
}

static int open_device(const char *path)
{
    int fd = open(path, O_RDWR);
    if (fd < 0)
        fail("open", path);
    return fd;
}

struct slice {
    const unsigned char *at;
    size_t len;
};

/* The end of the JPEG that starts at `p`: an FFD9 with nothing or the next FFD8 behind it. */
static const unsigned char *frame_end(const unsigned char *p, const unsigned char *end)
{
    for (p += 2; p + 1 < end; p++)
        if (p[0] == 0xff && p[1] == 0xd9 && (p + 3 >= end || (p[2] == 0xff && p[3] == 0xd8)))
            return p + 2;
    return end;
}

/* Width and height from the first SOF0 segment. */
static int geometry(struct slice frame, unsigned *width, unsigned *height)
{
    for (size_t i = 2; i + 9 < frame.len && frame.at[i] == 0xff;) {
        const unsigned char *segment = frame.at + i;
        if (segment[1] == 0xc0) {
            *height = segment[5] << 8 | segment[6];
            *width = segment[7] << 8 | segment[8];
            return 1;
        }
        i += 2 + (segment[2] << 8 | segment[3]);
    }
    return 0;
}

static void feed(const char *device, const char *clip, double fps, long frames)
{
    int file = open(clip, O_RDONLY), fd = open_device(device);
    struct stat info;
    if (file < 0 || fstat(file, &info) < 0)
        fail("open", clip);
    unsigned char *bytes = malloc(info.st_size), *end = bytes + info.st_size;
    for (unsigned char *p = bytes; p < end;) {
        ssize_t got = read(file, p, end - p);
        if (got <= 0)
            fail("read", clip);
        p += got;
    }
    struct slice list[1024];
    size_t count = 0, largest = 0;
    for (const unsigned char *p = bytes; p < end && count < 1024; count++) {
        const unsigned char *next = frame_end(p, end);
        list[count] = (struct slice){p, next - p};
        largest = list[count].len > largest ? list[count].len : largest;
        p = next;
    }
    struct v4l2_format format = {.type = V4L2_BUF_TYPE_VIDEO_OUTPUT};
    if (count == 0 || !geometry(list[0], &format.fmt.pix.width, &format.fmt.pix.height)) {
        errno = EINVAL;
        fail("no JPEG in it", clip);
    }
    format.fmt.pix.pixelformat = V4L2_PIX_FMT_MJPEG;
    format.fmt.pix.field = V4L2_FIELD_NONE;
    format.fmt.pix.colorspace = V4L2_COLORSPACE_JPEG;
    format.fmt.pix.sizeimage = largest * 2;
    if (ioctl(fd, VIDIOC_S_FMT, &format) < 0)
        fail("VIDIOC_S_FMT", device);
    printf("camera: feeding %s: %zu frames of %ux%u, at most %zu bytes (room for %u)\n", device, count,
           format.fmt.pix.width, format.fmt.pix.height, largest, format.fmt.pix.sizeimage);
    fflush(stdout);

    struct timespec due;
    long interval = (long)(1e9 / fps);
    clock_gettime(CLOCK_MONOTONIC, &due);
    for (long i = 0; frames == 0 || i < frames; i++) {
        struct slice frame = list[i % count];
        if (write(fd, frame.at, frame.len) != (ssize_t)frame.len)
            fail("write", device);
        due.tv_nsec += interval;
        due.tv_sec += due.tv_nsec / 1000000000;
        due.tv_nsec %= 1000000000;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
    }
}

static void grab(const char *device, unsigned width, unsigned height, const char *path)
{
    int fd = open_device(device);
    struct v4l2_format format = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    format.fmt.pix.width = width;
    format.fmt.pix.height = height;
    format.fmt.pix.pixelformat = V4L2_PIX_FMT_YUYV;
    if (ioctl(fd, VIDIOC_S_FMT, &format) < 0)
        fail("VIDIOC_S_FMT", device);
    if (format.fmt.pix.width != width || format.fmt.pix.height != height ||
        format.fmt.pix.pixelformat != V4L2_PIX_FMT_YUYV) {
        errno = EINVAL;
        fail("does not offer YUYV in that size", device);
    }
    unsigned char *picture = malloc(format.fmt.pix.sizeimage);
    if (read(fd, picture, format.fmt.pix.sizeimage) != (ssize_t)format.fmt.pix.sizeimage)
        fail("read", device);
    FILE *out = fopen(path, "wb");
    if (!out)
        fail("open", path);
    for (unsigned row = 0; row < height; row++)
        if (fwrite(picture + row * format.fmt.pix.bytesperline, width * 2, 1, out) != 1)
            fail("write", path);
    if (fclose(out) != 0)
        fail("write", path);
}

/* Sets the control called `name`, or with no name prints all. */
static void controls(const char *device, const char *name, int value)
{
    int fd = open_device(device);
    struct v4l2_queryctrl query = {.id = V4L2_CTRL_FLAG_NEXT_CTRL};
    for (; ioctl(fd, VIDIOC_QUERYCTRL, &query) == 0; query.id |= V4L2_CTRL_FLAG_NEXT_CTRL) {
        struct v4l2_control control = {.id = query.id};
        if (!name) {
            int known = ioctl(fd, VIDIOC_G_CTRL, &control) == 0;
            printf("%-32s %d..%d now %d%s\n", (char *)query.name, query.minimum, query.maximum, control.value,
                   known ? "" : "?");
        } else if (strcmp((char *)query.name, name) == 0) {
            control.value = value;
            if (ioctl(fd, VIDIOC_S_CTRL, &control) < 0)
                fail(name, device);
            return;
        }
    }
    if (name) {
        errno = ENOENT;
        fail(name, device);
    }
}

int main(int argc, char **argv)
{
    const char *action = argc > 2 ? argv[1] : "";
    if (strcmp(action, "feed") == 0 && argc >= 5)
        feed(argv[2], argv[3], atof(argv[4]), argc > 5 ? atol(argv[5]) : 0);
    else if (strcmp(action, "grab") == 0 && argc == 6)
        grab(argv[2], atoi(argv[3]), atoi(argv[4]), argv[5]);
    else if (strcmp(action, "set") == 0 && argc == 5)
        controls(argv[2], argv[3], atoi(argv[4]));
    else if (strcmp(action, "controls") == 0)
        controls(argv[2], NULL, 0);
    else {
        fprintf(stderr, "usage: camera feed|grab|set|controls DEVICE ...\n");
        return 2;
    }
    return 0;
}

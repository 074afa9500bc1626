/* Reads scenarios; their language is described at the top of intercept.c. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "fake_camera.h"

/* Copies a name, with \xNN for any byte. */
static void name(char *into, size_t size, const char *from) {
    memset(into, 0, size);
    for (size_t i = 0; i < size && *from; i++) {
        unsigned byte;
        if (sscanf(from, "\\x%2x", &byte) == 1) {
            into[i] = (char)byte;
            from += 4;
        } else {
            into[i] = *from++;
        }
    }
}

static bool mode(struct scenario *scenario, const char *text) {
    if (scenario->modes == MOST_MODES)
        return false;
    struct mode *mode = &scenario->mode[scenario->modes];
    char code[5];
    int read = 0, more;
    if (sscanf(text, "%4s %ux%u%n", code, &mode->width, &mode->height, &read) < 3)
        return false;
    mode->fourcc = v4l2_fourcc(code[0], code[1], code[2], code[3]);
    text += read;
    mode->least_width = mode->width, mode->least_height = mode->height;
    if (sscanf(text, "-%ux%u/%ux%u%n", &mode->width, &mode->height, &mode->step_width, &mode->step_height, &read) == 4) {
        mode->stepwise = true;
        text += read;
    }
    while (mode->rates < MOST_RATES && sscanf(text, "%u%n", &mode->rate[mode->rates], &more) == 1) {
        mode->rates++;
        text += more;
    }
    scenario->modes++;
    return true;
}

static bool fault(struct scenario *scenario, const char *text) {
    if (scenario->faults == MOST_FAULTS)
        return false;
    struct fault *fault = &scenario->fault[scenario->faults];
    int read = 0;
    if (sscanf(text, "%u%n", &fault->from, &read) != 1)
        return false;
    text += read;
    fault->to = fault->from;
    if (sscanf(text, "-%u%n", &fault->to, &read) == 1)
        text += read;
    if (sscanf(text, "%23s %ld %511s", fault->name, &fault->amount, fault->word) < 1)
        return false;
    scenario->faults++;
    return true;
}

static bool control(struct scenario *scenario, const char *text) {
    if (scenario->controls == MOST_CONTROLS)
        return false;
    struct control *control = &scenario->control[scenario->controls++];
    return sscanf(text, "%x %u %ld %ld %ld %ld %31[^\n]", &control->id, &control->type, &control->min, &control->max,
                  &control->step, &control->preset, control->name) == 7;
}

static bool capabilities(struct scenario *scenario, const char *word) {
    static const struct { const char *word; uint32_t bits; } known[] = {
        { "capture", V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING },
        { "meta", V4L2_CAP_META_CAPTURE | V4L2_CAP_STREAMING },
        { "mplane", V4L2_CAP_VIDEO_CAPTURE_MPLANE | V4L2_CAP_STREAMING },
        { "output", V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_STREAMING },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(word, known[i].word))
            return scenario->capabilities = known[i].bits, true;
    return false;
}

static bool line(struct scenario *s, const char *key, const char *value) {
    unsigned width, height;
    if (!strcmp(key, "node")) return snprintf(s->node, sizeof s->node, "%s", value) > 0;
    if (!strcmp(key, "link")) return snprintf(s->link, sizeof s->link, "%s", value) > 0;
    if (!strcmp(key, "late")) return s->late_link = !strcmp(value, "link");
    if (!strcmp(key, "beside")) return sscanf(value, "%511s %511s", s->beside_node, s->beside_link) == 2;
    if (!strcmp(key, "log")) return snprintf(s->log, sizeof s->log, "%s", value) > 0;
    if (!strcmp(key, "frames")) return snprintf(s->frames, sizeof s->frames, "%s", value) > 0;
    if (!strcmp(key, "stamp")) return snprintf(s->stamp, sizeof s->stamp, "%.15s", value) > 0;
    if (!strcmp(key, "driver")) return name(s->driver, sizeof s->driver, value), true;
    if (!strcmp(key, "card")) return name(s->card, sizeof s->card, value), true;
    if (!strcmp(key, "bus")) return name(s->bus, sizeof s->bus, value), true;
    if (!strcmp(key, "caps")) return capabilities(s, value);
    if (!strcmp(key, "mode")) return mode(s, value);
    if (!strcmp(key, "at")) return fault(s, value);
    if (!strcmp(key, "control")) return control(s, value);
    if (!strcmp(key, "fps")) return sscanf(value, "%u", &s->fps) == 1;
    if (!strcmp(key, "stride")) return sscanf(value, "%u", &s->stride) == 1;
    if (!strcmp(key, "busy")) return sscanf(value, "%u", &s->busy) == 1;
    if (!strcmp(key, "denied")) return sscanf(value, "%u", &s->denied) == 1;
    if (!strcmp(key, "absent")) return sscanf(value, "%u", &s->absent) == 1;
    if (!strcmp(key, "layer")) return s->old_layer = !strcmp(value, "old");
    if (!strcmp(key, "colour"))
        return sscanf(value, "%u %u %u", &s->colorspace, &s->ycbcr, &s->quantization) == 3;
    if (!strcmp(key, "nospace")) {
        bool read = sscanf(value, "%ux%u", &width, &height) == 2;
        s->no_space = read ? (uint64_t)width * height : 0;
        return read;
    }
    return false;
}

bool scenario_load(struct scenario *scenario, const char *path) {
    memset(scenario, 0, sizeof *scenario);
    snprintf(scenario->node, sizeof scenario->node, "%s", DEFAULT_NODE);
    name(scenario->driver, sizeof scenario->driver, "uvcvideo");
    name(scenario->card, sizeof scenario->card, "Fake Camera");
    name(scenario->bus, sizeof scenario->bus, "usb-fake-1");
    scenario->capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
    scenario->colorspace = V4L2_COLORSPACE_SRGB;
    FILE *file = fopen(path, "re");
    if (!file) {
        fprintf(stderr, "fake camera: %s: %m\n", path);
        return false;
    }
    char text[1024];
    for (unsigned number = 1; fgets(text, sizeof text, file); number++) {
        text[strcspn(text, "#\n")] = 0;
        char *key = strtok(text, " \t");
        char *value = strtok(NULL, "");
        if (!key)
            continue;
        if (!line(scenario, key, value ? value + strspn(value, " \t") : "")) {
            fprintf(stderr, "fake camera: %s:%u: %s: not understood\n", path, number, key);
            abort();
        }
    }
    fclose(file);
    return true;
}

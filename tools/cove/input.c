/* What the verbs that publish share. */
#define _POSIX_C_SOURCE 200809L
#include "input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 65536.0

/* ---- Options. */

static bool take_number(const char *what, const char *text, double least, double most, double *out) {
    char *end;
    *out = strtod(text, &end);
    if (end != text && !*end && *out >= least && *out <= most)
        return true;
    say("%s needs a number from %g to %.0f, and '%s' is none", what, least, most, text);
    return false;
}

bool input_take(void *context, int option, const char *value) {
    input_wish *w = context;
    double number;
    char *end;
    switch (option) {
    case 't':
        w->type = cove_type_of_label(value);
        if (w->type && w->type != COVE_TYPE_STRUCT && w->type != COVE_TYPE_ANY)
            return true;
        say("--type is text, bytes, i8, i16, i32, i64, u8, u16, u32, u64, f32 or f64, not '%s'", value);
        return false;
    case 'c':
    case 'f':
        if (parse_size(value, option == 'c' ? &w->capacity_bytes : &w->frame_bytes))
            return true;
        say("a number of bytes is like 4096, 64K or 8M, and '%s' is none", value);
        return false;
    case 'd':
        if (!take_number("--depth", value, 1, DEPTH_MAX, &number))
            return false;
        w->depth = (uint32_t)number;
        return true;
    case 'g':
        w->tag = strtoull(value, &end, 10);
        if (end != value && !*end)
            return true;
        say("--tag needs a number, and '%s' is none", value);
        return false;
    case 'r': return take_number("--rate", value, 1e-3, 1e9, &w->rate);
    case 'm':
        if (parse_mode(value, &w->mode))
            return true;
        say("--mode needs octal digits like 0640, and '%s' is none", value);
        return false;
    case 'l':
        w->has_lifetime = true;
        if (parse_lifetime(value, &w->lifetime))
            return true;
        say("--lifetime is while-used, while-owned or until-removed, not '%s'", value);
        return false;
    default: *(option == 'T' ? &w->times : &w->only) = true; return true;
    }
}

cove_type input_type(const input_wish *w) {
    return w->type ? w->type : w->frame_bytes ? COVE_TYPE_BYTES : COVE_TYPE_TEXT;
}

uint64_t input_capacity(const input_wish *w) {
    return w->capacity_bytes ? w->capacity_bytes : w->frame_bytes ? w->frame_bytes : 4096;
}

/* ---- Sending. */

static void pace(const input_wish *w, cove_time_ns *next) {
    if (w->rate <= 0)
        return;
    cove_time_ns now = cove_now();
    sleep_until(*next);
    *next = (*next > now ? *next : now) + (uint64_t)(1e9 / w->rate); /* what was not said in time is not made up for */
}

/* One value a line, or one value each `frame_bytes`. */
int input_send_all(const input_wish *w, cove_type type, uint64_t patience_ns, send_fn send, void *object, uint64_t *out_count) {
    char *line = NULL;
    size_t room = 0;
    value_buffer value = {0};
    cove_time_ns next = 0;
    int status = EXIT_DONE;
    char *frame = w->frame_bytes ? malloc((size_t)w->frame_bytes) : NULL;
    if ((type == COVE_TYPE_ANY || type == COVE_TYPE_STRUCT) && !frame) {
        say("it carries %s; send its values with --frame BYTES", cove_type_label(type));
        return EXIT_UNFIT;
    }
    if (w->frame_bytes && !frame) {
        say("no memory for a frame of %llu bytes", (unsigned long long)w->frame_bytes);
        return EXIT_NO_ROOM;
    }
    while (!is_stopped()) {
        const void *data = frame;
        size_t length;
        if (frame) {
            length = fread(frame, 1, (size_t)w->frame_bytes, stdin);
            if (!length || is_stopped() || ferror(stdin))
                break;
        } else {
            ssize_t got = getline(&line, &room, stdin);
            if (got < 0 || is_stopped() || ferror(stdin))
                break;
            length = (size_t)got - (got && line[got - 1] == '\n');
            if (!parse_value(type, line, length, &value)) {
                status = EXIT_USAGE;
                break;
            }
            data = value.data;
            length = value.length;
        }
        pace(w, &next);
        cove_time_ns until = end_of_patience(patience_ns);
        cove_result result;
        do
            result = send(object, data, length, w->tag, soon(until));
        while (result == COVE_ERR_FULL && !is_stopped() && cove_now() < until);
        if (result < 0) {
            status = failed();
            break;
        }
        ++*out_count;
    }
    int code = errno;
    if (is_stopped()) {
        status = EXIT_INTERRUPTED;
    } else if (status == EXIT_DONE && ferror(stdin)) {
        say("reading stdin failed: %s", strerror(code));
        status = EXIT_NO_ROOM;
    }
    free(frame);
    free(line);
    free(value.data);
    return status;
}

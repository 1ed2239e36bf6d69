/* cove pub */
#define _POSIX_C_SOURCE 200809L
#include "values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct wish {
    cove_stream_options options;
    uint64_t frame_bytes, tag;
    double rate;
} wish;

static bool take_number(const char *what, const char *text, double least, double most, double *out) {
    char *end;
    *out = strtod(text, &end);
    if (end != text && !*end && *out >= least && *out <= most)
        return true;
    say("%s needs a number from %g to %.0f, and '%s' is none", what, least, most, text);
    return false;
}

static bool take(void *context, int option, const char *value) {
    wish *w = context;
    double number;
    switch (option) {
    case 't':
        w->options.type = cove_type_of_label(value);
        if (w->options.type && w->options.type != COVE_TYPE_STRUCT && w->options.type != COVE_TYPE_ANY)
            return true;
        say("--type is text, bytes, i8, i16, i32, i64, u8, u16, u32, u64, f32 or f64, not '%s'", value);
        return false;
    case 'c':
    case 'f':
        if (parse_size(value, option == 'c' ? &w->options.capacity_bytes : &w->frame_bytes))
            return true;
        say("a number of bytes is like 4096, 64K or 8M, and '%s' is none", value);
        return false;
    case 'd':
        if (!take_number("--depth", value, 1, COVE_STREAM_DEPTH_MAX, &number))
            return false;
        w->options.depth = (uint32_t)number;
        return true;
    case 'g': {
        char *end;
        w->tag = strtoull(value, &end, 10);
        if (end != value && !*end)
            return true;
        say("--tag needs a number, and '%s' is none", value);
        return false;
    }
    case 'r': return take_number("--rate", value, 1e-3, 1e9, &w->rate);
    case 'm':
        if (parse_mode(value, &w->options.mode))
            return true;
        say("--mode needs octal digits like 0640, and '%s' is none", value);
        return false;
    case 'l':
        if (parse_lifetime(value, &w->options.lifetime))
            return true;
        say("--lifetime is while-used, while-owned or until-removed, not '%s'", value);
        return false;
    default: w->options.flags |= option == 'T' ? COVE_STREAM_TIMES : COVE_STREAM_ONLY_WRITER; return true;
    }
}

/* What exists, as it is; what does not, with the sizes that suit lines of text. */
static cove_result open_for_writing(cove_stream **out_stream, const char *name, wish *w) {
    cove_stream_options o = w->options;
    o.how = COVE_OPEN;
    o.size_rule = COVE_AT_LEAST;
    cove_result result = cove_stream_open(out_stream, name, &o);
    if (result != COVE_ERR_NOT_FOUND)
        return result;
    o.how = COVE_OPEN_OR_CREATE;
    o.type = o.type ? o.type : w->frame_bytes ? COVE_TYPE_BYTES : COVE_TYPE_TEXT;
    o.capacity_bytes = o.capacity_bytes ? o.capacity_bytes : w->frame_bytes ? w->frame_bytes : 4096;
    return cove_stream_open(out_stream, name, &o);
}

static void pace(const wish *w, cove_time_ns *next) {
    if (w->rate <= 0)
        return;
    cove_time_ns now = cove_now();
    if (*next > now && !is_stopped()) {
        uint64_t wait = *next - now;
        nanosleep(&(struct timespec){(time_t)(wait / 1000000000), (long)(wait % 1000000000)}, NULL);
    }
    *next = (*next > now ? *next : now) + (uint64_t)(1e9 / w->rate); /* what was not said in time is not made up for */
}

/* One value a line, or one value each `frame_bytes`. */
static int publish_all(cove_stream *stream, const wish *w, cove_type type, uint64_t patience_ns, uint64_t *out_count) {
    char *line = NULL;
    size_t room = 0;
    value_buffer value = {0};
    cove_time_ns next = 0;
    int status = EXIT_DONE;
    char *frame = w->frame_bytes ? malloc((size_t)w->frame_bytes) : NULL;
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
        cove_time_ns now = cove_now(), until = patience_ns > UINT64_MAX - now ? COVE_FOREVER : now + patience_ns;
        cove_result result;
        do
            result = cove_stream_write(stream, data, length, w->tag, soon(until));
        while (result == COVE_ERR_FULL && !is_stopped() && cove_now() < until);
        if (result != COVE_OK) {
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

int run_pub(int argc, char **argv) {
    static const struct option own[] = {{"type", required_argument, NULL, 't'},
                                        {"capacity", required_argument, NULL, 'c'},
                                        {"depth", required_argument, NULL, 'd'},
                                        {"frame", required_argument, NULL, 'f'},
                                        {"tag", required_argument, NULL, 'g'},
                                        {"rate", required_argument, NULL, 'r'},
                                        {"lifetime", required_argument, NULL, 'l'},
                                        {"mode", required_argument, NULL, 'm'},
                                        {"times", no_argument, NULL, 'T'},
                                        {"only-writer", no_argument, NULL, 'O'},
                                        {0}};
    settings s;
    wish w = {.options = {.flags = COVE_STREAM_WRITER, .interruptible = true}};
    cove_stream *stream;
    cove_stream_info info;
    uint64_t count = 0;
    int status = read_options(argc, argv, own, take, &w, &s);
    uint64_t patience_ns = status < 0 && s.deadline_ns ? s.deadline_ns - cove_now() : 0;
    if (status >= 0)
        return status;
    if (argc - optind != 1)
        return misused("pub", "pub needs one name");
    is_stopped();
    w.options.domain = s.domain;
    if (open_for_writing(&stream, argv[optind], &w) != COVE_OK || cove_stream_get_info(stream, &info) != COVE_OK)
        return failed();
    if ((info.type == COVE_TYPE_ANY || info.type == COVE_TYPE_STRUCT) && !w.frame_bytes) {
        say("the stream carries %s; write its values with --frame BYTES", cove_type_label(info.type));
        status = EXIT_UNFIT;
    } else {
        status = publish_all(stream, &w, info.type, patience_ns, &count);
    }
    if (s.json)
        print_json(json_pack("{s:s, s:I}", "name", argv[optind], "published", (json_int_t)count));
    cove_stream_close(stream);
    return status;
}

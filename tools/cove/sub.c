/* cove sub */
#include "values.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct wish {
    cove_stream_options options;
    uint64_t count; /* 0: for ever */
    bool raw, until_closed;
} wish;

static bool take(void *context, int option, const char *value) {
    static const char *const follows[] = {"all", "latest", "lossless"}, *const starts[] = {"latest", "oldest", "new"};
    wish *w = context;
    switch (option) {
    case 'f':
        for (int i = 0; i < 3; i++)
            if (!strcmp(value, follows[i])) {
                w->options.follow = (cove_follow)i;
                return true;
            }
        say("--follow is all, latest or lossless, not '%s'", value);
        return false;
    case 's':
        for (int i = 0; i < 3; i++)
            if (!strcmp(value, starts[i])) {
                w->options.start = (cove_start)i;
                return true;
            }
        say("--since is latest, oldest or new, not '%s'", value);
        return false;
    case 'c': return take_count(value, &w->count);
    default: *(option == 'r' ? &w->raw : &w->until_closed) = true; return true;
    }
}

static bool show(const wish *w, const settings *s, const cove_value *value) {
    if (s->json) {
        json_t *o = value_json(value);
        json_dumpf(o, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
        putchar('\n');
        json_decref(o);
    } else {
        if (value->missed_count && w->options.follow != COVE_FOLLOW_LATEST)
            say("missed %" PRIu64, value->missed_count);
        if (w->raw)
            fwrite(value->data, 1, (size_t)value->length_bytes, stdout);
        else
            print_value(stdout, value);
    }
    return !ferror(stdout);
}

/* Whether somebody who wrote has gone, nobody else writes, and nothing more is there. */
static bool is_closed(cove_stream *stream, bool *had_writer) {
    uint32_t writers;
    if (cove_stream_writers(stream, &writers) != COVE_OK)
        return false;
    *had_writer = *had_writer || writers;
    return *had_writer && !writers &&
           cove_stream_wait(stream, cove_in_ms(1)) == COVE_ERR_EMPTY; /* with a look for what was not confirmed */
}

static int follow(cove_stream *stream, const wish *w, const settings *s, void *data, uint64_t room) {
    bool had_writer = false;
    for (uint64_t seen = 0; !w->count || seen < w->count;) {
        cove_value value;
        if (is_stopped())
            return EXIT_INTERRUPTED;
        cove_result result = cove_stream_read(stream, data, room, &value, COVE_TRY);
        if (result == COVE_ERR_EMPTY || result == COVE_REMOVED) {
            if (fflush(stdout) != 0)
                return EXIT_NO_ROOM;
            if (result == COVE_REMOVED) {
                say("the stream was removed");
                return EXIT_NO;
            }
            if (w->until_closed && is_closed(stream, &had_writer))
                return EXIT_DONE;
            result = cove_stream_wait(stream, soon(w->until_closed ? cove_in_ms(20) : COVE_FOREVER));
            had_writer = had_writer || result == COVE_OK;
            if (result == COVE_ERR_EMPTY || result == COVE_OK || result == COVE_ERR_INTERRUPTED)
                continue;
        }
        if (result == COVE_REMOVED) {
            say("the stream was removed");
            return EXIT_NO;
        }
        if (result < 0)
            return failed();
        had_writer = true;
        if (!show(w, s, &value))
            return EXIT_NO_ROOM;
        seen++;
    }
    return EXIT_DONE;
}

int run_sub(int argc, char **argv) {
    static const struct option own[] = {{"follow", required_argument, NULL, 'f'}, {"since", required_argument, NULL, 's'},
                                        {"count", required_argument, NULL, 'c'},  {"raw", no_argument, NULL, 'r'},
                                        {"until-closed", no_argument, NULL, 'u'}, {0}};
    settings s;
    wish w = {.options = {.interruptible = true}};
    cove_stream *stream;
    cove_stream_info info;
    int status = read_options(argc, argv, own, take, &w, &s);
    if (status >= 0)
        return status;
    if (argc - optind != 1)
        return misused("sub", "sub needs one name");
    is_stopped();
    w.options.domain = s.domain;
    if (open_for_reading(&stream, argv[optind], w.options, s.has_timeout ? s.deadline_ns : COVE_FOREVER) != COVE_OK ||
        cove_stream_get_info(stream, &info) != COVE_OK)
        return is_stopped() ? EXIT_INTERRUPTED : failed();
    void *data = malloc(info.capacity_bytes ? (size_t)info.capacity_bytes : 1);
    if (!data) {
        say("no memory for a value of %" PRIu64 " bytes", info.capacity_bytes);
        status = EXIT_NO_ROOM;
    } else {
        status = follow(stream, &w, &s, data, info.capacity_bytes);
    }
    free(data);
    cove_stream_close(stream);
    return status;
}

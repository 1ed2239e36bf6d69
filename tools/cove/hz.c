/* cove hz */
#include "values.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct wish {
    uint64_t count;
    double window;
} wish;

static bool take(void *context, int option, const char *value) {
    wish *w = context;
    char *end;
    if (option == 'c') {
        return take_count(value, &w->count);
    }
    w->window = strtod(value, &end);
    if (end != value && !*end && w->window >= 0.01 && w->window <= 3600)
        return true;
    say("--window needs seconds, 0.01 to 3600, and '%s' is none", value);
    return false;
}

/* What has come in one window. Intervals are between values that follow each other, by their own times where the stream keeps them. */
typedef struct tally {
    uint64_t published, read, bytes, intervals;
    double sum, squares;
} tally;

static void add(tally *t, const cove_value *value, uint64_t *last_sequence, cove_time_ns *last_ns) {
    cove_time_ns now = value->time_ns ? value->time_ns : cove_now();
    uint64_t step = *last_sequence ? value->sequence - *last_sequence : 1;
    t->published += step;
    t->read++;
    t->bytes += value->length_bytes;
    if (*last_sequence && step == 1 && now >= *last_ns) {
        double interval = (double)(now - *last_ns);
        t->intervals++;
        t->sum += interval;
        t->squares += interval * interval;
    }
    *last_sequence = value->sequence;
    *last_ns = now;
}

static bool print(const tally *t, double seconds, bool json) {
    double rate = (double)t->published / seconds, mean = t->intervals ? t->sum / (double)t->intervals : 0;
    double variance = t->intervals ? t->squares / (double)t->intervals - mean * mean : 0;
    double jitter = variance > 0 ? sqrt(variance) : 0, bytes = t->read ? (double)t->bytes / (double)t->read * rate : 0;
    if (json) {
        json_t *o = json_pack("{s:f, s:f, s:f, s:f, s:I}", "rate_hz", rate, "interval_us", mean / 1000, "jitter_us", jitter / 1000,
                              "bytes_per_second", bytes, "values", (json_int_t)t->published);
        json_dumpf(o, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
        putchar('\n');
        json_decref(o);
    } else {
        printf("%s%12.1f%s Hz   interval %10.1f us   jitter %10.1f us   %9s/s\n", styled(BOLD), rate, styled(PLAIN), mean / 1000,
               jitter / 1000, size_text((uint64_t)bytes));
    }
    return fflush(stdout) == 0;
}

static int measure(cove_stream *stream, const wish *w, bool json, void *data, uint64_t room) {
    uint64_t last_sequence = 0;
    cove_time_ns last_ns = 0;
    for (uint64_t windows = 0; !w->count || windows < w->count; windows++) {
        tally t = {0};
        cove_time_ns began = cove_now(), end = began + (uint64_t)(w->window * 1e9);
        while (cove_now() < end) {
            cove_value value;
            if (is_stopped())
                return EXIT_INTERRUPTED;
            cove_result result = cove_stream_read(stream, data, room, &value, soon(end));
            if (result == COVE_OK || result == COVE_MISSED) {
                add(&t, &value, &last_sequence, &last_ns);
            } else if (result == COVE_REMOVED) {
                say("the stream was removed");
                return EXIT_NO;
            } else if (result != COVE_ERR_EMPTY && result != COVE_ERR_INTERRUPTED) {
                return failed();
            }
        }
        if (!print(&t, (double)(cove_now() - began) / 1e9, json))
            return EXIT_NO_ROOM;
    }
    return EXIT_DONE;
}

/* A queue is only looked at: who measures is not to take anybody's messages. */
static int measure_queue(const cove_object_info *first, const wish *w, const settings *s) {
    cove_object_info before = *first, now;
    cove_time_ns began = cove_now();
    for (uint64_t windows = 0; !w->count || windows < w->count; windows++) {
        sleep_until(began + (uint64_t)(w->window * 1e9));
        if (is_stopped())
            return EXIT_INTERRUPTED;
        if (cove_inspect_object(s->domain, first->name, &now) != COVE_OK || memcmp(now.id, first->id, sizeof now.id)) {
            say("the queue was removed");
            return EXIT_NO;
        }
        cove_time_ns ended = cove_now();
        rates r = rates_between(&before, &now, ended - began);
        if (s->json) {
            json_t *o = json_pack("{s:f, s:f, s:I, s:I}", "pushed_hz", r.pushed, "taken_hz", r.taken, "ready", (json_int_t)now.ready_count,
                                  "in_flight", (json_int_t)now.in_flight_count);
            json_dumpf(o, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
            putchar('\n');
            json_decref(o);
        } else {
            printf("%s%12.1f%s Hz pushed   %s%12.1f%s Hz taken   %8" PRIu64 " waiting   %6" PRIu64 " in flight\n", styled(BOLD), r.pushed,
                   styled(PLAIN), styled(BOLD), r.taken, styled(PLAIN), now.ready_count, now.in_flight_count);
        }
        if (fflush(stdout) != 0)
            return EXIT_NO_ROOM;
        before = now;
        began = ended;
    }
    return EXIT_DONE;
}

int run_hz(int argc, char **argv) {
    static const struct option own[] = {{"count", required_argument, NULL, 'c'}, {"window", required_argument, NULL, 'w'}, {0}};
    settings s;
    wish w = {.window = 1};
    cove_stream *stream;
    cove_stream_info info;
    int status = read_options(argc, argv, own, take, &w, &s);
    if (status >= 0)
        return status;
    if (argc - optind != 1)
        return misused("hz", "hz needs one name");
    is_stopped();
    cove_object_info object;
    if (cove_inspect_object(s.domain, argv[optind], &object) == COVE_OK && object.kind == COVE_KIND_QUEUE && object.state == COVE_OK)
        return measure_queue(&object, &w, &s);
    cove_stream_options options = {.domain = s.domain, .start = COVE_START_NEW, .interruptible = true};
    if (open_for_reading(&stream, argv[optind], options, s.has_timeout ? s.deadline_ns : COVE_FOREVER) != COVE_OK ||
        cove_stream_get_info(stream, &info) != COVE_OK)
        return is_stopped() ? EXIT_INTERRUPTED : failed();
    void *data = malloc(info.capacity_bytes ? (size_t)info.capacity_bytes : 1);
    if (!data) {
        say("no memory for a value of %" PRIu64 " bytes", info.capacity_bytes);
        status = EXIT_NO_ROOM;
    } else {
        status = measure(stream, &w, s.json, data, info.capacity_bytes);
    }
    free(data);
    cove_stream_close(stream);
    return status;
}

/* What the verbs of the command share: options, words, numbers, colours, JSON. */
#define _POSIX_C_SOURCE 200809L
#include "command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- Words. */

void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("cove: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

static const verb *find_verb(const char *name) {
    const verb *v = verbs;
    while (v->name && strcmp(v->name, name))
        v++;
    return v;
}

static void print_help(FILE *out, const char *verb_name) {
    const verb *v = find_verb(verb_name);
    fprintf(out, "usage: cove %s [options] %s\n%s\n\n%s%s", v->name, v->arguments, v->summary, v->options ? v->options : "",
            "  --domain DIR      the domain; without it $COVE_DOMAIN, else your own on the memory file system\n"
            "  --json            the same as JSON\n"
            "  --timeout SEC     wait so long at most, where there is anything to wait for (default 10)\n"
            "  --help            this\n");
}

int misused(const char *verb_name, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("cove: ", stderr);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\nusage: cove %s [options] %s\n", verb_name, find_verb(verb_name)->arguments);
    va_end(arguments);
    return EXIT_USAGE;
}

int exit_status(cove_result result) {
    switch (result) {
    case COVE_ERR_NOT_FOUND:
    case COVE_ERR_GONE: return EXIT_NO;
    case COVE_ERR_ARGUMENT:
    case COVE_ERR_NAME:
    case COVE_ERR_OPTION:
    case COVE_ERR_MODE: return EXIT_USAGE;
    case COVE_ERR_ACCESS:
    case COVE_ERR_OWNER:
    case COVE_ERR_DOMAIN:
    case COVE_ERR_NOT_OWNER: return EXIT_DENIED;
    case COVE_ERR_TIMEOUT: return EXIT_LATE;
    case COVE_ERR_SIZE:
    case COVE_ERR_SPACE:
    case COVE_ERR_MEMORY:
    case COVE_ERR_LIMIT: return EXIT_NO_ROOM;
    case COVE_ERR_EXISTS:
    case COVE_ERR_BUSY:
    case COVE_ERR_FULL:
    case COVE_ERR_EMPTY:
    case COVE_ERR_IN_USE: return EXIT_BUSY;
    case COVE_ERR_INTERRUPTED: return EXIT_INTERRUPTED;
    default: return result < 0 ? EXIT_UNFIT : EXIT_DONE;
    }
}

int failed(void) {
    const cove_error *error = cove_last_error();
    say("%s", error->sentence);
    if (error->result == COVE_ERR_DOMAIN && access(error->object, F_OK) != 0)
        return EXIT_NO; /* there is no such domain */
    return exit_status(error->result);
}

/* ---- Options. */

enum { OPTION_DOMAIN = 1000, OPTION_JSON, OPTION_TIMEOUT, OPTION_HELP };

static const struct option common[] = {
    {"domain", required_argument, NULL, OPTION_DOMAIN},
    {"json", no_argument, NULL, OPTION_JSON},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"help", no_argument, NULL, OPTION_HELP},
};
#define COMMON (sizeof common / sizeof *common)

static bool take_timeout(const char *text, settings *s) {
    char *end;
    errno = 0;
    double seconds = strtod(text, &end);
    if (end == text || *end || errno || !(seconds >= 0) || seconds > 1e9) {
        say("--timeout needs seconds, and '%s' is none", text);
        return false;
    }
    s->has_timeout = true;
    s->deadline_ns = seconds == 0 ? COVE_TRY : cove_in_ms((uint64_t)(seconds * 1000 + 0.5));
    return true;
}

int read_options(int argc, char **argv, const struct option *own, option_fn take, void *context, settings *out_settings) {
    struct option all[COMMON + 16] = {{0}};
    size_t count = COMMON;
    int option;
    *out_settings = (settings){.deadline_ns = cove_in_ms(10000)};
    memcpy(all, common, sizeof common);
    for (; own && own->name && count < sizeof all / sizeof *all - 1; own++)
        all[count++] = *own;
    optind = 1;
    while ((option = getopt_long(argc, argv, "", all, NULL)) != -1) {
        bool good = true;
        if (option == OPTION_DOMAIN)
            out_settings->domain = optarg;
        else if (option == OPTION_JSON)
            out_settings->json = true;
        else if (option == OPTION_TIMEOUT)
            good = take_timeout(optarg, out_settings);
        else if (option == OPTION_HELP) {
            print_help(stdout, argv[0]);
            return EXIT_DONE;
        } else if (option == '?') {
            fprintf(stderr, "see: cove %s --help\n", argv[0]);
            return EXIT_USAGE;
        } else
            good = take(context, option, optarg);
        if (!good)
            return EXIT_USAGE;
    }
    return -1;
}

/* ---- Numbers. */

bool parse_size(const char *text, uint64_t *out_bytes) {
    char *end;
    errno = 0;
    if (*text < '0' || *text > '9')
        return false;
    uint64_t value = strtoull(text, &end, 10);
    unsigned shift = *end == 'K' || *end == 'k' ? 10 : *end == 'M' || *end == 'm' ? 20 : *end == 'G' || *end == 'g' ? 30 : 0;
    if (shift)
        end++;
    if (errno || *end || value > UINT64_MAX >> shift)
        return false;
    *out_bytes = value << shift;
    return true;
}

bool take_count(const char *text, uint64_t *out_count) {
    char *end;
    *out_count = strtoull(text, &end, 10);
    if (end != text && !*end && *out_count)
        return true;
    say("--count needs a number above 0, and '%s' is none", text);
    return false;
}

bool parse_mode(const char *text, uint32_t *out_mode) {
    char *end;
    unsigned long value = strtoul(text, &end, 8);
    if (end == text || *end || value > 07777)
        return false;
    *out_mode = (uint32_t)value;
    return true;
}

bool parse_lifetime(const char *text, cove_lifetime *out_lifetime) {
    for (cove_lifetime l = COVE_WHILE_USED; l <= COVE_UNTIL_REMOVED; l++)
        if (!strcmp(text, cove_lifetime_name(l))) {
            *out_lifetime = l;
            return true;
        }
    return false;
}

static char *scratch(void) {
    static char buffers[8][512];
    static unsigned next;
    return buffers[next++ % 8];
}

const char *size_text(uint64_t bytes) {
    char *out = scratch();
    static const char units[] = " KMGTPE";
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1024; unit++)
        value /= 1024;
    if (unit)
        snprintf(out, 32, "%.1f%c", value, units[unit]);
    else
        snprintf(out, 32, "%.0f", value);
    return out;
}

static const char *seconds_text(int64_t seconds) {
    char *out = scratch();
    if (seconds < 0)
        seconds = 0;
    if (seconds < 120)
        snprintf(out, 32, "%" PRId64 "s", seconds);
    else if (seconds < 7200)
        snprintf(out, 32, "%" PRId64 "m", seconds / 60);
    else if (seconds < 172800)
        snprintf(out, 32, "%" PRId64 "h", seconds / 3600);
    else
        snprintf(out, 32, "%" PRId64 "d", seconds / 86400);
    return out;
}

const char *age_text(uint64_t unix_ns) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return seconds_text((int64_t)now.tv_sec - (int64_t)(unix_ns / 1000000000));
}

const char *duration_text(uint64_t ns) {
    char *out = scratch();
    if (ns >= UINT64_C(10000000000))
        return seconds_text((int64_t)(ns / 1000000000));
    if (ns >= 1000000000)
        snprintf(out, 32, "%.1fs", (double)ns / 1e9);
    else if (ns >= 1000000)
        snprintf(out, 32, "%.0fms", (double)ns / 1e6);
    else
        snprintf(out, 32, "%.0fus", (double)ns / 1e3);
    return out;
}

const char *state_text(cove_result state) {
    switch (state) {
    case COVE_OK: return "ok";
    case COVE_ERR_NOT_FOUND: return "dead";
    case COVE_ERR_FOREIGN: return "foreign";
    case COVE_ERR_DAMAGED: return "damaged";
    case COVE_ERR_TRUNCATED: return "truncated";
    case COVE_ERR_VERSION: return "other version";
    case COVE_ERR_ACCESS: return "no access";
    default: return cove_result_name(state);
    }
}

const char *safe_text(const char *text) {
    char *out = scratch();
    size_t i = 0;
    for (; text[i] && i < 511; i++)
        out[i] = (unsigned char)text[i] < 32 || (unsigned char)text[i] >= 127 ? '?' : text[i];
    out[i] = 0;
    return out;
}

const char *styled(style s) {
    static int on = -1;
    static const char *const codes[] = {"\033[0m", "\033[1m", "\033[2m", "\033[31m", "\033[32m", "\033[33m"};
    if (on < 0) {
        const char *refused = getenv("NO_COLOR"), *term = getenv("TERM");
        on = isatty(STDOUT_FILENO) && !(refused && *refused) && term && strcmp(term, "dumb") != 0;
    }
    return on ? codes[s] : "";
}

rates rates_between(const cove_object_info *before, const cove_object_info *now, uint64_t ns) {
    double seconds = (double)ns / 1e9;
    return (rates){(double)(now->newest_sequence - before->newest_sequence) / seconds,
                   (double)(now->delivered_count + now->dropped_count - before->delivered_count - before->dropped_count) / seconds};
}

/* ---- JSON. */

static json_t *hex_json(const uint8_t *bytes, size_t count) {
    char text[65];
    for (size_t i = 0; i < count && i < 32; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return json_string(text);
}

static void add_queue_json(json_t *o, const cove_object_info *info) {
    json_object_set_new(o, "holds", json_integer(info->holds));
    json_object_set_new(o, "ready", json_integer((json_int_t)info->ready_count));
    json_object_set_new(o, "in_flight", json_integer((json_int_t)info->in_flight_count));
    json_object_set_new(o, "pushed", json_integer((json_int_t)info->newest_sequence));
    json_object_set_new(o, "delivered", json_integer((json_int_t)info->delivered_count));
    json_object_set_new(o, "redelivered", json_integer((json_int_t)info->redelivered_count));
    json_object_set_new(o, "dropped", json_integer((json_int_t)info->dropped_count));
    json_object_set_new(o, "drops_oldest", json_boolean(info->drops_oldest));
    if (info->keeps_times)
        json_object_set_new(o, "oldest_age_ns", json_integer((json_int_t)info->oldest_age_ns));
    if (info->dead_letter[0]) {
        json_object_set_new(o, "dead_letter", json_string(safe_text(info->dead_letter)));
        json_object_set_new(o, "max_deliveries", json_integer(info->max_deliveries));
        json_object_set_new(o, "dead_letters", json_integer((json_int_t)info->dead_letter_count));
    }
    json_object_set_new(o, "producers", json_integer(info->writer_count));
    json_object_set_new(o, "consumers", json_integer(info->consumer_count));
    json_object_set_new(o, "only_producer", json_boolean(info->has_only_writer));
    json_object_set_new(o, "only_consumer", json_boolean(info->has_only_consumer));
}

json_t *object_json(const cove_object_info *info) {
    bool known = info->state == COVE_OK || info->state == COVE_ERR_NOT_FOUND;
    char text[32];
    json_t *name = json_string(info->name); /* null unless UTF-8 */
    json_t *o = json_pack("{s:o, s:s, s:I, s:I, s:i}", "name", name ? name : json_string(safe_text(info->name)), "state",
                          state_text(info->state), "file_bytes", (json_int_t)info->file_bytes, "allocated_bytes",
                          (json_int_t)info->allocated_bytes, "uid", (int)info->owner_uid);
    snprintf(text, sizeof text, "%04o", info->mode);
    json_object_set_new(o, "mode", json_string(text));
    if (!known)
        return o;
    json_object_set_new(o, "kind", json_string(cove_kind_name(info->kind)));
    json_object_set_new(o, "lifetime", json_string(cove_lifetime_name(info->lifetime)));
    json_object_set_new(o, "id", hex_json(info->id, sizeof info->id));
    snprintf(text, sizeof text, "%u.%u", info->layout_major, info->layout_minor);
    json_object_set_new(o, "layout", json_string(text));
    json_object_set_new(o, "creator_version", json_string(info->creator_version));
    json_object_set_new(o, "type", json_string(safe_text(info->type_name)));
    snprintf(text, sizeof text, "%016" PRIx64, info->schema_hash);
    json_object_set_new(o, "schema_hash", json_string(text));
    json_object_set_new(o, "created_unix_ns", json_integer((json_int_t)info->created_unix_ns));
    json_object_set_new(o, "created_before_boot", json_boolean(info->created_before_boot));
    json_object_set_new(o, "slots", json_integer(info->slot_count));
    json_object_set_new(o, "members", json_integer(info->live_count));
    json_object_set_new(o, "dead_members", json_integer(info->dead_count));
    json_object_set_new(o, "has_readers", json_boolean(info->has_readers));
    if (info->lifetime == COVE_WHILE_OWNED)
        json_object_set_new(o, "has_owner", json_boolean(info->has_owner));
    if (info->kind == COVE_KIND_BLOCK) {
        json_object_set_new(o, "capacity_bytes", json_integer((json_int_t)info->capacity_bytes));
        json_object_set_new(o, "length_bytes", json_integer((json_int_t)info->length_bytes));
        json_object_set_new(o, "version", json_integer((json_int_t)info->version));
        json_object_set_new(o, "single_copy", json_boolean(info->is_single_copy));
        json_object_set_new(o, "unrepaired", json_boolean(info->is_unrepaired));
    }
    if (info->kind == COVE_KIND_STREAM || info->kind == COVE_KIND_QUEUE) {
        json_object_set_new(o, "capacity_bytes", json_integer((json_int_t)info->capacity_bytes));
        json_object_set_new(o, "element_type", json_string(cove_type_label(info->type)));
        json_object_set_new(o, "element_bytes", json_integer(info->element_bytes));
        json_object_set_new(o, "depth", json_integer(info->depth));
        json_object_set_new(o, "loans", json_integer(info->loans));
        json_object_set_new(o, "newest_sequence", json_integer((json_int_t)info->newest_sequence));
        json_object_set_new(o, "times", json_boolean(info->keeps_times));
    }
    if (info->kind == COVE_KIND_STREAM) {
        json_object_set_new(o, "borrows", json_integer(info->borrows));
        json_object_set_new(o, "borrowed", json_integer(info->borrowed_count));
        json_object_set_new(o, "writers", json_integer(info->writer_count));
        json_object_set_new(o, "only_writer", json_boolean(info->has_only_writer));
    }
    if (info->kind == COVE_KIND_QUEUE)
        add_queue_json(o, info);
    return o;
}

void print_json(json_t *value) {
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    putchar('\n');
    json_decref(value);
}

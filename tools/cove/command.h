/* What the verbs of the command share. Each verb is one file with one function, listed in main.c. */
#ifndef COVE_COMMAND_H
#define COVE_COMMAND_H

#include <cove/cove.h>
#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    EXIT_DONE = 0,
    EXIT_NO = 1,
    EXIT_USAGE = 2,
    EXIT_DENIED = 3,
    EXIT_LATE = 4,
    EXIT_UNFIT = 5,
    EXIT_NO_ROOM = 6,
    EXIT_BUSY = 7,
    EXIT_INTERRUPTED = 130
};

/* What every verb understands. */
typedef struct settings {
    const char *domain; /* null: the default one */
    bool json;
    cove_time_ns deadline_ns;
    bool has_timeout; /* it was given, and is not the default */
} settings;

typedef struct verb {
    const char *name, *arguments, *summary, *options; /* for the help; `options` may be null */
    int (*run)(int argc, char **argv);
} verb;
extern const verb verbs[];

int run_ls(int argc, char **argv);
int run_stat(int argc, char **argv);
int run_get(int argc, char **argv);
int run_set(int argc, char **argv);
int run_pub(int argc, char **argv);
int run_sub(int argc, char **argv);
int run_hz(int argc, char **argv);
int run_push(int argc, char **argv);
int run_pop(int argc, char **argv);
int run_rm(int argc, char **argv);
int run_gc(int argc, char **argv);
int run_doctor(int argc, char **argv);
int run_domain(int argc, char **argv);
int run_version(int argc, char **argv);

/* Takes one option of the verb's own; `value` is null where it has none. False: a wrong value, and it has been told. */
typedef bool (*option_fn)(void *context, int option, const char *value);

/* Reads the options of a verb. `own` ends with a zero entry, its `val`s are passed to `take`. Returns -1 to go on, with the
 * arguments from optind; else the exit status. */
int read_options(int argc, char **argv, const struct option *own, option_fn take, void *context, settings *out_settings);

/* Words to stderr, after "cove: ". */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Says that the verb was called wrongly, and how to call it. Returns EXIT_USAGE. */
int misused(const char *verb_name, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Says cove_last_error() and returns its exit status. */
int failed(void);
int exit_status(cove_result result);

/* Sizes like 4096, 64K, 8M, 2G (powers of 1024); modes like 0640; "while-used" and so on. */
bool parse_size(const char *text, uint64_t *out_bytes);
bool parse_mode(const char *text, uint32_t *out_mode);
/* Of --count: above 0; else it has been told. */
bool take_count(const char *text, uint64_t *out_count);
bool parse_lifetime(const char *text, cove_lifetime *out_lifetime);

/* "64.0K"; the returned string is one of a few that are reused. */
const char *size_text(uint64_t bytes);
/* "3m", "2d"; how long ago. */
const char *age_text(uint64_t unix_ns);
/* "12ms", "3.0s", "5m". */
const char *duration_text(uint64_t ns);
/* "ok", "dead", "foreign", … */
const char *state_text(cove_result state);
/* A file name as it may be shown: bytes that a terminal would act on are '?'. */
const char *safe_text(const char *text);

/* Escape sequences on a terminal, empty strings elsewhere. */
typedef enum style { PLAIN, BOLD, DIM, RED, GREEN, YELLOW } style;
const char *styled(style s);

/* How quickly messages came and went between two looks at a queue. */
typedef struct rates {
    double pushed, taken; /* a second */
} rates;
rates rates_between(const cove_object_info *before, const cove_object_info *now, uint64_t ns);

json_t *object_json(const cove_object_info *info);
void print_json(json_t *value); /* and frees it */

#endif

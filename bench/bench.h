/* What every benchmark has: rounds that take turns, and figures.
 *
 * A figure is compared with its baseline in the same run: one short round of the one, one of the other, again and again; each
 * side's fastest round counts, because what a busy machine adds is never negative. Times mean little on another machine; ratios
 * do. */
#ifndef COVE_BENCH_H
#define COVE_BENCH_H

#include <cove/cove.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __cplusplus
extern "C" {
#endif

extern bool bench_is_quick;
extern const char *bench_ways;   /* of the peers, only these; null: all */
extern const char *bench_domain; /* a domain of the benchmark's own, the default one meanwhile */

/* One thing to time: does it `count` times. */
typedef void (*bench_fn)(void *context, uint64_t count);

typedef struct contestant {
    bench_fn run;
    void *context;
    double best_ns; /* for one */
} contestant;

/* Runs both in turns (the second may be null); `count` is for one round of about a millisecond or more. */
void bench_compare(contestant *one, contestant *other, uint64_t count);

/* Prints a figure and keeps it for the JSON. `baseline` 0: none. The goal is an upper bound of the ratio, or without a baseline
 * of the value; 0: none. */
void bench_figure(const char *name, double value, const char *unit, double baseline, double goal);
void bench_title(const char *text);
double bench_cpu_ns(void); /* processor time of this process */
uint64_t bench_now_ns(void);
/* The first and the second processor that this process may use, apart from each other where they are more than two threads of one core. */
int bench_processor(int which);
void bench_pin(int processor);
/* Says it, and the program ends with status 1 when it is through. */
__attribute__((format(printf, 1, 2))) void bench_fail(const char *format, ...);

/* Keeps what is more than a figure, for the JSON; takes it over. */
void bench_record(json_t *record);
/* What this machine is. */
json_t *bench_machine(void);

void bench_block(void);
void bench_stream(void);
void bench_queue(void);
void bench_compat(void);
void bench_peers(void);
void bench_costs(void);
void bench_growth(void);

#ifdef __cplusplus
}
#endif

#define MUST(call) \
    do { \
        if ((call) != COVE_OK) { \
            fprintf(stderr, "bench: %s\n", cove_last_error()->sentence); \
            exit(1); \
        } \
    } while (0)

#endif

/* cove-bench NAME... [--quick] [--json FILE] [--ways NAME,NAME...] */
#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

bool bench_is_quick;
const char *bench_ways;
const char *bench_domain;
static json_t *figures, *records;
static bool has_failed;

static const struct {
    const char *name;
    void (*run)(void);
} benches[] = {{"block", bench_block}, {"stream", bench_stream}, {"queue", bench_queue},  {"compat", bench_compat},
               {"peers", bench_peers}, {"costs", bench_costs},   {"growth", bench_growth}};

void bench_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "bench: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    has_failed = true;
}

double bench_cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

uint64_t bench_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void one_round(contestant *c, uint64_t count) {
    uint64_t began = bench_now_ns();
    c->run(c->context, count);
    double each = (double)(bench_now_ns() - began) / (double)count;
    if (c->best_ns == 0 || each < c->best_ns)
        c->best_ns = each;
}

void bench_compare(contestant *one, contestant *other, uint64_t count) {
    int rounds = bench_is_quick ? 15 : 60;
    one->run(one->context, count / 10 + 1);
    if (other)
        other->run(other->context, count / 10 + 1);
    for (int i = 0; i < rounds; i++) {
        one_round(one, count);
        if (other)
            one_round(other, count);
    }
}

void bench_title(const char *text) {
    printf("\n%s\n%-52s %12s %-5s %12s %7s %7s\n", text, "", "value", "unit", "baseline", "ratio", "goal");
}

void bench_figure(const char *name, double value, const char *unit, double baseline, double goal) {
    double ratio = baseline > 0 ? value / baseline : 0;
    bool met = goal <= 0 || (baseline > 0 ? ratio : value) <= goal;
    char base[32] = "-", text[32] = "-", bound[32] = "-";
    if (baseline > 0) {
        snprintf(base, sizeof base, "%.1f", baseline);
        snprintf(text, sizeof text, "%.2f", ratio);
    }
    if (goal > 0)
        snprintf(bound, sizeof bound, "%.2f", goal);
    printf("%-52s %12.1f %-5s %12s %7s %7s  %s\n", name, value, unit, base, text, bound, goal <= 0 ? "" : met ? "met" : "NOT MET");
    fflush(stdout);
    json_array_append_new(figures, json_pack("{s:s, s:f, s:s, s:o, s:o, s:o, s:o}", "name", name, "value", value, "unit", unit, "baseline",
                                             baseline > 0 ? json_real(baseline) : json_null(), "ratio",
                                             baseline > 0 ? json_real(ratio) : json_null(), "goal",
                                             goal > 0 ? json_real(goal) : json_null(), "met", goal > 0 ? json_boolean(met) : json_null()));
}

void bench_record(json_t *record) {
    json_array_append_new(records, record);
}

/* However it ends. */
static void remove_domain(void) {
    rmdir(bench_domain);
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"quick", no_argument, NULL, 'q'}, {"json", required_argument, NULL, 'j'}, {"ways", required_argument, NULL, 'w'}, {0}};
    const char *json_path = NULL;
    static char domain[64];
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'q')
            bench_is_quick = true;
        else if (option == 'j')
            json_path = optarg;
        else if (option == 'w')
            bench_ways = optarg;
        else
            return 2;
    }
    figures = json_array();
    records = json_array();
    snprintf(domain, sizeof domain, "/dev/shm/cove-bench-%d", getpid());
    MUST(cove_domain_create(domain, 0600));
    setenv("COVE_DOMAIN", domain, 1);
    bench_domain = domain;
    atexit(remove_domain);
    int status = optind < argc ? 0 : 2;
    for (int i = optind; i < argc; i++) {
        size_t b = 0;
        while (b < sizeof benches / sizeof *benches && strcmp(benches[b].name, argv[i]))
            b++;
        if (b == sizeof benches / sizeof *benches) {
            fprintf(stderr, "bench: there is no benchmark '%s'\n", argv[i]);
            status = 2;
        } else {
            benches[b].run();
        }
    }
    if (optind == argc)
        fprintf(stderr, "usage: cove-bench NAME... [--quick] [--json FILE]\nnames: block stream queue compat peers costs growth\n");
    json_t *result = json_pack("{s:o, s:o, s:o}", "machine", bench_machine(), "figures", figures, "records", records);
    if (json_path && json_dump_file(result, json_path, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) != 0) {
        fprintf(stderr, "bench: %s cannot be written\n", json_path);
        status = 1;
    }
    json_decref(result);
    if (rmdir(domain) != 0)
        bench_fail("%s is left behind: %s", domain, strerror(errno));
    return has_failed && !status ? 1 : status;
}

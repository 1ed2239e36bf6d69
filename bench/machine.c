/* What machine this is: a figure means little without it. */
#define _GNU_SOURCE
#include "bench.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* The first line of a file, behind `after` if that is not empty; or what stands for nothing. */
static json_t *line_of(const char *path, const char *after) {
    char line[4096];
    FILE *file = fopen(path, "r");
    json_t *found = NULL;
    while (file && !found && fgets(line, sizeof line, file)) {
        char *at = strstr(line, after);
        if (!at)
            continue;
        line[strcspn(line, "\n")] = 0;
        at += strlen(after);
        found = json_string(at + strspn(at, "\t :"));
    }
    if (file)
        fclose(file);
    return found ? found : json_string("not told");
}

static bool has_flag(const char *flag) {
    json_t *flags = line_of("/proc/cpuinfo", "flags");
    bool has = strstr(json_string_value(flags), flag) != NULL;
    json_decref(flags);
    return has;
}

/* Those that may be used; the second in another core than the first, if there is one. */
int bench_processor(int which) {
    static int chosen[2] = {-1, -1};
    cpu_set_t set;
    char path[96];
    if (chosen[0] >= 0)
        return chosen[which];
    if (sched_getaffinity(0, sizeof set, &set) != 0 || CPU_COUNT(&set) < 2) {
        fprintf(stderr, "bench: needs two processors\n");
        exit(1);
    }
    json_t *siblings = NULL;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &set))
            continue;
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
        json_t *these = line_of(path, "");
        if (chosen[0] < 0) {
            chosen[0] = cpu;
            siblings = these;
            continue;
        }
        bool is_apart = strcmp(json_string_value(these), json_string_value(siblings)) != 0;
        if (chosen[1] < 0 || is_apart)
            chosen[1] = cpu;
        json_decref(these);
        if (is_apart)
            break;
    }
    json_decref(siblings);
    return chosen[which];
}

void bench_pin(int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        perror("bench: sched_setaffinity");
        exit(1);
    }
}

json_t *bench_machine(void) {
    struct utsname system;
    char day[32];
    time_t now = time(NULL);
    uname(&system);
    strftime(day, sizeof day, "%Y-%m-%d", gmtime(&now));
    return json_pack("{s:o, s:i, s:b, s:s, s:s, s:o, s:o, s:o, s:s, s:s, s:b}", "cpu", line_of("/proc/cpuinfo", "model name"), "cpus",
                     (int)sysconf(_SC_NPROCESSORS_ONLN), "virtual", has_flag("hypervisor"), "kernel", system.release, "architecture",
                     system.machine, "governor", line_of("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", ""), "clocksource",
                     line_of("/sys/devices/system/clocksource/clocksource0/current_clocksource", ""), "huge_pages_of_shm",
                     line_of("/sys/kernel/mm/transparent_hugepage/shmem_enabled", ""), "compiler", __VERSION__, "day", day, "quick",
                     bench_is_quick);
}

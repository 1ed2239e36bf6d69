/* What machine this is: a figure means little without it. */
#define _GNU_SOURCE
#include "bench.h"

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

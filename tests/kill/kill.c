/* cove-kill [--only NAME] [--except NAME] [--stride N] [--mode kill|stop|waiter|again] [--first]: kills a process at every instruction of every operation. */
#include "tests/kill/kill.h"

#include "tests/kill/step.h"

#include <dirent.h>
#include <getopt.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

const char *kill_domain;
static step_trace *trace, *heirs_trace;
static scene *shared;
static bool stops_at_first; /* wrong thing */

typedef enum mode { KILL, STOP, WAITER, AGAIN } mode;
static const char *const mode_names[] = {"kill", "stop", "waiter", "again"};

typedef struct tally {
    size_t points, missed, count[WRONGS];
    const char *first_why;
    size_t first_at;
} tally;

/* A pid of -1 would be everybody's, to be killed. */
static pid_t must_fork(void) {
    pid_t pid = fork();
    if (pid < 0) {
        perror("kill: fork");
        exit(1);
    }
    return pid;
}

static void *map_shared(size_t bytes) {
    void *address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (address == MAP_FAILED)
        exit(1);
    return address;
}

static const subject *of; /* the operation that is on */

/* The state before the operation: a survivor with a value, unless the child is to be alone. */
static void set_the_scene(const operation *o) {
    memset(shared, 0, sizeof *shared);
    shared->flags = o->flags;
    shared->lifetime = o->lifetime;
    of->arrange(shared, o);
    if (o->prepare)
        o->prepare(shared);
}

/* The segment as the child has it mapped, or inherited it: the first mapping of a file of the domain that may be written. */
static void watch_segment(void) {
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps)) {
        uintptr_t from, to;
        char access[5];
        if (strstr(line, kill_domain) && sscanf(line, "%zx-%zx %4s", &from, &to, access) == 3 && !strcmp(access, "rw-s")) {
            step_watch((const void *)from, to - from);
            break;
        }
    }
    if (maps)
        fclose(maps);
}

/* The child: does the operation under the eyes of step.c. Ends with 0 when it got through. */
static void be_the_child(const operation *o, bool records) {
    if (o->open)
        o->open(shared);
    if (records)
        watch_segment();
    shared->deadline_ns = cove_in_ms(10000);
    shared->soon_ns = cove_in_ms(2);
    step_begin();
    o->run(shared);
    step_end();
    shared->finished = true;
    _exit(0);
}

static bool record(const operation *o) {
    int status;
    set_the_scene(o);
    pid_t pid = must_fork();
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        step_record(trace);
        be_the_child(o, true);
    }
    waitpid(pid, &status, 0);
    const char *why;
    wrong w = of->survive(o, shared, &why);
    if (status || w != FINE || shared->result < 0) {
        fprintf(stderr, "kill: %s does not work even without a death: status %x, %s %s\n", o->name, status,
                cove_result_name(shared->result), why);
        return false;
    }
    return true;
}

/* How often instruction k's address has been passed when it comes to it. */
static uint32_t occurrence_of(const step_trace *t, size_t k) {
    uint32_t occurrence = 0;
    for (size_t i = 0; i <= k; i++)
        occurrence += t->address[i] == t->address[k];
    return occurrence;
}

static pid_t start_child(const operation *o, size_t k, int signal_number) {
    uint32_t occurrence = occurrence_of(trace, k);
    pid_t pid = must_fork();
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(20);
        if (!step_act_at(trace->address[k], occurrence, signal_number))
            _exit(98);
        be_the_child(o, false);
    }
    return pid;
}

static void count(tally *t, wrong w, size_t k, const char *why) {
    t->count[w]++;
    if (w != FINE && !t->first_why) {
        t->first_why = strdup(why);
        t->first_at = k;
    }
}

static void kill_at(const operation *o, size_t k, tally *t) {
    const char *why;
    int status = 0;
    set_the_scene(o);
    waitpid(start_child(o, k, SIGKILL), &status, 0);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        t->points++;
    else if (WIFSIGNALED(status))
        count(t, HUNG, k, "it crashed, or did not end");
    else
        t->missed++; /* it took another way this time, or the place was the kernel's page */
    wrong w = of->survive(o, shared, &why);
    count(t, w, k, why);
}

/* Stopped, looked at, and gone on: nobody takes it for dead, and it ends as if nothing had been. */
static void stop_at(const operation *o, size_t k, tally *t) {
    const char *why = "";
    int status;
    wrong w = FINE;
    set_the_scene(o);
    pid_t pid = start_child(o, k, SIGSTOP);
    waitpid(pid, &status, WUNTRACED);
    if (!WIFSTOPPED(status)) {
        t->missed++;
    } else {
        t->points++;
        w = of->look(o, shared, &why);
        kill(pid, SIGCONT);
        waitpid(pid, &status, 0);
        if (status || !shared->finished)
            w = HUNG, why = "the stopped process did not go on";
        else if (shared->result < 0 && w == FINE)
            w = LOST, why = cove_result_name(shared->result);
    }
    const char *later;
    wrong then = of->survive(o, shared, &later);
    count(t, w != FINE ? w : then, k, w != FINE ? why : later);
}

/* Somebody sleeps at the lock when its holder is killed. */
static void kill_at_under_a_waiter(const operation *o, size_t k, tally *t) {
    const char *why;
    int status, waiter_status;
    set_the_scene(o);
    pid_t pid = start_child(o, k, SIGSTOP);
    waitpid(pid, &status, WUNTRACED);
    pid_t waiter = must_fork();
    if (!waiter) {
        alarm(10);
        _exit(of->wait(shared));
    }
    if (WIFSTOPPED(status)) {
        usleep(1500);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        t->points++;
    } else {
        t->missed++;
    }
    waitpid(waiter, &waiter_status, 0);
    if (waiter_status)
        count(t, HUNG, k, "the waiter did not get what it waited for");
    wrong w = of->survive(o, shared, &why);
    count(t, w, k, why);
}

/* ---- Killed again: who goes on after a death dies too, at every place where what others see has changed, his or the first one's. */

static struct meeting { sem_t ready, go; } * meeting;

#define NEVER SIZE_MAX /* j: the heir lives to the end, and is recorded */

static pid_t start_heir(const heir *h, size_t j) {
    pid_t pid = must_fork();
    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(20);
    if (h->open)
        h->open(shared);
    if (j == NEVER)
        step_record(heirs_trace);
    else if (!step_act_at(heirs_trace->address[j], occurrence_of(heirs_trace, j), SIGKILL))
        _exit(98);
    sem_post(&meeting->ready);
    while (sem_wait(&meeting->go))
        ;
    if (j == NEVER)
        watch_segment();
    shared->deadline_ns = cove_in_ms(10000);
    step_begin();
    h->run(shared);
    step_end();
    _exit(shared->result < 0 ? 1 : 0);
}

static void kill_both(const operation *o, size_t k, const heir *h, size_t j, tally *t) {
    const char *why;
    int status, heirs_status;
    set_the_scene(o);
    pid_t pid = start_heir(h, j);
    while (sem_wait(&meeting->ready))
        ;
    waitpid(start_child(o, k, SIGKILL), &status, 0);
    shared->has_heir = true;
    sem_post(&meeting->go);
    waitpid(pid, &heirs_status, 0);
    if (j == NEVER && heirs_status)
        count(t, HUNG, k, "who goes on after the death cannot");
    if (j != NEVER && WIFSIGNALED(heirs_status) && WTERMSIG(heirs_status) == SIGKILL)
        t->points++;
    else if (j != NEVER)
        t->missed++;
    wrong w = of->survive(o, shared, &why);
    count(t, w, k, why);
}

static void kill_again(const operation *o, size_t stride, tally *t) {
    static size_t turn; /* over all operations: a few of each with a stride, and not the first of each */
    const heir *heirs[] = {o->alone ? NULL : &of->attached, &of->newcomer};
    for (size_t k = 1; k < trace->count; k++) {
        if (!trace->is_new[k] || turn++ % stride)
            continue;
        for (int i = 0; i < 2; i++) {
            if (!heirs[i])
                continue;
            kill_both(o, k, heirs[i], NEVER, t);
            for (size_t j = 1; j < heirs_trace->count; j++)
                if (heirs_trace->is_new[j])
                    kill_both(o, k, heirs[i], j, t);
            if (stops_at_first && t->first_why)
                return;
        }
    }
}

static void run(const operation *o, mode m, size_t stride, tally *total) {
    static void (*const at[])(const operation *, size_t, tally *) = {kill_at, stop_at, kill_at_under_a_waiter};
    tally t = {0};
    if (!record(o)) {
        total->count[HUNG]++;
        total->first_why = "it does not work even without a death";
        return;
    }
    size_t first = stride > 1 ? (size_t)getpid() % stride : 0;
    if (m == AGAIN)
        kill_again(o, stride, &t);
    for (size_t k = first; m != AGAIN && k < trace->count; k += stride) {
        at[m](o, k, &t);
        if (stops_at_first && t.first_why)
            break;
    }
    printf("%-38s %-6s %7zu %7zu %6zu %6zu %6zu %6zu %6zu%s%s\n", o->name, mode_names[m], trace->count, t.points, t.missed, t.count[HUNG],
           t.count[TORN], t.count[LOST], t.count[LEAKED], t.first_why ? "  first: " : "", t.first_why ? t.first_why : "");
    if (t.first_why)
        printf("%-38s at instruction %zu, address 0x%zx\n", "", t.first_at, (size_t)trace->address[t.first_at]);
    fflush(stdout);
    total->first_why = total->first_why ? total->first_why : t.first_why;
    total->points += t.points;
    total->missed += t.missed;
    for (int w = 0; w < WRONGS; w++)
        total->count[w] += t.count[w];
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"only", required_argument, NULL, 'o'},   {"except", required_argument, NULL, 'e'},
                                            {"stride", required_argument, NULL, 's'}, {"mode", required_argument, NULL, 'm'},
                                            {"first", no_argument, NULL, 'f'},        {0}};
    const char *only = "", *except = NULL, *wanted_mode = NULL;
    size_t stride = 1;
    tally total = {0};
    static char domain[64];
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'o')
            only = optarg;
        else if (option == 'e')
            except = optarg;
        else if (option == 's')
            stride = strtoull(optarg, NULL, 10);
        else if (option == 'f')
            stops_at_first = true;
        else if (option == 'm')
            wanted_mode = optarg;
        else
            return 2;
    }
    if (stride < 1)
        return 2;
    snprintf(domain, sizeof domain, "/dev/shm/cove-kill-%d", getpid());
    if (cove_domain_create(domain, 0600) != COVE_OK)
        return 1;
    setenv("COVE_DOMAIN", domain, 1);
    kill_domain = domain;
    trace = map_shared(sizeof *trace);
    heirs_trace = map_shared(sizeof *heirs_trace);
    meeting = map_shared(sizeof *meeting);
    if (sem_init(&meeting->ready, 1, 0) || sem_init(&meeting->go, 1, 0))
        return 1;
    shared = map_shared(sizeof *shared);
    printf("%-38s %-6s %7s %7s %6s %6s %6s %6s %6s\n", "operation", "mode", "length", "points", "missed", "hung", "torn", "lost", "leaked");
    static const struct {
        const subject *of;
        const operation *operations;
    } all[] = {{&blocks, block_operations}, {&streams, stream_operations}, {&queues, queue_operations}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (const operation *o = all[i].operations; o->name; o++)
            for (mode m = KILL; m <= AGAIN; m++) {
                if ((stops_at_first && total.first_why) || !strstr(o->name, only) || (except && strstr(o->name, except)) ||
                    (wanted_mode && strcmp(mode_names[m], wanted_mode)) || (m == STOP && !o->for_stops) ||
                    (m == WAITER && !o->for_waiters) || (m == AGAIN && o->more & SURVIVOR_HOLDS))
                    continue;
                of = all[i].of;
                run(o, m, stride, &total);
            }
    rmdir(domain);
    if (!total.points)
        fprintf(stderr, "kill: no point of any operation was reached; is there an operation of this name?\n");
    printf("kill points %zu, hung %zu, torn %zu, lost %zu, leaked %zu\n", total.points, total.count[HUNG], total.count[TORN],
           total.count[LOST], total.count[LEAKED]);
    return total.count[HUNG] + total.count[TORN] + total.count[LOST] + total.count[LEAKED] || !total.points ? 1 : 0;
}

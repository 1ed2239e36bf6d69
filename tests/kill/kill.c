/* Kills a process at every instruction of every operation.
 * cove-kill [--only PART_OF_NAME | --exactly NAME] [--except NAME] [--stride N] [--mode kill|stop|waiter|again] [--first]
 * cove-kill --places FILE: kills nobody, and writes down where it would. */
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
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
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

/* A survivor that does not come back is found by nobody else. */
#define PATIENCE_S 60
static void on_alarm(int number) {
    static const char text[] = "kill: a survivor has hung for a minute\n";
    (void)number;
    if (write(STDERR_FILENO, text, sizeof text - 1))
        _exit(1);
    _exit(1);
}

/* A pid of -1 would be everybody's, to be killed. */
static pid_t must_fork(void) {
    pid_t pid = fork();
    if (pid < 0) {
        perror("kill: fork");
        exit(1);
    }
    if (!pid)
        signal(SIGALRM, SIG_DFL);
    return pid;
}

/* The library's clock, as it is linked here. */
static time_t seconds_ahead;
int clock_gettime(clockid_t clock, struct timespec *out) {
    long result = syscall(SYS_clock_gettime, clock, out);
    out->tv_sec += seconds_ahead;
    return (int)result;
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
    seconds_ahead = o->is_later;
    shared->deadline_ns = cove_in_ms(10000);
    shared->soon_ns = cove_in_ms(2);
    shared->later_ns = cove_in_ms(12);
    step_begin();
    o->run(shared);
    step_end();
    if (shared->result >= 0 && shared->read_bytes && value_of(shared->read, shared->read_bytes) < 0)
        shared->result = COVE_ERR_DAMAGED;
    shared->finished = true;
    _exit(0);
}

/* What survivors find. An operation that got through, and said so, with nobody beside it, must have done what it says. */
static wrong survive(const operation *o, const char **out_why) {
    bool was_done =
        !shared->finished || shared->result < 0 || shared->looked || shared->has_heir || shared->waits || !o->is_done || o->is_done(shared);
    wrong w = of->survive(o, shared, out_why);
    return w == FINE && !was_done ? fail_why(LOST, out_why, "the operation says that it is done, and it is not") : w;
}

static struct {
    char *page;
    void (*act)(scene *s);
    scene *of;
} touchy;

static void on_touch(int number, siginfo_t *info, void *context) {
    (void)context;
    if ((uintptr_t)info->si_addr - (uintptr_t)touchy.page >= 4096) { /* a crash; the same again kills */
        signal(number, SIG_DFL);
        return;
    }
    step_pause();
    if (mprotect(touchy.page, 4096, PROT_READ | PROT_WRITE) != 0)
        _exit(1);
    touchy.act(touchy.of);
    step_resume();
}

char *touchy_memory(scene *s, void (*act)(scene *s)) {
    struct sigaction action = {.sa_sigaction = on_touch, .sa_flags = SA_SIGINFO};
    touchy.page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    touchy.act = act;
    touchy.of = s;
    if (touchy.page == MAP_FAILED || sigaction(SIGSEGV, &action, NULL) != 0)
        kill_die("memory");
    return touchy.page;
}

/* Once for the parent, whose children inherit what it knows; once for the record. */
static bool record(const operation *o) {
    int status;
    const char *why;
    set_the_scene(o);
    of->survive(o, shared, &why);
    set_the_scene(o);
    pid_t pid = must_fork();
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        step_record(trace);
        be_the_child(o, true);
    }
    waitpid(pid, &status, 0);
    wrong w = survive(o, &why);
    if (trace->count == STEP_MOST)
        w = HUNG, why = "it has more instructions than can be recorded";
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

#define OUT_OF_REACH 98 /* how a child ends that cannot have its breakpoint */

static pid_t start_child(const operation *o, size_t k, int signal_number) {
    uint32_t occurrence = occurrence_of(trace, k);
    pid_t pid = must_fork();
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(20);
        if (!step_act_at(trace->address[k], occurrence, signal_number))
            _exit(OUT_OF_REACH);
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

/* A child that ends before it comes to the place took another way this time (which file a sweep looks at is left to chance): then once more. */
#define TRIES 4

/* Whether that was the last attempt. Counts the place as reached or missed. */
static bool is_reached(tally *t, const operation *o, int status, bool reached, int attempt) {
    if (reached)
        t->points++;
    else if (attempt + 1 < (o->varies ? 1 : TRIES) && WIFEXITED(status))
        return false;
    else
        t->missed++;
    return true;
}

static void kill_at(const operation *o, size_t k, tally *t) {
    const char *why;
    for (int attempt = 0, over = 0; !over; attempt++) {
        int status = 0;
        set_the_scene(o);
        waitpid(start_child(o, k, SIGKILL), &status, 0);
        bool reached = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        over = is_reached(t, o, status, reached, attempt);
        if (WIFSIGNALED(status) && !reached)
            count(t, HUNG, k, "it crashed, or did not end");
        else if (!reached && over && WEXITSTATUS(status))
            count(t, HUNG, k, "it could not begin");
        wrong w = survive(o, &why);
        count(t, w, k, why);
    }
}

/* Stopped, looked at, and gone on: nobody takes it for dead, and it ends as if nothing had been. */
static void stop_at(const operation *o, size_t k, tally *t) {
    for (int attempt = 0, over = 0; !over; attempt++) {
        const char *why = "";
        int status;
        wrong w = FINE;
        set_the_scene(o);
        pid_t pid = start_child(o, k, SIGSTOP);
        waitpid(pid, &status, WUNTRACED);
        over = is_reached(t, o, status, WIFSTOPPED(status), attempt);
        if (WIFSTOPPED(status)) {
            shared->is_new = trace->is_new[k];
            w = of->look(o, shared, &why);
            if (w != FINE)
                count(t, w, k, why);
            kill(pid, SIGCONT);
            waitpid(pid, &status, 0);
            if (status || !shared->finished)
                count(t, HUNG, k, "the stopped process did not go on");
            else if (shared->result < 0 && !(o->alone && (shared->result == COVE_ERR_EXISTS || shared->result == COVE_ERR_BUSY)))
                count(t, shared->result == COVE_ERR_DAMAGED ? TORN : LOST, k, cove_result_name(shared->result));
        }
        w = survive(o, &why);
        count(t, w, k, why);
    }
}

/* Asleep, or over. It may sleep for a while before it waits (beside who is stopped), but while it runs, on a busy machine, it has not begun:
 * then what it waits for must not come yet. */
static void let_it_sleep(pid_t pid) {
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    for (int tries = 0, sleeps = 0; sleeps < 200 && tries < 50000; tries++, usleep(100)) {
        FILE *stat = fopen(path, "r");
        const char *state = stat && fgets(line, sizeof line, stat) ? strrchr(line, ')') : NULL;
        bool is_quiet = !state || strchr("ZX", state[2]) || (state[2] == 'S' && shared->waits);
        sleeps += state && state[2] == 'S';
        if (stat)
            fclose(stat);
        if (is_quiet)
            return;
    }
}

/* Somebody sleeps beside it when it is killed, and must get what it waits for, in time. */
static void kill_at_under_a_waiter(const operation *o, size_t k, tally *t) {
    const char *why;
    for (int attempt = 0, over = 0; !over; attempt++) {
        int status, waiter_status;
        set_the_scene(o);
        pid_t pid = start_child(o, k, SIGSTOP);
        waitpid(pid, &status, WUNTRACED);
        pid_t waiter = must_fork();
        if (!waiter) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            alarm(10);
            _exit(of->wait(o, shared, (unsigned)k));
        }
        over = is_reached(t, o, status, WIFSTOPPED(status), attempt);
        let_it_sleep(waiter);
        if (WIFSTOPPED(status)) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
        }
        if (of->feed)
            of->feed(shared);
        waitpid(waiter, &waiter_status, 0);
        bool is_late = WIFEXITED(waiter_status) && WEXITSTATUS(waiter_status) == 2;
        if (is_late && attempt < 2) /* on a busy machine once in a while; what is late by its nature is late again */
            over = false;
        else if (waiter_status)
            count(t, HUNG, k, is_late ? "the waiter waited too long" : "the waiter did not get what it waited for");
        wrong w = survive(o, &why);
        count(t, w, k, why);
    }
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
        _exit(OUT_OF_REACH);
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
    wrong w = survive(o, &why);
    count(t, w, k, why);
}

static void kill_again(const operation *o, size_t stride, tally *t) {
    static size_t turn; /* over all operations: a few of each with a stride, and not the first of each */
    const heir *heirs[] = {o->alone ? NULL : &of->attached, &of->newcomer};
    for (size_t k = 1; k < trace->count; k++) {
        if (!trace->is_new[k] || turn++ % stride)
            continue;
        alarm(10 * PATIENCE_S);
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

/* The place of every instruction that is stepped through, counted from the beginning of the program: for reached.py. */
static void write_places(const operation *o, FILE *out) {
    extern const char __executable_start[];
    if (!record(o))
        exit(1);
    for (size_t k = 0; k < trace->count; k++)
        fprintf(out, "0x%zx\n", (size_t)(trace->address[k] - (uintptr_t)__executable_start));
}

static void run(const operation *o, mode m, size_t stride, tally *total) {
    static void (*const at[])(const operation *, size_t, tally *) = {kill_at, stop_at, kill_at_under_a_waiter};
    static size_t turn; /* with a stride: begins elsewhere in each operation */
    tally t = {0};
    alarm(PATIENCE_S);
    if (!record(o)) {
        total->count[HUNG]++;
        total->first_why = "it does not work even without a death";
        return;
    }
    if (m == AGAIN)
        kill_again(o, stride, &t);
    for (size_t k = turn++ % stride; m != AGAIN && k < trace->count; k += stride) {
        alarm(PATIENCE_S);
        at[m](o, k, &t);
        if (stops_at_first && t.first_why)
            break;
    }
    alarm(0);
    if (m != AGAIN && !o->varies && t.missed * 8 > t.points + t.missed)
        count(&t, HUNG, 0, "too few of its instructions were reached");
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
    static const struct option options[] = {{"only", required_argument, NULL, 'o'},   {"exactly", required_argument, NULL, 'x'},
                                            {"except", required_argument, NULL, 'e'}, {"stride", required_argument, NULL, 's'},
                                            {"mode", required_argument, NULL, 'm'},   {"first", no_argument, NULL, 'f'},
                                            {"places", required_argument, NULL, 'p'}, {0}};
    const char *only = "", *exactly = NULL, *except = NULL, *wanted_mode = NULL;
    size_t stride = 1;
    FILE *places = NULL;
    tally total = {0};
    static char domain[64];
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'o')
            only = optarg;
        else if (option == 'x')
            exactly = optarg;
        else if (option == 'e')
            except = optarg;
        else if (option == 's')
            stride = strtoull(optarg, NULL, 10);
        else if (option == 'f')
            stops_at_first = true;
        else if (option == 'p' && (places = fopen(optarg, "w")))
            continue;
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
    signal(SIGALRM, on_alarm);
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
    } all[] = {{&blocks, block_operations}, {&streams, stream_operations}, {&queues, queue_operations}, {&calls, call_operations}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (const operation *o = all[i].operations; o->name; o++)
            for (mode m = KILL; m <= AGAIN; m++) {
                if ((stops_at_first && total.first_why) || !strstr(o->name, only) || (exactly && strcmp(o->name, exactly) != 0) ||
                    (except && strstr(o->name, except)) || (wanted_mode && strcmp(mode_names[m], wanted_mode)) ||
                    (m != KILL && o->more & SURVIVOR_HOLDS) || (m == WAITER && (o->alone || !all[i].of->wait)))
                    continue;
                of = all[i].of;
                if (places && m == KILL)
                    write_places(o, places);
                else if (!places)
                    run(o, m, stride, &total);
            }
    rmdir(domain);
    if (places)
        return fclose(places) == 0 ? 0 : 1;
    if (!total.points)
        fprintf(stderr, "kill: no point of any operation was reached; is there an operation of this name?\n");
    printf("kill points %zu, hung %zu, torn %zu, lost %zu, leaked %zu\n", total.points, total.count[HUNG], total.count[TORN],
           total.count[LOST], total.count[LEAKED]);
    return total.count[HUNG] + total.count[TORN] + total.count[LOST] + total.count[LEAKED] || !total.points ? 1 : 0;
}

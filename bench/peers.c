/* Every way that a user could take instead, on the same work, in turns: the programs of peers/, which all understand the same words
 * (peers/peer.h). A contest is one kind of work and one size; in it every way has a round, then every way has the next. Who has no round is
 * stopped meanwhile, with its daemon and all its threads. */
#define _GNU_SOURCE
#include "bench.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 30000
#define ROUNDS_MAX 32
#define RUN 16 /* exchanges whose mean is one value of the median: the clock moves in steps, and takes its time */

/* What the ways are, floors and Cove's first. `command` is a program of build/bench/peers, or of the sources; one with a `*` begins its
 * other side itself. */
typedef struct way {
    const char *name, *says, *command;
} way;
static const way ways[] = {
    {"floor", "bare memory or a bare futex", "peer-floor"},
    {"cove-block", "Cove, a block", "peer-cove-block"},
    {"cove-stream", "Cove, a stream", "peer-cove-stream"},
    {"cove-stream-only", "Cove, a stream, only writer", "peer-cove-stream-only"},
    {"cove-queue", "Cove, a queue", "peer-cove-queue"},
    {"cove-queue-only", "Cove, a queue, roles declared", "peer-cove-queue-only"},
    {"iceoryx2", "iceoryx2 (Rust)", "peer-iceoryx2"},
    {"iceoryx", "iceoryx 2.0 (C++, daemon)", "peer-iceoryx"},
    {"aeron", "Aeron IPC (Java)", "peer-aeron"},
    {"boost-queue", "Boost message_queue", "peer-boost-queue"},
    {"boost-segment", "Boost managed segment", "peer-boost-segment"},
    {"raw-sync", "shared_memory + raw_sync (Rust)", "peer-raw-sync"},
    {"zeromq", "ZeroMQ ipc", "peer-zeromq"},
    {"nng", "nng ipc", "peer-nng"},
    {"posix-mq", "POSIX message queue", "peer-posix-mq"},
    {"unix-socket", "Unix stream socket", "peer-unix-socket"},
    {"pipes", "pipes", "peer-pipes"},
    {"lmdb", "LMDB", "peer-lmdb"},
    {"redis", "Redis, Unix socket", "peer-redis"},
    {"python", "Python multiprocessing", "*peer-python"},
    {"seed-flock", "System V segment + flock", "peer-seed-flock"},
    {"seed-flag", "spinlock and flag", "peer-seed-flag"},
    {"seed-mutex", "mutex and version", "peer-seed-mutex"},
};
#define WAYS (sizeof ways / sizeof *ways)

static volatile sig_atomic_t is_interrupted;

static void interrupt(int signal) {
    is_interrupted = signal;
}

/* What a run of ours has left where it was killed: names are ours by their beginning. */
static void sweep(void) {
    static const char *const places[] = {"/dev/shm", "/dev/mqueue", "/tmp"};
    char ours[32];
    int length = snprintf(ours, sizeof ours, "cove-bench-%d-", getpid());
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        DIR *directory = opendir(places[i]);
        for (struct dirent *entry; directory && (entry = readdir(directory));) {
            char path[600];
            if (strncmp(entry->d_name, ours, (size_t)length))
                continue;
            snprintf(path, sizeof path, "%s/%s", places[i], entry->d_name);
            if (unlink(path) == 0 || rmdir(path) == 0)
                continue;
            if (cove_gc(path, 0, NULL, NULL, NULL) != COVE_OK || rmdir(path) != 0)
                bench_fail("%s is left behind", path);
        }
        if (directory)
            closedir(directory);
    }
}

/* ---- Programs, and what they say. */

typedef struct program {
    pid_t pid;
    int to, from;
    char *text; /* what it has said; `line` bytes of it have been given away */
    size_t length, room, line;
} program;

static program start(const way *w, const char *role, const char *mode, size_t size, const char *name, int processor) {
    char path[512], bytes[32];
    int to[2], from[2];
    program p = {.room = 4096, .text = malloc(4096)};
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 64);
    if (length < 0 || pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
        return p;
    path[length] = 0;
    snprintf(bytes, sizeof bytes, "%zu", size);
    const char *command = w->command + (*w->command == '*');
    snprintf(strrchr(path, '/'), 64, "/../peers/%s", command);
    fflush(NULL);
    if (!(p.pid = fork())) {
        char other[16];
        setpgid(0, 0); /* to be stopped with all that it begins */
        bench_pin(processor);
        snprintf(other, sizeof other, "%d", bench_processor(1));
        setenv("PEER_OTHER", other, 1);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        dup2(to[0], 0);
        dup2(from[1], 1);
        syscall(SYS_close_range, 3u, ~0u, 4u); /* CLOSE_RANGE_CLOEXEC: whatever our caller has left open */
        execl(path, path, role, mode, bytes, name, (char *)NULL);
        printf("absent: it is not built or installed here\n");
        fflush(stdout);
        _exit(0);
    }
    close(to[0]);
    close(from[1]);
    p.to = to[1];
    p.from = from[0];
    return p;
}

static void tell(program *p, uint64_t count) {
    dprintf(p->to, "%llu\n", (unsigned long long)count);
}

static void pause_it(const program *p, bool is_paused) {
    if (p->pid > 0)
        kill(-p->pid, is_paused ? SIGSTOP : SIGCONT);
}

static void stop(program *p) {
    if (p->pid <= 0)
        return;
    pause_it(p, false);
    tell(p, 0);
    close(p->to);
    for (int tries = 0; tries < 1500 && waitpid(p->pid, NULL, WNOHANG) == 0; tries++) {
        if (tries == 1300)
            kill(p->pid, SIGTERM);
        if (tries == 1499 || is_interrupted) {
            kill(-p->pid, SIGKILL);
            waitpid(p->pid, NULL, 0);
            break;
        }
        usleep(10000);
    }
    close(p->from);
    free(p->text);
    *p = (program){0};
}

/* A line, or null when there is none in time; good until the next. */
static char *line_of(program *p) {
    struct pollfd fd = {.fd = p->from, .events = POLLIN};
    memmove(p->text, p->text + p->line, p->length -= p->line);
    p->line = 0;
    for (size_t seen = 0;;) {
        char *end = memchr(p->text + seen, '\n', p->length - seen);
        if (end) {
            *end = 0;
            p->line = (size_t)(end + 1 - p->text);
            return p->text;
        }
        seen = p->length;
        if (p->length == p->room)
            p->text = realloc(p->text, p->room *= 2);
        if (is_interrupted || poll(&fd, 1, PATIENCE_MS) <= 0)
            return NULL;
        ssize_t got = read(p->from, p->text + p->length, p->room - p->length);
        if (got <= 0)
            return NULL;
        p->length += (size_t)got;
    }
}

/* ---- A contestant: both sides of a way, and what came of it. */

typedef struct entrant {
    const way *way;
    program first, second;
    char why[200]; /* it takes no part */
    double first_open_ns, second_open_ns;
    int descriptors, mappings, resident_kib; /* of the second side */
    uint64_t count;
    double typical[ROUNDS_MAX]; /* of each round: the median, or the time for one message */
    uint32_t rounds;
    uint32_t *each; /* all samples: there and back */
    size_t samples;
} entrant;

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}
static int by_number(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void leave(entrant *e, const char *why) {
    if (!e->why[0])
        snprintf(e->why, sizeof e->why, "%s", why);
    stop(&e->second);
    stop(&e->first);
}

static bool is_ready(entrant *e, program *p, double *out_open_ns) {
    const char *line = line_of(p);
    if (line && sscanf(line, "ready %lf", out_open_ns) == 1)
        return true;
    leave(e, !line ? "it ended, or did not answer" : !strncmp(line, "absent: ", 8) ? line + 8 : line);
    return false;
}

/* ---- Rounds. False: something went wrong, and it takes no further part. */

static bool exchange(entrant *e, uint64_t count, double *out_ns) {
    bool alone = *e->way->command == '*';
    unsigned long long sent, returned, received, answered;
    if (!alone)
        tell(&e->first, count);
    tell(&e->second, count);
    const char *line = line_of(&e->second);
    if (!line)
        return false;
    e->each = realloc(e->each, (e->samples + count) * sizeof *e->each);
    uint32_t *each = e->each + e->samples;
    char *at = (char *)(uintptr_t)line;
    for (uint64_t i = 0; i < count; i++)
        each[i] = (uint32_t)strtoul(at, &at, 10);
    if (!(line = line_of(&e->second)) || sscanf(line, "%llu %llu", &sent, &returned) != 2)
        return false;
    if (!alone &&
        (!(line = line_of(&e->first)) || sscanf(line, "%llu %llu", &received, &answered) != 2 || sent != received || returned != answered))
        return false;
    double *means = malloc(count / RUN * sizeof *means);
    for (uint64_t i = 0; i < count / RUN; i++) {
        means[i] = 0;
        for (int j = 0; j < RUN; j++)
            means[i] += (double)each[i * RUN + (uint64_t)j] / RUN / 2;
    }
    qsort(means, count / RUN, sizeof *means, by_value);
    *out_ns = means[count / RUN / 2];
    free(means);
    e->samples += count;
    return true;
}

static bool flow(entrant *e, uint64_t count, double *out_ns) {
    unsigned long long began, ended, sent, received;
    const char *line;
    tell(&e->first, count);
    if (!(line = line_of(&e->first)) || strcmp(line, "set"))
        return false;
    tell(&e->second, count);
    if (!(line = line_of(&e->second)) || sscanf(line, "%llu %llu", &began, &sent) != 2)
        return false;
    if (!(line = line_of(&e->first)) || sscanf(line, "%llu %llu", &ended, &received) != 2)
        return false;
    *out_ns = (double)(ended - began) / (double)count;
    return sent == received;
}

/* ---- A contest. */

typedef struct contest {
    const char *kind; /* latency or flow */
    const char *mode;
    size_t size;
} contest;

static double middle(entrant *e) {
    qsort(e->typical, e->rounds, sizeof *e->typical, by_value);
    return e->rounds ? e->typical[e->rounds / 2] : 0;
}

static double percentile(const entrant *e, double p) { /* of one way; sorted. 0: too few to tell */
    if ((double)e->samples * (1 - p) < 10 && p < 1)
        return 0;
    return (double)e->each[(size_t)((double)(e->samples - 1) * p)] / 2;
}

/* Sixteen classes for each doubling: the lower end of each, and how many were in it. */
static json_t *histogram(const entrant *e) {
    json_t *classes = json_array();
    for (size_t i = 0; i < e->samples;) {
        uint32_t ns = e->each[i] / 2, shift = 0;
        while (ns >> shift >= 32)
            shift++;
        uint32_t low = ns >> shift << shift, end = ((ns >> shift) + 1) << shift;
        size_t first = i;
        while (i < e->samples && e->each[i] / 2 < end)
            i++;
        json_array_append_new(classes, json_pack("[i, I]", (int)low, (json_int_t)(i - first)));
    }
    return classes;
}

/* What the second side holds while it is open. */
static void look_at(entrant *e) {
    char path[64], line[256];
    FILE *file;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)e->second.pid);
    DIR *directory = opendir(path);
    while (directory && readdir(directory))
        e->descriptors++;
    if (directory)
        closedir(directory);
    snprintf(path, sizeof path, "/proc/%d/maps", (int)e->second.pid);
    if ((file = fopen(path, "r"))) {
        for (int c; (c = fgetc(file)) != EOF;)
            e->mappings += c == '\n';
        fclose(file);
    }
    snprintf(path, sizeof path, "/proc/%d/status", (int)e->second.pid);
    if ((file = fopen(path, "r"))) {
        while (fgets(line, sizeof line, file))
            (void)sscanf(line, "VmRSS: %d", &e->resident_kib);
        fclose(file);
    }
}

static bool is_wanted(const char *name) {
    size_t length = strlen(name);
    for (const char *at = bench_ways; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (!strncmp(at, name, length) && (at[length] == ',' || !at[length]))
            return true;
    }
    return !bench_ways;
}

static void open_all(const contest *c, entrant *entrants, unsigned number) {
    bool both = !strcmp(c->kind, "latency");
    for (size_t i = 0; i < WAYS; i++) {
        entrant *e = &entrants[i];
        char name[64];
        snprintf(name, sizeof name, "cove-bench-%d-%u-%zu", getpid(), number, i);
        *e = (entrant){.way = &ways[i]};
        if (!is_wanted(e->way->name)) {
            leave(e, "not asked for");
            continue;
        }
        if (*e->way->command != '*') {
            e->first = start(e->way, both ? "pong" : "receive", c->mode, c->size, name, bench_processor(1));
            if (!is_ready(e, &e->first, &e->first_open_ns))
                continue;
        }
        e->second = start(e->way, both ? "ping" : "send", c->mode, c->size, name, bench_processor(0));
        if (is_ready(e, &e->second, &e->second_open_ns))
            look_at(e);
        pause_it(&e->first, true);
        pause_it(&e->second, true);
    }
}

/* False: it takes no further part. */
static bool one_round(const contest *c, entrant *e, double *out_ns) {
    pause_it(&e->first, false);
    pause_it(&e->second, false);
    bool is_well = !strcmp(c->kind, "latency") ? exchange(e, e->count, out_ns) : flow(e, e->count, out_ns);
    if (!is_well)
        leave(e, "it failed, or did not get to an end");
    pause_it(&e->first, true);
    pause_it(&e->second, true);
    return is_well;
}

/* Rounds that are not told, until two of them agree and a while has passed: what is compiled when it has run often is compiled then. After
 * that a round is as many as take some 20 ms, in runs of 32. */
static void warm_up(const contest *c, entrant *e) {
    bool both = !strcmp(c->kind, "latency");
    uint64_t most = both ? 20000 : 1000000, begun = bench_now_ns();
    double before = 0, ns = 0;
    e->count = both ? 64 : 640;
    for (int rounds = 0; rounds < 200; rounds++, before = ns) {
        if (!one_round(c, e, &ns))
            return;
        double fit = 20e6 / (ns > 1 ? ns : 1) / (both ? 2 : 1);
        e->count = fit > (double)most ? most : fit < 64 ? 64 : (uint64_t)fit / 32 * 32;
        uint64_t took = bench_now_ns() - begun;
        bool agrees = rounds > 2 && ns < before * 1.1 && before < ns * 1.1;
        if ((agrees && took > (bench_is_quick ? 200000000u : 600000000u)) || took > 4000000000u)
            break;
    }
    e->samples = 0;
}

static void tell_result(const contest *c, entrant *e, double floor) {
    json_t *result = json_pack("{s:s, s:s, s:I, s:s, s:s}", "kind", c->kind, "mode", c->mode, "size", (json_int_t)c->size, "way",
                               e->way->name, "says", e->way->says);
    if (e->why[0] && !is_wanted(e->way->name)) {
        json_decref(result);
        return;
    }
    if (e->why[0]) {
        printf("    %-32s -  %s\n", e->way->says, e->why);
        json_object_set_new(result, "absent", json_string(e->why));
    } else if (!strcmp(c->kind, "latency")) {
        double ns = middle(e);
        qsort(e->each, e->samples, sizeof *e->each, by_number);
        static const double of[] = {0.9, 0.99, 0.999, 1};
        static const char *const labels[] = {"p90", "p99", "p99.9", "max"};
        printf("    %-32s %10.0f ns  %7.2f x floor   rounds %.0f to %.0f  ", e->way->says, ns, floor > 0 ? ns / floor : 0, e->typical[0],
               e->typical[e->rounds - 1]);
        for (int i = 0; i < 4; i++)
            if (percentile(e, of[i]) > 0)
                printf(" %s %.0f", labels[i], percentile(e, of[i]));
        puts("");
        json_object_update_new(result, json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:o}", "p50", ns, "least", e->typical[0], "most",
                                                 e->typical[e->rounds - 1], "p90", percentile(e, 0.9), "p99", percentile(e, 0.99), "p999",
                                                 percentile(e, 0.999), "max", percentile(e, 1), "samples", (json_int_t)e->samples,
                                                 "histogram", histogram(e)));
    } else {
        double ns = middle(e);
        printf("    %-32s %10.1f ns  %7.2f x floor   rounds %.1f to %.1f   %.2f million a second\n", e->way->says, ns,
               floor > 0 ? ns / floor : 0, e->typical[0], e->typical[e->rounds - 1], 1e3 / ns);
        json_object_update_new(result, json_pack("{s:f, s:f, s:f}", "each", ns, "least", e->typical[0], "most", e->typical[e->rounds - 1]));
    }
    if (!e->why[0])
        json_object_update_new(result,
                               json_pack("{s:f, s:f, s:i, s:i, s:i}", "first_open", e->first_open_ns, "second_open", e->second_open_ns,
                                         "descriptors", e->descriptors - 2, "mappings", e->mappings, "resident_kib", e->resident_kib));
    fflush(stdout);
    bench_record(result);
}

/* One value for each way; 0: it took no part. */
static void hold(const contest *c, double out_ns[WAYS]) {
    static entrant entrants[WAYS];
    static unsigned number;
    int rounds = bench_is_quick ? 5 : 15;
    char what[64];
    snprintf(what, sizeof what, c->size >= 1024 ? "%zu KiB" : "%zu bytes", c->size >= 1024 ? c->size / 1024 : c->size);
    printf("\n%s, %s, %s\n", !strcmp(c->kind, "latency") ? "One way, half of there and back" : "One message of many, one way", c->mode,
           what);
    open_all(c, entrants, number++);
    for (size_t i = 0; i < WAYS; i++)
        if (!entrants[i].why[0])
            warm_up(c, &entrants[i]);
    for (int r = 0; r < rounds; r++)
        for (size_t i = 0; i < WAYS; i++) {
            entrant *e = &entrants[i];
            double ns;
            if (!e->why[0] && one_round(c, e, &ns))
                e->typical[e->rounds++] = ns;
        }
    double floor = entrants[0].why[0] ? 0 : middle(&entrants[0]);
    for (size_t i = 0; i < WAYS; i++) {
        entrant *e = &entrants[i];
        stop(&e->second);
        stop(&e->first);
        out_ns[i] = e->why[0] ? 0 : middle(e);
        tell_result(c, e, floor);
        free(e->each);
        bool is_ours = i == 0 || !strncmp(e->way->name, "cove", 4), has_no_such_way = !strncmp(e->why, "it ", 3) && !strstr(e->why, "not");
        if (e->why[0] && is_wanted(e->way->name) && is_ours && !has_no_such_way && strncmp(e->why, "it keeps", 8))
            bench_fail("%s took no part: %s", e->way->says, e->why);
    }
    sweep();
    if (is_interrupted)
        exit(1);
}

/* ---- Which contests there are, and what Cove is to reach in them. */

static double of(const char *name, const double ns[WAYS]) {
    for (size_t i = 0; i < WAYS; i++)
        if (!strcmp(ways[i].name, name))
            return ns[i];
    return 0;
}

/* `goal` of one of Cove's ways against one peer; nothing where one of them took no part. */
static void against(const contest *c, const double ns[WAYS], const char *mine, const char *name, double goal) {
    char figure[128];
    snprintf(figure, sizeof figure, "%s.%s.bytes_%zu.%s.against_%s", c->kind, c->mode, c->size, mine, name);
    if (of(mine, ns) > 0 && of(name, ns) > 0)
        bench_figure(figure, of(mine, ns), "ns", of(name, ns), goal);
}

/* The way of Cove's that does what a peer does: one value that is replaced; news of values, for readers; or every message to one who takes it,
 * with roles, since both sides of the peer are alone too. */
static const char *match_of(const char *peer, bool is_flow) {
    if (is_flow)
        return "cove-queue-only";
    if (!strcmp(peer, "aeron")) /* an exclusive publication, and any number of subscriptions */
        return "cove-stream-only";
    static const char *const of_one_value[] = {"lmdb", "python", "boost-segment", "seed-flock", "seed-mutex"};
    static const char *const of_the_newest[] = {"iceoryx2", "iceoryx", "raw-sync", "seed-flag"};
    for (size_t i = 0; i < sizeof of_one_value / sizeof *of_one_value; i++)
        if (!strcmp(peer, of_one_value[i]))
            return "cove-block";
    for (size_t i = 0; i < sizeof of_the_newest / sizeof *of_the_newest; i++)
        if (!strcmp(peer, of_the_newest[i]))
            return "cove-stream";
    return "cove-queue-only";
}

static void compete(const contest *c) {
    double ns[WAYS];
    bool is_flow = !strcmp(c->kind, "flow");
    hold(c, ns);
    bench_title("    Cove, against who does the same (goal: first)");
    for (size_t i = 1; i < WAYS; i++) {
        const char *mine = match_of(ways[i].name, is_flow);
        if (!strcmp(mine, "cove-block") && !strcmp(c->mode, "in-place"))
            mine = "cove-stream";
        if (strncmp(ways[i].name, "cove", 4))
            against(c, ns, mine, ways[i].name, 1.0);
    }
    if (strcmp(c->mode, "poll") || (c->size != 32 && c->size != 64))
        return;
    bench_title("    Goals");
    if (is_flow) {
        against(c, ns, "cove-queue-only", "iceoryx2", 0.1);
        against(c, ns, "cove-queue-only", "aeron", 0.5);
    } else {
        against(c, ns, "cove-stream", "iceoryx2", c->size == 32 ? 1.0 / 3 : 0.5);
        if (c->size == 32)
            against(c, ns, "cove-stream-only", "aeron", 1.05);
    }
}

void bench_peers(void) {
    static const contest quick[] = {
        {"latency", "poll", 32}, {"latency", "block", 64}, {"latency", "in-place", 1 << 20}, {"flow", "poll", 32}};
    static const contest all[] = {{"latency", "poll", 8},
                                  {"latency", "poll", 32},
                                  {"latency", "poll", 64},
                                  {"latency", "poll", 1 << 10},
                                  {"latency", "poll", 1 << 16},
                                  {"latency", "poll", 1 << 20},
                                  {"latency", "poll", 8 << 20},
                                  {"latency", "block", 64},
                                  {"latency", "block", 1 << 16},
                                  {"latency", "in-place", 64},
                                  {"latency", "in-place", 1 << 20},
                                  {"flow", "poll", 32},
                                  {"flow", "poll", 1 << 10},
                                  {"flow", "batch", 32},
                                  {"flow", "block", 32}};
    const contest *contests = bench_is_quick ? quick : all;
    size_t count = bench_is_quick ? sizeof quick / sizeof *quick : sizeof all / sizeof *all;
    struct sigaction on = {.sa_handler = interrupt};
    sigaction(SIGINT, &on, NULL); /* without SA_RESTART: whoever waits is told */
    sigaction(SIGTERM, &on, NULL);
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < count; i++)
        compete(&contests[i]);
}

/* The game of two processes. */
#define _GNU_SOURCE
#include "pair.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void *share(size_t bytes) {
    return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
}

bare bare_make(size_t size, uint32_t slots) {
    bare b = {NULL, (sizeof(bare_slot) + size + 63) & ~(size_t)63, slots, NULL};
    char *memory = share(4096 + b.stride * slots);
    b.read = (_Atomic uint64_t *)(void *)memory;
    b.base = memory + 4096;
    return b;
}

void bare_drop(bare *b) {
    munmap((char *)(void *)b->read, 4096 + b->stride * b->slots);
}

/* ---- There and back. */

typedef struct steering {
    _Atomic uint64_t round; /* odd while one is on */
    int way;
    uint64_t count;
} steering;

static int by_size(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double samples_typical(samples *s) {
    qsort(s->p50, s->rounds, sizeof *s->p50, by_value);
    return s->rounds ? s->p50[s->rounds / 2] : 0;
}

double samples_percentile(samples *s, double p) {
    qsort(s->each, s->count, sizeof *s->each, by_size);
    return (double)s->each[(uint32_t)((double)(s->count - 1) * p)] / 2;
}

static int answer(const pair *p, steering *control) {
    uint64_t at[WAYS_MAX] = {0};
    bench_pin(bench_processor(1));
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    p->open(p->context);
    for (uint64_t done = 0;; done++) {
        atomic_store(&control->round, 2 * done); /* ready */
        while (atomic_load(&control->round) == 2 * done)
            ;
        if (!control->count)
            return 0;
        int w = control->way;
        for (uint64_t i = 0; i < control->count; i++) {
            uint64_t n = ++at[w];
            p->receive(p->context, w, 0, n);
            p->send(p->context, w, 1, n);
        }
    }
}

static void one_round(const pair *p, steering *control, int w, uint32_t count, uint64_t *at, samples *s) {
    uint64_t round = atomic_load(&control->round), *first = s->each + s->count;
    control->way = w;
    control->count = count;
    atomic_store(&control->round, round + 1);
    uint64_t before = bench_now_ns();
    for (uint32_t i = 0; i < count; i++) {
        uint64_t n = ++*at;
        p->send(p->context, w, 0, n);
        p->receive(p->context, w, 1, n);
        uint64_t now = bench_now_ns();
        s->each[s->count++] = now - before;
        before = now;
    }
    while (atomic_load(&control->round) != round + 2)
        ;
    uint64_t *sorted = malloc(count * sizeof *sorted);
    memcpy(sorted, first, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_size);
    s->p50[s->rounds++ % 64] = (double)sorted[count / 2] / 2;
    free(sorted);
}

void pair_play(const pair *p, unsigned used, uint32_t rounds, uint32_t count, samples out[WAYS_MAX]) {
    uint64_t at[WAYS_MAX] = {0};
    steering *control = share(4096);
    atomic_store(&control->round, 1);
    p->open(p->context);
    fflush(NULL);
    pid_t pid = fork();
    if (!pid)
        _exit(answer(p, control));
    bench_pin(bench_processor(0));
    while (atomic_load(&control->round) != 0)
        usleep(100);
    for (uint32_t r = 0; r <= rounds; r++) /* the first to warm up */
        for (int w = 0; w < WAYS_MAX; w++) {
            if (!(used >> w & 1))
                continue;
            if (r == 0)
                out[w] = (samples){.each = calloc((size_t)(rounds + 1) * count, sizeof(uint64_t))};
            one_round(p, control, w, count, &at[w], &out[w]);
            if (r == 0)
                out[w].count = out[w].rounds = 0;
        }
    control->count = 0;
    atomic_fetch_add(&control->round, 1);
    waitpid(pid, NULL, 0);
    munmap(control, 4096);
}

/* ---- One way. */

#define SLOTS 64u
const size_t payload_sizes[PAYLOAD_SIZES] = {8, 32, 64, 1024, 65536, 1u << 20};

payload payload_make(size_t size) {
    size_t room = size < 64 ? 64 : size;
    payload p = {.size = size, .from = aligned_alloc(64, room), .to = aligned_alloc(64, room)};
    memset(p.from, 3, room);
    for (int c = 0; c < 2; c++)
        p.slot[c] = bare_make(size, SLOTS);
    return p;
}

void payload_drop(payload *p) {
    for (int c = 0; c < 2; c++)
        bare_drop(&p->slot[c]);
    free(p->from);
    free(p->to);
}

void payload_play(const pair *p, unsigned used, size_t size, samples out[WAYS_MAX]) {
    uint32_t count = size > 65536 ? 50 : size > 1024 ? 500 : 4000;
    pair_play(p, used, bench_is_quick ? 8 : 30, count, out);
}

void flow_play(const flow_side *f, unsigned used, uint64_t count, double out_ns[WAYS_MAX]) {
    steering *control = share(4096);
    f->open(f->context, false);
    fflush(NULL);
    pid_t pid = fork();
    if (!pid) {
        bench_pin(bench_processor(1));
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        f->open(f->context, true);
        atomic_store(&control->round, 1);
        for (uint64_t round = 1;; round++) {
            while (atomic_load(&control->round) != 2 * round)
                ;
            f->read(f->context, control->way, count);
            atomic_store(&control->round, 2 * round + 1);
        }
    }
    bench_pin(bench_processor(0));
    while (atomic_load(&control->round) != 1)
        usleep(100);
    memset(out_ns, 0, WAYS_MAX * sizeof *out_ns);
    uint64_t round = 0;
    for (int turn = 0; turn < (bench_is_quick ? 5 : 20); turn++)
        for (int w = 0; w < WAYS_MAX; w++) {
            if (!(used >> w & 1))
                continue;
            round++;
            control->way = w;
            uint64_t began = bench_now_ns();
            atomic_store(&control->round, 2 * round);
            f->write(f->context, w, count);
            while (atomic_load(&control->round) != 2 * round + 1)
                ;
            double each = (double)(bench_now_ns() - began) / (double)count;
            out_ns[w] = out_ns[w] == 0 || each < out_ns[w] ? each : out_ns[w];
        }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    munmap(control, 4096);
}

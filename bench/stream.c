/* Streams, between two processes on two processors. Each figure stands beside a floor that is measured in the same rounds: a cache line
 * that is bounced by spinning, and a bare slot: a shared ring whose slots hold a sequence and a payload, and nothing else. */
#define _GNU_SOURCE
#include "bench.h"

#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SLOTS 64u
#define LARGEST (1u << 20)

static uint64_t clock_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void pin_to(int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    sched_setaffinity(0, sizeof set, &set);
}

static void *share(size_t bytes) {
    return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
}

/* ---- Bare things. */

typedef struct bare_slot {
    _Atomic uint64_t sequence;
    char payload[];
} bare_slot;

typedef struct bare {
    char *base;
    size_t stride;
    uint32_t slots;
    _Atomic uint64_t *read; /* how far the reader of a bounded ring has come */
} bare;

static bare bare_make(size_t size, uint32_t slots) {
    bare b = {NULL, (sizeof(bare_slot) + size + 63) & ~(size_t)63, slots, NULL};
    char *memory = share(4096 + b.stride * slots);
    b.read = (_Atomic uint64_t *)memory;
    b.base = memory + 4096;
    return b;
}

static void bare_drop(bare *b) {
    munmap((char *)(void *)b->read, 4096 + b->stride * b->slots);
}

static inline bare_slot *bare_at(const bare *b, uint64_t sequence) {
    return (bare_slot *)(b->base + (sequence & (b->slots - 1)) * b->stride);
}

static inline void bare_write(const bare *b, uint64_t sequence, const void *data, size_t size) {
    bare_slot *slot = bare_at(b, sequence);
    memcpy(slot->payload, data, size);
    atomic_store_explicit(&slot->sequence, sequence, memory_order_release);
}

static inline void bare_read(const bare *b, uint64_t sequence, void *out, size_t size) {
    bare_slot *slot = bare_at(b, sequence);
    while (atomic_load_explicit(&slot->sequence, memory_order_acquire) != sequence)
        ;
    memcpy(out, slot->payload, size);
    atomic_thread_fence(memory_order_acquire);
    if (atomic_load_explicit(&slot->sequence, memory_order_relaxed) != sequence)
        abort();
}

/* ---- Two processes, there and back. */

typedef struct table {
    size_t size;
    char *from, *to;
    _Atomic uint64_t *line[2];
    bare slot[2];
    uint64_t at[2]; /* sequences used so far, of line and slot */
    cove_stream *stream[2];
} table;

typedef enum way { LINE, SLOT, COPY, IN_PLACE, WAYS } way;

/* One value to the other side over channel `c`. */
static inline void send_value(table *t, way w, int c, uint64_t n) {
    cove_loan loan;
    switch (w) {
    case LINE: atomic_store_explicit(t->line[c], n, memory_order_release); break;
    case SLOT: bare_write(&t->slot[c], n, t->from, t->size); break;
    case COPY: MUST(cove_stream_write(t->stream[c], t->from, t->size, 0, COVE_TRY)); break;
    default:
        MUST(cove_stream_loan(t->stream[c], t->size, &loan, COVE_TRY));
        memcpy(loan.data, t->from, 64);
        MUST(cove_stream_publish(t->stream[c], &loan, COVE_TRY));
    }
}

static inline void receive_value(table *t, way w, int c, uint64_t n) {
    cove_value value;
    cove_result result;
    switch (w) {
    case LINE:
        while (atomic_load_explicit(t->line[c], memory_order_acquire) != n)
            ;
        break;
    case SLOT: bare_read(&t->slot[c], n, t->to, t->size); break;
    case COPY:
        while ((result = cove_stream_read(t->stream[c], t->to, t->size, NULL, COVE_TRY)) == COVE_ERR_EMPTY)
            ;
        MUST(result);
        break;
    default:
        while ((result = cove_stream_borrow(t->stream[c], &value, COVE_TRY)) == COVE_ERR_EMPTY)
            ;
        MUST(result);
        memcpy(t->to, value.data, 64);
        MUST(cove_stream_give_back(t->stream[c], &value));
    }
}

typedef struct steering {
    _Atomic uint64_t round; /* counts; odd while one is on */
    way w;
    uint32_t count;
} steering;

static void open_streams(table *t) {
    for (int c = 0; c < 2; c++)
        MUST(cove_stream_open(&t->stream[c], c ? "back" : "there",
                              &(cove_stream_options){.capacity_bytes = t->size, .start = COVE_START_NEW, .prefault = true}));
}

static int answer(table *t, steering *control) {
    pin_to(1);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    open_streams(t);
    for (uint64_t done = 0;;) {
        atomic_store(&control->round, 2 * done); /* ready */
        while (atomic_load(&control->round) == 2 * done)
            ;
        if (!control->count)
            return 0;
        way w = control->w;
        uint64_t *at = &t->at[w == LINE ? 0 : 1];
        for (uint32_t i = 0; i < control->count; i++) {
            uint64_t n = ++*at;
            receive_value(t, w, 0, n);
            send_value(t, w, 1, n);
        }
        done++;
    }
}

static int by_size(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

typedef struct samples {
    uint64_t *each;
    uint32_t count;
    double p50[64]; /* of each round */
    uint32_t rounds;
} samples;

static void one_round(table *t, steering *control, way w, uint32_t count, samples *s) {
    uint64_t round = atomic_load(&control->round);
    control->w = w;
    control->count = count;
    atomic_store(&control->round, round + 1);
    uint64_t *at = &t->at[w == LINE ? 0 : 1], *first = s->each + s->count;
    uint64_t before = clock_now();
    for (uint32_t i = 0; i < count; i++) {
        uint64_t n = ++*at;
        send_value(t, w, 0, n);
        receive_value(t, w, 1, n);
        uint64_t now = clock_now();
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

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The median of the rounds' medians: how fast a cache line moves differs from round to round, for all alike. */
static double typical(samples *s) {
    qsort(s->p50, s->rounds, sizeof *s->p50, by_value);
    return s->rounds ? s->p50[s->rounds / 2] : 0;
}

static double percentile(samples *s, double p) {
    qsort(s->each, s->count, sizeof *s->each, by_size);
    return (double)s->each[(uint32_t)((double)(s->count - 1) * p)] / 2;
}

static void ping_pong(size_t size, double out_in_place[1]) {
    char name[64];
    table t = {.size = size, .from = aligned_alloc(64, size < 64 ? 64 : size), .to = aligned_alloc(64, size < 64 ? 64 : size)};
    steering *control = share(4096);
    memset(t.from, 3, size < 64 ? 64 : size);
    for (int c = 0; c < 2; c++) {
        t.line[c] = share(4096);
        t.slot[c] = bare_make(size, SLOTS);
    }
    atomic_store(&control->round, 1);
    open_streams(&t);
    fflush(NULL);
    pid_t pid = fork();
    if (!pid)
        _exit(answer(&t, control));
    pin_to(0);
    while (atomic_load(&control->round) != 0)
        usleep(100);
    uint32_t rounds = bench_is_quick ? 8 : 30, count = size > 65536 ? 50 : size > 1024 ? 500 : 4000;
    samples s[WAYS];
    for (int w = 0; w < WAYS; w++)
        s[w] = (samples){.each = calloc((size_t)(rounds + 1) * count, sizeof(uint64_t))};
    for (uint32_t r = 0; r <= rounds; r++)
        for (int w = 0; w < WAYS; w++) {
            if (w == IN_PLACE && size < 64)
                continue;
            if (r == 0)
                s[w].count = s[w].rounds = 0;
            one_round(&t, control, (way)w, count, &s[w]);
            if (r == 0)
                s[w].count = s[w].rounds = 0; /* to warm up */
        }
    control->count = 0;
    atomic_fetch_add(&control->round, 1);
    waitpid(pid, NULL, 0);
    snprintf(name, sizeof name, "stream.one_way.p50.bytes_%zu", size);
    bench_figure(name, typical(&s[COPY]), "ns", typical(&s[SLOT]), 1.10);
    printf("%-52s line %.0f  slot %.0f/%.0f/%.0f  stream %.0f/%.0f/%.0f ns\n", "    bounced line; p50/p99/p99.9 of all rounds",
           typical(&s[LINE]), percentile(&s[SLOT], 0.5), percentile(&s[SLOT], 0.99), percentile(&s[SLOT], 0.999), percentile(&s[COPY], 0.5),
           percentile(&s[COPY], 0.99), percentile(&s[COPY], 0.999));
    out_in_place[0] = typical(&s[IN_PLACE]);
    for (int w = 0; w < WAYS; w++)
        free(s[w].each);
    for (int c = 0; c < 2; c++) {
        cove_stream_close(t.stream[c]);
        munmap((void *)(uintptr_t)t.line[c], 4096);
        bare_drop(&t.slot[c]);
    }
    munmap(control, 4096);
    free(t.from);
    free(t.to);
}

static void bench_latency(void) {
    static const size_t sizes[] = {8, 32, 64, 1024, 65536, LARGEST};
    double in_place[6] = {0};
    bench_title("One way between two processes, payload written and read on both sides; against a bare slot");
    for (int i = 0; i < 6; i++)
        ping_pong(sizes[i], &in_place[i]);
    bench_title("In place: loan, touch one line, publish; borrow, read one line, give back; against the same at 64 bytes");
    bench_figure("stream.in_place.p50.bytes_65536", in_place[4], "ns", in_place[2], 1.10);
    bench_figure("stream.in_place.p50.bytes_1048576", in_place[5], "ns", in_place[2], 1.10);
}

/* ---- Values per second, to one reader for whom the writer waits. */

#define DEPTH 1024u

typedef struct flow {
    size_t size;
    bare ring;
    uint64_t at;
    cove_stream *stream;
    char *from, *to;
} flow;

static void flow_write(flow *f, bool is_bare, uint64_t count) {
    uint64_t known = 0;
    for (uint64_t i = 0; i < count; i++) {
        if (is_bare) {
            uint64_t n = ++f->at;
            while (n - known > DEPTH)
                known = atomic_load_explicit(f->ring.read, memory_order_acquire);
            bare_write(&f->ring, n, f->from, f->size);
        } else {
            MUST(cove_stream_write(f->stream, f->from, f->size, 0, COVE_FOREVER));
        }
    }
}

static void flow_read(flow *f, bool is_bare, uint64_t count) {
    cove_result result;
    for (uint64_t i = 0; i < count; i++) {
        if (is_bare) {
            uint64_t n = ++f->at;
            bare_read(&f->ring, n, f->to, f->size);
            if (n % 32 == 0)
                atomic_store_explicit(f->ring.read, n, memory_order_release);
        } else {
            while ((result = cove_stream_read(f->stream, f->to, f->size, NULL, COVE_TRY)) == COVE_ERR_EMPTY)
                ;
            MUST(result);
        }
    }
    if (is_bare)
        atomic_store_explicit(f->ring.read, f->at, memory_order_release);
}

/* Nanoseconds for one value, of the bare ring and of the stream. */
static void measure_flow(unsigned flags, double out_ns[2]) {
    flow f = {.size = 64, .from = aligned_alloc(64, 64), .to = aligned_alloc(64, 64), .ring = bare_make(64, DEPTH)};
    steering *control = share(4096);
    const uint64_t count = 400000;
    memset(f.from, 5, 64);
    cove_stream_options options = {.capacity_bytes = 64, .depth = DEPTH, .flags = flags, .start = COVE_START_NEW, .prefault = true};
    MUST(cove_stream_open(&f.stream, "flow", &options));
    fflush(NULL);
    pid_t pid = fork();
    if (!pid) {
        pin_to(1);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        options.flags = 0;
        options.follow = COVE_FOLLOW_LOSSLESS;
        MUST(cove_stream_open(&f.stream, "flow", &options));
        atomic_store(&control->round, 1);
        for (uint64_t round = 1;; round++) {
            while (atomic_load(&control->round) != 2 * round)
                ;
            if (!control->count)
                _exit(0);
            flow_read(&f, control->w == SLOT, count);
            atomic_store(&control->round, 2 * round + 1);
        }
    }
    pin_to(0);
    while (atomic_load(&control->round) != 1)
        usleep(100);
    out_ns[0] = out_ns[1] = 0;
    for (uint64_t round = 1; round <= (bench_is_quick ? 10u : 40u); round++) {
        bool is_bare = round % 2;
        control->w = is_bare ? SLOT : COPY;
        control->count = 1;
        uint64_t began = clock_now();
        atomic_store(&control->round, 2 * round);
        flow_write(&f, is_bare, count);
        while (atomic_load(&control->round) != 2 * round + 1)
            ;
        double each = (double)(clock_now() - began) / (double)count;
        out_ns[!is_bare] = out_ns[!is_bare] == 0 || each < out_ns[!is_bare] ? each : out_ns[!is_bare];
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    cove_stream_close(f.stream);
    bare_drop(&f.ring);
    munmap(control, 4096);
    free(f.from);
    free(f.to);
}

static void bench_flow(void) {
    double ns[2];
    bench_title("Time for one value of 64 bytes at full speed, to one lossless reader; against a bare ring of one writer and one reader");
    measure_flow(0, ns);
    bench_figure("stream.flow.many_writers_allowed", ns[1], "ns", ns[0], 1 / 0.4);
    printf("%-52s %.1f and %.1f million values a second\n", "    stream, bare ring", 1e3 / ns[1], 1e3 / ns[0]);
    measure_flow(COVE_STREAM_ONLY_WRITER, ns);
    bench_figure("stream.flow.only_writer", ns[1], "ns", ns[0], 1 / 0.7);
    printf("%-52s %.1f and %.1f million values a second\n", "    stream, bare ring", 1e3 / ns[1], 1e3 / ns[0]);
}

/* ---- What readers cost who are idle. */

static void publish(void *context, uint64_t count) {
    char data[64] = {1};
    while (count--)
        MUST(cove_stream_write(context, data, sizeof data, 0, COVE_TRY));
}

static void bench_idle(void) {
    static const int readers[] = {1, 8, 64};
    cove_stream *writer[2], *reader[64];
    char name[64];
    bench_title("Publishing 64 bytes while readers are attached and idle; against none");
    MUST(cove_stream_open(&writer[0], "alone", &(cove_stream_options){.capacity_bytes = 64}));
    MUST(cove_stream_open(&writer[1], "idle", &(cove_stream_options){.capacity_bytes = 64}));
    int attached = 0;
    for (int i = 0; i < 3; i++) {
        for (; attached < readers[i]; attached++)
            MUST(cove_stream_open(&reader[attached], "idle", NULL));
        contestant with = {publish, writer[1], 0}, without = {publish, writer[0], 0};
        bench_compare(&with, &without, 50000);
        snprintf(name, sizeof name, "stream.publish.idle_readers_%d", readers[i]);
        bench_figure(name, with.best_ns, "ns", without.best_ns, 1.1);
    }
    while (attached)
        cove_stream_close(reader[--attached]);
    cove_stream_close(writer[0]);
    cove_stream_close(writer[1]);
}

/* ---- Waking a sleeper. */

typedef struct bed {
    _Atomic uint32_t word[2];
    _Atomic uint64_t asleep_since;
} bed;

static void futex_send(bed *b, int c) {
    atomic_fetch_add(&b->word[c], 1);
    syscall(SYS_futex, &b->word[c], FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void futex_receive(bed *b, int c, uint32_t n) {
    while (atomic_load(&b->word[c]) < n)
        syscall(SYS_futex, &b->word[c], FUTEX_WAIT, n - 1, NULL, NULL, 0);
}

static void bench_wake(void) {
    bed *b = share(4096);
    cove_stream *there, *back;
    char data[64] = {0};
    uint32_t rounds = bench_is_quick ? 300 : 2000;
    samples s[2] = {{.each = calloc(rounds, sizeof(uint64_t))}, {.each = calloc(rounds, sizeof(uint64_t))}};
    cove_stream_options options = {.capacity_bytes = 64, .start = COVE_START_NEW};
    bench_title("There and back between sleepers, halved; against a bare futex");
    MUST(cove_stream_open(&there, "there", &options));
    MUST(cove_stream_open(&back, "back", &options));
    fflush(NULL);
    pid_t pid = fork();
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin_to(1);
        MUST(cove_stream_open(&there, "there", &options));
        MUST(cove_stream_open(&back, "back", &options));
        atomic_store(&b->asleep_since, 1);
        for (uint32_t n = 1; n <= rounds; n++) {
            futex_receive(b, 0, n);
            futex_send(b, 1);
            MUST(cove_stream_read(there, data, sizeof data, NULL, COVE_FOREVER));
            MUST(cove_stream_write(back, data, sizeof data, 0, COVE_FOREVER));
        }
        _exit(0);
    }
    pin_to(0);
    while (!atomic_load(&b->asleep_since))
        usleep(100);
    for (uint32_t n = 1; n <= rounds; n++) {
        usleep(150); /* until the other sleeps */
        uint64_t began = clock_now();
        futex_send(b, 0);
        futex_receive(b, 1, n);
        s[0].each[s[0].count++] = clock_now() - began;
        usleep(150);
        began = clock_now();
        MUST(cove_stream_write(there, data, sizeof data, 0, COVE_FOREVER));
        MUST(cove_stream_read(back, data, sizeof data, NULL, COVE_FOREVER));
        s[1].each[s[1].count++] = clock_now() - began;
    }
    waitpid(pid, NULL, 0);
    bench_figure("stream.wake.p50", percentile(&s[1], 0.5) / 1000, "us", percentile(&s[0], 0.5) / 1000, 1.1);
    free(s[0].each);
    free(s[1].each);
    cove_stream_close(there);
    cove_stream_close(back);
    munmap(b, 4096);
}

/* ---- Memory. */

static void bench_memory(void) {
    cove_stream *stream;
    cove_stream_info info;
    cove_object_info object;
    bench_title("Memory of a stream of 16 values of 1 MiB, 2 loans, 2 borrows: (depth + loans + borrows) x (value + header, rounded)");
    MUST(cove_stream_open(&stream, "memory", &(cove_stream_options){.capacity_bytes = 1 << 20, .depth = 16, .loans = 2, .borrows = 2}));
    MUST(cove_stream_get_info(stream, &info));
    MUST(cove_inspect_object(NULL, "memory", &object));
    bench_figure("stream.memory", (double)object.allocated_bytes / 1024, "KiB", 20 * (double)info.buffer_bytes / 1024, 1.01);
    cove_stream_close(stream);
}

void bench_stream(void) {
    bench_latency();
    bench_flow();
    bench_idle();
    bench_wake();
    bench_memory();
}

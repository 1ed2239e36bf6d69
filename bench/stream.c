/* Streams, between two processes on two processors. Each figure stands beside a floor that is measured in the same rounds: a cache line
 * that is bounced by spinning, and a bare slot: a shared ring whose slots hold a sequence and a payload, and nothing else. */
#define _GNU_SOURCE
#include "pair.h"

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Two processes, there and back. */

typedef struct table {
    payload is;
    _Atomic uint64_t *line[2];
    cove_stream *stream[2];
} table;

enum { LINE, SLOT, COPY, IN_PLACE };

/* One value to the other side over channel `c`. */
static void send_value(void *context, int w, int c, uint64_t n) {
    table *t = context;
    cove_loan loan;
    switch (w) {
    case LINE: atomic_store_explicit(t->line[c], n, memory_order_release); break;
    case SLOT: bare_write(&t->is.slot[c], n, t->is.from, t->is.size); break;
    case COPY: MUST(cove_stream_write(t->stream[c], t->is.from, t->is.size, 0, COVE_TRY)); break;
    default:
        MUST(cove_stream_loan(t->stream[c], t->is.size, &loan, COVE_TRY));
        memcpy(loan.data, t->is.from, 64);
        MUST(cove_stream_publish(t->stream[c], &loan, COVE_TRY));
    }
}

static void receive_value(void *context, int w, int c, uint64_t n) {
    table *t = context;
    cove_value value;
    cove_result result;
    switch (w) {
    case LINE:
        while (atomic_load_explicit(t->line[c], memory_order_acquire) != n)
            ;
        break;
    case SLOT: bare_read(&t->is.slot[c], n, t->is.to, t->is.size); break;
    case COPY:
        while ((result = cove_stream_read(t->stream[c], t->is.to, t->is.size, NULL, COVE_TRY)) == COVE_ERR_EMPTY)
            ;
        MUST(result);
        break;
    default:
        while ((result = cove_stream_borrow(t->stream[c], &value, COVE_TRY)) == COVE_ERR_EMPTY)
            ;
        MUST(result);
        memcpy(t->is.to, value.data, 64);
        MUST(cove_stream_give_back(t->stream[c], &value));
    }
}

static void open_streams(void *context) {
    table *t = context;
    for (int c = 0; c < 2; c++)
        MUST(cove_stream_open(&t->stream[c], c ? "back" : "there",
                              &(cove_stream_options){.capacity_bytes = t->is.size, .start = COVE_START_NEW, .prefault = true}));
}

static void ping_pong(size_t size, double out_in_place[1]) {
    char name[64];
    table t = {.is = payload_make(size)};
    samples s[WAYS_MAX] = {0};
    for (int c = 0; c < 2; c++)
        t.line[c] = share(4096);
    unsigned used = 1u << LINE | 1u << SLOT | 1u << COPY | (size < 64 ? 0 : 1u << IN_PLACE);
    payload_play(&(pair){open_streams, send_value, receive_value, &t}, used, size, s);
    snprintf(name, sizeof name, "stream.one_way.p50.bytes_%zu", size);
    bench_figure(name, samples_typical(&s[COPY]), "ns", samples_typical(&s[SLOT]), 1.10);
    printf("%-52s line %.0f  slot %.0f/%.0f/%.0f  stream %.0f/%.0f/%.0f ns\n", "    bounced line; p50/p99/p99.9 of all rounds",
           samples_typical(&s[LINE]), samples_percentile(&s[SLOT], 0.5), samples_percentile(&s[SLOT], 0.99),
           samples_percentile(&s[SLOT], 0.999), samples_percentile(&s[COPY], 0.5), samples_percentile(&s[COPY], 0.99),
           samples_percentile(&s[COPY], 0.999));
    out_in_place[0] = samples_typical(&s[IN_PLACE]);
    for (int w = 0; w < WAYS_MAX; w++)
        free(s[w].each);
    for (int c = 0; c < 2; c++) {
        cove_stream_close(t.stream[c]);
        munmap((void *)(uintptr_t)t.line[c], 4096);
    }
    payload_drop(&t.is);
}

static void bench_latency(void) {
    double in_place[PAYLOAD_SIZES] = {0};
    bench_title("One way between two processes, payload written and read on both sides; against a bare slot");
    for (int i = 0; i < PAYLOAD_SIZES; i++)
        ping_pong(payload_sizes[i], &in_place[i]);
    bench_title("In place: loan, touch one line, publish; borrow, read one line, give back; against the same at 64 bytes");
    bench_figure("stream.in_place.p50.bytes_65536", in_place[4], "ns", in_place[2], 1.10);
    bench_figure("stream.in_place.p50.bytes_1048576", in_place[5], "ns", in_place[2], 1.10);
}

/* ---- Values per second, to one reader for whom the writer waits. */

#define DEPTH 1024u

typedef struct flow {
    unsigned flags;
    size_t size;
    bare ring;
    uint64_t at;
    cove_stream *stream;
    char *from, *to;
} flow;

static void flow_open(void *context, bool is_reader) {
    flow *f = context;
    cove_stream_options options = {.capacity_bytes = 64, .depth = DEPTH, .start = COVE_START_NEW, .prefault = true};
    options.flags = is_reader ? 0 : f->flags;
    options.follow = is_reader ? COVE_FOLLOW_LOSSLESS : COVE_FOLLOW_ALL;
    MUST(cove_stream_open(&f->stream, "flow", &options));
}

static void flow_write(void *context, int w, uint64_t count) {
    flow *f = context;
    uint64_t known = 0;
    for (uint64_t i = 0; i < count; i++) {
        if (w == 0) {
            uint64_t n = ++f->at;
            while (n - known > DEPTH)
                known = atomic_load_explicit(f->ring.read, memory_order_acquire);
            bare_write(&f->ring, n, f->from, f->size);
        } else {
            MUST(cove_stream_write(f->stream, f->from, f->size, 0, COVE_FOREVER));
        }
    }
}

static void flow_read(void *context, int w, uint64_t count) {
    flow *f = context;
    cove_result result;
    for (uint64_t i = 0; i < count; i++) {
        if (w == 0) {
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
    if (w == 0)
        atomic_store_explicit(f->ring.read, f->at, memory_order_release);
}

/* Nanoseconds for one value, of the bare ring and of the stream. */
static void measure_flow(unsigned flags, double out_ns[WAYS_MAX]) {
    flow f = {.flags = flags, .size = 64, .from = aligned_alloc(64, 64), .to = aligned_alloc(64, 64), .ring = bare_make(64, DEPTH)};
    memset(f.from, 5, 64);
    flow_play(&(flow_side){flow_open, flow_write, flow_read, &f}, 3, 400000, out_ns);
    cove_stream_close(f.stream);
    bare_drop(&f.ring);
    free(f.from);
    free(f.to);
}

static void bench_flow(void) {
    double ns[WAYS_MAX];
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
        bench_pin(bench_processor(1));
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
    bench_pin(bench_processor(0));
    while (!atomic_load(&b->asleep_since))
        usleep(100);
    for (uint32_t n = 1; n <= rounds; n++) {
        usleep(150); /* until the other sleeps */
        uint64_t began = bench_now_ns();
        futex_send(b, 0);
        futex_receive(b, 1, n);
        s[0].each[s[0].count++] = bench_now_ns() - began;
        usleep(150);
        began = bench_now_ns();
        MUST(cove_stream_write(there, data, sizeof data, 0, COVE_FOREVER));
        MUST(cove_stream_read(back, data, sizeof data, NULL, COVE_FOREVER));
        s[1].each[s[1].count++] = bench_now_ns() - began;
    }
    waitpid(pid, NULL, 0);
    bench_figure("stream.wake.p50", samples_percentile(&s[1], 0.5) / 1000, "us", samples_percentile(&s[0], 0.5) / 1000, 1.1);
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

/* Queues, between processes on two processors. Each figure stands beside what is measured in the same rounds: a bare slot, a bare ring of
 * one producer and one consumer, a ring under a mutex. What others have for the same work is in peers.c. */
#define _GNU_SOURCE
#include "pair.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- One way, there and back. */

typedef struct table {
    payload is;
    cove_queue *queue[2];
} table;

enum { SLOT, COPY, IN_PLACE };

static void send_message(void *context, int w, int c, uint64_t n) {
    table *t = context;
    cove_loan loan;
    switch (w) {
    case SLOT: bare_write(&t->is.slot[c], n, t->is.from, t->is.size); break;
    case COPY: MUST(cove_queue_push(t->queue[c], t->is.from, t->is.size, 0, COVE_TRY)); break;
    default:
        MUST(cove_queue_reserve(t->queue[c], t->is.size, &loan, COVE_TRY));
        memcpy(loan.data, t->is.from, 64);
        MUST(cove_queue_commit(t->queue[c], &loan, COVE_TRY));
    }
}

static void receive_message(void *context, int w, int c, uint64_t n) {
    table *t = context;
    cove_message message;
    cove_result result;
    switch (w) {
    case SLOT: bare_read(&t->is.slot[c], n, t->is.to, t->is.size); break;
    case COPY:
        while ((result = cove_queue_pop(t->queue[c], t->is.to, t->is.size, NULL, COVE_TRY)) == COVE_ERR_EMPTY)
            ;
        MUST(result);
        break;
    default:
        while ((result = cove_queue_take(t->queue[c], &message, COVE_TRY)) == COVE_ERR_EMPTY)
            ;
        MUST(result);
        memcpy(t->is.to, message.data, 64);
        MUST(cove_queue_done(t->queue[c], &message));
    }
}

static void open_queues(void *context) {
    table *t = context;
    for (int c = 0; c < 2; c++)
        MUST(cove_queue_open(&t->queue[c], c ? "back" : "there",
                             &(cove_queue_options){.capacity_bytes = t->is.size, .depth = 16, .prefault = true}));
}

static void ping_pong(size_t size, double out_in_place[1]) {
    char name[64];
    table t = {.is = payload_make(size)};
    samples s[WAYS_MAX] = {0};
    unsigned used = 1u << SLOT | 1u << COPY | (size < 64 ? 0 : 1u << IN_PLACE);
    payload_play(&(pair){open_queues, send_message, receive_message, &t}, used, size, s);
    snprintf(name, sizeof name, "queue.one_way.p50.bytes_%zu", size);
    bench_figure(name, samples_typical(&s[COPY]), "ns", samples_typical(&s[SLOT]), 1.30);
    out_in_place[0] = samples_typical(&s[IN_PLACE]);
    for (int w = 0; w < WAYS_MAX; w++)
        free(s[w].each);
    for (int c = 0; c < 2; c++)
        cove_queue_close(t.queue[c]);
    payload_drop(&t.is);
}

static void bench_latency(void) {
    double in_place[PAYLOAD_SIZES] = {0};
    bench_title("One way between two processes, payload written and read on both sides; against a bare slot");
    for (int i = 0; i < PAYLOAD_SIZES; i++)
        ping_pong(payload_sizes[i], &in_place[i]);
    bench_title("In place: reserve, touch one line, commit; take, read one line, done; against the same at 64 bytes");
    bench_figure("queue.in_place.p50.bytes_65536", in_place[4], "ns", in_place[2], 1.10);
    bench_figure("queue.in_place.p50.bytes_1048576", in_place[5], "ns", in_place[2], 1.10);
}

/* ---- Messages per second, one producer and one consumer. */

#define DEPTH 1024u
#define RUN 32u
#define SIZE 32u

typedef struct flow {
    bare ring;
    uint64_t at;
    cove_queue *queue, *declared;
    char data[RUN][SIZE];
    cove_message run[RUN];
} flow;

enum { RING, SINGLY, RUNS, DECLARED, DECLARED_RUNS };

static void flow_open(void *context, bool is_reader) {
    flow *f = context;
    cove_queue_options options = {.capacity_bytes = SIZE, .depth = DEPTH, .prefault = true};
    MUST(cove_queue_open(&f->queue, "flow", &options));
    options.flags = is_reader ? COVE_QUEUE_ONLY_CONSUMER : COVE_QUEUE_ONLY_PRODUCER;
    MUST(cove_queue_open(&f->declared, "declared", &options));
    for (uint32_t i = 0; i < RUN; i++)
        f->run[i] = (cove_message){.data = f->data[i], .length_bytes = SIZE};
}

static void flow_write(void *context, int w, uint64_t count) {
    flow *f = context;
    uint64_t known = 0;
    uint32_t done;
    cove_queue *queue = w >= DECLARED ? f->declared : f->queue;
    for (uint64_t i = 0; i < count;) {
        if (w == RING) {
            uint64_t n = ++f->at;
            while (n - known > DEPTH)
                known = atomic_load_explicit(f->ring.read, memory_order_acquire);
            bare_write(&f->ring, n, f->data, SIZE);
            i++;
        } else if (w == RUNS || w == DECLARED_RUNS) {
            MUST(cove_queue_push_many(queue, f->run, RUN, &done, COVE_FOREVER));
            i += RUN;
        } else {
            MUST(cove_queue_push(queue, f->data, SIZE, 0, COVE_FOREVER));
            i++;
        }
    }
}

static void flow_read(void *context, int w, uint64_t count) {
    flow *f = context;
    cove_result result;
    uint32_t done;
    cove_queue *queue = w >= DECLARED ? f->declared : f->queue;
    for (uint64_t i = 0; i < count;) {
        if (w == RING) {
            uint64_t n = ++f->at;
            bare_read(&f->ring, n, f->data, SIZE);
            if (n % 32 == 0)
                atomic_store_explicit(f->ring.read, n, memory_order_release);
            i++;
        } else if (w == RUNS || w == DECLARED_RUNS) {
            while ((result = cove_queue_pop_many(queue, f->data, sizeof f->data, f->run, RUN, &done, COVE_TRY)) == COVE_ERR_EMPTY)
                ;
            MUST(result);
            i += done;
        } else {
            while ((result = cove_queue_pop(queue, f->data, SIZE, NULL, COVE_TRY)) == COVE_ERR_EMPTY)
                ;
            MUST(result);
            i++;
        }
    }
    if (w == RING)
        atomic_store_explicit(f->ring.read, f->at, memory_order_release);
}

static void bench_flow(void) {
    double ns[WAYS_MAX];
    flow *f = calloc(1, sizeof *f);
    f->ring = bare_make(SIZE, DEPTH);
    bench_title("Time for one message of 32 bytes at full speed; against a bare ring of one producer and one consumer");
    flow_play(&(flow_side){flow_open, flow_write, flow_read, f}, 31, 320000, ns);
    bench_figure("queue.flow.singly", ns[SINGLY], "ns", ns[RING], 1 / 0.3);
    bench_figure("queue.flow.runs_of_32", ns[RUNS], "ns", ns[RING], 1 / 0.8);
    bench_figure("queue.flow.declared", ns[DECLARED], "ns", ns[RING], 1 / 0.6);
    bench_figure("queue.flow.declared_runs_of_32", ns[DECLARED_RUNS], "ns", ns[RING], 1 / 0.8);
    printf("%-52s %.1f, %.1f, %.1f, %.1f of %.1f million messages a second\n", "    singly, runs, declared, both, bare ring",
           1e3 / ns[SINGLY], 1e3 / ns[RUNS], 1e3 / ns[DECLARED], 1e3 / ns[DECLARED_RUNS], 1e3 / ns[RING]);
    cove_queue_close(f->queue);
    cove_queue_close(f->declared);
    bare_drop(&f->ring);
    free(f);
}

/* ---- Many on both sides; against a ring under a mutex. */

typedef struct locked {
    pthread_mutex_t mutex;
    pthread_cond_t change;
    uint64_t head, tail;
    char slot[DEPTH][SIZE];
} locked;

static locked *locked_make(void) {
    locked *l = share(sizeof *l);
    pthread_mutexattr_t of_mutex;
    pthread_condattr_t of_condition;
    pthread_mutexattr_init(&of_mutex);
    pthread_mutexattr_setpshared(&of_mutex, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&l->mutex, &of_mutex);
    pthread_condattr_init(&of_condition);
    pthread_condattr_setpshared(&of_condition, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&l->change, &of_condition);
    return l;
}

static void locked_push(locked *l, const void *data) {
    pthread_mutex_lock(&l->mutex);
    while (l->tail - l->head == DEPTH)
        pthread_cond_wait(&l->change, &l->mutex);
    memcpy(l->slot[l->tail++ % DEPTH], data, SIZE);
    pthread_cond_broadcast(&l->change);
    pthread_mutex_unlock(&l->mutex);
}

static void locked_pop(locked *l, void *data) {
    pthread_mutex_lock(&l->mutex);
    while (l->tail == l->head)
        pthread_cond_wait(&l->change, &l->mutex);
    memcpy(data, l->slot[l->head++ % DEPTH], SIZE);
    pthread_cond_broadcast(&l->change);
    pthread_mutex_unlock(&l->mutex);
}

static double crowd(int each, locked *l, uint64_t count) {
    _Atomic uint32_t *gate = share(4096);
    pid_t pid[16];
    for (int i = 0; i < 2 * each; i++)
        if (!(pid[i] = fork())) {
            cove_queue *queue = NULL;
            char data[SIZE] = {0};
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (!l)
                MUST(cove_queue_open(&queue, "crowd", NULL));
            atomic_fetch_add(gate, 1);
            while (!(atomic_load(gate) & 0x1000))
                usleep(100);
            for (uint64_t n = 0; n < count; n++) {
                cove_result result = COVE_OK;
                if (l && i % 2)
                    locked_push(l, data);
                else if (l)
                    locked_pop(l, data);
                else if (i % 2)
                    result = cove_queue_push(queue, data, SIZE, 0, COVE_FOREVER);
                else
                    result = cove_queue_pop(queue, data, SIZE, NULL, COVE_FOREVER);
                MUST(result);
            }
            _exit(0);
        }
    while (atomic_load(gate) != (uint32_t)(2 * each))
        usleep(100);
    uint64_t began = bench_now_ns();
    atomic_fetch_or(gate, 0x1000);
    for (int i = 0; i < 2 * each; i++)
        waitpid(pid[i], NULL, 0);
    double ns = (double)(bench_now_ns() - began) / (double)count / each;
    munmap((void *)(uintptr_t)gate, 4096);
    return ns;
}

static void bench_crowd(void) {
    char name[64];
    cove_queue *queue;
    bench_title("Time for one message of 32 bytes, many producers and consumers who sleep; against a ring under a mutex");
    MUST(cove_queue_open(&queue, "crowd", &(cove_queue_options){.capacity_bytes = SIZE, .depth = DEPTH, .loans = 16, .holds = 16}));
    locked *l = locked_make();
    for (int each = 1; each <= 4; each *= 2) {
        double best[2] = {0};
        for (int turn = 0; turn < (bench_is_quick ? 4 : 10); turn++) {
            double ns = crowd(each, turn % 2 ? l : NULL, 100000);
            best[turn % 2] = best[turn % 2] == 0 || ns < best[turn % 2] ? ns : best[turn % 2];
        }
        snprintf(name, sizeof name, "queue.crowd.%d_to_%d", each, each);
        bench_figure(name, best[0], "ns", best[1], 1.0);
    }
    cove_queue_close(queue);
    munmap(l, sizeof *l);
}

void bench_queue(void) {
    bench_latency();
    bench_flow();
    bench_crowd();
}

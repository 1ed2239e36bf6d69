/* Two processes on two processors: there and back in turns, or a flow one way; and the bare things that objects are compared with. */
#ifndef COVE_BENCH_PAIR_H
#define COVE_BENCH_PAIR_H

#include "bench.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/types.h>

void *share(size_t bytes); /* zeroed, with every child */

/* ---- A bare slot, and a ring of them: a sequence and a payload, and nothing else. */

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

bare bare_make(size_t size, uint32_t slots);
void bare_drop(bare *b);

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

/* ---- There and back. */

typedef struct samples {
    uint64_t *each;
    uint32_t count;
    double p50[64]; /* of each round */
    uint32_t rounds;
} samples;

/* The median of the rounds' medians: how fast a cache line moves differs from round to round, for all alike. */
double samples_typical(samples *s);
double samples_percentile(samples *s, double p);

/* What is sent to and fro. `way` tells which of the ways that are compared, `channel` 0 there, 1 back, `n` counts what a channel and way
 * has sent. `open` is called in both processes. */
typedef struct pair {
    void (*open)(void *context);
    void (*send)(void *context, int way, int channel, uint64_t n);
    void (*receive)(void *context, int way, int channel, uint64_t n);
    void *context;
} pair;
#define WAYS_MAX 8

/* Rounds of `count` exchanges in turns, each way in each round; ways that `used` has a bit for. One sample is there and back. */
void pair_play(const pair *p, unsigned used, uint32_t rounds, uint32_t count, samples out[WAYS_MAX]);

/* What is sent, from where and to where, and the bare slots beside it; the sizes that are measured. */
typedef struct payload {
    size_t size;
    char *from, *to;
    bare slot[2];
} payload;
#define PAYLOAD_SIZES 6
extern const size_t payload_sizes[PAYLOAD_SIZES]; /* 8 B to 1 MiB */
payload payload_make(size_t size);
void payload_drop(payload *p);
/* pair_play in as many rounds as suit the size. */
void payload_play(const pair *p, unsigned used, size_t size, samples out[WAYS_MAX]);

/* ---- One way. */

typedef struct flow_side {
    void (*open)(void *context, bool is_reader);
    void (*write)(void *context, int way, uint64_t count);
    void (*read)(void *context, int way, uint64_t count);
    void *context;
} flow_side;

/* The least time for one value, of each way, in rounds that take turns. */
void flow_play(const flow_side *f, unsigned used, uint64_t count, double out_ns[WAYS_MAX]);

#endif

/* What can be done at best where nothing survives and nothing is checked: a slot with a sequence in it, a ring of such slots of one producer
 * and one consumer, and a futex to sleep on. With 8 bytes it is a cache line that goes to and fro. */
#define _GNU_SOURCE
#include "mapping.h"

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

const unsigned peer_modes = 1u << PEER_POLL | 1u << PEER_BLOCK | 1u << PEER_IN_PLACE | 1u << PEER_BATCH;

typedef struct slot {
    _Atomic uint64_t sequence;
    char payload[];
} slot;

typedef struct channel {
    char *slots;
    size_t stride;
    _Atomic uint64_t *read; /* how far the receiver has come: where a ring is full */
    _Atomic uint32_t *bell, *sleeps;
    uint64_t at, known;
} channel;
static channel channels[2];

bool peer_open(void) {
    size_t stride = (sizeof(slot) + peer.size + 63) & ~(size_t)63, each = 4096 + stride * peer_depth(), all = 2 * each;
    char *memory = mapping_open(all);
    for (int c = 0; c < 2; c++, memory += each)
        channels[c] = (channel){memory + 4096,
                                stride,
                                (_Atomic uint64_t *)(void *)memory,
                                (_Atomic uint32_t *)(void *)(memory + 64),
                                (_Atomic uint32_t *)(void *)(memory + 128),
                                0,
                                0};
    return true;
}

void peer_close(void) {
    mapping_close();
}

static slot *slot_at(const channel *c, uint64_t n) {
    return (slot *)(void *)(c->slots + (n & (peer_depth() - 1)) * c->stride);
}

static slot *next_to_send(channel *c) {
    uint64_t n = ++c->at;
    while (n - c->known > peer_depth())
        c->known = atomic_load_explicit(c->read, memory_order_acquire);
    return slot_at(c, n);
}

static void publish(channel *c, slot *s) {
    atomic_store_explicit(&s->sequence, c->at, memory_order_release);
    if (peer.mode != PEER_BLOCK)
        return;
    atomic_fetch_add(c->bell, 1);
    if (atomic_load(c->sleeps))
        syscall(SYS_futex, c->bell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static slot *next_to_receive(channel *c) {
    slot *s = slot_at(c, ++c->at);
    for (;;) {
        if (atomic_load_explicit(&s->sequence, memory_order_acquire) == c->at)
            return s;
        if (peer.mode != PEER_BLOCK)
            continue;
        atomic_store(c->sleeps, 1);
        uint32_t bell = atomic_load(c->bell);
        if (atomic_load(&s->sequence) != c->at)
            syscall(SYS_futex, c->bell, FUTEX_WAIT, bell, NULL, NULL, 0);
        atomic_store(c->sleeps, 0);
    }
}

static void let_go(const channel *c) {
    if (c->at % 8 == 0 || peer_depth() <= 8)
        atomic_store_explicit(c->read, c->at, memory_order_release);
}

void peer_send(int channel_index, const void *data) {
    channel *c = &channels[channel_index];
    slot *s = next_to_send(c);
    memcpy(s->payload, data, peer.size);
    publish(c, s);
}

void peer_receive(int channel_index, void *data) {
    channel *c = &channels[channel_index];
    memcpy(data, next_to_receive(c)->payload, peer.size);
    let_go(c);
}

void peer_send_in_place(int channel_index, uint64_t word) {
    channel *c = &channels[channel_index];
    slot *s = next_to_send(c);
    memcpy(s->payload, &word, 8);
    publish(c, s);
}

uint64_t peer_receive_in_place(int channel_index) {
    uint64_t word;
    channel *c = &channels[channel_index];
    memcpy(&word, next_to_receive(c)->payload, 8);
    let_go(c);
    return word;
}

void peer_send_batch(const void *data, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        peer_send(0, (const char *)data + i * peer.size);
}

uint32_t peer_receive_batch(void *data, uint32_t most) {
    for (uint32_t i = 0; i < most; i++)
        peer_receive(0, (char *)data + i * peer.size);
    return most;
}

/* The reader-writer lock whose holders may die. docs/protocols/lock-block-wait.md
 *
 *      0  writer    8   bits 0-15 slot + 1 (0: free) · 16 INSIDE · 17 DIRTY · 32-63 generation
 *      8  turn      8   who starves: bits 0-15 slot + 1 (0: nobody) · 16-31 his thread · 32-63 generation
 *     16  gate      4   event: the writer word became free, or the turn changed
 *     20  drain     4   event: a reader left
 *     24          40    reserved
 * and in each member's slot, on that member's own cache line:
 *     hold[0]  pin of copy 0   readers of this member that are in, or trying
 *     hold[1]  pin of copy 1
 *     hold[2]  want            thread of this member that starves, 0: none
 *
 * Who may write what
 *     writer   by compare-and-swap only. Free to me: anybody. Mine to free: I. A dead one's to mine or to free: anybody
 *     pin      the member; when it is dead, who holds its slot's lock byte
 *     want     the same; and whoever has cleared its thread's turn as stale clears it too
 * Invariants
 *     I1  a writer that is INSIDE has seen every pin at zero, or its member dead, since the writer word was its own
 *     I2  DIRTY: a writer died INSIDE, and nobody has declared the bytes repaired. It travels in the same swap as the takeover
 *     I3  turn is politeness: it never says who is inside, and anybody may clear a stale one
 */
#ifndef COVEI_SYNC_RWLOCK_H
#define COVEI_SYNC_RWLOCK_H

#include "sync/event.h"

/* LAYOUT: read by other builds. */
typedef struct covei_rwlock_shm {
    covei_a64 writer;
    covei_a64 turn;
    covei_a32 gate, drain;
    uint32_t reserved[10];
} covei_rwlock_shm;
COVEI_AT(covei_rwlock_shm, turn, 8);
COVEI_AT(covei_rwlock_shm, gate, 16);
COVEI_AT(covei_rwlock_shm, drain, 20);
static_assert(sizeof(covei_rwlock_shm) == 64, "one cache line");

#define COVEI_HOLD_PIN 0 /* and 1 */
#define COVEI_HOLD_WANT 2

#define COVEI_WRITER_SLOT UINT64_C(0xffff)
#define COVEI_WRITER_INSIDE (UINT64_C(1) << 16)
#define COVEI_WRITER_DIRTY (UINT64_C(1) << 17)

static inline bool covei_writer_is_free(uint64_t writer) {
    return !(writer & COVEI_WRITER_SLOT);
}
static inline uint32_t covei_writer_slot(uint64_t writer) {
    return (uint32_t)(writer & COVEI_WRITER_SLOT) - 1;
}
static inline uint32_t covei_writer_generation(uint64_t writer) {
    return (uint32_t)(writer >> 32);
}

static inline covei_a32 *covei_pin(const covei_member *member, unsigned copy) {
    return &covei_member_slot(member)->hold[COVEI_HOLD_PIN + copy];
}

/* ---- The fast paths stand here, so that a lock call is one function; what waits is in rwlock.c. */

static inline uint64_t covei_writer_word(const covei_member *member) {
    return (uint64_t)covei_load_relaxed(&member->generation) << 32 | (covei_load_relaxed(&member->slot) + 1);
}

/* WRITER WORD 1: free, to mine. CRASH: killed after the swap: found by the slot it names, and taken over. */
static inline bool covei_writer_try(covei_member *member, covei_rwlock_shm *lock, uint64_t seen, bool *out_dirty) {
    *out_dirty = seen & COVEI_WRITER_DIRTY;
    return covei_cas_seqcst(&lock->writer, &seen, covei_writer_word(member) | (seen & COVEI_WRITER_DIRTY));
}

cove_result covei_writer_acquire_slowly(covei_member *member, covei_rwlock_shm *lock, cove_time_ns deadline_ns, bool *out_dirty);

/* Takes the writer word, from the dead too. Keeps no reader out of a two-copy block, and nobody new out of a single-copy one's
 * bytes until covei_writer_drain has returned.
 * COVE_OK · COVE_ERR_TIMEOUT · COVE_ERR_INTERRUPTED · COVE_ERR_LOST; told. *out_dirty as in I2. */
static inline cove_result covei_writer_acquire(covei_member *member, covei_rwlock_shm *lock, cove_time_ns deadline_ns, bool *out_dirty) {
    uint64_t seen = covei_load_relaxed(&lock->writer); /* only a guess; the swap decides */
    if (covei_likely(covei_writer_is_free(seen) && !covei_load_relaxed(&lock->turn) && covei_writer_try(member, lock, seen, out_dirty)))
        return COVE_OK;
    return covei_writer_acquire_slowly(member, lock, deadline_ns, out_dirty);
}

cove_result covei_writer_drain_slowly(covei_member *member, covei_rwlock_shm *lock, unsigned copy, cove_time_ns deadline_ns);

/* Waits until every member has been seen without a pin on `copy`, or dead. Told, except COVE_OK. The word stays taken.
 *
 * The occupied bit of a member stands before its first pin, and the pin before its look at the writer word (or the sequence);
 * ours was changed before we look at the bits. So whoever is not seen here has seen us. PAIR pin
 * Slots that are not occupied have no pins, so where they lie close together all are looked at without asking which. */
static inline cove_result covei_writer_drain(covei_member *member, covei_rwlock_shm *lock, unsigned copy, cove_time_ns deadline_ns) {
    const covei_slot_shm *slot = member->slots;
    uint32_t pins = 0;
    for (uint32_t base = 0; base < member->slot_count; base += 64, slot += 64) {
        uint64_t occupied = covei_load_seqcst(&member->header->occupied[base / 64]);
        if (covei_likely(!occupied))
            continue;
        uint32_t end = 64 - (uint32_t)__builtin_clzll(occupied), left = member->slot_count - base;
        end = end < left ? end : left; /* bits beyond the table: nobody honest set them */
        for (uint32_t i = 0; i < end; i++)
            pins |= covei_load_seqcst(&slot[i].hold[COVEI_HOLD_PIN + copy]);
    }
    return covei_likely(!pins) ? COVE_OK : covei_writer_drain_slowly(member, lock, copy, deadline_ns);
}

/* From now on a death is an edit that was left half done. */
static inline void covei_writer_enter(covei_member *member, covei_rwlock_shm *lock, bool dirty) {
    /* Relaxed: the word is ours, and a death is seen through the kernel, which orders all we stored before it. */
    covei_store_relaxed(&lock->writer, covei_writer_word(member) | COVEI_WRITER_INSIDE | (dirty ? COVEI_WRITER_DIRTY : 0));
}

cove_result covei_writer_lost(covei_member *member, uint64_t seen);

static inline bool covei_writer_is_mine(const covei_member *member, uint64_t writer) {
    return (writer & ~(COVEI_WRITER_INSIDE | COVEI_WRITER_DIRTY)) == covei_writer_word(member);
}

/* Whether the word is ours: before anything is published under it. COVE_ERR_DAMAGED; told. */
static inline cove_result covei_writer_check(covei_member *member, const covei_rwlock_shm *lock) {
    uint64_t seen = covei_load_relaxed(&lock->writer);
    return covei_likely(covei_writer_is_mine(member, seen)) ? COVE_OK : covei_writer_lost(member, seen);
}

/* Gives the word back. COVE_ERR_DAMAGED: it was no longer ours, and is left as it is.
 * CRASH: killed after the swap, before the wake: sleepers look again when their slice ends. */
static inline cove_result covei_writer_release(covei_member *member, covei_rwlock_shm *lock, bool dirty) {
    uint64_t seen = covei_load_relaxed(&lock->writer);
    if (covei_unlikely(!covei_writer_is_mine(member, seen) || !covei_cas_seqcst(&lock->writer, &seen, dirty ? COVEI_WRITER_DIRTY : 0)))
        return covei_writer_lost(member, seen);
    covei_event_wake(&lock->gate);
    return COVE_OK;
}

/* Single copy: in, with nobody writing. COVE_OK · COVE_OWNER_DIED in, and the bytes are DIRTY · errors as covei_writer_acquire. */
cove_result covei_reader_enter(covei_member *member, covei_rwlock_shm *lock, cove_time_ns deadline_ns);
/* False: there was no pin to take back, and there is none now. */
static inline bool covei_reader_leave(covei_member *member, covei_rwlock_shm *lock, unsigned copy) {
    bool had_one = covei_sub_seqcst(covei_pin(member, copy), 1) != 0;
    if (covei_unlikely(!had_one))
        covei_add_seqcst(covei_pin(member, copy), 1);
    covei_event_wake(&lock->drain);
    return had_one;
}

/* Whether the holder of this writer word is alive. */
cove_result covei_writer_is_alive(covei_member *member, uint64_t writer, bool *out_alive);

/* Clears all that slot `slot` holds in the lock; CLEAR of it is held by the caller, or it is the caller's own. */
void covei_rwlock_forget(covei_member *member, covei_rwlock_shm *lock, uint32_t slot);

#endif

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

/* Takes the writer word, from the dead too. Keeps no reader out of a two-copy block, and nobody new out of a single-copy one's
 * bytes until covei_writer_drain has returned.
 * COVE_OK · COVE_ERR_TIMEOUT · COVE_ERR_INTERRUPTED · COVE_ERR_LOST; told. *out_dirty as in I2. */
cove_result covei_writer_acquire(covei_member *member, covei_rwlock_shm *lock, cove_time_ns deadline_ns, bool *out_dirty);

/* Waits until every member has been seen without a pin on `copy`, or dead. Told, except COVE_OK. The word stays taken. */
cove_result covei_writer_drain(covei_member *member, covei_rwlock_shm *lock, unsigned copy, cove_time_ns deadline_ns);

/* From now on a death is an edit that was left half done. */
void covei_writer_enter(covei_member *member, covei_rwlock_shm *lock, bool dirty);

/* Gives the word back. COVE_ERR_DAMAGED: it was no longer ours, and is left as it is. */
cove_result covei_writer_release(covei_member *member, covei_rwlock_shm *lock, bool dirty);

/* Single copy: in, with nobody writing. COVE_OK · COVE_OWNER_DIED in, and the bytes are DIRTY · errors as covei_writer_acquire. */
cove_result covei_reader_enter(covei_member *member, covei_rwlock_shm *lock, cove_time_ns deadline_ns);
static inline void covei_reader_leave(covei_member *member, covei_rwlock_shm *lock, unsigned copy) {
    covei_sub_seqcst(covei_pin(member, copy), 1);
    covei_event_wake(&lock->drain);
}

/* Whether the holder of this writer word is alive. */
cove_result covei_writer_is_alive(covei_member *member, uint64_t writer, bool *out_alive);

/* Clears all that slot `slot` holds in the lock; its lock byte is held by the caller, or it is the caller's own. */
void covei_rwlock_forget(covei_member *member, covei_rwlock_shm *lock, uint32_t slot);

#endif

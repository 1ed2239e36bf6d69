/* One copy, edited in place under the reader-writer lock, with a sequence that is odd meanwhile so that `get` needs no lock.
 *
 * Here, and only here, a death can leave half an edit: the lock is then DIRTY, and stays so until a writer says that the bytes
 * are right again. */
#include "block/block.h"

#include "base/copy.h"
#include "base/error.h"

#define GET_TRIES 3

/* A sequence that stays odd though the lock is free and clean is nobody's doing but a hostile member's: told after so many looks. */
#define ODD_LOOKS 50

/* In, alone. CRASH: before INSIDE: nothing has changed. From INSIDE on: DIRTY, for the next. */
static cove_result begin(cove_block *block, cove_time_ns deadline_ns, bool *out_dirty) {
    covei_block_shm *shared = block->shared;
    cove_result result = covei_writer_acquire(&block->member, &shared->lock, deadline_ns, out_dirty);
    if (covei_unlikely(result != COVE_OK))
        return result;
    result = covei_writer_drain(&block->member, &shared->lock, 0, deadline_ns);
    if (covei_unlikely(result != COVE_OK)) {
        cove_result lost = covei_writer_release(&block->member, &shared->lock, *out_dirty);
        return lost == COVE_OK ? result : lost;
    }
    covei_writer_enter(&block->member, &shared->lock, *out_dirty);
    covei_store_relaxed(&shared->sequence, covei_load_relaxed(&shared->sequence) | 1);
    /* No byte is written before the sequence is odd for all: a get that sees one of them sees that too. PAIR edited */
    covei_fence_release();
    return COVE_OK;
}

/* Out. Where the mark remains the sequence stays odd: no get will take these bytes for a value. */
static cove_result end(cove_block *block, uint64_t length_bytes, bool dirty) {
    covei_block_shm *shared = block->shared;
    covei_store_relaxed(&shared->length[0], length_bytes);
    if (!dirty)
        covei_store_release(&shared->sequence, (covei_load_relaxed(&shared->sequence) | 1) + 1); /* PAIR value */
    cove_result result = covei_writer_release(&block->member, &shared->lock, dirty);
    covei_block_tell_change(block);
    return result;
}

cove_result covei_single_set(cove_block *block, const void *data, uint64_t size_bytes, cove_time_ns deadline_ns) {
    bool dirty;
    cove_result result = begin(block, deadline_ns, &dirty);
    if (covei_unlikely(result != COVE_OK))
        return result;
    covei_copy_in(block->data[0], data, (size_t)size_bytes);
    return end(block, size_bytes, false); /* new as a whole: whatever was half done is gone */
}

cove_result covei_single_lock_write(cove_block *block, cove_block_view *view, cove_time_ns deadline_ns) {
    bool dirty;
    cove_result result = begin(block, deadline_ns, &dirty);
    if (covei_unlikely(result != COVE_OK))
        return result;
    covei_view_fill(block, view, COVEI_HELD_MARK | COVEI_HELD_WRITE | (dirty ? COVEI_HELD_DIRTY : 0), 0, covei_block_version_now(block));
    return dirty ? COVE_OWNER_DIED : COVE_OK;
}

cove_result covei_single_unlock_write(cove_block *block, uint64_t length_bytes, uint64_t held) {
    return end(block, length_bytes, held & COVEI_HELD_DIRTY);
}

cove_result covei_single_lock_read(cove_block *block, cove_block_view *view, cove_time_ns deadline_ns) {
    cove_result result = covei_reader_enter(&block->member, &block->shared->lock, deadline_ns);
    if (result == COVE_OK || result == COVE_OWNER_DIED)
        covei_view_fill(block, view, COVEI_HELD_MARK | COVEI_HELD_READ, 0, covei_block_version_now(block));
    return result;
}

/* COVE_OK: copied, and it is whole. COVE_ERR_TIMEOUT: somebody is inside, or was meanwhile. */
static cove_result try_get(const cove_block *block, void *out_data, uint64_t size_bytes, uint64_t *out_length, uint64_t *out_version) {
    const covei_block_shm *shared = block->shared;
    uint64_t notified = covei_load_acquire(&shared->notified); /* PAIR notified */
    uint64_t sequence = covei_load_acquire(&shared->sequence); /* PAIR value */
    if (sequence & 1)
        return COVE_ERR_TIMEOUT;
    uint64_t length = covei_load_relaxed(&shared->length[0]);
    bool fits = length <= size_bytes && length <= block->shape.capacity_bytes;
    if (covei_likely(fits))
        covei_copy_out(out_data, block->data[0], (size_t)length);
    covei_fence_acquire(); /* PAIR edited */
    if (covei_load_relaxed(&shared->sequence) != sequence)
        return COVE_ERR_TIMEOUT;
    *out_length = length;
    *out_version = (sequence >> 1) + notified;
    if (covei_unlikely(covei_load_relaxed(&shared->lock.writer) & COVEI_WRITER_DIRTY))
        return COVE_ERR_UNREPAIRED; /* a writer died between entering and his first byte: as the lock calls say */
    return covei_likely(fits) ? COVE_OK : length > block->shape.capacity_bytes ? COVE_ERR_DAMAGED : COVE_ERR_SIZE;
}

/* What the last look has seen. */
typedef struct odd_look {
    uint64_t sequence;
    uint32_t count; /* how often in a row the lock was free and the sequence odd, and the same */
} odd_look;

/* Somebody is inside. COVE_OK: he lives, or has just gone. */
static cove_result look_inside(cove_block *block, odd_look *odd) {
    bool alive;
    uint64_t writer = covei_load_seqcst(&block->shared->lock.writer);
    if (writer & COVEI_WRITER_DIRTY)
        return COVE_ERR_UNREPAIRED;
    if (covei_writer_is_free(writer)) {
        uint64_t sequence = covei_load_seqcst(&block->shared->sequence); /* an honest writer may have entered since: then it moves on */
        odd->count = sequence & 1 && sequence == odd->sequence ? odd->count + 1 : 0;
        odd->sequence = sequence;
        return odd->count > ODD_LOOKS ? COVE_ERR_DAMAGED : COVE_OK;
    }
    cove_result result = covei_writer_is_alive(&block->member, writer, &alive);
    if (result != COVE_OK)
        return result;
    if (!alive && covei_load_seqcst(&block->shared->lock.writer) == writer && writer & COVEI_WRITER_INSIDE &&
        covei_load_seqcst(&block->shared->sequence) & 1)
        return COVE_ERR_UNREPAIRED;
    return COVE_OK;
}

/* Under a read lock: for who has been overtaken too often. */
static cove_result get_locked(cove_block *block, void *out_data, uint64_t size_bytes, uint64_t *out_length, uint64_t *out_version,
                              cove_time_ns deadline_ns) {
    cove_result result = covei_reader_enter(&block->member, &block->shared->lock, deadline_ns);
    if (result != COVE_OK && result != COVE_OWNER_DIED)
        return result;
    if (result == COVE_OWNER_DIED) {
        result = COVE_ERR_UNREPAIRED;
    } else {
        uint64_t length = covei_load_relaxed(&block->shared->length[0]);
        *out_length = length;
        *out_version = covei_block_version_now(block);
        result = length > block->shape.capacity_bytes ? COVE_ERR_DAMAGED : length > size_bytes ? COVE_ERR_SIZE : COVE_OK;
        if (result == COVE_OK)
            covei_copy_out(out_data, block->data[0], (size_t)length);
    }
    covei_reader_leave(&block->member, &block->shared->lock, 0);
    return result;
}

cove_result covei_single_get(cove_block *block, void *out_data, uint64_t size_bytes, uint64_t *out_length, uint64_t *out_version,
                             cove_time_ns deadline_ns) {
    covei_member *member = &block->member;
    covei_sleeper sleeper = COVEI_SLEEPER(member, deadline_ns);
    /* Who cannot arm sleeps where all are woken always, if such a place was asked for; else he polls. */
    covei_a32 *event = member->is_read_only && member->wakes_readers ? &block->shared->change : &block->shared->lock.gate;
    odd_look odd = {0};
    cove_result result;
    for (int tries = 0;; tries++) {
        result = try_get(block, out_data, size_bytes, out_length, out_version);
        if (covei_likely(result != COVE_ERR_TIMEOUT))
            break;
        if (covei_sleeper_spins(&sleeper))
            continue;
        if (tries > GET_TRIES && !member->is_read_only) {
            result = look_inside(block, &odd);
            if (result == COVE_OK)
                result = get_locked(block, out_data, size_bytes, out_length, out_version, deadline_ns);
            break;
        }
        uint32_t armed = member->is_read_only ? covei_load_seqcst(event) : covei_event_arm(event);
        if ((result = look_inside(block, &odd)) != COVE_OK)
            break;
        if (!(covei_load_seqcst(&block->shared->sequence) & 1) && tries <= GET_TRIES)
            continue;
        if ((result = covei_sleep(&sleeper, event, armed)) != COVE_OK) {
            result = covei_wait_failed(member, result, "get", "the deadline passed, and a writer was always inside (see who: cove stat)");
            return result;
        }
    }
    if (covei_unlikely(result == COVE_ERR_UNREPAIRED))
        return covei_block_failed(
            block, result, "get",
            "a writer was killed inside, and nobody has repaired the value; set it anew, or lock_write, check it and mark_repaired");
    if (covei_unlikely(result == COVE_ERR_DAMAGED))
        return covei_block_failed(block, result, "get", "its length or its sequence contradicts its lock: somebody overwrote them");
    return result;
}

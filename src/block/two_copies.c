/* Two copies and a sequence: writers fill the copy that is not current, and one store makes it current.
 *
 * Killed anywhere, a writer leaves the old copy current or the new one, whole; nothing needs repair. Readers take no lock: they
 * copy and check, or pin the copy that is current. */
#include "block/block.h"

#include "base/copy.h"
#include "base/error.h"

/* How often a get is overtaken by writers before it pins the copy instead. */
#define GET_TRIES 3

/* A change of the copy that is not current. */
typedef struct change {
    uint64_t k; /* half of the sequence: the copy k & 1 is current */
    unsigned copy;
} change;

/* Steps 1 to 3. On failure nothing is held, and nothing that a reader sees has changed.
 * CRASH: killed anywhere: the sequence may be odd, which says that the spare copy is not to be relied on; nobody does. */
static cove_result begin(cove_block *block, cove_time_ns deadline_ns, change *out_change) {
    covei_block_shm *shared = block->shared;
    bool dirty;
    cove_result result = covei_writer_acquire(&block->member, &shared->lock, deadline_ns, &dirty); /* 1 */
    if (covei_unlikely(result != COVE_OK))
        return result;
    uint64_t sequence = covei_load_relaxed(&shared->sequence); /* the word is ours, so nobody else changes it */
    change c = {sequence >> 1, ((sequence >> 1) + 1) & 1};
    /* 2: announced before the pins are looked at; a reader pins before he looks at the sequence again. PAIR pin */
    covei_exchange_seqcst(&shared->sequence, sequence | 1);
    result = covei_writer_drain(&block->member, &shared->lock, c.copy, deadline_ns); /* 3 */
    if (covei_unlikely(result != COVE_OK)) {
        cove_result lost = covei_writer_release(&block->member, &shared->lock, false);
        return lost == COVE_OK ? result : lost;
    }
    /* No byte of the copy is written before the announcement is visible: a reader who sees one of them sees it too. PAIR copied */
    covei_fence_release();
    *out_change = c;
    return COVE_OK;
}

/* Steps 5 and 6. CRASH: before the store of the sequence: the old value. After: the new one; sleepers look when their slice ends. */
static cove_result publish(cove_block *block, change c, uint64_t length_bytes) {
    covei_block_shm *shared = block->shared;
    covei_store_relaxed(&shared->length[c.copy], length_bytes);
    covei_store_release(&shared->sequence, 2 * c.k + 2); /* PAIR value: with the acquire of who reads by it. The one commit point */
    cove_result result = covei_writer_release(&block->member, &shared->lock, false); /* its swap also orders this before `change` */
    covei_block_tell_change(block);
    return result;
}

cove_result covei_two_set(cove_block *block, const void *data, uint64_t size_bytes, cove_time_ns deadline_ns) {
    change c;
    cove_result result = begin(block, deadline_ns, &c);
    if (covei_unlikely(result != COVE_OK))
        return result;
    covei_copy_in(block->data[c.copy], data, (size_t)size_bytes);
    return publish(block, c, size_bytes);
}

/* Without a lock. True when what was copied is one whole value. *out_length is set in any case, and checked. */
static bool copy_current(const cove_block *block, void *out_data, uint64_t size_bytes, uint64_t *out_length, uint64_t *out_version) {
    const covei_block_shm *shared = block->shared;
    uint64_t notified = covei_load_acquire(&shared->notified); /* first: what is told after this is a change for who waits. PAIR notified */
    uint64_t sequence = covei_load_acquire(&shared->sequence); /* PAIR value */
    uint64_t k = sequence >> 1;
    uint64_t length = covei_load_relaxed(&shared->length[k & 1]);
    if (covei_likely(length <= size_bytes && length <= block->shape.capacity_bytes))
        covei_copy_out(out_data, block->data[k & 1], (size_t)length);
    covei_fence_acquire(); /* PAIR copied */
    *out_length = length;
    *out_version = k + notified;
    /* The copy k & 1 is written again only once the sequence has reached 2k + 3. */
    return covei_load_relaxed(&shared->sequence) - 2 * k <= 2;
}

/* Pins the current copy, without waiting: at most one writer is at work, on the other one.
 * CRASH: killed with one pin or two: as covei_reader_enter. */
static unsigned pin_current(cove_block *block, uint64_t *out_k) {
    covei_member *member = &block->member;
    uint64_t sequence = covei_load_relaxed(&block->shared->sequence); /* only a guess; it is read again with the pin set */
    unsigned copy = (sequence >> 1) & 1;
    covei_add_seqcst(covei_pin(member, copy), 1);
    sequence = covei_load_seqcst(&block->shared->sequence); /* PAIR pin */
    if (covei_unlikely(((sequence >> 1) & 1) != copy)) {
        /* The other copy has become current in between. Now both are pinned before one is let go, so one of them stays. */
        covei_add_seqcst(covei_pin(member, copy ^ 1), 1);
        sequence = covei_load_seqcst(&block->shared->sequence); /* PAIR pin */
        copy = (sequence >> 1) & 1;
        covei_reader_leave(member, &block->shared->lock, copy ^ 1);
    }
    *out_k = sequence >> 1;
    return copy;
}

static cove_result get_pinned(cove_block *block, void *out_data, uint64_t size_bytes, uint64_t *out_length, uint64_t *out_version) {
    uint64_t k, notified = covei_load_acquire(&block->shared->notified); /* PAIR notified */
    unsigned copy = pin_current(block, &k);
    uint64_t length = covei_load_relaxed(&block->shared->length[copy]);
    *out_length = length;
    *out_version = k + notified;
    cove_result result = length > block->shape.capacity_bytes ? COVE_ERR_DAMAGED : length > size_bytes ? COVE_ERR_SIZE : COVE_OK;
    if (result == COVE_OK)
        covei_copy_out(out_data, block->data[copy], (size_t)length);
    covei_reader_leave(&block->member, &block->shared->lock, copy);
    return result;
}

static cove_result tell_damage(cove_block *block, uint64_t length) {
    covei_error_about(block->member.domain->path, block->member.name);
    return covei_fail(COVE_ERR_DAMAGED, 0, "get", "its length says %llu bytes, and its capacity is %llu", (unsigned long long)length,
                      (unsigned long long)block->shape.capacity_bytes);
}

cove_result covei_two_get(cove_block *block, void *out_data, uint64_t size_bytes, uint64_t *out_length, uint64_t *out_version,
                          cove_time_ns deadline_ns) {
    covei_sleeper sleeper = COVEI_SLEEPER(&block->member, deadline_ns);
    cove_result result;
    uint32_t seen = 0;
    for (int tries = 0;; tries++) {
        if (covei_unlikely(tries >= GET_TRIES))
            seen = covei_load_seqcst(&block->shared->change); /* before the look: what changes after it ends a sleep */
        if (covei_likely(copy_current(block, out_data, size_bytes, out_length, out_version))) {
            result = *out_length > block->shape.capacity_bytes ? COVE_ERR_DAMAGED : *out_length > size_bytes ? COVE_ERR_SIZE : COVE_OK;
            break;
        }
        if (tries < GET_TRIES) {
            covei_relax();
        } else if (!block->member.is_read_only) {
            result = get_pinned(block, out_data, size_bytes, out_length, out_version);
            break;
        } else if ((result = covei_sleep(&sleeper, &block->shared->change, seen)) != COVE_OK) {
            return covei_wait_failed(&block->member, result, "get",
                                     "the deadline passed, and a writer was always inside (see who: cove stat)");
        }
    }
    return covei_unlikely(result == COVE_ERR_DAMAGED) ? tell_damage(block, *out_length) : result;
}

cove_result covei_two_lock_read(cove_block *block, cove_block_view *view) {
    uint64_t k, notified = covei_load_acquire(&block->shared->notified); /* PAIR notified */
    unsigned copy = pin_current(block, &k);
    covei_view_fill(block, view, COVEI_HELD_MARK | COVEI_HELD_READ, copy, k + notified);
    return COVE_OK;
}

cove_result covei_two_lock_write(cove_block *block, cove_block_view *view, cove_time_ns deadline_ns) {
    change c;
    cove_result result = begin(block, deadline_ns, &c);
    if (covei_unlikely(result != COVE_OK))
        return result;
    uint64_t length = covei_block_length(block, c.copy ^ 1);
    if (!block->is_unfilled)
        covei_copy_in(block->data[c.copy], block->data[c.copy ^ 1], (size_t)length); /* nobody else writes either copy now */
    covei_view_fill(block, view, COVEI_HELD_MARK | COVEI_HELD_WRITE, c.copy, c.k + covei_load_relaxed(&block->shared->notified));
    view->length_bytes = length;
    return COVE_OK;
}

cove_result covei_two_unlock_write(cove_block *block, uint64_t length_bytes, bool publishes, uint64_t held) {
    uint64_t k = covei_load_relaxed(&block->shared->sequence) >> 1; /* ours since `begin` */
    (void)held;
    if (publishes)
        return publish(block, (change){k, (k + 1) & 1}, length_bytes);
    return covei_writer_release(&block->member, &block->shared->lock, false); /* the sequence stays odd, and never steps back */
}

/* What the files of the block folder share.
 *
 *     block.c        the handle, views, waiting, information
 *     two_copies.c   set, get and locks where a spare copy is written and then made the current one
 *     single_copy.c  the same where there is one copy, edited in place
 */
#ifndef COVEI_BLOCK_H
#define COVEI_BLOCK_H

#include "block/block_layout.h"

#include <cove/block.h>

struct cove_block {
    covei_member member;
    covei_block_shape shape;
    covei_block_shm *shared;
    uint8_t *data[2];
    bool is_unfilled;
    covei_watch watch;
};

/* view->held[0] */
#define COVEI_HELD_COPY UINT64_C(1)
#define COVEI_HELD_READ UINT64_C(2)
#define COVEI_HELD_WRITE UINT64_C(4)
#define COVEI_HELD_DIRTY UINT64_C(8)
#define COVEI_HELD_MARK UINT64_C(0xc0fe5e1d00000000)
#define COVEI_HELD_MARK_MASK UINT64_C(0xffffffff00000000)

/* Attached, and allowed to write where `writes`; told. */
cove_result covei_block_enter_slowly(cove_block *block, bool writes, const char *step);
static inline cove_result covei_block_enter(cove_block *block, bool writes, const char *step) {
    if (covei_likely(block && covei_process_is(covei_load_acquire(&block->member.epoch)) && /* PAIR revived */
                     !(writes && block->member.is_read_only)))
        return COVE_OK;
    return covei_block_enter_slowly(block, writes, step);
}
static inline cove_result covei_block_failed(cove_block *block, cove_result result, const char *step, const char *sentence) {
    return covei_fail_quick(result, step, &block->member.about, sentence);
}
cove_result covei_block_too_large(cove_block *block, const char *step, uint64_t size_bytes, uint64_t capacity_bytes, const char *of_what);

/* Seqcst: who waits looks at it after arming. PAIR event */
static inline uint64_t covei_block_version_now(const cove_block *block) {
    return (covei_load_seqcst(&block->shared->sequence) >> 1) + covei_load_seqcst(&block->shared->notified);
}

/* A length read from shared memory is anybody's: it is held to the capacity before it is used. */
static inline uint64_t covei_block_length(const cove_block *block, unsigned copy) {
    uint64_t length = covei_load_relaxed(&block->shared->length[copy]);
    return covei_likely(length <= block->shape.capacity_bytes) ? length : block->shape.capacity_bytes;
}

static inline void covei_block_tell_change(cove_block *block) {
    covei_tell(&block->member, &block->shared->change);
}

/* Before the value is looked at: what changes after this rings. PAIR bell */
static inline void covei_block_rearm(cove_block *block) {
    if (covei_watch_is_used(&block->watch))
        covei_watch_rearm(&block->watch);
}
/* After it: where nothing was seen, what rang before has still to be looked at. */
static inline cove_result covei_block_looked(cove_block *block, cove_result result) {
    if (covei_unlikely(result < 0) && covei_watch_is_used(&block->watch))
        covei_watch_touch(&block->watch);
    return result;
}

static inline void covei_view_fill(cove_block *block, cove_block_view *view, uint64_t held, unsigned copy, uint64_t version) {
    view->data = block->data[copy];
    view->capacity_bytes = block->shape.capacity_bytes;
    view->length_bytes = covei_block_length(block, copy);
    view->version = version;
    view->held[0] = held | copy;
    view->held[1] = covei_process_epoch();
}

cove_result covei_two_set(cove_block *block, const void *data, uint64_t size_bytes, cove_time_ns deadline_ns);
cove_result covei_two_get(cove_block *block, void *out_data, uint64_t size_bytes, uint64_t *out_length, uint64_t *out_version,
                          cove_time_ns deadline_ns);
cove_result covei_two_lock_read(cove_block *block, cove_block_view *view);
cove_result covei_two_lock_write(cove_block *block, cove_block_view *view, cove_time_ns deadline_ns);
cove_result covei_two_unlock_write(cove_block *block, uint64_t length_bytes, bool publish, uint64_t held);

cove_result covei_single_set(cove_block *block, const void *data, uint64_t size_bytes, cove_time_ns deadline_ns);
cove_result covei_single_get(cove_block *block, void *out_data, uint64_t size_bytes, uint64_t *out_length, uint64_t *out_version,
                             cove_time_ns deadline_ns);
cove_result covei_single_lock_read(cove_block *block, cove_block_view *view, cove_time_ns deadline_ns);
cove_result covei_single_lock_write(cove_block *block, cove_block_view *view, cove_time_ns deadline_ns);
cove_result covei_single_unlock_write(cove_block *block, uint64_t length_bytes, uint64_t held);

#endif

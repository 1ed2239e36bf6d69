/* Blocks: the handle, options, and everything but the two ways of reading and writing (two_copies.c, single_copy.c). */
#include "block/block.h"

#include "base/checked.h"
#include "base/error.h"
#include "segment/options.h"

#include <cove/inspect.h>
#include <stdlib.h>
#include <string.h>

static void release(covei_member *member, uint32_t slot) {
    covei_rwlock_forget(member, (covei_rwlock_shm *)(void *)member->object, slot);
}

static void revived(covei_member *member) {
    covei_watch_forget(&((cove_block *)member)->watch); /* the member is its first field */
}

static const covei_kind block_kind = {COVE_KIND_BLOCK, "block", release, revived};

/* ---- Shape. */

/* False where it fits in no file. */
static bool plan(uint64_t capacity, bool is_single, covei_block_shape *out_shape, uint64_t *out_object_bytes) {
    uint64_t unit = capacity >= 4096 ? 4096 : 64;
    covei_block_shape shape = {
        .capacity_bytes = capacity, .is_single = is_single, .data_offset = capacity >= 4096 ? 4096 : sizeof(covei_block_shm)};
    uint64_t data_bytes;
    if (!covei_align_up_u64(capacity, unit, &shape.stride_bytes) || !covei_mul_u64(shape.stride_bytes, is_single ? 1 : 2, &data_bytes) ||
        !covei_add_u64(shape.data_offset, data_bytes, out_object_bytes))
        return false;
    *out_shape = shape;
    return true;
}

cove_result covei_block_shape_read(const uint64_t object_fact[4], uint64_t object_bytes, covei_block_shape *out_shape) {
    covei_block_shape shape;
    uint64_t need;
    if (object_fact[1] & ~(uint64_t)COVE_BLOCK_SINGLE || !plan(object_fact[0], object_fact[1] & COVE_BLOCK_SINGLE, &shape, &need) ||
        shape.data_offset != object_fact[2] || shape.stride_bytes != object_fact[3] || need > object_bytes)
        return covei_fail(COVE_ERR_DAMAGED, 0, "read header", "the sizes of the block contradict each other");
    *out_shape = shape;
    return COVE_OK;
}

/* ---- Opening and closing. */

static cove_result check_fit(const void *context, const covei_facts_shm *facts) {
    const cove_block_options *options = context;
    covei_block_shape shape = {0};
    cove_result result = covei_block_shape_read(facts->object_fact, facts->object_bytes, &shape);
    if (result != COVE_OK)
        return result;
    uint64_t want = options->capacity_bytes, have = shape.capacity_bytes;
    if (want && (options->size_rule == COVE_AT_LEAST ? have < want : have != want))
        return covei_fail(COVE_ERR_SIZE, 0, "open", "its capacity is %llu bytes, and %s%llu were asked for", (unsigned long long)have,
                          options->size_rule == COVE_AT_LEAST ? "at least " : "", (unsigned long long)want);
    if (options->flags & COVE_BLOCK_SINGLE && !shape.is_single)
        return covei_fail(COVE_ERR_OPTION, 0, "open", "it keeps two copies, and COVE_BLOCK_SINGLE was asked for");
    return COVE_OK;
}

static void call(covei_watch_fn function, void *context, void *handle);

static bool has_news(void *handle, uint64_t *seen) {
    cove_block *block = handle;
    uint64_t version = covei_block_version_now(block);
    uint64_t now = version ^ (covei_member_is_removed(&block->member) ? UINT64_C(1) << 63 : 0); /* a removal is told once */
    bool is_new = now != *seen;
    *seen = now;
    return is_new;
}

cove_result cove_block_open_sized(cove_block **out_block, const char *name, const cove_block_options *options, size_t options_bytes) {
    cove_block_options o;
    covei_block_shape shape;
    uint64_t object_bytes;
    cove_opened opened = {false, false};
    cove_result result = covei_options_take(name, options, options_bytes, &o, sizeof o);
    if (result != COVE_OK)
        return result;
    if (!out_block)
        return covei_fail(COVE_ERR_ARGUMENT, 0, "open", "there is no place for the handle");
    if (o.flags & ~(COVE_BLOCK_SINGLE | COVE_BLOCK_UNFILLED) || o.reserved_2)
        return covei_fail(COVE_ERR_OPTION, 0, "check options", "flags 0x%x are not known", o.flags);
    if (!plan(o.capacity_bytes, o.flags & COVE_BLOCK_SINGLE, &shape, &object_bytes))
        return covei_fail(COVE_ERR_SIZE, 0, "check options", "no file can hold a block of %llu bytes",
                          (unsigned long long)o.capacity_bytes);
    cove_block *block = malloc(sizeof *block);
    if (!block)
        return covei_fail(COVE_ERR_MEMORY, 0, "open", "no memory for the handle");
    covei_request request = {
        COVEI_REQUEST_COMMON(&o, name),
        .kind = &block_kind,
        .object_bytes = object_bytes,
        .object_fact = {shape.capacity_bytes, shape.is_single ? COVE_BLOCK_SINGLE : 0, shape.data_offset, shape.stride_bytes},
        .event = {offsetof(covei_block_shm, lock.gate) + 1, offsetof(covei_block_shm, lock.drain) + 1,
                  offsetof(covei_block_shm, change) + 1},
        .fits = check_fit,
        .context = &o,
    };
    result = covei_segment_open(&request, &block->member, &opened);
    if (result != COVE_OK) {
        free(block);
        return result;
    }
    result = covei_block_shape_read(block->member.object_fact, block->member.object_bytes, &block->shape);
    if (result != COVE_OK) { /* cannot be: it was checked before anything was taken */
        covei_segment_close(&block->member);
        free(block);
        return result;
    }
    block->shared = (covei_block_shm *)(void *)block->member.object;
    block->data[0] = block->member.object + block->shape.data_offset;
    block->data[1] = block->data[0] + (block->shape.is_single ? 0 : block->shape.stride_bytes);
    block->is_unfilled = o.flags & COVE_BLOCK_UNFILLED;
    block->watch =
        (covei_watch){.member = &block->member, .event = &block->shared->change, .handle = block, .has_news = has_news, .as = call};
    if (o.opened)
        *o.opened = opened;
    *out_block = block;
    return COVE_OK;
}

void cove_block_close(cove_block *block) {
    if (!block)
        return;
    if (covei_process_is(covei_load_acquire(&block->member.epoch))) /* PAIR revived */
        covei_watch_close(&block->watch);
    else
        covei_watch_forget(&block->watch);
    covei_segment_close(&block->member);
    free(block);
}

/* ---- What every call begins with. */

cove_result covei_block_enter_slowly(cove_block *block, bool writes, const char *step) {
    if (covei_unlikely(!block))
        return covei_fail(COVE_ERR_ARGUMENT, 0, step, "the block is null");
    cove_result result = covei_member_enter(&block->member);
    if (covei_unlikely(result == COVE_OK && writes && block->member.is_read_only)) {
        covei_error_about(block->member.domain->path, block->member.name);
        return covei_fail(COVE_ERR_ACCESS, 0, step, "the handle is read-only; open it with COVE_READ_WRITE, or use get");
    }
    return result;
}

cove_result covei_block_too_large(cove_block *block, const char *step, uint64_t size_bytes, uint64_t capacity_bytes, const char *of_what) {
    covei_error_about(block->member.domain->path, block->member.name);
    return covei_fail(COVE_ERR_SIZE, 0, step, "%llu bytes do not fit into the %llu bytes of the %s", (unsigned long long)size_bytes,
                      (unsigned long long)capacity_bytes, of_what);
}

/* ---- Values. */

cove_result cove_block_set(cove_block *block, const void *data, uint64_t size_bytes, cove_time_ns deadline_ns) {
    cove_result result = covei_block_enter(block, true, "set");
    if (covei_unlikely(result != COVE_OK))
        return result;
    if (covei_unlikely(!data && size_bytes))
        return covei_block_failed(block, COVE_ERR_ARGUMENT, "set", "the data is null");
    if (covei_unlikely(size_bytes > block->shape.capacity_bytes))
        return covei_block_too_large(block, "set", size_bytes, block->shape.capacity_bytes, "block");
    return block->shape.is_single ? covei_single_set(block, data, size_bytes, deadline_ns)
                                  : covei_two_set(block, data, size_bytes, deadline_ns);
}

cove_result cove_block_get(cove_block *block, void *out_data, uint64_t size_bytes, uint64_t *out_length_bytes, uint64_t *out_version,
                           cove_time_ns deadline_ns) {
    uint64_t length = 0, version = 0;
    cove_result result = covei_block_enter(block, false, "get");
    if (covei_unlikely(result != COVE_OK))
        return result;
    if (covei_unlikely(!out_data && size_bytes))
        return covei_block_failed(block, COVE_ERR_ARGUMENT, "get", "the buffer is null");
    covei_block_rearm(block);
    result = block->shape.is_single ? covei_single_get(block, out_data, size_bytes, &length, &version, deadline_ns)
                                    : covei_two_get(block, out_data, size_bytes, &length, &version, deadline_ns);
    covei_block_looked(block, result);
    if (out_length_bytes && (result == COVE_OK || result == COVE_ERR_SIZE))
        *out_length_bytes = length;
    if (out_version && result == COVE_OK)
        *out_version = version;
    return result == COVE_ERR_SIZE ? covei_block_too_large(block, "get", length, size_bytes, "buffer") : result;
}

/* ---- Views.
 *
 * held[0] says what is held, and by which attachment; held[1] is the epoch of the process that took it. */

static cove_result lock(cove_block *block, cove_block_view *view, cove_time_ns deadline_ns, bool writes) {
    cove_result result = covei_block_enter(block, true, "lock");
    if (covei_unlikely(result != COVE_OK))
        return result;
    if (covei_unlikely(!view))
        return covei_block_failed(block, COVE_ERR_ARGUMENT, "lock", "the view is null");
    covei_block_rearm(block);
    if (block->shape.is_single)
        result = writes ? covei_single_lock_write(block, view, deadline_ns) : covei_single_lock_read(block, view, deadline_ns);
    else
        result = writes ? covei_two_lock_write(block, view, deadline_ns) : covei_two_lock_read(block, view);
    return covei_block_looked(block, result);
}

cove_result cove_block_lock_read(cove_block *block, cove_block_view *view, cove_time_ns deadline_ns) {
    return lock(block, view, deadline_ns, false);
}

cove_result cove_block_lock_write(cove_block *block, cove_block_view *view, cove_time_ns deadline_ns) {
    return lock(block, view, deadline_ns, true);
}

/* COVE_OK: the view is this process's, and holds what *out_held says. */
static cove_result check_view(cove_block *block, cove_block_view *view, const char *step) {
    if (covei_unlikely(!block || !view))
        return covei_fail(COVE_ERR_ARGUMENT, 0, step, "the block or the view is null");
    uint64_t mark = view->held[0] & COVEI_HELD_MARK_MASK;
    if (covei_unlikely(mark != COVEI_HELD_MARK || !(view->held[0] & (COVEI_HELD_READ | COVEI_HELD_WRITE))))
        return covei_block_failed(block, COVE_ERR_VIEW, step, "the view holds nothing: it was never locked, or is unlocked already");
    if (covei_unlikely(view->data != block->data[view->held[0] & COVEI_HELD_COPY]))
        return covei_block_failed(block, COVE_ERR_VIEW, step, "the view is of another handle");
    if (covei_unlikely(view->held[1] != covei_process_epoch()))
        return covei_block_failed(block, COVE_ERR_FORKED, step, "the view was taken by the parent process, and is the parent's to end");
    return COVE_OK;
}

static cove_result end_view(cove_block *block, cove_block_view *view, bool publish, const char *step) {
    cove_result result = check_view(block, view, step);
    if (covei_unlikely(result != COVE_OK))
        return result;
    uint64_t held = view->held[0];
    if (held & COVEI_HELD_READ) {
        view->held[0] = 0;
        if (covei_unlikely(!covei_reader_leave(&block->member, &block->shared->lock, held & COVEI_HELD_COPY)))
            return covei_block_failed(block, COVE_ERR_VIEW, step, "a copy of the view was unlocked before");
        return COVE_OK;
    }
    if (publish && covei_unlikely(view->length_bytes > block->shape.capacity_bytes))
        return covei_block_too_large(block, step, view->length_bytes, block->shape.capacity_bytes, "block");
    if (block->shape.is_single && !publish)
        return covei_block_failed(block, COVE_ERR_UNSUPPORTED, step, "a single-copy block is edited in place; its edits cannot be dropped");
    if ((result = covei_writer_check(&block->member, &block->shared->lock)) != COVE_OK)
        return result; /* before anything is published */
    view->held[0] = 0;
    return block->shape.is_single ? covei_single_unlock_write(block, view->length_bytes, held)
                                  : covei_two_unlock_write(block, view->length_bytes, publish, held);
}

cove_result cove_block_unlock(cove_block *block, cove_block_view *view) {
    return end_view(block, view, true, "unlock");
}

cove_result cove_block_abandon(cove_block *block, cove_block_view *view) {
    return end_view(block, view, false, "abandon");
}

cove_result cove_block_mark_repaired(cove_block *block, cove_block_view *view) {
    cove_result result = check_view(block, view, "mark repaired");
    if (result != COVE_OK)
        return result;
    if (!(view->held[0] & COVEI_HELD_WRITE))
        return covei_block_failed(block, COVE_ERR_VIEW, "mark repaired", "the view is a read lock; only a writer can repair");
    view->held[0] &= ~COVEI_HELD_DIRTY;
    return COVE_OK;
}

cove_result cove_block_data(cove_block *block, void **out_data) {
    if (!block || !out_data)
        return covei_fail(COVE_ERR_ARGUMENT, 0, "data", "the block or the place for the address is null");
    if (!block->shape.is_single)
        return covei_block_failed(block, COVE_ERR_UNSUPPORTED, "data",
                                  "the block keeps two copies, so its bytes have no lasting address; create it with COVE_BLOCK_SINGLE");
    *out_data = block->data[0];
    return COVE_OK;
}

/* ---- Changes. */

uint64_t cove_block_version(cove_block *block) {
    return covei_block_enter(block, false, "version") == COVE_OK ? covei_block_version_now(block) : 0;
}

cove_result cove_block_wait(cove_block *block, uint64_t version, cove_time_ns deadline_ns, uint64_t *out_version) {
    cove_result result = covei_block_enter(block, false, "wait");
    if (result != COVE_OK)
        return result;
    covei_member *member = &block->member;
    covei_sleeper sleeper = COVEI_SLEEPER(member, deadline_ns);
    covei_block_rearm(block);
    for (;;) {
        bool spins = covei_sleeper_spins(&sleeper);
        uint32_t armed =
            spins || member->is_read_only ? covei_load_seqcst(&block->shared->change) : covei_event_arm(&block->shared->change);
        uint64_t now = covei_block_version_now(block);
        if (now != version) {
            covei_sleeper_done(&sleeper);
            if (out_version)
                *out_version = now;
            return COVE_OK;
        }
        if (covei_sleeper_sees_removal(&sleeper, member))
            return COVE_REMOVED;
        if (!spins && (result = covei_sleep(&sleeper, &block->shared->change, armed)) != COVE_OK)
            return covei_wait_failed(member, result, "wait", "the deadline passed, and nothing has changed");
    }
}

cove_result cove_block_fd(cove_block *block, int *out_fd) {
    cove_result result = covei_block_enter(block, false, "fd");
    if (result != COVE_OK)
        return result;
    if (!out_fd)
        return covei_block_failed(block, COVE_ERR_ARGUMENT, "fd", "there is no place for the descriptor");
    return covei_watch_fd(&block->watch, out_fd);
}

static void call(covei_watch_fn function, void *context, void *handle) {
    ((cove_block_fn)function)(context, handle);
}

cove_result cove_block_on_change(cove_block *block, cove_block_fn function, void *context) {
    cove_result result = covei_block_enter(block, false, "on change");
    return result == COVE_OK ? covei_watch_call(&block->watch, (covei_watch_fn)function, context) : result;
}

/* CRASH: killed between the count and the wake: sleepers see the count when their slice ends. */
cove_result cove_block_notify(cove_block *block) {
    cove_result result = covei_block_enter(block, true, "notify");
    if (result != COVE_OK)
        return result;
    covei_add_seqcst(&block->shared->notified, 1);
    covei_block_tell_change(block);
    return COVE_OK;
}

void cove_block_interrupt(cove_block *block) {
    if (!block)
        return;
    covei_store_seqcst(&block->member.is_interrupted, 1);
    if (block->member.is_read_only || covei_block_enter(block, true, "interrupt") != COVE_OK)
        return; /* who polls looks by himself */
    covei_event_wake(&block->shared->lock.gate);
    covei_event_wake(&block->shared->lock.drain);
    covei_event_wake_always(&block->shared->change); /* without disarming: the bells that it is armed for are not rung */
}

/* ---- Ownership and removal: the segment's. */

#define COVEI_FORWARD(verb) \
    cove_result cove_block_##verb(cove_block *block) { \
        cove_result result = covei_block_enter(block, false, #verb); \
        return result == COVE_OK ? covei_member_##verb(&block->member) : result; \
    }
COVEI_FORWARD(own)
COVEI_FORWARD(disown)
COVEI_FORWARD(retire)
COVEI_FORWARD(remove)

bool cove_block_is_removed(const cove_block *block) {
    return block && (covei_member_is_removed(&block->member) || covei_member_has_lost_its_name(&block->member));
}

cove_result cove_block_get_info(cove_block *block, cove_block_info *out_info) {
    cove_result result = covei_block_enter(block, false, "info");
    if (result != COVE_OK)
        return result;
    if (!out_info)
        return covei_block_failed(block, COVE_ERR_ARGUMENT, "info", "there is no place for the answer");
    covei_block_look look;
    covei_block_look_at(block->shared, &block->shape, &look);
    *out_info = (cove_block_info){
        .capacity_bytes = block->shape.capacity_bytes,
        .length_bytes = look.length_bytes,
        .version = look.version,
        .flags = block->shape.is_single ? COVE_BLOCK_SINGLE : 0,
        .slot_count = block->member.slot_count,
        .lifetime = block->member.lifetime,
        .is_owner = covei_member_is_owner(&block->member),
        .is_read_only = block->member.is_read_only,
        .is_removed = covei_member_is_removed(&block->member),
        .is_unrepaired = look.is_unrepaired,
    };
    return COVE_OK;
}

/* ---- For onlookers. */

void covei_block_look_at(const covei_block_shm *shared, const covei_block_shape *shape, covei_block_look *out_look) {
    uint64_t sequence = covei_load_acquire(&shared->sequence), writer = covei_load_seqcst(&shared->lock.writer);
    uint64_t length = covei_load_relaxed(&shared->length[shape->is_single ? 0 : (sequence >> 1) & 1]);
    *out_look = (covei_block_look){
        .length_bytes = length <= shape->capacity_bytes ? length : shape->capacity_bytes,
        .version = (sequence >> 1) + covei_load_seqcst(&shared->notified),
        .is_unrepaired = shape->is_single && writer & COVEI_WRITER_DIRTY,
        .has_writer = !covei_writer_is_free(writer),
        .writer_slot = covei_writer_slot(writer),
        .writer_generation = covei_writer_generation(writer),
    };
}

uint32_t covei_block_pins_of(const covei_slot_shm *slot) {
    return covei_load_relaxed(&slot->hold[COVEI_HOLD_PIN]) + covei_load_relaxed(&slot->hold[COVEI_HOLD_PIN + 1]);
}

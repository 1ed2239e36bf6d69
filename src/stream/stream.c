/* Streams: the handle, its options and information, and who writes. */
#include "stream/stream.h"

#include "base/checked.h"
#include "base/error.h"
#include "segment/options.h"

#include <cove/inspect.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_DEFAULT 8
#define SPARE_DEFAULT 4

#ifdef COVEI_LAB
covei_a64 covei_lab_first_number;
#endif

/* ---- Shape. */

/* False where it fits in no file. */
static bool plan(const covei_stream_shape *shape, uint8_t *object, covei_ring *out_ring) {
    if (shape->depth < 1 || shape->depth & (shape->depth - 1) || shape->loans < 1 || shape->loans > COVE_STREAM_SPARE_MAX ||
        shape->borrows < 1 || shape->borrows > COVE_STREAM_SPARE_MAX)
        return false;
    return covei_ring_plan(out_ring, object, shape->payload.capacity_bytes, shape->depth, shape->depth + shape->loans + shape->borrows,
                           shape->borrows, shape->keeps_times, false);
}

cove_result covei_stream_shape_read(const uint64_t object_fact[4], uint64_t object_bytes, uint8_t *object, covei_stream_shape *out_shape,
                                    covei_ring *out_ring) {
    covei_stream_shape shape = {
        .depth = (uint32_t)object_fact[1],
        .keeps_times = object_fact[1] >> 40 & COVE_STREAM_TIMES,
        .loans = (uint32_t)object_fact[2],
        .borrows = (uint32_t)(object_fact[2] >> 32),
    };
    covei_ring ring;
    if (object_fact[1] >> 41 || object_fact[3] >> 32 ||
        !covei_payload_make(&shape.payload, object_fact[0], (cove_type)(object_fact[1] >> 32 & 0xff), (uint32_t)object_fact[3]) ||
        !plan(&shape, object, &ring) || ring.object_bytes > object_bytes)
        return covei_fail(COVE_ERR_DAMAGED, 0, "read header", "the sizes of the stream contradict each other");
    *out_shape = shape;
    *out_ring = ring;
    return COVE_OK;
}

static void release(covei_member *member, uint32_t slot) {
    covei_stream_shape shape;
    covei_ring ring;
    if (covei_stream_shape_read(member->object_fact, member->object_bytes, member->object, &shape, &ring) == COVE_OK)
        covei_ring_forget(member, &ring, slot);
}

static cove_result become_writer(cove_stream *stream, const char *step);

/* The parent's threads are not here, and neither are its locks and its role. */
static void revived(covei_member *member) {
    cove_stream *stream = (cove_stream *)member; /* its first field */
    (void)covei_barrier_join();
    covei_writing_reset(&stream->writing, covei_load_relaxed(&stream->ring.shared->tail));
    covei_store_relaxed(&stream->role, 0);
    stream->role_token = (covei_token){0};
    covei_watch_forget(&stream->watch);
    covei_reading_resume(stream);
    if (stream->wants_writer && !stream->wants_only) {
        cove_result later = become_writer(stream, "attach again"); /* else with its first value */
        (void)later;
    }
}

static const covei_kind stream_kind = {COVE_KIND_STREAM, "stream", release, revived};

/* ---- Opening. */

static cove_result check_options(const cove_stream_options *o) {
    const char *field = (unsigned)o->follow > COVE_FOLLOW_LOSSLESS                                       ? "follow"
                        : (unsigned)o->start > COVE_START_NEW                                            ? "start"
                        : o->flags & ~(COVE_STREAM_TIMES | COVE_STREAM_ONLY_WRITER | COVE_STREAM_WRITER) ? "flags"
                        : o->depth > COVE_STREAM_DEPTH_MAX                                               ? "depth"
                        : o->loans > COVE_STREAM_SPARE_MAX                                               ? "loans"
                        : o->borrows > COVE_STREAM_SPARE_MAX                                             ? "borrows"
                                                                                                         : NULL;
    if (field)
        return covei_fail(COVE_ERR_OPTION, 0, "check options", "the option '%s' has a value that Cove %s does not know", field,
                          COVE_VERSION);
    if (o->access == COVE_READ_ONLY && (o->follow == COVE_FOLLOW_LOSSLESS || o->flags & (COVE_STREAM_ONLY_WRITER | COVE_STREAM_WRITER)))
        return covei_fail(COVE_ERR_OPTION, 0, "check options", "a read-only handle can neither write nor be waited for (lossless)");
    return COVE_OK;
}

/* What was asked for, and what a new one would be. */
typedef struct wish {
    cove_stream_options asked;
    covei_stream_shape made;
} wish;

static cove_result check_fit(const void *context, const covei_facts_shm *facts) {
    const cove_stream_options *o = &((const wish *)context)->asked;
    covei_stream_shape shape = {0};
    covei_ring ring;
    cove_result result = covei_stream_shape_read(facts->object_fact, facts->object_bytes, NULL, &shape, &ring);
    bool at_least = o->size_rule == COVE_AT_LEAST;
    if (result != COVE_OK)
        return result;
    if ((result = covei_payload_fits(&shape.payload, o->capacity_bytes, o->type, o->element_bytes, at_least)) != COVE_OK ||
        (result = covei_number_fits("depth", shape.depth, o->depth ? covei_ring_cells_for(o->depth) : 0, at_least)) != COVE_OK ||
        (result = covei_number_fits("number of loans", shape.loans, o->loans, true)) != COVE_OK ||
        (result = covei_number_fits("number of borrows", shape.borrows, o->borrows, true)) != COVE_OK)
        return result;
    if (o->flags & COVE_STREAM_TIMES && !shape.keeps_times)
        return covei_fail(COVE_ERR_OPTION, 0, "open", "it keeps no times, and COVE_STREAM_TIMES was asked for");
    return COVE_OK;
}

static void fill(const void *context, uint8_t *object) {
    covei_ring ring;
    uint64_t first = 1;
#ifdef COVEI_LAB
    if (covei_load_relaxed(&covei_lab_first_number))
        first = covei_load_relaxed(&covei_lab_first_number);
#endif
    if (plan(&((const wish *)context)->made, object, &ring))
        covei_ring_fill(&ring, first);
}

static void call(covei_watch_fn function, void *context, void *handle);

static bool has_news(void *handle, uint64_t *seen) {
    cove_stream *stream = handle;
    uint64_t newest = covei_ring_newest(&stream->ring, *seen & ~(UINT64_C(1) << 63));
    uint64_t now = newest ^ (covei_member_is_removed(&stream->member) ? UINT64_C(1) << 63 : 0); /* a removal is told once */
    bool is_new = now != *seen;
    *seen = now;
    return is_new;
}

/* Takes the role of the only writer; waits for one who is on his way out, as long as the caller is willing to. */
static cove_result take_role(cove_stream *stream, cove_time_ns deadline_ns) {
    for (;;) {
        cove_result result = covei_stream_become_writer(stream, "open");
        if (result != COVE_ERR_IN_USE || covei_clock_ns() >= deadline_ns)
            return result;
        covei_pause(1000000);
    }
}

/* Closes what was opened in vain; what closing may tell is not what the caller asks about. */
static cove_result give_up(cove_stream *stream, cove_result result) {
    cove_error told = *cove_last_error();
    cove_stream_close(stream);
    covei_error_restore(&told);
    return result;
}

const char covei_cannot_join[] = "the stream has an only writer, and this process may not call membarrier, so it cannot be waited for";

cove_result cove_stream_open_sized(cove_stream **out_stream, const char *name, const cove_stream_options *options, size_t options_bytes) {
    wish w;
    cove_opened opened = {false, false};
    covei_ring ring;
    cove_result result = covei_options_take(name, options, options_bytes, &w.asked, sizeof w.asked);
    if (result != COVE_OK)
        return result;
    if (!out_stream)
        return covei_fail(COVE_ERR_ARGUMENT, 0, "open", "there is no place for the handle");
    if ((result = check_options(&w.asked)) != COVE_OK)
        return result;
    const cove_stream_options *o = &w.asked;
    covei_stream_shape *made = &w.made;
    *made = (covei_stream_shape){
        .depth = covei_ring_cells_for(o->depth ? o->depth : DEPTH_DEFAULT),
        .loans = o->loans ? o->loans : SPARE_DEFAULT,
        .borrows = o->borrows ? o->borrows : SPARE_DEFAULT,
        .keeps_times = o->flags & COVE_STREAM_TIMES,
    };
    if ((result = covei_payload_choose(o->capacity_bytes, o->type, o->element_bytes, &made->payload)) != COVE_OK)
        return result;
    if (!plan(made, NULL, &ring))
        return covei_fail(COVE_ERR_SIZE, 0, "check options", "no file can hold a stream of %u values of %llu bytes", made->depth,
                          (unsigned long long)made->payload.capacity_bytes);
    cove_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return covei_fail(COVE_ERR_MEMORY, 0, "open", "no memory for the handle");
    covei_request request = {
        COVEI_REQUEST_COMMON(o, name),
        .kind = &stream_kind,
        .object_bytes = ring.object_bytes,
        .object_fact = {made->payload.capacity_bytes,
                        (uint64_t)made->depth | (uint64_t)made->payload.type << 32 | (uint64_t)made->keeps_times << 40,
                        (uint64_t)made->loans | (uint64_t)made->borrows << 32, made->payload.element_bytes},
        .event = {offsetof(covei_ring_shm, change) + 1, offsetof(covei_ring_shm, room) + 1, offsetof(covei_ring_shm, members) + 1},
        .fill = fill,
        .fits = check_fit,
        .context = &w,
    };
    result = covei_segment_open(&request, &stream->member, &opened);
    if (result != COVE_OK) {
        free(stream);
        return result;
    }
    (void)covei_barrier_join();
    stream->follow = o->follow;
    stream->wants_only = o->flags & COVE_STREAM_ONLY_WRITER;
    stream->wants_writer = o->flags & (COVE_STREAM_ONLY_WRITER | COVE_STREAM_WRITER);
    covei_writing_reset(&stream->writing, 0);
    covei_local_reset(&stream->reading.lock);
    result = covei_stream_shape_read(stream->member.object_fact, stream->member.object_bytes, stream->member.object, &stream->shape,
                                     &stream->ring);
    if (result == COVE_OK && stream->wants_writer)
        result = take_role(stream, o->deadline_ns);
    if (result != COVE_OK)
        return give_up(stream, result);
    stream->watch =
        (covei_watch){.member = &stream->member, .event = &stream->ring.shared->change, .handle = stream, .has_news = has_news, .as = call};
    stream->writing.next = covei_load_relaxed(&stream->ring.shared->tail);
    if (!covei_reading_start(stream, o->start)) {
        covei_member_told(&stream->member, COVE_ERR_UNSUPPORTED, "open", "%s", covei_cannot_join);
        return give_up(stream, COVE_ERR_UNSUPPORTED);
    }
    if (o->opened)
        *o->opened = opened;
    *out_stream = stream;
    return COVE_OK;
}

void cove_stream_close(cove_stream *stream) {
    if (!stream)
        return;
    bool is_mine = covei_load_acquire(&stream->member.epoch) == covei_process_epoch(); /* PAIR revived */
    if (is_mine)
        covei_watch_close(&stream->watch);
    else
        covei_watch_forget(&stream->watch);
    covei_segment_close(&stream->member);
    if (is_mine) /* after all that it covered has been given up */
        covei_token_drop(&stream->role_token);
    free(stream);
}

/* ---- Who writes. */

/* Under the mutex. The role is a lock of the kernel's: shared by writers, exclusive for an only one. The only writer says that it does
 * without fences before its first value; whoever announced something before that has been seen by all once the barrier is passed. */
static cove_result become_writer(cove_stream *stream, const char *step) {
    covei_member *member = &stream->member;
    if (covei_load_acquire(&stream->role)) /* PAIR role: another thread has done it */
        return COVE_OK;
    cove_result result = covei_member_take_role(member, COVEI_BYTE_ROLE_WRITER,
                                                stream->wants_only ? COVEI_LOCK_EXCLUSIVE : COVEI_LOCK_SHARED, &stream->role_token);
    if (result == COVE_ERR_BUSY)
        return covei_member_told(&stream->member, COVE_ERR_IN_USE, step,
                                 stream->wants_only ? "it has a writer already, so nobody can be the only one (see who: cove stat %s)"
                                                    : "another member is its only writer (see who: cove stat %s)",
                                 member->name);
    if (result != COVE_OK)
        return result;
    covei_ring_mark(member, COVEI_MARK_WRITES);
    uint32_t slot = covei_load_relaxed(&member->slot), generation = covei_load_relaxed(&member->generation);
    stream->writing.me = covei_own_owner(slot, generation);
    stream->writing.held = covei_own_held(slot, generation);
    uint32_t role = stream->wants_only ? 2 : 1;
    if (role == 2 && covei_load_relaxed(&covei_fences_are_light)) {
        covei_store_seqcst(&stream->ring.shared->plain, 1);
        role = covei_barrier(COVEI_REACH_ALL) ? 3 : 2; /* PAIR plain */
    }
    covei_store_release(&stream->role, role); /* PAIR role */
    covei_event_wake(&stream->ring.shared->members);
    return COVE_OK;
}

cove_result covei_stream_become_writer(cove_stream *stream, const char *step) {
    if (covei_likely(covei_load_acquire(&stream->role))) /* PAIR role */
        return COVE_OK;
    covei_guard_enter();
    covei_mutex_enter(COVEI_MUTEX_REVIVE);
    cove_result result = become_writer(stream, step);
    covei_mutex_leave(COVEI_MUTEX_REVIVE);
    covei_guard_leave();
    return result;
}

cove_result cove_stream_writers(cove_stream *stream, uint32_t *out_count) {
    cove_result result = covei_stream_enter(stream, false, "writers");
    if (result != COVE_OK)
        return result;
    if (!out_count)
        return covei_member_failed(&stream->member, COVE_ERR_ARGUMENT, "writers", "there is no place for the answer");
    *out_count = covei_ring_count(&stream->member, COVEI_MARK_WRITES);
    return COVE_OK;
}

cove_result cove_stream_wait_writers(cove_stream *stream, uint32_t count, cove_time_ns deadline_ns, uint32_t *out_count) {
    cove_result result = covei_stream_enter(stream, false, "wait for writers");
    if (result != COVE_OK)
        return result;
    covei_member *member = &stream->member;
    covei_a32 *event = &stream->ring.shared->members;
    covei_sleeper sleeper = COVEI_SLEEPER(member, deadline_ns);
    for (;;) {
        uint32_t armed = member->is_read_only ? covei_load_seqcst(event) : covei_event_arm(event);
        uint32_t now = covei_ring_count(&stream->member, COVEI_MARK_WRITES);
        if (now != count) {
            if (out_count)
                *out_count = now;
            return COVE_OK;
        }
        if (covei_sleeper_sees_removal(&sleeper, member))
            return COVE_REMOVED;
        if ((result = covei_sleep(&sleeper, event, armed)) != COVE_OK)
            return covei_wait_failed(member, result, "wait for writers", "the deadline passed, and as many write as before");
    }
}

/* ---- Being told. */

cove_result cove_stream_fd(cove_stream *stream, int *out_fd) {
    cove_result result = covei_stream_enter(stream, false, "fd");
    if (result != COVE_OK)
        return result;
    if (!out_fd)
        return covei_member_failed(&stream->member, COVE_ERR_ARGUMENT, "fd", "there is no place for the descriptor");
    return covei_watch_fd(&stream->watch, out_fd);
}

static void call(covei_watch_fn function, void *context, void *handle) {
    ((cove_stream_fn)function)(context, handle);
}

cove_result cove_stream_on_change(cove_stream *stream, cove_stream_fn function, void *context) {
    cove_result result = covei_stream_enter(stream, false, "on change");
    return result == COVE_OK ? covei_watch_call(&stream->watch, (covei_watch_fn)function, context) : result;
}

/* ---- The object. */

void cove_stream_interrupt(cove_stream *stream) {
    if (!stream)
        return;
    covei_store_seqcst(&stream->member.is_interrupted, 1);
    if (stream->member.is_read_only || covei_stream_enter(stream, true, "interrupt") != COVE_OK)
        return;                                            /* who polls looks by himself */
    covei_event_wake_always(&stream->ring.shared->change); /* without disarming: the bells that it is armed for are not rung */
    covei_event_wake(&stream->ring.shared->room);
    covei_event_wake(&stream->ring.shared->members);
}

#define COVEI_FORWARD(verb) \
    cove_result cove_stream_##verb(cove_stream *stream) { \
        cove_result result = covei_stream_enter(stream, false, #verb); \
        return result == COVE_OK ? covei_member_##verb(&stream->member) : result; \
    }
COVEI_FORWARD(own)
COVEI_FORWARD(disown)
COVEI_FORWARD(retire)
COVEI_FORWARD(remove)

bool cove_stream_is_removed(const cove_stream *stream) {
    return stream && (covei_member_is_removed(&stream->member) || covei_member_has_lost_its_name(&stream->member));
}

cove_result cove_stream_get_info(cove_stream *stream, cove_stream_info *out_info) {
    cove_result result = covei_stream_enter(stream, false, "info");
    if (result != COVE_OK)
        return result;
    if (!out_info)
        return covei_member_failed(&stream->member, COVE_ERR_ARGUMENT, "info", "there is no place for the answer");
    const covei_stream_shape *shape = &stream->shape;
    const covei_ring *ring = &stream->ring;
    covei_local_enter(&stream->reading.lock);
    uint64_t next = stream->reading.next;
    covei_local_leave(&stream->reading.lock);
    *out_info = (cove_stream_info){
        .type = shape->payload.type,
        .element_bytes = shape->payload.element_bytes,
        .capacity_bytes = shape->payload.capacity_bytes,
        .depth = shape->depth,
        .loans = shape->loans,
        .borrows = shape->borrows,
        .flags = (shape->keeps_times ? COVE_STREAM_TIMES : 0) | (covei_load_relaxed(&stream->role) >= 2 ? COVE_STREAM_ONLY_WRITER : 0),
        .buffer_bytes = ring->stride_bytes,
        .memory_bytes = ring->object_bytes - sizeof(covei_ring_shm),
        .newest_sequence = covei_ring_newest(ring, covei_load_seqcst(&ring->shared->tail)) - 1,
        .next_sequence = next,
        .slot_count = stream->member.slot_count,
        .lifetime = stream->member.lifetime,
        .is_owner = covei_member_is_owner(&stream->member),
        .is_read_only = stream->member.is_read_only,
        .is_removed = covei_member_is_removed(&stream->member),
    };
    return COVE_OK;
}

/* Queues: the handle, its options and information, who produces and consumes, being told. */
#include "queue/queue.h"

#include "base/checked.h"
#include "base/error.h"
#include "base/name.h"
#include "segment/options.h"

#include <cove/inspect.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_DEFAULT 64
#define LOANS_DEFAULT 4
#define HOLDS_DEFAULT 8
#define DELIVERIES_DEFAULT 5
#define OBJECT_FLAGS (COVE_QUEUE_TIMES | COVE_QUEUE_DROP_OLDEST) /* the others are the handle's */
#define HANDLE_FLAGS (COVE_QUEUE_PRODUCER | COVE_QUEUE_CONSUMER | COVE_QUEUE_ONLY_PRODUCER | COVE_QUEUE_ONLY_CONSUMER)

static_assert(COVEI_RUN_MAX == COVE_QUEUE_RUN_MAX, "as the header promises");

#ifdef COVEI_LAB
covei_a64 covei_lab_first_message;
#endif

/* ---- Shape. */

/* False where it fits in no file. */
static bool plan(const covei_queue_shape *shape, uint8_t *object, covei_ring *out_ring) {
    if (shape->depth < 1 || shape->depth > COVE_QUEUE_DEPTH_MAX || shape->loans < 1 || shape->loans > COVE_QUEUE_SPARE_MAX ||
        shape->holds < 1 || shape->holds > COVE_QUEUE_SPARE_MAX || shape->max_deliveries > COVE_QUEUE_DELIVERIES_MAX)
        return false;
    return covei_ring_plan(out_ring, object ? object + sizeof(covei_queue_shm) : NULL, shape->payload.capacity_bytes,
                           covei_ring_cells_for(shape->depth + COVEI_RUN_MAX), shape->depth + shape->loans + shape->holds, 0,
                           shape->keeps_times, true);
}

cove_result covei_queue_shape_read(const uint64_t object_fact[4], uint64_t object_bytes, uint8_t *object, covei_queue_shape *out_shape,
                                   covei_ring *out_ring) {
    uint64_t flags = object_fact[1] >> 40 & 0xff, need;
    covei_queue_shape shape = {
        .depth = (uint32_t)object_fact[1],
        .loans = (uint32_t)object_fact[2],
        .holds = (uint32_t)(object_fact[2] >> 32),
        .max_deliveries = (uint32_t)(object_fact[1] >> 48),
        .keeps_times = flags & COVE_QUEUE_TIMES,
        .drops_oldest = flags & COVE_QUEUE_DROP_OLDEST,
    };
    covei_ring ring;
    if (flags & ~(uint64_t)OBJECT_FLAGS || object_fact[3] >> 32 ||
        !covei_payload_make(&shape.payload, object_fact[0], (cove_type)(object_fact[1] >> 32 & 0xff), (uint32_t)object_fact[3]) ||
        !plan(&shape, object, &ring) || !covei_add_u64(sizeof(covei_queue_shm), ring.object_bytes, &need) || need > object_bytes)
        return covei_fail(COVE_ERR_DAMAGED, 0, "read header", "the sizes of the queue contradict each other");
    *out_shape = shape;
    *out_ring = ring;
    return COVE_OK;
}

static void release(covei_member *member, uint32_t slot) {
    covei_queue_shape shape;
    covei_ring ring;
    if (covei_queue_shape_read(member->object_fact, member->object_bytes, member->object, &shape, &ring) == COVE_OK)
        covei_queue_forget(member, &ring, slot);
}

static cove_result become(cove_queue *queue, covei_part *part, const char *step);

/* What a handle remembers when it is new, and in a child of fork: the parent's threads are not here, and neither are its locks and roles. */
static void begin_anew(cove_queue *queue) {
    uint64_t tail = covei_load_seqcst(&queue->ring.shared->tail);
    covei_pushing_reset(&queue->pushing, tail);
    covei_taking_reset(&queue->taking, tail);
    queue->producer.role = queue->consumer.role = 0;
    queue->producer.token = queue->consumer.token = (covei_token){0};
}

static void revived(covei_member *member) {
    cove_queue *queue = (cove_queue *)member; /* its first field */
    (void)covei_barrier_join();
    begin_anew(queue);
    covei_watch_forget(&queue->watch);
    covei_part *parts[] = {&queue->producer, &queue->consumer};
    for (int i = 0; i < 2; i++)
        if (parts[i]->wants && !parts[i]->wants_only) {
            cove_result later = become(queue, parts[i], "attach again"); /* else with its first message */
            (void)later;
        }
}

static const covei_kind queue_kind = {COVE_KIND_QUEUE, "queue", release, revived};

/* ---- Opening. */

/* What was asked for, and what a new one would be. */
typedef struct wish {
    cove_queue_options asked;
    covei_queue_shape made;
} wish;

static cove_result check_options(const char *name, const cove_queue_options *o) {
    const char *field = o->flags & ~(OBJECT_FLAGS | HANDLE_FLAGS)       ? "flags"
                        : o->depth > COVE_QUEUE_DEPTH_MAX               ? "depth"
                        : o->loans > COVE_QUEUE_SPARE_MAX               ? "loans"
                        : o->holds > COVE_QUEUE_SPARE_MAX               ? "holds"
                        : o->max_deliveries > COVE_QUEUE_DELIVERIES_MAX ? "max_deliveries"
                        : o->reserved_2                                 ? "reserved_2"
                                                                        : NULL;
    if (field)
        return covei_fail(COVE_ERR_OPTION, 0, "check options", "the option '%s' has a value that Cove %s does not know", field,
                          COVE_VERSION);
    if (o->access == COVE_READ_ONLY && o->flags & HANDLE_FLAGS)
        return covei_fail(COVE_ERR_OPTION, 0, "check options", "a read-only handle can neither produce nor consume");
    if (o->flags & COVE_QUEUE_DROP_OLDEST && o->flags & COVE_QUEUE_ONLY_CONSUMER)
        return covei_fail(COVE_ERR_OPTION, 0, "check options",
                          "where producers drop the oldest message, they take it, so nobody can be the only consumer");
    if (o->max_deliveries && !o->dead_letter)
        return covei_fail(COVE_ERR_OPTION, 0, "check options", "max_deliveries needs dead_letter: where else should the message go");
    if (o->dead_letter && (!covei_name_is_valid(o->dead_letter) || !strcmp(o->dead_letter, name)))
        return covei_fail(COVE_ERR_NAME, 0, "check options", "'%.220s' cannot be the name of the dead-letter queue", o->dead_letter);
    return COVE_OK;
}

static cove_result check_fit(const void *context, const covei_facts_shm *facts) {
    const cove_queue_options *o = &((const wish *)context)->asked;
    covei_queue_shape shape = {0};
    covei_ring ring;
    cove_result result = covei_queue_shape_read(facts->object_fact, facts->object_bytes, NULL, &shape, &ring);
    bool at_least = o->size_rule == COVE_AT_LEAST;
    if (result != COVE_OK ||
        (result = covei_payload_fits(&shape.payload, o->capacity_bytes, o->type, o->element_bytes, at_least)) != COVE_OK ||
        (result = covei_number_fits("depth", shape.depth, o->depth, at_least)) != COVE_OK ||
        (result = covei_number_fits("number of loans", shape.loans, o->loans, true)) != COVE_OK ||
        (result = covei_number_fits("number of holds", shape.holds, o->holds, true)) != COVE_OK)
        return result;
    if (o->flags & COVE_QUEUE_TIMES && !shape.keeps_times)
        return covei_fail(COVE_ERR_OPTION, 0, "open", "it keeps no times, and COVE_QUEUE_TIMES was asked for");
    if (o->flags & COVE_QUEUE_DROP_OLDEST && !shape.drops_oldest)
        return covei_fail(COVE_ERR_OPTION, 0, "open", "it drops nothing, and COVE_QUEUE_DROP_OLDEST was asked for");
    if (o->flags & COVE_QUEUE_ONLY_CONSUMER && shape.drops_oldest)
        return covei_fail(COVE_ERR_OPTION, 0, "open", "its producers drop the oldest message, so nobody can be its only consumer");
    return COVE_OK;
}

static void fill(const void *context, uint8_t *object) {
    const wish *w = context;
    covei_queue_shm *shared = (covei_queue_shm *)(void *)object;
    covei_ring ring;
    uint64_t first = 1;
#ifdef COVEI_LAB
    if (covei_load_relaxed(&covei_lab_first_message))
        first = covei_load_relaxed(&covei_lab_first_message);
#endif
    if (!plan(&w->made, object, &ring))
        return;
    covei_ring_fill(&ring, first);
    covei_store_relaxed(&shared->head, covei_cell_word(first, COVEI_NOBODY));
    covei_store_relaxed(&shared->turned, first);
    if (w->asked.dead_letter)
        memcpy(shared->dead_letter, w->asked.dead_letter, strlen(w->asked.dead_letter) + 1);
}

static void call(covei_watch_fn function, void *context, void *handle);

static bool has_news(void *handle, uint64_t *seen) {
    cove_queue *queue = handle;
    uint64_t newest = covei_ring_newest(&queue->ring, covei_load_seqcst(&queue->ring.shared->tail));
    uint64_t now = newest + (covei_load_seqcst(&queue->shared->back) >> 1); /* both only grow */
    now ^= covei_member_is_removed(&queue->member) ? UINT64_C(1) << 63 : 0; /* a removal is told once */
    bool is_new = now != *seen;
    *seen = now;
    return is_new;
}

/* Takes a part that was asked for; where it is to be the only one, waits for others who are on their way out, as long as the caller is
 * willing to. */
static cove_result take_part(cove_queue *queue, covei_part *part, cove_time_ns deadline_ns) {
    while (part->wants) {
        cove_result result = covei_queue_become(queue, part, "open");
        if (result != COVE_ERR_IN_USE || covei_clock_ns() >= deadline_ns)
            return result;
        covei_pause(1000000);
    }
    return COVE_OK;
}

/* Closes what was opened in vain; what closing may tell is not what the caller asks about. */
static cove_result give_up(cove_queue *queue, cove_result result) {
    cove_error told = *cove_last_error();
    cove_queue_close(queue);
    covei_error_restore(&told);
    return result;
}

cove_result cove_queue_open_sized(cove_queue **out_queue, const char *name, const cove_queue_options *options, size_t options_bytes) {
    wish w;
    cove_opened opened = {false, false};
    covei_ring ring;
    uint64_t object_bytes;
    cove_result result = covei_options_take(name, options, options_bytes, &w.asked, sizeof w.asked);
    if (result != COVE_OK)
        return result;
    if (!out_queue)
        return covei_fail(COVE_ERR_ARGUMENT, 0, "open", "there is no place for the handle");
    const cove_queue_options *o = &w.asked;
    covei_queue_shape *made = &w.made;
    *made = (covei_queue_shape){
        .depth = o->depth ? o->depth : DEPTH_DEFAULT,
        .loans = o->loans ? o->loans : LOANS_DEFAULT,
        .holds = o->holds ? o->holds : HOLDS_DEFAULT,
        .max_deliveries = o->max_deliveries ? o->max_deliveries
                          : o->dead_letter  ? DELIVERIES_DEFAULT
                                            : 0,
        .keeps_times = o->flags & COVE_QUEUE_TIMES,
        .drops_oldest = o->flags & COVE_QUEUE_DROP_OLDEST,
    };
    if ((result = check_options(name, o)) != COVE_OK ||
        (result = covei_payload_choose(o->capacity_bytes, o->type, o->element_bytes, &made->payload)) != COVE_OK)
        return result;
    if (!plan(made, NULL, &ring) || !covei_add_u64(sizeof(covei_queue_shm), ring.object_bytes, &object_bytes))
        return covei_fail(COVE_ERR_SIZE, 0, "check options", "no file can hold a queue of %u messages of %llu bytes", made->depth,
                          (unsigned long long)made->payload.capacity_bytes);
    cove_queue *queue = calloc(1, sizeof *queue);
    if (!queue)
        return covei_fail(COVE_ERR_MEMORY, 0, "open", "no memory for the handle");
    covei_request request = {
        COVEI_REQUEST_COMMON(o, name),
        .kind = &queue_kind,
        .object_bytes = object_bytes,
        .object_fact = {made->payload.capacity_bytes,
                        (uint64_t)made->depth | (uint64_t)made->payload.type << 32 | (uint64_t)(o->flags & OBJECT_FLAGS) << 40 |
                            (uint64_t)made->max_deliveries << 48,
                        (uint64_t)made->loans | (uint64_t)made->holds << 32, made->payload.element_bytes},
        .event = {sizeof(covei_queue_shm) + offsetof(covei_ring_shm, change) + 1,
                  sizeof(covei_queue_shm) + offsetof(covei_ring_shm, room) + 1,
                  sizeof(covei_queue_shm) + offsetof(covei_ring_shm, members) + 1},
        .fill = fill,
        .fits = check_fit,
        .context = &w,
    };
    result = covei_segment_open(&request, &queue->member, &opened);
    if (result != COVE_OK) {
        free(queue);
        return result;
    }
    (void)covei_barrier_join();
    result =
        covei_queue_shape_read(queue->member.object_fact, queue->member.object_bytes, queue->member.object, &queue->shape, &queue->ring);
    if (result != COVE_OK) { /* cannot be: it was checked before anything was taken */
        covei_segment_close(&queue->member);
        free(queue);
        return result;
    }
    queue->shared = (covei_queue_shm *)(void *)queue->member.object;
    queue->producer.wants_only = o->flags & COVE_QUEUE_ONLY_PRODUCER;
    queue->consumer.wants_only = o->flags & COVE_QUEUE_ONLY_CONSUMER;
    queue->producer.wants = o->flags & (COVE_QUEUE_PRODUCER | COVE_QUEUE_ONLY_PRODUCER);
    queue->consumer.wants = o->flags & (COVE_QUEUE_CONSUMER | COVE_QUEUE_ONLY_CONSUMER);
    begin_anew(queue);
    queue->watch =
        (covei_watch){.member = &queue->member, .event = &queue->ring.shared->change, .handle = queue, .has_news = has_news, .as = call};
    if ((result = take_part(queue, &queue->producer, o->deadline_ns)) != COVE_OK ||
        (result = take_part(queue, &queue->consumer, o->deadline_ns)) != COVE_OK)
        return give_up(queue, result);
    if (o->opened)
        *o->opened = opened;
    *out_queue = queue;
    return COVE_OK;
}

void cove_queue_close(cove_queue *queue) {
    if (!queue)
        return;
    bool is_mine = covei_load_acquire(&queue->member.epoch) == covei_process_epoch(); /* PAIR revived */
    cove_queue *dead_letter = atomic_load(&queue->dead_letter);
    if (is_mine) {
        covei_watch_close(&queue->watch);
        if (!queue->member.is_read_only) { /* what it had in hand is others' now, and they are told */
            covei_queue_forget(&queue->member, &queue->ring, covei_load_relaxed(&queue->member.slot));
            covei_tell(&queue->member, &queue->ring.shared->change);
        }
    } else {
        covei_watch_forget(&queue->watch);
    }
    covei_segment_close(&queue->member);
    if (is_mine) { /* after all that they covered has been given up */
        covei_token_drop(&queue->producer.token);
        covei_token_drop(&queue->consumer.token);
    }
    cove_queue_close(dead_letter);
    free(queue);
}

/* ---- Who produces and consumes. */

/* Under the mutex. A role is a lock of the kernel's: shared by those who are many, exclusive for an only one. */
static cove_result become(cove_queue *queue, covei_part *part, const char *step) {
    covei_member *member = &queue->member;
    bool produces = part == &queue->producer;
    if (covei_load_acquire(&part->role)) /* PAIR role: another thread has done it */
        return COVE_OK;
    cove_result result = covei_member_take_role(member, produces ? COVEI_BYTE_ROLE_WRITER : COVEI_BYTE_ROLE_TAKER,
                                                part->wants_only ? COVEI_LOCK_EXCLUSIVE : COVEI_LOCK_SHARED, &part->token);
    if (result == COVE_ERR_BUSY)
        return covei_member_told(member, COVE_ERR_IN_USE, step,
                                 part->wants_only ? "it has a %s already, so nobody can be the only one (see who: cove stat %s)"
                                                  : "another member is its only %s (see who: cove stat %s)",
                                 produces ? "producer" : "consumer", member->name);
    if (result != COVE_OK)
        return result;
    covei_ring_mark(member, produces ? COVEI_MARK_WRITES : COVEI_MARK_TAKES);
    if (produces) {
        uint32_t slot = covei_load_relaxed(&member->slot), generation = covei_load_relaxed(&member->generation);
        queue->pushing.me = covei_own_owner(slot, generation);
        queue->pushing.held = covei_own_held(slot, generation);
    }
    uint32_t role = part->wants_only ? 2 : 1;
    if (role == 2 && !produces) {
        role = 3; /* nobody else moves the head, and who waits for what we free makes us pass a barrier */
    } else if (role == 2 && covei_load_relaxed(&covei_fences_are_light)) {
        covei_store_seqcst(&queue->ring.shared->plain, 1);
        role = covei_barrier(COVEI_REACH_ALL) ? 3 : 2; /* PAIR plain */
    }
    covei_store_release(&part->role, role); /* PAIR role */
    covei_event_wake(&queue->ring.shared->members);
    return COVE_OK;
}

cove_result covei_queue_become(cove_queue *queue, covei_part *part, const char *step) {
    covei_guard_enter();
    covei_mutex_enter(COVEI_MUTEX_REVIVE);
    cove_result result = become(queue, part, step);
    covei_mutex_leave(COVEI_MUTEX_REVIVE);
    covei_guard_leave();
    return result;
}

cove_result cove_queue_members(cove_queue *queue, uint32_t *out_producers, uint32_t *out_consumers) {
    cove_result result = covei_queue_enter(queue, false, "members");
    if (result != COVE_OK)
        return result;
    if (out_producers)
        *out_producers = covei_ring_count(&queue->member, COVEI_MARK_WRITES);
    if (out_consumers)
        *out_consumers = covei_ring_count(&queue->member, COVEI_MARK_TAKES);
    return COVE_OK;
}

cove_result cove_queue_wait_members(cove_queue *queue, uint32_t *in_out_producers, uint32_t *in_out_consumers, cove_time_ns deadline_ns) {
    cove_result result = covei_queue_enter(queue, false, "wait for members");
    if (result != COVE_OK)
        return result;
    covei_member *member = &queue->member;
    if (!in_out_producers && !in_out_consumers)
        return covei_member_failed(member, COVE_ERR_ARGUMENT, "wait for members", "there is nothing to wait for");
    covei_a32 *event = &queue->ring.shared->members;
    covei_sleeper sleeper = COVEI_SLEEPER(member, deadline_ns);
    for (;;) {
        uint32_t armed = member->is_read_only ? covei_load_seqcst(event) : covei_event_arm(event);
        uint32_t producers = in_out_producers ? covei_ring_count(member, COVEI_MARK_WRITES) : 0;
        uint32_t consumers = in_out_consumers ? covei_ring_count(member, COVEI_MARK_TAKES) : 0;
        if ((in_out_producers && producers != *in_out_producers) || (in_out_consumers && consumers != *in_out_consumers)) {
            if (in_out_producers)
                *in_out_producers = producers;
            if (in_out_consumers)
                *in_out_consumers = consumers;
            return COVE_OK;
        }
        if (covei_sleeper_sees_removal(&sleeper, member))
            return COVE_REMOVED;
        if ((result = covei_sleep(&sleeper, event, armed)) != COVE_OK)
            return covei_wait_failed(member, result, "wait for members", "the deadline passed, and as many are there as before");
    }
}

/* ---- Being told. */

cove_result cove_queue_fd(cove_queue *queue, int *out_fd) {
    cove_result result = covei_queue_enter(queue, false, "fd");
    if (result != COVE_OK)
        return result;
    if (!out_fd)
        return covei_member_failed(&queue->member, COVE_ERR_ARGUMENT, "fd", "there is no place for the descriptor");
    return covei_watch_fd(&queue->watch, out_fd);
}

static void call(covei_watch_fn function, void *context, void *handle) {
    ((cove_queue_fn)function)(context, handle);
}

cove_result cove_queue_on_change(cove_queue *queue, cove_queue_fn function, void *context) {
    cove_result result = covei_queue_enter(queue, false, "on change");
    return result == COVE_OK ? covei_watch_call(&queue->watch, (covei_watch_fn)function, context) : result;
}

/* ---- The object. */

void cove_queue_interrupt(cove_queue *queue) {
    if (!queue)
        return;
    covei_store_seqcst(&queue->member.is_interrupted, 1);
    if (queue->member.is_read_only || covei_queue_enter(queue, true, "interrupt") != COVE_OK)
        return;                                           /* who polls looks by himself */
    covei_event_wake_always(&queue->ring.shared->change); /* without disarming: the bells that it is armed for are not rung */
    covei_event_wake(&queue->ring.shared->room);
    covei_event_wake(&queue->ring.shared->members);
}

#define COVEI_FORWARD(verb) \
    cove_result cove_queue_##verb(cove_queue *queue) { \
        cove_result result = covei_queue_enter(queue, false, #verb); \
        return result == COVE_OK ? covei_member_##verb(&queue->member) : result; \
    }
COVEI_FORWARD(own)
COVEI_FORWARD(disown)
COVEI_FORWARD(retire)
COVEI_FORWARD(remove)

bool cove_queue_is_removed(const cove_queue *queue) {
    return queue && (covei_member_is_removed(&queue->member) || covei_member_has_lost_its_name(&queue->member));
}

cove_result cove_queue_get_info(cove_queue *queue, cove_queue_info *out_info) {
    cove_result result = covei_queue_enter(queue, false, "info");
    if (result != COVE_OK)
        return result;
    if (!out_info)
        return covei_member_failed(&queue->member, COVE_ERR_ARGUMENT, "info", "there is no place for the answer");
    const covei_queue_shape *shape = &queue->shape;
    const covei_ring *ring = &queue->ring;
    const covei_queue_shm *shared = queue->shared;
    uint64_t next = covei_ring_newest(ring, covei_load_seqcst(&ring->shared->tail));
    uint64_t head, finished = covei_queue_finished(&queue->member, shared, next, &head);
    uint64_t first = covei_load_relaxed(&ring->shared->first), dropped = covei_load_relaxed(&shared->dropped);
    uint64_t taken = 0, back = 0;
    for (uint32_t b = 0; b < ring->buffer_count; b++) {
        uint64_t own = covei_load_relaxed(&ring->own[b]), number = covei_placed_number(own, next);
        covei_own_state state = covei_own_state_of(own);
        taken += state == COVEI_OWN_TAKEN || (state == COVEI_OWN_CLAIMED && !covei_claimed_is_done(&queue->member, own, next)) ||
                 (covei_own_is_placed(own, number) && (int64_t)(number - finished) >= 0 && (int64_t)(number - head) < 0 &&
                  covei_cell_is(covei_load_relaxed(covei_ring_cell(ring, number)), number, b));
        back += state == COVEI_OWN_BACK;
    }
    *out_info = (cove_queue_info){
        .type = shape->payload.type,
        .element_bytes = shape->payload.element_bytes,
        .capacity_bytes = shape->payload.capacity_bytes,
        .depth = shape->depth,
        .loans = shape->loans,
        .holds = shape->holds,
        .flags = (shape->keeps_times ? COVE_QUEUE_TIMES : 0) | (shape->drops_oldest ? COVE_QUEUE_DROP_OLDEST : 0) |
                 (covei_load_relaxed(&queue->producer.role) >= 2 ? COVE_QUEUE_ONLY_PRODUCER : 0) |
                 (covei_load_relaxed(&queue->consumer.role) >= 2 ? COVE_QUEUE_ONLY_CONSUMER : 0),
        .max_deliveries = shape->max_deliveries,
        .buffer_bytes = ring->stride_bytes,
        .memory_bytes = ring->object_bytes - sizeof(covei_ring_shm),
        .ready_count = ((int64_t)(next - head) > 0 ? next - head : 0) + back,
        .in_flight_count = taken,
        .pushed_count = next - 1,
        .delivered_count = head - first > dropped ? head - first - dropped : 0,
        .redelivered_count = covei_load_relaxed(&shared->redelivered),
        .dropped_count = dropped,
        .dead_letter_count = covei_load_relaxed(&shared->buried),
        .slot_count = queue->member.slot_count,
        .lifetime = queue->member.lifetime,
        .is_owner = covei_member_is_owner(&queue->member),
        .is_read_only = queue->member.is_read_only,
        .is_removed = covei_member_is_removed(&queue->member),
    };
    memcpy(out_info->dead_letter, shared->dead_letter, sizeof out_info->dead_letter - 1);
    return COVE_OK;
}

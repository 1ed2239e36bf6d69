/* What consumers call: popping, taking in place, giving back, looking, waiting. */
#include "base/copy.h"
#include "base/error.h"
#include "queue/queue.h"

#include <string.h>

/* Up to this size messages are copied under one hold of the handle's lock, and their own words are not touched. */
#define SMALL_BYTES 4096
#define OVERTAKEN_MAX 8

/* Where there always is a next message, nobody waits, and dead consumers are looked for after so many. */
#define SWEEP_EACH 256

static const char none_came[] = "no message until the deadline";

typedef enum verb { POP, TAKE, PEEK, WAIT } verb;

/* What a call is for, and what came of it. */
typedef struct wish {
    verb verb;
    uint8_t *out_data;
    uint64_t size_bytes;
    cove_message *messages;
    uint32_t most, count;
} wish;

/* ---- One message. */

/* All about it but its data. The length was read once, and is the one that was checked. */
static inline void describe(const cove_queue *queue, uint32_t b, uint64_t number, uint32_t length, uint32_t deliveries, cove_message *out) {
    const covei_buffer_shm *buffer = covei_ring_buffer(&queue->ring, b);
    const covei_payload *payload = &queue->shape.payload;
    out->length_bytes = length;
    out->type = payload->type == COVE_TYPE_ANY ? (cove_type)(covei_load_relaxed(&buffer->link) >> 24) : payload->type;
    (void)covei_payload_count(payload, out->type, length, &out->count);
    out->deliveries = deliveries;
    out->sequence = number;
    out->tag = covei_load_relaxed(&buffer->tag);
    out->time_ns = queue->ring.keeps_times ? covei_load_relaxed(covei_ring_time(&queue->ring, b)) : 0;
    out->held[0] = out->held[1] = 0;
}

/* Copies what was taken to the caller, one behind the other. */
static inline void hand_over(const cove_queue *queue, const covei_run *run, wish *w) {
    uint8_t *to = w->out_data;
    for (uint32_t i = 0; i < run->count; i++) {
        uint32_t length = run->length[i];
        covei_copy_out(to, covei_ring_payload(&queue->ring, run->buffer[i]), length);
        if (w->messages) {
            describe(queue, run->buffer[i], run->number + i, length, run->deliveries, &w->messages[i]);
            w->messages[i].data = to;
        }
        to += ((uint64_t)length + 7) & ~UINT64_C(7);
    }
    w->count = run->count;
}

/* DONE, of what is TAKEN. PAIR done */
static inline void set_free(const cove_queue *queue, const covei_run *run) {
    for (uint32_t i = 0; i < run->count; i++)
        covei_store_release(&queue->ring.own[run->buffer[i]], covei_done_word(&queue->ring, run->buffer[i], run->number + i));
}

static inline uint64_t bytes_of(const covei_run *run) {
    uint64_t bytes = run->length[0];
    for (uint32_t i = 1; i < run->count; i++)
        bytes += run->length[i];
    return bytes;
}

static inline void set_taken(const cove_queue *queue, const covei_run *run) {
    uint32_t slot = covei_load_relaxed(&queue->member.slot);
    for (uint32_t i = 0; i < run->count && !run->is_back; i++)
        covei_store_release(&queue->ring.own[run->buffer[i]], covei_taken_word(slot, 1, run->number + i));
}

/* After the lock: there is a place in the order, if not a buffer too; and now and then the dead are looked for. */
static inline void has_taken(cove_queue *queue, const covei_run *run) {
    covei_queue_make_room(queue);
    if (covei_unlikely(run->number % SWEEP_EACH < run->count))
        (void)covei_queue_sweep(queue);
}

/* ---- Dead letters. */

static cove_queue *dead_letter_of(cove_queue *queue) {
    cove_queue *have = atomic_load(&queue->dead_letter), *none = NULL;
    char name[sizeof queue->shared->dead_letter];
    if (have)
        return have;
    memcpy(name, queue->shared->dead_letter, sizeof name); /* a member may have overwritten it: opening checks it */
    name[sizeof name - 1] = 0;
    const covei_queue_shape *shape = &queue->shape;
    cove_queue_options options = {
        .domain = queue->member.domain->path,
        .lifetime = COVE_UNTIL_REMOVED,
        .size_rule = COVE_AT_LEAST,
        .type = shape->payload.type,
        .element_bytes = shape->payload.element_bytes,
        .capacity_bytes = shape->payload.capacity_bytes,
    };
    covei_file probe;
    covei_file_facts facts;
    options.how = COVE_OPEN;
    cove_result result = cove_queue_open(&have, name, &options);
    if (result == COVE_ERR_NOT_FOUND && covei_member_probe(&queue->member, &probe) == COVE_OK &&
        covei_file_look(probe, &facts) == COVE_OK) { /* like this one, and for the same users */
        options.how = COVE_OPEN_OR_CREATE;
        options.depth = shape->depth;
        options.loans = shape->loans;
        options.holds = shape->holds;
        options.mode = facts.mode;
        options.flags = shape->keeps_times ? COVE_QUEUE_TIMES : 0;
        result = cove_queue_open(&have, name, &options);
    }
    if (result != COVE_OK)
        return NULL;
    if (atomic_compare_exchange_strong(&queue->dead_letter, &none, have))
        return have;
    cove_queue_close(have);
    return none;
}

/* BURY: what was delivered often enough goes to the dead-letter queue: first there, then it is done with here, so that a death in
 * between leaves it twice and not nowhere. False: it could not be had there; then it is delivered once more. */
static bool bury(cove_queue *queue, const covei_run *run) {
    covei_ring *ring = &queue->ring;
    uint32_t b = run->buffer[0];
    cove_message m;
    if (covei_likely(!run->is_back || !queue->shape.max_deliveries || run->deliveries <= queue->shape.max_deliveries))
        return false;
    cove_queue *other = dead_letter_of(queue);
    describe(queue, b, run->number, run->length[0], run->deliveries, &m);
    if (!other || run->length[0] > ring->capacity_bytes ||
        cove_queue_push_as(other, m.type, covei_ring_payload(ring, b), m.length_bytes, m.tag, COVE_TRY) < 0)
        return false;
    set_free(queue, run);
    covei_add_relaxed(&queue->shared->buried, 1);
    covei_queue_make_room(queue);
    return true;
}

/* ---- One attempt. */

/* COVE_OK · COVE_REDELIVERED · COVE_ERR_EMPTY · COVE_ERR_SIZE · COVE_ERR_DAMAGED; none is told. */
static cove_result attempt_take(cove_queue *queue, bool thorough, wish *w) {
    covei_run run;
    covei_wanted wanted = {w->verb == POP ? w->size_bytes : UINT64_MAX, w->most, w->most > 1 ? 8 : 1, false};
    for (;;) {
        covei_local_enter(&queue->taking.lock);
        cove_result result = covei_queue_take_run(queue, thorough, &wanted, &run);
        if (covei_unlikely(result != COVE_OK)) {
            bool again = result == COVE_ERR_EMPTY && !thorough && covei_queue_is_time_to_look(&queue->taking);
            covei_local_leave(&queue->taking.lock);
            if (again) {
                (void)covei_queue_sweep(queue);
                thorough = true;
                continue;
            }
            if (result == COVE_ERR_SIZE && w->messages)
                w->messages->length_bytes = run.length[0];
            return result;
        }
        bool is_true = run.length[0] <= queue->ring.capacity_bytes;
        if (covei_likely(w->verb == POP && !run.is_back && is_true && bytes_of(&run) <= SMALL_BYTES)) {
            hand_over(queue, &run, w);
            covei_queue_finish(queue, &run);
            covei_local_leave(&queue->taking.lock);
            has_taken(queue, &run);
            return COVE_OK;
        }
        set_taken(queue, &run);
        covei_queue_finish(queue, &run);
        covei_local_leave(&queue->taking.lock);
        has_taken(queue, &run);
        if (covei_unlikely(bury(queue, &run)))
            continue;
        if (covei_unlikely(!is_true)) {
            set_free(queue, &run);
            covei_queue_make_room(queue);
            return COVE_ERR_DAMAGED;
        }
        if (w->verb == POP) {
            hand_over(queue, &run, w);
            set_free(queue, &run);
            covei_queue_make_room(queue);
        } else {
            describe(queue, run.buffer[0], run.number, run.length[0], run.deliveries, w->messages);
            w->messages->data = covei_ring_payload(&queue->ring, run.buffer[0]);
            w->messages->held[0] = covei_held(COVEI_HELD_VALUE, run.buffer[0], 0);
            w->messages->held[1] = covei_process_epoch();
            w->count = 1;
        }
        return run.is_back ? COVE_REDELIVERED : COVE_OK;
    }
}

/* A copy is one if the message is still the next after it was made. */
static cove_result attempt_peek(cove_queue *queue, bool thorough, wish *w) {
    covei_seen s;
    covei_local_enter(&queue->taking.lock);
    cove_result result;
    for (int tries = 0;; tries++) {
        result = covei_queue_find(queue, thorough, &s);
        if (covei_unlikely(result == COVE_ERR_EMPTY && !thorough && covei_queue_is_time_to_look(&queue->taking))) {
            covei_local_leave(&queue->taking.lock);
            (void)covei_queue_sweep(queue);
            covei_local_enter(&queue->taking.lock);
            thorough = true;
            continue;
        }
        if (result != COVE_OK || w->verb == WAIT)
            break;
        uint32_t length = covei_load_relaxed(&covei_ring_buffer(&queue->ring, s.buffer)->length);
        bool fits = length <= w->size_bytes && length <= queue->ring.capacity_bytes;
        cove_message m = {.data = w->out_data};
        describe(queue, s.buffer, s.number, length, s.deliveries + 1, &m);
        if (fits)
            covei_copy_out(w->out_data, covei_ring_payload(&queue->ring, s.buffer), length);
        covei_fence_acquire(); /* PAIR done */
        if (covei_unlikely(!covei_queue_is_next(queue, &s))) {
            if (tries < OVERTAKEN_MAX)
                continue;
            result = COVE_ERR_EMPTY; /* consumers are quicker than we look: nothing waits */
            break;
        }
        if (w->messages && fits)
            *w->messages = m;
        else if (w->messages)
            w->messages->length_bytes = length;
        result = fits ? s.deliveries ? COVE_REDELIVERED : COVE_OK : length > queue->ring.capacity_bytes ? COVE_ERR_DAMAGED : COVE_ERR_SIZE;
        break;
    }
    covei_local_leave(&queue->taking.lock);
    return result;
}

static cove_result attempt(cove_queue *queue, bool thorough, wish *w) {
    return w->verb <= TAKE ? attempt_take(queue, thorough, w) : attempt_peek(queue, thorough, w);
}

/* ---- Until the deadline. */

/* Is a success, as all that is no error: so whoever asks only for that finds a message of no bytes. */
static cove_result removed(const wish *w) {
    if (w->messages)
        w->messages[0] = (cove_message){0};
    return COVE_REMOVED;
}

/* Sleeps where an attempt gave EMPTY, and attempts again, until something else comes of it. */
static cove_result wait_for(cove_queue *queue, wish *w, const char *step, cove_time_ns deadline_ns) {
    covei_member *member = &queue->member;
    covei_a32 *event = &queue->ring.shared->change;
    covei_sleeper sleeper = COVEI_SLEEPER(member, deadline_ns);
    for (;;) {
        bool spins = covei_sleeper_spins(&sleeper);
        uint32_t armed = spins || member->is_read_only ? covei_load_seqcst(event) : covei_event_arm(event);
        if (!spins)
            (void)covei_ring_barrier(&queue->ring);
        cove_result result = attempt(queue, !spins, w);
        if (result != COVE_ERR_EMPTY) {
            covei_sleeper_done(&sleeper);
            return result;
        }
        if (covei_sleeper_sees_removal(&sleeper, member))
            return removed(w);
        if (spins)
            continue;
        (void)covei_queue_sweep(queue); /* what a dead consumer had in hand is for us */
        cove_result slept = covei_sleep(&sleeper, event, armed);
        if (slept == COVE_ERR_TIMEOUT)
            return result;
        if (slept != COVE_OK)
            return covei_wait_failed(member, slept, step, "");
    }
}

static cove_result tell(cove_queue *queue, cove_result result, const wish *w, const char *step) {
    switch (result) {
    case COVE_ERR_EMPTY: return covei_member_failed(&queue->member, result, step, none_came);
    case COVE_ERR_DAMAGED:
        return covei_member_failed(&queue->member, result, step,
                                   "a message, or the order of them, contradicts itself; a member has overwritten what it should not");
    case COVE_ERR_SIZE:
        return covei_member_told(&queue->member, result, step, "the message is longer than the %llu bytes of the buffer",
                                 (unsigned long long)w->size_bytes);
    default: return result;
    }
}

/* One attempt at once, without arming; then with waiting. */
static cove_result perform(cove_queue *queue, wish *w, const char *step, cove_time_ns deadline_ns) {
    cove_result result = attempt(queue, false, w);
    if (covei_likely(result >= 0))
        return result;
    if (result == COVE_ERR_EMPTY && covei_watch_is_used(&queue->watch)) {
        /* Nothing: its descriptor is quiet from here on, until there is something. PAIR bell */
        covei_watch_rearm(&queue->watch);
        (void)covei_ring_barrier(&queue->ring);
        (void)covei_queue_sweep(queue);
        result = attempt(queue, true, w);
        if (result != COVE_ERR_EMPTY)
            covei_watch_touch(&queue->watch); /* one came in between, and there may be more of which nobody rings again */
        if (result >= 0)
            return result;
        if (result == COVE_ERR_EMPTY && covei_watch_asks(&queue->watch) && covei_member_has_lost_its_name(&queue->member) &&
            !covei_exchange_seqcst(&queue->member.told_removed, 1))
            return removed(w);
    }
    if (result == COVE_ERR_EMPTY && (deadline_ns != COVE_TRY || covei_member_is_removed(&queue->member)))
        result = wait_for(queue, w, step, deadline_ns);
    return tell(queue, result, w, step);
}

/* ---- Public. */

static cove_result begin(cove_queue *queue, bool takes, const void *out_data, uint64_t size_bytes, const char *step) {
    cove_result result = covei_queue_enter(queue, takes, step);
    if (covei_unlikely(result != COVE_OK))
        return result;
    if (covei_unlikely(!out_data && size_bytes))
        return covei_member_failed(&queue->member, COVE_ERR_ARGUMENT, step, "the buffer is null");
    return takes ? covei_queue_consumes(queue, step) : COVE_OK;
}

/* The usual case in one go: the next message is where its producer's last one promised, we took the one before, and it is small.
 * False: all in order, from the start. */
static inline bool pop_predicted(cove_queue *queue, void *out_data, uint64_t size_bytes, cove_message *out_message) {
    covei_taking *t = &queue->taking;
    const covei_ring *ring = &queue->ring;
    uint64_t number = t->next, mine = covei_cell_word(number, covei_load_relaxed(&queue->member.slot));
    uint32_t b = t->predicted;
    if (covei_unlikely(b >= ring->buffer_count || !(number % SWEEP_EACH) ||
                       covei_load_acquire(&queue->shared->head) != mine || /* PAIR head */
                       covei_load_relaxed(&queue->shared->back) & 1))
        return false;
    covei_buffer_shm *buffer = covei_ring_buffer(ring, b);
    if (covei_load_acquire(&buffer->number) != number) /* PAIR confirmed */
        return false;
    uint32_t length = covei_load_relaxed(&buffer->length), link = covei_load_relaxed(&buffer->link);
    if (covei_unlikely(length > size_bytes || length > SMALL_BYTES || length > ring->capacity_bytes ||
                       !covei_queue_move_head(queue, mine, number + 1)))
        return false;
    covei_copy_out(out_data, covei_ring_payload(ring, b), length);
    if (out_message) {
        describe(queue, b, number, length, 1, out_message);
        out_message->data = out_data;
    }
    covei_store_release(&covei_member_slot(&queue->member)->hold64[COVEI_HOLD_CURSOR], number + 1); /* PAIR done */
    t->next = number + 1;
    t->predicted = link & COVEI_NO_BUFFER;
    return true;
}

cove_result cove_queue_pop(cove_queue *queue, void *out_data, uint64_t size_bytes, cove_message *out_message, cove_time_ns deadline_ns) {
    cove_result result = begin(queue, true, out_data, size_bytes, "pop");
    if (covei_unlikely(result != COVE_OK))
        return result;
    covei_local_enter(&queue->taking.lock);
    bool is_done = pop_predicted(queue, out_data, size_bytes, out_message);
    covei_local_leave(&queue->taking.lock);
    if (covei_likely(is_done)) {
        covei_queue_make_room(queue);
        return COVE_OK;
    }
    return perform(queue, &(wish){.verb = POP, .out_data = out_data, .size_bytes = size_bytes, .messages = out_message, .most = 1}, "pop",
                   deadline_ns);
}

cove_result cove_queue_pop_many(cove_queue *queue, void *out_data, uint64_t size_bytes, cove_message *out_messages, uint32_t most,
                                uint32_t *out_count, cove_time_ns deadline_ns) {
    uint32_t none;
    cove_result result = begin(queue, true, out_data, size_bytes, "pop many");
    if (covei_unlikely(result != COVE_OK))
        return result;
    out_count = out_count ? out_count : &none;
    *out_count = 0;
    if (covei_unlikely(!out_messages || !most))
        return covei_member_failed(&queue->member, COVE_ERR_ARGUMENT, "pop many", "there is no place for the messages");
    wish w = {.verb = POP, .out_data = out_data, .size_bytes = size_bytes, .messages = out_messages};
    w.most = most < COVE_QUEUE_RUN_MAX ? most : COVE_QUEUE_RUN_MAX;
    result = perform(queue, &w, "pop many", deadline_ns);
    *out_count = w.count;
    return result;
}

cove_result cove_queue_take(cove_queue *queue, cove_message *out_message, cove_time_ns deadline_ns) {
    cove_message message = {0};
    cove_result result = begin(queue, true, NULL, 0, "take");
    if (covei_unlikely(result != COVE_OK))
        return result;
    if (covei_unlikely(!out_message))
        return covei_member_failed(&queue->member, COVE_ERR_ARGUMENT, "take", "there is no place for the message");
    result = perform(queue, &(wish){.verb = TAKE, .messages = &message, .most = 1}, "take", deadline_ns);
    if (result >= 0)
        *out_message = message;
    return result;
}

/* Ends what `message` holds, if its own word is still as it was taken. */
typedef enum ending { DONE, PUT_BACK } ending;
static cove_result end(cove_queue *queue, cove_message *message, ending how, const char *step) {
    uint32_t b = covei_held_buffer(message->held[0]);
    if (covei_unlikely((message->held[0] & ~UINT64_C(0xfffff)) != COVEI_HELD_VALUE || b >= queue->ring.buffer_count))
        return covei_member_failed(&queue->member, COVE_ERR_VIEW, step,
                                   "this message holds nothing: popped by copy, or done or put back already");
    if (covei_unlikely(message->held[1] != covei_process_epoch()))
        return covei_member_failed(&queue->member, COVE_ERR_FORKED, step,
                                   "the message was taken by the parent process, and is the parent's to end");
    uint64_t mine = covei_taken_word(covei_load_relaxed(&queue->member.slot), message->deliveries, message->sequence);
    uint64_t word =
        how == DONE ? covei_done_word(&queue->ring, b, message->sequence) : covei_back_word(message->deliveries, message->sequence);
    message->held[0] = 0;
    if (covei_unlikely(!covei_cas_seqcst(&queue->ring.own[b], &mine, word))) /* PAIR done */
        return covei_member_failed(&queue->member, COVE_ERR_VIEW, step,
                                   "this message is another handle's, or a copy of it was done or put back");
    return COVE_OK;
}

cove_result cove_queue_done(cove_queue *queue, cove_message *message) {
    cove_result result = covei_queue_enter(queue, true, "done");
    if (covei_unlikely(result != COVE_OK))
        return result;
    if (covei_unlikely(!message))
        return covei_member_failed(&queue->member, COVE_ERR_ARGUMENT, "done", "the message is null");
    result = end(queue, message, DONE, "done");
    if (covei_likely(result == COVE_OK))
        covei_queue_make_room(queue);
    return result;
}

cove_result cove_queue_put_back(cove_queue *queue, cove_message *message) {
    cove_result result = covei_queue_enter(queue, true, "put back");
    if (covei_unlikely(result != COVE_OK))
        return result;
    if (covei_unlikely(!message))
        return covei_member_failed(&queue->member, COVE_ERR_ARGUMENT, "put back", "the message is null");
    result = end(queue, message, PUT_BACK, "put back");
    if (covei_likely(result == COVE_OK))
        covei_queue_tell_back(queue);
    return result;
}

cove_result cove_queue_peek(cove_queue *queue, void *out_data, uint64_t size_bytes, cove_message *out_message, cove_time_ns deadline_ns) {
    cove_result result = begin(queue, false, out_data, size_bytes, "peek");
    if (covei_unlikely(result != COVE_OK))
        return result;
    return perform(queue, &(wish){.verb = PEEK, .out_data = out_data, .size_bytes = size_bytes, .messages = out_message}, "peek",
                   deadline_ns);
}

cove_result cove_queue_wait(cove_queue *queue, cove_time_ns deadline_ns) {
    cove_result result = begin(queue, false, NULL, 0, "wait");
    return covei_unlikely(result != COVE_OK) ? result : perform(queue, &(wish){.verb = WAIT}, "wait", deadline_ns);
}

/* ---- For producers. */

cove_result covei_queue_drop_oldest(cove_queue *queue, bool in_order) {
    covei_run run;
    covei_ring_mark(&queue->member, COVEI_MARK_DROPS);
    covei_local_enter(&queue->taking.lock);
    cove_result result = covei_queue_take_run(queue, true, &(covei_wanted){UINT64_MAX, 1, 1, in_order}, &run);
    if (result == COVE_OK && run.is_back)
        set_free(queue, &run);
    else if (result == COVE_OK)
        covei_queue_finish(queue, &run);
    covei_local_leave(&queue->taking.lock);
    if (result != COVE_OK)
        return result;
    covei_add_relaxed(&queue->shared->dropped, 1);
    covei_queue_make_room(queue);
    return COVE_OK;
}

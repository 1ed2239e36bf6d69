/* Pushing: buffers, and the one step that publishes. The step names are those of docs/protocols/ring.md. */
#include "base/copy.h"
#include "base/error.h"
#include "queue/queue.h"

#include <string.h>

/* How many buffers ahead one is fetched for writing, before it is wanted. */
#define FETCH_AHEAD 6

/* Each round of a publication that comes to nothing is one in which another producer published; this many are no accident. */
#define ROUNDS_MAX (1u << 20)
#define NONSENSE_MAX 4

/* Up to this size a message is filled and published under one hold of the handle's lock. */
#define SMALL_BYTES 4096

/* How often who drops the oldest may find that others have filled the place before he gives up. */
#define DROPS_MAX 1000

void covei_pushing_reset(covei_pushing *pushing, uint64_t next) {
    memset(pushing, 0, sizeof *pushing);
    pushing->next = next;
    pushing->head = pushing->finished = next - (UINT64_C(1) << 40); /* so that it is looked at */
    pushing->hand = pushing->promised = COVEI_NO_BUFFER;
    covei_local_reset(&pushing->lock);
}

/* ---- Acquiring a buffer. */

static void look_at_head(cove_queue *queue, uint64_t near) {
    queue->pushing.finished = covei_queue_finished(&queue->member, queue->shared, near, &queue->pushing.head);
}

/* Whether what was placed under `number` is done with, as far as this handle knows; it looks where the consumers are once, if it must. */
static inline bool is_finished(cove_queue *queue, uint64_t number, bool *has_looked) {
    if (covei_likely((int64_t)(number - queue->pushing.finished) < 0))
        return true;
    if (*has_looked)
        return false;
    *has_looked = true;
    look_at_head(queue, queue->pushing.next);
    return (int64_t)(number - queue->pushing.finished) < 0;
}

/* Whether the producer, whose name is in `writer`, will not write to the buffer any more: he has confirmed its number, or is dead. */
static bool is_through(cove_queue *queue, uint32_t b, uint64_t number, uint64_t writer, bool thorough) {
    return covei_load_acquire(&covei_ring_buffer(&queue->ring, b)->number) == number || /* PAIR confirmed */
           (thorough && !covei_own_is_alive(&queue->member, covei_own_of(COVEI_OWN_PLACED, writer, number)));
}

/* ACQUIRE, of a queue. What was placed is free when it is done with (I1), and its producer has confirmed it: until then he, who may have
 * lost the swap of the cell and look for another number, is not through with it. Where he has gone, the cell tells whether it was a
 * message at all. The own word was read before all that: what changes it meanwhile makes the swap fail. PAIR done
 * Without `thorough` nobody is asked whether he is alive: that takes a system call. */
static inline bool is_available(cove_queue *queue, uint32_t b, uint64_t own, bool thorough, bool *has_looked) {
    covei_pushing *w = &queue->pushing;
    covei_ring *ring = &queue->ring;
    uint64_t number = covei_placed_number(own, w->next);
    switch (covei_own_state_of(own)) {
    case COVEI_OWN_FREE: return true;
    case COVEI_OWN_HELD: return thorough && !covei_own_is_alive(&queue->member, own);
    case COVEI_OWN_PLACED:
        if (covei_likely(!((own ^ w->me) & COVEI_OWN_OWNER)) ||
            covei_load_acquire(&covei_ring_buffer(ring, b)->number) == number) /* PAIR confirmed */
            return is_finished(queue, number, has_looked);
        if (!thorough || covei_own_is_alive(&queue->member, own))
            return false;
        break;
    case COVEI_OWN_LEFT: break;
    case COVEI_OWN_CLAIMED:
        return covei_claimed_is_done(&queue->member, own, w->next) &&
               is_through(queue, b, covei_taken_number(own, w->next), covei_load_relaxed(&covei_ring_buffer(ring, b)->writer), thorough);
    case COVEI_OWN_SPENT: return is_through(queue, b, number, own, thorough);
    default: return false;
    }
    return is_finished(queue, number, has_looked) || !covei_cell_is(covei_load_seqcst(covei_ring_cell(ring, number)), number, b);
}

/* Two passes: most often one is free, and only where none is, the dead are asked for.
 * CRASH: killed after the swap: the buffer is HELD by a dead one, and the next who looks takes it. */
static uint32_t acquire(cove_queue *queue) {
    covei_ring *ring = &queue->ring;
    bool has_looked = false;
    /* Numbers in own words are told by their low bits, near this one: it may not have moved since others pushed very many. */
    uint64_t tail = covei_load_relaxed(&ring->shared->tail);
    if (covei_unlikely((int64_t)(tail - queue->pushing.next) > 0))
        queue->pushing.next = tail;
    for (int pass = 0; pass < 2; pass++) {
        uint32_t b = queue->pushing.scan;
        for (uint32_t i = 0; i < ring->buffer_count; i++, b++) {
            if (b >= ring->buffer_count)
                b = 0;
            uint64_t own = covei_load_acquire(&ring->own[b]);
            if (is_available(queue, b, own, pass, &has_looked) && covei_cas_seqcst(&ring->own[b], &own, queue->pushing.held)) {
                queue->pushing.scan = b + 1 < ring->buffer_count ? b + 1 : 0;
                return b;
            }
        }
    }
    return COVEI_NO_BUFFER;
}

/* As for streams: one buffer at least stays for all others, so that those who are idle keep nobody from pushing. */
static inline bool keeps_hand(const cove_queue *queue) {
    return covei_load_relaxed(&queue->producer.role) >= 2 || covei_load_relaxed(&queue->member.slot) + 1 < queue->shape.loans;
}

static void put_down(cove_queue *queue, uint32_t b) {
    covei_local_enter(&queue->pushing.lock);
    bool keeps = queue->pushing.hand == COVEI_NO_BUFFER && keeps_hand(queue);
    if (keeps)
        queue->pushing.hand = b;
    else
        covei_store_seqcst(&queue->ring.own[b], 0);
    covei_local_leave(&queue->pushing.lock);
    if (!keeps)
        covei_event_wake(&queue->ring.shared->room);
}

/* The next one in hand already: the next push finds it there. */
static inline void take_next(cove_queue *queue) {
    covei_pushing *w = &queue->pushing;
    covei_ring *ring = &queue->ring;
    if (covei_unlikely(w->hand != COVEI_NO_BUFFER || !keeps_hand(queue)))
        return;
    uint32_t b = w->scan;
    uint64_t own = covei_load_acquire(&ring->own[b]); /* PAIR done */
    bool has_looked = false;
    if (covei_unlikely(!is_available(queue, b, own, false, &has_looked)))
        return; /* the next push looks further */
    /* The only producer's store, where it was known to be free before the word was read: nobody else acquires, and a consumer that claims
     * late what is done with may lose. What was found out only after that may be TAKEN by now. */
    if (covei_load_relaxed(&queue->producer.role) == 3 && !has_looked && covei_own_state_of(own) <= COVEI_OWN_PLACED)
        covei_store_relaxed(&ring->own[b], w->held);
    else if (covei_unlikely(!covei_cas_seqcst(&ring->own[b], &own, w->held)))
        return;
    w->hand = b;
    w->scan = b + 1 < ring->buffer_count ? b + 1 : 0;
    uint32_t soon = b + FETCH_AHEAD < ring->buffer_count ? b + FETCH_AHEAD : b + FETCH_AHEAD - ring->buffer_count;
    if (soon < ring->buffer_count) {
        __builtin_prefetch(covei_ring_buffer(ring, soon), 1);
        __builtin_prefetch((const char *)covei_ring_buffer(ring, soon) + 64, 1);
    }
}

/* ---- Publishing. */

/* All that goes with a message, before it is published: who finds it unconfirmed reads it too. `writer` is for who is done with a message
 * before its producer has confirmed it. */
static inline void describe(cove_queue *queue, uint32_t b, uint64_t length_bytes, uint64_t tag) {
    covei_buffer_shm *buffer = covei_ring_buffer(&queue->ring, b);
    covei_store_relaxed(&buffer->tag, tag);
    covei_store_relaxed(&buffer->writer, queue->pushing.me);
    covei_store_relaxed(&buffer->length, (uint32_t)length_bytes);
}

/* PUSH 3: whether fewer than `depth` messages lie between the head and `number`. */
static bool has_room(cove_queue *queue, uint64_t number) {
    look_at_head(queue, number);
    return (int64_t)(number - queue->pushing.head) < (int64_t)queue->shape.depth;
}

/* PUSH. COVE_OK · COVE_ERR_FULL, quiet: buffer `b` is HELD as before · COVE_ERR_DAMAGED, quiet.
 * The link is stored before the swap, and only the number after it. Until it is there nobody else fills the buffer, be the message done
 * with or not: a producer that is stopped there stores it late, and would unconfirm another's message.
 * CRASH: killed before the swap of the cell: nothing happened, and the buffer is taken back. After it: the message is there. */
static inline cove_result place(cove_queue *queue, uint32_t b, cove_type type) {
    covei_pushing *w = &queue->pushing;
    covei_ring *ring = &queue->ring;
    covei_buffer_shm *buffer = covei_ring_buffer(ring, b);
    uint64_t number = w->next;
    uint32_t nonsense = 0, promised = w->hand != COVEI_NO_BUFFER ? w->hand : w->scan;
    cove_result result = COVE_ERR_DAMAGED;
    if (ring->keeps_times)
        covei_store_relaxed(covei_ring_time(ring, b), covei_clock_ns());
    covei_store_relaxed(&buffer->link, (uint32_t)type << 24 | promised); /* not read: its line may still be on its way */
    for (uint32_t rounds = 0;; rounds++) {
        if (covei_unlikely(rounds == ROUNDS_MAX || nonsense == NONSENSE_MAX))
            goto failed;
        uint64_t cell = covei_load_acquire(covei_ring_cell(ring, number)); /* 2. PAIR published */
        int64_t ahead = covei_cell_ahead(cell, number);
        if (covei_unlikely(ahead >= 0)) { /* others have pushed */
            number = rounds < ring->cells ? number + (uint64_t)ahead + 1 : covei_ring_newest(ring, number);
            continue;
        }
        if (covei_unlikely(ahead != -(int64_t)ring->cells)) { /* only by damage */
            nonsense++;
            number = covei_ring_newest(ring, number);
            continue;
        }
        if (covei_unlikely(number - w->head >= queue->shape.depth) && !has_room(queue, number)) { /* 3 */
            w->next = number;
            result = COVE_ERR_FULL;
            goto failed;
        }
        covei_store_release(&ring->own[b], covei_own_of(COVEI_OWN_PLACED, w->me, number)); /* 4 */
        if (covei_load_relaxed(&queue->producer.role) == 3) { /* the only producer: nobody else changes cells. PAIR published */
            covei_store_release(covei_ring_cell(ring, number), covei_cell_word(number, b));
            covei_fence_light(); /* PAIR plain: before the look at who sleeps */
            break;
        }
        if (covei_likely(covei_cas_seqcst(covei_ring_cell(ring, number), &cell, covei_cell_word(number, b)))) /* 5 */
            break;
    }
    covei_store_release(&buffer->number, number); /* 6. PAIR confirmed */
    /* 7: where a taker's guess cannot have led it here, `turned` must; and now and then the tail, so that nobody has far to walk. */
    if (covei_unlikely(w->last + 1 != number || w->promised != b))
        covei_ring_raise(&queue->shared->turned, number + 1);
    if (covei_unlikely(!(~number & ring->mask & 7)))
        covei_ring_raise(&ring->shared->tail, number + 1);
    w->last = number;
    w->promised = promised;
    w->next = number + 1;
    return COVE_OK;
failed:
    covei_store_release(&ring->own[b], w->held); /* a swap that was lost has left it PLACED */
    return result;
}

/* After the swap, or as the barrier of who sleeps orders it. PAIR event */
static inline void tell(cove_queue *queue) {
    covei_tell(&queue->member, &queue->ring.shared->change);
}

/* One wait for room. COVE_OK: look again; else told. */
static cove_result wait_for_room(cove_queue *queue, covei_sleeper *sleeper, uint32_t *armed, const char *step) {
    static const char full[] = "it was full until the deadline: consumers are too slow, or none is there (see who: cove stat)";
    covei_a32 *room = &queue->ring.shared->room;
    if (sleeper->deadline_ns == COVE_TRY) /* unless what is in the way was a dead consumer's */
        return covei_queue_sweep(queue) ? COVE_OK : covei_member_failed(&queue->member, COVE_ERR_FULL, step, full);
    if (*armed) {
        cove_result result = covei_sleep(sleeper, room, *armed);
        *armed = 0;
        if (result == COVE_ERR_TIMEOUT)
            return covei_member_failed(&queue->member, COVE_ERR_FULL, step, full);
        if (result != COVE_OK)
            return covei_wait_failed(&queue->member, result, step, "");
        (void)covei_queue_sweep(queue); /* what a dead consumer has in hand, others can get done */
    } else if (!covei_sleeper_spins(sleeper)) {
        *armed = covei_event_arm(room);
        (void)covei_barrier(COVEI_REACH_ALL); /* consumers free buffers, and look at `room`, without one. PAIR room */
    }
    return COVE_OK;
}

/* Makes room in a queue that drops. True: it is worth another try. */
static bool drop(cove_queue *queue, bool in_order, uint32_t *tries, cove_result *result) {
    if (covei_likely(!queue->shape.drops_oldest) || ++*tries > DROPS_MAX)
        return false;
    cove_result dropped = covei_queue_drop_oldest(queue, in_order);
    if (dropped == COVE_ERR_EMPTY && in_order)
        return true; /* a consumer was quicker, so there is room */
    if (dropped != COVE_OK)
        return false;
    *result = COVE_DROPPED;
    return true;
}

/* A buffer to fill; waits for one where all are out. COVE_OK · COVE_DROPPED · told. */
static cove_result get_buffer(cove_queue *queue, const char *step, cove_time_ns deadline_ns, uint32_t *out_b) {
    covei_sleeper sleeper = COVEI_SLEEPER(&queue->member, deadline_ns);
    covei_pushing *w = &queue->pushing;
    cove_result result = covei_queue_produces(queue, step);
    if (covei_unlikely(result != COVE_OK))
        return result;
    for (uint32_t armed = 0, tries = 0;;) {
        covei_local_enter(&w->lock);
        uint32_t b = w->hand;
        if (covei_likely(b != COVEI_NO_BUFFER))
            w->hand = COVEI_NO_BUFFER;
        else
            b = acquire(queue);
        covei_local_leave(&w->lock);
        if (covei_likely(b != COVEI_NO_BUFFER)) {
            covei_sleeper_done(&sleeper);
            *out_b = b;
            return result;
        }
        if (drop(queue, false, &tries, &result))
            continue;
        cove_result waited = wait_for_room(queue, &sleeper, &armed, step);
        if (waited != COVE_OK)
            return waited;
    }
}

/* Publishes b, and waits for room where there is none. COVE_OK · COVE_DROPPED · told: b is still HELD. */
static cove_result publish(cove_queue *queue, uint32_t b, cove_type type, const char *step, cove_time_ns deadline_ns) {
    covei_sleeper sleeper = COVEI_SLEEPER(&queue->member, deadline_ns);
    cove_result dropped = COVE_OK;
    for (uint32_t armed = 0, tries = 0;;) {
        covei_local_enter(&queue->pushing.lock);
        cove_result result = place(queue, b, type);
        if (result == COVE_OK)
            take_next(queue);
        covei_local_leave(&queue->pushing.lock);
        if (covei_likely(result == COVE_OK)) {
            covei_sleeper_done(&sleeper);
            tell(queue);
            return dropped;
        }
        if (result == COVE_ERR_DAMAGED)
            return covei_member_failed(&queue->member, result, step, "the order of its messages contradicts itself");
        if (drop(queue, true, &tries, &dropped))
            continue;
        if ((result = wait_for_room(queue, &sleeper, &armed, step)) != COVE_OK)
            return result;
    }
}

/* ---- Public. */

static cove_result push_slowly(cove_queue *queue, cove_type type, const void *data, uint64_t size_bytes, uint64_t tag,
                               cove_time_ns deadline_ns) {
    uint32_t b;
    cove_result result = covei_queue_enter(queue, true, "push");
    if (covei_unlikely(result != COVE_OK))
        return result;
    if (covei_unlikely(!data && size_bytes))
        return covei_member_failed(&queue->member, COVE_ERR_ARGUMENT, "push", "the data is null");
    if (covei_unlikely((result = covei_payload_check(&queue->member, &queue->shape.payload, type, data, size_bytes, "push")) != COVE_OK))
        return result;
    cove_result got = get_buffer(queue, "push", deadline_ns, &b);
    if (covei_unlikely(got < 0))
        return got;
    covei_copy_in(covei_ring_payload(&queue->ring, b), data, (size_t)size_bytes);
    describe(queue, b, size_bytes, tag);
    result = publish(queue, b, type, "push", deadline_ns);
    if (covei_unlikely(result < 0))
        put_down(queue, b);
    return result == COVE_OK ? got : result;
}

/* Whether nothing is to be checked about it but its size. */
static inline bool is_plain_value(const covei_payload *payload, cove_type type, const void *data, uint64_t size_bytes) {
    return size_bytes <= SMALL_BYTES && size_bytes <= payload->capacity_bytes && type == payload->type &&
           !(size_bytes & payload->odd_bits) && (data || !size_bytes);
}

/* Fills and publishes what is in hand, under the lock. False: there is none in hand, or no room. */
static inline bool push_in_hand(cove_queue *queue, cove_type type, const void *data, uint64_t size_bytes, uint64_t tag) {
    covei_pushing *w = &queue->pushing;
    uint32_t b = w->hand;
    if (covei_unlikely(b == COVEI_NO_BUFFER))
        return false;
    w->hand = COVEI_NO_BUFFER;
    covei_copy_in(covei_ring_payload(&queue->ring, b), data, (size_t)size_bytes);
    describe(queue, b, size_bytes, tag);
    if (covei_likely(place(queue, b, type) == COVE_OK))
        return true;
    w->hand = b;
    return false;
}

/* The usual case in one go: a buffer in hand, a small message, room for it. Else all in order, from the start. */
cove_result cove_queue_push(cove_queue *queue, const void *data, uint64_t size_bytes, uint64_t tag, cove_time_ns deadline_ns) {
    cove_result result = covei_queue_enter(queue, true, "push");
    if (covei_unlikely(result != COVE_OK))
        return result;
    cove_type type = covei_payload_type(&queue->shape.payload);
    if (covei_likely(is_plain_value(&queue->shape.payload, type, data, size_bytes) &&
                     covei_load_acquire(&queue->producer.role))) { /* PAIR role */
        covei_local_enter(&queue->pushing.lock);
        bool is_done = push_in_hand(queue, type, data, size_bytes, tag);
        if (covei_likely(is_done)) {
            tell(queue);
            take_next(queue);
        }
        covei_local_leave(&queue->pushing.lock);
        if (covei_likely(is_done))
            return COVE_OK;
    }
    return push_slowly(queue, type, data, size_bytes, tag, deadline_ns);
}

cove_result cove_queue_push_as(cove_queue *queue, cove_type type, const void *data, uint64_t size_bytes, uint64_t tag,
                               cove_time_ns deadline_ns) {
    return push_slowly(queue, type, data, size_bytes, tag, deadline_ns);
}

/* A run: as many as can be, under one hold of the lock and with one look at who sleeps. */
static uint32_t push_run(cove_queue *queue, const cove_message *messages, uint32_t count) {
    const covei_payload *payload = &queue->shape.payload;
    uint32_t done = 0;
    covei_local_enter(&queue->pushing.lock);
    for (; done < count; done++) {
        const cove_message *m = &messages[done];
        cove_type type = payload->type == COVE_TYPE_ANY && m->type ? m->type : covei_payload_type(payload);
        if (!is_plain_value(payload, type, m->data, m->length_bytes) || !push_in_hand(queue, type, m->data, m->length_bytes, m->tag))
            break;
        take_next(queue);
        if (covei_unlikely(queue->pushing.hand == COVEI_NO_BUFFER) && (queue->pushing.hand = acquire(queue)) == COVEI_NO_BUFFER) {
            done++;
            break;
        }
    }
    if (covei_unlikely(!keeps_hand(queue) && queue->pushing.hand != COVEI_NO_BUFFER)) {
        covei_store_seqcst(&queue->ring.own[queue->pushing.hand], 0);
        queue->pushing.hand = COVEI_NO_BUFFER;
    }
    covei_local_leave(&queue->pushing.lock);
    if (done)
        tell(queue);
    return done;
}

cove_result cove_queue_push_many(cove_queue *queue, const cove_message *messages, uint32_t count, uint32_t *out_count,
                                 cove_time_ns deadline_ns) {
    uint32_t done = 0;
    cove_result result = covei_queue_enter(queue, true, "push many"), dropped = COVE_OK;
    if (covei_unlikely(result == COVE_OK && !messages && count))
        result = covei_member_failed(&queue->member, COVE_ERR_ARGUMENT, "push many", "the messages are null");
    while (result >= 0 && done < count) {
        if (covei_likely(covei_load_acquire(&queue->producer.role))) /* PAIR role */
            done += push_run(queue, messages + done, count - done);
        if (covei_unlikely(done < count)) { /* one in order, which waits, or says why not; then on */
            const cove_message *m = &messages[done];
            cove_type type = queue->shape.payload.type == COVE_TYPE_ANY && m->type ? m->type : covei_payload_type(&queue->shape.payload);
            result = push_slowly(queue, type, m->data, m->length_bytes, m->tag, deadline_ns);
            done += result >= 0;
            dropped = result == COVE_DROPPED ? result : dropped;
        }
    }
    if (out_count)
        *out_count = done;
    return result < 0 ? result : dropped;
}

cove_result cove_queue_reserve(cove_queue *queue, uint64_t size_bytes, cove_loan *out_loan, cove_time_ns deadline_ns) {
    uint32_t b;
    cove_result result = covei_queue_enter(queue, true, "reserve");
    if (covei_unlikely(result != COVE_OK))
        return result;
    if (covei_unlikely(!out_loan))
        return covei_member_failed(&queue->member, COVE_ERR_ARGUMENT, "reserve", "there is no place for the loan");
    if ((result = covei_payload_check_size(&queue->member, &queue->shape.payload, size_bytes, "reserve")) != COVE_OK ||
        (result = get_buffer(queue, "reserve", deadline_ns, &b)) < 0)
        return result;
    *out_loan = (cove_loan){
        .data = covei_ring_payload(&queue->ring, b),
        .capacity_bytes = queue->shape.payload.capacity_bytes,
        .length_bytes = size_bytes,
        .type = covei_payload_type(&queue->shape.payload),
        .held = {covei_held(COVEI_HELD_LOAN, b, 0), covei_process_epoch()},
    };
    return result;
}

/* COVE_OK: it is this process's, and this handle still holds its buffer. */
static cove_result check_loan(cove_queue *queue, const cove_loan *loan, const char *step, uint32_t *out_b) {
    cove_result result = covei_queue_enter(queue, true, step);
    if (covei_unlikely(result != COVE_OK))
        return result;
    if (covei_unlikely(!loan))
        return covei_member_failed(&queue->member, COVE_ERR_ARGUMENT, step, "the loan is null");
    uint32_t b = covei_held_buffer(loan->held[0]);
    if (covei_unlikely((loan->held[0] & ~UINT64_C(0xfffff)) != COVEI_HELD_LOAN || b >= queue->ring.buffer_count))
        return covei_member_failed(&queue->member, COVE_ERR_VIEW, step, "this is no loan: never taken, or committed or abandoned already");
    if (covei_unlikely(loan->held[1] != covei_process_epoch()))
        return covei_member_failed(&queue->member, COVE_ERR_FORKED, step,
                                   "the loan was taken by the parent process, and is the parent's to end");
    covei_local_enter(&queue->pushing.lock);
    bool is_hand = b == queue->pushing.hand;
    covei_local_leave(&queue->pushing.lock);
    if (covei_unlikely(loan->data != covei_ring_payload(&queue->ring, b) || is_hand ||
                       covei_load_relaxed(&queue->ring.own[b]) != queue->pushing.held))
        return covei_member_failed(&queue->member, COVE_ERR_VIEW, step,
                                   "this loan is another handle's, or a copy of it was committed or abandoned");
    *out_b = b;
    return COVE_OK;
}

cove_result cove_queue_commit(cove_queue *queue, cove_loan *loan, cove_time_ns deadline_ns) {
    uint32_t b;
    cove_result result = check_loan(queue, loan, "commit", &b);
    if (covei_unlikely(result != COVE_OK ||
                       (result = covei_payload_check(&queue->member, &queue->shape.payload, loan->type, covei_ring_payload(&queue->ring, b),
                                                     loan->length_bytes, "commit")) != COVE_OK))
        return result;
    describe(queue, b, loan->length_bytes, loan->tag);
    result = publish(queue, b, loan->type, "commit", deadline_ns);
    if (result >= 0)
        loan->held[0] = 0;
    return result;
}

cove_result cove_queue_abandon(cove_queue *queue, cove_loan *loan) {
    uint32_t b;
    cove_result result = check_loan(queue, loan, "abandon", &b);
    if (result != COVE_OK)
        return result;
    loan->held[0] = 0;
    put_down(queue, b);
    return COVE_OK;
}

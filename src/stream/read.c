/* Reading: finding the next value, copying it, holding it in place, waiting for it. Step numbers as in docs/protocols/ring.md. */
#include "base/copy.h"
#include "base/error.h"
#include "stream/stream.h"

#include <string.h>

/* The cell alone shows the value of a writer that died before it could confirm it; but a look at it takes its line from the writers. So who
 * only tries looks at it when this much time has passed. The clock is read each time by who tries seldom, else every few times. */
#define LOOK_NS UINT64_C(2000000)
/* How often writers may overtake a read before it is done in another way. */
#define OVERTAKEN_MAX 8

static const char nothing_new[] = "nothing new until the deadline";

/* A value that is there now. */
typedef struct found {
    uint64_t number;
    uint32_t buffer;
    bool is_confirmed; /* by the number in the buffer; else by the cell alone */
} found;

static bool is_time_to_look(covei_reading *r) {
    cove_time_ns now = covei_clock_coarse_ns();
    if (covei_likely(now - r->looked_ns < LOOK_NS))
        return false;
    r->looked_ns = now;
    return true;
}

/* ---- Finding. */

/* Overtaken: the next is one that will be there for a while. */
static void jump(cove_stream *stream) {
    covei_ring *ring = &stream->ring;
    covei_reading *r = &stream->reading;
    uint64_t newest = covei_ring_newest(ring, r->next);
    uint64_t margin = ring->cells >= 8 ? ring->cells / 8 : ring->cells > 1;
    uint64_t to = newest - ring->cells + margin;
    if ((int64_t)(to - r->next) > 0) {
        r->missed += to - r->next;
        covei_reading_move(stream, to);
    }
    r->predicted = COVEI_NO_BUFFER;
}

/* READ 3, of number `number`. 0: this value; negative: nothing there yet; positive: overtaken. */
static inline int look_at_cell(const covei_ring *ring, uint64_t number, found *out) {
    uint64_t cell = covei_load_seqcst(covei_ring_cell(ring, number)); /* PAIR published */
    int64_t ahead = covei_cell_ahead(cell, number);
    if (ahead)
        return ahead < 0 ? -1 : 1;
    uint32_t b = covei_cell_buffer(cell);
    if (b >= ring->buffer_count)
        return -1;                                                                                /* damage: no value has this number */
    *out = (found){number, b, covei_load_acquire(&covei_ring_buffer(ring, b)->number) == number}; /* PAIR confirmed */
    return 0;
}

#define OVERTAKEN COVE_ERR_BUSY /* never leaves this file */

static cove_result find_newest(cove_stream *stream, found *out) {
    const covei_ring *ring = &stream->ring;
    for (int tries = 0; tries < OVERTAKEN_MAX; tries++) {
        uint64_t newest = covei_ring_newest(ring, stream->reading.next);
        if ((int64_t)(newest - stream->reading.next) <= 0)
            return COVE_ERR_EMPTY;
        int there = look_at_cell(ring, newest - 1, out);
        if (there <= 0)
            return there == 0 ? COVE_OK : COVE_ERR_EMPTY;
    }
    return OVERTAKEN;
}

/* The next value of this handle's, if there is one. Without `thorough` it may overlook what a dead writer has not confirmed.
 * COVE_OK · COVE_ERR_EMPTY · OVERTAKEN again and again */
static inline cove_result find(cove_stream *stream, bool thorough, found *out) {
    const covei_ring *ring = &stream->ring;
    covei_reading *r = &stream->reading;
    if (stream->follow == COVE_FOLLOW_LATEST)
        return find_newest(stream, out);
    for (int tries = 0; tries < OVERTAKEN_MAX; tries++) {
        uint64_t number = r->next;
        if (covei_likely(r->predicted < ring->buffer_count)) {
            if (covei_likely(covei_load_acquire(&covei_ring_buffer(ring, r->predicted)->number) == number)) { /* 1. PAIR confirmed */
                *out = (found){number, r->predicted, true};
                return COVE_OK;
            }
            if (!thorough && (int64_t)(covei_load_acquire(&ring->shared->tail) - number) <= 0 && !is_time_to_look(r))
                return COVE_ERR_EMPTY; /* 2 */
        }
        int there = look_at_cell(ring, number, out);
        if (there == 0 && !out->is_confirmed)
            r->predicted = COVEI_NO_BUFFER; /* it leads elsewhere, or will lead here too late: the next look is at the cell again */
        if (there <= 0)
            return there == 0 ? COVE_OK : COVE_ERR_EMPTY;
        jump(stream);
    }
    return OVERTAKEN;
}

/* ---- One value. */

static inline bool is_still_there(const covei_ring *ring, const found *f) {
    return f->is_confirmed ? covei_load_relaxed(&covei_ring_buffer(ring, f->buffer)->number) == f->number
                           : covei_cell_is(covei_load_relaxed(covei_ring_cell(ring, f->number)), f->number, f->buffer);
}

/* What stands beside a value: all but its length and its link, which the caller has loaded, once. */
static inline void describe_rest(const cove_stream *stream, const found *f, uint64_t length, uint32_t link, cove_value *out) {
    const covei_buffer_shm *buffer = covei_ring_buffer(&stream->ring, f->buffer);
    out->length_bytes = length;
    out->tag = covei_load_relaxed(&buffer->tag);
    out->time_ns = stream->ring.keeps_times ? covei_load_relaxed(covei_ring_time(&stream->ring, f->buffer)) : 0;
    out->type = stream->shape.payload.type == COVE_TYPE_ANY ? (cove_type)(link >> 24) : stream->shape.payload.type;
    out->sequence = f->number;
    (void)covei_payload_count(&stream->shape.payload, out->type, length, &out->count);
}

/* All of it. It may be anything until it has been checked. Returns the buffer that the link promises. */
static inline uint32_t describe(const cove_stream *stream, const found *f, cove_value *out) {
    const covei_buffer_shm *buffer = covei_ring_buffer(&stream->ring, f->buffer);
    uint32_t link = covei_load_relaxed(&buffer->link);
    describe_rest(stream, f, covei_load_relaxed(&buffer->length), link, out);
    return link & COVEI_NO_BUFFER;
}

/* What a read is for. `type` 0: any. */
typedef struct wish {
    void *out_data;
    uint64_t size_bytes;
    cove_type type;
    cove_value *value;
} wish;

/* The value has been had: the handle moves on. COVE_OK · COVE_MISSED */
static inline cove_result deliver(cove_stream *stream, const found *f, uint32_t link, cove_value *value) {
    covei_reading *r = &stream->reading;
    bool is_latest = stream->follow == COVE_FOLLOW_LATEST;
    value->missed_count = is_latest ? f->number - r->next : r->missed;
    cove_result result = !is_latest && r->missed ? COVE_MISSED : COVE_OK;
    r->missed = 0;
    r->predicted = f->is_confirmed && !is_latest ? link : COVEI_NO_BUFFER;
    covei_reading_move(stream, f->number + 1);
    return result;
}

/* A length that cannot be: it is told once, and counts as missed. */
static cove_result skip_damage(cove_stream *stream, const found *f) {
    stream->reading.missed++;
    stream->reading.predicted = COVEI_NO_BUFFER;
    covei_reading_move(stream, f->number + 1);
    return COVE_ERR_DAMAGED;
}

/* COVE_OK · COVE_MISSED · COVE_ERR_SIZE · COVE_ERR_TYPE · COVE_ERR_DAMAGED · OVERTAKEN; none is told. */
static inline cove_result copy(cove_stream *stream, const found *f, const wish *w) {
    cove_value *value = w->value;
    uint32_t link = describe(stream, f, value);
    bool fits = value->length_bytes <= w->size_bytes && value->length_bytes <= stream->ring.capacity_bytes;
    if (covei_likely(fits))
        covei_copy_out(w->out_data, covei_ring_payload(&stream->ring, f->buffer), (size_t)value->length_bytes);
    covei_fence_acquire(); /* PAIR copied */
    if (covei_unlikely(!is_still_there(&stream->ring, f)))
        return OVERTAKEN;
    if (covei_unlikely(value->length_bytes > stream->ring.capacity_bytes))
        return skip_damage(stream, f);
    if (covei_unlikely(w->type && w->type != value->type))
        return COVE_ERR_TYPE;
    return covei_likely(fits) ? deliver(stream, f, link, value) : COVE_ERR_SIZE;
}

/* ---- Pinning. */

/* Before the first pin of all: an only writer must swap cells from now on, or a pin could be overwritten unseen. False where that cannot
 * be brought about. PAIR pinned */
static bool announce_pins(const covei_ring *ring) {
    uint32_t none = 0;
    if (covei_likely(covei_load_acquire(&ring->shared->pinned) == 2))
        return true;
    covei_cas_seqcst(&ring->shared->pinned, &none, 1);
    if (!covei_ring_barrier(ring))
        return false;
    covei_store_seqcst(&ring->shared->pinned, 2);
    return true;
}

/* A ticket for the buffer: a free one, or a dead one's. Its index, or the number of tickets where all are out. */
static uint32_t take_ticket(cove_stream *stream, uint32_t buffer) {
    covei_member *member = &stream->member;
    covei_ring *ring = &stream->ring;
    uint32_t slot = covei_load_relaxed(&member->slot);
    uint64_t mine = covei_ticket_word(slot, covei_load_relaxed(&member->generation), buffer);
    for (int from_the_dead = 0; from_the_dead < 2; from_the_dead++)
        for (uint32_t i = 0; i < ring->tickets; i++) {
            covei_a64 *ticket = &ring->ticket[(slot + i) % ring->tickets];
            uint64_t seen = covei_load_relaxed(ticket);
            bool is_alive = true;
            if (seen &&
                (!from_the_dead ||
                 covei_member_is_alive(member, covei_ticket_slot(seen), covei_ticket_generation(seen), &is_alive) != COVE_OK || is_alive))
                continue;
            if (covei_cas_seqcst(ticket, &seen, mine)) /* PAIR ticket */
                return (uint32_t)(ticket - ring->ticket);
        }
    return ring->tickets;
}

/* BORROW: the ticket first, then the pin in the cell. Where the swap finds the cell as it was, the value is still there, and whoever
 * takes it out of its cell later sees the pin, and then the ticket.
 * COVE_OK · OVERTAKEN · COVE_ERR_FULL no ticket.
 * CRASH: killed anywhere: a ticket of a dead one counts for nothing; a pin in a cell only makes a writer look. */
static cove_result pin(cove_stream *stream, const found *f, uint32_t *out_ticket) {
    covei_ring *ring = &stream->ring;
    uint32_t ticket = take_ticket(stream, f->buffer);
    if (ticket == ring->tickets)
        return COVE_ERR_FULL;
    uint64_t cell = covei_load_seqcst(covei_ring_cell(ring, f->number)); /* after the ticket. PAIR pinned */
    while (covei_cell_is(cell, f->number, f->buffer))
        if (cell & COVEI_CELL_PIN || covei_cas_seqcst(covei_ring_cell(ring, f->number), &cell, cell | COVEI_CELL_PIN)) {
            *out_ticket = ticket;
            return COVE_OK;
        }
    covei_store_seqcst(&ring->ticket[ticket], 0);
    covei_event_wake(&ring->shared->room);
    return OVERTAKEN;
}

static void unpin(cove_stream *stream, uint32_t ticket) {
    covei_store_seqcst(&stream->ring.ticket[ticket], 0);
    covei_event_wake(&stream->ring.shared->room);
}

/* COVE_OK · COVE_MISSED · COVE_ERR_EMPTY · COVE_ERR_FULL · COVE_ERR_DAMAGED · OVERTAKEN; none is told. */
static cove_result borrow(cove_stream *stream, bool thorough, cove_value *value) {
    found f;
    uint32_t ticket;
    for (int tries = 0; tries < OVERTAKEN_MAX; tries++) {
        cove_result result = find(stream, thorough, &f);
        if (result == COVE_OK)
            result = pin(stream, &f, &ticket);
        if (result == OVERTAKEN) {
            /* Its buffer may still have this number for long after it has left its cell: only the cell tells. */
            stream->reading.predicted = COVEI_NO_BUFFER;
            continue;
        }
        if (result != COVE_OK)
            return result;
        uint32_t link = describe(stream, &f, value);
        if (covei_unlikely(value->length_bytes > stream->ring.capacity_bytes)) {
            unpin(stream, ticket);
            return skip_damage(stream, &f);
        }
        value->data = covei_ring_payload(&stream->ring, f.buffer);
        value->held[0] = covei_held(COVEI_HELD_VALUE, f.buffer, ticket);
        value->held[1] = covei_process_epoch();
        return deliver(stream, &f, link, value);
    }
    return OVERTAKEN;
}

/* ---- One attempt, under the lock. */

static cove_result read_pinned(cove_stream *stream, const found *f, const wish *w) {
    uint32_t ticket;
    if (stream->member.is_read_only || !announce_pins(&stream->ring))
        return OVERTAKEN;
    covei_ring_mark(&stream->member, COVEI_MARK_PINS);
    cove_result result = pin(stream, f, &ticket);
    if (result != COVE_OK)
        return OVERTAKEN;
    result = copy(stream, f, w);
    unpin(stream, ticket);
    return result;
}

static inline cove_result attempt_read(cove_stream *stream, bool thorough, const wish *w) {
    found f;
    for (int tries = 0;; tries++) {
        cove_result result = find(stream, thorough, &f);
        if (result != COVE_OK)
            return result;
        result = copy(stream, &f, w);
        if (covei_likely(result != OVERTAKEN))
            return result;
        if (tries == OVERTAKEN_MAX) {
            stream->reading.predicted = COVEI_NO_BUFFER;
            return read_pinned(stream, &f, w);
        }
    }
}

typedef enum verb { READ, BORROW, WAIT } verb;

static cove_result attempt(cove_stream *stream, verb v, bool thorough, const wish *w) {
    found f;
    covei_local_enter(&stream->reading.lock);
    cove_result result = v == READ     ? attempt_read(stream, thorough, w)
                         : v == BORROW ? borrow(stream, thorough, w->value)
                                       : find(stream, thorough, &f);
    if (result == COVE_ERR_EMPTY)
        covei_reading_settle(stream);
    covei_local_leave(&stream->reading.lock);
    return result;
}

/* ---- Until the deadline. */

/* Sleeps where an attempt gave EMPTY, FULL or OVERTAKEN, and attempts again, until something else comes of it. */
static cove_result wait_for(cove_stream *stream, verb v, const wish *w, const char *step, cove_time_ns deadline_ns, cove_result result) {
    covei_member *member = &stream->member;
    covei_ring_shm *shared = stream->ring.shared;
    covei_sleeper sleeper = COVEI_SLEEPER(member, deadline_ns);
    for (;;) {
        bool spins = covei_sleeper_spins(&sleeper);
        covei_a32 *event = result == COVE_ERR_FULL ? &shared->room : &shared->change;
        uint32_t armed = spins || member->is_read_only ? covei_load_seqcst(event) : covei_event_arm(event);
        if (!spins)
            (void)covei_ring_barrier(&stream->ring);
        result = attempt(stream, v, !spins, w);
        if (result != COVE_ERR_EMPTY && result != COVE_ERR_FULL && result != OVERTAKEN) {
            covei_sleeper_done(&sleeper);
            return result;
        }
        if (result == COVE_ERR_EMPTY && covei_sleeper_sees_removal(&sleeper, member))
            return COVE_REMOVED;
        if (spins)
            continue;
        cove_result slept = covei_sleep(&sleeper, event, armed);
        if (slept == COVE_ERR_TIMEOUT)
            return result == OVERTAKEN ? COVE_ERR_EMPTY : result;
        if (slept != COVE_OK)
            return covei_wait_failed(member, slept, step, "");
    }
}

static cove_result tell(cove_stream *stream, cove_result result, const wish *w, const char *step) {
    switch ((int)result) {
    case COVE_ERR_EMPTY: return covei_member_failed(&stream->member, result, step, nothing_new);
    case COVE_ERR_FULL:
        return covei_member_failed(&stream->member, result, step,
                                   "all its borrows were taken until the deadline: give values back, or create it with more");
    case COVE_ERR_DAMAGED:
        return covei_member_failed(&stream->member, result, step,
                                   "a value says that it is longer than the stream's capacity; it is skipped");
    case COVE_ERR_SIZE:
        return covei_member_told(&stream->member, result, step, "the value has %llu bytes, and the buffer %llu",
                                 (unsigned long long)w->value->length_bytes, (unsigned long long)w->size_bytes);
    case COVE_ERR_TYPE:
        return covei_member_told(&stream->member, result, step, "the value is of type %s, and %s was asked for",
                                 cove_type_label(w->value->type), cove_type_label(w->type));
    default: return result;
    }
}

/* One attempt at once, without arming; then with waiting. */
static cove_result perform(cove_stream *stream, verb v, bool thorough, const wish *w, const char *step, cove_time_ns deadline_ns) {
    cove_result result = attempt(stream, v, thorough, w);
    if (covei_likely(result >= 0))
        return result;
    if (result == COVE_ERR_EMPTY && covei_watch_is_used(&stream->watch)) {
        /* Nothing: its descriptor is quiet from here on, until there is something. PAIR bell */
        covei_watch_rearm(&stream->watch);
        (void)covei_ring_barrier(&stream->ring);
        result = attempt(stream, v, true, w);
        if (result != COVE_ERR_EMPTY)
            covei_watch_touch(&stream->watch); /* one came in between, and there may be more of which nobody rings again */
        if (result >= 0)
            return result;
        if (result == COVE_ERR_EMPTY && covei_watch_asks(&stream->watch) && covei_member_has_lost_its_name(&stream->member) &&
            !covei_exchange_seqcst(&stream->member.told_removed, 1))
            return COVE_REMOVED;
    }
    if (result == COVE_ERR_EMPTY && deadline_ns == COVE_TRY && !covei_member_is_removed(&stream->member))
        return tell(stream, result, w, step);
    if (result == COVE_ERR_EMPTY || result == COVE_ERR_FULL || result == OVERTAKEN)
        result = wait_for(stream, v, w, step, deadline_ns, result);
    return tell(stream, result, w, step);
}

/* ---- Public. */

/* READ 1: the value where it was predicted, if it is there and fits. Under the lock. */
static inline bool take_predicted(cove_stream *stream, const found *f, void *out_data, uint64_t size_bytes, cove_value *out_value) {
    covei_reading *r = &stream->reading;
    const covei_ring *ring = &stream->ring;
    const covei_buffer_shm *buffer = covei_ring_buffer(ring, f->buffer);
    cove_value value;
    uint64_t length = covei_load_relaxed(&buffer->length); /* once: what is checked is what is copied and told */
    uint32_t link = covei_load_relaxed(&buffer->link);
    if (covei_unlikely(length > size_bytes || length > ring->capacity_bytes || r->missed))
        return false;
    covei_copy_out(out_data, covei_ring_payload(ring, f->buffer), (size_t)length);
    if (out_value) {
        value = (cove_value){.data = out_data};
        describe_rest(stream, f, length, link, &value);
    }
    covei_fence_acquire(); /* PAIR copied */
    if (covei_unlikely(covei_load_relaxed(&buffer->number) != f->number))
        return false;
    r->predicted = link & COVEI_NO_BUFFER;
    covei_reading_move(stream, f->number + 1);
    if (out_value)
        *out_value = value;
    return true;
}

/* READ 1 and 2, in one go: a value where it was predicted, or nothing new. False: all in order, from the start. */
static inline bool read_predicted(cove_stream *stream, void *out_data, uint64_t size_bytes, cove_value *out_value, cove_time_ns deadline_ns,
                                  cove_result *out_result, bool *out_thorough) {
    covei_reading *r = &stream->reading;
    const covei_ring *ring = &stream->ring;
    bool is_done = false;
    covei_local_enter(&r->lock);
    found f = {r->next, r->predicted, true};
    if (covei_unlikely(f.buffer >= ring->buffer_count))
        goto out;
    const covei_buffer_shm *buffer = covei_ring_buffer(ring, f.buffer);
    if (covei_load_acquire(&buffer->number) != f.number) { /* PAIR confirmed */
        if (deadline_ns != COVE_TRY || (int64_t)(covei_load_acquire(&ring->shared->tail) - f.number) > 0 ||
            covei_member_is_removed(&stream->member) || covei_watch_is_used(&stream->watch))
            goto out;
        if (covei_unlikely(is_time_to_look(r))) {
            *out_thorough = true;
            goto out;
        }
        covei_reading_settle(stream);
        /* Once more, where a value is one line: who tries in a loop sees it sooner. With more lines it comes slower that way, as measured;
         * the others are fetched along with the first meanwhile. PAIR confirmed */
        if (ring->stride_bytes > 64 || covei_load_acquire(&buffer->number) != f.number) {
            *out_result = COVE_ERR_EMPTY;
            is_done = true;
            goto out;
        }
    }
    *out_result = COVE_OK;
    is_done = take_predicted(stream, &f, out_data, size_bytes, out_value);
out:
    covei_local_leave(&r->lock);
    return is_done;
}

static cove_result read_value(cove_stream *stream, cove_type type, bool thorough, void *out_data, uint64_t size_bytes,
                              cove_value *out_value, cove_time_ns deadline_ns) {
    cove_value value = {.data = out_data};
    cove_result result = covei_stream_enter(stream, false, "read");
    if (covei_unlikely(result != COVE_OK))
        return result;
    if (covei_unlikely(!out_data && size_bytes))
        return covei_member_failed(&stream->member, COVE_ERR_ARGUMENT, "read", "the buffer is null");
    result = perform(stream, READ, thorough, &(wish){out_data, size_bytes, type, &value}, "read", deadline_ns);
    if (out_value && result >= 0)
        *out_value = value; /* with COVE_REMOVED: of no bytes */
    else if (out_value && result == COVE_ERR_SIZE)
        out_value->length_bytes = value.length_bytes;
    return result;
}

cove_result cove_stream_read(cove_stream *stream, void *out_data, uint64_t size_bytes, cove_value *out_value, cove_time_ns deadline_ns) {
    cove_result result;
    bool thorough = false;
    if (covei_likely(stream && (out_data || !size_bytes) &&
                     covei_process_is(covei_load_acquire(&stream->member.epoch)) && /* PAIR revived */
                     read_predicted(stream, out_data, size_bytes, out_value, deadline_ns, &result, &thorough)))
        return covei_likely(result == COVE_OK) ? result : covei_member_failed(&stream->member, result, "read", nothing_new);
    return read_value(stream, COVE_TYPE_UNSPECIFIED, thorough, out_data, size_bytes, out_value, deadline_ns);
}

cove_result cove_stream_read_as(cove_stream *stream, cove_type type, void *out_data, uint64_t size_bytes, cove_value *out_value,
                                cove_time_ns deadline_ns) {
    if (type <= COVE_TYPE_UNSPECIFIED || type >= COVE_TYPE_ANY)
        return covei_fail(COVE_ERR_ARGUMENT, 0, "read", "%d is no type of a value", (int)type);
    return read_value(stream, type, false, out_data, size_bytes, out_value, deadline_ns);
}

cove_result cove_stream_borrow(cove_stream *stream, cove_value *out_value, cove_time_ns deadline_ns) {
    cove_value value = {0};
    cove_result result = covei_stream_enter(stream, true, "borrow");
    if (covei_unlikely(result != COVE_OK))
        return result;
    if (covei_unlikely(!out_value))
        return covei_member_failed(&stream->member, COVE_ERR_ARGUMENT, "borrow", "there is no place for the value");
    covei_ring_mark(&stream->member, COVEI_MARK_PINS);
    if (covei_unlikely(!announce_pins(&stream->ring)))
        return covei_member_failed(&stream->member, COVE_ERR_UNSUPPORTED, "borrow",
                                   "the stream has an only writer, and this process may not call membarrier; use read");
    result = perform(stream, BORROW, false, &(wish){.value = &value}, "borrow", deadline_ns);
    if (result >= 0)
        *out_value = value; /* with COVE_REMOVED: of no bytes */
    return result;
}

cove_result cove_stream_give_back(cove_stream *stream, cove_value *value) {
    cove_result result = covei_stream_enter(stream, true, "give back");
    if (covei_unlikely(result != COVE_OK))
        return result;
    if (covei_unlikely(!value))
        return covei_member_failed(&stream->member, COVE_ERR_ARGUMENT, "give back", "the value is null");
    uint32_t ticket = covei_held_ticket(value->held[0]), buffer = covei_held_buffer(value->held[0]);
    if (covei_unlikely(value->held[0] >> 56 != COVEI_HELD_VALUE >> 56 || ticket >= stream->ring.tickets))
        return covei_member_failed(&stream->member, COVE_ERR_VIEW, "give back",
                                   "this value holds nothing: read by copy, or given back already");
    if (covei_unlikely(value->held[1] != covei_process_epoch()))
        return covei_member_failed(&stream->member, COVE_ERR_FORKED, "give back",
                                   "the value was borrowed by the parent process, and is the parent's to end");
    covei_member *member = &stream->member;
    uint64_t mine = covei_ticket_word(covei_load_relaxed(&member->slot), covei_load_relaxed(&member->generation), buffer);
    value->held[0] = 0;
    if (covei_unlikely(!covei_cas_seqcst(&stream->ring.ticket[ticket], &mine, 0)))
        return covei_member_failed(&stream->member, COVE_ERR_VIEW, "give back",
                                   "this value is another handle's, or a copy of it was given back");
    covei_event_wake(&stream->ring.shared->room);
    return COVE_OK;
}

cove_result cove_stream_seek(cove_stream *stream, cove_start start) {
    cove_result result = covei_stream_enter(stream, false, "seek");
    if (covei_unlikely(result != COVE_OK))
        return result;
    if ((unsigned)start > COVE_START_NEW)
        return covei_member_failed(&stream->member, COVE_ERR_ARGUMENT, "seek", "this is no place to start");
    covei_local_enter(&stream->reading.lock);
    bool is_joined = covei_reading_start(stream, start);
    covei_local_leave(&stream->reading.lock);
    if (!is_joined)
        return covei_member_failed(&stream->member, COVE_ERR_UNSUPPORTED, "seek", covei_cannot_join);
    if (covei_watch_is_used(&stream->watch))
        covei_watch_touch(&stream->watch);
    return COVE_OK;
}

cove_result cove_stream_wait(cove_stream *stream, cove_time_ns deadline_ns) {
    cove_result result = covei_stream_enter(stream, false, "wait");
    return covei_unlikely(result != COVE_OK) ? result : perform(stream, WAIT, false, &(wish){0}, "wait", deadline_ns);
}

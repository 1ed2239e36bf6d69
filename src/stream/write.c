/* Writing: buffers, and the one step that publishes. The step numbers are those of docs/protocols/ring.md. */
#include "base/copy.h"
#include "base/error.h"
#include "stream/stream.h"

#include <string.h>

/* How many values ahead the buffer that will come free is fetched for writing. Measured: without it a writer at full speed waits for
 * each line to come back from the reader. */
#define FETCH_AHEAD 6

/* Each round of a publication that comes to nothing is one in which another writer published; this many are no accident. */
#define ROUNDS_MAX (1u << 20)
#define NONSENSE_MAX 4

void covei_writing_reset(covei_writing *w, uint64_t next) {
    memset(w, 0, sizeof *w);
    w->next = next;
    w->hand = w->promised = COVEI_NO_BUFFER;
    covei_local_reset(&w->lock);
}

static inline bool is_plain(const cove_stream *stream) {
    return covei_load_relaxed(&stream->role) == 3;
}

static inline uint64_t placed_word(const cove_stream *stream, uint64_t number) {
    return covei_own_of(COVEI_OWN_PLACED, stream->writing.me, number);
}

/* ---- Acquiring a buffer. */

/* Nobody who looks for value 0 exists, so from here on no reader takes what is in it for a value. The fence keeps every byte of the
 * next value behind that: a reader who sees one of them sees the number gone, or the cell changed. PAIR copied */
static inline uint32_t take(cove_stream *stream, uint32_t b) {
    covei_store_relaxed(&covei_ring_buffer(&stream->ring, b)->number, 0);
    covei_fence_release();
    return b;
}

/* ACQUIRE 1 to 3, of a buffer whose own word is `own`. The order of the three looks is essential: once its writer has confirmed it, or
 * is dead, nobody but us will write to it; once it is out of its cell, nobody new can pin it; and then whoever has it pinned is seen. */
static bool is_available(cove_stream *stream, uint32_t b, uint64_t own) {
    covei_ring *ring = &stream->ring;
    switch (covei_own_state_of(own)) {
    case COVEI_OWN_FREE: return true;
    case COVEI_OWN_HELD: return !covei_own_is_alive(&stream->member, own);
    case COVEI_OWN_PLACED: {
        uint64_t number = covei_load_acquire(&covei_ring_buffer(ring, b)->number); /* PAIR confirmed */
        if ((!number || (number ^ own) & COVEI_OWN_NUMBER) && covei_own_is_alive(&stream->member, own))
            return false;
        break;
    }
    case COVEI_OWN_LEFT: break;
    default: return false; /* damage: never used again */
    }
    uint64_t cell = covei_load_seqcst(&ring->cell[own & ring->mask]); /* PAIR pinned */
    if (covei_cell_buffer(cell) == b && !((cell >> 18 ^ own) & COVEI_OWN_NUMBER))
        return false;
    return !covei_ring_is_pinned(&stream->member, ring, b);
}

/* CRASH: killed after the swap: the buffer is HELD by a dead one, and the next who looks takes it. */
static uint32_t acquire(cove_stream *stream) {
    covei_ring *ring = &stream->ring;
    uint32_t b = stream->writing.scan;
    for (uint32_t i = 0; i < ring->buffer_count; i++, b++) {
        if (b >= ring->buffer_count)
            b = 0;
        uint64_t own = covei_load_acquire(&ring->own[b]);
        if (is_available(stream, b, own) && covei_cas_seqcst(&ring->own[b], &own, stream->writing.held)) { /* 4 */
            stream->writing.scan = b + 1;
            return take(stream, b);
        }
    }
    return COVEI_NO_BUFFER;
}

/* Most often the next buffer is the one that the last value has pushed out. The swap that did it has told us that nobody has it pinned,
 * and that it is in no cell; if its writer has confirmed it, or was this handle, it may be taken at once. */
static inline void take_replaced(cove_stream *stream, uint64_t cell, uint64_t number) {
    covei_ring *ring = &stream->ring;
    uint32_t b = covei_cell_buffer(cell);
    if (b >= ring->buffer_count || cell & COVEI_CELL_PIN)
        return;
    uint64_t own = covei_load_acquire(&ring->own[b]), before = number - ring->cells;
    covei_own_state state = covei_own_state_of(own);
    if ((own ^ before) & COVEI_OWN_NUMBER || (state != COVEI_OWN_PLACED && state != COVEI_OWN_LEFT))
        return;
    uint64_t held = stream->writing.held;
    if (is_plain(stream)) {
        covei_store_release(&ring->own[b], held); /* nobody else acquires; and who recovers a dead one's swaps, and fails */
    } else {
        bool is_settled = state == COVEI_OWN_LEFT || !((own ^ stream->writing.me) & ~(COVEI_OWN_NUMBER | UINT64_C(7) << 61)) ||
                          covei_load_acquire(&covei_ring_buffer(ring, b)->number) == before; /* PAIR confirmed */
        if (!is_settled || !covei_cas_seqcst(&ring->own[b], &own, held))
            return;
    }
    stream->writing.hand = take(stream, b);
}

/* Whether this handle may keep a buffer in reserve: that saves the next write a step. One buffer at least stays for all others, so
 * that those who are idle keep nobody from writing. */
static inline bool keeps_hand(const cove_stream *stream) {
    return covei_load_relaxed(&stream->role) >= 2 || covei_load_relaxed(&stream->member.slot) + 1 < stream->shape.loans;
}

static void put_down(cove_stream *stream, uint32_t b) {
    covei_local_enter(&stream->writing.lock);
    bool keeps = stream->writing.hand == COVEI_NO_BUFFER && keeps_hand(stream);
    if (keeps)
        stream->writing.hand = b;
    else
        covei_store_seqcst(&stream->ring.own[b], 0);
    covei_local_leave(&stream->writing.lock);
    if (!keeps)
        covei_event_wake(&stream->ring.shared->room);
}

/* ---- Publishing. */

/* PUBLISH 3: whether `number` may be placed without overwriting what somebody is waited for to read. */
static bool has_place(cove_stream *stream, uint64_t number, bool thorough) {
    covei_writing *w = &stream->writing;
    covei_ring *ring = &stream->ring;
    w->epoch = covei_load_seqcst(&ring->shared->epoch); /* before the cursors: who joins later changes it again. PAIR awaited */
    w->slowest = covei_ring_slowest(&stream->member, ring, false);
    if (thorough && w->slowest != UINT64_MAX && (int64_t)(number - w->slowest) >= (int64_t)ring->cells)
        w->slowest = covei_ring_slowest(&stream->member, ring, true);
    if (w->slowest == UINT64_MAX)
        w->slowest = number + (UINT64_C(1) << 62); /* nobody; until the epoch says so */
    return (int64_t)(number - w->slowest) < (int64_t)ring->cells;
}

/* What a place that was taken has replaced. */
typedef struct placed {
    uint64_t number, cell;
    bool is_suspect; /* somebody may have pinned what was there, unseen by the swap */
} placed;

/* PUBLISH 4 and 5: the publication. False: another has changed the cell, which is in *cell now. */
static inline bool swap_cell(cove_stream *stream, uint32_t b, uint64_t number, uint64_t *cell, bool *out_suspect) {
    covei_ring *ring = &stream->ring;
    covei_store_release(&ring->own[b], placed_word(stream, number)); /* 4: before it can be in the cell */
    if (is_plain(stream) && covei_likely(!covei_load_relaxed(&ring->shared->pinned))) {
        /* The only writer, and nobody pins: nobody else changes cells. PAIR published
         * A first pin may come just now: after the fence, either it is seen here, or its swap finds the cell changed. PAIR pinned */
        covei_store_release(covei_ring_cell(ring, number), covei_cell_word(number, b));
        covei_fence_light(); /* PAIR plain: before the look at who sleeps, too */
        if (covei_unlikely(covei_load_relaxed(&ring->shared->pinned))) {
            atomic_thread_fence(memory_order_seq_cst);
            *out_suspect = true;
        }
        return true;
    }
    return covei_cas_seqcst(covei_ring_cell(ring, number), cell, covei_cell_word(number, b)); /* 5 */
}

/* PUBLISH 3: whether nobody can be waited for to read what would be overwritten, as far as is known. */
static inline bool has_place_surely(const cove_stream *stream, uint64_t number) {
    return covei_load_seqcst(&stream->ring.shared->epoch) == stream->writing.epoch && /* PAIR awaited */
           (int64_t)(number - stream->writing.slowest) < (int64_t)stream->ring.cells;
}

/* Where others publish too, or are waited for. Results as of `place`. */
static cove_result place_slowly(cove_stream *stream, uint32_t b, bool thorough, placed *out) {
    covei_writing *w = &stream->writing;
    covei_ring *ring = &stream->ring;
    uint64_t number = w->next;
    uint32_t nonsense = 0;
    cove_result result = COVE_ERR_DAMAGED;
    for (uint32_t rounds = 0; rounds < ROUNDS_MAX && nonsense < NONSENSE_MAX; rounds++) {
        uint64_t cell = covei_load_acquire(covei_ring_cell(ring, number)); /* 2. PAIR published */
        int64_t ahead = covei_cell_ahead(cell, number);
        if (ahead >= 0) { /* others have published */
            number = rounds < ring->cells ? number + (uint64_t)ahead + 1 : covei_ring_newest(ring, number);
            continue;
        }
        if (ahead != -(int64_t)ring->cells) { /* only by damage: each time all cells are looked at, so not often */
            nonsense++;
            number = covei_ring_newest(ring, number);
            continue;
        }
        /* 3: after the cell was read. Whoever needs what is in it has joined before it was placed, so we see it. */
        if (!has_place_surely(stream, number) && !has_place(stream, number, thorough)) {
            w->next = number;
            result = COVE_ERR_FULL;
            break;
        }
        if (swap_cell(stream, b, number, &cell, &out->is_suspect)) {
            out->number = number;
            out->cell = cell;
            return COVE_OK;
        }
    }
    covei_store_release(&ring->own[b], w->held); /* a swap that was lost, here or before, has left it PLACED */
    return result;
}

/* PUBLISH 1 to 7. COVE_OK · COVE_ERR_FULL, quiet: buffer `b` is HELD as before · COVE_ERR_DAMAGED, quiet.
 * CRASH: killed before the swap of the cell: nothing happened, and the buffer is taken back. After it: the value is there; readers find
 * it through the cell, and confirming it is not needed. */
static inline cove_result place(cove_stream *stream, uint32_t b, bool thorough) {
    covei_writing *w = &stream->writing;
    covei_ring *ring = &stream->ring;
    covei_buffer_shm *buffer = covei_ring_buffer(ring, b);
    placed p = {w->next, covei_load_acquire(covei_ring_cell(ring, w->next)), false}; /* 1, 2. PAIR published */
    if (ring->keeps_times)
        covei_store_relaxed(covei_ring_time(ring, b), covei_clock_ns());
    uint32_t type = covei_load_relaxed(&buffer->link) & 0xff000000u;
    if (covei_unlikely(covei_cell_ahead(p.cell, p.number) != -(int64_t)ring->cells || !has_place_surely(stream, p.number) ||
                       !swap_cell(stream, b, p.number, &p.cell, &p.is_suspect))) {
        cove_result result = place_slowly(stream, b, thorough, &p);
        if (result != COVE_OK)
            return result;
    }
    uint64_t number = p.number;
    uint32_t replaced = covei_cell_buffer(p.cell);
    covei_store_relaxed(&buffer->link, type | replaced); /* 6 */
    covei_store_release(&buffer->number, number);        /* PAIR confirmed */
    /* 7: where a reader's guess cannot have led it here, the tail must; and now and then, so that nobody has far to walk, and so that it is
     * never a whole round behind: a reader that was overtaken sees by the tail that its guess is worth nothing. */
    if (covei_unlikely(!(w->last + 1 == number && w->promised == b) || !(~number & ring->mask & 7)))
        covei_ring_raise(&ring->shared->tail, number + 1);
    w->last = number;
    w->promised = replaced;
    w->next = number + 1;
    if (covei_likely(w->hand == COVEI_NO_BUFFER && !p.is_suspect && keeps_hand(stream)))
        take_replaced(stream, p.cell, number);
    if (covei_unlikely(w->hand == COVEI_NO_BUFFER)) {
        w->scan = replaced < ring->buffer_count ? replaced : w->scan;
        covei_event_wake(&ring->shared->room); /* somebody may have waited for it */
    }
    if (ring->cells > 2 * FETCH_AHEAD) { /* 8 */
        uint32_t soon = covei_cell_buffer(covei_load_relaxed(covei_ring_cell(ring, number + FETCH_AHEAD)));
        if (soon < ring->buffer_count) {
            __builtin_prefetch(covei_ring_buffer(ring, soon), 1);
            __builtin_prefetch((const char *)covei_ring_buffer(ring, soon) + 64, 1);
        }
    }
    covei_tell(&stream->member, &ring->shared->change); /* after the swap, or as the barrier of who sleeps orders it. PAIR event */
    return COVE_OK;
}

/* Publishes b, and waits for room where there is none. On failure b is still HELD. */
static cove_result publish(cove_stream *stream, uint32_t b, const char *step, cove_time_ns deadline_ns) {
    covei_sleeper sleeper = COVEI_SLEEPER(&stream->member, deadline_ns);
    covei_a32 *room = &stream->ring.shared->room;
    cove_result result;
    for (uint32_t armed = 0;;) {
        covei_local_enter(&stream->writing.lock);
        result = place(stream, b, armed);
        covei_local_leave(&stream->writing.lock);
        if (covei_likely(result == COVE_OK)) {
            covei_sleeper_done(&sleeper);
            return COVE_OK;
        }
        if (result == COVE_ERR_DAMAGED)
            return covei_member_failed(&stream->member, result, step, "the order of its values contradicts itself");
        if (armed) {
            result = covei_sleep(&sleeper, room, armed);
            if (result == COVE_ERR_TIMEOUT)
                return covei_member_failed(&stream->member, COVE_ERR_FULL, step,
                                           "a lossless reader has not come far enough until the deadline (see who: cove stat)");
            if (result != COVE_OK)
                return covei_wait_failed(&stream->member, result, step, "");
            armed = 0;
        } else if (!covei_sleeper_spins(&sleeper)) {
            armed = covei_event_arm(room);
            (void)covei_barrier(COVEI_REACH_ALL); /* readers say how far they have come, and look at `room`, without one. PAIR cursor */
        }
    }
}

/* A buffer to fill; waits for one where all are out. COVE_OK, or told. */
static cove_result get_buffer(cove_stream *stream, const char *step, cove_time_ns deadline_ns, uint32_t *out_b) {
    covei_sleeper sleeper = COVEI_SLEEPER(&stream->member, deadline_ns);
    covei_writing *w = &stream->writing;
    cove_result result = covei_stream_become_writer(stream, step);
    if (covei_unlikely(result != COVE_OK))
        return result;
    for (uint32_t armed = 0;;) {
        covei_local_enter(&w->lock);
        uint32_t b = w->hand;
        if (covei_likely(b != COVEI_NO_BUFFER))
            w->hand = COVEI_NO_BUFFER;
        else
            b = acquire(stream);
        covei_local_leave(&w->lock);
        if (covei_likely(b != COVEI_NO_BUFFER)) {
            covei_sleeper_done(&sleeper);
            *out_b = b;
            return COVE_OK;
        }
        if (armed) {
            result = covei_sleep(&sleeper, &stream->ring.shared->room, armed);
            if (result == COVE_ERR_TIMEOUT)
                return covei_member_failed(&stream->member, COVE_ERR_FULL, step,
                                           "all buffers were on loan until the deadline; create the stream with more loans");
            if (result != COVE_OK)
                return covei_wait_failed(&stream->member, result, step, "");
            armed = 0;
        } else if (!covei_sleeper_spins(&sleeper)) {
            armed = covei_event_arm(&stream->ring.shared->room);
        }
    }
}

/* ---- What may be written. */

/* All that goes with a value, before it is published: who finds it unconfirmed reads it too. */
static inline void describe(cove_stream *stream, uint32_t b, cove_type type, uint64_t length_bytes, uint64_t tag) {
    covei_buffer_shm *buffer = covei_ring_buffer(&stream->ring, b);
    covei_store_relaxed(&buffer->tag, tag);
    covei_store_relaxed(&buffer->length, (uint32_t)length_bytes);
    covei_store_relaxed(&buffer->link, (uint32_t)type << 24 | COVEI_NO_BUFFER);
}

/* ---- Public. */

static cove_result write_slowly(cove_stream *stream, cove_type type, const void *data, uint64_t size_bytes, uint64_t tag,
                                cove_time_ns deadline_ns) {
    uint32_t b;
    cove_result result = covei_stream_enter(stream, true, "write");
    if (covei_unlikely(result != COVE_OK))
        return result;
    if (covei_unlikely(!data && size_bytes))
        return covei_member_failed(&stream->member, COVE_ERR_ARGUMENT, "write", "the data is null");
    if (covei_unlikely((result = covei_payload_check(&stream->member, &stream->shape.payload, type, data, size_bytes, "write")) !=
                           COVE_OK ||
                       (result = get_buffer(stream, "write", deadline_ns, &b)) != COVE_OK))
        return result;
    covei_copy_in(covei_ring_payload(&stream->ring, b), data, (size_t)size_bytes);
    describe(stream, b, type, size_bytes, tag);
    result = publish(stream, b, "write", deadline_ns);
    if (covei_unlikely(result != COVE_OK))
        put_down(stream, b);
    return result;
}

/* Up to this size a value is filled and published under one hold of the handle's lock: the other threads of this handle wait that long. */
#define SMALL_BYTES 4096

/* The usual case in one go: a writer with a buffer in hand, a small value, room for it. Else all in order, from the start. */
static inline cove_result write_value(cove_stream *stream, cove_type type, const void *data, uint64_t size_bytes, uint64_t tag,
                                      cove_time_ns deadline_ns) {
    covei_writing *w = &stream->writing;
    if (covei_likely(size_bytes <= SMALL_BYTES && size_bytes <= stream->shape.payload.capacity_bytes &&
                     type == stream->shape.payload.type && !(size_bytes & stream->shape.payload.odd_bits) && (data || !size_bytes) &&
                     covei_load_acquire(&stream->role))) { /* PAIR role */
        cove_result result = COVE_ERR_FULL;
        covei_local_enter(&w->lock);
        uint32_t b = w->hand;
        if (covei_likely(b != COVEI_NO_BUFFER)) {
            w->hand = COVEI_NO_BUFFER;
            covei_copy_in(covei_ring_payload(&stream->ring, b), data, (size_t)size_bytes);
            describe(stream, b, type, size_bytes, tag);
            result = place(stream, b, false);
            if (covei_unlikely(result != COVE_OK))
                w->hand = b;
        }
        covei_local_leave(&w->lock);
        if (covei_likely(result == COVE_OK))
            return COVE_OK;
    }
    return write_slowly(stream, type, data, size_bytes, tag, deadline_ns);
}

cove_result cove_stream_write(cove_stream *stream, const void *data, uint64_t size_bytes, uint64_t tag, cove_time_ns deadline_ns) {
    cove_result result = covei_stream_enter(stream, true, "write");
    if (covei_unlikely(result != COVE_OK))
        return result;
    cove_type type = covei_payload_type(&stream->shape.payload);
    return write_value(stream, type, data, size_bytes, tag, deadline_ns);
}

cove_result cove_stream_write_as(cove_stream *stream, cove_type type, const void *data, uint64_t size_bytes, uint64_t tag,
                                 cove_time_ns deadline_ns) {
    return write_slowly(stream, type, data, size_bytes, tag, deadline_ns);
}

cove_result cove_stream_loan(cove_stream *stream, uint64_t size_bytes, cove_loan *out_loan, cove_time_ns deadline_ns) {
    uint32_t b;
    cove_result result = covei_stream_enter(stream, true, "loan");
    if (covei_unlikely(result != COVE_OK))
        return result;
    if (covei_unlikely(!out_loan))
        return covei_member_failed(&stream->member, COVE_ERR_ARGUMENT, "loan", "there is no place for the loan");
    if ((result = covei_payload_check_size(&stream->member, &stream->shape.payload, size_bytes, "loan")) != COVE_OK ||
        (result = get_buffer(stream, "loan", deadline_ns, &b)) != COVE_OK)
        return result;
    *out_loan = (cove_loan){
        .data = covei_ring_payload(&stream->ring, b),
        .capacity_bytes = stream->shape.payload.capacity_bytes,
        .length_bytes = size_bytes,
        .type = covei_payload_type(&stream->shape.payload),
        .held = {covei_held(COVEI_HELD_LOAN, b, 0), covei_process_epoch()},
    };
    return COVE_OK;
}

/* COVE_OK: it is this process's, and this handle still holds its buffer. */
static cove_result check_loan(cove_stream *stream, const cove_loan *loan, const char *step, uint32_t *out_b) {
    cove_result result = covei_stream_enter(stream, true, step);
    if (covei_unlikely(result != COVE_OK))
        return result;
    if (covei_unlikely(!loan))
        return covei_member_failed(&stream->member, COVE_ERR_ARGUMENT, step, "the loan is null");
    uint32_t b = covei_held_buffer(loan->held[0]);
    if (covei_unlikely((loan->held[0] & ~UINT64_C(0xfffff)) != COVEI_HELD_LOAN || b >= stream->ring.buffer_count))
        return covei_member_failed(&stream->member, COVE_ERR_VIEW, step, "this is no loan: never taken, or published or discarded already");
    if (covei_unlikely(loan->held[1] != covei_process_epoch()))
        return covei_member_failed(&stream->member, COVE_ERR_FORKED, step,
                                   "the loan was taken by the parent process, and is the parent's to end");
    covei_local_enter(&stream->writing.lock);
    bool is_hand = b == stream->writing.hand;
    covei_local_leave(&stream->writing.lock);
    if (covei_unlikely(loan->data != covei_ring_payload(&stream->ring, b) || is_hand ||
                       covei_load_relaxed(&stream->ring.own[b]) != stream->writing.held))
        return covei_member_failed(&stream->member, COVE_ERR_VIEW, step,
                                   "this loan is another handle's, or a copy of it was published or discarded");
    *out_b = b;
    return COVE_OK;
}

cove_result cove_stream_publish(cove_stream *stream, cove_loan *loan, cove_time_ns deadline_ns) {
    uint32_t b;
    cove_result result = check_loan(stream, loan, "publish", &b);
    if (covei_unlikely(result != COVE_OK ||
                       (result = covei_payload_check(&stream->member, &stream->shape.payload, loan->type,
                                                     covei_ring_payload(&stream->ring, b), loan->length_bytes, "publish")) != COVE_OK))
        return result;
    describe(stream, b, loan->type, loan->length_bytes, loan->tag);
    result = publish(stream, b, "publish", deadline_ns);
    if (result == COVE_OK)
        loan->held[0] = 0;
    return result;
}

cove_result cove_stream_discard(cove_stream *stream, cove_loan *loan) {
    uint32_t b;
    cove_result result = check_loan(stream, loan, "discard", &b);
    if (result != COVE_OK)
        return result;
    loan->held[0] = 0;
    put_down(stream, b);
    return COVE_OK;
}

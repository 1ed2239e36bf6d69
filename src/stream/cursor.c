/* Where a handle reads, and who is waited for. */
#include "stream/stream.h"

/* LOSSLESS JOIN, with a first cursor that keeps all the caller wants. Returns one past the newest value, such that nothing from one
 * round before it less one on will be overwritten while the cursor stands there.
 *
 * A writer looks at the epoch after it has read the cell it is going to change. Whoever read that cell before our count of the epoch can
 * place one value, and no further than at what was the newest then: a later one would have to read a cell that was placed after our
 * second look, hence after our count, and so sees the count. PAIR awaited
 * CRASH: killed anywhere: the writers find the slot's holder dead, and clear it. */
static bool join(cove_stream *stream, uint64_t cursor, uint64_t *out_newest) {
    covei_member *member = &stream->member;
    covei_ring *ring = &stream->ring;
    uint32_t slot = covei_load_relaxed(&member->slot);
    covei_ring_mark(member, COVEI_MARK_AWAITED);
    covei_store_seqcst(&member->slots[slot].hold64[COVEI_HOLD_CURSOR], cursor);
    covei_or_seqcst(&ring->shared->awaited[slot / 64], UINT64_C(1) << (slot % 64));
    covei_add_seqcst(&ring->shared->epoch, 1);
    bool is_seen = covei_ring_barrier(ring); /* an only writer's stores may be on their way: all it had looked up before are there now */
    *out_newest = covei_ring_newest(ring, cursor);
    return is_seen;
}

static uint64_t later(uint64_t a, uint64_t b) {
    return (int64_t)(a - b) > 0 ? a : b;
}

/* Where to begin when `newest` is one past the newest: no earlier than the first there ever was, and for a lossless reader no earlier than
 * what is certain to stay. */
static uint64_t wanted(const cove_stream *stream, cove_start start, uint64_t newest) {
    uint64_t cells = stream->ring.cells, back = start == COVE_START_NEW ? 0 : start == COVE_START_LATEST ? 1 : cells;
    if (stream->follow == COVE_FOLLOW_LOSSLESS && back == cells)
        back--;
    uint64_t first = covei_load_relaxed(&stream->ring.shared->first);
    return (int64_t)(newest - first) > 0 ? later(newest - back, first) : newest;
}

bool covei_reading_start(cove_stream *stream, cove_start start) {
    uint64_t newest = covei_ring_newest(&stream->ring, covei_load_seqcst(&stream->ring.shared->tail));
    if (stream->follow == COVE_FOLLOW_LOSSLESS && !join(stream, wanted(stream, start, newest), &newest))
        return false;
    stream->reading.missed = 0;
    stream->reading.next = wanted(stream, start, newest);
    stream->reading.predicted = COVEI_NO_BUFFER;
    stream->reading.told = stream->reading.next;
    if (stream->follow == COVE_FOLLOW_LOSSLESS)
        covei_reading_tell(stream);
    return true;
}

/* Where the parent was, as far as that is still there. */
void covei_reading_resume(cove_stream *stream) {
    covei_reading *r = &stream->reading;
    uint64_t newest;
    covei_local_reset(&r->lock);
    r->told = r->next - 1; /* this member has told nothing yet */
    if (stream->follow != COVE_FOLLOW_LOSSLESS)
        return;
    uint64_t now = covei_ring_newest(&stream->ring, r->next), from = later(r->next, now + 1 - stream->ring.cells);
    (void)join(stream, from, &newest); /* where it cannot be certain, what is missed is told */
    from = later(from, newest + 1 - stream->ring.cells);
    r->missed += from - r->next;
    if (from != r->next)
        r->predicted = COVEI_NO_BUFFER;
    r->next = from;
    covei_reading_tell(stream);
}

/* Says in the slot how far a reader has come: for writers that wait, and for people.
 * The store is not fenced against the look: a writer that waits has made us pass a barrier after it said so. PAIR cursor */
void covei_reading_tell(cove_stream *stream) {
    covei_reading *r = &stream->reading;
    if (stream->member.is_read_only) {
        r->told = r->next;
        return;
    }
    covei_ring_mark(&stream->member, COVEI_MARK_READS); /* only who has read is a reader: not at the opening */
    covei_store_release(&covei_member_slot(&stream->member)->hold64[COVEI_HOLD_CURSOR], r->next);
    r->told = r->next;
    covei_fence_light();
    if (covei_unlikely(covei_load_relaxed(&stream->ring.shared->room) & COVEI_EVENT_ARMED))
        covei_event_wake(&stream->ring.shared->room);
}

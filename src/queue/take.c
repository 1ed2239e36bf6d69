/* Taking: who has a message, from the swap of the head on, and what becomes of it when he dies. The step names are those of
 * docs/protocols/ring.md, QUEUE.
 *
 * The head says which message is the next, and who took the last before it. One swap of it takes one message, or a run; from then on the
 * message is known to be its taker's, however soon he dies. When he has copied it he moves on his cursor, a word that nobody else writes,
 * and needs to touch nothing of the producer's: so a message costs the movement of its own line and no other. Before another moves the
 * head, he makes the own words say CLAIMED of what the last one took and has not passed with his cursor. So a stopped consumer is in
 * nobody's way, and a dead one's messages are found: those that the head names, and those whose own words do. */
#include "base/error.h"
#include "queue/queue.h"

#include <string.h>

/* The cell alone shows the message of a producer that died before it could confirm it; but a look at it takes its line from the producers.
 * So who only tries looks at it when this much time has passed, and then looks for dead consumers, too. */
#define LOOK_NS UINT64_C(2000000)
#define SWEEP_NS UINT64_C(20000000)

/* Each round in which the head has moved is one in which somebody else got a message; this many are no accident. */
#define ROUNDS_MAX (1u << 20)

void covei_taking_reset(covei_taking *taking, uint64_t next) {
    memset(taking, 0, sizeof *taking);
    taking->next = taking->turned = next;
    taking->predicted = COVEI_NO_BUFFER;
    covei_local_reset(&taking->lock);
}

bool covei_queue_is_time_to_look(covei_taking *t) {
    cove_time_ns now = covei_clock_coarse_ns();
    if (covei_likely(now - t->looked_ns < LOOK_NS))
        return false;
    t->looked_ns = now;
    return true;
}

/* ---- What only the head and a cursor know. */

uint64_t covei_queue_finished(const covei_member *member, const covei_queue_shm *shared, uint64_t near, uint64_t *out_head) {
    uint64_t head = covei_load_seqcst(&shared->head); /* before the cursor: what it names then is passed, or is not */
    uint64_t number = covei_head_number(head, near);
    uint32_t slot = covei_cell_buffer(head);
    *out_head = number;
    if (slot >= member->slot_count)
        return number;
    uint64_t cursor = covei_load_seqcst(&member->slots[slot].hold64[COVEI_HOLD_CURSOR]); /* PAIR done */
    return (int64_t)(cursor - number) < 0 ? cursor : number;
}

bool covei_claimed_is_done(const covei_member *member, uint64_t own, uint64_t near) {
    uint32_t slot = covei_own_slot(own);
    return slot < member->slot_count &&
           (int64_t)(covei_load_seqcst(&member->slots[slot].hold64[COVEI_HOLD_CURSOR]) - covei_taken_number(own, near)) > 0; /* PAIR done */
}

/* CLAIM: what whom the head names took, and his cursor has not passed, says so in own words: CLAIMED by him, or, where he is dead and
 * being cleared, BACK. His cursor may pass it meanwhile: then it is done with at once, like any that is CLAIMED.
 * CRASH: killed anywhere: the next who wants to move the head does the rest. */
static void claim(const covei_member *member, const covei_ring *ring, uint64_t head, uint64_t first, bool is_back) {
    uint32_t slot = covei_cell_buffer(head);
    if (slot >= member->slot_count)
        return;
    uint64_t cursor = covei_load_seqcst(&member->slots[slot].hold64[COVEI_HOLD_CURSOR]); /* PAIR done */
    if ((int64_t)(first - cursor) > COVEI_RUN_MAX) /* only by damage, or when the head has moved on long since */
        cursor = first - COVEI_RUN_MAX;
    for (uint64_t number = cursor; (int64_t)(first - number) > 0; number++) {
        uint64_t cell = covei_load_seqcst(covei_ring_cell(ring, number));
        uint32_t b = covei_cell_buffer(cell);
        if (covei_cell_ahead(cell, number) || b >= ring->buffer_count)
            continue; /* and where the cell has moved on, so has the head */
        uint64_t own = covei_load_seqcst(&ring->own[b]);
        while (covei_own_is_placed(own, number) &&
               !covei_cas_seqcst(&ring->own[b], &own, is_back ? covei_back_word(1, number) : covei_claimed_word(slot, number)))
            ; /* its producer has just been cleared away: PLACED has become LEFT */
    }
}

/* ---- What was given back. */

/* BACK: first the own word, then this. Who clears the flag has looked at all words since it read the count. PAIR back */
static void count_back(covei_queue_shm *shared) {
    uint64_t seen = covei_load_seqcst(&shared->back);
    while (!covei_cas_seqcst(&shared->back, &seen, ((seen >> 1) + 1) << 1 | 1))
        ;
}

void covei_queue_tell_back(cove_queue *queue) {
    count_back(queue->shared);
    covei_tell(&queue->member, &queue->ring.shared->change);
}

/* The one that was pushed first of those that were given back. False: there is none. */
static bool find_back(const cove_queue *queue, uint64_t next, covei_seen *out) {
    const covei_ring *ring = &queue->ring;
    bool found = false;
    if (covei_likely(!(covei_load_seqcst(&queue->shared->back) & 1))) /* PAIR back */
        return false;
    for (uint32_t b = 0; b < ring->buffer_count; b++) {
        uint64_t own = covei_load_seqcst(&ring->own[b]);
        if (covei_own_state_of(own) != COVEI_OWN_BACK)
            continue;
        uint64_t number = covei_taken_number(own, next);
        if (found && (int64_t)(number - out->number) >= 0)
            continue;
        *out = (covei_seen){.number = number, .own = own, .buffer = b, .deliveries = covei_own_deliveries(own)};
        found = true;
    }
    return found;
}

static uint32_t length_of(const covei_ring *ring, uint32_t b) {
    return covei_load_relaxed(&covei_ring_buffer(ring, b)->length);
}

/* The head's number. What this handle remembers may be as old as the handle; the tail is not. */
static uint64_t number_of_head(const cove_queue *queue, uint64_t head) {
    uint64_t near = queue->taking.next;
    if (covei_unlikely(covei_cell_ahead(head, near) || covei_cell_buffer(head) != covei_load_relaxed(&queue->member.slot))) {
        uint64_t tail = covei_load_acquire(&queue->ring.shared->tail);
        near = (int64_t)(tail - near) > 0 ? tail : near;
    }
    return covei_head_number(head, near);
}

/* REDELIVER. COVE_OK · COVE_ERR_EMPTY none is there · COVE_ERR_SIZE. */
static cove_result take_back(cove_queue *queue, const covei_wanted *wanted, covei_run *out) {
    covei_ring *ring = &queue->ring;
    covei_seen s;
    for (;;) {
        uint64_t told = covei_load_seqcst(&queue->shared->back);
        if (covei_likely(!(told & 1)))
            return COVE_ERR_EMPTY;
        uint64_t next = number_of_head(queue, covei_load_seqcst(&queue->shared->head));
        if (!find_back(queue, next, &s)) {
            if (covei_cas_seqcst(&queue->shared->back, &told, told & ~UINT64_C(1))) /* none since `told` was read. PAIR back */
                return COVE_ERR_EMPTY;
            continue;
        }
        uint32_t length = length_of(ring, s.buffer), deliveries = s.deliveries < 255 ? s.deliveries + 1 : 255;
        if (length > wanted->size_bytes && length <= ring->capacity_bytes) {
            out->length[0] = length;
            if (covei_load_seqcst(&ring->own[s.buffer]) == s.own)
                return COVE_ERR_SIZE;
            continue;
        }
        if (covei_cas_seqcst(&ring->own[s.buffer], &s.own,
                             covei_taken_word(covei_load_relaxed(&queue->member.slot), deliveries, s.number))) {
            covei_add_relaxed(&queue->shared->redelivered, 1);
            *out = (covei_run){.number = s.number, .count = 1, .deliveries = deliveries, .is_back = true};
            out->buffer[0] = s.buffer;
            out->length[0] = length;
            return COVE_OK;
        }
    }
}

/* ---- The next in the order. */

/* How much is looked at: all · what no death has left unsaid · that, and no more than what is known of `turned` already. */
typedef enum care { THOROUGH, BRISK, IN_PASSING } care;

/* The buffer of message `number`, if it was published. 1: there; 0: not yet; -1: the head has passed it. */
static inline int find_at(cove_queue *queue, uint64_t number, uint32_t predicted, care how, uint32_t *out_b) {
    covei_ring *ring = &queue->ring;
    covei_taking *t = &queue->taking;
    if (covei_likely(predicted < ring->buffer_count)) {
        if (covei_likely(covei_load_acquire(&covei_ring_buffer(ring, predicted)->number) == number)) { /* PAIR confirmed */
            *out_b = predicted;
            return 1;
        }
        if (how == BRISK)
            t->turned = covei_load_acquire(&queue->shared->turned);
        if (how != THOROUGH && (int64_t)(t->turned - number) <= 0)
            return 0;
    }
    uint64_t cell = covei_load_seqcst(covei_ring_cell(ring, number)); /* PAIR published */
    int64_t ahead = covei_cell_ahead(cell, number);
    *out_b = covei_cell_buffer(cell);
    return ahead < 0 || *out_b >= ring->buffer_count ? 0 : ahead == 0 ? 1 : -1; /* a buffer that cannot be is damage: no message */
}

/* TAKE. CRASH: killed before the head moves: nothing happened. After it: the head names us, and whoever clears our slot gives the
 * messages back. */
cove_result covei_queue_take_run(cove_queue *queue, bool thorough, const covei_wanted *wanted, covei_run *out) {
    covei_taking *t = &queue->taking;
    covei_ring *ring = &queue->ring;
    uint32_t me = covei_load_relaxed(&queue->member.slot);
    covei_a64 *cursor = &covei_member_slot(&queue->member)->hold64[COVEI_HOLD_CURSOR];
    for (uint32_t rounds = 0; rounds < ROUNDS_MAX; rounds++) {
        if (covei_unlikely(covei_load_relaxed(&queue->shared->back) & 1) && !wanted->in_order) {
            cove_result result = take_back(queue, wanted, out);
            if (result != COVE_ERR_EMPTY)
                return result;
        }
        uint64_t head = covei_load_acquire(&queue->shared->head); /* PAIR head */
        uint64_t first = number_of_head(queue, head);
        uint32_t b, count = 0, predicted = first == t->next ? t->predicted : COVEI_NO_BUFFER;
        t->next = first;
        t->predicted = predicted;
        int there = find_at(queue, first, predicted, thorough ? THOROUGH : BRISK, &b);
        if (covei_unlikely(there <= 0)) {
            if (covei_load_seqcst(&queue->shared->head) != head)
                continue;
            if (there < 0)
                return COVE_ERR_DAMAGED; /* the order says that the head has passed it, and the head says that it has not */
            if (covei_unlikely(covei_load_seqcst(&queue->shared->back) & 1) && !wanted->in_order)
                continue; /* given back since we looked for that */
            return COVE_ERR_EMPTY;
        }
        uint64_t room = wanted->size_bytes;
        do {
            uint32_t length = length_of(ring, b);
            bool is_true = length <= ring->capacity_bytes; /* else it is taken alone, and told */
            if (is_true ? length > room : count > 0)
                break;
            out->buffer[count] = b;
            out->length[count++] = length;
            uint64_t used = ((uint64_t)length + wanted->pad - 1) & ~((uint64_t)wanted->pad - 1);
            room = is_true && used < room ? room - used : 0;
            predicted = covei_load_relaxed(&covei_ring_buffer(ring, b)->link) & COVEI_NO_BUFFER;
        } while (count < wanted->most && room && find_at(queue, first + count, predicted, IN_PASSING, &b) > 0);
        if (covei_unlikely(!count)) {
            out->length[0] = length_of(ring, b);
            if (covei_load_seqcst(&queue->shared->head) == head && out->length[0] > wanted->size_bytes)
                return COVE_ERR_SIZE;
            continue;
        }
        if (covei_unlikely(covei_cell_buffer(head) != me))
            claim(&queue->member, ring, head, first, false);
        /* From here on our cursor says that nothing before `first` is ours to finish: nothing is. */
        if (covei_unlikely(covei_load_relaxed(cursor) != first))
            covei_store_seqcst(cursor, first);
        if (covei_likely(covei_queue_move_head(queue, head, first + count))) {
            out->number = first;
            out->count = count;
            out->deliveries = 1;
            out->is_back = false;
            t->next = first + count;
            t->predicted = predicted;
            return COVE_OK;
        }
    }
    return COVE_ERR_DAMAGED;
}

/* ---- Only looking. */

cove_result covei_queue_find(cove_queue *queue, bool thorough, covei_seen *out) {
    covei_taking *t = &queue->taking;
    uint32_t b;
    for (uint32_t rounds = 0; rounds < ROUNDS_MAX; rounds++) {
        uint64_t told = covei_load_seqcst(&queue->shared->back), head = covei_load_seqcst(&queue->shared->head);
        uint64_t next = number_of_head(queue, head);
        if (covei_unlikely(find_back(queue, next, out)))
            return COVE_OK;
        int there = find_at(queue, next, next == t->next ? t->predicted : COVEI_NO_BUFFER, thorough ? THOROUGH : BRISK, &b);
        if (next != t->next)
            t->predicted = COVEI_NO_BUFFER;
        t->next = next;
        if (there > 0) {
            *out = (covei_seen){.number = next, .head = head, .buffer = b};
            return COVE_OK;
        }
        if (covei_load_seqcst(&queue->shared->head) != head)
            continue;
        if (there < 0)
            return COVE_ERR_DAMAGED;
        if (covei_likely(covei_load_seqcst(&queue->shared->back) == told)) /* nothing was given back since we looked for that */
            return COVE_ERR_EMPTY;
    }
    return COVE_ERR_DAMAGED;
}

bool covei_queue_is_next(const cove_queue *queue, const covei_seen *seen) {
    if (seen->deliveries)
        return covei_load_seqcst(&queue->ring.own[seen->buffer]) == seen->own;
    return covei_load_seqcst(&queue->shared->head) == seen->head;
}

/* ---- The dead. */

/* FORGET, of a queue. CRASH: killed anywhere: CLEAR is free, and whoever takes it next does all of this again; the marks go last. */
void covei_queue_forget(covei_member *member, const covei_ring *ring, uint32_t slot) {
    covei_queue_shm *shared = (covei_queue_shm *)(void *)member->object;
    uint32_t marks = covei_load_seqcst(&member->slots[slot].hold[COVEI_HOLD_MARKS]);
    if (marks & (COVEI_MARK_TAKES | COVEI_MARK_DROPS)) {
        uint64_t near = covei_load_seqcst(&ring->shared->tail), head = covei_load_seqcst(&shared->head);
        uint64_t next = covei_head_number(head, near);
        /* First what only the head knows of: then nobody can claim for this slot what is not done with. */
        if (covei_cell_buffer(head) == slot)
            claim(member, ring, head, next, true);
        for (uint32_t b = 0; b < ring->buffer_count; b++) {
            uint64_t own = covei_load_seqcst(&ring->own[b]);
            covei_own_state state = covei_own_state_of(own);
            if ((state != COVEI_OWN_TAKEN && state != COVEI_OWN_CLAIMED) || covei_own_slot(own) != slot)
                continue;
            bool is_done = state == COVEI_OWN_CLAIMED && covei_claimed_is_done(member, own, next);
            uint64_t word =
                is_done ? covei_done_word(ring, b, covei_taken_number(own, next)) : covei_back_word(covei_own_deliveries(own), own);
            covei_cas_seqcst(&ring->own[b], &own, word);
        }
        /* The cursor stays (I4): of what it has not passed no word is PLACED any more, so who claims late finds nothing, or what is done with.
         * The count always: he may have died between a word and the count. Bells are rung by who asked for this, or ring by themselves: ringing
         * them here could come back to here. */
        count_back(shared);
        if (covei_load_seqcst(&ring->shared->change) & COVEI_EVENT_ARMED)
            covei_event_wake_always(&ring->shared->change);
    }
    covei_ring_forget(member, ring, slot);
}

bool covei_queue_sweep(cove_queue *queue) {
    covei_member *member = &queue->member;
    bool found = false;
    if (member->is_read_only)
        return false;
    cove_time_ns now = covei_clock_ns(), last = covei_load_relaxed(&queue->shared->looked_ns);
    if (now - last < SWEEP_NS || !covei_cas_seqcst(&queue->shared->looked_ns, &last, now)) /* one that lies ahead is no time: now */
        return false;
    for (uint32_t slot = 0; slot < member->slot_count; slot++) {
        bool is_alive;
        if (!(slot % 64) && !covei_load_seqcst(&member->header->occupied[slot / 64])) {
            slot += 63;
            continue;
        }
        if (slot == covei_load_relaxed(&member->slot) ||
            !(covei_load_seqcst(&member->slots[slot].hold[COVEI_HOLD_MARKS]) & (COVEI_MARK_TAKES | COVEI_MARK_DROPS)) ||
            covei_slot_is_alive(member, slot, &is_alive) != COVE_OK || is_alive)
            continue;
        covei_slot_recover(member, slot);
        found = true;
    }
    if (found)
        covei_tell(member, &queue->ring.shared->change);
    return found;
}

/* The ring: its plan, its end, and what the dead have left in it. The ways through it are the objects'. */
#include "sync/ring.h"

#include "base/checked.h"

/* Buffers of this size on begin at a page of their own in the file, and their payload at a cache line. */
#define LARGE_BYTES 1024

bool covei_ring_plan(covei_ring *out_ring, uint8_t *object, uint64_t capacity_bytes, uint32_t cells, uint32_t buffers, uint32_t tickets,
                     bool keeps_times, bool names_writers) {
    if (capacity_bytes > COVEI_CAPACITY_MAX || cells < 1 || cells & (cells - 1) || cells > COVEI_CELLS_MAX || buffers >= COVEI_NO_BUFFER ||
        tickets >= COVEI_NO_BUFFER)
        return false;
    covei_ring ring = {
        .capacity_bytes = capacity_bytes,
        .cells = cells,
        .mask = cells - 1,
        .buffer_count = buffers,
        .tickets = tickets,
        .time_offset = names_writers ? 32 : 24,
        .payload_offset = capacity_bytes >= LARGE_BYTES ? 64 : 24u + 8u * keeps_times + 8u * names_writers,
        .keeps_times = keeps_times,
    };
    uint64_t pool;
    if (!covei_align_up_u64(sizeof(covei_ring_shm) + 8 * (uint64_t)ring.tickets, 128, &ring.cell_at) ||
        !covei_align_up_u64(ring.cell_at + 8 * (uint64_t)ring.cells, 128, &ring.own_at) ||
        !covei_align_up_u64(ring.own_at + 8 * (uint64_t)ring.buffer_count, 128, &ring.buffer_at) ||
        !covei_align_up_u64(ring.payload_offset + capacity_bytes, 64, &ring.stride_bytes) ||
        !covei_mul_u64(ring.stride_bytes, ring.buffer_count, &pool) || !covei_add_u64(ring.buffer_at, pool, &ring.object_bytes))
        return false;
    if (object) {
        ring.shared = (covei_ring_shm *)(void *)object;
        ring.ticket = (covei_a64 *)(void *)(object + sizeof(covei_ring_shm));
        ring.cell = (covei_a64 *)(void *)(object + ring.cell_at);
        ring.own = (covei_a64 *)(void *)(object + ring.own_at);
        ring.buffers = object + ring.buffer_at;
    }
    *out_ring = ring;
    return true;
}

void covei_ring_fill(const covei_ring *ring, uint64_t first) {
    covei_store_relaxed(&ring->shared->tail, first);
    covei_store_relaxed(&ring->shared->first, first);
    for (uint64_t number = first; number - first < ring->cells; number++)
        covei_store_relaxed(covei_ring_cell(ring, number), covei_cell_word(number - ring->cells, COVEI_NO_BUFFER));
}

uint32_t covei_ring_cells_for(uint32_t count) {
    uint32_t cells = 1;
    while (cells < count)
        cells *= 2;
    return cells;
}

/* ---- The newest. */

/* A hint that cannot be: the newest of all cells, by looking at each. With honest members never needed. */
static uint64_t newest_of_all(const covei_ring *ring, uint64_t near) {
    int64_t best = INT64_MIN;
    for (uint64_t i = 0; i < ring->cells; i++) {
        int64_t ahead = covei_cell_ahead(covei_load_seqcst(&ring->cell[i]), near);
        best = ahead > best ? ahead : best;
    }
    return near + (uint64_t)best + 1;
}

uint64_t covei_ring_newest(const covei_ring *ring, uint64_t from) {
    uint64_t tail = covei_load_seqcst(&ring->shared->tail), number = (int64_t)(tail - from) > 0 ? tail : from;
    for (uint32_t steps = 0; steps < 2 * ring->cells + 2; steps++) {
        int64_t ahead = covei_cell_ahead(covei_load_seqcst(covei_ring_cell(ring, number)), number);
        if (covei_likely(ahead == -(int64_t)ring->cells))
            return number;
        if (ahead < 0)
            break;
        number += (uint64_t)ahead + 1;
    }
    return newest_of_all(ring, number);
}

void covei_ring_raise(covei_a64 *word, uint64_t to) {
    uint64_t seen = covei_load_relaxed(word);
    while ((int64_t)(to - seen) > 0 && !covei_cas_seqcst(word, &seen, to))
        ;
}

/* ---- The living and the dead. */

/* The whole generation of a slot, of which a word has the low bits. */
bool covei_own_is_alive(covei_member *member, uint64_t own) {
    bool is_alive;
    uint32_t slot = covei_own_slot(own);
    if (slot >= member->slot_count)
        return false;
    uint32_t whole = covei_slot_generation(covei_load_seqcst(&member->slots[slot].word));
    if (covei_own_state_of(own) == COVEI_OWN_HELD ? own != covei_own_held(slot, whole) : (whole & 0x1fff) != covei_own_generation(own))
        return false;
    /* Where it cannot be told, nothing is taken from anybody. */
    return covei_member_is_alive(member, slot, whole, &is_alive) != COVE_OK || is_alive;
}

static bool ticket_is_alive(covei_member *member, uint64_t ticket) {
    bool is_alive;
    return covei_member_is_alive(member, covei_ticket_slot(ticket), covei_ticket_generation(ticket), &is_alive) != COVE_OK || is_alive;
}

bool covei_ring_is_pinned(covei_member *member, const covei_ring *ring, uint32_t buffer) {
    for (uint32_t i = 0; i < ring->tickets; i++) {
        uint64_t ticket = covei_load_seqcst(&ring->ticket[i]); /* PAIR ticket */
        if (ticket && covei_cell_buffer(ticket) == buffer && ticket_is_alive(member, ticket))
            return true;
    }
    return false;
}

uint32_t covei_ring_count(covei_member *member, uint32_t mark) {
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < member->slot_count; slot++) {
        bool is_alive;
        if (!(slot % 64) && !covei_load_seqcst(&member->header->occupied[slot / 64]))
            slot += 63;
        else if (covei_load_seqcst(&member->slots[slot].hold[COVEI_HOLD_MARKS]) & mark) /* PAIR event: of `members` */
            count += covei_slot_is_alive(member, slot, &is_alive) == COVE_OK && is_alive;
    }
    return count;
}

uint64_t covei_ring_slowest(covei_member *member, const covei_ring *ring, bool only_live) {
    uint64_t slowest = UINT64_MAX;
    for (uint32_t base = 0; base < member->slot_count; base += 64) {
        uint64_t awaited = covei_load_seqcst(&ring->shared->awaited[base / 64]); /* PAIR awaited */
        for (; awaited; awaited &= awaited - 1) {
            uint32_t slot = base + (uint32_t)__builtin_ctzll(awaited);
            bool is_alive = true;
            if (slot >= member->slot_count)
                break;
            uint64_t cursor = covei_load_seqcst(&member->slots[slot].hold64[COVEI_HOLD_CURSOR]); /* PAIR cursor */
            if (slowest != UINT64_MAX && (int64_t)(cursor - slowest) >= 0)
                continue;
            if (only_live && covei_slot_is_alive(member, slot, &is_alive) == COVE_OK && !is_alive) {
                covei_slot_recover(member, slot); /* so that it is in nobody's way again */
                continue;
            }
            slowest = cursor;
        }
    }
    return slowest;
}

/* CRASH: killed anywhere: CLEAR is free, and whoever takes it next does all of this again. */
void covei_ring_forget(covei_member *member, const covei_ring *ring, uint32_t slot) {
    covei_slot_shm *place = &member->slots[slot];
    uint64_t bit = UINT64_C(1) << (slot % 64);
    uint32_t marks = covei_load_seqcst(&place->hold[COVEI_HOLD_MARKS]);
    if (!marks)
        return;
    covei_and_seqcst(&ring->shared->awaited[slot / 64], ~bit);
    if (marks & (COVEI_MARK_AWAITED | COVEI_MARK_READS))
        covei_store_seqcst(&place->hold64[COVEI_HOLD_CURSOR], 0);
    for (uint32_t i = 0; marks & COVEI_MARK_PINS && i < ring->tickets; i++) {
        uint64_t ticket = covei_load_seqcst(&ring->ticket[i]);
        if (ticket && covei_ticket_slot(ticket) == slot)
            covei_cas_seqcst(&ring->ticket[i], &ticket, 0); /* a swap: another may take it from the dead at the same time */
    }
    for (uint32_t b = 0; marks & COVEI_MARK_WRITES && b < ring->buffer_count; b++) {
        uint64_t own = covei_load_seqcst(&ring->own[b]);
        covei_own_state state = covei_own_state_of(own);
        if (covei_own_slot(own) != slot)
            continue;
        /* What was placed, or was about to be, may be in its cell, and borrowed: that is found out by who wants the buffer. */
        if (state == COVEI_OWN_HELD || state == COVEI_OWN_SPENT)
            covei_cas_seqcst(&ring->own[b], &own, 0);
        else if (state == COVEI_OWN_PLACED)
            covei_cas_seqcst(&ring->own[b], &own, covei_own_of(COVEI_OWN_LEFT, own, own));
    }
    covei_store_seqcst(&place->hold[COVEI_HOLD_MARKS], 0); /* last: until here all of it may have to be done again */
    covei_event_wake(&ring->shared->room);
    if (marks & COVEI_MARK_WRITES)
        covei_event_wake(&ring->shared->members);
}

/* The bytes of a queue: its own words, and behind them a ring (src/sync/ring.h), whose cells give the order.
 *
 *        0  head         8   bits 18-63 number of the next message to take · 0-16 slot of who took the one before it (0x1ffff: nobody)
 *      128  back         8   bit 0: there may be messages to deliver again · the rest counts what was given back
 *      136  looked_ns    8   when somebody last looked for consumers that were killed: CLOCK_MONOTONIC
 *      256  redelivered, dropped, buried   8 each: counts, for people
 *      384  dead_letter  208 name of the queue for messages that nobody gets done; never changed
 *      640  turned       8   one past the newest message that does not lie where the one before it promised: who takes by that promise and
 *                            finds nothing looks here. On a line of its own, which a producer that is alone never touches
 *     1024               the ring
 *
 *   cursor of a consumer's slot
 *     what it took before this number is done with, or own words say that it has it
 *
 *   own words that only a queue has
 *     TAKEN     bits 49-60 slot · 41-48 deliveries, this one included · 0-40 number
 *     CLAIMED   as TAKEN, set by another than the slot: in hand until the slot's cursor has passed it, then free
 *     BACK      bits 41-48 deliveries so far · 0-40 number
 *     SPENT     as PLACED: done with, and its producer, who has not confirmed it, is not through with the buffer
 *
 *   object_fact[0]  capacity of a message in bytes
 *   object_fact[1]  bits 0-31 depth · 32-39 type · 40-47 flags: COVE_QUEUE_TIMES, _DROP_OLDEST · 48-55 max_deliveries
 *   object_fact[2]  bits 0-31 loans · 32-63 holds
 *   object_fact[3]  bytes of an element
 *
 * Who may write what, besides what the ring says
 *     head      a consumer, by swap, from what it has read; the only consumer by store
 *     cursor    the slot's member, forwards
 *     own       PLACED, LEFT, CLAIMED by him to TAKEN: whom head names · to CLAIMED: anybody, in the name of whom head names · TAKEN to FREE or BACK: its
 *               holder, or whoever recovers his slot · CLAIMED to BACK or FREE: whoever recovers its slot · BACK to TAKEN by me: anybody,
 *               by swap · to HELD by me: a producer, by swap, from FREE, or from what is done with (I1)
 *     back      counted on and set: after a word has become BACK. Cleared: who has found none, if nothing was counted meanwhile
 * Invariants
 *     I1  of numbers before head, the words that are PLACED or LEFT still are done with, or never were messages (their producers lost the
 *         swap, or died before it), but for those that whom head names took and his cursor has not passed: the last before head,
 *         COVEI_RUN_MAX at the most
 *     I2  cells number - COVEI_RUN_MAX to number - 1 of head hold these numbers (or have never been used): there are at least
 *         depth + COVEI_RUN_MAX cells
 *     I3  where a word is BACK, bit 0 of `back` is set, or its holder has not finished giving it back
 *     I4  cursors only grow, from one owner of the slot to the next, too: nobody clears them. So a word that is CLAIMED late is done with
 */
#ifndef COVEI_QUEUE_LAYOUT_H
#define COVEI_QUEUE_LAYOUT_H

#include "sync/ring.h"

#include <cove/domain.h>

#define COVEI_RUN_MAX 64u /* messages that one swap of head takes; COVE_QUEUE_RUN_MAX */
#define COVEI_NOBODY COVEI_NO_BUFFER

/* LAYOUT: read by other builds. */
typedef struct covei_queue_shm {
    covei_a64 head;
    uint64_t reserved_0[15];
    covei_a64 back, looked_ns;
    uint64_t reserved_1[14];
    covei_a64 redelivered, dropped, buried;
    uint64_t reserved_2[13];
    char dead_letter[208];
    uint8_t reserved_3[48];
    covei_a64 turned;
    uint64_t reserved_4[47];
} covei_queue_shm;
COVEI_AT(covei_queue_shm, back, 128);
COVEI_AT(covei_queue_shm, looked_ns, 136);
COVEI_AT(covei_queue_shm, redelivered, 256);
COVEI_AT(covei_queue_shm, dropped, 264);
COVEI_AT(covei_queue_shm, buried, 272);
COVEI_AT(covei_queue_shm, dead_letter, 384);
COVEI_AT(covei_queue_shm, turned, 640);
static_assert(sizeof(covei_queue_shm) == 1024, "the ring follows");

#define COVEI_TAKEN_NUMBER ((UINT64_C(1) << 41) - 1)
static inline uint64_t covei_taken_word(uint32_t slot, uint32_t deliveries, uint64_t number) {
    return (uint64_t)COVEI_OWN_TAKEN << 61 | (uint64_t)(slot & 0xfff) << 49 | (uint64_t)(deliveries & 0xff) << 41 |
           (number & COVEI_TAKEN_NUMBER);
}
static inline uint64_t covei_claimed_word(uint32_t slot, uint64_t number) {
    return (uint64_t)COVEI_OWN_CLAIMED << 61 | (uint64_t)(slot & 0xfff) << 49 | UINT64_C(1) << 41 | (number & COVEI_TAKEN_NUMBER);
}
static inline uint64_t covei_back_word(uint32_t deliveries, uint64_t number) {
    return (uint64_t)COVEI_OWN_BACK << 61 | (uint64_t)(deliveries & 0xff) << 41 | (number & COVEI_TAKEN_NUMBER);
}
static inline uint32_t covei_own_deliveries(uint64_t own) {
    return (uint32_t)(own >> 41) & 0xff;
}
/* The whole number of a TAKEN, CLAIMED or BACK word, which lies near `near`. */
static inline uint64_t covei_taken_number(uint64_t own, uint64_t near) {
    return near + (uint64_t)((int64_t)((own - near) << 23) >> 23);
}
/* The whole number of a PLACED or LEFT word, which lies near `near`. */
static inline uint64_t covei_placed_number(uint64_t own, uint64_t near) {
    return near + (uint64_t)((int64_t)((own - near) << 28) >> 28);
}
/* Whether the word says no more than that `number` was placed. */
static inline bool covei_own_is_placed(uint64_t own, uint64_t number) {
    covei_own_state state = covei_own_state_of(own);
    return (state == COVEI_OWN_PLACED || state == COVEI_OWN_LEFT) && !((own ^ number) & COVEI_OWN_NUMBER);
}

/* What is known of a queue from its facts, checked. */
typedef struct covei_queue_shape {
    covei_payload payload;
    uint32_t depth, loans, holds;
    uint32_t max_deliveries; /* 0: no dead-letter queue */
    bool keeps_times, drops_oldest;
} covei_queue_shape;

/* COVE_OK · COVE_ERR_DAMAGED told. `object` may be null: only sizes. */
cove_result covei_queue_shape_read(const uint64_t object_fact[4], uint64_t object_bytes, uint8_t *object, covei_queue_shape *out_shape,
                                   covei_ring *out_ring);

#ifdef COVEI_LAB
extern covei_a64 covei_lab_first_message; /* of the queues that this process creates; 0: 1, as usual */
#endif

#endif

/* The ring: an order of values, and a pool of buffers that hold them. docs/protocols/ring.md
 *
 * A cell says which buffer holds the value of a number. A writer fills a buffer that nobody else can see, and one swap of a cell
 * publishes it: the number is given then, so numbers have no gaps and a slow, stopped or dead writer holds nobody up. A buffer carries
 * its number beside its payload, so that a reader who guesses right which buffer comes next moves one cache line, not two.
 *
 *        0  tail       8   a hint: not more than one past the newest value. Never trusted
 *        8  first      8   the number of the first value there ever was; never changed
 *      128  change     4   event: a value was published
 *      132  room       4   event: a place or a buffer came free, or a member that was in the way has gone
 *      136  members    4   event: a writer came or went
 *      140  plain      4   1: a writer may publish without ordering its store before its look at `change`; who sleeps, pins or joins
 *                          pays for a barrier
 *      144  pinned     4   1: somebody is about to pin a value; 2: and an only writer knows it, and swaps cells
 *      152  epoch      8   counts changes of who is waited for
 *      256  awaited  512   a bit for each slot whose cursor writers wait for
 *      768  ticket     8 * borrows   a pinned buffer and by whom
 *           cell       8 * cells     at a multiple of 128
 *           own        8 * buffers   at a multiple of 128
 *           buffer     stride * buffers, at a multiple of 128
 *
 *   cell   bits 18-63 number (its low 46 bits) · 17 PIN · 0-16 buffer (0x1ffff: none)
 *   own    bits 61-63 state · 49-60 slot · PLACED, LEFT, SPENT: 36-48 generation · 0-35 number; HELD: 0-31 generation;
 *          TAKEN, CLAIMED, BACK: 41-48 deliveries · 0-40 number (src/queue/queue_layout.h)
 *   ticket 0: free; bits 61 set · 49-60 slot · 17-48 generation · 0-16 buffer
 *
 *   buffer  0  number   8   a stream's: 0 while it is being filled
 *           8  tag      8   the user's
 *          16  length   4   checked whenever it is read
 *          20  link     4   bits 0-16 which buffer its writer fills next: a hint · 24-31 type
 *          24  writer   8   a queue's: slot and generation of who filled it, as PLACED has them
 *              time     8   where the object keeps times: at 24, a queue's at 32
 *              payload      behind that, or at 64
 *
 * Who may write what
 *     cell       anybody: from the value one round older to a new one; or to set its PIN
 *     own        by swap: FREE, what is no longer in its cell, or what a dead one HELD, to HELD by me · its holder: HELD to PLACED, to FREE
 *     buffer     its holder
 *     ticket     free to mine: anybody, by swap. Its holder, or whoever recovers his slot: to free
 * Invariants
 *     I1  cell p holds p, or a number congruent to it, and numbers in it only grow
 *     I2  a buffer that is HELD is in no cell, and pinned by nobody
 *     I3  a buffer whose number is s holds the value s, whole; it is filled again only after cell s has another value and nobody pins it
 *     I4  at any time: cells + tickets + HELD buffers <= buffers, so a writer always finds one unless others hold all that is to spare
 */
#ifndef COVEI_SYNC_RING_H
#define COVEI_SYNC_RING_H

#include "sync/payload.h"
#include "sync/watch.h"

/* LAYOUT: read by other builds. */
typedef struct covei_ring_shm {
    covei_a64 tail, first;
    uint64_t reserved_0[14];
    covei_a32 change, room, members;
    covei_a32 plain, pinned;
    uint32_t reserved_1;
    covei_a64 epoch;
    uint64_t reserved_2[12];
    covei_a64 awaited[COVEI_SLOTS_MAX / 64];
} covei_ring_shm;
COVEI_AT(covei_ring_shm, first, 8);
COVEI_AT(covei_ring_shm, change, 128);
COVEI_AT(covei_ring_shm, room, 132);
COVEI_AT(covei_ring_shm, members, 136);
COVEI_AT(covei_ring_shm, plain, 140);
COVEI_AT(covei_ring_shm, pinned, 144);
COVEI_AT(covei_ring_shm, epoch, 152);
COVEI_AT(covei_ring_shm, awaited, 256);
static_assert(sizeof(covei_ring_shm) == 768, "tickets follow");

typedef struct covei_buffer_shm {
    covei_a64 number;
    covei_a64 tag;
    covei_a32 length;
    covei_a32 link;
    covei_a64 writer; /* a queue's; else a time or the payload begins here */
} covei_buffer_shm;
COVEI_AT(covei_buffer_shm, tag, 8);
COVEI_AT(covei_buffer_shm, length, 16);
COVEI_AT(covei_buffer_shm, link, 20);
COVEI_AT(covei_buffer_shm, writer, 24);

/* What a member holds in its slot: hold64[0], hold[2], hold[3]. */
#define COVEI_HOLD_CURSOR 0 /* of hold64: the number of the value that this member reads next; 0: it reads none. In queues see there */
#define COVEI_HOLD_MARKS 2  /* of hold: what there may be to clear when it dies */
#define COVEI_MARK_WRITES 1u
#define COVEI_MARK_PINS 2u
#define COVEI_MARK_AWAITED 4u
#define COVEI_MARK_READS 8u /* and the cursor tells how far it has come, for people */
#define COVEI_MARK_TAKES 16u
#define COVEI_MARK_DROPS 32u /* takes, but only to make room */

#define COVEI_NO_BUFFER 0x1ffffu
#define COVEI_CELLS_MAX (1u << 17)
#define COVEI_CELL_PIN (UINT64_C(1) << 17)
#define COVEI_CELL_NUMBER_BITS 46
#define COVEI_OWN_NUMBER ((UINT64_C(1) << 36) - 1)
#define COVEI_OWN_OWNER (((UINT64_C(1) << 25) - 1) << 36) /* slot and generation */

/* ---- Words. */

static inline uint32_t covei_cell_buffer(uint64_t cell) {
    return (uint32_t)cell & COVEI_NO_BUFFER;
}
static inline uint64_t covei_cell_word(uint64_t number, uint32_t buffer) {
    return number << 18 | buffer;
}
/* The number in a cell less `number`, which may wrap. */
static inline int64_t covei_cell_ahead(uint64_t cell, uint64_t number) {
    return (int64_t)(((cell >> 18) - number) << 18) >> 18;
}
static inline bool covei_cell_is(uint64_t cell, uint64_t number, uint32_t buffer) {
    return (cell & ~COVEI_CELL_PIN) == covei_cell_word(number, buffer);
}

typedef enum covei_own_state {
    COVEI_OWN_FREE = 0,
    COVEI_OWN_HELD = 1,    /* being filled, or ready to be, by the slot */
    COVEI_OWN_PLACED = 2,  /* put into the cell of its number by the slot, or about to be */
    COVEI_OWN_LEFT = 3,    /* as PLACED, by one who has gone: his name stays, so that no other LEFT word is the same */
    COVEI_OWN_TAKEN = 4,   /* a queue's: the slot has the message in hand */
    COVEI_OWN_BACK = 5,    /* a queue's: given back, to be delivered again */
    COVEI_OWN_CLAIMED = 6, /* a queue's: the slot took it, as another says: in hand until the slot's cursor has passed it */
    COVEI_OWN_SPENT = 7    /* a queue's: done with, and the slot, who placed it, has not confirmed it: as PLACED, but no message */
} covei_own_state;

static inline uint64_t covei_own_held(uint32_t slot, uint32_t generation) {
    return (uint64_t)COVEI_OWN_HELD << 61 | (uint64_t)(slot & 0xfff) << 49 | generation;
}
/* Of PLACED, LEFT and SPENT. `owner` has slot and generation where these words have them, and may have other bits besides. */
static inline uint64_t covei_own_of(covei_own_state state, uint64_t owner, uint64_t number) {
    return (uint64_t)state << 61 | (owner & COVEI_OWN_OWNER) | (number & COVEI_OWN_NUMBER);
}
static inline uint64_t covei_own_owner(uint32_t slot, uint32_t generation) {
    return (uint64_t)(slot & 0xfff) << 49 | (uint64_t)(generation & 0x1fff) << 36;
}
static inline covei_own_state covei_own_state_of(uint64_t own) {
    return (covei_own_state)(own >> 61);
}
static inline uint32_t covei_own_slot(uint64_t own) {
    return (uint32_t)(own >> 49) & 0xfff;
}
static inline uint32_t covei_own_generation(uint64_t own) {
    return (uint32_t)(own >> 36) & 0x1fff;
}

static inline uint64_t covei_ticket_word(uint32_t slot, uint32_t generation, uint32_t buffer) {
    return UINT64_C(1) << 61 | (uint64_t)(slot & 0xfff) << 49 | (uint64_t)generation << 17 | buffer;
}
static inline uint32_t covei_ticket_slot(uint64_t ticket) {
    return (uint32_t)(ticket >> 49) & 0xfff;
}
static inline uint32_t covei_ticket_generation(uint64_t ticket) {
    return (uint32_t)(ticket >> 17);
}

/* ---- What callers keep of what they hold: in value->held[0] and loan->held[0]: a mark, a buffer, and for a value its ticket. held[1] is the epoch of the process. */
#define COVEI_HELD_VALUE (UINT64_C(0xb0) << 56)
#define COVEI_HELD_LOAN (UINT64_C(0x10a) << 52)
static inline uint64_t covei_held(uint64_t mark, uint32_t buffer, uint32_t ticket) {
    return mark | (uint64_t)ticket << 20 | buffer;
}
static inline uint32_t covei_held_buffer(uint64_t held) {
    return (uint32_t)held & 0xfffff;
}
static inline uint32_t covei_held_ticket(uint64_t held) {
    return (uint32_t)(held >> 20) & 0xffff;
}

/* ---- A ring, as one process sees it. Everything in it is checked and private. */

typedef struct covei_ring {
    covei_ring_shm *shared;
    covei_a64 *ticket, *cell, *own;
    uint8_t *buffers;
    uint64_t stride_bytes;
    uint64_t capacity_bytes;
    uint64_t cell_at, own_at, buffer_at, object_bytes; /* offsets in the object; and what all of it takes */
    uint32_t cells, mask;                              /* a power of two, and it less one */
    uint32_t buffer_count;
    uint32_t tickets;
    uint32_t time_offset, payload_offset;
    bool keeps_times;
} covei_ring;

/* Works out where everything lies in an object at `object` (null: only the sizes). `cells` is a power of two. False where it fits in no
 * file. */
bool covei_ring_plan(covei_ring *out_ring, uint8_t *object, uint64_t capacity_bytes, uint32_t cells, uint32_t buffers, uint32_t tickets,
                     bool keeps_times, bool names_writers);
/* The power of two that is not less. */
uint32_t covei_ring_cells_for(uint32_t count);
/* Makes a zeroed object an empty ring whose first value will have this number. */
void covei_ring_fill(const covei_ring *ring, uint64_t first);

static inline covei_buffer_shm *covei_ring_buffer(const covei_ring *ring, uint32_t buffer) {
    return (covei_buffer_shm *)(void *)(ring->buffers + buffer * ring->stride_bytes);
}
static inline uint8_t *covei_ring_payload(const covei_ring *ring, uint32_t buffer) {
    return ring->buffers + buffer * ring->stride_bytes + ring->payload_offset;
}
static inline covei_a64 *covei_ring_time(const covei_ring *ring, uint32_t buffer) {
    return (covei_a64 *)(void *)(ring->buffers + buffer * ring->stride_bytes + ring->time_offset);
}
static inline covei_a64 *covei_ring_cell(const covei_ring *ring, uint64_t number) {
    return &ring->cell[number & ring->mask];
}

/* One past the newest value: a walk from a hint, `from` or the tail, whichever is further. Where the hints are nonsense, all cells are
 * looked at. */
uint64_t covei_ring_newest(const covei_ring *ring, uint64_t from);

/* Raises the tail, or what else only grows. */
void covei_ring_raise(covei_a64 *word, uint64_t to);

/* Whether slot and generation in an own word are alive. Of PLACED it has 13 bits, which with the 36 of the number tell it apart; recovery
 * leaves none older in the table. */
bool covei_own_is_alive(covei_member *member, uint64_t own);
/* Whether a live member has a ticket for the buffer. */
bool covei_ring_is_pinned(covei_member *member, const covei_ring *ring, uint32_t buffer);

/* How many live members have the mark. */
uint32_t covei_ring_count(covei_member *member, uint32_t mark);

/* The cursor of the slowest member that writers wait for, or UINT64_MAX. With `only_live` the dead are recovered and left out. */
uint64_t covei_ring_slowest(covei_member *member, const covei_ring *ring, bool only_live);

/* Clears what slot `slot` holds in the ring; CLEAR of it is held by the caller, or it is the caller's own. */
void covei_ring_forget(covei_member *member, const covei_ring *ring, uint32_t slot);

/* Sets a mark in the member's own slot, before it holds anything of that sort. */
static inline void covei_ring_mark(covei_member *member, uint32_t mark) {
    covei_a32 *marks = &covei_member_slot(member)->hold[COVEI_HOLD_MARKS];
    if (covei_unlikely(!(covei_load_relaxed(marks) & mark)))
        covei_or_seqcst(marks, mark);
}

/* Between what a sleeper announced and his look at what he waits for: dear only where somebody publishes by plain stores. PAIR plain
 * False: the system cannot; then sleeps end by their slices. */
static inline bool covei_ring_barrier(const covei_ring *ring) {
    return covei_likely(!covei_load_seqcst(&ring->shared->plain)) || covei_barrier(COVEI_REACH_ALL);
}

#endif

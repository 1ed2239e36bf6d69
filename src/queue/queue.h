/* What the files of the queue folder share.
 *
 *     queue.c     the handle, its options and information, who produces and consumes, being told
 *     push.c      buffers, the publication, loans
 *     take.c      the protocol of taking: who has a message, and what becomes of it when he dies
 *     pop.c       what consumers call
 */
#ifndef COVEI_QUEUE_H
#define COVEI_QUEUE_H

#include "queue/queue_layout.h"
#include "sync/local.h"

#include <cove/queue.h>

/* What a handle that pushes remembers. All of it hints, but for the hand; guarded by `lock`. */
typedef struct covei_pushing {
    covei_local lock;
    uint64_t me, held; /* slot and generation, as PLACED words have them; and the whole HELD word */
    uint32_t hand;     /* a buffer that this handle HELDs for its next message, or COVEI_NO_BUFFER */
    uint32_t scan;     /* where to look for a buffer first */
    uint32_t promised; /* the link of the last message */
    uint64_t last;     /* number of this handle's last message */
    uint64_t next;     /* number to try first */
    uint64_t head;     /* as it was once; it only grows */
    uint64_t finished; /* what is PLACED and lies before is done with (I1) */
} covei_pushing;

/* What a handle that takes remembers. Hints; guarded by `lock`, and while it is held this handle moves the head. */
typedef struct covei_taking {
    covei_local lock;
    uint64_t next;          /* number of the head, as it was */
    uint32_t predicted;     /* the buffer that may hold it, or COVEI_NO_BUFFER */
    uint64_t turned;        /* as it was */
    cove_time_ns looked_ns; /* when a try in vain last looked thoroughly */
} covei_taking;

/* A role that members share, or one has alone. */
typedef struct covei_part {
    covei_a32 role; /* 0 not taken, 1 shared, 2 the only one, 3 the only one, by plain stores */
    covei_token token;
    bool wants, wants_only; /* as the options said; again in a child of fork */
} covei_part;

struct cove_queue {
    covei_member member;
    covei_queue_shape shape;
    covei_queue_shm *shared;
    covei_ring ring;
    covei_pushing pushing;
    covei_taking taking;
    covei_part producer, consumer;
    covei_watch watch;
    _Atomic(cove_queue *) dead_letter; /* opened when it is needed first */
    cove_result dropped;               /* COVE_DROPPED where this handle may drop, else COVE_OK */
};

/* Attached, and allowed to write where `writes`; told. */
static inline cove_result covei_queue_enter(cove_queue *queue, bool writes, const char *step) {
    if (covei_unlikely(!queue))
        return covei_fail(COVE_ERR_ARGUMENT, 0, step, "the queue is null");
    return covei_member_enter_for(&queue->member, writes, step);
}

/* Take the part of a producer, or a consumer, once; told. */
cove_result covei_queue_become(cove_queue *queue, covei_part *part, const char *step);
static inline cove_result covei_queue_produces(cove_queue *queue, const char *step) {
    return covei_likely(covei_load_acquire(&queue->producer.role)) ? COVE_OK
                                                                   : covei_queue_become(queue, &queue->producer, step); /* PAIR role */
}
static inline cove_result covei_queue_consumes(cove_queue *queue, const char *step) {
    return covei_likely(covei_load_acquire(&queue->consumer.role)) ? COVE_OK
                                                                   : covei_queue_become(queue, &queue->consumer, step); /* PAIR role */
}

/* push.c, take.c: forget what a handle remembers. */
void covei_pushing_reset(covei_pushing *pushing, uint64_t next);
void covei_taking_reset(covei_taking *taking, uint64_t next);

/* After buffers have come free: wakes producers that wait for room.
 * The store that freed is not fenced against the look: a producer that waits has made us pass a barrier after it said so. PAIR room */
static inline void covei_queue_make_room(cove_queue *queue) {
    covei_fence_light();
    if (covei_unlikely(covei_load_relaxed(&queue->ring.shared->room) & COVEI_EVENT_ARMED))
        covei_event_wake(&queue->ring.shared->room);
}

/* ---- take.c */

/* What is to be taken. */
typedef struct covei_wanted {
    uint64_t size_bytes; /* room for all of it; a message that is larger stays */
    uint32_t most;       /* how many, up to COVEI_RUN_MAX */
    uint32_t pad;        /* each begins at a multiple of it */
    bool in_order;       /* nothing that was given back: that takes up no place in the order */
} covei_wanted;

/* What was taken: all of it by one swap. It is ours because the head names us, until covei_queue_finish. */
typedef struct covei_run {
    uint64_t number; /* of the first */
    uint32_t count;
    uint32_t deliveries;
    bool is_back; /* one message that was given back: its own word says TAKEN already */
    uint32_t buffer[COVEI_RUN_MAX];
    uint32_t length[COVEI_RUN_MAX];
} covei_run;

/* Takes up to so many. Under the lock, and before he leaves it the caller either is done with them or has made their own words TAKEN, and
 * then calls covei_queue_finish. Without `thorough` it may overlook what a dead producer has not confirmed.
 * COVE_OK · COVE_ERR_EMPTY · COVE_ERR_SIZE, out->length[0] is the first one's · COVE_ERR_DAMAGED; none is told. */
cove_result covei_queue_take_run(cove_queue *queue, bool thorough, const covei_wanted *wanted, covei_run *out);

/* The run is no longer what only the head knows of. PAIR done */
static inline void covei_queue_finish(cove_queue *queue, const covei_run *run) {
    if (covei_likely(!run->is_back))
        covei_store_release(&covei_member_slot(&queue->member)->hold64[COVEI_HOLD_CURSOR], run->number + run->count);
}

/* The number of the next to take. */
static inline uint64_t covei_head_number(uint64_t head, uint64_t near) {
    return near + (uint64_t)covei_cell_ahead(head, near);
}

/* TAKE 3: the messages are ours. False: another was quicker, or it is a moment in which the order cannot be told. */
static inline bool covei_queue_move_head(cove_queue *queue, uint64_t head, uint64_t next) {
    uint64_t moved = covei_cell_word(next, covei_load_relaxed(&queue->member.slot));
    if (covei_load_relaxed(&queue->consumer.role) == 3) {
        covei_store_release(&queue->shared->head, moved); /* nobody else moves it. PAIR head */
        return true;
    }
    return covei_cas_seqcst(&queue->shared->head, &head, moved); /* PAIR head */
}

/* Where the next message is, for who only looks. COVE_OK · COVE_ERR_EMPTY. Under the lock. */
typedef struct covei_seen {
    uint64_t number, head, own; /* as they were */
    uint32_t buffer;
    uint32_t deliveries; /* 0: of the order; else of one that was given back */
} covei_seen;
cove_result covei_queue_find(cove_queue *queue, bool thorough, covei_seen *out);
/* Whether it still is where it was seen. */
bool covei_queue_is_next(const cove_queue *queue, const covei_seen *seen);

/* Before which number all that is PLACED is done with; out_head receives the head's number. Both near `near`. */
uint64_t covei_queue_finished(const covei_member *member, const covei_queue_shm *shared, uint64_t near, uint64_t *out_head);
/* Whether what is CLAIMED is done with. */
bool covei_claimed_is_done(const covei_member *member, uint64_t own, uint64_t near);

/* What the own word becomes of a message that is done with: FREE; or, while its producer has not confirmed it, SPENT: he is not through with
 * the buffer, and will write its number. */
static inline uint64_t covei_done_word(const covei_ring *ring, uint32_t b, uint64_t number) {
    const covei_buffer_shm *buffer = covei_ring_buffer(ring, b);
    if (covei_likely(covei_load_acquire(&buffer->number) == number)) /* PAIR confirmed */
        return 0;
    return covei_own_of(COVEI_OWN_SPENT, covei_load_relaxed(&buffer->writer), number);
}

/* Says that there is something to deliver again: after the own word. */
void covei_queue_tell_back(cove_queue *queue);
/* Whether a try that found nothing should look thoroughly: now and then. Under the lock. */
bool covei_queue_is_time_to_look(covei_taking *taking);
/* Clears what slot `slot` holds in the queue: what it has in hand goes back. As covei_ring_forget. */
void covei_queue_forget(covei_member *member, const covei_ring *ring, uint32_t slot);
/* Looks for consumers that were killed, and recovers what they had: at most every COVEI_SWEEP_NS, by whichever member comes first. True: there was one. Opens
 * files: not under a lock of the handle. */
bool covei_queue_sweep(cove_queue *queue);

/* ---- push.c */

/* Takes the oldest message out, and is done with it; with `in_order` one that takes up a place. COVE_OK · COVE_ERR_EMPTY, quiet. */
cove_result covei_queue_drop_oldest(cove_queue *queue, bool in_order);

#endif

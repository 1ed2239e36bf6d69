/* Queues: each message to exactly one consumer, and none lost when a consumer dies.
 *
 * A queue holds up to `depth` messages, in the order in which they were pushed: first in, first out for each producer, and for all
 * together where there is one. A producer that is slow, stopped or killed with a message half made stops nobody. A consumer
 * that takes a message holds a buffer, not a place in the order, so it stops nobody either; if it is killed before it says done, or
 * puts the message back, the message goes to the next consumer, before newer ones, and says how often it has been delivered.
 *
 * A queue has depth + loans + holds buffers, each for one message. While more messages than `holds` are in consumers' hands, the queue
 * has room for that many fewer.
 *
 *     cove_queue_pop        is done with the message when it returns: killed inside, the message goes to another consumer, or was
 *                           delivered already: at most once
 *     cove_queue_take       … cove_queue_done: at least once, with the deliveries counted
 *
 * Handles may be used by any number of threads at once. None of these functions may be called from a signal handler. A deadline is
 * absolute (cove_in_ms(250)), COVE_TRY or COVE_FOREVER.
 *
 * Every function may also return COVE_ERR_ARGUMENT for a null pointer; COVE_ERR_INTERRUPTED where it waits; COVE_ERR_DAMAGED where
 * another member has overwritten what it should not; and, in a child of fork, COVE_ERR_FORKED where the handle could not attach to
 * the object again, or the reason why it could not (COVE_ERR_FULL, COVE_ERR_LOST, COVE_ERR_IN_USE, COVE_ERR_BUSY).
 */
#ifndef COVE_QUEUE_H
#define COVE_QUEUE_H

#include <cove/domain.h>
#include <cove/result.h>
#include <cove/value.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cove_queue cove_queue;

#define COVE_QUEUE_TIMES 1u          /**< each message carries the time of its push, for one reading of the clock. At creation */
#define COVE_QUEUE_DROP_OLDEST 2u    /**< who pushes into a full queue drops the oldest message, and does not wait. At creation */
#define COVE_QUEUE_PRODUCER 4u       /**< counts as a producer from the start, not only from its first message on */
#define COVE_QUEUE_CONSUMER 8u       /**< counts as a consumer from the start */
#define COVE_QUEUE_ONLY_PRODUCER 16u /**< this handle is to be the only producer: a faster path. COVE_ERR_IN_USE if there is another */
#define COVE_QUEUE_ONLY_CONSUMER 32u /**< this handle is to be the only consumer: a faster path. Not with COVE_QUEUE_DROP_OLDEST */

#define COVE_QUEUE_DEPTH_MAX 65536u
#define COVE_QUEUE_SPARE_MAX 32767u /**< of loans, and of holds */
#define COVE_QUEUE_DELIVERIES_MAX 250u
#define COVE_QUEUE_RUN_MAX 64u /**< most messages of one cove_queue_pop_many */

typedef struct cove_queue_options {
    COVE_COMMON_OPTIONS
    cove_type type;
    uint32_t element_bytes;  /**< of COVE_TYPE_STRUCT; else 0, or the size of the type */
    uint64_t capacity_bytes; /**< largest message, up to 4 GiB - 64; 0: whatever exists; for a new one: 64 */
    uint32_t depth;          /**< how many messages may wait: 1 to 65536; 0: whatever exists, or 64 */
    uint32_t loans;          /**< buffers at least for messages that are being made, by all producers; 0: whatever exists, or 4 */
    uint32_t holds; /**< how many messages consumers may have in hand before that takes room from others; 0: whatever exists, or 8 */
    uint32_t flags; /**< COVE_QUEUE_… */
    uint32_t max_deliveries; /**< at creation: after so many deliveries that were not done, a message goes to `dead_letter`. 0: 5 */
    uint32_t reserved_2;     /**< must be 0 */
    const char *dead_letter; /**< at creation: name of the queue, in the same domain, for messages that nobody gets done; null: none.
                                  It is created when it is needed first, until-removed, with the sizes of this one */
} cove_queue_options;

/** One message, as a consumer has it, or as it is to be pushed. */
typedef struct cove_message {
    const void *data; /**< taken: the bytes in place. Popped: the caller's buffer. To be pushed: the caller's bytes */
    uint64_t length_bytes;
    uint64_t count; /**< elements; for a struct in an object of COVE_TYPE_ANY, whose size nobody tells: 1 */
    cove_type type;
    uint32_t deliveries;  /**< 1: the first; more: others had it, and did not get it done */
    uint64_t sequence;    /**< the first message of an object has 1; there are no gaps */
    uint64_t tag;         /**< the producer's */
    cove_time_ns time_ns; /**< of its push; 0 where the object keeps no times */
    uint64_t held[2];     /**< the library's */
} cove_message;

/** Opens or creates the queue called `name`. The order of starting does not matter.
 *
 *  @param out_queue   receives the handle; end it with cove_queue_close
 *  @param options     null: all defaults
 *  @return as cove_block_open · COVE_ERR_TYPE it carries another type; the sentence names both · COVE_ERR_IN_USE another producer or
 *          consumer, where this handle was to be the only one
 *  @threads any   @progress bounded: gives up after 3 s with COVE_ERR_BUSY
 *  @crash   killed inside: the queue does not exist, or exists complete; a slot that was taken is free again */
COVE_API COVE_MUST_USE cove_result cove_queue_open_sized(cove_queue **out_queue, const char *name, const cove_queue_options *options,
                                                         size_t options_bytes);

COVE_MUST_USE static inline cove_result cove_queue_open(cove_queue **out_queue, const char *name, const cove_queue_options *options) {
    return cove_queue_open_sized(out_queue, name, options, sizeof(cove_queue_options));
}

/** Ends the handle and all that it holds: reserved messages are abandoned, taken ones put back. Null is allowed.
 *  @threads no other thread may be inside a call with this handle
 *  @crash   killed inside: as if killed before */
COVE_API void cove_queue_close(cove_queue *queue);

/* ---- Producing */

/** Pushes a copy of `size_bytes` from `data`.
 *
 *  @param data          may be null when `size_bytes` is 0
 *  @param size_bytes    0 to the capacity, a multiple of the element's size
 *  @param tag           any number: goes with the message
 *  @param deadline_ns   until when to wait for room
 *  @return COVE_OK · COVE_DROPPED done, and the oldest message was dropped for it · COVE_ERR_SIZE over the capacity, or no whole number
 *          of elements · COVE_ERR_TEXT · COVE_ERR_ACCESS read-only handle · COVE_ERR_IN_USE another handle is the only producer ·
 *          COVE_ERR_FULL until the deadline no place in the order came free, or no buffer. After an error the queue is as it was.
 *  @progress waits for room; for nobody else
 *  @crash   killed inside: nothing happened, or the message is there whole */
COVE_API COVE_MUST_USE cove_result cove_queue_push(cove_queue *queue, const void *data, uint64_t size_bytes, uint64_t tag,
                                                   cove_time_ns deadline_ns);

/** The same, and says which type the message has: for queues of COVE_TYPE_ANY.
 *  @return as cove_queue_push · COVE_ERR_TYPE the queue carries another */
COVE_API COVE_MUST_USE cove_result cove_queue_push_as(cove_queue *queue, cove_type type, const void *data, uint64_t size_bytes,
                                                      uint64_t tag, cove_time_ns deadline_ns);

/** Pushes many: of each message its data, length_bytes, tag and, in a queue of COVE_TYPE_ANY, type (unspecified: bytes). Cheaper than one
 *  by one; others may push between them.
 *
 *  @param out_count   receives how many were pushed: all, or the first so many until the deadline passed
 *  @return COVE_OK all · COVE_DROPPED all, and older ones were dropped for them · COVE_ERR_FULL not all until the deadline · else as
 *          cove_queue_push, about message number *out_count: those before it were pushed
 *  @crash   killed inside: the first so many are there whole */
COVE_API COVE_MUST_USE cove_result cove_queue_push_many(cove_queue *queue, const cove_message *messages, uint32_t count,
                                                        uint32_t *out_count, cove_time_ns deadline_ns);

/** A buffer of the queue's, to be filled in place and committed: no copy is made.
 *
 *  Bytes are unspecified. The address is aligned to 8, and to 64 where the queue's capacity is 1024 or more.
 *  @param size_bytes   loan->length_bytes at first; it may be changed, up to the capacity
 *  @return as cove_queue_push
 *  @progress waits for a buffer only
 *  @crash   the buffer comes back */
COVE_API COVE_MUST_USE cove_result cove_queue_reserve(cove_queue *queue, uint64_t size_bytes, cove_loan *out_loan,
                                                      cove_time_ns deadline_ns);

/** Pushes what was reserved: loan->length_bytes bytes. After an error the loan is still held.
 *  @return as cove_queue_push_as · COVE_ERR_VIEW no loan: committed or abandoned already · COVE_ERR_FORKED the loan is the parent's
 *  @threads any, not only the one that reserved
 *  @crash   killed inside: nothing happened, or the message is there whole */
COVE_API COVE_MUST_USE cove_result cove_queue_commit(cove_queue *queue, cove_loan *loan, cove_time_ns deadline_ns);

/** Gives a loan back. @return COVE_OK · COVE_ERR_VIEW · COVE_ERR_FORKED */
COVE_API cove_result cove_queue_abandon(cove_queue *queue, cove_loan *loan);

/* ---- Consuming */

/** Copies the next message into `out_data`; it is done.
 *
 *  @param size_bytes    of the buffer
 *  @param out_message   receives all about it; may be null. With COVE_ERR_SIZE its length_bytes is the size that is needed
 *  @return COVE_OK · COVE_REDELIVERED you have a message that others had before: out_message->deliveries · COVE_ERR_EMPTY none until the
 *          deadline · COVE_ERR_SIZE the message is longer than the buffer, and is still the next · COVE_ERR_ACCESS read-only handle ·
 *          COVE_ERR_IN_USE another handle is the only consumer · COVE_REMOVED the queue was removed and is empty; out_message is of no
 *          bytes; told once to each handle
 *  @progress waits for a message; for nobody else
 *  @crash   killed inside: the message is still there, goes to another marked as redelivered, or was done with */
COVE_API COVE_MUST_USE cove_result cove_queue_pop(cove_queue *queue, void *out_data, uint64_t size_bytes, cove_message *out_message,
                                                  cove_time_ns deadline_ns);

/** Copies up to `most` messages, one behind the other, each at a multiple of 8; they are done. Cheaper than one by one: all of them are
 *  taken by one atomic step. Waits for the first only. A message that was delivered before comes alone.
 *
 *  @param most           1 or more; COVE_QUEUE_RUN_MAX are the most that come at once
 *  @param out_messages   receives as many as `most`; data points into `out_data`
 *  @param out_count      receives how many there were
 *  @return as cove_queue_pop; COVE_ERR_SIZE the first does not fit
 *  @crash   killed inside: each of them is still there, goes to another marked as redelivered, or was done with */
COVE_API COVE_MUST_USE cove_result cove_queue_pop_many(cove_queue *queue, void *out_data, uint64_t size_bytes, cove_message *out_messages,
                                                       uint32_t most, uint32_t *out_count, cove_time_ns deadline_ns);

/** The next message in place, without a copy: the caller's until cove_queue_done or cove_queue_put_back.
 *  @return as cove_queue_pop, but never COVE_ERR_SIZE
 *  @crash   the message goes to another consumer, marked as redelivered */
COVE_API COVE_MUST_USE cove_result cove_queue_take(cove_queue *queue, cove_message *out_message, cove_time_ns deadline_ns);

/** The message is done with, and its buffer free. @threads any
 *  @return COVE_OK · COVE_ERR_VIEW done or put back already · COVE_ERR_FORKED it is the parent's */
COVE_API cove_result cove_queue_done(cove_queue *queue, cove_message *message);

/** The message goes to the next who asks, perhaps the caller, before newer ones, marked as redelivered; or, after max_deliveries, to the
 *  dead-letter queue. @threads any  @return as cove_queue_done */
COVE_API cove_result cove_queue_put_back(cove_queue *queue, cove_message *message);

/** Copies the next message and leaves it there. Works on read-only handles.
 *  @return as cove_queue_pop, but COVE_ERR_ACCESS */
COVE_API COVE_MUST_USE cove_result cove_queue_peek(cove_queue *queue, void *out_data, uint64_t size_bytes, cove_message *out_message,
                                                   cove_time_ns deadline_ns);

/* ---- Being told */

/** Waits until there is a message to take.
 *  @return COVE_OK · COVE_ERR_EMPTY not until the deadline · COVE_REMOVED told once to each handle
 *  @progress sleeps; a read-only handle looks every 1 µs, growing to every 1 ms, unless the queue wakes readers always */
COVE_API COVE_MUST_USE cove_result cove_queue_wait(cove_queue *queue, cove_time_ns deadline_ns);

/** How many live members have pushed, and have taken, or said when they opened it that they will. Either may be null.
 *  @return COVE_OK   @progress one system call for each */
COVE_API COVE_MUST_USE cove_result cove_queue_members(cove_queue *queue, uint32_t *out_producers, uint32_t *out_consumers);

/** Waits until the numbers are no longer these: a producer or consumer has come, closed or died.
 *  @return COVE_OK, and the numbers · COVE_ERR_TIMEOUT · COVE_REMOVED told once to each handle
 *  @progress sees a close at once and a death within some milliseconds */
COVE_API COVE_MUST_USE cove_result cove_queue_wait_members(cove_queue *queue, uint32_t *in_out_producers, uint32_t *in_out_consumers,
                                                           cove_time_ns deadline_ns);

/** A descriptor for poll, epoll, libuv, asyncio, tokio: readable while there may be a message to take. Use only to wait: never read
 *  from it or close it. After it has become readable, pop or take until COVE_ERR_EMPTY; only that makes it quiet. It may also become
 *  readable for no reason, at most once a second. Ends with the handle; in a child of fork it is to be asked for again.
 *
 *  @return COVE_OK, and the same descriptor every time · COVE_ERR_LIMIT · COVE_ERR_MEMORY no thread, for a read-only handle
 *  @crash  what a killed producer may have left unsaid is noticed within a second, and so is removal */
COVE_API COVE_MUST_USE cove_result cove_queue_fd(cove_queue *queue, int *out_fd);

typedef void (*cove_queue_fn)(void *context, cove_queue *queue);

/** From now on `function` is called whenever there may be a message to take, on a thread of the library's: as cove_stream_on_change.
 *  @return COVE_OK · COVE_ERR_LIMIT · COVE_ERR_MEMORY no thread */
COVE_API COVE_MUST_USE cove_result cove_queue_on_change(cove_queue *queue, cove_queue_fn function, void *context);

/** From now on every call on this handle that would wait returns COVE_ERR_INTERRUPTED; calls that wait now do so too.
 *  For shutting down. @threads any, while others wait */
COVE_API void cove_queue_interrupt(cove_queue *queue);

/* ---- The object: as for blocks. */

COVE_API COVE_MUST_USE cove_result cove_queue_own(cove_queue *queue);    /**< as cove_block_own */
COVE_API COVE_MUST_USE cove_result cove_queue_disown(cove_queue *queue); /**< as cove_block_disown */
COVE_API COVE_MUST_USE cove_result cove_queue_retire(cove_queue *queue); /**< as cove_block_retire */
COVE_API COVE_MUST_USE cove_result cove_queue_remove(cove_queue *queue); /**< as cove_block_remove */
COVE_API bool cove_queue_is_removed(const cove_queue *queue);

typedef struct cove_queue_info {
    cove_type type;
    uint32_t element_bytes;
    uint64_t capacity_bytes;
    uint32_t depth, loans, holds; /**< depth + loans + holds buffers */
    uint32_t flags;               /**< COVE_QUEUE_TIMES, _DROP_OLDEST; _ONLY_PRODUCER, _ONLY_CONSUMER where this handle is it */
    uint32_t max_deliveries;      /**< 0: there is no dead-letter queue */
    char dead_letter[COVE_NAME_MAX + 1];
    uint64_t buffer_bytes;    /**< of one buffer, its header included */
    uint64_t memory_bytes;    /**< of all that depends on depth, loans and holds: nothing else grows */
    uint64_t ready_count;     /**< messages that wait, those that were put back included */
    uint64_t in_flight_count; /**< that consumers have in hand */
    uint64_t pushed_count;    /**< ever: the sequence number of the newest */
    /* Each of these may be short by one for each member that was killed. */
    uint64_t delivered_count; /**< first deliveries */
    uint64_t redelivered_count;
    uint64_t dropped_count; /**< by producers, in a queue that drops the oldest */
    uint64_t dead_letter_count;
    uint32_t slot_count;
    cove_lifetime lifetime;
    bool is_owner;
    bool is_read_only;
    bool is_removed;
} cove_queue_info;

/** @return COVE_OK   @progress looks at every buffer's state */
COVE_API COVE_MUST_USE cove_result cove_queue_get_info(cove_queue *queue, cove_queue_info *out_info);

#ifdef __cplusplus
}
#endif
#endif

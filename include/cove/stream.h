/* Streams: typed values from any number of writers to any number of readers.
 *
 * A stream keeps the last `depth` values. A value gets its number when it is published, with one atomic step: a writer that
 * is slow, stopped or killed delays nobody and leaves no gap, and no reader ever sees half a value. Reading takes no lock.
 *
 * Each handle reads on its own. It follows
 *     every value (COVE_FOLLOW_ALL): if it is slower than the writers by more than the depth, it is told how many it missed;
 *     the latest (COVE_FOLLOW_LATEST): each read gives the newest value, if there is one that it has not given yet;
 *     every value for certain (COVE_FOLLOW_LOSSLESS): writers wait for it. If it dies it stops counting at once. It counts as up to a
 *     thirty-second of the depth further behind than it is, until it finds nothing more or a writer waits. With a depth of 1 it begins
 *     with the next value.
 *
 * A stream has depth + loans + borrows buffers, each for one value. What is borrowed stays as it is, however long: the writers
 * go on with the other buffers.
 *
 * Handles may be used by any number of threads at once; threads that read by one handle share its values between them. None of
 * these functions may be called from a signal handler. A deadline is absolute (cove_in_ms(250)), COVE_TRY or COVE_FOREVER.
 *
 * Every function may also return COVE_ERR_ARGUMENT for a null pointer; COVE_ERR_INTERRUPTED where it waits; COVE_ERR_DAMAGED where
 * another member has overwritten what it should not; and, in a child of fork, COVE_ERR_FORKED where the handle could not attach to
 * the object again, or the reason why it could not (COVE_ERR_FULL, COVE_ERR_LOST, COVE_ERR_IN_USE, COVE_ERR_BUSY).
 */
#ifndef COVE_STREAM_H
#define COVE_STREAM_H

#include <cove/domain.h>
#include <cove/result.h>
#include <cove/value.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cove_stream cove_stream;

#define COVE_STREAM_TIMES 1u       /**< each value carries the time of its publication, for one reading of the clock. At creation */
#define COVE_STREAM_ONLY_WRITER 2u /**< this handle is to be the only writer: the fastest path. COVE_ERR_IN_USE if there is another */
#define COVE_STREAM_WRITER 4u      /**< counts as a writer from the start, not only from its first value on */

typedef enum cove_follow { COVE_FOLLOW_ALL = 0, COVE_FOLLOW_LATEST = 1, COVE_FOLLOW_LOSSLESS = 2 } cove_follow;

/** Where a handle begins to read. */
typedef enum cove_start {
    COVE_START_LATEST = 0, /**< with the newest value that exists when it is opened; then whatever comes */
    COVE_START_OLDEST = 1, /**< with the oldest that is still there; lossless: with the oldest that is certain to stay, one later */
    COVE_START_NEW = 2     /**< with what is published after it was opened */
} cove_start;

#define COVE_STREAM_DEPTH_MAX 65536u
#define COVE_STREAM_SPARE_MAX 32767u /**< of loans, and of borrows */

typedef struct cove_stream_options {
    COVE_COMMON_OPTIONS
    cove_type type;
    uint32_t element_bytes;  /**< of COVE_TYPE_STRUCT; else 0, or the size of the type */
    uint64_t capacity_bytes; /**< largest value, up to 4 GiB - 64; 0: whatever exists; for a new one: 64 */
    uint32_t depth;          /**< how many values are kept: 1 to 65536, rounded up to a power of two; 0: whatever exists, or 8 */
    uint32_t loans;          /**< buffers at least for values that are being written, by all writers. A few writers keep one of them in
                                  reserve for their next value; the others share the rest. 0: whatever exists, or 4 */
    uint32_t borrows;        /**< how many values can be borrowed at once, by all readers; 0: whatever exists, or 4 */
    uint32_t flags;          /**< COVE_STREAM_… */
    cove_follow follow;
    cove_start start;
} cove_stream_options;

/** Opens or creates the stream called `name`. The order of starting does not matter: readers may come first.
 *
 *  @param out_stream   receives the handle; end it with cove_stream_close
 *  @param options      null: all defaults
 *  @return as cove_block_open · COVE_ERR_TYPE it carries another type; the sentence names both · COVE_ERR_IN_USE another writer,
 *          where COVE_STREAM_ONLY_WRITER was asked for · COVE_ERR_UNSUPPORTED lossless, where the stream has an only writer and this
 *          process may not call membarrier
 *  @threads any   @progress bounded: gives up after 3 s with COVE_ERR_BUSY
 *  @crash   killed inside: the stream does not exist, or exists complete; a slot that was taken is free again */
COVE_API COVE_MUST_USE cove_result cove_stream_open_sized(cove_stream **out_stream, const char *name, const cove_stream_options *options,
                                                          size_t options_bytes);

COVE_MUST_USE static inline cove_result cove_stream_open(cove_stream **out_stream, const char *name, const cove_stream_options *options) {
    return cove_stream_open_sized(out_stream, name, options, sizeof(cove_stream_options));
}

/** Ends the handle and all that it holds: loans are discarded, borrowed values given back. Null is allowed.
 *  @threads no other thread may be inside a call with this handle
 *  @crash   killed inside: as if killed before */
COVE_API void cove_stream_close(cove_stream *stream);

/* ---- Writing */

/** Publishes a copy of `size_bytes` from `data`.
 *
 *  @param data          may be null when `size_bytes` is 0
 *  @param size_bytes    0 to the capacity, a multiple of the element's size
 *  @param tag           any number: goes with the value
 *  @param deadline_ns   until when to wait for lossless readers, or for a buffer
 *  @return COVE_OK · COVE_ERR_SIZE over the capacity, or no whole number of elements · COVE_ERR_TEXT · COVE_ERR_ACCESS read-only
 *          handle · COVE_ERR_IN_USE another handle is the only writer · COVE_ERR_FULL until the deadline a lossless reader had not
 *          come far enough, or all buffers were on loan. The stream is as it was after any of these.
 *  @progress waits for lossless readers, and for a buffer where more writers than there are loans write at once; for nobody else
 *  @crash   killed inside: nothing happened, or the value is there whole */
COVE_API COVE_MUST_USE cove_result cove_stream_write(cove_stream *stream, const void *data, uint64_t size_bytes, uint64_t tag,
                                                     cove_time_ns deadline_ns);

/** The same, and says which type the value has: for streams of COVE_TYPE_ANY.
 *  @return as cove_stream_write · COVE_ERR_TYPE the stream carries another */
COVE_API COVE_MUST_USE cove_result cove_stream_write_as(cove_stream *stream, cove_type type, const void *data, uint64_t size_bytes,
                                                        uint64_t tag, cove_time_ns deadline_ns);

/** A buffer of the stream's, to be filled in place and published: no copy is made.
 *
 *  Bytes are unspecified. The address is aligned to 8, and to 64 where the stream's capacity is 1024 or more.
 *  @param size_bytes   loan->length_bytes at first; it may be changed, up to the capacity
 *  @return COVE_OK · COVE_ERR_SIZE · COVE_ERR_ACCESS · COVE_ERR_IN_USE · COVE_ERR_FULL all buffers were on loan until the deadline
 *  @progress waits for a buffer only
 *  @crash   the buffer comes back */
COVE_API COVE_MUST_USE cove_result cove_stream_loan(cove_stream *stream, uint64_t size_bytes, cove_loan *out_loan,
                                                    cove_time_ns deadline_ns);

/** Publishes what was loaned: loan->length_bytes bytes. After a failure the loan is still held.
 *  @return as cove_stream_write_as · COVE_ERR_VIEW no loan: published or discarded already · COVE_ERR_FORKED the loan is the parent's
 *  @threads any, not only the one that loaned
 *  @crash   killed inside: nothing happened, or the value is there whole */
COVE_API COVE_MUST_USE cove_result cove_stream_publish(cove_stream *stream, cove_loan *loan, cove_time_ns deadline_ns);

/** Gives a loan back unpublished. @return COVE_OK · COVE_ERR_VIEW · COVE_ERR_FORKED */
COVE_API cove_result cove_stream_discard(cove_stream *stream, cove_loan *loan);

/* ---- Reading */

/** Copies the next value into `out_data` and moves on.
 *
 *  @param size_bytes   of the buffer
 *  @param out_value    receives all about it; may be null. With COVE_ERR_SIZE its length_bytes is the size that is needed
 *  @return COVE_OK · COVE_MISSED you have a value; out_value->missed_count before it were overwritten · COVE_ERR_EMPTY nothing new
 *          until the deadline · COVE_ERR_SIZE the value is longer than the buffer, and is still the next · COVE_REMOVED the stream was
 *          removed and nothing new is there; out_value is of no bytes; told once to each handle
 *  @progress takes no lock; a reader that writers overtake again and again moves to where they are slower than it
 *  @crash   nothing is left; a lossless reader stops counting */
COVE_API COVE_MUST_USE cove_result cove_stream_read(cove_stream *stream, void *out_data, uint64_t size_bytes, cove_value *out_value,
                                                    cove_time_ns deadline_ns);

/** The same, only if the next value is of this type: for streams of COVE_TYPE_ANY.
 *  @return as cove_stream_read · COVE_ERR_TYPE the value is of another, and is still the next; the sentence names both */
COVE_API COVE_MUST_USE cove_result cove_stream_read_as(cove_stream *stream, cove_type type, void *out_data, uint64_t size_bytes,
                                                       cove_value *out_value, cove_time_ns deadline_ns);

/** The next value in place, without a copy: it stays as it is until cove_stream_give_back. Moves on.
 *
 *  @return as cove_stream_read · COVE_ERR_FULL all `borrows` of the stream were taken until the deadline · COVE_ERR_ACCESS read-only
 *          handle: use cove_stream_read · COVE_ERR_UNSUPPORTED the stream has an only writer, and this process may not call membarrier
 *  @progress bounded, but for the waits; writers are not delayed
 *  @crash   the hold vanishes with its holder */
COVE_API COVE_MUST_USE cove_result cove_stream_borrow(cove_stream *stream, cove_value *out_value, cove_time_ns deadline_ns);

/** Ends a borrowed value. @threads any @return COVE_OK · COVE_ERR_VIEW given back already · COVE_ERR_FORKED it is the parent's */
COVE_API cove_result cove_stream_give_back(cove_stream *stream, cove_value *value);

/** Moves to another place: the next read begins there.
 *  @return COVE_OK · COVE_ERR_UNSUPPORTED as for cove_stream_open */
COVE_API COVE_MUST_USE cove_result cove_stream_seek(cove_stream *stream, cove_start start);

/* ---- Being told */

/** Waits until there is a value that this handle has not read.
 *  @return COVE_OK · COVE_ERR_EMPTY not until the deadline · COVE_REMOVED told once to each handle
 *  @progress sleeps; a read-only handle looks every 1 µs, growing to every 1 ms, unless the stream wakes readers always */
COVE_API COVE_MUST_USE cove_result cove_stream_wait(cove_stream *stream, cove_time_ns deadline_ns);

/** How many members have written, or were opened with COVE_STREAM_WRITER, and live.
 *  @return COVE_OK   @progress one system call for each */
COVE_API COVE_MUST_USE cove_result cove_stream_writers(cove_stream *stream, uint32_t *out_count);

/** Waits until the number of writers is not `count`: the last one has closed or died, or one has come.
 *  @return COVE_OK · COVE_ERR_TIMEOUT · COVE_REMOVED told once to each handle
 *  @progress sees a close at once and a death within some milliseconds */
COVE_API COVE_MUST_USE cove_result cove_stream_wait_writers(cove_stream *stream, uint32_t count, cove_time_ns deadline_ns,
                                                            uint32_t *out_count);

/** A descriptor for poll, epoll, libuv, asyncio, tokio: readable while there may be something to read. Use only to wait: never read
 *  from it or close it. After it has become readable, read until COVE_ERR_EMPTY; only that makes it quiet. It may also become
 *  readable for no reason, at most once a second. Ends with the handle; in a child of fork it is to be asked for again.
 *
 *  @return COVE_OK, and the same descriptor every time · COVE_ERR_LIMIT · COVE_ERR_MEMORY no thread, for a read-only handle
 *  @crash  what a killed writer may have left unsaid is noticed within a second, and so is removal */
COVE_API COVE_MUST_USE cove_result cove_stream_fd(cove_stream *stream, int *out_fd);

typedef void (*cove_stream_fn)(void *context, cove_stream *stream);

/** From now on `function` is called after each change, on a thread of the library's that all handles of the process share. It is called
 *  once at first, and then whenever there may be something to read; it should read until COVE_ERR_EMPTY. Null ends it: after that call
 *  the function is not running and will not be called, unless it is the function itself that calls. So does closing the handle, which
 *  the function may do. In a child of fork nobody is called until it is asked for again. A handle that
 *  has a descriptor too: what the function reads makes that quiet.
 *  @return COVE_OK · COVE_ERR_LIMIT · COVE_ERR_MEMORY no thread */
COVE_API COVE_MUST_USE cove_result cove_stream_on_change(cove_stream *stream, cove_stream_fn function, void *context);

/** From now on every call on this handle that would wait returns COVE_ERR_INTERRUPTED; calls that wait now do so too.
 *  For shutting down. @threads any, while others wait */
COVE_API void cove_stream_interrupt(cove_stream *stream);

/* ---- The object: as for blocks. */

COVE_API COVE_MUST_USE cove_result cove_stream_own(cove_stream *stream);    /**< as cove_block_own */
COVE_API COVE_MUST_USE cove_result cove_stream_disown(cove_stream *stream); /**< as cove_block_disown */
COVE_API COVE_MUST_USE cove_result cove_stream_retire(cove_stream *stream); /**< as cove_block_retire */
COVE_API COVE_MUST_USE cove_result cove_stream_remove(cove_stream *stream); /**< as cove_block_remove */
COVE_API bool cove_stream_is_removed(const cove_stream *stream);

typedef struct cove_stream_info {
    cove_type type;
    uint32_t element_bytes;
    uint64_t capacity_bytes;
    uint32_t depth, loans, borrows; /**< depth + loans + borrows buffers */
    uint32_t flags;                 /**< COVE_STREAM_TIMES; COVE_STREAM_ONLY_WRITER where this handle is it */
    uint64_t buffer_bytes;          /**< of one buffer, its header included */
    uint64_t memory_bytes;          /**< of all that depends on depth, loans and borrows: nothing else grows */
    uint64_t newest_sequence;       /**< 0: none yet */
    uint64_t next_sequence;         /**< that this handle reads next, if it is still there */
    uint32_t slot_count;
    cove_lifetime lifetime;
    bool is_owner;
    bool is_read_only;
    bool is_removed;
} cove_stream_info;

/** @return COVE_OK */
COVE_API COVE_MUST_USE cove_result cove_stream_get_info(cove_stream *stream, cove_stream_info *out_info);

#ifdef __cplusplus
}
#endif
#endif

/* Blocks: named bytes that several processes share.
 *
 * A block has a capacity, fixed when it is created, and a value of 0 to that many bytes. `set` and `get` replace and copy
 * the whole value, atomically. The locks give the bytes in place.
 *
 * An ordinary block keeps two copies: writers work on the one that nobody reads, and publish it with one store. A writer
 * that is killed leaves the old value or the new one, whole, and readers never wait for a writer. A single-copy block
 * (COVE_BLOCK_SINGLE) keeps one, for huge data or data that stays mapped: edits happen in place under a reader-writer lock,
 * and the death of a writer inside is reported as COVE_OWNER_DIED until somebody has repaired the value.
 *
 * Handles may be used by any number of threads at once. None of these functions may be called from a signal handler.
 * A deadline is absolute (cove_in_ms(250)), COVE_TRY or COVE_FOREVER.
 *
 * Every function may also return COVE_ERR_ARGUMENT for a null pointer, and, in a child of fork, COVE_ERR_FORKED where the
 * handle could not attach to the object again, or the reason why it could not (COVE_ERR_FULL, COVE_ERR_LOST).
 */
#ifndef COVE_BLOCK_H
#define COVE_BLOCK_H

#include <cove/domain.h>
#include <cove/result.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cove_block cove_block;

#define COVE_BLOCK_SINGLE 1u   /**< one copy. At creation; on an existing block it demands that it be one */
#define COVE_BLOCK_UNFILLED 2u /**< lock_write hands out the spare copy as it is, without the current value in it */

typedef struct cove_block_options {
    COVE_COMMON_OPTIONS
    uint64_t capacity_bytes; /**< 0: whatever exists; for a new one: a block without bytes, which is a plain named lock */
    uint32_t flags;          /**< COVE_BLOCK_… */
    uint32_t reserved_2;     /**< must be 0 */
} cove_block_options;

/** Opens or creates the block called `name`.
 *
 *  @param out_block   receives the handle; end it with cove_block_close
 *  @param options     null: all defaults
 *  @return COVE_OK
 *       · of the caller's: COVE_ERR_NAME · COVE_ERR_OPTION · COVE_ERR_MODE · COVE_ERR_SIZE · COVE_ERR_TYPE · COVE_ERR_KIND
 *       · of what is there: COVE_ERR_NOT_FOUND · COVE_ERR_EXISTS · COVE_ERR_ACCESS · COVE_ERR_OWNER · COVE_ERR_DOMAIN ·
 *         COVE_ERR_VERSION · COVE_ERR_FOREIGN · COVE_ERR_DAMAGED · COVE_ERR_TRUNCATED
 *       · of means: COVE_ERR_SPACE · COVE_ERR_MEMORY · COVE_ERR_LIMIT · COVE_ERR_UNSUPPORTED · COVE_ERR_FULL
 *       · of others: COVE_ERR_BUSY · COVE_ERR_TIMEOUT
 *  @threads any   @progress bounded: gives up after 3 s with COVE_ERR_BUSY
 *  @crash   killed inside: the block does not exist, or exists complete; a slot that was taken is free again */
COVE_API COVE_MUST_USE cove_result cove_block_open_sized(cove_block **out_block, const char *name, const cove_block_options *options,
                                                         size_t options_bytes);

COVE_MUST_USE static inline cove_result cove_block_open(cove_block **out_block, const char *name, const cove_block_options *options) {
    return cove_block_open_sized(out_block, name, options, sizeof(cove_block_options));
}

/** Ends the handle: gives up what it holds, and removes the object where its lifetime says so. Null is allowed.
 *  @threads no other thread may be inside a call with this handle
 *  @crash   killed inside: as if killed before */
COVE_API void cove_block_close(cove_block *block);

/** Replaces the whole value: every reader sees the old one or the new one.
 *
 *  @param data         may be null when `size_bytes` is 0
 *  @param size_bytes   0 to the capacity
 *  @return COVE_OK · COVE_ERR_SIZE over the capacity · COVE_ERR_ACCESS read-only handle · COVE_ERR_TIMEOUT another writer, or
 *          a reader that holds the copy to be overwritten, kept it past the deadline · COVE_ERR_INTERRUPTED · COVE_ERR_LOST ·
 *          COVE_ERR_DAMAGED somebody overwrote the lock word; then the value may have been set
 *  @progress waits for writers, and for readers that have held their view since before the last change
 *  @crash   killed inside: the old value, or the new one, whole. A single-copy block is marked as unrepaired instead.
 *           On a single-copy block that was marked, set repairs: the value is new as a whole. */
COVE_API COVE_MUST_USE cove_result cove_block_set(cove_block *block, const void *data, uint64_t size_bytes, cove_time_ns deadline_ns);

/** Copies the value into `out_data`.
 *
 *  @param size_bytes         of the buffer
 *  @param out_length_bytes   receives the value's length, also with COVE_ERR_SIZE; may be null
 *  @param out_version        receives the version that was copied; may be null
 *  @return COVE_OK · COVE_ERR_SIZE the value is longer than `size_bytes` · COVE_ERR_TIMEOUT · COVE_ERR_DAMAGED ·
 *          single-copy: COVE_ERR_UNREPAIRED a writer was killed inside. After a failure the buffer's bytes are unspecified
 *  @progress two copies: takes no lock and never waits for a writer, unless writers overtake it three times; a read-only
 *           handle may then need its deadline. Single copy: waits while a writer is inside
 *  @crash   nothing is left, whenever */
COVE_API COVE_MUST_USE cove_result cove_block_get(cove_block *block, void *out_data, uint64_t size_bytes, uint64_t *out_length_bytes,
                                                  uint64_t *out_version, cove_time_ns deadline_ns);

/** The bytes of a block in place, from a lock call until unlock or abandon. Held by the caller; any thread may end it. */
typedef struct cove_block_view {
    void *data;            /**< under a read lock: not to be written */
    uint64_t length_bytes; /**< of the value; under a write lock it may be changed, up to the capacity */
    uint64_t capacity_bytes;
    uint64_t version; /**< of the value that the view began with */
    uint64_t held[2]; /**< the library's */
} cove_block_view;

/** Holds the current value in place. Two copies: a snapshot; one `set` may pass meanwhile, the next waits for the view.
 *
 *  @return COVE_OK · COVE_OWNER_DIED single-copy: you have it, and it may be half-edited · COVE_ERR_TIMEOUT ·
 *          COVE_ERR_ACCESS read-only handle (use get) · COVE_ERR_INTERRUPTED · COVE_ERR_LOST
 *  @progress two copies: never waits. Single copy: waits for a writer; a writer does not starve readers, nor they it.
 *           Taking a second read lock while a writer waits for the first is a deadlock until the deadline
 *  @crash   killed while holding: the hold vanishes */
COVE_API COVE_MUST_USE cove_result cove_block_lock_read(cove_block *block, cove_block_view *view, cove_time_ns deadline_ns);

/** Begins a change. Two copies: a transaction on a copy that holds the current value (unless COVE_BLOCK_UNFILLED); unlock
 *  publishes it. Single copy: the bytes themselves, with nobody else inside. Bytes past the old length are unspecified.
 *
 *  @return as cove_block_lock_read. COVE_OWNER_DIED comes until cove_block_mark_repaired and unlock
 *  @progress waits for writers and, single-copy, readers; the longest waiting is served first after 1 ms
 *  @crash   two copies: the old value stays whole, and get never notices. Single copy: COVE_OWNER_DIED for those who follow */
COVE_API COVE_MUST_USE cove_result cove_block_lock_write(cove_block *block, cove_block_view *view, cove_time_ns deadline_ns);

/** Ends a view; of a write lock: publishes view->length_bytes bytes.
 *  @return COVE_OK · COVE_ERR_SIZE view->length_bytes is over the capacity; the lock is still held · COVE_ERR_VIEW ·
 *          COVE_ERR_FORKED the view is the parent process's · COVE_ERR_DAMAGED somebody overwrote the lock
 *  @threads any; not only the one that locked */
COVE_API cove_result cove_block_unlock(cove_block *block, cove_block_view *view);

/** Ends a write lock and drops the change: the old value stays. Of a read lock: the same as unlock.
 *  @return as cove_block_unlock · COVE_ERR_UNSUPPORTED single copy: edits were made in place; the lock is still held */
COVE_API cove_result cove_block_abandon(cove_block *block, cove_block_view *view);

/** Under a write lock of a single-copy block: the bytes are right again; unlock will end COVE_OWNER_DIED. Else without effect.
 *  @return COVE_OK · COVE_ERR_VIEW not a write lock · COVE_ERR_FORKED */
COVE_API COVE_MUST_USE cove_result cove_block_mark_repaired(cove_block *block, cove_block_view *view);

/** Single copy: the address of the bytes, valid until close, for those who synchronise by atomics of their own. Aligned to
 *  64 bytes, and to 4096 where the capacity is 4096 or more.
 *  @return COVE_OK · COVE_ERR_UNSUPPORTED the block has two copies */
COVE_API COVE_MUST_USE cove_result cove_block_data(cove_block *block, void **out_data);

/** Counts the changes: each set, publishing unlock and notify adds one. 0 at birth, or when the handle cannot be used. */
COVE_API uint64_t cove_block_version(cove_block *block);

/** Waits until the version is not `version`.
 *
 *  @param out_version   receives the version found; may be null
 *  @return COVE_OK · COVE_REMOVED the object was removed (told once to each handle) · COVE_ERR_TIMEOUT · COVE_ERR_INTERRUPTED
 *  @progress sleeps; a read-only handle looks every 1 µs, growing to every 1 ms, unless the block wakes readers always */
COVE_API COVE_MUST_USE cove_result cove_block_wait(cove_block *block, uint64_t version, cove_time_ns deadline_ns, uint64_t *out_version);

/** A descriptor for poll, epoll, libuv, asyncio, tokio: readable while the block may have changed since this handle last looked at it by
 *  get, lock_read or wait. Use only to wait: never read from it or close it. Looking makes it quiet. It may also become readable for no
 *  reason, at most once a second. Ends with the handle; in a child of fork it is to be asked for again.
 *
 *  @return COVE_OK, and the same descriptor every time · COVE_ERR_LIMIT it takes three · COVE_ERR_MEMORY no thread, for a read-only handle
 *  @crash  what a killed writer may have left unsaid is noticed within a second, and so is removal */
COVE_API COVE_MUST_USE cove_result cove_block_fd(cove_block *block, int *out_fd);

typedef void (*cove_block_fn)(void *context, cove_block *block);

/** From now on `function` is called after each change, on a thread of the library's that all handles of the process share. It is called
 *  once at first; several changes may be told by one call. Null ends it: after that call the function is not running and will not be
 *  called, unless it is the function itself that calls. So does closing the handle, which the function may do. In a child of fork nobody
 *  is called until it is asked for again. A handle that has a descriptor too: what the function looks at makes that quiet.
 *  @return COVE_OK · COVE_ERR_LIMIT · COVE_ERR_MEMORY no thread */
COVE_API COVE_MUST_USE cove_result cove_block_on_change(cove_block *block, cove_block_fn function, void *context);

/** Adds one to the version and wakes who waits for it: for those who change bytes by cove_block_data.
 *  @return COVE_OK · COVE_ERR_ACCESS read-only handle */
COVE_API COVE_MUST_USE cove_result cove_block_notify(cove_block *block);

/** From now on every call on this handle that would wait returns COVE_ERR_INTERRUPTED; calls that wait now do so too.
 *  For shutting down. @threads any, while others wait */
COVE_API void cove_block_interrupt(cove_block *block);

/** Becomes the owner, also in a live owner's place.
 *  @return COVE_OK · COVE_ERR_GONE retired · COVE_ERR_OPTION the lifetime is not COVE_WHILE_OWNED · COVE_ERR_ACCESS read-only */
COVE_API COVE_MUST_USE cove_result cove_block_own(cove_block *block);

/** Stops being the owner: the block then stays until it is removed, or owned again.
 *  @return COVE_OK · COVE_ERR_NOT_OWNER · COVE_ERR_OPTION · COVE_ERR_ACCESS */
COVE_API COVE_MUST_USE cove_result cove_block_disown(cove_block *block);

/** Ends ownership and removes the name, in one: of any number of callers exactly one succeeds. Where the permissions do not let
 *  the owner remove the file, the object is retired all the same, and the next who may removes the name.
 *  @return COVE_OK · COVE_ERR_NOT_OWNER · COVE_ERR_OPTION · COVE_ERR_ACCESS */
COVE_API COVE_MUST_USE cove_result cove_block_retire(cove_block *block);

/** Removes this very object, whatever its name means by now. Members go on with what they have.
 *  @return COVE_OK also when it was removed before · COVE_ERR_ACCESS · COVE_ERR_BUSY · COVE_ERR_LOST */
COVE_API COVE_MUST_USE cove_result cove_block_remove(cove_block *block);

/** Whether the object has been removed or retired. */
COVE_API bool cove_block_is_removed(const cove_block *block);

typedef struct cove_block_info {
    uint64_t capacity_bytes;
    uint64_t length_bytes;
    uint64_t version;
    uint32_t flags;      /**< COVE_BLOCK_SINGLE or 0 */
    uint32_t slot_count; /**< how many read-write members there can be */
    cove_lifetime lifetime;
    bool is_owner;
    bool is_read_only;
    bool is_removed;
    bool is_unrepaired;
} cove_block_info;

/** @return COVE_OK */
COVE_API COVE_MUST_USE cove_result cove_block_get_info(cove_block *block, cove_block_info *out_info);

#ifdef __cplusplus
}
#endif
#endif

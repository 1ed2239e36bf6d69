/* Results, errors and deadlines: what every call of Cove's has in common.
 *
 * Every function that can fail returns a `cove_result`:
 *     0   done;
 *   < 0   failed: nothing changed, and no `out_` parameter was written unless the function says so;
 *   > 0   done, but look: the call did what it says, and there is something to know.
 * `cove_last_error()` tells the calling thread what the last failure was about, in a sentence that can be shown to a user.
 */
#ifndef COVE_RESULT_H
#define COVE_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define COVE_API __attribute__((visibility("default")))
#define COVE_MUST_USE __attribute__((warn_unused_result))
#else
#define COVE_API
#define COVE_MUST_USE
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define COVE_VERSION_MAJOR 0
#define COVE_VERSION_MINOR 1
#define COVE_VERSION_PATCH 0
#define COVE_VERSION "0.1.0"

/** The version of the library that is loaded, which may be newer than the headers: "0.1.0". */
COVE_API const char *cove_version(void);

typedef enum cove_result {
    COVE_OK = 0,

    /* Done, but look. */
    COVE_OWNER_DIED = 1, /**< the last writer of a single-copy block was killed inside: check the bytes, then mark them repaired */
    COVE_REMOVED = 2,    /**< the object was removed; what you hold of it goes on working. Told once to each handle */
    COVE_MISSED = 3, /**< you have a value, and others before it were overwritten before you came to them: missed_count tells how many */
    COVE_REDELIVERED = 4, /**< you have a message that somebody had before, and did not get done: deliveries tells how often */
    COVE_DROPPED = 5,     /**< pushed, and the oldest message was dropped to make room */

    /* What the caller asked for cannot be. */
    COVE_ERR_ARGUMENT = -1, /**< a null pointer, or a value that no call of this function can mean */
    COVE_ERR_NAME = -2,     /**< not 1 to 200 bytes of A-Z a-z 0-9 . _ - that do not start with a dot */
    COVE_ERR_OPTION = -3,   /**< an option that this library does not know, or that does not fit the object */
    COVE_ERR_MODE = -4,     /**< file permissions that are more than rw for owner, group and others, or that lock the owner out */
    COVE_ERR_SIZE = -5,     /**< larger than the capacity, not the size that exists, or a buffer too small for the value */
    COVE_ERR_TYPE = -6,     /**< the object or the value is of another type, type name or schema hash */
    COVE_ERR_KIND = -7,     /**< the name leads to an object of another kind */
    COVE_ERR_VIEW = -8,     /**< this view, loan or borrowed value holds nothing: ended already, or never begun */
    COVE_ERR_TEXT = -9,     /**< not valid UTF-8 */

    /* What is on disk or in memory does not allow it. */
    COVE_ERR_NOT_FOUND = -20,   /**< no live object has this name */
    COVE_ERR_EXISTS = -21,      /**< create-new, and the name is taken */
    COVE_ERR_ACCESS = -22,      /**< the permissions do not allow it, or the handle is read-only */
    COVE_ERR_DOMAIN = -23,      /**< the domain is no directory, not trustworthy, or on a file system that cannot do it */
    COVE_ERR_OWNER = -24,       /**< the file belongs to somebody who is neither you, root nor the domain's owner */
    COVE_ERR_VERSION = -25,     /**< made by a version of Cove whose layout this one does not speak */
    COVE_ERR_FOREIGN = -26,     /**< a file in the domain that is not Cove's */
    COVE_ERR_DAMAGED = -27,     /**< the contents contradict themselves */
    COVE_ERR_TRUNCATED = -28,   /**< the file is shorter than its header says */
    COVE_ERR_SPACE = -29,       /**< the file system is full */
    COVE_ERR_MEMORY = -30,      /**< no address space, no memory, or a limit on locked memory */
    COVE_ERR_LIMIT = -31,       /**< too many open descriptors */
    COVE_ERR_UNSUPPORTED = -32, /**< this system or this object cannot do it */
    COVE_ERR_SYSTEM = -33,      /**< an unexpected answer from the operating system; see os_code */

    /* What others do does not allow it now. */
    COVE_ERR_TIMEOUT = -40,     /**< the deadline passed */
    COVE_ERR_BUSY = -41,        /**< somebody keeps the name or the object busy for seconds: stopped in the middle of attaching? */
    COVE_ERR_FULL = -42,        /**< every slot for members, buffer or place in the order is taken, until the deadline */
    COVE_ERR_IN_USE = -43,      /**< somebody is attached; remove it by force, or wait */
    COVE_ERR_NOT_OWNER = -44,   /**< only the owner may do this, and you are not it */
    COVE_ERR_GONE = -45,        /**< the object has been retired or removed */
    COVE_ERR_FORKED = -46,      /**< taken before a fork: it belongs to the parent process */
    COVE_ERR_INTERRUPTED = -47, /**< by cove_block_interrupt, or by a signal where that was asked for */
    COVE_ERR_UNREPAIRED = -48,  /**< a writer was killed inside a single-copy block, and nobody has repaired it */
    COVE_ERR_LOST = -49,        /**< this process closed the descriptors of its own attachment, and they cannot be had again */
    COVE_ERR_EMPTY = -50        /**< there was nothing new until the deadline */
} cove_result;

/** "COVE_ERR_SIZE" for COVE_ERR_SIZE; "COVE_ERR_?" for a number that is no result. Never null. */
COVE_API const char *cove_result_name(cove_result result);

/** What the result means, in a few words that start in lower case: "no live object has this name". Never null. */
COVE_API const char *cove_result_text(cove_result result);

/** The nearest errno value: COVE_ERR_NOT_FOUND is ENOENT. 0 for COVE_OK and for every positive result. */
COVE_API int cove_result_to_errno(cove_result result);

/** What the last failing call of this thread was about. */
typedef struct cove_error {
    cove_result result; /**< COVE_OK when no call of this thread has failed yet */
    int os_code;        /**< errno at the step that failed, 0 where the operating system had no part in it */
    char step[32];      /**< what was being done: "open", "reserve", "claim" */
    char object[256];   /**< the object's name, or the path of the domain */
    char sentence[640]; /**< all of it for a person: names the object, and both sides of a mismatch */
} cove_error;

/** The last failure of the calling thread: to be asked after a call that has failed, before the next call.
 *  @return never null; valid until the next call of Cove's in this thread
 *  @threads any thread; each has its own */
COVE_API const cove_error *cove_last_error(void);

/** A point on CLOCK_MONOTONIC, in nanoseconds. */
typedef uint64_t cove_time_ns;

#define COVE_TRY ((cove_time_ns)0)              /**< as a deadline: try once, never sleep */
#define COVE_FOREVER ((cove_time_ns)UINT64_MAX) /**< as a deadline: no deadline */

/** Now, on the clock that deadlines are told in. */
COVE_API cove_time_ns cove_now(void);

/** The deadline that is `milliseconds` from now; COVE_FOREVER where the sum does not fit. */
COVE_API cove_time_ns cove_in_ms(uint64_t milliseconds);

#ifdef __cplusplus
}
#endif
#endif

/* The whole contract with the operating system.
 *
 * This is the only place from which the rest of the library reaches the system, and each function is written as a
 * requirement on a port. Its conditions are numbered: `pre` is what the caller must see to, and what the port answers when
 * it does not; `post` is what the port must see to. tests/conformance/ has a test for each number and runs on every back end.
 *
 * Failures are told by covei_fail() with the system's own code, except the ones that are called *quiet*: they are
 * everyday answers and cost nothing. errno and its like do not leave this layer. All functions may be called by any
 * thread, unless they say otherwise.
 */
#ifndef COVEI_PLATFORM_H
#define COVEI_PLATFORM_H

#include "base/atomic.h"

#include <cove/domain.h>
#include <cove/result.h>
#include <stdbool.h>
#include <stdint.h>

#define COVEI_NO_HANDLE INT64_C(-1)

typedef struct covei_dir {
    int64_t handle;
} covei_dir;

typedef struct covei_file {
    int64_t handle;
} covei_file;

/* Which file or directory it is, while it exists; equal means the same one, on one machine. */
typedef struct covei_identity {
    uint64_t volume, number;
} covei_identity;

static inline bool covei_identity_equal(covei_identity a, covei_identity b) {
    return a.volume == b.volume && a.number == b.number;
}

/* ---- Directories --------------------------------------------------------------------------------------------------- */

typedef struct covei_dir_facts {
    covei_identity identity;
    uint32_t owner_uid;
    uint32_t mode; /* 07777 */
} covei_dir_facts;

typedef struct covei_volume_facts {
    char name[24];          /* the kind of file system */
    bool is_known;          /* on the list of those whose locks and mappings are known to be right */
    uint64_t total_bytes;   /* 0: unlimited or unknown */
    uint64_t free_bytes;    /* for the caller */
    uint64_t granule_bytes; /* files grow and are mapped in multiples of this; a power of two */
} covei_volume_facts;

/* 1. Makes a directory with exactly this mode, or gives an existing one of the caller's this mode.
 *    1.1 post: the directory exists with `mode`, whatever the process's umask is
 *    1.2 post: something else at `path`, a link included: COVE_ERR_DOMAIN, and it is untouched
 *    1.3 post: a directory of another user that does not have `mode`: COVE_ERR_ACCESS, untouched (root may change it) */
COVE_MUST_USE cove_result covei_dir_create(const char *path, uint32_t mode);

/* 2. Opens a directory.
 *    2.1 post: COVE_OK only for a directory; a file is COVE_ERR_DOMAIN
 *    2.2 post: a symbolic link as the last part is COVE_ERR_DOMAIN, wherever it leads
 *    2.3 post: nothing there is COVE_ERR_NOT_FOUND
 *    2.4 post: the handle does not pass to a program started by exec */
COVE_MUST_USE cove_result covei_dir_open(const char *path, covei_dir *out_dir);

/* 3. Closes it.
 *    3.1 post: out of any number of open-close pairs no descriptor is left */
void covei_dir_close(covei_dir dir);

/* 4. Tells of an open directory.
 *    4.1 post: identity is equal for two openings of one directory, and differs between two directories that exist
 *    4.2 post: owner and mode are the directory's own
 *    4.3 post: a handle that is no longer open is COVE_ERR_LOST, quiet */
COVE_MUST_USE cove_result covei_dir_look(covei_dir dir, covei_dir_facts *out_facts);

/* 5. Tells of the file system under a directory.
 *    5.1 post: granule_bytes is a power of two, at least 4096
 *    5.2 post: free_bytes shrinks by at least what a file reserves
 *    5.3 post: is_known is false for a file system that is not on the list */
COVE_MUST_USE cove_result covei_dir_volume(covei_dir dir, covei_volume_facts *out_facts);

/* Return false to stop. */
typedef bool (*covei_dir_fn)(void *context, const char *name);

/* 6. Tells of every entry but "." and "..".
 *    6.1 post: an entry that is there from before the call until after it is told exactly once
 *    6.2 post: when the function returns false no further entry is told
 *    6.3 post: the handle's own position does not matter: two threads may list one handle at once */
COVE_MUST_USE cove_result covei_dir_list(covei_dir dir, covei_dir_fn each, void *context);

/* 7. Tells of some entries, from a place chosen by chance, at a cost that does not grow with the directory.
 *    7.1 post: at most `limit` entries are told
 *    7.2 post: every entry of a directory has a chance to be told */
COVE_MUST_USE cove_result covei_dir_sample(covei_dir dir, uint32_t limit, covei_dir_fn each, void *context);

/* 8. The path of the default domain, for the effective user.
 *    8.1 post: what $COVE_DOMAIN says, if it is set, not empty, and the process runs with its user's own rights; *out_private is false
 *    8.2 post: else a path that differs between users; *out_private is true
 *    8.3 post: COVE_ERR_SIZE when it does not fit */
COVE_MUST_USE cove_result covei_dir_default(char *out_path, size_t size_bytes, bool *out_private);

/* 9. The absolute form of a path that exists.
 *    9.1 post: leads to the same directory after the process has changed its working directory */
COVE_MUST_USE cove_result covei_dir_absolute(const char *path, char *out_path, size_t size_bytes);

/* ---- Files ---------------------------------------------------------------------------------------------------------- */

typedef struct covei_file_facts {
    covei_identity identity;
    uint64_t size_bytes;
    uint64_t allocated_bytes;
    uint32_t owner_uid, owner_gid;
    uint32_t mode; /* 07777 */
    bool is_regular;
    bool has_name; /* of any of its names */
} covei_file_facts;

/* 10. Opens a file of the directory.
 *     10.1 post: never creates
 *     10.2 post: a symbolic link is COVE_ERR_FOREIGN
 *     10.3 post: nothing there is COVE_ERR_NOT_FOUND, quiet; not permitted is COVE_ERR_ACCESS
 *     10.4 post: does not block, whatever is there: a pipe, a device
 *     10.5 post: a file opened COVE_READ_ONLY cannot be written by the handle, nor mapped for writing */
COVE_MUST_USE cove_result covei_file_open(covei_dir dir, const char *name, cove_access access, covei_file *out_file);

/* 11. Makes a file for reading and writing; of no name, or of a hidden one where the file system has no nameless files.
 *     11.1 post: with `hidden` null no entry of the directory shows it, and it vanishes when its last handle and mapping do
 *     11.2 post: its mode is exactly `mode`, whatever the umask
 *     11.3 post: with `hidden` given it never opens one that exists: COVE_ERR_EXISTS, quiet
 *     11.4 post: a file system without nameless files answers COVE_ERR_UNSUPPORTED, quiet, when `hidden` is null */
COVE_MUST_USE cove_result covei_file_create(covei_dir dir, const char *hidden, uint32_t mode, covei_file *out_file);

/* 12. Gives the file its size, with the memory or disk for it.
 *     12.1 post: after COVE_OK no access to these bytes can fail for lack of space
 *     12.2 post: not enough space is COVE_ERR_SPACE
 *     12.3 post: bytes that were not there read as zero */
COVE_MUST_USE cove_result covei_file_reserve(covei_file file, uint64_t size_bytes);

/* 13. Gives a file from covei_file_create its name, atomically.
 *     13.1 post: the name leads to the file, or the call failed and the name is as it was
 *     13.2 post: a name that is taken is COVE_ERR_EXISTS, quiet, and leads where it led
 *     13.3 post: the hidden name is gone after COVE_OK
 *     13.4 post: a hidden name that is no longer there is COVE_ERR_NOT_FOUND, quiet */
COVE_MUST_USE cove_result covei_file_publish(covei_dir dir, covei_file file, const char *hidden, const char *name);

/* 14. Another description of the same file: with locks of its own.
 *     14.1 post: works for a file that has lost its name
 *     14.2 post: locks taken through one description conflict with those taken through the other
 *     14.3 post: a system that cannot answers COVE_ERR_UNSUPPORTED, quiet */
COVE_MUST_USE cove_result covei_file_reopen(covei_file file, cove_access access, covei_file *out_file);

/* 15. Closes it.
 *     15.1 post: locks taken through it are gone, unless a token carries them */
void covei_file_close(covei_file file);

/* 16. Tells of an open file.
 *     16.1 post: identity is equal for two openings of one file and differs between files that exist
 *     16.2 post: is_regular is false for a pipe, a device, a directory, a socket
 *     16.3 post: has_name turns false when the last name is removed
 *     16.4 post: a handle that is no longer open is COVE_ERR_LOST, quiet */
COVE_MUST_USE cove_result covei_file_look(covei_file file, covei_file_facts *out_facts);

/* 17. Tells of the file that a name leads to, without opening it or following a link.
 *     17.1 post: what covei_file_look would tell of it
 *     17.2 post: nothing there is COVE_ERR_NOT_FOUND, quiet */
COVE_MUST_USE cove_result covei_file_find(covei_dir dir, const char *name, covei_file_facts *out_facts);

/* 18. Reads.
 *     18.1 post: *out_read bytes from `offset`, less than asked only at the end of the file
 *     18.2 post: moves no position that others see */
COVE_MUST_USE cove_result covei_file_read(covei_file file, uint64_t offset, void *out_data, size_t size_bytes, size_t *out_read);

/* 19. Removes a name.
 *     19.1 post: the name is gone; handles and mappings go on
 *     19.2 post: nothing there is COVE_ERR_NOT_FOUND, quiet
 *     19.3 post: not permitted, or a read-only file system, is COVE_ERR_ACCESS */
COVE_MUST_USE cove_result covei_file_unlink(covei_dir dir, const char *name);

/* ---- Locks that die with their holder ------------------------------------------------------------------------------- */

typedef enum covei_lock { COVEI_LOCK_FREE, COVEI_LOCK_SHARED, COVEI_LOCK_EXCLUSIVE } covei_lock;

/* 20. Tries to lock one byte of a file, which need not exist, on this description; or to change what it holds there.
 *     20.1 post: never waits; held by another description in a way that conflicts: COVE_ERR_BUSY, quiet
 *     20.2 post: shared goes with shared, exclusive with nothing
 *     20.3 pre:  an exclusive lock needs a file opened for writing; else COVE_ERR_ACCESS
 *     20.4 post: bytes do not touch each other, up to 2^62 + 16383
 *     20.5 post: the death of the process, however, frees the byte */
COVE_MUST_USE cove_result covei_lock_try(covei_file file, uint64_t byte, covei_lock kind);

/* 21. Lets go of a byte.
 *     21.1 post: others can lock it; other bytes stay locked */
void covei_lock_release(covei_file file, uint64_t byte);

/* 22. Tells what other descriptions hold on a byte that conflicts with `kind`.
 *     22.1 post: COVEI_LOCK_FREE when a lock of `kind` could be had now
 *     22.2 post: asked for exclusive, COVEI_LOCK_SHARED or COVEI_LOCK_EXCLUSIVE tells what is in the way; for shared only exclusive is
 *     22.3 post: works on a file opened for reading only
 *     22.4 post: takes nothing */
COVE_MUST_USE cove_result covei_lock_probe(covei_file file, uint64_t byte, covei_lock kind, covei_lock *out_held);

/* Keeps the locks of a description when its handle is closed. */
typedef struct covei_token {
    void *page;
    size_t size_bytes;
} covei_token;

/* 23. Makes a token of the locks that this description holds and will hold.
 *     23.1 post: after covei_file_close(file) they stay locked
 *     23.2 post: and after every descriptor of the process has been closed
 *     23.3 post: a child of fork does not hold them: they are free when the parent has died and the child lives
 *     23.4 post: exec frees them
 *     23.5 post: death frees them */
COVE_MUST_USE cove_result covei_token_carry(covei_file file, size_t granule_bytes, covei_token *out_token);

/* 24. Ends a token; of an empty one, {0}, nothing.
 *     24.1 post: its locks are free, if the description was closed */
void covei_token_drop(covei_token *token);

/* ---- Memory --------------------------------------------------------------------------------------------------------- */

#define COVEI_MAP_PREFAULT 1u
#define COVEI_MAP_LOCK 2u
#define COVEI_MAP_HUGE 4u

/* 25. Maps the first bytes of a file, shared with every process that maps them.
 *     25.1 post: bytes written by one are seen by all
 *     25.2 post: mapped COVE_READ_ONLY, a write is stopped by the system
 *     25.3 post: no room, or a limit, is COVE_ERR_MEMORY
 *     25.4 post: the mapping outlives the handle, and passes to a child of fork */
COVE_MUST_USE cove_result covei_map(covei_file file, uint64_t size_bytes, cove_access access, uint32_t flags, void **out_address);

/* 26. Ends a mapping of that size.
 *     26.1 post: the address space is free again */
void covei_unmap(void *address, uint64_t size_bytes);

/* ---- Waiting -------------------------------------------------------------------------------------------------------- */

typedef enum covei_woken {
    COVEI_WOKEN, /* by a wake, or because the word was not `expected`, or for no reason */
    COVEI_EXPIRED,
    COVEI_SIGNALLED
} covei_woken;

/* 27. Sleeps while a word of shared memory has a value.
 *     27.1 post: returns at once when the word is not `expected`
 *     27.2 post: a covei_wake of any process after the look at the word ends the sleep
 *     27.3 post: ends with COVEI_EXPIRED when the deadline has passed, not before
 *     27.4 post: a signal that was handled ends it with COVEI_SIGNALLED
 *     27.5 post: works on memory mapped for reading only */
covei_woken covei_wait(const covei_a32 *word, uint32_t expected, cove_time_ns deadline_ns);

/* 28. Wakes every sleeper on the word, in every process.
 *     28.1 post: all of them
 *     28.2 post: costs one system call at most, and never waits */
void covei_wake(covei_a32 *word);

/* 29. Sleeps.
 *     29.1 post: at least `duration_ns`, unless a signal is handled: then false */
bool covei_pause(uint64_t duration_ns);

/* ---- Time, chance, processes ---------------------------------------------------------------------------------------- */

/* 30. The clock of deadlines.
 *     30.1 post: never steps back, also from one process to another
 *     30.2 post: does not jump when the time of day is set
 * The coarse one costs a third, and stands still for some milliseconds at a time.
 *     30.3 post: not ahead of the other, and at most 50 ms behind it */
cove_time_ns covei_clock_ns(void);
cove_time_ns covei_clock_coarse_ns(void);

/* 31. The time of day, ns since 1970, for people.
 *     31.1 post: within a second of what the system says */
uint64_t covei_clock_unix_ns(void);

/* 32. Random bytes that nobody can guess.
 *     32.1 post: two calls do not agree */
void covei_random(void *out_data, size_t size_bytes);

typedef struct covei_process_facts {
    uint32_t pid;
    uint64_t pid_namespace;
    uint64_t started; /* in units of the system's, since boot: tells two processes of one pid apart */
    uint8_t boot_id[16];
    char program[16];
} covei_process_facts;

/* 33. Tells of this process, for people to read.
 *     33.1 post: pid is this process's own, also in a child of fork
 *     33.2 post: boot_id is the same in all processes until the machine starts again
 *     33.3 post: the pointer stays valid, and a second call costs no system call */
const covei_process_facts *covei_process_look(void);

/* 34. The effective user.
 *     34.1 post: the one that new files belong to */
uint32_t covei_process_uid(void);

/* 35. How many processors may run this process.
 *     35.1 post: at least 1 */
uint32_t covei_process_cpus(void);

/* 36. A number that a process shares with no ancestor: what was noted under another number belongs to a parent.
 *     36.1 post: stays the same in a process
 *     36.2 post: differs in a child of fork, and in its children
 *     36.3 post: never 0 */
static inline uint64_t covei_process_epoch(void);

/* 37. Keeps fork away while a thread has a description open that carries, or may come to carry, a lock: enter … leave. The
 *     child would inherit the description and with it the lock. Two threads may be inside at once.
 *     37.1 post: a fork by another thread does not happen between enter and leave
 *     37.2 post: is free in a child of fork, unless the thread that forked was inside: then it alone is
 *     37.3 post: a thread that is inside may enter again, and waits for nobody then; it is outside after as many leaves
 *     37.4 post: a thread is not cancelled inside
    Nothing of the user's is called inside. */
void covei_guard_enter(void);
void covei_guard_leave(void);

/* 38. Mutexes of the process's own. Only taken inside the guard, so that no child inherits one taken; REVIVE before WATCH before LISTS.
 *     38.1 post: one thread at a time
 *     38.2 post: one does not keep anybody from the other */
typedef enum covei_mutex {
    COVEI_MUTEX_REVIVE, /* attaching again in a child of fork */
    COVEI_MUTEX_LISTS,  /* the short lists that a process keeps */
    COVEI_MUTEX_WATCH,  /* who is to be called on a change */
    COVEI_MUTEXES
} covei_mutex;
void covei_mutex_enter(covei_mutex mutex);
void covei_mutex_leave(covei_mutex mutex);

/* ---- Barriers that only one side pays for --------------------------------------------------------------------------- */

typedef enum covei_reach {
    COVEI_REACH_PROCESS, /* the threads of this process */
    COVEI_REACH_ALL      /* and those of every process that has called covei_barrier_join */
} covei_reach;

/* 39. Says that the threads of this process take part in barriers; to be called again in a child of fork.
 *     39.1 post: true means that from now on covei_barrier, by whomever, reaches them; false that the system has no such thing
 *     39.2 post: covei_fence_light is a compiler's barrier only after true, and a full fence before */
bool covei_barrier_join(void);

/* 40. Lets every running thread within reach pass a full memory barrier, between any two of its instructions.
 *     40.1 post: true: a store that such a thread did before its light fence is seen by who returns from this call, or its loads
 *                after the light fence see what the caller stored before the call
 *     40.2 post: false when the system cannot */
bool covei_barrier(covei_reach reach);

extern covei_a32 covei_fences_are_light;
/* The cheap side: what it orders is ordered where somebody calls covei_barrier. */
static inline void covei_fence_light(void) {
    if (covei_likely(covei_load_relaxed(&covei_fences_are_light)))
        atomic_signal_fence(memory_order_seq_cst);
    else
        atomic_thread_fence(memory_order_seq_cst);
}

/* ---- Bells: descriptors that event loops can wait on --------------------------------------------------------------- */

#define COVEI_BELL_NAME_BYTES 64

typedef struct covei_bell {
    int64_t poll; /* for the user: readable while the bell rings */
    int64_t socket, timer;
    covei_identity identity[3]; /* of the three, while they are ours */
} covei_bell;

typedef struct covei_bell_access {
    uint32_t mode, uid, gid; /* of the object: who may write that may ring */
} covei_bell_access;

/* 41. Makes a bell. `name`, in the directory, is for others to ring it by; null: only covei_bell_touch can.
 *     41.1 post: its descriptor is not readable at first
 *     41.2 post: it becomes readable by itself when `slice_ns` have passed since it was silenced
 *     41.3 post: whoever `access` lets write can ring it, whatever the umask; else COVE_ERR_ACCESS
 *     41.4 post: its descriptors do not pass to a program started by exec
 *     41.5 post: a name that is taken is COVE_ERR_EXISTS; a directory or system that cannot have such names is an error too; all quiet
 *     41.6 post: nothing else that somebody puts in the place of the name is changed */
COVE_MUST_USE cove_result covei_bell_open(covei_dir dir, const char *name, const covei_bell_access *access, uint64_t slice_ns,
                                          covei_bell *out_bell);

/* 42. Rings a bell by its name.
 *     42.1 post: its descriptor is readable until it is silenced, however often that is asked
 *     42.2 post: never waits, and rings often are no error
 *     42.3 post: COVE_ERR_NOT_FOUND, quiet, when there is none, or the process that had it has died
 *     42.4 post: works when the main thread of the process has ended */
COVE_MUST_USE cove_result covei_bell_ring(covei_dir dir, const char *name);

/* 43. Rings a bell of this process.
 *     43.1 post: its descriptor is readable until it is silenced */
void covei_bell_touch(const covei_bell *bell);

/* 44. Silences it.
 *     44.1 post: its descriptor is not readable, until it is rung again or the slice has passed */
void covei_bell_silence(const covei_bell *bell, uint64_t slice_ns);

/* 45. Ends it. With `is_inherited` it is a parent's: its name stays, and the parent's goes on.
 *     45.1 post: no descriptor is left
 *     45.2 post: the name is gone
 *     45.3 post: an event loop that still has the descriptor, through a child of fork, hears nothing more
 *     45.4 post: descriptors that the program has since put in the place of ours stay open
 *     45.5 post: a bell that was inherited goes on in the parent */
void covei_bell_close(covei_dir dir, const char *name, covei_bell *bell, bool is_inherited);

/* 46. Waits until one of the descriptors is readable, or no longer open; sets ready[i] for each that is.
 *     46.1 post: returns as soon as one is, at the latest after `duration_ns` (UINT64_MAX: never)
 *     46.2 post: ready[i] is false for one that is not */
void covei_bell_wait(const int64_t *polls, bool *ready, uint32_t count, uint64_t duration_ns);

/* 47. Starts a thread that nobody joins.
 *     47.1 post: the function runs, in a thread that takes none of the signals that are sent to the process; faults of its own are told
 *     47.2 post: no thread to be had is COVE_ERR_MEMORY */
COVE_MUST_USE cove_result covei_thread_start(void *(*function)(void *context), void *context);

/* 48. Whether somebody listens to a bell.
 *     48.1 post: COVE_OK without ringing it; COVE_ERR_NOT_FOUND as for 42.3 */
COVE_MUST_USE cove_result covei_bell_find(covei_dir dir, const char *name);

/* 49. Whether a bell's descriptors are still its own.
 *     49.1 post: false after the program has closed one of them, also where it has opened a file in its place */
bool covei_bell_is_sound(const covei_bell *bell);

/* 50. Has a function called in every child of fork, before fork returns there. One function; inside it nothing of the parent's threads
 *     is on its way.
 *     50.1 post: it is called in the child, and not in the parent */
void covei_process_in_child(void (*function)(void));

/* The epoch is read on every call of every handle, so it is a load: the word lies in memory that the system wipes, or a fork
 * handler sets, in the child; covei_process_renew makes a new number. */
extern const covei_a64 *covei_process_epoch_word;
uint64_t covei_process_renew(void);

static inline uint64_t covei_process_epoch(void) {
    uint64_t epoch = covei_load_relaxed(covei_process_epoch_word);
    return covei_likely(epoch != 0) ? epoch : covei_process_renew();
}
/* Whether `epoch`, which was once covei_process_epoch(), still is. */
static inline bool covei_process_is(uint64_t epoch) {
    return covei_load_relaxed(covei_process_epoch_word) == epoch; /* a word that was wiped is no epoch */
}

#endif

/* A lock among the threads of one process, for what a handle keeps outside shared memory. Free of locked instructions while only one
 * thread uses the handle, which is the usual case; exact when several do.
 *
 * The first thread that enters becomes the owner, and from then on only announces that it is inside. When another thread comes, the
 * ownership is revoked for good, and all take turns by an ordinary lock. The announcement and the revocation are the two sides of a
 * barrier that only the revoker pays for (biased locking: Kawachiya, Koseki, Onodera 2002; membarrier in the place of their protocol).
 *
 * Who is inside never sleeps, waits or calls the user. A child of fork starts anew with covei_local_reset. */
#ifndef COVEI_SYNC_LOCAL_H
#define COVEI_SYNC_LOCAL_H

#include "platform/platform.h"

/* owner:  NOBODY → a thread → REVOKING → SHARED, never back. `inside` is the owner's; `taken` counts in SHARED: 0 free, 1 taken, 2 and
 * somebody sleeps. */
typedef struct covei_local {
    covei_a64 owner;
    covei_a32 inside, taken;
} covei_local;

#define COVEI_LOCAL_NOBODY UINT64_C(0)
#define COVEI_LOCAL_REVOKING UINT64_C(1)
#define COVEI_LOCAL_SHARED UINT64_C(2)

void covei_local_reset(covei_local *local);
void covei_local_enter_slowly(covei_local *local);
void covei_local_leave_slowly(covei_local *local);

/* Tells threads that live apart: where each has its thread-local storage. Read from its register where there is one, because a shared
 * library would call a function for it. The fallback is one variable for all files: an own one in each would make each see a stranger. */
#if !defined(__x86_64__) && !defined(__i386__) && !defined(__aarch64__)
extern _Thread_local char covei_local_mark;
#endif
static inline uint64_t covei_local_thread(void) {
#if defined(__x86_64__)
    void *mark;
    __asm__("mov %%fs:0, %0" : "=r"(mark));
#elif defined(__i386__)
    void *mark;
    __asm__("mov %%gs:0, %0" : "=r"(mark));
#elif defined(__aarch64__)
    void *mark = __builtin_thread_pointer();
#else
    void *mark = &covei_local_mark;
#endif
    return (uint64_t)(uintptr_t)mark;
}

static inline void covei_local_enter(covei_local *local) {
    uint64_t me = covei_local_thread();
    if (covei_likely(covei_load_relaxed(&local->owner) == me)) {
        covei_store_relaxed(&local->inside, 1);
        atomic_signal_fence(memory_order_seq_cst); /* PAIR local: announced before the owner is looked at again; an owner there is only
                                                      where fences are light */
        if (covei_likely(covei_load_relaxed(&local->owner) == me)) /* no acquire: what the owner finds, the owner has left */
            return;
        covei_store_release(&local->inside, 0);
    }
    covei_local_enter_slowly(local);
}

static inline void covei_local_leave(covei_local *local) {
    /* Not by `inside`: a thread that was the owner may be announcing itself in vain. Nobody takes the lock while the owner is inside. */
    if (covei_likely(!covei_load_relaxed(&local->taken)))
        covei_store_release(&local->inside, 0); /* PAIR left */
    else
        covei_local_leave_slowly(local);
}

#endif

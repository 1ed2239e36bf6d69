/* The paths where a second thread has come. */
#include "sync/local.h"

#define SPINS 200

#if !defined(__x86_64__) && !defined(__i386__) && !defined(__aarch64__)
_Thread_local char covei_local_mark;
#endif

void covei_local_reset(covei_local *local) {
#ifdef __SANITIZE_THREAD__
    bool may_own = false; /* it knows no barrier that one side pays for */
#else
    bool may_own = covei_load_relaxed(&covei_fences_are_light);
#endif
    covei_store_relaxed(&local->owner, may_own ? COVEI_LOCAL_NOBODY : COVEI_LOCAL_SHARED);
    covei_store_relaxed(&local->inside, 0);
    covei_store_relaxed(&local->taken, 0);
}

/* One thread revokes, the others wait for it. The owner does not come back: it sees that it no longer is. */
static void revoke(covei_local *local, uint64_t owner) {
    if (!covei_cas_seqcst(&local->owner, &owner, COVEI_LOCAL_REVOKING))
        return;
    /* PAIR local: who announced himself before it is seen below. It fails only in a sandbox that was put up after the process had joined;
     * then time must do: a store does not stay on its way for long. */
    if (!covei_barrier(COVEI_REACH_PROCESS))
        covei_pause(20000000);
    for (int spins = 0; covei_load_acquire(&local->inside); spins++) { /* PAIR left */
        if (spins < SPINS)
            covei_relax();
        else
            covei_pause(10000); /* it may have been put off the processor, by this very thread if it comes before all others */
    }
    covei_store_release(&local->owner, COVEI_LOCAL_SHARED); /* PAIR revoked */
}

void covei_local_enter_slowly(covei_local *local) {
    uint32_t seen;
    for (;;) {
        uint64_t owner = covei_load_acquire(&local->owner); /* PAIR revoked */
        if (owner == COVEI_LOCAL_SHARED)
            break;
        if (owner == COVEI_LOCAL_NOBODY) {
            if (covei_cas_seqcst(&local->owner, &owner, covei_local_thread())) {
                covei_local_enter(local);
                return;
            }
        } else if (owner == COVEI_LOCAL_REVOKING) {
            covei_pause(10000); /* whoever is inside may have been put off the processor */
        } else {
            revoke(local, owner);
        }
    }
    for (int spins = 0; spins < SPINS; spins++) {
        seen = 0;
        if (covei_cas_seqcst(&local->taken, &seen, 1))
            return;
        covei_relax();
    }
    while (covei_exchange_seqcst(&local->taken, 2)) /* a mutex with three states (Drepper, Futexes Are Tricky, 2011) */
        covei_wait(&local->taken, 2, COVE_FOREVER);
}

void covei_local_leave_slowly(covei_local *local) {
    if (covei_exchange_seqcst(&local->taken, 0) == 2)
        covei_wake(&local->taken);
}

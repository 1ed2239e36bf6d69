/* Sleeping in slices, and waking. */
#include "sync/event.h"

#include "base/error.h"

/* A waker may be killed between its change and its wake, so no sleep is longer than a slice: the price of a death is one. */
#define SLICE_FIRST_NS UINT64_C(1000000)
#define SLICE_LATER_NS UINT64_C(5000000)
#define SLICES_FIRST 10

/* Read-only members cannot arm; they look again after pauses that grow. */
#define POLL_FIRST_NS UINT64_C(1000)
#define POLL_LAST_NS UINT64_C(1000000)

/* A pause instruction takes 10 to 50 ns: one to two microseconds in all, a few cache line transfers. */
#define SPINS 40

#ifdef COVEI_LAB
covei_a64 covei_lab_slice_ns, covei_lab_late_wakes;

void covei_sleeper_done(const covei_sleeper *sleeper) {
    if (sleeper->expired)
        covei_add_relaxed(&covei_lab_late_wakes, 1);
}
#endif

void covei_event_wake_armed(covei_a32 *event, uint32_t seen) {
    while (seen & COVEI_EVENT_ARMED)
        if (covei_cas_seqcst(event, &seen, (seen & ~COVEI_EVENT_ARMED) + 2)) {
            /* All: who is woken alone may be waiting for something else, or be killed before he acts. */
            covei_wake(event);
            return;
        }
}

void covei_event_wake_always(covei_a32 *event) {
    covei_add_seqcst(event, 2);
    covei_wake(event);
}

bool covei_sleeper_spins(covei_sleeper *sleeper) {
    if (sleeper->spins == SPINS || sleeper->deadline_ns == COVE_TRY || covei_process_cpus() == 1)
        return false;
    sleeper->spins++;
    covei_relax();
    return true;
}

static uint64_t slice_of(const covei_sleeper *sleeper) {
#ifdef COVEI_LAB
    uint64_t wish = covei_load_relaxed(&covei_lab_slice_ns);
    if (wish)
        return wish;
#endif
    return sleeper->slices < SLICES_FIRST ? SLICE_FIRST_NS : SLICE_LATER_NS;
}

cove_result covei_sleep(covei_sleeper *sleeper, const covei_a32 *event, uint32_t armed) {
    const covei_member *member = sleeper->member;
    covei_woken woken;
    if (covei_load_seqcst(&member->is_interrupted))
        return COVE_ERR_INTERRUPTED;
    if (sleeper->deadline_ns == COVE_TRY)
        return COVE_ERR_TIMEOUT;
    cove_time_ns now = covei_clock_ns();
    if (now >= sleeper->deadline_ns)
        return COVE_ERR_TIMEOUT;
    if (!sleeper->began_ns)
        sleeper->began_ns = now;
    uint64_t left = sleeper->deadline_ns - now;
    if (member->is_read_only && !member->wakes_readers) {
        uint64_t pause = sleeper->slices < 10 ? POLL_FIRST_NS << sleeper->slices : POLL_LAST_NS;
        woken = covei_pause(pause < left ? pause : left) ? COVEI_EXPIRED : COVEI_SIGNALLED;
        sleeper->expired = false;
    } else {
        uint64_t slice = slice_of(sleeper);
        woken = covei_wait(event, armed, now + (slice < left ? slice : left));
        sleeper->expired = woken == COVEI_EXPIRED && slice < left;
    }
    sleeper->slices++;
    return woken == COVEI_SIGNALLED && member->is_interruptible ? COVE_ERR_INTERRUPTED : COVE_OK;
}

bool covei_sleeper_sees_removal(const covei_sleeper *sleeper, covei_member *member) {
    /* The file system is asked now and then: a remover may be killed between unlinking and saying so. */
    bool is_removed = covei_member_is_removed(member) || (sleeper->slices % 16 == 15 && covei_member_has_lost_its_name(member));
    return is_removed && !covei_exchange_seqcst(&member->told_removed, 1);
}

cove_result covei_wait_failed(const covei_member *member, cove_result result, const char *step, const char *late) {
    if (result == COVE_ERR_TIMEOUT)
        return covei_fail_quick(result, step, &member->about, late);
    if (result == COVE_ERR_INTERRUPTED)
        return covei_fail_quick(result, step, &member->about, "the wait was interrupted");
    return result; /* told already */
}

uint64_t covei_sleeper_age_ns(const covei_sleeper *sleeper) {
    return sleeper->began_ns ? covei_clock_ns() - sleeper->began_ns : 0;
}

/* EVENT: sleeping until something in shared memory changes, and waking who sleeps. docs/protocols/lock-block-wait.md
 *
 * An event is one 32-bit word: bit 0 says that somebody may sleep (armed), the rest counts wakes.
 *     the waiter   arms and snapshots in one step, looks at his condition, and sleeps only while the word is his snapshot
 *     the waker    changes the condition, looks at the word, and if it is armed disarms, counts on, and wakes all
 * Both sides use seqcst: either the waker sees the bit, or the waiter sees the change. With nobody armed a wake is one load.
 *
 * A waiter that dies leaves at most the bit, which costs the next waker one system call. A waker that dies between its change
 * and its wake leaves sleepers who wake by their slice, and look again.
 */
#ifndef COVEI_SYNC_EVENT_H
#define COVEI_SYNC_EVENT_H

#include "segment/segment.h"

#define COVEI_EVENT_ARMED 1u

/* Step 1 of a wait. The returned snapshot is for covei_sleep. PAIR event */
static inline uint32_t covei_event_arm(covei_a32 *event) {
    return covei_or_seqcst(event, COVEI_EVENT_ARMED) | COVEI_EVENT_ARMED;
}

void covei_event_wake_armed(covei_a32 *event, uint32_t seen);

/* After a seqcst change of the condition. PAIR event */
static inline void covei_event_wake(covei_a32 *event) {
    uint32_t seen = covei_load_seqcst(event);
    if (covei_unlikely(seen & COVEI_EVENT_ARMED))
        covei_event_wake_armed(event, seen);
}

/* For objects whose readers cannot arm: counts on and wakes, always. One system call. */
void covei_event_wake_always(covei_a32 *event);

/* One wait, from its first look until its condition holds or it is given up. */
typedef struct covei_sleeper {
    const covei_member *member;
    cove_time_ns deadline_ns;
    cove_time_ns began_ns; /* of the first sleep; 0 before it */
    uint32_t spins, slices;
    bool expired; /* the last sleep ended by its slice */
} covei_sleeper;

#define COVEI_SLEEPER(of_member, until_ns) \
    { .member = (of_member), .deadline_ns = (until_ns) }

/* True for the first one or two microseconds of a wait, and never with one processor or a deadline of 0: look again at once. */
bool covei_sleeper_spins(covei_sleeper *sleeper);

/* Sleeps until a wake, the end of a slice, or the deadline; then look again from step 1.
 * `armed` is what covei_event_arm returned; a read-only member, who cannot arm, passes the word as it was before its look.
 * COVE_OK look again · COVE_ERR_TIMEOUT the deadline had passed before the look · COVE_ERR_INTERRUPTED. Neither tells an error. */
cove_result covei_sleep(covei_sleeper *sleeper, const covei_a32 *event, uint32_t armed);

/* Whether a wait that found nothing should end because the object has been removed: true once for each handle. */
bool covei_sleeper_sees_removal(const covei_sleeper *sleeper, covei_member *member);

/* Tells of a wait that ended without success, and returns `result`. `late` says what the deadline has passed over. */
cove_result covei_wait_failed(const covei_member *member, cove_result result, const char *step, const char *late);

/* How long this wait has slept. */
uint64_t covei_sleeper_age_ns(const covei_sleeper *sleeper);

/* Says that the condition holds. Counts, in the test build, waits that only their slice ended: lost wake-ups that polling hides. */
#ifdef COVEI_LAB
extern covei_a64 covei_lab_slice_ns; /* 0: as usual */
extern covei_a64 covei_lab_late_wakes;
void covei_sleeper_done(const covei_sleeper *sleeper);
#else
static inline void covei_sleeper_done(const covei_sleeper *sleeper) {
    (void)sleeper;
}
#endif

#endif

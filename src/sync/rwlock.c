/* Writers, readers, and the turn that keeps both from starving. */
#include "sync/rwlock.h"

#include "base/error.h"

/* Who finds the lock free takes it, also before those who wait: that is fast. Who has been passed over for longer than this
 * asks for the turn, and then nobody else takes it. */
#define BARGING_NS UINT64_C(1000000)
/* A turn that nobody uses though the lock is free is cleared after this: its holder is stopped, or has given up. */
#define TURN_STALE_NS UINT64_C(10000000)

static const char late[] = "the deadline passed while others held the lock (see who: cove stat)";

cove_result covei_writer_is_alive(covei_member *member, uint64_t writer, bool *out_alive) {
    return covei_member_is_alive(member, covei_writer_slot(writer), covei_writer_generation(writer), out_alive);
}

/* ---- The turn.
 *
 * Who starves sets `want` in its slot and tries to become the turn. Who had the turn and gets in hands it on, cyclically, to the
 * next slot whose `want` is set: a turn that everybody raced for would let somebody starve. */

typedef struct contender {
    uint64_t turn; /* what the turn word says when it is mine; 0: I have not asked */
    uint64_t seen; /* another's turn, and since when it has stood with the lock free */
    cove_time_ns seen_since;
} contender;

/* Tells the threads of one member apart. */
static uint32_t thread_ordinal(void) {
    static covei_a32 last;
    static _Thread_local uint32_t mine;
    while (!mine)
        mine = (covei_add_relaxed(&last, 1) + 1) & 0xffff;
    return mine;
}

static uint64_t turn_word(uint32_t slot, uint32_t thread, uint32_t generation) {
    return (uint64_t)generation << 32 | (uint64_t)(thread & 0xffff) << 16 | (slot + 1);
}

static void ask_for_turn(covei_member *member, covei_rwlock_shm *lock, contender *me, const covei_sleeper *sleeper) {
    covei_a32 *want = &covei_member_slot(member)->hold[COVEI_HOLD_WANT];
    uint32_t nobody = 0;
    uint64_t no_turn = 0;
    if (!me->turn) {
        /* One thread of a member at a time; the others follow when it is in. */
        if (covei_sleeper_age_ns(sleeper) < BARGING_NS || !covei_cas_seqcst(want, &nobody, thread_ordinal()))
            return;
        me->turn = turn_word(covei_load_relaxed(&member->slot), thread_ordinal(), covei_load_relaxed(&member->generation));
    } else {
        covei_cas_seqcst(want, &nobody, thread_ordinal()); /* in case that we were taken for stopped */
        nobody = 0;
    }
    covei_cas_seqcst(&lock->turn, &no_turn, me->turn);
}

/* The next slot after mine that wants it. Its `want` is read again after it was named: if it has gone, so has its thread, and
 * the turn must not stay with it. */
static void hand_on(covei_member *member, covei_rwlock_shm *lock, uint64_t mine) {
    uint32_t own = covei_load_relaxed(&member->slot), count = member->slot_count;
    for (uint32_t n = 1; n <= count; n++) {
        uint32_t slot = (own + n) % count;
        if (!(covei_load_seqcst(&member->header->occupied[slot / 64]) & UINT64_C(1) << (slot % 64)))
            continue;
        covei_slot_shm *other = &member->slots[slot];
        uint32_t thread = covei_load_seqcst(&other->hold[COVEI_HOLD_WANT]);
        if (!thread)
            continue;
        uint64_t theirs = turn_word(slot, thread, covei_slot_generation(covei_load_seqcst(&other->word)));
        uint64_t expected = mine;
        if (!covei_cas_seqcst(&lock->turn, &expected, theirs))
            return; /* somebody cleared it as stale */
        if (covei_load_seqcst(&other->hold[COVEI_HOLD_WANT]) == thread)
            return;
        if (!covei_cas_seqcst(&lock->turn, &theirs, mine))
            return;
    }
    covei_cas_seqcst(&lock->turn, &mine, 0);
}

static void end_turn(covei_member *member, covei_rwlock_shm *lock, contender *me) {
    if (!me->turn)
        return;
    uint32_t mine = thread_ordinal();
    covei_cas_seqcst(&covei_member_slot(member)->hold[COVEI_HOLD_WANT], &mine, 0);
    if (covei_load_seqcst(&lock->turn) == me->turn)
        hand_on(member, lock, me->turn);
    me->turn = 0;
    covei_event_wake(&lock->gate);
}

static bool turn_allows(const covei_rwlock_shm *lock, const contender *me) {
    uint64_t turn = covei_load_seqcst(&lock->turn);
    return !turn || turn == me->turn;
}

/* Clears a turn of the dead, or one that its holder does not use though the lock is free. True: look again. */
static bool doubt_turn(covei_member *member, covei_rwlock_shm *lock, contender *me) {
    bool alive = true;
    uint64_t turn = covei_load_seqcst(&lock->turn);
    cove_time_ns now = covei_clock_ns();
    if (!turn || turn == me->turn)
        return true;
    if (turn != me->seen || !covei_writer_is_free(covei_load_seqcst(&lock->writer))) {
        me->seen = turn;
        me->seen_since = now;
    }
    cove_result result = covei_member_is_alive(member, (uint32_t)(turn & 0xffff) - 1, (uint32_t)(turn >> 32), &alive);
    if ((result != COVE_OK || alive) && now - me->seen_since <= TURN_STALE_NS)
        return false;
    /* It is not handed on to that thread again: one that is stopped would have everybody wait for 10 ms each time. Who goes on asks anew. */
    uint32_t slot = (uint32_t)(turn & 0xffff) - 1, thread = (uint32_t)(turn >> 16 & 0xffff);
    if (covei_cas_seqcst(&lock->turn, &turn, 0) && slot < member->slot_count)
        covei_cas_seqcst(&member->slots[slot].hold[COVEI_HOLD_WANT], &thread, 0);
    covei_event_wake(&lock->gate);
    return true;
}

/* ---- Waiting at the gate. */

/* Waits until the writer word has changed from `seen` or is free for us, or its holder is found dead, which is told by *out_dead
 * with the word in *seen. COVE_OK: look again. */
static cove_result wait_at_gate(covei_member *member, covei_rwlock_shm *lock, covei_sleeper *sleeper, contender *me, bool writes,
                                uint64_t *seen, bool *out_dead) {
    uint32_t armed = 0;
    bool alive;
    *out_dead = false;
    if (covei_sleeper_spins(sleeper)) {
        *seen = covei_load_seqcst(&lock->writer);
        return COVE_OK;
    }
    if (sleeper->deadline_ns != COVE_TRY)
        armed = covei_event_arm(&lock->gate);
    *seen = covei_load_seqcst(&lock->writer);
    if (covei_writer_is_free(*seen)) {
        if (!writes || turn_allows(lock, me)) {
            covei_sleeper_done(sleeper);
            return COVE_OK;
        }
        if (doubt_turn(member, lock, me))
            return COVE_OK;
    } else {
        cove_result result = covei_writer_is_alive(member, *seen, &alive);
        if (result != COVE_OK)
            return result;
        if (!alive) {
            *out_dead = true;
            return COVE_OK;
        }
    }
    cove_result result = covei_sleep(sleeper, &lock->gate, armed);
    if (result == COVE_OK)
        ask_for_turn(member, lock, me, sleeper);
    return result;
}

static uint64_t mark_of_the_dead(uint64_t writer) {
    return writer & (COVEI_WRITER_DIRTY | COVEI_WRITER_INSIDE) ? COVEI_WRITER_DIRTY : 0;
}

/* ---- Writers. */

cove_result covei_writer_acquire_slowly(covei_member *member, covei_rwlock_shm *lock, cove_time_ns deadline_ns, bool *out_dirty) {
    covei_sleeper sleeper = COVEI_SLEEPER(member, deadline_ns);
    contender me = {0};
    cove_result result;
    for (;;) {
        bool dead;
        uint64_t seen = covei_load_seqcst(&lock->writer);
        if (covei_writer_is_free(seen) && turn_allows(lock, &me)) {
            if (covei_writer_try(member, lock, seen, out_dirty)) {
                result = COVE_OK;
                break;
            }
            continue;
        }
        result = wait_at_gate(member, lock, &sleeper, &me, true, &seen, &dead);
        if (result == COVE_ERR_TIMEOUT && covei_writer_is_free(seen) && covei_writer_try(member, lock, seen, out_dirty)) {
            result = COVE_OK; /* politeness has an end where it would make one fail on a free lock */
            break;
        }
        if (result != COVE_OK)
            break;
        if (dead) { /* 3: the mark travels with the takeover, so that a second death in between loses nothing */
            uint64_t word = covei_writer_word(member) | mark_of_the_dead(seen);
            if (covei_cas_seqcst(&lock->writer, &seen, word)) {
                *out_dirty = word & COVEI_WRITER_DIRTY;
                break;
            }
        }
    }
    end_turn(member, lock, &me);
    return covei_wait_failed(member, result, "lock", late);
}

/* One slot that was seen with a pin: until it has none, or its member is dead. */
static cove_result drain_slot(covei_member *member, covei_rwlock_shm *lock, uint32_t slot, covei_a32 *pin, covei_sleeper *sleeper) {
    for (;;) {
        uint32_t armed = 0;
        bool alive;
        if (covei_sleeper_spins(sleeper)) {
            if (!covei_load_seqcst(pin))
                return COVE_OK;
            continue;
        }
        if (sleeper->deadline_ns != COVE_TRY)
            armed = covei_event_arm(&lock->drain);
        if (!covei_load_seqcst(pin)) {
            covei_sleeper_done(sleeper);
            return COVE_OK;
        }
        cove_result result = covei_slot_is_alive(member, slot, &alive);
        if (result != COVE_OK)
            return result;
        if (!alive) {
            covei_slot_recover(member, slot); /* else every later drain would ask the kernel again */
            return COVE_OK;
        }
        if ((result = covei_sleep(sleeper, &lock->drain, armed)) != COVE_OK)
            return result;
    }
}

/* Some pin was seen: slot by slot. */
cove_result covei_writer_drain_slowly(covei_member *member, covei_rwlock_shm *lock, unsigned copy, cove_time_ns deadline_ns) {
    covei_sleeper sleeper = COVEI_SLEEPER(member, deadline_ns);
    for (uint32_t base = 0; base < member->slot_count; base += 64) {
        uint64_t occupied = covei_load_seqcst(&member->header->occupied[base / 64]);
        for (; occupied; occupied &= occupied - 1) {
            uint32_t slot = base + (uint32_t)__builtin_ctzll(occupied);
            if (slot >= member->slot_count)
                break; /* bits beyond the table: nobody honest set them */
            covei_a32 *pin = &member->slots[slot].hold[COVEI_HOLD_PIN + copy];
            if (covei_likely(!covei_load_seqcst(pin)))
                continue;
            cove_result result = drain_slot(member, lock, slot, pin, &sleeper);
            if (result != COVE_OK)
                return covei_wait_failed(member, result, "lock", late);
        }
    }
    return COVE_OK;
}

cove_result covei_writer_lost(covei_member *member, uint64_t seen) {
    covei_error_about(member->domain->path, member->name);
    return covei_fail(COVE_ERR_DAMAGED, 0, "unlock", "the lock word is 0x%016llx, and should name slot %u: somebody overwrote it",
                      (unsigned long long)seen, covei_load_relaxed(&member->slot));
}

/* ---- Readers of a single copy. */

static cove_result enter_slowly(covei_member *member, covei_rwlock_shm *lock, uint64_t seen, cove_time_ns deadline_ns) {
    covei_sleeper sleeper = COVEI_SLEEPER(member, deadline_ns);
    contender me = {0};
    cove_result result;
    for (;;) { /* here the pin is set */
        if (covei_writer_is_free(seen)) {
            result = seen & COVEI_WRITER_DIRTY ? COVE_OWNER_DIED : COVE_OK;
            break;
        }
        covei_reader_leave(member, lock, 0); /* a writer may have seen the pin, and wait for it */
        do {
            bool dead;
            if ((result = wait_at_gate(member, lock, &sleeper, &me, false, &seen, &dead)) != COVE_OK)
                goto out;
            if (dead) {
                uint64_t mark = mark_of_the_dead(seen);
                if (covei_cas_seqcst(&lock->writer, &seen, mark)) {
                    covei_event_wake(&lock->gate);
                    seen = mark;
                }
            }
        } while (!covei_writer_is_free(seen));
        covei_add_seqcst(covei_pin(member, 0), 1);
        seen = covei_load_seqcst(&lock->writer);
    }
out:
    end_turn(member, lock, &me);
    return covei_wait_failed(member, result, "lock", late);
}

/* The pin first, then the look: a writer takes the word first, then looks at the pins. One of the two sees the other. PAIR pin
 * CRASH: killed with the pin set: the slot's lock byte is free, so writers skip it, and the next in the slot clears it. */
cove_result covei_reader_enter(covei_member *member, covei_rwlock_shm *lock, cove_time_ns deadline_ns) {
    covei_add_seqcst(covei_pin(member, 0), 1);
    uint64_t seen = covei_load_seqcst(&lock->writer);
    if (covei_likely(!(seen & (COVEI_WRITER_SLOT | COVEI_WRITER_DIRTY))))
        return COVE_OK;
    return enter_slowly(member, lock, seen, deadline_ns);
}

/* ---- What the dead held. */

/* CLAIM 1 and 2. Every step may be repeated after a death. The next generation is stored by the caller, after this. */
void covei_rwlock_forget(covei_member *member, covei_rwlock_shm *lock, uint32_t slot) {
    uint64_t writer = covei_load_seqcst(&lock->writer), turn = covei_load_seqcst(&lock->turn);
    if (!covei_writer_is_free(writer) && covei_writer_slot(writer) == slot &&
        covei_cas_seqcst(&lock->writer, &writer, mark_of_the_dead(writer)))
        covei_event_wake(&lock->gate);
    for (unsigned copy = 0; copy < 2; copy++)
        covei_store_seqcst(&member->slots[slot].hold[COVEI_HOLD_PIN + copy], 0);
    covei_store_seqcst(&member->slots[slot].hold[COVEI_HOLD_WANT], 0);
    if ((turn & 0xffff) == slot + 1 && covei_cas_seqcst(&lock->turn, &turn, 0))
        covei_event_wake(&lock->gate);
    covei_event_wake(&lock->drain);
}

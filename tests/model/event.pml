/* EVENT (docs/protocols/lock-block-wait.md): two sleepers at one word, each with a condition of his own, and two who make the conditions
 * true and wake, with death possible at every step of all four.
 *
 * Claim: nobody sleeps on while his condition holds, except whom a waker owed his wake when he was killed: the sleeper of the condition that
 * he had changed, and, once he had disarmed the word, all who slept then. They have the end of their slice; nobody else needs one. A wake-up
 * that is lost is a state in which nothing moves while one sleeps on, and is owed nothing.
 *
 * CONFIG none   -DMAXD=0 -DROUNDS=2
 * CONFIG deaths -DMAXD=2 -DROUNDS=1
 * LARGE death2  -DMAXD=1 -DROUNDS=2
 *
 * MUTATION SNAPSHOT_LATER in none   armed in one step, and the word read in another
 * MUTATION LOOK_FIRST in none       the condition is looked at before the word is armed
 * MUTATION CHANGE_LATE in none      the waker looks at the word before his change
 * MUTATION WAKE_ONE in none         only one of those who sleep is woken
 * MUTATION NO_COUNT in none         a wake disarms and does not count, so that the word may be as it was
 * MUTATION DISARM_LATE in none      those who sleep are woken before the word is disarmed
 * MUTATION NO_SLICE in deaths       sleeps have no end of their own
 * MUTATION OWED_ONE in deaths       only the sleeper of the changed condition is thought to be owed a wake, and not all of a disarmed word
 */
byte count; bit armed;         /* the event word */
byte condition[2], needed[2];  /* how often it has come true · how often it must have, for its sleeper to go on */
bit asleep[2];
bit owed[2];                   /* ghost: a dead waker owes a wake that was due before this one armed again */
byte deaths;

#define DIE if :: skip :: deaths < MAXD -> deaths++; goto dead fi
#ifdef NO_SLICE
#define SLICE_ENDS false
#else
#define SLICE_ENDS owed[me]
#endif

proctype Sleeper(byte me) {
    byte seen; bit was_armed, holds;
    do
    :: needed[me] > ROUNDS -> break
    :: else ->
#ifdef LOOK_FIRST
        holds = condition[me] >= needed[me]; DIE;
#endif
#ifdef SNAPSHOT_LATER
        atomic { armed = 1; owed[me] = 0 }; DIE;
        atomic { seen = count; was_armed = armed }; DIE;
#else
        atomic { armed = 1; was_armed = 1; seen = count; owed[me] = 0 }; DIE;   /* 1 */
#endif
#ifndef LOOK_FIRST
        holds = condition[me] >= needed[me]; DIE;                               /* 2 */
#endif
        if
        :: holds -> atomic { needed[me]++; seen = 0; was_armed = 0; holds = 0 }
        :: else ->
            atomic { if :: count == seen && armed == was_armed -> asleep[me] = 1 :: else fi }; /* 3: what futex does */
            DIE;
end_asleep:
            atomic { (!asleep[me] || SLICE_ENDS); asleep[me] = 0; seen = 0; was_armed = 0 }
        fi
    od;
dead:
    asleep[me] = 0
}

inline wake_all() {
#ifdef WAKE_ONE
    atomic { if :: asleep[0] -> asleep[0] = 0 :: asleep[1] -> asleep[1] = 0 :: else fi }
#else
    atomic { asleep[0] = 0; asleep[1] = 0 }
#endif
}

proctype Waker(byte me) {
    byte seen, n; bit seen_armed, won, changed;
    do
    :: n == ROUNDS -> break
    :: else ->
#ifdef CHANGE_LATE
        atomic { seen = count; seen_armed = armed }; DIE;
        atomic { condition[(me + n) % 2]++; changed = 1 }; DIE;
#else
        atomic { condition[(me + n) % 2]++; changed = 1 }; DIE;
        atomic { seen = count; seen_armed = armed }; DIE;                   /* 5 */
#endif
        do
        :: !seen_armed -> break
        :: else ->
#ifdef DISARM_LATE
            wake_all(); DIE;
#endif
            atomic {                                                        /* 6 */
                if
                :: armed && count == seen ->
#ifndef NO_COUNT
                    count = (count + 1) % 8;
#endif
                    armed = 0; seen_armed = 0; won = 1
                :: else -> seen = count; seen_armed = armed; won = 0
                fi
            };
            DIE;
#ifndef DISARM_LATE
            if :: won -> wake_all() :: else fi;
#endif
            won = 0
        od;
        atomic { changed = 0; n++ }
    od;
    goto done;
dead:
    atomic {
        if :: changed -> owed[(me + n) % 2] = 1 :: else fi;
#ifndef OWED_ONE
        if :: won -> owed[0] = owed[0] | asleep[0]; owed[1] = owed[1] | asleep[1] :: else fi;
#endif
        changed = 0; won = 0
    }
done:
    skip
}

/* Where nothing moves any more, whoever sleeps does so rightly: the dead have not made his condition true. */
active proctype Judge() {
end:
    if
    :: timeout ->
        assert(!asleep[0] || condition[0] < needed[0]);
        assert(!asleep[1] || condition[1] < needed[1])
    fi
}

init { atomic { needed[0] = 1; needed[1] = 1; run Sleeper(0); run Sleeper(1); run Waker(0); run Waker(1) } }

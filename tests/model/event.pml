/* EVENT (docs/protocols/lock-block-wait.md): two sleepers at one word, each with a condition of his own, and two who make the conditions
 * true and wake, with death possible at every step of all four.
 *
 * Claim: nobody sleeps on while his condition holds, unless a waker was killed between his change and his wake; then the end of a slice
 * makes him look. A wake-up that is lost is a state in which nothing moves.
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
 */
byte count; bit armed;         /* the event word */
byte condition[2];             /* how often it has come true */
bit asleep[2];
byte deaths, dead_wakers;

#define DIE if :: skip :: deaths < MAXD -> deaths++; goto dead fi
#ifdef NO_SLICE
#define SLICE_ENDS false
#else
#define SLICE_ENDS (dead_wakers > 0)
#endif

proctype Sleeper(byte me) {
    byte seen, needed = 1; bit was_armed, holds;
    do
    :: needed > ROUNDS -> break
    :: else ->
#ifdef LOOK_FIRST
        holds = condition[me] >= needed; DIE;
#endif
#ifdef SNAPSHOT_LATER
        armed = 1; DIE;
        atomic { seen = count; was_armed = armed }; DIE;
#else
        atomic { armed = 1; was_armed = 1; seen = count }; DIE;             /* 1 */
#endif
#ifndef LOOK_FIRST
        holds = condition[me] >= needed; DIE;                               /* 2 */
#endif
        if
        :: holds -> atomic { needed++; seen = 0; was_armed = 0; holds = 0 }
        :: else ->
            atomic { if :: count == seen && armed == was_armed -> asleep[me] = 1 :: else fi }; /* 3: what futex does */
            DIE;
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
    byte seen, n; bit seen_armed, won;
    do
    :: n == ROUNDS -> break
    :: else ->
#ifdef CHANGE_LATE
        atomic { seen = count; seen_armed = armed }; DIE;
        condition[(me + n) % 2]++; DIE;
#else
        condition[(me + n) % 2]++; DIE;
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
        n++
    od;
    goto done;
dead:
    atomic { dead_wakers++; condition[0] = 4; condition[1] = 4 };          /* changed, and nobody woken */
done:
    skip
}

init { atomic { run Sleeper(0); run Sleeper(1); run Waker(0); run Waker(1) } }

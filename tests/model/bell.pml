/* BELL (docs/protocols/lock-block-wait.md): a watcher with a descriptor, who may be killed and followed by another in the same slot, two who
 * change something and tell, each perhaps killed at any step or without a descriptor to ring with, and somebody who sleeps at the same event.
 *
 * Claims: where nothing moves any more, no watcher that lives waits for a change that he has not seen, nor does the sleeper, unless who made the last
 * change was killed before he had told, or could not tell: for that a bell rings by itself after a second. Each change that is told to the
 * end makes good for all before it. Every bell of who lives can be reached here: UNHEARD is not in this model.
 *
 * CONFIG told    -DROUNDS=2 -DMAXD=0 -DLIVES=1 -DLIMITS=0
 * CONFIG sleeper -DROUNDS=1 -DMAXD=1 -DLIVES=1 -DLIMITS=0 -DSLEEPER
 * CONFIG dying   -DROUNDS=2 -DMAXD=1 -DLIVES=1 -DLIMITS=1
 * CONFIG lives   -DROUNDS=2 -DMAXD=1 -DLIVES=2 -DLIMITS=0
 * LARGE  lives2  -DROUNDS=2 -DMAXD=2 -DLIVES=2 -DLIMITS=1
 *
 * MUTATION LOOK_EARLY in told         the watcher looks before he has armed
 * MUTATION SILENCE_LAST in told       and silences the bell after he has looked
 * MUTATION NO_TOUCH in told           and does not ring himself for what he has found then
 * MUTATION WORD_AS_BEFORE in told     arming leaves the bell's word as it was
 * MUTATION EVENT_AS_BEFORE in told    arming leaves the event as it was
 * MUTATION DISARM_FIRST in dying      the bell's word is disarmed before it is rung
 * MUTATION DISARM_UNTOLD in dying     the event is disarmed though somebody could not be rung
 * MUTATION CHANGE_LATE in told        the event is looked at before the change
 * MUTATION WAKE_IF_WON in sleeper     sleepers are woken only where the event could be disarmed
 * MUTATION RESET in lives             the count of the bell's word begins anew with each life of the slot
 * MUTATION NO_SLICE in dying          a bell does not ring by itself
 */
#define BELLS (LIVES + 1)
/* Of a count only one thing matters: whether it is still what somebody saw. So there are no counts here, but for each of those a bit that says
 * so, which is cleared wherever the count would go on. */
bit event_armed, event_is_seen[3];               /* the event word; 0: the sleeper, 1 and 2: who tell */
bit armed, is_there, word_is_seen[3];            /* the bell's word; not there: none */
bit watching;                             /* the slot's bit in the header */
byte life = 1; bit lives = 1;             /* generation of the slot · its byte is held */
byte clearing;                            /* CLEAR of it: process + 1 */
bit listens[BELLS], rung[BELLS];          /* of each life's bell: somebody has the socket · it is readable */
byte value, seen;                         /* changes made · of which the watcher has had */
bit waits, asleep; byte needed = 1;       /* the watcher at his descriptor · the sleeper on the event, until so many changes */
bit owed, owed_sleep;                     /* ghosts: the last change was not told · nor woke who sleeps */
bit disarmed;                             /* ghost: by one who was killed before he woke who slept then */
byte deaths, limits;

#define DIE if :: skip :: atomic { deaths < MAXD -> deaths++ } goto killed fi
#ifdef NO_SLICE
#define SLICE_ENDS false
#else
#define SLICE_ENDS owed
#endif

#define COUNT(is_seen) is_seen[0] = 0; is_seen[1] = 0; is_seen[2] = 0
#ifdef RESET /* what was seen at the first arming of a life is seen again at that of the next */
bit was_first[3], is_first, first_is_armed;
#endif

/* Under CLEAR, and the slot's byte is free. */
inline forget_bell() {
    watching = 0; DIE;
    if :: is_there -> atomic { is_there = 0; armed = 0 } DIE :: else fi /* its name goes first: it is nobody's by now */
}

proctype Watcher() {
begin:
    atomic {
        is_there = 1; armed = 0; COUNT(word_is_seen);
#ifdef RESET
        is_first = 1
#endif
    };
    DIE;
    listens[life] = 1; DIE;
    watching = 1; DIE;
    rung[life] = 1; DIE;
wait:
    waits = 1;
end_wait:
    atomic { (rung[life] || SLICE_ENDS); waits = 0 };
look:
    if
    :: value > seen -> seen++; goto wait /* the descriptor stays readable: he comes again */
    :: else
    fi;
#ifdef LOOK_EARLY
    if :: value > seen -> goto wait :: else fi;
#endif
#ifndef SILENCE_LAST
    rung[life] = 0; DIE;                                                        /* 1 */
#endif
    atomic {                                                                    /* 2 */
        armed = 1;
#ifndef WORD_AS_BEFORE
        COUNT(word_is_seen);
#endif
#ifdef RESET
        if :: is_first -> word_is_seen[1] = was_first[1]; word_is_seen[2] = was_first[2] :: else fi;
        first_is_armed = is_first; is_first = 0
#endif
    };
    DIE;
    atomic {                                                                    /* 3 */
        event_armed = 1; owed = 0;
#ifndef EVENT_AS_BEFORE
        COUNT(event_is_seen)
#endif
    };
    DIE;
    if
#ifdef LOOK_EARLY
    :: false
#else
    :: value > seen ->                                                          /* 4 */
#ifndef NO_TOUCH
        rung[life] = 1
#else
        skip
#endif
#endif
    :: else
    fi;
#ifdef SILENCE_LAST
    DIE; rung[life] = 0;
#endif
    goto wait;

killed:
    atomic {
        lives = 0; listens[life] = 0; rung[life] = 0; waits = 0;
        if :: clearing == 1 -> clearing = 0 :: else fi
    }
    if :: life == LIVES -> goto end :: else fi;
    /* CLAIM by another, who begins with what there is then */
    atomic { !clearing -> clearing = 1 } DIE;
    forget_bell();
    lives = 1; DIE;
    atomic { life++; seen = value; clearing = 0 }
    goto begin;
end:
    skip
}

proctype Teller(byte me) {
    byte n, bell; bit e_armed, told, owes, won, clears;
    do
    :: n == ROUNDS -> break
    :: else ->
#ifdef CHANGE_LATE
        atomic { event_is_seen[me] = 1; e_armed = event_armed } DIE;
        atomic { value++; owes = 1 } DIE;
#else
        atomic { value++; owes = 1 } DIE;
        atomic { event_is_seen[me] = 1; e_armed = event_armed; owed = 0; owed_sleep = 0 } DIE;     /* 5 */
#endif
        if :: !e_armed -> goto next :: else fi;
        told = 1;
        if :: !watching -> goto rang :: else fi;
        atomic {                                                                        /* 6 */
            if :: !armed -> goto rang :: else fi;
            word_is_seen[me] = 1;
#ifdef RESET
            was_first[me] = first_is_armed
#endif
        }
        bell = life;
#ifdef DISARM_FIRST
        atomic { if :: word_is_seen[me] -> armed = 0 :: else fi } DIE;
#endif
        if
        :: atomic { limits < LIMITS -> limits++; told = 0; owed = 1 }
        :: atomic { listens[bell] -> rung[bell] = 1 } DIE;
#ifndef DISARM_FIRST
            atomic { if :: word_is_seen[me] -> armed = 0 :: else fi } DIE
#endif
        :: atomic { !listens[bell] && !lives } /* RECOVER, one try */
            atomic { if :: !clearing -> clearing = me + 1; clears = 1 :: else fi } DIE;
            if
            :: clears ->
                if :: !lives -> forget_bell() :: else fi;
                atomic { clearing = 0; clears = 0 }
            :: else
            fi
        :: !listens[bell] && lives /* another lives there by now, who is yet to arm */
        fi;
rang:
        atomic {                                                                        /* 7 */
            if
            :: event_is_seen[me] && event_armed ->
                won = 1; COUNT(event_is_seen);
#ifndef DISARM_UNTOLD
                event_armed = !told
#else
                event_armed = 0
#endif
            :: else -> won = 0
            fi
        };
        DIE;
#ifdef WAKE_IF_WON
        if :: won -> asleep = 0 :: else fi;
#else
        asleep = 0;
#endif
next:
        atomic { owes = 0; won = 0; told = 0; bell = 0; e_armed = 0; event_is_seen[me] = 0; word_is_seen[me] = 0; n++ }
    od;
    goto end;
killed:
    atomic {
        if :: clearing == me + 1 -> clearing = 0 :: else fi;
        if :: owes -> owed = 1; owed_sleep = 1 :: else fi;
        event_is_seen[me] = 0; word_is_seen[me] = 0; bell = 0; told = 0; e_armed = 0; clears = 0;
        if :: owes && won -> disarmed = disarmed | asleep :: else fi
    }
end:
    skip
}

#ifdef SLEEPER
proctype Sleeper() {
    do
    :: needed > 2 * ROUNDS -> break
    :: else ->
        atomic { event_armed = 1; event_is_seen[0] = 1; owed_sleep = 0; disarmed = 0 };
        if
        :: value >= needed -> needed++
        :: else ->
            atomic { if :: event_is_seen[0] && event_armed -> asleep = 1 :: else fi };
end_asleep:
            (!asleep || owed_sleep || disarmed);
            asleep = 0
        fi
    od
}
#endif

active proctype Judge() {
end:
    if
    :: timeout ->
        assert(!waits || value <= seen);
        assert(!asleep || value < needed)
    fi
}

init {
    atomic {
        run Watcher(); run Teller(1); run Teller(2);
#ifdef SLEEPER
        run Sleeper()
#endif
    }
}

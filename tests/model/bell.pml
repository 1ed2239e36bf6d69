/* BELL (docs/protocols/lock-block-wait.md): watchers with descriptors, each of whom may be killed, close in order, or lose his descriptors and
 * open the bell again, is followed by another in the same slot, and may have two threads that look; two who change something and tell, each
 * perhaps killed at any step, or without a descriptor to ring with, or never able to reach a bell; and somebody who sleeps at the same event.
 *
 * Claims: where nothing moves any more, no watcher that lives waits for a change that he has not seen, nor does the sleeper, unless who made the last
 * change was killed before he had told, or could not tell: for that a bell rings by itself after a second. Each change that is told to the
 * end makes good for all before it; whom somebody could not reach, and who has looked since, hears of every change, and nobody tries any more to ring him.
 *
 * CONFIG told     -DROUNDS=2
 * CONFIG sleeper  -DROUNDS=1 -DMAXD=1 -DSLEEPER
 * CONFIG dying    -DROUNDS=2 -DMAXD=1 -DLIMITS=1
 * CONFIG lives    -DROUNDS=2 -DMAXD=1 -DLIVES=2
 * CONFIG closing  -DROUNDS=2 -DLIVES=2 -DCLOSES
 * CONFIG reopened -DROUNDS=2 -DREOPENS=1
 * CONFIG far      -DROUNDS=2 -DFAR
 * CONFIG threads  -DROUNDS=1 -DFAR -DTHREADS=1
 * CONFIG watchers -DROUNDS=1 -DWATCHERS=2
 * LARGE  threads2 -DROUNDS=2 -DFAR -DTHREADS=1
 * LARGE  watchers2 -DROUNDS=1 -DWATCHERS=2 -DFAR
 * LARGE  lives2   -DROUNDS=2 -DMAXD=2 -DLIVES=2 -DLIMITS=1
 * LARGE  all      -DROUNDS=2 -DMAXD=1 -DLIVES=2 -DCLOSES -DREOPENS=1 -DFAR
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
 * MUTATION UNHEARD_TOLD in far        the event is disarmed though somebody cannot be reached
 * MUTATION DISARM_UNHEARD in far      whoever cannot reach a bell disarms its word, and does not mark it
 * MUTATION UNPOLLED in far            nobody looks on behalf of whom somebody cannot reach
 * MUTATION ARM_BLIND in threads       who has armed does not look whether another thread has put an end to that
 * MUTATION REOPEN_SILENT in reopened  a bell that is opened again does not ring at once
 */
#ifndef MAXD
#define MAXD 0
#endif
#ifndef LIVES
#define LIVES 1
#endif
#ifndef LIMITS
#define LIMITS 0
#endif
#ifndef REOPENS
#define REOPENS 0
#endif
#ifndef WATCHERS
#define WATCHERS 1
#endif
#ifdef FAR
#define REACHES(process) (process != 2)
#else
#define REACHES(process) true
#endif
#ifdef CLOSES
#define MAY_CLOSE true
#else
#define MAY_CLOSE false
#endif

/* Of a count only one thing matters: whether it is still what somebody saw. So there are no counts here, but for each of those a bit that says
 * so, which is cleared wherever the count would go on. */
typedef counted { bit is_seen[3] };       /* 0: the sleeper, 1 and 2: who tell */
#define COUNT(word) word.is_seen[0] = 0; word.is_seen[1] = 0; word.is_seen[2] = 0

/* One slot, and the bells of those who have it one after the other. */
typedef place {
    bit watching;                         /* its bit in the header */
    bit is_there, armed, unheard;         /* the bell's word */
    counted word;
    byte life = 1; bit lives = 1;         /* its generation · its byte is held */
    byte clearing;                        /* CLEAR of it: process + 1 */
    bit listens[LIVES + 1], rung[LIVES + 1]; /* of each life's bell: somebody has the socket · it is readable */
    byte seen;                            /* how many changes the watcher has had */
    bit waits, polls;                     /* he is at his descriptor · his own thread looks for him */
    bit owed;                             /* ghost: the last change was not told to him */
#ifdef THREADS
    bit is_of[2];                         /* the word is armed as this thread of his has left it */
#endif
#ifdef RESET /* what was seen at the first arming of a life is seen again at that of the next */
    bit was_first[3], is_first, first_is_armed;
#endif
};
place at[WATCHERS];
bit event_armed; counted event;           /* the event word */
byte value, reopens, deaths, limits;      /* changes made · and how often what may happen has */
bit asleep; byte needed = 1;              /* the sleeper is on the event, until so many changes */
bit owed_sleep;                           /* ghost: the last change did not wake who sleeps */
bit owes[3];                              /* ghost: who tells has not told yet, and nobody has begun to since, which makes good for him */
bit disarmed;                             /* ghost: by one who was killed before he woke who slept then */

#define DIE if :: skip :: atomic { deaths < MAXD -> deaths++ } goto killed fi
#ifdef NO_SLICE
#define SLICE_ENDS(w) false
#else
#define SLICE_ENDS(w) at[w].owed
#endif
#ifdef UNPOLLED
#define POLL_FINDS(w) false
#else
#define POLL_FINDS(w) (at[w].polls && value > at[w].seen)
#endif

/* By its member, or under CLEAR, where nobody is a member. */
inline forget_bell(w) {
    at[w].watching = 0; DIE;
    if :: at[w].is_there -> atomic { at[w].is_there = 0; at[w].armed = 0; at[w].unheard = 0 } DIE :: else fi /* its name goes first: it is nobody's by now */
}

/* To all of them. */
inline set_owed(is_owed) {
    at[0].owed = is_owed;
#if WATCHERS > 1
    at[1].owed = is_owed
#endif
}

#define MY at[me]
#define MY_BELL_LISTENS MY.listens[MY.life]
#define MY_BELL_RINGS MY.rung[MY.life]

/* By a thread of a watcher's that has found nothing. */
inline arm(thread) {
#ifndef SILENCE_LAST
    MY_BELL_RINGS = 0; DIE;                                                     /* 1 */
#endif
    if
    :: MY.polls -> MY.owed = 0
    :: else ->
        atomic {                                                                /* 2 */
            if
            :: MY.unheard -> MY.polls = 1; finds = 1
            :: else ->
                MY.armed = 1;
#ifndef WORD_AS_BEFORE
                COUNT(MY.word);
#endif
#ifdef THREADS
                MY.is_of[0] = 0; MY.is_of[1] = 0; MY.is_of[thread] = 1;
#endif
#ifdef RESET
                if :: MY.is_first -> MY.word.is_seen[1] = MY.was_first[1]; MY.word.is_seen[2] = MY.was_first[2] :: else fi;
                MY.first_is_armed = MY.is_first; MY.is_first = 0
#endif
            fi
        };
        DIE;
        if
        :: finds -> atomic { MY.armed = 0; MY.unheard = 0; MY.owed = 0; finds = 0 } DIE /* once `polls` says so */
        :: else ->
            atomic {                                                            /* 3 */
                event_armed = 1; MY.owed = 0;
#ifndef EVENT_AS_BEFORE
                COUNT(event)
#endif
            };
            DIE;
#if defined(THREADS) && !defined(ARM_BLIND)
            if
            :: MY.polls -> atomic { if :: MY.is_of[thread] && MY.armed -> MY.armed = 0; MY.unheard = 0 :: else fi }
            :: else
            fi
#endif
        fi
    fi;
    if
#ifdef LOOK_EARLY
    :: false
#else
    :: value > MY.seen ->                                                       /* 4 */
#ifndef NO_TOUCH
        MY_BELL_RINGS = 1
#else
        skip
#endif
#endif
    :: else
    fi
#ifdef SILENCE_LAST
    DIE; MY_BELL_RINGS = 0
#endif
}

proctype Watcher(byte me) {
    bit finds;
begin:
    atomic {
        MY.is_there = 1; MY.armed = 0; MY.unheard = 0; COUNT(MY.word);
#ifdef RESET
        MY.is_first = 1
#endif
    };
    DIE;
    MY_BELL_LISTENS = 1; DIE;
    atomic { MY.watching = 1; MY.polls = 0 } DIE;
#ifndef REOPEN_SILENT
    MY_BELL_RINGS = 1; DIE;
#else
    MY_BELL_RINGS = !reopens; DIE;
#endif
wait:
    MY.waits = 1;
end_wait:
    if
    :: atomic { MY_BELL_RINGS || SLICE_ENDS(me) || POLL_FINDS(me) -> MY.waits = 0 }
    :: atomic { MAY_CLOSE && MY.life < LIVES -> MY.waits = 0 } goto close
    :: atomic { reopens < REOPENS -> reopens++; MY.waits = 0; MY_BELL_LISTENS = 0; MY_BELL_RINGS = 0 } goto begin
    fi;
look:
    if
    :: atomic { value > MY.seen -> MY.seen++ } goto wait /* the descriptor stays readable: he comes again */
    :: else
    fi;
#ifdef LOOK_EARLY
    if :: value > MY.seen -> goto wait :: else fi;
#endif
    arm(0);
    goto wait;

close:
    atomic { MY_BELL_LISTENS = 0; MY_BELL_RINGS = 0; MY.polls = 0 } DIE;
    forget_bell(me);
killed:
    atomic {
        finds = 0; MY.lives = 0; MY_BELL_LISTENS = 0; MY_BELL_RINGS = 0; MY.waits = 0; MY.polls = 0;
        if :: MY.clearing == me + 1 -> MY.clearing = 0 :: else fi
    }
    if :: MY.life == LIVES -> goto end :: else fi;
    /* CLAIM by another, who begins with what there is then */
    atomic { !MY.clearing -> MY.clearing = me + 1 } DIE;
    forget_bell(me);
    MY.lives = 1; DIE;
    atomic { MY.life++; MY.seen = value; MY.clearing = 0 }
    goto begin;
end:
    skip
}

#ifdef THREADS
/* Another thread of the same watcher, who looks now and then. */
proctype Second(byte me) {
    bit finds; byte looks;
    do
    :: looks == THREADS -> break
    :: else ->
        looks++;
        if :: atomic { value > MY.seen -> MY.seen++ } :: else -> arm(1) fi
    od;
killed: /* never */
    skip
}
#endif

#define LISTENS at[w].listens[bell]

proctype Teller(byte me) { /* as `process` of CLEAR: WATCHERS + me */
    byte n, w, bell; bit e_armed, told, won, clears;
    do
    :: n == ROUNDS -> break
    :: else ->
#ifdef CHANGE_LATE
        atomic { event.is_seen[me] = 1; e_armed = event_armed } DIE;
        atomic { value++; owes[me] = 1 } DIE;
#else
        atomic { value++; owes[me] = 1 } DIE;
        atomic { event.is_seen[me] = 1; e_armed = event_armed; set_owed(0); owed_sleep = 0; owes[me] = 1; owes[3 - me] = 0 } DIE; /* 5 */
#endif
        if :: !e_armed -> goto next :: else fi;
        told = 1;
        do
        :: w == WATCHERS -> break
        :: else ->
            if :: !at[w].watching -> goto rang :: else fi;
            atomic {                                                                            /* 6 */
                if :: !at[w].armed -> goto rang :: else fi;
                at[w].word.is_seen[me] = 1;
#ifdef RESET
                at[w].was_first[me] = at[w].first_is_armed
#endif
            }
            bell = at[w].life;
#ifdef DISARM_FIRST
            atomic { if :: at[w].word.is_seen[me] -> at[w].armed = 0 :: else fi } DIE;
#endif
            if
            :: atomic { limits < LIMITS -> limits++; told = 0; at[w].owed = at[w].owed || owes[me] }
            :: atomic { REACHES(me) && LISTENS -> at[w].rung[bell] = 1 } DIE;
#ifndef DISARM_FIRST
                atomic { if :: at[w].word.is_seen[me] -> at[w].armed = 0 :: else fi } DIE
#endif
            :: atomic { (!REACHES(me) || !LISTENS) && !at[w].lives } /* RECOVER, one try */
                atomic { if :: !at[w].clearing -> at[w].clearing = WATCHERS + me; clears = 1 :: else fi } DIE;
                if
                :: clears ->
                    if :: !at[w].lives -> forget_bell(w) :: else fi;
                    atomic { at[w].clearing = 0; clears = 0 }
                :: else
                fi
            :: atomic { (!REACHES(me) || !LISTENS) && at[w].lives -> /* he cannot be reached, or has no bell any more, or not yet */
                    at[w].owed = at[w].owed || owes[me];
#ifndef UNHEARD_TOLD
                    told = 0
#endif
                }
                DIE;
#ifndef DISARM_UNHEARD
                atomic { if :: at[w].word.is_seen[me] && at[w].armed && !at[w].unheard -> at[w].unheard = 1; COUNT(at[w].word) :: else fi } DIE
#else
                atomic { if :: at[w].word.is_seen[me] -> at[w].armed = 0 :: else fi } DIE
#endif
            fi;
rang:
            atomic { at[w].word.is_seen[me] = 0; bell = 0; w++ }
        od;
        atomic {                                                                                /* 7 */
            if
            :: event.is_seen[me] && event_armed ->
                won = 1; COUNT(event);
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
        atomic { owes[me] = 0; won = 0; told = 0; e_armed = 0; event.is_seen[me] = 0; w = 0; n++ }
    od;
    goto end;
killed:
    atomic {
        if :: w < WATCHERS && at[w].clearing == WATCHERS + me -> at[w].clearing = 0 :: else fi;
        if :: w < WATCHERS -> at[w].word.is_seen[me] = 0 :: else fi;
        if :: owes[me] -> set_owed(1); owed_sleep = 1; owes[me] = 0 :: else fi;
        event.is_seen[me] = 0; bell = 0; told = 0; e_armed = 0; clears = 0; w = 0;
        if :: won -> disarmed = disarmed | asleep; won = 0 :: else fi
    }
end:
    skip
}

#ifdef SLEEPER
proctype Sleeper() {
    do
    :: needed > 2 * ROUNDS -> break
    :: else ->
        atomic { event_armed = 1; event.is_seen[0] = 1; owed_sleep = 0; disarmed = 0 };
        if
        :: value >= needed -> needed++
        :: else ->
            atomic { if :: event.is_seen[0] && event_armed -> asleep = 1 :: else fi };
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
        assert(!at[0].waits || value <= at[0].seen);
        assert(!at[0].polls || !at[0].armed); /* nobody tries to ring in vain for ever */
#if WATCHERS > 1
        assert(!at[1].waits || value <= at[1].seen);
        assert(!at[1].polls || !at[1].armed);
#endif
        assert(!asleep || value < needed)
    fi
}

init {
    atomic {
        run Watcher(0); run Teller(1); run Teller(2);
#ifdef THREADS
        run Second(0);
#endif
#if WATCHERS > 1
        run Watcher(1);
#endif
#ifdef SLEEPER
        run Sleeper()
#endif
    }
}

/* The single-copy lock without a BROKEN state (docs/decisions/0001): two writers and a reader, death possible at every step.
 *
 * Claim: whoever gets in without being told that an owner died finds the bytes whole.
 * MUTATION MARK_AFTER        the mark is set in a step of its own after the takeover
 * MUTATION CLEAR             unlock clears the mark though nobody repaired
 * MUTATION NO_INSIDE         a writer does not say that it is inside
 * MUTATION NO_DRAIN          a writer does not wait for readers */
#define DEATHS 2
byte owner, inside, dirty;        /* the writer word: one atomic object. owner: process + 1 */
byte pin;                         /* of the reader */
bool alive[3];
bool torn;                        /* ghost: half an edit stands in the bytes */
byte writers_in, readers_in, deaths;

#define DIE if :: skip :: deaths < DEATHS -> atomic { deaths++; alive[me] = false; writers_in = writers_in - in; in = 0; goto dead } fi

inline takeover(to) { /* to: 0 free, me + 1 mine */
#ifdef MARK_AFTER
    atomic { if :: owner == seen -> owner = to; mark = inside; inside = 0; got = 1 :: else -> got = 0 fi };
    DIE;
    if :: got && mark -> dirty = 1 :: else fi
#else
    atomic { if :: owner == seen -> owner = to; dirty = dirty | inside; inside = 0; got = 1 :: else -> got = 0 fi }
#endif
}

proctype Writer(byte me) {
    byte seen, got, mark, in, told;
again:
    seen = owner; DIE;
    if
    :: seen == 0 -> atomic { if :: owner == 0 -> owner = me + 1; got = 1 :: else -> got = 0 fi }
    :: seen != 0 && !alive[seen - 1] -> takeover(me + 1)
    :: seen != 0 && alive[seen - 1] -> (owner != seen || !alive[seen - 1]); got = 0
    fi;
    if :: !got -> goto again :: else fi;
    DIE;
#ifndef NO_DRAIN
    (pin == 0 || !alive[2]);
    DIE;
#endif
    atomic { told = dirty;
#ifndef NO_INSIDE
             inside = 1
#endif
           };
    atomic { writers_in++; in = 1; assert(writers_in == 1 && readers_in == 0); assert(!torn || told); torn = true };
    DIE;                          /* half an edit */
    mark = 0;
    if :: told -> if :: mark = 1 :: skip fi :: else -> mark = 1 fi; /* repaired, or the edit finished; or left as it was found */
    atomic { if :: mark -> torn = false :: else fi; writers_in--; in = 0 };
    DIE;
#ifdef CLEAR
    atomic { owner = 0; inside = 0; dirty = 0 };
#else
    atomic { owner = 0; inside = 0; if :: mark -> dirty = 0 :: else fi };
#endif
dead: skip
}

proctype Reader(byte me) {
    byte seen, got, mark, in, told;
again:
    pin = 1; DIE;
    atomic { seen = owner; told = dirty };
    if
    :: seen == 0 -> skip
    :: seen != 0 -> pin = 0; DIE;
        if
        :: !alive[seen - 1] -> takeover(0)
        :: alive[seen - 1] -> (owner != seen || !alive[seen - 1])
        fi;
        goto again
    fi;
    atomic { readers_in++; assert(writers_in == 0); assert(!torn || told) };
    atomic { assert(writers_in == 0); readers_in--; pin = 0 };
dead: pin = 0
}

init {
    atomic { alive[0] = true; alive[1] = true; alive[2] = true; run Writer(0); run Writer(1); run Reader(2) }
}

/* The lock of a handle (src/sync/local.h): its first thread enters by plain stores, which stay on their way for a while, until a second thread
 * comes, revokes that, and has the first pass a barrier; from then on all of them take turns at a word. Two come, at any time.
 *
 * Claim: one thread at a time is inside, and everybody gets in.
 *
 * MUTATION NO_BARRIER in plain     who revokes does not have the owner pass a barrier
 * MUTATION LOOK_FIRST in plain     the owner looks whether it still is one before it announces itself
 * MUTATION NO_WAIT in plain        who revokes does not wait until the owner has left
 */
#define OWNED 0
#define REVOKING 1
#define SHARED 2
byte owner = OWNED;
bit inside, taken;             /* as memory has them */
byte queued; bit value[3];     /* stores of `inside` by the owner that are on their way, in order */
byte in;

/* A store of the owner's arrives. */
active proctype Arrival() {
end:
    do
    :: atomic { queued > 0 -> inside = value[0]; value[0] = value[1]; value[1] = value[2]; queued-- }
    od
}

inline store_inside(v) { atomic { queued < 3 -> value[queued] = v; queued++ } }

inline take_turn() { /* a swap passes a barrier of its own */
    atomic { queued == 0 && !taken -> taken = 1 }
}

inline work() {
    in++;
    assert(in == 1);
    in--
}

active proctype Owner() {
    byte rounds; bit by_store;
    do
    :: rounds == 3 -> break
    :: else ->
        rounds++; by_store = 0;
        if
        :: owner == OWNED ->
#ifdef LOOK_FIRST
            if :: owner == OWNED -> store_inside(1); by_store = 1 :: else fi
#else
            store_inside(1);
            if :: owner == OWNED -> by_store = 1 :: else -> store_inside(0) fi
#endif
        :: else
        fi;
        if
        :: by_store -> skip
        :: else ->
            (owner == SHARED);
            take_turn()
        fi;
        work();
        if :: by_store -> store_inside(0) :: else -> taken = 0 fi
    od
}

active [2] proctype Comer() {
    bit revokes;
    atomic { if :: owner == OWNED -> owner = REVOKING; revokes = 1 :: else fi };
    if
    :: revokes ->
#ifndef NO_BARRIER
        (queued == 0);
#endif
#ifndef NO_WAIT
        (inside == 0);
#endif
        owner = SHARED
    :: else -> (owner == SHARED)
    fi;
    atomic { !taken -> taken = 1 };
    work();
    taken = 0
}

/* Fairness of the lock (docs/protocols/lock-block-wait.md): two writers that come back for ever, and one who wants in once, as a writer or as
 * a reader. Nobody sleeps here: who waits looks again and again, which is the worst for who is passed over.
 *
 * Claim: who wants in gets in, in every fair run. With a victim that may die while it has the turn, or is about to: the others go on. With one
 * that is stopped and wants in: the others wait for it once, and not each time that the turn comes to it.
 *
 * LIVE writer  -DVICTIM_WRITES
 * LIVE reader
 * LIVE dying   -DVICTIM_WRITES -DDIES
 * LIVE stopped -DVICTIM_WRITES -DSTOPS
 *
 * MUTATION NO_TURN in reader        nobody asks for the turn
 * MUTATION RACED in writer          whose turn ended leaves it to who is quickest, instead of handing it on
 * MUTATION NO_DOUBT in dying        the turn of a dead one stands
 * MUTATION WANT_STAYS in stopped    whoever clears a stale turn leaves its thread's wish
 */
byte owner, turn;            /* slot + 1 */
byte pin; bit want[3], dead, is_stopped;
byte waits;                  /* ghost: how often others have waited for one that is stopped */
bit got_in, beat;            /* beat: a hot writer was in */

inline ask() {
#ifndef NO_TURN
    want[me] = 1;
    if
    :: atomic { turn == 0 -> turn = me + 1 }
#ifndef NO_DOUBT
    :: atomic { turn == 3 && dead -> turn = 0 }
    :: atomic { turn == 3 && is_stopped && owner == 0 -> turn = 0; waits++; assert(waits < 3) } /* stale */
#ifndef WANT_STAYS
        want[2] = 0
#endif
#endif
    :: else
    fi
#else
    skip
#endif
}

/* Inside, whose turn it was: to the next who wants it, and back again if he has gone in the meantime. */
inline hand_on() {
    want[me] = 0;
    if
    :: turn == me + 1 ->
#ifdef RACED
        atomic { if :: turn == me + 1 -> turn = 0 :: else fi }
#else
        n = 1;
        do
        :: n == 3 -> atomic { if :: turn == me + 1 -> turn = 0 :: else fi }; break
        :: else ->
            x = (me + n) % 3;
            if
            :: want[x] ->
                atomic { if :: turn == me + 1 -> turn = x + 1 :: else -> n = 3 fi };
                if
                :: n == 3 || want[x] -> break
                :: else -> atomic { if :: turn == x + 1 -> turn = me + 1; n++ :: else -> n = 4 fi };
                    if :: n == 4 -> break :: else fi
                fi
            :: else -> n++
            fi
        od;
        n = 0; x = 0
#endif
    :: else
    fi
}

/* A hot one, or the victim: then once. */
proctype Writer(byte me; bit hot) {
    byte n, x; bit asked, taken;
again:
    do
    :: turn != 0 && turn != me + 1 -> ask(); asked = 1
    :: else ->
        atomic { if :: owner == 0 -> owner = me + 1; taken = 1 :: else -> taken = 0 fi };
        if :: taken -> break :: else -> ask(); asked = 1 fi
    od;
    if :: asked -> hand_on(); asked = 0 :: else fi;
    (pin == 0);
    if :: hot -> beat = 1; beat = 0 :: else -> got_in = 1 fi;
    owner = 0;
    if :: hot -> goto again :: else fi
}

proctype Reader(byte me) {
    byte n, x; bit asked;
    do
    :: owner != 0 -> ask(); asked = 1
    :: else ->
        pin++;
        if :: owner == 0 -> break :: else -> pin--; ask(); asked = 1 fi
    od;
    got_in = 1;
    pin--;
    if :: asked -> hand_on() :: else fi
}

/* Asks, and dies, or is stopped; its turn and its `want` stay. */
proctype Dying(byte me) {
    byte n, x;
    if :: ask() :: skip fi;
#ifdef STOPS
    is_stopped = 1
#else
    dead = 1
#endif
}

init {
    atomic {
        run Writer(0, 1); run Writer(1, 1);
#if defined(DIES) || defined(STOPS)
        run Dying(2)
#else
#ifdef VICTIM_WRITES
        run Writer(2, 0)
#else
        run Reader(2)
#endif
#endif
    }
}

#if defined(DIES) || defined(STOPS)
ltl progress { []<> beat }
#else
ltl progress { <> got_in }
#endif

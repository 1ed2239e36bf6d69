/* The only writer of a stream publishes by plain stores (docs/protocols/ring.md, ONLY WRITER). Its stores pass through a queue before others
 * see them, as on x86; a barrier of others waits until the queue has been empty. One cell, three buffers.
 *
 * Claims: what is pinned does not change · who has joined is not overtaken · nobody sleeps over a value that was published.
 *
 * CONFIG pins    -DPINS
 * CONFIG joins   -DJOINS
 * CONFIG sleeps  -DSLEEPS
 *
 * MUTATION PIN_UNANNOUNCED in pins      the first pin passes no barrier
 * MUTATION LOOK_ONCE in pins            the writer does not look again whether somebody pins
 * MUTATION NO_FENCE in pins             it does, but looks at the tickets without a fence
 * MUTATION SUSPECT_NOTHING in pins      it does, and takes the replaced buffer all the same
 * MUTATION JOIN_UNANNOUNCED in joins    who joins passes no barrier
 * MUTATION SLEEP_UNANNOUNCED in sleeps  who sleeps passes no barrier
 */
#define VALUES 4
#define DEPTH 3
mtype = { DATA, CELL };
byte cell_number = 0, cell_buffer = 0; bit cell_pin = 0;  /* value 0 is there at first, in buffer 0 */
byte data[3];
byte pinned = 0, ticket = 0;                              /* buffer + 1 */
byte epoch = 0, cursor = 250; bit awaited = 0;
bit armed = 0, asleep = 0;
bit done = 0;
/* The queue of the writer's stores: what, which buffer, which value. */
mtype kind[DEPTH]; byte where[DEPTH], what[DEPTH]; byte queued = 0;

proctype Drain() {
    do
    :: atomic { queued > 0 ->
            if
            :: kind[0] == DATA -> data[where[0]] = what[0]
            :: kind[0] == CELL -> cell_number = what[0]; cell_buffer = where[0]; cell_pin = 0
            fi;
            kind[0] = kind[1]; where[0] = where[1]; what[0] = what[1];
            kind[1] = kind[2]; where[1] = where[2]; what[1] = what[2];
            queued-- }
    :: done && queued == 0 -> break
    od
}

inline store(k, w, v) { atomic { queued < DEPTH -> kind[queued] = k; where[queued] = w; what[queued] = v; queued++ } }

proctype Writer() {
    byte t = 1, hand = 1, spare = 2, mine = 0, seen, slowest = 250, known = 0, p;
    bit old_pin, suspect;
    do
    :: t <= VALUES ->
        suspect = 0;
        store(DATA, hand, t);
        p = pinned;
#ifdef JOINS
again:
        if
        :: epoch != known || (slowest != 250 && t >= slowest + 1) ->
            known = epoch;
            slowest = (awaited -> cursor : 250);
            if :: slowest != 250 && t >= slowest + 1 -> (cursor != slowest || epoch != known); known = 249; goto again :: else fi
        :: else
        fi;
#endif
        /* What it sees in the cell: its own last store, or what another has made of it. */
        atomic { if :: queued > 0 && (kind[0] == CELL || (queued > 1 && kind[1] == CELL)) -> old_pin = 0 :: else -> old_pin = cell_pin fi };
        if
        :: p == 0 ->
            store(CELL, hand, t);
#ifndef LOOK_ONCE
            p = pinned;
            if
            :: p != 0 ->
#ifndef NO_FENCE
                (queued == 0);
#endif
#ifndef SUSPECT_NOTHING
                suspect = 1
#endif
            :: else
            fi
#endif
        :: else ->
            (queued == 0);
            atomic { old_pin = cell_pin; cell_number = t; cell_buffer = hand; cell_pin = 0 }
        fi;
#ifdef SLEEPS
        if :: armed -> atomic { armed = 0; asleep = 0 } :: else fi;
#endif
        /* `mine` is what the cell held before. It is taken at once, or the spare one is, whichever nobody has. */
        if
        :: !suspect && !old_pin -> seen = hand; hand = mine; mine = seen
        :: else ->
            if
            :: ticket == mine + 1 -> seen = spare; spare = mine; mine = hand; hand = seen
            :: ticket != mine + 1 -> seen = hand; hand = mine; mine = seen
            fi
        fi;
        /* The spare one may have been pinned before: it is not used while it is. */
        if :: ticket == hand + 1 && (suspect || old_pin) -> (ticket != hand + 1) :: else fi;
        t++
    :: else -> break
    od;
    done = 1
}

#ifdef PINS
proctype Pinner() {
    byte s, b, rounds = 0; bit ok;
    do
    :: rounds < 2 ->
        rounds++;
        if
        :: pinned != 2 ->
            if :: pinned == 0 -> pinned = 1 :: else fi;
#ifndef PIN_UNANNOUNCED
            (queued == 0);
#endif
            pinned = 2
        :: else
        fi;
        atomic { s = cell_number; b = cell_buffer };
        ticket = b + 1;
        atomic { ok = (cell_number == s && cell_buffer == b); if :: ok -> cell_pin = 1 :: else fi };
        if :: ok -> assert(data[b] == s); assert(data[b] == s); assert(data[b] == s) :: else fi;
        ticket = 0
    :: else -> break
    od
}
#endif

#ifdef JOINS
proctype Joiner() {
    byte s;
    cursor = cell_number + 1;
    awaited = 1;
    epoch++;
#ifndef JOIN_UNANNOUNCED
    (queued == 0);
#endif
    s = cell_number + 1;
    cursor = s;
    do
    :: cell_number > s -> assert(false)                   /* overtaken */
    :: cell_number == s -> s++; cursor = s
    :: done && queued == 0 && cell_number < s -> break
    od
}
#endif

#ifdef SLEEPS
proctype Sleeper() {
    byte s = 0;
    do
    :: s < VALUES ->
        armed = 1;
#ifndef SLEEP_UNANNOUNCED
        (queued == 0);
#endif
        if
        :: cell_number > s -> s = cell_number
        :: else ->
            /* Asleep only while nobody has disarmed: the word is compared as it goes to sleep. */
            atomic { asleep = armed };
            (!asleep || (done && queued == 0));
            assert(!asleep || cell_number <= s)
        fi
    :: else -> break
    od
}
#endif

init {
    atomic {
        run Drain(); run Writer();
#ifdef PINS
        run Pinner();
#endif
#ifdef JOINS
        run Joiner();
#endif
#ifdef SLEEPS
        run Sleeper();
#endif
    }
}

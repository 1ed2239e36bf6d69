/* The block of two copies (docs/protocols/lock-block-wait.md): two writers who set, a transaction that fills its copy from the other and
 * publishes or gives up, a get without a lock, and a reader who pins; death of any of them at every step. The writer word is taken as
 * rwlock.pml has shown it: free, or a dead one's, in one step. A value is two words. `value` is a ghost: what version k is to be.
 *
 * Claims: whoever reads by version k finds both words of its value · versions never step back · what is pinned does not change · a
 * transaction sees the newest value · after every death the next writer goes on without a repair.
 *
 * CONFIG get    -DGET -DMAXD=2
 * CONFIG pin    -DPIN -DMAXD=2
 * CONFIG many   -DGET -DMAXD=1 -DSECOND_TRANSACTION
 * LARGE both    -DGET -DPIN -DMAXD=1
 *
 * MUTATION NO_DRAIN in pin          nobody looks at the pins
 * MUTATION PUBLISHED_EARLY in get   the sequence is stored between the two words
 * MUTATION STEPS_BACK in get        who gives up makes the sequence even again
 * MUTATION SAME_COPY in get         a writer changes the copy that is current
 * MUTATION FILL_SELF in many        a transaction begins with what its copy held before
 * MUTATION ACCEPTS_THREE in get     a get accepts one step of the sequence too many
 * MUTATION NO_CHECK in get          a get does not look at the sequence again
 * MUTATION PIN_BLIND in pin         who has pinned does not look at the sequence again
 * MUTATION PIN_MOVES in pin         a pin is moved by letting go of the one and taking the other
 */
byte owner;                    /* process + 1 */
byte sequence;                 /* 2k: copy k & 1 is current; 2k + 1: and the other one is unstable */
byte first[2], second[2];      /* the two words of each copy */
byte pins[2];                  /* of the pinning reader; nothing when it is dead */
bit dead[5];
byte value[8];
byte deaths, newest = 1;

#define DIE if :: skip :: atomic { deaths < MAXD -> deaths++; dead[me] = 1; goto out } fi
#ifdef ACCEPTS_THREE
#define WINDOW 3
#else
#define WINDOW 2
#endif

inline drain() {
#ifndef NO_DRAIN
    (pins[copy] == 0 || dead[4])
#else
    skip
#endif
}

proctype Writer(byte me; bit is_transaction) {
    byte s, k, copy, mine;
    atomic { (owner == 0 || dead[owner - 1]) -> owner = me + 1 } DIE;          /* 1 */
    s = sequence; DIE;
    k = s / 2;
#ifdef SAME_COPY
    copy = k % 2;
#else
    copy = (k + 1) % 2;
#endif
    sequence = k * 2 + 1; DIE;                                                 /* 2 */
    drain(); DIE;                                                              /* 3 */
    atomic { newest++; mine = newest };
    if
    :: is_transaction ->
#ifdef FILL_SELF
        skip;
#else
        first[copy] = first[1 - copy]; DIE;
        second[copy] = second[1 - copy]; DIE;
#endif
        assert(first[copy] == value[k] && second[copy] == value[k])
    :: else
    fi;
    first[copy] = mine; DIE;                                                   /* 4 */
#ifdef PUBLISHED_EARLY
    atomic { sequence = k * 2 + 2; value[k + 1] = mine } DIE;
#endif
    second[copy] = mine; DIE;
    if
    :: is_transaction -> /* gives up: what is left is as after a death */
#ifdef STEPS_BACK
        sequence = k * 2; DIE;
#endif
        skip
    :: true ->
#ifndef PUBLISHED_EARLY
        atomic { sequence = k * 2 + 2; value[k + 1] = mine } DIE               /* 5 */
#endif
    fi;
    atomic { assert(owner == me + 1); owner = 0 };                             /* 6 */
out:
    skip
}

/* Copies, and looks whether it was left alone. */
proctype Get() {
    byte s, k, a, b, reads, last;
    do
    :: reads == 2 -> break
    :: else ->
        s = sequence; k = s / 2;
        a = first[k % 2];
        b = second[k % 2];
#ifndef NO_CHECK
        s = sequence;
#endif
        if
        :: s - 2 * k <= WINDOW -> atomic { assert(a == value[k] && b == value[k]); assert(k >= last); last = k; reads++ }
        :: else
        fi
    od
}

/* Pins the copy that is current, in a bounded number of steps, and reads in place. */
proctype Pin(byte me) {
    byte s, copy;
    s = sequence; copy = (s / 2) % 2; DIE;
    pins[copy]++; DIE;
#ifndef PIN_BLIND
    s = sequence; DIE;
    if
    :: (s / 2) % 2 != copy ->
#ifdef PIN_MOVES
        pins[copy]--; DIE;
        copy = 1 - copy;
        pins[copy]++; DIE;
        s = sequence
#else
        pins[1 - copy]++; DIE;
        s = sequence; DIE;
        copy = (s / 2) % 2;
        pins[1 - copy]--; DIE
#endif
    :: else
    fi;
#endif
    assert(first[copy] == value[s / 2]);
    DIE;
    assert(second[copy] == value[s / 2]);
    DIE;
    assert(first[copy] == value[s / 2]);
    pins[copy]--;
out:
    skip
}

init {
    atomic {
        value[0] = 1; first[0] = 1; second[0] = 1; first[1] = 1; second[1] = 1;
        run Writer(0, 0); run Writer(1, 0); run Writer(2, 1);
#ifdef SECOND_TRANSACTION
        run Writer(3, 1);
#endif
#ifdef GET
        run Get();
#endif
#ifdef PIN
        run Pin(4)
#else
        dead[4] = 1
#endif
    }
}

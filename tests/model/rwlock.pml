/* The reader-writer lock of a single copy (docs/protocols/lock-block-wait.md): the writer word with its marks, the pins, takeover from the
 * dead, recovery of slots, who comes next in a slot that another had, those who close in order, also with the lock in hand, and deadlines
 * that pass; death possible at every step. EVENT is taken as it is claimed to be (event.pml): who has registered and is not woken sleeps. The
 * end of a slice helps only where it must: what is waited for is a dead one's, or a dead one owed the wake.
 *
 * Claims: a writer is alone inside · whoever is let in without being told that an owner died finds the bytes whole · a mark that nobody
 * declared repaired stays (docs/decisions/0001) · a word is taken from nobody who lives, and nobody's slot is cleared under him · nobody
 * sleeps for ever.
 *
 * CONFIG mixed    -DWRITERS=1 -DREADERS=1 -DMAXD=2 -DREBIRTHS=1
 * CONFIG writers  -DWRITERS=2 -DREADERS=0 -DMAXD=2 -DREBIRTHS=1
 * CONFIG calm     -DWRITERS=2 -DREADERS=1 -DMAXD=0 -DREBIRTHS=0
 * CONFIG three    -DWRITERS=2 -DREADERS=1 -DMAXD=1 -DREBIRTHS=0
 * CONFIG reborn   -DWRITERS=2 -DREADERS=1 -DMAXD=1 -DREBIRTHS=1
 * CONFIG readers  -DWRITERS=1 -DREADERS=2 -DMAXD=1 -DREBIRTHS=1
 * CONFIG hurried  -DWRITERS=2 -DREADERS=1 -DMAXD=1 -DREBIRTHS=0 -DGIVEUPS=1
 * CONFIG hasty    -DWRITERS=2 -DREADERS=1 -DMAXD=0 -DREBIRTHS=0 -DGIVEUPS=2
 * CONFIG closed   -DWRITERS=1 -DREADERS=1 -DMAXD=1 -DREBIRTHS=1 -DCLOSES=2
 * CONFIG closed3  -DWRITERS=2 -DREADERS=1 -DMAXD=0 -DREBIRTHS=1 -DCLOSES=1
 * LARGE closing   -DWRITERS=2 -DREADERS=1 -DMAXD=1 -DREBIRTHS=1 -DCLOSES=1
 * LARGE reborn2   -DWRITERS=2 -DREADERS=1 -DMAXD=2 -DREBIRTHS=2
 *
 * MUTATION MARK_AFTER in three       the mark is set in a step of its own after the takeover
 * MUTATION CLEAR_MARK in writers     unlock clears the mark though nobody repaired
 * MUTATION NO_INSIDE in writers      a writer does not say that it is inside
 * MUTATION NO_DRAIN in calm          a writer does not wait for readers
 * MUTATION PIN_LATE in calm          a reader looks at the writer word before its pin is set
 * MUTATION NO_WAKE_BACK in calm      a reader that backs out wakes no writer
 * MUTATION NO_WAKE_LEAVE in calm     a reader that leaves wakes no writer
 * MUTATION NO_WAKE_FREE in calm      unlock wakes nobody
 * MUTATION NO_GENERATION in reborn   words name a slot, and not which life of it
 * MUTATION UNCLEARED in mixed        who comes next in a slot leaves the pins of the dead
 * MUTATION GIVEUP_UNMARKS in hurried a writer whose deadline passes while it waits for readers lets go without the mark that it took over
 * MUTATION GIVEUP_KEEPS in hasty      and does not let go at all
 * MUTATION GIVEUP_SILENT in hasty     and wakes nobody
 * MUTATION RECOVER_BLIND in mixed    a slot is cleared without looking, with CLEAR in hand, whether somebody lives there by now
 * MUTATION CLOSE_EARLY in closed     who closes gives up its byte before it has cleared its slot
 * MUTATION CLOSE_SILENT in closed3   and wakes nobody
 * MUTATION CLOSE_UNMARKED in closed  and, in the middle of an edit, lets go of the word without the mark
 * MUTATION NO_SLICE in mixed         sleeps have no end of their own
 */
#define N (WRITERS + READERS)
byte owner, owner_life; bit inside, dirty;      /* the writer word: one atomic object. owner: slot + 1 */
byte pin[N], life[N]; bit live[N], byte_held[N]; /* of each slot: pins, generation, what its word says, its lock byte */
byte clearing[N];                               /* CLEAR of each slot: who has it + 1 */
bit at_gate[N], at_drain[N];                    /* registered to be woken */
bit owed_gate[N], owed_drain[N];                /* ghosts: by a dead one, since before the last registering */
bit torn;                                       /* ghosts: half an edit stands in the bytes · an owner died inside, unrepaired */
byte writers_in, readers_in, deaths, rebirths;

#ifndef GIVEUPS
#define GIVEUPS 0
#endif
#ifndef CLOSES
#define CLOSES 0
#endif
byte closes;
byte giveups; /* deadlines that have passed */
#define GIVE_UP atomic { giveups < GIVEUPS -> giveups++ }
#define MAY_CLOSE atomic { closes < CLOSES -> closes++ }

/* Stands behind every change; a death after a look is the same as one before it. */
#define DIE if :: skip :: atomic { deaths < MAXD -> deaths++ } goto killed fi
#ifdef NO_SLICE
#define GATE_SLICE_ENDS false
#define DRAIN_SLICE_ENDS false
#else
#define GATE_SLICE_ENDS (owed_gate[me] || (owner && (!MATCHES(owner - 1, owner_life) || !byte_held[owner - 1])))
#define DRAIN_SLICE_ENDS (owed_drain[me] || !byte_held[s])
#endif
#ifdef NO_GENERATION
#define SAME_OWNER (owner == seen)
#define IS_MINE (seen == me + 1)
#define MATCHES(s, g) live[s]
#else
#define SAME_OWNER (owner == seen && owner_life == seen_life)
#define IS_MINE (seen == me + 1 && seen_life == life[me])
#define MATCHES(s, g) (live[s] && life[s] == g)
#endif

inline wake_gate() { d_step { for (i : 0 .. N - 1) { at_gate[i] = 0 } i = 0; owes_gate = 0 } }
inline wake_drain() { d_step { for (i : 0 .. N - 1) { at_drain[i] = 0 } i = 0; owes_drain = 0 } }
/* Who waits; what a dead one owed before does not count any more, since the look comes after this. */
#define ARM_GATE atomic { at_gate[me] = 1; owed_gate[me] = 0 }
#define ARM_DRAIN atomic { at_drain[me] = 1; owed_drain[me] = 0 }

/* PROBE of the writer word that was seen. */
inline probe() {
    if
    :: IS_MINE -> is_dead = 0
    :: else ->
        if
        :: MATCHES(seen - 1, seen_life) -> is_dead = !byte_held[seen - 1]
        :: else -> is_dead = 1
        fi
    fi
}

/* WRITER WORD 3: to me, or to free. */
inline take_from_dead(to, to_life) {
    atomic {
        if
        :: SAME_OWNER && inside == seen_inside ->
            assert(!byte_held[owner - 1] || !live[owner - 1] || life[owner - 1] != owner_life);
            owner = to; owner_life = to_life; got = 1; owes_gate = !to;
#ifndef MARK_AFTER
            dirty = dirty | inside;
#endif
            inside = 0
        :: else -> got = 0
        fi
    };
#ifdef MARK_AFTER
    DIE;
    if :: got && seen_inside -> dirty = 1 :: else fi
#endif
}

#ifdef CLOSE_UNMARKED
#define MARK_LEFT dirty = dirty | (inside && !byte_held[s])
#else
#define MARK_LEFT dirty = dirty | inside
#endif
#ifdef CLOSE_SILENT
#define UNLESS_CLOSING(wake) if :: byte_held[s] -> atomic { owes_gate = 0; owes_drain = 0 } :: else -> wake() fi
#else
#define UNLESS_CLOSING(wake) wake()
#endif

/* All that a slot's holder left: it is dead, and CLEAR of it is mine; or I am that, and close. May be done again after a death anywhere. */
inline forget(s) {
    atomic { seen = owner; seen_life = owner_life; seen_inside = inside };
    if
    :: seen == s + 1 ->
        atomic { if :: SAME_OWNER -> owner = 0; owner_life = 0; MARK_LEFT; inside = 0; owes_gate = 1 :: else fi };
        DIE; UNLESS_CLOSING(wake_gate)
    :: else
    fi;
#ifndef UNCLEARED
    atomic { pin[s] = 0; owes_drain = 1 } DIE;
#endif
    UNLESS_CLOSING(wake_drain)
}

inline clear(s) { live[s] = 0; DIE; forget(s) }

/* Who dies between a change and its wake. */
inline leave_owed() {
    d_step {
        for (i : 0 .. N - 1) {
            if :: owes_gate -> owed_gate[i] = owed_gate[i] | at_gate[i] :: else fi;
            if :: owes_drain -> owed_drain[i] = owed_drain[i] | at_drain[i] :: else fi
        }
        i = 0; owes_gate = 0; owes_drain = 0
    }
}

/* An orderly end: whoever comes next in the slot is another process, and need not wait for this one to have ended. */
proctype Closer(byte me) {
    byte seen, seen_life, i; bit seen_inside, owes_gate, owes_drain;
#ifdef CLOSE_EARLY
    byte_held[me] = 0; DIE;
#endif
    forget(me);
    live[me] = 0; DIE;
    byte_held[me] = 0;
    goto end;
killed:
    atomic { byte_held[me] = 0; leave_owed() }
end:
    skip
}

proctype Member(byte me; bit writes) {
    byte seen, seen_life, i, s; bit seen_inside, is_dead, got, told, repairs, was_in, owes_gate, owes_drain;
    goto begin;

killed: /* the kernel lets go of what its locks were on, and somebody may come in its place */
    atomic {
        byte_held[me] = 0; at_gate[me] = 0; at_drain[me] = 0;
        for (i : 0 .. N - 1) { if :: clearing[i] == me + 1 -> clearing[i] = 0 :: else fi }
        i = 0;
        leave_owed();
        if :: was_in && writes -> writers_in-- :: was_in && !writes -> readers_in-- :: else fi;
        was_in = 0; seen = 0; seen_life = 0; seen_inside = 0; is_dead = 0; got = 0; told = 0; repairs = 0; s = 0
    }
    if
    :: goto end
    :: atomic { rebirths < REBIRTHS -> rebirths++ }
    fi;

claim:
    atomic { !clearing[me] && !byte_held[me] -> clearing[me] = me + 1 } DIE;
    clear(me); DIE;
    byte_held[me] = 1; DIE;
    atomic { assert(pin[me] == 0); life[me]++; live[me] = 1 } DIE;
    clearing[me] = 0;

begin:
    if :: writes -> goto write :: else fi;

read:
#ifdef PIN_LATE
    atomic { seen = owner; seen_life = owner_life; seen_inside = inside; told = dirty }; DIE;
    pin[me]++; DIE;
#else
    pin[me]++; DIE;
    atomic { seen = owner; seen_life = owner_life; seen_inside = inside; told = dirty }; DIE;
#endif
    if
    :: seen ->
        atomic { assert(pin[me]); pin[me]--; owes_drain = 1 } DIE;
#ifndef NO_WAKE_BACK
        wake_drain();
#endif
        owes_drain = 0;
        goto wait
    :: else
    fi;
    atomic { readers_in++; was_in = 1; assert(!writers_in); assert(!torn || told) };
    DIE;
    if :: MAY_CLOSE; goto close :: skip fi;
    atomic { assert(!writers_in); readers_in--; was_in = 0 };
    atomic { assert(pin[me]); pin[me]--; owes_drain = 1 } DIE;
#ifndef NO_WAKE_LEAVE
    wake_drain();
#endif
    goto done;

write:
    atomic { seen = owner; seen_life = owner_life; told = dirty }; DIE;                                 /* 1 */
    if :: seen -> goto wait :: else fi;
    atomic { if :: !owner && dirty == told -> owner = me + 1; owner_life = life[me]; inside = 0; got = 1 :: else -> got = 0 fi };
    if :: !got -> goto write :: else fi;
    DIE;
drain:
#ifndef NO_DRAIN
    s = WRITERS;
    do
    :: s == N -> break
    :: else ->
        if
        :: pin[s] == 0 -> s++
        :: else ->
            ARM_DRAIN; DIE;
            if
            :: pin[s] == 0 -> s++
            :: else ->
                if
                :: !byte_held[s] -> /* RECOVER: tried once; others may be at it */
                    DIE;
                    atomic { if :: !clearing[s] -> clearing[s] = me + 1; got = 1 :: else -> got = 0 fi };
                    DIE;
                    if
                    :: got ->
#ifndef RECOVER_BLIND
                        if :: byte_held[s] -> skip :: else -> clear(s) fi;
#else
                        clear(s);
#endif
                        DIE;
                        clearing[s] = 0
                    :: else
                    fi;
                    s++
                :: else ->
                    if
                    :: (!at_drain[me] || DRAIN_SLICE_ENDS)
                    :: GIVE_UP; goto let_go
                    fi
                fi
            fi
        fi
    od;
    s = 0; at_drain[me] = 0;
#endif
    DIE;
    atomic {
        told = dirty;
#ifndef NO_INSIDE
        inside = 1;
#endif
        writers_in++; was_in = 1;
        assert(owner == me + 1 && owner_life == life[me]);
        assert(writers_in == 1 && !readers_in); assert(!torn || told); torn = 1
    };
    DIE; /* half an edit */
    if :: MAY_CLOSE; goto close :: skip fi;
    if :: told -> if :: repairs = 1 :: repairs = 0 fi :: else -> repairs = 1 fi; /* repaired, or the edit finished; or left as it was found */
    atomic { assert(writers_in == 1 && !readers_in); if :: repairs -> torn = 0 :: else fi; writers_in--; was_in = 0 };
    DIE;
    atomic {
        assert(owner == me + 1 && owner_life == life[me]); /* nobody took it from the living */
        owner = 0; owner_life = 0; inside = 0; owes_gate = 1;
#ifdef CLEAR_MARK
        dirty = 0;
#endif
        if :: repairs -> dirty = 0 :: else fi
    };
    DIE;
#ifndef NO_WAKE_FREE
    wake_gate();
#endif
    goto done;

let_go: /* the deadline has passed while it waited for readers: the word goes, and the mark stays */
    atomic {
        assert(owner == me + 1 && owner_life == life[me]);
#ifndef GIVEUP_KEEPS
        owner = 0; owner_life = 0; inside = 0; owes_gate = 1;
#ifdef GIVEUP_UNMARKS
        dirty = 0;
#endif
#endif
    };
    DIE;
#ifndef GIVEUP_SILENT
    wake_gate();
#endif
    goto done;

wait:
    ARM_GATE; DIE;                                                                                      /* 2 */
    atomic { seen = owner; seen_life = owner_life; seen_inside = inside };
    if :: !seen -> at_gate[me] = 0; goto begin :: else fi;
    probe();
    if
    :: is_dead && writes ->
        take_from_dead(me + 1, life[me]); DIE;                                                          /* 3 */
        if :: got -> at_gate[me] = 0; goto drain :: else fi
    :: is_dead && !writes ->
        take_from_dead(0, 0); DIE;
        if :: got -> wake_gate() :: else fi
    :: else ->
        if
        :: (!at_gate[me] || GATE_SLICE_ENDS)
        :: GIVE_UP; goto done
        fi
    fi;
    at_gate[me] = 0; is_dead = 0;
    goto begin;

close: /* what it is in the middle of ends where it stands; its view is not used any more from here on */
    atomic {
        at_gate[me] = 0; at_drain[me] = 0; is_dead = 0; got = 0; told = 0; repairs = 0;
        if :: was_in && writes -> writers_in-- :: was_in && !writes -> readers_in-- :: else fi;
        was_in = 0;
        run Closer(me)
    }
    if
    :: goto end
    :: atomic { rebirths < REBIRTHS -> rebirths++ } goto claim
    fi;

done:
    atomic { at_gate[me] = 0; at_drain[me] = 0; seen = 0; seen_life = 0; got = 0; told = 0; repairs = 0; owes_gate = 0; owes_drain = 0 }
    if :: MAY_CLOSE; goto close :: skip fi;
end:
    skip
}

init {
    byte k;
    atomic {
        for (k : 0 .. N - 1) { live[k] = 1; byte_held[k] = 1; life[k] = 1 }
        for (k : 0 .. N - 1) { run Member(k, k < WRITERS) }
    }
}

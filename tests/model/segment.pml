/* The life of a segment (docs/protocols/segment.md): processes that open, also only to read, create, remove by force and without, own, disown,
 * retire and close under one name, with death of any of them at every step. A file is a number; the name leads to one of them, or to none. D and N are the dead-man's byte and the
 * name byte of each file, which the kernel frees when their holder dies. Reading a word and asking for a lock are steps of their own.
 *
 * Claims: a name is taken from no object that somebody uses, unless it was removed by force or its owner retired it, so that there are never two
 * live objects under one name · what was disowned stays · whoever unlinks hits the object he means · at the end one sweep leaves nothing, but what was to stay; and
 * where nobody was killed, nothing is left even before it · an owner that lives is never followed by another who did not ask.
 *
 * CONFIG used       -DNP=2 -DOPS=3 -DMAXD=1
 * CONFIG three      -DNP=3 -DOPS=1 -DMAXD=0
 * CONFIG removed    -DNP=2 -DOPS=2 -DMAXD=1 -DREMOVES
 * CONFIG gentle     -DNP=3 -DOPS=1 -DMAXD=1 -DREMOVES -DROLES
 * CONFIG reading    -DNP=2 -DOPS=2 -DMAXD=1 -DREADS
 * CONFIG reading3   -DNP=3 -DOPS=1 -DMAXD=1 -DOWNED -DROLES -DREADS
 * CONFIG owned      -DNP=2 -DOPS=3 -DMAXD=1 -DOWNED
 * CONFIG disowned   -DNP=3 -DOPS=1 -DMAXD=1 -DOWNED -DROLES
 * LARGE used3       -DNP=3 -DOPS=1 -DMAXD=1
 * LARGE adopted     -DNP=3 -DOPS=1 -DMAXD=1 -DOWNED
 *
 * MUTATION NO_SECOND_LOOK in used          whoever has taken D does not look again whether the name still leads there
 * MUTATION D_LATE in three                 a new object gets its name before its maker has D
 * MUTATION NO_N in removed                 who unlinks does not take N first
 * MUTATION BURY_BLIND in three             who buries does not take D first
 * MUTATION NO_LOOK_UNDER_N in three        who has N does not look again whether the name leads there
 * MUTATION NO_LAST_LOOK in used            the last who closes leaves the name
 * MUTATION REMOVE_BLIND in gentle          who removes without force does not take D first
 * MUTATION REMOVE_MISJUDGES in gentle      who found D taken, and finds it free, says that it is in use
 * MUTATION READER_FREE in reading          who only reads has no D
 * MUTATION DOOMED_OVERLOOKED in owned      who attaches does not look whether the owner has retired it
 * MUTATION ADOPT_BLIND in disowned         who adopts does not ask whether the owner lives
 * MUTATION OWNER_UNREAD in disowned        who buries does not read the owner again with D in hand
 * MUTATION UNLINK_FIRST in owned           an owner that retires takes the name away before the word says so
 */
#define FILES (NP * OPS + 1) /* more than are ever made */
#define NOBODY 0
#define DOOMED 99
#define BIT (1 << me)
/* With ROLES: one creates, one opens and has another operation, one only opens. With READS: whoever opens may do so only to read: without a
 * slot, and without a word of his in the segment; with ROLES the last one always does. */
#ifdef ROLES
#define LIMIT (me == 1 -> 2 : 1)
#define MAY_CREATE (me == 0)
#define MAY_OPEN (me != 0)
#else
#define LIMIT OPS
#define MAY_CREATE true
#define MAY_OPEN true
#endif
#ifdef READS
#define MAY_READ true
#ifdef ROLES
#define MUST_READ (me == 2)
#else
#define MUST_READ false
#endif
#else
#define MAY_READ false
#define MUST_READ false
#endif
byte name;                                   /* the file it leads to; 0: none */
byte d_shared[FILES], d_alone[FILES], n_alone[FILES]; /* of each file: who has D shared (bits), D and N exclusively (process + 1) */
byte owner[FILES];                           /* process + 1, NOBODY or DOOMED */
bit removed[FILES];                          /* ghost: its name was to go */
byte at[NP];                                 /* the file each process is attached to */
byte slot[NP];                               /* the file in which each has a slot: whoever has one lives */
byte files = 1, deaths, done;
bit disowned[FILES];                         /* ghost */

/* Stands behind every change; a death after a look is the same as one before it. */
#define DIE if :: skip :: atomic { deaths < MAXD -> deaths++ } goto killed fi
#define IN_USE(x) (at[0] == x || at[1] == x || (NP > 2 && at[NP - 1] == x))
#define LIVES(p) (slot[p - 1] == x)

#define BY_FORCE 1
#define BY_CARE 2
/* UNNAME. `outcome`: 1 done, 0 somebody else is at it. */
inline unname(x, by_removal) {
#ifndef NO_N
    atomic { if :: !n_alone[x] -> n_alone[x] = me + 1; outcome = 1 :: else -> outcome = 0 fi } DIE;
#else
    outcome = 1;
#endif
    if
    :: outcome ->
#ifndef NO_LOOK_UNDER_N
        if
        :: name == x ->
#else
        if
        :: true ->
#endif
            atomic {
                if
                :: name -> /* unlinks what is there by now */
                    assert(name == x);
                    if :: by_removal -> removed[x] = 1 :: else fi;
                    assert(!IN_USE(x) || by_removal != BY_CARE);
                    assert(!IN_USE(x) || removed[x] || owner[x] == DOOMED);
#ifdef OWNED
                    assert(removed[x] || owner[x] != NOBODY);
#endif
                    name = 0
                :: else
                fi
            }
            DIE
        :: else
        fi;
        if :: n_alone[x] == me + 1 -> n_alone[x] = 0 :: else fi
    :: else
    fi
}

/* BURY. One try. */
inline bury(x) {
#ifdef OWNED
    seen = owner[x];
    if
    :: seen == DOOMED -> unname(x, 0)
    :: else ->
#endif
#ifndef BURY_BLIND
        atomic { if :: !d_alone[x] && !d_shared[x] -> d_alone[x] = me + 1; outcome = 1 :: else -> outcome = 0 fi } DIE;
#else
        outcome = 1;
#endif
        if
        :: outcome ->
#ifdef OWNED
#ifndef OWNER_UNREAD
            seen = owner[x];
#endif
            if :: seen != NOBODY -> unname(x, 0) :: else fi;
#else
            unname(x, 0);
#endif
            if :: d_alone[x] == me + 1 -> d_alone[x] = 0 :: else fi
        :: else
        fi
#ifdef OWNED
    fi;
    seen = 0
#endif
}

/* Whether it is a leftover: `outcome` 0 no, 1 yes, 2 somebody has D. */
inline is_leftover(x) {
    atomic { outcome = (d_alone[x] -> 2 : (d_shared[x] -> 0 : 1)) }
#ifdef OWNED
    seen = owner[x];
    if
    :: seen == DOOMED -> outcome = 1
    :: outcome == 1 && seen == NOBODY -> outcome = 0
    :: else
    fi;
    seen = 0
#endif
}

inline retire(x) {
#ifdef UNLINK_FIRST
    if :: owner[x] == me + 1 -> unname(x, 0) :: else fi;
#endif
    atomic { if :: owner[x] == me + 1 -> owner[x] = DOOMED; outcome = 1 :: else -> outcome = 0 fi } DIE;
    if :: outcome -> unname(x, 0) :: else fi
}

proctype Member(byte me) {
    byte x, mine, seen, ops, outcome; bit creates, excludes, was_doomed, reads;
    goto next;

killed:
    atomic {
        at[me] = 0; slot[me] = 0;
        for (x : 1 .. FILES - 1) {
            d_shared[x] = d_shared[x] & ~BIT;
            if :: d_alone[x] == me + 1 -> d_alone[x] = 0 :: else fi;
            if :: n_alone[x] == me + 1 -> n_alone[x] = 0 :: else fi
        }
        done++
    }
    goto end;

next:
    atomic { x = at[me]; outcome = 0; seen = 0; creates = 0; excludes = 0; was_doomed = 0; reads = reads && x }
    if
    :: x -> goto close
#ifdef OWNED
    :: x && ops < LIMIT && !reads -> atomic { ops++; x = at[me] } goto own
    :: x && ops < LIMIT && owner[x] == me + 1 -> atomic { ops++; x = at[me] } goto disown
    :: x && ops < LIMIT && owner[x] == me + 1 -> atomic { ops++; x = at[me] } retire(x); goto next
#endif
    :: !x && ops < LIMIT -> ops++;
        if
        :: MAY_OPEN && !MUST_READ -> creates = 0
        :: MAY_OPEN && MAY_READ -> reads = 1
        :: MAY_CREATE -> creates = 1
        :: MAY_CREATE -> atomic { creates = 1; excludes = 1 }
#ifdef REMOVES
        :: goto remove_by_force
        :: goto remove
#endif
        fi;
        goto open
    :: !x && ops == LIMIT -> atomic { done++ } goto end
    fi;

open:
    x = name;                                                                   /* 1 */
    if
    :: !x && creates -> goto create
    :: !x && !creates -> goto next
    :: else
    fi;
    is_leftover(x);                                                             /* 3 */
    if
    :: outcome == 1 -> bury(x); goto open
    :: outcome == 2 -> goto open
    :: else
    fi;
    if
    :: excludes && name == x -> goto next                                       /* 4: exists */
    :: excludes && name != x -> goto open
    :: else
    fi;
    if :: !reads -> slot[me] = x; DIE :: else fi;                               /* 5 */
#ifdef READER_FREE
    if :: reads -> outcome = 1; goto looked :: else fi;
#endif
    atomic { was_doomed = owner[x] == DOOMED; if :: d_alone[x] -> outcome = 0 :: else -> d_shared[x] = d_shared[x] | BIT; outcome = 1 fi } DIE; /* 7 */
looked:
    if :: !outcome -> slot[me] = 0; goto open :: else fi;
#ifndef NO_SECOND_LOOK
    if :: name != x -> goto let_go :: else fi;                                  /* 8 */
#endif
#if defined(OWNED) && !defined(DOOMED_OVERLOOKED)
    if :: owner[x] == DOOMED -> goto let_go :: else fi;
#endif
    atomic { at[me] = x; assert(name == x || removed[x] || owner[x] == DOOMED) }
    assert(!was_doomed); /* what was retired when D was had is not opened any more */
#ifdef OWNED
    seen = owner[x];                                                            /* 9: adoption */
#ifdef ADOPT_BLIND
    if
    :: !reads && seen != NOBODY && seen != DOOMED ->
#else
    if
    :: !reads && seen != NOBODY && seen != DOOMED && !LIVES(seen) ->
#endif
        atomic { if :: owner[x] == seen -> assert(!LIVES(seen)); owner[x] = me + 1 :: else fi }
    :: else
    fi;
#endif
    goto next;
let_go:
    slot[me] = 0; DIE;
    d_shared[x] = d_shared[x] & ~BIT; DIE;
    goto open;

create:
    if :: !mine -> atomic { mine = files; files++ } :: else fi;
#ifdef D_LATE
    atomic { slot[me] = mine; owner[mine] = me + 1 }
    atomic { if :: !name -> name = mine; outcome = 1 :: else -> outcome = 0 fi } DIE;
    if :: outcome -> atomic { if :: !d_alone[mine] -> d_shared[mine] = BIT :: else fi } DIE :: else fi;
#else
    atomic { owner[mine] = me + 1; slot[me] = mine; d_shared[mine] = BIT } DIE;
    atomic { if :: !name -> name = mine; outcome = 1 :: else -> outcome = 0 fi } DIE;
#endif
    if
    :: outcome -> atomic { at[me] = mine; x = mine; mine = 0; assert(name == x || removed[x] || owner[x] == DOOMED) } goto next
    :: else -> atomic { slot[me] = 0; d_shared[mine] = 0 } DIE; goto open                            /* kept for the next round */
    fi;

#ifdef OWNED
own:
    seen = owner[x];
    if
    :: seen == DOOMED -> goto next
    :: else -> atomic { if :: owner[x] == seen -> owner[x] = me + 1; outcome = 1 :: else -> outcome = 0 fi }
    fi;
    DIE;
    if :: outcome -> goto next :: else -> goto own fi;
disown:
    atomic { if :: owner[x] == me + 1 -> owner[x] = NOBODY; disowned[x] = 1 :: else fi } DIE;
    goto next;
#endif

close:
#ifdef OWNED
    if :: !reads -> retire(x) :: else fi;
#endif
    atomic { at[me] = 0; slot[me] = 0 } DIE;
    d_shared[x] = d_shared[x] & ~BIT; DIE;
#ifndef NO_LAST_LOOK
    is_leftover(x);
    if :: outcome == 1 && !removed[x] -> bury(x) :: else fi;
#endif
    goto next;

#ifdef REMOVES
remove_by_force:
    x = name;
    if :: !x -> goto next :: else fi;
    unname(x, BY_FORCE);
    if :: outcome -> goto next :: else -> goto remove_by_force fi;
remove:
    x = name;
    if :: !x -> goto next :: else fi;
#ifdef REMOVE_BLIND
    outcome = !d_shared[x];
#else
    atomic { if :: !d_alone[x] && !d_shared[x] -> d_alone[x] = me + 1; outcome = 1 :: else -> outcome = 0 fi } DIE;
#endif
    if
    :: outcome
    :: else ->
        atomic {
            if
#ifdef REMOVE_MISJUDGES
            :: !d_alone[x] ->
#else
            :: d_shared[x] ->
#endif
                assert(d_shared[x]); goto next /* it is in use */
            :: else -> goto remove /* somebody buries or removes it, or has just let it go */
            fi
        }
    fi;
    unname(x, BY_CARE);
    if :: d_alone[x] == me + 1 -> d_alone[x] = 0 :: else fi;
    if :: outcome -> goto next :: else -> goto remove fi;
#endif

end:
    skip
}

/* Everybody has gone: nothing is held, and what one sweep would leave was meant to stay. */
proctype Final() {
    byte x;
    (done == NP);
    for (x : 1 .. FILES - 1) { assert(!d_shared[x] && !d_alone[x] && !n_alone[x]) }
#ifdef OWNED
    assert(!name || deaths || disowned[name]);
    assert(!name || owner[name] != NOBODY || disowned[name])
#else
    assert(!name || deaths)
#endif
}

init {
    byte k;
    atomic { for (k : 0 .. NP - 1) { run Member(k) } run Final() }
}

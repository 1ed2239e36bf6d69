/* The ring as a stream keeps it (docs/protocols/ring.md): writers, a copying reader, a borrower, a lossless reader, and recovery, with
 * death possible at every step. Steps are single accesses of shared memory. `valat` and `top` are ghosts: what was placed where.
 *
 * Claims: numbers have no gaps and are given once · whoever reads value s reads what was placed there, whole · what is borrowed does not
 * change · a lossless reader is never overtaken · every buffer can be acquired again: at the end none is lost.
 *
 * CONFIG writers     -DP0=2 -DP1=1 -DK=2 -DM=3
 * CONFIG depth1      -DP0=1 -DP1=1 -DK=1 -DM=2
 * CONFIG copies      -DP0=3 -DP1=0 -DK=1 -DM=2 -DCOPIES
 * CONFIG borrows     -DP0=3 -DP1=0 -DK=1 -DM=2 -DBORROWS
 * CONFIG lossless    -DP0=3 -DP1=0 -DK=1 -DM=2 -DLOSSLESS
 * LARGE writers2     -DP0=2 -DP1=2 -DK=2 -DM=4
 * LARGE copies2      -DP0=1 -DP1=1 -DK=1 -DM=3 -DCOPIES
 * LARGE borrows2     -DP0=1 -DP1=1 -DK=1 -DM=3 -DBORROWS
 * LARGE lossless2    -DP0=1 -DP1=1 -DK=1 -DM=3 -DLOSSLESS
 *
 * MUTATION CELL_FIRST in writers        the cell is looked at before the confirmation
 * MUTATION NO_CELL in writers           a buffer is taken though it may be in its cell
 * MUTATION OWN_LATE in writers          the own word says PLACED only after the cell was swapped
 * MUTATION LEFT_IS_FREE in writers      recovery frees what was placed
 * MUTATION KEEP_NUMBER in copies        the number of the buffer stays while it is filled
 * MUTATION NO_RECHECK in copies         a copy is not checked
 * MUTATION PAYLOAD_LATE in copies       the payload is filled after the publication
 * MUTATION CONFIRM_FIRST in copies2     the number is stored before the swap
 * MUTATION NO_TICKETS in borrows        nobody looks at the tickets
 * MUTATION NO_PIN_BIT in borrows        the replaced buffer is taken at once, whatever its cell said
 * MUTATION TICKET_LATE in borrows       the ticket is taken after the pin
 * MUTATION PIN_BLIND in borrows         the pin is a look and not a swap
 * MUTATION NO_EPOCH in lossless         writers do not notice who joins
 * MUTATION EPOCH_FIRST in lossless2     writers look at the epoch before the cell
 * MUTATION LOOK_ONCE in lossless        who joins begins at what was the newest before
 * MUTATION EARLY_CURSOR in lossless     the cursor moves before the value was read
 */
#define FREE 0
#define HELD 1
#define PLACED 2
#define LEFT 3
#define NONE 15
#define NOBODY 60
byte tag[K], idx[K]; bit pinned[K];
byte ost[M], oslot[M], onum[M];
byte num[M], d0[M], d1[M];
byte tail = K;
bit dead[5];                 /* 0, 1 writers; 2 borrower; 3 lossless reader */
byte done = 0, deaths = 0;
byte ticket = 0;             /* of the borrower: buffer + 1 */
byte cursor = NOBODY; bit awaited = 0; byte epoch = 0;
byte valat[14]; byte top = K;
bit recovered[5];
#ifndef MAXD
#define MAXD 1
#endif
#define DIE if :: skip :: deaths < MAXD -> deaths++; goto killed fi
#define INCELL(b) (idx[onum[b] % K] == b && tag[onum[b] % K] == onum[b])
#ifdef NO_TICKETS
#define PINNED(b) 0
#else
#define PINNED(b) (ticket == b + 1 && !dead[2])
#endif
#define CAN(b) (ost[b] == FREE || (ost[b] == HELD && dead[oslot[b]]) || \
                ((ost[b] == LEFT || (ost[b] == PLACED && (num[b] == onum[b] || dead[oslot[b]]))) && !INCELL(b) && !PINNED(b)))

proctype W(byte me) {
    byte left = (me == 0 -> P0 : P1), b, t, st, sl, nu, wt, wi, v, seen = 255, slowest = NOBODY;
    bit wp, ok;
    do
    :: left > 0 ->
acquire:
        (CAN(0) || CAN(1)
#if M > 2
         || CAN(2)
#endif
#if M > 3
         || CAN(3)
#endif
#if M > 4
         || CAN(4)
#endif
        );
        atomic { select (b : 0 .. M - 1); st = ost[b]; sl = oslot[b]; nu = onum[b]; ok = 0 };
        if
        :: st == FREE -> ok = 1
        :: st == HELD ->
            ok = dead[sl]
        :: st >= PLACED ->
#ifdef CELL_FIRST
            wp = (idx[nu % K] == b && tag[nu % K] == nu);
            if :: st == LEFT || num[b] == nu || dead[sl] -> ok = !wp && !PINNED(b) :: else fi
#else
            if
            :: st == LEFT || num[b] == nu || dead[sl] ->
#ifdef NO_CELL
                ok = !PINNED(b)
#else
                if :: idx[nu % K] == b && tag[nu % K] == nu -> skip :: else -> ok = !PINNED(b) fi
#endif
            :: else
            fi
#endif
        fi;
        if :: !ok -> goto acquire :: else fi;
        DIE;
        atomic { if :: ost[b] == st && oslot[b] == sl && onum[b] == nu -> ost[b] = HELD; oslot[b] = me; onum[b] = 0 :: else -> ok = 0 fi };
        if :: !ok -> goto acquire :: else fi;
        DIE;
take:
        /* What is filled is in no cell. */
        assert(idx[0] != b);
#if K > 1
        assert(idx[1] != b);
#endif
#ifndef KEEP_NUMBER
        num[b] = 0;
#endif
        v = me * 5 + left;
#ifndef PAYLOAD_LATE
        d0[b] = v; DIE;
        d1[b] = v;
#endif
        t = tail;
#ifdef EPOCH_FIRST
        if :: epoch != seen -> atomic { seen = epoch; slowest = (awaited && !dead[3] -> cursor : NOBODY) } :: else fi;
#endif
place:
        atomic { wt = tag[t % K]; wi = idx[t % K]; wp = pinned[t % K] };
        if :: wt >= t -> t = wt + 1; goto place :: else -> assert(wt == t - K) fi;
        if
#ifdef NO_EPOCH
        :: slowest != NOBODY && t - slowest >= K ->
#else
#ifdef EPOCH_FIRST
        :: slowest != NOBODY && t - slowest >= K ->
#else
        :: epoch != seen || (slowest != NOBODY && t - slowest >= K) ->
#endif
#endif
            seen = epoch;
            atomic { slowest = (awaited && !dead[3] -> cursor : NOBODY) };
            if
            :: slowest != NOBODY && t >= slowest + K ->
                (!awaited || dead[3] || cursor != slowest || epoch != seen || tail > t);
                if :: tail > t -> t = tail :: else fi;
                slowest = 0; seen = 255; goto place
            :: else
            fi
        :: else
        fi;
        DIE;
#ifndef OWN_LATE
        atomic { ost[b] = PLACED; oslot[b] = me; onum[b] = t };
        DIE;
#endif
#ifdef CONFIRM_FIRST
        num[b] = t; DIE;
#endif
        atomic {
            if
            :: tag[t % K] == wt && idx[t % K] == wi && pinned[t % K] == wp ->
                assert(t == top); valat[t] = v; top = t + 1;
                tag[t % K] = t; idx[t % K] = b; pinned[t % K] = 0; ok = 1
            :: else -> ok = 0
            fi
        };
        if :: !ok -> goto place :: else fi;
        DIE;
#ifdef OWN_LATE
        atomic { ost[b] = PLACED; oslot[b] = me; onum[b] = t };
        DIE;
#endif
#ifdef PAYLOAD_LATE
        d0[b] = v; DIE;
        d1[b] = v;
#endif
        num[b] = t; DIE;
        atomic { if :: tail < t + 1 -> tail = t + 1 :: else fi };
        left--;
        /* The buffer that was pushed out, at once. */
        if
        :: wi != NONE && left > 0 ->
            atomic { st = ost[wi]; sl = oslot[wi]; nu = onum[wi] };
            if
#ifdef NO_PIN_BIT
            :: (st == LEFT || (st == PLACED && (sl == me || num[wi] == t - K))) && nu == t - K ->
#else
            :: !wp && (st == LEFT || (st == PLACED && (sl == me || num[wi] == t - K))) && nu == t - K ->
#endif
                DIE;
                atomic { if :: ost[wi] == st && oslot[wi] == sl && onum[wi] == nu -> ost[wi] = HELD; oslot[wi] = me; onum[wi] = 0; ok = 1
                            :: else -> ok = 0 fi };
                if :: ok -> b = wi; DIE; goto take :: else fi
            :: else
            fi
        :: else
        fi
    :: else -> break
    od;
    goto end;
killed:
    dead[me] = 1;
end:
    atomic { done++; b = 0; t = 0; st = 0; sl = 0; nu = 0; wt = 0; wi = 0; wp = 0; v = 0; ok = 0; seen = 0; slowest = 0; left = 0 }
}

proctype Borrower() {
    byte s, wt, wi, x, rounds = 0; bit wp, ok;
    do
    :: rounds < 2 ->
        rounds++;
        if :: s = tail - 1 :: s = K :: s = K + 1 fi;
        atomic { wt = tag[s % K]; wi = idx[s % K]; wp = pinned[s % K] };
        if
        :: wt != s || wi == NONE -> skip
        :: else ->
#ifndef TICKET_LATE
            ticket = wi + 1; DIE;
#endif
#ifdef PIN_BLIND
            ok = (tag[s % K] == s && idx[s % K] == wi);
#else
            /* Again where only the pin has changed. */
            atomic { if :: tag[s % K] == s && idx[s % K] == wi -> pinned[s % K] = 1; ok = 1 :: else -> ok = 0 fi };
#endif
#ifdef TICKET_LATE
            DIE; ticket = wi + 1;
#endif
            DIE;
            if :: ok -> x = d0[wi]; assert(x == valat[s]); DIE; x = d1[wi]; assert(x == valat[s]) :: else fi;
            ticket = 0
        fi
    :: else -> break
    od;
    goto end;
killed:
    dead[2] = 1;
end:
    atomic { s = 0; wt = 0; wi = 0; x = 0; wp = 0; ok = 0; rounds = 0 }
}

proctype Copier() {
    byte s = K, b, x, y, wt, last = 0;
    do
    :: s < top ->
        if
        :: atomic { select (b : 0 .. M - 1) };
            if
            :: num[b] == s -> x = d0[b]; y = d1[b];
                if
#ifdef NO_RECHECK
                :: true ->
#else
                :: num[b] == s ->
#endif
                    assert(x == valat[s] && y == valat[s] && s > last); last = s; s++
                :: else
                fi
            :: else
            fi
        :: atomic { wt = tag[s % K]; b = idx[s % K] };
            if
            :: wt == s -> x = d0[b]; y = d1[b];
                if :: tag[s % K] == s -> assert(x == valat[s] && y == valat[s] && s > last); last = s; s++ :: else fi
            :: wt > s -> s = wt + 1 - K
            :: else
            fi
        fi
    :: done == 2 && s >= top -> break
    od
}

proctype Lossless() {
    byte s, b, x, y, wt, q;
    q = tail;
    cursor = q; DIE;
    awaited = 1; DIE;
    epoch++; DIE;
#ifndef LOOK_ONCE
    q = tail;
    do :: wt = tag[q % K]; if :: wt >= q -> q = wt + 1 :: else -> break fi od;
    DIE;
    cursor = q;
#endif
    s = q;
    do
    :: s < top ->
        atomic { wt = tag[s % K]; b = idx[s % K] };
        assert(wt <= s);                                    /* never overtaken */
        if
        :: wt == s ->
#ifdef EARLY_CURSOR
            cursor = s + 1;
#endif
            x = d0[b]; DIE; y = d1[b];
            assert(tag[s % K] == s && x == valat[s] && y == valat[s]);
#ifndef EARLY_CURSOR
            cursor = s + 1;
#endif
            s++
        :: else
        fi
    :: done == 2 && s >= top -> break
    od;
    awaited = 0; goto end;
killed:
    dead[3] = 1;
end:
    skip
}

/* Whoever claims the slot of a dead one clears it, or dies in the middle and is followed by another. */
proctype Recover() {
    byte d, b, st, sl, nu, again = 1;
    do
    :: dead[0] && !recovered[0] -> d = 0; goto clear
    :: dead[1] && !recovered[1] -> d = 1; goto clear
    :: dead[2] && !recovered[2] -> d = 2; goto clear
    :: done == 2 -> break
    od;
    goto end;
clear:
    if :: d == 2 -> ticket = 0 :: else fi;
    b = 0;
    do
    :: b < M ->
        if :: again > 0 -> again--; goto clear :: skip fi;     /* died here: all of it once more */
        atomic { st = ost[b]; sl = oslot[b]; nu = onum[b] };
        if
        :: sl == d && st == HELD -> atomic { if :: ost[b] == st && oslot[b] == sl && onum[b] == nu -> ost[b] = FREE; oslot[b] = 0; onum[b] = 0 :: else fi }
        :: sl == d && st == PLACED ->
            atomic { if :: ost[b] == st && oslot[b] == sl && onum[b] == nu ->
#ifdef LEFT_IS_FREE
                            ost[b] = FREE; onum[b] = 0;
#else
                            ost[b] = LEFT;
#endif
                            oslot[b] = 0 :: else fi }
        :: else
        fi;
        b++
    :: else -> break
    od;
    atomic { recovered[d] = 1; b = 0; st = 0; sl = 0; nu = 0; d = 0 };
end:
    skip
}

init {
    byte i = 0, there = 0;
    atomic {
        do :: i < K -> tag[i] = (K == 1 -> 0 : i); idx[i] = NONE; i++ :: else -> break od;
        run W(0); run W(1); run Recover();
#ifdef BORROWS
        run Borrower();
#endif
#ifdef COPIES
        run Copier();
#endif
#ifdef LOSSLESS
        run Lossless();
#endif
    }
    /* At the end every buffer that is in no cell can be had: none has been lost. */
    (done == 2);
    timeout;
    i = 0;
    do
    :: i < M ->
        if :: ost[i] == HELD && !dead[oslot[i]] -> there++ /* a hand */
           :: else -> if :: CAN(i) -> there++ :: else -> if :: ost[i] >= PLACED && INCELL(i) -> there++ :: else fi fi fi;
        i++
    :: else -> break
    od;
    assert(there == M)
}

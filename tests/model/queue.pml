/* The queue on the ring (docs/protocols/ring.md, QUEUE): producers, consumers who pop by copy, or take and then are done or put back,
 * and recovery, with death possible at every step, and dead slots used again. Steps are single accesses of shared memory.
 * `valat`, `got`, `fin` and `top` are ghosts: what was placed where, and what became of it.
 *
 * Claims: a message is delivered for the first time once; never again after it was done with; what is copied, or in hand, does not change;
 * in the end each message that was placed is done with, or can be delivered; and every buffer can be had, or has such a message in it.
 *
 * CONFIG pops        -DP0=2 -DP1=0 -DC0=1 -DC1=1 -DD=1 -DR=1 -DK=2 -DM=2 -DPOPS
 * CONFIG takes       -DP0=2 -DP1=0 -DC0=1 -DC1=1 -DD=1 -DR=1 -DK=2 -DM=2 -DTAKES
 * CONFIG only        -DP0=2 -DP1=0 -DC0=1 -DC1=1 -DD=1 -DR=1 -DK=2 -DM=2 -DTAKES -DONLY
 * CONFIG back        -DP0=1 -DP1=0 -DC0=3 -DC1=1 -DD=1 -DR=1 -DK=2 -DM=1 -DTAKES
 * CONFIG late        -DP0=1 -DP1=1 -DC0=2 -DC1=0 -DD=1 -DR=1 -DK=2 -DM=1 -DPOPS -DTAKES
 * LARGE claims       -DP0=1 -DP1=2 -DC0=1 -DC1=2 -DD=2 -DR=1 -DK=3 -DM=2 -DPOPS -DMAXD=0
 * CONFIG full        -DP0=3 -DP1=0 -DC0=1 -DC1=0 -DD=1 -DR=1 -DK=2 -DM=3 -DPOPS
 * CONFIG runs        -DP0=2 -DP1=0 -DC0=1 -DC1=1 -DD=2 -DR=2 -DK=4 -DM=2 -DPOPS
 * LARGE pops3        -DP0=3 -DP1=0 -DC0=2 -DC1=1 -DD=1 -DR=1 -DK=2 -DM=2 -DPOPS
 * LARGE takes3       -DP0=2 -DP1=0 -DC0=2 -DC1=1 -DD=1 -DR=1 -DK=2 -DM=2 -DTAKES
 * LARGE producers    -DP0=1 -DP1=2 -DC0=1 -DC1=0 -DD=1 -DR=1 -DK=2 -DM=2 -DPOPS
 * LARGE runs4        -DP0=3 -DP1=0 -DC0=2 -DC1=1 -DD=1 -DR=2 -DK=4 -DM=2 -DPOPS
 * LARGE runs3        -DP0=2 -DP1=0 -DC0=1 -DC1=1 -DD=2 -DR=2 -DK=4 -DM=3 -DPOPS
 *
 * MUTATION NO_CLAIM in pops             who moves the head leaves it to its last taker to say what he took
 * MUTATION CURSOR_FIRST in pops         the cursor passes the message before it is copied
 * MUTATION NO_RAISE in runs4            the cursor is not raised before the head moves: what others got done seems in hand
 * MUTATION OWN_BLIND in pops            what lies before the head is taken for done with
 * MUTATION UNCONFIRMED in producers     a buffer is taken whose producer has not confirmed it, and lives
 * MUTATION OWN_LATE in pops             the own word says PLACED only after the swap
 * MUTATION NO_ROOM in full              a message is placed whatever the head
 * MUTATION LEFT_IS_FREE in pops         recovery frees what was placed
 * MUTATION CLAIM_BLIND in pops          a claim is a store and not a swap
 * MUTATION NO_COUNT in back             the flag is cleared though something was given back since
 * MUTATION FLAG_FIRST in back           the flag is set before the own word
 * MUTATION FORGET_LATE in pops          recovery looks at the own words before the head
 * MUTATION DONE_FREES in late           a message that its producer has not confirmed leaves a free buffer
 * MUTATION CLAIM_FREES in claims        the same, of one that was claimed
 * MUTATION STORE_BLIND in only          the only producer stores where it has found out only after its look that it may
 */
#define FREE 0
#define HELD 1
#define PLACED 2
#define LEFT 3
#define TAKEN 4
#define BACK 5
#define CLAIMED 6
#define SPENT 7
#define NONE 15
#define NOBODY 9
#define N (K + P0 + P1 + 1)
#ifndef MAXD
#define MAXD 1
#endif
/* Slots: 0, 1 producers; 2, 3 consumers. */
byte tag[K], idx[K];
byte ost[M], oslot[M], onum[M];
byte num[M], data[M], writer[M];
byte hnum = K, hslot = NOBODY;
byte cursor[4];
bit flag = 0; byte count = 0;
bit dead[4];                 /* and not recovered yet */
bit gone[2];                 /* producers that were killed: by its generation a word tells them from who has their slot next */
byte deaths = 0, pended = 0, cended = 0;
byte valat[N]; byte top = K;
byte got[N], fin[N];
bit has_taken[4];            /* the mark in the slot */

#define DIE if :: skip :: deaths < MAXD -> deaths++; goto killed fi
#define FINISHED(n, h, s, c) (n < h && (s == NOBODY || n < c))

/* In the order of the code: the own word, then what it depends on, then the swap. */
proctype W(byte me) {
    byte left = (me == 0 -> P0 : P1), b, t, st, sl, nu, wt, wi, v, h, hs, c;
    byte F = 0;
    bit ok, has_left, looked;
    do
    :: left > 0 ->
        /* What it remembers of the head may be old or new. */
        if
        :: true -> atomic { h = hnum; hs = hslot }; if :: hs == NOBODY -> F = h :: else -> c = cursor[hs]; F = (c < h -> c : h) fi
        :: true
        fi;
acquire:
        atomic { select (b : 0 .. M - 1); st = ost[b]; sl = oslot[b]; nu = onum[b]; ok = 0; has_left = 0; looked = 0;
            /* What can come to nothing is not tried: fewer states, and nobody is kept waiting by it. */
            if :: st == TAKEN || st == BACK || (st == HELD && !gone[sl]) -> goto acquire :: else fi };
        if
        :: st == FREE -> ok = 1
        :: st == HELD -> ok = gone[sl]
        :: st == CLAIMED ->
            ok = cursor[sl] > nu;
#ifndef CLAIM_FREES
            if :: ok && num[b] != nu -> ok = gone[writer[b]] :: else fi
#endif
        :: st == SPENT -> ok = (num[b] == nu || gone[sl])
        :: st == PLACED || st == LEFT ->
#ifndef UNCONFIRMED
            if
            :: st == LEFT || num[b] == nu -> skip
            :: else -> if :: gone[sl] -> has_left = 1 :: else -> goto acquire fi
            fi;
#endif
            if
            :: nu >= F ->
                looked = 1;
                atomic { h = hnum; hs = hslot };
#ifdef OWN_BLIND
                F = h
#else
                if :: hs == NOBODY -> F = h :: else -> c = cursor[hs]; F = (c < h -> c : h) fi
#endif
            :: else
            fi;
            ok = nu < F;
            if
            :: !ok && (st == LEFT || has_left) -> ok = !(tag[nu % K] == nu && idx[nu % K] == b)
            :: else
            fi
        fi;
        if :: !ok -> goto acquire :: else fi;
        atomic { if
#ifdef ONLY
#ifdef STORE_BLIND
            :: st <= PLACED -> ost[b] = HELD; oslot[b] = me; onum[b] = 0
#else
            :: !looked && st <= PLACED -> ost[b] = HELD; oslot[b] = me; onum[b] = 0
#endif
            :: else -> if
#endif
            :: ost[b] == st && oslot[b] == sl && onum[b] == nu -> ost[b] = HELD; oslot[b] = me; onum[b] = 0 :: else -> ok = 0 fi
#ifdef ONLY
            fi
#endif
            ; h = 0; hs = 0; c = 0; st = 0; sl = 0; nu = 0; has_left = 0; looked = 0 };
        if :: !ok -> goto acquire :: else fi;
        DIE;
        v = me * 8 + left;
        writer[b] = me;
        data[b] = v; /* what was there is gone: who still reads it sees that */
        t = top; /* any hint: the walk below is what counts */
place:
        atomic { wt = tag[t % K]; wi = idx[t % K] };
        if :: wt >= t && wi != NONE -> t = wt + 1; goto place :: else fi;
#ifndef NO_ROOM
        if
        :: t - hnum >= D ->
            (hnum + D > t || (tag[t % K] == t && idx[t % K] != NONE) || cended == 2);
            /* Where nobody takes any more, it gives up: what was lost to another swap is HELD again, and put down. */
            if :: cended == 2 && hnum + D <= t -> atomic { ost[b] = HELD; oslot[b] = me; onum[b] = 0 }; DIE;
                atomic { ost[b] = FREE; oslot[b] = 0; left = 0; b = 0; t = 0; wt = 0; wi = 0; v = 0; ok = 0 }; goto next
            :: else -> goto place
            fi
        :: else
        fi;
#endif
#ifndef OWN_LATE
        atomic { ost[b] = PLACED; oslot[b] = me; onum[b] = t };
        DIE;
#endif
        atomic {
            if
            :: tag[t % K] == wt && idx[t % K] == wi -> tag[t % K] = t; idx[t % K] = b; ok = 1; valat[t] = v; assert(top == t); top++
            :: else -> ok = 0
            fi
        };
        if :: !ok -> goto place :: else fi;
        DIE;
#ifdef OWN_LATE
        atomic { ost[b] = PLACED; oslot[b] = me; onum[b] = t };
        DIE;
#endif
        num[b] = t;
        left--; b = 0; t = 0; wt = 0; wi = 0; v = 0; ok = 0;
next:
        skip
    :: else -> break
    od;
    goto out;
killed:
    atomic { dead[me] = 1; gone[me] = 1 };
out:
    pended++
}

/* Free; or its producer's still, who has not confirmed it. */
#ifdef DONE_FREES
#define END(b, n) ost[b] = FREE; oslot[b] = 0; onum[b] = 0
#else
#define END(b, n) if :: num[b] == n -> ost[b] = FREE; oslot[b] = 0; onum[b] = 0 :: else -> ost[b] = SPENT; oslot[b] = writer[b]; onum[b] = n fi
#endif
#define WORDIS(b, s, w, n) (ost[b] == s && oslot[b] == w && onum[b] == n)

proctype C(byte me) {
    byte left = (me == 2 -> C0 : C1), n, b, h, hs, c, x, y, told, i, many, st, best, by[R];
    bit ok, again;
    do
    :: left > 0 ->
look:
        /* Something to do; or nothing ever again. */
        (flag || (tag[hnum % K] == hnum && idx[hnum % K] != NONE) || pended == 2);
        has_taken[me] = 1;
        if
        :: flag ->
            /* REDELIVER: the first of what was given back. */
            told = count; best = NONE; b = 0;
            do
            :: b < M -> if :: ost[b] == BACK && (best == NONE || onum[b] < n) -> best = b; n = onum[b] :: else fi; b++
            :: else -> break
            od;
            if
            :: best == NONE ->
                atomic {
#ifdef NO_COUNT
                    flag = 0
#else
                    if :: count == told -> flag = 0 :: else fi
#endif
                };
                b = 0; n = 0; told = 0; best = 0;
                goto look
            :: else
            fi;
            b = best;
            atomic { if :: ost[b] == BACK && onum[b] == n -> ost[b] = TAKEN; oslot[b] = me; ok = 1; assert(!fin[n]) :: else -> ok = 0 fi };
            best = 0; told = 0;
            if :: !ok -> b = 0; n = 0; goto look :: else fi;
            DIE;
            goto in_hand
        :: !flag -> skip
        fi;
        atomic { h = hnum; hs = hslot };
        /* Where it is: by its number, or by its cell; and what follows it. */
        atomic {
            many = 0;
            do
            :: many < R ->
                n = h + many;
                if
                :: tag[n % K] == n && idx[n % K] != NONE -> by[many] = idx[n % K]; many++
                :: num[0] == n -> by[many] = 0; many++
#if M > 1
                :: num[1] == n -> by[many] = 1; many++
#endif
#if M > 2
                :: num[2] == n -> by[many] = 2; many++
#endif
#if M > 3
                :: num[3] == n -> by[many] = 3; many++
#endif
                :: !(tag[n % K] == n && idx[n % K] != NONE) -> break
                :: many > 0 -> break
                fi
            :: else -> break
            od;
            n = 0
        };
        if
        :: many == 0 -> h = 0; hs = 0; if :: pended == 2 && !flag -> left = 0; goto next :: else -> goto look fi
        :: else
        fi;
#ifndef NO_CLAIM
        if
        :: hs != me && hs != NOBODY ->
            /* CLAIM. */
            c = cursor[hs];
            if :: h > c + R -> c = h - R :: else fi;
            do
            :: c < h ->
                atomic { x = tag[c % K]; y = idx[c % K] };
                if
                :: x == c && y != NONE ->
#ifdef CLAIM_BLIND
                    if :: (ost[y] == PLACED || ost[y] == LEFT) && onum[y] == c -> atomic { ost[y] = CLAIMED; oslot[y] = hs; onum[y] = c } :: else fi;
#else
                    atomic { if :: (ost[y] == PLACED || ost[y] == LEFT) && onum[y] == c -> ost[y] = CLAIMED; oslot[y] = hs; onum[y] = c :: else fi };
#endif
                    DIE
                :: else
                fi;
                c++
            :: else -> break
            od;
            c = 0; x = 0; y = 0; st = 0
        :: else
        fi;
#endif
#ifndef NO_RAISE
        if :: cursor[me] != h -> cursor[me] = h; DIE :: else fi;
#endif
        atomic {
            if
            :: hnum == h && hslot == hs -> hnum = h + many; hslot = me; ok = 1; i = 0;
                do :: i < many -> assert(!got[h + i] && !fin[h + i]); got[h + i] = 1; i++ :: else -> break od; i = 0
            :: else -> ok = 0
            fi;
            hs = 0
        };
        if :: !ok -> many = 0; h = 0; goto look :: else fi;
        DIE;
        if
#ifdef POPS
        :: true ->
#ifdef CURSOR_FIRST
            cursor[me] = h + many;
            DIE;
#endif
            i = 0;
            do
            :: i < many ->
                atomic { assert(data[by[i]] == valat[h + i]); i++ }
            :: else -> break
            od;
            atomic {
                i = 0;
                do :: i < many -> fin[h + i]++; assert(fin[h + i] == 1); i++ :: else -> break od;
                cursor[me] = h + many
            };
            i = 0; b = 0; x = 0; y = 0; many = 0; h = 0
#endif
#ifdef TAKES
        :: many == 1 ->
            b = by[0]; n = h;
            atomic { ost[b] = TAKEN; oslot[b] = me; onum[b] = n };
            DIE;
            cursor[me] = n + 1;
            many = 0; h = 0;
            DIE;
in_hand:
            assert(data[b] == valat[n]);
            if
            :: true -> atomic { assert(WORDIS(b, TAKEN, me, n)); fin[n]++; assert(fin[n] == 1); END(b, n) } /* done */
            :: left > 1 -> /* put back */
#ifdef FLAG_FIRST
                atomic { count++; flag = 1 };
                DIE;
                ost[b] = BACK
#else
                atomic { assert(WORDIS(b, TAKEN, me, n)); ost[b] = BACK };
                DIE;
                atomic { count++; flag = 1 }
#endif
            fi;
            b = 0; n = 0; x = 0; y = 0
#else
        :: false ->
in_hand:
            assert(data[b] == valat[n]);
            atomic { assert(WORDIS(b, TAKEN, me, n)); fin[n]++; assert(fin[n] == 1); END(b, n) };
            b = 0; n = 0; x = 0; y = 0
#endif
        fi;
        left--;
next:
        skip
    :: else -> break
    od;
    goto out;
killed:
    /* Its slot is used again by another, when it has been recovered; it goes on with what it had left to do. */
    atomic { dead[me] = 1; b = 0; n = 0; x = 0; y = 0; c = 0; h = 0; hs = 0; many = 0; st = 0; told = 0; best = 0; i = 0; ok = 0 };
    if
    :: left > 1 -> left--; !dead[me]; goto look
    :: true
    fi;
out:
    cended++
}

/* Recovery of whoever is dead. It may be killed at any step, and then all of it is done again. */
proctype Z() {
    byte s, b, c, h, hs, x, y, st, nu;
    bit ok;
begin:
    do
    :: dead[0] || dead[1] || dead[2] || dead[3] ->
        if :: dead[0] -> s = 0 :: dead[1] -> s = 1 :: dead[2] -> s = 2 :: dead[3] -> s = 3 fi;
        if
        :: has_taken[s] ->
#ifdef FORGET_LATE
            goto words;
heads:
#endif
            atomic { h = hnum; hs = hslot };
            if
            :: hs == s ->
                c = cursor[s];
                if :: h > c + R -> c = h - R :: else fi;
                do
                :: c < h ->
                    atomic { x = tag[c % K]; y = idx[c % K] };
                    if
                    :: x == c && y != NONE ->
                        atomic { if :: (ost[y] == PLACED || ost[y] == LEFT) && onum[y] == c -> ost[y] = BACK; oslot[y] = 0; onum[y] = c :: else fi };
                        DIE
                    :: else
                    fi;
                    c++
                :: else -> break
                od
            :: else
            fi;
#ifdef FORGET_LATE
            goto after;
words:
#endif
            b = 0;
            do
            :: b < M ->
                atomic {
                    if
                    :: (ost[b] == TAKEN || ost[b] == CLAIMED) && oslot[b] == s ->
                        if
                        :: ost[b] == CLAIMED && cursor[s] > onum[b] -> END(b, onum[b])
                        :: else -> ost[b] = BACK; oslot[b] = 0
                        fi;
                        ok = 1
                    :: else -> ok = 0
                    fi;
                };
                if :: ok -> DIE :: else fi;
                b++
            :: else -> break
            od;
#ifdef FORGET_LATE
            goto heads;
after:
#endif
            atomic { count++; flag = 1 }
        :: else
        fi;
        b = 0;
        do
        :: b < M ->
            atomic {
                if
                :: (ost[b] == HELD || ost[b] == SPENT) && oslot[b] == s -> ost[b] = FREE; oslot[b] = 0; onum[b] = 0
#ifdef LEFT_IS_FREE
                :: ost[b] == PLACED && oslot[b] == s -> ost[b] = FREE; oslot[b] = 0; onum[b] = 0
#else
                :: ost[b] == PLACED && oslot[b] == s -> ost[b] = LEFT
#endif
                :: else
                fi
            };
            b++
        :: else -> break
        od;
        atomic { has_taken[s] = 0; dead[s] = 0; s = 0; b = 0; c = 0; h = 0; hs = 0; x = 0; y = 0; st = 0; nu = 0; ok = 0 }
    :: pended == 2 && cended == 2 && !(dead[0] || dead[1] || dead[2] || dead[3]) -> break
    od;
    goto out;
killed:
    atomic { s = 0; b = 0; c = 0; h = 0; hs = 0; x = 0; y = 0; st = 0; nu = 0; ok = 0 };
    goto begin;
out:
    /* Everybody has gone, and all dead have been recovered. */
    atomic {
        nu = K;
        do
        :: nu < top ->
            ok = 0;
            b = 0;
            if :: nu >= hnum -> ok = (tag[nu % K] == nu); assert(!ok || data[idx[nu % K]] == valat[nu]) :: else fi;
            do :: b < M -> if :: ost[b] == BACK && onum[b] == nu -> assert(!ok && flag && data[b] == valat[nu]); ok = 1 :: else fi; b++ :: else -> break od;
            assert(fin[nu] + ok == 1);
            nu++
        :: else -> break
        od;
        b = 0;
        do
        :: b < M ->
            st = ost[b]; nu = onum[b];
            ok = (st == FREE || st == BACK);
            if
            :: st == PLACED || st == LEFT ->
                ok = (st == LEFT || num[b] == nu || gone[oslot[b]]) && FINISHED(nu, hnum, hslot, cursor[(hslot == NOBODY -> 0 : hslot)]) || (nu >= hnum && tag[nu % K] == nu && idx[nu % K] == b) ||
                     (st == LEFT && !(tag[nu % K] == nu && idx[nu % K] == b))
            :: st == CLAIMED -> ok = cursor[oslot[b]] > nu && (num[b] == nu || gone[writer[b]])
            :: st == SPENT -> ok = num[b] == nu || gone[oslot[b]]
            :: else
            fi;
            assert(ok);
            b++
        :: else -> break
        od
    }
}

init {
    byte i;
    atomic {
        i = 0;
        do :: i < K -> tag[i] = i; idx[i] = NONE; i++ :: else -> break od;
        run W(0); run W(1); run C(2); run C(3); run Z()
    }
}

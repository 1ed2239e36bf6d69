/* notify counts in a word of its own (docs/decisions/0002): a writer that computes the next sequence from what it read, one that
 * notifies without a lock, and a waiter.
 *
 * Claim: every change moves the version, so a waiter that looks again sees the last one; the version never steps back.
 * MUTATION SAME_WORD         notify adds to the sequence itself */
byte sequence, notified, changes;
byte last;
#define VERSION (sequence + notified)

proctype Writer() {
    byte seen, n;
    do
    :: n == 2 -> break
    :: else -> seen = sequence;               /* the writer word is held: no other writer */
               atomic { sequence = seen + 1; changes++ };
               n++
    od
}

proctype Notifier() {
    byte n;
    do
    :: n == 2 -> break
    :: else ->
#ifdef SAME_WORD
               atomic { sequence++; changes++ };
#else
               atomic { notified++; changes++ };
#endif
               n++
    od
}

proctype Waiter() {
    byte now, a;
    do
    :: last == 4 -> break
    :: a = notified; now = a + sequence;      /* two loads: notified first, as get does */
       assert(now >= last);
       last = now
    od
}

init {
    atomic { run Writer(); run Notifier(); run Waiter() };
    (_nr_pr == 1) -> assert(VERSION == changes)
}

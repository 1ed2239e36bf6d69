/* A peer: one way to get a message from one process to another, as a program of its own. Cove and the hardware's floors are peers too, so
 * all are asked the same, in the same words, in turns. A peer in another language answers the same words without this file.
 *
 *     PROGRAM ROLE MODE SIZE NAME
 *     ROLE     pong, receive   opened first, they create what there is to create
 *              ping, send      the other side
 *     MODE     poll      both sides spin
 *              block     who has nothing to receive sleeps
 *              in-place  (poll) the message lies where the other side reads it; only its first 8 bytes are written and read
 *              batch     (poll, send and receive only) messages in runs, the way's own best
 *     SIZE     of a message, in bytes
 *     NAME     a word that no other run uses
 *
 * When it is open it prints `ready` and how many ns opening took; when it has not this mode or cannot have it here, `absent` and why. Then it is told numbers, a line
 * each, 0 last:
 *     ping N     exchanges 32 messages with pong, then N more; prints the time of each of those there and back in ns, on a line, then a line
 *                with the sums of what it sent and of what it received
 *     pong N     the other side, prints a line with the sums of what it received and of what it sent
 *     send N     prints a line with the time (CLOCK_MONOTONIC, ns) when it began, and the sum
 *     receive N  prints `set` when it will receive, then a line with the time when it had the last, and the sum
 * A message has its number in its first, its middle and its last 8 bytes, and the sum is over those: what was written is seen to be what was
 * read.
 */
#ifndef COVE_BENCH_PEER_H
#define COVE_BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum peer_mode { PEER_POLL, PEER_BLOCK, PEER_IN_PLACE, PEER_BATCH } peer_mode;

/* How this run was asked for. Channel 0 goes there, 1 back. */
typedef struct peer_run {
    bool is_first;  /* pong or receive: creates */
    bool both_ways; /* ping and pong: two channels */
    peer_mode mode;
    size_t size;
    const char *name;
} peer_run;
extern peer_run peer;

#define PEER_RUN 32 /* messages of a batch */

/* How many messages a channel holds, where a way can be told. Of those that go to and fro there is only one: large ones should not be pushed
 * out of the processor's cache by the depth. */
static inline uint32_t peer_depth(void) {
    if (peer.both_ways)
        return peer.size <= 65536 ? 16 : 2;
    return peer.size <= 1024 ? 1024 : 16;
}

/* ---- What a way has. What it does not say it can, it need not have. */

/* Everything that both sides need; false: it is absent, and peer_why says why. */
extern bool peer_open(void);
extern void peer_close(void);
/* Copies a message of peer.size bytes; returns when it is sent, or is in `data`. */
extern void peer_send(int channel, const void *data);
extern void peer_receive(int channel, void *data);
/* In place: writes `word` to the first line of a message, and sends it; receives one, and returns the word. */
extern void peer_send_in_place(int channel, uint64_t word);
extern uint64_t peer_receive_in_place(int channel);
/* A run of `count` ≤ PEER_RUN messages that lie behind each other; returns how many it received. */
extern void peer_send_batch(const void *data, uint32_t count);
extern uint32_t peer_receive_batch(void *data, uint32_t most);

/* What it can do: bits of 1 << mode. */
extern const unsigned peer_modes;

bool peer_absent(const char *why);              /* tells it; false */
void peer_must(bool is_well, const char *what); /* else errno, and an end */
void peer_fail(const char *sentence);
uint64_t peer_now(void);

/* A program that a way cannot do without (a daemon), for as long as this process lives; what is begun after it ends before it.
 * First its path, then its arguments, its own name first. */
void peer_start_program(const char *const *arguments);

#ifdef __cplusplus
}
#endif
#endif

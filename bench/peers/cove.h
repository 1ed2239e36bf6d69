/* What Cove's own peers have alike: a domain of the run's, which the one who runs them removes. */
#ifndef COVE_BENCH_PEERS_COVE_H
#define COVE_BENCH_PEERS_COVE_H

#include "peer.h"

#include <cove/cove.h>

#define MUST(call) \
    do { \
        if ((call) != COVE_OK) \
            peer_fail(cove_last_error()->sentence); /* only then: telling an error takes longer than most calls */ \
    } while (0)

static inline const char *cove_channel(int channel) {
    return channel ? "back" : "there";
}

static inline const char *cove_domain_of_run(void) {
    static char path[128];
    snprintf(path, sizeof path, "/dev/shm/%s", peer.name);
    if (peer.is_first)
        MUST(cove_domain_create(path, 0600));
    return path;
}

/* How long a receiver waits: it spins, or it sleeps. */
static inline cove_time_ns cove_until(void) {
    return peer.mode == PEER_BLOCK ? COVE_FOREVER : COVE_TRY;
}

#endif

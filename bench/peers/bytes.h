/* What sockets and pipes have alike: bytes through descriptors. */
#ifndef COVE_BENCH_PEERS_BYTES_H
#define COVE_BENCH_PEERS_BYTES_H

#include "peer.h"

#include <errno.h>
#include <unistd.h>

/* All of it; where the descriptor does not wait, spins. */
static inline void write_all(int fd, const char *data, size_t size) {
    while (size) {
        ssize_t done = write(fd, data, size);
        peer_must(done >= 0 || errno == EAGAIN, "write");
        if (done > 0)
            data += done, size -= (size_t)done;
    }
}

static inline void read_all(int fd, char *data, size_t size) {
    while (size) {
        ssize_t done = read(fd, data, size);
        peer_must(done > 0 || (done < 0 && errno == EAGAIN), "read");
        if (done > 0)
            data += done, size -= (size_t)done;
    }
}

#endif

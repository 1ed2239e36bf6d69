/* A named pipe for each way. */
#define _GNU_SOURCE
#include "bytes.h"

#include <fcntl.h>
#include <sys/stat.h>

const unsigned peer_modes = 1u << PEER_POLL | 1u << PEER_BLOCK | 1u << PEER_BATCH;
static int pipes[2];

static const char *path_of(int channel) {
    static char path[128];
    snprintf(path, sizeof path, "/dev/shm/%s-%d.pipe", peer.name, channel);
    return path;
}

bool peer_open(void) {
    for (int c = 0; c <= peer.both_ways; c++) {
        if (peer.is_first)
            peer_must(mkfifo(path_of(c), 0600) == 0, "mkfifo");
        pipes[c] = open(path_of(c), O_RDWR | (peer.mode == PEER_BLOCK ? 0 : O_NONBLOCK)); /* both, so that opening does not wait */
        peer_must(pipes[c] >= 0, "open");
        (void)fcntl(pipes[c], F_SETPIPE_SZ, 1 << 20);
    }
    return true;
}

void peer_close(void) {
    for (int c = 0; c <= peer.both_ways && peer.is_first; c++)
        unlink(path_of(c));
}

void peer_send(int channel, const void *data) {
    write_all(pipes[channel], data, peer.size);
}

void peer_receive(int channel, void *data) {
    read_all(pipes[channel], data, peer.size);
}

void peer_send_batch(const void *data, uint32_t count) {
    write_all(pipes[0], data, count * peer.size);
}

uint32_t peer_receive_batch(void *data, uint32_t most) {
    read_all(pipes[0], data, most * peer.size);
    return most;
}

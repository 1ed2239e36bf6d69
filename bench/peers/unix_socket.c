/* A Unix stream socket, for both ways. */
#define _GNU_SOURCE
#include "bytes.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

const unsigned peer_modes = 1u << PEER_POLL | 1u << PEER_BLOCK | 1u << PEER_BATCH;
static int listening = -1, connected = -1;

bool peer_open(void) {
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    snprintf(where.sun_path + 1, sizeof where.sun_path - 1, "%s", peer.name); /* a name without a file */
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    peer_must(fd >= 0, "socket");
    if (peer.is_first) {
        peer_must(bind(fd, (struct sockaddr *)&where, sizeof where) == 0 && listen(fd, 1) == 0, "bind");
        listening = fd;
    } else {
        peer_must(connect(fd, (struct sockaddr *)&where, sizeof where) == 0, "connect");
        connected = fd;
    }
    return true;
}

/* The first of both accepts the other when it is first needed. */
static int descriptor(void) {
    static bool is_set;
    if (connected < 0)
        connected = accept(listening, NULL, NULL);
    if (!is_set && peer.mode != PEER_BLOCK)
        peer_must(fcntl(connected, F_SETFL, O_NONBLOCK) == 0, "fcntl");
    is_set = true;
    return connected;
}

void peer_send(int channel, const void *data) {
    (void)channel;
    write_all(descriptor(), data, peer.size);
}

void peer_receive(int channel, void *data) {
    (void)channel;
    read_all(descriptor(), data, peer.size);
}

void peer_send_batch(const void *data, uint32_t count) {
    write_all(descriptor(), data, count * peer.size);
}

uint32_t peer_receive_batch(void *data, uint32_t most) {
    read_all(descriptor(), data, most * peer.size);
    return most;
}

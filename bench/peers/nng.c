/* nng over ipc://: a pair of sockets of protocol pair0. Threads of its own do the work, so both sides wait for them in every mode. */
#include "peer.h"

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>

const unsigned peer_modes = 1u << PEER_POLL | 1u << PEER_BLOCK;
static nng_socket sockets[2];

static void must(int result) {
    if (result) {
        fprintf(stderr, "nng: %s\n", nng_strerror(result));
        exit(1);
    }
}

bool peer_open(void) {
    for (int c = 0; c <= peer.both_ways; c++) {
        char address[128];
        snprintf(address, sizeof address, "ipc:///dev/shm/%s-%d.nng", peer.name, c);
        must(nng_pair0_open(&sockets[c]));
        must(nng_socket_set_size(sockets[c], NNG_OPT_RECVMAXSZ, 0));
        must(nng_socket_set_int(sockets[c], NNG_OPT_SENDBUF, (int)peer_depth()));
        must(nng_socket_set_int(sockets[c], NNG_OPT_RECVBUF, (int)peer_depth()));
        must(peer.is_first ? nng_listen(sockets[c], address, NULL, 0) : nng_dial(sockets[c], address, NULL, 0));
    }
    return true;
}

void peer_close(void) {
    for (int c = 0; c <= peer.both_ways; c++)
        nng_close(sockets[c]);
}

void peer_send(int channel, const void *data) {
    must(nng_send(sockets[channel], (void *)(uintptr_t)data, peer.size, 0));
}

void peer_receive(int channel, void *data) {
    size_t size = peer.size;
    must(nng_recv(sockets[channel], data, &size, 0));
}

/* ZeroMQ over ipc://: a pair of sockets. Threads of its own do the work, on the same processor, so both sides wait for them in every mode:
 * spinning would only be in their way. */
#include "peer.h"

#include <unistd.h>
#include <zmq.h>

const unsigned peer_modes = 1u << PEER_POLL | 1u << PEER_BLOCK;
static void *context, *sockets[2];

bool peer_open(void) {
    int none = 0, depth = (int)peer_depth();
    context = zmq_ctx_new();
    for (int c = 0; c <= peer.both_ways; c++) {
        char address[128];
        snprintf(address, sizeof address, "ipc:///dev/shm/%s-%d.zmq", peer.name, c);
        sockets[c] = zmq_socket(context, ZMQ_PAIR);
        zmq_setsockopt(sockets[c], ZMQ_LINGER, &none, sizeof none);
        zmq_setsockopt(sockets[c], ZMQ_SNDHWM, &depth, sizeof depth);
        zmq_setsockopt(sockets[c], ZMQ_RCVHWM, &depth, sizeof depth);
        peer_must((peer.is_first ? zmq_bind(sockets[c], address) : zmq_connect(sockets[c], address)) == 0, "zmq");
    }
    return true;
}

void peer_close(void) {
    for (int c = 0; c <= peer.both_ways; c++)
        zmq_close(sockets[c]);
    zmq_ctx_term(context);
    for (int c = 0; c <= peer.both_ways && peer.is_first; c++) {
        char path[128];
        snprintf(path, sizeof path, "/dev/shm/%s-%d.zmq", peer.name, c);
        unlink(path);
    }
}

void peer_send(int channel, const void *data) {
    peer_must(zmq_send(sockets[channel], data, peer.size, 0) == (int)peer.size, "zmq_send");
}

void peer_receive(int channel, void *data) {
    peer_must(zmq_recv(sockets[channel], data, peer.size, 0) == (int)peer.size, "zmq_recv");
}

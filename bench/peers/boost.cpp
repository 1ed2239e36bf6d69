/* Boost.Interprocess: its message_queue, which sleeps on a condition of its own, and try_send and try_receive for who spins. */
#include "peer.h"

#include <boost/interprocess/ipc/message_queue.hpp>
#include <new>
#include <string>

namespace ip = boost::interprocess;

extern "C" {
extern const unsigned peer_modes = 1u << PEER_POLL | 1u << PEER_BLOCK;
}
static ip::message_queue *queue[2];

static std::string name_of(int channel) {
    return std::string(peer.name) + (channel ? "-back" : "-there");
}

bool peer_open(void) {
    for (int c = 0; c <= peer.both_ways; c++)
        queue[c] = peer.is_first ? new ip::message_queue(ip::create_only, name_of(c).c_str(), peer_depth(), peer.size)
                                 : new ip::message_queue(ip::open_only, name_of(c).c_str());
    return true;
}

void peer_close(void) {
    for (int c = 0; c <= peer.both_ways; c++) {
        delete queue[c];
        if (peer.is_first)
            ip::message_queue::remove(name_of(c).c_str());
    }
}

void peer_send(int channel, const void *data) {
    if (peer.mode == PEER_BLOCK)
        queue[channel]->send(data, peer.size, 0);
    else
        while (!queue[channel]->try_send(data, peer.size, 0))
            ;
}

void peer_receive(int channel, void *data) {
    ip::message_queue::size_type got;
    unsigned priority;
    if (peer.mode == PEER_BLOCK)
        queue[channel]->receive(data, peer.size, got, priority);
    else
        while (!queue[channel]->try_receive(data, peer.size, got, priority))
            ;
}

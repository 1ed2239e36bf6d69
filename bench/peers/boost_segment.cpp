/* Boost.Interprocess: a managed segment with a mutex, a condition and a value in it, as its documentation shows it. */
#include "peer.h"

#include <boost/interprocess/managed_shared_memory.hpp>
#include <boost/interprocess/sync/interprocess_condition.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>

namespace ip = boost::interprocess;

extern "C" {
extern const unsigned peer_modes = 1u << PEER_POLL | 1u << PEER_BLOCK | 1u << PEER_IN_PLACE;
}

struct value {
    ip::interprocess_mutex mutex;
    ip::interprocess_condition changed;
    bool is_full = false;
};
static ip::managed_shared_memory *segment;
static value *values[2];
static char *bytes[2];

bool peer_open(void) {
    static const char *const names[] = {"there", "back"}, *const byte_names[] = {"there bytes", "back bytes"};
    if (peer.is_first)
        segment = new ip::managed_shared_memory(ip::create_only, peer.name, 2 * peer.size + 65536);
    else
        segment = new ip::managed_shared_memory(ip::open_only, peer.name);
    for (int c = 0; c < 2; c++) {
        values[c] = segment->find_or_construct<value>(names[c])();
        bytes[c] = segment->find_or_construct<char>(byte_names[c])[peer.size](0);
    }
    return true;
}

void peer_close(void) {
    delete segment;
    if (peer.is_first)
        ip::shared_memory_object::remove(peer.name);
}

/* Waits until it is, or is not, full. */
static ip::scoped_lock<ip::interprocess_mutex> enter(value &v, bool is_full) {
    for (;;) {
        ip::scoped_lock<ip::interprocess_mutex> lock(v.mutex);
        while (peer.mode == PEER_BLOCK && v.is_full != is_full)
            v.changed.wait(lock);
        if (v.is_full == is_full)
            return lock;
    }
}

static void put(int channel, const void *data, size_t used) {
    auto lock = enter(*values[channel], false);
    memcpy(bytes[channel], data, used);
    values[channel]->is_full = true;
    if (peer.mode == PEER_BLOCK)
        values[channel]->changed.notify_one();
}

static void get(int channel, void *data, size_t used) {
    auto lock = enter(*values[channel], true);
    memcpy(data, bytes[channel], used);
    values[channel]->is_full = false;
    if (peer.mode == PEER_BLOCK)
        values[channel]->changed.notify_one();
}

#include "put_get.h"

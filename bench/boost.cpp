/* The only C++ here: a queue of Boost's behind five functions. */
#include "boost.h"

#if __has_include(<boost/interprocess/ipc/message_queue.hpp>)
#include <boost/interprocess/ipc/message_queue.hpp>
namespace ip = boost::interprocess;

bool boost_is_here(void) {
    return true;
}

void *boost_queue_open(const char *name, size_t depth, size_t size, bool anew) {
    if (anew)
        ip::message_queue::remove(name);
    return new ip::message_queue(ip::open_or_create, name, depth, size);
}

void boost_queue_send(void *queue, const void *data, size_t size) {
    static_cast<ip::message_queue *>(queue)->send(data, size, 0);
}

void boost_queue_receive(void *queue, void *data, size_t size) {
    ip::message_queue::size_type got;
    unsigned priority;
    static_cast<ip::message_queue *>(queue)->receive(data, size, got, priority);
}

void boost_queue_close(void *queue, const char *name) {
    delete static_cast<ip::message_queue *>(queue);
    ip::message_queue::remove(name);
}
#else
bool boost_is_here(void) {
    return false;
}
void *boost_queue_open(const char *, size_t, size_t, bool) {
    return nullptr;
}
void boost_queue_send(void *, const void *, size_t) {
}
void boost_queue_receive(void *, void *, size_t) {
}
void boost_queue_close(void *, const char *) {
}
#endif

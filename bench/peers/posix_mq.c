/* POSIX message queues, as deep as the others where the system's limits allow it, else of ten messages. */
#define _GNU_SOURCE
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>

const unsigned peer_modes = 1u << PEER_POLL | 1u << PEER_BLOCK;
static mqd_t queue[2];

static const char *name_of(int channel) {
    static char name[64];
    snprintf(name, sizeof name, "/%s-%d", peer.name, channel);
    return name;
}

bool peer_open(void) {
    struct mq_attr attributes = {.mq_maxmsg = peer_depth(), .mq_msgsize = (long)peer.size};
    int flags = O_RDWR | (peer.is_first ? O_CREAT | O_EXCL : 0) | (peer.mode == PEER_POLL ? O_NONBLOCK : 0);
    for (int c = 0; c <= peer.both_ways; c++) {
        queue[c] = mq_open(name_of(c), flags, 0600, &attributes);
        if (queue[c] < 0 && peer.is_first) {
            attributes.mq_maxmsg = 10;
            queue[c] = mq_open(name_of(c), flags, 0600, &attributes);
        }
        if (queue[c] < 0)
            return peer_absent(errno == EINVAL || errno == EMFILE ? "the system's limits are smaller than this message" : strerror(errno));
    }
    return true;
}

void peer_close(void) {
    for (int c = 0; c <= peer.both_ways && peer.is_first; c++)
        mq_unlink(name_of(c));
}

void peer_send(int channel, const void *data) {
    int result;
    while ((result = mq_send(queue[channel], data, peer.size, 0)) < 0 && errno == EAGAIN)
        ;
    peer_must(result == 0, "mq_send");
}

void peer_receive(int channel, void *data) {
    ssize_t got;
    while ((got = mq_receive(queue[channel], data, peer.size, NULL)) < 0 && errno == EAGAIN)
        ;
    peer_must(got == (ssize_t)peer.size, "mq_receive");
}

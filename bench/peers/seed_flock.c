/* A System V segment under flock, copied whole: as the locked segment did it. Who waits for the next looks again. */
#define _GNU_SOURCE
#include "peer.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

const unsigned peer_modes = 1u << PEER_POLL;
static int segment, locks[2];
static char *memory[2];
static uint64_t seen[2];

static const char *path_of(int channel) {
    static char path[128];
    snprintf(path, sizeof path, "/dev/shm/%s-%d.lock", peer.name, channel);
    return path;
}

bool peer_open(void) {
    if (!peer.both_ways)
        return peer_absent("it holds one value");
    for (int c = 0; c < 2; c++) {
        locks[c] = open(path_of(c), O_RDWR | O_CREAT, 0600);
        peer_must(locks[c] >= 0, "open");
    }
    /* Its number is in the file, and not made of it (ftok): another program's must not be met. */
    if (peer.is_first) {
        segment = shmget(IPC_PRIVATE, 2 * peer.size, 0600);
        peer_must(segment >= 0 && write(locks[0], &segment, sizeof segment) == sizeof segment, "shmget");
    } else {
        peer_must(read(locks[0], &segment, sizeof segment) == sizeof segment, "read");
    }
    memory[0] = shmat(segment, NULL, 0);
    peer_must(memory[0] != (char *)-1, "shmat");
    memory[1] = memory[0] + peer.size;
    return true;
}

void peer_close(void) {
    shmdt(memory[0]);
    for (int c = 0; c < 2 && peer.is_first; c++)
        unlink(path_of(c));
    if (peer.is_first)
        shmctl(segment, IPC_RMID, NULL);
}

void peer_send(int channel, const void *data) {
    flock(locks[channel], LOCK_EX);
    memcpy(memory[channel], data, peer.size);
    flock(locks[channel], LOCK_UN);
}

void peer_receive(int channel, void *data) {
    uint64_t first;
    do {
        flock(locks[channel], LOCK_EX);
        memcpy(&first, memory[channel], 8);
        if (first != seen[channel])
            memcpy(data, memory[channel], peer.size);
        flock(locks[channel], LOCK_UN);
    } while (first == seen[channel]);
    seen[channel] = first;
}

/* What the ways in bare shared memory have alike: a place for each channel, in a segment of the run's name. */
#ifndef COVE_BENCH_PEERS_MAPPING_H
#define COVE_BENCH_PEERS_MAPPING_H

#include "peer.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static inline const char *mapping_name(void) {
    static char name[64];
    snprintf(name, sizeof name, "/%s", peer.name);
    return name;
}

/* Of so many bytes, zeroed by who is first. */
static inline char *mapping_open(size_t bytes) {
    int fd = shm_open(mapping_name(), O_RDWR | (peer.is_first ? O_CREAT | O_EXCL : 0), 0600);
    peer_must(fd >= 0 && (!peer.is_first || ftruncate(fd, (off_t)bytes) == 0), "shm_open");
    char *memory = (char *)mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    peer_must(memory != MAP_FAILED, "mmap");
    close(fd);
    return memory;
}

static inline void mapping_close(void) {
    if (peer.is_first)
        shm_unlink(mapping_name());
}

#endif

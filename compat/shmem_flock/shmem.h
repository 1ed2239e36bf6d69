/* A piece of shared memory that belongs to a file, read and written as a whole; safe between processes and between threads.
 *
 * It stays until it is deleted. Who is killed in the midst of a write leaves the old bytes or the new ones. Functions return 0, or -1 with
 * errno, and -1 changes nothing:
 *     EINVAL   a null pointer, a size that does not fit
 *     EIDRM    somebody has deleted it
 *     ETIMEDOUT   a stopped process has kept it for ten seconds */
#ifndef SHMEM_H
#define SHMEM_H

#include <stddef.h>

#include "ipc_flock.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct shmem_t {
    int id;               /* the same in all processes that have it */
    int memory_size;      /* what was asked for */
    void *memory;         /* this handle's own copy of what was last read or written by it */
    ipc_flock_t *lockptr; /* a lock on the file, for the user: reading and writing need none */
    int lock_closed;
} shmem_t;

/* Opens the memory of the file `fname`, or makes it, all 0; the file too, where there is none. `memory_size` is 1 to INT_MAX, and at most
 * what there is. Null, with errno, on failure. */
shmem_t *shmem_open(char *fname, size_t memory_size);
/* Ends the handle, and makes the pointer null. The memory stays. */
int shmem_close(shmem_t **shmem);
/* The same, and deletes the memory: no other handle can read or write it any more. */
int shmem_delete(shmem_t **shmem);
/* Copies memory_size bytes to `data`, which has room for `size`, at least so many. */
int shmem_read(shmem_t **shmem, void *data, size_t size);
/* Replaces the first `size` bytes, at most memory_size; the rest stays. */
int shmem_write(shmem_t **shmem, void *data, size_t size);

#ifdef __cplusplus
}
#endif
#endif

/* A lock on a file, between processes: one holder, none when it dies.
 *
 * A handle holds the lock or does not, for all threads that use it; two handles exclude each other, also in one process. In a child of
 * fork a handle is the child's own, and holds nothing. Functions return 0, or -1 with errno. */
#ifndef FILE_LOCK_H
#define FILE_LOCK_H

#ifdef __cplusplus
extern "C" {
#endif

#define FILE_NAME_LEN 256

typedef struct ipc_flock_t {
    int fd;
    char fname[FILE_NAME_LEN];
} ipc_flock_t;

/* Makes the file where there is none. Null, with errno, on failure; ENAMETOOLONG from 256 bytes on. */
ipc_flock_t *ipc_flock_open(char *fname);
/* Waits for as long as another holds it. Who holds it may lock again; one unlock ends that. */
int ipc_flock_lock(ipc_flock_t *fl);
int ipc_flock_unlock(ipc_flock_t *fl);
/* Lets go, and frees the handle. */
int ipc_flock_close(ipc_flock_t *fl);

#ifdef __cplusplus
}
#endif
#endif

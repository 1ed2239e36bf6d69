/* flock(2), and a file opened anew in a child of fork, since an inherited descriptor would share its parent's lock. See ipc_flock.h. */
#define _GNU_SOURCE
#include "ipc_flock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

typedef struct handle {
    ipc_flock_t public; /* first: it is what the user has */
    pid_t opened_by;
} handle;

static int open_file(const char *fname) {
    return open(fname, O_CREAT | O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0666); /* a pipe of that name is not waited for */
}

/* The same file, whatever has its name by now. */
static int open_again(int fd) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

ipc_flock_t *ipc_flock_open(char *fname) {
    if (!fname || strlen(fname) >= FILE_NAME_LEN) {
        errno = fname ? ENAMETOOLONG : EINVAL;
        return NULL;
    }
    handle *h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    if ((h->public.fd = open_file(fname)) < 0) {
        int error_number = errno;
        free(h);
        errno = error_number;
        return NULL;
    }
    memcpy(h->public.fname, fname, strlen(fname) + 1);
    h->opened_by = getpid();
    return &h->public;
}

static int operate(ipc_flock_t *fl, int operation) {
    if (!fl) {
        errno = EINVAL;
        return -1;
    }
    handle *h = (handle *)(void *)fl;
    if (h->opened_by != getpid()) {
        int fd = open_again(fl->fd);
        if (fd < 0)
            return -1;
        close(fl->fd); /* in the child only: the parent keeps its lock */
        fl->fd = fd;
        h->opened_by = getpid();
    }
    int result;
    do
        result = flock(fl->fd, operation);
    while (result != 0 && errno == EINTR);
    return result;
}

int ipc_flock_lock(ipc_flock_t *fl) {
    return operate(fl, LOCK_EX);
}

int ipc_flock_unlock(ipc_flock_t *fl) {
    return operate(fl, LOCK_UN);
}

int ipc_flock_close(ipc_flock_t *fl) {
    if (!fl) {
        errno = EINVAL;
        return -1;
    }
    if (((handle *)(void *)fl)->opened_by == getpid())
        flock(fl->fd, LOCK_UN); /* a child of ours may have the descriptor still */
    close(fl->fd);
    free(fl);
    return 0;
}

/* A block of Cove's for each file, named by the file's device and inode. See shmem.h. */
#define _GNU_SOURCE
#include "shmem.h"

#include <cove/block.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATIENCE_MS 10000

typedef struct handle {
    shmem_t public; /* first: it is what the user has */
    cove_block *block;
    pthread_mutex_t copying; /* of public.memory; only ever tried, so that nobody hangs on it after a fork */
} handle;

static int fail(int error_number) {
    errno = error_number;
    return -1;
}

/* The file decides, and not the way to it: two paths to one file lead to one memory. */
static cove_result name_of(int fd, char name[COVE_NAME_MAX + 1], int *out_id) {
    struct stat facts;
    char key[64];
    if (fstat(fd, &facts) != 0)
        return COVE_ERR_SYSTEM;
    int length = snprintf(key, sizeof key, "%jx.%jx", (uintmax_t)facts.st_dev, (uintmax_t)facts.st_ino);
    *out_id = (int)(facts.st_ino & INT_MAX);
    return cove_name_escape("shmem", key, (size_t)length, name);
}

static void free_handle(handle *h) {
    int error_number = errno;
    cove_block_close(h->block);
    if (h->public.lockptr)
        ipc_flock_close(h->public.lockptr);
    free(h->public.memory);
    free(h);
    errno = error_number;
}

shmem_t *shmem_open(char *fname, size_t memory_size) {
    char name[COVE_NAME_MAX + 1];
    if (!fname || !memory_size || memory_size > INT_MAX) {
        errno = EINVAL;
        return NULL;
    }
    handle *h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    pthread_mutex_init(&h->copying, NULL);
    h->public.memory_size = (int)memory_size;
    h->public.memory = calloc(1, memory_size);
    h->public.lockptr = h->public.memory ? ipc_flock_open(fname) : NULL;
    if (!h->public.lockptr) {
        free_handle(h);
        return NULL;
    }
    cove_result result = name_of(h->public.lockptr->fd, name, &h->public.id);
    if (result == COVE_OK)
        result = cove_block_open(
            &h->block, name,
            &(cove_block_options){.capacity_bytes = memory_size + 1, .size_rule = COVE_AT_LEAST, .lifetime = COVE_UNTIL_REMOVED});
    if (result != COVE_OK) {
        errno = cove_result_to_errno(result);
        free_handle(h);
        return NULL;
    }
    return &h->public;
}

/* The last byte of the block is the facade's: whether the memory was deleted. So nobody has to ask the file system each time. */
static bool is_deleted(const cove_block_view *view) {
    return view->length_bytes == view->capacity_bytes && ((const char *)view->data)[view->capacity_bytes - 1];
}

/* All of it is the value, from the first write on. */
static void fill(cove_block_view *view) {
    if (view->length_bytes < view->capacity_bytes)
        memset((char *)view->data + view->length_bytes, 0, (size_t)(view->capacity_bytes - view->length_bytes));
    view->length_bytes = view->capacity_bytes;
}

static handle *handle_of(shmem_t **shmem) {
    return shmem && *shmem ? (handle *)(void *)*shmem : NULL;
}

static void keep_copy(handle *h, const void *data, size_t size) {
    if (pthread_mutex_trylock(&h->copying) != 0)
        return; /* another thread is at it, and its bytes are as good as the last */
    memcpy(h->public.memory, data, size);
    pthread_mutex_unlock(&h->copying);
}

int shmem_read(shmem_t **shmem, void *data, size_t size) {
    handle *h = handle_of(shmem);
    cove_block_view view;
    if (!h || !data || size < (size_t)h->public.memory_size)
        return fail(EINVAL);
    cove_result result = cove_block_lock_read(h->block, &view, COVE_TRY); /* which never waits */
    if (result < 0)
        return fail(cove_result_to_errno(result));
    size_t wanted = (size_t)h->public.memory_size, there = view.length_bytes < wanted ? (size_t)view.length_bytes : wanted;
    bool was_deleted = is_deleted(&view);
    if (!was_deleted) {
        memcpy(data, view.data, there);
        memset((char *)data + there, 0, wanted - there);
    }
    if ((result = cove_block_unlock(h->block, &view)) < 0)
        return fail(cove_result_to_errno(result));
    if (was_deleted)
        return fail(EIDRM);
    keep_copy(h, data, wanted);
    return 0;
}

int shmem_write(shmem_t **shmem, void *data, size_t size) {
    handle *h = handle_of(shmem);
    cove_block_view view;
    if (!h || (!data && size) || size > (size_t)h->public.memory_size)
        return fail(EINVAL);
    cove_result result = cove_block_lock_write(h->block, &view, COVE_TRY); /* mostly; and then the clock need not be read */
    if (result == COVE_ERR_TIMEOUT)
        result = cove_block_lock_write(h->block, &view, cove_in_ms(PATIENCE_MS));
    if (result < 0)
        return fail(cove_result_to_errno(result));
    if (is_deleted(&view)) {
        result = cove_block_abandon(h->block, &view);
        (void)result;
        return fail(EIDRM);
    }
    fill(&view);
    if (size)
        memcpy(view.data, data, size);
    if ((result = cove_block_unlock(h->block, &view)) < 0)
        return fail(cove_result_to_errno(result));
    if (size)
        keep_copy(h, data, size);
    return 0;
}

int shmem_close(shmem_t **shmem) {
    handle *h = handle_of(shmem);
    if (!h)
        return fail(EINVAL);
    *shmem = NULL;
    free_handle(h);
    return 0;
}

int shmem_delete(shmem_t **shmem) {
    handle *h = handle_of(shmem);
    if (!h)
        return fail(EINVAL);
    /* First the name, so that who comes now gets another; then all who have it are told. */
    cove_block_view view;
    cove_result result = cove_block_remove(h->block);
    if (result >= 0 && (result = cove_block_lock_write(h->block, &view, cove_in_ms(PATIENCE_MS))) >= 0) {
        fill(&view);
        ((char *)view.data)[view.capacity_bytes - 1] = 1;
        result = cove_block_unlock(h->block, &view);
    }
    if (result < 0)
        return fail(cove_result_to_errno(result));
    *shmem = NULL;
    free_handle(h);
    return 0;
}

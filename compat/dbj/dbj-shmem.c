/* The component: blocks of Cove's, by key. See dbj-shmem.h. */
#define _GNU_SOURCE
#include "dbj-shmem.h"

#include <cove/block.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))
#define PATIENCE_MS 10000

/* A block of this process's. `users` counts calls that are inside, and one for the table; who takes the last one away closes. */
typedef struct entry {
    struct entry *next;
    cove_block *block;
    char key[64]; /* all bytes behind the first 0 are 0 */
    unsigned size, users;
} entry;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static entry *table;

static bool fail(int error_number) {
    errno = error_number;
    return false;
}
static bool told(cove_result result) {
    return result >= 0 || fail(cove_result_to_errno(result));
}

static void clean_key(char out[64], const dbj_string_64 *key) {
    size_t length = strnlen(key->data, sizeof key->data);
    memset(out, 0, 64);
    memcpy(out, key->data, length);
}

/* ---- The table. */

static entry **place_of(const char key[64]) {
    entry **place = &table;
    while (*place && memcmp((*place)->key, key, 64) != 0)
        place = &(*place)->next;
    return place;
}

/* Null, and ENOENT, where this process has no such block. */
static entry *hold(const dbj_string_64 *key) {
    char clean[64];
    clean_key(clean, key);
    pthread_mutex_lock(&mutex);
    entry *found = *place_of(clean);
    if (found)
        found->users++;
    pthread_mutex_unlock(&mutex);
    if (!found)
        errno = ENOENT;
    return found;
}

static void let_go(entry *e) {
    pthread_mutex_lock(&mutex);
    bool is_last = --e->users == 0;
    pthread_mutex_unlock(&mutex);
    if (!is_last)
        return;
    int error_number = errno;
    cove_block_close(e->block);
    free(e);
    errno = error_number;
}

/* ---- The interface. */

/* Under the mutex, so that of two threads one makes it, and the other finds it. */
static bool create_under_mutex(const char key[64], unsigned size) {
    char name[COVE_NAME_MAX + 1];
    entry **place = place_of(key);
    if (*place)
        return (*place)->size == size || fail(EINVAL);
    cove_result result = cove_name_escape("dbj", key, strnlen(key, 64), name);
    if (result != COVE_OK)
        return told(result);
    entry *e = calloc(1, sizeof *e);
    if (!e)
        return fail(ENOMEM);
    result = cove_block_open(&e->block, name, &(cove_block_options){.capacity_bytes = size});
    if (result != COVE_OK) {
        free(e);
        return result == COVE_ERR_SIZE ? fail(EINVAL) : told(result);
    }
    memcpy(e->key, key, 64);
    e->size = size;
    e->users = 1;
    *place = e;
    return true;
}

static bool create(struct component_shmem *self, dbj_string_64 key, unsigned size) {
    char clean[64];
    (void)self;
    clean_key(clean, &key);
    if (!size || !clean[0])
        return fail(EINVAL);
    pthread_mutex_lock(&mutex);
    bool done = create_under_mutex(clean, size);
    pthread_mutex_unlock(&mutex);
    return done;
}

static bool delete_block(struct component_shmem *self, dbj_string_64 key) {
    char clean[64];
    (void)self;
    clean_key(clean, &key);
    pthread_mutex_lock(&mutex);
    entry **place = place_of(clean), *found = *place;
    if (found)
        *place = found->next;
    pthread_mutex_unlock(&mutex);
    if (!found)
        return fail(ENOENT);
    let_go(found);
    return true;
}

static bool set_value(struct component_shmem *self, dbj_string_64 key, unsigned size, void *value) {
    cove_block_view view;
    (void)self;
    entry *e = hold(&key);
    if (!e)
        return false;
    if (!size || size > e->size || !value) {
        let_go(e);
        return fail(EINVAL);
    }
    cove_result result = cove_block_lock_write(e->block, &view, cove_in_ms(PATIENCE_MS));
    if (result == COVE_OK) {
        if (view.length_bytes < e->size) /* the first one: nobody has set the rest */
            memset((char *)view.data + view.length_bytes, 0, e->size - view.length_bytes);
        memcpy(view.data, value, size);
        view.length_bytes = e->size;
        result = cove_block_unlock(e->block, &view);
    }
    let_go(e);
    return told(result);
}

static bool get_value(struct component_shmem *self, dbj_string_64 key, unsigned size, void **value) {
    cove_block_view view;
    (void)self;
    entry *e = hold(&key);
    if (!e)
        return false;
    if (!size || size > e->size || !value || !*value) {
        let_go(e);
        return fail(EINVAL);
    }
    cove_result result = cove_block_lock_read(e->block, &view, cove_in_ms(PATIENCE_MS));
    if (result == COVE_OK) {
        size_t there = view.length_bytes < size ? (size_t)view.length_bytes : size;
        memcpy(*value, view.data, there);
        memset((char *)*value + there, 0, size - there);
        result = cove_block_unlock(e->block, &view);
    }
    let_go(e);
    return told(result);
}

EXPORTED struct component_shmem *interface_factory(void);
EXPORTED struct component_shmem *interface_factory(void) {
    static struct component_shmem implementation = {create, delete_block, set_value, get_value};
    return &implementation;
}

EXPORTED struct dbj_component_version_ dbj_component_version(void);
EXPORTED struct dbj_component_version_ dbj_component_version(void) {
    return (struct dbj_component_version_){COVE_VERSION_MAJOR, COVE_VERSION_MINOR, COVE_VERSION_PATCH,
                                           "named blocks of shared memory, by Cove"};
}

/* Whether this process holds no block. */
EXPORTED bool dbj_component_can_unload_now(void);
EXPORTED bool dbj_component_can_unload_now(void) {
    pthread_mutex_lock(&mutex);
    bool is_empty = !table;
    pthread_mutex_unlock(&mutex);
    return is_empty;
}

/* ---- Forks, and the end. */

static void before_fork(void) {
    pthread_mutex_lock(&mutex);
}
static void after_fork(void) {
    pthread_mutex_unlock(&mutex);
}

__attribute__((constructor)) static void load(void) {
    pthread_atfork(before_fork, after_fork, after_fork);
}

/* Whoever releases the component releases its blocks. */
__attribute__((destructor)) static void unload(void) {
    while (table) {
        entry *e = table;
        table = e->next;
        let_go(e);
    }
}

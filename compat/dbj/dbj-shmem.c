/* The component: blocks of Cove's, by key. See dbj-shmem.h. */
#define _GNU_SOURCE
#include "dbj-shmem.h"

#include <cove/block.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))
#define PATIENCE_MS 10000

/* A block of this process's, or one that was, whose place may be used again for the same key. Entries stay in the table until the component is
 * unloaded, so that calls find theirs without a lock. `users` is 1 for the table and 1 for each call that is inside; whoever makes it 0 closes,
 * and from 0 it never rises but under the mutex. */
typedef struct entry {
    struct entry *next;
    char key[64]; /* all bytes behind the first 0 are 0 */
    cove_block *block;
    unsigned size;
    _Atomic bool is_listed; /* this process has it; changed under the mutex */
    _Atomic unsigned users;
    _Atomic bool is_closed; /* nobody is inside any more, and the block is closed */
} entry;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of creating and deleting */
static entry *_Atomic table;

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

/* The entry of a block that this process has: null where it has none. Under the mutex. */
static entry *find(const char key[64]) {
    for (entry *e = atomic_load(&table); e; e = e->next)
        if (e->is_listed && !memcmp(e->key, key, 64))
            return e;
    return NULL;
}

/* Null, and ENOENT, where this process has no such block. */
static entry *hold(const dbj_string_64 *key) {
    for (entry *e = atomic_load_explicit(&table, memory_order_acquire); e; e = e->next) {
        if (!atomic_load_explicit(&e->is_listed, memory_order_acquire) || strncmp(e->key, key->data, 64) != 0) /* up to the first 0 */
            continue;
        unsigned users = atomic_load_explicit(&e->users, memory_order_relaxed);
        while (users && !atomic_compare_exchange_weak_explicit(&e->users, &users, users + 1, memory_order_acquire, memory_order_relaxed))
            ;
        if (users)
            return e;
    }
    errno = ENOENT;
    return NULL;
}

static void let_go(entry *e) {
    if (atomic_fetch_sub_explicit(&e->users, 1, memory_order_acq_rel) != 1)
        return;
    int error_number = errno;
    cove_block_close(e->block);
    atomic_store(&e->is_closed, true);
    errno = error_number;
}

/* ---- The interface. */

/* Under the mutex, so that of two threads one makes it, and the other finds it. */
static bool create_under_mutex(const char key[64], unsigned size) {
    char name[COVE_NAME_MAX + 1];
    cove_block *block;
    entry *e = find(key);
    if (e)
        return e->size == size || fail(EINVAL);
    cove_result result = cove_name_escape("dbj", key, strnlen(key, 64), name);
    if (result != COVE_OK)
        return told(result);
    for (e = atomic_load(&table); e && (memcmp(e->key, key, 64) != 0 || !atomic_load(&e->is_closed));)
        e = e->next;
    bool is_new = !e;
    if (is_new && !(e = calloc(1, sizeof *e)))
        return fail(ENOMEM);
    result = cove_block_open(&block, name, &(cove_block_options){.capacity_bytes = size});
    if (result != COVE_OK) {
        if (is_new)
            free(e);
        return result == COVE_ERR_SIZE ? fail(EINVAL) : told(result);
    }
    if (is_new)
        memcpy(e->key, key, 64);
    e->block = block;
    e->size = size;
    atomic_store(&e->is_closed, false);
    atomic_store(&e->users, 1);
    atomic_store(&e->is_listed, true);
    if (is_new) {
        e->next = atomic_load(&table);
        atomic_store(&table, e);
    }
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
    entry *found = find(clean);
    if (found) {
        found->is_listed = false;
        let_go(found); /* the table's share; who is inside has his own */
    }
    pthread_mutex_unlock(&mutex);
    return found || fail(ENOENT);
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
    cove_result result = cove_block_lock_write(e->block, &view, COVE_TRY); /* mostly; and then the clock need not be read */
    if (result == COVE_ERR_TIMEOUT)
        result = cove_block_lock_write(e->block, &view, cove_in_ms(PATIENCE_MS));
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
    cove_result result = cove_block_lock_read(e->block, &view, COVE_TRY); /* which never waits */
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
    bool is_empty = true;
    pthread_mutex_lock(&mutex);
    for (entry *e = atomic_load(&table); e; e = e->next)
        is_empty = is_empty && atomic_load(&e->is_closed);
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
    entry *next;
    for (entry *e = atomic_exchange(&table, NULL); e; e = next) {
        next = e->next;
        if (e->is_listed)
            let_go(e);
        if (atomic_load(&e->is_closed)) /* else a thread is inside still, as the program ends */
            free(e);
    }
}

/* Many threads on one handle, and on handles of their own: what a race detector can see. */
#include "tests/support.h"

#include <pthread.h>

#define THREADS 4

static cove_block *shared_handle;
static bool own_handles;
static int rounds;

static cove_block *handle(void) {
    cove_block *block = shared_handle;
    if (own_handles && cove_block_open(&block, "b", &(cove_block_options){.how = COVE_OPEN}) != COVE_OK)
        return NULL;
    return block;
}

static void *mix(void *context) {
    char data[512], pattern[512];
    uint64_t length, r = (uintptr_t)context * UINT64_C(0x9e3779b97f4a7c15) + 1;
    cove_block *block = handle();
    cove_block_view view;
    if (!block)
        return "open";
    for (int i = 0; i < rounds; i++) {
        r ^= r << 13, r ^= r >> 7, r ^= r << 17;
        size_t size = 8 + r % 500;
        switch (r >> 32 & 3) {
        case 0:
            fill_pattern(pattern, size, r);
            if (cove_block_set(block, pattern, size, cove_in_ms(60000)) != COVE_OK)
                return "set";
            break;
        case 1:
            if (cove_block_get(block, data, sizeof data, &length, NULL, cove_in_ms(60000)) != COVE_OK || !is_pattern(data, length))
                return "get";
            break;
        case 2:
            if (cove_block_lock_read(block, &view, cove_in_ms(60000)) != COVE_OK || !is_pattern(view.data, view.length_bytes) ||
                cove_block_unlock(block, &view) != COVE_OK)
                return "lock_read";
            break;
        default:
            if (cove_block_lock_write(block, &view, cove_in_ms(60000)) != COVE_OK || !is_pattern(view.data, view.length_bytes))
                return "lock_write";
            fill_pattern(view.data, size, r);
            view.length_bytes = size;
            if (cove_block_unlock(block, &view) != COVE_OK)
                return "unlock";
        }
    }
    if (own_handles)
        cove_block_close(block);
    return NULL;
}

static void mix_threads(unsigned flags, bool own) {
    pthread_t threads[THREADS];
    void *failed;
    rounds = test_is_slow ? 3000 : 30000;
    own_handles = own;
    expect(COVE_OK, cove_block_open(&shared_handle, "b", &(cove_block_options){.capacity_bytes = 512, .flags = flags}));
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, mix, (void *)(i + 1));
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &failed);
        if (failed)
            fail_msg("a thread failed in %s", (char *)failed);
    }
    cove_block_close(shared_handle);
}

TEST(threads_share_one_handle_of_a_two_copy_block) {
    mix_threads(0, false);
}

TEST(threads_share_one_handle_of_a_single_copy_block) {
    mix_threads(COVE_BLOCK_SINGLE, false);
}

TEST(threads_with_handles_of_their_own_share_a_two_copy_block) {
    mix_threads(0, true);
}

TEST(threads_with_handles_of_their_own_share_a_single_copy_block) {
    mix_threads(COVE_BLOCK_SINGLE, true);
}

static _Atomic int turns;

static void *wait_for_versions(void *context) {
    (void)context;
    for (uint64_t seen = 0; seen < (uint64_t)rounds;)
        if (cove_block_wait(shared_handle, seen, cove_in_ms(60000), &seen) != COVE_OK)
            return "wait";
    return NULL;
}

TEST(every_waiting_thread_sees_the_last_change) {
    pthread_t threads[THREADS];
    void *failed;
    rounds = test_is_slow ? 2000 : 20000;
    turns = 0;
    expect(COVE_OK, cove_block_open(&shared_handle, "b", &(cove_block_options){.capacity_bytes = 8}));
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, wait_for_versions, NULL);
    for (int i = 0; i < rounds; i++)
        expect(COVE_OK, cove_block_set(shared_handle, &i, sizeof i, COVE_FOREVER));
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    cove_block_close(shared_handle);
}

static void *open_and_close(void *context) {
    char name[16];
    snprintf(name, sizeof name, "n%d", (int)((uintptr_t)context % 2));
    for (int i = 0; i < rounds; i++) {
        cove_block *block;
        if (cove_block_open(&block, name, &(cove_block_options){.capacity_bytes = 64}) != COVE_OK)
            return "open";
        if (cove_block_set(block, &i, sizeof i, cove_in_ms(60000)) != COVE_OK)
            return "set";
        cove_block_close(block);
    }
    return NULL;
}

TEST(threads_open_and_close_the_same_names) {
    pthread_t threads[THREADS];
    void *failed;
    rounds = test_is_slow ? 200 : 2000;
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, open_and_close, (void *)i);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &failed);
        if (failed)
            fail_msg("a thread failed in %s: %s", (char *)failed, cove_last_error()->sentence);
    }
    assert_int_equal(count_files(test_domain), 0);
}

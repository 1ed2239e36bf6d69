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

/* ---- Streams: threads that write, loan, read and borrow by one handle, or each by their own. */

static cove_stream *shared_stream;
static _Atomic uint64_t written, delivered;

static cove_stream *stream_handle(void) {
    cove_stream *stream = shared_stream;
    if (own_handles && cove_stream_open(&stream, "s", &(cove_stream_options){.how = COVE_OPEN}) != COVE_OK)
        return NULL;
    return stream;
}

static void *mix_stream(void *context) {
    uint64_t r = (uintptr_t)context * UINT64_C(0x9e3779b97f4a7c15) + 1;
    cove_stream *stream = stream_handle();
    if (!stream)
        return "open";
    for (int i = 0; i < rounds; i++) {
        char data[128];
        cove_value value;
        cove_loan loan;
        cove_result result;
        r ^= r << 13, r ^= r >> 7, r ^= r << 17;
        size_t size = 8 + r % 120;
        switch (r >> 32 & 3) {
        case 0:
            fill_pattern(data, size, r);
            if (cove_stream_write(stream, data, size, 0, cove_in_ms(60000)) != COVE_OK)
                return "write";
            written++;
            break;
        case 1:
            if (cove_stream_loan(stream, size, &loan, cove_in_ms(60000)) != COVE_OK)
                return "loan";
            fill_pattern(loan.data, size, r);
            if (cove_stream_publish(stream, &loan, cove_in_ms(60000)) != COVE_OK)
                return "publish";
            written++;
            break;
        case 2:
            result = cove_stream_read(stream, data, sizeof data, &value, COVE_TRY);
            if (result == COVE_ERR_EMPTY)
                break;
            if (result < 0 || !is_pattern(data, value.length_bytes))
                return "read";
            delivered += 1 + value.missed_count;
            break;
        default:
            result = cove_stream_borrow(stream, &value, COVE_TRY);
            if (result == COVE_ERR_EMPTY || result == COVE_ERR_FULL)
                break;
            if (result < 0 || !is_pattern(value.data, value.length_bytes) || cove_stream_give_back(stream, &value) != COVE_OK)
                return "borrow";
            delivered += 1 + value.missed_count;
        }
    }
    if (own_handles)
        cove_stream_close(stream);
    return NULL;
}

static void mix_stream_threads(bool own) {
    pthread_t threads[THREADS];
    void *failed;
    char data[128];
    cove_value value;
    rounds = test_is_slow ? 3000 : 30000;
    own_handles = own;
    written = delivered = 0;
    cove_stream_options options = {.capacity_bytes = 128, .depth = 16, .loans = 8, .borrows = 4, .start = COVE_START_NEW};
    expect(COVE_OK, cove_stream_open(&shared_stream, "s", &options));
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, mix_stream, (void *)(i + 1));
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &failed);
        if (failed)
            fail_msg("a thread failed in %s: %s", (char *)failed, cove_last_error()->sentence);
    }
    while (!own && cove_stream_read(shared_stream, data, sizeof data, &value, COVE_TRY) >= 0)
        delivered += 1 + value.missed_count;
    if (!own)
        assert_int_equal(written, delivered); /* each value once, to one of the threads, or missed */
    cove_stream_close(shared_stream);
}

TEST(threads_share_one_handle_of_a_stream) {
    mix_stream_threads(false);
}

TEST(threads_with_handles_of_their_own_share_a_stream) {
    mix_stream_threads(true);
}

static void *take_every_value(void *context) {
    uint64_t got, *next = context;
    while (*next <= (uint64_t)rounds) {
        if (cove_stream_read(shared_stream, &got, sizeof got, NULL, cove_in_ms(60000)) != COVE_OK || got != *next)
            return "read";
        ++*next;
    }
    return NULL;
}

TEST(a_lossless_reader_in_another_thread_gets_every_value) {
    cove_stream *writer;
    pthread_t thread;
    void *failed;
    uint64_t next = 1;
    rounds = test_is_slow ? 5000 : 200000;
    expect(COVE_OK, cove_stream_open(&writer, "s", &(cove_stream_options){.depth = 4}));
    expect(COVE_OK, cove_stream_open(&shared_stream, "s", &(cove_stream_options){.follow = COVE_FOLLOW_LOSSLESS, .start = COVE_START_NEW}));
    pthread_create(&thread, NULL, take_every_value, &next);
    for (uint64_t n = 1; n <= (uint64_t)rounds; n++)
        expect(COVE_OK, cove_stream_write(writer, &n, sizeof n, 0, cove_in_ms(60000)));
    pthread_join(thread, &failed);
    assert_null(failed);
    cove_stream_close(shared_stream);
    cove_stream_close(writer);
}

/* ---- What is done once, by whichever thread is first. */

static pthread_barrier_t starting;
static cove_stream *first_stream;
static bool one_by_one; /* the others come when the first has done it, with nothing that orders them but what it has left */

static uintptr_t begin_together(void *context) {
    pthread_barrier_wait(&starting);
    if (one_by_one)
        usleep((useconds_t)(uintptr_t)context * 1000);
    return (uintptr_t)context;
}

static void *write_first(void *context) {
    uint64_t number = begin_together(context);
    for (int i = 0; i < 3; i++)
        if (cove_stream_write(first_stream, &number, 8, 0, cove_in_ms(10000)) != COVE_OK)
            return "write";
    return NULL;
}

static void *watch_first(void *context) {
    uint64_t number;
    int fd;
    if (begin_together(context) % 2 && cove_stream_fd(first_stream, &fd) != COVE_OK)
        return "fd";
    for (int i = 0; i < 100; i++) {
        cove_result result = cove_stream_read(first_stream, &number, 8, NULL, COVE_TRY);
        if (result < 0 && result != COVE_ERR_EMPTY)
            return "read";
    }
    return NULL;
}

static const char *at_once(void *(*act)(void *)) {
    pthread_t threads[THREADS];
    void *failed = NULL, *one;
    pthread_barrier_init(&starting, NULL, THREADS);
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, act, (void *)(i + 1));
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &one);
        failed = one ? one : failed;
    }
    pthread_barrier_destroy(&starting);
    return failed;
}

static void first_in_threads(void *(*act)(void *)) {
    for (int round = 0; round < 100; round++) {
        one_by_one = round % 4 == 3;
        expect(COVE_OK, cove_stream_open(&first_stream, "s", &(cove_stream_options){.capacity_bytes = 8}));
        const char *failed = at_once(act);
        if (failed)
            fail_msg("a thread failed in %s", failed);
        cove_stream_close(first_stream);
    }
}

TEST(the_first_write_may_be_in_several_threads) {
    first_in_threads(write_first);
}

TEST(a_descriptor_may_be_asked_for_in_several_threads) {
    first_in_threads(watch_first);
}

static void *open_first(void *context) {
    cove_block *block;
    begin_together(context);
    if (cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 8}) != COVE_OK)
        return "open";
    cove_block_close(block);
    return NULL;
}

static void *set_first(void *context) {
    cove_stream_info info;
    if (begin_together(context) == 1 && one_by_one) /* only attaches again, so that no lock orders that before the others' work */
        return cove_stream_get_info(first_stream, &info) == COVE_OK ? NULL : "info";
    cove_result result = cove_stream_read(first_stream, &context, 8, NULL, COVE_TRY);
    if (result < 0 && result != COVE_ERR_EMPTY)
        return "read";
    if (cove_block_set(shared_handle, &context, 8, cove_in_ms(10000)) != COVE_OK)
        return "set";
    for (int i = 0; i < 3; i++)
        if (cove_stream_write(first_stream, &context, 8, 0, cove_in_ms(10000)) != COVE_OK)
            return "write";
    return NULL;
}

static int do_at_once(void *context) {
    return at_once(context == NULL ? open_first : set_first) ? 1 : 0;
}

TEST(a_child_may_begin_in_several_threads) {
    expect(COVE_OK, cove_block_open(&shared_handle, "b", &(cove_block_options){.capacity_bytes = 8}));
    expect(COVE_OK, cove_stream_open(&first_stream, "s", &(cove_stream_options){.capacity_bytes = 8}));
    for (int round = 0; round < 20; round++) {
        one_by_one = round % 4 == 3;
        assert_int_equal(end_of(child(do_at_once, NULL)), 0);
        assert_int_equal(end_of(child(do_at_once, shared_handle)), 0);
    }
    cove_stream_close(first_stream);
    cove_block_close(shared_handle);
}

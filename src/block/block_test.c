/* What one block does, seen by its user; mostly in one process. Deaths are in tests/crash/. */
#include "tests/support.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>

static cove_block *open_block(const char *name, const cove_block_options *options) {
    cove_block *block = NULL;
    expect(COVE_OK, cove_block_open(&block, name, options));
    return block;
}

static void value_is(cove_block *block, const char *wanted) {
    char data[256];
    uint64_t length;
    expect(COVE_OK, cove_block_get(block, data, sizeof data, &length, NULL, cove_in_ms(5000)));
    assert_int_equal(length, strlen(wanted));
    assert_memory_equal(data, wanted, length);
}

/* ---- Values. */

TEST(a_block_that_nobody_has_set_is_empty_and_of_version_0) {
    cove_block *block = open_block("b", &(cove_block_options){.capacity_bytes = 64});
    value_is(block, "");
    assert_int_equal(cove_block_version(block), 0);
    cove_block_close(block);
}

TEST(a_value_that_was_set_is_what_every_handle_gets) {
    cove_block *writer = open_block("b", &(cove_block_options){.capacity_bytes = 64});
    cove_block *reader = open_block("b", &(cove_block_options){.access = COVE_READ_ONLY});
    expect(COVE_OK, cove_block_set(writer, "one", 3, COVE_TRY));
    value_is(reader, "one");
    expect(COVE_OK, cove_block_set(writer, "three", 5, COVE_TRY));
    value_is(reader, "three");
    value_is(writer, "three");
    expect(COVE_OK, cove_block_set(writer, NULL, 0, COVE_TRY));
    value_is(reader, "");
    assert_int_equal(cove_block_version(reader), 3);
    cove_block_close(reader);
    cove_block_close(writer);
}

TEST(values_of_every_size_up_to_the_capacity_come_back_whole) {
    static const uint64_t sizes[] = {1, 7, 8, 63, 64, 65, 255, 256, 257, 4095, 4096, 4097, 65536, 1 << 20};
    for (unsigned single = 0; single < 2; single++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            uint64_t size = sizes[i], length;
            char *data = malloc(size), *back = malloc(size);
            cove_block *block = open_block("b", &(cove_block_options){.capacity_bytes = size, .flags = single ? COVE_BLOCK_SINGLE : 0});
            for (uint64_t round = 1; round < 5; round++) {
                fill_pattern(data, size, round);
                expect(COVE_OK, cove_block_set(block, data, size, COVE_TRY));
                expect(COVE_OK, cove_block_get(block, back, size, &length, NULL, COVE_TRY));
                assert_int_equal(length, size);
                assert_memory_equal(data, back, size);
            }
            cove_block_close(block);
            free(data);
            free(back);
        }
}

TEST(a_buffer_that_is_too_small_is_told_the_length) {
    cove_block *block = open_block("b", &(cove_block_options){.capacity_bytes = 64});
    char data[4] = "abc";
    uint64_t length = 99, version = 99;
    expect(COVE_OK, cove_block_set(block, "123456", 6, COVE_TRY));
    expect_words(COVE_ERR_SIZE, "6 bytes do not fit into the 4", cove_block_get(block, data, 4, &length, &version, COVE_TRY));
    assert_int_equal(length, 6);
    assert_int_equal(version, 99);
    cove_block_close(block);
}

TEST(a_value_over_the_capacity_is_refused_and_nothing_changes) {
    cove_block *block = open_block("b", &(cove_block_options){.capacity_bytes = 4});
    expect(COVE_OK, cove_block_set(block, "1234", 4, COVE_TRY));
    expect_words(COVE_ERR_SIZE, "5 bytes do not fit into the 4", cove_block_set(block, "12345", 5, COVE_TRY));
    value_is(block, "1234");
    cove_block_close(block);
}

/* ---- Locks. */

TEST(a_write_lock_is_a_transaction_that_unlock_publishes_and_abandon_drops) {
    cove_block *block = open_block("b", &(cove_block_options){.capacity_bytes = 64});
    cove_block_view view;
    expect(COVE_OK, cove_block_set(block, "old", 3, COVE_TRY));
    expect(COVE_OK, cove_block_lock_write(block, &view, COVE_TRY));
    assert_memory_equal(view.data, "old", 3);
    assert_int_equal(view.length_bytes, 3);
    assert_int_equal(view.capacity_bytes, 64);
    memcpy(view.data, "newer", 5);
    view.length_bytes = 5;
    value_is(block, "old");
    expect(COVE_OK, cove_block_unlock(block, &view));
    value_is(block, "newer");
    expect(COVE_OK, cove_block_lock_write(block, &view, COVE_TRY));
    memcpy(view.data, "XXXXX", 5);
    expect(COVE_OK, cove_block_abandon(block, &view));
    value_is(block, "newer");
    expect(COVE_OK, cove_block_set(block, "after", 5, COVE_TRY));
    value_is(block, "after");
    assert_int_equal(cove_block_version(block), 3);
    cove_block_close(block);
}

TEST(a_read_lock_is_a_snapshot_that_one_set_may_pass_and_the_next_waits_for) {
    cove_block *block = open_block("b", &(cove_block_options){.capacity_bytes = 64});
    cove_block_view view;
    expect(COVE_OK, cove_block_set(block, "one", 3, COVE_TRY));
    expect(COVE_OK, cove_block_lock_read(block, &view, COVE_TRY));
    expect(COVE_OK, cove_block_set(block, "two", 3, COVE_TRY));
    expect(COVE_ERR_TIMEOUT, cove_block_set(block, "three", 5, COVE_TRY));
    expect(COVE_ERR_TIMEOUT, cove_block_set(block, "three", 5, cove_in_ms(20)));
    assert_memory_equal(view.data, "one", 3);
    value_is(block, "two");
    expect(COVE_OK, cove_block_unlock(block, &view));
    expect(COVE_OK, cove_block_set(block, "three", 5, COVE_TRY));
    value_is(block, "three");
    cove_block_close(block);
}

TEST(a_view_length_over_the_capacity_is_refused_and_the_lock_is_still_held) {
    cove_block *block = open_block("b", &(cove_block_options){.capacity_bytes = 8});
    cove_block_view view;
    expect(COVE_OK, cove_block_lock_write(block, &view, COVE_TRY));
    view.length_bytes = 9;
    expect(COVE_ERR_SIZE, cove_block_unlock(block, &view));
    expect(COVE_ERR_TIMEOUT, cove_block_set(block, "x", 1, COVE_TRY));
    view.length_bytes = 8;
    expect(COVE_OK, cove_block_unlock(block, &view));
    cove_block_close(block);
}

TEST(a_view_can_be_ended_once) {
    cove_block *block = open_block("b", &(cove_block_options){.capacity_bytes = 8});
    cove_block_view view = {0};
    expect(COVE_ERR_VIEW, cove_block_unlock(block, &view));
    expect(COVE_OK, cove_block_lock_read(block, &view, COVE_TRY));
    expect(COVE_OK, cove_block_unlock(block, &view));
    expect(COVE_ERR_VIEW, cove_block_unlock(block, &view));
    expect(COVE_ERR_VIEW, cove_block_abandon(block, &view));
    expect(COVE_ERR_VIEW, cove_block_mark_repaired(block, &view));
    cove_block_close(block);
}

TEST(a_view_of_another_handle_or_a_copy_of_an_ended_one_publishes_nothing) {
    for (unsigned single = 0; single < 2; single++) {
        cove_block_options options = {.capacity_bytes = 8, .flags = single ? COVE_BLOCK_SINGLE : 0};
        cove_block *a = open_block("a", &options), *b = open_block("b", &options);
        cove_block_view view, copy;
        expect(COVE_OK, cove_block_set(b, "old", 3, COVE_TRY));
        expect(COVE_OK, cove_block_set(b, "new", 3, COVE_TRY));
        expect(COVE_OK, cove_block_lock_write(a, &view, COVE_TRY));
        copy = view;
        expect(COVE_ERR_VIEW, cove_block_unlock(b, &view));
        value_is(b, "new");
        assert_int_equal(cove_block_version(b), 2);
        expect(COVE_OK, cove_block_unlock(a, &view));
        expect(COVE_ERR_DAMAGED, cove_block_unlock(a, &copy));
        assert_int_equal(cove_block_version(a), 1);
        expect(COVE_OK, cove_block_lock_read(a, &view, COVE_TRY));
        copy = view;
        expect(COVE_OK, cove_block_unlock(a, &view));
        expect(COVE_ERR_VIEW, cove_block_unlock(a, &copy));
        for (int i = 0; i < 3; i++)
            expect(COVE_OK, cove_block_set(a, "x", 1, COVE_TRY));
        cove_block_close(a);
        cove_block_close(b);
    }
}

static void *unlock_elsewhere(void *context) {
    void **both = context;
    return (void *)(intptr_t)cove_block_unlock(both[0], both[1]);
}

TEST(any_thread_may_end_a_view) {
    for (unsigned single = 0; single < 2; single++) {
        cove_block *block = open_block("b", &(cove_block_options){.capacity_bytes = 8, .flags = single ? COVE_BLOCK_SINGLE : 0});
        cove_block_view view;
        pthread_t thread;
        void *result;
        expect(COVE_OK, cove_block_lock_write(block, &view, COVE_TRY));
        pthread_create(&thread, NULL, unlock_elsewhere, (void *[]){block, &view});
        pthread_join(thread, &result);
        assert_int_equal((intptr_t)result, COVE_OK);
        expect(COVE_OK, cove_block_set(block, "x", 1, COVE_TRY));
        cove_block_close(block);
    }
}

TEST(an_empty_block_is_a_named_lock) {
    cove_block *one = open_block("lock", NULL), *two = open_block("lock", NULL);
    cove_block_view view, other;
    expect(COVE_OK, cove_block_lock_write(one, &view, COVE_TRY));
    expect(COVE_ERR_TIMEOUT, cove_block_lock_write(two, &other, COVE_TRY));
    expect(COVE_OK, cove_block_unlock(one, &view));
    expect(COVE_OK, cove_block_lock_write(two, &other, COVE_TRY));
    expect(COVE_OK, cove_block_unlock(two, &other));
    cove_block_close(one);
    cove_block_close(two);
}

TEST(a_single_copy_block_has_readers_or_one_writer) {
    cove_block *block = open_block("s", &(cove_block_options){.capacity_bytes = 8192, .flags = COVE_BLOCK_SINGLE});
    cove_block_view read1, read2, write;
    void *data;
    expect(COVE_OK, cove_block_data(block, &data));
    assert_int_equal((uintptr_t)data % 4096, 0);
    expect(COVE_OK, cove_block_lock_read(block, &read1, COVE_TRY));
    expect(COVE_OK, cove_block_lock_read(block, &read2, COVE_TRY));
    assert_ptr_equal(read1.data, data);
    expect(COVE_ERR_TIMEOUT, cove_block_lock_write(block, &write, cove_in_ms(10)));
    expect(COVE_OK, cove_block_unlock(block, &read1));
    expect(COVE_OK, cove_block_unlock(block, &read2));
    expect(COVE_OK, cove_block_lock_write(block, &write, COVE_TRY));
    expect(COVE_ERR_TIMEOUT, cove_block_lock_read(block, &read1, cove_in_ms(10)));
    expect(COVE_ERR_TIMEOUT, cove_block_get(block, NULL, 0, NULL, NULL, cove_in_ms(10)));
    expect(COVE_ERR_UNSUPPORTED, cove_block_abandon(block, &write));
    memcpy(write.data, "abc", 3);
    write.length_bytes = 3;
    expect(COVE_OK, cove_block_unlock(block, &write));
    value_is(block, "abc");
    cove_block_close(block);
}

TEST(a_two_copy_block_has_no_lasting_address) {
    cove_block *block = open_block("b", &(cove_block_options){.capacity_bytes = 8});
    void *data = NULL;
    expect(COVE_ERR_UNSUPPORTED, cove_block_data(block, &data));
    assert_null(data);
    cove_block_close(block);
}

/* ---- Changes. */

TEST(wait_returns_at_once_when_the_version_has_moved_and_else_at_the_deadline) {
    cove_block *block = open_block("b", &(cove_block_options){.capacity_bytes = 8});
    uint64_t version = 77;
    expect(COVE_ERR_TIMEOUT, cove_block_wait(block, 0, COVE_TRY, &version));
    expect(COVE_ERR_TIMEOUT, cove_block_wait(block, 0, cove_in_ms(20), &version));
    assert_int_equal(version, 77);
    expect(COVE_OK, cove_block_set(block, "x", 1, COVE_TRY));
    expect(COVE_OK, cove_block_wait(block, 0, COVE_TRY, &version));
    assert_int_equal(version, 1);
    expect(COVE_OK, cove_block_notify(block));
    assert_int_equal(cove_block_version(block), 2);
    value_is(block, "x");
    cove_block_close(block);
}

static int set_later(void *context) {
    cove_block *block;
    (void)context;
    usleep(30000);
    if (cove_block_open(&block, "b", &(cove_block_options){.how = COVE_OPEN}) != COVE_OK)
        return 1;
    cove_result result = cove_block_set(block, "now", 3, COVE_FOREVER);
    cove_block_close(block);
    return result != COVE_OK;
}

TEST(wait_is_woken_by_a_change_in_another_process) {
    cove_block *block = open_block("b", &(cove_block_options){.capacity_bytes = 8});
    cove_block *reader = open_block("b", &(cove_block_options){.access = COVE_READ_ONLY});
    pid_t pid = child(set_later, NULL);
    uint64_t version;
    expect(COVE_OK, cove_block_wait(block, 0, cove_in_ms(10000), &version));
    expect(COVE_OK, cove_block_wait(reader, 0, cove_in_ms(10000), &version));
    assert_int_equal(end_of(pid), 0);
    value_is(reader, "now");
    cove_block_close(block);
    cove_block_close(reader);
}

TEST(a_read_only_member_of_a_block_that_wakes_readers_sleeps_until_it_is_woken) {
    cove_block *block = open_block("b", &(cove_block_options){.capacity_bytes = 8, .wake_readers_always = true});
    cove_block *reader = open_block("b", &(cove_block_options){.access = COVE_READ_ONLY});
    pid_t pid = child(set_later, NULL);
    expect(COVE_OK, cove_block_wait(reader, 0, cove_in_ms(10000), NULL));
    assert_int_equal(end_of(pid), 0);
    cove_block_close(block);
    cove_block_close(reader);
}

static void *interrupt_later(void *context) {
    usleep(20000);
    cove_block_interrupt(context);
    return NULL;
}

TEST(interrupt_ends_every_wait_of_the_handle_and_no_other) {
    cove_block *block = open_block("b", &(cove_block_options){.capacity_bytes = 8}), *other = open_block("b", NULL);
    cove_block_view view;
    pthread_t thread;
    pthread_create(&thread, NULL, interrupt_later, block);
    expect(COVE_ERR_INTERRUPTED, cove_block_wait(block, 0, COVE_FOREVER, NULL));
    pthread_join(thread, NULL);
    expect(COVE_ERR_INTERRUPTED, cove_block_wait(block, 0, COVE_FOREVER, NULL));
    expect(COVE_ERR_TIMEOUT, cove_block_wait(other, 0, cove_in_ms(10), NULL));
    expect(COVE_OK, cove_block_lock_write(other, &view, COVE_TRY));
    expect(COVE_ERR_INTERRUPTED, cove_block_set(block, "x", 1, COVE_FOREVER));
    expect(COVE_OK, cove_block_unlock(other, &view));
    expect(COVE_OK, cove_block_set(block, "x", 1, COVE_FOREVER)); /* nothing to wait for: no interruption */
    cove_block_close(block);
    cove_block_close(other);
}

static void on_signal(int number) {
    (void)number;
}

TEST(a_signal_ends_a_wait_only_where_that_was_asked_for) {
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    cove_block *block = open_block("b", &(cove_block_options){.capacity_bytes = 8, .interruptible = true}),
               *patient = open_block("b", NULL);
    for (int asked = 0; asked < 2; asked++) {
        pid_t parent = getpid(), pid = fork();
        if (!pid) {
            for (int i = 0; i < 100; i++) { /* one that comes between two sleeps is missed, as the header says */
                usleep(10000);
                kill(parent, SIGUSR1);
            }
            _exit(0);
        }
        if (asked)
            expect(COVE_ERR_INTERRUPTED, cove_block_wait(block, 0, cove_in_ms(5000), NULL));
        else
            expect(COVE_ERR_TIMEOUT, cove_block_wait(patient, 0, cove_in_ms(100), NULL));
        kill_child(pid);
    }
    cove_block_close(block);
    cove_block_close(patient);
}

/* ---- What bad input gets. */

TEST(names_that_are_none_are_refused) {
    char longest[202];
    cove_block *block = NULL;
    memset(longest, 'n', 201);
    longest[201] = 0;
    expect(COVE_ERR_NAME, cove_block_open(&block, longest, NULL));
    expect(COVE_ERR_NAME, cove_block_open(&block, "", NULL));
    expect(COVE_ERR_NAME, cove_block_open(&block, ".hidden", NULL));
    expect_words(COVE_ERR_NAME, "'a/b' is not a name", cove_block_open(&block, "a/b", NULL));
    expect(COVE_ERR_NAME, cove_block_open(&block, "umlaut-\xc3\xa4", NULL));
    expect(COVE_ERR_ARGUMENT, cove_block_open(&block, NULL, NULL));
    expect(COVE_ERR_ARGUMENT, cove_block_open(NULL, "b", NULL));
    assert_null(block);
    longest[200] = 0;
    cove_block_close(open_block(longest, NULL));
    assert_int_equal(count_files(test_domain), 0);
}

TEST(options_that_this_library_does_not_know_are_refused) {
    cove_block *block = NULL;
    struct {
        cove_block_options known;
        uint64_t newer;
    } options = {0};
    expect(COVE_OK, cove_block_open_sized(&block, "b", &options.known, sizeof options));
    cove_block_close(block);
    options.newer = 1;
    expect_words(COVE_ERR_OPTION, "update the library", cove_block_open_sized(&block, "b", &options.known, sizeof options));
    expect(COVE_ERR_OPTION, cove_block_open_sized(&block, "b", &options.known, 8));
    expect(COVE_ERR_OPTION, cove_block_open(&block, "b", &(cove_block_options){.how = (cove_how)9}));
    expect(COVE_ERR_OPTION, cove_block_open(&block, "b", &(cove_block_options){.access = (cove_access)9}));
    expect(COVE_ERR_OPTION, cove_block_open(&block, "b", &(cove_block_options){.lifetime = (cove_lifetime)9}));
    expect(COVE_ERR_OPTION, cove_block_open(&block, "b", &(cove_block_options){.size_rule = (cove_size_rule)9}));
    expect(COVE_ERR_OPTION, cove_block_open(&block, "b", &(cove_block_options){.slots = 4097}));
    expect(COVE_ERR_OPTION, cove_block_open(&block, "b", &(cove_block_options){.flags = 0x80}));
    expect(COVE_ERR_OPTION, cove_block_open(&block, "b", &(cove_block_options){.reserved_0 = 1}));
    expect(COVE_ERR_OPTION, cove_block_open(&block, "b", &(cove_block_options){.how = COVE_CREATE, .access = COVE_READ_ONLY}));
    expect_words(COVE_ERR_MODE, "0777", cove_block_open(&block, "b", &(cove_block_options){.mode = 0777}));
    expect(COVE_ERR_MODE, cove_block_open(&block, "b", &(cove_block_options){.mode = 0066}));
    expect(COVE_ERR_SIZE, cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = UINT64_MAX}));
    expect(COVE_ERR_SIZE, cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = UINT64_MAX / 2}));
    assert_int_equal(count_files(test_domain), 0);
}

TEST(a_mismatch_names_both_sides_and_touches_nothing) {
    char text[64];
    cove_block *block = open_block("b", &(cove_block_options){.capacity_bytes = 100, .type_name = "pose", .schema_hash = 7}), *other = NULL;
    cove_opened opened = {.created = true};
    expect_words(COVE_ERR_SIZE, "100 bytes, and 50 were",
                 cove_block_open(&other, "b", &(cove_block_options){.capacity_bytes = 50, .opened = &opened}));
    expect_words(COVE_ERR_SIZE, "at least 101",
                 cove_block_open(&other, "b", &(cove_block_options){.capacity_bytes = 101, .size_rule = COVE_AT_LEAST}));
    expect_words(COVE_ERR_TYPE, "'pose', and 'twist'", cove_block_open(&other, "b", &(cove_block_options){.type_name = "twist"}));
    expect_words(COVE_ERR_TYPE, "0000000000000007, and 0000000000000008",
                 cove_block_open(&other, "b", &(cove_block_options){.schema_hash = 8}));
    expect(COVE_ERR_OPTION, cove_block_open(&other, "b", &(cove_block_options){.flags = COVE_BLOCK_SINGLE}));
    expect_words(COVE_ERR_EXISTS, "taken", cove_block_open(&other, "b", &(cove_block_options){.how = COVE_CREATE}));
    snprintf(text, sizeof text, "'none' in %s", test_domain);
    expect_words(COVE_ERR_NOT_FOUND, text, cove_block_open(&other, "none", &(cove_block_options){.how = COVE_OPEN}));
    expect(COVE_ERR_NOT_FOUND, cove_block_open(&other, "none", &(cove_block_options){.access = COVE_READ_ONLY}));
    assert_null(other);
    assert_true(opened.created);
    other =
        open_block("b", &(cove_block_options){.capacity_bytes = 99, .size_rule = COVE_AT_LEAST, .type_name = "pose", .opened = &opened});
    assert_false(opened.created);
    cove_block_close(other);
    cove_block_close(block);
    assert_int_equal(count_files(test_domain), 0);
}

TEST(foreign_truncated_and_damaged_files_are_told_apart_and_left_alone) {
    char path[256];
    cove_block *block = NULL;
    int status;
    snprintf(path, sizeof path, "%s/b", test_domain);
    run(&status, "echo hello > %s", path);
    expect(COVE_ERR_FOREIGN, cove_block_open(&block, "b", NULL));
    expect(COVE_ERR_FOREIGN, cove_remove(NULL, "b", COVE_REMOVE_FORCE));
    run(&status, "rm %s; mkdir %s", path, path);
    expect(COVE_ERR_FOREIGN, cove_block_open(&block, "b", NULL));
    run(&status, "rmdir %s; mkfifo %s", path, path);
    expect(COVE_ERR_FOREIGN, cove_block_open(&block, "b", NULL));
    run(&status, "rm %s; ln -s /etc/passwd %s", path, path);
    expect(COVE_ERR_FOREIGN, cove_block_open(&block, "b", NULL));
    run(&status, "rm %s; : > %s", path, path);
    expect(COVE_ERR_FOREIGN, cove_block_open(&block, "b", NULL));
    expect(COVE_OK, cove_remove(NULL, "b", COVE_REMOVE_FORCE)); /* a file without any header is what a power cut leaves */
    block = open_block("b", &(cove_block_options){.capacity_bytes = 100, .lifetime = COVE_UNTIL_REMOVED});
    cove_block_close(block);
    run(&status, "truncate -s 8192 %s", path);
    expect_words(COVE_ERR_TRUNCATED, "has 8192 bytes, and its header says", cove_block_open(&block, "b", NULL));
    expect(COVE_ERR_TRUNCATED, cove_remove(NULL, "b", 0));
    expect(COVE_OK, cove_remove(NULL, "b", COVE_REMOVE_FORCE));
    block = open_block("b", &(cove_block_options){.capacity_bytes = 100, .lifetime = COVE_UNTIL_REMOVED});
    cove_block_close(block);
    run(&status, "printf '\\377' | dd of=%s bs=1 seek=50 conv=notrunc 2>/dev/null", path);
    expect_words(COVE_ERR_DAMAGED, "checksum", cove_block_open(&block, "b", NULL));
    run(&status, "printf '\\011' | dd of=%s bs=1 seek=12 conv=notrunc 2>/dev/null", path);
    expect_words(COVE_ERR_VERSION, "layout 9.0", cove_block_open(&block, "b", NULL));
    expect(COVE_OK, cove_remove(NULL, "b", COVE_REMOVE_FORCE));
}

TEST(a_domain_that_cannot_be_trusted_or_is_none_is_refused_with_the_remedy) {
    char path[256];
    cove_block *block = NULL;
    int status;
    snprintf(path, sizeof path, "%s/sub", test_domain);
    cove_block_options options = {.domain = path};
    expect_words(COVE_ERR_DOMAIN, "cove domain create", cove_block_open(&block, "b", &options));
    run(&status, ": > %s", path);
    expect_words(COVE_ERR_DOMAIN, "not a directory", cove_block_open(&block, "b", &options));
    run(&status, "rm %s; ln -s /tmp %s", path, path);
    expect_words(COVE_ERR_DOMAIN, "symbolic link", cove_block_open(&block, "b", &options));
    run(&status, "rm %s; mkdir -m 0777 %s", path, path);
    expect_words(COVE_ERR_DOMAIN, "chmod +t", cove_block_open(&block, "b", &options));
    run(&status, "rmdir %s", path);
    options.domain = "/proc";
    expect_words(COVE_ERR_DOMAIN, "proc", cove_block_open(&block, "b", &options));
    options.domain = "";
    expect(COVE_ERR_DOMAIN, cove_block_open(&block, "b", &options));
}

TEST(null_pointers_are_told_and_not_followed) {
    cove_block *block = open_block("b", &(cove_block_options){.capacity_bytes = 8});
    cove_block_view view;
    expect(COVE_ERR_ARGUMENT, cove_block_set(NULL, "x", 1, COVE_TRY));
    expect(COVE_ERR_ARGUMENT, cove_block_set(block, NULL, 1, COVE_TRY));
    expect(COVE_ERR_ARGUMENT, cove_block_get(block, NULL, 1, NULL, NULL, COVE_TRY));
    expect(COVE_ERR_ARGUMENT, cove_block_lock_read(block, NULL, COVE_TRY));
    expect(COVE_ERR_ARGUMENT, cove_block_lock_write(NULL, &view, COVE_TRY));
    expect(COVE_ERR_ARGUMENT, cove_block_unlock(block, NULL));
    expect(COVE_ERR_ARGUMENT, cove_block_own(NULL));
    expect(COVE_ERR_ARGUMENT, cove_block_get_info(block, NULL));
    expect(COVE_ERR_ARGUMENT, cove_block_data(block, NULL));
    assert_false(cove_block_is_removed(NULL));
    cove_block_close(NULL);
    cove_block_interrupt(NULL);
    cove_block_close(block);
}

TEST(a_read_only_handle_cannot_write_and_says_so) {
    cove_block *block = open_block("b", &(cove_block_options){.capacity_bytes = 8, .lifetime = COVE_WHILE_OWNED}),
               *reader = open_block("b", &(cove_block_options){.access = COVE_READ_ONLY});
    cove_block_view view;
    expect_words(COVE_ERR_ACCESS, "read-only", cove_block_set(reader, "x", 1, COVE_TRY));
    expect(COVE_ERR_ACCESS, cove_block_lock_write(reader, &view, COVE_TRY));
    expect(COVE_ERR_ACCESS, cove_block_lock_read(reader, &view, COVE_TRY));
    expect(COVE_ERR_ACCESS, cove_block_notify(reader));
    expect(COVE_ERR_ACCESS, cove_block_own(reader));
    expect(COVE_ERR_ACCESS, cove_block_disown(reader));
    cove_block_close(reader);
    cove_block_close(block);
}

TEST(the_slots_of_a_block_can_be_used_up_and_read_only_members_need_none) {
    cove_block *members[3], *one_more = NULL;
    for (int i = 0; i < 3; i++)
        members[i] = open_block("b", &(cove_block_options){.capacity_bytes = 8, .slots = 3});
    expect_words(COVE_ERR_FULL, "all 3 places", cove_block_open(&one_more, "b", NULL));
    cove_block_close(open_block("b", &(cove_block_options){.access = COVE_READ_ONLY}));
    cove_block_close(members[1]);
    one_more = open_block("b", NULL);
    cove_block_close(one_more);
    cove_block_close(members[0]);
    cove_block_close(members[2]);
}

TEST(a_damaged_length_or_lock_word_is_an_error_and_not_a_crash) {
    char path[256], data[64];
    cove_block *block = open_block("b", &(cove_block_options){.capacity_bytes = 64, .slots = 8});
    expect(COVE_OK, cove_block_set(block, "abc", 3, COVE_TRY));
    snprintf(path, sizeof path, "%s/b", test_domain);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    const off_t object = 8192; /* a page of header, 8 slots, rounded up */
    uint64_t huge = UINT64_MAX, length = 5;
    assert_int_equal(pwrite(fd, &huge, 8, object + 72), 8);
    assert_int_equal(pwrite(fd, &huge, 8, object + 80), 8);
    expect(COVE_ERR_DAMAGED, cove_block_get(block, data, sizeof data, &length, NULL, COVE_TRY));
    assert_int_equal(length, 5);
    cove_block_view view;
    expect(COVE_OK, cove_block_lock_write(block, &view, COVE_TRY));
    assert_int_equal(view.length_bytes, 64);
    assert_int_equal(pwrite(fd, &huge, 8, object), 8);
    expect(COVE_ERR_DAMAGED, cove_block_unlock(block, &view));
    uint64_t nobody = 0;
    assert_int_equal(pwrite(fd, &nobody, 8, object), 8);
    expect(COVE_OK, cove_block_set(block, "xyz", 3, COVE_TRY));
    value_is(block, "xyz");
    close(fd);
    cove_block_close(block);
}

/* ---- Lifetimes and ownership. */

TEST(a_block_that_lives_while_used_is_gone_with_its_last_member) {
    cove_block *one = open_block("b", &(cove_block_options){.capacity_bytes = 8}), *two = open_block("b", NULL),
               *reader = open_block("b", &(cove_block_options){.access = COVE_READ_ONLY});
    cove_block_close(one);
    cove_block_close(two);
    assert_int_equal(count_files(test_domain), 1);
    cove_block_close(reader);
    assert_int_equal(count_files(test_domain), 0);
}

TEST(a_block_until_removed_keeps_its_value_without_members) {
    cove_block *block = open_block("b", &(cove_block_options){.capacity_bytes = 8, .lifetime = COVE_UNTIL_REMOVED});
    expect(COVE_OK, cove_block_set(block, "kept", 4, COVE_TRY));
    cove_block_close(block);
    expect(COVE_OK, cove_gc(NULL, 0, NULL, NULL, NULL));
    block = open_block("b", NULL);
    value_is(block, "kept");
    expect_words(COVE_ERR_IN_USE, "somebody is attached", cove_remove(NULL, "b", 0));
    cove_block_close(block);
    expect(COVE_OK, cove_remove(NULL, "b", 0));
    expect(COVE_ERR_NOT_FOUND, cove_remove(NULL, "b", 0));
}

TEST(a_removed_block_goes_on_for_its_members_who_are_told_once) {
    cove_block *block = open_block("b", &(cove_block_options){.capacity_bytes = 8}),
               *reader = open_block("b", &(cove_block_options){.access = COVE_READ_ONLY});
    expect(COVE_OK, cove_remove(NULL, "b", COVE_REMOVE_FORCE));
    assert_true(cove_block_is_removed(block));
    expect(COVE_OK, cove_block_set(block, "x", 1, COVE_TRY));
    value_is(reader, "x");
    expect(COVE_REMOVED, cove_block_wait(reader, 1, COVE_FOREVER, NULL));
    expect(COVE_ERR_TIMEOUT, cove_block_wait(reader, 1, cove_in_ms(5), NULL));
    cove_block *newer = open_block("b", &(cove_block_options){.capacity_bytes = 16});
    expect(COVE_OK, cove_block_remove(block)); /* this very object, which has gone already: the newer one stays */
    assert_false(cove_block_is_removed(newer));
    assert_int_equal(count_files(test_domain), 1);
    cove_block_close(block);
    cove_block_close(reader);
    cove_block_close(newer);
    assert_int_equal(count_files(test_domain), 0);
}

TEST(a_read_only_member_that_removes_tells_the_others_too) {
    cove_block *block = open_block("b", &(cove_block_options){.capacity_bytes = 8}),
               *reader = open_block("b", &(cove_block_options){.access = COVE_READ_ONLY});
    expect(COVE_OK, cove_block_remove(reader));
    expect(COVE_REMOVED, cove_block_wait(block, 0, COVE_FOREVER, NULL));
    cove_block_close(reader);
    cove_block_close(block);
}

TEST(a_name_that_went_without_a_word_is_noticed_by_who_waits) {
    char path[256];
    cove_block *block = open_block("b", &(cove_block_options){.capacity_bytes = 8});
    snprintf(path, sizeof path, "%s/b", test_domain);
    assert_int_equal(unlink(path), 0); /* as a remover leaves it that is killed before it has said so */
    expect(COVE_REMOVED, cove_block_wait(block, 0, cove_in_ms(60000), NULL));
    assert_true(cove_block_is_removed(block));
    cove_block_close(block);
}

TEST(the_owner_takes_its_block_with_it) {
    cove_opened opened;
    cove_block *owner = open_block("b", &(cove_block_options){.capacity_bytes = 8, .lifetime = COVE_WHILE_OWNED, .opened = &opened});
    assert_true(opened.created && opened.owner);
    cove_block *other = open_block("b", &(cove_block_options){.opened = &opened});
    assert_false(opened.created || opened.owner);
    expect(COVE_ERR_NOT_OWNER, cove_block_disown(other));
    expect(COVE_ERR_NOT_OWNER, cove_block_retire(other));
    cove_block_close(owner);
    assert_int_equal(count_files(test_domain), 0);
    assert_true(cove_block_is_removed(other));
    expect(COVE_ERR_GONE, cove_block_own(other));
    cove_block_close(other);
}

TEST(ownership_can_be_taken_given_up_and_retired_once) {
    cove_block *one = open_block("b", &(cove_block_options){.capacity_bytes = 8, .lifetime = COVE_WHILE_OWNED}),
               *two = open_block("b", NULL);
    cove_block_info info;
    expect(COVE_OK, cove_block_own(two));
    expect(COVE_OK, cove_block_own(two));
    expect(COVE_ERR_NOT_OWNER, cove_block_disown(one));
    expect(COVE_OK, cove_block_get_info(two, &info));
    assert_true(info.is_owner);
    cove_block_close(one);
    assert_int_equal(count_files(test_domain), 1);
    expect(COVE_OK, cove_block_disown(two));
    cove_block_close(two); /* disowned: it stays until it is removed or owned again */
    assert_int_equal(count_files(test_domain), 1);
    one = open_block("b", NULL);
    expect(COVE_OK, cove_block_own(one));
    expect(COVE_OK, cove_block_retire(one));
    expect(COVE_ERR_NOT_OWNER, cove_block_retire(one));
    assert_int_equal(count_files(test_domain), 0);
    cove_block_close(one);
    one = open_block("plain", &(cove_block_options){.capacity_bytes = 8});
    expect_words(COVE_ERR_OPTION, "COVE_WHILE_OWNED", cove_block_own(one));
    cove_block_close(one);
}

TEST(open_with_a_deadline_waits_for_the_name) {
    cove_block *block = NULL;
    expect(COVE_ERR_TIMEOUT, cove_block_open(&block, "b", &(cove_block_options){.how = COVE_OPEN, .deadline_ns = cove_in_ms(20)}));
    expect(COVE_ERR_TIMEOUT, cove_wait_for_name(NULL, "b", cove_in_ms(20)));
    pid_t pid = fork();
    if (!pid) {
        cove_block *made;
        usleep(30000);
        _exit(cove_block_open(&made, "b", &(cove_block_options){.capacity_bytes = 8, .lifetime = COVE_UNTIL_REMOVED}) != COVE_OK);
    }
    expect(COVE_OK, cove_wait_for_name(NULL, "b", cove_in_ms(10000)));
    expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.how = COVE_OPEN, .deadline_ns = cove_in_ms(10000)}));
    assert_int_equal(end_of(pid), 0);
    cove_block_close(block);
    expect(COVE_OK, cove_remove(NULL, "b", 0));
}

/* ---- Memory. */

TEST(prefault_and_lock_memory_are_honoured) {
    cove_block *block = open_block("b", &(cove_block_options){.capacity_bytes = 1 << 20, .flags = COVE_BLOCK_SINGLE, .prefault = true});
    unsigned char resident[256];
    void *data;
    expect(COVE_OK, cove_block_data(block, &data));
    assert_int_equal(mincore(data, 1 << 20, resident), 0);
    for (int i = 0; i < 256; i++)
        assert_true(resident[i] & 1);
    cove_block_close(block);
    block = open_block("b", &(cove_block_options){.capacity_bytes = 1 << 16, .lock_memory = true});
    int status = 0;
    if (!test_is_slow) /* the sanitizers do not lock memory */
        assert_true(atol(run(&status, "awk '/VmLck/ {print $2}' /proc/%d/status", getpid())) >= 64);
    cove_block_close(block);
}

TEST(huge_pages_are_given_or_refused) {
    cove_block *block;
    cove_result result =
        cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 4 << 20, .huge_pages = true, .prefault = true});
    if (result == COVE_OK) {
        expect(COVE_OK, cove_block_set(block, "x", 1, COVE_TRY));
        cove_block_close(block);
    } else {
        expect(COVE_ERR_UNSUPPORTED, result);
    }
    assert_int_equal(count_files(test_domain), 0);
}

TEST(a_mode_that_is_asked_for_is_the_file_s_mode_whatever_the_umask) {
    static const uint32_t modes[] = {0600, 0640, 0666, 0660};
    struct stat facts;
    char path[256];
    mode_t before = umask(0777);
    snprintf(path, sizeof path, "%s/b", test_domain);
    for (int i = 0; i < 4; i++) {
        cove_block *block = open_block("b", &(cove_block_options){.capacity_bytes = 8, .mode = modes[i]});
        assert_int_equal(stat(path, &facts), 0);
        assert_int_equal(facts.st_mode & 07777, modes[i]);
        cove_block_close(block);
    }
    umask(before);
}

LONG_TEST(two_copies_of_2_gib_and_one_of_8_gib_hold_values_to_their_last_byte) {
    const uint64_t two = UINT64_C(2) << 30, eight = UINT64_C(8) << 30;
    cove_domain_info domain;
    expect(COVE_OK, cove_inspect_domain(NULL, &domain));
    if (domain.free_bytes < UINT64_C(9) << 30 || (uint64_t)sysconf(_SC_AVPHYS_PAGES) * 4096 < UINT64_C(12) << 30)
        skip();
    cove_block *block = open_block("big", &(cove_block_options){.capacity_bytes = two});
    cove_block_view view;
    expect(COVE_OK, cove_block_lock_write(block, &view, COVE_TRY));
    ((char *)view.data)[two - 1] = 'z';
    view.length_bytes = two;
    expect(COVE_OK, cove_block_unlock(block, &view));
    expect(COVE_OK, cove_block_lock_write(block, &view, COVE_TRY)); /* fills the other copy: 2 GiB */
    assert_int_equal(((char *)view.data)[two - 1], 'z');
    expect(COVE_OK, cove_block_unlock(block, &view));
    cove_block_close(block);
    block = open_block("big", &(cove_block_options){.capacity_bytes = eight, .flags = COVE_BLOCK_SINGLE});
    expect(COVE_OK, cove_block_lock_write(block, &view, COVE_TRY));
    ((char *)view.data)[eight - 1] = 'z';
    view.length_bytes = eight;
    expect(COVE_OK, cove_block_unlock(block, &view));
    expect(COVE_OK, cove_block_lock_read(block, &view, COVE_TRY));
    assert_int_equal(view.length_bytes, eight);
    assert_int_equal(((char *)view.data)[eight - 1], 'z');
    expect(COVE_OK, cove_block_unlock(block, &view));
    cove_block_close(block);
}

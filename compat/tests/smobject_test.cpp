// SMObject: its interface, item by item, in real processes.
#include "SMObject.hpp" // first: it stands alone, and brings in what programs of the original rely on

static std::string brought_in = std::string("strings") + (PATH_MAX > 0 ? " and limits" : "");

extern "C" {
#include "tests/support.h"
}

#include <csignal>
#include <type_traits>
#include <unistd.h>

using namespace SMObjectSpace;

static_assert(!std::is_copy_constructible<SMObject>::value && !std::is_copy_assignable<SMObject>::value, "an object has one place");
static_assert(std::is_nothrow_move_constructible<SMObject>::value && std::is_nothrow_move_assignable<SMObject>::value, "it may move");

static const char *const here = "/proc/self/exe"; // a file that is there: stat follows it

static void expect_error(int error, int result, const SMObject &object) {
    assert_int_equal(result, -1);
    assert_int_equal(object.error_handle_, error);
    assert_null(object.pdata_);
}

TEST(the_examples_hand_a_number_from_one_program_to_another) {
    int status;
    char *said =
        run(&status,
            "cd %s && PATH=%s/compat:$PATH && touch key && ((echo 2.5; sleep 0.5) | smobject_writer key & sleep 0.2; smobject_reader key; "
            "wait; smobject_reader key; rm key) 2>&1",
            test_domain, COVE_BUILD_DIR);
    assert_non_null(strstr(said, "Segment memory attach failed: No such file or directory\n")); // the second one, when the writer had gone
    assert_non_null(strstr(said, "changed to: 2.500000\n"));
    assert_non_null(strstr(said, "read: 2.500000\n"));
    assert_int_equal(count_files(test_domain), 0);
}

TEST(memory_is_created_accessed_and_gone_with_the_last_object) {
    {
        SMObject a(here, 'A', 100), b(here, 'A', 50), other(here, 'B', 100);
        assert_null(a.pdata_);
        assert_int_equal(a.shmCreate(), 0);
        assert_null(a.pdata_);
        assert_int_equal(a.error_handle_, 0);
        assert_int_equal(a.shmAccess(), 0);
        assert_int_equal(b.shmCreate(), 0); // joins, and needs less
        assert_int_equal(b.shmAccess(), 0);
        assert_int_equal(other.shmCreate(), 0);
        assert_int_equal(other.shmAccess(), 0);
        for (int i = 0; i < 100; i++)
            assert_int_equal(static_cast<char *>(a.pdata_)[i], 0);
        std::strcpy(static_cast<char *>(a.pdata_), "seen by all");
        assert_string_equal(static_cast<char *>(b.pdata_), "seen by all");
        assert_string_equal(static_cast<char *>(other.pdata_), "");
        assert_int_equal(count_files(test_domain), 2);
    }
    assert_int_equal(count_files(test_domain), 0);
}

TEST(what_cannot_be_is_told) {
    SMObject none, missing("/no/such/file", 'A', 4), low(here, 'A' - 1, 4), high(here, 'z' + 1, 4), z(here, 'z', 4), empty(here, 'A', 0),
        negative(here, 'A', -1), small(here, 'C', 4), large(here, 'C', 5), null(nullptr, 'A', 4), unborn(here, 'D', 4);
    expect_error(EBADK, none.shmCreate(), none);
    expect_error(ENOENT, missing.shmCreate(), missing);
    expect_error(ENOENT, null.shmCreate(), null);
    expect_error(EBADK, low.shmCreate(), low);
    expect_error(EBADK, high.shmAccess(), high);
    expect_error(EINVAL, empty.shmCreate(), empty);
    expect_error(EINVAL, negative.shmCreate(), negative);
    expect_error(ENOENT, unborn.shmAccess(), unborn);
    assert_int_equal(z.shmCreate(), 0);
    assert_int_equal(small.shmCreate(), 0);
    expect_error(EINVAL, large.shmCreate(), large);
    expect_error(EINVAL, large.shmAccess(), large);
    assert_string_equal(errorMapping(EBADK), ": key_id out of range.");
    assert_string_equal(errorMapping(ENOENT), std::strerror(ENOENT));
}

TEST(an_object_without_arguments_is_told_them_later) {
    SMObject object;
    object.setUniquePathID(here, 'Q');
    object.setSize(8);
    assert_int_equal(object.shmCreate(), 0);
    assert_int_equal(object.shmAccess(), 0);
    object.decrementMemCtr();
    object.decrementMemCtr();
    SMObject other(here, 'Q', 8);
    assert_int_equal(other.shmAccess(), 0);
    *static_cast<int *>(object.pdata_) = 5;
    assert_int_equal(*static_cast<int *>(other.pdata_), 5);
}

TEST(it_moves_and_what_it_moved_from_is_empty) {
    SMObject a(here, 'M', 8);
    assert_int_equal(a.shmCreate(), 0);
    assert_int_equal(a.shmAccess(), 0);
    void *at = a.pdata_;
    SMObject b(std::move(a)), c;
    assert_null(a.pdata_); // NOLINT: that is what is looked at
    assert_ptr_equal(b.pdata_, at);
    c = std::move(b);
    assert_ptr_equal(c.pdata_, at);
    assert_int_equal(count_files(test_domain), 1);
    c = SMObject();
    assert_int_equal(count_files(test_domain), 0);
}

static int print_errors(void *) {
    std::fclose(stdout);
    stdout = std::fopen((std::string(test_domain) + "/.out").c_str(), "w");
    std::freopen((std::string(test_domain) + "/.err").c_str(), "w", stderr);
    SMObject bad(here, '!', 4), missing("/no/such/file", 'A', 4);
    bad.shmCreate();
    bad.pError("first");
    missing.shmCreate();
    errno = EPERM; // what it tells is its own
    missing.pError("second");
    std::fflush(nullptr);
    return 0;
}

TEST(errors_are_printed_as_documented) {
    int status;
    assert_int_equal(end_of(child(print_errors, nullptr)), 0);
    assert_string_equal(run(&status, "cat %s/.out", test_domain), "first: key_id out of range.\n");
    assert_string_equal(run(&status, "cat %s/.err", test_domain), "second: No such file or directory\n");
    run(&status, "cd %s && rm .out .err", test_domain);
}

// ---- Other processes.

static int hold(void *context) {
    SMObject object("/etc", 'K', 8);
    if (object.shmCreate() != 0 || object.shmAccess() != 0)
        return 1;
    *static_cast<volatile int *>(object.pdata_) = 77;
    __atomic_store_n(static_cast<int *>(context), 1, __ATOMIC_SEQ_CST);
    pause();
    return 0;
}

TEST(a_killed_process_leaves_no_count_and_takes_nothing_from_others) {
    int *is_ready = static_cast<int *>(shared_memory(sizeof(int)));
    pid_t pid = child(hold, is_ready);
    eventually(__atomic_load_n(is_ready, __ATOMIC_SEQ_CST));
    {
        SMObject object("/etc", 'K', 8);
        assert_int_equal(object.shmAccess(), 0);
        assert_int_equal(*static_cast<int *>(object.pdata_), 77);
        kill_child(pid);
        object.decrementMemCtr();
        SMObject late("/etc", 'K', 8);
        assert_int_equal(late.shmAccess(), 0);
        assert_int_equal(*static_cast<int *>(late.pdata_), 77);
    }
    assert_int_equal(count_files(test_domain), 0); // the last one out
    *is_ready = 0;
    pid = child(hold, is_ready);
    eventually(__atomic_load_n(is_ready, __ATOMIC_SEQ_CST));
    kill_child(pid);
    SMObject object("/etc", 'K', 8);
    expect_error(ENOENT, object.shmAccess(), object); // killed, and gone
}

static int only_end(void *) {
    SMObject never("/etc", 'K', 8); // and its end does not end the program
    return 42;
}

TEST(an_object_that_was_never_attached_just_ends) {
    assert_int_equal(end_of(child(only_end, nullptr)), 42);
}

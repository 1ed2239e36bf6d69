/* The C wrapper of libsharedmemory. */
#include "libsharedmemory/lsm_c.h"

#include "tests/support.h"

#include <errno.h>

TEST(memory_is_created_opened_closed_destroyed_and_freed) {
    lsm_memory *a = lsm_create("c", 32, 0), *b = lsm_open("c", 32, 0);
    assert_true(a && b && lsm_size(a) == 32);
    strcpy(lsm_data(a), "from C");
    assert_string_equal(lsm_data(b), "from C");
    lsm_close(a);
    lsm_close(a);
    assert_null(lsm_data(a));
    assert_string_equal(lsm_data(b), "from C");
    lsm_destroy(b);
    errno = 0;
    assert_null(lsm_open("c", 32, 0));
    assert_int_equal(errno, ENOENT);
    lsm_free(a);
    lsm_free(b);
    lsm_free(NULL);
    assert_int_equal(count_files(test_domain), 0);
}

TEST(what_cannot_be_is_null_with_a_reason) {
    errno = 0;
    assert_true(!lsm_create("c", 0, 0) && errno == EINVAL);
    assert_true(!lsm_create(NULL, 8, 0) && errno == EINVAL);
    assert_true(!lsm_open("c", 8, 0) && errno == ENOENT);
    lsm_memory *a = lsm_create("c", 8, 1);
    errno = 0;
    assert_true(!lsm_create("c", 9, 1) && errno != 0);
    lsm_free(a);
    a = lsm_open("c", 8, 1); /* it persists */
    assert_non_null(a);
    lsm_destroy(a);
    lsm_free(a);
}

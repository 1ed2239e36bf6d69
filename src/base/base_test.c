/* Names, results, arithmetic: what needs no system. */
#include "base/checked.h"
#include "tests/support.h"

TEST(any_key_becomes_a_name_and_comes_back) {
    char name[COVE_NAME_MAX + 1], key[64], back[COVE_NAME_MAX];
    size_t length;
    for (int round = 0; round < 2000; round++) {
        size_t bytes = random_number() % sizeof key;
        for (size_t i = 0; i < bytes; i++)
            key[i] = (char)random_number();
        expect(COVE_OK, cove_name_escape("dbj", key, bytes, name));
        assert_true(!strncmp(name, "dbj-", 4));
        expect(COVE_OK, cove_name_unescape("dbj", name, back, &length));
        assert_int_equal(length, bytes);
        assert_memory_equal(back, key, bytes);
        cove_block *block; /* and is a name */
        if (round % 100 == 0) {
            expect(COVE_OK, cove_block_open(&block, name, NULL));
            cove_block_close(block);
        }
    }
    expect(COVE_OK, cove_name_escape("p", "/tmp/a_b.c", 10, name));
    assert_string_equal(name, "p-_2ftmp_2fa_5fb.c");
}

TEST(keys_that_do_not_fit_and_names_of_others_are_refused) {
    char key[COVE_NAME_MAX], name[COVE_NAME_MAX + 1] = "untouched", back[COVE_NAME_MAX];
    size_t length = 99;
    memset(key, '/', sizeof key);
    expect_words(COVE_ERR_NAME, "too long", cove_name_escape("p", key, sizeof key, name));
    assert_string_equal(name, "untouched");
    expect(COVE_ERR_NAME, cove_name_escape("p-q", "x", 1, name));
    expect(COVE_ERR_NAME, cove_name_escape(".p", "x", 1, name));
    expect(COVE_ERR_ARGUMENT, cove_name_escape("p", NULL, 1, name));
    expect(COVE_ERR_NAME, cove_name_unescape("p", "q-x", back, &length));
    expect(COVE_ERR_NAME, cove_name_unescape("p", "p-_zz", back, &length));
    expect(COVE_ERR_NAME, cove_name_unescape("p", "p-_2", back, &length));
    expect(COVE_ERR_NAME, cove_name_unescape("p", "p-_41", back, &length)); /* 'A' would have stood for itself */
    assert_int_equal(length, 99);
}

TEST(every_result_has_a_name_a_text_and_an_errno) {
    int named = 0;
    for (int code = -60; code < 10; code++) {
        cove_result result = (cove_result)code;
        assert_non_null(cove_result_name(result));
        assert_non_null(cove_result_text(result));
        if (strcmp(cove_result_name(result), "COVE_ERR_?")) {
            named++;
            assert_true((cove_result_to_errno(result) == 0) == (code >= 0));
        }
    }
    int status;
    assert_int_equal(named, atoi(run(&status, "grep -cE '^    COVE_[A-Z_]+ = -?[0-9]' %s/include/cove/result.h", COVE_SOURCE_DIR)));
    assert_string_equal(cove_result_name(COVE_ERR_SIZE), "COVE_ERR_SIZE");
    assert_string_equal(cove_version(), COVE_VERSION);
}

TEST(sums_and_products_that_do_not_fit_are_told_and_change_nothing) {
    uint64_t out = 7;
    assert_false(covei_add_u64(UINT64_MAX, 1, &out));
    assert_false(covei_mul_u64(UINT64_MAX / 2, 3, &out));
    assert_false(covei_align_up_u64(UINT64_MAX - 3, 64, &out));
    assert_int_equal(out, 7);
    assert_true(covei_align_up_u64(65, 64, &out));
    assert_int_equal(out, 128);
}

TEST(deadlines_far_away_are_for_ever) {
    assert_true(cove_in_ms(UINT64_MAX) == COVE_FOREVER);
    cove_time_ns soon = cove_in_ms(5);
    assert_true(soon > cove_now() && soon - cove_now() <= 5000000);
}

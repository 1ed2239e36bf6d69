/* What one stream does, seen by its user; mostly in one process. Deaths are in tests/crash/. */
#include "tests/support.h"

#include "stream/stream.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>

static cove_stream *open_stream(const cove_stream_options *options) {
    cove_stream *stream = NULL;
    expect(COVE_OK, cove_stream_open(&stream, "s", options));
    return stream;
}

static void write_number(cove_stream *stream, uint64_t number) {
    expect(COVE_OK, cove_stream_write(stream, &number, sizeof number, number * 10, cove_in_ms(5000)));
}

/* The next value is this number, whatever its sequence. */
static cove_value number_is(cove_stream *stream, uint64_t wanted) {
    uint64_t got = 0;
    cove_value value = {0};
    expect(COVE_OK, cove_stream_read(stream, &got, sizeof got, &value, cove_in_ms(5000)));
    assert_int_equal(got, wanted);
    assert_int_equal(value.length_bytes, 8);
    assert_int_equal(value.tag, wanted * 10);
    return value;
}

static void nothing_new(cove_stream *stream) {
    uint64_t got;
    expect(COVE_ERR_EMPTY, cove_stream_read(stream, &got, sizeof got, NULL, COVE_TRY));
}

/* ---- Values and numbers. */

TEST(a_new_stream_is_empty) {
    cove_stream *stream = open_stream(NULL);
    cove_stream_info info;
    nothing_new(stream);
    expect(COVE_ERR_EMPTY, cove_stream_wait(stream, COVE_TRY));
    expect(COVE_ERR_EMPTY, cove_stream_wait(stream, cove_in_ms(5)));
    expect(COVE_OK, cove_stream_get_info(stream, &info));
    assert_int_equal(info.newest_sequence, 0);
    assert_int_equal(info.type, COVE_TYPE_BYTES);
    assert_int_equal(info.depth, 8);
    cove_stream_close(stream);
}

TEST(values_come_in_the_order_of_writing_and_are_numbered_from_1) {
    cove_stream *stream = open_stream(NULL);
    for (uint64_t i = 1; i <= 100; i++) {
        write_number(stream, i);
        cove_value value = number_is(stream, i);
        assert_int_equal(value.sequence, i);
        assert_int_equal(value.missed_count, 0);
        assert_int_equal(value.time_ns, 0);
        assert_int_equal(value.count, 8);
        assert_int_equal(value.type, COVE_TYPE_BYTES);
        nothing_new(stream);
    }
    cove_stream_close(stream);
}

TEST(values_of_every_size_up_to_the_capacity_come_back_whole) {
    static const uint64_t sizes[] = {0, 1, 7, 8, 39, 40, 41, 63, 64, 65, 255, 256, 257, 1023, 1024, 1025, 4096, 65537, 1 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (uint32_t depth = 1; depth <= 4; depth *= 4)
            for (unsigned flags = 0; flags <= COVE_STREAM_TIMES; flags++) {
                uint64_t size = sizes[i];
                char *data = malloc(size + 1), *back = malloc(size + 1);
                cove_value value;
                cove_stream *stream = open_stream(&(cove_stream_options){.capacity_bytes = size, .depth = depth, .flags = flags});
                for (uint64_t round = 1; round < 20; round++) {
                    fill_pattern(data, size, round);
                    back[size] = 77;
                    uint64_t before = cove_now();
                    expect(COVE_OK, cove_stream_write(stream, data, size, round, COVE_TRY));
                    expect(COVE_OK, cove_stream_read(stream, back, size, &value, COVE_TRY));
                    assert_int_equal(value.length_bytes, size);
                    assert_memory_equal(data, back, size);
                    assert_int_equal(back[size], 77);
                    assert_true(flags ? value.time_ns >= before && value.time_ns <= cove_now() : !value.time_ns);
                }
                free(data);
                free(back);
                cove_stream_close(stream);
            }
}

TEST(a_reader_that_is_too_slow_is_told_exactly_how_much_it_missed) {
    for (uint32_t depth = 1; depth <= 16; depth *= 2) {
        cove_stream *writer = open_stream(&(cove_stream_options){.depth = depth});
        cove_stream *reader = open_stream(NULL);
        uint64_t got, delivered = 0, missed = 0, next = 1;
        cove_value value;
        for (uint64_t i = 1; i <= 1000; i++) {
            write_number(writer, i);
            if (random_number() % 20)
                continue;
            cove_result result;
            while ((result = cove_stream_read(reader, &got, sizeof got, &value, COVE_TRY)) != COVE_ERR_EMPTY) {
                assert_int_equal(result, value.missed_count ? COVE_MISSED : COVE_OK);
                assert_int_equal(value.sequence, next + value.missed_count);
                assert_int_equal(got, value.sequence);
                next = value.sequence + 1;
                missed += value.missed_count;
                delivered++;
            }
            assert_int_equal(next, i + 1);
        }
        assert_int_equal(delivered + missed, next - 1);
        cove_stream_close(reader);
        cove_stream_close(writer);
    }
}

TEST(a_reader_of_the_latest_gets_the_newest_once) {
    cove_stream *writer = open_stream(NULL);
    cove_stream *reader = open_stream(&(cove_stream_options){.follow = COVE_FOLLOW_LATEST});
    nothing_new(reader);
    for (uint64_t i = 1; i <= 50; i++)
        write_number(writer, i);
    cove_value value = number_is(reader, 50);
    assert_int_equal(value.missed_count, 49);
    nothing_new(reader);
    write_number(writer, 51);
    assert_int_equal(number_is(reader, 51).missed_count, 0);
    cove_stream_close(reader);
    cove_stream_close(writer);
}

TEST(a_late_reader_begins_where_it_chose) {
    for (int follow = COVE_FOLLOW_ALL; follow <= COVE_FOLLOW_LOSSLESS; follow++)
        for (uint64_t written = 0; written <= 20; written += 5) {
            cove_stream *writer = open_stream(&(cove_stream_options){.depth = 8});
            for (uint64_t i = 1; i <= written; i++)
                write_number(writer, i);
            cove_stream *latest = open_stream(&(cove_stream_options){.follow = (cove_follow)follow});
            cove_stream *oldest = open_stream(&(cove_stream_options){.follow = (cove_follow)follow, .start = COVE_START_OLDEST});
            cove_stream *fresh = open_stream(&(cove_stream_options){.follow = (cove_follow)follow, .start = COVE_START_NEW});
            nothing_new(fresh);
            if (written)
                number_is(latest, written);
            nothing_new(latest);
            uint64_t kept = follow == COVE_FOLLOW_LOSSLESS ? 7 : 8, first = written > kept ? written - kept + 1 : 1;
            if (follow == COVE_FOLLOW_LATEST)
                first = written;
            for (uint64_t i = first; i && i <= written; i++)
                number_is(oldest, i);
            nothing_new(oldest);
            write_number(writer, 1000);
            number_is(latest, 1000);
            number_is(oldest, 1000);
            number_is(fresh, 1000);
            expect(COVE_OK, cove_stream_seek(fresh, COVE_START_LATEST));
            number_is(fresh, 1000);
            cove_stream_close(fresh);
            cove_stream_close(oldest);
            cove_stream_close(latest);
            cove_stream_close(writer);
        }
}

TEST(a_writer_waits_for_a_lossless_reader_and_for_no_other) {
    for (uint32_t depth = 1; depth <= 8; depth *= 2) {
        cove_stream *writer = open_stream(&(cove_stream_options){.depth = depth});
        cove_stream *slow = open_stream(NULL);
        cove_stream *reader = open_stream(&(cove_stream_options){.follow = COVE_FOLLOW_LOSSLESS});
        uint64_t number = 0;
        for (int round = 0; round < 10; round++) {
            for (uint32_t i = 0; i < depth; i++)
                write_number(writer, ++number);
            uint64_t more = 99;
            expect_words(COVE_ERR_FULL, "lossless", cove_stream_write(writer, &more, 8, 0, COVE_TRY));
            expect(COVE_ERR_FULL, cove_stream_write(writer, &more, 8, 0, cove_in_ms(3)));
            for (uint32_t i = depth; i-- > 0;)
                assert_int_equal(number_is(reader, number - i).sequence, number - i);
            nothing_new(reader);
        }
        cove_stream_close(reader);
        for (int i = 0; i < 100; i++)
            write_number(writer, ++number);
        cove_stream_close(slow);
        cove_stream_close(writer);
    }
}

TEST(a_value_that_is_larger_than_the_buffer_is_still_the_next) {
    cove_stream *stream = open_stream(&(cove_stream_options){.capacity_bytes = 100});
    char data[100];
    cove_value value = {0};
    expect(COVE_OK, cove_stream_write(stream, "0123456789", 10, 7, COVE_TRY));
    expect_words(COVE_ERR_SIZE, "10 bytes", cove_stream_read(stream, data, 9, &value, COVE_TRY));
    assert_int_equal(value.length_bytes, 10);
    expect(COVE_OK, cove_stream_read(stream, data, 10, &value, COVE_TRY));
    assert_memory_equal(data, "0123456789", 10);
    cove_stream_close(stream);
}

/* ---- Types. */

TEST(a_value_that_does_not_fit_the_type_is_refused_and_leaves_the_stream_as_it_was) {
    cove_stream *text = open_stream(&(cove_stream_options){.type = COVE_TYPE_TEXT, .capacity_bytes = 32});
    char data[64];
    expect(COVE_OK, cove_stream_write(text, "gr\xc3\xbc\xc3\x9f dich", 11, 0, COVE_TRY));
    expect_words(COVE_ERR_TEXT, "UTF-8", cove_stream_write(text, "gr\xfc\xdf", 4, 0, COVE_TRY));
    expect(COVE_ERR_SIZE, cove_stream_write(text, "0123456789012345678901234567890123456789", 33, 0, COVE_TRY));
    expect_words(COVE_ERR_TYPE, "carries text", cove_stream_write_as(text, COVE_TYPE_F64, "01234567", 8, 0, COVE_TRY));
    expect(COVE_OK, cove_stream_read(text, data, sizeof data, NULL, COVE_TRY));
    nothing_new(text);
    cove_stream *other;
    expect_words(COVE_ERR_TYPE, "carries text, and f64", cove_stream_open(&other, "s", &(cove_stream_options){.type = COVE_TYPE_F64}));
    cove_stream_close(text);
    cove_stream *doubles = open_stream(&(cove_stream_options){.type = COVE_TYPE_F64, .capacity_bytes = 32});
    expect_words(COVE_ERR_SIZE, "whole number", cove_stream_write(doubles, data, 12, 0, COVE_TRY));
    expect(COVE_OK, cove_stream_write(doubles, (double[]){1.5, 2.5, 3.5}, 24, 0, COVE_TRY));
    cove_value value;
    expect(COVE_OK, cove_stream_read(doubles, data, sizeof data, &value, COVE_TRY));
    assert_int_equal(value.count, 3);
    assert_int_equal(value.type, COVE_TYPE_F64);
    cove_stream_close(doubles);
}

TEST(a_stream_of_any_type_carries_the_type_of_each_value) {
    cove_stream *stream = open_stream(&(cove_stream_options){.type = COVE_TYPE_ANY, .capacity_bytes = 64});
    char data[64];
    cove_value value;
    for (int type = COVE_TYPE_BYTES; type < COVE_TYPE_ANY; type++) {
        expect(COVE_OK, cove_stream_write_as(stream, (cove_type)type, "abcdefghijklmnop", 16, 0, COVE_TRY));
        cove_type other = type == COVE_TYPE_F32 ? COVE_TYPE_U8 : COVE_TYPE_F32;
        expect_words(COVE_ERR_TYPE, cove_type_label((cove_type)type),
                     cove_stream_read_as(stream, other, data, sizeof data, &value, COVE_TRY));
        expect(COVE_OK, cove_stream_read_as(stream, (cove_type)type, data, sizeof data, &value, COVE_TRY));
        assert_int_equal(value.type, type);
        assert_int_equal(value.count, type == COVE_TYPE_STRUCT ? 1 : 16 / cove_type_bytes((cove_type)type));
        assert_int_equal(cove_type_of_label(cove_type_label((cove_type)type)), type);
    }
    expect(COVE_ERR_TYPE, cove_stream_write_as(stream, COVE_TYPE_ANY, "a", 1, 0, COVE_TRY));
    expect(COVE_ERR_SIZE, cove_stream_write_as(stream, COVE_TYPE_U16, "abc", 3, 0, COVE_TRY));
    cove_stream_close(stream);
}

TEST(structs_are_told_apart_by_name_size_and_hash) {
    struct point {
        double x, y;
    } point = {1, 2}, back[2];
    cove_value value;
    cove_stream *other,
        *stream = open_stream(&(cove_stream_options){
            .type = COVE_TYPE_STRUCT, .element_bytes = sizeof point, .type_name = "point", .schema_hash = 42, .capacity_bytes = 32});
    expect(COVE_OK, cove_stream_write(stream, &point, sizeof point, 0, COVE_TRY));
    expect(COVE_OK, cove_stream_read(stream, back, sizeof back, &value, COVE_TRY));
    assert_int_equal(value.count, 1);
    assert_memory_equal(back, &point, sizeof point);
    expect(COVE_ERR_SIZE, cove_stream_write(stream, &point, 8, 0, COVE_TRY));
    expect_words(
        COVE_ERR_TYPE, "16 bytes",
        cove_stream_open(&other, "s", &(cove_stream_options){.type = COVE_TYPE_STRUCT, .element_bytes = 24, .type_name = "point"}));
    expect_words(COVE_ERR_TYPE, "'point'", cove_stream_open(&other, "s", &(cove_stream_options){.type_name = "pixel"}));
    expect(COVE_ERR_TYPE, cove_stream_open(&other, "s", &(cove_stream_options){.schema_hash = 43}));
    expect(COVE_ERR_OPTION, cove_stream_open(&other, "s2", &(cove_stream_options){.type = COVE_TYPE_STRUCT}));
    expect(COVE_ERR_OPTION, cove_stream_open(&other, "s2", &(cove_stream_options){.type = COVE_TYPE_F64, .element_bytes = 4}));
    cove_stream_close(stream);
}

/* ---- In place. */

TEST(what_is_loaned_is_seen_by_nobody_until_it_is_published) {
    cove_stream *stream = open_stream(&(cove_stream_options){.capacity_bytes = 64});
    cove_loan loan, copy;
    char data[64];
    cove_value value;
    expect(COVE_OK, cove_stream_loan(stream, 5, &loan, COVE_TRY));
    assert_int_equal(loan.capacity_bytes, 64);
    memcpy(loan.data, "hello", 5);
    nothing_new(stream);
    write_number(stream, 1);
    number_is(stream, 1);
    loan.tag = 9;
    copy = loan;
    expect(COVE_OK, cove_stream_publish(stream, &loan, COVE_TRY));
    expect(COVE_OK, cove_stream_read(stream, data, sizeof data, &value, COVE_TRY));
    assert_int_equal(value.length_bytes, 5);
    assert_int_equal(value.tag, 9);
    assert_memory_equal(data, "hello", 5);
    expect_words(COVE_ERR_VIEW, "already", cove_stream_publish(stream, &loan, COVE_TRY));
    expect(COVE_ERR_VIEW, cove_stream_discard(stream, &loan));
    expect(COVE_ERR_VIEW, cove_stream_publish(stream, &copy, COVE_TRY));
    expect(COVE_ERR_VIEW, cove_stream_publish(stream, &(cove_loan){0}, COVE_TRY));
    expect(COVE_OK, cove_stream_loan(stream, 5, &loan, COVE_TRY));
    copy = loan;
    expect(COVE_OK, cove_stream_discard(stream, &loan));
    expect(COVE_ERR_VIEW, cove_stream_discard(stream, &loan));
    expect(COVE_ERR_VIEW, cove_stream_publish(stream, &copy, COVE_TRY));
    expect(COVE_OK, cove_stream_loan(stream, 5, &loan, COVE_TRY));
    loan.length_bytes = 65;
    expect(COVE_ERR_SIZE, cove_stream_publish(stream, &loan, COVE_TRY));
    loan.length_bytes = 64;
    expect(COVE_OK, cove_stream_publish(stream, &loan, COVE_TRY));
    expect(COVE_ERR_SIZE, cove_stream_loan(stream, 65, &loan, COVE_TRY));
    cove_stream_close(stream);
}

TEST(there_are_at_least_as_many_loans_as_were_asked_for_and_they_come_back) {
    cove_stream *stream = open_stream(&(cove_stream_options){.loans = 3, .borrows = 1, .depth = 1}), *other = open_stream(NULL);
    cove_loan loan[4];
    cove_value value;
    write_number(other, 1);
    expect(COVE_OK, cove_stream_borrow(other, &value, COVE_TRY)); /* else the buffer for this one could be loaned too */
    write_number(other, 2);
    write_number(stream, 3);
    for (int round = 0; round < 5; round++) {
        /* One of the three is what the other keeps in reserve for its next value. */
        expect(COVE_OK, cove_stream_loan(other, 8, &loan[0], COVE_TRY));
        for (int i = 1; i < 3; i++)
            expect(COVE_OK, cove_stream_loan(stream, 8, &loan[i], COVE_TRY));
        expect_words(COVE_ERR_FULL, "more loans", cove_stream_loan(stream, 8, &loan[3], COVE_TRY));
        expect(COVE_ERR_FULL, cove_stream_write(other, "a", 1, 0, cove_in_ms(3)));
        expect_words(COVE_ERR_VIEW, "another handle", cove_stream_discard(stream, &loan[0]));
        expect(COVE_OK, cove_stream_discard(other, &loan[0]));
        expect(COVE_OK, cove_stream_publish(stream, &loan[1], COVE_TRY));
        if (round % 2) {
            cove_stream_close(stream); /* and what is still on loan */
            stream = open_stream(NULL);
        } else {
            expect(COVE_OK, cove_stream_discard(stream, &loan[2]));
        }
        for (int i = 0; i < 20; i++)
            write_number(other, (uint64_t)i);
    }
    assert_int_equal(*(const uint64_t *)value.data, 1);
    cove_stream_close(other);
    cove_stream_close(stream);
}

TEST(more_writers_than_loans_take_turns) {
    cove_stream *writer[20], *reader = NULL;
    for (int i = 0; i < 20; i++)
        writer[i] = open_stream(&(cove_stream_options){.loans = 2});
    reader = open_stream(&(cove_stream_options){.start = COVE_START_NEW});
    for (uint64_t n = 1; n <= 200; n++) {
        write_number(writer[n % 20], n);
        number_is(reader, n);
    }
    for (int i = 0; i < 20; i++)
        cove_stream_close(writer[i]);
    cove_stream_close(reader);
}

TEST(what_is_borrowed_stays_as_it_is_while_the_writers_go_on) {
    for (uint32_t depth = 1; depth <= 8; depth *= 2)
        for (unsigned flags = 0; flags <= COVE_STREAM_ONLY_WRITER; flags += COVE_STREAM_ONLY_WRITER) {
            cove_stream *writer = open_stream(&(cove_stream_options){.depth = depth, .borrows = 3, .flags = flags});
            cove_stream *reader = open_stream(NULL);
            cove_value value[4], copy;
            uint64_t number = 0;
            for (int round = 0; round < 4; round++) {
                for (int i = 0; i < 3; i++) {
                    write_number(writer, ++number);
                    cove_result result = cove_stream_borrow(reader, &value[i], COVE_TRY);
                    assert_true(result == COVE_OK || result == COVE_MISSED);
                    assert_int_equal(value[i].sequence, number);
                }
                for (int i = 0; i < 50; i++)
                    write_number(writer, ++number);
                for (int i = 0; i < 3; i++) {
                    uint64_t seen;
                    memcpy(&seen, value[i].data, 8);
                    assert_int_equal(seen, value[i].sequence);
                }
                expect_words(COVE_ERR_FULL, "borrows", cove_stream_borrow(reader, &value[3], COVE_TRY));
                copy = value[0];
                expect(COVE_OK, cove_stream_give_back(reader, &value[0]));
                expect(COVE_ERR_VIEW, cove_stream_give_back(reader, &value[0]));
                expect(COVE_ERR_VIEW, cove_stream_give_back(reader, &copy));
                expect(COVE_OK, cove_stream_seek(reader, COVE_START_LATEST));
                expect(COVE_OK, cove_stream_borrow(reader, &value[3], COVE_TRY));
                expect(COVE_OK, cove_stream_give_back(reader, &value[1]));
                if (round % 2) {
                    cove_stream_close(reader); /* and what it has borrowed */
                    reader = open_stream(&(cove_stream_options){.start = COVE_START_NEW});
                } else {
                    expect(COVE_OK, cove_stream_give_back(reader, &value[2]));
                    expect(COVE_OK, cove_stream_give_back(reader, &value[3]));
                }
            }
            cove_stream_close(reader);
            cove_stream_close(writer);
        }
}

TEST(payloads_are_aligned) {
    cove_stream *small = open_stream(&(cove_stream_options){.capacity_bytes = 100});
    cove_loan loan;
    expect(COVE_OK, cove_stream_loan(small, 8, &loan, COVE_TRY));
    assert_int_equal((uintptr_t)loan.data % 8, 0);
    cove_stream_close(small);
    small = open_stream(&(cove_stream_options){.capacity_bytes = 1024, .flags = COVE_STREAM_TIMES});
    expect(COVE_OK, cove_stream_loan(small, 8, &loan, COVE_TRY));
    assert_int_equal((uintptr_t)loan.data % 64, 0);
    cove_stream_close(small);
}

/* ---- Roles, members, ends. */

TEST(an_only_writer_keeps_others_from_writing_and_not_from_reading) {
    cove_stream *only = open_stream(&(cove_stream_options){.flags = COVE_STREAM_ONLY_WRITER}), *other = open_stream(NULL), *third;
    cove_stream_info info;
    expect(COVE_OK, cove_stream_get_info(only, &info));
    assert_int_equal(info.flags, COVE_STREAM_ONLY_WRITER);
    for (uint64_t i = 1; i <= 100; i++) {
        write_number(only, i);
        assert_int_equal(number_is(other, i).sequence, i);
    }
    expect_words(COVE_ERR_IN_USE, "only writer", cove_stream_write(other, "a", 1, 0, COVE_TRY));
    expect(COVE_ERR_IN_USE, cove_stream_open(&third, "s", &(cove_stream_options){.flags = COVE_STREAM_WRITER}));
    expect(COVE_ERR_IN_USE, cove_stream_open(&third, "s", &(cove_stream_options){.flags = COVE_STREAM_ONLY_WRITER}));
    cove_stream_close(only);
    write_number(other, 101);
    expect_words(COVE_ERR_IN_USE, "already", cove_stream_open(&third, "s", &(cove_stream_options){.flags = COVE_STREAM_ONLY_WRITER}));
    cove_stream_close(other);
}

TEST(a_stream_tells_how_many_write) {
    cove_stream *reader = open_stream(NULL), *a = open_stream(NULL), *b = open_stream(&(cove_stream_options){.flags = COVE_STREAM_WRITER});
    cove_stream *onlooker = open_stream(&(cove_stream_options){.access = COVE_READ_ONLY});
    uint32_t count;
    expect(COVE_OK, cove_stream_writers(reader, &count));
    assert_int_equal(count, 1);
    expect(COVE_ERR_TIMEOUT, cove_stream_wait_writers(reader, 1, cove_in_ms(3), &count));
    write_number(a, 1);
    expect(COVE_OK, cove_stream_wait_writers(reader, 1, COVE_TRY, &count));
    assert_int_equal(count, 2);
    expect(COVE_OK, cove_stream_writers(onlooker, &count));
    assert_int_equal(count, 2);
    cove_stream_close(b);
    cove_stream_close(a);
    expect(COVE_OK, cove_stream_wait_writers(reader, 2, COVE_TRY, &count));
    assert_int_equal(count, 0);
    cove_stream_close(onlooker);
    cove_stream_close(reader);
}

TEST(a_removed_stream_says_so_once_to_who_finds_nothing_new) {
    cove_stream *writer = open_stream(NULL), *reader = open_stream(NULL), *borrower = open_stream(NULL);
    cove_value value = {.data = "before", .length_bytes = 6};
    uint64_t got;
    write_number(writer, 1);
    expect(COVE_OK, cove_remove(NULL, "s", COVE_REMOVE_FORCE));
    assert_true(cove_stream_is_removed(reader));
    number_is(reader, 1);
    expect(COVE_REMOVED, cove_stream_read(reader, &got, 8, &value, COVE_TRY));
    assert_int_equal(value.length_bytes, 0);
    number_is(borrower, 1);
    value = (cove_value){.data = "before", .length_bytes = 6};
    expect(COVE_REMOVED, cove_stream_borrow(borrower, &value, COVE_TRY));
    assert_true(!value.data && !value.length_bytes);
    cove_stream_close(borrower);
    nothing_new(reader);
    write_number(writer, 2);
    number_is(reader, 2);
    cove_stream_close(reader);
    cove_stream_close(writer);
}

TEST(sizes_that_are_asked_for_are_checked) {
    cove_stream *other, *stream = open_stream(&(cove_stream_options){.capacity_bytes = 100, .depth = 5, .loans = 2, .borrows = 2});
    cove_stream_info info;
    expect(COVE_OK, cove_stream_get_info(stream, &info));
    assert_int_equal(info.depth, 8);
    assert_int_equal(info.buffer_bytes, 128);
    assert_int_equal(info.newest_sequence, 0);
    expect_words(COVE_ERR_SIZE, "capacity is 100", cove_stream_open(&other, "s", &(cove_stream_options){.capacity_bytes = 101}));
    expect_words(COVE_ERR_SIZE, "depth is 8", cove_stream_open(&other, "s", &(cove_stream_options){.depth = 9}));
    expect_words(COVE_ERR_SIZE, "loans is 2", cove_stream_open(&other, "s", &(cove_stream_options){.loans = 3}));
    expect_words(COVE_ERR_SIZE, "borrows is 2", cove_stream_open(&other, "s", &(cove_stream_options){.borrows = 3}));
    expect_words(COVE_ERR_OPTION, "times", cove_stream_open(&other, "s", &(cove_stream_options){.flags = COVE_STREAM_TIMES}));
    expect(COVE_OK, cove_stream_open(&other, "s",
                                     &(cove_stream_options){.capacity_bytes = 90, .depth = 7, .borrows = 1, .size_rule = COVE_AT_LEAST}));
    cove_stream_close(other);
    expect(COVE_ERR_OPTION, cove_stream_open(&other, "t", &(cove_stream_options){.depth = 65537}));
    expect(COVE_ERR_OPTION, cove_stream_open(&other, "t", &(cove_stream_options){.loans = 32769}));
    expect(COVE_ERR_OPTION, cove_stream_open(&other, "t", &(cove_stream_options){.flags = 8}));
    expect(COVE_ERR_OPTION, cove_stream_open(&other, "t", &(cove_stream_options){.type = (cove_type)99}));
    expect(COVE_ERR_SIZE, cove_stream_open(&other, "t", &(cove_stream_options){.capacity_bytes = UINT64_C(1) << 33}));
    expect(COVE_ERR_OPTION,
           cove_stream_open(&other, "s", &(cove_stream_options){.access = COVE_READ_ONLY, .follow = COVE_FOLLOW_LOSSLESS}));
    cove_block *block;
    expect_words(COVE_ERR_KIND, "is a stream", cove_block_open(&block, "s", NULL));
    cove_stream_close(stream);
}

TEST(memory_is_what_depth_loans_and_borrows_say) {
    cove_stream *stream = open_stream(&(cove_stream_options){.capacity_bytes = 1000, .depth = 16, .loans = 3, .borrows = 5});
    cove_stream_info info;
    expect(COVE_OK, cove_stream_get_info(stream, &info));
    assert_int_equal(info.buffer_bytes, 1024);
    uint64_t wanted = 24 * info.buffer_bytes + 8 * 24 + 8 * 16 + 8 * 5;
    assert_true(info.memory_bytes >= wanted && info.memory_bytes <= wanted + 3 * 128);
    cove_stream_close(stream);
}

/* ---- Who may only read. */

TEST(a_read_only_handle_reads_by_copy_and_waits) {
    cove_stream *writer = open_stream(NULL), *reader = open_stream(&(cove_stream_options){.access = COVE_READ_ONLY});
    cove_value value;
    cove_loan loan;
    expect(COVE_ERR_EMPTY, cove_stream_wait(reader, cove_in_ms(5)));
    for (uint64_t i = 1; i < 30; i++) {
        write_number(writer, i);
        expect(COVE_OK, cove_stream_wait(reader, cove_in_ms(1000)));
        number_is(reader, i);
    }
    expect(COVE_ERR_ACCESS, cove_stream_write(reader, "a", 1, 0, COVE_TRY));
    expect(COVE_ERR_ACCESS, cove_stream_loan(reader, 1, &loan, COVE_TRY));
    expect_words(COVE_ERR_ACCESS, "read-only", cove_stream_borrow(reader, &value, COVE_TRY));
    cove_stream_close(reader);
    cove_stream_close(writer);
}

/* ---- Counters that wrap. */

static void work_across(uint64_t first) {
    covei_lab_first_number = first;
    cove_stream *writer = open_stream(&(cove_stream_options){.depth = 4});
    cove_stream *other = open_stream(NULL);
    cove_stream *reader = open_stream(&(cove_stream_options){.start = COVE_START_NEW});
    cove_stream *lossless = open_stream(&(cove_stream_options){.follow = COVE_FOLLOW_LOSSLESS, .start = COVE_START_NEW});
    cove_stream *latest = open_stream(&(cove_stream_options){.follow = COVE_FOLLOW_LATEST});
    covei_lab_first_number = 0;
    cove_value value;
    nothing_new(reader);
    for (uint64_t i = 0; i < 64; i++) {
        write_number(i % 3 ? writer : other, i);
        assert_int_equal(number_is(reader, i).sequence, first + i);
        assert_int_equal(number_is(lossless, i).sequence, first + i);
        if (i % 5 == 4) {
            expect(COVE_OK, cove_stream_borrow(latest, &value, COVE_TRY));
            assert_int_equal(value.sequence, first + i);
            expect(COVE_OK, cove_stream_give_back(latest, &value));
        }
    }
    cove_stream *late = open_stream(&(cove_stream_options){.start = COVE_START_OLDEST});
    assert_int_equal(number_is(late, 60).sequence, first + 60);
    for (int i = 0; i < 4; i++)
        write_number(writer, 1);
    expect(COVE_ERR_FULL, cove_stream_write(writer, "a", 1, 0, COVE_TRY));
    cove_stream_close(late);
    cove_stream_close(latest);
    cove_stream_close(lossless);
    cove_stream_close(reader);
    cove_stream_close(other);
    cove_stream_close(writer);
}

TEST(numbers_go_on_across_every_width_that_a_word_holds_them_in) {
    work_across((UINT64_C(1) << 28) - 20);
    work_across((UINT64_C(1) << 32) - 20);
    work_across((UINT64_C(1) << 36) - 20);
    work_across((UINT64_C(1) << 45) - 20);
    work_across((UINT64_C(1) << 46) - 20);
    work_across((UINT64_C(1) << 63) - 20);
}

/* ---- What went wrong once. */

TEST(a_borrow_goes_on_where_the_predicted_buffer_keeps_its_old_number) {
    cove_stream *writer = open_stream(&(cove_stream_options){.depth = 8}), *a = open_stream(NULL), *b = open_stream(NULL);
    cove_value kept, value;
    uint64_t got;
    for (uint64_t i = 1; i <= 3; i++)
        write_number(writer, i);
    for (uint64_t i = 1; i <= 2; i++)
        number_is(b, i); /* b expects 3 next, and knows its buffer */
    for (uint64_t i = 1; i <= 2; i++)
        number_is(a, i);
    expect(COVE_OK, cove_stream_borrow(a, &kept, COVE_TRY)); /* 3: its buffer keeps that number however many follow */
    for (uint64_t i = 4; i <= 500; i++)
        write_number(writer, i);
    cove_result result = cove_stream_borrow(b, &value, COVE_TRY);
    assert_int_equal(result, COVE_MISSED);
    memcpy(&got, value.data, sizeof got);
    assert_int_equal(got, value.sequence);
    assert_true(value.sequence > 490);
    expect(COVE_OK, cove_stream_give_back(b, &value));
    expect(COVE_OK, cove_stream_give_back(a, &kept));
    cove_stream_close(b);
    cove_stream_close(a);
    cove_stream_close(writer);
}

/* What a writer leaves that dies between the swap and the confirmation: the number of the buffer is taken away again. */
static void unconfirm(cove_stream *stream, uint64_t number) {
    cove_value value;
    cove_stream *other = open_stream(&(cove_stream_options){.start = COVE_START_LATEST});
    expect(COVE_OK, cove_stream_borrow(other, &value, COVE_TRY));
    assert_int_equal(value.sequence, number);
    covei_buffer_shm *buffer = (covei_buffer_shm *)(void *)((char *)(uintptr_t)value.data - 24);
    assert_int_equal(covei_load_relaxed(&buffer->number), number);
    covei_store_relaxed(&buffer->number, 0);
    expect(COVE_OK, cove_stream_give_back(other, &value));
    cove_stream_close(other);
    (void)stream;
}

TEST(a_value_that_was_never_confirmed_is_read_by_who_only_tries) {
    cove_stream *writer = open_stream(NULL), *reader = open_stream(NULL);
    uint64_t got = 0;
    write_number(writer, 1);
    number_is(reader, 1);
    write_number(writer, 2);
    unconfirm(writer, 2);
    int tries = 0;
    while (cove_stream_read(reader, &got, sizeof got, NULL, COVE_TRY) == COVE_ERR_EMPTY && tries < 5000)
        tries++;
    assert_int_equal(got, 2);
    assert_true(tries <= 1100);
    cove_stream_close(reader);
    cove_stream_close(writer);
}

typedef struct racer {
    cove_stream *stream;
    pthread_barrier_t *start;
    int bad;
} racer;

static void *publish_into_the_last_place(void *context) {
    racer *r = context;
    for (int round = 0; round < 3000; round++) {
        cove_loan loan;
        pthread_barrier_wait(r->start);
        if (cove_stream_loan(r->stream, 8, &loan, cove_in_ms(5000)) != COVE_OK) {
            r->bad++;
        } else {
            memset(loan.data, 1, 8);
            pthread_barrier_wait(r->start);
            if (cove_stream_publish(r->stream, &loan, COVE_TRY) == COVE_ERR_FULL)
                r->bad += cove_stream_discard(r->stream, &loan) != COVE_OK; /* it is still held */
        }
        pthread_barrier_wait(r->start);
    }
    return NULL;
}

TEST(a_loan_that_found_no_place_is_still_held) {
    pthread_barrier_t start;
    pthread_t thread[2];
    racer r[2];
    cove_stream *reader;
    pthread_barrier_init(&start, NULL, 3);
    cove_stream *stream = open_stream(&(cove_stream_options){.depth = 4, .loans = 4, .borrows = 1});
    reader = open_stream(&(cove_stream_options){.follow = COVE_FOLLOW_LOSSLESS, .start = COVE_START_NEW});
    for (int i = 0; i < 2; i++) {
        r[i] = (racer){open_stream(NULL), &start, 0};
        pthread_create(&thread[i], NULL, publish_into_the_last_place, &r[i]);
    }
    for (int round = 0; round < 3000; round++) {
        uint64_t got;
        for (int i = 0; i < 3; i++) /* one place is left for two */
            expect(COVE_OK, cove_stream_write(stream, "12345678", 8, 0, cove_in_ms(5000)));
        pthread_barrier_wait(&start);
        pthread_barrier_wait(&start);
        pthread_barrier_wait(&start);
        while (cove_stream_read(reader, &got, sizeof got, NULL, COVE_TRY) >= 0)
            ;
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(r[i].bad, 0);
        cove_stream_close(r[i].stream);
    }
    pthread_barrier_destroy(&start);
    cove_stream_close(reader);
    cove_stream_close(stream);
}

TEST(a_damaged_cell_is_told_within_the_time_of_a_few_looks) {
    cove_stream *stream = open_stream(&(cove_stream_options){.depth = 65536}), *reader = open_stream(NULL);
    write_number(stream, 1);
    number_is(reader, 1);
    /* The cells lie behind the tickets; the next number's is cleared. */
    covei_ring ring;
    char path[512];
    snprintf(path, sizeof path, "%s/s", test_domain);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_true(covei_ring_plan(&ring, NULL, 64, 65536, 4, 4, false, false));
    covei_facts_shm facts;
    assert_int_equal(fread(&facts, sizeof facts, 1, file), 1);
    uint64_t zero[2] = {0};
    assert_int_equal(fseek(file, (long)(facts.object_offset + ring.cell_at + 8 * 2), SEEK_SET), 0);
    assert_int_equal(fwrite(zero, sizeof zero, 1, file), 1);
    fclose(file);
    cove_time_ns before = cove_now();
    cove_result result = cove_stream_write(stream, "12345678", 8, 0, COVE_TRY);
    assert_true(result == COVE_ERR_DAMAGED || result == COVE_OK);
    assert_true(cove_now() - before < UINT64_C(2000000000));
    cove_stream_close(reader);
    cove_stream_close(stream);
}

static int hold_and_die(void *context) {
    cove_stream *stream = open_stream(&(cove_stream_options){.follow = COVE_FOLLOW_LOSSLESS});
    cove_value value;
    cove_loan loan;
    (void)context;
    if (cove_stream_write(stream, "dead", 4, 0, COVE_TRY) != COVE_OK || cove_stream_borrow(stream, &value, COVE_TRY) < 0 ||
        cove_stream_loan(stream, 4, &loan, COVE_TRY) != COVE_OK)
        return 1;
    kill(getpid(), SIGKILL);
    return 0;
}

/* The generations of all slots but the first are set to just before `start` wraps. */
static void generations_wrap_at(uint32_t start) {
    cove_stream *keeper = open_stream(&(cove_stream_options){.slots = 4, .depth = 2, .loans = 3, .borrows = 2});
    char path[512];
    struct stat facts;
    snprintf(path, sizeof path, "%s/s", test_domain);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &facts), 0);
    uint8_t *bytes = mmap(NULL, (size_t)facts.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    fclose(file);
    covei_header_shm *header = (covei_header_shm *)(void *)bytes;
    covei_slot_shm *slots = (covei_slot_shm *)(void *)(bytes + header->facts.slot_offset);
    for (int i = 1; i < 4; i++)
        covei_store_seqcst(&slots[i].word, covei_slot_word(start - 12, 0));
    for (int i = 0; i < 30; i++) {
        cove_value value[2];
        cove_loan loan[3];
        assert_int_equal(end_of(child(hold_and_die, NULL)), -SIGKILL);
        cove_stream *other = open_stream(NULL);
        for (int n = 0; n < 5; n++)
            expect(COVE_OK, cove_stream_write(n % 2 ? keeper : other, "live", 4, 0, COVE_TRY));
        for (int n = 0; n < 2; n++) {
            expect(COVE_OK, cove_stream_seek(other, COVE_START_LATEST));
            expect(COVE_OK, cove_stream_borrow(other, &value[n], COVE_TRY));
        }
        for (int n = 0; n < 2; n++)
            expect(COVE_OK, cove_stream_loan(keeper, 4, &loan[n], COVE_TRY));
        for (int n = 0; n < 2; n++) {
            expect(COVE_OK, cove_stream_discard(keeper, &loan[n]));
            expect(COVE_OK, cove_stream_give_back(other, &value[n]));
        }
        cove_stream_close(other);
    }
    munmap(bytes, (size_t)facts.st_size);
    cove_stream_close(keeper);
}

TEST(generations_go_on_across_every_width_that_a_word_holds_them_in) {
    generations_wrap_at(1u << 13);
    generations_wrap_at(0); /* 2^32 */
}

/* ---- After fork. */

typedef struct family {
    cove_stream *writer, *only, *lossless;
    cove_loan loan;
    cove_value value;
    _Atomic int *step;
} family;

static int be_the_child(void *context) {
    family *f = context;
    cove_stream_info info;
    cove_value value;
    uint64_t got;
    uint32_t writers;
    expect(COVE_ERR_FORKED, cove_stream_publish(f->writer, &f->loan, COVE_TRY));
    expect(COVE_ERR_FORKED, cove_stream_discard(f->writer, &f->loan));
    expect(COVE_ERR_FORKED, cove_stream_give_back(f->lossless, &f->value));
    /* The inherited handle is a member of its own: it writes, reads where the parent was, and counts as a writer as the option said. */
    expect(COVE_OK, cove_stream_writers(f->writer, &writers));
    assert_int_equal(writers, 2);
    number_is(f->lossless, 2);
    write_number(f->writer, 3);
    number_is(f->lossless, 3);
    expect(COVE_OK, cove_stream_borrow(f->writer, &value, COVE_TRY));
    expect(COVE_OK, cove_stream_give_back(f->writer, &value));
    *f->step = 1;
    eventually(*f->step == 2); /* the parent has written on */
    expect(COVE_OK, cove_stream_get_info(f->lossless, &info));
    cove_stream *inherited = f->only;
    expect(COVE_OK, cove_stream_get_info(inherited, &info)); /* first use: joins where things are now */
    cove_result result = cove_stream_read(inherited, &got, sizeof got, &value, COVE_TRY);
    assert_int_equal(result, COVE_MISSED);
    assert_true(value.sequence >= 4 && value.missed_count == value.sequence - 1); /* not where the parent was at the fork */
    cove_stream_close(f->lossless);
    cove_stream_close(f->writer);
    cove_stream_close(f->only);
    return 0;
}

TEST(a_child_of_fork_has_streams_of_its_own) {
    family f = {.step = shared_memory(sizeof(_Atomic int))};
    f.writer = open_stream(&(cove_stream_options){.depth = 4, .flags = COVE_STREAM_WRITER, .start = COVE_START_OLDEST});
    f.lossless = open_stream(&(cove_stream_options){.follow = COVE_FOLLOW_LOSSLESS, .start = COVE_START_NEW});
    f.only = open_stream(&(cove_stream_options){.follow = COVE_FOLLOW_LOSSLESS, .start = COVE_START_NEW}); /* used by the child alone */
    write_number(f.writer, 1);
    write_number(f.writer, 2);
    expect(COVE_OK, cove_stream_loan(f.writer, 8, &f.loan, COVE_TRY));
    expect(COVE_OK, cove_stream_borrow(f.lossless, &f.value, COVE_TRY));
    pid_t pid = child(be_the_child, &f);
    eventually(*f.step == 1);
    expect(COVE_OK, cove_stream_discard(f.writer, &f.loan)); /* the parent's is untouched */
    expect(COVE_OK, cove_stream_give_back(f.lossless, &f.value));
    cove_stream_close(f.lossless);
    cove_stream_close(f.only);
    for (uint64_t n = 4; n <= 103; n++) {
        while (cove_stream_write(f.writer, &n, sizeof n, n * 10, COVE_TRY) == COVE_ERR_FULL)
            usleep(100); /* the child's lossless handle, which it has used, is waited for */
        if (n == 7)
            *f.step = 2;
    }
    assert_int_equal(end_of(pid), 0);
    cove_stream_close(f.writer);
}

static int write_as_the_only_child(void *context) {
    expect_words(COVE_ERR_IN_USE, "already", cove_stream_write(context, "x", 1, 0, COVE_TRY));
    cove_stream_close(context);
    return 0;
}

TEST(a_child_of_an_only_writer_is_not_the_only_writer) {
    cove_stream *only = open_stream(&(cove_stream_options){.flags = COVE_STREAM_ONLY_WRITER});
    write_number(only, 1);
    assert_int_equal(end_of(child(write_as_the_only_child, only)), 0);
    write_number(only, 2);
    cove_stream_close(only);
}

/* Else every call pays for locked instructions, and only a benchmark sees it. */
TEST(what_one_thread_uses_stays_that_threads) {
    cove_stream *stream = open_stream(NULL);
    for (uint64_t n = 1; n <= 3; n++) {
        write_number(stream, n);
        number_is(stream, n);
    }
    if (!covei_load_relaxed(&covei_fences_are_light))
        skip();
    assert_int_equal(covei_load_relaxed(&stream->writing.lock.owner), covei_local_thread());
    assert_int_equal(covei_load_relaxed(&stream->reading.lock.owner), covei_local_thread());
    cove_stream_close(stream);
}

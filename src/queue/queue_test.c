/* What one queue does, seen by its user; mostly in one process. Deaths at random are in tests/crash/. */
#include "tests/support.h"

#include "queue/queue.h"

#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

static cove_queue *open_queue(const cove_queue_options *options) {
    cove_queue *queue = NULL;
    expect(COVE_OK, cove_queue_open(&queue, "q", options));
    return queue;
}

static void push_number(cove_queue *queue, uint64_t number) {
    expect(COVE_OK, cove_queue_push(queue, &number, sizeof number, number * 10, cove_in_ms(5000)));
}

/* The next message is this number, and it is delivered for the n-th time. */
static cove_message pop_number(cove_queue *queue, uint64_t wanted, uint32_t deliveries) {
    uint64_t got = 0;
    cove_message message = {0};
    expect(deliveries > 1 ? COVE_REDELIVERED : COVE_OK, cove_queue_pop(queue, &got, sizeof got, &message, cove_in_ms(5000)));
    assert_int_equal(got, wanted);
    assert_int_equal(message.length_bytes, 8);
    assert_int_equal(message.tag, wanted * 10);
    assert_int_equal(message.deliveries, deliveries);
    assert_ptr_equal(message.data, &got);
    return message;
}

static cove_message take_number(cove_queue *queue, uint64_t wanted, uint32_t deliveries) {
    cove_message message = {0};
    expect(deliveries > 1 ? COVE_REDELIVERED : COVE_OK, cove_queue_take(queue, &message, cove_in_ms(5000)));
    assert_int_equal(*(const uint64_t *)message.data, wanted);
    assert_int_equal(message.deliveries, deliveries);
    assert_int_equal(message.sequence, wanted);
    return message;
}

static void is_empty(cove_queue *queue) {
    uint64_t got;
    expect(COVE_ERR_EMPTY, cove_queue_pop(queue, &got, sizeof got, NULL, COVE_TRY));
}

static cove_queue_info info_of(cove_queue *queue) {
    cove_queue_info info;
    expect(COVE_OK, cove_queue_get_info(queue, &info));
    return info;
}

/* ---- Messages and their order. */

TEST(a_new_queue_is_empty) {
    cove_queue *queue = open_queue(NULL);
    cove_message message;
    is_empty(queue);
    expect(COVE_ERR_EMPTY, cove_queue_take(queue, &message, COVE_TRY));
    expect(COVE_ERR_EMPTY, cove_queue_peek(queue, NULL, 0, NULL, COVE_TRY));
    expect(COVE_ERR_EMPTY, cove_queue_wait(queue, COVE_TRY));
    expect(COVE_ERR_EMPTY, cove_queue_wait(queue, cove_in_ms(5)));
    cove_queue_info info = info_of(queue);
    assert_int_equal(info.depth, 64);
    assert_int_equal(info.type, COVE_TYPE_BYTES);
    assert_int_equal(info.pushed_count + info.ready_count + info.in_flight_count + info.delivered_count, 0);
    cove_queue_close(queue);
}

TEST(messages_come_first_in_first_out_and_are_numbered_from_1) {
    cove_queue *queue = open_queue(&(cove_queue_options){.depth = 3});
    for (uint64_t i = 1; i <= 300; i += 3) {
        for (uint64_t n = i; n < i + 3; n++)
            push_number(queue, n);
        for (uint64_t n = i; n < i + 3; n++) {
            cove_message message = pop_number(queue, n, 1);
            assert_int_equal(message.sequence, n);
            assert_int_equal(message.time_ns, 0);
            assert_int_equal(message.count, 8);
            assert_int_equal(message.type, COVE_TYPE_BYTES);
        }
        is_empty(queue);
    }
    assert_int_equal(info_of(queue).delivered_count, 300);
    cove_queue_close(queue);
}

TEST(messages_of_every_size_up_to_the_capacity_come_back_whole) {
    static const uint64_t sizes[] = {0, 1, 7, 8, 39, 40, 41, 63, 64, 65, 255, 256, 257, 1023, 1024, 1025, 4095, 4096, 4097, 65537, 1 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (unsigned flags = 0; flags <= COVE_QUEUE_TIMES; flags++) {
            uint8_t *in = calloc(1, sizes[i] + 8), *out = calloc(1, sizes[i] + 8);
            cove_queue *queue = open_queue(&(cove_queue_options){.capacity_bytes = sizes[i] ? sizes[i] : 1, .depth = 2, .flags = flags});
            cove_message m;
            for (int round = 0; round < 4; round++) {
                fill_pattern(in, sizes[i], (uint64_t)round + 7);
                cove_time_ns before = cove_now();
                expect(COVE_OK, cove_queue_push(queue, in, sizes[i], 3, COVE_TRY));
                if (sizes[i]) {
                    expect(COVE_ERR_SIZE, cove_queue_pop(queue, out, sizes[i] - 1, &m, COVE_TRY));
                    assert_int_equal(m.length_bytes, sizes[i]);
                }
                expect(COVE_OK, cove_queue_peek(queue, out, sizes[i], &m, COVE_TRY));
                assert_memory_equal(in, out, sizes[i]);
                memset(out, 0, sizes[i]);
                if (round % 2) {
                    expect(COVE_OK, cove_queue_take(queue, &m, COVE_TRY));
                    assert_int_equal((uintptr_t)m.data % (sizes[i] >= 1024 ? 64 : 8), 0);
                    memcpy(out, m.data, sizes[i]);
                    expect(COVE_OK, cove_queue_done(queue, &m));
                } else {
                    expect(COVE_OK, cove_queue_pop(queue, out, sizes[i], &m, COVE_TRY));
                }
                assert_memory_equal(in, out, sizes[i]);
                assert_int_equal(m.length_bytes, sizes[i]);
                assert_true(flags ? m.time_ns >= before && m.time_ns <= cove_now() : m.time_ns == 0);
            }
            expect(COVE_ERR_SIZE, cove_queue_push(queue, in, (sizes[i] ? sizes[i] : 1) + 1, 0, COVE_TRY));
            is_empty(queue);
            cove_queue_close(queue);
            free(in);
            free(out);
        }
}

TEST(it_is_full_at_exactly_its_depth) {
    static const uint32_t depths[] = {1, 2, 3, 7, 64, 65, 100};
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++) {
        cove_queue *queue = open_queue(&(cove_queue_options){.depth = depths[i]});
        uint64_t pushed = 0, popped = 0;
        for (int round = 0; round < 5; round++) {
            while (pushed - popped < depths[i])
                push_number(queue, ++pushed);
            expect_words(COVE_ERR_FULL, "full", cove_queue_push(queue, &pushed, 8, 0, COVE_TRY));
            expect(COVE_ERR_FULL, cove_queue_push(queue, &pushed, 8, 0, cove_in_ms(3)));
            assert_int_equal(info_of(queue).ready_count, depths[i]);
            pop_number(queue, ++popped, 1);
        }
        cove_queue_close(queue);
    }
}

TEST(types_are_checked) {
    cove_queue *queue = open_queue(&(cove_queue_options){.type = COVE_TYPE_F64}), *other;
    double values[2] = {1, 2};
    cove_message m;
    expect_words(COVE_ERR_TYPE, "it carries f64, and i32 was asked for",
                 cove_queue_open(&other, "q", &(cove_queue_options){.type = COVE_TYPE_I32}));
    expect_words(COVE_ERR_SIZE, "whole number", cove_queue_push(queue, values, 15, 0, COVE_TRY));
    expect(COVE_ERR_TYPE, cove_queue_push_as(queue, COVE_TYPE_I64, values, 16, 0, COVE_TRY));
    expect(COVE_OK, cove_queue_push(queue, values, 16, 0, COVE_TRY));
    expect(COVE_OK, cove_queue_take(queue, &m, COVE_TRY));
    assert_int_equal(m.count, 2);
    assert_int_equal(m.type, COVE_TYPE_F64);
    expect(COVE_OK, cove_queue_done(queue, &m));
    cove_queue_close(queue);
    queue = open_queue(&(cove_queue_options){.type = COVE_TYPE_TEXT});
    expect(COVE_ERR_TEXT, cove_queue_push(queue, "\xff", 1, 0, COVE_TRY));
    expect(COVE_OK, cove_queue_push(queue, "\xc3\xa4", 2, 0, COVE_TRY));
    cove_queue_close(queue);
    queue = open_queue(&(cove_queue_options){.type = COVE_TYPE_ANY});
    expect(COVE_OK, cove_queue_push_as(queue, COVE_TYPE_F64, values, 16, 0, COVE_TRY));
    expect(COVE_ERR_TYPE, cove_queue_push_as(queue, COVE_TYPE_ANY, values, 16, 0, COVE_TRY));
    expect(COVE_OK, cove_queue_take(queue, &m, COVE_TRY));
    assert_int_equal(m.type, COVE_TYPE_F64);
    cove_queue_close(queue);
}

TEST(options_that_contradict_each_other_are_refused) {
    cove_queue *queue = open_queue(&(cove_queue_options){.depth = 5}), *other;
    static const cove_queue_options bad[] = {
        {.flags = 1024},
        {.depth = COVE_QUEUE_DEPTH_MAX + 1},
        {.loans = COVE_QUEUE_SPARE_MAX + 1},
        {.holds = COVE_QUEUE_SPARE_MAX + 1},
        {.max_deliveries = 3},
        {.dead_letter = "d", .max_deliveries = COVE_QUEUE_DELIVERIES_MAX + 1},
        {.flags = COVE_QUEUE_DROP_OLDEST | COVE_QUEUE_ONLY_CONSUMER},
        {.access = COVE_READ_ONLY, .flags = COVE_QUEUE_CONSUMER},
        {.reserved_2 = 1},
        {.type = COVE_TYPE_STRUCT},
        {.flags = COVE_QUEUE_TIMES},
        {.flags = COVE_QUEUE_DROP_OLDEST},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect(COVE_ERR_OPTION, cove_queue_open(&other, "q", &bad[i]));
    expect(COVE_ERR_NAME, cove_queue_open(&other, "q", &(cove_queue_options){.dead_letter = "q"}));
    expect(COVE_ERR_NAME, cove_queue_open(&other, "q", &(cove_queue_options){.dead_letter = "a/b"}));
    expect_words(COVE_ERR_SIZE, "its depth is 5, and 6 was asked for", cove_queue_open(&other, "q", &(cove_queue_options){.depth = 6}));
    expect(COVE_OK, cove_queue_open(&other, "q", &(cove_queue_options){.depth = 4, .size_rule = COVE_AT_LEAST}));
    cove_queue_close(other);
    cove_stream *stream;
    expect(COVE_ERR_KIND, cove_stream_open(&stream, "q", NULL));
    cove_queue_close(queue);
}

/* ---- In place. */

TEST(reserve_and_commit_or_abandon) {
    cove_queue *queue = open_queue(&(cove_queue_options){.depth = 4, .loans = 2});
    cove_loan loan, copy, second;
    cove_message m;
    expect(COVE_OK, cove_queue_reserve(queue, 8, &loan, COVE_TRY));
    is_empty(queue);
    *(uint64_t *)loan.data = 1;
    loan.tag = 10;
    copy = loan;
    push_number(queue, 1); /* it stops nobody, and the place in the order is given at the commit */
    expect(COVE_OK, cove_queue_commit(queue, &loan, COVE_TRY));
    expect(COVE_ERR_VIEW, cove_queue_commit(queue, &loan, COVE_TRY));
    expect(COVE_ERR_VIEW, cove_queue_commit(queue, &copy, COVE_TRY));
    expect(COVE_ERR_VIEW, cove_queue_abandon(queue, &copy));
    assert_int_equal(pop_number(queue, 1, 1).sequence, 1);
    assert_int_equal(pop_number(queue, 1, 1).sequence, 2);
    expect(COVE_OK, cove_queue_reserve(queue, 8, &second, COVE_TRY));
    expect(COVE_OK, cove_queue_abandon(queue, &second));
    is_empty(queue);
    expect(COVE_ERR_SIZE, cove_queue_reserve(queue, 65, &second, COVE_TRY));
    expect(COVE_OK, cove_queue_reserve(queue, 8, &second, COVE_TRY));
    second.length_bytes = 65;
    expect(COVE_ERR_SIZE, cove_queue_commit(queue, &second, COVE_TRY));
    second.length_bytes = 0;
    expect(COVE_OK, cove_queue_commit(queue, &second, COVE_TRY));
    expect(COVE_OK, cove_queue_take(queue, &m, COVE_TRY));
    assert_int_equal(m.length_bytes, 0);
    expect(COVE_OK, cove_queue_done(queue, &m));
    cove_queue_close(queue);
}

TEST(every_buffer_can_be_reserved_and_comes_back) {
    cove_queue *queue = open_queue(&(cove_queue_options){.depth = 3, .loans = 2, .holds = 1});
    cove_loan loan[7];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 6; i++)
            expect(COVE_OK, cove_queue_reserve(queue, 8, &loan[i], COVE_TRY));
        expect(COVE_ERR_FULL, cove_queue_reserve(queue, 8, &loan[6], COVE_TRY));
        for (int i = 0; i < 6; i++)
            expect(COVE_OK, cove_queue_abandon(queue, &loan[i]));
    }
    cove_queue_close(queue);
}

TEST(what_was_taken_is_nobody_elses_until_it_is_put_back) {
    cove_queue *queue = open_queue(NULL), *other = open_queue(NULL);
    for (uint64_t n = 1; n <= 4; n++)
        push_number(queue, n);
    cove_message one = take_number(queue, 1, 1), two = take_number(other, 2, 1), copy = one;
    assert_int_equal(info_of(queue).in_flight_count, 2);
    assert_int_equal(info_of(queue).ready_count, 2);
    expect(COVE_ERR_VIEW, cove_queue_done(queue, &two)); /* another handle's */
    two.held[0] = one.held[0] + 1;
    expect(COVE_OK, cove_queue_put_back(queue, &one));
    expect(COVE_ERR_VIEW, cove_queue_put_back(queue, &one));
    expect(COVE_ERR_VIEW, cove_queue_done(queue, &copy));
    cove_message again = take_number(other, 1, 2); /* before newer ones */
    expect(COVE_OK, cove_queue_put_back(other, &again));
    pop_number(queue, 1, 3);
    pop_number(queue, 3, 1);
    cove_queue_info info = info_of(queue);
    assert_int_equal(info.redelivered_count, 2);
    assert_int_equal(info.delivered_count, 3);
    cove_queue_close(other); /* with message 2 in hand */
    pop_number(queue, 2, 2);
    pop_number(queue, 4, 1);
    is_empty(queue);
    cove_queue_close(queue);
}

TEST(those_that_were_put_back_come_in_the_order_of_their_pushes) {
    cove_queue *queue = open_queue(&(cove_queue_options){.holds = 16});
    cove_message m[10];
    for (uint64_t n = 1; n <= 12; n++)
        push_number(queue, n);
    for (uint64_t n = 1; n <= 10; n++)
        m[n - 1] = take_number(queue, n, 1);
    static const int order[] = {4, 9, 0, 7, 2, 1, 8, 3, 6, 5};
    for (int i = 0; i < 10; i++)
        expect(COVE_OK, cove_queue_put_back(queue, &m[order[i]]));
    uint64_t got;
    cove_message seen;
    expect(COVE_REDELIVERED, cove_queue_peek(queue, &got, 8, &seen, COVE_TRY));
    assert_int_equal(got, 1);
    assert_int_equal(seen.deliveries, 2);
    for (uint64_t n = 1; n <= 10; n++)
        pop_number(queue, n, 2);
    pop_number(queue, 11, 1);
    pop_number(queue, 12, 1);
    is_empty(queue);
    cove_queue_close(queue);
}

TEST(who_holds_messages_takes_room_only_beyond_the_holds) {
    cove_queue *queue = open_queue(&(cove_queue_options){.depth = 4, .loans = 1, .holds = 2});
    cove_message m[8];
    uint64_t pushed = 0;
    for (int held = 0; held < 6; held++) { /* 7 buffers: with 2 in hand there is room for 4, with 3 for 3 and so on, and one to fill */
        while (cove_queue_push(queue, &pushed, 8, 0, COVE_TRY) == COVE_OK)
            pushed++;
        uint64_t room = held <= 3 ? 4 : 7 - (uint64_t)held;
        assert_int_equal(info_of(queue).ready_count, room);
        expect(COVE_OK, cove_queue_take(queue, &m[held], COVE_TRY));
    }
    for (int held = 0; held < 6; held++)
        expect(COVE_OK, cove_queue_done(queue, &m[held]));
    cove_queue_close(queue);
}

/* ---- Runs. */

TEST(runs_of_many) {
    cove_queue *queue = open_queue(&(cove_queue_options){.depth = 150, .capacity_bytes = 40});
    cove_message out[200], in[100];
    uint64_t numbers[200], data[1000];
    uint32_t count;
    for (uint64_t i = 0; i < 200; i++) {
        numbers[i] = i + 1;
        out[i] = (cove_message){.data = &numbers[i], .length_bytes = 8, .tag = numbers[i] * 10};
    }
    for (int round = 0; round < 3; round++) {
        expect(COVE_OK, cove_queue_push_many(queue, out, 0, &count, COVE_TRY));
        assert_int_equal(count, 0);
        expect(COVE_ERR_FULL, cove_queue_push_many(queue, out, 200, &count, COVE_TRY));
        assert_int_equal(count, 150);
        uint64_t next = 1;
        expect(COVE_ERR_SIZE, cove_queue_pop_many(queue, data, 7, in, 100, &count, COVE_TRY));
        assert_int_equal(count, 0);
        assert_int_equal(in[0].length_bytes, 8);
        while (next <= 150) {
            uint32_t most = next == 1 ? 1 : next < 10 ? 5 : 100;
            expect(COVE_OK, cove_queue_pop_many(queue, data, next < 20 ? sizeof data : 100, in, most, &count, COVE_TRY));
            assert_in_range(count, 1, most < 64 ? most : 64);
            if (next >= 20)
                assert_in_range(count, 1, 12); /* that fit into 100 bytes */
            for (uint32_t i = 0; i < count; i++, next++) {
                assert_int_equal(*(const uint64_t *)in[i].data, next);
                assert_int_equal(in[i].tag, next * 10);
                assert_int_equal(in[i].sequence, next + 150 * (uint64_t)round);
            }
        }
        assert_int_equal(next, 151);
        expect(COVE_ERR_EMPTY, cove_queue_pop_many(queue, data, sizeof data, in, 10, &count, COVE_TRY));
        assert_int_equal(count, 0);
    }
    out[2].length_bytes = 41;
    expect(COVE_ERR_SIZE, cove_queue_push_many(queue, out, 5, &count, COVE_TRY));
    assert_int_equal(count, 2); /* those before it were pushed */
    out[2].length_bytes = 3;
    expect(COVE_OK, cove_queue_push_many(queue, out + 2, 2, &count, COVE_TRY));
    cove_message m;
    expect(COVE_OK, cove_queue_take(queue, &m, COVE_TRY));
    expect(COVE_OK, cove_queue_put_back(queue, &m));
    expect(COVE_REDELIVERED, cove_queue_pop_many(queue, data, sizeof data, in, 10, &count, COVE_TRY)); /* alone */
    assert_int_equal(count, 1);
    assert_int_equal(in[0].deliveries, 2);
    expect(COVE_OK, cove_queue_pop_many(queue, data, sizeof data, in, 10, &count, COVE_TRY));
    assert_int_equal(count, 3);
    assert_int_equal(in[1].length_bytes, 3);
    assert_int_equal((uintptr_t)in[2].data % 8, 0);
    cove_queue_close(queue);
}

/* ---- Dropping, and dead letters. */

TEST(a_queue_that_drops_keeps_the_newest) {
    cove_queue *queue = open_queue(&(cove_queue_options){.depth = 4, .loans = 1, .holds = 1, .flags = COVE_QUEUE_DROP_OLDEST});
    for (uint64_t n = 1; n <= 20; n++) {
        uint64_t number = n;
        expect(n <= 4 ? COVE_OK : COVE_DROPPED, cove_queue_push(queue, &number, 8, n * 10, COVE_TRY));
    }
    cove_queue_info info = info_of(queue);
    assert_int_equal(info.dropped_count, 16);
    assert_int_equal(info.ready_count, 4);
    assert_int_equal(info.delivered_count, 0);
    cove_message m = take_number(queue, 17, 1);
    expect(COVE_OK, cove_queue_put_back(queue, &m)); /* it takes up no place in the order, so one push drops one other */
    for (uint64_t n = 21; n <= 22; n++)
        expect(COVE_DROPPED - (n == 21) * COVE_DROPPED, cove_queue_push(queue, &n, 8, n * 10, COVE_TRY));
    assert_int_equal(info_of(queue).dropped_count, 17);
    pop_number(queue, 17, 2);
    pop_number(queue, 19, 1);
    cove_queue_close(queue);
}

TEST(what_nobody_gets_done_goes_to_the_dead_letter_queue) {
    cove_queue *queue = open_queue(&(cove_queue_options){.dead_letter = "graves", .max_deliveries = 3}), *graves;
    push_number(queue, 1);
    push_number(queue, 2);
    for (uint32_t n = 1; n <= 3; n++) {
        cove_message m = take_number(queue, 1, n);
        expect(COVE_OK, cove_queue_put_back(queue, &m));
    }
    pop_number(queue, 2, 1);
    is_empty(queue);
    assert_int_equal(info_of(queue).dead_letter_count, 1);
    assert_string_equal(info_of(queue).dead_letter, "graves");
    expect(COVE_OK, cove_queue_open(&graves, "graves", &(cove_queue_options){.how = COVE_OPEN}));
    pop_number(graves, 1, 1);
    /* It is full: nothing is lost. */
    cove_queue_info other = info_of(graves);
    for (uint32_t i = 0; i < other.depth; i++)
        push_number(graves, 7);
    push_number(queue, 3);
    for (uint32_t n = 1; n <= 5; n++) {
        cove_message m = take_number(queue, 3, n);
        expect(COVE_OK, cove_queue_put_back(queue, &m));
    }
    pop_number(graves, 7, 1);
    is_empty(queue);
    assert_int_equal(info_of(queue).dead_letter_count, 2);
    cove_queue_close(queue);
    expect(COVE_OK, cove_queue_remove(graves));
    cove_queue_close(graves);
}

/* ---- Waiting. */

typedef struct errand {
    cove_queue *queue;
    uint64_t number;
    cove_result result;
    cove_time_ns until;
    uint32_t most;
} errand;

static void *pop_one(void *context) {
    errand *e = context;
    e->result = cove_queue_pop(e->queue, &e->number, 8, NULL, e->until);
    return NULL;
}
static void *push_one(void *context) {
    errand *e = context;
    e->result = cove_queue_push(e->queue, &e->number, 8, e->number * 10, e->until);
    return NULL;
}

TEST(who_waits_for_a_message_or_for_room_is_woken) {
    cove_queue *queue = open_queue(&(cove_queue_options){.depth = 1});
    errand e = {.queue = queue, .until = COVE_FOREVER};
    pthread_t thread;
    pthread_create(&thread, NULL, pop_one, &e);
    usleep(20000);
    push_number(queue, 5);
    pthread_join(thread, NULL);
    assert_int_equal(e.result, COVE_OK);
    assert_int_equal(e.number, 5);
    push_number(queue, 6);
    e.number = 7;
    pthread_create(&thread, NULL, push_one, &e);
    usleep(20000);
    pop_number(queue, 6, 1);
    pthread_join(thread, NULL);
    assert_int_equal(e.result, COVE_OK);
    pop_number(queue, 7, 1);
    cove_time_ns before = cove_now();
    uint64_t got;
    expect(COVE_ERR_EMPTY, cove_queue_pop(queue, &got, 8, NULL, cove_in_ms(30)));
    assert_in_range(cove_now() - before, 30000000, 5000000000);
    pthread_create(&thread, NULL, pop_one, &e);
    usleep(20000);
    cove_queue_interrupt(queue);
    pthread_join(thread, NULL);
    assert_int_equal(e.result, COVE_ERR_INTERRUPTED);
    cove_queue_close(queue);
}

TEST(a_put_back_wakes_who_waits) {
    cove_queue *queue = open_queue(NULL);
    errand e = {.queue = queue, .until = COVE_FOREVER};
    pthread_t thread;
    push_number(queue, 1);
    cove_message m = take_number(queue, 1, 1);
    pthread_create(&thread, NULL, pop_one, &e);
    usleep(20000);
    expect(COVE_OK, cove_queue_put_back(queue, &m));
    pthread_join(thread, NULL);
    assert_int_equal(e.result, COVE_REDELIVERED);
    cove_queue_close(queue);
}

TEST(a_removed_queue_is_emptied_and_then_says_so_once) {
    cove_queue *queue = open_queue(NULL);
    uint64_t got;
    push_number(queue, 1);
    expect(COVE_OK, cove_queue_remove(queue));
    assert_true(cove_queue_is_removed(queue));
    pop_number(queue, 1, 1);
    cove_message m = {.data = "before", .length_bytes = 6};
    expect(COVE_REMOVED, cove_queue_pop(queue, &got, 8, &m, cove_in_ms(5000)));
    assert_int_equal(m.length_bytes, 0);
    is_empty(queue);
    push_number(queue, 2);
    pop_number(queue, 2, 1);
    cove_queue_close(queue);
}

TEST(a_removal_is_a_message_of_no_bytes) {
    cove_queue *handle[3];
    uint8_t data[8];
    cove_message m;
    uint32_t count = 7;
    for (int i = 0; i < 3; i++)
        handle[i] = open_queue(NULL);
    expect(COVE_OK, cove_queue_remove(handle[0]));
    m = (cove_message){.data = "before", .length_bytes = 6};
    expect(COVE_REMOVED, cove_queue_take(handle[0], &m, COVE_TRY));
    assert_true(!m.data && !m.length_bytes);
    m = (cove_message){.data = "before", .length_bytes = 6};
    expect(COVE_REMOVED, cove_queue_peek(handle[1], data, sizeof data, &m, COVE_TRY));
    assert_true(!m.length_bytes);
    m = (cove_message){.data = "before", .length_bytes = 6};
    expect(COVE_REMOVED, cove_queue_pop_many(handle[2], data, sizeof data, &m, 1, &count, COVE_TRY));
    assert_true(!m.length_bytes && !count);
    for (int i = 0; i < 3; i++)
        cove_queue_close(handle[i]);
}

TEST(a_descriptor_tells_of_messages) {
    cove_queue *queue = open_queue(NULL), *other = open_queue(NULL);
    int fd;
    expect(COVE_OK, cove_queue_fd(queue, &fd));
    struct pollfd waited = {.fd = fd, .events = POLLIN};
    is_empty(queue);
    for (uint64_t n = 1; n <= 50; n++) {
        assert_int_equal(poll(&waited, 1, 0), 0);
        push_number(other, n);
        assert_int_equal(poll(&waited, 1, 5000), 1);
        if (n % 2) {
            pop_number(queue, n, 1);
        } else {
            cove_message m = take_number(other, n, 1);
            expect(COVE_OK, cove_queue_put_back(other, &m));
            pop_number(queue, n, 2);
        }
        is_empty(queue);
    }
    cove_queue_close(other);
    cove_queue_close(queue);
}

static void take_all(void *context, cove_queue *queue) {
    uint64_t got;
    while (cove_queue_pop(queue, &got, 8, NULL, COVE_TRY) >= 0)
        atomic_fetch_add((_Atomic uint64_t *)context, got);
}

TEST(a_function_is_called_for_messages) {
    static _Atomic uint64_t sum;
    cove_queue *queue = open_queue(NULL), *other = open_queue(NULL);
    sum = 0;
    push_number(other, 1);
    expect(COVE_OK, cove_queue_on_change(queue, take_all, (void *)&sum));
    for (uint64_t n = 2; n <= 100; n++)
        push_number(other, n);
    eventually(atomic_load(&sum) == 5050);
    expect(COVE_OK, cove_queue_on_change(queue, NULL, NULL));
    cove_queue_close(other);
    cove_queue_close(queue);
}

TEST(news_of_producers_and_consumers) {
    cove_queue *queue = open_queue(&(cove_queue_options){.flags = COVE_QUEUE_CONSUMER}), *other;
    uint32_t producers, consumers;
    expect(COVE_OK, cove_queue_members(queue, &producers, &consumers));
    assert_int_equal(producers, 0);
    assert_int_equal(consumers, 1);
    expect(COVE_ERR_TIMEOUT, cove_queue_wait_members(queue, &producers, &consumers, cove_in_ms(5)));
    other = open_queue(NULL);
    push_number(other, 1);
    expect(COVE_OK, cove_queue_wait_members(queue, &producers, NULL, cove_in_ms(5000)));
    assert_int_equal(producers, 1);
    cove_queue_close(other);
    expect(COVE_OK, cove_queue_wait_members(queue, &producers, NULL, cove_in_ms(5000)));
    assert_int_equal(producers, 0);
    cove_queue_close(queue);
}

/* ---- Who may what. */

TEST(a_read_only_handle_peeks_and_takes_nothing) {
    cove_queue *queue = open_queue(NULL), *reader = open_queue(&(cove_queue_options){.access = COVE_READ_ONLY});
    cove_message m;
    cove_loan loan;
    uint64_t got;
    expect(COVE_ERR_EMPTY, cove_queue_wait(reader, cove_in_ms(3)));
    push_number(queue, 1);
    expect(COVE_OK, cove_queue_wait(reader, cove_in_ms(5000)));
    expect(COVE_OK, cove_queue_peek(reader, &got, 8, &m, COVE_TRY));
    assert_int_equal(got, 1);
    assert_int_equal(m.deliveries, 1);
    expect(COVE_ERR_SIZE, cove_queue_peek(reader, &got, 7, &m, COVE_TRY));
    expect(COVE_ERR_ACCESS, cove_queue_pop(reader, &got, 8, &m, COVE_TRY));
    expect(COVE_ERR_ACCESS, cove_queue_take(reader, &m, COVE_TRY));
    expect(COVE_ERR_ACCESS, cove_queue_push(reader, &got, 8, 0, COVE_TRY));
    expect(COVE_ERR_ACCESS, cove_queue_reserve(reader, 8, &loan, COVE_TRY));
    assert_int_equal(info_of(reader).ready_count, 1);
    assert_true(info_of(reader).is_read_only);
    cove_queue_close(reader);
    cove_queue_close(queue);
}

TEST(an_only_producer_and_an_only_consumer) {
    cove_queue *producer = open_queue(&(cove_queue_options){.flags = COVE_QUEUE_ONLY_PRODUCER}),
               *consumer = open_queue(&(cove_queue_options){.flags = COVE_QUEUE_ONLY_CONSUMER}), *other;
    uint64_t got, number = 1;
    cove_message m;
    expect_words(COVE_ERR_IN_USE, "only producer", cove_queue_push(consumer, &number, 8, 10, COVE_TRY));
    expect_words(COVE_ERR_IN_USE, "only consumer", cove_queue_pop(producer, &got, 8, NULL, COVE_TRY));
    expect(COVE_ERR_IN_USE, cove_queue_open(&other, "q", &(cove_queue_options){.flags = COVE_QUEUE_ONLY_CONSUMER}));
    for (uint64_t n = 1; n <= 500; n++) {
        push_number(producer, n);
        if (n % 3 == 0) {
            m = take_number(consumer, n, 1);
            expect(COVE_OK, cove_queue_put_back(consumer, &m));
            pop_number(consumer, n, 2);
        } else {
            pop_number(consumer, n, 1);
        }
    }
    push_number(producer, 501);
    m = take_number(consumer, 501, 1);
    cove_queue_close(consumer);
    pop_number(producer, 501, 2); /* free for others now */
    cove_queue_close(producer);
}

/* ---- Counters. */

TEST(numbers_may_wrap_wherever_they_are_cut) {
    static const int bits[] = {28, 32, 36, 41, 45, 46, 63};
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
        covei_lab_first_message = (UINT64_C(1) << bits[i]) - 40;
        uint64_t first = covei_lab_first_message, data[200], n = first, pushed = first;
        cove_queue *queue = open_queue(&(cove_queue_options){.depth = 7, .holds = 4});
        cove_message m[10];
        uint32_t count;
        for (int round = 0; round < 40; round++) {
            while (cove_queue_push(queue, &pushed, 8, 0, COVE_TRY) == COVE_OK)
                pushed++;
            assert_int_equal(pushed - n, 7);
            expect(COVE_OK, cove_queue_take(queue, &m[0], COVE_TRY));
            expect(COVE_OK, cove_queue_take(queue, &m[1], COVE_TRY));
            assert_int_equal(m[1].sequence, n + 1);
            expect(COVE_OK, cove_queue_put_back(queue, &m[1]));
            expect(COVE_OK, cove_queue_put_back(queue, &m[0]));
            for (int k = 0; k < 2; k++, n++) {
                expect(COVE_REDELIVERED, cove_queue_take(queue, &m[0], COVE_TRY));
                assert_int_equal(m[0].sequence, n);
                assert_int_equal(*(const uint64_t *)m[0].data, n);
                expect(COVE_OK, cove_queue_done(queue, &m[0]));
            }
            expect(COVE_OK, cove_queue_pop_many(queue, data, sizeof data, m, 3, &count, COVE_TRY));
            for (uint32_t k = 0; k < count; k++, n++)
                assert_int_equal(data[k], n);
        }
        cove_queue_close(queue);
    }
    covei_lab_first_message = 0;
}

/* ---- Fork. */

typedef struct family {
    cove_queue *queue;
    cove_message message;
    cove_loan loan;
} family;

static int be_the_child(void *context) {
    family *f = context;
    cove_message m = f->message;
    cove_loan loan = f->loan;
    if (cove_queue_done(f->queue, &m) != COVE_ERR_FORKED || cove_queue_put_back(f->queue, &m) != COVE_ERR_FORKED)
        return 1;
    if (cove_queue_commit(f->queue, &loan, COVE_TRY) != COVE_ERR_FORKED)
        return 2;
    uint64_t n = 2;
    if (cove_queue_push(f->queue, &n, 8, 20, COVE_TRY) != COVE_OK)
        return 3;
    cove_queue_close(f->queue);
    return 0;
}

TEST(a_child_of_fork_attaches_by_itself_and_holds_nothing) {
    family f = {.queue = open_queue(NULL)};
    push_number(f.queue, 1);
    f.message = take_number(f.queue, 1, 1);
    expect(COVE_OK, cove_queue_reserve(f.queue, 8, &f.loan, COVE_TRY));
    assert_int_equal(end_of(child(be_the_child, &f)), 0);
    expect(COVE_OK, cove_queue_done(f.queue, &f.message));
    expect(COVE_OK, cove_queue_abandon(f.queue, &f.loan));
    pop_number(f.queue, 2, 1);
    is_empty(f.queue);
    cove_queue_close(f.queue);
}

static int pop_five(void *context) {
    uint64_t got;
    return cove_queue_pop(context, &got, 8, NULL, cove_in_ms(5000)) == COVE_OK && got >= 5 ? 0 : 1;
}

TEST(fork_while_another_thread_is_blocked) {
    cove_queue *queue = open_queue(NULL);
    errand e = {.queue = queue, .until = COVE_FOREVER};
    pthread_t thread;
    pthread_create(&thread, NULL, pop_one, &e);
    usleep(20000);
    pid_t pid = child(pop_five, queue);
    usleep(20000);
    push_number(queue, 5);
    push_number(queue, 6);
    pthread_join(thread, NULL);
    assert_int_equal(e.result, COVE_OK);
    assert_int_equal(end_of(pid), 0);
    is_empty(queue);
    cove_queue_close(queue);
}

/* ---- Threads. */

#define EACH (test_is_slow ? 3000u : 50000u)
static _Atomic uint64_t got_count[2];

static void *produce(void *context) {
    errand *e = context;
    for (uint64_t i = 0; i < EACH; i++) {
        uint64_t number = e->number << 32 | i;
        if (cove_queue_push(e->queue, &number, 8, 0, COVE_FOREVER) != COVE_OK)
            return "push";
    }
    return NULL;
}
static void *consume(void *context) {
    errand *e = context;
    uint64_t last[2] = {0}, got;
    cove_result result;
    while ((result = cove_queue_pop(e->queue, &got, 8, NULL, cove_in_ms(300))) == COVE_OK) {
        if ((uint32_t)got + 1 <= last[got >> 32]) /* first in, first out of each producer */
            return "order";
        last[got >> 32] = (uint32_t)got + 1;
        atomic_fetch_add(&got_count[got >> 32], 1);
    }
    return result == COVE_ERR_EMPTY ? NULL : "pop";
}

TEST(threads_that_share_a_handle) {
    for (int handles = 1; handles <= 2; handles++) {
        cove_queue *queue = open_queue(&(cove_queue_options){.depth = 16}), *other = handles == 2 ? open_queue(NULL) : queue;
        errand e[4] = {{.queue = queue, .number = 0}, {.queue = other, .number = 1}, {.queue = queue}, {.queue = other}};
        pthread_t thread[4];
        void *why;
        got_count[0] = got_count[1] = 0;
        for (int i = 0; i < 4; i++)
            pthread_create(&thread[i], NULL, i < 2 ? produce : consume, &e[i]);
        for (int i = 0; i < 4; i++) {
            pthread_join(thread[i], &why);
            if (why)
                fail_msg("%s", (const char *)why);
        }
        assert_int_equal(got_count[0], EACH);
        assert_int_equal(got_count[1], EACH);
        if (handles == 2)
            cove_queue_close(other);
        cove_queue_close(queue);
    }
}

/* ---- Deaths, one by one; at every instruction: tests/kill/, at random: tests/crash/. */

static int take_two_and_die(void *context) {
    (void)context;
    cove_queue *queue = open_queue(NULL);
    cove_message m;
    expect(COVE_OK, cove_queue_take(queue, &m, cove_in_ms(5000)));
    expect(COVE_OK, cove_queue_take(queue, &m, cove_in_ms(5000)));
    cove_loan loan;
    expect(COVE_OK, cove_queue_reserve(queue, 8, &loan, cove_in_ms(5000)));
    raise(SIGKILL);
    return 0;
}

TEST(what_a_dead_consumer_had_in_hand_is_delivered_again) {
    cove_queue *queue = open_queue(NULL);
    for (uint64_t n = 1; n <= 3; n++)
        push_number(queue, n);
    assert_int_equal(end_of(child(take_two_and_die, NULL)), -SIGKILL);
    uint64_t got;
    /* Who only tries finds them too, and who waits within some milliseconds. */
    expect(COVE_REDELIVERED, cove_queue_pop(queue, &got, 8, NULL, cove_in_ms(1000)) == COVE_OK
                                 ? cove_queue_pop(queue, &got, 8, NULL, cove_in_ms(1000))
                                 : COVE_REDELIVERED);
    cove_message m;
    while (cove_queue_take(queue, &m, cove_in_ms(50)) >= 0)
        expect(COVE_OK, cove_queue_done(queue, &m));
    cove_queue_info info = info_of(queue);
    assert_int_equal(info.redelivered_count, 2);
    assert_int_equal(info.delivered_count, 3);
    assert_int_equal(info.in_flight_count + info.ready_count, 0);
    cove_queue_close(queue);
}

static int pop_for_ever(void *context) {
    cove_queue *queue = open_queue(NULL);
    uint64_t got;
    while (!*(_Atomic int *)context)
        if (cove_queue_pop(queue, &got, 8, NULL, COVE_TRY) < 0)
            continue;
    cove_queue_close(queue);
    return 0;
}

TEST(a_queue_that_drops_is_never_full_for_who_pushes) {
    _Atomic int *stop = shared_memory(sizeof *stop);
    cove_queue *queue = open_queue(&(cove_queue_options){.depth = 1, .flags = COVE_QUEUE_DROP_OLDEST});
    pid_t pid[2] = {child(pop_for_ever, stop), child(pop_for_ever, stop)};
    for (uint64_t n = 1; n <= (test_is_slow ? 20000 : 500000); n++) {
        cove_result result = cove_queue_push(queue, &n, 8, 0, COVE_TRY);
        if (result < 0)
            fail_msg("%s", cove_last_error()->sentence);
    }
    *stop = 1;
    assert_int_equal(end_of(pid[0]), 0);
    assert_int_equal(end_of(pid[1]), 0);
    cove_queue_close(queue);
}

/* Else every call pays for locked instructions, and only a benchmark sees it. */
TEST(what_one_thread_uses_stays_that_threads) {
    cove_queue *queue = open_queue(NULL);
    for (uint64_t n = 1; n <= 3; n++) {
        push_number(queue, n);
        pop_number(queue, n, 1);
    }
    if (!covei_load_relaxed(&covei_fences_are_light))
        skip();
    assert_int_equal(covei_load_relaxed(&queue->pushing.lock.owner), covei_local_thread());
    assert_int_equal(covei_load_relaxed(&queue->taking.lock.owner), covei_local_thread());
    cove_queue_close(queue);
}

/* ---- What a first reading of the protocol by others has found. */

TEST(the_dead_are_found_though_there_always_is_a_next_message) {
    cove_queue *queue = open_queue(NULL);
    cove_message m;
    uint64_t got, n = 4;
    for (uint64_t i = 1; i <= 3; i++)
        push_number(queue, i);
    assert_int_equal(end_of(child(take_two_and_die, NULL)), -SIGKILL);
    for (cove_time_ns until = cove_in_ms(10000);; n++) { /* one comes, one goes */
        expect(COVE_OK, cove_queue_push(queue, &n, 8, 0, COVE_TRY));
        expect(COVE_OK, cove_queue_push(queue, &n, 8, 0, COVE_TRY));
        cove_result result = cove_queue_pop(queue, &got, 8, &m, COVE_TRY);
        if (result == COVE_REDELIVERED)
            break;
        expect(COVE_OK, result);
        result = n % 2 ? cove_queue_pop(queue, &got, 8, &m, COVE_TRY) : cove_queue_take(queue, &m, COVE_TRY);
        if (result == COVE_REDELIVERED)
            break;
        expect(COVE_OK, result);
        if (n % 2 == 0)
            expect(COVE_OK, cove_queue_done(queue, &m));
        assert_true(cove_now() < until);
    }
    assert_true(m.sequence <= 2);
    cove_queue_close(queue);
}

static int take_all_buffers_and_die(void *context) {
    cove_queue *queue = open_queue(NULL);
    cove_message m;
    (void)context;
    while (cove_queue_take(queue, &m, COVE_TRY) == COVE_OK)
        ;
    kill(getpid(), SIGKILL);
    return 0;
}

TEST(what_the_dead_have_in_hand_makes_no_queue_full_for_ever) {
    static const uint32_t flags[] = {COVE_QUEUE_DROP_OLDEST, 0};
    for (int i = 0; i < 2; i++) {
        cove_queue *queue = open_queue(&(cove_queue_options){.depth = 4, .loans = 1, .holds = 1, .flags = flags[i]});
        uint64_t n = 1;
        for (int k = 0; k < 2; k++) {
            for (cove_result result = COVE_OK; result == COVE_OK; n++)
                result = cove_queue_push(queue, &n, 8, 0, COVE_TRY);
            assert_int_equal(end_of(child(take_all_buffers_and_die, NULL)), -SIGKILL);
        }
        for (cove_time_ns until = cove_in_ms(10000); flags[i]; usleep(1000)) { /* who only tries gets through before long */
            cove_result result = cove_queue_push(queue, &n, 8, 0, COVE_TRY);
            if (result >= 0)
                break;
            expect(COVE_ERR_FULL, result);
            assert_true(cove_now() < until);
        }
        cove_message m;
        expect(COVE_REDELIVERED, cove_queue_take(queue, &m, cove_in_ms(5000)));
        cove_queue_close(queue);
    }
}

static int try_now_and_then(void *context) {
    cove_queue *queue = open_queue(NULL);
    uint64_t got;
    _Atomic int *ready = context;
    for (int i = 0; i < 1000; i++) /* quickly, at first */
        expect(COVE_ERR_EMPTY, cove_queue_pop(queue, &got, 8, NULL, COVE_TRY));
    *ready = 1;
    usleep(300000); /* meanwhile a consumer is killed */
    for (int i = 0; i < 3; i++) {
        if (cove_queue_pop(queue, &got, 8, NULL, COVE_TRY) == COVE_REDELIVERED)
            return 0;
        usleep(100000);
    }
    return 1;
}

TEST(who_tries_seldom_finds_what_the_dead_had_at_once) {
    _Atomic int *ready = shared_memory(sizeof *ready);
    cove_queue *queue = open_queue(NULL);
    pid_t pid = child(try_now_and_then, ready);
    eventually(*ready);
    push_number(queue, 1);
    push_number(queue, 2);
    assert_int_equal(end_of(child(take_two_and_die, NULL)), -SIGKILL);
    assert_int_equal(end_of(pid), 0);
    cove_queue_close(queue);
}

static void *push_in_a_thread(void *context) {
    push_number(context, 99);
    return NULL;
}

TEST(who_takes_makes_room_in_the_order) {
    cove_queue *queue = open_queue(&(cove_queue_options){.depth = 2});
    cove_message m;
    pthread_t thread;
    push_number(queue, 1);
    push_number(queue, 2);
    covei_lab_slice_ns = UINT64_C(3000000000);
    pthread_create(&thread, NULL, push_in_a_thread, queue);
    usleep(50000);
    cove_time_ns began = cove_now();
    m = take_number(queue, 1, 1);
    pthread_join(thread, NULL);
    assert_true(cove_now() - began < UINT64_C(1000000000));
    covei_lab_slice_ns = 0;
    expect(COVE_OK, cove_queue_done(queue, &m));
    cove_queue_close(queue);
}

/* A handle that was opened long ago: others have pushed more since than the numbers in own words can count. */
TEST(a_handle_that_was_idle_for_very_long_takes_nobodys_buffers) {
    static const int bits[] = {35, 36, 41, 46};
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
        covei_lab_first_message = UINT64_C(1) << 50;
        cove_queue *queue = open_queue(&(cove_queue_options){.depth = 4, .loans = 1, .holds = 1}), *idle = open_queue(NULL);
        uint64_t long_ago = covei_lab_first_message - (UINT64_C(1) << bits[i]) - 7, number;
        idle->pushing.next = idle->pushing.head = idle->pushing.finished = long_ago;
        idle->taking.next = idle->taking.turned = long_ago;
        cove_queue *gone = open_queue(NULL);
        push_number(gone, 1);
        cove_queue_close(gone);
        push_number(queue, 2);
        for (number = 3; number <= 4; number++)
            expect(COVE_OK, cove_queue_push(idle, &number, 8, number * 10, COVE_TRY));
        expect(COVE_ERR_FULL, cove_queue_push(idle, &number, 8, 0, COVE_TRY));
        for (number = 1; number <= 4; number++)
            pop_number(number % 2 ? idle : queue, number, 1);
        for (number = 5; number < 50; number++) {
            push_number(number % 3 ? idle : queue, number);
            pop_number(number % 2 ? idle : queue, number, 1);
        }
        cove_queue_close(idle);
        cove_queue_close(queue);
    }
    covei_lab_first_message = 0;
}

TEST(who_only_looks_sees_that_nothing_is_there_after_something_was_given_back) {
    cove_queue *queue = open_queue(NULL);
    cove_message m;
    uint64_t got;
    push_number(queue, 1);
    m = take_number(queue, 1, 1);
    expect(COVE_OK, cove_queue_put_back(queue, &m));
    m = take_number(queue, 1, 2);
    expect(COVE_ERR_EMPTY, cove_queue_peek(queue, &got, 8, NULL, COVE_TRY));
    expect(COVE_ERR_EMPTY, cove_queue_wait(queue, COVE_TRY));
    expect(COVE_OK, cove_queue_done(queue, &m));
    cove_queue_close(queue);
}

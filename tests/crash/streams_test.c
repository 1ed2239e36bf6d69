/* Streams whose writers and readers are killed and stopped, under readers that check every byte and every number. */
#include "tests/support.h"

#include "sync/event.h"

#define VALUE_MAX 512
#define IDS (1u << 24)

static struct scene {
    _Atomic uint64_t last_id; /* each value says which it is */
    _Atomic uint64_t read, torn, backward, gaps, latest, stop;
    _Atomic uint32_t is_writing, ready;
    _Atomic uint8_t confirmed[IDS / 8], seen[2][IDS / 8];
} * scene;

static cove_stream *open_here(cove_follow follow, cove_start start, unsigned flags, cove_access access) {
    cove_stream *stream;
    cove_stream_options options = {
        .how = COVE_OPEN, .follow = follow, .start = start, .flags = flags, .access = access, .deadline_ns = cove_in_ms(20000)};
    if (cove_stream_open(&stream, "s", &options) == COVE_OK)
        return stream;
    fprintf(stderr, "open: %s\n", cove_last_error()->sentence);
    _exit(99);
}

static void note(_Atomic uint8_t *bits, uint64_t id) {
    bits[id / 8 % (IDS / 8)] |= (uint8_t)(1u << (id % 8));
}

static size_t length_of(uint64_t id) {
    return 8 + id % (VALUE_MAX - 8);
}

/* By write and by loan in turn; only one handle writes an id. */
static int write_for_ever(void *context) {
    cove_stream *stream = open_here(COVE_FOLLOW_ALL, COVE_START_NEW, *(unsigned *)context, COVE_READ_WRITE);
    char data[VALUE_MAX];
    for (;;) {
        uint64_t id = ++scene->last_id;
        cove_loan loan;
        if (id % 2) {
            fill_pattern(data, length_of(id), id);
            if (cove_stream_write(stream, data, length_of(id), id, COVE_FOREVER) != COVE_OK)
                return 1;
        } else {
            if (cove_stream_loan(stream, length_of(id), &loan, COVE_FOREVER) != COVE_OK)
                return 2;
            fill_pattern(loan.data, length_of(id), id);
            loan.tag = id;
            if (cove_stream_publish(stream, &loan, COVE_FOREVER) != COVE_OK)
                return 3;
        }
        note(scene->confirmed, id);
        scene->is_writing = 1;
    }
}

static void check(const void *data, const cove_value *value, uint64_t *last, bool is_lossless) {
    scene->torn +=
        value->length_bytes != length_of(value->tag) || !is_pattern(data, value->length_bytes) || memcmp(data, &value->tag, 8) != 0;
    scene->backward += value->sequence <= *last;
    scene->gaps += value->sequence != *last + 1 + value->missed_count || (is_lossless && value->missed_count);
    *last = value->sequence;
    scene->read++;
}

typedef struct habit {
    cove_follow follow;
    cove_access access;
    bool borrows;
    int seen; /* which bitmap a lossless one fills */
} habit;

static int read_for_ever(void *context) {
    const habit *r = context;
    cove_stream *stream = open_here(r->follow, COVE_START_NEW, 0, r->access);
    cove_stream_info info;
    char data[VALUE_MAX];
    uint64_t last;
    if (cove_stream_get_info(stream, &info) != COVE_OK)
        return 1;
    last = info.next_sequence - 1;
    scene->ready++;
    for (;;) {
        cove_value value;
        cove_result result = r->borrows ? cove_stream_borrow(stream, &value, cove_in_ms(200))
                                        : cove_stream_read(stream, data, sizeof data, &value, cove_in_ms(200));
        if (result == COVE_ERR_EMPTY && scene->stop)
            break;
        if (result == COVE_ERR_EMPTY)
            continue;
        if (result < 0) {
            fprintf(stderr, "read: %s\n", cove_last_error()->sentence);
            return 2;
        }
        check(r->borrows ? value.data : data, &value, &last, r->follow == COVE_FOLLOW_LOSSLESS);
        if (r->follow == COVE_FOLLOW_LOSSLESS)
            note(scene->seen[r->seen], value.tag);
        if (r->borrows && cove_stream_give_back(stream, &value) != COVE_OK)
            return 3;
    }
    cove_stream_close(stream);
    return 0;
}

static void nothing_wrong(void) {
    uint64_t confirmed = 0;
    assert_int_equal(scene->torn, 0);
    assert_int_equal(scene->backward, 0);
    assert_int_equal(scene->gaps, 0);
    assert_true(scene->last_id < IDS);
    for (uint64_t i = 0; i < IDS / 8; i++) {
        confirmed += (uint64_t)__builtin_popcount(scene->confirmed[i]);
        if (scene->confirmed[i] & ~(scene->seen[0][i] & scene->seen[1][i]))
            fail_msg("a value that publish confirmed was not seen by a lossless reader: one of %lu to %lu", (unsigned long)i * 8,
                     (unsigned long)i * 8 + 7);
    }
    printf("    %lu values confirmed, %lu read\n", (unsigned long)confirmed, (unsigned long)scene->read);
    assert_true(confirmed > (test_is_slow ? 50 : 1000) && scene->read > (test_is_slow ? 50 : 1000));
}

static void kill_writers(int kills, unsigned flags, uint32_t depth) {
    static habit readers[] = {{COVE_FOLLOW_ALL, COVE_READ_WRITE, false, 0},
                              {COVE_FOLLOW_LATEST, COVE_READ_ONLY, false, 0},
                              {COVE_FOLLOW_LOSSLESS, COVE_READ_WRITE, false, 0},
                              {COVE_FOLLOW_LOSSLESS, COVE_READ_WRITE, true, 1}};
    cove_stream *keeper;
    pid_t pid[4];
    scene = shared_memory(sizeof *scene);
    expect(COVE_OK,
           cove_stream_open(&keeper, "s", &(cove_stream_options){.capacity_bytes = VALUE_MAX, .depth = depth, .loans = 2, .borrows = 2}));
    for (int i = 0; i < 4; i++)
        pid[i] = child(read_for_ever, &readers[i]);
    eventually(scene->ready == 4);
    for (int i = 0; i < kills; i++) {
        scene->is_writing = 0;
        pid_t writer = child(write_for_ever, &flags), other = flags ? 0 : child(write_for_ever, &flags);
        eventually(scene->is_writing);
        usleep(random_number() % 700);
        kill_child(writer);
        if (other)
            kill_child(other);
    }
    scene->stop = 1;
    for (int i = 0; i < 4; i++)
        assert_int_equal(end_of(pid[i]), 0);
    nothing_wrong();
    cove_stream_close(keeper);
}

TEST(writers_killed_5000_times_tear_nothing_and_lose_nothing) {
    kill_writers(test_is_slow ? 150 : 2000, 0, 16); /* two each time */
    kill_writers(test_is_slow ? 50 : 500, 0, 1);
}

TEST(an_only_writer_killed_2000_times_is_followed_by_the_next) {
    kill_writers(test_is_slow ? 100 : 1500, COVE_STREAM_ONLY_WRITER, 16);
    kill_writers(test_is_slow ? 50 : 500, COVE_STREAM_ONLY_WRITER, 2);
}

/* ---- Those who hold. */

static int borrow_for_ever(void *context) {
    cove_stream *stream = open_here(COVE_FOLLOW_ALL, COVE_START_LATEST, 0, COVE_READ_WRITE);
    (void)context;
    for (uint64_t last = 0;;) {
        cove_value value[2];
        for (int i = 0; i < 2; i++)
            if (cove_stream_borrow(stream, &value[i], COVE_FOREVER) < 0)
                return 1;
        usleep(random_number() % 100);
        for (int i = 0; i < 2; i++) {
            scene->torn += !is_pattern(value[i].data, value[i].length_bytes);
            scene->backward += value[i].sequence <= last;
            last = value[i].sequence;
            if (cove_stream_give_back(stream, &value[i]) != COVE_OK)
                return 2;
        }
        scene->is_writing = 1;
    }
}

static void count_borrows(uint32_t wanted) {
    cove_stream *stream = open_here(COVE_FOLLOW_ALL, COVE_START_OLDEST, 0, COVE_READ_WRITE);
    cove_value value[8];
    for (uint32_t i = 0; i < wanted; i++)
        expect(COVE_OK, cove_stream_borrow(stream, &value[i], cove_in_ms(2000)));
    expect(COVE_ERR_FULL, cove_stream_borrow(stream, &value[wanted], COVE_TRY));
    cove_stream_close(stream);
}

TEST(borrowers_that_are_killed_stop_no_writer_and_leave_no_buffer_behind) {
    cove_stream *writer;
    char data[VALUE_MAX];
    unsigned none = 0;
    (void)none;
    scene = shared_memory(sizeof *scene);
    expect(COVE_OK, cove_stream_open(&writer, "s", &(cove_stream_options){.capacity_bytes = VALUE_MAX, .depth = 8, .borrows = 4}));
    for (int i = 0; i < (test_is_slow ? 50 : 500); i++) {
        scene->is_writing = 0;
        pid_t pid[2] = {child(borrow_for_ever, NULL), child(borrow_for_ever, NULL)};
        for (int round = 0; round < 40 || (!scene->is_writing && round < 100000); round++) {
            fill_pattern(data, VALUE_MAX, random_number());
            expect(COVE_OK, cove_stream_write(writer, data, VALUE_MAX, 0, COVE_TRY)); /* without ever waiting */
            usleep(random_number() % 40);
        }
        kill_child(pid[0]);
        kill_child(pid[1]);
    }
    assert_int_equal(scene->torn, 0);
    assert_int_equal(scene->backward, 0);
    for (int round = 0; round < 100; round++)
        expect(COVE_OK, cove_stream_write(writer, data, VALUE_MAX, 0, COVE_TRY));
    count_borrows(4);
    cove_stream_close(writer);
}

static int loan_and_stop(void *context) {
    cove_stream *stream = open_here(COVE_FOLLOW_LOSSLESS, COVE_START_NEW, 0, COVE_READ_WRITE);
    cove_loan loan;
    (void)context;
    if (cove_stream_loan(stream, 8, &loan, COVE_TRY) != COVE_OK)
        return 1;
    scene->ready = 1;
    raise(SIGSTOP);
    memcpy(loan.data, "gone on!", 8);
    return cove_stream_publish(stream, &loan, cove_in_ms(5000)) == COVE_OK ? 0 : 2;
}

TEST(a_writer_stopped_in_the_middle_of_a_loan_delays_nobody_and_goes_on) {
    cove_stream *writer, *reader;
    char data[VALUE_MAX];
    cove_value value;
    scene = shared_memory(sizeof *scene);
    expect(COVE_OK,
           cove_stream_open(&writer, "s", &(cove_stream_options){.capacity_bytes = 8, .depth = 4, .loans = 2, .start = COVE_START_NEW}));
    pid_t pid = child(loan_and_stop, NULL);
    eventually(scene->ready);
    reader = open_here(COVE_FOLLOW_ALL, COVE_START_NEW, 0, COVE_READ_WRITE);
    usleep(20000);
    for (uint64_t i = 1; i <= 4; i++) { /* as many as a lossless reader that does not come allows */
        expect(COVE_OK, cove_stream_write(writer, &i, 8, 0, COVE_TRY));
        expect(COVE_OK, cove_stream_read(reader, data, 8, &value, COVE_TRY));
        assert_int_equal(value.sequence, i);
    }
    uint64_t more = 5;
    expect(COVE_ERR_FULL, cove_stream_write(writer, &more, 8, 0, cove_in_ms(300))); /* stopped is not dead */
    kill(pid, SIGCONT);
    assert_int_equal(end_of(pid), 2); /* and it waits for itself, until it dies */
    expect(COVE_OK, cove_stream_write(writer, &more, 8, 0, COVE_TRY));
    cove_stream_close(reader);
    cove_stream_close(writer);
}

static int stay(void *context) {
    cove_stream *stream = open_here(*(cove_follow *)context, COVE_START_NEW, 0, COVE_READ_WRITE);
    (void)stream;
    scene->ready = 1;
    while (pause())
        ;
    return 0;
}

TEST(a_lossless_reader_that_is_killed_stops_counting_at_once) {
    cove_follow lossless = COVE_FOLLOW_LOSSLESS;
    cove_stream *writer;
    uint64_t number = 0;
    scene = shared_memory(sizeof *scene);
    expect(COVE_OK, cove_stream_open(&writer, "s", &(cove_stream_options){.capacity_bytes = 8, .depth = 2}));
    for (int i = 0; i < 50; i++) {
        scene->ready = 0;
        pid_t pid = child(stay, &lossless);
        eventually(scene->ready);
        for (int n = 0; n < 2; n++)
            expect(COVE_OK, cove_stream_write(writer, &number, 8, 0, COVE_TRY));
        expect(COVE_ERR_FULL, cove_stream_write(writer, &number, 8, 0, COVE_TRY));
        kill_child(pid);
        for (int n = 0; n < 10; n++)
            expect(COVE_OK, cove_stream_write(writer, &number, 8, 0, COVE_TRY));
    }
    cove_stream_close(writer);
}

/* ---- Coming and going. */

static int write_three(void *context) {
    uint64_t base = *(uint64_t *)context;
    cove_stream *stream = open_here(COVE_FOLLOW_ALL, COVE_START_NEW, 0, COVE_READ_WRITE);
    for (uint64_t i = 1; i <= 3; i++) {
        uint64_t value = base + i;
        if (cove_stream_write(stream, &value, 8, 0, cove_in_ms(5000)) != COVE_OK)
            return 1;
    }
    kill(getpid(), SIGKILL);
    return 0;
}

TEST(a_reader_that_came_first_sees_a_writer_that_is_restarted_100_times) {
    cove_stream *reader;
    uint32_t writers;
    scene = shared_memory(sizeof *scene);
    expect(COVE_OK, cove_stream_open(&reader, "s", &(cove_stream_options){.capacity_bytes = 8}));
    for (uint64_t i = 0; i < 100; i++) {
        uint64_t base = i * 3, got;
        pid_t pid = child(write_three, &base);
        for (uint64_t n = 1; n <= 3; n++) {
            cove_value value;
            expect(COVE_OK, cove_stream_read(reader, &got, 8, &value, cove_in_ms(5000)));
            assert_int_equal(got, base + n);
            assert_int_equal(value.sequence, base + n);
        }
        expect(COVE_OK, cove_stream_wait_writers(reader, 1, cove_in_ms(5000), &writers)); /* sees it go */
        assert_int_equal(writers, 0);
        assert_int_equal(end_of(pid), -SIGKILL);
    }
    cove_stream_close(reader);
}

static int wait_for_the_stream(void *context) {
    cove_stream *stream = open_here(COVE_FOLLOW_ALL, COVE_START_OLDEST, 0, *(cove_access *)context);
    uint64_t got;
    return cove_stream_read(stream, &got, 8, NULL, cove_in_ms(5000)) == COVE_OK && got == 7 ? 0 : 1;
}

TEST(readers_may_wait_for_the_stream_itself) {
    cove_access access[] = {COVE_READ_WRITE, COVE_READ_ONLY};
    pid_t pid[] = {child(wait_for_the_stream, &access[0]), child(wait_for_the_stream, &access[1])};
    uint64_t seven = 7;
    cove_stream *writer;
    usleep(30000);
    expect(COVE_OK, cove_stream_open(&writer, "s", &(cove_stream_options){.capacity_bytes = 8}));
    expect(COVE_OK, cove_stream_write(writer, &seven, 8, 0, COVE_TRY));
    assert_int_equal(end_of(pid[0]), 0);
    assert_int_equal(end_of(pid[1]), 0);
    cove_stream_close(writer);
}

/* ---- Waking. */

static uint64_t total;

/* Sleeps whenever it has caught up, and now and then dawdles. */
static int sleep_at_random(void *context) {
    const habit *r = context;
    cove_stream *stream = open_here(r->follow, COVE_START_NEW, 0, r->access);
    uint64_t got = 0, sleeps = 0;
    scene->ready++;
    while (got != total) {
        cove_result result = cove_stream_read(stream, &got, 8, NULL, COVE_TRY);
        if (result == COVE_ERR_EMPTY) {
            sleeps++;
            result = cove_stream_wait(stream, COVE_FOREVER);
            if (random_number() % 64 == 0)
                usleep(random_number() % 30);
        }
        if (result < 0)
            return 1;
    }
    scene->read += sleeps;
    return covei_lab_late_wakes ? 9 : 0;
}

static void lose_no_wake(unsigned flags) {
    static habit readers[] = {{COVE_FOLLOW_LATEST, COVE_READ_WRITE, false, 0}, {COVE_FOLLOW_LOSSLESS, COVE_READ_WRITE, false, 0}};
    for (int i = 0; i < 2; i++) {
        cove_stream *writer;
        scene = shared_memory(sizeof *scene);
        total = test_is_slow ? 200000 : i ? 4000000 : 20000000;
        covei_lab_slice_ns = UINT64_C(3000000000);
        expect(COVE_OK, cove_stream_open(&writer, "s", &(cove_stream_options){.capacity_bytes = 8, .depth = 64, .flags = flags}));
        pid_t pid = child(sleep_at_random, &readers[i]);
        eventually(scene->ready);
        for (uint64_t n = 1; n <= total; n++)
            if (cove_stream_write(writer, &n, 8, 0, COVE_FOREVER) != COVE_OK)
                fail_msg("%s", cove_last_error()->sentence);
        assert_int_equal(end_of(pid), 0);
        assert_int_equal(covei_lab_late_wakes, 0);
        printf("    %lu values, %lu sleeps\n", (unsigned long)total, (unsigned long)scene->read);
        covei_lab_slice_ns = 0;
        cove_stream_close(writer);
    }
}

TEST(no_wake_up_is_lost_at_full_speed) {
    lose_no_wake(0);
}

TEST(no_wake_up_is_lost_by_an_only_writer) {
    lose_no_wake(COVE_STREAM_ONLY_WRITER);
}

/* ---- Many. */

static int count_up(void *context) {
    const habit *r = context;
    cove_stream *stream = open_here(r->follow, COVE_START_NEW, 0, r->access);
    uint64_t got = 0, last = 0;
    scene->ready++;
    while (got != total) {
        cove_value value;
        if (cove_stream_read(stream, &got, 8, &value, cove_in_ms(30000)) < 0)
            return 1;
        if (got <= last || (r->follow == COVE_FOLLOW_LOSSLESS && got != last + 1))
            return 2;
        last = got;
    }
    return 0;
}

TEST(sixty_four_readers_of_all_kinds_follow_one_writer) {
    static habit kinds[] = {{COVE_FOLLOW_ALL, COVE_READ_WRITE, false, 0},
                            {COVE_FOLLOW_LATEST, COVE_READ_ONLY, false, 0},
                            {COVE_FOLLOW_LOSSLESS, COVE_READ_WRITE, false, 0},
                            {COVE_FOLLOW_ALL, COVE_READ_ONLY, false, 0}};
    cove_stream *writer;
    pid_t pid[64];
    scene = shared_memory(sizeof *scene);
    total = test_is_slow ? 500 : 5000;
    expect(COVE_OK, cove_stream_open(&writer, "s", &(cove_stream_options){.capacity_bytes = 8, .depth = 64}));
    for (int i = 0; i < 64; i++)
        pid[i] = child(count_up, &kinds[i % 4]);
    eventually(scene->ready == 64);
    for (uint64_t n = 1; n <= total; n++)
        expect(COVE_OK, cove_stream_write(writer, &n, 8, 0, cove_in_ms(30000)));
    for (int i = 0; i < 64; i++)
        assert_int_equal(end_of(pid[i]), 0);
    cove_stream_close(writer);
}

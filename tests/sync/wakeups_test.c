/* No wait ends by its internal slice with its condition already true: that would be a lost wake-up, hidden by polling.
 *
 * The laboratory makes slices so long that nobody who changes a condition can be kept from waking for one, and counts every
 * wait that only its slice has ended. */
#include "tests/support.h"

#include "sync/event.h"

static int rounds;

static cove_block *open_here(const char *name) {
    cove_block *block;
    return cove_block_open(&block, name, &(cove_block_options){.how = COVE_OPEN}) == COVE_OK ? block : NULL;
}

static int late(void) {
    return covei_lab_late_wakes ? 9 : 0;
}

/* Each waits for the other's change, and answers: nobody is ever ahead. */
static int answer(void *context) {
    cove_block *ping = open_here("ping"), *pong = open_here("pong");
    (void)context;
    for (int i = 0; i < rounds; i++) {
        uint64_t version = (uint64_t)i;
        if (cove_block_wait(ping, version, COVE_FOREVER, &version) != COVE_OK ||
            cove_block_set(pong, &i, sizeof i, COVE_FOREVER) != COVE_OK)
            return 1;
        if (random_number() % 16 == 0)
            usleep(random_number() % 50);
    }
    return late();
}

TEST(no_wake_up_is_lost_between_two_processes_that_wait_for_each_other) {
    cove_block *ping, *pong;
    rounds = test_is_slow ? 2000 : 20000;
    covei_lab_slice_ns = UINT64_C(3000000000);
    expect(COVE_OK, cove_block_open(&ping, "ping", &(cove_block_options){.capacity_bytes = 8}));
    expect(COVE_OK, cove_block_open(&pong, "pong", &(cove_block_options){.capacity_bytes = 8}));
    pid_t pid = child(answer, NULL);
    for (int i = 0; i < rounds; i++) {
        expect(COVE_OK, cove_block_set(ping, &i, sizeof i, COVE_FOREVER));
        expect(COVE_OK, cove_block_wait(pong, (uint64_t)i, COVE_FOREVER, NULL));
        if (random_number() % 16 == 0)
            usleep(random_number() % 50);
    }
    assert_int_equal(end_of(pid), 0);
    assert_int_equal(covei_lab_late_wakes, 0);
    cove_block_close(ping);
    cove_block_close(pong);
    covei_lab_slice_ns = 0;
}

static int contend(void *context) {
    cove_block *block = open_here("b");
    (void)context;
    for (int i = 0; i < rounds; i++) {
        cove_block_view view;
        bool writes = random_number() % 3 == 0;
        if ((writes ? cove_block_lock_write(block, &view, COVE_FOREVER) : cove_block_lock_read(block, &view, COVE_FOREVER)) != COVE_OK)
            return 1;
        if (random_number() % 32 == 0)
            usleep(random_number() % 60);
        if (cove_block_unlock(block, &view) != COVE_OK)
            return 2;
    }
    return late();
}

TEST(no_wake_up_is_lost_at_the_gate_and_the_drain_of_a_contended_lock) {
    for (unsigned flags = 0; flags <= COVE_BLOCK_SINGLE; flags++) {
        cove_block *block;
        pid_t pid[4];
        rounds = test_is_slow ? 1000 : 10000;
        covei_lab_slice_ns = UINT64_C(3000000000);
        expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 8, .flags = flags}));
        for (int i = 0; i < 4; i++)
            pid[i] = child(contend, NULL);
        for (int i = 0; i < 4; i++)
            assert_int_equal(end_of(pid[i]), 0);
        cove_block_close(block);
        covei_lab_slice_ns = 0;
    }
}

/* Mostly inside: whoever reads must wait. */
static int edit_for_ever(void *context) {
    cove_block *block = open_here("b");
    (void)context;
    for (uint64_t i = 1;; i++) {
        cove_block_view view;
        if (cove_block_lock_write(block, &view, COVE_FOREVER) < 0)
            return 1;
        usleep(300);
        memcpy(view.data, &i, 8);
        view.length_bytes = 8;
        if (cove_block_unlock(block, &view) != COVE_OK)
            return 2;
        usleep(100);
    }
}

TEST(a_read_only_member_whom_writers_always_wake_sleeps_through_no_change) {
    for (unsigned flags = 0; flags <= COVE_BLOCK_SINGLE; flags++) {
        cove_block *block, *reader;
        uint64_t got;
        expect(COVE_OK,
               cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 8, .flags = flags, .wake_readers_always = true}));
        expect(COVE_OK, cove_block_open(&reader, "b", &(cove_block_options){.how = COVE_OPEN, .access = COVE_READ_ONLY}));
        pid_t pid = child(edit_for_ever, NULL);
        covei_lab_slice_ns = UINT64_C(20000000000);
        for (int i = 0; i < 200; i++) {
            cove_time_ns before = cove_now();
            expect(COVE_OK, cove_block_get(reader, &got, 8, NULL, NULL, cove_in_ms(60000)));
            assert_true(cove_now() - before < UINT64_C(10000000000)); /* half a slice */
            usleep(50);
        }
        covei_lab_slice_ns = 0;
        kill_child(pid);
        cove_block_close(reader);
        cove_block_close(block);
    }
}

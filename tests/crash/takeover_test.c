/* Who holds, waits or takes over is killed, or stopped. */
#include "tests/support.h"

#include <time.h>

/* From the moment at which the kernel has freed the dead one's locks. Instrumented builds are slower by an order of magnitude. */
static uint64_t limit_ms(void) {
    return test_is_slow ? 500 : 50;
}

static struct stage {
    _Atomic int step;
    _Atomic uint64_t taken_at;
    _Atomic int result;
    unsigned flags;
} * stage;

static cove_block *open_here(void) {
    cove_block *block;
    return cove_block_open(&block, "b", &(cove_block_options){.how = COVE_OPEN}) == COVE_OK ? block : NULL;
}

/* Locks, writes half a value, and holds until it is killed. */
static int hold_half_done(void *context) {
    cove_block *block = open_here();
    cove_block_view view;
    (void)context;
    cove_result result = cove_block_lock_write(block, &view, COVE_FOREVER);
    if (result < 0)
        return 1;
    memcpy(view.data, "half", 4);
    stage->result = result;
    stage->taken_at = cove_now();
    stage->step++;
    for (;;)
        pause();
}

static int wait_for_ever(void *context) {
    cove_block *block = open_here();
    cove_block_view view;
    (void)context;
    stage->step++;
    cove_result result = cove_block_lock_write(block, &view, COVE_FOREVER);
    return result == COVE_OK ? 1 : 2;
}

static bool note_life(void *context, const cove_attachment_info *info) {
    if (info->pid == *(uint32_t *)context)
        *(uint32_t *)context = info->is_alive ? info->pid : 0;
    return true;
}

/* Kills, and returns the moment at which the lock was seen free. */
static cove_time_ns kill_and_see_freed(pid_t pid) {
    uint32_t look;
    kill(pid, SIGKILL);
    do {
        look = (uint32_t)pid;
        expect(COVE_OK, cove_inspect_attachments(NULL, "b", note_life, &look));
    } while (look);
    cove_time_ns freed = cove_now();
    end_of(pid);
    return freed;
}

static cove_block *begin(unsigned flags) {
    cove_block *block;
    stage = shared_memory(sizeof *stage);
    stage->flags = flags;
    expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 64, .flags = flags}));
    expect(COVE_OK, cove_block_set(block, "whole", 5, COVE_TRY));
    return block;
}

static void expect_after_death(cove_block *block) {
    char data[64];
    uint64_t length;
    cove_block_view view;
    if (stage->flags & COVE_BLOCK_SINGLE) {
        expect(COVE_ERR_UNREPAIRED, cove_block_get(block, data, sizeof data, &length, NULL, COVE_TRY));
        expect(COVE_OWNER_DIED, cove_block_lock_read(block, &view, COVE_TRY));
        expect(COVE_OK, cove_block_unlock(block, &view));
        expect(COVE_OWNER_DIED, cove_block_lock_write(block, &view, COVE_TRY)); /* and unlocked without repair: still so */
        expect(COVE_OK, cove_block_unlock(block, &view));
        expect(COVE_ERR_UNREPAIRED, cove_block_get(block, data, sizeof data, &length, NULL, COVE_TRY));
        expect(COVE_OWNER_DIED, cove_block_lock_write(block, &view, COVE_TRY));
        memcpy(view.data, "mended", 6);
        view.length_bytes = 6;
        expect(COVE_OK, cove_block_mark_repaired(block, &view));
        expect(COVE_OK, cove_block_unlock(block, &view));
        expect(COVE_OK, cove_block_get(block, data, sizeof data, &length, NULL, COVE_TRY));
        assert_memory_equal(data, "mended", 6);
        expect(COVE_OK, cove_block_lock_read(block, &view, COVE_TRY));
        expect(COVE_OK, cove_block_unlock(block, &view));
    } else {
        expect(COVE_OK, cove_block_get(block, data, sizeof data, &length, NULL, COVE_TRY));
        assert_int_equal(length, 5);
        assert_memory_equal(data, "whole", 5);
    }
}

static void holder_dies(unsigned flags) {
    for (int round = 0; round < 20; round++) {
        cove_block *block = begin(flags);
        cove_block_view view;
        pid_t pid = child(hold_half_done, NULL);
        eventually(stage->step == 1);
        expect(COVE_ERR_TIMEOUT, cove_block_lock_write(block, &view, COVE_TRY));
        cove_time_ns freed = kill_and_see_freed(pid);
        expect(flags ? COVE_OWNER_DIED : COVE_OK, cove_block_lock_write(block, &view, freed + limit_ms() * 1000000));
        expect(COVE_OK, cove_block_unlock(block, &view));
        if (flags)
            expect_after_death(block);
        cove_block_close(block);
    }
}

TEST(the_next_writer_proceeds_when_a_holder_of_a_two_copy_block_is_killed) {
    holder_dies(0);
}

TEST(the_next_writer_of_a_single_copy_block_is_told_that_the_owner_died_until_it_is_repaired) {
    holder_dies(COVE_BLOCK_SINGLE);
}

/* A sleeping waiter takes over by itself. */
static void waiter_takes_over(unsigned flags) {
    for (int round = 0; round < 20; round++) {
        cove_block *block = begin(flags);
        pid_t holder = child(hold_half_done, NULL);
        eventually(stage->step == 1);
        pid_t doomed = child(wait_for_ever, NULL); /* a waiter that is killed */
        eventually(stage->step == 2);
        pid_t waiter = child(hold_half_done, NULL);
        usleep(20000);
        kill_child(doomed);
        cove_time_ns freed = kill_and_see_freed(holder);
        eventually(stage->step == 3);
        if (stage->taken_at > freed + limit_ms() * 1000000)
            fail_msg("taken over after %.1f ms", (double)(stage->taken_at - freed) / 1e6);
        assert_int_equal(stage->result, flags ? COVE_OWNER_DIED : COVE_OK);
        /* The one that has taken over is killed too. */
        freed = kill_and_see_freed(waiter);
        cove_block_view view;
        expect(flags ? COVE_OWNER_DIED : COVE_OK, cove_block_lock_write(block, &view, freed + limit_ms() * 1000000));
        expect(flags ? COVE_ERR_UNSUPPORTED : COVE_OK, cove_block_abandon(block, &view));
        if (flags)
            expect(COVE_OK, cove_block_unlock(block, &view));
        expect_after_death(block);
        cove_block_close(block);
    }
}

TEST(a_sleeping_waiter_takes_over_and_another_when_that_one_is_killed_too) {
    waiter_takes_over(0);
}

TEST(a_sleeping_waiter_of_a_single_copy_takes_over_and_another_when_that_one_is_killed_too) {
    waiter_takes_over(COVE_BLOCK_SINGLE);
}

static int hold_read(void *context) {
    cove_block *block = open_here();
    cove_block_view view;
    (void)context;
    if (cove_block_lock_read(block, &view, COVE_FOREVER) != COVE_OK)
        return 1;
    stage->step++;
    for (;;)
        pause();
}

TEST(a_reader_that_is_killed_while_it_holds_keeps_no_writer_out) {
    for (unsigned flags = 0; flags <= COVE_BLOCK_SINGLE; flags++) {
        cove_block *block = begin(flags);
        cove_object_info info;
        pid_t pid = child(hold_read, NULL);
        eventually(stage->step == 1);
        if (flags)
            expect(COVE_ERR_TIMEOUT, cove_block_set(block, "x", 1, cove_in_ms(20)));
        cove_time_ns freed = kill_and_see_freed(pid);
        for (int i = 0; i < 3; i++)
            expect(COVE_OK, cove_block_set(block, "x", 1, freed + limit_ms() * 1000000));
        expect(COVE_OK, cove_inspect_object(NULL, "b", &info));
        assert_int_equal(info.dead_count, 0); /* the writer has cleared the dead one's slot */
        cove_block_close(block);
    }
}

TEST(a_holder_that_is_stopped_is_never_taken_for_dead) {
    for (unsigned flags = 0; flags <= COVE_BLOCK_SINGLE; flags++) {
        cove_block *block = begin(flags);
        cove_block_view view;
        pid_t pid = child(hold_half_done, NULL);
        eventually(stage->step == 1);
        kill(pid, SIGSTOP);
        expect(COVE_ERR_TIMEOUT, cove_block_lock_write(block, &view, cove_in_ms(500)));
        expect(COVE_ERR_TIMEOUT, cove_block_set(block, "x", 1, cove_in_ms(100)));
        kill(pid, SIGCONT);
        expect(COVE_ERR_TIMEOUT, cove_block_lock_write(block, &view, cove_in_ms(50)));
        kill_child(pid);
        cove_block_close(block);
    }
}

static int starve_and_be_stopped(void *context) {
    cove_block *block = open_here();
    cove_block_view view;
    (void)context;
    stage->step++;
    return cove_block_lock_write(block, &view, COVE_FOREVER) != COVE_OK;
}

TEST(a_free_lock_is_had_at_once_though_somebody_who_starves_for_it_is_stopped) {
    cove_block *block = begin(COVE_BLOCK_SINGLE);
    cove_block_view view;
    expect(COVE_OK, cove_block_lock_write(block, &view, COVE_TRY));
    pid_t pid = child(starve_and_be_stopped, NULL);
    eventually(stage->step == 1);
    usleep(30000); /* it has asked for the turn by now */
    kill(pid, SIGSTOP);
    usleep(1000);
    expect(COVE_OK, cove_block_unlock(block, &view));
    for (int i = 0; i < 20; i++) {
        expect(COVE_OK, cove_block_set(block, "x", 1, COVE_TRY));
        expect(COVE_OK, cove_block_set(block, "x", 1, cove_in_ms(5)));
    }
    kill_child(pid);
    cove_block_close(block);
}

/* ---- Neither side starves. */

static int hot_writer(void *context) {
    cove_block *block = open_here();
    (void)context;
    while (!stage->step) {
        cove_block_view view;
        if (cove_block_lock_write(block, &view, COVE_FOREVER) != COVE_OK)
            return 1;
        for (cove_time_ns end = cove_now() + 20000; cove_now() < end;)
            ;
        if (cove_block_unlock(block, &view) != COVE_OK)
            return 2;
    }
    return 0;
}

static void polite_member_gets_in(bool writes) {
    cove_block *block = begin(COVE_BLOCK_SINGLE);
    pid_t hot[2] = {child(hot_writer, NULL), child(hot_writer, NULL)};
    uint64_t longest = 0;
    for (int i = 0; i < 50; i++) {
        cove_block_view view;
        cove_time_ns before = cove_now();
        expect(COVE_OK,
               writes ? cove_block_lock_write(block, &view, cove_in_ms(20000)) : cove_block_lock_read(block, &view, cove_in_ms(20000)));
        expect(COVE_OK, cove_block_unlock(block, &view));
        longest = cove_now() - before > longest ? cove_now() - before : longest;
        usleep(1000);
    }
    stage->step = 1;
    assert_int_equal(end_of(hot[0]), 0);
    assert_int_equal(end_of(hot[1]), 0);
    printf("    longest wait of the polite %s: %.1f ms\n", writes ? "writer" : "reader", (double)longest / 1e6);
    cove_block_close(block);
}

TEST(a_polite_writer_gets_in_between_two_hot_writers) {
    polite_member_gets_in(true);
}

TEST(a_polite_reader_gets_in_between_two_hot_writers) {
    polite_member_gets_in(false);
}

static int hot_reader(void *context) {
    cove_block *block = open_here();
    (void)context;
    while (!stage->step) {
        cove_block_view view;
        if (cove_block_lock_read(block, &view, COVE_FOREVER) != COVE_OK)
            return 1;
        for (cove_time_ns end = cove_now() + 20000; cove_now() < end;)
            ;
        if (cove_block_unlock(block, &view) != COVE_OK)
            return 2;
    }
    return 0;
}

TEST(a_writer_gets_in_between_hot_readers) {
    cove_block *block = begin(COVE_BLOCK_SINGLE);
    pid_t hot[3] = {child(hot_reader, NULL), child(hot_reader, NULL), child(hot_reader, NULL)};
    for (int i = 0; i < 50; i++) {
        expect(COVE_OK, cove_block_set(block, "x", 1, cove_in_ms(20000)));
        usleep(1000);
    }
    stage->step = 1;
    for (int i = 0; i < 3; i++)
        assert_int_equal(end_of(hot[i]), 0);
    cove_block_close(block);
}

/* One name, many processes that come, go and are killed: never two objects, never half an object, never anything left. */
#include "tests/support.h"

#include "block/block.h"
#include "segment/segment_layout.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <time.h>

#define WORKERS 8

static struct arena {
    struct {
        _Atomic uint64_t id, stamp;
        _Atomic uint32_t is_killed;
        char pad[40];
    } holder[WORKERS];
    _Atomic uint32_t stop;
    _Atomic uint64_t opened, created, read_only, two_objects, lost_name, half_made, busy;
} * arena;
static int me;

static uint64_t id_of(const cove_block *block) {
    uint64_t id;
    memcpy(&id, block->member.id, sizeof id);
    return id ? id : 1;
}

/* In every other phase of a tenth of a second the name is mostly unused, so that objects end and begin all the time. */
static void linger(bool holds) {
    bool is_quiet = cove_now() / 100000000 % 2;
    uint64_t r = random_number();
    if (r % 4)
        usleep((r >> 8) % (is_quiet == holds ? 50 : is_quiet ? 3000 : 300));
}

/* Whoever held an object during my whole open holds the one I got, or has been killed. */
static void open_and_drop(void) {
    uint64_t id[WORKERS], stamp[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        stamp[i] = arena->holder[i].stamp;
        id[i] = arena->holder[i].id;
    }
    cove_block *block;
    cove_opened opened;
    bool read_only = random_number() % 5 == 0;
    cove_result result = cove_block_open(
        &block, "name",
        &(cove_block_options){.capacity_bytes = 64, .access = read_only ? COVE_READ_ONLY : COVE_READ_WRITE, .opened = &opened});
    if (result == COVE_ERR_NOT_FOUND && read_only)
        return;
    if (result != COVE_OK) {
        fprintf(stderr, "open: %s: %s\n", cove_result_name(result), cove_last_error()->sentence);
        result == COVE_ERR_BUSY ? arena->busy++ : arena->half_made++;
        return;
    }
    arena->opened++;
    arena->created += opened.created;
    arena->read_only += read_only;
    uint64_t mine = id_of(block);
    for (int i = 0; i < WORKERS; i++)
        if (i != me && id[i] && id[i] != mine && arena->holder[i].stamp == stamp[i] && !arena->holder[i].is_killed)
            arena->two_objects++;
    arena->holder[me].id = mine;
    arena->holder[me].stamp++;
    linger(true);
    cove_object_info info;
    if (cove_inspect_object(NULL, "name", &info) != COVE_OK || memcmp(info.id, block->member.id, 16))
        arena->lost_name++;
    arena->holder[me].id = 0;
    arena->holder[me].stamp++;
    cove_block_close(block);
}

static int worker(void *context) {
    me = *(int *)context;
    while (!arena->stop) {
        open_and_drop();
        linger(false);
    }
    return 0;
}

static pid_t start(int index) {
    arena->holder[index].id = 0;
    arena->holder[index].stamp++;
    arena->holder[index].is_killed = 0;
    return child(worker, &index);
}

TEST(ten_thousand_rounds_of_opening_and_dying_never_show_two_objects_or_half_of_one) {
    const int rounds = test_is_slow ? 1000 : 10000;
    pid_t pid[WORKERS];
    int kills = 0;
    arena = shared_memory(sizeof *arena);
    for (int i = 0; i < WORKERS; i++)
        pid[i] = start(i);
    for (int round = 0; round < rounds; round++) {
        uint64_t r = random_number();
        int i = (int)(r % WORKERS);
        usleep((r >> 8) % 500);
        if (r & 1 << 20) {
            arena->holder[i].is_killed = 1;
            kill_child(pid[i]);
            kills++;
            pid[i] = start(i);
        }
    }
    for (int i = 0; i < WORKERS; i++) {
        arena->holder[i].is_killed = 1;
        kill_child(pid[i]);
    }
    printf("    %d rounds, %d kills, %lu opened, of them %lu created, %lu read-only\n", rounds, kills + WORKERS,
           (unsigned long)arena->opened, (unsigned long)arena->created, (unsigned long)arena->read_only);
    assert_int_equal(arena->two_objects, 0);
    assert_int_equal(arena->lost_name, 0);
    assert_int_equal(arena->half_made, 0);
    assert_int_equal(arena->busy, 0);
    assert_true(arena->opened > (uint64_t)rounds / 10 && arena->created > (uint64_t)rounds / 50);
    /* One more call, and nothing is left. */
    cove_block *block;
    expect(COVE_OK, cove_block_open(&block, "name", &(cove_block_options){.capacity_bytes = 64}));
    cove_block_close(block);
    assert_int_equal(count_files(test_domain), 0);
}

static int make_and_die(void *context) {
    char name[32];
    cove_block *block;
    (void)context;
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "left-%d-%d", getpid(), i);
        if (cove_block_open(&block, name, &(cove_block_options){.capacity_bytes = 1 << 16}) != COVE_OK)
            return 1;
    }
    kill(getpid(), SIGKILL);
    return 2;
}

TEST(what_the_dead_have_left_is_swept_by_those_who_create) {
    for (int i = 0; i < 10; i++)
        assert_int_equal(end_of(child(make_and_die, NULL)), -SIGKILL);
    int before = count_files(test_domain);
    assert_true(before > 0 && before <= 80); /* the later ones swept after the earlier ones already */
    for (int i = 0; i < 400 && count_files(test_domain); i++) {
        cove_block *block;
        expect(COVE_OK, cove_block_open(&block, "new", &(cove_block_options){.capacity_bytes = 8}));
        cove_block_close(block);
        usleep(10000); /* at most every 100 ms for each process and domain */
    }
    assert_int_equal(count_files(test_domain), 0);
}

TEST(what_the_dead_have_left_is_swept_also_from_under_many_living) {
    cove_block *living[60], *block;
    for (int i = 0; i < 3; i++)
        assert_int_equal(end_of(child(make_and_die, NULL)), -SIGKILL);
    for (int i = 0; i < 60; i++) {
        char name[16];
        snprintf(name, sizeof name, "living%d", i);
        expect(COVE_OK, cove_block_open(&living[i], name, &(cove_block_options){.capacity_bytes = 8}));
    }
    for (int i = 0; i < 400 && count_files(test_domain) > 60; i++) {
        expect(COVE_OK, cove_block_open(&block, "new", &(cove_block_options){.capacity_bytes = 8}));
        cove_block_close(block);
        usleep(20000);
    }
    assert_int_equal(count_files(test_domain), 60);
    for (int i = 0; i < 60; i++)
        cove_block_close(living[i]);
}

TEST(gc_removes_the_dead_and_nothing_else) {
    cove_block *living, *staying, *owned;
    cove_gc_report report;
    expect(COVE_OK, cove_block_open(&living, "living", &(cove_block_options){.capacity_bytes = 8}));
    expect(COVE_OK, cove_block_open(&owned, "owned", &(cove_block_options){.capacity_bytes = 8, .lifetime = COVE_WHILE_OWNED}));
    expect(COVE_OK, cove_block_open(&staying, "staying", &(cove_block_options){.capacity_bytes = 8, .lifetime = COVE_UNTIL_REMOVED}));
    cove_block_close(staying);
    assert_int_equal(end_of(child(make_and_die, NULL)), -SIGKILL);
    int status;
    run(&status, "echo mine > %s/foreign", test_domain);
    expect(COVE_OK, cove_gc(NULL, COVE_GC_DRY_RUN, NULL, NULL, &report));
    assert_int_equal(report.removed_count, 8);
    assert_int_equal(count_files(test_domain), 12);
    expect(COVE_OK, cove_gc(NULL, 0, NULL, NULL, &report));
    assert_int_equal(report.removed_count, 8);
    assert_true(report.removed_bytes >= 8 << 16);
    assert_int_equal(count_files(test_domain), 4);
    cove_block_close(living);
    cove_block_close(owned);
    expect(COVE_OK, cove_remove(NULL, "staying", 0));
    run(&status, "rm %s/foreign", test_domain);
}

/* As who buries does, all the time. round: which one it is, and which one this is in. */
static int take_and_let_go(void *context) {
    _Atomic int *round = context;
    char path[256];
    for (int seen = -1; *round >= 0;) {
        struct flock d = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)COVEI_BYTE_DEADMAN, .l_len = 1};
        if (seen == *round) {
            sched_yield();
            continue;
        }
        seen = *round;
        snprintf(path, sizeof path, "%s/nobody-s", test_domain);
        int fd = open(path, O_RDWR);
        round[1] = seen;
        while (fd >= 0 && seen == *round) {
            d.l_type = d.l_type == F_WRLCK ? F_UNLCK : F_WRLCK;
            if (fcntl(fd, F_OFD_SETLK, &d) && d.l_type == F_UNLCK)
                return 1;
        }
        close(fd);
    }
    return 0;
}

TEST(what_nobody_is_attached_to_is_not_in_use_while_others_look_after_it) {
    _Atomic int *round = shared_memory(2 * sizeof *round);
    pid_t pid = child(take_and_let_go, round);
    for (int i = 1; i <= 2000; i++) {
        cove_block *block;
        expect(COVE_OK, cove_block_open(&block, "nobody-s", &(cove_block_options){.capacity_bytes = 8, .lifetime = COVE_UNTIL_REMOVED}));
        cove_block_close(block);
        *round = i;
        while (round[1] != i)
            sched_yield();
        expect(COVE_OK, cove_remove(NULL, "nobody-s", 0));
    }
    *round = -1;
    assert_int_equal(end_of(pid), 0);
}

/* ---- An owner that is killed. */

static int own_and_die(void *context) {
    cove_block *block;
    _Atomic int *step = context;
    if (cove_block_open(&block, "owned", &(cove_block_options){.capacity_bytes = 64, .lifetime = COVE_WHILE_OWNED}) != COVE_OK ||
        cove_block_set(block, "legacy", 6, COVE_FOREVER) != COVE_OK)
        return 1;
    *step = 1;
    while (*step == 1)
        usleep(100);
    kill(getpid(), SIGKILL);
    return 2;
}

TEST(a_killed_owner_s_block_is_adopted_by_the_next_writer_while_others_use_it) {
    _Atomic int *step = shared_memory(sizeof *step);
    cove_block *peer, *next;
    cove_opened opened;
    char data[64];
    uint64_t length;
    pid_t pid = child(own_and_die, (void *)step);
    eventually(*step == 1);
    expect(COVE_OK, cove_block_open(&peer, "owned", &(cove_block_options){.opened = &opened}));
    assert_false(opened.owner);
    *step = 2;
    assert_int_equal(end_of(pid), -SIGKILL);
    expect(COVE_OK, cove_block_get(peer, data, sizeof data, &length, NULL, COVE_TRY)); /* undisturbed */
    expect(COVE_OK, cove_block_open(&next, "owned", &(cove_block_options){.opened = &opened}));
    assert_true(opened.owner && !opened.created);
    expect(COVE_OK, cove_block_get(next, data, sizeof data, &length, NULL, COVE_TRY));
    assert_memory_equal(data, "legacy", 6);
    cove_block_close(next);
    assert_int_equal(count_files(test_domain), 0);
    assert_true(cove_block_is_removed(peer));
    cove_block_close(peer);
}

TEST(a_killed_owner_s_block_that_nobody_uses_is_gone_for_the_next) {
    _Atomic int *step = shared_memory(sizeof *step);
    cove_block *next;
    cove_opened opened;
    pid_t pid = child(own_and_die, (void *)step);
    eventually(*step == 1);
    *step = 2;
    assert_int_equal(end_of(pid), -SIGKILL);
    assert_int_equal(count_files(test_domain), 1);
    expect(COVE_ERR_NOT_FOUND, cove_block_open(&next, "owned", &(cove_block_options){.how = COVE_OPEN}));
    assert_int_equal(count_files(test_domain), 0);
    expect(COVE_OK, cove_block_open(&next, "owned", &(cove_block_options){.capacity_bytes = 128, .opened = &opened}));
    assert_true(opened.created);
    cove_block_close(next);
}

/* Somebody who has the object to himself for a moment, and may not remove it: another user in a sticky directory. */
static int look_at_its_lock(void *context) {
    covei_dir dir;
    (void)context;
    if (covei_dir_open(test_domain, &dir) != COVE_OK)
        return 4;
    for (;;) {
        covei_file file;
        if (covei_file_open(dir, "name", COVE_READ_WRITE, &file) != COVE_OK)
            continue;
        bool has_it = covei_lock_try(file, COVEI_BYTE_DEADMAN, COVEI_LOCK_EXCLUSIVE) == COVE_OK;
        if (has_it)
            usleep(100);
        covei_file_close(file);
        if (has_it)
            usleep(500);
    }
}

TEST(the_last_one_out_removes_the_name_though_others_look_at_its_lock) {
    char path[512];
    snprintf(path, sizeof path, "%s/name", test_domain);
    pid_t pid = child(look_at_its_lock, NULL);
    int left = 0;
    for (int round = 0; round < 2000; round++) {
        cove_block *block;
        expect(COVE_OK, cove_block_open(&block, "name", &(cove_block_options){.capacity_bytes = 64}));
        cove_block_close(block);
        left += access(path, F_OK) == 0;
    }
    kill_child(pid);
    assert_int_equal(left, 0);
}

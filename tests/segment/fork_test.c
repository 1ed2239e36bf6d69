/* What fork, exec, posix_spawn and closing every descriptor do to attachments. */
#include "tests/support.h"

#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern char **environ;

static int members(const char *name) {
    cove_object_info info;
    return cove_inspect_object(NULL, name, &info) == COVE_OK ? (int)info.live_count : -1;
}

/* closefrom and the like; older C libraries have no wrapper. */
static void close_all_from(int first) {
    if (syscall(SYS_close_range, first, ~0u, 0) != 0)
        for (int fd = first; fd < 1024; fd++)
            close(fd);
}

static cove_block *block;
static _Atomic int *step;

static int use_inherited_handle(void *context) {
    char data[8];
    uint64_t length;
    (void)context;
    if (cove_block_get(block, data, sizeof data, &length, NULL, COVE_TRY) != COVE_OK || length != 3 || memcmp(data, "abc", 3))
        return 1;
    if (members("b") != 2)
        return 2;
    if (cove_block_set(block, "xyz", 3, COVE_TRY) != COVE_OK)
        return 3;
    cove_block_close(block);
    return members("b") == 1 ? 0 : 4;
}

TEST(a_handle_attaches_again_by_itself_in_a_child_with_an_identity_of_its_own) {
    char data[8];
    expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 8}));
    expect(COVE_OK, cove_block_set(block, "abc", 3, COVE_TRY));
    assert_int_equal(end_of(child(use_inherited_handle, NULL)), 0);
    expect(COVE_OK, cove_block_get(block, data, sizeof data, NULL, NULL, COVE_TRY));
    assert_memory_equal(data, "xyz", 3);
    assert_int_equal(members("b"), 1);
    cove_block_close(block);
}

static int close_unused_handle(void *context) {
    (void)context;
    cove_block_close(block);
    return 0;
}

TEST(a_child_that_only_closes_or_exits_takes_nothing_from_its_parent) {
    expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 8, .lifetime = COVE_WHILE_OWNED}));
    assert_int_equal(end_of(child(close_unused_handle, NULL)), 0);
    assert_int_equal(members("b"), 1);
    expect(COVE_OK, cove_block_set(block, "abc", 3, COVE_TRY));
    cove_block_close(block);
    assert_int_equal(count_files(test_domain), 0);
}

static cove_block_view view;

static int end_the_parent_s_view(void *context) {
    cove_block_view other;
    (void)context;
    if (cove_block_unlock(block, &view) != COVE_ERR_FORKED || cove_block_abandon(block, &view) != COVE_ERR_FORKED ||
        cove_block_mark_repaired(block, &view) != COVE_ERR_FORKED)
        return 1;
    /* The parent's lock keeps the child out like anybody else. */
    return cove_block_lock_write(block, &other, cove_in_ms(20)) == COVE_ERR_TIMEOUT ? 0 : 2;
}

TEST(a_view_taken_before_the_fork_is_the_parent_s) {
    for (unsigned single = 0; single < 2; single++) {
        expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 8, .flags = single ? COVE_BLOCK_SINGLE : 0}));
        expect(COVE_OK, cove_block_lock_write(block, &view, COVE_TRY));
        assert_int_equal(end_of(child(end_the_parent_s_view, NULL)), 0);
        expect(COVE_OK, cove_block_unlock(block, &view));
        cove_block_close(block);
    }
}

static int outlive_the_parent(void *context) {
    (void)context;
    expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 8}));
    expect(COVE_OK, cove_block_lock_write(block, &view, COVE_TRY));
    pid_t pid = fork();
    if (!pid) {
        *step = 1;
        while (*step == 1)
            usleep(100);
        cove_result result = cove_block_set(block, "x", 1, COVE_TRY);
        *step = result == COVE_ERR_FORKED ? 3 : 4;
        _exit(0);
    }
    while (*step != 1)
        usleep(100);
    kill(getpid(), SIGKILL);
    return 1;
}

TEST(a_child_that_lives_on_does_not_keep_its_dead_parent_s_locks) {
    step = shared_memory(sizeof *step);
    pid_t pid = child(outlive_the_parent, NULL);
    assert_int_equal(end_of(pid), -SIGKILL);
    cove_object_info info;
    expect(COVE_OK, cove_inspect_object(NULL, "b", &info));
    assert_int_equal(info.state, COVE_ERR_NOT_FOUND); /* dead, though the child lives */
    *step = 2;
    eventually(*step >= 3);
    assert_int_equal(*step, 3);
}

static int remove_by_name(void *context) {
    (void)context;
    usleep(1000);
    return cove_block_set(block, "x", 1, COVE_TRY) == COVE_ERR_FORKED ? 0 : 1;
}

TEST(a_handle_of_an_object_that_was_replaced_before_the_child_used_it_says_forked) {
    expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 8}));
    expect(COVE_OK, cove_block_remove(block));
    assert_int_equal(end_of(child(remove_by_name, NULL)), 0);
    cove_block_close(block);
}

static int use_what_was_retired(void *context) {
    (void)context;
    while (!*step)
        usleep(100);
    cove_result result = cove_block_set(block, "x", 1, COVE_TRY);
    return result != COVE_ERR_FORKED ? 1 : strstr(cove_last_error()->sentence, "was removed") ? 0 : 2;
}

TEST(a_child_whose_living_parent_retired_the_object_is_told_that_it_was_removed) {
    step = shared_memory(sizeof *step);
    expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 8, .lifetime = COVE_WHILE_OWNED}));
    pid_t pid = child(use_what_was_retired, NULL);
    expect(COVE_OK, cove_block_retire(block));
    *step = 1;
    assert_int_equal(end_of(pid), 0);
    cove_block_close(block);
}

TEST(closing_every_descriptor_under_a_lock_frees_nothing_and_breaks_nothing) {
    for (unsigned single = 0; single < 2; single++) {
        char data[8];
        int status;
        pid_t pid = fork();
        if (!pid) {
            cove_block *other, *mine;
            cove_block_view held, tried;
            if (cove_block_open(&mine, "b", &(cove_block_options){.capacity_bytes = 8, .flags = single ? COVE_BLOCK_SINGLE : 0}) !=
                    COVE_OK ||
                cove_block_lock_write(mine, &held, COVE_TRY) != COVE_OK)
                _exit(1);
            close_all_from(3);
            for (int fd = 0; fd < 8; fd++) /* and their numbers lead elsewhere now */
                if (open("/dev/null", O_RDWR) < 0)
                    _exit(2);
            if (members("b") != 1 || cove_block_open(&other, "b", NULL) != COVE_OK)
                _exit(3);
            if (cove_block_lock_write(other, &tried, cove_in_ms(20)) != COVE_ERR_TIMEOUT)
                _exit(4);
            memcpy(held.data, "abc", 3);
            held.length_bytes = 3;
            if (cove_block_unlock(mine, &held) != COVE_OK || cove_block_set(other, "xyz", 3, COVE_TRY) != COVE_OK ||
                cove_block_get(mine, data, sizeof data, NULL, NULL, COVE_TRY) != COVE_OK || memcmp(data, "xyz", 3))
                _exit(5);
            cove_block_close(mine);
            cove_block_close(other);
            _exit(count_files(test_domain));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
}

TEST(a_program_started_by_posix_spawn_or_exec_inherits_nothing) {
    char *arguments[] = {"sleep", "1000", NULL};
    pid_t pid;
    expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 8}));
    expect(COVE_OK, cove_block_lock_write(block, &view, COVE_TRY));
    assert_int_equal(posix_spawnp(&pid, "sleep", NULL, NULL, arguments, environ), 0);
    int status;
    run(&status, "ls -l /proc/%d/fd /proc/%d/maps | grep -c %s", pid, pid, test_domain);
    assert_int_equal(status, 1);
    expect(COVE_OK, cove_block_unlock(block, &view));
    cove_block_close(block);
    assert_int_equal(count_files(test_domain), 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static int lock_and_exec(void *context) {
    (void)context;
    expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.how = COVE_OPEN}));
    if (cove_block_lock_write(block, &view, COVE_TRY) != COVE_OK)
        return 1;
    execlp("sleep", "sleep", "1000", (char *)NULL);
    return 2;
}

TEST(exec_ends_an_attachment_like_a_death) {
    cove_block *mine;
    expect(COVE_OK, cove_block_open(&mine, "b", &(cove_block_options){.capacity_bytes = 8, .flags = COVE_BLOCK_SINGLE}));
    pid_t pid = child(lock_and_exec, NULL);
    eventually(cove_block_lock_write(mine, &view, COVE_TRY) == COVE_OWNER_DIED || (cove_block_unlock(mine, &view), false));
    expect(COVE_OK, cove_block_unlock(mine, &view));
    kill_child(pid);
    cove_block_close(mine);
}

static int use_disowned(void *context) {
    (void)context;
    while (!*step)
        usleep(100);
    return cove_block_set(block, "x", 1, COVE_TRY) != COVE_OK;
}

static int disown_and_leave(void *context) {
    (void)context;
    if (cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 8, .lifetime = COVE_WHILE_OWNED}) != COVE_OK ||
        cove_block_disown(block) != COVE_OK)
        return 1;
    pid_t pid = fork();
    if (!pid) {
        *step = use_disowned(NULL) ? 3 : 2;
        _exit(0);
    }
    return 0;
}

TEST(a_disowned_object_is_there_for_a_child_whose_parent_has_ended) {
    step = shared_memory(sizeof *step);
    assert_int_equal(end_of(child(disown_and_leave, NULL)), 0);
    *step = 1;
    eventually(*step >= 2);
    assert_int_equal(*step, 2);
    eventually(cove_remove(NULL, "b", 0) == COVE_OK); /* when the child has ended */
}

static void fork_here(void *context, const char *name, uint64_t bytes, cove_result outcome) {
    (void)name, (void)bytes, (void)outcome;
    pid_t pid = fork();
    if (!pid)
        _exit(0);
    waitpid(pid, NULL, 0);
    ++*(int *)context;
}

static bool fork_there(void *context, const cove_object_info *info) {
    fork_here(context, info->name, 0, COVE_OK);
    return true;
}

static int leave_some(void *context) {
    (void)context;
    for (char name[] = "a"; *name < 'f'; ++*name) {
        cove_block *b;
        if (cove_block_open(&b, name, &(cove_block_options){.capacity_bytes = 8}) != COVE_OK)
            return 1;
    }
    kill(getpid(), SIGKILL);
    return 2;
}

static void *list_and_fork(void *context) {
    int *forks = context;
    for (int i = 0; i < 20; i++)
        if (cove_inspect_list(NULL, fork_there, forks) != COVE_OK)
            return (void *)1;
    return NULL;
}

TEST(functions_that_are_called_back_may_fork) {
    pthread_t threads[2];
    int forks[3] = {0};
    assert_int_equal(end_of(child(leave_some, NULL)), -SIGKILL);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, list_and_fork, &forks[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(forks[0], 100);
    expect(COVE_OK, cove_gc(NULL, 0, fork_here, &forks[2], NULL));
    assert_int_equal(forks[2], 5);
}

/* ---- Forking in one thread while another opens and closes. */

static _Atomic int stop;

static void *open_and_close(void *context) {
    (void)context;
    while (!stop) {
        cove_block *b;
        if (cove_block_open(&b, "hot", &(cove_block_options){.capacity_bytes = 8}) != COVE_OK)
            return (void *)1;
        cove_block_close(b);
    }
    return NULL;
}

TEST(a_fork_while_another_thread_opens_and_closes_leaves_no_token_in_the_child) {
    pthread_t threads[2];
    pid_t waiting[200];
    int forks = test_is_slow ? 50 : 200;
    stop = 0;
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, open_and_close, NULL);
    for (int i = 0; i < forks; i++) {
        waiting[i] = fork();
        if (!waiting[i]) {
            pause(); /* a child that holds whatever it has inherited */
            _exit(0);
        }
        usleep(random_number() % 1000);
    }
    stop = 1;
    for (int i = 0; i < 2; i++) {
        void *bad;
        pthread_join(threads[i], &bad);
        assert_null(bad);
    }
    assert_int_equal(count_files(test_domain), 0); /* every last close found that it was the last */
    for (int i = 0; i < forks; i++) {
        kill(waiting[i], SIGKILL);
        waitpid(waiting[i], NULL, 0);
    }
}

TEST(children_of_a_process_with_busy_threads_can_use_the_handles) {
    pthread_t threads[2];
    stop = 0;
    expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 8}));
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, open_and_close, NULL);
    for (int i = 0; i < (test_is_slow ? 20 : 100); i++) {
        int status;
        pid_t pid = fork();
        if (!pid) {
            alarm(30);
            cove_result result = cove_block_set(block, "x", 1, cove_in_ms(20000));
            cove_block_close(block);
            _exit(result != COVE_OK);
        }
        waitpid(pid, &status, 0);
        assert_int_equal(status, 0);
    }
    stop = 1;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    cove_block_close(block);
}

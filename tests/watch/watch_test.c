/* Being told of changes by descriptors and by callbacks, of blocks and streams. */
#include "tests/support.h"

#include "stream/stream.h"
#include "sync/watch.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static cove_stream *open_stream(cove_access access, unsigned flags) {
    cove_stream *stream;
    expect(COVE_OK, cove_stream_open(&stream, "s", &(cove_stream_options){.access = access, .flags = flags, .depth = 64}));
    return stream;
}

static bool is_readable(int fd, int ms) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, ms) == 1;
}

/* Until it finds nothing: how many. */
static int read_all(cove_stream *stream) {
    uint64_t got;
    int count = 0;
    cove_result result;
    while ((result = cove_stream_read(stream, &got, 8, NULL, COVE_TRY)) >= 0)
        count++;
    assert_int_equal(result, COVE_ERR_EMPTY);
    return count;
}

static void write_one(cove_stream *stream) {
    uint64_t value = 1;
    expect(COVE_OK, cove_stream_write(stream, &value, 8, 0, COVE_TRY));
}

static int hidden_names(void) {
    int status;
    return atoi(run(&status, "ls -A %s | grep -c '^\\.cove-bell'", test_domain));
}

TEST(the_descriptor_of_a_stream_is_readable_while_there_is_something_to_read) {
    for (int access = COVE_READ_WRITE; access <= COVE_READ_ONLY; access++)
        for (unsigned flags = 0; flags <= COVE_STREAM_ONLY_WRITER; flags += COVE_STREAM_ONLY_WRITER) {
            cove_stream *writer = open_stream(COVE_READ_WRITE, flags), *reader = open_stream((cove_access)access, 0);
            int fd, again;
            expect(COVE_OK, cove_stream_fd(reader, &fd));
            expect(COVE_OK, cove_stream_fd(reader, &again));
            assert_int_equal(fd, again);
            assert_true(is_readable(fd, 1000)); /* at first there may be something */
            assert_int_equal(read_all(reader), 0);
            assert_false(is_readable(fd, 50));
            for (int round = 0; round < 20; round++) {
                write_one(writer);
                write_one(writer);
                write_one(writer);
                assert_true(is_readable(fd, 1000));
                uint64_t got;
                expect(COVE_OK, cove_stream_read(reader, &got, 8, NULL, COVE_TRY));
                assert_true(is_readable(fd, 0)); /* level-triggered: two are left */
                assert_int_equal(read_all(reader), 2);
                assert_false(is_readable(fd, 5));
            }
            cove_stream_close(reader);
            cove_stream_close(writer);
            assert_int_equal(hidden_names(), 0);
        }
}

TEST(the_descriptor_of_a_block_is_readable_until_somebody_looks) {
    for (int access = COVE_READ_WRITE; access <= COVE_READ_ONLY; access++)
        for (unsigned flags = 0; flags <= COVE_BLOCK_SINGLE; flags++) {
            cove_block *writer, *reader;
            char data[8];
            int fd;
            expect(COVE_OK, cove_block_open(&writer, "b", &(cove_block_options){.capacity_bytes = 8, .flags = flags}));
            expect(COVE_OK, cove_block_open(&reader, "b", &(cove_block_options){.access = (cove_access)access}));
            expect(COVE_OK, cove_block_fd(reader, &fd));
            assert_true(is_readable(fd, 1000));
            for (int round = 0; round < 20; round++) {
                expect(COVE_OK, cove_block_get(reader, data, 8, NULL, NULL, COVE_TRY));
                assert_false(is_readable(fd, 5));
                expect(round % 2 ? COVE_OK : COVE_OK, round % 2 ? cove_block_notify(writer) : cove_block_set(writer, "x", 1, COVE_TRY));
                assert_true(is_readable(fd, 1000));
                assert_true(is_readable(fd, 0));
            }
            cove_block_close(reader);
            cove_block_close(writer);
        }
}

TEST(a_bell_rings_by_itself_within_a_second_or_so) {
    cove_stream *reader = open_stream(COVE_READ_WRITE, 0);
    int fd;
    expect(COVE_OK, cove_stream_fd(reader, &fd));
    read_all(reader);
    assert_false(is_readable(fd, 300));
    assert_true(is_readable(fd, 5000));
    read_all(reader);
    assert_false(is_readable(fd, 100));
    cove_stream_close(reader);
}

TEST(a_publication_with_nobody_waiting_rings_nothing) {
    cove_stream *writer = open_stream(COVE_READ_WRITE, 0), *reader = open_stream(COVE_READ_WRITE, 0);
    int fd;
    expect(COVE_OK, cove_stream_fd(reader, &fd));
    read_all(reader);
    write_one(writer); /* one datagram; from here on nobody is armed */
    for (int i = 0; i < 1000; i++)
        write_one(writer);
    int datagrams = 0;
    char byte;
    for (int fds = 3; fds < 64; fds++) { /* the bell's socket is one of ours */
        int type;
        socklen_t size = sizeof type;
        while (getsockopt(fds, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && recv(fds, &byte, 1, MSG_DONTWAIT) >= 0)
            datagrams++;
    }
    assert_int_equal(datagrams, 1);
    cove_stream_close(reader);
    cove_stream_close(writer);
}

/* From here on the kernel kills this process at any system call but exit, and a reading of the clock, which mostly is none. */
static bool forbid_system_calls(void) {
    struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                                 BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 2, 0),
                                 BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime, 1, 0),
                                 BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int work_without_system_calls(void *context) {
    cove_stream *writer = open_stream(COVE_READ_WRITE, *(unsigned *)context), *reader = open_stream(COVE_READ_WRITE, 0);
    cove_stream *lossless;
    cove_block *block;
    cove_value value;
    uint64_t got;
    if (cove_stream_open(&lossless, "s", &(cove_stream_options){.follow = COVE_FOLLOW_LOSSLESS}) != COVE_OK ||
        cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 8}) != COVE_OK)
        return 1;
    for (uint64_t n = 0; n < 100000; n++) {
        if (n == 100 && !forbid_system_calls())
            return NOT_HERE;
        bool borrows = n % 2;
        if (cove_stream_write(writer, &n, 8, 0, COVE_TRY) != COVE_OK || cove_stream_read(reader, &got, 8, NULL, COVE_TRY) != COVE_OK ||
            cove_stream_read(reader, &got, 8, NULL, COVE_TRY) != COVE_ERR_EMPTY || got != n ||
            (borrows ? cove_stream_borrow(lossless, &value, COVE_TRY) : cove_stream_read(lossless, &got, 8, NULL, COVE_TRY)) != COVE_OK ||
            (borrows && cove_stream_give_back(lossless, &value) != COVE_OK) || cove_block_set(block, &n, 8, COVE_TRY) != COVE_OK ||
            cove_block_get(block, &got, 8, NULL, NULL, COVE_TRY) != COVE_OK)
            syscall(SYS_exit, 2);
    }
    syscall(SYS_exit, 0);
    return 3;
}

TEST(with_nobody_waiting_nothing_makes_a_system_call) {
    if (test_is_slow)
        skip(); /* the sanitizers make their own */
    for (unsigned flags = 0; flags <= COVE_STREAM_ONLY_WRITER; flags += COVE_STREAM_ONLY_WRITER)
        ran_or_skipped(end_of(child(work_without_system_calls, &flags)));
}

/* ---- Between processes. */

static uint64_t total;
static _Atomic uint64_t *shared;

/* An event loop that only reads when it is told to. Slices are seconds long, so a lost ring is seen as lateness. */
static int follow_by_descriptor(void *context) {
    cove_stream *stream = open_stream(COVE_READ_WRITE, 0);
    int fd, loop = epoll_create1(0);
    uint64_t got = 0, rings = 0, slow = 0;
    (void)context;
    if (cove_stream_fd(stream, &fd) != COVE_OK || epoll_ctl(loop, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN}) != 0)
        return 1;
    shared[0] = 1;
    while (got != total) {
        struct epoll_event event;
        cove_time_ns before = cove_now();
        if (epoll_wait(loop, &event, 1, 10000) != 1)
            return 2;
        rings++;
        bool was_late = cove_now() - before > 900000000u, found = false;
        cove_result result;
        while ((result = cove_stream_read(stream, &got, 8, NULL, COVE_TRY)) >= 0)
            found = true;
        slow += was_late && found; /* only its own ring told us */
        if (random_number() % 16 == 0)
            usleep(random_number() % 40);
    }
    shared[1] = rings;
    shared[2] = slow;
    cove_stream_close(stream);
    close(loop);
    return 0;
}

static void lose_no_ring(unsigned flags) {
    cove_stream *writer = open_stream(COVE_READ_WRITE, flags);
    shared = shared_memory(64);
    total = test_is_slow ? 100000 : 20000000;
    pid_t pid = child(follow_by_descriptor, NULL);
    eventually(shared[0]);
    for (uint64_t n = 1; n <= total; n++) {
        if (cove_stream_write(writer, &n, 8, 0, COVE_TRY) != COVE_OK)
            fail_msg("%s", cove_last_error()->sentence);
        if (n % 4096 == 0 && random_number() % 64 == 0)
            usleep(random_number() % 200);
    }
    assert_int_equal(end_of(pid), 0);
    printf("    %lu values, %lu rings\n", (unsigned long)total, (unsigned long)shared[1]);
    assert_int_equal(shared[2], 0);
    cove_stream_close(writer);
}

TEST(no_ring_is_lost_at_full_speed) {
    lose_no_ring(0);
    lose_no_ring(COVE_STREAM_ONLY_WRITER);
}

static int watch_and_die(void *context) {
    cove_stream *stream = open_stream(COVE_READ_WRITE, 0);
    int fd;
    (void)context;
    if (cove_stream_fd(stream, &fd) != COVE_OK)
        return 1;
    read_all(stream);
    kill(getpid(), SIGKILL);
    return 0;
}

TEST(the_bells_of_the_dead_are_taken_away_and_delay_nobody) {
    cove_stream *writer = open_stream(COVE_READ_WRITE, 0), *reader;
    for (int i = 0; i < 20; i++) {
        pid_t pid = child(watch_and_die, NULL);
        assert_int_equal(end_of(pid), -SIGKILL);
    }
    assert_true(hidden_names() >= 1);
    write_one(writer);
    assert_int_equal(hidden_names(), 0); /* by who rang in vain */
    child(watch_and_die, NULL);
    eventually(hidden_names() == 1);
    usleep(50000);
    reader = open_stream(COVE_READ_WRITE, 0);
    cove_stream_close(reader);
    cove_stream_close(writer);
    expect(COVE_OK, cove_gc(NULL, 0, NULL, NULL, NULL));
    assert_int_equal(hidden_names(), 0);
}

/* ---- Callbacks. */

static _Atomic int calls, values;
static _Atomic uint64_t caller;

static void count_values(void *context, cove_stream *stream) {
    calls++;
    caller = (uint64_t)pthread_self();
    uint64_t got;
    while (cove_stream_read(stream, &got, 8, NULL, COVE_TRY) >= 0)
        values++;
    if (context)
        cove_stream_close(stream);
}

static void count_changes(void *context, cove_block *block) {
    char data[8];
    (void)context;
    assert_true(cove_block_get(block, data, 8, NULL, NULL, COVE_TRY) == COVE_OK);
    calls++;
}

TEST(a_function_is_called_for_many_streams_and_blocks_on_one_thread) {
    cove_stream *writer = open_stream(COVE_READ_WRITE, 0), *reader[5];
    cove_block *block, *read_only;
    calls = values = 0;
    for (int i = 0; i < 5; i++) {
        reader[i] = open_stream(i % 2 ? COVE_READ_ONLY : COVE_READ_WRITE, 0);
        expect(COVE_OK, cove_stream_on_change(reader[i], count_values, NULL));
    }
    eventually(calls >= 5);
    uint64_t first_caller = caller;
    assert_true(first_caller != (uint64_t)pthread_self());
    for (int n = 1; n <= 50; n++) {
        write_one(writer);
        eventually(values == 5 * n);
        assert_int_equal(caller, first_caller);
    }
    for (int i = 0; i < 5; i++)
        expect(COVE_OK, cove_stream_on_change(reader[i], NULL, NULL));
    int before = calls;
    write_one(writer);
    usleep(20000);
    assert_int_equal(calls, before);
    expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 8}));
    expect(COVE_OK, cove_block_open(&read_only, "b", &(cove_block_options){.access = COVE_READ_ONLY}));
    calls = 0;
    expect(COVE_OK, cove_block_on_change(block, count_changes, NULL));
    expect(COVE_OK, cove_block_on_change(read_only, count_changes, NULL));
    eventually(calls >= 2);
    for (int n = 0; n < 20; n++) {
        int seen = calls;
        expect(COVE_OK, cove_block_set(block, &n, sizeof n, COVE_TRY));
        eventually(calls >= seen + 2);
    }
    cove_block_close(read_only);
    cove_block_close(block);
    for (int i = 0; i < 5; i++)
        cove_stream_close(reader[i]);
    cove_stream_close(writer);
}

TEST(a_function_may_close_its_own_stream) {
    for (int i = 0; i < 50; i++) {
        cove_stream *writer = open_stream(COVE_READ_WRITE, 0), *reader = open_stream(COVE_READ_WRITE, 0);
        calls = values = 0;
        expect(COVE_OK, cove_stream_on_change(reader, count_values, &calls));
        eventually(calls == 1);
        write_one(writer);
        cove_stream_close(writer);
        eventually(!count_files(test_domain)); /* the function, on its thread, has closed it, and it went with its last user */
    }
}

static void count_slowly(void *context, cove_stream *stream) {
    _Atomic int *running = context;
    (*running)++;
    usleep(2000);
    read_all(stream);
    (*running)--;
    calls++;
}

TEST(after_a_function_was_taken_back_it_is_not_running) {
    cove_stream *writer = open_stream(COVE_READ_WRITE, 0), *reader = open_stream(COVE_READ_WRITE, 0);
    static _Atomic int running;
    running = calls = 0;
    for (int i = 0; i < 50; i++) {
        expect(COVE_OK, cove_stream_on_change(reader, count_slowly, &running));
        write_one(writer);
        usleep(random_number() % 4000);
        expect(COVE_OK, cove_stream_on_change(reader, NULL, NULL));
        assert_int_equal(running, 0);
    }
    assert_true(calls > 0);
    cove_stream_close(reader);
    cove_stream_close(writer);
}

static int use_inherited(void *context) {
    cove_stream *stream = context;
    int fd;
    if (cove_stream_fd(stream, &fd) != COVE_OK)
        return 1;
    if (read_all(stream) != 0 || is_readable(fd, 20))
        return 2;
    calls = 0;
    if (cove_stream_on_change(stream, count_values, NULL) != COVE_OK)
        return 3;
    shared[0] = 1;
    eventually(calls >= 1);
    values = 0;
    shared[1] = 1;
    eventually(values == 1);
    cove_stream_close(stream);
    return 0;
}

TEST(a_child_of_fork_has_bells_of_its_own) {
    cove_stream *writer = open_stream(COVE_READ_WRITE, 0), *reader = open_stream(COVE_READ_WRITE, 0);
    int fd;
    shared = shared_memory(64);
    expect(COVE_OK, cove_stream_fd(reader, &fd));
    expect(COVE_OK, cove_stream_on_change(reader, count_values, NULL));
    pid_t pid = child(use_inherited, reader);
    eventually(shared[1]);
    calls = 0;
    write_one(writer);
    assert_int_equal(end_of(pid), 0);
    eventually(calls >= 1); /* and the parent's still work */
    cove_stream_close(reader);
    cove_stream_close(writer);
    assert_int_equal(hidden_names(), 0);
}

/* ---- What went wrong once. */

static void is_told_soon(int fd) {
    cove_time_ns before = cove_now();
    assert_true(is_readable(fd, 5000));
    assert_true(cove_now() - before < 700000000u); /* else it was its own slice that told */
}

TEST(an_interrupted_handle_disarms_nobody_else) {
    cove_stream *writer = open_stream(COVE_READ_WRITE, 0), *reader = open_stream(COVE_READ_WRITE, 0),
                *other = open_stream(COVE_READ_WRITE, 0);
    cove_block *block, *watcher;
    char data[8];
    int fd;
    expect(COVE_OK, cove_stream_fd(reader, &fd));
    read_all(reader);
    cove_stream_interrupt(other);
    write_one(writer);
    is_told_soon(fd);
    expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 8}));
    expect(COVE_OK, cove_block_open(&watcher, "b", NULL));
    expect(COVE_OK, cove_block_fd(watcher, &fd));
    expect(COVE_OK, cove_block_get(watcher, data, 8, NULL, NULL, COVE_TRY));
    cove_block_interrupt(block);
    expect(COVE_OK, cove_block_set(block, "x", 1, COVE_TRY));
    is_told_soon(fd);
    cove_block_close(watcher);
    cove_block_close(block);
    cove_stream_close(other);
    cove_stream_close(reader);
    cove_stream_close(writer);
}

static double cpu_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

TEST(a_bell_that_nobody_answers_keeps_no_processor_busy) {
    cove_stream *writer = open_stream(COVE_READ_WRITE, 0), *reader = open_stream(COVE_READ_ONLY, 0),
                *called = open_stream(COVE_READ_ONLY, 0);
    cove_stream *both = open_stream(COVE_READ_WRITE, 0);
    int fd;
    expect(COVE_OK, cove_stream_fd(reader, &fd));
    expect(COVE_OK, cove_stream_fd(both, &fd));
    expect(COVE_OK, cove_stream_on_change(called, count_values, NULL));
    expect(COVE_OK, cove_stream_on_change(called, NULL, NULL));
    expect(COVE_OK, cove_stream_on_change(called, count_values, NULL));
    write_one(writer);
    expect(COVE_OK, cove_remove(NULL, "s", COVE_REMOVE_FORCE)); /* told once, and not a thousand times a second */
    usleep(50000);
    calls = 0;
    double before = cpu_seconds();
    usleep(1500000);
    assert_true(cpu_seconds() - before < 0.3);
    assert_true(calls <= 5);
    cove_stream_close(both);
    cove_stream_close(called);
    cove_stream_close(reader);
    cove_stream_close(writer);
}

/* One value for each ring: the descriptor stays readable while there are more. */
static int read_one_a_ring(void *context) {
    cove_stream *stream;
    int fd;
    uint64_t got = 0, slow = 0;
    (void)context;
    if (cove_stream_open(&stream, "s", &(cove_stream_options){.follow = COVE_FOLLOW_LOSSLESS}) != COVE_OK ||
        cove_stream_fd(stream, &fd) != COVE_OK)
        return 1;
    shared[0] = 1;
    while (got != total) {
        cove_time_ns before = cove_now();
        if (!is_readable(fd, 10000))
            return 2;
        bool was_late = cove_now() - before > 700000000u;
        slow += cove_stream_read(stream, &got, 8, NULL, COVE_TRY) >= 0 && was_late;
    }
    shared[1] = slow;
    return 0;
}

TEST(no_ring_is_swallowed_by_a_value_that_comes_while_it_is_silenced) {
    cove_stream *writer = open_stream(COVE_READ_WRITE, 0);
    shared = shared_memory(64);
    total = test_is_slow ? 5000 : 200000;
    pid_t pid = child(read_one_a_ring, NULL);
    eventually(shared[0]);
    for (uint64_t n = 1; n <= total; n++) {
        expect(COVE_OK, cove_stream_write(writer, &n, 8, 0, cove_in_ms(20000)));
        for (volatile uint64_t spin = random_number() % 2000; spin; spin--)
            ;
    }
    assert_int_equal(end_of(pid), 0);
    assert_int_equal(shared[1], 0);
    cove_stream_close(writer);
}

TEST(a_descriptor_rings_where_nobody_has_looked) {
    cove_stream *writer = open_stream(COVE_READ_WRITE, 0), *reader = open_stream(COVE_READ_WRITE, 0);
    cove_block *block, *watcher;
    cove_block_view view, mine;
    char data[8];
    int fd;
    write_one(writer);
    expect(COVE_OK, cove_stream_fd(reader, &fd));
    read_all(reader);
    expect(COVE_OK, cove_stream_seek(reader, COVE_START_OLDEST)); /* there is something again */
    is_told_soon(fd);
    expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 8}));
    expect(COVE_OK, cove_block_open(&watcher, "b", NULL));
    expect(COVE_OK, cove_block_fd(watcher, &fd));
    expect(COVE_OK, cove_block_get(watcher, data, 8, NULL, NULL, COVE_TRY));
    expect(COVE_OK, cove_block_set(block, "x", 1, COVE_TRY));
    expect(COVE_OK, cove_block_lock_write(block, &view, COVE_TRY));
    expect(COVE_ERR_TIMEOUT, cove_block_lock_write(watcher, &mine, COVE_TRY)); /* has seen nothing */
    is_told_soon(fd);
    expect(COVE_OK, cove_block_abandon(block, &view));
    cove_block_close(watcher);
    cove_block_close(block);
    cove_stream_close(reader);
    cove_stream_close(writer);
}

static int close_all_descriptors(void *context) {
    cove_stream *writer = context, *named, *read_only, *later;
    calls = values = 0;
    named = open_stream(COVE_READ_WRITE, 0);
    read_only = open_stream(COVE_READ_ONLY, 0);
    if (cove_stream_on_change(named, count_values, NULL) != COVE_OK || cove_stream_on_change(read_only, count_values, NULL) != COVE_OK)
        return 1;
    eventually(calls >= 2);
    for (int fd = 3; fd < 200; fd++)
        close(fd);
    int file[40];
    for (int i = 0; i < 40; i++)
        file[i] = dup(0);
    usleep(1200000); /* the thread notices by itself */
    calls = 0;
    usleep(300000);
    if (calls > 20)
        return 2;
    values = 0;
    write_one(writer);
    eventually(values == 2);
    later = open_stream(COVE_READ_WRITE, 0);
    calls = 0;
    if (cove_stream_on_change(later, count_values, NULL) != COVE_OK)
        return 3;
    eventually(calls >= 1);
    cove_stream_close(later);
    cove_stream_close(named);
    cove_stream_close(read_only);
    for (int i = 0; i < 40; i++)
        if (fcntl(file[i], F_GETFD) < 0)
            return 4; /* a file of the program's was closed */
    return 0;
}

TEST(a_program_that_closes_all_descriptors_is_still_called) {
    cove_stream *writer = open_stream(COVE_READ_WRITE, 0);
    assert_int_equal(end_of(child(close_all_descriptors, writer)), 0);
    cove_stream_close(writer);
    expect(COVE_OK, cove_gc(NULL, 0, NULL, NULL, NULL));
}

static void fork_inside(void *context, cove_stream *stream) {
    static _Atomic int once;
    read_all(stream);
    if (!once++ && !fork()) {
        /* In the child this is no thread of the library's: it ends with the function. */
        usleep(200000);
        _exit(0);
    }
    (*(_Atomic int *)context)++;
}

TEST(a_function_may_fork) {
    cove_stream *writer = open_stream(COVE_READ_WRITE, 0), *reader = open_stream(COVE_READ_WRITE, 0);
    static _Atomic int count;
    count = 0;
    expect(COVE_OK, cove_stream_on_change(reader, fork_inside, &count));
    eventually(count >= 1);
    for (int n = 1; n < 10; n++) {
        int before = count;
        write_one(writer);
        eventually(count > before);
    }
    cove_stream_close(reader);
    cove_stream_close(writer);
    assert_int_equal(waitpid(-1, NULL, 0) > 0, 1);
}

static int watch_and_leave_a_child(void *context) {
    cove_stream *stream = open_stream(COVE_READ_WRITE, 0);
    int fd;
    if (cove_stream_fd(stream, &fd) != COVE_OK)
        return 1;
    read_all(stream);
    pid_t pid = fork();
    if (!pid) {
        for (int i = 0; i < 100 && !shared[1]; i++)
            usleep(50000);
        _exit(0);
    }
    (void)context;
    shared[0] = 1;
    kill(getpid(), SIGKILL);
    return 0;
}

TEST(the_bell_of_a_dead_process_goes_though_a_child_of_its_lives) {
    cove_stream *keeper = open_stream(COVE_READ_WRITE, 0);
    shared = shared_memory(64);
    assert_int_equal(end_of(child(watch_and_leave_a_child, NULL)), -SIGKILL);
    assert_int_equal(hidden_names(), 1);
    expect(COVE_OK, cove_gc(NULL, 0, NULL, NULL, NULL));
    assert_int_equal(hidden_names(), 0);
    shared[1] = 1;
    cove_stream_close(keeper);
}

TEST(a_garbage_collection_rings_no_bell) {
    cove_stream *reader = open_stream(COVE_READ_WRITE, 0);
    int fd;
    expect(COVE_OK, cove_stream_fd(reader, &fd));
    read_all(reader);
    for (int i = 0; i < 20; i++)
        expect(COVE_OK, cove_gc(NULL, 0, NULL, NULL, NULL));
    assert_false(is_readable(fd, 20));
    assert_int_equal(hidden_names(), 1);
    cove_stream_close(reader);
}

/* As many watchers as there are, each quicker than the teller rings them all: a change rings each once. */
static int watch_eagerly(void *context) {
    cove_stream *stream = open_stream(COVE_READ_WRITE, 0);
    int fd, rings = 0;
    uint64_t got = 0;
    (void)context;
    if (cove_stream_fd(stream, &fd) != COVE_OK)
        return 1;
    read_all(stream);
    atomic_fetch_add(&shared[0], 1);
    while (got != total) {
        if (!is_readable(fd, 10000))
            return 2;
        rings++;
        while (cove_stream_read(stream, &got, 8, NULL, COVE_TRY) >= 0)
            ;
    }
    atomic_fetch_add(&shared[1], (uint64_t)rings);
    return 0;
}

TEST(sixteen_watchers_are_rung_about_once_for_each_value) {
    cove_stream *writer = open_stream(COVE_READ_WRITE, 0);
    pid_t pid[16];
    shared = shared_memory(64);
    total = 30;
    for (int i = 0; i < 16; i++)
        pid[i] = child(watch_eagerly, NULL);
    eventually(shared[0] == 16);
    for (uint64_t n = 1; n <= total; n++) {
        expect(COVE_OK, cove_stream_write(writer, &n, 8, 0, COVE_TRY));
        usleep(20000);
    }
    for (int i = 0; i < 16; i++)
        assert_int_equal(end_of(pid[i]), 0);
    printf("    %lu rings for %d watchers of %lu values\n", (unsigned long)shared[1], 16, (unsigned long)total);
    assert_true(shared[1] < 3 * 16 * total);
    cove_stream_close(writer);
}

/* From here on the bells of root are not his to ring. */
static bool become_somebody_else(void) {
    return !setgroups(0, NULL) && !setresgid(1234, 1234, 1234) && !setresuid(1234, 1234, 1234);
}

/* A teller that cannot reach a bell says so in the slot, and the watcher's own thread looks from then on. */
static int write_as_somebody_else(void *context) {
    cove_stream *writer = context;
    uint64_t value = 1;
    if (cove_stream_write(writer, &value, 8, 0, COVE_TRY) != COVE_OK)
        return 1;
    if (!become_somebody_else())
        return NOT_HERE;
    for (int i = 0; i < 20; i++) {
        usleep(100000);
        if (cove_stream_write(writer, &value, 8, 0, COVE_TRY) != COVE_OK)
            return 2;
    }
    return 0;
}

TEST(who_cannot_be_rung_is_called_all_the_same_and_may_fork_meanwhile) {
    if (geteuid() != 0)
        skip();
    cove_stream *writer = open_stream(COVE_READ_WRITE, 0), *reader = open_stream(COVE_READ_WRITE, 0);
    calls = values = 0;
    expect(COVE_OK, cove_stream_on_change(reader, count_values, NULL));
    eventually(calls >= 1);
    pid_t pid = child(write_as_somebody_else, writer);
    ran_or_skipped(end_of(pid));
    eventually(values >= 21);
    alarm(20);
    pid = fork(); /* would wait for the library's thread, if that waited for itself */
    if (!pid)
        _exit(0);
    assert_int_equal(end_of(pid), 0);
    alarm(0);
    cove_stream_close(reader);
    cove_stream_close(writer);
}

/* shared[1]: how many changes there have been of his, the first still as root; he makes one more whenever shared[0] is greater. */
static int write_from_afar(void *context) {
    cove_stream *writer = context;
    uint64_t value = 1;
    if (cove_stream_write(writer, &value, 8, 0, COVE_TRY) != COVE_OK)
        return 1;
    if (!become_somebody_else()) {
        shared[1] = UINT64_MAX;
        return NOT_HERE;
    }
    for (uint64_t done = 1;; done++) {
        atomic_store(&shared[1], done);
        while (atomic_load(&shared[0]) <= done)
            usleep(100);
        if (atomic_load(&shared[0]) == UINT64_MAX)
            return 0;
        if (cove_stream_write(writer, &value, 8, 0, COVE_TRY) != COVE_OK)
            return 2;
    }
}

TEST(who_cannot_reach_a_bell_leaves_it_to_the_next_who_can_and_tries_only_until_its_user_has_looked) {
    if (geteuid() != 0)
        skip();
    cove_stream *writer = open_stream(COVE_READ_WRITE, 0), *reader = open_stream(COVE_READ_WRITE, 0);
    covei_a32 *word = &covei_member_slot(&reader->member)->hold[COVEI_SLOT_BELL];
    int fd;
    expect(COVE_OK, cove_stream_fd(reader, &fd));
    shared = shared_memory(64);
    pid_t pid = child(write_from_afar, writer);
    eventually(shared[1]);
    if (shared[1] == UINT64_MAX)
        ran_or_skipped(end_of(pid));
    assert_int_equal(read_all(reader), 1);
    for (int i = 0; i < 3; i++) { /* one that he hears of late; what others change then he hears of at once */
        shared[0] = (uint64_t)i + 2;
        eventually(shared[1] == shared[0]);
        assert_true(covei_load_seqcst(word) & COVEI_BELL_ARMED);
        assert_true(covei_load_seqcst(word) & COVEI_BELL_UNHEARD);
    }
    write_one(writer);
    assert_true(is_readable(fd, 0));
    assert_int_equal(read_all(reader), 4);
    cove_time_ns start = cove_now();
    for (int i = 3; i < 13; i++) { /* from now on his thread looks */
        assert_false(covei_load_seqcst(word) & (COVEI_BELL_ARMED | COVEI_BELL_UNHEARD));
        shared[0] = (uint64_t)i + 2;
        assert_true(is_readable(fd, 10000));
        while (!read_all(reader) && cove_now() - start < 60000000000)
            ;
    }
    assert_true(cove_now() - start < 8000000000); /* by the timer of the bell it would be ten seconds */
    shared[0] = UINT64_MAX;
    ran_or_skipped(end_of(pid));
    cove_stream_close(reader);
    cove_stream_close(writer);
}

/* Threads look at one handle, and one of them finds that somebody could not reach the bell. */
static void *look_all_the_time(void *context) {
    cove_stream *stream = context;
    uint64_t got;
    while (!shared[0])
        if (cove_stream_read(stream, &got, 8, NULL, COVE_TRY) >= 0)
            return stream;
    return NULL;
}

TEST(a_bell_that_others_are_no_longer_to_ring_is_not_armed_by_another_thread) {
    shared = shared_memory(64);
    for (int round = 0; round < (test_is_slow ? 200 : 1000); round++) {
        cove_stream *reader = open_stream(COVE_READ_WRITE, 0);
        covei_a32 *word = &covei_member_slot(&reader->member)->hold[COVEI_SLOT_BELL];
        pthread_t thread[4];
        void *end;
        int fd;
        expect(COVE_OK, cove_stream_fd(reader, &fd));
        shared[0] = 0;
        for (int i = 0; i < 4; i++)
            assert_int_equal(pthread_create(&thread[i], NULL, look_all_the_time, reader), 0);
        usleep(200 + (unsigned)round % 200);
        for (uint32_t seen = 0;;)
            if (seen & COVEI_BELL_ARMED && covei_cas_seqcst(word, &seen, seen | COVEI_BELL_UNHEARD))
                break;
            else
                seen = covei_load_seqcst(word);
        eventually(!covei_load_seqcst(&reader->watch.is_named));
        usleep(100);
        shared[0] = 1;
        for (int i = 0; i < 4; i++) {
            assert_int_equal(pthread_join(thread[i], &end), 0);
            assert_null(end);
        }
        assert_false(covei_load_seqcst(word) & COVEI_BELL_ARMED);
        cove_stream_close(reader);
    }
}

TEST(whoever_wants_no_more_calls_costs_nobody_anything) {
    cove_stream *writer = open_stream(COVE_READ_WRITE, 0), *reader = open_stream(COVE_READ_WRITE, 0);
    covei_a32 *word = &covei_member_slot(&reader->member)->hold[COVEI_SLOT_BELL];
    for (int round = 0; round < 2; round++) {
        calls = values = 0;
        expect(COVE_OK, cove_stream_on_change(reader, count_values, NULL));
        eventually(covei_load_seqcst(word) & COVEI_BELL_ARMED);
        write_one(writer);
        eventually(values == 1);
        eventually(covei_load_seqcst(word) & COVEI_BELL_ARMED);
        expect(COVE_OK, cove_stream_on_change(reader, NULL, NULL));
        assert_false(covei_load_seqcst(word) & COVEI_BELL_ARMED);
        assert_int_equal(read_all(reader), 0);
        assert_false(covei_load_seqcst(word) & COVEI_BELL_ARMED);
    }
    cove_stream_close(reader);
    cove_stream_close(writer);
}

static int use_in_a_child_without_handlers(void *context) {
    cove_stream *stream = context;
    int fd;
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (!pid) {
        alarm(10);
        if (cove_stream_fd(stream, &fd) != COVE_OK)
            syscall(SYS_exit_group, 1);
        read_all(stream);
        calls = 0;
        if (cove_stream_on_change(stream, count_values, NULL) != COVE_OK)
            syscall(SYS_exit_group, 2);
        eventually(calls >= 1);
        pid_t grandchild = fork(); /* walks the lists */
        if (!grandchild)
            _exit(0);
        int status;
        waitpid(grandchild, &status, 0);
        cove_stream_close(stream);
        syscall(SYS_exit_group, 0);
    }
    int status;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

TEST(a_teller_that_is_late_does_not_disarm_who_came_next_in_the_slot) {
    cove_stream *writer = open_stream(COVE_READ_WRITE, 0), *reader = open_stream(COVE_READ_WRITE, 0);
    int fd;
    expect(COVE_OK, cove_stream_fd(reader, &fd));
    assert_int_equal(read_all(reader), 0);
    uint32_t slot = covei_load_relaxed(&reader->member.slot);
    covei_a32 *word = &writer->member.slots[slot].hold[COVEI_SLOT_BELL];
    uint32_t seen = covei_load_seqcst(word); /* as the teller sees it, before he rings */
    assert_true(seen & COVEI_BELL_ARMED);
    cove_stream_close(reader);
    assert_false(covei_load_seqcst(word) & (COVEI_BELL_THERE | COVEI_BELL_ARMED));

    reader = open_stream(COVE_READ_WRITE, 0);
    assert_int_equal(covei_load_relaxed(&reader->member.slot), slot);
    expect(COVE_OK, cove_stream_fd(reader, &fd));
    assert_int_equal(read_all(reader), 0);
    assert_false(covei_cas_seqcst(word, &seen, seen & ~COVEI_BELL_ARMED)); /* as he disarms it, when he has rung */
    write_one(writer);
    assert_true(is_readable(fd, 300));
    assert_int_equal(read_all(reader), 1);
    cove_stream_close(reader);
    cove_stream_close(writer);
}

TEST(a_child_that_was_made_without_fork_handlers_has_bells_of_its_own) {
    if (test_is_slow)
        skip(); /* the sanitizers know nothing of such children */
    cove_stream *reader = open_stream(COVE_READ_WRITE, 0);
    int fd;
    expect(COVE_OK, cove_stream_fd(reader, &fd));
    expect(COVE_OK, cove_stream_on_change(reader, count_values, NULL));
    usleep(20000);
    assert_int_equal(use_in_a_child_without_handlers(reader), 0);
    cove_stream_close(reader);
}

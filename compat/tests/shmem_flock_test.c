/* The memory of a file, and the lock on it: the interface of shmem_flock, item by item, in real processes. */
#include "tests/support.h"

#include "ipc_shmem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

static char file[600];

static char *a_file(const char *name) {
    snprintf(file, sizeof file, "%s/../%s-%d", test_domain, name, getpid());
    return file;
}
static void remove_all(shmem_t *shmem) {
    assert_int_equal(shmem_delete(&shmem), 0);
    assert_null(shmem);
    unlink(file);
    assert_int_equal(count_files(test_domain), 0);
}

#define refused(error_number, call) \
    do { \
        errno = 0; \
        assert_int_equal(call, -1); \
        assert_int_equal(errno, error_number); \
    } while (0)

TEST(the_example_hands_a_text_from_one_program_to_another) {
    int status;
    char *said = run(
        &status,
        "%1$s/compat/shmem_flock_server %2$s hello && %1$s/compat/shmem_flock_client %2$s && %1$s/compat/shmem_flock_client %2$s delete",
        COVE_BUILD_DIR, a_file("text"));
    assert_int_equal(status, 0);
    assert_string_equal(said, "written: hello\nread: hello\nread: hello\n");
    assert_int_equal(count_files(test_domain), 0);
    unlink(file);
}

TEST(the_memory_is_opened_written_read_and_deleted) {
    char data[10] = "012345678", out[12] = "-----------";
    shmem_t *shmem = shmem_open(a_file("k"), sizeof data), *other;
    assert_non_null(shmem);
    assert_int_equal(access(file, F_OK), 0);
    assert_true(shmem->memory_size == 10 && shmem->memory && shmem->lockptr && shmem->id >= 0);
    assert_int_equal(shmem_read(&shmem, out, sizeof out), 0);
    assert_memory_equal(out, "\0\0\0\0\0\0\0\0\0\0-", 11);
    assert_int_equal(shmem_write(&shmem, data, sizeof data), 0);
    assert_memory_equal(shmem->memory, data, 10);
    assert_int_equal(shmem_write(&shmem, (char[]){"XY"}, 2), 0); /* the rest stays */
    other = shmem_open(file, sizeof data);
    assert_non_null(other);
    assert_int_equal(other->id, shmem->id);
    assert_int_equal(shmem_read(&other, out, sizeof out), 0);
    assert_memory_equal(out, "XY2345678", 10);
    assert_memory_equal(other->memory, out, 10);
    assert_int_equal(shmem_close(&other), 0);
    assert_null(other);
    assert_int_equal(shmem_close(&shmem), 0);
    /* It stays, also when nobody has it. */
    shmem = shmem_open(file, 4);
    assert_int_equal(shmem_read(&shmem, out, 4), 0);
    assert_memory_equal(out, "XY23", 4);
    refused(EINVAL, shmem_write(&shmem, data, 5));
    remove_all(shmem);
}

TEST(what_cannot_be_is_refused) {
    char bytes[16];
    shmem_t *none = NULL, *shmem = shmem_open(a_file("k"), 8);
    assert_non_null(shmem);
    errno = 0;
    assert_true(!shmem_open(NULL, 8) && errno == EINVAL);
    assert_true(!shmem_open(file, 0) && errno == EINVAL);
    assert_true(!shmem_open(file, (size_t)INT32_MAX + 1) && errno == EINVAL);
    errno = 0;
    assert_true(!shmem_open(file, 9) && errno != 0); /* more than there is */
    assert_true(!shmem_open((char *)"/no/such/directory/file", 8) && errno == ENOENT);
    assert_true(!shmem_open((char *)"/proc/file", 8) && errno != 0);
    refused(EINVAL, shmem_read(&shmem, bytes, 7));
    refused(EINVAL, shmem_read(&shmem, NULL, 8));
    refused(EINVAL, shmem_write(&shmem, bytes, 9));
    refused(EINVAL, shmem_write(&shmem, NULL, 1));
    refused(EINVAL, shmem_read(NULL, bytes, 8));
    refused(EINVAL, shmem_read(&none, bytes, 8));
    refused(EINVAL, shmem_write(&none, bytes, 8));
    refused(EINVAL, shmem_close(NULL));
    refused(EINVAL, shmem_close(&none));
    refused(EINVAL, shmem_delete(&none));
    assert_int_equal(shmem_write(&shmem, bytes, 0), 0);
    remove_all(shmem);
}

TEST(two_ways_to_one_file_lead_to_one_memory_and_two_files_to_two) {
    char link[600], out[4];
    shmem_t *a = shmem_open(a_file("a"), 4), *b, *c;
    snprintf(link, sizeof link, "%s/../link-%d", test_domain, getpid());
    assert_int_equal(symlink(file, link), 0);
    b = shmem_open(link, 4);
    assert_int_equal(shmem_write(&a, (char[]){"abc"}, 4), 0);
    assert_int_equal(shmem_read(&b, out, 4), 0);
    assert_string_equal(out, "abc");
    unlink(link);
    c = shmem_open(link, 4); /* a new file */
    assert_int_equal(shmem_read(&c, out, 4), 0);
    assert_int_equal(out[0], 0);
    assert_int_equal(shmem_delete(&c), 0);
    unlink(link);
    assert_int_equal(shmem_close(&b), 0);
    remove_all(a);
}

TEST(what_is_deleted_nobody_can_read_or_write) {
    char out[4];
    shmem_t *a = shmem_open(a_file("k"), 4), *b = shmem_open(file, 4), *c;
    assert_int_equal(shmem_delete(&a), 0);
    refused(EIDRM, shmem_read(&b, out, 4));
    refused(EIDRM, shmem_write(&b, out, 4));
    c = shmem_open(file, 8); /* another, and larger */
    assert_non_null(c);
    assert_int_equal(shmem_close(&b), 0);
    remove_all(c);
}

/* ---- Other processes. */

#define WIDE 4096
static int write_patterns(void *context) {
    char bytes[WIDE];
    shmem_t *shmem = context ? context : shmem_open(file, WIDE);
    for (uint64_t i = 1; shmem; i++) {
        fill_pattern(bytes, WIDE, i);
        if (shmem_write(&shmem, bytes, WIDE) != 0)
            return 2;
    }
    return 1;
}

TEST(a_killed_writer_leaves_the_old_bytes_or_the_new_ones_and_nobody_waits) {
    char bytes[WIDE];
    shmem_t *shmem = shmem_open(a_file("wide"), WIDE);
    uint64_t got = 0;
    for (int kills = 0; kills < 200; kills++) {
        pid_t pid = child(write_patterns, kills % 2 ? shmem : NULL); /* by the parent's handle, too */
        for (cove_time_ns end = cove_now() + random_number() % 4000000; cove_now() < end; got++) {
            assert_int_equal(shmem_read(&shmem, bytes, WIDE), 0);
            assert_true(!bytes[0] || is_pattern(bytes, WIDE));
        }
        kill_child(pid);
    }
    fill_pattern(bytes, WIDE, 1);
    assert_int_equal(shmem_write(&shmem, bytes, WIDE), 0);
    assert_true(got > 1000);
    remove_all(shmem);
}

static void *read_and_write(void *context) {
    char bytes[256];
    shmem_t *shmem = context;
    for (uint64_t i = 1; i < 2000; i++) {
        fill_pattern(bytes, sizeof bytes, i);
        if (shmem_write(&shmem, bytes, sizeof bytes) != 0 || shmem_read(&shmem, bytes, sizeof bytes) != 0 ||
            !is_pattern(bytes, sizeof bytes))
            return "torn";
    }
    return NULL;
}

TEST(threads_may_share_a_handle) {
    pthread_t threads[4];
    void *wrong;
    shmem_t *shmem = shmem_open(a_file("k"), 256);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_and_write, shmem), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    remove_all(shmem);
}

static int be_somebody(void *context) {
    (void)context;
    char text[4] = "abc";
    if (setgid(65534) != 0 || setuid(65534) != 0)
        return NOT_HERE;
    unsetenv("COVE_DOMAIN"); /* a domain of its own */
    shmem_t *shmem = shmem_open(file, 4);
    if (!shmem || shmem_write(&shmem, text, 4) != 0 || shmem_delete(&shmem) != 0)
        return 1;
    unlink(file);
    return system("rmdir /dev/shm/cove-65534") >= 0 ? 0 : 2;
}

TEST(an_ordinary_user_needs_no_more) {
    if (getuid() != 0)
        skip();
    snprintf(file, sizeof file, "/dev/shm/cove-of-nobody-%d", getpid());
    int end = end_of(child(be_somebody, NULL));
    if (end == NOT_HERE)
        skip();
    assert_int_equal(end, 0);
}

/* ---- The lock. */

static int lock_and_stay(void *context) {
    ipc_flock_t *lock = ipc_flock_open(file);
    if (!lock || ipc_flock_lock(lock) != 0 || ipc_flock_lock(lock) != 0) /* again */
        return 1;
    *(_Atomic int *)context = 1;
    pause();
    return 0;
}

TEST(the_lock_has_one_holder_and_none_when_that_is_killed) {
    _Atomic int *has_it = shared_memory(sizeof *has_it);
    pid_t pid = child(lock_and_stay, (a_file("lock"), (void *)has_it));
    eventually(*has_it);
    ipc_flock_t *lock = ipc_flock_open(file);
    assert_string_equal(lock->fname, file);
    assert_true(lock->fd >= 0);
    int status;
    run(&status, "flock -n %s true", file);
    assert_int_not_equal(status, 0);
    kill_child(pid);
    assert_int_equal(ipc_flock_lock(lock), 0);
    run(&status, "flock -n %s true", file);
    assert_int_not_equal(status, 0);
    assert_int_equal(ipc_flock_unlock(lock), 0);
    run(&status, "flock -n %s true", file);
    assert_int_equal(status, 0);
    assert_int_equal(ipc_flock_close(lock), 0);
    unlink(file);
}

static int take_it_as_child(void *context) {
    ipc_flock_t *lock = context;
    alarm(1); /* the parent has it, so this waits for ever */
    return ipc_flock_lock(lock) == 0 ? 0 : 1;
}
static int unlock_as_child(void *context) {
    return ipc_flock_unlock(context) == 0 ? 0 : 1;
}

TEST(a_child_of_fork_does_not_hold_or_end_its_parent_s_lock) {
    ipc_flock_t *lock = ipc_flock_open(a_file("lock"));
    assert_int_equal(ipc_flock_lock(lock), 0);
    assert_int_equal(end_of(child(take_it_as_child, lock)), -SIGALRM);
    assert_int_equal(end_of(child(unlock_as_child, lock)), 0);
    int status;
    run(&status, "flock -n %s true", file);
    assert_int_not_equal(status, 0);
    assert_int_equal(ipc_flock_close(lock), 0);
    unlink(file);
}

static int do_nothing(void *context) {
    (void)context;
    pause();
    return 0;
}

TEST(a_closed_lock_is_free_though_a_child_of_its_holder_lives) {
    ipc_flock_t *lock = ipc_flock_open(a_file("lock"));
    assert_int_equal(ipc_flock_lock(lock), 0);
    pid_t pid = child(do_nothing, NULL);
    assert_int_equal(ipc_flock_close(lock), 0);
    int status;
    run(&status, "flock -n %s true", file);
    assert_int_equal(status, 0);
    kill_child(pid);
    unlink(file);
}

static int lock_from_elsewhere(void *context) {
    alarm(1);
    return chdir("/") == 0 && unlink(file) == 0 && ipc_flock_lock(context) == 0 ? 0 : 1;
}

TEST(a_child_locks_the_very_file_and_a_pipe_is_not_waited_for) {
    ipc_flock_t *lock = ipc_flock_open(a_file("lock"));
    assert_int_equal(ipc_flock_lock(lock), 0);
    assert_int_equal(end_of(child(lock_from_elsewhere, lock)), -SIGALRM); /* and no other of that name */
    assert_int_equal(access(file, F_OK), -1);
    assert_int_equal(ipc_flock_close(lock), 0);
    assert_int_equal(mkfifo(file, 0600), 0);
    lock = ipc_flock_open(file);
    assert_non_null(lock);
    ipc_flock_close(lock);
    unlink(file);
}

TEST(the_lock_says_what_cannot_be) {
    char name[400];
    memset(name, 'n', sizeof name);
    name[399] = 0;
    assert_true(!ipc_flock_open(NULL) && errno == EINVAL);
    assert_true(!ipc_flock_open(name) && errno == ENAMETOOLONG);
    assert_true(!ipc_flock_open((char *)"/no/such/directory/file") && errno == ENOENT);
    refused(EINVAL, ipc_flock_lock(NULL));
    refused(EINVAL, ipc_flock_unlock(NULL));
    refused(EINVAL, ipc_flock_close(NULL));
    ipc_flock_t *lock = ipc_flock_open(a_file("lock"));
    close(lock->fd);
    refused(EBADF, ipc_flock_lock(lock)); /* and does not try for ever */
    lock->fd = open("/dev/null", O_RDONLY);
    ipc_flock_close(lock);
    unlink(file);
}

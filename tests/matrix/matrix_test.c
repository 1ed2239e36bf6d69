/* Members of every kind on one segment: other C libraries and word sizes, other PID namespaces, other users, other file systems. */
#include "tests/support.h"

#include "block/block.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define TESTS COVE_BUILD_DIR "/tests"

/* Every kind that this machine could build, each as a command that a shell starts. In a new PID namespace all are process 1; in a new time
 * namespace the clock of deadlines is a day ahead. */
static const char *const kinds[] = {TESTS "/member-64",
                                    TESTS "/member-musl",
                                    TESTS "/member-32",
                                    "unshare -p -f " TESTS "/member-64",
                                    "unshare -p -f --mount-proc " TESTS "/member-64",
                                    "unshare -T -f --monotonic 100000 --boottime 100000 " TESTS "/member-64"};
#define KINDS (sizeof kinds / sizeof *kinds)

static bool has_kind(size_t i) {
    static int known[KINDS]; /* 1 yes, 2 no: a namespace of its own may not be allowed here */
    const char *program = strrchr(kinds[i], ' ');
    char command[256];
    if (!program)
        return access(kinds[i], X_OK) == 0;
    snprintf(command, sizeof command, "%.*s true", (int)(program - kinds[i]), kinds[i]);
    if (!known[i])
        known[i] = can(command) ? 1 : 2;
    return known[i] == 1;
}

static uint64_t *counter_of(cove_block *block) {
    void *data;
    expect(COVE_OK, cove_block_data(block, &data));
    return data;
}

TEST(members_of_all_kinds_exclude_each_other) {
    const int rounds = test_is_slow ? 500 : 5000;
    cove_block *block;
    FILE *member[2 * KINDS] = {0};
    int total = 0, count = 0;
    expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 4096, .flags = COVE_BLOCK_SINGLE}));
    for (size_t i = 0; i < 2 * KINDS; i++)
        if (has_kind(i / 2)) {
            char command[512];
            snprintf(command, sizeof command, "%s count b %d", kinds[i / 2], rounds);
            member[i] = popen(command, "r");
            count++;
        }
    for (size_t i = 0; i < 2 * KINDS; i++) {
        int done = 0;
        if (!member[i])
            continue;
        assert_int_equal(fscanf(member[i], "%d", &done), 1);
        assert_int_equal(pclose(member[i]), 0);
        total += done;
    }
    printf("    %d members of %d kinds, %d rounds\n", count, count / 2, total);
    assert_true(count >= 2);
    assert_int_equal(counter_of(block)[0], total);
    assert_int_equal(counter_of(block)[100], total);
    cove_block_close(block);
}

TEST(values_pass_whole_between_members_of_all_kinds) {
    cove_block *block;
    FILE *member[KINDS] = {0};
    expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 2048}));
    for (size_t i = 0; i < KINDS; i++)
        if (has_kind(i)) {
            char command[512];
            snprintf(command, sizeof command, "%s values b %d", kinds[i], test_is_slow ? 1000 : 20000);
            member[i] = popen(command, "r");
        }
    for (size_t i = 0; i < KINDS; i++)
        if (member[i]) {
            int done = 0;
            assert_int_equal(fscanf(member[i], "%d", &done), 1);
            assert_int_equal(pclose(member[i]), 0);
        }
    cove_block_close(block);
}

/* The members of one kind die while they hold, and those of every other find that out and repair. */
TEST(a_death_of_any_kind_of_member_is_found_by_every_other_kind) {
    cove_block *block;
    expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 4096, .flags = COVE_BLOCK_SINGLE}));
    for (size_t i = 0; i < KINDS; i++)
        for (size_t j = 0; j < KINDS; j++) {
            int status;
            char line[16];
            if (!has_kind(i) || !has_kind(j))
                continue;
            run(&status,
                "%s hold b > %s/.out 2>/dev/null & for n in $(seq 500); do grep -q held %s/.out && break; sleep 0.01; done; cp %s/.out "
                "%s/.out2",
                kinds[i], test_domain, test_domain, test_domain, test_domain);
            snprintf(line, sizeof line, "%s", run(&status, "cat %s/.out2", test_domain));
            assert_string_equal(line, "held\n");
            cove_block_view view;
            expect(COVE_ERR_TIMEOUT, cove_block_lock_write(block, &view, cove_in_ms(20))); /* no false death */
            run(&status, "pkill -KILL -f '^%s/member-[0-9a-z]* hold b'", TESTS);
            assert_int_equal(status, 0);
            const char *out = run(&status, "%s repair b 2>&1", kinds[j]);
            if (status || strcmp(out, "repaired\n"))
                fail_msg("%s was killed, and %s says: %s", kinds[i], kinds[j], out);
        }
    cove_block_close(block);
}

/* ---- Streams. */

static cove_stream *make_stream(uint32_t mode) {
    cove_stream *stream;
    cove_stream_options options = {.capacity_bytes = 256, .depth = 32, .loans = 8, .borrows = 8, .mode = mode};
    expect(COVE_OK, cove_stream_open(&stream, "s", &options));
    return stream;
}

TEST(values_of_a_stream_pass_in_order_between_members_of_all_kinds) {
    FILE *reader[KINDS] = {0}, *writer[KINDS] = {0};
    const int rounds = test_is_slow ? 300 : 3000;
    int kinds_here = 0;
    char line[32];
    cove_stream *keeper = make_stream(0);
    for (size_t i = 0; i < KINDS; i++)
        kinds_here += has_kind(i);
    for (size_t i = 0; i < KINDS; i++)
        if (has_kind(i)) {
            char command[512];
            snprintf(command, sizeof command, "%s subscribe s %d", kinds[i], rounds * kinds_here);
            reader[i] = popen(command, "r");
            assert_non_null(fgets(line, sizeof line, reader[i]));
            assert_string_equal(line, "ready\n");
        }
    for (size_t i = 0; i < KINDS; i++)
        if (has_kind(i)) {
            char command[512];
            snprintf(command, sizeof command, "%s publish s %d", kinds[i], rounds);
            writer[i] = popen(command, "r");
        }
    for (size_t i = 0; i < KINDS; i++)
        for (int w = 0; w < 2; w++) {
            FILE *end = w ? writer[i] : reader[i];
            int done = 0;
            if (!end)
                continue;
            assert_int_equal(fscanf(end, "%d", &done), 1);
            assert_int_equal(pclose(end), 0);
            assert_int_equal(done, w ? rounds : rounds * kinds_here);
        }
    printf("    %d kinds, %d values to each of %d readers\n", kinds_here, rounds * kinds_here, kinds_here);
    cove_stream_close(keeper);
}

/* The members of one kind die while they hold a buffer and a borrow; both come back to those of every kind. */
TEST(what_a_member_of_any_kind_held_of_a_stream_comes_back) {
    cove_stream *stream;
    expect(COVE_OK, cove_stream_open(&stream, "s", &(cove_stream_options){.capacity_bytes = 256, .depth = 1, .loans = 2, .borrows = 1}));
    for (size_t i = 0; i < KINDS; i++) {
        int status;
        cove_value value;
        cove_loan loan;
        if (!has_kind(i))
            continue;
        expect(COVE_OK, cove_stream_write(stream, "x", 1, 0, cove_in_ms(2000)));
        run(&status, "%s keep s > %s/.out 2>/dev/null & for n in $(seq 500); do grep -q held %s/.out && break; sleep 0.01; done", kinds[i],
            test_domain, test_domain);
        expect(COVE_OK, cove_stream_seek(stream, COVE_START_LATEST));
        expect(COVE_ERR_FULL, cove_stream_borrow(stream, &value, COVE_TRY)); /* no false death */
        run(&status, "pkill -KILL -f '^%s/member-[0-9a-z]* keep s'", TESTS);
        assert_int_equal(status, 0);
        expect(COVE_OK, cove_stream_borrow(stream, &value, cove_in_ms(2000)));
        expect(COVE_OK, cove_stream_give_back(stream, &value));
        for (int n = 0; n < 20; n++)
            expect(COVE_OK, cove_stream_write(stream, "y", 1, 0, cove_in_ms(2000)));
        expect(COVE_OK, cove_stream_loan(stream, 1, &loan, cove_in_ms(2000)));
        expect(COVE_OK, cove_stream_write(stream, "z", 1, 0, cove_in_ms(2000)));
        expect(COVE_OK, cove_stream_discard(stream, &loan));
    }
    cove_stream_close(stream);
}

/* ---- Queues. */

TEST(messages_pass_between_members_of_all_kinds_each_to_one) {
    FILE *member[2 * KINDS] = {0};
    const int rounds = test_is_slow ? 300 : 3000;
    int pushed = 0, popped = 0;
    cove_queue *keeper;
    expect(COVE_OK, cove_queue_open(&keeper, "q", &(cove_queue_options){.capacity_bytes = 256, .depth = 32, .loans = 8}));
    for (size_t i = 0; i < 2 * KINDS; i++)
        if (has_kind(i / 2)) {
            char command[512];
            snprintf(command, sizeof command, "%s %s q %d", kinds[i / 2], i % 2 ? "push" : "pop", i % 2 ? rounds : 1000);
            member[i] = popen(command, "r");
        }
    for (size_t i = 0; i < 2 * KINDS; i++) {
        int done = 0;
        if (!member[i])
            continue;
        assert_int_equal(fscanf(member[i], "%d", &done), 1);
        assert_int_equal(pclose(member[i]), 0);
        *(i % 2 ? &pushed : &popped) += done;
    }
    printf("    %d messages\n", pushed);
    assert_true(pushed >= rounds && popped == pushed);
    cove_queue_close(keeper);
}

TEST(what_a_member_of_any_kind_had_in_hand_is_delivered_again) {
    cove_queue *queue;
    expect(COVE_OK, cove_queue_open(&queue, "q", &(cove_queue_options){.capacity_bytes = 256, .depth = 2, .holds = 1}));
    for (size_t i = 0; i < KINDS; i++) {
        int status;
        cove_message m;
        char data[256];
        if (!has_kind(i))
            continue;
        expect(COVE_OK, cove_queue_push(queue, "x", 1, i, cove_in_ms(2000)));
        run(&status, "%s grab q > %s/.out 2>/dev/null & for n in $(seq 500); do grep -q held %s/.out && break; sleep 0.01; done", kinds[i],
            test_domain, test_domain);
        expect(COVE_ERR_EMPTY, cove_queue_pop(queue, data, sizeof data, &m, cove_in_ms(60))); /* no false death */
        run(&status, "pkill -KILL -f '^%s/member-[0-9a-z]* grab q'", TESTS);
        assert_int_equal(status, 0);
        expect(COVE_REDELIVERED, cove_queue_pop(queue, data, sizeof data, &m, cove_in_ms(2000)));
        assert_int_equal(m.tag, i);
        assert_int_equal(m.deliveries, 2);
    }
    cove_queue_close(queue);
}

static void become(uid_t uid, bool in_group);

static int read_as_a_stranger(void *context) {
    cove_stream *stream;
    uint64_t got = 0, last = 0;
    int fd;
    become(1234, false);
    if (cove_stream_open(&stream, "s", &(cove_stream_options){.how = COVE_OPEN, .access = COVE_READ_ONLY, .start = COVE_START_NEW}) !=
            COVE_OK ||
        cove_stream_fd(stream, &fd) != COVE_OK)
        return 1;
    *(_Atomic int *)context = 1;
    while (got != 2000) {
        cove_value value;
        if (cove_stream_read(stream, &got, sizeof got, &value, cove_in_ms(10000)) < 0 || value.sequence <= last || got != value.sequence)
            return 2;
        last = value.sequence;
    }
    cove_stream_close(stream);
    return 0;
}

TEST(another_user_reads_a_stream_that_he_may_not_write) {
    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(test_domain, 0755), 0);
    _Atomic int *ready = shared_memory(sizeof *ready);
    cove_stream *writer = make_stream(0644);
    pid_t pid = child(read_as_a_stranger, (void *)ready);
    eventually(*ready);
    for (uint64_t n = 1; n <= 2000; n++)
        expect(COVE_OK, cove_stream_write(writer, &n, sizeof n, 0, COVE_TRY));
    assert_int_equal(end_of(pid), 0);
    cove_stream_close(writer);
    assert_int_equal(chmod(test_domain, 0700), 0);
}

/* ---- Users. */

/* Another user; of the file's group where asked. */
static void become(uid_t uid, bool in_group) {
    gid_t group = getegid();
    if (setgroups(in_group ? 1 : 0, &group) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
        _exit(99);
}

typedef struct attempt {
    uid_t uid;
    cove_access access;
    cove_result wanted;
    bool trusts, in_group;
} attempt;

static int open_as(void *context) {
    const attempt *a = context;
    cove_block *block;
    become(a->uid, a->in_group);
    cove_result result =
        cove_block_open(&block, "b", &(cove_block_options){.how = COVE_OPEN, .access = a->access, .trust_any_owner = a->trusts});
    if (result != a->wanted) {
        fprintf(stderr, "uid %d: %s: %s\n", (int)a->uid, cove_result_name(result), cove_last_error()->sentence);
        return 1;
    }
    return 0;
}

TEST(another_user_gets_what_the_mode_allows) {
    if (geteuid() != 0)
        skip();
    static const struct {
        uint32_t mode;
        bool in_group;
        cove_result reading, writing;
    } cases[] = {{0600, false, COVE_ERR_ACCESS, COVE_ERR_ACCESS},
                 {0600, true, COVE_ERR_ACCESS, COVE_ERR_ACCESS},
                 {0640, false, COVE_ERR_ACCESS, COVE_ERR_ACCESS},
                 {0640, true, COVE_OK, COVE_ERR_ACCESS},
                 {0660, true, COVE_OK, COVE_OK},
                 {0644, false, COVE_OK, COVE_ERR_ACCESS},
                 {0666, false, COVE_OK, COVE_OK}};
    assert_int_equal(chmod(test_domain, 0755), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cove_block *block;
        expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 8, .mode = cases[i].mode}));
        assert_int_equal(end_of(child(open_as, &(attempt){1234, COVE_READ_ONLY, cases[i].reading, false, cases[i].in_group})), 0);
        assert_int_equal(end_of(child(open_as, &(attempt){1234, COVE_READ_WRITE, cases[i].writing, false, cases[i].in_group})), 0);
        cove_block_close(block);
    }
    assert_int_equal(chmod(test_domain, 0700), 0);
}

static int remove_where_nothing_can_be_looked_up(void *context) {
    (void)context;
    cove_block *block;
    expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.how = COVE_OPEN}));
    become(1234, false);
    return cove_block_remove(block) != COVE_ERR_ACCESS;
}

TEST(a_name_that_cannot_be_looked_up_is_not_thought_to_be_gone) {
    if (geteuid() != 0)
        skip();
    cove_block *block;
    uint64_t value = 1;
    expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 8, .mode = 0666}));
    assert_int_equal(end_of(child(remove_where_nothing_can_be_looked_up, NULL)), 0);  /* the domain is 0700 */
    expect(COVE_ERR_TIMEOUT, cove_block_wait(block, 0, cove_now() + 50000000, NULL)); /* and not that it was removed */
    expect(COVE_OK, cove_block_set(block, &value, sizeof value, COVE_TRY));
    assert_int_equal(end_of(child(open_as, &(attempt){0, COVE_READ_WRITE, COVE_OK, false, false})), 0);
    cove_block_close(block);
}

static int make_as(void *context) {
    cove_block *block;
    become(*(uid_t *)context, false);
    return cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 8, .mode = 0666, .lifetime = COVE_UNTIL_REMOVED}) !=
           COVE_OK;
}

TEST(an_object_of_a_stranger_is_refused_unless_it_is_trusted) {
    if (geteuid() != 0)
        skip();
    uid_t stranger = 1111;
    assert_int_equal(chmod(test_domain, 01777), 0);
    assert_int_equal(end_of(child(make_as, &stranger)), 0);
    assert_int_equal(end_of(child(open_as, &(attempt){1234, COVE_READ_WRITE, COVE_ERR_OWNER, false, false})), 0);
    assert_int_equal(end_of(child(open_as, &(attempt){1234, COVE_READ_WRITE, COVE_OK, true, false})), 0);
    assert_int_equal(end_of(child(open_as, &(attempt){1111, COVE_READ_WRITE, COVE_OK, false, false})), 0);
    expect(COVE_OK, cove_remove(NULL, "b", 0));
    assert_int_equal(chmod(test_domain, 0700), 0);
}

static int use_default_domain_of_another(void *context) {
    cove_block *block;
    (void)context;
    become(1234, false);
    unsetenv("COVE_DOMAIN");
    cove_result result = cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 8});
    return result == COVE_ERR_DOMAIN && strstr(cove_last_error()->sentence, "belongs to uid") ? 0 : 1;
}

TEST(a_default_domain_that_somebody_else_has_made_is_refused) {
    if (geteuid() != 0 || access("/dev/shm/cove-1234", F_OK) == 0)
        skip();
    assert_int_equal(mkdir("/dev/shm/cove-1234", 0777), 0);
    int status = end_of(child(use_default_domain_of_another, NULL));
    rmdir("/dev/shm/cove-1234");
    assert_int_equal(status, 0);
}

static int write_through_a_read_only_mapping(void *context) {
    cove_block *block;
    (void)context;
    if (cove_block_open(&block, "b", &(cove_block_options){.how = COVE_OPEN, .access = COVE_READ_ONLY}) != COVE_OK)
        return 1;
    signal(SIGSEGV, SIG_DFL); /* cmocka's handler is for the test */
    *(volatile char *)block->data[0] = 'x';
    return 0;
}

TEST(a_stray_write_of_a_read_only_member_is_stopped_by_the_kernel) {
    cove_block *block;
    char data[8];
    expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 8}));
    expect(COVE_OK, cove_block_set(block, "abc", 3, COVE_TRY));
    int end = end_of(child(write_through_a_read_only_mapping, NULL));
    assert_true(end == -SIGSEGV || (test_is_slow && end > 1)); /* a sanitizer turns the signal into an exit */
    expect(COVE_OK, cove_block_get(block, data, sizeof data, NULL, NULL, COVE_TRY));
    assert_memory_equal(data, "abc", 3);
    cove_block_close(block);
}

static int be_last_reader(void *context) {
    const attempt *a = context;
    cove_block *block;
    become(a->uid, false);
    if (cove_block_open(&block, "b", &(cove_block_options){.how = COVE_OPEN, .access = COVE_READ_ONLY}) != COVE_OK)
        return 1;
    usleep(200000); /* the parent closes meanwhile */
    cove_block_close(block);
    return 0;
}

TEST(a_reader_who_is_the_last_removes_where_it_may_and_leaves_it_to_the_next_call_where_not) {
    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(test_domain, 0755), 0);
    for (int may = 0; may < 2; may++) {
        cove_block *block;
        cove_object_info info;
        expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 8, .mode = 0644}));
        pid_t pid = child(be_last_reader, &(attempt){may ? 0 : 1234, COVE_READ_ONLY, COVE_OK, false, false});
        do {
            expect(COVE_OK, cove_inspect_object(NULL, "b", &info));
        } while (!info.has_readers);
        cove_block_close(block);
        assert_int_equal(count_files(test_domain), 1);
        assert_int_equal(end_of(pid), 0);
        assert_int_equal(count_files(test_domain), may ? 0 : 1);
        expect(COVE_ERR_NOT_FOUND, cove_block_open(&block, "b", &(cove_block_options){.how = COVE_OPEN}));
        assert_int_equal(count_files(test_domain), 0);
    }
    assert_int_equal(chmod(test_domain, 0700), 0);
}

/* ---- File systems. */

static int fill_a_small_file_system(void *context) {
    cove_block *block[64];
    char name[16], *data = calloc(1, 60000);
    int count = 0;
    (void)context;
    if (!mount_privately("tmpfs", test_domain, "size=1m,mode=700"))
        return NOT_HERE;
    cove_result result = cove_block_open(&block[0], "large", &(cove_block_options){.capacity_bytes = 2 << 20});
    if (result != COVE_ERR_SPACE || count_files(test_domain) != 0)
        return 1;
    for (; count < 64; count++) {
        snprintf(name, sizeof name, "b%d", count);
        result = cove_block_open(&block[count], name, &(cove_block_options){.capacity_bytes = 60000, .slots = 1});
        if (result != COVE_OK)
            break;
    }
    if (result != COVE_ERR_SPACE || count < 4 || !strstr(cove_last_error()->sentence, "cannot be reserved"))
        return 2;
    memset(data, 'x', 60000);
    for (int round = 0; round < 3; round++) /* every byte of every block, and of both copies */
        for (int i = 0; i < count; i++)
            if (cove_block_set(block[i], data, 60000, COVE_TRY) != COVE_OK)
                return 3;
    for (int i = 0; i < count; i++)
        cove_block_close(block[i]);
    return count_files(test_domain);
}

TEST(a_full_memory_file_system_is_an_error_and_never_a_bus_error) {
    ran_or_skipped(end_of(child(fill_a_small_file_system, NULL)));
}

static int fill_and_die(void *context) {
    cove_block *block;
    (void)context;
    for (int i = 0; i < 64; i++) {
        char name[16];
        snprintf(name, sizeof name, "dead%d", i);
        if (cove_block_open(&block, name, &(cove_block_options){.capacity_bytes = 60000}) != COVE_OK)
            kill(getpid(), SIGKILL);
    }
    return 1;
}

static int create_where_the_dead_fill_all(void *context) {
    cove_block *block;
    (void)context;
    if (!mount_privately("tmpfs", test_domain, "size=1m,mode=700"))
        return NOT_HERE;
    if (end_of(child(fill_and_die, NULL)) != -SIGKILL || count_files(test_domain) < 4)
        return 1;
    cove_result result = cove_block_open(&block, "mine", &(cove_block_options){.capacity_bytes = 300000});
    return result == COVE_OK ? 0 : 2;
}

TEST(where_the_dead_fill_the_file_system_creation_makes_room_by_itself) {
    ran_or_skipped(end_of(child(create_where_the_dead_fill_all, NULL)));
}

static int die_with_a_lock(void *context) {
    cove_block *block;
    cove_block_view view;
    if (cove_block_open(&block, "b", &(cove_block_options){.domain = context, .how = COVE_OPEN}) != COVE_OK ||
        cove_block_lock_write(block, &view, COVE_TRY) != COVE_OK)
        return 1;
    kill(getpid(), SIGKILL);
    return 2;
}

TEST(a_domain_on_a_disk_works_the_same_or_is_refused_by_the_name_of_its_file_system) {
    char path[] = "/var/tmp/cove-test-XXXXXX", text[8];
    cove_block *block;
    cove_domain_info info;
    assert_non_null(mkdtemp(path));
    expect(COVE_OK, cove_inspect_domain(path, &info));
    cove_block_options options = {.domain = path, .capacity_bytes = 100000, .lifetime = COVE_UNTIL_REMOVED};
    cove_result result = cove_block_open(&block, "b", &options);
    printf("    %s: %s\n", info.file_system, result == COVE_OK ? "works" : cove_last_error()->sentence);
    if (result == COVE_OK) {
        expect(COVE_OK, cove_block_set(block, "kept", 4, COVE_TRY));
        assert_int_equal(end_of(child(die_with_a_lock, path)), -SIGKILL);
        cove_block_close(block);
        expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.domain = path, .how = COVE_OPEN}));
        expect(COVE_OK, cove_block_get(block, text, sizeof text, NULL, NULL, COVE_TRY));
        assert_memory_equal(text, "kept", 4);
        cove_block_close(block);
        expect(COVE_OK, cove_remove(path, "b", 0));
    } else {
        expect_words(COVE_ERR_DOMAIN, info.file_system, result);
    }
    assert_int_equal(rmdir(path), 0);
}

static int use_an_overlay(void *context) {
    cove_block *block;
    char command[512], merged[128];
    (void)context;
    if (!mount_privately("tmpfs", test_domain, "mode=700"))
        return NOT_HERE;
    snprintf(command, sizeof command,
             "cd %s && mkdir .l .u .w .m && mount -t overlay none -o lowerdir=.l,upperdir=.u,workdir=.w .m 2>/dev/null", test_domain);
    if (system(command) != 0)
        return NOT_HERE;
    snprintf(merged, sizeof merged, "%s/.m", test_domain);
    cove_result result = cove_block_open(&block, "b", &(cove_block_options){.domain = merged, .capacity_bytes = 8});
    return result == COVE_ERR_DOMAIN && strstr(cove_last_error()->sentence, "overlayfs") ? 0 : 1;
}

TEST(an_overlay_whose_locks_do_not_last_is_refused_by_name) {
    ran_or_skipped(end_of(child(use_an_overlay, NULL)));
}

static int use_huge_pages(void *context) {
    cove_block *block;
    (void)context;
    if (!mount_privately("hugetlbfs", test_domain, "mode=700"))
        return NOT_HERE;
    cove_result result = cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 100});
    if (result == COVE_ERR_SPACE || result == COVE_ERR_MEMORY)
        return printf("    no huge pages are set aside here: sysctl vm.nr_hugepages=16\n"), NOT_HERE;
    if (result != COVE_OK || cove_block_set(block, "x", 1, COVE_TRY) != COVE_OK)
        return 1;
    cove_block_close(block);
    return count_files(test_domain);
}

TEST(a_domain_on_hugetlbfs_works_where_there_are_huge_pages) {
    ran_or_skipped(end_of(child(use_huge_pages, NULL)));
}

static int live_without_proc(void *context) {
    cove_block *one, *two;
    cove_opened opened;
    char text[8];
    (void)context;
    if (!mount_privately("tmpfs", "/proc", "size=4k"))
        return NOT_HERE;
    for (int round = 0; round < 3; round++) {
        if (cove_block_open(&one, "b", &(cove_block_options){.capacity_bytes = 8, .opened = &opened}) != COVE_OK || !opened.created)
            return fprintf(stderr, "%s\n", cove_last_error()->sentence), 1;
        if (cove_block_open(&two, "b", NULL) != COVE_OK || cove_block_set(one, "abc", 3, COVE_TRY) != COVE_OK)
            return 2;
        if (end_of(child(die_with_a_lock, NULL)) != -SIGKILL || cove_block_set(two, "xyz", 3, cove_in_ms(2000)) != COVE_OK ||
            cove_block_get(one, text, sizeof text, NULL, NULL, COVE_TRY) != COVE_OK || memcmp(text, "xyz", 3))
            return 3;
        cove_block_close(one);
        cove_block_close(two);
        if (count_files(test_domain))
            return 4;
    }
    return 0;
}

TEST(without_proc_everything_goes_by_name) {
    ran_or_skipped(end_of(child(live_without_proc, NULL)));
}

/* ---- Other ways to the same place, and other versions. */

/* As a container sees a domain of its host: under another path, through a mount of its own. */
static int come_by_another_path(void *context) {
    char path[256];
    cove_block *block;
    cove_opened opened;
    (void)context;
    snprintf(path, sizeof path, "%s/inside", getenv("COVE_TEST_OTHER"));
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount(test_domain, path, NULL, MS_BIND, NULL) != 0)
        return NOT_HERE;
    if (cove_block_open(&block, "b", &(cove_block_options){.domain = path, .opened = &opened}) != COVE_OK || opened.created)
        return fprintf(stderr, "%s\n", cove_last_error()->sentence), 1;
    uint64_t version = cove_block_version(block);
    if (cove_block_set(block, "inside", 6, COVE_TRY) != COVE_OK)
        return 2;
    if (cove_block_wait(block, version + 1, cove_in_ms(20000), NULL) != COVE_OK) /* the other side answers */
        return 3;
    cove_block_view view;
    if (cove_block_lock_write(block, &view, cove_in_ms(1000)) < 0)
        return 4;
    kill(getpid(), SIGKILL);
    return 5;
}

TEST(a_domain_that_is_mounted_elsewhere_too_is_the_same_domain) {
    char other[] = "/tmp/cove-test-XXXXXX", inside[64], text[8];
    cove_block *block;
    assert_non_null(mkdtemp(other));
    snprintf(inside, sizeof inside, "%s/inside", other);
    assert_int_equal(mkdir(inside, 0700), 0);
    setenv("COVE_TEST_OTHER", other, 1);
    expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 8}));
    uint64_t version = cove_block_version(block);
    pid_t pid = child(come_by_another_path, NULL);
    if (cove_block_wait(block, version, cove_in_ms(20000), NULL) == COVE_OK) {
        expect(COVE_OK, cove_block_get(block, text, sizeof text, NULL, NULL, COVE_TRY));
        assert_memory_equal(text, "inside", 6);
        expect(COVE_OK, cove_block_set(block, "outside", 7, COVE_TRY));
    }
    int end = end_of(pid);
    rmdir(inside);
    rmdir(other);
    if (end == -SIGKILL)
        expect(COVE_OK, cove_block_set(block, "taken", 5, cove_in_ms(1000))); /* from the dead */
    cove_block_close(block);
    ran_or_skipped(end == -SIGKILL ? 0 : end);
}

static void set_layout(const char *name, int major, int minor) {
    char path[512];
    covei_facts_shm facts;
    snprintf(path, sizeof path, "%s/%s", test_domain, name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, &facts, sizeof facts, 0), sizeof facts);
    facts.layout_major = (uint16_t)(facts.layout_major + major);
    facts.layout_minor = (uint16_t)(facts.layout_minor + minor);
    facts.checksum = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t i = 0; i < offsetof(covei_facts_shm, checksum); i++)
        facts.checksum = (facts.checksum ^ ((const uint8_t *)&facts)[i]) * UINT64_C(0x100000001b3);
    assert_int_equal(pwrite(fd, &facts, sizeof facts, 0), sizeof facts);
    close(fd);
}

TEST(an_object_of_another_minor_layout_is_opened_and_of_another_major_one_is_named) {
    cove_block *block;
    char text[8];
    for (int minor = -1; minor <= 1; minor++) {
        expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 8, .lifetime = COVE_UNTIL_REMOVED}));
        expect(COVE_OK, cove_block_set(block, "kept", 4, COVE_TRY));
        cove_block_close(block);
        set_layout("b", 0, minor);
        expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.how = COVE_OPEN}));
        expect(COVE_OK, cove_block_get(block, text, sizeof text, NULL, NULL, COVE_TRY));
        assert_memory_equal(text, "kept", 4);
        cove_block_close(block);
        set_layout("b", 1, 0);
        expect_words(COVE_ERR_VERSION, "speaks layout", cove_block_open(&block, "b", &(cove_block_options){.how = COVE_OPEN}));
        expect(COVE_OK, cove_gc(NULL, 0, NULL, NULL, NULL));
        assert_int_equal(count_files(test_domain), 1); /* a newer one's is not touched */
        set_layout("b", -1, 0);
        expect(COVE_OK, cove_remove(NULL, "b", 0));
    }
}

/* ---- Many. */

static uint64_t time_of_opens(void) {
    cove_time_ns began = cove_now();
    for (int i = 0; i < 500; i++) {
        cove_block *block;
        expect(COVE_OK, cove_block_open(&block, "fresh", &(cove_block_options){.capacity_bytes = 8, .slots = 1}));
        cove_block_close(block);
    }
    return cove_now() - began;
}

static bool count_one(void *context, const cove_object_info *info) {
    *(int *)context += info->state == COVE_OK;
    return true;
}

TEST(ten_thousand_segments_are_listed_within_a_second_and_make_no_open_slower) {
    const int most = test_is_slow ? 2000 : 10000;
    int seen = 0;
    uint64_t before = time_of_opens();
    for (int i = 0; i < most; i++) {
        cove_block *block;
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        expect(COVE_OK,
               cove_block_open(&block, name, &(cove_block_options){.capacity_bytes = 8, .slots = 1, .lifetime = COVE_UNTIL_REMOVED}));
        cove_block_close(block);
    }
    uint64_t after = time_of_opens();
    cove_time_ns began = cove_now();
    expect(COVE_OK, cove_inspect_list(NULL, count_one, &seen));
    uint64_t listing = cove_now() - began;
    assert_int_equal(seen, most);
    printf("    listed in %.0f ms; create and close took %.1f us in an empty domain, %.1f us in this one\n", (double)listing / 1e6,
           (double)before / 5e5, (double)after / 5e5);
    assert_true(listing < UINT64_C(1000000000));
    assert_true(after < 5 * before);
    for (int i = 0; i < most; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        expect(COVE_OK, cove_remove(NULL, name, 0));
    }
}

TEST(a_table_of_4096_slots_works) {
    cove_block *block[3];
    for (int i = 0; i < 3; i++)
        expect(COVE_OK,
               cove_block_open(&block[i], "b", &(cove_block_options){.capacity_bytes = 8, .slots = 4096, .flags = COVE_BLOCK_SINGLE}));
    for (int i = 0; i < 3; i++)
        expect(COVE_OK, cove_block_set(block[i], "x", 1, COVE_TRY));
    for (int i = 0; i < 3; i++)
        cove_block_close(block[i]);
}

TEST(a_thousand_attachments_to_one_segment_work_and_end) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    static cove_block *block[1000];
    int most = limit.rlim_cur < 1100 ? (int)limit.rlim_cur - 100 : 1000;
    cove_object_info info;
    for (int i = 0; i < most; i++)
        expect(COVE_OK, cove_block_open(&block[i], "b", &(cove_block_options){.capacity_bytes = 8, .slots = 1024}));
    for (int i = 0; i < most; i += 7)
        expect(COVE_OK, cove_block_set(block[i], &i, sizeof i, cove_in_ms(10000)));
    expect(COVE_OK, cove_inspect_object(NULL, "b", &info));
    assert_int_equal(info.live_count, most);
    for (int i = 0; i < most; i++)
        cove_block_close(block[i]);
    assert_int_equal(count_files(test_domain), 0);
}

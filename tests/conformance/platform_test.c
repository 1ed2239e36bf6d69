/* The conformance suite of platform.h: a test for each numbered condition, named c_<function>_<condition>_…. A back end of another
 * system has to pass it unchanged; broken.c breaks each number in turn, to show that the suite would notice. */
#include "tests/support.h"

#include "platform/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

/* ---- Helpers. A fixture is a directory of the test's own, with paths into it. */

static char path_buffer[4][512];
static const char *in_domain(const char *name) {
    static unsigned next;
    char *out = path_buffer[next++ % 4];
    snprintf(out, 512, "%s/%s", test_domain, name);
    return out;
}

static covei_dir open_dir(const char *path) {
    covei_dir dir;
    expect(COVE_OK, covei_dir_open(path, &dir));
    return dir;
}

static covei_file make_named(covei_dir dir, const char *name, uint64_t bytes) {
    covei_file file;
    expect(COVE_OK, covei_file_create(dir, name, 0600, &file));
    if (bytes)
        expect(COVE_OK, covei_file_reserve(file, bytes));
    return file;
}

static covei_file open_file(covei_dir dir, const char *name, cove_access access) {
    covei_file file;
    expect(COVE_OK, covei_file_open(dir, name, access, &file));
    return file;
}

static void write_file(const char *name, const char *text) {
    FILE *out = fopen(in_domain(name), "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static int count_descriptors(void) {
    int count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static bool is_free(const char *name, uint64_t byte) {
    covei_dir dir = open_dir(test_domain);
    covei_file file = open_file(dir, name, COVE_READ_WRITE);
    covei_lock held;
    expect(COVE_OK, covei_lock_probe(file, byte, COVEI_LOCK_EXCLUSIVE, &held));
    covei_file_close(file);
    covei_dir_close(dir);
    return held == COVEI_LOCK_FREE;
}

static void become_somebody(void) {
    if (setgroups(0, NULL) || setresgid(1234, 1234, 1234) || setresuid(1234, 1234, 1234))
        _exit(99);
}

#define BYTE (UINT64_C(1) << 62)

/* ---- 1 to 9: directories. */

TEST(c_1_1_a_directory_is_made_with_exactly_its_mode) {
    struct stat facts;
    mode_t before = umask(0277);
    expect(COVE_OK, covei_dir_create(in_domain("d"), 02770));
    umask(before);
    assert_int_equal(stat(in_domain("d"), &facts), 0);
    assert_int_equal(facts.st_mode, S_IFDIR | 02770);
    rmdir(in_domain("d"));
}

TEST(c_1_2_something_else_in_its_place_stays) {
    struct stat facts;
    write_file("f", "x");
    expect(COVE_ERR_DOMAIN, covei_dir_create(in_domain("f"), 0700));
    assert_int_equal(stat(in_domain("f"), &facts), 0);
    assert_true(S_ISREG(facts.st_mode));
    assert_int_equal(symlink("/tmp", in_domain("l")), 0);
    expect(COVE_ERR_DOMAIN, covei_dir_create(in_domain("l"), 0700));
    unlink(in_domain("f"));
    unlink(in_domain("l"));
}

static int change_another_s_directory(void *context) {
    become_somebody();
    return covei_dir_create(context, 0700) == COVE_ERR_ACCESS ? 0 : 1;
}

TEST(c_1_3_another_user_s_directory_of_another_mode_is_not_changed) {
    if (geteuid() != 0)
        skip();
    chmod(test_domain, 0755);
    assert_int_equal(mkdir(in_domain("d"), 0755), 0);
    assert_int_equal(end_of(child(change_another_s_directory, (void *)in_domain("d"))), 0);
    chmod(test_domain, 0700);
    rmdir(in_domain("d"));
}

TEST(c_2_1_only_a_directory_opens) {
    covei_dir dir;
    write_file("f", "x");
    expect(COVE_ERR_DOMAIN, covei_dir_open(in_domain("f"), &dir));
    unlink(in_domain("f"));
    covei_dir_close(open_dir(test_domain));
}

TEST(c_2_2_a_link_to_a_directory_does_not_open) {
    covei_dir dir;
    assert_int_equal(symlink("/tmp", in_domain("l")), 0);
    expect(COVE_ERR_DOMAIN, covei_dir_open(in_domain("l"), &dir));
    unlink(in_domain("l"));
}

TEST(c_2_3_nothing_there_is_not_found) {
    covei_dir dir;
    expect(COVE_ERR_NOT_FOUND, covei_dir_open(in_domain("none"), &dir));
}

TEST(c_2_4_the_handle_does_not_pass_through_exec) {
    covei_dir dir = open_dir(test_domain);
    int status;
    const char *list = run(&status, "ls -l /proc/self/fd | grep -c %s", test_domain);
    assert_int_equal(atoi(list), 0);
    covei_dir_close(dir);
}

TEST(c_3_1_opening_and_closing_leaves_no_descriptor) {
    int before = count_descriptors();
    for (int i = 0; i < 50; i++)
        covei_dir_close(open_dir(test_domain));
    assert_int_equal(count_descriptors(), before);
}

TEST(c_4_1_identity_tells_directories_apart) {
    covei_dir_facts one, same, other;
    covei_dir a = open_dir(test_domain), b = open_dir(test_domain), c = open_dir("/tmp");
    expect(COVE_OK, covei_dir_look(a, &one));
    expect(COVE_OK, covei_dir_look(b, &same));
    expect(COVE_OK, covei_dir_look(c, &other));
    assert_true(covei_identity_equal(one.identity, same.identity));
    assert_false(covei_identity_equal(one.identity, other.identity));
    covei_dir_close(a);
    covei_dir_close(b);
    covei_dir_close(c);
}

TEST(c_4_2_owner_and_mode_are_told) {
    covei_dir_facts facts;
    covei_dir dir = open_dir(test_domain);
    chmod(test_domain, 01750);
    expect(COVE_OK, covei_dir_look(dir, &facts));
    chmod(test_domain, 0700);
    assert_int_equal(facts.mode, 01750);
    assert_int_equal(facts.owner_uid, geteuid());
    covei_dir_close(dir);
}

TEST(c_4_3_a_handle_that_is_closed_is_lost) {
    covei_dir_facts facts;
    covei_dir dir = open_dir(test_domain);
    close((int)dir.handle);
    expect(COVE_ERR_LOST, covei_dir_look(dir, &facts));
}

TEST(c_5_1_the_granule_is_a_power_of_two) {
    covei_volume_facts facts;
    covei_dir dir = open_dir(test_domain);
    expect(COVE_OK, covei_dir_volume(dir, &facts));
    assert_true(facts.granule_bytes >= 4096 && !(facts.granule_bytes & (facts.granule_bytes - 1)));
    covei_dir_close(dir);
}

TEST(c_5_2_free_space_shrinks_by_what_is_reserved) {
    covei_volume_facts before, after;
    covei_dir dir = open_dir(test_domain);
    expect(COVE_OK, covei_dir_volume(dir, &before));
    covei_file file = make_named(dir, "f", 32 << 20);
    expect(COVE_OK, covei_dir_volume(dir, &after));
    assert_true(before.free_bytes >= after.free_bytes + (24 << 20)); /* others may have freed a little meanwhile */
    covei_file_close(file);
    unlink(in_domain("f"));
    covei_dir_close(dir);
}

TEST(c_5_3_a_file_system_that_is_not_on_the_list_is_not_known) {
    covei_volume_facts facts;
    covei_dir dir = open_dir("/proc"), good = open_dir(test_domain);
    expect(COVE_OK, covei_dir_volume(dir, &facts));
    assert_false(facts.is_known);
    expect(COVE_OK, covei_dir_volume(good, &facts));
    assert_true(facts.is_known);
    covei_dir_close(dir);
    covei_dir_close(good);
}

typedef struct seen {
    int count[64];
    int total, stop_after;
} seen;

static bool note_name(void *context, const char *name) {
    seen *s = context;
    int n;
    if (sscanf(name, "n%d", &n) == 1 && n >= 0 && n < 64)
        s->count[n]++;
    s->total++;
    return !s->stop_after || s->total < s->stop_after;
}

static void make_names(int count) {
    for (int i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        write_file(name, "");
    }
}

static void remove_names(void) {
    int status;
    run(&status, "rm -f %s/n*", test_domain);
}

TEST(c_6_1_every_entry_is_told_once) {
    seen s = {0};
    covei_dir dir = open_dir(test_domain);
    make_names(64);
    expect(COVE_OK, covei_dir_list(dir, note_name, &s));
    for (int i = 0; i < 64; i++)
        assert_int_equal(s.count[i], 1);
    assert_int_equal(s.total, 64);
    remove_names();
    covei_dir_close(dir);
}

TEST(c_6_2_listing_stops_when_it_is_told_to) {
    seen s = {.stop_after = 3};
    covei_dir dir = open_dir(test_domain);
    make_names(20);
    expect(COVE_OK, covei_dir_list(dir, note_name, &s));
    assert_int_equal(s.total, 3);
    remove_names();
    covei_dir_close(dir);
}

TEST(c_6_3_the_handle_has_no_position_that_matters) {
    covei_dir dir = open_dir(test_domain);
    make_names(20);
    for (int round = 0; round < 2; round++) {
        seen s = {0};
        expect(COVE_OK, covei_dir_list(dir, note_name, &s));
        assert_int_equal(s.total, 20);
    }
    remove_names();
    covei_dir_close(dir);
}

TEST(c_7_1_a_sample_has_its_limit) {
    seen s = {0};
    covei_dir dir = open_dir(test_domain);
    make_names(40);
    expect(COVE_OK, covei_dir_sample(dir, 4, note_name, &s));
    assert_true(s.total > 0 && s.total <= 4);
    remove_names();
    covei_dir_close(dir);
}

TEST(c_7_2_every_entry_has_a_chance_to_be_in_a_sample) {
    seen s = {0};
    covei_dir dir = open_dir(test_domain);
    make_names(64);
    for (int i = 0; i < 3000; i++)
        expect(COVE_OK, covei_dir_sample(dir, 4, note_name, &s));
    for (int i = 0; i < 64; i++)
        if (!s.count[i])
            fail_msg("entry %d was never told", i);
    remove_names();
    covei_dir_close(dir);
}

TEST(c_8_1_the_environment_names_the_default) {
    char path[512];
    bool is_private = true;
    setenv("COVE_DOMAIN", "/some/where", 1);
    expect(COVE_OK, covei_dir_default(path, sizeof path, &is_private));
    setenv("COVE_DOMAIN", test_domain, 1);
    assert_string_equal(path, "/some/where");
    assert_false(is_private);
}

static int default_of_somebody(void *context) {
    char path[512];
    bool is_private;
    become_somebody();
    return covei_dir_default(path, sizeof path, &is_private) == COVE_OK && strcmp(path, context) ? 0 : 1;
}

TEST(c_8_2_without_it_each_user_has_another) {
    char path[512];
    bool is_private = false;
    if (geteuid() != 0)
        skip();
    setenv("COVE_DOMAIN", "", 1);
    expect(COVE_OK, covei_dir_default(path, sizeof path, &is_private));
    int status = end_of(child(default_of_somebody, path));
    setenv("COVE_DOMAIN", test_domain, 1);
    assert_int_equal(status, 0);
    assert_true(is_private);
}

TEST(c_8_3_a_path_that_does_not_fit_is_told) {
    char path[512] = "";
    bool is_private;
    expect(COVE_ERR_SIZE, covei_dir_default(path, 5, &is_private));
}

TEST(c_9_1_an_absolute_path_leads_there_from_anywhere) {
    char path[4096], home[4096];
    struct stat one, two;
    assert_non_null(getcwd(home, sizeof home));
    assert_int_equal(chdir(test_domain), 0);
    expect(COVE_OK, covei_dir_absolute(".", path, sizeof path));
    stat(".", &one);
    assert_int_equal(chdir("/"), 0);
    int failed = stat(path, &two);
    assert_int_equal(chdir(home), 0);
    assert_int_equal(failed, 0);
    assert_int_equal(one.st_ino, two.st_ino);
}

/* ---- 10 to 19: files. */

TEST(c_10_1_opening_never_creates) {
    covei_file file;
    covei_dir dir = open_dir(test_domain);
    cove_result result = covei_file_open(dir, "none", COVE_READ_WRITE, &file);
    assert_true(result != COVE_OK);
    assert_int_equal(count_files(test_domain), 0);
    covei_dir_close(dir);
}

TEST(c_10_2_a_symbolic_link_is_foreign) {
    covei_file file;
    covei_dir dir = open_dir(test_domain);
    assert_int_equal(symlink("/etc/passwd", in_domain("l")), 0);
    expect(COVE_ERR_FOREIGN, covei_file_open(dir, "l", COVE_READ_ONLY, &file));
    unlink(in_domain("l"));
    covei_dir_close(dir);
}

static int open_what_is_forbidden(void *context) {
    covei_dir dir;
    covei_file file;
    (void)context;
    become_somebody();
    if (covei_dir_open(test_domain, &dir) != COVE_OK)
        return 1;
    return covei_file_open(dir, "f", COVE_READ_ONLY, &file) == COVE_ERR_ACCESS &&
                   covei_file_open(dir, "none", COVE_READ_ONLY, &file) == COVE_ERR_NOT_FOUND
               ? 0
               : 2;
}

TEST(c_10_3_nothing_there_and_not_permitted_are_told_apart) {
    if (geteuid() != 0)
        skip();
    write_file("f", "x");
    chmod(in_domain("f"), 0600);
    chmod(test_domain, 0755);
    assert_int_equal(end_of(child(open_what_is_forbidden, NULL)), 0);
    chmod(test_domain, 0700);
    unlink(in_domain("f"));
}

static int open_a_pipe(void *context) {
    covei_dir dir;
    covei_file file;
    (void)context;
    alarm(2);
    if (covei_dir_open(test_domain, &dir) != COVE_OK)
        return 1;
    cove_result result = covei_file_open(dir, "p", COVE_READ_ONLY, &file);
    return result == COVE_OK || result < 0 ? 0 : 2;
}

TEST(c_10_4_opening_does_not_block) {
    assert_int_equal(mkfifo(in_domain("p"), 0600), 0);
    assert_int_equal(end_of(child(open_a_pipe, NULL)), 0);
    unlink(in_domain("p"));
}

TEST(c_10_5_what_is_opened_for_reading_cannot_be_written) {
    covei_dir dir = open_dir(test_domain);
    covei_file_close(make_named(dir, "f", 4096));
    covei_file file = open_file(dir, "f", COVE_READ_ONLY);
    void *address;
    assert_true(covei_map(file, 4096, COVE_READ_WRITE, 0, &address) != COVE_OK);
    covei_file_close(file);
    unlink(in_domain("f"));
    covei_dir_close(dir);
}

TEST(c_11_1_a_nameless_file_has_no_entry) {
    covei_file file;
    covei_dir dir = open_dir(test_domain);
    expect(COVE_OK, covei_file_create(dir, NULL, 0600, &file));
    assert_int_equal(count_files(test_domain), 0);
    covei_file_close(file);
    assert_int_equal(count_files(test_domain), 0);
    covei_dir_close(dir);
}

TEST(c_11_2_a_file_has_exactly_its_mode) {
    covei_file_facts facts;
    covei_dir dir = open_dir(test_domain);
    for (int named = 0; named < 2; named++) {
        covei_file file;
        mode_t before = umask(0777);
        cove_result result = covei_file_create(dir, named ? "f" : NULL, 0664, &file);
        umask(before);
        expect(COVE_OK, result);
        expect(COVE_OK, covei_file_look(file, &facts));
        assert_int_equal(facts.mode, 0664);
        covei_file_close(file);
    }
    unlink(in_domain("f"));
    covei_dir_close(dir);
}

TEST(c_11_3_a_hidden_name_that_exists_is_not_opened) {
    covei_file file;
    covei_dir dir = open_dir(test_domain);
    write_file("f", "x");
    expect(COVE_ERR_EXISTS, covei_file_create(dir, "f", 0600, &file));
    unlink(in_domain("f"));
    covei_dir_close(dir);
}

TEST(c_11_4_a_file_system_without_nameless_files_says_so) {
    covei_file file;
    covei_dir dir = open_dir("/proc");
    expect(COVE_ERR_UNSUPPORTED, covei_file_create(dir, NULL, 0600, &file));
    covei_dir_close(dir);
}

TEST(c_12_1_reserved_bytes_have_their_memory) {
    covei_file_facts facts;
    covei_dir dir = open_dir(test_domain);
    covei_file file = make_named(dir, "f", 3 << 20);
    expect(COVE_OK, covei_file_look(file, &facts));
    assert_true(facts.size_bytes >= 3 << 20 && facts.allocated_bytes >= 3 << 20);
    covei_file_close(file);
    unlink(in_domain("f"));
    covei_dir_close(dir);
}

static int reserve_too_much(void *context) {
    covei_dir dir;
    covei_file file;
    (void)context;
    if (!mount_privately("tmpfs", test_domain, "size=1m"))
        return NOT_HERE;
    if (covei_dir_open(test_domain, &dir) != COVE_OK || covei_file_create(dir, NULL, 0600, &file) != COVE_OK)
        return 1;
    return covei_file_reserve(file, 2 << 20) == COVE_ERR_SPACE ? 0 : 2;
}

TEST(c_12_2_too_little_space_is_told) {
    ran_or_skipped(end_of(child(reserve_too_much, NULL)));
}

TEST(c_12_3_new_bytes_read_as_zero) {
    char data[4096], zero[4096] = {0};
    size_t got;
    covei_dir dir = open_dir(test_domain);
    covei_file file = make_named(dir, "f", 8192);
    expect(COVE_OK, covei_file_read(file, 4096, data, sizeof data, &got));
    assert_int_equal(got, 4096);
    assert_memory_equal(data, zero, 4096);
    covei_file_close(file);
    unlink(in_domain("f"));
    covei_dir_close(dir);
}

/* A file of the named or of the nameless kind, ready to be published. */
static covei_file newborn(covei_dir dir, const char *hidden) {
    covei_file file;
    expect(COVE_OK, covei_file_create(dir, hidden, 0600, &file));
    expect(COVE_OK, covei_file_reserve(file, 4096));
    return file;
}

TEST(c_13_1_a_published_name_leads_to_the_file) {
    covei_dir dir = open_dir(test_domain);
    for (int i = 0; i < 2; i++) {
        covei_file_facts facts, found;
        const char *hidden = i ? ".hidden" : NULL;
        covei_file file = newborn(dir, hidden);
        expect(COVE_OK, covei_file_publish(dir, file, hidden, "name"));
        expect(COVE_OK, covei_file_look(file, &facts));
        expect(COVE_OK, covei_file_find(dir, "name", &found));
        assert_true(covei_identity_equal(facts.identity, found.identity));
        covei_file_close(file);
        unlink(in_domain("name"));
    }
    covei_dir_close(dir);
}

TEST(c_13_2_a_name_that_is_taken_leads_where_it_led) {
    covei_file_facts before, after;
    covei_dir dir = open_dir(test_domain);
    write_file("name", "x");
    expect(COVE_OK, covei_file_find(dir, "name", &before));
    for (int i = 0; i < 2; i++) {
        const char *hidden = i ? ".hidden" : NULL;
        covei_file file = newborn(dir, hidden);
        expect(COVE_ERR_EXISTS, covei_file_publish(dir, file, hidden, "name"));
        expect(COVE_OK, covei_file_find(dir, "name", &after));
        assert_true(covei_identity_equal(before.identity, after.identity));
        covei_file_close(file);
    }
    unlink(in_domain(".hidden"));
    unlink(in_domain("name"));
    covei_dir_close(dir);
}

TEST(c_13_3_the_hidden_name_goes) {
    covei_dir dir = open_dir(test_domain);
    covei_file file = newborn(dir, ".hidden");
    expect(COVE_OK, covei_file_publish(dir, file, ".hidden", "name"));
    assert_int_equal(access(in_domain(".hidden"), F_OK), -1);
    covei_file_close(file);
    unlink(in_domain("name"));
    covei_dir_close(dir);
}

TEST(c_13_4_a_hidden_name_that_has_gone_is_told) {
    covei_dir dir = open_dir(test_domain);
    covei_file file = newborn(dir, ".hidden");
    unlink(in_domain(".hidden"));
    expect(COVE_ERR_NOT_FOUND, covei_file_publish(dir, file, ".hidden", "name"));
    covei_file_close(file);
    covei_dir_close(dir);
}

TEST(c_14_1_a_file_that_lost_its_name_can_be_opened_again) {
    covei_file again;
    covei_file_facts one, two;
    covei_dir dir = open_dir(test_domain);
    covei_file file = make_named(dir, "f", 4096);
    unlink(in_domain("f"));
    expect(COVE_OK, covei_file_reopen(file, COVE_READ_WRITE, &again));
    expect(COVE_OK, covei_file_look(file, &one));
    expect(COVE_OK, covei_file_look(again, &two));
    assert_true(covei_identity_equal(one.identity, two.identity));
    covei_file_close(file);
    covei_file_close(again);
    covei_dir_close(dir);
}

TEST(c_14_2_locks_of_two_descriptions_conflict) {
    covei_file again;
    covei_dir dir = open_dir(test_domain);
    covei_file file = make_named(dir, "f", 4096);
    expect(COVE_OK, covei_file_reopen(file, COVE_READ_WRITE, &again));
    expect(COVE_OK, covei_lock_try(file, BYTE, COVEI_LOCK_EXCLUSIVE));
    expect(COVE_ERR_BUSY, covei_lock_try(again, BYTE, COVEI_LOCK_EXCLUSIVE));
    covei_file_close(file);
    covei_file_close(again);
    unlink(in_domain("f"));
    covei_dir_close(dir);
}

static int reopen_without_proc(void *context) {
    covei_dir dir;
    covei_file file, again;
    (void)context;
    if (covei_dir_open(test_domain, &dir) != COVE_OK || covei_file_create(dir, NULL, 0600, &file) != COVE_OK)
        return 1;
    if (!mount_privately("tmpfs", "/proc", "size=4k"))
        return NOT_HERE;
    return covei_file_reopen(file, COVE_READ_WRITE, &again) == COVE_ERR_UNSUPPORTED ? 0 : 2;
}

TEST(c_14_3_a_system_that_cannot_says_so) {
    ran_or_skipped(end_of(child(reopen_without_proc, NULL)));
}

TEST(c_15_1_closing_ends_the_locks) {
    covei_dir dir = open_dir(test_domain);
    covei_file file = make_named(dir, "f", 4096);
    expect(COVE_OK, covei_lock_try(file, BYTE, COVEI_LOCK_EXCLUSIVE));
    assert_false(is_free("f", BYTE));
    covei_file_close(file);
    assert_true(is_free("f", BYTE));
    unlink(in_domain("f"));
    covei_dir_close(dir);
}

TEST(c_16_1_identity_tells_files_apart) {
    covei_file_facts one, same, other;
    covei_dir dir = open_dir(test_domain);
    covei_file a = make_named(dir, "a", 0), a2 = open_file(dir, "a", COVE_READ_ONLY), b = make_named(dir, "b", 0);
    expect(COVE_OK, covei_file_look(a, &one));
    expect(COVE_OK, covei_file_look(a2, &same));
    expect(COVE_OK, covei_file_look(b, &other));
    assert_true(covei_identity_equal(one.identity, same.identity));
    assert_false(covei_identity_equal(one.identity, other.identity));
    covei_file_close(a);
    covei_file_close(a2);
    covei_file_close(b);
    unlink(in_domain("a"));
    unlink(in_domain("b"));
    covei_dir_close(dir);
}

TEST(c_16_2_a_pipe_is_no_regular_file) {
    covei_file_facts facts;
    covei_dir dir = open_dir(test_domain);
    assert_int_equal(mkfifo(in_domain("p"), 0600), 0);
    covei_file file = open_file(dir, "p", COVE_READ_ONLY);
    expect(COVE_OK, covei_file_look(file, &facts));
    assert_false(facts.is_regular);
    covei_file_close(file);
    unlink(in_domain("p"));
    covei_dir_close(dir);
}

TEST(c_16_3_a_file_knows_when_its_name_has_gone) {
    covei_file_facts facts;
    covei_dir dir = open_dir(test_domain);
    covei_file file = make_named(dir, "f", 0);
    expect(COVE_OK, covei_file_look(file, &facts));
    assert_true(facts.has_name);
    unlink(in_domain("f"));
    expect(COVE_OK, covei_file_look(file, &facts));
    assert_false(facts.has_name);
    covei_file_close(file);
    covei_dir_close(dir);
}

TEST(c_16_4_a_handle_that_is_closed_is_lost) {
    covei_file_facts facts;
    covei_dir dir = open_dir(test_domain);
    covei_file file = make_named(dir, "f", 0);
    close((int)file.handle);
    expect(COVE_ERR_LOST, covei_file_look(file, &facts));
    unlink(in_domain("f"));
    covei_dir_close(dir);
}

TEST(c_17_1_find_tells_what_look_tells) {
    covei_file_facts one, two;
    covei_dir dir = open_dir(test_domain);
    covei_file file = make_named(dir, "f", 4096);
    expect(COVE_OK, covei_file_look(file, &one));
    expect(COVE_OK, covei_file_find(dir, "f", &two));
    assert_true(covei_identity_equal(one.identity, two.identity));
    assert_int_equal(one.size_bytes, two.size_bytes);
    assert_int_equal(one.mode, two.mode);
    covei_file_close(file);
    unlink(in_domain("f"));
    covei_dir_close(dir);
}

TEST(c_17_2_find_tells_that_nothing_is_there) {
    covei_file_facts facts;
    covei_dir dir = open_dir(test_domain);
    expect(COVE_ERR_NOT_FOUND, covei_file_find(dir, "none", &facts));
    covei_dir_close(dir);
}

TEST(c_18_1_reading_gives_all_there_is) {
    char data[16];
    size_t got;
    covei_dir dir = open_dir(test_domain);
    write_file("f", "0123456789");
    covei_file file = open_file(dir, "f", COVE_READ_ONLY);
    expect(COVE_OK, covei_file_read(file, 2, data, 4, &got));
    assert_int_equal(got, 4);
    assert_memory_equal(data, "2345", 4);
    expect(COVE_OK, covei_file_read(file, 6, data, sizeof data, &got));
    assert_int_equal(got, 4);
    assert_memory_equal(data, "6789", 4);
    covei_file_close(file);
    unlink(in_domain("f"));
    covei_dir_close(dir);
}

TEST(c_18_2_reading_moves_no_position) {
    char data[4];
    size_t got;
    covei_dir dir = open_dir(test_domain);
    write_file("f", "0123456789");
    covei_file file = open_file(dir, "f", COVE_READ_ONLY);
    expect(COVE_OK, covei_file_read(file, 2, data, 4, &got));
    assert_int_equal(lseek((int)file.handle, 0, SEEK_CUR), 0);
    covei_file_close(file);
    unlink(in_domain("f"));
    covei_dir_close(dir);
}

TEST(c_19_1_unlinking_takes_the_name_and_nothing_else) {
    void *address;
    covei_dir dir = open_dir(test_domain);
    covei_file file = make_named(dir, "f", 4096);
    expect(COVE_OK, covei_map(file, 4096, COVE_READ_WRITE, 0, &address));
    expect(COVE_OK, covei_file_unlink(dir, "f"));
    assert_int_equal(count_files(test_domain), 0);
    ((char *)address)[0] = 'x';
    covei_unmap(address, 4096);
    covei_file_close(file);
    covei_dir_close(dir);
}

TEST(c_19_2_unlinking_nothing_is_told) {
    covei_dir dir = open_dir(test_domain);
    expect(COVE_ERR_NOT_FOUND, covei_file_unlink(dir, "none"));
    covei_dir_close(dir);
}

static int unlink_as_somebody(void *context) {
    covei_dir dir;
    (void)context;
    become_somebody();
    return covei_dir_open(test_domain, &dir) == COVE_OK && covei_file_unlink(dir, "f") == COVE_ERR_ACCESS ? 0 : 1;
}

TEST(c_19_3_unlinking_without_permission_is_told) {
    if (geteuid() != 0)
        skip();
    write_file("f", "x");
    chmod(test_domain, 0755);
    assert_int_equal(end_of(child(unlink_as_somebody, NULL)), 0);
    chmod(test_domain, 0700);
    unlink(in_domain("f"));
}

/* ---- 20 to 24: locks and tokens. */

/* Two descriptions of one file. */
typedef struct two {
    covei_dir dir;
    covei_file a, b;
} two;

static two two_files(void) {
    two t = {.dir = open_dir(test_domain)};
    t.a = make_named(t.dir, "f", 4096);
    t.b = open_file(t.dir, "f", COVE_READ_WRITE);
    return t;
}

static void end_two(two t) {
    covei_file_close(t.a);
    covei_file_close(t.b);
    covei_dir_close(t.dir);
    unlink(in_domain("f"));
}

TEST(c_20_1_trying_never_waits) {
    two t = two_files();
    expect(COVE_OK, covei_lock_try(t.a, BYTE, COVEI_LOCK_EXCLUSIVE));
    expect(COVE_ERR_BUSY, covei_lock_try(t.b, BYTE, COVEI_LOCK_EXCLUSIVE));
    expect(COVE_ERR_BUSY, covei_lock_try(t.b, BYTE, COVEI_LOCK_SHARED));
    end_two(t);
}

TEST(c_20_2_shared_goes_with_shared_and_exclusive_with_nothing) {
    two t = two_files();
    expect(COVE_OK, covei_lock_try(t.a, BYTE, COVEI_LOCK_SHARED));
    expect(COVE_OK, covei_lock_try(t.b, BYTE, COVEI_LOCK_SHARED));
    expect(COVE_ERR_BUSY, covei_lock_try(t.a, BYTE, COVEI_LOCK_EXCLUSIVE));
    covei_lock_release(t.b, BYTE);
    expect(COVE_OK, covei_lock_try(t.a, BYTE, COVEI_LOCK_EXCLUSIVE));
    end_two(t);
}

TEST(c_20_3_an_exclusive_lock_needs_the_right_to_write) {
    covei_dir dir = open_dir(test_domain);
    covei_file_close(make_named(dir, "f", 0));
    covei_file file = open_file(dir, "f", COVE_READ_ONLY);
    expect(COVE_ERR_ACCESS, covei_lock_try(file, BYTE, COVEI_LOCK_EXCLUSIVE));
    expect(COVE_OK, covei_lock_try(file, BYTE, COVEI_LOCK_SHARED));
    covei_file_close(file);
    unlink(in_domain("f"));
    covei_dir_close(dir);
}

TEST(c_20_4_bytes_do_not_touch_each_other) {
    two t = two_files();
    for (uint64_t byte = BYTE; byte < BYTE + 16384; byte += 1023)
        expect(COVE_OK, covei_lock_try(t.a, byte, COVEI_LOCK_EXCLUSIVE));
    for (uint64_t byte = BYTE; byte < BYTE + 16382; byte += 1023)
        expect(COVE_OK, covei_lock_try(t.b, byte + 1, COVEI_LOCK_EXCLUSIVE));
    end_two(t);
}

static int lock_and_wait(void *context) {
    covei_dir dir;
    covei_file file;
    _Atomic int *step = context;
    if (covei_dir_open(test_domain, &dir) != COVE_OK || covei_file_open(dir, "f", COVE_READ_WRITE, &file) != COVE_OK ||
        covei_lock_try(file, BYTE, COVEI_LOCK_EXCLUSIVE) != COVE_OK)
        return 1;
    *step = 1;
    for (;;)
        pause();
    return 0;
}

TEST(c_20_5_death_frees_a_byte) {
    _Atomic int *step = shared_memory(sizeof *step);
    covei_dir dir = open_dir(test_domain);
    covei_file_close(make_named(dir, "f", 0));
    pid_t pid = child(lock_and_wait, (void *)step);
    eventually(*step);
    assert_false(is_free("f", BYTE));
    kill_child(pid);
    assert_true(is_free("f", BYTE));
    unlink(in_domain("f"));
    covei_dir_close(dir);
}

TEST(c_21_1_a_released_byte_is_free_and_the_others_are_not) {
    two t = two_files();
    expect(COVE_OK, covei_lock_try(t.a, BYTE, COVEI_LOCK_EXCLUSIVE));
    expect(COVE_OK, covei_lock_try(t.a, BYTE + 1, COVEI_LOCK_EXCLUSIVE));
    covei_lock_release(t.a, BYTE);
    expect(COVE_OK, covei_lock_try(t.b, BYTE, COVEI_LOCK_EXCLUSIVE));
    expect(COVE_ERR_BUSY, covei_lock_try(t.b, BYTE + 1, COVEI_LOCK_EXCLUSIVE));
    end_two(t);
}

static covei_lock probe(covei_file file, covei_lock kind) {
    covei_lock held = (covei_lock)9;
    expect(COVE_OK, covei_lock_probe(file, BYTE, kind, &held));
    return held;
}

TEST(c_22_1_free_means_that_it_could_be_had) {
    two t = two_files();
    assert_int_equal(probe(t.b, COVEI_LOCK_EXCLUSIVE), COVEI_LOCK_FREE);
    expect(COVE_OK, covei_lock_try(t.a, BYTE, COVEI_LOCK_SHARED));
    assert_int_equal(probe(t.b, COVEI_LOCK_SHARED), COVEI_LOCK_FREE);
    assert_true(probe(t.b, COVEI_LOCK_EXCLUSIVE) != COVEI_LOCK_FREE);
    end_two(t);
}

TEST(c_22_2_what_is_in_the_way_is_told) {
    two t = two_files();
    expect(COVE_OK, covei_lock_try(t.a, BYTE, COVEI_LOCK_SHARED));
    assert_int_equal(probe(t.b, COVEI_LOCK_EXCLUSIVE), COVEI_LOCK_SHARED);
    expect(COVE_OK, covei_lock_try(t.a, BYTE, COVEI_LOCK_EXCLUSIVE));
    assert_int_equal(probe(t.b, COVEI_LOCK_EXCLUSIVE), COVEI_LOCK_EXCLUSIVE);
    assert_int_equal(probe(t.b, COVEI_LOCK_SHARED), COVEI_LOCK_EXCLUSIVE);
    end_two(t);
}

TEST(c_22_3_probing_needs_no_right_to_write) {
    two t = two_files();
    covei_file reader = open_file(t.dir, "f", COVE_READ_ONLY);
    expect(COVE_OK, covei_lock_try(t.a, BYTE, COVEI_LOCK_EXCLUSIVE));
    assert_int_equal(probe(reader, COVEI_LOCK_EXCLUSIVE), COVEI_LOCK_EXCLUSIVE);
    covei_file_close(reader);
    end_two(t);
}

TEST(c_22_4_probing_takes_nothing) {
    two t = two_files();
    probe(t.b, COVEI_LOCK_EXCLUSIVE);
    expect(COVE_OK, covei_lock_try(t.a, BYTE, COVEI_LOCK_EXCLUSIVE));
    end_two(t);
}

/* A token on the exclusive lock of BYTE of "f"; the description's handle is closed. */
static covei_token carried(void) {
    covei_dir dir;
    covei_file file;
    covei_token token = {0};
    if (covei_dir_open(test_domain, &dir) != COVE_OK || covei_file_open(dir, "f", COVE_READ_WRITE, &file) != COVE_OK ||
        covei_lock_try(file, BYTE, COVEI_LOCK_EXCLUSIVE) != COVE_OK || covei_token_carry(file, 4096, &token) != COVE_OK)
        return (covei_token){0};
    covei_file_close(file);
    covei_dir_close(dir);
    return token;
}

static void make_f(void) {
    covei_dir dir = open_dir(test_domain);
    covei_file_close(make_named(dir, "f", 4096));
    covei_dir_close(dir);
}

TEST(c_23_1_a_token_keeps_the_locks_of_a_closed_handle) {
    make_f();
    covei_token token = carried();
    assert_false(is_free("f", BYTE));
    covei_token_drop(&token);
    unlink(in_domain("f"));
}

static _Atomic int *stage;

static int carry_and_close_all(void *context) {
    covei_token token = carried();
    (void)context;
    (void)token;
    for (int fd = 3; fd < 256; fd++)
        close(fd);
    *stage = 1;
    while (*stage == 1)
        usleep(100);
    return 0;
}

TEST(c_23_2_a_token_survives_the_closing_of_every_descriptor) {
    stage = shared_memory(sizeof *stage);
    make_f();
    pid_t pid = child(carry_and_close_all, NULL);
    eventually(*stage == 1);
    assert_false(is_free("f", BYTE));
    *stage = 2;
    end_of(pid);
    unlink(in_domain("f"));
}

static int carry_and_leave_a_child(void *context) {
    covei_token token = carried();
    (void)context;
    (void)token;
    pid_t pid = fork();
    if (!pid) {
        *stage = 1;
        while (*stage == 1)
            usleep(100);
        _exit(0);
    }
    while (*stage != 1)
        usleep(100);
    return 0;
}

TEST(c_23_3_a_child_of_fork_does_not_hold_the_token) {
    stage = shared_memory(sizeof *stage);
    make_f();
    assert_int_equal(end_of(child(carry_and_leave_a_child, NULL)), 0);
    bool free_then = is_free("f", BYTE);
    *stage = 2;
    assert_true(free_then);
    unlink(in_domain("f"));
}

static int carry_and_exec(void *context) {
    covei_token token = carried();
    (void)context;
    (void)token;
    execlp("sleep", "sleep", "20", (char *)NULL);
    return 1;
}

TEST(c_23_4_exec_ends_a_token) {
    make_f();
    pid_t pid = child(carry_and_exec, NULL);
    int tries = 0, status;
    do
        usleep(1000);
    while (++tries < 3000 && strncmp(run(&status, "cat /proc/%d/comm", pid), "sleep", 5));
    assert_true(is_free("f", BYTE));
    kill_child(pid);
    unlink(in_domain("f"));
}

static int carry_and_wait(void *context) {
    covei_token token = carried();
    (void)context;
    (void)token;
    *stage = 1;
    for (;;)
        pause();
    return 0;
}

TEST(c_23_5_death_ends_a_token) {
    stage = shared_memory(sizeof *stage);
    make_f();
    pid_t pid = child(carry_and_wait, NULL);
    eventually(*stage == 1);
    assert_false(is_free("f", BYTE));
    kill_child(pid);
    assert_true(is_free("f", BYTE));
    unlink(in_domain("f"));
}

TEST(c_24_1_a_dropped_token_frees_its_locks) {
    make_f();
    covei_token token = carried(), none = {0};
    covei_token_drop(&token);
    covei_token_drop(&none);
    assert_true(is_free("f", BYTE));
    unlink(in_domain("f"));
}

/* ---- 25 and 26: memory. */

TEST(c_25_1_bytes_are_seen_by_all_who_map_them) {
    two t = two_files();
    void *one, *other;
    expect(COVE_OK, covei_map(t.a, 4096, COVE_READ_WRITE, 0, &one));
    expect(COVE_OK, covei_map(t.b, 4096, COVE_READ_ONLY, 0, &other));
    *(volatile char *)one = 'x';
    assert_int_equal(*(volatile char *)other, 'x');
    covei_unmap(one, 4096);
    covei_unmap(other, 4096);
    end_two(t);
}

static int write_to(void *context) {
    signal(SIGSEGV, SIG_DFL);
    *(volatile char *)context = 'x';
    return 0;
}

TEST(c_25_2_a_write_through_a_read_only_mapping_is_stopped) {
    two t = two_files();
    void *address;
    expect(COVE_OK, covei_map(t.a, 4096, COVE_READ_ONLY, 0, &address));
    int end = end_of(child(write_to, address));
    assert_true(end == -SIGSEGV || (test_is_slow && end > 1));
    covei_unmap(address, 4096);
    end_two(t);
}

TEST(c_25_3_no_room_is_told) {
    two t = two_files();
    void *address;
    expect(COVE_ERR_MEMORY, covei_map(t.a, UINT64_C(1) << 56, COVE_READ_ONLY, 0, &address));
    end_two(t);
}

static int read_from(void *context) {
    signal(SIGSEGV, SIG_DFL);
    return *(volatile char *)context;
}

TEST(c_25_4_a_mapping_outlives_its_handle_and_passes_to_a_child) {
    two t = two_files();
    void *address;
    expect(COVE_OK, covei_map(t.a, 4096, COVE_READ_WRITE, 0, &address));
    end_two(t);
    *(volatile char *)address = 7;
    assert_int_equal(end_of(child(read_from, address)), 7);
    covei_unmap(address, 4096);
}

TEST(c_26_1_an_ended_mapping_gives_its_addresses_back) {
    two t = two_files();
    void *address;
    expect(COVE_OK, covei_map(t.a, 4096, COVE_READ_WRITE, 0, &address));
    covei_unmap(address, 4096);
    assert_int_equal(msync(address, 4096, MS_ASYNC), -1);
    covei_unmap(NULL, 0);
    end_two(t);
}

/* ---- 27 to 29: waiting. */

TEST(c_27_1_another_value_than_expected_ends_a_wait_at_once) {
    covei_a32 *word = shared_memory(4096);
    cove_time_ns before = covei_clock_ns();
    assert_int_equal(covei_wait(word, 5, before + UINT64_C(2000000000)), COVEI_WOKEN);
    assert_true(covei_clock_ns() - before < 1000000000);
}

static int wait_for_word(void *context) {
    covei_a32 *word = context;
    covei_add_seqcst(&word[1], 1);
    covei_woken woken = covei_wait(word, 0, covei_clock_ns() + UINT64_C(3000000000));
    return woken == COVEI_WOKEN ? 0 : 1;
}

TEST(c_27_2_a_wake_in_another_process_ends_a_wait) {
    covei_a32 *word = shared_memory(4096);
    pid_t pid = child(wait_for_word, (void *)word);
    eventually(word[1] == 1);
    usleep(50000);
    covei_store_seqcst(&word[0], 1);
    covei_wake(word);
    assert_int_equal(end_of(pid), 0);
}

TEST(c_27_3_a_wait_expires_at_its_deadline_and_not_before) {
    covei_a32 *word = shared_memory(4096);
    cove_time_ns deadline = covei_clock_ns() + 30000000;
    assert_int_equal(covei_wait(word, 0, deadline), COVEI_EXPIRED);
    assert_true(covei_clock_ns() >= deadline);
}

static void on_signal(int number) {
    (void)number;
}

TEST(c_27_4_a_signal_that_was_handled_ends_a_wait) {
    covei_a32 *word = shared_memory(4096);
    struct sigaction action = {.sa_handler = on_signal};
    struct timespec soon = {0, 30000000};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    timer_t timer;
    sigaction(SIGUSR1, &action, NULL);
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    timer_settime(timer, 0, &(struct itimerspec){.it_value = soon}, NULL);
    assert_int_equal(covei_wait(word, 0, covei_clock_ns() + UINT64_C(3000000000)), COVEI_SIGNALLED);
    timer_delete(timer);
}

static int wait_on_read_only(void *context) {
    signal(SIGSEGV, SIG_DFL);
    cove_time_ns deadline = covei_clock_ns() + 20000000;
    if (mprotect(context, 4096, PROT_READ))
        return 1;
    return covei_wait(context, 0, deadline) == COVEI_EXPIRED && covei_clock_ns() >= deadline ? 0 : 2;
}

TEST(c_27_5_waiting_works_on_memory_that_may_only_be_read) {
    assert_int_equal(end_of(child(wait_on_read_only, shared_memory(4096))), 0);
}

TEST(c_28_1_a_wake_wakes_all) {
    covei_a32 *word = shared_memory(4096);
    pid_t pid[3];
    for (int i = 0; i < 3; i++)
        pid[i] = child(wait_for_word, (void *)word);
    eventually(word[1] == 3);
    usleep(100000);
    covei_store_seqcst(&word[0], 1);
    covei_wake(word);
    for (int i = 0; i < 3; i++)
        assert_int_equal(end_of(pid[i]), 0);
}

TEST(c_28_2_a_wake_without_sleepers_does_not_wait) {
    covei_a32 *word = shared_memory(4096);
    cove_time_ns before = covei_clock_ns();
    for (int i = 0; i < 20; i++)
        covei_wake(word);
    assert_true(covei_clock_ns() - before < 1000000000);
}

TEST(c_29_1_a_pause_lasts_at_least_its_time) {
    cove_time_ns before = covei_clock_ns();
    assert_true(covei_pause(20000000));
    assert_true(covei_clock_ns() - before >= 20000000);
}

/* ---- 30 to 36: time, chance, processes. */

TEST(c_30_1_the_clock_never_steps_back) {
    cove_time_ns last = covei_clock_ns();
    for (int i = 0; i < 100000; i++) {
        cove_time_ns now = covei_clock_ns();
        assert_true(now >= last);
        last = now;
    }
}

TEST(c_30_2_the_clock_is_not_the_time_of_day) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    uint64_t steady = (uint64_t)t.tv_sec, ours = covei_clock_ns() / 1000000000;
    assert_true(ours >= steady && ours <= steady + 5);
}

TEST(c_30_3_the_coarse_clock_follows_the_other) {
    for (int i = 0; i < 200; i++) {
        cove_time_ns coarse = covei_clock_coarse_ns(), now = covei_clock_ns(), later = covei_clock_coarse_ns();
        assert_true(coarse <= now && later + 50000000 >= now);
        usleep(100);
    }
}

TEST(c_31_1_the_time_of_day_is_the_system_s) {
    uint64_t ours = covei_clock_unix_ns() / 1000000000, system = (uint64_t)time(NULL);
    assert_true(ours + 1 >= system && ours <= system + 1);
}

TEST(c_32_1_two_draws_do_not_agree) {
    uint64_t a[4] = {0}, b[4] = {0};
    covei_random(a, sizeof a);
    covei_random(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
}

static int tell_pid(void *context) {
    (void)context;
    return covei_process_look()->pid == (uint32_t)getpid() ? 0 : 1;
}

TEST(c_33_1_a_process_knows_its_number_also_after_fork) {
    assert_int_equal(covei_process_look()->pid, getpid());
    assert_int_equal(end_of(child(tell_pid, NULL)), 0);
}

static int tell_boot(void *context) {
    return memcmp(covei_process_look()->boot_id, context, 16) ? 1 : 0;
}

TEST(c_33_2_all_processes_know_one_boot) {
    static const uint8_t none[16];
    uint8_t boot[16];
    memcpy(boot, covei_process_look()->boot_id, sizeof boot);
    assert_memory_not_equal(boot, none, sizeof boot);
    assert_int_equal(end_of(child(tell_boot, boot)), 0);
}

TEST(c_33_3_the_facts_stay_where_they_are) {
    assert_ptr_equal(covei_process_look(), covei_process_look());
}

TEST(c_34_1_the_user_is_the_one_whom_files_belong_to) {
    struct stat facts;
    write_file("f", "x");
    stat(in_domain("f"), &facts);
    assert_int_equal(covei_process_uid(), facts.st_uid);
    unlink(in_domain("f"));
}

TEST(c_35_1_there_is_a_processor) {
    assert_true(covei_process_cpus() >= 1 && covei_process_cpus() <= (uint32_t)sysconf(_SC_NPROCESSORS_CONF));
}

TEST(c_36_1_the_epoch_stays_in_a_process) {
    uint64_t epoch = covei_process_epoch();
    usleep(20000);
    assert_int_equal(covei_process_epoch(), epoch);
}

static int compare_epoch(void *context) {
    uint64_t *parent = context, mine = covei_process_epoch();
    if (mine == parent[0] || mine == parent[1])
        return 1;
    if (parent[1])
        return 0;
    uint64_t both[2] = {parent[0], mine};
    pid_t pid = fork();
    if (!pid)
        _exit(compare_epoch(both));
    int status;
    waitpid(pid, &status, 0);
    return status ? 2 : 0;
}

TEST(c_36_2_the_epoch_differs_in_children_and_theirs) {
    uint64_t epochs[2] = {covei_process_epoch(), 0};
    assert_int_equal(end_of(child(compare_epoch, epochs)), 0);
}

TEST(c_36_3_the_epoch_is_never_0) {
    assert_true(covei_process_epoch() != 0);
}

/* ---- 37 and 38: the guard and the mutexes. */

static _Atomic int forked;

static void *fork_once(void *context) {
    (void)context;
    pid_t pid = fork();
    if (!pid)
        _exit(0);
    forked = 1;
    waitpid(pid, NULL, 0);
    return NULL;
}

TEST(c_37_1_no_fork_happens_inside_the_guard) {
    pthread_t thread;
    forked = 0;
    covei_guard_enter();
    pthread_create(&thread, NULL, fork_once, NULL);
    usleep(100000);
    int early = forked;
    covei_guard_leave();
    pthread_join(thread, NULL);
    assert_int_equal(early, 0);
    assert_int_equal(forked, 1);
}

static int pass_the_guard(void *context) {
    (void)context;
    alarm(3);
    covei_guard_enter();
    covei_guard_leave();
    return 0;
}

TEST(c_37_2_the_guard_is_free_in_a_child) {
    assert_int_equal(end_of(child(pass_the_guard, NULL)), 0);
}

static int enter_twice(void *context) {
    (void)context;
    alarm(3);
    covei_guard_enter();
    covei_guard_enter();
    covei_guard_leave();
    covei_guard_leave();
    pid_t pid = fork(); /* and it is outside again */
    if (!pid)
        _exit(0);
    int status;
    waitpid(pid, &status, 0);
    return status;
}

TEST(c_37_3_who_is_inside_may_enter_again) {
    assert_int_equal(end_of(child(enter_twice, NULL)), 0);
}

static _Atomic int inside, left;

static void *be_cancelled(void *context) {
    (void)context;
    covei_guard_enter();
    inside = 1;
    usleep(100000);
    covei_guard_leave();
    left = 1;
    for (;;)
        usleep(1000);
    return NULL;
}

TEST(c_37_4_a_thread_is_not_cancelled_inside) {
    pthread_t thread;
    inside = left = 0;
    pthread_create(&thread, NULL, be_cancelled, NULL);
    eventually(inside);
    pthread_cancel(thread);
    pthread_join(thread, NULL);
    assert_int_equal(left, 1);
}

static int unprotected;

static void *add_many(void *context) {
    (void)context;
    for (int i = 0; i < 20000; i++) {
        covei_guard_enter();
        covei_mutex_enter(COVEI_MUTEX_LISTS);
        int now = unprotected;
        if (i % 64 == 0)
            sched_yield();
        unprotected = now + 1;
        covei_mutex_leave(COVEI_MUTEX_LISTS);
        covei_guard_leave();
    }
    return NULL;
}

TEST(c_38_1_one_thread_at_a_time_has_a_mutex) {
    pthread_t threads[4];
    unprotected = 0;
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, add_many, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(unprotected, 80000);
}

static void *take_lists(void *context) {
    (void)context;
    covei_mutex_enter(COVEI_MUTEX_LISTS);
    forked = 1;
    covei_mutex_leave(COVEI_MUTEX_LISTS);
    return NULL;
}

TEST(c_38_2_one_mutex_does_not_keep_anybody_from_the_other) {
    pthread_t thread;
    forked = 0;
    covei_mutex_enter(COVEI_MUTEX_REVIVE);
    pthread_create(&thread, NULL, take_lists, NULL);
    for (int i = 0; i < 1000 && !forked; i++)
        usleep(1000);
    int meanwhile = forked;
    covei_mutex_leave(COVEI_MUTEX_REVIVE);
    pthread_join(thread, NULL);
    assert_int_equal(meanwhile, 1);
}

/* ---- 39 and 40: barriers that one side pays for. */

/* Two who announce themselves and look for the other: with one barrier and one light fence, never do both miss the other. */
typedef struct meeting {
    covei_a32 announced[2][32], saw[2], step[2], missed;
    covei_a32 load[64][16384]; /* lines that both write, of one set of the caches: stores of the second queue up behind them for long */
} meeting;

#define MEETINGS 100000u

/* Neither goes on before the other has come as far. */
static void keep_step(meeting *m, int who, uint32_t step) {
    covei_store_seqcst(&m->step[who], step);
    while (covei_load_seqcst(&m->step[1 - who]) < step)
        ;
}

static void dawdle(uint32_t steps) {
    for (uint32_t i = 0; i < steps; i++)
        __asm__ volatile("" ::: "memory");
}

/* Which of them is a little late changes from round to round: what can be seen only when they meet at one moment is seen on any machine. */
static void meet(meeting *m, int who, covei_reach reach) {
    for (uint32_t round = 1; round <= MEETINGS; round++) {
        for (int i = 0; i < 64 && !who; i++)
            covei_store_relaxed(&m->load[i][0], round);
        keep_step(m, who, 3 * round);
        dawdle(who ? round / 256 % 8 * 32 : round % 256);
        for (int i = 0; i < 64 && who; i++)
            covei_store_relaxed(&m->load[i][0], round);
        covei_store_relaxed(&m->announced[who][0], round);
        if (who)
            covei_fence_light();
        else
            (void)covei_barrier(reach);
        covei_store_relaxed(&m->saw[who], covei_load_relaxed(&m->announced[1 - who][0]));
        keep_step(m, who, 3 * round + 1);
        if (!who && covei_load_relaxed(&m->saw[0]) != round && covei_load_relaxed(&m->saw[1]) != round)
            covei_add_relaxed(&m->missed, 1);
        keep_step(m, who, 3 * round + 2);
    }
}

static int meet_from_another_process(void *context) {
    alarm(60);
    if (!covei_barrier_join())
        return NOT_HERE;
    meet(context, 1, COVEI_REACH_ALL);
    return 0;
}

static void *meet_in_a_thread(void *context) {
    meet(context, 1, COVEI_REACH_PROCESS);
    return NULL;
}

TEST(c_39_1_who_has_joined_is_reached_by_the_barriers_of_others) {
    meeting *m = shared_memory(sizeof *m);
    if (covei_process_cpus() < 2 || test_is_slow)
        skip();
    pid_t pid = child(meet_from_another_process, m);
    meet(m, 0, COVEI_REACH_ALL);
    int end = end_of(pid);
    ran_or_skipped(end);
    assert_int_equal(m->missed, 0);
}

TEST(c_39_2_fences_are_light_only_for_who_has_joined) {
    assert_int_equal(covei_load_relaxed(&covei_fences_are_light), 0); /* nothing here has joined yet */
    bool is_in = covei_barrier_join();
    assert_int_equal(covei_load_relaxed(&covei_fences_are_light), is_in);
}

TEST(c_40_1_a_barrier_reaches_the_threads_of_the_process) {
    meeting *m = shared_memory(sizeof *m);
    pthread_t thread;
    if (covei_process_cpus() < 2 || test_is_slow || !covei_barrier_join())
        skip();
    pthread_create(&thread, NULL, meet_in_a_thread, m);
    meet(m, 0, COVEI_REACH_PROCESS);
    pthread_join(thread, NULL);
    assert_int_equal(m->missed, 0);
}

static int barrier_where_there_is_none(void *context) {
    struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                                 BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
                                 BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {4, code};
    (void)context;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        return NOT_HERE;
    return covei_barrier_join() || covei_barrier(COVEI_REACH_ALL) || covei_barrier(COVEI_REACH_PROCESS);
}

TEST(c_40_2_a_system_without_barriers_says_so) {
    ran_or_skipped(end_of(child(barrier_where_there_is_none, NULL)));
}

/* ---- 41 to 46: bells. */

#define SECOND UINT64_C(1000000000)

static bool rings(const covei_bell *bell, int ms) {
    struct pollfd p = {.fd = (int)bell->poll, .events = POLLIN};
    return poll(&p, 1, ms) == 1;
}

static covei_bell make_bell(covei_dir dir, const char *name, uint64_t slice_ns) {
    covei_bell bell;
    covei_bell_access access = {0600, geteuid(), getegid()};
    expect(COVE_OK, covei_bell_open(dir, name, &access, slice_ns, &bell));
    return bell;
}

TEST(c_41_1_a_new_bell_is_silent) {
    covei_dir dir = open_dir(test_domain);
    covei_bell bell = make_bell(dir, ".bell", 10 * SECOND);
    assert_false(rings(&bell, 50));
    covei_bell_close(dir, ".bell", &bell, false);
    covei_dir_close(dir);
}

TEST(c_41_2_a_bell_rings_by_itself_after_its_slice) {
    covei_dir dir = open_dir(test_domain);
    covei_bell bell = make_bell(dir, NULL, SECOND / 20);
    assert_true(rings(&bell, 3000));
    covei_bell_silence(&bell, SECOND / 20);
    assert_false(rings(&bell, 5));
    assert_true(rings(&bell, 3000));
    covei_bell_close(dir, NULL, &bell, false);
    covei_dir_close(dir);
}

static int ring_as_another(void *context) {
    if (setgroups(0, NULL) || setresgid(1234, 1234, 1234) || setresuid(1234, 1234, 1234))
        return NOT_HERE;
    return covei_bell_ring(*(covei_dir *)context, ".bell") == COVE_OK ? 0 : 1;
}

TEST(c_41_3_who_may_write_the_object_may_ring_its_bell) {
    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(test_domain, 0711), 0);
    static const covei_bell_access cases[] = {{0600, 1234, 1234}, {0660, 0, 1234}, {0666, 0, 0}, {0602, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        covei_dir dir = open_dir(test_domain);
        covei_bell bell;
        struct stat facts;
        mode_t before = umask(077);
        expect(COVE_OK, covei_bell_open(dir, ".bell", &cases[i], 20 * SECOND, &bell));
        umask(before);
        assert_int_equal(stat(in_domain(".bell"), &facts), 0);
        assert_int_equal(facts.st_mode & 07777, cases[i].mode);
        ran_or_skipped(end_of(child(ring_as_another, &dir)));
        assert_true(rings(&bell, 1000));
        covei_bell_close(dir, ".bell", &bell, false);
        covei_dir_close(dir);
    }
}

TEST(c_41_4_the_descriptors_of_a_bell_do_not_pass_through_exec) {
    covei_dir dir = open_dir(test_domain);
    covei_bell bell = make_bell(dir, ".bell", SECOND);
    const int64_t handles[] = {bell.poll, bell.socket, bell.timer};
    for (int i = 0; i < 3; i++)
        assert_true(fcntl((int)handles[i], F_GETFD) & FD_CLOEXEC);
    covei_bell_close(dir, ".bell", &bell, false);
    covei_dir_close(dir);
}

TEST(c_41_5_a_name_that_is_taken_is_told) {
    covei_dir dir = open_dir(test_domain);
    covei_bell bell = make_bell(dir, ".bell", SECOND), other;
    expect(COVE_ERR_EXISTS, covei_bell_open(dir, ".bell", &(covei_bell_access){0600, geteuid(), getegid()}, SECOND, &other));
    assert_int_equal(access(in_domain(".bell"), F_OK), 0);
    covei_bell_close(dir, ".bell", &bell, false);
    covei_dir_close(dir);
}

typedef struct swapper {
    int dir;
    covei_a32 stop;
} swapper;

/* Swaps the name for a link to a file, as fast as it can. */
static void *swap_names(void *context) {
    swapper *s = context;
    while (!covei_load_seqcst(&s->stop)) {
        int ignored = symlinkat("victim", s->dir, ".link");
        ignored += (int)syscall(SYS_renameat2, s->dir, ".link", s->dir, ".bell", 2 /* RENAME_EXCHANGE */);
        ignored += unlinkat(s->dir, ".link", 0);
        (void)ignored;
    }
    return NULL;
}

TEST(c_41_6_what_somebody_puts_in_the_place_of_the_name_is_not_changed) {
    covei_dir dir = open_dir(test_domain);
    pthread_t thread;
    struct stat facts;
    swapper s = {(int)dir.handle, 0};
    write_file("victim", "x");
    assert_int_equal(chmod(in_domain("victim"), 0600), 0);
    pthread_create(&thread, NULL, swap_names, &s);
    for (int i = 0; i < 30000; i++) {
        covei_bell bell;
        if (covei_bell_open(dir, ".bell", &(covei_bell_access){0666, geteuid(), getegid()}, SECOND, &bell) == COVE_OK)
            covei_bell_close(dir, NULL, &bell, false);
        unlinkat(s.dir, ".bell", 0);
    }
    covei_store_seqcst(&s.stop, 1);
    pthread_join(thread, NULL);
    assert_int_equal(fstatat(s.dir, "victim", &facts, 0), 0);
    assert_true(S_ISREG(facts.st_mode));
    assert_int_equal(facts.st_mode & 07777, 0600);
    unlinkat(s.dir, ".bell", 0);
    unlinkat(s.dir, ".link", 0);
    unlinkat(s.dir, "victim", 0);
    covei_dir_close(dir);
}

TEST(c_42_1_a_bell_that_was_rung_rings_until_it_is_silenced) {
    covei_dir dir = open_dir(test_domain);
    covei_bell bell = make_bell(dir, ".bell", 20 * SECOND);
    expect(COVE_OK, covei_bell_ring(dir, ".bell"));
    for (int i = 0; i < 3; i++)
        assert_true(rings(&bell, 1000));
    covei_bell_close(dir, ".bell", &bell, false);
    covei_dir_close(dir);
}

TEST(c_42_2_ringing_often_waits_for_nobody) {
    covei_dir dir = open_dir(test_domain);
    covei_bell bell = make_bell(dir, ".bell", 20 * SECOND);
    alarm(5);
    for (int i = 0; i < 1000; i++)
        expect(COVE_OK, covei_bell_ring(dir, ".bell"));
    alarm(0);
    covei_bell_close(dir, ".bell", &bell, false);
    covei_dir_close(dir);
}

static int have_a_bell(void *context) {
    covei_bell bell;
    return covei_bell_open(*(covei_dir *)context, ".bell", &(covei_bell_access){0600, geteuid(), getegid()}, SECOND, &bell) == COVE_OK ? 0
                                                                                                                                       : 1;
}

TEST(c_42_3_nobody_is_there_when_the_owner_of_a_bell_has_died) {
    covei_dir dir = open_dir(test_domain);
    expect(COVE_ERR_NOT_FOUND, covei_bell_ring(dir, ".bell"));
    assert_int_equal(end_of(child(have_a_bell, &dir)), 0);
    assert_int_equal(access(in_domain(".bell"), F_OK), 0);
    expect(COVE_ERR_NOT_FOUND, covei_bell_ring(dir, ".bell"));
    unlink(in_domain(".bell"));
    covei_dir_close(dir);
}

static int ring_after_main(void *context);
static covei_dir ring_dir;

static void *ring_alone(void *unused) {
    (void)unused;
    usleep(50000);
    syscall(SYS_exit_group, covei_bell_ring(ring_dir, ".bell") == COVE_OK ? 0 : 1);
    return NULL;
}

static int ring_after_main(void *context) {
    pthread_t thread;
    ring_dir = *(covei_dir *)context;
    pthread_create(&thread, NULL, ring_alone, NULL);
    pthread_exit(NULL);
}

TEST(c_42_4_a_bell_can_be_rung_when_the_main_thread_has_ended) {
    covei_dir dir = open_dir(test_domain);
    covei_bell bell = make_bell(dir, ".bell", 20 * SECOND);
    assert_int_equal(end_of(child(ring_after_main, &dir)), 0);
    assert_true(rings(&bell, 1000));
    covei_bell_close(dir, ".bell", &bell, false);
    covei_dir_close(dir);
}

TEST(c_43_1_a_bell_that_was_touched_rings) {
    covei_dir dir = open_dir(test_domain);
    covei_bell bell = make_bell(dir, NULL, 20 * SECOND);
    covei_bell_touch(&bell);
    assert_true(rings(&bell, 1000));
    covei_bell_close(dir, NULL, &bell, false);
    covei_dir_close(dir);
}

TEST(c_44_1_a_silenced_bell_is_silent_and_can_be_rung_again) {
    covei_dir dir = open_dir(test_domain);
    covei_bell bell = make_bell(dir, ".bell", 20 * SECOND);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 5; i++)
            expect(COVE_OK, covei_bell_ring(dir, ".bell"));
        covei_bell_touch(&bell);
        assert_true(rings(&bell, 1000));
        covei_bell_silence(&bell, 20 * SECOND);
        assert_false(rings(&bell, 20));
    }
    covei_bell_close(dir, ".bell", &bell, false);
    covei_dir_close(dir);
}

TEST(c_45_1_no_descriptor_is_left_of_a_bell) {
    covei_dir dir = open_dir(test_domain);
    int before = count_descriptors();
    for (int i = 0; i < 50; i++) {
        covei_bell bell = make_bell(dir, i % 2 ? ".bell" : NULL, SECOND);
        covei_bell_close(dir, i % 2 ? ".bell" : NULL, &bell, false);
    }
    assert_int_equal(count_descriptors(), before);
    covei_dir_close(dir);
}

TEST(c_45_2_the_name_goes_with_the_bell) {
    covei_dir dir = open_dir(test_domain);
    covei_bell bell = make_bell(dir, ".bell", SECOND);
    covei_bell_close(dir, ".bell", &bell, false);
    assert_int_equal(access(in_domain(".bell"), F_OK), -1);
    covei_dir_close(dir);
}

TEST(c_45_3_an_event_loop_hears_nothing_more_through_a_child) {
    covei_dir dir = open_dir(test_domain);
    covei_bell bell = make_bell(dir, ".bell", SECOND / 50);
    int loop = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    assert_int_equal(epoll_ctl(loop, EPOLL_CTL_ADD, (int)bell.poll, &event), 0);
    pid_t pid = fork();
    if (!pid)
        _exit(usleep(300000));
    covei_bell_close(dir, ".bell", &bell, false);
    assert_int_equal(epoll_wait(loop, &event, 1, 150), 0);
    waitpid(pid, NULL, 0);
    close(loop);
    covei_dir_close(dir);
}

TEST(c_45_4_what_the_program_has_put_in_the_place_of_a_descriptor_stays_open) {
    covei_dir dir = open_dir(test_domain);
    covei_bell bell = make_bell(dir, ".bell", SECOND);
    const int numbers[] = {(int)bell.poll, (int)bell.socket, (int)bell.timer};
    for (int i = 0; i < 3; i++)
        assert_int_equal(dup2(0, numbers[i]), numbers[i]);
    covei_bell_silence(&bell, SECOND);
    covei_bell_close(dir, ".bell", &bell, false);
    for (int i = 0; i < 3; i++) {
        assert_true(fcntl(numbers[i], F_GETFD) >= 0);
        close(numbers[i]);
    }
    covei_dir_close(dir);
}

static int close_inherited(void *context) {
    covei_bell bell = *(covei_bell *)context;
    int before = count_descriptors();
    covei_bell_close((covei_dir){COVEI_NO_HANDLE}, ".bell", &bell, true);
    return count_descriptors() == before - 3 ? 0 : 1;
}

TEST(c_45_5_a_bell_that_a_child_has_closed_goes_on_in_the_parent) {
    covei_dir dir = open_dir(test_domain);
    covei_bell bell = make_bell(dir, ".bell", 20 * SECOND);
    assert_int_equal(end_of(child(close_inherited, &bell)), 0);
    expect(COVE_OK, covei_bell_ring(dir, ".bell"));
    assert_true(rings(&bell, 1000));
    covei_bell_silence(&bell, 20 * SECOND);
    assert_false(rings(&bell, 20));
    covei_bell_touch(&bell);
    assert_true(rings(&bell, 1000));
    covei_bell_close(dir, ".bell", &bell, false);
    covei_dir_close(dir);
}

static void *touch_soon(void *context) {
    usleep(30000);
    covei_bell_touch(context);
    return NULL;
}

TEST(c_46_1_a_wait_for_bells_ends_when_one_rings_or_its_time_is_over) {
    covei_dir dir = open_dir(test_domain);
    covei_bell bell[2] = {make_bell(dir, NULL, 20 * SECOND), make_bell(dir, NULL, 20 * SECOND)};
    int64_t polls[] = {bell[0].poll, bell[1].poll};
    bool ready[2];
    pthread_t thread;
    alarm(5);
    cove_time_ns before = covei_clock_ns();
    covei_bell_wait(polls, ready, 2, SECOND / 50);
    assert_true(covei_clock_ns() - before >= SECOND / 50);
    pthread_create(&thread, NULL, touch_soon, &bell[1]);
    before = covei_clock_ns();
    covei_bell_wait(polls, ready, 2, UINT64_MAX);
    assert_true(covei_clock_ns() - before < 5 * SECOND);
    assert_true(ready[1]);
    pthread_join(thread, NULL);
    alarm(0);
    covei_bell_close(dir, NULL, &bell[0], false);
    covei_bell_close(dir, NULL, &bell[1], false);
    covei_dir_close(dir);
}

TEST(c_46_2_a_wait_for_bells_tells_which_do_not_ring) {
    covei_dir dir = open_dir(test_domain);
    covei_bell bell[40];
    int64_t polls[40];
    bool ready[40];
    for (int i = 0; i < 40; i++) {
        bell[i] = make_bell(dir, NULL, 20 * SECOND);
        polls[i] = bell[i].poll;
    }
    for (int i = 0; i < 40; i += 3)
        covei_bell_touch(&bell[i]);
    usleep(10000);
    covei_bell_wait(polls, ready, 40, 2 * SECOND);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(ready[i], i % 3 == 0);
        covei_bell_close(dir, NULL, &bell[i], false);
    }
    covei_dir_close(dir);
}

/* ---- 47: threads. */

static covei_a32 thread_result;

static void *look_at_signals(void *context) {
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    covei_store_seqcst(&thread_result,
                       context == &thread_result && sigismember(&blocked, SIGUSR1) && sigismember(&blocked, SIGTERM) ? 1 : 2);
    return NULL;
}

TEST(c_47_1_a_thread_runs_and_takes_none_of_the_signals) {
    thread_result = 0;
    expect(COVE_OK, covei_thread_start(look_at_signals, (void *)&thread_result));
    eventually(thread_result);
    assert_int_equal(thread_result, 1);
}

static int start_where_there_is_none(void *context) {
    (void)context;
    struct rlimit limit = {0, 0};
    if (setgroups(0, NULL) || setresgid(1234, 1234, 1234) || setresuid(1234, 1234, 1234) || setrlimit(RLIMIT_NPROC, &limit))
        return NOT_HERE;
    return covei_thread_start(look_at_signals, NULL) == COVE_ERR_MEMORY ? 0 : 1;
}

TEST(c_47_2_a_thread_that_is_not_to_be_had_is_told) {
    if (test_is_slow)
        skip(); /* the sanitizers start threads of their own */
    ran_or_skipped(end_of(child(start_where_there_is_none, NULL)));
}

TEST(c_48_1_a_bell_is_found_without_ringing_it) {
    covei_dir dir = open_dir(test_domain);
    expect(COVE_ERR_NOT_FOUND, covei_bell_find(dir, ".bell"));
    covei_bell bell = make_bell(dir, ".bell", 20 * SECOND);
    expect(COVE_OK, covei_bell_find(dir, ".bell"));
    assert_false(rings(&bell, 20));
    covei_bell_close(dir, ".bell", &bell, false);
    assert_int_equal(end_of(child(have_a_bell, &dir)), 0);
    expect(COVE_ERR_NOT_FOUND, covei_bell_find(dir, ".bell"));
    unlink(in_domain(".bell"));
    covei_dir_close(dir);
}

TEST(c_49_1_a_bell_whose_descriptors_are_not_its_own_is_not_sound) {
    covei_dir dir = open_dir(test_domain);
    for (int i = 0; i < 6; i++) {
        covei_bell bell = make_bell(dir, ".bell", SECOND);
        const int numbers[] = {(int)bell.poll, (int)bell.socket, (int)bell.timer};
        assert_true(covei_bell_is_sound(&bell));
        if (i < 3)
            close(numbers[i]);
        else
            dup2(0, numbers[i - 3]);
        assert_false(covei_bell_is_sound(&bell));
        covei_bell_close(dir, ".bell", &bell, false);
        if (i >= 3)
            close(numbers[i - 3]);
    }
    covei_dir_close(dir);
}

static covei_a32 *children_told;

static void tell_of_child(void) {
    covei_add_seqcst(children_told, 1);
}

static int do_nothing(void *context) {
    (void)context;
    return 0;
}

TEST(c_50_1_a_child_of_fork_is_told_of_and_its_parent_is_not) {
    children_told = shared_memory(4);
    covei_guard_enter(); /* the platform has started */
    covei_guard_leave();
    covei_process_in_child(tell_of_child);
    assert_int_equal(covei_load_seqcst(children_told), 0);
    assert_int_equal(end_of(child(do_nothing, NULL)), 0);
    assert_int_equal(covei_load_seqcst(children_told), 1);
    covei_process_in_child(NULL);
}

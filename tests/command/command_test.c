/* The command, used as a shell does. */
#include "tests/support.h"

#include <jansson.h>
#include <sys/stat.h>

#define COVE COVE_BUILD_DIR "/bin/cove"

static void expect_run(int wanted, const char *wanted_out, const char *format, ...) {
    char command[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    int status;
    const char *out = run(&status, "%s", command);
    if (status != wanted)
        fail_msg("'%s' ends with %d, not %d", command, status, wanted);
    if (wanted_out && strcmp(out, wanted_out))
        fail_msg("'%s' prints \"%s\", not \"%s\"", command, out, wanted_out);
}

static json_t *json_of(const char *format, const char *argument) {
    int status;
    json_error_t error;
    const char *out = run(&status, format, argument);
    json_t *value = json_loads(out, 0, &error);
    if (!value)
        fail_msg("not JSON (%s): %s", error.text, out);
    return value;
}

TEST(a_value_that_the_command_set_is_what_it_gets_until_it_is_removed) {
    expect_run(0, "", "printf 'one two' | %s set greeting 2>&1", COVE);
    expect_run(0, "one two", "%s get greeting", COVE);
    expect_run(0, "", "printf 'three' | %s set greeting", COVE);
    expect_run(0, "three", "%s get greeting", COVE);
    expect_run(6, "", "printf 'far too long' | %s set greeting 2>/dev/null", COVE);
    expect_run(0, "00000000   74 68 72 65 65                                    |three|\n", "%s get --hex greeting", COVE);
    expect_run(0, "", "%s rm greeting", COVE);
    expect_run(1, "", "%s get greeting 2>/dev/null", COVE);
    expect_run(1, "", "%s rm greeting 2>/dev/null", COVE);
}

TEST(binary_values_and_files_pass_unchanged) {
    expect_run(0, "", "%s set self %s", COVE, COVE);
    expect_run(0, "", "%s get self | cmp - %s", COVE, COVE);
    expect_run(0, "", "%s rm self", COVE);
    expect_run(0, "", ": | %s set empty --size 100", COVE);
    expect_run(0, "", "%s get empty", COVE);
    expect_run(0, "", "%s rm empty", COVE);
}

TEST(set_takes_size_lifetime_mode_and_single) {
    struct stat facts;
    char path[256];
    expect_run(0, "", "echo x | %s set b --size 64K --mode 0640 --single", COVE);
    snprintf(path, sizeof path, "%s/b", test_domain);
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 0640);
    json_t *o = json_of("%s stat --json b", COVE);
    assert_int_equal(json_integer_value(json_object_get(o, "capacity_bytes")), 65536);
    assert_int_equal(json_integer_value(json_object_get(o, "length_bytes")), 2);
    assert_true(json_is_true(json_object_get(o, "single_copy")));
    assert_string_equal(json_string_value(json_object_get(o, "lifetime")), "until-removed");
    json_decref(o);
    expect_run(0, "", "%s rm b", COVE);
    expect_run(0, "", "echo x | %s set b --lifetime while-used", COVE); /* gone with the command */
    expect_run(1, "", "%s get b 2>/dev/null", COVE);
    expect_run(2, "", "echo x | %s set b --lifetime sometimes 2>/dev/null", COVE);
    expect_run(2, "", "echo x | %s set b --size many 2>/dev/null", COVE);
    expect_run(2, "", "echo x | %s set b --mode 0999 2>/dev/null", COVE);
    expect_run(2, "", "echo x | %s set b --mode 0777 2>/dev/null", COVE);
}

TEST(wrong_use_ends_with_2_and_words_go_to_stderr) {
    expect_run(2, "", "%s 2>/dev/null", COVE);
    expect_run(2, "", "%s dance 2>/dev/null", COVE);
    expect_run(2, "", "%s ls too many 2>/dev/null", COVE);
    expect_run(2, "", "%s get 2>/dev/null", COVE);
    expect_run(2, "", "%s ls --wrong 2>/dev/null", COVE);
    expect_run(2, "", "%s get a/b 2>/dev/null", COVE);
    expect_run(2, "", "%s get --timeout never x 2>/dev/null", COVE);
    expect_run(2, "", "%s domain destroy x 2>/dev/null", COVE);
    expect_run(0, NULL, "%s --help | grep -q 'usage: cove'", COVE);
    expect_run(0, NULL, "%s get --help | grep -q -- --hex", COVE);
    expect_run(0, "cove 0.1.0 (library 0.1.0)\n", "%s version", COVE);
    expect_run(1, "", "%s ls --domain /dev/shm/not-there 2>/dev/null", COVE);
}

TEST(output_to_a_pipe_has_no_colour_and_a_terminal_has_unless_refused) {
    expect_run(0, "", "echo x | %s set b", COVE);
    expect_run(1, NULL, "%s ls 2>/dev/null | grep -q '\033'", COVE);
    if (can("script -qec true /dev/null")) { /* there are terminals here */
        expect_run(0, NULL, "TERM=xterm script -qec '%s ls' /dev/null 2>/dev/null | grep -q '\033'", COVE);
        expect_run(1, NULL, "NO_COLOR=1 TERM=xterm script -qec '%s ls' /dev/null 2>/dev/null | grep -q '\033'", COVE);
    }
    expect_run(0, "", "%s rm b", COVE);
}

TEST(ls_and_stat_show_who_is_attached_and_what_is_held) {
    cove_block *block;
    cove_block_view view;
    expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 8, .type_name = "pose", .schema_hash = 255}));
    expect(COVE_OK, cove_block_lock_write(block, &view, COVE_TRY));
    json_t *o = json_of("%s stat b --json", COVE), *member = json_array_get(json_object_get(o, "attachments"), 0);
    assert_int_equal(json_array_size(json_object_get(o, "attachments")), 1);
    assert_int_equal(json_integer_value(json_object_get(member, "pid")), getpid());
    assert_true(json_is_true(json_object_get(member, "alive")));
    assert_true(json_is_true(json_object_get(member, "writing")));
    assert_string_equal(json_string_value(json_object_get(member, "program")), "command_test");
    assert_string_equal(json_string_value(json_object_get(o, "type")), "pose");
    assert_string_equal(json_string_value(json_object_get(o, "schema_hash")), "00000000000000ff");
    json_decref(o);
    expect_run(0, NULL, "%s stat b | grep -q 'holds the write lock'", COVE);
    expect(COVE_OK, cove_block_unlock(block, &view));
    expect_run(0, "", "%s set busy </dev/null", COVE);
    expect_run(7, "", "%s rm b 2>/dev/null", COVE);
    o = json_of("%s ls --json", COVE);
    assert_int_equal(json_array_size(o), 2);
    json_decref(o);
    expect_run(0, "", "%s rm --force b busy", COVE);
    assert_true(cove_block_is_removed(block));
    cove_block_close(block);
}

TEST(a_lock_that_is_kept_past_the_time_out_ends_with_4) {
    cove_block *block;
    cove_block_view view;
    expect(COVE_OK, cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 8}));
    expect(COVE_OK, cove_block_lock_write(block, &view, COVE_TRY));
    expect_run(4, "", "echo x | %s set b --timeout 0.05 2>/dev/null", COVE);
    expect(COVE_OK, cove_block_unlock(block, &view));
    cove_block_close(block);
}

static int die_inside(void *context) {
    cove_block *block;
    cove_block_view view;
    if (cove_block_open(&block, context, &(cove_block_options){.capacity_bytes = 4096, .flags = COVE_BLOCK_SINGLE}) != COVE_OK)
        return 1;
    cove_result result = cove_block_lock_write(block, &view, COVE_FOREVER);
    if (result < 0)
        return 2;
    kill(getpid(), SIGKILL);
    return 3;
}

TEST(gc_says_what_it_removes_and_a_dry_run_removes_nothing) {
    assert_int_equal(end_of(child(die_inside, "gone")), -SIGKILL);
    expect_run(0, "would remove gone (28.0K)\n", "%s gc --dry-run 2>/dev/null", COVE);
    assert_int_equal(count_files(test_domain), 1);
    json_t *o = json_of("%s gc --json", COVE);
    assert_int_equal(json_integer_value(json_object_get(o, "removed")), 1);
    json_decref(o);
    assert_int_equal(count_files(test_domain), 0);
}

TEST(damaged_and_unrepaired_objects_end_with_5) {
    cove_block *block;
    expect(COVE_OK, cove_block_open(&block, "half", &(cove_block_options){.capacity_bytes = 4096, .flags = COVE_BLOCK_SINGLE}));
    assert_int_equal(end_of(child(die_inside, "half")), -SIGKILL);
    expect_run(5, "", "%s get half 2>/dev/null", COVE);
    expect_run(0, "", "echo new | %s set half", COVE);
    expect_run(0, "new\n", "%s get half", COVE);
    cove_block_close(block);
    expect_run(0, NULL, "echo nonsense > %s/foreign", test_domain);
    expect_run(5, "", "%s get foreign 2>/dev/null", COVE);
    expect_run(5, NULL, "%s stat foreign 2>/dev/null", COVE);
    expect_run(0, NULL, "rm %s/foreign", test_domain);
}

TEST(domain_create_makes_domains_whose_mode_is_their_objects_default) {
    struct stat facts;
    char path[256];
    expect_run(0, "", "%s domain create %s/team --mode 0660", COVE, test_domain);
    snprintf(path, sizeof path, "%s/team", test_domain);
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 02770);
    expect_run(0, "", "echo x | %s set b --domain %s/team", COVE, test_domain);
    snprintf(path, sizeof path, "%s/team/b", test_domain);
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 0660);
    expect_run(0, "", "%s rm b --domain %s/team", COVE, test_domain);
    expect_run(2, "", "%s domain create %s/team2 --mode 0777 2>/dev/null", COVE, test_domain);
    expect_run(0, NULL, "rmdir %s/team", test_domain);
}

/* ---- The doctor: each finding is provoked. */

static bool doctor_finds(const char *prefix, const char *finding) {
    char command[1024];
    int status;
    json_error_t error;
    bool found = false;
    snprintf(command, sizeof command, "%s %s doctor --json 2>&1", prefix, COVE);
    const char *out = run(&status, "%s", command);
    json_t *o = json_loads(out, 0, &error), *f;
    if (!o)
        fail_msg("not JSON: %s", out);
    size_t i;
    json_array_foreach(json_object_get(o, "findings"), i, f) {
        const char *remedy = json_string_value(json_object_get(f, "remedy"));
        assert_true(remedy && *remedy);
        found |= !strcmp(json_string_value(json_object_get(f, "finding")), finding);
    }
    assert_int_equal(status, json_array_size(json_object_get(o, "findings")) ? 1 : 0);
    json_decref(o);
    return found;
}

TEST(doctor_finds_leftovers_foreign_damaged_unrepaired_full_and_other_versions) {
    cove_block *full, *half;
    int status;
    run(&status, "%s doctor --json > /dev/null", COVE);
    assert_int_equal(status, 0);
    assert_int_equal(end_of(child(die_inside, "left")), -SIGKILL);
    assert_true(doctor_finds("", "leftovers"));
    expect(COVE_OK, cove_gc(NULL, 0, NULL, NULL, NULL));
    assert_false(doctor_finds("", "leftovers"));
    run(&status, "echo nonsense > %s/foreign", test_domain);
    assert_true(doctor_finds("", "foreign"));
    run(&status, "rm %s/foreign", test_domain);
    expect(COVE_OK, cove_block_open(&half, "half", &(cove_block_options){.capacity_bytes = 4096, .flags = COVE_BLOCK_SINGLE}));
    assert_int_equal(end_of(child(die_inside, "half")), -SIGKILL);
    assert_true(doctor_finds("", "unrepaired"));
    cove_block_close(half);
    expect(COVE_OK, cove_block_open(&full, "full", &(cove_block_options){.slots = 1}));
    assert_true(doctor_finds("", "full"));
    cove_block_close(full);
    run(&status, "echo x | %s set b; printf '\\377' | dd of=%s/b bs=1 seek=50 conv=notrunc 2>/dev/null", COVE, test_domain);
    assert_true(doctor_finds("", "damaged"));
    run(&status, "printf '\\011' | dd of=%s/b bs=1 seek=12 conv=notrunc 2>/dev/null", test_domain);
    assert_true(doctor_finds("", "version"));
    run(&status, "%s rm --force b", COVE);
    assert_int_equal(status, 0);
}

TEST(doctor_finds_a_domain_that_cannot_be_used) {
    int status;
    run(&status, "chmod 0777 %s", test_domain);
    assert_true(doctor_finds("", "domain"));
    run(&status, "chmod 0700 %s", test_domain);
}

TEST(doctor_finds_a_memory_file_system_that_is_small_or_nearly_full) {
    if (geteuid() != 0 || !can("unshare -m true"))
        skip();
    char prefix[512];
    snprintf(prefix, sizeof prefix, "unshare -m sh -c 'mount -t tmpfs -o size=16m,mode=700 none %s && exec \"$@\"' sh", test_domain);
    assert_true(doctor_finds(prefix, "small"));
    snprintf(prefix, sizeof prefix,
             "unshare -m sh -c 'mount -t tmpfs -o size=16m,mode=700 none %s && head -c 15m /dev/zero > %s/.fill; exec \"$@\"' sh",
             test_domain, test_domain);
    assert_true(doctor_finds(prefix, "space"));
}

TEST(doctor_finds_permissions_that_keep_one_out_or_let_others_in) {
    if (geteuid() != 0)
        skip();
    int status;
    run(&status, "echo x | %s set b --mode 0600 && chmod 0755 %s", COVE, test_domain);
    char prefix[256];
    snprintf(prefix, sizeof prefix, "COVE_DOMAIN=%s setpriv --reuid 1234 --clear-groups", test_domain);
    assert_true(doctor_finds(prefix, "permission"));
    assert_true(doctor_finds(prefix, "unreadable"));
    run(&status, "chmod 2770 %s", test_domain);
    assert_true(doctor_finds("", "sticky"));
    run(&status, "%s rm b; chmod 0700 %s", COVE, test_domain);
}

TEST(doctor_finds_that_systemd_would_delete_an_ordinary_user_s_files) {
    if (geteuid() != 0 || !can("unshare -m true"))
        skip();
    int status;
    char prefix[512];
    run(&status, "chown 4321 %s", test_domain);
    snprintf(prefix, sizeof prefix,
             "unshare -m sh -c 'mount -t tmpfs none /run && mkdir -p /run/systemd/system && exec \"$@\"' sh setpriv --reuid 4321 "
             "--clear-groups");
    assert_true(doctor_finds(prefix, "remove-ipc"));
    snprintf(prefix, sizeof prefix,
             "unshare -m sh -c 'mount -t tmpfs none /run && mkdir -p /run/systemd/system && mount -t tmpfs none /etc/systemd 2>/dev/null "
             "|| mkdir -p /etc/systemd; "
             "echo RemoveIPC=no > /run/systemd/logind.conf; exec \"$@\"' sh setpriv --reuid 4321 --clear-groups");
    assert_false(doctor_finds(prefix, "remove-ipc"));
    run(&status, "chown 0 %s", test_domain);
}

/* ---- Streams. A keeper holds the stream while commands come and go. */

TEST(lines_pass_from_pub_to_sub) {
    expect_run(0, "one\ntwo\nthree\n",
               "(%s sub s --until-closed --since oldest --timeout 8 2>/dev/null & sleep 0.2; "
               "(printf 'one\\ntwo\\nthree\\n'; sleep 0.5) | %s pub s; wait)",
               COVE, COVE);
    expect_run(0, "", "printf 'a\\nb\\nc' | %s pub s --lifetime until-removed --depth 2", COVE);
    expect_run(0, "b\nc\n", "%s sub s --since oldest --count 2", COVE);
    expect_run(0, "c\n", "%s sub s --count 1", COVE);
    expect_run(0, "c\n", "%s sub s --count 1 --follow latest", COVE);
    expect_run(0, "c", "%s sub s --count 1 --raw", COVE);
    expect_run(0, "", "echo d | %s pub s", COVE); /* a writer that comes back goes on */
    json_t *o = json_of("%s stat --json s", COVE);
    assert_string_equal(json_string_value(json_object_get(o, "kind")), "stream");
    assert_int_equal(json_integer_value(json_object_get(o, "newest_sequence")), 4);
    assert_int_equal(json_integer_value(json_object_get(o, "depth")), 2);
    assert_string_equal(json_string_value(json_object_get(o, "element_type")), "text");
    json_decref(o);
    expect_run(0, "", "%s ls | grep -q '^s *stream'", COVE);
    expect_run(0, "", "%s rm s", COVE);
}

TEST(numbers_are_read_as_they_were_written) {
    expect_run(0, "", "printf '1 2.5,-3e-3\\n\\n 0.1; 1e300\\n' | %s pub n --type f64 --lifetime until-removed --times --tag 7", COVE);
    expect_run(0, "1 2.5 -0.003\n\n0.1 1e+300\n", "%s sub n --since oldest --count 3", COVE);
    json_t *o = json_of("%s sub n --json --count 1 --since oldest", COVE);
    assert_int_equal(json_integer_value(json_object_get(o, "sequence")), 1);
    assert_int_equal(json_integer_value(json_object_get(o, "tag")), 7);
    assert_int_equal(json_integer_value(json_object_get(o, "count")), 3);
    assert_true(json_integer_value(json_object_get(o, "time_ns")) > 0);
    assert_true(json_real_value(json_array_get(json_object_get(o, "value"), 1)) == 2.5);
    json_decref(o);
    expect_run(2, "", "echo 1 two | %s pub n 2>/dev/null", COVE);
    expect_run(5, "", "echo 1 | %s pub n --type i32 2>/dev/null", COVE); /* it carries f64 */
    expect_run(0, "", "%s rm n", COVE);
    static const char *const cases[][2] = {{"i8", "-128 127"},
                                           {"i16", "-32768 32767"},
                                           {"i32", "-2147483648 2147483647"},
                                           {"i64", "-9223372036854775808 9223372036854775807"},
                                           {"u8", "0 255"},
                                           {"u16", "0 65535"},
                                           {"u32", "0 4294967295"},
                                           {"u64", "0 18446744073709551615"},
                                           {"f32", "0.1 -3.5e+30"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char wanted[128];
        snprintf(wanted, sizeof wanted, "%s\n", cases[i][1]);
        expect_run(0, "", "echo '%s' | %s pub n --type %s --lifetime until-removed", cases[i][1], COVE, cases[i][0]);
        expect_run(0, wanted, "%s sub n --count 1", COVE);
        if (i < 8)
            expect_run(2, "", "echo '99999999999999999999' | %s pub n 2>/dev/null", COVE);
        if (i < 3)
            expect_run(2, "", "echo '%s1' | %s pub n 2>/dev/null", cases[i][1], COVE);
        expect_run(0, "", "%s rm n", COVE);
    }
}

TEST(frames_pass_unchanged) {
    expect_run(0, "", "head -c 300000 %s | %s pub f --frame 100000 --lifetime until-removed", COVE, COVE);
    expect_run(0, "", "head -c 300000 %s > %s/.head; %s sub f --since oldest --count 3 --raw | cmp - %s/.head", COVE, test_domain, COVE,
               test_domain);
    expect_run(0, "", "rm -f %s/.head; %s rm f", test_domain, COVE);
}

TEST(sub_and_pub_tell_what_is_wrong) {
    expect_run(1, "", "%s sub nosuch --timeout 0 2>/dev/null", COVE);
    expect_run(4, "", "%s sub nosuch --timeout 0.3 2>/dev/null", COVE);
    expect_run(2, "", "%s sub 2>/dev/null", COVE);
    expect_run(2, "", "%s sub s --follow some 2>/dev/null", COVE);
    expect_run(2, "", "%s sub s --since yesterday 2>/dev/null", COVE);
    expect_run(2, "", "%s sub s --count 0 2>/dev/null", COVE);
    expect_run(2, "", "echo | %s pub s --type text8 2>/dev/null", COVE);
    expect_run(2, "", "echo | %s pub s --rate -1 2>/dev/null", COVE);
    expect_run(2, "", "echo | %s pub s --depth 100000 2>/dev/null", COVE);
    expect_run(6, "", "printf '%%05000d\\n' 1 | %s pub s 2>/dev/null", COVE); /* longer than the 4096 bytes of a new stream */
    expect_run(5, "", "printf '\\377\\n' | %s pub s 2>/dev/null", COVE);
    expect_run(0, "", "echo x | %s set b", COVE);
    expect_run(5, "", "echo x | %s pub b 2>/dev/null", COVE); /* a block */
    expect_run(0, "", "%s rm b", COVE);
    expect_run(0, "missed\n", "printf '1\\n2\\n3\\n4\\n5\\n' | %s pub s --depth 2 --lifetime until-removed; echo missed", COVE);
    expect_run(1, "4\n5\n", "(%s sub s --since oldest & sleep 0.3; %s rm --force s; wait $!) 2>/dev/null", COVE, COVE);
    expect_run(130, "", "(%s sub s & sleep 0.3; kill -INT $!; wait $!) 2>/dev/null", COVE);
}

TEST(hz_tells_rate_and_bytes) {
    json_t *o =
        json_of("(yes 12345678 | %s pub s --rate 500 & pid=$!; " COVE " hz s --json --count 1 --window 0.5; kill $pid) 2>/dev/null", COVE);
    double rate = json_real_value(json_object_get(o, "rate_hz")), bytes = json_real_value(json_object_get(o, "bytes_per_second"));
    assert_true(rate > 50 && rate < 5000);
    assert_true(bytes > 7.9 * rate && bytes < 8.1 * rate);
    json_decref(o);
    expect_run(2, "", "%s hz s --window 0 2>/dev/null", COVE);
    usleep(100000);
}

TEST(stat_shows_who_writes_and_how_far_each_reader_is_behind) {
    cove_stream *writer, *reader, *lossless;
    uint64_t got = 0;
    expect(COVE_OK, cove_stream_open(&writer, "s", &(cove_stream_options){.depth = 8}));
    expect(COVE_OK, cove_stream_open(&reader, "s", NULL));
    expect(COVE_OK, cove_stream_open(&lossless, "s", &(cove_stream_options){.follow = COVE_FOLLOW_LOSSLESS, .start = COVE_START_NEW}));
    for (int i = 0; i < 5; i++)
        expect(COVE_OK, cove_stream_write(writer, &got, 8, 0, COVE_TRY));
    expect(COVE_OK, cove_stream_read(reader, &got, 8, NULL, COVE_TRY));
    cove_value value;
    expect(COVE_OK, cove_stream_borrow(reader, &value, COVE_TRY));
    json_t *o = json_of("%s stat --json s", COVE), *members = json_object_get(o, "attachments");
    assert_int_equal(json_array_size(members), 3);
    assert_int_equal(json_integer_value(json_object_get(o, "writers")), 1);
    assert_int_equal(json_integer_value(json_object_get(o, "borrowed")), 1);
    assert_true(json_is_true(json_object_get(json_array_get(members, 0), "writer")));
    assert_true(json_is_false(json_object_get(json_array_get(members, 0), "reader")));
    assert_true(json_is_true(json_object_get(json_array_get(members, 1), "reader")));
    assert_int_equal(json_integer_value(json_object_get(json_array_get(members, 1), "behind")), 3);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(members, 1), "borrowed")), 1);
    assert_true(json_is_true(json_object_get(json_array_get(members, 2), "lossless")));
    assert_int_equal(json_integer_value(json_object_get(json_array_get(members, 2), "behind")), 5);
    json_decref(o);
    cove_stream_close(lossless);
    cove_stream_close(reader);
    cove_stream_close(writer);
}

TEST(pub_and_hz_end_when_they_are_told_to) {
    cove_stream *awaited;
    char path[256];
    /* Half a line is no value. */
    expect_run(130, "",
               "((printf 'whole\\nhalf a li'; sleep 5) | %s pub s --lifetime until-removed & sleep 0.4; pkill -INT -f '^%s pub s'; wait "
               "$!) 2>/dev/null",
               COVE, COVE);
    expect_run(0, "whole\n", "%s sub s --since oldest --count 1", COVE);
    json_t *o = json_of("%s stat --json s", COVE);
    assert_int_equal(json_integer_value(json_object_get(o, "newest_sequence")), 1);
    json_decref(o);
    /* Nor is a wait for a lossless reader without end. */
    expect(COVE_OK, cove_stream_open(&awaited, "s", &(cove_stream_options){.follow = COVE_FOLLOW_LOSSLESS, .start = COVE_START_NEW}));
    expect_run(130, "", "(yes | %s pub s --timeout 1000 & sleep 0.4; pkill -TERM -f '^%s pub s'; wait $!) 2>/dev/null", COVE, COVE);
    cove_stream_close(awaited);
    expect_run(6, "",
               "((timeout 10 %s hz s --window 0.05; echo $? >%s/.status) 2>/dev/null) | head -n 1 >/dev/null; exit $(cat %s/.status)", COVE,
               test_domain, test_domain);
    snprintf(path, sizeof path, "%s/.status", test_domain);
    unlink(path);
    expect_run(0, "", "%s rm s", COVE);
}

TEST(a_number_that_does_not_fit_is_refused_and_not_cut) {
    expect_run(2, "", "printf '1.%%061d12345\\n' 0 | %s pub n --type f64 2>/dev/null", COVE);
    expect_run(2, "", "echo 1e300 | %s pub n --type f32 2>/dev/null", COVE);
    expect_run(2, "", "echo 1 | %s pub n --rate 1e-300 2>/dev/null", COVE);
    cove_stream *any;
    expect(COVE_OK, cove_stream_open(&any, "any", &(cove_stream_options){.type = COVE_TYPE_ANY}));
    expect_run(5, "", "echo 1 | %s pub any 2>/dev/null", COVE);
    expect_run(0, "", "printf 12345678 | %s pub any --frame 8", COVE);
    cove_stream_close(any);
}

/* ---- Queues. */

TEST(lines_pass_from_push_to_pop_one_to_one) {
    expect_run(0, "", "printf 'one\\ntwo\\n\\nfour' | %s push q --tag 5", COVE);
    json_t *o = json_of("%s stat --json q", COVE);
    assert_string_equal(json_string_value(json_object_get(o, "kind")), "queue");
    assert_string_equal(json_string_value(json_object_get(o, "lifetime")), "until-removed");
    assert_int_equal(json_integer_value(json_object_get(o, "ready")), 4);
    assert_int_equal(json_integer_value(json_object_get(o, "in_flight")), 0);
    assert_int_equal(json_integer_value(json_object_get(o, "depth")), 64);
    assert_true(json_integer_value(json_object_get(o, "oldest_age_ns")) > 0);
    json_decref(o);
    expect_run(0, "one\n", "%s pop q --peek", COVE);
    expect_run(0, "one\n", "%s pop q", COVE);
    o = json_of("%s pop q --json", COVE);
    assert_string_equal(json_string_value(json_object_get(o, "value")), "two");
    assert_int_equal(json_integer_value(json_object_get(o, "sequence")), 2);
    assert_int_equal(json_integer_value(json_object_get(o, "tag")), 5);
    assert_int_equal(json_integer_value(json_object_get(o, "deliveries")), 1);
    json_decref(o);
    expect_run(0, "\nfour\n", "%s pop q --count 2", COVE);
    expect_run(7, "", "%s pop q --timeout 0 2>/dev/null", COVE);
    expect_run(7, "", "%s pop q --timeout 0.1 2>/dev/null", COVE);
    expect_run(0, "", "%s pop q --follow --timeout 0", COVE);
    expect_run(0, "", "%s ls | grep -q '^q *queue'", COVE);
    expect_run(0, "", "%s rm q", COVE);
}

TEST(a_command_that_fails_gives_its_message_back) {
    expect_run(0, "", "printf 'a\\nb\\nc\\n' | %s push q", COVE);
    expect_run(1, "a 1 1 1", "%s pop q --exec 'cat; printf \" $COVE_SEQUENCE $COVE_DELIVERIES $COVE_LENGTH\"; exit 9' 2>/dev/null", COVE);
    expect_run(0, "cove: message 1, delivery 2: the command ended with 9; it was put back\n", "%s pop q --exec 'exit 9' 2>&1; test $? = 1",
               COVE);
    expect_run(0, "cove: message 1, delivery 3: the command ended with 137; it was put back\n",
               "%s pop q --exec 'kill -9 $$' 2>&1; test $? = 1", COVE);
    expect_run(0, "a 4 b 1 c 1 ", "%s pop q --count 3 --exec 'cat; printf \" $COVE_DELIVERIES \"'", COVE);
    json_t *o = json_of("%s stat --json q", COVE);
    assert_int_equal(json_integer_value(json_object_get(o, "ready")), 0);
    assert_int_equal(json_integer_value(json_object_get(o, "delivered")), 3);
    assert_int_equal(json_integer_value(json_object_get(o, "redelivered")), 3);
    json_decref(o);
    /* A command that does not read its input has still done its work. */
    expect_run(0, "", "head -c 1000000 /dev/zero | %s push big --frame 1000000", COVE);
    expect_run(0, "", "%s pop big --exec true", COVE);
    expect_run(0, "", "%s rm q big", COVE);
}

TEST(a_message_whose_worker_is_killed_goes_to_another) {
    expect_run(0, "", "echo job | %s push q", COVE);
    expect_run(0, "",
               "%s pop q --exec 'exec sleep 100' & pid=$!; for i in $(seq 50); do %s stat q | grep -q 'has 1 in hand' && break; "
               "sleep 0.05; done; kill -9 $pid; wait $pid; true",
               COVE, COVE);
    expect_run(0, "job 2", "%s pop q --exec 'tr -d \"\\n\"; printf \" $COVE_DELIVERIES\"'", COVE);
    expect_run(0, "", "! pgrep -f 'sleep 100' -P 1", COVE); /* its command has ended with it */
    expect_run(0, "", "%s rm q", COVE);
}

TEST(what_nobody_gets_done_goes_to_the_dead_letters) {
    expect_run(0, "", "printf 'bad\\ngood\\n' | %s push q --dead-letter q.dead --max-deliveries 2", COVE);
    expect_run(0, "good\n", "%s pop q --follow --timeout 0.5 --exec 'read line; test $line = good && echo $line' 2>/dev/null", COVE);
    expect_run(0, "bad\n", "%s pop q.dead", COVE);
    json_t *o = json_of("%s stat --json q", COVE);
    assert_int_equal(json_integer_value(json_object_get(o, "dead_letters")), 1);
    assert_string_equal(json_string_value(json_object_get(o, "dead_letter")), "q.dead");
    json_decref(o);
    expect_run(0, "", "%s rm q q.dead", COVE);
}

TEST(a_pipeline_of_workers_does_all_the_work) {
    expect_run(
        0, "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n",
        "(for i in 1 2; do %s pop q --until-closed --exec 'sleep 0.01; echo $(cat)' 2>/dev/null & done; seq 10 | %s push q --depth 2; "
        "wait) | sort -n | grep .",
        COVE, COVE);
    expect_run(0, "", "%s rm q", COVE);
}

TEST(push_and_pop_tell_what_is_wrong) {
    expect_run(2, "", "%s pop 2>/dev/null", COVE);
    expect_run(2, "", "%s pop q --count 0 2>/dev/null", COVE);
    expect_run(2, "", "%s pop q --peek --follow 2>/dev/null", COVE);
    expect_run(2, "", "%s push q --max-deliveries 0 </dev/null 2>/dev/null", COVE);
    expect_run(2, "", "%s push q --max-deliveries 3 </dev/null 2>/dev/null", COVE); /* and where should they go */
    expect_run(1, "", "%s pop nosuch --timeout 0 2>/dev/null", COVE);
    expect_run(4, "", "%s pop nosuch --timeout 0.2 2>/dev/null", COVE);
    expect_run(0, "", "echo x | %s set b", COVE);
    expect_run(5, "", "%s pop b 2>/dev/null", COVE);
    expect_run(5, "", "echo x | %s push b 2>/dev/null", COVE);
    expect_run(0, "", "%s rm b", COVE);
    expect_run(7, "", "seq 3 | %s push q --depth 2 --timeout 0.1 2>/dev/null", COVE);
    expect_run(0, "1\n2\n", "%s pop q --follow --timeout 0", COVE);
    expect_run(0, "", "%s rm q", COVE);
    expect_run(0, "", "seq 5 | %s push q --depth 2 --drop-oldest", COVE);
    expect_run(0, "4\n5\n", "%s pop q --follow --timeout 0", COVE);
    expect_run(0, "", "%s stat q | grep -q '3 dropped'", COVE);
    expect_run(130, "", "(%s pop q --follow & sleep 0.3; kill -INT $!; wait $!) 2>/dev/null", COVE);
    expect_run(1, "", "(%s pop q --follow & sleep 0.3; %s rm --force q; wait $!) 2>/dev/null", COVE, COVE);
}

TEST(hz_and_stat_tell_of_a_queue) {
    expect_run(0, "", "echo first | %s push q --capacity 64", COVE);
    json_t *o = json_of("(yes 12345678 | %s push q --rate 200 & pid=$!; " COVE " pop q --follow >/dev/null & other=$!; " COVE
                        " hz q --json --count 1 --window 0.5; kill $pid $other; wait) 2>/dev/null",
                        COVE);
    double pushed = json_real_value(json_object_get(o, "pushed_hz")), taken = json_real_value(json_object_get(o, "taken_hz"));
    assert_true(pushed > 20 && pushed < 2000);
    assert_true(taken > 20 && taken < 2000);
    json_decref(o);
    expect_run(0, "", "%s stat q | grep -q '^  so far '", COVE);
    expect_run(0, "", "%s rm --force q", COVE);
}

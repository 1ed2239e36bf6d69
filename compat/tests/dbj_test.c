/* The DBJ component: its interface, item by item, in real processes. */
#include "tests/support.h"

#include "dbj-component-loader.h"
#include "dbj-shmem.h"

#include <errno.h>
#include <pthread.h>

/* Under the address sanitizer, which calls dlopen in our place, the loader does not see where this program says that libraries are. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
__attribute__((constructor)) static void begin_with_a_path(int argc, char **argv) {
    (void)argc;
    if (getenv("LD_LIBRARY_PATH"))
        return;
    setenv("LD_LIBRARY_PATH", COVE_BUILD_DIR "/lib", 1);
    execv("/proc/self/exe", argv);
}
#endif

static struct component_shmem *shmem;
static void *library;
static DBJ_COMPONENT_UNLOAD_FP can_unload;

static void load(void) {
    library = dbjcs_load_("dbj-shmem.dll");
    assert_non_null(library);
    component_shmem_factory_fp factory = (component_shmem_factory_fp)dbjcs_find_(library, DBJCS_FACTORYNAME);
    can_unload = (DBJ_COMPONENT_UNLOAD_FP)dbjcs_find_(library, DBJCS_CAN_UNLOAD_NAME);
    assert_true(factory && can_unload);
    shmem = factory();
}

static dbj_string_64 key_of(const char *text) {
    dbj_string_64 key;
    DBJ_STRING_ASSIGN(key, text);
    return key;
}

#define refused(error_number, call) \
    do { \
        errno = 0; \
        assert_false(call); \
        assert_int_equal(errno, error_number); \
    } while (0)

static bool set_number(const char *key, long value) {
    return shmem->set_value(shmem, key_of(key), sizeof value, &value);
}
static long number(const char *key) {
    long value = -1, *out = &value;
    return shmem->get_value(shmem, key_of(key), sizeof value, (void **)&out) ? value : -1;
}

TEST(the_text_of_the_original_s_description_runs) {
    int status;
    char *said = run(&status, "%s/compat/dbj_usage", COVE_BUILD_DIR);
    assert_int_equal(status, 0);
    assert_string_equal(said, "42 was set, and got\n42 was set, and got\n");
    assert_int_equal(count_files(test_domain), 0);
}

TEST(the_example_hands_a_number_from_one_process_to_another) {
    int status;
    char *said = run(&status,
                     "%1$s/compat/dbj_two set 4711 < /dev/zero & setter=$!; for i in $(seq 100); do ls %2$s | grep -q . && break; sleep "
                     "0.01; done; %1$s/compat/dbj_two get; wait $setter",
                     COVE_BUILD_DIR, test_domain);
    assert_int_equal(status, 0);
    assert_non_null(strstr(said, "4711 is set"));
}

TEST(strings_have_a_size_are_never_cut_off_and_may_be_empty) {
    dbj_string_8 small;
    dbj_string_1024 large;
    assert_int_equal(DBJ_STRING_SIZE(small), 8);
    assert_int_equal(DBJ_STRING_SIZE(large), 1024);
    DBJ_STRING_ASSIGN(small, "1234567");
    assert_string_equal(small.data, "1234567");
    DBJ_STRING_ASSIGN(small, "12345678");
    assert_true(DBJ_STRING_IS_EMPTY(small));
    assert_int_equal(errno, ENAMETOOLONG);
    DBJ_STRING_ASSIGN(large, "x");
    DBJ_STRING_SET_EMPTY(large);
    assert_true(DBJ_STRING_IS_EMPTY(large));
}

TEST(a_block_is_created_set_got_and_deleted) {
    load();
    assert_true(can_unload());
    assert_true(shmem->create(shmem, key_of("k"), sizeof(long)));
    assert_false(can_unload());
    assert_int_equal(number("k"), 0);
    assert_true(set_number("k", 42));
    assert_int_equal(number("k"), 42);
    assert_true(shmem->create(shmem, key_of("k"), sizeof(long))); /* again */
    assert_int_equal(number("k"), 42);
    assert_true(shmem->delete (shmem, key_of("k")));
    assert_true(can_unload());
    assert_int_equal(count_files(test_domain), 0);
    refused(ENOENT, shmem->delete (shmem, key_of("k")));
    refused(ENOENT, set_number("k", 1));
    dlclose(library);
}

TEST(what_does_not_fit_is_refused_and_touches_nothing) {
    char bytes[16] = "0123456789abcde", out[16] = "untouched", *to = out, *none = NULL;
    load();
    refused(EINVAL, shmem->create(shmem, key_of("k"), 0));
    refused(EINVAL, shmem->create(shmem, key_of(""), 8));
    assert_true(shmem->create(shmem, key_of("k"), 8));
    assert_true(shmem->set_value(shmem, key_of("k"), 8, bytes));
    refused(EINVAL, shmem->create(shmem, key_of("k"), 9));
    refused(EINVAL, shmem->set_value(shmem, key_of("k"), 9, bytes + 1));
    refused(EINVAL, shmem->set_value(shmem, key_of("k"), 0, bytes));
    refused(EINVAL, shmem->set_value(shmem, key_of("k"), 8, NULL));
    refused(EINVAL, shmem->get_value(shmem, key_of("k"), 9, (void **)&to));
    refused(EINVAL, shmem->get_value(shmem, key_of("k"), 0, (void **)&to));
    refused(EINVAL, shmem->get_value(shmem, key_of("k"), 8, (void **)&none));
    refused(EINVAL, shmem->get_value(shmem, key_of("k"), 8, NULL));
    refused(ENOENT, shmem->get_value(shmem, key_of("other"), 8, (void **)&to));
    assert_string_equal(out, "untouched");
    assert_true(shmem->get_value(shmem, key_of("k"), 8, (void **)&to));
    assert_memory_equal(out, "01234567", 8);
    /* A shorter one leaves the rest. */
    assert_true(shmem->set_value(shmem, key_of("k"), 2, "XY"));
    assert_true(shmem->get_value(shmem, key_of("k"), 8, (void **)&to));
    assert_memory_equal(out, "XY234567", 8);
    dlclose(library); /* and lets go of it */
    assert_int_equal(count_files(test_domain), 0);
}

TEST(a_key_ends_with_its_first_0_and_uses_all_its_bytes) {
    load();
    dbj_string_64 dirty, full, other;
    memset(&dirty, 'z', sizeof dirty);
    memcpy(dirty.data, "k", 2);
    memset(&full, 'f', sizeof full); /* no 0 at all */
    other = full;
    other.data[63] = 'g';
    assert_true(shmem->create(shmem, key_of("k"), sizeof(long)));
    long value = 7, got = 0, *out = &got;
    assert_true(shmem->set_value(shmem, dirty, sizeof value, &value));
    assert_int_equal(number("k"), 7);
    assert_true(shmem->create(shmem, full, 8) && shmem->create(shmem, other, 8));
    assert_true(shmem->set_value(shmem, full, 8, &value));
    assert_true(shmem->get_value(shmem, other, 8, (void **)&out));
    assert_int_equal(got, 0); /* another block */
    dbj_string_64 strange = key_of("../\xff /%");
    assert_true(shmem->create(shmem, strange, 8));
    dlclose(library);
}

/* ---- Other processes. */

static int join_and_set(void *context) {
    long value = *(long *)context;
    return shmem->create(shmem, key_of("k"), sizeof value) && set_number("k", value) ? 0 : 1;
}

TEST(another_process_joins_sees_the_same_and_may_not_change_the_size) {
    long value = 99;
    load();
    assert_true(shmem->create(shmem, key_of("k"), sizeof value));
    assert_int_equal(end_of(child(join_and_set, &value)), 0);
    assert_int_equal(number("k"), 99);
    int status;
    run(&status, "cd %s && %s/compat/dbj_usage", test_domain, COVE_BUILD_DIR);
    assert_int_equal(status, 0);
    dlclose(library);
}

static int know_nothing(void *context) {
    (void)context;
    load();
    return number("k") == -1 && errno == ENOENT && !shmem->create(shmem, key_of("k"), 4) && errno == EINVAL ? 0 : 1;
}

static int hold(void *context) {
    load();
    if (!shmem->create(shmem, key_of("k"), sizeof(long)) || !set_number("k", 5))
        return 1;
    *(_Atomic int *)context = 1;
    pause();
    return 0;
}

TEST(a_key_is_known_once_this_process_has_created_it) {
    _Atomic int *is_ready = shared_memory(sizeof *is_ready);
    pid_t pid = child(hold, is_ready);
    eventually(*is_ready);
    assert_int_equal(end_of(child(know_nothing, NULL)), 0);
    load();
    assert_int_equal(number("k"), -1);
    assert_true(shmem->create(shmem, key_of("k"), sizeof(long)));
    assert_int_equal(number("k"), 5);
    kill_child(pid);
    assert_int_equal(number("k"), 5); /* we have it still */
    dlclose(library);
    assert_int_equal(count_files(test_domain), 0);
}

TEST(a_block_is_gone_when_the_last_process_that_had_it_was_killed) {
    _Atomic int *is_ready = shared_memory(sizeof *is_ready);
    pid_t pid = child(hold, is_ready);
    eventually(*is_ready);
    kill_child(pid);
    load();
    assert_true(shmem->create(shmem, key_of("k"), sizeof(long)));
    assert_int_equal(number("k"), 0);
    dlclose(library);
}

#define WIDE 4096
static int set_patterns(void *context) {
    char bytes[WIDE];
    (void)context;
    load();
    if (!shmem->create(shmem, key_of("wide"), WIDE))
        return 1;
    for (uint64_t i = 1;; i++) {
        fill_pattern(bytes, WIDE, i);
        if (!shmem->set_value(shmem, key_of("wide"), WIDE, bytes))
            return 2;
    }
}

TEST(values_are_whole_whoever_sets_and_whoever_is_killed) {
    char bytes[WIDE], *out = bytes;
    uint64_t zeros = 0, got = 0;
    load();
    assert_true(shmem->create(shmem, key_of("wide"), WIDE));
    pid_t pids[2] = {child(set_patterns, NULL), child(set_patterns, NULL)};
    for (int kills = 0; kills < 200; kills++) {
        for (cove_time_ns end = cove_now() + random_number() % 2000000; cove_now() < end; got++) {
            assert_true(shmem->get_value(shmem, key_of("wide"), WIDE, (void **)&out));
            zeros += !*(uint64_t *)(void *)bytes;
            assert_true(!*(uint64_t *)(void *)bytes || is_pattern(bytes, WIDE));
        }
        kill_child(pids[kills % 2]);
        pids[kills % 2] = child(set_patterns, NULL);
    }
    kill_child(pids[0]);
    kill_child(pids[1]);
    fill_pattern(bytes, WIDE, 1);
    assert_true(shmem->set_value(shmem, key_of("wide"), WIDE, bytes));
    printf("    %lu values, %lu before the first\n", (unsigned long)got, (unsigned long)zeros);
    assert_true(got > 1000 && zeros < got);
    dlclose(library);
}

static void *come_and_go(void *context) {
    (void)context;
    for (int i = 0; i < 2000; i++) {
        char out[8], *to = out;
        (void)(shmem->create(shmem, key_of("t"), 8) && shmem->set_value(shmem, key_of("t"), 8, "abcdefgh") &&
               shmem->get_value(shmem, key_of("t"), 8, (void **)&to));
        shmem->delete (shmem, key_of("t"));
    }
    return NULL;
}

TEST(threads_may_create_use_and_delete_the_same_block_and_fork_meanwhile) {
    pthread_t threads[4];
    load();
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, NULL), 0);
    long value = 3;
    for (int i = 0; i < 20; i++)
        assert_int_equal(end_of(child(join_and_set, &value)), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_true(can_unload());
    dlclose(library);
}

static _Atomic int stop, late;
static _Atomic bool is_deleted;
static void *set_all_the_time(void *context) {
    (void)context;
    while (!stop) {
        bool began_late = is_deleted;
        if (set_number("t", 1) && began_late)
            late++;
    }
    return NULL;
}

TEST(a_deleted_block_is_gone_at_once_though_others_are_inside) {
    pthread_t threads[4];
    load();
    assert_true(shmem->create(shmem, key_of("t"), sizeof(long)));
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, set_all_the_time, NULL), 0);
    usleep(10000);
    assert_true(shmem->delete (shmem, key_of("t")));
    is_deleted = true;
    usleep(20000);
    stop = 1;
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(late, 0);
    assert_true(can_unload());
    dlclose(library);
}

/* ---- The loader. */

static int calls;
static void count(component_shmem_factory_fp factory) {
    calls += factory() != NULL;
}
static void look_at_version(DBJ_COMPONENT_SEMVER_FP version) {
    struct dbj_component_version_ v = version();
    calls += v.major == COVE_VERSION_MAJOR && v.minor == COVE_VERSION_MINOR && v.patch == COVE_VERSION_PATCH && v.description[0];
}

TEST(the_loader_finds_what_there_is_and_refuses_paths) {
    calls = 0;
    DBJCS_CALL("dbj-shmem.dll", component_shmem_factory_fp, count);
    DBJCS_CALL("dbj-shmem.so", DBJCS_FACTORYNAME, component_shmem_factory_fp, count);
    DBJCS_CALL("dbj-shmem", component_shmem_factory_fp, count);
    DBJCS_ANY_CALL(DBJ_SHMEM_DLL_NAME, DBJCS_SEMVER_NAME, DBJ_COMPONENT_SEMVER_FP, look_at_version);
    assert_int_equal(calls, 4);
    DBJCS_CALL("no-such.dll", component_shmem_factory_fp, count);
    assert_int_equal(errno, ENOENT);
    DBJCS_CALL("dbj-shmem.dll", "no_such_function", component_shmem_factory_fp, count);
    assert_int_equal(errno, ENOSYS);
    DBJCS_CALL("/tmp/dbj-shmem.dll", component_shmem_factory_fp, count);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(calls, 4);
}

static int verify_in_vain(void *context) {
    (void)context;
    fclose(stderr);
    DBJ_VERIFY(1 == 2);
    return 0;
}

TEST(a_verification_that_fails_ends_the_program) {
    DBJ_VERIFY(1 == 1);
    assert_int_equal(end_of(child(verify_in_vain, NULL)), EXIT_FAILURE);
}

/* What every test has: a domain of its own, children that can be killed, memory to talk to them, and a watchdog.
 *
 *     #include "tests/support.h"
 *     TEST(a_block_that_nobody_has_set_is_empty) { … }
 *
 * A file named *_test.c anywhere under src/ or tests/ is a test program; the build finds it. After each test one garbage
 * collection is run, and then nothing may be left in the domain. */
#ifndef COVE_TESTS_SUPPORT_H
#define COVE_TESTS_SUPPORT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <cove/cove.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

typedef struct test_entry {
    const char *name, *file;
    void (*function)(void **);
    bool is_long;
    struct test_entry *next;
} test_entry;
void test_register(test_entry *entry);

#define TEST_(test_name, long_one) \
    static void test_name(void **); \
    static test_entry test_name##_entry = {#test_name, __FILE__, test_name, long_one, NULL}; \
    __attribute__((constructor)) static void test_name##_register(void) { \
        test_register(&test_name##_entry); \
    } \
    static void test_name(void **unused_state __attribute__((unused)))
#define TEST(name) TEST_(name, false)
#define LONG_TEST(name) TEST_(name, true) /* only with ./dev test --long */

/* The test's own domain, which is also the default one while it runs. */
extern const char *test_domain;
/* True in the instrumented builds, where everything takes longer: fewer rounds. */
extern const bool test_is_slow;

/* Expects a result, and shows the sentence when it is another. */
#define expect(wanted, call) expect_(wanted, (call), #call, __FILE__, __LINE__)
void expect_(cove_result wanted, cove_result got, const char *call, const char *file, int line);
/* Expects a failure whose sentence has these words in it. */
#define expect_words(wanted, words, call) expect_words_(wanted, words, (call), #call, __FILE__, __LINE__)
void expect_words_(cove_result wanted, const char *words, cove_result got, const char *call, const char *file, int line);

/* Memory that children share with the test; zeroed, freed after the test. */
void *shared_memory(size_t bytes);

/* A child that runs the function and ends with what it returns; ended by SIGKILL with the test at the latest. */
pid_t child(int (*function)(void *), void *context);
/* Its exit status; -signal when it was killed. */
int end_of(pid_t pid);
void kill_child(pid_t pid); /* SIGKILL, and waits until it is gone */

/* The standard output of a shell command, and its exit status. Freed after the test. */
char *run(int *out_status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Waits until a condition holds; fails the test when it does not for ten seconds. */
#define eventually(condition) \
    do { \
        for (int tries_ = 0; !(condition); tries_++) { \
            if (tries_ == 100000) \
                fail_msg("%s:%d: never came true: %s", __FILE__, __LINE__, #condition); \
            usleep(100); \
        } \
    } while (0)

uint64_t random_number(void); /* a generator of each process's own, seeded by COVE_TEST_SEED or the clock */

/* A value that shows tearing: every 8 bytes follow from the first 8. */
void fill_pattern(void *data, size_t bytes, uint64_t seed);
bool is_pattern(const void *data, size_t bytes);

/* In a child: a mount namespace of its own, with a file system of this type over `path`; false where that is not allowed, as in a
 * container without rights. The child then ends with NOT_HERE, and ran_or_skipped skips the test. */
#define NOT_HERE 77
bool mount_privately(const char *type, const char *path, const char *options);
void ran_or_skipped(int end);
/* Whether a shell command succeeds, silently. */
bool can(const char *command);

/* How many files of a domain are there (not those that start with a dot). */
int count_files(const char *domain);

#endif

/* The suite notices: for every number in platform.h there is a test, which passes on the real back end and fails on one that is
 * broken there. */
#include "tests/support.h"

#include <sys/stat.h>

#define SUITE COVE_BUILD_DIR "/tests/platform_broken"

TEST(every_number_of_the_contract_has_a_test_that_fails_when_it_is_broken) {
    int numbers = 0, skipped = 0, status;
    char line[512];
    FILE *contract = fopen(COVE_SOURCE_DIR "/src/platform/platform.h", "r");
    assert_non_null(contract);
    setenv("COVE_TEST_ROOT", test_domain, 1);
    assert_int_equal(chmod(test_domain, 0711), 0); /* some tests become another user */
    if (test_is_slow)
        skip(); /* the plain build has done it */
    while (fgets(line, sizeof line, contract)) {
        int function, condition;
        char kind[8];
        if (sscanf(line, " * %d.%d %4[a-z]:", &function, &condition, kind) != 3)
            continue;
        numbers++;
        const char *whole = run(&status, "%s c_%d_%d_ 2>&1", SUITE, function, condition);
        if (strstr(whole, "SKIPPED")) {
            skipped++;
            continue;
        }
        if (status || !strstr(whole, "[       OK ]"))
            fail_msg("%d.%d has no test that passes on the real back end:\n%s", function, condition, whole);
        const char *out = run(&status, "COVE_BROKEN=%d.%d timeout 20 %s c_%d_%d_ 2>&1", function, condition, SUITE, function, condition);
        if (status == 0)
            fail_msg("%d.%d is broken, and its test does not notice:\n%s", function, condition, out);
    }
    fclose(contract);
    unsetenv("COVE_TEST_ROOT");
    printf("    %d numbers, %d of them not testable here\n", numbers, skipped);
    assert_true(numbers > 90);
}

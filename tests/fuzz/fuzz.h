/* What the fuzz targets share. Each is one file with LLVMFuzzerTestOneInput, for libFuzzer and AFL++; ./dev fuzz builds and runs them.
 * What they find is kept in corpus/<target>/, and run again by every test run. */
#ifndef COVE_FUZZ_H
#define COVE_FUZZ_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <cove/cove.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A byte stream that never ends: zeros after the input. */
typedef struct input {
    const uint8_t *data;
    size_t size, at;
} input;

static inline uint8_t take_byte(input *in) {
    return in->at < in->size ? in->data[in->at++] : 0;
}
static inline uint64_t take_number(input *in, int bytes) {
    uint64_t number = 0;
    while (bytes-- > 0)
        number = number << 8 | take_byte(in);
    return number;
}

#define REQUIRE(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: not true: %s (%s)\n", __FILE__, __LINE__, #condition, cove_last_error()->sentence); \
            abort(); \
        } \
    } while (0)

/* A domain of the process's own, removed at its end. */
static inline void use_own_domain(void) {
    static char path[64];
    if (path[0])
        return;
    snprintf(path, sizeof path, "/dev/shm/cove-fuzz-%d", (int)getpid());
    REQUIRE(cove_domain_create(path, 0600) == COVE_OK);
    setenv("COVE_DOMAIN", path, 1);
}

#endif

/* A member of another kind: built with another C library or for another word size, started by matrix_test.
 *
 *     member count NAME N     N times: lock_write, read a counter in two places, add one to both, unlock; prints N
 *     member values NAME N    N times: set a pattern of changing length, get one and check it
 *     member hold NAME        locks for writing, prints "held", and stays until it is killed
 *     member repair NAME      expects COVE_OWNER_DIED, repairs, and sets the counter's two places equal */
#include <cove/cove.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *what) {
    fprintf(stderr, "member: %s: %s\n", what, cove_last_error()->sentence);
    return 1;
}

static int count(cove_block *block, int rounds) {
    for (int i = 0; i < rounds; i++) {
        cove_block_view view;
        volatile uint64_t *counter;
        if (cove_block_lock_write(block, &view, cove_in_ms(60000)) != COVE_OK)
            return fail("lock_write");
        counter = view.data;
        if (counter[0] != counter[100])
            return fprintf(stderr, "member: two inside at once\n"), 2;
        uint64_t next = counter[0] + 1;
        counter[0] = next;
        for (volatile int pause = 0; pause < 20; pause++)
            ;
        counter[100] = next;
        if (cove_block_unlock(block, &view) != COVE_OK)
            return fail("unlock");
    }
    printf("%d\n", rounds);
    return 0;
}

static void fill(unsigned char *data, uint32_t length, uint32_t seed) {
    for (uint32_t i = 0; i < length; i++)
        data[i] = (unsigned char)(i < 4 ? seed >> (8 * i) : (seed * 31 + i * 7) >> 3);
}

static int values(cove_block *block, int rounds) {
    unsigned char data[2048], wanted[2048];
    for (int i = 0; i < rounds; i++) {
        uint64_t length;
        fill(data, 8 + (uint32_t)(i * 37) % 2000, (uint32_t)i * 2654435761u + (uint32_t)getpid());
        if (cove_block_set(block, data, 8 + (uint32_t)(i * 37) % 2000, cove_in_ms(60000)) != COVE_OK)
            return fail("set");
        if (cove_block_get(block, data, sizeof data, &length, NULL, cove_in_ms(60000)) != COVE_OK)
            return fail("get");
        fill(wanted, (uint32_t)length, (uint32_t)data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24);
        if (memcmp(data, wanted, (size_t)length))
            return fprintf(stderr, "member: torn value of %u bytes\n", (unsigned)length), 2;
    }
    printf("%d\n", rounds);
    return 0;
}

static int hold(cove_block *block) {
    cove_block_view view;
    if (cove_block_lock_write(block, &view, cove_in_ms(60000)) < 0)
        return fail("lock_write");
    ((volatile uint64_t *)view.data)[0]++;
    alarm(60); /* whatever becomes of the test */
    puts("held");
    fflush(stdout);
    for (;;)
        pause();
}

static int repair(cove_block *block) {
    cove_block_view view;
    cove_result result = cove_block_lock_write(block, &view, cove_in_ms(10000));
    if (result != COVE_OWNER_DIED)
        return fprintf(stderr, "member: %s, not COVE_OWNER_DIED\n", cove_result_name(result)), 2;
    ((uint64_t *)view.data)[100] = ((uint64_t *)view.data)[0];
    if (cove_block_mark_repaired(block, &view) != COVE_OK || cove_block_unlock(block, &view) != COVE_OK)
        return fail("unlock");
    puts("repaired");
    return 0;
}

int main(int argc, char **argv) {
    cove_block *block;
    int rounds = argc > 3 ? atoi(argv[3]) : 0, status = 2;
    if (argc < 3 || cove_block_open(&block, argv[2], &(cove_block_options){.how = COVE_OPEN}) != COVE_OK)
        return fail("open");
    if (!strcmp(argv[1], "count"))
        status = count(block, rounds);
    else if (!strcmp(argv[1], "values"))
        status = values(block, rounds);
    else if (!strcmp(argv[1], "hold"))
        status = hold(block);
    else if (!strcmp(argv[1], "repair"))
        status = repair(block);
    cove_block_close(block);
    return status;
}

/* A member of another kind: built with another C library or for another word size, started by matrix_test.
 *
 *     member count NAME N     N times: lock_write, read a counter in two places, add one to both, unlock; prints N
 *     member values NAME N    N times: set a pattern of changing length, get one and check it
 *     member publish NAME N   writes N values of changing length to a stream, copied and in place in turn; prints N
 *     member subscribe NAME N reads N values, lossless, copied and in place in turn, and checks them and their numbers; prints N
 *     member keep NAME        loans and borrows, prints "held", and stays until it is killed
 *     member push NAME N      pushes N messages of changing length to a queue, copied and in place in turn; prints N
 *     member pop NAME N       takes messages, by copy and in place in turn, and checks them, until none comes for N ms; prints how many
 *     member grab NAME        takes one and keeps it, prints "held", and stays until it is killed
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

/* ---- Streams. */

static int publish(cove_stream *stream, int rounds) {
    for (int i = 0; i < rounds; i++) {
        unsigned char data[256];
        uint32_t length = 8 + (uint32_t)(i * 37) % 240, seed = (uint32_t)i * 2654435761u + (uint32_t)getpid();
        cove_loan loan;
        if (i % 2) {
            fill(data, length, seed);
            if (cove_stream_write(stream, data, length, seed, cove_in_ms(60000)) != COVE_OK)
                return fail("write");
        } else {
            if (cove_stream_loan(stream, length, &loan, cove_in_ms(60000)) != COVE_OK)
                return fail("loan");
            fill(loan.data, length, seed);
            loan.tag = seed;
            if (cove_stream_publish(stream, &loan, cove_in_ms(60000)) != COVE_OK)
                return fail("publish");
        }
    }
    printf("%d\n", rounds);
    return 0;
}

static int subscribe(cove_stream *stream, int rounds) {
    unsigned char data[256], wanted[256];
    uint64_t last = 0;
    for (int i = 0; i < rounds; i++) {
        cove_value value;
        bool borrows = i % 2;
        cove_result result = borrows ? cove_stream_borrow(stream, &value, cove_in_ms(60000))
                                     : cove_stream_read(stream, data, sizeof data, &value, cove_in_ms(60000));
        if (result != COVE_OK)
            return fail("read");
        fill(wanted, (uint32_t)value.length_bytes, (uint32_t)value.tag);
        if (memcmp(value.data, wanted, (size_t)value.length_bytes) || (last && value.sequence != last + 1))
            return fprintf(stderr, "member: torn, or a gap, at %llu\n", (unsigned long long)value.sequence), 2;
        last = value.sequence;
        if (borrows && cove_stream_give_back(stream, &value) != COVE_OK)
            return fail("give back");
    }
    printf("%d\n", rounds);
    return 0;
}

static int keep(cove_stream *stream) {
    cove_value value;
    cove_loan loan;
    if (cove_stream_borrow(stream, &value, cove_in_ms(60000)) < 0 || cove_stream_loan(stream, 8, &loan, cove_in_ms(60000)) != COVE_OK)
        return fail("hold");
    alarm(60);
    puts("held");
    fflush(stdout);
    for (;;)
        pause();
}

static int use_stream(const char *verb, const char *name, int rounds) {
    cove_stream *stream;
    bool reads = !strcmp(verb, "subscribe");
    cove_stream_options options = {.how = COVE_OPEN, .start = COVE_START_OLDEST, .follow = reads ? COVE_FOLLOW_LOSSLESS : COVE_FOLLOW_ALL};
    if (cove_stream_open(&stream, name, &options) != COVE_OK)
        return fail("open");
    if (reads) {
        puts("ready");
        fflush(stdout);
    }
    int status = reads ? subscribe(stream, rounds) : !strcmp(verb, "keep") ? keep(stream) : publish(stream, rounds);
    cove_stream_close(stream);
    return status;
}

/* ---- Queues. */

static int push(cove_queue *queue, int rounds) {
    for (int i = 0; i < rounds; i++) {
        unsigned char data[256];
        uint32_t length = 8 + (uint32_t)(i * 37) % 240, seed = (uint32_t)i * 2654435761u + (uint32_t)getpid();
        cove_loan loan;
        if (i % 2) {
            fill(data, length, seed);
            if (cove_queue_push(queue, data, length, seed, cove_in_ms(60000)) != COVE_OK)
                return fail("push");
        } else {
            if (cove_queue_reserve(queue, length, &loan, cove_in_ms(60000)) != COVE_OK)
                return fail("reserve");
            fill(loan.data, length, seed);
            loan.tag = seed;
            if (cove_queue_commit(queue, &loan, cove_in_ms(60000)) != COVE_OK)
                return fail("commit");
        }
    }
    printf("%d\n", rounds);
    return 0;
}

static int pop(cove_queue *queue, int patience_ms) {
    unsigned char data[256], wanted[256];
    int count = 0;
    for (;; count++) {
        cove_message m;
        bool takes = count % 2;
        cove_time_ns until = cove_in_ms(count ? (uint64_t)patience_ms : 10000); /* the others may have had all before we came */
        cove_result result = takes ? cove_queue_take(queue, &m, until) : cove_queue_pop(queue, data, sizeof data, &m, until);
        if (result == COVE_ERR_EMPTY)
            break;
        if (result < 0)
            return fail("pop");
        fill(wanted, (uint32_t)m.length_bytes, (uint32_t)m.tag);
        if (memcmp(m.data, wanted, (size_t)m.length_bytes))
            return fprintf(stderr, "member: torn, at %llu\n", (unsigned long long)m.sequence), 2;
        if (takes && cove_queue_done(queue, &m) != COVE_OK)
            return fail("done");
    }
    printf("%d\n", count);
    return 0;
}

static int grab(cove_queue *queue) {
    cove_message m;
    if (cove_queue_take(queue, &m, cove_in_ms(60000)) < 0)
        return fail("take");
    alarm(60);
    puts("held");
    fflush(stdout);
    for (;;)
        pause();
}

static int use_queue(const char *verb, const char *name, int rounds) {
    cove_queue *queue;
    if (cove_queue_open(&queue, name, &(cove_queue_options){.how = COVE_OPEN}) != COVE_OK)
        return fail("open");
    int status = !strcmp(verb, "push") ? push(queue, rounds) : !strcmp(verb, "pop") ? pop(queue, rounds) : grab(queue);
    cove_queue_close(queue);
    return status;
}

int main(int argc, char **argv) {
    cove_block *block;
    int rounds = argc > 3 ? atoi(argv[3]) : 0, status = 2;
    if (argc > 2 && (!strcmp(argv[1], "publish") || !strcmp(argv[1], "subscribe") || !strcmp(argv[1], "keep")))
        return use_stream(argv[1], argv[2], rounds);
    if (argc > 2 && (!strcmp(argv[1], "push") || !strcmp(argv[1], "pop") || !strcmp(argv[1], "grab")))
        return use_queue(argv[1], argv[2], rounds);
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

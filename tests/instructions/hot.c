/* The hot operations, each a number of times, with nobody waiting and nothing in the way: for valgrind's callgrind, which counts the
 * instructions of each (./run). Times differ from run to run and from machine to machine; these counts hardly do. Stepping a process
 * through the same by ptrace gives the same counts, and takes a hundred times as long. */
#define _GNU_SOURCE
#include <cove/cove.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#define TIMES 128 /* a stream's reader and a queue's consumer tell where they are now and then: so an average. ./run knows it */

#define MUST(call) \
    do { \
        if ((call) < 0) { \
            fprintf(stderr, "%s: %s\n", #call, cove_last_error()->sentence); \
            exit(1); \
        } \
    } while (0)

#define REPEAT(call) \
    do { \
        for (int i_ = 0; i_ < TIMES; i_++) \
            MUST(call); \
    } while (0)

#define COUNT(operation, call) \
    do { \
        CALLGRIND_ZERO_STATS; \
        REPEAT(call); \
        CALLGRIND_DUMP_STATS_AT(operation); \
    } while (0)

/* What happens once, or at first, is not counted. */
#define COUNT_ONE(operation, call) \
    do { \
        REPEAT(call); \
        COUNT(operation, call); \
    } while (0)

/* What one side puts in and the other takes out; a ring is at its best when it has been round a few times. */
#define COUNT_BOTH(operation, call, other_operation, other_call) \
    do { \
        for (int lap_ = 0; lap_ < 8; lap_++) { \
            REPEAT(call); \
            REPEAT(other_call); \
        } \
        COUNT(operation, call); \
        COUNT(other_operation, other_call); \
    } while (0)

static char data[64], room[2048];

/* Two calls that belong together, as one. */
static cove_result lock_and_unlock(cove_block *block, bool writes) {
    cove_block_view view;
    cove_result result = writes ? cove_block_lock_write(block, &view, COVE_FOREVER) : cove_block_lock_read(block, &view, COVE_FOREVER);
    return result < 0 ? result : cove_block_unlock(block, &view);
}

static cove_result version_of(cove_block *block) {
    return cove_block_version(block) ? COVE_OK : COVE_ERR_ARGUMENT;
}

static void blocks(void) {
    cove_block *block, *single;
    MUST(cove_block_open(&block, "two", &(cove_block_options){.capacity_bytes = 64}));
    MUST(cove_block_open(&single, "one", &(cove_block_options){.capacity_bytes = 64, .flags = COVE_BLOCK_SINGLE}));
    COUNT_ONE("block: set 64 bytes", cove_block_set(block, data, 64, COVE_FOREVER));
    COUNT_ONE("block: get 64 bytes", cove_block_get(block, room, 64, NULL, NULL, COVE_FOREVER));
    COUNT_ONE("block: lock_write and unlock", lock_and_unlock(block, true));
    COUNT_ONE("block: lock_read and unlock", lock_and_unlock(block, false));
    COUNT_ONE("block: version", version_of(block));
    COUNT_ONE("single copy: set 64 bytes", cove_block_set(single, data, 64, COVE_FOREVER));
    COUNT_ONE("single copy: get 64 bytes", cove_block_get(single, room, 64, NULL, NULL, COVE_FOREVER));
    COUNT_ONE("single copy: lock_write and unlock", lock_and_unlock(single, true));
    COUNT_ONE("single copy: lock_read and unlock", lock_and_unlock(single, false));
    cove_block_close(block);
    cove_block_close(single);
}

static cove_result loan_and_publish(cove_stream *stream) {
    cove_loan loan;
    cove_result result = cove_stream_loan(stream, 64, &loan, COVE_TRY);
    return result < 0 ? result : cove_stream_publish(stream, &loan, COVE_TRY);
}

static cove_result borrow_and_give_back(cove_stream *stream) {
    cove_value value;
    cove_result result = cove_stream_borrow(stream, &value, COVE_TRY);
    return result < 0 ? result : cove_stream_give_back(stream, &value);
}

static cove_result read_nothing(cove_stream *stream) {
    cove_result result;
    while ((result = cove_stream_read(stream, room, 64, NULL, COVE_TRY)) >= 0)
        ;
    return result == COVE_ERR_EMPTY ? COVE_OK : result;
}

static void streams(const char *name, uint32_t flags, const char *of_write, const char *of_read, const char *of_loan, const char *of_borrow,
                    const char *of_nothing) {
    cove_stream *writer, *reader;
    cove_stream_options options = {.capacity_bytes = 64, .depth = 256, .start = COVE_START_OLDEST};
    MUST(cove_stream_open(&reader, name, &options));
    options.flags = flags;
    MUST(cove_stream_open(&writer, name, &options));
    COUNT_BOTH(of_write, cove_stream_write(writer, data, 64, 1, COVE_TRY), of_read, cove_stream_read(reader, room, 64, NULL, COVE_TRY));
    COUNT_BOTH(of_loan, loan_and_publish(writer), of_borrow, borrow_and_give_back(reader));
    COUNT_ONE(of_nothing, read_nothing(reader));
    cove_stream_close(writer);
    cove_stream_close(reader);
}

static cove_result reserve_and_commit(cove_queue *queue) {
    cove_loan loan;
    cove_result result = cove_queue_reserve(queue, 64, &loan, COVE_TRY);
    return result < 0 ? result : cove_queue_commit(queue, &loan, COVE_TRY);
}

static cove_result take_and_done(cove_queue *queue) {
    cove_message message;
    cove_result result = cove_queue_take(queue, &message, COVE_TRY);
    return result < 0 ? result : cove_queue_done(queue, &message);
}

static void queues(const char *name, bool declared, const char *const names[6]) {
    cove_queue *in, *out;
    cove_message run[32];
    uint32_t done;
    cove_queue_options options = {.capacity_bytes = 64, .depth = 32 * TIMES};
    options.flags = declared ? COVE_QUEUE_ONLY_PRODUCER : 0;
    MUST(cove_queue_open(&in, name, &options));
    options.flags = declared ? COVE_QUEUE_ONLY_CONSUMER : 0;
    MUST(cove_queue_open(&out, name, &options));
    for (int i = 0; i < 32; i++)
        run[i] = (cove_message){.data = data, .length_bytes = 64};
    COUNT_BOTH(names[0], cove_queue_push(in, data, 64, 1, COVE_TRY), names[3], cove_queue_pop(out, room, 64, NULL, COVE_TRY));
    COUNT_BOTH(names[1], reserve_and_commit(in), names[4], take_and_done(out));
    COUNT_BOTH(names[2], cove_queue_push_many(in, run, 32, &done, COVE_TRY), names[5],
               cove_queue_pop_many(out, room, sizeof room, run, 32, &done, COVE_TRY));
    cove_queue_close(in);
    cove_queue_close(out);
}

int main(void) {
    char domain[] = "/dev/shm/cove-instructions-XXXXXX";
    if (!mkdtemp(domain))
        return 1;
    setenv("COVE_DOMAIN", domain, 1);
    blocks();
    streams("any", 0, "stream: write 64 bytes", "stream: read 64 bytes", "stream: loan and publish", "stream: borrow and give_back",
            "stream: read, nothing new");
    streams("only", COVE_STREAM_ONLY_WRITER, "stream, only writer: write 64 bytes", "stream, only writer: read 64 bytes",
            "stream, only writer: loan and publish", "stream, only writer: borrow and give_back", "stream, only writer: read, nothing new");
    queues("any-queue", false,
           (const char *const[]){"queue: push 64 bytes", "queue: reserve and commit", "queue: push_many, 32 of 64 bytes",
                                 "queue: pop 64 bytes", "queue: take and done", "queue: pop_many, 32 of 64 bytes"});
    queues("only-queue", true,
           (const char *const[]){"queue, roles declared: push 64 bytes", "queue, roles declared: reserve and commit",
                                 "queue, roles declared: push_many, 32 of 64 bytes", "queue, roles declared: pop 64 bytes",
                                 "queue, roles declared: take and done", "queue, roles declared: pop_many, 32 of 64 bytes"});
    rmdir(domain);
    return 0;
}

/* The member in C: see run. All three do the same, at once, on the same objects. */
#include <cove/cove.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ME 0
#define EACH 300

typedef struct sample {
    uint32_t language, number;
    double half;
} sample;
typedef struct board {
    uint64_t count[3], popped;
} board;

static void must(cove_result result, const char *what) {
    if (result >= 0)
        return;
    fprintf(stderr, "C: %s: %s: %s\n", what, cove_result_name(result), cove_last_error()->sentence);
    exit(1);
}
static void check(const sample *s, uint32_t next[3], int exactly) {
    if (s->language > 2 || s->half != s->number / 2.0 || (exactly ? s->number != next[s->language] : s->number < next[s->language])) {
        fprintf(stderr, "C: a wrong value: %u of %u, half %g\n", s->number, s->language, s->half);
        exit(1);
    }
    next[s->language] = s->number + 1;
}

int main(void) {
    cove_block *block;
    cove_stream *stream;
    cove_queue *queue;
    cove_time_ns end = cove_in_ms(30000);
    must(cove_block_open(
             &block, "board",
             &(cove_block_options){.capacity_bytes = sizeof(board), .lifetime = COVE_UNTIL_REMOVED, .type_name = "languages.Board"}),
         "open");
    must(cove_stream_open(&stream, "stream",
                          &(cove_stream_options){.type = COVE_TYPE_STRUCT,
                                                 .element_bytes = sizeof(sample),
                                                 .capacity_bytes = sizeof(sample),
                                                 .depth = 1024,
                                                 .start = COVE_START_OLDEST,
                                                 .lifetime = COVE_UNTIL_REMOVED,
                                                 .type_name = "languages.Sample",
                                                 .schema_hash = 1}),
         "open");
    must(cove_queue_open(&queue, "queue",
                         &(cove_queue_options){.type = COVE_TYPE_STRUCT,
                                               .element_bytes = sizeof(sample),
                                               .capacity_bytes = sizeof(sample),
                                               .depth = 1024,
                                               .lifetime = COVE_UNTIL_REMOVED,
                                               .type_name = "languages.Sample",
                                               .schema_hash = 1}),
         "open");
    for (uint32_t i = 0; i < EACH; i++) {
        sample s = {ME, i, i / 2.0};
        cove_block_view view;
        must(cove_block_lock_write(block, &view, end), "lock_write");
        if (view.length_bytes != sizeof(board))
            memset(view.data, 0, sizeof(board));
        ((board *)view.data)->count[ME]++;
        view.length_bytes = sizeof(board);
        must(cove_block_unlock(block, &view), "unlock");
        must(cove_stream_write(stream, &s, sizeof s, ME, end), "write");
        must(cove_queue_push(queue, &s, sizeof s, ME, end), "push");
    }
    uint32_t next[3] = {0};
    for (int i = 0; i < 3 * EACH; i++) {
        sample s;
        must(cove_stream_read(stream, &s, sizeof s, NULL, end), "read");
        check(&s, next, 1);
    }
    uint32_t popped[3] = {0};
    for (;;) {
        sample s;
        board b;
        uint64_t length;
        cove_message m;
        cove_result result = cove_queue_pop(queue, &s, sizeof s, &m, COVE_TRY);
        if (result == COVE_ERR_EMPTY) {
            must(cove_block_get(block, &b, sizeof b, &length, NULL, end), "get");
            if (b.popped == 3 * EACH) {
                if (b.count[0] != EACH || b.count[1] != EACH || b.count[2] != EACH)
                    return 1;
                break;
            }
            if (cove_now() > end)
                return 1;
            continue;
        }
        must(result, "pop");
        check(&s, popped, 0);
        cove_block_view view;
        must(cove_block_lock_write(block, &view, end), "lock_write");
        ((board *)view.data)->popped++;
        must(cove_block_unlock(block, &view), "unlock");
    }
    cove_block_close(block);
    cove_stream_close(stream);
    cove_queue_close(queue);
    printf("C: well\n");
    return 0;
}

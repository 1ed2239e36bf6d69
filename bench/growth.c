/* What things cost as there are more of them: segments in a domain, members of a segment, values kept, bytes of a value, readers. Each
 * figure stands beside that of the fewest: 1.0 is flat. What grows, grows as its title says. */
#define _GNU_SOURCE
#include "bench.h"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define POINTS 8

/* One curve: what it costs at each of some numbers. */
typedef struct curve {
    const char *what, *of;
    uint32_t points;
    uint64_t x[POINTS];
    double ns[POINTS];
} curve;

static void point(curve *c, uint64_t x, bench_fn run, void *context, uint64_t count) {
    contestant one = {run, context, 0};
    bench_compare(&one, NULL, count);
    c->x[c->points] = x;
    c->ns[c->points++] = one.best_ns;
}

/* `goal`: the most that the last may cost, in times the first; 0: it grows. */
static void tell(const curve *c, double goal) {
    json_t *points = json_array();
    for (uint32_t i = 0; i < c->points; i++) {
        char name[96];
        snprintf(name, sizeof name, "growth.%s.%s.%llu", c->what, c->of, (unsigned long long)c->x[i]);
        for (char *at = name; *at; at++)
            *at = *at == ' ' ? '_' : *at;
        bench_figure(name, c->ns[i], "ns", c->ns[0], i + 1 == c->points ? goal : 0);
        json_array_append_new(points, json_pack("[I, f]", (json_int_t)c->x[i], c->ns[i]));
    }
    bench_record(json_pack("{s:s, s:s, s:s, s:o}", "kind", "growth", "what", c->what, "of", c->of, "points", points));
}

/* ---- Segments in a domain. */

static void open_and_close(void *context, uint64_t count) {
    while (count--) {
        cove_block *block;
        MUST(cove_block_open(&block, context, &(cove_block_options){.how = COVE_OPEN}));
        cove_block_close(block);
    }
}

static void create_and_remove(void *context, uint64_t count) {
    while (count--) {
        cove_block *block;
        MUST(cove_block_open(&block, context, &(cove_block_options){.how = COVE_CREATE, .capacity_bytes = 64}));
        cove_block_close(block);
    }
}

static bool count_one(void *context, const cove_object_info *info) {
    (void)info;
    ++*(uint64_t *)context;
    return true;
}

static void list(void *context, uint64_t count) {
    while (count--) {
        *(uint64_t *)context = 0;
        MUST(cove_inspect_list(NULL, count_one, context));
    }
}

static void bench_segments(void) {
    curve opens = {"segments", "open and close", 0, {0}, {0}}, births = {"segments", "create and close", 0, {0}, {0}},
          lists = {"segments", "list each", 0, {0}, {0}};
    static char existing[] = "n0", fresh[] = "fresh";
    uint64_t seen, made = 0, most = bench_is_quick ? 1000 : 10000;
    bench_title("Segments in a domain: flat; listing costs the same for each");
    for (uint64_t n = 10; n <= most; n *= 10) {
        for (; made < n; made++) {
            char name[32];
            cove_block *block;
            snprintf(name, sizeof name, "n%llu", (unsigned long long)made);
            MUST(cove_block_open(&block, name, &(cove_block_options){.capacity_bytes = 64, .slots = 1, .lifetime = COVE_UNTIL_REMOVED}));
            cove_block_close(block);
        }
        point(&opens, n, open_and_close, existing, 200);
        point(&births, n, create_and_remove, fresh, 100);
        contestant one = {list, &seen, 0};
        bench_compare(&one, NULL, n >= 1000 ? 1 : 10);
        if (seen != n)
            abort();
        lists.x[lists.points] = n;
        lists.ns[lists.points++] = one.best_ns / (double)n;
    }
    tell(&opens, 1.5);
    tell(&births, 1.5);
    tell(&lists, 1.5);
    for (uint64_t i = 0; i < made; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%llu", (unsigned long long)i);
        MUST(cove_remove(NULL, name, 0));
    }
}

/* ---- Members of a segment. */

static char data[64];

static void write_one(void *context, uint64_t count) {
    while (count--)
        MUST(cove_stream_write(context, data, sizeof data, 0, COVE_TRY));
}
static void push_and_pop(void *context, uint64_t count) {
    cove_queue **queue = context;
    while (count--) {
        MUST(cove_queue_push(queue[0], data, sizeof data, 0, COVE_TRY));
        MUST(cove_queue_pop(queue[1], data, sizeof data, NULL, COVE_TRY));
    }
}
static void set_one(void *context, uint64_t count) {
    while (count--)
        MUST(cove_block_set(context, data, sizeof data, COVE_FOREVER));
}
static void get_one(void *context, uint64_t count) {
    while (count--)
        MUST(cove_block_get(context, data, sizeof data, NULL, NULL, COVE_FOREVER));
}
static void lock_one(void *context, uint64_t count) {
    cove_block_view view;
    while (count--) {
        MUST(cove_block_lock_write(context, &view, COVE_FOREVER));
        MUST(cove_block_unlock(context, &view));
    }
}
static void attach_stream(void *context, uint64_t count) {
    while (count--) {
        cove_stream *stream;
        MUST(cove_stream_open(&stream, context, &(cove_stream_options){.how = COVE_OPEN}));
        cove_stream_close(stream);
    }
}

static void bench_members(void) {
    static char stream_name[] = "members-s";
    uint64_t most = bench_is_quick ? 100 : 1000, made = 0;
    cove_stream **stream = calloc(most, sizeof *stream);
    cove_block **block = calloc(most, sizeof *block), **single = calloc(most, sizeof *single);
    cove_queue **queue = calloc(most, sizeof *queue), *ends[2] = {0};
    curve writes = {"members", "stream write", 0, {0}, {0}}, passes = {"members", "queue push and pop", 0, {0}, {0}},
          sets = {"members", "block set", 0, {0}, {0}}, gets = {"members", "block get", 0, {0}, {0}},
          locks = {"members", "single copy lock_write", 0, {0}, {0}}, births = {"members", "stream attach and detach", 0, {0}, {0}};
    bench_title(
        "Members of a segment: flat; who sets a block or locks a single copy looks at each, and who attaches looks for a free slot");
    for (uint64_t n = 1; n <= most; n *= 10) {
        for (; made < n; made++) {
            MUST(cove_stream_open(&stream[made], stream_name,
                                  &(cove_stream_options){.capacity_bytes = 64, .depth = 64, .slots = made ? 0 : 2048}));
            MUST(cove_block_open(&block[made], "members-b", &(cove_block_options){.capacity_bytes = 64, .slots = made ? 0 : 2048}));
            MUST(cove_block_open(&single[made], "members-1",
                                 &(cove_block_options){.capacity_bytes = 64, .slots = made ? 0 : 2048, .flags = COVE_BLOCK_SINGLE}));
            MUST(cove_queue_open(&queue[made], "members-q",
                                 &(cove_queue_options){.capacity_bytes = 64, .depth = 64, .slots = made ? 0 : 2048}));
        }
        point(&writes, n, write_one, stream[0], 20000);
        ends[0] = queue[0];
        if (!ends[1])
            MUST(cove_queue_open(&ends[1], "members-q", NULL));
        point(&passes, n, push_and_pop, ends, 20000);
        point(&sets, n, set_one, block[0], 20000);
        point(&gets, n, get_one, block[0], 20000);
        point(&locks, n, lock_one, single[0], 2000);
        point(&births, n, attach_stream, stream_name, 100);
    }
    tell(&writes, 1.5);
    tell(&passes, 1.5);
    tell(&sets, 0);
    tell(&gets, 1.5);
    tell(&locks, 0);
    tell(&births, 0);
    for (uint64_t i = 0; i < made; i++) {
        cove_stream_close(stream[i]);
        cove_block_close(block[i]);
        cove_block_close(single[i]);
        cove_queue_close(queue[i]);
    }
    cove_queue_close(ends[1]);
    free(stream);
    free(block);
    free(single);
    free(queue);
}

/* ---- Values kept. */

typedef struct both {
    cove_stream *writer, *reader;
} both;

static void write_and_read(void *context, uint64_t count) {
    const both *b = context;
    while (count--) {
        MUST(cove_stream_write(b->writer, data, sizeof data, 0, COVE_TRY));
        MUST(cove_stream_read(b->reader, data, sizeof data, NULL, COVE_TRY));
    }
}

static void bench_depth(void) {
    curve passes = {"depth", "stream write and read", 0, {0}, {0}};
    bench_title("Values that a stream keeps: flat, as long as they lie in the processor's cache");
    for (uint32_t depth = 1; depth <= 65536; depth *= 16) {
        both b;
        MUST(cove_stream_open(&b.writer, "depth", &(cove_stream_options){.capacity_bytes = 64, .depth = depth, .prefault = true}));
        MUST(cove_stream_open(&b.reader, "depth", NULL));
        point(&passes, depth, write_and_read, &b, 200000);
        cove_stream_close(b.writer);
        cove_stream_close(b.reader);
    }
    tell(&passes, 0);
}

/* ---- Bytes of a value, in one process: beside as many memcpys. */

typedef struct sized {
    both b;
    char *from, *to;
    size_t size;
} sized;

static void pass_sized(void *context, uint64_t count) {
    const sized *s = context;
    while (count--) {
        MUST(cove_stream_write(s->b.writer, s->from, s->size, 0, COVE_TRY));
        MUST(cove_stream_read(s->b.reader, s->to, s->size, NULL, COVE_TRY));
    }
}

/* Through as many buffers as the stream has, since large ones leave the processor's cache. */
#define BUFFERS 4
static void copy_twice(void *context, uint64_t count) {
    const sized *s = context;
    while (count--) {
        char *between = s->to + s->size * (1 + count % BUFFERS);
        memcpy(between, s->from, s->size);
        __asm__ volatile("" ::"r"(between) : "memory");
        memcpy(s->to, between, s->size);
        __asm__ volatile("" ::"r"(s->to) : "memory");
    }
}

static void bench_sizes(void) {
    curve passes = {"bytes", "stream write and read", 0, {0}, {0}}, copies = {"bytes", "two memcpys", 0, {0}, {0}};
    bench_title("Bytes of a value, written and read in one process: as two memcpys, and what a small one costs");
    for (size_t size = 8; size <= 8 << 20; size *= 16) {
        sized s = {.size = size, .from = malloc(size), .to = malloc((1 + BUFFERS) * size)};
        contestant pass = {pass_sized, &s, 0}, copy = {copy_twice, &s, 0};
        char name[64];
        memset(s.from, 3, size);
        MUST(cove_stream_open(&s.b.writer, "bytes",
                              &(cove_stream_options){.capacity_bytes = size, .depth = 2, .loans = 1, .borrows = 1, .prefault = true}));
        MUST(cove_stream_open(&s.b.reader, "bytes", NULL));
        bench_compare(&pass, &copy, size <= 2048 ? 20000 : size <= 32768 ? 2000 : size <= 524288 ? 100 : 4);
        snprintf(name, sizeof name, "growth.bytes.%zu.against_two_memcpys", size);
        bench_figure(name, pass.best_ns, "ns", copy.best_ns, 0);
        passes.x[passes.points] = copies.x[copies.points] = size;
        passes.ns[passes.points++] = pass.best_ns;
        copies.ns[copies.points++] = copy.best_ns;
        cove_stream_close(s.b.writer);
        cove_stream_close(s.b.reader);
        free(s.from);
        free(s.to);
    }
    for (int i = 0; i < 2; i++) {
        const curve *c = i ? &copies : &passes;
        json_t *points = json_array();
        for (uint32_t p = 0; p < c->points; p++)
            json_array_append_new(points, json_pack("[I, f]", (json_int_t)c->x[p], c->ns[p]));
        bench_record(json_pack("{s:s, s:s, s:s, s:o}", "kind", "growth", "what", c->what, "of", c->of, "points", points));
    }
}

/* ---- Readers of a stream. */

typedef struct audience {
    cove_stream *writer, *reader[64];
    uint64_t count;
} audience;

static void write_alone(void *context, uint64_t count) {
    const audience *a = context;
    while (count--)
        MUST(cove_stream_write(a->writer, data, sizeof data, 0, COVE_TRY));
}

/* Each reads what is written. */
static void read_by_all(void *context, uint64_t count) {
    const audience *a = context;
    while (count--) {
        MUST(cove_stream_write(a->writer, data, sizeof data, 0, COVE_TRY));
        for (uint64_t r = 0; r < a->count; r++)
            MUST(cove_stream_read(a->reader[r], data, sizeof data, NULL, COVE_TRY));
    }
}

static void bench_readers(void) {
    curve writes = {"readers", "stream write", 0, {0}, {0}}, reads = {"readers", "write, and read by all", 0, {0}, {0}};
    audience a = {0};
    bench_title("Readers of a stream: the writer's cost is flat; each reader reads for itself");
    MUST(cove_stream_open(&a.writer, "readers", &(cove_stream_options){.capacity_bytes = 64, .depth = 64}));
    for (uint64_t n = 1; n <= 64; n *= 4) {
        for (; a.count < n; a.count++)
            MUST(cove_stream_open(&a.reader[a.count], "readers", NULL));
        point(&reads, n, read_by_all, &a, 20000);
        point(&writes, n, write_alone, &a, 20000);
        for (uint64_t r = 0; r < a.count; r++) /* behind by more than is kept: all anew */
            MUST(cove_stream_seek(a.reader[r], COVE_START_NEW));
    }
    tell(&writes, 1.5);
    tell(&reads, 0);
    cove_stream_close(a.writer);
    for (uint64_t r = 0; r < a.count; r++)
        cove_stream_close(a.reader[r]);
}

void bench_growth(void) {
    bench_pin(bench_processor(0));
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    bench_segments();
    bench_members();
    bench_depth();
    bench_sizes();
    bench_readers();
}

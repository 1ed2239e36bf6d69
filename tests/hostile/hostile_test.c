/* A member that may write the segment writes nonsense: the others get errors or wrong data, and nothing worse. They read no byte outside
 * the segment (the build with the address sanitizer sees that), end every call, and do not crash. */
#include "tests/support.h"

#include "queue/queue_layout.h"
#include "stream/stream_layout.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

typedef struct victim {
    uint8_t *bytes; /* the file, mapped by the hostile one */
    size_t size;
    covei_facts_shm facts;
    covei_ring ring; /* where everything lies in `bytes` */
} victim;

static victim map_victim(void) {
    char path[512];
    struct stat facts;
    victim v = {0};
    covei_stream_shape shape;
    covei_queue_shape queue_shape;
    snprintf(path, sizeof path, "%s/s", test_domain);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(fstat(fd, &facts), 0);
    v.size = (size_t)facts.st_size;
    v.bytes = mmap(NULL, v.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(v.bytes, MAP_FAILED);
    close(fd);
    memcpy(&v.facts, v.bytes, sizeof v.facts);
    uint8_t *object = v.bytes + v.facts.object_offset;
    expect(COVE_OK, v.facts.kind == COVE_KIND_QUEUE
                        ? covei_queue_shape_read(v.facts.object_fact, v.facts.object_bytes, object, &queue_shape, &v.ring)
                        : covei_stream_shape_read(v.facts.object_fact, v.facts.object_bytes, object, &shape, &v.ring));
    return v;
}

static cove_stream_options options_of(int kind) {
    return (cove_stream_options){.type = COVE_TYPE_ANY,
                                 .capacity_bytes = 48,
                                 .depth = 4,
                                 .loans = 3,
                                 .borrows = 2,
                                 .flags = kind == 3 ? COVE_STREAM_TIMES : 0,
                                 .follow = kind < 3 ? (cove_follow)kind : COVE_FOLLOW_ALL,
                                 .start = COVE_START_OLDEST};
}

/* Also in a second honest process, where the test cannot fail but by its end. */
static pid_t the_test;
#define wrong(...) \
    do { \
        if (getpid() != the_test) { \
            printf(__VA_ARGS__); \
            fflush(stdout); \
            _exit(3); \
        } \
        fail_msg(__VA_ARGS__); \
    } while (0)

/* Touches all that a value claims to be. */
static void use(const cove_value *value, uint64_t most) {
    volatile uint8_t sum = 0;
    if (value->length_bytes > most)
        wrong("a value of %lu bytes was told, of %lu", (unsigned long)value->length_bytes, (unsigned long)most);
    for (uint64_t i = 0; i < value->length_bytes; i++)
        sum = (uint8_t)(sum + ((const uint8_t *)value->data)[i]);
}

/* Whatever comes of it is said by a result that there is. */
static void whatever(cove_result result) {
    if (!strcmp(cove_result_name(result), "COVE_ERR_?"))
        wrong("a call told %d, which is no result", (int)result);
}
static _Atomic uint64_t told;

static void be_told(void *context, cove_stream *stream) {
    uint8_t data[48];
    (void)context;
    told++;
    for (int i = 0; i < 8 && cove_stream_read(stream, data, sizeof data, NULL, COVE_TRY) >= 0; i++)
        ;
}

/* Some calls wait a little, where nothing is to be had. */
static cove_time_ns soon(void) {
    return random_number() % 64 ? COVE_TRY : cove_in_ms(1);
}

/* Every operation, whatever comes of it; each call must end. */
static void do_everything(cove_stream **handles, int count) {
    uint8_t data[48], room[48];
    memset(data, 7, sizeof data);
    for (int h = 0; h < count; h++) {
        cove_stream *s = handles[h];
        cove_value value = {0}, kept = {0};
        cove_loan loan;
        cove_stream_info info;
        uint32_t writers;
        uint64_t size = 1 + random_number() % 48;
        whatever(cove_stream_write(s, data, size, 1, soon()));
        whatever(cove_stream_write_as(s, COVE_TYPE_TEXT, "text", 4, 1, COVE_TRY));
        if (cove_stream_loan(s, size, &loan, COVE_TRY) == COVE_OK) {
            memset(loan.data, 9, size);
            if (random_number() % 2 && cove_stream_publish(s, &loan, COVE_TRY) == COVE_OK)
                continue;
            whatever(cove_stream_discard(s, &loan));
        }
        if (cove_stream_read(s, room, size, &value, COVE_TRY) >= 0)
            use(&value, size);
        if (cove_stream_borrow(s, &kept, COVE_TRY) >= 0) {
            use(&kept, 48);
            whatever(cove_stream_give_back(s, &kept));
        }
        whatever(cove_stream_wait(s, soon()));
        whatever(cove_stream_writers(s, &writers));
        if (random_number() % 64 == 0)
            whatever(cove_stream_wait_writers(s, writers, soon(), &writers));
        whatever(cove_stream_get_info(s, &info));
        if (random_number() % 16 == 0)
            whatever(cove_stream_seek(s, (cove_start)(random_number() % 3)));
    }
}

static bool count_one(void *context, const cove_attachment_info *info) {
    (void)info;
    ++*(int *)context;
    return true;
}

static void look_at_it(void) {
    cove_object_info info;
    int count = 0;
    whatever(cove_inspect_object(NULL, "s", &info));
    whatever(cove_inspect_attachments(NULL, "s", count_one, &count));
    assert_true(count <= 8);
}

/* Newcomers come and go meanwhile. */
static void come_and_go(int kind) {
    cove_stream *stream;
    cove_stream_options options = options_of(kind);
    options.how = COVE_OPEN;
    if (cove_stream_open(&stream, "s", &options) != COVE_OK)
        return;
    do_everything(&stream, 1);
    cove_stream_close(stream);
}

/* In the instrumented builds one field in so many. */
#define test_stride (test_is_slow ? 13u : 1u)

static const uint64_t values[] = {
    0, 1, 2, 0x7f, 0xff, 0xffff, 0x1ffff, 0x20000, 0x7fffffff, 0xffffffff, UINT64_C(1) << 46, UINT64_MAX - 1, UINT64_MAX};

/* What the driver below needs of an object: all operations by its handles, and a newcomer who comes, does them, and goes. */
typedef struct object {
    void *handles[3];
    int kind;
    void (*work)(const struct object *o);
    void (*come_and_go)(const struct object *o);
} object;

/* What a field becomes: 0, 1, the most, one more, one less, something, something that hurts. */
#define WAYS 7
static uint64_t spoiled(unsigned way, uint64_t is) {
    const uint64_t ways[WAYS] = {
        0, 1, UINT64_MAX, is + 1, is - 1, random_number(), values[random_number() % (sizeof values / sizeof *values)]};
    return ways[way];
}

/* Each field of the layout, by its widths, is overwritten in each way; then all goes on, and newcomers come. Fields lie on multiples of
 * their widths, and most of the header's end is unused. Then all is as it was again. */
static void overwrite_each_field(const victim *v, const object *o) {
    uint8_t *before = malloc(v->size);
    size_t facts = offsetof(covei_header_shm, owner), count = 0;
    memcpy(before, v->bytes, v->size);
    for (size_t width = 2; width <= 8; width *= 2)
        for (size_t at = width * (random_number() % test_stride), end = width == 2 ? facts : v->size; at + width <= end;
             at += width * test_stride) {
            if (at >= 2048 && at < 4096)
                continue;
            for (unsigned way = 0; way < WAYS; way++, count++) {
                uint64_t is = 0;
                memcpy(&is, v->bytes + at, width);
                is = spoiled(way, is);
                memcpy(v->bytes + at, &is, width);
                cove_time_ns start = cove_now();
                o->work(o);
                if (at < facts || count % 16 == 0) {
                    o->come_and_go(o);
                    look_at_it();
                }
                if (cove_now() - start > UINT64_C(10000000000))
                    wrong("byte %lu, width %lu, way %u: it took ten seconds", (unsigned long)at, (unsigned long)width, way);
                memcpy(v->bytes, before, v->size);
            }
        }
    printf("    kind %d: %lu times\n", o->kind, (unsigned long)count);
    free(before);
}

static void work_on_stream(const object *o) {
    do_everything((cove_stream **)(uintptr_t)o->handles, 3);
}
static void stream_comes_and_goes(const object *o) {
    come_and_go(o->kind);
}

TEST(every_field_of_a_stream_may_be_overwritten) {
    the_test = getpid();
    for (int kind = 0; kind < 4; kind++) {
        object o = {.kind = kind, .work = work_on_stream, .come_and_go = stream_comes_and_goes};
        cove_stream_options options = options_of(kind);
        options.slots = 8;
        alarm(240);
        for (int i = 0; i < 3; i++)
            expect(COVE_OK, cove_stream_open((cove_stream **)&o.handles[i], "s", &options));
        o.work(&o);
        victim v = map_victim();
        overwrite_each_field(&v, &o);
        munmap(v.bytes, v.size);
        for (int i = 0; i < 3; i++)
            cove_stream_close(o.handles[i]);
        whatever(cove_remove(NULL, "s", COVE_REMOVE_FORCE));
        alarm(0);
    }
}

/* A second honest process, with handles of its own; and in a child of its, too, that comes and goes. */
static struct {
    const object *o;
    _Atomic int *is_over;
} honest;

static int be_honest(void *context) {
    (void)context;
    for (unsigned round = 0; !*honest.is_over; round++) {
        honest.o->work(honest.o); /* the parent's handles: attaches again, over and over if it must */
        honest.o->come_and_go(honest.o);
        if (round % 256 == 0) {
            pid_t pid = fork();
            if (!pid) {
                honest.o->work(honest.o);
                _exit(0);
            }
            if (pid < 0 || end_of(pid) != 0)
                return 4;
            whatever(cove_gc(NULL, 0, NULL, NULL, NULL));
        }
    }
    return 0;
}

static pid_t start_honest(const object *o) {
    honest.o = o;
    honest.is_over = shared_memory(sizeof *honest.is_over);
    *honest.is_over = 0;
    return child(be_honest, NULL);
}

/* It got to the end of all that it did. */
static void end_honest(pid_t pid) {
    *honest.is_over = 1;
    assert_int_equal(end_of(pid), 0);
}

static int scribble(void *context) {
    victim v = *(victim *)context;
    size_t from = offsetof(covei_header_shm, owner);
    for (;;) {
        /* Mostly where it hurts: the ring's header, tickets, cells, own words; else anywhere. */
        size_t start = (size_t)v.facts.object_offset,
               range = random_number() % 4 ? (size_t)(v.ring.buffers - v.bytes) + 2048 - start : v.size - from;
        size_t at = (random_number() % 4 ? start : from) + (size_t)random_number() % range;
        if (at + 8 > v.size || at < from)
            continue;
        uint64_t value = random_number() % 2 ? random_number() : values[random_number() % (sizeof values / sizeof *values)];
        if (random_number() % 3)
            at &= ~(size_t)7;
        memcpy(v.bytes + at, &value, 1 + random_number() % 8);
        if (random_number() % 64 == 0)
            usleep(random_number() % 50);
    }
    return 0;
}

/* For two or three seconds, beside it and another honest process: every round ends, and newcomers come. */
static uint64_t work_beside_a_scribbler(victim *v, const object *o) {
    uint64_t rounds = 0;
    pid_t pid = child(scribble, v), other = start_honest(o);
    for (cove_time_ns end = cove_in_ms(test_is_slow ? 3000 : 2000); cove_now() < end; rounds++) {
        cove_time_ns before = cove_now();
        o->work(o);
        if (rounds % 64 == 0) {
            o->come_and_go(o);
            look_at_it();
        }
        assert_true(cove_now() - before < UINT64_C(20000000000));
    }
    end_honest(other);
    kill_child(pid);
    return rounds;
}

TEST(a_member_that_scribbles_at_full_speed_harms_nobody_beyond_the_data) {
    the_test = getpid();
    for (int kind = 0; kind < 4; kind++) {
        object o = {.kind = kind, .work = work_on_stream, .come_and_go = stream_comes_and_goes};
        cove_stream **handles = (cove_stream **)o.handles;
        cove_stream_options options = options_of(kind);
        options.slots = 8;
        alarm(120);
        int fd;
        for (int i = 0; i < 3; i++)
            expect(COVE_OK, cove_stream_open(&handles[i], "s", &options));
        expect(COVE_OK, cove_stream_fd(handles[0], &fd));
        expect(COVE_OK, cove_stream_on_change(handles[1], be_told, NULL));
        victim v = map_victim();
        uint64_t rounds = work_beside_a_scribbler(&v, &o);
        pid_t pid = fork(); /* the library's thread is not stuck */
        if (!pid)
            _exit(0);
        assert_int_equal(end_of(pid), 0);
        for (int i = 0; i < 3; i++)
            cove_stream_close(handles[i]);
        munmap(v.bytes, v.size);
        whatever(cove_remove(NULL, "s", COVE_REMOVE_FORCE));
        printf("    kind %d: %lu rounds\n", kind, (unsigned long)rounds);
        alarm(0);
    }
}

/* ---- Blocks. */

static void do_everything_to_blocks(cove_block **handles, int count) {
    uint8_t data[100];
    memset(data, 7, sizeof data);
    for (int h = 0; h < count; h++) {
        cove_block *b = handles[h];
        cove_block_view view;
        cove_block_info info;
        uint64_t length, version, size = random_number() % 101;
        volatile uint8_t sum = 0;
        whatever(cove_block_set(b, data, size, COVE_TRY));
        if (cove_block_get(b, data, size, &length, &version, COVE_TRY) == COVE_OK && length > size)
            wrong("get tells %lu bytes of %lu", (unsigned long)length, (unsigned long)size);
        for (int writes = 0; writes < 2; writes++) {
            cove_result result = writes ? cove_block_lock_write(b, &view, COVE_TRY) : cove_block_lock_read(b, &view, COVE_TRY);
            if (result < 0)
                continue;
            if (view.length_bytes > 100)
                wrong("a view of %lu bytes", (unsigned long)view.length_bytes);
            for (uint64_t i = 0; i < view.length_bytes; i++)
                sum = (uint8_t)(sum + ((const uint8_t *)view.data)[i]);
            if (writes) {
                memset(view.data, 3, 100);
                view.length_bytes = size;
                if (result == COVE_OWNER_DIED && random_number() % 2)
                    whatever(cove_block_mark_repaired(b, &view));
            }
            if (!writes || random_number() % 2 || cove_block_abandon(b, &view) != COVE_OK)
                whatever(cove_block_unlock(b, &view));
        }
        whatever(cove_block_wait(b, cove_block_version(b), COVE_TRY, NULL));
        whatever(cove_block_notify(b));
        whatever(cove_block_get_info(b, &info));
        if (info.length_bytes > 100)
            wrong("info tells %lu bytes", (unsigned long)info.length_bytes);
    }
}

static void open_blocks(cove_block **handles, unsigned flags) {
    for (int i = 0; i < 3; i++)
        expect(COVE_OK,
               cove_block_open(&handles[i], "s", &(cove_block_options){.capacity_bytes = 100, .flags = flags, .slots = i ? 0 : 8}));
}

static void block_comes_and_goes(void) {
    cove_block *block;
    if (cove_block_open(&block, "s", &(cove_block_options){.how = COVE_OPEN}) != COVE_OK)
        return;
    do_everything_to_blocks(&block, 1);
    cove_block_close(block);
}

static victim map_block(void) {
    char path[512];
    struct stat facts;
    victim v = {0};
    snprintf(path, sizeof path, "%s/s", test_domain);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(fstat(fd, &facts), 0);
    v.size = (size_t)facts.st_size;
    v.bytes = mmap(NULL, v.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(v.bytes, MAP_FAILED);
    close(fd);
    memcpy(&v.facts, v.bytes, sizeof v.facts);
    v.ring.buffers = v.bytes + v.facts.object_offset + 256; /* what `scribble` takes for the end of the interesting part */
    return v;
}

static void work_on_block(const object *o) {
    do_everything_to_blocks((cove_block **)(uintptr_t)o->handles, 3);
}
static void a_block_comes_and_goes(const object *o) {
    (void)o;
    block_comes_and_goes();
}

TEST(every_field_of_a_block_may_be_overwritten) {
    the_test = getpid();
    for (unsigned flags = 0; flags <= COVE_BLOCK_SINGLE; flags++) {
        object o = {.kind = (int)flags, .work = work_on_block, .come_and_go = a_block_comes_and_goes};
        alarm(240);
        open_blocks((cove_block **)o.handles, flags);
        o.work(&o);
        victim v = map_block();
        overwrite_each_field(&v, &o);
        munmap(v.bytes, v.size);
        for (int i = 0; i < 3; i++)
            cove_block_close(o.handles[i]);
        whatever(cove_remove(NULL, "s", COVE_REMOVE_FORCE));
        alarm(0);
    }
}

TEST(a_member_that_scribbles_over_a_block_harms_nobody_beyond_the_data) {
    the_test = getpid();
    for (unsigned flags = 0; flags <= COVE_BLOCK_SINGLE; flags++) {
        object o = {.kind = (int)flags, .work = work_on_block, .come_and_go = a_block_comes_and_goes};
        cove_block **handles = (cove_block **)o.handles;
        alarm(120);
        open_blocks(handles, flags);
        victim v = map_block();
        uint64_t rounds = work_beside_a_scribbler(&v, &o);
        for (int i = 0; i < 3; i++)
            cove_block_close(handles[i]);
        munmap(v.bytes, v.size);
        whatever(cove_remove(NULL, "s", COVE_REMOVE_FORCE));
        printf("    %s: %lu rounds\n", flags ? "one copy" : "two copies", (unsigned long)rounds);
        alarm(0);
    }
}

/* ---- Queues. */

static cove_queue_options queue_options_of(int kind) {
    return (cove_queue_options){.type = COVE_TYPE_ANY,
                                .capacity_bytes = 48,
                                .depth = 4,
                                .loans = 3,
                                .holds = 2,
                                .flags = kind == 1 ? COVE_QUEUE_TIMES | COVE_QUEUE_DROP_OLDEST : 0,
                                .dead_letter = kind == 2 ? "d" : NULL,
                                .max_deliveries = kind == 2 ? 2 : 0};
}

static void use_message(const cove_message *m, uint64_t most) {
    use(&(cove_value){.data = m->data, .length_bytes = m->length_bytes}, most);
}

static bool is_message(cove_result result) {
    return result == COVE_OK || result == COVE_REDELIVERED; /* and not COVE_REMOVED */
}

static void do_everything_to_queues(cove_queue **handles, int count) {
    uint8_t data[48], room[200];
    memset(data, 7, sizeof data);
    for (int h = 0; h < count; h++) {
        cove_queue *q = handles[h];
        cove_message m = {0}, run[3] = {{.data = data, .length_bytes = 5, .type = COVE_TYPE_BYTES}, {0}, {0}};
        cove_loan loan;
        cove_queue_info info;
        uint32_t many, producers = 0, consumers = 0;
        uint64_t size = 1 + random_number() % 48;
        run[1] = run[2] = run[0];
        whatever(cove_queue_push(q, data, size, 1, soon()));
        whatever(cove_queue_push_as(q, COVE_TYPE_TEXT, "text", 4, 1, COVE_TRY));
        whatever(cove_queue_push_many(q, run, 3, &many, COVE_TRY));
        if (cove_queue_reserve(q, size, &loan, COVE_TRY) >= 0) {
            memset(loan.data, 9, size);
            if (random_number() % 2 == 0 || cove_queue_commit(q, &loan, COVE_TRY) < 0)
                whatever(cove_queue_abandon(q, &loan));
        }
        if (is_message(cove_queue_pop(q, room, size, &m, COVE_TRY)))
            use_message(&m, size);
        if (is_message(cove_queue_peek(q, room, 48, &m, COVE_TRY)))
            use_message(&m, 48);
        if (is_message(cove_queue_pop_many(q, room, sizeof room, run, 3, &many, COVE_TRY)))
            for (uint32_t i = 0; i < many; i++)
                use_message(&run[i], 48);
        if (is_message(cove_queue_take(q, &m, soon()))) {
            use_message(&m, 48);
            whatever(random_number() % 2 ? cove_queue_done(q, &m) : cove_queue_put_back(q, &m));
        }
        whatever(cove_queue_wait(q, soon()));
        whatever(cove_queue_members(q, &producers, &consumers));
        whatever(cove_queue_get_info(q, &info));
    }
}

static void queue_comes_and_goes(void) {
    cove_queue *queue;
    if (cove_queue_open(&queue, "s", &(cove_queue_options){.how = COVE_OPEN}) != COVE_OK)
        return;
    do_everything_to_queues(&queue, 1);
    cove_queue_close(queue);
}

static bool remove_one(void *context, const cove_object_info *info) {
    (void)context;
    whatever(cove_remove(NULL, info->name, COVE_REMOVE_FORCE));
    return true;
}

static void remove_queues(cove_queue **handles, const victim *v) {
    for (int i = 0; i < 3; i++)
        cove_queue_close(handles[i]);
    munmap(v->bytes, v->size);
    /* Also what newcomers took for the name of the dead-letter queue. */
    expect(COVE_OK, cove_inspect_list(NULL, remove_one, NULL));
}

static victim open_queues(cove_queue **handles, int kind) {
    cove_queue_options options = queue_options_of(kind);
    options.slots = 8;
    for (int i = 0; i < 3; i++)
        expect(COVE_OK, cove_queue_open(&handles[i], "s", &options));
    do_everything_to_queues(handles, 3);
    return map_victim();
}

static void work_on_queue(const object *o) {
    do_everything_to_queues((cove_queue **)(uintptr_t)o->handles, 3);
}
static void a_queue_comes_and_goes(const object *o) {
    (void)o;
    queue_comes_and_goes();
}

TEST(every_field_of_a_queue_may_be_overwritten) {
    the_test = getpid();
    for (int kind = 0; kind < 3; kind++) {
        object o = {.kind = kind, .work = work_on_queue, .come_and_go = a_queue_comes_and_goes};
        alarm(240);
        victim v = open_queues((cove_queue **)o.handles, kind);
        overwrite_each_field(&v, &o);
        remove_queues((cove_queue **)o.handles, &v);
        alarm(0);
    }
}

TEST(a_member_that_scribbles_over_a_queue_harms_nobody_beyond_the_data) {
    the_test = getpid();
    for (int kind = 0; kind < 3; kind++) {
        object o = {.kind = kind, .work = work_on_queue, .come_and_go = a_queue_comes_and_goes};
        cove_queue **handles = (cove_queue **)o.handles;
        alarm(120);
        victim v = open_queues(handles, kind);
        uint64_t rounds = work_beside_a_scribbler(&v, &o);
        remove_queues(handles, &v);
        printf("    queue %d: %lu rounds\n", kind, (unsigned long)rounds);
        alarm(0);
    }
}

/* ---- Calls: a queue of requests, and one of replies for each client. */

static void answer(const cove_request *request, size_t *sum) {
    volatile uint8_t seen = 0;
    if (request->length_bytes > 64)
        wrong("a request of %lu bytes was told, of 64", (unsigned long)request->length_bytes);
    for (uint64_t i = 0; i < request->length_bytes; i++)
        seen = (uint8_t)(seen + ((const uint8_t *)request->data)[i]);
    *sum += seen;
}

/* A wrong word now and then, and all as it was at first again after some: so that something is answered in between. */
static int scribble_now_and_then(void *context) {
    victim v = *(victim *)context;
    size_t from = offsetof(covei_header_shm, owner);
    uint8_t *before = malloc(v.size);
    memcpy(before, v.bytes, v.size);
    for (;;) {
        usleep(5000);
        for (int i = random_number() % 4; i >= 0; i--) {
            size_t at = from + 8 * (size_t)(random_number() % ((v.size - from) / 8));
            memcpy(v.bytes + at, &values[random_number() % (sizeof values / sizeof *values)], 8);
            usleep(500);
        }
        memcpy(v.bytes + from, before + from, v.size - from);
    }
    return 0;
}

/* Comes and goes, since what it has open may be beyond use. */
static int serve_all_the_time(void *context) {
    _Atomic int *is_over = context;
    size_t sum = 0;
    while (!*is_over) {
        cove_server *server;
        cove_result result = cove_server_open(&server, "s", &(cove_call_options){.request_bytes = 64, .reply_bytes = 64});
        whatever(result);
        for (int i = 0; result == COVE_OK && i < 200 && !*is_over; i++) {
            cove_request request;
            cove_result got = cove_server_take(server, &request, cove_in_ms(2));
            whatever(got);
            if (got == COVE_OK || got == COVE_REDELIVERED) {
                answer(&request, &sum);
                whatever(random_number() % 8 ? cove_server_reply(server, &request, 1, "reply", 5) : cove_server_put_back(server, &request));
            }
        }
        if (result == COVE_OK)
            cove_server_close(server);
    }
    return 0;
}

TEST(a_member_that_scribbles_over_requests_harms_neither_callers_nor_servers) {
    _Atomic int *is_over = shared_memory(sizeof *is_over);
    cove_client *client = NULL;
    cove_server *keeps;
    uint64_t calls = 0, answered = 0;
    the_test = getpid();
    alarm(120);
    expect(COVE_OK, cove_server_open(&keeps, "s", &(cove_call_options){.request_bytes = 64, .reply_bytes = 64}));
    victim v = map_victim();
    pid_t server = child(serve_all_the_time, is_over), pid = child(scribble_now_and_then, &v);
    for (cove_time_ns end = cove_in_ms(2000); cove_now() < end; calls++) {
        char room[64];
        cove_reply reply = {.data = room, .room_bytes = sizeof room};
        if (calls % 64 == 0) {
            cove_client_close(client);
            client = NULL;
            whatever(cove_client_open(&client, "s", &(cove_call_options){.reply_bytes = 64}));
        }
        cove_time_ns start = cove_now();
        cove_result result = client ? cove_call(client, "request", 7, &reply, cove_in_ms(5)) : COVE_ERR_DAMAGED;
        whatever(result);
        answered += result == COVE_OK;
        if (result == COVE_OK && reply.length_bytes > sizeof room)
            wrong("a reply of %lu bytes was told, of %lu", (unsigned long)reply.length_bytes, (unsigned long)sizeof room);
        assert_true(cove_now() - start < UINT64_C(20000000000));
    }
    *is_over = 1;
    assert_int_equal(end_of(server), 0);
    kill_child(pid);
    cove_client_close(client);
    cove_server_close(keeps);
    munmap(v.bytes, v.size);
    expect(COVE_OK, cove_inspect_list(NULL, remove_one, NULL));
    printf("    %lu calls, %lu answered\n", (unsigned long)calls, (unsigned long)answered);
    alarm(0);
}

/* ---- What no kernel lets a named file be protected from. */

static int read_for_ever(void *context) {
    char data[64];
    uint64_t length;
    cove_block *block;
    signal(SIGBUS, SIG_DFL); /* not the test's */
    if (cove_block_open(&block, "s", &(cove_block_options){.capacity_bytes = 64}) != COVE_OK ||
        cove_block_set(block, "x", 1, COVE_TRY) != COVE_OK)
        return 4;
    for (*(_Atomic int *)context = 1;;)
        if (cove_block_get(block, data, sizeof data, &length, NULL, cove_in_ms(100)) != COVE_OK)
            return 5;
}
static int hold_it(void *context) {
    cove_block *block;
    if (cove_block_open(&block, "s", &(cove_block_options){.capacity_bytes = 64}) != COVE_OK)
        return 4;
    *(_Atomic int *)context = 1;
    pause();
    return 0;
}

/* Who touches what has gone gets SIGBUS, and nothing else; who does not touch it goes on; who comes is told; and it can be removed. */
TEST(truncating_the_file_faults_who_touches_it_and_newcomers_are_told) {
    cove_block *newcomer;
    _Atomic int *is_there = shared_memory(2 * sizeof *is_there);
    char path[512];
    struct stat facts;
    the_test = getpid();
    pid_t reader = child(read_for_ever, is_there), idle = child(hold_it, is_there + 1);
    eventually(is_there[0] && is_there[1]);
    snprintf(path, sizeof path, "%s/s", test_domain);
    assert_int_equal(stat(path, &facts), 0);
    /* Longer harms nobody. */
    assert_int_equal(truncate(path, facts.st_size + 4096), 0);
    expect(COVE_OK, cove_block_open(&newcomer, "s", &(cove_block_options){.how = COVE_OPEN}));
    cove_block_close(newcomer);
    assert_int_equal(truncate(path, 4096), 0);
    assert_int_equal(end_of(reader), -SIGBUS);
    expect(COVE_ERR_TRUNCATED, cove_block_open(&newcomer, "s", &(cove_block_options){.how = COVE_OPEN}));
    assert_int_equal(truncate(path, 0), 0);
    expect(COVE_ERR_FOREIGN, cove_block_open(&newcomer, "s", &(cove_block_options){.how = COVE_OPEN}));
    assert_int_equal(kill(idle, 0), 0);
    kill_child(idle);
    expect(COVE_OK, cove_remove(NULL, "s", COVE_REMOVE_FORCE));
    expect(COVE_OK, cove_block_open(&newcomer, "s", &(cove_block_options){.capacity_bytes = 64}));
    cove_block_close(newcomer);
}

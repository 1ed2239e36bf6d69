/* Operations of streams, and their survivors. */
#include "tests/kill/kill.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Small on purpose: every buffer counts. */
#define LOANS 3u
#define BORROWS 2u

/* operation.more */
#define DEPTH_1 1u       /* one value is kept; else four */
#define HAS_LOSSLESS 2u  /* a lossless reader of the parent's is attached */
#define HAS_BELL 4u      /* the survivor waits by a descriptor */
#define CHILD_AWAITED 8u /* the child follows lossless: writers may wait for it while it lives */
#define ONLY_WRITER 16u  /* the child is to be the only writer, so the survivor has not written */
#define OVERFLOWS 64u    /* more is written than the survivor's history keeps */
#define MANY_WRITERS 32u /* the child has slot 2 or more: it keeps no buffer in hand */

static volatile cove_result ignored;
static char value[3][VALUE_BYTES];

__attribute__((constructor)) static void make_values(void) {
    for (int version = 0; version < 3; version++)
        value_fill(value[version], version);
}

static cove_stream_options options_of(const scene *s) {
    return (cove_stream_options){.capacity_bytes = VALUE_BYTES,
                                 .depth = s->flags & DEPTH_1 ? 1 : 4,
                                 .loans = LOANS,
                                 .borrows = BORROWS,
                                 .lifetime = s->lifetime,
                                 .start = COVE_START_NEW};
}

static cove_stream *open_with(const scene *s, cove_follow follow, unsigned flags, cove_access access, cove_start start) {
    cove_stream *stream;
    cove_stream_options options = options_of(s);
    options.follow = follow;
    options.flags = flags;
    options.access = access;
    options.start = start;
    options.how = COVE_OPEN;
    if (cove_stream_open(&stream, "b", &options) != COVE_OK)
        kill_die("open");
    return stream;
}

static void arrange(scene *s, const operation *o) {
    cove_stream_options options;
    s->flags = o->more;
    if (o->alone)
        return;
    options = options_of(s);
    if (cove_stream_open(&s->stream_survivor, "b", &options) != COVE_OK)
        kill_die(o->name);
    if (o->more & HAS_LOSSLESS)
        s->reader = open_with(s, COVE_FOLLOW_LOSSLESS, 0, COVE_READ_WRITE, COVE_START_NEW);
    s->first = 1;
    if (o->more & ONLY_WRITER)
        return;
    for (s->written = 0; s->written < (o->more & DEPTH_1 ? 1 : 2); s->written++)
        if (cove_stream_write(s->stream_survivor, value[0], VALUE_BYTES, 0, COVE_TRY) != COVE_OK)
            kill_die("write");
    if (o->more & HAS_BELL) { /* last: what it wrote itself would have rung */
        char data[VALUE_BYTES];
        if (cove_stream_fd(s->stream_survivor, &s->fd) != COVE_OK)
            kill_die("fd");
        while (cove_stream_read(s->stream_survivor, data, sizeof data, NULL, COVE_TRY) == COVE_OK)
            s->first++;
    }
}

/* ---- What the child has before it is stepped. */

static void be_a_writer(scene *s) {
    if (s->flags & MANY_WRITERS)
        for (int i = 0; i < 3; i++)
            open_with(s, COVE_FOLLOW_ALL, COVE_STREAM_WRITER, COVE_READ_WRITE, COVE_START_NEW);
    s->stream = open_with(s, COVE_FOLLOW_ALL, s->flags & ONLY_WRITER ? COVE_STREAM_ONLY_WRITER : COVE_STREAM_WRITER, COVE_READ_WRITE,
                          COVE_START_OLDEST);
}
static void be_a_member(scene *s) {
    s->stream = open_with(s, COVE_FOLLOW_ALL, 0, COVE_READ_WRITE, COVE_START_OLDEST);
}
static void be_an_onlooker(scene *s) {
    s->stream = open_with(s, COVE_FOLLOW_ALL, 0, COVE_READ_ONLY, COVE_START_OLDEST);
}
static void follow_the_latest(scene *s) {
    s->stream = open_with(s, COVE_FOLLOW_LATEST, 0, COVE_READ_WRITE, COVE_START_LATEST);
}
static void be_awaited(scene *s) {
    s->stream = open_with(s, COVE_FOLLOW_LOSSLESS, 0, COVE_READ_WRITE, COVE_START_OLDEST);
}
static void have_a_loan(scene *s) {
    be_a_writer(s);
    if (cove_stream_loan(s->stream, VALUE_BYTES, &s->loan, COVE_TRY) != COVE_OK)
        kill_die("loan");
    memcpy(s->loan.data, value[1], VALUE_BYTES);
    s->loan.tag = 1;
}
static void have_borrowed(scene *s) {
    be_a_member(s);
    if (cove_stream_borrow(s->stream, &s->value, COVE_TRY) < 0)
        kill_die("borrow");
}
static void have_all(scene *s) {
    have_a_loan(s);
    if (cove_stream_borrow(s->stream, &s->value, COVE_TRY) < 0)
        kill_die("borrow");
}
static void have_written(scene *s) {
    be_a_writer(s);
    if (cove_stream_write(s->stream, value[1], VALUE_BYTES, 1, COVE_TRY) != COVE_OK)
        kill_die("write");
    s->written++;
}
/* Once round: now it has a buffer in hand, the one that its last value has replaced. */
static void have_lapped(scene *s) {
    have_written(s);
    for (int i = 0; i < 5; i++, s->written++)
        if (cove_stream_write(s->stream, value[0], VALUE_BYTES, 0, COVE_TRY) != COVE_OK)
            kill_die("write");
}
/* Another handle of the child's writes over all that there was. */
static void write_over_all(scene *s) {
    cove_stream *writer = open_with(s, COVE_FOLLOW_ALL, COVE_STREAM_WRITER, COVE_READ_WRITE, COVE_START_NEW);
    for (int i = 0; i < 6; i++, s->written++)
        if (cove_stream_write(writer, value[0], VALUE_BYTES, 0, COVE_TRY) != COVE_OK)
            kill_die("write");
}
/* It knows where the next one will be: of values that have replaced others. */
static void have_read(scene *s) {
    char data[VALUE_BYTES];
    be_a_member(s);
    write_over_all(s);
    if (cove_stream_read(s->stream, data, sizeof data, NULL, COVE_TRY) < 0)
        kill_die("read");
}
static void have_read_all(scene *s) {
    char data[VALUE_BYTES];
    have_read(s);
    while (cove_stream_read(s->stream, data, sizeof data, NULL, COVE_TRY) == COVE_OK)
        ;
}
static void have_been_overtaken(scene *s) {
    have_read(s);
    write_over_all(s);
}
/* While it copies. */
static void be_overtaken_soon(scene *s) {
    have_read(s);
    s->out = touchy_memory(s, write_over_all);
}
static void have_borrowed_and_been_overtaken(scene *s) {
    have_borrowed(s);
    write_over_all(s);
}
/* Two handles have what the child writes over, one of which is a dead one's; and every buffer is looked at. */
static void write_over_what_is_borrowed(scene *s) {
    have_borrowed(s);
    after_death_of(s, have_borrowed);
    s->stream = NULL;
    have_lapped(s);
}
static void inherit(scene *s) {
    s->stream = s->stream_survivor;
}
static void have_a_bell(scene *s) {
    int fd;
    be_a_member(s);
    if (cove_stream_fd(s->stream, &fd) != COVE_OK)
        kill_die("fd");
    while (cove_stream_read(s->stream, value[2], VALUE_BYTES, NULL, COVE_TRY) >= 0)
        ;
    value_fill(value[2], 2);
}

/* Another thread of the child's has used the handle: it is that one's, until somebody else comes. */
static void *write_it(void *context) {
    scene *s = context;
    s->written += cove_stream_write(s->stream, value[1], VALUE_BYTES, 1, COVE_TRY) == COVE_OK;
    return NULL;
}
static void have_it_written_by_a_thread(scene *s) {
    pthread_t thread;
    be_a_writer(s);
    if (pthread_create(&thread, NULL, write_it, s) != 0 || pthread_join(thread, NULL) != 0)
        kill_die("pthread_create");
}

/* Others die first. */
static void see_a_writer_die(scene *s) {
    be_a_writer(s);
    after_death_of(s, have_a_loan);
}
static void see_a_borrower_die(scene *s) {
    be_a_member(s);
    after_deaths_of(s, BORROWS, have_borrowed);
}
static void see_a_lossless_reader_die(scene *s) {
    be_a_writer(s);
    after_death_of(s, be_awaited);
    for (; s->written < 4; s->written++) /* to where it stands in the way */
        if (cove_stream_write(s->stream, value[1], VALUE_BYTES, 1, COVE_TRY) != COVE_OK)
            kill_die("write");
}
static void see_a_bell_die(scene *s) {
    be_a_writer(s);
    after_death_of(s, have_a_bell);
}

/* ---- What is stepped. */

static void create(scene *s) {
    cove_stream *stream;
    cove_stream_options options = options_of(s);
    options.how = COVE_CREATE;
    s->result = cove_stream_open(&stream, "b", &options);
}
static void open_existing(scene *s) {
    cove_stream *stream;
    cove_stream_options options = options_of(s);
    options.how = COVE_OPEN;
    s->result = cove_stream_open(&stream, "b", &options);
}
static void open_as(scene *s, cove_follow follow, unsigned flags) {
    cove_stream *stream;
    s->result = cove_stream_open(&stream, "b",
                                 &(cove_stream_options){.how = COVE_OPEN, .follow = follow, .flags = flags, .start = COVE_START_OLDEST});
}
static void open_lossless(scene *s) {
    open_as(s, COVE_FOLLOW_LOSSLESS, 0);
}
static void open_only_writer(scene *s) {
    open_as(s, COVE_FOLLOW_ALL, COVE_STREAM_ONLY_WRITER);
}
static void close_it(scene *s) {
    cove_stream_close(s->stream);
    s->result = COVE_OK;
}
static void write_one(scene *s) {
    s->result = cove_stream_write(s->stream, value[1], VALUE_BYTES, 1, s->deadline_ns);
    s->written += s->result == COVE_OK;
}
static void write_twice(scene *s) {
    write_one(s);
    if (s->result == COVE_OK)
        write_one(s);
}
static void loan_and_publish(scene *s) {
    s->result = cove_stream_loan(s->stream, VALUE_BYTES, &s->loan, s->deadline_ns);
    if (s->result == COVE_OK) {
        memcpy(s->loan.data, value[1], VALUE_BYTES);
        s->loan.tag = 1;
        s->result = cove_stream_publish(s->stream, &s->loan, s->deadline_ns);
        s->written += s->result == COVE_OK;
    }
}
static void loan_and_discard(scene *s) {
    s->result = cove_stream_loan(s->stream, VALUE_BYTES, &s->loan, s->deadline_ns);
    if (s->result == COVE_OK)
        s->result = cove_stream_discard(s->stream, &s->loan);
}
static void publish(scene *s) {
    s->result = cove_stream_publish(s->stream, &s->loan, s->deadline_ns);
    s->written += s->result == COVE_OK;
}
static void read_one(scene *s) {
    s->result = cove_stream_read(s->stream, s->read, sizeof s->read, &s->value, s->deadline_ns);
    s->read_bytes = s->result >= 0 ? s->value.length_bytes : 0;
}
static void read_slowly(scene *s) {
    s->result = cove_stream_read(s->stream, s->out, VALUE_BYTES, &s->value, s->deadline_ns);
    if (s->result < 0)
        return;
    memcpy(s->read, s->out, VALUE_BYTES);
    s->read_bytes = s->value.length_bytes;
}
static void read_nothing(scene *s) {
    s->result = cove_stream_read(s->stream, s->read, sizeof s->read, &s->value, COVE_TRY);
    s->result = s->result == COVE_ERR_EMPTY ? COVE_OK : s->result;
}
static void wait_for_writers(scene *s) {
    s->result = cove_stream_wait_writers(s->stream, 3, s->soon_ns, NULL);
    s->result = s->result == COVE_ERR_TIMEOUT ? COVE_OK : s->result;
}
static void give_back(scene *s) {
    memcpy(s->read, s->value.data, VALUE_BYTES); /* the last moment at which it must be whole */
    s->read_bytes = s->value.length_bytes;
    s->result = cove_stream_give_back(s->stream, &s->value);
}
static void borrow_and_give_back(scene *s) {
    s->result = cove_stream_borrow(s->stream, &s->value, s->deadline_ns);
    if (s->result >= 0)
        give_back(s);
}
static void seek_oldest(scene *s) {
    s->result = cove_stream_seek(s->stream, COVE_START_OLDEST);
}
static void wait_for_value(scene *s) {
    ignored = cove_stream_seek(s->stream, COVE_START_NEW);
    s->result = cove_stream_wait(s->stream, s->soon_ns);
    s->result = s->result == COVE_ERR_EMPTY ? COVE_OK : s->result;
}
static void ask_for_fd(scene *s) {
    char data[VALUE_BYTES];
    int fd;
    s->result = cove_stream_fd(s->stream, &fd);
    while (s->result == COVE_OK && cove_stream_read(s->stream, data, sizeof data, NULL, COVE_TRY) >= 0)
        ;
}

const operation stream_operations[] = {
    {"stream: create", .alone = true, .removes = true, .run = create, .is_later = true},
    {"stream: open", .run = open_existing},
    {"stream: open lossless (join)", .run = open_lossless, .more = CHILD_AWAITED},
    {"stream: open as only writer", .run = open_only_writer, .more = ONLY_WRITER},
    {"stream: close a writer", .open = have_written, .run = close_it},
    {"stream: close with a loan and a borrow", .open = have_all, .run = close_it},
    {"stream: close a lossless reader", .open = be_awaited, .run = close_it, .more = CHILD_AWAITED},
    {"stream: first write", .open = be_a_member, .run = write_one},
    {"stream: write", .open = have_written, .run = write_one},
    {"stream: write by a second thread", .open = have_it_written_by_a_thread, .run = write_one},
    {"stream: write under a lossless reader", .open = be_a_writer, .run = write_one, .more = HAS_LOSSLESS},
    {"stream: write, depth 1", .open = have_written, .run = write_twice, .more = DEPTH_1 | OVERFLOWS},
    {"stream: write, no buffer in hand", .open = have_written, .run = write_twice, .more = MANY_WRITERS | OVERFLOWS},
    {"stream: write, buffer in hand", .open = have_lapped, .run = write_one, .more = OVERFLOWS},
    {"stream: write as only writer", .open = have_lapped, .run = write_twice, .more = ONLY_WRITER | OVERFLOWS},
    {"stream: write to who waits by a descriptor", .open = be_a_writer, .run = write_one, .more = HAS_BELL},
    {"stream: write after a dead writer", .open = see_a_writer_die, .run = write_twice},
    {"stream: write past a dead lossless reader (recovery)", .open = see_a_lossless_reader_die, .run = write_one, .more = OVERFLOWS},
    {"stream: write past a dead bell (recovery)", .open = see_a_bell_die, .run = write_one},
    {"stream: loan, publish", .open = be_a_writer, .run = loan_and_publish},
    {"stream: loan, discard", .open = be_a_writer, .run = loan_and_discard},
    {"stream: publish", .open = have_a_loan, .run = publish},
    {"stream: read", .open = be_a_member, .run = read_one},
    {"stream: read the next", .open = have_read, .run = read_one, .more = OVERFLOWS},
    {"stream: read, nothing new", .open = have_read_all, .run = read_nothing, .varies = true, .more = OVERFLOWS},
    {"stream: read when overtaken", .open = have_been_overtaken, .run = read_one, .more = OVERFLOWS},
    {"stream: read and be overtaken", .open = be_overtaken_soon, .run = read_slowly, .more = OVERFLOWS},
    {"stream: give back when overtaken", .open = have_borrowed_and_been_overtaken, .run = give_back, .more = OVERFLOWS},
    {"stream: write over what is borrowed", .open = write_over_what_is_borrowed, .run = write_twice, .more = OVERFLOWS},
    {"stream: write over what is borrowed, no buffer in hand", .open = write_over_what_is_borrowed, .run = write_twice,
     .more = OVERFLOWS | MANY_WRITERS},
    {"stream: wait for writers", .open = be_a_writer, .run = wait_for_writers, .varies = true},
    {"stream: read, read-only", .open = be_an_onlooker, .run = read_one},
    {"stream: read the latest", .open = follow_the_latest, .run = read_one},
    {"stream: read lossless", .open = be_awaited, .run = read_one, .more = CHILD_AWAITED},
    {"stream: borrow, give back", .open = be_a_member, .run = borrow_and_give_back},
    {"stream: borrow after dead borrowers", .open = see_a_borrower_die, .run = borrow_and_give_back},
    {"stream: give back", .open = have_borrowed, .run = give_back},
    {"stream: seek lossless", .open = be_awaited, .run = seek_oldest, .more = CHILD_AWAITED},
    {"stream: wait registration", .open = be_a_member, .run = wait_for_value},
    {"stream: ask for a descriptor", .open = be_a_member, .run = ask_for_fd},
    {"stream: write again after fork", .open = inherit, .run = write_one},
    {0},
};

/* ---- The survivors. */

/* Reads on until there is nothing more; every value must be whole, and numbers without a gap, but for what the depth does not keep. */
static wrong read_until(cove_stream *stream, uint64_t *next, bool may_miss, cove_time_ns deadline_ns, const char **out_why) {
    char data[VALUE_BYTES];
    cove_value v;
    cove_result result;
    while ((result = cove_stream_read(stream, data, sizeof data, &v, deadline_ns)) >= 0) {
        if ((result != COVE_OK && !may_miss) || v.sequence != *next + v.missed_count)
            return fail_why(LOST, out_why, "a number was left out");
        if (value_of(data, v.length_bytes) < 0 || v.tag != (uint64_t)value_of(data, v.length_bytes))
            return fail_why(TORN, out_why, "half a value was read, or one with another's tag");
        *next = v.sequence + 1;
    }
    return result == COVE_ERR_EMPTY ? FINE : fail_why(HUNG, out_why, "read fails");
}

/* With a look at the cells: a dead writer's value may not be confirmed. */
static wrong read_all(cove_stream *stream, uint64_t *next, bool may_miss, const char **out_why) {
    return read_until(stream, next, may_miss, cove_in_ms(1), out_why);
}

/* Every buffer is there: what is not in a cell can be loaned. */
static wrong count_buffers(cove_stream *stream, const char **out_why) {
    cove_loan loan[LOANS + BORROWS + 1];
    unsigned count = 0;
    while (count <= LOANS + BORROWS && cove_stream_loan(stream, 1, &loan[count], COVE_TRY) == COVE_OK)
        count++;
    for (unsigned i = 0; i < count; i++)
        if (cove_stream_discard(stream, &loan[i]) != COVE_OK)
            return fail_why(HUNG, out_why, "discard fails");
    if (count < LOANS + BORROWS)
        return fail_why(LEAKED, out_why, "a buffer has not come back");
    return count > LOANS + BORROWS ? fail_why(TORN, out_why, "a buffer is in two places") : FINE;
}

/* Writes over every buffer that can be had: none of them may be one that holds a value. `newest` is its number; 0: there is none. */
static wrong scribble(cove_stream *stream, uint64_t newest, const char **out_why) {
    char data[VALUE_BYTES];
    cove_loan loan[LOANS + BORROWS + 4 + 1];
    cove_value v;
    unsigned count = 0;
    wrong w = FINE;
    for (; count < sizeof loan / sizeof *loan && cove_stream_loan(stream, VALUE_BYTES, &loan[count], COVE_TRY) == COVE_OK; count++)
        memset(loan[count].data, 0xee, VALUE_BYTES);
    if (cove_stream_seek(stream, COVE_START_OLDEST) != COVE_OK)
        w = fail_why(HUNG, out_why, "seek fails");
    while (newest && w == FINE) {
        if (cove_stream_read(stream, data, sizeof data, &v, cove_in_ms(1)) < 0)
            w = fail_why(LOST, out_why, "the values have gone from under the buffers");
        else if (value_of(data, v.length_bytes) < 0)
            w = fail_why(TORN, out_why, "a buffer that holds a value was given out");
        if (v.sequence >= newest)
            break;
    }
    while (count-- > 0)
        if (cove_stream_discard(stream, &loan[count]) != COVE_OK)
            w = fail_why(HUNG, out_why, "discard fails");
    return w;
}

static wrong count_borrows(cove_stream *stream, const char **out_why) {
    cove_value v[BORROWS + 1];
    unsigned count = 0;
    wrong w = FINE;
    if (cove_stream_seek(stream, COVE_START_LATEST) != COVE_OK)
        return fail_why(HUNG, out_why, "seek fails");
    for (; count < BORROWS; count++) {
        if (cove_stream_seek(stream, COVE_START_LATEST) != COVE_OK || cove_stream_borrow(stream, &v[count], COVE_TRY) < 0)
            return fail_why(LEAKED, out_why, "a borrow has not come back");
        if (value_of(v[count].data, v[count].length_bytes) < 0)
            w = fail_why(TORN, out_why, "half a value was borrowed");
    }
    for (unsigned i = 0; i < count; i++)
        if (cove_stream_give_back(stream, &v[i]) != COVE_OK)
            return fail_why(HUNG, out_why, "give_back fails");
    return w;
}

static wrong work(const operation *o, scene *s, cove_stream *stream, uint64_t *next, const char **out_why) {
    unsigned depth = o->more & DEPTH_1 ? 1 : 4;
    wrong w = FINE;
    for (unsigned i = 0; i < 3 * depth && w == FINE; i++) {
        if (cove_stream_write(stream, value[2], VALUE_BYTES, 2, cove_in_ms(1000)) != COVE_OK)
            return fail_why(HUNG, out_why, "write fails");
        uint64_t before = *next;
        w = read_until(stream, next, false, COVE_TRY, out_why);
        if (w == FINE && *next == before)
            w = fail_why(LOST, out_why, "what was written is not there");
        if (w == FINE && s->reader) {
            uint64_t lossless = before;
            w = read_until(s->reader, &lossless, false, COVE_TRY, out_why);
        }
    }
    return w;
}

static wrong survive(const operation *o, scene *s, const char **out_why) {
    wrong w = FINE;
    cove_stream *newcomer = NULL;
    cove_stream_options options = options_of(s);
    uint64_t next = s->looked ? s->looked : s->first, lossless = next;
    bool may_miss = o->more & OVERFLOWS || s->has_heir || s->was_fed;
    *out_why = "";
    if (o->more & HAS_BELL && !s->looked && !s->has_heir) {
        cove_stream_info info;
        if (cove_stream_get_info(s->stream_survivor, &info) == COVE_OK && info.newest_sequence >= s->first && !is_told(s))
            w = fail_why(HUNG, out_why, "the descriptor is quiet, and there is a value");
    }
    if (w == FINE && s->stream_survivor) {
        w = read_all(s->stream_survivor, &next, may_miss, out_why);
        if (w == FINE && next <= s->written)
            w = fail_why(LOST, out_why, "a value that was confirmed has gone");
        if (w == FINE && s->finished && !s->has_heir && !s->was_fed && next != s->written + 1)
            w = fail_why(LOST, out_why, "another number of values is there than was written");
        if (w == FINE && s->reader)
            w = read_all(s->reader, &lossless, false, out_why);
        if (w == FINE && s->reader && lossless != next)
            w = fail_why(LOST, out_why, "two readers see different ends");
        if (w == FINE)
            w = scribble(s->stream_survivor, next - 1, out_why);
        if (w == FINE)
            w = work(o, s, s->stream_survivor, &next, out_why);
        if (w == FINE)
            w = count_borrows(s->stream_survivor, out_why);
        if (w == FINE)
            w = count_buffers(s->stream_survivor, out_why);
    }
    if (w == FINE) {
        cove_opened opened = {false, false};
        options.opened = &opened;
        if (cove_stream_open(&newcomer, "b", &options) != COVE_OK)
            w = fail_why(HUNG, out_why, "open fails");
        else if (opened.created && s->stream_survivor)
            w = fail_why(LOST, out_why, "the name led nowhere while somebody used the stream");
        if (w == FINE && opened.created)
            next = 1;
        else if (w == FINE && !s->stream_survivor) {
            cove_stream_info info;
            next = cove_stream_get_info(newcomer, &info) == COVE_OK ? info.newest_sequence + 1 : 0;
        }
        if (w == FINE)
            w = scribble(newcomer, next - 1, out_why);
        if (w == FINE)
            w = work(o, s, newcomer, &next, out_why);
    }
    if (s->reader)
        cove_stream_close(s->reader);
    if (s->stream_survivor)
        cove_stream_close(s->stream_survivor);
    cove_stream_close(newcomer);
    s->stream_survivor = s->reader = NULL;
    if (clean_up(o) && w == FINE)
        w = fail_why(LEAKED, out_why, "something is left");
    return w;
}

/* While the process is stopped, others read and write, unless they wait for it. */
static wrong look(const operation *o, scene *s, const char **out_why) {
    uint64_t next = s->first;
    if (!s->stream_survivor)
        return FINE;
    wrong w = read_all(s->stream_survivor, &next, o->more & OVERFLOWS, out_why);
    if (w == FINE && s->reader) {
        uint64_t lossless = 1;
        w = read_all(s->reader, &lossless, false, out_why);
    }
    s->looked = next;
    if (w != FINE || o->more & (CHILD_AWAITED | ONLY_WRITER))
        return w;
    for (int i = 0; i < 6 && w == FINE; i++) {
        if (cove_stream_write(s->stream_survivor, value[2], VALUE_BYTES, 2, COVE_TRY) != COVE_OK)
            return fail_why(HUNG, out_why, "write waits for a stopped process");
        s->written++;
        w = read_until(s->stream_survivor, &next, false, COVE_TRY, out_why);
        if (w == FINE && s->reader) {
            uint64_t lossless = next - 1;
            w = read_until(s->reader, &lossless, false, COVE_TRY, out_why);
        }
    }
    s->looked = next; /* what has been read here is not read again */
    return w;
}

/* Waits for a value, in a read or in a wait. */
static int wait_for_a_value(const operation *o, scene *s, unsigned kind) {
    char data[VALUE_BYTES];
    cove_value v;
    cove_time_ns start = cove_now();
    (void)o;
    if (cove_stream_seek(s->stream_survivor, COVE_START_NEW) != COVE_OK)
        return 1;
    s->waits = true;
    if (kind % 2 && cove_stream_wait(s->stream_survivor, cove_in_ms(2000)) != COVE_OK)
        return 1;
    cove_result result = cove_stream_read(s->stream_survivor, data, sizeof data, &v, cove_in_ms(2000));
    if (result != COVE_OK || value_of(data, v.length_bytes) < 0)
        return 1;
    return cove_now() - start > IN_TIME_NS ? 2 : 0;
}
/* The only writer may be the dead one: who comes after it writes. */
static void feed(scene *s) {
    s->was_fed = true;
    if (cove_stream_write(s->stream_survivor, value[2], VALUE_BYTES, 2, cove_in_ms(1000)) == COVE_OK)
        s->written++;
}

static cove_stream *heirs;
static void open_as_heir(scene *s) {
    heirs = open_with(s, COVE_FOLLOW_ALL, 0, COVE_READ_WRITE, COVE_START_OLDEST);
}
static void write_as_heir(scene *s) {
    s->result = cove_stream_write(heirs, value[2], VALUE_BYTES, 2, s->deadline_ns);
}
static void come_as_heir(scene *s) {
    cove_stream_options options = options_of(s);
    s->result = cove_stream_open(&heirs, "b", &options);
}

const subject streams = {arrange, survive, look, wait_for_a_value, feed, {open_as_heir, write_as_heir}, {NULL, come_as_heir}};

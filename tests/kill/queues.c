/* Operations of queues, and their survivors. */
#include "tests/kill/kill.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Small on purpose: every buffer counts. */
#define DEPTH 4u
#define LOANS 3u
#define HOLDS 3u
#define CHILD_TAGS 100u

/* operation.more: bits 0-3 how many messages the child may have got done when it dies in the call · and */
#define TAKES(count) (count)
#define STARTS_EMPTY 16u   /* else three messages wait */
#define HAS_BELL 32u       /* the survivor waits by a descriptor */
#define MANY_MEMBERS 64u   /* the child has slot 3 or more: it keeps no buffer in hand */
#define ONLY_PRODUCER 128u /* the child is to be: the survivor has not pushed, and does not while the child lives */
#define ONLY_CONSUMER 256u
#define DROPS 512u        /* producers drop the oldest */
#define DEADLY 1024u      /* what was delivered twice goes to the dead letters */
#define GIVEN_BACK 2048u  /* the first message was put back: it is delivered again without a death */
#define ONE_MESSAGE 4096u /* waits, and not three */
#define IS_FULL 8192u

#define HEIRS_TAG 200u

static char value[3][VALUE_BYTES];

__attribute__((constructor)) static void make_values(void) {
    for (int version = 0; version < 3; version++)
        value_fill(value[version], version);
}

static cove_queue_options options_of(const scene *s) {
    return (cove_queue_options){.capacity_bytes = VALUE_BYTES,
                                .depth = DEPTH,
                                .loans = LOANS,
                                .holds = HOLDS,
                                .lifetime = s->lifetime,
                                .flags = s->flags & DROPS ? COVE_QUEUE_DROP_OLDEST : 0,
                                .dead_letter = s->flags & DEADLY ? "dead" : NULL,
                                .max_deliveries = s->flags & DEADLY ? 2 : 0};
}

static cove_queue *open_with(const scene *s, unsigned flags, cove_access access) {
    cove_queue *queue;
    cove_queue_options options = options_of(s);
    options.flags |= flags;
    options.access = access;
    options.how = COVE_OPEN;
    if (cove_queue_open(&queue, "b", &options) != COVE_OK)
        kill_die("open");
    return queue;
}

static cove_result push_as_survivor(scene *s, cove_queue *queue, cove_time_ns deadline_ns) {
    cove_result result = cove_queue_push(queue, value[s->pushed % 3], VALUE_BYTES, s->pushed + 1, deadline_ns);
    if (result >= 0)
        s->pushed++;
    return result;
}

static void arrange(scene *s, const operation *o) {
    cove_queue_options options;
    s->flags = o->more;
    if (o->alone)
        return;
    options = options_of(s);
    if (cove_queue_open(&s->queue_survivor, "b", &options) != COVE_OK)
        kill_die(o->name);
    if (o->more & HAS_BELL) {
        if (cove_queue_fd(s->queue_survivor, &s->fd) != COVE_OK ||
            cove_queue_pop(s->queue_survivor, value[2], VALUE_BYTES, NULL, COVE_TRY) != COVE_ERR_EMPTY)
            kill_die("fd");
    }
    unsigned count = o->more & (STARTS_EMPTY | HAS_BELL | ONLY_PRODUCER) ? 0
                     : o->more & (DROPS | IS_FULL)                       ? DEPTH
                     : o->more & ONE_MESSAGE                             ? 1
                                                                         : 3;
    while (s->pushed < count)
        if (push_as_survivor(s, s->queue_survivor, COVE_TRY) < 0)
            kill_die("push");
    if (o->more & GIVEN_BACK) {
        cove_message m;
        if (cove_queue_take(s->queue_survivor, &m, COVE_TRY) < 0 || cove_queue_put_back(s->queue_survivor, &m) != COVE_OK)
            kill_die("put back");
    }
}

/* Notes how far the child, or a heir, got with a message. A tag that nobody gave is seen by note(). */
static void has(scene *s, const cove_message *m, uint8_t how_far) {
    if (m->tag < sizeof s->had)
        s->had[m->tag] |= how_far;
    else
        s->result = COVE_ERR_DAMAGED;
}

/* ---- What the child has before it is stepped. */

static void be_a_producer(scene *s) {
    if (s->flags & MANY_MEMBERS)
        for (int i = 0; i < 3; i++)
            open_with(s, COVE_QUEUE_PRODUCER, COVE_READ_WRITE);
    s->queue = open_with(s, s->flags & ONLY_PRODUCER ? COVE_QUEUE_ONLY_PRODUCER : COVE_QUEUE_PRODUCER, COVE_READ_WRITE);
}
static void be_a_consumer(scene *s) {
    s->queue = open_with(s, s->flags & ONLY_CONSUMER ? COVE_QUEUE_ONLY_CONSUMER : COVE_QUEUE_CONSUMER, COVE_READ_WRITE);
}
static void be_a_member(scene *s) {
    s->queue = open_with(s, 0, COVE_READ_WRITE);
}
static void be_an_onlooker(scene *s) {
    s->queue = open_with(s, 0, COVE_READ_ONLY);
}
static void have_a_loan(scene *s) {
    be_a_producer(s);
    if (cove_queue_reserve(s->queue, VALUE_BYTES, &s->loan, COVE_TRY) != COVE_OK)
        kill_die("reserve");
    memcpy(s->loan.data, value[1], VALUE_BYTES);
    s->loan.tag = CHILD_TAGS + s->child_pushed;
}
static void have_a_message(scene *s) {
    be_a_consumer(s);
    if (cove_queue_take(s->queue, &s->message, COVE_TRY) < 0)
        kill_die("take");
    has(s, &s->message, 1);
}
static void have_both(scene *s) {
    have_a_loan(s);
    if (cove_queue_take(s->queue, &s->message, COVE_TRY) < 0)
        kill_die("take");
    has(s, &s->message, 1);
}
static void have_pushed(scene *s) {
    be_a_producer(s);
    if (cove_queue_push(s->queue, value[1], VALUE_BYTES, CHILD_TAGS + s->child_pushed, COVE_TRY) < 0)
        kill_die("push");
    s->child_pushed++;
}
static void have_popped(scene *s) {
    cove_message m;
    char data[VALUE_BYTES];
    be_a_consumer(s);
    if (cove_queue_pop(s->queue, data, VALUE_BYTES, &m, COVE_TRY) < 0)
        kill_die("pop");
    has(s, &m, 3);
}
/* Others die first. */
static void see_a_producer_die(scene *s) {
    be_a_producer(s);
    after_death_of(s, have_a_loan);
}
/* All that there is was in the hands of one who is dead. */
static void see_a_consumer_die(scene *s) {
    be_a_consumer(s);
    after_deaths_of(s, 3, have_a_message);
}

/* The first message has killed two, and that is known. */
static void see_two_die_of_one(scene *s) {
    be_a_consumer(s);
    after_death_of(s, have_a_message);
    after_death_of(s, have_a_message);
    after_death_of(s, be_a_member);
}

/* The handle is the parent's; the first use in the child attaches again. */
static void inherit(scene *s) {
    s->queue = s->queue_survivor;
}
/* Another consumer takes the next while the child copies one: what the child is done with then is only in its cursor. */
static cove_queue *another;
static void another_pops(scene *s) {
    cove_message m;
    char data[VALUE_BYTES];
    if (cove_queue_pop(another, data, sizeof data, &m, COVE_TRY) < 0)
        kill_die("pop");
    has(s, &m, 3);
}
static void be_in_company(scene *s) {
    another = open_with(s, COVE_QUEUE_CONSUMER, COVE_READ_WRITE);
    be_a_consumer(s);
    s->out = touchy_memory(s, another_pops);
}
static void have_popped_in_company(scene *s) {
    cove_message m;
    be_in_company(s);
    if (cove_queue_pop(s->queue, s->out, VALUE_BYTES, &m, COVE_TRY) < 0)
        kill_die("pop");
    has(s, &m, 3);
    be_a_producer(s);
}

/* ---- What is stepped. */

static void create(scene *s) {
    cove_queue *queue;
    cove_queue_options options = options_of(s);
    options.how = COVE_CREATE;
    s->result = cove_queue_open(&queue, "b", &options);
}
static void open_as(scene *s, unsigned flags) {
    cove_queue *queue;
    s->result = cove_queue_open(&queue, "b", &(cove_queue_options){.how = COVE_OPEN, .flags = flags});
}
static void open_existing(scene *s) {
    open_as(s, 0);
}
static void open_only_producer(scene *s) {
    open_as(s, COVE_QUEUE_ONLY_PRODUCER);
}
static void open_only_consumer(scene *s) {
    open_as(s, COVE_QUEUE_ONLY_CONSUMER);
}
static void close_it(scene *s) {
    cove_queue_close(s->queue);
    s->result = COVE_OK;
}
static void push_one(scene *s) {
    s->result = cove_queue_push(s->queue, value[1], VALUE_BYTES, CHILD_TAGS + s->child_pushed, s->deadline_ns);
    if (s->result >= 0)
        s->child_pushed++;
}
/* Until soon: it is full. */
static void push_in_vain(scene *s) {
    s->result = cove_queue_push(s->queue, value[1], VALUE_BYTES, CHILD_TAGS + s->child_pushed, s->soon_ns);
    s->child_pushed += s->result >= 0;
    s->result = s->result == COVE_ERR_FULL ? COVE_OK : s->result;
}
static void wait_for_members(scene *s) {
    uint32_t producers = 3, consumers = 3;
    s->result = cove_queue_wait_members(s->queue, &producers, &consumers, s->soon_ns);
    s->result = s->result == COVE_ERR_TIMEOUT ? COVE_OK : s->result;
}
static void push_twice(scene *s) {
    push_one(s);
    if (s->result >= 0)
        push_one(s);
}
static void push_many(scene *s) {
    cove_message m[2];
    uint32_t count;
    for (unsigned i = 0; i < 2; i++)
        m[i] = (cove_message){.data = value[1], .length_bytes = VALUE_BYTES, .tag = CHILD_TAGS + s->child_pushed + i};
    s->result = cove_queue_push_many(s->queue, m, 2, &count, s->deadline_ns);
    s->child_pushed += count;
}
static void reserve_and_commit(scene *s) {
    s->result = cove_queue_reserve(s->queue, VALUE_BYTES, &s->loan, s->deadline_ns);
    if (s->result < 0)
        return;
    memcpy(s->loan.data, value[1], VALUE_BYTES);
    s->loan.tag = CHILD_TAGS + s->child_pushed;
    s->result = cove_queue_commit(s->queue, &s->loan, s->deadline_ns);
    if (s->result >= 0)
        s->child_pushed++;
}
static void reserve_and_abandon(scene *s) {
    s->result = cove_queue_reserve(s->queue, VALUE_BYTES, &s->loan, s->deadline_ns);
    if (s->result >= 0)
        s->result = cove_queue_abandon(s->queue, &s->loan);
}
static void commit(scene *s) {
    s->result = cove_queue_commit(s->queue, &s->loan, s->deadline_ns);
    if (s->result >= 0)
        s->child_pushed++;
}
static void pop_one(scene *s) {
    s->result = cove_queue_pop(s->queue, s->read, sizeof s->read, &s->message, s->deadline_ns);
    s->read_bytes = s->result >= 0 ? s->message.length_bytes : 0;
    if (s->result >= 0)
        has(s, &s->message, 3);
}
static void pop_in_company(scene *s) {
    s->result = cove_queue_pop(s->queue, s->out, VALUE_BYTES, &s->message, s->deadline_ns);
    if (s->result < 0)
        return;
    has(s, &s->message, 3);
    memcpy(s->read, s->out, VALUE_BYTES);
    s->read_bytes = s->message.length_bytes;
}
static void pop_many(scene *s) {
    cove_message m[2];
    uint32_t count;
    char data[2 * VALUE_BYTES];
    s->result = cove_queue_pop_many(s->queue, data, sizeof data, m, 2, &count, s->deadline_ns);
    for (uint32_t i = 0; i < count; i++)
        has(s, &m[i], 3);
    if (count == 2)
        memcpy(s->read, data + VALUE_BYTES, VALUE_BYTES);
    s->read_bytes = count == 2 ? m[1].length_bytes : 0;
}
static void take(scene *s) {
    s->result = cove_queue_take(s->queue, &s->message, s->deadline_ns);
    if (s->result >= 0)
        has(s, &s->message, 1);
}
static void done(scene *s) {
    memcpy(s->read, s->message.data, VALUE_BYTES); /* the last moment at which it must be whole */
    s->read_bytes = s->message.length_bytes;
    s->result = cove_queue_done(s->queue, &s->message);
    if (s->result >= 0)
        has(s, &s->message, 2);
}
static void put_back(scene *s) {
    s->result = cove_queue_put_back(s->queue, &s->message);
}
static void take_and_done(scene *s) {
    take(s);
    if (s->result >= 0)
        done(s);
}
static void take_and_put_back(scene *s) {
    take(s);
    if (s->result >= 0)
        put_back(s);
}
static void peek(scene *s) {
    s->result = cove_queue_peek(s->queue, s->read, sizeof s->read, &s->message, s->deadline_ns);
    s->read_bytes = s->result >= 0 ? s->message.length_bytes : 0;
}
static void wait_for_message(scene *s) {
    s->result = cove_queue_wait(s->queue, s->soon_ns);
    s->result = s->result == COVE_ERR_EMPTY ? COVE_OK : s->result;
}
static void ask_for_fd(scene *s) {
    char data[VALUE_BYTES];
    int fd;
    s->result = cove_queue_fd(s->queue, &fd);
    while (s->result == COVE_OK && cove_queue_peek(s->queue, data, sizeof data, NULL, COVE_TRY) < COVE_ERR_EMPTY)
        ;
}

const operation queue_operations[] = {
    {"queue: create", .alone = true, .removes = true, .run = create, .is_later = true},
    {"queue: open", .run = open_existing},
    {"queue: open as only producer", .run = open_only_producer, .more = ONLY_PRODUCER},
    {"queue: open as only consumer", .run = open_only_consumer, .more = ONLY_CONSUMER},
    {"queue: close a producer", .open = have_pushed, .run = close_it},
    {"queue: close with a loan and a message", .open = have_both, .run = close_it},
    {"queue: close a consumer", .open = have_popped, .run = close_it, .more = TAKES(1)},
    {"queue: first push", .open = be_a_member, .run = push_one, .more = STARTS_EMPTY},
    {"queue: push", .open = have_pushed, .run = push_one, .more = STARTS_EMPTY},
    {"queue: push, no buffer in hand", .open = have_pushed, .run = push_twice, .more = MANY_MEMBERS | STARTS_EMPTY},
    {"queue: push as only producer", .open = have_pushed, .run = push_twice, .more = ONLY_PRODUCER},
    {"queue: push to who waits by a descriptor", .open = be_a_producer, .run = push_one, .more = HAS_BELL},
    {"queue: push after a dead producer", .open = see_a_producer_die, .run = push_twice, .more = STARTS_EMPTY},
    {"queue: push and drop the oldest", .open = be_a_producer, .run = push_one, .more = DROPS | TAKES(1)},
    {"queue: push into a full one", .open = be_a_producer, .run = push_in_vain, .varies = true, .more = IS_FULL},
    {"queue: push past what another has popped", .open = have_popped_in_company, .run = push_twice},
    {"queue: push again after fork", .open = inherit, .run = push_one},
    {"queue: pop again after fork", .open = inherit, .run = pop_one, .more = TAKES(1)},
    {"queue: wait for members", .open = be_a_producer, .run = wait_for_members, .varies = true},
    {"queue: push many", .open = be_a_producer, .run = push_many, .more = STARTS_EMPTY},
    {"queue: reserve, commit", .open = be_a_producer, .run = reserve_and_commit},
    {"queue: reserve, abandon", .open = be_a_producer, .run = reserve_and_abandon},
    {"queue: commit", .open = have_a_loan, .run = commit, .more = STARTS_EMPTY},
    {"queue: first pop", .open = be_a_member, .run = pop_one, .more = TAKES(1)},
    {"queue: pop", .open = have_popped, .run = pop_one, .more = TAKES(2)},
    {"queue: pop while another pops", .open = be_in_company, .run = pop_in_company, .more = TAKES(1)},
    {"queue: pop many", .open = be_a_consumer, .run = pop_many, .more = TAKES(2)},
    {"queue: pop as only consumer", .open = have_popped, .run = pop_one, .more = ONLY_CONSUMER | TAKES(2)},
    {"queue: pop what was given back", .open = be_a_consumer, .run = pop_one, .more = GIVEN_BACK | TAKES(1)},
    {"queue: pop past a dead consumer (recovery)", .open = see_a_consumer_die, .run = pop_one, .more = TAKES(1)},
    {"queue: take past a dead letter", .open = see_two_die_of_one, .run = take_and_put_back, .is_later = true, .more = DEADLY},
    {"queue: take the last, put back", .open = be_a_consumer, .run = take_and_put_back, .more = ONE_MESSAGE},
    {"queue: take, done", .open = be_a_consumer, .run = take_and_done, .more = TAKES(1)},
    {"queue: take, put back", .open = be_a_consumer, .run = take_and_put_back},
    {"queue: done", .open = have_a_message, .run = done, .more = TAKES(1)},
    {"queue: put back", .open = have_a_message, .run = put_back},
    {"queue: peek", .open = be_a_member, .run = peek},
    {"queue: peek, read-only", .open = be_an_onlooker, .run = peek},
    {"queue: wait", .open = be_a_consumer, .run = wait_for_message, .varies = true, .more = STARTS_EMPTY},
    {"queue: ask for a descriptor", .open = be_a_member, .run = ask_for_fd, .more = STARTS_EMPTY},
    {0},
};

/* ---- Survivors. */

/* Notes what a survivor got, and whether it may have got it. */
static wrong note(scene *s, const cove_message *m, cove_result result, const char **out_why) {
    if (value_of(m->data, m->length_bytes) < 0 || m->tag >= sizeof s->seen || !m->tag)
        return fail_why(TORN, out_why, "a torn message");
    if (s->seen[m->tag]++)
        return fail_why(LOST, out_why, "a message came twice");
    if (s->had[m->tag] & 2)
        return fail_why(LOST, out_why, "a message came that was done with");
    if (s->had[m->tag] & 1 && result != COVE_REDELIVERED)
        return fail_why(LOST, out_why, "a message that another had is not marked as delivered again");
    if ((result == COVE_REDELIVERED) != (m->deliveries > 1))
        return fail_why(LOST, out_why, "the mark of a redelivery and its count differ");
    if (m->deliveries == 1 && m->tag < CHILD_TAGS) { /* of one producer, in order */
        if (m->tag <= s->first_order)
            return fail_why(LOST, out_why, "out of order");
        s->first_order = (uint32_t)m->tag;
    }
    return FINE;
}

static wrong drain(scene *s, cove_queue *queue, cove_time_ns patience_ms, const char **out_why) {
    cove_message m;
    wrong w = FINE;
    for (int i = 0; i < 64 && w == FINE; i++) {
        cove_result result = cove_queue_take(queue, &m, cove_in_ms(patience_ms));
        if (result == COVE_ERR_EMPTY)
            return FINE;
        if (result < 0)
            return fail_why(HUNG, out_why, "take fails");
        w = note(s, &m, result, out_why);
        if (cove_queue_done(queue, &m) != COVE_OK)
            return fail_why(HUNG, out_why, "done fails");
    }
    return w == FINE ? fail_why(HUNG, out_why, "messages without end") : w;
}

/* Every message that was pushed has come, but for those that the child got done, or was about to. */
static wrong count_all(const operation *o, scene *s, const char **out_why) {
    unsigned missing = 0, may_be_missing = s->finished && !(o->more & DROPS) ? 0 : o->more & 15u;
    for (unsigned tag = 1; tag <= s->pushed; tag++)
        missing += !s->seen[tag] && !(s->had[tag] & 2);
    for (unsigned i = 0; i < s->child_pushed; i++)
        if (s->seen[CHILD_TAGS + i] || s->had[CHILD_TAGS + i] & 2)
            continue;
        else if (s->has_heir)
            missing++; /* he may have taken it */
        else
            return fail_why(LOST, out_why, "a message of the dead one's has gone, and its push had returned");
    if (s->has_heir) /* took one, and dropped one where its push had to */
        may_be_missing += o->more & DROPS ? 2 : 1;
    if (missing > may_be_missing)
        return fail_why(LOST, out_why, "a message has gone");
    return FINE;
}

/* Whether something is in a dead one's hands still. */
static bool is_more_to_come(scene *s) {
    cove_queue_info info;
    return cove_queue_get_info(s->queue_survivor, &info) != COVE_OK || info.in_flight_count || info.ready_count;
}

/* In an empty queue that nobody else uses, all buffers can be had. */
static wrong count_buffers(cove_queue *queue, const char **out_why) {
    cove_loan loan[DEPTH + LOANS + HOLDS + 1];
    unsigned count = 0;
    while (count < DEPTH + LOANS + HOLDS + 1 && cove_queue_reserve(queue, VALUE_BYTES, &loan[count], COVE_TRY) >= 0)
        count++;
    unsigned got = count;
    while (count-- > 0)
        if (cove_queue_abandon(queue, &loan[count]) != COVE_OK)
            return fail_why(HUNG, out_why, "abandon fails");
    return got == DEPTH + LOANS + HOLDS ? FINE : fail_why(LEAKED, out_why, "a buffer has not come back");
}

static wrong work(scene *s, cove_queue *queue, const char **out_why) {
    wrong w = FINE;
    for (unsigned round = 0; round < 3 && w == FINE; round++) {
        uint32_t before = s->pushed;
        for (unsigned i = 0; i < DEPTH; i++)
            if (push_as_survivor(s, queue, cove_in_ms(1000)) < 0)
                return fail_why(HUNG, out_why, "push fails");
        if (!(s->flags & DROPS) && cove_queue_push(queue, value[2], VALUE_BYTES, 99, COVE_TRY) != COVE_ERR_FULL)
            return fail_why(LEAKED, out_why, "more fit than the depth");
        w = drain(s, queue, 0, out_why);
        for (uint32_t tag = before + 1; tag <= s->pushed && w == FINE; tag++)
            if (!s->seen[tag])
                w = fail_why(LOST, out_why, "what was pushed did not come");
    }
    return w;
}

static wrong look_at_numbers(cove_queue *queue, const char **out_why) {
    cove_queue_info info;
    if (cove_queue_get_info(queue, &info) != COVE_OK)
        return fail_why(HUNG, out_why, "info fails");
    if (info.ready_count || info.in_flight_count)
        return fail_why(LEAKED, out_why, "a message is in nobody's hands for ever");
    return FINE;
}

static wrong survive(const operation *o, scene *s, const char **out_why) {
    wrong w = FINE;
    cove_queue *newcomer = NULL, *dead;
    cove_queue_options options = options_of(s);
    *out_why = "";
    if (o->more & HAS_BELL && !s->looked && !s->has_heir) {
        cove_queue_info info;
        if (cove_queue_get_info(s->queue_survivor, &info) == COVE_OK && info.ready_count && !is_told(s))
            w = fail_why(HUNG, out_why, "the descriptor is quiet, and there is a message");
    }
    if (w == FINE && s->queue_survivor) {
        w = drain(s, s->queue_survivor, 2, out_why);
        /* Longer than it takes until somebody looks for the dead; and that often, since a busy machine may leave us out for as long. */
        cove_time_ns end = cove_in_ms(60);
        for (int looks = 0; w == FINE && is_more_to_come(s) && (looks < 40 || cove_now() < end); looks++)
            w = drain(s, s->queue_survivor, 1, out_why);
        if (w == FINE && o->more & DEADLY && cove_queue_open(&dead, "dead", &(cove_queue_options){.how = COVE_OPEN}) == COVE_OK) {
            cove_message m;
            char data[VALUE_BYTES];
            cove_result result;
            while (w == FINE && (result = cove_queue_pop(dead, data, sizeof data, &m, COVE_TRY)) >= 0)
                if (value_of(data, m.length_bytes) < 0)
                    w = fail_why(TORN, out_why, "a torn dead letter");
                else
                    s->seen[m.tag] |= 1; /* at least once, across the two */
            if (cove_queue_remove(dead) != COVE_OK)
                w = fail_why(HUNG, out_why, "remove fails");
            cove_queue_close(dead);
        }
        if (w == FINE)
            w = count_all(o, s, out_why);
        if (w == FINE)
            w = look_at_numbers(s->queue_survivor, out_why);
        if (w == FINE && !s->finished)
            w = count_buffers(s->queue_survivor, out_why);
        if (w == FINE)
            w = work(s, s->queue_survivor, out_why);
        if (w == FINE)
            w = count_buffers(s->queue_survivor, out_why);
    }
    if (w == FINE) {
        cove_opened opened = {false, false};
        options.opened = &opened;
        if (cove_queue_open(&newcomer, "b", &options) != COVE_OK)
            w = fail_why(HUNG, out_why, "open fails");
        else if (opened.created && s->queue_survivor)
            w = fail_why(LOST, out_why, "the name led nowhere while somebody used the queue");
        if (w == FINE)
            w = work(s, newcomer, out_why);
    }
    if (s->queue_survivor)
        cove_queue_close(s->queue_survivor);
    cove_queue_close(newcomer);
    s->queue_survivor = NULL;
    if (clean_up(o) && w == FINE)
        w = fail_why(LEAKED, out_why, "something is left");
    return w;
}

/* While the process is stopped, others push and pop; and leave something for when it goes on. */
static wrong look(const operation *o, scene *s, const char **out_why) {
    bool pushes = !(o->more & ONLY_PRODUCER), takes = !(o->more & ONLY_CONSUMER);
    wrong w = FINE;
    s->looked = 1;
    if (!s->queue_survivor)
        return FINE;
    for (int round = 0; round < 3 && w == FINE; round++) {
        if (takes)
            w = drain(s, s->queue_survivor, round ? 0 : 5, out_why);
        for (unsigned i = 0; i < DEPTH - 2 && w == FINE && pushes && takes; i++) {
            cove_result result = push_as_survivor(s, s->queue_survivor, COVE_TRY);
            if (result < 0)
                w = fail_why(HUNG, out_why, "push waits for a stopped process");
        }
    }
    return w;
}

/* Waits for a message, in a take or in a wait. */
static int wait_for_a_message(const operation *o, scene *s, unsigned kind) {
    cove_message m;
    const char *why;
    cove_time_ns start = cove_now();
    s->waits = true;
    if (kind % 2 && cove_queue_wait(s->queue_survivor, cove_in_ms(2000)) != COVE_OK)
        return 1;
    cove_result result = cove_queue_take(s->queue_survivor, &m, cove_in_ms(2000));
    if (result == COVE_ERR_IN_USE && o->more & ONLY_CONSUMER)
        return 0; /* told at once, and not after the death */
    if (result < 0 || note(s, &m, result, &why) != FINE || cove_queue_done(s->queue_survivor, &m) != COVE_OK)
        return 1;
    return cove_now() - start > IN_TIME_NS ? 2 : 0;
}
/* Where it was full, there is something. */
static void feed(scene *s) {
    if (push_as_survivor(s, s->queue_survivor, COVE_TRY) < 0)
        s->was_fed = true;
}

static cove_queue *heirs;
static void open_as_heir(scene *s) {
    heirs = open_with(s, 0, COVE_READ_WRITE);
}
/* First one out, so that there is room. */
static void pop_and_push_as_heir(scene *s) {
    char data[VALUE_BYTES];
    cove_message m;
    if (cove_queue_pop(heirs, data, sizeof data, &m, COVE_TRY) >= 0)
        has(s, &m, 3);
    s->result = cove_queue_push(heirs, value[2], VALUE_BYTES, HEIRS_TAG, s->deadline_ns);
}
static void come_as_heir(scene *s) {
    cove_queue_options options = options_of(s);
    s->result = cove_queue_open(&heirs, "b", &options);
}

const subject queues = {arrange, survive, look, wait_for_a_message, feed, {open_as_heir, pop_and_push_as_heir}, {NULL, come_as_heir}};

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

/* operation.more: bits 0-3 how many messages the child may get done · and */
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
    unsigned count = o->more & (STARTS_EMPTY | HAS_BELL | ONLY_PRODUCER) ? 0 : o->more & DROPS ? DEPTH : o->more & ONE_MESSAGE ? 1 : 3;
    while (s->pushed < count)
        if (push_as_survivor(s, s->queue_survivor, COVE_TRY) < 0)
            kill_die("push");
    if (o->more & GIVEN_BACK) {
        cove_message m;
        if (cove_queue_take(s->queue_survivor, &m, COVE_TRY) < 0 || cove_queue_put_back(s->queue_survivor, &m) != COVE_OK)
            kill_die("put back");
    }
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
    s->had[s->message.tag] |= 1;
}
static void have_both(scene *s) {
    have_a_loan(s);
    if (cove_queue_take(s->queue, &s->message, COVE_TRY) < 0)
        kill_die("take");
    s->had[s->message.tag] |= 1;
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
    s->had[m.tag] |= 3;
}
/* Others die first. */
static void see_a_producer_die(scene *s) {
    be_a_producer(s);
    after_death_of(s, have_a_loan);
}
/* All that there is was in the hands of one who is dead. */
static void see_a_consumer_die(scene *s) {
    be_a_consumer(s);
    for (int i = 0; i < 3; i++)
        after_death_of(s, have_a_message);
}

/* The first message has killed two, and that is known. */
static void see_two_die_of_one(scene *s) {
    be_a_consumer(s);
    after_death_of(s, have_a_message);
    after_death_of(s, have_a_message);
    after_death_of(s, be_a_member);
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
    char data[VALUE_BYTES];
    s->result = cove_queue_pop(s->queue, data, sizeof data, &s->message, s->deadline_ns);
    if (s->result >= 0)
        s->had[s->message.tag] |= 3;
}
static void pop_many(scene *s) {
    cove_message m[2];
    uint32_t count;
    char data[2 * VALUE_BYTES];
    s->result = cove_queue_pop_many(s->queue, data, sizeof data, m, 2, &count, s->deadline_ns);
    for (uint32_t i = 0; i < count; i++)
        s->had[m[i].tag] |= 3;
}
static void take(scene *s) {
    s->result = cove_queue_take(s->queue, &s->message, s->deadline_ns);
    if (s->result >= 0)
        s->had[s->message.tag] |= 1;
}
static void done(scene *s) {
    s->result = cove_queue_done(s->queue, &s->message);
    if (s->result >= 0)
        s->had[s->message.tag] |= 2;
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
    char data[VALUE_BYTES];
    s->result = cove_queue_peek(s->queue, data, sizeof data, NULL, s->deadline_ns);
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

#define USED COVE_WHILE_USED
const operation queue_operations[] = {
    {"queue: create", 0, USED, true, true, NULL, NULL, create, true, false, 0},
    {"queue: open", 0, USED, false, false, NULL, NULL, open_existing, true, false, 0},
    {"queue: open as only producer", 0, USED, false, false, NULL, NULL, open_only_producer, true, false, ONLY_PRODUCER},
    {"queue: open as only consumer", 0, USED, false, false, NULL, NULL, open_only_consumer, true, false, ONLY_CONSUMER},
    {"queue: close a producer", 0, USED, false, false, NULL, have_pushed, close_it, true, false, 0},
    {"queue: close with a loan and a message", 0, USED, false, false, NULL, have_both, close_it, true, false, 0},
    {"queue: close a consumer", 0, USED, false, false, NULL, have_popped, close_it, true, false, TAKES(1)},
    {"queue: first push", 0, USED, false, false, NULL, be_a_member, push_one, true, true, STARTS_EMPTY},
    {"queue: push", 0, USED, false, false, NULL, have_pushed, push_one, true, true, STARTS_EMPTY},
    {"queue: push, no buffer in hand", 0, USED, false, false, NULL, have_pushed, push_twice, true, false, MANY_MEMBERS | STARTS_EMPTY},
    {"queue: push as only producer", 0, USED, false, false, NULL, have_pushed, push_twice, true, true, ONLY_PRODUCER},
    {"queue: push to who waits by a descriptor", 0, USED, false, false, NULL, be_a_producer, push_one, true, false, HAS_BELL},
    {"queue: push after a dead producer", 0, USED, false, false, NULL, see_a_producer_die, push_twice, true, false, STARTS_EMPTY},
    {"queue: push and drop the oldest", 0, USED, false, false, NULL, be_a_producer, push_one, true, false, DROPS | TAKES(1)},
    {"queue: push many", 0, USED, false, false, NULL, be_a_producer, push_many, true, true, STARTS_EMPTY},
    {"queue: reserve, commit", 0, USED, false, false, NULL, be_a_producer, reserve_and_commit, true, false, 0},
    {"queue: reserve, abandon", 0, USED, false, false, NULL, be_a_producer, reserve_and_abandon, true, false, 0},
    {"queue: commit", 0, USED, false, false, NULL, have_a_loan, commit, true, true, STARTS_EMPTY},
    {"queue: first pop", 0, USED, false, false, NULL, be_a_member, pop_one, true, false, TAKES(1)},
    {"queue: pop", 0, USED, false, false, NULL, have_popped, pop_one, true, false, TAKES(2)},
    {"queue: pop many", 0, USED, false, false, NULL, be_a_consumer, pop_many, true, false, TAKES(2)},
    {"queue: pop as only consumer", 0, USED, false, false, NULL, have_popped, pop_one, true, false, ONLY_CONSUMER | TAKES(2)},
    {"queue: pop what was given back", 0, USED, false, false, NULL, be_a_consumer, pop_one, true, false, GIVEN_BACK | TAKES(1)},
    {"queue: pop past a dead consumer (recovery)", 0, USED, false, false, NULL, see_a_consumer_die, pop_one, true, false, TAKES(1)},
    {"queue: take past a dead letter", 0, USED, false, false, NULL, see_two_die_of_one, take_and_put_back, false, false, DEADLY},
    {"queue: take the last, put back", 0, USED, false, false, NULL, be_a_consumer, take_and_put_back, true, false, ONE_MESSAGE},
    {"queue: take, done", 0, USED, false, false, NULL, be_a_consumer, take_and_done, true, false, TAKES(1)},
    {"queue: take, put back", 0, USED, false, false, NULL, be_a_consumer, take_and_put_back, true, false, 0},
    {"queue: done", 0, USED, false, false, NULL, have_a_message, done, true, false, TAKES(1)},
    {"queue: put back", 0, USED, false, false, NULL, have_a_message, put_back, true, true, 0},
    {"queue: peek", 0, USED, false, false, NULL, be_a_member, peek, true, false, 0},
    {"queue: peek, read-only", 0, USED, false, false, NULL, be_an_onlooker, peek, true, false, 0},
    {"queue: wait", 0, USED, false, false, NULL, be_a_consumer, wait_for_message, true, false, STARTS_EMPTY},
    {"queue: ask for a descriptor", 0, USED, false, false, NULL, be_a_member, ask_for_fd, false, false, STARTS_EMPTY},
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
    unsigned missing = 0, may_be_missing = o->more & 15u;
    for (unsigned tag = 1; tag <= s->pushed; tag++)
        missing += !s->seen[tag];
    for (unsigned i = 0; i < s->child_pushed; i++)
        if (!s->seen[CHILD_TAGS + i] && s->has_heir)
            missing++; /* he may have taken it */
        else if (!s->seen[CHILD_TAGS + i])
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
        /* Longer than it takes until somebody looks for the dead. */
        for (cove_time_ns end = cove_in_ms(60); w == FINE && is_more_to_come(s) && cove_now() < end;)
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

/* Waits for a message. That none comes is right only where none was pushed. */
static int wait_for_a_message(scene *s) {
    cove_message m;
    cove_queue_info info;
    const char *why;
    cove_result result = cove_queue_take(s->queue_survivor, &m, cove_in_ms(40));
    if (result >= 0)
        return note(s, &m, result, &why) != FINE || cove_queue_done(s->queue_survivor, &m) != COVE_OK;
    return result != COVE_ERR_EMPTY || cove_queue_get_info(s->queue_survivor, &info) != COVE_OK || info.ready_count;
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
        s->had[m.tag] |= 3;
    s->result = cove_queue_push(heirs, value[2], VALUE_BYTES, HEIRS_TAG, s->deadline_ns);
}
static void come_as_heir(scene *s) {
    cove_queue_options options = options_of(s);
    s->result = cove_queue_open(&heirs, "b", &options);
}

const subject queues = {arrange, survive, look, wait_for_a_message, {open_as_heir, pop_and_push_as_heir}, {NULL, come_as_heir}};

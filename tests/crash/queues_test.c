/* Queues whose producers and consumers are killed all the time: every message counted, on both sides. */
#include "tests/support.h"

#include "sync/event.h"

#include <pthread.h>
#include <time.h>

#define IDS_MAX 16000000u
#define LIVES_MAX 65536u
#define SIDE 4

typedef struct message {
    uint64_t id;     /* no other message's */
    uint32_t life;   /* of its producer: a process from its start to its end */
    uint32_t number; /* of this life's messages: 1, 2, 3 */
} message;

static struct scene {
    _Atomic uint64_t last_id, wanted, confirmed_count, done_count, again;
    _Atomic uint32_t lives, stop_producing, stop, holding;
    _Atomic uint64_t twice, disordered, undone, torn, failed;
    _Atomic uint64_t progress_ns, stall_ns, oversleep_ns;
    /* Of each id: bit 0 confirmed by its producer · 1 taken by a consumer, and said before it was done · 2 said to be done. */
    _Atomic uint8_t state[IDS_MAX];
} * scene;

enum { CONFIRMED = 1, TAKEN = 2, DONE = 4 };

static cove_queue *open_here(unsigned flags) {
    cove_queue *queue;
    if (cove_queue_open(&queue, "q", &(cove_queue_options){.how = COVE_OPEN, .flags = flags, .deadline_ns = cove_in_ms(20000)}) == COVE_OK)
        return queue;
    fprintf(stderr, "open: %s\n", cove_last_error()->sentence);
    _exit(99);
}

static void fail_here(const char *step) {
    fprintf(stderr, "%s: %s\n", step, cove_last_error()->sentence);
    scene->failed++;
    _exit(98);
}

/* ---- Producing: singly, in runs and in place, by turns. */

static void confirm(uint64_t id) {
    scene->state[id] |= CONFIRMED;
    scene->confirmed_count++;
}

static int produce_for_ever(void *context) {
    cove_queue *queue = open_here(COVE_QUEUE_PRODUCER | *(unsigned *)context);
    message m[8] = {{.life = scene->lives++}};
    cove_message run[8];
    cove_loan loan;
    uint32_t number = 0;
    while (!scene->stop_producing && scene->last_id + 8 < scene->wanted) {
        uint32_t count = number % 3 == 0 ? 8 : 1, done = 0;
        uint64_t id = atomic_fetch_add(&scene->last_id, count) + 1;
        for (uint32_t i = 0; i < count; i++) {
            m[i] = (message){id + i, m[0].life, ++number};
            run[i] = (cove_message){.data = &m[i], .length_bytes = sizeof *m, .tag = id + i};
        }
        if (count > 1) {
            if (cove_queue_push_many(queue, run, count, &done, COVE_FOREVER) < 0)
                fail_here("push many");
        } else if (id % 2) {
            if (cove_queue_push(queue, m, sizeof *m, id, COVE_FOREVER) < 0)
                fail_here("push");
        } else {
            if (cove_queue_reserve(queue, sizeof *m, &loan, COVE_FOREVER) < 0)
                fail_here("reserve");
            memcpy(loan.data, m, sizeof *m);
            loan.tag = id;
            if (cove_queue_commit(queue, &loan, COVE_FOREVER) < 0)
                fail_here("commit");
        }
        for (uint32_t i = 0; i < count; i++)
            confirm(id + i);
    }
    cove_queue_close(queue);
    return 0;
}

/* ---- Consuming. */

static void progressed(void) {
    uint64_t now = cove_now(), last = atomic_exchange(&scene->progress_ns, now), stall = now > last ? now - last : 0;
    uint64_t worst = scene->stall_ns;
    while (last && stall > worst && !atomic_compare_exchange_weak(&scene->stall_ns, &worst, stall))
        ;
}

/* One message that this consumer has: whether it may have it, and in this order. */
static void check(const message *m, const cove_message *about, uint32_t *last) {
    if (about->length_bytes != sizeof *m || m->id != about->tag || m->id >= IDS_MAX || m->life >= LIVES_MAX) {
        scene->torn++;
        return;
    }
    uint8_t before = atomic_fetch_or(&scene->state[m->id], TAKEN);
    scene->twice += about->deliveries == 1 && before & TAKEN;
    scene->undone += (before & DONE) != 0;
    scene->again += about->deliveries > 1;
    if (about->deliveries == 1) {
        scene->disordered += m->number <= last[m->life];
        last[m->life] = m->number;
    }
}

static int take_for_ever(void *context) {
    cove_queue *queue = open_here(COVE_QUEUE_CONSUMER);
    uint32_t *last = calloc(LIVES_MAX, sizeof *last);
    (void)context;
    for (uint64_t n = 1;; n++) {
        cove_message about;
        message m;
        cove_result result = cove_queue_take(queue, &about, cove_in_ms(50));
        if (result == COVE_ERR_EMPTY && scene->stop)
            break;
        if (result == COVE_ERR_EMPTY)
            continue;
        if (result < 0)
            fail_here("take");
        memcpy(&m, about.data, sizeof m);
        check(&m, &about, last);
        if (n % 64 == 0 && about.deliveries < 20) {
            if (cove_queue_put_back(queue, &about) != COVE_OK)
                fail_here("put back");
            continue;
        }
        if (cove_queue_done(queue, &about) != COVE_OK)
            fail_here("done");
        scene->state[m.id % IDS_MAX] |= DONE;
        scene->done_count++;
        progressed();
    }
    cove_queue_close(queue);
    free(last);
    return 0;
}

/* By copy: done when pop has returned. Whoever is killed after that and before it has said so loses what it had: one, or a run. */
static int pop_for_ever(void *context) {
    cove_queue *queue = open_here(COVE_QUEUE_CONSUMER);
    uint32_t *last = calloc(LIVES_MAX, sizeof *last);
    (void)context;
    for (uint64_t n = 1;; n++) {
        cove_message about[16];
        message m[16];
        uint32_t count = 1;
        cove_result result = n % 4 ? cove_queue_pop(queue, m, sizeof *m, about, cove_in_ms(50))
                                   : cove_queue_pop_many(queue, m, sizeof m, about, 16, &count, cove_in_ms(50));
        if (result == COVE_ERR_EMPTY && scene->stop)
            break;
        if (result == COVE_ERR_EMPTY)
            continue;
        if (result < 0)
            fail_here("pop");
        for (uint32_t i = 0; i < count; i++) {
            check(&m[i], &about[i], last);
            scene->state[m[i].id % IDS_MAX] |= DONE;
        }
        scene->done_count += count;
        progressed();
    }
    cove_queue_close(queue);
    free(last);
    return 0;
}

/* ---- The run. */

/* How late this machine lets anybody be. */
static void *measure_oversleep(void *context) {
    (void)context;
    while (!scene->stop) {
        uint64_t began = cove_now();
        usleep(1000);
        uint64_t over = cove_now() - began;
        if (over > scene->oversleep_ns)
            scene->oversleep_ns = over;
    }
    return NULL;
}

static void play(uint64_t messages, unsigned interval_us, int (*consume)(void *), const cove_queue_options *options) {
    static unsigned no_flags;
    cove_queue *keeper;
    cove_queue_info info;
    pthread_t thread;
    pid_t producer[SIDE], consumer[SIDE];
    uint64_t producers_killed = 0, consumers_killed = 0;
    scene = shared_memory(sizeof *scene);
    scene->wanted = messages;
    expect(COVE_OK, cove_queue_open(&keeper, "q", options));
    pthread_create(&thread, NULL, measure_oversleep, NULL);
    for (int i = 0; i < SIDE; i++) {
        consumer[i] = child(consume, NULL);
        producer[i] = child(produce_for_ever, &no_flags);
    }
    while (scene->last_id + 8 < messages && !scene->failed && scene->lives < LIVES_MAX - 2 * SIDE) {
        usleep(interval_us);
        int i = (int)(random_number() % SIDE);
        kill_child(consumer[i]);
        consumer[i] = child(consume, NULL);
        consumers_killed++;
        i = (int)(random_number() % SIDE);
        kill_child(producer[i]);
        producer[i] = child(produce_for_ever, &no_flags);
        producers_killed++;
    }
    scene->stop_producing = 1;
    for (int i = 0; i < SIDE; i++)
        assert_int_equal(end_of(producer[i]), 0);
    eventually(cove_queue_get_info(keeper, &info) == COVE_OK && !info.ready_count && !info.in_flight_count);
    scene->stop = 1;
    for (int i = 0; i < SIDE; i++)
        assert_int_equal(end_of(consumer[i]), 0);
    pthread_join(thread, NULL);
    uint64_t confirmed = 0, lost = 0;
    for (uint64_t id = 1; id <= scene->last_id; id++) {
        confirmed += scene->state[id] & CONFIRMED;
        lost += scene->state[id] & CONFIRMED && !(scene->state[id] & TAKEN);
    }
    printf("    %lu messages confirmed, %lu and %lu kills, %lu delivered again, %lu lost with their consumer, longest stall %lu ms "
           "(the machine's own %lu ms)\n",
           (unsigned long)confirmed, (unsigned long)producers_killed, (unsigned long)consumers_killed, (unsigned long)scene->again,
           (unsigned long)lost, (unsigned long)(scene->stall_ns / 1000000), (unsigned long)(scene->oversleep_ns / 1000000));
    assert_int_equal(scene->failed, 0);
    assert_int_equal(scene->torn, 0);
    assert_int_equal(scene->twice, 0);
    assert_int_equal(scene->undone, 0);
    assert_int_equal(scene->disordered, 0);
    if (consume == take_for_ever)
        assert_int_equal(lost, 0);
    else
        assert_true(lost <= 16 * consumers_killed);
    assert_true((scene->again > 0 || consume != take_for_ever) && confirmed > messages / 2);
    if (!test_is_slow)
        assert_true(scene->stall_ns < UINT64_C(100000000) + 2 * scene->oversleep_ns);
    expect(COVE_OK, cove_queue_get_info(keeper, &info));
    assert_int_equal(info.ready_count + info.in_flight_count, 0);
    cove_queue_close(keeper);
}

static const cove_queue_options usual = {.capacity_bytes = 64, .depth = 256, .loans = 16, .holds = 16},
                                smallest = {.capacity_bytes = 16, .depth = 1, .loans = 1, .holds = 1},
                                small = {.capacity_bytes = 16, .depth = 64, .loans = 8, .holds = 4};

TEST(ten_million_messages_and_one_of_each_side_killed_every_20_ms) {
    play(test_is_slow ? 60000 : 10000000, 20000, take_for_ever, &usual);
}

TEST(the_same_and_one_of_each_side_killed_every_ms) {
    play(test_is_slow ? 60000 : 10000000, 1000, take_for_ever, &usual);
}

TEST(the_smallest_queue_under_the_same) {
    play(test_is_slow ? 10000 : 1000000, 1000, take_for_ever, &smallest);
}

TEST(what_is_popped_by_copy_is_lost_only_with_who_had_it) {
    play(test_is_slow ? 60000 : 10000000, 2000, pop_for_ever, &small);
}

/* ---- Those who hold. */

static int hold_and_stop(void *context) {
    cove_queue *queue = open_here(COVE_QUEUE_CONSUMER);
    cove_message about[4];
    for (int i = 0; i < 4; i++)
        if (cove_queue_take(queue, &about[i], cove_in_ms(10000)) != COVE_OK)
            return 1;
    scene->holding = 1;
    raise(SIGSTOP);
    for (int i = 0; i < 4; i++)
        if (*(int *)context ? cove_queue_put_back(queue, &about[i]) : cove_queue_done(queue, &about[i]))
            return 2;
    cove_queue_close(queue);
    return 0;
}

static void go_on_past_a_holder(int ends_by) {
    static int puts_back;
    cove_queue *queue;
    cove_message about;
    uint64_t n, got;
    puts_back = ends_by == 1;
    scene = shared_memory(sizeof *scene);
    expect(COVE_OK, cove_queue_open(&queue, "q", &(cove_queue_options){.capacity_bytes = 8, .depth = 4, .loans = 1, .holds = 4}));
    pid_t pid = child(hold_and_stop, &puts_back);
    for (n = 1; n <= 4; n++)
        expect(COVE_OK, cove_queue_push(queue, &n, 8, 0, cove_in_ms(10000)));
    eventually(scene->holding);
    usleep(10000);
    for (n = 5; n <= 5000; n += 4) { /* as many as there is room for, again and again */
        for (uint64_t i = n; i < n + 4; i++)
            expect(COVE_OK, cove_queue_push(queue, &i, 8, 0, COVE_TRY));
        expect(COVE_ERR_FULL, cove_queue_push(queue, &n, 8, 0, COVE_TRY));
        for (uint64_t i = n; i < n + 4; i++) {
            expect(COVE_OK, i % 2 ? cove_queue_pop(queue, &got, 8, &about, COVE_TRY) : cove_queue_take(queue, &about, COVE_TRY));
            assert_int_equal(i % 2 ? got : *(const uint64_t *)about.data, i);
            if (i % 2 == 0)
                expect(COVE_OK, cove_queue_done(queue, &about));
        }
    }
    if (ends_by == 2)
        kill_child(pid);
    else {
        kill(pid, SIGCONT);
        assert_int_equal(end_of(pid), 0);
    }
    for (n = 1; n <= 4 && ends_by; n++) { /* killed, or put back: all of it comes again, in order */
        expect(COVE_REDELIVERED, cove_queue_pop(queue, &got, 8, &about, cove_in_ms(5000)));
        assert_int_equal(got, n);
        assert_int_equal(about.deliveries, 2);
    }
    expect(COVE_ERR_EMPTY, cove_queue_pop(queue, &got, 8, &about, cove_in_ms(60)));
    for (n = 1; n <= 100; n++) {
        expect(COVE_OK, cove_queue_push(queue, &n, 8, 0, COVE_TRY));
        expect(COVE_OK, cove_queue_pop(queue, &got, 8, &about, COVE_TRY));
    }
    cove_queue_close(queue);
}

TEST(a_stopped_holder_stops_nobody_and_goes_on) {
    go_on_past_a_holder(0);
}

TEST(a_stopped_holder_that_gives_back) {
    go_on_past_a_holder(1);
}

TEST(a_stopped_holder_that_is_killed) {
    go_on_past_a_holder(2);
}

static int reserve_and_stop(void *context) {
    cove_queue *queue = open_here(COVE_QUEUE_PRODUCER);
    cove_loan loan;
    (void)context;
    if (cove_queue_reserve(queue, 8, &loan, COVE_TRY) != COVE_OK)
        return 1;
    scene->holding = 1;
    raise(SIGSTOP);
    memcpy(loan.data, "gone on!", 8);
    return cove_queue_commit(queue, &loan, cove_in_ms(5000)) == COVE_OK ? 0 : 2;
}

TEST(a_producer_stopped_with_a_reservation_delays_nobody_and_goes_on) {
    cove_queue *queue;
    uint64_t got;
    scene = shared_memory(sizeof *scene);
    expect(COVE_OK, cove_queue_open(&queue, "q", &(cove_queue_options){.capacity_bytes = 8, .depth = 2, .loans = 2, .holds = 1}));
    pid_t pid = child(reserve_and_stop, NULL);
    eventually(scene->holding);
    usleep(10000);
    for (uint64_t n = 1; n <= 1000; n++) {
        expect(COVE_OK, cove_queue_push(queue, &n, 8, 0, COVE_TRY));
        expect(COVE_OK, cove_queue_pop(queue, &got, 8, NULL, COVE_TRY));
        assert_int_equal(got, n);
    }
    kill(pid, SIGCONT);
    assert_int_equal(end_of(pid), 0);
    expect(COVE_OK, cove_queue_pop(queue, &got, 8, NULL, COVE_TRY));
    assert_memory_equal(&got, "gone on!", 8);
    cove_queue_close(queue);
}

/* ---- Wakes. */

typedef struct turns {
    uint64_t total;
    unsigned producer_flags, consumer_flags;
    bool runs;
} turns;

/* Sleeps whenever nothing is there, and now and then dawdles, so that the producer finds no room, and sleeps. */
static int pop_all(void *context) {
    const turns *t = context;
    cove_queue *queue = open_here(t->consumer_flags);
    for (uint64_t n = 1; n <= t->total;) {
        uint64_t got[8];
        cove_message about[8];
        uint32_t count = 1;
        cove_result result = t->runs ? cove_queue_pop_many(queue, got, sizeof got, about, 8, &count, COVE_FOREVER)
                             : n % 7 ? cove_queue_pop(queue, got, 8, about, COVE_FOREVER)
                                     : cove_queue_take(queue, about, COVE_FOREVER);
        if (result != COVE_OK || about->sequence != n || ((const uint64_t *)about->data)[0] != n)
            return 1;
        if (!t->runs && n % 7 == 0 && cove_queue_done(queue, about) != COVE_OK)
            return 2;
        n += count;
        if (random_number() % 64 == 0)
            usleep((unsigned)(random_number() % 30));
    }
    return covei_lab_late_wakes ? 9 : 0;
}

static void lose_no_wake(const turns *t) {
    cove_queue *queue;
    cove_queue_options options = {.capacity_bytes = 8, .depth = 16, .loans = 1, .holds = 1, .flags = t->producer_flags};
    covei_lab_slice_ns = UINT64_C(3000000000);
    expect(COVE_OK, cove_queue_open(&queue, "q", &options));
    pid_t pid = child(pop_all, (void *)(uintptr_t)t);
    for (uint64_t n = 1; n <= t->total; n++) {
        expect(COVE_OK, cove_queue_push(queue, &n, 8, 0, COVE_FOREVER));
        if (random_number() % 64 == 0)
            usleep((unsigned)(random_number() % 30));
    }
    assert_int_equal(end_of(pid), 0);
    assert_int_equal(covei_lab_late_wakes, 0);
    covei_lab_slice_ns = 0;
    cove_queue_close(queue);
}

TEST(no_wake_up_is_lost_on_either_side) {
    uint64_t total = test_is_slow ? 20000 : 1000000;
    const turns all[] = {{total, 0, 0, false},
                         {total, 0, 0, true},
                         {total, COVE_QUEUE_ONLY_PRODUCER, COVE_QUEUE_ONLY_CONSUMER, false},
                         {total, COVE_QUEUE_ONLY_PRODUCER, COVE_QUEUE_ONLY_CONSUMER, true}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        lose_no_wake(&all[i]);
}

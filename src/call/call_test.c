/* Calls: requests and replies, and what comes of them when either side is slow, gives up or is killed. */
#include "tests/support.h"

#include <pthread.h>

static struct scene {
    _Atomic uint32_t served, begun, holds, stop;
    _Atomic int result;
} * scene;

static cove_client *open_client(const cove_call_options *options) {
    cove_client *client = NULL;
    expect(COVE_OK, cove_client_open(&client, "service", options));
    return client;
}

static cove_server *open_server(const cove_call_options *options) {
    cove_server *server = NULL;
    expect(COVE_OK, cove_server_open(&server, "service", options));
    return server;
}

/* Replies with the request, each byte one more, and its length as status. */
static int32_t add_one(void *context, const cove_request *request, void *reply, uint64_t *out_reply_bytes) {
    (void)context;
    for (uint64_t i = 0; i < request->length_bytes && i < request->reply_bytes; i++)
        ((uint8_t *)reply)[i] = (uint8_t)(((const uint8_t *)request->data)[i] + 1);
    *out_reply_bytes = request->length_bytes;
    if (scene)
        scene->served++;
    return (int32_t)request->length_bytes;
}

static int serve_for_ever(void *context) {
    cove_server *server;
    (void)context;
    if (cove_server_open(&server, "service", NULL) != COVE_OK)
        return 99;
    while (!scene->stop) {
        cove_result result = cove_serve(server, add_one, NULL, cove_in_ms(20));
        if (result < 0 && result != COVE_ERR_EMPTY && result != COVE_ERR_GONE && result != COVE_ERR_SIZE) {
            fprintf(stderr, "serve: %s\n", cove_last_error()->sentence);
            return 1;
        }
    }
    cove_server_close(server);
    return 0;
}

/* Takes one request, and keeps it until it is killed. */
static int take_and_hold(void *context) {
    cove_server *server;
    cove_request request;
    (void)context;
    if (cove_server_open(&server, "service", NULL) != COVE_OK || cove_server_take(server, &request, cove_in_ms(10000)) < 0)
        return 99;
    scene->holds = 1;
    pause();
    return 0;
}

static void call_works(cove_client *client, size_t bytes) {
    uint8_t request[300], answer[300];
    cove_reply reply = {.data = answer, .room_bytes = sizeof answer};
    memset(request, 7, sizeof request);
    expect(COVE_OK, cove_call(client, request, bytes, &reply, cove_in_ms(10000)));
    assert_int_equal(reply.length_bytes, bytes);
    assert_int_equal(reply.status, bytes);
    assert_true(reply.deliveries >= 1);
    for (size_t i = 0; i < bytes; i++)
        assert_int_equal(answer[i], 8);
}

static pid_t start(int (*function)(void *)) {
    return child(function, NULL);
}

/* The memory goes with the test. */
static void new_scene(void) {
    scene = shared_memory(sizeof *scene);
}

TEST(requests_of_all_sizes_are_answered) {
    new_scene();
    cove_client *client = open_client(NULL); /* before there is a server */
    pid_t pid = start(serve_for_ever);
    for (size_t bytes = 0; bytes <= 256; bytes += bytes < 4 ? 1 : 63)
        call_works(client, bytes);
    expect(COVE_OK, cove_call(client, "x", 1, NULL, cove_in_ms(10000)));
    cove_reply nothing = {0};
    expect(COVE_OK, cove_call(client, "xy", 2, &nothing, cove_in_ms(10000)));
    assert_int_equal(nothing.length_bytes, 2);
    assert_int_equal(nothing.status, 2);
    scene->stop = 1;
    assert_int_equal(end_of(pid), 0);
    cove_client_close(client);
}

TEST(what_is_too_large_is_told_on_both_sides) {
    new_scene();
    uint8_t bytes[400] = {0};
    cove_reply reply = {.data = bytes, .room_bytes = 10};
    cove_client *client = open_client(&(cove_call_options){.request_bytes = 256, .reply_bytes = 100});
    pid_t pid = start(serve_for_ever);
    expect_words(COVE_ERR_SIZE, "256", cove_call(client, bytes, 257, &reply, cove_in_ms(10000)));
    expect_words(COVE_ERR_SIZE, "the buffer 10", cove_call(client, bytes, 20, &reply, cove_in_ms(10000)));
    assert_int_equal(reply.length_bytes, 20);
    reply.room_bytes = sizeof bytes;
    expect_words(COVE_ERR_SIZE, "reply_bytes", cove_call(client, bytes, 200, &reply, cove_in_ms(10000)));
    assert_int_equal(reply.length_bytes, 200);
    call_works(client, 100);
    scene->stop = 1;
    assert_int_equal(end_of(pid), 0);
    cove_client_close(client);
}

TEST(wrong_use_is_told) {
    cove_client *client = open_client(NULL);
    cove_server *server = open_server(NULL);
    cove_request request;
    cove_reply reply = {.room_bytes = 4};
    expect(COVE_ERR_ARGUMENT, cove_call(NULL, "x", 1, NULL, COVE_TRY));
    expect(COVE_ERR_ARGUMENT, cove_call(client, NULL, 1, NULL, COVE_TRY));
    expect(COVE_ERR_ARGUMENT, cove_call(client, "x", 1, &reply, COVE_TRY));
    expect(COVE_ERR_ARGUMENT, cove_serve(server, NULL, NULL, COVE_TRY));
    expect(COVE_ERR_ARGUMENT, cove_server_take(server, NULL, COVE_TRY));
    expect(COVE_ERR_EMPTY, cove_server_take(server, &request, COVE_TRY));
    expect(COVE_ERR_ARGUMENT, cove_client_open(NULL, "service", NULL));
    expect(COVE_ERR_ARGUMENT, cove_server_open(NULL, "service", NULL));
    expect(COVE_ERR_NAME, cove_client_open(&client, "no/name", NULL));
    char long_name[200];
    memset(long_name, 'n', sizeof long_name);
    long_name[177] = 0;
    expect_words(COVE_ERR_NAME, "176", cove_client_open(&client, long_name, NULL));
    expect_words(COVE_ERR_OPTION, "lifetime", cove_server_open(&server, "service", &(cove_call_options){.lifetime = COVE_UNTIL_REMOVED}));
    expect_words(COVE_ERR_SIZE, "capacity", cove_client_open(&client, "service", &(cove_call_options){.request_bytes = 1 << 20}));
    cove_queue *queue;
    expect(COVE_ERR_TYPE, cove_queue_open(&queue, "service", &(cove_queue_options){.type_name = "other"}));
    cove_client_close(client);
    cove_server_close(server);
    cove_client_close(NULL);
    cove_server_close(NULL);
}

TEST(who_is_late_is_told_and_what_is_late_is_not_begun) {
    new_scene();
    cove_client *client = open_client(NULL);
    expect_words(COVE_ERR_TIMEOUT, "nobody serves it", cove_call(client, "x", 1, NULL, cove_in_ms(30)));
    expect(COVE_ERR_TIMEOUT, cove_call(client, "x", 1, NULL, COVE_TRY));
    pid_t pid = start(serve_for_ever);
    call_works(client, 5); /* and the late ones were before it */
    assert_int_equal(scene->served, 1);
    kill(pid, SIGSTOP);
    expect_words(COVE_ERR_TIMEOUT, "no reply", cove_call(client, "x", 1, NULL, cove_in_ms(30)));
    kill(pid, SIGCONT);
    call_works(client, 6);
    scene->stop = 1;
    assert_int_equal(end_of(pid), 0);
    cove_client_close(client);
}

static int call_once(void *context) {
    cove_client *client;
    uint8_t answer[8];
    cove_reply reply = {.data = answer, .room_bytes = sizeof answer};
    uint64_t wait_ms = *(uint64_t *)context;
    if (cove_client_open(&client, "service", NULL) != COVE_OK)
        return 99;
    scene->begun = 1;
    cove_result result = cove_call(client, "ab", 2, &reply, cove_in_ms(wait_ms));
    cove_client_close(client);
    scene->result = result;
    return result == COVE_OK ? (int)reply.deliveries : 50;
}

TEST(what_a_killed_server_had_another_carries_out) {
    new_scene();
    uint64_t wait_ms = 20000;
    pid_t first = start(take_and_hold), caller = child(call_once, &wait_ms);
    eventually(scene->holds);
    pid_t second = start(serve_for_ever); /* it is there before the first has gone */
    usleep(30000);
    assert_int_equal(scene->served, 0);
    kill_child(first);
    assert_int_equal(end_of(caller), 2); /* deliveries */
    assert_int_equal(scene->served, 1);
    scene->stop = 1;
    assert_int_equal(end_of(second), 0);
}

TEST(when_the_last_server_is_killed_the_caller_is_told_and_nobody_begins_it_later) {
    new_scene();
    uint64_t wait_ms = 20000;
    cove_server *here;
    pid_t server = start(take_and_hold), caller = child(call_once, &wait_ms);
    eventually(scene->holds);
    usleep(30000);
    cove_time_ns began = cove_now();
    kill_child(server);
    assert_int_equal(end_of(caller), 50);
    assert_int_equal(scene->result, COVE_ERR_GONE);
    assert_true(cove_now() - began < UINT64_C(2000000000));
    here = open_server(NULL);
    expect(COVE_ERR_EMPTY, cove_serve(here, add_one, NULL, cove_in_ms(100)));
    assert_int_equal(scene->served, 0);
    cove_server_close(here);
}

TEST(when_the_client_is_killed_the_server_is_told_and_goes_on) {
    new_scene();
    uint64_t wait_ms = 20000;
    cove_server *server = open_server(NULL);
    cove_request request;
    pid_t caller = child(call_once, &wait_ms);
    expect(COVE_OK, cove_server_take(server, &request, cove_in_ms(10000)));
    kill_child(caller);
    usleep(10000);
    expect(COVE_ERR_GONE, cove_server_reply(server, &request, 0, "x", 1));
    expect(COVE_ERR_VIEW, cove_server_reply(server, &request, 0, "x", 1));
    expect(COVE_ERR_VIEW, cove_server_put_back(server, &request));
    /* One that is killed before anybody has begun is passed over. */
    scene->begun = 0;
    caller = child(call_once, &wait_ms);
    eventually(scene->begun);
    usleep(20000);
    kill_child(caller);
    expect(COVE_ERR_EMPTY, cove_serve(server, add_one, NULL, cove_in_ms(20)));
    assert_int_equal(scene->served, 0);
    cove_queue_info info;
    cove_queue *queue;
    expect(COVE_OK, cove_queue_open(&queue, "service", &(cove_queue_options){.how = COVE_OPEN}));
    expect(COVE_OK, cove_queue_get_info(queue, &info));
    assert_int_equal(info.ready_count + info.in_flight_count, 0);
    cove_queue_close(queue);
    caller = child(call_once, &wait_ms);
    expect(COVE_OK, cove_serve(server, add_one, NULL, cove_in_ms(10000)));
    assert_int_equal(end_of(caller), 1);
    cove_server_close(server);
}

TEST(a_second_reply_to_one_request_is_overlooked) {
    new_scene();
    uint64_t wait_ms = 20000;
    cove_server *server = open_server(NULL);
    cove_request request;
    cove_client *client = open_client(NULL);
    pid_t caller = child(call_once, &wait_ms);
    expect(COVE_OK, cove_server_take(server, &request, cove_in_ms(10000)));
    /* As a server does that is killed between its reply and its being done with the request: the reply, and the request goes back. */
    cove_queue *replies;
    char name[300];
    snprintf(name, sizeof name, "service.client-%016llx", (unsigned long long)request.client);
    expect(COVE_OK, cove_queue_open(&replies, name, &(cove_queue_options){.how = COVE_OPEN}));
    struct {
        int32_t status, result;
        uint32_t deliveries, reserved_0;
        uint64_t needed, reserved_1;
        char data[2];
    } early = {.status = 2, .deliveries = 7, .data = "bc"};
    expect(COVE_OK, cove_queue_push(replies, &early, 34, request.correlation, COVE_TRY));
    cove_queue_close(replies);
    assert_int_equal(end_of(caller), 7);
    expect(COVE_OK, cove_server_put_back(server, &request));
    usleep(10000);
    expect(COVE_ERR_EMPTY, cove_serve(server, add_one, NULL, cove_in_ms(20))); /* its client has gone */
    cove_client_close(client);
    cove_server_close(server);
}

static void *serve_in_a_thread(void *context) {
    cove_server *server = context;
    while (!scene->stop)
        if (cove_serve(server, add_one, NULL, cove_in_ms(20)) == COVE_OK)
            continue;
    return NULL;
}

static void *call_in_a_thread(void *context) {
    cove_client *client;
    (void)context;
    if (cove_client_open(&client, "service", NULL) != COVE_OK)
        return client;
    for (uint64_t i = 0; i < 300; i++) {
        uint64_t got = 0;
        cove_reply reply = {.data = &got, .room_bytes = 8};
        uint64_t wanted = i & 0xff ? i : 1;
        if (cove_call(client, &wanted, 8, &reply, cove_in_ms(10000)) != COVE_OK || (got & 0xff) != ((wanted + 1) & 0xff))
            scene->result = -1;
    }
    cove_client_close(client);
    return NULL;
}

TEST(threads_serve_with_one_handle_and_call_with_one_each) {
    new_scene();
    cove_server *server = open_server(NULL);
    pthread_t threads[6];
    for (int i = 0; i < 6; i++)
        pthread_create(&threads[i], NULL, i < 3 ? serve_in_a_thread : call_in_a_thread, server);
    for (int i = 3; i < 6; i++)
        pthread_join(threads[i], NULL);
    scene->stop = 1;
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(scene->served, 900);
    assert_int_equal(scene->result, 0);
    cove_server_close(server);
}

static void *call_and_wait(void *context) {
    scene->begun = 1;
    scene->result = cove_call(context, "x", 1, NULL, COVE_FOREVER);
    return NULL;
}

TEST(one_thread_at_a_time_calls_and_it_can_be_interrupted) {
    new_scene();
    pthread_t thread;
    cove_client *client = open_client(NULL);
    cove_server *server = open_server(NULL);
    cove_request request;
    pthread_create(&thread, NULL, call_and_wait, client);
    expect(COVE_OK, cove_server_take(server, &request, cove_in_ms(10000)));
    expect(COVE_ERR_BUSY, cove_call(client, "x", 1, NULL, cove_in_ms(10)));
    cove_client_interrupt(client);
    pthread_join(thread, NULL);
    assert_int_equal(scene->result, COVE_ERR_INTERRUPTED);
    usleep(10000);
    expect(COVE_ERR_GONE, cove_server_reply(server, &request, 0, NULL, 0));
    expect(COVE_ERR_INTERRUPTED, cove_call(client, "x", 1, NULL, cove_in_ms(10)));
    cove_server_interrupt(server);
    expect(COVE_ERR_INTERRUPTED, cove_server_take(server, &request, cove_in_ms(1000)));
    cove_client_close(client);
    cove_server_close(server);
}

static int call_as_a_child(void *context) {
    call_works(context, 9);
    cove_client_close(context);
    return 0;
}

TEST(a_child_of_fork_calls_for_itself) {
    new_scene();
    pid_t pid = start(serve_for_ever);
    cove_client *client = open_client(NULL);
    call_works(client, 8);
    pid_t caller = child(call_as_a_child, client);
    for (size_t i = 1; i < 50; i++)
        call_works(client, i);
    assert_int_equal(end_of(caller), 0);
    call_works(client, 8);
    scene->stop = 1;
    assert_int_equal(end_of(pid), 0);
    cove_client_close(client);
}

static int32_t kills_its_server(void *context, const cove_request *request, void *reply, uint64_t *out_reply_bytes) {
    (void)context;
    (void)reply;
    (void)out_reply_bytes;
    if (request->length_bytes == 1)
        kill(getpid(), SIGKILL);
    return 0;
}

static int serve_deadly(void *context) {
    cove_server *server;
    (void)context;
    if (cove_server_open(&server, "service", NULL) != COVE_OK)
        return 99;
    for (;;)
        if (cove_serve(server, kills_its_server, NULL, COVE_FOREVER) < 0)
            return 1;
}

TEST(a_request_that_kills_servers_ends_among_the_dead_letters) {
    new_scene();
    uint64_t wait_ms = 1500;
    cove_server *keeper = open_server(&(cove_call_options){.dead_letter = "deadly", .max_deliveries = 3});
    cove_queue *deadly;
    pid_t caller = child(call_once, &wait_ms);
    cove_client *client = open_client(NULL);
    cove_request request;
    expect(COVE_OK, cove_server_take(keeper, &request, cove_in_ms(10000))); /* of the child: two bytes, and harmless */
    expect(COVE_OK, cove_server_reply(keeper, &request, 0, NULL, 0));
    assert_int_equal(end_of(caller), 1);
    pthread_t thread;
    pthread_create(&thread, NULL, call_and_wait, client);
    eventually(scene->begun);
    for (int i = 0; i < 3; i++)
        assert_int_equal(end_of(child(serve_deadly, NULL)), -SIGKILL);
    expect(COVE_ERR_EMPTY, cove_server_take(keeper, &request, cove_in_ms(200)));
    expect(COVE_OK, cove_queue_open(&deadly, "deadly", &(cove_queue_options){.how = COVE_OPEN}));
    cove_queue_info info;
    expect(COVE_OK, cove_queue_get_info(deadly, &info));
    assert_int_equal(info.ready_count, 1);
    expect(COVE_OK, cove_queue_remove(deadly));
    cove_queue_close(deadly);
    cove_server_close(keeper);
    pthread_join(thread, NULL); /* the last server has gone */
    assert_int_equal(scene->result, COVE_ERR_GONE);
    cove_client_close(client);
}

TEST(whoever_comes_first_sizes_and_hashes_suit_each_other) {
    new_scene();
    cove_server *server = open_server(&(cove_call_options){.request_bytes = 4096, .schema_hash = 5});
    cove_client *client;
    uint64_t wait_ms = 5000;
    pid_t caller = child(call_once, &wait_ms); /* all defaults, and unchecked */
    expect(COVE_OK, cove_serve(server, add_one, NULL, cove_in_ms(5000)));
    assert_int_equal(end_of(caller), 1);
    expect(COVE_ERR_TYPE, cove_client_open(&client, "service", &(cove_call_options){.schema_hash = 6}));
    cove_server_close(server);
}

TEST(the_queues_of_dead_clients_go_while_the_server_stays) {
    new_scene();
    uint64_t wait_ms = 20000;
    pid_t pid = start(serve_for_ever);
    for (int i = 0; i < 20; i++) {
        pid_t caller = child(call_once, &wait_ms);
        if (i % 2) {
            usleep(2000);
            kill(caller, SIGKILL);
        }
        end_of(caller);
    }
    for (int tries = 0; count_files(test_domain) > 1 && tries < 5000; tries++) {
        usleep(1000);
        if (tries % 100 == 0)
            expect(COVE_OK, cove_gc(NULL, 0, NULL, NULL, NULL));
    }
    assert_int_equal(count_files(test_domain), 1); /* the service */
    scene->stop = 1;
    assert_int_equal(end_of(pid), 0);
}

static int call_while_the_parent_does(void *context) {
    uint64_t got;
    cove_reply reply = {.data = &got, .room_bytes = 8};
    return cove_call(context, "12345678", 8, &reply, cove_in_ms(10000)) == COVE_OK ? 0 : 1;
}

static int reply_for_the_parent(void *context) {
    cove_request *request = ((void **)context)[1];
    cove_server *server = ((void **)context)[0];
    return cove_server_reply(server, request, 0, "bad", 3) == COVE_ERR_FORKED && cove_server_put_back(server, request) == COVE_ERR_FORKED
               ? 0
               : 1;
}

TEST(fork_inside_a_call_and_with_a_request_in_hand) {
    new_scene();
    pthread_t thread;
    cove_client *client = open_client(NULL);
    cove_server *server = open_server(NULL);
    cove_request request;
    pthread_create(&thread, NULL, call_and_wait, client);
    expect(COVE_OK, cove_server_take(server, &request, cove_in_ms(10000)));
    pid_t caller = child(call_while_the_parent_does, client);
    void *both[] = {server, &request};
    assert_int_equal(end_of(child(reply_for_the_parent, both)), 0);
    expect(COVE_OK, cove_serve(server, add_one, NULL, cove_in_ms(10000)));
    assert_int_equal(end_of(caller), 0);
    expect(COVE_OK, cove_server_reply(server, &request, 0, "x", 1));
    pthread_join(thread, NULL);
    assert_int_equal(scene->result, COVE_OK);
    cove_client_close(client);
    cove_server_close(server);
}

/* Calls whose servers and clients are killed all the time: who calls gets the reply to his own request, in the end. */
#include "tests/support.h"

#define SIDE 3

static struct scene {
    _Atomic uint64_t calls, again, wrong, failed, gone;
    _Atomic uint32_t stop;
} * scene;

static uint64_t mixed(uint64_t x) {
    x = (x ^ x >> 31) * UINT64_C(0x9e3779b97f4a7c15);
    return x ^ x >> 29;
}

/* The reply to a number is a pattern that follows from it, of a length that follows from it. */
static int32_t carry_out(void *context, const cove_request *request, void *reply, uint64_t *out_reply_bytes) {
    uint64_t number;
    (void)context;
    memcpy(&number, request->data, 8);
    *out_reply_bytes = 8 + number % 200;
    fill_pattern(reply, *out_reply_bytes, mixed(number));
    if (number % 16 == 0)
        usleep(200); /* long enough to be killed in */
    return (int32_t)(number & 0x7fff);
}

static int serve_for_ever(void *context) {
    cove_server *server;
    (void)context;
    if (cove_server_open(&server, "service", NULL) != COVE_OK)
        return 99;
    while (!scene->stop) {
        cove_result result = cove_serve(server, carry_out, NULL, cove_in_ms(20));
        if (result < 0 && result != COVE_ERR_EMPTY && result != COVE_ERR_GONE) {
            fprintf(stderr, "serve: %s\n", cove_last_error()->sentence);
            scene->failed++;
        }
    }
    cove_server_close(server);
    return 0;
}

static int call_for_ever(void *context) {
    cove_client *client;
    (void)context;
    if (cove_client_open(&client, "service", NULL) != COVE_OK)
        return 99;
    while (!scene->stop) {
        uint8_t answer[256];
        uint64_t number = random_number();
        cove_reply reply = {.data = answer, .room_bytes = sizeof answer};
        cove_result result = cove_call(client, &number, 8, &reply, cove_in_ms(10000));
        if (result == COVE_ERR_GONE) { /* for a moment there was none */
            scene->gone++;
            continue;
        }
        if (result != COVE_OK) {
            fprintf(stderr, "call: %s\n", cove_last_error()->sentence);
            scene->failed++;
            continue;
        }
        scene->calls++;
        scene->again += reply.deliveries > 1;
        uint64_t first = mixed(number);
        scene->wrong += reply.length_bytes != 8 + number % 200 || reply.status != (int32_t)(number & 0x7fff) ||
                        !is_pattern(answer, reply.length_bytes) || memcmp(answer, &first, 8) != 0;
    }
    cove_client_close(client);
    return 0;
}

TEST(servers_and_clients_killed_500_times_each) {
    pid_t server[SIDE], client[SIDE];
    scene = shared_memory(sizeof *scene);
    for (int i = 0; i < SIDE; i++) {
        server[i] = child(serve_for_ever, NULL);
        client[i] = child(call_for_ever, NULL);
    }
    for (int n = 0; n < (test_is_slow ? 50 : 500); n++) {
        uint64_t before = scene->calls;
        int i = (int)(random_number() % SIDE);
        usleep(random_number() % 3000);
        kill_child(server[i]);
        server[i] = child(serve_for_ever, NULL);
        i = (int)(random_number() % SIDE);
        kill_child(client[i]);
        client[i] = child(call_for_ever, NULL);
        eventually(scene->calls > before); /* it goes on */
    }
    scene->stop = 1;
    for (int i = 0; i < SIDE; i++) {
        assert_int_equal(end_of(client[i]), 0);
        assert_int_equal(end_of(server[i]), 0);
    }
    printf("    %lu calls, %lu carried out again after a server was killed, %lu with no server for a moment\n", (unsigned long)scene->calls,
           (unsigned long)scene->again, (unsigned long)scene->gone);
    assert_int_equal(scene->wrong, 0);
    assert_int_equal(scene->failed, 0);
    assert_true(scene->calls > (test_is_slow ? 50 : 1000) && scene->again > 0);
}

/* Calling: a request, and the wait for its reply. */
#include "call/call.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

/* How often who waits looks whether anybody serves. */
#define LOOK_MS 20

/* Replies that may wait: one, and what servers that were killed have sent before the one that is awaited. */
#define DEPTH 4

struct cove_client {
    covei_service service;
    cove_queue *replies; /* null: none yet, or given up with the call that failed */
    uint64_t number;     /* names the queue */
    uint64_t epoch;      /* of the process that made it: a child of fork has its own */
    uint64_t correlation;
    covei_a64 is_inside; /* epoch of the process that is inside a call; a child of fork is not */
    covei_a32 is_interrupted;
    bool has_seen_server;
};

cove_result cove_client_open_sized(cove_client **out_client, const char *name, const cove_call_options *options, size_t options_bytes) {
    cove_client *client = calloc(1, sizeof *client);
    covei_error_about(NULL, NULL);
    if (!client)
        return covei_fail(COVE_ERR_MEMORY, 0, "open", "no memory for the handle");
    cove_result result = out_client ? covei_service_open(&client->service, name, options, options_bytes, COVE_QUEUE_PRODUCER)
                                    : covei_fail(COVE_ERR_ARGUMENT, 0, "open", "there is no place for the handle");
    if (result != COVE_OK) {
        free(client);
        return result;
    }
    *out_client = client;
    return COVE_OK;
}

/* Who has its requests finds that nobody waits any more: it does not begin them, and its replies come to nothing. */
static void give_up(cove_client *client) {
    if (!client->replies)
        return;
    cove_error told = *cove_last_error();
    if (covei_process_is(client->epoch)) { /* else it is the parent's */
        cove_result gone = cove_queue_remove(client->replies);
        (void)gone; /* or it goes with the handle */
    }
    cove_queue_close(client->replies);
    client->replies = NULL;
    covei_error_restore(&told);
}

void cove_client_close(cove_client *client) {
    if (!client)
        return;
    give_up(client);
    cove_queue_close(client->service.requests);
    free(client);
}

static cove_result open_replies(cove_client *client) {
    if (covei_likely(client->replies && covei_process_is(client->epoch)))
        return COVE_OK;
    give_up(client);
    char name[COVE_NAME_MAX + 1];
    cove_queue_options o = client->service.options;
    o.how = COVE_CREATE;
    o.capacity_bytes = client->service.reply_bytes + sizeof(covei_reply_shm);
    o.depth = DEPTH;
    o.flags = COVE_QUEUE_CONSUMER;
    client->epoch = covei_process_epoch();
    for (;;) {
        covei_random(&client->number, sizeof client->number);
        covei_call_reply_name(name, client->service.name, client->number);
        cove_result result = cove_queue_open(&client->replies, name, &o);
        if (result != COVE_ERR_EXISTS)
            return result;
    }
}

static cove_result send_request(cove_client *client, const void *request, uint64_t request_bytes, cove_time_ns deadline_ns) {
    cove_loan loan;
    covei_request_shm head = {client->number, deadline_ns};
    if (covei_unlikely(request_bytes > client->service.request_bytes))
        return covei_fail(COVE_ERR_SIZE, 0, "call", "the request has %llu bytes, and the service takes up to %llu",
                          (unsigned long long)request_bytes, (unsigned long long)client->service.request_bytes);
    cove_result result = cove_queue_reserve(client->service.requests, sizeof head + request_bytes, &loan, deadline_ns);
    if (result < 0)
        return result;
    memcpy(loan.data, &head, sizeof head);
    if (request_bytes)
        memcpy((char *)loan.data + sizeof head, request, (size_t)request_bytes);
    loan.tag = ++client->correlation;
    result = cove_queue_commit(client->service.requests, &loan, deadline_ns);
    if (result < 0)
        cove_queue_abandon(client->service.requests, &loan);
    return result < 0 ? result : COVE_OK;
}

/* Whether nobody serves any more, and somebody did. */
static bool is_deserted(cove_client *client) {
    uint32_t servers = 0;
    if (cove_queue_members(client->service.requests, NULL, &servers) != COVE_OK)
        return true;
    client->has_seen_server = client->has_seen_server || servers;
    return (client->has_seen_server && !servers) || cove_queue_is_removed(client->service.requests);
}

/* Takes what is the reply to this call out of the message. False: it is not. */
static bool accept(const cove_client *client, const cove_message *m, cove_reply *reply, cove_result *out_result) {
    covei_reply_shm head;
    if (m->tag != client->correlation || m->length_bytes < sizeof head)
        return false; /* a second reply to a call before this one: its server was killed after it had sent it */
    memcpy(&head, m->data, sizeof head);
    uint64_t length = m->length_bytes - sizeof head;
    *out_result = COVE_OK;
    if (head.result != COVE_OK) {
        reply->length_bytes = head.needed_bytes;
        *out_result = covei_fail(COVE_ERR_SIZE, 0, "call",
                                 "the reply has %llu bytes, and this client takes up to %llu: open it with more "
                                 "reply_bytes",
                                 (unsigned long long)head.needed_bytes, (unsigned long long)client->service.reply_bytes);
        return true;
    }
    reply->length_bytes = length;
    reply->status = head.status;
    reply->deliveries = head.deliveries;
    if (reply->data && length > reply->room_bytes)
        *out_result = covei_fail(COVE_ERR_SIZE, 0, "call", "the reply has %llu bytes, and the buffer %llu", (unsigned long long)length,
                                 (unsigned long long)reply->room_bytes);
    else if (reply->data && length)
        memcpy(reply->data, (const char *)m->data + sizeof head, (size_t)length);
    return true;
}

static cove_result wait_for_reply(cove_client *client, cove_reply *reply, cove_time_ns deadline_ns) {
    cove_message m;
    for (;;) {
        cove_time_ns look = cove_in_ms(LOOK_MS), until = deadline_ns < look ? deadline_ns : look;
        cove_result result = cove_queue_take(client->replies, &m, until), accepted;
        if (result >= 0 && result != COVE_REMOVED) {
            bool is_it = accept(client, &m, reply, &accepted);
            cove_result ended = cove_queue_done(client->replies, &m);
            (void)ended; /* it is ours */
            if (is_it)
                return accepted;
            result = COVE_ERR_EMPTY; /* of an earlier call, or nobody's */
            if (cove_now() < deadline_ns && !covei_load_seqcst(&client->is_interrupted))
                continue;
        }
        covei_error_about(client->service.domain, client->service.name);
        if (covei_load_seqcst(&client->is_interrupted))
            return covei_fail(COVE_ERR_INTERRUPTED, 0, "call", "interrupted");
        if (result != COVE_ERR_EMPTY)
            return result == COVE_REMOVED ? covei_fail(COVE_ERR_GONE, 0, "call", "the queue of this client's replies was removed") : result;
        if (is_deserted(client)) {
            client->has_seen_server = false; /* whoever comes next may serve again */
            return covei_fail(COVE_ERR_GONE, 0, "call", "nobody serves it any more; whether the request was carried out is not known");
        }
        if (cove_now() >= deadline_ns)
            return covei_fail(COVE_ERR_TIMEOUT, 0, "call",
                              client->has_seen_server ? "no reply until the deadline" : "no reply until the deadline; nobody serves it");
    }
}

cove_result cove_call(cove_client *client, const void *request, uint64_t request_bytes, cove_reply *reply, cove_time_ns deadline_ns) {
    cove_reply nowhere = {0};
    if (!client) {
        covei_error_about(NULL, NULL);
        return covei_fail(COVE_ERR_ARGUMENT, 0, "call", "the client is null");
    }
    covei_error_about(client->service.domain, client->service.name);
    if ((!request && request_bytes) || (reply && !reply->data && reply->room_bytes))
        return covei_fail(COVE_ERR_ARGUMENT, 0, "call", "the %s is null", !request && request_bytes ? "request" : "buffer");
    uint64_t inside = covei_load_seqcst(&client->is_inside);
    if (covei_process_is(inside) || !covei_cas_seqcst(&client->is_inside, &inside, covei_process_epoch()))
        return covei_fail(COVE_ERR_BUSY, 0, "call", "another thread is inside a call with this client: open one for each");
    reply = reply ? reply : &nowhere;
    reply->length_bytes = reply->deliveries = 0;
    reply->status = 0;
    cove_result result =
        covei_load_seqcst(&client->is_interrupted) ? covei_fail(COVE_ERR_INTERRUPTED, 0, "call", "interrupted") : open_replies(client);
    covei_error_about(client->service.domain, client->service.name);
    if (result == COVE_OK && !client->has_seen_server)
        (void)is_deserted(client); /* before the request is there: it may kill who serves */
    if (result == COVE_OK && (result = send_request(client, request, request_bytes, deadline_ns)) == COVE_OK) {
        result = wait_for_reply(client, reply, deadline_ns);
        if (result != COVE_OK && result != COVE_ERR_SIZE)
            give_up(client);
    }
    covei_store_seqcst(&client->is_inside, 0);
    return result;
}

void cove_client_interrupt(cove_client *client) {
    if (!client)
        return;
    covei_store_seqcst(&client->is_interrupted, 1);
    cove_queue_interrupt(client->service.requests);
}

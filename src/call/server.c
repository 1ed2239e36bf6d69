/* Serving: a request, whose it is, and where its reply goes. */
#include "call/call.h"

#include "base/error.h"
#include "sync/local.h"

#include <stdlib.h>
#include <string.h>

/* Queues of clients that are kept open, at least: opening one takes a hundred times as long as a reply. */
#define KEPT 64

/* A client is asked for its life when this much time has passed since the last time. */
#define LOOK_NS UINT64_C(5000000)

/* And one that nobody asks for, whenever so much time has passed; who waits for requests wakes up for that. */
#define TIDY_NS UINT64_C(100000000)

/* A client's queue. `users` counts requests in hand that will be answered there. */
typedef struct caller {
    struct caller *next;
    cove_queue *replies;
    uint64_t number;
    uint64_t reply_bytes;
    uint32_t users;
    covei_a32 has_gone; /* as it was seen at looked_ns */
    covei_a64 looked_ns;
} caller;

struct cove_server {
    covei_service service;
    covei_local lock; /* guards the list; nothing that takes long is done under it */
    covei_a64 epoch, tidied_ns;
    caller *callers; /* the last used first */
    uint32_t count;
};

cove_result cove_server_open_sized(cove_server **out_server, const char *name, const cove_call_options *options, size_t options_bytes) {
    cove_server *server = calloc(1, sizeof *server);
    covei_error_about(NULL, NULL);
    if (!server)
        return covei_fail(COVE_ERR_MEMORY, 0, "open", "no memory for the handle");
    cove_result result = out_server ? covei_service_open(&server->service, name, options, options_bytes, COVE_QUEUE_CONSUMER)
                                    : covei_fail(COVE_ERR_ARGUMENT, 0, "open", "there is no place for the handle");
    if (result != COVE_OK) {
        free(server);
        return result;
    }
    server->service.options.how = COVE_OPEN;
    server->service.options.flags = COVE_QUEUE_PRODUCER;
    covei_store_seqcst(&server->epoch, covei_process_epoch());
    covei_local_reset(&server->lock);
    *out_server = server;
    return COVE_OK;
}

static void drop(caller *c) {
    cove_queue_close(c->replies);
    free(c);
}

void cove_server_close(cove_server *server) {
    if (!server)
        return;
    cove_queue_close(server->service.requests);
    for (caller *c = server->callers, *next; c; c = next) {
        next = c->next;
        drop(c);
    }
    free(server);
}

/* ---- Callers. */

/* The lock, free in a child of fork whatever the parent's threads held. */
static void enter(cove_server *server) {
    if (covei_unlikely(!covei_process_is(covei_load_seqcst(&server->epoch)))) {
        covei_mutex_enter(COVEI_MUTEX_REVIVE);
        if (!covei_process_is(covei_load_seqcst(&server->epoch))) {
            covei_local_reset(&server->lock);
            for (caller *c = server->callers; c; c = c->next)
                c->users = 0; /* what is in hand is the parent's */
            covei_store_seqcst(&server->epoch, covei_process_epoch());
        }
        covei_mutex_leave(COVEI_MUTEX_REVIVE);
    }
    covei_local_enter(&server->lock);
}

static caller *unlink_at(cove_server *server, caller **at) {
    caller *c = *at;
    *at = c->next;
    server->count--;
    return c;
}

static void put_in_front(cove_server *server, caller *c) {
    c->next = server->callers;
    server->callers = c;
    server->count++;
}

/* Takes the caller of this number to the front. Null: not kept. */
static caller *find(cove_server *server, uint64_t number) {
    for (caller **at = &server->callers; *at; at = &(*at)->next)
        if ((*at)->number == number) {
            caller *c = unlink_at(server, at);
            put_in_front(server, c);
            c->users++;
            return c;
        }
    return NULL;
}

/* Takes the last out of the list that is not in use; with `only_surplus` the last of those that have gone, or are one too many. Null: there
 * is none. */
static caller *take_out(cove_server *server, bool only_surplus) {
    caller **found = NULL;
    uint32_t kept = 0;
    for (caller **at = &server->callers; *at; at = &(*at)->next)
        if (++kept && !(*at)->users && (!only_surplus || covei_load_relaxed(&(*at)->has_gone) || kept > KEPT))
            found = at;
    return found ? unlink_at(server, found) : NULL;
}

static void leave(cove_server *server, caller *c) {
    enter(server);
    c->users--;
    caller *old = server->count > KEPT || covei_load_relaxed(&c->has_gone) ? take_out(server, true) : NULL;
    covei_local_leave(&server->lock);
    if (old)
        drop(old);
}

/* Whether nobody waits at the queue any more: its client was killed, or gave the call up. */
static bool has_gone(caller *c) {
    uint32_t consumers = 1;
    cove_time_ns now = covei_clock_ns();
    if (covei_load_relaxed(&c->has_gone) || covei_likely(now - covei_load_relaxed(&c->looked_ns) < LOOK_NS))
        return covei_load_relaxed(&c->has_gone);
    covei_store_relaxed(&c->looked_ns, now);
    if (cove_queue_is_removed(c->replies) || cove_queue_members(c->replies, NULL, &consumers) != COVE_OK || !consumers)
        covei_store_relaxed(&c->has_gone, 1);
    return covei_load_relaxed(&c->has_gone);
}

/* Now and then one queue that nobody needs just now is asked for its client's life, the one used longest ago: so those of the dead go, and
 * their memory. */
static void tidy(cove_server *server) {
    cove_time_ns now = covei_clock_coarse_ns();
    if (covei_likely(now - covei_load_relaxed(&server->tidied_ns) < TIDY_NS))
        return;
    covei_store_relaxed(&server->tidied_ns, now);
    enter(server);
    caller *c = take_out(server, false);
    covei_local_leave(&server->lock);
    if (!c)
        return;
    if (has_gone(c)) {
        drop(c);
        covei_store_relaxed(&server->tidied_ns, 0); /* perhaps not the only one */
        return;
    }
    enter(server);
    put_in_front(server, c); /* next time it is another's turn */
    covei_local_leave(&server->lock);
}

/* COVE_OK, and the caller, to be left · COVE_ERR_GONE · another failure, told. */
static cove_result caller_of(cove_server *server, uint64_t number, caller **out_caller) {
    char name[COVE_NAME_MAX + 1];
    cove_queue_info info;
    enter(server);
    caller *c = find(server, number);
    covei_local_leave(&server->lock);
    if (!c) {
        cove_queue *replies;
        covei_call_reply_name(name, server->service.name, number);
        cove_result result = cove_queue_open(&replies, name, &server->service.options);
        if (result == COVE_OK && (result = cove_queue_get_info(replies, &info)) != COVE_OK)
            cove_queue_close(replies);
        if (result != COVE_OK)
            return result == COVE_ERR_NOT_FOUND ? COVE_ERR_GONE : result;
        caller *fresh = calloc(1, sizeof *fresh);
        if (!fresh) {
            cove_queue_close(replies);
            return covei_fail(COVE_ERR_MEMORY, 0, "serve", "no memory for a client's queue");
        }
        *fresh = (caller){.replies = replies, .number = number};
        fresh->reply_bytes = info.capacity_bytes > sizeof(covei_reply_shm) ? info.capacity_bytes - sizeof(covei_reply_shm) : 0;
        enter(server);
        c = find(server, number);
        if (!c) {
            fresh->users = 1;
            put_in_front(server, c = fresh);
        }
        covei_local_leave(&server->lock);
        if (c != fresh)
            drop(fresh); /* another thread was quicker */
    }
    if (has_gone(c)) {
        leave(server, c);
        return COVE_ERR_GONE;
    }
    *out_caller = c;
    return COVE_OK;
}

/* ---- Requests. */

static cove_result check(cove_server *server, const void *request) {
    covei_error_about(server ? server->service.domain : NULL, server ? server->service.name : NULL);
    if (!server || !request)
        return covei_fail(COVE_ERR_ARGUMENT, 0, "serve", "the %s is null", server ? "request" : "server");
    return COVE_OK;
}

cove_result cove_server_take(cove_server *server, cove_request *out_request, cove_time_ns deadline_ns) {
    cove_result checked = check(server, out_request);
    if (checked != COVE_OK)
        return checked;
    for (;;) {
        covei_request_shm head;
        cove_message m;
        caller *c = NULL;
        tidy(server);
        cove_time_ns slice = covei_clock_ns() + TIDY_NS;
        bool is_slice = slice < deadline_ns;
        cove_result result = cove_queue_take(server->service.requests, &m, is_slice ? slice : deadline_ns);
        if (result == COVE_ERR_EMPTY && is_slice)
            continue;
        if (result < 0 || result == COVE_REMOVED)
            return result;
        bool is_request = m.length_bytes >= sizeof head;
        if (is_request)
            memcpy(&head, m.data, sizeof head);
        cove_result found = !is_request                            ? COVE_ERR_GONE
                            : covei_clock_ns() >= head.deadline_ns ? COVE_ERR_GONE
                                                                   : caller_of(server, head.client, &c);
        if (found == COVE_OK) {
            *out_request = (cove_request){.data = (const char *)m.data + sizeof head,
                                          .length_bytes = m.length_bytes - sizeof head,
                                          .correlation = m.tag,
                                          .client = head.client,
                                          .deliveries = m.deliveries,
                                          .deadline_ns = head.deadline_ns,
                                          .reply_bytes = c->reply_bytes,
                                          .message = m,
                                          .held = c};
            return result;
        }
        cove_error told = *cove_last_error();
        bool is_ours = found == COVE_ERR_LIMIT || found == COVE_ERR_MEMORY || found == COVE_ERR_FULL || found == COVE_ERR_BUSY;
        cove_result ended = is_ours ? cove_queue_put_back(server->service.requests, &m)
                                    : cove_queue_done(server->service.requests, &m); /* nobody waits for it, or nobody can be told */
        (void)ended;
        if (found == COVE_ERR_GONE && covei_clock_ns() >= deadline_ns)
            return covei_fail(COVE_ERR_EMPTY, 0, "serve", "no request until the deadline");
        if (found != COVE_ERR_GONE) {
            covei_error_restore(&told);
            return found;
        }
    }
}

/* Ends the request, which is no longer the caller's concern. */
static cove_result end(cove_server *server, cove_request *request, bool is_done) {
    caller *c = request->held;
    cove_result result = is_done ? cove_queue_done(server->service.requests, &request->message)
                                 : cove_queue_put_back(server->service.requests, &request->message);
    request->held = NULL;
    leave(server, c);
    return result;
}

static cove_result check_held(cove_server *server, cove_request *request) {
    cove_result result = check(server, request);
    if (result == COVE_OK && !request->held)
        return covei_fail(COVE_ERR_VIEW, 0, "serve", "this request was ended already");
    if (result == COVE_OK && !covei_process_is(request->message.held[1]))
        return covei_fail(COVE_ERR_FORKED, 0, "serve", "the request was taken by the parent process, and is the parent's to end");
    return result;
}

cove_result cove_server_put_back(cove_server *server, cove_request *request) {
    cove_result result = check_held(server, request);
    return result == COVE_OK ? end(server, request, false) : result;
}

static cove_result gone(void) {
    return covei_fail(COVE_ERR_GONE, 0, "reply", "its client has gone, or waits no longer");
}

/* A place for the reply in the client's queue. Who does not take what he has got is not waited for. */
static cove_result reserve(caller *c, uint64_t size_bytes, cove_loan *out_loan) {
    cove_result result = cove_queue_reserve(c->replies, sizeof(covei_reply_shm) + size_bytes, out_loan, COVE_TRY);
    return result >= 0 ? COVE_OK : has_gone(c) ? gone() : result;
}

/* Sends what is in the loan. COVE_OK · COVE_ERR_GONE · COVE_ERR_FULL; told. */
static cove_result send_reply(caller *c, const cove_request *request, covei_reply_shm head, cove_loan *loan, uint64_t size_bytes) {
    head.deliveries = request->deliveries;
    memcpy(loan->data, &head, sizeof head);
    loan->length_bytes = sizeof head + size_bytes;
    loan->tag = request->correlation;
    if (has_gone(c)) {
        cove_queue_abandon(c->replies, loan);
        return gone();
    }
    cove_result result = cove_queue_commit(c->replies, loan, COVE_TRY);
    if (result < 0)
        cove_queue_abandon(c->replies, loan);
    return result < 0 ? result : COVE_OK;
}

/* Sends what is in the loan, if one was had, and ends the request whatever came of it; what is told is what came of the reply. */
static cove_result conclude(cove_server *server, cove_request *request, cove_result reserved, cove_loan *loan, int32_t status,
                            uint64_t size_bytes) {
    bool fits = size_bytes <= request->reply_bytes;
    covei_reply_shm head = {.status = status, .result = fits ? COVE_OK : COVE_ERR_SIZE, .needed_bytes = size_bytes};
    cove_result result = reserved == COVE_OK ? send_reply(request->held, request, head, loan, fits ? size_bytes : 0) : reserved;
    if (result == COVE_OK && !fits)
        result = covei_fail(COVE_ERR_SIZE, 0, "reply", "the reply has %llu bytes, and its client takes up to %llu",
                            (unsigned long long)size_bytes, (unsigned long long)request->reply_bytes);
    cove_error told = *cove_last_error();
    cove_result ended = end(server, request, true);
    if (result == COVE_OK)
        return ended;
    covei_error_restore(&told);
    return result;
}

cove_result cove_server_reply(cove_server *server, cove_request *request, int32_t status, const void *data, uint64_t size_bytes) {
    cove_loan loan;
    cove_result result = check_held(server, request);
    if (result != COVE_OK)
        return result;
    if (!data && size_bytes)
        return covei_fail(COVE_ERR_ARGUMENT, 0, "reply", "the reply is null");
    uint64_t copied_bytes = size_bytes <= request->reply_bytes ? size_bytes : 0;
    result = reserve(request->held, copied_bytes, &loan);
    if (result == COVE_OK && copied_bytes)
        memcpy((char *)loan.data + sizeof(covei_reply_shm), data, (size_t)copied_bytes);
    return conclude(server, request, result, &loan, status, size_bytes);
}

cove_result cove_serve(cove_server *server, cove_serve_fn function, void *context, cove_time_ns deadline_ns) {
    cove_request request;
    cove_loan loan;
    int32_t status = 0;
    uint64_t size_bytes = 0;
    if (!function) {
        covei_error_about(server ? server->service.domain : NULL, server ? server->service.name : NULL);
        return covei_fail(COVE_ERR_ARGUMENT, 0, "serve", "the function is null");
    }
    cove_result result = cove_server_take(server, &request, deadline_ns);
    if (result < 0 || result == COVE_REMOVED)
        return result;
    result = reserve(request.held, request.reply_bytes, &loan);
    if (result == COVE_OK)
        status = function(context, &request, (char *)loan.data + sizeof(covei_reply_shm), &size_bytes);
    return conclude(server, &request, result, &loan, status, size_bytes);
}

cove_result cove_server_fd(cove_server *server, int *out_fd) {
    cove_result result = check(server, out_fd);
    return result == COVE_OK ? cove_queue_fd(server->service.requests, out_fd) : result;
}

void cove_server_interrupt(cove_server *server) {
    if (server)
        cove_queue_interrupt(server->service.requests);
}

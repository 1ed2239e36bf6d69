/* Calls: a request to a service, and its reply. A service is a name: as many servers as there are share its requests, and when one is
 * killed another does what it had in hand.
 *
 * The requests are one queue, NAME; each client has one more for its replies, NAME.client-…, which goes with it. Nothing else exists, and
 * `cove stat NAME` shows who serves.
 *
 *     the server is killed     its request goes to another, marked as delivered again; where no server is left, the caller gets COVE_ERR_GONE
 *     the client is killed     its request is not begun any more; a reply to it comes to nothing, and the server goes on
 *     the deadline passes      the caller gets COVE_ERR_TIMEOUT; a request that nobody has begun by then never is begun
 *
 *     the request kills all    after max_deliveries it goes to the dead letters, where they are asked for; the caller waits to its deadline
 *
 * A request may be carried out twice: by a server that was killed, and by the next. After a failure the caller does not know whether it
 * was. So let requests be such that twice does no harm, or look at `deliveries`.
 */
#ifndef COVE_CALL_H
#define COVE_CALL_H

#include <cove/queue.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cove_client cove_client;
typedef struct cove_server cove_server;

/* Of the common options, `how`, `access`, `lifetime`, `size_rule` and `wake_readers_always` must be 0: whoever comes first makes the
 * service, and it is there while it is used. */
typedef struct cove_call_options {
    COVE_COMMON_OPTIONS
    uint64_t request_bytes;  /**< largest request; 0: whatever exists; for a new service: 256 */
    uint64_t reply_bytes;    /**< a client's: the largest reply that it takes. 0: 256 */
    uint32_t depth;          /**< how many requests may wait; 0: whatever exists, or 64 */
    uint32_t max_deliveries; /**< at creation: over how many servers a request may kill before it goes to `dead_letter`. 0: 5 */
    const char *dead_letter; /**< at creation: the queue for them; null: none, they are tried for ever */
} cove_call_options;

/* ---- Calling */

/** Opens a client of the service `name`. The order of starting does not matter.
 *  @return as cove_queue_open · COVE_ERR_NAME longer than 176 bytes
 *  @threads any   @crash killed inside: as if never begun */
COVE_API COVE_MUST_USE cove_result cove_client_open_sized(cove_client **out_client, const char *name, const cove_call_options *options,
                                                          size_t options_bytes);

COVE_MUST_USE static inline cove_result cove_client_open(cove_client **out_client, const char *name, const cove_call_options *options) {
    return cove_client_open_sized(out_client, name, options, sizeof(cove_call_options));
}

/** Ends the client. Null is allowed. @threads no other thread may be inside a call with this handle */
COVE_API void cove_client_close(cove_client *client);

/** Where a reply goes, and what it was. */
typedef struct cove_reply {
    void *data;            /**< the caller's buffer */
    uint64_t room_bytes;   /**< of it */
    uint64_t length_bytes; /**< of the reply. With COVE_ERR_SIZE: what it needs */
    int32_t status;        /**< the server's word; 0 where it has nothing to say */
    uint32_t deliveries;   /**< to how many servers the request went */
} cove_reply;

/** Sends a request and waits for its reply.
 *
 *  @param reply         null: the reply is waited for and thrown away
 *  @param deadline_ns   for all of it; the server is told, and does not begin what is late
 *  @return COVE_OK · COVE_ERR_SIZE the request is larger than the service takes: nothing was sent; or the reply is larger than the buffer,
 *          or than this client's reply_bytes: it is lost, and the request was carried out · COVE_ERR_TIMEOUT no reply until the deadline ·
 *          COVE_ERR_FULL until the deadline there was no room for the request: nothing was sent · COVE_ERR_GONE the last server has gone, or
 *          the service was removed · COVE_ERR_BUSY another thread is inside a call with this handle: open one for each thread
 *  @threads one at a time   @progress waits for a server, sees the death of the last one within 50 ms
 *  @crash   killed inside: the request was not sent, is not begun any more, or its reply comes to nothing */
COVE_API COVE_MUST_USE cove_result cove_call(cove_client *client, const void *request, uint64_t request_bytes, cove_reply *reply,
                                             cove_time_ns deadline_ns);

/** From now on every call on this handle returns COVE_ERR_INTERRUPTED, the one that waits now too. @threads any */
COVE_API void cove_client_interrupt(cove_client *client);

/* ---- Serving */

/** Opens a server of the service `name`.  @return as cove_queue_open  @threads any */
COVE_API COVE_MUST_USE cove_result cove_server_open_sized(cove_server **out_server, const char *name, const cove_call_options *options,
                                                          size_t options_bytes);

COVE_MUST_USE static inline cove_result cove_server_open(cove_server **out_server, const char *name, const cove_call_options *options) {
    return cove_server_open_sized(out_server, name, options, sizeof(cove_call_options));
}

/** Ends the server; requests that it has in hand go to others. Null is allowed.
 *  @threads no other thread may be inside a call with this handle */
COVE_API void cove_server_close(cove_server *server);

/** A request, as a server has it. */
typedef struct cove_request {
    const void *data; /**< in place, aligned to 8 */
    uint64_t length_bytes;
    uint64_t correlation; /**< the client's number for it: 1, 2, 3 */
    uint64_t client;      /**< a random number that is one client's */
    uint32_t deliveries;  /**< 1: the first; more: other servers had it, and may have carried it out */
    uint32_t reserved_0;
    cove_time_ns deadline_ns; /**< the caller's */
    uint64_t reply_bytes;     /**< the largest reply that the client takes */
    cove_message message;     /**< the library's, and all that follows. A copy of a request must not be ended beside it */
    void *held;
} cove_request;

/** Carries out one request. It writes up to request->reply_bytes to `reply`, which lies in the client's queue, and says how many in
 *  *out_reply_bytes, 0 at first. What it returns is the reply's status. */
typedef int32_t (*cove_serve_fn)(void *context, const cove_request *request, void *reply, uint64_t *out_reply_bytes);

/** Takes one request, has `function` carry it out, sends the reply. Requests that are late, and those of clients that have gone or given
 *  up, are passed over.
 *
 *  @return COVE_OK · COVE_ERR_EMPTY no request until the deadline · COVE_ERR_GONE it was carried out, and the client has gone meanwhile ·
 *          COVE_ERR_ACCESS the client's queue is closed to this user: both need a domain with a mode for both · COVE_REMOVED the service
 *          was removed; told once to each handle · else as cove_queue_take. The request is done with in any case but those before it
 *          was taken.
 *  @threads any number at the same time   @progress waits for a request
 *  @crash   killed inside: the request goes to another server; where its reply was sent already, the client overlooks the second */
COVE_API COVE_MUST_USE cove_result cove_serve(cove_server *server, cove_serve_fn function, void *context, cove_time_ns deadline_ns);

/** The same in two steps: for servers that have several requests in hand. Each is ended by cove_server_reply or cove_server_put_back.
 *  @return as cove_serve · COVE_REDELIVERED a request that another server had */
COVE_API COVE_MUST_USE cove_result cove_server_take(cove_server *server, cove_request *out_request, cove_time_ns deadline_ns);

/** Sends the reply, and is done with the request.
 *  @return COVE_OK · COVE_ERR_GONE the client has gone or given up · COVE_ERR_SIZE more than request->reply_bytes: the client is told so ·
 *          COVE_ERR_FULL the client does not take its replies · COVE_ERR_VIEW the request was ended already · COVE_ERR_FORKED it is the parent's */
COVE_API cove_result cove_server_reply(cove_server *server, cove_request *request, int32_t status, const void *data, uint64_t size_bytes);

/** Lets another server have it.  @return COVE_OK · COVE_ERR_VIEW */
COVE_API cove_result cove_server_put_back(cove_server *server, cove_request *request);

/** A descriptor that is readable while there may be a request: as cove_queue_fd. */
COVE_API COVE_MUST_USE cove_result cove_server_fd(cove_server *server, int *out_fd);

/** As cove_queue_interrupt. @threads any */
COVE_API void cove_server_interrupt(cove_server *server);

#ifdef __cplusplus
}
#endif
#endif

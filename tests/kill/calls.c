/* Operations of calls: one who serves, or one who calls, dies; whoever is on the other side, and lives, is answered. */
#include "tests/kill/kill.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* operation.more */
#define CALLS 1u /* the child calls, and a partner serves; else it serves, and a partner calls */
#define WARM 2u  /* the partner has called once before */

/* How long a partner may wait for its answer: far less than to its own deadline. */
#define PATIENCE_MS 5000

typedef struct question {
    uint64_t tag;
    char value[VALUE_BYTES];
} question;

static const cove_call_options options = {.request_bytes = sizeof(question), .reply_bytes = sizeof(question), .depth = 4};

static void note(scene *s, wrong w, const char *why) {
    s->noted = w;
    s->why = why;
}

static question ask(uint64_t tag) {
    question q = {.tag = tag};
    value_fill(q.value, (int)(tag % 3));
    return q;
}

/* What every server does: the reply is the request. */
static int32_t answer(void *context, const cove_request *request, void *reply, uint64_t *out_reply_bytes) {
    scene *s = context;
    const question *q = request->data;
    if (request->length_bytes != sizeof *q || q->tag >= sizeof s->seen || value_of(q->value, VALUE_BYTES) != (int)(q->tag % 3))
        note(s, TORN, "a torn request");
    else if (s->seen[q->tag]++ && request->deliveries == 1)
        note(s, LOST, "a request that another server had is not marked as delivered again");
    memcpy(reply, q, sizeof *q);
    *out_reply_bytes = sizeof *q;
    return (int32_t)q->tag;
}

static cove_result call_with(cove_client *client, uint64_t tag, cove_time_ns deadline_ns) {
    question q = ask(tag), a;
    cove_reply reply = {.data = &a, .room_bytes = sizeof a};
    cove_result result = cove_call(client, &q, sizeof q, &reply, deadline_ns);
    if (result == COVE_OK && (reply.length_bytes != sizeof a || reply.status != (int32_t)tag || memcmp(&q, &a, sizeof a) != 0))
        return COVE_ERR_DAMAGED;
    return result;
}

/* ---- Partners: processes on the other side, which live until they have what they want. */

static pid_t start_partner(scene *s) {
    pid_t pid = fork();
    if (pid < 0 || s->partners == sizeof s->partner / sizeof *s->partner)
        kill_die("partner");
    if (pid) {
        s->partner[s->partners++] = pid;
        return pid;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGALRM, SIG_DFL);
    alarm(5 * PATIENCE_MS / 1000);
    return 0;
}

static void start_client(scene *s, unsigned count) {
    cove_client *client;
    uint64_t first = s->calls + 1;
    s->calls += count;
    if (start_partner(s))
        return;
    if (cove_client_open(&client, "b", &options) != COVE_OK)
        _exit(1);
    for (unsigned i = 0; i < count; i++)
        if (call_with(client, first + i, cove_in_ms(4 * PATIENCE_MS)) != COVE_OK)
            _exit(1);
    cove_client_close(client);
    _exit(0);
}

static void start_server(scene *s) {
    cove_server *server;
    if (start_partner(s))
        return;
    if (cove_server_open(&server, "b", &options) != COVE_OK)
        _exit(1);
    while (!*(volatile bool *)&s->is_over) {
        cove_result result = cove_serve(server, answer, s, cove_in_ms(5));
        if (result < 0 && result != COVE_ERR_EMPTY && result != COVE_ERR_GONE)
            _exit(1);
    }
    cove_server_close(server);
    _exit(0);
}

/* Until a request waits. */
static void see_a_request(scene *s) {
    cove_queue_info info = {0};
    for (cove_time_ns end = cove_in_ms(PATIENCE_MS); !info.ready_count;) {
        if (cove_now() > end || cove_queue_get_info(s->queue_survivor, &info) != COVE_OK)
            kill_die("no request");
        usleep(50);
    }
}

/* All partners but those of `left` are waited for, and served if there is a server. */
static wrong see_off(scene *s, cove_server *server, unsigned left, const char **out_why) {
    cove_time_ns end = cove_in_ms(PATIENCE_MS);
    for (unsigned i = left; i < s->partners;) {
        int status;
        if (waitpid(s->partner[i], &status, WNOHANG) == s->partner[i]) {
            s->partner[i] = s->partner[--s->partners];
            if (status)
                return fail_why(LOST, out_why, "who lives on the other side did not get what was due");
            continue;
        }
        if (cove_now() > end)
            return fail_why(HUNG, out_why, "a call is not answered");
        cove_result result = server ? cove_serve(server, answer, s, cove_in_ms(2)) : COVE_ERR_EMPTY;
        if (result < 0 && result != COVE_ERR_EMPTY && result != COVE_ERR_GONE)
            return fail_why(HUNG, out_why, "serve fails");
        if (!server)
            usleep(100);
    }
    return FINE;
}

static wrong call_as_survivor(scene *s, const char **out_why) {
    cove_client *client;
    if (cove_client_open(&client, "b", &options) != COVE_OK)
        return fail_why(HUNG, out_why, "open fails");
    cove_result result = call_with(client, ++s->calls, cove_in_ms(PATIENCE_MS));
    cove_client_close(client);
    return result == COVE_OK            ? FINE
           : result == COVE_ERR_DAMAGED ? fail_why(TORN, out_why, "another's reply")
                                        : fail_why(HUNG, out_why, "call fails");
}

static void arrange(scene *s, const operation *o) {
    cove_queue_options onlooker = {
        .how = COVE_OPEN, .access = COVE_READ_ONLY, .size_rule = COVE_AT_LEAST, .type = COVE_TYPE_BYTES, .type_name = "cove_call"};
    s->flags = o->more;
    if (cove_server_open(&s->server_survivor, "b", &options) != COVE_OK || cove_queue_open(&s->queue_survivor, "b", &onlooker) != COVE_OK)
        kill_die(o->name);
    if (o->more & CALLS) {
        start_server(s);
        return;
    }
    start_client(s, o->more & WARM ? 2 : 1);
    see_a_request(s);
}

/* ---- What the child has before it is stepped. */

static void be_a_server(scene *s) {
    if (cove_server_open(&s->server, "b", &options) != COVE_OK)
        kill_die("open");
    if (!(s->flags & WARM))
        return;
    if (cove_serve(s->server, answer, s, cove_in_ms(PATIENCE_MS)) != COVE_OK)
        kill_die("serve");
    see_a_request(s);
}
static void have_a_request(scene *s) {
    be_a_server(s);
    if (cove_server_take(s->server, &s->request, cove_in_ms(PATIENCE_MS)) != COVE_OK)
        kill_die("take");
}
static uint64_t own_tag; /* given before the stepping, in the midst of which others have theirs */
static void be_a_client(scene *s) {
    if (cove_client_open(&s->client, "b", &options) != COVE_OK)
        kill_die("open");
    own_tag = ++s->calls;
}
static void have_called(scene *s) {
    be_a_client(s);
    if (call_with(s->client, ++s->calls, cove_in_ms(PATIENCE_MS)) != COVE_OK)
        kill_die("call");
}

/* ---- What is stepped. */

static void serve(scene *s) {
    s->result = cove_serve(s->server, answer, s, s->deadline_ns);
}
static void take_and_reply(scene *s) {
    s->result = cove_server_take(s->server, &s->request, s->deadline_ns);
    if (s->result < 0)
        return;
    const question *q = s->request.data;
    if (q->tag < sizeof s->seen)
        s->seen[q->tag]++;
    s->result = cove_server_reply(s->server, &s->request, (int32_t)q->tag, q, sizeof *q);
}
static void take_and_put_back(scene *s) {
    s->result = cove_server_take(s->server, &s->request, s->deadline_ns);
    if (s->result >= 0)
        s->result = cove_server_put_back(s->server, &s->request);
}
static void close_server(scene *s) {
    cove_server_close(s->server);
    s->result = COVE_OK;
}
static void call(scene *s) {
    s->result = call_with(s->client, own_tag, s->deadline_ns);
}
static void close_client(scene *s) {
    cove_client_close(s->client);
    s->result = COVE_OK;
}

const operation call_operations[] = {
    {"call: serve", .open = be_a_server, .run = serve},
    {"call: serve again", .open = be_a_server, .run = serve, .is_later = true, .varies = true, .more = WARM},
    {"call: take, reply", .open = be_a_server, .run = take_and_reply, .is_later = true, .varies = true, .more = WARM},
    {"call: take, put back", .open = be_a_server, .run = take_and_put_back, .is_later = true, .varies = true, .more = WARM},
    {"call: close a server with a request", .open = have_a_request, .run = close_server},
    {"call: first call", .open = be_a_client, .run = call, .varies = true, .more = CALLS},
    {"call: call", .open = have_called, .run = call, .varies = true, .more = CALLS},
    {"call: close a client", .open = have_called, .run = close_client, .more = CALLS},
    {0},
};

/* ---- Survivors. */

static wrong survive(const operation *o, scene *s, const char **out_why) {
    cove_opened opened = {false, false};
    cove_call_options with = options;
    cove_server *newcomer = NULL;
    wrong w;
    *out_why = "";
    if (o->more & CALLS) {
        w = call_as_survivor(s, out_why);
        s->is_over = true;
        if (w == FINE)
            w = see_off(s, NULL, 0, out_why);
    } else {
        w = see_off(s, s->server_survivor, 0, out_why);
    }
    for (uint64_t tag = 1; w == FINE && s->finished && !s->has_heir && tag <= s->calls; tag++)
        if (s->seen[tag] > 1)
            w = fail_why(LOST, out_why, "a request was carried out twice without a death");
    with.opened = &opened;
    if (w == FINE && cove_server_open(&newcomer, "b", &with) != COVE_OK)
        w = fail_why(HUNG, out_why, "open fails");
    if (w == FINE && opened.created)
        w = fail_why(LOST, out_why, "the name led nowhere while somebody served");
    if (w == FINE) {
        start_client(s, 2);
        w = see_off(s, newcomer, 0, out_why);
    }
    if (w == FINE && s->noted)
        w = fail_why(s->noted, out_why, s->why);
    for (; s->partners; s->partners--) { /* where something went wrong */
        kill(s->partner[s->partners - 1], SIGKILL);
        waitpid(s->partner[s->partners - 1], NULL, 0);
    }
    cove_queue_close(s->queue_survivor);
    cove_server_close(s->server_survivor);
    cove_server_close(newcomer);
    s->queue_survivor = NULL;
    s->server_survivor = NULL;
    if (clean_up(o) && w == FINE)
        w = fail_why(LEAKED, out_why, "something is left");
    return w;
}

/* While the process is stopped, others call and serve; and leave something for when it goes on. */
static wrong look(const operation *o, scene *s, const char **out_why) {
    if (o->more & CALLS)
        return call_as_survivor(s, out_why);
    unsigned left = s->partners; /* what these want may be in the hands of who is stopped */
    start_client(s, 2);
    wrong w = see_off(s, s->server_survivor, left, out_why);
    if (w == FINE) {
        start_client(s, 1);
        see_a_request(s);
    }
    return w;
}

static cove_server *heirs;
static void open_as_heir(scene *s) {
    (void)s;
    if (cove_server_open(&heirs, "b", &options) != COVE_OK)
        kill_die("open");
}
static void serve_as_heir(scene *s) {
    s->result = cove_serve(heirs, answer, s, COVE_TRY);
    if (s->result == COVE_ERR_EMPTY || s->result == COVE_ERR_GONE)
        s->result = COVE_OK;
}
static void come_as_heir(scene *s) {
    s->result = cove_server_open(&heirs, "b", &options);
}

/* Partners wait already, in every mode. */
const subject calls = {arrange, survive, look, NULL, NULL, {open_as_heir, serve_as_heir}, {NULL, come_as_heir}};

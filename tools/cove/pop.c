/* cove pop */
#define _GNU_SOURCE
#include "values.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct wish {
    cove_queue **out_queue;
    cove_queue_options options;
    const char *command;
    uint64_t count; /* 0: no end */
    bool has_count, follow, until_closed, peek, raw, json;
    cove_time_ns patience_ns; /* for each message */
} wish;

static bool take(void *context, int option, const char *value) {
    wish *w = context;
    switch (option) {
    case 'e': w->command = value; return true;
    case 'f': w->follow = true; return true;
    case 'u': w->until_closed = true; return true;
    case 'p': w->peek = true; return true;
    case 'r': w->raw = true; return true;
    default: w->has_count = true; return take_count(value, &w->count);
    }
}

static cove_result open_queue(void *context, const char *name, cove_access access, cove_time_ns deadline_ns) {
    wish *w = context;
    w->options.deadline_ns = deadline_ns;
    w->options.access = access;
    if (access == COVE_READ_ONLY && !w->peek)
        return COVE_ERR_ACCESS; /* as it was told */
    return cove_queue_open(w->out_queue, name, &w->options);
}

/* ---- What becomes of a message. */

static bool print_message(const wish *w, const cove_message *m) {
    cove_value value = {.data = m->data,
                        .length_bytes = m->length_bytes,
                        .count = m->count,
                        .type = m->type,
                        .sequence = m->sequence,
                        .tag = m->tag,
                        .time_ns = m->time_ns};
    if (w->json) {
        json_t *o = value_json(&value);
        json_object_del(o, "missed");
        json_object_set_new(o, "deliveries", json_integer(m->deliveries));
        json_dumpf(o, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
        putchar('\n');
        json_decref(o);
    } else if (w->raw) {
        fwrite(m->data, 1, (size_t)m->length_bytes, stdout);
    } else {
        print_value(stdout, &value);
    }
    return fflush(stdout) == 0 && !ferror(stdout);
}

static void set_number(const char *name, uint64_t number) {
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    setenv(name, text, 1);
}

/* In the child. It ends with this command, however that ends: another may have its message then. */
static void become_command(const wish *w, const cove_message *m, int input, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
    signal(SIGPIPE, SIG_DFL);
    dup2(input, STDIN_FILENO);
    set_number("COVE_SEQUENCE", m->sequence);
    set_number("COVE_TAG", m->tag);
    set_number("COVE_DELIVERIES", m->deliveries);
    set_number("COVE_LENGTH", m->length_bytes);
    execl("/bin/sh", "sh", "-c", w->command, (char *)NULL);
    _exit(127);
}

/* Gives the message to the command, and returns its exit status; -1: it could not be started, and that has been told. */
static int execute(const wish *w, const cove_message *m) {
    int ends[2], status = 0;
    pid_t parent = getpid();
    if (pipe2(ends, O_CLOEXEC) != 0) {
        say("no pipe to the command: %s", strerror(errno));
        return -1;
    }
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        become_command(w, m, ends[0], parent);
    close(ends[0]);
    if (pid < 0) {
        say("the command cannot be started: %s", strerror(errno));
        close(ends[1]);
        return -1;
    }
    for (uint64_t at = 0; at < m->length_bytes;) {
        ssize_t count = write(ends[1], (const char *)m->data + at, (size_t)(m->length_bytes - at));
        if (count < 0 && errno == EINTR && !is_stopped())
            continue;
        if (count <= 0)
            break; /* it need not read all, or any of it */
        at += (uint64_t)count;
    }
    close(ends[1]);
    for (bool has_told = false; waitpid(pid, &status, 0) < 0 && errno == EINTR;)
        if (is_stopped() && !has_told) {
            kill(pid, SIGTERM);
            has_told = true;
        }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* One message that was taken. -1: go on. */
static int handle(cove_queue *queue, const wish *w, cove_message *m, uint32_t *failures) {
    int status = w->command ? execute(w, m) : print_message(w, m) ? 0 : -1;
    if (!status) {
        *failures = 0;
        return cove_queue_done(queue, m) == COVE_OK ? -1 : failed();
    }
    if (cove_queue_put_back(queue, m) != COVE_OK)
        return failed();
    if (status < 0)
        return EXIT_NO_ROOM;
    say("message %" PRIu64 ", delivery %u: the command ended with %d; it was put back", m->sequence, m->deliveries, status);
    if (!w->follow && !w->until_closed)
        return EXIT_NO;
    /* Others may take it meanwhile; and where it comes back to us, not as quickly as the machine can fail. */
    sleep_until(cove_in_ms(++*failures < 5 ? 100u << *failures : 3200));
    return -1;
}

/* ---- One after the other. */

/* Whether somebody who pushed has gone, nobody else pushes, nothing waits and nobody has anything in hand that may come back. */
static bool is_closed(cove_queue *queue, bool *had_producer) {
    uint32_t producers;
    cove_queue_info info;
    if (cove_queue_members(queue, &producers, NULL) != COVE_OK)
        return false;
    *had_producer = *had_producer || producers;
    return *had_producer && !producers && cove_queue_wait(queue, cove_in_ms(1)) == COVE_ERR_EMPTY &&
           cove_queue_get_info(queue, &info) == COVE_OK && !info.ready_count && !info.in_flight_count;
}

static int take_all(cove_queue *queue, const wish *w) {
    cove_queue_info info;
    uint32_t failures = 0;
    bool had_producer = cove_queue_get_info(queue, &info) == COVE_OK && info.pushed_count > 0;
    for (uint64_t seen = 0; !w->count || seen < w->count;) {
        cove_time_ns until = end_of_patience(w->patience_ns);
        cove_message m;
        cove_result result;
        do {
            if (is_stopped())
                return EXIT_INTERRUPTED;
            result = cove_queue_take(queue, &m, w->patience_ns ? soon(w->until_closed ? cove_in_ms(20) : until) : COVE_TRY);
            if (result == COVE_ERR_EMPTY && w->until_closed && is_closed(queue, &had_producer))
                return EXIT_DONE;
        } while ((result == COVE_ERR_EMPTY && cove_now() < until) || result == COVE_ERR_INTERRUPTED);
        if (result == COVE_REMOVED) {
            say("the queue was removed");
            return EXIT_NO;
        }
        if (result == COVE_ERR_EMPTY && w->follow && !w->has_count)
            return EXIT_DONE;
        if (result < 0)
            return failed();
        had_producer = true;
        int status = handle(queue, w, &m, &failures);
        if (status >= 0)
            return status;
        seen++;
    }
    return EXIT_DONE;
}

static int peek(cove_queue *queue, const wish *w, uint64_t capacity_bytes) {
    cove_message m;
    void *data = malloc(capacity_bytes ? (size_t)capacity_bytes : 1);
    cove_result result = COVE_ERR_EMPTY;
    if (!data) {
        say("no memory for a message of %" PRIu64 " bytes", capacity_bytes);
        return EXIT_NO_ROOM;
    }
    cove_time_ns until = end_of_patience(w->patience_ns);
    do
        result = cove_queue_peek(queue, data, capacity_bytes, &m, w->patience_ns ? soon(until) : COVE_TRY);
    while ((result == COVE_ERR_EMPTY || result == COVE_ERR_INTERRUPTED) && cove_now() < until && !is_stopped());
    int status = is_stopped() ? EXIT_INTERRUPTED : result < 0 ? failed() : EXIT_DONE;
    if (result == COVE_REMOVED) {
        say("the queue was removed");
        status = EXIT_NO;
    } else if (status == EXIT_DONE && !print_message(w, &m)) {
        status = EXIT_NO_ROOM;
    }
    free(data);
    return status;
}

int run_pop(int argc, char **argv) {
    static const struct option own[] = {{"exec", required_argument, NULL, 'e'},
                                        {"follow", no_argument, NULL, 'f'},
                                        {"count", required_argument, NULL, 'c'},
                                        {"until-closed", no_argument, NULL, 'u'},
                                        {"peek", no_argument, NULL, 'p'},
                                        {"raw", no_argument, NULL, 'r'},
                                        {0}};
    settings s;
    cove_queue *queue;
    cove_queue_info info;
    wish w = {.out_queue = &queue, .options = {.how = COVE_OPEN, .interruptible = true}};
    int status = read_options(argc, argv, own, take, &w, &s);
    if (status >= 0)
        return status;
    if (argc - optind != 1)
        return misused("pop", "pop needs one name");
    if (w.peek && (w.command || w.follow || w.until_closed || w.has_count))
        return misused("pop", "--peek looks at one message, and leaves it there");
    is_stopped();
    bool goes_on = w.follow || w.until_closed;
    w.options.domain = s.domain;
    w.options.flags = w.peek ? 0 : COVE_QUEUE_CONSUMER;
    w.json = s.json;
    w.count = w.has_count ? w.count : goes_on ? 0 : 1;
    w.patience_ns = goes_on && !s.has_timeout ? UINT64_MAX : s.deadline_ns == COVE_TRY ? 0 : s.deadline_ns - cove_now();
    if (open_when_there(open_queue, &w, "queue", argv[optind], goes_on && !s.has_timeout ? COVE_FOREVER : s.deadline_ns) != COVE_OK ||
        cove_queue_get_info(queue, &info) != COVE_OK)
        return is_stopped() ? EXIT_INTERRUPTED : failed();
    status = w.peek ? peek(queue, &w, info.capacity_bytes) : take_all(queue, &w);
    cove_queue_close(queue);
    return status;
}

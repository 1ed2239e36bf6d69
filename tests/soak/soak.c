/* cove-soak [--minutes N] [--processes N] [--seed N]: hundreds of processes of all kinds on all objects at once, killed, stopped and
 * started again at random, and everything they see is checked as they see it.
 *
 * One parent keeps the long-lived objects open, is the only one that kills, and holds the audit: plain shared memory, in which workers note
 * what they have pushed, got and done, so that at the end nothing may be missing. */
#define _GNU_SOURCE
#include <cove/cove.h>

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define VALUE_BYTES 1000
#define SLOTS 512
#define MESSAGES (UINT64_C(1) << 26) /* more are not pushed */
#define STOP_MS 200                  /* the longest that a process is stopped */
#define PATIENCE_MS 20000            /* who waits longer for anything hangs */
#define SPARED_MS 5000               /* and who is neither killed nor stopped, and gets nothing done for that long */
#define PROCESSES_MOST 1000

enum { PUSHED = 1, GOT = 2, DONE = 4, ENDING = 8 }; /* ENDING: whoever got it was about to say that it is done with */

typedef struct audit {
    _Atomic uint64_t operations[16];       /* of each kind of worker */
    _Atomic uint32_t done[PROCESSES_MOST]; /* by each worker */
    _Atomic uint64_t next_message;
    _Atomic uint32_t failures, ends;
    _Atomic uint64_t again, repaired, unrepaired, missed, gone;
    char why[1024]; /* of the first failure */
    _Atomic uint8_t message[MESSAGES];
} audit;
static audit *shared;
static char domain[64];
static pid_t parent;

/* ---- What workers use. */

static uint64_t seed;
static uint64_t random_number(void) { /* splitmix64, as its author published it into the public domain: a step, and a mix */
    uint64_t x = seed += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* Counts a failure, and keeps the words of the first. */
static void note(const char *format, va_list arguments) {
    char text[sizeof shared->why];
    vsnprintf(text, sizeof text, format, arguments);
    if (atomic_fetch_add(&shared->failures, 1) == 0)
        memcpy(shared->why, text, sizeof text);
    if (getpid() == parent)
        fprintf(stderr, "%s\n", text);
}

/* By the parent, who goes on to clean up. */
__attribute__((format(printf, 1, 2))) static void blame(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    note(format, arguments);
    va_end(arguments);
}

__attribute__((format(printf, 1, 2))) _Noreturn static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    note(format, arguments);
    va_end(arguments);
    _exit(1);
}

static void must(cove_result result, const char *what) {
    if (result < 0)
        fail("%s: %s: %s", what, cove_result_name(result), cove_last_error()->sentence);
}

/* A value says how it goes on, so that half of one shows. */
static uint64_t fill(uint8_t *data, uint64_t x, uint64_t length) {
    memcpy(data, &x, 8);
    for (uint64_t i = 8; i < length; i++)
        data[i] = (uint8_t)(x + i * 7);
    return length;
}
static void check(const void *value, uint64_t length, const char *what) {
    const uint8_t *data = value;
    uint64_t x;
    if (length < 8 || length > VALUE_BYTES)
        fail("torn: %s of %lu bytes", what, (unsigned long)length);
    memcpy(&x, data, 8);
    for (uint64_t i = 8; i < length; i++)
        if (data[i] != (uint8_t)(x + i * 7))
            fail("torn: byte %lu of %s", (unsigned long)i, what);
}
static uint64_t random_value(uint8_t *data) {
    return fill(data, random_number(), 8 + random_number() % (VALUE_BYTES - 7));
}
static cove_time_ns patience(void) {
    return cove_in_ms(PATIENCE_MS);
}

/* In the middle of something: sometimes for long enough to be killed there. */
static void dawdle(void) {
    if (random_number() % 16 == 0)
        usleep((useconds_t)(random_number() % 2000));
}

static int kind_now;
static unsigned my_number;
/* Between two operations: whether there is to be another. */
static bool goes_on(void) {
    atomic_fetch_add(&shared->operations[kind_now], 1);
    atomic_fetch_add(&shared->done[my_number], 1);
    if (random_number() % 4 == 0)
        usleep((useconds_t)(random_number() % 4000));
    return !shared->ends && random_number() % 2000;
}

static const cove_block_options block_options = {.capacity_bytes = VALUE_BYTES, .slots = SLOTS};
static const cove_block_options single_options = {.capacity_bytes = VALUE_BYTES, .slots = SLOTS, .flags = COVE_BLOCK_SINGLE};
static const cove_stream_options stream_options = {
    .capacity_bytes = VALUE_BYTES, .slots = SLOTS, .depth = 64, .loans = 64, .borrows = 64, .start = COVE_START_NEW};
static const cove_queue_options queue_options = {.capacity_bytes = VALUE_BYTES, .slots = SLOTS, .depth = 64, .loans = 64, .holds = 64};

/* ---- The kinds of workers. */

static void set_values(void) {
    uint8_t data[VALUE_BYTES];
    cove_block *block;
    cove_block_view view;
    must(cove_block_open(&block, "copies", &block_options), "open");
    do {
        if (random_number() % 2) {
            must(cove_block_set(block, data, random_value(data), patience()), "set");
        } else {
            must(cove_block_lock_write(block, &view, patience()), "lock_write");
            if (view.length_bytes)
                check(view.data, view.length_bytes, "what a transaction begins with");
            view.length_bytes = random_value(view.data);
            dawdle();
            must(random_number() % 4 ? cove_block_unlock(block, &view) : cove_block_abandon(block, &view), "unlock");
        }
    } while (goes_on());
    cove_block_close(block);
}

static void get_values(void) {
    uint8_t data[VALUE_BYTES];
    uint64_t length, version, last = 0;
    cove_block *block;
    cove_block_view view;
    bool is_read_only = random_number() % 2;
    cove_block_options options = {.how = COVE_OPEN, .access = is_read_only ? COVE_READ_ONLY : COVE_READ_WRITE};
    must(cove_block_open(&block, "copies", &options), "open");
    do {
        if (!is_read_only && random_number() % 2) {
            must(cove_block_lock_read(block, &view, patience()), "lock_read");
            if (view.length_bytes)
                check(view.data, view.length_bytes, "a locked value");
            must(cove_block_unlock(block, &view), "unlock");
            continue;
        }
        must(cove_block_get(block, data, sizeof data, &length, &version, patience()), "get");
        if (length)
            check(data, length, "a value");
        if (version < last)
            fail("a version went back, from %lu to %lu", (unsigned long)last, (unsigned long)version);
        last = version;
    } while (goes_on());
    cove_block_close(block);
}

static void lock_one_copy(void) {
    uint8_t data[VALUE_BYTES];
    uint64_t length;
    cove_block *block;
    cove_block_view view;
    must(cove_block_open(&block, "single", &single_options), "open");
    do {
        cove_result result;
        switch (random_number() % 3) {
        case 0:
            must(result = cove_block_lock_write(block, &view, patience()), "lock_write");
            if (result != COVE_OWNER_DIED && view.length_bytes)
                check(view.data, view.length_bytes, "what a lock guards");
            memset(view.data, 0, VALUE_BYTES / 2);
            dawdle();
            view.length_bytes = random_value(view.data);
            if (result == COVE_OWNER_DIED) {
                must(cove_block_mark_repaired(block, &view), "mark_repaired");
                shared->repaired++;
            }
            must(cove_block_unlock(block, &view), "unlock");
            break;
        case 1:
            must(result = cove_block_lock_read(block, &view, patience()), "lock_read");
            if (result != COVE_OWNER_DIED && view.length_bytes)
                check(view.data, view.length_bytes, "what a lock guards");
            must(cove_block_unlock(block, &view), "unlock");
            break;
        default:
            result = cove_block_get(block, data, sizeof data, &length, NULL, patience());
            if (result == COVE_ERR_UNREPAIRED)
                shared->unrepaired++;
            else
                must(result, "get");
            if (result == COVE_OK && length)
                check(data, length, "a value of one copy");
        }
    } while (goes_on());
    cove_block_close(block);
}

static void write_to(const char *name) {
    uint8_t data[VALUE_BYTES];
    cove_stream *stream;
    cove_loan loan;
    must(cove_stream_open(&stream, name, &stream_options), "open");
    do {
        if (random_number() % 2) {
            must(cove_stream_write(stream, data, random_value(data), 0, patience()), "write");
            continue;
        }
        must(cove_stream_loan(stream, VALUE_BYTES, &loan, patience()), "loan");
        loan.length_bytes = random_value(loan.data);
        dawdle();
        must(random_number() % 8 ? cove_stream_publish(stream, &loan, patience()) : cove_stream_discard(stream, &loan), "publish");
    } while (goes_on());
    cove_stream_close(stream);
}
static void write_values(void) {
    write_to("stream");
}
static void write_lossless(void) {
    write_to("lossless");
}

/* Numbers have no gaps but those that are told. */
static void follow(const char *name, cove_follow how, bool by_descriptor) {
    uint8_t data[VALUE_BYTES];
    uint64_t next = 0;
    int fd = -1;
    cove_stream *stream;
    cove_stream_options options = stream_options;
    options.follow = how;
    must(cove_stream_open(&stream, name, &options), "open");
    if (by_descriptor)
        must(cove_stream_fd(stream, &fd), "fd");
    do {
        cove_value value;
        bool borrows = random_number() % 2;
        if (by_descriptor && poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, PATIENCE_MS) != 1)
            fail("hung: the descriptor was quiet for %d ms", PATIENCE_MS);
        cove_time_ns until = by_descriptor ? COVE_TRY : cove_in_ms(100);
        cove_result result =
            borrows ? cove_stream_borrow(stream, &value, until) : cove_stream_read(stream, data, sizeof data, &value, until);
        if (result == COVE_ERR_EMPTY || (result == COVE_ERR_FULL && borrows))
            continue;
        must(result, "read");
        check(value.data, value.length_bytes, "a value of a stream");
        if (next && value.sequence != next + value.missed_count)
            fail("lost: value %lu came when %lu was the next", (unsigned long)value.sequence, (unsigned long)next);
        if (how == COVE_FOLLOW_LOSSLESS && (result == COVE_MISSED || value.missed_count))
            fail("lost: a lossless reader missed %lu", (unsigned long)value.missed_count);
        shared->missed += value.missed_count;
        next = value.sequence + 1;
        if (borrows) {
            dawdle();
            check(value.data, value.length_bytes, "a value on loan");
            must(cove_stream_give_back(stream, &value), "give_back");
        }
    } while (goes_on());
    cove_stream_close(stream);
}
static void read_values(void) {
    follow("stream", COVE_FOLLOW_ALL, false);
}
static void read_lossless(void) {
    follow("lossless", COVE_FOLLOW_LOSSLESS, false);
}
static void read_by_descriptor(void) {
    follow("stream", COVE_FOLLOW_ALL, true);
}

static void push_messages(void) {
    uint8_t data[VALUE_BYTES];
    cove_queue *queue;
    cove_loan loan;
    must(cove_queue_open(&queue, "queue", &queue_options), "open");
    do {
        uint64_t id = shared->next_message++;
        if (id >= MESSAGES)
            break;
        if (random_number() % 2) {
            cove_result result = cove_queue_push(queue, data, fill(data, id, 8 + random_number() % 200), id, patience());
            if (result == COVE_ERR_FULL && shared->ends)
                break; /* the consumers have gone first */
            must(result, "push");
        } else {
            must(cove_queue_reserve(queue, VALUE_BYTES, &loan, patience()), "reserve");
            loan.length_bytes = fill(loan.data, id, 8 + random_number() % 900);
            loan.tag = id;
            dawdle();
            cove_result result = cove_queue_commit(queue, &loan, patience());
            if (result == COVE_ERR_FULL && shared->ends)
                break;
            must(result, "commit");
        }
        atomic_fetch_or(&shared->message[id], PUSHED);
    } while (goes_on());
    cove_queue_close(queue);
}

static void consume(cove_queue *queue, cove_time_ns until) {
    cove_message m;
    cove_result result = cove_queue_take(queue, &m, until);
    if (result == COVE_ERR_EMPTY)
        return;
    must(result, "take");
    check(m.data, m.length_bytes, "a message");
    if (m.tag >= MESSAGES || memcmp(m.data, &m.tag, 8))
        fail("torn: a message with another's tag");
    if ((result == COVE_REDELIVERED) != (m.deliveries > 1))
        fail("message %lu: %s, delivery %u", (unsigned long)m.tag, cove_result_name(result), m.deliveries);
    uint8_t before = atomic_fetch_or(&shared->message[m.tag], GOT);
    if (before & DONE)
        fail("twice: message %lu came again after it was done with", (unsigned long)m.tag);
    if (before & GOT && result != COVE_REDELIVERED)
        fail("twice: message %lu came again, and is not marked", (unsigned long)m.tag);
    shared->again += result == COVE_REDELIVERED;
    dawdle();
    if (random_number() % 16 == 0) {
        must(cove_queue_put_back(queue, &m), "put_back");
    } else {
        uint64_t id = m.tag;
        atomic_fetch_or(&shared->message[id], ENDING);
        must(cove_queue_done(queue, &m), "done");
        atomic_fetch_or(&shared->message[id], DONE);
    }
}
static void take_messages(void) {
    cove_queue *queue;
    must(cove_queue_open(&queue, "queue", &queue_options), "open");
    do
        consume(queue, cove_in_ms(100));
    while (goes_on());
    cove_queue_close(queue);
}

static int32_t answer(void *context, const cove_request *request, void *reply, uint64_t *out_reply_bytes) {
    uint64_t x;
    (void)context;
    memcpy(&x, request->data, 8);
    *out_reply_bytes = fill(reply, x * 3, 8 + x % 100);
    return (int32_t)(x & 0x7fff);
}
static void serve(void) {
    cove_server *server;
    must(cove_server_open(&server, "service", &(cove_call_options){.slots = SLOTS}), "open");
    do {
        cove_result result = cove_serve(server, answer, NULL, cove_in_ms(100));
        if (result != COVE_ERR_EMPTY && result != COVE_ERR_GONE)
            must(result, "serve");
    } while (goes_on());
    cove_server_close(server);
}
static void call(void) {
    cove_client *client;
    must(cove_client_open(&client, "service", &(cove_call_options){.slots = SLOTS}), "open");
    do {
        uint8_t data[256];
        uint64_t x = random_number(), y;
        cove_reply reply = {.data = data, .room_bytes = sizeof data};
        cove_result result = cove_call(client, &x, 8, &reply, patience());
        if (result == COVE_ERR_GONE) { /* no server for a moment */
            shared->gone++;
            continue;
        }
        must(result, "call");
        check(data, reply.length_bytes, "a reply");
        memcpy(&y, data, 8);
        if (y != x * 3 || reply.length_bytes != 8 + x % 100 || reply.status != (int32_t)(x & 0x7fff))
            fail("lost: the reply to another's request");
    } while (goes_on());
    cove_client_close(client);
}

/* Short-lived objects, whose names come and go, by all ways there are. */
static void come_and_go(void) {
    do {
        uint8_t data[VALUE_BYTES];
        char name[] = "passing0";
        unsigned n = (unsigned)(random_number() % 6);
        cove_block *block = NULL;
        cove_stream *stream = NULL;
        cove_queue *queue = NULL;
        cove_result result;
        name[7] = (char)('0' + n);
        if (random_number() % 16 == 0) {
            result = cove_remove(NULL, name, COVE_REMOVE_FORCE);
            if (result != COVE_ERR_NOT_FOUND)
                must(result, "remove");
            continue;
        }
        if (random_number() % 16 == 0) {
            must(cove_gc(NULL, 0, NULL, NULL, NULL), "gc");
            continue;
        }
        if (n % 3 == 0) {
            must(cove_block_open(&block, name, &(cove_block_options){.capacity_bytes = VALUE_BYTES}), "open");
            must(cove_block_set(block, data, random_value(data), patience()), "set");
        } else if (n % 3 == 1) {
            must(cove_stream_open(&stream, name, &(cove_stream_options){.capacity_bytes = VALUE_BYTES, .depth = 4}), "open");
            must(cove_stream_write(stream, data, random_value(data), 0, patience()), "write");
        } else {
            must(cove_queue_open(&queue, name, &(cove_queue_options){.capacity_bytes = VALUE_BYTES, .depth = 4}), "open");
            result = cove_queue_push(queue, data, random_value(data), 0, COVE_TRY);
            if (result != COVE_ERR_FULL)
                must(result, "push");
        }
        usleep((useconds_t)(random_number() % 2000));
        cove_block_close(block);
        cove_stream_close(stream);
        cove_queue_close(queue);
    } while (goes_on());
}

static void own_and_disown(void) {
    do {
        uint8_t data[VALUE_BYTES];
        uint64_t length;
        cove_block *block;
        cove_result result;
        must(cove_block_open(&block, "owned", &(cove_block_options){.capacity_bytes = VALUE_BYTES, .lifetime = COVE_WHILE_OWNED}), "open");
        if (random_number() % 2) {
            result = cove_block_own(block);
            if (result != COVE_ERR_GONE)
                must(result, "own");
        }
        must(cove_block_set(block, data, random_value(data), patience()), "set");
        must(cove_block_get(block, data, sizeof data, &length, NULL, patience()), "get");
        check(data, length, "an owned value");
        if (random_number() % 4 == 0) {
            result = cove_block_retire(block);
            if (result != COVE_ERR_NOT_OWNER)
                must(result, "retire");
        }
        cove_block_close(block);
    } while (goes_on());
}

static const struct {
    const char *name;
    void (*work)(void);
} kinds[] = {{"set", set_values},     {"get", get_values},     {"lock", lock_one_copy},
             {"write", write_values}, {"read", read_values},   {"follow by descriptor", read_by_descriptor},
             {"push", push_messages}, {"take", take_messages}, {"write lossless", write_lossless},
             {"serve", serve},        {"call", call},          {"read lossless", read_lossless},
             {"pass", come_and_go},   {"own", own_and_disown}};
#define KINDS (sizeof kinds / sizeof *kinds)

/* ---- The parent. */

static struct worker {
    pid_t pid;
    cove_time_ns wakes_ns; /* stopped until then; 0: not */
} worker[PROCESSES_MOST];
static unsigned processes = 200;

static void start(unsigned i) {
    uint64_t its_seed = random_number();
    pid_t pid = fork();
    if (pid < 0) { /* never to be killed: -1 is everybody */
        worker[i] = (struct worker){0, 0};
        return;
    }
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        seed = its_seed;
        kind_now = (int)(i % KINDS);
        my_number = i;
        kinds[kind_now].work();
        _exit(0);
    }
    worker[i] = (struct worker){pid, 0};
}

/* Reaps; ends that nobody wished for are failures. */
static void reap(bool again) {
    int status;
    for (unsigned i = 0; i < processes; i++) {
        if (!worker[i].pid || waitpid(worker[i].pid, &status, WNOHANG) != worker[i].pid)
            continue;
        if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
            blame("%s ended by signal %d", kinds[i % KINDS].name, WTERMSIG(status));
        worker[i].pid = 0;
        if (again)
            start(i);
    }
}

/* One in eight is left alone: what hangs is not ended by its own death. */
static bool is_spared(unsigned i) {
    return processes >= 2 * KINDS && i / KINDS % 8 == 0;
}

static void look_at_the_spared(void) {
    static uint32_t seen[PROCESSES_MOST];
    static cove_time_ns since[PROCESSES_MOST];
    cove_time_ns now = cove_now();
    for (unsigned i = 0; i < processes; i++) {
        if (!is_spared(i))
            continue;
        if (shared->done[i] != seen[i] || !since[i])
            since[i] = now;
        else if (now - since[i] > SPARED_MS * UINT64_C(1000000))
            blame("hung: one that was left alone has not got to %s for %d ms", kinds[i % KINDS].name, SPARED_MS);
        seen[i] = shared->done[i];
    }
}

static void go_on(cove_time_ns now) {
    for (unsigned i = 0; i < processes; i++)
        if (worker[i].pid && worker[i].wakes_ns && worker[i].wakes_ns <= now) {
            kill(worker[i].pid, SIGCONT);
            worker[i].wakes_ns = 0;
        }
}

/* A kind of which nobody gets anything done for that long hangs. */
static void look_for_progress(void) {
    static uint64_t seen[KINDS];
    static cove_time_ns since[KINDS];
    cove_time_ns now = cove_now();
    for (unsigned k = 0; k < KINDS && k < processes; k++) {
        uint64_t operations = shared->operations[k];
        if (operations != seen[k] || !since[k])
            since[k] = now;
        else if (now - since[k] > PATIENCE_MS * UINT64_C(1000000))
            blame("hung: nobody got to %s for %d ms", kinds[k].name, PATIENCE_MS);
        seen[k] = operations;
    }
}

static void settle_accounts(cove_queue *queue) {
    uint64_t pushed = 0, lost = 0;
    for (cove_time_ns end = cove_in_ms(500); cove_now() < end;)
        consume(queue, cove_in_ms(10));
    for (uint64_t id = 0; id < shared->next_message && id < MESSAGES; id++) {
        pushed += shared->message[id] & PUSHED;
        lost += (shared->message[id] & (PUSHED | DONE | ENDING)) == PUSHED;
    }
    printf("%lu messages were pushed, %lu came again (put back, or after a death), %lu lost\n", (unsigned long)pushed,
           (unsigned long)shared->again, (unsigned long)lost);
    if (lost)
        blame("lost: %lu messages", (unsigned long)lost);
}

static unsigned count_files(void) {
    unsigned count = 0;
    DIR *dir = opendir(domain);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) {
            fprintf(stderr, "left: %s\n", entry->d_name);
            count++;
        }
    if (dir)
        closedir(dir);
    return count;
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"minutes", required_argument, NULL, 'm'},
                                            {"processes", required_argument, NULL, 'p'},
                                            {"seed", required_argument, NULL, 's'},
                                            {0}};
    double minutes = 10;
    unsigned kills = 0, stops = 0;
    cove_block *copies, *single;
    cove_stream *stream, *lossless;
    cove_queue *queue;
    seed = cove_now();
    parent = getpid();
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'm')
            minutes = atof(optarg);
        else if (option == 'p')
            processes = (unsigned)atoi(optarg);
        else if (option == 's')
            seed = strtoull(optarg, NULL, 0);
        else
            return 2;
    }
    if (processes < KINDS || processes > PROCESSES_MOST || minutes <= 0) {
        fprintf(stderr, "cove-soak: --processes from %zu to %d, --minutes above 0\n", KINDS, PROCESSES_MOST);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("%u processes for %.1f minutes, seed %lu\n", processes, minutes, (unsigned long)seed);
    snprintf(domain, sizeof domain, "/dev/shm/cove-soak-%d", getpid());
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (shared == MAP_FAILED || cove_domain_create(domain, 0600) != COVE_OK)
        return 1;
    setenv("COVE_DOMAIN", domain, 1);
    must(cove_block_open(&copies, "copies", &block_options), "open");
    must(cove_block_open(&single, "single", &single_options), "open");
    must(cove_stream_open(&stream, "stream", &stream_options), "open");
    must(cove_stream_open(&lossless, "lossless", &stream_options), "open");
    must(cove_queue_open(&queue, "queue", &queue_options), "open");
    for (unsigned i = 0; i < processes; i++)
        start(i);

    cove_time_ns begin = cove_now(), end = begin + (uint64_t)(minutes * 60e9), told = begin;
    while (cove_now() < end && !shared->failures) {
        unsigned i = (unsigned)(random_number() % processes);
        if (!worker[i].pid) {
            start(i); /* there was no process to be had */
        } else if (is_spared(i)) {
            look_at_the_spared();
        } else if (!worker[i].wakes_ns && random_number() % 4) {
            kill(worker[i].pid, SIGKILL);
            kills++;
        } else if (!worker[i].wakes_ns) {
            kill(worker[i].pid, SIGSTOP);
            worker[i].wakes_ns = cove_in_ms(random_number() % STOP_MS + 1);
            stops++;
        }
        usleep((useconds_t)(random_number() % 5000));
        go_on(cove_now());
        reap(true);
        if (cove_now() - told >= UINT64_C(10000000000)) {
            uint64_t operations = 0;
            told = cove_now();
            for (unsigned k = 0; k < KINDS; k++)
                operations += shared->operations[k];
            printf("%5.0f s: %u killed, %u stopped, %lu operations, %lu repaired, %lu values passed over, %lu messages again\n",
                   (double)(told - begin) / 1e9, kills, stops, (unsigned long)operations, (unsigned long)shared->repaired,
                   (unsigned long)shared->missed, (unsigned long)shared->again);
            look_for_progress();
        }
    }
    shared->ends = 1;
    go_on(COVE_FOREVER);
    unsigned running = processes;
    for (cove_time_ns until = cove_in_ms(PATIENCE_MS + 10000); running && cove_now() < until; usleep(10000)) {
        reap(false);
        running = 0;
        for (unsigned i = 0; i < processes; i++)
            running += worker[i].pid != 0;
    }
    for (unsigned i = 0; i < processes; i++)
        if (worker[i].pid) {
            fprintf(stderr, "hung: process %d, to %s\n", (int)worker[i].pid, kinds[i % KINDS].name);
            kill(worker[i].pid, SIGKILL);
            waitpid(worker[i].pid, NULL, 0);
        }
    if (!shared->failures)
        settle_accounts(queue);
    cove_block_close(copies);
    cove_block_close(single);
    cove_stream_close(stream);
    cove_stream_close(lossless);
    cove_queue_close(queue);
    cove_result collected = cove_gc(NULL, 0, NULL, NULL, NULL);
    unsigned left = count_files();
    if (left || collected != COVE_OK) /* shown above; not for the next run */
        shared->failures++;
    else
        rmdir(domain);
    for (unsigned k = 0; k < KINDS; k++)
        printf("%-20s %lu\n", kinds[k].name, (unsigned long)shared->operations[k]);
    if (shared->why[0])
        printf("first failure: %s\n", shared->why);
    printf("soak: %u killed, %u stopped, hung %u, left %u, failures %u\n", kills, stops, running, left, (unsigned)shared->failures);
    return shared->failures || running ? 1 : 0;
}

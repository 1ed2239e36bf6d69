/* The main job on real input: processes that share a block of this machine's readings and a real file's bytes, while the writer
 * is killed again and again. Ends with a failure when one of Cove's promises was broken.
 *
 *     board     a single-copy block in which everybody counts; atomics of their own, so no lock
 *     baton     a block without bytes: who holds its lock is the writer, the next one waits for it
 *     machine   the value: readings and the file, with a checksum over all of it
 *
 * One process writes, one waits to take over, three read and check. The parent kills the writer, starts another, and watches. */
#define _GNU_SOURCE
#include <cove/cove.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define READERS 3
#define FILE_MOST (512u << 10)
#define READINGS_MOST (64u << 10)
/* A take-over needs a few ms after the kernel has freed the dead one's locks; this says that it hangs. */
#define HANG_NS UINT64_C(2000000000)

typedef struct value {
    uint64_t number; /* of this value: grows by one from writer to writer */
    uint64_t checksum;
    uint32_t readings_bytes, file_bytes;
    char bytes[READINGS_MOST + FILE_MOST];
} value;

typedef struct board {
    _Atomic uint64_t values_written, values_read, values_torn, values_back, failed_calls;
    _Atomic uint64_t writer_pid, took_over_ns;
    _Atomic uint32_t stop;
} board;

static enum { NOTHING, TORN, HANG, LEAK } broken;
static char domain[64];
static board *shared;
static char file_bytes[FILE_MOST];
static uint32_t file_length;
static bool on_terminal;

static void fail(const char *what) {
    fprintf(stderr, "demo: %s: %s\n", what, cove_last_error()->sentence);
    if (shared)
        shared->failed_calls++;
    _exit(3);
}

/* ---- Real input. */

static uint32_t read_file(const char *path, char *out, uint32_t room) {
    uint32_t used = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    for (ssize_t got = 1; fd >= 0 && got > 0 && used<room; used += got> 0 ? (uint32_t)got : 0)
        got = read(fd, out + used, room - used);
    if (fd >= 0)
        close(fd);
    return used;
}

static uint64_t checksum_of(const value *v) {
    uint64_t sum = v->number * UINT64_C(0x9e3779b97f4a7c15), word;
    uint32_t length = v->readings_bytes + v->file_bytes;
    for (uint32_t i = 0; i + 8 <= length; i += 8) {
        memcpy(&word, v->bytes + i, 8);
        sum = (sum ^ word) * UINT64_C(0x100000001b3);
        sum ^= sum >> 29;
    }
    return sum;
}

static uint64_t compose(value *v, uint64_t number) {
    static const char *const sources[] = {"/proc/stat", "/proc/meminfo", "/proc/loadavg", "/proc/vmstat", "/proc/uptime"};
    v->number = number;
    v->readings_bytes = 0;
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        v->readings_bytes += read_file(sources[i], v->bytes + v->readings_bytes, READINGS_MOST - v->readings_bytes);
    v->file_bytes = file_length;
    memcpy(v->bytes + v->readings_bytes, file_bytes, file_length);
    v->checksum = checksum_of(v);
    return offsetof(value, bytes) + v->readings_bytes + v->file_bytes;
}

static bool is_whole(const value *v, uint64_t length) {
    return length >= offsetof(value, bytes) && v->readings_bytes <= READINGS_MOST && v->file_bytes == file_length &&
           length == offsetof(value, bytes) + v->readings_bytes + v->file_bytes && v->checksum == checksum_of(v) &&
           !memcmp(v->bytes + v->readings_bytes, file_bytes, file_length);
}

/* ---- Processes. */

static cove_block *open_block(const char *name, uint64_t capacity, uint32_t flags, cove_access access) {
    cove_block *block;
    cove_block_options options = {.domain = domain, .capacity_bytes = capacity, .flags = flags, .access = access};
    options.lifetime = broken == LEAK && !strcmp(name, "machine") ? COVE_UNTIL_REMOVED : COVE_WHILE_USED;
    if (access == COVE_READ_ONLY)
        options.deadline_ns = cove_in_ms(10000);
    if (cove_block_open(&block, name, &options) != COVE_OK)
        fail(name);
    return block;
}

static cove_block *open_machine(cove_access access) {
    return open_block("machine", sizeof(value), broken == TORN ? COVE_BLOCK_SINGLE : 0, access);
}

static void write_until_killed(void) {
    cove_block *baton = open_block("baton", 0, 0, COVE_READ_WRITE), *machine = open_machine(COVE_READ_WRITE);
    cove_block_view held;
    static value next, last;
    uint64_t length, number = 0;
    if (cove_block_lock_write(baton, &held, COVE_FOREVER) < 0)
        fail("baton");
    if (cove_block_get(machine, &last, sizeof last, &length, NULL, cove_in_ms(10000)) == COVE_OK && length)
        number = last.number;
    shared->took_over_ns = cove_now();
    shared->writer_pid = (uint64_t)getpid();
    while (!shared->stop) {
        length = compose(&next, ++number);
        for (int i = 0; i < 20 && !shared->stop; i++) { /* the same readings a few times: most of the time goes into writing */
            if (i)
                next.number = ++number, next.checksum = checksum_of(&next);
            if (broken == TORN) { /* behind the lock's back */
                void *data;
                if (cove_block_data(machine, &data) != COVE_OK ||
                    (number == 1 && cove_block_set(machine, &next, length, COVE_FOREVER) != COVE_OK))
                    fail("data");
                memcpy(data, &next, (size_t)length);
            } else if (cove_block_set(machine, &next, length, COVE_FOREVER) != COVE_OK) {
                fail("set");
            }
            shared->values_written++;
        }
    }
}

static void read_until_stopped(bool in_place) {
    cove_block *machine = open_machine(in_place ? COVE_READ_WRITE : COVE_READ_ONLY);
    static value copy;
    uint64_t length, version, last = 0;
    while (!shared->stop) {
        cove_block_view view;
        const value *v = &copy;
        cove_result result = in_place ? cove_block_lock_read(machine, &view, cove_in_ms(10000))
                                      : cove_block_get(machine, &copy, sizeof copy, &length, &version, cove_in_ms(10000));
        if (result != COVE_OK)
            fail(in_place ? "lock_read" : "get");
        if (in_place) {
            v = view.data;
            length = view.length_bytes;
            version = view.version;
        }
        if (length) {
            shared->values_read++;
            shared->values_torn += !is_whole(v, length);
            shared->values_back += version < last;
            last = version;
        }
        if (in_place && cove_block_unlock(machine, &view) != COVE_OK)
            fail("unlock");
        usleep(200);
    }
}

static pid_t start(int what) {
    fflush(NULL);
    pid_t pid = fork();
    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    char name[16];
    snprintf(name, sizeof name, what < 0 ? "demo-writer" : "demo-reader");
    prctl(PR_SET_NAME, name);
    cove_block *own_board = open_block("board", sizeof(board), COVE_BLOCK_SINGLE, COVE_READ_WRITE); /* our own membership */
    void *data;
    if (cove_block_data(own_board, &data) != COVE_OK)
        fail("board");
    shared = data;
    if (what < 0)
        write_until_killed();
    else
        read_until_stopped(what == 0);
    _exit(0);
}

static void end(pid_t pid) {
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* ---- The parent. */

typedef struct tally {
    uint64_t kills, inside, takeover_sum_ns, takeover_longest_ns;
    bool hung;
} tally;

static const char *ink(const char *code) {
    return on_terminal ? code : "";
}

static bool note_dead_writer(void *context, const cove_attachment_info *info) {
    *(bool *)context |= info->is_writing && !info->is_alive;
    return true;
}

/* Kills who writes, and waits for the one who waited. False: nobody took over. */
static bool kill_the_writer(pid_t writer, tally *t) {
    bool inside = false;
    shared->writer_pid = 0;
    cove_time_ns before = cove_now();
    if (broken == HANG)
        kill(writer, SIGSTOP);
    else
        end(writer);
    if (cove_inspect_attachments(domain, "machine", note_dead_writer, &inside) != COVE_OK)
        fail("inspect");
    while (!shared->writer_pid && cove_now() - before < HANG_NS)
        usleep(50);
    if (!shared->writer_pid) {
        if (broken == HANG)
            end(writer);
        return false;
    }
    uint64_t took = shared->took_over_ns > before ? shared->took_over_ns - before : 0;
    t->kills++;
    t->inside += inside;
    t->takeover_sum_ns += took;
    t->takeover_longest_ns = took > t->takeover_longest_ns ? took : t->takeover_longest_ns;
    return true;
}

static void show(const tally *t, double seconds, bool last) {
    if (!on_terminal && !last)
        return;
    printf("%s%s%4.1f s  %s%7lu%s read, %s%lu torn%s  %6lu written  %s%4lu killed%s (%2.0f %% writing)  take-over %5.2f ms (max %5.2f)%s",
           on_terminal ? "\r" : "", ink("\033[K"), seconds, ink("\033[1m"), (unsigned long)shared->values_read, ink("\033[0m"),
           ink(shared->values_torn ? "\033[31m" : "\033[32m"), (unsigned long)shared->values_torn, ink("\033[0m"),
           (unsigned long)shared->values_written, ink("\033[33m"), (unsigned long)t->kills, ink("\033[0m"),
           t->kills ? 100.0 * (double)t->inside / (double)t->kills : 0.0,
           t->kills ? (double)t->takeover_sum_ns / (double)t->kills / 1e6 : 0.0, (double)t->takeover_longest_ns / 1e6, last ? "\n" : "");
    fflush(stdout);
}

static void show_members(const char *self) {
    char command[512];
    const char *slash = strrchr(self, '/');
    snprintf(command, sizeof command, "'%.*s/cove' stat machine --domain %s", slash ? (int)(slash - self) : 1, slash ? self : ".", domain);
    printf("\n%swho is attached now%s (cove stat machine)\n", ink("\033[1m"), ink("\033[0m"));
    fflush(stdout);
    if (system(command) != 0)
        fprintf(stderr, "demo: the command did not run\n");
    printf("\n");
}

static bool count_left(void *context, const cove_object_info *info) {
    *(uint64_t *)context += info->allocated_bytes;
    return true;
}

static uint64_t bytes_left(void) {
    uint64_t bytes = 0;
    if (cove_inspect_list(domain, count_left, &bytes) != COVE_OK)
        fail("list");
    return bytes;
}

static int judge(const tally *t, uint64_t torn, uint64_t back, uint64_t failed, uint64_t read, uint64_t left) {
    struct {
        const char *promise;
        bool kept;
    } promises[] = {
        {"nobody read a torn value", torn == 0},
        {"no reader's version went back", back == 0},
        {"nobody hung: each writer was followed by the next", !t->hung},
        {"no call failed in a process that lived", failed == 0},
        {"nothing was left behind", left == 0},
        {"there was something to see: values were read, writers were killed inside a write", read > 100 && t->inside > 0},
    };
    int status = 0;
    for (size_t i = 0; i < sizeof promises / sizeof *promises; i++) {
        printf("%s%s%s  %s\n", ink(promises[i].kept ? "\033[32m" : "\033[31m"), promises[i].kept ? "kept  " : "BROKEN", ink("\033[0m"),
               promises[i].promise);
        status |= !promises[i].kept;
    }
    return status;
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"break", required_argument, NULL, 'b'}, {"seconds", required_argument, NULL, 's'}, {0}};
    double seconds = 8;
    pid_t readers[READERS], writer, standby;
    tally t = {0};
    char self[4096] = "";
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 's')
            seconds = atof(optarg);
        else if (option == 'b' && !strcmp(optarg, "torn"))
            broken = TORN;
        else if (option == 'b' && !strcmp(optarg, "hang"))
            broken = HANG;
        else if (option == 'b' && !strcmp(optarg, "leak"))
            broken = LEAK;
        else {
            fprintf(stderr, "usage: cove-demo [--seconds N] [--break torn|hang|leak]\n");
            return 2;
        }
    }
    on_terminal = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
        return 3;
    file_length = read_file("/proc/self/exe", file_bytes, FILE_MOST);
    snprintf(domain, sizeof domain, "/dev/shm/cove-demo-%d", getpid());
    if (cove_domain_create(domain, 0600) != COVE_OK)
        fail("domain");

    /* The parent holds the board and nothing else: all that is shared lives and dies with the children. */
    cove_block *own_board = open_block("board", sizeof(board), COVE_BLOCK_SINGLE, COVE_READ_WRITE);
    void *data;
    if (cove_block_data(own_board, &data) != COVE_OK)
        fail("board");
    shared = data;
    printf("%sFive processes share one block%s: this machine's readings and the %u bytes of %s.\nThe writer is killed with SIGKILL, again "
           "and again, and the next one takes over.\n\n",
           ink("\033[1m"), ink("\033[0m"), file_length, strrchr(self, '/') + 1);
    writer = start(-1);
    for (cove_time_ns until = cove_in_ms(10000); !shared->writer_pid && cove_now() < until;)
        usleep(100);
    for (int i = 0; i < READERS; i++)
        readers[i] = start(i);
    standby = start(-1);

    cove_time_ns began = cove_now(), end_ns = began + (uint64_t)(seconds * 1e9);
    srand((unsigned)began);
    for (bool shown = false; cove_now() < end_ns && !t.hung;) {
        usleep((useconds_t)(2000 + rand() % 8000));
        if (kill_the_writer(writer, &t)) {
            writer = standby;
            standby = start(-1);
        } else {
            t.hung = true;
            writer = 0;
        }
        show(&t, (double)(cove_now() - began) / 1e9, false);
        if (!shown && cove_now() - began > (end_ns - began) / 2) {
            show(&t, (double)(cove_now() - began) / 1e9, true);
            show_members(self);
            shown = true;
        }
    }
    show(&t, (double)(cove_now() - began) / 1e9, true);

    /* All the others are killed too, the last one as well: nobody is left to clean up but the next call. */
    uint64_t torn = shared->values_torn, back = shared->values_back, failed = shared->failed_calls, read = shared->values_read;
    end(standby);
    if (writer)
        end(writer);
    for (int i = 0; i < READERS; i++)
        end(readers[i]);
    cove_block_close(own_board);
    uint64_t left_by_the_dead = bytes_left();
    cove_gc_report report = {0};
    if (cove_gc(domain, 0, NULL, NULL, &report) != COVE_OK)
        fail("gc");
    uint64_t left = bytes_left();
    printf("\nThe last process was killed and left %lu bytes; the next call removed %lu objects, and left %lu bytes.\n\n",
           (unsigned long)left_by_the_dead, (unsigned long)report.removed_count, (unsigned long)left);
    int status = judge(&t, torn, back, failed, read, left);
    if (left && cove_remove(domain, "machine", COVE_REMOVE_FORCE) != COVE_OK)
        fail("remove");
    if (rmdir(domain) != 0)
        fprintf(stderr, "demo: %s stays\n", domain);
    return status;
}

/* What an object costs besides time: system calls for each operation, descriptors and mappings held, memory; and what it takes from nothing
 * to a first message. */
#define _GNU_SOURCE
#include "bench.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- System calls, counted by stopping a child at each. */

#define TIMES 100

typedef cove_result (*operation)(void *handle);
static char data[64];

/* Between two calls of getppid, which nothing else here makes. */
static double system_calls(operation run, void *handle) {
    int status;
    uint64_t stops = 0;
    bool counts = false;
    fflush(NULL);
    pid_t pid = fork();
    if (!pid) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(77);
        for (int i = 0; i < TIMES; i++) /* a child of fork attaches anew */
            MUST(run(handle));
        raise(SIGSTOP);
        getppid();
        for (int i = 0; i < TIMES; i++)
            MUST(run(handle));
        getppid();
        _exit(0);
    }
    if (waitpid(pid, &status, 0) < 0 || !WIFSTOPPED(status))
        return -1; /* it may not be traced here, or it failed */
    ptrace(PTRACE_SETOPTIONS, pid, NULL, (long)PTRACE_O_TRACESYSGOOD);
    for (int marks = 0; marks < 4;) {
        struct __ptrace_syscall_info info;
        ptrace(PTRACE_SYSCALL, pid, NULL, 0L);
        if (waitpid(pid, &status, 0) < 0 || !WIFSTOPPED(status))
            return -1;
        if (WSTOPSIG(status) != (SIGTRAP | 0x80) || ptrace(PTRACE_GET_SYSCALL_INFO, pid, (long)sizeof info, &info) <= 0)
            continue;
        bool is_mark = (info.op == PTRACE_SYSCALL_INFO_ENTRY && (long)info.entry.nr == SYS_getppid) || marks % 2;
        marks += is_mark;
        counts = marks == 2;
        stops += counts && !is_mark && info.op == PTRACE_SYSCALL_INFO_ENTRY;
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return (double)stops / TIMES;
}

static cove_block *block, *single;
static cove_stream *stream, *reader;
static cove_queue *queue;

static cove_result set(void *h) {
    return cove_block_set(h, data, sizeof data, COVE_FOREVER);
}
static cove_result get(void *h) {
    return cove_block_get(h, data, sizeof data, NULL, NULL, COVE_FOREVER);
}
static cove_result lock(void *h) {
    cove_block_view view;
    cove_result result = cove_block_lock_write(h, &view, COVE_FOREVER);
    return result == COVE_OK ? cove_block_unlock(h, &view) : result;
}
static cove_result write_value(void *h) {
    return cove_stream_write(h, data, sizeof data, 0, COVE_TRY);
}
static cove_result read_value(void *h) {
    (void)h;
    cove_result result = cove_stream_write(stream, data, sizeof data, 0, COVE_TRY);
    if (result == COVE_OK)
        result = cove_stream_read(reader, data, sizeof data, NULL, COVE_TRY);
    return result == COVE_MISSED ? COVE_OK : result; /* what the operations before it have written */
}
static cove_result push(void *h) {
    cove_result result = cove_queue_push(h, data, sizeof data, 0, COVE_TRY);
    return result == COVE_OK ? cove_queue_pop(h, data, sizeof data, NULL, COVE_TRY) : result;
}
static cove_result take(void *h) {
    cove_message message;
    cove_result result = cove_queue_push(h, data, sizeof data, 0, COVE_TRY);
    if (result == COVE_OK)
        result = cove_queue_take(h, &message, COVE_TRY);
    return result == COVE_OK ? cove_queue_done(h, &message) : result;
}
static cove_result shm(void *h) {
    (void)h;
    int fd = shm_open("/cove-bench-costs", O_CREAT | O_RDWR, 0600);
    if (fd < 0 || ftruncate(fd, 4096) != 0)
        return COVE_ERR_SYSTEM;
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    *(volatile char *)memory = 1;
    munmap(memory, 4096);
    shm_unlink("/cove-bench-costs");
    return COVE_OK;
}
static cove_result open_stream(void *h) {
    cove_stream *s;
    cove_result result = cove_stream_open(&s, h, &(cove_stream_options){.how = COVE_OPEN});
    if (result == COVE_OK)
        cove_stream_close(s);
    return result;
}

static void bench_calls(void) {
    static const struct {
        const char *name;
        operation run;
        void *const *handle;
        double goal;
    } all[] = {{"block_set", set, (void *const *)&block, 1},
               {"block_get", get, (void *const *)&block, 1},
               {"block_lock_and_unlock", lock, (void *const *)&block, 1},
               {"single_copy_lock_and_unlock", lock, (void *const *)&single, 1},
               {"stream_write", write_value, (void *const *)&stream, 1},
               {"stream_write_and_read", read_value, (void *const *)&stream, 1},
               {"queue_push_and_pop", push, (void *const *)&queue, 1},
               {"queue_push_take_and_done", take, (void *const *)&queue, 1}};
    static char name[] = "costs-s";
    bench_title("System calls of an operation, with nobody asleep (goal: none)");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char figure[96];
        double calls = system_calls(all[i].run, *all[i].handle);
        snprintf(figure, sizeof figure, "costs.calls.%s", all[i].name);
        bench_figure(figure, calls, "calls", 0, 1e-9); /* none */
        if (calls < 0)
            bench_fail("%s could not be counted", figure);
    }
    bench_title("System calls to attach and detach; of bare shm_open, ftruncate, mmap, munmap and unlink");
    bench_figure("costs.calls.stream_open_and_close", system_calls(open_stream, name), "calls", system_calls(shm, NULL), 0);
}

/* ---- Descriptors, mappings, memory. */

static int entries_of(const char *path) {
    int count = 0;
    DIR *directory = opendir(path);
    while (directory && readdir(directory))
        count++;
    if (directory)
        closedir(directory);
    return count;
}

static int lines_of(const char *path) {
    int count = 0, c;
    FILE *file = fopen(path, "r");
    while (file && (c = fgetc(file)) != EOF)
        count += c == '\n';
    if (file)
        fclose(file);
    return count;
}

typedef struct held {
    int descriptors, mappings;
} held;

static held now_held(void) {
    return (held){entries_of("/proc/self/fd"), lines_of("/proc/self/maps")};
}

static void tell_held(const char *what, held before) {
    char name[64];
    held after = now_held();
    snprintf(name, sizeof name, "costs.descriptors.%s", what);
    bench_figure(name, after.descriptors - before.descriptors, "", 0, 2);
    snprintf(name, sizeof name, "costs.mappings.%s", what);
    bench_figure(name, after.mappings - before.mappings, "", 0, 3);
}

static void bench_held(void) {
    held before;
    bench_title("What a process holds for one object (goals: 2 descriptors, 3 mappings)");
    before = now_held();
    MUST(cove_block_open(&block, "costs-b", &(cove_block_options){.capacity_bytes = 64}));
    tell_held("block", before);
    before = now_held();
    MUST(cove_stream_open(&stream, "costs-s", &(cove_stream_options){.capacity_bytes = 64, .depth = 64}));
    tell_held("stream", before);
    before = now_held();
    MUST(cove_queue_open(&queue, "costs-q", &(cove_queue_options){.capacity_bytes = 64, .depth = 64}));
    tell_held("queue", before);
    MUST(cove_stream_open(&reader, "costs-s", NULL));
    MUST(cove_block_open(&single, "costs-1", &(cove_block_options){.capacity_bytes = 64, .flags = COVE_BLOCK_SINGLE}));
}

static double memory_of(const char *name) {
    char path[256];
    struct stat facts = {0};
    snprintf(path, sizeof path, "%s/%s", bench_domain, name);
    if (stat(path, &facts) != 0)
        return 0;
    return (double)facts.st_blocks * 512 / 1024;
}

static void bench_memory(void) {
    static const struct {
        const char *name;
        uint64_t size;
        uint32_t depth;
    } all[] = {{"64_bytes_deep_64", 64, 64}, {"64_bytes_deep_65536", 64, 65536}, {"1_MiB_deep_16", 1 << 20, 16}};
    char figure[96];
    bench_title("Resident memory, KiB; against what the values alone take");
    bench_figure("costs.memory.block_64_bytes", memory_of("costs-b"), "KiB", 2.0 * 64 / 1024, 0);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        cove_stream *s;
        MUST(cove_stream_open(&s, "costs-m", &(cove_stream_options){.capacity_bytes = all[i].size, .depth = all[i].depth}));
        snprintf(figure, sizeof figure, "costs.memory.stream_%s", all[i].name);
        bench_figure(figure, memory_of("costs-m"), "KiB", (double)all[i].size * all[i].depth / 1024, 0);
        cove_stream_close(s);
    }
}

/* ---- From nothing to a first message. */

static void first_block(void *context, uint64_t count) {
    (void)context;
    while (count--) {
        cove_block *b;
        MUST(cove_block_open(&b, "first", &(cove_block_options){.capacity_bytes = 64}));
        MUST(cove_block_set(b, data, sizeof data, COVE_FOREVER));
        cove_block_close(b);
    }
}
static void first_stream(void *context, uint64_t count) {
    (void)context;
    while (count--) {
        cove_stream *s;
        MUST(cove_stream_open(&s, "first", &(cove_stream_options){.capacity_bytes = 64, .depth = 64}));
        MUST(cove_stream_write(s, data, sizeof data, 0, COVE_TRY));
        cove_stream_close(s);
    }
}
static void first_queue(void *context, uint64_t count) {
    (void)context;
    while (count--) {
        cove_queue *q;
        MUST(cove_queue_open(&q, "first", &(cove_queue_options){.capacity_bytes = 64, .depth = 64}));
        MUST(cove_queue_push(q, data, sizeof data, 0, COVE_TRY));
        cove_queue_close(q);
    }
}
static void first_shm(void *context, uint64_t count) {
    while (count--)
        (void)shm(context);
}
static void attach(void *context, uint64_t count) {
    static char name[] = "costs-s";
    (void)context;
    while (count--)
        MUST(open_stream(name));
}

static void bench_first(void) {
    static const struct {
        const char *name;
        bench_fn run;
        double goal;
    } all[] = {{"costs.first_message.block", first_block, 200},
               {"costs.first_message.stream", first_stream, 200},
               {"costs.first_message.queue", first_queue, 200},
               {"costs.attach_and_detach.stream", attach, 0}};
    contestant raw = {first_shm, NULL, 0};
    bench_compare(&raw, NULL, 100);
    bench_title("Create, first message, close, us (goal: 200); beside them bare shm_open, ftruncate, mmap, one byte, and all of it undone");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        contestant one = {all[i].run, NULL, 0};
        bench_compare(&one, NULL, 100);
        bench_figure(all[i].name, one.best_ns / 1000, "us", 0, all[i].goal);
    }
    bench_figure("costs.bare_shared_memory", raw.best_ns / 1000, "us", 0, 0);
}

void bench_costs(void) {
    bench_held();
    bench_calls();
    bench_memory();
    bench_first();
    cove_block_close(block);
    cove_block_close(single);
    cove_stream_close(stream);
    cove_stream_close(reader);
    cove_queue_close(queue);
}

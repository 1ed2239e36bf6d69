/* Blocks: locks beside a pthread rwlock and flock, copies beside memcpy, birth beside the raw system calls. */
#define _GNU_SOURCE
#include "bench.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Locks. */

static void read_lock(void *context, uint64_t count) {
    cove_block_view view;
    while (count--) {
        MUST(cove_block_lock_read(context, &view, COVE_FOREVER));
        MUST(cove_block_unlock(context, &view));
    }
}

static void write_lock(void *context, uint64_t count) {
    cove_block_view view;
    while (count--) {
        MUST(cove_block_lock_write(context, &view, COVE_FOREVER));
        MUST(cove_block_unlock(context, &view));
    }
}

static void pthread_read(void *context, uint64_t count) {
    while (count--) {
        pthread_rwlock_rdlock(context);
        pthread_rwlock_unlock(context);
    }
}

static void pthread_write(void *context, uint64_t count) {
    while (count--) {
        pthread_rwlock_wrlock(context);
        pthread_rwlock_unlock(context);
    }
}

static void flock_write(void *context, uint64_t count) {
    while (count--) {
        flock(*(int *)context, LOCK_EX);
        flock(*(int *)context, LOCK_UN);
    }
}

static pthread_rwlock_t *shared_rwlock(void) {
    pthread_rwlockattr_t attributes;
    pthread_rwlock_t *lock = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_rwlock_init(lock, &attributes);
    return lock;
}

static void bench_locks(void) {
    static const int members[] = {1, 8, 64};
    cove_block *block[64];
    char name[64];
    pthread_rwlock_t *rwlock = shared_rwlock();
    bench_title("Single-copy block: lock and unlock, nobody else inside; against a process-shared pthread rwlock");
    int attached = 0;
    for (int i = 0; i < 3; i++) {
        for (; attached < members[i]; attached++)
            MUST(cove_block_open(&block[attached], "lock", &(cove_block_options){.capacity_bytes = 64, .flags = COVE_BLOCK_SINGLE}));
        double goal = members[i] <= 8 ? 1.0 : 2.0;
        contestant reads = {read_lock, block[0], 0}, writes = {write_lock, block[0], 0}, base_read = {pthread_read, rwlock, 0},
                   base_write = {pthread_write, rwlock, 0};
        bench_compare(&reads, &base_read, 50000);
        bench_compare(&writes, &base_write, 50000);
        snprintf(name, sizeof name, "block.lock_read.members_%d", members[i]);
        bench_figure(name, reads.best_ns, "ns", base_read.best_ns, goal);
        snprintf(name, sizeof name, "block.lock_write.members_%d", members[i]);
        bench_figure(name, writes.best_ns, "ns", base_write.best_ns, goal);
    }
    while (attached > 1)
        cove_block_close(block[--attached]);
    int fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    contestant writes = {write_lock, block[0], 0}, base = {flock_write, &fd, 0};
    bench_compare(&writes, &base, 5000);
    bench_figure("block.lock_write.against_flock", writes.best_ns, "ns", base.best_ns, 0.2);
    close(fd);
    while (attached)
        cove_block_close(block[--attached]);
    munmap(rwlock, 4096);
}

/* ---- Values. */

typedef struct copy {
    cove_block *block;
    char *from, *to;
    size_t size;
} copy;

static void get(void *context, uint64_t count) {
    copy *c = context;
    while (count--)
        MUST(cove_block_get(c->block, c->to, c->size, NULL, NULL, COVE_FOREVER));
}

static void set(void *context, uint64_t count) {
    copy *c = context;
    while (count--)
        MUST(cove_block_set(c->block, c->from, c->size, COVE_FOREVER));
}

static void plain_copy(void *context, uint64_t count) {
    copy *c = context;
    while (count--) {
        memcpy(c->to, c->from, c->size);
        __asm__ volatile("" ::"r"(c->to) : "memory");
    }
}

/* What a set of a two-copy block writes: two places in turn, so three times the value passes through the caches, not twice. */
static void copy_in_turns(void *context, uint64_t count) {
    copy *c = context;
    while (count--) {
        char *to = c->to + (count & 1) * c->size;
        memcpy(to, c->from, c->size);
        __asm__ volatile("" ::"r"(to) : "memory");
    }
}

static void bench_large_sets(void) {
    const size_t size = 1 << 20;
    char *shared = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    copy c = {NULL, aligned_alloc(4096, size), shared, size};
    memset(c.from, 1, size);
    bench_title("set of 1 MiB; against memcpy into shared memory: two copies into two places in turn, a single copy into one");
    for (unsigned single = 0; single < 2; single++) {
        MUST(cove_block_open(&c.block, "large",
                             &(cove_block_options){.capacity_bytes = size, .prefault = true, .flags = single ? COVE_BLOCK_SINGLE : 0}));
        contestant sets = {set, &c, 0}, base = {single ? plain_copy : copy_in_turns, &c, 0};
        bench_compare(&sets, &base, 20);
        bench_figure(single ? "block.set.single_copy.bytes_1048576" : "block.set.bytes_1048576", sets.best_ns, "ns", base.best_ns, 1.15);
        cove_block_close(c.block);
    }
    munmap(shared, 2 * size);
    free(c.from);
}

static void bench_values(void) {
    static const size_t sizes[] = {64, 4096, 1 << 20};
    char name[64];
    bench_title("Two-copy block: get and set of the whole value; against memcpy of as many bytes");
    for (int i = 0; i < 3; i++) {
        size_t size = sizes[i];
        copy c = {NULL, aligned_alloc(4096, size < 4096 ? 4096 : size), aligned_alloc(4096, size < 4096 ? 4096 : size), size};
        memset(c.from, 1, size);
        memset(c.to, 2, size);
        MUST(cove_block_open(&c.block, "value", &(cove_block_options){.capacity_bytes = size, .prefault = true}));
        MUST(cove_block_set(c.block, c.from, size, COVE_FOREVER));
        MUST(cove_block_set(c.block, c.from, size, COVE_FOREVER));
        uint64_t count = size > 65536 ? 20 : 20000;
        contestant gets = {get, &c, 0}, sets = {set, &c, 0}, base_get = {plain_copy, &c, 0}, base_set = {plain_copy, &c, 0};
        bench_compare(&gets, &base_get, count);
        bench_compare(&sets, &base_set, count);
        snprintf(name, sizeof name, "block.get.bytes_%zu", size);
        bench_figure(name, gets.best_ns, "ns", size == 64 ? 0 : base_get.best_ns, size == 64 ? 20 : size == 4096 ? 0 : 1.15);
        snprintf(name, sizeof name, size == 1 << 20 ? "block.set.bytes_%zu.one_place" : "block.set.bytes_%zu", size);
        bench_figure(name, sets.best_ns, "ns", size == 64 ? 0 : base_set.best_ns, size == 64 ? 40 : 0);
        cove_block_close(c.block);
        free(c.from);
        free(c.to);
    }
}

/* ---- Readers added: the processor time of one get while others read too. */

typedef struct scene {
    _Atomic uint32_t go, stop;
    double cpu_ns[64];
} scene;

static int read_along(scene *s, int index) {
    char data[64];
    cove_block *block;
    MUST(cove_block_open(&block, "flat", &(cove_block_options){.how = COVE_OPEN}));
    const uint64_t batch = 100000;
    double best = 0;
    while (!s->go)
        usleep(100);
    while (!s->stop) {
        double began = bench_cpu_ns();
        for (uint64_t i = 0; i < batch; i++)
            MUST(cove_block_get(block, data, sizeof data, NULL, NULL, COVE_FOREVER));
        double each = (bench_cpu_ns() - began) / (double)batch;
        best = best == 0 || each < best ? each : best;
    }
    s->cpu_ns[index] = best;
    cove_block_close(block);
    return 0;
}

static double cost_with(int readers) {
    scene *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid[64];
    double sum = 0;
    fflush(NULL);
    for (int i = 0; i < readers; i++)
        if (!(pid[i] = fork()))
            _exit(read_along(s, i));
    s->go = 1;
    usleep(bench_is_quick ? 200000 : 600000);
    s->stop = 1;
    for (int i = 0; i < readers; i++) {
        waitpid(pid[i], NULL, 0);
        sum += s->cpu_ns[i];
    }
    munmap(s, sizeof *s);
    return sum / readers;
}

static void bench_readers(void) {
    char name[64];
    cove_block *block;
    bench_title("Processor time of a get of 64 bytes while others read too; against one reader alone");
    MUST(cove_block_open(&block, "flat", &(cove_block_options){.capacity_bytes = 64}));
    MUST(cove_block_set(block, "value", 5, COVE_FOREVER));
    for (int readers = 1; readers <= 32; readers *= 2) {
        double alone = cost_with(1), together = cost_with(readers);
        snprintf(name, sizeof name, "block.get.readers_%d", readers);
        bench_figure(name, together, "ns", alone, 1.25);
    }
    cove_block_close(block);
}

/* ---- Birth and attachment. */

static uint64_t birth_bytes;

static void create_and_remove(void *context, uint64_t count) {
    (void)context;
    while (count--) {
        cove_block *block;
        void *data;
        MUST(cove_block_open(&block, "birth",
                             &(cove_block_options){.capacity_bytes = 65536, .flags = COVE_BLOCK_SINGLE, .how = COVE_CREATE}));
        MUST(cove_block_data(block, &data));
        for (size_t i = 0; i < 65536; i += 4096)
            ((volatile char *)data)[i] = 1;
        cove_block_close(block);
    }
}

static void raw_create_and_remove(void *context, uint64_t count) {
    uint64_t bytes = *(uint64_t *)context;
    while (count--) {
        int fd = shm_open("/cove-bench-raw", O_RDWR | O_CREAT | O_EXCL, 0600);
        if (fd < 0 || posix_fallocate(fd, 0, (off_t)bytes))
            exit(1);
        char *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        for (size_t i = 0; i < bytes; i += 4096)
            ((volatile char *)data)[i] = 1;
        munmap(data, bytes);
        close(fd);
        shm_unlink("/cove-bench-raw");
    }
}

static void open_and_close(void *context, uint64_t count) {
    (void)context;
    while (count--) {
        cove_block *block;
        MUST(cove_block_open(&block, "there", &(cove_block_options){.how = COVE_OPEN}));
        cove_block_close(block);
    }
}

static void bench_birth(void) {
    cove_block *block;
    cove_object_info info;
    bench_title("Birth and attachment; against shm_open, posix_fallocate, mmap, touch, munmap, close, shm_unlink of as many bytes");
    MUST(cove_block_open(&block, "there", &(cove_block_options){.capacity_bytes = 65536, .flags = COVE_BLOCK_SINGLE}));
    MUST(cove_inspect_object(NULL, "there", &info));
    birth_bytes = info.file_bytes;
    contestant birth = {create_and_remove, NULL, 0}, raw = {raw_create_and_remove, &birth_bytes, 0}, attach = {open_and_close, NULL, 0};
    bench_compare(&birth, &raw, 100);
    bench_figure("block.create_touch_remove.bytes_65536", birth.best_ns / 1000, "us", raw.best_ns / 1000, 2.0);
    bench_compare(&attach, NULL, 200);
    bench_figure("block.open_close", attach.best_ns / 1000, "us", 0, 20);
    cove_block_close(block);
}

void bench_block(void) {
    bench_locks();
    bench_values();
    bench_large_sets();
    bench_readers();
    bench_birth();
}

/* This process on Linux: who it is, and what fork does to it. */
#define _GNU_SOURCE
#include "platform/linux/linux.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* ---- The guard: shared by the threads that hold a description, exclusive to fork.
 *
 * A mutex and a count, not a read-write lock, because fork must not wait for ever where other threads come and go without
 * end: `fork_waits` lets nobody new in. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned inside;
    bool fork_waits;
} guard = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false};

/* How often this thread is inside. Only the outermost time counts: who is inside already must not wait for a fork that waits
 * for him. */
static _Thread_local unsigned depth;
static _Thread_local int cancel_state;

static pthread_mutex_t mutexes[COVEI_MUTEXES] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
static pthread_once_t once = PTHREAD_ONCE_INIT;

static pthread_mutex_t filling = PTHREAD_MUTEX_INITIALIZER;
static covei_process_facts facts;
static covei_a32 facts_known;

/* ---- The epoch: a page that the kernel gives wiped to every child, however it was made.
 *
 * The number is remembered beside it, where it is inherited, so that the child's is the parent's plus one. */
static covei_a64 epoch_without_page = 1;
static covei_a64 *epoch_page;
static covei_a64 last_epoch = 1;
const covei_a64 *covei_process_epoch_word = &epoch_without_page;

uint64_t covei_process_renew(void) {
    covei_a64 *word = epoch_page ? epoch_page : &epoch_without_page;
    uint64_t none = 0;
    /* Only the first thread of a child is here for certain; a second one sees the number that the first has set. */
    if (covei_cas_seqcst(word, &none, covei_load_relaxed(&last_epoch) + 1)) {
        covei_add_relaxed(&last_epoch, 1);
        covei_store_release(&facts_known, 0);
    }
    return covei_load_relaxed(word);
}

static void (*in_child)(void);

static void before_fork(void) {
    pthread_mutex_lock(&guard.mutex);
    while (guard.fork_waits)
        pthread_cond_wait(&guard.changed, &guard.mutex);
    guard.fork_waits = true;
    while (guard.inside > (depth ? 1u : 0u)) /* one's own: a signal handler may fork */
        pthread_cond_wait(&guard.changed, &guard.mutex);
}

static void after_fork_in_parent(void) {
    guard.fork_waits = false;
    pthread_cond_broadcast(&guard.changed);
    pthread_mutex_unlock(&guard.mutex);
}

static void after_fork_in_child(void) {
    pthread_mutex_unlock(&guard.mutex); /* ours since before_fork; then anew, without those who waited in the parent */
    pthread_mutex_init(&guard.mutex, NULL);
    pthread_cond_init(&guard.changed, NULL);
    for (int i = 0; i < COVEI_MUTEXES; i++)
        pthread_mutex_init(&mutexes[i], NULL);
    guard.inside = depth ? 1 : 0;
    guard.fork_waits = false;
    covei_store_relaxed(epoch_page ? epoch_page : &epoch_without_page, 0);
    covei_process_renew();
    if (in_child)
        in_child();
}

void covei_process_in_child(void (*function)(void)) {
    in_child = function;
}

static void start(void) {
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED && madvise(page, 4096, MADV_WIPEONFORK) == 0) {
        epoch_page = page;
        covei_store_relaxed(epoch_page, covei_load_relaxed(&last_epoch));
        covei_process_epoch_word = epoch_page;
    } else if (page != MAP_FAILED) {
        munmap(page, 4096); /* Before Linux 4.14 the fork handler alone tells the child. */
    }
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* Before any thread can be on its way through fork: handlers that are registered later do not count for that fork. */
__attribute__((constructor)) static void start_early(void) {
    pthread_once(&once, start);
}

void covei_guard_enter(void) {
    if (depth++)
        return;
    /* A thread that was cancelled inside would never leave. */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    pthread_once(&once, start);
    pthread_mutex_lock(&guard.mutex);
    while (guard.fork_waits)
        pthread_cond_wait(&guard.changed, &guard.mutex);
    guard.inside++;
    pthread_mutex_unlock(&guard.mutex);
}

void covei_guard_leave(void) {
    if (--depth)
        return;
    pthread_mutex_lock(&guard.mutex);
    guard.inside--;
    if (guard.fork_waits)
        pthread_cond_broadcast(&guard.changed);
    pthread_mutex_unlock(&guard.mutex);
    pthread_setcancelstate(cancel_state, &cancel_state);
}

void covei_mutex_enter(covei_mutex mutex) {
    pthread_mutex_lock(&mutexes[mutex]);
}

void covei_mutex_leave(covei_mutex mutex) {
    pthread_mutex_unlock(&mutexes[mutex]);
}

/* ---- Who it is. */

static size_t read_text(const char *path, char *out, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, out, size - 1);
    if (fd >= 0)
        close(fd);
    out[got > 0 ? got : 0] = 0;
    return got > 0 ? (size_t)got : 0;
}

static void read_boot_id(uint8_t out[16]) {
    char text[64];
    size_t n = 0;
    memset(out, 0, 16);
    read_text("/proc/sys/kernel/random/boot_id", text, sizeof text);
    for (const char *c = text; *c && n < 32; c++) {
        int digit = *c >= '0' && *c <= '9' ? *c - '0' : *c >= 'a' && *c <= 'f' ? *c - 'a' + 10 : -1;
        if (digit >= 0) {
            out[n / 2] = (uint8_t)(out[n / 2] << 4 | digit);
            n++;
        }
    }
}

const covei_process_facts *covei_process_look(void) {
    (void)covei_process_epoch();          /* notices a child that was made without fork handlers */
    if (covei_load_acquire(&facts_known)) /* PAIR facts */
        return &facts;
    covei_guard_enter(); /* so that no child inherits the mutex taken */
    pthread_mutex_lock(&filling);
    if (!covei_load_acquire(&facts_known)) {
        char text[1024];
        struct stat space;
        memset(&facts, 0, sizeof facts);
        facts.pid = (uint32_t)getpid();
        facts.pid_namespace = stat("/proc/self/ns/pid", &space) == 0 ? space.st_ino : 0;
        read_boot_id(facts.boot_id);
        /* Field 22 of stat, counted from behind the name, which may contain anything. */
        read_text("/proc/self/stat", text, sizeof text);
        const char *field = strrchr(text, ')');
        for (int i = 0; field && i < 20; i++)
            field = strchr(field + 1, ' ');
        facts.started = field ? strtoull(field, NULL, 10) : 0;
        size_t length = strlen(program_invocation_short_name);
        memcpy(facts.program, program_invocation_short_name, length < sizeof facts.program ? length : sizeof facts.program);
        covei_store_release(&facts_known, 1); /* PAIR facts */
    }
    pthread_mutex_unlock(&filling);
    covei_guard_leave();
    return &facts;
}

uint32_t covei_process_uid(void) {
    return (uint32_t)geteuid();
}

uint32_t covei_process_cpus(void) {
    static covei_a32 known;
    uint32_t count = covei_load_relaxed(&known);
    if (!count) {
        cpu_set_t set;
        count = sched_getaffinity(0, sizeof set, &set) == 0 ? (uint32_t)CPU_COUNT(&set) : (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
        covei_store_relaxed(&known, count ? count : 1);
    }
    return count ? count : 1;
}

/* ---- Threads of the library's own. */

cove_result covei_thread_start(void *(*function)(void *context), void *context) {
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) /* whose handlers a program may rely on */
        sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_BLOCK, &all, &before); /* the new thread inherits it */
    int error = pthread_create(&thread, &attributes, function, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (!error)
        return COVE_OK;
    return covei_fail(COVE_ERR_MEMORY, error, "start a thread", "the system gives no thread to be told of changes by");
}

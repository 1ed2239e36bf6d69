/* A back end that is right but for one number: COVE_BROKEN="10.2" breaks what platform.h promises there. The linker puts these
 * functions before the real ones (--wrap). broken_test runs the suite against each number, and expects it to notice. */
#define _GNU_SOURCE
#include "platform/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static bool broken(const char *number) {
    static const char *wish;
    if (!wish && !(wish = getenv("COVE_BROKEN")))
        wish = "";
    return !strcmp(wish, number);
}

/* The real function, and the head of the one that stands before it. */
#define WRAP(type, name, parameters) \
    type __real_##name parameters; \
    type __wrap_##name parameters; \
    type __wrap_##name parameters

/* Somebody who holds what we hold, for two seconds, whatever becomes of us. */
static void leave_a_holder(void) {
    pid_t pid = (pid_t)syscall(SYS_fork);
    if (!pid) {
        for (int i = 0; i < 20; i++)
            usleep(100000);
        _exit(0);
    }
}

WRAP(cove_result, covei_dir_create, (const char *path, uint32_t mode)) {
    struct stat facts;
    if (broken("1.1"))
        mode ^= 050;
    if (broken("1.2") && lstat(path, &facts) == 0 && !S_ISDIR(facts.st_mode))
        return COVE_OK;
    if (broken("1.3") && stat(path, &facts) == 0 && facts.st_uid != geteuid())
        return COVE_OK;
    return __real_covei_dir_create(path, mode);
}

WRAP(cove_result, covei_dir_open, (const char *path, covei_dir *out_dir)) {
    int fd = -1;
    if (broken("2.1"))
        fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (broken("2.2"))
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (broken("2.4"))
        fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (fd >= 0) {
        out_dir->handle = fd;
        return COVE_OK;
    }
    cove_result result = __real_covei_dir_open(path, out_dir);
    return broken("2.3") && result == COVE_ERR_NOT_FOUND ? COVE_ERR_DOMAIN : result;
}

WRAP(void, covei_dir_close, (covei_dir dir)) {
    if (!broken("3.1"))
        __real_covei_dir_close(dir);
}

WRAP(cove_result, covei_dir_look, (covei_dir dir, covei_dir_facts *out_facts)) {
    cove_result result = __real_covei_dir_look(dir, out_facts);
    if (broken("4.1"))
        out_facts->identity.number = (uint64_t)dir.handle;
    if (broken("4.2"))
        out_facts->mode &= 0777;
    return broken("4.3") ? COVE_OK : result;
}

WRAP(cove_result, covei_dir_volume, (covei_dir dir, covei_volume_facts *out_facts)) {
    cove_result result = __real_covei_dir_volume(dir, out_facts);
    if (broken("5.1"))
        out_facts->granule_bytes = 5000;
    if (broken("5.2"))
        out_facts->free_bytes = 1 << 30;
    if (broken("5.3"))
        out_facts->is_known = true;
    return result;
}

typedef struct twice {
    covei_dir_fn each;
    void *context;
    int told;
} twice;

static bool tell_twice(void *context, const char *name) {
    twice *t = context;
    return t->each(t->context, name) && t->each(t->context, name);
}

static bool tell_on(void *context, const char *name) {
    twice *t = context;
    t->each(t->context, name);
    return true;
}

static bool tell_the_last(void *context, const char *name) {
    twice *t = context;
    int n;
    return sscanf(name, "n%d", &n) == 1 && n < 60 ? t->each(t->context, name) : true;
}

WRAP(cove_result, covei_dir_list, (covei_dir dir, covei_dir_fn each, void *context)) {
    twice t = {each, context, 0};
    static bool listed;
    if (broken("6.1"))
        return __real_covei_dir_list(dir, tell_twice, &t);
    if (broken("6.2"))
        return __real_covei_dir_list(dir, tell_on, &t);
    if (broken("6.3") && listed)
        return COVE_OK; /* as if the position had stayed at the end */
    listed = true;
    return __real_covei_dir_list(dir, each, context);
}

WRAP(cove_result, covei_dir_sample, (covei_dir dir, uint32_t limit, covei_dir_fn each, void *context)) {
    twice t = {each, context, 0};
    if (broken("7.2"))
        return __real_covei_dir_sample(dir, limit, tell_the_last, &t);
    return broken("7.1") ? __real_covei_dir_list(dir, each, context) : __real_covei_dir_sample(dir, limit, each, context);
}

WRAP(cove_result, covei_dir_default, (char *out_path, size_t size_bytes, bool *out_private)) {
    if (broken("8.1")) {
        const char *wish = getenv("COVE_DOMAIN");
        char kept[512];
        snprintf(kept, sizeof kept, "%s", wish ? wish : "");
        unsetenv("COVE_DOMAIN");
        cove_result blind = __real_covei_dir_default(out_path, size_bytes, out_private);
        setenv("COVE_DOMAIN", kept, 1);
        return blind;
    }
    cove_result result = __real_covei_dir_default(out_path, size_bytes, out_private);
    if (broken("8.2") && result == COVE_OK)
        snprintf(out_path, size_bytes, "/dev/shm/cove");
    return broken("8.3") ? COVE_OK : result;
}

WRAP(cove_result, covei_dir_absolute, (const char *path, char *out_path, size_t size_bytes)) {
    if (!broken("9.1"))
        return __real_covei_dir_absolute(path, out_path, size_bytes);
    snprintf(out_path, size_bytes, "%s", path);
    return COVE_OK;
}

WRAP(cove_result, covei_file_open, (covei_dir dir, const char *name, cove_access access, covei_file *out_file)) {
    int fd = -1;
    if (broken("10.1"))
        fd = openat((int)dir.handle, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (broken("10.2"))
        fd = openat((int)dir.handle, name, O_RDONLY | O_CLOEXEC);
    if (broken("10.4"))
        fd = openat((int)dir.handle, name, O_RDONLY | O_CLOEXEC);
    if (broken("10.5"))
        fd = openat((int)dir.handle, name, O_RDWR | O_CLOEXEC);
    if (fd >= 0) {
        out_file->handle = fd;
        return COVE_OK;
    }
    cove_result result = __real_covei_file_open(dir, name, access, out_file);
    return broken("10.3") && result == COVE_ERR_ACCESS ? COVE_ERR_NOT_FOUND : result;
}

WRAP(cove_result, covei_file_create, (covei_dir dir, const char *hidden, uint32_t mode, covei_file *out_file)) {
    if (broken("11.1") && !hidden)
        return __real_covei_file_create(dir, "visible", mode, out_file);
    if (broken("11.3") && hidden) {
        out_file->handle = openat((int)dir.handle, hidden, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        return COVE_OK;
    }
    cove_result result = __real_covei_file_create(dir, hidden, mode, out_file);
    if (broken("11.2") && result == COVE_OK)
        fchmod((int)out_file->handle, mode & 0711);
    return broken("11.4") && result == COVE_ERR_UNSUPPORTED ? COVE_ERR_SYSTEM : result;
}

WRAP(cove_result, covei_file_reserve, (covei_file file, uint64_t size_bytes)) {
    if (broken("12.1"))
        return ftruncate((int)file.handle, (off_t)size_bytes) ? COVE_ERR_SPACE : COVE_OK;
    cove_result result = __real_covei_file_reserve(file, size_bytes);
    if (broken("12.3") && pwrite((int)file.handle, "dirt", 4, 4096) != 4)
        return COVE_ERR_SYSTEM;
    return broken("12.2") ? COVE_OK : result;
}

WRAP(cove_result, covei_file_publish, (covei_dir dir, covei_file file, const char *hidden, const char *name)) {
    if (broken("13.1"))
        return close(openat((int)dir.handle, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) ? COVE_ERR_SYSTEM : COVE_OK;
    if (broken("13.2"))
        unlinkat((int)dir.handle, name, 0);
    if (broken("13.3") && hidden)
        return linkat((int)dir.handle, hidden, (int)dir.handle, name, 0) ? COVE_ERR_SYSTEM : COVE_OK;
    cove_result result = __real_covei_file_publish(dir, file, hidden, name);
    return broken("13.4") && result == COVE_ERR_NOT_FOUND ? COVE_OK : result;
}

WRAP(cove_result, covei_file_reopen, (covei_file file, cove_access access, covei_file *out_file)) {
    struct stat facts;
    if (broken("14.1") && fstat((int)file.handle, &facts) == 0 && !facts.st_nlink)
        return COVE_ERR_UNSUPPORTED;
    if (broken("14.2")) {
        out_file->handle = dup((int)file.handle);
        return COVE_OK;
    }
    cove_result result = __real_covei_file_reopen(file, access, out_file);
    return broken("14.3") && result == COVE_ERR_UNSUPPORTED ? COVE_ERR_SYSTEM : result;
}

WRAP(void, covei_file_close, (covei_file file)) {
    if (!broken("15.1"))
        __real_covei_file_close(file);
}

WRAP(cove_result, covei_file_look, (covei_file file, covei_file_facts *out_facts)) {
    cove_result result = __real_covei_file_look(file, out_facts);
    if (broken("16.1"))
        out_facts->identity.number = (uint64_t)file.handle;
    if (broken("16.2"))
        out_facts->is_regular = true;
    if (broken("16.3"))
        out_facts->has_name = true;
    return broken("16.4") ? COVE_OK : result;
}

WRAP(cove_result, covei_file_find, (covei_dir dir, const char *name, covei_file_facts *out_facts)) {
    cove_result result = __real_covei_file_find(dir, name, out_facts);
    if (broken("17.1"))
        out_facts->identity.number++;
    return broken("17.2") && result == COVE_ERR_NOT_FOUND ? COVE_OK : result;
}

WRAP(cove_result, covei_file_read, (covei_file file, uint64_t offset, void *out_data, size_t size_bytes, size_t *out_read)) {
    if (broken("18.2")) {
        lseek((int)file.handle, (off_t)offset, SEEK_SET);
        ssize_t got = read((int)file.handle, out_data, size_bytes);
        *out_read = got > 0 ? (size_t)got : 0;
        return COVE_OK;
    }
    return __real_covei_file_read(file, offset, out_data, broken("18.1") ? size_bytes / 2 : size_bytes, out_read);
}

WRAP(cove_result, covei_file_unlink, (covei_dir dir, const char *name)) {
    if (broken("19.1"))
        return COVE_OK;
    cove_result result = __real_covei_file_unlink(dir, name);
    if (broken("19.2") && result == COVE_ERR_NOT_FOUND)
        return COVE_OK;
    return broken("19.3") && result == COVE_ERR_ACCESS ? COVE_ERR_SYSTEM : result;
}

static cove_result lock_bytes(covei_file file, uint64_t byte, covei_lock kind, off_t length) {
    struct flock lock = {
        .l_type = kind == COVEI_LOCK_EXCLUSIVE ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = length};
    return fcntl((int)file.handle, F_OFD_SETLK, &lock) ? COVE_ERR_BUSY : COVE_OK;
}

WRAP(cove_result, covei_lock_try, (covei_file file, uint64_t byte, covei_lock kind)) {
    if (broken("20.2"))
        kind = COVEI_LOCK_EXCLUSIVE;
    if (broken("20.4"))
        return lock_bytes(file, byte, kind, 2);
    cove_result result = __real_covei_lock_try(file, byte, kind);
    if (broken("20.5") && result == COVE_OK)
        leave_a_holder();
    if (broken("20.1") && result == COVE_ERR_BUSY)
        return COVE_ERR_TIMEOUT; /* as if it had waited */
    return broken("20.3") && result == COVE_ERR_ACCESS ? COVE_ERR_SYSTEM : result;
}

WRAP(void, covei_lock_release, (covei_file file, uint64_t byte)) {
    struct flock all = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    if (broken("21.1"))
        fcntl((int)file.handle, F_OFD_SETLK, &all);
    else
        __real_covei_lock_release(file, byte);
}

WRAP(cove_result, covei_lock_probe, (covei_file file, uint64_t byte, covei_lock kind, covei_lock *out_held)) {
    int flags = fcntl((int)file.handle, F_GETFL);
    if (broken("22.1"))
        kind = COVEI_LOCK_EXCLUSIVE;
    if (broken("22.3") && (flags & O_ACCMODE) == O_RDONLY)
        return COVE_ERR_ACCESS;
    if (broken("22.4")) {
        cove_result result = __real_covei_lock_try(file, byte, kind);
        *out_held = result == COVE_OK ? COVEI_LOCK_FREE : COVEI_LOCK_EXCLUSIVE;
        return COVE_OK;
    }
    cove_result result = __real_covei_lock_probe(file, byte, kind, out_held);
    if (broken("22.2") && *out_held == COVEI_LOCK_EXCLUSIVE)
        *out_held = COVEI_LOCK_SHARED;
    return result;
}

WRAP(cove_result, covei_token_carry, (covei_file file, size_t granule_bytes, covei_token *out_token)) {
    if (broken("23.1"))
        return COVE_OK;
    if (broken("23.2"))
        return fcntl((int)file.handle, F_DUPFD_CLOEXEC, 3) < 0 ? COVE_ERR_LIMIT : COVE_OK;
    if (broken("23.4"))
        return dup((int)file.handle) < 0 ? COVE_ERR_LIMIT : COVE_OK;
    cove_result result = __real_covei_token_carry(file, granule_bytes, out_token);
    if (broken("23.3") && result == COVE_OK)
        madvise(out_token->page, granule_bytes, MADV_DOFORK);
    if (broken("23.5"))
        leave_a_holder();
    return result;
}

WRAP(void, covei_token_drop, (covei_token * token)) {
    if (!broken("24.1"))
        __real_covei_token_drop(token);
}

WRAP(cove_result, covei_map, (covei_file file, uint64_t size_bytes, cove_access access, uint32_t flags, void **out_address)) {
    if (broken("25.1") || broken("25.2")) {
        int how = broken("25.1") ? MAP_PRIVATE : MAP_SHARED;
        *out_address = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, how, (int)file.handle, 0);
        return *out_address == MAP_FAILED ? COVE_ERR_ACCESS : COVE_OK;
    }
    cove_result result = __real_covei_map(file, size_bytes, access, flags, out_address);
    if (broken("25.4") && result == COVE_OK)
        madvise(*out_address, size_bytes, MADV_DONTFORK);
    return broken("25.3") && result == COVE_ERR_MEMORY ? COVE_ERR_SYSTEM : result;
}

WRAP(void, covei_unmap, (void *address, uint64_t size_bytes)) {
    if (!broken("26.1"))
        __real_covei_unmap(address, size_bytes);
}

WRAP(covei_woken, covei_wait, (const covei_a32 *word, uint32_t expected, cove_time_ns deadline_ns)) {
    if (broken("27.1"))
        expected = *word;
    if (broken("27.2"))
        while (covei_clock_ns() < deadline_ns)
            usleep(10000);
    if (broken("27.3"))
        return COVEI_EXPIRED;
    if (broken("27.5"))
        ((uint32_t *)(uintptr_t)word)[0] = expected;
    covei_woken woken = __real_covei_wait(word, expected, deadline_ns);
    if (broken("27.2"))
        return COVEI_EXPIRED;
    return broken("27.4") && woken == COVEI_SIGNALLED ? COVEI_WOKEN : woken;
}

WRAP(void, covei_wake, (covei_a32 * word)) {
    if (broken("28.1")) {
        syscall(SYS_futex, word, 1, 1, NULL, NULL, 0);
        return;
    }
    if (broken("28.2"))
        usleep(100000);
    __real_covei_wake(word);
}

WRAP(bool, covei_pause, (uint64_t duration_ns)) {
    return broken("29.1") ? true : __real_covei_pause(duration_ns);
}

WRAP(cove_time_ns, covei_clock_ns, (void)) {
    static covei_a64 calls;
    if (broken("30.1"))
        return __real_covei_clock_ns() - covei_add_relaxed(&calls, 1) * 1000000;
    if (broken("30.2")) {
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
    }
    return __real_covei_clock_ns();
}

WRAP(cove_time_ns, covei_clock_coarse_ns, (void)) {
    return broken("30.3") ? __real_covei_clock_coarse_ns() / 2 : __real_covei_clock_coarse_ns();
}

WRAP(uint64_t, covei_clock_unix_ns, (void)) {
    return broken("31.1") ? __real_covei_clock_unix_ns() / 2 : __real_covei_clock_unix_ns();
}

WRAP(void, covei_random, (void *out_data, size_t size_bytes)) {
    if (broken("32.1"))
        memset(out_data, 4, size_bytes);
    else
        __real_covei_random(out_data, size_bytes);
}

WRAP(const covei_process_facts *, covei_process_look, (void)) {
    static covei_process_facts first, facts[2];
    static unsigned calls;
    if (!first.pid)
        first = *__real_covei_process_look();
    if (broken("33.1"))
        return &first;
    covei_process_facts *out = &facts[broken("33.3") ? calls++ % 2 : 0];
    *out = *__real_covei_process_look();
    if (broken("33.2"))
        out->boot_id[0] = (uint8_t)getpid(), out->boot_id[1] = (uint8_t)(getpid() >> 8);
    return out;
}

WRAP(uint32_t, covei_process_uid, (void)) {
    return broken("34.1") ? 77777 : __real_covei_process_uid();
}

WRAP(uint32_t, covei_process_cpus, (void)) {
    return broken("35.1") ? 0 : __real_covei_process_cpus();
}

/* The epoch is a load, so its word is broken instead. */
static covei_a64 broken_epoch = 1;

static void *change_epoch(void *context) {
    (void)context;
    for (;;) {
        usleep(1000);
        covei_add_seqcst(&broken_epoch, 1);
    }
    return NULL;
}

WRAP(uint64_t, covei_process_renew, (void)) {
    return broken("36.3") ? 0 : __real_covei_process_renew();
}

static pid_t first_process;
static pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER;

WRAP(void, covei_guard_enter, (void)) {
    if (broken("37.1"))
        return;
    if (broken("37.2") && getpid() != first_process)
        for (;;)
            pause();
    if (broken("37.3")) {
        pthread_mutex_lock(&plain);
        return;
    }
    __real_covei_guard_enter();
    if (broken("37.4"))
        pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
}

WRAP(void, covei_guard_leave, (void)) {
    if (broken("37.3"))
        pthread_mutex_unlock(&plain);
    else if (!broken("37.1"))
        __real_covei_guard_leave();
}

WRAP(void, covei_mutex_enter, (covei_mutex mutex)) {
    if (!broken("38.1"))
        __real_covei_mutex_enter(broken("38.2") ? COVEI_MUTEX_LISTS : mutex);
}

WRAP(void, covei_mutex_leave, (covei_mutex mutex)) {
    if (!broken("38.1"))
        __real_covei_mutex_leave(broken("38.2") ? COVEI_MUTEX_LISTS : mutex);
}

WRAP(bool, covei_barrier_join, (void)) {
    if (broken("39.1")) {
        covei_store_seqcst(&covei_fences_are_light, 1);
        return true;
    }
    bool is_in = __real_covei_barrier_join();
    return broken("39.2") ? !is_in : broken("40.2") ? true : is_in;
}

WRAP(bool, covei_barrier, (covei_reach reach)) {
    return broken("40.1") || broken("40.2") || __real_covei_barrier(reach);
}

WRAP(void, covei_bell_touch, (const covei_bell *bell)) {
    if (!broken("43.1"))
        __real_covei_bell_touch(bell);
}

WRAP(cove_result, covei_bell_open,
     (covei_dir dir, const char *name, const covei_bell_access *access, uint64_t slice_ns, covei_bell *out_bell)) {
    covei_bell_access other = {0600, geteuid(), getegid()};
    if (broken("41.2"))
        slice_ns = UINT64_C(3600000000000);
    if (broken("41.5") && name)
        unlinkat((int)dir.handle, name, 0);
    cove_result result = __real_covei_bell_open(dir, name, broken("41.3") && name ? &other : access, slice_ns, out_bell);
    if (broken("41.1"))
        __real_covei_bell_touch(out_bell);
    if (broken("41.4"))
        fcntl((int)out_bell->timer, F_SETFD, 0);
    if (broken("41.6") && name && access)
        fchmodat((int)dir.handle, name, access->mode, 0);
    return result;
}

WRAP(cove_result, covei_bell_ring, (covei_dir dir, const char *name)) {
    static int count;
    if (broken("42.1"))
        return COVE_OK;
    if (broken("42.2") && ++count > 500)
        for (;;)
            pause();
    if (broken("42.4") && access("/proc/self/fd/0", F_OK) != 0)
        return COVE_ERR_UNSUPPORTED;
    cove_result result = __real_covei_bell_ring(dir, name);
    return broken("42.3") ? COVE_OK : result;
}

WRAP(cove_result, covei_bell_find, (covei_dir dir, const char *name)) {
    return broken("48.1") ? __real_covei_bell_ring(dir, name) : __real_covei_bell_find(dir, name);
}

WRAP(bool, covei_bell_is_sound, (const covei_bell *bell)) {
    return broken("49.1") || __real_covei_bell_is_sound(bell);
}

WRAP(void, covei_process_in_child, (void (*function)(void))) {
    if (broken("50.1") && function)
        function();
    __real_covei_process_in_child(function);
}

WRAP(void, covei_bell_silence, (const covei_bell *bell, uint64_t slice_ns)) {
    if (!broken("44.1"))
        __real_covei_bell_silence(bell, broken("41.2") ? UINT64_C(3600000000000) : slice_ns);
}

WRAP(void, covei_bell_close, (covei_dir dir, const char *name, covei_bell *bell, bool is_inherited)) {
    if (broken("45.4")) {
        close((int)bell->poll);
        close((int)bell->socket);
    }
    if (broken("45.5") && is_inherited)
        epoll_ctl((int)bell->poll, EPOLL_CTL_DEL, (int)bell->socket, NULL);
    if (!broken("45.1"))
        __real_covei_bell_close(dir, broken("45.2") ? NULL : name, bell, is_inherited || broken("45.3"));
}

WRAP(void, covei_bell_wait, (const int64_t *polls, bool *ready, uint32_t count, uint64_t duration_ns)) {
    if (broken("46.1")) {
        for (;;)
            pause();
    }
    __real_covei_bell_wait(polls, ready, count, duration_ns);
    for (uint32_t i = 0; i < count && broken("46.2"); i++)
        ready[i] = true;
}

WRAP(cove_result, covei_thread_start, (void *(*function)(void *context), void *context)) {
    if (broken("47.1")) {
        function(NULL);
        return COVE_OK;
    }
    cove_result result = __real_covei_thread_start(function, context);
    return broken("47.2") ? COVE_OK : result;
}

__attribute__((constructor)) static void break_epoch(void) {
    pthread_t thread;
    first_process = getpid();
    __real_covei_guard_enter(); /* the real one has started, and will not put its own word in the place of ours */
    __real_covei_guard_leave();
    if (broken("36.1") || broken("36.2"))
        covei_process_epoch_word = &broken_epoch;
    if (broken("36.1"))
        pthread_create(&thread, NULL, change_epoch, NULL);
    if (broken("36.3")) {
        broken_epoch = 0;
        covei_process_epoch_word = &broken_epoch;
    }
}

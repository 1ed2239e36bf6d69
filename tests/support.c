/* See support.h. */
#include "tests/support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

const char *test_domain;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
const bool test_is_slow = true;
#else
const bool test_is_slow = false;
#endif

static test_entry *entries;
static char domain_path[128];

#define MOST 1024
static struct {
    pid_t pid[4096];
    int count;
} children;
static struct {
    void *address[MOST];
    size_t bytes[MOST];
    char *text[MOST];
    int count, texts;
} owned;

void test_register(test_entry *entry) {
    test_entry **at = &entries;
    while (*at)
        at = &(*at)->next;
    *at = entry;
}

void expect_(cove_result wanted, cove_result got, const char *call, const char *file, int line) {
    if (got != wanted)
        fail_msg("%s:%d: %s is %s, not %s (%s)", file, line, call, cove_result_name(got), cove_result_name(wanted),
                 got < 0 ? cove_last_error()->sentence : "");
}

void expect_words_(cove_result wanted, const char *words, cove_result got, const char *call, const char *file, int line) {
    expect_(wanted, got, call, file, line);
    if (!strstr(cove_last_error()->sentence, words))
        fail_msg("%s:%d: %s says \"%s\", without \"%s\"", file, line, call, cove_last_error()->sentence, words);
}

void *shared_memory(size_t bytes) {
    void *address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(address != MAP_FAILED && owned.count < MOST);
    owned.address[owned.count] = address;
    owned.bytes[owned.count++] = bytes;
    return address;
}

#ifdef __SANITIZE_ADDRESS__
/* The sanitizer's allocator does not stand a fork while another thread is inside it, and it is inside wherever a thread begins or ends, the
 * library's thread too: a child would find it locked for ever. So until every other thread sleeps, or for a while. */
static void let_threads_settle(void) {
    for (int tries = 0; tries < 500; tries++, usleep(200)) {
        DIR *threads = opendir("/proc/self/task");
        bool all_sleep = true;
        for (struct dirent *entry; threads && (entry = readdir(threads));) {
            char path[300], line[256] = "";
            snprintf(path, sizeof path, "/proc/self/task/%s/stat", entry->d_name);
            bool is_other = entry->d_name[0] != '.' && strtol(entry->d_name, NULL, 10) != getpid();
            FILE *stat = is_other ? fopen(path, "r") : NULL;
            const char *state = stat && fgets(line, sizeof line, stat) ? strrchr(line, ')') : NULL;
            all_sleep = all_sleep && (!state || state[2] == 'S');
            if (stat)
                fclose(stat);
        }
        if (threads)
            closedir(threads);
        if (all_sleep)
            return;
    }
}
#else
static void let_threads_settle(void) {
}
#endif

pid_t child(int (*function)(void *), void *context) {
    let_threads_settle();
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(function(context));
    }
    assert_true(children.count < 4096);
    children.pid[children.count++] = pid;
    return pid;
}

static void forget_child(pid_t pid) {
    for (int i = 0; i < children.count; i++)
        if (children.pid[i] == pid)
            children.pid[i--] = children.pid[--children.count];
}

int end_of(pid_t pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    forget_child(pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void kill_child(pid_t pid) {
    kill(pid, SIGKILL);
    end_of(pid);
}

char *run(int *out_status, const char *format, ...) {
    char command[8192];
    size_t used = 0, room = 4096;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    FILE *pipe = popen(command, "r");
    char *text = malloc(room);
    assert_true(pipe && text && owned.texts < MOST);
    for (size_t got; (got = fread(text + used, 1, room - used - 1, pipe)) > 0;) {
        used += got;
        if (room - used < 2)
            text = realloc(text, room *= 2);
    }
    text[used] = 0;
    int status = pclose(pipe);
    if (out_status)
        *out_status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    owned.text[owned.texts++] = text;
    return text;
}

uint64_t random_number(void) {
    static uint64_t state;
    static pid_t seeded_in;
    if (seeded_in != getpid()) {
        const char *seed = getenv("COVE_TEST_SEED");
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        seeded_in = getpid();
        state = (seed ? strtoull(seed, NULL, 10) : (uint64_t)now.tv_nsec * 2654435761u) +
                (uint64_t)seeded_in * UINT64_C(0x9e3779b97f4a7c15) + 1;
    }
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * UINT64_C(0x2545f4914f6cdd1d);
}

static uint64_t pattern_step(uint64_t value) {
    return value * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
}

void fill_pattern(void *data, size_t bytes, uint64_t seed) {
    uint64_t value = seed;
    for (size_t i = 0; i < bytes; i += 8, value = pattern_step(value))
        memcpy((char *)data + i, &value, bytes - i < 8 ? bytes - i : 8);
}

bool is_pattern(const void *data, size_t bytes) {
    uint64_t value = 0, found = 0;
    if (bytes < 8)
        return true;
    memcpy(&value, data, 8);
    for (size_t i = 0; i < bytes; i += 8, value = pattern_step(value)) {
        size_t n = bytes - i < 8 ? bytes - i : 8;
        memcpy(&found, (const char *)data + i, n);
        if (memcmp(&found, &value, n))
            return false;
    }
    return true;
}

bool mount_privately(const char *type, const char *path, const char *options) {
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", path, type, 0, options) == 0;
}

void ran_or_skipped(int end) {
    if (end == NOT_HERE)
        skip();
    assert_int_equal(end, 0);
}

bool can(const char *command) {
    char silent[1024];
    snprintf(silent, sizeof silent, "( %s ) >/dev/null 2>&1 </dev/null", command);
    return system(silent) == 0;
}

int count_files(const char *domain) {
    int count = 0;
    DIR *dir = opendir(domain);
    if (!dir)
        return -1;
    for (struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

/* ---- Around each test. */

static int before(void **state) {
    (void)state;
    const char *root = getenv("COVE_TEST_ROOT"); /* of a test that runs tests, and cleans up after those that crash */
    snprintf(domain_path, sizeof domain_path, "%s/%scove-test-XXXXXX", root ? root : "/dev/shm", root ? "." : "");
    if (!mkdtemp(domain_path))
        return -1;
    test_domain = domain_path;
    setenv("COVE_DOMAIN", domain_path, 1);
    alarm(test_is_slow ? 900 : 300); /* the watchdog: ends a program that hangs, and the runner counts it as failed */
    return 0;
}

static int remove_entry(const char *path, const struct stat *facts, int kind, struct FTW *where) {
    (void)facts;
    (void)kind;
    (void)where;
    return remove(path);
}

static int after(void **state) {
    (void)state;
    int bad = 0;
    while (children.count)
        kill_child(children.pid[0]);
    cove_result result = cove_gc(domain_path, 0, NULL, NULL, NULL);
    int left = count_files(domain_path);
    if ((result != COVE_OK && left) || left > 0) {
        char list[256];
        snprintf(list, sizeof list, "ls -la %s >&2", domain_path);
        fprintf(stderr, "left behind after a garbage collection (%s):\n", cove_result_name(result));
        bad = system(list) != 0 || left;
    }
    nftw(domain_path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    for (int i = 0; i < owned.count; i++)
        munmap(owned.address[i], owned.bytes[i]);
    for (int i = 0; i < owned.texts; i++)
        free(owned.text[i]);
    memset(&owned, 0, sizeof owned);
    return bad ? -1 : 0;
}

static void skipped_long(void **state) {
    (void)state;
    skip();
}

/* With an argument: only tests whose name contains it. */
int main(int argc, char **argv) {
    static struct CMUnitTest tests[512];
    size_t count = 0;
    const char *wanted = argc > 1 ? argv[1] : "";
    bool all = getenv("COVE_TEST_LONG") != NULL;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (const test_entry *e = entries; e && count < 512; e = e->next)
        if (strstr(e->name, wanted))
            tests[count++] = (struct CMUnitTest){e->name, e->is_long && !all ? skipped_long : e->function, before, after, NULL};
    return count ? _cmocka_run_group_tests(argv[0], tests, count, NULL, NULL) : 0;
}

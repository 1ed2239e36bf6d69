/* What every peer in C does: reads what it is asked, does it, and prints what came of it. */
#define _GNU_SOURCE
#include "peer.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

peer_run peer;
static pid_t program;

uint64_t peer_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

bool peer_absent(const char *why) {
    printf("absent: %s\n", why);
    return false;
}

void peer_must(bool is_well, const char *what) {
    if (is_well)
        return;
    perror(what);
    exit(1);
}

void peer_fail(const char *sentence) {
    fprintf(stderr, "%s\n", sentence);
    exit(1);
}

static void end_program(void) {
    kill(program, SIGTERM);
    waitpid(program, NULL, 0);
}

void peer_start_program(const char *const *arguments) {
    program = fork();
    if (program) {
        atexit(end_program);
        return;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
        _exit(1);
    execv(arguments[0], (char *const *)(uintptr_t)(arguments + 1));
    _exit(127);
}

/* ---- What a way has not: never called, since it does not say that it has it. */

__attribute__((weak)) void peer_close(void) {
}
__attribute__((weak)) void peer_send_in_place(int channel, uint64_t word) {
    (void)channel, (void)word;
}
__attribute__((weak)) uint64_t peer_receive_in_place(int channel) {
    return (void)channel, 0;
}
__attribute__((weak)) void peer_send_batch(const void *data, uint32_t count) {
    (void)data, (void)count;
}
__attribute__((weak)) uint32_t peer_receive_batch(void *data, uint32_t most) {
    return (void)data, most;
}

/* ---- Messages. Three words of each say which one it is. */

static size_t middle(void) {
    return peer.size / 2 & ~(size_t)7;
}

static void mark(char *message, uint64_t n) {
    memcpy(message, &n, 8);
    memcpy(message + middle(), &n, 8);
    memcpy(message + peer.size - 8, &n, 8);
}

static uint64_t sum_of(const char *message) {
    uint64_t word[3];
    memcpy(&word[0], message, 8);
    memcpy(&word[1], message + middle(), 8);
    memcpy(&word[2], message + peer.size - 8, 8);
    return word[0] + word[1] + word[2];
}

static char *messages(void) {
    char *room = (char *)aligned_alloc(64, (peer.size * PEER_RUN + 63) & ~(size_t)63);
    peer_must(room, "memory");
    memset(room, 3, peer.size * PEER_RUN);
    return room;
}

static uint64_t send_one(int channel, char *from, uint64_t n) {
    if (peer.mode == PEER_IN_PLACE) {
        peer_send_in_place(channel, n);
        return 3 * n;
    }
    mark(from, n);
    peer_send(channel, from);
    return 3 * n;
}

static uint64_t receive_one(int channel, char *to) {
    if (peer.mode == PEER_IN_PLACE)
        return 3 * peer_receive_in_place(channel);
    peer_receive(channel, to);
    return sum_of(to);
}

/* ---- Roles. `at` counts over all rounds. */

#define AT_FIRST 32 /* the other side has only just been told, and the caches are somebody else's */

static void ping(uint64_t count, char *room, uint64_t *at) {
    uint32_t *each = (uint32_t *)malloc(count * sizeof *each);
    uint64_t sent = 0, received = 0, before = 0;
    for (uint64_t i = 0; i < AT_FIRST + count; i++) {
        if (i == AT_FIRST)
            before = peer_now();
        sent += send_one(0, room, ++*at);
        received += receive_one(1, room);
        if (i < AT_FIRST)
            continue;
        uint64_t now = peer_now();
        each[i - AT_FIRST] = now - before < UINT32_MAX ? (uint32_t)(now - before) : UINT32_MAX;
        before = now;
    }
    for (uint64_t i = 0; i < count; i++)
        printf("%u ", each[i]);
    printf("\n%llu %llu\n", (unsigned long long)sent, (unsigned long long)received);
    free(each);
}

static void pong(uint64_t count, char *room, uint64_t *at) {
    uint64_t sent = 0, received = 0;
    for (uint64_t i = 0; i < AT_FIRST + count; i++) {
        received += receive_one(0, room);
        sent += send_one(1, room, ++*at);
    }
    printf("%llu %llu\n", (unsigned long long)received, (unsigned long long)sent);
}

static void send_all(uint64_t count, char *room, uint64_t *at) {
    uint64_t sum = 0, began = peer_now();
    for (uint64_t i = 0; i < count;) {
        uint32_t run = peer.mode == PEER_BATCH ? PEER_RUN : 1;
        if (peer.mode != PEER_BATCH) {
            sum += send_one(0, room, ++*at);
        } else {
            for (uint32_t r = 0; r < run; r++) {
                mark(room + r * peer.size, ++*at);
                sum += 3 * *at;
            }
            peer_send_batch(room, run);
        }
        i += run;
    }
    printf("%llu %llu\n", (unsigned long long)began, (unsigned long long)sum);
}

static void receive_all(uint64_t count, char *room) {
    uint64_t sum = 0;
    puts("set");
    fflush(stdout);
    for (uint64_t i = 0; i < count;) {
        if (peer.mode == PEER_BATCH) {
            uint32_t run = peer_receive_batch(room, PEER_RUN);
            for (uint32_t r = 0; r < run; r++)
                sum += sum_of(room + r * peer.size);
            i += run;
        } else {
            sum += receive_one(0, room);
            i++;
        }
    }
    printf("%llu %llu\n", (unsigned long long)peer_now(), (unsigned long long)sum);
}

int main(int argc, char **argv) {
    static const char *const modes[] = {"poll", "block", "in-place", "batch"};
    uint64_t at = 0;
    unsigned mode = 0;
    if (argc != 5) {
        fprintf(stderr, "usage: %s ping|pong|send|receive poll|block|in-place|batch SIZE NAME\n", argv[0]);
        return 2;
    }
    const char *role = argv[1];
    while (mode < 4 && strcmp(argv[2], modes[mode]))
        mode++;
    peer =
        (peer_run){!strcmp(role, "pong") || !strcmp(role, "receive"), role[0] == 'p', (peer_mode)mode, strtoul(argv[3], NULL, 10), argv[4]};
    if (peer.size < 8 || mode == 4)
        return 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setvbuf(stdout, NULL, _IOFBF, 1 << 20);
    if (!(peer_modes >> mode & 1) || (mode == PEER_BATCH && peer.both_ways)) {
        peer_absent("it has no such way");
        return 0;
    }
    uint64_t began = peer_now();
    if (!peer_open())
        return 0;
    printf("ready %llu\n", (unsigned long long)(peer_now() - began));
    fflush(stdout);
    char *room = messages(), line[64];
    while (fgets(line, sizeof line, stdin)) {
        uint64_t count = strtoull(line, NULL, 10);
        if (!count)
            break;
        if (!strcmp(role, "ping"))
            ping(count, room, &at);
        else if (!strcmp(role, "pong"))
            pong(count, room, &at);
        else if (!strcmp(role, "send"))
            send_all(count, room, &at);
        else
            receive_all(count, room);
        fflush(stdout);
    }
    free(room);
    peer_close();
    return 0;
}

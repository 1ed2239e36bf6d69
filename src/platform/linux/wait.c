/* Sleeping, waking, clocks and chance on Linux. */
#define _GNU_SOURCE
#include "platform/linux/linux.h"

#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>

#ifndef SYS_futex
#define SYS_futex SYS_futex_time64
#endif

/* From the kernel's ABI, which never changes; its headers are not installed beside every C library. */
#define FUTEX_WAKE 1
#define FUTEX_WAIT_BITSET 9
#define FUTEX_BITSET_MATCH_ANY 0xffffffffu

#define NS_PER_S UINT64_C(1000000000)

covei_woken covei_wait(const covei_a32 *word, uint32_t expected, cove_time_ns deadline_ns) {
    /* The kernel's own layout for this call: two machine words, whatever this library's time_t is. */
    struct {
        long seconds, nanoseconds;
    } until;
    uint64_t seconds = deadline_ns / NS_PER_S;
    until.seconds = seconds > INT32_MAX ? INT32_MAX : (long)seconds;
    until.nanoseconds = (long)(deadline_ns % NS_PER_S);
    /* Not private: the word lies in memory that processes share. The deadline is absolute on CLOCK_MONOTONIC. */
    long woken =
        syscall(SYS_futex, word, FUTEX_WAIT_BITSET, expected, deadline_ns == COVE_FOREVER ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
    if (woken == 0 || errno == EAGAIN)
        return COVEI_WOKEN;
    return errno == ETIMEDOUT ? COVEI_EXPIRED : errno == EINTR ? COVEI_SIGNALLED : COVEI_WOKEN;
}

void covei_wake(covei_a32 *word) {
    syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

bool covei_pause(uint64_t duration_ns) {
    struct timespec duration = {(time_t)(duration_ns / NS_PER_S), (long)(duration_ns % NS_PER_S)};
    return nanosleep(&duration, NULL) == 0;
}

static uint64_t read_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

cove_time_ns covei_clock_ns(void) {
    return read_clock(CLOCK_MONOTONIC);
}

cove_time_ns covei_clock_coarse_ns(void) {
    return read_clock(CLOCK_MONOTONIC_COARSE);
}

uint64_t covei_clock_unix_ns(void) {
    return read_clock(CLOCK_REALTIME);
}

void covei_random(void *out_data, size_t size_bytes) {
    size_t done = 0;
    while (done < size_bytes) {
        ssize_t got = getrandom((char *)out_data + done, size_bytes - done, 0);
        if (got > 0)
            done += (size_t)got;
        else if (got < 0 && errno != EINTR) {
            /* No getrandom (before Linux 3.17): what is left differs between processes and moments. */
            uint64_t seed = covei_clock_ns() * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)getpid() << 32 ^ (uint64_t)(uintptr_t)&seed;
            for (; done < size_bytes; done++, seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u)
                ((uint8_t *)out_data)[done] = (uint8_t)(seed >> 56);
        }
    }
}

/* Barriers by which one thread makes all others pass a full fence: membarrier(2), Linux 4.16 and later. */
#define _GNU_SOURCE
#include "platform/linux/linux.h"

#include <sys/syscall.h>

/* From the kernel's ABI, which never changes; its header is not installed beside every C library. */
#define GLOBAL_EXPEDITED (1 << 1)
#define REGISTER_GLOBAL_EXPEDITED (1 << 2)
#define PRIVATE_EXPEDITED (1 << 3)
#define REGISTER_PRIVATE_EXPEDITED (1 << 4)

covei_a32 covei_fences_are_light;

static bool call(int command) {
#ifdef SYS_membarrier
    return syscall(SYS_membarrier, command, 0, 0) == 0;
#else
    (void)command;
    return false;
#endif
}

bool covei_barrier_join(void) {
    bool is_in = call(REGISTER_PRIVATE_EXPEDITED) && call(REGISTER_GLOBAL_EXPEDITED);
    covei_store_seqcst(&covei_fences_are_light, is_in);
    return is_in;
}

bool covei_barrier(covei_reach reach) {
    /* Who calls passes one in any case: the kernel's barrier leaves the caller out where it is the only thread. */
    atomic_thread_fence(memory_order_seq_cst);
    return call(reach == COVEI_REACH_PROCESS ? PRIVATE_EXPEDITED : GLOBAL_EXPEDITED);
}

/* Atomic operations with the memory order in the name.
 *
 * Everything that two processes touch is one of these two types. Both are lock-free and have the same size and alignment in
 * 32- and 64-bit programs, which is asserted here, because a lock inside one process would protect nothing.
 *
 * An order weaker than seqcst has its reason beside it, where it is used, and a `PAIR name:` comment on both of its sides.
 */
#ifndef COVEI_BASE_ATOMIC_H
#define COVEI_BASE_ATOMIC_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef _Atomic uint32_t covei_a32;
typedef _Atomic uint64_t covei_a64;

_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && sizeof(covei_a32) == 4, "32-bit atomics must be lock-free");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && sizeof(covei_a64) == 8, "64-bit atomics must be lock-free");
_Static_assert(_Alignof(covei_a64) == 8, "64-bit atomics must not straddle a cache line");

#define covei_load_relaxed(p) atomic_load_explicit((p), memory_order_relaxed)
#define covei_load_acquire(p) atomic_load_explicit((p), memory_order_acquire)
#define covei_load_seqcst(p) atomic_load_explicit((p), memory_order_seq_cst)
#define covei_store_relaxed(p, v) atomic_store_explicit((p), (v), memory_order_relaxed)
#define covei_store_release(p, v) atomic_store_explicit((p), (v), memory_order_release)
#define covei_store_seqcst(p, v) atomic_store_explicit((p), (v), memory_order_seq_cst)
#define covei_exchange_seqcst(p, v) atomic_exchange_explicit((p), (v), memory_order_seq_cst)
#define covei_add_relaxed(p, v) atomic_fetch_add_explicit((p), (v), memory_order_relaxed)
#define covei_add_seqcst(p, v) atomic_fetch_add_explicit((p), (v), memory_order_seq_cst)
#define covei_sub_seqcst(p, v) atomic_fetch_sub_explicit((p), (v), memory_order_seq_cst)
#define covei_or_seqcst(p, v) atomic_fetch_or_explicit((p), (v), memory_order_seq_cst)
#define covei_and_seqcst(p, v) atomic_fetch_and_explicit((p), (v), memory_order_seq_cst)
/* Strong; on failure `*expected` receives what was found. */
#define covei_cas_seqcst(p, expected, desired) \
    atomic_compare_exchange_strong_explicit((p), (expected), (desired), memory_order_seq_cst, memory_order_seq_cst)

#define covei_fence_acquire() atomic_thread_fence(memory_order_acquire)
#define covei_fence_release() atomic_thread_fence(memory_order_release)

/* Told to the processor in a spinning loop. */
static inline void covei_relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ volatile("yield" ::: "memory");
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

#define covei_likely(x) __builtin_expect(!!(x), 1)
#define covei_unlikely(x) __builtin_expect(!!(x), 0)

#endif

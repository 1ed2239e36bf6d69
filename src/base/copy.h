/* Copying bytes that others may write meanwhile; what was copied is used only after a check that it did not change.
 *
 * In C11 only atomics may race. Up to COVEI_COPY_WORDS bytes are copied as relaxed atomic words, which costs nothing there;
 * above, that would cost 3 to 5 times a memcpy, so the bytes go through memcpy behind a compiler barrier: the copy is opaque to
 * the compiler, and no more is asked of it than of the processor. */
#ifndef COVEI_BASE_COPY_H
#define COVEI_BASE_COPY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SANITIZE_THREAD__
#define COVEI_COPY_WORDS SIZE_MAX /* it cannot know of the check */
#else
#define COVEI_COPY_WORDS 256
#endif

#define COVEI_WORD sizeof(uintptr_t)
static inline void covei_word_out(void *private_data, const void *shared, size_t at) {
    uintptr_t word = atomic_load_explicit((const _Atomic uintptr_t *)(const void *)((const char *)shared + at), memory_order_relaxed);
    memcpy((char *)private_data + at, &word, sizeof word);
}
static inline void covei_word_in(void *shared, const void *private_data, size_t at) {
    uintptr_t word;
    memcpy(&word, (const char *)private_data + at, sizeof word);
    atomic_store_explicit((_Atomic uintptr_t *)(void *)((char *)shared + at), word, memory_order_relaxed);
}

/* `shared` is aligned to 8. */
static inline void covei_copy_out(void *private_data, const void *shared, size_t size) {
    if (size <= COVEI_COPY_WORDS) {
        size_t i = 0;
        for (; i + 4 * COVEI_WORD <= size; i += 4 * COVEI_WORD) { /* four at a time: as fast as memcpy, where a loop of one is not */
            covei_word_out(private_data, shared, i);
            covei_word_out(private_data, shared, i + COVEI_WORD);
            covei_word_out(private_data, shared, i + 2 * COVEI_WORD);
            covei_word_out(private_data, shared, i + 3 * COVEI_WORD);
        }
        for (; i + COVEI_WORD <= size; i += COVEI_WORD)
            covei_word_out(private_data, shared, i);
        for (; i < size; i++)
            ((unsigned char *)private_data)[i] =
                atomic_load_explicit((const _Atomic unsigned char *)(const void *)((const char *)shared + i), memory_order_relaxed);
        return;
    }
    memcpy(private_data, shared, size);
    atomic_signal_fence(memory_order_seq_cst);
}

static inline void covei_copy_in(void *shared, const void *private_data, size_t size) {
    if (size <= COVEI_COPY_WORDS) {
        size_t i = 0;
        for (; i + 4 * COVEI_WORD <= size; i += 4 * COVEI_WORD) {
            covei_word_in(shared, private_data, i);
            covei_word_in(shared, private_data, i + COVEI_WORD);
            covei_word_in(shared, private_data, i + 2 * COVEI_WORD);
            covei_word_in(shared, private_data, i + 3 * COVEI_WORD);
        }
        for (; i + COVEI_WORD <= size; i += COVEI_WORD)
            covei_word_in(shared, private_data, i);
        for (; i < size; i++)
            atomic_store_explicit((_Atomic unsigned char *)(void *)((char *)shared + i), ((const unsigned char *)private_data)[i],
                                  memory_order_relaxed);
        return;
    }
    atomic_signal_fence(memory_order_seq_cst);
    memcpy(shared, private_data, size);
    atomic_signal_fence(memory_order_seq_cst);
}

#endif

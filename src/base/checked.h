/* Arithmetic that says when it does not fit. Sizes and offsets that come from a caller or from shared memory pass through here. */
#ifndef COVEI_BASE_CHECKED_H
#define COVEI_BASE_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

/* True when the sum fits; only then is *out written. */
static inline bool covei_add_u64(uint64_t a, uint64_t b, uint64_t *out) {
    uint64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *out = sum;
    return true;
}

/* True when the product fits; only then is *out written. */
static inline bool covei_mul_u64(uint64_t a, uint64_t b, uint64_t *out) {
    uint64_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *out = product;
    return true;
}

/* `value` rounded up to a multiple of `unit`, a power of two. */
static inline bool covei_align_up_u64(uint64_t value, uint64_t unit, uint64_t *out) {
    uint64_t sum;
    if (!covei_add_u64(value, unit - 1, &sum))
        return false;
    *out = sum & ~(unit - 1);
    return true;
}

#endif

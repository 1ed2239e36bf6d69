/* The options that every kind has in common: taken from the caller, whatever version the caller was built with, and checked. */
#ifndef COVEI_SEGMENT_OPTIONS_H
#define COVEI_SEGMENT_OPTIONS_H

#include "platform/platform.h"

/* What every kind's options begin with. */
typedef struct covei_common_options {
    COVE_COMMON_OPTIONS
} covei_common_options;

/* Copies the caller's options into `out_options`, a struct that begins with the common ones; what an older caller does not have
 * is zero, what a newer one has and this library does not must be zero. `options` may be null. Then checks the name and the
 * common part.
 * COVE_OK · COVE_ERR_ARGUMENT · COVE_ERR_NAME · COVE_ERR_OPTION · COVE_ERR_MODE · COVE_ERR_TYPE */
cove_result covei_options_take(const char *name, const void *options, size_t options_bytes, void *out_options, size_t known_bytes);

#endif

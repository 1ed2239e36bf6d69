/* The bytes of a stream: a ring (src/sync/ring.h), and the facts that say how large it is.
 *
 *   object_fact[0]  capacity of a value in bytes
 *   object_fact[1]  bits 0-31 depth · 32-39 type · 40-47 flags: COVE_STREAM_TIMES
 *   object_fact[2]  bits 0-31 loans · 32-63 borrows
 *   object_fact[3]  bytes of an element
 */
#ifndef COVEI_STREAM_LAYOUT_H
#define COVEI_STREAM_LAYOUT_H

#include "sync/ring.h"

#include <cove/value.h>

/* What is known of a stream from its facts, checked. */
typedef struct covei_stream_shape {
    covei_payload payload;
    uint32_t depth, loans, borrows;
    bool keeps_times;
} covei_stream_shape;

/* COVE_OK · COVE_ERR_DAMAGED told. `object` may be null: only sizes. */
cove_result covei_stream_shape_read(const uint64_t object_fact[4], uint64_t object_bytes, uint8_t *object, covei_stream_shape *out_shape,
                                    covei_ring *out_ring);

#ifdef COVEI_LAB
extern covei_a64 covei_lab_first_number; /* of the streams that this process creates; 0: 1, as usual */
#endif

#endif

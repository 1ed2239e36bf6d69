/* What the values in a ring are made of: chosen when the object is made, checked when a value is written, told when it is read. */
#ifndef COVEI_SYNC_PAYLOAD_H
#define COVEI_SYNC_PAYLOAD_H

#include "segment/segment.h"

#include <cove/value.h>

#define COVEI_CAPACITY_MAX (UINT64_C(0xffffffff) - 63)
#define COVEI_CAPACITY_DEFAULT 64

typedef struct covei_payload {
    uint64_t capacity_bytes; /* of a value */
    uint32_t element_bytes;  /* 0: of no fixed size */
    cove_type type;          /* COVE_TYPE_ANY: each value has its own */
    uint64_t odd_bits;       /* a size that has none of them is a value of its type, and nothing else is to be checked */
} covei_payload;

/* False: these contradict each other. */
bool covei_payload_make(covei_payload *out_payload, uint64_t capacity_bytes, cove_type type, uint32_t element_bytes);

/* What was asked for, with what it means where it was left open, as a new object has it. COVE_OK · COVE_ERR_OPTION, COVE_ERR_SIZE told. */
cove_result covei_payload_choose(uint64_t capacity_bytes, cove_type type, uint32_t element_bytes, covei_payload *out_payload);

/* Whether an existing object's is what was asked for; 0: whatever exists. COVE_OK · COVE_ERR_TYPE, COVE_ERR_SIZE told. */
cove_result covei_payload_fits(const covei_payload *have, uint64_t capacity_bytes, cove_type type, uint32_t element_bytes, bool at_least);
/* The same of any other number. */
cove_result covei_number_fits(const char *what, uint64_t have, uint64_t want, bool at_least);

/* Whether this may be written. COVE_OK · COVE_ERR_TYPE, COVE_ERR_SIZE, COVE_ERR_TEXT told. */
cove_result covei_payload_check(covei_member *member, const covei_payload *payload, cove_type type, const void *data, uint64_t size_bytes,
                                const char *step);
/* Whether so many bytes fit, of whatever type. COVE_OK · COVE_ERR_SIZE told. */
cove_result covei_payload_check_size(covei_member *member, const covei_payload *payload, uint64_t size_bytes, const char *step);

/* The type of a value whose writer names none. */
static inline cove_type covei_payload_type(const covei_payload *payload) {
    return payload->type == COVE_TYPE_ANY ? COVE_TYPE_BYTES : payload->type;
}

/* How many elements a length is; 1 where nobody knows. False: it is no whole number of them. */
static inline bool covei_payload_count(const covei_payload *payload, cove_type type, uint64_t length, uint64_t *out_count) {
    uint64_t each = type == COVE_TYPE_STRUCT ? payload->element_bytes : cove_type_bytes(type);
    if (covei_likely(each <= 1)) {
        *out_count = each ? length : 1;
        return true;
    }
    *out_count = length / each;
    return length % each == 0;
}

#endif

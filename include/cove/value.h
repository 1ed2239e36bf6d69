/* Values: what streams carry. */
#ifndef COVE_VALUE_H
#define COVE_VALUE_H

#include <cove/result.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a value is made of. A value is a vector of elements: `count` of them, of the type's size. */
typedef enum cove_type {
    COVE_TYPE_UNSPECIFIED = 0, /**< at open: whatever exists; for a new object: bytes */
    COVE_TYPE_BYTES = 1,
    COVE_TYPE_TEXT = 2, /**< UTF-8, checked when it is written; no final NUL */
    COVE_TYPE_I8 = 3,
    COVE_TYPE_I16 = 4,
    COVE_TYPE_I32 = 5,
    COVE_TYPE_I64 = 6,
    COVE_TYPE_U8 = 7,
    COVE_TYPE_U16 = 8,
    COVE_TYPE_U32 = 9,
    COVE_TYPE_U64 = 10,
    COVE_TYPE_F32 = 11,
    COVE_TYPE_F64 = 12,
    COVE_TYPE_STRUCT = 13, /**< the user's: told apart by type_name, element_bytes and schema_hash */
    COVE_TYPE_ANY = 14     /**< of an object, not of a value: each value brings its own type */
} cove_type;

/** "f64"; "unknown" for a number that is no type. Never null. */
COVE_API const char *cove_type_label(cove_type type);

/** The type that a label means; COVE_TYPE_UNSPECIFIED for none. */
COVE_API cove_type cove_type_of_label(const char *label);

/** Bytes of one element: 8 for COVE_TYPE_F64; 1 for bytes and text; 0 where the type does not say. */
COVE_API uint32_t cove_type_bytes(cove_type type);

/** One value, as a reader has it. */
typedef struct cove_value {
    const void *data; /**< borrowed: the bytes in place. Read: the caller's buffer */
    uint64_t length_bytes;
    uint64_t count; /**< elements; for a struct in an object of COVE_TYPE_ANY, whose size nobody tells: 1 */
    cove_type type;
    uint32_t reserved_0;
    uint64_t sequence;     /**< the first value of an object has 1; there are no gaps */
    uint64_t tag;          /**< the writer's */
    cove_time_ns time_ns;  /**< of its publication; 0 where the object keeps no times */
    uint64_t missed_count; /**< values between the last one that this handle read and this one, that it did not get */
    uint64_t held[2];      /**< the library's */
} cove_value;

/** A place in shared memory that nobody else can see, to be filled and published, or discarded. */
typedef struct cove_loan {
    void *data;              /**< to be filled */
    uint64_t capacity_bytes; /**< that may be filled */
    uint64_t length_bytes;   /**< how many are filled; at first, what was asked for */
    uint64_t tag;            /**< goes with the value; 0 at first */
    cove_type type;          /**< of the value; to be set where the object is of COVE_TYPE_ANY */
    uint32_t reserved_0;
    uint64_t held[2]; /**< the library's */
} cove_loan;

#ifdef __cplusplus
}
#endif
#endif

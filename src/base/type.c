/* Types of values: their names and sizes. */
#include <cove/value.h>
#include <string.h>

static const struct {
    const char *label;
    uint32_t bytes;
} types[] = {{"unspecified", 0}, {"bytes", 1}, {"text", 1}, {"i8", 1},  {"i16", 2}, {"i32", 4},    {"i64", 8}, {"u8", 1},
             {"u16", 2},         {"u32", 4},   {"u64", 8},  {"f32", 4}, {"f64", 8}, {"struct", 0}, {"any", 0}};

const char *cove_type_label(cove_type type) {
    return (unsigned)type <= COVE_TYPE_ANY ? types[type].label : "unknown";
}

cove_type cove_type_of_label(const char *label) {
    for (unsigned type = COVE_TYPE_BYTES; label && type <= COVE_TYPE_ANY; type++)
        if (!strcmp(types[type].label, label))
            return (cove_type)type;
    return COVE_TYPE_UNSPECIFIED;
}

uint32_t cove_type_bytes(cove_type type) {
    return (unsigned)type <= COVE_TYPE_ANY ? types[type].bytes : 0;
}

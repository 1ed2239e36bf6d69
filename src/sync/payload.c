/* Checking values. */
#include "sync/payload.h"

#include "base/text.h"

bool covei_payload_make(covei_payload *out_payload, uint64_t capacity_bytes, cove_type type, uint32_t element_bytes) {
    if (type < COVE_TYPE_BYTES || type > COVE_TYPE_ANY || capacity_bytes > COVEI_CAPACITY_MAX ||
        (type == COVE_TYPE_STRUCT ? !element_bytes : element_bytes != cove_type_bytes(type)))
        return false;
    bool is_power = element_bytes && !(element_bytes & (element_bytes - 1));
    *out_payload = (covei_payload){
        .capacity_bytes = capacity_bytes,
        .element_bytes = element_bytes,
        .type = type,
        .odd_bits = type != COVE_TYPE_TEXT && is_power ? element_bytes - 1 : UINT64_MAX,
    };
    return true;
}

cove_result covei_payload_choose(uint64_t capacity_bytes, cove_type type, uint32_t element_bytes, covei_payload *out_payload) {
    if ((unsigned)type > COVE_TYPE_ANY)
        return covei_fail(COVE_ERR_OPTION, 0, "check options", "the option 'type' has a value that Cove %s does not know", COVE_VERSION);
    if (element_bytes && type != COVE_TYPE_STRUCT && element_bytes != cove_type_bytes(type))
        return covei_fail(COVE_ERR_OPTION, 0, "check options", "an element of type %s has %u bytes, not %u", cove_type_label(type),
                          cove_type_bytes(type), element_bytes);
    if (type == COVE_TYPE_STRUCT && !element_bytes)
        return covei_fail(COVE_ERR_OPTION, 0, "check options", "values that are structs need element_bytes: sizeof(struct)");
    if (capacity_bytes > COVEI_CAPACITY_MAX)
        return covei_fail(COVE_ERR_SIZE, 0, "check options", "a value of %llu bytes is too large: %llu are the most",
                          (unsigned long long)capacity_bytes, (unsigned long long)COVEI_CAPACITY_MAX);
    cove_type chosen = type ? type : COVE_TYPE_BYTES;
    uint32_t each = type == COVE_TYPE_STRUCT ? element_bytes : cove_type_bytes(chosen);
    uint64_t capacity = capacity_bytes ? capacity_bytes : type == COVE_TYPE_STRUCT ? element_bytes : COVEI_CAPACITY_DEFAULT;
    (void)covei_payload_make(out_payload, capacity, chosen, each);
    return COVE_OK;
}

cove_result covei_number_fits(const char *what, uint64_t have, uint64_t want, bool at_least) {
    if (!want || have == want || (at_least && have > want))
        return COVE_OK;
    return covei_fail(COVE_ERR_SIZE, 0, "open", "its %s is %llu, and %s%llu was asked for", what, (unsigned long long)have,
                      at_least ? "at least " : "", (unsigned long long)want);
}

cove_result covei_payload_fits(const covei_payload *have, uint64_t capacity_bytes, cove_type type, uint32_t element_bytes, bool at_least) {
    if (type && type != have->type)
        return covei_fail(COVE_ERR_TYPE, 0, "open", "it carries %s, and %s was asked for", cove_type_label(have->type),
                          cove_type_label(type));
    if (type == COVE_TYPE_STRUCT && element_bytes != have->element_bytes)
        return covei_fail(COVE_ERR_TYPE, 0, "open", "its structs have %u bytes, and %u were asked for", have->element_bytes, element_bytes);
    return covei_number_fits("capacity", have->capacity_bytes, capacity_bytes, at_least);
}

cove_result covei_payload_check_size(covei_member *member, const covei_payload *payload, uint64_t size_bytes, const char *step) {
    if (covei_likely(size_bytes <= payload->capacity_bytes))
        return COVE_OK;
    return covei_member_told(member, COVE_ERR_SIZE, step, "%llu bytes do not fit into the %llu bytes of a value",
                             (unsigned long long)size_bytes, (unsigned long long)payload->capacity_bytes);
}

cove_result covei_payload_check(covei_member *member, const covei_payload *payload, cove_type type, const void *data, uint64_t size_bytes,
                                const char *step) {
    uint64_t count;
    if (covei_unlikely(type != payload->type && (payload->type != COVE_TYPE_ANY || type <= COVE_TYPE_UNSPECIFIED || type >= COVE_TYPE_ANY)))
        return covei_member_told(member, COVE_ERR_TYPE, step, "it carries %s, and the value is of type %s", cove_type_label(payload->type),
                                 cove_type_label(type));
    if (covei_unlikely(type == COVE_TYPE_ANY))
        return covei_member_told(member, COVE_ERR_TYPE, step, "a value has a type of its own, and 'any' is none");
    cove_result result = covei_payload_check_size(member, payload, size_bytes, step);
    if (covei_unlikely(result != COVE_OK))
        return result;
    if (covei_unlikely(!covei_payload_count(payload, type, size_bytes, &count)))
        return covei_member_told(member, COVE_ERR_SIZE, step, "%llu bytes are no whole number of elements of %u bytes (%s)",
                                 (unsigned long long)size_bytes, type == COVE_TYPE_STRUCT ? payload->element_bytes : cove_type_bytes(type),
                                 cove_type_label(type));
    if (covei_unlikely(type == COVE_TYPE_TEXT && !covei_text_is_valid(data, (size_t)size_bytes)))
        return covei_member_failed(member, COVE_ERR_TEXT, step, "the text is not valid UTF-8");
    return COVE_OK;
}

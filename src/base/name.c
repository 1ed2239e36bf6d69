/* Names: validity, and the reversible escaping of any key into a name. */
#include "base/name.h"

#include "base/error.h"

#include <string.h>

static bool is_plain(unsigned char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
}

bool covei_name_is_valid(const char *name) {
    if (!name || name[0] == '.' || !name[0])
        return false;
    for (size_t i = 0; name[i]; i++)
        if (i == COVE_NAME_MAX || !(is_plain((unsigned char)name[i]) || name[i] == '_'))
            return false;
    return true;
}

static bool is_prefix(const char *prefix) {
    return covei_name_is_valid(prefix) && !strchr(prefix, '-');
}

/* The prefix ends at the first '-', and '_' never stands for itself: so each name has one key at most. */
cove_result cove_name_escape(const char *prefix, const void *key, size_t length_bytes, char *out_name) {
    static const char digits[] = "0123456789abcdef";
    char name[COVE_NAME_MAX + 1];
    if (!out_name || (!key && length_bytes))
        return covei_fail(COVE_ERR_ARGUMENT, 0, "escape", "cove_name_escape needs a key and a place for the name");
    covei_error_about(NULL, NULL);
    if (!is_prefix(prefix))
        return covei_fail(COVE_ERR_NAME, 0, "escape", "the prefix '%s' is not a valid name without '-'", prefix ? prefix : "");
    size_t used = strlen(prefix);
    if (used + 1 > COVE_NAME_MAX)
        goto too_long;
    memcpy(name, prefix, used);
    name[used++] = '-';
    for (size_t i = 0; i < length_bytes; i++) {
        unsigned char c = ((const unsigned char *)key)[i];
        size_t need = is_plain(c) ? 1 : 3;
        if (used + need > COVE_NAME_MAX)
            goto too_long;
        if (need == 1) {
            name[used++] = (char)c;
        } else {
            name[used++] = '_';
            name[used++] = digits[c >> 4];
            name[used++] = digits[c & 15];
        }
    }
    name[used] = 0;
    memcpy(out_name, name, used + 1);
    return COVE_OK;
too_long:
    return covei_fail(COVE_ERR_NAME, 0, "escape", "the key of %zu bytes is too long: a name has at most %d bytes once escaped",
                      length_bytes, COVE_NAME_MAX);
}

static int digit_of(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

cove_result cove_name_unescape(const char *prefix, const char *name, void *out_key, size_t *out_length_bytes) {
    unsigned char key[COVE_NAME_MAX];
    size_t length = 0;
    if (!out_key || !out_length_bytes || !prefix || !name)
        return covei_fail(COVE_ERR_ARGUMENT, 0, "unescape", "cove_name_unescape needs a prefix, a name and places for the key");
    covei_error_about(NULL, NULL);
    size_t prefix_bytes = strlen(prefix);
    if (!is_prefix(prefix) || !covei_name_is_valid(name) || strncmp(prefix, name, prefix_bytes) || name[prefix_bytes] != '-')
        goto not_ours;
    for (const char *c = name + prefix_bytes + 1; *c; c++) {
        if (*c != '_') {
            key[length++] = (unsigned char)*c;
            continue;
        }
        int high = digit_of(c[1]), low = high < 0 ? -1 : digit_of(c[2]);
        if (low < 0 || is_plain((unsigned char)(high << 4 | low)))
            goto not_ours;
        key[length++] = (unsigned char)(high << 4 | low);
        c += 2;
    }
    memcpy(out_key, key, length);
    *out_length_bytes = length;
    return COVE_OK;
not_ours:
    return covei_fail(COVE_ERR_NAME, 0, "unescape", "the name '%s' was not made by cove_name_escape with the prefix '%s'", name, prefix);
}

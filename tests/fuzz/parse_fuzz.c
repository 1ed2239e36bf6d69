/* The command's parsers: lines of values of every type, sizes, modes, names; and what was parsed prints as what is parsed to the same. */
#include "tests/fuzz/fuzz.h"

#include "tools/cove/values.h"

#include "base/text.h"

const verb verbs[] = {{0}};

static void one_value(cove_type type, const char *text, size_t length) {
    static FILE *out;
    static char *printed;
    static size_t printed_bytes;
    value_buffer first = {0}, again = {0};
    if (!out)
        REQUIRE(out = open_memstream(&printed, &printed_bytes));
    rewind(out);
    if (parse_value(type, text, length, &first) && type >= COVE_TYPE_I8 && type <= COVE_TYPE_F64) {
        cove_value value = {.data = first.data, .length_bytes = first.length, .count = first.length / cove_type_bytes(type), .type = type};
        if (first.length)
            print_value(out, &value);
        fflush(out);
        if (first.length) {
            REQUIRE(parse_value(type, printed, strcspn(printed, "\n"), &again));
            REQUIRE(again.length == first.length);
            bool is_real = type >= COVE_TYPE_F32; /* a NaN has many patterns */
            REQUIRE(is_real || !memcmp(again.data, first.data, first.length));
        }
        json_decref(value_json(&value));
    }
    free(first.data);
    free(again.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char text[512], name[COVE_NAME_MAX + 1], key[COVE_NAME_MAX];
    size_t length;
    uint64_t bytes;
    uint32_t mode;
    cove_lifetime lifetime;
    if (size < 1 || size > sizeof text)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    one_value((cove_type)(data[0] % COVE_TYPE_ANY), text, size - 1);
    parse_size(text, &bytes);
    parse_mode(text, &mode);
    parse_lifetime(text, &lifetime);
    (void)covei_text_is_valid(data, size);
    (void)safe_text(text);
    if (cove_name_escape("p", data, size, name) == COVE_OK) {
        REQUIRE(cove_name_unescape("p", name, key, &length) == COVE_OK);
        REQUIRE(length == size && !memcmp(key, data, size));
    }
    cove_result ignored = cove_name_unescape("p", text, key, &length);
    (void)ignored;
    return 0;
}

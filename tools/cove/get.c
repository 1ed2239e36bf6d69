/* cove get */
#include "command.h"

#include <stdio.h>
#include <stdlib.h>

static bool take(void *context, int option, const char *value) {
    (void)option;
    (void)value;
    *(bool *)context = true;
    return true;
}

static bool print_hex(const unsigned char *data, uint64_t length) {
    for (uint64_t at = 0; at < length; at += 16) {
        printf("%08llx ", (unsigned long long)at);
        for (uint64_t i = at; i < at + 16; i++)
            i < length ? printf(i % 8 ? " %02x" : "  %02x", data[i]) : printf(i % 8 ? "   " : "    ");
        printf("  |");
        for (uint64_t i = at; i < at + 16 && i < length; i++)
            putchar(data[i] >= 32 && data[i] < 127 ? data[i] : '.');
        puts("|");
    }
    return !ferror(stdout);
}

static bool print_value(const unsigned char *data, uint64_t length, bool hex, bool json, uint64_t version) {
    if (json) {
        char *text = malloc(2 * (size_t)length + 1);
        if (!text)
            return false;
        for (uint64_t i = 0; i < length; i++)
            snprintf(text + 2 * i, 3, "%02x", data[i]);
        text[2 * length] = 0;
        print_json(json_pack("{s:I, s:I, s:s}", "length_bytes", (json_int_t)length, "version", (json_int_t)version, "hex", text));
        free(text);
        return true;
    }
    return hex ? print_hex(data, length) : fwrite(data, 1, (size_t)length, stdout) == length;
}

int run_get(int argc, char **argv) {
    static const struct option own[] = {{"hex", no_argument, NULL, 'x'}, {0}};
    settings s;
    bool hex = false;
    cove_block *block;
    cove_block_info info;
    uint64_t length, version;
    unsigned char *data = NULL;
    int status = read_options(argc, argv, own, take, &hex, &s);
    if (status >= 0)
        return status;
    if (argc - optind != 1)
        return misused("get", "get needs one name");
    cove_result result =
        cove_block_open(&block, argv[optind], &(cove_block_options){.domain = s.domain, .how = COVE_OPEN, .access = COVE_READ_ONLY});
    if (result != COVE_OK)
        return failed();
    result = cove_block_get_info(block, &info);
    length = info.length_bytes;
    while (result == COVE_OK) {
        uint64_t room = length;
        free(data);
        if (!(data = malloc(room ? (size_t)room : 1))) {
            say("no memory for %s", size_text(room));
            cove_block_close(block);
            return EXIT_NO_ROOM;
        }
        result = cove_block_get(block, data, room, &length, &version, s.deadline_ns);
        if (result != COVE_ERR_SIZE)
            break;
        result = COVE_OK; /* it grew meanwhile */
    }
    if (result != COVE_OK) {
        status = failed();
    } else if (!print_value(data, length, hex, s.json, version)) {
        say("writing to stdout failed");
        status = EXIT_NO_ROOM;
    } else {
        status = EXIT_DONE;
    }
    free(data);
    cove_block_close(block);
    return status;
}

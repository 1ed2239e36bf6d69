/* cove set */
#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct wish {
    uint64_t size_bytes;
    uint32_t mode;
    cove_lifetime lifetime;
    bool single;
} wish;

static bool take(void *context, int option, const char *value) {
    wish *w = context;
    if (option == 's' && !parse_size(value, &w->size_bytes)) {
        say("--size needs a number of bytes like 4096, 64K or 8M, and '%s' is none", value);
        return false;
    }
    if (option == 'm' && !parse_mode(value, &w->mode)) {
        say("--mode needs octal digits like 0640, and '%s' is none", value);
        return false;
    }
    if (option == 'l' && !parse_lifetime(value, &w->lifetime)) {
        say("--lifetime is while-used, while-owned or until-removed, not '%s'", value);
        return false;
    }
    if (option == '1')
        w->single = true;
    return true;
}

static char *read_all(FILE *in, size_t *out_length) {
    size_t length = 0, room = 1 << 16;
    char *data = malloc(room);
    while (data) {
        length += fread(data + length, 1, room - length, in);
        if (length < room)
            break;
        room *= 2;
        char *larger = realloc(data, room);
        if (!larger)
            free(data);
        data = larger;
    }
    *out_length = length;
    return data;
}

static int set_value(const settings *s, const wish *w, const char *name, const char *data, size_t length) {
    cove_block *block;
    cove_opened opened;
    cove_block_options options = {
        .domain = s->domain,
        .lifetime = w->lifetime,
        .mode = w->mode,
        .capacity_bytes = w->size_bytes ? w->size_bytes : length,
        .flags = w->single ? COVE_BLOCK_SINGLE : 0,
        .size_rule = w->size_bytes ? COVE_EXACT : COVE_AT_LEAST,
        .opened = &opened,
    };
    if (w->size_bytes && length > w->size_bytes) {
        say("the value has %zu bytes, and --size says %llu", length, (unsigned long long)w->size_bytes);
        return EXIT_NO_ROOM;
    }
    if (cove_block_open(&block, name, &options) != COVE_OK)
        return failed();
    int status = EXIT_DONE;
    if (cove_block_set(block, data, length, s->deadline_ns) != COVE_OK)
        status = failed();
    else if (s->json)
        print_json(json_pack("{s:s, s:b, s:I, s:I}", "name", name, "created", opened.created, "length_bytes", (json_int_t)length, "version",
                             (json_int_t)cove_block_version(block)));
    cove_block_close(block);
    return status;
}

int run_set(int argc, char **argv) {
    static const struct option own[] = {{"size", required_argument, NULL, 's'},
                                        {"mode", required_argument, NULL, 'm'},
                                        {"lifetime", required_argument, NULL, 'l'},
                                        {"single", no_argument, NULL, '1'},
                                        {0}};
    settings s;
    wish w = {.lifetime = COVE_UNTIL_REMOVED}; /* the command ends at once, and what it made must not end with it */
    FILE *in = stdin;
    size_t length;
    int status = read_options(argc, argv, own, take, &w, &s);
    if (status >= 0)
        return status;
    if (argc - optind < 1 || argc - optind > 2)
        return misused("set", "set needs a name, and may have a file");
    const char *file = argc - optind == 2 ? argv[optind + 1] : "-";
    if (strcmp(file, "-") && !(in = fopen(file, "rb"))) {
        say("%s: %s", file, strerror(errno));
        return errno == EACCES ? EXIT_DENIED : EXIT_NO;
    }
    char *data = read_all(in, &length);
    bool read_failed = ferror(in);
    int code = errno;
    if (in != stdin)
        fclose(in);
    if (!data || read_failed) {
        say(data ? "reading %s failed: %s" : "no memory for all of %s%s", file, data ? strerror(code) : "");
        status = EXIT_NO_ROOM;
    } else {
        status = set_value(&s, &w, argv[optind], data, length);
    }
    free(data);
    return status;
}

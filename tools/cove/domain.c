/* cove domain create */
#include "command.h"

#include <string.h>

static bool take(void *context, int option, const char *value) {
    (void)option;
    if (parse_mode(value, context))
        return true;
    say("--mode needs octal digits like 0660, and '%s' is none", value);
    return false;
}

int run_domain(int argc, char **argv) {
    static const struct option own[] = {{"mode", required_argument, NULL, 'm'}, {0}};
    settings s;
    uint32_t mode = 0;
    cove_domain_info info;
    int status = read_options(argc, argv, own, take, &mode, &s);
    if (status >= 0)
        return status;
    bool named = argc - optind == 2;
    if (argc - optind < 1 || strcmp(argv[optind], "create") || (!named && !(argc - optind == 1 && s.domain)))
        return misused("domain", "domain knows one thing to do: create DIR");
    const char *path = named ? argv[optind + 1] : s.domain;
    if (cove_domain_create(path, mode) != COVE_OK)
        return failed();
    if (s.json) {
        if (cove_inspect_domain(path, &info) != COVE_OK)
            return failed();
        print_json(json_pack("{s:s, s:s, s:i, s:i}", "path", info.path, "file_system", info.file_system, "mode", (int)info.mode,
                             "object_mode", (int)info.default_object_mode));
    }
    return EXIT_DONE;
}

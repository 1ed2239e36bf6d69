/* cove rm */
#include "command.h"

static bool take(void *context, int option, const char *value) {
    (void)option;
    (void)value;
    *(uint32_t *)context = COVE_REMOVE_FORCE;
    return true;
}

int run_rm(int argc, char **argv) {
    static const struct option own[] = {{"force", no_argument, NULL, 'f'}, {0}};
    settings s;
    uint32_t flags = 0;
    int status = read_options(argc, argv, own, take, &flags, &s);
    if (status >= 0)
        return status;
    if (optind == argc)
        return misused("rm", "rm needs a name");
    status = EXIT_DONE;
    json_t *removed = json_array();
    for (int i = optind; i < argc; i++) {
        int now = EXIT_DONE;
        if (cove_remove(s.domain, argv[i], flags) != COVE_OK)
            now = failed();
        else
            json_array_append_new(removed, json_string(argv[i]));
        status = now > status ? now : status;
    }
    if (s.json)
        print_json(json_incref(removed));
    json_decref(removed);
    return status;
}

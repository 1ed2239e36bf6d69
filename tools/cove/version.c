/* cove version */
#include "command.h"

#include <stdio.h>

int run_version(int argc, char **argv) {
    settings s;
    int status = read_options(argc, argv, NULL, NULL, NULL, &s);
    if (status >= 0)
        return status;
    if (s.json)
        print_json(json_pack("{s:s, s:s}", "command", COVE_VERSION, "library", cove_version()));
    else
        printf("cove %s (library %s)\n", COVE_VERSION, cove_version());
    return EXIT_DONE;
}

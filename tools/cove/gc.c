/* cove gc */
#include "command.h"

#include <inttypes.h>
#include <stdio.h>

static bool take(void *context, int option, const char *value) {
    (void)option;
    (void)value;
    *(uint32_t *)context = COVE_GC_DRY_RUN;
    return true;
}

typedef struct teller {
    bool dry;
    json_t *entries; /* null: as text */
} teller;

static void tell(void *context, const char *name, uint64_t bytes, cove_result outcome) {
    const teller *t = context;
    if (t->entries)
        json_array_append_new(t->entries, json_pack("{s:s, s:I, s:s}", "name", safe_text(name), "bytes", (json_int_t)bytes, "outcome",
                                                    outcome != COVE_OK ? cove_result_name(outcome)
                                                    : t->dry           ? "would be removed"
                                                                       : "removed"));
    else if (outcome == COVE_OK)
        printf("%s %s (%s)\n", t->dry ? "would remove" : "removed", safe_text(name), size_text(bytes));
    else
        say("%s stays: %s", safe_text(name), cove_result_text(outcome));
}

int run_gc(int argc, char **argv) {
    static const struct option own[] = {{"dry-run", no_argument, NULL, 'n'}, {0}};
    settings s;
    uint32_t flags = 0;
    cove_gc_report report;
    int status = read_options(argc, argv, own, take, &flags, &s);
    if (status >= 0)
        return status;
    if (optind < argc)
        return misused("gc", "gc takes no arguments; remove one object with: cove rm %s", argv[optind]);
    teller t = {flags & COVE_GC_DRY_RUN, s.json ? json_array() : NULL};
    if (cove_gc(s.domain, flags, tell, &t, &report) != COVE_OK) {
        json_decref(t.entries);
        return failed();
    }
    if (s.json)
        print_json(json_pack("{s:I, s:I, s:I, s:I, s:o}", "examined", (json_int_t)report.examined_count, "removed",
                             (json_int_t)report.removed_count, "removed_bytes", (json_int_t)report.removed_bytes, "refused",
                             (json_int_t)report.refused_count, "leftovers", t.entries));
    else
        fprintf(stderr, "%" PRIu64 " examined, %" PRIu64 " %s, %s freed\n", report.examined_count, report.removed_count,
                t.dry ? "to remove" : "removed", size_text(t.dry ? 0 : report.removed_bytes));
    return report.refused_count ? EXIT_DENIED : EXIT_DONE;
}

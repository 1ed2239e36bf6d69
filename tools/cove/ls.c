/* cove ls */
#include "command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct list {
    cove_object_info *objects;
    size_t count, room;
} list;

static bool collect(void *context, const cove_object_info *info) {
    list *l = context;
    if (l->count == l->room) {
        size_t room = l->room ? 2 * l->room : 64;
        cove_object_info *objects = realloc(l->objects, room * sizeof *objects);
        if (!objects)
            return false;
        l->objects = objects;
        l->room = room;
    }
    l->objects[l->count++] = *info;
    return true;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const cove_object_info *)a)->name, ((const cove_object_info *)b)->name);
}

static void print_row(const cove_object_info *o, int width) {
    bool known = o->state == COVE_OK || o->state == COVE_ERR_NOT_FOUND;
    char members[32] = "-";
    if (known)
        snprintf(members, sizeof members, "%u%s", o->live_count, o->has_readers ? "+r" : "");
    style state = o->state == COVE_OK ? (o->is_unrepaired ? YELLOW : GREEN) : o->state == COVE_ERR_NOT_FOUND ? DIM : RED;
    printf("%s%-*s%s  %-7s %9s %9s  %-13s %7s  %04o %5u %5s  %s%s%s\n", styled(BOLD), width, safe_text(o->name), styled(PLAIN),
           known ? cove_kind_name(o->kind) : "-", known ? size_text(o->kind == COVE_KIND_BLOCK ? o->length_bytes : o->capacity_bytes) : "-",
           size_text(o->allocated_bytes), known ? cove_lifetime_name(o->lifetime) : "-", members, o->mode, o->owner_uid,
           known ? age_text(o->created_unix_ns) : "-", styled(state),
           o->state == COVE_OK && o->is_unrepaired ? "unrepaired" : state_text(o->state), styled(PLAIN));
}

int run_ls(int argc, char **argv) {
    settings s;
    list l = {0};
    cove_domain_info domain;
    int status = read_options(argc, argv, NULL, NULL, NULL, &s);
    if (status >= 0)
        return status;
    if (optind < argc)
        return misused("ls", "ls takes no arguments; see one object with: cove stat %s", argv[optind]);
    if (cove_inspect_list(s.domain, collect, &l) != COVE_OK) {
        status = failed();
        if (status != EXIT_NO || s.domain) /* the default domain is made on first use; until then it is empty */
            return status;
    }
    if (l.count)
        qsort(l.objects, l.count, sizeof *l.objects, by_name);
    if (s.json) {
        json_t *all = json_array();
        for (size_t i = 0; i < l.count; i++)
            json_array_append_new(all, object_json(&l.objects[i]));
        print_json(all);
    } else if (l.count) {
        int width = 4;
        uint64_t bytes = 0;
        for (size_t i = 0; i < l.count; i++) {
            if ((int)strlen(l.objects[i].name) > width)
                width = (int)strlen(l.objects[i].name);
            bytes += l.objects[i].allocated_bytes;
        }
        printf("%s%-*s  %-7s %9s %9s  %-13s %7s  %4s %5s %5s  %s%s\n", styled(DIM), width, "NAME", "KIND", "LENGTH", "MEMORY", "LIFETIME",
               "MEMBERS", "MODE", "UID", "AGE", "STATE", styled(PLAIN));
        for (size_t i = 0; i < l.count; i++)
            print_row(&l.objects[i], width);
        if (cove_inspect_domain(s.domain, &domain) == COVE_OK)
            fprintf(stderr, "%zu in %s, %s of memory, %s free\n", l.count, domain.path, size_text(bytes), size_text(domain.free_bytes));
    }
    free(l.objects);
    return EXIT_DONE;
}

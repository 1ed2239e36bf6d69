/* cove stat */
#define _POSIX_C_SOURCE 200809L
#include "command.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static bool add_json(void *context, const cove_attachment_info *a) {
    json_t *one = json_pack("{s:i, s:i, s:b, s:b, s:i, s:I, s:b, s:s, s:I, s:b, s:i}", "slot", (int)a->slot, "generation",
                            (int)a->generation, "alive", a->is_alive, "owner", a->is_owner, "pid", (int)a->pid, "pid_namespace",
                            (json_int_t)a->pid_namespace, "same_pid_namespace", a->same_pid_namespace, "program", safe_text(a->program),
                            "since_unix_ns", (json_int_t)a->since_unix_ns, "writing", a->is_writing, "reading", (int)a->reading_count);
    json_object_set_new(one, "writer", json_boolean(a->is_writer));
    json_object_set_new(one, "reader", json_boolean(a->is_reader));
    json_object_set_new(one, "lossless", json_boolean(a->is_awaited));
    json_object_set_new(one, "behind", json_integer((json_int_t)a->behind_count));
    json_object_set_new(one, "borrowed", json_integer(a->borrowed_count));
    json_object_set_new(one, "consumer", json_boolean(a->is_consumer));
    json_object_set_new(one, "in_hand", json_integer(a->taken_count));
    json_object_set_new(one, "bell", json_boolean(a->has_bell));
    json_array_append_new(context, one);
    return true;
}

static bool print_attachment(void *context, const cove_attachment_info *a) {
    const cove_object_info *o = context;
    printf("  %sslot %-4u%s pid %-8u %-16s %s%-5s%s for %s", styled(BOLD), a->slot, styled(PLAIN), a->pid, safe_text(a->program),
           styled(a->is_alive ? GREEN : RED), a->is_alive ? "alive" : "dead", styled(PLAIN), age_text(a->since_unix_ns));
    if (a->is_owner)
        printf(", owner");
    if (a->is_writing)
        printf(", %sholds the write lock%s", styled(YELLOW), styled(PLAIN));
    if (a->reading_count)
        printf(", holds %u read lock%s", a->reading_count, a->reading_count == 1 ? "" : "s");
    if (a->is_writer)
        printf(o->kind == COVE_KIND_QUEUE ? ", produces" : ", writes");
    if (a->is_consumer)
        printf(", consumes");
    if (a->taken_count)
        printf(", %shas %u in hand%s", styled(a->is_alive ? PLAIN : YELLOW), a->taken_count, styled(PLAIN));
    if (a->is_reader)
        printf(", reads%s, %" PRIu64 " behind", a->is_awaited ? " lossless" : "", a->behind_count);
    if (a->borrowed_count)
        printf(", has borrowed %u", a->borrowed_count);
    if (a->has_bell)
        printf(", waits by a descriptor");
    if (!a->same_pid_namespace)
        printf(", in another PID namespace (%" PRIu64 ")", a->pid_namespace);
    putchar('\n');
    return true;
}

/* How quickly messages come and go: two looks, a moment apart. False: it has gone meanwhile. */
#define MOMENT_NS 200000000
static bool measure(const settings *s, const cove_object_info *o, rates *out) {
    cove_object_info later;
    cove_time_ns began = cove_now();
    nanosleep(&(struct timespec){0, MOMENT_NS}, NULL);
    if (cove_inspect_object(s->domain, o->name, &later) != COVE_OK || memcmp(o->id, later.id, sizeof o->id))
        return false;
    *out = rates_between(o, &later, cove_now() - began);
    return true;
}

static void print_queue(const settings *s, const cove_object_info *o) {
    rates r;
    printf("  messages   %s, up to %s (%" PRIu64 " bytes) each%s\n", cove_type_label(o->type), size_text(o->capacity_bytes),
           o->capacity_bytes, o->keeps_times ? ", with times" : "");
    printf("  waiting    %s%" PRIu64 "%s of %u", styled(o->ready_count >= o->depth ? YELLOW : BOLD), o->ready_count, styled(PLAIN),
           o->depth);
    if (o->keeps_times && o->ready_count)
        printf(", the oldest for %s", duration_text(o->oldest_age_ns));
    printf(o->drops_oldest ? "; when it is full, the oldest is dropped\n" : "\n");
    printf("  in flight  %" PRIu64 "\n", o->in_flight_count);
    printf("  so far     %" PRIu64 " pushed, %" PRIu64 " delivered, %" PRIu64 " delivered again, %" PRIu64 " dropped\n", o->newest_sequence,
           o->delivered_count, o->redelivered_count, o->dropped_count);
    if (measure(s, o, &r))
        printf("  now        %.0f pushed and %.0f taken a second\n", r.pushed, r.taken);
    if (o->dead_letter[0])
        printf("  dead ones  %" PRIu64 " went to the queue %s, each after %u deliveries\n", o->dead_letter_count, safe_text(o->dead_letter),
               o->max_deliveries);
    printf("  buffers    %u: %u of depth, %u for loans, %u for holds\n", o->depth + o->loans + o->holds, o->depth, o->loans, o->holds);
    printf("  producers  %u%s\n  consumers  %u%s\n", o->writer_count, o->has_only_writer ? ", the only one" : "", o->consumer_count,
           o->has_only_consumer ? ", the only one" : "");
}

static void print_object(const settings *s, const cove_object_info *o) {
    printf("%s%s%s  %s\n", styled(BOLD), safe_text(o->name), styled(PLAIN),
           o->state == COVE_OK ? cove_kind_name(o->kind) : state_text(o->state));
    printf("  file       %s (%" PRIu64 " bytes), mode %04o, uid %u\n", size_text(o->file_bytes), o->file_bytes, o->mode, o->owner_uid);
    if (o->state != COVE_OK && o->state != COVE_ERR_NOT_FOUND) {
        printf("  state      %s\n", cove_result_text(o->state));
        return;
    }
    printf("  lifetime   %s%s\n", cove_lifetime_name(o->lifetime),
           o->state == COVE_ERR_NOT_FOUND                    ? "; its last user is dead, and the next call removes it"
           : o->lifetime == COVE_WHILE_OWNED && o->has_owner ? "; its owner is alive"
           : o->lifetime == COVE_WHILE_OWNED                 ? "; it has no live owner"
                                                             : "");
    printf("  created    %s ago by Cove %s, layout %u.%u%s\n", age_text(o->created_unix_ns), safe_text(o->creator_version), o->layout_major,
           o->layout_minor, o->created_before_boot ? ", before this machine started" : "");
    if (o->type_name[0] || o->schema_hash)
        printf("  type       %s, schema %016" PRIx64 "\n", safe_text(o->type_name), o->schema_hash);
    if (o->kind == COVE_KIND_BLOCK) {
        printf("  value      %" PRIu64 " of %" PRIu64 " bytes, version %" PRIu64 ", %s\n", o->length_bytes, o->capacity_bytes, o->version,
               o->is_single_copy ? "one copy" : "two copies");
        if (o->is_unrepaired)
            printf("  %sunrepaired%s a writer was killed inside; set the value anew, or check and repair it\n", styled(RED), styled(PLAIN));
    }
    if (o->kind == COVE_KIND_STREAM) {
        printf("  values     %s, up to %s (%" PRIu64 " bytes) each%s\n", cove_type_label(o->type), size_text(o->capacity_bytes),
               o->capacity_bytes, o->keeps_times ? ", with times" : "");
        printf("  sequence   %" PRIu64 "; the last %u are kept\n", o->newest_sequence, o->depth);
        printf("  buffers    %u: %u of depth, %u for loans, %u for borrows; %u borrowed\n", o->depth + o->loans + o->borrows, o->depth,
               o->loans, o->borrows, o->borrowed_count);
        printf("  writers    %u%s\n", o->writer_count, o->has_only_writer ? ", the only one" : "");
    }
    if (o->kind == COVE_KIND_QUEUE)
        print_queue(s, o);
    printf("  members    %u of %u slots alive%s\n", o->live_count, o->slot_count, o->has_readers ? ", and read-only members" : "");
    if (o->live_count + o->dead_count && cove_inspect_attachments(s->domain, o->name, print_attachment, (void *)(uintptr_t)o) != COVE_OK)
        failed();
}

int run_stat(int argc, char **argv) {
    settings s;
    int status = read_options(argc, argv, NULL, NULL, NULL, &s);
    if (status >= 0)
        return status;
    if (optind == argc)
        return misused("stat", "stat needs a name");
    status = EXIT_DONE;
    json_t *all = json_array();
    for (int i = optind; i < argc; i++) {
        cove_object_info info;
        if (cove_inspect_object(s.domain, argv[i], &info) != COVE_OK) {
            int now = failed();
            status = now > status ? now : status;
            continue;
        }
        int now = exit_status(info.state);
        status = now > status ? now : status;
        if (s.json) {
            json_t *o = object_json(&info), *members = json_array();
            rates r;
            if (info.state == COVE_OK && info.kind == COVE_KIND_QUEUE && measure(&s, &info, &r)) {
                json_object_set_new(o, "pushed_per_second", json_real(r.pushed));
                json_object_set_new(o, "taken_per_second", json_real(r.taken));
            }
            if (info.state == COVE_OK || info.state == COVE_ERR_NOT_FOUND) {
                cove_result result = cove_inspect_attachments(s.domain, info.name, add_json, members);
                (void)result; /* what could be seen is there */
            }
            json_object_set_new(o, "attachments", members);
            json_array_append_new(all, o);
        } else {
            print_object(&s, &info);
        }
    }
    if (s.json)
        print_json(json_incref(argc - optind == 1 && json_array_size(all) == 1 ? json_array_get(all, 0) : all));
    json_decref(all);
    return status;
}

/* cove push */
#include "input.h"

#include <stdlib.h>

typedef struct wish {
    input_wish input; /* first: input_take is given all of it */
    const char *dead_letter;
    uint32_t deliveries;
    bool drops;
} wish;

static bool take(void *context, int option, const char *value) {
    wish *w = context;
    char *end;
    switch (option) {
    case '1': w->dead_letter = value; return true;
    case '2': {
        unsigned long number = strtoul(value, &end, 10);
        w->deliveries = (uint32_t)number;
        if (end != value && !*end && number >= 1 && number <= COVE_QUEUE_DELIVERIES_MAX)
            return true;
        say("--max-deliveries needs a number from 1 to %u, and '%s' is none", COVE_QUEUE_DELIVERIES_MAX, value);
        return false;
    }
    case '3': w->drops = true; return true;
    default: return input_take(&w->input, option, value);
    }
}

/* What exists, as it is; what does not, with the sizes that suit lines of text, with times, and to stay: messages are not to be lost
 * because nobody is there who waits for them. */
static cove_result open_for_pushing(cove_queue **out_queue, const char *name, const char *domain, const wish *w) {
    cove_queue_options o = {
        .domain = domain,
        .how = COVE_OPEN,
        .size_rule = COVE_AT_LEAST,
        .mode = w->input.mode,
        .interruptible = true,
        .type = w->input.type,
        .capacity_bytes = w->input.capacity_bytes,
        .depth = w->input.depth,
        .flags = COVE_QUEUE_PRODUCER | (w->input.only ? COVE_QUEUE_ONLY_PRODUCER : 0) | (w->input.times ? COVE_QUEUE_TIMES : 0) |
                 (w->drops ? COVE_QUEUE_DROP_OLDEST : 0),
    };
    cove_result result = cove_queue_open(out_queue, name, &o);
    if (result != COVE_ERR_NOT_FOUND)
        return result;
    o.how = COVE_OPEN_OR_CREATE;
    o.lifetime = w->input.has_lifetime ? w->input.lifetime : COVE_UNTIL_REMOVED;
    o.type = input_type(&w->input);
    o.capacity_bytes = input_capacity(&w->input);
    o.flags |= COVE_QUEUE_TIMES;
    o.dead_letter = w->dead_letter;
    o.max_deliveries = w->deliveries;
    return cove_queue_open(out_queue, name, &o);
}

static cove_result send_message(void *queue, const void *data, size_t length, uint64_t tag, cove_time_ns deadline_ns) {
    return cove_queue_push(queue, data, length, tag, deadline_ns);
}

int run_push(int argc, char **argv) {
    static const struct option own[] = {INPUT_OPTIONS("only-producer"),
                                        {"dead-letter", required_argument, NULL, '1'},
                                        {"max-deliveries", required_argument, NULL, '2'},
                                        {"drop-oldest", no_argument, NULL, '3'},
                                        {0}};
    settings s;
    wish w = {0};
    cove_queue *queue;
    cove_queue_info info;
    uint64_t count = 0;
    int status = read_options(argc, argv, own, take, &w, &s);
    uint64_t patience_ns = !s.has_timeout ? UINT64_MAX : s.deadline_ns ? s.deadline_ns - cove_now() : 0;
    if (status >= 0)
        return status;
    if (argc - optind != 1)
        return misused("push", "push needs one name");
    is_stopped();
    if (open_for_pushing(&queue, argv[optind], s.domain, &w) != COVE_OK || cove_queue_get_info(queue, &info) != COVE_OK)
        return failed();
    status = input_send_all(&w.input, info.type, patience_ns, send_message, queue, &count);
    if (s.json)
        print_json(json_pack("{s:s, s:I}", "name", argv[optind], "pushed", (json_int_t)count));
    cove_queue_close(queue);
    return status;
}

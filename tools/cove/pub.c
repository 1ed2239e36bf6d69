/* cove pub */
#include "input.h"

/* What exists, as it is; what does not, with the sizes that suit lines of text. */
static cove_result open_for_writing(cove_stream **out_stream, const char *name, const char *domain, const input_wish *w) {
    cove_stream_options o = {
        .domain = domain,
        .how = COVE_OPEN,
        .size_rule = COVE_AT_LEAST,
        .lifetime = w->lifetime,
        .mode = w->mode,
        .interruptible = true,
        .type = w->type,
        .capacity_bytes = w->capacity_bytes,
        .depth = w->depth,
        .flags = COVE_STREAM_WRITER | (w->times ? COVE_STREAM_TIMES : 0) | (w->only ? COVE_STREAM_ONLY_WRITER : 0),
    };
    cove_result result = cove_stream_open(out_stream, name, &o);
    if (result != COVE_ERR_NOT_FOUND)
        return result;
    o.how = COVE_OPEN_OR_CREATE;
    o.type = input_type(w);
    o.capacity_bytes = input_capacity(w);
    return cove_stream_open(out_stream, name, &o);
}

static cove_result send_value(void *stream, const void *data, size_t length, uint64_t tag, cove_time_ns deadline_ns) {
    return cove_stream_write(stream, data, length, tag, deadline_ns);
}

int run_pub(int argc, char **argv) {
    static const struct option own[] = {INPUT_OPTIONS("only-writer"), {0}};
    settings s;
    input_wish w = {0};
    cove_stream *stream;
    cove_stream_info info;
    uint64_t count = 0;
    int status = read_options(argc, argv, own, input_take, &w, &s);
    uint64_t patience_ns = status < 0 && s.deadline_ns ? s.deadline_ns - cove_now() : 0;
    if (status >= 0)
        return status;
    if (argc - optind != 1)
        return misused("pub", "pub needs one name");
    is_stopped();
    if (open_for_writing(&stream, argv[optind], s.domain, &w) != COVE_OK || cove_stream_get_info(stream, &info) != COVE_OK)
        return failed();
    status = input_send_all(&w, info.type, patience_ns, send_value, stream, &count);
    if (s.json)
        print_json(json_pack("{s:s, s:I}", "name", argv[optind], "published", (json_int_t)count));
    cove_stream_close(stream);
    return status;
}

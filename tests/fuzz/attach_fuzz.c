/* Attaching to arbitrary files: a good file, of which the input changes some bytes, with the checksum put right or not. */
#include "tests/fuzz/fuzz.h"

#include "segment/segment_layout.h"

#include <fcntl.h>

#define PAGE_BYTES 4096
static uint8_t template[3][1 << 16];
static size_t template_bytes[3];

static void keep_template(int kind, const char *name) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", getenv("COVE_DOMAIN"), name);
    FILE *file = fopen(path, "rb");
    REQUIRE(file);
    template_bytes[kind] = fread(template[kind], 1, sizeof template[kind], file);
    fclose(file);
}

static void make_templates(void) {
    cove_block *block;
    cove_stream *stream;
    REQUIRE(cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = 100, .slots = 4, .type_name = "t"}) == COVE_OK);
    REQUIRE(cove_block_set(block, "value", 5, COVE_TRY) == COVE_OK);
    keep_template(0, "b");
    cove_block_close(block);
    REQUIRE(cove_stream_open(&stream, "s", &(cove_stream_options){.type = COVE_TYPE_ANY, .slots = 4, .depth = 2}) == COVE_OK);
    REQUIRE(cove_stream_write(stream, "value", 5, 7, COVE_TRY) == COVE_OK);
    keep_template(1, "s");
    cove_stream_close(stream);
    cove_queue *queue;
    REQUIRE(cove_queue_open(&queue, "q", &(cove_queue_options){.type = COVE_TYPE_ANY, .slots = 4, .depth = 2}) == COVE_OK);
    REQUIRE(cove_queue_push(queue, "value", 5, 7, COVE_TRY) == COVE_OK);
    keep_template(2, "q");
    cove_queue_close(queue);
}

/* FNV-1a, as the facts have it. */
static void mend_checksum(uint8_t *bytes) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < offsetof(covei_facts_shm, checksum); i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    memcpy(bytes + offsetof(covei_facts_shm, checksum), &hash, sizeof hash);
}

static volatile cove_result ignored;
static uint64_t sum;

static void touch(const void *data, uint64_t length) {
    for (uint64_t i = 0; i < length; i++)
        sum += ((const uint8_t *)data)[i];
}

static void use_block(const char *name, cove_access access) {
    cove_block *block;
    cove_block_view view;
    cove_block_info info;
    uint8_t data[256];
    uint64_t length;
    if (cove_block_open(&block, name, &(cove_block_options){.how = COVE_OPEN, .access = access, .trust_any_owner = true}) != COVE_OK)
        return;
    if (cove_block_get(block, data, sizeof data, &length, NULL, COVE_TRY) == COVE_OK)
        touch(data, length);
    if (cove_block_lock_read(block, &view, COVE_TRY) >= 0) {
        touch(view.data, view.length_bytes);
        ignored = cove_block_unlock(block, &view);
    }
    ignored = cove_block_set(block, "new", 3, COVE_TRY);
    ignored = cove_block_get_info(block, &info);
    cove_block_close(block);
}

static void use_stream(const char *name, cove_access access, cove_follow follow) {
    cove_stream *stream;
    cove_value value;
    uint8_t data[256];
    cove_stream_options options = {
        .how = COVE_OPEN, .access = access, .follow = follow, .start = COVE_START_OLDEST, .trust_any_owner = true};
    if (cove_stream_open(&stream, name, &options) != COVE_OK)
        return;
    for (int i = 0; i < 3; i++) {
        if (cove_stream_read(stream, data, sizeof data, &value, COVE_TRY) >= 0)
            touch(data, value.length_bytes);
        if (cove_stream_borrow(stream, &value, COVE_TRY) >= 0) {
            touch(value.data, value.length_bytes);
            ignored = cove_stream_give_back(stream, &value);
        }
        ignored = cove_stream_write(stream, "new", 3, 0, COVE_TRY);
    }
    cove_stream_close(stream);
}

static void use_queue(const char *name, cove_access access) {
    cove_queue *queue;
    cove_message m;
    cove_queue_info info;
    uint8_t data[256];
    if (cove_queue_open(&queue, name, &(cove_queue_options){.how = COVE_OPEN, .access = access, .trust_any_owner = true}) != COVE_OK)
        return;
    for (int i = 0; i < 3; i++) {
        if (cove_queue_peek(queue, data, sizeof data, &m, COVE_TRY) >= 0)
            touch(data, m.length_bytes);
        if (cove_queue_pop(queue, data, sizeof data, &m, COVE_TRY) >= 0)
            touch(data, m.length_bytes);
        if (cove_queue_take(queue, &m, COVE_TRY) >= 0) {
            touch(m.data, m.length_bytes);
            ignored = cove_queue_put_back(queue, &m);
        }
        ignored = cove_queue_push(queue, "new", 3, 0, COVE_TRY);
    }
    ignored = cove_queue_get_info(queue, &info);
    cove_queue_close(queue);
}

static bool count_member(void *context, const cove_attachment_info *info) {
    *(uint64_t *)context += info->pid;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t bytes[1 << 16];
    char path[128];
    input in = {data, size, 0};
    cove_object_info info;
    use_own_domain();
    if (!template_bytes[0])
        make_templates();
    uint8_t how = take_byte(&in);
    int kind = (how & 1) + (how >> 6 & 1);
    size_t length = template_bytes[kind];
    memcpy(bytes, template[kind], length);
    while (in.at < in.size) {
        size_t at = (size_t)take_number(&in, 2) % length;
        if (how & 2)
            at %= 512; /* mostly the facts */
        uint8_t width = take_byte(&in) % 8 + 1;
        for (int i = 0; i < width && at < length; i++)
            bytes[at++] = take_byte(&in);
    }
    if (!(how & 4))
        mend_checksum(bytes);
    if (how & 8)
        length = (size_t)take_number(&in, 2) % (length + 1);
    snprintf(path, sizeof path, "%s/x", getenv("COVE_DOMAIN"));
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0 && write(fd, bytes, length) == (ssize_t)length);
    close(fd);
    ignored = cove_inspect_object(NULL, "x", &info);
    ignored = cove_inspect_attachments(NULL, "x", count_member, &sum);
    use_block("x", COVE_READ_ONLY);
    use_stream("x", COVE_READ_ONLY, COVE_FOLLOW_ALL);
    use_queue("x", COVE_READ_ONLY);
    use_queue("x", COVE_READ_WRITE);
    use_block("x", COVE_READ_WRITE);
    use_stream("x", COVE_READ_WRITE, (cove_follow)(how >> 4 & 3) > COVE_FOLLOW_LOSSLESS ? COVE_FOLLOW_ALL : (cove_follow)(how >> 4 & 3));
    ignored = cove_gc(NULL, 0, NULL, NULL, NULL);
    ignored = cove_remove(NULL, "x", COVE_REMOVE_FORCE);
    unlink(path);
    return 0;
}

/* Writers that are killed while they write, under readers that check every byte. */
#include "tests/support.h"

#define SEEDS 16

static struct scene {
    _Atomic uint64_t confirmed; /* the version that the last `set` that returned has made */
    _Atomic uint64_t read, torn, backward, lost;
    _Atomic uint32_t is_writing, stop;
} * scene;
static size_t value_bytes;
static char *values[SEEDS];

/* Values follow from versions, so a reader knows what it must see. There is one writer at a time. */
static int write_for_ever(void *context) {
    cove_block *block;
    (void)context;
    if (cove_block_open(&block, "value", &(cove_block_options){.how = COVE_OPEN}) != COVE_OK)
        return 1;
    for (;;) {
        uint64_t next = cove_block_version(block) + 1;
        if (cove_block_set(block, values[next % SEEDS], value_bytes, COVE_FOREVER) != COVE_OK)
            return 2;
        scene->confirmed = next;
        scene->is_writing = 1;
    }
}

static void check(const void *data, uint64_t length, uint64_t version, uint64_t *last, uint64_t confirmed) {
    uint64_t seed = 0;
    memcpy(&seed, data, sizeof seed);
    scene->torn += length != value_bytes || seed != version % SEEDS + 1 || !is_pattern(data, length);
    scene->backward += version < *last;
    scene->lost += version < confirmed;
    scene->read++;
    *last = version;
}

static int read_by_copy(void *context) {
    cove_block *block;
    char *data = malloc(value_bytes);
    uint64_t length, version, last = 0;
    if (cove_block_open(&block, "value", &(cove_block_options){.how = COVE_OPEN, .access = *(cove_access *)context}) != COVE_OK)
        return 1;
    while (!scene->stop) {
        uint64_t confirmed = scene->confirmed;
        if (cove_block_get(block, data, value_bytes, &length, &version, cove_in_ms(20000)) != COVE_OK) {
            fprintf(stderr, "get: %s\n", cove_last_error()->sentence);
            return 2;
        }
        check(data, length, version, &last, confirmed);
    }
    cove_block_close(block);
    free(data);
    return 0;
}

static int read_in_place(void *context) {
    cove_block *block;
    cove_block_view view;
    uint64_t last = 0;
    (void)context;
    if (cove_block_open(&block, "value", &(cove_block_options){.how = COVE_OPEN}) != COVE_OK)
        return 1;
    while (!scene->stop) {
        uint64_t confirmed = scene->confirmed;
        if (cove_block_lock_read(block, &view, COVE_FOREVER) != COVE_OK)
            return 2;
        check(view.data, view.length_bytes, view.version, &last, confirmed);
        if (cove_block_unlock(block, &view) != COVE_OK)
            return 3;
    }
    cove_block_close(block);
    return 0;
}

static bool note_dead_writer(void *context, const cove_attachment_info *info) {
    if (info->is_writing && !info->is_alive)
        *(int *)context = 1;
    return true;
}

static void kill_writers(size_t bytes, int kills) {
    cove_block *block;
    cove_access read_only = COVE_READ_ONLY, read_write = COVE_READ_WRITE;
    int inside = 0;
    value_bytes = bytes;
    scene = shared_memory(sizeof *scene);
    for (int i = 0; i < SEEDS; i++) {
        values[i] = malloc(bytes);
        fill_pattern(values[i], bytes, (uint64_t)i + 1);
    }
    expect(COVE_OK, cove_block_open(&block, "value", &(cove_block_options){.capacity_bytes = bytes}));
    expect(COVE_OK, cove_block_set(block, values[1], bytes, COVE_FOREVER));
    pid_t readers[] = {child(read_by_copy, &read_only), child(read_by_copy, &read_write), child(read_in_place, NULL)};
    for (int i = 0; i < kills; i++) {
        int was_inside = 0;
        scene->is_writing = 0;
        pid_t writer = child(write_for_ever, NULL);
        eventually(scene->is_writing);
        usleep(random_number() % 1500);
        kill_child(writer);
        expect(COVE_OK, cove_inspect_attachments(NULL, "value", note_dead_writer, &was_inside));
        inside += was_inside;
    }
    scene->stop = 1;
    for (int i = 0; i < 3; i++)
        assert_int_equal(end_of(readers[i]), 0);
    printf("    %zu bytes: %d kills, %.0f %% of them inside set; %lu values written, %lu read\n", bytes, kills, 100.0 * inside / kills,
           (unsigned long)cove_block_version(block), (unsigned long)scene->read);
    assert_int_equal(scene->torn, 0);
    assert_int_equal(scene->backward, 0);
    assert_int_equal(scene->lost, 0);
    assert_true(scene->read > 100);
    assert_true(inside * 2 >= kills);
    cove_block_close(block);
    for (int i = 0; i < SEEDS; i++)
        free(values[i]);
}

TEST(writers_of_64_kib_killed_2000_times_tear_nothing_and_lose_nothing) {
    kill_writers(1 << 16, test_is_slow ? 200 : 2000);
}

TEST(writers_of_8_mib_killed_2000_times_tear_nothing_and_lose_nothing) {
    kill_writers(8 << 20, test_is_slow ? 100 : 2000);
}

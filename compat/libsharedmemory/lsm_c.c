/* See lsm_c.h: the same objects as of lsm::Memory. */
#define _GNU_SOURCE
#include "libsharedmemory/lsm_c.h"

#include <cove/block.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct lsm_memory {
    cove_block *block; /* null: closed */
    void *data;
    size_t size;
};

static lsm_memory *open_as(const char *path, size_t size, int persistent, cove_how how) {
    char name[COVE_NAME_MAX + 1];
    lsm_memory *memory = path && size ? calloc(1, sizeof *memory) : NULL;
    if (!memory) {
        errno = path && size ? ENOMEM : EINVAL;
        return NULL;
    }
    memory->size = size;
    cove_result result = cove_name_escape("lsm.memory", path, strlen(path), name);
    if (result == COVE_OK)
        result = cove_block_open(&memory->block, name,
                                 &(cove_block_options){.capacity_bytes = size,
                                                       .flags = COVE_BLOCK_SINGLE,
                                                       .size_rule = COVE_AT_LEAST,
                                                       .lifetime = persistent ? COVE_UNTIL_REMOVED : COVE_WHILE_USED,
                                                       .how = how});
    if (result == COVE_OK)
        result = cove_block_data(memory->block, &memory->data);
    if (result == COVE_OK)
        return memory;
    errno = cove_result_to_errno(result);
    lsm_free(memory);
    return NULL;
}

lsm_memory *lsm_create(const char *path, size_t size, int persistent) {
    return open_as(path, size, persistent, COVE_OPEN_OR_CREATE);
}

lsm_memory *lsm_open(const char *path, size_t size, int persistent) {
    return open_as(path, size, persistent, COVE_OPEN);
}

void *lsm_data(lsm_memory *memory) {
    return memory ? memory->data : NULL;
}

size_t lsm_size(lsm_memory *memory) {
    return memory ? memory->size : 0;
}

void lsm_close(lsm_memory *memory) {
    if (!memory)
        return;
    cove_block_close(memory->block);
    memory->block = NULL;
    memory->data = NULL;
}

void lsm_destroy(lsm_memory *memory) {
    if (memory && memory->block) {
        cove_result ignored = cove_block_remove(memory->block);
        (void)ignored;
    }
}

void lsm_free(lsm_memory *memory) {
    int error_number = errno;
    lsm_close(memory);
    free(memory);
    errno = error_number;
}

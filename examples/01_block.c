/* A block: one process sets a value, another gets it. Run it twice, or with `cove get weather` beside it. */
#include <cove/cove.h>
#include <stdio.h>
#include <string.h>

int main(void) {
    cove_block *block;
    char text[64];
    uint64_t length;

    if (cove_block_open(&block, "weather", &(cove_block_options){.capacity_bytes = sizeof text}) != COVE_OK) {
        fprintf(stderr, "%s\n", cove_last_error()->sentence);
        return 1;
    }
    if (cove_block_get(block, text, sizeof text, &length, NULL, COVE_FOREVER) == COVE_OK && length)
        printf("somebody said: %.*s\n", (int)length, text);
    if (cove_block_set(block, "sunny", strlen("sunny"), COVE_FOREVER) != COVE_OK)
        fprintf(stderr, "%s\n", cove_last_error()->sentence);
    if (cove_block_get(block, text, sizeof text, &length, NULL, COVE_FOREVER) == COVE_OK)
        printf("now it is: %.*s\n", (int)length, text);
    cove_block_close(block); /* the last one out removes it */
    return 0;
}

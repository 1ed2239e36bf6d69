/* A user's program, in the words that C and C++ share. */
#include <cove/cove.h>
#include <stdio.h>
#include <string.h>

int main(void) {
    cove_block *block;
    char text[8] = "";
    cove_block_options options;
    memset(&options, 0, sizeof options);
    options.capacity_bytes = sizeof text;
    if (cove_block_open(&block, "user", &options) != COVE_OK || cove_block_set(block, "hello", 5, COVE_FOREVER) != COVE_OK ||
        cove_block_get(block, text, sizeof text, NULL, NULL, COVE_FOREVER) != COVE_OK) {
        fprintf(stderr, "%s\n", cove_last_error()->sentence);
        return 1;
    }
    cove_block_close(block);
    return strcmp(text, "hello") || strcmp(cove_version(), COVE_VERSION);
}

/* Waiting for a change: the child sleeps until the parent sets a value. With nobody asleep, set makes no system call. */
#include <cove/cove.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(cove_result result) {
    if (result != COVE_OK) {
        fprintf(stderr, "%s\n", cove_last_error()->sentence);
        exit(1);
    }
}

static void count_down(void) {
    cove_block *block;
    uint64_t version = 0;
    int number;
    must(cove_block_open(&block, "number", &(cove_block_options){.access = COVE_READ_ONLY, .deadline_ns = cove_in_ms(5000)}));
    do {
        must(cove_block_wait(block, version, cove_in_ms(5000), NULL));
        must(cove_block_get(block, &number, sizeof number, NULL, &version, COVE_FOREVER));
        printf("the reader sees %d\n", number);
        fflush(stdout);
    } while (number > 0);
    cove_block_close(block);
}

int main(void) {
    cove_block *block;
    int status;
    must(cove_block_open(&block, "number", &(cove_block_options){.capacity_bytes = sizeof(int)}));
    pid_t pid = fork();
    if (!pid) {
        count_down();
        return 0;
    }
    for (int number = 3; number >= 0; number--) {
        must(cove_block_set(block, &number, sizeof number, COVE_FOREVER));
        usleep(50000);
    }
    waitpid(pid, &status, 0);
    cove_block_close(block);
    return status != 0;
}

/* Writes a text into the memory of a file: shmem_flock_server FILE TEXT. What it wrote stays until somebody deletes it. */
#include "shmem.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    char text[64] = "";
    if (argc < 3 || strlen(argv[2]) >= sizeof text) {
        fprintf(stderr, "usage: shmem_flock_server FILE TEXT (of less than 64 bytes)\n");
        return 2;
    }
    memcpy(text, argv[2], strlen(argv[2]));
    shmem_t *shmem = shmem_open(argv[1], sizeof text);
    if (!shmem || shmem_write(&shmem, text, sizeof text) != 0) {
        perror("shmem");
        return 1;
    }
    printf("written: %s\n", text);
    return shmem_close(&shmem) == 0 ? 0 : 1;
}

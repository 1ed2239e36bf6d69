/* Reads the text in the memory of a file, and with a second argument deletes it: shmem_flock_client FILE [delete]. */
#include "shmem.h"

#include <stdio.h>

int main(int argc, char **argv) {
    char text[64];
    shmem_t *shmem = argc > 1 ? shmem_open(argv[1], sizeof text) : NULL;
    if (!shmem || shmem_read(&shmem, text, sizeof text) != 0) {
        perror("shmem");
        return 1;
    }
    printf("read: %.64s\n", text);
    return (argc > 2 ? shmem_delete(&shmem) : shmem_close(&shmem)) == 0 ? 0 : 1;
}

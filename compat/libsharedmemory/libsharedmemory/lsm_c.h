/* Plain shared bytes from C: libsharedmemory's Memory. */
#ifndef LSM_C_H
#define LSM_C_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lsm_memory lsm_memory;

/* Makes it, all 0, or joins what is there; or only finds it. Null, with errno, on failure. Not persistent: it goes with its last user. */
lsm_memory *lsm_create(const char *path, size_t size, int persistent);
lsm_memory *lsm_open(const char *path, size_t size, int persistent);
/* The bytes, until lsm_close; then null. */
void *lsm_data(lsm_memory *memory);
size_t lsm_size(lsm_memory *memory);
/* Lets go of the bytes. */
void lsm_close(lsm_memory *memory);
/* Removes the name; who has the bytes keeps them. */
void lsm_destroy(lsm_memory *memory);
/* Lets go, and frees the handle. */
void lsm_free(lsm_memory *memory);

#ifdef __cplusplus
}
#endif
#endif

/* Named blocks of shared memory, as a DBJ component: each lives while a process has it, killed or not.
 *
 * Every function returns false on an error, with the reason in errno, and then nothing was changed:
 *     EINVAL        size 0 or over the block's, a key without a character, a null pointer, or, of `create`, the block exists with another size
 *     ENOENT        this process has not created a block of that key
 *     ENOSPC ENOMEM EMFILE EACCES …   as the system says
 *     ETIMEDOUT     a stopped process has kept the block for ten seconds
 * Any number of threads may call at once; a child of fork goes on with its parent's blocks. A key ends with its first 0. */
#ifndef DBJ_SHMEM_H
#define DBJ_SHMEM_H

#include "dbj-component.h"
#include "dbj_capi/dbj-string.h"

DBJ_EXTERN_C_BEGIN

#define DBJ_SHMEM_DLL_NAME "dbj-shmem.dll"

typedef dbj_string_64 dbj_shmem_key_type;

/* In this order: callers may be other binaries. */
struct component_shmem {
    /* Makes a block of `size` bytes, all 0, or joins the one that another process has made with that size. Again: as good. */
    bool (*create)(struct component_shmem *self, dbj_string_64 key, unsigned size);
    /* This process lets go of it. In C++, where the original's name is a keyword: delete_. */
#ifdef __cplusplus
    bool (*delete_)(struct component_shmem *self, dbj_string_64 key);
#else
    bool (*delete)(struct component_shmem *self, dbj_string_64 key);
#endif
    /* Replaces the first `size` bytes; the rest stays. Whoever gets sees all of it or nothing, and so it is left when the setter is killed. */
    bool (*set_value)(struct component_shmem *self, dbj_string_64 key, unsigned size, void *value);
    /* Copies the first `size` bytes to *value. Never waits for who sets. */
    bool (*get_value)(struct component_shmem *self, dbj_string_64 key, unsigned size, void **value);
};

/* "interface_factory". Always the same one; nothing has to be freed. */
typedef struct component_shmem *(*component_shmem_factory_fp)(void);
typedef component_shmem_factory_fp component_factory_fp;

DBJ_EXTERN_C_END
#endif

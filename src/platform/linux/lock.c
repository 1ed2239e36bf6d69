/* Locks that die with their holder, on Linux: byte locks of open file descriptions (F_OFD_SETLK).
 *
 * They belong to the description, which lives as long as a descriptor or a mapping of it does. A mapping that fork does not
 * copy therefore makes a lock that closefrom cannot take away, that no child inherits, and that exec and death drop.
 */
#define _GNU_SOURCE
#include "platform/linux/linux.h"

#include <fcntl.h>
#include <sys/mman.h>

static int control(covei_file file, int command, struct flock *lock) {
    int failed;
    COVEI_RETRY_EINTR(failed, fcntl((int)file.handle, command, lock));
    return failed;
}

static struct flock byte_lock(uint64_t byte, covei_lock kind) {
    return (struct flock){
        .l_type = kind == COVEI_LOCK_EXCLUSIVE ? F_WRLCK
                  : kind == COVEI_LOCK_SHARED  ? F_RDLCK
                                               : F_UNLCK,
        .l_whence = SEEK_SET,
        .l_start = (off_t)byte,
        .l_len = 1,
    };
}

cove_result covei_lock_try(covei_file file, uint64_t byte, covei_lock kind) {
    struct flock lock = byte_lock(byte, kind);
    if (control(file, F_OFD_SETLK, &lock) == 0)
        return COVE_OK;
    if (errno == EAGAIN || errno == EACCES)
        return COVE_ERR_BUSY;
    if (errno == EBADF)
        return covei_fail(COVE_ERR_ACCESS, errno, "lock", "the handle does not allow this lock");
    if (errno == EINVAL)
        return covei_fail(COVE_ERR_UNSUPPORTED, errno, "lock", "the kernel has no locks of open file descriptions");
    return covei_fail(errno == ENOLCK ? COVE_ERR_MEMORY : covei_linux_result(errno), errno, "lock", "a byte cannot be locked");
}

void covei_lock_release(covei_file file, uint64_t byte) {
    struct flock lock = byte_lock(byte, COVEI_LOCK_FREE);
    control(file, F_OFD_SETLK, &lock);
}

cove_result covei_lock_probe(covei_file file, uint64_t byte, covei_lock kind, covei_lock *out_held) {
    struct flock lock = byte_lock(byte, kind);
    if (control(file, F_OFD_GETLK, &lock) != 0)
        return covei_fail(covei_linux_result(errno), errno, "probe", "a lock cannot be asked for");
    *out_held = lock.l_type == F_WRLCK ? COVEI_LOCK_EXCLUSIVE : lock.l_type == F_RDLCK ? COVEI_LOCK_SHARED : COVEI_LOCK_FREE;
    return COVE_OK;
}

cove_result covei_token_carry(covei_file file, size_t granule_bytes, covei_token *out_token) {
    void *page = mmap(NULL, granule_bytes, PROT_NONE, MAP_SHARED, (int)file.handle, 0);
    if (page == MAP_FAILED)
        return covei_fail(covei_linux_result(errno), errno, "attach", "the page that carries the locks cannot be mapped");
    if (madvise(page, granule_bytes, MADV_DONTFORK) != 0) {
        int code = errno;
        munmap(page, granule_bytes);
        return covei_fail(COVE_ERR_UNSUPPORTED, code, "attach", "the kernel cannot keep a page from children of fork");
    }
    *out_token = (covei_token){page, granule_bytes};
    return COVE_OK;
}

void covei_token_drop(covei_token *token) {
    if (token->page)
        munmap(token->page, token->size_bytes);
    *token = (covei_token){0};
}

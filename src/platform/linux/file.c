/* Files and their mappings on Linux. */
#define _GNU_SOURCE
#include "platform/linux/linux.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1u /* the kernel's ABI */
#endif

static int flags_of(cove_access access) {
    return (access == COVE_READ_ONLY ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
}

cove_result covei_file_open(covei_dir dir, const char *name, cove_access access, covei_file *out_file) {
    int fd;
    COVEI_RETRY_EINTR(fd, openat((int)dir.handle, name, flags_of(access)));
    if (fd < 0) {
        cove_result result = covei_linux_result(errno);
        if (result == COVE_ERR_NOT_FOUND)
            return result;
        return covei_fail(result, errno, "open",
                          access == COVE_READ_ONLY ? "cannot be opened for reading" : "cannot be opened for writing");
    }
    out_file->handle = fd;
    return COVE_OK;
}

cove_result covei_file_create(covei_dir dir, const char *hidden, uint32_t mode, covei_file *out_file) {
    int fd;
    if (hidden)
        COVEI_RETRY_EINTR(fd, openat((int)dir.handle, hidden, flags_of(COVE_READ_WRITE) | O_CREAT | O_EXCL, 0600));
    else
        COVEI_RETRY_EINTR(fd, openat((int)dir.handle, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (fd < 0) {
        if (!hidden && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
            return COVE_ERR_UNSUPPORTED;
        if (hidden && errno == EEXIST)
            return COVE_ERR_EXISTS;
        return covei_fail(covei_linux_result(errno), errno, "create", "a file cannot be made in the domain");
    }
    if (fchmod(fd, mode) != 0) { /* whatever the umask made of it */
        int code = errno;
        close(fd);
        if (hidden)
            unlinkat((int)dir.handle, hidden, 0);
        return covei_fail(covei_linux_result(code), code, "create", "the file cannot be given mode %04o", mode);
    }
    out_file->handle = fd;
    return COVE_OK;
}

cove_result covei_file_reserve(covei_file file, uint64_t size_bytes) {
    /* In pieces: a signal makes the kernel give up a piece and undo it, and a piece of gigabytes would never get through. */
    const uint64_t piece_bytes = UINT64_C(64) << 20;
    for (uint64_t at = 0; at < size_bytes;) {
        uint64_t length = size_bytes - at < piece_bytes ? size_bytes - at : piece_bytes;
        if (at + length > INT64_MAX)
            return covei_fail(COVE_ERR_SIZE, 0, "reserve", "no file can have %llu bytes", (unsigned long long)size_bytes);
        int code = posix_fallocate((int)file.handle, (off_t)at, (off_t)length);
        if (code == EINTR)
            continue;
        if (code)
            return covei_fail(code == EFBIG ? COVE_ERR_SPACE : covei_linux_result(code), code, "reserve", "%llu bytes cannot be reserved",
                              (unsigned long long)size_bytes);
        at += length;
    }
    return COVE_OK;
}

static int publish_nameless(int dir_fd, int fd, const char *name) {
    if (linkat(fd, "", dir_fd, name, AT_EMPTY_PATH) == 0)
        return 0;
    if (errno != ENOENT && errno != EPERM && errno != EINVAL)
        return errno;
    /* Older kernels let only the mighty link an empty path. */
    char path[48];
    snprintf(path, sizeof path, "/proc/thread-self/fd/%d", fd);
    if (linkat(AT_FDCWD, path, dir_fd, name, AT_SYMLINK_FOLLOW) == 0)
        return 0;
    if (errno != ENOENT)
        return errno;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, path, dir_fd, name, AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
}

static int publish_hidden(int dir_fd, const char *hidden, const char *name) {
    if (syscall(SYS_renameat2, dir_fd, hidden, dir_fd, name, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
    if (linkat(dir_fd, hidden, dir_fd, name, 0) != 0)
        return errno;
    unlinkat(dir_fd, hidden, 0);
    return 0;
}

cove_result covei_file_publish(covei_dir dir, covei_file file, const char *hidden, const char *name) {
    int code = hidden ? publish_hidden((int)dir.handle, hidden, name) : publish_nameless((int)dir.handle, (int)file.handle, name);
    if (code == 0)
        return COVE_OK;
    if (code == EEXIST)
        return COVE_ERR_EXISTS;
    if (code == ENOENT && hidden)
        return COVE_ERR_NOT_FOUND;
    return covei_fail(covei_linux_result(code), code, "publish", "the finished file cannot be given its name");
}

cove_result covei_file_reopen(covei_file file, cove_access access, covei_file *out_file) {
    char path[48];
    int fd;
    /* Of the thread, because /proc/self is empty when the first thread of a process has ended; else of an older kernel. */
    snprintf(path, sizeof path, "/proc/thread-self/fd/%d", (int)file.handle);
    COVEI_RETRY_EINTR(fd, open(path, flags_of(access) & ~O_NOFOLLOW));
    if (fd < 0 && errno == ENOENT) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", (int)file.handle);
        COVEI_RETRY_EINTR(fd, open(path, flags_of(access) & ~O_NOFOLLOW));
    }
    if (fd < 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return COVE_ERR_UNSUPPORTED;
        return covei_fail(covei_linux_result(errno), errno, "open again", "cannot be opened a second time");
    }
    out_file->handle = fd;
    return COVE_OK;
}

void covei_file_close(covei_file file) {
    if (file.handle >= 0)
        close((int)file.handle);
}

static covei_file_facts facts_of(const struct stat *facts) {
    return (covei_file_facts){
        .identity = {facts->st_dev, facts->st_ino},
        .size_bytes = (uint64_t)facts->st_size,
        .allocated_bytes = (uint64_t)facts->st_blocks * 512,
        .owner_uid = facts->st_uid,
        .owner_gid = facts->st_gid,
        .mode = facts->st_mode & 07777,
        .is_regular = S_ISREG(facts->st_mode),
        .has_name = facts->st_nlink > 0,
    };
}

cove_result covei_file_look(covei_file file, covei_file_facts *out_facts) {
    struct stat facts;
    if (fstat((int)file.handle, &facts) != 0)
        return covei_fail(covei_linux_result(errno), errno, "look", "the file cannot be looked at");
    *out_facts = facts_of(&facts);
    return COVE_OK;
}

cove_result covei_file_find(covei_dir dir, const char *name, covei_file_facts *out_facts) {
    struct stat facts;
    if (fstatat((int)dir.handle, name, &facts, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? COVE_ERR_NOT_FOUND : covei_fail(covei_linux_result(errno), errno, "find", "the name cannot be followed");
    *out_facts = facts_of(&facts);
    return COVE_OK;
}

cove_result covei_file_read(covei_file file, uint64_t offset, void *out_data, size_t size_bytes, size_t *out_read) {
    size_t done = 0;
    while (done < size_bytes) {
        ssize_t got = pread((int)file.handle, (char *)out_data + done, size_bytes - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return covei_fail(covei_linux_result(errno), errno, "read header", "cannot be read");
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *out_read = done;
    return COVE_OK;
}

cove_result covei_file_unlink(covei_dir dir, const char *name) {
    if (unlinkat((int)dir.handle, name, 0) == 0)
        return COVE_OK;
    if (errno == ENOENT)
        return COVE_ERR_NOT_FOUND;
    return covei_fail(covei_linux_result(errno), errno, "remove", "the name cannot be removed");
}

cove_result covei_map(covei_file file, uint64_t size_bytes, cove_access access, uint32_t flags, void **out_address) {
    if (size_bytes > SIZE_MAX)
        return covei_fail(COVE_ERR_MEMORY, 0, "map", "%llu bytes are more than this program can address", (unsigned long long)size_bytes);
    int protection = access == COVE_READ_ONLY ? PROT_READ : PROT_READ | PROT_WRITE;
    int how = MAP_SHARED | (flags & COVEI_MAP_PREFAULT && !(flags & COVEI_MAP_HUGE) ? MAP_POPULATE : 0);
    void *address = mmap(NULL, (size_t)size_bytes, protection, how, (int)file.handle, 0);
    if (address == MAP_FAILED)
        return covei_fail(errno == ENODEV ? COVE_ERR_UNSUPPORTED : covei_linux_result(errno), errno, "map", "%llu bytes cannot be mapped",
                          (unsigned long long)size_bytes);
    int code = 0;
    cove_result result = COVE_OK;
    if (flags & COVEI_MAP_HUGE && madvise(address, (size_t)size_bytes, MADV_HUGEPAGE) != 0) {
        code = errno;
        result = COVE_ERR_UNSUPPORTED;
    } else if (flags & COVEI_MAP_PREFAULT && flags & COVEI_MAP_HUGE) {
        /* Advised first, touched second: populating at once would have filled it with small pages. */
        for (uint64_t at = 0; at < size_bytes; at += 4096)
            (void)*(volatile const char *)((const char *)address + at);
    }
    if (result == COVE_OK && flags & COVEI_MAP_LOCK && mlock(address, (size_t)size_bytes) != 0) {
        code = errno;
        result = COVE_ERR_MEMORY;
    }
    if (result != COVE_OK) {
        munmap(address, (size_t)size_bytes);
        return covei_fail(result, code, "map",
                          result == COVE_ERR_MEMORY ? "%llu bytes cannot be locked in memory; see ulimit -l"
                                                    : "the kernel has no huge pages for these %llu bytes",
                          (unsigned long long)size_bytes);
    }
    *out_address = address;
    return COVE_OK;
}

void covei_unmap(void *address, uint64_t size_bytes) {
    if (address)
        munmap(address, (size_t)size_bytes);
}

/* Directories and file systems on Linux. */
#define _GNU_SOURCE
#include "platform/linux/linux.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

cove_result covei_linux_result(int error_number) {
    switch (error_number) {
    case ENOENT: return COVE_ERR_NOT_FOUND;
    case EEXIST: return COVE_ERR_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS: return COVE_ERR_ACCESS;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return COVE_ERR_SPACE;
    case ENOMEM:
    case EAGAIN: return COVE_ERR_MEMORY;
    case EMFILE:
    case ENFILE: return COVE_ERR_LIMIT;
    case EBADF: return COVE_ERR_LOST;
    case ELOOP:
    case EISDIR:
    case ENXIO:
    case ENODEV: return COVE_ERR_FOREIGN;
    case ENOTDIR: return COVE_ERR_DOMAIN;
    default: return COVE_ERR_SYSTEM;
    }
}

cove_result covei_dir_create(const char *path, uint32_t mode) {
    covei_dir dir = {COVEI_NO_HANDLE};
    covei_dir_facts facts;
    /* 0700 first: between mkdir and fchmod nobody else may enter. */
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        cove_result result = covei_linux_result(errno);
        return covei_fail(result, errno, "create domain", "the directory cannot be made");
    }
    cove_result result = covei_dir_open(path, &dir);
    if (result != COVE_OK)
        return result;
    result = covei_dir_look(dir, &facts);
    if (result == COVE_OK && facts.mode != mode && fchmod((int)dir.handle, mode) != 0)
        result = covei_fail(covei_linux_result(errno), errno, "create domain",
                            "the directory exists with mode %04o, belongs to uid %u and cannot be given mode %04o", facts.mode,
                            facts.owner_uid, mode);
    covei_dir_close(dir);
    return result;
}

cove_result covei_dir_open(const char *path, covei_dir *out_dir) {
    int fd;
    COVEI_RETRY_EINTR(fd, open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (fd < 0) {
        int code = errno;
        cove_result result = covei_linux_result(code);
        if (code == ENOTDIR || code == ELOOP) {
            struct stat facts;
            bool is_link = lstat(path, &facts) == 0 && S_ISLNK(facts.st_mode);
            return covei_fail(COVE_ERR_DOMAIN, code, "open domain",
                              is_link ? "is a symbolic link; name the directory that it leads to" : "is not a directory");
        }
        return covei_fail(result, code, "open domain", "the directory cannot be opened");
    }
    out_dir->handle = fd;
    return COVE_OK;
}

void covei_dir_close(covei_dir dir) {
    if (dir.handle >= 0)
        close((int)dir.handle);
}

cove_result covei_dir_look(covei_dir dir, covei_dir_facts *out_facts) {
    struct stat facts;
    if (fstat((int)dir.handle, &facts) != 0)
        return covei_linux_result(errno);
    *out_facts = (covei_dir_facts){.identity = {facts.st_dev, facts.st_ino}, .owner_uid = facts.st_uid, .mode = facts.st_mode & 07777};
    return S_ISDIR(facts.st_mode) ? COVE_OK : COVE_ERR_LOST;
}

/* File systems on which byte locks of open descriptions, mappings that carry them, and reservation are known to be right. Those
 * that write elsewhere than they have reserved (btrfs, f2fs) can run out of space in the middle of a write to mapped memory.
 * The magic numbers are from the kernel's uapi header magic.h; not every distribution's copy has all of them. */
static const struct {
    uint64_t magic;
    const char *name;
    bool is_known;
} volumes[] = {
    {0x01021994, "tmpfs", true},  {0x958458f6, "hugetlbfs", true},  {0xef53, "ext4", true},       {0x58465342, "xfs", true},
    {0x9123683e, "btrfs", false}, {0xf2f52010, "f2fs", false},      {0x858458f6, "ramfs", false}, {0x6969, "nfs", false},
    {0x65735546, "fuse", false},  {0x794c7630, "overlayfs", false}, {0xff534d42, "cifs", false},  {0xfe534d42, "smb2", false},
    {0x01021997, "9p", false},    {0x2fc12fc1, "zfs", false},       {0x4d44, "vfat", false},      {0x9fa0, "proc", false},
    {0x62656572, "sysfs", false},
};

cove_result covei_dir_volume(covei_dir dir, covei_volume_facts *out_facts) {
    struct statfs facts;
    int failed;
    COVEI_RETRY_EINTR(failed, fstatfs((int)dir.handle, &facts));
    if (failed)
        return covei_fail(covei_linux_result(errno), errno, "look at domain", "the file system cannot be asked");
    covei_volume_facts volume = {.granule_bytes = 4096};
    uint64_t magic = (uint64_t)facts.f_type & 0xffffffff;
    uint64_t unit = (uint64_t)facts.f_bsize;
    snprintf(volume.name, sizeof volume.name, "type 0x%llx", (unsigned long long)magic);
    for (size_t i = 0; i < sizeof volumes / sizeof *volumes; i++)
        if (volumes[i].magic == magic) {
            snprintf(volume.name, sizeof volume.name, "%s", volumes[i].name);
            volume.is_known = volumes[i].is_known;
        }
    volume.total_bytes = (uint64_t)facts.f_blocks * unit;
    volume.free_bytes = (uint64_t)facts.f_bavail * unit;
    if (!strcmp(volume.name, "hugetlbfs"))
        volume.granule_bytes = unit;
    *out_facts = volume;
    return COVE_OK;
}

/* A description of one's own, because the position belongs to the description. */
static int open_again(covei_dir dir) {
    int fd;
    COVEI_RETRY_EINTR(fd, openat((int)dir.handle, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return fd;
}

static bool is_self_or_parent(const char *name) {
    return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

cove_result covei_dir_list(covei_dir dir, covei_dir_fn each, void *context) {
    int fd = open_again(dir);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    if (!stream) {
        cove_result result = covei_fail(covei_linux_result(errno), errno, "list domain", "the directory cannot be read");
        if (fd >= 0)
            close(fd);
        return result;
    }
    const struct dirent *entry;
    cove_result result = COVE_OK;
    do {
        errno = 0;
        entry = readdir(stream);
        if (!entry && errno)
            result = covei_fail(COVE_ERR_SYSTEM, errno, "list domain", "reading the directory failed");
    } while (entry && (is_self_or_parent(entry->d_name) || each(context, entry->d_name)));
    closedir(stream);
    return result;
}

/* The kernel's own record: getdents64 has no wrapper in older libraries, and readdir would read a whole buffer's worth more. */
struct raw_entry {
    uint64_t inode;
    int64_t next;
    uint16_t length;
    uint8_t type;
    char name[];
};

static long read_entries_at(int fd, uint64_t place, void *buffer, size_t size_bytes) {
    return lseek(fd, (off_t)place, SEEK_SET) < 0 ? -1 : syscall(SYS_getdents64, fd, buffer, size_bytes);
}

/* The position behind the first entry that counts; 0 where there is none. */
static int64_t first_position(const char *buffer, long got) {
    for (long at = 0; at < got;) {
        const struct raw_entry *entry = (const void *)(buffer + at);
        at += entry->length;
        if (!is_self_or_parent(entry->name))
            return entry->next;
    }
    return 0;
}

cove_result covei_dir_sample(covei_dir dir, uint32_t limit, covei_dir_fn each, void *context) {
    _Alignas(8) char buffer[1024];
    long got = 0;
    uint64_t place;
    int fd = open_again(dir);
    if (fd < 0)
        return covei_fail(covei_linux_result(errno), errno, "sample domain", "the directory cannot be read");
    /* What a position means is the file system's secret: a small count (tmpfs) or a hash of 63 bits (ext4). So the place is
     * drawn from all bits, and halved until something stands at or behind it: at most 63 short system calls, mostly few. Where
     * positions are small counts that would always end at one end of them; so it is drawn again, below the first one found. */
    covei_random(&place, sizeof place);
    for (place >>= 1; got <= 0; place >>= 1) {
        got = read_entries_at(fd, place, buffer, sizeof buffer);
        if (!place)
            break;
    }
    int64_t first = first_position(buffer, got);
    if (first > 0) {
        covei_random(&place, sizeof place);
        long again = read_entries_at(fd, place % ((uint64_t)first + 2), buffer, sizeof buffer);
        got = again > 0 ? again : read_entries_at(fd, 0, buffer, sizeof buffer);
    }
    uint32_t told = 0;
    for (long at = 0; at < got && told < limit;) {
        const struct raw_entry *entry = (const void *)(buffer + at);
        at += entry->length;
        if (is_self_or_parent(entry->name))
            continue;
        told++;
        if (!each(context, entry->name))
            break;
    }
    close(fd);
    return COVE_OK;
}

cove_result covei_dir_default(char *out_path, size_t size_bytes, bool *out_private) {
    const char *wish = secure_getenv("COVE_DOMAIN");
    int length = wish && *wish ? snprintf(out_path, size_bytes, "%s", wish)
                               : snprintf(out_path, size_bytes, "/dev/shm/cove-%u", (unsigned)geteuid());
    if (length < 0 || (size_t)length >= size_bytes)
        return covei_fail(COVE_ERR_SIZE, 0, "find domain", "the path of the default domain is longer than %zu bytes", size_bytes);
    *out_private = !(wish && *wish);
    return COVE_OK;
}

cove_result covei_dir_absolute(const char *path, char *out_path, size_t size_bytes) {
    char absolute[PATH_MAX];
    if (!realpath(path, absolute))
        return covei_fail(covei_linux_result(errno), errno, "find domain", "the path cannot be followed");
    if (strlen(absolute) >= size_bytes)
        return covei_fail(COVE_ERR_SIZE, 0, "find domain", "its path is longer than %zu bytes", size_bytes);
    memcpy(out_path, absolute, strlen(absolute) + 1);
    return COVE_OK;
}

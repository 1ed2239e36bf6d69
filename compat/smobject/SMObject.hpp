/* A piece of shared memory that belongs to a file and a letter: SMObject, on Cove. One header; nothing else to compile.
 *
 * The memory lives while a process has it, and goes with the last one, killed or not: nobody has to count. It is one copy, mapped as long as
 * the object lives; how processes take turns at it is theirs to say. An object is for one thread at a time; its memory is for all. */
#pragma once

#include <cove/block.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits.h>
#include <string>
#include <sys/stat.h>
#include <utility>

namespace SMObjectSpace {

/* What error_handle_ may be, beside the values of errno. */
enum ErrorFlags {
    EBADK = -2 /* the letter is not from 'A' to 'z' */
};

constexpr char EBADK_MSG[] = ": key_id out of range.";

/* The text of what error_handle_ says. */
inline const char *errorMapping(int e) {
    return e == EBADK ? EBADK_MSG : std::strerror(e);
}

class SMObject {
  public:
    SMObject() = default;
    /* The file must exist when shmCreate or shmAccess is called. */
    SMObject(const char *path, char proj_id, int size) : path_(path ? path : ""), proj_id_(proj_id), size_(size) {}
    ~SMObject() { detach(); }

    SMObject(const SMObject &) = delete;
    SMObject &operator=(const SMObject &) = delete;
    SMObject(SMObject &&other) noexcept { take(other); }
    SMObject &operator=(SMObject &&other) noexcept {
        if (this != &other) {
            detach();
            take(other);
        }
        return *this;
    }

    /* Makes the memory, all 0, or joins the one that is there, which may be larger. 0, or -1 with error_handle_:
     * EBADK, EINVAL for a size that is not above 0 or that is more than there is, ENOENT and such for the file, else as the system says. */
    int shmCreate() { return open(COVE_OPEN_OR_CREATE); }

    /* Sets pdata_. 0, or -1 with error_handle_: as above, and ENOENT where nobody has made the memory, or all who had it have gone. */
    int shmAccess() {
        if (!block_ && open(COVE_OPEN) != 0)
            return -1;
        return result(cove_block_data(block_, &pdata_));
    }

    /* For objects made without arguments. What is attached already stays attached until the next shmCreate. */
    void setUniquePathID(const char *path, char proj_id) {
        path_ = path ? path : "";
        proj_id_ = proj_id;
    }
    void setSize(int size) { size_ = size; }

    /* Was for counts that a killed process had left too high. There is no count any more: it may be called at any time, and does nothing. */
    void decrementMemCtr() {}

    /* The message and what error_handle_ means: of EBADK on the standard output, else on the standard error. */
    void pError(const char *message) {
        if (error_handle_ == EBADK)
            std::printf("%s%s\n", message ? message : "", EBADK_MSG);
        else
            std::fprintf(stderr, "%s%s%s\n", message ? message : "", message && *message ? ": " : "", std::strerror(error_handle_));
    }

  public:
    int error_handle_ = 0;  /* of the last call: 0, a value of errno, or EBADK */
    void *pdata_ = nullptr; /* the memory, from shmAccess on; aligned to 64 bytes */

  private:
    int fail(int error) {
        error_handle_ = error;
        return -1;
    }
    int result(cove_result r) {
        if (r < 0)
            return fail(r == COVE_ERR_SIZE ? EINVAL : cove_result_to_errno(r));
        error_handle_ = 0;
        return 0;
    }

    int open(cove_how how) {
        struct stat facts;
        char key[64], name[COVE_NAME_MAX + 1];
        if (proj_id_ < 'A' || proj_id_ > 'z')
            return fail(EBADK);
        if (size_ <= 0)
            return fail(EINVAL);
        if (::stat(path_.c_str(), &facts) != 0)
            return fail(errno);
        detach();
        int length = std::snprintf(key, sizeof key, "%llx.%llx.%c", static_cast<unsigned long long>(facts.st_dev),
                                   static_cast<unsigned long long>(facts.st_ino), proj_id_);
        cove_result r = cove_name_escape("smobject", key, static_cast<size_t>(length), name);
        if (r < 0)
            return result(r);
        cove_block_options options = cove_block_options();
        options.capacity_bytes = static_cast<uint64_t>(size_);
        options.flags = COVE_BLOCK_SINGLE;
        options.size_rule = COVE_AT_LEAST;
        options.how = how;
        return result(cove_block_open(&block_, name, &options));
    }

    void detach() {
        cove_block_close(block_);
        block_ = nullptr;
        pdata_ = nullptr;
    }

    void take(SMObject &other) noexcept {
        error_handle_ = other.error_handle_;
        pdata_ = other.pdata_;
        block_ = other.block_;
        other.pdata_ = nullptr;
        other.block_ = nullptr;
        path_ = std::move(other.path_);
        proj_id_ = other.proj_id_;
        size_ = other.size_;
    }

    std::string path_;
    char proj_id_ = 0;
    int size_ = 0;
    cove_block *block_ = nullptr;
};

} // namespace SMObjectSpace

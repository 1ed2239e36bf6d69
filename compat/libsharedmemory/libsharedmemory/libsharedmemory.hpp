/* Strings, numbers and messages from process to process: the interface of libsharedmemory, on Cove. C++11; what later versions of the
 * original have added comes with string_view (C++17) and span (C++20).
 *
 *     SharedMemoryWriteStream   keeps one value, the last that was written; who is killed in a write leaves the one before
 *     SharedMemoryReadStream    reads it, in any number of processes
 *     SharedMemoryQueue         each message to one reader, in order
 *     Memory                    plain bytes
 *
 * What is not persistent goes with the last process that has it, killed or not, and never before. Streams may be used by any number of
 * threads, but not destroyed meanwhile. `bufferSize` is how many bytes a value may have. Errors are std::runtime_error. */
#pragma once

#include <cove/block.h>
#include <cove/queue.h>
#include <cove/stream.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>
#if __cplusplus >= 201703L
#include <string_view>
#endif
#if __cplusplus >= 202002L
#include <span>
#endif

namespace lsm {

enum class Error { OK = 0, CreationFailed = 100, MappingFailed = 110, OpeningFailed = 120 };
constexpr Error kOK = Error::OK;
constexpr Error kErrorCreationFailed = Error::CreationFailed;
constexpr Error kErrorMappingFailed = Error::MappingFailed;
constexpr Error kErrorOpeningFailed = Error::OpeningFailed;

enum DataType : std::uint8_t {
    kMemoryChanged = 1, /* of the flags: is the other way round after each write */
    kMemoryTypeString = 2,
    kMemoryTypeFloat = 4,
    kMemoryTypeDouble = 8,
    kMemoryTypeOther = 16 /* whole numbers and raw bytes, which the original did not have */
};

/* Constants of the original's bytes in memory, for sources that name them. Where a value lies is Cove's own affair. */
constexpr std::size_t bufferSizeSize = 4, sizeOfOneFloat = 4, sizeOfOneChar = 1, sizeOfOneDouble = 8, flagSize = 1, flagPaddingSize = 3,
                      revisionSize = 4, ackSize = 4, lockSize = 4, revisionOffset = 4, ackOffset = 8, sizeOffset = 12, lockOffset = 16,
                      dataOffset = 20;

namespace detail {

constexpr int patience_ms = 10000; /* for a process that is stopped while it has what is needed */

/* The name of an object of Cove's: streams, queues and memory of one name are different things. Empty where it cannot be one. */
inline std::string name_of(const char *kind, const std::string &path) {
    char name[COVE_NAME_MAX + 1];
    std::string prefix = std::string("lsm.") + kind;
    return cove_name_escape(prefix.c_str(), path.data(), path.size(), name) == COVE_OK ? std::string(name) : std::string();
}

/* What cannot be told in a place that has nobody to tell, and is noticed by whoever comes next. */
inline void ignore(cove_result) {
}

inline cove_lifetime lifetime_of(bool persists) {
    return persists ? COVE_UNTIL_REMOVED : COVE_WHILE_USED;
}

[[noreturn]] inline void fail(const char *what) {
    throw std::runtime_error(what);
}
/* With the reason, which the original did not tell. */
[[noreturn]] inline void fail_because(const char *what) {
    throw std::runtime_error(std::string(what) + " " + cove_last_error()->sentence);
}

/* By what a number is, since long and long long may both have 64 bits. */
template <typename T> struct type_of {
    static_assert(std::is_arithmetic<T>::value && !std::is_same<T, bool>::value && sizeof(T) <= 8,
                  "bytes, float, double and whole numbers");
    static constexpr cove_type whole = sizeof(T) == 1   ? (std::is_signed<T>::value ? COVE_TYPE_I8 : COVE_TYPE_U8)
                                       : sizeof(T) == 2 ? (std::is_signed<T>::value ? COVE_TYPE_I16 : COVE_TYPE_U16)
                                       : sizeof(T) == 4 ? (std::is_signed<T>::value ? COVE_TYPE_I32 : COVE_TYPE_U32)
                                                        : (std::is_signed<T>::value ? COVE_TYPE_I64 : COVE_TYPE_U64);
    static constexpr cove_type value = std::is_same<T, char>::value        ? COVE_TYPE_BYTES
                                       : !std::is_floating_point<T>::value ? whole
                                       : sizeof(T) == 4                    ? COVE_TYPE_F32
                                                                           : COVE_TYPE_F64;
};

inline char flag_of(cove_type type) {
    switch (type) {
    case COVE_TYPE_TEXT:
    case COVE_TYPE_BYTES: return kMemoryTypeString;
    case COVE_TYPE_F32: return kMemoryTypeFloat;
    case COVE_TYPE_F64: return kMemoryTypeDouble;
    default: return kMemoryTypeOther;
    }
}

/* Closing, by each kind's function. */
struct closer {
    void operator()(cove_block *block) const { cove_block_close(block); }
    void operator()(cove_stream *stream) const { cove_stream_close(stream); }
    void operator()(cove_queue *queue) const { cove_queue_close(queue); }
};
template <typename T> using owned = std::unique_ptr<T, closer>;

/* Which value of a stream has been acknowledged: its number, in a small block beside the stream. It only grows. */
class acknowledgement {
  public:
    bool open(const std::string &path, bool persists) {
        cove_block *block = nullptr;
        void *data = nullptr;
        cove_block_options options = cove_block_options();
        options.capacity_bytes = sizeof(std::uint64_t);
        options.flags = COVE_BLOCK_SINGLE;
        options.lifetime = lifetime_of(persists);
        if (cove_block_open(&block, name_of("ack", path).c_str(), &options) != COVE_OK)
            return false;
        block_.reset(block);
        if (cove_block_data(block, &data) != COVE_OK)
            return false;
        number_ = static_cast<std::uint64_t *>(data);
        return true;
    }
    /* For a stream that has just been made, whatever one of that name had before. */
    void begin() {
        if (number_)
            __atomic_store_n(number_, 0, __ATOMIC_RELEASE);
    }
    std::uint64_t get() const { return number_ ? __atomic_load_n(number_, __ATOMIC_ACQUIRE) : 0; }
    void raise(std::uint64_t number) {
        if (!number_)
            return;
        std::uint64_t seen = get();
        while (seen < number && !__atomic_compare_exchange_n(number_, &seen, number, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            ;
        detail::ignore(cove_block_notify(block_.get()));
    }
    /* Until it is raised, or told, or `deadline`. */
    void wait(std::uint64_t version, cove_time_ns deadline) const {
        detail::ignore(cove_block_wait(block_.get(), version, deadline, nullptr));
    }
    std::uint64_t version() const { return cove_block_version(block_.get()); }
    void remove() { detail::ignore(cove_block_remove(block_.get())); }
    void close() {
        number_ = nullptr;
        block_.reset();
    }

  private:
    owned<cove_block> block_;
    std::uint64_t *number_ = nullptr;
};

} // namespace detail

/* ---- Plain bytes. */

class Memory {
  public:
    /* What data() gives: bytes by index, and any pointer by a cast. Null before create() or open(), and after close(). */
    class pointer {
      public:
        explicit pointer(void *at) : at_(at) {}
        operator void *() const { return at_; }
        template <typename T> explicit operator T *() const { return static_cast<T *>(at_); }
        unsigned char &operator[](std::size_t i) const { return static_cast<unsigned char *>(at_)[i]; }

      private:
        void *at_;
    };

    Memory(const std::string &path, std::size_t size, bool persist) : path_(path), size_(size), persists_(persist) {}
    Memory(Memory &&other) noexcept
        : path_(std::move(other.path_)), size_(other.size_), persists_(other.persists_), data_(other.data_),
          block_(std::move(other.block_)) {
        other.data_ = nullptr;
    }
    Memory &operator=(Memory &&other) noexcept {
        if (this != &other) {
            path_ = std::move(other.path_);
            size_ = other.size_;
            persists_ = other.persists_;
            data_ = other.data_;
            block_ = std::move(other.block_);
            other.data_ = nullptr;
        }
        return *this;
    }

    /* Makes it, all 0, or joins what is there, which may be larger. */
    Error create() { return open_as(COVE_OPEN_OR_CREATE, kErrorCreationFailed); }
    Error open() { return open_as(COVE_OPEN, kErrorOpeningFailed); }

    std::size_t size() const { return size_; }
    const std::string &path() const { return path_; }
    pointer data() const { return pointer(data_); }
#if __cplusplus >= 202002L
    std::span<std::byte> as_bytes() const {
        return {static_cast<std::byte *>(data_), data_ ? size_ : 0};
    }
#endif

    /* Removes the name: who comes later gets another. Who has it keeps it. */
    void destroy() const {
        if (block_) {
            detail::ignore(cove_block_remove(block_.get()));
        }
    }
    void close() {
        data_ = nullptr;
        block_.reset();
    }

  private:
    Error open_as(cove_how how, Error failure) {
        cove_block *block = nullptr;
        cove_block_options options = cove_block_options();
        close();
        options.capacity_bytes = size_;
        options.flags = COVE_BLOCK_SINGLE;
        options.size_rule = COVE_AT_LEAST;
        options.lifetime = detail::lifetime_of(persists_);
        options.how = how;
        if (!size_ || cove_block_open(&block, detail::name_of("memory", path_).c_str(), &options) != COVE_OK)
            return failure;
        block_.reset(block);
        return cove_block_data(block, &data_) == COVE_OK ? kOK : kErrorMappingFailed;
    }

    std::string path_;
    std::size_t size_;
    bool persists_;
    void *data_ = nullptr;
    detail::owned<cove_block> block_;
};

/* ---- Streams. */

class SharedMemoryWriteStream {
  public:
    /* Makes the stream, or goes on with the one that is there. */
    SharedMemoryWriteStream(const std::string &name, std::size_t bufferSize, bool isPersistent) : name_(name) {
        cove_stream *stream = nullptr;
        cove_stream_options options = cove_stream_options();
        options.type = COVE_TYPE_ANY;
        options.capacity_bytes = bufferSize;
        options.size_rule = COVE_AT_LEAST;
        options.depth = 2; /* the last one, and the one before it for who is reading that */
        options.borrows = 1;
        options.flags = COVE_STREAM_WRITER;
        options.lifetime = detail::lifetime_of(isPersistent);
        cove_opened opened = cove_opened();
        options.opened = &opened;
        if (!bufferSize || cove_stream_open(&stream, detail::name_of("stream", name).c_str(), &options) != COVE_OK)
            detail::fail("Shared memory segment could not be created.");
        stream_.reset(stream);
        if (!read_.open(name, isPersistent))
            detail::fail("Shared memory segment could not be created.");
        if (opened.created)
            read_.begin();
    }

    /* A string of any bytes; of text in UTF-8, too, for who reads it by other means. */
    void write(const std::string &string) const { write_string(string.data(), string.size()); }
    void write(const char *string) const { write_string(string, std::strlen(string)); }
#if __cplusplus >= 201703L
    void write(std::string_view string) const {
        write_string(string.data(), string.size());
    }
#endif
    /* Numbers, `length` of them: float, double, and whole ones of 8 to 64 bits. */
    template <typename T> void write(const T *data, std::size_t length) const {
        write_as(detail::type_of<T>::value, data, length * sizeof(T));
    }
#if __cplusplus >= 202002L
    void write(std::span<const float> data) const {
        write(data.data(), data.size());
    }
    void write(std::span<const double> data) const {
        write(data.data(), data.size());
    }
#endif

    /* Whether a reader has acknowledged the value that was written last, by whomever. True where there is none. */
    bool isMessageRead() const {
        cove_stream_info info;
        return !stream_ || cove_stream_get_info(stream_.get(), &info) != COVE_OK || read_.get() >= info.newest_sequence;
    }

    /* Waits for that. False where there is no reader to wait for any more, or after `timeout`. */
    bool waitForRead(std::chrono::milliseconds timeout = std::chrono::hours(24 * 365)) const {
        cove_time_ns end = timeout.count() <= 0 ? COVE_TRY : cove_in_ms(static_cast<std::uint64_t>(timeout.count()));
        std::string readers = detail::name_of("readers", name_);
        for (;;) {
            std::uint64_t version = read_.version();
            if (isMessageRead())
                return true;
            if (cove_wait_for_name(nullptr, readers.c_str(), COVE_TRY) != COVE_OK || cove_now() >= end)
                return isMessageRead();         /* it may have, before it went */
            cove_time_ns soon = cove_in_ms(20); /* a killed reader tells nobody */
            read_.wait(version, soon < end ? soon : end);
        }
    }

    /* The flags after the next write of `type`. */
    static constexpr char getWriteFlags(char type, char currentFlags) {
        return static_cast<char>((type & ~kMemoryChanged) | (currentFlags & kMemoryChanged ? 0 : kMemoryChanged));
    }

    void close() {
        stream_.reset();
        read_.close();
    }
    /* Removes the stream's name: who comes later gets another. Readers go on with what they have, and then with that one. */
    void destroy() const {
        if (!stream_)
            return;
        read_.remove(); /* first: a new stream is not to find an old acknowledgement */
        detail::ignore(cove_stream_remove(stream_.get()));
    }

  private:
    void write_string(const char *data, std::size_t size) const {
        if (try_write(COVE_TYPE_TEXT, data, size) == COVE_ERR_TEXT)
            write_as(COVE_TYPE_BYTES, data, size);
    }
    cove_result try_write(cove_type type, const void *data, std::size_t size) const {
        if (!stream_)
            detail::fail("The stream is closed.");
        cove_result result = cove_stream_write_as(stream_.get(), type, data, size, 0, COVE_TRY); /* mostly; and no clock is read */
        if (result == COVE_ERR_FULL)
            result = cove_stream_write_as(stream_.get(), type, data, size, 0, cove_in_ms(detail::patience_ms));
        if (result < 0 && result != COVE_ERR_TEXT)
            detail::fail_because("The value could not be written:");
        return result;
    }
    void write_as(cove_type type, const void *data, std::size_t size) const {
        try_write(type, data, size);
    }

    std::string name_;
    detail::owned<cove_stream> stream_;
    mutable detail::acknowledgement read_;
};

/* Each look at the value (readFlags, readSize, readLength, hasNewData) is a look at the newest, and the next read gives that very one; so a
 * length and an array that are asked for in turn belong together, whatever is written meanwhile. */
class SharedMemoryReadStream {
  public:
    /* The stream must be there. Its value, if it has one, is new to this reader. */
    SharedMemoryReadStream(const std::string &name, std::size_t bufferSize, bool isPersistent) : name_(name), persists_(isPersistent) {
        (void)bufferSize; /* the stream's own is what counts */
        if (!open_stream())
            detail::fail("Shared memory segment could not be opened.");
        /* Says that there is a reader, for as long as this process lives. */
        cove_block *presence = nullptr;
        if (cove_block_open(&presence, detail::name_of("readers", name).c_str(), nullptr) != COVE_OK)
            detail::fail("Shared memory segment could not be opened.");
        presence_.reset(presence);
    }
    ~SharedMemoryReadStream() { close(); }

    /* The string that was written last; empty where that was none. */
    std::string readString() const {
        std::lock_guard<std::mutex> guard(mutex_);
        take();
        return flag() == kMemoryTypeString ? std::string(bytes_.data(), length_) : std::string();
    }
    std::string read() const { return readString(); }

    /* The numbers that were written last, readLength of them; an array of none where they are others. The caller has to delete[] it. */
    float *readFloatArray() const { return read_array<float>(); }
    double *readDoubleArray() const { return read_array<double>(); }

    /* The numbers, of any type that can be written; empty where they are others. */
    template <typename T> std::vector<T> readVector() const {
        std::lock_guard<std::mutex> guard(mutex_);
        take();
        std::vector<T> result(detail::type_of<T>::value == type_ ? length_ / sizeof(T) : 0);
        if (!result.empty())
            std::memcpy(result.data(), bytes_.data(), result.size() * sizeof(T));
        return result;
    }

    /* One of the DataTypes, and kMemoryChanged in every other value. 0 where there is no value. */
    char readFlags() const {
        std::lock_guard<std::mutex> guard(mutex_);
        look();
        return seen_ ? static_cast<char>(flag() | static_cast<char>(seen_ & kMemoryChanged)) : static_cast<char>(0);
    }
    /* Bytes of the value, and how many elements that is, where it is of that type; else 0. */
    std::size_t readSize(char dataType) const {
        std::lock_guard<std::mutex> guard(mutex_);
        look();
        return seen_ && dataType & flag() ? length_ : 0;
    }
    std::size_t readLength(char dataType) const {
        std::lock_guard<std::mutex> guard(mutex_);
        look();
        return seen_ && dataType & flag() ? count_ : 0;
    }

    /* Whether there is a value that this reader has not marked as read. */
    bool hasNewData() const {
        std::lock_guard<std::mutex> guard(mutex_);
        look();
        return seen_ > marked_;
    }
    /* Acknowledges the value that was read or looked at last, and not what may have come since. */
    void markAsRead() const {
        std::lock_guard<std::mutex> guard(mutex_);
        marked_ = seen_;
        read_.raise(seen_);
    }

    /* Calls `callback` for what has been written, on a thread of the library's; several writes may be told by one call. It may read. An empty
     * function ends that: when this has returned it is not running, unless it is the callback that calls. */
    void onChange(std::function<void()> callback) {
        std::vector<std::unique_ptr<listener>> ended;
        {
            std::lock_guard<std::mutex> guard(mutex_);
            ended.swap(retired_);
            if (listener_)
                ended.push_back(std::move(listener_));
            callback_ = callback ? std::make_shared<std::function<void()>>(std::move(callback)) : nullptr;
            if (callback_ && stream_ && !listen())
                detail::fail_because("Changes cannot be told:");
        }
        ended.clear(); /* waits for the callback, which may want the mutex */
    }
    void onChange(std::nullptr_t) { onChange(std::function<void()>()); }
    void onChange(const std::function<void(SharedMemoryReadStream &)> &callback) {
        if (!callback)
            return onChange(std::function<void()>());
        onChange(std::function<void()>([this, callback] { callback(*this); }));
    }
    template <typename F> auto onChange(F callback) -> decltype(callback(std::declval<SharedMemoryReadStream &>()), void()) {
        onChange(std::function<void()>([this, callback]() mutable { callback(*this); }));
    }

    void close() {
        onChange(std::function<void()>());
        std::lock_guard<std::mutex> guard(mutex_);
        stream_.reset();
        read_.close();
        presence_.reset();
    }

  private:
    SharedMemoryReadStream(const SharedMemoryReadStream &) = delete;
    SharedMemoryReadStream &operator=(const SharedMemoryReadStream &) = delete;

    char flag() const { return seen_ ? detail::flag_of(type_) : static_cast<char>(0); }

    bool open_stream() const {
        cove_stream *stream = nullptr;
        cove_stream_info info;
        cove_stream_options options = cove_stream_options();
        options.how = COVE_OPEN;
        options.follow = COVE_FOLLOW_LATEST;
        if (cove_stream_open(&stream, detail::name_of("stream", name_).c_str(), &options) != COVE_OK)
            return false;
        detail::owned<cove_stream> opened(stream);
        if (cove_stream_get_info(stream, &info) != COVE_OK || !read_.open(name_, persists_))
            return false;
        room_.resize(static_cast<std::size_t>(info.capacity_bytes));
        bytes_.resize(room_.size() < length_ ? length_ : room_.size());
        stream_ = std::move(opened);
        return true;
    }

    /* The newest value, where it is not here already. Where the stream was removed, and another has its name, that one's. */
    void look() const {
        cove_value value;
        if (!stream_)
            return;
        room_.resize(bytes_.size());
        cove_result result = cove_stream_read(stream_.get(), room_.data(), room_.size(), &value, COVE_TRY);
        if ((result == COVE_REMOVED || result == COVE_ERR_EMPTY) && cove_stream_is_removed(stream_.get()) && open_stream()) {
            seen_ = marked_ = 0;
            if (callback_) {
                retired_.push_back(std::move(listener_)); /* to end it would wait for the callback, which may wait for us */
                listen();
            }
            result = cove_stream_read(stream_.get(), room_.data(), room_.size(), &value, COVE_TRY);
        }
        if (result < 0 || result == COVE_REMOVED)
            return;
        bytes_.swap(room_);
        length_ = static_cast<std::size_t>(value.length_bytes);
        count_ = static_cast<std::size_t>(value.count);
        type_ = value.type;
        seen_ = value.sequence;
        is_looked_at_ = true;
    }
    /* What was looked at before, and else the newest. */
    void take() const {
        if (!is_looked_at_)
            look();
        is_looked_at_ = false;
    }

    template <typename T> T *read_array() const {
        std::vector<T> values = readVector<T>();
        T *array = new T[values.size()];
        std::copy(values.begin(), values.end(), array);
        return array;
    }

    /* Who is told of changes: with a handle of its own, so that what the user looks at and acknowledges is the user's alone. */
    struct listener {
        std::shared_ptr<std::function<void()>> callback;
        std::vector<char> room;
        std::uint64_t told;
        detail::owned<cove_stream> stream; /* last: ended first, and then nobody is told any more */
    };

    static void be_told(void *context, cove_stream *stream) {
        auto *l = static_cast<listener *>(context);
        std::shared_ptr<std::function<void()>> callback = l->callback; /* it may end its own telling */
        cove_value value;
        bool is_new = false;
        for (cove_result result;
             (result = cove_stream_read(stream, l->room.data(), l->room.size(), &value, COVE_TRY)) >= 0 && result != COVE_REMOVED;) {
            is_new = is_new || value.sequence > l->told;
            l->told = value.sequence > l->told ? value.sequence : l->told;
        }
        if (is_new)
            (*callback)();
    }

    /* Under the mutex. */
    bool listen() const {
        cove_stream *stream = nullptr;
        cove_stream_options options = cove_stream_options();
        options.how = COVE_OPEN;
        options.follow = COVE_FOLLOW_LATEST;
        if (cove_stream_open(&stream, detail::name_of("stream", name_).c_str(), &options) != COVE_OK)
            return false;
        listener_.reset(new listener{callback_, std::vector<char>(bytes_.size()), marked_, detail::owned<cove_stream>(stream)});
        return cove_stream_on_change(stream, &SharedMemoryReadStream::be_told, listener_.get()) == COVE_OK;
    }

    std::string name_;
    bool persists_;
    detail::owned<cove_block> presence_;
    mutable std::mutex mutex_; /* of all below */
    mutable detail::owned<cove_stream> stream_;
    mutable std::unique_ptr<listener> listener_;
    mutable std::vector<std::unique_ptr<listener>>
        retired_; /* of streams that were removed, and have been replaced; ended with the next onChange */
    mutable detail::acknowledgement read_;
    mutable std::vector<char> room_, bytes_; /* to read to; and what was read last, of which length_ count */
    mutable std::size_t length_ = 0, count_ = 0;
    mutable cove_type type_ = COVE_TYPE_UNSPECIFIED;
    mutable std::uint64_t seen_ = 0, marked_ = 0; /* numbers of values; 0: none */
    mutable bool is_looked_at_ = false;           /* what is in bytes_ is still to be given by a read */
    std::shared_ptr<std::function<void()>> callback_;
};

/* ---- Queues. */

class SharedMemoryQueue {
  public:
    /* A writer makes the queue, or joins; a reader finds it, with the capacity and the size that it has. */
    SharedMemoryQueue(const std::string &name, std::uint32_t capacity, std::uint32_t maxMessageSize, bool isPersistent, bool isWriter)
        : is_writer_(isWriter) {
        cove_queue *queue = nullptr;
        cove_queue_info info;
        cove_queue_options options = cove_queue_options();
        options.how = isWriter ? COVE_OPEN_OR_CREATE : COVE_OPEN;
        if (isWriter) {
            options.depth = capacity;
            options.capacity_bytes = maxMessageSize;
            options.size_rule = COVE_AT_LEAST;
            options.lifetime = detail::lifetime_of(isPersistent);
        }
        if ((isWriter && (!capacity || !maxMessageSize)) ||
            cove_queue_open(&queue, detail::name_of("queue", name).c_str(), &options) != COVE_OK)
            detail::fail(isWriter ? "Shared memory queue could not be created." : "Shared memory queue could not be opened.");
        queue_.reset(queue);
        if (cove_queue_get_info(queue, &info) != COVE_OK)
            detail::fail_because("Shared memory queue could not be opened.");
        depth_ = info.depth;
        capacity_ = isWriter && capacity < depth_ ? capacity : depth_;
        max_bytes_ = static_cast<std::size_t>(info.capacity_bytes);
    }

    bool isEmpty() const { return size() == 0; }
    bool isFull() const { return size() >= capacity_; }
    std::uint32_t size() const {
        cove_queue_info info;
        return queue_ && cove_queue_get_info(queue_.get(), &info) == COVE_OK ? static_cast<std::uint32_t>(info.ready_count) : 0;
    }
    std::uint32_t capacity() const { return capacity_; }

    /* False where it is full. */
    bool enqueue(const std::string &message) { return enqueue_bytes(message.data(), message.size()); }
#if __cplusplus >= 201703L
    bool enqueue(std::string_view message) {
        return enqueue_bytes(message.data(), message.size());
    }
    bool enqueue(const char *message) {
        return enqueue_bytes(message, std::strlen(message));
    }
#endif
    /* False where it is empty. */
    bool dequeue(std::string &message) {
        if (is_writer_)
            detail::fail("Cannot dequeue from a writer queue instance.");
        return get(message, true);
    }
    /* The message that the next dequeue gives, unless another reader is quicker. */
    bool peek(std::string &message) const {
        return get(message, false);
    }

    void close() {
        queue_.reset();
    }
    void destroy() const {
        if (queue_) {
            detail::ignore(cove_queue_remove(queue_.get()));
        }
    }

  private:
    bool enqueue_bytes(const char *data, std::size_t size) {
        if (!is_writer_)
            detail::fail("Cannot enqueue from a reader queue instance.");
        if (size > max_bytes_)
            detail::fail("Message exceeds maximum message size.");
        if (!queue_)
            detail::fail("The queue is closed.");
        if (capacity_ < depth_ && isFull()) /* what is there is larger than what was asked for */
            return false;
        cove_result result = cove_queue_push(queue_.get(), data, size, 0, COVE_TRY);
        if (result < 0 && result != COVE_ERR_FULL)
            detail::fail_because("The message could not be written:");
        return result >= 0;
    }
    bool get(std::string &message, bool takes) const {
        cove_message m = cove_message();
        if (!queue_)
            detail::fail("The queue is closed.");
        cove_result result;
        if (takes) {
            result = cove_queue_take(queue_.get(), &m, COVE_TRY);
            if (result >= 0 && result != COVE_REMOVED) {
                try {
                    message.assign(static_cast<const char *>(m.data), static_cast<std::size_t>(m.length_bytes));
                } catch (...) { /* no memory for it here: somebody else's */
                    cove_queue_put_back(queue_.get(), &m);
                    throw;
                }
                if (cove_queue_done(queue_.get(), &m) < 0)
                    detail::fail_because("The message could not be read:");
                return true;
            }
        } else {
            std::vector<char> room(max_bytes_);
            result = cove_queue_peek(queue_.get(), room.data(), room.size(), &m, COVE_TRY);
            if (result >= 0 && result != COVE_REMOVED) {
                message.assign(room.data(), static_cast<std::size_t>(m.length_bytes));
                return true;
            }
        }
        if (result < 0 && result != COVE_ERR_EMPTY)
            detail::fail_because("The message could not be read:");
        return false;
    }

    bool is_writer_;
    std::uint32_t depth_ = 0, capacity_ = 0;
    std::size_t max_bytes_ = 0;
    detail::owned<cove_queue> queue_;
};

} // namespace lsm

/* Cove for C++17: owners that move, guards that end what they began, typed boxes, streams and queues.
 *
 *     auto pose = cove::box<Pose>::open("pose");          // a struct that several processes share
 *     pose.set({1, 2});                                   // old or new for everybody, never half
 *     { auto edit = pose.lock_write(); edit->x += 1; }    // published here
 *
 * What works on values comes twice: `f(…)` throws cove::error, `try_f(…)` returns cove::expected<T> and throws nothing; the rest throws. A deadline is a
 * duration from now, a point on std::chrono::steady_clock, cove::at_once or cove::forever. Where the compiler has std::expected and std::span
 * those are what cove::expected and cove::span mean.
 *
 * Handles may be used by any number of threads at once, but for on_change and for being moved, closed or destroyed; guards, loans and what was borrowed or taken
 * are for one thread at a time, and must end before their handle does. What the functions do, wait for and leave when the process dies is said
 * in the C headers, by the same names. */
#ifndef COVE_HPP
#define COVE_HPP

#include <cove/cove.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>
#if __has_include(<version>)
#include <version>
#endif
#ifdef __cpp_lib_span
#include <span>
#endif
#ifdef __cpp_lib_expected
#include <expected>
#endif

namespace cove {

/* ---- Failures. */

/* Why something could not be: a cove_result below zero. */
class failure {
  public:
    constexpr failure(cove_result code) noexcept : code_(code) {}
    constexpr cove_result code() const noexcept { return code_; }
    const char *name() const noexcept { return cove_result_name(code_); }
    const char *text() const noexcept { return cove_result_text(code_); }
    friend constexpr bool operator==(failure f, cove_result code) noexcept { return f.code_ == code; }
    friend constexpr bool operator!=(failure f, cove_result code) noexcept { return f.code_ != code; }

  private:
    cove_result code_;
};

/* What is thrown. what() names the object, and both sides of a mismatch. */
class error : public std::runtime_error {
  public:
    explicit error(failure why) : std::runtime_error(sentence(why)), why_(why) {}
    cove_result code() const noexcept { return why_.code(); }

  private:
    static std::string sentence(failure why) {
        const cove_error *last = cove_last_error();
        return std::string(why.name()) + ": " + (last->result == why.code() ? last->sentence : why.text());
    }
    failure why_;
};

#ifdef __cpp_lib_expected
template <typename T> using expected = std::expected<T, failure>;
using unexpected = std::unexpected<failure>;
#else
class unexpected {
  public:
    constexpr explicit unexpected(failure why) noexcept : why_(why) {}
    constexpr failure error() const noexcept { return why_; }

  private:
    failure why_;
};

/* As much of std::expected as is needed here. */
template <typename T> class [[nodiscard]] expected {
  public:
    expected(T value) : value_(std::move(value)), why_(COVE_OK) {}
    expected(unexpected u) noexcept : why_(u.error()) {}
    bool has_value() const noexcept { return value_.has_value(); }
    explicit operator bool() const noexcept { return has_value(); }
    T &operator*() &noexcept { return *value_; }
    const T &operator*() const &noexcept { return *value_; }
    T &&operator*() &&noexcept { return std::move(*value_); }
    T *operator->() noexcept { return &*value_; }
    const T *operator->() const noexcept { return &*value_; }
    T &value() & { return value_.value(); }
    T &&value() && { return std::move(value_).value(); }
    failure error() const noexcept { return why_; }

  private:
    std::optional<T> value_;
    failure why_;
};
template <> class [[nodiscard]] expected<void> {
  public:
    expected() noexcept : why_(COVE_OK) {}
    expected(unexpected u) noexcept : why_(u.error()) {}
    bool has_value() const noexcept { return why_ == COVE_OK; }
    explicit operator bool() const noexcept { return has_value(); }
    void operator*() const noexcept {}
    failure error() const noexcept { return why_; }

  private:
    failure why_;
};
#endif

#ifdef __cpp_lib_span
template <typename T> using span = std::span<T>;
#else
/* As much of std::span as is needed here. */
template <typename T> class span {
  public:
    constexpr span() noexcept = default;
    constexpr span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
    template <std::size_t N> constexpr span(T (&array)[N]) noexcept : data_(array), size_(N) {}
    template <typename C, typename = std::enable_if_t<std::is_convertible_v<decltype(std::declval<C &>().data()), T *>>>
    constexpr span(C &&container) noexcept : data_(container.data()), size_(container.size()) {}
    constexpr T *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr std::size_t size_bytes() const noexcept { return size_ * sizeof(T); }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr T &operator[](std::size_t i) const noexcept { return data_[i]; }
    constexpr T *begin() const noexcept { return data_; }
    constexpr T *end() const noexcept { return data_ + size_; }

  private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
};
#endif

namespace detail {
inline void check(cove_result result) {
    if (result < 0)
        throw error(result);
}
inline expected<void> told(cove_result result) {
    if (result < 0)
        return unexpected(failure(result));
    return {};
}
/* The value, or the exception. */
template <typename T> T value_of(expected<T> &&e) {
    if (!e)
        throw error(e.error());
    return *std::move(e);
}
} // namespace detail

/* ---- Deadlines. */

class deadline {
  public:
    constexpr explicit deadline(cove_time_ns at) noexcept : at_(at) {}
    /* From now. Below zero: at once; too large to be told: for ever. */
    template <typename Rep, typename Period> deadline(std::chrono::duration<Rep, Period> from_now) noexcept {
        double ns = std::chrono::duration<double, std::nano>(from_now).count();
        cove_time_ns now = cove_now();
        at_ = ns <= 0 ? COVE_TRY : ns >= 9e18 ? COVE_FOREVER : now + static_cast<cove_time_ns>(ns);
    }
    /* On the clock that Cove uses, too. */
    template <typename Duration> deadline(std::chrono::time_point<std::chrono::steady_clock, Duration> at) noexcept {
        auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count();
        at_ = ns <= 0 ? COVE_TRY : static_cast<cove_time_ns>(ns);
    }
    constexpr cove_time_ns ns() const noexcept { return at_; }

  private:
    cove_time_ns at_;
};
inline constexpr deadline at_once{COVE_TRY};
inline constexpr deadline forever{COVE_FOREVER};

/* ---- Types that may be shared: nothing in them means anything in one process only. */

template <typename T>
inline constexpr bool is_shareable = std::is_trivially_copyable_v<T> &&std::is_standard_layout_v<T> && !std::is_pointer_v<T> &&
                                     !std::is_member_pointer_v<T> && !std::is_reference_v<T> && !std::is_const_v<T>;
#ifdef __cpp_concepts
template <typename T>
concept shareable = is_shareable<T>;
#endif

/* To be specialised for a struct: a name that all languages use for it, and a number for its shape. What is opened with another is refused
 * with COVE_ERR_TYPE. Without it only the size is compared. */
template <typename T> struct type_info {
    static constexpr const char *name = nullptr;
    static constexpr std::uint64_t schema = 0;
};

namespace detail {
template <typename T> constexpr cove_type type_of() {
    if constexpr (std::is_same_v<T, std::byte> || std::is_same_v<T, char>)
        return COVE_TYPE_BYTES;
    else if constexpr (std::is_floating_point_v<T>)
        return sizeof(T) == 4 ? COVE_TYPE_F32 : sizeof(T) == 8 ? COVE_TYPE_F64 : COVE_TYPE_STRUCT;
    else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
        constexpr bool is_signed = std::is_signed_v<T>;
        return sizeof(T) == 1   ? (is_signed ? COVE_TYPE_I8 : COVE_TYPE_U8)
               : sizeof(T) == 2 ? (is_signed ? COVE_TYPE_I16 : COVE_TYPE_U16)
               : sizeof(T) == 4 ? (is_signed ? COVE_TYPE_I32 : COVE_TYPE_U32)
                                : (is_signed ? COVE_TYPE_I64 : COVE_TYPE_U64);
    } else
        return COVE_TYPE_STRUCT;
}

template <typename T, typename Options> void describe_type(Options &options) {
    if (!options.type_name)
        options.type_name = type_info<T>::name;
    if (!options.schema_hash)
        options.schema_hash = type_info<T>::schema;
}

/* A name with a NUL in it would be cut there; and is no name. */
inline const char *name_of(const std::string &name) {
    return name.find('\0') == std::string::npos ? name.c_str() : "";
}

/* A handle of the C library's, and the function that is called for it. It moves; the C functions are told by its kind. */
template <typename Handle, void (*close_)(Handle *)> class owner {
  public:
    owner() noexcept = default;
    explicit owner(Handle *handle) noexcept : handle_(handle) {}
    owner(owner &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)), told_(std::move(other.told_)) {}
    owner &operator=(owner &&other) noexcept {
        if (this != &other) {
            close();
            handle_ = std::exchange(other.handle_, nullptr);
            told_ = std::move(other.told_);
        }
        return *this;
    }
    ~owner() { close(); }
    void close() noexcept {
        close_(std::exchange(handle_, nullptr)); /* after this nobody is told any more */
        told_.reset();
    }
    Handle *get() const noexcept { return handle_; }

    /* The C library has the address of a pointer to the function. Whoever calls it holds it meanwhile, so that it may end itself. */
    template <typename Set> cove_result on_change(std::function<void()> function, Set set) {
        auto next = function ? std::make_unique<shared_function>(std::make_shared<std::function<void()>>(std::move(function))) : nullptr;
        auto call = [](void *context, Handle *) {
            shared_function held = *static_cast<shared_function *>(context);
            (*held)();
        };
        cove_result result = set(handle_, next ? +call : nullptr, next.get());
        if (result >= 0)
            told_ = std::move(next); /* who was told before is not called any more */
        return result;
    }

  private:
    using shared_function = std::shared_ptr<std::function<void()>>;
    Handle *handle_ = nullptr;
    std::unique_ptr<shared_function> told_;
};
} // namespace detail

/* What all objects can do. `C` names the C functions of the kind. */
template <typename Handle, typename C> class object {
  public:
    /* Null after a move, and after close(). */
    Handle *handle() const noexcept { return owner_.get(); }
    explicit operator bool() const noexcept { return handle(); }
    void close() noexcept { owner_.close(); }

    void own() { detail::check(C::own(handle())); }
    void disown() { detail::check(C::disown(handle())); }
    void retire() { detail::check(C::retire(handle())); }
    void remove() { detail::check(C::remove(handle())); }
    expected<void> try_own() { return detail::told(C::own(handle())); }
    expected<void> try_disown() { return detail::told(C::disown(handle())); }
    expected<void> try_retire() { return detail::told(C::retire(handle())); }
    expected<void> try_remove() { return detail::told(C::remove(handle())); }
    bool is_removed() const noexcept { return C::is_removed(handle()); }

    /* A descriptor for poll and its kin; ends with the handle. */
    int fd() {
        int fd;
        detail::check(C::fd(handle(), &fd));
        return fd;
    }
    /* Calls `function` after each change, on a thread of the library's; an empty one ends that. It must not throw. */
    void on_change(std::function<void()> function) { detail::check(owner_.on_change(std::move(function), C::on_change)); }
    /* Ends all waiting by this handle, now and for good: COVE_ERR_INTERRUPTED. */
    void interrupt() noexcept { C::interrupt(handle()); }

    typename C::info info() const {
        typename C::info info;
        detail::check(C::get_info(handle(), &info));
        return info;
    }

  protected:
    object() noexcept = default;
    explicit object(Handle *handle) noexcept : owner_(handle) {}

  private:
    detail::owner<Handle, C::close> owner_;
};

namespace detail {
struct c_block {
    using info = cove_block_info;
    static constexpr auto own = cove_block_own, disown = cove_block_disown, retire = cove_block_retire, remove = cove_block_remove;
    static constexpr auto is_removed = cove_block_is_removed;
    static constexpr auto fd = cove_block_fd;
    static constexpr auto on_change = cove_block_on_change;
    static constexpr auto interrupt = cove_block_interrupt;
    static constexpr auto get_info = cove_block_get_info;
    static void close(cove_block *block) { cove_block_close(block); }
};
struct c_stream {
    using info = cove_stream_info;
    static constexpr auto own = cove_stream_own, disown = cove_stream_disown, retire = cove_stream_retire, remove = cove_stream_remove;
    static constexpr auto is_removed = cove_stream_is_removed;
    static constexpr auto fd = cove_stream_fd;
    static constexpr auto on_change = cove_stream_on_change;
    static constexpr auto interrupt = cove_stream_interrupt;
    static constexpr auto get_info = cove_stream_get_info;
    static void close(cove_stream *stream) { cove_stream_close(stream); }
};
struct c_queue {
    using info = cove_queue_info;
    static constexpr auto own = cove_queue_own, disown = cove_queue_disown, retire = cove_queue_retire, remove = cove_queue_remove;
    static constexpr auto is_removed = cove_queue_is_removed;
    static constexpr auto fd = cove_queue_fd;
    static constexpr auto on_change = cove_queue_on_change;
    static constexpr auto interrupt = cove_queue_interrupt;
    static constexpr auto get_info = cove_queue_get_info;
    static void close(cove_queue *queue) { cove_queue_close(queue); }
};
} // namespace detail

/* ---- Blocks. */

/* Options are the C ones, with all defaults: `cove::block_options o; o.capacity_bytes = 4096;` */
struct block_options : cove_block_options {
    block_options() : cove_block_options() {}
    explicit block_options(std::uint64_t capacity) : cove_block_options() { capacity_bytes = capacity; }
};

/* A hold on a block's bytes. It ends with unlock(), abandon() or its life. */
class [[nodiscard]] block_guard {
  public:
    block_guard(cove_block *block, const cove_block_view &view, bool writes, bool owner_died) noexcept
        : block_(block), view_(view), writes_(writes), owner_died_(owner_died), exceptions_(std::uncaught_exceptions()) {}
    block_guard(block_guard &&other) noexcept
        : block_(std::exchange(other.block_, nullptr)), view_(other.view_), writes_(other.writes_), owner_died_(other.owner_died_),
          exceptions_(other.exceptions_) {}
    block_guard &operator=(block_guard &&other) noexcept {
        if (this != &other) {
            end();
            block_ = std::exchange(other.block_, nullptr);
            view_ = other.view_;
            writes_ = other.writes_;
            owner_died_ = other.owner_died_;
            exceptions_ = other.exceptions_;
        }
        return *this;
    }
    /* Of a writer: publishes; but where an exception passes, and there are two copies, the old value stays. */
    ~block_guard() { end(); }

    /* Single copy: the last writer was killed inside. Look at the bytes, set them right, and say mark_repaired(). */
    bool owner_died() const noexcept { return owner_died_; }
    void mark_repaired() { detail::check(cove_block_mark_repaired(block_, &view_)); }
    std::uint64_t version() const noexcept { return view_.version; }
    explicit operator bool() const noexcept { return block_; }

    void unlock() {
        if (block_)
            detail::check(cove_block_unlock(block_, &view_));
        block_ = nullptr;
    }
    /* Of a writer: the old value stays. COVE_ERR_UNSUPPORTED where there is one copy, which was changed in place. */
    void abandon() {
        if (block_)
            detail::check(cove_block_abandon(block_, &view_));
        block_ = nullptr;
    }

  protected:
    cove_block_view &view() noexcept { return view_; }
    const cove_block_view &view() const noexcept { return view_; }

  private:
    void end() noexcept {
        if (!block_)
            return;
        if (!writes_ || std::uncaught_exceptions() == exceptions_ || cove_block_abandon(block_, &view_) < 0)
            cove_block_unlock(block_, &view_);
        block_ = nullptr;
    }
    cove_block *block_;
    cove_block_view view_;
    bool writes_, owner_died_;
    int exceptions_;
};

/* The bytes, to be read. */
class [[nodiscard]] read_guard : public block_guard {
  public:
    using block_guard::block_guard;
    span<const std::byte> bytes() const noexcept {
        return {static_cast<const std::byte *>(view().data), static_cast<std::size_t>(view().length_bytes)};
    }
};

/* The bytes, to be changed: all that there is room for; how many of them are the value is for resize() to say. */
class [[nodiscard]] write_guard : public block_guard {
  public:
    using block_guard::block_guard;
    span<std::byte> room() noexcept { return {static_cast<std::byte *>(view().data), static_cast<std::size_t>(view().capacity_bytes)}; }
    span<std::byte> bytes() noexcept { return {static_cast<std::byte *>(view().data), static_cast<std::size_t>(view().length_bytes)}; }
    /* COVE_ERR_SIZE over the capacity. */
    void resize(std::size_t length_bytes) {
        if (length_bytes > view().capacity_bytes)
            throw error(COVE_ERR_SIZE);
        view().length_bytes = length_bytes;
    }
};

/* The T in a box, by -> and *. */
template <typename T> class [[nodiscard]] box_read_guard : public block_guard {
  public:
    using block_guard::block_guard;
    const T &operator*() const noexcept { return *static_cast<const T *>(view().data); }
    const T *operator->() const noexcept { return static_cast<const T *>(view().data); }
};
template <typename T> class [[nodiscard]] box_write_guard : public block_guard {
  public:
    using block_guard::block_guard;
    T &operator*() noexcept { return *static_cast<T *>(view().data); }
    T *operator->() noexcept { return static_cast<T *>(view().data); }
};

namespace detail {
/* Holds that std::unique_lock and its kin have taken, by thread: a shared one must end with the very view that it began with. */
class holds {
  public:
    void add(const cove_block_view &view) {
        std::lock_guard<std::mutex> guard(mutex_);
        held_.emplace_back(std::this_thread::get_id(), view);
    }
    std::optional<cove_block_view> take() {
        std::lock_guard<std::mutex> guard(mutex_);
        for (auto i = held_.rbegin(); i != held_.rend(); ++i)
            if (i->first == std::this_thread::get_id()) {
                cove_block_view view = i->second;
                held_.erase(std::next(i).base());
                return view;
            }
        return std::nullopt;
    }
    void *data() const {
        std::lock_guard<std::mutex> guard(mutex_);
        for (auto i = held_.rbegin(); i != held_.rend(); ++i)
            if (i->first == std::this_thread::get_id())
                return i->second.data;
        return nullptr;
    }
    std::atomic<bool> owner_died{false};

  private:
    mutable std::mutex mutex_;
    std::vector<std::pair<std::thread::id, cove_block_view>> held_;
};
} // namespace detail

namespace detail {
/* What blocks and boxes have in common. The standard's names for locking are here, so that std::scoped_lock, std::unique_lock and
 * std::shared_lock take them; such a hold belongs to the thread that took it, held() is what it holds, and unlock() publishes:
 *     std::scoped_lock both(from, to);   to.held() += 1;   from.held() -= 1; */
template <typename Fill> class block_base : public object<cove_block, c_block> {
  public:
    std::uint64_t version() const noexcept { return cove_block_version(this->handle()); }
    /* Waits until the version is not `version`, and tells which it is; nothing at the deadline. */
    std::optional<std::uint64_t> wait(std::uint64_t version, deadline d = forever) const {
        expected<std::uint64_t> now = try_wait(version, d);
        if (!now && now.error() == COVE_ERR_TIMEOUT)
            return std::nullopt;
        return value_of(std::move(now));
    }
    expected<std::uint64_t> try_wait(std::uint64_t version, deadline d = forever) const noexcept {
        std::uint64_t now = version;
        cove_result result = cove_block_wait(this->handle(), version, d.ns(), &now);
        if (result < 0)
            return unexpected(failure(result));
        return now;
    }
    void notify() { check(cove_block_notify(this->handle())); }

    void lock() { check(take(true, forever)); }
    bool try_lock() { return is_taken(take(true, at_once)); }
    template <typename R, typename P> bool try_lock_for(const std::chrono::duration<R, P> &d) { return is_taken(take(true, d)); }
    template <typename C, typename D> bool try_lock_until(const std::chrono::time_point<C, D> &t) {
        return is_taken(take(true, t - C::now()));
    }
    void unlock() { give_back(); }
    void lock_shared() { check(take(false, forever)); }
    bool try_lock_shared() { return is_taken(take(false, at_once)); }
    template <typename R, typename P> bool try_lock_shared_for(const std::chrono::duration<R, P> &d) { return is_taken(take(false, d)); }
    template <typename C, typename D> bool try_lock_shared_until(const std::chrono::time_point<C, D> &t) {
        return is_taken(take(false, t - C::now()));
    }
    void unlock_shared() { give_back(); }
    /* Of the hold that was taken last: a writer was killed inside, and nobody has repaired it. One copy only. */
    bool owner_died() const noexcept { return holds_ && holds_->owner_died; }

  protected:
    block_base() noexcept = default;
    explicit block_base(cove_block *block) : object<cove_block, c_block>(block), holds_(std::make_unique<holds>()) {}
    void *held_data() const {
        void *data = holds_ ? holds_->data() : nullptr;
        if (!data)
            throw error(COVE_ERR_VIEW);
        return data;
    }

  private:
    cove_result take(bool writes, deadline d) {
        cove_block_view view;
        cove_result result =
            writes ? cove_block_lock_write(this->handle(), &view, d.ns()) : cove_block_lock_read(this->handle(), &view, d.ns());
        if (result < 0)
            return result;
        if (writes)
            Fill::fill(view, result == COVE_OWNER_DIED);
        holds_->owner_died = result == COVE_OWNER_DIED;
        try {
            holds_->add(view);
        } catch (...) { /* no memory to note it in */
            cove_block_unlock(this->handle(), &view);
            throw;
        }
        return result;
    }
    static bool is_taken(cove_result result) {
        if (result < 0 && result != COVE_ERR_TIMEOUT)
            throw error(result);
        return result >= 0;
    }
    void give_back() {
        std::optional<cove_block_view> view = holds_ ? holds_->take() : std::nullopt;
        if (!view)
            throw error(COVE_ERR_VIEW);
        check(cove_block_unlock(this->handle(), &*view));
    }
    std::unique_ptr<holds> holds_;
};
/* Of a plain block, all that there is room for is the value: the standard's locks cannot say how much of it counts. */
struct fill_all {
    static void fill(cove_block_view &view, bool owner_died) noexcept {
        if (view.length_bytes < view.capacity_bytes && !owner_died)
            std::memset(static_cast<char *>(view.data) + view.length_bytes, 0,
                        static_cast<std::size_t>(view.capacity_bytes - view.length_bytes));
        view.length_bytes = view.capacity_bytes;
    }
};
/* A box that nobody has set holds zeros; what a dead writer has left in it is shown as it is. */
template <std::size_t bytes> struct fill_zeros {
    static void fill(cove_block_view &view, bool owner_died) noexcept {
        if (view.length_bytes != bytes && !owner_died)
            std::memset(view.data, 0, bytes);
        view.length_bytes = bytes;
    }
};
} // namespace detail

/* Named bytes. */
class block : public detail::block_base<detail::fill_all> {
  public:
    block() noexcept = default;
    static block open(const std::string &name, const block_options &options = {}) { return detail::value_of(try_open(name, options)); }
    static expected<block> try_open(const std::string &name, const block_options &options = {}) {
        cove_block *handle;
        cove_result result = cove_block_open(&handle, detail::name_of(name), &options);
        if (result < 0)
            return unexpected(failure(result));
        return block(handle);
    }

    void set(span<const std::byte> value, deadline d = forever) {
        detail::check(cove_block_set(handle(), value.data(), value.size(), d.ns()));
    }
    void set(std::string_view value, deadline d = forever) { detail::check(cove_block_set(handle(), value.data(), value.size(), d.ns())); }
    expected<void> try_set(span<const std::byte> value, deadline d = forever) noexcept {
        return detail::told(cove_block_set(handle(), value.data(), value.size(), d.ns()));
    }
    expected<void> try_set(std::string_view value, deadline d = forever) noexcept {
        return detail::told(cove_block_set(handle(), value.data(), value.size(), d.ns()));
    }
    /* Into room of the caller's: how many bytes it is. */
    std::size_t get(span<std::byte> room, deadline d = forever) const { return detail::value_of(try_get(room, d)); }
    expected<std::size_t> try_get(span<std::byte> room, deadline d = forever) const noexcept {
        std::uint64_t length = 0;
        cove_result result = cove_block_get(handle(), room.data(), room.size(), &length, nullptr, d.ns());
        if (result < 0)
            return unexpected(failure(result));
        return static_cast<std::size_t>(length);
    }
    std::string get_string(deadline d = forever) const {
        std::string value(static_cast<std::size_t>(info().capacity_bytes), '\0');
        value.resize(get({reinterpret_cast<std::byte *>(value.data()), value.size()}, d));
        return value;
    }

    read_guard lock_read(deadline d = forever) const { return detail::value_of(try_lock_read(d)); }
    write_guard lock_write(deadline d = forever) { return detail::value_of(try_lock_write(d)); }
    expected<read_guard> try_lock_read(deadline d = at_once) const noexcept { return hold<read_guard>(false, d); }
    expected<write_guard> try_lock_write(deadline d = at_once) noexcept { return hold<write_guard>(true, d); }
    /* What this thread holds by lock() or lock_shared(); under the latter not to be written. By lock() it is all that there is room for, and
     * unlock() publishes all of it; lock_write() is for values of other lengths. */
    std::byte *held() const { return static_cast<std::byte *>(held_data()); }

  private:
    explicit block(cove_block *handle) : block_base(handle) {}
    template <typename G> expected<G> hold(bool writes, deadline d) const noexcept {
        cove_block_view view;
        cove_result result = writes ? cove_block_lock_write(handle(), &view, d.ns()) : cove_block_lock_read(handle(), &view, d.ns());
        if (result < 0)
            return unexpected(failure(result));
        return G(handle(), view, writes, result == COVE_OWNER_DIED);
    }
};

/* A T that several processes share. A box that nobody has set holds zeros. With COVE_BLOCK_SINGLE in options.flags it is one copy, which stays
 * where it is; a guard then tells when the last writer was killed inside. options.lifetime = COVE_WHILE_OWNED: the box is gone when its
 * owner is, who may be another from own() on. */
template <typename T> class box : public detail::block_base<detail::fill_zeros<sizeof(T)>> {
    static_assert(is_shareable<T>, "a shared type is trivially copyable and of standard layout, and no pointer");

  public:
    using value_type = T;
    box() noexcept = default;
    static box open(const std::string &name, const block_options &options = {}) { return detail::value_of(try_open(name, options)); }
    static expected<box> try_open(const std::string &name, block_options options = {}) {
        cove_block *handle;
        options.capacity_bytes = sizeof(T);
        detail::describe_type<T>(options);
        cove_result result = cove_block_open(&handle, detail::name_of(name), &options);
        if (result < 0)
            return unexpected(failure(result));
        return box(handle);
    }

    void set(const T &value, deadline d = forever) { detail::check(cove_block_set(this->handle(), &value, sizeof value, d.ns())); }
    expected<void> try_set(const T &value, deadline d = forever) noexcept {
        return detail::told(cove_block_set(this->handle(), &value, sizeof value, d.ns()));
    }
    T get(deadline d = forever) const { return detail::value_of(try_get(d)); }
    expected<T> try_get(deadline d = forever) const noexcept {
        alignas(T) unsigned char bytes[sizeof(T)] = {};
        std::uint64_t length = 0;
        cove_result result = cove_block_get(this->handle(), bytes, sizeof bytes, &length, nullptr, d.ns());
        if (result >= 0 && !fits(length))
            result = COVE_ERR_SIZE;
        if (result < 0)
            return unexpected(failure(result));
        return *std::launder(reinterpret_cast<T *>(bytes));
    }

    box_read_guard<T> lock_read(deadline d = forever) const { return detail::value_of(try_lock_read(d)); }
    box_write_guard<T> lock_write(deadline d = forever) { return detail::value_of(try_lock_write(d)); }
    expected<box_read_guard<T>> try_lock_read(deadline d = at_once) const noexcept {
        cove_block_view view;
        cove_result result = cove_block_lock_read(this->handle(), &view, d.ns());
        /* Never set, it has been zeros since its birth; set to nothing, which only bytes can be, it is no T. */
        if (result == COVE_OK && view.length_bytes != sizeof(T) && view.version != 0) {
            cove_block_unlock(this->handle(), &view);
            result = COVE_ERR_SIZE;
        }
        if (result < 0)
            return unexpected(failure(result));
        return box_read_guard<T>(this->handle(), view, false, result == COVE_OWNER_DIED); /* never set: zeros since its birth */
    }
    expected<box_write_guard<T>> try_lock_write(deadline d = at_once) noexcept {
        cove_block_view view;
        cove_result result = cove_block_lock_write(this->handle(), &view, d.ns());
        if (result < 0)
            return unexpected(failure(result));
        if (!fits(view.length_bytes) && result != COVE_OWNER_DIED) {
            if (cove_block_abandon(this->handle(), &view) < 0)
                cove_block_unlock(this->handle(), &view);
            return unexpected(failure(COVE_ERR_SIZE));
        }
        detail::fill_zeros<sizeof(T)>::fill(view, result == COVE_OWNER_DIED);
        return box_write_guard<T>(this->handle(), view, true, result == COVE_OWNER_DIED);
    }
    /* What this thread holds by lock() or lock_shared(); under the latter not to be written. */
    T &held() const { return *static_cast<T *>(this->held_data()); }

  private:
    explicit box(cove_block *handle) : detail::block_base<detail::fill_zeros<sizeof(T)>>(handle) {}
    static bool fits(std::uint64_t length) noexcept { return length == 0 || length == sizeof(T); } /* 0: nobody has set it */
};

/* ---- Streams and queues. */

struct stream_options : cove_stream_options {
    stream_options() : cove_stream_options() {}
};
struct queue_options : cove_queue_options {
    queue_options() : cove_queue_options() {}
};

namespace detail {
template <typename T, typename Options> void describe_elements(Options &options, std::size_t most) {
    options.type = type_of<T>();
    options.element_bytes = type_of<T>() == COVE_TYPE_STRUCT ? static_cast<std::uint32_t>(sizeof(T)) : 0;
    if (!options.capacity_bytes) {
        options.capacity_bytes = most * sizeof(T);
        options.size_rule = COVE_AT_LEAST;
    }
    describe_type<T>(options);
}

/* A value or message in place, which is let go of with its life, by `end`. */
template <typename T, typename Handle, typename Record, cove_result (*end)(Handle *, Record *)> class [[nodiscard]] in_place {
  public:
    in_place(Handle *handle, const Record &record) noexcept : handle_(handle), record_(record) {}
    in_place(in_place &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)), record_(other.record_) {}
    in_place &operator=(in_place &&other) noexcept {
        if (this != &other) {
            let_go();
            handle_ = std::exchange(other.handle_, nullptr);
            record_ = other.record_;
        }
        return *this;
    }
    ~in_place() { let_go(); }
    span<const T> elements() const noexcept {
        return {static_cast<const T *>(record_.data), static_cast<std::size_t>(record_.length_bytes / sizeof(T))};
    }
    const T &operator*() const noexcept { return *static_cast<const T *>(record_.data); }
    const T *operator->() const noexcept { return static_cast<const T *>(record_.data); }
    std::uint64_t sequence() const noexcept { return record_.sequence; }
    std::uint64_t tag() const noexcept { return record_.tag; }

  protected:
    void let_go() noexcept {
        if (handle_)
            end(handle_, &record_);
        handle_ = nullptr;
    }
    Handle *handle_;
    Record record_;
};

/* Room in shared memory that is filled and then published, or given back with its life. `Kind` says how. */
template <typename T, typename Handle, typename Kind> class [[nodiscard]] loan {
  public:
    loan(Handle *handle, const cove_loan &l) noexcept : handle_(handle), loan_(l) {}
    loan(loan &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)), loan_(other.loan_) {}
    loan &operator=(loan &&other) noexcept {
        if (this != &other) {
            discard();
            handle_ = std::exchange(other.handle_, nullptr);
            loan_ = other.loan_;
        }
        return *this;
    }
    ~loan() { discard(); }
    /* The elements that were asked for; their bytes are unspecified. */
    span<T> elements() noexcept { return {static_cast<T *>(loan_.data), static_cast<std::size_t>(loan_.length_bytes / sizeof(T))}; }
    T &operator*() noexcept { return *static_cast<T *>(loan_.data); }
    T *operator->() noexcept { return static_cast<T *>(loan_.data); }
    void tag(std::uint64_t tag) noexcept { loan_.tag = tag; }
    void publish(deadline d = forever) {
        check(Kind::publish(handle_, &loan_, d.ns()));
        handle_ = nullptr;
    }
    expected<void> try_publish(deadline d = forever) noexcept {
        cove_result result = Kind::publish(handle_, &loan_, d.ns());
        if (result >= 0)
            handle_ = nullptr;
        return told(result);
    }
    void discard() noexcept {
        if (handle_)
            Kind::discard(handle_, &loan_);
        handle_ = nullptr;
    }

  private:
    Handle *handle_;
    cove_loan loan_;
};
struct stream_loan {
    static cove_result publish(cove_stream *s, cove_loan *l, cove_time_ns d) { return cove_stream_publish(s, l, d); }
    static void discard(cove_stream *s, cove_loan *l) { cove_stream_discard(s, l); }
};
struct queue_loan {
    static cove_result publish(cove_queue *q, cove_loan *l, cove_time_ns d) { return cove_queue_commit(q, l, d); }
    static void discard(cove_queue *q, cove_loan *l) { cove_queue_abandon(q, l); }
};
} // namespace detail

/* Values of T, or of up to `most` of them each, from any number of writers to any number of readers. */
template <typename T> class stream : public object<cove_stream, detail::c_stream> {
    static_assert(is_shareable<T>, "a shared type is trivially copyable and of standard layout, and no pointer");

  public:
    /* A value of one T. */
    struct item {
        T data;
        std::uint64_t sequence, tag, missed_count;
        std::chrono::nanoseconds time; /* of its publication, on the steady clock; 0 without COVE_STREAM_TIMES */
    };
    /* A value in place, which stays as it is until this ends. */
    class [[nodiscard]] borrowed : public detail::in_place<T, cove_stream, cove_value, cove_stream_give_back> {
      public:
        using detail::in_place<T, cove_stream, cove_value, cove_stream_give_back>::in_place;
        std::uint64_t missed_count() const noexcept { return this->record_.missed_count; }
        void give_back() noexcept { this->let_go(); }
    };
    using loan_type = detail::loan<T, cove_stream, detail::stream_loan>;

    stream() noexcept = default;
    /* `most`: for how many elements in a value there must be room. */
    static stream open(const std::string &name, const stream_options &options = {}, std::size_t most = 1) {
        return detail::value_of(try_open(name, options, most));
    }
    static expected<stream> try_open(const std::string &name, stream_options options = {}, std::size_t most = 1) {
        cove_stream *handle = nullptr;
        detail::describe_elements<T>(options, most);
        cove_result result = cove_stream_open(&handle, detail::name_of(name), &options);
        if (result < 0)
            return unexpected(failure(result));
        return stream(handle);
    }

    void write(const T &value, std::uint64_t tag = 0, deadline d = forever) { detail::check(put(&value, sizeof value, tag, d)); }
    void write(span<const T> values, std::uint64_t tag = 0, deadline d = forever) {
        detail::check(put(values.data(), values.size_bytes(), tag, d));
    }
    expected<void> try_write(const T &value, std::uint64_t tag = 0, deadline d = at_once) noexcept {
        return detail::told(put(&value, sizeof value, tag, d));
    }
    expected<void> try_write(span<const T> values, std::uint64_t tag = 0, deadline d = at_once) noexcept {
        return detail::told(put(values.data(), values.size_bytes(), tag, d));
    }
    loan_type loan(std::size_t count = 1, deadline d = forever) { return detail::value_of(try_loan(count, d)); }
    expected<loan_type> try_loan(std::size_t count = 1, deadline d = at_once) noexcept {
        cove_loan l;
        cove_result result = cove_stream_loan(this->handle(), count * sizeof(T), &l, d.ns());
        if (result < 0)
            return unexpected(failure(result));
        return loan_type(this->handle(), l);
    }

    /* The next value, of one T (of several: borrow); nothing at the deadline, or when the stream was removed. */
    std::optional<item> read(deadline d = forever) { return some(try_read(d)); }
    expected<item> try_read(deadline d = at_once) noexcept {
        alignas(T) unsigned char bytes[sizeof(T)];
        cove_value told;
        cove_result result = cove_stream_read(this->handle(), bytes, sizeof bytes, &told, d.ns());
        if (result < 0 || result == COVE_REMOVED)
            return unexpected(failure(result == COVE_REMOVED ? COVE_ERR_EMPTY : result));
        if (told.length_bytes != sizeof bytes)
            return unexpected(failure(COVE_ERR_SIZE));
        return item{*std::launder(reinterpret_cast<T *>(bytes)), told.sequence, told.tag, told.missed_count,
                    std::chrono::nanoseconds(told.time_ns)};
    }
    std::optional<borrowed> borrow(deadline d = forever) { return some(try_borrow(d)); }
    expected<borrowed> try_borrow(deadline d = at_once) noexcept {
        cove_value v;
        cove_result result = cove_stream_borrow(this->handle(), &v, d.ns());
        if (result < 0 || result == COVE_REMOVED)
            return unexpected(failure(result == COVE_REMOVED ? COVE_ERR_EMPTY : result));
        return borrowed(this->handle(), v);
    }
    void seek(cove_start start) { detail::check(cove_stream_seek(this->handle(), start)); }
    /* Whether there is something to read. */
    bool wait(deadline d = forever) {
        cove_result result = cove_stream_wait(this->handle(), d.ns());
        if (result < 0 && result != COVE_ERR_EMPTY)
            throw error(result);
        return result == COVE_OK;
    }
    std::uint32_t writers() const {
        std::uint32_t count;
        detail::check(cove_stream_writers(this->handle(), &count));
        return count;
    }

  private:
    explicit stream(cove_stream *handle) noexcept : object<cove_stream, detail::c_stream>(handle) {}
    cove_result put(const void *data, std::size_t size, std::uint64_t tag, deadline d) noexcept {
        return cove_stream_write(this->handle(), data, size, tag, d.ns());
    }
    template <typename V> static std::optional<V> some(expected<V> &&e) {
        if (!e && e.error() == COVE_ERR_EMPTY)
            return std::nullopt;
        return detail::value_of(std::move(e));
    }
};

/* Messages of T, or of up to `most` of them each, to one consumer each. */
template <typename T> class queue : public object<cove_queue, detail::c_queue> {
    static_assert(is_shareable<T>, "a shared type is trivially copyable and of standard layout, and no pointer");

  public:
    struct item {
        T data;
        std::uint64_t sequence, tag;
        std::uint32_t deliveries; /* 1: the first */
    };
    /* A message in hand, in place. Say done() when it is; else it is put back, and somebody has it again. */
    class [[nodiscard]] task : public detail::in_place<T, cove_queue, cove_message, cove_queue_put_back> {
      public:
        using detail::in_place<T, cove_queue, cove_message, cove_queue_put_back>::in_place;
        std::uint32_t deliveries() const noexcept { return this->record_.deliveries; }
        void done() {
            if (this->handle_)
                detail::check(cove_queue_done(this->handle_, &this->record_));
            this->handle_ = nullptr;
        }
        void put_back() noexcept { this->let_go(); }
    };
    using loan_type = detail::loan<T, cove_queue, detail::queue_loan>;

    queue() noexcept = default;
    static queue open(const std::string &name, const queue_options &options = {}, std::size_t most = 1) {
        return detail::value_of(try_open(name, options, most));
    }
    static expected<queue> try_open(const std::string &name, queue_options options = {}, std::size_t most = 1) {
        cove_queue *handle = nullptr;
        detail::describe_elements<T>(options, most);
        cove_result result = cove_queue_open(&handle, detail::name_of(name), &options);
        if (result < 0)
            return unexpected(failure(result));
        return queue(handle);
    }

    /* False: it was full until the deadline. */
    bool push(const T &value, std::uint64_t tag = 0, deadline d = forever) { return is_pushed(put(&value, sizeof value, tag, d)); }
    bool push(span<const T> values, std::uint64_t tag = 0, deadline d = forever) {
        return is_pushed(put(values.data(), values.size_bytes(), tag, d));
    }
    expected<void> try_push(const T &value, std::uint64_t tag = 0, deadline d = at_once) noexcept {
        return detail::told(put(&value, sizeof value, tag, d));
    }
    expected<void> try_push(span<const T> values, std::uint64_t tag = 0, deadline d = at_once) noexcept {
        return detail::told(put(values.data(), values.size_bytes(), tag, d));
    }
    loan_type reserve(std::size_t count = 1, deadline d = forever) { return detail::value_of(try_reserve(count, d)); }
    expected<loan_type> try_reserve(std::size_t count = 1, deadline d = at_once) noexcept {
        cove_loan l;
        cove_result result = cove_queue_reserve(this->handle(), count * sizeof(T), &l, d.ns());
        if (result < 0)
            return unexpected(failure(result));
        return loan_type(this->handle(), l);
    }

    /* The next message, of one T (of several: take), done with as soon as it is here; nothing at the deadline, or when the queue was removed. */
    std::optional<item> pop(deadline d = forever) { return some(try_pop(d)); }
    expected<item> try_pop(deadline d = at_once) noexcept {
        alignas(T) unsigned char bytes[sizeof(T)];
        cove_message told;
        cove_result result = cove_queue_pop(this->handle(), bytes, sizeof bytes, &told, d.ns());
        if (result < 0 || result == COVE_REMOVED)
            return unexpected(failure(result == COVE_REMOVED ? COVE_ERR_EMPTY : result));
        if (told.length_bytes != sizeof bytes)
            return unexpected(failure(COVE_ERR_SIZE));
        return item{*std::launder(reinterpret_cast<T *>(bytes)), told.sequence, told.tag, told.deliveries};
    }
    /* The next message, in hand: when this process dies before done(), another has it. */
    std::optional<task> take(deadline d = forever) { return some(try_take(d)); }
    expected<task> try_take(deadline d = at_once) noexcept {
        cove_message m;
        cove_result result = cove_queue_take(this->handle(), &m, d.ns());
        if (result < 0 || result == COVE_REMOVED)
            return unexpected(failure(result == COVE_REMOVED ? COVE_ERR_EMPTY : result));
        return task(this->handle(), m);
    }
    bool wait(deadline d = forever) {
        cove_result result = cove_queue_wait(this->handle(), d.ns());
        if (result < 0 && result != COVE_ERR_EMPTY)
            throw error(result);
        return result == COVE_OK;
    }

  private:
    explicit queue(cove_queue *handle) noexcept : object<cove_queue, detail::c_queue>(handle) {}
    cove_result put(const void *data, std::size_t size, std::uint64_t tag, deadline d) noexcept {
        return cove_queue_push(this->handle(), data, size, tag, d.ns());
    }
    static bool is_pushed(cove_result result) {
        if (result < 0 && result != COVE_ERR_FULL)
            throw error(result);
        return result >= 0;
    }
    template <typename V> static std::optional<V> some(expected<V> &&e) {
        if (!e && e.error() == COVE_ERR_EMPTY)
            return std::nullopt;
        return detail::value_of(std::move(e));
    }
};

} // namespace cove
#endif

// Cove for C++, in each standard from C++17 on; and that it is the same bytes as from C.
#include "cove.hpp" // first: it stands alone

#include <csignal>
#include <shared_mutex>

extern "C" {
#include "tests/support.h" // last: cmocka has a macro called fail
}

using namespace std::chrono_literals;

struct Pose {
    double x = 0, y = 0;
};
struct Big {
    std::uint64_t word[100];
};
struct Named {
    int number;
};
template <> struct cove::type_info<Named> {
    static constexpr const char *name = "test.Named";
    static constexpr std::uint64_t schema = 7;
};

// ---- What the types say.

template <typename T>
inline constexpr bool only_moves = !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T> &&
                                   std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T>;
static_assert(only_moves<cove::block> && only_moves<cove::box<Pose>> && only_moves<cove::stream<int>> && only_moves<cove::queue<Pose>>);
static_assert(only_moves<cove::read_guard> && only_moves<cove::write_guard> && only_moves<cove::box_write_guard<Pose>>);
static_assert(only_moves<cove::stream<int>::borrowed> && only_moves<cove::queue<int>::task> && only_moves<cove::stream<int>::loan_type>);
static_assert(cove::is_shareable<Pose> && cove::is_shareable<int> && !cove::is_shareable<int *> && !cove::is_shareable<std::string> &&
              !cove::is_shareable<const int>);
static_assert(!std::is_assignable_v<decltype(*std::declval<const cove::box_read_guard<Pose> &>()), Pose>, "what is read is not written");
#ifdef __cpp_concepts
static_assert(cove::shareable<Pose> && !cove::shareable<std::string>);
#endif

#define throws(wanted, ...) \
    do { \
        cove_result thrown_ = COVE_OK; \
        try { \
            __VA_ARGS__; \
        } catch (const cove::error &e) { \
            thrown_ = e.code(); \
            assert_non_null(std::strstr(e.what(), cove_result_name(wanted))); \
        } \
        assert_int_equal(thrown_, wanted); \
    } while (0)

static cove::block_options single() {
    cove::block_options o;
    o.flags = COVE_BLOCK_SINGLE;
    return o;
}

// ---- Boxes.

TEST(a_box_is_set_got_and_edited) {
    auto box = cove::box<Pose>::open("p"), other = cove::box<Pose>::open("p");
    assert_true(box.get().x == 0 && other.lock_read()->y == 0); // nobody has set it
    box.set({1, 2});
    assert_true(other.get().x == 1 && other.get().y == 2);
    {
        auto edit = other.lock_write();
        edit->x += 10;
        (*edit).y = 5;
        assert_true(box.get().x == 1); // not yet
    }
    assert_true(box.get().x == 11 && box.lock_read()->y == 5);
    {
        auto edit = box.lock_write();
        edit->x = 99;
        edit.abandon();
    }
    assert_true(box.get().x == 11);
    auto moved = std::move(box);
    assert_true(!box && moved && moved.get().x == 11);
    moved.close();
    assert_true(!moved);
    throws(COVE_ERR_ARGUMENT, moved.get());
}

TEST(an_exception_that_passes_abandons_the_edit) {
    auto box = cove::box<Pose>::open("p");
    box.set({1, 1});
    try {
        auto edit = box.lock_write();
        edit->x = 2;
        throw 1;
    } catch (int) {
    }
    assert_true(box.get().x == 1);
    try {
        throw 1;
    } catch (int) {
        auto edit = box.lock_write(); // while one is handled, and passes nothing of ours
        edit->x = 3;
    }
    assert_true(box.get().x == 3);
}

TEST(types_that_differ_are_refused) {
    auto box = cove::box<Pose>::open("p");
    throws(COVE_ERR_SIZE, cove::box<Big>::open("p"));
    auto named = cove::box<Named>::open("n");
    cove_block *block;
    cove_block_options options = {};
    options.capacity_bytes = sizeof(Named);
    options.type_name = "test.Other";
    expect(COVE_ERR_TYPE, cove_block_open(&block, "n", &options));
    options.type_name = "test.Named";
    options.schema_hash = 8;
    expect(COVE_ERR_TYPE, cove_block_open(&block, "n", &options));
    options.schema_hash = 7;
    expect(COVE_OK, cove_block_open(&block, "n", &options));
    cove_block_close(block);
}

TEST(owners_come_and_go) {
    cove::block_options options;
    options.lifetime = COVE_WHILE_OWNED;
    auto owner = cove::box<int>::open("o", options), other = cove::box<int>::open("o", options);
    assert_true(owner.info().is_owner && !other.info().is_owner);
    throws(COVE_ERR_NOT_OWNER, other.disown());
    other.own();
    assert_true(other.info().is_owner && !owner.info().is_owner);
    other.disown();
    owner.own();
    owner.retire();
    assert_true(other.is_removed());
    assert_true(other.try_own().error() == COVE_ERR_GONE);
}

static int die_in_an_edit(void *) {
    auto box = cove::box<Pose>::open("p", single());
    auto edit = box.lock_write();
    edit->x = 666;
    raise(SIGKILL);
    return 0;
}

TEST(a_guard_tells_that_the_last_owner_died) {
    auto box = cove::box<Pose>::open("p", single());
    box.set({1, 2});
    assert_int_equal(end_of(child(die_in_an_edit, nullptr)), -SIGKILL);
    assert_true(box.try_get().error() == COVE_ERR_UNREPAIRED);
    assert_true(box.lock_read().owner_died());
    box.lock();
    assert_true(box.owner_died());
    box.unlock();
    {
        auto edit = box.lock_write(1s);
        assert_true(edit.owner_died() && edit->x == 666);
        edit->x = 1;
        edit.mark_repaired();
    }
    assert_true(box.get().x == 1 && !box.lock_read().owner_died());
}

static int die_in_the_first_edit(void *) {
    auto box = cove::box<int>::open("fresh", single());
    *box.lock_write() = 77; // published
    box.remove();
    box = cove::box<int>::open("fresh2", single());
    auto edit = box.lock_write();
    *edit = 78;
    raise(SIGKILL);
    return 0;
}

TEST(what_a_dead_first_writer_has_left_is_shown_and_lengths_that_are_no_t_are_told) {
    auto fresh = cove::box<int>::open("fresh2", single());
    assert_int_equal(end_of(child(die_in_the_first_edit, nullptr)), -SIGKILL);
    {
        auto edit = fresh.lock_write();
        assert_true(edit.owner_died() && *edit == 78);
    }
    {
        std::scoped_lock lock(fresh);
        assert_true(fresh.owner_died() && fresh.held() == 78);
    }
    auto box = cove::box<int>::open("b");
    auto bytes = cove::block::open("b");
    bytes.set("ab");
    assert_true(box.try_get().error() == COVE_ERR_SIZE && box.try_lock_read().error() == COVE_ERR_SIZE &&
                box.try_lock_write().error() == COVE_ERR_SIZE);
    assert_string_equal(bytes.get_string().c_str(), "ab");
    {
        auto edit = bytes.lock_write();
        throws(COVE_ERR_SIZE, edit.resize(1000));
    }
    assert_true(bytes.try_lock_write().has_value());
    {
        std::scoped_lock lock(bytes);
        std::memcpy(bytes.held(), "1234", 4);
    }
    assert_string_equal(bytes.get_string().c_str(), "1234");
    cove::box<int> none;
    assert_false(none.owner_died());
    throws(COVE_ERR_VIEW, none.held());
    throws(COVE_ERR_VIEW, none.unlock());
    throws(COVE_ERR_NAME, cove::block::open(std::string("a\0b", 3)));
    struct only_by_value {
        explicit only_by_value(int n) : number(n) {}
        int number;
    };
    auto values = cove::stream<only_by_value>::open("v");
    values.write(only_by_value(5));
    assert_true(values.read()->data.number == 5);
}

// ---- The standard's locks.

TEST(the_standard_s_locks_take_boxes_and_blocks) {
    for (bool one_copy : {false, true}) {
        auto from = cove::box<int>::open("from", one_copy ? single() : cove::block_options()), to = cove::box<int>::open("to");
        from.set(10);
        {
            std::scoped_lock both(from, to);
            to.held() += 3;
            from.held() -= 3;
        }
        assert_true(from.get() == 7 && to.get() == 3);
        {
            std::unique_lock<cove::box<int>> lock(from, std::defer_lock);
            assert_true(lock.try_lock_for(1s));
            assert_true(from.held() == 7);
            std::thread([&] {
                assert_false(from.try_lock());
                assert_false(from.try_lock_for(5ms));
                assert_false(from.try_lock_until(std::chrono::system_clock::now() + 5ms));
                assert_true(from.try_lock_shared() == !one_copy);
                if (!one_copy) {
                    assert_true(from.held() == 7);
                    from.unlock_shared();
                }
            }).join();
        }
        {
            std::shared_lock<cove::box<int>> a(from), b(from);
            assert_true(from.held() == 7);
            std::thread([&] {
                std::shared_lock<cove::box<int>> c(from, 1s);
                assert_true(c.owns_lock() && from.held() == 7);
            }).join();
        }
        throws(COVE_ERR_VIEW, from.held());
        throws(COVE_ERR_VIEW, from.unlock());
        from.remove();
    }
    auto plain = cove::block::open("lock"); // no bytes: a named lock
    std::lock_guard<cove::block> guard(plain);
}

TEST(threads_and_processes_take_turns) {
    auto counter = cove::box<long>::open("c", single());
    auto count = [](void *) {
        auto mine = cove::box<long>::open("c", single());
        for (int i = 0; i < 5000; i++) {
            std::scoped_lock lock(mine);
            mine.held()++;
        }
        return 0;
    };
    pid_t pids[2] = {child(count, nullptr), child(count, nullptr)};
    std::thread thread([&] {
        for (int i = 0; i < 5000; i++) {
            std::scoped_lock lock(counter);
            counter.held()++;
        }
    });
    thread.join();
    assert_int_equal(end_of(pids[0]), 0);
    assert_int_equal(end_of(pids[1]), 0);
    assert_int_equal(counter.get(), 15000);
}

// ---- Blocks, deadlines, failures.

TEST(a_block_holds_bytes) {
    auto block = cove::block::open("b", cove::block_options(100));
    block.set("some text");
    assert_string_equal(block.get_string().c_str(), "some text");
    std::byte room[100];
    assert_int_equal(block.get(room), 9);
    assert_true(block.try_get(cove::span<std::byte>(room, 3)).error() == COVE_ERR_SIZE);
    assert_true(block.try_set(std::string(101, 'x')).error() == COVE_ERR_SIZE);
    {
        auto edit = block.lock_write();
        assert_int_equal(edit.bytes().size(), 9);
        assert_int_equal(edit.room().size(), 100);
        edit.room()[0] = std::byte{'S'};
        edit.resize(4);
    }
    auto view = block.lock_read();
    assert_int_equal(view.bytes().size(), 4);
    assert_memory_equal(view.bytes().data(), "Some", 4);
    auto moved = std::move(view);
    assert_true(!view);
    moved.unlock();
    moved.unlock(); // nothing
    assert_true(block.info().capacity_bytes == 100);
}

TEST(changes_are_waited_for_and_told) {
    auto box = cove::box<int>::open("b"), other = cove::box<int>::open("b");
    std::uint64_t version = box.version();
    assert_false(box.wait(version, 5ms).has_value());
    assert_true(box.try_wait(version, cove::at_once).error() == COVE_ERR_TIMEOUT);
    std::thread([&] { other.set(1); }).join();
    assert_true(box.wait(version).value() == version + 1);
    std::atomic<int> last{-1}, calls{0};
    box.on_change([&] {
        last = box.get();
        calls++;
    });
    other.set(2);
    eventually(last == 2);
    box.on_change([&] { // replaces the one before, and ends itself
        calls = 100;
        box.on_change({});
    });
    eventually(calls == 100);
    other.set(3);
    usleep(10000);
    assert_true(last == 2 && calls == 100);
    assert_true(box.fd() >= 0);
    std::thread interrupting([&] {
        usleep(10000);
        box.interrupt();
    });
    throws(COVE_ERR_INTERRUPTED, box.wait(box.version()));
    interrupting.join();
}

TEST(deadlines_are_durations_points_and_constants) {
    cove_time_ns now = cove_now();
    assert_true(cove::deadline(1s).ns() >= now + 1000000000 && cove::deadline(1s).ns() < now + 60000000000);
    assert_true(cove::deadline(-1s).ns() == COVE_TRY && cove::at_once.ns() == COVE_TRY && cove::forever.ns() == COVE_FOREVER);
    assert_true(cove::deadline(std::chrono::hours::max()).ns() == COVE_FOREVER);
    cove_time_ns point = cove::deadline(std::chrono::steady_clock::now() + 1s).ns();
    assert_true(point >= now + 1000000000 && point < now + 60000000000); // the same clock
}

TEST(failures_say_what_and_why) {
    cove::block_options options;
    options.how = COVE_OPEN;
    auto none = cove::block::try_open("none", options);
    assert_true(!none && none.error() == COVE_ERR_NOT_FOUND && none.error() != COVE_ERR_SIZE);
    assert_string_equal(none.error().name(), "COVE_ERR_NOT_FOUND");
    try {
        cove::block::open("none", options);
        assert_true(false);
    } catch (const std::runtime_error &e) {
        assert_non_null(std::strstr(e.what(), "'none'"));
    }
}

// ---- Streams and queues.

TEST(a_stream_carries_values_by_copy_and_in_place) {
    auto writer = cove::stream<Pose>::open("s"), reader = cove::stream<Pose>::open("s");
    assert_false(reader.read(cove::at_once).has_value());
    assert_true(reader.try_read().error() == COVE_ERR_EMPTY);
    writer.write({1, 2}, 77);
    auto got = reader.read();
    assert_true(got && got->data.y == 2 && got->tag == 77 && got->sequence == 1 && got->missed_count == 0);
    {
        auto loan = writer.loan();
        loan->x = 3;
        loan->y = 4;
        loan.tag(5);
        loan.publish();
        auto dropped = writer.loan(); // not published, so nothing
    }
    auto borrowed = reader.borrow(1s);
    assert_true(borrowed && (*borrowed)->x == 3 && (**borrowed).y == 4 && borrowed->tag() == 5 && borrowed->sequence() == 2);
    for (int i = 0; i < 50; i++)
        writer.write({5, 6});
    assert_true((*borrowed)->x == 3); // stays
    borrowed.reset();
    assert_true(reader.read()->missed_count > 0);
    reader.seek(COVE_START_NEW);
    assert_false(reader.wait(1ms));
    writer.write(Pose{});
    assert_true(reader.wait(1s));
    assert_int_equal(reader.writers(), 1);
}

TEST(values_may_have_many_elements_and_be_large) {
    auto frames = cove::stream<float>::open("f", {}, 1000), reader = cove::stream<float>::open("f");
    std::vector<float> frame(1000, 1.5f);
    frames.write(cove::span<const float>(frame));
    auto got = reader.borrow();
    assert_true(got && got->elements().size() == 1000 && got->elements()[999] == 1.5f);
    throws(COVE_ERR_SIZE, frames.write(cove::span<const float>(std::vector<float>(1001))));
    assert_true(frames.info().type == COVE_TYPE_F32);
    auto loan = frames.try_loan(10);
    assert_true(loan && loan->elements().size() == 10);
    loan->elements()[9] = 9;
    assert_true(loan->try_publish().has_value());
    auto big = cove::stream<Big>::open("big");
    big.write(Big{{7}});
    auto again = cove::stream<Big>::open("big");
    assert_true(again.read()->data.word[0] == 7);
    throws(COVE_ERR_TYPE, cove::stream<double>::open("f"));
}

TEST(a_queue_hands_each_message_to_one) {
    auto jobs = cove::queue<int>::open("q"), others = cove::queue<int>::open("q");
    assert_false(jobs.pop(cove::at_once).has_value());
    assert_true(jobs.push(1, 11) && jobs.push(2) && jobs.push(3));
    auto first = jobs.pop();
    assert_true(first && first->data == 1 && first->tag == 11 && first->deliveries == 1);
    {
        auto task = others.take();
        assert_true(task && **task == 2);
    } // not done
    auto again = jobs.take();
    assert_true(again && **again == 2 && again->deliveries() == 2);
    again->done();
    assert_true(others.pop()->data == 3);
    {
        auto room = jobs.reserve();
        *room = 4;
        room.publish();
    }
    assert_true(others.wait(1s) && others.pop()->data == 4);
    assert_true(others.info().pushed_count == 4);
    cove::queue_options options;
    options.depth = 1;
    auto narrow = cove::queue<int>::open("narrow", options);
    assert_true(narrow.push(1) && !narrow.push(2, 0, cove::at_once));
    assert_true(narrow.try_push(2).error() == COVE_ERR_FULL);
}

static int take_and_die(void *) {
    auto jobs = cove::queue<int>::open("q");
    auto task = jobs.take(1s);
    raise(task && **task == 42 ? SIGKILL : SIGTERM);
    return 0;
}

TEST(a_task_of_a_dead_process_comes_again) {
    auto jobs = cove::queue<int>::open("q");
    jobs.push(42);
    assert_int_equal(end_of(child(take_and_die, nullptr)), -SIGKILL);
    auto task = jobs.take(2s);
    assert_true(task && **task == 42 && task->deliveries() == 2);
    task->done();
}

// ---- The same bytes from C.

TEST(c_and_cpp_are_members_of_the_same_objects) {
    auto box = cove::box<Pose>::open("p");
    cove_block *block;
    cove_stream *stream;
    cove_queue *queue;
    Pose pose;
    std::uint64_t length;
    expect(COVE_OK, cove_block_open(&block, "p", nullptr));
    box.set({8, 9});
    expect(COVE_OK, cove_block_get(block, &pose, sizeof pose, &length, nullptr, COVE_TRY));
    assert_true(pose.x == 8 && length == sizeof pose);
    pose.y = 10;
    expect(COVE_OK, cove_block_set(block, &pose, sizeof pose, COVE_TRY));
    assert_true(box.get().y == 10);
    auto values = cove::stream<double>::open("s");
    cove_stream_options so = {};
    so.type = COVE_TYPE_F64;
    expect(COVE_OK, cove_stream_open(&stream, "s", &so));
    double value = 2.5;
    expect(COVE_OK, cove_stream_write(stream, &value, sizeof value, 3, COVE_TRY));
    assert_true(values.read()->data == 2.5);
    auto messages = cove::queue<std::uint8_t>::open("q", {}, 16);
    cove_queue_options qo = {};
    qo.type = COVE_TYPE_U8;
    expect(COVE_OK, cove_queue_open(&queue, "q", &qo));
    expect(COVE_OK, cove_queue_push(queue, "abc", 3, 0, COVE_TRY));
    assert_int_equal(messages.take()->elements().size(), 3);
    cove_block_close(block);
    cove_stream_close(stream);
    cove_queue_close(queue);
}

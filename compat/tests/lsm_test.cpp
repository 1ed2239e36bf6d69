// libsharedmemory with what its later versions have added, in C++20, and what the common faults of its kind would break.
#include "libsharedmemory/libsharedmemory.hpp"

#include <csignal>
#include <numeric>
#include <thread>

extern "C" {
#include "tests/support.h" // last: cmocka has a macro called fail
}

using namespace lsm;
using namespace std::chrono_literals;

template <typename F> static bool throws_runtime_error(F call, const char *text) {
    try {
        call();
    } catch (const std::runtime_error &e) {
        if (!std::strstr(e.what(), text))
            std::printf("%s\n", e.what());
        return std::strstr(e.what(), text) != nullptr;
    }
    return false;
}

TEST(views_and_spans_are_written) {
    SharedMemoryWriteStream writer("s", 4096, false);
    SharedMemoryReadStream reader("s", 4096, false);
    std::string_view part = std::string_view("abcdef").substr(2, 3);
    writer.write(part);
    assert_string_equal(reader.readString().c_str(), "cde");
    std::vector<float> floats{1, 2, 3};
    writer.write(std::span<const float>(floats));
    assert_true(reader.readVector<float>() == floats);
    std::vector<double> doubles(100);
    std::iota(doubles.begin(), doubles.end(), 0.5);
    writer.write(std::span<const double>(doubles));
    assert_true(reader.readVector<double>() == doubles);
    std::vector<std::int32_t> whole{-1, 0, 1};
    writer.write(whole.data(), whole.size());
    assert_int_equal(reader.readFlags() & ~kMemoryChanged, kMemoryTypeOther);
    assert_int_equal(reader.readLength(kMemoryTypeOther), 3);
    assert_true(reader.readVector<std::int32_t>() == whole);
    std::vector<std::uint8_t> bytes(256);
    std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
    writer.write(bytes.data(), bytes.size());
    assert_true(reader.readVector<std::uint8_t>() == bytes);
    writer.write(std::string("no \xff utf-8 \0 at all", 20)); // any bytes
    assert_true(reader.readString() == std::string("no \xff utf-8 \0 at all", 20));
    writer.write("");
    assert_string_equal(reader.readString().c_str(), "");
    Memory memory("m", 16, false);
    assert_true(memory.create() == Error::OK);
    memory.as_bytes()[3] = std::byte{7};
    assert_int_equal(static_cast<int>(static_cast<std::byte *>(memory.data())[3]), 7);
}

TEST(what_cannot_be_throws_and_leaves_all_as_it_was) {
    assert_true(throws_runtime_error([] { SharedMemoryReadStream("none", 8, false); }, "Shared memory segment could not be opened."));
    assert_true(throws_runtime_error([] { SharedMemoryWriteStream("none", 0, false); }, "Shared memory segment could not be created."));
    SharedMemoryWriteStream writer("s", 8, false);
    SharedMemoryReadStream reader("s", 8, false);
    assert_true(throws_runtime_error([] { SharedMemoryWriteStream("s", 9, false); }, "could not be created."));
    writer.write("12345678");
    assert_true(throws_runtime_error([&] { writer.write("123456789"); }, "do not fit"));
    assert_string_equal(reader.readString().c_str(), "12345678");
    writer.close();
    assert_true(throws_runtime_error([&] { writer.write("1"); }, "closed"));
    SharedMemoryQueue in("q", 4, 8, false, true), out("q", 4, 8, false, false);
    std::string text;
    assert_true(throws_runtime_error([&] { in.dequeue(text); }, "Cannot dequeue from a writer queue instance."));
    assert_true(throws_runtime_error([&] { out.enqueue("x"); }, "Cannot enqueue from a reader queue instance."));
    assert_true(throws_runtime_error([&] { in.enqueue("123456789"); }, "Message exceeds maximum message size."));
    assert_true(throws_runtime_error([] { SharedMemoryQueue("no", 4, 8, false, false); }, "could not be opened."));
    assert_true(throws_runtime_error([] { SharedMemoryQueue("no", 0, 8, false, true); }, "could not be created."));
}

TEST(a_late_reader_sees_the_value_that_is_there_as_new) {
    SharedMemoryWriteStream writer("s", 64, false);
    writer.write("early");
    SharedMemoryReadStream reader("s", 64, false);
    assert_true(reader.hasNewData());
    assert_string_equal(reader.readString().c_str(), "early");
    assert_true(reader.hasNewData()); // until it says that it has read it
    reader.markAsRead();
    assert_false(reader.hasNewData());
    assert_string_equal(reader.readString().c_str(), "early"); // the value stays
}

TEST(an_acknowledgement_is_of_what_was_read_and_not_of_what_came_since) {
    SharedMemoryWriteStream writer("s", 64, false);
    assert_true(writer.isMessageRead()); // there is none
    SharedMemoryReadStream reader("s", 64, false);
    writer.write("first");
    assert_false(writer.isMessageRead());
    reader.readString();
    writer.write("second");
    reader.markAsRead();
    assert_false(writer.isMessageRead());
    assert_false(writer.waitForRead(10ms));
    assert_true(reader.hasNewData());
    reader.readString();
    reader.markAsRead();
    assert_true(writer.isMessageRead());
    assert_true(writer.waitForRead());
}

TEST(who_waits_for_a_reader_does_not_wait_for_none) {
    SharedMemoryWriteStream writer("s", 64, false);
    writer.write("x");
    assert_false(writer.waitForRead());
    auto reader = std::make_unique<SharedMemoryReadStream>("s", 64, false);
    std::thread going([&] {
        std::this_thread::sleep_for(50ms);
        reader.reset();
    });
    assert_false(writer.waitForRead());
    going.join();
}

static int read_and_hang(void *context) {
    SharedMemoryReadStream reader("s", 64, false);
    reader.readString();
    __atomic_store_n(static_cast<int *>(context), 1, __ATOMIC_SEQ_CST);
    pause();
    return 0;
}

TEST(who_waits_for_a_reader_that_is_killed_is_told) {
    int *is_there = static_cast<int *>(shared_memory(sizeof(int)));
    SharedMemoryWriteStream writer("s", 64, false);
    writer.write("x");
    pid_t pid = child(read_and_hang, is_there);
    eventually(__atomic_load_n(is_there, __ATOMIC_SEQ_CST));
    std::thread killing([&] {
        std::this_thread::sleep_for(50ms);
        kill(pid, SIGKILL);
    });
    assert_false(writer.waitForRead());
    killing.join();
    assert_int_equal(end_of(pid), -SIGKILL);
}

TEST(a_length_and_an_array_belong_together) {
    SharedMemoryWriteStream writer("s", 64, false);
    SharedMemoryReadStream reader("s", 64, false);
    float three[] = {1, 2, 3}, one[] = {9};
    writer.write(three, 3);
    std::size_t length = reader.readLength(kMemoryTypeFloat);
    writer.write(one, 1);
    float *got = reader.readFloatArray();
    assert_int_equal(length, 3);
    assert_memory_equal(got, three, sizeof three);
    delete[] got;
    assert_true(reader.readVector<float>() == std::vector<float>{9});
}

// ---- Restarts and deaths.

TEST(a_writer_that_restarts_goes_on_in_the_same_stream) {
    auto writer = std::make_unique<SharedMemoryWriteStream>("s", 64, false);
    SharedMemoryReadStream reader("s", 64, false);
    writer->write("before");
    assert_string_equal(reader.readString().c_str(), "before");
    writer.reset();
    assert_string_equal(reader.readString().c_str(), "before");
    writer = std::make_unique<SharedMemoryWriteStream>("s", 64, false);
    writer->write("after");
    assert_string_equal(reader.readString().c_str(), "after");
    // And even in one that it had removed.
    writer->destroy();
    writer.reset();
    writer = std::make_unique<SharedMemoryWriteStream>("s", 128, false);
    writer->write("another");
    assert_string_equal(reader.readString().c_str(), "another");
    assert_true(reader.hasNewData());
}

TEST(a_reader_that_ends_takes_nothing_away) {
    SharedMemoryWriteStream writer("s", 64, false);
    { SharedMemoryReadStream reader("s", 64, false); }
    writer.write("x");
    SharedMemoryReadStream reader("s", 64, false);
    assert_string_equal(reader.readString().c_str(), "x");
}

static int write_for_ever(void *) {
    SharedMemoryWriteStream writer("s", 4096, false);
    char bytes[4096];
    for (std::uint64_t i = 1;; i++) {
        fill_pattern(bytes, sizeof bytes, i);
        writer.write(std::string(bytes, sizeof bytes));
    }
}

TEST(killed_writers_leave_whole_values_and_nothing_else) {
    {
        std::unique_ptr<SharedMemoryReadStream> reader;
        std::uint64_t got = 0;
        for (int kills = 0; kills < 100; kills++) {
            pid_t pid = child(write_for_ever, nullptr);
            while (!reader)
                try {
                    reader = std::make_unique<SharedMemoryReadStream>("s", 4096, false);
                } catch (const std::runtime_error &) {
                    usleep(100);
                }
            for (cove_time_ns end = cove_now() + random_number() % 5000000; cove_now() < end;) {
                std::string value = reader->readString();
                assert_true(value.empty() || (value.size() == 4096 && is_pattern(value.data(), value.size())));
                got += !value.empty();
            }
            kill_child(pid);
        }
        assert_true(got > 100);
    }
    assert_int_equal(count_files(test_domain), 0);
}

TEST(what_persists_is_there_when_all_have_gone) {
    {
        SharedMemoryWriteStream writer("p", 64, true);
        writer.write("kept");
    }
    SharedMemoryReadStream reader("p", 64, true);
    assert_string_equal(reader.readString().c_str(), "kept");
    SharedMemoryWriteStream writer("p", 64, true);
    reader.markAsRead();
    assert_true(writer.isMessageRead());
    writer.destroy();
}

// ---- Being told.

TEST(changes_are_told_on_a_thread_without_blocking) {
    SharedMemoryWriteStream writer("s", 64, false);
    SharedMemoryReadStream reader("s", 64, false);
    std::atomic<int> calls{0};
    std::atomic<bool> elsewhere{false};
    std::string last;
    std::mutex mutex;
    std::thread::id here = std::this_thread::get_id();
    reader.onChange([&](SharedMemoryReadStream &stream) {
        std::lock_guard<std::mutex> guard(mutex);
        last = stream.readString();
        elsewhere = std::this_thread::get_id() != here;
        calls++;
    });
    auto is_told = [&](const char *text) {
        std::lock_guard<std::mutex> guard(mutex);
        return last == text;
    };
    assert_int_equal(calls, 0); // nothing was written
    writer.write("one");
    eventually(is_told("one"));
    assert_true(elsewhere);
    writer.write("two");
    eventually(is_told("two"));
    int before = calls;
    reader.onChange(nullptr);
    writer.write("three");
    usleep(20000);
    assert_int_equal(calls, before);
    reader.onChange([&] { calls++; });
    eventually(calls > before); // what was not marked as read
}

TEST(a_callback_may_end_its_own_telling_and_mark_as_read) {
    SharedMemoryWriteStream writer("s", 64, false);
    SharedMemoryReadStream reader("s", 64, false);
    std::atomic<int> calls{0};
    reader.onChange([&] {
        reader.readString();
        reader.markAsRead();
        calls++;
        reader.onChange(nullptr);
    });
    writer.write("one");
    assert_true(writer.waitForRead(5s));
    writer.write("two");
    usleep(20000);
    assert_int_equal(calls, 1);
}

TEST(being_told_reads_nothing_that_the_user_has_not_read) {
    SharedMemoryWriteStream writer("s", 8000, false);
    SharedMemoryReadStream reader("s", 8000, false);
    std::atomic<int> calls{0};
    reader.onChange([&] { calls++; });
    writer.write("a");
    eventually(calls == 1);
    assert_string_equal(reader.readString().c_str(), "a");
    writer.write("b");
    eventually(calls == 2);
    reader.markAsRead(); // of "a"
    assert_true(reader.hasNewData() && !writer.isMessageRead());
    std::vector<float> many(1000, 1.f);
    writer.write(many.data(), many.size());
    std::size_t length = reader.readLength(kMemoryTypeFloat);
    writer.write(many.data(), 1);
    eventually(calls >= 3); // two may be told by one
    float *got = reader.readFloatArray();
    assert_true(length == 1000 && got[999] == 1.f);
    delete[] got;
}

static int count_descriptors() {
    int status;
    return std::atoi(run(&status, "ls /proc/%d/fd | wc -l", getpid()));
}

TEST(streams_that_were_removed_are_let_go_and_their_telling_ends) {
    auto writer = std::make_unique<SharedMemoryWriteStream>("s", 64, false);
    SharedMemoryReadStream reader("s", 64, false);
    int before = 0;
    for (int i = 0; i < 50; i++) {
        writer->destroy();
        writer = std::make_unique<SharedMemoryWriteStream>("s", 64, false);
        writer->write(std::to_string(i));
        assert_string_equal(reader.readString().c_str(), std::to_string(i).c_str());
        before = i == 9 ? count_descriptors() : before;
    }
    assert_true(count_descriptors() <= before + 2);
    std::atomic<int> calls{0}, inside{0};
    reader.onChange([&] {
        inside++;
        calls++;
        usleep(100000);
        inside--;
    });
    writer->destroy();
    writer = std::make_unique<SharedMemoryWriteStream>("s", 64, false);
    writer->write("of the new one");
    assert_string_equal(reader.readString().c_str(), "of the new one");
    writer->write("another");
    eventually(calls > 0);
    reader.onChange(nullptr);
    assert_int_equal(inside, 0);
    reader.onChange(std::function<void(SharedMemoryReadStream &)>()); // empty: nothing
    writer->write("more");
}

TEST(values_of_other_languages_and_old_acknowledgements_do_no_harm) {
    auto writer = std::make_unique<SharedMemoryWriteStream>("s", 64, false);
    SharedMemoryReadStream reader("s", 64, false);
    cove_stream *other;
    cove_stream_options options = {};
    options.type = COVE_TYPE_ANY;
    expect(COVE_OK, cove_stream_open(&other, "lsm.stream-s", &options));
    expect(COVE_OK, cove_stream_write_as(other, COVE_TYPE_STRUCT, "12345678", 8, 0, COVE_TRY));
    assert_int_equal(reader.readLength(kMemoryTypeOther), 1);
    assert_string_equal(reader.readString().c_str(), "");
    cove_stream_close(other);
    writer->write("x");
    reader.readString();
    reader.markAsRead();
    expect(COVE_OK, cove_remove(nullptr, "lsm.stream-s", COVE_REMOVE_FORCE)); // without its acknowledgement
    writer = std::make_unique<SharedMemoryWriteStream>("s", 64, false);
    writer->write("unread");
    assert_false(writer->isMessageRead());
    assert_false(writer->waitForRead(-1ms));
}

TEST(all_whole_numbers_are_written_and_what_moves_leaves_nothing) {
    SharedMemoryWriteStream writer("s", 64, false);
    SharedMemoryReadStream reader("s", 64, false);
    long long numbers[] = {1, -2};
    long more[] = {3};
    writer.write(numbers, 2);
    assert_true(reader.readVector<long long>() == (std::vector<long long>{1, -2}));
    writer.write(more, 1);
    assert_int_equal(reader.readVector<std::int64_t>()[0], 3);
    Memory a("m", 8, false);
    assert_true(a.create() == kOK);
    Memory b(std::move(a));
    assert_true(a.data() == nullptr && b.data() != nullptr); // NOLINT: that is what is looked at
}

// ---- Queues.

TEST(messages_go_through_a_queue_in_order) {
    SharedMemoryQueue in("q", 3, 16, false, true), out("q", 99, 99, false, false);
    std::string text;
    assert_true(out.isEmpty() && !out.isFull() && out.size() == 0 && in.capacity() == 3);
    assert_false(out.dequeue(text));
    assert_false(out.peek(text));
    assert_true(in.enqueue("one") && in.enqueue(std::string("two")) && in.enqueue(std::string_view("three")));
    assert_true(in.isFull() && !in.enqueue("four") && out.size() == 3);
    assert_true(out.peek(text) && text == "one");
    assert_true(out.dequeue(text) && text == "one");
    assert_true(in.enqueue(std::string("nul \0 inside", 12)));
    assert_true(out.dequeue(text) && text == "two" && out.dequeue(text) && text == "three" && out.dequeue(text) && text.size() == 12);
    assert_true(out.isEmpty());
    // A second writer joins, and nothing is lost.
    assert_true(in.enqueue("of the first"));
    SharedMemoryQueue second("q", 3, 16, false, true);
    assert_true(second.enqueue("of the second"));
    assert_true(out.dequeue(text) && text == "of the first" && out.dequeue(text) && text == "of the second");
    in.destroy();
}

static int enqueue_numbers(void *) {
    SharedMemoryQueue in("q", 64, 8, false, true);
    for (int i = 0; i < 20000;)
        i += in.enqueue(std::to_string(i));
    pause();
    return 0;
}

TEST(another_process_s_messages_come_once_each_and_in_order_also_when_it_is_killed) {
    pid_t pid = child(enqueue_numbers, nullptr);
    std::unique_ptr<SharedMemoryQueue> out;
    while (!out)
        try {
            out = std::make_unique<SharedMemoryQueue>("q", 64, 8, false, false);
        } catch (const std::runtime_error &) {
            usleep(100);
        }
    std::string text;
    for (int i = 0; i < 20000;)
        if (out->dequeue(text))
            assert_string_equal(text.c_str(), std::to_string(i++).c_str());
    kill_child(pid);
    assert_true(out->isEmpty());
    SharedMemoryQueue in("q", 64, 8, false, true);
    assert_true(in.enqueue("after") && out->dequeue(text) && text == "after");
}

TEST(streams_of_one_name_and_queues_and_memory_are_different_things) {
    SharedMemoryWriteStream stream("n", 8, false);
    SharedMemoryQueue queue("n", 2, 8, false, true);
    Memory memory("n", 8, false);
    assert_true(memory.create() == kOK);
}

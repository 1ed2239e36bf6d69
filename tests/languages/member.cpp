// The member in C++: see run. The same as in C.
#include "cove.hpp"

#include <cstdio>
#include <cstdlib>

struct Sample {
    std::uint32_t language, number;
    double half;
};
struct Board {
    std::uint64_t count[3], popped;
};
template <> struct cove::type_info<Sample> {
    static constexpr const char *name = "languages.Sample";
    static constexpr std::uint64_t schema = 1;
};
template <> struct cove::type_info<Board> {
    static constexpr const char *name = "languages.Board";
    static constexpr std::uint64_t schema = 0;
};

static constexpr std::uint32_t me = 1, each = 300;

static void check(const Sample &s, std::uint32_t (&next)[3], bool exactly) {
    if (s.language > 2 || s.half != s.number / 2.0 || (exactly ? s.number != next[s.language] : s.number < next[s.language])) {
        std::fprintf(stderr, "C++: a wrong value: %u of %u, half %g\n", s.number, s.language, s.half);
        std::exit(1);
    }
    next[s.language] = s.number + 1;
}

int main() try {
    const auto patience = std::chrono::seconds(30);
    cove::block_options block_options;
    cove::stream_options stream_options;
    cove::queue_options queue_options;
    block_options.lifetime = stream_options.lifetime = queue_options.lifetime = COVE_UNTIL_REMOVED;
    stream_options.depth = queue_options.depth = 1024;
    stream_options.start = COVE_START_OLDEST;
    auto board = cove::box<Board>::open("board", block_options);
    auto stream = cove::stream<Sample>::open("stream", stream_options);
    auto queue = cove::queue<Sample>::open("queue", queue_options);
    for (std::uint32_t i = 0; i < each; i++) {
        board.lock_write(patience)->count[me]++;
        stream.write({me, i, i / 2.0}, me, patience);
        queue.push({me, i, i / 2.0}, me, patience);
    }
    std::uint32_t next[3] = {}, popped[3] = {};
    for (std::uint32_t i = 0; i < 3 * each; i++)
        check(stream.read(patience).value().data, next, true);
    for (cove_time_ns end = cove::deadline(patience).ns(); cove_now() < end;) {
        if (auto message = queue.pop(cove::at_once)) {
            check(message->data, popped, false);
            board.lock_write(patience)->popped++;
        } else if (Board b = board.get(); b.popped == 3 * each) {
            bool well = b.count[0] == each && b.count[1] == each && b.count[2] == each;
            std::printf("C++: %s\n", well ? "well" : "counts are wrong");
            return well ? 0 : 1;
        }
    }
    return 1;
} catch (const std::exception &e) {
    std::fprintf(stderr, "C++: %s\n", e.what());
    return 1;
}

// Reads a stream until "end" comes: lsm_reader NAME
#include "libsharedmemory/libsharedmemory.hpp"

#include <condition_variable>
#include <iostream>

int main(int argc, char **argv) {
    std::mutex mutex;
    std::condition_variable end;
    bool ends = false;
    lsm::SharedMemoryReadStream read${argc > 1 ? argv[1] : "jsonPipe", 65535, false};
    read$.onChange([&] {
        std::string line = read$.readString();
        read$.markAsRead();
        std::cout << "read: " << line << std::endl;
        std::lock_guard<std::mutex> guard(mutex);
        ends = line == "end";
        end.notify_all();
    });
    std::unique_lock<std::mutex> lock(mutex);
    end.wait(lock, [&] { return ends; });
}

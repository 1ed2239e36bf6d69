// Writes each line that it reads to a stream: lsm_writer NAME
#include "libsharedmemory/libsharedmemory.hpp"

#include <iostream>

int main(int argc, char **argv) {
    lsm::SharedMemoryWriteStream write${argc > 1 ? argv[1] : "jsonPipe", 65535, false};
    for (std::string line; std::getline(std::cin, line);) {
        write$.write(line);
        std::cout << "written: " << line << std::endl;
        if (!write$.waitForRead(std::chrono::seconds(5)))
            std::cout << "nobody reads" << std::endl;
    }
}

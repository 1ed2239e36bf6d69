// libsharedmemory as the original's description has it, in C++11; and the examples, in two processes.
#include "libsharedmemory/libsharedmemory.hpp"

#include <iostream>
#include <sstream>

extern "C" {
#include "tests/support.h" // last: cmocka has a macro called fail
}

using namespace lsm;

static_assert(static_cast<int>(kOK) == 0 && static_cast<int>(kErrorCreationFailed) == 100 && static_cast<int>(kErrorMappingFailed) == 110 &&
                  static_cast<int>(kErrorOpeningFailed) == 120 && kErrorOpeningFailed == Error::OpeningFailed,
              "errors");
static_assert(kMemoryChanged == 1 && kMemoryTypeString == 2 && kMemoryTypeFloat == 4 && kMemoryTypeDouble == 8 && sizeof(DataType) == 1,
              "types");
static_assert(bufferSizeSize == 4 && flagSize == 1 && sizeOfOneFloat == 4 && sizeOfOneChar == 1 && sizeOfOneDouble == 8 &&
                  flagPaddingSize == 3 && revisionSize == 4 && ackSize == 4 && lockSize == 4 && revisionOffset == 4 && ackOffset == 8 &&
                  sizeOffset == 12 && lockOffset == 16 && dataOffset == 20,
              "constants of old sources");

TEST(the_text_of_the_original_s_description_runs) {
    std::ostringstream out;
    std::streambuf *before = std::cout.rdbuf(out.rdbuf());

    std::string dataToTransfer = "{ foo: 'coolest IPC ever! \xF0\x9F\xA7\x91\xE2\x80\x8D\xF0\x9F\x92\xBB' }";

    SharedMemoryWriteStream write${/*name*/ "jsonPipe", /*size*/ 65535, /*persistent*/ true};
    SharedMemoryReadStream read${/*name*/ "jsonPipe", /*size*/ 65535, /*persistent*/ true};

    write$.write(dataToTransfer);

    std::string dataString = read$.read();

    std::cout << "UTF8 string written and read" << dataString << std::endl;

    std::cout.rdbuf(before);
    assert_string_equal(out.str().c_str(), ("UTF8 string written and read" + dataToTransfer + "\n").c_str());
    write$.destroy();
}

TEST(numbers_are_written_and_read_and_the_caller_deletes) {
    SharedMemoryWriteStream writer("numbers", 1024, false);
    SharedMemoryReadStream reader("numbers", 1024, false);
    float floats[] = {1.5f, -2.5f, 3.25f};
    double doubles[] = {0.1, 0.2};
    writer.write(floats, 3);
    assert_int_equal(reader.readFlags(), kMemoryTypeFloat | kMemoryChanged);
    assert_int_equal(reader.readSize(kMemoryTypeFloat), 12);
    assert_int_equal(reader.readLength(kMemoryTypeFloat), 3);
    float *got = reader.readFloatArray();
    assert_memory_equal(got, floats, sizeof floats);
    delete[] got;
    writer.write(doubles, 2);
    assert_int_equal(reader.readFlags(), kMemoryTypeDouble);
    assert_int_equal(reader.readLength(kMemoryTypeDouble), 2);
    double *more = reader.readDoubleArray();
    assert_memory_equal(more, doubles, sizeof doubles);
    delete[] more;
    // Of another type: none.
    assert_int_equal(reader.readLength(kMemoryTypeFloat), 0);
    assert_string_equal(reader.readString().c_str(), "");
    delete[] reader.readFloatArray();
}

TEST(the_flag_of_change_toggles_with_each_write) {
    SharedMemoryWriteStream writer("flags", 64, false);
    SharedMemoryReadStream reader("flags", 64, false);
    assert_int_equal(reader.readFlags(), 0);
    for (int i = 0; i < 5; i++) {
        writer.write("x");
        assert_int_equal(reader.readFlags(), kMemoryTypeString | (i % 2 ? 0 : kMemoryChanged));
    }
    assert_int_equal(SharedMemoryWriteStream::getWriteFlags(kMemoryTypeFloat, 0), kMemoryTypeFloat | kMemoryChanged);
    assert_int_equal(SharedMemoryWriteStream::getWriteFlags(kMemoryTypeFloat, kMemoryTypeString | kMemoryChanged), kMemoryTypeFloat);
}

TEST(memory_is_bytes_by_index_and_by_cast) {
    Memory writer("m", 64, false), reader("m", 64, false), none("none", 64, false), larger("m", 65, false);
    assert_true(none.open() == kErrorOpeningFailed && none.data() == nullptr);
    assert_true(writer.create() == kOK && reader.open() == kOK);
    assert_true(larger.open() == kErrorOpeningFailed && larger.create() == kErrorCreationFailed);
    writer.data()[0] = 'a';
    static_cast<char *>(writer.data())[1] = 'b';
    ((unsigned char *)writer.data())[2] = 'c';
    std::memcpy(static_cast<void *>(&static_cast<char *>(writer.data())[3]), "d", 2);
    assert_string_equal(static_cast<const char *>(static_cast<void *>(reader.data())), "abcd");
    assert_int_equal(reader.size(), 64);
    assert_string_equal(reader.path().c_str(), "m");
    writer.close();
    assert_true(writer.data() == nullptr);
    assert_int_equal(reader.data()[0], 'a'); // goes on
    reader.close();
    assert_true(reader.open() == Error::OpeningFailed); // the last one has gone
    Memory stays("p", 8, true), again("p", 8, true);
    assert_true(stays.create() == kOK);
    stays.data()[7] = 9;
    stays.close();
    assert_true(again.open() == kOK && again.data()[7] == 9);
    again.destroy();
    assert_true(stays.open() == kErrorOpeningFailed);
}

TEST(the_examples_hand_lines_from_one_process_to_another) {
    int status;
    char *said = run(&status,
                     "cd %s/compat && (for l in one two end; do sleep 0.3; echo $l; done) | ./lsm_writer pipe & sleep 0.1; timeout 10 "
                     "%s/compat/lsm_reader pipe; wait",
                     COVE_BUILD_DIR, COVE_BUILD_DIR);
    assert_non_null(strstr(said, "read: one\n"));
    assert_non_null(strstr(said, "read: two\n"));
    assert_non_null(strstr(said, "read: end\n"));
    assert_null(strstr(said, "nobody"));
    assert_int_equal(count_files(test_domain), 0);
}

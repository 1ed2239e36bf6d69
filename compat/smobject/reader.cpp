// Tells the number in the shared memory of a file: smobject_reader FILE
#include "SMObject.hpp"

using namespace SMObjectSpace;

int main(int argc, char **argv) {
    SMObject reader(argc > 1 ? argv[1] : "/etc/hostname", 'P', sizeof(double));
    if (reader.shmAccess() < 0) {
        reader.pError("Segment memory attach failed");
        return 1;
    }
    std::printf("read: %f\n", *static_cast<double *>(reader.pdata_));
    return 0;
}

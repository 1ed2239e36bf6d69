// Makes shared memory for a number, and changes it once for each line that it reads: smobject_writer FILE
#include "SMObject.hpp"

int main(int argc, char **argv) {
    SMObjectSpace::SMObject writer(argc > 1 ? argv[1] : "/etc/hostname", 'P', sizeof(double));
    if (writer.shmCreate() < 0) {
        writer.pError("Segment memory allocation failed");
        return 1;
    }
    if (writer.shmAccess() < 0) {
        writer.pError("Segment memory attach failed");
        return 1;
    }
    double *data = static_cast<double *>(writer.pdata_);
    for (char line[100]; std::fgets(line, sizeof line, stdin);) {
        *data = std::atof(line);
        std::printf("changed to: %f\n", *data);
        std::fflush(stdout);
    }
    return 0;
}

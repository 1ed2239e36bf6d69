/* Being called: the library has a thread for it, one for all handles of the process. */
#include <cove/stream.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static _Atomic int seen;
static char label[] = "acceleration";

static void on_change(void *context, cove_stream *stream) {
    float vector[3];
    /* Several values may be told by one call: read until there is nothing more. */
    while (cove_stream_read(stream, vector, sizeof vector, NULL, COVE_TRY) >= 0) {
        printf("%s: %.1f %.1f %.1f\n", (char *)context, (double)vector[0], (double)vector[1], (double)vector[2]);
        seen++;
    }
}

int main(void) {
    cove_stream *imu, *writer;
    cove_stream_options options = {.type = COVE_TYPE_F32, .capacity_bytes = 12, .start = COVE_START_NEW};
    if (cove_stream_open(&imu, "imu", &options) != COVE_OK || cove_stream_open(&writer, "imu", &options) != COVE_OK ||
        cove_stream_on_change(imu, on_change, label) != COVE_OK) {
        fprintf(stderr, "%s\n", cove_last_error()->sentence);
        return 1;
    }
    for (int i = 0; i < 3; i++)
        if (cove_stream_write(writer, (float[]){0, (float)i, 9.8f}, 12, 0, COVE_FOREVER) != COVE_OK)
            return 1;
    for (int tries = 0; seen < 3 && tries < 5000; tries++)
        usleep(1000);
    cove_stream_close(imu); /* after this, nobody is called any more */
    cove_stream_close(writer);
    return seen == 3 ? 0 : 1;
}

/* Frames of a camera, 8 MiB each, filled and looked at in place: no byte is copied. The reader keeps a frame as long as it likes. */
#include <cove/stream.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRAME_BYTES (8u << 20)

static int failed(void) {
    fprintf(stderr, "%s\n", cove_last_error()->sentence);
    return 1;
}

static int look(cove_stream_options options) {
    cove_stream *camera;
    cove_value frame;
    options.follow = COVE_FOLLOW_LATEST; /* of a camera, what matters is the newest */
    options.start = COVE_START_NEW;
    if (cove_stream_open(&camera, "camera", &options) != COVE_OK)
        return failed();
    for (uint64_t shown = 0; shown < 20;) {
        if (cove_stream_borrow(camera, &frame, cove_in_ms(5000)) < 0)
            return failed();
        const unsigned char *pixel = frame.data;
        if (pixel[0] != pixel[FRAME_BYTES - 1] || pixel[0] != (unsigned char)frame.tag)
            return fprintf(stderr, "a torn frame\n"), 1;
        shown = frame.tag;
        if (cove_stream_give_back(camera, &frame) != COVE_OK)
            return failed();
    }
    cove_stream_close(camera);
    return 0;
}

int main(void) {
    cove_stream *camera;
    cove_loan frame;
    int status = 1;
    /* 2 kept + 1 being filled + 1 being looked at: 32 MiB in all. */
    cove_stream_options options = {.type = COVE_TYPE_U8, .capacity_bytes = FRAME_BYTES, .depth = 2, .loans = 1, .borrows = 1};
    if (cove_stream_open(&camera, "camera", &options) != COVE_OK)
        return failed();
    pid_t viewer = fork();
    if (!viewer)
        _exit(look(options));
    for (uint64_t n = 1; waitpid(viewer, &status, WNOHANG) == 0; n++) {
        if (cove_stream_loan(camera, FRAME_BYTES, &frame, cove_in_ms(5000)) != COVE_OK)
            return failed();
        memset(frame.data, (int)(n & 0xff), FRAME_BYTES);
        frame.tag = n & 0xff;
        if (cove_stream_publish(camera, &frame, cove_in_ms(5000)) != COVE_OK)
            return failed();
        usleep(5000);
    }
    cove_stream_close(camera);
    return status ? 1 : 0;
}

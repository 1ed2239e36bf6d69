/* Plain poll: one descriptor of the stream's, one of anything else's. */
#include <cove/stream.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

int main(void) {
    cove_stream *stream;
    int fd, ends[2], got = 0;
    if (pipe(ends) ||
        cove_stream_open(&stream, "poll", &(cove_stream_options){.type = COVE_TYPE_TEXT, .start = COVE_START_NEW}) != COVE_OK ||
        cove_stream_fd(stream, &fd) != COVE_OK || cove_stream_write(stream, "by the stream", 13, 0, COVE_FOREVER) != COVE_OK ||
        write(ends[1], "by the pipe", 11) != 11) {
        fprintf(stderr, "%s\n", cove_last_error()->sentence);
        return 1;
    }
    while (got < 2) {
        struct pollfd waited[] = {{.fd = fd, .events = POLLIN}, {.fd = ends[0], .events = POLLIN}};
        char text[64];
        if (poll(waited, 2, 5000) <= 0)
            return 1;
        cove_value value;
        while (waited[0].revents && cove_stream_read(stream, text, sizeof text, &value, COVE_TRY) >= 0)
            got += printf("%.*s\n", (int)value.length_bytes, text) > 0;
        if (waited[1].revents) {
            ssize_t length = read(ends[0], text, sizeof text);
            got += printf("%.*s\n", (int)length, text) > 0;
        }
    }
    cove_stream_close(stream);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

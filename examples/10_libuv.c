/* libuv: a uv_poll_t on the descriptor. The same works with libev, GLib, asyncio (add_reader) and tokio (AsyncFd). */
#include <cove/stream.h>
#include <stdio.h>
#include <uv.h>

static void on_readable(uv_poll_t *handle, int status, int events) {
    cove_stream *stream = handle->data;
    int64_t number;
    (void)status;
    (void)events;
    while (cove_stream_read(stream, &number, sizeof number, NULL, COVE_TRY) >= 0) {
        printf("%lld\n", (long long)number);
        if (number == 3)
            uv_close((uv_handle_t *)handle, NULL); /* then close the stream; not before */
    }
}

static void write_numbers(uv_timer_t *timer) {
    static int64_t number;
    number++;
    if (cove_stream_write(timer->data, &number, sizeof number, 0, COVE_TRY) != COVE_OK || number == 3)
        uv_close((uv_handle_t *)timer, NULL);
}

int main(void) {
    cove_stream *reader, *writer;
    cove_stream_options options = {.type = COVE_TYPE_I64, .start = COVE_START_NEW};
    uv_loop_t *loop = uv_default_loop();
    uv_poll_t readable;
    uv_timer_t timer;
    int fd;
    if (cove_stream_open(&reader, "uv", &options) != COVE_OK || cove_stream_open(&writer, "uv", &options) != COVE_OK ||
        cove_stream_fd(reader, &fd) != COVE_OK) {
        fprintf(stderr, "%s\n", cove_last_error()->sentence);
        return 1;
    }
    uv_poll_init(loop, &readable, fd);
    readable.data = reader;
    uv_poll_start(&readable, UV_READABLE, on_readable);
    uv_timer_init(loop, &timer);
    timer.data = writer;
    uv_timer_start(&timer, write_numbers, 5, 5);
    int status = uv_run(loop, UV_RUN_DEFAULT);
    cove_stream_close(reader);
    cove_stream_close(writer);
    uv_loop_close(loop);
    return status;
}

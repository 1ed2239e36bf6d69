/* A stream of text, written by one process and read by another; the shell can join in with `cove sub news`. */
#include <cove/stream.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int failed(void) {
    fprintf(stderr, "%s\n", cove_last_error()->sentence);
    return 1;
}

static int read_news(void) {
    cove_stream *news;
    cove_stream_options options = {.type = COVE_TYPE_TEXT, .capacity_bytes = 256, .start = COVE_START_OLDEST};
    if (cove_stream_open(&news, "news", &options) != COVE_OK)
        return failed();
    for (uint64_t last = 0; last < 3;) {
        char text[256];
        cove_value value;
        if (cove_stream_read(news, text, sizeof text, &value, cove_in_ms(5000)) < 0)
            return failed();
        printf("%llu: %.*s\n", (unsigned long long)value.sequence, (int)value.length_bytes, text);
        last = value.sequence;
    }
    cove_stream_close(news);
    return fflush(stdout);
}

int main(void) {
    static const char *const lines[] = {"the bay is calm", "a boat has sunk", "the others sail on"};
    cove_stream *news;
    cove_stream_options options = {.type = COVE_TYPE_TEXT, .capacity_bytes = 256};
    int status = 1;
    if (cove_stream_open(&news, "news", &options) != COVE_OK)
        return failed();
    pid_t reader = fork();
    if (!reader)
        _exit(read_news());
    for (int i = 0; i < 3; i++)
        if (cove_stream_write(news, lines[i], strlen(lines[i]), 0, COVE_FOREVER) != COVE_OK)
            return failed();
    waitpid(reader, &status, 0);
    cove_stream_close(news);
    return status ? 1 : 0;
}

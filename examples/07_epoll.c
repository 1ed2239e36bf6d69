/* An event loop that waits for a stream and a block at once. Each has a descriptor that is readable while there is something new. */
#include <cove/cove.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

static int failed(void) {
    fprintf(stderr, "%s\n", cove_last_error()->sentence);
    return 1;
}

/* The other process: changes the block, writes to the stream. */
static int work(cove_stream *prices, cove_block *settings) {
    for (int i = 1; i <= 3; i++) {
        double price = 100 + i;
        usleep(10000);
        if (cove_stream_write(prices, &price, sizeof price, 0, COVE_FOREVER) != COVE_OK ||
            cove_block_set(settings, &i, sizeof i, COVE_FOREVER) != COVE_OK)
            return failed();
    }
    return 0;
}

int main(void) {
    cove_stream *prices;
    cove_block *settings;
    int fd[2], loop = epoll_create1(EPOLL_CLOEXEC), limit = 0;
    double price = 0;
    if (cove_stream_open(&prices, "prices", &(cove_stream_options){.type = COVE_TYPE_F64}) != COVE_OK ||
        cove_block_open(&settings, "settings", &(cove_block_options){.capacity_bytes = sizeof limit}) != COVE_OK ||
        cove_stream_fd(prices, &fd[0]) != COVE_OK || cove_block_fd(settings, &fd[1]) != COVE_OK)
        return failed();
    for (int i = 0; i < 2; i++)
        epoll_ctl(loop, EPOLL_CTL_ADD, fd[i], &(struct epoll_event){.events = EPOLLIN, .data.fd = fd[i]});
    pid_t worker = fork();
    if (!worker)
        _exit(work(prices, settings));
    while (price < 103 || limit < 3) {
        struct epoll_event event;
        if (epoll_wait(loop, &event, 1, 5000) != 1)
            return 1;
        if (event.data.fd == fd[0]) {
            /* To the end, with COVE_TRY: only COVE_ERR_EMPTY makes the descriptor quiet. */
            while (cove_stream_read(prices, &price, sizeof price, NULL, COVE_TRY) >= 0)
                printf("price %.2f\n", price);
        } else if (cove_block_get(settings, &limit, sizeof limit, NULL, NULL, COVE_TRY) == COVE_OK) {
            printf("limit %d\n", limit);
        }
    }
    waitpid(worker, NULL, 0);
    cove_block_close(settings);
    cove_stream_close(prices);
    close(loop);
    return 0;
}

/* A service with two servers, one of which is killed with a request in hand: the caller gets its answer from the other. */
#include <cove/call.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int failed(void) {
    fprintf(stderr, "%s\n", cove_last_error()->sentence);
    return 1;
}

/* Turns the text round. The first server never comes to an end. */
static int32_t reverse(void *context, const cove_request *request, void *reply, uint64_t *out_reply_bytes) {
    const char *text = request->data;
    for (uint64_t i = 0; i < request->length_bytes && i < request->reply_bytes; i++)
        ((char *)reply)[i] = text[request->length_bytes - 1 - i];
    *out_reply_bytes = request->length_bytes;
    if (*(const int *)context)
        raise(SIGKILL);
    return 0;
}

static int serve(int is_doomed) {
    cove_server *server;
    if (cove_server_open(&server, "mirror", NULL) != COVE_OK)
        return failed();
    for (;;)
        if (cove_serve(server, reverse, &is_doomed, COVE_FOREVER) < 0)
            return failed();
}

int main(void) {
    cove_client *client;
    char answer[64];
    cove_reply reply = {.data = answer, .room_bytes = sizeof answer};
    pid_t doomed, other;
    if (cove_client_open(&client, "mirror", NULL) != COVE_OK)
        return failed();
    if (!(doomed = fork()))
        _exit(serve(1));
    usleep(20000); /* so that it is the first */
    if (!(other = fork()))
        _exit(serve(0));
    for (int i = 0; i < 3; i++) {
        if (cove_call(client, "evoc", 4, &reply, cove_in_ms(5000)) != COVE_OK)
            return failed();
        printf("%.*s, after %u deliver%s\n", (int)reply.length_bytes, answer, reply.deliveries, reply.deliveries == 1 ? "y" : "ies");
        if (reply.length_bytes != 4 || memcmp(answer, "cove", 4) != 0)
            return 1;
    }
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
    kill(doomed, SIGKILL); /* if it never got a request */
    waitpid(doomed, NULL, 0);
    if (cove_call(client, "evoc", 4, &reply, cove_in_ms(5000)) != COVE_ERR_GONE) /* nobody is left, and the caller is told at once */
        return 1;
    printf("%s\n", cove_last_error()->sentence);
    cove_client_close(client);
    return 0;
}

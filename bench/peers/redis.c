/* Redis over a Unix socket, as many use it in place of shared memory: a list as a queue, BRPOP for who waits. */
#define _GNU_SOURCE
#include "peer.h"

#include <hiredis/hiredis.h>
#include <unistd.h>

const unsigned peer_modes = 1u << PEER_BLOCK | 1u << PEER_BATCH;
static redisContext *redis;

static const char *path(void) {
    static char text[128];
    snprintf(text, sizeof text, "/dev/shm/%s.redis", peer.name);
    return text;
}

bool peer_open(void) {
    /* The program is in Debian's redis-tools under this name, and is the server by its own word for itself: no daemon is installed. */
    const char *const server[] = {
        "/usr/bin/redis-check-rdb", "redis-server", "--port", "0", "--unixsocket", path(), "--save", "", "--appendonly", "no", NULL};
    if (peer.is_first) {
        unlink(path());
        peer_start_program(server);
    }
    for (int tries = 0; tries < 500; tries++) {
        if (access(path(), R_OK | W_OK) == 0 && (redis = redisConnectUnix(path())) && !redis->err)
            return true;
        usleep(10000);
    }
    return peer_absent("redis-server is not installed, or does not answer");
}

void peer_close(void) {
    redisFree(redis);
}

static const char *key_of(int channel) {
    return channel ? "back" : "there";
}

void peer_send(int channel, const void *data) {
    redisReply *reply = redisCommand(redis, "LPUSH %s %b", key_of(channel), data, peer.size);
    peer_must(reply && reply->type == REDIS_REPLY_INTEGER, "LPUSH");
    freeReplyObject(reply);
}

static void copy_of(redisReply *reply, const redisReply *value, void *data) {
    peer_must(reply && value->type == REDIS_REPLY_STRING && value->len == peer.size, "BRPOP");
    memcpy(data, value->str, peer.size);
    freeReplyObject(reply);
}

void peer_receive(int channel, void *data) {
    redisReply *reply = redisCommand(redis, "BRPOP %s 0", key_of(channel));
    peer_must(reply && reply->elements == 2, "BRPOP");
    copy_of(reply, reply->element[1], data);
}

/* A pipeline of commands. */
void peer_send_batch(const void *data, uint32_t count) {
    redisReply *reply;
    for (uint32_t i = 0; i < count; i++)
        redisAppendCommand(redis, "LPUSH there %b", (const char *)data + i * peer.size, peer.size);
    for (uint32_t i = 0; i < count; i++) {
        peer_must(redisGetReply(redis, (void **)&reply) == REDIS_OK, "LPUSH");
        freeReplyObject(reply);
    }
}

uint32_t peer_receive_batch(void *data, uint32_t most) {
    redisReply *reply;
    for (uint32_t i = 0; i < most; i++)
        redisAppendCommand(redis, "BRPOP there 0");
    for (uint32_t i = 0; i < most; i++) {
        peer_must(redisGetReply(redis, (void **)&reply) == REDIS_OK && reply->elements == 2, "BRPOP");
        copy_of(reply, reply->element[1], (char *)data + i * peer.size);
    }
    return most;
}

/* A queue of Cove's: every message to one consumer, for any number of both. With COVE_ONLY both sides declare that they are alone. */
#include "cove.h"

const unsigned peer_modes = 1u << PEER_POLL | 1u << PEER_BLOCK | 1u << PEER_IN_PLACE | 1u << PEER_BATCH;
static cove_queue *queue[2];

/* Who sends into this channel is its producer; the first of both sends back. */
static uint32_t role_in(int channel) {
#ifdef COVE_ONLY
    return (channel == 1) == peer.is_first ? COVE_QUEUE_ONLY_PRODUCER : COVE_QUEUE_ONLY_CONSUMER;
#else
    (void)channel;
    return 0;
#endif
}

bool peer_open(void) {
    for (int c = 0; c <= peer.both_ways; c++)
        MUST(cove_queue_open(&queue[c], cove_channel(c),
                             &(cove_queue_options){.domain = cove_domain_of_run(),
                                                   .capacity_bytes = peer.size,
                                                   .depth = peer_depth(),
                                                   .prefault = true,
                                                   .flags = role_in(c)}));
    return true;
}

void peer_close(void) {
    for (int c = 0; c <= peer.both_ways; c++)
        cove_queue_close(queue[c]);
}

void peer_send(int channel, const void *data) {
    MUST(cove_queue_push(queue[channel], data, peer.size, 0, COVE_FOREVER));
}

void peer_receive(int channel, void *data) {
    cove_result result;
    while ((result = cove_queue_pop(queue[channel], data, peer.size, NULL, cove_until())) == COVE_ERR_EMPTY)
        ;
    MUST(result);
}

void peer_send_in_place(int channel, uint64_t word) {
    cove_loan loan;
    MUST(cove_queue_reserve(queue[channel], peer.size, &loan, COVE_FOREVER));
    memcpy(loan.data, &word, sizeof word);
    MUST(cove_queue_commit(queue[channel], &loan, COVE_FOREVER));
}

uint64_t peer_receive_in_place(int channel) {
    cove_message message;
    cove_result result;
    uint64_t word;
    while ((result = cove_queue_take(queue[channel], &message, COVE_TRY)) == COVE_ERR_EMPTY)
        ;
    MUST(result);
    memcpy(&word, message.data, sizeof word);
    MUST(cove_queue_done(queue[channel], &message));
    return word;
}

void peer_send_batch(const void *data, uint32_t count) {
    cove_message run[PEER_RUN];
    uint32_t done;
    for (uint32_t i = 0; i < count; i++)
        run[i] = (cove_message){.data = (const char *)data + i * peer.size, .length_bytes = peer.size};
    MUST(cove_queue_push_many(queue[0], run, count, &done, COVE_FOREVER));
}

uint32_t peer_receive_batch(void *data, uint32_t most) {
    cove_message run[PEER_RUN];
    cove_result result;
    uint32_t done;
    while ((result = cove_queue_pop_many(queue[0], data, most * peer.size, run, most, &done, COVE_TRY)) == COVE_ERR_EMPTY)
        ;
    MUST(result);
    return done;
}

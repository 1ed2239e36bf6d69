/* A stream of Cove's: the newest values, for any number of readers. Values would be overwritten at full speed, so no `send`. With COVE_ONLY
 * each side declares that it alone writes. */
#include "cove.h"

const unsigned peer_modes = 1u << PEER_POLL | 1u << PEER_BLOCK | 1u << PEER_IN_PLACE;
static cove_stream *stream[2];

bool peer_open(void) {
    if (!peer.both_ways)
        return peer_absent("it keeps the newest values: for all of them there is the queue");
    cove_stream_options options = {.domain = cove_domain_of_run(), .capacity_bytes = peer.size, .depth = peer_depth(), .prefault = true};
    for (int c = 0; c < 2; c++) {
#ifdef COVE_ONLY
        options.flags = (c == 1) == peer.is_first ? COVE_STREAM_ONLY_WRITER : 0;
#endif
        MUST(cove_stream_open(&stream[c], cove_channel(c), &options));
    }
    return true;
}

void peer_close(void) {
    for (int c = 0; c < 2; c++)
        cove_stream_close(stream[c]);
}

void peer_send(int channel, const void *data) {
    MUST(cove_stream_write(stream[channel], data, peer.size, 0, COVE_TRY));
}

void peer_receive(int channel, void *data) {
    cove_result result;
    while ((result = cove_stream_read(stream[channel], data, peer.size, NULL, cove_until())) == COVE_ERR_EMPTY)
        ;
    MUST(result);
}

void peer_send_in_place(int channel, uint64_t word) {
    cove_loan loan;
    MUST(cove_stream_loan(stream[channel], peer.size, &loan, COVE_TRY));
    memcpy(loan.data, &word, sizeof word);
    MUST(cove_stream_publish(stream[channel], &loan, COVE_TRY));
}

uint64_t peer_receive_in_place(int channel) {
    cove_value value;
    cove_result result;
    uint64_t word;
    while ((result = cove_stream_borrow(stream[channel], &value, COVE_TRY)) == COVE_ERR_EMPTY)
        ;
    MUST(result);
    memcpy(&word, value.data, sizeof word);
    MUST(cove_stream_give_back(stream[channel], &value));
    return word;
}

/* A block of Cove's for each way: one value, replaced and copied as a whole. Who waits for the next looks at its version. */
#include "cove.h"

const unsigned peer_modes = 1u << PEER_POLL | 1u << PEER_BLOCK;
static cove_block *block[2];
static uint64_t version[2];

bool peer_open(void) {
    if (!peer.both_ways)
        return peer_absent("it holds one value");
    for (int c = 0; c < 2; c++) {
        MUST(cove_block_open(&block[c], cove_channel(c),
                             &(cove_block_options){.domain = cove_domain_of_run(), .capacity_bytes = peer.size, .prefault = true}));
        version[c] = cove_block_version(block[c]);
    }
    return true;
}

void peer_close(void) {
    for (int c = 0; c < 2; c++)
        cove_block_close(block[c]);
}

void peer_send(int channel, const void *data) {
    MUST(cove_block_set(block[channel], data, peer.size, COVE_FOREVER));
}

void peer_receive(int channel, void *data) {
    uint64_t length;
    while (cove_block_version(block[channel]) == version[channel])
        if (peer.mode == PEER_BLOCK)
            MUST(cove_block_wait(block[channel], version[channel], COVE_FOREVER, NULL));
    MUST(cove_block_get(block[channel], data, peer.size, &length, &version[channel], COVE_FOREVER));
}

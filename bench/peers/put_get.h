/* For a way in which a message lies in one place: what sends and receives, whole and in place, is all made of its two functions `put` and
 * `get`, of the first `used` bytes of a message. Included behind them. */
void peer_send(int channel, const void *data) {
    put(channel, data, peer.size);
}

void peer_receive(int channel, void *data) {
    get(channel, data, peer.size);
}

void peer_send_in_place(int channel, uint64_t word) {
    put(channel, &word, sizeof word);
}

uint64_t peer_receive_in_place(int channel) {
    uint64_t word;
    get(channel, &word, sizeof word);
    return word;
}

/* Random sequences of calls against a simple model of each object: a block is its last value, a stream the list of all values with, for each
 * reader, where it is; a queue is the list of what waits, and what was given back. */
#include "tests/fuzz/fuzz.h"

#define DEPTH 4u
#define MOST 4096u

typedef struct model {
    uint64_t count;            /* values published */
    uint8_t content[MOST + 1]; /* of value n */
    uint64_t next[3];          /* that each reader reads next: all, latest, lossless */
} model;

/* Whether the next value would not overwrite what the lossless reader has still to read. */
static bool has_room(const model *m) {
    return m->count + 1 - m->next[2] < DEPTH;
}

static void check_read(model *m, int reader, cove_result result, const cove_value *value) {
    uint64_t next = m->next[reader];
    if (next > m->count) {
        REQUIRE(result == COVE_ERR_EMPTY);
        return;
    }
    REQUIRE(result == COVE_OK || result == COVE_MISSED);
    /* The next one may have left the order and still be there, because nobody has filled its buffer again; who is told that he missed
     * something is where the order is. */
    REQUIRE(value->sequence >= next && value->sequence <= m->count && (value->sequence == next || value->sequence + DEPTH > m->count));
    REQUIRE(value->missed_count == value->sequence - next);
    REQUIRE(reader == 1 || (result == COVE_MISSED) == (value->missed_count > 0));
    REQUIRE(reader != 1 || value->sequence == m->count);
    REQUIRE(reader != 2 || !value->missed_count);
    REQUIRE(value->length_bytes == (uint64_t)m->content[value->sequence] % 33);
    for (uint64_t i = 0; i < value->length_bytes; i++)
        REQUIRE(((const uint8_t *)value->data)[i] == m->content[value->sequence]);
    m->next[reader] = value->sequence + 1;
}

static void use_stream(input *in) {
    static model m;
    cove_stream *writer[2], *reader[3];
    cove_loan loan[2];
    cove_value kept[3];
    bool has_loan[2] = {false}, has_kept[3] = {false};
    uint8_t data[32];
    memset(&m, 0, sizeof m);
    for (int i = 0; i < 2; i++)
        REQUIRE(cove_stream_open(&writer[i], "s", &(cove_stream_options){.capacity_bytes = 32, .depth = DEPTH, .loans = 4, .borrows = 3}) ==
                COVE_OK);
    for (int i = 0; i < 3; i++) {
        REQUIRE(cove_stream_open(&reader[i], "s", &(cove_stream_options){.follow = (cove_follow)i, .start = COVE_START_NEW}) == COVE_OK);
        m.next[i] = 1;
    }
    while (in->at < in->size && m.count < MOST) {
        uint8_t op = take_byte(in), content = take_byte(in);
        int w = op >> 4 & 1, r = (op >> 5) % 3;
        cove_value value;
        cove_result result;
        memset(data, content, sizeof data);
        switch (op & 7) {
        case 0:
        case 1:
            result = cove_stream_write(writer[w], data, content % 33, content, COVE_TRY);
            REQUIRE(result == (has_room(&m) ? COVE_OK : COVE_ERR_FULL));
            if (result == COVE_OK)
                m.content[++m.count] = content;
            break;
        case 2:
            if (!has_loan[w]) {
                REQUIRE(cove_stream_loan(writer[w], content % 33, &loan[w], COVE_TRY) == COVE_OK);
                memset(loan[w].data, content, content % 33);
                loan[w].tag = content;
                has_loan[w] = true;
            } else {
                content = (uint8_t)loan[w].tag;
                result = cove_stream_publish(writer[w], &loan[w], COVE_TRY);
                REQUIRE(result == (has_room(&m) ? COVE_OK : COVE_ERR_FULL));
                if (result == COVE_OK) {
                    m.content[++m.count] = content;
                    has_loan[w] = false;
                }
            }
            break;
        case 3:
            if (has_loan[w])
                REQUIRE(cove_stream_discard(writer[w], &loan[w]) == COVE_OK);
            else
                REQUIRE(cove_stream_discard(writer[w], &(cove_loan){0}) == COVE_ERR_VIEW);
            has_loan[w] = false;
            break;
        case 4:
        case 5:
            result = cove_stream_read(reader[r], data, sizeof data, &value, COVE_TRY);
            check_read(&m, r, result, &value);
            break;
        case 6:
            if (!has_kept[r]) {
                result = cove_stream_borrow(reader[r], &kept[r], COVE_TRY);
                check_read(&m, r, result, &kept[r]);
                has_kept[r] = result >= 0;
                break;
            }
            /* What was borrowed is as it was, however much has been written since. */
            for (uint64_t i = 0; i < kept[r].length_bytes; i++)
                REQUIRE(((const uint8_t *)kept[r].data)[i] == m.content[kept[r].sequence]);
            REQUIRE(cove_stream_give_back(reader[r], &kept[r]) == COVE_OK);
            has_kept[r] = false;
            break;
        default: REQUIRE(cove_stream_wait(reader[r], COVE_TRY) == (m.next[r] <= m.count ? COVE_OK : COVE_ERR_EMPTY));
        }
    }
    for (int i = 0; i < 3; i++)
        cove_stream_close(reader[i]);
    for (int i = 0; i < 2; i++)
        cove_stream_close(writer[i]);
}

/* Messages 1 to count. A message waits in the order, is in hand of one of two, or was given back. */
static void use_queue(input *in) {
    static model m;
    static bool is_back[MOST + 1];
    cove_queue *queue[2];
    cove_message held[2][3];
    uint32_t held_count[2] = {0, 0}, deliveries[MOST + 1] = {0};
    uint64_t next = 1; /* of the order */
    memset(&m, 0, sizeof m);
    memset(is_back, 0, sizeof is_back);
    for (int i = 0; i < 2; i++)
        REQUIRE(cove_queue_open(&queue[i], "q", &(cove_queue_options){.capacity_bytes = 32, .depth = DEPTH, .loans = 4, .holds = 6}) ==
                COVE_OK);
    while (in->at < in->size && m.count < MOST) {
        uint8_t op = take_byte(in), content = take_byte(in), data[32];
        int h = op >> 4 & 1;
        cove_queue *q = queue[h];
        cove_result result;
        cove_message message = {0};
        cove_loan loan;
        uint64_t due = 0, used = m.count + 1 - next + held_count[0] + held_count[1];
        /* What waits, is in hand, or was given back takes a buffer each; each handle may keep one more. */
        for (uint64_t n = 1; n < next; n++) {
            due = due || !is_back[n] ? due : n;
            used += is_back[n];
        }
        due = due ? due : next;
        bool has_room = m.count + 1 - next < DEPTH, may_be_out = used + 2 >= DEPTH + 4 + 6;
        memset(data, content, sizeof data);
        switch (op & 7) {
        case 0:
        case 1:
            result = cove_queue_push(q, data, content % 33, content, COVE_TRY);
            REQUIRE(result == (has_room ? COVE_OK : COVE_ERR_FULL) || (may_be_out && result == COVE_ERR_FULL));
            if (result == COVE_OK)
                m.content[++m.count] = content;
            break;
        case 2:
            result = cove_queue_reserve(q, content % 33, &loan, COVE_TRY);
            REQUIRE(result == COVE_OK || (may_be_out && result == COVE_ERR_FULL));
            if (result != COVE_OK)
                break;
            memset(loan.data, content, content % 33);
            loan.tag = content;
            result = cove_queue_commit(q, &loan, COVE_TRY);
            REQUIRE(result == (has_room ? COVE_OK : COVE_ERR_FULL));
            if (result == COVE_OK)
                m.content[++m.count] = content;
            else
                REQUIRE(cove_queue_abandon(q, &loan) == COVE_OK);
            break;
        case 3:
        case 4:
        case 5:
            if (held_count[h] == 3)
                break;
            result = (op & 7) == 5   ? cove_queue_peek(q, data, sizeof data, &message, COVE_TRY)
                     : (op & 7) == 4 ? cove_queue_pop(q, data, sizeof data, &message, COVE_TRY)
                                     : cove_queue_take(q, &message, COVE_TRY);
            if (due > m.count) {
                REQUIRE(result == COVE_ERR_EMPTY);
                break;
            }
            REQUIRE(result == (is_back[due] ? COVE_REDELIVERED : COVE_OK) && message.sequence == due);
            REQUIRE(message.tag == m.content[due] && message.deliveries == deliveries[due] + 1);
            REQUIRE(message.length_bytes == (uint64_t)m.content[due] % 33);
            for (uint64_t i = 0; i < message.length_bytes; i++)
                REQUIRE(((const uint8_t *)message.data)[i] == m.content[due]);
            if ((op & 7) == 5)
                break;
            deliveries[due]++;
            next += due == next;
            is_back[due] = false;
            if ((op & 7) == 3)
                held[h][held_count[h]++] = message;
            break;
        default:
            if (!held_count[h])
                break;
            message = held[h][--held_count[h]];
            REQUIRE(((const uint8_t *)message.data)[0] == m.content[message.sequence] || !message.length_bytes);
            REQUIRE((op & 7) == 6 ? cove_queue_done(q, &message) == COVE_OK : cove_queue_put_back(q, &message) == COVE_OK);
            is_back[message.sequence] = (op & 7) == 7;
        }
    }
    cove_queue_close(queue[0]);
    cove_queue_close(queue[1]);
}

static void use_block(input *in, unsigned flags) {
    cove_block *block[2];
    uint8_t now[64], got[64], data[64];
    uint64_t length = 0, version = 0, got_length, got_version;
    for (int i = 0; i < 2; i++)
        REQUIRE(cove_block_open(&block[i], "b", &(cove_block_options){.capacity_bytes = 64, .flags = flags}) == COVE_OK);
    while (in->at < in->size) {
        uint8_t op = take_byte(in), content = take_byte(in);
        uint64_t size = content % 65;
        cove_block *b = block[op >> 4 & 1];
        cove_block_view view;
        memset(data, content, sizeof data);
        switch (op & 7) {
        case 0:
        case 1:
            REQUIRE(cove_block_set(b, data, size, COVE_TRY) == COVE_OK);
            memcpy(now, data, size);
            length = size;
            version++;
            break;
        case 2:
            REQUIRE(cove_block_lock_write(b, &view, COVE_TRY) == COVE_OK);
            REQUIRE(view.length_bytes == length && !memcmp(view.data, now, length));
            memset(view.data, content, size);
            view.length_bytes = size;
            if (op & 8 && !flags) {
                REQUIRE(cove_block_abandon(b, &view) == COVE_OK);
            } else {
                REQUIRE(cove_block_unlock(b, &view) == COVE_OK);
                memset(now, content, size);
                length = size;
                version++;
            }
            break;
        case 3:
            REQUIRE(cove_block_lock_read(b, &view, COVE_TRY) == COVE_OK);
            REQUIRE(view.length_bytes == length && !memcmp(view.data, now, length));
            REQUIRE(cove_block_unlock(b, &view) == COVE_OK);
            break;
        case 4:
            REQUIRE(cove_block_notify(b) == COVE_OK);
            version++;
            break;
        case 5: REQUIRE(cove_block_wait(b, version, COVE_TRY, NULL) == COVE_ERR_TIMEOUT); break;
        default:
            REQUIRE(cove_block_get(b, got, size, &got_length, &got_version, COVE_TRY) == (size >= length ? COVE_OK : COVE_ERR_SIZE));
            REQUIRE(got_length == length);
            if (size >= length)
                REQUIRE(got_version == version && !memcmp(got, now, length));
        }
    }
    cove_block_close(block[0]);
    cove_block_close(block[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    input in = {data, size, 0};
    use_own_domain();
    switch (take_byte(&in) % 8) {
    case 0: use_block(&in, 0); break;
    case 1: use_block(&in, COVE_BLOCK_SINGLE); break;
    case 2:
    case 3:
    case 4: use_queue(&in); break;
    default: use_stream(&in);
    }
    return 0;
}

/* Checking UTF-8. The ranges are those of table 3-7 of the Unicode standard. */
#include "base/text.h"

#include <stdint.h>
#include <string.h>

/* How many bytes follow the first one; and the range of the second, which alone depends on the first. -1: no first byte. */
static int following(uint8_t first, uint8_t *out_low, uint8_t *out_high) {
    *out_low = 0x80;
    *out_high = 0xbf;
    if (first >= 0xc2 && first <= 0xdf)
        return 1;
    if (first >= 0xe0 && first <= 0xef) {
        if (first == 0xe0)
            *out_low = 0xa0;
        if (first == 0xed)
            *out_high = 0x9f;
        return 2;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        if (first == 0xf0)
            *out_low = 0x90;
        if (first == 0xf4)
            *out_high = 0x8f;
        return 3;
    }
    return -1;
}

bool covei_text_is_valid(const void *bytes, size_t size) {
    const uint8_t *at = bytes, *end = at + size;
    uint8_t low, high;
    while (at < end) {
        uint64_t eight;
        while (end - at >= 8) { /* most text is ASCII */
            memcpy(&eight, at, sizeof eight);
            if (eight & UINT64_C(0x8080808080808080))
                break;
            at += 8;
        }
        if (at == end)
            break;
        if (*at < 0x80) {
            at++;
            continue;
        }
        int more = following(*at, &low, &high);
        if (more < 0 || end - at <= more || at[1] < low || at[1] > high)
            return false;
        for (int i = 2; i <= more; i++)
            if (at[i] < 0x80 || at[i] > 0xbf)
                return false;
        at += more + 1;
    }
    return true;
}

/* Deadlines, on whatever clock the system below has. */
#include "platform/platform.h"

cove_time_ns cove_now(void) {
    return covei_clock_ns();
}

cove_time_ns cove_in_ms(uint64_t milliseconds) {
    cove_time_ns now = covei_clock_ns();
    return milliseconds > (COVE_FOREVER - now) / 1000000 ? COVE_FOREVER : now + milliseconds * 1000000;
}

/* Telling of a change. */
#ifndef COVEI_SYNC_WATCH_H
#define COVEI_SYNC_WATCH_H

#include "sync/event.h"

static inline void covei_tell(covei_member *member, covei_a32 *event) {
    if (covei_unlikely(member->wakes_readers))
        covei_event_wake_always(event);
    else
        covei_event_wake(event);
}

#endif

/* Telling of a change, to all who want to know: who sleeps on the event, and who has a bell, a descriptor for an event loop.
 * docs/protocols/lock-block-wait.md, BELL
 *
 * A bell has a name in the domain, made of the object's id, the slot and its generation, so that whoever sees that a slot wants to be
 * told can ring it. The slot's last hold word says whether it wants to: bit 0 armed, the rest counts.
 *     the watcher  silences the bell, arms the word, arms the event anew (which changes it), and looks at his condition
 *     the teller   changes the condition, looks at the event, and if it is armed: rings every armed bell, disarms its word if it has not
 *                  been armed anew, and then disarms the event and wakes the sleepers
 * Rung before disarmed: whoever dies in between has rung once too often, not too seldom. Who dies between the change and the look rings
 * nobody; for that a bell rings by itself each second.
 *
 * Where a bell can have no name (a read-only member, no /proc), a thread of the library's looks, and rings it from inside. */
#ifndef COVEI_SYNC_WATCH_H
#define COVEI_SYNC_WATCH_H

#include "sync/event.h"

void covei_tell_armed(covei_member *member, covei_a32 *event, uint32_t seen);

/* After a seqcst change of the condition. PAIR event */
static inline void covei_tell(covei_member *member, covei_a32 *event) {
    uint32_t seen = covei_load_seqcst(event);
    if (covei_unlikely(member->wakes_readers || seen & COVEI_EVENT_ARMED))
        covei_tell_armed(member, event, seen);
}

/* One handle's wish to be told. Zeroed: none.
 *
 * Invariants
 *     I1  `is_open` is set after the bell is there, and stays until covei_watch_close
 *     I2  what stands below `bell` belongs to the list in watch.c, and is guarded by its mutex */
typedef struct covei_watch {
    covei_a32 is_open;
    bool is_named; /* others ring it; else our thread does */
    covei_member *member;
    covei_a32 *event;
    void *handle;                                      /* the object's, for the two functions */
    bool (*has_news)(void *handle, uint64_t *seen);    /* whether there may be something since `seen`, which it sets */
    void (*function)(void *context, void *handle);     /* the user's; null: nobody is called */
    covei_bell bell;
    void *context;
    uint64_t seen;
    struct covei_watch *next;
} covei_watch;

/* Makes the bell, once. COVE_OK · told. The bell rings at once: what there is already must be looked at. */
cove_result covei_watch_open(covei_watch *watch);
/* The user has found nothing: quiet now, and armed. The condition must be looked at again after this. PAIR bell */
void covei_watch_rearm(covei_watch *watch);
/* Has `function` called on the library's thread, first at once; null: no longer, and it is not running when this returns, unless it is
 * itself that asks. The watch is open. */
cove_result covei_watch_call(covei_watch *watch, void (*function)(void *context, void *handle), void *context);
/* Ends all of it. Null names and parents' bells included. */
void covei_watch_close(covei_watch *watch);
/* In a child of fork: the bell is the parent's. */
void covei_watch_forget(covei_watch *watch);

static inline bool covei_watch_is_open(const covei_watch *watch) {
    return covei_unlikely(covei_load_acquire(&watch->is_open)); /* PAIR watch */
}

#endif

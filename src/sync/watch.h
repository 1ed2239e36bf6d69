/* Telling of a change, to all who want to know: who sleeps on the event, and who has a bell, a descriptor for an event loop.
 * docs/protocols/lock-block-wait.md, BELL
 *
 * A bell has a name in the domain, made of the object's id, the slot and its generation, so that whoever sees that a slot wants to be
 * told can ring it. The slot's last hold word: ARMED · UNHEARD: somebody could not ring it · THERE: there is one · above that a count, which
 * also goes on when the slot has another member: a teller that was on his way to the one before must not disarm what this one has armed.
 *     the watcher  silences the bell, arms the word, arms the event anew (which changes it), and looks at his condition
 *     the teller   changes the condition, looks at the event, and if it is armed: rings every armed bell, disarms its word if it has not
 *                  been armed anew, then tries once to disarm the event, and wakes the sleepers
 * Rung before disarmed: whoever dies in between has rung once too often, not too seldom. Who dies between the change and the look rings
 * nobody; for that a bell rings by itself each second. Whoever arms while a teller is on his way looks at his condition after it, and so
 * sees the change; the event then stays armed for the next, as it does where a bell could not be rung.
 *
 * Where a bell can have no name (a read-only member, no /proc), or is not heard (others may not reach it), a thread of the library's looks,
 * and rings it from inside; its word is not armed. */
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

/* A function of the user's; `as` calls it with its own type. */
typedef void (*covei_watch_fn)(void);
typedef void (*covei_watch_as)(covei_watch_fn function, void *context, void *handle);

/* One handle's wish to be told.
 *
 * Invariants
 *     I1  NONE → USED: the bell is there. USED ⇄ IDLE: it is there, and nobody is interested. Back to NONE by covei_watch_close only
 *     I2  all but `state` is guarded by the mutex of the list, or does not change while the bell is there */
typedef enum covei_watch_state { COVEI_WATCH_NONE, COVEI_WATCH_USED, COVEI_WATCH_IDLE } covei_watch_state;
typedef struct covei_watch {
    covei_a32 state;
    covei_a32 is_named; /* others ring it; else our thread does */
    bool is_listed;     /* the thread knows it */
    bool has_fd;        /* the user has the descriptor */
    covei_member *member;
    covei_a32 *event;
    void *handle;                                   /* the object's, for the two functions */
    bool (*has_news)(void *handle, uint64_t *seen); /* whether there may be something since `seen`, which it sets */
    covei_watch_as as;
    covei_bell bell;
    covei_watch_fn function; /* the user's; null: nobody is called */
    void *context;
    uint64_t seen;
    covei_a64 asked_ns; /* when the name was last looked after */
    struct covei_watch *next, *next_bell;
} covei_watch;

/* The descriptor; the bell rings at once, because what there is already must be looked at. COVE_OK · told. */
cove_result covei_watch_fd(covei_watch *watch, int *out_fd);
/* Has `function` called on the library's thread, first at once; null: no longer, and it is not running when this returns, unless it is
 * itself that asks. */
cove_result covei_watch_call(covei_watch *watch, covei_watch_fn function, void *context);
/* The user has found nothing: quiet now, and armed. The condition must be looked at again after this; where something is found then, or
 * nobody has looked, covei_watch_touch. PAIR bell */
void covei_watch_rearm(covei_watch *watch);
void covei_watch_touch(covei_watch *watch);
/* Whether it is time to ask the file system about the name: about once a second. */
bool covei_watch_asks(covei_watch *watch);
/* Ends all of it. */
void covei_watch_close(covei_watch *watch);
/* In a child of fork: the bell is the parent's. */
void covei_watch_forget(covei_watch *watch);

static inline bool covei_watch_is_used(const covei_watch *watch) {
    return covei_unlikely(covei_load_acquire(&watch->state) == COVEI_WATCH_USED); /* PAIR watch */
}

#endif

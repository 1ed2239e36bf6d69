/* Bells, and the thread that calls whoever wants to be called. */
#include "sync/watch.h"

#include "base/error.h"

#include <stdlib.h>

/* A teller may be killed between his change and his ring; then the bell rings by itself, this much later. */
#define SLICE_NS UINT64_C(1000000000)
/* How often the thread looks on behalf of those who have no name to be rung by. */
#define LOOK_NS UINT64_C(1000000)
#define LOOK_IDLE_NS UINT64_C(5000000)
#define IDLE_AFTER 100

/* ---- Telling. */

/* CRASH: killed anywhere: some have been rung, and the event is still armed: the next change rings the others. */
static void ring_bells(covei_member *member) {
    char name[COVEI_BELL_NAME_BYTES];
    covei_dir dir;
    bool is_in = false;
    for (uint32_t base = 0; base < member->slot_count; base += 64) {
        uint64_t watching = covei_load_seqcst(&member->header->watching[base / 64]); /* PAIR bell */
        for (; watching; watching &= watching - 1) {
            uint32_t index = base + (uint32_t)__builtin_ctzll(watching);
            if (index >= member->slot_count)
                break;
            covei_slot_shm *slot = &member->slots[index];
            uint32_t word = covei_load_seqcst(&slot->hold[COVEI_SLOT_BELL]); /* PAIR bell */
            bool is_alive;
            if (!(word & 1))
                continue;
            if (!is_in) {
                covei_guard_enter();
                is_in = true;
                if (covei_domain_dir(member->domain, &dir) != COVE_OK)
                    goto out;
            }
            covei_bell_name(member->id, index, covei_slot_generation(covei_load_seqcst(&slot->word)), name);
            cove_result result = covei_bell_ring(dir, name);
            if (result == COVE_OK)
                covei_cas_seqcst(&slot->hold[COVEI_SLOT_BELL], &word, word & ~1u); /* not if it has been armed anew meanwhile */
            else if (result == COVE_ERR_NOT_FOUND && covei_slot_is_alive(member, index, &is_alive) == COVE_OK && !is_alive)
                covei_slot_recover(member, index);
        }
    }
out:
    if (is_in)
        covei_guard_leave();
}

/* Disarms only what it has rung for: whoever has armed since has changed the word, and is rung too. */
void covei_tell_armed(covei_member *member, covei_a32 *event, uint32_t seen) {
    if (member->wakes_readers) {
        ring_bells(member);
        covei_event_wake_always(event);
        return;
    }
    while (seen & COVEI_EVENT_ARMED) {
        ring_bells(member);
        if (covei_cas_seqcst(event, &seen, (seen & ~COVEI_EVENT_ARMED) + 2)) {
            covei_wake(event);
            return;
        }
    }
}

/* ---- Who is called, and on whose behalf the thread looks. All of it under COVEI_MUTEX_WATCH. */

static struct {
    covei_watch *first;
    covei_watch *current; /* whose function is running */
    covei_a32 ended;      /* counts functions that have returned: who waits for one sleeps on it */
    covei_bell control;   /* rung when the list has changed */
    uint64_t epoch;       /* of the process that this list is of */
    uint64_t thread;      /* covei_thread_self of the thread; 0: there is none */
} list;

static uint64_t thread_self(void) {
    static _Thread_local char mine;
    return (uint64_t)(uintptr_t)&mine;
}

static void enter(void) {
    covei_guard_enter();
    covei_mutex_enter(COVEI_MUTEX_WATCH);
    if (list.epoch != covei_process_epoch()) { /* a child of fork: the list and the thread are the parent's */
        if (list.epoch && list.thread)
            covei_bell_close((covei_dir){COVEI_NO_HANDLE}, NULL, &list.control);
        list.first = list.current = NULL;
        list.thread = 0;
        list.epoch = covei_process_epoch();
    }
}

static void leave(void) {
    covei_mutex_leave(COVEI_MUTEX_WATCH);
    covei_guard_leave();
}

static bool is_listed(const covei_watch *watch) {
    for (const covei_watch *w = list.first; w; w = w->next)
        if (w == watch)
            return true;
    return false;
}

/* What the thread looks at in one round: copies, so that it may be without the mutex while it waits. */
typedef struct round {
    covei_watch **watch;
    int64_t *poll;
    bool *ready;
    uint32_t count, room;
    bool must_look;
} round;

static bool collect(round *r) {
    uint32_t count = 0;
    for (const covei_watch *w = list.first; w; w = w->next)
        count++;
    if (!count)
        return false;
    if (count > r->room) {
        covei_watch **watch = realloc(r->watch, count * sizeof *watch);
        int64_t *poll = watch ? realloc(r->poll, (count + 1) * sizeof *poll) : NULL;
        bool *ready = poll ? realloc(r->ready, (count + 1) * sizeof *ready) : NULL;
        r->watch = watch ? watch : r->watch;
        r->poll = poll ? poll : r->poll;
        r->ready = ready ? ready : r->ready;
        if (ready)
            r->room = count;
    }
    r->count = 0;
    r->must_look = count > r->room; /* without memory: those who fit, and soon again */
    for (covei_watch *w = list.first; w && r->count < r->room; w = w->next) {
        r->watch[r->count] = w;
        r->poll[1 + r->count++] = w->bell.poll;
        r->must_look = r->must_look || !w->is_named;
    }
    if (r->room)
        r->poll[0] = list.control.poll;
    return true;
}

/* The functions are called without the mutex: they may open, close and ask for anything. */
static bool serve(round *r) {
    bool was_news = false;
    for (uint32_t i = 0; i < r->count; i++) {
        covei_watch *w = r->watch[i];
        enter();
        bool is_due = is_listed(w) && w->bell.poll == r->poll[1 + i];
        if (is_due && !w->is_named && w->has_news(w->handle, &w->seen)) {
            covei_bell_touch(&w->bell);
            was_news = r->ready[1 + i] = true;
        }
        is_due = is_due && r->ready[1 + i] && w->function;
        void (*function)(void *, void *) = is_due ? w->function : NULL;
        void *context = is_due ? w->context : NULL, *handle = is_due ? w->handle : NULL;
        if (is_due) {
            list.current = w;
            covei_watch_rearm(w);
        }
        leave();
        if (!is_due)
            continue;
        function(context, handle);
        enter();
        list.current = NULL; /* `w` may be gone by now */
        covei_add_seqcst(&list.ended, 1);
        leave();
        covei_wake(&list.ended);
    }
    return was_news;
}

static void be_the_thread(void *context) {
    round r = {0};
    uint32_t idle = 0;
    (void)context;
    enter();
    list.thread = thread_self();
    leave();
    for (;;) {
        enter();
        bool goes_on = collect(&r);
        if (!goes_on) {
            covei_bell_close((covei_dir){COVEI_NO_HANDLE}, NULL, &list.control);
            list.thread = 0;
        }
        leave();
        if (!goes_on)
            break;
        if (!r.room) {
            covei_pause(LOOK_NS);
            continue;
        }
        covei_bell_wait(r.poll, r.ready, r.count + 1, !r.must_look ? UINT64_MAX : idle < IDLE_AFTER ? LOOK_NS : LOOK_IDLE_NS);
        if (r.ready[0])
            covei_bell_silence(&list.control, SLICE_NS);
        idle = serve(&r) ? 0 : idle + 1;
    }
    free(r.watch);
    free(r.poll);
    free(r.ready);
}

/* Puts it on the list, and sees to the thread. Under the mutex. COVE_OK · told. */
static cove_result enlist(covei_watch *watch) {
    if (is_listed(watch))
        return COVE_OK;
    if (!list.thread) {
        cove_result result = covei_bell_open((covei_dir){COVEI_NO_HANDLE}, NULL, 0, SLICE_NS, &list.control);
        if (result != COVE_OK)
            return covei_fail(result, 0, "watch", "no descriptor for the thread that is told of changes");
        if ((result = covei_thread_start(be_the_thread, NULL)) != COVE_OK) {
            covei_bell_close((covei_dir){COVEI_NO_HANDLE}, NULL, &list.control);
            return result;
        }
        list.thread = 1; /* on its way */
    }
    watch->next = list.first;
    list.first = watch;
    covei_bell_touch(&list.control);
    return COVE_OK;
}

static void delist(covei_watch *watch) {
    for (covei_watch **at = &list.first; *at; at = &(*at)->next)
        if (*at == watch) {
            *at = watch->next;
            covei_bell_touch(&list.control);
            break;
        }
}

/* Until its function is not running. Enters and leaves the mutex. */
static void wait_until_returned(covei_watch *watch) {
    for (;;) {
        uint32_t ended = covei_load_seqcst(&list.ended);
        if (list.current != watch || list.thread == thread_self())
            return;
        leave();
        covei_wait(&list.ended, ended, COVE_FOREVER);
        enter();
    }
}

/* ---- One handle's wish. */

static cove_result open_bell(covei_watch *watch) {
    covei_member *member = watch->member;
    char name[COVEI_BELL_NAME_BYTES];
    covei_file_facts facts;
    covei_file probe;
    covei_dir dir = {COVEI_NO_HANDLE};
    cove_result result = COVE_ERR_UNSUPPORTED;
    if (!member->is_read_only && covei_domain_dir(member->domain, &dir) == COVE_OK && covei_member_probe(member, &probe) == COVE_OK &&
        covei_file_look(probe, &facts) == COVE_OK) {
        covei_bell_name(member->id, covei_load_relaxed(&member->slot), covei_load_relaxed(&member->generation), name);
        result = covei_bell_open(dir, name, facts.mode & 0666, SLICE_NS, &watch->bell); /* who may write the object may ring */
    }
    watch->is_named = result == COVE_OK;
    if (result != COVE_OK)
        result = covei_bell_open(dir, NULL, 0, SLICE_NS, &watch->bell);
    return result == COVE_OK ? COVE_OK : covei_fail(result, 0, "watch", "no descriptors left for a bell: it takes three");
}

cove_result covei_watch_open(covei_watch *watch) {
    covei_member *member = watch->member;
    cove_result result = COVE_OK;
    covei_error_about(member->domain->path, member->name);
    enter();
    if (!covei_watch_is_open(watch) && (result = open_bell(watch)) == COVE_OK) {
        if (watch->is_named) {
            uint32_t slot = covei_load_relaxed(&member->slot);
            covei_store_seqcst(&member->slots[slot].hold[COVEI_SLOT_BELL], 2); /* there is a bell; not armed yet */
            covei_or_seqcst(&member->header->watching[slot / 64], UINT64_C(1) << (slot % 64));
        } else {
            (void)watch->has_news(watch->handle, &watch->seen);
            result = enlist(watch);
        }
        if (result == COVE_OK) {
            covei_bell_touch(&watch->bell);
            covei_store_release(&watch->is_open, 1); /* PAIR watch */
        } else {
            covei_bell_close((covei_dir){COVEI_NO_HANDLE}, NULL, &watch->bell);
        }
    }
    leave();
    return result;
}

void covei_watch_rearm(covei_watch *watch) {
    covei_bell_silence(&watch->bell, SLICE_NS);
    if (!watch->is_named)
        return;
    covei_a32 *word = &covei_member_slot(watch->member)->hold[COVEI_SLOT_BELL];
    covei_store_seqcst(word, (((covei_load_relaxed(word) >> 1) + 1) << 1) | 1); /* PAIR bell: before the event is armed */
    /* Counted, unlike the arming of a sleeper, who compares the word once more when he goes to sleep: a teller that is on its way must see
     * that this is a new arming. */
    uint32_t seen = covei_load_relaxed(watch->event);
    while (!covei_cas_seqcst(watch->event, &seen, (seen + 2) | COVEI_EVENT_ARMED))
        ;
}

cove_result covei_watch_call(covei_watch *watch, void (*function)(void *context, void *handle), void *context) {
    cove_result result = COVE_OK;
    enter();
    if (function) {
        watch->function = function;
        watch->context = context;
        result = enlist(watch);
        covei_bell_touch(&watch->bell); /* the first call */
    } else {
        watch->function = NULL;
        if (watch->is_named)
            delist(watch);
        wait_until_returned(watch);
    }
    leave();
    return result;
}

void covei_watch_close(covei_watch *watch) {
    covei_member *member = watch->member;
    char name[COVEI_BELL_NAME_BYTES];
    covei_dir dir;
    if (!covei_watch_is_open(watch))
        return;
    enter();
    watch->function = NULL;
    delist(watch);
    wait_until_returned(watch);
    covei_store_relaxed(&watch->is_open, 0);
    bool is_named = watch->is_named && covei_domain_dir(member->domain, &dir) == COVE_OK;
    if (is_named)
        covei_bell_name(member->id, covei_load_relaxed(&member->slot), covei_load_relaxed(&member->generation), name);
    covei_bell_close(is_named ? dir : (covei_dir){COVEI_NO_HANDLE}, is_named ? name : NULL, &watch->bell);
    leave();
}

void covei_watch_forget(covei_watch *watch) {
    if (covei_watch_is_open(watch))
        covei_bell_close((covei_dir){COVEI_NO_HANDLE}, NULL, &watch->bell);
    covei_store_relaxed(&watch->is_open, 0);
    watch->function = NULL;
}

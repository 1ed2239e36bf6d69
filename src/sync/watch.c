/* Bells, and the thread that calls whoever wants to be called. */
#include "sync/watch.h"

#include "base/error.h"

#include <stdlib.h>

/* A teller may be killed between his change and his ring; then the bell rings by itself, this much later. */
#define SLICE_NS UINT64_C(1000000000)
/* How often the thread looks on behalf of those whom nobody rings; and, when all are rung, whether its own descriptors are still there. */
#define LOOK_NS UINT64_C(1000000)
#define LOOK_IDLE_NS UINT64_C(5000000)
#define IDLE_AFTER 100

static const covei_dir no_dir = {COVEI_NO_HANDLE};

/* ---- Telling. */

/* False: it could not be rung now, and should be with the next change.
 * CRASH: killed anywhere: some have been rung, and the event is still armed: the next change rings the others. */
static bool ring(covei_member *member, covei_dir dir, uint32_t index) {
    covei_slot_shm *slot = &member->slots[index];
    char name[COVEI_BELL_NAME_BYTES];
    bool is_alive;
    uint32_t word = covei_load_seqcst(&slot->hold[COVEI_SLOT_BELL]); /* PAIR bell */
    if (!(word & COVEI_BELL_ARMED))
        return true;
    covei_bell_name(member->id, index, covei_slot_generation(covei_load_seqcst(&slot->word)), name);
    cove_result result = covei_bell_ring(dir, name);
    if (result == COVE_OK) {
        covei_cas_seqcst(&slot->hold[COVEI_SLOT_BELL], &word, word & ~COVEI_BELL_ARMED); /* not if it has been armed anew meanwhile */
        return true;
    }
    if (result == COVE_ERR_LIMIT) /* our own fault, and not for long */
        return false;
    if (covei_slot_is_alive(member, index, &is_alive) == COVE_OK && !is_alive) {
        covei_slot_recover(member, index);
        return true;
    }
    covei_cas_seqcst(&slot->hold[COVEI_SLOT_BELL], &word, word | COVEI_BELL_UNHEARD); /* from its next look on its own thread looks */
    return false;
}

/* False: some could not be rung now. */
static bool ring_bells(covei_member *member) {
    covei_dir dir;
    bool is_in = false, are_told = true;
    for (uint32_t base = 0; base < member->slot_count; base += 64) {
        uint64_t watching = covei_load_seqcst(&member->header->watching[base / 64]); /* PAIR bell */
        for (; watching; watching &= watching - 1) {
            uint32_t index = base + (uint32_t)__builtin_ctzll(watching);
            if (index >= member->slot_count || !(covei_load_seqcst(&member->slots[index].hold[COVEI_SLOT_BELL]) & COVEI_BELL_ARMED))
                continue;
            if (!is_in) {
                covei_guard_enter();
                is_in = true;
                if (covei_domain_dir(member->domain, &dir) != COVE_OK)
                    dir = no_dir; /* then none is heard, and each is told so */
            }
            are_told = ring(member, dir, index) && are_told;
        }
    }
    if (is_in)
        covei_guard_leave();
    return are_told;
}

void covei_tell_armed(covei_member *member, covei_a32 *event, uint32_t seen) {
    bool are_told = ring_bells(member);
    if (member->wakes_readers) {
        covei_event_wake_always(event);
        return;
    }
    /* Once: who has armed meanwhile sees the change by himself, and the event stays armed for him. A loop would not end while there are
     * watchers who are quicker than we ring them all. */
    covei_cas_seqcst(event, &seen, (are_told ? seen & ~COVEI_EVENT_ARMED : seen) + 2);
    covei_wake(event);
}

/* ---- Who is called, and on whose behalf the thread looks. All of it under COVEI_MUTEX_WATCH. */

static struct {
    covei_watch *first;      /* whom the thread serves */
    covei_watch *first_bell; /* who has a bell: for a child of fork */
    covei_watch *current;    /* whose function is running */
    covei_a32 ended;         /* counts functions that have returned: who waits for one sleeps on it */
    covei_bell control;      /* rung when the list has changed */
    uint64_t epoch;          /* of the process that all of this is of */
    uint64_t thread;         /* tells the thread; 0: there is none, 1: it is on its way */
    bool has_hook;
} list;

/* What a child has no part in: the parent's bells, whose sockets would keep a dead parent looking alive, and its thread. */
static void forget_all(void) {
    for (covei_watch *w = list.first_bell; w; w = w->next_bell) {
        covei_bell_close(no_dir, NULL, &w->bell, true);
        covei_store_relaxed(&w->state, COVEI_WATCH_NONE);
        w->function = NULL;
        w->is_listed = w->has_fd = false;
    }
    if (list.thread)
        covei_bell_close(no_dir, NULL, &list.control, true);
    list.first = list.first_bell = list.current = NULL;
    list.thread = 0;
    list.epoch = covei_process_epoch();
}

static uint64_t thread_self(void) {
    static _Thread_local char mine;
    return (uint64_t)(uintptr_t)&mine;
}

static void enter(void) {
    covei_guard_enter();
    covei_mutex_enter(COVEI_MUTEX_WATCH);
    if (!list.has_hook) {
        list.has_hook = true;
        list.epoch = covei_process_epoch();
        covei_process_in_child(forget_all);
    }
    if (list.epoch != covei_process_epoch()) /* a child that was made without fork handlers */
        forget_all();
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

static void make_room(round *r, uint32_t count) {
    covei_watch **watch = realloc(r->watch, count * sizeof *watch);
    r->watch = watch ? watch : r->watch;
    int64_t *poll = watch ? realloc(r->poll, (count + 1) * sizeof *poll) : NULL;
    r->poll = poll ? poll : r->poll;
    bool *ready = poll ? realloc(r->ready, (count + 1) * sizeof *ready) : NULL;
    r->ready = ready ? ready : r->ready;
    if (ready)
        r->room = count;
}

/* False: there is nobody to serve. A bell that is rung from inside only, and whose user has an event loop of his own, is not waited for. */
static bool collect(round *r) {
    uint32_t count = 0;
    for (const covei_watch *w = list.first; w; w = w->next)
        count++;
    if (count > r->room)
        make_room(r, count);
    r->count = 0;
    r->must_look = count > r->room; /* without memory: those who fit, and soon again */
    for (covei_watch *w = list.first; w && r->count < r->room; w = w->next) {
        r->watch[r->count] = w;
        r->poll[1 + r->count++] = w->function ? w->bell.poll : COVEI_NO_HANDLE;
        r->must_look = r->must_look || !covei_load_relaxed(&w->is_named);
    }
    if (r->room) {
        if (!covei_bell_is_sound(&list.control)) { /* the program has closed it (closefrom) */
            covei_bell_close(no_dir, NULL, &list.control, false);
            cove_result result = covei_bell_open(no_dir, NULL, NULL, SLICE_NS, &list.control);
            (void)result; /* without it changes of the list are noticed a second later */
        }
        r->poll[0] = list.control.poll;
    }
    return count;
}

static cove_result open_bell(covei_watch *watch);

/* One of those who were collected, if it still is there. Under the mutex. Returns its function where it is due. */
static covei_watch_fn is_due(covei_watch *w, bool rings, bool *out_news) {
    if (!is_listed(w))
        return NULL;
    if (!covei_bell_is_sound(&w->bell)) { /* closefrom again: another bell, unless the user had the descriptor and has closed it himself */
        covei_bell_close(no_dir, NULL, &w->bell, false);
        if (!w->function || open_bell(w) != COVE_OK)
            return NULL;
        rings = true;
    }
    if (!covei_load_relaxed(&w->is_named) && w->has_news(w->handle, &w->seen)) {
        covei_watch_touch(w);
        *out_news = rings = true;
    }
    return rings ? w->function : NULL;
}

/* The functions are called without the mutex: they may open, close, fork and ask for anything. False: this is a child of fork, where the
 * thread is not the library's. */
static bool serve(round *r, uint64_t epoch, bool *out_news) {
    *out_news = false;
    for (uint32_t i = 0; i < r->count; i++) {
        covei_watch *w = r->watch[i];
        enter();
        covei_watch_fn function = is_due(w, r->ready[1 + i], out_news);
        covei_watch_as as = function ? w->as : NULL;
        void *context = function ? w->context : NULL, *handle = function ? w->handle : NULL;
        if (function)
            list.current = w; /* nobody else ends it from here on */
        leave();
        if (!function)
            continue;
        covei_watch_rearm(w);
        as(function, context, handle);
        if (covei_process_epoch() != epoch)
            return false;
        enter();
        if (list.current == w) /* else the handle was closed inside */
            list.current = NULL;
        covei_add_seqcst(&list.ended, 1);
        leave();
        covei_wake(&list.ended);
    }
    return true;
}

static void *be_the_thread(void *context) {
    round r = {0};
    uint32_t idle = 0;
    uint64_t epoch = covei_process_epoch();
    bool is_news = false;
    (void)context;
    enter();
    list.thread = thread_self();
    leave();
    for (;;) {
        enter();
        bool goes_on = collect(&r);
        if (!goes_on) {
            covei_bell_close(no_dir, NULL, &list.control, false);
            list.thread = 0;
        }
        leave();
        if (!goes_on)
            break;
        if (!r.room) {
            covei_pause(LOOK_NS);
            continue;
        }
        covei_bell_wait(r.poll, r.ready, r.count + 1, !r.must_look ? SLICE_NS : idle < IDLE_AFTER ? LOOK_NS : LOOK_IDLE_NS);
        if (r.ready[0])
            covei_bell_silence(&list.control, 2 * SLICE_NS);
        if (!serve(&r, epoch, &is_news))
            break;
        idle = is_news ? 0 : idle + 1;
    }
    covei_guard_enter(); /* like all that is had or freed here: not every allocator stands a fork meanwhile */
    free(r.watch);
    free(r.poll);
    free(r.ready);
    covei_guard_leave();
    return NULL;
}

/* Puts it on the list, and sees to the thread. Under the mutex. COVE_OK · told. */
static cove_result enlist(covei_watch *watch) {
    if (watch->is_listed)
        return COVE_OK;
    if (!list.thread) {
        cove_result result = covei_bell_open(no_dir, NULL, NULL, 2 * SLICE_NS, &list.control);
        if (result != COVE_OK)
            return covei_fail(result, 0, "watch", "no descriptors left for the thread that is told of changes");
        if ((result = covei_thread_start(be_the_thread, NULL)) != COVE_OK) {
            covei_bell_close(no_dir, NULL, &list.control, false);
            return result;
        }
        list.thread = 1;
    }
    watch->next = list.first;
    list.first = watch;
    watch->is_listed = true;
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
    watch->is_listed = false;
}

/* Until its function is not running. Leaves and enters the mutex. */
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

/* With a name where it can have one. COVE_OK · told. */
static cove_result open_bell(covei_watch *watch) {
    covei_member *member = watch->member;
    uint32_t slot = covei_load_relaxed(&member->slot);
    char name[COVEI_BELL_NAME_BYTES];
    covei_file_facts facts;
    covei_file probe;
    covei_dir dir = no_dir;
    cove_result result = COVE_ERR_UNSUPPORTED;
    if (!member->is_read_only && covei_domain_dir(member->domain, &dir) == COVE_OK && covei_member_probe(member, &probe) == COVE_OK &&
        covei_file_look(probe, &facts) == COVE_OK) {
        covei_bell_access access = {facts.mode & 0666, facts.owner_uid, facts.owner_gid};
        covei_bell_name(member->id, slot, covei_load_relaxed(&member->generation), name);
        covei_a32 *word = &member->slots[slot].hold[COVEI_SLOT_BELL];
        uint32_t counted = (covei_load_seqcst(word) & ~(COVEI_BELL_ARMED | COVEI_BELL_UNHEARD)) + COVEI_BELL_COUNT;
        covei_store_seqcst(word, counted | COVEI_BELL_THERE); /* before there is a name that a death would leave */
        result = covei_bell_open(dir, name, &access, SLICE_NS, &watch->bell);
        if (result == COVE_ERR_EXISTS && covei_file_unlink(dir, name) == COVE_OK) /* our own, of before a closefrom */
            result = covei_bell_open(dir, name, &access, SLICE_NS, &watch->bell);
        if (result == COVE_OK)
            covei_or_seqcst(&member->header->watching[slot / 64], UINT64_C(1) << (slot % 64));
        else
            covei_and_seqcst(word, ~COVEI_BELL_THERE);
    }
    covei_store_relaxed(&watch->is_named, result == COVE_OK);
    if (result != COVE_OK)
        result = covei_bell_open(no_dir, NULL, NULL, SLICE_NS, &watch->bell);
    covei_error_about(member->domain->path, member->name);
    if (result != COVE_OK)
        return covei_fail(result, 0, "watch", "no descriptors left for a bell: it takes three");
    if (!covei_load_relaxed(&watch->is_named)) {
        (void)watch->has_news(watch->handle, &watch->seen);
        result = enlist(watch);
        if (result != COVE_OK)
            covei_bell_close(no_dir, NULL, &watch->bell, false);
    }
    return result;
}

/* Has a bell, and rings: somebody has become interested. Under the mutex. COVE_OK · told. */
static cove_result use(covei_watch *watch) {
    cove_result result = COVE_OK;
    if (covei_load_relaxed(&watch->state) != COVEI_WATCH_NONE && !covei_bell_is_sound(&watch->bell)) {
        covei_bell_close(no_dir, NULL, &watch->bell, false);
        result = open_bell(watch);
    } else if (covei_load_relaxed(&watch->state) == COVEI_WATCH_NONE && (result = open_bell(watch)) == COVE_OK) {
        watch->next_bell = list.first_bell;
        list.first_bell = watch;
    }
    if (result != COVE_OK)
        return result;
    if (!covei_load_relaxed(&watch->is_named))
        result = enlist(watch);
    covei_watch_touch(watch);
    covei_store_release(&watch->state, COVEI_WATCH_USED); /* PAIR watch */
    return result;
}

static covei_a32 *bell_word(const covei_watch *watch) {
    return &covei_member_slot(watch->member)->hold[COVEI_SLOT_BELL];
}

/* By others: else our thread rings it, or nobody does. */
static bool is_to_be_rung(const covei_watch *watch) {
    return covei_load_relaxed(&watch->is_named) && covei_load_relaxed(&watch->state) == COVEI_WATCH_USED;
}

/* When that has come to an end: whoever is arming the word at this moment asks it once more afterwards. */
static void disarm(covei_a32 *word) {
    covei_and_seqcst(word, ~(COVEI_BELL_ARMED | COVEI_BELL_UNHEARD));
}

cove_result covei_watch_fd(covei_watch *watch, int *out_fd) {
    cove_result result = COVE_OK;
    enter();
    if (!watch->has_fd || !covei_bell_is_sound(&watch->bell))
        result = use(watch);
    if (result == COVE_OK) {
        watch->has_fd = true;
        *out_fd = (int)watch->bell.poll;
    }
    leave();
    return result;
}

cove_result covei_watch_call(covei_watch *watch, covei_watch_fn function, void *context) {
    cove_result result = COVE_OK;
    enter();
    if (function) {
        result = use(watch);
        if (result == COVE_OK)
            result = enlist(watch);
        if (watch->function) { /* the one before is not running any more either */
            watch->function = NULL;
            wait_until_returned(watch);
        }
        if (result == COVE_OK) {
            watch->function = function;
            watch->context = context;
            covei_bell_touch(&list.control); /* so that its bell is waited for, which rings: the first call */
        }
    } else if (covei_load_relaxed(&watch->state) != COVEI_WATCH_NONE) {
        watch->function = NULL;
        if (covei_load_relaxed(&watch->is_named) || !watch->has_fd)
            delist(watch);
        if (!watch->has_fd) { /* nobody rings for nobody */
            covei_store_release(&watch->state, COVEI_WATCH_IDLE);
            if (covei_load_relaxed(&watch->is_named))
                disarm(bell_word(watch));
        }
        wait_until_returned(watch);
    }
    leave();
    return result;
}

/* Somebody cannot reach this bell: from here on the thread looks, if anybody wants it at all, and nobody tries any more. False: there is no
 * thread, so that others must go on trying. */
static bool look_by_ourselves(covei_watch *watch) {
    enter();
    bool is_used = covei_load_relaxed(&watch->state) == COVEI_WATCH_USED;
    bool is_over = !is_used || enlist(watch) == COVE_OK;
    if (is_over && is_used) {
        covei_store_relaxed(&watch->is_named, 0);
        covei_bell_touch(&list.control); /* it may be waiting for rings alone */
    }
    if (is_over)
        disarm(bell_word(watch));
    leave();
    return is_over;
}

void covei_watch_rearm(covei_watch *watch) {
    covei_bell_silence(&watch->bell, SLICE_NS);
    if (!is_to_be_rung(watch))
        return;
    covei_a32 *word = bell_word(watch);
    uint32_t armed, seen = covei_load_relaxed(word);
    do {
        if (covei_unlikely(seen & COVEI_BELL_UNHEARD) && look_by_ourselves(watch))
            return;
        armed = ((seen + COVEI_BELL_COUNT) & ~COVEI_BELL_UNHEARD) | COVEI_BELL_ARMED;
    } while (!covei_cas_seqcst(word, &seen, armed)); /* PAIR bell */
    /* Counted, unlike the arming of a sleeper, who compares the word once more when he goes to sleep: a teller that is on his way must see
     * that this is a new arming. */
    seen = covei_load_relaxed(watch->event);
    while (!covei_cas_seqcst(watch->event, &seen, (seen + 2) | COVEI_EVENT_ARMED))
        ;
    if (covei_unlikely(!is_to_be_rung(watch))) { /* a thread of ours has ended it meanwhile, and had perhaps disarmed the word before */
        seen = armed;
        while ((seen & ~COVEI_BELL_UNHEARD) == armed && !covei_cas_seqcst(word, &seen, armed & ~COVEI_BELL_ARMED))
            ; /* but no arming that came after this one */
    }
}

void covei_watch_touch(covei_watch *watch) {
    covei_bell_touch(&watch->bell);
}

bool covei_watch_asks(covei_watch *watch) {
    uint64_t now = covei_clock_ns(), asked = covei_load_relaxed(&watch->asked_ns);
    return now - asked >= SLICE_NS && covei_cas_seqcst(&watch->asked_ns, &asked, now); /* one of the threads that look at once */
}

void covei_watch_close(covei_watch *watch) {
    covei_member *member = watch->member;
    char name[COVEI_BELL_NAME_BYTES];
    covei_dir dir;
    if (covei_load_acquire(&watch->state) == COVEI_WATCH_NONE) /* PAIR watch */
        return;
    enter();
    watch->function = NULL;
    delist(watch);
    wait_until_returned(watch);
    if (list.current == watch) /* it closes itself: what is opened at this address next is not running */
        list.current = NULL;
    for (covei_watch **at = &list.first_bell; *at; at = &(*at)->next_bell)
        if (*at == watch) {
            *at = watch->next_bell;
            break;
        }
    covei_store_relaxed(&watch->state, COVEI_WATCH_NONE);
    bool has_name = !member->is_read_only && covei_domain_dir(member->domain, &dir) == COVE_OK;
    if (has_name)
        covei_bell_name(member->id, covei_load_relaxed(&member->slot), covei_load_relaxed(&member->generation), name);
    covei_bell_close(has_name ? dir : no_dir, has_name ? name : NULL, &watch->bell, false);
    leave();
}

/* Mostly the hook of fork has done it already; a child that was made without does it here. */
void covei_watch_forget(covei_watch *watch) {
    if (covei_load_acquire(&watch->state) == COVEI_WATCH_NONE) /* PAIR watch */
        return;
    enter();
    leave();
}

/* Operations of blocks, and of what all objects have in common; and their survivor. */
#include "tests/kill/kill.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char value[3][VALUE_BYTES];
static volatile cove_result ignored;

void value_fill(char *data, int version) {
    for (int i = 0; i < VALUE_BYTES; i++)
        data[i] = (char)(version * 91 + i * 7 + 1);
}

int value_of(const char *data, uint64_t length) {
    char wanted[VALUE_BYTES];
    for (int version = 0; version < 3 && length == VALUE_BYTES; version++) {
        value_fill(wanted, version);
        if (!memcmp(data, wanted, VALUE_BYTES))
            return version;
    }
    return -1;
}

__attribute__((constructor)) static void make_values(void) {
    for (int version = 0; version < 3; version++)
        value_fill(value[version], version);
}

_Noreturn void kill_die(const char *what) {
    fprintf(stderr, "kill: %s: %s\n", what, cove_last_error()->sentence);
    _exit(99);
}

static cove_block *open_named(scene *s, cove_how how, cove_access access) {
    cove_block *block;
    cove_block_options options = {.capacity_bytes = access == COVE_READ_ONLY ? 0 : VALUE_BYTES,
                                  .flags = access == COVE_READ_ONLY ? 0 : s->flags,
                                  .how = how,
                                  .access = access,
                                  .lifetime = s->lifetime};
    return cove_block_open(&block, "b", &options) == COVE_OK ? block : NULL;
}

/* ---- What the child has before it is stepped. */

static void open_member(scene *s) {
    if (!(s->block = open_named(s, COVE_OPEN_OR_CREATE, COVE_READ_WRITE)))
        kill_die("open");
}
static void open_reader(scene *s) {
    if (!(s->block = open_named(s, COVE_OPEN, COVE_READ_ONLY)))
        kill_die("open");
}
static void open_owner(scene *s) {
    open_member(s);
    if (cove_block_own(s->block) != COVE_OK)
        kill_die("own");
}
static void open_and_lock_write(scene *s) {
    open_member(s);
    if (cove_block_lock_write(s->block, &s->view, cove_in_ms(2000)) < 0)
        kill_die("lock_write");
    memcpy(s->view.data, value[1], VALUE_BYTES);
    s->view.length_bytes = VALUE_BYTES;
}
static void open_and_lock_read(scene *s) {
    open_member(s);
    if (cove_block_lock_read(s->block, &s->view, cove_in_ms(2000)) < 0)
        kill_die("lock_read");
}
/* The handle is the parent's; the first use in the child attaches again. */
static void inherit(scene *s) {
    s->block = s->survivor;
}

/* ---- What the parent arranges: the dead. */

void after_death_of(scene *s, void (*act)(scene *s)) {
    pid_t pid = fork();
    if (!pid) {
        scene own = *s; /* the shared one is not for helpers to write */
        act(&own);
        kill(getpid(), SIGKILL);
    }
    int status;
    waitpid(pid, &status, 0);
    if (!WIFSIGNALED(status))
        kill_die("a helper");
}
/* The survivor holds it, and lets go before it does anything else. */
static cove_block_view held;
static void hold_for_writing(scene *s) {
    if (cove_block_lock_write(s->survivor, &held, COVE_TRY) < 0)
        kill_die("lock_write");
}
static void hold_for_reading(scene *s) {
    if (cove_block_lock_read(s->survivor, &held, COVE_TRY) < 0)
        kill_die("lock_read");
}
static void leave_dead_holder(scene *s) {
    after_death_of(s, open_and_lock_write);
}
static void leave_dead_reader(scene *s) {
    after_death_of(s, open_and_lock_read);
}
static void leave_dead_owner(scene *s) {
    after_death_of(s, open_owner);
}
static void leave_dead_member(scene *s) {
    after_death_of(s, open_member);
}
static void create_others(scene *s) {
    cove_block *block;
    (void)s;
    for (char name[] = "leftover0"; name[8] < '4'; name[8]++)
        ignored = cove_block_open(&block, name, &(cove_block_options){.capacity_bytes = 64});
}
static void leave_others(scene *s) {
    after_death_of(s, create_others);
}

/* The child itself sees somebody die, after it has opened: then there is something to take over or to recover in what follows. */
static void open_and_see_a_holder_die(scene *s) {
    open_member(s);
    after_death_of(s, open_and_lock_write);
}
static void open_and_see_a_reader_die(scene *s) {
    open_member(s);
    after_death_of(s, open_and_lock_read);
    if (!(s->flags & COVE_BLOCK_SINGLE)) /* its pin is on the copy that is current; with one more set, it is in the way of the next */
        s->result = cove_block_set(s->block, value[0], VALUE_BYTES, cove_in_ms(2000));
}

/* ---- What is stepped. */

static void create(scene *s) {
    cove_block *block;
    s->result = cove_block_open(
        &block, "b", &(cove_block_options){.capacity_bytes = VALUE_BYTES, .how = COVE_CREATE, .lifetime = s->lifetime, .flags = s->flags});
}
static void open_or_create(scene *s) {
    cove_block *block;
    s->result =
        cove_block_open(&block, "b", &(cove_block_options){.capacity_bytes = VALUE_BYTES, .lifetime = s->lifetime, .flags = s->flags});
}
static void open_existing(scene *s) {
    cove_block *block;
    s->result = cove_block_open(&block, "b", &(cove_block_options){.how = COVE_OPEN});
}
static void open_read_only(scene *s) {
    cove_block *block;
    s->result = cove_block_open(&block, "b", &(cove_block_options){.how = COVE_OPEN, .access = COVE_READ_ONLY});
}
static void close_it(scene *s) {
    cove_block_close(s->block);
    s->result = COVE_OK;
}
static void remove_by_name(scene *s) {
    s->result = cove_remove(NULL, "b", COVE_REMOVE_FORCE);
}
static void remove_it(scene *s) {
    s->result = cove_block_remove(s->block);
}
static void own(scene *s) {
    s->result = cove_block_own(s->block);
}
static void disown(scene *s) {
    s->result = cove_block_disown(s->block);
}
static void retire(scene *s) {
    s->result = cove_block_retire(s->block);
}
static void set(scene *s) {
    s->result = cove_block_set(s->block, value[1], VALUE_BYTES, s->deadline_ns);
}
static void get(scene *s) {
    char data[VALUE_BYTES];
    uint64_t length;
    s->result = cove_block_get(s->block, data, sizeof data, &length, NULL, s->deadline_ns);
}
/* Until soon: that it cannot be had is as good. */
static void forgive(scene *s) {
    if (s->result == COVE_ERR_TIMEOUT || s->result == COVE_ERR_UNREPAIRED)
        s->result = COVE_OK;
}
static void get_soon(scene *s) {
    char data[VALUE_BYTES];
    uint64_t length;
    s->result = cove_block_get(s->block, data, sizeof data, &length, NULL, s->soon_ns);
    forgive(s);
}
static void set_soon(scene *s) {
    s->result = cove_block_set(s->block, value[1], VALUE_BYTES, s->soon_ns);
    forgive(s);
}
static void lock_read_soon(scene *s) {
    s->result = cove_block_lock_read(s->block, &s->view, s->soon_ns);
    if (s->result >= 0)
        s->result = cove_block_unlock(s->block, &s->view);
    forgive(s);
}
static void lock_read_unlock(scene *s) {
    s->result = cove_block_lock_read(s->block, &s->view, s->deadline_ns);
    if (s->result >= 0)
        s->result = cove_block_unlock(s->block, &s->view);
}
static void lock_write_unlock(scene *s) {
    s->result = cove_block_lock_write(s->block, &s->view, s->deadline_ns);
    if (s->result >= 0) {
        memcpy(s->view.data, value[1], VALUE_BYTES);
        s->view.length_bytes = VALUE_BYTES;
        s->result = cove_block_unlock(s->block, &s->view);
    }
}
static void unlock(scene *s) {
    s->result = cove_block_unlock(s->block, &s->view);
}
static void abandon(scene *s) {
    s->result = cove_block_abandon(s->block, &s->view);
}
static void repair(scene *s) {
    s->result = cove_block_lock_write(s->block, &s->view, s->deadline_ns);
    if (s->result >= 0) {
        memcpy(s->view.data, value[1], VALUE_BYTES);
        s->view.length_bytes = VALUE_BYTES;
        s->result = cove_block_mark_repaired(s->block, &s->view);
    }
    if (s->result >= 0)
        s->result = cove_block_unlock(s->block, &s->view);
}
static void notify(scene *s) {
    s->result = cove_block_notify(s->block);
}
static void wait_registration(scene *s) {
    s->result = cove_block_wait(s->block, cove_block_version(s->block), s->soon_ns, NULL);
    s->result = s->result == COVE_ERR_TIMEOUT ? COVE_OK : s->result;
}
static void gc(scene *s) {
    s->result = cove_gc(NULL, 0, NULL, NULL, NULL);
}

#define SINGLE COVE_BLOCK_SINGLE
const operation block_operations[] = {
    {"create", 0, COVE_WHILE_USED, true, true, NULL, NULL, create, true, false, 0},
    {"create owned", 0, COVE_WHILE_OWNED, true, true, NULL, NULL, create, true, false, 0},
    {"create until removed", SINGLE, COVE_UNTIL_REMOVED, true, true, NULL, NULL, create, false, false, 0},
    {"create beside the dead (sweep)", 0, COVE_WHILE_USED, true, true, leave_others, NULL, create, false, false, 0},
    {"open", 0, COVE_WHILE_USED, false, false, NULL, NULL, open_existing, true, false, 0},
    {"open read-only", 0, COVE_WHILE_USED, false, false, NULL, NULL, open_read_only, true, false, 0},
    {"open owned", 0, COVE_WHILE_OWNED, false, false, NULL, NULL, open_existing, true, false, 0},
    {"open beside a dead member (recovery)", 0, COVE_WHILE_USED, false, false, leave_dead_member, NULL, open_existing, true, false, 0},
    {"open beside a dead holder (recovery)", SINGLE, COVE_WHILE_USED, false, false, leave_dead_holder, NULL, open_existing, true, false, 0},
    {"open beside a dead reader (recovery)", SINGLE, COVE_WHILE_USED, false, false, leave_dead_reader, NULL, open_existing, true, false, 0},
    {"open-or-create over the dead (bury)", 0, COVE_WHILE_USED, true, true, leave_dead_member, NULL, open_or_create, false, false, 0},
    {"open-or-create over a dead owner", 0, COVE_WHILE_OWNED, true, true, leave_dead_member, NULL, open_or_create, false, false, 0},
    {"adopt a dead owner's", 0, COVE_WHILE_OWNED, false, true, leave_dead_owner, NULL, open_existing, false, false, 0},
    {"close, not last", 0, COVE_WHILE_USED, false, false, NULL, open_member, close_it, true, false, 0},
    {"close, last", 0, COVE_WHILE_USED, true, true, NULL, open_member, close_it, true, false, 0},
    {"close read-only", 0, COVE_WHILE_USED, false, false, NULL, open_reader, close_it, true, false, 0},
    {"close as owner", 0, COVE_WHILE_OWNED, false, true, NULL, open_owner, close_it, true, false, 0},
    {"close with a write lock", SINGLE, COVE_WHILE_USED, false, false, NULL, open_and_lock_write, close_it, true, false, 0},
    {"remove by name", 0, COVE_WHILE_USED, false, true, NULL, NULL, remove_by_name, true, false, 0},
    {"remove", 0, COVE_WHILE_USED, false, true, NULL, open_member, remove_it, true, false, 0},
    {"own", 0, COVE_WHILE_OWNED, false, true, NULL, open_member, own, true, false, 0},
    {"disown", 0, COVE_WHILE_OWNED, false, true, NULL, open_owner, disown, true, false, 0},
    {"retire", 0, COVE_WHILE_OWNED, false, true, NULL, open_owner, retire, true, false, 0},
    {"set", 0, COVE_WHILE_USED, false, false, NULL, open_member, set, true, true, 0},
    {"set, single copy", SINGLE, COVE_WHILE_USED, false, false, NULL, open_member, set, true, true, 0},
    {"set past a dead reader (recovery)", 0, COVE_WHILE_USED, false, false, NULL, open_and_see_a_reader_die, set, true, false, 0},
    {"set past a dead reader, single copy", SINGLE, COVE_WHILE_USED, false, false, NULL, open_and_see_a_reader_die, set, true, false, 0},
    {"set after a dead writer (takeover)", 0, COVE_WHILE_USED, false, false, NULL, open_and_see_a_holder_die, set, true, true, 0},
    {"set after a dead writer, single copy", SINGLE, COVE_WHILE_USED, false, false, NULL, open_and_see_a_holder_die, set, true, true, 0},
    {"lock_read after a dead writer", SINGLE, COVE_WHILE_USED, false, false, NULL, open_and_see_a_holder_die, lock_read_unlock, true, false,
     0},
    {"get", 0, COVE_WHILE_USED, false, false, NULL, open_member, get, true, false, 0},
    {"get, single copy", SINGLE, COVE_WHILE_USED, false, false, NULL, open_member, get, true, false, 0},
    {"get under a writer", 0, COVE_WHILE_USED, false, false, hold_for_writing, open_member, get_soon, false, false, SURVIVOR_HOLDS},
    {"get under a writer, single copy", SINGLE, COVE_WHILE_USED, false, false, hold_for_writing, open_member, get_soon, false, false,
     SURVIVOR_HOLDS},
    {"get after a dead writer, single copy", SINGLE, COVE_WHILE_USED, false, false, NULL, open_and_see_a_holder_die, get_soon, true, false,
     0},
    {"lock_read under a writer, single copy", SINGLE, COVE_WHILE_USED, false, false, hold_for_writing, open_member, lock_read_soon, false,
     false, SURVIVOR_HOLDS},
    {"set under a writer", 0, COVE_WHILE_USED, false, false, hold_for_writing, open_member, set_soon, false, false, SURVIVOR_HOLDS},
    {"set under a reader, single copy", SINGLE, COVE_WHILE_USED, false, false, hold_for_reading, open_member, set_soon, false, false,
     SURVIVOR_HOLDS},
    {"get, read-only", 0, COVE_WHILE_USED, false, false, NULL, open_reader, get, true, false, 0},
    {"lock_read, unlock", 0, COVE_WHILE_USED, false, false, NULL, open_member, lock_read_unlock, true, false, 0},
    {"lock_read, unlock, single copy", SINGLE, COVE_WHILE_USED, false, false, NULL, open_member, lock_read_unlock, true, true, 0},
    {"lock_write, unlock", 0, COVE_WHILE_USED, false, false, NULL, open_member, lock_write_unlock, true, true, 0},
    {"lock_write, unlock, single copy", SINGLE, COVE_WHILE_USED, false, false, NULL, open_member, lock_write_unlock, true, true, 0},
    {"unlock after lock_write", 0, COVE_WHILE_USED, false, false, NULL, open_and_lock_write, unlock, true, true, 0},
    {"abandon", 0, COVE_WHILE_USED, false, false, NULL, open_and_lock_write, abandon, true, true, 0},
    {"repair", SINGLE, COVE_WHILE_USED, false, false, NULL, open_and_see_a_holder_die, repair, true, true, 0},
    {"notify", 0, COVE_WHILE_USED, false, false, NULL, open_member, notify, true, false, 0},
    {"wait registration", 0, COVE_WHILE_USED, false, false, NULL, open_member, wait_registration, false, false, 0},
    {"gc", 0, COVE_WHILE_USED, false, false, leave_others, NULL, gc, true, false, 0},
    {"attach again after fork", 0, COVE_WHILE_USED, false, false, NULL, inherit, set, true, false, 0},
    {NULL, 0, 0, false, false, NULL, NULL, NULL, false, false, 0},
};

/* ---- The survivor. */

/* Bells and births of the dead: names that begin with a dot. */
static int count_hidden(void) {
    int count = 0;
    DIR *dir = opendir(kill_domain);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        count += entry->d_name[0] == '.' && strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
    if (dir)
        closedir(dir);
    return count;
}

wrong fail_why(wrong w, const char **out_why, const char *why) {
    static char text[768];
    snprintf(text, sizeof text, "%s (%s)", why, cove_last_error()->sentence);
    *out_why = text;
    return w;
}

/* `may_be_empty`: nobody has set a value that must be there. */
static wrong check_value(cove_block *block, const operation *o, bool may_be_empty, const char **out_why) {
    char data[VALUE_BYTES];
    uint64_t length;
    cove_block_view view;
    bool single = o->flags & SINGLE;
    cove_result result = cove_block_get(block, data, sizeof data, &length, NULL, cove_in_ms(1000));
    if (result == COVE_OK && length && value_of(data, length) < 0)
        return fail_why(TORN, out_why, "get gives half a value");
    if (result == COVE_OK && !length && !may_be_empty)
        return fail_why(LOST, out_why, "the value that was there has gone");
    if (result != COVE_OK && !(single && result == COVE_ERR_UNREPAIRED))
        return fail_why(HUNG, out_why, "get fails");
    result = cove_block_lock_read(block, &view, cove_in_ms(1000));
    if (result != COVE_OK && !(single && result == COVE_OWNER_DIED))
        return fail_why(HUNG, out_why, "lock_read fails");
    if (result == COVE_OK && view.length_bytes && value_of(view.data, view.length_bytes) < 0)
        return fail_why(TORN, out_why, "lock_read shows half a value");
    if (cove_block_unlock(block, &view) != COVE_OK)
        return fail_why(HUNG, out_why, "unlock fails");
    result = cove_block_lock_write(block, &view, cove_in_ms(1000));
    if (result != COVE_OK && !(single && result == COVE_OWNER_DIED))
        return fail_why(HUNG, out_why, "lock_write fails");
    if (result == COVE_OK && view.length_bytes && value_of(view.data, view.length_bytes) < 0)
        return fail_why(TORN, out_why, "lock_write shows half a value");
    if ((single ? cove_block_unlock(block, &view) : cove_block_abandon(block, &view)) != COVE_OK)
        return fail_why(HUNG, out_why, "unlock of the write lock fails");
    if (result == COVE_OWNER_DIED && cove_block_get(block, data, sizeof data, &length, NULL, cove_in_ms(1000)) != COVE_ERR_UNREPAIRED)
        return fail_why(TORN, out_why, "the mark has gone without a repair");
    for (int i = 0; i < 3; i++) {
        uint64_t version = cove_block_version(block);
        if (cove_block_set(block, value[2], VALUE_BYTES, cove_in_ms(1000)) != COVE_OK)
            return fail_why(HUNG, out_why, "set fails");
        if (cove_block_wait(block, version, cove_in_ms(1000), NULL) != COVE_OK)
            return fail_why(HUNG, out_why, "wait fails");
        if (cove_block_get(block, data, sizeof data, &length, NULL, cove_in_ms(1000)) != COVE_OK || value_of(data, length) != 2)
            return fail_why(LOST, out_why, "what was set is not there");
    }
    return FINE;
}

bool is_told(const scene *s) {
    static unsigned quiet;
    struct pollfd waited = {.fd = s->fd, .events = POLLIN};
    if (poll(&waited, 1, s->finished ? 500 : 0) == 1)
        return true;
    return !s->finished && (quiet++ % 16 || poll(&waited, 1, 1500) == 1);
}

static bool note_any(void *context, const cove_object_info *info) {
    (void)info;
    ++*(int *)context;
    return true;
}

bool clean_up(const operation *o) {
    int left = 0;
    if (o->lifetime == COVE_UNTIL_REMOVED)
        ignored = cove_remove(NULL, "b", 0);
    ignored = cove_gc(NULL, 0, NULL, NULL, NULL);
    if (cove_inspect_list(NULL, note_any, &left) == COVE_OK && !left && count_hidden() == 0)
        return false;
    for (char name[] = "leftover0"; name[8] < '4'; name[8]++)
        ignored = cove_remove(NULL, name, COVE_REMOVE_FORCE);
    ignored = cove_remove(NULL, "b", COVE_REMOVE_FORCE);
    return true;
}

static wrong survive(const operation *o, scene *s, const char **out_why) {
    wrong w = FINE;
    cove_block *newcomer = NULL;
    cove_opened opened = {false, false};
    *out_why = "";
    if (held.data)
        ignored = cove_block_unlock(s->survivor, &held);
    held.data = NULL;
    /* Who was there goes on. */
    if (s->survivor && !(o->lifetime == COVE_WHILE_OWNED && o->removes) && !o->removes && cove_block_is_removed(s->survivor))
        w = fail_why(LOST, out_why, "the object lost its name while somebody used it");
    if (w == FINE && s->survivor)
        w = check_value(s->survivor, o, false, out_why);
    /* Who comes now gets an object, and the same one while the name was not to go. */
    if (w == FINE) {
        cove_result result = cove_block_open(
            &newcomer, "b",
            &(cove_block_options){.capacity_bytes = VALUE_BYTES, .lifetime = o->lifetime, .flags = o->flags, .opened = &opened});
        if (result != COVE_OK)
            w = fail_why(HUNG, out_why, "open fails");
        else if (opened.created && s->survivor && !o->removes)
            w = fail_why(LOST, out_why, "the name led nowhere while somebody used the object");
        else
            w = check_value(newcomer, o, opened.created || o->alone, out_why);
    }
    if (w == FINE && cove_block_own(newcomer) != COVE_OK && o->lifetime == COVE_WHILE_OWNED)
        w = fail_why(HUNG, out_why, "own fails");
    if (s->survivor)
        cove_block_close(s->survivor);
    cove_block_close(newcomer);
    s->survivor = NULL;
    /* And nothing stays. */
    if (clean_up(o) && w == FINE)
        w = fail_why(LEAKED, out_why, "something is left");
    return w;
}

static void arrange(scene *s, const operation *o) {
    cove_block_options options = {.capacity_bytes = VALUE_BYTES, .flags = o->flags, .lifetime = o->lifetime};
    if (!o->alone && (cove_block_open(&s->survivor, "b", &options) != COVE_OK ||
                      cove_block_set(s->survivor, value[0], VALUE_BYTES, cove_in_ms(1000)) != COVE_OK))
        kill_die(o->name);
}

static wrong look(const operation *o, scene *s, const char **out_why) {
    char data[VALUE_BYTES];
    uint64_t length;
    cove_block_view view;
    if (!s->survivor)
        return FINE;
    cove_result result = cove_block_get(s->survivor, data, sizeof data, &length, NULL, COVE_TRY);
    if (result == COVE_OK && value_of(data, length) < 0)
        return fail_why(TORN, out_why, "get gives half a value under a stopped process");
    if (result != COVE_OK && !(o->flags & SINGLE))
        return fail_why(HUNG, out_why, "get waits for a stopped process");
    /* Who only comes holds nothing, and whom it found dead is in nobody's way. */
    for (int i = 0; i < 2 && !o->open; i++)
        if (cove_block_set(s->survivor, value[0], VALUE_BYTES, cove_in_ms(1000)) != COVE_OK && !cove_block_is_removed(s->survivor))
            return fail_why(HUNG, out_why, "set waits for a stopped process that holds nothing");
    result = cove_block_lock_write(s->survivor, &view, COVE_TRY);
    if (result >= 0)
        ignored = o->flags & SINGLE ? cove_block_unlock(s->survivor, &view) : cove_block_abandon(s->survivor, &view);
    return FINE;
}

static int wait_for_the_lock(scene *s) {
    return cove_block_set(s->survivor, value[2], VALUE_BYTES, cove_in_ms(2000)) == COVE_OK ? 0 : 1;
}

static cove_block *heirs;
static void open_as_heir(scene *s) {
    if (!(heirs = open_named(s, COVE_OPEN_OR_CREATE, COVE_READ_WRITE)))
        kill_die("open");
}
static void set_as_heir(scene *s) {
    s->result = cove_block_set(heirs, value[2], VALUE_BYTES, s->deadline_ns);
}
static void come_as_heir(scene *s) {
    s->result = (heirs = open_named(s, COVE_OPEN_OR_CREATE, COVE_READ_WRITE)) ? COVE_OK : cove_last_error()->result;
}

const subject blocks = {arrange, survive, look, wait_for_the_lock, {open_as_heir, set_as_heir}, {NULL, come_as_heir}};

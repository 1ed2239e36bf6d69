/* Operations of blocks, and of what all objects have in common; and their survivor. */
#include "tests/kill/kill.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
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

void after_deaths_of(scene *s, unsigned count, void (*act)(scene *s)) {
    pid_t pids[8];
    for (unsigned i = 0; i < count; i++) {
        int status;
        if ((pids[i] = fork()) < 0)
            kill_die("fork");
        if (!pids[i]) {
            scene own = *s; /* only what has happened is for helpers to write: what they have in hand is their own */
            act(&own);
            memcpy(s->had, own.had, sizeof s->had);
            raise(SIGSTOP);
            _exit(1);
        }
        if (waitpid(pids[i], &status, WUNTRACED) != pids[i] || !WIFSTOPPED(status))
            kill_die("a helper");
    }
    for (unsigned i = 0; i < count; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
}
void after_death_of(scene *s, void (*act)(scene *s)) {
    after_deaths_of(s, 1, act);
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

/* Two handles in one process: what a second member would do, the child does by the other one. */
static cove_block *open_another(scene *s) {
    cove_block *block = open_named(s, COVE_OPEN, COVE_READ_WRITE);
    if (!block)
        kill_die("open");
    return block;
}
static cove_block *another;
static void another_sets(scene *s) {
    (void)s;
    for (int i = 0; i < 2; i++)
        if (cove_block_set(another, value[0], VALUE_BYTES, COVE_TRY) != COVE_OK)
            kill_die("set");
}
static void be_in_company(scene *s) {
    open_member(s);
    another = open_another(s);
    s->out = touchy_memory(s, another_sets);
}
/* Waits for the lock in a thread, until the turn is its, and dies so. */
static void *set_for_ever(void *s) {
    ignored = cove_block_set(((scene *)s)->block, value[2], VALUE_BYTES, cove_in_ms(5000));
    return NULL;
}
static void wait_until_it_has_the_turn(scene *s) {
    pthread_t thread;
    open_member(s);
    if (pthread_create(&thread, NULL, set_for_ever, s) != 0)
        kill_die("pthread_create");
    usleep(12000); /* it asks after a slice */
}
static void open_and_see_whose_turn_it_is_die(scene *s) {
    cove_block_view view;
    open_member(s);
    cove_block *holder = open_another(s);
    if (cove_block_lock_write(holder, &view, COVE_TRY) < 0)
        kill_die("lock_write");
    after_death_of(s, wait_until_it_has_the_turn);
    if ((s->flags & COVE_BLOCK_SINGLE ? cove_block_unlock : cove_block_abandon)(holder, &view) != COVE_OK)
        kill_die("unlock");
}

/* ---- What is stepped. */

static void create_how(scene *s, cove_how how) {
    cove_block *block;
    s->result = cove_block_open(
        &block, "b", &(cove_block_options){.capacity_bytes = VALUE_BYTES, .how = how, .lifetime = s->lifetime, .flags = s->flags});
}
static void create(scene *s) {
    create_how(s, COVE_CREATE);
}
static void open_or_create(scene *s) {
    create_how(s, COVE_OPEN_OR_CREATE);
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
    cove_block_info info;
    s->result = cove_block_own(s->block);
    if (s->result == COVE_OK && (cove_block_get_info(s->block, &info) != COVE_OK || !info.is_owner))
        s->result = COVE_ERR_NOT_OWNER;
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
    s->result = cove_block_get(s->block, s->read, sizeof s->read, &s->read_bytes, NULL, s->deadline_ns);
}
/* Until soon: that it cannot be had is as good. */
static void forgive(scene *s) {
    if (s->result == COVE_ERR_TIMEOUT || s->result == COVE_ERR_UNREPAIRED)
        s->result = COVE_OK;
}
static void get_slowly(scene *s) {
    s->result = cove_block_get(s->block, s->out, VALUE_BYTES, &s->read_bytes, NULL, s->deadline_ns);
    if (s->result >= 0)
        memcpy(s->read, s->out, VALUE_BYTES);
}
static void get_soon(scene *s) {
    s->result = cove_block_get(s->block, s->read, sizeof s->read, &s->read_bytes, NULL, s->soon_ns);
    forgive(s);
}
static void set_soon(scene *s) {
    s->result = cove_block_set(s->block, value[1], VALUE_BYTES, s->soon_ns);
    forgive(s);
}
static void read_under_the_lock(scene *s, cove_time_ns deadline_ns) {
    s->result = cove_block_lock_read(s->block, &s->view, deadline_ns);
    if (s->result < 0)
        return;
    if (s->result == COVE_OK && s->view.length_bytes) { /* of what a dead one has left half, nothing is claimed */
        memcpy(s->read, s->view.data, VALUE_BYTES);
        s->read_bytes = s->view.length_bytes;
    }
    s->result = cove_block_unlock(s->block, &s->view);
}
/* Long enough to ask for the turn. */
static void set_later(scene *s) {
    s->result = cove_block_set(s->block, value[1], VALUE_BYTES, s->later_ns);
    forgive(s);
}
static void lock_read_soon(scene *s) {
    read_under_the_lock(s, s->soon_ns);
    forgive(s);
}
static void lock_read_unlock(scene *s) {
    read_under_the_lock(s, s->deadline_ns);
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
static void ask_for_fd(scene *s) {
    int fd;
    s->result = cove_block_fd(s->block, &fd);
}
static void interrupt(scene *s) {
    cove_block_interrupt(s->block);
    s->result = COVE_OK;
}
static void gc(scene *s) {
    s->result = cove_gc(NULL, 0, NULL, NULL, NULL);
}

/* ---- Whether it is done. */

static bool has_name(void) {
    char path[128];
    snprintf(path, sizeof path, "%s/b", kill_domain);
    return access(path, F_OK) == 0;
}
static bool is_nameless(scene *s) {
    (void)s;
    return !has_name();
}
/* What the dead have left; names with a dot are their births and bells. */
static int count_leftovers(void) {
    int count = 0;
    DIR *dir = opendir(kill_domain);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        count += !strncmp(entry->d_name, "leftover", 8) ||
                 (entry->d_name[0] == '.' && strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0);
    if (dir)
        closedir(dir);
    return count;
}
static bool has_collected(scene *s) {
    (void)s;
    return count_leftovers() == 0;
}
static bool has_left_a_name(scene *s) {
    (void)s;
    return has_name();
}
static bool survivor_has(scene *s, int wanted) {
    char data[VALUE_BYTES];
    uint64_t length;
    return cove_block_get(s->survivor, data, sizeof data, &length, NULL, COVE_TRY) == COVE_OK && value_of(data, length) == wanted;
}
static bool is_set(scene *s) {
    return survivor_has(s, 1);
}
static bool is_as_before(scene *s) {
    return survivor_has(s, 0);
}
static bool has_no_owner(scene *s) {
    cove_object_info info;
    (void)s;
    return cove_inspect_object(NULL, "b", &info) == COVE_OK && !info.has_owner && has_name();
}

#define SINGLE COVE_BLOCK_SINGLE
const operation block_operations[] = {
    {"create", .alone = true, .removes = true, .run = create, .is_later = true, .is_done = has_left_a_name},
    {"create owned", .lifetime = COVE_WHILE_OWNED, .alone = true, .removes = true, .run = create, .is_later = true,
     .is_done = has_left_a_name},
    {"create until removed", .flags = SINGLE, .lifetime = COVE_UNTIL_REMOVED, .alone = true, .removes = true, .run = create,
     .is_later = true, .is_done = has_left_a_name},
    {"create beside the dead (sweep)", .alone = true, .removes = true, .prepare = leave_others, .run = create, .is_later = true,
     .is_done = has_left_a_name},
    {"open", .run = open_existing},
    {"open read-only", .run = open_read_only},
    {"open owned", .lifetime = COVE_WHILE_OWNED, .run = open_existing},
    {"open beside a dead member (recovery)", .prepare = leave_dead_member, .run = open_existing},
    {"open beside a dead holder (recovery)", .flags = SINGLE, .prepare = leave_dead_holder, .run = open_existing, .may_be_dirty = true},
    {"open beside a dead reader (recovery)", .flags = SINGLE, .prepare = leave_dead_reader, .run = open_existing},
    {"open-or-create over the dead (bury)", .alone = true, .removes = true, .prepare = leave_dead_member, .run = open_or_create,
     .is_later = true, .is_done = has_left_a_name},
    {"open-or-create over a dead owner", .lifetime = COVE_WHILE_OWNED, .alone = true, .removes = true, .prepare = leave_dead_member,
     .run = open_or_create, .is_later = true, .is_done = has_left_a_name},
    {"adopt a dead owner's", .lifetime = COVE_WHILE_OWNED, .removes = true, .prepare = leave_dead_owner, .run = open_existing},
    {"close, not last", .open = open_member, .run = close_it},
    {"close, last", .alone = true, .removes = true, .open = open_member, .run = close_it, .is_done = is_nameless},
    {"close read-only", .open = open_reader, .run = close_it},
    {"close as owner", .lifetime = COVE_WHILE_OWNED, .removes = true, .open = open_owner, .run = close_it, .is_done = is_nameless},
    {"close with a write lock", .flags = SINGLE, .open = open_and_lock_write, .run = close_it, .may_be_dirty = true},
    {"remove by name", .removes = true, .run = remove_by_name, .is_done = is_nameless},
    {"remove", .removes = true, .open = open_member, .run = remove_it, .is_done = is_nameless},
    {"own", .lifetime = COVE_WHILE_OWNED, .removes = true, .open = open_member, .run = own},
    {"disown", .lifetime = COVE_WHILE_OWNED, .removes = true, .open = open_owner, .run = disown, .is_done = has_no_owner},
    {"retire", .lifetime = COVE_WHILE_OWNED, .removes = true, .open = open_owner, .run = retire, .is_done = is_nameless},
    {"set", .open = open_member, .run = set, .is_done = is_set},
    {"set, single copy", .flags = SINGLE, .open = open_member, .run = set, .is_done = is_set, .may_be_dirty = true},
    {"set past a dead reader (recovery)", .open = open_and_see_a_reader_die, .run = set, .is_done = is_set},
    {"set past a dead reader, single copy", .flags = SINGLE, .open = open_and_see_a_reader_die, .run = set, .is_done = is_set,
     .may_be_dirty = true},
    {"set after a dead writer (takeover)", .open = open_and_see_a_holder_die, .run = set, .is_done = is_set},
    {"set after a dead writer, single copy", .flags = SINGLE, .open = open_and_see_a_holder_die, .run = set, .is_done = is_set,
     .may_be_dirty = true},
    {"lock_read after a dead writer", .flags = SINGLE, .open = open_and_see_a_holder_die, .run = lock_read_unlock, .may_be_dirty = true},
    {"get", .open = open_member, .run = get},
    {"get, single copy", .flags = SINGLE, .open = open_member, .run = get},
    {"get while another sets", .open = be_in_company, .run = get_slowly},
    {"get while another sets, single copy", .flags = SINGLE, .open = be_in_company, .run = get_slowly},
    {"get under a writer", .prepare = hold_for_writing, .open = open_member, .run = get_soon, .more = SURVIVOR_HOLDS},
    {"get under a writer, single copy", .flags = SINGLE, .prepare = hold_for_writing, .open = open_member, .run = get_soon,
     .more = SURVIVOR_HOLDS},
    {"get after a dead writer, single copy", .flags = SINGLE, .open = open_and_see_a_holder_die, .run = get_soon, .may_be_dirty = true},
    {"lock_read under a writer, single copy", .flags = SINGLE, .prepare = hold_for_writing, .open = open_member, .run = lock_read_soon,
     .more = SURVIVOR_HOLDS},
    {"set under a writer", .prepare = hold_for_writing, .open = open_member, .run = set_soon, .more = SURVIVOR_HOLDS},
    {"set under a reader, single copy", .flags = SINGLE, .prepare = hold_for_reading, .open = open_member, .run = set_soon,
     .more = SURVIVOR_HOLDS},
    {"set, asking for the turn", .prepare = hold_for_writing, .open = open_member, .run = set_later, .varies = true,
     .more = SURVIVOR_HOLDS},
    {"set, asking for the turn, single copy", .flags = SINGLE, .prepare = hold_for_reading, .open = open_member, .run = set_later,
     .varies = true, .more = SURVIVOR_HOLDS},
    {"set when its turn was a dead one's", .open = open_and_see_whose_turn_it_is_die, .run = set, .varies = true, .is_done = is_set},
    {"get, read-only", .open = open_reader, .run = get},
    {"lock_read, unlock", .open = open_member, .run = lock_read_unlock},
    {"lock_read, unlock, single copy", .flags = SINGLE, .open = open_member, .run = lock_read_unlock},
    {"lock_write, unlock", .open = open_member, .run = lock_write_unlock, .is_done = is_set},
    {"lock_write, unlock, single copy", .flags = SINGLE, .open = open_member, .run = lock_write_unlock, .is_done = is_set,
     .may_be_dirty = true},
    {"unlock after lock_write", .open = open_and_lock_write, .run = unlock, .is_done = is_set},
    {"abandon", .open = open_and_lock_write, .run = abandon, .is_done = is_as_before},
    {"repair", .flags = SINGLE, .open = open_and_see_a_holder_die, .run = repair, .is_done = is_set, .may_be_dirty = true},
    {"notify", .open = open_member, .run = notify},
    {"wait registration", .open = open_member, .run = wait_registration},
    {"ask for a descriptor", .open = open_member, .run = ask_for_fd},
    {"interrupt", .open = open_member, .run = interrupt},
    {"gc", .prepare = leave_others, .run = gc, .is_done = has_collected},
    {"attach again after fork", .open = inherit, .run = set, .is_done = is_set},
    {0},
};

/* ---- The survivor. */

wrong fail_why(wrong w, const char **out_why, const char *why) {
    static char text[768];
    snprintf(text, sizeof text, "%s (%s)", why, cove_last_error()->sentence);
    *out_why = text;
    return w;
}

/* `may_be_empty`: nobody has set a value that must be there. `is_disturbed`: an heir may have died in the midst of a set. */
static wrong check_value(cove_block *block, const operation *o, bool may_be_empty, bool is_disturbed, const char **out_why) {
    char data[VALUE_BYTES];
    uint64_t length;
    cove_block_view view;
    bool single = o->flags & SINGLE, may_be_dirty = o->may_be_dirty || (single && is_disturbed);
    cove_result result = cove_block_get(block, data, sizeof data, &length, NULL, cove_in_ms(1000));
    if (result == COVE_OK && length && value_of(data, length) < 0)
        return fail_why(TORN, out_why, "get gives half a value");
    if (result == COVE_OK && !length && !may_be_empty)
        return fail_why(LOST, out_why, "the value that was there has gone");
    if (result != COVE_OK && !(may_be_dirty && result == COVE_ERR_UNREPAIRED))
        return fail_why(HUNG, out_why, "get fails");
    result = cove_block_lock_read(block, &view, cove_in_ms(1000));
    if (result != COVE_OK && !(may_be_dirty && result == COVE_OWNER_DIED))
        return fail_why(HUNG, out_why, "lock_read fails");
    if (result == COVE_OK && view.length_bytes && value_of(view.data, view.length_bytes) < 0)
        return fail_why(TORN, out_why, "lock_read shows half a value");
    if (cove_block_unlock(block, &view) != COVE_OK)
        return fail_why(HUNG, out_why, "unlock fails");
    result = cove_block_lock_write(block, &view, cove_in_ms(1000));
    if (result != COVE_OK && !(may_be_dirty && result == COVE_OWNER_DIED))
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
    if (cove_inspect_list(NULL, note_any, &left) == COVE_OK && !left && count_leftovers() == 0)
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
        w = check_value(s->survivor, o, false, s->has_heir, out_why);
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
            w = check_value(newcomer, o, opened.created || o->alone, s->has_heir, out_why);
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

/* Somebody comes while the process is stopped at what only one may do at a time: he gets an object, or is told that it is busy. */
static wrong look_as_newcomer(scene *s, const char **out_why) {
    cove_block *newcomer = open_named(s, COVE_OPEN_OR_CREATE, COVE_READ_WRITE);
    if (!newcomer && cove_last_error()->result != COVE_ERR_BUSY)
        return fail_why(HUNG, out_why, "open fails beside a stopped process");
    if (newcomer && cove_block_set(newcomer, value[2], VALUE_BYTES, cove_in_ms(1000)) != COVE_OK)
        return fail_why(HUNG, out_why, "set waits for a stopped process that holds nothing");
    ignored = cove_gc(NULL, 0, NULL, NULL, NULL);
    wrong w = newcomer && cove_block_is_removed(newcomer) ? fail_why(LOST, out_why, "an object that is in use was collected") : FINE;
    cove_block_close(newcomer);
    return w;
}

static wrong look(const operation *o, scene *s, const char **out_why) {
    char data[VALUE_BYTES];
    uint64_t length;
    cove_block_view view;
    s->looked = 1;
    if (!s->survivor)
        return s->is_new ? look_as_newcomer(s, out_why) : FINE;
    cove_result result = cove_block_get(s->survivor, data, sizeof data, &length, NULL, COVE_TRY);
    if (result == COVE_OK && value_of(data, length) < 0)
        return fail_why(TORN, out_why, "get gives half a value under a stopped process");
    if (result != COVE_OK && !(o->flags & SINGLE))
        return fail_why(HUNG, out_why, "get waits for a stopped process");
    /* Who only comes holds nothing, and whom it found dead is in nobody's way. */
    for (int i = 0; i < 2 && !o->open; i++)
        if (cove_block_set(s->survivor, value[0], VALUE_BYTES, cove_in_ms(1000)) != COVE_OK && !cove_block_is_removed(s->survivor))
            return fail_why(HUNG, out_why, "set waits for a stopped process that holds nothing");
    /* Over what it may be reading. */
    for (int i = 0; i < 3; i++)
        ignored = cove_block_set(s->survivor, value[2], VALUE_BYTES, COVE_TRY);
    result = cove_block_lock_write(s->survivor, &view, COVE_TRY);
    if (result >= 0)
        ignored = o->flags & SINGLE ? cove_block_unlock(s->survivor, &view) : cove_block_abandon(s->survivor, &view);
    return FINE;
}

/* Waits for the lock, to write or to read, or for another value. */
static int wait_beside(const operation *o, scene *s, unsigned kind) {
    cove_block_view view;
    cove_time_ns start = cove_now();
    cove_result result;
    uint64_t version = cove_block_version(s->survivor);
    s->waits = true;
    if (kind % 3 == 0)
        result = cove_block_set(s->survivor, value[2], VALUE_BYTES, cove_in_ms(2000));
    else if (kind % 3 == 1)
        result = cove_block_lock_read(s->survivor, &view, cove_in_ms(2000));
    else
        result = cove_block_wait(s->survivor, version, cove_in_ms(2000), NULL);
    if (result < 0)
        return o->removes && result == COVE_ERR_FORKED ? 0 : 1;
    return cove_now() - start > IN_TIME_NS ? 2 : 0;
}
static void feed(scene *s) {
    ignored = cove_block_set(s->survivor, value[2], VALUE_BYTES, cove_in_ms(1000));
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

const subject blocks = {arrange, survive, look, wait_beside, feed, {open_as_heir, set_as_heir}, {NULL, come_as_heir}};

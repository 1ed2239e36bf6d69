/* How a name goes.
 *
 * A name is removed only under the *name byte* of the inode that it leads to, so that no newer object can be hit: whoever
 * holds the byte looks whether the name still leads here, and nobody else can move it meanwhile. A descriptor of a new object
 * can only be published where no name is. */
#include "segment/internal.h"

#include "base/name.h"

#include <string.h>

bool covei_back_off(uint32_t *tries, cove_time_ns start_ns) {
    if (*tries > COVEI_BUSY_TRIES && covei_clock_ns() - start_ns > COVEI_BUSY_LIMIT_NS)
        return false;
    uint32_t n = ++*tries;
    if (n > 3)
        covei_pause((n < 20 ? n : 20) * UINT64_C(20000));
    else
        covei_pause(1000);
    return true;
}

cove_result covei_leads(covei_domain *domain, const char *name, covei_file file, covei_identity identity) {
    covei_file_facts facts, found;
    covei_dir dir;
    cove_result result = covei_file_look(file, &facts);
    if (result == COVE_OK && !facts.has_name)
        return COVEI_AGAIN;
    if (result == COVE_OK)
        result = covei_domain_dir(domain, &dir);
    if (result != COVE_OK) /* also where the domain is not found: it may only have been renamed */
        return result;
    result = covei_file_find(dir, name, &found);
    if (result == COVE_ERR_NOT_FOUND || (result == COVE_OK && !covei_identity_equal(found.identity, identity)))
        return COVEI_AGAIN;
    return result;
}

/* Some file systems give inode numbers twice; so before a name is removed the ids are compared too. */
static bool has_id(covei_dir dir, const char *name, const uint8_t id[16]) {
    covei_facts_shm facts;
    covei_file file;
    size_t got;
    if (covei_file_open(dir, name, COVE_READ_ONLY, &file) != COVE_OK)
        return true; /* may not be read, or has gone just now: then the numbers decide, and unlinking */
    bool same = covei_file_read(file, 0, &facts, sizeof facts, &got) != COVE_OK || got < sizeof facts || !memcmp(facts.id, id, 16);
    covei_file_close(file);
    return same;
}

/* CRASH: killed inside: the byte is free again; the name is there or gone. */
cove_result covei_unname(const covei_corpse *corpse, bool *out_removed) {
    covei_dir dir;
    if (out_removed)
        *out_removed = false;
    cove_result result = covei_lock_try(corpse->file, COVEI_BYTE_NAME, COVEI_LOCK_EXCLUSIVE);
    if (result == COVE_ERR_BUSY)
        return COVEI_AGAIN;
    if (result != COVE_OK)
        return result;
    result = covei_leads(corpse->domain, corpse->name, corpse->file, corpse->identity);
    if (result == COVE_OK)
        result = covei_domain_dir(corpse->domain, &dir);
    if (result == COVEI_AGAIN) {
        result = COVE_OK; /* nothing of ours is left there */
    } else if (result == COVE_OK && (!corpse->id || has_id(dir, corpse->name, corpse->id))) {
        result = covei_file_unlink(dir, corpse->name);
        if (out_removed)
            *out_removed = result == COVE_OK;
        if (result == COVE_ERR_NOT_FOUND)
            result = COVE_OK;
    }
    covei_lock_release(corpse->file, COVEI_BYTE_NAME);
    return result;
}

static cove_result read_owner(covei_file file, uint64_t *out_owner) {
    size_t got;
    cove_result result = covei_file_read(file, offsetof(covei_header_shm, owner), out_owner, sizeof *out_owner, &got);
    if (result == COVE_OK && got != sizeof *out_owner)
        result = covei_fail(COVE_ERR_TRUNCATED, 0, "read header", "ends in the middle of its header");
    return result;
}

cove_result covei_is_leftover(covei_file file, cove_lifetime lifetime, bool *out_dead) {
    covei_lock held;
    uint64_t owner = COVEI_OWNER_DOOMED;
    *out_dead = false;
    if (lifetime == COVE_UNTIL_REMOVED)
        return COVE_OK;
    cove_result result = covei_lock_probe(file, COVEI_BYTE_DEADMAN, COVEI_LOCK_EXCLUSIVE, &held);
    if (result == COVE_OK && lifetime == COVE_WHILE_OWNED)
        result = read_owner(file, &owner);
    if (result != COVE_OK)
        return result;
    if (owner == COVEI_OWNER_DOOMED && lifetime == COVE_WHILE_OWNED)
        *out_dead = true; /* its owner meant the name to go, and died between saying so and doing it */
    else if (held == COVEI_LOCK_EXCLUSIVE)
        return COVEI_AGAIN;
    else
        *out_dead = held == COVEI_LOCK_FREE && owner != COVEI_OWNER_NONE;
    return COVE_OK;
}

/* D is taken exclusively first, so that nobody attaches to what is about to lose its name. An owner whose segment has a free
 * D is dead, because an owner is attached.
 * CRASH: killed inside: D and N are free again; the next caller buries. */
cove_result covei_bury(const covei_corpse *corpse, cove_lifetime lifetime) {
    uint64_t owner = COVEI_OWNER_DOOMED;
    if (lifetime == COVE_WHILE_OWNED) {
        cove_result result = read_owner(corpse->file, &owner);
        if (result != COVE_OK)
            return result;
        if (owner == COVEI_OWNER_DOOMED)
            return covei_unname(corpse, NULL); /* members may go on with what they have */
    }
    cove_result result = covei_lock_try(corpse->file, COVEI_BYTE_DEADMAN, COVEI_LOCK_EXCLUSIVE);
    if (result == COVE_ERR_BUSY)
        return COVEI_AGAIN;
    if (result != COVE_OK)
        return result;
    if (lifetime == COVE_WHILE_OWNED)
        result = read_owner(corpse->file, &owner);
    if (result == COVE_OK)
        result = owner == COVEI_OWNER_NONE ? COVEI_AGAIN : covei_unname(corpse, NULL);
    covei_lock_release(corpse->file, COVEI_BYTE_DEADMAN);
    return result;
}

/* The words belong to the object's own protocol; all that is known here is that a sleeper sleeps only while its word has the
 * value it saw, in which bit 0 is a flag and the rest counts. */
void covei_mark_removed(covei_header_shm *header, const uint64_t event_offset[COVEI_EVENTS], uint64_t mapped_bytes) {
    covei_store_seqcst(&header->removed, 1);
    for (int i = 0; i < COVEI_EVENTS; i++)
        if (event_offset[i] && event_offset[i] <= mapped_bytes - 4) {
            covei_a32 *event = (covei_a32 *)(void *)((uint8_t *)header + event_offset[i]);
            covei_add_seqcst(event, 2);
            covei_wake(event);
        }
}

bool covei_member_is_removed(const covei_member *member) {
    if (covei_load_seqcst(&member->header->removed))
        return true;
    return member->lifetime == COVE_WHILE_OWNED && covei_load_seqcst(&member->header->owner) == COVEI_OWNER_DOOMED;
}

/* A remover may be killed after the name has gone and before he has said so; so whoever waits long asks the file itself. */
bool covei_member_has_lost_its_name(const covei_member *member) {
    covei_file_facts facts;
    covei_file probe = {(int64_t)covei_load_relaxed(&member->probe)};
    return covei_file_look(probe, &facts) == COVE_OK && covei_identity_equal(facts.identity, member->identity) && !facts.has_name;
}

/* A fresh description, because threads that shared one would not exclude each other. */
cove_result covei_member_file(covei_member *member, cove_access access, covei_file *out_file) {
    covei_file probe;
    covei_dir dir;
    cove_result result = covei_member_probe(member, &probe);
    if (result == COVE_OK)
        result = covei_file_reopen(probe, access, out_file);
    if (result != COVE_ERR_UNSUPPORTED)
        return result;
    /* No /proc: by name, while it leads here. */
    result = covei_domain_dir(member->domain, &dir);
    if (result == COVE_OK)
        result = covei_file_open(dir, member->name, access, out_file);
    if (result != COVE_OK)
        return result;
    result = covei_leads(member->domain, member->name, *out_file, member->identity);
    if (result == COVEI_AGAIN)
        result = covei_fail(COVE_ERR_LOST, 0, "open again", "the name no longer leads to the object");
    if (result != COVE_OK)
        covei_file_close(*out_file);
    return result;
}

/* A read-only member says it through a mapping of its own. */
static cove_result mark_through(covei_member *member, covei_file file) {
    void *address = member->header;
    if (member->is_read_only) {
        cove_result result = covei_map(file, member->file_bytes, COVE_READ_WRITE, 0, &address);
        if (result != COVE_OK)
            return result;
    }
    covei_mark_removed(address, member->event_offset, member->file_bytes);
    if (address != (void *)member->header)
        covei_unmap(address, member->file_bytes);
    return COVE_OK;
}

cove_result covei_member_remove(covei_member *member) {
    covei_file file = {COVEI_NO_HANDLE};
    uint32_t tries = 0;
    cove_time_ns start = covei_clock_ns();
    covei_error_about(member->domain->path, member->name);
    for (;;) {
        covei_guard_enter();
        cove_result result = covei_member_file(member, COVE_READ_WRITE, &file);
        if (result == COVE_OK) {
            result = covei_unname(&(covei_corpse){member->domain, member->name, file, member->identity, member->id}, NULL);
            if (result == COVE_OK) /* gone by us or before; said again in case that who did it could not */
                result = mark_through(member, file);
            covei_file_close(file);
        }
        covei_guard_leave();
        if (result != COVEI_AGAIN)
            return result;
        if (!covei_back_off(&tries, start))
            return covei_fail(COVE_ERR_BUSY, 0, "remove", "somebody has been removing it for 3 s; is a process stopped in the middle?");
    }
}

/* ---- By name. */

static cove_result remove_once(covei_domain *domain, const char *name, bool force) {
    covei_facts_shm facts;
    covei_file_facts file_facts;
    covei_file file;
    covei_dir dir;
    void *address = NULL;
    uint64_t mapped_bytes = 0;
    bool removed = false, blank, took_deadman = false;
    cove_result result = covei_domain_dir(domain, &dir);
    if (result == COVE_OK)
        result = covei_file_open(dir, name, COVE_READ_WRITE, &file);
    if (result == COVE_ERR_NOT_FOUND)
        return covei_fail(result, 0, "remove", "there is no object of this name");
    if (result != COVE_OK)
        return result;
    if ((result = covei_file_look(file, &file_facts)) != COVE_OK)
        goto out;
    result = covei_facts_read(file, &file_facts, &facts, &blank);
    bool is_sound = result == COVE_OK;
    /* A file without any header is what a power cut leaves of one: its owner may have it removed. */
    bool is_lost = blank && file_facts.owner_uid == covei_process_uid() && file_facts.is_regular;
    if (!is_sound && (!force || (result == COVE_ERR_FOREIGN && !is_lost)))
        goto out;
    if (!force) {
        result = covei_lock_try(file, COVEI_BYTE_DEADMAN, COVEI_LOCK_EXCLUSIVE);
        took_deadman = result == COVE_OK;
        if (result == COVE_ERR_BUSY) {
            covei_lock held;
            result = covei_lock_probe(file, COVEI_BYTE_DEADMAN, COVEI_LOCK_EXCLUSIVE, &held);
            if (result == COVE_OK && held == COVEI_LOCK_SHARED)
                result = covei_fail(COVE_ERR_IN_USE, 0, "remove", "somebody is attached (see: cove stat %s); remove it by force", name);
            else if (result == COVE_OK) /* who buries or removes it has it, or has let it go just now */
                result = COVEI_AGAIN;
        }
        if (result != COVE_OK)
            goto out;
    }
    if (is_sound) {
        mapped_bytes = sizeof(covei_header_shm);
        for (int i = 0; i < COVEI_EVENTS; i++)
            if (facts.event_offset[i] + 4 > mapped_bytes)
                mapped_bytes = facts.event_offset[i] + 4;
        mapped_bytes = (mapped_bytes + domain->volume.granule_bytes - 1) & ~(domain->volume.granule_bytes - 1);
        if (mapped_bytes > facts.file_bytes)
            mapped_bytes = facts.file_bytes;
        if ((result = covei_map(file, mapped_bytes, COVE_READ_WRITE, 0, &address)) != COVE_OK)
            goto out;
    }
    result = covei_unname(&(covei_corpse){domain, name, file, file_facts.identity, is_sound ? facts.id : NULL}, &removed);
    if (removed && address)
        covei_mark_removed(address, facts.event_offset, mapped_bytes);
    if (result == COVE_OK && !removed)
        result = COVEI_AGAIN; /* the name leads to another object by now: that is the one to remove */
out:
    if (took_deadman)
        covei_lock_release(file, COVEI_BYTE_DEADMAN);
    covei_unmap(address, mapped_bytes);
    covei_file_close(file);
    return result;
}

cove_result cove_remove(const char *domain_name, const char *name, uint32_t flags) {
    covei_domain *domain;
    uint32_t tries = 0;
    covei_error_about(domain_name, name);
    if (flags & ~COVE_REMOVE_FORCE)
        return covei_fail(COVE_ERR_OPTION, 0, "remove", "flags 0x%x are not known", flags);
    if (!covei_name_is_valid(name))
        return covei_fail(COVE_ERR_NAME, 0, "remove", "a name has 1 to %d bytes of A-Z a-z 0-9 . _ - and does not start with a dot",
                          COVE_NAME_MAX);
    cove_time_ns start = covei_clock_ns();
    for (;;) {
        covei_guard_enter();
        cove_result result = covei_domain_enter(domain_name, &domain);
        if (result == COVE_OK) {
            covei_error_about(domain->path, name);
            result = remove_once(domain, name, flags & COVE_REMOVE_FORCE);
            covei_domain_leave(domain);
        }
        covei_guard_leave();
        if (result != COVEI_AGAIN)
            return result;
        if (!covei_back_off(&tries, start))
            return covei_fail(COVE_ERR_BUSY, 0, "remove", "somebody has been removing it for 3 s; is a process stopped in the middle?");
    }
}

/* ---- Sweeping: what the dead have left, found by looking at every name or at some. */

typedef struct sweep {
    covei_domain *domain;
    covei_dir dir;
    bool dry, thorough;
    cove_gc_fn each;
    void *context;
    cove_gc_report report;
} sweep;

static bool is_hidden_birth(const char *name) {
    return !strncmp(name, COVEI_HIDDEN_PREFIX, sizeof COVEI_HIDDEN_PREFIX - 1) && strlen(name) == COVEI_HIDDEN_BYTES - 2;
}

/* The bell of a member that has died: nobody listens. */
static void sweep_bell(const sweep *s, const char *name) {
    if (!s->dry && covei_bell_find(s->dir, name) == COVE_ERR_NOT_FOUND) {
        cove_result gone = covei_file_unlink(s->dir, name);
        (void)gone;
    }
}

static bool sweep_entry(void *context, const char *name) {
    sweep *s = context;
    if (!strncmp(name, COVEI_BELL_PREFIX, sizeof COVEI_BELL_PREFIX - 1)) {
        sweep_bell(s, name);
        return true;
    }
    covei_facts_shm facts;
    covei_file_facts file_facts;
    covei_file file;
    covei_lock held = COVEI_LOCK_SHARED;
    bool hidden = is_hidden_birth(name), blank = false, dead = false;
    if (!hidden && !covei_name_is_valid(name))
        return true;
    cove_result refused = COVE_OK, result = covei_file_open(s->dir, name, COVE_READ_WRITE, &file);
    if (result == COVE_ERR_ACCESS && s->thorough) {
        refused = result;
        result = covei_file_open(s->dir, name, COVE_READ_ONLY, &file);
    }
    if (result != COVE_OK)
        return true;
    s->report.examined_count++;
    if (covei_file_look(file, &file_facts) != COVE_OK || !file_facts.is_regular)
        goto out;
    covei_error_about(s->domain->path, name);
    result = covei_facts_read(file, &file_facts, &facts, &blank);
    if (hidden || (blank && s->thorough && file_facts.owner_uid == covei_process_uid() &&
                   covei_load_relaxed(&s->domain->owner_uid) == covei_process_uid())) {
        /* A birth that was never finished, or a file that lost its contents with the power. */
        dead = covei_lock_probe(file, COVEI_BYTE_DEADMAN, COVEI_LOCK_EXCLUSIVE, &held) == COVE_OK && held == COVEI_LOCK_FREE;
        facts.lifetime = COVE_WHILE_USED;
    } else if (result == COVE_OK) {
        dead = covei_is_leftover(file, (cove_lifetime)facts.lifetime, &dead) == COVE_OK && dead;
    }
    if (!dead)
        goto out;
    if (refused == COVE_OK && !s->dry)
        refused = covei_bury(&(covei_corpse){s->domain, name, file, file_facts.identity, hidden || blank ? NULL : facts.id},
                             (cove_lifetime)facts.lifetime);
    if (refused == COVEI_AGAIN)
        goto out; /* somebody else is burying it, or it lives again */
    if (refused == COVE_OK) {
        s->report.removed_count++;
        s->report.removed_bytes += file_facts.allocated_bytes;
    } else {
        s->report.refused_count++;
    }
    covei_file_close(file);
    if (s->each) {
        covei_guard_leave(); /* nothing of the user's is called inside */
        s->each(s->context, name, file_facts.allocated_bytes, refused);
        covei_guard_enter();
    }
    return true;
out:
    covei_file_close(file);
    return true;
}

/* At most once in 100 ms for each domain of a process, so that a burst of creations is not slowed down. */
#define SWEEP_PERIOD_NS UINT64_C(100000000)
#define SWEEP_ENTRIES 16

void covei_sweep(covei_domain *domain, bool all) {
    sweep s = {.domain = domain};
    cove_time_ns now = covei_clock_ns();
    uint64_t next = covei_load_relaxed(&domain->next_sweep_ns);
    if (!all && (now < next || !covei_cas_seqcst(&domain->next_sweep_ns, &next, now + SWEEP_PERIOD_NS)))
        return;
    if (covei_domain_dir(domain, &s.dir) != COVE_OK)
        return;
    cove_result result = all ? covei_dir_list(s.dir, sweep_entry, &s) : covei_dir_sample(s.dir, SWEEP_ENTRIES, sweep_entry, &s);
    (void)result; /* what was not swept now is swept by the next */
}

cove_result cove_gc(const char *domain_name, uint32_t flags, cove_gc_fn each, void *context, cove_gc_report *out_report) {
    sweep s = {.dry = flags & COVE_GC_DRY_RUN, .thorough = true, .each = each, .context = context};
    covei_error_about(domain_name, NULL);
    if (flags & ~COVE_GC_DRY_RUN)
        return covei_fail(COVE_ERR_OPTION, 0, "collect", "flags 0x%x are not known", flags);
    covei_guard_enter();
    cove_result result = covei_domain_enter(domain_name, &s.domain);
    if (result == COVE_OK) {
        result = covei_domain_dir(s.domain, &s.dir);
        if (result == COVE_OK)
            result = covei_dir_list(s.dir, sweep_entry, &s);
        covei_domain_leave(s.domain);
    }
    covei_guard_leave();
    if (result == COVE_OK && out_report)
        *out_report = s.report;
    return result;
}

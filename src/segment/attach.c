/* Attaching: birth, opening, closing, and attaching again in a child of fork.
 *
 * The order is docs/protocols/segment.md's, and the step numbers here are its numbers. What makes it safe:
 *     a file has no name before it is complete and locked                                   (nobody sees half an object)
 *     all that can fail is done before D is taken; after D only the name is looked at        (nobody takes D in vain)
 *     D is tried, never waited for                                                           (its holder may be dying)
 *     T is open only inside the guard                                                        (no child of fork gets the token)
 *
 * Descriptions: T carries the locks and is closed once its page is mapped; P stays open, maps the data, and probes. */
#include "segment/internal.h"

#include "base/name.h"

#include <cove/inspect.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const covei_file no_file = {COVEI_NO_HANDLE};

/* A file that is made, and has no name yet. It survives rounds: it holds no lock, so it may be kept outside the guard. */
typedef struct birth {
    covei_file probe; /* P */
    void *address;
    covei_facts_shm facts;
    covei_file_facts file;
    char hidden[COVEI_HIDDEN_BYTES]; /* where the file system has no nameless files; else empty */
} birth;

/* ---- What members of both origins have in common. */

static void fill_member(covei_member *member, const covei_request *request, covei_domain *domain, const covei_facts_shm *facts,
                        covei_identity identity, covei_file probe, void *address) {
    memset(member, 0, sizeof *member);
    member->header = address;
    member->slots = (covei_slot_shm *)(void *)((uint8_t *)address + facts->slot_offset);
    member->object = (uint8_t *)address + facts->object_offset;
    member->object_bytes = facts->object_bytes;
    member->file_bytes = facts->file_bytes;
    memcpy(member->event_offset, facts->event_offset, sizeof member->event_offset);
    memcpy(member->object_fact, facts->object_fact, sizeof member->object_fact);
    member->slot_count = facts->slot_count;
    member->lifetime = (cove_lifetime)facts->lifetime;
    memcpy(member->id, facts->id, sizeof member->id);
    member->identity = identity;
    member->wakes_readers = facts->flags & COVEI_FLAG_WAKE_READERS;
    member->kind = request->kind;
    member->is_read_only = request->access == COVE_READ_ONLY;
    member->is_interruptible = request->is_interruptible;
    covei_store_relaxed(&member->probe, (uint64_t)probe.handle);
    member->domain = domain;
    memcpy(member->name, request->name, strlen(request->name) + 1);
    member->about = (covei_about){domain->path, member->name, covei_about_serial()};
}

/* Another description of the same file: through the system where it can, else by name. */
static cove_result open_again(covei_domain *domain, covei_dir dir, const char *name, covei_file file, covei_identity identity,
                              cove_access access, covei_file *out_file) {
    cove_result result = covei_file_reopen(file, access, out_file);
    if (result != COVE_ERR_UNSUPPORTED)
        return result;
    result = covei_file_open(dir, name, access, out_file);
    if (result == COVE_ERR_NOT_FOUND)
        return COVEI_AGAIN;
    if (result == COVE_OK && (result = covei_leads(domain, name, *out_file, identity)) != COVE_OK)
        covei_file_close(*out_file);
    return result;
}

/* Each lock is let go by itself: a child of posix_spawn may hold the description until its exec, and would pass for a member. */
static void undo_token(covei_member *member, covei_file token_file) {
    if (!member->is_read_only) {
        covei_slot_give_back(member);
        covei_lock_release(token_file, COVEI_BYTE_SLOT(covei_load_relaxed(&member->slot)));
    }
    covei_lock_release(token_file, COVEI_BYTE_DEADMAN);
    covei_token_drop(&member->token);
}

/* OPEN 5 to 7, for a member whose slot is not claimed yet. On failure nothing is held.
 * CRASH: killed anywhere: the kernel frees D and the slot's byte; the next claimant clears the slot. */
static cove_result take_token(covei_member *member, covei_file token_file) {
    cove_result result = COVE_OK;
    if (!member->is_read_only && (result = covei_slot_claim(member, token_file)) != COVE_OK)
        return result;
    result = covei_token_carry(token_file, (size_t)member->domain->volume.granule_bytes, &member->token);
    if (result != COVE_OK)
        goto give_back;
    if (member->is_read_only) {
        /* For people only; whether it can be had changes nothing. */
        cove_result ignored = covei_lock_try(token_file, COVEI_BYTE_READERS, COVEI_LOCK_SHARED);
        (void)ignored;
    }
    result = covei_lock_try(token_file, COVEI_BYTE_DEADMAN, COVEI_LOCK_SHARED);
    if (result == COVE_OK)
        return COVE_OK;
    if (result == COVE_ERR_BUSY)
        result = COVEI_AGAIN; /* somebody is burying it, and may die before he has finished: look again */
give_back:
    undo_token(member, token_file);
    return result;
}

/* An owner that was killed while others are attached is followed by the next who comes to write. */
static bool adopt(covei_member *member) {
    bool alive;
    if (member->is_read_only || member->lifetime != COVE_WHILE_OWNED)
        return false;
    uint64_t owner = covei_load_seqcst(&member->header->owner);
    uint64_t mine = covei_owner_word(covei_load_relaxed(&member->slot), covei_load_relaxed(&member->generation));
    if (owner == COVEI_OWNER_NONE || owner == COVEI_OWNER_DOOMED)
        return false;
    if (covei_member_is_alive(member, covei_owner_slot(owner), covei_owner_generation(owner), &alive) != COVE_OK || alive)
        return false;
    return covei_cas_seqcst(&member->header->owner, &owner, mine);
}

/* ---- Opening what is there. */

static cove_result check_owner(const covei_request *request, covei_domain *domain, const covei_file_facts *file) {
    uint32_t domain_owner = covei_load_relaxed(&domain->owner_uid);
    if (!file->is_regular)
        return covei_fail(COVE_ERR_FOREIGN, 0, "open", "is not a regular file");
    if (request->trust_any_owner || file->owner_uid == covei_process_uid() || file->owner_uid == 0 || file->owner_uid == domain_owner)
        return COVE_OK;
    return covei_fail(COVE_ERR_OWNER, 0, "open",
                      "belongs to uid %u, who is neither you (uid %u) nor root nor the domain's owner (uid %u); "
                      "open it with trust_any_owner if you trust them",
                      file->owner_uid, covei_process_uid(), domain_owner);
}

static cove_result check_fit(const covei_request *request, const covei_facts_shm *facts) {
    if (request->type_name && strcmp(request->type_name, facts->type_name))
        return covei_fail(COVE_ERR_TYPE, 0, "open", "its type is '%s', and '%s' was asked for", facts->type_name, request->type_name);
    if (request->schema_hash && request->schema_hash != facts->schema_hash)
        return covei_fail(COVE_ERR_TYPE, 0, "open", "its schema hash is %016llx, and %016llx was asked for",
                          (unsigned long long)facts->schema_hash, (unsigned long long)request->schema_hash);
    return request->fits ? request->fits(request->context, facts) : COVE_OK;
}

/* A file with holes (copied, or written by hand) would fault where memory runs out: fill them now, or say that it cannot be. */
static cove_result fill_holes(const covei_request *request, covei_dir dir, covei_file file, const covei_file_facts *file_facts,
                              const covei_facts_shm *facts) {
    covei_volume_facts volume;
    if (file_facts->allocated_bytes >= facts->file_bytes)
        return COVE_OK;
    uint64_t missing = facts->file_bytes - file_facts->allocated_bytes;
    if (covei_dir_volume(dir, &volume) == COVE_OK && volume.total_bytes && volume.free_bytes < missing)
        return covei_fail(COVE_ERR_SPACE, 0, "open", "has holes of %llu bytes, and the file system has %llu free",
                          (unsigned long long)missing, (unsigned long long)volume.free_bytes); /* before a part of them is filled */
    if (request->access == COVE_READ_ONLY)
        return covei_fail(COVE_ERR_SPACE, 0, "open", "has holes: %llu of its %llu bytes are reserved; open it once for writing",
                          (unsigned long long)file_facts->allocated_bytes, (unsigned long long)facts->file_bytes);
    return covei_file_reserve(file, facts->file_bytes);
}

/* All users are dead. Removes what they left, where we may. COVEI_AGAIN: look again; COVE_ERR_NOT_FOUND: it counts as gone. */
static cove_result bury_leftover(const covei_request *request, covei_domain *domain, covei_dir dir, covei_file file,
                                 const covei_file_facts *file_facts, const covei_facts_shm *facts) {
    covei_file writable = file;
    cove_result result = COVE_OK;
    if (request->access == COVE_READ_ONLY) {
        result = covei_file_open(dir, request->name, COVE_READ_WRITE, &writable);
        if (result == COVE_OK && (result = covei_leads(domain, request->name, writable, file_facts->identity)) != COVE_OK) {
            covei_file_close(writable);
            return result;
        }
    }
    if (result == COVE_OK) {
        result =
            covei_bury(&(covei_corpse){domain, request->name, writable, file_facts->identity, facts->id}, (cove_lifetime)facts->lifetime);
        if (writable.handle != file.handle)
            covei_file_close(writable);
    }
    if (result == COVE_OK || result == COVE_ERR_NOT_FOUND)
        return COVEI_AGAIN;
    if (result == COVE_ERR_ACCESS && (request->how == COVE_OPEN || request->access == COVE_READ_ONLY))
        return COVE_ERR_NOT_FOUND;
    return result;
}

/* Since D is held nobody can bury it. But it may have been buried just before, or removed, or retired: COVEI_AGAIN. */
static cove_result look_once_more(covei_member *member, covei_file token_file) {
    cove_result result = covei_leads(member->domain, member->name, token_file, member->identity);
    if (result == COVE_OK && member->lifetime == COVE_WHILE_OWNED && covei_load_seqcst(&member->header->owner) == COVEI_OWNER_DOOMED)
        return COVEI_AGAIN;
    return result;
}

/* One round of OPEN. COVEI_AGAIN: start again by name. COVE_ERR_NOT_FOUND: nothing there, or nothing that counts. */
static cove_result open_once(const covei_request *request, covei_domain *domain, covei_member *member, cove_opened *opened) {
    covei_file token_file = no_file, probe = no_file;
    covei_file_facts file;
    covei_facts_shm facts = {0};
    covei_dir dir;
    void *address = NULL;
    bool is_leftover;
    cove_result result = covei_domain_dir(domain, &dir);
    if (result == COVE_OK)
        result = covei_file_open(dir, request->name, request->access, &token_file); /* 1 */
    if (result != COVE_OK)
        return result;
    if ((result = covei_file_look(token_file, &file)) != COVE_OK || (result = check_owner(request, domain, &file)) != COVE_OK ||
        (result = covei_facts_read(token_file, &file, &facts, NULL)) != COVE_OK)
        goto out;
    if (facts.kind != request->kind->number) {
        result = covei_fail(COVE_ERR_KIND, 0, "open", "is a %s, and a %s was asked for", cove_kind_name((cove_kind)facts.kind),
                            request->kind->name);
        goto out;
    }
    result = covei_is_leftover(token_file, (cove_lifetime)facts.lifetime, &is_leftover); /* 3: before its sizes matter to anybody */
    if (result == COVE_OK && is_leftover)
        result = bury_leftover(request, domain, dir, token_file, &file, &facts);
    if (result != COVE_OK || (result = covei_leads(domain, request->name, token_file, file.identity)) != COVE_OK)
        goto out;
    if (request->how == COVE_CREATE) { /* 4 */
        result = covei_fail(COVE_ERR_EXISTS, 0, "create", "the name is taken, by a %s of %llu bytes", request->kind->name,
                            (unsigned long long)facts.object_bytes);
        goto out;
    }
    if ((result = check_fit(request, &facts)) != COVE_OK || (result = fill_holes(request, dir, token_file, &file, &facts)) != COVE_OK ||
        (result = open_again(domain, dir, request->name, token_file, file.identity, request->access, &probe)) != COVE_OK || /* 2 */
        (result = covei_map(probe, facts.file_bytes, request->access, request->map_flags, &address)) != COVE_OK)
        goto out;
    fill_member(member, request, domain, &facts, file.identity, probe, address);
    if ((result = take_token(member, token_file)) != COVE_OK) /* 5 to 7 */
        goto out;
    if ((result = look_once_more(member, token_file)) != COVE_OK) { /* 8 */
        undo_token(member, token_file);
        goto out;
    }
    *opened = (cove_opened){.created = false, .owner = adopt(member)};
    covei_store_release(&member->epoch, covei_process_epoch()); /* PAIR revived */
out:
    covei_file_close(token_file); /* 9 */
    if (result != COVE_OK) {
        covei_unmap(address, facts.file_bytes);
        covei_file_close(probe);
    }
    return result;
}

/* ---- Making what is not. */

static void drop_birth(birth *b, covei_domain *domain) {
    covei_dir dir;
    if (b->probe.handle == COVEI_NO_HANDLE)
        return;
    if (b->hidden[0] && covei_domain_dir(domain, &dir) == COVE_OK) {
        cove_result ignored = covei_file_unlink(dir, b->hidden); /* the sweep would do it */
        (void)ignored;
    }
    covei_unmap(b->address, b->facts.file_bytes);
    covei_file_close(b->probe);
    b->address = NULL;
    b->probe = no_file;
}

static cove_result make_file(covei_domain *domain, uint32_t mode, birth *b) {
    covei_dir dir;
    cove_result result = covei_domain_dir(domain, &dir);
    if (result != COVE_OK)
        return result;
    b->hidden[0] = 0;
    if (covei_load_relaxed(&domain->has_nameless))
        return covei_file_create(dir, NULL, mode, &b->probe);
    do {
        covei_hidden_name(b->hidden);
        result = covei_file_create(dir, b->hidden, mode, &b->probe);
    } while (result == COVE_ERR_EXISTS);
    /* Against the sweeps. It is let go of when T holds it too; a hidden birth does not outlive its round. */
    if (result == COVE_OK && covei_lock_try(b->probe, COVEI_BYTE_DEADMAN, COVEI_LOCK_SHARED) == COVE_ERR_BUSY)
        result = COVEI_AGAIN;
    return result;
}

/* Memory for it. A file without a name holds no lock, so meanwhile others may fork. */
static cove_result fill_file(const covei_request *request, birth *b) {
    bool is_nameless = !b->hidden[0];
    if (is_nameless)
        covei_guard_leave();
    cove_result result = covei_file_reserve(b->probe, b->facts.file_bytes);
    if (result == COVE_OK)
        result = covei_file_look(b->probe, &b->file);
    if (result == COVE_OK)
        result = covei_map(b->probe, b->facts.file_bytes, COVE_READ_WRITE, request->map_flags, &b->address);
    if (is_nameless)
        covei_guard_enter();
    return result;
}

/* CREATE 1 and 2: everything that takes long.
 * CRASH: killed anywhere: a nameless file vanishes; a hidden one, on whose D nobody is, is buried by the next sweep. */
static cove_result prepare_birth(const covei_request *request, covei_domain *domain, birth *b) {
    cove_result result = covei_facts_make(request, domain->volume.granule_bytes, &b->facts);
    if (result != COVE_OK)
        return result;
    uint32_t mode = request->mode ? request->mode : covei_domain_default_mode(covei_load_relaxed(&domain->mode));
    covei_sweep(domain, false);
    for (bool swept = false;; swept = true) {
        covei_error_about(domain->path, request->name);
        if ((result = make_file(domain, mode, b)) == COVE_OK)
            result = fill_file(request, b);
        if (result != COVE_OK)
            drop_birth(b, domain);
        if (result != COVE_ERR_SPACE || swept)
            break;
        covei_sweep(domain, true); /* what the dead have left may be all the space that is needed */
    }
    if (result != COVE_OK)
        return result;
    covei_header_shm *header = b->address;
    header->facts = b->facts;
    if (request->fill)
        request->fill(request->context, (uint8_t *)b->address + b->facts.object_offset);
    return COVE_OK;
}

/* CREATE 3 to 6. COVE_ERR_EXISTS: the name was taken meanwhile. COVEI_AGAIN: the hidden file was swept; make a new one.
 * CRASH: killed before the name is given: as in prepare_birth. After: the object is there, complete, with a dead member. */
static cove_result publish_birth(const covei_request *request, covei_domain *domain, birth *b, covei_member *member, cove_opened *opened) {
    covei_file token_file = no_file;
    covei_dir dir;
    cove_result result = covei_domain_dir(domain, &dir);
    if (result == COVE_OK)
        result = covei_file_reopen(b->probe, COVE_READ_WRITE, &token_file);
    if (result == COVE_ERR_UNSUPPORTED && b->hidden[0]) {
        result = covei_file_open(dir, b->hidden, COVE_READ_WRITE, &token_file);
    } else if (result == COVE_ERR_UNSUPPORTED) {
        covei_store_relaxed(&domain->has_nameless, 0); /* this process has lost /proc since; from now on births are hidden */
        result = COVEI_AGAIN;
    }
    if (result != COVE_OK)
        return result == COVE_ERR_NOT_FOUND ? COVEI_AGAIN : result;
    fill_member(member, request, domain, &b->facts, b->file.identity, b->probe, b->address);
    if ((result = take_token(member, token_file)) != COVE_OK)
        goto out;
    if (request->lifetime == COVE_WHILE_OWNED) /* nobody else sees it yet */
        covei_store_relaxed(&member->header->owner,
                            covei_owner_word(covei_load_relaxed(&member->slot), covei_load_relaxed(&member->generation)));
    if (b->hidden[0])
        covei_lock_release(b->probe, COVEI_BYTE_DEADMAN); /* P never holds a lasting lock */
    result = covei_file_publish(dir, b->probe, b->hidden[0] ? b->hidden : NULL, request->name);
    if (result != COVE_OK) {
        undo_token(member, token_file);
        if (result == COVE_ERR_NOT_FOUND)
            result = COVEI_AGAIN;
        goto out;
    }
    *opened = (cove_opened){.created = true, .owner = request->lifetime == COVE_WHILE_OWNED};
    covei_store_release(&member->epoch, covei_process_epoch()); /* PAIR revived */
    b->probe = no_file;                                         /* the member's by now */
out:
    covei_file_close(token_file);
    return result;
}

/* One round of all that was asked for, inside the guard. */
static cove_result attach_once(const covei_request *request, covei_domain *domain, birth *b, covei_member *member, cove_opened *opened,
                               bool *out_prepared) {
    cove_result result = open_once(request, domain, member, opened);
    if (result != COVE_ERR_NOT_FOUND || request->how == COVE_OPEN || request->access == COVE_READ_ONLY)
        return result;
    if (b->probe.handle == COVEI_NO_HANDLE) {
        if ((result = prepare_birth(request, domain, b)) != COVE_OK)
            return result;
        *out_prepared = true;
    }
    result = publish_birth(request, domain, b, member, opened);
    if (result == COVEI_AGAIN || (result != COVE_OK && b->hidden[0]))
        drop_birth(b, domain);
    return result == COVE_ERR_EXISTS ? COVEI_AGAIN : result;
}

/* Waiting for a name: often at first, then less, so that a start in parallel is not delayed and a long wait costs nothing. */
static bool pause_for_name(uint64_t *pause_ns, cove_time_ns deadline_ns) {
    cove_time_ns now = covei_clock_ns();
    if (now >= deadline_ns)
        return false;
    uint64_t pause = deadline_ns - now < *pause_ns ? deadline_ns - now : *pause_ns;
    covei_pause(pause);
    *pause_ns = *pause_ns * 2 < UINT64_C(5000000) ? *pause_ns * 2 : UINT64_C(5000000);
    return true;
}

cove_result covei_segment_open(const covei_request *request, covei_member *member, cove_opened *opened) {
    covei_domain *domain;
    birth b = {.probe = no_file};
    uint32_t tries = 0;
    uint64_t pause_ns = 50000;
    bool waits = request->deadline_ns && (request->how == COVE_OPEN || request->access == COVE_READ_ONLY);
    covei_error_about(request->domain, request->name);
    covei_guard_enter();
    cove_result result = covei_domain_enter(request->domain, &domain);
    if (result != COVE_OK) {
        covei_guard_leave();
        return result;
    }
    covei_error_about(domain->path, request->name);
    cove_time_ns start = covei_clock_ns();
    for (;;) {
        bool prepared = false;
        result = attach_once(request, domain, &b, member, opened, &prepared);
        covei_guard_leave();
        if (prepared) { /* that may have taken long, and was nobody's fault */
            start = covei_clock_ns();
            tries = 0;
        }
        if (result == COVEI_AGAIN) {
            if (!covei_back_off(&tries, start)) {
                result = covei_fail(COVE_ERR_BUSY, 0, "open",
                                    "somebody has kept it busy for 3 s; is a process stopped while it attaches? (see: cove stat %s)",
                                    request->name);
                break;
            }
        } else if (result == COVE_ERR_NOT_FOUND && waits) {
            if (!pause_for_name(&pause_ns, request->deadline_ns)) {
                result = covei_fail(COVE_ERR_TIMEOUT, 0, "open", "no live object has had this name until the deadline");
                break;
            }
            start = covei_clock_ns();
            tries = 0;
        } else {
            break;
        }
        covei_guard_enter();
    }
    covei_guard_enter();
    drop_birth(&b, domain);
    if (result != COVE_OK)
        covei_domain_leave(domain);
    covei_guard_leave();
    if (result == COVE_ERR_NOT_FOUND)
        return covei_fail(result, 0, "open", "no live object has this name; who creates it, and in which domain? (see: cove ls)");
    return result;
}

/* ---- Closing. */

/* How D is held by others, as far as P can tell: one call, which mostly is all, since others are still there. */
static covei_lock held_by_others(covei_member *member) {
    covei_file probe = {(int64_t)covei_load_relaxed(&member->probe)};
    covei_file_facts facts;
    covei_lock held;
    if (covei_file_look(probe, &facts) != COVE_OK || !covei_identity_equal(facts.identity, member->identity) || !facts.has_name ||
        covei_lock_probe(probe, COVEI_BYTE_DEADMAN, COVEI_LOCK_EXCLUSIVE, &held) != COVE_OK)
        return COVEI_LOCK_SHARED; /* cannot be told: the next call's work */
    return held;
}

/* Whether there is no more to do: it has gone, or it is not to go. */
static bool try_to_bury(covei_member *member) {
    covei_file file;
    bool dead = false;
    covei_lock held = held_by_others(member);
    if (held != COVEI_LOCK_FREE)
        return held == COVEI_LOCK_SHARED;
    if (covei_member_file(member, COVE_READ_WRITE, &file) != COVE_OK)
        return true; /* a reader that may not write: the next call's work */
    cove_result result = covei_is_leftover(file, member->lifetime, &dead);
    if (result == COVE_OK && dead)
        result = covei_bury(&(covei_corpse){member->domain, member->name, file, member->identity, member->id}, member->lifetime);
    covei_file_close(file);
    bool stays = member->lifetime == COVE_WHILE_OWNED && covei_load_seqcst(&member->header->owner) == COVEI_OWNER_NONE;
    return result != COVEI_AGAIN && (result != COVE_OK || dead || stays);
}

/* The last one out removes, where the lifetime says so. Who has D to himself is about to bury it, which is as good; or he is one who may
 * not, as another user in a sticky directory, and lets go again: so a few looks, for some 50 ms; after that it is the next call's work. */
#define LOOKS_AT_CLOSE 17
static void bury_if_last(covei_member *member) {
    uint64_t pause_ns = 20000;
    if (member->lifetime == COVE_UNTIL_REMOVED || covei_member_is_removed(member))
        return;
    for (int looks = 1; !try_to_bury(member) && looks < LOOKS_AT_CLOSE; looks++) {
        covei_pause(pause_ns);
        pause_ns *= pause_ns < 5000000 ? 2 : 1;
    }
}

/* CRASH: killed anywhere: as if killed before; what stands half is the same as what a dead member leaves. */
void covei_segment_close(covei_member *member) {
    covei_guard_enter();
    if (covei_load_acquire(&member->epoch) == covei_process_epoch()) { /* PAIR revived; else it is a parent's, and holds nothing */
        if (!member->is_read_only) {
            if (member->lifetime == COVE_WHILE_OWNED) {
                cove_result not_the_owner = covei_owner_retire(member);
                (void)not_the_owner;
            }
            covei_slot_give_back(member);
        }
        covei_token_drop(&member->token);
        bury_if_last(member);
    }
    covei_unmap(member->header, member->file_bytes);
    covei_file probe = {(int64_t)covei_load_relaxed(&member->probe)};
    covei_file_facts facts;
    if (covei_file_look(probe, &facts) == COVE_OK && covei_identity_equal(facts.identity, member->identity))
        covei_file_close(probe); /* not a number that the program has since given to a file of its own */
    covei_domain_leave(member->domain);
    covei_guard_leave();
}

/* ---- In a child of fork. */

static cove_result fail_removed(void) {
    return covei_fail(COVE_ERR_FORKED, 0, "attach again",
                      "the object was removed or replaced before this child of fork used it; open it again by name");
}

/* Under the guard and the mutex of the revival. Nothing of the parent's is used but P, to reach the file. */
static cove_result revive_once(covei_member *member) {
    cove_access access = member->is_read_only ? COVE_READ_ONLY : COVE_READ_WRITE;
    covei_file inherited, token_file = no_file, probe = no_file;
    bool is_leftover;
    covei_dir dir;
    member->token = (covei_token){0}; /* its page was not copied to the child */
    cove_result result = covei_member_probe(member, &inherited);
    if (result == COVE_OK)
        result = covei_domain_dir(member->domain, &dir);
    if (result == COVE_OK)
        result = open_again(member->domain, dir, member->name, inherited, member->identity, access, &token_file);
    if (result == COVE_OK)
        result = open_again(member->domain, dir, member->name, inherited, member->identity, access, &probe);
    if (result == COVE_OK)
        result = covei_is_leftover(probe, member->lifetime, &is_leftover);
    if (result != COVE_OK)
        goto out;
    if (is_leftover) {
        result = covei_member_is_removed(member)
                     ? fail_removed()
                     : covei_fail(COVE_ERR_FORKED, 0, "attach again",
                                  "the parent process has ended, and with it the object; fork first, then open");
        goto out;
    }
    covei_store_relaxed(&member->probe, (uint64_t)probe.handle);
    if ((result = take_token(member, token_file)) != COVE_OK) {
        covei_store_relaxed(&member->probe, (uint64_t)inherited.handle);
        goto out;
    }
    if ((result = look_once_more(member, token_file)) != COVE_OK) {
        undo_token(member, token_file);
        covei_store_relaxed(&member->probe, (uint64_t)inherited.handle);
        if (result == COVEI_AGAIN)
            result = fail_removed();
        goto out;
    }
    adopt(member);
    covei_file_close(inherited);
    probe = no_file;
    if (member->kind->revived)
        member->kind->revived(member);
    covei_store_release(&member->epoch, covei_process_epoch()); /* PAIR revived */
out:
    covei_file_close(probe);
    covei_file_close(token_file);
    return result;
}

cove_result covei_member_revive(covei_member *member) {
    uint32_t tries = 0;
    cove_time_ns start = covei_clock_ns();
    covei_error_about(member->domain->path, member->name);
    for (;;) {
        cove_result result = COVE_OK;
        covei_guard_enter();
        covei_mutex_enter(COVEI_MUTEX_REVIVE);
        if (covei_load_acquire(&member->epoch) != covei_process_epoch()) /* PAIR revived: else a sibling thread has done it */
            result = revive_once(member);
        covei_mutex_leave(COVEI_MUTEX_REVIVE);
        covei_guard_leave();
        if (result != COVEI_AGAIN)
            return result;
        if (!covei_back_off(&tries, start))
            return covei_fail(COVE_ERR_BUSY, 0, "attach again", "somebody has kept the object busy for 3 s");
    }
}

/* ---- Waiting for a name, without attaching. */

/* COVE_OK: a live object has it. COVE_ERR_NOT_FOUND: nothing, or what the dead have left. */
static cove_result look_for_name(const char *domain_name, const char *name) {
    covei_domain *domain;
    covei_file_facts file_facts;
    covei_facts_shm facts;
    covei_file file = no_file;
    covei_dir dir;
    bool is_leftover = false;
    covei_guard_enter();
    cove_result result = covei_domain_enter(domain_name, &domain);
    if (result != COVE_OK)
        goto out;
    covei_error_about(domain->path, name);
    if ((result = covei_domain_dir(domain, &dir)) == COVE_OK && (result = covei_file_open(dir, name, COVE_READ_ONLY, &file)) == COVE_OK &&
        (result = covei_file_look(file, &file_facts)) == COVE_OK && (result = covei_facts_read(file, &file_facts, &facts, NULL)) == COVE_OK)
        result = covei_is_leftover(file, (cove_lifetime)facts.lifetime, &is_leftover);
    if (result == COVEI_AGAIN || (result == COVE_OK && is_leftover))
        result = COVE_ERR_NOT_FOUND;
    covei_file_close(file);
    covei_domain_leave(domain);
out:
    covei_guard_leave();
    return result;
}

cove_result cove_wait_for_name(const char *domain, const char *name, cove_time_ns deadline_ns) {
    uint64_t pause_ns = 50000;
    covei_error_about(domain, name);
    if (!covei_name_is_valid(name))
        return covei_fail(COVE_ERR_NAME, 0, "wait for name", "this is not a name");
    for (;;) {
        cove_result result = look_for_name(domain, name);
        if (result != COVE_ERR_NOT_FOUND)
            return result;
        if (!pause_for_name(&pause_ns, deadline_ns))
            return covei_fail(COVE_ERR_TIMEOUT, 0, "wait for name", "no live object has had this name until the deadline");
    }
}

/* ---- What every call begins and may end with. */

cove_result covei_member_enter_slowly(covei_member *member, bool writes, const char *step) {
    cove_result result = covei_member_enter(member);
    if (covei_unlikely(result == COVE_OK && writes && member->is_read_only))
        return covei_member_told(member, COVE_ERR_ACCESS, step, "the handle is read-only; open it with COVE_READ_WRITE");
    return result;
}

cove_result covei_member_told(const covei_member *member, cove_result result, const char *step, const char *format, ...) {
    char sentence[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    covei_error_about(member->domain->path, member->name);
    return covei_fail(result, 0, step, "%s", sentence);
}

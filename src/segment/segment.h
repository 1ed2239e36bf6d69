/* Segments: one file in a domain, mapped; who is attached; who has died.
 *
 * docs/protocols/segment.md is the protocol. The files of this folder, in the order in which a segment meets them:
 *     domain.c   the directory
 *     facts.c    the part of a file that never changes: written at birth, checked at every look
 *     attach.c   birth, opening, closing, and attaching again in a child of fork
 *     slot.c     one place for each read-write member; who is dead
 *     remove.c   how a name goes: removal, burial of what the dead left, sweeping
 *     owner.c    ownership
 *     role.c     what one member may be alone, by a lock of the kernel's
 */
#ifndef COVEI_SEGMENT_H
#define COVEI_SEGMENT_H

#include "base/error.h"
#include "segment/domain.h"
#include "segment/segment_layout.h"

typedef struct covei_member covei_member;

/* What the segment must know of the object in it. */
typedef struct covei_kind {
    uint32_t number; /* cove_kind */
    const char *name;
    /* Clears everything that slot `slot` holds in the object. Called with CLEAR of the slot held, for a member that is
     * dead, or for the caller's own when it leaves. May be called again after a death in the middle. */
    void (*release)(covei_member *member, uint32_t slot);
    /* A child of fork has attached again, and nobody is in a call yet: forgets what the parent's threads held. May be null. */
    void (*revived)(covei_member *member);
} covei_kind;

/* This process's attachment to a segment. Filled by covei_segment_open; threads share it.
 *
 * Invariants
 *   I1  `epoch` is the process's: `token` holds the locks. Otherwise the attachment is a parent's, and all that may be done
 *       with it is covei_member_revive or covei_segment_close.
 *   I2  everything up to `kind` is a copy of checked facts, and never read from shared memory again. */
struct covei_member {
    covei_header_shm *header;
    covei_slot_shm *slots;
    uint8_t *object;
    uint64_t object_bytes;
    uint64_t file_bytes;
    uint64_t event_offset[COVEI_EVENTS];
    uint64_t object_fact[4];
    uint32_t slot_count;
    cove_lifetime lifetime;
    uint8_t id[16];
    covei_identity identity;
    bool wakes_readers;
    const covei_kind *kind;

    covei_a64 epoch;
    covei_a32 slot, generation; /* meaningless when read-only */
    bool is_read_only;
    bool is_interruptible;
    covei_a32 is_interrupted;
    covei_a32 told_removed;
    covei_a64 probe; /* handle of P: another description than the token's; never holds a lasting lock */
    covei_token token;
    covei_domain *domain;
    covei_about about;
    char name[COVE_NAME_MAX + 1];
};

/* What to open, and what to make where there is none. */
typedef struct covei_request {
    const char *domain, *name;
    cove_how how;
    cove_access access;
    cove_lifetime lifetime;
    uint32_t mode, slots;
    const char *type_name;
    uint64_t schema_hash;
    cove_time_ns deadline_ns;
    uint32_t map_flags;
    bool trust_any_owner, is_interruptible, wakes_readers;
    const covei_kind *kind;
    /* Of a new one. The object starts at a multiple of 4096. Events are offsets in the object, plus 1; 0: none. */
    uint64_t object_bytes;
    uint64_t object_fact[4];
    uint64_t event[COVEI_EVENTS];
    void (*fill)(const void *context, uint8_t *object); /* writes into the zeroed object before it has a name; may be null */
    /* Whether an existing object fits what is asked for; tells why not by covei_fail. */
    cove_result (*fits)(const void *context, const covei_facts_shm *facts);
    const void *context;
} covei_request;

/* Fills the common part of a request. `options` are checked by covei_options_check first. */
#define COVEI_REQUEST_COMMON(options, object_name) \
    .domain = (options)->domain, .name = (object_name), .how = (options)->how, .access = (options)->access, \
    .lifetime = (options)->lifetime, .mode = (options)->mode, .slots = (options)->slots, .type_name = (options)->type_name, \
    .schema_hash = (options)->schema_hash, .deadline_ns = (options)->deadline_ns, .trust_any_owner = (options)->trust_any_owner, \
    .is_interruptible = (options)->interruptible, .wakes_readers = (options)->wake_readers_always, \
    .map_flags = ((options)->prefault ? COVEI_MAP_PREFAULT : 0) | ((options)->lock_memory ? COVEI_MAP_LOCK : 0) | \
                 ((options)->huge_pages ? COVEI_MAP_HUGE : 0)

/* Opens or makes. The errors are those of cove_block_open. On COVE_OK *member is attached and *opened (not null) filled. */
cove_result covei_segment_open(const covei_request *request, covei_member *member, cove_opened *opened);
void covei_segment_close(covei_member *member);

/* Whether this process is attached by it; if a parent was, attaches. The fast path of every call. */
cove_result covei_member_revive(covei_member *member);
static inline cove_result covei_member_enter(covei_member *member) {
    if (covei_likely(covei_process_is(covei_load_acquire(&member->epoch)))) /* PAIR revived */
        return COVE_OK;
    return covei_member_revive(member);
}

/* The same, and whether the handle may write, where the call needs that. Told. */
cove_result covei_member_enter_slowly(covei_member *member, bool writes, const char *step);
static inline cove_result covei_member_enter_for(covei_member *member, bool writes, const char *step) {
    if (covei_likely(covei_process_is(covei_load_acquire(&member->epoch)) && !(writes && member->is_read_only))) /* PAIR revived */
        return COVE_OK;
    return covei_member_enter_slowly(member, writes, step);
}

/* Remember a failure that is about this object, and return `result`. The first is quick, and `sentence` must stay. */
static inline cove_result covei_member_failed(const covei_member *member, cove_result result, const char *step, const char *sentence) {
    return covei_fail_quick(result, step, &member->about, sentence);
}
cove_result covei_member_told(const covei_member *member, cove_result result, const char *step, const char *format, ...)
    __attribute__((format(printf, 4, 5), cold));

static inline covei_slot_shm *covei_member_slot(const covei_member *member) {
    return &member->slots[covei_load_relaxed(&member->slot)];
}

/* Whether slot and generation, read from a shared word, name a live member. COVE_ERR_LOST where it cannot be told. */
cove_result covei_member_is_alive(covei_member *member, uint32_t slot, uint32_t generation, bool *out_alive);
/* Whether whoever holds the slot now is alive. */
cove_result covei_slot_is_alive(covei_member *member, uint32_t slot, bool *out_alive);
/* P, or a fresh one where the program has closed it under us. Inside the guard or out of it. */
cove_result covei_member_probe(covei_member *member, covei_file *out_file);
/* The name of a member's bell, in the domain. At least COVEI_BELL_NAME_BYTES. */
#define COVEI_BELL_PREFIX ".cove-bell-"
void covei_bell_name(const uint8_t id[16], uint32_t slot, uint32_t generation, char *out_name);
/* Clears what a dead member left in its slot, if nobody else is at it. Costs some microseconds; may fail without harm. */
void covei_slot_recover(covei_member *member, uint32_t slot);

bool covei_member_is_removed(const covei_member *member);
bool covei_member_has_lost_its_name(const covei_member *member); /* costs a system call */
cove_result covei_member_remove(covei_member *member);
cove_result covei_member_own(covei_member *member);
cove_result covei_member_disown(covei_member *member);
cove_result covei_member_retire(covei_member *member);
bool covei_member_is_owner(const covei_member *member);

/* Takes a role (COVEI_BYTE_ROLE_…), alone (COVEI_LOCK_EXCLUSIVE) or together with others (COVEI_LOCK_SHARED), until the token is dropped
 * or the process ends. COVE_OK · COVE_ERR_BUSY others have it in a way that excludes this, quiet · errors of opening, told. */
cove_result covei_member_take_role(covei_member *member, uint64_t role, covei_lock kind, covei_token *out_token);

#endif

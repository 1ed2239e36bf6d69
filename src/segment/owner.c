/* Ownership: one word, NONE, a slot with its generation, or DOOMED, which is final.
 *
 * Every change is one compare-and-swap. A dead owner needs no cleaning up: its slot's byte is free, and whoever comes next
 * replaces it (adoption, in attach.c) or buries the segment. */
#include "segment/internal.h"

static uint64_t me(const covei_member *member) {
    return covei_owner_word(covei_load_relaxed(&member->slot), covei_load_relaxed(&member->generation));
}

static cove_result check(covei_member *member, const char *step) {
    if (member->lifetime == COVE_WHILE_OWNED && !member->is_read_only)
        return COVE_OK;
    covei_error_about(member->domain->path, member->name);
    if (member->is_read_only)
        return covei_fail(COVE_ERR_ACCESS, 0, step, "the handle is read-only, and a reader cannot be the owner");
    return covei_fail(COVE_ERR_OPTION, 0, step, "it has no owner: it was not created with COVE_WHILE_OWNED");
}

bool covei_member_is_owner(const covei_member *member) {
    return !member->is_read_only && member->lifetime == COVE_WHILE_OWNED && covei_load_seqcst(&member->header->owner) == me(member);
}

cove_result covei_member_own(covei_member *member) {
    cove_result result = check(member, "own");
    if (result != COVE_OK)
        return result;
    uint64_t owner = covei_load_seqcst(&member->header->owner);
    do {
        if (owner == COVEI_OWNER_DOOMED) {
            covei_error_about(member->domain->path, member->name);
            return covei_fail(COVE_ERR_GONE, 0, "own", "its owner has retired it; its name is gone");
        }
    } while (owner != me(member) && !covei_cas_seqcst(&member->header->owner, &owner, me(member)));
    return COVE_OK;
}

cove_result covei_member_disown(covei_member *member) {
    cove_result result = check(member, "disown");
    if (result != COVE_OK)
        return result;
    uint64_t owner = me(member);
    if (covei_cas_seqcst(&member->header->owner, &owner, COVEI_OWNER_NONE))
        return COVE_OK;
    return covei_fail_quick(COVE_ERR_NOT_OWNER, "disown", &member->about, "this handle is not the owner");
}

/* CRASH: killed after the swap: the word says DOOMED, and the next who comes by removes the name. */
cove_result covei_owner_retire(covei_member *member) {
    covei_file file;
    uint64_t owner = me(member);
    if (!covei_cas_seqcst(&member->header->owner, &owner, COVEI_OWNER_DOOMED))
        return COVE_ERR_NOT_OWNER;
    cove_result result = covei_member_file(member, COVE_READ_WRITE, &file);
    if (result == COVE_OK) {
        for (int tries = 0; tries < 100; tries++) { /* somebody may be at the name, for microseconds */
            result = covei_unname(&(covei_corpse){member->domain, member->name, file, member->identity, member->id}, NULL);
            if (result != COVEI_AGAIN)
                break;
            covei_pause(20000);
        }
        covei_file_close(file);
    }
    covei_mark_removed(member->header, member->event_offset, member->file_bytes);
    (void)result; /* the word has decided; a name that could not be removed now is removed by the next who comes by */
    return COVE_OK;
}

cove_result covei_member_retire(covei_member *member) {
    cove_result result = check(member, "retire");
    if (result != COVE_OK)
        return result;
    covei_guard_enter();
    result = covei_owner_retire(member);
    covei_guard_leave();
    if (result == COVE_ERR_NOT_OWNER)
        return covei_fail_quick(result, "retire", &member->about, "this handle is not the owner");
    return result;
}

/* Slots: one for each read-write member, and the question whether its holder is alive.
 *
 * A slot belongs to whoever holds its lock byte. The word in it says which generation; `hold` and the object's words say what
 * is held. What a dead one held is cleared under a byte of its own, CLEAR, and not under the slot's: who is stopped while he clears would
 * else make the dead look alive. Only the holder of one of the two changes what the slot holds, and nobody has CLEAR while a member lives
 * there but the member itself, on its way in.
 *
 * Orders that matter: the word says "not live" before anything is cleared · cleared before the slot's byte is locked · the byte is locked
 * before the slot is live · what it held is cleared before it is free · its bit in `occupied` stands before it holds anything. */
#include "segment/internal.h"

#include <stdio.h>
#include <string.h>

static bool leads_to(covei_file file, covei_identity identity) {
    covei_file_facts facts;
    return covei_file_look(file, &facts) == COVE_OK && covei_identity_equal(facts.identity, identity);
}

/* P's number may have been closed by the program (closefrom), and given to another file since. */
cove_result covei_member_probe(covei_member *member, covei_file *out_file) {
    out_file->handle = (int64_t)covei_load_relaxed(&member->probe);
    if (covei_likely(leads_to(*out_file, member->identity)))
        return COVE_OK;
    covei_dir dir;
    covei_file file;
    covei_guard_enter();
    cove_result result = covei_domain_dir(member->domain, &dir);
    if (result == COVE_OK)
        result = covei_file_open(dir, member->name, member->is_read_only ? COVE_READ_ONLY : COVE_READ_WRITE, &file);
    if (result == COVE_OK && !leads_to(file, member->identity)) {
        covei_file_close(file);
        result = COVE_ERR_LOST;
    }
    if (result == COVE_OK) {
        covei_mutex_enter(COVEI_MUTEX_LISTS);
        out_file->handle = (int64_t)covei_load_relaxed(&member->probe);
        if (leads_to(*out_file, member->identity)) /* another thread was faster */
            covei_file_close(file);
        else
            covei_store_relaxed(&member->probe, (uint64_t)file.handle);
        out_file->handle = (int64_t)covei_load_relaxed(&member->probe);
        covei_mutex_leave(COVEI_MUTEX_LISTS);
    }
    covei_guard_leave();
    if (result == COVE_OK)
        return COVE_OK;
    covei_error_about(member->domain->path, member->name);
    return covei_fail(COVE_ERR_LOST, 0, "probe",
                      "this program has closed the descriptor by which it tells who is alive, and the name no longer leads to the object");
}

cove_result covei_slot_is_alive(covei_member *member, uint32_t slot, bool *out_alive) {
    covei_file probe;
    covei_lock held;
    cove_result result = covei_member_probe(member, &probe);
    /* Asked for shared: a reader's shared lock on the byte cannot pass for life. */
    if (result == COVE_OK)
        result = covei_lock_probe(probe, COVEI_BYTE_SLOT(slot), COVEI_LOCK_SHARED, &held);
    if (result == COVE_OK)
        *out_alive = held == COVEI_LOCK_EXCLUSIVE;
    return result;
}

cove_result covei_member_is_alive(covei_member *member, uint32_t slot, uint32_t generation, bool *out_alive) {
    *out_alive = false;
    if (slot >= member->slot_count)
        return COVE_OK;
    if (!member->is_read_only && slot == covei_load_relaxed(&member->slot) && generation == covei_load_relaxed(&member->generation)) {
        *out_alive = true;
        return COVE_OK;
    }
    /* First the word, then the byte: a member that stores its word holds its byte already. */
    if (covei_load_seqcst(&member->slots[slot].word) != covei_slot_word(generation, COVEI_SLOT_LIVE))
        return COVE_OK;
    return covei_slot_is_alive(member, slot, out_alive);
}

void covei_bell_name(const uint8_t id[16], uint32_t slot, uint32_t generation, char *out_name) {
    uint64_t half;
    memcpy(&half, id, sizeof half);
    snprintf(out_name, COVEI_BELL_NAME_BYTES, COVEI_BELL_PREFIX "%016llx-%u-%u", (unsigned long long)half, slot, generation);
}

/* The bell of a slot's last holder, if it had one: its name goes with it. Its holder takes it away himself unless he was killed. */
static void forget_bell(covei_member *member, uint32_t index) {
    covei_slot_shm *slot = &member->slots[index];
    char name[COVEI_BELL_NAME_BYTES];
    covei_dir dir;
    covei_and_seqcst(&member->header->watching[index / 64], ~(UINT64_C(1) << (index % 64)));
    if (!(covei_load_seqcst(&slot->hold[COVEI_SLOT_BELL]) & COVEI_BELL_THERE))
        return;
    if (covei_domain_dir(member->domain, &dir) == COVE_OK) {
        covei_bell_name(member->id, index, covei_slot_generation(covei_load_seqcst(&slot->word)), name);
        cove_result gone = covei_file_unlink(dir, name); /* else the sweep does it */
        (void)gone;
    }
    covei_and_seqcst(&slot->hold[COVEI_SLOT_BELL], ~(COVEI_BELL_THERE | COVEI_BELL_ARMED | COVEI_BELL_UNHEARD));
}

static void set_occupied(covei_member *member, uint32_t slot, bool is_occupied) {
    covei_a64 *word = &member->header->occupied[slot / 64];
    uint64_t bit = UINT64_C(1) << (slot % 64);
    if (is_occupied)
        covei_or_seqcst(word, bit);
    else
        covei_and_seqcst(word, ~bit);
}

/* All that whoever was in the slot has left: from the first step on he is provably dead. CLEAR is held, and the slot's byte is free. */
static void clear_slot(covei_member *member, uint32_t index) {
    covei_slot_shm *slot = &member->slots[index];
    covei_store_seqcst(&slot->word, covei_slot_word(covei_slot_generation(covei_load_seqcst(&slot->word)), 0));
    forget_bell(member, index);
    member->kind->release(member, index);
}

/* Takes CLEAR of a slot where nobody lives. COVE_ERR_BUSY: somebody does, or is at it. */
static cove_result begin_clearing(covei_file file, uint32_t index) {
    covei_lock held;
    cove_result result = covei_lock_try(file, COVEI_BYTE_CLEAR(index), COVEI_LOCK_EXCLUSIVE);
    if (result != COVE_OK)
        return result;
    result = covei_lock_probe(file, COVEI_BYTE_SLOT(index), COVEI_LOCK_EXCLUSIVE, &held);
    if (result == COVE_OK && held == COVEI_LOCK_FREE)
        return COVE_OK;
    covei_lock_release(file, COVEI_BYTE_CLEAR(index));
    return result == COVE_OK ? COVE_ERR_BUSY : result;
}

/* COVE_OK: it is ours. COVE_ERR_BUSY: somebody lives in it.
 * CRASH: killed anywhere: both bytes are free, the slot may be half cleared or half described; the next claimant does all of this again. */
static cove_result try_slot(covei_member *member, covei_file token_file, uint32_t index) {
    const covei_process_facts *process = covei_process_look();
    covei_slot_shm *slot = &member->slots[index];
    cove_result result = begin_clearing(token_file, index);
    if (result != COVE_OK)
        return result;
    clear_slot(member, index);
    result = covei_lock_try(token_file, COVEI_BYTE_SLOT(index), COVEI_LOCK_EXCLUSIVE);
    if (result != COVE_OK)
        goto out;
    slot->pid = process->pid;
    slot->pid_namespace = process->pid_namespace;
    slot->started = process->started;
    memcpy(&slot->boot, process->boot_id, sizeof slot->boot);
    slot->attached_unix_ns = covei_clock_unix_ns();
    memcpy(slot->program, process->program, sizeof slot->program);
    set_occupied(member, index, true);
    uint32_t generation = covei_slot_generation(covei_load_relaxed(&slot->word)) + 1;
    covei_store_seqcst(&slot->word, covei_slot_word(generation, COVEI_SLOT_LIVE));
    covei_store_relaxed(&member->slot, index);
    covei_store_relaxed(&member->generation, generation);
out:
    covei_lock_release(token_file, COVEI_BYTE_CLEAR(index));
    return result;
}

/* Asked first, because asking is cheaper than trying. COVE_ERR_BUSY: somebody lives in it. */
static cove_result try_slot_of_the_dead(covei_member *member, covei_file token_file, covei_file probe, uint32_t index) {
    covei_lock held;
    cove_result result = covei_lock_probe(probe, COVEI_BYTE_SLOT(index), COVEI_LOCK_EXCLUSIVE, &held);
    if (result != COVE_OK)
        return result;
    return held == COVEI_LOCK_FREE ? try_slot(member, token_file, index) : COVE_ERR_BUSY;
}

/* A few of the slots that hold something, from a place that moves: those whose member is dead are used again first, so that the
 * dead do not fill the table that every writer looks through. Not all: asking the kernel costs time. */
#define DEAD_PROBES 8

static cove_result claim_one_of_the_dead(covei_member *member, covei_file token_file, covei_file probe) {
    static covei_a32 place;
    uint32_t words = (member->slot_count + 63) / 64, start = covei_add_relaxed(&place, 1) + covei_process_look()->pid;
    for (uint32_t w = 0, asked = 0; w < words && asked < DEAD_PROBES; w++) {
        uint32_t base = (start + w) % words * 64;
        uint64_t occupied = covei_load_seqcst(&member->header->occupied[base / 64]);
        for (; occupied && asked < DEAD_PROBES; occupied &= occupied - 1, asked++) {
            uint32_t index = base + (uint32_t)__builtin_ctzll(occupied);
            if (index >= member->slot_count)
                break;
            cove_result result = try_slot_of_the_dead(member, token_file, probe, index);
            if (result != COVE_ERR_BUSY)
                return result;
        }
    }
    return COVE_ERR_FULL;
}

static cove_result claim_among(covei_member *member, covei_file token_file, covei_file probe, bool free_ones) {
    for (uint32_t base = 0; base < member->slot_count; base += 64) {
        uint64_t occupied = covei_load_seqcst(&member->header->occupied[base / 64]);
        uint64_t wanted = free_ones ? ~occupied : occupied;
        if (member->slot_count - base < 64)
            wanted &= (UINT64_C(1) << (member->slot_count - base)) - 1;
        for (; wanted; wanted &= wanted - 1) {
            uint32_t index = base + (uint32_t)__builtin_ctzll(wanted);
            cove_result result = free_ones ? try_slot(member, token_file, index) : try_slot_of_the_dead(member, token_file, probe, index);
            if (result != COVE_ERR_BUSY)
                return result;
        }
    }
    return COVE_ERR_FULL;
}

cove_result covei_slot_claim(covei_member *member, covei_file token_file) {
    covei_file probe = {(int64_t)covei_load_relaxed(&member->probe)};
    cove_result result = claim_one_of_the_dead(member, token_file, probe);
    for (int round = 0; round < 2 && result == COVE_ERR_FULL; round++) {
        result = claim_among(member, token_file, probe, true);
        if (result == COVE_ERR_FULL)
            result = claim_among(member, token_file, probe, false);
    }
    if (result == COVE_ERR_FULL)
        covei_fail(COVE_ERR_FULL, 0, "claim",
                   "all %u places for read-write members are taken; create it with more slots, or open it read-only", member->slot_count);
    return result;
}

/* CRASH: killed anywhere: the next claimant of the slot clears it. */
void covei_slot_give_back(covei_member *member) {
    uint32_t index = covei_load_relaxed(&member->slot);
    forget_bell(member, index);
    member->kind->release(member, index);
    set_occupied(member, index, false);
    covei_store_seqcst(&member->slots[index].word, covei_slot_word(covei_load_relaxed(&member->generation), 0));
}

/* RECOVER by a member: the same as a claimant does, without taking the slot.
 * CRASH: killed anywhere: the byte is free again, and all of it can be repeated. */
void covei_slot_recover(covei_member *member, uint32_t index) {
    covei_file file;
    covei_guard_enter();
    if (covei_member_file(member, COVE_READ_WRITE, &file) == COVE_OK) {
        if (begin_clearing(file, index) == COVE_OK) {
            clear_slot(member, index);
            set_occupied(member, index, false);
            covei_lock_release(file, COVEI_BYTE_CLEAR(index)); /* a child between fork and exec may hold the description for longer */
        }
        covei_file_close(file);
    }
    covei_guard_leave();
}

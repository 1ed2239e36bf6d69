/* What the files of the segment folder share with each other, and with nobody else but inspection. */
#ifndef COVEI_SEGMENT_INTERNAL_H
#define COVEI_SEGMENT_INTERNAL_H

#include "base/error.h"
#include "segment/segment.h"

/* Drop everything, back off, start again by name. Never leaves the folder. */
#define COVEI_AGAIN ((cove_result)1000)

/* How long a name may stay busy before COVE_ERR_BUSY: whoever holds N or D exclusively needs microseconds, unless stopped. */
#define COVEI_BUSY_LIMIT_NS UINT64_C(3000000000)
#define COVEI_BUSY_TRIES 1000 /* and at least so many: who was stopped for the 3 s himself has not tried yet */

/* Sleeps a little, longer each time, outside the guard. False when `start_ns` is too long ago. */
bool covei_back_off(uint32_t *tries, cove_time_ns start_ns);

/* ---- facts.c */

/* Reads and checks the facts of a file: COVE_OK · COVE_ERR_FOREIGN, _VERSION, _TRUNCATED, _DAMAGED. `is_blank` (may be null) is
 * set where there is no header at all, only zeros or nothing. */
cove_result covei_facts_read(covei_file file, const covei_file_facts *file_facts, covei_facts_shm *out_facts, bool *out_blank);

/* The facts of a new segment; sizes are computed here. COVE_ERR_SIZE where they do not fit. */
cove_result covei_facts_make(const covei_request *request, uint64_t granule_bytes, covei_facts_shm *out_facts);

/* ---- slot.c */

/* Takes a slot for `member` by locking its byte on `token_file`; COVE_ERR_FULL when there is none. */
cove_result covei_slot_claim(covei_member *member, covei_file token_file);
/* Gives the member's own slot back; its lock byte is dropped by the caller afterwards. */
void covei_slot_give_back(covei_member *member);

/* ---- remove.c */

/* A segment's file as those see it who may bury it: `file` is a description that nobody else uses, open for writing. */
typedef struct covei_corpse {
    covei_domain *domain;
    const char *name;
    covei_file file;
    covei_identity identity;
    const uint8_t *id; /* 16 bytes, or null: none was read */
} covei_corpse;

/* Whether the name leads to this very file. COVE_OK · COVEI_AGAIN it does not · else why that cannot be told, which is told. */
cove_result covei_leads(covei_domain *domain, const char *name, covei_file file, covei_identity identity);

/* Removes the name if it leads to the file. *out_removed tells whether it did (may be null).
 * COVE_OK · COVEI_AGAIN somebody is at it · COVE_ERR_ACCESS */
cove_result covei_unname(const covei_corpse *corpse, bool *out_removed);

/* Removes what is left when every user is dead. COVE_OK the name no longer leads there · COVEI_AGAIN not dead after all, or
 * somebody is at it · COVE_ERR_ACCESS */
cove_result covei_bury(const covei_corpse *corpse, cove_lifetime lifetime);

/* Says in the object that its name has gone, and wakes everyone who waits in it. */
void covei_mark_removed(covei_header_shm *header, const uint64_t event_offset[COVEI_EVENTS], uint64_t mapped_bytes);

/* Whether a segment with this lifetime is a leftover: D is free and nothing says it should stay. Takes nothing.
 * COVE_OK and *out_dead, or COVEI_AGAIN when D is held exclusively. */
cove_result covei_is_leftover(covei_file file, cove_lifetime lifetime, bool *out_dead);

/* Looks at some entries of the domain, or at all, and buries what is left there. */
void covei_sweep(covei_domain *domain, bool all);

/* ---- owner.c */

/* Ends the caller's ownership for good and removes the name. COVE_ERR_NOT_OWNER. */
cove_result covei_owner_retire(covei_member *member);

/* A fresh description of the member's file, for exclusive locks. */
cove_result covei_member_file(covei_member *member, cove_access access, covei_file *out_file);

#endif

/* The bytes of a segment.
 *
 *          offset   bytes
 *               0     512   facts: written once, before the file has a name; never changed after
 *             512    3584   state: owner, removed, occupied, watching
 *     slot_offset   128 each  one slot for each read-write member
 *   object_offset           the object's own
 *
 *   facts                                       state
 *      0  magic               8                  512  owner             8   NONE, (generation, slot) or DOOMED
 *      8  endian              4                  520  removed           4
 *     12  layout_major        2                 1024  occupied        512   a bit for each slot that may hold something
 *     14  layout_minor        2                 1536  watching        512   a bit for each slot that may want a bell rung on a change
 *     16  features_required   4                 slot
 *     20  features_optional   4                    0  word              8   generation << 1 | live
 *     24  kind                4                    8  hold             56   what the member holds in the object; its last word: the bell
 *     28  lifetime            4                   64  pid               4   ┐
 *     32  id                 16                   72  pid_namespace     8   │ for people
 *     48  file_bytes          8                   80  started           8   │
 *     56  slot_offset         8                   88  boot              8   │
 *     64  slot_count          4                   96  attached_unix_ns  8   │
 *     68  slot_bytes          4                  104  program          16   ┘
 *     72  object_offset       8
 *     80  object_bytes        8
 *     88  object_fact        32   the kind's own
 *    120  schema_hash         8
 *    128  type_name          64
 *    192  created_unix_ns     8
 *    200  boot_id            16
 *    216  creator_version    16
 *    232  flags               4
 *    240  event_offset       32   words to wake when the object is removed; 0: none
 *    272  checksum            8   of bytes 0 to 271
 *
 * Locks stand on bytes of the file far past its end: they are the kernel's, not part of the contents.
 *
 * Who may write what
 *   facts            nobody, once the file has a name
 *   owner            any member, by compare-and-swap; DOOMED is final
 *   removed          who has removed the name, 0 to 1
 *   watching[i]      the member in slot i; whoever recovers it
 *   occupied[i], slot[i]   who holds the lock byte of slot i, and for `word` and `hold` the object's protocol
 * Invariants
 *   I1  what a slot holds that is not live counts for nothing: somebody is clearing it
 *   I2  a slot whose `hold` is not zero has its bit in `occupied`; but a queue's cursor stays
 *   I3  generations of a slot only grow (modulo 2^32); every word by which a slot holds something names its generation
 *       too, or is cleared with the slot
 */
#ifndef COVEI_SEGMENT_LAYOUT_H
#define COVEI_SEGMENT_LAYOUT_H

#include "base/atomic.h"

#include <assert.h>
#include <stdint.h>

#define COVEI_MAGIC UINT64_C(0x0a1a0d45564f4389) /* 89 'C' 'O' 'V' 'E' 0d 1a 0a: no text file begins like this */
#define COVEI_ENDIAN 0x01020304u
#define COVEI_LAYOUT_MAJOR 1
#define COVEI_LAYOUT_MINOR 0
#define COVEI_FEATURES_KNOWN 0u /* of features_required */

#define COVEI_SLOTS_DEFAULT 128u
#define COVEI_SLOTS_MAX 4096u
#define COVEI_EVENTS 4
#define COVEI_FLAG_WAKE_READERS 1u
#define COVEI_SLOT_BELL 13 /* of hold: bits, and above them a count (src/sync/watch.h) */
#define COVEI_BELL_ARMED 1u
#define COVEI_BELL_UNHEARD 2u
#define COVEI_BELL_THERE 4u
#define COVEI_BELL_COUNT 8u /* goes on from one member of a slot to the next */

/* The lock bytes. */
#define COVEI_BYTE_DEADMAN (UINT64_C(1) << 62)                /* shared by every attachment: free means all are dead */
#define COVEI_BYTE_NAME (COVEI_BYTE_DEADMAN + 1)              /* exclusive: who removes the name */
#define COVEI_BYTE_READERS (COVEI_BYTE_DEADMAN + 2)           /* shared by read-only attachments, for people */
#define COVEI_BYTE_ROLE_WRITER (COVEI_BYTE_DEADMAN + 3)       /* who writes or produces: exclusive by the only one, or shared */
#define COVEI_BYTE_ROLE_TAKER (COVEI_BYTE_DEADMAN + 4)        /* who consumes: the same */
#define COVEI_BYTE_SLOT(i) (COVEI_BYTE_DEADMAN + 16 + (i))    /* exclusive: the member in slot i */
#define COVEI_BYTE_CLEAR(i) (COVEI_BYTE_DEADMAN + 8192 + (i)) /* exclusive: who clears slot i, whose member is dead, or takes it */

#define COVEI_OWNER_NONE UINT64_C(0)
#define COVEI_OWNER_DOOMED UINT64_MAX

/* LAYOUT: everything below is read by other builds. */
typedef struct covei_facts_shm {
    uint64_t magic;
    uint32_t endian;
    uint16_t layout_major, layout_minor;
    uint32_t features_required, features_optional;
    uint32_t kind, lifetime;
    uint8_t id[16];
    uint64_t file_bytes;
    uint64_t slot_offset;
    uint32_t slot_count, slot_bytes;
    uint64_t object_offset, object_bytes;
    uint64_t object_fact[4];
    uint64_t schema_hash;
    char type_name[64];
    uint64_t created_unix_ns;
    uint8_t boot_id[16];
    char creator_version[16];
    uint32_t flags, reserved;
    uint64_t event_offset[COVEI_EVENTS];
    uint64_t checksum;
} covei_facts_shm;

typedef struct covei_header_shm {
    covei_facts_shm facts;
    uint8_t reserved_0[512 - sizeof(covei_facts_shm)];
    covei_a64 owner;
    covei_a32 removed;
    uint8_t reserved_1[500];
    covei_a64 occupied[COVEI_SLOTS_MAX / 64];
    covei_a64 watching[COVEI_SLOTS_MAX / 64];
    uint8_t reserved_2[4096 - 2048];
} covei_header_shm;

typedef struct covei_slot_shm {
    covei_a64 word;
    union {
        covei_a32 hold[14];
        covei_a64 hold64[7]; /* the same bytes */
    };
    uint32_t pid, reserved_0;
    uint64_t pid_namespace;
    uint64_t started;
    uint64_t boot; /* the first half of the boot id */
    uint64_t attached_unix_ns;
    char program[16];
    uint64_t reserved_1;
} covei_slot_shm;

#define COVEI_AT(type, field, offset) static_assert(offsetof(type, field) == (offset), #type "." #field)
COVEI_AT(covei_facts_shm, endian, 8);
COVEI_AT(covei_facts_shm, layout_major, 12);
COVEI_AT(covei_facts_shm, layout_minor, 14);
COVEI_AT(covei_facts_shm, features_required, 16);
COVEI_AT(covei_facts_shm, features_optional, 20);
COVEI_AT(covei_facts_shm, kind, 24);
COVEI_AT(covei_facts_shm, lifetime, 28);
COVEI_AT(covei_facts_shm, id, 32);
COVEI_AT(covei_facts_shm, file_bytes, 48);
COVEI_AT(covei_facts_shm, slot_offset, 56);
COVEI_AT(covei_facts_shm, slot_count, 64);
COVEI_AT(covei_facts_shm, slot_bytes, 68);
COVEI_AT(covei_facts_shm, object_offset, 72);
COVEI_AT(covei_facts_shm, object_bytes, 80);
COVEI_AT(covei_facts_shm, object_fact, 88);
COVEI_AT(covei_facts_shm, schema_hash, 120);
COVEI_AT(covei_facts_shm, type_name, 128);
COVEI_AT(covei_facts_shm, created_unix_ns, 192);
COVEI_AT(covei_facts_shm, boot_id, 200);
COVEI_AT(covei_facts_shm, creator_version, 216);
COVEI_AT(covei_facts_shm, flags, 232);
COVEI_AT(covei_facts_shm, event_offset, 240);
COVEI_AT(covei_facts_shm, checksum, 272);
COVEI_AT(covei_header_shm, owner, 512);
COVEI_AT(covei_header_shm, removed, 520);
COVEI_AT(covei_header_shm, occupied, 1024);
COVEI_AT(covei_header_shm, watching, 1536);
static_assert(sizeof(covei_header_shm) == 4096, "one page");
COVEI_AT(covei_slot_shm, hold, 8);
COVEI_AT(covei_slot_shm, pid, 64);
COVEI_AT(covei_slot_shm, pid_namespace, 72);
COVEI_AT(covei_slot_shm, started, 80);
COVEI_AT(covei_slot_shm, boot, 88);
COVEI_AT(covei_slot_shm, attached_unix_ns, 96);
COVEI_AT(covei_slot_shm, program, 104);
static_assert(sizeof(covei_slot_shm) == 128, "two cache lines: neighbours that are prefetched in pairs do not disturb each other");

/* The word of a slot, and words that name one. A slot number has 12 bits, a generation 32. */
#define COVEI_SLOT_LIVE UINT64_C(1)
static inline uint64_t covei_slot_word(uint32_t generation, uint64_t live) {
    return (uint64_t)generation << 1 | live;
}
static inline uint32_t covei_slot_generation(uint64_t word) {
    return (uint32_t)(word >> 1);
}
/* The owner word: 1 in bit 63 keeps it from being NONE, and bit 62 from being DOOMED. */
static inline uint64_t covei_owner_word(uint32_t slot, uint32_t generation) {
    return UINT64_C(1) << 63 | (uint64_t)slot << 32 | generation;
}
static inline uint32_t covei_owner_slot(uint64_t owner) {
    return (uint32_t)(owner >> 32) & 0x3fffffff;
}
static inline uint32_t covei_owner_generation(uint64_t owner) {
    return (uint32_t)owner;
}

#endif

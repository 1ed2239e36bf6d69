/* The bytes of a block, from the start of its object. docs/protocols/lock-block-wait.md
 *
 *      0  lock     64   src/sync/rwlock.h
 *     64  sequence  8   2k: copy k & 1 is current. 2k + 1: the same, and the other copy is unstable: being written, abandoned,
 *                       or left by a dead writer. Single copy: odd while a writer is inside, or has died there
 *     72  length   16   of each copy; checked against the capacity whenever it is read
 *     88  notified  8   changes told by cove_block_notify
 *     96  change    4   event: the version changed
 *    100           28   reserved
 *    128  data          where the capacity is below 4096; else at 4096. The second copy follows, at a multiple of 64 (4096)
 *
 *   object_fact[0]  capacity      [1]  flags: COVE_BLOCK_SINGLE      [2]  offset of the data      [3]  bytes from copy to copy
 *
 * The version is (sequence >> 1) + notified.
 *
 * Who may write what
 *     sequence, length, data of the copy that is not current    who has the writer word, after a drain
 *     notified                                                  anybody, by adding
 * Invariants
 *     I1  two copies: a copy that is current, or pinned by a live member, does not change
 *     I2  the sequence never steps back; a dead writer needs no repair, the next goes on from where it stands
 *     I3  single copy: an even sequence means that no byte changes
 */
#ifndef COVEI_BLOCK_LAYOUT_H
#define COVEI_BLOCK_LAYOUT_H

#include "sync/rwlock.h"
#include "sync/watch.h"

/* LAYOUT: read by other builds. */
typedef struct covei_block_shm {
    covei_rwlock_shm lock;
    covei_a64 sequence;
    covei_a64 length[2];
    covei_a64 notified;
    covei_a32 change;
    uint32_t reserved[7];
} covei_block_shm;
COVEI_AT(covei_block_shm, sequence, 64);
COVEI_AT(covei_block_shm, length, 72);
COVEI_AT(covei_block_shm, notified, 88);
COVEI_AT(covei_block_shm, change, 96);
static_assert(sizeof(covei_block_shm) == 128, "the lock's line and the sequence's line");

/* What is known of a block from its facts, checked. */
typedef struct covei_block_shape {
    uint64_t capacity_bytes;
    uint64_t data_offset, stride_bytes;
    bool is_single;
} covei_block_shape;

/* COVE_OK · COVE_ERR_DAMAGED told. `object_bytes` is what the segment gives to the object. */
cove_result covei_block_shape_read(const uint64_t object_fact[4], uint64_t object_bytes, covei_block_shape *out_shape);

/* What an onlooker may tell of a block by loads alone. `object` has at least sizeof(covei_block_shm) bytes. */
typedef struct covei_block_look {
    uint64_t length_bytes, version;
    bool is_unrepaired;
    bool has_writer;
    uint32_t writer_slot, writer_generation;
} covei_block_look;
void covei_block_look_at(const covei_block_shm *shared, const covei_block_shape *shape, covei_block_look *out_look);
uint32_t covei_block_pins_of(const covei_slot_shm *slot);

#endif

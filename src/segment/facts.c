/* The facts of a segment: the first 512 bytes of its file, written before it has a name and never changed.
 *
 * They are read with pread into a private copy, checked there, and used from there: what a hostile member does to the bytes
 * in the file afterwards reaches nobody who is attached. */
#include "segment/internal.h"

#include "base/checked.h"

#include <cove/inspect.h>
#include <string.h>

const char *cove_kind_name(cove_kind kind) {
    return kind == COVE_KIND_BLOCK ? "block" : kind == COVE_KIND_STREAM ? "stream" : kind == COVE_KIND_QUEUE ? "queue" : "unknown";
}

const char *cove_lifetime_name(cove_lifetime lifetime) {
    static const char *const names[] = {"while-used", "while-owned", "until-removed"};
    return (unsigned)lifetime <= COVE_UNTIL_REMOVED ? names[lifetime] : "unknown";
}

/* FNV-1a, 64 bits (Fowler, Noll, Vo): finds damage, does not keep anybody out. */
static uint64_t checksum_of(const covei_facts_shm *facts) {
    const uint8_t *bytes = (const uint8_t *)facts;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < offsetof(covei_facts_shm, checksum); i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t swapped(uint64_t value) {
    return __builtin_bswap64(value);
}

/* Whether offsets and sizes lie in the file, one behind the other. */
static bool is_consistent(const covei_facts_shm *facts) {
    uint64_t slots_end, object_end;
    if (facts->slot_count < 1 || facts->slot_count > COVEI_SLOTS_MAX || facts->slot_bytes != sizeof(covei_slot_shm) ||
        facts->slot_offset < sizeof(covei_header_shm) || facts->slot_offset % 64 || facts->object_offset % 4096)
        return false;
    if (!covei_add_u64(facts->slot_offset, (uint64_t)facts->slot_count * facts->slot_bytes, &slots_end) ||
        slots_end > facts->object_offset || !covei_add_u64(facts->object_offset, facts->object_bytes, &object_end) ||
        object_end > facts->file_bytes)
        return false;
    for (int i = 0; i < COVEI_EVENTS; i++) {
        uint64_t at = facts->event_offset[i];
        if (at && (at % 4 || at < facts->object_offset || facts->object_bytes < 4 || at > object_end - 4))
            return false;
    }
    return facts->lifetime <= COVE_UNTIL_REMOVED && facts->type_name[sizeof facts->type_name - 1] == 0;
}

cove_result covei_facts_read(covei_file file, const covei_file_facts *file_facts, covei_facts_shm *out_facts, bool *out_blank) {
    union {
        covei_facts_shm facts;
        uint8_t bytes[sizeof(covei_facts_shm)];
    } read;
    size_t got;
    memset(&read, 0, sizeof read);
    if (out_blank)
        *out_blank = false;
    if (!file_facts->is_regular)
        return covei_fail(COVE_ERR_FOREIGN, 0, "read header", "is not a regular file");
    cove_result result = covei_file_read(file, 0, &read, sizeof read, &got);
    if (result != COVE_OK)
        return result;
    const covei_facts_shm *facts = &read.facts;
    if (facts->magic != COVEI_MAGIC) {
        bool blank = true;
        for (size_t i = 0; i < sizeof read; i++)
            blank = blank && !read.bytes[i];
        if (out_blank)
            *out_blank = blank;
        if (facts->magic == swapped(COVEI_MAGIC))
            return covei_fail(COVE_ERR_VERSION, 0, "read header", "was made on a machine of the other byte order");
        return covei_fail(COVE_ERR_FOREIGN, 0, "read header",
                          blank ? "has no header: an empty file, or one that lost its contents with the power"
                                : "is a file, but not Cove's");
    }
    if (got < sizeof read)
        return covei_fail(COVE_ERR_TRUNCATED, 0, "read header", "ends after %zu bytes, in the middle of its header", got);
    if (facts->endian != COVEI_ENDIAN)
        return covei_fail(COVE_ERR_DAMAGED, 0, "read header", "the byte order tag is 0x%08x, not 0x%08x", facts->endian, COVEI_ENDIAN);
    if (facts->layout_major != COVEI_LAYOUT_MAJOR)
        return covei_fail(COVE_ERR_VERSION, 0, "read header", "has layout %u.%u (by Cove %.15s), and this Cove %s speaks layout %d",
                          facts->layout_major, facts->layout_minor, facts->creator_version, COVE_VERSION, COVEI_LAYOUT_MAJOR);
    if (facts->checksum != checksum_of(facts))
        return covei_fail(COVE_ERR_DAMAGED, 0, "read header", "the header's checksum does not fit its contents");
    if (facts->features_required & ~COVEI_FEATURES_KNOWN)
        return covei_fail(COVE_ERR_VERSION, 0, "read header", "needs features 0x%x that this Cove %s does not have",
                          facts->features_required & ~COVEI_FEATURES_KNOWN, COVE_VERSION);
    if (!is_consistent(facts))
        return covei_fail(COVE_ERR_DAMAGED, 0, "read header", "the sizes in the header contradict each other");
    if (file_facts->size_bytes < facts->file_bytes)
        return covei_fail(COVE_ERR_TRUNCATED, 0, "read header", "has %llu bytes, and its header says %llu",
                          (unsigned long long)file_facts->size_bytes, (unsigned long long)facts->file_bytes);
    *out_facts = *facts;
    return COVE_OK;
}

cove_result covei_facts_make(const covei_request *request, uint64_t granule_bytes, covei_facts_shm *out_facts) {
    const covei_process_facts *process = covei_process_look();
    covei_facts_shm facts;
    uint64_t object_offset, end;
    memset(&facts, 0, sizeof facts);
    facts.magic = COVEI_MAGIC;
    facts.endian = COVEI_ENDIAN;
    facts.layout_major = COVEI_LAYOUT_MAJOR;
    facts.layout_minor = COVEI_LAYOUT_MINOR;
    facts.kind = request->kind->number;
    facts.lifetime = (uint32_t)request->lifetime;
    covei_random(facts.id, sizeof facts.id);
    facts.slot_offset = sizeof(covei_header_shm);
    facts.slot_count = request->slots ? request->slots : COVEI_SLOTS_DEFAULT;
    facts.slot_bytes = sizeof(covei_slot_shm);
    facts.object_bytes = request->object_bytes;
    if (!covei_align_up_u64(facts.slot_offset + (uint64_t)facts.slot_count * facts.slot_bytes, 4096, &object_offset) ||
        !covei_add_u64(object_offset, facts.object_bytes, &end) || !covei_align_up_u64(end, granule_bytes, &facts.file_bytes) ||
        facts.file_bytes > INT64_MAX)
        return covei_fail(COVE_ERR_SIZE, 0, "create", "an object of %llu bytes is larger than any file",
                          (unsigned long long)request->object_bytes);
    facts.object_offset = object_offset;
    memcpy(facts.object_fact, request->object_fact, sizeof facts.object_fact);
    facts.schema_hash = request->schema_hash;
    if (request->type_name)
        memcpy(facts.type_name, request->type_name, strlen(request->type_name));
    facts.created_unix_ns = covei_clock_unix_ns();
    memcpy(facts.boot_id, process->boot_id, sizeof facts.boot_id);
    memcpy(facts.creator_version, COVE_VERSION, sizeof COVE_VERSION);
    facts.flags = request->wakes_readers ? COVEI_FLAG_WAKE_READERS : 0;
    for (int i = 0; i < COVEI_EVENTS; i++)
        facts.event_offset[i] = request->event[i] ? object_offset + request->event[i] - 1 : 0;
    facts.checksum = checksum_of(&facts);
    *out_facts = facts;
    return COVE_OK;
}

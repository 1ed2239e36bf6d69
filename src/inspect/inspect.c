/* Looking at domains and objects without touching them: files are opened for reading, locks are only asked for.
 *
 * This is the one place that knows every kind of object; each kind says how it is to be read in its layout header. */
#include "base/error.h"
#include "base/name.h"
#include "block/block_layout.h"
#include "queue/queue_layout.h"
#include "segment/internal.h"
#include "stream/stream_layout.h"

#include <cove/inspect.h>
#include <string.h>

/* A file that is being looked at. */
typedef struct look {
    covei_file file;
    covei_file_facts file_facts;
    covei_facts_shm facts;
    cove_object_info info;
    covei_block_look block;
    covei_stream_shape stream;
    covei_queue_shape queue;
    covei_ring ring;                   /* with null pointers: only offsets and sizes */
    uint64_t ring_at;                  /* where it begins in the file */
    uint32_t in_hand[COVEI_SLOTS_MAX]; /* of each slot: what it has borrowed, or taken */
} look;

/* Bytes of a segment as they are now; what the file does not have reads as zero. */
static void read_part(covei_file file, uint64_t offset, void *out, size_t size_bytes) {
    size_t got;
    memset(out, 0, size_bytes);
    cove_result short_is_zero = covei_file_read(file, offset, out, size_bytes, &got);
    (void)short_is_zero;
}

static bool holds(covei_file file, uint64_t byte, covei_lock asked) {
    covei_lock held;
    return covei_lock_probe(file, byte, asked, &held) == COVE_OK && held != COVEI_LOCK_FREE;
}

static bool slot_is_alive(covei_file file, uint32_t slot) {
    return holds(file, COVEI_BYTE_SLOT(slot), COVEI_LOCK_SHARED);
}

static void read_slot(const look *l, uint32_t slot, covei_slot_shm *out_slot) {
    read_part(l->file, l->facts.slot_offset + (uint64_t)slot * sizeof(covei_slot_shm), out_slot, sizeof *out_slot);
}

static void look_at_members(look *l) {
    struct {
        uint64_t owner, removed;
    } state;
    uint64_t occupied[COVEI_SLOTS_MAX / 64];
    read_part(l->file, offsetof(covei_header_shm, owner), &state, sizeof state);
    read_part(l->file, offsetof(covei_header_shm, occupied), occupied, sizeof occupied);
    for (uint32_t slot = 0; slot < l->facts.slot_count; slot++) {
        if (!(occupied[slot / 64] >> (slot % 64) & 1))
            continue;
        if (slot_is_alive(l->file, slot))
            l->info.live_count++;
        else
            l->info.dead_count++;
    }
    l->info.has_readers = holds(l->file, COVEI_BYTE_READERS, COVEI_LOCK_EXCLUSIVE);
    uint32_t owner_slot = covei_owner_slot(state.owner);
    if (l->info.lifetime == COVE_WHILE_OWNED && state.owner != COVEI_OWNER_NONE && state.owner != COVEI_OWNER_DOOMED &&
        owner_slot < l->facts.slot_count) {
        covei_slot_shm slot;
        read_slot(l, owner_slot, &slot);
        l->info.owner_slot = owner_slot;
        l->info.has_owner = covei_load_relaxed(&slot.word) == covei_slot_word(covei_owner_generation(state.owner), COVEI_SLOT_LIVE) &&
                            slot_is_alive(l->file, owner_slot);
    }
}

static void look_at_block(look *l) {
    covei_block_shape shape;
    covei_block_shm shared;
    cove_result result = covei_block_shape_read(l->facts.object_fact, l->facts.object_bytes, &shape);
    if (result != COVE_OK) {
        l->info.state = result;
        return;
    }
    read_part(l->file, l->facts.object_offset, &shared, sizeof shared);
    covei_block_look_at(&shared, &shape, &l->block);
    l->info.capacity_bytes = shape.capacity_bytes;
    l->info.length_bytes = l->block.length_bytes;
    l->info.version = l->block.version;
    l->info.is_single_copy = shape.is_single;
    l->info.is_unrepaired = l->block.is_unrepaired;
    if (shape.is_single && l->block.has_writer && covei_load_relaxed(&shared.sequence) & 1 && l->block.writer_slot < l->facts.slot_count &&
        !slot_is_alive(l->file, l->block.writer_slot))
        l->info.is_unrepaired = true; /* died inside, and nobody has come by yet */
}

static uint64_t cell_of(const look *l, uint64_t number) {
    covei_a64 cell;
    read_part(l->file, l->ring_at + l->ring.cell_at + 8 * (number & l->ring.mask), &cell, sizeof cell);
    return covei_load_relaxed(&cell);
}

/* The number of the newest value, from the tail on, as far as the cells are there. */
static uint64_t newest_of(const look *l, uint64_t tail) {
    uint64_t number = tail;
    for (uint32_t steps = 0; steps <= l->ring.cells && covei_cell_ahead(cell_of(l, number), number) == 0; steps++)
        number++;
    return number - 1;
}

/* Some at a time of an array of words in the file. */
#define WORDS 512u
static uint32_t read_words(const look *l, uint64_t offset, uint32_t at, uint32_t count, covei_a64 words[WORDS]) {
    uint32_t now = count - at < WORDS ? count - at : WORDS;
    read_part(l->file, offset + 8 * (uint64_t)at, words, now * sizeof *words);
    return now;
}

/* Who writes and takes, of the living. */
static void count_parts(look *l) {
    for (uint32_t slot = 0; slot < l->facts.slot_count && (l->info.live_count || l->info.dead_count); slot++) {
        covei_slot_shm s;
        read_slot(l, slot, &s);
        uint32_t marks = covei_load_relaxed(&s.hold[COVEI_HOLD_MARKS]);
        if (!(marks & (COVEI_MARK_WRITES | COVEI_MARK_TAKES)) || !slot_is_alive(l->file, slot))
            continue;
        l->info.writer_count += (marks & COVEI_MARK_WRITES) != 0;
        l->info.consumer_count += (marks & COVEI_MARK_TAKES) != 0;
    }
}

/* Counts the tickets that are out, in all and of each slot, in one pass. */
static void count_tickets(look *l) {
    covei_a64 words[WORDS];
    for (uint32_t at = 0, count; at < l->ring.tickets; at += count) {
        count = read_words(l, l->ring_at + sizeof(covei_ring_shm), at, l->ring.tickets, words);
        for (uint32_t i = 0; i < count; i++) {
            uint64_t ticket = covei_load_relaxed(&words[i]);
            l->info.borrowed_count += ticket != 0;
            l->in_hand[covei_ticket_slot(ticket)] += ticket != 0;
        }
    }
}

/* What streams and queues have in common. */
static void look_at_payload(look *l, const covei_payload *payload, const covei_ring_shm *shared) {
    l->info.capacity_bytes = payload->capacity_bytes;
    l->info.type = payload->type;
    l->info.element_bytes = payload->element_bytes;
    l->info.keeps_times = l->ring.keeps_times;
    l->info.newest_sequence = newest_of(l, covei_load_relaxed(&shared->tail));
    count_parts(l);
    l->info.has_only_writer = holds(l->file, COVEI_BYTE_ROLE_WRITER, COVEI_LOCK_SHARED);
}

static void look_at_stream(look *l) {
    covei_ring_shm shared;
    cove_result result = covei_stream_shape_read(l->facts.object_fact, l->facts.object_bytes, NULL, &l->stream, &l->ring);
    if (result != COVE_OK) {
        l->info.state = result;
        return;
    }
    l->ring_at = l->facts.object_offset;
    read_part(l->file, l->ring_at, &shared, sizeof shared);
    l->info.depth = l->stream.depth;
    l->info.loans = l->stream.loans;
    l->info.borrows = l->stream.borrows;
    look_at_payload(l, &l->stream.payload, &shared);
    count_tickets(l);
}

static uint64_t cursor_of(const look *l, uint32_t slot) {
    covei_slot_shm s;
    if (slot >= l->facts.slot_count)
        return 0;
    read_slot(l, slot, &s);
    return covei_load_relaxed(&s.hold64[COVEI_HOLD_CURSOR]);
}

/* What is in hand: of whom the head names, what his cursor has not passed; else what own words say. And what was given back. */
static void count_own_words(look *l, uint64_t head, uint64_t next) {
    covei_a64 words[WORDS];
    uint32_t namesake = covei_cell_buffer(head), count;
    uint64_t first = namesake < l->facts.slot_count ? cursor_of(l, namesake) : next;
    if (next - first > COVEI_RUN_MAX)
        first = next;
    for (uint32_t at = 0; at < l->ring.buffer_count; at += count) {
        count = read_words(l, l->ring_at + l->ring.own_at, at, l->ring.buffer_count, words);
        for (uint32_t i = 0; i < count; i++) {
            uint64_t own = covei_load_relaxed(&words[i]), number = covei_taken_number(own, next);
            covei_own_state state = covei_own_state_of(own);
            uint32_t slot = covei_own_slot(own);
            if (state == COVEI_OWN_PLACED || state == COVEI_OWN_LEFT) {
                number = covei_placed_number(own, next);
                if (number - first >= next - first || !covei_cell_is(cell_of(l, number), number, at + i))
                    continue;
                slot = namesake;
            } else if (state == COVEI_OWN_BACK) {
                l->info.ready_count++;
                continue;
            } else if (state != COVEI_OWN_TAKEN && (state != COVEI_OWN_CLAIMED || (int64_t)(cursor_of(l, slot) - number) > 0)) {
                continue;
            }
            l->info.in_flight_count++;
            l->in_hand[slot % COVEI_SLOTS_MAX]++;
        }
    }
}

static void look_at_queue(look *l) {
    covei_queue_shm shared;
    covei_ring_shm ring;
    cove_result result = covei_queue_shape_read(l->facts.object_fact, l->facts.object_bytes, NULL, &l->queue, &l->ring);
    if (result != COVE_OK) {
        l->info.state = result;
        return;
    }
    l->ring_at = l->facts.object_offset + sizeof shared;
    read_part(l->file, l->facts.object_offset, &shared, sizeof shared);
    read_part(l->file, l->ring_at, &ring, sizeof ring);
    cove_object_info *o = &l->info;
    o->depth = l->queue.depth;
    o->loans = l->queue.loans;
    o->holds = l->queue.holds;
    o->max_deliveries = l->queue.max_deliveries;
    o->drops_oldest = l->queue.drops_oldest;
    memcpy(o->dead_letter, shared.dead_letter, sizeof o->dead_letter - 1);
    look_at_payload(l, &l->queue.payload, &ring);
    o->has_only_consumer = holds(l->file, COVEI_BYTE_ROLE_TAKER, COVEI_LOCK_SHARED);
    uint64_t head = covei_load_relaxed(&shared.head), newest = o->newest_sequence;
    uint64_t next = newest + 1 + (uint64_t)covei_cell_ahead(head, newest + 1), first = covei_load_relaxed(&ring.first);
    o->dropped_count = covei_load_relaxed(&shared.dropped);
    o->redelivered_count = covei_load_relaxed(&shared.redelivered);
    o->dead_letter_count = covei_load_relaxed(&shared.buried);
    o->delivered_count = next - first > o->dropped_count ? next - first - o->dropped_count : 0;
    count_own_words(l, head, next);
    if ((int64_t)(newest - next) < 0)
        return;
    o->ready_count += newest + 1 - next;
    uint64_t cell = cell_of(l, next);
    if (l->ring.keeps_times && !covei_cell_ahead(cell, next) && covei_cell_buffer(cell) < l->ring.buffer_count) {
        cove_time_ns now = cove_now(), pushed;
        read_part(l->file, l->ring_at + l->ring.buffer_at + covei_cell_buffer(cell) * l->ring.stride_bytes + l->ring.time_offset, &pushed,
                  sizeof pushed);
        o->oldest_age_ns = now > pushed ? now - pushed : 0;
    }
}

/* Opens and tells. The caller closes l->file, whatever was returned. COVE_ERR_NOT_FOUND: no such file. */
static cove_result look_at(covei_dir dir, const char *name, look *l) {
    bool dead = false;
    memset(l, 0, sizeof *l);
    l->file.handle = COVEI_NO_HANDLE;
    memcpy(l->info.name, name, strlen(name) + 1);
    cove_result result = covei_file_find(dir, name, &l->file_facts);
    if (result != COVE_OK)
        return result;
    l->info.file_bytes = l->file_facts.size_bytes;
    l->info.allocated_bytes = l->file_facts.allocated_bytes;
    l->info.owner_uid = l->file_facts.owner_uid;
    l->info.mode = l->file_facts.mode;
    result = covei_file_open(dir, name, COVE_READ_ONLY, &l->file);
    if (result == COVE_ERR_NOT_FOUND)
        return result;
    if (result == COVE_OK)
        result = covei_file_look(l->file, &l->file_facts);
    if (result == COVE_OK)
        result = covei_facts_read(l->file, &l->file_facts, &l->facts, NULL);
    l->info.state = result;
    if (result != COVE_OK)
        return COVE_OK;
    l->info.kind = l->facts.kind >= COVE_KIND_BLOCK && l->facts.kind <= COVE_KIND_QUEUE ? (cove_kind)l->facts.kind : COVE_KIND_UNKNOWN;
    l->info.lifetime = (cove_lifetime)l->facts.lifetime;
    l->info.object_bytes = l->facts.object_bytes;
    l->info.layout_major = l->facts.layout_major;
    l->info.layout_minor = l->facts.layout_minor;
    memcpy(l->info.creator_version, l->facts.creator_version, sizeof l->info.creator_version - 1);
    memcpy(l->info.type_name, l->facts.type_name, sizeof l->info.type_name - 1);
    l->info.schema_hash = l->facts.schema_hash;
    memcpy(l->info.id, l->facts.id, sizeof l->info.id);
    l->info.created_unix_ns = l->facts.created_unix_ns;
    l->info.created_before_boot = memcmp(l->facts.boot_id, covei_process_look()->boot_id, sizeof l->facts.boot_id) != 0;
    l->info.slot_count = l->facts.slot_count;
    look_at_members(l);
    if (l->facts.kind == COVE_KIND_BLOCK)
        look_at_block(l);
    else if (l->facts.kind == COVE_KIND_STREAM)
        look_at_stream(l);
    else if (l->facts.kind == COVE_KIND_QUEUE)
        look_at_queue(l);
    if (l->info.state == COVE_OK && covei_is_leftover(l->file, l->info.lifetime, &dead) == COVE_OK && dead)
        l->info.state = COVE_ERR_NOT_FOUND;
    return COVE_OK;
}

typedef struct listing {
    covei_dir dir;
    const char *domain;
    cove_inspect_fn each;
    void *context;
} listing;

static bool list_entry(void *context, const char *name) {
    listing *list = context;
    look l;
    if (name[0] == '.' || strlen(name) > COVE_NAME_MAX)
        return true;
    covei_error_about(list->domain, name);
    bool more = look_at(list->dir, name, &l) != COVE_OK || list->each(list->context, &l.info);
    covei_file_close(l.file);
    return more;
}

/* ---- Public. None of it is inside the guard: the files hold no locks, so it does no harm where a child of fork inherits one; and
 * the functions that are called back may fork. */

cove_result cove_inspect_domain(const char *domain, cove_domain_info *out_info) {
    cove_domain_info info = {0};
    covei_dir_facts facts;
    covei_volume_facts volume;
    covei_dir dir;
    covei_error_about(domain, NULL);
    if (!out_info)
        return covei_fail(COVE_ERR_ARGUMENT, 0, "inspect", "there is no place for the answer");
    cove_result result = covei_domain_open(domain, info.path, sizeof info.path, &dir, &facts);
    if (result == COVE_OK) {
        result = covei_dir_volume(dir, &volume);
        covei_dir_close(dir);
    }
    if (result != COVE_OK)
        return result;
    memcpy(info.file_system, volume.name, sizeof volume.name);
    info.owner_uid = facts.owner_uid;
    info.mode = facts.mode;
    info.default_object_mode = covei_domain_default_mode(facts.mode);
    info.total_bytes = volume.total_bytes;
    info.free_bytes = volume.free_bytes;
    *out_info = info;
    return COVE_OK;
}

cove_result cove_inspect_list(const char *domain, cove_inspect_fn each, void *context) {
    char path[COVEI_DOMAIN_PATH_MAX];
    covei_dir_facts facts;
    listing list = {.domain = path, .each = each, .context = context};
    covei_error_about(domain, NULL);
    if (!each)
        return covei_fail(COVE_ERR_ARGUMENT, 0, "inspect", "there is nobody to tell");
    cove_result result = covei_domain_open(domain, path, sizeof path, &list.dir, &facts);
    if (result == COVE_OK) {
        result = covei_dir_list(list.dir, list_entry, &list);
        covei_dir_close(list.dir);
    }
    return result;
}

/* Opens the domain and looks at one object in it; the caller closes the file. */
static cove_result look_by_name(const char *domain, const char *name, look *l) {
    char path[COVEI_DOMAIN_PATH_MAX];
    covei_dir_facts facts;
    covei_dir dir;
    l->file.handle = COVEI_NO_HANDLE;
    covei_error_about(domain, NULL);
    if (!covei_name_is_valid(name))
        return covei_fail(COVE_ERR_NAME, 0, "inspect", "'%.220s' is not a name", name ? name : "(null)");
    cove_result result = covei_domain_open(domain, path, sizeof path, &dir, &facts);
    if (result != COVE_OK)
        return result;
    covei_error_about(path, name);
    result = look_at(dir, name, l);
    covei_dir_close(dir);
    return result == COVE_ERR_NOT_FOUND ? covei_fail(result, 0, "inspect", "there is no object of this name") : result;
}

cove_result cove_inspect_object(const char *domain, const char *name, cove_object_info *out_info) {
    look l;
    if (!out_info)
        return covei_fail(COVE_ERR_ARGUMENT, 0, "inspect", "there is no place for the answer");
    cove_result result = look_by_name(domain, name, &l);
    covei_file_close(l.file);
    if (result == COVE_OK)
        *out_info = l.info;
    return result;
}

static void tell_attachment(const look *l, uint32_t index, cove_attachment_info *out_info) {
    const covei_process_facts *process = covei_process_look();
    covei_slot_shm slot;
    read_slot(l, index, &slot);
    uint32_t generation = covei_slot_generation(covei_load_relaxed(&slot.word));
    *out_info = (cove_attachment_info){
        .slot = index,
        .generation = generation,
        .is_alive = slot_is_alive(l->file, index),
        .is_owner = l->info.has_owner && l->info.owner_slot == index,
        .pid = slot.pid,
        .pid_namespace = slot.pid_namespace,
        .same_pid_namespace = slot.pid_namespace == process->pid_namespace,
        .since_unix_ns = slot.attached_unix_ns,
        .is_writing = l->block.has_writer && l->block.writer_slot == index && l->block.writer_generation == generation,
        .reading_count = l->info.kind == COVE_KIND_BLOCK ? covei_block_pins_of(&slot) : 0,
    };
    memcpy(out_info->program, slot.program, sizeof slot.program);
    out_info->has_bell = covei_load_relaxed(&slot.hold[COVEI_SLOT_BELL]) & COVEI_BELL_THERE;
    if (l->info.kind != COVE_KIND_STREAM && l->info.kind != COVE_KIND_QUEUE)
        return;
    uint32_t marks = covei_load_relaxed(&slot.hold[COVEI_HOLD_MARKS]);
    uint64_t cursor = covei_load_relaxed(&slot.hold64[COVEI_HOLD_CURSOR]);
    out_info->is_writer = marks & COVEI_MARK_WRITES;
    out_info->is_consumer = marks & COVEI_MARK_TAKES;
    *(l->info.kind == COVE_KIND_QUEUE ? &out_info->taken_count : &out_info->borrowed_count) = l->in_hand[index % COVEI_SLOTS_MAX];
    out_info->is_awaited = marks & COVEI_MARK_AWAITED;
    out_info->is_reader = marks & (COVEI_MARK_READS | COVEI_MARK_AWAITED);
    out_info->behind_count =
        out_info->is_reader && (int64_t)(l->info.newest_sequence + 1 - cursor) > 0 ? l->info.newest_sequence + 1 - cursor : 0;
}

cove_result cove_inspect_attachments(const char *domain, const char *name, cove_inspect_attachment_fn each, void *context) {
    uint64_t occupied[COVEI_SLOTS_MAX / 64];
    look l;
    if (!each)
        return covei_fail(COVE_ERR_ARGUMENT, 0, "inspect", "there is nobody to tell");
    cove_result result = look_by_name(domain, name, &l);
    if (result == COVE_OK && l.info.state != COVE_ERR_NOT_FOUND)
        result = l.info.state;
    if (result == COVE_OK) {
        bool more = true;
        read_part(l.file, offsetof(covei_header_shm, occupied), occupied, sizeof occupied);
        for (uint32_t slot = 0; more && slot < l.facts.slot_count; slot++)
            if (occupied[slot / 64] >> (slot % 64) & 1) {
                cove_attachment_info info;
                tell_attachment(&l, slot, &info);
                more = each(context, &info);
            }
    }
    covei_file_close(l.file);
    return result;
}

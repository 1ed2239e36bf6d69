/* Looking without touching: what is in a domain, and who is attached to what.
 *
 * Nothing here writes to a segment, takes a lock or keeps anything alive. What is told is true of a moment that has passed
 * when the call returns. Process numbers are told for people; no part of Cove decides anything by them.
 */
#ifndef COVE_INSPECT_H
#define COVE_INSPECT_H

#include <cove/domain.h>
#include <cove/result.h>
#include <cove/value.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cove_kind { COVE_KIND_UNKNOWN = 0, COVE_KIND_BLOCK = 1, COVE_KIND_STREAM = 2, COVE_KIND_QUEUE = 3 } cove_kind;

/** "block", "stream", "queue"; "unknown" for a number that is no kind. Never null. */
COVE_API const char *cove_kind_name(cove_kind kind);

/** "while-used", "while-owned", "until-removed"; "unknown" otherwise. Never null. */
COVE_API const char *cove_lifetime_name(cove_lifetime lifetime);

typedef struct cove_object_info {
    char name[COVE_NAME_MAX + 1];
    cove_result state; /**< COVE_OK · COVE_ERR_NOT_FOUND dead: the next call removes it · COVE_ERR_FOREIGN · COVE_ERR_DAMAGED ·
                            COVE_ERR_TRUNCATED · COVE_ERR_VERSION · COVE_ERR_ACCESS. Unless it is COVE_OK or
                            COVE_ERR_NOT_FOUND, only the name and what stands up to `mode` is known */
    uint64_t file_bytes;
    uint64_t allocated_bytes; /**< what the file takes on its file system */
    uint32_t owner_uid;
    uint32_t mode;

    cove_kind kind;
    cove_lifetime lifetime;
    uint64_t object_bytes; /**< of the file, what is the object's own */
    uint32_t layout_major, layout_minor;
    char creator_version[16];
    char type_name[64];
    uint64_t schema_hash;
    uint8_t id[16];           /**< random, of this very object */
    uint64_t created_unix_ns; /**< CLOCK_REALTIME */
    bool created_before_boot; /**< by an earlier start of this machine, or on another machine */
    uint32_t slot_count;
    uint32_t live_count; /**< read-write members that are alive */
    uint32_t dead_count; /**< slots of dead members that the next member will clear */
    bool has_readers;    /**< read-only members are present */
    bool has_owner;      /**< COVE_WHILE_OWNED: a live one */
    uint32_t owner_slot; /**< valid with has_owner */

    /* A block's own. */
    uint64_t capacity_bytes;
    uint64_t length_bytes;
    uint64_t version;
    bool is_single_copy;
    bool is_unrepaired;

    /* A stream's own, besides its capacity. */
    cove_type type;
    uint32_t element_bytes;
    uint32_t depth, loans, borrows;
    uint32_t borrowed_count;  /**< values that are borrowed now */
    uint64_t newest_sequence; /**< 0: none yet */
    uint32_t writer_count;    /**< live members that have written, or said that they will */
    bool has_only_writer;
    bool keeps_times;

    /* A queue's own, besides its capacity, type, depth, loans and times; newest_sequence is the newest message's, and writer_count
     * counts producers. */
    uint32_t holds;
    uint32_t max_deliveries; /**< 0: there is no dead-letter queue */
    char dead_letter[COVE_NAME_MAX + 1];
    uint32_t consumer_count;  /**< live members that have taken, or said that they will */
    uint64_t ready_count;     /**< messages that wait */
    uint64_t in_flight_count; /**< that consumers have in hand, dead ones included who have not been cleared yet */
    uint64_t delivered_count, redelivered_count, dropped_count, dead_letter_count;
    uint64_t oldest_age_ns; /**< of the oldest that waits; 0: none does, or the queue keeps no times */
    bool drops_oldest;
    bool has_only_consumer;
} cove_object_info;

typedef struct cove_attachment_info {
    uint32_t slot;
    uint32_t generation;
    bool is_alive; /**< by its kernel lock; false: the process is gone, and the next member clears the slot */
    bool is_owner;
    uint32_t pid; /**< in the PID namespace `pid_namespace` */
    uint64_t pid_namespace;
    bool same_pid_namespace; /**< as the caller's: pid means the same here */
    char program[17];
    uint64_t since_unix_ns;
    bool is_writing;        /**< holds the write lock */
    uint32_t reading_count; /**< read locks held */

    /* Of a stream. */
    bool is_writer;
    bool is_reader;          /**< has read, or is waited for */
    bool is_awaited;         /**< lossless: writers wait for it */
    uint64_t behind_count;   /**< values published that it has not read; may be told up to 1/32 of the depth too high */
    uint32_t borrowed_count; /**< values it has borrowed */
    bool has_bell;           /**< it has asked for a descriptor */

    /* Of a queue; is_writer: it produces. */
    bool is_consumer;
    uint32_t taken_count; /**< messages it has in hand */
} cove_attachment_info;

typedef struct cove_domain_info {
    char path[4096];
    char file_system[24];
    uint32_t owner_uid;
    uint32_t mode;
    uint32_t default_object_mode;
    uint64_t total_bytes; /**< of the file system; 0: unlimited or unknown */
    uint64_t free_bytes;
} cove_domain_info;

/** @return COVE_OK · COVE_ERR_DOMAIN. Never creates the domain */
COVE_API COVE_MUST_USE cove_result cove_inspect_domain(const char *domain, cove_domain_info *out_info);

/** Told of each file of a domain. Return false to stop. */
typedef bool (*cove_inspect_fn)(void *context, const cove_object_info *info);

/** Tells of every file in the domain, in no order, dead and foreign ones included; not of names that start with a dot.
 *  @return COVE_OK · COVE_ERR_DOMAIN */
COVE_API COVE_MUST_USE cove_result cove_inspect_list(const char *domain, cove_inspect_fn each, void *context);

/** Tells of one object. @return COVE_OK, see out_info->state · COVE_ERR_NAME · COVE_ERR_NOT_FOUND no such file · COVE_ERR_DOMAIN */
COVE_API COVE_MUST_USE cove_result cove_inspect_object(const char *domain, const char *name, cove_object_info *out_info);

typedef bool (*cove_inspect_attachment_fn)(void *context, const cove_attachment_info *info);

/** Tells of each read-write attachment of one object. Read-only ones hold no slot: see cove_object_info.has_readers.
 *  @return COVE_OK · COVE_ERR_NAME · COVE_ERR_NOT_FOUND · COVE_ERR_DOMAIN · what the object's state is when it is not COVE_OK */
COVE_API COVE_MUST_USE cove_result cove_inspect_attachments(const char *domain, const char *name, cove_inspect_attachment_fn each,
                                                            void *context);

#ifdef __cplusplus
}
#endif
#endif

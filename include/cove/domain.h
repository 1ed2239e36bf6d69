/* Domains and names: where objects live, how long, and who may have them.
 *
 * A domain is a directory. Who may enter it is the directory's mode; an object in it is one file of the same name. Where no
 * domain is named, it is $COVE_DOMAIN, and without that a directory of the user's own on the memory file system,
 * /dev/shm/cove-<uid>, made on first use with mode 0700.
 */
#ifndef COVE_DOMAIN_H
#define COVE_DOMAIN_H

#include <cove/result.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COVE_NAME_MAX 200 /**< longest name, in bytes, without the final NUL */

typedef enum cove_how {
    COVE_OPEN_OR_CREATE = 0,
    COVE_OPEN = 1,  /**< COVE_ERR_NOT_FOUND when there is none */
    COVE_CREATE = 2 /**< COVE_ERR_EXISTS when there is one */
} cove_how;

typedef enum cove_access {
    COVE_READ_WRITE = 0,
    COVE_READ_ONLY = 1 /**< the file is opened and mapped for reading only, so the kernel stops every write */
} cove_access;

/** How long an object lasts. Chosen by its creator, kept in the object. */
typedef enum cove_lifetime {
    COVE_WHILE_USED = 0,  /**< gone when the last attachment goes, however it goes */
    COVE_WHILE_OWNED = 1, /**< gone when its owner closes it; a killed owner's object is adopted by the next to open it, or gone */
    COVE_UNTIL_REMOVED = 2
} cove_lifetime;

typedef enum cove_size_rule {
    COVE_EXACT = 0,   /**< a size that is asked for must be the size that exists */
    COVE_AT_LEAST = 1 /**< a larger one will do */
} cove_size_rule;

/** What an open found or made. */
typedef struct cove_opened {
    bool created; /**< this call made the object */
    bool owner;   /**< this handle is the owner (COVE_WHILE_OWNED only) */
} cove_opened;

/* The options that every kind of object has. Zero is the default of each. They stand first in each kind's options struct,
 * so that they are written flat: (cove_block_options){ .domain = "/run/robot", .capacity_bytes = 64 }. */
#define COVE_COMMON_OPTIONS \
    const char *domain;       /**< path of the domain; null: the default one */ \
    cove_how how;             /**< open or create, open, create */ \
    cove_access access;       /**< read-write or read-only */ \
    cove_lifetime lifetime;   /**< of an object that this call creates */ \
    uint32_t mode;            /**< file mode of an object that this call creates; 0: the domain's default, else 0600 */ \
    uint32_t slots;           /**< how many read-write members at once, 1 to 4096; 0: 128. At creation only */ \
    cove_size_rule size_rule; /**< what a size that is asked for means for an object that exists */ \
    uint32_t reserved_0;      /**< must be 0 */ \
    const char *type_name;    /**< up to 63 bytes; null: unchecked */ \
    uint64_t schema_hash;     /**< the caller's number for the shape of the type; 0: unchecked */ \
    cove_time_ns deadline_ns; /**< COVE_OPEN waits this long for the name to appear; 0: not at all */ \
    cove_opened *opened;      /**< receives what was found or made; may be null */ \
    bool prefault;            /**< touch every page now, so that no later access faults */ \
    bool lock_memory;         /**< mlock the object; COVE_ERR_MEMORY where the limit does not allow it */ \
    bool huge_pages;          /**< ask for huge pages; COVE_ERR_UNSUPPORTED where the kernel has none for this file */ \
    bool trust_any_owner;     /**< accept objects of users other than you, root and the domain's owner */ \
    bool interruptible; /**< a signal that is handled while a wait sleeps ends it with COVE_ERR_INTERRUPTED; one that comes between \
                                   two sleeps, some microseconds every 5 ms, does not: cove_block_interrupt is exact */ \
    bool wake_readers_always; /**< at creation: writers wake read-only members too, at one system call for each change */ \
    uint8_t reserved_1[2];    /**< must be 0 */

/** Makes a directory that is fit to be a domain, for objects that by default have `mode`.
 *
 *  The directory gets `mode` plus the right to enter for whoever may read, and the set-group-ID bit, by which a domain says
 *  that its own permissions are its objects' default: 0660 gives a directory of mode 2770 and objects of mode 0660. With
 *  0666 the sticky bit is added, so that users cannot remove each other's objects. An existing directory is changed to fit
 *  when it is empty and belongs to the caller.
 *
 *  @param path   its parent must exist
 *  @param mode   0600 to 0666; 0 means 0600
 *  @return COVE_OK · COVE_ERR_MODE · COVE_ERR_ARGUMENT · COVE_ERR_ACCESS · COVE_ERR_DOMAIN (something else is there) · COVE_ERR_SPACE
 *  @threads any  @crash killed inside: no directory, or one of mode 0700 that the next call completes */
COVE_API COVE_MUST_USE cove_result cove_domain_create(const char *path, uint32_t mode);

/** Writes the path of the domain that `domain` means (null: the default one) into `out_path`, with its NUL.
 *  @return COVE_OK · COVE_ERR_SIZE longer than `size_bytes` */
COVE_API COVE_MUST_USE cove_result cove_domain_path(const char *domain, char *out_path, size_t size_bytes);

#define COVE_REMOVE_FORCE 1u /**< also while somebody is attached; also a file of Cove's that is damaged */

/** Removes the object that `name` leads to now. Whoever is attached keeps what they have.
 *
 *  @param domain   null: the default one
 *  @param flags    0 or COVE_REMOVE_FORCE
 *  @return COVE_OK · COVE_ERR_NOT_FOUND · COVE_ERR_IN_USE somebody is attached · COVE_ERR_ACCESS · COVE_ERR_FOREIGN not an
 *          object of Cove's (never removed) · COVE_ERR_BUSY · COVE_ERR_NAME · COVE_ERR_DOMAIN · COVE_ERR_DAMAGED, _VERSION without force
 *  @threads any  @progress bounded: 3 s  @crash killed inside: the name is still there, or gone */
COVE_API COVE_MUST_USE cove_result cove_remove(const char *domain, const char *name, uint32_t flags);

/** Waits until a live object has this name.
 *  @return COVE_OK · COVE_ERR_TIMEOUT · COVE_ERR_NAME · COVE_ERR_DOMAIN
 *  @progress looks every 0.05 ms, growing to every 5 ms */
COVE_API COVE_MUST_USE cove_result cove_wait_for_name(const char *domain, const char *name, cove_time_ns deadline_ns);

/** What a garbage collection found. */
typedef struct cove_gc_report {
    uint64_t examined_count;
    uint64_t removed_count; /**< with COVE_GC_DRY_RUN: what would have been removed */
    uint64_t removed_bytes;
    uint64_t refused_count; /**< dead, but the permissions do not let us remove them */
} cove_gc_report;

/** Told of each leftover that is removed. */
typedef void (*cove_gc_fn)(void *context, const char *name, uint64_t size_bytes, cove_result outcome);

#define COVE_GC_DRY_RUN 1u

/** Removes every object of the domain whose last user is dead. Never touches what lives, what is meant to stay, or foreign files.
 *  @param each         called for each leftover, may be null
 *  @param out_report   may be null
 *  @return COVE_OK · COVE_ERR_DOMAIN · COVE_ERR_ACCESS
 *  @threads any  @crash killed inside: what was removed is removed, the rest is there for the next call */
COVE_API COVE_MUST_USE cove_result cove_gc(const char *domain, uint32_t flags, cove_gc_fn each, void *context, cove_gc_report *out_report);

/** Turns any key into a valid name, reversibly: `prefix`, '-', then the key with every byte outside A-Z a-z 0-9 . - written
 *  as '_' and two hexadecimal digits.
 *  @param prefix     a valid name without '-'; keeps the keys of different systems apart
 *  @param out_name   at least COVE_NAME_MAX + 1 bytes
 *  @return COVE_OK · COVE_ERR_NAME too long once escaped, or a bad prefix · COVE_ERR_ARGUMENT */
COVE_API COVE_MUST_USE cove_result cove_name_escape(const char *prefix, const void *key, size_t length_bytes, char *out_name);

/** The key that cove_name_escape made `name` of.
 *  @param out_key            at least COVE_NAME_MAX bytes; no NUL is added
 *  @return COVE_OK · COVE_ERR_NAME `name` was not made with this prefix */
COVE_API COVE_MUST_USE cove_result cove_name_unescape(const char *prefix, const char *name, void *out_key, size_t *out_length_bytes);

#ifdef __cplusplus
}
#endif
#endif

/* Domains as this process knows them: checked, and open while something in them is. */
#ifndef COVEI_SEGMENT_DOMAIN_H
#define COVEI_SEGMENT_DOMAIN_H

#include "platform/platform.h"

/* One directory. `dir` is open while `users` > 0; the record stays for the life of the process, so that the file system is
 * tested once. Fields without a note do not change once the record is in the list. */
typedef struct covei_domain {
    struct covei_domain *next;
    covei_identity identity;
    covei_volume_facts volume;
    covei_a32 has_nameless; /* files without a name can be made and published here; may turn false */
    covei_dir dir;          /* under the mutex */
    uint32_t users;         /* under the mutex */
    covei_a32 owner_uid;    /* as it was at the last enter */
    covei_a32 mode;
    covei_a64 next_sweep_ns;
    char path[]; /* absolute */
} covei_domain;

#define COVEI_DOMAIN_PATH_MAX 4096

/* Opens and checks the domain that `domain` means (null: the default one, which is made if it is not there). Inside the guard.
 * COVE_ERR_DOMAIN, with a sentence that says what is wrong and what to do. */
cove_result covei_domain_enter(const char *domain, covei_domain **out_domain);
void covei_domain_leave(covei_domain *domain);

/* The directory's handle; opened again by its path where the program has closed it under us. Inside the guard. */
cove_result covei_domain_dir(covei_domain *domain, covei_dir *out_dir);

/* For those who only look: opens without making, testing or recording anything. */
cove_result covei_domain_open(const char *domain, char *out_path, size_t size_bytes, covei_dir *out_dir, covei_dir_facts *out_facts);

/* The mode of new objects where none is asked for. */
uint32_t covei_domain_default_mode(uint32_t directory_mode);

/* Writes ".cove-" and 16 random hexadecimal digits. */
#define COVEI_HIDDEN_PREFIX ".cove-"
#define COVEI_HIDDEN_BYTES 24
void covei_hidden_name(char out_name[COVEI_HIDDEN_BYTES]);

#endif

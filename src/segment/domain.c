/* Domains: which directory, whether it can be trusted, and whether its file system can do what Cove rests on. */
#include "segment/domain.h"

#include "base/error.h"
#include "segment/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static covei_domain *domains; /* under the mutex */

uint32_t covei_domain_default_mode(uint32_t directory_mode) {
    /* The set-group-ID bit is how a domain says that its own permissions are meant for its objects too. */
    return directory_mode & 02000 ? (directory_mode & 0666) | 0600 : 0600;
}

static cove_result check_trust(bool is_private, const covei_dir_facts *facts) {
    if (is_private && facts->owner_uid != covei_process_uid())
        return covei_fail(COVE_ERR_DOMAIN, 0, "check domain",
                          "the default domain belongs to uid %u, and you are uid %u; remove it, or set COVE_DOMAIN to a directory of yours",
                          facts->owner_uid, covei_process_uid());
    if (is_private && facts->mode & 022)
        return covei_fail(COVE_ERR_DOMAIN, 0, "check domain",
                          "the default domain can be written by others (mode %04o); run: chmod 700 on it, or set COVE_DOMAIN", facts->mode);
    if (facts->mode & 02 && !(facts->mode & 01000))
        return covei_fail(COVE_ERR_DOMAIN, 0, "check domain",
                          "everyone may write the directory (mode %04o), so everyone could replace your objects; run: chmod +t on it",
                          facts->mode);
    return COVE_OK;
}

static cove_result find_path(const char *domain, char *out_path, size_t size_bytes, bool *out_private) {
    *out_private = false;
    if (!domain)
        return covei_dir_default(out_path, size_bytes, out_private);
    if (!*domain || strlen(domain) >= size_bytes)
        return covei_fail(COVE_ERR_DOMAIN, 0, "find domain", "a domain's path has 1 to %zu bytes", size_bytes - 1);
    memcpy(out_path, domain, strlen(domain) + 1);
    return COVE_OK;
}

cove_result cove_domain_path(const char *domain, char *out_path, size_t size_bytes) {
    char path[COVEI_DOMAIN_PATH_MAX];
    bool is_private;
    if (!out_path)
        return covei_fail(COVE_ERR_ARGUMENT, 0, "find domain", "cove_domain_path needs a place for the path");
    covei_error_about(domain, NULL);
    cove_result result = find_path(domain, path, sizeof path, &is_private);
    if (result == COVE_OK && strlen(path) >= size_bytes)
        result = covei_fail(COVE_ERR_SIZE, 0, "find domain", "the path needs %zu bytes", strlen(path) + 1);
    if (result == COVE_OK)
        memcpy(out_path, path, strlen(path) + 1);
    return result;
}

static cove_result open_dir(const char *domain, bool make, char *path, size_t size_bytes, covei_dir *out_dir, covei_dir_facts *out_facts) {
    bool is_private;
    cove_result result = find_path(domain, path, size_bytes, &is_private);
    if (result != COVE_OK)
        return result;
    covei_error_about(path, NULL);
    result = covei_dir_open(path, out_dir);
    if (result == COVE_ERR_NOT_FOUND && is_private && make) {
        result = covei_dir_create(path, 0700);
        if (result == COVE_OK)
            result = covei_dir_open(path, out_dir);
    }
    if (result == COVE_ERR_NOT_FOUND)
        return covei_fail(COVE_ERR_DOMAIN, 0, "open domain", "does not exist; make it with: cove domain create %s", path);
    if (result != COVE_OK)
        return result;
    result = covei_dir_look(*out_dir, out_facts);
    if (result == COVE_OK)
        result = check_trust(is_private, out_facts);
    if (result != COVE_OK)
        covei_dir_close(*out_dir);
    return result;
}

cove_result covei_domain_open(const char *domain, char *out_path, size_t size_bytes, covei_dir *out_dir, covei_dir_facts *out_facts) {
    return open_dir(domain, false, out_path, size_bytes, out_dir, out_facts);
}

void covei_hidden_name(char out_name[COVEI_HIDDEN_BYTES]) {
    uint64_t random;
    covei_random(&random, sizeof random);
    snprintf(out_name, COVEI_HIDDEN_BYTES, COVEI_HIDDEN_PREFIX "%016llx", (unsigned long long)random);
}

/* Unlinking the scratch file. That it has gone already is as good: another process's sweep may take it for a birth that was
 * never finished, before its lock stands. */
static cove_result unlink_scratch(covei_domain *domain, const char *hidden) {
    cove_result result = covei_file_unlink(domain->dir, hidden);
    return result == COVE_ERR_NOT_FOUND ? COVE_OK : result;
}

/* A file to try the file system with. *out_has_name: it has the hidden name, and must be unlinked. */
static cove_result make_scratch(covei_domain *domain, const char *hidden, covei_file *out_file, bool *out_has_name) {
    cove_result result = covei_file_create(domain->dir, NULL, 0600, out_file);
    *out_has_name = false;
    covei_store_relaxed(&domain->has_nameless, result == COVE_OK);
    if (result == COVE_ERR_UNSUPPORTED) {
        result = covei_file_create(domain->dir, hidden, 0600, out_file);
        *out_has_name = result == COVE_OK;
    }
    return result;
}

/* Sees whether a lock that a mapping carries survives the closing of its descriptor (overlayfs drops it), and whether a file
 * without a name can be given one. Where we may not write nothing can be tested, and the list of known file systems must do:
 * then we can only be a reader.
 * CRASH: killed inside: a nameless file vanishes; one that has its hidden name is buried by the next sweep. */
static cove_result test_volume(covei_domain *domain) {
    char hidden[COVEI_HIDDEN_BYTES];
    covei_file file = {COVEI_NO_HANDLE}, other = {COVEI_NO_HANDLE};
    covei_token token = {0};
    covei_lock held;
    bool has_name = false;
    if (!domain->volume.is_known)
        return covei_fail(COVE_ERR_DOMAIN, 0, "check domain",
                          "the file system is %s, whose locks or mappings are not known to be right; use a directory on tmpfs, ext4, "
                          "xfs or hugetlbfs",
                          domain->volume.name);
    covei_hidden_name(hidden);
    cove_result result = make_scratch(domain, hidden, &file, &has_name);
    if (result == COVE_ERR_ACCESS || result == COVE_ERR_SPACE)
        return COVE_OK;
    if (result != COVE_OK)
        return result;
    result = covei_lock_try(file, COVEI_BYTE_DEADMAN, COVEI_LOCK_EXCLUSIVE);
    if (result == COVE_ERR_BUSY)
        result = COVEI_AGAIN; /* a sweep has its hand on it already */
    if (result != COVE_OK)
        goto out;
    if ((result = covei_file_reopen(file, COVE_READ_WRITE, &other)) == COVE_ERR_UNSUPPORTED && has_name)
        result = covei_file_open(domain->dir, hidden, COVE_READ_WRITE, &other);
    if (result == COVE_ERR_UNSUPPORTED) /* no /proc: births cannot be nameless, and their locks must be trusted to the list */
        covei_store_relaxed(&domain->has_nameless, 0);
    if (result != COVE_OK) {
        result = result == COVE_ERR_UNSUPPORTED || result == COVE_ERR_NOT_FOUND ? COVE_OK : result;
        goto out;
    }
    if ((result = covei_file_reserve(file, domain->volume.granule_bytes)) != COVE_OK) {
        if (result == COVE_ERR_SPACE)
            result = COVE_OK; /* the object that is to be made will say so better */
        goto out;
    }
    if ((result = covei_token_carry(file, (size_t)domain->volume.granule_bytes, &token)) != COVE_OK)
        goto out;
    if (!has_name) {
        has_name = covei_file_publish(domain->dir, file, NULL, hidden) == COVE_OK;
        covei_store_relaxed(&domain->has_nameless, has_name);
    }
    covei_file_close(file);
    file.handle = COVEI_NO_HANDLE;
    result = covei_lock_probe(other, COVEI_BYTE_DEADMAN, COVEI_LOCK_EXCLUSIVE, &held);
    if (result == COVE_OK && held != COVEI_LOCK_EXCLUSIVE)
        result = covei_fail(COVE_ERR_DOMAIN, 0, "check domain",
                            "on this file system (%s) a lock does not survive the closing of its descriptor, so no death could be told; "
                            "use another directory, for example one in /dev/shm",
                            domain->volume.name);
out:
    covei_token_drop(&token);
    if (has_name) {
        cove_result gone = unlink_scratch(domain, hidden);
        result = result == COVE_OK ? gone : result;
    }
    covei_file_close(other);
    covei_file_close(file);
    return result;
}

static bool is_open(const covei_domain *domain) {
    covei_dir_facts facts;
    return covei_dir_look(domain->dir, &facts) == COVE_OK && covei_identity_equal(facts.identity, domain->identity);
}

cove_result covei_domain_enter(const char *name, covei_domain **out_domain) {
    char path[COVEI_DOMAIN_PATH_MAX], absolute[COVEI_DOMAIN_PATH_MAX];
    covei_dir dir;
    covei_dir_facts facts;
    cove_result result = open_dir(name, true, path, sizeof path, &dir, &facts);
    if (result != COVE_OK)
        return result;
    covei_mutex_enter(COVEI_MUTEX_LISTS);
    covei_domain *domain = domains;
    while (domain && !covei_identity_equal(domain->identity, facts.identity))
        domain = domain->next;
    if (domain) {
        /* A directory that was removed and made again may have the old one's number, on another file system even: where
         * nobody uses the record, its handle is replaced. */
        if (domain->users && is_open(domain))
            covei_dir_close(dir);
        else
            domain->dir = dir;
        goto found;
    }
    result = covei_dir_absolute(path, absolute, sizeof absolute);
    if (result == COVE_OK && !(domain = malloc(sizeof *domain + strlen(absolute) + 1)))
        result = covei_fail(COVE_ERR_MEMORY, 0, "open domain", "no memory");
    if (result != COVE_OK)
        goto failed;
    memset(domain, 0, sizeof *domain);
    memcpy(domain->path, absolute, strlen(absolute) + 1);
    domain->identity = facts.identity;
    domain->dir = dir;
    if ((result = covei_dir_volume(dir, &domain->volume)) != COVE_OK)
        goto failed;
    do
        result = test_volume(domain);
    while (result == COVEI_AGAIN);
    if (result != COVE_OK)
        goto failed;
    domain->next = domains;
    domains = domain;
found:
    covei_store_relaxed(&domain->owner_uid, facts.owner_uid);
    covei_store_relaxed(&domain->mode, facts.mode);
    domain->users++;
    covei_mutex_leave(COVEI_MUTEX_LISTS);
    *out_domain = domain;
    return COVE_OK;
failed:
    covei_mutex_leave(COVEI_MUTEX_LISTS);
    free(domain);
    covei_dir_close(dir);
    return result;
}

void covei_domain_leave(covei_domain *domain) {
    if (!domain)
        return;
    covei_mutex_enter(COVEI_MUTEX_LISTS);
    if (--domain->users == 0) {
        if (is_open(domain))
            covei_dir_close(domain->dir);
        domain->dir.handle = COVEI_NO_HANDLE;
    }
    covei_mutex_leave(COVEI_MUTEX_LISTS);
}

cove_result covei_domain_dir(covei_domain *domain, covei_dir *out_dir) {
    cove_result result = COVE_OK;
    covei_mutex_enter(COVEI_MUTEX_LISTS);
    if (!is_open(domain)) {
        covei_dir dir;
        result = covei_dir_open(domain->path, &dir);
        if (result == COVE_OK) {
            domain->dir = dir;
            if (!is_open(domain)) {
                covei_dir_close(dir);
                domain->dir.handle = COVEI_NO_HANDLE;
                result = covei_fail(COVE_ERR_LOST, 0, "find domain", "the directory that was the domain is no longer at %s", domain->path);
            }
        }
    }
    *out_dir = domain->dir;
    covei_mutex_leave(COVEI_MUTEX_LISTS);
    return result;
}

static bool note_entry(void *context, const char *name) {
    (void)name;
    *(bool *)context = true;
    return false;
}

/* Changing the mode of a directory that somebody fills (/tmp, a home) would do harm, also where we are allowed to. */
static cove_result check_changeable(const char *path, uint32_t mode) {
    covei_dir dir;
    covei_dir_facts facts;
    bool has_entries = false;
    cove_result result = covei_dir_open(path, &dir);
    if (result != COVE_OK)
        return result == COVE_ERR_NOT_FOUND ? COVE_OK : result;
    result = covei_dir_look(dir, &facts);
    if (result == COVE_OK && facts.mode != mode)
        result = covei_dir_list(dir, note_entry, &has_entries);
    if (result == COVE_OK && has_entries)
        result = covei_fail(COVE_ERR_DOMAIN, 0, "create domain",
                            "the directory exists with mode %04o and is not empty; empty it, choose another, or give it mode %04o yourself",
                            facts.mode, mode);
    covei_dir_close(dir);
    return result;
}

cove_result cove_domain_create(const char *path, uint32_t mode) {
    if (!path || !*path)
        return covei_fail(COVE_ERR_ARGUMENT, 0, "create domain", "cove_domain_create needs a path");
    covei_error_about(path, NULL);
    if (!mode)
        mode = 0600;
    if (mode & ~0666u || (mode & 0600) != 0600)
        return covei_fail(COVE_ERR_MODE, 0, "create domain", "mode %04o is not one of 0600 to 0666 with rw for the owner", mode);
    uint32_t enter = (mode & 0444) >> 2;
    uint32_t full = 02000 | mode | enter | (mode & 02 ? 01000 : 0);
    cove_result result = check_changeable(path, full);
    return result == COVE_OK ? covei_dir_create(path, full) : result;
}

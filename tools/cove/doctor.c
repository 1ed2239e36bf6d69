/* cove doctor: what is wrong with a domain, and the remedy for each finding.
 *
 * A finding has a short name that scripts can look for, a sentence, and a command or a change that mends it. */
#define _DEFAULT_SOURCE
#include "command.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct report {
    json_t *findings;
    const char *domain; /* as an option of the command: " --domain DIR", or empty */
    uint64_t used_bytes, dead_bytes;
    unsigned dead_count, object_count;
} report;

static void find(report *r, const char *what, const char *remedy, const char *format, ...) __attribute__((format(printf, 4, 5)));
static void find(report *r, const char *what, const char *remedy, const char *format, ...) {
    char sentence[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    json_array_append_new(r->findings, json_pack("{s:s, s:s, s:s}", "finding", what, "sentence", sentence, "remedy", remedy));
}

/* ---- One look at each kind of trouble. */

static bool look_at_object(void *context, const cove_object_info *o) {
    report *r = context;
    char remedy[512];
    const char *name = safe_text(o->name);
    r->object_count++;
    r->used_bytes += o->allocated_bytes;
    snprintf(remedy, sizeof remedy, "cove rm --force %s%s", name, r->domain);
    if (o->state == COVE_ERR_NOT_FOUND) {
        r->dead_count++;
        r->dead_bytes += o->allocated_bytes;
    } else if (o->state == COVE_ERR_VERSION) {
        find(r, "version", "use the Cove that made it, or end its users and remove it",
             "%s was made by a version of Cove that speaks another layout than %s", name, cove_version());
    } else if (o->state == COVE_ERR_DAMAGED || o->state == COVE_ERR_TRUNCATED) {
        find(r, "damaged", remedy, "%s: %s", name, cove_result_text(o->state));
    } else if (o->state == COVE_ERR_FOREIGN) {
        find(r, "foreign", "move it elsewhere; a domain is for Cove's files only", "%s is not an object of Cove's", name);
    } else if (o->state == COVE_ERR_ACCESS) {
        find(r, "unreadable", "ask its owner to make it with a mode that lets you in, or use a domain of your own",
             "%s belongs to uid %u, has mode %04o, and you may not read it", name, o->owner_uid, o->mode);
    } else if (o->state == COVE_OK) {
        if (o->is_unrepaired)
            find(r, "unrepaired", "cove set it anew, or repair it in a program: lock_write, check, mark_repaired",
                 "%s: a writer was killed inside, and get refuses it", name);
        if (o->live_count == o->slot_count)
            find(r, "full", "create it with more slots, or open it read-only where nothing is written",
                 "%s: all %u places for read-write members are taken", name, o->slot_count);
        if (o->created_before_boot && o->lifetime != COVE_UNTIL_REMOVED)
            find(r, "old-boot", remedy, "%s was made before this machine started, or on another one that shares the directory", name);
    }
    return true;
}

static void look_at_leftovers(report *r) {
    char remedy[512];
    snprintf(remedy, sizeof remedy, "cove gc%s", r->domain);
    if (r->dead_count)
        find(r, "leftovers", remedy, "%u of %u objects have no live user; they hold %s", r->dead_count, r->object_count,
             size_text(r->dead_bytes));
}

static void look_at_space(report *r, const cove_domain_info *d) {
    if (!d->total_bytes)
        return;
    if (d->free_bytes < d->total_bytes / 10 || d->free_bytes < UINT64_C(4) << 20)
        find(r, "space",
             "remove what is not needed (cove ls, cove gc), or enlarge it: mount -o remount,size=… ; in a container: --shm-size",
             "the %s under %s has %s of %s free; Cove uses %s of it", d->file_system, d->path, size_text(d->free_bytes),
             size_text(d->total_bytes), size_text(r->used_bytes));
    else if (d->total_bytes <= UINT64_C(64) << 20)
        find(r, "small", "start the container with a larger one: --shm-size=1g",
             "the %s under %s has %s in all, which is a container's default", d->file_system, d->path, size_text(d->total_bytes));
}

static void look_at_permissions(report *r, const cove_domain_info *d) {
    if (access(d->path, W_OK | X_OK) != 0)
        find(r, "permission", "ask its owner for a mode that lets you write, or use COVE_DOMAIN",
             "you may not make objects in %s: it belongs to uid %u and has mode %04o", d->path, d->owner_uid, d->mode);
    if (d->default_object_mode & 066 && !(d->mode & 01000) && d->mode & 020)
        find(r, "sticky", "chmod +t on the directory, unless the group is meant to remove each other's objects",
             "everyone in the group of %s (mode %04o) may remove each other's objects", d->path, d->mode);
}

/* systemd deletes an ordinary user's files in /dev/shm when the last login session ends, unless told otherwise. */
static bool removes_ipc(void) {
    static const char *const files[] = {"/etc/systemd/logind.conf", "/run/systemd/logind.conf", "/usr/lib/systemd/logind.conf"};
    struct stat facts;
    char line[256];
    if (stat("/run/systemd/system", &facts) != 0)
        return false;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        FILE *in = fopen(files[i], "r");
        while (in && fgets(line, sizeof line, in))
            if (!strncmp(line, "RemoveIPC=", 10)) {
                fclose(in);
                return strncmp(line + 10, "no", 2) && strncmp(line + 10, "false", 5) && line[10] != '0';
            }
        if (in) {
            fclose(in);
            return true;
        }
    }
    return true;
}

static void look_at_login(report *r, const cove_domain_info *d) {
    struct stat lingers;
    char path[512];
    const struct passwd *user = getpwuid(d->owner_uid);
    if (d->owner_uid < 1000 || strncmp(d->path, "/dev/shm", 8) || !removes_ipc())
        return;
    snprintf(path, sizeof path, "/var/lib/systemd/linger/%s", user ? user->pw_name : "");
    if (user && stat(path, &lingers) == 0)
        return;
    find(r, "remove-ipc", "set RemoveIPC=no in /etc/systemd/logind.conf, or run: loginctl enable-linger",
         "systemd deletes the files of uid %u in /dev/shm when that user's last login session ends, also under running programs",
         d->owner_uid);
}

static void print_findings(const report *r) {
    size_t i;
    json_t *finding;
    json_array_foreach(r->findings, i, finding) {
        printf("%s%s%s  %s\n", styled(YELLOW), json_string_value(json_object_get(finding, "finding")), styled(PLAIN),
               json_string_value(json_object_get(finding, "sentence")));
        printf("    %sremedy:%s %s\n", styled(DIM), styled(PLAIN), json_string_value(json_object_get(finding, "remedy")));
    }
}

int run_doctor(int argc, char **argv) {
    settings s;
    cove_domain_info domain;
    char option[4200] = "";
    int status = read_options(argc, argv, NULL, NULL, NULL, &s);
    if (status >= 0)
        return status;
    if (optind < argc)
        return misused("doctor", "doctor takes no arguments");
    if (s.domain)
        snprintf(option, sizeof option, " --domain %s", s.domain);
    report r = {.findings = json_array(), .domain = option};
    cove_result result = cove_inspect_domain(s.domain, &domain);
    if (result == COVE_OK)
        result = cove_inspect_list(s.domain, look_at_object, &r);
    if (result == COVE_OK) {
        look_at_leftovers(&r);
        look_at_space(&r, &domain);
        look_at_permissions(&r, &domain);
        look_at_login(&r, &domain);
    } else if (s.domain || access(cove_last_error()->object, F_OK) == 0) {
        find(&r, "domain", "see the sentence; or set COVE_DOMAIN to a directory of your own", "%s", cove_last_error()->sentence);
    } /* else the default domain has not been made yet, and nothing can be wrong with it */
    status = json_array_size(r.findings) ? EXIT_NO : EXIT_DONE;
    if (s.json) {
        print_json(
            json_pack("{s:b, s:I, s:O}", "healthy", status == EXIT_DONE, "objects", (json_int_t)r.object_count, "findings", r.findings));
    } else {
        print_findings(&r);
        if (status == EXIT_DONE)
            say("nothing wrong%s%s: %u objects, %s, %s free", result == COVE_OK ? " in " : "", result == COVE_OK ? domain.path : "",
                r.object_count, size_text(r.used_bytes), result == COVE_OK ? size_text(domain.free_bytes) : "-");
    }
    json_decref(r.findings);
    return status;
}

/* Result names and the error of each thread. */
#include "base/error.h"

#include "base/atomic.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local struct {
    cove_error error;
    char domain[256];
    char name[208];
} thread;

_Thread_local covei_quick covei_quick_failure;

static const struct {
    cove_result result;
    int error_number;
    const char *name, *text;
} results[] = {
    {COVE_OK, 0, "COVE_OK", "done"},
    {COVE_OWNER_DIED, 0, "COVE_OWNER_DIED", "the last writer was killed inside; check the value and mark it repaired"},
    {COVE_REMOVED, 0, "COVE_REMOVED", "the object was removed"},
    {COVE_MISSED, 0, "COVE_MISSED", "values before this one were overwritten before they were read"},
    {COVE_REDELIVERED, 0, "COVE_REDELIVERED", "somebody had this message before, and did not get it done"},
    {COVE_DROPPED, 0, "COVE_DROPPED", "pushed, and the oldest message was dropped to make room"},
    {COVE_ERR_ARGUMENT, EINVAL, "COVE_ERR_ARGUMENT", "a null pointer or a value that means nothing here"},
    {COVE_ERR_NAME, EINVAL, "COVE_ERR_NAME", "not a valid name"},
    {COVE_ERR_OPTION, EINVAL, "COVE_ERR_OPTION", "an option that is unknown or does not fit the object"},
    {COVE_ERR_MODE, EINVAL, "COVE_ERR_MODE", "not a valid file mode"},
    {COVE_ERR_SIZE, EMSGSIZE, "COVE_ERR_SIZE", "the size does not fit"},
    {COVE_ERR_TYPE, EPROTOTYPE, "COVE_ERR_TYPE", "the object has another type"},
    {COVE_ERR_KIND, EPROTOTYPE, "COVE_ERR_KIND", "the object is of another kind"},
    {COVE_ERR_VIEW, EINVAL, "COVE_ERR_VIEW", "the view holds nothing"},
    {COVE_ERR_TEXT, EILSEQ, "COVE_ERR_TEXT", "not valid UTF-8"},
    {COVE_ERR_NOT_FOUND, ENOENT, "COVE_ERR_NOT_FOUND", "no live object has this name"},
    {COVE_ERR_EXISTS, EEXIST, "COVE_ERR_EXISTS", "the name is taken"},
    {COVE_ERR_ACCESS, EACCES, "COVE_ERR_ACCESS", "not permitted"},
    {COVE_ERR_DOMAIN, ENOTDIR, "COVE_ERR_DOMAIN", "the domain cannot be used"},
    {COVE_ERR_OWNER, EPERM, "COVE_ERR_OWNER", "the file belongs to somebody who is not trusted"},
    {COVE_ERR_VERSION, EPROTONOSUPPORT, "COVE_ERR_VERSION", "made by another version of Cove"},
    {COVE_ERR_FOREIGN, EPROTO, "COVE_ERR_FOREIGN", "not an object of Cove's"},
    {COVE_ERR_DAMAGED, EBADMSG, "COVE_ERR_DAMAGED", "the contents contradict themselves"},
    {COVE_ERR_TRUNCATED, ENODATA, "COVE_ERR_TRUNCATED", "the file is shorter than it should be"},
    {COVE_ERR_SPACE, ENOSPC, "COVE_ERR_SPACE", "the file system is full"},
    {COVE_ERR_MEMORY, ENOMEM, "COVE_ERR_MEMORY", "no memory or address space"},
    {COVE_ERR_LIMIT, EMFILE, "COVE_ERR_LIMIT", "too many open descriptors"},
    {COVE_ERR_UNSUPPORTED, ENOTSUP, "COVE_ERR_UNSUPPORTED", "not supported here"},
    {COVE_ERR_SYSTEM, EIO, "COVE_ERR_SYSTEM", "the operating system gave an unexpected answer"},
    {COVE_ERR_TIMEOUT, ETIMEDOUT, "COVE_ERR_TIMEOUT", "the deadline passed"},
    {COVE_ERR_BUSY, EBUSY, "COVE_ERR_BUSY", "somebody keeps the object busy"},
    {COVE_ERR_FULL, ENOBUFS, "COVE_ERR_FULL", "every place is taken"},
    {COVE_ERR_IN_USE, EBUSY, "COVE_ERR_IN_USE", "somebody is attached"},
    {COVE_ERR_NOT_OWNER, EPERM, "COVE_ERR_NOT_OWNER", "only the owner may do this"},
    {COVE_ERR_GONE, EIDRM, "COVE_ERR_GONE", "the object has been retired or removed"},
    {COVE_ERR_FORKED, ECHILD, "COVE_ERR_FORKED", "it belongs to the parent process"},
    {COVE_ERR_INTERRUPTED, EINTR, "COVE_ERR_INTERRUPTED", "interrupted"},
    {COVE_ERR_UNREPAIRED, EOWNERDEAD, "COVE_ERR_UNREPAIRED", "a writer was killed inside and nobody has repaired the value"},
    {COVE_ERR_LOST, EBADF, "COVE_ERR_LOST", "this process closed the descriptors of its attachment"},
    {COVE_ERR_EMPTY, ENODATA, "COVE_ERR_EMPTY", "nothing new"},
};

static size_t row_of(cove_result result) {
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        if (results[i].result == result)
            return i;
    return SIZE_MAX;
}

const char *cove_result_name(cove_result result) {
    size_t row = row_of(result);
    return row == SIZE_MAX ? "COVE_ERR_?" : results[row].name;
}

const char *cove_result_text(cove_result result) {
    size_t row = row_of(result);
    return row == SIZE_MAX ? "not a result of this version" : results[row].text;
}

int cove_result_to_errno(cove_result result) {
    size_t row = row_of(result);
    return row == SIZE_MAX ? EIO : results[row].error_number;
}

const char *cove_version(void) {
    return COVE_VERSION;
}

static void copy(char *out, size_t size, const char *from) {
    size_t length = from ? strlen(from) : 0;
    if (length >= size)
        length = size - 1;
    memcpy(out, from ? from : "", length);
    out[length] = 0;
}

void covei_error_about(const char *domain, const char *name) {
    copy(thread.domain, sizeof thread.domain, domain);
    copy(thread.name, sizeof thread.name, name);
}

cove_result covei_fail(cove_result result, int os_code, const char *step, const char *format, ...) {
    cove_error *error = &thread.error;
    covei_quick_failure.step = NULL;
    error->result = result;
    error->os_code = os_code;
    copy(error->step, sizeof error->step, step);
    copy(error->object, sizeof error->object, thread.name[0] ? thread.name : thread.domain);
    size_t used = 0;
    int n = 0;
    if (thread.name[0] && thread.domain[0])
        n = snprintf(error->sentence, sizeof error->sentence, "'%s' in %s: ", thread.name, thread.domain);
    else if (thread.name[0] || thread.domain[0])
        n = snprintf(error->sentence, sizeof error->sentence, "'%s': ", error->object);
    if (n > 0)
        used = (size_t)n < sizeof error->sentence ? (size_t)n : sizeof error->sentence - 1;
    va_list arguments;
    va_start(arguments, format);
    n = vsnprintf(error->sentence + used, sizeof error->sentence - used, format, arguments);
    va_end(arguments);
    if (n > 0)
        used += (size_t)n;
    if (os_code && used < sizeof error->sentence)
        snprintf(error->sentence + used, sizeof error->sentence - used, " (%s)", strerror(os_code));
    return result;
}

void covei_error_restore(const cove_error *error) {
    covei_quick_failure.step = NULL;
    thread.error = *error;
}

uint64_t covei_about_serial(void) {
    static covei_a64 last;
    return covei_add_relaxed(&last, 1) + 1;
}

void covei_quick_name(const covei_about *about) {
    covei_quick_failure.serial = about->serial;
    covei_quick_failure.domain = about->domain;
    copy(covei_quick_failure.name, sizeof covei_quick_failure.name, about->name);
}

const cove_error *cove_last_error(void) {
    const covei_quick *quick = &covei_quick_failure;
    if (quick->step) {
        thread.error.result = quick->result;
        thread.error.os_code = 0;
        copy(thread.error.step, sizeof thread.error.step, quick->step);
        copy(thread.error.object, sizeof thread.error.object, quick->name);
        snprintf(thread.error.sentence, sizeof thread.error.sentence, "'%s' in %s: %s", quick->name, quick->domain, quick->sentence);
        covei_quick_failure.step = NULL;
    }
    if (thread.error.result == COVE_OK)
        copy(thread.error.sentence, sizeof thread.error.sentence, "no call of this thread has failed");
    return &thread.error;
}

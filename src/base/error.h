/* The error of the calling thread: written where something fails, read by cove_last_error(). */
#ifndef COVEI_BASE_ERROR_H
#define COVEI_BASE_ERROR_H

#include <cove/result.h>

/* Says which object the calls that follow in this thread are about. `domain` may be null. */
void covei_error_about(const char *domain, const char *name);

/* Remembers a failure and returns `result`. The sentence is made of the format, and should say what to do where that is
 * not plain; the object's name is put before it. */
cove_result covei_fail(cove_result result, int os_code, const char *step, const char *format, ...)
    __attribute__((format(printf, 4, 5), cold));

/* Makes it the last failure again. */
void covei_error_restore(const cove_error *error);

/* Which object a handle is of. `serial` is no other's in this process, so that the name need not be copied again and again. */
typedef struct covei_about {
    const char *domain, *name; /* the domain stays for ever, the name as long as the handle */
    uint64_t serial;
} covei_about;
uint64_t covei_about_serial(void);

/* The same for failures that a program may meet a million times a second (a lock that was only tried, a stream without news): a few
 * stores, and nothing is formatted until somebody asks. */
typedef struct covei_quick {
    const char *step; /* null: the last failure was told by covei_fail */
    const char *sentence, *domain;
    uint64_t serial; /* of the handle whose name is in `name` */
    cove_result result;
    char name[208];
} covei_quick;
extern _Thread_local covei_quick covei_quick_failure;
void covei_quick_name(const covei_about *about);

/* `step` and `sentence` must stay. */
static inline cove_result covei_fail_quick(cove_result result, const char *step, const covei_about *about, const char *sentence) {
    covei_quick_failure.result = result;
    covei_quick_failure.step = step;
    covei_quick_failure.sentence = sentence;
    if (__builtin_expect(covei_quick_failure.serial != about->serial, 0))
        covei_quick_name(about);
    return result;
}

#endif

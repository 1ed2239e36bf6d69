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

/* The same for failures that a program may meet a million times a second (a lock that was only tried): copies pointers,
 * formats nothing. `domain` and `sentence` must stay; `name` is copied. */
cove_result covei_fail_quick(cove_result result, const char *step, const char *domain, const char *name, const char *sentence);

#endif

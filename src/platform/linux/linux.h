/* What the files of the Linux back end share. */
#ifndef COVEI_PLATFORM_LINUX_H
#define COVEI_PLATFORM_LINUX_H

#include "base/error.h"
#include "platform/platform.h"

#include <errno.h>
#include <unistd.h>

/* The result that an error number means where a file or directory of a domain is concerned. */
cove_result covei_linux_result(int error_number);

/* Runs a call again while it is interrupted by a signal. */
#define COVEI_RETRY_EINTR(variable, call) \
    do { \
        (variable) = (call); \
    } while ((variable) < 0 && errno == EINTR)

#endif

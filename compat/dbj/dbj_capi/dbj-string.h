/* Strings of a fixed size, by value: struct { char data[N]; }. */
#ifndef DBJ_CAPI_DBJ_STRING_H
#define DBJ_CAPI_DBJ_STRING_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define DBJ_STRING_TYPE(N) \
    struct dbj_string_##N { \
        char data[N]; \
    }

typedef DBJ_STRING_TYPE(8) dbj_string_8;
typedef DBJ_STRING_TYPE(16) dbj_string_16;
typedef DBJ_STRING_TYPE(32) dbj_string_32;
typedef DBJ_STRING_TYPE(64) dbj_string_64;
typedef DBJ_STRING_TYPE(128) dbj_string_128;
typedef DBJ_STRING_TYPE(256) dbj_string_256;
typedef DBJ_STRING_TYPE(512) dbj_string_512;
typedef DBJ_STRING_TYPE(1024) dbj_string_1024;

/* All bytes behind the text become 0. A text that does not fit is not cut off: the string is then empty, and errno is ENAMETOOLONG. */
static inline bool dbj_string_assign_(char *data, size_t size, const char *text) {
    size_t length = text ? strlen(text) : 0;
    memset(data, 0, size);
    if (length >= size) {
        errno = ENAMETOOLONG;
        return false;
    }
    if (length)
        memcpy(data, text, length);
    return true;
}

#define DBJ_STRING_ASSIGN(S, TEXT) ((void)dbj_string_assign_((S).data, sizeof(S).data, (TEXT)))
/* How many bytes there are, with the one for the final 0. */
#define DBJ_STRING_SIZE(S) (sizeof(S).data)
#define DBJ_STRING_SET_EMPTY(S) ((void)((S).data[0] = 0))
#define DBJ_STRING_IS_EMPTY(S) ((S).data[0] == 0)

#endif

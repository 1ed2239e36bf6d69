/* Loads a component, hands its factory to a callback, and lets the component go.
 *
 *     DBJCS_CALL("dbj-shmem.dll", component_shmem_factory_fp, callback);
 *     DBJCS_CALL("dbj-shmem.dll", DBJCS_FACTORYNAME, component_shmem_factory_fp, callback);
 *
 * ".dll" stands for what the system has: here "dbj-shmem.so". It is looked for beside the program, then where the system looks. A path is
 * refused, so that nobody slips in another file. Where it, or the function, is not found the callback is not called, and errno is ENOENT,
 * or ENOSYS. Link with -ldl where the C library wants that. */
#ifndef DBJ_COMPONENT_LOADER_H
#define DBJ_COMPONENT_LOADER_H

#include "dbj-component.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

DBJ_EXTERN_C_BEGIN

#define DBJCS_NAME_MAX_ 128

/* Null where it is not found. */
static inline void *dbjcs_load_(const char *name) {
    static const char beside_the_program[] = "$ORIGIN/"; /* dlopen knows what that means */
    char path[sizeof beside_the_program + DBJCS_NAME_MAX_ + sizeof ".so"];
    size_t length = name ? strlen(name) : 0, start = sizeof beside_the_program - 1;
    if (length == 0 || length > DBJCS_NAME_MAX_ || strchr(name, '/') || strchr(name, '\\') || strchr(name, '$')) {
        errno = EINVAL;
        return NULL;
    }
    const char *ending = strchr(name, '.') ? "" : ".so";
    if (length > 4 && strcmp(name + length - 4, ".dll") == 0) {
        length -= 4;
        ending = ".so";
    }
    memcpy(path, beside_the_program, start);
    memcpy(path + start, name, length);
    memcpy(path + start + length, ending, strlen(ending) + 1);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        library = dlopen(path + start, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        errno = ENOENT;
    return library;
}

typedef void (*dbjcs_function_)(void);

static inline dbjcs_function_ dbjcs_find_(void *library, const char *name) {
    dbjcs_function_ function = NULL;
    void *symbol = dlsym(library, name);
    if (symbol)
        memcpy(&function, &symbol, sizeof function); /* as POSIX means it, and ISO C has no cast for */
    else
        errno = ENOSYS;
    return function;
}

/* FUNCTION is any function's name, FP the type of a pointer to it. What a callback leaves in errno stays. */
#define DBJCS_ANY_CALL(DLL, FUNCTION, FP, CALLBACK) \
    do { \
        void *dbjcs_library_ = dbjcs_load_(DLL); \
        FP dbjcs_factory_ = dbjcs_library_ ? (FP)dbjcs_find_(dbjcs_library_, FUNCTION) : (FP)0; \
        if (dbjcs_factory_) \
            CALLBACK(dbjcs_factory_); \
        int dbjcs_errno_ = errno; \
        if (dbjcs_library_) \
            dlclose(dbjcs_library_); \
        errno = dbjcs_errno_; \
    } while (0)

#define DBJCS_CALL_3_(DLL, FP, CALLBACK) DBJCS_ANY_CALL(DLL, DBJCS_FACTORYNAME, FP, CALLBACK)
#define DBJCS_CALL_PICK_(A, B, C, D, CALL, ...) CALL
#define DBJCS_CALL(...) DBJCS_CALL_PICK_(__VA_ARGS__, DBJCS_ANY_CALL, DBJCS_CALL_3_, 0)(__VA_ARGS__)

DBJ_EXTERN_C_END
#endif

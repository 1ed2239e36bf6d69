/* What every DBJ component, a loadable library with one interface, has in common. */
#ifndef DBJ_COMPONENT_H
#define DBJ_COMPONENT_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __cplusplus
#define DBJ_EXTERN_C_BEGIN extern "C" {
#define DBJ_EXTERN_C_END }
#else
#define DBJ_EXTERN_C_BEGIN
#define DBJ_EXTERN_C_END
#endif

DBJ_EXTERN_C_BEGIN

/* The names of the three functions that a component exports. */
#define DBJCS_FACTORYNAME "interface_factory"
#define DBJCS_SEMVER_NAME "dbj_component_version"
#define DBJCS_CAN_UNLOAD_NAME "dbj_component_can_unload_now"

struct dbj_component_version_ {
    unsigned major;
    unsigned minor;
    unsigned patch;
    char description[0xFF];
};

typedef struct dbj_component_version_ (*DBJ_COMPONENT_SEMVER_FP)(void);
typedef bool (*DBJ_COMPONENT_UNLOAD_FP)(void);

/* Ends the program where X is not so, and says where. Also in a release. */
#define DBJ_VERIFY(X) \
    do { \
        if (!(X)) { \
            fprintf(stderr, "%s:%d: verification failed: %s\n", __FILE__, __LINE__, #X); \
            exit(EXIT_FAILURE); \
        } \
    } while (0)

DBJ_EXTERN_C_END
#endif

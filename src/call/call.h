/* What clients and servers agree on: what stands before a request, and before a reply. The queue's tag is the correlation number. */
#ifndef COVEI_CALL_H
#define COVEI_CALL_H

#include "platform/platform.h"
#include "segment/options.h"

#include <assert.h>
#include <cove/call.h>
#include <stdio.h>

#define COVEI_CALL_TYPE "cove_call"
#define COVEI_CALL_NAME_MAX (COVE_NAME_MAX - 24)
#define COVEI_CALL_BYTES 256

/* LAYOUT: read by other builds. */
typedef struct covei_request_shm {
    uint64_t client; /* whose queue the reply goes to */
    cove_time_ns deadline_ns;
} covei_request_shm;
typedef struct covei_reply_shm {
    int32_t status;
    int32_t result;      /* COVE_OK, or COVE_ERR_SIZE: the reply was larger than the client takes; needed_bytes says how large */
    uint32_t deliveries; /* of the request */
    uint32_t reserved_0;
    uint64_t needed_bytes;
    uint64_t reserved_1;
} covei_reply_shm;
static_assert(sizeof(covei_request_shm) == 16 && sizeof(covei_reply_shm) == 32, "what follows is aligned");

/* The queue of a client's replies. */
static inline void covei_call_reply_name(char out_name[COVE_NAME_MAX + 1], const char *service, uint64_t client) {
    snprintf(out_name, COVE_NAME_MAX + 1, "%.*s.client-%016llx", COVEI_CALL_NAME_MAX, service, (unsigned long long)client);
}

/* What both sides have: the service, and the options for all its queues. */
typedef struct covei_service {
    cove_queue *requests;
    cove_queue_options options;          /* for a queue of replies: domain, mode, and what else is common */
    uint64_t request_bytes, reply_bytes; /* the largest */
    char name[COVE_NAME_MAX + 1], domain[4096], type_name[64];
} covei_service;

/* Opens the service's queue of requests. Told. */
cove_result covei_service_open(covei_service *service, const char *name, const cove_call_options *options, size_t options_bytes,
                               uint32_t queue_flags);

#endif

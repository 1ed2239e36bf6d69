/* What clients and servers have in common: the service's queue of requests. */
#include "call/call.h"

#include "base/error.h"

#include <cove/inspect.h>
#include <string.h>

static cove_result check_options(const char *name, const cove_call_options *o) {
    const char *field = o->how                   ? "how"
                        : o->access              ? "access"
                        : o->lifetime            ? "lifetime"
                        : o->size_rule           ? "size_rule"
                        : o->wake_readers_always ? "wake_readers_always"
                                                 : NULL;
    if (field)
        return covei_fail(COVE_ERR_OPTION, 0, "check options", "a service has no option '%s': leave it 0", field);
    if (strlen(name) > COVEI_CALL_NAME_MAX)
        return covei_fail(COVE_ERR_NAME, 0, "check options",
                          "the name of a service has at most %d bytes: its clients' queues have longer ones", COVEI_CALL_NAME_MAX);
    if (o->request_bytes > UINT64_MAX - sizeof(covei_request_shm) || o->reply_bytes > UINT64_MAX - sizeof(covei_reply_shm))
        return covei_fail(COVE_ERR_SIZE, 0, "check options", "nothing can be so large");
    return COVE_OK;
}

cove_result covei_service_open(covei_service *service, const char *name, const cove_call_options *options, size_t options_bytes,
                               uint32_t queue_flags) {
    cove_call_options o;
    cove_domain_info domain;
    cove_result result = covei_options_take(name, options, options_bytes, &o, sizeof o);
    if (result != COVE_OK || (result = check_options(name, &o)) != COVE_OK)
        return result;
    memset(service, 0, sizeof *service);
    memcpy(service->name, name, strlen(name));
    memcpy(service->type_name, o.type_name ? o.type_name : COVEI_CALL_TYPE, strlen(o.type_name ? o.type_name : COVEI_CALL_TYPE));
    service->reply_bytes = o.reply_bytes ? o.reply_bytes : COVEI_CALL_BYTES;
    /* What all queues of the service have, those of the replies too; what the requests' has besides; and what it has when it is made. */
    cove_queue_options common = {
        .domain = o.domain,
        .mode = o.mode,
        .size_rule = COVE_AT_LEAST,
        .type_name = service->type_name,
        .prefault = o.prefault,
        .lock_memory = o.lock_memory,
        .huge_pages = o.huge_pages,
        .trust_any_owner = o.trust_any_owner,
        .interruptible = o.interruptible,
        .type = COVE_TYPE_BYTES,
    };
    cove_queue_options there = common;
    there.how = COVE_OPEN;
    there.schema_hash = o.schema_hash;
    there.opened = o.opened;
    there.depth = o.depth;
    there.flags = queue_flags;
    there.capacity_bytes = o.request_bytes ? o.request_bytes + sizeof(covei_request_shm) : 0; /* else as it is */
    cove_queue_options fresh = there;
    fresh.how = COVE_CREATE;
    fresh.slots = o.slots;
    fresh.deadline_ns = o.deadline_ns;
    fresh.capacity_bytes = (o.request_bytes ? o.request_bytes : COVEI_CALL_BYTES) + sizeof(covei_request_shm);
    fresh.max_deliveries = o.max_deliveries;
    fresh.dead_letter = o.dead_letter;
    do { /* another may make it, or the last one take it away, between the two */
        result = cove_queue_open(&service->requests, name, &there);
        if (result == COVE_ERR_NOT_FOUND)
            result = cove_queue_open(&service->requests, name, &fresh);
    } while (result == COVE_ERR_EXISTS);
    if (result != COVE_OK)
        return result;
    cove_queue_info info;
    if ((result = cove_inspect_domain(o.domain, &domain)) != COVE_OK ||
        (result = cove_queue_get_info(service->requests, &info)) != COVE_OK) {
        cove_queue_close(service->requests);
        return result;
    }
    service->request_bytes = info.capacity_bytes > sizeof(covei_request_shm) ? info.capacity_bytes - sizeof(covei_request_shm) : 0;
    memcpy(service->domain, domain.path, sizeof service->domain);
    service->options = common;
    service->options.domain = service->domain;
    service->options.lifetime = COVE_WHILE_OWNED; /* a queue of replies is its client's own, and gone with him */
    return COVE_OK;
}

/* Taking and checking options. Nothing here looks at a file. */
#include "segment/options.h"

#include "base/error.h"
#include "base/name.h"
#include "segment/segment_layout.h"

#include <string.h>

static cove_result check(const covei_common_options *o) {
    const char *field = (unsigned)o->how > COVE_CREATE               ? "how"
                        : (unsigned)o->access > COVE_READ_ONLY       ? "access"
                        : (unsigned)o->lifetime > COVE_UNTIL_REMOVED ? "lifetime"
                        : (unsigned)o->size_rule > COVE_AT_LEAST     ? "size_rule"
                        : o->slots > COVEI_SLOTS_MAX                 ? "slots"
                        : o->reserved_0                              ? "reserved_0"
                        : o->reserved_1[0] || o->reserved_1[1]       ? "reserved_1"
                                                                     : NULL;
    if (field)
        return covei_fail(COVE_ERR_OPTION, 0, "check options",
                          "the option '%s' has a value that Cove %s does not know; build with its headers, and start the struct with {0}",
                          field, COVE_VERSION);
    if (o->access == COVE_READ_ONLY && o->how == COVE_CREATE)
        return covei_fail(COVE_ERR_OPTION, 0, "check options", "COVE_CREATE needs COVE_READ_WRITE: a reader cannot make anything");
    if (o->mode && (o->mode & ~0666u || (o->mode & 0600) != 0600))
        return covei_fail(COVE_ERR_MODE, 0, "check options", "mode %04o is not one of 0600 to 0666 with rw for the owner", o->mode);
    if (o->type_name && strlen(o->type_name) > 63)
        return covei_fail(COVE_ERR_TYPE, 0, "check options", "the type name has %zu bytes, and 63 are the most", strlen(o->type_name));
    return COVE_OK;
}

cove_result covei_options_take(const char *name, const void *options, size_t options_bytes, void *out_options, size_t known_bytes) {
    covei_common_options common;
    memset(out_options, 0, known_bytes);
    covei_error_about(NULL, NULL);
    if (options && options_bytes < sizeof(covei_common_options))
        return covei_fail(COVE_ERR_OPTION, 0, "check options", "the options have %zu bytes, and the common ones alone have %zu",
                          options_bytes, sizeof(covei_common_options));
    if (options) {
        memcpy(out_options, options, options_bytes < known_bytes ? options_bytes : known_bytes);
        memcpy(&common, options, sizeof common);
        if (covei_name_is_valid(name))
            covei_error_about(common.domain, name);
        for (size_t i = known_bytes; i < options_bytes; i++)
            if (((const unsigned char *)options)[i])
                return covei_fail(COVE_ERR_OPTION, 0, "check options",
                                  "the options have a field at byte %zu that Cove %s does not know; update the library", i, COVE_VERSION);
    } else {
        memset(&common, 0, sizeof common);
    }
    if (!name)
        return covei_fail(COVE_ERR_ARGUMENT, 0, "check options", "the name is null");
    if (!covei_name_is_valid(name))
        return covei_fail(COVE_ERR_NAME, 0, "check options",
                          "'%.220s' is not a name: it needs 1 to %d bytes of A-Z a-z 0-9 . _ - and must not start with a dot", name,
                          COVE_NAME_MAX);
    covei_error_about(common.domain, name);
    return check(&common);
}

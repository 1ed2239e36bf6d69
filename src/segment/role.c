/* A role: what one member may be alone, such as the only writer of a stream. It is a lock of the kernel's, so it ends with its
 * holder, however he ends. */
#include "segment/internal.h"

cove_result covei_member_take_role(covei_member *member, uint64_t role, covei_lock kind, covei_token *out_token) {
    covei_file file;
    covei_guard_enter();
    cove_result result = covei_member_file(member, COVE_READ_WRITE, &file);
    if (result == COVE_OK) {
        result = covei_lock_try(file, role, kind);
        if (result == COVE_OK)
            result = covei_token_carry(file, (size_t)member->domain->volume.granule_bytes, out_token);
        covei_file_close(file);
    }
    covei_guard_leave();
    return result;
}

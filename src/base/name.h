/* Names of objects: what is valid. Escaping is public (cove_name_escape). */
#ifndef COVEI_BASE_NAME_H
#define COVEI_BASE_NAME_H

#include <cove/domain.h>
#include <stdbool.h>

/* 1 to COVE_NAME_MAX bytes of [A-Za-z0-9._-], not starting with a dot. Null is not valid. */
bool covei_name_is_valid(const char *name);

#endif

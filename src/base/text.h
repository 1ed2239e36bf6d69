/* Text in UTF-8. */
#ifndef COVEI_BASE_TEXT_H
#define COVEI_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the bytes are valid UTF-8 as Unicode defines it: shortest forms only, no surrogates, nothing above U+10FFFF. */
bool covei_text_is_valid(const void *bytes, size_t size);

#endif

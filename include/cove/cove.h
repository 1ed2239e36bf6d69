/* All of Cove. */
#ifndef COVE_COVE_H
#define COVE_COVE_H

#include <cove/block.h>
#include <cove/call.h>
#include <cove/domain.h>
#include <cove/inspect.h>
#include <cove/queue.h>
#include <cove/result.h>
#include <cove/stream.h>
#include <cove/value.h>

#endif

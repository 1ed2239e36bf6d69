/* Values of streams and messages of queues as text and as JSON, for the verbs that write and read them. */
#ifndef COVE_VALUES_H
#define COVE_VALUES_H

#include "command.h"

#include <stdio.h>

/* Bytes of one line of text as a value of this type: text as it is; numbers separated by blanks, commas or semicolons. The buffer grows.
 * False: it cannot be, and it has been told. */
typedef struct value_buffer {
    unsigned char *data;
    size_t length, room;
} value_buffer;
bool parse_value(cove_type type, const char *line, size_t length, value_buffer *out);

/* One value on one line: text as it is, numbers separated by blanks, other bytes in hexadecimal. */
void print_value(FILE *out, const cove_value *value);
json_t *value_json(const cove_value *value);

/* Whether the user has asked to stop (SIGINT, SIGTERM). The first call begins to listen. */
bool is_stopped(void);

/* The time when `patience_ns` from now have passed. */
cove_time_ns end_of_patience(uint64_t patience_ns);

/* Sleeps until then, or until the user has asked to stop. */
void sleep_until(cove_time_ns until_ns);

/* An end for one wait: no later than `until_ns`, and soon enough to notice is_stopped. */
cove_time_ns soon(cove_time_ns until_ns);

/* Opens what must exist: with all rights where they can be had, else read-only. Waits for the name, and says so. */
typedef cove_result (*open_fn)(void *context, const char *name, cove_access access, cove_time_ns deadline_ns);
cove_result open_when_there(open_fn open, void *context, const char *what, const char *name, cove_time_ns until_ns);
cove_result open_for_reading(cove_stream **out_stream, const char *name, cove_stream_options options, cove_time_ns until_ns);

#endif

/* What the verbs that publish share: their options, and values from stdin, one a line or one each so many bytes. */
#ifndef COVE_INPUT_H
#define COVE_INPUT_H

#include "values.h"

/* As the options say; 0 where they say nothing. */
typedef struct input_wish {
    cove_type type;
    uint64_t capacity_bytes, frame_bytes, tag;
    uint32_t depth, mode;
    cove_lifetime lifetime;
    bool has_lifetime, times, only;
    double rate;
} input_wish;

/* An option_fn for them, with an input_wish as its context. Options of the verb's own have values below 'A', and are told of by false. */
#define INPUT_OPTIONS(only_name) \
    {"type", required_argument, NULL, 't'}, {"capacity", required_argument, NULL, 'c'}, {"depth", required_argument, NULL, 'd'}, \
        {"frame", required_argument, NULL, 'f'}, {"tag", required_argument, NULL, 'g'}, {"rate", required_argument, NULL, 'r'}, \
        {"lifetime", required_argument, NULL, 'l'}, {"mode", required_argument, NULL, 'm'}, {"times", no_argument, NULL, 'T'}, { \
        only_name, no_argument, NULL, 'O' \
    }
bool input_take(void *context, int option, const char *value);

/* The type and capacity of an object that is created for it. */
cove_type input_type(const input_wish *w);
uint64_t input_capacity(const input_wish *w);

/* Sends all of stdin, and returns the exit status. `send` is called for each value, and again and again with short deadlines while it
 * returns COVE_ERR_FULL and there is patience left. */
typedef cove_result (*send_fn)(void *object, const void *data, size_t length, uint64_t tag, cove_time_ns deadline_ns);
int input_send_all(const input_wish *w, cove_type type, uint64_t patience_ns, send_fn send, void *object, uint64_t *out_count);

#endif

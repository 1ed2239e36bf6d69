/* Values of streams as text and as JSON. */
#define _POSIX_C_SOURCE 200809L
#include "values.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- From text. */

static bool append(value_buffer *out, const void *bytes, size_t count) {
    if (out->length + count > out->room) {
        size_t room = 2 * (out->length + count);
        unsigned char *larger = realloc(out->data, room);
        if (!larger) {
            say("no memory for a value of %zu bytes", out->length + count);
            return false;
        }
        out->data = larger;
        out->room = room;
    }
    if (count)
        memcpy(out->data + out->length, bytes, count);
    out->length += count;
    return true;
}

static bool is_between(int64_t value, int bits) {
    return bits == 64 || (value >= -(INT64_C(1) << (bits - 1)) && value < INT64_C(1) << (bits - 1));
}

/* One number, in the machine's own order of bytes. */
static bool append_number(cove_type type, const char *word, value_buffer *out) {
    char *end = NULL;
    int bits = (int)cove_type_bytes(type) * 8;
    bool good = false;
    errno = 0;
    if (type == COVE_TYPE_F32 || type == COVE_TYPE_F64) {
        double value = strtod(word, &end);
        float narrow = (float)value;
        good = errno != ERANGE || fabs(value) < 1; /* too small to tell from 0 will do */
        good = good && !(type == COVE_TYPE_F32 && isfinite(value) && !isfinite(narrow));
        if (good && !*end)
            return type == COVE_TYPE_F32 ? append(out, &narrow, 4) : append(out, &value, 8);
    } else if (type >= COVE_TYPE_I8 && type <= COVE_TYPE_I64) {
        int64_t value = strtoll(word, &end, 10);
        good = !errno && is_between(value, bits);
        int8_t i8 = (int8_t)value;
        int16_t i16 = (int16_t)value;
        int32_t i32 = (int32_t)value;
        if (good && !*end)
            return bits == 8    ? append(out, &i8, 1)
                   : bits == 16 ? append(out, &i16, 2)
                   : bits == 32 ? append(out, &i32, 4)
                                : append(out, &value, 8);
    } else {
        uint64_t value = strtoull(word, &end, 10);
        good = !errno && *word != '-' && (bits == 64 || value >> bits == 0);
        uint8_t u8 = (uint8_t)value;
        uint16_t u16 = (uint16_t)value;
        uint32_t u32 = (uint32_t)value;
        if (good && !*end)
            return bits == 8    ? append(out, &u8, 1)
                   : bits == 16 ? append(out, &u16, 2)
                   : bits == 32 ? append(out, &u32, 4)
                                : append(out, &value, 8);
    }
    say(!end || *end ? "'%.60s' is no number" : "'%.60s' does not fit into %s", word, cove_type_label(type));
    return false;
}

bool parse_value(cove_type type, const char *line, size_t length, value_buffer *out) {
    out->length = 0;
    if (type == COVE_TYPE_TEXT || type == COVE_TYPE_BYTES || type == COVE_TYPE_STRUCT)
        return append(out, line, length);
    for (const char *at = line, *end = line + length; at < end;) {
        char word[64];
        size_t size = 0;
        while (at < end && strchr(" \t,;\r", *at))
            at++;
        while (at < end && !strchr(" \t,;\r", *at) && size < sizeof word - 1)
            word[size++] = *at++;
        word[size] = 0;
        if (at < end && !strchr(" \t,;\r", *at)) {
            say("a number of more than %zu digits begins with '%.20s'", sizeof word - 1, word);
            return false;
        }
        if (size && !append_number(type, word, out))
            return false;
    }
    return true;
}

/* ---- To text. */

/* Element `i`, as a number. False: not a number. */
static bool element(const cove_value *value, uint64_t i, int64_t *out_signed, uint64_t *out_unsigned, double *out_real, char *out_class) {
    const unsigned char *at = (const unsigned char *)value->data + i * cove_type_bytes(value->type);
    union {
        int8_t i8;
        int16_t i16;
        int32_t i32;
        int64_t i64;
        uint8_t u8;
        uint16_t u16;
        uint32_t u32;
        uint64_t u64;
        float f32;
        double f64;
    } u;
    memcpy(&u, at, cove_type_bytes(value->type));
    *out_class = value->type <= COVE_TYPE_I64 ? 'i' : value->type <= COVE_TYPE_U64 ? 'u' : 'f';
    switch (value->type) {
    case COVE_TYPE_I8: *out_signed = u.i8; return true;
    case COVE_TYPE_I16: *out_signed = u.i16; return true;
    case COVE_TYPE_I32: *out_signed = u.i32; return true;
    case COVE_TYPE_I64: *out_signed = u.i64; return true;
    case COVE_TYPE_U8: *out_unsigned = u.u8; return true;
    case COVE_TYPE_U16: *out_unsigned = u.u16; return true;
    case COVE_TYPE_U32: *out_unsigned = u.u32; return true;
    case COVE_TYPE_U64: *out_unsigned = u.u64; return true;
    case COVE_TYPE_F32: *out_real = (double)u.f32; return true;
    case COVE_TYPE_F64: *out_real = u.f64; return true;
    default: return false;
    }
}

static bool is_number(cove_type type) {
    return type >= COVE_TYPE_I8 && type <= COVE_TYPE_F64;
}

/* The shortest digits that mean this very number. */
static void print_real(FILE *out, double number, bool is_narrow) {
    char text[40];
    for (int digits = is_narrow ? 6 : 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (is_narrow ? strtof(text, NULL) == (float)number : strtod(text, NULL) == number)
            break;
    }
    fputs(text, out);
}

void print_value(FILE *out, const cove_value *value) {
    const unsigned char *bytes = value->data;
    if (value->type == COVE_TYPE_TEXT) {
        fwrite(bytes, 1, (size_t)value->length_bytes, out);
    } else if (is_number(value->type)) {
        for (uint64_t i = 0; i < value->count; i++) {
            int64_t i64 = 0;
            uint64_t u64 = 0;
            double f64 = 0;
            char class;
            element(value, i, &i64, &u64, &f64, &class);
            if (i)
                putc(' ', out);
            if (class == 'i')
                fprintf(out, "%" PRId64, i64);
            else if (class == 'u')
                fprintf(out, "%" PRIu64, u64);
            else
                print_real(out, f64, value->type == COVE_TYPE_F32);
        }
    } else {
        for (uint64_t i = 0; i < value->length_bytes; i++)
            fprintf(out, "%02x", bytes[i]);
    }
    putc('\n', out);
}

/* JSON has no integers above 2^63 - 1: then the nearest real number. */
static json_t *unsigned_json(uint64_t number) {
    return number <= INT64_MAX ? json_integer((json_int_t)number) : json_real((double)number);
}

json_t *value_json(const cove_value *value) {
    json_t *content,
        *o = json_pack("{s:o, s:o, s:s, s:I, s:I}", "sequence", unsigned_json(value->sequence), "tag", unsigned_json(value->tag), "type",
                       cove_type_label(value->type), "count", (json_int_t)value->count, "missed", (json_int_t)value->missed_count);
    if (value->time_ns)
        json_object_set_new(o, "time_ns", json_integer((json_int_t)value->time_ns));
    if (value->type == COVE_TYPE_TEXT) {
        content = json_stringn(value->data, (size_t)value->length_bytes);
    } else if (is_number(value->type)) {
        content = json_array();
        for (uint64_t i = 0; i < value->count; i++) {
            int64_t i64 = 0;
            uint64_t u64 = 0;
            double f64 = 0;
            char class;
            element(value, i, &i64, &u64, &f64, &class);
            /* JSON has no infinities. */
            json_t *number = class == 'i' ? json_integer(i64) : class == 'u' ? unsigned_json(u64) : json_real(f64);
            json_array_append_new(content, number ? number : json_null());
        }
    } else {
        char *hex = malloc(2 * (size_t)value->length_bytes + 1);
        for (uint64_t i = 0; hex && i < value->length_bytes; i++)
            snprintf(hex + 2 * i, 3, "%02x", ((const unsigned char *)value->data)[i]);
        content = hex ? json_stringn(hex, 2 * (size_t)value->length_bytes) : json_null();
        free(hex);
    }
    json_object_set_new(o, is_number(value->type) || value->type == COVE_TYPE_TEXT ? "value" : "hex", content ? content : json_null());
    return o;
}

/* ---- Waiting. */

static volatile sig_atomic_t stopped;

static void stop(int number) {
    (void)number;
    stopped = 1;
}

bool is_stopped(void) {
    static bool is_listening;
    if (!is_listening) {
        struct sigaction action = {.sa_handler = stop};
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        signal(SIGPIPE, SIG_IGN); /* a reader of ours that has gone shows as a failed write */
        is_listening = true;
    }
    return stopped;
}

cove_time_ns end_of_patience(uint64_t patience_ns) {
    cove_time_ns now = cove_now();
    return patience_ns > UINT64_MAX - now ? COVE_FOREVER : now + patience_ns;
}

void sleep_until(cove_time_ns until_ns) {
    for (cove_time_ns now; (now = cove_now()) < until_ns && !is_stopped();) {
        uint64_t rest = soon(until_ns) - now;
        nanosleep(&(struct timespec){(time_t)(rest / 1000000000), (long)(rest % 1000000000)}, NULL);
    }
}

cove_time_ns soon(cove_time_ns until_ns) {
    cove_time_ns next = cove_in_ms(200);
    return until_ns < next ? until_ns : next;
}

cove_result open_when_there(open_fn open, void *context, const char *what, const char *name, cove_time_ns until_ns) {
    bool is_told = false;
    for (;;) {
        cove_time_ns deadline_ns = is_told ? soon(until_ns) : COVE_TRY;
        cove_result result = open(context, name, COVE_READ_WRITE, deadline_ns);
        if (result == COVE_ERR_ACCESS)
            result = open(context, name, COVE_READ_ONLY, deadline_ns);
        if ((result != COVE_ERR_NOT_FOUND && result != COVE_ERR_TIMEOUT) || is_stopped() || cove_now() >= until_ns)
            return result;
        if (!is_told)
            say("waiting for a %s '%s'", what, safe_text(name));
        is_told = true;
    }
}

typedef struct stream_wish {
    cove_stream **out_stream;
    cove_stream_options options;
} stream_wish;

static cove_result open_stream(void *context, const char *name, cove_access access, cove_time_ns deadline_ns) {
    stream_wish *w = context;
    w->options.deadline_ns = deadline_ns;
    w->options.access = access;
    if (access == COVE_READ_ONLY && w->options.follow == COVE_FOLLOW_LOSSLESS)
        return COVE_ERR_ACCESS; /* as it was told */
    return cove_stream_open(w->out_stream, name, &w->options);
}

cove_result open_for_reading(cove_stream **out_stream, const char *name, cove_stream_options options, cove_time_ns until_ns) {
    stream_wish w = {out_stream, options};
    w.options.how = COVE_OPEN;
    return open_when_there(open_stream, &w, "stream", name, until_ns);
}

/* Boost.Interprocess's message_queue, for comparison. Where it is not installed, boost_is_here says so. */
#ifndef COVE_BENCH_BOOST_H
#define COVE_BENCH_BOOST_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

bool boost_is_here(void);
void *boost_queue_open(const char *name, size_t depth, size_t size, bool anew);
void boost_queue_send(void *queue, const void *data, size_t size);
void boost_queue_receive(void *queue, void *data, size_t size);
void boost_queue_close(void *queue, const char *name);

#ifdef __cplusplus
}
#endif
#endif

/* The laboratory of deaths: operations, and what must be true after a process was killed at any instruction of one. */
#ifndef COVE_KILL_H
#define COVE_KILL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <cove/cove.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define VALUE_BYTES 512

/* What is shared by the parent, which survives, and the child, which dies. Lies in shared memory. */
typedef struct scene {
    cove_block *block;    /* of the child: opened there by `open`, before the stepping */
    cove_block *survivor; /* of the parent; null where the operation is to be the only member */
    cove_block_view view;
    unsigned flags;
    cove_lifetime lifetime;
    cove_time_ns deadline_ns, soon_ns; /* told before the stepping, so that the clock is not stepped through */
    cove_result result;                /* of the operation, where the child lived to see it */
    bool finished;
} scene;

/* What was found wrong. */
typedef enum wrong { FINE, HUNG, TORN, LOST, LEAKED, WRONGS } wrong;

typedef struct operation {
    const char *name;
    unsigned flags; /* of the block */
    cove_lifetime lifetime;
    bool alone;                /* no survivor is attached while the child works */
    bool removes;              /* the name may be gone afterwards */
    void (*prepare)(scene *s); /* in the parent, before the fork; may be null */
    void (*open)(scene *s);    /* in the child, not stepped; null: nothing is opened */
    void (*run)(scene *s);     /* in the child, stepped */
    bool for_stops;            /* also stopped there, and gone on */
    bool for_waiters;          /* also killed there while somebody waits for the lock */
} operation;
extern const operation operations[];

extern const char *kill_domain;

/* Values: version 0 is what was set before, 1 what the operation sets, 2 what survivors set. */
void value_fill(char *data, int version);
/* Which value this is; -1: none, torn. */
int value_of(const char *data, uint64_t length);

/* Everything that a survivor may want to do, with deadlines. Told on stderr. */
wrong survive(const operation *o, scene *s, const char **out_why);

#endif

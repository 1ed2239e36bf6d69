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

/* What was found wrong. */
typedef enum wrong { FINE, HUNG, TORN, LOST, LEAKED, WRONGS } wrong;

/* What is shared by the parent, which survives, and the child, which dies. Lies in shared memory. */
typedef struct scene {
    cove_block *block;    /* of the child: opened there by `open`, before the stepping */
    cove_block *survivor; /* of the parent; null where the operation is to be the only member */
    cove_block_view view;
    cove_stream *stream, *stream_survivor;
    cove_stream *reader; /* of the parent: a lossless one, where the operation has it */
    cove_loan loan;
    cove_value value;
    cove_queue *queue, *queue_survivor;
    cove_message message;
    cove_server *server, *server_survivor;
    cove_client *client;
    cove_request request;
    pid_t partner[4]; /* processes on the other side of a call, which live */
    unsigned partners;
    uint64_t calls; /* tags given to requests; `seen` counts how often each was carried out */
    wrong noted;    /* what a server found wrong */
    const char *why;
    bool is_over; /* whoever serves may go */
    /* Of messages, by tag: those of survivors from 1 on, the child's from CHILD_TAGS on. */
    uint8_t seen[256];      /* how often a survivor got it */
    uint8_t had[256];       /* the child got it, and had returned from that: 1; and was done with it: 2 */
    uint32_t pushed;        /* by survivors */
    uint32_t child_pushed;  /* by the child, and it had returned from that */
    uint32_t first_order;   /* tag that a survivor got last as a first delivery */
    uint64_t written;       /* the newest number that a write has returned from */
    uint64_t first;         /* the number that the survivor reads next, before the operation */
    int fd;                 /* the survivor's, where it waits by a descriptor */
    uint64_t looked;        /* what the survivor has read up to, while the process was stopped; of blocks: it has looked */
    char read[VALUE_BYTES]; /* what the stepped operation has read; looked at when it is over */
    uint64_t read_bytes;    /* 0: nothing */
    char *out;              /* of the child: touchy memory to read to */
    unsigned flags;
    cove_lifetime lifetime;
    cove_time_ns deadline_ns, soon_ns, later_ns; /* told before the stepping, so that the clock is not stepped through */
    cove_result result;                          /* of the operation, where the child lived to see it */
    bool finished;
    bool waits;    /* a waiter is about to sleep */
    bool was_fed;  /* the survivor has put something there for a waiter */
    bool is_new;   /* what others see has changed since the instruction before */
    bool has_heir; /* somebody else has worked on it after the death, and was killed too */
} scene;

/* Who works on after a death, and is killed in turn: attached already, or a newcomer (then `open` is null). Has handles of its own. */
typedef struct heir {
    void (*open)(scene *s);
    void (*run)(scene *s); /* stepped */
} heir;

/* What kind of object an operation is of: how the lab deals with it. */
struct operation;
typedef struct subject {
    void (*arrange)(scene *s, const struct operation *o);                        /* the survivor, before the operation */
    wrong (*survive)(const struct operation *o, scene *s, const char **out_why); /* everything that survivors may want to do, and the end */
    wrong (*look)(const struct operation *o, scene *s, const char **out_why);    /* what must be possible while the process is stopped */
    int (*wait)(const struct operation *o, scene *s,
                unsigned kind); /* a waiter beside the killed one: 0 when it got what it waited for in time; null: no such mode */
    void (*feed)(scene *s);     /* in the parent, after the death: makes sure that there is something to get for the waiter */
    heir attached, newcomer;
} subject;
extern const subject blocks, streams, queues, calls;

typedef struct operation {
    const char *name;
    unsigned flags; /* of the block */
    cove_lifetime lifetime;
    bool alone;                /* no survivor is attached while the child works */
    bool removes;              /* the name may be gone afterwards */
    bool may_be_dirty;         /* a single copy may be left half edited */
    void (*prepare)(scene *s); /* in the parent, before the fork; may be null */
    void (*open)(scene *s);    /* in the child, not stepped; null: nothing is opened */
    void (*run)(scene *s);     /* in the child, stepped */
    bool (*is_done)(scene *s); /* in the parent, when the child got through undisturbed: whether it did what it says; may be null */
    bool is_later;             /* the child's clock is a second ahead: what is done once in a while is due, like a sweep */
    bool varies;               /* which way it takes depends on how long it takes */
    unsigned more;             /* the subject's own, and */
} operation;
/* The survivor holds what the operation waits for until it is over, so nobody else goes on after a death, nor beside one who is stopped. */
#define SURVIVOR_HOLDS (1u << 31)
extern const operation block_operations[], stream_operations[], queue_operations[], call_operations[];

extern const char *kill_domain;

/* Values: version 0 is what was set before, 1 what the operation sets, 2 what survivors set. */
void value_fill(char *data, int version);
/* Which value this is; -1: none, torn. */
int value_of(const char *data, uint64_t length);

_Noreturn void kill_die(const char *what);
/* Has so many do it, each beside the others, and then die together. */
void after_deaths_of(scene *s, unsigned count, void (*act)(scene *s));
void after_death_of(scene *s, void (*act)(scene *s));
/* How long a waiter may wait at most for what is there: far longer than a slice, far shorter than its deadline. */
#define IN_TIME_NS UINT64_C(500000000)
/* Memory of VALUE_BYTES whose first touch has `act` done: what another does in the midst of what is stepped. */
char *touchy_memory(scene *s, void (*act)(scene *s));
/* `w`, and why, with the last error beside it. */
wrong fail_why(wrong w, const char **out_why, const char *why);
/* Whether the survivor's descriptor tells of what has come: at once from a process that lived to ring, else by the bell's own second, which
 * only one in 16 has the patience to wait for. */
bool is_told(const scene *s);
/* Removes what is left in the domain; whether there was anything. */
bool clean_up(const operation *o);

#endif

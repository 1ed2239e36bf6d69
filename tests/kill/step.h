/* Ending a process, or stopping it, just before one chosen machine instruction.
 *
 * One child records the address of every instruction between step_begin and step_end, by the trap flag. Later ones are told the
 * address and how often it is to be passed; they put a breakpoint there, in their own copy of the code, and count. So a run up to
 * instruction 20 000 costs as many traps as that address was passed before, and not 20 000. x86-64 only.
 *
 * The recording also says before which instructions the world of others has changed: watched memory, or whatever a system call did. A death
 * between two of those is the same as one at the first. */
#ifndef COVE_KILL_STEP_H
#define COVE_KILL_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STEP_MOST 200000

typedef struct step_trace {
    size_t count;
    uintptr_t address[STEP_MOST];
    bool is_new[STEP_MOST]; /* since the instruction before, something that others can see has changed */
} step_trace;

/* In the child, before step_begin; one of the two. The trace lies in memory that the parent sees. */
void step_record(step_trace *trace);
/* Memory that others see; at most STEP_WATCHED_MOST bytes of it, in the child that records. */
#define STEP_WATCHED_MOST (256 << 10)
void step_watch(const void *memory, size_t bytes);
/* False where no breakpoint can be had. */
bool step_act_at(uintptr_t address, uint32_t occurrence, int signal_number);

/* What is done between the two is not of what is stepped. */
void step_pause(void);
void step_resume(void);

void step_begin(void);
void step_end(void);

#endif

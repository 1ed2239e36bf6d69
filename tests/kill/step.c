/* See step.h. */
#define _GNU_SOURCE
#include "tests/kill/step.h"

#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define TRAP_FLAG 0x100
#define BREAKPOINT 0xcc

static step_trace *recording;
/* The kernel's page of code (vdso): it only reads the clock, and no breakpoint can be had there. */
#define KERNELS_BYTES (2 * 4096)
static uintptr_t kernels_code;
static struct {
    const uint8_t *memory;
    size_t bytes;
    uint8_t before[STEP_WATCHED_MOST];
    bool was_call;
} watched;
static struct {
    uint8_t *address;
    uint8_t original;
    uint32_t left;
    int signal_number;
    bool is_set;
} stop;

/* The handler uses nothing of the C library's: the breakpoint may stand there. */
static long raw_syscall(long number, long a, long b) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b) : "rcx", "r11", "memory");
    return result;
}

/* System calls that only look. */
static bool only_looks(long number) {
    return number == SYS_fstat || number == SYS_newfstatat || number == SYS_getpid || number == SYS_gettid || number == SYS_pread64 ||
           number == SYS_clock_gettime || number == SYS_fstatfs || number == SYS_getrandom || number == SYS_readlink;
}

/* Whether the instruction before this one has changed what others see. */
static bool look_for_change(const greg_t *registers) {
    const uint8_t *code = (const uint8_t *)registers[REG_RIP];
    bool is_new = watched.was_call, is_call = code[0] == 0x0f && code[1] == 0x05;
    watched.was_call = is_call && !only_looks((long)registers[REG_RAX]);
    if (is_call && registers[REG_RAX] == SYS_munmap && (const uint8_t *)registers[REG_RDI] == watched.memory)
        watched.bytes = 0;
    if (watched.bytes && memcmp(watched.before, watched.memory, watched.bytes) != 0) {
        memcpy(watched.before, watched.memory, watched.bytes);
        is_new = true;
    }
    return is_new;
}

static void on_trap(int number, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    uintptr_t at = (uintptr_t)registers[REG_RIP];
    (void)number;
    (void)info;
    if (recording) {
        if (at == (uintptr_t)step_end)
            registers[REG_EFL] &= ~TRAP_FLAG;
        else if (recording->count < STEP_MOST && at - kernels_code >= KERNELS_BYTES) {
            recording->is_new[recording->count] = look_for_change(registers);
            recording->address[recording->count++] = at;
        }
        return;
    }
    if (stop.is_set && at == (uintptr_t)stop.address + 1) { /* just before the instruction */
        *stop.address = stop.original;
        stop.is_set = false;
        registers[REG_RIP] = (greg_t)(uintptr_t)stop.address;
        if (--stop.left == 0) {
            raw_syscall(SYS_kill, raw_syscall(SYS_getpid, 0, 0), stop.signal_number);
            return; /* stopped, and going on */
        }
        registers[REG_EFL] |= TRAP_FLAG; /* one instruction, then the breakpoint again */
        return;
    }
    registers[REG_EFL] &= ~TRAP_FLAG;
    if (stop.address && stop.left) {
        *stop.address = BREAKPOINT;
        stop.is_set = true;
    }
}

static void install(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_trap;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGTRAP, &action, NULL);
}

void step_record(step_trace *trace) {
    install();
    kernels_code = getauxval(AT_SYSINFO_EHDR);
    recording = trace;
    trace->count = 0;
}

void step_watch(const void *memory, size_t bytes) {
    watched.memory = memory;
    watched.bytes = bytes < STEP_WATCHED_MOST ? bytes : STEP_WATCHED_MOST;
    memcpy(watched.before, watched.memory, watched.bytes);
}

bool step_act_at(uintptr_t address, uint32_t occurrence, int signal_number) {
    uintptr_t page = address & ~(uintptr_t)4095;
    install();
    if (mprotect((void *)page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
        return false;
    stop.address = (uint8_t *)address;
    stop.original = *stop.address;
    stop.left = occurrence;
    stop.signal_number = signal_number;
    return true;
}

/* In a signal's handler, where the trap flag is off anyway. */
static bool was_set;
void step_pause(void) {
    was_set = stop.is_set;
    if (was_set)
        *stop.address = stop.original;
}
void step_resume(void) {
    if (was_set)
        *stop.address = BREAKPOINT;
}

__attribute__((noinline)) void step_begin(void) {
    if (recording) {
        __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "memory", "cc");
    } else if (stop.address) {
        *stop.address = BREAKPOINT;
        stop.is_set = true;
    }
}

__attribute__((noinline)) void step_end(void) {
    __asm__ volatile("" ::: "memory");
    if (stop.is_set) {
        *stop.address = stop.original;
        stop.is_set = false;
    }
}

/* A queue of jobs, and workers that get killed. Each job is done at least once; one whose worker was killed goes to another, which is told. */
#include <cove/queue.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS 200

static int failed(void) {
    fprintf(stderr, "%s\n", cove_last_error()->sentence);
    return 1;
}

static int work(void) {
    cove_queue *jobs, *results;
    cove_message job;
    if (cove_queue_open(&jobs, "jobs", NULL) != COVE_OK || cove_queue_open(&results, "results", NULL) != COVE_OK)
        return failed();
    for (;;) {
        cove_result result = cove_queue_take(jobs, &job, COVE_FOREVER); /* ours until it is done, or we die */
        if (result < 0)
            return failed();
        usleep(1000); /* the work */
        if (cove_queue_push(results, job.data, job.length_bytes, result == COVE_REDELIVERED, COVE_FOREVER) < 0 ||
            cove_queue_done(jobs, &job) != COVE_OK)
            return failed();
    }
}

static pid_t start_worker(void) {
    pid_t pid = fork();
    if (!pid)
        _exit(work());
    return pid;
}

int main(void) {
    cove_queue *jobs, *results;
    static unsigned times[JOBS];
    unsigned done = 0, again = 0;
    pid_t worker[3];
    if (cove_queue_open(&jobs, "jobs", &(cove_queue_options){.capacity_bytes = sizeof(unsigned), .depth = JOBS}) != COVE_OK ||
        cove_queue_open(&results, "results", &(cove_queue_options){.capacity_bytes = sizeof(unsigned), .depth = JOBS}) != COVE_OK)
        return failed();
    for (int i = 0; i < 3; i++)
        worker[i] = start_worker();
    for (unsigned i = 0; i < JOBS; i++)
        if (cove_queue_push(jobs, &i, sizeof i, 0, COVE_FOREVER) < 0)
            return failed();
    while (done < JOBS) {
        unsigned number;
        cove_message message;
        if (cove_queue_pop(results, &number, sizeof number, &message, cove_in_ms(5000)) < 0)
            return failed();
        if (number >= JOBS)
            return fprintf(stderr, "a job that nobody gave\n"), 1;
        done += times[number]++ == 0;
        again += message.tag != 0;
        if (done % 10 == 0) { /* every now and then a worker is killed, and another starts */
            kill(worker[done / 10 % 3], SIGKILL);
            waitpid(worker[done / 10 % 3], NULL, 0);
            worker[done / 10 % 3] = start_worker();
        }
    }
    for (int i = 0; i < 3; i++) {
        kill(worker[i], SIGKILL);
        waitpid(worker[i], NULL, 0);
    }
    printf("%u jobs done, %u of them given to a second worker because the first was killed\n", done, again);
    cove_queue_close(jobs);
    cove_queue_close(results);
    return 0;
}

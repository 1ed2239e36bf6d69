/* A single-copy block is edited in place, so a death in the middle leaves half an edit. The next one is told, and repairs. */
#include <cove/cove.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct pair {
    int left, right; /* always equal, outside the lock */
} pair;

static void die_half_way(void) {
    cove_block *block;
    cove_block_view view;
    if (cove_block_open(&block, "pair", NULL) != COVE_OK || cove_block_lock_write(block, &view, COVE_FOREVER) != COVE_OK)
        _exit(1);
    ((pair *)view.data)->left = 2;
    kill(getpid(), SIGKILL); /* before the right one */
}

int main(void) {
    cove_block *block;
    cove_block_view view;
    pair p = {1, 1};
    if (cove_block_open(&block, "pair", &(cove_block_options){.capacity_bytes = sizeof p, .flags = COVE_BLOCK_SINGLE}) != COVE_OK ||
        cove_block_set(block, &p, sizeof p, COVE_FOREVER) != COVE_OK)
        return 1;
    pid_t pid = fork();
    if (!pid)
        die_half_way();
    waitpid(pid, NULL, 0);

    printf("get:        %s\n", cove_result_name(cove_block_get(block, &p, sizeof p, NULL, NULL, COVE_FOREVER)));
    cove_result result = cove_block_lock_write(block, &view, COVE_FOREVER);
    printf("lock_write: %s\n", cove_result_name(result));
    if (result != COVE_OWNER_DIED)
        return 1;
    pair *shared = view.data;
    shared->right = shared->left;
    if (cove_block_mark_repaired(block, &view) != COVE_OK || cove_block_unlock(block, &view) != COVE_OK)
        return 1;
    result = cove_block_get(block, &p, sizeof p, NULL, NULL, COVE_FOREVER);
    printf("get:        %s, %d and %d\n", cove_result_name(result), p.left, p.right);
    cove_block_close(block);
    return result == COVE_OK && p.left == p.right ? 0 : 1;
}

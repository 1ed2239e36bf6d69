/* A struct in a block, changed in place: lock_write begins a transaction, unlock publishes it, abandon drops it. */
#include <cove/cove.h>
#include <stdio.h>

typedef struct account {
    long balance;
    unsigned changes;
} account;

static cove_result withdraw(cove_block *block, long amount) {
    cove_block_view view;
    cove_result result = cove_block_lock_write(block, &view, cove_in_ms(1000));
    if (result != COVE_OK)
        return result;
    account *a = view.data;
    a->balance -= amount; /* nobody sees this yet, and nobody ever will if we die here */
    a->changes++;
    return a->balance < 0 ? cove_block_abandon(block, &view) : cove_block_unlock(block, &view);
}

int main(void) {
    cove_block *block;
    account a = {.balance = 100};
    if (cove_block_open(&block, "account", &(cove_block_options){.capacity_bytes = sizeof a, .type_name = "account"}) != COVE_OK ||
        cove_block_set(block, &a, sizeof a, COVE_FOREVER) != COVE_OK || withdraw(block, 30) != COVE_OK ||
        withdraw(block, 1000) != COVE_OK || cove_block_get(block, &a, sizeof a, NULL, NULL, COVE_FOREVER) != COVE_OK) {
        fprintf(stderr, "%s\n", cove_last_error()->sentence);
        return 1;
    }
    printf("balance %ld after %u changes\n", a.balance, a.changes);
    cove_block_close(block);
    return a.balance == 70 ? 0 : 1;
}

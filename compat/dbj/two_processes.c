/* Two processes and one block: `dbj_two set 42` waits for a key to be pressed; `dbj_two get`, started meanwhile, tells what was set. */
#include "dbj-component-loader.h"
#include "dbj-shmem.h"

static int is_setter, number;

static void use(component_shmem_factory_fp factory) {
    struct component_shmem *shmem = factory();
    dbj_string_64 key;
    DBJ_STRING_ASSIGN(key, "the number");
    DBJ_VERIFY(shmem->create(shmem, key, sizeof number));
    if (is_setter) {
        DBJ_VERIFY(shmem->set_value(shmem, key, sizeof number, &number));
        printf("%d is set; press Enter to end, and it is gone\n", number);
        fflush(stdout);
        getchar();
    } else {
        int *out = &number;
        DBJ_VERIFY(shmem->get_value(shmem, key, sizeof number, (void **)&out));
        printf("%d\n", number);
    }
}

int main(int argc, char **argv) {
    is_setter = argc > 2 && strcmp(argv[1], "set") == 0;
    number = is_setter ? atoi(argv[2]) : 0;
    DBJCS_CALL(DBJ_SHMEM_DLL_NAME, component_shmem_factory_fp, use);
    return 0;
}

/* The usage of the original's description, as it stands there. */
#include "dbj-component-loader.h"
#include "dbj-shmem.h"

static inline void component_user(component_shmem_factory_fp factory) {
    // single pointer to the struct component interface
    struct component_shmem *implementation = factory();

    // name of the shmem block
    dbj_string_64 key;
    DBJ_STRING_ASSIGN(key, "key_one");

    // create shmem to store a single int
    DBJ_VERIFY(implementation->create(implementation, key, sizeof(int)));

    // store the int value in a shmem
    int fty2 = 42;
    DBJ_VERIFY(implementation->set_value(implementation, key, sizeof(int), &fty2));

    // retrieve the single named int from the shmem
    int retrieved = 0;
    int *ptr = &retrieved;
    DBJ_VERIFY(implementation->get_value(implementation, key, sizeof(int), (void **)&ptr));
    DBJ_VERIFY(*ptr == 42);

    // manually remove the shmem
    DBJ_VERIFY(implementation->delete (implementation, key));
    printf("42 was set, and got\n");
}

int main(void) {
    DBJCS_CALL("dbj-shmem.dll", DBJCS_FACTORYNAME, component_factory_fp, component_user);
    DBJCS_CALL("dbj-shmem.dll", component_shmem_factory_fp, component_user);
    return 0;
}

/* The name that later versions of the original gave to shmem.h. */
#include "shmem.h"

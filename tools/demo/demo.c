#include <cove/cove.h>
int main(void) { return 0; }

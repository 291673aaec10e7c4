#ifndef SLUICE_TESTS_DENY_IO_URING_H
#define SLUICE_TESTS_DENY_IO_URING_H

#include <stdbool.h>

/* From now on io_uring_setup fails with that errno in this process and those that it starts. False
 * when the kernel takes no such filter. */
bool deny_io_uring(int code);

#endif

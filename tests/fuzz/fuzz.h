/* A fuzz target: one function that must neither crash, leak nor hang, whatever the bytes. With
 * clang it is linked with libFuzzer (make fuzz), otherwise with replay.c (make fuzz-replay). */
#ifndef SLUICE_TESTS_FUZZ_H
#define SLUICE_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif

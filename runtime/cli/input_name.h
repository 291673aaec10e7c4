/* What --input names: "FILE" or "BLOB=FILE". */
#ifndef SLUICE_CLI_INPUT_NAME_H
#define SLUICE_CLI_INPUT_NAME_H

#include <stddef.h>

#include "runtime/sluice.h"

/* Bytes of BLOB in "BLOB=FILE"; 0: all of it is a file. What stands before the first "=" is a blob
 * when some of the models has an input of that name, and also when no file has the whole name, so
 * that the message is about the blob. Looks for the file. */
size_t input_name_length(struct sl_model *const *models, int count, const char *input);

/* Where the name is put that sl_model_find_input wants. */
#define INPUT_NAME_BYTES 256
/* The first `length` bytes of input, cut to what a name may have. Returns buffer. */
const char *input_name(const char *input, size_t length, char buffer[INPUT_NAME_BYTES]);

#endif

/* How far the results of an encoded pack are from those of float32 weights. */
#ifndef SLUICE_CLI_ENCODING_REPORT_H
#define SLUICE_CLI_ENCODING_REPORT_H

#include "runtime/cli/command.h"
#include "runtime/sluice.h"

/* Runs the pack that the request made and the same import in float32, which takes room beside it
 * for that long, once each, on the inputs that "--input" of the command names ("FILE" or
 * "BLOB=FILE"), else on pseudo-random values, and prints the difference in results and in bytes. */
int cli_encoding_report(const struct cli_arguments *arguments,
                        const struct sl_import_request *request, struct sl_error *error);

/* What would keep --encode from being judged, before a pack is made: -errno for an input that
 * cannot be read. */
int cli_encoding_check_inputs(const struct cli_arguments *arguments, struct sl_error *error);

/* Reads --encode and --input: sets request->encoding. -EINVAL when they do not go together. */
int cli_encoding_read(const struct cli_arguments *arguments, struct sl_import_request *request,
                      struct sl_error *error);

/* Rows of a command's option table. */
#define CLI_ENCODING_OPTIONS                                                                       \
    {"encode",                                                                                     \
     0,                                                                                            \
     "f32|f16|bf16|i8|lossless",                                                                   \
     "how the weights of convolutions and fully connected layers are stored (default f32); i8 "    \
     "has a scale per output channel, lossless the same bits in about 7/8 of the bytes; both "     \
     "packs are run once, and the difference is printed",                                          \
     "f32 f16 bf16 i8 lossless",                                                                   \
     false},                                                                                       \
    {                                                                                              \
        "input", 'i', "[BLOB=]FILE",                                                               \
            "what --encode is judged on: an image, .npy or raw float32 (default: fixed "           \
            "pseudo-random values)",                                                               \
            "@files", true                                                                         \
    }

#endif

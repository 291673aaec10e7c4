/* Sizes, rates and durations as users write and read them. K, M, G, T are powers of 1024 in sizes
 * ("170M", "1.5G", "4096"), and so in rates ("100M" bytes per second). */
#ifndef SLUICE_BASE_UNITS_H
#define SLUICE_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/error.h"

#define SL_KIB (UINT64_C(1) << 10)
#define SL_MIB (UINT64_C(1) << 20)
#define SL_GIB (UINT64_C(1) << 30)

/* "64M", "64MiB", "64MB", "1.5g", "4096" -> bytes. -EINVAL with a message otherwise. */
int sl_parse_size(const char *text, uint64_t *bytes, struct sl_error *error);

/* Plain decimal number within [least, most]. -EINVAL with a message otherwise. */
int sl_parse_integer(const char *text, int64_t least, int64_t most, int64_t *value,
                     struct sl_error *error);
int sl_parse_real(const char *text, double least, double most, double *value,
                  struct sl_error *error);

#define SL_UNIT_TEXT_BYTES 32

/* "217 MiB"-style text with three significant digits. Returns buffer. */
const char *sl_format_size(uint64_t bytes, char buffer[SL_UNIT_TEXT_BYTES]);
/* "1.23 ms"-style text. Returns buffer. */
const char *sl_format_duration(uint64_t ns, char buffer[SL_UNIT_TEXT_BYTES]);

/* The least multiple of alignment that is not below value. */
static inline uint64_t sl_align_up(uint64_t value, uint64_t alignment)
{
    return (value + alignment - 1) / alignment * alignment;
}

#endif

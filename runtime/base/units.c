#include "runtime/base/units.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int unit_shift(const char *suffix)
{
    static const char letters[] = "KMGT";
    if (!*suffix || !strcasecmp(suffix, "B"))
        return 0;
    const char *letter = strchr(letters, toupper((unsigned char)*suffix));
    if (!letter)
        return -1;
    const char *rest = suffix + 1;
    if (*rest && strcasecmp(rest, "B") && strcasecmp(rest, "iB"))
        return -1;
    return 10 * (int)(letter - letters + 1);
}

int sl_parse_size(const char *text, uint64_t *bytes, struct sl_error *error)
{
    char *end = NULL;
    errno = 0;
    double value = isdigit((unsigned char)*text) || *text == '.' ? strtod(text, &end) : -1;
    if (!end || value < 0 || errno || !isfinite(value))
        return sl_error_set(error, -EINVAL, "'%s' is not a size; write for example 170M or 1.5G",
                            text);
    while (*end == ' ')
        end++;
    int shift = unit_shift(end);
    if (shift < 0)
        return sl_error_set(error, -EINVAL,
                            "'%s' is not a size: unknown unit '%s'; use K, M, G or T", text, end);
    value = ldexp(value, shift);
    if (value >= 0x1p63)
        return sl_error_set(error, -ERANGE, "'%s' is too large for a size", text);
    *bytes = (uint64_t)value;
    return 0;
}

int sl_parse_integer(const char *text, int64_t least, int64_t most, int64_t *value,
                     struct sl_error *error)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end || errno)
        return sl_error_set(error, -EINVAL, "'%s' is not a whole number", text);
    if (number < least || number > most)
        return sl_error_set(error, -EINVAL, "%s is not between %lld and %lld", text,
                            (long long)least, (long long)most);
    *value = number;
    return 0;
}

int sl_parse_real(const char *text, double least, double most, double *value,
                  struct sl_error *error)
{
    char *end;
    errno = 0;
    double number = strtod(text, &end);
    if (end == text || *end || errno || !isfinite(number))
        return sl_error_set(error, -EINVAL, "'%s' is not a number", text);
    if (number < least || number > most)
        return sl_error_set(error, -EINVAL, "%s is not between %g and %g", text, least, most);
    *value = number;
    return 0;
}

const char *sl_format_size(uint64_t bytes, char buffer[SL_UNIT_TEXT_BYTES])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 999.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        value /= 1024;
        unit++;
    }
    int decimals = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    snprintf(buffer, SL_UNIT_TEXT_BYTES, "%.*f %s", decimals, value, units[unit]);
    return buffer;
}

const char *sl_format_duration(uint64_t ns, char buffer[SL_UNIT_TEXT_BYTES])
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    double value = (double)ns;
    size_t unit = 0;
    while (value >= 999.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        value /= 1000;
        unit++;
    }
    int decimals = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    snprintf(buffer, SL_UNIT_TEXT_BYTES, "%.*f %s", decimals, value, units[unit]);
    return buffer;
}

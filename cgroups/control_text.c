/* Reading and writing the texts of control files, without touching any file. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgroups/version.h"
#include "runtime/base/units.h"

uint64_t sl_control_number(const char *text)
{
    if (!text || text[0] < '0' || text[0] > '9')
        return SL_NO_LIMIT;
    errno = 0;
    unsigned long long value = strtoull(text, NULL, 10);
    /* v1 says "no limit" as LONG_MAX rounded down to a page. */
    return errno || value >= UINT64_C(1) << 62 ? SL_NO_LIMIT : value;
}

uint64_t sl_control_value(const char *text, const char *key)
{
    size_t length = strlen(key);
    for (const char *line = text; line && *line;) {
        if (!strncmp(line, key, length) && line[length] == ' ')
            return sl_control_number(line + length + 1);
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return SL_NO_LIMIT;
}

uint64_t sl_control_pressure(const char *text, const char *kind)
{
    size_t length = strlen(kind);
    for (const char *line = text; line && *line;) {
        const char *end = strchrnul(line, '\n');
        const char *total = strstr(line, " total=");
        if (!strncmp(line, kind, length) && line[length] == ' ' && total && total < end) {
            uint64_t us = sl_control_number(total + sizeof(" total=") - 1);
            return us == SL_NO_LIMIT ? us : us * 1000;
        }
        line = *end ? end + 1 : end;
    }
    return SL_NO_LIMIT;
}

uint64_t sl_control_sum(uint64_t a, uint64_t b)
{
    if (a == SL_NO_LIMIT || b == SL_NO_LIMIT)
        return a == SL_NO_LIMIT ? b : a;
    return a > SL_NO_LIMIT - b ? SL_NO_LIMIT : a + b;
}

static bool list_has(const char *list, size_t length, const char *word)
{
    size_t word_length = strlen(word);
    for (const char *item = list; item < list + length;) {
        const char *comma = memchr(item, ',', (size_t)(list + length - item));
        size_t item_length = (size_t)((comma ? comma : list + length) - item);
        if (item_length == word_length && !memcmp(item, word, word_length))
            return true;
        item += item_length + 1;
    }
    return false;
}

bool sl_control_own_path(const char *text, const char *controller, char *path, size_t size)
{
    /* hierarchy-ID:controller-list:cgroup-path; the unified one is "0::path". */
    for (const char *line = text; line && *line;) {
        const char *end = strchrnul(line, '\n');
        const char *list = memchr(line, ':', (size_t)(end - line));
        const char *own = list ? memchr(list + 1, ':', (size_t)(end - list - 1)) : NULL;
        if (own) {
            size_t list_length = (size_t)(own - list - 1);
            bool match = controller ? list_has(list + 1, list_length, controller)
                                    : list_length == 0 && line[0] == '0';
            size_t length = (size_t)(end - own - 1);
            if (match && length < size) {
                memcpy(path, own + 1, length);
                path[length] = '\0';
                return true;
            }
        }
        line = *end ? end + 1 : end;
    }
    return false;
}

void sl_control_below_root(const char *path, const char *root, char *relative, size_t size)
{
    size_t length = strcmp(root, "/") ? strlen(root) : 0;
    relative[0] = '\0';
    if (strncmp(path, root, length) || (path[length] && path[length] != '/'))
        return;
    path += length;
    while (*path == '/')
        path++;
    /* A namespace shows groups above its own root as "/..". */
    if (strncmp(path, "..", 2) && strlen(path) < size)
        memcpy(relative, path, strlen(path) + 1);
}

pid_t sl_control_owner(const char *name, const char *prefix)
{
    size_t length = strlen(prefix);
    if (strncmp(name, prefix, length) || name[length] < '1' || name[length] > '9')
        return 0;
    char *end;
    errno = 0;
    long pid = strtol(name + length, &end, 10);
    if (errno || pid > INT_MAX || *end != '-' || end[1] < '0' || end[1] > '9')
        return 0;
    return end[1 + strspn(end + 1, "0123456789")] ? 0 : (pid_t)pid;
}

int sl_limits_check(const struct sl_limits *limits, struct sl_error *error)
{
    char size[SL_UNIT_TEXT_BYTES];
    if (limits->memory_bytes < SL_LEAST_LIMIT_BYTES)
        return sl_error_set(error, -EINVAL,
                            "a memory limit of %s is too small for any process to start in; give "
                            "at least 1M, or none",
                            sl_format_size(limits->memory_bytes, size));
    if (limits->read_bytes_per_s < SL_LEAST_BYTES_PER_S)
        return sl_error_set(error, -EINVAL,
                            "a read rate of %s/s is less than a page per second; give at least "
                            "4K, or none",
                            sl_format_size(limits->read_bytes_per_s, size));
    if (limits->write_bytes_per_s < SL_LEAST_BYTES_PER_S)
        return sl_error_set(error, -EINVAL,
                            "a write rate of %s/s is less than a page per second; give at least "
                            "4K, or none",
                            sl_format_size(limits->write_bytes_per_s, size));
    if ((limits->read_bytes_per_s != SL_NO_LIMIT || limits->write_bytes_per_s != SL_NO_LIMIT) &&
        !limits->throttle_path)
        return sl_error_set(error, -EINVAL,
                            "a rate needs a file that says which device to throttle");
    if (limits->cores < 0)
        return sl_error_set(error, -EINVAL, "%d cores cannot be had", limits->cores);
    if (limits->memory_bytes != SL_NO_LIMIT && limits->swap_place != SL_SWAP_ANYWHERE &&
        limits->swap_bytes == SL_NO_LIMIT)
        return sl_error_set(error, -EINVAL, "swap in %s needs a size",
                            limits->swap_place == SL_SWAP_ZRAM ? "zram" : "a file");
    if (isnan(limits->cpus) || limits->cpus < 0 || (limits->cpus > 0 && limits->cpus < 0.01) ||
        limits->cpus > 10000)
        return sl_error_set(error, -EINVAL,
                            "%g CPUs cannot be had; give a share from 0.01 to 10000, or 0 for all",
                            limits->cpus);
    return 0;
}

struct sl_limits sl_limits_effective(const struct sl_limits *limits)
{
    struct sl_limits effective = *limits;
    if (limits->memory_bytes == SL_NO_LIMIT ||
        sl_control_sum(limits->memory_bytes, limits->swap_bytes) >= UINT64_C(1) << 62)
        effective.swap_bytes = SL_NO_LIMIT;
    return effective;
}

bool sl_limits_any(const struct sl_limits *limits)
{
    return limits->memory_bytes != SL_NO_LIMIT || limits->read_bytes_per_s != SL_NO_LIMIT ||
           limits->write_bytes_per_s != SL_NO_LIMIT || limits->cpus != 0 || limits->cores != 0;
}

void sl_cpu_quota(double cpus, unsigned *quota_us, unsigned *period_us)
{
    /* The kernel's least quota is 1 ms. */
    *period_us = cpus >= 0.1 ? 10000 : 100000;
    *quota_us = (unsigned)(cpus * *period_us + 0.5);
}

int sl_core_list(const cpu_set_t *set, int count, char text[SL_CORE_LIST_BYTES])
{
    size_t length = 0;
    text[0] = '\0';
    for (int first = 0; count > 0 && first < CPU_SETSIZE; first++) {
        if (!CPU_ISSET(first, set))
            continue;
        int last = first;
        while (--count > 0 && last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
            last++;
        length +=
            (size_t)snprintf(text + length, SL_CORE_LIST_BYTES - length,
                             last > first ? "%s%d-%d" : "%s%d", length ? "," : "", first, last);
        if (length >= SL_CORE_LIST_BYTES)
            return -ENAMETOOLONG;
        first = last;
    }
    return count > 0 ? -EINVAL : 0;
}

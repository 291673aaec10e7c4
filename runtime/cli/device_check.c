/* Whether this machine can hold a device profile, and the list of those that there are. */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/units.h"
#include "runtime/cli/device_cache.h"
#include "runtime/cli/device_profile.h"
#include "runtime/report/record.h"

/* Through less the rate of the storage is not worth keeping. */
#define CACHED_LEAST_BYTES (UINT64_C(16) << 20)
#define MEASUREMENTS       5

static int check_memory(const struct sl_limits *limits, struct sl_error *error)
{
    struct sysinfo machine;
    char wanted[SL_UNIT_TEXT_BYTES], there[SL_UNIT_TEXT_BYTES];
    if (limits->memory_bytes == SL_NO_LIMIT || sysinfo(&machine))
        return 0;
    uint64_t bytes = (uint64_t)machine.totalram * machine.mem_unit, own = sl_cgroup_own_limit();
    bytes = own < bytes ? own : bytes;
    if (limits->memory_bytes <= bytes)
        return 0;
    return sl_error_set(error, -EOPNOTSUPP,
                        "it has %s of memory, this machine %s; give less with --memory",
                        sl_format_size(limits->memory_bytes, wanted), sl_format_size(bytes, there));
}

static int check_processors(const struct sl_limits *limits, struct sl_error *error)
{
    cpu_set_t allowed;
    int count = sched_getaffinity(0, sizeof(allowed), &allowed) ? CPU_SETSIZE : CPU_COUNT(&allowed);
    if (limits->cores > count)
        return sl_error_set(error, -EOPNOTSUPP,
                            "it runs on %d cores, this machine has %d; give --cores %d",
                            limits->cores, count, count);
    if (limits->cpus > count)
        return sl_error_set(error, -EOPNOTSUPP,
                            "it takes %g processors, this machine has %d; give --cpus %d",
                            limits->cpus, count, count);
    if (limits->cores && limits->cpus > limits->cores)
        return sl_error_set(error, -EOPNOTSUPP,
                            "a share of %g processors cannot be had on %d cores; give --cpus %d "
                            "or --cores %d",
                            limits->cpus, limits->cores, limits->cores, (int)(limits->cpus + 1));
    return 0;
}

static int check_rights(const struct sl_limits *limits, struct sl_error *error)
{
    struct sl_cgroup_rights rights;
    sl_cgroup_probe_for(limits, &rights);
    bool swap = limits->swap_bytes != SL_NO_LIMIT;
    const char *missing = NULL;
    if (limits->memory_bytes != SL_NO_LIMIT && !rights.memory)
        missing = "memory";
    else if (limits->memory_bytes != SL_NO_LIMIT && swap && !rights.swap)
        missing = "swap";
    else if (limits->read_bytes_per_s != SL_NO_LIMIT && !rights.read_rate)
        missing = "read rate";
    else if (limits->write_bytes_per_s != SL_NO_LIMIT && !rights.write_rate)
        missing = "write rate";
    else if (limits->cpus > 0 && !rights.cpu)
        missing = "CPU share";
    else if (limits->cores && !rights.cores)
        missing = "cores";
    if (missing)
        return sl_error_set(error, -EOPNOTSUPP, "its %s cannot be limited here: %s", missing,
                            rights.reason);
    if (limits->memory_bytes == SL_NO_LIMIT || !swap || limits->swap_bytes == 0)
        return 0;
    if (limits->swap_place == SL_SWAP_ZRAM)
        return sl_zram_check(error);
    if (geteuid() && limits->swap_place == SL_SWAP_FILE)
        return sl_error_set(error, -EOPNOTSUPP,
                            "only root can enable a swap file; run as root, or give --swap 0");
    return 0;
}

/* The rate of the storage under a file, 0 when it cannot be measured. Disturbances only ever lower
 * it, so it is measured again before it is said to be less than wanted. */
static uint64_t best_rate(const char *pack, uint64_t wanted)
{
    struct stat status;
    struct sl_device_info device;
    if (stat(pack, &status))
        return 0;
    SL_AUTO_FREE char *cache =
        (uint64_t)status.st_size >= CACHED_LEAST_BYTES ? cli_device_cache() : NULL;
    uint64_t best = 0;
    for (int tries = 0; tries < MEASUREMENTS && best < wanted; tries++) {
        if (sl_device_measure(pack, tries ? NULL : cache, &device, NULL) < 0)
            return 0;
        best = device.bytes_per_s > best ? device.bytes_per_s : best;
    }
    return best;
}

static int check_rate(const struct sl_limits *limits, const char *pack, struct sl_error *error)
{
    if (limits->read_bytes_per_s == SL_NO_LIMIT)
        return 0;
    uint64_t rate = best_rate(pack, limits->read_bytes_per_s);
    char wanted[SL_UNIT_TEXT_BYTES], there[SL_UNIT_TEXT_BYTES];
    /* What cannot be measured, a pack of some pages, is read at once whatever the rate. */
    if (rate == 0 || limits->read_bytes_per_s <= rate)
        return 0;
    return sl_error_set(error, -EOPNOTSUPP,
                        "it reads %s/s, and the storage under %s was measured to give %s/s; move "
                        "the pack to faster storage, or give a lower --read-rate",
                        sl_format_size(limits->read_bytes_per_s, wanted), pack,
                        sl_format_size(rate, there));
}

int device_check(const struct device_profile *profile, const struct sl_limits *limits,
                 const char *pack, struct sl_error *error)
{
    if (!profile->name[0])
        return 0;
    int code = check_memory(limits, error);
    if (code == 0)
        code = check_processors(limits, error);
    if (code == 0)
        code = check_rights(limits, error);
    if (code == 0)
        code = check_rate(limits, pack, error);
    if (code == 0)
        return 0;
    sl_error_wrap(error, "device %s cannot be emulated here", profile->name);
    return -EOPNOTSUPP;
}

void device_record(json_t *record, const struct device_profile *profile)
{
    json_object_set_new(record, "device",
                        profile->name[0] ? json_string(profile->name) : json_null());
}

static void add_size(struct sl_table *table, uint64_t bytes, const char *per)
{
    char text[SL_UNIT_TEXT_BYTES];
    if (bytes == SL_NO_LIMIT)
        sl_table_add(table, "-");
    else
        sl_table_add(table, "%s%s", sl_format_size(bytes, text), per);
}

static void add_row(struct sl_table *table, const struct device_profile *profile)
{
    static const char *const places[] = {"-", "file", "zram"};
    const struct sl_limits *limits = &profile->limits;
    sl_table_add(table, "%s", profile->name);
    add_size(table, limits->memory_bytes, "");
    add_size(table, limits->swap_bytes, "");
    sl_table_add(table, "%s", places[limits->swap_place]);
    add_size(table, limits->read_bytes_per_s, "/s");
    add_size(table, limits->write_bytes_per_s, "/s");
    if (limits->cpus > 0)
        sl_table_add(table, "%g", limits->cpus);
    else
        sl_table_add(table, "-");
    if (limits->cores)
        sl_table_add(table, "%d", limits->cores);
    else
        sl_table_add(table, "-");
    sl_table_add(table, "%s", profile->description);
}

static json_t *profile_json(const struct device_profile *profile)
{
    json_t *line =
        json_pack("{s:s, s:s}", "name", profile->name, "description", profile->description);
    if (line)
        sl_record_add_limits(line, &profile->limits);
    return line;
}

static const struct sl_column for_people[] = {
    {"name", false},  {"memory", true}, {"swap", true},  {"in", false},          {"reads", true},
    {"writes", true}, {"cpus", true},   {"cores", true}, {"description", false},
};
static const struct sl_column for_programs[] = {
    {"name", false},       {"memory_limit", true}, {"swap_limit", true},
    {"swap_place", false}, {"read_rate", true},    {"write_rate", true},
    {"cpus", true},        {"cores", true},        {"description", false},
};
#define COLUMNS (int)(sizeof(for_people) / sizeof(for_people[0]))

int device_list(enum sl_format format, FILE *stream)
{
    SL_AUTO(sl_table_free) struct sl_table table;
    const bool people = sl_format_for_people(format);
    sl_table_init(&table, people ? for_people : for_programs, COLUMNS);
    const struct device_text *text;
    int code = 0;
    for (int i = 0; code == 0 && (text = device_text_at(i)); i++) {
        struct device_profile profile;
        code = device_profile_read(text->name, &profile, NULL);
        if (code == 0 && people)
            add_row(&table, &profile);
        else if (code == 0)
            code = sl_record_give(profile_json(&profile), format, &table, stream);
    }
    if (code == 0 && format != SL_FORMAT_JSON)
        code = sl_table_write(&table, format, stream);
    return code;
}

#include "runtime/cli/device_profile.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/suggest.h"
#include "runtime/base/units.h"
#include "runtime/cli/yaml_reader.h"

#define CORES_MOST  1024
#define DESCRIPTION "description"

/* One key of a profile: how its text becomes a limit. */
struct device_key {
    const char *name;
    int (*read)(const char *text, struct sl_limits *limits, struct sl_error *error);
};

static int read_memory(const char *text, struct sl_limits *limits, struct sl_error *error)
{
    return sl_parse_size(text, &limits->memory_bytes, error);
}

static int read_swap(const char *text, struct sl_limits *limits, struct sl_error *error)
{
    return sl_parse_size(text, &limits->swap_bytes, error);
}

static int read_place(const char *text, struct sl_limits *limits, struct sl_error *error)
{
    if (!strcmp(text, "file"))
        limits->swap_place = SL_SWAP_FILE;
    else if (!strcmp(text, "zram"))
        limits->swap_place = SL_SWAP_ZRAM;
    else
        return sl_error_set(error, -EINVAL, "'%s' is neither file nor zram", text);
    return 0;
}

/* "none" lifts the rate of a device, and is a value among others of a sweep. */
static int read_rate(const char *text, uint64_t *rate, struct sl_error *error)
{
    uint64_t bytes = SL_NO_LIMIT;
    int code = strcmp(text, "none") ? sl_parse_size(text, &bytes, error) : 0;
    if (code == 0 && bytes < SL_LEAST_BYTES_PER_S)
        code = sl_error_set(error, -EINVAL,
                            "%s is less than a page per second; give at least 4K, or none", text);
    if (code == 0)
        *rate = bytes;
    return code;
}

static int read_read_rate(const char *text, struct sl_limits *limits, struct sl_error *error)
{
    return read_rate(text, &limits->read_bytes_per_s, error);
}

static int read_write_rate(const char *text, struct sl_limits *limits, struct sl_error *error)
{
    return read_rate(text, &limits->write_bytes_per_s, error);
}

static int read_cpus(const char *text, struct sl_limits *limits, struct sl_error *error)
{
    return sl_parse_real(text, 0.01, CORES_MOST, &limits->cpus, error);
}

static int read_cores(const char *text, struct sl_limits *limits, struct sl_error *error)
{
    int64_t cores;
    int code = sl_parse_integer(text, 1, CORES_MOST, &cores, error);
    if (code == 0)
        limits->cores = (int)cores;
    return code;
}

static const struct device_key keys[] = {
    {"memory", read_memory},         {"swap", read_swap},
    {"swap-place", read_place},      {"read-rate", read_read_rate},
    {"write-rate", read_write_rate}, {"cpus", read_cpus},
    {"cores", read_cores},
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))
/* The first ones are read in another way on a command line. */
#define OWN_KEYS 2

static const struct device_key *find_key(const char *name)
{
    for (size_t i = 0; i < KEYS; i++)
        if (!strcmp(keys[i].name, name))
            return &keys[i];
    return NULL;
}

static int unknown_key(const struct yaml_file *file, const yaml_node_t *key, struct sl_error *error)
{
    struct sl_suggestion suggestion = {.wanted = yaml_scalar(key)};
    char known[200] = DESCRIPTION;
    sl_suggest(&suggestion, DESCRIPTION);
    for (size_t i = 0; i < KEYS; i++) {
        sl_suggest(&suggestion, keys[i].name);
        snprintf(known + strlen(known), sizeof(known) - strlen(known), ", %s", keys[i].name);
    }
    if (suggestion.best)
        return yaml_fault(file, key, error, "unknown key '%.60s'; did you mean '%s'?",
                          yaml_scalar(key), suggestion.best);
    return yaml_fault(file, key, error, "unknown key '%.60s'; known: %s", yaml_scalar(key), known);
}

static int read_value(const struct yaml_file *file, const yaml_node_t *key,
                      const yaml_node_t *value, struct device_profile *profile,
                      struct sl_error *error)
{
    const char *name = yaml_scalar(key), *text = yaml_scalar(value);
    const struct device_key *known = find_key(name);
    bool description = !strcmp(name, DESCRIPTION);
    if (!known && !description)
        return unknown_key(file, key, error);
    if (!text)
        return yaml_fault(file, value, error, "%s: one value is wanted, not %s", name,
                          yaml_type_name(value));
    if (!*text)
        return yaml_fault(file, value, error, "%s has no value", name);
    if (description)
        snprintf(profile->description, sizeof(profile->description), "%s", text);
    struct sl_error reason = {0};
    if (known && known->read(text, &profile->limits, &reason) < 0)
        return yaml_fault(file, value, error, "%s: %s", name, reason.text);
    return 0;
}

static int read_values(struct yaml_file *file, struct device_profile *profile,
                       struct sl_error *error)
{
    struct sl_limits *limits = &profile->limits;
    const yaml_node_t *place = NULL;
    int code = 0;
    *limits = (struct sl_limits)SL_LIMITS_NONE;
    profile->description[0] = '\0';
    for (const yaml_node_pair_t *pair = file->root->data.mapping.pairs.start;
         code == 0 && pair < file->root->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_node(file, pair->key), *value = yaml_node(file, pair->value);
        code = read_value(file, key, value, profile, error);
        if (!strcmp(yaml_scalar(key), "swap-place"))
            place = value;
    }
    if (code == 0 && place && (limits->swap_bytes == SL_NO_LIMIT || limits->swap_bytes == 0))
        code = yaml_fault(file, place, error,
                          "swap-place: of how much? give swap a size, or leave this line out");
    return code;
}

static bool is_file(const char *name)
{
    const char *dot = strrchr(name, '.');
    return strchr(name, '/') || (dot && (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml")));
}

static int unknown_device(const char *name, struct sl_error *error)
{
    struct sl_suggestion suggestion = {.wanted = name};
    const struct device_text *text;
    for (int i = 0; (text = device_text_at(i)); i++)
        sl_suggest(&suggestion, text->name);
    if (suggestion.best)
        return sl_error_set(error, -ENOENT, "unknown device '%s'; did you mean '%s'?", name,
                            suggestion.best);
    return sl_error_set(error, -ENOENT,
                        "unknown device '%s'; `sluice list devices` names them; a profile of your "
                        "own is FILE.yaml",
                        name);
}

int device_profile_read(const char *name, struct device_profile *profile, struct sl_error *error)
{
    bool file = is_file(name);
    const struct device_text *text = file ? NULL : device_text_find(name);
    if (!file && !text)
        return unknown_device(name, error);
    SL_AUTO(yaml_free) struct yaml_file yaml = {0};
    int code =
        file ? yaml_read_file(name, &yaml, error) : yaml_read_text(name, text->text, &yaml, error);
    if (code < 0)
        return code;
    struct device_profile made;
    const char *slash = strrchr(name, '/');
    snprintf(made.name, sizeof(made.name), "%s", slash ? slash + 1 : name);
    char *dot = file ? strrchr(made.name, '.') : NULL;
    if (dot && dot != made.name)
        *dot = '\0';
    code = read_values(&yaml, &made, error);
    if (code == 0)
        *profile = made;
    return code;
}

int device_read_value(const char *key, const char *text, struct sl_limits *limits,
                      struct sl_error *error)
{
    const struct device_key *known = find_key(key);
    assert(known);
    return known->read(text, limits, error);
}

int device_read_limits(const struct cli_arguments *arguments, struct device_profile *profile,
                       struct sl_limits *limits, struct sl_error *error)
{
    const char *name = cli_text(arguments, "device");
    struct sl_limits made = SL_LIMITS_NONE;
    if (name && device_profile_read(name, profile, error) < 0)
        return cli_wrap(arguments, "device", error);
    if (name)
        made = profile->limits;
    made.throttle_path = limits->throttle_path;
    for (size_t i = OWN_KEYS; i < KEYS; i++) {
        const char *key = keys[i].name;
        if (!cli_option_find(arguments->command->options, key, strlen(key)))
            continue;
        const char *text = cli_text(arguments, key);
        if (text && keys[i].read(text, &made, error) < 0)
            return cli_wrap(arguments, key, error);
    }
    *limits = made;
    return 0;
}

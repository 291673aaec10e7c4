/* Device profiles: memory, swap, rates and cores of a device that a control group emulates. A
 * profile is a YAML file whose keys are options of `run`; those that ship with sluice are
 * scripts/devices/<name>.yaml, one file each. Its values stand in for options that are not given,
 * so each of them can be overridden by its flag. */
#ifndef SLUICE_CLI_DEVICE_PROFILE_H
#define SLUICE_CLI_DEVICE_PROFILE_H

#include <jansson.h>

#include "runtime/cli/command.h"
#include "runtime/report/text_table.h"
#include "runtime/sluice.h"

/* A profile that ships with sluice, as its file says it. Static. */
struct device_text {
    const char *name, *description, *text;
};
/* By index from 0, NULL behind the last; by name, NULL when there is none. */
const struct device_text *device_text_at(int index);
const struct device_text *device_text_find(const char *name);

/* Zero-initialised: no device. */
struct device_profile {
    char name[64];           /* of a built-in one, or of the file without folder and ending */
    char description[128];   /* "" when there is none */
    struct sl_limits limits; /* what it says; no limit where it says nothing */
};

/* Reads a built-in profile by its name, or FILE.yaml (a name with "/", or that ends in .yaml or
 * .yml). -ENOENT with the nearest known name; -EINVAL with file, line and column. */
int device_profile_read(const char *name, struct device_profile *profile, struct sl_error *error);

/* Reads the value of one key into limits. The key must be one; -EINVAL without its name. */
int device_read_value(const char *key, const char *text, struct sl_limits *limits,
                      struct sl_error *error);

#define DEVICE_HELP                                                                                \
    "emulate a device (`sluice list devices`, or a profile of your own): its memory, swap, rates " \
    "and cores stand in for the options that are not given"

/* Reads what --device names and the limits of its profile, and over them those limits that the
 * arguments give themselves, all but memory and swap (which are no plain sizes there), as far as
 * the command has such options. throttle_path is left alone. -EINVAL, -ENOENT name the option. */
int device_read_limits(const struct cli_arguments *arguments, struct device_profile *profile,
                       struct sl_limits *limits, struct sl_error *error);

/* Whether this machine can hold what is to be emulated: 0, or -EOPNOTSUPP with the reason and what
 * to do. limits: in force, with overrides. pack: a file on the storage of interest; its rate is
 * measured. Nothing is asked of a profile that was not read. */
int device_check(const struct device_profile *profile, const struct sl_limits *limits,
                 const char *pack, struct sl_error *error);

/* Puts `device` into a record: the profile's name, null when none was read. */
void device_record(json_t *record, const struct device_profile *profile);

/* For `sluice list devices`. -errno. */
int device_list(enum sl_format format, FILE *stream);

#endif

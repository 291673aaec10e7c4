/* No memory controller that libcgroup can find: everything is refused, with the reason. */
#include <errno.h>
#include <string.h>

#include "cgroups/version.h"

static int disabled_refuse(struct sl_error *error)
{
    return sl_error_set(
        error, -ENOSYS,
        "no cgroup memory controller is mounted here; mount one (mount -t cgroup2 "
        "none /sys/fs/cgroup), boot with cgroup_enable=memory, or use --memory none");
}

static size_t disabled_plan(const struct sl_limits *now, const struct sl_limits *wanted,
                            const struct sl_hardware *hardware,
                            struct sl_cgroup_setting settings[SL_SETTINGS_MOST])
{
    (void)now, (void)wanted, (void)hardware, (void)settings;
    return 0;
}

static void disabled_parse_usage(const char *const texts[SL_USAGE_FILES_MOST],
                                 struct sl_cgroup_usage *usage)
{
    (void)texts;
    memset(usage, 0xff, sizeof(*usage)); /* every counter SL_NO_LIMIT */
}

static uint64_t disabled_own_limit(const char *directory, const char *mount_point)
{
    (void)directory, (void)mount_point;
    return SL_NO_LIMIT;
}

const struct sl_cgroup_version sl_cgroup_disabled = {
    .number = 0,
    .refuse = disabled_refuse,
    .plan = disabled_plan,
    .parse_usage = disabled_parse_usage,
    .own_limit = disabled_own_limit,
};

/* Device profiles: those that ship with sluice, mistakes in others, and what overrides what. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/units.h"
#include "runtime/cli/device_profile.h"

Test(device_profile, every_built_in_one_is_sane)
{
    const struct device_text *text;
    int count = 0;
    for (; (text = device_text_at(count)); count++) {
        struct device_profile profile = {0};
        struct sl_error error = {0};
        cr_assert_eq(device_profile_read(text->name, &profile, &error), 0, "%s", error.text);
        cr_expect_str_eq(profile.name, text->name);
        cr_expect_str_eq(profile.description, text->description);
        cr_expect(strlen(profile.description) > 10 && strlen(profile.description) < 70, "%s",
                  profile.description);
        const struct sl_limits *limits = &profile.limits;
        cr_expect(limits->memory_bytes >= 64 * SL_MIB && limits->memory_bytes < 16 * SL_GIB);
        cr_expect(limits->swap_bytes < 4 * SL_GIB, "%s", text->name);
        cr_expect_eq(limits->swap_bytes > 0, limits->swap_place != SL_SWAP_ANYWHERE, "%s",
                     text->name);
        cr_expect(limits->read_bytes_per_s >= SL_MIB && limits->read_bytes_per_s < SL_GIB);
        cr_expect(limits->write_bytes_per_s >= SL_MIB &&
                  limits->write_bytes_per_s <= limits->read_bytes_per_s);
        cr_expect(limits->cores >= 1 && limits->cpus >= 0.1 && limits->cpus <= limits->cores, "%s",
                  text->name);
        cr_expect_eq(device_text_find(text->name), text);
    }
    cr_expect(count >= 8, "%d profiles", count);
    cr_expect_null(device_text_find("pi4-sdd"));
}

static char path[64];

static void remove_file(void)
{
    if (*path)
        unlink(path);
}

static int read_profile(const char *text, struct device_profile *profile, struct sl_error *error)
{
    snprintf(path, sizeof(path), "/var/tmp/board-%d.yaml", getpid());
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
    return device_profile_read(path, profile, error);
}

Test(device_profile, a_file_of_the_users_own, .fini = remove_file)
{
    struct device_profile profile = {0};
    struct sl_error error = {0};
    cr_assert_eq(read_profile("memory: 64M\nread-rate: 5M\n", &profile, &error), 0, "%s",
                 error.text);
    char name[64];
    snprintf(name, sizeof(name), "board-%d", getpid());
    cr_expect_str_eq(profile.name, name);
    cr_expect_str_eq(profile.description, "");
    cr_expect_eq(profile.limits.memory_bytes, 64 * SL_MIB);
    cr_expect_eq(profile.limits.read_bytes_per_s, 5 * SL_MIB);
    cr_expect_eq(profile.limits.swap_bytes, SL_NO_LIMIT);
    cr_expect_eq(profile.limits.write_bytes_per_s, SL_NO_LIMIT);
    cr_expect_eq(profile.limits.cpus, 0);
    cr_expect_eq(profile.limits.cores, 0);
}

Test(device_profile, mistakes_name_their_place, .fini = remove_file)
{
    static const struct {
        const char *text, *message;
    } mistakes[] = {
        {"memory: 64M\nswapp: 1M\n", ":2:1: unknown key 'swapp'; did you mean 'swap'?"},
        {"memory: much\n", ":1:9: memory: 'much' is not a size"},
        {"memory: 25%\n", ":1:9: memory: '25%' is not a size"},
        {"swap: 1M\nswap-place: disk\n", ":2:13: swap-place: 'disk' is neither file nor zram"},
        {"swap-place: zram\n", ":1:13: swap-place: of how much?"},
        {"swap: 0\nswap-place: file\n", ":2:13: swap-place: of how much?"},
        {"read-rate: 0\n",
         ":1:12: read-rate: 0 is less than a page per second; give at least 4K, or none"},
        {"write-rate: 0\n", ":1:13: write-rate: 0 is less than a page"},
        {"cpus: 0\n", ":1:7: cpus: "},
        {"cores: 1.5\n", ":1:8: cores: "},
        {"cores: [1, 2]\n", ":1:8: cores: one value is wanted, not a list"},
        {"memory:\n", ":1:8: memory has no value"},
        {"zebra: 1M\n", ":1:1: unknown key 'zebra'; known: description, memory, swap, "},
    };
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        struct device_profile profile = {0};
        struct sl_error error = {0};
        cr_expect_eq(read_profile(mistakes[i].text, &profile, &error), -EINVAL, "%s",
                     mistakes[i].text);
        cr_expect(!strncmp(error.text, path, strlen(path)) &&
                      strstr(error.text, mistakes[i].message),
                  "%s\n%s", mistakes[i].message, error.text);
    }
}

Test(device_profile, unknown_names)
{
    struct device_profile profile = {0};
    struct sl_error error = {0};
    cr_expect_eq(device_profile_read("pi4-ssd", &profile, &error), -ENOENT);
    cr_expect_str_eq(error.text, "unknown device 'pi4-ssd'; did you mean 'pi4-sd'?");
    cr_expect_eq(device_profile_read("toaster", &profile, &error), -ENOENT);
    cr_expect(strstr(error.text, "sluice list devices"), "%s", error.text);
    cr_expect_eq(device_profile_read("./pi4-sd", &profile, &error), -ENOENT);
    cr_expect(strstr(error.text, "cannot read ./pi4-sd"), "%s", error.text);
}

/* The limits of a command line of `run`. */
static struct sl_limits limits_of(const char *words, int code)
{
    char line[256], *list[16], *rest = line;
    int count = 0;
    snprintf(line, sizeof(line), "%s", words);
    for (char *word; (word = strsep(&rest, " "));)
        list[count++] = word;
    struct cli_arguments arguments;
    struct device_profile profile = {0};
    struct sl_error error = {0};
    struct sl_limits limits = {.throttle_path = "pack"};
    cr_assert_eq(cli_parse(&command_run, count, list, &arguments, &error), 0, "%s", error.text);
    cr_expect_eq(device_read_limits(&arguments, &profile, &limits, &error), code, "%s: %s", words,
                 error.text);
    cr_expect_str_eq(limits.throttle_path, "pack");
    cli_arguments_free(&arguments);
    return limits;
}

Test(device_profile, flag_over_environment_over_profile)
{
    struct sl_limits limits = limits_of("a.sluice --device pi4-sd --cpus 2 --swap-place zram", 0);
    cr_expect_eq(limits.memory_bytes, 1792 * SL_MIB);
    cr_expect_eq(limits.swap_bytes, 100 * SL_MIB);
    cr_expect_eq(limits.swap_place, SL_SWAP_ZRAM);
    cr_expect_eq(limits.read_bytes_per_s, 45 * SL_MIB);
    cr_expect_eq(limits.write_bytes_per_s, 20 * SL_MIB);
    cr_expect_eq(limits.cpus, 2);
    cr_expect_eq(limits.cores, 1);
    limits = limits_of("a.sluice --device pi4-sd --read-rate none --write-rate none", 0);
    cr_expect_eq(limits.read_bytes_per_s, SL_NO_LIMIT);
    cr_expect_eq(limits.write_bytes_per_s, SL_NO_LIMIT);
    setenv("SLUICE_CPUS", "0.75", 1);
    setenv("SLUICE_DEVICE", "pi3-sd", 1);
    cr_expect_eq(limits_of("a.sluice", 0).cpus, 0.75);
    cr_expect_eq(limits_of("a.sluice", 0).memory_bytes, 832 * SL_MIB);
    cr_expect_eq(limits_of("a.sluice --cpus 0.5", 0).cpus, 0.5);
    cr_expect_eq(limits_of("a.sluice --device pi4-sd", 0).memory_bytes, 1792 * SL_MIB);
}

Test(device_profile, limits_without_a_profile)
{
    struct sl_limits limits = limits_of("a --write-rate 2M --cores 3 --read-rate 1M", 0);
    cr_expect_eq(limits.write_bytes_per_s, 2 * SL_MIB);
    cr_expect_eq(limits.read_bytes_per_s, SL_MIB);
    cr_expect_eq(limits.cores, 3);
    cr_expect_eq(limits.swap_place, SL_SWAP_ANYWHERE);
    limits = limits_of("a", 0);
    cr_expect_not(sl_limits_any(&limits));
    cr_expect_eq(limits_of("a --swap-place file", 0).swap_place, SL_SWAP_FILE);
    limits_of("a --swap-place disk", -EINVAL);
    limits_of("a --cores 0", -EINVAL);
    limits_of("a --write-rate 0", -EINVAL);
    limits_of("a --read-rate 4095", -EINVAL);
    cr_expect_eq(limits_of("a --read-rate 4K", 0).read_bytes_per_s, SL_LEAST_BYTES_PER_S);
    limits_of("a --device pi44-sd", -ENOENT);
}

static void expect_refused(const char *name, const struct sl_limits *limits, const char *why)
{
    struct device_profile profile = {0};
    struct sl_error error = {0};
    snprintf(profile.name, sizeof(profile.name), "%s", name);
    int code = device_check(&profile, limits, "/proc/self/exe", &error);
    cr_expect_eq(code, *why ? -EOPNOTSUPP : 0, "%s", error.text);
    cr_expect(strstr(error.text, why), "%s\n%s", why, error.text);
}

Test(device_profile, what_no_machine_holds_is_refused)
{
    struct sl_limits limits = SL_LIMITS_NONE;
    expect_refused("board", &limits, "");
    limits.memory_bytes = UINT64_C(1) << 60;
    expect_refused("", &limits, "");
    expect_refused("board", &limits, "give less with --memory");
    limits = (struct sl_limits)SL_LIMITS_NONE;
    limits.cores = CPU_SETSIZE;
    expect_refused("board", &limits, "it runs on 1024 cores, this machine has");
    limits.cores = 0;
    limits.cpus = CPU_SETSIZE;
    expect_refused("board", &limits, "it takes 1024 processors");
    limits.cores = 1;
    limits.cpus = 0.5;
    struct sl_cgroup_rights rights;
    sl_cgroup_probe(&rights);
    expect_refused("board", &limits, rights.cores && rights.cpu ? "" : "cannot be limited here");
}

/* What emulates a device, in the kernel: cores, write rate, swap in zram. Needs rights on
 * controllers, and root for zram. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroups/supervisor.h"
#include "cgroups/version.h"
#include "cgroups/zram.h"
#include "runtime/base/file.h"
#include "runtime/base/units.h"
#include "tests/support/run_command.h"

#define FILE_BYTES (50 * SL_MIB)

static char hog_path[PATH_MAX], file_path[PATH_MAX];

static struct sl_cgroup_rights require_groups(void)
{
    struct sl_cgroup_rights rights;
    sl_cgroup_probe(&rights);
    if (!rights.memory || !rights.swap)
        cr_skip_test("skipped: needs a cgroup memory controller with swap (%s)", rights.reason);
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    cr_assert(length > 0);
    program[length] = '\0';
    snprintf(hog_path, sizeof(hog_path), "%.4000s/tests/memory_hog", dirname(program));
    return rights;
}

static void require_zram(void)
{
    require_groups();
    struct sl_error error = {0};
    if (sl_zram_check(&error))
        cr_skip_test("skipped: no swap in zram: %s", error.text);
}

static struct sl_cell cell_of(char **argv)
{
    return (struct sl_cell){
        .argv = argv, .limits = SL_LIMITS_NONE, .timeout_ns = UINT64_C(60000000000)};
}

static struct sl_outcome run(const struct sl_cell *cell)
{
    struct sl_outcome outcome = {0};
    struct sl_error error = {0};
    cr_assert_eq(sl_supervise(cell, &outcome, &error), 0, "%s", error.text);
    cr_expect_eq(outcome.ending, SL_ENDED_OK, "%s: %s", sl_ending_name(outcome.ending),
                 outcome.diagnostics);
    cr_expect_str_empty(left_behind(getpid()));
    return outcome;
}

Test(system_devices, cores_hold_for_the_worker)
{
    if (!require_groups().cores)
        cr_skip_test("skipped: needs a cpuset controller");
    char shell[] = "/bin/sh", option[] = "-c",
         script[] = "grep Cpus_allowed_list /proc/self/status";
    char *argv[] = {shell, option, script, NULL};
    struct sl_cell cell = cell_of(argv);
    cpu_set_t allowed;
    char expected[SL_CORE_LIST_BYTES], line[SL_CORE_LIST_BYTES + 32];
    cr_assert_eq(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
    int all = CPU_COUNT(&allowed);
    for (cell.limits.cores = 1; cell.limits.cores <= all; cell.limits.cores++) {
        cr_assert_eq(sl_core_list(&allowed, cell.limits.cores, expected), 0);
        snprintf(line, sizeof(line), "Cpus_allowed_list:\t%s\n", expected);
        struct sl_outcome outcome = run(&cell);
        cr_expect_str_eq(outcome.output, line);
        sl_outcome_free(&outcome);
    }
    struct sl_outcome outcome;
    struct sl_error error = {0};
    cr_expect_eq(sl_supervise(&cell, &outcome, &error), -EINVAL);
    cr_expect(strstr(error.text, "cores cannot be had: this process may use"), "%s", error.text);
    cr_expect_str_empty(left_behind(getpid()));
}

Test(system_devices, cores_of_a_living_group_change)
{
    if (!require_groups().cores)
        cr_skip_test("skipped: needs a cpuset controller");
    struct sl_limits limits = SL_LIMITS_NONE;
    struct sl_cgroup *group;
    struct sl_error error;
    limits.cores = 1;
    cr_assert_eq(sl_cgroup_create(&limits, &group, &error), 0, "%s", error.text);
    for (; limits.cores >= 0; limits.cores--)
        cr_expect_eq(sl_cgroup_set(group, &limits, &error), 0, "%s", error.text);
    sl_cgroup_destroy(group);
    cr_expect_str_empty(left_behind(getpid()));
}

static void remove_file(void)
{
    if (*file_path)
        unlink(file_path);
}

Test(system_devices, write_rate_of_direct_writes, .fini = remove_file)
{
    if (!require_groups().write_rate)
        cr_skip_test("skipped: needs an io or blkio controller");
    snprintf(file_path, sizeof(file_path), "/var/tmp/sluice-test-%d", getpid());
    int fd = open(file_path, O_RDWR | O_CREAT | O_EXCL, 0600);
    cr_assert(fd >= 0);
    cr_assert_eq(fallocate(fd, 0, 0, (off_t)FILE_BYTES), 0);
    close(fd);
    char mib[] = "0", rounds[] = "1", how[] = "write";
    char *argv[] = {hog_path, mib, rounds, file_path, how, NULL};
    struct sl_cell cell = cell_of(argv);
    cell.limits.write_bytes_per_s = 25 * SL_MIB;
    cell.limits.throttle_path = file_path;
    struct sl_outcome outcome = run(&cell);
    cr_expect_str_eq(outcome.output, "done 52428800\n");
    double seconds = (double)outcome.wall_ns * 1e-9;
    cr_expect(seconds >= 2 * 0.8, "50 MiB at 25 MiB/s took %.2f s", seconds);
    sl_outcome_free(&outcome);
}

static struct sl_cell zram_cell(char **argv)
{
    struct sl_cell cell = cell_of(argv);
    cell.limits.memory_bytes = 64 * SL_MIB;
    cell.limits.swap_bytes = 128 * SL_MIB;
    cell.limits.swap_place = SL_SWAP_ZRAM;
    return cell;
}

Test(system_devices, swap_in_zram_is_used_and_removed)
{
    require_zram();
    char mib[] = "128", rounds[] = "2", *argv[] = {hog_path, mib, rounds, NULL};
    struct sl_cell cell = zram_cell(argv);
    struct sl_outcome outcome = run(&cell);
    cr_expect(outcome.swap_out_bytes >= 60 * SL_MIB, "%llu",
              (unsigned long long)outcome.swap_out_bytes);
    cr_expect(outcome.swap_in_bytes >= 60 * SL_MIB, "%llu",
              (unsigned long long)outcome.swap_in_bytes);
    cr_expect(outcome.zram_peak_bytes != SL_NO_LIMIT && outcome.zram_peak_bytes > 0 &&
                  outcome.zram_peak_bytes < 64 * SL_MIB,
              "pages of one byte compress well: %llu", (unsigned long long)outcome.zram_peak_bytes);
    sl_outcome_free(&outcome);
}

Test(system_devices, swap_in_a_file_has_no_zram)
{
    if (geteuid())
        cr_skip_test("skipped: only root may enable swap");
    require_groups();
    char mib[] = "128", rounds[] = "2", *argv[] = {hog_path, mib, rounds, NULL};
    struct sl_cell cell = zram_cell(argv);
    cell.limits.swap_place = SL_SWAP_FILE;
    struct sl_outcome outcome = run(&cell);
    cr_expect(outcome.swap_out_bytes >= 60 * SL_MIB);
    cr_expect_eq(outcome.zram_peak_bytes, SL_NO_LIMIT);
    sl_outcome_free(&outcome);
}

Test(system_devices, zram_of_the_living_stays_and_of_the_killed_goes)
{
    require_zram();
    int news[2];
    char byte;
    cr_assert_eq(pipe(news), 0);
    pid_t owner = fork();
    if (!owner) {
        struct sl_zram *zram;
        byte = (char)!sl_zram_create(16 * SL_MIB, &zram, NULL);
        if (write(news[1], &byte, 1) != 1)
            _exit(1);
        pause();
    }
    cr_assert_eq(read(news[0], &byte, 1), 1);
    cr_assert_eq(byte, 1, "no zram was made");
    cr_expect(zram_of(owner));
    sl_supervisor_clean();
    cr_expect(zram_of(owner), "the zram of a living process was removed");
    kill(owner, SIGKILL);
    waitpid(owner, NULL, 0);
    cr_expect(zram_of(owner), "nothing was left: the test proves nothing");
    sl_supervisor_clean();
    cr_expect_str_empty(left_behind(owner));
    close(news[0]);
    close(news[1]);
}

Test(system_devices, users_without_rights_are_told_the_cure)
{
    if (geteuid())
        cr_skip_test("skipped: only root can become somebody without rights");
    cr_assert_eq(setgid(65534), 0);
    cr_assert_eq(setuid(65534), 0);
    struct sl_zram *zram = NULL;
    struct sl_error error = {0};
    cr_expect_eq(sl_zram_create(SL_MIB, &zram, &error), -EPERM);
    cr_expect(strstr(error.text, "run as root"), "%s", error.text);
    cr_expect_null(zram);
}

static char folder[PATH_MAX];

/* A folder of its own with LeNet's pack and the profile of a board with swap in zram. */
static void make_folder(void)
{
    struct command synth;
    snprintf(folder, sizeof(folder), "/var/tmp/sluice-device-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    command_run(&synth, "synth lenet -o %s/lenet.sluice -q", folder);
    cr_assert_eq(synth.exit_code, 0, "%s", synth.errors);
    command_free(&synth);
    snprintf(file_path, sizeof(file_path), "%.4000s/board.yaml", folder);
    FILE *profile = fopen(file_path, "w");
    cr_assert_not_null(profile);
    fputs("description: a board\nmemory: 64M\nswap: 32M\nswap-place: zram\nread-rate: 20M\n"
          "write-rate: 10M\ncpus: 0.5\ncores: 1\n",
          profile);
    fclose(profile);
}

static void remove_folder(void)
{
    char path[PATH_MAX];
    remove_file();
    snprintf(path, sizeof(path), "%.4000s/lenet.sluice", folder);
    unlink(path);
    rmdir(folder);
}

static void require_everything(void)
{
    struct sl_cgroup_rights rights = require_groups();
    require_zram();
    if (!rights.read_rate || !rights.write_rate || !rights.cpu || !rights.cores)
        cr_skip_test("skipped: needs all controllers (%s)", rights.reason);
}

Test(system_devices, a_record_tells_the_device, .fini = remove_folder)
{
    require_everything();
    make_folder();
    struct command run;
    command_run(&run, "run %s/lenet.sluice --device %s --cpus 0.25 -o json", folder, file_path);
    cr_assert_eq(run.exit_code, 0, "%s", run.errors);
    json_t *records = command_records(&run), *record = json_array_get(records, 0);
    cr_expect_str_eq(record_text(record, "status"), "ok");
    cr_expect_str_eq(record_text(record, "device"), "board");
    cr_expect_str_eq(record_text(record, "swap_place"), "zram");
    cr_expect_eq(record_number(record, "memory_limit"), 64 * SL_MIB);
    cr_expect_eq(record_number(record, "swap_limit"), 32 * SL_MIB);
    cr_expect_eq(record_number(record, "read_rate"), 20 * SL_MIB);
    cr_expect_eq(record_number(record, "write_rate"), 10 * SL_MIB);
    cr_expect_eq(record_number(record, "cpus"), 0.25, "a flag overrides the profile");
    cr_expect_eq(record_number(record, "cores"), 1);
    cr_expect_eq(record_number(record, "threads"), 1, "one core, one thread");
    cr_expect_geq(record_number(record, "zram_peak_bytes"), 0);
    cr_expect_str_empty(command_left_behind(&run));
    json_decref(records);
    command_free(&run);
}

Test(system_devices, what_a_killed_run_left_goes_with_the_next, .fini = remove_folder)
{
    require_everything();
    make_folder();
    struct command run, next;
    command_start(&run, "run %s/lenet.sluice --device %s --runs 1000000", folder, file_path);
    cr_assert(command_enters_group(&run));
    cr_expect(zram_of(run.pid), "no swap in zram");
    kill(run.pid, SIGKILL);
    command_wait(&run);
    cr_expect(zram_of(run.pid), "nothing was left: the test proves nothing");
    command_run(&next, "run %s/lenet.sluice --memory 32M", folder);
    cr_expect_eq(next.exit_code, 0, "%s", next.errors);
    cr_expect(strstr(next.errors, "removed the swap disk /dev/zram"), "%s", next.errors);
    cr_expect_str_empty(command_left_behind(&run));
    cr_expect_str_empty(command_left_behind(&next));
    command_free(&run);
    command_free(&next);
}

/* No room, no right to write, and packs of a newer version: one line with the cure, exit 1, and no
 * part of a file left. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/pack_format.h"
#include "runtime/base/cleanup.h"
#include "tests/support/deny_io_uring.h"
#include "tests/support/run_command.h"

static char directory[] = "/var/tmp/sluice-test-disk-XXXXXX";
static char pack[sizeof(directory) + 32], small[sizeof(directory) + 32];

static void set_up(void)
{
    struct command command;
    cr_assert_not_null(mkdtemp(directory));
    snprintf(pack, sizeof(pack), "%s/lenet.sluice", directory);
    snprintf(small, sizeof(small), "%s/small", directory);
    command_run(&command, "synth lenet -o %s --caffemodel %s/lenet.caffemodel", pack, directory);
    cr_assert_eq(command.exit_code, 0, "%s", command.errors);
    command_free(&command);
}

static void remove_file(const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    unlink(path);
}

static void tear_down(void)
{
    remove_file("lenet.sluice");
    remove_file("lenet.caffemodel");
    remove_file("newer.sluice");
    rmdir(small);
    cr_expect_eq(rmdir(directory), 0, "%s is not empty", directory);
}

TestSuite(system_bad_input, .init = set_up, .fini = tear_down);

/* The command fails with exactly one line, which has `part`. */
static void refuse(const char *part, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void refuse(const char *part, const char *format, ...)
{
    struct command command;
    char words[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof(words), format, arguments);
    va_end(arguments);
    command_run(&command, "%s", words);
    cr_expect_eq(command.exit_code, 1, "%s: %d", words, command.exit_code);
    cr_expect_not_null(strstr(command.errors, part), "%s: %s", words, command.errors);
    const char *end = strchr(command.errors, '\n');
    cr_expect(end && !end[1], "%s: not one line: %s", words, command.errors);
    cr_expect_str_empty(command.out, "%s", words);
    command_free(&command);
}

static int is_name(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int entries(const char *folder)
{
    struct dirent **names = NULL;
    const int count = scandir(folder, &names, is_name, alphasort);
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
    return count;
}

/* A file system of 1 MiB that nobody else sees. */
static void mount_small(void)
{
    if (geteuid() || unshare(CLONE_NEWNS))
        cr_skip_test("skipped: only root may mount a small file system");
    cr_assert_eq(mkdir(small, 0755), 0);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", small, "tmpfs", 0, "size=1m"))
        cr_skip_test("skipped: a small tmpfs cannot be mounted: %s", strerror(errno));
}

Test(system_bad_input, packs_and_caffemodels)
{
    mount_small();
    refuse("free some", "synth lenet -o %s/x.sluice", small);
    refuse("free some", "synth lenet --caffemodel %s/x.caffemodel", small);
    refuse("give the prototxt", "import %s/lenet.caffemodel -o %s/x.sluice", directory, small);
    cr_expect_eq(entries(small), 0, "left behind");
    cr_assert_eq(mount(NULL, small, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0, "%s", strerror(errno));
    refuse(small, "synth lenet -o %s/x.sluice", small);
    cr_assert_eq(umount(small), 0);
}

Test(system_bad_input, outputs)
{
    char path[PATH_MAX];
    mount_small();
    snprintf(path, sizeof(path), "%s/outputs", small);
    cr_assert_eq(mkdir(path, 0755), 0);
    struct statvfs room;
    cr_assert_eq(statvfs(small, &room), 0);
    snprintf(path, sizeof(path), "%s/all", small);
    const int fd = open(path, O_RDWR | O_CREAT, 0600);
    cr_assert_eq(posix_fallocate(fd, 0, (off_t)(room.f_bavail * room.f_frsize)), 0);
    close(fd);
    refuse("free some", "run %s --output %s/outputs", pack, small);
    refuse("free some", "run %s --output %s/outputs --timeout 60s", pack, small);
    snprintf(path, sizeof(path), "%s/outputs", small);
    cr_expect_eq(entries(path), 0, "left behind");
    cr_assert_eq(umount(small), 0);
}

/* Its header is whole, its version is one that this program does not know. */
Test(system_bad_input, a_pack_of_a_newer_version)
{
    char path[PATH_MAX];
    unsigned char block[SL_PACK_ALIGNMENT];
    struct sl_pack_header header;
    SL_AUTO_FD int fd = open(pack, O_RDWR | O_CLOEXEC);
    cr_assert_eq(pread(fd, block, sizeof(block), 0), (ssize_t)sizeof(block));
    cr_assert_eq(sl_pack_header_decode(block, &header, NULL), 0);
    header.version += 1000;
    sl_pack_header_encode(&header, block);
    cr_assert_eq(pwrite(fd, block, sizeof(block), 0), (ssize_t)sizeof(block));
    snprintf(path, sizeof(path), "%s/newer.sluice", directory);
    cr_assert_eq(rename(pack, path), 0);
    refuse("update sluice", "run %s", path);
    refuse("update sluice", "run %s --policy all", path);
    refuse("update sluice", "inspect %s", path);
}

/* A loader that was asked for and is not allowed: the environment is unfit, whoever finds out, this
 * process or a worker. */
static int run_denied(void)
{
    static const char *const ways[] = {"", " --timeout 60s"};
    if (!deny_io_uring(EPERM))
        return 77;
    for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
        struct command command;
        command_run(&command, "run %s --loader uring -q%s", pack, ways[w]);
        if (command.exit_code != 5 || !strstr(command.errors, "io_uring"))
            return fprintf(stderr, "%d: %s", command.exit_code, command.errors) > 0 ? 1 : 2;
        command_free(&command);
    }
    return 0;
}

Test(system_bad_input, a_denied_loader_is_an_unfit_environment)
{
    const pid_t pid = fork();
    if (!pid)
        _exit(run_denied());
    int status = 0;
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        cr_skip_test("skipped: this needs seccomp filters for every user");
    cr_expect_eq(status, 0);
}

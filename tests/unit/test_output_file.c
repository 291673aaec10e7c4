#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pack_fixture.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/file.h"
#include "runtime/base/output_file.h"

static struct scratch scratch;

static void begin(void)
{
    scratch_begin(&scratch);
}

static void end(void)
{
    scratch_end(&scratch);
}

Test(output_file, is_there_when_it_is_whole, .init = begin, .fini = end)
{
    SL_AUTO(sl_output_file_close) struct sl_output_file file = SL_OUTPUT_FILE_NONE;
    struct sl_error error = {0};
    char text[16];
    cr_assert_eq(sl_output_file_open(&file, scratch.pack, 5, &error), 0, "%s", error.text);
    cr_assert_eq(sl_output_file_write(&file, "whole", 5, 0, &error), 0, "%s", error.text);
    cr_expect_eq(access(scratch.pack, F_OK), -1);
    cr_assert_eq(sl_output_file_commit(&file, &error), 0, "%s", error.text);
    cr_expect_eq(sl_file_read_text(scratch.pack, text, sizeof(text)), 5);
    cr_expect_str_eq(text, "whole");
    cr_expect_eq(scratch_count(&scratch), 1);
}

Test(output_file, leaves_nothing_when_it_is_not, .init = begin, .fini = end)
{
    SL_AUTO(sl_output_file_close) struct sl_output_file file = SL_OUTPUT_FILE_NONE;
    struct sl_error error = {0};
    cr_assert_eq(sl_output_file_open(&file, scratch.pack, 5, &error), 0, "%s", error.text);
    cr_assert_eq(sl_output_file_write(&file, "part", 4, 0, &error), 0, "%s", error.text);
    sl_output_file_close(&file);
    cr_expect_eq(scratch_count(&scratch), 0);
}

Test(output_file, without_a_name_it_is_reached_by_its_descriptor, .init = begin, .fini = end)
{
    SL_AUTO(sl_output_file_close) struct sl_output_file file = SL_OUTPUT_FILE_NONE;
    struct sl_error error = {0};
    char text[16], open_file[32];
    SL_AUTO_FD int fd = sl_unnamed_file_open(scratch.pack, &error);
    cr_assert_geq(fd, 0, "%s", error.text);
    snprintf(open_file, sizeof(open_file), "/proc/self/fd/%d", fd);
    cr_assert_eq(write(fd, "something longer", 16), 16);
    cr_assert_eq(sl_output_file_open(&file, open_file, 5, &error), 0, "%s", error.text);
    cr_assert_eq(sl_output_file_write(&file, "whole", 5, 0, &error), 0, "%s", error.text);
    cr_assert_eq(sl_output_file_commit(&file, &error), 0, "%s", error.text);
    sl_output_file_close(&file);
    cr_expect_eq(sl_file_read_text(open_file, text, sizeof(text)), 5);
    cr_expect_str_eq(text, "whole");
    cr_expect_eq(scratch_count(&scratch), 0);
}

/* As a redirection of the shell does: /dev/stdout is a link. */
Test(output_file, a_link_stays_one, .init = begin, .fini = end)
{
    struct sl_error error = {0};
    struct stat status;
    char link[sizeof(scratch.pack) + 8], text[16];
    snprintf(link, sizeof(link), "%s.link", scratch.pack);
    cr_assert_eq(symlink(scratch.pack, link), 0);
    cr_expect_lt(sl_output_file_save(link, "nowhere", 7, &error), 0);
    cr_expect(strstr(error.text, "cannot follow this link"), "%s", error.text);
    cr_assert_eq(sl_output_file_save(scratch.pack, "old", 3, &error), 0, "%s", error.text);
    cr_expect_eq(sl_output_file_save(link, "whole", 5, &error), 0, "%s", error.text);
    cr_expect_eq(lstat(link, &status), 0);
    cr_expect(S_ISLNK(status.st_mode));
    cr_expect_eq(sl_file_read_text(scratch.pack, text, sizeof(text)), 5);
    unlink(link);
    cr_assert_eq(symlink("/dev/null", link), 0);
    cr_expect_eq(sl_output_file_save(link, "whole", 5, &error), -EINVAL);
    unlink(link);
}

Test(output_file, refuses_what_is_not_open)
{
    struct sl_output_file file = SL_OUTPUT_FILE_NONE;
    struct sl_error error = {0};
    cr_expect_eq(sl_output_file_open(&file, "/proc/self/fd/999999", 5, &error), -EBADF);
    cr_expect(strstr(error.text, "/proc/self/fd/999999"), "%s", error.text);
    cr_expect_eq(sl_output_file_open(&file, "/proc/self/fd/x", 5, &error), -ENOENT);
}

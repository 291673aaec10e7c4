#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pack_fixture.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/file.h"

static struct scratch scratch;

static void begin(void)
{
    scratch_begin(&scratch);
}

static void end(void)
{
    scratch_end(&scratch);
}

Test(file, reads_all_of_what_was_asked_for, .init = begin, .fini = end)
{
    struct sl_error error = {0};
    uint64_t bytes;
    char text[8] = "";
    write_file(scratch.pack, "content", 7);
    SL_AUTO_FD int fd = sl_file_open_regular(scratch.pack, &bytes, &error);
    cr_assert_geq(fd, 0, "%s", error.text);
    cr_expect_eq(bytes, 7);
    cr_expect_eq(sl_fd_read_exactly(fd, text, 4, 3, &error), 0, "%s", error.text);
    cr_expect_str_eq(text, "tent");
    cr_expect_eq(sl_fd_read_exactly(fd, text, 5, 3, &error), -EBADMSG);
    cr_expect_str_eq(error.text, "the file ends at byte 7, too early");
}

Test(file, is_read_whole_up_to_a_size, .init = begin, .fini = end)
{
    struct sl_error error = {0};
    SL_AUTO_FREE unsigned char *content = NULL;
    size_t length;
    write_file(scratch.pack, "content", 7);
    cr_assert_eq(sl_file_read_whole(scratch.pack, 7, &content, &length, &error), 0, "%s",
                 error.text);
    cr_expect_eq(length, 7);
    cr_expect_str_eq((char *)content, "content");
    unsigned char *none = NULL;
    cr_expect_eq(sl_file_read_whole(scratch.pack, 6, &none, &length, &error), -EFBIG);
    cr_expect_null(none);
}

Test(file, refuses_what_is_no_regular_file, .init = begin, .fini = end)
{
    struct sl_error error = {0};
    uint64_t bytes;
    cr_expect_eq(sl_file_open_regular(scratch.pack, &bytes, &error), -ENOENT);
    cr_expect_eq(strncmp(error.text, scratch.pack, strlen(scratch.pack)), 0, "%s", error.text);
    cr_expect_eq(sl_file_open_regular(scratch.directory, &bytes, &error), -EISDIR);
    cr_assert_eq(mkfifo(scratch.pack, 0600), 0);
    alarm(10); /* a FIFO without a writer makes a plain open wait */
    cr_expect_eq(sl_file_open_regular(scratch.pack, &bytes, &error), -EINVAL);
    alarm(0);
}

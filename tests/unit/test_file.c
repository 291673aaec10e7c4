#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
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

Test(file, what_ends_is_read_and_devices_are_not, .init = begin, .fini = end)
{
    struct sl_error error = {0};
    char text[8] = "";
    cr_assert_eq(mkfifo(scratch.pack, 0600), 0);
    SL_AUTO_FD int nobody = sl_file_open_finite(scratch.pack, &error);
    cr_assert_geq(nobody, 0, "%s", error.text);
    cr_expect_eq(read(nobody, text, 1), 0);
    SL_AUTO_FD int writer = open(scratch.pack, O_WRONLY | O_NONBLOCK);
    SL_AUTO_FD int fd = sl_file_open_finite(scratch.pack, &error);
    cr_assert_geq(fd, 0, "%s", error.text);
    cr_expect_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    cr_expect_eq(write(writer, "said", 4), 4);
    cr_expect_eq(read(fd, text, 4), 4);
    cr_expect_str_eq(text, "said");
    cr_expect_eq(sl_file_open_finite("/dev/zero", &error), -EINVAL);
    cr_expect_str_eq(error.text, "this is a device, not a file");
    cr_expect_eq(sl_file_open_finite("/nowhere/file", &error), -ENOENT);
}

Test(file, is_discarded_by_its_own_name_alone, .init = begin, .fini = end)
{
    struct sl_error error = {0};
    char link_path[512];
    snprintf(link_path, sizeof(link_path), "%s/link", scratch.directory);
    SL_AUTO_FD int fd = sl_file_create(scratch.pack, &error);
    cr_assert_geq(fd, 0, "%s", error.text);
    cr_assert_eq(symlink(scratch.pack, link_path), 0);
    sl_file_discard(fd, link_path);
    cr_expect_eq(access(link_path, F_OK), 0);
    SL_AUTO_FD int null = sl_file_create("/dev/null", &error);
    sl_file_discard(null, scratch.pack);
    cr_expect_eq(access(scratch.pack, F_OK), 0);
    sl_file_discard(fd, scratch.pack);
    cr_expect_eq(access(scratch.pack, F_OK), -1);
}

Test(file, is_created_and_does_not_wait_for_a_reader, .init = begin, .fini = end)
{
    struct sl_error error = {0};
    char text[8] = "";
    write_file(scratch.pack, "content", 7);
    SL_AUTO_FD int created = sl_file_create(scratch.pack, &error);
    cr_assert_geq(created, 0, "%s", error.text);
    cr_expect_eq(lseek(created, 0, SEEK_END), 0);
    cr_assert_eq(unlink(scratch.pack), 0);
    cr_assert_eq(mkfifo(scratch.pack, 0600), 0);
    cr_expect_eq(sl_file_create(scratch.pack, &error), -ENXIO);
    cr_expect_str_eq(error.text, "nobody reads this FIFO; start its reader first");
    SL_AUTO_FD int reader = open(scratch.pack, O_RDONLY | O_NONBLOCK);
    SL_AUTO_FD int fd = sl_file_create(scratch.pack, &error);
    cr_assert_geq(fd, 0, "%s", error.text);
    cr_expect_eq(write(fd, "said", 4), 4);
    cr_expect_eq(read(reader, text, 4), 4);
    cr_expect_eq(sl_file_create("/nowhere/file", &error), -ENOENT);
}

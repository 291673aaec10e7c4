#include "runtime/input/npy.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/file.h"
#include "runtime/input/input.h"

static const struct sl_shape shape_2x3 = {.axes = 2, .dim = {2, 3}};

/* A file of version 1 or more with this header text and so many data bytes. */
static size_t make(unsigned char *bytes, unsigned version, const char *header, size_t data)
{
    size_t length = strlen(header), at = version == 1 ? 10 : 12;
    memcpy(bytes, "\x93NUMPY", 6);
    bytes[6] = (unsigned char)version;
    bytes[7] = 0;
    bytes[8] = (unsigned char)(length & 0xff);
    bytes[9] = (unsigned char)(length >> 8);
    bytes[10] = bytes[11] = 0;
    memcpy(bytes + at, header, length);
    memset(bytes + at + length, 1, data);
    return at + length + data;
}

Test(npy, writes_what_it_reads)
{
    char path[] = "/tmp/sluice-npy-XXXXXX";
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    close(fd);
    const float values[] = {1, -2, 3.5f, 0, 1e-30f, 6};
    struct sl_error error = {0};
    unlink(path);
    umask(027);
    cr_assert_eq(sl_npy_write(path, &shape_2x3, values, &error), 0, "%s", error.text);
    struct stat status;
    cr_assert_eq(stat(path, &status), 0);
    cr_expect_eq(status.st_mode & 0777, 0640);
    SL_AUTO_FREE unsigned char *bytes = NULL;
    size_t length;
    cr_assert_eq(sl_file_read_whole(path, 1 << 20, &bytes, &length, &error), 0, "%s", error.text);
    unlink(path);
    struct sl_shape shape;
    uint64_t data;
    cr_assert_eq(sl_npy_parse("x", bytes, length, length, &shape, &data, &error), 0, "%s",
                 error.text);
    cr_assert(sl_shape_equal(&shape, &shape_2x3));
    cr_assert_eq(memcmp(bytes + data, values, sizeof(values)), 0);
    cr_assert_eq(data % 64, 0);
}

Test(npy, understands_every_version_and_spelling)
{
    unsigned char bytes[512];
    static const char *const headers[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n",
        "{'shape': (2,3), 'fortran_order':False,'descr':'<f4'}",
    };
    for (unsigned version = 1; version <= 3; version++) {
        for (size_t i = 0; i < 2; i++) {
            size_t length = make(bytes, version, headers[i], 24);
            struct sl_shape shape;
            uint64_t data;
            struct sl_error error = {0};
            cr_assert_eq(sl_npy_parse("x", bytes, length, length, &shape, &data, &error), 0, "%s",
                         error.text);
            cr_assert(sl_shape_equal(&shape, &shape_2x3));
        }
    }
}

Test(npy, refuses_what_does_not_fit)
{
    static const struct {
        unsigned version;
        const char *header;
        size_t data;
        int code;
    } cases[] = {
        {4, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 24, -EINVAL},
        {1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", 48, -EINVAL},
        {1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", 24, -EINVAL},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 23, -EBADMSG},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, -3), }", 24, -EBADMSG},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3", 24, -EBADMSG},
        {1, "{'descr': '<f4', 'fortran_order': False, }", 24, -EBADMSG},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 8), }", 24,
         -EBADMSG},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", 4, -EINVAL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned char bytes[512];
        size_t length = make(bytes, cases[i].version, cases[i].header, cases[i].data);
        struct sl_shape shape;
        uint64_t data;
        struct sl_error error = {0};
        cr_expect_eq(sl_npy_parse("x", bytes, length, length, &shape, &data, &error), cases[i].code,
                     "case %zu: %s", i, error.text);
    }
}

/* Every prefix of a good file is refused, and nothing is read behind its end (under ASan). */
Test(npy, refuses_every_truncation)
{
    unsigned char whole[512];
    size_t length =
        make(whole, 2, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 24);
    for (size_t cut = 0; cut < length; cut++) {
        SL_AUTO_FREE unsigned char *bytes = malloc(cut + 1);
        memcpy(bytes, whole, cut);
        struct sl_shape shape;
        uint64_t data;
        cr_expect(sl_npy_parse("x", bytes, cut, cut, &shape, &data, NULL) < 0, "%zu bytes", cut);
    }
}

#include <criterion/criterion.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/caffe_text.h"
#include "tests/unit/caffemodel_fixture.h"

static int read_mean(struct sl_text *content, float **values, struct sl_shape *shape,
                     struct sl_error *error)
{
    struct temporary_file file = write_content(content);
    int result = sl_mean_read(file.path, values, shape, error);
    unlink(file.path);
    sl_text_free(content);
    return result;
}

Test(mean, legacy_and_new_shapes)
{
    struct sl_text content = {0};
    float *values = NULL;
    struct sl_shape shape;
    struct sl_error error = {0};
    add_number(&content, 1, 1);
    add_number(&content, 2, 2);
    add_number(&content, 3, 1);
    add_number(&content, 4, 3);
    add_bytes(&content, 5, six, sizeof(six));
    cr_assert_eq(read_mean(&content, &values, &shape, &error), 0, "%s", error.text);
    cr_expect(shape.axes == 3 && shape.dim[0] == 2 && shape.dim[1] == 1 && shape.dim[2] == 3);
    cr_expect_arr_eq(values, six, sizeof(six));
    free(values);
    add_shape(&content, (int64_t[]){2, 3}, 2);
    add_bytes(&content, 5, six, sizeof(six));
    cr_assert_eq(read_mean(&content, &values, &shape, &error), 0, "%s", error.text);
    cr_expect(shape.axes == 3 && shape.dim[0] == 1 && shape.dim[1] == 2 && shape.dim[2] == 3);
    free(values);
}

Test(mean, damaged_files)
{
    struct sl_text content = {0};
    float *values = NULL;
    struct sl_shape shape;
    struct sl_error error = {0};
    cr_expect_eq(read_mean(&content, &values, &shape, &error), -EBADMSG);
    add_shape(&content, (int64_t[]){2, 1, 1, 3}, 4);
    add_bytes(&content, 5, six, sizeof(six));
    cr_expect_eq(read_mean(&content, &values, &shape, &error), -EBADMSG);
    cr_expect_not_null(strstr(error.text, "a mean of the shape 2x1x1x3; one image is wanted"));
    add_shape(&content, (int64_t[]){0x7fffffff, 0x7fffffff, 0x7fffffff}, 3);
    cr_expect_eq(read_mean(&content, &values, &shape, &error), -EBADMSG);
    add_shape(&content, (int64_t[]){7}, 1);
    add_bytes(&content, 5, six, sizeof(six));
    cr_expect_eq(read_mean(&content, &values, &shape, &error), -EBADMSG);
    cr_expect_not_null(strstr(error.text, "6 values for a mean of the shape 7"));
    cr_expect_null(values);
}

Test(mean, real_files)
{
    char pattern[4096];
    glob_t found = {0};
    snprintf(pattern, sizeof(pattern), "%s/means/*.binaryproto", models_folder());
    if (glob(pattern, 0, NULL, &found) != 0)
        cr_skip_test("skipped: no mean files in SLUICE_MODELS");
    for (size_t i = 0; i < found.gl_pathc; i++) {
        float *values = NULL;
        struct sl_shape shape;
        struct sl_error error = {0};
        cr_assert_eq(sl_mean_read(found.gl_pathv[i], &values, &shape, &error), 0, "%s", error.text);
        cr_expect(shape.axes == 3 && shape.dim[0] == 3 && shape.dim[1] == 256);
        double sum = 0;
        for (int64_t j = 0; j < sl_shape_count(&shape); j++)
            sum += (double)values[j];
        double mean = sum / (double)sl_shape_count(&shape);
        cr_expect(mean > 80 && mean < 150, "%s: %g", found.gl_pathv[i], mean);
        free(values);
    }
    globfree(&found);
}

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "models/caffe.pb-c.h"
#include "models/caffe_text.h"
#include "models/weights.h"
#include "tests/unit/caffemodel_fixture.h"

Test(caffemodel, damaged_files)
{
    struct sl_text blob = {0}, content = {0};
    refuse_content(&content, ": offset 0: the file is empty");
    sl_text_add(&content, "name: 'prototxt'");
    refuse_content(&content, ": offset 0: field 13 has the wire type 6, which Caffe never writes: "
                             "the file is damaged or of another kind");
    sl_text_add_bytes(&content, "\x89HDF\r\n\x1a\nxxxx", 12);
    refuse_content(&content, "snapshot_format: BINARYPROTO");
    add_number(&content, 5, 1);
    refuse_content(&content, ": offset 0: no layer is in it: this is no caffemodel");
    sl_text_add_bytes(&content, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11);
    refuse_content(&content, ": offset 0: a number of more than 10 bytes");
    sl_text_add_bytes(&content, "\x00", 1);
    refuse_content(&content, ": offset 0: no field has the number 0");
    add_bytes(&blob, 5, "abcde", 5);
    add_layer(&content, "a", &blob);
    refuse_content(&content, ": offset 24: 5 bytes of values of 4 bytes each");
    add_shape(&blob, (int64_t[]){1, 1, 1, 1, 1, 1, 1, 1, 1}, 9);
    add_layer(&content, "a", &blob);
    refuse_content(&content, ": offset 34: a blob with more than 8 dimensions");
    add_shape(&blob, (int64_t[]){-3}, 1);
    add_layer(&content, "a", &blob);
    refuse_content(&content, ": offset 26: a blob with a dimension of -3");
}

Test(caffemodel, every_cut_of_a_file_is_an_error_or_fewer_layers)
{
    struct sl_text blob = {0}, content = {0};
    add_shape(&blob, (int64_t[]){2, 3}, 2);
    add_bytes(&blob, 5, six, sizeof(six));
    add_layer(&content, "a", &blob);
    for (size_t length = 0; length < content.length; length++) {
        struct sl_text cut = {0};
        sl_text_add_bytes(&cut, content.bytes, length);
        struct temporary_file file = write_content(&cut);
        struct sl_weight_source *source = NULL;
        Caffe__NetParameter *network = NULL;
        struct sl_error error = {0};
        cr_expect_eq(sl_caffemodel_open(file.path, &source, &error), -EBADMSG, "%zu", length);
        cr_expect_eq(sl_caffemodel_structure(file.path, &network, &error), -EBADMSG, "%zu", length);
        unlink(file.path);
        sl_text_free(&cut);
    }
    sl_text_free(&content);
}

Test(caffemodel, a_file_that_shrinks_after_opening_is_noticed)
{
    struct sl_text blob = {0}, content = {0};
    add_shape(&blob, (int64_t[]){2, 3}, 2);
    add_bytes(&blob, 5, six, sizeof(six));
    add_layer(&content, "a", &blob);
    struct temporary_file file = write_content(&content);
    sl_text_free(&content);
    struct sl_weight_source *source = NULL;
    struct sl_error error = {0};
    cr_assert_eq(sl_caffemodel_open(file.path, &source, &error), 0);
    cr_assert_eq(truncate(file.path, 40), 0);
    float values[6];
    cr_expect_eq(read_blob(source, "a", 0, two_by_three, 0, 6, values, &error), -EBADMSG);
    cr_expect_not_null(strstr(error.text, "the file ends at byte 40, too early"));
    source->close(source);
    unlink(file.path);
}

Test(caffemodel, values_that_do_not_fill_the_shape_and_integers)
{
    struct sl_text blob = {0}, content = {0};
    add_shape(&blob, (int64_t[]){2, 3}, 2);
    add_bytes(&blob, 5, six, 20);
    add_layer(&content, "short", &blob);
    add_shape(&blob, (int64_t[]){2, 3}, 2);
    add_number(&blob, 10, 3);
    add_bytes(&blob, 12, six, 6);
    add_layer(&content, "integers", &blob);
    add_bytes(&blob, 5, six, 24);
    add_layer(&content, "shapeless", &blob);
    struct sl_weight_source *source = open_content(&content);
    float values[6];
    struct sl_error error = {0};
    cr_expect_eq(read_blob(source, "short", 0, two_by_three, 0, 6, values, &error), -EBADMSG);
    cr_expect_not_null(strstr(error.text, "holds 5 values, its shape 2x3 needs 6"));
    cr_expect_eq(read_blob(source, "integers", 0, two_by_three, 0, 6, values, &error), -EINVAL);
    cr_expect_not_null(strstr(error.text, "holds integers"));
    cr_expect_eq(read_blob(source, "shapeless", 0, two_by_three, 0, 6, values, &error), -EINVAL);
    source->close(source);
}

Test(caffemodel, an_index_that_grows_in_memory_is_bounded)
{
    struct sl_text layer = {0}, content = {0};
    add_bytes(&layer, 1, "a", 1);
    for (int i = 0; i < 1000000; i++)
        add_bytes(&layer, 7, NULL, 0);
    add_message(&content, 100, &layer);
    refuse_content(&content, "more layers, blobs or pieces of blobs than any network has");
}

#include "tests/unit/caffemodel_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void add_varint(struct sl_text *out, uint64_t value)
{
    for (; value > 0x7f; value >>= 7)
        sl_text_add_bytes(out, &(unsigned char){(unsigned char)(value | 0x80)}, 1);
    sl_text_add_bytes(out, &(unsigned char){(unsigned char)value}, 1);
}

void add_number(struct sl_text *out, unsigned field, uint64_t value)
{
    add_varint(out, field << 3);
    add_varint(out, value);
}

void add_bytes(struct sl_text *out, unsigned field, const void *bytes, size_t length)
{
    add_varint(out, field << 3 | 2);
    add_varint(out, length);
    if (length)
        sl_text_add_bytes(out, bytes, length);
}

void add_message(struct sl_text *out, unsigned field, struct sl_text *message)
{
    add_bytes(out, field, message->bytes, message->length);
    sl_text_free(message);
}

void add_float(struct sl_text *out, unsigned field, float value)
{
    add_varint(out, field << 3 | 5);
    sl_text_add_bytes(out, &value, sizeof(value));
}

void add_shape(struct sl_text *blob, const int64_t *dims, int count)
{
    struct sl_text packed = {0}, shape = {0};
    for (int i = 0; i < count; i++)
        add_varint(&packed, (uint64_t)dims[i]);
    add_message(&shape, 1, &packed);
    add_message(blob, 7, &shape);
}

void add_layer(struct sl_text *network, const char *name, struct sl_text *blob)
{
    struct sl_text layer = {0};
    add_bytes(&layer, 1, name, strlen(name));
    add_bytes(&layer, 2, "InnerProduct", 12);
    add_message(&layer, 7, blob);
    add_message(network, 100, &layer);
}

struct temporary_file write_content(const struct sl_text *content)
{
    struct temporary_file file = {"/tmp/sluice-caffemodel-XXXXXX"};
    int descriptor = mkstemp(file.path);
    cr_assert_geq(descriptor, 0);
    if (content->length)
        cr_assert_eq(write(descriptor, content->bytes, content->length), (ssize_t)content->length);
    close(descriptor);
    return file;
}

struct sl_weight_source *open_content(struct sl_text *content)
{
    struct temporary_file file = write_content(content);
    struct sl_weight_source *source = NULL;
    struct sl_error error = {0};
    int result = sl_caffemodel_open(file.path, &source, &error);
    unlink(file.path);
    sl_text_free(content);
    cr_assert_eq(result, 0, "%s", error.text);
    return source;
}

void refuse_content(struct sl_text *content, const char *reason)
{
    struct temporary_file file = write_content(content);
    struct sl_weight_source *source = NULL;
    struct sl_error error = {0};
    int result = sl_caffemodel_open(file.path, &source, &error);
    unlink(file.path);
    sl_text_free(content);
    cr_assert_eq(result, -EBADMSG, "%d %s", result, error.text);
    cr_assert_null(source);
    cr_expect_not_null(strstr(error.text, reason), "%s", error.text);
    cr_expect_not_null(strstr(error.text, file.path));
}

int read_blob(struct sl_weight_source *source, const char *layer, int blob, struct sl_shape shape,
              int64_t first, int64_t count, float *values, struct sl_error *error)
{
    return source->read(source, layer, "InnerProduct", blob, &shape, first, count, values, error);
}

const struct sl_shape two_by_three = {.axes = 2, .dim = {2, 3}};
const float six[6] = {1, -2, 3.5f, 4, 5, 6};

void expect_six(struct sl_weight_source *source, const char *layer)
{
    float values[6] = {0};
    struct sl_error error = {0};
    cr_assert_eq(read_blob(source, layer, 0, two_by_three, 0, 6, values, &error), 0, "%s",
                 error.text);
    cr_expect_arr_eq(values, six, sizeof(six));
    /* Any part of it is the same. */
    for (int first = 0; first < 6; first++) {
        for (int count = 0; first + count <= 6; count++) {
            float part[6] = {0};
            cr_assert_eq(read_blob(source, layer, 0, two_by_three, first, count, part, &error), 0);
            cr_expect_arr_eq(part, six + first, (size_t)count * sizeof(float));
        }
    }
}

const char *models_folder(void)
{
    const char *models = getenv("SLUICE_MODELS");
    return models ? models : "../shared/models";
}

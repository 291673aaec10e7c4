/* Writes caffemodels field by field, right ones and wrong ones. Contents that are given away are
 * freed; everything asserts that it works. */
#ifndef SLUICE_TESTS_CAFFEMODEL_FIXTURE_H
#define SLUICE_TESTS_CAFFEMODEL_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "models/network.h"
#include "models/weights.h"
#include "runtime/base/text.h"

/* Fields of the wire format: a bare number, then fields of their kinds. */
void add_varint(struct sl_text *out, uint64_t value);
void add_number(struct sl_text *out, unsigned field, uint64_t value);
void add_bytes(struct sl_text *out, unsigned field, const void *bytes, size_t length);
/* Gives `message` away. */
void add_message(struct sl_text *out, unsigned field, struct sl_text *message);
void add_float(struct sl_text *out, unsigned field, float value);
/* The shape of a blob. */
void add_shape(struct sl_text *blob, const int64_t *dims, int count);
/* A V2 layer named `name` with one blob, whose fields are given away, into a network. */
void add_layer(struct sl_text *network, const char *name, struct sl_text *blob);

struct temporary_file {
    char path[64];
};
/* The caller unlinks it. */
struct temporary_file write_content(const struct sl_text *content);

/* Opens content that is right, and gives it away. */
struct sl_weight_source *open_content(struct sl_text *content);
/* Opening fails with -EBADMSG and a message that has `reason`. Gives the content away. */
void refuse_content(struct sl_text *content, const char *reason);

/* Of a layer of type InnerProduct. */
int read_blob(struct sl_weight_source *source, const char *layer, int blob, struct sl_shape shape,
              int64_t first, int64_t count, float *values, struct sl_error *error);
extern const struct sl_shape two_by_three;
extern const float six[6];
/* Blob 0 of the layer is two_by_three and holds six, in any parts. */
void expect_six(struct sl_weight_source *source, const char *layer);

/* Where the real files are. */
const char *models_folder(void);

#endif

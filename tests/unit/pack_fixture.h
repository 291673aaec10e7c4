/* What the tests of packs and of folding share: small networks, weights by rule, scratch files. */
#ifndef SLUICE_TESTS_PACK_FIXTURE_H
#define SLUICE_TESTS_PACK_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/caffe.pb-c.h"
#include "models/import.h"
#include "models/pack.h"

/* Weights by a rule of layer name, blob and element; variances are positive. */
struct rule_weights {
    struct sl_weight_source source; /* first */
    const char *missing;            /* layer that has none; NULL */
    int64_t longest_read;           /* most elements asked for at once */
};
void rule_weights_init(struct rule_weights *weights);
float rule_weight(const char *layer, const char *type, int blob, int64_t element);
void rule_values(const char *layer, const char *type, int blob, int64_t first, int64_t count,
                 float *values);

/* Parses prototxt text; fails the test when it is wrong. */
Caffe__NetParameter *parse_network(const char *text);

/* A directory of its own, removed by scratch_end with what it holds. */
struct scratch {
    char directory[200];
    char pack[256]; /* path of a pack in it */
};
void scratch_begin(struct scratch *scratch);
/* Names in the directory, hidden ones too. */
int scratch_count(const struct scratch *scratch);
void scratch_end(struct scratch *scratch);

/* Writes text's network as scratch->pack; fails the test when that fails. */
struct sl_import_report write_pack(const struct scratch *scratch, const char *text, bool fold,
                                   uint64_t shard_bytes);

/* Writes the network as above, folded, into a directory of its own and opens the pack. */
struct sl_pack *scratch_pack(struct scratch *scratch, const char *text, uint64_t shard_bytes);

/* Whole file, malloc'd. */
unsigned char *read_file(const char *path, size_t *length);
void write_file(const char *path, const void *bytes, size_t length);

extern const char lenet_text[], residual_text[];

/* Opening fails with one of two codes and a message that names the file and holds words (NULL:
 * any).
 */
void expect_pack_refused(const char *path, int code, int other_code, const char *words);

#endif

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/weights.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/rng.h"

struct synthetic_weights {
    struct sl_weight_source source; /* first: the source is the object */
    uint64_t seed;
};

/* A weight is offset + scale * u, each step rounded to float32; constant when scale is 0. */
struct rule {
    float offset, scale;
};

static bool one_of(const char *type, const char *a, const char *b, const char *c)
{
    return !strcmp(type, a) || (b && !strcmp(type, b)) || (c && !strcmp(type, c));
}

/* The rule of blob `blob` of a layer type; false when there is none. */
static bool find_rule(const char *type, int blob, const struct sl_shape *shape, struct rule *rule)
{
    *rule = (struct rule){0.0f, 0.1f};
    if (one_of(type, "Convolution", "InnerProduct", "Deconvolution")) {
        if (blob == 0) {
            double fan_in = (double)sl_shape_count(shape) / (double)shape->dim[0];
            rule->scale = (float)pow(6.0 / fan_in, 0.5);
        }
        return true;
    }
    if (!strcmp(type, "BatchNorm")) {
        if (blob > 0)
            *rule = (struct rule){1.0f, blob == 1 ? 0.5f : 0.0f};
        return true;
    }
    if (one_of(type, "Scale", "Normalize", NULL)) {
        if (blob == 0)
            *rule = (struct rule){1.0f, 0.2f};
        return true;
    }
    if (!strcmp(type, "PReLU")) {
        *rule = (struct rule){0.25f, 0.1f};
        return true;
    }
    return !strcmp(type, "Bias");
}

static int synthetic_read(struct sl_weight_source *source, const char *layer, const char *type,
                          int blob, const struct sl_shape *shape, int64_t first, int64_t count,
                          float *destination, struct sl_error *error)
{
    const struct synthetic_weights *weights = (const struct synthetic_weights *)source;
    int64_t elements = sl_shape_count(shape);
    if (first < 0 || count < 0 || first > elements || count > elements - first)
        return sl_error_set(error, -EINVAL,
                            "layer '%.100s': %lld elements from %lld on are outside weight blob %d "
                            "of %lld elements",
                            layer, (long long)count, (long long)first, blob, (long long)elements);
    struct rule rule;
    if (!find_rule(type, blob, shape, &rule))
        return sl_error_set(error, -ENOENT,
                            "layer '%.100s' (%.60s): there is no rule for synthetic weights of "
                            "this type",
                            layer, type);
    SL_AUTO_FREE char *name = NULL;
    if (asprintf(&name, "%s/%d", layer, blob) < 0) {
        name = NULL;
        return sl_error_set(error, -ENOMEM, "layer '%.100s': out of memory", layer);
    }
    uint64_t key = sl_fnv1a(name) ^ weights->seed;
    for (int64_t i = 0; i < count; i++) {
        float unit = sl_rng_signed_unit(key, (uint64_t)(first + i) + 1);
        destination[i] = rule.offset + rule.scale * unit;
    }
    return 0;
}

static void synthetic_close(struct sl_weight_source *source)
{
    free(source);
}

int sl_synthetic_weights_open(uint64_t seed, struct sl_weight_source **source,
                              struct sl_error *error)
{
    struct synthetic_weights *weights = calloc(1, sizeof(*weights));
    if (!weights)
        return sl_error_set(error, -ENOMEM, "synthetic weights: out of memory");
    weights->source.read = synthetic_read;
    weights->source.close = synthetic_close;
    weights->seed = seed;
    *source = &weights->source;
    return 0;
}

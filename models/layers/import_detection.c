/* SSD's layers: PriorBox, DetectionOutput (Liu et al., "SSD: Single Shot MultiBox Detector",
 * ECCV 2016, and its Caffe fork). */
#include "models/layers/importer.h"

#include <float.h>
#include <math.h>

#define SAME_RATIO 1e-6f
#define MOST_SIZES 1024

/* Ratio 1 first, then each new ratio and, with flip, its inverse. */
static int complete_aspect_ratios(struct sl_layer_import *import,
                                  const Caffe__PriorBoxParameter *message)
{
    if (message->n_aspect_ratio > MOST_SIZES)
        return sl_import_fail(import, "%zu aspect ratios are too many", message->n_aspect_ratio);
    float *ratios = sl_arena_alloc(import->arena, 1 + 2 * message->n_aspect_ratio, sizeof(float));
    if (!ratios)
        return sl_import_no_memory(import);
    int count = 0;
    ratios[count++] = 1;
    for (size_t i = 0; i < message->n_aspect_ratio; i++) {
        float ratio = message->aspect_ratio[i];
        if (!(ratio > 0) || !isfinite(ratio))
            return sl_import_fail(import, "aspect_ratio must be positive; it is %g", (double)ratio);
        bool known = false;
        for (int j = 0; j < count && !known; j++)
            known = fabsf(ratio - ratios[j]) < SAME_RATIO;
        if (known)
            continue;
        ratios[count++] = ratio;
        if (message->flip)
            ratios[count++] = 1.0f / ratio;
    }
    import->layer->parameters.prior_box.aspect_ratios = ratios;
    import->layer->parameters.prior_box.aspect_count = count;
    return 0;
}

static int prior_sizes(struct sl_layer_import *import, const Caffe__PriorBoxParameter *message)
{
    struct sl_layer_parameters *out = &import->layer->parameters;
    if (!message->n_min_size || message->n_min_size > MOST_SIZES)
        return sl_import_fail(import, "min_size must be given 1 to %d times", MOST_SIZES);
    if (message->n_max_size && message->n_max_size != message->n_min_size)
        return sl_import_fail(import, "%zu max_size for %zu min_size; give one for each, or none",
                              message->n_max_size, message->n_min_size);
    for (size_t i = 0; i < message->n_min_size; i++) {
        float least = message->min_size[i];
        if (!(least > 0) || (message->n_max_size && !(message->max_size[i] > least)))
            return sl_import_fail(import, "min_size must be positive and max_size larger");
    }
    out->prior_box.min_count = (int)message->n_min_size;
    out->prior_box.max_count = (int)message->n_max_size;
    out->prior_box.min_sizes =
        sl_arena_copy(import->arena, message->min_size, message->n_min_size, sizeof(float));
    out->prior_box.max_sizes =
        sl_arena_copy(import->arena, message->max_size, message->n_max_size, sizeof(float));
    if (!out->prior_box.min_sizes || !out->prior_box.max_sizes)
        return sl_import_no_memory(import);
    return complete_aspect_ratios(import, message);
}

static int prior_variances(struct sl_layer_import *import, const Caffe__PriorBoxParameter *message)
{
    if (message->n_variance > 1 && message->n_variance != 4)
        return sl_import_fail(import, "%zu variances; give 1, 4 or none", message->n_variance);
    for (size_t i = 0; i < 4; i++) {
        float variance = 0.1f;
        if (message->n_variance)
            variance = message->variance[message->n_variance == 1 ? 0 : i];
        if (!(variance > 0))
            return sl_import_fail(import, "variance must be positive; it is %g", (double)variance);
        import->layer->parameters.prior_box.variance[i] = variance;
    }
    return 0;
}

/* Size of the image and distance of the priors, from the message or from the second bottom. */
static int prior_geometry(struct sl_layer_import *import, const Caffe__PriorBoxParameter *message)
{
    struct sl_layer_parameters *out = &import->layer->parameters;
    const struct sl_shape *map = &import->bottoms[0], *image = &import->bottoms[1];
    bool sides = message->has_img_h || message->has_img_w;
    bool steps = message->has_step_h || message->has_step_w;
    if ((sides && message->has_img_size) || (steps && message->has_step))
        return sl_import_fail(import, "give either img_size or img_h and img_w, and likewise step");
    int64_t image_h = sides ? message->img_h : message->img_size;
    int64_t image_w = sides ? message->img_w : message->img_size;
    if ((sides || message->has_img_size) && (image_h < 1 || image_w < 1))
        return sl_import_fail(import, "img_h and img_w must both be at least 1");
    out->prior_box.image_h = image_h ? image_h : image->dim[2];
    out->prior_box.image_w = image_w ? image_w : image->dim[3];
    float step_h = steps ? message->step_h : message->step;
    float step_w = steps ? message->step_w : message->step;
    if ((steps || message->has_step) && !(step_h > 0 && step_w > 0))
        return sl_import_fail(import, "step_h and step_w must both be positive");
    bool given = steps || message->has_step;
    out->prior_box.step_h = given ? step_h : (float)out->prior_box.image_h / (float)map->dim[2];
    out->prior_box.step_w = given ? step_w : (float)out->prior_box.image_w / (float)map->dim[3];
    return 0;
}

int sl_infer_prior_box(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__PriorBoxParameter, CAFFE__PRIOR_BOX_PARAMETER__INIT,
                  import->message->prior_box_param);
    struct sl_layer_parameters *out = &import->layer->parameters;
    int result = sl_import_expect_axes(import, 0, 4, 4);
    if (!result)
        result = sl_import_expect_axes(import, 1, 4, 4);
    if (!result)
        result = prior_sizes(import, message);
    if (!result)
        result = prior_variances(import, message);
    if (!result)
        result = prior_geometry(import, message);
    if (result)
        return result;
    out->prior_box.clip = message->clip;
    out->prior_box.offset = message->offset;
    int64_t priors =
        (int64_t)out->prior_box.aspect_count * out->prior_box.min_count + out->prior_box.max_count;
    int64_t places = import->bottoms[0].dim[2] * import->bottoms[0].dim[3];
    if (places > SL_MAX_DIMENSION / (4 * priors))
        return sl_import_fail(import, "%lld priors at %lld places are too many", (long long)priors,
                              (long long)places);
    import->tops[0] = sl_shape_make(3, 1, 2, places * priors * 4, 1);
    import->layer->flops = 12.0 * (double)places * (double)priors;
    return 0;
}

static int detection_parameters(struct sl_layer_import *import,
                                const Caffe__DetectionOutputParameter *message)
{
    struct sl_layer_parameters *out = &import->layer->parameters;
    SL_PARAMETERS(nms, Caffe__NonMaximumSuppressionParameter,
                  CAFFE__NON_MAXIMUM_SUPPRESSION_PARAMETER__INIT, message->nms_param);
    if (!message->has_num_classes || message->num_classes < 1 ||
        message->num_classes > SL_MAX_DIMENSION)
        return sl_import_fail(import, "num_classes is missing");
    if (!(nms->nms_threshold >= 0) || !(nms->eta > 0 && nms->eta <= 1))
        return sl_import_fail(import, "nms_threshold must not be negative, and eta in (0, 1]");
    out->detection_output.num_classes = message->num_classes;
    out->detection_output.share_location = message->share_location;
    out->detection_output.variance_encoded_in_target = message->variance_encoded_in_target;
    out->detection_output.background_label_id = message->background_label_id;
    out->detection_output.nms_threshold = nms->nms_threshold;
    out->detection_output.nms_eta = nms->eta;
    out->detection_output.nms_top_k = nms->has_top_k && nms->top_k >= 0 ? nms->top_k : -1;
    out->detection_output.keep_top_k = message->keep_top_k >= 0 ? message->keep_top_k : -1;
    out->detection_output.confidence_threshold =
        message->has_confidence_threshold ? message->confidence_threshold : -FLT_MAX;
    switch (message->code_type) {
    case CAFFE__PRIOR_BOX_PARAMETER__CODE_TYPE__CORNER:
        out->detection_output.code = SL_BOX_CORNER;
        return 0;
    case CAFFE__PRIOR_BOX_PARAMETER__CODE_TYPE__CENTER_SIZE:
        out->detection_output.code = SL_BOX_CENTER_SIZE;
        return 0;
    case CAFFE__PRIOR_BOX_PARAMETER__CODE_TYPE__CORNER_SIZE:
        out->detection_output.code = SL_BOX_CORNER_SIZE;
        return 0;
    default:
        return sl_import_fail(import, "unknown code_type; known are CORNER, CENTER_SIZE and "
                                      "CORNER_SIZE");
    }
}

/* Most rows that can come out: at least one for each image, which Caffe fills with -1 when it finds
 * nothing. */
static int64_t detection_capacity(const struct sl_layer *layer, int64_t images, int64_t priors)
{
    int64_t classes = layer->parameters.detection_output.num_classes;
    int64_t background = layer->parameters.detection_output.background_label_id;
    int64_t per_class = priors, top_k = layer->parameters.detection_output.nms_top_k;
    if (top_k >= 0 && top_k < per_class)
        per_class = top_k;
    if (background >= 0 && background < classes)
        classes--;
    int64_t rows = classes * per_class, keep = layer->parameters.detection_output.keep_top_k;
    if (keep >= 0 && keep < rows)
        rows = keep;
    if (rows < 1)
        rows = 1;
    return rows > SL_MAX_DIMENSION / images ? -1 : rows * images;
}

int sl_infer_detection_output(struct sl_layer_import *import)
{
    SL_PARAMETERS(message, Caffe__DetectionOutputParameter, CAFFE__DETECTION_OUTPUT_PARAMETER__INIT,
                  import->message->detection_output_param);
    const struct sl_shape *location = &import->bottoms[0], *confidence = &import->bottoms[1];
    const struct sl_shape *prior = &import->bottoms[2];
    int result = detection_parameters(import, message);
    for (int i = 0; i < 2 && !result; i++)
        result = sl_import_expect_axes(import, i, 2, 4);
    if (!result)
        result = sl_import_expect_axes(import, 2, 3, 4);
    if (result)
        return result;
    char a[SL_SHAPE_TEXT_BYTES], b[SL_SHAPE_TEXT_BYTES], c[SL_SHAPE_TEXT_BYTES];
    int64_t priors = prior->dim[2] / 4, classes = message->num_classes;
    int64_t location_classes = message->share_location ? 1 : classes;
    if (location->dim[0] != confidence->dim[0] || prior->dim[1] != 2 || prior->dim[2] % 4 ||
        priors * location_classes > SL_MAX_DIMENSION || priors * classes > SL_MAX_DIMENSION ||
        sl_shape_span(location, 1, location->axes) != priors * location_classes * 4 ||
        sl_shape_span(confidence, 1, confidence->axes) != priors * classes)
        return sl_import_fail(import,
                              "locations (%s), confidences (%s) and priors (%s) do not match for "
                              "%lld classes",
                              sl_shape_text(location, a), sl_shape_text(confidence, b),
                              sl_shape_text(prior, c), (long long)classes);
    int64_t capacity = detection_capacity(import->layer, location->dim[0], priors);
    if (capacity < 1)
        return sl_import_fail(import, "too many detections are possible; set keep_top_k");
    import->tops[0] = sl_shape_make(4, 1, 1, capacity, 7);
    import->layer->flops = (double)location->dim[0] * (double)priors *
                           (20.0 * (double)location_classes + (double)classes);
    return 0;
}

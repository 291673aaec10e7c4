#include "runtime/cli/encoding_report.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/output_file.h"
#include "runtime/base/suggest.h"
#include "runtime/base/units.h"
#include "runtime/cli/input_name.h"

/* Outputs of one run, one blob behind the other. */
struct outcome {
    float *values;
    int64_t count;
    struct sl_class top;
    bool has_top;
    uint64_t digest, weight_bytes;
};

static bool is_encoded(const char *encoding)
{
    return encoding && strcmp(encoding, "f32") != 0;
}

int cli_encoding_read(const struct cli_arguments *arguments, struct sl_import_request *request,
                      struct sl_error *error)
{
    static const char *const names[] = {"f32", "f16", "bf16", "i8", "lossless", NULL};
    request->encoding = cli_text(arguments, "encode");
    if (request->encoding && sl_choose(request->encoding, names, error) < 0)
        return cli_wrap(arguments, "encode", error);
    if (cli_repeated(arguments, "input", 0) && !is_encoded(request->encoding))
        return sl_error_set(error, -EINVAL,
                            "--input is what --encode f16, bf16, i8 or lossless is judged on");
    return 0;
}

int cli_encoding_check_inputs(const struct cli_arguments *arguments, struct sl_error *error)
{
    const char *input;
    for (int i = 0; (input = cli_repeated(arguments, "input", i)); i++) {
        const size_t length = input_name_length(NULL, 0, input);
        const char *path = length ? input + length + 1 : input;
        if (access(path, R_OK) < 0)
            return sl_error_errno(error, "--input: cannot read %s", path);
    }
    return 0;
}

static int feed_file(struct sl_session *session, struct sl_model *model, const char *input,
                     struct sl_error *error)
{
    char name[INPUT_NAME_BYTES];
    const size_t length = input_name_length(&model, 1, input);
    if (length == 0)
        return sl_session_input_file(session, 0, 0, input, error);
    int blob = sl_model_find_input(model, input_name(input, length, name), error);
    return blob < 0 ? blob : sl_session_input_file(session, 0, blob, input + length + 1, error);
}

static int feed(const struct cli_arguments *arguments, struct sl_session *session,
                struct sl_model *model, struct sl_error *error)
{
    struct sl_blob_info blob;
    int code = 0;
    for (int i = 0; code == 0 && sl_model_input(model, i, &blob, NULL) == 0; i++)
        code = sl_session_input_random(session, 0, i, 0, error);
    for (int i = 0; code == 0 && cli_repeated(arguments, "input", i); i++)
        code = feed_file(session, model, cli_repeated(arguments, "input", i), error);
    return code;
}

static int keep_outcome(const struct sl_session *session, const struct sl_model *model,
                        uint64_t digest, struct outcome *outcome, struct sl_error *error)
{
    struct sl_blob_info blob;
    struct sl_model_info info;
    sl_model_describe(model, &info);
    outcome->weight_bytes = info.weight_bytes;
    outcome->digest = digest;
    for (int i = 0; sl_model_output(model, i, &blob, NULL) == 0; i++)
        outcome->count += blob.count;
    outcome->values = malloc(((size_t)outcome->count + 1) * sizeof(*outcome->values));
    if (!outcome->values)
        return sl_error_set(error, -ENOMEM, "out of memory");
    float *next = outcome->values;
    for (int i = 0; sl_model_output(model, i, &blob, NULL) == 0; i++) {
        memcpy(next, sl_session_output(session, 0, i), (size_t)blob.count * sizeof(*next));
        next += blob.count;
    }
    outcome->has_top = sl_session_top(session, 0, 0, 1, &outcome->top, NULL) == 1;
    outcome->top.label = NULL; /* the model's */
    return 0;
}

static int run_model(const struct cli_arguments *arguments, struct sl_model *model,
                     struct outcome *outcome, struct sl_error *error)
{
    /* Memory stays small, as import promises: left alone, window reads as far ahead as it can. */
    static const struct sl_session_options options = {.policy = "window", .depth = 4};
    struct sl_session *session = NULL;
    struct sl_result result;
    int code = sl_session_create(&options, &session, error);
    if (code < 0)
        return code;
    code = sl_session_add(session, model, error);
    if (code >= 0)
        code = feed(arguments, session, model, error);
    if (code == 0)
        code = sl_session_run(session, 0, &result, NULL, error);
    if (code == 0)
        code = keep_outcome(session, model, result.digest, outcome, error);
    sl_session_free(session);
    return code;
}

static int run_pack(const struct cli_arguments *arguments, const char *path,
                    struct outcome *outcome, struct sl_error *error)
{
    struct sl_model *model;
    int code = sl_model_open(path, &model, error);
    if (code < 0)
        return code;
    code = run_model(arguments, model, outcome, error);
    sl_model_close(model);
    return code;
}

/* The file has no name: it is as large as the weights, and must not stay behind. */
static int run_float(const struct cli_arguments *arguments, const struct sl_import_request *request,
                     struct outcome *outcome, struct sl_error *error)
{
    char path[32];
    SL_AUTO_FD int fd = sl_unnamed_file_open(request->output, error);
    if (fd < 0)
        return fd;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct sl_import_request plain = *request;
    plain.encoding = NULL;
    plain.output = path;
    plain.caffemodel_output = NULL;
    int code = sl_import(&plain, NULL, error);
    return code < 0 ? code : run_pack(arguments, path, outcome, error);
}

static void print_difference(const struct sl_import_request *request, const char *input,
                             const struct outcome *exact, const struct outcome *encoded)
{
    double largest = 0, largest_value = 0, error_squares = 0, squares = 0;
    for (int64_t i = 0; i < exact->count; i++) {
        double value = exact->values[i], difference = fabs(encoded->values[i] - value);
        largest = difference > largest || isnan(difference) ? difference : largest;
        largest_value = fabs(value) > largest_value ? fabs(value) : largest_value;
        error_squares += difference * difference;
        squares += value * value;
    }
    printf("%s against f32 on %s: largest difference %.3g (values up to %.3g), relative L2 %.3g",
           request->encoding, input, largest, largest_value,
           squares > 0 ? sqrt(error_squares / squares) : sqrt(error_squares));
    if (exact->has_top && encoded->has_top && exact->top.index == encoded->top.index)
        printf(", top class the same (%" PRId64 ")", exact->top.index);
    else if (exact->has_top && encoded->has_top)
        printf(", top class %" PRId64 " instead of %" PRId64, encoded->top.index, exact->top.index);
    printf(encoded->digest == exact->digest ? ", digest the same\n" : "\n");
}

static void print_saving(const struct outcome *exact, const struct outcome *encoded)
{
    char saved[SL_UNIT_TEXT_BYTES];
    if (encoded->weight_bytes >= exact->weight_bytes)
        return;
    uint64_t bytes = exact->weight_bytes - encoded->weight_bytes;
    printf("%s less than float32 (%.3g %%)\n", sl_format_size(bytes, saved),
           100 * (double)bytes / (double)exact->weight_bytes);
}

int cli_encoding_report(const struct cli_arguments *arguments,
                        const struct sl_import_request *request, struct sl_error *error)
{
    if (!request->output || !is_encoded(request->encoding))
        return 0;
    struct outcome exact = {0}, encoded = {0};
    int code = run_float(arguments, request, &exact, error);
    if (code == 0)
        code = run_pack(arguments, request->output, &encoded, error);
    if (code == 0) {
        const char *input = cli_repeated(arguments, "input", 0);
        print_difference(request, input ? input : "pseudo-random values", &exact, &encoded);
        print_saving(&exact, &encoded);
    }
    free(exact.values);
    free(encoded.values);
    if (code < 0)
        sl_error_wrap(error, "the pack is written, but cannot be compared with f32");
    return code;
}

/* Stacked requests: each gives the bits that it gives alone, and networks that would mix them are
 * refused. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "models/caffe_text.h"
#include "models/stack.h"
#include "pack_fixture.h"
#include "runtime/sluice.h"

/* Every way to compute that has tasks of its own: strips, in place, 1x1, depthwise, row dots over
 * the whole map, LRN, both poolings, Concat, Eltwise, Permute behind the first axis, Reshape. */
static const char mixed_text[] =
    "name: 'Mixed' layer { name: 'data' type: 'Input' top: 'data'"
    "  input_param { shape { dim: 1 dim: 3 dim: 21 dim: 19 } } }"
    "layer { name: 'conv1' type: 'Convolution' bottom: 'data' top: 'conv1' convolution_param {"
    "  num_output: 24 kernel_size: 3 stride: 2 pad: 1 } }"
    "layer { name: 'relu1' type: 'ReLU' bottom: 'conv1' top: 'conv1' }"
    "layer { name: 'lrn' type: 'LRN' bottom: 'conv1' top: 'lrn' }"
    "layer { name: 'dw' type: 'Convolution' bottom: 'lrn' top: 'dw' convolution_param {"
    "  num_output: 24 kernel_size: 3 pad: 1 group: 24 } }"
    "layer { name: 'point' type: 'Convolution' bottom: 'dw' top: 'point' convolution_param {"
    "  num_output: 40 kernel_size: 1 } }"
    "layer { name: 'plain' type: 'Convolution' bottom: 'lrn' top: 'plain' convolution_param {"
    "  num_output: 40 kernel_size: 3 pad: 1 group: 2 } }"
    "layer { name: 'sum' type: 'Eltwise' bottom: 'point' bottom: 'plain' top: 'sum' }"
    "layer { name: 'both' type: 'Concat' bottom: 'sum' bottom: 'dw' top: 'both' }"
    "layer { name: 'max' type: 'Pooling' bottom: 'both' top: 'max'"
    "  pooling_param { pool: MAX kernel_size: 3 stride: 2 } }"
    "layer { name: 'valid' type: 'Convolution' bottom: 'max' top: 'valid' convolution_param {"
    "  num_output: 32 kernel_size: 3 } }"
    "layer { name: 'mean' type: 'Pooling' bottom: 'valid' top: 'mean'"
    "  pooling_param { pool: AVE kernel_size: 2 stride: 1 } }"
    "layer { name: 'whole' type: 'Convolution' bottom: 'mean' top: 'whole' convolution_param {"
    "  num_output: 70 kernel_h: 2 kernel_w: 2 } }"
    "layer { name: 'turn' type: 'Permute' bottom: 'whole' top: 'turn'"
    "  permute_param { order: 0 order: 2 order: 3 order: 1 } }"
    "layer { name: 'flat' type: 'Reshape' bottom: 'turn' top: 'flat'"
    "  reshape_param { shape { dim: 0 dim: -1 } } }"
    "layer { name: 'fc' type: 'InnerProduct' bottom: 'flat' top: 'fc'"
    "  inner_product_param { num_output: 90 } }"
    "layer { name: 'prob' type: 'Softmax' bottom: 'fc' top: 'prob' }";

#define REQUESTS 5

static void run_digests(const char *path, int stack, int threads, const char *policy,
                        uint64_t digests[REQUESTS], struct sl_class top[REQUESTS])
{
    struct sl_error error = {0};
    struct sl_model *model;
    struct sl_session *session;
    const struct sl_session_options options = {.threads = threads, .policy = policy};
    cr_assert_eq(sl_model_open_stacked(path, stack, &model, &error), 0, "%s", error.text);
    cr_assert_eq(sl_session_create(&options, &session, &error), 0, "%s", error.text);
    cr_assert_eq(sl_session_add(session, model, &error), 0, "%s", error.text);
    for (int first = 0; first < REQUESTS; first += stack) {
        for (int r = 0; r < stack && first + r < REQUESTS; r++) {
            cr_assert_eq(sl_session_select(session, r, &error), 0, "%s", error.text);
            cr_assert_eq(sl_session_input_random(session, 0, 0, (uint64_t)(first + r + 1), &error),
                         0, "%s", error.text);
        }
        struct sl_result result;
        cr_assert_eq(sl_session_run(session, 1, &result, NULL, &error), 0, "%s", error.text);
        for (int r = 0; r < stack && first + r < REQUESTS; r++) {
            sl_session_select(session, r, NULL);
            digests[first + r] = sl_session_digest(session, 0);
            cr_assert_eq(sl_session_top(session, 0, 0, 1, &top[first + r], &error), 1);
            cr_assert(stack > 1 || result.digest == digests[first + r]);
        }
    }
    sl_session_free(session);
    sl_model_close(model);
}

Test(stack, each_request_has_its_own_bits)
{
    static const char *const texts[] = {mixed_text, lenet_text, residual_text};
    for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++) {
        struct scratch scratch;
        scratch_begin(&scratch);
        write_pack(&scratch, texts[t], t != 0, 20000);
        uint64_t alone[REQUESTS], together[REQUESTS];
        struct sl_class top_alone[REQUESTS], top[REQUESTS];
        run_digests(scratch.pack, 1, 1, "linear", alone, top_alone);
        for (int i = 1; i < REQUESTS; i++)
            cr_assert_neq(alone[i], alone[0]);
        for (int stack = 2; stack <= REQUESTS; stack++) {
            run_digests(scratch.pack, stack, 1 + stack % 3, stack % 2 ? "auto" : "deepeye",
                        together, top);
            for (int i = 0; i < REQUESTS; i++) {
                cr_assert_eq(together[i], alone[i], "network %zu, %d together, request %d", t,
                             stack, i);
                cr_assert_eq(top[i].index, top_alone[i].index);
            }
        }
        scratch_end(&scratch);
    }
}

Test(stack, tells_of_one_request)
{
    struct scratch scratch;
    scratch_begin(&scratch);
    write_pack(&scratch, residual_text, true, 0);
    struct sl_error error = {0};
    struct sl_model *one, *four;
    struct sl_blob_info a, b;
    struct sl_model_info info_a, info_b;
    cr_assert_eq(sl_model_open(scratch.pack, &one, &error), 0, "%s", error.text);
    cr_assert_eq(sl_model_open_stacked(scratch.pack, 4, &four, &error), 0, "%s", error.text);
    sl_model_describe(one, &info_a);
    sl_model_describe(four, &info_b);
    cr_expect(info_a.stack == 1 && info_b.stack == 4);
    cr_expect_eq(info_a.weight_bytes, info_b.weight_bytes);
    cr_expect_float_eq(info_a.flops, info_b.flops, info_a.flops * 1e-9);
    cr_assert_eq(sl_model_input(one, 0, &a, &error), 0);
    cr_assert_eq(sl_model_input(four, 0, &b, &error), 0);
    cr_expect(a.count == b.count && a.shape[0] == 2 && b.shape[0] == 2);
    uint64_t bytes_a, bytes_b;
    sl_model_activation_bytes(one, &bytes_a, NULL);
    sl_model_activation_bytes(four, &bytes_b, NULL);
    cr_expect_eq(bytes_b, 4 * bytes_a);
    struct sl_model *none = NULL;
    cr_expect_eq(sl_model_open_stacked(scratch.pack, 0, &none, &error), -EINVAL);
    cr_expect_eq(sl_model_open_stacked(scratch.pack, 1025, &none, &error), -EINVAL);
    cr_expect_null(none);
    sl_model_close(one);
    sl_model_close(four);
    scratch_end(&scratch);
}

/* A layer between the input (2 x 4 x 6 x 6) and the output. */
static void expect_refused(const char *layer, const char *word)
{
    char text[1024];
    snprintf(text, sizeof(text),
             "name: 'N' layer { name: 'x' type: 'Input' top: 'x'"
             "  input_param { shape { dim: 2 dim: 4 dim: 6 dim: 6 } } }"
             "layer { name: 'other' type: 'ReLU' bottom: 'x' top: 'z' }"
             "layer { name: 'middle' bottom: 'x' top: 'y' %s }",
             layer);
    struct scratch scratch;
    scratch_begin(&scratch);
    write_pack(&scratch, text, false, 0);
    struct sl_model *model = NULL;
    struct sl_error error = {0};
    cr_expect_eq(sl_model_open_stacked(scratch.pack, 3, &model, &error), -EINVAL, "%s: %s", layer,
                 error.text);
    cr_expect(strstr(error.text, "together") && strstr(error.text, word), "%s", error.text);
    cr_expect_null(model);
    scratch_end(&scratch);
}

Test(stack, networks_that_mix_requests_are_refused)
{
    expect_refused("type: 'Permute' permute_param { order: 1 order: 0 order: 2 order: 3 }",
                   "middle");
    expect_refused("type: 'Concat' bottom: 'z' concat_param { axis: 0 }", "middle");
    expect_refused("type: 'Softmax' softmax_param { axis: 0 }", "middle");
    expect_refused("type: 'Tile' tile_param { axis: 0 tiles: 2 }", "middle");
    expect_refused("type: 'Reduction' reduction_param { axis: 0 }", "middle");
    expect_refused("type: 'Reshape' reshape_param { shape { dim: 8 dim: -1 } }", "middle");
    expect_refused("type: 'InnerProduct' inner_product_param { num_output: 3 axis: 0 }", "N");
}

Test(stack, selecting_what_is_not_there)
{
    struct scratch scratch;
    scratch_begin(&scratch);
    write_pack(&scratch, lenet_text, true, 0);
    struct sl_error error = {0};
    struct sl_model *model;
    struct sl_session *session;
    cr_assert_eq(sl_model_open_stacked(scratch.pack, 2, &model, &error), 0, "%s", error.text);
    cr_assert_eq(sl_session_create(NULL, &session, &error), 0, "%s", error.text);
    cr_expect_eq(sl_session_select(session, 0, &error), -ERANGE);
    cr_assert_eq(sl_session_add(session, model, &error), 0, "%s", error.text);
    cr_expect_eq(sl_session_select(session, 1, &error), 0);
    cr_expect_eq(sl_session_select(session, 2, &error), -ERANGE);
    cr_expect_eq(sl_session_select(session, -1, &error), -ERANGE);
    float values[2 * 28 * 28] = {0};
    cr_expect_eq(sl_session_input(session, 0, 0, values, 28 * 28, &error), 0, "%s", error.text);
    cr_expect_eq(sl_session_input(session, 0, 0, values, 2 * 28 * 28 - 1, &error), -EINVAL);
    cr_expect_eq(sl_session_digest(session, 0), 0);
    sl_session_free(session);
    sl_model_close(model);
    scratch_end(&scratch);
}

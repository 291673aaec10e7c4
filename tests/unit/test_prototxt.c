#include <criterion/criterion.h>
#include <errno.h>
#include <glob.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/caffe.pb-c.h"
#include "models/caffe_text.h"
#include "runtime/base/cleanup.h"

static Caffe__NetParameter *parse(const char *text)
{
    struct sl_error error = {0};
    Caffe__NetParameter *network = NULL;
    int result = sl_caffe_parse("net", text, strlen(text), &network, &error);
    cr_assert_eq(result, 0, "%s", error.text);
    return network;
}

static void refuse(const char *text, const char *message)
{
    struct sl_error error = {0};
    Caffe__NetParameter *network = NULL;
    int result = sl_caffe_parse("net", text, strlen(text), &network, &error);
    cr_assert_lt(result, 0, "accepted: %s", text);
    cr_assert_null(network);
    cr_assert_str_eq(error.text, message);
}

Test(prototxt, every_spelling_of_a_repeated_field)
{
    static const char *const spellings[] = {
        "convolution_param { kernel_size: 3 kernel_size: 5 }",
        "convolution_param: { kernel_size: [3, 5] }",
        "convolution_param < kernel_size: [3] kernel_size: 5, >",
        "convolution_param: < kernel_size: 3; kernel_size: [ ] kernel_size: 0x5; >;",
    };
    for (size_t i = 0; i < sizeof(spellings) / sizeof(*spellings); i++) {
        char text[256];
        snprintf(text, sizeof(text), "layer { name: 'a' %s }", spellings[i]);
        Caffe__NetParameter *network = parse(text);
        const Caffe__ConvolutionParameter *parameter = network->layer[0]->convolution_param;
        cr_expect_eq(parameter->n_kernel_size, 2);
        cr_expect_eq(parameter->kernel_size[0], 3);
        cr_expect_eq(parameter->kernel_size[1], 5);
        sl_caffe_free(network);
    }
}

Test(prototxt, lists_of_messages)
{
    Caffe__NetParameter *network =
        parse("layer [ { name: 'a' input_param { shape { dim: [1,2] } shape: [<dim:3>, {}] } },\n"
              "< name: 'b' > ]");
    cr_assert_eq(network->n_layer, 2);
    const Caffe__InputParameter *input = network->layer[0]->input_param;
    cr_assert_eq(input->n_shape, 3);
    cr_expect_eq(input->shape[0]->dim[1], 2);
    cr_expect_eq(input->shape[1]->dim[0], 3);
    cr_expect_eq(input->shape[2]->n_dim, 0);
    cr_expect_str_eq(network->layer[1]->name, "b");
    sl_caffe_free(network);
}

Test(prototxt, strings)
{
    Caffe__NetParameter *network = parse(
        "name: \"a 'b' \" 'c \"d\"'  # a comment, \"with quotes\n \"\\n\\x41\\101\\u00e9\\\\\"");
    cr_expect_str_eq(network->name, "a 'b' c \"d\"\nAA\xc3\xa9\\");
    sl_caffe_free(network);
    network = parse("\xef\xbb\xbfname: ''");
    cr_expect_str_eq(network->name, "");
    sl_caffe_free(network);
}

Test(prototxt, numbers)
{
    Caffe__NetParameter *network =
        parse("layer { loss_weight: [1, -2.5, .5, 1e2, 1.f, 3F, 0x10, inf, -inf, nan, 1e999, -0] "
              "crop_param { axis: -0x2 offset: 010 } }");
    const float *values = network->layer[0]->loss_weight;
    const float expected[] = {1, -2.5f, .5f, 100, 1, 3, 16, INFINITY, -INFINITY};
    cr_assert_eq(network->layer[0]->n_loss_weight, 12);
    for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++)
        cr_expect_eq(values[i], expected[i], "value %zu is %g", i, (double)values[i]);
    cr_expect(isnan(values[9]));
    cr_expect(isinf(values[10]));
    cr_expect(signbit(values[11]));
    cr_expect_eq(network->layer[0]->crop_param->axis, -2);
    cr_expect_eq(network->layer[0]->crop_param->offset[0], 8);
    sl_caffe_free(network);
}

Test(prototxt, numbers_do_not_depend_on_the_locale)
{
    char directory[] = "/tmp/sluice-locale-XXXXXX", command[512];
    cr_assert_not_null(mkdtemp(directory));
    /* A locale of nothing but a comma; localedef warns that the rest is missing. */
    static const char source[] = "LC_NUMERIC\ndecimal_point \",\"\nthousands_sep \"\"\n"
                                 "grouping -1\nEND LC_NUMERIC\n";
    static const char characters[] = "<code_set_name> ASCII\n<escape_char> /\nCHARMAP\n"
                                     "<U0000>..<U007F> /x00 all\nEND CHARMAP\n";
    snprintf(command, sizeof(command),
             "cd %s && printf '%%s' '%s' >source && printf '%%s' '%s' >characters && "
             "localedef -c -f ./characters -i source ./comma >log 2>&1",
             directory, source, characters);
    int made = system(command);
    setenv("LOCPATH", directory, 1);
    const char *locale = setlocale(LC_NUMERIC, "comma");
    snprintf(command, sizeof(command), "rm -r %s", directory);
    cr_assert_eq(system(command), 0);
    cr_assert(locale, "localedef: %d", made);
    cr_assert_eq(localeconv()->decimal_point[0], ',');
    Caffe__NetParameter *network = parse("layer { loss_weight: 1.5 }");
    cr_expect_eq(network->layer[0]->loss_weight[0], 1.5f);
    sl_caffe_free(network);
}

Test(prototxt, booleans_and_enums)
{
    Caffe__NetParameter *network =
        parse("layer { propagate_down: [true, false, t, f, 1, 0, True, False] phase: TEST\n"
              "pooling_param { pool: AVE global_pooling: 1 } }\n"
              "layer { phase: 0 pooling_param { pool: 1 } }");
    const Caffe__LayerParameter *layer = network->layer[0];
    cr_assert_eq(layer->n_propagate_down, 8);
    for (size_t i = 0; i < 8; i++)
        cr_expect_eq(layer->propagate_down[i], i % 2 == 0);
    cr_expect_eq(layer->phase, CAFFE__PHASE__TEST);
    cr_expect_eq(layer->pooling_param->pool, CAFFE__POOLING_PARAMETER__POOL_METHOD__AVE);
    cr_expect(layer->pooling_param->has_global_pooling && layer->pooling_param->global_pooling);
    cr_expect_eq(network->layer[1]->phase, CAFFE__PHASE__TRAIN);
    cr_expect_eq(network->layer[1]->pooling_param->pool,
                 CAFFE__POOLING_PARAMETER__POOL_METHOD__AVE);
    sl_caffe_free(network);
}

Test(prototxt, defaults_are_caffes)
{
    Caffe__NetParameter *network = parse("layer { lrn_param {} exp_param { base: 2 } }");
    const Caffe__LayerParameter *layer = network->layer[0];
    cr_expect_eq(layer->lrn_param->local_size, 5);
    cr_expect_eq(layer->lrn_param->beta, 0.75f);
    cr_expect(!layer->lrn_param->has_beta);
    cr_expect_eq(layer->exp_param->base_, 2.0f);
    cr_expect_eq(layer->exp_param->scale, 1.0f);
    sl_caffe_free(network);
}

Test(prototxt, empty_text_is_an_empty_network)
{
    Caffe__NetParameter *network = parse(" # nothing\n");
    cr_expect_eq(network->n_layer, 0);
    sl_caffe_free(network);
}

Test(prototxt, errors_name_place_field_and_cure)
{
    refuse("name: 'x'\n  layr { }", "net:2:3: NetParameter field 'layr' is not known; did you mean "
                                    "'layer'?");
    refuse("layer { botom: 'x' }",
           "net:1:9: LayerParameter field 'botom' is not known; did you mean 'bottom'?");
    refuse("layer { exp_param { bse: 1 } }",
           "net:1:21: ExpParameter field 'bse' is not known; did you mean 'base'?");
    refuse("layer { zzzzzzzzzzz: 1 }", "net:1:9: LayerParameter field 'zzzzzzzzzzz' is not known");
    refuse("layer { name: 'a'\n name: 'b' }",
           "net:2:2: LayerParameter field 'name' is given twice: remove one");
    refuse("layer { type: Convolution }",
           "net:1:15: LayerParameter field 'type' expects a string in quotes, found 'Convolution'");
    refuse("layers { type: \"CONVOLUTION\" }",
           "net:1:16: V1LayerParameter field 'type' expects a name in capitals without quotes, "
           "found '\"CONVOLUTION\"'");
    refuse(
        "layer { phase: TSET }",
        "net:1:16: LayerParameter field 'phase' has no value 'TSET'; did you mean 'TEST'?; known "
        "are TRAIN, TEST");
    refuse("layer { phase: 7 }",
           "net:1:16: LayerParameter field 'phase' expects a known value, found '7'");
    refuse("layer { name 'a' }",
           "net:1:14: LayerParameter field 'name' expects ':' and a value, found ''a''");
    refuse("layer { name: 'a", "net:1:15: a string is not closed on its line: add '");
    refuse("layer { name: 'a'", "net:1:18: expected a field of LayerParameter or '}', found the "
                                "end of the file");
    refuse("layer { name: 'a' >", "net:1:19: expected a field of LayerParameter or '}', found '>'");
    refuse("}", "net:1:1: expected a field of NetParameter, found '}'");
    refuse("layer: 3", "net:1:8: NetParameter field 'layer' expects '{', found '3'");
    refuse("layer { convolution_param { num_output: 1.5 } }",
           "net:1:41: ConvolutionParameter field 'num_output' expects an integer of 32 bits that "
           "is not negative, found '1.5'");
    refuse("layer { convolution_param { num_output: -1 } }",
           "net:1:41: ConvolutionParameter field 'num_output' expects an integer of 32 bits that "
           "is not negative, found '-'");
    refuse("layer { convolution_param { num_output: 4294967296 } }",
           "net:1:41: ConvolutionParameter field 'num_output' expects an integer of 32 bits that "
           "is not negative, found '4294967296'");
    refuse(
        "layer { crop_param { axis: -2147483649 } }",
        "net:1:29: CropParameter field 'axis' expects an integer of 32 bits, found '2147483649'");
    refuse("layer { crop_param { axis: [1] } }",
           "net:1:28: CropParameter field 'axis' expects an integer of 32 bits, found '['");
    refuse("layer { loss_weight: 1x }", "net:1:22: a number must end before 'x'");
    refuse("layer { loss_weight: [1 2] }",
           "net:1:25: LayerParameter field 'loss_weight' expects ',' or ']', found '2'");
    refuse("layer { loss_weight: 09 }",
           "net:1:22: a number that starts with 0 is octal: 8 and 9 do not fit");
    refuse("layer { propagate_down: yes }",
           "net:1:25: LayerParameter field 'propagate_down' expects true or false, found 'yes'");
    refuse("name: 'a\\q'", "net:1:7: a string with an unknown escape '\\q'");
    refuse("name: 'a\\0'", "net:1:7: NetParameter field 'name' expects a string without a zero "
                           "character, found ''a\\0''");
    refuse("\x01", "net:1:1: byte 0x01 does not belong in a text file");
    refuse("[a.b]: 1", "net:1:1: expected a field of NetParameter, found '['");
}

Test(prototxt, a_text_that_grows_in_memory_is_bounded)
{
    enum { LAYERS = 200000 };
    static const char layer[] = "layer{}\n";
    char *text SL_AUTO_FREE = malloc(LAYERS * (sizeof(layer) - 1));
    cr_assert_not_null(text);
    for (size_t i = 0; i < LAYERS; i++)
        memcpy(text + i * (sizeof(layer) - 1), layer, sizeof(layer) - 1);
    struct sl_error error = {0};
    Caffe__NetParameter *network = NULL;
    cr_expect_eq(sl_caffe_parse("net", text, LAYERS * (sizeof(layer) - 1), &network, &error),
                 -E2BIG);
}

Test(prototxt, missing_file_names_its_path)
{
    struct sl_error error = {0};
    Caffe__NetParameter *network = NULL;
    cr_expect_eq(sl_caffe_read("/nonexistent/net.prototxt", &network, &error), -ENOENT);
    cr_expect_str_eq(error.text, "/nonexistent/net.prototxt: No such file or directory");
    cr_expect_eq(sl_caffe_read("/", &network, &error), -EISDIR);
}

Test(prototxt, every_real_file_is_read)
{
    const char *models = getenv("SLUICE_MODELS");
    char pattern[4096];
    glob_t found = {0};
    static const char *const folders[] = {"caffe/*/*.prototxt*", "edgecaffe/*/*.prototxt*"};
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
        snprintf(pattern, sizeof(pattern), "%s/%s", models ? models : "../shared/models",
                 folders[i]);
        glob(pattern, i ? GLOB_APPEND : 0, NULL, &found);
    }
    if (!found.gl_pathc) {
        globfree(&found);
        cr_skip_test("skipped: no prototxt files in SLUICE_MODELS");
    }
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct sl_error error = {0};
        Caffe__NetParameter *network = NULL;
        int result = sl_caffe_read(found.gl_pathv[i], &network, &error);
        cr_assert_eq(result, 0, "%s", error.text);
        cr_expect_gt(network->n_layer, 0, "%s", found.gl_pathv[i]);
        cr_expect_eq(network->n_layers + network->n_input, 0, "%s", found.gl_pathv[i]);
        sl_caffe_free(network);
    }
    globfree(&found);
}

/* Packs of real networks through the engine: the outputs of BVLC Caffe, else OpenCV, folded and
 * unfolded. `make references` prints the differences. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "tests/support/reference_check.h"

static void expect_close(void *context, const struct reference_row *row)
{
    (void)context;
    cr_expect(row->difference <= row->tolerance,
              "%s, %s: output '%s' differs from %s's by %g, tolerance %g (%s)", row->network,
              row->input, row->output, row->engine, row->difference, row->tolerance,
              row->folded ? "folded" : "unfolded");
}

static void check(const char *name)
{
    const struct reference_network *network = reference_networks;
    while (network->name && strcmp(network->name, name))
        network++;
    cr_assert_not_null(network->name);
    for (enum reference_source source = 0; source < REFERENCE_SOURCES; source++)
        for (int folded = 0; folded <= 1 && reference_has(network, source); folded++) {
            struct sl_error error = {0};
            const int compared = reference_check(network, source, folded, "auto", "/var/tmp",
                                                 expect_close, NULL, &error);
            if (compared == -ENOENT && strstr(error.text, "SLUICE_MODELS"))
                cr_skip_test("skipped: %s", error.text);
            cr_expect(compared > 0, "%s: %s", name, compared ? error.text : "nothing compared");
        }
}

#define REFERENCE(test, name)                                                                      \
    Test(system_references, test)                                                                  \
    {                                                                                              \
        check(name);                                                                               \
    }

REFERENCE(cifar10_m7_arm, "cifar10_m7_arm")
REFERENCE(cifar10_nin, "cifar10_nin")
REFERENCE(deep_landmark_1_F, "deep_landmark_1_F")
REFERENCE(faceapi_age_gender, "faceapi_age_gender")
REFERENCE(hyperlpr_charrec, "hyperlpr_charrec")
REFERENCE(hyperlpr_mininet_ssd, "hyperlpr_mininet_ssd")
REFERENCE(inception_v3, "inception_v3")
REFERENCE(lenet_mnist, "lenet_mnist")
REFERENCE(lenet_mnist_arm, "lenet_mnist_arm")
REFERENCE(mobilenetv2_yolov3_nano_voc, "mobilenetv2_yolov3_nano_voc")
REFERENCE(squeezenet_v1_0, "squeezenet_v1.0")
REFERENCE(ultraface_slim320, "ultraface_slim320")
REFERENCE(AgeNet, "AgeNet")
REFERENCE(FaceNet, "FaceNet")
REFERENCE(GenderNet, "GenderNet")
REFERENCE(SoS_GoogleNet, "SoS_GoogleNet")

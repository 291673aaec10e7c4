/* Classifies an image with a pack, in 32 MiB where the network can.
 *
 *     cc -std=c11 classify.c $(pkg-config --cflags --libs sluice) -o classify
 *     ./classify net.sluice eagle.jpg
 *
 * Without an image the input is pseudo-random. The example of README.md; tests/golden/install.sh
 * builds and runs it against an installed tree. */
#include <sluice.h>
#include <stdio.h>

#define CLASSES 5

static int classify(struct sl_session *session, const struct sl_model *model, const char *image,
                    struct sl_error *error)
{
    struct sl_class classes[CLASSES];
    struct sl_result result;
    int network = sl_session_add(session, model, error);
    if (network < 0)
        return network;
    int code = image ? sl_session_input_file(session, network, 0, image, error)
                     : sl_session_input_random(session, network, 0, 0, error);
    if (code < 0)
        return code;
    /* No request comes after this one (0), so that no weights need to stay in memory for it. A
     * server passes how many more will come, or UINT64_MAX. */
    code = sl_session_run(session, 0, &result, NULL, error);
    if (code < 0)
        return code;
    printf("%.1f ms, %.1f MiB read\n", (double)result.latency_ns / 1e6,
           (double)result.read_bytes / (1 << 20));
    int count = sl_session_top(session, network, 0, CLASSES, classes, error);
    for (int i = 0; i < count; i++)
        printf("%.4f  %lld  %s\n", (double)classes[i].probability, (long long)classes[i].index,
               classes[i].label ? classes[i].label : "");
    return count < 0 ? count : 0;
}

int main(int count, char **words)
{
    const struct sl_session_options options = {.budget_bytes = 32 << 20};
    struct sl_error error = {0};
    struct sl_model *model = NULL;
    struct sl_session *session = NULL;
    if (count < 2) {
        fprintf(stderr, "usage: classify PACK [IMAGE]\n");
        return 2;
    }
    int code = sl_model_open(words[1], &model, &error);
    if (code == 0)
        code = sl_session_create(&options, &session, &error);
    if (code == 0)
        code = classify(session, model, count > 2 ? words[2] : NULL, &error);
    if (code < 0)
        fprintf(stderr, "classify: %s\n", error.text);
    sl_session_free(session); /* before the model that it borrowed */
    sl_model_close(model);
    return code < 0 ? 1 : 0;
}

#include <stdlib.h>

#include "models/caffe.pb-c.h"
#include "models/caffe_text.h"
#include "models/network.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_error error = {0};
    Caffe__NetParameter *message = NULL;
    struct sl_network *network = NULL;
    if (sl_caffe_parse("fuzz", (const char *)data, size, &message, &error) < 0)
        return 0;
    const struct sl_network_options options = {0};
    int result = sl_network_build(message, &options, &network, &error);
    if ((result == 0) != (network != NULL) || (result < 0 && !error.text[0]))
        abort();
    sl_network_free(network);
    sl_caffe_free(message);
    return 0;
}

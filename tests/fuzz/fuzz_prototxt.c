#include <stdlib.h>

#include "models/caffe.pb-c.h"
#include "models/caffe_text.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_error error = {0};
    Caffe__NetParameter *network = NULL;
    int result = sl_caffe_parse("fuzz", (const char *)data, size, &network, &error);
    if ((result == 0) != (network != NULL) || (result < 0 && !error.text[0]))
        abort();
    sl_caffe_free(network);
    return 0;
}

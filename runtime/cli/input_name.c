#include "runtime/cli/input_name.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *input_name(const char *input, size_t length, char buffer[INPUT_NAME_BYTES])
{
    snprintf(buffer, INPUT_NAME_BYTES, "%.*s", (int)length, input);
    return buffer;
}

size_t input_name_length(struct sl_model *const *models, int count, const char *input)
{
    char name[INPUT_NAME_BYTES];
    const char *equals = strchr(input, '=');
    if (!equals || equals == input)
        return 0;
    const size_t length = (size_t)(equals - input);
    input_name(input, length, name);
    for (int n = 0; n < count; n++)
        if (sl_model_find_input(models[n], name, NULL) >= 0)
            return length;
    return access(input, F_OK) == 0 ? 0 : length;
}

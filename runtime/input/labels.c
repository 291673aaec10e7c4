#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "models/caffe_text.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/file.h"
#include "runtime/base/units.h"
#include "runtime/input/input.h"

#define LABEL_FILE_MOST_BYTES ((size_t)16 << 20)
#define MEAN_VALUES_MOST      64

/* One line without its end, trimmed, without one pair of quotes around it; in place. */
static char *trim_line(char *line)
{
    while (isspace((unsigned char)*line))
        line++;
    size_t length = strlen(line);
    while (length > 0 && isspace((unsigned char)line[length - 1]))
        length--;
    if (length >= 2 && (line[0] == '\'' || line[0] == '"') && line[length - 1] == line[0]) {
        line++;
        length -= 2;
    }
    line[length] = '\0';
    return line;
}

int sl_labels_read(const char *path, char ***labels, int *count, struct sl_error *error)
{
    SL_AUTO_FREE unsigned char *bytes = NULL;
    size_t length;
    int code = sl_file_read_whole(path, LABEL_FILE_MOST_BYTES, &bytes, &length, error);
    if (code < 0)
        return code;
    if (memchr(bytes, '\0', length))
        return sl_error_set(error, -EBADMSG, "%s is not a text file of labels", path);
    size_t lines = 1;
    for (size_t i = 0; i < length; i++)
        lines += bytes[i] == '\n';
    char **table = malloc(lines * sizeof(*table) + length + 1);
    if (!table)
        return sl_error_set(error, -ENOMEM, "%s: out of memory", path);
    char *text = (char *)(table + lines);
    memcpy(text, bytes, length + 1);
    int found = 0, last = 0;
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        table[found] = trim_line(line);
        if (*table[found++])
            last = found;
    }
    if (last == 0) {
        free(table);
        return sl_error_set(error, -EINVAL, "%s has no labels", path);
    }
    *labels = table;
    *count = last;
    return 0;
}

static int parse_mean_values(const char *text, float **mean, int *mean_count,
                             struct sl_error *error)
{
    float values[MEAN_VALUES_MOST];
    int count = 0;
    SL_AUTO_FREE char *copy = strdup(text);
    if (!copy)
        return sl_error_set(error, -ENOMEM, "out of memory");
    char *rest = copy;
    for (char *item; (item = strsep(&rest, ","));) {
        double value;
        if (sl_parse_real(item, -1e6, 1e6, &value, error) < 0)
            return sl_error_wrap(error, "mean '%s'", text);
        if (count == MEAN_VALUES_MOST)
            return sl_error_set(error, -EINVAL, "mean '%s': more than %d values", text,
                                MEAN_VALUES_MOST);
        values[count++] = (float)value;
    }
    float *result = malloc((size_t)count * sizeof(*result));
    if (!result)
        return sl_error_set(error, -ENOMEM, "out of memory");
    memcpy(result, values, (size_t)count * sizeof(*result));
    *mean = result;
    *mean_count = count;
    return 0;
}

int sl_mean_parse(const char *text, float **mean, int *mean_count, struct sl_shape *mean_shape,
                  struct sl_error *error)
{
    if (strspn(text, "0123456789.,-+eE ") == strlen(text) && access(text, F_OK) != 0) {
        *mean_shape = (struct sl_shape){0};
        return parse_mean_values(text, mean, mean_count, error);
    }
    if (access(text, F_OK) != 0)
        return sl_error_set(error, -ENOENT,
                            "mean '%s': neither values such as 104,117,123 nor a file that is "
                            "there",
                            text);
    int code = sl_mean_read(text, mean, mean_shape, error);
    if (code < 0)
        return code;
    *mean_count = (int)sl_shape_count(mean_shape);
    return 0;
}

#include "runtime/cli/value_list.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/suggest.h"

void value_list_free(struct value_list *list)
{
    for (int i = 0; i < list->count; i++)
        free(list->values[i]);
    free(list->values);
    *list = (struct value_list){0};
}

static int add(struct value_list *list, const char *value, struct sl_error *error)
{
    if (list->count == VALUES_MOST)
        return sl_error_set(error, -EINVAL, "more than %d values", VALUES_MOST);
    if (list->count == list->capacity) {
        int capacity = list->capacity ? 2 * list->capacity : 16;
        char **values = realloc(list->values, (size_t)capacity * sizeof(*values));
        if (!values)
            return sl_error_set(error, -ENOMEM, "out of memory");
        list->values = values;
        list->capacity = capacity;
    }
    list->values[list->count] = strdup(value);
    if (!list->values[list->count])
        return sl_error_set(error, -ENOMEM, "out of memory");
    list->count++;
    return 0;
}

/* "A-B", "A-B+S", "A-B*F"; anything else is a value as it stands. */
static bool is_range(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && text[digits] == '-';
}

static int add_range(struct value_list *list, const char *text, struct sl_error *error)
{
    int64_t first, last, step = 1;
    char sign = '+';
    int end = 0, fields, behind = 0;
    fields = sscanf(text, "%10" SCNd64 "-%10" SCNd64 "%n%c%10" SCNd64 "%n", &first, &last, &end,
                    &sign, &step, &behind);
    bool whole = (fields == 2 && !text[end]) || (fields == 4 && !text[behind]);
    bool grows = sign == '+' ? step >= 1 : sign == '*' && step >= 2 && first >= 1;
    if (!whole || !grows || last < first)
        return sl_error_set(error, -EINVAL,
                            "'%s' is not a range; write for example 1-4, 1-9+2 (1,3,5,7,9) or "
                            "1-16*2 (1,2,4,8,16)",
                            text);
    int code = 0;
    for (int64_t value = first; code == 0 && value <= last;
         value = sign == '*' ? value * step : value + step) {
        char number[24];
        snprintf(number, sizeof(number), "%" PRId64, value);
        code = add(list, number, error);
    }
    return code;
}

int value_list_read(struct value_list *list, const char *text, bool ranges, struct sl_error *error)
{
    SL_AUTO_FREE char *words = strdup(text);
    if (!words)
        return sl_error_set(error, -ENOMEM, "out of memory");
    char *rest = words;
    int code = 0;
    for (char *word; code == 0 && (word = strsep(&rest, ","));) {
        while (isspace((unsigned char)*word))
            word++;
        if (!*word)
            code = sl_error_set(error, -EINVAL, "'%s' has an empty value", text);
        else if (ranges && is_range(word))
            code = add_range(list, word, error);
        else
            code = add(list, word, error);
    }
    return code;
}

int cli_check_name(enum sl_kind kind, const char *what, const char *name, struct sl_error *error)
{
    /* As `sluice list` calls them. */
    static const char *const lists[] = {[SL_KIND_POLICY] = "policies",
                                        [SL_KIND_KERNEL] = "kernels",
                                        [SL_KIND_LOADER] = "loaders",
                                        [SL_KIND_TOPOLOGY] = "topologies"};
    struct sl_suggestion suggestion = {.wanted = name};
    struct sl_entry entry;
    for (int i = 0; sl_list(kind, i, &entry); i++) {
        if (!strcmp(entry.name, name))
            return 0;
        sl_suggest(&suggestion, entry.name);
    }
    if (suggestion.best)
        return sl_error_set(error, -EINVAL, "unknown %s '%s'; did you mean '%s'?", what, name,
                            suggestion.best);
    return sl_error_set(error, -EINVAL, "unknown %s '%s'; `sluice list %s` names them", what, name,
                        lists[kind]);
}

int value_list_read_names(struct value_list *list, const char *text, enum sl_kind kind,
                          const char *what, struct sl_error *error)
{
    SL_AUTO(value_list_free) struct value_list words = {0};
    int code = value_list_read(&words, text, false, error);
    for (int i = 0; code == 0 && i < words.count; i++) {
        struct sl_entry entry;
        if (strcmp(words.values[i], "all")) {
            code = cli_check_name(kind, what, words.values[i], error);
            if (code == 0)
                code = add(list, words.values[i], error);
            continue;
        }
        for (int k = 0; code == 0 && sl_list(kind, k, &entry); k++)
            if (!entry.for_tests)
                code = add(list, entry.name, error);
    }
    return code;
}

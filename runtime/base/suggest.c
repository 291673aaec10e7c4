#include "runtime/base/suggest.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LONGEST 63

size_t sl_edit_distance(const char *a, const char *b)
{
    size_t a_length = strnlen(a, LONGEST), b_length = strnlen(b, LONGEST);
    size_t row[LONGEST + 1];
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            int same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            size_t cost = diagonal + (same ? 0 : 1);
            diagonal = row[j];
            if (row[j] + 1 < cost)
                cost = row[j] + 1;
            if (row[j - 1] + 1 < cost)
                cost = row[j - 1] + 1;
            row[j] = cost;
        }
    }
    return row[b_length];
}

void sl_suggest(struct sl_suggestion *suggestion, const char *candidate)
{
    size_t distance = sl_edit_distance(suggestion->wanted, candidate);
    if (distance > strlen(suggestion->wanted) / 3 + 1)
        return;
    if (suggestion->best && distance >= suggestion->best_distance)
        return;
    suggestion->best = candidate;
    suggestion->best_distance = distance;
}

int sl_choose(const char *text, const char *const *names, struct sl_error *error)
{
    struct sl_suggestion suggestion = {.wanted = text};
    char known[SL_ERROR_TEXT_BYTES / 2] = "";
    for (int i = 0; names[i]; i++) {
        if (!strcmp(text, names[i]))
            return i;
        sl_suggest(&suggestion, names[i]);
        snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s", i ? ", " : "",
                 names[i]);
    }
    return sl_error_set(error, -EINVAL, "'%.100s' is not one of %s%s%s%s", text, known,
                        suggestion.best ? "; did you mean '" : "",
                        suggestion.best ? suggestion.best : "", suggestion.best ? "'?" : "");
}

/* Did-you-mean: the nearest known name by edit distance. */
#ifndef SLUICE_BASE_SUGGEST_H
#define SLUICE_BASE_SUGGEST_H

#include <stddef.h>

#include "runtime/base/error.h"

/* Case-insensitive Levenshtein distance; names longer than 63 bytes compare by their start. */
size_t sl_edit_distance(const char *a, const char *b);

/* A running search: start with best = NULL, offer every candidate, read best (NULL when nothing
 * is near enough: more than a third of the name plus one would have to change). */
struct sl_suggestion {
    const char *wanted;
    const char *best;
    size_t best_distance;
};

/* Offers one candidate; it becomes the best when it is nearer than every one before. */
void sl_suggest(struct sl_suggestion *suggestion, const char *candidate);

/* Index of text among names, which NULL ends. -EINVAL: "'x' is not one of a, b, c", and the nearest
 * of them. */
int sl_choose(const char *text, const char *const *names, struct sl_error *error);

#endif

#include "iouring/hints.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/suggest.h"

static const struct {
    const char *name;
    unsigned hint;
} words[] = {
    {"random", SL_HINT_RANDOM},     {"sequential", SL_HINT_SEQUENTIAL},
    {"willneed", SL_HINT_WILLNEED}, {"populate", SL_HINT_POPULATE},
    {"lock", SL_HINT_LOCK},         {"cold", SL_HINT_COLD},
    {"pageout", SL_HINT_PAGEOUT},   {"dontneed", SL_HINT_DONTNEED},
};
#define WORD_COUNT (sizeof(words) / sizeof(words[0]))

static int parse_word(const char *word, unsigned *hint, struct sl_error *error)
{
    struct sl_suggestion suggestion = {.wanted = word};

    for (size_t i = 0; i < WORD_COUNT; i++) {
        if (strcmp(words[i].name, word) == 0) {
            *hint = words[i].hint;
            return 0;
        }
        sl_suggest(&suggestion, words[i].name);
    }
    if (suggestion.best)
        return sl_error_set(error, EINVAL, "unknown hint '%s'; did you mean '%s'?", word,
                            suggestion.best);
    return sl_error_set(error, EINVAL,
                        "unknown hint '%s'; hints are none, or of random, sequential, willneed, "
                        "populate, lock, cold, pageout, dontneed",
                        word);
}

int sl_hints_parse(const char *text, unsigned *hints, struct sl_error *error)
{
    unsigned set = 0;

    if (!text) {
        *hints = SL_HINTS_DEFAULT;
        return 0;
    }
    bool none = strcmp(text, "none") == 0;
    while (!none) {
        char word[24];
        size_t length = strcspn(text, ",");
        unsigned hint = 0;
        snprintf(word, sizeof(word), "%.*s", (int)(length < sizeof(word) ? length : sizeof(word)),
                 text);
        if (strcmp(word, "none") == 0)
            return sl_error_set(error, EINVAL, "hint 'none' goes with no other");
        int rc = parse_word(word, &hint, error);
        if (rc < 0)
            return rc;
        set |= hint;
        if (!text[length])
            break;
        text += length + 1;
    }
    if ((set & SL_HINT_RANDOM) && (set & SL_HINT_SEQUENTIAL))
        return sl_error_set(error, EINVAL, "hints random and sequential contradict each other");
    *hints = set;
    return 0;
}

const char *sl_hints_format(unsigned hints, char text[SL_HINTS_TEXT_BYTES])
{
    size_t used = 0;

    snprintf(text, SL_HINTS_TEXT_BYTES, "none");
    for (size_t i = 0; i < WORD_COUNT; i++)
        if (hints & words[i].hint)
            used += (size_t)snprintf(text + used, SL_HINTS_TEXT_BYTES - used, "%s%s",
                                     used ? "," : "", words[i].name);
    return text;
}

#include "runtime/cli/cell_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/suggest.h"
#include "runtime/base/units.h"

/* A worker that starts in less is killed before it can say why. */
#define LEAST_LIMIT_BYTES (UINT64_C(4) << 20)

void cell_list_free(struct cell_list *list)
{
    free(list->policy_words);
}

static int add_policy(struct cell_list *list, const char *name, struct sl_error *error)
{
    if (list->policy_count == POLICIES_MOST)
        return sl_error_set(error, -EINVAL, "more than %d policies", POLICIES_MOST);
    list->policies[list->policy_count++] = name;
    return 0;
}

/* Known before anything starts, so that a typing error costs no run. */
int cli_check_name(enum sl_kind kind, const char *what, const char *name, struct sl_error *error)
{
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
                        kind == SL_KIND_POLICY ? "policies" : "loaders");
}

int cell_list_read_policies(struct cell_list *list, const char *text, struct sl_error *error)
{
    list->policy_words = strdup(text ? text : "auto");
    if (!list->policy_words)
        return sl_error_set(error, -ENOMEM, "out of memory");
    char *rest = list->policy_words;
    int code = 0;
    for (char *name; code == 0 && (name = strsep(&rest, ","));) {
        struct sl_entry entry;
        if (!strcmp(name, "all")) {
            for (int i = 0; code == 0 && sl_list(SL_KIND_POLICY, i, &entry); i++)
                code = add_policy(list, entry.name, error);
            continue;
        }
        code = cli_check_name(SL_KIND_POLICY, "policy", name, error);
        if (code == 0)
            code = add_policy(list, name, error);
    }
    return code;
}

/* "170M", "25%" of the weights, "none". */
static int parse_memory(const char *text, uint64_t weight_bytes, uint64_t *bytes,
                        struct sl_error *error)
{
    size_t length = strlen(text);
    if (!strcmp(text, "none")) {
        *bytes = SL_NO_LIMIT;
        return 0;
    }
    if (length > 1 && text[length - 1] == '%') {
        char number[32];
        double percent;
        snprintf(number, sizeof(number), "%.*s", (int)length - 1, text);
        int code = sl_parse_real(number, 0.001, 1e6, &percent, error);
        *bytes = (uint64_t)((double)weight_bytes * percent / 100);
        return code;
    }
    return sl_parse_size(text, bytes, error);
}

int cell_list_read_memory(struct cell_list *list, const char *text, uint64_t weight_bytes,
                          struct sl_error *error)
{
    SL_AUTO_FREE char *words = strdup(text ? text : "none");
    if (!words)
        return sl_error_set(error, -ENOMEM, "out of memory");
    char *rest = words;
    for (char *word; (word = strsep(&rest, ","));) {
        uint64_t bytes;
        if (list->memory_count == LIMITS_MOST)
            return sl_error_set(error, -EINVAL, "--memory: more than %d limits", LIMITS_MOST);
        if (parse_memory(word, weight_bytes, &bytes, error) < 0)
            return sl_error_wrap(error, "--memory");
        if (bytes < LEAST_LIMIT_BYTES)
            return sl_error_set(error, -EINVAL,
                                "--memory %s is less than a process needs to start; give at least "
                                "%llu MiB",
                                word, (unsigned long long)(LEAST_LIMIT_BYTES >> 20));
        list->memory[list->memory_count++] = bytes;
    }
    return 0;
}

#include "runtime/cli/cell_list.h"

#include <errno.h>

#include "runtime/base/cleanup.h"
#include "runtime/cli/cell_options.h"

void cell_list_free(struct cell_list *list)
{
    value_list_free(&list->names);
}

int cell_list_read_policies(struct cell_list *list, const struct cli_arguments *arguments,
                            const char *unless_given, struct sl_error *error)
{
    const char *text = cli_text(arguments, "policy");
    int code = value_list_read_names(&list->names, text ? text : unless_given, SL_KIND_POLICY,
                                     "policy", error);
    list->policies = list->names.values;
    list->policy_count = list->names.count;
    return code < 0 ? cli_wrap(arguments, "policy", error) : 0;
}

int cell_list_read_memory(struct cell_list *list, const struct cli_arguments *arguments,
                          uint64_t weight_bytes, struct sl_error *error)
{
    const char *text = cli_text(arguments, "memory");
    SL_AUTO(value_list_free) struct value_list limits = {0};
    int code = value_list_read(&limits, text ? text : "none", false, error);
    if (code == 0 && limits.count > LIMITS_MOST)
        code = sl_error_set(error, -EINVAL, "more than %d limits", LIMITS_MOST);
    for (int i = 0; code == 0 && i < limits.count; i++)
        code = cell_parse_memory(limits.values[i], weight_bytes,
                                 &list->memory[list->memory_count++], error);
    return code < 0 ? cli_wrap(arguments, "memory", error) : 0;
}

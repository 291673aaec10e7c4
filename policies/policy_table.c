#include <errno.h>
#include <string.h>

#include "policies/policy.h"

/* One line per policy: X(name) lists sl_policy_<name>, which a file of this folder defines. */
#define SL_POLICIES(X)                                                                             \
    X(auto)                                                                                        \
    X(bulk)                                                                                        \
    X(deepeye)                                                                                     \
    X(deepeye_frugal)                                                                              \
    X(linear)                                                                                      \
    X(masa)                                                                                        \
    X(partial)                                                                                     \
    X(window)

#define SL_POLICY_DECLARE(name) extern const struct sl_policy sl_policy_##name;
#define SL_POLICY_ADDRESS(name) &sl_policy_##name,
SL_POLICIES(SL_POLICY_DECLARE)

static const struct sl_policy *const policies[] = {SL_POLICIES(SL_POLICY_ADDRESS)};
_Static_assert(sizeof(policies) / sizeof(policies[0]) <= SL_POLICIES_MOST, "too many policies");

const struct sl_policy *sl_policy_at(int index)
{
    return index >= 0 && index < (int)(sizeof(policies) / sizeof(policies[0])) ? policies[index]
                                                                               : NULL;
}

const struct sl_policy *sl_policy_find(const char *name)
{
    for (int i = 0; sl_policy_at(i); i++) {
        if (!strcmp(sl_policy_at(i)->name, name))
            return sl_policy_at(i);
    }
    return NULL;
}

int sl_policies_check(struct sl_error *error)
{
    for (int i = 0; sl_policy_at(i); i++) {
        const struct sl_policy *policy = sl_policy_at(i);
        if (!policy->name || !policy->description || !policy->next)
            return sl_error_set(error, -EINVAL, "policy %d (%s) lacks a required member", i,
                                policy->name ? policy->name : "unnamed");
        if (policy->executors < 1 || policy->executors > SL_POLICY_EXECUTORS_MOST)
            return sl_error_set(error, -EINVAL, "policy %s wants %d executors, not 1 to %d",
                                policy->name, policy->executors, SL_POLICY_EXECUTORS_MOST);
        if (sl_policy_find(policy->name) != policy)
            return sl_error_set(error, -EINVAL, "two policies are named %s", policy->name);
    }
    return 0;
}

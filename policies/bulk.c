/* bulk: the whole network is loaded, then run; one network after another; weights stay until the
 * network ends. What a framework does that knows nothing of memory. */
#include "policies/view.h"

static struct sl_step bulk_next(void *state, const struct sl_policy_view *view)
{
    (void)state;
    for (int n = 0; n < view->network_count; n++) {
        const struct sl_policy_network *ended = &view->networks[n];
        if (!ended->active && ended->first_held >= 0)
            return sl_step_make(SL_STEP_DROP, n, ended->first_held);
    }
    int n = sl_view_current(view);
    if (n < 0)
        return SL_WAIT;
    const struct sl_policy_network *network = &view->networks[n];
    if (!network->active)
        return sl_step_make(SL_STEP_ADMIT, n, 0);
    if (network->first_absent >= 0)
        return sl_step_make(SL_STEP_LOAD, n, network->first_absent);
    if (view->reads_in_flight || network->running)
        return SL_WAIT;
    return sl_step_make(SL_STEP_RUN, n, network->next_unit);
}

const struct sl_policy sl_policy_bulk = {
    .name = "bulk",
    .description = "load the whole network, then run it; keep it until it ends",
    .executors = 1,
    .next = bulk_next,
};

/* partial: every layer of every network is loaded as early as the lanes allow, without a bound on
 * memory; one executor runs layers as they become ready, in order within a network. */
#include "policies/view.h"

static struct sl_step partial_next(void *state, const struct sl_policy_view *view)
{
    (void)state;
    int waiting = sl_view_admissible(view);
    if (waiting >= 0)
        return sl_step_make(SL_STEP_ADMIT, waiting, 0);
    struct sl_step drop = sl_view_drop_spent(view);
    if (drop.kind != SL_STEP_WAIT)
        return drop;
    bool lane_free = view->reads_in_flight < view->reads_most;
    for (int n = 0; n < view->network_count && lane_free; n++) {
        const struct sl_policy_network *network = &view->networks[n];
        if (network->active && network->first_absent >= 0)
            return sl_step_make(SL_STEP_LOAD, n, network->first_absent);
    }
    if (!view->executors_idle)
        return SL_WAIT;
    for (int n = 0; n < view->network_count; n++) {
        if (sl_view_runnable(&view->networks[n]))
            return sl_step_make(SL_STEP_RUN, n, view->networks[n].next_unit);
    }
    return SL_WAIT;
}

const struct sl_policy sl_policy_partial = {
    .name = "partial",
    .description = "load every layer as early as possible, run each as soon as it is ready",
    .executors = 1,
    .next = partial_next,
};

/* linear: load a layer, run it, drop it, then the next; networks one after another. The least
 * memory that whole-layer loading can do with, and no overlap of loading and running. */
#include "policies/view.h"

static struct sl_step linear_next(void *state, const struct sl_policy_view *view)
{
    (void)state;
    struct sl_step drop = sl_view_drop_spent(view);
    if (drop.kind != SL_STEP_WAIT)
        return drop;
    int n = sl_view_current(view);
    if (n < 0)
        return SL_WAIT;
    const struct sl_policy_network *network = &view->networks[n];
    if (!network->active)
        return sl_step_make(SL_STEP_ADMIT, n, 0);
    if (network->running)
        return SL_WAIT;
    int layer = sl_view_layer(network);
    int shard = sl_view_absent_shard(network, layer);
    if (shard >= 0)
        return sl_step_make(SL_STEP_LOAD, n, shard);
    if (!sl_view_layer_ready(network, layer))
        return SL_WAIT;
    return sl_step_make(SL_STEP_RUN, n, network->next_unit);
}

const struct sl_policy sl_policy_linear = {
    .name = "linear",
    .description = "load a layer, run it, drop it; nothing overlaps",
    .executors = 1,
    .next = linear_next,
};

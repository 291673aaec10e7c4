/* pair: while a layer runs, the next one is loaded. Two layers in memory at most, and loading
 * overlaps running: between linear and partial in both memory and time.
 *
 * The worked example of CONTRIBUTING.md. As policies/pair.c, with X(pair) added to the list in
 * policies/policy_table.c, it is a policy of sluice. tests/unit/test_policy_example.c builds and
 * runs it.
 */
#include "policies/view.h"

/* The first layer from `layer` on that has weights; layer_count when there is none. */
static int next_weighted_layer(const struct sl_policy_network *network, int layer)
{
    while (layer < network->layer_count && network->layers[layer].shard_count == 0)
        layer++;
    return layer;
}

static struct sl_step pair_next(void *state, const struct sl_policy_view *view)
{
    (void)state;
    /* What ran is dropped first: it makes room. */
    struct sl_step drop = sl_view_drop_spent(view);
    if (drop.kind != SL_STEP_WAIT)
        return drop;
    int n = sl_view_current(view);
    if (n < 0)
        return SL_WAIT;
    const struct sl_policy_network *network = &view->networks[n];
    if (!network->active)
        return sl_step_make(SL_STEP_ADMIT, n, 0);

    int running = next_weighted_layer(network, sl_view_layer(network));
    int ahead = next_weighted_layer(network, running + 1);
    if (running < network->layer_count) {
        int shard = sl_view_absent_shard(network, running);
        if (shard < 0 && ahead < network->layer_count)
            shard = sl_view_absent_shard(network, ahead);
        if (shard >= 0)
            return sl_step_make(SL_STEP_LOAD, n, shard);
    }
    if (sl_view_runnable(network) && view->executors_idle > 0)
        return sl_step_make(SL_STEP_RUN, n, network->next_unit);
    return SL_WAIT;
}

const struct sl_policy sl_policy_pair = {
    .name = "pair",
    .description = "load the next layer while one runs",
    .executors = 1,
    .next = pair_next,
};

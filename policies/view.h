/* Questions that most policies ask of a view. All pure. */
#ifndef SLUICE_POLICIES_VIEW_H
#define SLUICE_POLICIES_VIEW_H

#include "policies/policy.h"

#define SL_WAIT ((struct sl_step){SL_STEP_WAIT, 0, 0})

/* A step as a value. */
static inline struct sl_step sl_step_make(enum sl_step_kind kind, int network, int index)
{
    return (struct sl_step){kind, network, index};
}

/* Layer of the next unit. */
static inline int sl_view_layer(const struct sl_policy_network *network)
{
    return network->unit_layer[network->next_unit];
}

/* All shards of a layer are in memory. */
static inline bool sl_view_layer_ready(const struct sl_policy_network *network, int layer)
{
    return network->layer_resident[layer] == network->layers[layer].shard_count;
}

/* The next unit of its active request could run: its whole layer is in memory. */
static inline bool sl_view_runnable(const struct sl_policy_network *network)
{
    return network->active && !network->running &&
           sl_view_layer_ready(network, sl_view_layer(network));
}

/* First shard of a layer that is ABSENT, -1 = none. */
static inline int sl_view_absent_shard(const struct sl_policy_network *network, int layer)
{
    const struct sl_policy_layer *l = &network->layers[layer];
    if (network->layer_resident[layer] + network->layer_loading[layer] == l->shard_count)
        return -1;
    for (int s = l->first_shard; s < l->first_shard + l->shard_count; s++) {
        if (network->residency[s] == SL_SHARD_ABSENT)
            return s;
    }
    return -1;
}

/* A shard that no later unit of the active request needs, because its whole layer ran (of a network
 * without an active or waiting request: any); -1 = none. Published policies drop a layer right
 * after its run. */
static inline int sl_view_spent_shard(const struct sl_policy_network *network)
{
    int shard = network->first_held;
    if (shard < 0 || network->residency[shard] != SL_SHARD_RESIDENT)
        return -1;
    if (!network->active)
        return network->waiting ? -1 : shard;
    return network->unit_layer[network->shard_unit[shard]] < sl_view_layer(network) ? shard : -1;
}

/* Network whose request is in progress, else the one that waits longest (lowest number first);
 * -1 = none. For policies that take one network after another. */
static inline int sl_view_current(const struct sl_policy_view *view)
{
    int waiting = -1;
    for (int n = 0; n < view->network_count; n++) {
        if (view->networks[n].active)
            return n;
        if (view->networks[n].waiting &&
            (waiting < 0 || view->networks[n].arrival_ns < view->networks[waiting].arrival_ns))
            waiting = n;
    }
    return waiting;
}

/* A network whose request waits and may become active; -1 = none. */
static inline int sl_view_admissible(const struct sl_policy_view *view)
{
    for (int n = 0; n < view->network_count; n++) {
        if (view->networks[n].waiting && !view->networks[n].active)
            return n;
    }
    return -1;
}

/* DROP of a spent shard of any network, or WAIT. */
static inline struct sl_step sl_view_drop_spent(const struct sl_policy_view *view)
{
    for (int n = 0; n < view->network_count; n++) {
        int shard = sl_view_spent_shard(&view->networks[n]);
        if (shard >= 0)
            return sl_step_make(SL_STEP_DROP, n, shard);
    }
    return SL_WAIT;
}

#endif

/* masa (Cox et al., "Masa: Responsive Multi-DNN Inference on the Edge", PerCom 2021): partial's
 * graph with two workers, in which a ready run goes before any load. A network is admitted when its
 * weights and activations fit what those of the admitted ones leave of the memory, all by their
 * sizes alone, or when none is admitted. The highest response ratio, (wait + service) / service,
 * goes first: the shortest of networks that came together, and one that has waited long before
 * shorter ones that came later. Nobody passes the first at the gate, or a large network could wait
 * for ever. */
#include "policies/view.h"

/* Of a disk of the middle kind; only the order of networks depends on it. */
#define MASA_READ_NS_PER_BYTE 2

static double service_ns(const struct sl_policy_network *network)
{
    return (double)network->run_ns + (double)network->weight_bytes * MASA_READ_NS_PER_BYTE + 1;
}

static bool goes_before(const struct sl_policy_view *view, const struct sl_policy_network *left,
                        const struct sl_policy_network *right)
{
    double left_ns = service_ns(left), right_ns = service_ns(right);
    double left_ratio = (double)(view->now_ns - left->arrival_ns) / left_ns;
    double right_ratio = (double)(view->now_ns - right->arrival_ns) / right_ns;
    return left_ratio > right_ratio || (left_ratio >= right_ratio && left_ns < right_ns);
}

static bool waits(const struct sl_policy_network *network)
{
    return network->waiting && !network->active;
}

static bool wants_load(const struct sl_policy_network *network)
{
    return network->active && network->first_absent >= 0;
}

/* The first in order of the networks that are so; -1 = none. */
static int first_that(const struct sl_policy_view *view,
                      bool (*is)(const struct sl_policy_network *))
{
    int first = -1;
    for (int n = 0; n < view->network_count; n++) {
        if (is(&view->networks[n]) &&
            (first < 0 || goes_before(view, &view->networks[n], &view->networks[first])))
            first = n;
    }
    return first;
}

static uint64_t estimate_bytes(const struct sl_policy_network *network)
{
    return network->weight_bytes + network->activation_bytes;
}

static bool fits(const struct sl_policy_view *view, int candidate)
{
    uint64_t admitted = 0;
    bool any = false;
    for (int n = 0; n < view->network_count; n++) {
        if (!view->networks[n].active)
            continue;
        any = true;
        admitted += estimate_bytes(&view->networks[n]);
    }
    return !any || (admitted <= view->memory_bytes &&
                    estimate_bytes(&view->networks[candidate]) <= view->memory_bytes - admitted);
}

static struct sl_step masa_next(void *state, const struct sl_policy_view *view)
{
    (void)state;
    struct sl_step drop = sl_view_drop_spent(view);
    if (drop.kind != SL_STEP_WAIT)
        return drop;
    int n = first_that(view, waits);
    if (n >= 0 && fits(view, n))
        return sl_step_make(SL_STEP_ADMIT, n, 0);
    n = view->executors_idle ? first_that(view, sl_view_runnable) : -1;
    if (n >= 0)
        return sl_step_make(SL_STEP_RUN, n, view->networks[n].next_unit);
    n = view->reads_in_flight < view->reads_most ? first_that(view, wants_load) : -1;
    return n >= 0 ? sl_step_make(SL_STEP_LOAD, n, view->networks[n].first_absent) : SL_WAIT;
}

const struct sl_policy sl_policy_masa = {
    .name = "masa",
    .description = "partial, networks admitted as memory allows, shortest first, with aging",
    .executors = 2,
    .next = masa_next,
};

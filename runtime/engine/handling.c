#include "runtime/engine/handling.h"

#include <errno.h>
#include <stdlib.h>

#include "runtime/base/cleanup.h"

#define LATER_PASSES 3  /* the last one has no successor to read for */
#define STEPS_MOST   12 /* each halves what is left open: to a thousandth */

/* A pass of an engine as the simulator knows it: the first, or a later one. */
static int simulate_pass(const struct sl_schedule_network *network, const struct sl_policy *policy,
                         const struct sl_device_model *device, bool first, uint64_t *pass_ns,
                         uint64_t *bytes, struct sl_error *error)
{
    const struct sl_schedule_options options = {.budget_bytes = UINT64_MAX,
                                                .reads_most = device->depth};
    const int count = first ? 1 : LATER_PASSES, middle = count / 2;
    struct sl_simulation passes;
    int result = sl_simulate(network, 1, policy, &options, device, count, &passes, error);
    if (result)
        return result;
    *pass_ns = passes.request_end_ns[middle] - passes.round_begin_ns[middle];
    *bytes = passes.bytes_read / (uint64_t)count;
    sl_simulation_free(&passes);
    return 0;
}

/* By bisection between nothing, what the host's costs say, and all of the time for handling. */
static int fit(struct sl_schedule_network *network, const struct sl_policy *policy,
               const struct sl_device_model *device, bool first, uint64_t measured_ns,
               double *handling, struct sl_error *error)
{
    uint64_t pass_ns = 0, bytes = 0;
    double low = -1, high = 0;
    network->handling = 0;
    int result = simulate_pass(network, policy, device, first, &pass_ns, &bytes, error);
    if (pass_ns < measured_ns) {
        low = 0;
        high = bytes ? (double)measured_ns / (double)bytes : 0;
    }
    for (int step = 0; step < STEPS_MOST && !result; step++) {
        network->handling = (low + high) / 2;
        result = simulate_pass(network, policy, device, first, &pass_ns, &bytes, error);
        if (pass_ns < measured_ns)
            low = network->handling;
        else
            high = network->handling;
    }
    *handling = network->handling;
    return result;
}

/* The policy whose passes tell what handling takes under another; -1: none. */
static int measured_like(const struct sl_pass_times *measured, int policy)
{
    if (measured->policies[policy].later_ns)
        return policy;
    for (int p = 0; sl_policy_at(p); p++)
        if (measured->policies[p].later_ns &&
            sl_policy_at(p)->budgeted == sl_policy_at(policy)->budgeted)
            return p;
    return -1;
}

/* What was measured of a policy: network's units had all run in the process before. */
static int fit_measured(struct sl_schedule_network *network, const struct sl_pass_times *measured,
                        const struct sl_device_model *device, struct sl_handling *handling,
                        struct sl_error *error)
{
    int result = 0;
    for (int p = 0; sl_policy_at(p) && !result; p++) {
        const struct sl_policy *policy = sl_policy_at(p);
        if (!measured->policies[p].later_ns)
            continue;
        result = fit(network, policy, device, true, measured->policies[p].first_ns,
                     &handling[p].first, error);
        if (!result)
            result = fit(network, policy, device, false, measured->policies[p].later_ns,
                         &handling[p].later, error);
    }
    return result;
}

/* The first pass of a process was that of auto, which then reads ahead as window does: policies
 * with a budget handle as it shows. The others take that much longer than in a later engine, too.
 */
static int fit_first(struct sl_schedule_network *network, const struct sl_pass_times *measured,
                     const struct sl_device_model *device, struct sl_handling *handling,
                     struct sl_error *error)
{
    int ahead = 0, result = 0;
    while (sl_policy_at(ahead) && (!sl_policy_at(ahead)->budgeted || sl_policy_at(ahead)->planned))
        ahead++;
    if (!sl_policy_at(ahead) || !measured->first_ns)
        return 0;
    uint64_t pass_ns = 0, bytes, first_ns = 0;
    network->handling = handling[ahead].first;
    result = simulate_pass(network, sl_policy_at(ahead), device, true, &pass_ns, &bytes, error);
    if (measured->policies[ahead].later_ns && measured->first_ns > pass_ns)
        first_ns = measured->first_ns - pass_ns;
    if (!result)
        result = fit(network, sl_policy_at(ahead), device, true, measured->first_ns,
                     &handling[ahead].first, error);
    for (int p = 0; sl_policy_at(p); p++) {
        if (sl_policy_at(p)->budgeted)
            handling[p].first = handling[ahead].first;
        else
            handling[p].first_ns = first_ns;
    }
    return result;
}

int sl_handling_fit(const struct sl_schedule_network *network, const struct sl_pass_times *measured,
                    const struct sl_device_model *device, struct sl_handling *handling,
                    struct sl_error *error)
{
    struct sl_schedule_network as_is = *network, ran = *network;
    struct sl_device_model fast = *device, knowing;
    fast.throttle_bytes_per_s = 0;
    knowing = fast;
    knowing.host.first_unit_ns = 0;
    SL_AUTO_FREE struct sl_schedule_layer *layers =
        calloc((size_t)network->layer_count + 1, sizeof(*layers));
    if (!layers)
        return sl_error_set(error, -ENOMEM, "no memory to predict");
    for (int l = 0; l < network->layer_count; l++) {
        layers[l] = network->layers[l];
        layers[l].first_ns = 0;
    }
    ran.layers = layers;
    for (int p = 0; sl_policy_at(p); p++)
        handling[p] = (struct sl_handling){0};
    int result = fit_measured(&ran, measured, &knowing, handling, error);
    for (int p = 0; sl_policy_at(p); p++) {
        const int like = measured_like(measured, p);
        if (like >= 0)
            handling[p] = handling[like];
    }
    return result ? result : fit_first(&as_is, measured, &fast, handling, error);
}

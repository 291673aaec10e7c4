/* How much of what a policy wants to read is given to the device at once.
 *
 * A deep queue is fast, but some devices (block devices of virtual machines) complete all that they
 * were given only when the last of it is done: what the compute waits for then comes no sooner than
 * what was read ahead of it. So what is in flight is bounded by what can arrive before the compute
 * has run through the shards that are in memory, and by a usual amount when it waits already. */
#include "runtime/base/units.h"
#include "runtime/engine/engine_state.h"

/* What the first reads of a batch are given in; twice as much with every arrival, up to the usual.
 * On a device that takes 0.15 ms a batch and 4 GB/s, 8 MiB at once give 93 % of the rate. */
#define PACE_FIRST_BYTES (SL_MIB / 2)
#define PACE_USUAL_BYTES (8 * SL_MIB)
/* Further ahead nothing is in a hurry. */
#define PACE_UNITS_MOST 32

/* Time until the compute needs a shard that is not in memory. */
static uint64_t slack_ns(const struct sl_policy_view *view)
{
    uint64_t ns = 0;
    for (int n = 0; n < view->network_count; n++) {
        const struct sl_policy_network *network = &view->networks[n];
        if (!network->active)
            continue;
        for (int u = network->next_unit; u < network->unit_count; u++) {
            const int shard = network->unit_shard[u];
            const struct sl_policy_layer *layer = &network->layers[network->unit_layer[u]];
            if (u == network->next_unit + PACE_UNITS_MOST ||
                (shard >= 0 && (network->residency[shard] == SL_SHARD_ABSENT ||
                                network->residency[shard] == SL_SHARD_LOADING)))
                break;
            ns += layer->run_ns / (uint64_t)layer->unit_count;
        }
    }
    return ns;
}

static bool paces(const struct sl_engine *engine)
{
    return engine->policy->budgeted && engine->reader.loader->ops->pace;
}

void sl_engine_pace_begin(struct sl_engine *engine)
{
    struct sl_loader *loader = engine->reader.loader;
    engine->pace_bytes = PACE_FIRST_BYTES;
    if (paces(engine))
        loader->ops->pace(loader, engine->pace_bytes);
}

void sl_engine_pace_arrived(struct sl_engine *engine)
{
    engine->pace_bytes *= 2;
    if (engine->pace_bytes > PACE_USUAL_BYTES)
        engine->pace_bytes = PACE_USUAL_BYTES;
}

void sl_engine_pace(struct sl_engine *engine)
{
    struct sl_loader *loader = engine->reader.loader;
    const struct sl_policy_view *view = sl_schedule_view(engine->schedule);
    if (!paces(engine) || !view->reads_in_flight)
        return;
    double rate = (double)sl_engine_known_device(engine).bytes_per_s;
    uint64_t bytes = (uint64_t)(rate * (double)slack_ns(view) / 1e9);
    loader->ops->pace(loader, bytes > engine->pace_bytes ? bytes : engine->pace_bytes);
}

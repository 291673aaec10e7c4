#include "runtime/engine/engine_state.h"
#include "runtime/engine/planner.h"

#define ADVICE_PASSES 3 /* simulated to see what later batches take */

/* Predicted time of a batch with so many bytes for shards; 0 when it cannot be told. */
static uint64_t batch_ns(struct sl_engine *engine, const struct sl_device_model *device,
                         uint64_t shard_bytes)
{
    struct sl_schedule_options options = engine->schedule_options;
    struct sl_schedule_network *networks = engine->workload.networks;
    const bool cold = engine->batches == 1;
    options.budget_bytes = shard_bytes;
    if (engine->policy->planned && !cold) {
        struct sl_plan plan;
        if (sl_plan_make(networks, engine->network_count, &options, device, true, &plan, NULL))
            return 0;
        uint64_t pass_ns = plan.pass_ns;
        sl_plan_free(&plan);
        return pass_ns;
    }
    struct sl_simulation result;
    if (sl_simulate(networks, engine->network_count, engine->policy, &options, device,
                    cold ? 1 : ADVICE_PASSES, &result, NULL))
        return 0;
    uint64_t begin_ns = 0;
    if (!cold)
        begin_ns = result.request_end_ns[result.requests_done - (size_t)engine->network_count - 1];
    uint64_t ns = result.makespan_ns - begin_ns;
    sl_simulation_free(&result);
    return ns;
}

bool sl_engine_advise(struct sl_engine *engine, uint64_t more_bytes,
                      struct sl_engine_advice *advice)
{
    struct sl_device_model device = sl_engine_known_device(engine);
    uint64_t bytes = engine->budget.shard_bytes, stall_ns = 0;
    if (!engine->policy->budgeted || !engine->batches || bytes >= engine->workload.weight_bytes ||
        (!sl_engine_observed_device(engine, &device) && !engine->options.device_bytes_per_s))
        return false;
    uint64_t now_ns = batch_ns(engine, &device, bytes);
    uint64_t more_ns = batch_ns(engine, &device, bytes + more_bytes);
    if (!now_ns || !more_ns)
        return false;
    for (int n = 0; n < engine->network_count; n++)
        stall_ns += engine->networks[n]->result.stall_ns;
    advice->reads_bind = (double)stall_ns / (double)engine->batch.makespan_ns;
    advice->saved = more_ns < now_ns ? 1 - (double)more_ns / (double)now_ns : 0;
    return true;
}

#include "runtime/cli/cell_plan.h"

/* What a worker costs besides its requests: about what LeNet takes from start to exit. */
#define WORKER_NS 30e6
/* A policy whose memory does not fit pays in swap; known only once measured. */
#define SWAP_FACTOR 4

int cell_plan(const struct cell_request *request, const struct cell_ground *ground,
              struct sl_plan_result *plan, struct sl_error *error)
{
    const struct cell *cell = &request->cell;
    const uint64_t throttle = request->limits.read_bytes_per_s;
    const struct sl_plan_request asked = {
        .models = ground->models,
        .model_count = cell->pack_count,
        .policy = cell->policy,
        .limit_bytes = request->limits.memory_bytes,
        .threads = cell->threads ? (int)cell->threads : request->limits.cores,
        .cpus = request->limits.cpus,
        .depth = (int)cell->depth,
        .depth_bytes = (uint64_t)cell->depth_bytes,
        .device = ground->device,
        .read_bytes_per_s = throttle == SL_NO_LIMIT ? 0 : throttle,
        .process_bytes = ground->process_bytes,
        .loader = cell->loader,
        .hints = cell->hints,
    };
    return sl_plan(&asked, plan, error);
}

double cell_cost_ns(const struct cell_request *request, const struct sl_plan_result *plan)
{
    const struct cell *cell = &request->cell;
    double first = (double)plan->latency_ns, later = (double)plan->steady_latency_ns;
    double requests = (double)(cell->runs + cell->warmup - 1);
    double total = first + requests * (cell->cold || later <= 0 ? first : later);
    return WORKER_NS + (plan->fits ? total : total * SWAP_FACTOR);
}

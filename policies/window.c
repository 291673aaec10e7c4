/* window and auto: shards are loaded in the order of the runs, as far ahead as budget and depth
 * allow, and dropped after their run. What is pinned stays across requests, and when the end of a
 * request has been loaded the window goes on at the start of the next one. With pins chosen well a
 * pass reads no more than W - budget + one window, where least-recently-used caching reads W.
 *
 * window runs without pins; those of auto come from runtime/engine/planner.h. */
#include "policies/view.h"

/* Enough to keep a device busy while a first layer runs. */
#define READS_BEFORE_THE_FIRST_RUN 8

static struct sl_step admit(const struct sl_policy_view *view, int current)
{
    const bool waits = current >= 0 && !view->networks[current].active;
    return waits ? sl_step_make(SL_STEP_ADMIT, current, 0) : SL_WAIT;
}

/* The next unit of the active network, when its shard is there. */
static struct sl_step run(const struct sl_policy_view *view, int current)
{
    if (current < 0 || !view->networks[current].active || view->networks[current].running)
        return SL_WAIT;
    const struct sl_policy_network *network = &view->networks[current];
    int shard = network->unit_shard[network->next_unit];
    const bool there = shard < 0 || network->residency[shard] == SL_SHARD_RESIDENT;
    return there ? sl_step_make(SL_STEP_RUN, current, network->next_unit) : SL_WAIT;
}

/* Of the networks' shards one that ran and is not needed again before the next pass. */
static struct sl_step drop_spent(const struct sl_policy_view *view)
{
    for (int n = 0; n < view->network_count; n++) {
        const struct sl_policy_network *network = &view->networks[n];
        int unit = (network->next_unit ? network->next_unit : network->unit_count) - 1;
        int shard = network->unit_shard[unit];
        if (shard >= 0 && network->residency[shard] == SL_SHARD_RESIDENT && network->ran[shard] &&
            !network->pinned[shard])
            return sl_step_make(SL_STEP_DROP, n, shard);
    }
    return SL_WAIT;
}

/* A waiting request, once the device has enough to do. */
static struct sl_step admit_early(const struct sl_policy_view *view, int current)
{
    return view->reads_in_flight >= READS_BEFORE_THE_FIRST_RUN ? admit(view, current) : SL_WAIT;
}

/* Filling a whole window takes the loop some milliseconds, while the first shards have arrived:
 * they run as soon as the device has enough to do. */
static struct sl_step run_early(const struct sl_policy_view *view, int current)
{
    if (current < 0 || view->reads_in_flight < READS_BEFORE_THE_FIRST_RUN)
        return SL_WAIT;
    const struct sl_policy_network *network = &view->networks[current];
    const bool first = network->shard_count && network->next_unit <= network->shard_unit[0];
    return first ? run(view, current) : SL_WAIT;
}

/* First ABSENT shard of the pass after the active one (of the coming pass when none is active). */
static int next_pass_shard(const struct sl_policy_network *network)
{
    if (!network->waiting && !network->requests_left)
        return -1;
    if (!network->active || network->first_absent >= 0)
        return network->first_absent;
    return network->first_absent_behind;
}

/* The shard to load next over all networks, in the order in which they will be needed: the current
 * network, those that wait, then the next pass. Nothing is loaded before what is needed sooner, or
 * memory could fill with shards that wait for one that finds no room. Sets *network. */
static int wanted_shard(const struct sl_policy_view *view, int current, int *network)
{
    if (current >= 0 && view->networks[current].first_absent >= 0) {
        *network = current;
        return view->networks[current].first_absent;
    }
    for (int n = 0; n < view->network_count; n++) {
        *network = n;
        if (n != current && view->networks[n].waiting && view->networks[n].first_absent >= 0)
            return view->networks[n].first_absent;
    }
    for (int n = 0; n < view->network_count; n++) {
        *network = n;
        int shard = next_pass_shard(&view->networks[n]);
        if (shard >= 0)
            return shard;
    }
    return -1;
}

/* Whether that many bytes more may lie ahead of the run. */
static bool within_distance(const struct sl_policy_view *view, uint64_t bytes)
{
    if (view->depth && view->unrun_shards >= view->depth)
        return false;
    return !view->ahead_bytes || !view->unrun_shards ||
           view->unrun_bytes + bytes <= view->ahead_bytes;
}

/* Of the shards that lie ahead of the run, one to give up. */
static struct sl_step drop_ahead(const struct sl_policy_view *view)
{
    for (int n = view->network_count - 1; n >= 0; n--) {
        const struct sl_policy_network *network = &view->networks[n];
        for (int s = network->shard_count - 1; s >= 0; s--)
            if (network->residency[s] == SL_SHARD_RESIDENT && !network->ran[s] &&
                !network->pinned[s])
                return sl_step_make(SL_STEP_DROP, n, s);
    }
    return SL_WAIT;
}

static uint64_t room(const struct sl_policy_view *view)
{
    return view->budget_bytes - view->used_bytes;
}

/* What the next unit waits for while nothing is on its way: other pins may leave what was read
 * ahead for the old ones in the way, and of that goes what lies furthest ahead. */
static struct sl_step load_missing(const struct sl_policy_view *view, int current)
{
    if (current < 0 || view->reads_in_flight)
        return SL_WAIT;
    const struct sl_policy_network *network = &view->networks[current];
    int shard = network->active && !network->running ? network->unit_shard[network->next_unit] : -1;
    if (shard < 0 || network->residency[shard] != SL_SHARD_ABSENT)
        return SL_WAIT;
    return network->shard_bytes[shard] <= room(view) ? sl_step_make(SL_STEP_LOAD, current, shard)
                                                     : drop_ahead(view);
}

static struct sl_step load_ahead(const struct sl_policy_view *view, int current)
{
    int network, shard = wanted_shard(view, current, &network);
    if (shard < 0 || view->reads_in_flight >= view->reads_most)
        return SL_WAIT;
    const uint64_t bytes = view->networks[network].shard_bytes[shard];
    return within_distance(view, bytes) && bytes <= room(view)
               ? sl_step_make(SL_STEP_LOAD, network, shard)
               : SL_WAIT;
}

/* The first rule that has something to do. */
static struct sl_step window_next(void *state, const struct sl_policy_view *view)
{
    (void)state;
    struct sl_step step = drop_spent(view);
    if (step.kind != SL_STEP_WAIT)
        return step;
    const int current = sl_view_current(view);
    step = admit_early(view, current);
    if (step.kind == SL_STEP_WAIT)
        step = run_early(view, current);
    if (step.kind == SL_STEP_WAIT)
        step = load_missing(view, current);
    if (step.kind == SL_STEP_WAIT)
        step = load_ahead(view, current);
    if (step.kind == SL_STEP_WAIT)
        step = admit(view, current);
    if (step.kind == SL_STEP_WAIT)
        step = run(view, current);
    return step;
}

/* One shard must fit beside the pins. */
static uint64_t window_least_budget(const struct sl_policy_view *view)
{
    uint64_t pinned = 0, largest = 0;
    for (int n = 0; n < view->network_count; n++) {
        const struct sl_policy_network *network = &view->networks[n];
        for (int s = 0; s < network->shard_count; s++) {
            if (network->pinned[s])
                pinned += network->shard_bytes[s];
            else if (network->shard_bytes[s] > largest)
                largest = network->shard_bytes[s];
        }
    }
    return pinned + largest;
}

const struct sl_policy sl_policy_window = {
    .name = "window",
    .description = "shards read a bounded distance ahead of the run, dropped after it",
    .executors = 1,
    .budgeted = true,
    .next = window_next,
    .least_budget = window_least_budget,
};

const struct sl_policy sl_policy_auto = {
    .name = "auto",
    .description = "window with the pins and the distance that the planner found best",
    .executors = 1,
    .budgeted = true,
    .planned = true,
    .next = window_next,
    .least_budget = window_least_budget,
};

/* deepeye and deepeye-frugal (Mathur et al., "DeepEye", MobiSys 2017): two pipelines across the
 * networks of a batch. Pipeline 1 loads the convolutional layers of all networks one after another
 * and then runs them in order; pipeline 2 loads the fully connected layers of one network after
 * another meanwhile and runs them when the network's convolutions are done and its fully connected
 * layers are in. Frugal: the next network's fully connected loads wait for the previous network's
 * last run. */
#include "policies/view.h"

/* Layers without weights go with the one before them, so the class of a layer is its own flag. */
static bool class_of(const struct sl_policy_network *network, int layer)
{
    return network->layers[layer].fully_connected;
}

/* Next LOAD of one pipeline: its layers are chained, so a layer's loads begin when the layer
 * before is in. Sets *complete when all layers of the class of this network are in or spent. */
static struct sl_step class_load(const struct sl_policy_network *network, int n, bool class,
                                 bool *complete)
{
    *complete = true;
    if (!network->active)
        return SL_WAIT;
    for (int layer = sl_view_layer(network); layer < network->layer_count; layer++) {
        if (class_of(network, layer) != class || sl_view_layer_ready(network, layer))
            continue;
        *complete = false;
        int shard = sl_view_absent_shard(network, layer);
        return shard >= 0 ? sl_step_make(SL_STEP_LOAD, n, shard) : SL_WAIT;
    }
    return SL_WAIT;
}

static struct sl_step deepeye_load(const struct sl_policy_view *view, bool frugal,
                                   bool *convolutions_loaded)
{
    *convolutions_loaded = true;
    for (int n = 0; n < view->network_count && *convolutions_loaded; n++) {
        struct sl_step step = class_load(&view->networks[n], n, false, convolutions_loaded);
        if (step.kind != SL_STEP_WAIT)
            return step;
    }
    bool complete = true;
    for (int n = 0; n < view->network_count && complete; n++) {
        struct sl_step step = class_load(&view->networks[n], n, true, &complete);
        if (step.kind != SL_STEP_WAIT)
            return step;
        if (frugal && view->networks[n].active)
            break;
    }
    return SL_WAIT;
}

/* One run of each class at a time: pipeline 1 takes the first network with convolutions left,
 * pipeline 2 the first whose fully connected layers are all in. */
static struct sl_step deepeye_run(const struct sl_policy_view *view, bool convolutions_loaded)
{
    bool busy[2] = {false, false};
    for (int n = 0; n < view->network_count; n++) {
        const struct sl_policy_network *network = &view->networks[n];
        if (!network->active)
            continue;
        int layer = sl_view_layer(network);
        bool class = class_of(network, layer);
        if (busy[class])
            continue;
        busy[class] = true;
        if (network->running)
            continue;
        bool loaded = convolutions_loaded;
        if (class)
            class_load(network, n, true, &loaded);
        if (loaded && sl_view_layer_ready(network, layer))
            return sl_step_make(SL_STEP_RUN, n, network->next_unit);
    }
    return SL_WAIT;
}

static struct sl_step deepeye_step(const struct sl_policy_view *view, bool frugal)
{
    int waiting = sl_view_admissible(view);
    if (waiting >= 0)
        return sl_step_make(SL_STEP_ADMIT, waiting, 0);
    struct sl_step drop = sl_view_drop_spent(view);
    if (drop.kind != SL_STEP_WAIT)
        return drop;
    bool convolutions_loaded;
    struct sl_step load = deepeye_load(view, frugal, &convolutions_loaded);
    if (load.kind != SL_STEP_WAIT || !view->executors_idle)
        return load;
    return deepeye_run(view, convolutions_loaded);
}

static struct sl_step deepeye_next(void *state, const struct sl_policy_view *view)
{
    (void)state;
    return deepeye_step(view, false);
}

static struct sl_step deepeye_frugal_next(void *state, const struct sl_policy_view *view)
{
    (void)state;
    return deepeye_step(view, true);
}

const struct sl_policy sl_policy_deepeye = {
    .name = "deepeye",
    .description = "convolutions of all networks first, fully connected layers loaded meanwhile",
    .executors = 2,
    .next = deepeye_next,
};

const struct sl_policy sl_policy_deepeye_frugal = {
    .name = "deepeye-frugal",
    .description = "deepeye, with one network's fully connected layers in memory at a time",
    .executors = 2,
    .next = deepeye_frugal_next,
};

#include "runtime/report/profile.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define EXECUTORS_MOST 64

struct span {
    struct sl_event event;
    double share_ns; /* of the request's time */
};

struct layer_sums {
    struct sl_profile_layer sum;
    uint64_t load_begin_ns, load_end_ns; /* in this batch; 0: no read */
};

struct sl_profile {
    int network_count;
    int *layer_counts;
    struct layer_sums **layers; /* [network][layer] */
    int *shards_ran;            /* [network]: in this pass; a read of one is for the next pass */
    struct sl_profile_total sums;
    /* The batch under way: its runs and waits. */
    bool open, measured;
    uint64_t begin_ns, result_ns;
    struct span *spans;
    size_t count, capacity;
};

struct sl_profile *sl_profile_create(const int *layer_counts, int networks)
{
    struct sl_profile *profile = calloc(1, sizeof(*profile));
    if (!profile)
        return NULL;
    profile->layer_counts = calloc((size_t)networks + 1, sizeof(*profile->layer_counts));
    profile->layers = calloc((size_t)networks + 1, sizeof(*profile->layers));
    profile->shards_ran = calloc((size_t)networks + 1, sizeof(*profile->shards_ran));
    bool failed = !profile->layer_counts || !profile->layers || !profile->shards_ran;
    for (int n = 0; !failed && n < networks; n++) {
        profile->network_count++;
        profile->layer_counts[n] = layer_counts[n];
        profile->layers[n] = calloc((size_t)layer_counts[n] + 1, sizeof(**profile->layers));
        failed = !profile->layers[n];
    }
    if (failed) {
        sl_profile_free(profile);
        return NULL;
    }
    return profile;
}

void sl_profile_free(struct sl_profile *profile)
{
    if (!profile)
        return;
    for (int n = 0; profile->layers && n < profile->network_count; n++)
        free(profile->layers[n]);
    free(profile->layers);
    free(profile->layer_counts);
    free(profile->shards_ran);
    free(profile->spans);
    free(profile);
}

static struct layer_sums *layer_of(const struct sl_profile *profile, int network, int layer)
{
    bool known = network >= 0 && network < profile->network_count && layer >= 0 &&
                 layer < profile->layer_counts[network];
    return known ? &profile->layers[network][layer] : NULL;
}

static void keep_span(struct sl_profile *profile, const struct sl_event *event)
{
    if (profile->count == profile->capacity) {
        size_t capacity = profile->capacity ? 2 * profile->capacity : 256;
        struct span *spans = reallocarray(profile->spans, capacity, sizeof(*spans));
        if (!spans)
            return; /* its time goes to serving */
        profile->spans = spans;
        profile->capacity = capacity;
    }
    profile->spans[profile->count++] = (struct span){.event = *event};
}

/* Begin or end of a span. */
struct edge {
    uint64_t ns;
    size_t span;
    bool begins;
};

/* An end comes before a begin at the same time: spans that touch do not overlap. */
static int compare_edges(const void *left, const void *right)
{
    const struct edge *a = left, *b = right;
    if (a->ns != b->ns)
        return a->ns < b->ns ? -1 : 1;
    return (int)a->begins - (int)b->begins;
}

static uint64_t clamp(uint64_t ns, uint64_t least, uint64_t most)
{
    return ns < least ? least : ns > most ? most : ns;
}

/* The edges of the batch's runs and waits within the request, in their order; NULL when memory ran
 * out. Spans without length have none. */
static struct edge *sort_edges(const struct sl_profile *profile, size_t *count)
{
    struct edge *edges = calloc(2 * profile->count + 1, sizeof(*edges));
    *count = 0;
    for (size_t i = 0; edges && i < profile->count; i++) {
        const struct sl_event *event = &profile->spans[i].event;
        uint64_t begin_ns = clamp(event->begin_ns, profile->begin_ns, profile->result_ns);
        uint64_t end_ns = clamp(event->end_ns, begin_ns, profile->result_ns);
        if (event->kind == SL_EVENT_SERVE || begin_ns == end_ns)
            continue;
        edges[(*count)++] = (struct edge){begin_ns, i, true};
        edges[(*count)++] = (struct edge){end_ns, i, false};
    }
    if (edges)
        qsort(edges, *count, sizeof(*edges), compare_edges);
    return edges;
}

/* What is the case between two edges. */
struct sweep {
    size_t running[EXECUTORS_MOST]; /* spans */
    int running_count, waits;
    double waited_ns; /* since the last run */
};

static void spend(struct sl_profile *profile, struct sweep *sweep, double ns)
{
    for (int r = 0; r < sweep->running_count; r++)
        profile->spans[sweep->running[r]].share_ns += ns / sweep->running_count;
    if (sweep->running_count)
        return;
    if (sweep->waits)
        sweep->waited_ns += ns;
    else
        profile->sums.serving_ns += ns;
}

static void pass_edge(struct sl_profile *profile, struct sweep *sweep, const struct edge *edge)
{
    const struct sl_event *event = &profile->spans[edge->span].event;
    if (event->kind == SL_EVENT_WAIT) {
        sweep->waits += edge->begins ? 1 : -1;
        return;
    }
    if (!edge->begins) {
        for (int r = 0; r < sweep->running_count; r++)
            if (sweep->running[r] == edge->span)
                sweep->running[r] = sweep->running[--sweep->running_count];
        return;
    }
    struct layer_sums *layer = layer_of(profile, event->network, event->layer);
    if (layer && !sweep->running_count) {
        layer->sum.waiting_ns += sweep->waited_ns;
        sweep->waited_ns = 0;
    }
    if (sweep->running_count < EXECUTORS_MOST)
        sweep->running[sweep->running_count++] = edge->span;
}

/* Divides the request's time among what was the case at each moment. */
static void divide_time(struct sl_profile *profile)
{
    struct sweep sweep = {0};
    uint64_t last_ns = profile->begin_ns;
    size_t count;
    struct edge *edges = sort_edges(profile, &count);
    for (size_t e = 0; e < count; e++) {
        spend(profile, &sweep, (double)(edges[e].ns - last_ns));
        last_ns = edges[e].ns;
        pass_edge(profile, &sweep, &edges[e]);
    }
    spend(profile, &sweep, (double)(profile->result_ns - last_ns));
    profile->sums.serving_ns += sweep.waited_ns; /* for no run */
    free(edges);
}

static void add_run(struct sl_profile *profile, const struct span *span)
{
    const struct sl_event *event = &span->event;
    struct layer_sums *layer = layer_of(profile, event->network, event->layer);
    if (!layer || event->kind != SL_EVENT_RUN)
        return;
    double run_ns = (double)(event->end_ns - event->begin_ns);
    double part = event->major_faults && run_ns > 0 ? (double)event->faulting_ns / run_ns : 0;
    double faulting_ns = span->share_ns * (part < 1 ? part : 1);
    layer->sum.run_ns += run_ns;
    layer->sum.faulting_ns += faulting_ns;
    layer->sum.computing_ns += span->share_ns - faulting_ns;
    layer->sum.major_faults += event->major_faults;
    layer->sum.minor_faults += event->minor_faults;
    layer->sum.swap_in_bytes += (double)event->bytes;
}

static void begin_batch(struct sl_profile *profile, const struct sl_event *event)
{
    profile->open = true;
    profile->measured = event->bytes == 0;
    profile->begin_ns = profile->result_ns = event->begin_ns;
    profile->count = 0;
    for (int n = 0; n < profile->network_count; n++) {
        profile->shards_ran[n] = 0;
        for (int l = 0; l < profile->layer_counts[n]; l++)
            profile->layers[n][l].load_begin_ns = profile->layers[n][l].load_end_ns = 0;
    }
}

static void end_batch(struct sl_profile *profile)
{
    if (!profile->open || !profile->measured)
        return;
    profile->open = false;
    profile->sums.requests++;
    profile->sums.request_ns += (double)(profile->result_ns - profile->begin_ns);
    divide_time(profile);
    for (size_t i = 0; i < profile->count; i++) {
        const struct sl_event *event = &profile->spans[i].event;
        add_run(profile, &profile->spans[i]);
        if (event->kind != SL_EVENT_SERVE)
            continue;
        profile->sums.serving_major_faults += event->major_faults;
        profile->sums.serving_swap_in_bytes += (double)event->bytes;
    }
    for (int n = 0; n < profile->network_count; n++)
        for (int l = 0; l < profile->layer_counts[n]; l++) {
            struct layer_sums *layer = &profile->layers[n][l];
            layer->sum.load_ns += (double)(layer->load_end_ns - layer->load_begin_ns);
        }
}

/* A read that began in the batch before counts from this one's begin; one that ended before it, and
 * was found done only now, does not. */
static void add_read(struct sl_profile *profile, const struct sl_event *event)
{
    struct layer_sums *layer = layer_of(profile, event->network, event->layer);
    if (!layer || !profile->open || event->shard < profile->shards_ran[event->network] ||
        event->end_ns <= profile->begin_ns)
        return;
    uint64_t begin_ns = event->begin_ns > profile->begin_ns ? event->begin_ns : profile->begin_ns;
    if (!layer->load_begin_ns || begin_ns < layer->load_begin_ns)
        layer->load_begin_ns = begin_ns;
    if (event->end_ns > layer->load_end_ns)
        layer->load_end_ns = event->end_ns;
}

/* The network's shards before this one will not be needed in this pass. */
static void note_ran(struct sl_profile *profile, int network, int shard)
{
    if (network < profile->network_count && shard > profile->shards_ran[network])
        profile->shards_ran[network] = shard;
}

void sl_profile_events(struct sl_profile *profile, const struct sl_event *events, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct sl_event *event = &events[i];
        switch ((enum sl_event_kind)event->kind) {
        case SL_EVENT_BEGIN:
            begin_batch(profile, event);
            break;
        case SL_EVENT_END:
            end_batch(profile);
            break;
        case SL_EVENT_RESULT:
            if (event->end_ns > profile->result_ns)
                profile->result_ns = event->end_ns;
            note_ran(profile, event->network, INT_MAX);
            break;
        case SL_EVENT_READ:
            add_read(profile, event);
            break;
        case SL_EVENT_RUN:
        case SL_EVENT_SERVE:
            note_ran(profile, event->network, event->shard + 1);
            profile->sums.all_swap_in_bytes += event->bytes;
            keep_span(profile, event);
            break;
        case SL_EVENT_WAIT:
            keep_span(profile, event);
            break;
        case SL_EVENT_ADMIT:
        case SL_EVENT_LOAD:
        case SL_EVENT_DROP:
            break;
        }
    }
}

void sl_profile_total(const struct sl_profile *profile, struct sl_profile_total *total)
{
    double requests = profile->sums.requests ? (double)profile->sums.requests : 1;
    *total = profile->sums;
    total->request_ns /= requests;
    total->serving_ns /= requests;
    total->serving_major_faults /= requests;
    total->serving_swap_in_bytes /= requests;
}

bool sl_profile_layer(const struct sl_profile *profile, int network, int layer,
                      struct sl_profile_layer *result)
{
    const struct layer_sums *found = layer_of(profile, network, layer);
    if (!found)
        return false;
    double requests = profile->sums.requests ? (double)profile->sums.requests : 1;
    *result = (struct sl_profile_layer){
        .load_ns = found->sum.load_ns / requests,
        .run_ns = found->sum.run_ns / requests,
        .waiting_ns = found->sum.waiting_ns / requests,
        .faulting_ns = found->sum.faulting_ns / requests,
        .computing_ns = found->sum.computing_ns / requests,
        .major_faults = found->sum.major_faults / requests,
        .minor_faults = found->sum.minor_faults / requests,
        .swap_in_bytes = found->sum.swap_in_bytes / requests,
    };
    return true;
}

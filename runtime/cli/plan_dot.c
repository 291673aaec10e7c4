#include "runtime/cli/plan_dot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/file.h"
#include "runtime/base/units.h"

/* More nodes than that are no picture any more. */
#define DOT_STEPS_MOST 400

/* What is drawn as one node: a step, or all steps of one kind of a layer. */
struct node {
    struct sl_plan_step step; /* bytes of all; from the first begin to the last end */
    int count;
};

struct graph {
    struct node *nodes;
    size_t count, capacity;
    bool by_layer, failed;
};

static bool same_node(const struct sl_plan_step *left, const struct sl_plan_step *right,
                      bool by_layer)
{
    return left->kind == right->kind && left->model == right->model &&
           left->layer == right->layer && (by_layer || left->part == right->part);
}

static struct node *find_node(const struct graph *graph, const struct sl_plan_step *step)
{
    for (size_t i = graph->count; i-- > 0;)
        if (same_node(&graph->nodes[i].step, step, graph->by_layer))
            return &graph->nodes[i];
    return NULL;
}

static void take_step(void *context, const struct sl_plan_step *step)
{
    struct graph *graph = context;
    struct node *node = graph->by_layer ? find_node(graph, step) : NULL;
    if (node) {
        node->step.bytes += step->bytes;
        node->step.end_ns = step->end_ns > node->step.end_ns ? step->end_ns : node->step.end_ns;
        node->count++;
        return;
    }
    if (graph->count == graph->capacity) {
        size_t capacity = graph->capacity ? 2 * graph->capacity : 64;
        struct node *nodes = realloc(graph->nodes, capacity * sizeof(*nodes));
        if (!nodes) {
            graph->failed = true;
            return;
        }
        graph->nodes = nodes;
        graph->capacity = capacity;
    }
    graph->nodes[graph->count++] = (struct node){*step, 1};
}

/* In a quoted string. */
static void write_text(FILE *stream, const char *text)
{
    for (; *text; text++)
        fprintf(stream, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
}

static void write_node(const struct sl_plan_request *request, const struct graph *graph, size_t i,
                       FILE *stream)
{
    static const char *const verbs[] = {"load", "run", "drop"};
    static const char *const looks[] = {"shape=box, fillcolor=\"#cfe2f3\"",
                                        "shape=ellipse, fillcolor=\"#d9ead3\"",
                                        "shape=box, fillcolor=\"#f4cccc\""};
    const struct node *node = &graph->nodes[i];
    struct sl_layer_info layer;
    char size[SL_UNIT_TEXT_BYTES], begin[SL_UNIT_TEXT_BYTES], end[SL_UNIT_TEXT_BYTES];
    if (sl_model_layer(request->models[node->step.model], node->step.layer, &layer, NULL) < 0)
        return;
    fprintf(stream, "  n%zu [style=filled, %s, label=\"%s ", i, looks[node->step.kind],
            verbs[node->step.kind]);
    write_text(stream, layer.name);
    if (!graph->by_layer && layer.shard_count > 1)
        fprintf(stream, " %d/%d", node->step.part + 1, layer.shard_count);
    else if (node->count > 1)
        fprintf(stream, " (%d shards)", node->count);
    if (node->step.bytes)
        fprintf(stream, "\\n%s", sl_format_size(node->step.bytes, size));
    fprintf(stream, "\\n%s", sl_format_duration(node->step.begin_ns, begin));
    if (node->step.kind != SL_PLAN_DROP)
        fprintf(stream, " to %s", sl_format_duration(node->step.end_ns, end));
    fprintf(stream, "\"];\n");
}

static void write_edge(FILE *stream, const struct graph *graph, const struct node *from, size_t to,
                       const char *look)
{
    if (from)
        fprintf(stream, "  n%zu -> n%zu%s;\n", (size_t)(from - graph->nodes), to, look);
}

/* Loads follow each other on the device, runs on a network's executor; a run waits for its load, a
 * drop for its run, and a load that a drop came right before for the room that it made. */
static void write_edges(const struct graph *graph, FILE *stream)
{
    const struct node *last_load = NULL, *last_drop = NULL;
    for (size_t i = 0; i < graph->count; i++) {
        const struct node *node = &graph->nodes[i], *last_run = NULL;
        struct sl_plan_step wanted = node->step;
        wanted.kind = node->step.kind == SL_PLAN_RUN ? SL_PLAN_LOAD : SL_PLAN_RUN;
        if (node->step.kind != SL_PLAN_LOAD)
            write_edge(stream, graph, find_node(graph, &wanted), i, "");
        for (size_t k = 0; k < i && node->step.kind == SL_PLAN_RUN; k++)
            if (graph->nodes[k].step.kind == SL_PLAN_RUN &&
                graph->nodes[k].step.model == node->step.model)
                last_run = &graph->nodes[k];
        write_edge(stream, graph, last_run, i, "");
        if (node->step.kind == SL_PLAN_DROP)
            last_drop = node;
        if (node->step.kind != SL_PLAN_LOAD)
            continue;
        write_edge(stream, graph, last_load, i, " [color=gray]");
        write_edge(stream, graph, last_drop, i, " [style=dashed]");
        last_load = node;
        last_drop = NULL;
    }
}

static void graph_free(struct graph *graph)
{
    free(graph->nodes);
}

static int write_graph(const struct sl_plan_request *request, const struct graph *graph,
                       FILE *stream)
{
    char text[SL_UNIT_TEXT_BYTES];
    fprintf(stream, "digraph plan {\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n");
    fprintf(stream, "  label=\"policy %s, limit %s%s\";\n", request->policy,
            request->limit_bytes == SL_NO_LIMIT ? "none"
                                                : sl_format_size(request->limit_bytes, text),
            graph->by_layer ? "; layers, not shards, because there are many" : "");
    for (size_t i = 0; i < graph->count; i++)
        write_node(request, graph, i, stream);
    write_edges(graph, stream);
    fprintf(stream, "}\n");
    return fflush(stream) || ferror(stream) ? -EIO : 0;
}

int plan_write_dot(const struct sl_plan_request *request, const char *path, struct sl_error *error)
{
    SL_AUTO(graph_free) struct graph graph = {0};
    int code = sl_plan_steps(request, take_step, &graph, error);
    if (code == 0 && graph.count > DOT_STEPS_MOST) {
        graph.count = 0;
        graph.by_layer = true;
        code = sl_plan_steps(request, take_step, &graph, error);
    }
    if (code < 0)
        return code;
    if (graph.failed)
        return sl_error_set(error, -ENOMEM, "no memory for the graph");
    if (!strcmp(path, "-")) {
        /* Whether stdout took it is told at the end, as of all results. */
        (void)write_graph(request, &graph, stdout);
        return 0;
    }
    SL_AUTO_FD int fd = sl_file_create(path, error);
    if (fd < 0) {
        sl_error_wrap(error, "cannot write %s", path);
        return fd;
    }
    SL_AUTO_FILE FILE *file = fdopen(fd, "w");
    if (!file)
        return sl_error_errno(error, "cannot write %s", path);
    fd = -1;
    if (write_graph(request, &graph, file) < 0) {
        code = sl_error_errno(error, "cannot write %s", path);
        sl_file_discard(fileno(file), path);
    }
    return code;
}

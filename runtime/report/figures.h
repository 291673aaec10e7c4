/* The figures of a set of results, as gnuplot scripts. */
#ifndef SLUICE_REPORT_FIGURES_H
#define SLUICE_REPORT_FIGURES_H

#include "runtime/base/text.h"
#include "runtime/report/result_cells.h"

enum sl_figure_kind {
    SL_FIGURE_LATENCY,  /* time against limit, one line for each policy */
    SL_FIGURE_SWAP,     /* swapped in and out against limit */
    SL_FIGURE_BOUND,    /* time as a multiple of what no schedule beats */
    SL_FIGURE_PARETO,   /* time against peak memory, with the front */
    SL_FIGURE_MEMORY,   /* memory over time with the limit, one figure for each limit */
    SL_FIGURE_TIMELINE, /* reads, runs and memory over time, one figure for each policy */
    SL_FIGURE_LAYERS,   /* load, run, stall of each layer, one figure for each policy */
    SL_FIGURE_KINDS,
};

struct sl_figure {
    enum sl_figure_kind kind;
    struct sl_text script;
    char *name;        /* of a file, without its ending; unique */
    char *title;       /* one line */
    char *description; /* what is drawn and what it says, for those who do not see it */
};

struct sl_figures {
    struct sl_figure *figures;
    size_t count, capacity;
};

/* Makes all figures for which there is data. cells is not needed afterwards. -ENOMEM. */
int sl_figures_make(const struct sl_result_cells *cells, struct sl_figures *figures,
                    struct sl_error *error);
void sl_figures_free(struct sl_figures *figures);

#endif

#include "runtime/report/figures.h"

#include <stdlib.h>

#include "runtime/base/cleanup.h"
#include "runtime/report/figure_script.h"

/* In the order of the report. */
static int (*const charts[])(struct sl_figures *figures, const struct sl_axis *axis) = {
    sl_figures_add_limits, sl_figures_add_pareto, sl_figures_add_memory, sl_figures_add_timelines,
    sl_figures_add_layers};

static int add_axis(struct sl_figures *figures, const struct sl_axis *axis)
{
    int code = 0;
    for (size_t i = 0; i < sizeof(charts) / sizeof(charts[0]) && code == 0; i++)
        code = charts[i](figures, axis);
    return code;
}

int sl_figures_make(const struct sl_result_cells *cells, struct sl_figures *figures,
                    struct sl_error *error)
{
    *figures = (struct sl_figures){0};
    int code = 0;
    for (size_t i = 0; i < cells->count && code == 0; i++) {
        SL_AUTO(sl_axis_free) struct sl_axis axis = {0};
        code = sl_axis_make(cells, i, &axis);
        if (code > 0)
            code = add_axis(figures, &axis);
    }
    if (code < 0) {
        sl_figures_free(figures);
        return sl_error_set(error, code, "out of memory");
    }
    return 0;
}

void sl_figures_free(struct sl_figures *figures)
{
    for (size_t i = 0; i < figures->count; i++) {
        sl_text_free(&figures->figures[i].script);
        free(figures->figures[i].name);
        free(figures->figures[i].title);
        free(figures->figures[i].description);
    }
    free(figures->figures);
    *figures = (struct sl_figures){0};
}

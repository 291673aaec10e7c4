#include "runtime/report/figure_axis.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/report/record.h"

static const char *policy_of(const struct sl_result_cell *cell)
{
    return sl_record_text(sl_result_cell_record(cell), "policy");
}

static double limit_of(const struct sl_result_cell *cell)
{
    return sl_record_number(sl_result_cell_record(cell), "memory_limit", -1);
}

/* How many policies appear before this one, in all results: its colour and shape everywhere. */
static size_t style_of(const struct sl_result_cells *cells, const char *policy)
{
    size_t style = 0;
    for (size_t i = 0; i < cells->count; i++) {
        size_t j = 0;
        if (!strcmp(policy_of(&cells->cells[i]), policy))
            break;
        while (j < i && strcmp(policy_of(&cells->cells[j]), policy_of(&cells->cells[i])))
            j++;
        style += j == i;
    }
    return style;
}

static void add_policy(struct sl_axis *axis, const struct sl_result_cells *cells,
                       const char *policy)
{
    for (size_t p = 0; p < axis->policy_count; p++) {
        const char *known = axis->policies[p];
        if (known && !strcmp(known, policy))
            return;
    }
    axis->styles[axis->policy_count] = style_of(cells, policy);
    axis->policies[axis->policy_count++] = policy;
}

static bool same_limit(double one, double two)
{
    return fabs(one - two) < 0.5;
}

static void add_limit(struct sl_axis *axis, double limit)
{
    for (size_t l = 0; l < axis->limit_count; l++)
        if (same_limit(axis->limits[l], limit))
            return;
    axis->limits[axis->limit_count++] = limit;
}

static int compare_limits(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    a = a < 0 ? INFINITY : a;
    b = b < 0 ? INFINITY : b;
    return (a < b) - (a > b);
}

/* Whether the networks have figures under other settings too, which titles must then tell. */
static bool is_ambiguous(const struct sl_result_cells *cells, const struct sl_result_cell *lead)
{
    const char *network = sl_record_text(sl_result_cell_record(lead), "network");
    for (size_t i = 0; i < cells->count; i++) {
        const struct sl_result_cell *cell = &cells->cells[i];
        if (!strcmp(cell->set, lead->set) && !sl_result_cell_same_figure(cell, lead) &&
            !strcmp(sl_record_text(sl_result_cell_record(cell), "network"), network))
            return true;
    }
    return false;
}

int sl_axis_make(const struct sl_result_cells *cells, size_t first, struct sl_axis *axis)
{
    const struct sl_result_cell *lead = &cells->cells[first];
    *axis = (struct sl_axis){.all = cells};
    for (size_t i = 0; i < first; i++)
        if (sl_result_cell_same_figure(&cells->cells[i], lead))
            return 0;
    axis->limits = calloc(cells->count, sizeof(*axis->limits));
    axis->policies = calloc(cells->count, sizeof(*axis->policies));
    axis->styles = calloc(cells->count, sizeof(*axis->styles));
    axis->cells = calloc(cells->count, sizeof(*axis->cells));
    if (!axis->limits || !axis->policies || !axis->styles || !axis->cells)
        return -ENOMEM;
    for (size_t i = first; i < cells->count; i++) {
        const struct sl_result_cell *cell = &cells->cells[i];
        if (!sl_result_cell_same_figure(lead, cell))
            continue;
        axis->cells[axis->cell_count++] = cell;
        add_policy(axis, cells, policy_of(cell));
        add_limit(axis, limit_of(cell));
    }
    qsort(axis->limits, axis->limit_count, sizeof(*axis->limits), compare_limits);
    const char *network = sl_record_text(sl_result_cell_record(lead), "network");
    char settings[384] = "";
    if (is_ambiguous(cells, lead))
        sl_result_cell_name(lead, false, settings, sizeof(settings));
    axis->leads = !strncmp(lead->set, network, strlen(network));
    bool alone = !strcmp(lead->set, network);
    if (asprintf(&axis->title, "%s%s%s%s%s", axis->leads ? lead->set : network,
                 axis->leads || alone ? "" : " of ", axis->leads || alone ? "" : lead->set,
                 *settings ? ", " : "", settings) < 0)
        axis->title = NULL;
    return axis->title ? 1 : -ENOMEM;
}

void sl_axis_free(struct sl_axis *axis)
{
    free(axis->title);
    free(axis->limits);
    free(axis->policies);
    free(axis->styles);
    free(axis->cells);
    *axis = (struct sl_axis){0};
}

const struct sl_result_cell *sl_axis_cell(const struct sl_axis *axis, size_t policy, size_t limit)
{
    for (size_t i = 0; i < axis->cell_count; i++)
        if (!strcmp(policy_of(axis->cells[i]), axis->policies[policy]) &&
            same_limit(limit_of(axis->cells[i]), axis->limits[limit]))
            return axis->cells[i];
    return NULL;
}

const struct sl_result_cell *sl_axis_least_cell(const struct sl_axis *axis, size_t policy)
{
    for (size_t l = axis->limit_count; l-- > 0;) {
        const struct sl_result_cell *cell = sl_axis_cell(axis, policy, l);
        if (cell && cell->failed < json_array_size(cell->records))
            return cell;
    }
    return NULL;
}

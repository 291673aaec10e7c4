#include "runtime/report/figure_timeline.h"

#include <criterion/criterion.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/report/figures.h"

#define WORKER                                                                                     \
    "\"status\":\"ok\",\"policy\":\"bulk\",\"makespan_ns\":4e9,\"wall_ns\":5e9,"                   \
    "\"latency_p50_ns\":4000000000"
#define LAYER(name, load_start, load, start, end)                                                  \
    "{\"name\":\"" name "\",\"load_start_ns\":" load_start "e9,\"load_ns\":" load                  \
    "e9,\"start_ns\":" start "e9,\"end_ns\":" end "e9}"

static struct sl_result_cells group(const char *text, json_t **records)
{
    json_error_t error;
    struct sl_result_cells cells = {0};
    *records = json_loads(text, 0, &error);
    cr_assert(*records, "%s", error.text);
    cr_assert_eq(sl_result_cells_group(*records, &cells, NULL), 0);
    return cells;
}

Test(figure_timeline, has_every_network_of_the_batch_and_memory_on_its_axis)
{
    json_t *records;
    struct sl_result_cells cells = group(
        "[{" WORKER ",\"network\":\"A\",\"layers\":[" LAYER(
            "x", "0", "1", "1",
            "2") "],"
                 "\"memory_samples\":{\"time_ns\":[0,1500000000,3e9,5000000000],"
                 "\"memory_bytes\":[0,1048576,2097152,0]}},"
                 "{" WORKER ",\"network\":\"B\",\"layers\":[" LAYER("y", "1", "2", "3", "4") "]}]",
        &records);
    SL_AUTO(sl_text_free) struct sl_text script = {0}, description = {0};
    cr_assert(sl_timeline_add(&cells, &cells.cells[0], &script, &description));
    cr_expect(strstr(script.bytes, "$loads << EOD\n0 0.00 0 1 0.00 0.50\n1 1.00 1 3 1.00 1.50\n"),
              "%s", script.bytes);
    cr_expect(strstr(script.bytes, "$runs << EOD\n1 0.50 1 2 0.50 1.00\n3 1.50 3 4 1.50 2.00\n"));
    /* The worker ended at 5 s of its samples, its last run at 4 s after the requests arrived. */
    cr_expect(strstr(script.bytes, "$memory << EOD\n0.5000 1.00\n2.0000 2.00\nEOD\n"));
    cr_expect(strstr(script.bytes, "set ytics ('x' 0.5, 'y' 1.5)"));
    sl_result_cells_free(&cells);
    json_decref(records);
}

Test(figure_timeline, needs_to_know_when_layers_ran)
{
    json_t *records;
    struct sl_result_cells cells = group(
        "[{" WORKER ",\"network\":\"A\",\"layers\":[{\"name\":\"x\",\"load_ns\":1}]}]", &records);
    SL_AUTO(sl_text_free) struct sl_text script = {0}, description = {0};
    cr_expect_not(sl_timeline_add(&cells, &cells.cells[0], &script, &description));
    cr_expect_eq(script.length, 0);
    sl_result_cells_free(&cells);
    json_decref(records);
}

static bool layers_figure_has(const char *record, const char *text)
{
    json_t *records;
    struct sl_result_cells cells = group(record, &records);
    struct sl_figures figures;
    bool found = false;
    cr_assert_eq(sl_figures_make(&cells, &figures, NULL), 0);
    for (size_t i = 0; i < figures.count; i++)
        found |= figures.figures[i].kind == SL_FIGURE_LAYERS &&
                 strstr(figures.figures[i].script.bytes, text) != NULL;
    sl_figures_free(&figures);
    sl_result_cells_free(&cells);
    json_decref(records);
    return found;
}

#define MEASURED "\"layers\":[{\"name\":\"x\",\"load_ns\":1e6,\"run_ns\":2e6,\"stall_ns\":3e6}]"

Test(figures, a_profile_tells_faults_apart)
{
    cr_expect(layers_figure_has("[{" WORKER ",\"network\":\"A\"," MEASURED "}]", "\"x\" 1 2 3\n"));
    cr_expect(layers_figure_has("[{" WORKER ",\"network\":\"A\"," MEASURED
                                ",\"profile\":{\"layers\":[{\"name\":\"x\",\"load_ns\":1e6,"
                                "\"run_ns\":2e6,\"computing_ns\":5e5,\"waiting_ns\":3e6,"
                                "\"faulting_ns\":15e5}]}}]",
                                "\"x\" 1 0.5 3 1.5\n"));
}

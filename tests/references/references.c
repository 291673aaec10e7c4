/* Prints how far the outputs of every network of the reference data are from BVLC Caffe's (else
 * OpenCV's), through packs and the engine, folded and unfolded.
 * usage: references WORK_DIRECTORY [POLICY]
 * Exit codes: 0 all within the tolerance, 1 not, 77 skipped (no reference data). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runtime/report/text_table.h"
#include "tests/support/reference_check.h"

static const struct sl_column columns[] = {
    {"network", false},   {"weights", false},  {"folded", false},
    {"case", false},      {"output", false},   {"reference", false},
    {"difference", true}, {"tolerance", true}, {"verdict", false},
};
#define COLUMNS ((int)(sizeof(columns) / sizeof(columns[0])))

struct summary {
    struct sl_table table;
    int compared, failed, networks;
    double worst; /* difference in tolerances */
    char where[256];
};

static const char *const source_names[] = {"trained", "trained, published", "synthetic",
                                           "synthetic, topology"};

static void add_row(void *context, const struct reference_row *row)
{
    struct summary *summary = context;
    struct sl_table *table = &summary->table;
    const bool good = row->difference <= row->tolerance;
    sl_table_add(table, "%s", row->network);
    sl_table_add(table, "%s", source_names[row->source]);
    sl_table_add(table, "%s", row->folded ? "yes" : "no");
    sl_table_add(table, "%s", row->input);
    sl_table_add(table, "%s", row->output);
    sl_table_add(table, "%s", row->engine);
    sl_table_add(table, "%.1e", row->difference);
    sl_table_add(table, "%.1e", row->tolerance);
    sl_table_add(table, "%s", good ? "ok" : "DIFFERS");
    summary->compared++;
    summary->failed += !good;
    if (row->difference > summary->worst * row->tolerance) {
        summary->worst = row->difference / row->tolerance;
        snprintf(summary->where, sizeof(summary->where), "%s, %s, %s", row->network, row->input,
                 row->output);
    }
}

static int check_network(struct summary *summary, const struct reference_network *network,
                         const char *policy, const char *work)
{
    struct sl_error error = {0};
    summary->networks++;
    for (enum reference_source source = 0; source < REFERENCE_SOURCES; source++)
        for (int folded = 0; folded <= 1 && reference_has(network, source); folded++) {
            const int compared =
                reference_check(network, source, folded, policy, work, add_row, summary, &error);
            if (compared == -ENOENT && !summary->compared)
                return compared;
            if (compared > 0)
                continue;
            fprintf(stderr, "%s: %s\n", network->name, compared ? error.text : "nothing compared");
            summary->failed++;
        }
    return 0;
}

int main(int argc, char **argv)
{
    struct summary summary = {0};
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: references WORK_DIRECTORY [POLICY]\n");
        return 2;
    }
    sl_table_init(&summary.table, columns, COLUMNS);
    for (const struct reference_network *network = reference_networks; network->name; network++)
        if (check_network(&summary, network, argc > 2 ? argv[2] : "auto", argv[1])) {
            printf("skipped: no reference data in %s; set SLUICE_MODELS\n", reference_models());
            return 77;
        }
    int failed = sl_table_write(&summary.table, SL_FORMAT_TABLE, stdout);
    sl_table_free(&summary.table);
    printf("\n%d outputs of %d networks, %d beyond the tolerance of 1e-4 x max(1, greatest value); "
           "worst: %.0f %% of it (%s)\n",
           summary.compared, summary.networks, summary.failed, 100 * summary.worst, summary.where);
    return failed || summary.failed ? 1 : 0;
}

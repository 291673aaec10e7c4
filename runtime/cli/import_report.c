#include "runtime/cli/import_report.h"

#include <inttypes.h>
#include <stdio.h>

#include "runtime/base/units.h"

void cli_import_report(const char *path, const struct sl_import_summary *summary)
{
    char weights[SL_UNIT_TEXT_BYTES], file[SL_UNIT_TEXT_BYTES];
    printf("%s: %d layers", path, summary->layers_after);
    if (summary->layers_after != summary->layers_before)
        printf(" (%d before folding)", summary->layers_before);
    printf(", %d shards, %s of weights, %s on disk\n", summary->shard_count,
           sl_format_size(summary->weight_bytes, weights),
           sl_format_size(summary->file_bytes, file));
    if (summary->shared_bytes)
        printf("%s of the weights are in the file only once\n",
               sl_format_size(summary->shared_bytes, weights));
    if (summary->saturated)
        fprintf(stderr,
                "sluice: warning: %" PRId64 " weights were beyond the range of the encoding and "
                "became its largest number\n",
                summary->saturated);
}

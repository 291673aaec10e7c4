/* Criterion tells of skipped tests only when it tells of all: a test that did not run must never
 * look like one that passed. Linked into every test program. */
#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <stdio.h>

ReportHook(POST_TEST)(struct criterion_test_stats *stats)
{
    if (stats->test_status == CR_STATUS_SKIPPED && stats->message)
        printf("%s::%s: %s\n", stats->test->category, stats->test->name, stats->message);
}

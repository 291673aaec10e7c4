/* How a budget is divided: the least one that is named is one that does. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "runtime/base/units.h"
#include "runtime/engine/budget.h"
#include "runtime/engine/cpus.h"
#include "runtime/engine/pages.h"

#define PROCESS_BYTES (SL_MIB + 12345)

/* What is left for shards of so much in all, of which the process holds PROCESS_BYTES. */
static uint64_t left_of(uint64_t total_bytes, struct sl_budget *budget)
{
    struct sl_error error = {0};
    budget->total_bytes = total_bytes;
    cr_assert_eq(sl_budget_divide(budget, total_bytes - PROCESS_BYTES, 0, &error), 0, "%s",
                 error.text);
    return budget->shard_bytes;
}

Test(budget, the_least_total_leaves_what_was_asked_for_and_no_page_more)
{
    static const uint64_t wanted[] = {0, 4096, 3 * SL_MIB + 1, 700 * SL_MIB};
    for (int w = 0; w < 4; w++) {
        struct sl_budget budget = {.activation_bytes = 5 * SL_MIB,
                                   .scratch_bytes = 77777,
                                   .read_ahead_bytes = 20 * SL_MIB};
        left_of(1000 * SL_MIB, &budget);
        const uint64_t least = sl_budget_least(&budget, wanted[w]);
        cr_expect_geq(left_of(least, &budget), wanted[w]);
        cr_expect_leq(left_of(least, &budget), wanted[w] + 4096);
    }
}

/* Less than all that is resident, which the libraries' pages are part of, and the kernel's stocks.
 */
Test(budget, a_group_is_not_charged_what_others_brought_in)
{
    struct sl_error error = {0};
    struct sl_budget resident = {.total_bytes = UINT64_MAX};
    uint64_t charged = 0;
    cr_assert_eq(sl_budget_charged(&charged, &error), 0, "%s", error.text);
    cr_assert_eq(sl_budget_divide(&resident, UINT64_MAX, 0, &error), 0, "%s", error.text);
    const uint64_t stocks = (uint64_t)(sl_usable_cpus() + 1) * 64 * SL_PAGE_BYTES;
    cr_expect_gt(charged, stocks);
    cr_expect_lt(charged, resident.process_bytes + stocks);
}

/* They take of a budget only what they leave of the limit too little for it. */
Test(budget, others_of_the_group_take_their_part)
{
    struct sl_budget budget = {.total_bytes = 39 * SL_MIB, .process_bytes = 4 * SL_MIB};
    sl_budget_rest(&budget);
    cr_expect_eq(budget.shard_bytes, 35 * SL_MIB);
    budget.others_bytes = SL_MIB / 2;
    budget.limit_bytes = 40 * SL_MIB;
    sl_budget_rest(&budget);
    cr_expect_eq(budget.shard_bytes, 35 * SL_MIB);
    budget.others_bytes = 24 * SL_MIB;
    sl_budget_rest(&budget);
    cr_expect_eq(sl_budget_usable(&budget), 16 * SL_MIB);
    cr_expect_eq(budget.shard_bytes, 12 * SL_MIB);
    cr_expect_eq(sl_budget_arena(&budget, 14 * SL_MIB, 3 * SL_MIB), SL_MIB);
    budget.limit_bytes = 20 * SL_MIB;
    sl_budget_rest(&budget);
    cr_expect_eq(budget.shard_bytes, 0);
}

/* As one that is divided so from the start, where page tables go with what they were for. */
Test(budget, a_lower_total_needs_less_for_page_tables)
{
    struct sl_budget lowered = {.activation_bytes = 5 * SL_MIB},
                     mapped = {.activation_bytes = 5 * SL_MIB},
                     small = {.activation_bytes = 5 * SL_MIB};
    left_of(300 * SL_MIB, &lowered);
    left_of(300 * SL_MIB, &mapped);
    left_of(20 * SL_MIB, &small);
    sl_budget_lower(&lowered, 20 * SL_MIB, true);
    sl_budget_lower(&mapped, 20 * SL_MIB, false);
    cr_expect_eq(lowered.shard_bytes, small.shard_bytes);
    cr_expect_eq(mapped.shard_bytes + 280 * SL_MIB / 512, small.shard_bytes);
}

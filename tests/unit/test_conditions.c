#include "runtime/report/conditions.h"

#include <criterion/criterion.h>

#include "runtime/report/record.h"

Test(conditions, shares_of_what_changed)
{
    const struct sl_conditions before = {.wall_ns = 1e9,
                                         .busy_ns = 5e9,
                                         .own_ns = 2e9,
                                         .steal_ns = 1e9,
                                         .pressure_ns = -1,
                                         .throttled_ns = 0,
                                         .storage_read_bytes = 100,
                                         .load = 1,
                                         .clock = -1,
                                         .cpus = 2};
    struct sl_conditions after = before;
    after.wall_ns += 1e9;
    after.busy_ns += 1.5e9;
    after.own_ns += 1e9;
    after.steal_ns += 0.2e9;
    after.throttled_ns += 0.5e9;
    after.storage_read_bytes += 4096;
    json_t *json = sl_conditions_between(&before, &after);
    cr_expect_float_eq(sl_record_number(json, "others_cpu_share", -1), 0.25, 1e-9);
    cr_expect_float_eq(sl_record_number(json, "steal_share", -1), 0.1, 1e-9);
    cr_expect_float_eq(sl_record_number(json, "quota_share", -1), 0.5, 1e-9);
    cr_expect_float_eq(sl_record_number(json, "storage_read_bytes", -1), 4096, 1e-9);
    cr_expect(!json_object_get(json, "cpu_pressure_share"));
    cr_expect(!json_object_get(json, "clock_share"));
    json_decref(json);
}

Test(conditions, reads_this_machine)
{
    struct sl_conditions before, after;
    sl_conditions_read(&before);
    volatile double work = 1;
    for (int i = 0; i < 20000000; i++)
        work *= 1.0000001;
    sl_conditions_read(&after);
    cr_expect(after.wall_ns > before.wall_ns);
    cr_expect(after.own_ns > before.own_ns);
    cr_expect(after.busy_ns >= before.busy_ns && before.busy_ns > 0);
    cr_expect(after.cpus > 0);
}

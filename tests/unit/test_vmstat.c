/* Counters of paging from the kernel's texts. */
#include <criterion/criterion.h>

#include "cgroups/swap_counter.h"
#include "cgroups/version.h"
#include "cgroups/vmstat.h"

Test(vmstat, text)
{
    struct sl_vmstat vmstat;
    sl_vmstat_parse("nr_free 1\npswpin 2\npswpout 3\npgscan_direct 100\npgscan_anon 5\n"
                    "pgscan_file 6\npgsteal_anon 7\npgsteal_file 1\nthp 4\n",
                    4096, &vmstat);
    cr_expect_eq(vmstat.swap_in_bytes, 8192);
    cr_expect_eq(vmstat.swap_out_bytes, 12288);
    cr_expect_eq(vmstat.scanned_pages, 11);
    cr_expect_eq(vmstat.reclaimed_pages, 8);
    sl_vmstat_parse("", 4096, &vmstat);
    cr_expect_eq(vmstat.swap_in_bytes, 0);
    cr_expect_eq(vmstat.reclaimed_pages, 0);
    sl_vmstat_read(-1, &vmstat);
    cr_expect_eq(vmstat.swap_out_bytes, 0);
}

Test(vmstat, pressure_text)
{
    const char *text = "some avg10=4.52 avg60=4.39 avg300=3.77 total=29307562\n"
                       "full avg10=4.38 avg60=4.13 avg300=3.52 total=17\n";
    cr_expect_eq(sl_control_pressure(text, "some"), UINT64_C(29307562000));
    cr_expect_eq(sl_control_pressure(text, "full"), 17000);
    cr_expect_eq(sl_control_pressure("some avg10=4.52\nfull total=5\n", "some"), SL_NO_LIMIT);
    cr_expect_eq(sl_control_pressure("", "full"), SL_NO_LIMIT);
    cr_expect_eq(sl_control_pressure(NULL, "some"), SL_NO_LIMIT);
}

Test(vmstat, the_swap_counter_never_falls)
{
    struct sl_swap_counter counter;
    sl_swap_counter_open(&counter);
    uint64_t before = sl_swap_counter_read(&counter);
    cr_expect_geq(sl_swap_counter_read(&counter), before);
    sl_swap_counter_close(&counter);
    cr_expect_eq(counter.fd, -1);
    counter.own_group = true;
    cr_expect_eq(sl_swap_counter_read(&counter), 0, "nothing is told by a closed one");
}

#include "runtime/cli/bench_report.h"

#include <errno.h>
#include <jansson.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/units.h"
#include "runtime/report/record.h"

#define DEPTHS 4
/* Threads that gain less than this share of what they could are not what they seem. */
#define LEAST_GAIN 0.3

static struct sl_check check_reads(const struct sl_bench *bench)
{
    struct sl_check check = {.name = "reads"};
    char rate[SL_UNIT_TEXT_BYTES], block[SL_UNIT_TEXT_BYTES], latency[SL_UNIT_TEXT_BYTES];
    const struct sl_bench_rate *best = &bench->rates[0];
    for (int i = 1; i < SL_BENCH_RATES; i++)
        if (bench->rates[i].bytes_per_s > best->bytes_per_s)
            best = &bench->rates[i];
    snprintf(check.detail, sizeof(check.detail), "%s/s with %s x %d, %s for 4 KiB, loader %s%s",
             sl_format_size(best->bytes_per_s, rate), sl_format_size(best->block_bytes, block),
             best->depth, sl_format_duration(bench->read_latency_ns, latency), bench->loader,
             bench->direct ? "" : ", through the page cache");
    if (!bench->direct) {
        check.status = SL_CHECK_WARNING;
        snprintf(check.cure, sizeof(check.cure),
                 "these may be rates of memory; measure on ext4, xfs or btrfs");
    }
    return check;
}

static struct sl_check check_writes(const struct sl_bench *bench)
{
    struct sl_check check = {.name = "writes"};
    char rate[SL_UNIT_TEXT_BYTES], size[SL_UNIT_TEXT_BYTES];
    snprintf(check.detail, sizeof(check.detail), "%s/s in order, over %s",
             sl_format_size(bench->write_bytes_per_s, rate),
             sl_format_size(bench->file_bytes, size));
    return check;
}

/* Warns when all threads together do hardly more than one. */
static void judge_gain(const struct sl_bench *bench, const double rates[2], struct sl_check *check)
{
    if (bench->threads == 1 || rates[1] >= rates[0] * (1 + LEAST_GAIN * (bench->threads - 1)))
        return;
    check->status = SL_CHECK_WARNING;
    snprintf(check->cure, sizeof(check->cure),
             "%d threads should do more: is the machine busy, or this shell's CPU share limited? "
             "(sluice run --threads 1 may be as fast)",
             bench->threads);
}

static struct sl_check check_compute(const struct sl_bench *bench)
{
    struct sl_check check = {.name = "compute"};
    snprintf(check.detail, sizeof(check.detail),
             "matrix product %.0f GFLOP/s on 1 thread, %.0f on %d", bench->flops_per_s[0] * 1e-9,
             bench->flops_per_s[1] * 1e-9, bench->threads);
    judge_gain(bench, bench->flops_per_s, &check);
    return check;
}

/* No judgement: one thread may use up what the memory gives. */
static struct sl_check check_weights(const struct sl_bench *bench)
{
    struct sl_check check = {.name = "weights"};
    char one[SL_UNIT_TEXT_BYTES], all[SL_UNIT_TEXT_BYTES];
    snprintf(check.detail, sizeof(check.detail),
             "of fully connected layers from memory: %s/s on 1 thread, %s/s on %d",
             sl_format_size((uint64_t)bench->bytes_per_s[0], one),
             sl_format_size((uint64_t)bench->bytes_per_s[1], all), bench->threads);
    return check;
}

void bench_checks(const struct sl_bench *bench, struct sl_check checks[BENCH_CHECKS])
{
    checks[0] = check_reads(bench);
    checks[1] = check_writes(bench);
    checks[2] = check_compute(bench);
    checks[3] = check_weights(bench);
}

static int print_line(json_t *line, FILE *stream)
{
    int code = line ? sl_record_write(line, stream) : -ENOMEM;
    json_decref(line);
    return code;
}

static int print_json(const struct sl_bench *bench, FILE *stream)
{
    int code = 0;
    for (int i = 0; code == 0 && i < SL_BENCH_RATES; i++) {
        const struct sl_bench_rate *rate = &bench->rates[i];
        code = print_line(json_pack("{s:s, s:I, s:i, s:I, s:I}", "measured", "read", "block_bytes",
                                    (json_int_t)rate->block_bytes, "depth", rate->depth,
                                    "bytes_per_s", (json_int_t)rate->bytes_per_s, "latency_ns",
                                    (json_int_t)rate->latency_ns),
                          stream);
    }
    if (code == 0)
        code = print_line(json_pack("{s:s, s:I}", "measured", "write", "bytes_per_s",
                                    (json_int_t)bench->write_bytes_per_s),
                          stream);
    for (int i = 0; code == 0 && i < 2; i++)
        code = print_line(json_pack("{s:s, s:i, s:f, s:f}", "measured", "compute", "threads",
                                    i ? bench->threads : 1, "flops_per_s", bench->flops_per_s[i],
                                    "bytes_per_s", bench->bytes_per_s[i]),
                          stream);
    return code;
}

int bench_print(const struct sl_bench *bench, enum sl_format format, FILE *stream)
{
    static const struct sl_column columns[] = {
        {"block", true}, {"depth 1", true}, {"4", true}, {"16", true}, {"32", true}};
    char text[SL_UNIT_TEXT_BYTES];
    if (format == SL_FORMAT_JSON)
        return print_json(bench, stream);
    SL_AUTO(sl_table_free) struct sl_table table;
    sl_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    for (int i = 0; i < SL_BENCH_RATES; i++) {
        const struct sl_bench_rate *rate = &bench->rates[i];
        if (i % DEPTHS == 0)
            sl_table_add(&table, "%s", sl_format_size(rate->block_bytes, text));
        if (rate->bytes_per_s) {
            char latency[SL_UNIT_TEXT_BYTES];
            sl_table_add(&table, "%s/s %8s", sl_format_size(rate->bytes_per_s, text),
                         sl_format_duration(rate->latency_ns, latency));
        } else {
            sl_table_add(&table, "-");
        }
    }
    return sl_table_write(&table, format, stream);
}

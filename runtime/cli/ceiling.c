#include "runtime/cli/ceiling.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <time.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/file.h"
#include "runtime/base/output_file.h"
#include "runtime/base/text.h"
#include "runtime/report/record.h"

#define CACHE_MOST_BYTES 16384
#define KEPT_SECONDS     (INT64_C(30) * 24 * 3600)
/* Less is read in a time that is mostly latency. */
#define TELLING_BYTES (4.0 * (1 << 20))

/* A line: "<host> <major>:<minor> <time> <read rate> <threads> <flops> <flops> <bytes> <bytes>". */
struct line {
    char host[65];
    unsigned major_number, minor_number;
    int64_t measured_s;
    struct ceiling ceiling;
};

/* False when path cannot be seen. */
static bool line_here(const char *path, struct line *line)
{
    struct stat status;
    struct utsname machine;
    if (stat(path, &status) || uname(&machine))
        return false;
    *line = (struct line){.major_number = major(status.st_dev),
                          .minor_number = minor(status.st_dev),
                          .measured_s = time(NULL)};
    snprintf(line->host, sizeof(line->host), "%.*s", (int)strcspn(machine.nodename, " \n"),
             machine.nodename);
    return true;
}

/* Reads the next line that is one; the text behind it, NULL at the end. */
static const char *next_line(const char *text, struct line *line)
{
    struct ceiling *c = &line->ceiling;
    while (*text) {
        const char *start = text;
        text += strcspn(text, "\n");
        text += *text == '\n';
        if (sscanf(start, "%64s %u:%u %" SCNd64 " %" SCNu64 " %d %lf %lf %lf %lf", line->host,
                   &line->major_number, &line->minor_number, &line->measured_s,
                   &c->read_bytes_per_s, &c->threads, &c->flops_per_s[0], &c->flops_per_s[1],
                   &c->bytes_per_s[0], &c->bytes_per_s[1]) == 10)
            return text;
    }
    return NULL;
}

static bool same_place(const struct line *a, const struct line *b)
{
    return a->major_number == b->major_number && a->minor_number == b->minor_number &&
           !strcmp(a->host, b->host);
}

static void add_line(struct sl_text *text, const struct line *line)
{
    const struct ceiling *c = &line->ceiling;
    sl_text_add(text, "%s %u:%u %" PRId64 " %" PRIu64 " %d %.0f %.0f %.0f %.0f\n", line->host,
                line->major_number, line->minor_number, line->measured_s, c->read_bytes_per_s,
                c->threads, c->flops_per_s[0], c->flops_per_s[1], c->bytes_per_s[0],
                c->bytes_per_s[1]);
}

int ceiling_keep(const char *cache, const char *path, const struct sl_bench *bench,
                 struct sl_error *error)
{
    char text[CACHE_MOST_BYTES] = "";
    SL_AUTO(sl_text_free) struct sl_text out = {0};
    struct line here, line;
    if (!line_here(path, &here))
        return sl_error_errno(error, "%s", path);
    sl_file_read_text(cache, text, sizeof(text));
    for (const char *rest = text; (rest = next_line(rest, &line));)
        if (!same_place(&line, &here) && here.measured_s - line.measured_s < KEPT_SECONDS)
            add_line(&out, &line);
    here.ceiling = (struct ceiling){
        .read_bytes_per_s = bench->read_bytes_per_s,
        .threads = bench->threads,
        .flops_per_s = {bench->flops_per_s[0], bench->flops_per_s[1]},
        .bytes_per_s = {bench->bytes_per_s[0], bench->bytes_per_s[1]},
    };
    add_line(&out, &here);
    if (out.failed)
        return sl_error_set(error, -ENOMEM, "out of memory");
    if (sl_output_file_save(cache, out.bytes, out.length, error) < 0)
        return sl_error_wrap(error, "cannot keep what was measured");
    return 0;
}

void ceiling_find(const char *cache, const char *path, struct ceiling *ceiling)
{
    char text[CACHE_MOST_BYTES] = "";
    struct line here, line;
    *ceiling = (struct ceiling){0};
    if (!cache || !line_here(path, &here) || sl_file_read_text(cache, text, sizeof(text)) <= 0)
        return;
    for (const char *rest = text; (rest = next_line(rest, &line));)
        if (same_place(&line, &here) && here.measured_s - line.measured_s < KEPT_SECONDS)
            *ceiling = line.ceiling;
}

double ceiling_flops(const struct ceiling *ceiling, int threads, double cpus)
{
    const double one = ceiling->flops_per_s[0], all = ceiling->flops_per_s[1];
    double flops = one;
    if (threads >= ceiling->threads)
        flops = all;
    else if (threads > 1) /* between the two measurements */
        flops = one + (all - one) * (threads - 1) / (ceiling->threads - 1);
    return cpus > 0 && one * cpus < flops ? one * cpus : flops;
}

/* Bytes that all networks of a cell read for one input, divided by the time in which some read was
 * under way; 0 when that tells nothing. */
static double read_rate(const json_t *records, size_t first, size_t networks)
{
    double bytes = 0;
    for (size_t i = first; i < first + networks; i++) {
        const json_t *record = json_array_get(records, i);
        if (!json_is_true(json_object_get(record, "direct")))
            return 0;
        bytes += sl_record_number(record, "batch_read_bytes", 0);
    }
    double ns = sl_record_number(json_array_get(records, first), "batch_load_ns", 0);
    return bytes >= TELLING_BYTES && ns > 0 ? bytes * 1e9 / ns : 0;
}

void ceiling_add_shares(json_t *records, int networks, const struct ceiling *ceiling,
                        const struct sl_limits *limits)
{
    double most = (double)ceiling->read_bytes_per_s;
    if (limits->read_bytes_per_s != SL_NO_LIMIT && (double)limits->read_bytes_per_s < most)
        most = (double)limits->read_bytes_per_s;
    for (size_t i = 0; i < json_array_size(records); i++) {
        json_t *record = json_array_get(records, i);
        double rate = 0, flops = 0, run_ns = sl_record_number(record, "run_ns", 0);
        if (ceiling->read_bytes_per_s) {
            rate = read_rate(records, i - i % (size_t)networks, (size_t)networks) / most;
            double can =
                ceiling_flops(ceiling, (int)sl_record_number(record, "threads", 1), limits->cpus);
            flops = sl_record_number(record, "batch_flops", 0);
            flops = run_ns > 0 && can > 0 ? flops * 1e9 / run_ns / can : 0;
        }
        json_object_set_new(record, "read_ceiling_share", rate > 0 ? json_real(rate) : json_null());
        json_object_set_new(record, "compute_ceiling_share",
                            flops > 0 ? json_real(flops) : json_null());
    }
}

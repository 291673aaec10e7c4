#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/output_file.h"
#include "runtime/base/suggest.h"
#include "runtime/cli/command.h"
#include "runtime/cli/result_files.h"
#include "runtime/report/figures.h"
#include "runtime/report/gnuplot.h"
#include "runtime/report/html_report.h"
#include "runtime/report/paper_tables.h"

static const struct cli_option options[] = {
    {"output", 'o', "FILE|DIR",
     "where to: a file, a directory for svg and png; csv, md and latex go to stdout without it",
     "@files", false},
    {"format", 'f', "html|svg|png|csv|md|latex",
     "what to write (default: by the ending of --output, else html)", "html svg png csv md latex",
     false},
    {0},
};

enum report_format { HTML, SVG, PNG, CSV, MARKDOWN, LATEX, FORMATS };

static const char *const names[] = {"html", "svg", "png", "csv", "md", "latex", NULL};
/* Of a file of that format; svg and png go into a directory. */
static const char *const endings[FORMATS] = {".html", "", "", ".csv", ".md", ".tex"};

static int read_format(const struct cli_arguments *arguments, enum report_format *format,
                       struct sl_error *error)
{
    const char *name = cli_text(arguments, "format"), *output = cli_text(arguments, "output");
    const char *dot = output ? strrchr(output, '.') : NULL;
    int chosen = name ? sl_choose(name, names, error) : HTML;
    if (chosen < 0)
        return cli_wrap(arguments, "format", error);
    for (int f = 0; !name && dot && f < FORMATS; f++)
        if (!strcmp(dot, endings[f]))
            chosen = f;
    *format = (enum report_format)chosen;
    return 0;
}

static int write_file(const char *path, const struct sl_text *text, struct sl_error *error)
{
    return sl_output_file_save(path, text->bytes, text->length, error);
}

struct pictures {
    struct sl_figures figures;
    struct sl_text *drawn; /* one for each figure */
};

static void pictures_free(struct pictures *pictures)
{
    for (size_t i = 0; pictures->drawn && i < pictures->figures.count; i++)
        sl_text_free(&pictures->drawn[i]);
    free(pictures->drawn);
    sl_figures_free(&pictures->figures);
}

static int draw(struct pictures *pictures, const struct sl_result_cells *cells,
                enum sl_picture picture, struct sl_error *error)
{
    int code = sl_figures_make(cells, &pictures->figures, error);
    size_t count = pictures->figures.count;
    if (code < 0 || count == 0)
        return code;
    pictures->drawn = calloc(count, sizeof(*pictures->drawn));
    SL_AUTO_FREE struct sl_text *scripts = calloc(count, sizeof(*scripts));
    if (!pictures->drawn || !scripts)
        return sl_error_set(error, -ENOMEM, "out of memory");
    for (size_t i = 0; i < count; i++)
        scripts[i] = pictures->figures.figures[i].script;
    return sl_gnuplot_draw(scripts, count, picture, pictures->drawn, error);
}

static int write_pictures(const struct result_files *files, enum report_format format,
                          const char *directory, struct sl_error *error)
{
    SL_AUTO(pictures_free) struct pictures pictures = {0};
    int code =
        draw(&pictures, &files->cells, format == PNG ? SL_PICTURE_PNG : SL_PICTURE_SVG, error);
    if (code == 0 && mkdir(directory, 0777) < 0 && errno != EEXIST)
        return sl_error_errno(error, "cannot make the directory %s", directory);
    for (size_t i = 0; code == 0 && i < pictures.figures.count; i++) {
        SL_AUTO_FREE char *path = NULL;
        if (asprintf(&path, "%s/%s.%s", directory, pictures.figures.figures[i].name,
                     names[format]) < 0)
            return sl_error_set(error, -ENOMEM, "out of memory");
        code = write_file(path, &pictures.drawn[i], error);
    }
    return code;
}

static int write_html(const struct result_files *files, const char *path, struct sl_error *error)
{
    SL_AUTO(pictures_free) struct pictures pictures = {0};
    SL_AUTO(sl_noise_free) struct sl_noise noise = {0};
    SL_AUTO(sl_text_free) struct sl_text html = {0};
    int code = draw(&pictures, &files->cells, SL_PICTURE_SVG, error);
    if (code < 0)
        return code;
    sl_noise_find(&files->cells, &noise);
    if (sl_html_report(&html, &files->cells, files->records, &pictures.figures, pictures.drawn,
                       &noise) < 0)
        return sl_error_set(error, -ENOMEM, "out of memory");
    return write_file(path, &html, error);
}

static int write_tables(const struct result_files *files, enum report_format format,
                        const char *path, struct sl_error *error)
{
    static const enum sl_paper_format papers[FORMATS] = {
        [CSV] = SL_PAPER_CSV, [MARKDOWN] = SL_PAPER_MARKDOWN, [LATEX] = SL_PAPER_LATEX};
    SL_AUTO(sl_text_free) struct sl_text text = {0};
    if (sl_paper_tables(&text, &files->cells, papers[format]) < 0)
        return sl_error_set(error, -ENOMEM, "out of memory");
    if (path)
        return write_file(path, &text, error);
    /* main looks at what became of stdout. */
    fwrite(text.bytes, 1, text.length, stdout);
    return 0;
}

static int run(const struct cli_arguments *arguments)
{
    struct sl_error error = {0};
    enum report_format format = HTML;
    const char *output = cli_text(arguments, "output");
    if (read_format(arguments, &format, &error) < 0)
        return cli_usage(arguments->command, &error);
    bool tables = format == CSV || format == MARKDOWN || format == LATEX;
    if (!output && !tables) {
        sl_error_set(&error, -EINVAL, "--format %s needs --output %s", names[format],
                     format == HTML ? "FILE, e.g. -o report.html" : "DIR");
        return cli_usage(arguments->command, &error);
    }
    if (cli_check_written(arguments, "output", &error) < 0)
        return cli_usage(arguments->command, &error);
    SL_AUTO(result_files_free) struct result_files files = {0};
    int code = result_files_read(arguments->operands, arguments->operand_count, &files, &error);
    if (code == 0 && format == HTML)
        code = write_html(&files, output, &error);
    else if (code == 0)
        code = tables ? write_tables(&files, format, output, &error)
                      : write_pictures(&files, format, output, &error);
    if (code < 0)
        return cli_fail(code == -ENOSYS ? CLI_UNFIT : CLI_FAILED, &error);
    if (format != HTML && !cli_flag(arguments, "quiet"))
        result_files_print_noise(&files);
    return CLI_OK;
}

const struct cli_command command_report = {
    .name = "report",
    .summary = "figures and tables of results, as one HTML file or for papers",
    .operands = "RESULTS...",
    .least_operands = 1,
    .most_operands = 64,
    .operand_choices = "@files",
    .description =
        "Reads records (`sluice run -o json`, `sluice sweep`) and writes one HTML file that needs "
        "no network and no script: time and swap against the limit for each policy, the bound and "
        "the gap to it, time against memory with the Pareto front, memory over time with the "
        "limit, load, run and stall of each layer, signs of noise, the environment, and every "
        "number.\n\n"
        "For papers, --format svg and png write the figures into a directory, md and latex the "
        "tables of limits and policies, csv one row for each cell. Figures are drawn by gnuplot "
        "(apt-get install gnuplot-nox); tables do without it. Lines that are cut off, or of "
        "another "
        "version, are named and left out.",
    .examples = "sluice report results.jsonl -o report.html\topen it in a browser\n"
                "sluice report monday.jsonl tuesday.jsonl -f png -o figures\tfor slides\n"
                "sluice report results.jsonl -f latex > results.tex\tfor a paper\n",
    .options = options,
    .run = run,
};

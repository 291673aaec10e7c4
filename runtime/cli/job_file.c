#include "runtime/cli/job_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/suggest.h"
#include "runtime/base/text.h"
#include "runtime/cli/cell_options.h"
#include "runtime/cli/yaml_reader.h"

struct reading {
    struct yaml_file file;
    const struct cli_command *command;
    struct job_file *job;
    struct sl_error *error;
};

bool job_file_is(const char *operand)
{
    const char *dot = strrchr(operand, '.');
    return dot && (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml"));
}

void job_file_free(struct job_file *job)
{
    for (int i = -1; i < job->job_count; i++) {
        struct job_section *section = i < 0 ? &job->top : &job->jobs[i];
        free(section->given);
        free(section->networks);
    }
    free(job->jobs);
    for (int i = 0; i < job->word_count; i++)
        free(job->words[i]);
    free(job->words);
    *job = (struct job_file){0};
}

static int out_of_memory(const struct reading *reading)
{
    return sl_error_set(reading->error, -ENOMEM, "out of memory");
}

/* A copy that lives as long as the job; NULL when memory ran out. */
static const char *keep(struct job_file *job, const char *text)
{
    char **words = realloc(job->words, ((size_t)job->word_count + 1) * sizeof(*words));
    if (!words)
        return NULL;
    job->words = words;
    char *copy = strdup(text);
    if (copy)
        job->words[job->word_count++] = copy;
    return copy;
}

/* What one cell takes, so that jobs may differ in it; other options are of the whole sweep. */
static const struct cell_option *find_cell_option(const char *name)
{
    for (const struct cell_option *option = cell_options; option->name; option++)
        if (!strcmp(option->name, name))
            return option;
    return NULL;
}

bool job_key_is_of_a_job(const struct cli_option *option)
{
    return find_cell_option(option->name) || !strcmp(option->name, "requests") ||
           !strcmp(option->name, "warmup-requests");
}

bool job_key_takes_list(const struct cli_option *option)
{
    const struct cell_option *cell = find_cell_option(option->name);
    return option->repeated || !strcmp(option->name, "hints") ||
           (cell && cell->kind != CELL_SINGLE && cell->kind != CELL_FLAG);
}

static int unknown_key(const struct reading *reading, const yaml_node_t *key, bool top)
{
    struct sl_suggestion suggestion = {.wanted = yaml_scalar(key)};
    for (const struct cli_option *option = reading->command->options; option->name; option++)
        if (top || job_key_is_of_a_job(option))
            sl_suggest(&suggestion, option->name);
    sl_suggest(&suggestion, "networks");
    if (top)
        sl_suggest(&suggestion, "jobs");
    if (suggestion.best)
        return yaml_fault(&reading->file, key, reading->error,
                          "unknown key '%s'; did you mean '%s'?", yaml_scalar(key),
                          suggestion.best);
    return yaml_fault(&reading->file, key, reading->error,
                      "unknown key '%s'; keys are the options of `sluice %s`, networks%s",
                      yaml_scalar(key), reading->command->name, top ? " and jobs" : "");
}

/* "file:line:column", NULL when memory ran out. */
static const char *keep_origin(struct reading *reading, const yaml_node_t *node)
{
    char origin[CLI_ORIGIN_BYTES];
    snprintf(origin, sizeof(origin), "%.400s:%zu:%zu", reading->file.name,
             node->start_mark.line + 1, node->start_mark.column + 1);
    return keep(reading->job, origin);
}

static int add_given(struct reading *reading, struct job_section *section,
                     const struct cli_option *option, const char *value, const yaml_node_t *node)
{
    struct cli_given *given =
        realloc(section->given, ((size_t)section->given_count + 1) * sizeof(*given));
    if (!given)
        return out_of_memory(reading);
    section->given = given;
    given[section->given_count] =
        (struct cli_given){option, keep(reading->job, value), keep_origin(reading, node)};
    if (!given[section->given_count].value || !given[section->given_count].origin)
        return out_of_memory(reading);
    section->given_count++;
    return 0;
}

/* A list of values as the command line writes it, or one after another. */
static int read_list(struct reading *reading, struct job_section *section,
                     const struct cli_option *option, const yaml_node_t *list)
{
    SL_AUTO(sl_text_free) struct sl_text text = {0};
    const yaml_node_item_t *item = list->data.sequence.items.start;
    int code = 0;
    if (item == list->data.sequence.items.top)
        return yaml_fault(&reading->file, list, reading->error, "%s: an empty list", option->name);
    for (; code == 0 && item < list->data.sequence.items.top; item++) {
        const yaml_node_t *node = yaml_node(&reading->file, *item);
        if (!yaml_scalar(node) || !*yaml_scalar(node))
            return yaml_fault(&reading->file, node, reading->error,
                              "%s: a value is wanted in the list, not %s", option->name,
                              yaml_scalar(node) ? "nothing" : yaml_type_name(node));
        if (option->repeated)
            code = add_given(reading, section, option, yaml_scalar(node), node);
        else
            sl_text_add(&text, "%s%s", text.length ? "," : "", yaml_scalar(node));
    }
    if (code < 0 || option->repeated)
        return code;
    return text.failed || !text.bytes ? out_of_memory(reading)
                                      : add_given(reading, section, option, text.bytes, list);
}

static int read_option(struct reading *reading, struct job_section *section,
                       const struct cli_option *option, const yaml_node_t *node)
{
    bool list = job_key_takes_list(option);
    if (node->type == YAML_SEQUENCE_NODE && list)
        return read_list(reading, section, option, node);
    if (!yaml_scalar(node))
        return yaml_fault(&reading->file, node, reading->error, "%s: %s is wanted, not %s",
                          option->name, list ? "a value or a list" : "one value",
                          yaml_type_name(node));
    if (!option->value && strcmp(yaml_scalar(node), "true") && strcmp(yaml_scalar(node), "false"))
        return yaml_fault(&reading->file, node, reading->error,
                          "%s: true or false is wanted, not '%s'", option->name, yaml_scalar(node));
    if (!*yaml_scalar(node))
        return yaml_fault(&reading->file, node, reading->error, "%s has no value", option->name);
    return add_given(reading, section, option, yaml_scalar(node), node);
}

/* An entry of networks: PACK, A+B, or {topology: NAME}. */
static int read_network(struct reading *reading, struct job_section *section,
                        const yaml_node_t *node)
{
    char text[1024];
    const char *word = yaml_scalar(node);
    if (node->type == YAML_MAPPING_NODE) {
        const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
        const yaml_node_t *key =
            pair < node->data.mapping.pairs.top ? yaml_node(&reading->file, pair->key) : NULL;
        const char *name = key ? yaml_scalar(yaml_node(&reading->file, pair->value)) : NULL;
        if (!name || pair + 1 != node->data.mapping.pairs.top ||
            strcmp(yaml_scalar(key), "topology"))
            return yaml_fault(&reading->file, node, reading->error,
                              "networks: an entry is a pack, packs joined by +, or "
                              "'topology: NAME'");
        snprintf(text, sizeof(text), "topology:%s", name);
        word = text;
    }
    if (!word || !*word)
        return yaml_fault(&reading->file, node, reading->error,
                          "networks: a pack is wanted, not %s",
                          word ? "nothing" : yaml_type_name(node));
    struct job_network *networks =
        realloc(section->networks, ((size_t)section->network_count + 1) * sizeof(*networks));
    if (!networks)
        return out_of_memory(reading);
    section->networks = networks;
    networks += section->network_count++;
    *networks = (struct job_network){keep(reading->job, word), keep_origin(reading, node)};
    return networks->text && networks->origin ? 0 : out_of_memory(reading);
}

static int read_networks(struct reading *reading, struct job_section *section,
                         const yaml_node_t *node)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return read_network(reading, section, node);
    int code = 0;
    for (const yaml_node_item_t *item = node->data.sequence.items.start;
         code == 0 && item < node->data.sequence.items.top; item++)
        code = read_network(reading, section, yaml_node(&reading->file, *item));
    return code;
}

static int read_jobs(struct reading *reading, const yaml_node_t *node);

static int read_key(struct reading *reading, struct job_section *section, const yaml_node_t *key,
                    const yaml_node_t *value)
{
    bool top = section == &reading->job->top;
    if (!strcmp(yaml_scalar(key), "networks"))
        return read_networks(reading, section, value);
    if (top && !strcmp(yaml_scalar(key), "jobs"))
        return read_jobs(reading, value);
    const struct cli_option *option =
        cli_option_find(reading->command->options, yaml_scalar(key), strlen(yaml_scalar(key)));
    if (!option)
        return unknown_key(reading, key, top);
    if (!top && !job_key_is_of_a_job(option))
        return yaml_fault(&reading->file, key, reading->error,
                          "%s is of the whole sweep; write it at the top level", option->name);
    return read_option(reading, section, option, value);
}

static int read_section(struct reading *reading, struct job_section *section,
                        const yaml_node_t *node)
{
    if (node->type != YAML_MAPPING_NODE)
        return yaml_fault(&reading->file, node, reading->error,
                          "keys with values are wanted, not %s", yaml_type_name(node));
    int code = 0;
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         code == 0 && pair < node->data.mapping.pairs.top; pair++)
        code = read_key(reading, section, yaml_node(&reading->file, pair->key),
                        yaml_node(&reading->file, pair->value));
    return code;
}

static int read_jobs(struct reading *reading, const yaml_node_t *node)
{
    struct job_file *job = reading->job;
    if (node->type != YAML_MAPPING_NODE)
        return yaml_fault(&reading->file, node, reading->error,
                          "jobs: named sections are wanted, not %s", yaml_type_name(node));
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    job->jobs = calloc((size_t)(node->data.mapping.pairs.top - pair) + 1, sizeof(*job->jobs));
    if (!job->jobs)
        return out_of_memory(reading);
    int code = 0;
    for (; code == 0 && pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_node(&reading->file, pair->key);
        struct job_section *section = &job->jobs[job->job_count++];
        section->name = keep(job, yaml_scalar(key));
        code = section->name
                   ? read_section(reading, section, yaml_node(&reading->file, pair->value))
                   : out_of_memory(reading);
    }
    return code;
}

/* What a job does not say itself it takes from the top level. */
static int inherit(const struct reading *reading, struct job_section *section)
{
    const struct job_section *top = &reading->job->top;
    const int own = section->given_count;
    size_t most = (size_t)own + (size_t)top->given_count + 1;
    struct cli_given *given = realloc(section->given, most * sizeof(*given));
    if (!given)
        return out_of_memory(reading);
    section->given = given;
    for (int i = 0; i < top->given_count; i++) {
        bool said = false;
        for (int k = 0; k < own; k++)
            said |= given[k].option == top->given[i].option;
        if (!said)
            given[section->given_count++] = top->given[i];
    }
    if (section->networks || top->network_count == 0)
        return 0;
    section->networks = calloc((size_t)top->network_count, sizeof(*section->networks));
    if (!section->networks)
        return out_of_memory(reading);
    memcpy(section->networks, top->networks,
           (size_t)top->network_count * sizeof(*section->networks));
    section->network_count = top->network_count;
    return 0;
}

int job_file_read(const char *path, const struct cli_command *command, struct job_file *job,
                  struct sl_error *error)
{
    struct reading reading = {.command = command, .job = job, .error = error};
    int code = yaml_read_file(path, &reading.file, error);
    if (code == 0)
        code = read_section(&reading, &job->top, reading.file.root);
    for (int i = 0; code == 0 && i < job->job_count; i++)
        code = inherit(&reading, &job->jobs[i]);
    yaml_free(&reading.file);
    return code;
}

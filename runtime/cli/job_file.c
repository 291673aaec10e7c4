#include "runtime/cli/job_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/suggest.h"
#include "runtime/base/text.h"
#include "runtime/cli/cell_options.h"
#include "runtime/cli/yaml_library.h"

struct reading {
    const char *path;
    const struct cli_command *command;
    struct yaml_library library;
    yaml_document_t document;
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

static int fault(const struct reading *reading, const yaml_node_t *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* file:line:column: what is wrong with a node. */
static int fault(const struct reading *reading, const yaml_node_t *node, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return sl_error_set(reading->error, -EINVAL, "%s:%zu:%zu: %s", reading->path,
                        node->start_mark.line + 1, node->start_mark.column + 1, text);
}

static yaml_node_t *node_at(struct reading *reading, int index)
{
    return reading->library.node(&reading->document, index);
}

static const char *scalar(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

static const char *type_name(const yaml_node_t *node)
{
    return node->type == YAML_SEQUENCE_NODE  ? "a list"
           : node->type == YAML_MAPPING_NODE ? "a section with keys"
                                             : "a value";
}

static const struct cli_option *find_option(const struct cli_command *command, const char *name)
{
    for (const struct cli_option *option = command->options; option->name; option++)
        if (!strcmp(option->name, name))
            return option;
    return NULL;
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
    struct sl_suggestion suggestion = {.wanted = scalar(key)};
    for (const struct cli_option *option = reading->command->options; option->name; option++)
        if (top || job_key_is_of_a_job(option))
            sl_suggest(&suggestion, option->name);
    sl_suggest(&suggestion, "networks");
    if (top)
        sl_suggest(&suggestion, "jobs");
    if (suggestion.best)
        return fault(reading, key, "unknown key '%s'; did you mean '%s'?", scalar(key),
                     suggestion.best);
    return fault(reading, key, "unknown key '%s'; keys are the options of `sluice %s`, networks%s",
                 scalar(key), reading->command->name, top ? " and jobs" : "");
}

/* "file:line:column", NULL when memory ran out. */
static const char *keep_origin(struct reading *reading, const yaml_node_t *node)
{
    char origin[CLI_ORIGIN_BYTES];
    snprintf(origin, sizeof(origin), "%.400s:%zu:%zu", reading->path, node->start_mark.line + 1,
             node->start_mark.column + 1);
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
        return fault(reading, list, "%s: an empty list", option->name);
    for (; code == 0 && item < list->data.sequence.items.top; item++) {
        const yaml_node_t *node = node_at(reading, *item);
        if (!scalar(node) || !*scalar(node))
            return fault(reading, node, "%s: a value is wanted in the list, not %s", option->name,
                         scalar(node) ? "nothing" : type_name(node));
        if (option->repeated)
            code = add_given(reading, section, option, scalar(node), node);
        else
            sl_text_add(&text, "%s%s", text.length ? "," : "", scalar(node));
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
    if (!scalar(node))
        return fault(reading, node, "%s: %s is wanted, not %s", option->name,
                     list ? "a value or a list" : "one value", type_name(node));
    if (!option->value && strcmp(scalar(node), "true") && strcmp(scalar(node), "false"))
        return fault(reading, node, "%s: true or false is wanted, not '%s'", option->name,
                     scalar(node));
    if (!*scalar(node))
        return fault(reading, node, "%s has no value", option->name);
    return add_given(reading, section, option, scalar(node), node);
}

/* An entry of networks: PACK, A+B, or {topology: NAME}. */
static int read_network(struct reading *reading, struct job_section *section,
                        const yaml_node_t *node)
{
    char text[1024];
    const char *word = scalar(node);
    if (node->type == YAML_MAPPING_NODE) {
        const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
        const yaml_node_t *key =
            pair < node->data.mapping.pairs.top ? node_at(reading, pair->key) : NULL;
        const char *name = key ? scalar(node_at(reading, pair->value)) : NULL;
        if (!name || pair + 1 != node->data.mapping.pairs.top || !scalar(key) ||
            strcmp(scalar(key), "topology"))
            return fault(reading, node,
                         "networks: an entry is a pack, packs joined by +, or "
                         "'topology: NAME'");
        snprintf(text, sizeof(text), "topology:%s", name);
        word = text;
    }
    if (!word || !*word)
        return fault(reading, node, "networks: a pack is wanted, not %s",
                     word ? "nothing" : type_name(node));
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
        code = read_network(reading, section, node_at(reading, *item));
    return code;
}

static int read_jobs(struct reading *reading, const yaml_node_t *node);

static int read_key(struct reading *reading, struct job_section *section, const yaml_node_t *key,
                    const yaml_node_t *value)
{
    bool top = section == &reading->job->top;
    if (!scalar(key))
        return fault(reading, key, "a key is wanted, not %s", type_name(key));
    if (!strcmp(scalar(key), "networks"))
        return read_networks(reading, section, value);
    if (top && !strcmp(scalar(key), "jobs"))
        return read_jobs(reading, value);
    const struct cli_option *option = find_option(reading->command, scalar(key));
    if (!option)
        return unknown_key(reading, key, top);
    if (!top && !job_key_is_of_a_job(option))
        return fault(reading, key, "%s is of the whole sweep; write it at the top level",
                     option->name);
    return read_option(reading, section, option, value);
}

static int read_section(struct reading *reading, struct job_section *section,
                        const yaml_node_t *node)
{
    if (node->type != YAML_MAPPING_NODE)
        return fault(reading, node, "keys with values are wanted, not %s", type_name(node));
    const yaml_node_pair_t *first = node->data.mapping.pairs.start;
    int code = 0;
    for (const yaml_node_pair_t *pair = first; code == 0 && pair < node->data.mapping.pairs.top;
         pair++) {
        const yaml_node_t *key = node_at(reading, pair->key);
        for (const yaml_node_pair_t *other = first; other < pair; other++) {
            const char *name = scalar(node_at(reading, other->key));
            if (name && scalar(key) && !strcmp(name, scalar(key)))
                return fault(reading, key, "%s is there twice", name);
        }
        code = read_key(reading, section, key, node_at(reading, pair->value));
    }
    return code;
}

static int read_jobs(struct reading *reading, const yaml_node_t *node)
{
    struct job_file *job = reading->job;
    if (node->type != YAML_MAPPING_NODE)
        return fault(reading, node, "jobs: named sections are wanted, not %s", type_name(node));
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    job->jobs = calloc((size_t)(node->data.mapping.pairs.top - pair) + 1, sizeof(*job->jobs));
    if (!job->jobs)
        return out_of_memory(reading);
    int code = 0;
    for (; code == 0 && pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = node_at(reading, pair->key);
        struct job_section *section = &job->jobs[job->job_count++];
        if (!scalar(key))
            return fault(reading, key, "jobs: a name is wanted, not %s", type_name(key));
        section->name = keep(job, scalar(key));
        code = section->name ? read_section(reading, section, node_at(reading, pair->value))
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

static int read_document(struct reading *reading)
{
    const yaml_node_t *root = reading->library.root(&reading->document);
    if (!root)
        return sl_error_set(reading->error, -EINVAL, "%s: an empty job file", reading->path);
    int code = read_section(reading, &reading->job->top, root);
    for (int i = 0; code == 0 && i < reading->job->job_count; i++)
        code = inherit(reading, &reading->job->jobs[i]);
    return code;
}

int job_file_read(const char *path, const struct cli_command *command, struct job_file *job,
                  struct sl_error *error)
{
    struct reading reading = {.path = path, .command = command, .job = job, .error = error};
    SL_AUTO_FILE FILE *stream = fopen(path, "re");
    if (!stream)
        return sl_error_errno(error, "cannot open job file %s", path);
    int code = yaml_library_open(&reading.library, error);
    if (code < 0)
        return sl_error_wrap(error, "%s", path);
    yaml_parser_t parser;
    if (!reading.library.parser_initialize(&parser)) {
        yaml_library_close(&reading.library);
        return out_of_memory(&reading);
    }
    reading.library.set_input_file(&parser, stream);
    if (reading.library.load(&parser, &reading.document)) {
        code = read_document(&reading);
        reading.library.document_delete(&reading.document);
    } else {
        code = sl_error_set(error, -EINVAL, "%s:%zu:%zu: not YAML: %s", path,
                            parser.problem_mark.line + 1, parser.problem_mark.column + 1,
                            parser.problem ? parser.problem : "cannot be read");
    }
    reading.library.parser_delete(&parser);
    yaml_library_close(&reading.library);
    return code;
}

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/suggest.h"
#include "runtime/base/text.h"
#include "runtime/base/units.h"
#include "runtime/cli/command.h"

#define DEPTH_SHARDS_MOST 1000000

const struct cli_option cli_common_options[] = {
    {"help", 'h', NULL, "show this help", NULL, false},
    {"quiet", 'q', NULL, "no notes and no progress on stderr", NULL, false},
    {"verbose", 'v', NULL, "more about what is going on, on stderr", NULL, false},
    {0},
};

const struct cli_option *cli_option_find(const struct cli_option *table, const char *name,
                                         size_t length)
{
    for (; table->name; table++)
        if (strlen(table->name) == length && !strncmp(table->name, name, length))
            return table;
    return NULL;
}

static const struct cli_option *find_long(const struct cli_command *command, const char *name,
                                          size_t length)
{
    const struct cli_option *option = cli_option_find(command->options, name, length);
    return option ? option : cli_option_find(cli_common_options, name, length);
}

static const struct cli_option *find_letter(const struct cli_command *command, char letter)
{
    for (const struct cli_option *option = command->options; option->name; option++)
        if (option->letter == letter)
            return option;
    for (const struct cli_option *option = cli_common_options; option->name; option++)
        if (option->letter == letter)
            return option;
    return NULL;
}

static int unknown_option(const struct cli_command *command, const char *name, size_t length,
                          struct sl_error *error)
{
    char wanted[64];
    snprintf(wanted, sizeof(wanted), "%.*s", (int)(length < 63 ? length : 63), name);
    struct sl_suggestion suggestion = {.wanted = wanted};
    for (const struct cli_option *option = command->options; option->name; option++)
        sl_suggest(&suggestion, option->name);
    for (const struct cli_option *option = cli_common_options; option->name; option++)
        sl_suggest(&suggestion, option->name);
    if (suggestion.best)
        return sl_error_set(error, -EINVAL, "%s has no option --%s; did you mean --%s?",
                            command->name, wanted, suggestion.best);
    return sl_error_set(error, -EINVAL, "%s has no option --%s", command->name, wanted);
}

static void add_given(struct cli_arguments *arguments, const struct cli_option *option,
                      const char *value)
{
    arguments->given[arguments->given_count++] = (struct cli_given){option, value, NULL};
}

/* One "--name", "--name=value" or "--name value"; *next is advanced over a value taken. */
static int parse_long(struct cli_arguments *arguments, char **words, int count, int *next,
                      struct sl_error *error)
{
    const char *name = words[*next] + 2;
    const char *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    const struct cli_option *option = find_long(arguments->command, name, length);
    if (!option)
        return unknown_option(arguments->command, name, length, error);
    const char *value = equals ? equals + 1 : NULL;
    if (!option->value && value)
        return sl_error_set(error, -EINVAL, "--%s takes no value", option->name);
    if (option->value && !value) {
        if (*next + 1 >= count)
            return sl_error_set(error, -EINVAL, "--%s needs a value: %s", option->name,
                                option->value);
        value = words[++*next];
    }
    add_given(arguments, option, value);
    return 0;
}

/* A cluster of letters: "-q", "-ojson", "-o json". */
static int parse_letters(struct cli_arguments *arguments, char **words, int count, int *next,
                         struct sl_error *error)
{
    for (const char *letter = words[*next] + 1; *letter; letter++) {
        const struct cli_option *option = find_letter(arguments->command, *letter);
        if (!option)
            return sl_error_set(error, -EINVAL, "%s has no option -%c", arguments->command->name,
                                *letter);
        if (!option->value) {
            add_given(arguments, option, NULL);
            continue;
        }
        const char *value = letter + 1;
        if (!*value) {
            if (*next + 1 >= count)
                return sl_error_set(error, -EINVAL, "-%c needs a value: %s", *letter,
                                    option->value);
            value = words[++*next];
        }
        add_given(arguments, option, value);
        return 0;
    }
    return 0;
}

#define VARIABLE_BYTES 64

/* SLUICE_<NAME>. Returns buffer. */
static const char *variable_name(const char *name, char buffer[VARIABLE_BYTES])
{
    size_t at = (size_t)snprintf(buffer, VARIABLE_BYTES, "SLUICE_");
    for (; *name && at + 1 < VARIABLE_BYTES; name++)
        buffer[at++] = *name == '-' ? '_' : (char)toupper((unsigned char)*name);
    buffer[at] = '\0';
    return buffer;
}

static const char *from_environment(const char *name)
{
    char variable[VARIABLE_BYTES];
    const char *value = getenv(variable_name(name, variable));
    return value && *value ? value : NULL;
}

static bool is_given(const struct cli_arguments *arguments, const char *name)
{
    for (int i = 0; i < arguments->given_count; i++)
        if (!strcmp(arguments->given[i].option->name, name))
            return true;
    return false;
}

static int check_operands(const struct cli_arguments *arguments, struct sl_error *error)
{
    const struct cli_command *command = arguments->command;
    if (arguments->operand_count < command->least_operands)
        return sl_error_set(error, -EINVAL, "%s needs %s", command->name, command->operands);
    if (arguments->operand_count > command->most_operands)
        return sl_error_set(error, -EINVAL, "%s: '%s' is one word too many", command->name,
                            arguments->operands[command->most_operands]);
    return 0;
}

static int refuse_bytes(const char *word, struct sl_error *error)
{
    SL_AUTO(sl_text_free) struct sl_text shown = {0};
    sl_text_add_escaped(&shown, word);
    return sl_error_set(error, -EINVAL,
                        "'%.300s' is not UTF-8, as records must be; give another name, for example "
                        "that of a link",
                        shown.bytes ? shown.bytes : "");
}

/* Records hold what was given, and JSON holds UTF-8 alone. */
static int check_utf8(const struct cli_arguments *arguments, struct sl_error *error)
{
    for (int i = 0; i < arguments->operand_count; i++)
        if (!sl_text_is_utf8(arguments->operands[i]))
            return refuse_bytes(arguments->operands[i], error);
    for (int i = 0; i < arguments->given_count; i++) {
        const struct cli_given *given = &arguments->given[i];
        if (given->value && !sl_text_is_utf8(given->value)) {
            refuse_bytes(given->value, error);
            return cli_wrap(arguments, given->option->name, error);
        }
    }
    return 0;
}

/* 1 or 0; -EINVAL: neither. */
static int truth_of(const char *text)
{
    static const char *const words[] = {"0", "1", "false", "true", "no", "yes", "off", "on"};
    for (int i = 0; i < (int)(sizeof(words) / sizeof(words[0])); i++)
        if (!strcasecmp(text, words[i]))
            return i % 2;
    return -EINVAL;
}

/* What the command line does not give. */
static int check_environment(const struct cli_arguments *arguments, struct sl_error *error)
{
    for (const struct cli_option *option = arguments->command->options; option->name; option++) {
        const char *value =
            is_given(arguments, option->name) ? NULL : from_environment(option->name);
        int code = 0;
        if (value && !sl_text_is_utf8(value))
            code = refuse_bytes(value, error);
        else if (value && !option->value && truth_of(value) < 0)
            code = sl_error_set(error, -EINVAL, "'%.300s' is neither 1 nor 0", value);
        if (code < 0)
            return cli_wrap(arguments, option->name, error);
    }
    return 0;
}

int cli_parse(const struct cli_command *command, int count, char **words,
              struct cli_arguments *arguments, struct sl_error *error)
{
    *arguments = (struct cli_arguments){.command = command};
    size_t most = 1;
    for (int i = 0; i < count; i++)
        most += strlen(words[i]); /* a cluster of letters is several options */
    arguments->given = calloc(most, sizeof(*arguments->given));
    arguments->operands = calloc((size_t)count + 1, sizeof(*arguments->operands));
    if (!arguments->given || !arguments->operands)
        return sl_error_set(error, -ENOMEM, "out of memory");
    bool options = true;
    for (int next = 0; next < count; next++) {
        const char *word = words[next];
        int code = 0;
        if (options && !strcmp(word, "--"))
            options = false;
        else if (options && word[0] == '-' && word[1] == '-')
            code = parse_long(arguments, words, count, &next, error);
        else if (options && word[0] == '-' && word[1])
            code = parse_letters(arguments, words, count, &next, error);
        else
            arguments->operands[arguments->operand_count++] = word;
        if (code < 0)
            return code;
    }
    if (is_given(arguments, "help"))
        return 0;
    int code = check_operands(arguments, error);
    if (code == 0)
        code = check_utf8(arguments, error);
    return code < 0 ? code : check_environment(arguments, error);
}

void cli_arguments_free(struct cli_arguments *arguments)
{
    free(arguments->given);
    free(arguments->operands);
    *arguments = (struct cli_arguments){0};
}

/* What a job file says of an option. */
static const struct cli_given *find_fallback(const struct cli_arguments *arguments,
                                             const char *name)
{
    for (int i = 0; i < arguments->fallback_count; i++)
        if (!strcmp(arguments->fallback[i].option->name, name))
            return &arguments->fallback[i];
    return NULL;
}

const char *cli_text(const struct cli_arguments *arguments, const char *name)
{
    assert(find_long(arguments->command, name, strlen(name)));
    for (int i = arguments->given_count; i-- > 0;)
        if (!strcmp(arguments->given[i].option->name, name))
            return arguments->given[i].value;
    const char *value = from_environment(name);
    const struct cli_given *fallback = value ? NULL : find_fallback(arguments, name);
    return fallback ? fallback->value : value;
}

/* Of a device or a pipe nothing is lost. */
static bool is_same_file(const char *path, const char *other)
{
    struct stat one, two;
    return stat(path, &one) == 0 && stat(other, &two) == 0 && S_ISREG(one.st_mode) &&
           one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

/* Or will be: nothing is there yet. */
static bool will_be_same_file(const char *path, const char *other)
{
    struct stat status;
    return is_same_file(path, other) || (stat(path, &status) < 0 && !strcmp(path, other));
}

static bool takes_files(const char *choices)
{
    return choices && !strcmp(choices, "@files");
}

int cli_check_written(const struct cli_arguments *arguments, const char *name,
                      struct sl_error *error)
{
    const char *path = cli_text(arguments, name), *lost = NULL;
    if (!path)
        return 0;
    for (int i = 0; i < arguments->operand_count; i++)
        if (takes_files(arguments->command->operand_choices) &&
            is_same_file(path, arguments->operands[i]))
            lost = arguments->operands[i];
    for (int i = 0; i < arguments->given_count; i++) {
        const struct cli_given *given = &arguments->given[i];
        if (strcmp(given->option->name, name) != 0 && takes_files(given->option->choices) &&
            will_be_same_file(path, given->value))
            lost = given->value;
    }
    return lost ? sl_error_set(error, -EINVAL, "--%s %s would replace %s, which is needed", name,
                               path, lost)
                : 0;
}

bool cli_flag(const struct cli_arguments *arguments, const char *name)
{
    assert(find_long(arguments->command, name, strlen(name)));
    if (is_given(arguments, name))
        return true;
    const char *value = from_environment(name);
    const struct cli_given *fallback = value ? NULL : find_fallback(arguments, name);
    if (fallback)
        return !strcmp(fallback->value, "true");
    return value && truth_of(value) > 0;
}

const char *cli_repeated(const struct cli_arguments *arguments, const char *name, int n)
{
    const char *value = is_given(arguments, name) ? NULL : from_environment(name);
    if (value)
        return n == 0 ? value : NULL;
    bool given = is_given(arguments, name);
    const struct cli_given *list = given ? arguments->given : arguments->fallback;
    int count = given ? arguments->given_count : arguments->fallback_count;
    for (int i = 0; i < count; i++)
        if (!strcmp(list[i].option->name, name) && n-- == 0)
            return list[i].value;
    return NULL;
}

const char *cli_origin(const struct cli_arguments *arguments, const char *name,
                       char buffer[CLI_ORIGIN_BYTES])
{
    char variable[VARIABLE_BYTES];
    bool given = is_given(arguments, name);
    const struct cli_given *fallback = find_fallback(arguments, name);
    if (!given && from_environment(name))
        snprintf(buffer, CLI_ORIGIN_BYTES, "%s", variable_name(name, variable));
    else if (!given && fallback)
        snprintf(buffer, CLI_ORIGIN_BYTES, "%s: %s", fallback->origin, name);
    else
        snprintf(buffer, CLI_ORIGIN_BYTES, "--%s", name);
    return buffer;
}

int cli_wrap(const struct cli_arguments *arguments, const char *name, struct sl_error *error)
{
    char origin[CLI_ORIGIN_BYTES];
    return sl_error_wrap(error, "%s", cli_origin(arguments, name, origin));
}

int cli_integer(const struct cli_arguments *arguments, const char *name, int64_t least,
                int64_t most, int64_t *value, struct sl_error *error)
{
    const char *text = cli_text(arguments, name);
    if (!text || sl_parse_integer(text, least, most, value, error) == 0)
        return 0;
    return cli_wrap(arguments, name, error);
}

int cli_parse_depth(const char *text, int64_t *shards, int64_t *bytes, struct sl_error *error)
{
    size_t digits = strspn(text, "0123456789");
    if (!digits || !text[digits])
        return sl_parse_integer(text, 1, DEPTH_SHARDS_MOST, shards, error);
    uint64_t size;
    int code = sl_parse_size(text, &size, error);
    if (code == 0 && size == 0)
        code = sl_error_set(error, -EINVAL, "0: nothing could be read");
    if (code == 0)
        *bytes = (int64_t)size;
    return code;
}

int cli_depth(const struct cli_arguments *arguments, int64_t *shards, int64_t *bytes,
              struct sl_error *error)
{
    const char *text = cli_text(arguments, "depth");
    if (!text || cli_parse_depth(text, shards, bytes, error) == 0)
        return 0;
    return cli_wrap(arguments, "depth", error);
}

int cli_real(const struct cli_arguments *arguments, const char *name, double least, double most,
             double *value, struct sl_error *error)
{
    const char *text = cli_text(arguments, name);
    if (!text || sl_parse_real(text, least, most, value, error) == 0)
        return 0;
    return cli_wrap(arguments, name, error);
}

int cli_size(const struct cli_arguments *arguments, const char *name, uint64_t *bytes,
             struct sl_error *error)
{
    const char *text = cli_text(arguments, name);
    if (!text || sl_parse_size(text, bytes, error) == 0)
        return 0;
    return cli_wrap(arguments, name, error);
}

int cli_shard(const struct cli_arguments *arguments, uint64_t *bytes, struct sl_error *error)
{
    uint64_t given = 1;
    int code = cli_size(arguments, "shard", &given, error);
    if (code < 0 || !cli_text(arguments, "shard"))
        return code;
    *bytes = given;
    if (given > 0)
        return 0;
    sl_error_set(error, -EINVAL, "0: nothing fits into such a shard; the default is 1M");
    return cli_wrap(arguments, "shard", error);
}

int cli_duration(const struct cli_arguments *arguments, const char *name, uint64_t *ns,
                 struct sl_error *error)
{
    const char *text = cli_text(arguments, name);
    if (!text || cli_parse_duration(text, ns, error) == 0)
        return 0;
    return cli_wrap(arguments, name, error);
}

int cli_parse_duration(const char *text, uint64_t *ns, struct sl_error *error)
{
    static const struct {
        const char *suffix;
        double seconds;
    } units[] = {{"", 1}, {"s", 1}, {"ms", 1e-3}, {"m", 60}, {"min", 60}, {"h", 3600}};
    char *end = NULL;
    double value = isdigit((unsigned char)*text) || *text == '.' ? strtod(text, &end) : -1;
    for (size_t i = 0; end && value >= 0 && i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].suffix) || value * units[i].seconds > 1e9)
            continue;
        *ns = (uint64_t)(value * units[i].seconds * 1e9);
        return 0;
    }
    return sl_error_set(error, -EINVAL, "'%s' is not a time; write for example 30s or 500ms", text);
}

int cli_format(const struct cli_arguments *arguments, enum sl_format *format,
               struct sl_error *error)
{
    int code = sl_format_parse(cli_text(arguments, "format"), format, error);
    return code < 0 ? cli_wrap(arguments, "format", error) : 0;
}

int cli_percent(const struct cli_arguments *arguments, const char *name, double least, double most,
                double *percent, struct sl_error *error)
{
    const char *text = cli_text(arguments, name);
    char number[32];
    if (!text)
        return 0;
    size_t length = strlen(text);
    if (length > 0 && text[length - 1] == '%')
        length--;
    snprintf(number, sizeof(number), "%.*s", (int)(length < 31 ? length : 31), text);
    if (sl_parse_real(number, least, most, percent, error) == 0)
        return 0;
    return cli_wrap(arguments, name, error);
}

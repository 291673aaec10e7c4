#include "runtime/cli/yaml_reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/suggest.h"

#define FILE_MOST_BYTES (1 << 20)

/* What is under way while a document is read. */
struct reading {
    yaml_parser_t parser;
    yaml_event_t event; /* the last one */
    bool pending;       /* event is to be deleted */
    const struct yaml_key *keys;
    struct yaml_document *document;
    struct sl_error *error;
};

static void reading_end(struct reading *reading)
{
    if (reading->pending)
        yaml_event_delete(&reading->event);
    yaml_parser_delete(&reading->parser);
}

/* An error at a place of the file. */
__attribute__((format(printf, 3, 4))) static int fault_at(const struct reading *reading,
                                                          yaml_mark_t mark, const char *format, ...)
{
    char text[SL_ERROR_TEXT_BYTES / 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return sl_error_set(reading->error, -EINVAL, "%s:%zu:%zu: %s", reading->document->name,
                        mark.line + 1, mark.column + 1, text);
}

/* The next event, which the reading owns. */
static int next(struct reading *reading)
{
    if (reading->pending)
        yaml_event_delete(&reading->event);
    reading->pending = yaml_parser_parse(&reading->parser, &reading->event);
    if (reading->pending)
        return 0;
    const yaml_parser_t *parser = &reading->parser;
    if (parser->error == YAML_MEMORY_ERROR)
        return sl_error_set(reading->error, -ENOMEM, "out of memory");
    return fault_at(reading, parser->problem_mark, "not YAML: %s%s%s",
                    parser->context ? parser->context : "", parser->context ? ", " : "",
                    parser->problem ? parser->problem : "unreadable");
}

static int copy_scalar(struct reading *reading, struct yaml_value *value)
{
    const yaml_event_t *event = &reading->event;
    const char *text = (const char *)event->data.scalar.value;
    if (strlen(text) != event->data.scalar.length)
        return fault_at(reading, event->start_mark, "a value holds a zero byte");
    *value = (struct yaml_value){strdup(text), (int)event->start_mark.line + 1,
                                 (int)event->start_mark.column + 1};
    return value->text ? 0 : sl_error_set(reading->error, -ENOMEM, "out of memory");
}

static int add_value(struct reading *reading, struct yaml_entry *entry)
{
    const yaml_event_t *event = &reading->event;
    if (event->type != YAML_SCALAR_EVENT)
        return fault_at(reading, event->start_mark, "%s takes %s, not %s", entry->key.text,
                        entry->values || entry->count ? "plain values" : "a plain value",
                        event->type == YAML_ALIAS_EVENT ? "an alias" : "a nested structure");
    if (event->data.scalar.length == 0 && event->data.scalar.plain_implicit)
        return fault_at(reading, event->start_mark, "%s has no value", entry->key.text);
    struct yaml_value *values =
        realloc(entry->values, ((size_t)entry->count + 1) * sizeof(*values));
    if (!values)
        return sl_error_set(reading->error, -ENOMEM, "out of memory");
    entry->values = values;
    int code = copy_scalar(reading, &values[entry->count]);
    entry->count += code == 0;
    return code;
}

/* The value of a key: a scalar, or a list of them when the key takes one. */
static int read_values(struct reading *reading, const struct yaml_key *key,
                       struct yaml_entry *entry)
{
    int code = next(reading);
    if (code < 0 || reading->event.type != YAML_SEQUENCE_START_EVENT)
        return code < 0 ? code : add_value(reading, entry);
    if (!key->list)
        return fault_at(reading, reading->event.start_mark, "%s takes one value, not a list",
                        key->name);
    while ((code = next(reading)) == 0 && reading->event.type != YAML_SEQUENCE_END_EVENT)
        if ((code = add_value(reading, entry)) < 0)
            return code;
    return code;
}

static const struct yaml_key *find_key(const struct reading *reading, const char *name,
                                       const char **nearest)
{
    struct sl_suggestion suggestion = {.wanted = name};
    for (const struct yaml_key *key = reading->keys; key->name; key++) {
        if (!strcmp(key->name, name))
            return key;
        sl_suggest(&suggestion, key->name);
    }
    *nearest = suggestion.best;
    return NULL;
}

static int unknown_key(const struct reading *reading, const char *name, const char *nearest)
{
    yaml_mark_t mark = reading->event.start_mark;
    if (nearest)
        return fault_at(reading, mark, "unknown key '%.60s'; did you mean '%s'?", name, nearest);
    char known[300] = "";
    for (const struct yaml_key *key = reading->keys; key->name; key++)
        snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s", *known ? ", " : "",
                 key->name);
    return fault_at(reading, mark, "unknown key '%.60s'; known: %s", name, known);
}

/* One key, which is the last event, and its value. */
static int read_entry(struct reading *reading)
{
    struct yaml_document *document = reading->document;
    const yaml_event_t *event = &reading->event;
    if (event->type != YAML_SCALAR_EVENT)
        return fault_at(reading, event->start_mark, "a key must be a plain word");
    const char *name = (const char *)event->data.scalar.value, *nearest = NULL;
    const struct yaml_key *key = find_key(reading, name, &nearest);
    if (!key)
        return unknown_key(reading, name, nearest);
    const struct yaml_entry *earlier = yaml_find(document, name);
    if (earlier)
        return fault_at(reading, event->start_mark, "%s stands in line %d already", name,
                        earlier->key.line);
    struct yaml_entry *entries =
        realloc(document->entries, ((size_t)document->count + 1) * sizeof(*entries));
    if (!entries)
        return sl_error_set(reading->error, -ENOMEM, "out of memory");
    document->entries = entries;
    struct yaml_entry *entry = &entries[document->count];
    *entry = (struct yaml_entry){0};
    int code = copy_scalar(reading, &entry->key);
    if (code < 0)
        return code;
    document->count++;
    return read_values(reading, key, entry);
}

static int read_mapping(struct reading *reading)
{
    int code;
    while ((code = next(reading)) == 0 && reading->event.type != YAML_MAPPING_END_EVENT)
        if ((code = read_entry(reading)) < 0)
            return code;
    return code;
}

static int read_stream(struct reading *reading)
{
    int code = next(reading); /* the stream's start */
    if (code == 0)
        code = next(reading);
    if (code == 0 && reading->event.type == YAML_STREAM_END_EVENT)
        return fault_at(reading, reading->event.start_mark, "nothing in it");
    if (code == 0)
        code = next(reading); /* behind the document's start */
    if (code == 0 && reading->event.type != YAML_MAPPING_START_EVENT)
        return fault_at(reading, reading->event.start_mark, "lines of 'key: value' are wanted");
    if (code == 0)
        code = read_mapping(reading);
    if (code == 0)
        code = next(reading); /* the document's end */
    if (code == 0)
        code = next(reading);
    if (code == 0 && reading->event.type != YAML_STREAM_END_EVENT)
        return fault_at(reading, reading->event.start_mark, "a second document in one file");
    return code;
}

int yaml_read_text(const char *name, const char *text, const struct yaml_key *keys,
                   struct yaml_document *document, struct sl_error *error)
{
    struct yaml_document made = {.name = strdup(name)};
    SL_AUTO(reading_end)
    struct reading reading = {.keys = keys, .document = &made, .error = error};
    int code = 0;
    if (!made.name || !yaml_parser_initialize(&reading.parser))
        code = sl_error_set(error, -ENOMEM, "out of memory");
    if (code == 0) {
        yaml_parser_set_input_string(&reading.parser, (const unsigned char *)text, strlen(text));
        code = read_stream(&reading);
    }
    if (code < 0)
        yaml_free(&made);
    else
        *document = made;
    return code;
}

int yaml_read_file(const char *path, const struct yaml_key *keys, struct yaml_document *document,
                   struct sl_error *error)
{
    struct stat status;
    SL_AUTO_FILE FILE *file = fopen(path, "re");
    if (!file || fstat(fileno(file), &status))
        return sl_error_errno(error, "cannot read %s", path);
    if (S_ISDIR(status.st_mode))
        return sl_error_set(error, -EISDIR, "cannot read %s: it is a directory", path);
    SL_AUTO_FREE char *text = malloc(FILE_MOST_BYTES + 1);
    if (!text)
        return sl_error_set(error, -ENOMEM, "out of memory");
    size_t length = fread(text, 1, FILE_MOST_BYTES + 1, file);
    if (ferror(file))
        return sl_error_errno(error, "cannot read %s", path);
    if (length > FILE_MOST_BYTES)
        return sl_error_set(error, -EFBIG, "%s has more than 1 MiB: it is no such file", path);
    text[length] = '\0';
    if (strlen(text) != length)
        return sl_error_set(error, -EINVAL, "%s holds zero bytes: it is no YAML file", path);
    return yaml_read_text(path, text, keys, document, error);
}

void yaml_free(struct yaml_document *document)
{
    for (int i = 0; i < document->count; i++) {
        struct yaml_entry *entry = &document->entries[i];
        for (int j = 0; j < entry->count; j++)
            free((char *)entry->values[j].text);
        free(entry->values);
        free((char *)entry->key.text);
    }
    free(document->entries);
    free(document->name);
    *document = (struct yaml_document){0};
}

const struct yaml_entry *yaml_find(const struct yaml_document *document, const char *key)
{
    for (int i = 0; i < document->count; i++)
        if (!strcmp(document->entries[i].key.text, key))
            return &document->entries[i];
    return NULL;
}

int yaml_fault(const struct yaml_document *document, const struct yaml_entry *entry,
               const struct yaml_value *value, struct sl_error *error)
{
    return sl_error_wrap(error, "%s:%d:%d: %s", document->name, value->line, value->column,
                         entry->key.text);
}

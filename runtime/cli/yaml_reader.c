#include "runtime/cli/yaml_reader.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/dynamic_library.h"
#include "runtime/base/file.h"

#define FILE_MOST_BYTES (1 << 20)
#define KEYS_MOST       1000

static int library_open(struct yaml_library *library, struct sl_error *error)
{
    const struct sl_symbol symbols[] = {
        {"yaml_parser_initialize", &library->parser_initialize},
        {"yaml_parser_delete", &library->parser_delete},
        {"yaml_parser_set_input_string", &library->set_input_string},
        {"yaml_parser_load", &library->load},
        {"yaml_document_delete", &library->document_delete},
        {"yaml_document_get_root_node", &library->root},
        {"yaml_document_get_node", &library->node},
    };
    return sl_dynamic_library_open("libyaml-0.so.2", "libyaml-0-2", symbols,
                                   sizeof(symbols) / sizeof(symbols[0]), &library->handle, error);
}

const yaml_node_t *yaml_node(struct yaml_file *file, int index)
{
    return file->library.node(&file->document, index);
}

const char *yaml_scalar(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

const char *yaml_type_name(const yaml_node_t *node)
{
    return node->type == YAML_SEQUENCE_NODE  ? "a list"
           : node->type == YAML_MAPPING_NODE ? "a section with keys"
                                             : "a value";
}

int yaml_fault(const struct yaml_file *file, const yaml_node_t *node, struct sl_error *error,
               const char *format, ...)
{
    char text[SL_ERROR_TEXT_BYTES / 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return sl_error_set(error, -EINVAL, "%s:%zu:%zu: %s", file->name, node->start_mark.line + 1,
                        node->start_mark.column + 1, text);
}

static int check_keys(struct yaml_file *file, const yaml_node_t *mapping, struct sl_error *error)
{
    const yaml_node_pair_t *first = mapping->data.mapping.pairs.start;
    if (mapping->data.mapping.pairs.top - first > KEYS_MOST)
        return yaml_fault(file, mapping, error, "more than %d keys", KEYS_MOST);
    for (const yaml_node_pair_t *pair = first; pair < mapping->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_node(file, pair->key);
        if (!yaml_scalar(key))
            return yaml_fault(file, key, error, "a key is wanted, not %s", yaml_type_name(key));
        for (const yaml_node_pair_t *other = first; other < pair; other++)
            if (!strcmp(yaml_scalar(yaml_node(file, other->key)), yaml_scalar(key)))
                return yaml_fault(file, key, error, "%s is there twice", yaml_scalar(key));
    }
    return 0;
}

/* What is so of every file, whatever its keys. */
static int check_nodes(struct yaml_file *file, struct sl_error *error)
{
    const yaml_node_t *node;
    int code = 0;
    for (int i = 1; code == 0 && (node = yaml_node(file, i)); i++) {
        if (node->type == YAML_MAPPING_NODE)
            code = check_keys(file, node, error);
        else if (yaml_scalar(node) && strlen(yaml_scalar(node)) != node->data.scalar.length)
            code = yaml_fault(file, node, error, "a value holds a zero byte");
    }
    if (code == 0 && file->root->type != YAML_MAPPING_NODE)
        code = yaml_fault(file, file->root, error, "keys with values are wanted, not %s",
                          yaml_type_name(file->root));
    return code;
}

static int not_yaml(const struct yaml_file *file, const yaml_parser_t *parser,
                    struct sl_error *error)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return sl_error_set(error, -ENOMEM, "out of memory");
    return sl_error_set(error, -EINVAL, "%s:%zu:%zu: not YAML: %s%s%s", file->name,
                        parser->problem_mark.line + 1, parser->problem_mark.column + 1,
                        parser->context ? parser->context : "", parser->context ? ", " : "",
                        parser->problem ? parser->problem : "unreadable");
}

/* The file's only document. */
static int load(struct yaml_file *file, yaml_parser_t *parser, struct sl_error *error)
{
    const struct yaml_library *library = &file->library;
    yaml_document_t second;
    if (!library->load(parser, &file->document))
        return not_yaml(file, parser, error);
    file->root = library->root(&file->document);
    int code = 0;
    if (!file->root)
        code = sl_error_set(error, -EINVAL, "%s: nothing in it", file->name);
    else if (!library->load(parser, &second))
        code = not_yaml(file, parser, error);
    else {
        const yaml_node_t *root = library->root(&second);
        if (root)
            code = yaml_fault(file, root, error, "a second document in one file");
        library->document_delete(&second);
    }
    if (code == 0)
        code = check_nodes(file, error);
    if (code < 0)
        library->document_delete(&file->document);
    return code;
}

int yaml_read_text(const char *name, const char *text, struct yaml_file *file,
                   struct sl_error *error)
{
    struct yaml_file made = {0};
    yaml_parser_t parser;
    int code = library_open(&made.library, error);
    if (code < 0)
        return sl_error_wrap(error, "cannot read %s", name);
    made.name = strdup(name);
    if (made.name && made.library.parser_initialize(&parser)) {
        made.library.set_input_string(&parser, (const unsigned char *)text, strlen(text));
        code = load(&made, &parser, error);
        made.library.parser_delete(&parser);
    } else {
        code = sl_error_set(error, -ENOMEM, "out of memory");
    }
    if (code == 0) {
        *file = made;
    } else {
        free(made.name);
        dlclose(made.library.handle);
    }
    return code;
}

int yaml_read_file(const char *path, struct yaml_file *file, struct sl_error *error)
{
    struct stat status;
    SL_AUTO_FD int fd = sl_file_open_finite(path, error);
    if (fd < 0) {
        sl_error_wrap(error, "cannot read %s", path);
        return fd;
    }
    SL_AUTO_FILE FILE *stream = fdopen(fd, "r");
    if (!stream)
        return sl_error_errno(error, "cannot read %s", path);
    fd = -1;
    if (fstat(fileno(stream), &status))
        return sl_error_errno(error, "cannot read %s", path);
    if (S_ISDIR(status.st_mode))
        return sl_error_set(error, -EISDIR, "cannot read %s: it is a directory", path);
    SL_AUTO_FREE char *text = malloc(FILE_MOST_BYTES + 1);
    if (!text)
        return sl_error_set(error, -ENOMEM, "out of memory");
    size_t length = fread(text, 1, FILE_MOST_BYTES + 1, stream);
    if (ferror(stream))
        return sl_error_errno(error, "cannot read %s", path);
    if (length > FILE_MOST_BYTES)
        return sl_error_set(error, -EFBIG, "%s has more than 1 MiB: it is no such file", path);
    text[length] = '\0';
    if (strlen(text) != length)
        return sl_error_set(error, -EINVAL, "%s holds zero bytes: it is no YAML file", path);
    return yaml_read_text(path, text, file, error);
}

void yaml_free(struct yaml_file *file)
{
    if (file->root) {
        file->library.document_delete(&file->document);
        dlclose(file->library.handle);
    }
    free(file->name);
    *file = (struct yaml_file){0};
}

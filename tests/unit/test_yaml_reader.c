/* The reader of YAML files: nodes with their places, and errors that name them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/text.h"
#include "runtime/cli/yaml_reader.h"

static void expect_fault(const char *text, const char *message)
{
    struct yaml_file file = {0};
    struct sl_error error = {0};
    cr_expect_eq(yaml_read_text("job.yaml", text, &file, &error), -EINVAL, "%s", text);
    cr_expect_str_eq(error.text, message);
    cr_expect_null(file.root);
    yaml_free(&file);
}

Test(yaml_reader, nodes_and_their_places)
{
    struct yaml_file file = {0};
    struct sl_error error = {0};
    const char *text = "# a job\nmemory: '64M'  # quoted\npolicy: [auto, linear]\n"
                       "jobs:\n  one: {depth: ''}\n";
    cr_assert_eq(yaml_read_text("job.yaml", text, &file, &error), 0, "%s", error.text);
    const yaml_node_pair_t *pair = file.root->data.mapping.pairs.start;
    cr_assert_eq(file.root->data.mapping.pairs.top - pair, 3);
    cr_expect_str_eq(yaml_scalar(yaml_node(&file, pair[0].key)), "memory");
    const yaml_node_t *memory = yaml_node(&file, pair[0].value);
    cr_expect_str_eq(yaml_scalar(memory), "64M");
    cr_expect_str_eq(yaml_type_name(memory), "a value");
    const yaml_node_t *policy = yaml_node(&file, pair[1].value);
    cr_expect_null(yaml_scalar(policy));
    cr_expect_str_eq(yaml_type_name(policy), "a list");
    const yaml_node_t *linear = yaml_node(&file, policy->data.sequence.items.start[1]);
    cr_expect_str_eq(yaml_scalar(linear), "linear");
    cr_expect_eq(yaml_fault(&file, linear, &error, "'%s' is too much", "linear"), -EINVAL);
    cr_expect_str_eq(error.text, "job.yaml:3:16: 'linear' is too much");
    cr_expect_str_eq(yaml_type_name(yaml_node(&file, pair[2].value)), "a section with keys");
    yaml_free(&file);
    yaml_free(&file);
}

Test(yaml_reader, mistakes_name_their_place)
{
    expect_fault("memory: 1M\nmemory: 2M\n", "job.yaml:2:1: memory is there twice");
    expect_fault("jobs:\n  a: {b: 1, b: 2}\n", "job.yaml:2:13: b is there twice");
    expect_fault("[a]: b\n", "job.yaml:1:1: a key is wanted, not a list");
    expect_fault("- a\n", "job.yaml:1:1: keys with values are wanted, not a list");
    expect_fault("a word\n", "job.yaml:1:1: keys with values are wanted, not a value");
    expect_fault("# nothing\n", "job.yaml: nothing in it");
    expect_fault("", "job.yaml: nothing in it");
    expect_fault("memory: 1M\n---\nmemory: 2M\n", "job.yaml:3:1: a second document in one file");
    expect_fault("memory: \"a\\0b\"\n", "job.yaml:1:9: a value holds a zero byte");
}

Test(yaml_reader, more_keys_than_any_file_has)
{
    SL_AUTO(sl_text_free) struct sl_text text = {0};
    for (int i = 0; i <= 1000; i++)
        sl_text_add(&text, "k%d: 1\n", i);
    expect_fault(text.bytes, "job.yaml:1:1: more than 1000 keys");
}

Test(yaml_reader, what_is_no_yaml_is_said_by_the_parser)
{
    const char *const texts[] = {"policy: [1M\n",  "memory: 'x\n",   "memory: a: b\n",
                                 "\tmemory: 1M\n", "memory: \xff\n", "memory: \x01\n",
                                 "policy: [*a]\n", "a: 1\n---\n[b\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct yaml_file file = {0};
        struct sl_error error = {0};
        cr_expect_eq(yaml_read_text("job.yaml", texts[i], &file, &error), -EINVAL, "%s", texts[i]);
        cr_expect(!strncmp(error.text, "job.yaml:", 9) && strstr(error.text, ": not YAML: "), "%s",
                  error.text);
    }
}

Test(yaml_reader, files_that_cannot_be_read)
{
    struct yaml_file file = {0};
    struct sl_error error = {0};
    cr_expect_eq(yaml_read_file("/nowhere/job.yaml", &file, &error), -ENOENT);
    cr_expect_str_eq(error.text, "cannot read /nowhere/job.yaml: No such file or directory");
    cr_expect_eq(yaml_read_file("/", &file, &error), -EISDIR);
    cr_expect_eq(yaml_read_file("/proc/self/exe", &file, &error), -EFBIG);
    cr_expect_eq(yaml_read_file("/proc/self/cmdline", &file, &error), -EINVAL);
}

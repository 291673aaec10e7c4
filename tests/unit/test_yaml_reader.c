/* The reader of flat YAML files: values with their places, and errors that name them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "runtime/cli/yaml_reader.h"

static const struct yaml_key keys[] = {{"memory", false}, {"policy", true}, {"depth", true}, {0}};

static void expect_fault(const char *text, const char *message)
{
    struct yaml_document document;
    struct sl_error error = {0};
    cr_expect_eq(yaml_read_text("job.yaml", text, keys, &document, &error), -EINVAL, "%s", text);
    cr_expect_str_eq(error.text, message);
}

Test(yaml_reader, values_and_their_places)
{
    struct yaml_document document;
    struct sl_error error = {0};
    const char *text = "# a job\nmemory: '64M'  # quoted\npolicy: [auto, linear]\n"
                       "depth:\n  - 1\n  -   16\n";
    cr_assert_eq(yaml_read_text("job.yaml", text, keys, &document, &error), 0, "%s", error.text);
    cr_assert_eq(document.count, 3);
    const struct yaml_entry *memory = yaml_find(&document, "memory");
    cr_assert_eq(memory->count, 1);
    cr_expect_str_eq(memory->values[0].text, "64M");
    cr_expect_eq(memory->values[0].line, 2);
    cr_expect_eq(memory->values[0].column, 9);
    const struct yaml_entry *policy = yaml_find(&document, "policy");
    cr_assert_eq(policy->count, 2);
    cr_expect_str_eq(policy->values[1].text, "linear");
    cr_expect_eq(policy->values[1].column, 16);
    const struct yaml_entry *depth = yaml_find(&document, "depth");
    cr_assert_eq(depth->count, 2);
    cr_expect_str_eq(depth->values[1].text, "16");
    cr_expect_eq(depth->values[1].line, 6);
    cr_expect_eq(depth->values[1].column, 7);
    cr_expect_null(yaml_find(&document, "loader"));
    sl_error_set(&error, -EINVAL, "'16' is too much");
    cr_expect_eq(yaml_fault(&document, depth, &depth->values[1], &error), -EINVAL);
    cr_expect_str_eq(error.text, "job.yaml:6:7: depth: '16' is too much");
    yaml_free(&document);
    yaml_free(&document);
}

Test(yaml_reader, an_empty_list_and_quoted_nothing_are_values)
{
    struct yaml_document document;
    struct sl_error error = {0};
    cr_assert_eq(yaml_read_text("a", "policy: []\nmemory: ''\n", keys, &document, &error), 0, "%s",
                 error.text);
    cr_expect_eq(yaml_find(&document, "policy")->count, 0);
    cr_expect_str_eq(yaml_find(&document, "memory")->values[0].text, "");
    yaml_free(&document);
}

Test(yaml_reader, mistakes_name_their_place)
{
    expect_fault("memory: 1M\nplicy: auto\n",
                 "job.yaml:2:1: unknown key 'plicy'; did you mean 'policy'?");
    expect_fault("zebra: 1M\n", "job.yaml:1:1: unknown key 'zebra'; known: memory, policy, depth");
    expect_fault("memory: 1M\nmemory: 2M\n", "job.yaml:2:1: memory stands in line 1 already");
    expect_fault("memory: [1M, 2M]\n", "job.yaml:1:9: memory takes one value, not a list");
    expect_fault("memory:\n", "job.yaml:1:8: memory has no value");
    expect_fault("memory: {a: b}\n",
                 "job.yaml:1:9: memory takes a plain value, not a nested structure");
    expect_fault("policy: [auto, [x]]\n",
                 "job.yaml:1:16: policy takes plain values, not a nested structure");
    expect_fault("policy: [*a]\n", "job.yaml:1:10: policy takes a plain value, not an alias");
    expect_fault("[a]: b\n", "job.yaml:1:1: a key must be a plain word");
    expect_fault("- a\n", "job.yaml:1:1: lines of 'key: value' are wanted");
    expect_fault("# nothing\n", "job.yaml:2:1: nothing in it");
    expect_fault("memory: 1M\n---\nmemory: 2M\n", "job.yaml:2:1: a second document in one file");
    expect_fault("memory: \"a\\0b\"\n", "job.yaml:1:9: a value holds a zero byte");
}

Test(yaml_reader, what_is_no_yaml_is_said_by_the_parser)
{
    struct yaml_document document;
    struct sl_error error = {0};
    const char *const texts[] = {"policy: [1M\n",  "memory: 'x\n",   "memory: a: b\n",
                                 "\tmemory: 1M\n", "memory: \xff\n", "memory: \x01\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        cr_expect_eq(yaml_read_text("job.yaml", texts[i], keys, &document, &error), -EINVAL, "%s",
                     texts[i]);
        cr_expect(!strncmp(error.text, "job.yaml:", 9) && strstr(error.text, ": not YAML: "), "%s",
                  error.text);
    }
}

Test(yaml_reader, files_that_cannot_be_read)
{
    struct yaml_document document;
    struct sl_error error = {0};
    cr_expect_eq(yaml_read_file("/nowhere/job.yaml", keys, &document, &error), -ENOENT);
    cr_expect_str_eq(error.text, "cannot read /nowhere/job.yaml: No such file or directory");
    cr_expect_eq(yaml_read_file("/", keys, &document, &error), -EISDIR);
    cr_expect_eq(yaml_read_file("/proc/self/exe", keys, &document, &error), -EFBIG);
    cr_expect_eq(yaml_read_file("/proc/self/cmdline", keys, &document, &error), -EINVAL);
}

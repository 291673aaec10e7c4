#include "runtime/engine/times.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kernels/kernel.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/file.h"
#include "runtime/base/output_file.h"
#include "runtime/base/text.h"

/* "sluice-times 4 <pack's identity>", then a line "<threads> <isa>" per setting, followed by
 * " <first pass>", " <policy>:<first>,<later pass>" for policies and
 * " <least>,<usual>,<reading>,<first>,<waited>" for each layer, in ns. */
#define TIMES_MAGIC      "sluice-times 4"
#define TIMES_MOST_BYTES ((size_t)4 << 20)
#define TIMES_MOST_NS    (UINT64_C(1) << 50) /* 13 days */

static char *times_path(const struct sl_pack *pack)
{
    struct sl_text path = {0};
    sl_text_add(&path, "%s.times", pack->path);
    return path.bytes;
}

/* The whole file as text; NULL when there is none for this pack. */
static char *times_read(const struct sl_pack *pack)
{
    SL_AUTO_FREE char *path = times_path(pack);
    struct stat status;
    if (!path || stat(path, &status) || (size_t)status.st_size > TIMES_MOST_BYTES)
        return NULL;
    size_t size = (size_t)status.st_size + 1;
    SL_AUTO_FREE char *text = malloc(size);
    if (!text || sl_file_read_text(path, text, size) < 0)
        return NULL;
    char head[64];
    int length =
        snprintf(head, sizeof(head), TIMES_MAGIC " %016" PRIx64 "\n", pack->index_checksum);
    return strncmp(text, head, (size_t)length) ? NULL : SL_STEAL(text);
}

/* Start of the line of this setting, behind its key; NULL when there is none. */
static const char *find_line(const char *text, const char *key)
{
    for (const char *line = strchr(text, '\n'); line; line = strchr(line, '\n')) {
        line++;
        if (!strncmp(line, key, strlen(key)))
            return line + strlen(key);
    }
    return NULL;
}

static void setting_key(int threads, char key[48])
{
    snprintf(key, 48, "%d %s", threads, sl_kernels_isa());
}

/* The text behind the next "N,N,..."; NULL when that is not there. */
static const char *read_fields(const char *at, uint64_t *const *fields, size_t count)
{
    for (size_t f = 0; f < count; f++) {
        char *end;
        if (f && *at++ != ',')
            return NULL;
        if (*at < '0' || *at > '9')
            return NULL;
        *fields[f] = strtoull(at, &end, 10);
        if (*fields[f] > TIMES_MOST_NS)
            return NULL;
        at = end;
    }
    return at;
}

static const char *read_group(const char *at, uint64_t *const *fields, size_t count)
{
    return *at == ' ' ? read_fields(at + 1, fields, count) : NULL;
}

/* A policy that this build does not have is passed over. */
static const char *read_passes(const char *at, struct sl_pass_times *passes)
{
    uint64_t *const first[] = {&passes->first_ns};
    *passes = (struct sl_pass_times){0};
    at = read_group(at, first, 1);
    while (at && at[0] == ' ' && at[1] >= 'a' && at[1] <= 'z') {
        char name[64];
        const size_t length = strcspn(at + 1, ": \n");
        uint64_t unknown[2], *fields[] = {&unknown[0], &unknown[1]};
        snprintf(name, sizeof(name), "%.*s", (int)length, at + 1);
        for (int p = 0; sl_policy_at(p); p++)
            if (!strcmp(sl_policy_at(p)->name, name)) {
                fields[0] = &passes->policies[p].first_ns;
                fields[1] = &passes->policies[p].later_ns;
            }
        at += 1 + length;
        at = *at == ':' ? read_fields(at + 1, fields, 2) : NULL;
    }
    return at;
}

static const char *read_layer(const char *at, struct sl_run_times *times)
{
    uint64_t *const fields[] = {&times->least_ns, &times->usual_ns, &times->reading_ns,
                                &times->first_ns, &times->waited_ns};
    return read_group(at, fields, sizeof(fields) / sizeof(fields[0]));
}

int sl_times_load(const struct sl_pack *pack, int threads, struct sl_run_times *times,
                  struct sl_pass_times *passes, struct sl_error *error)
{
    char key[48];
    setting_key(threads, key);
    SL_AUTO_FREE char *text = times_read(pack);
    const char *at = text ? find_line(text, key) : NULL;
    if (!at)
        return sl_error_set(error, -ENOENT, "no run times of %s with %d threads yet", pack->path,
                            threads);
    size_t count = (size_t)pack->network->layer_count;
    SL_AUTO_FREE struct sl_run_times *read = calloc(count, sizeof(*read));
    if (!read)
        return sl_error_set(error, -ENOMEM, "no memory for run times");
    struct sl_pass_times read_of_passes;
    at = read_passes(at, &read_of_passes);
    for (size_t l = 0; l < count && at; l++)
        at = read_layer(at, &read[l]);
    if (!at)
        return sl_error_set(error, -EBADMSG, "%s.times is damaged; remove it", pack->path);
    memcpy(times, read, count * sizeof(*read));
    *passes = read_of_passes;
    return 0;
}

/* The other settings' lines stay as they are. */
static void keep_other_lines(const char *text, const char *key, struct sl_text *out)
{
    for (const char *line = strchr(text, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        size_t length = strcspn(line + 1, "\n");
        if (strncmp(line + 1, key, strlen(key)))
            sl_text_add(out, "%.*s\n", (int)length, line + 1);
    }
}

int sl_times_store(const struct sl_pack *pack, int threads, const struct sl_run_times *times,
                   const struct sl_pass_times *passes, struct sl_error *error)
{
    size_t count = (size_t)pack->network->layer_count;
    SL_AUTO_FREE struct sl_run_times *known = calloc(count, sizeof(*known));
    SL_AUTO_FREE char *before = times_read(pack);
    SL_AUTO_FREE char *path = times_path(pack);
    SL_AUTO(sl_text_free) struct sl_text out = {0};
    if (!known || !path)
        return sl_error_set(error, -ENOMEM, "no memory for run times");
    struct sl_pass_times before_passes;
    bool had = sl_times_load(pack, threads, known, &before_passes, NULL) == 0;
    char key[48];
    setting_key(threads, key);
    sl_text_add(&out, TIMES_MAGIC " %016" PRIx64 "\n", pack->index_checksum);
    if (before)
        keep_other_lines(before, key, &out);
    sl_text_add(&out, "%s %" PRIu64, key, passes->first_ns);
    for (int p = 0; sl_policy_at(p); p++)
        if (passes->policies[p].later_ns)
            sl_text_add(&out, " %s:%" PRIu64 ",%" PRIu64, sl_policy_at(p)->name,
                        passes->policies[p].first_ns, passes->policies[p].later_ns);
    for (size_t l = 0; l < count; l++) {
        const bool less = had && known[l].least_ns < times[l].least_ns;
        sl_text_add(&out, " %" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64,
                    less ? known[l].least_ns : times[l].least_ns, times[l].usual_ns,
                    times[l].reading_ns, times[l].first_ns, times[l].waited_ns);
    }
    sl_text_add(&out, "\n");
    if (out.failed)
        return sl_error_set(error, -ENOMEM, "no memory for run times");
    SL_AUTO(sl_output_file_close) struct sl_output_file file = SL_OUTPUT_FILE_NONE;
    int result = sl_output_file_open(&file, path, out.length, error);
    if (!result)
        result = sl_output_file_write(&file, out.bytes, out.length, 0, error);
    if (!result)
        result = sl_output_file_commit(&file, error);
    return result;
}

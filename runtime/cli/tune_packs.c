/* The packs that tune compares: the user's, and copies with other shard sizes. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/units.h"
#include "runtime/cli/cell_plan.h"
#include "runtime/cli/device_cache.h"
#include "runtime/cli/interrupt.h"
#include "runtime/cli/tune.h"
#include "runtime/report/record.h"

#define FOLDER_PREFIX ".sluice-tune-"
/* What a worker is given beyond its need to learn what it holds, and by how much that was seen to
 * differ between workers. */
#define PROBE_ROOM_BYTES     (16 * SL_MIB)
#define PROCESS_VARIES_BYTES (SL_MIB / 2)
/* For the times of a pack that has none: real runs decide, and those of a copy differ little. */
#define PACK_MOST_NS UINT64_C(1000000000)
#define COPY_MOST_NS UINT64_C(250000000)

int tune_open_packs(struct tune *tune, const char *const *paths, int count, struct sl_error *error)
{
    struct tune_variant *variant = &tune->variants[0];
    tune->variant_count = 1;
    int code = pack_set_read(&variant->packs, paths, count, error);
    if (code < 0)
        return code;
    SL_AUTO(sl_text_free) struct sl_text names = {0};
    for (int n = 0; n < count; n++)
        sl_text_add(&names, "%s%s", n ? "+" : "", variant->packs.names[n]);
    tune->names = SL_STEAL(names.bytes);
    tune->context = sl_record_context(paths[0]);
    return tune->names && tune->context ? 0 : sl_error_set(error, -ENOMEM, "out of memory");
}

static void remove_folder(const char *folder)
{
    DIR *entries = opendir(folder);
    for (const struct dirent *entry; entries && (entry = readdir(entries));)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            unlinkat(dirfd(entries), entry->d_name, 0);
    if (entries)
        closedir(entries);
    rmdir(folder);
}

/* Folders of processes that were killed before they could remove them. */
static void remove_stale(const char *parent)
{
    DIR *entries = opendir(parent);
    for (const struct dirent *entry; entries && (entry = readdir(entries));) {
        long pid = 0;
        if (sscanf(entry->d_name, FOLDER_PREFIX "%ld-", &pid) != 1 || pid <= 0 ||
            kill((pid_t)pid, 0) == 0 || errno != ESRCH)
            continue;
        SL_AUTO(sl_text_free) struct sl_text path = {0};
        sl_text_add(&path, "%s/%s", parent, entry->d_name);
        if (!path.failed)
            remove_folder(path.bytes);
    }
    if (entries)
        closedir(entries);
}

/* A folder of our own in parent; NULL (with errno) when there can be none. */
static char *make_folder(const char *parent)
{
    SL_AUTO(sl_text_free) struct sl_text path = {0};
    remove_stale(parent);
    sl_text_add(&path, "%s/" FOLDER_PREFIX "%ld-XXXXXX", parent, (long)getpid());
    if (path.failed || !mkdtemp(path.bytes))
        return NULL;
    return SL_STEAL(path.bytes);
}

static int find_folder(struct tune *tune, struct sl_error *error)
{
    const char *pack = tune->variants[0].packs.paths[0], *slash = strrchr(pack, '/');
    SL_AUTO_FREE char *beside =
        slash ? strndup(pack, slash == pack ? 1 : (size_t)(slash - pack)) : strdup(".");
    const char *temporary = getenv("TMPDIR");
    if (tune->folder)
        return 0;
    tune->folder = beside ? make_folder(beside) : NULL;
    if (tune->folder)
        return 0;
    temporary = temporary && *temporary ? temporary : "/tmp";
    fprintf(stderr,
            "sluice: warning: %s: %s; packs of other shard sizes go to %s, whose storage may "
            "differ\n",
            beside ? beside : pack, strerror(errno), temporary);
    tune->folder = make_folder(temporary);
    return tune->folder ? 0 : sl_error_errno(error, "%s: no folder for packs", temporary);
}

static void variant_free(struct tune_variant *variant)
{
    for (int n = 0; n < TUNE_PACKS_MOST; n++)
        sl_model_close(variant->models[n]);
    for (int n = 0; variant->paths && variant->paths[n]; n++) {
        unlink(variant->paths[n]);
        free(variant->paths[n]);
    }
    free(variant->paths);
    pack_set_free(&variant->packs);
    *variant = (struct tune_variant){0};
}

static bool same_packs(const struct pack_set *a, const struct pack_set *b)
{
    return !memcmp(a->identities, b->identities, (size_t)a->count * sizeof(*a->identities));
}

/* Cuts every pack again. */
static int make_variant(struct tune *tune, struct tune_variant *variant, struct sl_error *error)
{
    const struct pack_set *own = &tune->variants[0].packs;
    variant->paths = calloc((size_t)own->count + 1, sizeof(*variant->paths));
    if (!variant->paths)
        return sl_error_set(error, -ENOMEM, "out of memory");
    for (int n = 0; n < own->count; n++) {
        SL_AUTO(sl_text_free) struct sl_text path = {0};
        sl_text_add(&path, "%s/%d-%s.sluice", tune->folder, n, variant->shard);
        if (path.failed)
            return sl_error_set(error, -ENOMEM, "out of memory");
        variant->paths[n] = SL_STEAL(path.bytes);
        int code = interrupt_asked() ? -EINTR
                                     : sl_repack(own->paths[n], variant->shard_bytes,
                                                 variant->paths[n], NULL, error);
        if (code < 0)
            return code;
    }
    return pack_set_read(&variant->packs, (const char *const *)variant->paths, own->count, error);
}

int tune_make_variants(struct tune *tune, const struct value_list *shards, struct sl_error *error)
{
    for (int i = 0; i < shards->count; i++) {
        struct tune_variant *variant = &tune->variants[tune->variant_count];
        *variant = (struct tune_variant){.shard = shards->values[i]};
        int code = sl_parse_size(variant->shard, &variant->shard_bytes, error);
        if (code == 0)
            code = find_folder(tune, error);
        if (code == 0)
            code = make_variant(tune, variant, error);
        bool known = false;
        for (int v = 0; code == 0 && v < tune->variant_count; v++)
            known |= same_packs(&variant->packs, &tune->variants[v].packs);
        if (code == 0 && !known) {
            tune->variant_count++;
            continue;
        }
        if (code == -ENOSPC)
            fprintf(stderr, "sluice: warning: shards of %s are not tried: %s\n", variant->shard,
                    error->text);
        variant_free(variant);
        if (code < 0 && code != -ENOSPC)
            return code;
    }
    return 0;
}

/* Run times per layer, where they are not known. */
static int calibrate(const struct pack_set *packs, const struct sl_device_info *device, int threads,
                     uint64_t most_ns, struct sl_error *error)
{
    struct sl_model *models[TUNE_PACKS_MOST] = {0};
    struct sl_plan_result plan;
    int code = 0;
    for (int n = 0; code == 0 && n < packs->count; n++)
        code = sl_model_open(packs->paths[n], &models[n], error);
    const struct sl_plan_request request = {
        .models = models,
        .model_count = packs->count,
        .policy = "window",
        .limit_bytes = SL_NO_LIMIT,
        .threads = threads,
        .device = *device,
    };
    if (code == 0)
        code = sl_plan(&request, &plan, error);
    /* Where nothing can be kept beside the pack, estimates have to do. */
    if (code == 0 && plan.estimated) {
        const struct sl_calibration how = {threads, device->bytes_per_s, most_ns};
        code = sl_calibrate(models, packs->count, &how, error);
        if (code == -EACCES || code == -EROFS)
            code = 0;
    }
    for (int n = 0; n < packs->count; n++)
        sl_model_close(models[n]);
    return code;
}

struct cell_ground tune_ground(const struct tune *tune, const struct tune_variant *variant)
{
    return (struct cell_ground){variant->models, tune->device, tune->process_bytes};
}

int tune_measure_process(struct tune *tune, struct sl_error *error)
{
    const struct tune_variant *variant = &tune->variants[0];
    const struct cell_ground ground = tune_ground(tune, variant);
    struct cell_request request;
    struct sl_plan_result plan;
    struct sl_cgroup_rights rights;
    cell_request_init(&request, &variant->packs);
    request.cell.policy = "window";
    request.cell.depth = 1; /* whatever it takes by itself, shards leave room for it */
    int code = cell_plan(&request, &ground, &plan, error);
    if (code < 0)
        return code;
    tune->process_bytes = plan.division.process_bytes;
    request.limits.memory_bytes = plan.least_limit_bytes + PROBE_ROOM_BYTES;
    sl_cgroup_probe_for(&request.limits, &rights);
    if (!rights.memory)
        return 0;
    json_t *records = NULL;
    code = cell_supervise(&request.cell, &request.limits, false, 0, &records, error);
    if (code < 0)
        return code;
    double held = sl_record_number(json_object_get(json_array_get(records, 0), "breakdown"),
                                   "process_bytes", -1);
    if (held > 0)
        tune->process_bytes = (uint64_t)held + PROCESS_VARIES_BYTES;
    else
        sl_log(SL_LOG_NOTE, "what a process takes by itself is a guess: the one to measure it did "
                            "not run");
    json_decref(records);
    return 0;
}

int tune_measure(struct tune *tune, struct sl_error *error)
{
    SL_AUTO_FREE char *cache = cli_device_cache();
    const struct pack_set *packs = &tune->variants[0].packs;
    int code = sl_device_measure(packs->paths[packs->largest], cache, &tune->device, error);
    for (int v = 0; code == 0 && v < tune->variant_count; v++) {
        struct tune_variant *variant = &tune->variants[v];
        code = interrupt_asked() ? -EINTR
                                 : calibrate(&variant->packs, &tune->device, tune->options.threads,
                                             v ? COPY_MOST_NS : PACK_MOST_NS, error);
        for (int n = 0; code == 0 && n < variant->packs.count; n++)
            code = sl_model_open_stacked(variant->packs.paths[n], tune->options.batch,
                                         &variant->models[n], error);
    }
    return code;
}

void tune_remove_packs(struct tune *tune)
{
    for (int v = 0; v < tune->variant_count; v++)
        variant_free(&tune->variants[v]);
    tune->variant_count = 0;
    if (tune->folder)
        remove_folder(tune->folder);
    free(tune->folder);
    tune->folder = NULL;
}

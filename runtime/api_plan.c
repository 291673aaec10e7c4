#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "cgroups/cgroup.h"
#include "iouring/loader.h"
#include "iouring/probe.h"
#include "runtime/api.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/file.h"
#include "runtime/base/output_file.h"
#include "runtime/base/text.h"
#include "runtime/base/units.h"
#include "runtime/engine/calibrate.h"
#include "runtime/engine/cpus.h"
#include "runtime/engine/network_state.h"
#include "runtime/engine/predict.h"

#define PROBE_BUDGET_NS   UINT64_C(50000000)
#define PROBE_SMALL_BYTES 4096
#define CACHE_MOST_BYTES  4096
/* Rates measured through smaller files are too low, so they stand for files as small only. */
#define CACHE_LARGE_FILE_BYTES (16 * SL_MIB)
#define CACHE_SECONDS          (24 * 3600)
#define PLAN_QUEUE_DEPTH       32
/* A worker reads the index of its pack, and so begins a slice of the throttle, some 8 to 12 ms
 * before it reads shards. */
#define PLAN_THROTTLE_BEGUN_NS 8000000

/* A line of the cache: "<major>:<minor> <bytes per second> <latency ns> <time of measurement>
 * <bytes of the file>". */
struct cached_device {
    unsigned int major_number, minor_number;
    struct sl_device_info device;
    int64_t measured_s;
    uint64_t file_bytes;
};

static const char *cache_line(const char *text, struct cached_device *cached)
{
    while (*text) {
        const char *line = text;
        text += strcspn(text, "\n");
        text += *text == '\n';
        if (sscanf(line, "%u:%u %" SCNu64 " %" SCNu64 " %" SCNd64 " %" SCNu64,
                   &cached->major_number, &cached->minor_number, &cached->device.bytes_per_s,
                   &cached->device.latency_ns, &cached->measured_s, &cached->file_bytes) == 6)
            return text;
    }
    return NULL;
}

static bool cache_find(const char *text, const struct stat *file, struct sl_device_info *info)
{
    struct cached_device cached;
    uint64_t least_bytes = (uint64_t)file->st_size;
    if (least_bytes > CACHE_LARGE_FILE_BYTES)
        least_bytes = CACHE_LARGE_FILE_BYTES;
    while ((text = cache_line(text, &cached))) {
        if (cached.major_number == major(file->st_dev) &&
            cached.minor_number == minor(file->st_dev) && cached.file_bytes >= least_bytes &&
            time(NULL) - cached.measured_s < CACHE_SECONDS && cached.device.bytes_per_s) {
            *info = cached.device;
            return true;
        }
    }
    return false;
}

static void add_line(struct sl_text *out, const struct cached_device *cached)
{
    sl_text_add(out, "%u:%u %" PRIu64 " %" PRIu64 " %" PRId64 " %" PRIu64 "\n",
                cached->major_number, cached->minor_number, cached->device.bytes_per_s,
                cached->device.latency_ns, cached->measured_s, cached->file_bytes);
}

/* A cache that cannot be kept only costs the next caller a measurement. */
static void cache_keep(const char *path, const char *text, const struct stat *file,
                       const struct sl_device_info *info)
{
    SL_AUTO(sl_text_free) struct sl_text out = {0};
    const struct cached_device measured = {.major_number = major(file->st_dev),
                                           .minor_number = minor(file->st_dev),
                                           .device = *info,
                                           .measured_s = (int64_t)time(NULL),
                                           .file_bytes = (uint64_t)file->st_size};
    struct cached_device cached;
    while ((text = cache_line(text, &cached))) {
        if (cached.major_number != measured.major_number ||
            cached.minor_number != measured.minor_number)
            add_line(&out, &cached);
    }
    add_line(&out, &measured);
    if (out.failed || out.length >= CACHE_MOST_BYTES)
        return;
    sl_output_file_save(path, out.bytes, out.length, NULL);
}

int sl_device_measure(const char *path, const char *cache, struct sl_device_info *device,
                      struct sl_error *error)
{
    struct stat status;
    char text[CACHE_MOST_BYTES] = "";
    if (stat(path, &status))
        return sl_error_errno(error, "%s", path);
    if (cache)
        sl_file_read_text(cache, text, sizeof(text));
    if (cache_find(text, &status, device))
        return 0;
    struct sl_device_probe probe;
    int code = sl_device_probe(path, PROBE_BUDGET_NS, sl_cgroup_own_free(), &probe, error);
    if (code < 0)
        return code;
    *device = (struct sl_device_info){probe.best_bytes_per_s, probe.latency_ns};
    /* Of a file without one large block all that is known is how long a small one takes. */
    if (!device->bytes_per_s && device->latency_ns)
        device->bytes_per_s = PROBE_SMALL_BYTES * UINT64_C(1000000000) / device->latency_ns;
    if (cache)
        cache_keep(cache, text, &status, device);
    return 0;
}

int sl_calibrate(struct sl_model *const *models, int count, const struct sl_calibration *how,
                 struct sl_error *error)
{
    const struct sl_calibration_of of = {how->threads, how->device_bytes_per_s, how->most_ns};
    int code = 0;
    for (int n = 0; n < count && code >= 0; n++)
        code = sl_calibrate_pack(models[n]->pack, &of, error);
    return code;
}

static void cleanup_predictor(struct sl_predictor **predictor)
{
    sl_predictor_free(*predictor);
}

/* By the loader itself, which is what will be asked when they run. */
static int find_read_ahead(const struct sl_plan_request *request, uint64_t *bytes,
                           struct sl_error *error)
{
    SL_AUTO_FREE const char **paths = calloc((size_t)request->model_count, sizeof(*paths));
    if (!paths)
        return sl_error_set(error, -ENOMEM, "no memory to plan");
    for (int n = 0; n < request->model_count; n++)
        paths[n] = request->models[n]->pack->path;
    return sl_loader_read_ahead(request->loader, request->hints, paths, request->model_count, bytes,
                                error);
}

static int open_predictor(const struct sl_plan_request *request, const struct sl_policy **policy,
                          struct sl_predictor **predictor, bool *estimated, struct sl_error *error)
{
    const char *name = request->policy ? request->policy : "auto";
    *policy = sl_policy_find(name);
    if (!*policy)
        return sl_error_set(error, -EINVAL, "unknown policy '%s'", name);
    if (request->model_count < 1)
        return sl_error_set(error, -EINVAL, "there is no network to plan for");
    if (request->read_bytes_per_s && request->read_bytes_per_s < SL_LEAST_BYTES_PER_S)
        return sl_error_set(error, -EINVAL,
                            "a read rate of %" PRIu64 " bytes/s is less than a page",
                            request->read_bytes_per_s);
    SL_AUTO_FREE const struct sl_pack **packs =
        calloc((size_t)request->model_count + 1, sizeof(*packs));
    if (!packs)
        return sl_error_set(error, -ENOMEM, "no memory to plan");
    for (int n = 0; n < request->model_count; n++)
        packs[n] = request->models[n]->pack;
    uint64_t read_ahead_bytes;
    int code = find_read_ahead(request, &read_ahead_bytes, error);
    if (code < 0)
        return code;
    struct sl_device_model device = {.bytes_per_s = request->device.bytes_per_s,
                                     .latency_ns = request->device.latency_ns,
                                     .depth = PLAN_QUEUE_DEPTH,
                                     .throttle_bytes_per_s = request->read_bytes_per_s,
                                     .throttle_begun_ns = PLAN_THROTTLE_BEGUN_NS};
    sl_host_measure(&device.host);
    device.host.threads = request->threads ? request->threads : sl_usable_cpus();
    code = sl_predictor_create(packs, request->model_count, request->threads, &device, predictor,
                               estimated, error);
    double threads = request->threads ? request->threads : sl_usable_cpus();
    if (code == 0 && request->cpus > 0 && request->cpus < threads)
        sl_predictor_slow_down(*predictor, threads / request->cpus);
    if (code == 0 && request->process_bytes)
        sl_predictor_set_process(*predictor, request->process_bytes);
    if (code == 0)
        sl_predictor_set_read_ahead(*predictor, read_ahead_bytes);
    return code;
}

struct step_taker {
    const struct sl_plan_request *request;
    void (*take)(void *context, const struct sl_plan_step *step);
    void *context;
};

/* Units are numbered through a network: one for each shard, one for a layer without. */
static void find_unit(const struct sl_pack *pack, int unit, struct sl_plan_step *step)
{
    for (int l = 0; l < pack->network->layer_count; l++) {
        int shards = pack->layer_first_shard[l + 1] - pack->layer_first_shard[l];
        int units = shards ? shards : 1;
        if (unit < units) {
            step->layer = l;
            step->part = unit;
            return;
        }
        unit -= units;
    }
}

static void take_step(void *context, const struct sl_simulated_step *simulated)
{
    const struct step_taker *taker = context;
    const struct sl_pack *pack = taker->request->models[simulated->step.network]->pack;
    struct sl_plan_step step = {.model = simulated->step.network,
                                .begin_ns = simulated->begin_ns,
                                .end_ns = simulated->end_ns};
    int shard = simulated->step.index;
    if (simulated->step.kind == SL_STEP_RUN) {
        step.kind = SL_PLAN_RUN;
        find_unit(pack, simulated->step.index, &step);
    } else {
        step.kind = simulated->step.kind == SL_STEP_LOAD ? SL_PLAN_LOAD : SL_PLAN_DROP;
        step.layer = pack->shards[shard].layer;
        step.part = shard - pack->layer_first_shard[step.layer];
        step.bytes = sl_shard_memory(&pack->shards[shard]);
    }
    taker->take(taker->context, &step);
}

int sl_plan_steps(const struct sl_plan_request *request,
                  void (*take)(void *context, const struct sl_plan_step *step), void *context,
                  struct sl_error *error)
{
    const struct sl_policy *policy = NULL;
    SL_AUTO(cleanup_predictor) struct sl_predictor *predictor = NULL;
    struct step_taker taker = {request, take, context};
    bool estimated;
    int code = open_predictor(request, &policy, &predictor, &estimated, error);
    return code < 0 ? code
                    : sl_predict_steps(predictor, policy, request->limit_bytes, request->depth,
                                       request->depth_bytes, take_step, &taker, error);
}

int sl_plan(const struct sl_plan_request *request, struct sl_plan_result *result,
            struct sl_error *error)
{
    const struct sl_policy *policy = NULL;
    SL_AUTO(cleanup_predictor) struct sl_predictor *predictor = NULL;
    bool estimated = false;
    struct sl_prediction made = {0};
    int code = open_predictor(request, &policy, &predictor, &estimated, error);
    if (code == 0)
        code = sl_predict(predictor, policy, request->limit_bytes, request->depth,
                          request->depth_bytes, &made, error);
    if (code < 0)
        return code;
    *result = (struct sl_plan_result){
        .fits = made.fits,
        .estimated = estimated,
        .least_limit_bytes = made.least_limit_bytes > SL_LEAST_PROCESS_BYTES
                                 ? made.least_limit_bytes
                                 : SL_LEAST_PROCESS_BYTES,
        .peak_bytes = made.peak_bytes,
        .latency_ns = made.makespan_ns,
        .read_bytes = made.read_bytes,
        .steady_latency_ns = made.steady_ns,
        .steady_read_bytes = made.steady_read_bytes,
        .bound_ns = made.bound_ns,
        .steady_bound_ns = made.steady_bound_ns,
        .compute_ns = made.compute_ns,
        .reads_bind = made.reads_bind,
        .steady_reads_bind = made.steady_reads_bind,
        .division = sl_division_of(&made.budget, made.slot_bytes, made.pinned_bytes),
    };
    return 0;
}

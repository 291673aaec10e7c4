/* libsluice: runs Caffe networks whose weights do not fit in memory, by streaming slices of layers
 * from storage just ahead of the compute.
 *
 *     struct sl_error error = {0};
 *     struct sl_model *model;
 *     struct sl_session *session;
 *     struct sl_result result;
 *     if (sl_model_open("net.sluice", &model, &error) ||
 *         sl_session_create(NULL, &session, &error) ||
 *         sl_session_add(session, model, &error) < 0 ||
 *         sl_session_input_file(session, 0, 0, "cat.jpg", &error) ||
 *         sl_session_run(session, 0, &result, NULL, &error))
 *         fprintf(stderr, "%s\n", error.text);
 *
 * Conventions. Functions that can fail return 0 (or a positive result) or -errno and fill the
 * struct sl_error given last (NULL is fine); outputs are untouched on failure. A zero-initialised
 * options struct asks for the defaults. Shapes are in C order, weights and activations float32.
 * The library never prints, never exits and reads no environment variable. A handle is used by one
 * thread at a time; different handles may be used by different threads at once. */
#ifndef SLUICE_H
#define SLUICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cgroups/cgroup.h"
#include "cgroups/supervisor.h"
#include "runtime/base/error.h"
#include "runtime/base/export.h"
#include "runtime/base/log.h"
#include "runtime/engine/events.h"

#define SL_VERSION_MAJOR  0
#define SL_VERSION_MINOR  1
#define SL_VERSION_PATCH  0
#define SL_VERSION_NUMBER (SL_VERSION_MAJOR * 10000 + SL_VERSION_MINOR * 100 + SL_VERSION_PATCH)

SL_C_BEGIN

/* Version of the library that runs ("0.1.0"), and the commit that it was built from ("" when it was
 * not built from a repository). Static. */
SL_API const char *sl_version(void);
SL_API const char *sl_commit(void);

/* ---- Models: packs (.sluice files), opened ------------------------------------------------- */

/* A pack's index: layers, shapes, where the weights lie. The weights stay on storage. */
struct sl_model;

/* Reads and verifies the index of a pack. -ENOENT, -EBADMSG (damaged or not a pack), -EPROTO
 * (written by a newer version). Free with sl_model_close. Blocks on I/O. */
SL_API int sl_model_open(const char *path, struct sl_model **model, struct sl_error *error);
/* The same, but one run computes so many requests (1 to 1024) over every shard while it is in
 * memory: all that is told of blobs is told of one request's part, and a session chooses the
 * request with sl_session_select. -EINVAL when the network mixes what lies in the first axis of its
 * inputs. */
SL_API int sl_model_open_stacked(const char *path, int requests, struct sl_model **model,
                                 struct sl_error *error);
/* No session may use the model any more. NULL is fine. */
SL_API void sl_model_close(struct sl_model *model);

/* Strings live as long as the model. */
struct sl_model_info {
    const char *name, *path;
    int layer_count, input_count, output_count, shard_count, label_count;
    uint64_t weight_bytes; /* W: bytes of all weights, as stored */
    uint64_t float_bytes;  /* of all weights as float32: more than W when they are encoded */
    uint64_t shared_bytes; /* of shards whose content another shard of the pack has, too */
    uint64_t file_bytes;
    uint64_t largest_layer_bytes; /* weights of the largest layer */
    uint64_t identity;            /* checksum of the index: names the pack */
    double flops;                 /* of one request; multiply and add count as two */
    int stack;                    /* requests that one run computes together */
    bool folded;                  /* BatchNorm, Scale and ReLU fused at import */
};
SL_API void sl_model_describe(const struct sl_model *model, struct sl_model_info *info);

#define SL_BLOB_AXES 8
struct sl_blob_info {
    const char *name; /* lives as long as the model */
    int axes;
    int64_t shape[SL_BLOB_AXES];
    int64_t count; /* elements */
};
/* Input or output blob by index; -ERANGE when there is none. */
SL_API int sl_model_input(const struct sl_model *model, int input, struct sl_blob_info *blob,
                          struct sl_error *error);
SL_API int sl_model_output(const struct sl_model *model, int output, struct sl_blob_info *blob,
                           struct sl_error *error);
/* Index of the input blob of that name, or -ENOENT with the nearest known name. */
SL_API int sl_model_find_input(const struct sl_model *model, const char *name,
                               struct sl_error *error);

/* Strings live as long as the model. */
struct sl_layer_info {
    const char *name, *type;
    const char *activation;     /* fused into the layer: "ReLU", or "" */
    const char *encoding;       /* of its large weight blob: a name as in sl_import_request */
    struct sl_blob_info output; /* the first one */
    uint64_t weight_bytes;      /* as stored */
    int shard_count;
    double flops;
};
/* Layer by index, in execution order; -ERANGE when there is none. */
SL_API int sl_model_layer(const struct sl_model *model, int layer, struct sl_layer_info *info,
                          struct sl_error *error);

/* How an image becomes the input: resize, crop, channel order, minus mean, times scale. */
struct sl_preprocessing_info {
    const char *order;    /* "bgr", "rgb" or "gray" */
    int64_t resize_short; /* 0: straight to the input's size */
    int64_t crop;         /* 0: none */
    float scale;
    int mean_count; /* 0: none; channels; or channels x height x width of a mean file */
    const float *mean;
};
SL_API void sl_model_preprocessing(const struct sl_model *model,
                                   struct sl_preprocessing_info *info);

/* Label of a class as given to import; NULL when there is none. Lives as long as the model, or
 * until other labels are read. */
SL_API const char *sl_model_label(const struct sl_model *model, int64_t index);

/* Replaces the labels by those of a text file, one per line. */
SL_API int sl_model_read_labels(struct sl_model *model, const char *path, struct sl_error *error);

/* Memory that the activations of a run take at their peak. */
SL_API int sl_model_activation_bytes(const struct sl_model *model, uint64_t *bytes,
                                     struct sl_error *error);

/* Drops the pack from the page cache, so that the next request reads the device. */
SL_API int sl_model_drop_cache(const struct sl_model *model, struct sl_error *error);

/* ---- Sessions: networks running under a policy --------------------------------------------- */

struct sl_session_options {
    const char *policy;   /* NULL: "auto" */
    const char *loader;   /* NULL: the best that this system allows */
    int threads;          /* 0: the CPUs that this process may use */
    int depth;            /* shards to read ahead; 0: the policy's choice; -EINVAL below */
    uint64_t depth_bytes; /* the same in bytes; both may be given */
    int queue_depth;      /* reads in flight in the kernel; 0: the default */
    /* Loader mmap only: what the kernel is told of the mapping, words of random sequential willneed
     * populate lock cold pageout dontneed, separated by commas, or "none"; NULL: its choice. */
    const char *hints;
    /* Memory that sluice allows itself; its cgroup's limit where that is lower. 0: that, if any. */
    uint64_t budget_bytes;
    uint64_t device_bytes_per_s; /* raw rate of the storage; 0: not known, there is no bound */
    bool trust;                  /* skip the checksum of every shard */
    /* What the session does is recorded here (runtime/engine/events.h): reads, runs with their page
     * faults, decisions. It outlives the session, and belongs to it alone. NULL: nothing. */
    struct sl_event_ring *events;
};

struct sl_session;

/* options may be NULL. Unknown names are -EINVAL with the nearest known one. Free with
 * sl_session_free. */
SL_API int sl_session_create(const struct sl_session_options *options, struct sl_session **session,
                             struct sl_error *error);
SL_API void sl_session_free(struct sl_session *session);

/* Adds a network to the batch; the model is borrowed until sl_session_free. Before the first run.
 * Returns the network's number in this session, counted from 0, or -errno. */
SL_API int sl_session_add(struct sl_session *session, const struct sl_model *model,
                          struct sl_error *error);

/* Inputs of the next runs, kept until set again; all zero at first. values: count floats in the
 * blob's shape, copied. -ENOBUFS as below. */
SL_API int sl_session_input(struct sl_session *session, int network, int input, const float *values,
                            int64_t count, struct sl_error *error);
/* From a file: a JPEG or PNG image (goes through the model's preprocessing), .npy (float32, C
 * order), or anything else as raw little-endian float32 in the blob's shape. Under a policy with a
 * budget an image is decoded within it, for which weights that were kept are given up where there
 * is too little room: -ENOBUFS when there is none even so, or when inputs alone leave the policy
 * too little to run. The input is undefined when the file could not be read to its end. Blocks on
 * I/O. */
SL_API int sl_session_input_file(struct sl_session *session, int network, int input,
                                 const char *path, struct sl_error *error);
/* Fixed pseudo-random values in [-1, 1), the same for a seed on every machine. */
SL_API int sl_session_input_random(struct sl_session *session, int network, int input,
                                   uint64_t seed, struct sl_error *error);

/* Chooses which of the requests that run together (sl_model_open_stacked) the functions for inputs,
 * outputs, classes and digests mean from now on; 0 at first. Of networks with fewer requests the
 * last one is meant. -ERANGE when no network has so many. */
SL_API int sl_session_select(struct sl_session *session, int request, struct sl_error *error);

/* What one run of a network took: one request, or several that were computed together. */
struct sl_result {
    uint64_t latency_ns; /* arrival to result */
    uint64_t load_ns;    /* reads of weights under way */
    uint64_t run_ns;     /* kernels running */
    uint64_t stall_ns;   /* executor waiting for weights */
    uint64_t read_bytes;
    uint64_t digest; /* XXH3-64 over all output blobs in order, of all its requests */
};

/* Runs one request of every network, all arriving now, and blocks until all ended. more: how many
 * further runs will follow, UINT64_MAX when it is not known; for 0 policy auto keeps no weights in
 * memory. results: one per network, -EINVAL without. makespan_ns (may be NULL): first arrival to
 * last result. -EINTR after sl_session_interrupt. */
SL_API int sl_session_run(struct sl_session *session, uint64_t more, struct sl_result *results,
                          uint64_t *makespan_ns, struct sl_error *error);

/* The last run as a whole. */
struct sl_batch {
    uint64_t makespan_ns; /* first arrival to last result */
    uint64_t load_ns;     /* some read was under way */
    /* A time that no schedule beats with this memory, storage and the least run time that every
     * layer was seen to take: of a first run, which finds no weights in memory, or of a later one.
     * 0: the rate of the storage is not known. */
    uint64_t bound_ns;
};
SL_API void sl_session_last_batch(const struct sl_session *session, struct sl_batch *batch);

/* Another budget from the next run on, as in struct sl_session_options: weights in memory are given
 * back and what to keep is planned anew. A budget that is too small fails that run with -ENOBUFS.
 * From any thread; a lower one also holds for a run in progress, as a lower limit does.
 *
 * Without a budget the memory limit of the process's control group counts, or what v2's memory.high
 * or v1's soft limit ask it to stay below. A change is noticed without this call: a higher one
 * from the next run on; a lower one within some 20 ms, and the run in progress goes on within it or
 * fails with -ENOBUFS. */
SL_API void sl_session_set_budget(struct sl_session *session, uint64_t budget_bytes);

/* The limit of the control group is read again at once. From any thread, also from a signal
 * handler. */
SL_API void sl_session_reread_limit(struct sl_session *session);

/* Makes sl_session_run return -EINTR soon. From any thread, also from a signal handler. */
SL_API void sl_session_interrupt(struct sl_session *session);

/* XXH3-64 over all output blobs in order of the last run, of the selected request. 0 when there is
 * no such network or nothing ran. */
SL_API uint64_t sl_session_digest(const struct sl_session *session, int network);

/* Output blob of the last run, in the shape that sl_model_output tells; NULL when out of range.
 * Valid until the next run. */
SL_API const float *sl_session_output(const struct sl_session *session, int network, int output);
/* Writes it as .npy (float32, C order); no partial file is left behind. */
SL_API int sl_session_save_output(const struct sl_session *session, int network, int output,
                                  const char *path, struct sl_error *error);

struct sl_class {
    int64_t index;
    float probability; /* of the softmax over the output when the network does not end in one */
    float value;       /* as computed by the network */
    const char *label; /* NULL: none known; lives as long as the model */
};
/* The `most` likeliest classes of the first image in an output blob, likeliest first. Returns how
 * many. */
SL_API int sl_session_top(const struct sl_session *session, int network, int output, int most,
                          struct sl_class *classes, struct sl_error *error);

/* One row per layer of the last run. */
struct sl_layer_result {
    uint64_t load_ns; /* first submit to last completion of its shards, for this request */
    uint64_t run_ns, stall_ns, read_bytes;
    uint64_t major_faults;  /* while it ran */
    uint64_t start_ns;      /* of its first run, since the batch's start */
    uint64_t end_ns;        /* of its last run, likewise */
    uint64_t load_start_ns; /* first submit, likewise; 0 too when it was before the batch */
};
/* -ERANGE when there is no such layer, or nothing ran yet. */
SL_API int sl_session_layer(const struct sl_session *session, int network, int layer,
                            struct sl_layer_result *result, struct sl_error *error);

/* Where memory goes. Loaders read into the slots, and the kernels that run need no BLAS: neither
 * has buffers of its own. */
struct sl_division {
    uint64_t process_bytes;    /* program, libraries, heap, stacks, page tables, rings */
    uint64_t activation_bytes; /* blobs, inputs and outputs */
    uint64_t scratch_bytes;    /* of kernels */
    uint64_t slot_bytes;    /* for weights on their way through; without a budget: most at once */
    uint64_t pinned_bytes;  /* weights that stay across requests */
    uint64_t reserve_bytes; /* for what the kernel charges besides, and for the next image */
    uint64_t read_ahead_bytes; /* and reads besides: loader mmap with hints that lack random */
};

/* What the session settled on. Strings live as long as the session. */
struct sl_session_info {
    const char *policy, *loader;
    const char *loader_reason; /* why not the first choice; "" when it is */
    const char *loader_notes;  /* what was degraded; "" when nothing */
    const char *hints;         /* to the kernel, of loader mmap; "" for others */
    int threads;
    bool direct;                /* weights are read past the page cache (O_DIRECT) */
    uint64_t shards_peak_bytes; /* most weights in memory at once so far */
    uint64_t activation_bytes, scratch_bytes;
    struct sl_division division; /* of the last run */
};
SL_API void sl_session_describe(const struct sl_session *session, struct sl_session_info *info);

/* What more memory would bring, by the run times and read rate of the runs so far. */
struct sl_advice {
    double reads_bind; /* share of the last run in which computing waited for weights: for reads,
                        * and for what handling them took */
    double saved;      /* share of a run's time that more_bytes would save, predicted */
};
/* Simulates for some milliseconds. False when there is nothing to advise: the policy has no budget,
 * all weights fit it, or too little was read to know the storage. */
SL_API bool sl_session_advise(struct sl_session *session, uint64_t more_bytes,
                              struct sl_advice *advice);

/* ---- Plans: what a run will take, before any weight is read --------------------------------- */

/* What storage gives. */
struct sl_device_info {
    uint64_t bytes_per_s; /* sequential, large blocks, several in flight */
    uint64_t latency_ns;  /* of one small read */
};
/* Measures the storage under a file (some 50 ms, O_DIRECT, up to 64 MiB of memory, no cache
 * involved), or takes what was measured within the last day from cache, a file of one line per
 * device that is kept up to date (NULL: no cache; one that cannot be written is no error; what a
 * file of less than 16 MiB tells counts for files as small only). Blocks. */
SL_API int sl_device_measure(const char *path, const char *cache, struct sl_device_info *device,
                             struct sl_error *error);

struct sl_calibration {
    int threads;                 /* that compute; 0: the CPUs this process may use */
    uint64_t device_bytes_per_s; /* as in struct sl_session_options */
    uint64_t most_ns;            /* for each model, roughly; 0: 12 s */
};
/* Runs each model a few times under every policy (those without a budget only where memory is
 * plenty for them) and keeps the run times of every layer and of the passes beside the pack
 * (<pack>.times). Once the time is over, policies are left out that were not measured yet, but two
 * passes are always made. Blocks. */
SL_API int sl_calibrate(struct sl_model *const *models, int count, const struct sl_calibration *how,
                        struct sl_error *error);

struct sl_plan_request {
    struct sl_model *const *models; /* one batch */
    int model_count;
    const char *policy;   /* NULL: "auto" */
    uint64_t limit_bytes; /* of memory; SL_NO_LIMIT: none */
    int threads, depth;   /* as in struct sl_session_options */
    uint64_t depth_bytes;
    struct sl_device_info device;
    uint64_t read_bytes_per_s; /* what the kernel throttles reads to; 0: nothing; -EINVAL below
                                * SL_LEAST_BYTES_PER_S */
    double cpus;               /* processor time, as in struct sl_limits; 0: all */
    /* Held by the process that will run them, besides networks: struct sl_division of a run tells;
     * 0: what one as this would be charged in a group of its own. */
    uint64_t process_bytes;
    const char *loader, *hints; /* as in struct sl_session_options */
};

struct sl_plan_result {
    bool fits;                       /* runs within the limit without swap */
    bool estimated;                  /* no run times are kept for some model: FLOPs were used */
    uint64_t least_limit_bytes;      /* that a worker starts in, and runs without swap */
    uint64_t peak_bytes;             /* memory it will hold at most (as if it fitted) */
    uint64_t latency_ns, read_bytes; /* of a first, cold request of every model */
    uint64_t steady_latency_ns, steady_read_bytes; /* of a later one, when they follow each other */
    uint64_t bound_ns, steady_bound_ns;            /* what no schedule beats with this memory */
    uint64_t compute_ns;                           /* kernels alone */
    /* Shares of the first and of a later request's time in which computing waits for weights: for
     * reads, and for what handling them takes. */
    double reads_bind, steady_reads_bind;
    struct sl_division division;
};
/* Predicts by simulation. When it does not fit and the policy keeps a budget, times are 0. */
SL_API int sl_plan(const struct sl_plan_request *request, struct sl_plan_result *result,
                   struct sl_error *error);

enum sl_plan_step_kind { SL_PLAN_LOAD, SL_PLAN_RUN, SL_PLAN_DROP };
struct sl_plan_step {
    enum sl_plan_step_kind kind;
    int model, layer;
    int part;                  /* of the layer: its shard, from 0 */
    uint64_t bytes;            /* of the shard; 0: none */
    uint64_t begin_ns, end_ns; /* of a drop: the same */
};
/* The steps that sl_plan predicts for a first, cold request of every model, in the order in which
 * the policy takes them. -ENOBUFS when it does not fit. */
SL_API int sl_plan_steps(const struct sl_plan_request *request,
                         void (*take)(void *context, const struct sl_plan_step *step),
                         void *context, struct sl_error *error);

/* ---- What this machine gives at most -------------------------------------------------------- */

#define SL_BENCH_RATES 16
struct sl_bench_rate {
    uint64_t block_bytes;
    int depth;
    uint64_t bytes_per_s; /* 0: time ran out before it */
    uint64_t latency_ns;  /* mean, from a read's submission to its end */
};

struct sl_bench_request {
    const char *directory; /* on the storage of interest; NULL: the working directory */
    uint64_t budget_ns;    /* of all measurements; 0: 5 s */
    int threads;           /* 0: the CPUs this process may use */
};

/* [0]: one thread, [1]: all of them. */
struct sl_bench {
    struct sl_bench_rate rates[SL_BENCH_RATES]; /* blocks of 64K to 4M x depths of 1 to 32 */
    uint64_t read_bytes_per_s;                  /* the best of them */
    uint64_t read_latency_ns;                   /* median of single reads of 4 KiB */
    uint64_t write_bytes_per_s; /* in order, 1 MiB each, until they are on storage */
    uint64_t file_bytes;        /* that was written and read */
    bool direct;        /* false: no O_DIRECT here, so these may be rates of the page cache */
    const char *loader; /* that read; static */
    int threads;
    double flops_per_s[2]; /* of the matrix product; multiply and add count as two */
    double bytes_per_s[2]; /* weights of fully connected layers, from memory */
};
/* Measures storage and processor within about budget_ns (a very slow device takes longer: every
 * measurement reads a block at least). Writes one file without a name in directory, at most 256
 * MiB, which is gone when the process ends, however that is. -EACCES, -EROFS, -ENOSPC name the
 * directory. Blocks. */
SL_API int sl_bench_measure(const struct sl_bench_request *request, struct sl_bench *bench,
                            struct sl_error *error);

/* ---- Making packs -------------------------------------------------------------------------- */

/* How images are prepared, stored in the pack. */
struct sl_import_preprocessing {
    const char *order; /* "bgr", "rgb" or "gray"; NULL: gray for one channel, else bgr */
    /* "fit" (NULL): the largest centred part with the input's aspect ratio, scaled to the input;
     * "stretch" (NULL for networks with a DetectionOutput layer): the whole image scaled to the
     * input; "none": crop alone; or the length that the short side is scaled to before the centre
     * is cut. */
    const char *resize;
    int64_t crop;       /* side of the centre square; 0: the input's size */
    float scale;        /* 0: 1 */
    const char *mean;   /* NULL: none; "104,117,123"; or the path of a Caffe mean file */
    const char *labels; /* NULL: none; a text file with one label per line */
};

/* Whether import would take them for some network: 0, or -EINVAL with the reason. Reads no file. */
SL_API int sl_check_preprocessing(const struct sl_import_preprocessing *preprocessing,
                                  struct sl_error *error);

struct sl_import_request {
    const char *prototxt;          /* NULL: the structure inside the caffemodel */
    const char *caffemodel;        /* NULL: synthetic weights */
    const char *topology;          /* instead of prototxt: one of `sluice list topologies` */
    uint64_t seed;                 /* of synthetic weights; 0: the reference weights */
    const char *output;            /* path of the pack; NULL: none */
    const char *caffemodel_output; /* also writes a file that Caffe reads; NULL: none */
    bool keep_layers;              /* do not fold BatchNorm, Scale and ReLU */
    uint64_t shard_bytes;          /* 0: 1 MiB */
    /* How the large weights of Convolution, InnerProduct and Deconvolution layers are stored: "f32"
     * (NULL), "f16", "bf16", "i8" with a scale per output channel, or "lossless": the same bits in
     * about 7/8 of the bytes; layers that this would not make smaller stay "f32". */
    const char *encoding;
    struct sl_import_preprocessing preprocessing;
};

struct sl_import_summary {
    int layers_before, layers_after, shard_count;
    uint64_t weight_bytes, file_bytes;
    uint64_t shared_bytes; /* of weight_bytes: content that lies in the file once already */
    int64_t saturated;     /* weights beyond the encoding's range, stored as its largest number */
};

/* Makes a pack (and a caffemodel) from structure and weights, streaming: memory is a few shards,
 * whatever the network. Written beside the target and renamed; no file is left on failure.
 * summary may be NULL. Blocks. */
SL_API int sl_import(const struct sl_import_request *request, struct sl_import_summary *summary,
                     struct sl_error *error);

/* Writes the pack of that path again with shards of about shard_bytes (0: 1 MiB), as import would
 * have written it, whatever its encoding. Every shard is verified on the way. No file is left on
 * failure; summary may be NULL. Memory: the largest shard and some MiB. Blocks. */
SL_API int sl_repack(const char *path, uint64_t shard_bytes, const char *output,
                     struct sl_import_summary *summary, struct sl_error *error);

/* ---- What there is ------------------------------------------------------------------------- */

enum sl_kind { SL_KIND_POLICY, SL_KIND_KERNEL, SL_KIND_LOADER, SL_KIND_TOPOLOGY };
struct sl_entry {
    const char *name, *description; /* static */
    bool heeds_depth;               /* a policy that reads ahead by a depth; others ignore it */
    bool keeps_budget;              /* a policy that never holds more shards than its budget */
    bool for_tests;                 /* not one of "all" */
};
/* Entry by index from 0; false behind the last. */
SL_API bool sl_list(enum sl_kind kind, int index, struct sl_entry *entry);

/* Whether a session would take these hints (sl_session_options) with this loader: 0, or -EINVAL
 * with the reason. */
SL_API int sl_check_hints(const char *loader, const char *hints, struct sl_error *error);

/* Where a result was measured, for its record. */
struct sl_context {
    char commit[64], kernel[128], cpu[128], storage[256];
    const char *version, *isa; /* isa: instruction set of the kernels */
    int cpus;                  /* that this process may use */
    int cgroup_version;        /* of what is mounted; 0: none */
};
/* path: a file on the storage of interest; NULL: the working directory. */
SL_API void sl_context_read(const char *path, struct sl_context *context);

enum sl_check_status { SL_CHECK_OK, SL_CHECK_WARNING, SL_CHECK_FAILED };
struct sl_check {
    const char *name; /* static */
    enum sl_check_status status;
    char detail[256]; /* what was found */
    char cure[256];   /* the line that fixes it; "" when nothing to fix */
};
#define SL_CHECKS_MOST 16
/* What this kernel, container and user may do; storage is judged at directory. FAILED means sluice
 * cannot work here. Returns how many checks were filled in. */
SL_API int sl_doctor(const char *directory, struct sl_check checks[SL_CHECKS_MOST]);

SL_C_END

#endif

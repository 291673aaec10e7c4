/* What a policy will cost, before any weight is read: the simulator over measured times and a
 * measured device. */
#ifndef SLUICE_ENGINE_PREDICT_H
#define SLUICE_ENGINE_PREDICT_H

#include "models/pack.h"
#include "policies/policy.h"
#include "runtime/engine/budget.h"
#include "runtime/engine/simulate.h"

struct sl_predictor;

struct sl_prediction {
    bool fits;                  /* peak_bytes <= the limit; policies with a budget: it suffices */
    uint64_t least_limit_bytes; /* with which the policy runs without swap */
    uint64_t peak_bytes;        /* of the process, at this limit */
    uint64_t makespan_ns;       /* of one pass over all networks, cold */
    uint64_t steady_ns;         /* of a later pass, when passes follow one another */
    uint64_t read_bytes, steady_read_bytes;
    uint64_t bound_ns, steady_bound_ns; /* which no schedule beats with this memory */
    uint64_t compute_ns;                /* runs alone */
    struct sl_budget budget;            /* as the engine will divide it for later passes */
    uint64_t slot_bytes, pinned_bytes;  /* see struct sl_engine_facts */
    /* Share of a cold pass, and of later ones, in which computing waited for weights. */
    double reads_bind, steady_reads_bind;
};

/* Run times per layer are those kept beside each pack for this many threads, else estimated from
 * FLOPs (then *estimated is true). threads 0: the CPUs this process may use. Packs are borrowed. */
int sl_predictor_create(const struct sl_pack *const *packs, int count, int threads,
                        const struct sl_device_model *device, struct sl_predictor **predictor,
                        bool *estimated, struct sl_error *error);
void sl_predictor_free(struct sl_predictor *predictor);
/* What the process that will run holds besides networks, in place of what one such as this would be
 * charged in a group of its own (sl_budget_charged). */
void sl_predictor_set_process(struct sl_predictor *predictor, uint64_t bytes);
/* What the loader that will be used has for read_ahead_bytes (struct sl_loader); 0 until then. */
void sl_predictor_set_read_ahead(struct sl_predictor *predictor, uint64_t bytes);

/* Every run, and handling, takes `factor` (>= 1) times as long: threads that share fewer
 * processors. */
void sl_predictor_slow_down(struct sl_predictor *predictor, double factor);

/* limit_bytes: of memory for the whole process, UINT64_MAX: none. depth, ahead_bytes: 0 = no bound.
 * What does not fit has no times, but under policies without a budget: as if there were no limit.
 * There must be a network. */
int sl_predict(struct sl_predictor *predictor, const struct sl_policy *policy, uint64_t limit_bytes,
               int depth, uint64_t ahead_bytes, struct sl_prediction *prediction,
               struct sl_error *error);

/* Tells the steps of a first, cold pass. -ENOBUFS when the least budget of the policy does
 * not fit. */
int sl_predict_steps(struct sl_predictor *predictor, const struct sl_policy *policy,
                     uint64_t limit_bytes, int depth, uint64_t ahead_bytes,
                     void (*observe)(void *context, const struct sl_simulated_step *step),
                     void *context, struct sl_error *error);

#endif

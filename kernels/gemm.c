/* The table of back-ends behind the seam of kernels/gemm.h. */
#include "kernels/gemm.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "kernels/gemm_backend.h"
#include "kernels/isa.h"

static void native_run(const struct sl_gemm *gemm, void *scratch)
{
    sl_isa()->gemm(gemm, scratch);
}

static size_t native_scratch_bytes(int64_t columns)
{
    (void)columns;
    /* A vector of slack: the last row is written with whole vectors. */
    return (SL_GEMM_BLOCK_DEPTH * SL_GEMM_PANEL_COLUMNS + SL_ISA_SLACK) * sizeof(float);
}

static void native_pack(const struct sl_gemm *gemm, float *packed)
{
    sl_isa()->gemm_pack(gemm, packed);
}

/* Columns are rounded up to vectors, and each panel has a vector of slack. */
static size_t native_packed_bytes(int64_t depth, int64_t columns)
{
    int64_t vectors = (columns + SL_ISA_SLACK - 1) / SL_ISA_SLACK;
    int64_t most_panels = (columns + SL_GEMM_LEAST_PANEL_COLUMNS - 1) / SL_GEMM_LEAST_PANEL_COLUMNS;
    return (size_t)((depth * vectors + most_panels) * SL_ISA_SLACK) * sizeof(float);
}

static const struct sl_gemm_backend native = {
    .name = "native",
    .run = native_run,
    .scratch_bytes = native_scratch_bytes,
    .pack = native_pack,
    .packed_bytes = native_packed_bytes,
};

static const struct sl_gemm_backend *const backends[] = {&native, &sl_gemm_openblas};

static _Atomic(const struct sl_gemm_backend *) selected = &native;

void sl_gemm_run(const struct sl_gemm *gemm, void *scratch)
{
    atomic_load_explicit(&selected, memory_order_acquire)->run(gemm, scratch);
}

size_t sl_gemm_scratch_bytes(int64_t columns)
{
    return atomic_load_explicit(&selected, memory_order_acquire)->scratch_bytes(columns);
}

void sl_gemm_pack(const struct sl_gemm *gemm, float *packed)
{
    atomic_load_explicit(&selected, memory_order_acquire)->pack(gemm, packed);
}

size_t sl_gemm_packed_bytes(int64_t depth, int64_t columns)
{
    return atomic_load_explicit(&selected, memory_order_acquire)->packed_bytes(depth, columns);
}

const char *sl_gemm_backend(void)
{
    return atomic_load_explicit(&selected, memory_order_acquire)->name;
}

int sl_gemm_select(const char *name, struct sl_error *error)
{
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++) {
        if (strcmp(name, backends[i]->name) != 0)
            continue;
        int code = backends[i]->load ? backends[i]->load(error) : 0;
        if (code == 0)
            atomic_store_explicit(&selected, backends[i], memory_order_release);
        return code;
    }
    return sl_error_set(error, -EINVAL, "no product back-end '%s'; there are: native, openblas",
                        name);
}

void sl_gemm_reference(const struct sl_gemm *gemm)
{
    for (int64_t m = 0; m < gemm->rows; m++) {
        for (int64_t n = 0; n < gemm->columns; n++) {
            float *c = &gemm->c[m * gemm->c_stride + n];
            const float *b = gemm->b + n / gemm->run * gemm->pitch + n % gemm->run;
            double sum = gemm->accumulate ? (double)*c : 0.0;
            for (int64_t k = 0; k < gemm->depth; k++)
                sum +=
                    (double)gemm->a[m * gemm->a_stride + k] *
                    (double)
                        b[k / gemm->taps * gemm->channel_stride + gemm->tap_offset[k % gemm->taps]];
            if (gemm->finish && gemm->bias)
                sum += (double)gemm->bias[m];
            if (gemm->finish && gemm->activation == SL_ACTIVATION_RELU && !(sum > 0))
                sum *= (double)gemm->slope;
            *c = (float)sum;
        }
    }
}

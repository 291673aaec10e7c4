/* A back-end of the product: one file and one line in the table of kernels/gemm.c. */
#ifndef SLUICE_KERNELS_GEMM_BACKEND_H
#define SLUICE_KERNELS_GEMM_BACKEND_H

#include "kernels/gemm.h"

struct sl_gemm_backend {
    const char *name;
    /* Makes it ready when it is selected; NULL: always ready. 0 or -errno. */
    int (*load)(struct sl_error *error);
    /* The contracts of sl_gemm_run, sl_gemm_scratch_bytes, sl_gemm_pack, sl_gemm_packed_bytes. */
    void (*run)(const struct sl_gemm *gemm, void *scratch);
    size_t (*scratch_bytes)(int64_t columns);
    void (*pack)(const struct sl_gemm *gemm, float *packed);
    size_t (*packed_bytes)(int64_t depth, int64_t columns);
};

extern const struct sl_gemm_backend sl_gemm_openblas;

/* Loads OpenBLAS and describes it, "0.3.21, core SkylakeX". -ENOENT when it cannot be loaded. */
int sl_openblas_describe(char *text, size_t size, struct sl_error *error);

#endif

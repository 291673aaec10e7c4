/* The product through OpenBLAS, loaded only when it is selected: its library is tens of megabytes
 * that a cold start would read. One thread per call; sluice divides the work outside. */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernels/gemm_backend.h"

#define LIBRARY "libopenblas.so.0"

/* Rows of B that are written out as a matrix at a time. */
#define BLOCK_DEPTH 512

/* From the CBLAS standard. */
enum { CBLAS_ROW_MAJOR = 101, CBLAS_NO_TRANSPOSE = 111 };
typedef void cblas_sgemm_function(int order, int transpose_a, int transpose_b, int m, int n, int k,
                                  float alpha, const float *a, int lda, const float *b, int ldb,
                                  float beta, float *c, int ldc);

static cblas_sgemm_function *sgemm;
/* Of OpenBLAS; NULL before 0.2. */
static const char *(*core_name)(void), *(*configuration)(void);

static int openblas_load(struct sl_error *error)
{
    if (sgemm)
        return 0;
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return sl_error_set(error, -ENOENT,
                            "cannot load OpenBLAS: %s (Debian: apt-get install libopenblas0)",
                            dlerror());
    cblas_sgemm_function *found = (cblas_sgemm_function *)dlsym(library, "cblas_sgemm");
    void (*set_threads)(int) = (void (*)(int))dlsym(library, "openblas_set_num_threads");
    if (!found || !set_threads) {
        dlclose(library);
        return sl_error_set(error, -ENOENT, LIBRARY " is not OpenBLAS: it lacks %s",
                            found ? "openblas_set_num_threads" : "cblas_sgemm");
    }
    set_threads(1);
    core_name = (const char *(*)(void))dlsym(library, "openblas_get_corename");
    configuration = (const char *(*)(void))dlsym(library, "openblas_get_config");
    sgemm = found; /* the library stays loaded with it */
    return 0;
}

int sl_openblas_describe(char *text, size_t size, struct sl_error *error)
{
    int code = openblas_load(error);
    if (code)
        return code;
    /* "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ..." */
    char version[32] = "";
    if (configuration)
        sscanf(configuration(), "OpenBLAS %31s", version);
    snprintf(text, size, "%s%score %s", version, *version ? ", " : "",
             core_name ? core_name() : "unknown");
    return 0;
}

static size_t openblas_scratch_bytes(int64_t columns)
{
    return (size_t)columns * BLOCK_DEPTH * sizeof(float);
}

/* Rows [k, k + depth) of B as a row-major matrix. */
static void write_out(const struct sl_gemm *gemm, int64_t k, int64_t depth, float *matrix)
{
    for (int64_t i = k; i < k + depth; i++) {
        const float *row =
            gemm->b + i / gemm->taps * gemm->channel_stride + gemm->tap_offset[i % gemm->taps];
        for (int64_t n = 0; n < gemm->columns;) {
            int64_t in_run = n % gemm->run, left = gemm->columns - n;
            int64_t length = gemm->run - in_run < left ? gemm->run - in_run : left;
            memcpy(matrix, row + n / gemm->run * gemm->pitch + in_run,
                   (size_t)length * sizeof *matrix);
            matrix += length;
            n += length;
        }
    }
}

static void finish(const struct sl_gemm *gemm)
{
    for (int64_t m = 0; m < gemm->rows; m++) {
        float *c = gemm->c + m * gemm->c_stride;
        const float bias = gemm->bias ? gemm->bias[m] : 0.0f;
        for (int64_t n = 0; n < gemm->columns; n++) {
            float value = c[n] + bias;
            c[n] = gemm->activation == SL_ACTIVATION_RELU && !(value > 0.0f) ? value * gemm->slope
                                                                             : value;
        }
    }
}

static void openblas_run(const struct sl_gemm *gemm, void *scratch)
{
    float *matrix = scratch;
    const int columns = (int)gemm->columns;
    for (int64_t k = 0; k < gemm->depth; k += BLOCK_DEPTH) {
        int64_t depth = gemm->depth - k < BLOCK_DEPTH ? gemm->depth - k : BLOCK_DEPTH;
        const float *b = matrix;
        if (gemm->packed)
            b = gemm->packed + k * gemm->columns;
        else
            write_out(gemm, k, depth, matrix);
        sgemm(CBLAS_ROW_MAJOR, CBLAS_NO_TRANSPOSE, CBLAS_NO_TRANSPOSE, (int)gemm->rows, columns,
              (int)depth, 1.0f, gemm->a + k, (int)gemm->a_stride, b, columns,
              gemm->accumulate || k > 0 ? 1.0f : 0.0f, gemm->c, (int)gemm->c_stride);
    }
    if (gemm->finish && (gemm->bias || gemm->activation != SL_ACTIVATION_NONE))
        finish(gemm);
}

static void openblas_pack(const struct sl_gemm *gemm, float *packed)
{
    write_out(gemm, 0, gemm->depth, packed);
}

static size_t openblas_packed_bytes(int64_t depth, int64_t columns)
{
    return (size_t)(depth * columns) * sizeof(float);
}

const struct sl_gemm_backend sl_gemm_openblas = {
    .name = "openblas",
    .load = openblas_load,
    .run = openblas_run,
    .scratch_bytes = openblas_scratch_bytes,
    .pack = openblas_pack,
    .packed_bytes = openblas_packed_bytes,
};

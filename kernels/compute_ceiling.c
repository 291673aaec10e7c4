#include "kernels/compute_ceiling.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "kernels/gemm.h"
#include "kernels/isa.h"
#include "kernels/threads.h"
#include "runtime/base/clock.h"

/* The product: rows for every thread, a depth of several blocks, columns that panels divide. */
#define TASK_ROWS  32
#define LEAST_ROWS 1024
#define DEPTH      1024
#define COLUMNS    768
/* The dots: a matrix of rows of this length, a task's rows together as kernels/dots.c takes them.
 */
#define DOTS_DEPTH 4096
#define DOTS_ROWS  16

struct product {
    struct sl_gemm gemm; /* of all rows */
    char *scratch;       /* of all threads */
    size_t scratch_bytes;
};

struct dots {
    const float *matrix, *vector;
    float *result;
};

static void run_product(void *context, int64_t task, int worker)
{
    const struct product *product = context;
    struct sl_gemm gemm = product->gemm;
    gemm.a += task * TASK_ROWS * gemm.a_stride;
    gemm.c += task * TASK_ROWS * gemm.c_stride;
    gemm.rows = TASK_ROWS;
    sl_gemm_run(&gemm, product->scratch + (size_t)worker * product->scratch_bytes);
}

static void run_dots(void *context, int64_t task, int worker)
{
    (void)worker;
    const struct dots *all = context;
    struct sl_row_dots dots = {
        .w = all->matrix + task * DOTS_ROWS * DOTS_DEPTH,
        .w_stride = DOTS_DEPTH,
        .x = all->vector,
        .rows = DOTS_ROWS,
        .depth = DOTS_DEPTH,
        .y = all->result + task * DOTS_ROWS,
    };
    sl_isa()->row_dots(&dots);
}

/* The time of the fastest pass; one at least, and a first one that is not counted. */
static uint64_t fastest_pass(struct sl_threads *threads, int64_t tasks,
                             void (*body)(void *, int64_t, int), void *context, uint64_t budget_ns)
{
    uint64_t least = UINT64_MAX, start = sl_now_ns();
    sl_parallel_for(threads, tasks, body, context);
    for (uint64_t now = sl_now_ns(), end; least == UINT64_MAX || now - start < budget_ns;
         now = end) {
        sl_parallel_for(threads, tasks, body, context);
        end = sl_now_ns();
        least = end - now < least ? end - now : least;
    }
    return least ? least : 1;
}

/* Floats that are neither zero nor denormal, in whole pages. */
static float *new_floats(uint64_t bytes)
{
    void *floats = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (floats == MAP_FAILED)
        return NULL;
    madvise(floats, bytes, MADV_HUGEPAGE);
    memset(floats, 0x3c, bytes);
    return floats;
}

static int measure_product(struct sl_threads *threads, uint64_t budget_ns, double *flops_per_s,
                           struct sl_error *error)
{
    const int count = sl_threads_count(threads);
    const int64_t rows = count * 2 * TASK_ROWS > LEAST_ROWS ? count * 2 * TASK_ROWS : LEAST_ROWS;
    struct product product = {.scratch_bytes = (sl_gemm_scratch_bytes(COLUMNS) + 63) / 64 * 64};
    const uint64_t a_bytes = (uint64_t)rows * DEPTH * sizeof(float),
                   b_bytes = (uint64_t)DEPTH * COLUMNS * sizeof(float),
                   c_bytes = (uint64_t)rows * COLUMNS * sizeof(float),
                   packed_bytes = (sl_gemm_packed_bytes(DEPTH, COLUMNS) + 63) / 64 * 64,
                   scratch_bytes = (uint64_t)count * product.scratch_bytes,
                   slack_bytes = SL_ISA_SLACK * sizeof(float),
                   bytes = a_bytes + b_bytes + c_bytes + packed_bytes + scratch_bytes + slack_bytes;
    float *memory = new_floats(bytes);
    if (!memory)
        return sl_error_set(error, -ENOMEM, "no memory to measure the product with");
    static const int32_t offset;
    float *b = memory + a_bytes / sizeof(float), *packed = b + b_bytes / sizeof(float);
    product.scratch = (char *)packed + packed_bytes;
    product.gemm = (struct sl_gemm){
        .a = memory,
        .a_stride = DEPTH,
        .rows = rows,
        .depth = DEPTH,
        .b = b,
        .b_end = b + b_bytes / sizeof(float),
        .taps = 1,
        .channel_stride = COLUMNS,
        .tap_offset = &offset,
        .columns = COLUMNS,
        .run = COLUMNS,
        .c = (float *)(product.scratch + scratch_bytes),
        .c_stride = COLUMNS,
        .finish = true,
    };
    sl_gemm_pack(&product.gemm, packed);
    product.gemm.packed = packed;
    uint64_t ns = fastest_pass(threads, rows / TASK_ROWS, run_product, &product, budget_ns);
    *flops_per_s = 2.0 * (double)rows * DEPTH * COLUMNS * 1e9 / (double)ns;
    munmap(memory, bytes);
    return 0;
}

static int measure_dots(struct sl_threads *threads, uint64_t memory_bytes, uint64_t budget_ns,
                        double *bytes_per_s, struct sl_error *error)
{
    const uint64_t row_bytes = DOTS_DEPTH * sizeof(float);
    uint64_t tasks = memory_bytes / row_bytes / DOTS_ROWS;
    tasks = tasks ? tasks : 1;
    const uint64_t matrix_bytes = tasks * DOTS_ROWS * row_bytes;
    const uint64_t bytes = matrix_bytes + row_bytes + tasks * DOTS_ROWS * sizeof(float);
    float *memory = new_floats(bytes);
    if (!memory)
        return sl_error_set(error, -ENOMEM, "no memory to measure the dots with");
    struct dots dots = {.matrix = memory, .vector = memory + matrix_bytes / sizeof(float)};
    dots.result = memory + matrix_bytes / sizeof(float) + DOTS_DEPTH;
    uint64_t ns = fastest_pass(threads, (int64_t)tasks, run_dots, &dots, budget_ns);
    *bytes_per_s = (double)matrix_bytes * 1e9 / (double)ns;
    munmap(memory, bytes);
    return 0;
}

int sl_compute_ceiling_measure(int threads, uint64_t memory_bytes, uint64_t budget_ns,
                               struct sl_compute_ceiling *ceiling, struct sl_error *error)
{
    struct sl_threads *team = NULL;
    struct sl_compute_ceiling found;
    int code = sl_threads_create(threads, &team, error);
    if (code == 0)
        code = measure_product(team, budget_ns / 2, &found.flops_per_s, error);
    if (code == 0)
        code = measure_dots(team, memory_bytes, budget_ns / 2, &found.bytes_per_s, error);
    if (code == 0)
        *ceiling = found;
    sl_threads_free(team);
    return code;
}

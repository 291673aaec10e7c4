/* The native product, compiled once per instruction set (kernels/isa_*.c).
 *
 * Loop nest, outside in: a block of k; a panel of columns, packed into a buffer that stays in the
 * first-level cache; tiles of TILE_ROWS rows whose sums stay in registers. A is read in place, as
 * it came from storage; the rows of the next tile are prefetched, since their short pieces are too
 * many streams for the hardware to follow. Between blocks of k the exact partial sums stay in C, so
 * blocking does not change any bit. */
#include <assert.h>

#include "kernels/gemm.h"
#include "kernels/simd.h"

#if defined(__AVX512F__)
#define TILE_ROWS    8
#define TILE_VECTORS 3
#elif defined(__aarch64__)
#define TILE_ROWS    8
#define TILE_VECTORS 2
#elif defined(__AVX2__)
#define TILE_ROWS    4
#define TILE_VECTORS 3
#else
#define TILE_ROWS    4
#define TILE_VECTORS 2
#endif

static_assert(TILE_VECTORS * SL_LANES <= SL_GEMM_PANEL_COLUMNS, "scratch holds a panel");
static_assert(TILE_VECTORS * SL_LANES >= SL_GEMM_LEAST_PANEL_COLUMNS, "packed B holds the slack");

#define PREFETCH_STEP 16 /* floats of a cache line */

struct tile {
    const float *a, *next_a; /* next_a: rows to prefetch meanwhile */
    int64_t a_stride, depth;
    const float *panel;
    float *c;
    int64_t c_stride;
    int last_lanes; /* columns in the last vector, 1..SL_LANES */
    bool accumulate, finish;
    const float *bias;
    enum sl_activation activation;
    float slope;
};

SL_INLINE void tile_step(sl_vector sum[TILE_ROWS][TILE_VECTORS], const float *a, int64_t a_stride,
                         const float *panel_row, const int rows, const int vectors)
{
    sl_vector b[TILE_VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
        b[v] = sl_vector_load(panel_row + v * SL_LANES);
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
        sl_vector weight = sl_vector_all(a[r * a_stride]);
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            sum[r][v] = sl_vector_fma(weight, b[v], sum[r][v]);
    }
}

SL_INLINE void tile_multiply(sl_vector sum[TILE_ROWS][TILE_VECTORS], const struct tile *tile,
                             const int rows, const int vectors)
{
    const float *a = tile->a, *next_a = tile->next_a, *panel = tile->panel;
    const int64_t a_stride = tile->a_stride, width = vectors * SL_LANES;
    int64_t k = 0;
    for (; k + PREFETCH_STEP <= tile->depth; k += PREFETCH_STEP) {
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
            __builtin_prefetch(next_a + r * a_stride + k);
#pragma GCC unroll 4
        for (int i = 0; i < PREFETCH_STEP; i++, panel += width)
            tile_step(sum, a + k + i, a_stride, panel, rows, vectors);
    }
    for (; k < tile->depth; k++, panel += width)
        tile_step(sum, a + k, a_stride, panel, rows, vectors);
}

SL_INLINE void tile_run(const struct tile *tile, const int rows, const int vectors)
{
    sl_vector sum[TILE_ROWS][TILE_VECTORS];
    const int last = vectors - 1;
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
        const float *c = tile->c + r * tile->c_stride;
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            sum[r][v] = (sl_vector){0};
            if (tile->accumulate)
                sum[r][v] = v < last ? sl_vector_load(c + v * SL_LANES)
                                     : sl_vector_load_part(c + v * SL_LANES, tile->last_lanes);
        }
    }
    tile_multiply(sum, tile, rows, vectors);
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
        float *c = tile->c + r * tile->c_stride;
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            sl_vector value = sum[r][v];
            if (tile->finish && tile->bias)
                value += tile->bias[r];
            if (tile->finish && tile->activation == SL_ACTIVATION_RELU)
                value = sl_vector_relu(value, tile->slope);
            if (v < last || tile->last_lanes == SL_LANES)
                sl_vector_store(c + v * SL_LANES, value);
            else
                sl_vector_store_part(c + v * SL_LANES, value, tile->last_lanes);
        }
    }
}

#define DEFINE_TILE(rows, vectors)                                                                 \
    static void tile_##rows##x##vectors(const struct tile *tile)                                   \
    {                                                                                              \
        tile_run(tile, rows, vectors);                                                             \
    }
#define DEFINE_TILES(vectors)                                                                      \
    DEFINE_TILE(1, vectors) DEFINE_TILE(2, vectors) DEFINE_TILE(4, vectors)
DEFINE_TILES(1)
DEFINE_TILES(2)
#if TILE_VECTORS == 3
DEFINE_TILES(3)
#endif
#if TILE_ROWS == 8
DEFINE_TILE(8, 1)
DEFINE_TILE(8, 2)
#if TILE_VECTORS == 3
DEFINE_TILE(8, 3)
#endif
#endif

#if TILE_VECTORS == 3
#define TILES(rows)                                                                                \
    {                                                                                              \
        tile_##rows##x1, tile_##rows##x2, tile_##rows##x3                                          \
    }
#else
#define TILES(rows)                                                                                \
    {                                                                                              \
        tile_##rows##x1, tile_##rows##x2                                                           \
    }
#endif

/* Tallest first; any number of rows is a sum of these heights. */
static const int tile_heights[] = {
#if TILE_ROWS == 8
    8,
#endif
    4, 2, 1};
static void (*const tiles[][TILE_VECTORS])(const struct tile *) = {
#if TILE_ROWS == 8
    TILES(8),
#endif
    TILES(4), TILES(2), TILES(1)};

/* How the columns [first, first + columns) of a row of B are gathered: whole vectors from source
 * to destination, in order. What a vector writes beyond its piece, the next one or the next row
 * overwrites. */
struct gathering {
    int count;
    int32_t destination[SL_GEMM_PANEL_COLUMNS];
    int64_t source[SL_GEMM_PANEL_COLUMNS];
    int64_t columns, reach; /* reach: floats from the row's start that are read */
};

static void plan_gathering(const struct sl_gemm *gemm, int64_t first, int64_t columns,
                           struct gathering *gathering)
{
    gathering->count = 0;
    gathering->columns = columns;
    gathering->reach = 0;
    for (int64_t done = 0; done < columns;) {
        int64_t n = first + done, in_run = n % gemm->run;
        int64_t piece = gemm->run - in_run < columns - done ? gemm->run - in_run : columns - done;
        int64_t source = n / gemm->run * gemm->pitch + in_run;
        for (int64_t x = 0; x < piece; x += SL_LANES) {
            gathering->destination[gathering->count] = (int32_t)(done + x);
            gathering->source[gathering->count++] = source + x;
            if (source + x + SL_LANES > gathering->reach)
                gathering->reach = source + x + SL_LANES;
        }
        done += piece;
    }
}

/* The same row of B column by column, where whole vectors would read beyond the end. */
static void pack_row_exactly(const struct sl_gemm *gemm, const float *row, int64_t first,
                             int64_t columns, float *panel)
{
    for (int64_t n = first; n < first + columns; n++)
        *panel++ = row[n / gemm->run * gemm->pitch + n % gemm->run];
}

SL_INLINE void pack_row(const float *row, const struct gathering *gathering, float *panel)
{
    for (int i = 0; i < gathering->count; i++)
        sl_vector_store(panel + gathering->destination[i],
                        sl_vector_load(row + gathering->source[i]));
}

/* A row that lies in one piece of `vectors` vectors. */
SL_INLINE void pack_whole_row(const float *row, const int vectors, float *panel)
{
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
        sl_vector_store(panel + v * SL_LANES, sl_vector_load(row + v * SL_LANES));
}

/* Rows [k, k + depth) of B at the columns from `first` on, as depth rows of `vectors` vectors. */
SL_INLINE void pack_rows(const struct sl_gemm *gemm, const struct gathering *gathering,
                         int64_t first, int64_t k, int64_t depth, const int vectors,
                         const bool whole, float *panel)
{
    int64_t tap = k % gemm->taps;
    const float *channel = gemm->b + k / gemm->taps * gemm->channel_stride;
    for (int64_t i = 0; i < depth; i++, panel += vectors * SL_LANES) {
        const float *row = channel + gemm->tap_offset[tap];
        if (gathering->reach > gemm->b_end - row)
            pack_row_exactly(gemm, row, first, gathering->columns, panel);
        else if (whole)
            pack_whole_row(row + gathering->source[0], vectors, panel);
        else
            pack_row(row, gathering, panel);
        if (++tap == gemm->taps) {
            tap = 0;
            channel += gemm->channel_stride;
        }
    }
}

static void pack_panel(const struct sl_gemm *gemm, int64_t first, int64_t columns, int64_t k,
                       int64_t depth, int vectors, float *panel)
{
    struct gathering gathering;
    plan_gathering(gemm, first, columns, &gathering);
    bool whole = first / gemm->run == (first + columns - 1) / gemm->run;
    if (!whole)
        pack_rows(gemm, &gathering, first, k, depth, vectors, false, panel);
    else if (vectors == 1)
        pack_rows(gemm, &gathering, first, k, depth, 1, true, panel);
    else if (vectors == 2)
        pack_rows(gemm, &gathering, first, k, depth, 2, true, panel);
    else
        pack_rows(gemm, &gathering, first, k, depth, TILE_VECTORS, true, panel);
}

/* All rows of C at one panel of columns, for one block of k. */
static void multiply_panel(const struct sl_gemm *gemm, struct tile *tile, int vectors, float *c)
{
    const float *a = tile->a;
    int64_t row = 0;
    for (size_t height = 0; row < gemm->rows; height++) {
        int rows = tile_heights[height];
        for (; row + rows <= gemm->rows; row += rows) {
            tile->a = a + row * gemm->a_stride;
            /* Rows beyond the end are never read, only prefetched. */
            int64_t next = row + 2 * rows <= gemm->rows ? row + rows : row;
            tile->next_a = a + next * gemm->a_stride;
            tile->c = c + row * gemm->c_stride;
            tile->bias = gemm->bias ? gemm->bias + row : NULL;
            tiles[height][vectors - 1](tile);
        }
    }
}

/* Panels of about equal width, the wider ones first. */
struct panels {
    int64_t count, vectors;
};

static struct panels panels_of(const struct sl_gemm *gemm)
{
    int64_t vectors = (gemm->columns + SL_LANES - 1) / SL_LANES;
    return (struct panels){(vectors + TILE_VECTORS - 1) / TILE_VECTORS, vectors};
}

static int panel_vectors(const struct panels *panels, int64_t index)
{
    return (int)(panels->vectors / panels->count + (index < panels->vectors % panels->count));
}

/* Each panel of all of B in turn, and a vector of slack behind each. */
static void native_gemm_pack(const struct sl_gemm *gemm, float *packed)
{
    struct panels panels = panels_of(gemm);
    int64_t column = 0;
    for (int64_t i = 0; i < panels.count; i++) {
        int vectors = panel_vectors(&panels, i);
        int64_t left = gemm->columns - column;
        int64_t columns = vectors * SL_LANES < left ? vectors * SL_LANES : left;
        pack_panel(gemm, column, columns, 0, gemm->depth, vectors, packed);
        packed += (gemm->depth * vectors + 1) * SL_LANES;
        column += columns;
    }
}

/* All panels for the block [k, k + tile->depth). */
static void multiply_block(const struct sl_gemm *gemm, struct tile *tile, int64_t k, float *scratch)
{
    struct panels panels = panels_of(gemm);
    const float *packed = gemm->packed;
    int64_t column = 0;
    for (int64_t i = 0; i < panels.count; i++) {
        int vectors = panel_vectors(&panels, i);
        int64_t left = gemm->columns - column;
        int64_t columns = vectors * SL_LANES < left ? vectors * SL_LANES : left;
        if (packed) {
            tile->panel = packed + k * vectors * SL_LANES;
            packed += (gemm->depth * vectors + 1) * SL_LANES;
        } else {
            tile->panel = scratch;
            pack_panel(gemm, column, columns, k, tile->depth, vectors, scratch);
        }
        tile->a = gemm->a + k;
        tile->last_lanes = (int)(columns - (vectors - 1) * SL_LANES);
        multiply_panel(gemm, tile, vectors, gemm->c + column);
        column += columns;
    }
}

static void native_gemm(const struct sl_gemm *gemm, void *scratch)
{
    int64_t blocks = (gemm->depth + SL_GEMM_BLOCK_DEPTH - 1) / SL_GEMM_BLOCK_DEPTH;
    int64_t block_depth = (gemm->depth + blocks - 1) / blocks;
    for (int64_t k = 0; k < gemm->depth; k += block_depth) {
        int64_t depth = block_depth < gemm->depth - k ? block_depth : gemm->depth - k;
        struct tile tile = {
            .a_stride = gemm->a_stride,
            .depth = depth,
            .c_stride = gemm->c_stride,
            .accumulate = gemm->accumulate || k > 0,
            .finish = gemm->finish && k + depth == gemm->depth,
            .activation = gemm->activation,
            .slope = gemm->slope,
        };
        multiply_block(gemm, &tile, k, scratch);
    }
}

#include "kernels/decode.h"

#include "kernels/isa.h"
#include "models/encoding.h"
#include "models/pack.h"
#include "models/pack_format.h"

/* Elements of a task: enough to be worth waking a thread. */
#define TASK_ELEMENTS 16384

int64_t sl_decode_rows_at_once(const struct sl_layer *layer)
{
    if (layer->encoding == SL_ENCODING_F32)
        return 0;
    int64_t rows = sl_pack_rows(layer);
    if (!sl_pack_row_sharded(layer))
        return rows;
    int64_t quantum_values = sl_pack_depth(layer) * SL_ROW_QUANTUM;
    int64_t quanta = (int64_t)(SL_DECODED_BYTES / sizeof(float)) / quantum_values;
    int64_t wanted = (quanta > 1 ? quanta : 1) * SL_ROW_QUANTUM;
    return wanted < rows ? wanted : rows;
}

size_t sl_decode_scratch_bytes(const struct sl_layer *layer)
{
    if (layer->encoding == SL_ENCODING_F32)
        return 0;
    size_t values = (size_t)(sl_decode_rows_at_once(layer) * sl_pack_depth(layer));
    return (values * sizeof(float) + 63) / 64 * 64;
}

struct decoding {
    const struct sl_decode *decode;
    int64_t row, rows, task_rows;
    float *destination;
};

static void decode_task(void *context, int64_t task, int worker)
{
    const struct decoding *decoding = context;
    const struct sl_decode *decode = decoding->decode;
    (void)worker;
    int64_t begin = task * decoding->task_rows;
    int64_t left = decoding->rows - begin;
    int64_t rows = left < decoding->task_rows ? left : decoding->task_rows;
    int64_t first = decoding->row + begin;
    const int64_t stride =
        (int64_t)sl_encoding_row_bytes(decode->encoding, decode->depth, decode->exceptions);
    struct sl_decode_values values = {
        .encoding = decode->encoding,
        .values = (const char *)decode->values + first * stride,
        .count = rows * decode->depth,
        .exceptions = decode->exceptions,
        .destination = decoding->destination + begin * decode->depth,
    };
    if (!sl_encoding_has_scales(decode->encoding)) {
        sl_isa()->decode(&values);
        return;
    }
    values.count = decode->depth;
    for (int64_t r = 0; r < rows; r++) {
        values.scale = decode->scales[first + r];
        sl_isa()->decode(&values);
        values.values = (const char *)values.values + stride;
        values.destination += decode->depth;
    }
}

void sl_decode_rows(const struct sl_decode *decode, int64_t row, int64_t rows, float *destination,
                    struct sl_threads *threads)
{
    struct decoding decoding = {
        .decode = decode,
        .row = row,
        .rows = rows,
        .task_rows = 1 + TASK_ELEMENTS / decode->depth,
        .destination = destination,
    };
    int64_t tasks = (rows + decoding.task_rows - 1) / decoding.task_rows;
    sl_parallel_for(tasks > 1 ? threads : NULL, tasks, decode_task, &decoding);
}

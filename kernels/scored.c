#include "kernels/scored.h"

#include <stdbool.h>

static bool is_better(const struct sl_scored *a, const struct sl_scored *b)
{
    return a->score > b->score || (a->score == b->score && a->index < b->index);
}

static void swap(struct sl_scored *a, struct sl_scored *b)
{
    struct sl_scored kept = *a;
    *a = *b;
    *b = kept;
}

/* Restores the heap with the worst item at its root, below `parent`. */
static void sift_down(struct sl_scored *heap, int64_t count, int64_t parent)
{
    for (;;) {
        int64_t child = 2 * parent + 1;
        if (child >= count)
            return;
        if (child + 1 < count && is_better(&heap[child], &heap[child + 1]))
            child++;
        if (!is_better(&heap[parent], &heap[child]))
            return;
        swap(&heap[parent], &heap[child]);
        parent = child;
    }
}

void sl_scored_select(struct sl_scored *items, int64_t count, int64_t wanted)
{
    if (wanted <= 0)
        return;
    for (int64_t parent = wanted / 2 - 1; parent >= 0; parent--)
        sift_down(items, wanted, parent);
    for (int64_t i = wanted; i < count; i++)
        if (is_better(&items[i], &items[0])) {
            swap(&items[i], &items[0]);
            sift_down(items, wanted, 0);
        }
    for (int64_t last = wanted - 1; last > 0; last--) {
        swap(&items[0], &items[last]);
        sift_down(items, last, 0);
    }
}

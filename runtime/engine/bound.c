#include "runtime/engine/bound.h"

#define BOUND_STEPS_MOST 2000

/* Prefix sums at the merged steps' borders: border k lies before merged step k. */
struct prefix {
    double bytes, run_ns;
};

static size_t merge_steps(const uint64_t *bytes, const uint64_t *run_ns, size_t count,
                          struct prefix prefix[BOUND_STEPS_MOST + 1])
{
    size_t steps = count < BOUND_STEPS_MOST ? count : BOUND_STEPS_MOST;
    size_t step = 0;
    struct prefix sum = {0, 0};
    prefix[0] = sum;
    for (size_t k = 0; k < count; k++) {
        sum.bytes += (double)bytes[k];
        sum.run_ns += (double)run_ns[k];
        if ((k + 1) * steps / count > step)
            prefix[++step] = sum;
    }
    return step;
}

uint64_t sl_bound_ns(const uint64_t *bytes, const uint64_t *run_ns, size_t count,
                     uint64_t memory_bytes, double bytes_per_s, bool cold)
{
    struct prefix prefix[BOUND_STEPS_MOST + 1];
    double best[BOUND_STEPS_MOST + 1];
    size_t steps = merge_steps(bytes, run_ns, count, prefix);
    double ns_per_byte = bytes_per_s > 0 ? 1e9 / bytes_per_s : 0;
    best[0] = 0;
    for (size_t end = 1; end <= steps; end++) {
        best[end] = 0;
        for (size_t begin = 0; begin < end; begin++) {
            double in_memory = cold && begin == 0 ? 0 : (double)memory_bytes;
            double read_ns = (prefix[end].bytes - prefix[begin].bytes - in_memory) * ns_per_byte;
            double stretch_ns = prefix[end].run_ns - prefix[begin].run_ns;
            if (read_ns > stretch_ns)
                stretch_ns = read_ns;
            if (best[begin] + stretch_ns > best[end])
                best[end] = best[begin] + stretch_ns;
        }
    }
    return (uint64_t)best[steps];
}

uint64_t sl_bound_of_networks_ns(const struct sl_bound_steps *networks, int count,
                                 const struct sl_bound_of *of)
{
    uint64_t most_ns = 0, bytes = 0, run_ns = 0;
    for (int n = 0; n < count; n++) {
        const uint64_t own_ns =
            sl_bound_ns(networks[n].bytes, networks[n].run_ns, networks[n].count, of->memory_bytes,
                        of->bytes_per_s, of->cold);
        most_ns = own_ns > most_ns ? own_ns : most_ns;
        for (size_t k = 0; k < networks[n].count; k++) {
            bytes += networks[n].bytes[k];
            run_ns += of->executors == 1 ? networks[n].run_ns[k] : 0;
        }
    }
    const uint64_t all_ns =
        sl_bound_ns(&bytes, &run_ns, 1, of->memory_bytes, of->bytes_per_s, of->cold);
    return all_ns > most_ns ? all_ns : most_ns;
}

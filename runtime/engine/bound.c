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

/* How long so many bytes take at least. */
struct reading {
    double ns_per_byte, throttle_ns_per_byte, burst_ns;
};

static struct reading reading_of(const struct sl_bound_of *of)
{
    const double throttle = of->throttle_bytes_per_s;
    return (struct reading){.ns_per_byte = of->bytes_per_s > 0 ? 1e9 / of->bytes_per_s : 0,
                            .throttle_ns_per_byte = throttle > 0 ? 1e9 / throttle : 0,
                            .burst_ns = (double)of->burst_ns};
}

static double reading_ns(const struct reading *reading, double bytes)
{
    const double device_ns = bytes * reading->ns_per_byte;
    const double throttle_ns = bytes * reading->throttle_ns_per_byte - reading->burst_ns;
    return throttle_ns > device_ns ? throttle_ns : device_ns;
}

static uint64_t network_ns(const struct sl_bound_steps *network, const struct sl_bound_of *of)
{
    struct prefix prefix[BOUND_STEPS_MOST + 1];
    double best[BOUND_STEPS_MOST + 1];
    const struct reading reading = reading_of(of);
    size_t steps = merge_steps(network->bytes, network->run_ns, network->count, prefix);
    best[0] = 0;
    for (size_t end = 1; end <= steps; end++) {
        best[end] = 0;
        for (size_t begin = 0; begin < end; begin++) {
            double in_memory = of->cold && begin == 0 ? 0 : (double)of->memory_bytes;
            double read_ns =
                reading_ns(&reading, prefix[end].bytes - prefix[begin].bytes - in_memory);
            double stretch_ns = prefix[end].run_ns - prefix[begin].run_ns;
            if (read_ns > stretch_ns)
                stretch_ns = read_ns;
            if (best[begin] + stretch_ns > best[end])
                best[end] = best[begin] + stretch_ns;
        }
    }
    return (uint64_t)best[steps];
}

uint64_t sl_bound_ns(const uint64_t *bytes, const uint64_t *run_ns, size_t count,
                     uint64_t memory_bytes, double bytes_per_s, bool cold)
{
    const struct sl_bound_steps network = {bytes, run_ns, count};
    const struct sl_bound_of of = {
        .memory_bytes = memory_bytes, .bytes_per_s = bytes_per_s, .cold = cold};
    return network_ns(&network, &of);
}

/* Of passes that follow one another: each reads what memory does not hold, and what a throttle lets
 * through at once it let through less before. */
static uint64_t steady_reads_ns(uint64_t bytes, const struct sl_bound_of *of)
{
    struct sl_bound_of strict = *of;
    const uint64_t run_ns = 0;
    const struct sl_bound_steps all = {&bytes, &run_ns, 1};
    strict.burst_ns = 0;
    return of->cold ? 0 : network_ns(&all, &strict);
}

uint64_t sl_bound_of_networks_ns(const struct sl_bound_steps *networks, int count,
                                 const struct sl_bound_of *of)
{
    uint64_t most_ns = 0, bytes = 0, run_ns = 0;
    for (int n = 0; n < count; n++) {
        const uint64_t own_ns = network_ns(&networks[n], of);
        most_ns = own_ns > most_ns ? own_ns : most_ns;
        for (size_t k = 0; k < networks[n].count; k++) {
            bytes += networks[n].bytes[k];
            run_ns += of->executors == 1 ? networks[n].run_ns[k] : 0;
        }
    }
    const struct sl_bound_steps all = {&bytes, &run_ns, 1};
    const uint64_t all_ns = network_ns(&all, of), reads_ns = steady_reads_ns(bytes, of);
    most_ns = all_ns > most_ns ? all_ns : most_ns;
    return reads_ns > most_ns ? reads_ns : most_ns;
}

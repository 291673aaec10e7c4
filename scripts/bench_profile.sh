#!/bin/sh
# What measuring costs: SqueezeNet's latency and memory without, with --profile and with --trace,
# interleaved; medians of ratios of neighbouring runs, beside their targets.
# usage: bench_profile.sh BUILD_DIRECTORY
# SLUICE_BENCH_ROUNDS=N (15), SLUICE_BENCH_NETWORK=TOPOLOGY (squeezenet),
# SLUICE_BENCH_STRICT=1   exit 1 when a target is missed
set -eu

build=$1
rounds=${SLUICE_BENCH_ROUNDS:-15}
network=${SLUICE_BENCH_NETWORK:-squeezenet}
work=$(mktemp -d "$build/bench-profile.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
"$build/sluice" synth "$network" -o "$work/net.sluice" >/dev/null

# Watched from outside in every case: what is compared is measuring alone.
measure() {
    mode=$1
    shift
    "$build/sluice" run "$work/net.sluice" --runs 500 --warmup 50 --timeout 600s --top 0 -q \
        -o json "$@" >"$work/record"
    number() { grep -o "\"$1\":[0-9]*" "$work/record" | head -n 1 | cut -d: -f2; }
    echo "$mode $(number latency_p50_ns) $(number peak_bytes)" >>"$work/results"
}

round=0
while [ "$round" -lt "$rounds" ]; do
    measure off
    measure profile --profile
    measure trace --trace "$work/trace.json"
    round=$((round + 1))
done

awk -v rounds="$rounds" -v network="$network" -v strict="${SLUICE_BENCH_STRICT:-0}" '
    function median(values, count,    i, j, held) {
        for (i = 2; i <= count; i++)
            for (j = i; j > 1 && values[j - 1] > values[j]; j--) {
                held = values[j]; values[j] = values[j - 1]; values[j - 1] = held
            }
        return count % 2 ? values[(count + 1) / 2] : (values[count / 2] + values[count / 2 + 1]) / 2
    }
    { count[$1]++; latency[$1, count[$1]] = $2; peak[$1, count[$1]] = $3 }
    END {
        for (i = 1; i <= rounds; i++) { base[i] = latency["off", i]; memory[i] = peak["off", i] }
        base_ms = median(base, rounds) / 1e6; memory_off = median(memory, rounds)
        printf "%s, %d rounds of 500 requests, median latency %.3f ms\n", network, rounds, base_ms
        printf "%-8s  %-22s  %s\n", "mode", "latency (target 1.02)", "memory (target 1 MiB)"
        split("profile trace", modes, " ")
        for (m = 1; m <= 2; m++) {
            for (i = 1; i <= rounds; i++) {
                ratio[i] = latency[modes[m], i] / latency["off", i]
                memory[i] = peak[modes[m], i]
            }
            r = median(ratio, rounds); more = (median(memory, rounds) - memory_off) / 1048576
            printf "%-8s  %-22.4f  %+.2f MiB\n", modes[m], r, more
            missed = missed || r > 1.02 || more > 1
        }
        exit strict && missed
    }' "$work/results"

#!/bin/sh
# The budget engine's figures beside their targets: what fits, how near the bound, whole processes,
# the steady state, and many runs at the least limit. Cells are interleaved over the rounds; figures
# are medians. Needs root (limits and throttles) and a quiet machine.
# usage: bench_budget.sh BUILD_DIRECTORY [ROUNDS [PART...]]
#   parts: fits bound process steady matrix least (default: all)
# SLUICE_BENCH_NETWORKS, SLUICE_BENCH_RATES: what the matrix spans
# SLUICE_BENCH_RUNS: processes at the least limit
set -eu

script=$(cd "$(dirname "$0")" && pwd)/bench_budget.sh
build=$(cd "$1" && pwd)
rounds=${2:-7}
[ $# -ge 2 ] && shift 2 || shift 1
parts=${*:-fits bound process steady matrix least}
sluice=$build/sluice
work=$build/bench_budget
mkdir -p "$work"
XDG_CACHE_HOME=$work/cache
export XDG_CACHE_HOME
mkdir -p "$XDG_CACHE_HOME"

if [ "$(id -u)" != 0 ]; then
    echo "skipped: limits and throttles need root"
    exit 77
fi

field() { # field NAME < record
    grep -o "\"$1\":[0-9]*" | head -n 1 | cut -d : -f 2
}

median() { # of the numbers on stdin
    sort -n | awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : "-" }'
}

pack() { # pack TOPOLOGY: makes it, with measured run times beside it
    [ -f "$work/$1.sluice" ] || "$sluice" synth "$1" -o "$work/$1.sluice" >/dev/null
    [ -f "$work/$1.sluice.times" ] || "$sluice" plan "$work/$1.sluice" -p auto >/dev/null
}

measure_anew() { # measure_anew NETWORK: its run times and the device, whose speeds drift
    fresh_device
    "$sluice" plan "$work/vgg16.sluice" -p auto >/dev/null # on a large file
    rm -f "$work/$1.sluice.times"
    pack "$1"
}

weights() { # bytes of all weights
    "$sluice" inspect "$work/$1.sluice" -o json | field weights_bytes
}

fresh_device() { # the device is measured anew: its rate drifts
    rm -rf "$XDG_CACHE_HOME/sluice"
}

verdict() { # verdict VALUE TARGET: smaller is better
    awk -v v="$1" -v t="$2" 'BEGIN { print (v != "" && v <= t) ? "ok" : "MISSED" }'
}

part_fits() {
    echo "== runs inside the limit, without swap, with the digest of the unlimited run"
    for cell in facenet:40 vgg19:80 resnet50:40; do
        name=${cell%:*} limit=${cell#*:}
        pack "$name"
        free=$("$sluice" run "$work/$name.sluice" --top 0 -q -o json | grep -o '"digest":"[^"]*"')
        record=$("$sluice" run "$work/$name.sluice" --memory "${limit}M" --swap 0 --top 0 -q -o json)
        digest=$(echo "$record" | grep -o '"digest":"[^"]*"')
        peak=$(echo "$record" | field peak_bytes)
        same=no
        [ "$free" = "$digest" ] && same=yes
        echo "$name --memory ${limit}M: $(echo "$record" | grep -o '"status":"[^"]*"')," \
            "peak $((peak / 1024)) KiB of $((limit * 1024))," \
            "swap in $(echo "$record" | field swap_in_bytes), same digest: $same"
    done
}

bound_cells="facenet vgg16 resnet50 inception_v3"
# A virtual machine's host takes free memory back within seconds, and makes it anew at 0.5 GB/s:
# what comes after a pause runs twice.
warm_memory() { # warm_memory NAME LIMIT
    "$sluice" run "$work/$1.sluice" --memory "$2" --swap 0 --top 0 -q >/dev/null
}

part_bound() {
    echo "== auto at 25 % of W + 24 MB, cold, one request: makespan over bound (median of $rounds)"
    : >"$work/bound"
    for name in $bound_cells; do pack "$name"; done
    round=0
    while [ "$round" -lt "$rounds" ]; do
        fresh_device
        for rate in raw 100M 45M; do
            for name in $bound_cells; do
                limit=$(($(weights "$name") / 4 + 24000000))
                throttle=
                [ "$rate" = raw ] || throttle="--read-rate $rate"
                [ "$rate" != raw ] || warm_memory "$name" "$limit"
                # shellcheck disable=SC2086 # two words or none
                record=$("$sluice" run "$work/$name.sluice" --memory "$limit" --swap 0 $throttle \
                    --top 0 -q -o json)
                echo "$name $rate $(echo "$record" | field makespan_ns)" \
                    "$(echo "$record" | field bound_ns)" >>"$work/bound"
            done
        done
        round=$((round + 1))
    done
    for rate in raw 100M 45M; do
        target=1.10
        [ "$rate" = 45M ] && target=1.05
        for name in $bound_cells; do
            ratio=$(awk -v n="$name" -v r="$rate" '$1 == n && $2 == r { print $3 / $4 }' \
                "$work/bound" | median)
            echo "$name $rate: $ratio x bound, target $target: $(verdict "$ratio" "$target")"
        done
    done
}

process_cells="alexnet:none vgg16:none resnet50:none googlenet:none mobilenet:none squeezenet:none
               resnet50:50 resnet50:25"
part_process() {
    echo "== whole process, cold file: wall time against 1.1 x bound + 25 ms (median of $rounds)"
    : >"$work/process"
    for cell in $process_cells; do pack "${cell%:*}"; done
    round=0
    while [ "$round" -lt "$rounds" ]; do
        fresh_device
        "$sluice" plan "$work/vgg16.sluice" -p auto >/dev/null # measures the device
        for cell in $process_cells; do
            name=${cell%:*} percent=${cell#*:}
            dd of="$work/$name.sluice" oflag=nocache conv=notrunc,fdatasync count=0 2>/dev/null
            limit=
            [ "$percent" = none ] ||
                limit="--memory $(($(weights "$name") * percent / 100 + 48000000)) --swap 0"
            # shellcheck disable=SC2086
            record=$("$build/wall_time" "$sluice" run "$work/$name.sluice" $limit --top 0 -q \
                -o json 2>"$work/wall")
            echo "$cell $(cat "$work/wall") $(echo "$record" | field bound_ns)" >>"$work/process"
        done
        round=$((round + 1))
    done
    for cell in $process_cells; do
        awk -v c="$cell" '$1 == c { print ($2 - 1.1 * $3) / 1e6 }' "$work/process" | median |
            awk -v c="$cell" -v w="$(awk -v c="$cell" '$1 == c { print $2 / 1e6 }' \
                "$work/process" | median)" -v b="$(awk -v c="$cell" '$1 == c { print $3 / 1e6 }' \
                "$work/process" | median)" '
            { printf "%s %%: %.1f ms, bound %.1f ms, over 1.1 x bound: %.1f ms, target 25: %s\n",
                c, w, b, $1, $1 <= 25 ? "ok" : "MISSED" }'
    done
}

steady_cells=${SLUICE_BENCH_NETWORKS:-alexnet vgg16 facenet}
steady_median() { # steady_median NETWORK PERCENT HOW FIELD
    awk -v n="$1" -v p="$2" -v h="$3" -v f="$4" '$1 == n && $2 == p && $3 == h { print $f }' \
        "$work/steady" | median
}
part_steady() {
    echo "== 20 requests at 100 MB/s: auto against mapped files without hints (median of $rounds)"
    : >"$work/steady"
    for name in $steady_cells; do
        pack "$name"
        [ -f "$work/$name.lossless.sluice" ] ||
            "$sluice" synth "$name" --encode lossless -o "$work/$name.lossless.sluice" >/dev/null
    done
    round=0
    while [ "$round" -lt "$rounds" ]; do
        for percent in 50 75; do
            for name in $steady_cells; do
                limit=$(($(weights "$name") * percent / 100))
                for how in "auto .sluice --policy auto" "lossless .lossless.sluice --policy auto" \
                    "mapped .sluice --policy bulk --loader mmap --hints none --no-verify"; do
                    # shellcheck disable=SC2086
                    record=$("$sluice" run "$work/$name"${how#* } --memory "$limit" \
                        --swap 0 --read-rate 100M --runs 20 --top 0 -q -o json) || true
                    echo "$name $percent ${how%% *}" \
                        "$(echo "$record" | field latency_p50_ns)" \
                        "$(echo "$record" | field read_bytes)" >>"$work/steady"
                done
            done
        done
        round=$((round + 1))
    done
    for percent in 50 75; do
        target=1.8
        [ "$percent" = 75 ] && target=3
        for name in $steady_cells; do
            mapped=$(steady_median "$name" "$percent" mapped 4)
            for how in auto lossless; do
                awk -v n="$name" -v p="$percent" -v h="$how" -v m="$mapped" -v t="$target" \
                    -v a="$(steady_median "$name" "$percent" $how 4)" \
                    -v r="$(steady_median "$name" "$percent" $how 5)" 'BEGIN {
                    f = a > 0 ? m / a : 0
                    printf "%s %s %%: %s %.0f ms, mapped %.0f ms: %.2f x faster, target %s: %s; %.1f MB read per request\n",
                        n, p, h, a / 1e6, m / 1e6, f, t, (f >= t ? "ok" : "MISSED"), r / 1e6 }'
            done
        done
    done
}

# Of a record's latencies: the only one, or, of those after the first SKIPPED, the mean, as `plan`
# predicts it: without the least and the greatest where only one is skipped.
cold_or_steady() { # cold_or_steady SKIPPED
    sed -n 's/.*"latency_ns":\[\([0-9,]*\)\].*/\1/p' | tr , '\n' | awk -v skipped="$1" '
        NR == 1 { first = $1 }
        NR == skipped + 1 { least = most = $1 }
        NR > skipped {
            n++; sum += $1
            if ($1 < least) least = $1
            if ($1 > most) most = $1
        }
        END {
            if (skipped == 1 && n > 2) { sum -= least + most; n -= 2 }
            if (n) printf "- %.0f\n", sum / n
            else print (NR ? first : "-"), "-"
        }'
}

# Requests of a process whose later ones are measured, and how many of them come before these. A
# throttle lets two slices of 100 ms through at once, and then small networks wait in some requests
# and not in others: twelve slices are read, of which the first two do not count.
several_requests() { # several_requests NETWORK RATE
    weights "$1" | awk -v rate="$2" '{
        slice = rate == "raw" ? 0 : rate * 1e5
        least = rate == "45M" ? 3 : 5
        skipped = 2 * slice > $1 ? int(2 * slice / $1) + 1 : 1
        n = int(12 * slice / $1) + 1
        print (skipped > 1 && n > least ? n : least), skipped }'
}

# Every policy in every cell, in processes of a single request and in those of several, cells in
# another order in every round. Each round begins with what `plan` predicts, from measurements of
# device and run times made then: the machine's speed drifts, so that medians of both are taken over
# the same time. A cell that its limit killed has no times.
matrix_networks=${SLUICE_BENCH_NETWORKS:-lenet squeezenet googlenet resnet50 facenet vgg16}
matrix_rates=${SLUICE_BENCH_RATES:-raw 330M 45M}
matrix_cells() { # matrix_cells NETWORK RATE
    weights=$(weights "$1") limits=none throttle="" several=$(several_requests "$1" "$2")
    skipped=${several#* } several=${several% *}
    for percent in 75 50 25; do limits=$limits,$((weights * percent / 100 + 24000000)); done
    [ "$2" = raw ] || throttle="--read-rate $2"
    rm -f "$work/matrix.jsonl" "$work/plan.jsonl"
    round=1
    while [ "$round" -le "$rounds" ]; do
        measure_anew "$1"
        # shellcheck disable=SC2086 # two words or none
        "$sluice" plan "$work/$1.sluice" -p all --memory $limits $throttle -q -o json \
            >>"$work/plan.jsonl"
        for requests in 1 $several; do
            # shellcheck disable=SC2086
            "$sluice" sweep "$work/$1.sluice" -p all --memory $limits --swap 0 $throttle \
                --requests "$requests" --runs "$round" --order shuffled \
                --results "$work/matrix.jsonl" --resume -q >/dev/null || [ $? = 3 ]
        done
        round=$((round + 1))
    done
    for kind in plan run; do
        [ $kind = plan ] && file=$work/plan.jsonl || file=$work/matrix.jsonl
        while read -r record; do
            limit=$(echo "$record" | field memory_limit)
            percent=none
            [ -z "$limit" ] || percent=$((((limit - 24000000) * 100 + weights / 2) / weights))
            [ $kind = plan ] &&
                times="$(echo "$record" | field latency_ns) $(echo "$record" | field steady_latency_ns)" ||
                times=$(echo "$record" | cold_or_steady "$skipped")
            echo "$kind $1 $2 $percent" \
                "$(echo "$record" | grep -o '"policy":"[^"]*"' | head -n 1 | cut -d '"' -f 4) $times"
        done <"$file"
    done
}

part_matrix() {
    echo "== every policy x limit (per cent of W, + 24 MB) x rate: ms of a single request, and of later ones of several"
    : >"$work/matrix"
    pack vgg16
    for name in $matrix_networks; do
        pack "$name"
        for rate in $matrix_rates; do matrix_cells "$name" "$rate" >>"$work/matrix"; done
    done
    awk -f "$(dirname "$script")/bench_matrix.awk" -v lost="$work/lost" "$work/matrix"
    second_look
}

# Cells that auto lost are run again, in turns with the policy that was best, 15 times: in few rounds
# of many cells the machine's own variation decides, too.
second_look() {
    while read -r name rate percent phase best; do
        limit="" throttle="" requests=1
        [ "$percent" = none ] ||
            limit="--memory $(($(weights "$name") * percent / 100 + 24000000)) --swap 0"
        [ "$rate" = raw ] || throttle="--read-rate $rate"
        several=$(several_requests "$name" "$rate")
        [ "$phase" = single ] || requests=${several% *}
        : >"$work/again"
        i=0
        while [ "$i" -lt 15 ]; do
            for policy in auto "$best"; do
                # shellcheck disable=SC2086 # words or none
                echo "$policy" "$("$sluice" run "$work/$name.sluice" --policy "$policy" $limit \
                    $throttle --runs "$requests" --top 0 -q -o json |
                    cold_or_steady "${several#* }")" >>"$work/again"
            done
            i=$((i + 1))
        done
        awk -v p=auto '$1 == p && $2 + $3 { print $2 + $3 }' "$work/again" | median >"$work/own"
        awk -v p="$best" '$1 == p && $2 + $3 { print $2 + $3 }' "$work/again" | median |
            awk -v c="$name $rate $percent $phase" -v b="$best" -v own="$(cat "$work/own")" '
            { printf "again: %s: auto %.1f ms, %s %.1f ms: %s\n", c, own / 1e6, b, $1 / 1e6,
                (own == "-" || (own > $1 * 1.02 && own > $1 + 3e6) ? "LOST" : "ok") }'
    done <"$work/lost"
}

part_least() {
    runs=${SLUICE_BENCH_RUNS:-500}
    pack lenet
    pack squeezenet
    name=squeezenet
    least=$("$sluice" plan "$work/$name.sluice" -p auto -o json | field least_memory_bytes)
    limit=$((least + 1048576))
    echo "== $runs processes of $name at $((limit / 1024)) KiB, 20 MB/s"
    : >"$work/least"
    i=0
    while [ "$i" -lt "$runs" ]; do
        "$sluice" run "$work/$name.sluice" --memory "$limit" --swap 0 --read-rate 20M --top 0 -q \
            -o json >"$work/record" || true
        echo "$(grep -o '"status":"[^"]*"' "$work/record") $(grep -o '"digest":"[^"]*"' "$work/record")" \
            "$(field latency_p50_ns <"$work/record") $(field swap_in_bytes <"$work/record")" >>"$work/least"
        i=$((i + 1))
    done
    awk '{ print $1, $2 }' "$work/least" | sort | uniq -c
    awk '{ print $3 }' "$work/least" | sort -n | awk '{ v[NR] = $1 } END {
        p50 = v[int((NR + 1) / 2)]; p99 = v[int(NR * 0.99)]
        printf "p50 %.1f ms, p99 %.1f ms, ratio %.3f, target 1.15: %s\n", p50 / 1e6, p99 / 1e6,
            p99 / p50, p99 / p50 <= 1.15 ? "ok" : "MISSED" }'
}

for part in $parts; do
    "part_$part"
done

#!/bin/sh
# tune beside an exhaustive sweep of the same space, in five pairs of network and device: how far
# its choice is from the best (both measured again, in turns) and what it cost, beside the targets:
# within 3 % for at most 20 % of the runs and of the time. Needs root (limits and throttles) and a
# quiet machine; about 10 minutes.
# usage: bench_tune.sh BUILD_DIRECTORY [NETWORK:LIMIT:RATE...]
# SLUICE_BENCH_RUNS: runs of each cell of the sweep (default 3), SLUICE_BENCH_FINAL: of the choice
# and the best (default 9)
set -eu

build=$(cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- squeezenet:16M:20M mobilenet:24M:30M googlenet:24M:45M gendernet:24M:90M \
    resnet50:48M:180M
sluice=$build/sluice
work=$build/bench_tune
runs=${SLUICE_BENCH_RUNS:-3} final=${SLUICE_BENCH_FINAL:-9}
shards='256K 2M'
if ! "$sluice" doctor | grep -q 'cgroup .*memory yes.*read rate yes'; then
    echo "skipped: limits and throttles need rights that are missing; see sluice doctor"
    exit 77
fi
mkdir -p "$work"

# The space, less the shard sizes.
space='--policy auto,window,linear --depth 4,32 --queue-depth 4,32 --loader uring,pread --swap 0'

median() { # of the numbers on stdin
    sort -n | awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : 0 }'
}

option() { # option NAME COMMAND: the value that the command line gives it
    echo "$2" | sed -n "s/.* --$1 \([^ ]*\).*/\1/p"
}

latency() { # latency RUN_ARGUMENTS: ns of one process
    # shellcheck disable=SC2086
    "$sluice" run $1 --top 0 -q -o json | grep -o '"latency_p50_ns":[0-9]*' | cut -d : -f 2
}

# The arguments of `run` for each cell of the sweep, and its median: "MEDIAN ARGUMENTS".
read_sweep() { # read_sweep NETWORK LIMIT RATE < csv
    awk -F, -v net="$1" -v rest="--memory $2 --read-rate $3 --swap 0" -v shards="$shards" '
        NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
        { row[NR - 2] = $0 }
        END {
            packs = split(shards, shard, " ") + 1
            per = (NR - 1) / packs
            for (i = 0; i < NR - 1; i++) {
                split(row[i], f, ",")
                pack = int(i / per)
                name = net (pack ? "-" shard[pack] : "") ".sluice"
                depth = f[at["depth"]]
                if (f[at["median_ns"]] != "")
                    print f[at["median_ns"]], name, "--policy", f[at["policy"]], rest,
                          (depth == "" ? "" : "--depth " depth), "--queue-depth",
                          f[at["queue-depth"]], "--loader", f[at["loader"]]
            }
        }'
}

pair() { # pair NETWORK LIMIT RATE
    cd "$work"
    [ -f "$1.sluice" ] || "$sluice" synth "$1" -o "$1.sluice" >/dev/null
    packs=$1.sluice
    for shard in $shards; do
        [ -f "$1-$shard.sluice" ] || "$sluice" repack "$1.sluice" --shard "$shard" \
            -o "$1-$shard.sluice" >/dev/null
        packs="$packs $1-$shard.sluice"
    done
    # shellcheck disable=SC2086
    "$sluice" tune "$1.sluice" $space --memory "$2" --read-rate "$3" --shard "$(echo "$shards" | tr ' ' ,)" \
        -q -o json >"$1.tune"
    start=$(date +%s%N)
    # shellcheck disable=SC2086
    "$sluice" sweep $packs $space --memory "$2" --read-rate "$3" --runs "$runs" \
        --results "$1.jsonl" --overwrite -q -o csv >"$1.csv" || [ $? = 3 ]
    swept_ns=$(($(date +%s%N) - start))
    command=$(grep -o '"command":"[^"]*"' "$1.tune" | tail -n 1 | sed 's/.*sluice run //; s/"$//')
    tune_runs=$(grep -o '"runs":[0-9]*' "$1.tune" | tail -n 1 | cut -d : -f 2)
    tune_ns=$(grep -o '"took_ns":[0-9]*' "$1.tune" | cut -d : -f 2)
    read_sweep "$1" "$2" "$3" <"$1.csv" | sort -n >"$1.cells"
    best=$(head -n 1 "$1.cells" | cut -d ' ' -f 2-)
    swept_runs=$(wc -l <"$1.jsonl")
    : >"$1.best"
    : >"$1.choice"
    i=0
    while [ $i -lt "$final" ]; do
        latency "$best" >>"$1.best"
        latency "$command" >>"$1.choice"
        i=$((i + 1))
    done
    best_ns=$(median <"$1.best") choice_ns=$(median <"$1.choice")
    echo "$1 in $2 at $3/s: tune chose ${command%% *} $(option policy "$command")," \
        "depth $(option depth "$command"), $(option loader "$command") $(option queue-depth "$command");" \
        "the sweep of $swept_runs runs ${best%% *} $(option policy "$best")," \
        "depth $(option depth "$best"), $(option loader "$best") $(option queue-depth "$best")"
    awk -v c="$choice_ns" -v b="$best_ns" -v tr="$tune_runs" -v sr="$swept_runs" -v tn="$tune_ns" \
        -v sn="$swept_ns" 'BEGIN {
            off = 100 * (c / b - 1); part = 100 * tr / sr; time = 100 * tn / sn
            printf "  %.1f ms beside %.1f ms: %+.1f %% (target 3): %s\n", c / 1e6, b / 1e6, off,
                off <= 3 ? "ok" : "MISSED"
            printf "  cost: %d of %d runs (%.0f %%), %.0f of %.0f s (%.0f %%; target 20): %s\n", tr, sr,
                part, tn / 1e9, sn / 1e9, time, part <= 20 && time <= 20 ? "ok" : "MISSED"
        }'
}

for spec in "$@"; do
    rest=${spec#*:}
    pair "${spec%%:*}" "${rest%%:*}" "${rest#*:}"
done

#!/bin/sh
# The loaders beside fio: the same file, block size and queue depth, O_DIRECT, cold, interleaved.
# usage: bench_loader.sh BUILD_DIRECTORY
# SLUICE_BENCH_FILE=FILE   the file to read; else a VGG-16 pack (or its likeness) is made and removed
# SLUICE_BENCH_RUNS=N      runs of each (15: medians of 5 differ by a third here), SLUICE_BENCH_DEPTH=N (8), SLUICE_BENCH_BLOCK=BYTES
#                          (1048576)
# SLUICE_BENCH_LEAST=R     exit 1 when the ratio of uring to fio is below R
set -eu

build=$1
runs=${SLUICE_BENCH_RUNS:-15}
depth=${SLUICE_BENCH_DEPTH:-8}
block=${SLUICE_BENCH_BLOCK:-1048576}
least=${SLUICE_BENCH_LEAST:-0}
threads=$((depth < 4 ? depth : 4))

if ! command -v fio >/dev/null; then
    echo "bench-loader: fio is not installed; apt-get install fio" >&2
    exit 5
fi

work=$(mktemp -d "$build/bench-loader.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
file=${SLUICE_BENCH_FILE:-}
if [ -z "$file" ]; then
    file=$work/vgg16.sluice
    if ! { [ -x "$build/sluice" ] && "$build/sluice" synth vgg16 -o "$file" >/dev/null 2>&1; }; then
        # 528 shards of 1 MiB: what the weights of VGG-16 take.
        dd if=/dev/urandom of="$file" bs=1048576 count=528 conv=fsync 2>/dev/null
    fi
fi
sync "$file"

# Bytes per second of one fio run: field 7 of its terse output is KiB/s of the reads.
fio_rate() {
    fio --name=loader --filename="$file" --readonly --rw=read --bs="$block" --direct=1 \
        --invalidate=1 --group_reporting --output-format=terse --terse-version=3 "$@" |
        awk -F';' '{ printf "%.0f\n", $7 * 1024 }'
}

one() {
    case $1 in
    uring | pread) "$build/bench_loader" "$1" "$file" "$depth" "$block" | cut -d' ' -f1 ;;
    fio-uring) fio_rate --ioengine=io_uring --iodepth="$depth" ;;
    # As many threads as the pread loader has, each with its part of the file.
    fio-psync) fio_rate --ioengine=psync --thread --numjobs="$threads" --size="$((100 / threads))%" \
        --offset_increment="$((100 / threads))%" ;;
    esac
}

kinds='uring fio-uring pread fio-psync'
i=0
while [ "$i" -lt "$runs" ]; do
    for kind in $kinds; do
        one "$kind" >>"$work/$kind"
    done
    # Whoever comes first finds the device rested: take turns.
    kinds="${kinds#* } ${kinds%% *}"
    i=$((i + 1))
done

median() {
    sort -n "$1" | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

bytes=$(wc -c <"$file")
echo "$bytes bytes, blocks of $block, queue depth $depth, median of $runs interleaved cold runs"
ratio=
for pair in uring:fio-uring pread:fio-psync; do
    ours=$(median "$work/${pair%:*}")
    theirs=$(median "$work/${pair#*:}")
    awk -v o="$ours" -v t="$theirs" -v a="${pair%:*}" -v b="${pair#*:}" \
        'BEGIN { printf "%-6s %7.1f MB/s   %-10s %7.1f MB/s   ratio %.2f\n", a, o / 1e6, b, t / 1e6, o / t }'
    [ -n "$ratio" ] || ratio=$(awk -v o="$ours" -v t="$theirs" 'BEGIN { print o / t }')
done
awk -v r="$ratio" -v l="$least" 'BEGIN { exit r < l }' || {
    echo "bench-loader: uring reads at $ratio of fio's rate, below $least" >&2
    exit 1
}

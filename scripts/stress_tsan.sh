#!/bin/sh
# Runs under ThreadSanitizer what hands work between threads: the thread team, the loaders' threads,
# and the engine with one and with several executors, over all loaders that TSan can follow.
# usage: stress_tsan.sh BUILD_DIRECTORY   (of a build with -fsanitize=thread)
set -u

build=$1
work=$(mktemp -d "$build/stress.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
passed=0 failed=0

# TSan reports to stderr and ends with 66.
check() {
    if TSAN_OPTIONS=halt_on_error=0 "$@" >"$work/out" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "stress-tsan: FAILED ($?): $*"
        cat "$work/out"
    fi
}

for topology in lenet agenet; do
    check "$build/sluice" synth "$topology" -o "$work/$topology.sluice"
done
check "$build/stress_threads" "$work/agenet.sluice"
for policy in bulk linear deepeye deepeye-frugal partial masa window auto; do
    check "$build/sluice" run "$work/lenet.sluice" "$work/agenet.sluice" --policy $policy \
        --loader pread --threads 2 --runs 3 --top 0
done
check "$build/sluice" run "$work/lenet.sluice" --policy deepeye --loader pread --threads 4 --runs 30 --top 0
check "$build/sluice" run "$work/agenet.sluice" --policy partial --loader mmap --threads 2 --runs 3 --top 0
check "$build/sluice" plan "$work/agenet.sluice"
[ -z "${SLUICE_TALLY:-}" ] || echo "$passed $failed 0" >>"$SLUICE_TALLY"
echo "stress-tsan: $passed passed, $failed failed"
[ "$failed" = 0 ]

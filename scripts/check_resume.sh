#!/bin/sh
# Kills a sweep with SIGKILL at random moments and resumes it, again and again, until it is done. Its
# results must then be those of a sweep that nobody disturbed: the same set of (key, run, network),
# none twice, none torn; and no group, swap file or process of a killed one may be left.
# usage: check_resume.sh BUILD_DIRECTORY [RUNS [SEED]]   (default 5 runs; full size takes minutes)
# SLUICE_CHECK_SWAP=SIZE: swap of the cells (default 64M: a swap file each; needs root)
# SLUICE_CHECK_POLICY=P[,P...], SLUICE_CHECK_DEPTH=N[,N...]: theirs (default all, and 1,4,16)
set -eu

sluice=$(cd "$1" && pwd)/sluice
runs=${2:-5}
seed=${3:-$(date +%s)}
swap=${SLUICE_CHECK_SWAP:-64M}
policy=${SLUICE_CHECK_POLICY:-all}
depth=${SLUICE_CHECK_DEPTH:-1,4,16}
work=$(mktemp -d /var/tmp/sluice-resume.XXXXXX)
child=
trap '[ -z "$child" ] || kill "$child" 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cd "$work"
for network in lenet squeezenet mobilenet; do
    "$sluice" synth "$network" -o "$network.sluice" >synth.log
done

# exec: the process that is killed is sluice itself.
sweep() {
    results=$1
    shift
    exec "$sluice" sweep lenet.sluice squeezenet.sluice mobilenet.sluice --policy "$policy" \
        --memory none,64M,32M,16M --swap "$swap" --depth "$depth" --runs "$runs" \
        --results "$results" "$@"
}

# Network, key, run and part of every line, which must be whole.
names() {
    sed -n 's/^{.*"network":"\([^"]*\)".*"key":"\([^"]*\)","run":\([0-9]*\),"part":\([0-9]*\),.*}$/\1 \2 \3 \4/p' "$1"
}

fault() {
    echo "check_resume: FAILED: $*"
    exit 1
}

status=0
begin=$(date +%s)
(sweep whole.jsonl -q) >whole.table || status=$?
[ "$status" = 0 ] || [ "$status" = 3 ] || fault "the undisturbed sweep ended with $status"
took=$(($(date +%s) - begin))
names whole.jsonl | sort >whole
[ "$(wc -l <whole)" = "$(wc -l <whole.jsonl)" ] || fault "the undisturbed sweep has torn lines"

# Between 50 ms and a twentieth of what is to be done, so that there are enough kills in any form.
delays=$(awk -v seed="$seed" -v took="$took" 'BEGIN {
    srand(seed)
    most = took / 20 > 0.4 ? took / 20 : 0.4
    for (i = 0; i < 10000; i++) printf "%.3f\n", 0.05 + rand() * most }')
kills=0
: >pids
for delay in $delays; do
    status=0
    (sweep parts.jsonl -q --resume 2>>parts.errors) >parts.table &
    child=$!
    sleep "$delay"
    kill -KILL "$child" 2>/dev/null && kills=$((kills + 1))
    wait "$child" || status=$?
    echo "$child" >>pids
    child=
    [ "$status" = 137 ] && continue
    [ "$status" = 0 ] || [ "$status" = 3 ] || fault "a resumed sweep ended with $status: $(tail -n 1 parts.errors)"
    break
done 2>/dev/null
names parts.jsonl | sort >parts
torn=$(grep -c 'cut off in the middle' parts.errors || true)
[ "$(wc -l <parts)" = "$(wc -l <parts.jsonl)" ] || fault "the resumed sweep has torn lines"
[ -z "$(uniq -d parts)" ] || fault "there twice: $(uniq -d parts | head -n 3)"
cmp -s whole parts || fault "other records: $(diff whole parts | head -n 3)"
(sweep parts.jsonl --resume) 2>resumed >/dev/null || true
grep -q 'warning' resumed && fault "the finished file is read with: $(grep warning resumed)"
while read -r pid; do
    for left in /sys/fs/cgroup/sluice-"$pid"-* /sys/fs/cgroup/*/sluice-"$pid"-* \
        /sys/fs/cgroup/*/*/sluice-"$pid"-* /var/tmp/sluice-swap-"$pid"-*; do
        [ ! -e "$left" ] || fault "left behind: $left"
    done
    grep -q "sluice-swap-$pid-" /proc/swaps && fault "left behind: a swap area of $pid"
    [ ! -d "/proc/$pid" ] || fault "left behind: process $pid"
done <pids
echo "check_resume: ok: $(wc -l <parts) records of $runs runs, killed $kills times (seed $seed," \
    "torn lines cut off: $torn), undisturbed in $took s"

#!/bin/sh
# The shape of the published result: AgeNet, GenderNet and FaceNet as one batch, storage of 100 MB/s,
# temporary swap, the four published policies over several limits: ten images for each network on a
# fifth of a processor, and one image at full speed; and without limits on the storage as it is.
# Repetitions are interleaved. Cells tell seconds from the arrival of the batch to its last result,
# median (least-greatest), then MiB swapped in and out when there were any, and how often the limit
# ended it. Needs root and about five minutes for each repetition, on a machine that does nothing else.
# usage: published.sh BUILD_DIRECTORY [REPETITIONS]
set -eu

sluice=$1/sluice
repetitions=${2:-5}
topologies=$(cd "$(dirname "$0")/../models/topologies" && pwd)
work=$1/published
policies=partial,bulk,deepeye,linear
slow_limits=none,256M,170M,96M,64M,48M
limits=none,384M,256M,170M,96M
rate=100M
cpus=0.2
mkdir -p "$work"
cd "$work"
case $sluice in /*) ;; *) sluice=$OLDPWD/$sluice ;; esac

"$sluice" doctor | grep -q 'cgroup .*memory yes, swap yes, read rate yes' && [ "$(id -u)" = 0 ] || {
    echo "skipped: this needs root, and cgroups with memory, swap and read rate; \`sluice doctor\`"
    exit 77
}

# Seeds differ: AgeNet and GenderNet have layers of the same names and shapes, which would get the
# same weights, and what is the same is read once.
seed=0
for network in agenet gendernet facenet; do
    seed=$((seed + 1))
    "$sluice" synth $network --seed $seed -q -o $network.sluice >/dev/null
    sed 's/dim: 1 dim: 3 /dim: 10 dim: 3 /' "$topologies/$network.prototxt" >$network.prototxt
    "$sluice" synth --prototxt $network.prototxt --seed $seed -q -o $network-10.sluice >/dev/null
done

# One line per cell: policy, limit, how it ended, makespan, bytes swapped in and out.
cells() {
    grep '"network":"AgeNet"' "$1" | while read -r record; do
        # The first of that name: samples over time have some of them too.
        value() { echo "$record" | grep -o "\"$1\":\"*[a-z0-9]*" | head -n 1 | sed 's/.*[:"]//'; }
        echo "$(value policy) $(value memory_limit) $(value status) $(value makespan_ns)" \
            "$(value swap_in_bytes) $(value swap_out_bytes)"
    done
}

table() {
    echo "| limit | $(echo $policies | sed 's/,/ | /g') |"
    echo "|---|---|---|---|---|"
    cells "$1" | awk -v policies=$policies '
        function median(list,    count, values, i, j, t) {
            count = split(list, values, " ")
            for (i = 2; i <= count; i++)
                for (j = i; j > 1 && values[j] + 0 < values[j - 1] + 0; j--) {
                    t = values[j]; values[j] = values[j - 1]; values[j - 1] = t
                }
            least = values[1]; most = values[count]
            return count % 2 ? values[(count + 1) / 2] : (values[count / 2] + values[count / 2 + 1]) / 2
        }
        {
            if (!($2 in seen)) { seen[$2] = 1; order[++limits] = $2 }
            cell = $2 " " $1
            ran[cell]++
            if ($3 != "ok") { failed[cell]++; ending[cell] = $3; next }
            times[cell] = times[cell] " " $4 / 1e9
            swapped[cell] = swapped[cell] " " ($5 + $6) / 1048576
        }
        END {
            count = split(policies, policy, ",")
            for (l = 1; l <= limits; l++) {
                best = 1e9
                for (p = 1; p <= count; p++) {
                    cell = order[l] " " policy[p]
                    if (!failed[cell] && median(times[cell]) < best) best = median(times[cell])
                }
                line = order[l] == "null" ? "| none" : "| " order[l] / 1048576 " MiB"
                for (p = 1; p <= count; p++) {
                    cell = order[l] " " policy[p]
                    if (failed[cell] == ran[cell]) { line = line " | " ending[cell]; continue }
                    time = median(times[cell])
                    text = sprintf("%.2f", time)
                    if (time == best) text = "**" text "**"
                    text = text sprintf(" (%.2f-%.2f)", least, most)
                    swap = median(swapped[cell])
                    if (swap >= 1) text = text sprintf(", %.0f", swap)
                    if (failed[cell]) text = text ", " ending[cell] " " failed[cell] " of " ran[cell]
                    line = line " | " text
                }
                print line " |"
            }
        }'
}

: >slow.jsonl
: >limited.jsonl
: >fast.jsonl
: >ten.jsonl
for repetition in $(seq "$repetitions"); do
    echo "repetition $repetition of $repetitions, load $(cut -d' ' -f1 /proc/loadavg)" >&2
    # 3: a cell that its limit killed is a result.
    "$sluice" run agenet-10.sluice gendernet-10.sluice facenet-10.sluice --policy $policies \
        --memory $slow_limits --swap 1G --read-rate $rate --cpus $cpus -q -o json >>slow.jsonl ||
        [ $? = 3 ]
    "$sluice" run agenet.sluice gendernet.sluice facenet.sluice --policy $policies \
        --memory $limits --swap 1G --read-rate $rate -q -o json >>limited.jsonl || [ $? = 3 ]
    "$sluice" run agenet.sluice gendernet.sluice facenet.sluice --policy $policies --threads 1 \
        -q -o json >>fast.jsonl
    "$sluice" run agenet-10.sluice gendernet-10.sluice facenet-10.sluice --policy $policies \
        --threads 1 -q -o json >>ten.jsonl
done

echo "Ten images, $cpus processors, storage of $rate bytes per second, swap of 1 GiB:"
echo
table slow.jsonl
echo
echo "One image at full speed, storage of $rate bytes per second, swap of 1 GiB:"
echo
table limited.jsonl
echo
echo "Storage at its own speed, one thread:"
echo
table fast.jsonl
echo
echo "The same, ten images for each network:"
echo
table ten.jsonl
echo
sed -n 's/.*"context":{\(.*\)}}*$/\1/p' limited.jsonl | head -n 1

#!/bin/sh
# The published experiment and its report: AgeNet, GenderNet, FaceNet, SoS and SoS_GoogleNet as one
# batch of synthetic packs, ten images each, under the published policies and sluice's own, from
# 4 GB to 128 MB of memory, on this machine and on emulated devices. Everything lies in
# BUILD_DIRECTORY/paper (paper-quick): records, report.html, tables.md, tables.tex, cells.csv and
# the figures. What a broken run has measured stays; the next one goes on from there. Needs root and
# a machine that does nothing else: some hours, or ten minutes with --quick. 77: this machine cannot.
# usage: paper.sh BUILD_DIRECTORY [--quick]
set -eu

here=$(cd "$(dirname "$0")" && pwd)
topologies=$here/../../models/topologies
sluice=$(cd "$1" && pwd)/sluice
case ${2:-} in
'') form=full work=$1/paper ;;
--quick) form=quick work=$1/paper-quick ;;
*) echo "usage: paper.sh BUILD_DIRECTORY [--quick]" >&2; exit 2 ;;
esac

lacks() {
    echo "skipped: this needs $1"
    exit 77
}
[ "$(id -u)" = 0 ] || lacks "root, for control groups and swap files"
doctor=$("$sluice" doctor || true)
for controller in memory swap 'read rate' cpu cores; do
    echo "$doctor" | grep -q "cgroup .*$controller yes" ||
        lacks "a cgroup controller for: $controller; \`sluice doctor\` says how to get it"
done
[ $form = quick ] || echo "$doctor" | grep -q '^ok *zram' || lacks "zram; see \`sluice doctor\`"
command -v gnuplot >/dev/null || lacks "gnuplot: apt-get install gnuplot-nox"

mkdir -p "$work"
cp "$here/$form.yaml" "$here/board.yaml" "$work"
cd "$work"

# Seeds differ: AgeNet and GenderNet have layers of the same names and shapes, which would get the
# same weights, and what is the same is read once.
seed=0
for network in agenet gendernet facenet sos sos_googlenet; do
    seed=$((seed + 1))
    [ ! -f $network.sluice ] || continue
    sed 's/dim: 1 dim: 3 /dim: 10 dim: 3 /' "$topologies/$network.prototxt" >$network.prototxt
    "$sluice" synth --prototxt $network.prototxt --seed $seed -q -o $network.sluice >/dev/null
done

status=0
"$sluice" sweep $form.yaml --results results.jsonl --resume -o md >cells.md || status=$?
# 3: what a limit or the clock ended is a result.
case $status in 0 | 3) ;; *) exit $status ;; esac

"$sluice" report results.jsonl -o report.html
"$sluice" report results.jsonl -q -f md -o tables.md
"$sluice" report results.jsonl -q -f latex -o tables.tex
"$sluice" report results.jsonl -q -f csv -o cells.csv
"$sluice" report results.jsonl -q -f svg -o figures
"$sluice" report results.jsonl -q -f png -o figures
cat tables.md
echo
echo "report: $PWD/report.html; tables and figures beside it"

# Each mistake: one clear line, where to read on, exit 2.
try() {
    "$SLUICE" "$@" 2>&1 && echo "accepted: $*"
    echo "-> $?"
}
"$SLUICE" synth lenet -o lenet.sluice >/dev/null
try rum
try version
try sweep job.yaml
try swep job.yaml
try run lenet.sluice --polcy linear
try run lenet.sluice --policy liner
try run lenet.sluice --loader urin
try run lenet.sluice --hints willneed
try run lenet.sluice --loader mmap --hints wilneed
try run lenet.sluice --memory lots
try run lenet.sluice --memory 1M
try run lenet.sluice --runs 0
try run lenet.sluice --runs
try run lenet.sluice -o jsn
try run lenet.sluice -x
try run
try inspect lenet.sluice more
try list polices
SLUICE_MEMORY=lots try plan lenet.sluice
SLUICE_POLICY=liner try inspect lenet.sluice
try synth lenett -o x.sluice
try synth lenet
try repack lenet.sluice
try import a.prototxt b.caffemodel
try synth lenet --shard 0 -o x.sluice
try repack lenet.sluice --shard 0 -o x.sluice
try import lenet.sluice --shard 0 -o x.sluice
try import lenet.sluice --scale 0 -o x.sluice
try import lenet.sluice --scale 1e-60 -o x.sluice
try run lenet.sluice --timeout soon
latin=$(printf 'caf\351')
try run "$latin.sluice"
try run lenet.sluice --output "$latin"
SLUICE_OUTPUT=$latin try run lenet.sluice
SLUICE_OUTPUT=$latin try run --help | tail -n 1
for flag in --depth=3 --swap=0; do
    { "$SLUICE" run lenet.sluice --policy bulk $flag >/dev/null; } 2>&1
done
{ "$SLUICE" run lenet.sluice --policy bulk,window --depth 3 >/dev/null; } 2>&1
{ "$SLUICE" run lenet.sluice --policy bulk,masa --budget 64M >/dev/null; } 2>&1
for given in 'auto,masa 64M' 'linear auto' 'linear 64M -q'; do
    # shellcheck disable=SC2086
    set -- $given
    { "$SLUICE" run lenet.sluice --policy "$1" --budget "$2" ${3:+"$3"} >/dev/null; } 2>&1
done
"$SLUICE" sweep lenet.sluice --policy linear,partial --budget 64M,auto --runs 1 2>&1 | grep note
"$SLUICE" sweep lenet.sluice --policy linear,window --budget 64M --runs 1 --overwrite 2>&1 | grep note ||
    echo 'no note: window keeps it'
{ "$SLUICE" run lenet.sluice --batch 8 --runs 3 >/dev/null; } 2>&1
{ "$SLUICE" run lenet.sluice --batch 3 --runs 4 >/dev/null; } 2>&1
{ "$SLUICE" plan lenet.sluice --estimate --policy linear --depth 3 >/dev/null; } 2>&1 | grep -v estimates
{ "$SLUICE" plan lenet.sluice --estimate --policy linear --dot graph -o json >/dev/null; } 2>&1 | grep -v estimates
{ "$SLUICE" inspect lenet.sluice --memory 8M -o csv >/dev/null; } 2>&1
"$SLUICE" doctor missing 2>&1
echo "-> $?"

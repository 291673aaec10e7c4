# What a command reads is not what it writes, by whatever name: refused, and nothing is lost.
try() {
    "$SLUICE" "$@" >out 2>&1
    echo "-> $?"
    grep -v "^Try\|^{" out
}
"$SLUICE" synth lenet -o net.sluice --caffemodel net.caffemodel >/dev/null
cp "$SLUICE_SOURCE/models/topologies/lenet.prototxt" net.prototxt
ln -s net.sluice link.sluice
cat net.* | cksum >before
try import net.prototxt net.caffemodel -o net.caffemodel
try import net.prototxt net.caffemodel -o ./net.prototxt
try synth --prototxt net.prototxt -o net.prototxt
try synth lenet -o new --caffemodel new
try plan net.sluice --policy linear --estimate --dot link.sluice
try run net.sluice --trace net.sluice
try sweep net.sluice --results net.sluice --overwrite
cat net.* | cksum | cmp - before && echo "all is there"
# A device may be both, and what is there may be replaced.
try synth lenet -o /dev/null --caffemodel /dev/null
try synth lenet -o net.sluice
# Nor do outputs of files of the same name replace each other.
mkdir a b
head -c 3136 /dev/zero >a/x.f32
head -c 3136 /dev/zero | tr '\0' '?' >b/x.f32
cp net.sluice a/one.sluice
"$SLUICE" synth lenet --seed 7 -o b/one.sluice >/dev/null
try run net.sluice -i a/x.f32 -i b/x.f32 --output inputs --top 0 -q -o json
try run a/one.sluice b/one.sluice --output packs --top 0 -q -o json
find inputs packs -name '*.npy' | LC_ALL=C sort
cmp -s inputs/x/prob.npy inputs/x-2/prob.npy || echo "two inputs"
cmp -s packs/one/prob.npy packs/one-2/prob.npy || echo "two networks"

# What a command reads is not what it writes, by whatever name: refused, and nothing is lost.
try() {
    "$SLUICE" "$@" >out 2>&1
    echo "-> $?"
    grep -v "^Try" out
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

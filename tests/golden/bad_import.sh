# Damaged and hostile networks, weights and means: one line that names the file and the cure, exit
# 1, no pack and no part of one.
try() {
    "$SLUICE" "$@" -o net.sluice >out 2>err
    echo "-> $? $(wc -l <err)"
    cat out err
    find . -name "*sluice*" | grep . && echo "left behind"
    true
}
change() {
    sed "$1" lenet.prototxt >changed.prototxt
    try import changed.prototxt lenet.caffemodel
}
"$SLUICE" synth lenet --caffemodel lenet.caffemodel >/dev/null
cp "$SLUICE_SOURCE/models/topologies/lenet.prototxt" lenet.prototxt

echo "# prototxt"
try import missing.prototxt lenet.caffemodel
: >empty.prototxt
try import empty.prototxt lenet.caffemodel
head -c 300 lenet.prototxt >cut.prototxt
try import cut.prototxt lenet.caffemodel
try import lenet.caffemodel lenet.prototxt
change 's/num_output: 20/num_output: -20/'
change 's/num_output: 20/num_output: 2000000000/'
change 's/num_output: 20/num_output: 21/'
change 's/kernel_size: 5/kernel_size: 500/'
change 's/"Convolution"/"Convolutoin"/'
change 's/bottom: "pool1"/bottom: "pool9"/'
change 's/name: "conv2"/name: "conv9"/'
latin=$(printf 'caf\351')
change "s/name: \"LeNet\"/name: \"$latin\"/"
change "s/name: \"conv2\"/name: \"$latin\"/"
change "s/tom: \"pool1\"/tom: \"$latin\"/; s/top: \"pool1\"/top: \"$latin\"/"

echo "# caffemodel"
try import lenet.prototxt missing.caffemodel
try import lenet.prototxt lenet.prototxt
for bytes in 0 10 1000 100000 1000000; do
    head -c $bytes lenet.caffemodel >cut.caffemodel
    try import lenet.prototxt cut.caffemodel
done
head -c 9000 /dev/zero >zero.caffemodel
try import lenet.prototxt zero.caffemodel
try import lenet.prototxt
: >empty.caffemodel
try import empty.caffemodel
printf '\211HDF\r\n\032\n and more' >net.caffemodel.h5
try import net.caffemodel.h5
try import lenet.prototxt net.caffemodel.h5

echo "# order and resize: words alone are mistakes in the command line"
try import lenet.prototxt lenet.caffemodel --order xyz
try import lenet.prototxt lenet.caffemodel --order rgb
try import lenet.prototxt lenet.caffemodel --resize foo
try import lenet.prototxt lenet.caffemodel --resize none
try import missing.prototxt lenet.caffemodel --resize stretch --crop 8
try import lenet.prototxt lenet.caffemodel --encode f16 --input missing.jpg
try synth lenet --encode f16 --input data=missing.jpg

echo "# mean, labels"
try import lenet.prototxt lenet.caffemodel --mean missing.binaryproto
try import lenet.prototxt lenet.caffemodel --mean 1,2,3
try import lenet.prototxt lenet.caffemodel --mean lenet.prototxt
printf '\012\004\010\001\020\001' >short.binaryproto
try import lenet.prototxt lenet.caffemodel --mean short.binaryproto
try import lenet.prototxt lenet.caffemodel --labels missing.txt
try import lenet.prototxt lenet.caffemodel --labels lenet.caffemodel

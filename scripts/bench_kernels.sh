#!/bin/sh
# Warm compute of the kernels beside OpenCV's dnn module (Debian: python3-opencv) and ONNX Runtime
# (npm install onnxruntime-node, NODE_PATH=.../node_modules when elsewhere), on the same synthetic
# weights, interleaved; see tests/bench/bench_kernels.py.
# usage: bench_kernels.sh BUILD_DIRECTORY
# SLUICE_BENCH_NETWORKS="..."  which topologies, SLUICE_BENCH_ROUNDS=N (7),
# SLUICE_BENCH_MOST=R          exit 1 when a ratio ours / OpenCV is above R
set -eu

build=$1
networks=${SLUICE_BENCH_NETWORKS:-squeezenet mobilenet googlenet alexnet resnet50 vgg16}
python=${PYTHON:-/usr/bin/python3}

if ! "$python" -c 'import cv2, numpy' 2>/dev/null; then
    echo "bench-kernels: no OpenCV for $python; apt-get install python3-opencv" >&2
    exit 5
fi

onnx=yes
if ! node -e 'require("onnxruntime-node")' 2>/dev/null; then
    onnx=no
    echo "bench-kernels: no ONNX Runtime column: npm install onnxruntime-node, and set NODE_PATH" \
        "to its node_modules" >&2
fi

work=$(mktemp -d "$build/bench-kernels.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
failed=0
heading=
for network in $networks; do
    "$build/sluice" synth "$network" -o "$work/$network.sluice" \
        --caffemodel "$work/$network.caffemodel" >/dev/null
    cp "models/topologies/$network.prototxt" "$work/"
    if [ $onnx = yes ]; then
        "$python" tests/bench/onnx_writer.py "$work/$network.prototxt" \
            "$work/$network.caffemodel" "$work/$network.onnx"
    fi
    SLUICE_BENCH_HEADING=$heading "$python" tests/bench/bench_kernels.py "$build/bench_kernels" \
        "$work" "$network" || failed=1
    heading=no
    rm -f "$work/$network".*
done
exit $failed

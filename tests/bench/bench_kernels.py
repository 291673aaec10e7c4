"""Warm compute of sluice's kernels beside OpenCV's dnn module and, when NETWORK.onnx is there, beside
ONNX Runtime, on the same weights, interleaved.

usage: bench_kernels.py BENCH_PROGRAM DIRECTORY NETWORK...
DIRECTORY holds NETWORK.sluice, NETWORK.caffemodel, NETWORK.prototxt and perhaps NETWORK.onnx.
Prints one row per network and number of threads, after a heading unless SLUICE_BENCH_HEADING=no:
medians in ms, the ratios ours / theirs, the largest difference of the outputs. Exit 1 when the ratio
to OpenCV is above SLUICE_BENCH_MOST (no limit when unset), or when outputs differ by more than 1e-4
of the largest.
"""

import os
import statistics
import subprocess
import sys
import time

import cv2
import numpy

ROUNDS = int(os.environ.get("SLUICE_BENCH_ROUNDS", "7"))
RUNS = 3  # timed runs of each side in a round, after one that is not
PAUSE_S = 0.05  # lets the other side's threads go to sleep


class Program:
    """A program that is asked for one inference at a time and prints its nanoseconds."""

    def __init__(self, command, output):
        self.output = output
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self):
        try:
            self.process.stdin.write("run\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            sys.exit(f"bench-kernels: {self.process.args[0]} ended early")
        return int(line) / 1e6

    def close(self):
        self.process.stdin.close()
        if self.process.wait() != 0:
            sys.exit(f"bench-kernels: {self.process.args[0]} failed")
        return numpy.fromfile(self.output, "<f4")


class OpenCV:
    def __init__(self, base, threads, data):
        cv2.setNumThreads(threads)
        self.net = cv2.dnn.readNetFromCaffe(base + ".prototxt", base + ".caffemodel")
        self.net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
        self.data = data
        self.result = None

    def run(self):
        self.net.setInput(self.data)
        begin = time.perf_counter_ns()
        self.result = self.net.forward()
        return (time.perf_counter_ns() - begin) / 1e6

    def close(self):
        return self.result.reshape(-1)


def input_shape(prototxt):
    """The four numbers of the first shape or the input_dim fields."""
    words = open(prototxt, encoding="utf-8").read().replace(":", " : ").split()
    dims = [int(words[i + 2]) for i, w in enumerate(words) if w in ("dim", "input_dim")][:4]
    return [1] + dims[1:]


def measure(program, base, threads):
    """Medians in ms of ours, OpenCV and ONNX Runtime (None without a file); largest difference."""
    shape = input_shape(base + ".prototxt")
    data = numpy.random.default_rng(1).uniform(-1, 1, shape).astype(numpy.float32)
    files = [base + ".input.f32", base + ".output.f32"]
    data.astype("<f4").tofile(files[0])
    sides = [
        Program([program, base + ".sluice", str(threads)] + files, files[1]),
        OpenCV(base, threads, data),
    ]
    if os.path.exists(base + ".onnx"):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bench_onnx.cjs")
        files[1] = base + ".onnx.f32"
        command = ["node", script, base + ".onnx", str(threads)] + files
        sides.append(Program(command + [str(d) for d in shape], files[1]))
    times = [[] for _ in sides]
    for _ in range(ROUNDS):
        for side, samples in zip(sides, times):
            time.sleep(PAUSE_S)
            side.run()
            samples.extend(side.run() for _ in range(RUNS))
    outputs = [side.close() for side in sides]
    difference = max(abs(outputs[0] - o).max() / max(1.0, abs(o).max()) for o in outputs[1:])
    medians = [statistics.median(samples) for samples in times]
    return medians + [None] * (3 - len(medians)), difference


def main(program, directory, networks):
    most = float(os.environ.get("SLUICE_BENCH_MOST", "inf"))
    failed = False
    if os.environ.get("SLUICE_BENCH_HEADING", "yes") != "no":
        print(f"OpenCV {cv2.__version__}; medians of {ROUNDS * RUNS} warm runs, batch 1; target 1.0")
        print("network      threads   ours ms OpenCV ms  ratio    ORT ms  ratio difference")
    for network in networks:
        for threads in (1, 2):
            base = os.path.join(directory, network)
            (ours, opencv, onnx), difference = measure(program, base, threads)
            beside = f"{onnx:9.2f} {ours / onnx:6.2f}" if onnx else "        -      -"
            print(
                f"{network:12} {threads:7} {ours:9.2f} {opencv:9.2f} {ours / opencv:6.2f} "
                f"{beside} {difference:10.1e}",
                flush=True,
            )
            failed |= ours / opencv > most or not difference <= 1e-4
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))

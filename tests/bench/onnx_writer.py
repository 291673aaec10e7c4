"""Writes a Caffe network (prototxt + caffemodel) as an ONNX file, as far as the benchmarks' networks
need it: so that other runtimes compute the same network. No package but numpy is needed.

usage: onnx_writer.py NET.prototxt NET.caffemodel OUT.onnx
"""

import re
import struct
import sys

import numpy

# ---- prototxt: nested messages as lists of (field, value) ----


def parse_text(text):
    tokens = re.findall(r'"[^"]*"|[{}]|[^\s:{}"]+', re.sub(r"#.*", "", text))

    def message(i):
        fields = []
        while i < len(tokens) and tokens[i] != "}":
            if tokens[i + 1] == "{":
                value, i_next = message(i + 2)
            else:
                value, i_next = tokens[i + 1].strip('"'), i + 1
            fields.append((tokens[i], value))
            i = i_next + 1
        return fields, i

    return message(0)[0]


def every(message, field):
    return [value for name, value in message if name == field]


def one(message, field, default=None):
    values = every(message, field)
    return values[-1] if values else default


def pair(message, field, default):
    """Kernel, stride or pad: `field: n`, twice, or field_h and field_w (kernel_size: kernel_h)."""
    short = field.replace("_size", "")
    both = [int(v) for v in every(message, field)] or [default]
    return [int(one(message, short + "_h", both[0])), int(one(message, short + "_w", both[-1]))]


# ---- protobuf wire format ----


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def read_fields(data):
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        if key & 7 == 2:
            size, at = read_varint(data, at)
            yield key >> 3, data[at : at + size]
            at += size
        elif key & 7 == 0:
            value, at = read_varint(data, at)
            yield key >> 3, value
        else:
            at += 4 if key & 7 == 5 else 8


def read_weights(path):
    """Layer name -> list of arrays. NetParameter.layer 100: name 1, blobs 7 (data 5, shape 7)."""
    weights = {}
    for field, layer in read_fields(memoryview(open(path, "rb").read())):
        if field != 100:
            continue
        name, blobs = "", []
        for inner, value in read_fields(layer):
            if inner == 1:
                name = bytes(value).decode()
            elif inner == 7:
                data, shape = None, []
                for part, content in read_fields(value):
                    if part == 5:
                        data = numpy.frombuffer(content, "<f4")
                    elif part == 7:
                        dims = next(v for f, v in read_fields(content) if f == 1)
                        at = 0
                        while at < len(dims):
                            dim, at = read_varint(dims, at)
                            shape.append(dim)
                blobs.append(data.reshape(shape))
        weights[name] = blobs
    return weights


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def put(field, value):
    """A field whose wire type follows from the value: int, float, str or bytes."""
    if isinstance(value, int):
        return varint(field << 3) + varint(value)
    if isinstance(value, float):
        return varint(field << 3 | 5) + struct.pack("<f", value)
    data = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(data)) + data


# ---- ONNX messages (onnx.proto: ModelProto, GraphProto, NodeProto, ...) ----


def tensor_bytes(name, array):
    array = numpy.ascontiguousarray(array, "<f4")
    dims = b"".join(put(1, int(d)) for d in array.shape)
    return dims + put(2, 1) + put(8, name) + put(9, array.tobytes())


def attribute_bytes(name, value):
    if isinstance(value, float):
        return put(1, name) + put(2, value) + put(20, 1)
    if isinstance(value, int):
        return put(1, name) + put(3, value) + put(20, 2)
    return put(1, name) + b"".join(put(8, int(v)) for v in value) + put(20, 7)


def value_bytes(name, shape):
    dims = b"".join(put(1, put(1, int(d))) for d in shape)
    return put(1, name) + put(2, put(1, put(1, 1) + put(2, dims)))


class Writer:
    """Collects nodes; keeps the current name and shape of each blob (in-place layers rename it)."""

    def __init__(self, weights):
        self.weights = weights
        self.nodes, self.tensors = [], []
        self.names, self.shapes = {}, {}
        self.count = 0

    def constant(self, array):
        name = f"w{len(self.tensors)}"
        self.tensors.append(tensor_bytes(name, array))
        return name

    def node(self, kind, inputs, top, shape, **attributes):
        self.count += 1
        name = f"{top}:{self.count}"
        self.nodes.append(
            b"".join(put(1, i) for i in inputs)
            + put(2, name)
            + put(4, kind)
            + b"".join(put(5, attribute_bytes(k, v)) for k, v in attributes.items())
        )
        self.names[top], self.shapes[top] = name, list(shape)

    # One method per layer type: layer, its input names, input shapes, top.

    def convolution(self, layer, names, shapes, top):
        p = one(layer, "convolution_param")
        kernel, stride = pair(p, "kernel_size", 1), pair(p, "stride", 1)
        pad, blobs = pair(p, "pad", 0), self.weights[one(layer, "name")]
        size = [(s + 2 * q - k) // t + 1 for s, q, k, t in zip(shapes[0][2:], pad, kernel, stride)]
        self.node(
            "Conv",
            names + [self.constant(b) for b in blobs],
            top,
            [shapes[0][0], blobs[0].shape[0]] + size,
            kernel_shape=kernel,
            strides=stride,
            pads=pad + pad,
            group=int(one(p, "group", 1)),
        )

    def pooling(self, layer, names, shapes, top):
        p = one(layer, "pooling_param")
        average = one(p, "pool", "MAX") == "AVE"
        if one(p, "global_pooling") == "true":
            kind = "GlobalAveragePool" if average else "GlobalMaxPool"
            self.node(kind, names, top, shapes[0][:2] + [1, 1])
            return
        kernel, stride, pad = pair(p, "kernel_size", 1), pair(p, "stride", 1), pair(p, "pad", 0)
        size, end = [], []
        for s, q, k, t in zip(shapes[0][2:], pad, kernel, stride):
            out = -(-(s + 2 * q - k) // t) + 1  # Caffe rounds up
            if q and (out - 1) * t >= s + q:
                out -= 1
            size.append(out)
            end.append(max(0, (out - 1) * t + k - s - q))
        self.node(
            "AveragePool" if average else "MaxPool",
            names,
            top,
            shapes[0][:2] + size,
            kernel_shape=kernel,
            strides=stride,
            pads=pad + end,
        )

    def inner_product(self, layer, names, shapes, top):
        blobs = self.weights[one(layer, "name")]
        outputs, inputs = blobs[0].shape[-2:]
        self.node("Flatten", names, top, [shapes[0][0], inputs], axis=1)
        self.node(
            "Gemm",
            [self.names[top]] + [self.constant(b.reshape(b.shape[-2:] if i == 0 else -1))
                                 for i, b in enumerate(blobs)],
            top,
            [shapes[0][0], outputs],
            transB=1,
        )

    def lrn(self, layer, names, shapes, top):
        p = one(layer, "lrn_param")
        self.node(
            "LRN",
            names,
            top,
            shapes[0],
            size=int(one(p, "local_size", 5)),
            alpha=float(one(p, "alpha", 1)),
            beta=float(one(p, "beta", 0.75)),
            bias=float(one(p, "k", 1)),
        )

    def batch_norm(self, layer, names, shapes, top):
        mean, variance, factor = (b.reshape(-1) for b in self.weights[one(layer, "name")][:3])
        factor = 1 / factor[0] if factor[0] else 0.0
        ones = numpy.ones(len(mean), "<f4")
        constants = [ones, 0 * ones, mean * factor, variance * factor]
        self.node(
            "BatchNormalization",
            names + [self.constant(c) for c in constants],
            top,
            shapes[0],
            epsilon=float(one(one(layer, "batch_norm_param", []), "eps", 1e-5)),
        )

    def scale(self, layer, names, shapes, top):
        blobs = [b.reshape(1, -1, 1, 1) for b in self.weights[one(layer, "name")]]
        self.node("Mul", names + [self.constant(blobs[0])], top, shapes[0])
        if len(blobs) > 1:
            self.node("Add", [self.names[top], self.constant(blobs[1])], top, shapes[0])

    def concat(self, _layer, names, shapes, top):
        channels = sum(s[1] for s in shapes)
        self.node("Concat", names, top, [shapes[0][0], channels] + shapes[0][2:], axis=1)

    def eltwise(self, _layer, names, shapes, top):
        self.node("Add", names, top, shapes[0])

    def relu(self, _layer, names, shapes, top):
        self.node("Relu", names, top, shapes[0])

    def softmax(self, _layer, names, shapes, top):
        self.node("Softmax", names, top, shapes[0], axis=1)

    def identity(self, _layer, names, shapes, top):
        self.node("Identity", names, top, shapes[0])

    def add(self, layer):
        kind, top = one(layer, "type"), one(layer, "top")
        if kind == "Input":
            shape = one(one(layer, "input_param"), "shape")
            self.names[top] = top
            self.shapes[top] = [int(d) for d in every(shape, "dim")]
            return
        methods = {
            "Convolution": self.convolution,
            "Pooling": self.pooling,
            "InnerProduct": self.inner_product,
            "LRN": self.lrn,
            "BatchNorm": self.batch_norm,
            "Scale": self.scale,
            "Concat": self.concat,
            "Eltwise": self.eltwise,
            "ReLU": self.relu,
            "Softmax": self.softmax,
            "Dropout": self.identity,
        }
        if kind not in methods:
            sys.exit(f"onnx_writer: no rule for layer type {kind}")
        bottoms = every(layer, "bottom")
        methods[kind](
            layer, [self.names[b] for b in bottoms], [self.shapes[b] for b in bottoms], top
        )


def main(prototxt, caffemodel, output):
    layers = every(parse_text(open(prototxt, encoding="utf-8").read()), "layer")
    writer = Writer(read_weights(caffemodel))
    for layer in layers:
        writer.add(layer)
    first, last = one(layers[0], "top"), one(layers[-1], "top")
    graph = (
        b"".join(put(1, n) for n in writer.nodes)
        + put(2, "network")
        + b"".join(put(5, t) for t in writer.tensors)
        + put(11, value_bytes(first, writer.shapes[first]))
        + put(12, value_bytes(writer.names[last], writer.shapes[last]))
    )
    with open(output, "wb") as file:
        file.write(put(1, 8) + put(7, graph) + put(8, put(2, 13)))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])

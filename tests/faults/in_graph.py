"""Faults in the graph: planted in one that was converted soundly, and proven as if somebody else had converted it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper

from faults.fault import OUTSIDE, Change, Fault, Network
from faults.graph import feed, insert, node, set_attribute, set_weight, weight
from faults.in_module import SMALL, UNUSED
from faults.networks import BILINEAR, NEAREST, PICTURE, RECURRENT, TEXT

LIMIT = 0.6
"""Of a ReLU whose values are at most 0.66 on the examples."""


def perturb_weight(model: ModelProto) -> None:
    name = node(model, "Conv", "conv2").input[1]
    weights = weight(model, name)
    weights[0, 0, 1, 1] += 0.01
    set_weight(model, name, weights)


def nan_weight(model: ModelProto) -> None:
    name = node(model, "Conv", "conv2").input[1]
    weights = weight(model, name)
    weights[0, 0, 1, 1] = np.nan
    set_weight(model, name, weights)


def round_weights(model: ModelProto) -> None:
    for tensor in list(model.graph.initializer):
        set_weight(model, tensor.name, weight(model, tensor.name).astype(np.float16).astype(np.float32))


def lose_bias(model: ModelProto) -> None:
    name = node(model, "Conv", "conv2").input[2]
    set_weight(model, name, np.zeros_like(weight(model, name)))


def lose_last_bias(model: ModelProto) -> None:
    name = node(model, "Gemm", "head").input[2]
    set_weight(model, name, np.zeros_like(weight(model, name)))


def broadcast_bias(model: ModelProto) -> None:
    name = node(model, "Gemm", "head").input[2]
    set_weight(model, name, weight(model, name).mean(keepdims=True))


def transpose_weight(model: ModelProto) -> None:
    name = node(model, "MatMul", "block/mix").input[1]
    set_weight(model, name, weight(model, name).T)


def shift_embedding(model: ModelProto) -> None:
    set_weight(model, "embed.weight", np.roll(weight(model, "embed.weight"), 1, axis=0))


def kill_class(model: ModelProto) -> None:
    for name in node(model, "Gemm", "head").input[1:]:
        values = weight(model, name)
        values[3] = 0
        set_weight(model, name, values)


def forget_statistics(model: ModelProto) -> None:
    *_, mean, variance = node(model, "BatchNormalization").input
    set_weight(model, mean, np.zeros_like(weight(model, mean)))
    set_weight(model, variance, np.ones_like(weight(model, variance)))


def swap_gates(model: ModelProto) -> None:
    """ONNX has the gates of an LSTM as input, output, forget, cell; PyTorch as input, forget, cell, output."""
    for name in node(model, "LSTM").input[1:3]:
        i, o, f, c = np.split(weight(model, name), 4, axis=1)
        set_weight(model, name, np.concatenate([i, f, c, o], axis=1))


def reverse_lstm(model: ModelProto) -> None:
    set_attribute(node(model, "LSTM"), "direction", "reverse")


def attribute(kind: str, path: str, name: str, value: object) -> Change:
    """A change of one attribute."""
    return lambda model: set_attribute(node(model, kind, path), name, value)


def align_corners(model: ModelProto) -> None:
    set_attribute(node(model, "Resize"), "coordinate_transformation_mode", "align_corners")


def limit(model: ModelProto) -> None:
    """As ReLU6 for ReLU, at a limit that few values reach."""
    relu = node(model, "Relu")
    relu.op_type = "Clip"
    for name, value in (("lowest", 0.0), ("highest", LIMIT)):
        model.graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))
        relu.input.append(name)


def lose_shortcut(model: ModelProto) -> None:
    """The sum of the block's branch and of its input becomes the branch alone."""
    add = node(model, "Add", "block/Add")
    add.op_type = "Identity"
    del add.input[0]


def flatten_channels_last(model: ModelProto) -> None:
    flatten = node(model, "Flatten")
    before = flatten.input[0]
    feed(flatten, before, "nhwc")
    insert(
        model.graph, flatten, helper.make_node("Transpose", [before], ["nhwc"], "/flat/Transpose", perm=[0, 2, 3, 1])
    )


def leave_dropout(model: ModelProto) -> None:
    flatten = node(model, "Flatten")
    before = flatten.input[0]
    model.graph.initializer.append(numpy_helper.from_array(np.array(0.2, np.float32), "ratio"))
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "training"))
    feed(flatten, before, "dropped")
    insert(
        model.graph, flatten, helper.make_node("Dropout", [before, "ratio", "training"], ["dropped"], "/drop/Dropout")
    )


def round_input(model: ModelProto) -> None:
    _cast_input(model, node(model, "Conv", "conv1"), TensorProto.FLOAT16, TensorProto.FLOAT)


def cut_integers(model: ModelProto) -> None:
    _cast_input(model, node(model, "Gather", "embed"), TensorProto.INT32, TensorProto.INT64)


def _cast_input(model: ModelProto, user: onnx.NodeProto, there: int, back: int) -> None:
    name = model.graph.input[0].name
    casts = [
        helper.make_node("Cast", [name], ["narrow"], "/CastThere", to=there),
        helper.make_node("Cast", ["narrow"], ["wide"], "/CastBack", to=back),
    ]
    feed(user, name, "wide")
    insert(model.graph, user, *casts)


def narrow_input(model: ModelProto) -> None:
    """The graph takes int32 itself, which suits its Gather."""
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT32


def double_output(model: ModelProto) -> None:
    head = node(model, "Gemm", "head")
    head.output[0] = "narrow"
    model.graph.node.append(helper.make_node("Cast", ["narrow"], ["output"], "/Cast", to=TensorProto.DOUBLE))
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.DOUBLE


def rename_input(model: ModelProto) -> None:
    name = model.graph.input[0].name
    for user in model.graph.node:
        feed(user, name, "pixels")
    model.graph.input[0].name = "pixels"


def lose_input(model: ModelProto) -> None:
    """What the tracing exporter does with an input that nothing needs."""
    del model.graph.input[1]


def swap_outputs(model: ModelProto) -> None:
    one, other = node(model, "Gemm", "topic"), node(model, "Gemm", "mood")
    one.output[0], other.output[0] = other.output[0], one.output[0]


def reorder_outputs(model: ModelProto) -> None:
    outputs = list(model.graph.output)
    del model.graph.output[:]
    model.graph.output.extend(reversed(outputs))


def fix_batch(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 64


def nothing(model: ModelProto) -> None:
    """The graph is sound, but not what was asked for."""


def put_weights_outside(model: ModelProto) -> None:
    """As torch's newer exporter does by default; what is left in the file is a path."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(model, path, **OUTSIDE)
        model.CopyFrom(onnx.load(path, load_external_data=False))


def use_own_domain(model: ModelProto) -> None:
    """An operator that onnxruntime has, and no other engine."""
    gelu = node(model, "Gelu")
    gelu.domain = "com.microsoft"
    del gelu.attribute[:]
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))


def quantise_layer(model: ModelProto) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        quantize_dynamic(model, path, nodes_to_quantize=["/block/mix/MatMul"], weight_type=QuantType.QInt8)
        quantised = onnx.load(path)
    standard = [entry for entry in quantised.opset_import if entry.domain in {"", "ai.onnx"}]
    del quantised.opset_import[:], quantised.graph.value_info[:]
    quantised.opset_import.extend(standard)
    quantised.ir_version = model.ir_version
    model.CopyFrom(quantised)


def use_unknown_value(model: ModelProto) -> None:
    node(model, "Gemm", "head").input[0] = "nowhere"


def _fault(name: str, what: str, change: Change, network: Network = PICTURE, blamed: str | None = None) -> Fault:
    return Fault(name, what, network, blamed, change)


VALUES = [
    _fault("one weight", "0.01 added to one weight of a convolution", perturb_weight, blamed="conv2"),
    _fault("weight NaN", "one weight is NaN", nan_weight, blamed="conv2"),
    _fault("weights in float16", "all weights rounded to float16", round_weights, blamed="conv1"),
    _fault("input in float16", "the input rounded to float16", round_input, blamed="conv1"),
    _fault("bias lost", "a bias of zeros", lose_bias, blamed="conv2"),
    _fault("bias lost, small output", "the same where the output is a few millionths", lose_last_bias, SMALL, "head"),
    _fault("bias broadcast", "one bias for all classes", broadcast_bias, blamed="head"),
    _fault("dead class", "one class always answers 0", kill_class, blamed="head"),
    _fault("weight transposed", "the weight of a square linear layer", transpose_weight, TEXT, "block.mix"),
    _fault("embedding shifted", "every word gets its neighbour's row", shift_embedding, TEXT, "embed"),
    _fault("int8 layer", "one linear layer quantised dynamically", quantise_layer, TEXT, "block.mix"),
    _fault("LSTM gates", "PyTorch's order of gates left as it is", swap_gates, RECURRENT, "lstm"),
    _fault("batch norm statistics", "mean 0 and variance 1", forget_statistics, blamed="norm2"),
]
OPERATORS = [
    _fault(
        "batch norm epsilon", "1e-5 becomes 1e-3", attribute("BatchNormalization", "", "epsilon", 1e-3), blamed="norm2"
    ),
    _fault(
        "layer norm epsilon", "1e-5 becomes 1e-3", attribute("LayerNormalization", "", "epsilon", 1e-3), TEXT, "norm"
    ),
    _fault("GELU", "tanh's approximation", attribute("Gelu", "", "approximate", "tanh"), TEXT, "block.gelu"),
    _fault("leaky ReLU", "a slope of 0.01, not 0.1", attribute("LeakyRelu", "", "alpha", 0.01), blamed="act"),
    _fault("padding", "moved, at the same shape", attribute("Conv", "conv2", "pads", [0, 0, 2, 2]), blamed="conv2"),
    _fault(
        "average pooling", "the padding is counted", attribute("AveragePool", "", "count_include_pad", 1), blamed="pool"
    ),
    _fault("softmax axis", "over the wrong axis", attribute("Softmax", "", "axis", 1), TEXT, "softmax"),
    _fault("align_corners", "of a bilinear enlargement", align_corners, BILINEAR, "up"),
    _fault("nearest mode", "ceil, not floor", attribute("Resize", "", "nearest_mode", "ceil"), NEAREST, "up"),
    _fault("LSTM direction", "from the end to the start", reverse_lstm, RECURRENT, "lstm"),
    _fault("saturation", "a ReLU with an upper limit that few values reach", limit, blamed="relu"),
    _fault("shortcut lost", "a residual block without its shortcut", lose_shortcut, TEXT, "block"),
    _fault("flatten order", "channels last", flatten_channels_last, blamed="flat"),
    # The dropout's input is the right output of the submodule drop: the next one is the first that is not in the graph.
    _fault("dropout left in", "a Dropout node in training mode", leave_dropout, blamed="flat"),
]
INTERFACE = [
    _fault("outputs swapped", "two outputs of one shape carry each other's name", swap_outputs, TEXT),
    _fault("outputs reordered", "the same outputs in another order", reorder_outputs, TEXT),
    _fault("int64 cut", "an int64 input cast to int32 and back", cut_integers, TEXT),
    _fault("int32 input", "the graph takes int32, the module int64", narrow_input, TEXT),
    _fault("double output", "float64 instead of float32", double_output),
    _fault("input renamed", "another name for the input", rename_input),
    _fault("input lost", "an input that nothing needs is not in the graph", lose_input, UNUSED),
    _fault("batch fixed", "the graph says that there are 64 rows", fix_batch),
    Fault("other opset", "17, where 20 was asked for", PICTURE, None, nothing, asked_opset=20),
    _fault("weights outside", "external data in a second file", put_weights_outside),
    _fault("own domain", "an operator that only onnxruntime has", use_own_domain, TEXT),
    _fault("invalid graph", "a node takes a value that nothing makes", use_unknown_value),
]
FAULTS = [*VALUES, *OPERATORS, *INTERFACE]
NETWORKS = {
    "picture": PICTURE,
    "text": TEXT,
    "recurrent": RECURRENT,
    "bilinear": BILINEAR,
    "nearest": NEAREST,
    "unused input": UNUSED,
    "small output": SMALL,
}
SOUND = [
    Fault(name, "the graph as it was converted", network, change=nothing, asked_opset=network.opset)
    for name, network in NETWORKS.items()
]
"""The sound twins: no check should refuse these."""

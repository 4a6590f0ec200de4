"""Graphs that load and then fail, or answer what is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from campaign.hostile import Change, Fate, Hostile, add_to_digit, constant, make_output, node, replace_output

_KINDS = {
    "double": TensorProto.DOUBLE,
    "int64": TensorProto.INT64,
    "half": TensorProto.FLOAT16,
    "bool": TensorProto.BOOL,
}


def _times(name: str, factor: float) -> Change:
    """An output multiplied: by NaN, by infinity, until nothing is finite."""

    def change(model: onnx.ModelProto) -> None:
        make_output(model, name, "Mul", ["raw", constant(model, "factor", factor, np.float32)])

    return change


def _one_value(value: float) -> Change:
    """One logit of the digit is something else."""

    def change(model: onnx.ModelProto) -> None:
        added = [0.0] * 10
        added[3] = value
        make_output(model, "digit", "Add", ["raw", constant(model, "added", [added], np.float32)])

    return change


def _only_noise(model: onnx.ModelProto) -> None:
    """NaN for some pictures alone: the square root of what may be negative."""
    make_output(model, "digit", "Log", ["raw"])


def _wide(width: int) -> Change:
    """The digit's output has another width than it declares, by a shape that is computed."""

    def change(model: onnx.ModelProto) -> None:
        replace_output(model, "digit")
        node(model, "Concat", ["raw"] * (width // 10 + 1), ["wide"], axis=1)
        names = [constant(model, name, [value]) for name, value in (("from", 0), ("to", width), ("axis", 1))]
        node(model, "Shape", ["number"], ["size"])
        node(model, "Mul", ["size", constant(model, "none", [0, 0])], ["naughts"])
        node(model, "ReduceSum", ["naughts"], ["naught"], keepdims=1)
        node(model, "Add", ["to", "naught"], ["until"])
        node(model, "Slice", ["wide", names[0], "until", names[2]], ["digit"])

    return change


def _typed(kind: str) -> Change:
    """An output of another type, declared so."""

    def change(model: onnx.ModelProto) -> None:
        make_output(model, "digit", "Cast", ["raw"], to=_KINDS[kind])
        model.graph.output[0].type.tensor_type.elem_type = _KINDS[kind]

    return change


def _typed_secretly(model: onnx.ModelProto) -> None:
    """An output of another type than it declares."""
    make_output(model, "digit", "Cast", ["raw"], to=TensorProto.DOUBLE)


def _unsqueezed(model: onnx.ModelProto) -> None:
    make_output(model, "digit", "Unsqueeze", ["raw", constant(model, "axis", [0])])


def _no_rows(model: onnx.ModelProto) -> None:
    names = [constant(model, name, [0]) for name in ("from", "to", "axis")]
    make_output(model, "digit", "Slice", ["raw", *names])


def _twice_the_rows(model: onnx.ModelProto) -> None:
    make_output(model, "digit", "Concat", ["raw", "raw"], axis=0)


def _sequence(model: onnx.ModelProto) -> None:
    make_output(model, "digit", "SequenceConstruct", ["raw"])
    kind = helper.make_tensor_type_proto(TensorProto.FLOAT, ["batch", 10])
    model.graph.output[0].type.CopyFrom(helper.make_sequence_type_proto(kind))


def _string(model: onnx.ModelProto) -> None:
    make_output(model, "digit", "Cast", ["raw"], to=TensorProto.STRING)
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.STRING


def _fails(
    operator: str, inputs: list[tuple[str, object, type[np.generic]]], first: str = "image", **given: Any
) -> Change:
    """An operator that loads, and fails when it runs: nothing is known beforehand of its first input."""

    def change(model: onnx.ModelProto) -> None:
        node(model, "Shape", ["image"], ["size"])
        node(model, "Reshape", ["image", "size"], ["unknown"])
        names = [constant(model, name, value, kind) for name, value, kind in inputs]
        node(model, operator, ["unknown" if first == "image" else first, *names], ["failed"], **given)
        node(model, "Cast", ["failed"], ["large"], to=TensorProto.FLOAT)
        add_to_digit(model, "large")

    return change


def _computed_reshape(model: onnx.ModelProto) -> None:
    node(model, "Shape", ["number"], ["size"])
    node(model, "Mul", ["size", constant(model, "times", [7, 13])], ["sizes"])
    node(model, "Reshape", ["image", "sizes"], ["large"])
    add_to_digit(model, "large")


def _computed_product(model: onnx.ModelProto) -> None:
    node(model, "Shape", ["number"], ["size"])
    node(model, "Add", ["size", constant(model, "more", [3, 1])], ["sizes"])
    node(model, "ConstantOfShape", ["sizes"], ["matrix"])
    node(model, "MatMul", ["number", "matrix"], ["large"])
    add_to_digit(model, "large")


def _whole_division(model: onnx.ModelProto) -> None:
    node(model, "Shape", ["image"], ["size"])
    node(model, "Mul", ["size", constant(model, "none", [0])], ["naughts"])
    node(model, "Div", ["size", "naughts"], ["divided"])
    node(model, "Cast", ["divided"], ["large"], to=TensorProto.FLOAT)
    add_to_digit(model, "large")


def _whole_rest(model: onnx.ModelProto) -> None:
    node(model, "Shape", ["image"], ["size"])
    node(model, "Mul", ["size", constant(model, "none", [0])], ["naughts"])
    node(model, "Mod", ["size", "naughts"], ["rest"])
    node(model, "Cast", ["rest"], ["large"], to=TensorProto.FLOAT)
    add_to_digit(model, "large")


def _lie(model: onnx.ModelProto) -> None:
    """The digit is the number: wrong, and nothing that a device could know."""
    make_output(model, "digit", "Identity", ["number"])


def _even(model: onnx.ModelProto) -> None:
    make_output(model, "digit", "Mul", ["raw", constant(model, "none", 0, np.float32)])


_INT, _FLOAT = np.int64, np.float32
GRAPHS = (
    *(Hostile(f"digit times {factor}", _times("digit", factor)) for factor in (float("nan"), float("inf"), 1e38)),
    *(Hostile(f"sum times {factor}", _times("sum", factor)) for factor in (float("nan"), float("-inf"), 3e38)),
    *(Hostile(f"one logit is {value}", _one_value(value)) for value in (float("nan"), float("inf"), float("-inf"))),
    Hostile("a logarithm of the digit", _only_noise),
    *(Hostile(f"digit {width} wide", _wide(width)) for width in (0, 1, 9, 11, 40)),
    *(Hostile(f"digit of {kind}", _typed(kind)) for kind in _KINDS),
    Hostile("digit of another type than it declares", _typed_secretly),
    Hostile("digit of three axes", _unsqueezed),
    Hostile("digit without rows", _no_rows),
    Hostile("digit of twice the rows", _twice_the_rows),
    Hostile("digit is a sequence", _sequence),
    Hostile("digit is text", _string),
    Hostile("Gather outside", _fails("Gather", [("at", [99], _INT)])),
    Hostile("GatherND outside", _fails("GatherND", [("at", [[0, 0, 99]], _INT)])),
    Hostile("GatherElements outside", _fails("GatherElements", [("at", [[[[99]]]], _INT)])),
    Hostile("Reshape to what it is not", _fails("Reshape", [("to", [7, 13], _INT)])),
    Hostile("Reshape to what is computed", _computed_reshape),
    Hostile("Expand to what it is not", _fails("Expand", [("to", [3, 3, 3], _INT)])),
    Hostile("Squeeze of an axis that is wide", _fails("Squeeze", [("axis", [2], _INT)])),
    Hostile("Slice by nothing", _fails("Slice", [(n, [v], _INT) for n, v in (("s", 0), ("e", 9), ("a", 2), ("w", 0))])),
    Hostile("Pad below nothing", _fails("Pad", [("pads", [0, 0, -99, 0, 0, 0, 0, 0], _INT)])),
    Hostile("TopK of too many", _fails("TopK", [("k", [1 << 40], _INT)])),
    Hostile("Split into what it is not", _fails("Split", [("parts", [99], _INT)], axis=2)),
    Hostile("a convolution of another width", _fails("Conv", [("w", np.ones((1, 5, 3, 3)), _FLOAT)])),
    Hostile("a product of matrices that do not fit", _computed_product),
    Hostile("Tile by too few", _fails("Tile", [("times", [2], _INT)])),
    Hostile("ScatterND outside", _fails("ScatterND", [("at", [[99]], _INT), ("new", np.ones((1, 1, 28, 28)), _FLOAT)])),
    Hostile("whole numbers divided by nothing", _whole_division, Fate.PROCESS),
    Hostile("the rest of a division by nothing", _whole_rest, Fate.PROCESS),
    Hostile("the number as the digit", _lie, Fate.EITHER),
    Hostile("a digit without opinion", _even, Fate.EITHER),
)
"""Most of them load."""

"""Graphs that would fill the memory, or never end."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from campaign.hostile import Change, Fate, Hostile, add_to_digit, constant, node

HUGE = [1 << 20, 1 << 20]


def _given(operator: str, inputs: list[str], sizes: list[int], **attributes: Any) -> Change:
    """An operator whose last input is the size of what it makes."""

    def change(model: onnx.ModelProto) -> None:
        constant(model, "sizes", sizes)
        constant(model, "one", [[1]], np.float32)
        constant(model, "pair", [[1, 2]], np.float32)
        constant(model, "image4", [[[[1, 2]]]], np.float32)
        node(model, operator, [*inputs, "sizes"], ["large"], **attributes)
        add_to_digit(model, "large")

    return change


def _by_a_constant_node(model: onnx.ModelProto) -> None:
    value = numpy_helper.from_array(np.array(HUGE, np.int64))
    node(model, "Constant", [], ["sizes"], value=value)
    node(model, "ConstantOfShape", ["sizes"], ["large"])
    add_to_digit(model, "large")


def _by_integers(model: onnx.ModelProto) -> None:
    node(model, "Constant", [], ["sizes"], value_ints=HUGE)
    node(model, "ConstantOfShape", ["sizes"], ["large"])
    add_to_digit(model, "large")


def _computed(times: int) -> Change:
    """A size that only running the graph tells."""

    def change(model: onnx.ModelProto) -> None:
        node(model, "Shape", ["image"], ["size"])
        node(model, "Mul", ["size", constant(model, "times", [1, 1, times, times])], ["sizes"])
        node(model, "ConstantOfShape", ["sizes"], ["large"])
        add_to_digit(model, "large")

    return change


def _random(operator: str) -> Change:
    def change(model: onnx.ModelProto) -> None:
        node(model, operator, [], ["large"], shape=HUGE)
        add_to_digit(model, "large")

    return change


def _range(model: onnx.ModelProto) -> None:
    names = [constant(model, name, value, np.float32) for name, value in (("a", 0), ("b", 1e12), ("c", 1))]
    node(model, "Range", names, ["large"])
    add_to_digit(model, "large")


def _one_hot(model: onnx.ModelProto) -> None:
    constant(model, "places", [[0] * 1000])
    constant(model, "depth", 1 << 40)
    constant(model, "off_on", [0, 1], np.float32)
    node(model, "OneHot", ["places", "depth", "off_on"], ["large"])
    add_to_digit(model, "large")


def _pad(model: onnx.ModelProto) -> None:
    constant(model, "pads", [0, 0, 0, 0, 0, 0, 1 << 24, 1 << 24])
    node(model, "Pad", ["image", "pads"], ["large"])
    add_to_digit(model, "large")


def _resize_scales(model: onnx.ModelProto) -> None:
    constant(model, "scales", [1, 1, 1e6, 1e6], np.float32)
    node(model, "Resize", ["image", "", "scales"], ["large"], mode="nearest")
    add_to_digit(model, "large")


def _stated(where: str) -> Change:
    """A shape that is stated and never made."""

    def change(model: onnx.ModelProto) -> None:
        value = helper.make_tensor_value_info("joint", TensorProto.FLOAT, HUGE)
        if where == "value_info":
            model.graph.value_info.append(value)
        else:
            tensor = model.graph.initializer.add(name="promised", data_type=TensorProto.FLOAT, dims=HUGE)
            tensor.raw_data = b"\0" * 16

    return change


def _sparse(model: onnx.ModelProto) -> None:
    values = numpy_helper.from_array(np.ones(1, np.float32), "sparse")
    places = numpy_helper.from_array(np.zeros(1, np.int64), "sparse_places")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, HUGE))
    add_to_digit(model, "sparse")


def _doublings(model: onnx.ModelProto) -> None:
    """Forty Concats of a tensor with itself."""
    name = "image"
    for step in range(40):
        node(model, "Concat", [name, name], [f"twice{step}"], axis=3)
        name = f"twice{step}"
    add_to_digit(model, name)


def _products(model: onnx.ModelProto) -> None:
    """Matrices as large as may be, multiplied for hours."""
    constant(model, "sizes", [12_000, 12_000])
    node(model, "ConstantOfShape", ["sizes"], ["m0"], value=numpy_helper.from_array(np.array([1e-5], np.float32)))
    node(model, "ReduceMax", ["image"], ["some"], keepdims=0)
    node(model, "Add", ["m0", "some"], ["m1"])
    for step in range(1, 200):
        node(model, "MatMul", [f"m{step}", "m1"], [f"m{step + 1}"])
    add_to_digit(model, "m200")


def _body(name: str) -> onnx.GraphProto:
    nodes = [helper.make_node("Identity", ["on"], ["still"]), helper.make_node("Identity", ["x"], ["y"])]
    inputs = [
        helper.make_tensor_value_info("turn", TensorProto.INT64, []),
        helper.make_tensor_value_info("on", TensorProto.BOOL, []),
        helper.make_tensor_value_info("x", TensorProto.FLOAT, None),
    ]
    outputs = [
        helper.make_tensor_value_info("still", TensorProto.BOOL, []),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
    ]
    return helper.make_graph(nodes, name, inputs, outputs)


def _loop(times: int | None) -> Change:
    def change(model: onnx.ModelProto) -> None:
        count = "" if times is None else constant(model, "times", times)
        constant(model, "yes", True, np.bool_)
        node(model, "Loop", [count, "yes", "image"], ["large"], body=_body("turn"))
        add_to_digit(model, "large")

    return change


def _loop_in_a_branch(model: onnx.ModelProto) -> None:
    constant(model, "yes", True, np.bool_)
    constant(model, "times", (1 << 62))
    looped = helper.make_node("Loop", ["times", "yes", "image"], ["deep"], body=_body("turn"))
    outputs = [helper.make_tensor_value_info("deep", TensorProto.FLOAT, None)]
    branches = [helper.make_graph([looped], name, [], outputs) for name in ("then", "else")]
    node(model, "If", ["yes"], ["large"], then_branch=branches[0], else_branch=branches[1])
    add_to_digit(model, "large")


def _scan(model: onnx.ModelProto) -> None:
    constant(model, "sizes", [1 << 27])
    node(model, "ConstantOfShape", ["sizes"], ["steps"])
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Add", ["s", "e"], ["t"]), helper.make_node("Identity", ["e"], ["f"])],
        "step",
        [value("s", TensorProto.FLOAT, [1]), value("e", TensorProto.FLOAT, [1])],
        [value("t", TensorProto.FLOAT, [1]), value("f", TensorProto.FLOAT, [1])],
    )
    constant(model, "start", [0], np.float32)
    constant(model, "column", [-1, 1])
    node(model, "Reshape", ["steps", "column"], ["rows"])
    node(model, "Scan", ["start", "rows"], ["end", "all"], body=body, num_scan_inputs=1)
    add_to_digit(model, "end")


def _loop_in_a_function(model: onnx.ModelProto) -> None:
    constant(model, "yes", True, np.bool_)
    constant(model, "times", (1 << 62))
    turning = helper.make_node("Loop", ["n", "c", "v"], ["w"], body=_body("turn"))
    function = helper.make_function("own", "Turn", ["n", "c", "v"], ["w"], [turning], [helper.make_opsetid("", 17)])
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("own", 1))
    node(model, "Turn", ["times", "yes", "image"], ["large"], domain="own")
    add_to_digit(model, "large")


def _functions(calls: list[list[str]]) -> Change:
    """Functions by number, each calling others one after the other."""

    def change(model: onnx.ModelProto) -> None:
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
        for number, called in enumerate(calls):
            names = ["x", *(f"v{step}" for step in range(len(called) - 1)), "y"]
            nodes = [
                helper.make_node(name, [names[step]], [names[step + 1]], domain="" if name == "Relu" else "own")
                for step, name in enumerate(called)
            ]
            model.functions.append(helper.make_function("own", f"f{number}", ["x"], ["y"], nodes, opsets))
        model.opset_import.append(helper.make_opsetid("own", 1))
        node(model, "f0", ["image"], ["large"], domain="own")
        add_to_digit(model, "large")

    return change


def _deep_branches(depth: int) -> Change:
    """If within If."""

    def change(model: onnx.ModelProto) -> None:
        constant(model, "yes", True, np.bool_)
        made = [helper.make_node("Identity", ["image"], ["out0"])]
        for level in range(depth):
            output = [helper.make_tensor_value_info(f"out{level}", TensorProto.FLOAT, None)]
            branch = helper.make_graph(made, f"b{level}", [], output)
            empty = helper.make_graph(
                [helper.make_node("Identity", ["image"], [f"other{level}"])],
                f"e{level}",
                [],
                [helper.make_tensor_value_info(f"other{level}", TensorProto.FLOAT, None)],
            )
            made = [helper.make_node("If", ["yes"], [f"out{level + 1}"], then_branch=branch, else_branch=empty)]
        model.graph.node.extend(made)
        add_to_digit(model, f"out{depth}")

    return change


def _many_nodes(model: onnx.ModelProto) -> None:
    name = "image"
    for step in range(250_000):
        node(model, "Relu", [name], [f"r{step}"])
        name = f"r{step}"
    add_to_digit(model, name)


_LAUGHS = [[f"f{level + 1}"] * 2 for level in range(40)] + [["Relu"]]

GRAPHS = (
    Hostile("huge ConstantOfShape", _given("ConstantOfShape", [], HUGE)),
    Hostile("huge Expand", _given("Expand", ["one"], HUGE)),
    Hostile("huge Tile", _given("Tile", ["pair"], HUGE)),
    Hostile("huge Resize by sizes", _given("Resize", ["image4", "", ""], [1, 1, *HUGE], mode="nearest")),
    Hostile("overflowing ConstantOfShape", _given("ConstantOfShape", [], [1 << 32, 1 << 32])),
    Hostile("negative ConstantOfShape", _given("ConstantOfShape", [], [-5])),
    Hostile("a shape just over what an integer holds", _given("ConstantOfShape", [], [(1 << 63) - 1])),
    Hostile("huge by a Constant node", _by_a_constant_node),
    Hostile("huge by a Constant's integers", _by_integers),
    Hostile("huge RandomNormal", _random("RandomNormal")),
    Hostile("huge RandomUniform", _random("RandomUniform")),
    Hostile("huge stated value", _stated("value_info")),
    Hostile("a tensor that promises more than it has", _stated("initializer")),
    Hostile("huge sparse tensor", _sparse),
    Hostile("endless Loop", _loop(None)),
    Hostile("long Loop", _loop(1 << 62)),
    Hostile("Loop in a branch", _loop_in_a_branch),
    Hostile("Loop in a function", _loop_in_a_function),
    Hostile("long Scan", _scan),
    Hostile("functions that call each other twice", _functions(_LAUGHS)),
    Hostile("a function that calls itself", _functions([["f0"]])),
    Hostile("functions in a ring", _functions([["f1"], ["f2"], ["f0"]])),
    Hostile("functions 100 deep", _functions([*([f"f{level + 1}"] for level in range(100)), ["Relu"]])),
    Hostile("branches 25 deep", _deep_branches(25), Fate.EITHER),
    Hostile("250,000 nodes", _many_nodes),
    Hostile("huge by a computed size", _computed(40_000), Fate.PROCESS),
    Hostile("large by a computed size", _computed(2_000), Fate.PROCESS),
    Hostile("huge Range", _range, Fate.PROCESS),
    Hostile("huge OneHot", _one_hot, Fate.PROCESS),
    Hostile("huge Pad", _pad, Fate.PROCESS),
    Hostile("huge Resize by scales", _resize_scales, Fate.PROCESS),
    Hostile("forty doublings", _doublings, Fate.PROCESS),
    Hostile("products for hours", _products, Fate.PROCESS),
)
"""What must be refused before it runs; at the end what only running it tells."""

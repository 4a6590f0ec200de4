"""A model of a few kilobytes that carries the contract: it compares a picture with ten drawn digits, without training.

Made with onnx.helper, so that the runtime is tested without torch and without the shipped model.
"""

import json

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mnistsum_runtime import contract
from mnistsum_runtime.operations import SUM, Operation
from mnistsum_runtime.reliability import Calibration

_SEGMENTS = {
    "top": (slice(4, 6), slice(9, 19)),
    "upper left": (slice(4, 14), slice(9, 11)),
    "upper right": (slice(4, 14), slice(17, 19)),
    "middle": (slice(13, 15), slice(9, 19)),
    "lower left": (slice(14, 24), slice(9, 11)),
    "lower right": (slice(14, 24), slice(17, 19)),
    "bottom": (slice(22, 24), slice(9, 19)),
}
_LEFT_OUT: tuple[set[str], ...] = (
    {"middle"},
    {"top", "upper left", "middle", "lower left", "bottom"},
    {"upper left", "lower right"},
    {"upper left", "lower left"},
    {"top", "lower left", "bottom"},
    {"upper right", "lower left"},
    {"upper right"},
    {"upper left", "middle", "lower left", "bottom"},
    set(),
    {"lower left"},
)
"""For each digit the bars of a seven-segment display that are dark."""


def drawn_digit(digit: int) -> NDArray[np.uint8]:
    """The digit as on a seven-segment display: uint8 [28, 28], light on dark, in MNIST's form.

    That is: 20 pixels long, the centre of its mass in the middle of the field.
    """
    picture = np.zeros((28, 28), np.uint8)
    for name, bar in _SEGMENTS.items():
        if name not in _LEFT_OUT[digit]:
            picture[bar] = 255
    rows, columns = np.nonzero(picture)
    shift = (round(13.99 - rows.mean()), round(13.99 - columns.mean()))
    return np.roll(picture, shift, axis=(0, 1))


CALIBRATION = Calibration(1.0, 1.0, 0.5)


def make_tiny_model(operation: Operation = SUM, calibration: Calibration = CALIBRATION) -> onnx.ModelProto:
    """A model that reads `drawn_digit` and computes the operation exactly."""
    templates = np.stack([drawn_digit(digit).ravel() / 255 for digit in range(10)]).astype(np.float32)
    # |picture - template|^2 without the part that is the same for all: the nearest template has the largest score.
    weights = 0.5 * templates.T
    bias = -0.25 * (templates**2).sum(axis=1)
    # The value's logit: the best score of a digit and number that give it.
    spread = np.zeros((10, 10, len(operation.classes)), np.float32)
    for digit, row in enumerate(operation.class_table()):
        for number, index in enumerate(row):
            spread[digit, number, index] = 1
    constants = {
        "weights": weights,
        "bias": bias.astype(np.float32),
        "flat": np.array([0, 784], np.int64),
        "column": np.array([0, 10, 1], np.int64),
        "row": np.array([0, 1, 10], np.int64),
        "pairs": np.array([0, 100], np.int64),
        "spread": spread.reshape(100, -1),
    }
    nodes = [
        helper.make_node("Reshape", [contract.IMAGE, "flat"], ["pixels"]),
        helper.make_node("Gemm", ["pixels", "weights", "bias"], [contract.DIGIT]),
        helper.make_node("Softmax", [contract.DIGIT], ["probability"], axis=1),
        helper.make_node("Reshape", ["probability", "column"], ["probability_column"]),
        helper.make_node("Reshape", [contract.NUMBER, "row"], ["number_row"]),
        helper.make_node("MatMul", ["probability_column", "number_row"], ["joint"]),
        helper.make_node("Reshape", ["joint", "pairs"], ["joint_pairs"]),
        helper.make_node("MatMul", ["joint_pairs", "spread"], ["value"]),
        helper.make_node("Mul", ["value", "ten"], [operation.name]),
    ]
    constants["ten"] = np.array(10, np.float32)

    def tensor(name: str, *shape: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [contract.BATCH, *shape])

    graph = helper.make_graph(
        nodes,
        "tiny",
        [tensor(contract.IMAGE, 1, 28, 28), tensor(contract.NUMBER, 10)],
        [tensor(contract.DIGIT, 10), tensor(operation.name, len(operation.classes))],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    metadata = dict.fromkeys(contract.REQUIRED_METADATA, "{}")
    metadata[contract.META_OPERATION] = operation.name
    metadata[contract.META_CLASSES] = json.dumps(operation.classes)
    metadata[contract.META_OPSET] = "17"
    helper.set_model_props(model, metadata | calibration.to_metadata())
    onnx.checker.check_model(model, full_check=True)
    return model

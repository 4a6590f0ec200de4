"""A hostile model file made by hand: the tiny model that carries the contract, with one thing changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tiny_model import make_tiny_model

Change = Callable[[onnx.ModelProto], None]


class Fate(Enum):
    """What must come of a file."""

    REFUSED = "exit code 3, at loading or at the first answer"
    EITHER = "refused, or answered: it is odd, and no lie"
    PROCESS = "refused, or the process is ended from outside"


@dataclass(frozen=True)
class Hostile:
    """A file, and what must come of it."""

    name: str
    change: Change | None
    fate: Fate = Fate.REFUSED
    content: bytes | None = None
    """Where nothing that the onnx package writes is meant."""
    beside: dict[str, bytes] = field(default_factory=dict)
    """Other files in its folder."""

    def to_bytes(self) -> bytes:
        """The model file."""
        if self.content is not None:
            return self.content
        model = make_tiny_model()
        assert self.change is not None
        self.change(model)
        return bytes(model.SerializeToString())


def node(model: onnx.ModelProto, operator: str, inputs: list[str], outputs: list[str], **attributes: Any) -> None:
    """Add a node at the end."""
    model.graph.node.append(helper.make_node(operator, inputs, outputs, **attributes))


def constant(model: onnx.ModelProto, name: str, values: object, kind: type[np.generic] = np.int64) -> str:
    """Add a tensor; its name."""
    model.graph.initializer.append(numpy_helper.from_array(np.array(values, kind), name))
    return name


def replace_output(model: onnx.ModelProto, name: str, raw: str = "raw") -> str:
    """Call what the graph calls `name` otherwise inside, so that another node can make the output; the new name."""
    for each in model.graph.node:
        each.output[:] = [raw if output == name else output for output in each.output]
        each.input[:] = [raw if given == name else given for given in each.input]
    return raw


def make_output(model: onnx.ModelProto, name: str, operator: str, inputs: list[str], **attributes: Any) -> None:
    """Let a node make an output from what the graph made before, which is called `raw`."""
    replace_output(model, name)
    node(model, operator, inputs, [name], **attributes)


def add_to_digit(model: onnx.ModelProto, large: str) -> None:
    """Make the digit's output depend on a tensor of any shape, so that no optimiser leaves it out."""
    replace_output(model, "digit")
    node(model, "ReduceMax", [large], ["largest"], keepdims=0)
    node(model, "Mul", ["largest", constant(model, "naught", 0, np.float32)], ["nothing"])
    node(model, "Add", ["raw", "nothing"], ["digit"])


def metadata(model: onnx.ModelProto, **values: str | None) -> None:
    """Set entries `mnistsum.NAME`; None takes one away."""
    kept = {entry.key: entry.value for entry in model.metadata_props} | {f"mnistsum.{k}": v for k, v in values.items()}
    del model.metadata_props[:]
    helper.set_model_props(model, {key: value for key, value in kept.items() if value is not None})

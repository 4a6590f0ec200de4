"""What a planted fault is, and how it is put before `prove()`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx
import torch

from mnistsum_export.proof.prove import Proof, prove

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

Arrays = dict[str, "NDArray[Any]"]
Change = Callable[[onnx.ModelProto], None]
OUTSIDE: dict[str, Any] = {"save_as_external_data": True, "location": "model.onnx.data", "size_threshold": 0}
"""How onnx saves the weights in a second file."""


@dataclass(frozen=True, eq=False)
class Network:
    """A module with its examples, and what is asked of its file."""

    make: Callable[[], nn.Module]
    examples: Callable[[], Arrays]
    labels: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ("output",)
    dynamic: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    opset: int = 17

    def module(self) -> nn.Module:
        """The module with the same random weights at each call."""
        torch.manual_seed(0)
        return self.make()


@dataclass(frozen=True, eq=False)
class Fault:
    """Something wrong that a proof must not let through."""

    name: str
    what: str
    """In a line."""
    network: Network
    blamed: str | None = None
    """Path of the submodule that an error must name; None where no submodule is to blame."""
    change: Change | None = None
    """Plants the fault in the sound graph of `network`; None: the module or its examples have it already."""
    asked_opset: int | None = None
    """Where the graph is of another opset than is asked for."""

    @property
    def where(self) -> str:
        """`graph` or `module`."""
        return "module" if self.change is None else "graph"

    def model(self) -> onnx.ModelProto | None:
        """The graph with the fault; None where the fault is in the module."""
        if self.change is None:
            return None
        model = sound_graph(self.network)
        self.change(model)
        return model

    def save(self, path: Path) -> None:
        """Write the graph with the fault as a file, with the second file where the fault is that there is one."""
        model = self.model()
        if model is None:
            raise ValueError(f"{self.name}: the fault is in the module, there is no graph")
        if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer):
            onnx.save(sound_graph(self.network), path, **OUTSIDE)
        else:
            onnx.save(model, path)

    def prove(self, output: Path) -> Proof:
        """What must be refused.

        Args:
            output: Must not be there afterwards.
        """
        model = self.model()
        opset = self.asked_opset or (self.network.opset if model is None else None)
        return _prove(self.network, output, model, opset)


def sound_graph(network: Network) -> onnx.ModelProto:
    """The graph that `prove()` makes of a network, without what it writes about itself; a new copy at each call."""
    return onnx.load_from_string(_sound_bytes(network))


@cache
def _sound_bytes(network: Network) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "sound.onnx"
        _prove(network, output, None, network.opset)
        model: onnx.ModelProto = onnx.load(output)
    del model.metadata_props[:]
    return bytes(model.SerializeToString())


def _prove(network: Network, output: Path, model: onnx.ModelProto | None, opset: int | None) -> Proof:
    return prove(
        network.module(),
        network.examples(),
        output=output,
        outputs=network.outputs,
        labels=network.labels,
        dynamic=network.dynamic,
        opset=opset,
        model=model,
    )

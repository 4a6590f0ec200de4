"""What the tests of the export share: a network with conviction, one run of the command, and swapped outputs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch

from mnistsum_export.proof.examples import Arrays
from mnistsum_export.proof.parity import Parity, measure_parity
from mnistsum_export.proof.rules import Wishes
from mnistsum_export.proof.subject import Subject, make_subject
from mnistsum_runtime.operations import Operation
from mnistsum_train.network import Ensemble, TwoInputNetwork
from mnistsum_train.recipe import Architecture

SAMPLES = 10


@dataclass(frozen=True)
class Exported:
    """What one run of the command left."""

    path: Path
    content: bytes
    record: dict[str, Any]
    """What `--json` printed."""

    @property
    def model(self) -> onnx.ModelProto:
        return onnx.load_from_string(self.content)

    @property
    def metadata(self) -> dict[str, str]:
        return {entry.key: entry.value for entry in self.model.metadata_props}


def make_network(operation: Operation, *, small: bool) -> TwoInputNetwork:
    """A network with conviction; `small` runs ten times faster."""
    return with_conviction(TwoInputNetwork(operation, Architecture((4, 6, 8), dense=16) if small else None))


def with_conviction(network: TwoInputNetwork, seed: int = 0) -> TwoInputNetwork:
    """Give it seeded weights whose logits spread and whose labels differ from pair to pair, in evaluation mode.

    The batch statistics are not those of a new network, so that a graph that loses them is found out.
    """
    generator = torch.Generator().manual_seed(seed)
    network.eval()
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 1.5, generator=generator)
            elif name.endswith(("running_mean", "bias")):
                tensor.normal_(0, 0.1, generator=generator)
            elif tensor.ndim > 1:
                gain = 6 if "head" in name else 2
                tensor.normal_(0, (gain / tensor[0].numel()) ** 0.5, generator=generator)
        network.state_dict()["gate.2.bias"].fill_(8)  # open: behind a closed gate all logits are alike
    return network


def rename(model: onnx.ModelProto, old: str, new: str) -> None:
    """Give an input or output of the graph another name, at both its ends."""
    for value in (*model.graph.input, *model.graph.output):
        value.name = new if value.name == old else value.name
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [new if name == old else name for name in names]


def make_network_subject(network: TwoInputNetwork | Ensemble, probes: Arrays, tolerance: float = 1e-4) -> Subject:
    """As the network's export makes it."""
    names = ["digit", network.operation.name]
    return make_subject(network, probes, names, {}, Wishes(dict.fromkeys(names, 1), atol=tolerance, rtol=0))


def measure(subject: Subject, model: onnx.ModelProto | bytes) -> Parity:
    """Parity of a graph with what torch answers."""
    content = model if isinstance(model, bytes) else model.SerializeToString()
    return measure_parity(content, subject.case, subject.rules)


def swap_outputs(model: onnx.ModelProto) -> None:
    """Let each output carry the other's name."""
    rename(model, "digit", "spare")
    rename(model, "sum", "digit")
    rename(model, "spare", "sum")

"""Checkpoint to proven ONNX bytes: the generic proof, with this network's questions and metadata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mnistsum_export.network.metadata import describe_network
from mnistsum_export.network.probes import make_probes
from mnistsum_export.network.references import choose_references, torch_engine, with_samples
from mnistsum_export.proof.opsets import require_supported
from mnistsum_export.proof.prove import Proof, prove
from mnistsum_export.proof.written import require_other_file
from mnistsum_runtime.contract import DIGIT, FP32
from mnistsum_train.checkpoint import Checkpoint
from mnistsum_train.data import load_mnist, mnist_files
from mnistsum_train.tensors import tensor_hash

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Export:
    """What was written."""

    proof: Proof
    operation: str
    checkpoint_sha256: str
    """Over the checkpoint's tensors in name order."""

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        network = {"precision": FP32, "operation": self.operation, "checkpoint_sha256": self.checkpoint_sha256}
        return self.proof.to_dict() | network

    def __str__(self) -> str:
        """A table for people."""
        return str(self.proof)


def export(checkpoint_file: Path, output: Path, opset: int, tolerance: float, samples: int) -> Export:
    """Prove a checkpoint's network, and write the file and its references.

    Args:
        checkpoint_file: From mnistsum-train.
        output: Written only if every check passes.
        opset: One of `supported_opsets()`.
        tolerance: Largest absolute difference of a logit that passes.
        samples: How many of MNIST's test digits to try, each with all ten numbers.

    Raises:
        CallError: An opset that is not supported, or the output is a file that is read.
        ModelError: The checkpoint is missing, damaged, or not a mnistsum checkpoint.
        WorkError: A check failed, parity was not reached, or the files cannot be written.
    """
    require_supported(opset)
    require_other_file(output, checkpoint_file, *mnist_files())
    checkpoint = Checkpoint.load(checkpoint_file)
    network, names = checkpoint.network, [DIGIT, checkpoint.network.operation.name]
    test = load_mnist(train=False)
    proof = prove(
        network,
        make_probes(test.first(samples).images[:, 0].numpy()),
        output=output,
        outputs=names,
        labels=names,
        opset=opset,
        atol=tolerance,
        rtol=0,
        metadata=lambda parity: describe_network(checkpoint, opset, parity),
        record=lambda content: with_samples(
            choose_references(test, network, torch_engine(network), FP32, tolerance), content, output, test
        ),
    )
    return Export(proof, network.operation.name, tensor_hash(network.state_dict()))

"""Checkpoint to proven ONNX bytes: read as a table of contents."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from mnistsum_export.check import check_structure
from mnistsum_export.convert import convert
from mnistsum_export.metadata import with_metadata
from mnistsum_export.opsets import supported_opsets
from mnistsum_export.parity import Parity, measure_parity, torch_logits
from mnistsum_export.probes import make_probes
from mnistsum_runtime.atomic import write_atomically
from mnistsum_runtime.errors import CallError, WorkError
from mnistsum_train.checkpoint import Checkpoint, tensor_hash
from mnistsum_train.data import load_mnist


@dataclass(frozen=True)
class Export:
    """What was written."""

    output: Path
    operation: str
    opset: int
    ir_version: int
    size: int
    """Bytes of the file."""
    sha256: str
    """Of the file."""
    checkpoint_sha256: str
    """Over the checkpoint's tensors in name order."""
    parity: Parity
    """Measured on the final bytes."""

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "output": str(self.output),
            "operation": self.operation,
            "opset": self.opset,
            "ir_version": self.ir_version,
            "bytes": self.size,
            "sha256": self.sha256,
            "checkpoint_sha256": self.checkpoint_sha256,
            "parity": self.parity.to_dict(),
        }


def export(checkpoint_file: Path, output: Path, opset: int, tolerance: float, samples: int) -> Export:
    """Convert, check, prove, describe, prove again, write.

    Args:
        checkpoint_file: From mnistsum-train.
        output: Written only if every check passes.
        opset: One of `supported_opsets()`.
        tolerance: Largest absolute difference of a logit that passes.
        samples: How many of MNIST's test digits to try, each with all ten numbers.

    Raises:
        CallError: An opset that is not supported.
        ModelError: The checkpoint is missing, damaged, or not a mnistsum checkpoint.
        WorkError: A check failed, parity was not reached, or `output` cannot be written.
    """
    opsets = supported_opsets()
    if opset not in opsets:
        raise CallError(f"opset {opset} is not supported: choose one of {opsets[0]} to {opsets[-1]}")
    checkpoint = Checkpoint.load(checkpoint_file)
    operation = checkpoint.network.operation
    model = convert(checkpoint.network, opset)
    check_structure(model, operation, opset)

    probes = make_probes(load_mnist(train=False).first(samples).images[:, 0].numpy())
    truth = torch_logits(checkpoint.network, probes)
    parity = measure_parity(model.SerializeToString(), probes, truth, tolerance, operation.name)
    require(parity)
    content = with_metadata(model, checkpoint, opset, parity)
    check_structure(onnx.load_from_string(content), operation, opset)
    again = measure_parity(content, probes, truth, tolerance, operation.name)
    if again != parity:
        raise WorkError(
            "the final bytes do not give what the receipt in them says, although nothing but the metadata differs: "
            f"{again.to_json()} against {parity.to_json()}; nothing was written"
        )
    write_atomically(output, content)
    return Export(
        output=output,
        operation=operation.name,
        opset=opset,
        ir_version=model.ir_version,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        checkpoint_sha256=tensor_hash(checkpoint.network.state_dict()),
        parity=again,
    )


def require(parity: Parity) -> None:
    """Raise `WorkError` with the figures if parity was not reached."""
    if not parity:
        worst = next(row for row in parity.comparisons if not row.passed(parity.tolerance))
        raise WorkError(
            f"parity not reached by {worst.engine} at batch {worst.batch}: logits differ by up to "
            f"{max(worst.digit_difference, worst.value_difference):.2g} (tolerance {parity.tolerance:g}), "
            f"{worst.pairs - worst.labels_agree} of {worst.pairs} labels differ; nothing was written"
        )

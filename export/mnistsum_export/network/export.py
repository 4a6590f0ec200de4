"""Checkpoint to proven ONNX bytes: read as a table of contents."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from mnistsum_export.network.metadata import with_metadata
from mnistsum_export.network.probes import make_probes
from mnistsum_export.network.references import bind, make_references, torch_engine
from mnistsum_export.proof.convert import convert
from mnistsum_export.proof.opsets import oldest_onnxruntime, require_supported
from mnistsum_export.proof.parity import Parity, measure_parity, torch_logits
from mnistsum_export.proof.structure import check_structure
from mnistsum_runtime.atomic import write_together
from mnistsum_runtime.contract import FP32
from mnistsum_runtime.errors import WorkError
from mnistsum_runtime.proof.references import references_path
from mnistsum_train.checkpoint import Checkpoint, tensor_hash
from mnistsum_train.data import load_mnist


@dataclass(frozen=True)
class Export:
    """What was written."""

    output: Path
    references: Path
    """Beside it."""
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

    @property
    def oldest_onnxruntime(self) -> str:
        """The first onnxruntime release that loads the file."""
        return oldest_onnxruntime(self.opset, self.ir_version)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "output": str(self.output),
            "references": str(self.references),
            "precision": FP32,
            "operation": self.operation,
            "opset": self.opset,
            "ir_version": self.ir_version,
            "oldest_onnxruntime": self.oldest_onnxruntime,
            "bytes": self.size,
            "sha256": self.sha256,
            "checkpoint_sha256": self.checkpoint_sha256,
            "parity": self.parity.to_dict(),
        }

    def __str__(self) -> str:
        """A table for people."""
        return str(self.parity)


def export(checkpoint_file: Path, output: Path, opset: int, tolerance: float, samples: int) -> Export:
    """Convert, check, prove, record, describe, prove again, write the file and its references.

    Args:
        checkpoint_file: From mnistsum-train.
        output: Written only if every check passes.
        opset: One of `supported_opsets()`.
        tolerance: Largest absolute difference of a logit that passes.
        samples: How many of MNIST's test digits to try, each with all ten numbers.

    Raises:
        CallError: An opset that is not supported.
        ModelError: The checkpoint is missing, damaged, or not a mnistsum checkpoint.
        WorkError: A check failed, parity was not reached, or the files cannot be written.
    """
    require_supported(opset)
    checkpoint = Checkpoint.load(checkpoint_file)
    operation = checkpoint.network.operation
    model = convert(checkpoint.network, opset)
    check_structure(model, operation, opset)

    test = load_mnist(train=False)
    probes = make_probes(test.first(samples).images[:, 0].numpy())
    truth = torch_logits(checkpoint.network, probes)
    parity = measure_parity(model.SerializeToString(), probes, truth, tolerance, operation.name)
    require(parity)
    references = make_references(test, checkpoint.network, torch_engine(checkpoint.network), FP32, tolerance)
    content = with_metadata(model, checkpoint, opset, parity)
    check_structure(onnx.load_from_string(content), operation, opset)
    again = measure_parity(content, probes, truth, tolerance, operation.name)
    if again != parity:
        raise WorkError(
            "the final bytes do not give what the receipt in them says, although nothing but the metadata differs: "
            f"{again.to_json()} against {parity.to_json()}; nothing was written"
        )
    beside = references_path(output)
    write_together({output: content, beside: bind(references, content, output).to_bytes()})
    return Export(
        output=output,
        references=beside,
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

"""Checkpoint to proven int8 bytes: read as a table of contents."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from mnistsum_export.network.int8_receipt import (
    Int8Receipt,
    compare,
    measure_latency,
    require,
    require_small,
    verify_engines,
)
from mnistsum_export.network.metadata import describe_network
from mnistsum_export.network.probes import make_probes
from mnistsum_export.network.quantise import CALIBRATION_PICTURES, quantise
from mnistsum_export.network.references import Engine, choose_references, with_samples
from mnistsum_export.proof.opsets import require_supported
from mnistsum_export.proof.parity import make_session, runner
from mnistsum_export.proof.prove import convert
from mnistsum_export.proof.receipt import with_metadata
from mnistsum_export.proof.references import make_references
from mnistsum_export.proof.rules import Wishes
from mnistsum_export.proof.structure import check_structure
from mnistsum_export.proof.subject import make_subject
from mnistsum_export.proof.written import WrittenFile, require_other_file, write_file
from mnistsum_runtime.contract import DIGIT, INT8
from mnistsum_runtime.errors import WorkError
from mnistsum_runtime.operations import Operation
from mnistsum_train.checkpoint import Checkpoint
from mnistsum_train.data import load_mnist, mnist_files, split_validation
from mnistsum_train.evaluation import answer_all_pairs
from mnistsum_train.tensors import tensor_hash

INT8_TOLERANCE = 0.5
"""Largest difference of an int8 logit between machines. Integer kernels agree exactly but for the rounding between
layers, where one step in one activation moves a logit by hundredths; integer and float kernels on one machine were up
to 0.12 apart on 3,000 validation pairs, and four times that leaves room (export/README.md)."""
_PROBED = 10
"""Test digits with which the fp32 graph is converted; what it is worth, the comparison on 50,000 pairs says."""


@dataclass(frozen=True)
class Int8Export:
    """What was written."""

    file: WrittenFile
    operation: str
    fp32_size: int
    """Bytes of the fp32 graph of the same checkpoint, without metadata."""
    checkpoint_sha256: str
    """Over the checkpoint's tensors in name order."""
    receipt: Int8Receipt
    """What is also in the file."""
    latency: dict[str, float]
    """Median microseconds a picture of `fp32` and `int8`, one thread, measured in turn on this machine."""

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return self.file.to_dict() | {
            "precision": INT8,
            "operation": self.operation,
            "fp32_bytes": self.fp32_size,
            "checkpoint_sha256": self.checkpoint_sha256,
            "int8": self.receipt.to_dict(),
            "latency_us": self.latency,
        }

    def __str__(self) -> str:
        """A table for people."""
        fp32, int8 = self.latency["fp32"], self.latency["int8"]
        return (
            f"{self.receipt}\n"
            f"size {self.file.size:,} bytes, {self.file.size / self.fp32_size:.0%} of fp32's {self.fp32_size:,}\n"
            f"one picture, one thread, on this machine: fp32 {fp32:.0f} us, int8 {int8:.0f} us ({int8 / fp32:.2f} x)"
        )


def export_int8(checkpoint_file: Path, output: Path, opset: int) -> Int8Export:
    """Convert, quantise, check, record, compare with fp32, describe, compare again, write the file and its references.

    Args:
        checkpoint_file: From mnistsum-train.
        output: Written only if every check passes.
        opset: One of `supported_opsets()`.

    Raises:
        CallError: An opset that is not supported, or the output is a file that is read.
        ModelError: The checkpoint is missing, damaged, or not a mnistsum checkpoint.
        WorkError: A check failed, the gate was not passed, or the files cannot be written.
    """
    require_supported(opset)
    require_other_file(output, checkpoint_file, *mnist_files())
    checkpoint = Checkpoint.load(checkpoint_file)
    network, operation = checkpoint.network, checkpoint.network.operation
    training, validation = split_validation(load_mnist(train=True))
    test = load_mnist(train=False)

    wishes = Wishes(labels={DIGIT: 1, operation.name: 1})
    probes = make_probes(test.first(_PROBED).images[:, 0].numpy())
    subject = make_subject(network, probes, [DIGIT, operation.name], {}, wishes)
    fp32 = convert(subject, opset).model
    model = quantise(fp32, training)
    check_structure(model, subject.signature, opset)
    measured = model.SerializeToString(deterministic=True)
    recording = choose_references(test, network, int8_engine(measured, operation), INT8, INT8_TOLERANCE)
    references = make_references(recording, subject.rules, measured)
    receipt = Int8Receipt(
        value_name=operation.name,
        calibration_pictures=CALIBRATION_PICTURES,
        validation=compare(measured, validation, answer_all_pairs(network, validation.images), operation),
        test=compare(measured, test, answer_all_pairs(network, test.images), operation),
        engines=verify_engines(measured, references),
    )
    require(receipt)
    content = with_metadata(model, describe_network(checkpoint, opset, receipt))
    float_bytes = fp32.SerializeToString(deterministic=True)
    require_small(content, float_bytes)
    check_structure(onnx.load_from_string(content), subject.signature, opset)
    # The 100,000 test pairs are not asked again: they take the longest and decide nothing.
    again = compare(content, validation, answer_all_pairs(network, validation.images), operation)
    if (again, verify_engines(content, references)) != (receipt.validation, receipt.engines):
        raise WorkError(
            "the final bytes do not give what the receipt in them says, although nothing but the metadata differs: "
            f"{again} against {receipt.validation}; nothing was written"
        )
    bound = make_references(with_samples(recording, content, output, test), subject.rules, content)
    return Int8Export(
        file=write_file(output, content, bound),
        operation=operation.name,
        fp32_size=len(float_bytes),
        checkpoint_sha256=tensor_hash(network.state_dict()),
        receipt=receipt,
        latency=measure_latency(float_bytes, content),
    )


def int8_engine(content: bytes, operation: Operation) -> Engine:
    """What the quantised file answers in onnxruntime on this machine."""
    return runner(make_session(content), [DIGIT, operation.name])

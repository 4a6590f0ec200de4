"""A model file and its references: written together, and described."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import onnx

from mnistsum_export.proof.opsets import oldest_onnxruntime
from mnistsum_runtime.atomic import write_together
from mnistsum_runtime.proof.references import References, references_path

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class WrittenFile:
    """What was written."""

    output: Path
    references: Path
    """Beside it."""
    opset: int
    ir_version: int
    size: int
    """Bytes of the file."""
    sha256: str
    """Of the file."""

    @property
    def oldest_onnxruntime(self) -> str:
        """The first onnxruntime release that loads the file."""
        return oldest_onnxruntime(self.opset, self.ir_version)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "output": str(self.output),
            "references": str(self.references),
            "opset": self.opset,
            "ir_version": self.ir_version,
            "oldest_onnxruntime": self.oldest_onnxruntime,
            "bytes": self.size,
            "sha256": self.sha256,
        }


def write_file(output: Path, content: bytes, references: References) -> WrittenFile:
    """Write a model file and its references, both or none.

    Raises:
        WorkError: They cannot be written; what stood there still stands.
    """
    beside = references_path(output)
    write_together({output: content, beside: references.to_bytes()})
    model = onnx.load_from_string(content)
    return WrittenFile(
        output=output,
        references=beside,
        opset=model.opset_import[0].version,
        ir_version=model.ir_version,
        size=len(content),
        sha256=sha256(content).hexdigest(),
    )

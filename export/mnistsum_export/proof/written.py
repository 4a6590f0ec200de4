"""A model file and its references: written together, and described."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import onnx

from mnistsum_export.proof.opsets import oldest_onnxruntime
from mnistsum_runtime.atomic import is_same_file, write_together
from mnistsum_runtime.errors import CallError, WorkError
from mnistsum_runtime.proof.limits import check_limits
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


def require_other_file(output: Path, *read: Path | None) -> None:
    """Raise `CallError` if the output or its references are one of the files that are read, under whatever name."""
    for path in read:
        for written in (output, references_path(output)):
            if path is not None and is_same_file(path, written):
                raise CallError(f"--output {output} would write {written}, which is read as {path}: name another one")


def require_within_limits(content: bytes) -> bool:
    """Look through a model file's bytes as a device does before it opens them.

    Returns:
        Whether there is a loop in its graph.

    Raises:
        WorkError: The device would refuse it.
    """
    try:
        return check_limits(content)
    except ValueError as error:
        raise WorkError(f"a device would refuse the file: {error}; nothing was written") from error


def write_file(output: Path, content: bytes, references: References) -> WrittenFile:
    """Write a model file and its references, both or none.

    Raises:
        WorkError: A device would refuse the model file, or they cannot be written; what stood there still stands.
    """
    require_within_limits(content)
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

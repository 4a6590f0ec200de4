"""Recorded references: what a model file answered where it was made, and what preparation gave there.

They lie beside the model, `NAME.references.npz` beside `NAME.onnx`, and name the SHA-256 of its bytes: references of
another model, or a pair of which only one was replaced, are refused. The file is a plain .npz without pickles: arrays,
and one JSON text as bytes.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from io import BytesIO
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnistsum_runtime.contract import FP32, IMAGE_SIZE, INT8, NUMBERS
from mnistsum_runtime.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mnistsum_runtime.model import Model

FORMAT = 1
MAX_BYTES = 16_000_000
"""Of the file, and of all that is in it unpacked: sixty times what `mnistsum-export` writes."""
_ENDING = ".references.npz"
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_REMEDY = "export the model again with mnistsum-export, which writes both files"


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture file, and what preparation made of it."""

    name: str
    """A file name, for the table."""
    content: bytes
    """The encoded file: PNG, JPEG ..."""
    ink: NDArray[np.float32]
    """[28, 28], 0..1."""


@dataclass(frozen=True, eq=False)
class References:
    """The content of the file; n pictures, each with one number."""

    model_sha256: str
    """Of the model file's bytes, as hex."""
    precision: str
    """`fp32` or `int8`."""
    tolerance: float
    """Largest absolute difference of a logit that passes."""
    preparation_tolerance: float
    """Largest absolute difference of a prepared pixel, 0..1, that passes."""
    made_with: dict[str, str]
    """Versions of the packages and the machine that made them."""
    pictures: NDArray[np.uint8]
    """[n, 28, 28], 0 ground to 255 ink."""
    numbers: NDArray[np.uint8]
    """[n], 0..9."""
    real: NDArray[np.bool_]
    """[n], whether the picture is a handwritten digit; the others are blank, saturated or noise."""
    digit_logits: NDArray[np.float32]
    """[n, 10]: torch's in float64, rounded; for int8 those of the quantised file on the exporting machine."""
    value_logits: NDArray[np.float32]
    """[n, classes]: the same of the second output."""
    fp32_labels: NDArray[np.uint8]
    """[n, 2]: class indices of both outputs that the network gives before it is quantised."""
    samples: tuple[Sample, ...]
    """Picture files for the preparation."""

    def to_bytes(self) -> bytes:
        """The file's content: equal references give equal bytes."""
        from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

        header = {
            "format": FORMAT,
            "model_sha256": self.model_sha256,
            "precision": self.precision,
            "tolerance": self.tolerance,
            "preparation_tolerance": self.preparation_tolerance,
            "made_with": self.made_with,
            "samples": [sample.name for sample in self.samples],
        }
        arrays: dict[str, NDArray[Any]] = {
            "header": np.frombuffer(json.dumps(header).encode(), np.uint8),
            "pictures": self.pictures,
            "numbers": self.numbers,
            "real": self.real,
            "digit_logits": self.digit_logits.astype("<f4"),
            "value_logits": self.value_logits.astype("<f4"),
            "fp32_labels": self.fp32_labels,
        }
        for index, sample in enumerate(self.samples):
            arrays[f"sample_{index}"] = np.frombuffer(sample.content, np.uint8)
            arrays[f"ink_{index}"] = sample.ink.astype("<f4")
        buffer = BytesIO()
        with ZipFile(buffer, "w", ZIP_DEFLATED, compresslevel=9) as archive:
            for name, array in arrays.items():
                member = BytesIO()
                np.save(member, array, allow_pickle=False)
                # A fixed time: the archive would otherwise differ from one second to the next.
                archive.writestr(_entry(ZipInfo, name), member.getvalue(), ZIP_DEFLATED, 9)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> References:
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: Something in it is not as it must be. Other errors of numpy and zipfile pass as they are.
        """
        if not content.startswith(b"PK"):  # numpy would take it for a pickle, and advise to allow that
            raise ValueError("not an .npz file")
        with np.load(BytesIO(content), allow_pickle=False) as arrays:
            unpacked = sum(member.file_size for member in arrays.zip.infolist())
            if unpacked > MAX_BYTES:
                raise ValueError(f"{unpacked:,} bytes unpacked, at most {MAX_BYTES:,} are read")
            return cls._from_arrays(arrays)

    @classmethod
    def _from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> References:
        header = json.loads(arrays["header"].tobytes())
        if header["format"] != FORMAT:
            raise ValueError(f"its format is {header['format']}, expected {FORMAT}")
        names = header["samples"]
        if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
            raise ValueError("the names of its sample pictures are not a list of texts")
        references = cls(
            model_sha256=str(header["model_sha256"]),
            precision=str(header["precision"]),
            tolerance=float(header["tolerance"]),
            preparation_tolerance=float(header["preparation_tolerance"]),
            made_with=dict(header["made_with"]),
            pictures=arrays["pictures"],
            numbers=arrays["numbers"],
            real=arrays["real"],
            digit_logits=arrays["digit_logits"],
            value_logits=arrays["value_logits"],
            fp32_labels=arrays["fp32_labels"],
            samples=tuple(
                Sample(name, arrays[f"sample_{index}"].tobytes(), arrays[f"ink_{index}"])
                for index, name in enumerate(names)
            ),
        )
        references.check()
        return references

    def check(self) -> None:
        """Raise `ValueError` unless everything is there to compare with: an empty comparison would pass."""
        n, classes = self.value_logits.shape
        expected = {
            "pictures": (self.pictures, np.uint8, (n, IMAGE_SIZE, IMAGE_SIZE)),
            "numbers": (self.numbers, np.uint8, (n,)),
            "real": (self.real, np.bool_, (n,)),
            "digit_logits": (self.digit_logits, np.float32, (n, NUMBERS)),
            "value_logits": (self.value_logits, np.float32, (n, classes)),
            "fp32_labels": (self.fp32_labels, np.uint8, (n, 2)),
        } | {f"ink of {sample.name}": (sample.ink, np.float32, (IMAGE_SIZE, IMAGE_SIZE)) for sample in self.samples}
        for name, (array, dtype, shape) in expected.items():
            if array.dtype != dtype or array.shape != shape:
                raise ValueError(
                    f"{name} is {array.dtype} {list(array.shape)}, expected {np.dtype(dtype)} {list(shape)}"
                )
        if self.precision not in (FP32, INT8):
            raise ValueError(f"its precision is {self.precision!r}")
        # Within a tolerance that is infinite, anything would pass.
        if not (0 <= self.tolerance < inf and 0 <= self.preparation_tolerance < inf):
            raise ValueError(f"its tolerances are {self.tolerance:g} and {self.preparation_tolerance:g}")
        if not (self.real.any() and self.samples and self.numbers.max() < NUMBERS):
            raise ValueError("it has no real digits, no sample pictures, or a number over 9")


def references_path(model: str | os.PathLike[str]) -> Path:
    """Where a model's references lie: `NAME.references.npz` beside `NAME.onnx`."""
    path = Path(model)
    return path.parent / (path.name.removesuffix(".onnx") + _ENDING)


def read_references(model: Model) -> References:
    """Read the references beside an open model.

    Raises:
        ModelError: They are missing, damaged, or those of another model.
    """
    path = references_path(model.path)
    try:
        content = _read(path)
    except FileNotFoundError as error:
        raise ModelError(f"no references at {path}: {_REMEDY}") from error
    except OSError as error:
        raise ModelError(f"references {path}: cannot be read: {error.strerror or error}") from error
    try:
        references = References.from_bytes(content)
    except Exception as error:  # numpy, zipfile, zlib and json each raise their own on damaged bytes
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ModelError(f"references {path}: damaged or not of mnistsum ({reason}): {_REMEDY}") from error
    found, expected = model.sha256(), references.model_sha256
    if found != expected:
        raise ModelError(
            f"references {path}: they belong to another model (SHA-256 {expected[:12]}, "
            f"{Path(model.path).name} has {found[:12]}): {_REMEDY}"
        )
    if references.precision != model.precision():
        raise ModelError(f"references {path}: {references.precision}, the model is {model.precision()}: {_REMEDY}")
    classes = len(model.operation.classes)
    if references.value_logits.shape[1] != classes:
        found_classes = references.value_logits.shape[1]
        raise ModelError(f"references {path}: {found_classes} classes, the model has {classes}: {_REMEDY}")
    return references


def _read(path: Path) -> bytes:
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ModelError(f"references {path}: not a regular file")
    if path.is_file() and path.stat().st_size > MAX_BYTES:
        raise ModelError(f"references {path}: more than {MAX_BYTES // 1_000_000} MB, the most that is read")
    return path.read_bytes()


def _entry(kind: Any, name: str) -> Any:
    entry = kind(f"{name}.npy", _ZIP_EPOCH)
    entry.external_attr = 0o644 << 16
    return entry

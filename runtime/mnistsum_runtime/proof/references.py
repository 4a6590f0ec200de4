"""Recorded references of any network: what a model file is asked, and what was answered where it was made.

They lie beside the model, `NAME.references.npz` beside `NAME.onnx`, and name the SHA-256 of its bytes: references of
another model, or a pair of which only one was replaced, are refused. The file is a plain .npz without pickles: arrays,
and one JSON text as bytes.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnistsum_runtime.errors import ModelError
from mnistsum_runtime.proof.comparison import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

FORMAT = 2
MAX_BYTES = 64_000_000
"""Of the file, and of all that is in it unpacked. What `mnistsum-export` writes stays under a quarter of it, unless two
rows of an example have more."""
FP32, INT8 = "fp32", "int8"
REMEDY = "copy both files again from where mnistsum-export wrote them"
"""For who reads it: mostly on the device that the files were copied to, where nothing can be exported."""

_ENDING = ".references.npz"
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_INPUT, _OUTPUT, _LABELS, _ATTACHMENT = "input_", "output_", "labels_before_", "attachment_"


@dataclass(frozen=True, eq=False)
class References:
    """The content of the file: n rows, each an entry of every input and every output."""

    model_sha256: str
    """Of the model file's bytes, as hex."""
    made_with: dict[str, str]
    """Versions of the packages and the machine that made them."""
    inputs: dict[str, NDArray[Any]]
    """[n, ...] each, of the dtype that the model takes."""
    outputs: dict[str, NDArray[Any]]
    """[n, ...] each: torch's, in float64 and rounded where the module can be run so; for int8, the quantised file's
    own on the exporting machine."""
    rules: dict[str, Rule]
    """What passes, by output."""
    labelled: NDArray[np.bool_]
    """[n], the rows whose labels must be equal."""
    precision: str = FP32
    """`fp32` or `int8`."""
    labels_before: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    """By output that is class logits: the labels that the network gives before it is quantised. Of fp32, nothing."""
    attachments: dict[str, NDArray[Any]] = field(default_factory=dict)
    """What a network of its own records beside: nothing here looks at it."""
    notes: dict[str, Any] = field(default_factory=dict)
    """The same, as plain JSON values."""

    def __len__(self) -> int:
        """Rows."""
        return len(self.labelled)

    def to_bytes(self) -> bytes:
        """The file's content: equal references give equal bytes."""
        from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

        header = {
            "format": FORMAT,
            "model_sha256": self.model_sha256,
            "made_with": self.made_with,
            "precision": self.precision,
            "inputs": list(self.inputs),
            "outputs": {name: rule.to_dict() for name, rule in self.rules.items()},
            "labels_before": list(self.labels_before),
            "attachments": list(self.attachments),
            "notes": self.notes,
        }
        groups = {
            _INPUT: self.inputs,
            _OUTPUT: self.outputs,
            _LABELS: self.labels_before,
            _ATTACHMENT: self.attachments,
        }
        arrays: dict[str, NDArray[Any]] = {"header": np.frombuffer(json.dumps(header).encode(), np.uint8)}
        arrays["labelled"] = self.labelled
        for prefix, group in groups.items():
            arrays |= {f"{prefix}{index}": array for index, array in enumerate(group.values())}
        buffer = BytesIO()
        with ZipFile(buffer, "w", ZIP_DEFLATED, compresslevel=9) as archive:
            for name, array in arrays.items():
                member = BytesIO()
                np.save(member, np.ascontiguousarray(array, array.dtype.newbyteorder("<")), allow_pickle=False)
                entry = ZipInfo(f"{name}.npy", _ZIP_EPOCH)  # the archive would otherwise differ from second to second
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, member.getvalue(), ZIP_DEFLATED, 9)
        return buffer.getvalue()

    @classmethod
    def from_arrays(cls, header: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> References:
        """Read what `to_bytes` wrote, from its parts.

        Raises:
            ValueError: Something in it is not as it must be. Other errors of numpy and zipfile pass as they are.
        """
        if header["format"] != FORMAT:
            raise ValueError(f"its format is {header['format']!r}, expected {FORMAT}")

        def group(prefix: str, names: Any) -> dict[str, NDArray[Any]]:
            if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
                raise ValueError("names that are no texts")
            return {name: arrays[f"{prefix}{index}"] for index, name in enumerate(names)}

        references = cls(
            model_sha256=str(header["model_sha256"]),
            made_with=dict(header["made_with"]),
            inputs=group(_INPUT, header["inputs"]),
            outputs=group(_OUTPUT, list(dict(header["outputs"]))),
            rules={name: Rule.from_dict(rule) for name, rule in dict(header["outputs"]).items()},
            labelled=arrays["labelled"],
            precision=str(header["precision"]),
            labels_before=group(_LABELS, header["labels_before"]),
            attachments=group(_ATTACHMENT, header["attachments"]),
            notes=dict(header["notes"]),
        )
        references.check()
        return references

    def check(self) -> None:
        """Raise `ValueError` unless everything is there to compare with: an empty comparison would pass."""
        n = len(self.labelled)
        if not (n and self.inputs and self.outputs and self.labelled.dtype == np.bool_ and self.labelled.ndim == 1):
            raise ValueError("it has no rows, no inputs or no outputs")
        if self.precision not in (FP32, INT8):
            raise ValueError(f"its precision is {self.precision!r}")
        for kind, name, array in self._tensors():
            if array.ndim < 1 or len(array) != n or array.dtype.kind not in "biuf":
                raise ValueError(f"{kind} {name} is {array.dtype} {list(array.shape)}, expected {n} rows of numbers")
        for name, rule in self.rules.items():
            if rule.label_axis is not None and not (
                rule.label_axis < self.outputs[name].ndim and self.outputs[name].size and self.labelled.any()
            ):
                raise ValueError(f"output {name} has no labels to compare")
        for name, before in self.labels_before.items():
            axis = self.rules[name].label_axis if name in self.rules else None
            if axis is None:
                raise ValueError(f"it has labels of {name}, which is no class logits")
            shape = self.outputs[name].shape
            if before.dtype.kind not in "iu" or before.shape != shape[:axis] + shape[axis + 1 :]:
                raise ValueError(f"labels of {name} are {before.dtype} {list(before.shape)}")

    def _tensors(self) -> Iterator[tuple[str, str, NDArray[Any]]]:
        groups = {"input": self.inputs, "output": self.outputs, "labels of": self.labels_before}
        for kind, group in groups.items():
            for name, array in group.items():
                yield kind, name, array


def references_path(model: str | os.PathLike[str]) -> Path:
    """Where a model's references lie: `NAME.references.npz` beside `NAME.onnx`."""
    path = Path(model)
    return path.parent / (path.name.removesuffix(".onnx") + _ENDING)


def parse(content: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The header and the arrays of a references file, of any format.

    Raises:
        ValueError: It is no .npz file, or larger than `MAX_BYTES` unpacked. Other errors pass as they are.
    """
    if not content.startswith(b"PK\x03\x04"):  # numpy would take it for a pickle, and advise to allow that
        raise ValueError("not an .npz file")
    with np.load(BytesIO(content), allow_pickle=False) as archive:
        unpacked = sum(member.file_size for member in archive.zip.infolist())
        if unpacked > MAX_BYTES:
            raise ValueError(f"{unpacked:,} bytes unpacked, at most {MAX_BYTES:,} are read")
        arrays = {name: archive[name] for name in archive.files}
    text = arrays.pop("header").tobytes().decode("utf-8")  # given bytes, json would guess the encoding
    header = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    if not isinstance(header, dict):
        raise ValueError("its header is no JSON object")
    _require_printable(header)
    return header, arrays


def _refuse(constant: str) -> None:
    """JSON has no infinities and no NaN, though Python reads them."""
    raise ValueError(f"its header says {constant}")


def _finite(number: str) -> float:
    """A number that is too large for a float would become an infinity."""
    value = float(number)
    if not isfinite(value):
        raise ValueError(f"its header says {number}")
    return value


def _require_printable(value: Any) -> None:
    """What the header says is shown on a terminal: no text in it may move the cursor, or begin a line of its own."""
    if isinstance(value, str) and not value.isprintable():
        raise ValueError(f"its header has text that cannot be printed: {value[:40]!a}")
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for inner in value:
            _require_printable(inner)


def read_file(model: str | os.PathLike[str]) -> bytes:
    """The bytes of the references beside a model file.

    Raises:
        ModelError: There are none, they cannot be read, or are too large.
    """
    path = references_path(model)
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ModelError(f"references {path}: not a regular file")
        if path.is_file() and path.stat().st_size > MAX_BYTES:
            raise ModelError(f"references {path}: more than {MAX_BYTES // 1_000_000} MB, the most that is read")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(f"no references at {path}: {REMEDY}") from error
    except OSError as error:
        raise ModelError(f"references {path}: cannot be read: {error.strerror or error}") from error


def read_references(model: str | os.PathLike[str], sha256: str) -> References:
    """Read the references beside a model file.

    Args:
        model: The `.onnx` file.
        sha256: Of its bytes, as hex.

    Raises:
        ModelError: They are missing, damaged, or those of another model.
    """
    content = read_file(model)
    with damage_told(model):
        references = References.from_arrays(*parse(content))
    require_bound(references, model, sha256)
    return references


@contextmanager
def damage_told(model: str | os.PathLike[str]) -> Iterator[None]:
    """Whatever numpy, zipfile, zlib and json raise on damaged references becomes one `ModelError`."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ModelError(
            f"references {references_path(model)}: damaged or not of mnistsum ({reason}): {REMEDY}"
        ) from error


def require_bound(references: References, model: str | os.PathLike[str], sha256: str) -> None:
    """Raise `ModelError` unless the references are those of the model file with this SHA-256."""
    if sha256 != references.model_sha256:
        raise ModelError(
            f"references {references_path(model)}: they belong to another model (SHA-256 "
            f"{references.model_sha256[:12]}, {Path(model).name} has {sha256[:12]}): {REMEDY}"
        )

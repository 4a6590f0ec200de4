"""The inputs on which a module and its ONNX file are compared: named arrays, whose axis 0 is the batch."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mnistsum_runtime.errors import CallError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_ROWS = 2
"""With one row, nothing tells whether the answer depends on the input, nor on the batch size."""
MAX_BYTES = 2_000_000_000
"""Of an .npz file, unpacked: it is read into memory whole."""
FIRST_ROWS = 32
"""Where a part of the rows is chosen, the first ones are always among them, so that odd inputs can be put in front."""
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Arrays = dict[str, "NDArray[Any]"]
"""By input, [rows, ...] each."""


def read_examples(path: Path) -> Arrays:
    """Read an .npz file of `numpy.savez`: one array for each input, in the order of the file.

    Raises:
        CallError: It cannot be read, is no such file, holds pickled objects, or is too large.
    """
    try:
        if not path.is_file():
            raise CallError(f"--inputs {path}: {'not a file' if path.exists() else 'there is no such file'}")
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > MAX_BYTES:
            raise CallError(f"--inputs {path}: {unpacked:,} bytes unpacked, at most {MAX_BYTES:,} are read")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except CallError:
        raise
    except Exception as error:  # numpy, zipfile and zlib each raise their own on what is no good
        reason = " ".join(str(error).split()) or type(error).__name__
        if "allow_pickle" in reason:
            reason = "it holds objects, which are never unpickled"
        raise CallError(
            f"--inputs {path}: {reason}: expected an .npz file of numpy.savez, one array of numbers for each input"
        ) from error


def as_arrays(examples: Mapping[str, object], *, any_name: bool = False) -> Arrays:
    """Check examples, and bring them to numpy.

    Args:
        examples: numpy arrays or torch tensors by input name, [rows, ...] each.
        any_name: The names need not be such as ONNX allows.

    Raises:
        CallError: There are none, a name is not one that ONNX allows, an array is not one of numbers, there are fewer
            than two rows, or not as many of each.
    """
    if not examples:
        raise CallError("no examples: expected one array or more by input name")
    if not any_name:
        check_names("input", list(examples))
    arrays = {name: _as_array(name, value) for name, value in examples.items()}
    rows = {name: len(array) for name, array in arrays.items()}
    if len(set(rows.values())) > 1:
        raise CallError(f"the examples have different numbers of rows: {rows}; axis 0 is the batch, of every input")
    count = next(iter(rows.values()))
    if count < LEAST_ROWS:
        raise CallError(
            f"the examples have {count} row{'s'[: count != 1]}, expected {LEAST_ROWS} or more: one row does not tell "
            "whether the answer depends on the input, nor whether it depends on the batch size"
        )
    return arrays


def _as_array(name: str, value: object) -> NDArray[Any]:
    if isinstance(value, torch.Tensor):
        if value.dtype == torch.bfloat16:
            raise CallError(f"input {name} is bfloat16, which numpy does not have: use float32")
        try:
            value = value.detach().cpu().numpy()
        except (RuntimeError, TypeError, NotImplementedError) as error:  # sparse, on no device, of 8-bit floats
            reason = " ".join(str(error).split())
            raise CallError(f"input {name} cannot be brought to numpy: {reason}") from error
    if not isinstance(value, np.ndarray):
        raise CallError(f"input {name} is a {type(value).__name__}, expected a numpy array or a torch tensor")
    if value.dtype.kind not in "biuf" or value.dtype.itemsize > 8:
        raise CallError(f"input {name} is of {value.dtype}, expected booleans, integers or floats")
    if value.ndim < 1:
        raise CallError(f"input {name} is a single number, expected [rows, ...]: axis 0 is the batch")
    return np.ascontiguousarray(value, value.dtype.newbyteorder("="))


def check_names(kind: str, names: Sequence[str]) -> None:
    """Raise `CallError` unless all names are different, and such as the ONNX specification allows.

    It asks for the identifiers of C (onnx/docs/IR.md, "Names Within a Graph").
    """
    for name in names:
        if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name):
            raise CallError(
                f"{kind} name {name!r}: ONNX names are made of letters, digits and _, and do not begin with a digit"
            )
    twice = {name for name in names if list(names).count(name) > 1}
    if twice:
        raise CallError(f"{kind} name {min(twice)} is there twice: names must differ")


def rows_of(arrays: Arrays) -> int:
    """How many rows."""
    return len(next(iter(arrays.values())))


def take(arrays: Arrays, rows: NDArray[np.int64] | slice) -> Arrays:
    """A part of the rows."""
    return {name: array[rows] for name, array in arrays.items()}


def batches(arrays: Arrays, size: int) -> Iterator[Arrays]:
    """The rows in their order, `size` at a time."""
    for start in range(0, rows_of(arrays), size):
        yield take(arrays, slice(start, start + size))


def spread_rows(rows: int, count: int) -> NDArray[np.int64] | slice:
    """Index of about `count` of `rows` rows: the first `FIRST_ROWS`, then evenly. All, if there are no more."""
    if count >= rows:
        return slice(None)
    first = min(FIRST_ROWS, count)
    rest = np.linspace(first, rows - 1, count - first).round().astype(np.int64)
    return np.concatenate([np.arange(first), rest])

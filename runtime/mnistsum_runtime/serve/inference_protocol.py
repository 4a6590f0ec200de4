"""The Open Inference Protocol, version 2, over HTTP: JSON, and the extension for tensors as bytes.

References: kserve/open-inference-protocol, `inference_rest.md`; triton-inference-server/server, "Binary Tensor Data
Extension". Text tensors (BYTES), shared memory and classification are not of this server.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mnistsum_runtime.errors import ModelError
from mnistsum_runtime.serve.messages import Refused, Response

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mnistsum_runtime.serve.models import ServedModel

LENGTH = "inference-header-content-length"
"""How many bytes of a body are JSON; tensors as bytes follow."""
VERSION = "1"
"""Of every served model: there is one of each."""

_MOST_AXES = 32
"""Of a tensor: as many as every numpy has."""
_DATATYPES = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
_NAMES = {dtype: name for name, dtype in _DATATYPES.items()}
_FROM_ONNXRUNTIME = {
    "tensor(bool)": "BOOL",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
} | {f"tensor({sign.lower()}int{bits})": f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)}


def describe(model: ServedModel) -> dict[str, Any]:
    """The metadata of a model: names, datatypes and shapes, -1 for an axis of any length."""
    return {
        "name": model.name,
        "versions": [VERSION],
        "platform": "onnxruntime_onnx",
        "inputs": [_describe_tensor(tensor) for tensor in model.session.get_inputs()],
        "outputs": [_describe_tensor(tensor) for tensor in model.session.get_outputs()],
    }


def _describe_tensor(tensor: Any) -> dict[str, Any]:
    shape = [size if isinstance(size, int) else -1 for size in tensor.shape]
    return {"name": tensor.name, "datatype": _FROM_ONNXRUNTIME.get(tensor.type, tensor.type), "shape": shape}


def infer(model: ServedModel, body: bytes, json_length: str | None, most_rows: int) -> Response:
    """Answer one inference request.

    Args:
        model: Is asked.
        body: Of the request.
        json_length: The header `LENGTH`, where it has one.
        most_rows: Of one request.

    Raises:
        Refused: 400; the message says what is wrong.
        ModelError: onnxruntime cannot run it.
    """
    asked, rest = _split(body, json_length)
    inputs = _read_inputs(model, asked, rest, most_rows)
    wanted = _read_outputs(model, asked)
    try:
        arrays = model.session.run(list(wanted), inputs)
    except Exception as error:  # onnxruntime's errors have no common base but this
        reason = " ".join(str(error).split())
        if "INVALID_ARGUMENT" in reason or "Got invalid dimensions" in reason:
            raise _wrong(reason) from error
        raise ModelError(f"model {model.name}: onnxruntime cannot run it: {reason}") from error
    return _to_response(model, asked.get("id"), dict(zip(wanted, arrays, strict=True)), wanted)


def _wrong(message: str) -> Refused:
    return Refused(400, "bad_request", message)


def _split(body: bytes, json_length: str | None) -> tuple[dict[str, Any], bytes]:
    length = len(body)
    if json_length is not None:
        if not json_length.isdecimal() or not json_length.isascii() or int(json_length[:20]) > len(body):
            raise _wrong(f"{LENGTH} is {json_length[:40]!r}, the body has {len(body)} bytes")
        length = int(json_length)
    try:
        asked = json.loads(body[:length].decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _wrong(f"the request is no JSON: {error}") from error
    if not isinstance(asked, dict):
        raise _wrong("the request is no JSON object")
    if not isinstance(asked.get("id", ""), str):
        raise _wrong("id is no text")
    return asked, body[length:]


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _entries(asked: dict[str, Any], key: str) -> list[dict[str, Any]]:
    entries = asked.get(key, [])
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict) and isinstance(entry.get("name"), str) for entry in entries
    ):
        raise _wrong(f"{key} must be a list of objects with a name")
    if len({entry["name"] for entry in entries}) != len(entries):
        raise _wrong(f"{key} has a name twice")
    return entries


def _parameters(entry: dict[str, Any]) -> dict[str, Any]:
    parameters = entry.get("parameters", {})
    if not isinstance(parameters, dict):
        raise _wrong("parameters must be an object")
    return parameters


def _read_inputs(model: ServedModel, asked: dict[str, Any], rest: bytes, most_rows: int) -> dict[str, NDArray[Any]]:
    entries = {entry["name"]: entry for entry in _entries(asked, "inputs")}
    expected = {tensor.name: tensor for tensor in model.session.get_inputs()}
    if set(entries) != set(expected):
        raise _wrong(f"expected the inputs {', '.join(expected)}, found {', '.join(entries) or 'none'}")
    arrays, at = {}, 0
    for name, entry in entries.items():
        size = _parameters(entry).get("binary_data_size")
        if size is not None and (
            isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= len(rest) - at
        ):
            raise _wrong(f"input {name}: binary_data_size is {size!r}, {len(rest) - at} bytes are left")
        data = None if size is None else rest[at : at + size]
        at += size or 0
        arrays[name] = _read_input(entry, data, _FROM_ONNXRUNTIME.get(expected[name].type, ""), most_rows)
    if at != len(rest):
        raise _wrong(f"{len(rest) - at} bytes more than the inputs have")
    if len({len(array) for array in arrays.values()}) > 1 and all(
        not isinstance(tensor.shape[0], int) for tensor in expected.values()
    ):
        raise _wrong("the inputs have different numbers of rows")
    return arrays


def _read_input(entry: dict[str, Any], data: bytes | None, datatype: str, most_rows: int) -> NDArray[Any]:
    name, shape = entry["name"], entry.get("shape")
    if entry.get("datatype") != datatype:
        raise _wrong(f"input {name}: expected the datatype {datatype}, found {entry.get('datatype')!r}")
    if not isinstance(shape, list) or not all(type(size) is int and 0 < size < 1 << 31 for size in shape):
        raise _wrong(f"input {name}: its shape must be a list of whole numbers above 0")
    if len(shape) > _MOST_AXES:
        raise _wrong(f"input {name}: its shape has {len(shape)} axes, at most {_MOST_AXES} are read")
    if shape and shape[0] > most_rows:
        raise _wrong(f"input {name}: {shape[0]} rows, at most {most_rows} are answered at once")
    dtype, count = _DATATYPES[datatype], math.prod(shape)
    if data is not None:
        if len(data) != count * dtype.itemsize:
            raise _wrong(f"input {name}: {len(data)} bytes, its shape has {count * dtype.itemsize}")
        return np.frombuffer(data, dtype).reshape(shape)
    return _from_json(entry, dtype, count).reshape(shape)


def _from_json(entry: dict[str, Any], dtype: np.dtype[Any], count: int) -> NDArray[Any]:
    """The numbers of `data`, flat or nested, which must be of the datatype without loss of kind."""
    name = entry["name"]
    try:
        found = np.asarray(entry.get("data"))
    except ValueError as error:
        raise _wrong(f"input {name}: its data are no even list of numbers") from error
    kinds = {"f": "iuf", "i": "iu", "u": "iu", "b": "b"}[dtype.kind]
    if found.ndim == 0 or found.size != count or found.dtype.kind not in kinds:
        raise _wrong(f"input {name}: expected {count} values for its datatype and shape, found {found.size}")
    with np.errstate(over="ignore"):
        converted = found.ravel().astype(dtype)
    exact = np.isfinite(converted) if dtype.kind == "f" else converted == found.ravel()
    if not exact.all():
        raise _wrong(f"input {name}: a value is out of the datatype's range")
    return converted


def _read_outputs(model: ServedModel, asked: dict[str, Any]) -> dict[str, bool]:
    """The outputs that are wanted, in order, and which of them as bytes."""
    as_bytes = _parameters(asked).get("binary_data_output", False) is True
    known = [tensor.name for tensor in model.session.get_outputs()]
    wanted = _entries(asked, "outputs")
    for entry in wanted:
        if entry["name"] not in known:
            raise _wrong(f"expected outputs among {', '.join(known)}, found {entry['name'][:80]!r}")
        if "classification" in _parameters(entry):
            raise _wrong("the classification extension is not of this server")
    if not wanted:
        return dict.fromkeys(known, as_bytes)
    return {entry["name"]: _parameters(entry).get("binary_data", as_bytes) is True for entry in wanted}


def _to_response(
    model: ServedModel, identity: str | None, arrays: dict[str, NDArray[Any]], wanted: dict[str, bool]
) -> Response:
    outputs, tail = [], []
    for name, array in arrays.items():
        dtype = array.dtype.newbyteorder("<")
        entry: dict[str, Any] = {"name": name, "datatype": _NAMES[dtype], "shape": list(array.shape)}
        if wanted[name]:
            data = np.ascontiguousarray(array, dtype).tobytes()
            entry["parameters"] = {"binary_data_size": len(data)}
            tail.append(data)
        else:
            if not np.isfinite(array).all():
                raise ModelError(f"model {model.name}: its output {name} has values that are not finite")
            entry["data"] = array.ravel().tolist()
        outputs.append(entry)
    head = {"model_name": model.name, "model_version": VERSION, "outputs": outputs}
    if identity is not None:
        head["id"] = identity
    text = json.dumps(head, allow_nan=False).encode()
    if not tail:
        return Response(text, model=model.name)
    headers = {"Inference-Header-Content-Length": str(len(text))}
    return Response(b"".join([text, *tail]), "application/octet-stream", 200, headers, model.name)

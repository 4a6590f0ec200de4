"""The model file: where the shipped one is, and the check that a file carries the contract before it is believed."""

import ctypes
import os
from importlib.util import find_spec
from typing import Any, NamedTuple

import onnxruntime

from mnistsum_runtime import contract
from mnistsum_runtime.errors import CallError, ModelError
from mnistsum_runtime.operations import OPERATIONS, SUM, Operation
from mnistsum_runtime.reliability import UNCALIBRATED, Calibration

_LOG_NOTHING = 4  # onnxruntime's "fatal": what it would print comes as an exception, and is told in one line


def model_name(operation: Operation, precision: str = contract.FP32) -> str:
    """The file name of the shipped model of an operation."""
    suffix = "" if precision == contract.FP32 else f"-{precision}"
    return f"mnistsum-{operation.name}{suffix}.onnx"


def find_model(model: str | os.PathLike[str] | None, operation: Operation = SUM) -> str:
    """The file that a user names: nothing is the operation's shipped one, `int8` its int8 one, all else a path."""
    if model is None:
        return shipped_model(operation)
    return shipped_model(operation, contract.INT8) if model == contract.INT8 else os.fspath(model)


def shipped_model(operation: Operation = SUM, precision: str = contract.FP32) -> str:
    """Where the shipped model of an operation is, in a wheel and in a checkout alike.

    Raises:
        ModelError: The package with the shipped models is not installed.
    """
    # What importlib.resources.files() would answer; importing it takes 7 ms of the 150 of a whole process.
    spec = find_spec("mnistsum_artifacts")
    if spec is None or not spec.submodule_search_locations:
        raise ModelError("the package mnistsum_artifacts is not installed: name a model file, or reinstall mnistsum")
    return os.path.join(spec.submodule_search_locations[0], model_name(operation, precision))


class Model(NamedTuple):
    """An open model whose contract was checked."""

    path: str
    """The file it was read from."""
    session: Any
    """The `onnxruntime.InferenceSession`."""
    operation: Operation
    """What the second output computes."""
    calibration: Calibration = UNCALIBRATED
    """How its logits become confidences, and which answers are reliable."""

    def precision(self) -> str:
        """`fp32` or `int8`, as the file says."""
        metadata = self.session.get_modelmeta().custom_metadata_map
        return str(metadata.get(contract.META_PRECISION, contract.FP32))

    def sha256(self) -> str:
        """SHA-256 of the file's bytes, as hex."""
        from hashlib import sha256

        with open(self.path, "rb") as file:
            return sha256(file.read()).hexdigest()


def open_named_model(
    model: str | os.PathLike[str] | None, operation: str | None = None, threads: int = 1, *, optimise: bool = True
) -> Model:
    """Find and open the model that a user names.

    Args:
        model: See `find_model`.
        operation: `sum` or `product`: which shipped model, by default `sum`; a file must be of it.
        threads: How many threads one inference may use.
        optimise: See `session_options`.

    Raises:
        CallError: There is no such operation.
        ModelError: As of `open_model`, or the model is of another operation.
    """
    if operation is not None and operation not in OPERATIONS:
        raise CallError(f"operation must be {' or '.join(OPERATIONS)}, found {operation!r}")
    opened = open_model(find_model(model, OPERATIONS[operation or SUM.name]), threads, optimise=optimise)
    if operation not in (None, opened.operation.name):
        raise ModelError(f"model {opened.path}: its operation is {opened.operation.name}, asked for was {operation}")
    return opened


def open_model(path: str | os.PathLike[str], threads: int = 1, *, optimise: bool = True) -> Model:
    """Read a model file, make its session on the CPU, and check its contract.

    Args:
        path: The `.onnx` file.
        threads: How many threads one inference may use.
        optimise: See `session_options`.

    Raises:
        ModelError: The file is missing, empty, damaged, or does not carry the contract of `contract`.
    """
    path = os.fspath(path)
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        raise ModelError(f"model {path}: not a regular file")  # a pipe would be waited for, and read only once
    try:
        path.encode()
        with open(path, "rb") as file:
            empty = not file.read(1)
    except UnicodeEncodeError as error:
        raise ModelError(f"model {path}: its name is not UTF-8, which onnxruntime needs: rename it") from error
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ModelError(f"model {path}: cannot be read: {reason}") from error
    if empty:
        raise ModelError(f"model {path}: the file is empty")
    try:
        # Given the path, onnxruntime reads the file itself: given bytes, it would hold them twice.
        session = onnxruntime.InferenceSession(
            path, session_options(threads, optimise=optimise), providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime raises its own Fail, InvalidProtobuf, InvalidGraph, NotImplemented ...
        reason = " ".join(str(error).split())
        raise ModelError(f"model {path}: onnxruntime cannot load it: {reason}") from error
    _return_freed_memory()
    return Model(path, session, check_contract(session, path), read_calibration(session, path))


def _return_freed_memory() -> None:
    """Give back to the system what only loading needed, 1.3 MB for the shipped model: glibc would keep it."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        return  # only glibc has it


def session_options(threads: int, *, optimise: bool = True) -> Any:
    """What suits one small network on a small device: see "Start-up and memory" in runtime/README.md.

    Args:
        threads: How many threads one inference may use.
        optimise: Let onnxruntime rewrite the graph for this processor: halves every answer, but costs more to open
            (1 ms, 2 MB) than a single picture gives back.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = _LOG_NOTHING
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return options


def check_contract(session: Any, path: str) -> Operation:
    """Compare what a session says of its file with the contract; the operation it computes.

    Raises:
        ModelError: An input, an output or a metadata key is missing or different; the first one is named.
    """
    metadata = session.get_modelmeta().custom_metadata_map
    missing = [key for key in contract.REQUIRED_METADATA if key not in metadata]
    if missing:
        raise ModelError(f"model {path}: not a mnistsum model: metadata {missing[0]} is missing")
    operation = OPERATIONS.get(metadata[contract.META_OPERATION])
    if operation is None:
        known = ", ".join(OPERATIONS)
        found = metadata[contract.META_OPERATION]
        raise ModelError(f"model {path}: its operation is {found!r}, this mnistsum knows {known}")
    # As text, but for the spaces: importing json takes a hundredth of a whole process.
    classes = metadata[contract.META_CLASSES]
    if "".join(classes.split()) != ",".join(map(str, operation.classes)).join("[]"):
        raise ModelError(f"model {path}: its classes are not those of the operation {operation.name}")
    size = contract.IMAGE_SIZE
    _check_tensors(
        path,
        "input",
        session.get_inputs(),
        {contract.IMAGE: [1, size, size], contract.NUMBER: [contract.NUMBERS]},
    )
    _check_tensors(
        path,
        "output",
        session.get_outputs(),
        {contract.DIGIT: [contract.NUMBERS], operation.name: [len(operation.classes)]},
    )
    return operation


def read_calibration(session: Any, path: str) -> Calibration:
    """What a file says of its calibration; one that says nothing is uncalibrated.

    Raises:
        ModelError: It says something that is no calibration.
    """
    metadata = session.get_modelmeta().custom_metadata_map
    try:
        return Calibration.from_metadata(metadata)
    except ValueError as error:
        raise ModelError(f"model {path}: its calibration is damaged ({error}): export it again") from error


def _check_tensors(path: str, role: str, found: list[Any], expected: dict[str, list[int]]) -> None:
    names = [tensor.name for tensor in found]
    if sorted(names) != sorted(expected):
        raise ModelError(f"model {path}: expected the {role}s {', '.join(expected)}, found {', '.join(names)}")
    for tensor in found:
        batch, *shape = tensor.shape or [None]
        if isinstance(batch, int) or shape != expected[tensor.name] or tensor.type != "tensor(float)":
            wanted = [contract.BATCH, *expected[tensor.name]]
            raise ModelError(
                f"model {path}: expected the {role} {tensor.name} as tensor(float) {wanted}, "
                f"found {tensor.type} {tensor.shape}"
            )

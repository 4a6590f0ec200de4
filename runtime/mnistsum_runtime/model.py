"""The model file: where the shipped one is, and the check that a file carries the contract before it is believed."""

import os
from typing import Any, NamedTuple

from mnistsum_runtime import contract
from mnistsum_runtime.errors import CallError, ModelError
from mnistsum_runtime.operations import OPERATIONS, SUM, Operation
from mnistsum_runtime.proof.model_file import ModelFile, open_model_file, read_metadata, sha256_of
from mnistsum_runtime.reliability import UNCALIBRATED, Calibration
from mnistsum_runtime.shipped import BEGINS, ENDS, shipped_folder, shipped_models


def model_name(operation: Operation, precision: str = contract.FP32) -> str:
    """The file name of the shipped model of an operation."""
    suffix = "" if precision == contract.FP32 else f"-{precision}"
    return f"{BEGINS}{operation.name}{suffix}{ENDS}"


def find_model(model: str | os.PathLike[str] | None, operation: Operation = SUM) -> str:
    """The file that a user names.

    Args:
        model: Nothing is the operation's shipped model. A text that is the name of a shipped one is that: `sum`,
            `product-int8`, or without the operation, `int8`. All else is a path (`./int8` too).
        operation: See `model`.

    Raises:
        CallError: `model` is no path.
        ModelError: It is a word that names neither a shipped model nor a file, or the package with the shipped models
            is not installed.
    """
    if model is None:
        return shipped_model(operation)
    if not isinstance(model, str | os.PathLike):
        raise CallError(f"model must be a path or the name of a shipped model, found {type(model).__name__}")
    path = os.fsdecode(model)
    if not isinstance(model, str) or os.path.basename(path) != path or "." in path:
        return path
    shipped = shipped_models(operation.name)
    if path not in shipped and not os.path.lexists(path):
        known = ", ".join(shipped) or "none"
        raise ModelError(f"model {path}: no such file, and no shipped model of that name (there are: {known})")
    return shipped.get(path, path)


def shipped_model(operation: Operation = SUM, precision: str = contract.FP32) -> str:
    """Where the shipped model of an operation is, in a wheel and in a checkout alike.

    Raises:
        ModelError: The package with the shipped models is not installed.
    """
    folder = shipped_folder()
    if folder is None:
        raise ModelError("the package mnistsum_artifacts is not installed: name a model file, or reinstall mnistsum")
    return os.path.join(folder, model_name(operation, precision))


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
        metadata = read_metadata(self.session, self.path)
        return str(metadata.get(contract.META_PRECISION, contract.FP32))

    def sha256(self) -> str:
        """SHA-256 of the file's bytes, as hex."""
        return sha256_of(self.path)


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
        ModelError: As of `find_model` and `open_model`, or the model is of another operation.
    """
    return require_operation(open_model(find_named_model(model, operation), threads, optimise=optimise), operation)


def open_file(model: str | os.PathLike[str] | None, operation: str | None = None, threads: int = 1) -> ModelFile:
    """Find and open the file that a user names, of this network or of any other.

    Args:
        model: See `find_model`.
        operation: As of `open_named_model`; a file of another network has none.
        threads: How many threads one inference may use.

    Raises:
        CallError: There is no such operation.
        ModelError: As of `find_model` and `open_model_file`, or an operation was asked for and the file is of another
            network.
    """
    opened = open_model_file(find_named_model(model, operation), threads)
    if operation is not None and not is_network(opened):
        raise ModelError(f"model {opened.path}: it has no operation, asked for was {operation}")
    return opened


def is_network(opened: ModelFile) -> bool:
    """Whether a file says that it is of this network."""
    return contract.META_OPERATION in opened.metadata()


def find_named_model(model: str | os.PathLike[str] | None, operation: str | None = None) -> str:
    """The file that a user names.

    Args:
        model: See `find_model`.
        operation: `sum` or `product`: which shipped model, by default `sum`.

    Raises:
        CallError: There is no such operation, or `model` is no path.
        ModelError: As of `find_model`.
    """
    if operation is not None and not (isinstance(operation, str) and operation in OPERATIONS):
        raise CallError(f"operation must be {' or '.join(OPERATIONS)}, found {operation!r}")
    return find_model(model, OPERATIONS[operation or SUM.name])


def require_operation(model: Model, operation: str | None) -> Model:
    """Raise `ModelError` if an operation is asked for and the model's is another; the model."""
    if operation not in (None, model.operation.name):
        raise ModelError(f"model {model.path}: its operation is {model.operation.name}, asked for was {operation}")
    return model


def open_model(path: str | os.PathLike[str], threads: int = 1, *, optimise: bool = True) -> Model:
    """Read a model file, make its session on the CPU, and check its contract.

    Args:
        path: The `.onnx` file.
        threads: How many threads one inference may use.
        optimise: See `session_options`.

    Raises:
        ModelError: The file is missing, empty, damaged, or does not carry the contract of `contract`.
    """
    return check_model(open_model_file(path, threads, optimise=optimise))


def check_model(file: ModelFile) -> Model:
    """Check the contract of an open file.

    Raises:
        ModelError: It does not carry the contract of `contract`.
    """
    path, session, has_loop = file
    if has_loop:
        raise ModelError(f"model {path}: refused: a loop in its graph, which no mnistsum model has")
    return Model(path, session, check_contract(session, path), read_calibration(session, path))


def check_contract(session: Any, path: str) -> Operation:
    """Compare what a session says of its file with the contract; the operation it computes.

    Raises:
        ModelError: An input, an output or a metadata key is missing or different; the first one is named.
    """
    metadata = read_metadata(session, path)
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
    metadata = read_metadata(session, path)
    try:
        return Calibration.from_metadata(metadata)
    except ValueError as error:
        raise ModelError(
            f"model {path}: its calibration is damaged ({error}): copy it again, or export it again where it was made"
        ) from error


def _check_tensors(path: str, role: str, found: list[Any], expected: dict[str, list[int]]) -> None:
    names = [tensor.name for tensor in found]
    if sorted(names) != sorted(expected):
        raise ModelError(f"model {path}: expected the {role}s {', '.join(expected)}, found {', '.join(names)}")
    for tensor in found:
        batch, *shape = tensor.shape or [None]
        sizes = expected[tensor.name]
        if role == "output" and len(shape) == len(sizes):
            # Of a file that contradicts itself onnxruntime may forget a size, or not: what it answers is measured.
            shape = [size if known is None else known for known, size in zip(shape, sizes, strict=True)]
        if isinstance(batch, int) or shape != sizes or tensor.type != "tensor(float)":
            wanted = [contract.BATCH, *sizes]
            raise ModelError(
                f"model {path}: expected the {role} {tensor.name} as tensor(float) {wanted}, "
                f"found {tensor.type} {tensor.shape}"
            )

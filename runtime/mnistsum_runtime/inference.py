"""From prepared pictures to predictions: encode, run, decide. Everything that answers pictures stands on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mnistsum_runtime import contract
from mnistsum_runtime.errors import ModelError
from mnistsum_runtime.prediction import Prediction
from mnistsum_runtime.reliability import reason_for_doubt, reason_in_preparation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mnistsum_runtime.model import Model
    from mnistsum_runtime.operations import Operation
    from mnistsum_runtime.preparation.mnist_form import Ink
    from mnistsum_runtime.preparation.prepared import PreparedPicture

_ONE_HOT = np.eye(contract.NUMBERS, dtype=np.float32)
_LARGEST_SQUARES = 1e18
"""Of the logits of a batch, the sum of their squares: far more than any network gives, and far less than would overflow
on the way to a confidence."""


class NetworkInput(NamedTuple):
    """What the network is given, and what is known already of how far its answer can be relied on.

    Without the rest of the preparation's record: masks as large as their pictures, kept for a whole batch, would drive
    each other out of the cache.
    """

    field: Ink
    """float32 [28, 28]."""
    number: int
    """0..9."""
    doubt: str | None
    """What the preparation saw that speaks against any answer."""

    @classmethod
    def of(cls, prepared: PreparedPicture, number: int) -> NetworkInput:
        """A prepared picture and a number."""
        return cls(prepared.field, number, reason_in_preparation(prepared))


def answer(model: Model, inputs: list[NetworkInput], *, keep_fields: bool = False) -> list[Prediction]:
    """Answer one batch, of one or more.

    Args:
        model: Answers.
        inputs: What is asked.
        keep_fields: Each answer keeps what the network saw.

    Raises:
        ModelError: onnxruntime cannot run the file.
    """
    digits, values = run(model, *encode(inputs))
    fields = [each.field for each in inputs] if keep_fields else [None] * len(inputs)
    return [decide(model, *each) for each in zip(inputs, digits, values, fields, strict=True)]


def encode(inputs: list[NetworkInput]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The network's two inputs: ink [n, 1, 28, 28] in 0..1, and one-hot numbers [n, 10]."""
    if len(inputs) == 1:  # views instead of np.stack and an index array: 7 us of the 120 of a single answer
        field, number, _ = inputs[0]
        return field[None, None], _ONE_HOT[number : number + 1]
    fields = np.stack([each.field for each in inputs])[:, None]
    return fields, _ONE_HOT[[each.number for each in inputs]]


def run(
    model: Model, images: NDArray[np.float32], numbers: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The logits of the digit [n, 10] and of the operation's value [n, classes].

    Raises:
        ModelError: onnxruntime cannot: a file may load, and fail at its first answer. Or what it answers is not what
            the file declares, or no finite numbers.
    """
    names, feed = (contract.DIGIT, model.operation.name), {contract.IMAGE: images, contract.NUMBER: numbers}
    try:
        digits, values = model.session.run(names, feed)
    except Exception as error:  # onnxruntime's errors have no common base but this
        reason = " ".join(str(error).split())
        raise ModelError(f"model {model.path}: onnxruntime cannot run it: {reason}") from error
    _check_answer(model, contract.DIGIT, digits, (len(images), contract.NUMBERS))
    _check_answer(model, model.operation.name, values, (len(images), len(model.operation.classes)))
    return digits, values


def _check_answer(model: Model, name: str, logits: Any, shape: tuple[int, int]) -> None:
    """A file may declare one thing and answer another."""
    if not isinstance(logits, np.ndarray) or logits.shape != shape or logits.dtype != np.float32:
        found = f"{logits.dtype} {list(logits.shape)}" if isinstance(logits, np.ndarray) else type(logits).__name__
        raise ModelError(f"model {model.path}: its output {name} is {found}, expected float32 {list(shape)}")
    if not np.vdot(logits, logits) < _LARGEST_SQUARES:  # NaN is not either
        raise ModelError(f"model {model.path}: its output {name} has values that are not finite, or no logits")


def decide(
    model: Model,
    given: NetworkInput,
    digit_logits: NDArray[np.float32],
    value_logits: NDArray[np.float32],
    field: Ink | None = None,
) -> Prediction:
    """One answer: the labels, how sure they are, and whether they are to be relied on.

    Args:
        model: Says what the classes mean, and how sure an answer must be.
        given: What was asked.
        digit_logits: [10].
        value_logits: [classes].
        field: What the network saw, if the answer is to keep it.
    """
    operation, number = model.operation, given.number
    digit_temperature, value_temperature, least = model.calibration
    digit, digits = softmax(digit_logits, digit_temperature)
    best, values = softmax(value_logits, value_temperature)
    value = operation.classes[best]
    reason = None
    if digits[digit] < least or values[best] < least or value != operation.function(digit, number):
        disagreement = describe_disagreement(operation, digit, number, value)
        reason = reason_for_doubt(digits, float(values[best]), disagreement, least)
    return Prediction(operation, number, digit, value, digits, values, reason or given.doubt, field)


def describe_disagreement(operation: Operation, digit: int, number: int, value: int) -> str | None:
    """What is wrong where the second output does not follow from the first; None where it does."""
    expected = operation.function(digit, number)
    if value == expected:
        return None
    return f"the two outputs disagree, {digit} {operation.symbol} {number} = {expected}"


def softmax(logits: NDArray[np.float32], temperature: float) -> tuple[int, NDArray[np.float32]]:
    """The best class, and the probabilities of all.

    Args:
        logits: [classes]; of one picture, since numpy's reductions take half as long without an axis.
        temperature: The logits are divided by it.

    Returns:
        Index of the largest logit; [classes], sums to 1.
    """
    best = int(logits.argmax())
    exponentials = logits - logits[best]
    exponentials /= temperature
    np.exp(exponentials, exponentials)
    exponentials /= np.add.reduce(exponentials)
    return best, exponentials

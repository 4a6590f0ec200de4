"""The answer for one picture and one number, as a value and as a JSON line."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mnistsum_runtime.errors import PictureError
    from mnistsum_runtime.operations import Operation

JsonValue = str | int | float | bool | None | dict[str, str]


class Prediction(NamedTuple):
    """What the network answers. Compared by identity: two arrays have no single truth value."""

    operation: Operation
    """What the second output computes: the sum, unless another model was opened."""
    number: int
    """The number that was given, 0..9."""
    digit: int
    """The digit that was read, 0..9."""
    value: int
    """The second output's answer, for example the sum. `consistent` says whether it follows from `digit`."""
    digit_probabilities: NDArray[np.float32]
    """[10], sums to 1; entry i is the probability of the digit i."""
    value_probabilities: NDArray[np.float32]
    """[len(operation.classes)], sums to 1; entry i is the probability of the value `operation.classes[i]`."""
    reason: str | None = None
    """Why the answer is not to be relied on, in a few words; None where it is reliable."""

    def __eq__(self, other: object) -> bool:
        """Identity."""
        return self is other

    def __hash__(self) -> int:
        """The hash of the identity."""
        return id(self)

    @property
    def reliable(self) -> bool:
        """Whether the answer is to be relied on; where it is not, `reason` says why."""
        return self.reason is None

    @property
    def digit_confidence(self) -> float:
        """The probability of `digit`, 0..1."""
        return float(self.digit_probabilities.max())

    @property
    def value_confidence(self) -> float:
        """The probability of `value`, 0..1."""
        return float(self.value_probabilities.max())

    @property
    def consistent(self) -> bool:
        """Whether the two outputs agree: `value` is the operation of `digit` and `number`."""
        return self.value == self.operation.function(self.digit, self.number)

    def to_json(self, image: str) -> dict[str, JsonValue]:
        """The JSON line for the picture called `image`; confidences have four decimals."""
        name = self.operation.name
        return {
            "image": image,
            "number": self.number,
            "digit": self.digit,
            name: self.value,
            "digit_confidence": round(self.digit_confidence, 4),
            f"{name}_confidence": round(self.value_confidence, 4),
            "consistent": self.consistent,
            "reliable": self.reliable,
            "reason": self.reason,
            "error": None,
        }

    def to_line(self, image: str) -> str:
        """The sentence for the picture called `image`."""
        digit = f"digit {self.digit} ({self.digit_confidence:.2%})"
        value = f"{self.operation.name} {self.value}"
        if self.consistent:
            value = f"{self.digit} {self.operation.symbol} {self.number} = {self.value}"
        doubt = "" if self.reason is None else f" (unsure: {self.reason})"
        return f"{image}: {digit}, {value} ({self.value_confidence:.2%}){doubt}"


def error_to_json(image: str, number: int, operation: Operation, error: PictureError) -> dict[str, JsonValue]:
    """The JSON line of a picture that gives no answer: the same fields, null, and what went wrong."""
    return {
        "image": image,
        "number": number,
        "digit": None,
        operation.name: None,
        "digit_confidence": None,
        f"{operation.name}_confidence": None,
        "consistent": None,
        "reliable": None,
        "reason": None,
        "error": {"kind": error.kind, "message": error.message},
    }

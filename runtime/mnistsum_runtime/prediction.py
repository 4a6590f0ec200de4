"""The answer for one picture and one number, as a value and as a JSON line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mnistsum_runtime.errors import PictureError
    from mnistsum_runtime.operations import Operation

JsonValue = str | int | float | bool | None | dict[str, str]


class Prediction:
    """What the network answers. It cannot be changed, and is equal to itself alone: arrays have no single truth value.

    Properties over slots: a frozen dataclass takes three times as long to make.
    """

    __slots__ = (
        "_digit",
        "_digit_probabilities",
        "_field",
        "_number",
        "_operation",
        "_reason",
        "_value",
        "_value_probabilities",
    )

    def __init__(
        self,
        operation: Operation,
        number: int,
        digit: int,
        value: int,
        digit_probabilities: NDArray[np.float32],
        value_probabilities: NDArray[np.float32],
        reason: str | None = None,
        field: NDArray[np.float32] | None = None,
    ) -> None:
        """Each is the property of its name."""
        self._operation = operation
        self._number = number
        self._digit = digit
        self._value = value
        self._digit_probabilities = digit_probabilities
        self._value_probabilities = value_probabilities
        self._reason = reason
        self._field = field

    @property
    def operation(self) -> Operation:
        """What the second output computes: the sum, unless another model was opened."""
        return self._operation

    @property
    def number(self) -> int:
        """The number that was given, 0..9."""
        return self._number

    @property
    def digit(self) -> int:
        """The digit that was read, 0..9."""
        return self._digit

    @property
    def value(self) -> int:
        """The second output's answer, for example the sum. `consistent` says whether it follows from `digit`."""
        return self._value

    @property
    def digit_probabilities(self) -> NDArray[np.float32]:
        """[10], sums to 1; entry i is the probability of the digit i."""
        return self._digit_probabilities

    @property
    def value_probabilities(self) -> NDArray[np.float32]:
        """[len(operation.classes)], sums to 1; entry i is the probability of the value `operation.classes[i]`."""
        return self._value_probabilities

    @property
    def reason(self) -> str | None:
        """Why the answer is not to be relied on, in a few words; None where it is reliable."""
        return self._reason

    @property
    def field(self) -> NDArray[np.float32] | None:
        """[28, 28], ink 0..1: what the network saw. None in answers of `predict_many`, lest a million take 3 GB."""
        return self._field

    def __repr__(self) -> str:
        """One line, for example `Prediction(7 (100.00%), 7 + 4 = 11 (99.99%), reliable)`."""
        trust = "reliable" if self.reason is None else f"unreliable: {self.reason}"
        return f"Prediction({self.digit} ({self.digit_confidence:.2%}), {self._describe_value()}, {trust})"

    def _repr_html_(self) -> str:
        """For a notebook: the panel of `_repr_png_` where there is one, else the sentence."""
        from html import escape

        sentence, png = escape(repr(self)), self._repr_png_()
        if png is None:
            return f"<code>{sentence}</code>"
        from base64 import b64encode

        return f'<img src="data:image/png;base64,{b64encode(png).decode()}" alt="{sentence}">'

    def _repr_png_(self) -> bytes | None:
        """For a notebook: what the network saw and both outputs, drawn as `--explain` does; None without `field`."""
        if self.field is None:
            return None
        from mnistsum_runtime.explain.alone import draw_alone

        return draw_alone(self, self.field)

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
        doubt = "" if self.reason is None else f" (unsure: {self.reason})"
        return f"{image}: digit {self.digit} ({self.digit_confidence:.2%}), {self._describe_value()}{doubt}"

    def _describe_value(self) -> str:
        """The second output: as a sum where it is one, `7 + 4 = 11 (99.99%)`."""
        value = f"{self.operation.name} {self.value}"
        if self.consistent:
            value = f"{self.digit} {self.operation.symbol} {self.number} = {self.value}"
        return f"{value} ({self.value_confidence:.2%})"


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

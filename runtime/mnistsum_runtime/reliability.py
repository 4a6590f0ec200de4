"""Calibrated confidence, and when an answer is not to be relied on.

The network has a gate, trained on drawn pictures that are no digit, which takes the confidence of both outputs from
them (train/mnistsum_train/gate.py). So what it says anyway is enough here: whether its outputs agree, and how sure they
are. The limit comes from the validation part and travels in the model file.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from math import isfinite
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    from mnistsum_runtime.prepared import PreparedPicture

TWO_CANDIDATES = 0.6
"""Share of the probability on the two best digits from which the doubt is between these two; of no digit at all, the
network spreads it over all ten."""


@dataclass(frozen=True)
class Calibration:
    """Found on the validation part x all ten numbers after training; the default is that of an uncalibrated file."""

    digit_temperature: float = 1.0
    """The digit's logits are divided by it before softmax.

    Guo et al., On Calibration of Modern Neural Networks, 2017."""
    value_temperature: float = 1.0
    """The same for the second output."""
    least_confidence: float = 0.0
    """An answer with a confidence below it, of either output, is not reliable."""

    def to_json(self) -> str:
        """The value of `contract.META_CALIBRATION`."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """Read what `to_json` wrote.

        Raises:
            ValueError: It is something else; the message says what.
        """
        found: Any = json.loads(text)
        names = [field.name for field in fields(cls)]
        if not isinstance(found, dict) or sorted(found) != sorted(names):
            raise ValueError(f"expected an object with {', '.join(names)}")
        if not all(isinstance(value, int | float) and isfinite(value) for value in found.values()):
            raise ValueError("expected finite numbers")
        calibration = cls(**{name: float(value) for name, value in found.items()})
        if min(calibration.digit_temperature, calibration.value_temperature) <= 0:
            raise ValueError("expected temperatures above 0")
        return calibration


def reason_in_preparation(prepared: PreparedPicture) -> str | None:
    """What the preparation saw that speaks against an answer, however sure the network is of the part it was given."""
    if prepared.strangers_dropped:
        return "more than one thing in the picture"
    if prepared.cut:
        return "the ink runs over the picture's edge"
    return None


def reason_for_doubt(
    digit_probabilities: NDArray[np.float32], value_confidence: float, disagreement: str | None, least_confidence: float
) -> str | None:
    """Why an answer is not to be relied on, in a few words; None where it is.

    Args:
        digit_probabilities: [10], calibrated.
        value_confidence: The largest calibrated probability of the second output.
        disagreement: Where the outputs contradict each other, that in words.
        least_confidence: The limit for both confidences.
    """
    if min(digit_probabilities.max(), value_confidence) >= least_confidence:
        return disagreement
    if disagreement is None and digit_probabilities.max() >= least_confidence:
        return "the second output is not sure"
    second, first = (int(digit) for digit in digit_probabilities.argsort()[-2:])
    if digit_probabilities[first] + digit_probabilities[second] >= TWO_CANDIDATES:
        return disagreement or f"could be {first} or {second}"
    return "looks like no digit"

"""Calibrated confidence, and when an answer is not to be relied on.

The network has a gate, trained on drawn pictures that are no digit, which takes the confidence of both outputs from
them (train/mnistsum_train/gate.py). So what it says anyway is enough here: whether its outputs agree, and how sure they
are. The limit comes from the validation part and travels in the model file.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, NamedTuple

from mnistsum_runtime.contract import CALIBRATION_METADATA

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from mnistsum_runtime.preparation.prepared import PreparedPicture

TWO_CANDIDATES = 0.6
"""Share of the probability on the two best digits from which the doubt is between these two; of no digit at all, the
network spreads it over all ten."""

LARGEST_TEMPERATURE = 1000.0
"""Of a calibration; the smallest is one over it. Networks have 0.5 to 3."""


class Calibration(NamedTuple):
    """Both temperatures and the limit of a reliable answer, found on the validation part x all ten numbers."""

    digit_temperature: float
    """The digit's logits are divided by it before softmax.

    Guo et al., On Calibration of Modern Neural Networks, 2017."""
    value_temperature: float
    """The second output's logits are divided by it before softmax."""
    least_confidence: float
    """An answer with a confidence below it, of either output, is not reliable."""

    def to_metadata(self) -> dict[str, str]:
        """What a model file says of its calibration, with the keys of `contract.CALIBRATION_METADATA`."""
        return {key: str(value) for key, value in zip(CALIBRATION_METADATA, self, strict=True)}

    def with_limit(self, least_confidence: float) -> Calibration:
        """The same temperatures with another limit.

        `UNCALIBRATED` stays as it is: no limit tells right from wrong while nobody knows what a confidence is worth.
        """
        return self if self == UNCALIBRATED else self._replace(least_confidence=least_confidence)

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Calibration:
        """Read the calibration from a file's metadata; `UNCALIBRATED` where it has none.

        Raises:
            ValueError: A part is missing, or is no number that it could be; the message says what.
        """
        if not any(key in metadata for key in CALIBRATION_METADATA):
            return UNCALIBRATED
        values = []
        for key in CALIBRATION_METADATA:
            try:
                values.append(float(metadata[key]))
            except KeyError:
                raise ValueError(f"metadata {key} is missing") from None
            except ValueError:
                raise ValueError(f"metadata {key} is {metadata[key]!r}, expected a number") from None
        calibration = cls(*values)
        if not all(1 / LARGEST_TEMPERATURE <= temperature <= LARGEST_TEMPERATURE for temperature in values[:2]):
            expected = f"{1 / LARGEST_TEMPERATURE:g} to {LARGEST_TEMPERATURE:g}"
            raise ValueError(f"its temperatures are {values[0]:g} and {values[1]:g}, expected {expected}")
        if not 0 <= calibration.least_confidence <= 1:
            raise ValueError(f"its least confidence is {calibration.least_confidence:g}, expected 0..1")
        return calibration


UNCALIBRATED = Calibration(1.0, 1.0, inf)
"""The calibration of a file that carries none: no confidence is enough, since nobody knows what it is worth."""


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
    if least_confidence == UNCALIBRATED.least_confidence:
        return disagreement or "the model is not calibrated"
    if digit_probabilities.max() >= least_confidence and value_confidence >= least_confidence:
        return disagreement
    if disagreement is None and digit_probabilities.max() >= least_confidence:
        return "the second output is not sure"
    second, first = (int(digit) for digit in digit_probabilities.argsort()[-2:])
    if digit_probabilities[first] + digit_probabilities[second] >= TWO_CANDIDATES:
        return disagreement or f"could be {first} or {second}"
    return "looks like no digit"

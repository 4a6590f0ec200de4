"""Does this device compute what was computed where the model was made? Two answers, kept apart.

Preparation (Pillow, numpy) and inference (onnxruntime) fail for different reasons, and each is compared with its own
record: the network is fed the recorded pictures, not what preparation made here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from mnistsum_runtime.contract import DIGIT, IMAGE, INT8, NUMBER, NUMBERS
from mnistsum_runtime.errors import ModelError, PictureError
from mnistsum_runtime.preparation.picture import read_picture
from mnistsum_runtime.preparation.prepare import prepare

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mnistsum_runtime.model import Model
    from mnistsum_runtime.proof.references import References, Sample

BATCHES = (1, 2, 7, 64)
"""Sizes in which the references go through the network, in turn: no answer may depend on them."""


@dataclass(frozen=True)
class SampleComparison:
    """One sample picture."""

    name: str
    largest_difference: float | None
    """Of a pixel 0..1; None where the picture could not be prepared at all."""
    error: str | None
    passed: bool

    def __str__(self) -> str:
        """A line of the table."""
        found = self.error or f"{self.largest_difference:>10.1e}"
        return f"  {self.name:<28}{found}  {'ok' if self.passed else 'DIFFERS'}"


@dataclass(frozen=True)
class Preparation:
    """Whether preparation gives the recorded 28x28 arrays. True if it does."""

    tolerance: float
    samples: tuple[SampleComparison, ...]

    def __bool__(self) -> bool:
        """Whether every sample passed."""
        return all(sample.passed for sample in self.samples)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "passed": bool(self),
            "tolerance": self.tolerance,
            "pictures": [
                {
                    "name": sample.name,
                    "largest_difference": _finite(sample.largest_difference),
                    "error": sample.error,
                    "passed": sample.passed,
                }
                for sample in self.samples
            ],
        }

    def __str__(self) -> str:
        """A table for people."""
        good = sum(sample.passed for sample in self.samples)
        header = f"preparation {_word(self)}: {good} of {len(self.samples)} pictures, tolerance {self.tolerance:g}"
        return "\n".join([header, *map(str, self.samples)])


@dataclass(frozen=True)
class OutputComparison:
    """One output of the network over all references."""

    name: str
    largest_difference: float
    """Of a logit; NaN if there is one on either side."""
    labels_compared: int
    labels_equal: int
    labels_as_fp32: int
    """How many of the compared labels are also those of the network before it was quantised."""
    passed: bool

    def __str__(self) -> str:
        """A line of the table."""
        labels = f"labels equal {self.labels_equal} of {self.labels_compared}"
        return f"  {self.name:<28}{self.largest_difference:>10.1e}  {labels}  {'ok' if self.passed else 'DIFFERS'}"


@dataclass(frozen=True)
class Inference:
    """Whether the network gives the recorded logits and labels. True if it does."""

    pairs: int
    """Pairs of a picture and a number."""
    precision: str
    tolerance: float
    outputs: tuple[OutputComparison, ...]

    def __bool__(self) -> bool:
        """Whether both outputs passed."""
        return all(output.passed for output in self.outputs)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "passed": bool(self),
            "tolerance": self.tolerance,
            "pairs": self.pairs,
            "outputs": [
                {
                    "name": output.name,
                    "largest_difference": _finite(output.largest_difference),
                    "labels_compared": output.labels_compared,
                    "labels_equal": output.labels_equal,
                    "labels_as_fp32": output.labels_as_fp32,
                    "passed": output.passed,
                }
                for output in self.outputs
            ],
        }

    def __str__(self) -> str:
        """A table for people."""
        which = "real digits" if self.precision == INT8 else "all"
        header = f"inference {_word(self)}: {self.pairs} references, tolerance {self.tolerance:g}, labels of {which}"
        return "\n".join([header, *map(str, self.outputs)])


def _finite(difference: float | None) -> float | None:
    """A difference for JSON, which has no NaN."""
    return difference if difference is not None and np.isfinite(difference) else None


def _word(result: Preparation | Inference) -> str:
    return "passed" if result else "FAILED"


def verify_preparation(references: References) -> Preparation:
    """Prepare every sample picture anew and compare it with its record."""
    tolerance = references.preparation_tolerance
    return Preparation(tolerance, tuple(_compare_sample(sample, tolerance) for sample in references.samples))


def _compare_sample(sample: Sample, tolerance: float) -> SampleComparison:
    try:
        ink = prepare(read_picture(sample.content, sample.name), sample.name)
    except PictureError as error:
        return SampleComparison(sample.name, None, str(error), passed=False)
    difference = largest_difference(ink, sample.ink)
    return SampleComparison(sample.name, difference, None, difference <= tolerance)


def verify_inference(model: Model, references: References) -> Inference:
    """Ask the network every reference, in batches of different sizes, and compare logits and labels.

    fp32: the labels of all references must be equal. int8: those of the real digits; on noise the quantised network
    has no opinion that a last bit could not tip.

    Raises:
        ModelError: onnxruntime cannot run the file.
    """
    names = (DIGIT, model.operation.name)
    answers = list(_answer(model.session, names, references))
    compared = references.real if references.precision == INT8 else np.ones_like(references.real)
    outputs = []
    for index, (name, expected) in enumerate(
        zip(names, (references.digit_logits, references.value_logits), strict=True)
    ):
        found = np.concatenate([answer[index] for answer in answers])
        labels = found.argmax(1)[compared]
        equal = int((labels == expected.argmax(1)[compared]).sum())
        difference = largest_difference(found, expected)
        outputs.append(
            OutputComparison(
                name=name,
                largest_difference=difference,
                labels_compared=len(labels),
                labels_equal=equal,
                labels_as_fp32=int((labels == references.fp32_labels[compared, index]).sum()),
                passed=difference <= references.tolerance and equal == len(labels),
            )
        )
    return Inference(len(references.numbers), references.precision, references.tolerance, tuple(outputs))


def _answer(session: Any, names: tuple[str, str], references: References) -> Iterator[list[NDArray[np.float32]]]:
    """Both outputs of one batch after the other, in the order of the references."""
    images = (references.pictures / np.float32(255)).astype(np.float32)[:, None]
    numbers = np.eye(NUMBERS, dtype=np.float32)[references.numbers]
    sizes = cycle(BATCHES)
    start = 0
    while start < len(images):
        end = start + next(sizes)
        try:
            yield session.run(names, {IMAGE: images[start:end], NUMBER: numbers[start:end]})
        except Exception as error:  # onnxruntime's errors have no common base but this
            raise ModelError(f"onnxruntime cannot run the model: {' '.join(str(error).split())}") from error
        start = end


def largest_difference(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Largest absolute difference; NaN wherever either has one, so that it can never pass."""
    return float(np.abs(found.astype(np.float64) - expected.astype(np.float64)).max())

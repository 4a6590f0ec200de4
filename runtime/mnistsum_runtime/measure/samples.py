"""Does this device prepare and answer the sample pictures as the machine did that made the model?

Preparation (Pillow, numpy) and inference (onnxruntime) fail for different reasons, and each is compared with its own
record. The answers are the whole way, from the file to the sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mnistsum_runtime.errors import PictureError
from mnistsum_runtime.preparation.picture import read_picture
from mnistsum_runtime.preparation.prepare import prepare_picture
from mnistsum_runtime.proof.comparison import largest_difference

if TYPE_CHECKING:
    from mnistsum_runtime.measure.recorded import Sample
    from mnistsum_runtime.predictor import Predictor
    from mnistsum_runtime.preparation.prepared import PreparedPicture

PREPARATION_TOLERANCE = 1e-3
"""Of a pixel 0..1. One grey level of 255 is 3.9e-3: float sums in another order stay far under this, and nothing that
was decoded, thresholded or placed differently hides under it."""
CONFIDENCE_TOLERANCE = {"fp32": 1e-3, "int8": 0.05}
"""Of a confidence 0..1. fp32: logits that differ by 1e-4 move one by 5e-5 at the most, and what preparation may differ
by moves it by some 1e-4. int8: half a logit, of an answer that is all but certain."""


@dataclass(frozen=True)
class PreparationRow:
    """One sample picture."""

    name: str
    largest_difference: float | None
    """Of a pixel 0..1; None where the picture could not be prepared at all."""
    error: str | None
    passed: bool

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values; a difference that is not a number is null."""
        difference = self.largest_difference
        finite = difference is not None and np.isfinite(difference)
        return {
            "name": self.name,
            "largest_difference": difference if finite else None,
            "error": self.error,
            "passed": self.passed,
        }

    def __str__(self) -> str:
        """A line of the table."""
        found = self.error or f"{self.largest_difference:>10.1e}"
        return f"  {self.name:<28}{found}  {'ok' if self.passed else 'DIFFERS'}"


@dataclass(frozen=True)
class Preparation:
    """Whether preparation gives the recorded 28x28 arrays. True if it does."""

    tolerance: float
    pictures: tuple[PreparationRow, ...]

    def __bool__(self) -> bool:
        """Whether every picture passed."""
        return all(picture.passed for picture in self.pictures)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        pictures = [picture.to_dict() for picture in self.pictures]
        return {"passed": bool(self), "tolerance": self.tolerance, "pictures": pictures}

    def __str__(self) -> str:
        """A table for people."""
        good, word = sum(picture.passed for picture in self.pictures), "passed" if self else "FAILED"
        header = f"preparation {word}: {good} of {len(self.pictures)} pictures, tolerance {self.tolerance:g}"
        return "\n".join([header, *map(str, self.pictures)])


Prepared = tuple["PreparedPicture | PictureError", ...]
"""What preparation makes here of each sample picture, or why it cannot."""


def prepare_samples(samples: tuple[Sample, ...]) -> Prepared:
    """Read and prepare every sample picture, once for both comparisons."""
    return tuple(_prepare(sample) for sample in samples)


def _prepare(sample: Sample) -> PreparedPicture | PictureError:
    try:
        return prepare_picture(read_picture(sample.content, sample.name), sample.name)
    except PictureError as error:
        return error


def verify_preparation(
    samples: tuple[Sample, ...], prepared: Prepared, tolerance: float = PREPARATION_TOLERANCE
) -> Preparation:
    """Compare the ink of every sample picture with its record."""
    rows = (_compare_ink(sample, found, tolerance) for sample, found in zip(samples, prepared, strict=True))
    return Preparation(tolerance, tuple(rows))


def _compare_ink(sample: Sample, found: PreparedPicture | PictureError, tolerance: float) -> PreparationRow:
    if isinstance(found, PictureError):
        return PreparationRow(sample.name, None, str(found), passed=False)
    difference = largest_difference(found.field, sample.ink)
    return PreparationRow(sample.name, difference, None, difference <= tolerance)


@dataclass(frozen=True)
class AnswerRow:
    """One sample picture, asked from the file to the sentence."""

    name: str
    differing: dict[str, list[Any]]
    """By field of the JSON line, where it is not as recorded: what was recorded, and what was found."""

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"name": self.name, "differing": self.differing, "passed": not self.differing}

    def __str__(self) -> str:
        """A line of the table."""
        told = ", ".join(f"{field} {found!r} instead of {was!r}" for field, (was, found) in self.differing.items())
        return f"  {self.name:<28}{told or 'ok'}"


@dataclass(frozen=True)
class Answers:
    """Whether the answers to the sample pictures are the recorded ones. True if they are."""

    tolerance: float
    pictures: tuple[AnswerRow, ...]

    def __bool__(self) -> bool:
        """Whether every picture has its recorded answer."""
        return not any(picture.differing for picture in self.pictures)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        pictures = [picture.to_dict() for picture in self.pictures]
        return {"passed": bool(self), "tolerance": self.tolerance, "pictures": pictures}

    def __str__(self) -> str:
        """A table for people: a line, and one for each picture whose answer differs."""
        wrong = [picture for picture in self.pictures if picture.differing]
        good, word = len(self.pictures) - len(wrong), "passed" if self else "FAILED"
        header = f"answers {word}: {good} of {len(self.pictures)} pictures, confidences within {self.tolerance:g}"
        return "\n".join([header, *map(str, wrong)])


def verify_answers(predictor: Predictor, samples: tuple[Sample, ...], prepared: Prepared, tolerance: float) -> Answers:
    """Ask for every sample picture as `mnistsum-run --json` does, and compare field by field."""
    rows = (
        _compare_answer(predictor, sample, found, tolerance) for sample, found in zip(samples, prepared, strict=True)
    )
    return Answers(tolerance, tuple(rows))


def _compare_answer(
    predictor: Predictor, sample: Sample, prepared: PreparedPicture | PictureError, tolerance: float
) -> AnswerRow:
    if isinstance(prepared, PictureError):
        return AnswerRow(sample.name, {"error": [None, str(prepared)]})
    recorded = sample.answer or {}
    found = predictor.predict_prepared(prepared, sample.number).to_json(sample.name)
    differing: dict[str, list[Any]] = {
        field: [recorded.get(field), found.get(field)]
        for field in recorded.keys() | found.keys()
        if not _is_alike(recorded.get(field), found.get(field), tolerance if "confidence" in field else 0)
    }
    return AnswerRow(sample.name, dict(sorted(differing.items())))


def _is_alike(recorded: Any, found: Any, tolerance: float) -> bool:
    if tolerance and isinstance(recorded, int | float) and isinstance(found, int | float):
        return abs(recorded - found) <= tolerance
    return bool(recorded == found)

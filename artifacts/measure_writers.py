"""Write `artifacts/writers.json` and `risk_over_coverage.png`: every shipped model on digits that are not MNIST's.

Usage: python artifacts/measure_writers.py FOLDER

FOLDER has the sets, which are not the project's; `labelled_sets.py` says which and where it looks. Choices may
rest on Semeion and the drawings. OptDigits is looked at for the report only, like MNIST's test set.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelled_sets import SETS, LabelledSet, read_sets
from measure_sizes import shipped
from mnistsum_runtime.atomic import write_together
from mnistsum_runtime.commands.entry import exit_code
from mnistsum_runtime.errors import CallError, PictureError, WorkError
from mnistsum_runtime.measure.evaluation import Labelled, Outcome, Tally
from mnistsum_runtime.predictor import Predictor
from mnistsum_runtime.terminal import write_error
from mnistsum_train.data import load_mnist
from mnistsum_train.plots import risk_over_coverage

ARTIFACTS = Path(__file__).parent
NAME = "measure_writers"
NUMBER = 4
"""The second number of every picture."""


@dataclass(frozen=True)
class ShippedModel:
    """A model file, and what the table calls it."""

    name: str
    path: Path


def models() -> list[ShippedModel]:
    """Every size and operation that is shipped, each int8 file after the one that it was made from."""
    found = []
    for preset, operation, _, path in shipped():
        found.append(ShippedModel(f"{preset}, {operation}", path))
        int8 = path.with_name(f"{path.stem}-int8.onnx")
        if int8.exists():
            found.append(ShippedModel(f"{preset}, {operation}, int8", int8))
    return found


def answer_set(predictor: Predictor, digits: LabelledSet) -> list[Outcome]:
    """Answer every picture of a set.

    Raises:
        WorkError: A picture is damaged.
    """
    outcomes = []
    answers = predictor.predict_many(digits.pictures, NUMBER, on_error="return")
    for answer, label in zip(answers, digits.labels, strict=True):
        if isinstance(answer, PictureError) and answer.kind != "no_digit":
            raise WorkError(answer.message)
        outcomes.append(Outcome(Labelled(digits.source, label, NUMBER), predictor.model.operation, answer))
    return outcomes


def describe(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What became of the pictures of a set: counts."""
    tally = Tally.of("", outcomes)
    wrong = [outcome.picture.label for outcome in outcomes if not outcome.both_right]
    return {
        "both_right": tally.both_right,
        "no_answer": tally.unanswered,
        "reliable": tally.reliable,
        "reliable_and_wrong": tally.reliable - tally.reliable_and_right,
        "errors_by_digit": count_digits(wrong),
    }


def count_digits(labels: Sequence[int]) -> list[int]:
    """How often each of 0 to 9 is there."""
    return [int(count) for count in np.bincount(np.array(labels, np.int64), minlength=10)]


def measure(sets: Sequence[LabelledSet], of: Sequence[ShippedModel]) -> dict[str, Any]:
    """The content of `writers.json`."""
    entries: list[dict[str, Any]] = [
        {
            "name": digits.name,
            "source": digits.source.name,
            "sha256": hash_source(digits),
            "pictures": len(digits.labels),
            "pictures_by_digit": count_digits(digits.labels),
            "models": {},
        }
        for digits in sets
    ]
    hashes = {}
    for model in of:
        predictor = Predictor(model.path)
        hashes[model.name] = predictor.model.sha256()
        for digits, entry in zip(sets, entries, strict=True):
            entry["models"][model.name] = describe(answer_set(predictor, digits))
            write_error(f"{digits.name}, {model.name}: {entry['models'][model.name]}")
    return {"number": NUMBER, "model_sha256": hashes, "sets": entries}


def hash_source(digits: LabelledSet) -> str:
    """SHA-256 of a set's file, or of the names and bytes of its pictures."""
    if digits.source.is_file():
        return sha256(digits.source.read_bytes()).hexdigest()
    content = sha256()
    for path in sorted(digits.source.rglob("*")):
        if path in digits.pictures:
            content.update(path.name.encode() + b"\0" + path.read_bytes())
    return content.hexdigest()


def draw_risk(sets: Sequence[LabelledSet], model: Path) -> bytes:
    """PNG: `risk_over_coverage` of a model on MNIST's test set and on the others."""
    test = load_mnist(train=False)
    mnist = LabelledSet("MNIST test", ARTIFACTS, list(test.images[:, 0].numpy()), test.labels.tolist())
    limit = Predictor(model).model.calibration.least_confidence
    anything_sure = Predictor(model, min_confidence=0)  # so that only what no limit would let through is unreliable
    return risk_over_coverage({each.name: _curve(answer_set(anything_sure, each)) for each in (mnist, *sets)}, limit)


def _curve(outcomes: Sequence[Outcome]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The smaller confidence of each answer, 0 for what is unreliable; whether it is wrong."""
    confidences = [
        0.0
        if isinstance(outcome.answer, PictureError) or not outcome.reliable
        else min(outcome.answer.digit_confidence, outcome.answer.value_confidence)
        for outcome in outcomes
    ]
    return np.array(confidences), np.array([not outcome.both_right for outcome in outcomes])


def main() -> int:
    """Measure and write both files; returns the exit code."""
    if len(sys.argv) != 2:
        raise CallError("expected one FOLDER with the sets")
    sets = read_sets(Path(sys.argv[1]))
    missing = [name for name in SETS if name not in {digits.name for digits in sets}]
    if missing:
        write_error(f"{NAME}: not there, left out: {', '.join(missing)}")
    shipped_here = models()
    measured = measure(sets, shipped_here)
    base = next(model for model in shipped_here if model.name == "base, sum")
    write_together(
        {
            ARTIFACTS / "writers.json": (json.dumps(measured, indent=2) + "\n").encode(),
            ARTIFACTS / "risk_over_coverage.png": draw_risk(sets, base.path),
        }
    )
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(NAME, main))

"""Does a model file give here what was recorded where it was made? For any network, with onnxruntime alone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from mnistsum_runtime.errors import ModelError
from mnistsum_runtime.proof.comparison import OutputComparison, compare_output, labels
from mnistsum_runtime.proof.references import FP32, INT8

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mnistsum_runtime.proof.references import References

BATCHES = (1, 2, 7, 64)
"""Sizes in which the references go through the network, in turn: no answer may depend on them."""


@dataclass(frozen=True)
class Inference:
    """Whether the network gives the recorded outputs. True if it does."""

    rows: int
    precision: str
    outputs: tuple[OutputComparison, ...]
    labels_as_fp32: tuple[int, ...]
    """For each output, how many of its compared labels are also those of the network before it was quantised."""

    def __bool__(self) -> bool:
        """Whether every output passed."""
        return all(output.passed for output in self.outputs)

    @property
    def tolerance(self) -> float:
        """The largest of the outputs' tolerances."""
        return max(output.tolerance for output in self.outputs)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "passed": bool(self),
            "tolerance": self.tolerance,
            "pairs": self.rows,
            "outputs": [
                output.to_dict() | {"labels_as_fp32": as_fp32}
                for output, as_fp32 in zip(self.outputs, self.labels_as_fp32, strict=True)
            ],
        }

    def __str__(self) -> str:
        """A table for people."""
        word = "passed" if self else "FAILED"
        which = ", labels of the rows that count" if self.precision == INT8 else ""
        lines = [f"inference {word}: {self.rows} references{which}"]
        for output in self.outputs:
            labelled = f"labels equal {output.labels_equal} of {output.labels_compared}  " * (
                output.labels_compared > 0
            )
            verdict = "ok" if output.passed else "DIFFERS"
            lines.append(
                f"  {output.name:<28}{output.largest_difference:>10.1e}  tolerance {output.tolerance:<9.2g}"
                f"{labelled}{verdict}"
            )
        return "\n".join(lines)


def verify_inference(session: Any, references: References) -> Inference:
    """Ask the network every reference, in batches of different sizes, and compare.

    Args:
        session: An `onnxruntime.InferenceSession`, or what has its `run`.
        references: Of the session's file.

    Raises:
        ModelError: onnxruntime cannot run the file, or its answers have another shape or dtype.
    """
    names = list(references.outputs)
    answers = list(_answer(session, names, references))
    try:
        found = {name: np.concatenate([answer[index] for answer in answers]) for index, name in enumerate(names)}
        outputs = tuple(
            compare_output(name, references.rules[name], found[name], expected, references.labelled)
            for name, expected in references.outputs.items()
        )
    except (ValueError, TypeError, AttributeError) as error:  # an output may also be a list, a dictionary or nothing
        raise ModelError(f"the model does not answer as its references say: {error}") from error
    as_fp32 = tuple(_labels_as_fp32(output, found[output.name], references) for output in outputs)
    return Inference(len(references), references.precision, outputs, as_fp32)


def _answer(session: Any, names: list[str], references: References) -> Iterator[list[NDArray[Any]]]:
    """All outputs of one batch after the other, in the order of the references."""
    sizes = cycle(BATCHES)
    start = 0
    while start < len(references):
        end = start + next(sizes)
        try:
            yield session.run(names, {name: array[start:end] for name, array in references.inputs.items()})
        except Exception as error:  # onnxruntime's errors have no common base but this
            raise ModelError(f"onnxruntime cannot run the model: {' '.join(str(error).split())}") from error
        start = end


def _labels_as_fp32(output: OutputComparison, found: NDArray[Any], references: References) -> int:
    before = references.labels_before.get(output.name)
    if before is None or references.precision == FP32:
        return output.labels_equal
    rows = references.labelled
    return int((labels(found[rows], references.rules[output.name]) == before[rows]).sum())

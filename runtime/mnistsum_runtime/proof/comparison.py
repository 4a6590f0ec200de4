"""How far two answers of a network are apart, output by output, and whether that passes."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_LISTED = 1000
"""Integers that differ are subtracted exactly for so many elements: enough to say how far they are apart."""


@dataclass(frozen=True)
class Rule:
    """What passes for one output. Integers and booleans must be equal, whatever the tolerance says."""

    tolerance: float
    """Largest absolute difference of a float that passes."""
    label_axis: int | None = None
    """Where the output is class logits: the axis of the classes, whose largest entry is the label."""

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"tolerance": self.tolerance, "label_axis": self.label_axis}

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> Rule:
        """Read what `to_dict` gave.

        Raises:
            ValueError: A tolerance within which anything would pass, or an axis that is no whole number.
        """
        tolerance, axis = found["tolerance"], found["label_axis"]
        if isinstance(tolerance, bool) or not isinstance(tolerance, int | float):
            raise ValueError(f"a tolerance is {tolerance!r}, expected a number")
        if not (tolerance >= 0 and isfinite(tolerance)):
            raise ValueError(f"a tolerance is {tolerance:g}")
        if axis is not None and (isinstance(axis, bool) or not isinstance(axis, int) or axis < 1):
            raise ValueError(f"a label axis is {axis!r}")
        return cls(tolerance, axis)


@dataclass(frozen=True)
class OutputComparison:
    """One output over all rows that were compared."""

    name: str
    largest_difference: float
    """Absolute; NaN if there is one on either side."""
    tolerance: float
    labels_compared: int
    """0 where the output is not class logits."""
    labels_equal: int
    labels_tied: int
    """Of those that are not equal, how many the tolerance leaves open: there, the two best classes of what was expected
    are closer than twice the tolerance."""
    passed: bool

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values; a difference that is not a number is null."""
        difference = self.largest_difference
        return {
            "name": self.name,
            "largest_difference": difference if isfinite(difference) else None,
            "tolerance": self.tolerance,
            "labels_compared": self.labels_compared,
            "labels_equal": self.labels_equal,
            "labels_tied": self.labels_tied,
            "passed": self.passed,
        }


def compare_output(
    name: str,
    rule: Rule,
    found: NDArray[Any],
    expected: NDArray[Any],
    labelled: NDArray[np.bool_] | None = None,
) -> OutputComparison:
    """Compare one output with what was expected of it.

    Args:
        name: Of the output.
        rule: What passes.
        found: [n, ...].
        expected: The same shape and dtype.
        labelled: [n], the rows whose labels must be equal; None is all.

    Raises:
        ValueError: `found` has another shape or dtype.
    """
    if found.shape != expected.shape or found.dtype != expected.dtype:
        raise ValueError(
            f"output {name} is {found.dtype} {list(found.shape)}, expected {expected.dtype} {list(expected.shape)}"
        )
    difference = largest_difference(found, expected)
    within = difference <= rule.tolerance if expected.dtype.kind == "f" else difference == 0
    compared = equal = tied = 0
    if rule.label_axis is not None:
        rows = slice(None) if labelled is None else labelled
        same = labels(found[rows], rule) == labels(expected[rows], rule)
        compared, equal = same.size, int(np.count_nonzero(same))
        tied = int(np.count_nonzero(~same & (margins(expected[rows], rule) <= 2 * rule.tolerance)))
    return OutputComparison(
        name=name,
        largest_difference=difference,
        tolerance=rule.tolerance,
        labels_compared=compared,
        labels_equal=equal,
        labels_tied=tied,
        passed=bool(within) and equal + tied == compared,
    )


def largest_difference(found: NDArray[Any], expected: NDArray[Any]) -> float:
    """Largest absolute difference; NaN wherever either side has one, so that it can never pass.

    Infinities of one sign are equal. Integers are subtracted exactly.
    """
    if found.size == 0:
        return 0.0
    if expected.dtype.kind != "f":
        apart = found != expected
        pairs = zip(found[apart][:_MOST_LISTED].tolist(), expected[apart][:_MOST_LISTED].tolist(), strict=True)
        return float(max((abs(one - other) for one, other in pairs), default=0))
    with np.errstate(invalid="ignore"):  # infinity less infinity
        difference = np.abs(found.astype(np.float64) - expected.astype(np.float64))
    if not np.isfinite(difference).all():
        difference[found == expected] = 0
    return float(difference.max())


def labels(logits: NDArray[Any], rule: Rule) -> NDArray[np.int64]:
    """Index of the largest logit along the rule's axis: one axis less than `logits`."""
    return np.asarray(logits.argmax(rule.label_axis))


def margins(logits: NDArray[Any], rule: Rule) -> NDArray[np.float64]:
    """How far the best class is above the second best, along the rule's axis: one axis less than `logits`."""
    if logits.shape[rule.label_axis or 0] < 2:
        return np.full(labels(logits, rule).shape, np.inf)
    two_best = np.partition(logits.astype(np.float64), -2, axis=rule.label_axis).take([-2, -1], axis=rule.label_axis)
    second, best = np.moveaxis(two_best, rule.label_axis or 0, 0)
    return np.asarray(best - second)

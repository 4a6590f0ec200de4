"""What passes for each output: a tolerance relative to how much the output varies over the examples.

An output that hardly varies proves nothing, whatever is subtracted from it: a head that starts at zero answers zero for
every file. So it is refused, unless it is named as constant.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from mnistsum_runtime.errors import CallError
from mnistsum_runtime.proof.comparison import Rule, margins

if TYPE_CHECKING:
    from numpy.typing import NDArray

ATOL = 0.0
RTOL = {"float16": 1e-2, "float32": 1e-4, "float64": 1e-9}
"""Of an output's spread. In float32 most sound modules of `make zoo` differ from their files by 1e-5 of it or less, and
the smallest of the planted faults (`make faults`) by more than 2e-4."""
ROUNDING_FACTOR = 5
"""Some modules round more: a hundred layers whose errors grow from one to the next. How much, torch itself tells: its
answers in float32 are so far from those in float64. So many times this passes, since onnxruntime's additions in another
order are as far from the truth, and the largest of many rows farther than that of a few."""
LARGEST_ROUNDING = 1e-2
"""Of an output's spread. If what rounding is given would be more, the comparison says nothing, and is refused."""
_MOST_COLUMNS = 4096
"""Along each axis, so many are looked at."""
LEAST_SPREAD = 1e-6
"""An output that varies by less is refused: so small a number is what is left of a head that starts at zero."""


@dataclass(frozen=True)
class OutputRule:
    """The rule of one output, and where its tolerance comes from."""

    spread: float
    """How far a value is from its mean over the examples, in the quadratic mean over all values; for an output named as
    constant, the quadratic mean of the values themselves."""
    atol: float
    rtol: float
    label_axis: int | None
    constant: bool = False
    rounding: float = 0.0
    """How far torch's float32 is from its float64, at least one digit of the output's size; 0 where it has no part."""
    unseen: int = 0
    """How many columns along one axis vary by less than ten times the tolerance: what differs there is hardly seen."""

    @property
    def rule(self) -> Rule:
        """What a comparison needs: the absolute tolerance, `atol + max(rtol * spread, 5 * rounding)`."""
        return Rule(self.atol + max(self.rtol * self.spread, ROUNDING_FACTOR * self.rounding), self.label_axis)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "spread": self.spread,
            "atol": self.atol,
            "rtol": self.rtol,
            "rounding": self.rounding,
            "tolerance": self.rule.tolerance,
            "label_axis": self.label_axis,
            "constant": self.constant,
        }


@dataclass(frozen=True)
class Wishes:
    """What a caller says of the outputs, by name. What is not said has a default."""

    labels: Mapping[str, int]
    """Outputs that are class logits, with the axis of the classes."""
    constant: Collection[str] = ()
    """Outputs that may be the same for all examples."""
    atol: float | Mapping[str, float] | None = None
    rtol: float | Mapping[str, float] | None = None

    def check(self, names: Collection[str]) -> None:
        """Raise `CallError` where something is said of an output that there is not, or that is no tolerance."""
        for what, said in (
            ("labels", self.labels),
            ("constant", self.constant),
            ("atol", self.atol),
            ("rtol", self.rtol),
        ):
            unknown = [name for name in said if name not in names] if isinstance(said, Collection) else []
            if unknown:
                raise CallError(f"{what}: there is no output {unknown[0]}, the outputs are {', '.join(names)}")
        for what, tolerance in (("atol", self.atol), ("rtol", self.rtol)):
            for value in tolerance.values() if isinstance(tolerance, Mapping) else (tolerance or 0,):
                if not (isfinite(value) and value >= 0):
                    raise CallError(f"{what} is {value:g}, expected a finite number of 0 or more")

    def rounds(self, name: str) -> bool:
        """Whether rounding has a part in an output's tolerance: where the caller says nothing of it."""
        return self.rtol is None or (isinstance(self.rtol, Mapping) and name not in self.rtol)

    def tolerance(self, said: float | Mapping[str, float] | None, name: str, default: float) -> float:
        """One number for an output."""
        if isinstance(said, Mapping):
            return said.get(name, default)
        return default if said is None else said


def make_rules(
    truth: Mapping[str, NDArray[Any]],
    wishes: Wishes,
    exact: Mapping[str, NDArray[Any]] | None = None,
    *,
    rounding: bool = True,
) -> dict[str, OutputRule]:
    """The rule of every output, from what torch answers to the examples.

    Args:
        truth: By output, [rows, ...].
        wishes: What the caller said.
        exact: What torch answers in float64 to the first of these rows; None where the module cannot be run so.
        rounding: Whether what float32 rounds has a part.

    Raises:
        CallError: An output is NaN, hardly varies, or is to have labels and cannot.
    """
    wishes.check(truth)
    return {
        name: _make_rule(name, values, wishes, None if exact is None else exact[name], rounding)
        for name, values in truth.items()
    }


def _make_rule(
    name: str, values: NDArray[Any], wishes: Wishes, exact: NDArray[Any] | None, with_rounding: bool
) -> OutputRule:
    axis = wishes.labels.get(name)
    if axis is not None and not (1 <= axis < values.ndim and values.dtype.kind == "f" and values.shape[axis] > 1):
        raise CallError(
            f"output {name} is {values.dtype} {list(values.shape)}: axis {axis} of it cannot be that of class logits"
        )
    may_be_constant = name in wishes.constant
    if values.dtype.kind != "f":
        if not may_be_constant and not (values != values[:1]).any():
            raise CallError(_proves_nothing(name, "is the same for all examples"))
        return OutputRule(0.0, 0.0, 0.0, axis, may_be_constant)
    if np.isnan(values).any():
        row = int(np.flatnonzero(np.isnan(values).reshape(len(values), -1).any(axis=1))[0])
        raise CallError(f"torch itself answers NaN in output {name}, for row {row} of the examples: leave it out")
    spread, size = measure_spread(values)
    constant = may_be_constant and spread < LEAST_SPREAD
    if not constant and spread < LEAST_SPREAD:
        raise CallError(_proves_nothing(name, f"varies by {spread:.1e} over the examples, around {size:.1e}"))
    rounding = 0.0
    if with_rounding and wishes.rounds(name):
        rounding = max(measure_rounding(values, exact), float(np.finfo(values.dtype).eps) * size)
    if not constant and ROUNDING_FACTOR * rounding > LARGEST_ROUNDING * spread:
        raise CallError(
            f"output {name} varies by {spread:.1e} over the examples, and {values.dtype} rounds it by {rounding:.1e}: "
            "too much to prove anything. Give examples with which it varies more, or a tolerance of your own (rtol)"
        )
    rule = OutputRule(
        spread=size if constant else spread,
        atol=wishes.tolerance(wishes.atol, name, ATOL),
        rtol=wishes.tolerance(wishes.rtol, name, RTOL[values.dtype.name]),
        label_axis=axis,
        constant=constant,
        rounding=rounding,
    )
    if rule.rule.tolerance >= rule.spread > 0:
        what = "size" if constant else "spread over the examples"
        raise CallError(
            f"output {name}: its tolerance, {rule.rule.tolerance:.2g}, is as large as its {what}, {rule.spread:.2g}: "
            "any answer would pass"
        )
    if axis is not None and not (margins(values, rule.rule) > 2 * rule.rule.tolerance).any():
        raise CallError(f"output {name}: no example has a clear label, the two best classes are closer than rounding")
    return replace(rule, unseen=0 if constant else count_unseen(values, rule.rule.tolerance))


def count_unseen(values: NDArray[Any], tolerance: float) -> int:
    """How many columns along an axis vary over the examples, but by less than ten times a tolerance: the most of any.

    An output that mixes large values and small ones, pixels and probabilities, has a tolerance for the large ones.

    Args:
        values: Floats, [rows, columns, ...]; of one axis, there are no columns.
        tolerance: Of the whole output.
    """
    counts = [0]
    for axis in range(1, values.ndim):
        spreads = (measure_spread(column)[0] for column in np.moveaxis(values, axis, 0)[:_MOST_COLUMNS])
        counts.append(sum(LEAST_SPREAD <= spread < 10 * tolerance for spread in spreads))
    return max(counts)


def _proves_nothing(name: str, what: str) -> str:
    return (
        f"output {name} {what}: a file that answers anything else as little would pass, so nothing is proven. Give "
        f"examples and weights with which it varies, or name it as constant"
    )


def measure_rounding(values: NDArray[Any], exact: NDArray[Any] | None) -> float:
    """Largest finite difference between answers in float32, [rows, ...], and those to the first rows in float64."""
    if exact is None:
        return 0.0
    with np.errstate(invalid="ignore"):
        difference = np.abs(values[: len(exact)].astype(np.float64) - exact)
    return float(np.max(difference, where=np.isfinite(difference), initial=0.0))


def measure_spread(values: NDArray[Any]) -> tuple[float, float]:
    """How much an output varies over the examples, and how large it is; infinities are left out.

    Args:
        values: Floats, [rows, ...].

    Returns:
        The root of the mean square of `values - values.mean(axis=0)`, and that of `values`.
    """
    exact = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
    with np.errstate(all="ignore"):
        known = np.isfinite(exact)
        count = known.sum(axis=0)
        mean = np.where(known, exact, 0).sum(axis=0) / np.maximum(count, 1)
        away = np.where(known, exact - mean, 0)
        total = max(int(known.sum()), 1)
        return float(np.sqrt((away**2).sum() / total)), float(np.sqrt(np.where(known, exact**2, 0).sum() / total))

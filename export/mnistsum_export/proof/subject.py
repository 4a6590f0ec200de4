"""What is to be proven: a module with its examples and torch's answers, checked so that a proof means something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from mnistsum_export.proof.examples import Arrays, as_arrays, check_names, rows_of, spread_rows, take
from mnistsum_export.proof.module import (
    TORCH_BATCH,
    answer,
    call,
    default_output_names,
    exact_answer,
    first_difference,
    flatten,
    in_order_of_forward,
    raising_submodule,
    record_calls,
    require_evaluation_mode,
)
from mnistsum_export.proof.parity import OTHER_LENGTH_ROWS, Case
from mnistsum_export.proof.rules import OutputRule, Wishes, make_rules
from mnistsum_export.proof.signature import Signature, make_signature
from mnistsum_runtime.errors import CallError
from mnistsum_runtime.proof.comparison import Rule, compare_output

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHECKED_ROWS = 64
"""Rows that are asked in other batches: enough to find what depends on the batch."""
_FIRST_BATCH = slice(0, TORCH_BATCH)
_SMALL_BATCHES = (1, 7)
_ROUNDING = 1e-4
"""Of an output's spread: what two orders of addition in torch may differ by."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A module, and everything that is known of it from torch alone."""

    module: nn.Module
    """In evaluation mode; deterministic, and independent of the batch size, on the examples."""
    case: Case
    """The examples, in the order of `forward`, and torch's answers."""
    rules: dict[str, OutputRule]
    signature: Signature
    other_length: Case | None
    """Where dimensions are free beside the batch: some examples with these cut to half."""


def make_subject(
    module: nn.Module,
    examples: Mapping[str, object],
    outputs: Sequence[str] | None,
    dynamic: Mapping[str, Mapping[int, str]],
    wishes: Wishes,
    *,
    named_by_file: bool = False,
) -> Subject:
    """Ask torch, and check that a proof against its answers would mean something.

    Args:
        module: To be proven.
        examples: By input name, [rows, ...].
        outputs: Names of the outputs; None: the keys of a dict, else `output`, or `output_0` and on.
        dynamic: By input and axis, dimensions that are free beside the batch.
        wishes: What is said of the outputs.
        named_by_file: The names are those of a file that there is already, which may be of any kind.

    Raises:
        CallError: The module is no module, in training mode, not deterministic, or depends on the batch size; the
            examples do not fit it; an output does not vary.
    """
    if not isinstance(module, nn.Module):
        raise CallError(f"expected a torch.nn.Module, found a {type(module).__name__}")
    require_evaluation_mode(module)
    inputs = in_order_of_forward(module, as_arrays(examples, any_name=named_by_file))
    first = call(module, take(inputs, slice(0, 2)))
    names = default_output_names(first) if outputs is None else list(outputs)
    if not named_by_file:
        check_names("output", names)
    if not flatten(first):
        raise CallError("the module returns no tensor")
    both = set(names) & set(inputs)
    if both:
        raise CallError(f"{min(both)} is the name of an input and of an output: names must differ")
    truth = answer(module, inputs, names)
    case = Case(inputs, truth)
    _require_same_again(module, case, make_rules(truth, wishes, rounding=False))
    exact = exact_answer(module, take(inputs, _FIRST_BATCH), names)
    rules = make_rules(truth, wishes, exact)
    _require_no_batch(module, case, rules)
    signature = make_signature(inputs, truth, dynamic)
    return Subject(module, case, rules, signature, _other_length(module, inputs, names, dynamic))


def _require_same_again(module: nn.Module, case: Case, rules: Mapping[str, OutputRule]) -> None:
    """Raise `CallError` naming the submodule if the module answers otherwise when it is asked again."""
    # The very batch that was asked before: what depends on the batch is told as that.
    part = Case(take(case.examples, _FIRST_BATCH), {name: array[_FIRST_BATCH] for name, array in case.truth.items()})
    wrong = _differing(answer(module, part.examples, list(rules)), part.truth, rules)
    if wrong is not None:
        few = take(part.examples, slice(0, 4))
        blamed = first_difference(record_calls(module, few), record_calls(module, few), _RTOL)
        raise CallError(
            f"the module answers otherwise when it is asked again: output {wrong[0]} by {wrong[1]:.2g}"
            f"{_first(blamed)}: is there a dropout, or another random number, in evaluation mode?"
        )


def _require_no_batch(module: nn.Module, case: Case, rules: Mapping[str, OutputRule]) -> None:
    """Raise `CallError` naming the submodule if an answer depends on which rows are in the batch."""
    part = case.part(CHECKED_ROWS)
    for batch in _SMALL_BATCHES:
        try:
            found = answer(module, part.examples, list(rules), batch)
        except CallError as error:
            blamed = raising_submodule(module, take(part.examples, slice(0, batch)))
            where = "" if blamed is None else f" in {blamed}"
            raise CallError(
                f"the module depends on the batch: in batches of {batch} it raises{where}: {error}"
            ) from error
        wrong = _differing(found, part.truth, rules)
        if wrong is not None:
            blamed = _depending_submodule(module, case, found[wrong[0]], wrong[0], batch)
            raise CallError(
                f"the answer depends on the batch: in batches of {batch}, output {wrong[0]} differs by {wrong[1]:.2g}"
                f"{_first(blamed)}: each row must be answered for itself"
            )


def _depending_submodule(module: nn.Module, case: Case, found: NDArray[Any], name: str, batch: int) -> str | None:
    """The first submodule whose output for one row is another one in the batch of before than in a small one."""
    part = case.part(CHECKED_ROWS)
    difference = np.abs(found.astype(np.float64) - part.truth[name].astype(np.float64))
    row = int(np.nan_to_num(difference, nan=np.inf).reshape(len(found), -1).max(axis=1, initial=0).argmax())
    first = row - row % batch
    small = record_calls(module, take(part.examples, slice(first, first + batch)))
    rows = rows_of(case.examples)
    place = int(np.arange(rows)[spread_rows(rows, CHECKED_ROWS)][row])
    start = place - place % TORCH_BATCH
    large = record_calls(module, take(case.examples, slice(start, start + TORCH_BATCH)))
    return first_difference(large, small, _RTOL, (place - start, row - first))


_RTOL = 1e-5
"""Of the size of a submodule's output: over rounding, under what is worth a refusal."""


def _first(blamed: str | None) -> str:
    return "" if blamed is None else f", first in {blamed}"


def _differing(
    found: Mapping[str, NDArray[Any]], expected: Mapping[str, NDArray[Any]], rules: Mapping[str, OutputRule]
) -> tuple[str, float] | None:
    """The first output that is not as expected, and by how much."""
    for name, rule in rules.items():
        # Rounding is not what is looked for, whatever the caller's tolerance.
        rounding = max(rule.rule.tolerance, _ROUNDING * rule.spread)
        try:
            compared = compare_output(name, Rule(rounding, rule.label_axis), found[name], expected[name])
        except ValueError as error:
            raise CallError(f"the module answers in other shapes when it is asked again: {error}") from error
        if not compared.passed:
            return name, compared.largest_difference
    return None


def _other_length(
    module: nn.Module, inputs: Arrays, names: list[str], dynamic: Mapping[str, Mapping[int, str]]
) -> Case | None:
    """Some examples with all free dimensions cut to half, and what torch answers.

    Raises:
        CallError: torch does not take them: then the dimension is not free.
    """
    if not any(dynamic.values()):
        return None
    cut = dict(take(inputs, spread_rows(rows_of(inputs), OTHER_LENGTH_ROWS)))
    for name, axes in dynamic.items():
        for axis in axes:
            length = cut[name].shape[axis]
            cut[name] = np.ascontiguousarray(cut[name].take(np.arange(max(1, length // 2)), axis))
    try:
        return Case(cut, answer(module, cut, names), ", half as long")
    except CallError as error:
        raise CallError(f"dynamic: with these dimensions half as long, {error}") from error

"""Why a file does not answer as its module does, in one line: which output, by how much, and where they part."""

from __future__ import annotations

from itertools import combinations
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np

from mnistsum_export.proof.convert import module_paths
from mnistsum_export.proof.examples import batches, take
from mnistsum_export.proof.locate import find_parting
from mnistsum_export.proof.module import describe
from mnistsum_export.proof.parity import AS_WRITTEN, OPTIMISED, Case, Comparison, Parity, onnxruntime_engines
from mnistsum_runtime.proof.comparison import compare_output

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto
    from torch import nn

    from mnistsum_export.proof.subject import Subject

_SEARCHED_ROWS = 256
_SHARE_INSIDE = 0.1
"""Of what an output differs by, relative to its spread: inside, a fault may show by so much less."""


def explain_failure(subject: Subject, content: bytes, parity: Parity) -> str:
    """Say what failed and where to look.

    Args:
        subject: With the module.
        content: The ONNX file, which onnxruntime runs.
        parity: Measured on it, and not reached.
    """
    failed = next(row for row in parity.comparisons if not row)
    worst = max(
        (output for output in failed.outputs if not output.passed), key=lambda output: _rank(output.largest_difference)
    )
    differ = sum(output.labels_compared - output.labels_equal for output in failed.outputs)
    compared = sum(output.labels_compared for output in failed.outputs)
    labels = f", {differ} of {compared} labels differ" if differ else ""
    return (
        f"parity not reached by {failed.engine} at batch {failed.batch}: output {worst.name} differs by up to "
        f"{worst.largest_difference:.2g} (tolerance {worst.tolerance:.2g}){labels}; "
        f"{_cause(subject, content, parity, failed)}"
    )


def blame(module: nn.Module, model: ModelProto, message: str) -> str:
    """Name the submodule of a node that an engine's message names, as half a sentence; empty where there is none."""
    named = [path for name, path in module_paths(model).items() if path and f"'{name}'" in message]
    submodules = dict(module.named_modules())
    known = [path for path in named if path in submodules]
    return f", in {describe(known[0], submodules[known[0]])}" if known else ""


def _rank(difference: float) -> float:
    return np.inf if isnan(difference) else difference


def _cause(subject: Subject, content: bytes, parity: Parity, failed: Comparison) -> str:
    as_written = [row for row in parity.comparisons if row.engine.startswith(AS_WRITTEN)]
    if failed.engine.startswith(OPTIMISED) and all(as_written):
        return "as written it agrees: what onnxruntime's optimisation makes of the graph does not"
    case = (
        subject.other_length
        if subject.other_length and failed.engine.endswith(subject.other_length.note)
        else subject.case
    )
    found = _answers(content, case.part(_SEARCHED_ROWS), failed)
    if found is None:
        return "the engine gives no answer to look at"
    part = case.part(_SEARCHED_ROWS)
    swapped = _swapped(found, part, subject)
    if swapped is not None:
        return f"the outputs {swapped[0]} and {swapped[1]} carry each other's name"
    rows = _worst_rows(found, part)
    spreads = [output.largest_difference / (subject.rules[output.name].spread or 1) for output in failed.outputs]
    rtol = _SHARE_INSIDE * np.nanmax([*spreads, 0])
    parting = find_parting(subject.module, content, take(part.examples, rows), rtol)
    return "no single submodule can be named" if parting is None else str(parting)


def _answers(content: bytes, case: Case, failed: Comparison) -> dict[str, NDArray[Any]] | None:
    """What the failing engine, or onnxruntime where that is onnx's evaluator, answers at the failing batch size."""
    names = [output.name for output in failed.outputs]
    engines = dict(onnxruntime_engines(content, names))
    run = next((run for name, run in engines.items() if failed.engine.startswith(name)), engines[AS_WRITTEN])
    try:
        parts = [run(part) for part in batches(case.examples, failed.batch)]
    except Exception:  # onnxruntime's errors have no common base but this
        return None
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def _swapped(found: dict[str, NDArray[Any]], case: Case, subject: Subject) -> tuple[str, str] | None:
    """Two outputs of one shape, each of which is what the other should be."""

    def is_other(one: str, other: str) -> bool:
        if found[one].shape != case.truth[other].shape or found[one].dtype != case.truth[other].dtype:
            return False
        return compare_output(other, subject.rules[other].rule, found[one], case.truth[other]).passed

    pairs = combinations(found, 2)
    return next(((one, other) for one, other in pairs if is_other(one, other) and is_other(other, one)), None)


def _worst_rows(found: dict[str, NDArray[Any]], case: Case) -> NDArray[np.int64]:
    """The two rows that differ most, over all outputs."""
    total: NDArray[np.float64] = np.zeros(len(next(iter(found.values()))))
    for name, array in found.items():
        difference = np.abs(array.astype(np.float64) - case.truth[name].astype(np.float64))
        largest = np.nan_to_num(difference, nan=np.inf).reshape(len(array), -1).max(axis=1, initial=0)
        total = np.maximum(total, largest)
    return np.sort(np.argsort(-total, kind="stable")[:2])

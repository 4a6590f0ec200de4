"""References made from examples: what a device is asked, and what torch answered in float64."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mnistsum_export.proof.examples import rows_of, spread_rows, take
from mnistsum_export.proof.module import exact_answer
from mnistsum_export.proof.parity import Case, make_session
from mnistsum_export.proof.rules import OutputRule
from mnistsum_runtime.errors import WorkError
from mnistsum_runtime.proof.comparison import Rule, compare_output
from mnistsum_runtime.proof.provenance import describe_versions
from mnistsum_runtime.proof.references import FP32, MAX_BYTES, References
from mnistsum_runtime.proof.verification import verify_inference

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

ROWS = 256
"""At most, and as many as have this many bytes together with their answers:"""
BYTES = MAX_BYTES // 4
FLOAT64, FLOAT32 = "float64", "float32"
"""What torch computed the recorded answers in."""


@dataclass(frozen=True, eq=False)
class Recording:
    """What a caller wants recorded, instead of a part of the examples."""

    case: Case
    """Questions and answers."""
    labelled: NDArray[np.bool_]
    """[rows], whose labels must be equal."""
    precision: str = FP32
    rules: dict[str, Rule] | None = None
    """None: those of the proof."""
    labels_before: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    attachments: dict[str, NDArray[Any]] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)


def record_examples(module: nn.Module, case: Case, rules: Mapping[str, OutputRule]) -> Recording:
    """Choose rows of the examples, and ask torch in float64, where the module can be run so.

    Args:
        module: In evaluation mode.
        case: All examples, with torch's answers in float32.
        rules: What passes.

    Raises:
        WorkError: Two rows are more than references may hold.
    """
    bytes_a_row = sum(array[:1].nbytes for array in (*case.examples.values(), *case.truth.values()))
    if 2 * bytes_a_row > MAX_BYTES:
        raise WorkError(
            f"one row of the examples and its answers have {bytes_a_row:,} bytes, two of them more than the "
            f"{MAX_BYTES:,} that references may have; nothing was written"
        )
    count = max(2, min(ROWS, BYTES // bytes_a_row))
    rows = spread_rows(rows_of(case.examples), count)
    chosen = Case(take(case.examples, rows), {name: array[rows] for name, array in case.truth.items()})
    exact = exact_answer(module, chosen.examples, list(rules))
    if exact is not None:
        rounded = {name: array.astype(chosen.truth[name].dtype) for name, array in exact.items()}
        if all(
            compare_output(name, rule.rule, rounded[name], chosen.truth[name]).passed for name, rule in rules.items()
        ):
            chosen = Case(chosen.examples, rounded)
        else:
            exact = None
    labelled = np.ones(rows_of(chosen.examples), np.bool_)
    return Recording(chosen, labelled, notes={"computed_in": FLOAT32 if exact is None else FLOAT64})


def make_references(recording: Recording, rules: Mapping[str, OutputRule], content: bytes) -> References:
    """Bind what was recorded to a file's final bytes, and verify the two as a device will.

    Raises:
        WorkError: This machine itself does not pass.
    """
    references = References(
        model_sha256=sha256(content).hexdigest(),
        made_with={**describe_versions(), "torch": torch.__version__},
        inputs=recording.case.examples,
        outputs=dict(recording.case.truth),
        rules=recording.rules or {name: rule.rule for name, rule in rules.items()},
        labelled=recording.labelled,
        precision=recording.precision,
        labels_before=recording.labels_before,
        attachments=recording.attachments,
        notes=recording.notes,
    )
    try:
        references.check()
    except ValueError as error:
        raise WorkError(f"the references are not complete ({error}); nothing was written") from error
    result = verify_inference(make_session(content), references)
    if not result:
        raise WorkError(f"the references do not verify on this machine; nothing was written: {result}")
    return references

"""What a graph does with its inputs that examples of the usual size do not show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mnistsum_export.proof.module import answer
from mnistsum_export.proof.parity import make_session
from mnistsum_runtime.errors import CallError, WorkError

if TYPE_CHECKING:
    from mnistsum_export.proof.subject import Subject

_ROWS = 2
_OVER = 2**32
"""Added to an integer, it changes none of the lower 32 bits."""


def require_whole_integers(subject: Subject, content: bytes) -> None:
    """Raise `WorkError` if the file looks at the lower 32 bits of a 64-bit integer input only, and torch at all.

    Such a file is asked with 2 to the power of 32 added to the input. One that gives the same answer, or none where
    torch gives one, has cut it. Where torch gives the same answer too, or none, that is the module's own way.

    Args:
        subject: With the examples.
        content: The ONNX file, which onnxruntime loads.
    """
    names = list(subject.rules)
    examples = {name: array[:_ROWS] for name, array in subject.case.examples.items()}
    wide = [name for name, array in examples.items() if array.dtype in (np.int64, np.uint64)]
    if not wide:
        return
    session = make_session(content)
    usual = session.run(names, examples)
    for name in wide:
        shifted = examples | {name: examples[name] + examples[name].dtype.type(_OVER)}
        try:
            found = session.run(names, shifted)
        except Exception:  # noqa: S112  (it looked at the whole number, and had no answer)
            continue
        if not all(np.array_equal(one, other) for one, other in zip(usual, found, strict=True)):
            continue
        try:
            truth = answer(subject.module, shifted, names)
        except CallError:
            truth = {}
        same = truth and all(np.array_equal(truth[output], subject.case.truth[output][:_ROWS]) for output in names)
        if not same:
            raise WorkError(
                f"the file cuts input {name} from {examples[name].dtype} to 32 bits: with 2^32 added to it, it answers "
                "as without; nothing was written"
            )

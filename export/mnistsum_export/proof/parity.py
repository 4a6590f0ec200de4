"""The proof: the bytes of an ONNX file answer as torch does, through two engines and several batch sizes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from mnistsum_export.proof.examples import Arrays, batches, rows_of, spread_rows, take
from mnistsum_export.proof.module import first_line
from mnistsum_runtime.errors import WorkError
from mnistsum_runtime.proof.comparison import OutputComparison, compare_output

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mnistsum_export.proof.rules import OutputRule

LARGE_BATCH = 64
SMALL_BATCHES = (1, 2, 7)
"""One on a device, the first size that is not one, and one that divides nothing."""
SMALL_BATCH_ROWS = 1400
"""A part is enough to tell whether the batch size matters."""
REFERENCE_ROWS = 140
"""onnx's reference evaluator is plain numpy: milliseconds a row for a small network, seconds for a large one."""
REFERENCE_WORK = 250_000_000
"""So a large one gets fewer rows: this, divided by the elements of its weights and of all its intermediate values."""
OTHER_LENGTH_ROWS = 32
"""Rows of the examples that are cut, to see whether a free dimension is free."""
OPTIMISED, AS_WRITTEN, REFERENCE = "onnxruntime, optimised", "onnxruntime, as written", "onnx.reference"

Run = Callable[[Arrays], dict[str, "NDArray[Any]"]]
"""One batch of inputs to all outputs, by name."""


@dataclass(frozen=True)
class Comparison:
    """One engine at one batch size against torch."""

    engine: str
    batch: int
    rows: int
    outputs: tuple[OutputComparison, ...]

    def __bool__(self) -> bool:
        """Whether every output passed."""
        return all(output.passed for output in self.outputs)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        outputs = [output.to_dict() for output in self.outputs]
        for output in outputs:
            del output["tolerance"]  # the receipt has it once, with its reason
        return {"engine": self.engine, "batch": self.batch, "rows": self.rows, "outputs": outputs}


@dataclass(frozen=True)
class Parity:
    """The result: printed, written to JSON and into the file from this one object. True if it holds."""

    rows: int
    """Different rows of the examples."""
    rules: Mapping[str, OutputRule]
    comparisons: tuple[Comparison, ...]
    no_reference: str | None = None
    """Why onnx's reference evaluator has no part in it, where it has none."""

    def __bool__(self) -> bool:
        """Whether every comparison passed."""
        return all(self.comparisons)

    @property
    def labels_compared(self) -> int:
        """Over all outputs, engines and batch sizes."""
        return sum(output.labels_compared for row in self.comparisons for output in row.outputs)

    @property
    def labels_equal(self) -> int:
        """Those that are torch's."""
        return sum(output.labels_equal for row in self.comparisons for output in row.outputs)

    def largest_difference(self, name: str) -> float:
        """Of an output, over all engines and batch sizes; NaN if one is."""
        return float(
            np.max([out.largest_difference for row in self.comparisons for out in row.outputs if out.name == name])
        )

    def to_dict(self) -> dict[str, Any]:
        """The receipt, as plain JSON values."""
        return {
            "rows": self.rows,
            "outputs": {
                name: rule.to_dict() | {"largest_difference": _finite(self.largest_difference(name))}
                for name, rule in self.rules.items()
            },
            "labels_compared": self.labels_compared,
            "labels_equal": self.labels_equal,
            "passed": bool(self),
            "comparisons": [row.to_dict() for row in self.comparisons],
            "no_reference": self.no_reference,
        }

    def to_json(self) -> str:
        """The receipt as one line, without spaces: it is a part of the file."""
        return json.dumps(self.to_dict(), separators=(",", ":"))

    def __str__(self) -> str:
        """A table for people."""
        width = max(12, *(len(name) + 2 for name in self.rules))
        lines = [
            f"{'engine':<26}{'batch':>5}{'rows':>9}" + "".join(f"{name:>{width}}" for name in self.rules) + "  labels"
        ]
        for row in self.comparisons:
            figures = "".join(f"{output.largest_difference:>{width}.1e}" for output in row.outputs)
            compared = sum(output.labels_compared for output in row.outputs)
            differ = compared - sum(output.labels_equal for output in row.outputs)
            told = f"{differ} of {compared} DIFFER" if differ else "all equal" if compared else "none"
            lines.append(f"{row.engine:<26}{row.batch:>5}{row.rows:>9,}{figures}  {told}")
        tolerances = "".join(f"{rule.rule.tolerance:>{width}.1e}" for rule in self.rules.values())
        lines.append(f"{'tolerance':<26}{'':>5}{'':>9}{tolerances}")
        if self.no_reference is not None:
            lines.append(self.no_reference)
        lines.append(f"parity {'passed' if self else 'FAILED'}: {self.rows:,} rows")
        return "\n".join(lines)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


@dataclass(frozen=True)
class Case:
    """What is asked, and what torch answers."""

    examples: Arrays
    """[rows, ...] by input."""
    truth: Mapping[str, NDArray[Any]]
    """[rows, ...] by output."""
    note: str = ""
    """Added to the engine's name, where the examples are not those of the user."""

    def part(self, count: int) -> Case:
        """About `count` of the rows."""
        rows = spread_rows(rows_of(self.examples), count)
        return Case(take(self.examples, rows), {name: array[rows] for name, array in self.truth.items()}, self.note)


def measure_parity(
    content: bytes, case: Case, rules: Mapping[str, OutputRule], other_length: Case | None = None
) -> Parity:
    """Compare the file's bytes with torch's answers.

    Args:
        content: An ONNX file.
        case: All examples.
        rules: What passes, by output.
        other_length: Some of the examples with the free dimensions shorter, where there are any.

    Raises:
        WorkError: An engine cannot run the file, or answers in other shapes or dtypes.
    """
    comparisons = []
    for engine, run in onnxruntime_engines(content, list(rules)):
        comparisons.append(_compare(engine, run, case, rules, LARGE_BATCH))
        few = case.part(SMALL_BATCH_ROWS)
        comparisons += [_compare(engine, run, few, rules, batch) for batch in SMALL_BATCHES]
        if other_length is not None:
            comparisons.append(_compare(engine, run, other_length, rules, SMALL_BATCHES[-1]))
    fewest = case.part(max(2, min(REFERENCE_ROWS, REFERENCE_WORK // elements(content))))
    reference = reference_engine(content, list(rules))
    try:
        comparisons.append(_compare(REFERENCE, reference, fewest, rules, SMALL_BATCHES[-1]))
    except EngineError as error:  # it does not know every operator: a second opinion that is not to be had
        return Parity(rows_of(case.examples), dict(rules), tuple(comparisons), str(error))
    return Parity(rows_of(case.examples), dict(rules), tuple(comparisons))


def elements(content: bytes) -> int:
    """Elements of a graph's weights, and of its intermediate values for one row, as far as their shapes are known."""
    model = onnx.shape_inference.infer_shapes(onnx.load_from_string(content), data_prop=True)
    weights = sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer)
    values = (value.type.tensor_type.shape.dim for value in model.graph.value_info)
    return weights + sum(int(np.prod([dim.dim_value or 1 for dim in dims])) for dims in values) + 1


class EngineError(WorkError):
    """An engine cannot run a file that it has loaded; the message is half a sentence."""


def onnxruntime_engines(content: bytes, names: list[str]) -> Iterator[tuple[str, Run]]:
    """Onnxruntime with all graph optimisations and with none; one thread, so that a run repeats bit for bit.

    Raises:
        WorkError: It does not load the file.
    """
    levels = onnxruntime.GraphOptimizationLevel
    for name, level in ((OPTIMISED, levels.ORT_ENABLE_ALL), (AS_WRITTEN, levels.ORT_DISABLE_ALL)):
        session = make_session(content, name, level)
        yield name, runner(session, names)


def runner(session: onnxruntime.InferenceSession, names: list[str]) -> Run:
    """A session as a function of named arrays."""
    return lambda inputs: dict(zip(names, session.run(names, inputs), strict=True))


def make_session(content: bytes, name: str = OPTIMISED, level: Any = None) -> onnxruntime.InferenceSession:
    """A session on one thread that prints nothing; by default with all optimisations.

    Raises:
        WorkError: onnxruntime does not load the file.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level or onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common base but this
        raise WorkError(
            f"{name} does not load the file: {' '.join(str(error).split())}; nothing was written"
        ) from error


class LogSoftmax(OpRun):
    """As the standard has it (https://onnx.ai/onnx/operators/onnx__LogSoftmax.html).

    The evaluator's own takes the logarithm of a softmax that may have underflowed: minus infinity where it is -110.
    """

    op_domain = ""

    def _run(self, values: NDArray[Any], axis: int | None = None) -> tuple[NDArray[Any]]:
        axis = -1 if axis is None else axis
        below = values - values.max(axis=axis, keepdims=True)
        return ((below - np.log(np.exp(below).sum(axis=axis, keepdims=True))).astype(values.dtype),)


def reference_engine(content: bytes, names: list[str]) -> Run:
    """The onnx package's own evaluator: a second opinion that shares no code with onnxruntime or torch."""
    model = onnx.load_from_string(content)

    def run(inputs: Arrays) -> dict[str, NDArray[Any]]:
        evaluator = ReferenceEvaluator(model, new_ops=[LogSoftmax])
        return dict(zip(names, map(np.asarray, evaluator.run(names, inputs)), strict=True))

    return run


def _compare(engine: str, run: Run, case: Case, rules: Mapping[str, OutputRule], batch: int) -> Comparison:
    """Ask in batches, and compare.

    Raises:
        EngineError: The engine raises.
        WorkError: The answers do not have the shapes and dtypes of torch's.
    """
    name = engine + case.note
    try:
        parts = [run(part) for part in batches(case.examples, batch)]
    except Exception as error:  # the engines' errors have no common base but this
        reason = " ".join(str(error).split()) or first_line(error)
        raise EngineError(f"{name} cannot run the file at batch {batch}: {reason}") from error
    try:
        outputs = tuple(
            compare_output(output, rule.rule, np.concatenate([part[output] for part in parts]), case.truth[output])
            for output, rule in rules.items()
        )
    except ValueError as error:
        raise WorkError(f"{name} answers otherwise than torch: {error}; nothing was written") from error
    return Comparison(name, batch, rows_of(case.examples), outputs)

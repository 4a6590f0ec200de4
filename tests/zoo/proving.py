"""One proof of one architecture, and its outcome as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any

from mnistsum_export.proof.examples import take
from mnistsum_export.proof.locate import find_parting
from mnistsum_export.proof.module import answer, exact_answer, one_thread
from mnistsum_export.proof.prove import prove
from mnistsum_runtime.errors import CallError, WorkError
from mnistsum_runtime.proof.comparison import largest_difference

if TYPE_CHECKING:
    from mnistsum_export.proof.parity import Parity
    from zoo.specimen import Specimen

PROVEN, REFUSED, CRASHED = "proven", "refused", "crashed"


@dataclass(frozen=True)
class Figures:
    """What a proof measured."""

    exporter: str
    largest_difference: float
    """Of all outputs, engines and batch sizes."""
    relative: float
    """The same, each output's divided by its spread; 0 where no output is of floats."""
    tolerance: float
    """The largest of all outputs', divided by the output's spread."""
    by_engine: Mapping[str, float]
    """Largest relative difference, by engine."""
    blamed: str | None
    """What the search for a fault, which nothing asks for here, finds in the proven file: a submodule that rounds more
    than it expects, or nothing."""
    no_reference: str | None
    """Why onnx's reference evaluator has no part in it, where it has none."""
    bytes: int
    """Of the file."""

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {**vars(self), "by_engine": dict(self.by_engine)}


@dataclass(frozen=True)
class Outcome:
    """How a proof ended."""

    opset: int
    status: str
    """`proven`, `refused`, or `crashed`: it ended with an error that is not one of the project's own."""
    reason: str
    """What it said; empty where proven."""
    seconds: float
    figures: Figures | None

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        figures = {} if self.figures is None else self.figures.to_dict()
        said = {"reason": self.reason} if self.reason else {}
        return {"opset": self.opset, "status": self.status, **said, "seconds": round(self.seconds, 1), **figures}


def prove_specimen(specimen: Specimen, opset: int) -> Outcome:
    """Prove with all tolerances as they are by default, in a folder that is gone afterwards."""
    start = perf_counter()
    try:
        with TemporaryDirectory() as folder:
            proof = prove(
                specimen.module,
                specimen.examples,
                output=Path(folder) / "model.onnx",
                outputs=specimen.outputs,
                labels=specimen.labels,
                opset=opset,
                dynamic=specimen.dynamic,
            )
            seconds = perf_counter() - start
            content = proof.file.output.read_bytes()
            blamed = find_parting(specimen.module, content, take(specimen.examples, slice(0, 2)))
    except (CallError, WorkError) as error:
        return Outcome(opset, REFUSED, str(error), perf_counter() - start, None)
    except Exception as error:  # what must not happen is counted, too
        return Outcome(opset, CRASHED, f"{type(error).__name__}: {error}", perf_counter() - start, None)
    figures = Figures(
        exporter=proof.exporter,
        largest_difference=max(map(proof.parity.largest_difference, proof.parity.rules)),
        relative=max(relative_by_engine(proof.parity).values()),
        tolerance=max(
            (rule.rule.tolerance / rule.spread for rule in proof.parity.rules.values() if rule.spread), default=0.0
        ),
        by_engine=relative_by_engine(proof.parity),
        blamed=None if blamed is None else str(blamed),
        no_reference=proof.parity.no_reference,
        bytes=proof.file.size,
    )
    return Outcome(opset, PROVEN, "", seconds, figures)


def relative_by_engine(parity: Parity) -> dict[str, float]:
    """Largest difference of any output, divided by the output's spread, by engine; integers and booleans left out."""
    found: dict[str, float] = {}
    for comparison in parity.comparisons:
        for output in comparison.outputs:
            spread = parity.rules[output.name].spread
            relative = output.largest_difference / spread if spread else 0.0
            found[comparison.engine] = max(found.get(comparison.engine, 0.0), relative)
    return found


@one_thread()
def torch_rounding(specimen: Specimen, spreads: Mapping[str, float]) -> float | None:
    """How far torch in float32 is from torch in float64, relative to the spread; None where float64 cannot be had.

    Args:
        specimen: Alive.
        spreads: Of the outputs of floats, by name.
    """
    exact = exact_answer(specimen.module, specimen.examples, list(specimen.outputs))
    if exact is None:
        return None
    usual = answer(specimen.module, specimen.examples, list(specimen.outputs))
    return max((largest_difference(usual[name], exact[name]) / spread for name, spread in spreads.items()), default=0.0)

"""The proof: the bytes of an ONNX file answer as torch does, through two engines and several batch sizes."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from mnistsum_export.network.probes import Probes
from mnistsum_runtime.contract import DIGIT, IMAGE, NUMBER
from mnistsum_runtime.errors import WorkError
from mnistsum_runtime.proof.verification import largest_difference
from mnistsum_train.network import Network

Logits = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Of the digit [n, 10] and of the operation's value [n, classes]."""
Engine = Callable[[NDArray[np.float32], NDArray[np.float32]], Logits]

LARGE_BATCH = 64
SMALL_BATCHES = (1, 2, 7)
"""One picture on a device, the first size that is not one, and one that divides nothing."""
SMALL_BATCH_PAIRS = 1400
"""A part is enough to tell whether the batch size matters."""
REFERENCE_PAIRS = 140
"""onnx's reference evaluator is plain numpy and takes milliseconds a picture."""


@dataclass(frozen=True)
class Comparison:
    """One engine at one batch size against torch."""

    engine: str
    batch: int
    pairs: int
    digit_difference: float
    """Largest absolute difference of a digit logit."""
    value_difference: float
    """The same of the second output."""
    labels_agree: int
    """Pairs on which both labels are torch's."""

    def passed(self, tolerance: float) -> bool:
        """Every difference within the tolerance (NaN is not) and every label the same."""
        within = self.digit_difference <= tolerance and self.value_difference <= tolerance
        return within and self.labels_agree == self.pairs


@dataclass(frozen=True)
class Parity:
    """The result: printed, written to JSON and into the file from this one object. True if it holds."""

    pairs: int
    """Different pairs of a picture and a number."""
    tolerance: float
    value_name: str
    """Name of the second output."""
    comparisons: tuple[Comparison, ...]

    def __bool__(self) -> bool:
        """Whether every comparison passed."""
        return all(comparison.passed(self.tolerance) for comparison in self.comparisons)

    def to_dict(self) -> dict[str, Any]:
        """The receipt, as plain JSON values."""
        return {
            "pairs": self.pairs,
            "tolerance": self.tolerance,
            "largest_difference": {
                DIGIT: max(comparison.digit_difference for comparison in self.comparisons),
                self.value_name: max(comparison.value_difference for comparison in self.comparisons),
            },
            "labels_compared": sum(comparison.pairs for comparison in self.comparisons),
            "labels_agree": sum(comparison.labels_agree for comparison in self.comparisons),
            "passed": bool(self),
            "comparisons": [asdict(comparison) for comparison in self.comparisons],
        }

    def to_json(self) -> str:
        """The receipt as one line."""
        return json.dumps(self.to_dict())

    def __str__(self) -> str:
        """A table for people."""
        header = f"{'engine':<28}{'batch':>6}{'pairs':>9}{DIGIT + ' diff':>13}{self.value_name + ' diff':>14}  labels"
        lines = [header]
        for row in self.comparisons:
            verdict = "all agree" if row.labels_agree == row.pairs else f"{row.pairs - row.labels_agree} DIFFER"
            lines.append(
                f"{row.engine:<28}{row.batch:>6}{row.pairs:>9,}"
                f"{row.digit_difference:>13.1e}{row.value_difference:>14.1e}  {verdict}"
            )
        word = "passed" if self else "FAILED"
        lines.append(f"parity {word}: {self.pairs:,} pairs, tolerance {self.tolerance:g}")
        return "\n".join(lines)


def torch_logits(network: Network, probes: Probes) -> Logits:
    """What torch answers, float32, on the CPU: the truth of every comparison."""

    def engine(images: NDArray[np.float32], numbers: NDArray[np.float32]) -> Logits:
        digit, value = network(torch.from_numpy(images), torch.from_numpy(numbers))
        return digit.numpy(), value.numpy()

    with torch.inference_mode():
        return _run(engine, probes, 500)


def measure_parity(content: bytes, probes: Probes, truth: Logits, tolerance: float, value_name: str) -> Parity:
    """Compare the file's bytes with torch's answers.

    Args:
        content: An ONNX file.
        probes: What to ask.
        truth: `torch_logits` of the same probes.
        tolerance: Largest absolute difference of a logit that passes.
        value_name: Name of the second output.
    """
    outputs = [DIGIT, value_name]
    comparisons = []
    for name, engine in onnxruntime_engines(content, outputs):
        comparisons.append(_compare(name, engine, probes, truth, LARGE_BATCH, len(probes)))
        comparisons += [_compare(name, engine, probes, truth, batch, SMALL_BATCH_PAIRS) for batch in SMALL_BATCHES]
    reference = reference_engine(content, outputs)
    comparisons.append(_compare("onnx.reference", reference, probes, truth, SMALL_BATCHES[-1], REFERENCE_PAIRS))
    return Parity(len(probes), tolerance, value_name, tuple(comparisons))


def onnxruntime_engines(content: bytes, outputs: list[str]) -> Iterator[tuple[str, Engine]]:
    """Onnxruntime with all graph optimisations and with none; one thread, so that a run repeats bit for bit."""
    levels = onnxruntime.GraphOptimizationLevel
    for name, level in (("optimised", levels.ORT_ENABLE_ALL), ("as written", levels.ORT_DISABLE_ALL)):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = level
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

        def engine(
            images: NDArray[np.float32],
            numbers: NDArray[np.float32],
            session: onnxruntime.InferenceSession = session,
        ) -> Logits:
            digit, value = session.run(outputs, {IMAGE: images, NUMBER: numbers})
            return digit, value

        yield f"onnxruntime, {name}", engine


def reference_engine(content: bytes, outputs: list[str]) -> Engine:
    """The onnx package's own evaluator: a second opinion that shares no code with onnxruntime or torch."""
    evaluator = ReferenceEvaluator(onnx.load_from_string(content))

    def engine(images: NDArray[np.float32], numbers: NDArray[np.float32]) -> Logits:
        digit, value = evaluator.run(outputs, {IMAGE: images, NUMBER: numbers})
        return np.asarray(digit), np.asarray(value)

    return engine


def _compare(name: str, engine: Engine, probes: Probes, truth: Logits, batch: int, count: int) -> Comparison:
    """Run about `count` of the probes in batches.

    Raises:
        WorkError: The outputs do not have the shapes of torch's.
    """
    chosen = probes.spread(count)
    found = _run(engine, Probes(probes.images[chosen], probes.numbers[chosen]), batch)
    expected = (truth[0][chosen], truth[1][chosen])
    if [f.shape for f in found] != [e.shape for e in expected]:
        raise WorkError(
            f"{name} answers in shapes {[f.shape for f in found]}, torch in {[e.shape for e in expected]}; "
            "nothing was written"
        )
    same = [f.argmax(1) == e.argmax(1) for f, e in zip(found, expected, strict=True)]
    return Comparison(
        engine=name,
        batch=batch,
        pairs=len(found[0]),
        digit_difference=largest_difference(found[0], expected[0]),
        value_difference=largest_difference(found[1], expected[1]),
        labels_agree=int((same[0] & same[1]).sum()),
    )


def _run(engine: Engine, probes: Probes, batch: int) -> Logits:
    parts = [
        engine(probes.images[start : start + batch], probes.numbers[start : start + batch])
        for start in range(0, len(probes), batch)
    ]
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

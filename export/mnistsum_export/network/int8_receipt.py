"""What quantisation costs: int8 against fp32, and whether that is little enough to write the file."""

import json
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
import torch

from mnistsum_export.network.probes import to_inputs
from mnistsum_export.proof.parity import AS_WRITTEN, OPTIMISED, make_session
from mnistsum_runtime.contract import DIGIT, IMAGE, INT8, NUMBER, NUMBERS
from mnistsum_runtime.errors import WorkError
from mnistsum_runtime.operations import Operation
from mnistsum_runtime.proof.references import References
from mnistsum_runtime.proof.verification import Inference, verify_inference
from mnistsum_train.data import Part
from mnistsum_train.evaluation import Answers, evaluate

MAX_DROP = 0.0005
"""Of both-right accuracy on the validation part: 0.05 points."""
MAX_SIZE = 0.4
"""Of the fp32 graph's bytes."""
_BATCH = 50
_LATENCY_RUNS = 1000


@dataclass(frozen=True)
class Agreement:
    """Int8 against fp32 on one part of MNIST x all ten numbers."""

    pairs: int
    fp32_both: float
    """Both outputs right, torch in float32, as a fraction."""
    int8_both: float
    """The same of the int8 file in onnxruntime."""
    int8_digit: float
    """Its digit right."""
    int8_value: float
    """Its second output right."""
    int8_agree: float
    """Its second output is what the operation gives for its digit, right or wrong."""
    digit_difference: float
    """Largest absolute difference of a digit logit."""
    value_difference: float
    """The same of the second output."""
    labels_agree: int
    """Pairs on which both labels are fp32's."""

    @property
    def drop(self) -> float:
        """How much less int8 gets right, as a fraction; below 0 where it gets more right."""
        return round(self.fp32_both - self.int8_both, 9)  # 25 of 50,000 pairs are 0.0005, not a hair more

    def accuracy(self, value_name: str) -> dict[str, float]:
        """The int8 file's own accuracy, with the keys that a checkpoint has for fp32's."""
        return {
            "pairs": self.pairs,
            "digit": self.int8_digit,
            value_name: self.int8_value,
            "both": self.int8_both,
            "heads_agree": self.int8_agree,
        }

    def to_dict(self, value_name: str) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "pairs": self.pairs,
            "fp32_both": self.fp32_both,
            "int8_both": self.int8_both,
            "largest_difference": {DIGIT: self.digit_difference, value_name: self.value_difference},
            "labels_agree": self.labels_agree,
        }


@dataclass(frozen=True)
class Int8Receipt:
    """The result: printed, written to JSON and into the file from this one object. True if the file may be written."""

    value_name: str
    """Name of the second output."""
    calibration_pictures: int
    validation: Agreement
    """Decides."""
    test: Agreement
    """Is reported, and decides nothing."""
    engines: tuple[tuple[str, Inference], ...]
    """Every engine against the answers that are recorded in the references."""

    def __bool__(self) -> bool:
        """Accuracy within the bound, and every engine within the tolerance."""
        return self.validation.drop <= MAX_DROP and all(result for _, result in self.engines)

    def to_dict(self) -> dict[str, Any]:
        """The receipt, as plain JSON values."""
        return {
            "precision": INT8,
            "calibration_pictures": self.calibration_pictures,
            "largest_drop": MAX_DROP,
            "validation": self.validation.to_dict(self.value_name),
            "test": self.test.to_dict(self.value_name),
            "passed": bool(self),
            "engines": [{"engine": name, **result.to_dict()} for name, result in self.engines],
        }

    def to_json(self) -> str:
        """The receipt as one line."""
        return json.dumps(self.to_dict())

    def __str__(self) -> str:
        """A table for people."""
        lines = [
            f"{'int8 against fp32':<28}{'pairs':>9}{'fp32 right':>12}{'int8 right':>12}{'drop':>8}  labels that differ"
        ]
        for name, part in (("validation", self.validation), ("test, decides nothing", self.test)):
            lines.append(
                f"{name:<28}{part.pairs:>9,}{100 * part.fp32_both:>10.3f} %{100 * part.int8_both:>10.3f} %"
                f"{100 * part.drop:>8.3f}  {part.pairs - part.labels_agree}"
            )
        lines.append(f"{'against the references':<28}{'':>9}{DIGIT + ' diff':>12}{self.value_name + ' diff':>12}")
        for name, result in self.engines:
            differences = "".join(f"{output.largest_difference:>12.1e}" for output in result.outputs)
            lines.append(f"{name:<28}{result.rows:>9,}{differences}  {'ok' if result else 'FAILED'}")
        lines.append(f"int8 {'passed' if self else 'FAILED'}: a drop of at most {100 * MAX_DROP:g} points")
        return "\n".join(lines)


def require(receipt: Int8Receipt) -> None:
    """Raise `WorkError` with the figures if the quantised model is not good enough."""
    part = receipt.validation
    if not part.drop <= MAX_DROP:
        raise WorkError(
            f"int8 gets {100 * part.drop:.3f} points less right than fp32 on the validation part "
            f"({100 * part.int8_both:.3f} % against {100 * part.fp32_both:.3f} %), at most {100 * MAX_DROP:g} are "
            "allowed; nothing was written"
        )
    for name, result in receipt.engines:
        if not result:
            raise WorkError(f"{name} does not give the recorded int8 answers; nothing was written: {result}")


def require_small(content: bytes, fp32: bytes) -> None:
    """Raise `WorkError` unless the file is small enough beside the fp32 graph."""
    if len(content) > MAX_SIZE * len(fp32):
        raise WorkError(
            f"the int8 file has {len(content):,} bytes, {len(content) / len(fp32):.0%} of fp32's {len(fp32):,}; "
            f"at most {MAX_SIZE:.0%} are allowed; nothing was written"
        )


def compare(content: bytes, part: Part, fp32: Answers, operation: Operation) -> Agreement:
    """Answer a part x all ten numbers with the int8 file, and set it beside torch's float32 answers."""
    int8 = file_answers(content, part, operation)
    digit_same = int8.digit.argmax(-1) == fp32.digit.argmax(-1)
    value_same = int8.value.argmax(-1) == fp32.value.argmax(-1)
    accuracy = evaluate(int8, part.labels, operation)
    return Agreement(
        pairs=digit_same.numel(),
        fp32_both=evaluate(fp32, part.labels, operation).both,
        int8_both=accuracy.both,
        int8_digit=accuracy.digit,
        int8_value=accuracy.value,
        int8_agree=accuracy.agree,
        digit_difference=float((int8.digit - fp32.digit).abs().max()),
        value_difference=float((int8.value - fp32.value).abs().max()),
        labels_agree=int((digit_same & value_same).sum()),
    )


def file_answers(content: bytes, part: Part, operation: Operation) -> Answers:
    """What a file answers to every picture with every number, in onnxruntime on one thread."""
    session = make_session(content)
    digit, value = [], []
    for chunk in torch.split(part.images[:, 0], _BATCH):
        inputs = to_inputs(chunk.numpy().repeat(NUMBERS, axis=0), np.tile(np.arange(NUMBERS), len(chunk)))
        answers = session.run([DIGIT, operation.name], inputs)
        digit.append(torch.from_numpy(answers[0]).view(len(chunk), NUMBERS, -1))
        value.append(torch.from_numpy(answers[1]).view(len(chunk), NUMBERS, -1))
    return Answers(torch.cat(digit), torch.cat(value))


def verify_engines(content: bytes, references: References) -> tuple[tuple[str, Inference], ...]:
    """Ask the references of onnxruntime's integer kernels, and of its float ones between the quantisation steps.

    How far these two are apart on one machine tells how far two machines may be: they round at other places.
    (onnx's reference evaluator has no DequantizeLinear below opset 19.)
    """
    as_written = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    engines = {OPTIMISED: make_session(content), AS_WRITTEN: make_session(content, AS_WRITTEN, as_written)}
    return tuple((name, verify_inference(session, references)) for name, session in engines.items())


def measure_latency(fp32: bytes, int8: bytes) -> dict[str, float]:
    """Median microseconds of one picture on one thread, the two files in turn."""
    sessions = {"fp32": make_session(fp32), "int8": make_session(int8)}
    feed = {
        IMAGE: np.random.default_rng(0).random((1, 1, 28, 28), np.float32),
        NUMBER: np.eye(NUMBERS, dtype=np.float32)[3:4],
    }
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(_LATENCY_RUNS):
        for name, session in sessions.items():
            start = time.perf_counter()
            session.run(None, feed)
            times[name].append(time.perf_counter() - start)
    return {name: round(1e6 * float(np.median(values)), 1) for name, values in times.items()}

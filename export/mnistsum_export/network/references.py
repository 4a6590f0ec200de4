"""What is recorded beside a model file of this network.

Clear digits, odd pictures, and sample pictures as people make them, with their preparation and their answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnistsum_export.network.probes import synthetic_pictures, to_inputs
from mnistsum_export.network.sample_pictures import sample_pictures
from mnistsum_export.proof.module import exact_answer
from mnistsum_export.proof.parity import Case, make_session
from mnistsum_export.proof.references import Recording
from mnistsum_export.proof.written import require_within_limits
from mnistsum_runtime.contract import DIGIT, INT8, NUMBERS
from mnistsum_runtime.errors import WorkError
from mnistsum_runtime.measure.recorded import Sample, attach
from mnistsum_runtime.model import check_model
from mnistsum_runtime.predictor import Predictor
from mnistsum_runtime.preparation.picture import read_picture
from mnistsum_runtime.preparation.prepare import prepare
from mnistsum_runtime.proof.comparison import Rule, labels, margins
from mnistsum_runtime.proof.model_file import ModelFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mnistsum_export.proof.examples import Arrays
    from mnistsum_train.data import Part
    from mnistsum_train.network import Network

REAL_PER_DIGIT = 20
"""200 real digits; picture i of a digit comes with the number i modulo 10, so that every pair is met about twice."""
CANDIDATES_PER_DIGIT = 40

Engine = Callable[["Arrays"], dict[str, "NDArray[Any]"]]
"""Inputs to the logits of both outputs, by name."""


@dataclass(frozen=True, eq=False)
class Questions:
    """What is asked: pictures, each with one number."""

    pictures: NDArray[np.uint8]
    """[n, 28, 28]."""
    numbers: NDArray[np.uint8]
    """[n], 0..9."""
    digits: NDArray[np.int64]
    """[n], the digit that was written, -1 where none was."""

    def take(self, chosen: NDArray[np.bool_]) -> Questions:
        """A part of them."""
        return Questions(self.pictures[chosen], self.numbers[chosen], self.digits[chosen])


def choose_references(test: Part, network: Network, engine: Engine, precision: str, tolerance: float) -> Recording:
    """Ask, and choose: 200 real digits, and blank, saturated and noise pictures.

    A question whose label counts and is a near tie is left out: where two logits are closer than twice the tolerance,
    the label may differ on another machine although every logit passes.

    Args:
        test: MNIST's test set, or enough of it.
        network: In evaluation mode; for the labels before quantisation.
        engine: The truth: `torch_engine(network)`, or for int8 the quantised file on this machine.
        precision: `fp32` or `int8`.
        tolerance: Largest difference of a logit that is to pass.

    Raises:
        WorkError: Too few digits have a clear answer.
    """
    questions = _candidates(test)
    logits = engine(to_inputs(questions.pictures, questions.numbers))
    rule = Rule(tolerance, label_axis=1)
    clear = np.min([margins(output, rule) for output in logits.values()], axis=0) > 2 * tolerance
    if precision == INT8:
        clear |= questions.digits < 0  # of int8, only the labels of real digits count
    chosen = _few_of_each_digit(questions.digits, clear)
    questions = questions.take(chosen)
    real, wanted = int((questions.digits >= 0).sum()), REAL_PER_DIGIT * NUMBERS
    if real < wanted:
        raise WorkError(
            f"only {real} of {wanted} digits for the references have an answer that stands {2 * tolerance:g} above the "
            "next: is the network trained? Nothing was written"
        )
    inputs = to_inputs(questions.pictures, questions.numbers)
    before = torch_engine(network)(inputs) if precision == INT8 else {}
    return Recording(
        case=Case(inputs, {name: output[chosen] for name, output in logits.items()}),
        labelled=questions.digits >= 0 if precision == INT8 else np.ones(len(questions.digits), np.bool_),
        precision=precision,
        rules=dict.fromkeys(logits, rule),
        labels_before={name: labels(output, rule) for name, output in before.items()},
    )


def with_samples(recording: Recording, content: bytes, output: Path, test: Part) -> Recording:
    """Add the sample pictures, with what preparation and the final bytes make of each here.

    Args:
        recording: Of `choose_references`.
        content: The model file.
        output: Where it will be, for messages.
        test: MNIST's test set, or enough of it.

    Raises:
        ModelError: The file does not carry the contract.
        WorkError: A device would refuse it for its size.
    """
    # As a device opens it, with all that it refuses.
    predictor = Predictor.of(check_model(ModelFile(str(output), make_session(content), require_within_limits(content))))
    pictures, digits = test.images[:, 0].numpy(), test.labels.numpy()
    files = sample_pictures(np.stack([pictures[digits == digit][0] for digit in range(NUMBERS)]))
    samples = tuple(
        _record(predictor, name, file, number=(3 * index + 4) % NUMBERS)
        for index, (name, file) in enumerate(files.items())
    )
    attachments, notes = attach(samples)
    return replace(recording, attachments=attachments, notes=notes)


def _record(predictor: Predictor, name: str, file: bytes, number: int) -> Sample:
    ink = np.ascontiguousarray(prepare(read_picture(file, name), name), np.float32)
    return Sample(name, file, ink, number, predictor.predict(file, number, name).to_json(name))


def torch_engine(network: Network) -> Engine:
    """What torch answers in float64 on the CPU, rounded to float32."""
    names = [DIGIT, network.operation.name]

    def answer(inputs: Arrays) -> dict[str, NDArray[Any]]:
        found = exact_answer(network, inputs, names)
        if found is None:
            raise WorkError("the network cannot be run in float64; nothing was written")
        return {name: output.astype(np.float32) for name, output in found.items()}

    return answer


def _candidates(test: Part) -> Questions:
    """The first of each digit in turn, the k-th of a digit with the number k modulo 10, then the synthetic pictures."""
    pictures, written = test.images[:, 0].numpy(), test.labels.numpy()
    of_digit = [np.flatnonzero(written == digit)[:CANDIDATES_PER_DIGIT] for digit in range(NUMBERS)]
    real = np.concatenate(of_digit)
    synthetic = synthetic_pictures()
    counts = [*map(len, of_digit), len(synthetic)]
    return Questions(
        pictures=np.concatenate([pictures[real], synthetic]),
        numbers=(np.concatenate([*map(np.arange, counts)]) % NUMBERS).astype(np.uint8),
        digits=np.concatenate([written[real], np.full(len(synthetic), -1)]),
    )


def _few_of_each_digit(digits: NDArray[np.int64], clear: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[n]: the first clear ones of each digit, and every clear synthetic one."""
    chosen = clear & (digits < 0)
    for digit in range(NUMBERS):
        chosen[np.flatnonzero(clear & (digits == digit))[:REAL_PER_DIGIT]] = True
    return chosen

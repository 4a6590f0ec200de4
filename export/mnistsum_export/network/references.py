"""The recorded references that ship beside a model file: what `mnistsum-verify` compares a device with."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from mnistsum_export.network.probes import synthetic_pictures
from mnistsum_export.network.sample_pictures import sample_pictures
from mnistsum_export.proof.parity import Logits
from mnistsum_runtime.contract import FP32, INT8, NUMBERS
from mnistsum_runtime.errors import WorkError
from mnistsum_runtime.model import Model, check_contract, session_options
from mnistsum_runtime.preparation.picture import read_picture
from mnistsum_runtime.preparation.prepare import prepare
from mnistsum_runtime.proof.provenance import describe_machine
from mnistsum_runtime.proof.references import References, Sample
from mnistsum_runtime.proof.verification import verify_inference, verify_preparation
from mnistsum_train.data import Part
from mnistsum_train.network import Network

REAL_PER_DIGIT = 20
"""200 real digits; picture i of a digit comes with the number i modulo 10, so that every pair is met about twice."""
CANDIDATES_PER_DIGIT = 40
PREPARATION_TOLERANCE = 1e-3
"""Of a pixel 0..1. One grey level of 255 is 3.9e-3: float sums in another order stay far under this, and nothing that
was decoded, thresholded or placed differently hides under it."""

Engine = Callable[[NDArray[np.uint8], NDArray[np.uint8]], Logits]
"""uint8 pictures [n, 28, 28] and numbers [n] to the logits of both outputs."""


@dataclass(frozen=True, eq=False)
class Questions:
    """What is asked: pictures, each with one number."""

    pictures: NDArray[np.uint8]
    """[n, 28, 28]."""
    numbers: NDArray[np.uint8]
    """[n], 0..9."""
    labels: NDArray[np.int64]
    """[n], the digit that was written, -1 where none was."""

    def take(self, chosen: NDArray[np.bool_]) -> "Questions":
        """A part of them."""
        return Questions(self.pictures[chosen], self.numbers[chosen], self.labels[chosen])


def make_references(test: Part, network: Network, answer: Engine, precision: str, tolerance: float) -> References:
    """Ask, and record: 200 real digits, blank, saturated and noise pictures, and the sample pictures' preparation.

    A question whose label counts and is a near tie is left out: where two logits are closer than twice the tolerance,
    the label may differ on another machine although every logit passes.

    Args:
        test: MNIST's test set, or enough of it.
        network: In evaluation mode; for the labels before quantisation.
        answer: The truth: `torch_engine(network)`, or for int8 the quantised file on this machine.
        precision: `fp32` or `int8`.
        tolerance: Largest difference of a logit that is to pass.

    Returns:
        References of no model yet: `bind` them to the final bytes.

    Raises:
        WorkError: Too few digits have a clear answer.
    """
    questions = _candidates(test)
    logits = answer(questions.pictures, questions.numbers)
    fp32_logits = logits if precision == FP32 else torch_engine(network)(questions.pictures, questions.numbers)
    clear = _margins(logits) > 2 * tolerance
    if precision == INT8:
        clear |= questions.labels < 0  # of int8, only the labels of real digits count
    chosen = _few_of_each_digit(questions.labels, clear)
    samples = _record_preparation(questions)
    questions = questions.take(chosen)
    real, wanted = int((questions.labels >= 0).sum()), REAL_PER_DIGIT * NUMBERS
    if real < wanted:
        raise WorkError(
            f"only {real} of {wanted} digits for the references have an answer that stands {2 * tolerance:g} above the "
            "next: is the network trained? Nothing was written"
        )
    return References(
        model_sha256="",
        precision=precision,
        tolerance=tolerance,
        preparation_tolerance=PREPARATION_TOLERANCE,
        made_with={**describe_machine(), "torch": torch.__version__},
        pictures=questions.pictures,
        numbers=questions.numbers,
        real=questions.labels >= 0,
        digit_logits=logits[0][chosen],
        value_logits=logits[1][chosen],
        fp32_labels=np.stack([output[chosen].argmax(1) for output in fp32_logits], axis=1).astype(np.uint8),
        samples=samples,
    )


def bind(references: References, content: bytes, output: Path) -> References:
    """Bind references to a model file's final bytes, and verify the two as a device will.

    Args:
        references: Of `make_references`.
        content: The model file.
        output: Where it will be, for messages.

    Raises:
        WorkError: This machine itself does not pass.
    """
    bound = replace(references, model_sha256=sha256(content).hexdigest())
    bound.check()
    session = onnxruntime.InferenceSession(content, session_options(1), providers=["CPUExecutionProvider"])
    model = Model(str(output), session, check_contract(session, str(output)))
    for result in (verify_preparation(bound), verify_inference(model, bound)):
        if not result:
            raise WorkError(f"the references do not verify on this machine; nothing was written: {result}")
    return bound


def torch_engine(network: Network) -> Engine:
    """What torch answers in float64 on the CPU, rounded to float32."""
    exact = deepcopy(network).double()

    def answer(pictures: NDArray[np.uint8], numbers: NDArray[np.uint8]) -> Logits:
        images = torch.from_numpy(pictures / np.float32(255)).double()[:, None]
        one_hot = torch.eye(NUMBERS, dtype=torch.double)[torch.from_numpy(numbers).long()]
        with torch.inference_mode():
            digit, value = exact(images, one_hot)
        return digit.float().numpy(), value.float().numpy()

    return answer


def _candidates(test: Part) -> Questions:
    """The first of each digit in turn, the k-th of a digit with the number k modulo 10, then the synthetic pictures."""
    pictures, labels = test.images[:, 0].numpy(), test.labels.numpy()
    of_digit = [np.flatnonzero(labels == digit)[:CANDIDATES_PER_DIGIT] for digit in range(NUMBERS)]
    real = np.concatenate(of_digit)
    synthetic = synthetic_pictures()
    counts = [*map(len, of_digit), len(synthetic)]
    return Questions(
        pictures=np.concatenate([pictures[real], synthetic]),
        numbers=(np.concatenate([*map(np.arange, counts)]) % NUMBERS).astype(np.uint8),
        labels=np.concatenate([labels[real], np.full(len(synthetic), -1)]),
    )


def _margins(logits: Logits) -> NDArray[np.float32]:
    """[n]: how far the best class is above the second best, in the output where that is less."""
    two_best = [np.sort(output, axis=1)[:, -2:] for output in logits]
    margins: NDArray[np.float32] = np.min([pair[:, 1] - pair[:, 0] for pair in two_best], axis=0)
    return margins


def _few_of_each_digit(labels: NDArray[np.int64], clear: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[n]: the first clear ones of each digit, and every clear synthetic one."""
    chosen = clear & (labels < 0)
    for digit in range(NUMBERS):
        chosen[np.flatnonzero(clear & (labels == digit))[:REAL_PER_DIGIT]] = True
    return chosen


def _record_preparation(questions: Questions) -> tuple[Sample, ...]:
    """Six sample pictures of six different digits."""
    first_of_digit = [questions.pictures[questions.labels == digit][0] for digit in (7, 2, 5, 0, 4, 9)]
    files = sample_pictures(np.stack(first_of_digit))
    return tuple(
        Sample(name, content, np.ascontiguousarray(prepare(read_picture(content, name), name), np.float32))
        for name, content in files.items()
    )

"""How good a network is: both outputs, for every picture with each of the ten numbers."""

from dataclasses import asdict, dataclass
from typing import Any

import torch

from mnistsum_runtime.contract import NUMBERS
from mnistsum_runtime.operations import Operation
from mnistsum_train.network import Network
from mnistsum_train.stages import Watch, unwatched

CALIBRATION_BINS = 15
"""The number of bins in Guo et al., "On Calibration of Modern Neural Networks", 2017."""


@dataclass(frozen=True)
class Answers:
    """Logits of every picture with every number."""

    digit: torch.Tensor
    """float32 [pictures, 10 numbers, 10]."""
    value: torch.Tensor
    """float32 [pictures, 10 numbers, classes]."""


@dataclass(frozen=True)
class Evaluation:
    """Fractions 0..1 over all pairs of a picture and a number."""

    pairs: int
    digit: float
    """Digit right."""
    value: float
    """Second output right."""
    both: float
    """Both right."""
    agree: float
    """The second output is what the operation gives for the answered digit, right or wrong."""
    digit_calibration_error: float
    """Expected calibration error of the digit's confidence."""
    value_calibration_error: float
    """Expected calibration error of the second output's confidence."""
    per_digit: list[float]
    """Both right, for the pictures of each digit 0..9."""
    per_number: list[float]
    """Both right, for the pairs with each number 0..9."""

    def to_dict(self) -> dict[str, Any]:
        """The evaluation as plain JSON values."""
        return asdict(self)


def answer_all_pairs(network: Network, images: torch.Tensor, batch: int = 500, watch: Watch = unwatched) -> Answers:
    """Run every picture with every number in float32, on the network's own device.

    The convolutions run once a picture: they do not see the number.

    Args:
        network: Is set to evaluation mode.
        images: uint8 [pictures, 1, 28, 28].
        batch: Pictures at a time.
        watch: Sees the batches.
    """
    network.eval()
    device = next(network.parameters()).device
    digit, value = [], []
    with torch.inference_mode():
        for chunk in watch(torch.split(images, batch)):
            features = network.features(chunk.to(device).float() / 255)
            numbers = torch.eye(NUMBERS, device=device).repeat(len(chunk), 1)
            pair = network.heads(features.repeat_interleave(NUMBERS, dim=0), numbers)
            digit.append(pair[0].view(len(chunk), NUMBERS, -1).cpu())
            value.append(pair[1].view(len(chunk), NUMBERS, -1).cpu())
    return Answers(torch.cat(digit), torch.cat(value))


def evaluate(answers: Answers, labels: torch.Tensor, operation: Operation) -> Evaluation:
    """Compare the answers with the labels (int64 [pictures])."""
    table = torch.tensor(operation.class_table())
    digit_truth = labels.cpu()[:, None].expand(-1, NUMBERS)
    value_truth = table[labels.cpu()]
    digit, value = answers.digit.argmax(-1), answers.value.argmax(-1)
    both = (digit == digit_truth) & (value == value_truth)
    agree = table[digit, torch.arange(NUMBERS)] == value
    return Evaluation(
        pairs=both.numel(),
        digit=_mean(digit == digit_truth),
        value=_mean(value == value_truth),
        both=_mean(both),
        agree=_mean(agree),
        digit_calibration_error=calibration_error(answers.digit, digit_truth),
        value_calibration_error=calibration_error(answers.value, value_truth),
        per_digit=[_mean(both[labels.cpu() == label]) for label in range(NUMBERS)],
        per_number=[_mean(both[:, number]) for number in range(NUMBERS)],
    )


def calibration_error(logits: torch.Tensor, truth: torch.Tensor) -> float:
    """Expected calibration error: the mean gap between confidence and accuracy over bins of equal width.

    Guo et al., "On Calibration of Modern Neural Networks", 2017, equation 3.

    Args:
        logits: float [..., classes].
        truth: int64 [...], class indices.
    """
    confidence, label = logits.double().softmax(-1).max(-1)
    right = (label == truth).double().flatten()
    confidence = confidence.flatten()
    bins = (confidence * CALIBRATION_BINS).long().clamp(max=CALIBRATION_BINS - 1)
    gaps = torch.zeros(CALIBRATION_BINS, dtype=torch.double).index_add_(0, bins, right - confidence)
    return float(gaps.abs().sum() / len(right))


def _mean(flags: torch.Tensor) -> float:
    return float(flags.double().mean()) if flags.numel() else float("nan")

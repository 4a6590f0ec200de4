"""Temperatures and the limit of a reliable answer, found on the validation part x all ten numbers after training."""

from dataclasses import dataclass

import torch
from torch.nn import functional as F

from mnistsum_runtime.contract import NUMBERS
from mnistsum_runtime.operations import Operation
from mnistsum_runtime.reliability import Calibration
from mnistsum_train.data import Part
from mnistsum_train.evaluation import Answers, answer_all_pairs
from mnistsum_train.negatives import KINDS, draw_negatives
from mnistsum_train.network import Network

DOUBTFUL = 0.006
"""Share of the validation pairs that may be called doubtful, outputs that disagree included: well under the 1 % that is
promised for digits never seen."""
NEGATIVES_SEED = 1
"""Seed of the pictures of no digit: other ones than those of the training, which have seed 0."""


@dataclass(frozen=True)
class Reliability:
    """How often an answer is called reliable, as fractions of pairs."""

    digits: float
    """Share of the real digits' answers that are called reliable."""
    right: float
    """Share of right digits and values among the real digits' answers that are called reliable."""
    negatives: dict[str, float]
    """Share called reliable of drawn pictures of no digit, for each kind; empty where none were tried."""

    @classmethod
    def of(cls, network: Network, digits: Part, calibration: Calibration, count: int = 0) -> "Reliability":
        """Measure on `digits` x all ten numbers, and on `count` negatives of each kind made with these digits."""
        operation = network.operation
        answers = answer_all_pairs(network, digits.images)
        reliable = reliable_pairs(answers, operation, calibration)
        truth = digits.labels.cpu()[:, None].expand(-1, NUMBERS)
        right = answers.digit.argmax(-1) == truth  # where the outputs agree, both are right or both wrong
        negatives = {}
        for kind in KINDS if count else ():
            pictures = draw_negatives(kind, digits, count, NEGATIVES_SEED)
            if len(pictures):
                tried = reliable_pairs(answer_all_pairs(network, pictures), operation, calibration)
                negatives[kind] = _mean(tried)
        return cls(_mean(reliable), _mean(right[reliable]), negatives)


def calibrate(answers: Answers, labels: torch.Tensor, operation: Operation) -> Calibration:
    """Find both temperatures, then the limit of the confidence that leaves nearly all of these digits reliable.

    Args:
        answers: Of the validation part.
        labels: int64 [pictures].
        operation: For the second output's truth.
    """
    digit_truth = labels.cpu()[:, None].expand(-1, NUMBERS)
    value_truth = torch.tensor(operation.class_table())[labels.cpu()]
    digit_temperature = find_temperature(answers.digit, digit_truth)
    value_temperature = find_temperature(answers.value, value_truth)
    tempered = Calibration(digit_temperature, value_temperature, 0.0)
    sure = confidences(answers, tempered).masked_fill(~outputs_agree(answers, operation), 0).flatten()
    limit = float(sure.kthvalue(int(sure.numel() * DOUBTFUL) + 1).values)
    # Four decimals, cut off: rounded up, the limit would leave out more.
    return Calibration(digit_temperature, value_temperature, int(limit * 10_000) / 10_000)


def find_temperature(logits: torch.Tensor, truth: torch.Tensor) -> float:
    """The temperature with the least cross-entropy: Guo et al., 2017, section 4.2.

    The cross-entropy is convex in the inverse temperature, so that halving an interval by its slope finds the minimum.

    Args:
        logits: float [..., classes].
        truth: int64 [...], class indices.

    Returns:
        0.1..10, four decimals.
    """
    logits, truth = logits.double().flatten(0, -2), truth.flatten()
    low, high = 0.1, 10.0  # of the inverse temperature
    for _ in range(30):
        middle = torch.tensor((low * high) ** 0.5, dtype=torch.double, requires_grad=True)
        loss = F.cross_entropy(logits * middle, truth)
        (slope,) = torch.autograd.grad(loss, middle)
        low, high = (middle.item(), high) if slope < 0 else (low, middle.item())
    return round(1 / middle.item(), 4)


def with_temperature(answers: Answers, calibration: Calibration) -> Answers:
    """The answers as the runtime sees them: both outputs' logits divided by their temperatures."""
    return Answers(
        answers.digit / calibration.digit_temperature,
        answers.value / calibration.value_temperature,
    )


def confidences(answers: Answers, calibration: Calibration) -> torch.Tensor:
    """The smaller of the two calibrated confidences: float [pictures, numbers]."""
    tempered = with_temperature(answers, calibration)
    return torch.minimum(tempered.digit.softmax(-1).amax(-1), tempered.value.softmax(-1).amax(-1))


def outputs_agree(answers: Answers, operation: Operation) -> torch.Tensor:
    """Whether the second output follows from the digit that was read: bool [pictures, numbers]."""
    table = torch.tensor(operation.class_table())
    return table[answers.digit.argmax(-1), torch.arange(NUMBERS)] == answers.value.argmax(-1)


def reliable_pairs(answers: Answers, operation: Operation, calibration: Calibration) -> torch.Tensor:
    """What the runtime calls reliable (`reliability.reason_for_doubt`), for whole parts: bool [pictures, numbers]."""
    return outputs_agree(answers, operation) & (confidences(answers, calibration) >= calibration.least_confidence)


def _mean(flags: torch.Tensor) -> float:
    return float(flags.double().mean()) if flags.numel() else float("nan")

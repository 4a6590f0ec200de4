"""Temperatures and the limit of a reliable answer, found on held-out answers."""

from dataclasses import dataclass
from math import ceil

import torch
from torch.nn import functional as F

from mnistsum_runtime.contract import NUMBERS
from mnistsum_runtime.operations import Operation
from mnistsum_runtime.reliability import Calibration
from mnistsum_train.evaluation import Answers
from mnistsum_train.held_out import HeldOut

RISK = 0.0015
"""The limit leaves at most this share of the reliable answers wrong, on the held-out digits as they are."""
VARIED_RISK = 0.006
"""The same on held-out digits that are varied as other people write."""


@dataclass(frozen=True)
class Reliability:
    """How often an answer is called reliable, as fractions of pairs."""

    digits: float
    """Share of the real digits' answers that are called reliable."""
    right: float
    """Share of right digits and values among the real digits' answers that are called reliable; 1 where none are."""
    negatives: dict[str, float]
    """Share called reliable of drawn pictures of no digit, for each kind; empty where none were tried."""

    @classmethod
    def of(
        cls,
        answers: Answers,
        labels: torch.Tensor,
        operation: Operation,
        calibration: Calibration,
        negatives: dict[str, Answers] | None = None,
    ) -> "Reliability":
        """Count on the answers for digits with `labels` (int64 [pictures]) and for pictures of no digit."""
        reliable = reliable_pairs(answers, operation, calibration)
        right = right_digits(answers, labels)  # where the outputs agree, both are right or both wrong
        tried = {
            kind: _mean(reliable_pairs(given, operation, calibration)) for kind, given in (negatives or {}).items()
        }
        return cls(_mean(reliable), _mean(right[reliable]) if reliable.any() else 1.0, tried)


def calibrate(held_out: HeldOut, operation: Operation) -> Calibration:
    """Find both temperatures on the digits as they are, then the limit of the confidence by risk.

    The limit is the least that keeps both promises, `RISK` and `VARIED_RISK`.

    Args:
        held_out: Answers for digits that the network, or others of its recipe, had not learnt from.
        operation: For the second output's truth.
    """
    labels = held_out.labels
    digit_truth = labels[:, None].expand(-1, NUMBERS)
    value_truth = torch.tensor(operation.class_table())[labels]
    digit_temperature = find_temperature(held_out.plain.digit, digit_truth)
    value_temperature = find_temperature(held_out.plain.value, value_truth)
    tempered = Calibration(digit_temperature, value_temperature, 0.0)
    limit = max(
        find_limit(agreed_confidences(answers, operation, tempered), right_digits(answers, labels), risk)
        for answers, risk in ((held_out.plain, RISK), (held_out.varied, VARIED_RISK))
    )
    return Calibration(digit_temperature, value_temperature, limit)


def find_limit(confidence: torch.Tensor, right: torch.Tensor, risk: float) -> float:
    """The least limit at which at most a share `risk` of the answers that reach it are wrong.

    Geifman and El-Yaniv, "Selective Classification for Deep Neural Networks", 2017, without their bound: there are
    hundreds of thousands of answers.

    Args:
        confidence: float, of each answer; 0 for one that is not reliable whatever the limit.
        right: bool, whether it is right.
        risk: 0..1.

    Returns:
        0..1, four decimals, rounded up: rounded down, it could let a wrong answer in. 1 where no limit is enough.
    """
    order = confidence[confidence > 0].sort(descending=True)
    wrong = (~right[confidence > 0])[order.indices].double().cumsum(0)
    kept = (wrong <= risk * torch.arange(1, len(wrong) + 1)).nonzero()
    if not len(kept):
        return 1.0
    return min(1.0, ceil(float(order.values[kept[-1]]) * 10_000) / 10_000)


def right_digits(answers: Answers, labels: torch.Tensor) -> torch.Tensor:
    """Whether the digit is right: bool [pictures, numbers]."""
    return answers.digit.argmax(-1) == labels.cpu()[:, None]


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


def agreed_confidences(answers: Answers, operation: Operation, calibration: Calibration) -> torch.Tensor:
    """The confidences, 0 where the outputs contradict each other: float [pictures, numbers]."""
    return confidences(answers, calibration).masked_fill(~outputs_agree(answers, operation), 0)


def outputs_agree(answers: Answers, operation: Operation) -> torch.Tensor:
    """Whether the second output follows from the digit that was read: bool [pictures, numbers]."""
    table = torch.tensor(operation.class_table())
    return table[answers.digit.argmax(-1), torch.arange(NUMBERS)] == answers.value.argmax(-1)


def reliable_pairs(answers: Answers, operation: Operation, calibration: Calibration) -> torch.Tensor:
    """What the runtime calls reliable (`reliability.reason_for_doubt`), for whole parts: bool [pictures, numbers]."""
    return outputs_agree(answers, operation) & (confidences(answers, calibration) >= calibration.least_confidence)


def _mean(flags: torch.Tensor) -> float:
    return float(flags.double().mean())

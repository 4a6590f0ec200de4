"""Temperatures and the limit of a reliable answer: found on one part, kept by the runtime."""

import pytest
import torch

from mnistsum_runtime.inference import describe_disagreement, softmax
from mnistsum_runtime.operations import SUM
from mnistsum_runtime.reliability import Calibration, reason_for_doubt
from mnistsum_train.calibration import (
    RISK,
    VARIED_RISK,
    calibrate,
    find_limit,
    find_temperature,
    reliable_pairs,
    with_temperature,
)
from mnistsum_train.evaluation import Answers, calibration_error
from mnistsum_train.held_out import HeldOut


def logits_that_are_right(scale: float, classes: int, count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits whose softmax would be exactly calibrated, times `scale`, and labels drawn from it."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn((count, classes), generator=generator)
    truth = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    return logits * scale, truth


def answers_of(pictures: int, seed: int = 0) -> tuple[Answers, torch.Tensor]:
    """Logits of a network that is mostly right, of both outputs, and the labels."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(10, (pictures,), generator=generator)
    sums = labels[:, None] + torch.arange(10)
    noise = torch.rand((pictures, 10, 1), generator=generator) * 12
    digit = torch.randn((pictures, 10, 10), generator=generator)
    value = torch.randn((pictures, 10, 19), generator=generator)
    digit += torch.nn.functional.one_hot(labels, 10)[:, None] * noise
    value += torch.nn.functional.one_hot(sums, 19) * noise
    return Answers(digit, value), labels


@pytest.mark.parametrize("scale", [0.4, 1.0, 3.0])
def test_the_temperature_undoes_what_made_the_logits_too_large_or_small(scale: float) -> None:
    logits, truth = logits_that_are_right(scale, 10, 20_000, 0)
    temperature = find_temperature(logits, truth)
    assert temperature == pytest.approx(scale, rel=0.04)
    assert calibration_error(logits / temperature, truth) < 0.01
    if scale != 1:
        assert calibration_error(logits, truth) > 0.05


def test_the_temperature_changes_no_label() -> None:
    answers, _ = answers_of(50)
    tempered = with_temperature(answers, Calibration(0.5, 3.0, 0.0))
    assert torch.equal(tempered.digit.argmax(-1), answers.digit.argmax(-1))
    assert torch.equal(tempered.value.argmax(-1), answers.value.argmax(-1))


def risk_at(limit: float, confidence: torch.Tensor, right: torch.Tensor) -> float:
    reached = confidence >= limit
    return (~right[reached]).double().mean().item()


def test_the_limit_is_the_least_that_keeps_the_risk() -> None:
    generator = torch.Generator().manual_seed(0)
    confidence = torch.rand(20_000, generator=generator, dtype=torch.double)
    right = torch.rand(20_000, generator=generator) < 0.9 + 0.1 * confidence
    limit = find_limit(confidence, right, 0.02)
    assert 0.3 < limit < 0.9
    assert risk_at(limit, confidence, right) <= 0.02
    assert risk_at(limit - 0.05, confidence, right) > 0.02


def test_answers_whose_outputs_disagree_play_no_part_in_the_limit() -> None:
    confidence = torch.linspace(0.01, 1, 100, dtype=torch.double)
    right = torch.arange(100) % 2 == 1
    assert find_limit(confidence, right, 0.01) == 1.0
    assert find_limit(confidence * right, right, 0.01) == pytest.approx(0.02)


def test_where_no_limit_is_enough_nothing_but_certainty_is() -> None:
    confidence = torch.full((50,), 0.99)
    assert find_limit(confidence, torch.zeros(50, dtype=torch.bool), 0.1) == 1.0


@pytest.mark.parametrize("worse", ["plain", "varied"])
def test_both_promises_are_kept(worse: str) -> None:
    good, labels = answers_of(2000)
    bad, _ = answers_of(2000, seed=0)
    sums = labels[:, None] + torch.arange(10)
    good.digit[torch.arange(2000), :, labels] += 8
    good.value[torch.arange(2000)[:, None], torch.arange(10), sums] += 8
    held_out = HeldOut(labels, *((bad, good) if worse == "plain" else (good, bad)), negatives={})
    calibration = calibrate(held_out, SUM)
    assert 0 < calibration.least_confidence <= 1
    for answers, risk in ((held_out.plain, RISK), (held_out.varied, VARIED_RISK)):
        reliable = reliable_pairs(answers, SUM, calibration)
        wrong = answers.digit.argmax(-1) != labels[:, None]
        assert wrong[reliable].double().mean().item() <= risk


def test_trainer_and_runtime_call_the_same_answers_reliable() -> None:
    answers, labels = answers_of(40)
    calibration = Calibration(1.3, 0.7, 0.6)
    expected = reliable_pairs(answers, SUM, calibration)
    for picture in range(len(labels)):
        for number in range(10):
            digit, digits = softmax(answers.digit[picture, number].numpy(), calibration.digit_temperature)
            value, values = softmax(answers.value[picture, number].numpy(), calibration.value_temperature)
            disagreement = describe_disagreement(SUM, digit, number, value)
            reason = reason_for_doubt(digits, float(values.max()), disagreement, calibration.least_confidence)
            assert (reason is None) == bool(expected[picture, number])
    assert 0 < expected.double().mean() < 1

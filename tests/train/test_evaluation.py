"""Figures against logits that were made so that the figures can be computed by hand."""

import math

import pytest
import torch
from torch.nn import functional as F

from mnistsum_runtime.operations import OPERATIONS, PRODUCT, SUM, Operation
from mnistsum_train.data import Part
from mnistsum_train.evaluation import Answers, answer_all_pairs, calibration_error, evaluate
from mnistsum_train.network import TwoInputNetwork
from mnistsum_train.report import format_table


def answers_of(digits: torch.Tensor, values: torch.Tensor, operation: Operation) -> Answers:
    """Logits that answer digits and value classes [pictures, 10] with near certainty."""
    return Answers(F.one_hot(digits, 10) * 50.0, F.one_hot(values, len(operation.classes)) * 50.0)


def right_answers(labels: torch.Tensor, operation: Operation) -> tuple[torch.Tensor, torch.Tensor]:
    return labels[:, None].repeat(1, 10), torch.tensor(operation.class_table())[labels]


def logits_with_confidence(confidence: float, label: int, classes: int = 10) -> torch.Tensor:
    rest = (1 - confidence) / (classes - 1)
    return torch.tensor([math.log(confidence if i == label else rest) for i in range(classes)])


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_right_answers_are_all_right(operation: Operation) -> None:
    labels = torch.arange(10)
    result = evaluate(answers_of(*right_answers(labels, operation), operation), labels, operation)
    assert result.pairs == 100
    assert (result.digit, result.value, result.both, result.agree) == (1, 1, 1, 1)
    assert result.per_digit == result.per_number == [1] * 10
    assert result.digit_calibration_error == pytest.approx(0, abs=1e-9)


def test_mistakes_count_where_they_belong() -> None:
    labels = torch.arange(10)
    digits, values = right_answers(labels, SUM)
    digits[3, 4] = 5  # digit wrong, sum right: the heads disagree
    values[3, 6] = 0  # sum wrong, digit right: the heads disagree
    digits[8, 1], values[8, 1] = 7, 8  # both wrong, in agreement: 7 + 1 = 8
    digits[8, 2], values[8, 2] = 7, 3  # both wrong, in disagreement
    result = evaluate(answers_of(digits, values, SUM), labels, SUM)
    assert result.digit == pytest.approx(0.97)
    assert result.value == pytest.approx(0.97)
    assert result.both == pytest.approx(0.96)
    assert result.agree == pytest.approx(0.97)
    assert result.per_digit == pytest.approx([1, 1, 1, 0.8, 1, 1, 1, 1, 0.8, 1])
    assert result.per_number == pytest.approx([1, 0.9, 0.9, 1, 0.9, 1, 0.9, 1, 1, 1])


def test_agreement_follows_the_operation() -> None:
    labels = torch.arange(10)
    digits, values = right_answers(labels, PRODUCT)
    digits[4, 0], digits[4, 1] = 9, 9  # 9 x 0 is 4 x 0, 9 x 1 is not 4 x 1
    result = evaluate(answers_of(digits, values, PRODUCT), labels, PRODUCT)
    assert result.agree == pytest.approx(0.99)
    assert result.digit == pytest.approx(0.98)


def test_digits_of_unequal_number_weigh_by_their_pictures() -> None:
    labels = torch.tensor([*range(10), 0, 0])
    digits, values = right_answers(labels, SUM)
    digits[0] = 6
    result = evaluate(answers_of(digits, values, SUM), labels, SUM)
    assert result.digit == pytest.approx(11 / 12)
    assert result.per_digit[0] == pytest.approx(2 / 3)


def test_confidence_that_is_accuracy_has_no_calibration_error() -> None:
    logits = torch.stack([logits_with_confidence(0.8, 2)] * 10)
    truth = torch.tensor([2] * 8 + [5] * 2)
    assert calibration_error(logits, truth) == pytest.approx(0, abs=1e-6)


def test_overconfidence_is_the_gap_to_accuracy() -> None:
    logits = torch.stack([logits_with_confidence(0.95, 2)] * 10)
    truth = torch.tensor([2] * 6 + [5] * 4)
    assert calibration_error(logits, truth) == pytest.approx(0.35, abs=1e-6)


def test_certain_and_half_wrong_is_one_half() -> None:
    logits = torch.eye(10)[torch.tensor([1, 1])] * 1000
    assert calibration_error(logits, torch.tensor([1, 2])) == pytest.approx(0.5)


def test_bins_do_not_make_up_for_each_other() -> None:
    """Too sure in one bin, not sure enough in another: the gaps add, weighted by their share of the answers."""
    sure = torch.stack([logits_with_confidence(0.9, 0)] * 4)
    unsure = torch.stack([logits_with_confidence(0.5, 0)] * 4)
    truth = torch.tensor([0, 0, 1, 1, 0, 0, 0, 0])
    assert calibration_error(torch.cat([sure, unsure]), truth) == pytest.approx(0.5 * 0.4 + 0.5 * 0.5, abs=1e-6)


def test_answers_are_in_order_of_pictures_and_numbers(few: Part) -> None:
    torch.manual_seed(0)
    network = TwoInputNetwork(SUM)
    images = few.images[:7]
    answers = answer_all_pairs(network, images, batch=3)
    assert answers.digit.shape == (7, 10, 10)
    assert answers.value.shape == (7, 10, 19)
    with torch.no_grad():
        for picture in range(7):
            digit, value = network(images[picture][None].repeat(10, 1, 1, 1).float() / 255, torch.eye(10))
            assert torch.allclose(answers.digit[picture], digit, atol=1e-5)
            assert torch.allclose(answers.value[picture], value, atol=1e-5)


def test_table_shows_what_was_measured() -> None:
    labels = torch.arange(10)
    digits, values = right_answers(labels, SUM)
    digits[3, 4] = 5
    lines = format_table(evaluate(answers_of(digits, values, SUM), labels, SUM), "sum").splitlines()
    cells = {line[:30].strip(): line[30:].strip() for line in lines}
    assert lines[0] == "100 test pairs"
    assert cells["digit right"] == "99.00 %"
    assert cells["sum right"] == "100.00 %"
    assert [line.split()[3:] for line in lines if "of each digit" in line] == [
        ["100.00"] * 3 + ["90.00"] + ["100.00"] * 6
    ]

"""The report's pictures show what they are about: each changes with its subject, where it should."""

from dataclasses import asdict
from functools import cache
from io import BytesIO

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from mnistsum_runtime.operations import SUM
from mnistsum_train.data import Part
from mnistsum_train.evaluation import Answers
from mnistsum_train.plots import (
    accuracy_over_seconds,
    confusion_matrix,
    learning_curves,
    risk_over_coverage,
    worst_mistakes,
)
from mnistsum_train.training import EpochMetrics

BLUE, ORANGE = [31, 119, 180], [255, 127, 14]
"""matplotlib's, of the digit and of the second output."""
LOSSES = ("digit_loss", "value_loss", "validation_digit_loss", "validation_value_loss")
ACCURACIES = ("digit_accuracy", "value_accuracy", "validation_digit", "validation_value")
METRICS = EpochMetrics(1, 0.5, 0.9, 0.8, 0.7, 0.4, 0.8, 0.85, 0.75, 0.7, 0.9, 12.0)


def pixels(png: bytes) -> NDArray[np.int64]:
    """Red, green and blue, 0..255."""
    return np.asarray(Image.open(BytesIO(png)).convert("RGB")).astype(np.int64)


def red(png: bytes) -> int:
    """How many pixels are clearly red."""
    picture = pixels(png)
    return int((picture[..., 0] - picture[..., 1:].max(axis=2) > 60).sum())


@pytest.mark.parametrize(
    ("figure", "half", "colour"),
    [
        ("digit_loss", 0, BLUE),
        ("validation_digit_loss", 0, BLUE),
        ("value_loss", 0, ORANGE),
        ("validation_value_loss", 0, ORANGE),
        ("digit_accuracy", 1, BLUE),
        ("validation_digit", 1, BLUE),
        ("value_accuracy", 1, ORANGE),
        ("validation_value", 1, ORANGE),
    ],
)
def test_learning_curves_show_every_figure_in_its_half_and_colour(figure: str, half: int, colour: list[int]) -> None:
    """The second of three epochs gets a better figure, not better than the third's: no axis changes, but one line."""
    better = EpochMetrics(**asdict(METRICS) | {figure: 0.96 if half else 0.15})
    pictures = three_epochs(METRICS), three_epochs(better)
    middle = pictures[0].shape[1] // 2
    halves = [[picture[:, :middle], picture[:, middle:]] for picture in pictures]
    assert np.array_equal(halves[0][1 - half], halves[1][1 - half])
    before, after = (picture[half] for picture in halves)
    changed = (before != after).any(axis=2)
    rows = [np.nonzero(changed & (picture == colour).all(axis=2))[0].mean() for picture in (before, after)]
    assert rows[1] > rows[0] + 5, "what is better is lower"


@cache
def three_epochs(second: EpochMetrics) -> NDArray[np.int64]:
    last = EpochMetrics(**asdict(METRICS) | dict.fromkeys(LOSSES, 0.1) | dict.fromkeys(ACCURACIES, 0.99))
    return pixels(learning_curves([METRICS, second, last], SUM))


def test_confusion_matrix_colours_mistakes_only() -> None:
    truth = np.arange(10).repeat(10)
    answered = truth.copy()
    right = confusion_matrix(answered, truth, list(range(10)), "digit")
    answered[30:40] = 5
    wrong = confusion_matrix(answered, truth, list(range(10)), "digit")
    cell = 500  # pixels, at least: a coloured one of a hundred
    assert red(wrong) - red(right) > cell


def test_confusion_matrix_has_truth_in_rows_and_answers_in_columns() -> None:
    truth, answered = np.array([0] * 30), np.array([9] * 30)
    picture = pixels(confusion_matrix(answered, truth, list(range(10)), "digit"))
    matrix = picture[:, : int(0.8 * picture.shape[1])]  # without the colour bar
    rows, columns = np.nonzero(matrix[..., 0] - matrix[..., 1:].max(axis=2) > 60)
    assert rows.mean() < 0.3 * picture.shape[0]
    assert columns.mean() > 0.55 * picture.shape[1]


def test_worst_mistakes_are_the_pictures_with_the_least_probability_on_their_digit() -> None:
    """More pictures than panels: those with ink are shown where they are worst, and left out where they are best."""
    images = torch.zeros(50, 1, 28, 28, dtype=torch.uint8)
    images[:10, :, :, :14] = 255
    test = Part(images, torch.zeros(50, dtype=torch.int64))
    value = torch.zeros(50, 10, 19)
    ink = []
    for certainty in (-5.0, 5.0):  # of those with ink
        digit = torch.zeros(50, 10, 10)
        digit[:10, :, 0] = certainty
        ink.append((pixels(worst_mistakes(Answers(digit, value), test, SUM)).max(axis=2) < 100).mean())
    assert ink[0] > ink[1] + 0.02


def test_worst_mistakes_are_red_where_an_answer_is_wrong() -> None:
    test = Part(torch.zeros(50, 1, 28, 28, dtype=torch.uint8), torch.full((50,), 3))
    digit, value = torch.zeros(50, 10, 10), torch.zeros(50, 10, 19)
    digit[..., 3] = 9
    for number in range(10):
        value[:, number, 3 + number] = 9
    right = worst_mistakes(Answers(digit, value), test, SUM)
    wrong = worst_mistakes(Answers(digit.roll(1, -1), value), test, SUM)
    assert red(right) == 0
    assert red(wrong) > 1000


def test_worst_mistakes_are_mistakes_even_where_right_answers_are_less_sure() -> None:
    """Half of the pictures are wrong and have ink; the gate makes the other half unsure, and changes no answer."""
    images = torch.zeros(80, 1, 28, 28, dtype=torch.uint8)
    images[:40, :, :, :14] = 255
    test = Part(images, torch.zeros(80, dtype=torch.int64))
    digit, value = torch.zeros(80, 10, 10), torch.zeros(80, 10, 19)
    digit[:40, :, 1], digit[40:, :, 0] = 1.0, 0.01
    for number in range(10):
        value[:, number, number] = 9
    ink = (pixels(worst_mistakes(Answers(digit, value), test, SUM)).max(axis=2) < 100).mean()
    sure = digit.clone()
    sure[40:] *= 900
    assert ink == pytest.approx((pixels(worst_mistakes(Answers(sure, value), test, SUM)).max(axis=2) < 100).mean())
    assert ink > 0.2


@pytest.mark.parametrize("lowest", [0.005, 0.3, 0.6])
def test_every_error_axis_has_three_numbers_at_the_least(lowest: float) -> None:
    """Ink left of the axis, without its name: a block of rows for each number."""
    picture = pixels(accuracy_over_seconds({"a": [(1, 0.982), (90, 1 - lowest / 100)]}, 0.99))
    numbers = (picture[:, 30:58].max(axis=2) < 128).any(axis=1)
    assert int((np.diff(numbers.astype(int)) == 1).sum()) >= 3


def curve_pixels(png: bytes, colour: list[int]) -> NDArray[np.float64]:
    """Rows and columns of the pixels of a curve, above the legend, in parts of the picture: [pixels, 2]."""
    picture = pixels(png)
    drawn = np.abs(picture[: picture.shape[0] * 8 // 10] - colour).sum(axis=2) < 60
    return np.argwhere(drawn) / picture.shape[:2]


RISING = np.linspace(1, 0.5, 1000), np.arange(1000) % 100 == 99
"""Confidences of a thousand answers, of which one in a hundred is wrong."""


def test_the_dot_lies_at_the_share_that_reaches_the_limit() -> None:
    confidence, left, right = RISING[0], 0.09, 0.98  # of the axes
    sure = np.where(confidence < 0.6, 0, confidence)
    for limit, share in ((0.9, 0.2), (0.6, 0.8), (0, 0.8)):
        picture = risk_over_coverage({"all right": (sure, np.zeros(1000, bool))}, limit)  # the dot alone
        assert curve_pixels(picture, BLUE)[:, 1].mean() == pytest.approx(left + share * (right - left), abs=0.03)


def test_a_curve_ends_where_the_rest_is_not_reliable_whatever_the_limit() -> None:
    confidence, wrong = RISING
    ends = [
        curve_pixels(risk_over_coverage({"test": (np.where(np.arange(1000) < reach, confidence, 0), wrong)}, 0.9), BLUE)
        for reach in (1000, 500)
    ]
    assert ends[0][:, 1].max() > 0.95
    assert ends[1][:, 1].max() == pytest.approx(0.09 + 0.5 * 0.89, abs=0.03)


def test_answers_of_one_confidence_come_together() -> None:
    confidence, wrong = np.full(100, 0.9), np.arange(100) < 50
    pictures = {risk_over_coverage({"test": (confidence, order)}, 0.5) for order in (wrong, wrong[::-1])}
    assert len(pictures) == 1


def test_what_errs_more_lies_higher() -> None:
    confidence, wrong = RISING
    picture = risk_over_coverage({"test": (confidence, wrong), "other": (confidence, np.arange(1000) % 10 == 9)}, 0.7)
    rows = [curve_pixels(picture, colour)[:, 0].mean() for colour in (BLUE, ORANGE)]
    assert rows[1] < rows[0] - 0.2


def test_no_wrong_answer_at_all_has_its_dot_on_the_lower_edge() -> None:
    confidence, wrong = RISING
    curves = {"test": (confidence, np.zeros(1000, bool)), "other": (confidence, wrong)}
    picture = risk_over_coverage(curves, 0.9)
    lowest, other = (curve_pixels(picture, colour)[:, 0] for colour in (BLUE, ORANGE))
    assert lowest.min() > other.max()

"""Calibration and doubt: what the model file says of them, and when an answer is called unreliable."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import helper

from mnistsum_runtime import ModelError, Predictor, contract
from mnistsum_runtime.prepared import PreparedPicture
from mnistsum_runtime.reliability import Calibration, reason_for_doubt
from tiny_model import drawn_digit, make_tiny_model


def predictor_with(folder: Path, calibration: str) -> Predictor:
    model = make_tiny_model()
    entries = {entry.key: entry.value for entry in model.metadata_props}
    helper.set_model_props(model, entries | {contract.META_CALIBRATION: calibration})
    path = folder / "calibrated.onnx"
    path.write_bytes(model.SerializeToString())
    return Predictor(path)


def probabilities(*best: float) -> NDArray[np.float32]:
    """The digits 3, 5, ... with these probabilities, the rest shared by the others."""
    found = np.full(10, (1 - sum(best)) / (10 - len(best)), np.float32)
    found[[3, 5, 7][: len(best)]] = best
    return found


@pytest.mark.parametrize(
    ("digit", "value_confidence", "disagreement", "reason"),
    [
        (probabilities(0.9), 0.9, None, None),
        (probabilities(0.7), 0.7, None, None),
        (probabilities(0.9), 0.9, "the two outputs disagree", "the two outputs disagree"),
        (probabilities(0.55, 0.4), 0.9, None, "could be 3 or 5"),
        (probabilities(0.95), 0.4, None, "the second output is not sure"),
        (probabilities(0.55, 0.4), 0.4, "the two outputs disagree", "the two outputs disagree"),
        (probabilities(0.2), 0.9, None, "looks like no digit"),
        (probabilities(0.2), 0.2, "the two outputs disagree", "looks like no digit"),
    ],
)
def test_an_answer_is_reliable_where_the_outputs_agree_and_both_are_sure(
    digit: NDArray[np.float32], value_confidence: float, disagreement: str | None, reason: str | None
) -> None:
    assert reason_for_doubt(digit, value_confidence, disagreement, 0.7 - 1e-6) == reason


def test_a_calibration_survives_its_json() -> None:
    calibration = Calibration(1.25, 0.8, 0.61)
    assert Calibration.from_json(calibration.to_json()) == calibration


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "[]",
        "{}",
        '{"digit_temperature": 1, "value_temperature": 1}',
        '{"digit_temperature": 0, "value_temperature": 1, "least_confidence": 0.5}',
        '{"digit_temperature": "1", "value_temperature": 1, "least_confidence": 0.5}',
        '{"digit_temperature": NaN, "value_temperature": 1, "least_confidence": 0.5}',
        '{"digit_temperature": 1, "value_temperature": 1, "least_confidence": 0.5, "more": 1}',
    ],
)
def test_a_damaged_calibration_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(ModelError, match=r"mnistsum\.calibration is damaged \(.*\): export it again") as caught:
        predictor_with(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_a_file_that_says_nothing_is_uncalibrated_and_only_disagreement_is_doubted(predictor: Predictor) -> None:
    assert predictor.model.calibration == Calibration(1, 1, 0)
    between = np.maximum(drawn_digit(7), drawn_digit(1)) // 2
    assert predictor.predict(between, 4).digit_confidence < 0.99
    assert predictor.predict(between, 4).reliable


def test_a_temperature_changes_the_confidence_and_no_label(tmp_path: Path, predictor: Predictor) -> None:
    warm = predictor_with(tmp_path, Calibration(4.0, 2.0).to_json())
    for digit in range(10):
        plain, tempered = predictor.predict(drawn_digit(digit), 4), warm.predict(drawn_digit(digit), 4)
        assert (tempered.digit, tempered.value) == (plain.digit, plain.value)
        assert tempered.digit_confidence < plain.digit_confidence
        assert tempered.value_confidence < plain.value_confidence
        expected = plain.digit_probabilities ** (1 / 4)
        assert np.allclose(tempered.digit_probabilities, expected / expected.sum(), atol=1e-5)


def test_doubt_is_in_the_prediction_the_json_line_and_the_sentence(tmp_path: Path) -> None:
    predictor = predictor_with(tmp_path, Calibration(least_confidence=0.99999).to_json())
    doubtful = predictor.predict(drawn_digit(7), 4)
    assert (doubtful.reliable, doubtful.reason, doubtful.digit) == (False, "could be 7 or 3", 7)
    line: Any = json.loads(json.dumps(doubtful.to_json("seven.png")))
    assert (line["reliable"], line["reason"]) == (False, "could be 7 or 3")
    assert doubtful.to_line("x.png") == "x.png: digit 7 (99.96%), 7 + 4 = 11 (99.92%) (unsure: could be 7 or 3)"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({}, None),
        ({"strangers_dropped": 2}, "more than one thing in the picture"),
        ({"cut": True}, "the ink runs over the picture's edge"),
    ],
)
def test_what_preparation_saw_can_make_a_sure_answer_doubtful(
    predictor: Predictor, record: dict[str, Any], reason: str | None
) -> None:
    prepared = PreparedPicture((drawn_digit(7) / 255).astype(np.float32), untouched=False, **record)
    answer = predictor.predict_prepared(prepared, 4)
    assert (answer.digit, answer.reliable, answer.reason) == (7, reason is None, reason)

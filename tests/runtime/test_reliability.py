"""Calibration and doubt: what the model file says of them, and when an answer is called unreliable."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from mnistsum_runtime import CallError, ModelError, Predictor
from mnistsum_runtime.contract import (
    CALIBRATION_METADATA,
    META_DIGIT_TEMPERATURE,
    META_LEAST_CONFIDENCE,
    META_VALUE_TEMPERATURE,
)
from mnistsum_runtime.preparation.prepared import PreparedPicture
from mnistsum_runtime.reliability import Calibration, reason_for_doubt
from tiny_model import drawn_digit, make_tiny_model


def predictor_with(folder: Path, calibration: dict[str, str]) -> Predictor:
    """The tiny model with other calibration metadata."""
    model = make_tiny_model()
    entries = {entry.key: entry.value for entry in model.metadata_props if entry.key not in CALIBRATION_METADATA}
    helper.set_model_props(model, entries | calibration)
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
        (probabilities(0.95), float("nan"), None, "the second output is not sure"),
        (probabilities(0.2), 0.9, None, "looks like no digit"),
        (probabilities(0.2), 0.2, "the two outputs disagree", "looks like no digit"),
    ],
)
def test_an_answer_is_reliable_where_the_outputs_agree_and_both_are_sure(
    digit: NDArray[np.float32], value_confidence: float, disagreement: str | None, reason: str | None
) -> None:
    assert reason_for_doubt(digit, value_confidence, disagreement, 0.7 - 1e-6) == reason


def test_a_calibration_survives_the_metadata() -> None:
    calibration = Calibration(1.25, 0.8, 0.61)
    assert Calibration.from_metadata(calibration.to_metadata()) == calibration


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({META_DIGIT_TEMPERATURE: None}, f"metadata {META_DIGIT_TEMPERATURE} is missing"),
        ({META_DIGIT_TEMPERATURE: "warm"}, f"metadata {META_DIGIT_TEMPERATURE} is 'warm', expected a number"),
        ({META_DIGIT_TEMPERATURE: "0"}, "its temperatures are 0 and 1, expected 0.001 to 1000"),
        ({META_DIGIT_TEMPERATURE: "1e-320"}, "its temperatures are 9.99989e-321 and 1, expected 0.001 to 1000"),
        ({META_VALUE_TEMPERATURE: "-1"}, "its temperatures are 1 and -1, expected 0.001 to 1000"),
        ({META_VALUE_TEMPERATURE: "nan"}, "its temperatures are 1 and nan, expected 0.001 to 1000"),
        ({META_VALUE_TEMPERATURE: "inf"}, "its temperatures are 1 and inf, expected 0.001 to 1000"),
        ({META_LEAST_CONFIDENCE: "1.5"}, "its least confidence is 1.5, expected 0..1"),
        ({META_LEAST_CONFIDENCE: "nan"}, "its least confidence is nan, expected 0..1"),
    ],
)
def test_a_damaged_calibration_is_refused_in_one_line(
    tmp_path: Path, changed: dict[str, str | None], message: str
) -> None:
    metadata = Calibration(1.0, 1.0, 0.5).to_metadata() | changed
    with pytest.raises(ModelError) as caught:
        predictor_with(tmp_path, {key: value for key, value in metadata.items() if value is not None})
    assert f"its calibration is damaged ({message}): copy it again, or export it again where it was made" in str(
        caught.value
    )


def test_of_a_file_without_calibration_no_answer_is_reliable(tmp_path: Path) -> None:
    answer = predictor_with(tmp_path, {}).predict(drawn_digit(7), 4)
    assert (answer.digit, answer.value) == (7, 11)
    assert (answer.reliable, answer.reason) == (False, "the model is not calibrated")


def test_a_temperature_changes_the_confidence_and_no_label(tmp_path: Path, predictor: Predictor) -> None:
    warm = predictor_with(tmp_path, Calibration(4.0, 2.0, 0.5).to_metadata())
    for digit in range(10):
        plain, tempered = predictor.predict(drawn_digit(digit), 4), warm.predict(drawn_digit(digit), 4)
        assert (tempered.digit, tempered.value) == (plain.digit, plain.value)
        assert tempered.digit_confidence < plain.digit_confidence
        assert tempered.value_confidence < plain.value_confidence
        expected = plain.digit_probabilities ** (1 / 4)
        assert np.allclose(tempered.digit_probabilities, expected / expected.sum(), atol=1e-5)


def test_doubt_is_in_the_prediction_the_json_line_and_the_sentence(tmp_path: Path) -> None:
    predictor = predictor_with(tmp_path, Calibration(1.0, 1.0, 0.99999).to_metadata())
    doubtful = predictor.predict(drawn_digit(7), 4)
    assert (doubtful.reliable, doubtful.reason, doubtful.digit) == (False, "the second output is not sure", 7)
    line: Any = json.loads(json.dumps(doubtful.to_json("seven.png")))
    assert (line["reliable"], line["reason"]) == (False, "the second output is not sure")
    assert (
        doubtful.to_line("x.png")
        == "x.png: digit 7 (100.00%), 7 + 4 = 11 (99.92%) (unsure: the second output is not sure)"
    )


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


@pytest.mark.parametrize(
    ("in_the_file", "given", "reliable"),
    [(0.5, None, True), (0.5, 1.0, False), (0.99999, None, False), (0.99999, 0.9, True), (0.99999, 0, True)],
)
def test_another_limit_decides_what_is_reliable_and_changes_no_confidence(
    tmp_path: Path, predictor: Predictor, in_the_file: float, given: float | None, reliable: bool
) -> None:
    path = predictor_with(tmp_path, Calibration(1.0, 1.0, in_the_file).to_metadata()).model.path
    usual, moved = (one.predict(drawn_digit(7), 4) for one in (predictor, Predictor(path, min_confidence=given)))
    assert moved.reliable is reliable
    assert np.array_equal(moved.digit_probabilities, usual.digit_probabilities)
    assert np.array_equal(moved.value_probabilities, usual.value_probabilities)


def test_no_limit_takes_back_what_the_preparation_saw(model_file: Path) -> None:
    prepared = PreparedPicture((drawn_digit(7) / 255).astype(np.float32), untouched=False, cut=True)
    answer = Predictor(model_file, min_confidence=0).predict_prepared(prepared, 4)
    assert answer.reason == "the ink runs over the picture's edge"


def test_no_limit_takes_back_that_the_outputs_disagree(tmp_path: Path) -> None:
    model = make_tiny_model()
    spread = next(tensor for tensor in model.graph.initializer if tensor.name == "spread")
    wrong = np.roll(numpy_helper.to_array(spread), 1, axis=1)  # every sum is one more
    spread.CopyFrom(numpy_helper.from_array(wrong, "spread"))
    (tmp_path / "wrong.onnx").write_bytes(model.SerializeToString())
    answer = Predictor(tmp_path / "wrong.onnx", min_confidence=0).predict(drawn_digit(7), 4)
    assert (answer.digit, answer.value) == (7, 12)
    assert answer.reason == "the two outputs disagree, 7 + 4 = 11"


def test_no_limit_calibrates_a_file_without_calibration(tmp_path: Path) -> None:
    path = predictor_with(tmp_path, {}).model.path
    answer = Predictor(path, min_confidence=0).predict(drawn_digit(7), 4)
    assert answer.reason == "the model is not calibrated"


@pytest.mark.parametrize("limit", [-0.1, 1.5, float("nan"), float("inf"), True, "0.9", 10**400])
def test_a_limit_that_is_no_share_is_a_wrong_call_before_the_model_is_opened(limit: Any) -> None:
    with pytest.raises(CallError, match=r"the least confidence must be a number from 0 to 1, found .*") as caught:
        Predictor("missing.onnx", min_confidence=limit)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("limit", [1, np.float32(0.75)])
def test_a_limit_may_be_any_number(model_file: Path, limit: Any) -> None:
    assert Predictor(model_file, min_confidence=limit).model.calibration.least_confidence == limit

"""`artifacts/by_hand.py`: ten lines of numpy and onnxruntime answer clean scans as `Predictor` does."""

import ast
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

import by_hand
from clean_scans import clean_scan
from mnistsum_runtime import Predictor
from mnistsum_runtime.model import shipped_model
from mnistsum_train.data import load_mnist

SAMPLES = Path(__file__).parents[1] / "artifacts" / "samples"


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(shipped_model(), providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def says(session: onnxruntime.InferenceSession) -> dict[str, str]:
    return dict(session.get_modelmeta().custom_metadata_map)


def test_it_has_ten_lines_of_numpy_alone() -> None:
    text = Path(by_hand.__file__).read_text(encoding="utf-8")
    tree = ast.parse(text)
    (function,) = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    _, *lines = function.body  # behind its docstring
    assert len(lines) == 10
    assert all(statement.lineno == statement.end_lineno for statement in lines)
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert {ast.unparse(node).split()[1].split(".")[0] for node in imported} == {"typing", "numpy"}


def test_clean_scans_are_answered_as_the_predictor_answers_them(
    session: onnxruntime.InferenceSession, says: dict[str, str]
) -> None:
    """200 of MNIST's test digits, enlarged, anywhere on white sheets; strokes are widened by the predictor alone."""
    predictor, generator = Predictor(), np.random.default_rng(0)
    test = load_mnist(train=False).first(200)
    same = reliable = right = 0
    for index, picture in enumerate(test.images[:, 0].numpy()):
        scan, number = np.asarray(clean_scan(picture, generator)), index % 10
        expected = predictor.predict(scan, number)
        digit, value, sure = by_hand.read(session, says, scan, number)
        same += (digit, value) == (expected.digit, expected.value)
        reliable += sure == expected.reliable
        right += (digit, value) == (int(test.labels[index]), int(test.labels[index]) + number)
    assert same >= 198
    assert reliable >= 195
    assert right >= 198


def test_a_picture_file_is_answered(session: onnxruntime.InferenceSession, says: dict[str, str]) -> None:
    grey = np.asarray(Image.open(SAMPLES / "seven.png").convert("L"))
    assert by_hand.read(session, says, grey, 4) == (7, 11, True)


def test_the_limit_and_the_temperatures_are_the_file_s(
    session: onnxruntime.InferenceSession, says: dict[str, str]
) -> None:
    grey = np.asarray(Image.open(SAMPLES / "seven.png").convert("L"))
    for change in ({"mnistsum.least_confidence": "1.0"}, {"mnistsum.value_temperature": "30"}):
        assert by_hand.read(session, says | change, grey, 4) == (7, 11, False)

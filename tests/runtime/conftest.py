"""The tiny model as a file and as an open predictor, and pictures of its sevens."""

from pathlib import Path

import pytest

from mnistsum_runtime import Predictor
from tiny_model import drawn_digit, make_tiny_model


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    path.write_bytes(make_tiny_model().SerializeToString())
    return path


@pytest.fixture(scope="session")
def predictor(model_file: Path) -> Predictor:
    return Predictor(model_file)


@pytest.fixture
def seven(tmp_path: Path) -> Path:
    from PIL import Image

    path = tmp_path / "seven.png"
    Image.fromarray(drawn_digit(7)).save(path)
    return path

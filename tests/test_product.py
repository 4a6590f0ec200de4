"""The second operation from end to end: trained, exported, run, verified."""

import json
from pathlib import Path

import pytest

from calling import call
from mnistsum_export.cli import command as export
from mnistsum_runtime.commands.run_options import command as run
from mnistsum_runtime.commands.verify import command as verify
from small_training import OPTIONS, call_small_training

SEVEN = Path(__file__).parents[1] / "artifacts" / "samples" / "seven-mnist.png"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product network of a few hundred pictures, exported."""
    folder = tmp_path_factory.mktemp("product")
    trained = call_small_training("--operation", "product", "--preset", "nano", "--out", folder, *OPTIONS)
    assert trained.code == 0, trained.err
    assert "product right" in trained.out
    path = folder / "product.onnx"
    exported = call(export, "--checkpoint", folder / "checkpoint.safetensors", "--output", path, "--samples", 1)
    assert exported.code == 0, exported.err
    return path


@pytest.mark.slow
def test_trained_product_multiplies_in_sentences_and_in_json(model: Path) -> None:
    said = call(run, SEVEN, 4, "--model", model, "--json")
    assert said.code == 0, said.err
    answer = json.loads(said.out)
    assert answer["product"] in {first * second for first in range(10) for second in range(10)}
    assert "sum" not in answer
    assert f" x 4 = {answer['product']}" in call(run, SEVEN, 4, "--model", model).out or not answer["consistent"]


@pytest.mark.slow
def test_trained_product_is_verified(model: Path) -> None:
    verified = call(verify, "--model", model)
    assert verified.code == 0, verified.out
    assert "product" in verified.out


@pytest.mark.slow
def test_trained_product_is_not_taken_for_a_sum(model: Path) -> None:
    refused = call(run, SEVEN, 4, "--model", model, "--operation", "sum")
    assert refused.code == 3
    assert "its operation is product, asked for was sum" in refused.err

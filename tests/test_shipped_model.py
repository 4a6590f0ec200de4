"""The shipped file belongs to the shipped checkpoint, answers as it does, and is as good as the README says."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from calling import call
from clean_scans import measure
from exporting import make_network_subject
from exporting import measure as measure_parity_of
from mnistsum_export.network.export import export
from mnistsum_export.network.probes import make_probes
from mnistsum_runtime import contract
from mnistsum_runtime.commands.verify import command as verify
from mnistsum_runtime.measure import samples
from mnistsum_runtime.measure.recorded import read_recorded
from mnistsum_runtime.measure.samples import prepare_samples, verify_answers, verify_preparation
from mnistsum_runtime.model import open_model, shipped_model
from mnistsum_runtime.operations import OPERATIONS
from mnistsum_runtime.predictor import Predictor
from mnistsum_runtime.preparation.prepare import prepare_picture
from mnistsum_runtime.preparation.prepared import PreparedPicture
from mnistsum_runtime.proof.verification import verify_inference
from mnistsum_train.checkpoint import Checkpoint
from mnistsum_train.data import load_mnist
from mnistsum_train.evaluation import answer_all_pairs, evaluate
from mnistsum_train.tensors import tensor_hash

ARTIFACTS = Path(__file__).parents[1] / "artifacts"
CHECKPOINT = ARTIFACTS / "sum" / "checkpoint.safetensors"
MODELS = sorted(ARTIFACTS.glob("*/*.onnx"))


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return Checkpoint.load(CHECKPOINT)


@pytest.fixture(scope="module")
def metadata() -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load(shipped_model()).metadata_props}


def test_file_names_the_checkpoint_it_was_made_from(checkpoint: Checkpoint, metadata: dict[str, str]) -> None:
    assert metadata[contract.META_CHECKPOINT] == tensor_hash(checkpoint.network.state_dict())


@pytest.mark.parametrize("model", MODELS, ids=[model.stem for model in MODELS])
def test_every_shipped_file_is_verified(model: Path) -> None:
    verified = call(verify, "--model", model)
    assert verified.code == 0, verified.out + verified.err


def test_wheel_has_both_operations_in_both_precisions() -> None:
    names = {model.name for model in MODELS if model.parent == Path(shipped_model()).parent}
    assert names == {f"mnistsum-{name}{form}.onnx" for name in OPERATIONS for form in ("", "-int8")}


def test_export_record_is_of_the_shipped_bytes() -> None:
    record = json.loads((ARTIFACTS / "sum" / "export.json").read_text())
    assert record["sha256"] == hashlib.sha256(Path(shipped_model()).read_bytes()).hexdigest()


def test_receipt_covers_all_test_pairs_and_every_label_agrees(metadata: dict[str, str]) -> None:
    receipt = json.loads(metadata[contract.META_PARITY])
    assert receipt["rows"] >= 100_000
    assert receipt["labels_equal"] == receipt["labels_compared"] > 100_000
    for output in receipt["outputs"].values():
        assert 0 < output["largest_difference"] <= output["tolerance"] <= 1e-4


def test_shipped_bytes_answer_as_torch_does(checkpoint: Checkpoint) -> None:
    probes = make_probes(load_mnist(train=False).first(100).images[:, 0].numpy())
    assert measure_parity_of(make_network_subject(checkpoint.network, probes), Path(shipped_model()).read_bytes())


def shifted(grey: NDArray[np.uint8], name: str) -> PreparedPicture:
    """Preparation that is off by one pixel."""
    prepared = prepare_picture(grey, name)
    return prepared._replace(field=np.roll(prepared.field, 1, axis=0))


def test_shipped_references_tell_a_nudged_weight_and_a_shifted_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = read_recorded(open_model(shipped_model()))
    references = recorded.references
    assert len(references) >= 200
    assert set(references.inputs["number"].argmax(axis=1)) == set(range(10))
    model = onnx.load(shipped_model())
    floats = [tensor for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT]
    largest = max(floats, key=lambda tensor: np.prod(tensor.dims))
    largest.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(largest) + np.float32(3e-3), largest.name))
    path = tmp_path / "nudged.onnx"
    onnx.save(model, path)
    nudged = open_model(path)
    assert not verify_inference(nudged.session, replace(references, model_sha256=nudged.sha256()))
    prepared = prepare_samples(recorded.samples)
    assert verify_preparation(recorded.samples, prepared)
    assert verify_answers(Predictor(), recorded.samples, prepared, 1e-3)
    monkeypatch.setattr(samples, "prepare_picture", shifted)
    shifted_down = prepare_samples(recorded.samples)
    assert not any(picture.passed for picture in verify_preparation(recorded.samples, shifted_down).pictures)
    assert verify_inference(open_model(shipped_model()).session, references)


@pytest.mark.slow
def test_report_is_what_the_checkpoint_gives(checkpoint: Checkpoint) -> None:
    report = json.loads((ARTIFACTS / "sum" / "report.json").read_text())["test"]
    test = load_mnist(train=False)
    measured = evaluate(answer_all_pairs(checkpoint.network, test.images), test.labels, checkpoint.network.operation)
    for name in ("digit", "value", "both", "agree"):
        # A label may tip on another processor; two of 100,000 pairs would already be many.
        assert getattr(measured, name) == pytest.approx(report[name], abs=2e-5)
    assert report["digit"] >= 0.996
    assert report["value"] >= 0.9955
    assert report["both"] >= 0.995


@pytest.mark.slow
def test_clean_scans_lose_at_most_half_a_point() -> None:
    measured = measure(1000)
    assert measured["scans"] >= measured["plain"] - 0.005
    recorded = json.loads((ARTIFACTS / "sum" / "clean_scans.json").read_text())
    assert measured["scans"] == pytest.approx(recorded["scans"], abs=0.002)


@pytest.mark.slow
def test_same_checkpoint_gives_the_same_bytes_again(tmp_path: Path) -> None:
    for name in ("a", "b"):
        export(CHECKPOINT, tmp_path / name, opset=17, tolerance=1e-4, samples=20)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()

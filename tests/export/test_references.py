"""What lies beside an exported file: torch's answers in float64, bound to the file's bytes, and they verify."""

import hashlib
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

import mnistsum_export.network.references
from calling import call
from exporting import SAMPLES, Exported
from mnistsum_export.cli import command
from mnistsum_export.network.references import choose_references, torch_engine
from mnistsum_export.proof.parity import Case
from mnistsum_export.proof.references import Recording, make_references
from mnistsum_runtime.commands.verify import command as verify
from mnistsum_runtime.contract import FP32
from mnistsum_runtime.errors import ModelError, WorkError
from mnistsum_runtime.measure import samples as samples_module
from mnistsum_runtime.measure.recorded import Recorded, read_recorded
from mnistsum_runtime.measure.samples import prepare_samples, verify_preparation
from mnistsum_runtime.model import open_model
from mnistsum_runtime.preparation import photo
from mnistsum_runtime.preparation.picture import read_picture
from mnistsum_runtime.preparation.prepare import prepare, prepare_picture
from mnistsum_runtime.preparation.prepared import PreparedPicture
from mnistsum_runtime.proof.references import References, references_path
from mnistsum_runtime.proof.verification import verify_inference
from mnistsum_train.data import load_mnist
from mnistsum_train.network import TwoInputNetwork


@pytest.fixture(scope="module")
def recorded(exported: Exported) -> Recorded:
    return read_recorded(open_model(exported.path))


@pytest.fixture(scope="module")
def references(recorded: Recorded) -> References:
    return recorded.references


def test_exported_file_verifies(exported: Exported) -> None:
    called = call(verify, "--model", exported.path)
    assert (called.code, called.err) == (0, "")


def test_references_are_bound_to_the_bytes(exported: Exported, references: References) -> None:
    assert references.model_sha256 == hashlib.sha256(exported.content).hexdigest()
    assert exported.record["references"] == str(references_path(exported.path))


def test_200_real_digits_with_all_numbers_and_the_synthetic_pictures(references: References) -> None:
    pictures = np.round(references.inputs["image"][:, 0] * 255).astype(np.uint8)
    test_set = {image.tobytes() for image in load_mnist(train=False).images[:, 0].numpy()}
    real = np.array([picture.tobytes() in test_set for picture in pictures])
    assert real.sum() >= 200
    assert set(references.inputs["number"][real].argmax(axis=1)) == set(range(10))
    synthetic = pictures[~real]
    assert any(not picture.any() for picture in synthetic)
    assert any((picture == 255).all() for picture in synthetic)
    assert len(synthetic) > 20


def test_logits_are_torchs_in_float64(references: References, network: TwoInputNetwork) -> None:
    arguments = [torch.from_numpy(references.inputs[name]).double() for name in ("image", "number")]
    with torch.inference_mode():
        digit, value = deepcopy(network).double()(*arguments)
    np.testing.assert_array_equal(references.outputs["digit"], digit.float().numpy())
    np.testing.assert_array_equal(references.outputs["sum"], value.float().numpy())
    assert {rule.tolerance for rule in references.rules.values()} == {1e-4}
    assert next(network.parameters()).dtype == torch.float32  # the network itself was not touched


def test_no_label_is_a_near_tie(references: References) -> None:
    for logits in references.outputs.values():
        best = np.sort(logits, axis=1)
        assert (best[:, -1] - best[:, -2]).min() > 2e-4


def test_six_sample_pictures_are_clean_and_six_take_the_way_of_photos(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    prepare_photo = photo.prepare_photo

    def spy(levels: NDArray[np.uint8], reduction: int, name: str) -> PreparedPicture:
        taken.append(name)
        return prepare_photo(levels, reduction, name)

    monkeypatch.setattr(photo, "prepare_photo", spy)
    for sample in recorded.samples:
        prepare(read_picture(sample.content, sample.name), sample.name)
    assert len(recorded.samples) == 12
    assert taken == [sample.name for sample in recorded.samples[6:]]
    assert {sample.content[:4] for sample in recorded.samples} >= {b"\x89PNG", b"\xff\xd8\xff\xe0"}
    assert sum(len(sample.content) for sample in recorded.samples) < 70_000


def test_every_sample_picture_has_its_recorded_answer(recorded: Recorded) -> None:
    for sample in recorded.samples:
        assert sample.answer is not None
        assert {"digit", "sum", "digit_confidence", "sum_confidence", "reliable", "reason"} <= set(sample.answer)
        assert sample.answer["number"] == sample.number
    assert len({sample.number for sample in recorded.samples}) == 10


def test_file_is_small(exported: Exported) -> None:
    assert references_path(exported.path).stat().st_size < 250_000


def test_two_exports_give_equal_references(exported: Exported, checkpoint_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "again.onnx"
    called = call(command, "--checkpoint", checkpoint_file, "--output", path, "--samples", SAMPLES)
    assert called.code == 0, called.err
    assert references_path(path).read_bytes() == references_path(exported.path).read_bytes()


def test_largest_weight_tensor_nudged_fails_inference_alone(
    exported: Exported, references: References, tmp_path: Path
) -> None:
    model = onnx.load_from_string(exported.content)
    largest = max(model.graph.initializer, key=lambda tensor: np.prod(tensor.dims))
    largest.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(largest) + np.float32(3e-3), largest.name))
    path = tmp_path / "nudged.onnx"
    path.write_bytes(model.SerializeToString())
    references_path(path).write_bytes(references.to_bytes())
    with pytest.raises(ModelError, match="another model"):
        read_recorded(open_model(path))
    rebound = replace(references, model_sha256=open_model(path).sha256())
    assert not verify_inference(open_model(path).session, rebound)
    samples = Recorded.of(rebound).samples
    assert verify_preparation(samples, prepare_samples(samples))


def test_preparation_off_by_one_pixel_fails_preparation_alone(
    exported: Exported, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shifted(grey: NDArray[np.uint8], name: str) -> PreparedPicture:
        prepared = prepare_picture(grey, name)
        return prepared._replace(field=np.roll(prepared.field, 1, axis=0))

    monkeypatch.setattr(samples_module, "prepare_picture", shifted)
    result = verify_preparation(recorded.samples, prepare_samples(recorded.samples))
    assert not any(picture.passed for picture in result.pictures)
    assert verify_inference(open_model(exported.path).session, recorded.references)


def test_references_that_do_not_verify_here_stop_the_export(
    exported: Exported,
    references: References,
    small_checkpoint_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moved = {name: output + np.float32(1e-3) for name, output in references.outputs.items()}
    wrong = Recording(Case(references.inputs, moved), references.labelled, rules=references.rules)
    with pytest.raises(WorkError, match="do not verify on this machine"):
        make_references(wrong, {}, exported.content)
    monkeypatch.setattr("mnistsum_export.network.export.with_samples", lambda *_: wrong)
    output = tmp_path / "model.onnx"
    output.write_bytes(b"old")
    references_path(output).write_bytes(b"old references")
    called = call(command, "--checkpoint", small_checkpoint_file, "--output", output, "--samples", SAMPLES)
    assert called.code == 1
    assert output.read_bytes() == b"old"
    assert references_path(output).read_bytes() == b"old references"
    assert len(list(tmp_path.iterdir())) == 2


def test_references_that_cannot_be_written_leave_the_old_model(small_checkpoint_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "model.onnx"
    output.write_bytes(b"old")
    references_path(output).mkdir()
    called = call(command, "--checkpoint", small_checkpoint_file, "--output", output, "--samples", SAMPLES)
    assert called.code == 1
    assert f"cannot write {references_path(output)}" in called.err
    assert output.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 2


def test_network_whose_answers_are_ties_is_told_so(network: TwoInputNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnistsum_export.network.references, "CANDIDATES_PER_DIGIT", 5)
    with pytest.raises(WorkError, match="is the network trained"):
        choose_references(load_mnist(train=False), network, torch_engine(network), FP32, 1e3)

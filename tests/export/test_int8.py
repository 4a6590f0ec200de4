"""int8: standard ONNX with the same contract, calibrated on training digits, and written only if it loses little."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto

import mnistsum_export.network.export_int8
import mnistsum_export.network.int8_receipt
import mnistsum_export.network.quantise
import mnistsum_export.network.references
from calling import call
from exporting import Exported
from mnistsum_export.cli import command
from mnistsum_export.network.export_int8 import INT8_TOLERANCE
from mnistsum_export.network.quantise import quantise
from mnistsum_export.proof.structure import check_structure
from mnistsum_export.proof.subject import Subject
from mnistsum_runtime import contract
from mnistsum_runtime.commands.verify import command as verify
from mnistsum_runtime.contract import INT8
from mnistsum_runtime.measure.recorded import read_recorded
from mnistsum_runtime.model import open_model
from mnistsum_runtime.proof.references import references_path
from mnistsum_train.data import Part, load_mnist
from mnistsum_train.network import TwoInputNetwork

TRAINED = Path(__file__).parents[2] / "artifacts" / "sum" / "checkpoint.safetensors"


def small_mnist(train: bool) -> Part:
    return load_mnist(train).first(360 if train else 500)


@contextmanager
def patched_for_few_digits() -> Iterator[None]:
    """An untrained network's export in seconds: few pictures, and any accuracy will do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mnistsum_export.network.export_int8, "load_mnist", small_mnist)
        patch.setattr(mnistsum_export.network.export_int8, "CALIBRATION_PICTURES", 100)
        patch.setattr(mnistsum_export.network.quantise, "CALIBRATION_PICTURES", 100)
        patch.setattr(mnistsum_export.network.int8_receipt, "_LATENCY_RUNS", 5)
        patch.setattr(mnistsum_export.network.references, "REAL_PER_DIGIT", 1)
        patch.setattr(mnistsum_export.network.int8_receipt, "MAX_DROP", 1.0)
        yield


@pytest.fixture
def few_digits() -> Iterator[None]:
    with patched_for_few_digits():
        yield


@pytest.fixture(scope="module")
def int8(checkpoint_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    path = tmp_path_factory.mktemp("int8") / "model.onnx"
    with patched_for_few_digits():
        called = call(command, "--precision", "int8", "--checkpoint", checkpoint_file, "--output", path, "--json")
    assert called.code == 0, called.err
    return Exported(path, path.read_bytes(), json.loads(called.out))


def test_file_is_standard_onnx_with_the_contract(int8: Exported, subject: Subject) -> None:
    assert {node.domain for node in int8.model.graph.node} <= {"", "ai.onnx"}
    assert "QuantizeLinear" in {node.op_type for node in int8.model.graph.node}
    check_structure(int8.model, subject.signature, 17)


def test_weights_are_signed_per_channel_and_within_seven_bits(int8: Exported, network: TwoInputNetwork) -> None:
    tensors = {tensor.name: tensor for tensor in int8.model.graph.initializer}
    weights = [tensor for tensor in tensors.values() if tensor.data_type == TensorProto.INT8 and len(tensor.dims) > 1]
    convolutions = sum(isinstance(module, torch.nn.Conv2d) for module in network.modules())
    assert len(weights) == convolutions + 2  # and the dense layer and the first of the gate; the heads stay float
    for tensor in weights:
        values = onnx.numpy_helper.to_array(tensor)
        assert -64 <= values.min() <= values.max() <= 64
    scales = [
        node.input[1] for node in int8.model.graph.node if node.input and node.input[0] in {w.name for w in weights}
    ]
    assert all(np.prod(tensors[scale].dims) > 1 for scale in scales)


def test_metadata_says_int8_and_the_accuracy_is_the_files_own(int8: Exported) -> None:
    assert set(int8.metadata) == {*contract.REQUIRED_METADATA, contract.META_PRECISION}
    assert int8.metadata[contract.META_PRECISION] == INT8
    receipt = json.loads(int8.metadata[contract.META_PARITY])
    assert receipt == int8.record["int8"]
    assert json.loads(int8.metadata[contract.META_ACCURACY])["both"] == receipt["test"]["int8_both"]
    assert receipt["validation"]["pairs"] == 300
    assert receipt["test"]["pairs"] == 5000


def test_json_record_has_both_sizes_and_latencies(int8: Exported) -> None:
    assert int8.record["precision"] == INT8
    assert int8.record["bytes"] == len(int8.content) <= 0.4 * int8.record["fp32_bytes"]
    assert set(int8.record["latency_us"]) == {"fp32", "int8"}


def test_nothing_of_the_machine_is_in_the_bytes(int8: Exported) -> None:
    assert b"/tmp" not in int8.content
    assert str(Path.home()).encode() not in int8.content


def test_second_export_gives_the_same_bytes(
    int8: Exported, few_digits: None, checkpoint_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "again.onnx"
    called = call(command, "--precision", "int8", "--checkpoint", checkpoint_file, "--output", path)
    assert called.code == 0, called.err
    assert "labels that differ" in called.out
    assert path.read_bytes() == int8.content
    assert references_path(path).read_bytes() == references_path(int8.path).read_bytes()


def test_references_are_the_files_own_answers_with_fp32s_labels_beside(int8: Exported) -> None:
    references = read_recorded(open_model(int8.path)).references
    assert references.precision == INT8
    assert {rule.tolerance for rule in references.rules.values()} == {INT8_TOLERANCE}
    called = call(verify, "--model", int8.path, "--json")
    assert called.code == 0
    outputs = json.loads(called.out)["inference"]["outputs"]
    assert all(output["labels_compared"] == references.labelled.sum() < len(references) for output in outputs)
    assert all(0 < output["labels_as_fp32"] <= output["labels_compared"] for output in outputs)


def test_calibration_sees_training_pictures_only(converted: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnistsum_export.network.quantise, "CALIBRATION_PICTURES", 50)
    seen = []
    reader = mnistsum_export.network.quantise._CalibrationReader

    def spy(part: Part) -> object:
        seen.append(part)
        return reader(part)

    monkeypatch.setattr(mnistsum_export.network.quantise, "_CalibrationReader", spy)
    training = load_mnist(train=True).first(60)
    quantise(converted, training)
    assert [len(part) for part in seen] == [50]
    assert seen[0].images.equal(training.images[:50])
    numbers = np.concatenate([batch["number"] for batch in iter(reader(training).get_next, None)])
    assert set(numbers.argmax(1)) == set(range(10))


def refused(checkpoint_file: Path, folder: Path) -> str:
    """The error of an export that must leave both old files."""
    output = folder / "model.onnx"
    output.write_bytes(b"old")
    references_path(output).write_bytes(b"old references")
    called = call(command, "--precision", "int8", "--checkpoint", checkpoint_file, "--output", output)
    assert (called.code, called.out) == (1, "")
    assert called.err.count("\n") == 1
    assert {path.read_bytes() for path in folder.iterdir()} == {b"old", b"old references"}
    return called.err


def test_drop_over_the_bound_is_exit_1(
    few_digits: None, checkpoint_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnistsum_export.network.int8_receipt, "MAX_DROP", -1.0)
    assert "points less right than fp32 on the validation part" in refused(checkpoint_file, tmp_path)


def test_file_over_the_bound_is_exit_1(
    few_digits: None, checkpoint_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnistsum_export.network.int8_receipt, "MAX_SIZE", 0.1)
    assert "at most 10% are allowed" in refused(checkpoint_file, tmp_path)


def test_engine_over_the_tolerance_is_exit_1(
    few_digits: None, checkpoint_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnistsum_export.network.export_int8, "INT8_TOLERANCE", 1e-6)
    assert "onnxruntime, as written does not give the recorded int8 answers" in refused(checkpoint_file, tmp_path)


def test_receipt_that_the_final_bytes_do_not_give_is_exit_1(
    few_digits: None, checkpoint_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify_engines = mnistsum_export.network.int8_receipt.verify_engines
    runs: list[int] = []

    def drifting(*arguments: object) -> object:
        runs.append(1)
        engines = verify_engines(*arguments)  # type: ignore[arg-type]
        return engines if len(runs) == 1 else engines[:1]

    monkeypatch.setattr(mnistsum_export.network.export_int8, "verify_engines", drifting)
    assert "the final bytes do not give what the receipt in them says" in refused(checkpoint_file, tmp_path)


@pytest.mark.parametrize("option", ["--tolerance", "--samples"])
def test_option_of_the_comparison_with_torch_is_exit_2(option: str, checkpoint_file: Path, tmp_path: Path) -> None:
    called = call(
        command, "--precision", "int8", option, 1, "--checkpoint", checkpoint_file, "--output", tmp_path / "m.onnx"
    )
    assert called.code == 2
    assert "--precision int8" in called.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("drop", "passes"), [(0.0005, True), (0.0006, False), (-0.01, True), (float("nan"), False)])
def test_gate_is_five_hundredths_of_a_point_on_the_validation_part(drop: float, passes: bool) -> None:
    part = SimpleNamespace(drop=drop)
    receipt = mnistsum_export.network.int8_receipt.Int8Receipt("sum", 1, part, part, ())  # type: ignore[arg-type]
    assert bool(receipt) is passes
    assert mnistsum_export.network.int8_receipt.MAX_SIZE == 0.4


@pytest.mark.slow
def test_trained_network_passes_every_gate(tmp_path: Path) -> None:
    output = tmp_path / "model.onnx"
    called = call(command, "--precision", "int8", "--checkpoint", TRAINED, "--output", output, "--json")
    assert called.code == 0, called.err
    record = json.loads(called.out)
    assert record["int8"]["validation"]["pairs"] == 50_000
    assert record["int8"]["test"]["pairs"] == 100_000
    assert record["bytes"] <= 0.4 * record["fp32_bytes"]
    assert read_recorded(open_model(output)).references.labelled.sum() >= 200

"""`mnistsum-export` writes a proven file or nothing, and says why in one line."""

import os
import resource
import subprocess
import sys
from dataclasses import replace
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

import onnx
import pytest
import torch

import mnistsum_export.cli
import mnistsum_export.proof.prove
import mnistsum_runtime.commands.options
import mnistsum_runtime.proof.limits
from calling import Called, assert_one_line, call
from exporting import SAMPLES
from mnistsum_export.cli import command
from mnistsum_export.proof.convert import TRACING, Conversion
from mnistsum_export.proof.parity import Parity, measure_parity
from mnistsum_train.checkpoint import Checkpoint, read_safetensors, write_safetensors
from mnistsum_train.data import mnist_files
from mnistsum_train.network import TwoInputNetwork

OLD = b"the file that stood there before"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A folder with an older file in it."""
    folder = tmp_path / "output"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(OLD)
    return folder / "model.onnx"


def export_to(output: Path, checkpoint: Path, *options: object) -> Called:
    return call(command, "--checkpoint", checkpoint, "--output", output, "--samples", 1, *options)


def assert_untouched(output: Path) -> None:
    assert [file.name for file in output.parent.iterdir()] == [output.name]
    assert output.read_bytes() == OLD


@pytest.mark.parametrize(
    "options",
    [
        ("--opset", "seventeen"),
        ("--opset", "17.5"),
        ("--tolerance", "0"),
        ("--tolerance", "-1"),
        ("--tolerance", "nan"),
        ("--tolerance", "inf"),
        ("--samples", "0"),
        ("--samples", "10001"),
        ("--nonsense",),
        ("something",),
    ],
    ids=" ".join,
)
def test_wrong_option_is_exit_2_and_one_line(
    output: Path, small_checkpoint_file: Path, options: tuple[str, ...]
) -> None:
    assert_one_line(export_to(output, small_checkpoint_file, *options), 2, "mnistsum-export: ")
    assert_untouched(output)


@pytest.mark.parametrize("module", ["torch", "onnx", "onnxruntime"])
def test_missing_extra_is_named(
    module: str, monkeypatch: pytest.MonkeyPatch, output: Path, small_checkpoint_file: Path
) -> None:
    def without(name: str) -> ModuleSpec | None:
        return None if name == module else find_spec(name)

    monkeypatch.setattr(mnistsum_runtime.commands.options, "find_spec", without)
    called = export_to(output, small_checkpoint_file)
    assert_one_line(called, 2, f"{module} not installed", "pip install 'mnistsum[export]'")


def test_command_itself_needs_no_extra() -> None:
    """What is imported before the extra is looked for must not need it."""
    code = "import sys, mnistsum_export.cli; print({'torch', 'onnx', 'safetensors'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_no_checkpoint_outside_a_checkout_is_exit_2(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(mnistsum_export.cli, "SHIPPED_CHECKPOINT", tmp_path / "none")
    assert_one_line(call(command, "--output", tmp_path / "m.onnx"), 2, "no --checkpoint given")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def drop_tensor(path: Path) -> None:
    tensors, description = read_safetensors(path)
    del tensors["value_head.bias"], description["tensors_sha256"]
    write_safetensors(path, tensors, description)


def reshape_tensor(path: Path) -> None:
    tensors, description = read_safetensors(path)
    del description["tensors_sha256"]
    write_safetensors(path, tensors | {"value_head.bias": torch.zeros(18)}, description)


def pickle(path: Path) -> None:
    weights = Checkpoint.load(path).network.state_dict()
    torch.save(weights, path)


@pytest.mark.parametrize("damage", [flip, truncate, drop_tensor, reshape_tensor, pickle, Path.unlink])
def test_checkpoint_that_is_no_good_is_exit_3(
    output: Path, small_network: TwoInputNetwork, tmp_path: Path, damage: "object"
) -> None:
    path = tmp_path / "checkpoint.safetensors"
    Checkpoint(small_network).save(path)
    assert callable(damage)
    damage(path)
    assert_one_line(export_to(output, path), 3, str(path), "mnistsum-train")
    assert_untouched(output)


@pytest.mark.parametrize("name", ["the same", "a hard link", "a symbolic link", "over another folder"])
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_checkpoint_is_not_written_over(
    small_network: TwoInputNetwork, tmp_path: Path, name: str, precision: str
) -> None:
    path = tmp_path / "checkpoint.safetensors"
    Checkpoint(small_network).save(path)
    output = tmp_path / "other.onnx"
    if name == "a hard link":
        output.hardlink_to(path)
    elif name == "a symbolic link":
        output.symlink_to(path)
    else:
        output = path if name == "the same" else tmp_path / ".." / tmp_path.name / path.name
    before = path.read_bytes()
    called = call(command, "--checkpoint", path, "--output", output, "--precision", precision)
    assert_one_line(called, 2, "which is read as")
    assert path.read_bytes() == output.read_bytes() == before


def test_checkpoint_is_not_written_over_by_the_references(small_network: TwoInputNetwork, tmp_path: Path) -> None:
    path = tmp_path / "model.references.npz"
    Checkpoint(small_network).save(path)
    before = path.read_bytes()
    assert_one_line(export_to(tmp_path / "model.onnx", path), 2, "which is read as")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == before


def test_mnist_is_not_written_over(small_checkpoint_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "model.onnx"
    output.symlink_to(next(path for path in mnist_files() if path.suffix == ".gz"))
    assert_one_line(export_to(output, small_checkpoint_file), 2, "which is read as")
    assert output.is_symlink()


@pytest.mark.parametrize(
    "change",
    [
        {"digit_temperature": 0.0},
        {"digit_temperature": -1.0},
        {"value_temperature": "warm"},
        {"least_confidence": 7},
        {"another": 1},
    ],
    ids=str,
)
def test_calibration_that_a_device_would_refuse_is_exit_3(
    output: Path, small_network: TwoInputNetwork, tmp_path: Path, change: dict[str, object]
) -> None:
    path = tmp_path / "checkpoint.safetensors"
    calibration = {"digit_temperature": 1.0, "value_temperature": 1.0, "least_confidence": 0.5} | change
    Checkpoint(small_network, {"calibration": calibration}).save(path)
    assert_one_line(export_to(output, path), 3, str(path), "mnistsum-train")
    assert_untouched(output)


def test_pipe_as_checkpoint_is_exit_3(output: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "checkpoint.safetensors")
    assert_one_line(export_to(output, tmp_path / "checkpoint.safetensors"), 3, "not a file")
    assert_untouched(output)


def test_final_bytes_that_a_device_would_refuse_are_not_written(
    output: Path, small_checkpoint_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnistsum_runtime.proof.limits, "MAX_ELEMENTS", 100)
    assert_one_line(export_to(output, small_checkpoint_file), 1, "a device would refuse the file")
    assert_untouched(output)


def test_parity_not_reached_is_exit_1_and_the_old_file_stands(output: Path, small_checkpoint_file: Path) -> None:
    called = export_to(output, small_checkpoint_file, "--tolerance", "1e-12")
    assert_one_line(called, 1, "parity not reached", "tolerance 1e-12", "nothing was written")
    assert_untouched(output)


def test_receipt_that_the_final_bytes_do_not_give_is_exit_1(
    output: Path, small_checkpoint_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second measurement is not a formality: any difference from the first stops the export."""
    measured: list[Parity] = []

    def drifting(*arguments: object) -> Parity:
        parity = measure_parity(*arguments)  # type: ignore[arg-type]
        measured.append(replace(parity, rows=parity.rows + len(measured)))
        return measured[-1]

    monkeypatch.setattr(mnistsum_export.proof.prove, "measure_parity", drifting)
    assert_one_line(
        export_to(output, small_checkpoint_file), 1, "the final bytes do not give what the receipt in them says"
    )
    assert len(measured) == 2
    assert_untouched(output)


def test_converter_that_keeps_another_opset_is_exit_1(
    output: Path, small_checkpoint_file: Path, converted: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeps_17 = [lambda *_: Conversion(converted, TRACING)]
    monkeypatch.setattr(mnistsum_export.proof.prove, "exporters", lambda: keeps_17)
    assert_one_line(export_to(output, small_checkpoint_file, "--opset", 13), 1, "has opsets [('', 17)]")
    assert_untouched(output)


@pytest.mark.parametrize("place", ["missing/model.onnx", "output/model.onnx/below", "output"])
def test_place_that_cannot_be_written_is_exit_1(
    output: Path, small_checkpoint_file: Path, tmp_path: Path, place: str
) -> None:
    called = export_to(tmp_path / place, small_checkpoint_file)
    assert_one_line(called, 1, f"cannot write {tmp_path / place}: ")
    assert_untouched(output)
    assert [path.name for path in tmp_path.iterdir()] == ["output"]


def test_current_folder_as_output_is_exit_1(
    small_checkpoint_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_one_line(export_to(Path(), small_checkpoint_file), 1, "cannot write .: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_full_disk_is_exit_1_and_the_old_file_stands(output: Path, checkpoint_file: Path) -> None:
    options = ["--checkpoint", str(checkpoint_file), "--output", str(output), "--samples", str(SAMPLES)]
    done = subprocess.run(
        [sys.executable, "-c", "from mnistsum_export.cli import main; main()", *options],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
    )
    called = Called(done.returncode, done.stdout, done.stderr)
    assert_one_line(called, 1, f"cannot write {output}: File too large")
    assert_untouched(output)

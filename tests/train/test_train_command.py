"""`mnistsum-train` refuses in one line what it cannot do, before it begins."""

import subprocess
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

import mnistsum_runtime.commands.options
from calling import assert_one_line, call
from mnistsum_train.cli import command


@pytest.mark.parametrize(
    "arguments",
    [
        ("--epochs", "0"),
        ("--epochs", "many"),
        ("--batch-size", "1"),
        ("--lr", "0"),
        ("--lr", "-0.1"),
        ("--lr", "nan"),
        ("--lr", "inf"),
        ("--seed", "-1"),
        ("--operation", "quotient"),
        ("--device", "tpu"),
        ("--limit", "1"),
        ("--resume", "--overwrite"),
        ("--nonsense",),
        ("something",),
    ],
    ids=" ".join,
)
def test_wrong_option_is_exit_2_and_one_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert_one_line(call(command, "--out", tmp_path / "out", *arguments), 2, "mnistsum-train: ")
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_that_is_not_there_is_exit_2(tmp_path: Path) -> None:
    assert_one_line(call(command, "--out", tmp_path / "out", "--device", "cuda"), 2, "sees no CUDA device")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("module", ["torch", "torchvision", "safetensors", "matplotlib", "tqdm"])
def test_missing_extra_is_named(module: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def without(name: str) -> ModuleSpec | None:
        return None if name == module else find_spec(name)

    monkeypatch.setattr(mnistsum_runtime.commands.options, "find_spec", without)
    called = call(command, "--out", tmp_path / "out")
    assert_one_line(called, 2, f"{module} not installed", "pip install 'mnistsum[train]'")


def test_command_itself_needs_no_extra() -> None:
    """What is imported before the extra is looked for must not need it."""
    code = "import sys, mnistsum_train.cli; print({'torch', 'torchvision', 'safetensors', 'tqdm'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("place", ["file", "file/below", "file/below/further"])
def test_file_in_the_way_of_the_output_folder_is_exit_1(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("precious")
    assert_one_line(call(command, "--out", tmp_path / place), 1, "cannot make the output folder", place)
    assert (tmp_path / "file").read_text() == "precious"


def test_version_goes_to_standard_output() -> None:
    called = call(command, "--version")
    assert (called.code, called.err) == (0, "")
    assert "mnistsum-train" in called.out


def test_no_default_points_into_the_artefacts() -> None:
    """A trial run can never overwrite a shipped file."""
    called = call(command, "--help")
    assert "runs/<operation>" in called.out
    assert "artifacts" not in called.out

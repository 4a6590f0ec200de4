"""What a whole run leaves behind, also one that was killed, one that is refused and one for which the disk is full."""

import json
import math
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Never

import pytest
import torch
from PIL import Image

import mnistsum_train.run
import small_training
from calling import Called, assert_one_line, call
from mnistsum_train.checkpoint import Checkpoint, read_safetensors, write_safetensors
from mnistsum_train.cli import command
from mnistsum_train.data import Part
from mnistsum_train.ensemble import member_folders, run_ensemble
from mnistsum_train.network import TwoInputNetwork
from mnistsum_train.progress import Progress
from mnistsum_train.recipe import Recipe
from mnistsum_train.results import sole_training
from mnistsum_train.run import Setup
from small_training import EPOCHS, OPTIONS, TEST_PICTURES, call_small_training

pytestmark = pytest.mark.slow

PICTURES = {
    "learning_curves.png",
    "confusion_digit.png",
    "confusion_sum.png",
    "worst_mistakes.png",
    "risk_over_coverage.png",
}
FILES = {"checkpoint.safetensors", "metrics.jsonl", "report.json", "state.safetensors"} | PICTURES


@pytest.fixture(scope="module")
def quick_look(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Called]:
    """One epoch on a few hundred pictures as a user would do it: validated and tested on all there is."""
    out = tmp_path_factory.mktemp("quick") / "out"
    called = call(command, "--out", out, "--limit", 256, "--epochs", 1, "--device", "cpu")
    assert called.code == 0, called.err
    return out, called


def metrics(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def comparable(out: Path) -> list[dict[str, float]]:
    return [line | {"seconds": 0} for line in metrics(out)]


def all_numbers(value: object) -> list[float]:
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return [number for part in parts for number in all_numbers(part)]
    return [float(value)] if isinstance(value, int | float) else []


def test_folder_has_the_promised_files_and_no_others(finished: Path) -> None:
    assert {file.name for file in finished.iterdir()} == FILES


def test_pictures_open(finished: Path) -> None:
    for name in PICTURES:
        with Image.open(finished / name) as picture:
            picture.load()
            assert picture.format == "PNG"
            assert min(picture.size) > 300


def test_metrics_have_a_line_for_each_epoch(finished: Path) -> None:
    lines = metrics(finished)
    assert [line["epoch"] for line in lines] == list(range(1, EPOCHS + 1))
    assert lines[-1]["digit_loss"] < lines[0]["digit_loss"]
    for line in lines:
        assert 0 <= line["validation_both"] <= min(line["validation_digit"], line["validation_value"]) <= 1


def test_checkpoint_says_of_itself_what_the_report_says(finished: Path) -> None:
    report = json.loads((finished / "report.json").read_text())
    facts = Checkpoint.load(finished / "checkpoint.safetensors").facts
    assert facts["recipe"] == report["recipe"]
    assert facts["versions"] == report["versions"]
    assert facts["accuracy"] == {
        "pairs": TEST_PICTURES * 10,
        "digit": report["test"]["digit"],
        "sum": report["test"]["value"],
        "both": report["test"]["both"],
        "heads_agree": report["test"]["agree"],
    }


def test_report_is_over_100_000_pairs_and_consistent(quick_look: tuple[Path, Called]) -> None:
    out, _ = quick_look
    report = json.loads((out / "report.json").read_text())
    test = report["test"]
    assert test["pairs"] == 100_000
    assert len(test["per_digit"]) == len(test["per_number"]) == 10
    assert sum(test["per_number"]) / 10 == pytest.approx(test["both"])
    assert min(test["per_digit"]) <= test["both"] <= max(test["per_digit"])
    assert test["both"] <= min(test["digit"], test["value"])
    assert report["last_epoch"] == metrics(out)[-1]
    assert report["training_images"] == 256
    assert report["training_seconds"] == round(metrics(out)[0]["seconds"], 1)
    network = Checkpoint.load(out / "checkpoint.safetensors").network
    assert report["parameters"] == network.parameter_count() == TwoInputNetwork(network.operation).parameter_count()
    assert all(math.isfinite(number) for number in all_numbers(report))


def test_terminal_gets_the_table_and_nothing_else_on_standard_output(quick_look: tuple[Path, Called]) -> None:
    out, called = quick_look
    test = json.loads((out / "report.json").read_text())["test"]
    assert called.out.startswith("100,000 test pairs\n")
    assert f"{100 * test['digit']:.2f} %" in called.out
    assert f"{100 * test['value']:.2f} %" in called.out
    assert "sum: 256 pictures, 1 epochs" in called.err
    assert called.err.count("epoch 1/1: loss") == 1
    assert "\r" not in called.err  # no progress bar where there is no terminal
    stages = ["gate: pictures of no digit", "gate: training", "calibration", "test", "pictures"]
    assert called.err.splitlines()[2:-1] == stages, "what is done after the last epoch has names"


def test_killed_run_resumes_to_the_same_weights_bit_for_bit(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, small_training.__file__, "--out", str(out), *OPTIONS], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    with process.stderr:
        for line in process.stderr:
            if line.startswith("epoch 1/"):
                process.kill()
                break
    assert process.wait() == -signal.SIGKILL
    assert not (out / "checkpoint.safetensors").exists()
    assert 1 <= len(metrics(out)) < EPOCHS

    resumed = call_small_training("--out", out, *OPTIONS, "--resume")
    assert resumed.code == 0, resumed.err
    assert "epoch 1/" not in resumed.err
    assert f"epoch {EPOCHS}/{EPOCHS}: " in resumed.err
    assert (out / "checkpoint.safetensors").read_bytes() == (finished / "checkpoint.safetensors").read_bytes()
    assert comparable(out) == comparable(finished)
    assert {file.name for file in out.iterdir()} == FILES


def test_resuming_with_another_seed_is_exit_2_and_changes_nothing(finished: Path) -> None:
    before = {file.name: file.read_bytes() for file in finished.iterdir()}
    called = call_small_training("--out", finished, *OPTIONS, "--seed", "8", "--resume")
    assert called.code == 2
    assert called.err.splitlines()[-1].startswith("mnistsum-train: ")
    assert "was left by other options (seed 7 -> 8): use the same options with --resume" in called.err.splitlines()[-1]
    assert {file.name: file.read_bytes() for file in finished.iterdir()} == before


def test_resuming_a_finished_run_trains_no_more(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    called = call_small_training("--out", out, *OPTIONS, "--resume")
    assert called.code == 0, called.err
    assert "epoch" not in called.err.partition("\n")[2]
    for name in ("checkpoint.safetensors", "metrics.jsonl"):
        assert (out / name).read_bytes() == (finished / name).read_bytes()


def test_a_finished_run_is_not_written_over_without_a_word(finished: Path) -> None:
    before = {file.name: file.read_bytes() for file in finished.iterdir()}
    called = call_small_training("--out", finished, *OPTIONS)
    assert_one_line(called, 2, f"{finished} holds a finished training", "--resume", "--overwrite")
    assert {file.name: file.read_bytes() for file in finished.iterdir()} == before


def test_overwriting_begins_again(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    called = call_small_training("--out", out, *OPTIONS, "--epochs", 1, "--overwrite")
    assert called.code == 0, called.err
    assert "epoch 1/1: " in called.err
    assert len(metrics(out)) == 1
    assert {file.name for file in out.iterdir()} == FILES


def test_ctrl_c_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> Never:
        raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "epoch", interrupt)
    called = call_small_training("--out", tmp_path, *OPTIONS)
    assert (called.code, called.out) == (130, "")
    assert called.err.splitlines()[1:] == ["mnistsum-train: interrupted: go on with --resume"]
    assert (tmp_path / "state.safetensors").exists()


def test_full_disk_is_told_before_the_first_epoch_and_the_old_files_stand(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    done = subprocess.run(
        [sys.executable, small_training.__file__, "--out", str(out), *OPTIONS, "--overwrite"],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"mnistsum-train: cannot write {out / '.writable'}: File too large\n"
    assert {file.name for file in out.iterdir()} == FILES
    for file in finished.iterdir():
        assert (out / file.name).read_bytes() == file.read_bytes()


def test_a_second_training_in_one_folder_is_refused(tmp_path: Path) -> None:
    with sole_training(tmp_path):
        called = call_small_training("--out", tmp_path, *OPTIONS)
        assert called.code == 2
        assert called.err == f"mnistsum-train: another training writes to {tmp_path}: " + (
            "wait until it is done, or name another --out\n"
        )
    assert list(tmp_path.iterdir()) == []


def test_a_training_in_a_member_s_folder_is_refused_while_its_ensemble_runs(
    tmp_path: Path, few: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing: Callable[..., None] = lambda *_: None  # noqa: E731
    setup = Setup(few, few, few, torch.device("cpu"), False, nothing, nothing, nothing)
    refused: list[str] = []

    def train_network(*_: object) -> Never:
        refused.append(call_small_training("--out", tmp_path / "member-0", *OPTIONS).err)
        raise KeyboardInterrupt

    monkeypatch.setattr(mnistsum_train.run, "train_network", train_network)
    with pytest.raises(KeyboardInterrupt):
        run_ensemble(Recipe(), member_folders(Recipe(), 2, tmp_path), tmp_path, setup)
    assert len(refused) == 1
    assert "another training writes to" in refused[0]


def test_what_a_killed_training_has_locked_is_free_again(tmp_path: Path) -> None:
    script = (
        "import sys, os, signal; from pathlib import Path; from mnistsum_train.results import sole_training\n"
        "with sole_training(Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert [file.name for file in tmp_path.iterdir()] == [".training"]
    with sole_training(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


DAMAGE: dict[str, Callable[[dict[str, torch.Tensor], dict[str, Any]], object]] = {
    "no network": lambda tensors, _: [tensors.pop(name) for name in list(tensors) if name.startswith("network.")],
    "a tensor of another group": lambda tensors, _: tensors.update({"other.a": torch.zeros(1)}),
    "another shape": lambda tensors, _: tensors.update({"network.blocks.0.0.weight": torch.zeros(1)}),
    "whole numbers": lambda tensors, _: tensors.update(
        {name: tensor.to(torch.int32) for name, tensor in tensors.items() if name.startswith("average.")}
    ),
    "no moments": lambda tensors, _: [tensors.pop(name) for name in list(tensors) if name.startswith("optimizer.")],
    "half of the moments": lambda tensors, _: tensors.pop("optimizer.0.exp_avg"),
    "a moment of no weight": lambda tensors, _: tensors.update({"optimizer.9999.step": torch.zeros(())}),
    "a moment of no number": lambda tensors, _: tensors.update({"optimizer.x.step": torch.zeros(())}),
    "a moment of another shape": lambda tensors, _: tensors.update({"optimizer.0.exp_avg": torch.zeros(2, 2)}),
    "a moment that is one number": lambda tensors, _: tensors.update({"optimizer.0.exp_avg": torch.zeros(())}),
    "no moments of one weight": lambda tensors, _: [
        tensors.pop(name) for name in list(tensors) if name.startswith("optimizer.0.")
    ],
    "a weight that is no number": lambda tensors, _: next(
        tensor for name, tensor in tensors.items() if name.startswith("network.") and tensor.is_floating_point()
    ).fill_(math.nan),
    "no history": lambda _, description: description.pop("history"),
    "a history that is text": lambda _, description: description.update(history="all went well"),
    "a history of other fields": lambda _, description: description.update(history=[{"epoch": 1}]),
    "an empty history": lambda _, description: description.update(history=[]),
    "a history of texts": lambda _, description: description["history"][0].update(digit_loss="low"),
    "a history longer than the recipe": lambda _, description: description["history"].append(
        description["history"][-1] | {"epoch": EPOCHS + 1}
    ),
    "a history with a gap": lambda _, description: description["history"][0].update(epoch=2),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_state_is_exit_3_and_one_line(
    finished: Path, tmp_path: Path, damage: Callable[[dict[str, torch.Tensor], dict[str, Any]], object]
) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    tensors, description = read_safetensors(out / "state.safetensors")
    damage(tensors, description)
    del description["format"], description["tensors_sha256"]
    write_safetensors(out / "state.safetensors", tensors, description)
    called = call_small_training("--out", out, *OPTIONS, "--resume")
    assert (called.code, called.out) == (3, ""), called.err
    assert called.err.splitlines()[-1].startswith(f"mnistsum-train: {out / 'state.safetensors'} is damaged (")
    assert "Traceback" not in called.err


def test_product_is_trained_the_same_way(tmp_path: Path) -> None:
    out = tmp_path / "out"
    called = call_small_training("--out", out, "--operation", "product", "--epochs", 1, "--limit", 100)
    assert called.code == 0, called.err
    assert {file.name for file in out.iterdir()} == FILES - {"confusion_sum.png"} | {"confusion_product.png"}
    network = Checkpoint.load(out / "checkpoint.safetensors").network
    assert network.operation.name == "product"
    assert "product right" in called.out

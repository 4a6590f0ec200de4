"""Several networks that answer together: what they answer, how they are trained, and that nothing of it is lost."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mnistsum_runtime.operations import SUM
from mnistsum_train.checkpoint import Checkpoint
from mnistsum_train.ensemble import member_recipes
from mnistsum_train.evaluation import answer_all_pairs
from mnistsum_train.network import Ensemble, TwoInputNetwork
from mnistsum_train.presets import PRESETS, Preset
from mnistsum_train.recipe import Architecture, Recipe
from mnistsum_train.tensors import tensor_hash
from small_training import EPOCHS, OPTIONS, call_small_training

SMALL = Architecture((4, 6, 8), dense=16, gate=3)
MEMBERS = 2


@pytest.fixture
def together() -> Ensemble:
    torch.manual_seed(0)
    return Ensemble([TwoInputNetwork(SUM, SMALL) for _ in range(3)]).eval()


@torch.no_grad()
def test_answer_is_the_mean_of_the_members_logits(together: Ensemble) -> None:
    image, number = torch.rand(5, 1, 28, 28), torch.eye(10)[:5]
    each = [member(image, number) for member in together.members]
    for index, logits in enumerate(together(image, number)):
        torch.testing.assert_close(logits, torch.stack([answer[index] for answer in each]).mean(0))
        assert not torch.equal(logits, each[0][index])


@torch.no_grad()
def test_one_pass_of_the_convolutions_serves_all_numbers(together: Ensemble) -> None:
    images = torch.randint(256, (4, 1, 28, 28), dtype=torch.uint8)
    answers = answer_all_pairs(together, images)
    for number in range(10):
        digit, value = together(images / 255, torch.eye(10)[[number] * 4])
        torch.testing.assert_close(answers.digit[:, number], digit)
        torch.testing.assert_close(answers.value[:, number], value)


def test_checkpoint_comes_back_as_it_was(together: Ensemble, tmp_path: Path) -> None:
    Checkpoint(together, {"seed": 3}).save(tmp_path / "c.safetensors")
    loaded = Checkpoint.load(tmp_path / "c.safetensors")
    assert isinstance(loaded.network, Ensemble)
    assert loaded.facts == {"seed": 3}
    assert tensor_hash(loaded.network.state_dict()) == tensor_hash(together.state_dict())
    image, number = torch.rand(2, 1, 28, 28), torch.eye(10)[:2]
    assert torch.equal(loaded.network(image, number)[1], together(image, number)[1])


def small_preset() -> Preset:
    return Preset("large", "highest accuracy", Recipe(architecture=SMALL), members=MEMBERS)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output folder of a small training of two members, with the seed 7."""
    out = tmp_path_factory.mktemp("ensemble")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "large", small_preset())
        called = call_small_training("--preset", "large", "--out", out, *OPTIONS)
    assert called.code == 0, called.err
    assert [line for line in called.err.splitlines() if "batches" in line] == [
        f"sum: 275 pictures, {EPOCHS} epochs, batches of 64, seed {seed}" for seed in (14, 15)
    ]
    return out


def test_members_are_what_their_own_folders_hold(trained: Path) -> None:
    network = Checkpoint.load(trained / "checkpoint.safetensors").network
    assert isinstance(network, Ensemble)
    alone = [Checkpoint.load(trained / f"member-{seed}" / "checkpoint.safetensors").network for seed in (14, 15)]
    hashes = [tensor_hash(member.state_dict()) for member in alone]
    assert [tensor_hash(member.state_dict()) for member in network.members] == hashes
    assert len(set(hashes)) == MEMBERS


def test_report_is_of_all_members(trained: Path) -> None:
    report = json.loads((trained / "report.json").read_text())
    members = [json.loads((trained / f"member-{seed}" / "report.json").read_text()) for seed in (14, 15)]
    assert report["members"] == MEMBERS
    assert report["recipe"]["seed"] == 7
    assert report["parameters"] == sum(member["parameters"] for member in members)
    assert report["training_seconds"] == pytest.approx(sum(member["training_seconds"] for member in members), abs=0.2)
    epochs = [json.loads(line)["epoch"] for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert epochs == 2 * list(range(1, EPOCHS + 1))


def test_interrupted_training_ends_with_the_same_weights(trained: Path, tmp_path: Path) -> None:
    """The first member was finished, the second not begun."""
    shutil.copytree(trained / "member-14", tmp_path / "member-14")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "large", small_preset())
        called = call_small_training("--preset", "large", "--resume", "--out", tmp_path, *OPTIONS)
    assert called.code == 0, called.err
    assert called.err.count("epoch ") == EPOCHS, "the first member is not trained again"
    hashes = {
        tensor_hash(Checkpoint.load(folder / "checkpoint.safetensors").network.state_dict())
        for folder in (trained, tmp_path)
    }
    assert len(hashes) == 1


def test_seeds_have_no_member_in_common() -> None:
    seeds = [part.seed for seed in range(3) for part in member_recipes(replace(Recipe(), seed=seed), 5)]
    assert seeds == list(range(15))

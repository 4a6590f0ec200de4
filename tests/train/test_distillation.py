"""A network with a teacher learns the teacher's answers, and can be interrupted as any other."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mnistsum_train.checkpoint import Checkpoint
from mnistsum_train.data import Part, epoch_generator
from mnistsum_train.presets import NANO
from mnistsum_train.recipe import Architecture, Recipe
from mnistsum_train.results import STATE_FILE, TEACHER_STATE_FILE
from mnistsum_train.tensors import tensor_hash
from mnistsum_train.training import distillation_loss, new_trainer, train_step
from small_training import OPTIONS, call_small_training

CPU = torch.device("cpu")
RECIPE = Recipe(architecture=Architecture((4, 6, 8), dense=16, gate=3))


def test_loss_is_least_where_the_answers_are_the_teachers() -> None:
    taught = torch.tensor([[4.0, -1.0, 0.5], [0.0, 2.0, 1.0]])
    logits = taught.clone().requires_grad_()
    loss = distillation_loss(logits, taught)
    (slope,) = torch.autograd.grad(loss, logits)
    assert slope.abs().max() < 1e-6
    assert distillation_loss(taught + torch.tensor([0.5, 0, 0]), taught) > loss


def test_loss_does_not_depend_on_a_constant_added_to_the_logits() -> None:
    logits, taught = torch.randn(2, 5, 19, generator=torch.Generator().manual_seed(0))
    assert distillation_loss(logits + 3, taught - 2) == pytest.approx(
        float(distillation_loss(logits, taught)), rel=1e-5
    )


@pytest.mark.parametrize("taught", [True, False], ids=["teacher", "labels"])
def test_labels_teach_only_where_there_is_no_teacher(few: Part, taught: bool) -> None:
    def losses(labels: torch.Tensor) -> tuple[float, float]:
        trainer = new_trainer(RECIPE, CPU)
        if taught:
            trainer.teacher = new_trainer(replace(RECIPE, seed=1), CPU).network.eval()
        seen = train_step(trainer, RECIPE, few.images.float() / 255, labels, epoch_generator(0, 1))
        return seen.digit_loss, seen.value_loss

    assert (losses(few.labels) == losses(few.labels.flip(0))) is taught


def test_teacher_does_not_move(few: Part) -> None:
    trainer = new_trainer(RECIPE, CPU)
    teacher = trainer.teacher = new_trainer(replace(RECIPE, seed=1), CPU).network.eval()
    before = tensor_hash(teacher.state_dict())
    train_step(trainer, RECIPE, few.images.float() / 255, few.labels, epoch_generator(0, 1))
    assert tensor_hash(teacher.state_dict()) == before
    assert all(weight.grad is None for weight in teacher.parameters())


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output folder of a small training with a teacher."""
    out = tmp_path_factory.mktemp("taught")
    called = call_small_training("--preset", "nano", "--out", out, *OPTIONS)
    assert called.code == 0, called.err
    assert NANO.recipe.teacher is not None
    assert re.search(rf"^the teacher, sum: \d+ pictures, {NANO.recipe.teacher.epochs} epochs", called.err)
    return out


@pytest.mark.parametrize("left", [(TEACHER_STATE_FILE,), (TEACHER_STATE_FILE, STATE_FILE)], ids=["teacher", "both"])
def test_resumed_training_ends_with_the_same_weights(taught: Path, tmp_path: Path, left: tuple[str, ...]) -> None:
    for name in left:
        shutil.copy(taught / name, tmp_path / name)
    called = call_small_training("--preset", "nano", "--resume", "--out", tmp_path, *OPTIONS)
    assert called.code == 0, called.err
    hashes = {
        tensor_hash(Checkpoint.load(folder / "checkpoint.safetensors").network.state_dict())
        for folder in (taught, tmp_path)
    }
    assert len(hashes) == 1

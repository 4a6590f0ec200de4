"""The training loop on a handful of pictures: schedule, average, repeatability, resumption."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

import mnistsum_train.training
from mnistsum_runtime.errors import CallError, ModelError, WorkError
from mnistsum_runtime.operations import OPERATIONS, SUM, Operation
from mnistsum_train.augmentation import strength_at
from mnistsum_train.data import Part, draw_numbers, epoch_generator
from mnistsum_train.network import TwoInputNetwork
from mnistsum_train.recipe import Recipe
from mnistsum_train.training import (
    EpochMetrics,
    StepMetrics,
    Trainer,
    new_trainer,
    one_cycle,
    run_epoch,
    train,
    train_step,
    update_average,
)

CPU = torch.device("cpu")
RECIPE = Recipe(epochs=3, batch_size=16, seed=5)


class Interrupted(Exception):  # noqa: N818
    """Stands for anything that ends a training early."""


def ignore(*arguments: object) -> None:
    pass


def train_few(
    recipe: Recipe, pictures: Part, state_file: Path, *, resume: bool = False, stop_after: int | None = None
) -> tuple[TwoInputNetwork, list[EpochMetrics]]:
    """Train on 48 pictures, validate on 16."""

    def on_epoch(history: list[EpochMetrics]) -> None:
        if len(history) == stop_after:
            raise Interrupted

    training = Part(pictures.images[:48], pictures.labels[:48])
    validation = Part(pictures.images[48:], pictures.labels[48:])
    return train(recipe, training, validation, CPU, state_file, resume=resume, on_step=ignore, on_epoch=on_epoch)


def same_weights(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def uninterrupted(few: Part, tmp_path_factory: pytest.TempPathFactory) -> tuple[TwoInputNetwork, list[EpochMetrics]]:
    return train_few(RECIPE, few, tmp_path_factory.mktemp("state") / "state.safetensors")


def test_one_cycle_starts_at_a_25th_peaks_after_the_warm_up_and_ends_at_0() -> None:
    assert one_cycle(0, peak=0.5, warm_up=0.25) == pytest.approx(0.02)
    assert one_cycle(0.125, peak=0.5, warm_up=0.25) == pytest.approx(0.26)
    assert one_cycle(0.25, peak=0.5, warm_up=0.25) == pytest.approx(0.5)
    assert one_cycle(0.625, peak=0.5, warm_up=0.25) == pytest.approx(0.25)
    assert one_cycle(1, peak=0.5, warm_up=0.25) == pytest.approx(0, abs=1e-12)


def test_one_cycle_rises_and_falls_without_a_jump() -> None:
    rates = [one_cycle(i / 1000, 1, 0.25) for i in range(1001)]
    assert rates[:251] == sorted(rates[:251])
    assert rates[250:] == sorted(rates[250:], reverse=True)
    assert max(abs(b - a) for a, b in pairwise(rates)) < 0.01


def test_learning_rate_follows_one_cycle_over_all_epochs(few: Part) -> None:
    trainer = new_trainer(RECIPE, CPU)
    rates = []

    def on_step(step: int, steps: int, metrics: StepMetrics) -> None:
        rates.append(trainer.optimizer.param_groups[0]["lr"])

    for epoch in (1, 2, 3):
        run_epoch(trainer, RECIPE, few, epoch, on_step)
    assert rates == [one_cycle(step / 12, RECIPE.learning_rate, RECIPE.warm_up) for step in range(12)]


def test_average_moves_by_its_decay_and_leaves_counters_alone() -> None:
    network, average = TwoInputNetwork(SUM), TwoInputNetwork(SUM)
    with torch.no_grad():
        for tensor in average.state_dict().values():
            tensor.fill_(0)
        for tensor in network.state_dict().values():
            tensor.fill_(1)
    trainer = Trainer(network, average, torch.optim.AdamW(network.parameters()), [])
    update_average(trainer, 0.9)
    update_average(trainer, 0.5)
    for name, tensor in average.state_dict().items():
        expected = 0.55 if tensor.is_floating_point() else 0
        assert torch.allclose(tensor, torch.tensor(expected, dtype=tensor.dtype)), name
    assert any("running_var" in name for name in average.state_dict())


class Oracle(torch.nn.Module):
    """Answers for known labels what the operation gives, with a certainty that it can train."""

    def __init__(self, operation: Operation, labels: torch.Tensor) -> None:
        super().__init__()
        self.operation, self.labels = operation, labels
        self.certainty = torch.nn.Parameter(torch.tensor(20.0))

    def features(self, pictures: torch.Tensor) -> torch.Tensor:
        assert len(pictures) == len(self.labels)
        return F.one_hot(self.labels, 10).float()

    def heads(self, features: torch.Tensor, number: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        pairs = zip(features.argmax(1).tolist(), number.argmax(1).tolist(), strict=True)
        values = [self.operation.classes.index(self.operation.function(digit, number)) for digit, number in pairs]
        value = F.one_hot(torch.tensor(values), len(self.operation.classes))
        return features * self.certainty, value * self.certainty


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_targets_are_the_label_and_the_value_of_each_picture_with_its_numbers(operation: Operation, few: Part) -> None:
    oracle = Oracle(operation, few.labels)
    trainer = Trainer(oracle, oracle, torch.optim.AdamW(oracle.parameters()), [])  # type: ignore[arg-type]
    step = train_step(trainer, RECIPE, few.images / 255, few.labels, epoch_generator(0, 1))
    assert (step.digit_accuracy, step.value_accuracy) == (1, 1)
    assert max(step.digit_loss, step.value_loss) < 1e-6
    wrong = train_step(trainer, RECIPE, few.images / 255, few.labels.roll(1), epoch_generator(0, 1))
    assert max(wrong.digit_accuracy, wrong.value_accuracy) < 0.3


def test_steps_on_the_same_pictures_lower_both_losses(few: Part) -> None:
    trainer = new_trainer(RECIPE, CPU)
    trainer.network.train()
    generator = epoch_generator(0, 1)
    steps = [train_step(trainer, RECIPE, few.images[:16] / 255, few.labels[:16], generator) for _ in range(40)]
    assert steps[0].digit_accuracy < 0.5
    assert sum(step.digit_accuracy for step in steps[-5:]) / 5 > 0.7
    assert sum(step.value_loss for step in steps[-5:]) < 0.95 * sum(step.value_loss for step in steps[:5])


def test_numbers_are_drawn_anew_in_every_epoch_and_for_every_picture(
    few: Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[torch.Tensor] = []

    def record(count: int, per_image: int, generator: torch.Generator) -> torch.Tensor:
        drawn.append(draw_numbers(count, per_image, generator))
        return drawn[-1]

    monkeypatch.setattr(mnistsum_train.training, "draw_numbers", record)
    train_few(replace(RECIPE, epochs=2), few, tmp_path / "state.safetensors")
    first, second = torch.cat(drawn[:3]), torch.cat(drawn[3:])
    assert first.shape == second.shape == (48, RECIPE.numbers_per_image)
    assert 0.02 < float((first == second).float().mean()) < 0.25  # one in ten by chance
    assert len({tuple(row) for row in first.tolist()}) > 40


def test_each_epoch_sees_every_picture_once_in_an_order_of_its_own(few: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Tensor] = []

    def record(*arguments: object) -> StepMetrics:
        seen.append(arguments[2])  # type: ignore[arg-type]  # the images
        return StepMetrics(0, 0, 0, 0)

    monkeypatch.setattr(mnistsum_train.training, "train_step", record)
    monkeypatch.setattr(mnistsum_train.training, "add_strokes", lambda images, *_: images)
    monkeypatch.setattr(mnistsum_train.training, "augment", lambda images, *_: (images * 255).round().long())
    indices = Part(torch.arange(64), few.labels)
    for epoch in (1, 2):
        run_epoch(new_trainer(RECIPE, CPU), RECIPE, indices, epoch, ignore)
    first, second = torch.cat(seen[:4]), torch.cat(seen[4:])
    assert torch.equal(first.sort().values, torch.arange(64))
    assert torch.equal(second.sort().values, torch.arange(64))
    assert not torch.equal(first, second)


def test_training_that_diverges_says_so(few: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnistsum_train.training, "train_step", lambda *_: StepMetrics(float("nan"), 1, 0, 0))
    with pytest.raises(WorkError, match=r"diverged in epoch 2.*--lr"):
        run_epoch(new_trainer(RECIPE, CPU), RECIPE, few, 2, ignore)


def test_augmentation_weakens_over_all_epochs(few: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    strengths = []

    def record(images: torch.Tensor, generator: torch.Generator, strength: float) -> torch.Tensor:
        strengths.append(strength)
        return images

    monkeypatch.setattr(mnistsum_train.training, "augment", record)
    trainer = new_trainer(RECIPE, CPU)
    for epoch in (1, 2, 3):
        run_epoch(trainer, RECIPE, few, epoch, ignore)
    assert strengths == [strength_at(step / 12) for step in range(12)]
    assert strengths[0] == 1
    assert strengths[-1] == pytest.approx(0.8, abs=0.05)


def test_batch_of_a_single_picture_is_left_out(few: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def record(*arguments: object) -> StepMetrics:
        sizes.append(len(arguments[2]))  # type: ignore[arg-type]  # the images
        return StepMetrics(0, 0, 0, 0)

    monkeypatch.setattr(mnistsum_train.training, "train_step", record)
    run_epoch(new_trainer(RECIPE, CPU), RECIPE, few.first(33), 1, ignore)
    assert sizes == [16, 16]


def test_same_seed_gives_the_same_weights_bit_for_bit(
    few: Part, tmp_path: Path, uninterrupted: tuple[TwoInputNetwork, list[EpochMetrics]]
) -> None:
    torch.manual_seed(99)  # what ran before in this process plays no part
    again, _ = train_few(RECIPE, few, tmp_path / "state.safetensors")
    assert same_weights(again, uninterrupted[0])


def test_another_seed_gives_other_weights(few: Part, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=1)
    first, _ = train_few(recipe, few, tmp_path / "first.safetensors")
    other, _ = train_few(replace(recipe, seed=6), few, tmp_path / "other.safetensors")
    assert not same_weights(first, other)


@pytest.mark.parametrize("finished_epochs", [1, 2])
def test_resumed_training_ends_with_the_same_weights(
    few: Part, tmp_path: Path, uninterrupted: tuple[TwoInputNetwork, list[EpochMetrics]], finished_epochs: int
) -> None:
    state_file = tmp_path / "state.safetensors"
    with pytest.raises(Interrupted):
        train_few(RECIPE, few, state_file, stop_after=finished_epochs)
    torch.manual_seed(99)
    network, history = train_few(RECIPE, few, state_file, resume=True)
    assert same_weights(network, uninterrupted[0])
    assert [replace(line, seconds=0) for line in history] == [replace(line, seconds=0) for line in uninterrupted[1]]


def test_training_without_resume_begins_anew(
    few: Part, tmp_path: Path, uninterrupted: tuple[TwoInputNetwork, list[EpochMetrics]]
) -> None:
    state_file = tmp_path / "state.safetensors"
    with pytest.raises(Interrupted):
        train_few(replace(RECIPE, seed=6), few, state_file, stop_after=1)
    network, history = train_few(RECIPE, few, state_file)
    assert same_weights(network, uninterrupted[0])
    assert [line.epoch for line in history] == [1, 2, 3]


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (replace(RECIPE, seed=6), "seed 5 -> 6"),
        (replace(RECIPE, epochs=4), "epochs 3 -> 4"),
        (replace(RECIPE, operation="product"), "operation sum -> product"),
        (replace(RECIPE, learning_rate=0.02), r"learning rate 0\.01 -> 0\.02"),
    ],
    ids=["seed", "epochs", "operation", "learning rate"],
)
def test_resuming_another_recipe_is_refused(few: Part, tmp_path: Path, other: Recipe, told: str) -> None:
    state_file = tmp_path / "state.safetensors"
    with pytest.raises(Interrupted):
        train_few(RECIPE, few, state_file, stop_after=1)
    with pytest.raises(CallError, match=rf"other options \({told}\): use the same options with --resume"):
        train_few(other, few, state_file, resume=True)


def test_damaged_state_is_refused(few: Part, tmp_path: Path) -> None:
    state_file = tmp_path / "state.safetensors"
    with pytest.raises(Interrupted):
        train_few(RECIPE, few, state_file, stop_after=1)
    content = bytearray(state_file.read_bytes())
    content[-1000] ^= 1
    state_file.write_bytes(content)
    with pytest.raises(ModelError, match="damaged"):
        train_few(RECIPE, few, state_file, resume=True)


def test_network_that_comes_back_is_the_average_ready_to_answer(
    uninterrupted: tuple[TwoInputNetwork, list[EpochMetrics]],
) -> None:
    network, history = uninterrupted
    assert not network.training
    assert [line.epoch for line in history] == [1, 2, 3]
    assert all(line.digit_loss > 0 and line.value_loss > 0 for line in history)

"""One training from the pictures to the output folder: read as a table of contents."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from mnistsum_train.calibration import calibrate
from mnistsum_train.data import Part, load_mnist, shuffled, split_validation
from mnistsum_train.evaluation import answer_all_pairs
from mnistsum_train.gate import fit_gate
from mnistsum_train.held_out import HeldOut
from mnistsum_train.negatives import draw_all_negatives
from mnistsum_train.network import Network, TwoInputNetwork
from mnistsum_train.recipe import Recipe
from mnistsum_train.report import Report, make_report
from mnistsum_train.results import STATE_FILE, TEACHER_STATE_FILE, write_metrics, write_results
from mnistsum_train.stages import OnStage, unwatched
from mnistsum_train.team import ALONE, Team
from mnistsum_train.training import EpochMetrics, OnEpoch, OnStep, train

OnStart = Callable[[Recipe, int], None]


@dataclass(frozen=True)
class Setup:
    """What all trainings of one call have in common: the members of an ensemble differ in seed and folder only."""

    training: Part
    """Pictures to learn from."""
    unseen: Part | HeldOut
    """Pictures kept from the training, to measure on after each epoch and to calibrate on; or, where it learns from all
    pictures, what the networks of its recipe's folds answered."""
    test: Part
    """The test set; only `finish` looks at it."""
    device: torch.device
    """Where to train; the evaluation always runs in float32 on the CPU."""
    resume: bool
    """Go on after the last finished epoch that an output folder holds."""
    on_start: OnStart
    """Called with the recipe and the number of training pictures; before that with the teacher's, if there is one."""
    on_step: OnStep
    """See `train`."""
    on_epoch: OnEpoch
    """See `train`."""
    on_stage: OnStage = lambda _: unwatched
    """Called with the name of each stage that follows the last epoch."""
    team: Team = ALONE
    """See `train`."""

    @property
    def validation(self) -> Part | None:
        """Pictures to measure on after each epoch, if any were kept."""
        return self.unseen if isinstance(self.unseen, Part) else None


@dataclass(frozen=True)
class Trained:
    """A network with its gate, and how it came about."""

    network: Network
    history: list[EpochMetrics]
    """Its epochs; of several networks, one after the other's."""
    teacher_history: list[EpochMetrics]
    """Its teacher's epochs, if it has one."""


def read_pictures(limit: int | None) -> tuple[Part, Part, Part]:
    """Read MNIST: the training part (the first `limit` pictures of it, if given), the validation part, the test set.

    Raises:
        WorkError: The data is not to be had.
    """
    training, validation = split_validation(load_mnist(train=True))
    return training.first(limit), validation, load_mnist(train=False)


def read_all_pictures() -> tuple[Part, Part]:
    """Read MNIST: all training pictures, in the fixed random order of `split_validation`'s parts, and the test set.

    Raises:
        WorkError: The data is not to be had.
    """
    return shuffled(load_mnist(train=True)), load_mnist(train=False)


def run_training(recipe: Recipe, out: Path, setup: Setup) -> Report | None:
    """Train one network, calibrate it, evaluate once on the test set, and fill the output folder.

    Args:
        recipe: Decides the weights.
        out: There, and locked. Gets `checkpoint.safetensors`, `metrics.jsonl`, `report.json` and PNGs.
        setup: The pictures, and how it is trained with them.

    Returns:
        The report; nothing of a process that only trains with the one that writes.

    Raises:
        WorkError: `out` is not writable.
        CallError: What `out` holds is of another recipe.
    """
    trained = train_network(recipe, out, setup)
    return finish(trained, recipe, out, setup) if setup.team.writes else None


def train_network(recipe: Recipe, out: Path, setup: Setup) -> Trained:
    """Train one network in a folder that is there, after its teacher where it has one; who writes fits its gate."""
    teacher, teacher_history = train_teacher(recipe, out, setup)

    def on_epoch(history: list[EpochMetrics]) -> None:
        write_metrics(history, out)
        setup.on_epoch(history)

    setup.on_start(recipe, len(setup.training))
    network, history = train(
        recipe,
        setup.training,
        setup.validation,
        setup.device,
        out / STATE_FILE,
        resume=setup.resume,
        on_step=setup.on_step,
        on_epoch=on_epoch,
        teacher=teacher,
        team=setup.team,
    )
    if setup.team.writes:
        write_metrics(history, out)
        drawing, fitting = setup.on_stage("gate: pictures of no digit"), setup.on_stage("gate: training")
        negatives = draw_all_negatives(setup.training, negatives_per_kind(len(setup.training)), 0, drawing)
        fit_gate(network, setup.training, negatives, recipe.seed, fitting)
    return Trained(network, history, teacher_history)


def train_teacher(recipe: Recipe, out: Path, setup: Setup) -> tuple[TwoInputNetwork | None, list[EpochMetrics]]:
    """Train the recipe's teacher with the recipe's own operation and seed; None and no epochs where it has none."""
    if recipe.teacher is None:
        return None, []
    teacher = replace(recipe.teacher, operation=recipe.operation, seed=recipe.seed)
    setup.on_start(teacher, len(setup.training))
    return train(
        teacher,
        setup.training,
        setup.validation,
        setup.device,
        out / TEACHER_STATE_FILE,
        resume=setup.resume,
        on_step=setup.on_step,
        on_epoch=setup.on_epoch,
        team=setup.team,
    )


def finish(trained: Trained, recipe: Recipe, out: Path, setup: Setup) -> Report:
    """Calibrate on held-out answers, evaluate once on the test set, and write checkpoint, pictures and report.

    Args:
        trained: The network, with its gate.
        recipe: It was trained so.
        out: The output folder, which exists.
        setup: The pictures, and how it was trained with them.
    """
    network, test = trained.network, setup.test
    held_out = setup.unseen
    if isinstance(held_out, Part):
        count = negatives_per_kind(len(setup.training)) // 3
        held_out = HeldOut.of(network, held_out, count, setup.on_stage("calibration"))
    calibration = calibrate(held_out, network.operation)
    answers = answer_all_pairs(network, test.images, watch=setup.on_stage("test"))
    report = make_report(
        recipe,
        network,
        setup.device,
        len(setup.training),
        trained.history,
        trained.teacher_history,
        held_out,
        calibration,
        answers,
        test.labels,
    )
    write_results(out, network, report, trained.history, held_out, answers, test, setup.on_stage("pictures"))
    return report


def negatives_per_kind(training_images: int) -> int:
    """How many pictures of no digit are drawn of each kind: 1,000, fewer for a quick look at part of the data."""
    return max(3, round(training_images / 55))

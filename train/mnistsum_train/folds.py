"""Choices on all 60,000 training pictures: six networks, each judged on a sixth that it has not learnt from.

`python -m mnistsum_train.folds --preset base --out runs/folds`: trains the networks that the folder does not hold yet,
and may be interrupted. What they answer for the pictures kept from them judges the recipe; it also gives a network that
learns from all pictures its temperatures and its limit (`mnistsum-train --folds`).
"""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import torch
from torch.nn import functional as F

from mnistsum_runtime.atomic import write_atomically
from mnistsum_runtime.commands.options import run_command
from mnistsum_runtime.contract import NUMBERS
from mnistsum_runtime.errors import CallError
from mnistsum_runtime.operations import OPERATIONS, Operation
from mnistsum_train.calibration import find_temperature
from mnistsum_train.data import Part, load_mnist, shuffled
from mnistsum_train.evaluation import Answers, evaluate
from mnistsum_train.held_out import HeldOut
from mnistsum_train.presets import BASE, PRESETS
from mnistsum_train.recipe import Recipe, tell_differences
from mnistsum_train.report import describe_machine, tool_versions
from mnistsum_train.results import make_folder, sole_training
from mnistsum_train.run import Setup, negatives_per_kind, train_network
from mnistsum_train.spread import ray_option, run_jobs
from mnistsum_train.training import EpochMetrics

FOLDS = 6
SCREENED, SCREENING_EPOCHS = 2, 12
"""Folds and epochs of a screening: a first look, in a sixth of the time."""
ANSWERS_FILE = "held_out.safetensors"
"""A fold's answers, in its folder."""


@dataclass(frozen=True)
class Comparison:
    """Two recipes on the same held-out pictures. A picture is right where both outputs are, with all ten numbers."""

    pictures: int
    only_first: int
    """Pictures that the first recipe alone gets right."""
    only_second: int
    """Pictures that the second recipe alone gets right."""

    @property
    def p_value(self) -> float:
        """How likely so uneven a count is by chance: McNemar's test, exact, two-sided.

        Q. McNemar: Note on the sampling error of the difference between correlated proportions, Psychometrika 12, 1947.
        """
        count = self.only_first + self.only_second
        tail = sum(math.comb(count, k) for k in range(min(self.only_first, self.only_second) + 1))
        return min(1.0, 2 * tail / (1 << count))


def split_fold(part: Part, fold: int) -> tuple[Part, Part]:
    """All pictures but a sixth, and that sixth: fixed, stratified, and apart from every other fold's.

    Args:
        part: Pictures in their fixed random order (`data.shuffled`), which both parts keep.
        fold: 0..5.
    """
    by_label = part.labels.argsort(stable=True)
    held_out = torch.zeros(len(part), dtype=torch.bool)
    held_out[by_label[fold::FOLDS]] = True
    return Part(part.images[~held_out], part.labels[~held_out]), Part(part.images[held_out], part.labels[held_out])


def run_folds(recipe: Recipe, folds: int, out: Path, part: Part, ray: str | None = None) -> list[HeldOut]:
    """Train a network for each fold, or read what it answered if `out` has that.

    Args:
        recipe: Of each.
        folds: How many of the six, from the first.
        out: Made if it is not there.
        part: All training pictures.
        ray: Address of a cluster that trains them side by side, a core each, and sees `out`; see `spread.run_jobs`.

    Raises:
        WorkError: `out` is not writable.
        CallError: What `out` holds is of another recipe or other pictures.
        ModelError: What `out` holds is damaged.
    """
    make_folder(out)
    with sole_training(out):
        jobs = [(recipe, fold, out.absolute() / f"fold-{fold}", part) for fold in range(folds)]
        return run_jobs(run_fold, jobs, ray)


def run_fold(recipe: Recipe, fold: int, folder: Path, part: Part) -> HeldOut:
    """One fold of `run_folds`; a training that was interrupted goes on after its last finished epoch."""
    identity = {"recipe": recipe.to_dict(), "fold": fold, "pictures": len(part)}
    file = folder / ANSWERS_FILE
    if file.exists():
        held_out, found = HeldOut.load(file)
        if found != identity:
            raise CallError(f"{file} is of other options ({tell_differences(found, identity)}): name another --out")
        return held_out
    training, kept = split_fold(part, fold)

    def tell(history: list[EpochMetrics]) -> None:
        last = history[-1]
        click.echo(f"fold {fold}, epoch {last.epoch}: both right {last.validation_both:.3%}", err=True)

    setup = Setup(training, kept, kept, torch.device("cpu"), True, lambda *_: None, lambda *_: None, tell)
    make_folder(folder)
    with sole_training(folder):
        network = train_network(recipe, folder, setup).network
    held_out = HeldOut.of(network, kept, negatives_per_kind(len(training)) // 3)
    held_out.save(file, identity)
    return held_out


def read_held_out(folder: Path, recipe: Recipe) -> HeldOut:
    """What the networks of a folder's folds answered.

    Args:
        folder: Of `run_folds`.
        recipe: Whose folds they must be; the seed, and a screening's epochs, may differ.

    Raises:
        CallError: There are no folds, or of another recipe.
        ModelError: A file is damaged.
    """
    parts = read_folds(folder)
    for _, of in parts:
        found, asked = _without_length(of), _without_length(recipe.to_dict())
        if found != asked:
            raise CallError(
                f"{folder} is of another recipe ({tell_differences(found, asked)}): run python -m mnistsum_train.folds "
                "for this one first"
            )
    return HeldOut.join([held_out for held_out, _ in parts])


def read_folds(folder: Path) -> list[tuple[HeldOut, dict[str, Any]]]:
    """The answers of a folder's finished folds, in order, each with its recipe.

    Raises:
        CallError: There is none.
        ModelError: A file is damaged.
    """
    files = sorted(folder.glob(f"fold-*/{ANSWERS_FILE}"))
    if not files:
        raise CallError(f"{folder} holds no finished fold: run python -m mnistsum_train.folds --out {folder} first")
    return [(held_out, identity["recipe"]) for held_out, identity in map(HeldOut.load, files)]


def _without_length(recipe: dict[str, Any]) -> dict[str, Any]:
    shorter = {name: value for name, value in recipe.items() if name not in ("seed", "epochs")}
    teacher = shorter.get("teacher")
    return shorter | {"teacher": _without_length(teacher) if isinstance(teacher, dict) else teacher}


def summarise(parts: list[HeldOut], recipe: Recipe) -> dict[str, Any]:
    """What `folds.json` says: the figures over all held-out pictures, and of each fold."""
    operation = OPERATIONS[recipe.operation]
    whole = HeldOut.join(parts)
    result = evaluate(whole.plain, whole.labels, operation)
    pictures = len(whole.labels)
    return {
        "recipe": recipe.to_dict(),
        "folds": len(parts),
        "pictures": pictures,
        "cross_entropy": cross_entropy(whole.plain, whole.labels, operation),
        "digit": result.digit,
        "both": result.both,
        "agree": result.agree,
        "standard_error_both": math.sqrt(result.both * (1 - result.both) / pictures),
        "both_varied": evaluate(whole.varied, whole.labels, operation).both,
        "both_of_each_fold": [evaluate(part.plain, part.labels, operation).both for part in parts],
        "machine": describe_machine(torch.device("cpu")),
        "versions": tool_versions("torch", "torchvision"),
    }


def cross_entropy(answers: Answers, labels: torch.Tensor, operation: Operation) -> float:
    """Both outputs' cross-entropy, added, each at the temperature that fits it best."""
    digit_truth = labels[:, None].expand(-1, NUMBERS)
    value_truth = torch.tensor(operation.class_table())[labels]
    return sum(
        F.cross_entropy(logits.flatten(0, 1) / find_temperature(logits, truth), truth.flatten()).item()
        for logits, truth in ((answers.digit, digit_truth), (answers.value, value_truth))
    )


def compare(first: list[HeldOut], second: list[HeldOut], operation: Operation) -> Comparison:
    """Compare two recipes on the folds that both have."""
    pairs = list(zip(first, second, strict=False))
    right = [torch.cat([all_right(pair[side], operation) for pair in pairs]) for side in (0, 1)]
    return Comparison(len(right[0]), int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum()))


def all_right(held_out: HeldOut, operation: Operation) -> torch.Tensor:
    """Whether both outputs are right with all ten numbers: bool [pictures]."""
    value_truth = torch.tensor(operation.class_table())[held_out.labels]
    digit = held_out.plain.digit.argmax(-1) == held_out.labels[:, None]
    return (digit & (held_out.plain.value.argmax(-1) == value_truth)).all(dim=1)


@click.command("python -m mnistsum_train.folds", context_settings={"show_default": True})
@click.option("--preset", type=click.Choice(list(PRESETS)), default=BASE.name, help="Whose recipe is judged.")
@click.option("--operation", type=click.Choice(list(OPERATIONS)), default="sum", help="What the second output learns.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("runs/folds"), help="Has, or gets, a folder a fold."
)
@click.option(
    "--first",
    type=click.IntRange(1, FOLDS),
    help=f"So many folds only.  [default: {FOLDS}, or {SCREENED} to screen]",
)
@click.option("--screen", is_flag=True, help=f"{SCREENED} folds and {SCREENING_EPOCHS} epochs only: a first look.")
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    help="Compare with this folder, of another recipe, picture by picture.",
)
@ray_option
def command(
    preset: str, operation: str, out: Path, first: int | None, screen: bool, against: Path | None, ray: str | None
) -> None:
    """Judge a recipe on all 60,000 training pictures, each answered by a network that has not learnt from it.

    Skips what --out holds, goes on with what was interrupted, and writes folds.json.
    """
    other = None if against is None else [held_out for held_out, _ in read_folds(against)]
    recipe = replace(PRESETS[preset].recipe, operation=operation)
    if screen:
        recipe = screened(recipe)
    folds = first or (SCREENED if screen else FOLDS)
    parts = run_folds(recipe, folds, out, shuffled(load_mnist(train=True)), ray)
    record = summarise(parts, recipe)
    write_atomically(out / "folds.json", (json.dumps(record, indent=2) + "\n").encode())
    click.echo(
        f"{record['pictures']:,} held-out pictures: both right {record['both']:.3%} "
        f"(standard error {record['standard_error_both']:.3%}), cross-entropy {record['cross_entropy']:.4f}, "
        f"varied as other people write {record['both_varied']:.2%}"
    )
    if other is not None:
        found = compare(parts, other, OPERATIONS[operation])
        click.echo(
            f"of {found.pictures:,} pictures, this recipe alone gets {found.only_first} right, {against} alone "
            f"{found.only_second}: p = {found.p_value:.3f}"
        )


def screened(recipe: Recipe) -> Recipe:
    """The recipe as a screening trains it, its teacher too."""
    teacher = recipe.teacher and replace(recipe.teacher, epochs=SCREENING_EPOCHS)
    return replace(recipe, epochs=SCREENING_EPOCHS, teacher=teacher)


if __name__ == "__main__":
    run_command(command)

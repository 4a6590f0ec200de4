"""The spread over seeds: every size trained from several, its accuracy with mean and spread, and what all get wrong.

`python -m mnistsum_train.studies.seeds`: trains what `runs/<preset>-<seed>` does not hold yet. That takes hours on two
cores, and may be interrupted. The shipped network is the one of seed 0, whichever is best.
"""

import json
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import torch

from mnistsum_runtime.atomic import write_atomically
from mnistsum_runtime.commands.options import run_command
from mnistsum_runtime.errors import CallError
from mnistsum_runtime.operations import OPERATIONS
from mnistsum_train.checkpoint import Checkpoint
from mnistsum_train.data import Part, load_mnist
from mnistsum_train.ensemble import run_members
from mnistsum_train.evaluation import Answers, answer_all_pairs
from mnistsum_train.plots import mistakes_over_seeds
from mnistsum_train.presets import BASE, LARGE, NANO, PRESETS
from mnistsum_train.recipe import Recipe, tell_differences
from mnistsum_train.results import make_folder
from mnistsum_train.spread import ray_option, run_jobs

SEEDS = {BASE.name: 5, NANO.name: 1, LARGE.name: 1}
"""How many seeds each size is trained from; the seeds count from 0. Two show whether one was luck."""
FOLDS = {BASE.name: "folds-base", NANO.name: "folds-nano", LARGE.name: "folds-base"}
"""Where each size's held-out answers are, among the trainings; those of `large` are its members'."""
FIGURES = ("digit", "value", "both", "agree")
"""The figures of an evaluation that get a mean and a spread."""


def train_or_read(recipe: Recipe, members: int, folder: Path, folds: Path) -> dict[str, Any]:
    """The report of a training in `folder`, which is run, or gone on with, unless its finished report is there.

    A finished training of other options is not written over.

    Args:
        recipe: How it is trained.
        members: How many networks so.
        folder: For it alone.
        folds: Its recipe's held-out answers; see `ensemble.run_members`.

    Raises:
        CallError: `folder` holds a training of other options.
    """
    report = folder / "report.json"
    finished = json.loads(report.read_text(encoding="utf-8")) if report.exists() else None
    asked = {"recipe": recipe.to_dict(), "members": members}
    if finished is None:
        click.echo(f"training {folder}", err=True)
        run_members(recipe, members, folder, torch.device("cpu"), folds=folds, resume=True)
        finished = json.loads(report.read_text(encoding="utf-8"))
    found = {name: finished.get(name) for name in asked}
    if found != asked:
        raise CallError(
            f"{folder} is of other options ({tell_differences(found, asked)}): remove it, or name other --runs"
        )
    result: dict[str, Any] = finished
    return result


def summarise(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """What `seeds.json` says of one size: each seed's figures, and their mean and spread.

    Args:
        reports: Contents of `report.json` that differ in the seed only.
    """
    each = [
        {"seed": report["recipe"]["seed"], "training_seconds": report["training_seconds"]}
        | {name: report["test"][name] for name in FIGURES}
        for report in reports
    ]
    columns = {name: [row[name] for row in each] for name in FIGURES}
    return {
        "recipe": {name: value for name, value in reports[0]["recipe"].items() if name != "seed"},
        "members": reports[0]["members"],
        "parameters": reports[0]["parameters"],
        "machine": reports[0]["machine"],
        "seeds": each,
        "mean": {name: statistics.mean(values) for name, values in columns.items()},
        "standard_deviation": {name: statistics.stdev(values) for name, values in columns.items() if len(values) > 1},
    }


def answers_of(folders: list[Path], test: Part) -> list[Answers]:
    """What each folder's network answers for the test set x all ten numbers."""
    return [
        answer_all_pairs(Checkpoint.load(folder / "checkpoint.safetensors").network, test.images) for folder in folders
    ]


@click.command("python -m mnistsum_train.studies.seeds", context_settings={"show_default": True})
@click.option(
    "--runs", type=click.Path(path_type=Path), default=Path("runs"), help="Has, or gets, a folder a training."
)
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/seeds"), help="Gets seeds.json and a PNG.")
@click.option(
    "--preset",
    "presets",
    type=click.Choice(list(SEEDS)),
    multiple=True,
    default=list(SEEDS),
    help="This size; may be given again for another.",
)
@ray_option
def command(runs: Path, out: Path, presets: tuple[str, ...], ray: str | None) -> None:
    """Train each size from several seeds, skipping what is finished, and write mean, spread and the sheet of errors.

    The sheet shows what base gets wrong, and is written where base is among the sizes.
    """
    make_folder(out)
    record = {}
    folders = {name: [runs / f"{name}-{seed}" for seed in range(SEEDS[name])] for name in presets}
    for name, places in folders.items():
        preset = PRESETS[name]
        jobs = [
            (replace(preset.recipe, seed=seed), preset.members, folder.absolute(), runs.absolute() / FOLDS[name])
            for seed, folder in enumerate(places)
        ]
        reports = run_jobs(train_or_read, jobs, ray)
        record[name] = summarise(reports)
        write_atomically(out / "seeds.json", (json.dumps(record, indent=2) + "\n").encode())
        mean, seeds = record[name]["mean"], record[name]["seeds"]
        click.echo(f"{name}: both right {mean['both']:.3%}, mean of {len(seeds)} seeds")
    if BASE.name in folders:
        test = load_mnist(train=False)
        answers = answers_of(folders[BASE.name], test)
        sheet = mistakes_over_seeds(answers, test, OPERATIONS[BASE.recipe.operation])
        write_atomically(out / "mistakes_over_seeds.png", sheet)


if __name__ == "__main__":
    run_command(command)

"""A preset's training: of one network, or of several that answer together, trained one after the other."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import torch

from mnistsum_train.checkpoint import Checkpoint
from mnistsum_train.data import Part
from mnistsum_train.earlier import take_over
from mnistsum_train.folds import read_held_out
from mnistsum_train.held_out import HeldOut
from mnistsum_train.network import Ensemble, TwoInputNetwork
from mnistsum_train.recipe import Recipe
from mnistsum_train.report import Report
from mnistsum_train.results import CHECKPOINT_FILE, make_folder, read_metrics, sole_training, write_metrics
from mnistsum_train.run import OnStart, Setup, Trained, finish, read_all_pictures, read_pictures, run_training
from mnistsum_train.stages import OnStage, unwatched
from mnistsum_train.team import ALONE, Team
from mnistsum_train.training import EpochMetrics, OnEpoch, OnStep


def run_members(
    recipe: Recipe,
    members: int,
    out: Path,
    device: torch.device,
    *,
    limit: int | None = None,
    folds: Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    on_start: OnStart = lambda *_: None,
    on_step: OnStep = lambda *_: None,
    on_epoch: OnEpoch = lambda _: None,
    on_stage: OnStage = lambda _: unwatched,
    team: Team = ALONE,
) -> Report | None:
    """Train the members of a preset, which answer together where there are several.

    Args:
        recipe: Of each member, but for the seed; see `member_recipes`.
        members: How many.
        out: Made if it is not there, and filled as `run_training` says.
        device: See `Setup`, also for what is not explained here.
        limit: Use this many training pictures only.
        folds: A folder of `folds.run_folds` with this recipe: then all pictures are learnt from, and what the folds'
            networks answered for the pictures that they had not seen takes the validation part's place.
        resume: See `Setup`.
        overwrite: Delete what an earlier training has left in `out`.
        on_start: See `Setup`.
        on_step: See `Setup`.
        on_epoch: See `Setup`.
        on_stage: See `Setup`.
        team: See `Setup`.

    Returns:
        See `run_training`.

    Raises:
        WorkError: Data not to be had, or `out` not writable.
        CallError: `out` holds a training that is neither to be gone on with nor overwritten; what `out` or `folds`
            holds is of another recipe; or another training writes to `out`.
        ModelError: What `folds` holds is damaged.
    """
    unseen: Part | HeldOut
    with team.writer_first():
        if folds is None:
            training, unseen, test = read_pictures(limit)
        else:
            unseen = read_held_out(folds, recipe)
            training, test = read_all_pictures()
        make_folder(out)
    setup = Setup(training, unseen, test, device, resume, on_start, on_step, on_epoch, on_stage, team)
    parts = {out: recipe} if members == 1 else member_folders(recipe, members, out)
    if not team.writes:
        for folder, part in parts.items():
            run_training(part, folder, setup)
        return None
    with sole_training(out):
        take_over(out, parts, resume=resume, overwrite=overwrite)
        return run_training(recipe, out, setup) if members == 1 else run_ensemble(recipe, parts, out, setup)


def run_ensemble(recipe: Recipe, parts: dict[Path, Recipe], out: Path, setup: Setup) -> Report:
    """Train each member whole in a folder of its own in `out`, join them into one network, and fill `out` for that."""
    networks: list[TwoInputNetwork] = []
    history: list[EpochMetrics] = []
    for folder, member in parts.items():
        make_folder(folder)
        with sole_training(folder):
            run_training(member, folder, setup)
        networks.append(read_member(folder))
        history += read_metrics(folder)
    write_metrics(history, out)
    return finish(Trained(Ensemble(networks).eval(), history, []), recipe, out, setup)


def member_folders(recipe: Recipe, members: int, out: Path) -> dict[Path, Recipe]:
    """Each member's recipe, by its folder in `out`."""
    return {out / f"member-{member.seed}": member for member in member_recipes(recipe, members)}


def member_recipes(recipe: Recipe, members: int) -> list[Recipe]:
    """The recipe with a seed for each member: those of different seeds have no member in common."""
    return [replace(recipe, seed=recipe.seed * members + index) for index in range(members)]


def read_member(folder: Path) -> TwoInputNetwork:
    """The network that a training has left in its folder."""
    return cast(TwoInputNetwork, Checkpoint.load(folder / CHECKPOINT_FILE).network)

"""Several networks of one recipe, trained one after the other, that answer together."""

import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch

from mnistsum_train.checkpoint import Checkpoint
from mnistsum_train.network import Ensemble, TwoInputNetwork
from mnistsum_train.recipe import Recipe
from mnistsum_train.report import Report
from mnistsum_train.run import CHECKPOINT_FILE, METRICS_FILE, OnStart, judge, make_folder, run_training, write_metrics
from mnistsum_train.training import EpochMetrics, OnEpoch, OnStep


def run_members(
    recipe: Recipe,
    members: int,
    out: Path,
    device: torch.device,
    *,
    limit: int | None = None,
    resume: bool = False,
    on_start: OnStart = lambda *_: None,
    on_step: OnStep = lambda *_: None,
    on_epoch: OnEpoch = lambda _: None,
) -> Report:
    """Train the members of a preset; several, each whole in a folder of its own in `out`, are joined into one network.

    Args:
        recipe: Of each member, but for the seed; see `member_recipes`.
        members: How many. Of one, this is `run_training`.
        out: Filled as by `run_training`.
        device: See `run_training`, also for what follows.
        limit: See there.
        resume: Go on with what `out` holds.
        on_start: See there.
        on_step: See there.
        on_epoch: See there.

    Raises:
        WorkError: As `run_training`.
        CallError: As `run_training`.
    """

    def run(part: Recipe, folder: Path) -> Report:
        return run_training(
            part,
            folder,
            device,
            limit=limit,
            resume=resume,
            on_start=on_start,
            on_step=on_step,
            on_epoch=on_epoch,
        )

    if members == 1:
        return run(recipe, out)
    make_folder(out)
    networks: list[TwoInputNetwork] = []
    history: list[EpochMetrics] = []
    images = 0
    for member in member_recipes(recipe, members):
        folder = out / f"member-{member.seed}"
        images = run(member, folder).training_images
        networks.append(read_member(folder))
        history += read_metrics(folder)
    write_metrics(history, out)
    return judge(Ensemble(networks).eval(), recipe, out, device, images, history, [])


def member_recipes(recipe: Recipe, members: int) -> list[Recipe]:
    """The recipe with a seed for each member: those of different seeds have no member in common."""
    return [replace(recipe, seed=recipe.seed * members + index) for index in range(members)]


def read_member(folder: Path) -> TwoInputNetwork:
    """The network that a training has left in its folder."""
    return cast(TwoInputNetwork, Checkpoint.load(folder / CHECKPOINT_FILE).network)


def read_metrics(folder: Path) -> list[EpochMetrics]:
    """The epochs of a training, from its folder."""
    return [EpochMetrics(**json.loads(line)) for line in (folder / METRICS_FILE).read_text().splitlines()]

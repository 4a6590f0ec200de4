"""What a forked process of a campaign is asked to do where torch is installed; imported beforehand by the server."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import torch

from mnistsum_export.network.metadata import describe_network
from mnistsum_runtime.commands.entry import exit_code
from mnistsum_runtime.operations import SUM
from mnistsum_runtime.reliability import Calibration
from mnistsum_train.checkpoint import Checkpoint
from mnistsum_train.network import TwoInputNetwork
from mnistsum_train.recipe import Architecture, Recipe
from mnistsum_train.training import EpochMetrics, load_state, new_trainer, save_state

LOADED = (describe_network,)
RECIPE = Recipe(epochs=2, architecture=Architecture((4, 6, 8), dense=16, gate=3))
IDENTITY = {"recipe": RECIPE.to_dict(), "pictures": 60, "device": "cpu"}


@cache
def small_checkpoint() -> bytes:
    """A checkpoint of some kilobytes."""
    torch.manual_seed(0)
    network = TwoInputNetwork(SUM, RECIPE.architecture).eval()
    facts = {"accuracy": {"digit": 0.5}, "recipe": {"seed": 3}, "calibration": Calibration(1.0, 1.2, 0.5)._asdict()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "c.safetensors")
        Checkpoint(network, facts).save(path)
        return path.read_bytes()


@cache
def small_state() -> bytes:
    """What a training of one epoch leaves: weights, moments, history."""
    torch.manual_seed(0)
    trainer = new_trainer(RECIPE, torch.device("cpu"))
    for weight in trainer.optimizer.param_groups[0]["params"]:
        weight.grad = torch.ones_like(weight)
    trainer.optimizer.step()
    fields = dict.fromkeys(EpochMetrics.__dataclass_fields__, 0.5)
    trainer.history.append(EpochMetrics(**fields | {"epoch": 1}))  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "s.safetensors")
        save_state(trainer, path, IDENTITY)
        return path.read_bytes()


def load_checkpoint() -> int:
    """Read the checkpoint as the exporter does, and describe it for the file's metadata."""

    def job() -> int:
        checkpoint = Checkpoint.load(Path("c.safetensors"))
        checkpoint.network(torch.zeros(1, 1, 28, 28), torch.zeros(1, 10))
        return 0

    return exit_code("mnistsum-export", job)


def resume() -> int:
    """Go on from the state as a training does."""

    def job() -> int:
        load_state(new_trainer(RECIPE, torch.device("cpu")), Path("state.safetensors"), IDENTITY)
        return 0

    return exit_code("mnistsum-train", job)

"""A training on two processes beside one process: the time of a step, and how well it ends."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from mnistsum_train.data import load_mnist
from mnistsum_train.presets import PRESETS
from mnistsum_train.team import join, leave
from mnistsum_train.training import StepMetrics, new_trainer, run_epoch

ROOT = Path(__file__).parents[2]
PICTURES, WARM_UP = 12_000, 5
_TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def time_steps(preset: str, share: float) -> None:
    """Train one epoch on some pictures with a share of the preset's batch; print the median step, in milliseconds."""
    torch.set_num_threads(1)
    cpu = torch.device("cpu")
    team = join(cpu)
    recipe = PRESETS[preset].recipe
    recipe = replace(recipe, batch_size=round(recipe.batch_size * share), epochs=1)
    times: list[float] = [perf_counter()]

    def tell(*_: int | StepMetrics) -> None:
        times.append(perf_counter())

    run_epoch(new_trainer(recipe, cpu, team), recipe, load_mnist(train=True).first(PICTURES), 1, tell)
    steps = [after - before for before, after in pairwise(times)][WARM_UP:]
    if team.writes:
        sys.stdout.write(f"{1000 * statistics.median(steps)}\n")
    leave()


def measure_step(preset: str, rounds: int = 3) -> dict[str, Any]:
    """The step of each of two processes, and of one with half of their batch, in turn."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    script = str(Path(__file__))
    pairs = []
    for _ in range(rounds):
        alone, together = (
            float(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)
            for command in ([sys.executable, script, preset, "0.5"], [*_TORCHRUN, script, preset, "1"])
        )
        pairs.append((alone, together))
    return {
        "half_a_batch_ms": statistics.median(alone for alone, _ in pairs),
        "two_processes_ms": statistics.median(together for _, together in pairs),
        "ratio": statistics.median(together / alone for alone, together in pairs),
    }


def measure_end(folder: Path, preset: str, epochs: int) -> dict[str, Any]:
    """How well a training of two processes ends, and one of one process."""
    found: dict[str, Any] = {"epochs": epochs}
    options = ["--preset", preset, "--epochs", str(epochs), "--device", "cpu"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    for name, start in (
        ("one", [sys.executable, "-m", "mnistsum_train"]),
        ("two", [*_TORCHRUN, "-m", "mnistsum_train"]),
    ):
        out = folder / f"{preset}-{name}"
        subprocess.run([*start, *options, "--out", out], check=True, capture_output=True, env=environment, cwd=ROOT)
        report = json.loads((out / "report.json").read_text(encoding="utf-8"))
        found[name] = {"both": report["test"]["both"], "seconds": report["training_seconds"]}
    return found


if __name__ == "__main__":
    time_steps(sys.argv[1], float(sys.argv[2]))

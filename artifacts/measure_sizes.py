"""Write `artifacts/sizes.json`: every size and operation that is shipped, side by side.

Usage: python artifacts/measure_sizes.py

Parameters, accuracy and training time are those of each `report.json`. The latency is measured here and now, with what
mnistsum-bench measures for one warm picture, in turns, so that the ratios hold on a machine that does other things too.
"""

import json
import statistics
import sys
from pathlib import Path
from typing import Any

import click

from mnistsum_runtime.atomic import write_atomically
from mnistsum_runtime.measure.bench import Effort, measure_warm, network_workload
from mnistsum_runtime.model import model_name
from mnistsum_runtime.operations import OPERATIONS
from mnistsum_runtime.predictor import Predictor

ARTIFACTS = Path(__file__).parent
PRESETS = ("nano", "base", "large")
"""In the order of the table. `fast` is for the race and is not shipped."""
ROUNDS = 9
"""Turns of each model."""
EFFORT = Effort(seconds=0.3)
"""A turn."""


def shipped() -> list[tuple[str, str, Path, Path]]:
    """(preset, operation, folder of its report, model file) of everything that is there."""
    found = []
    for operation in OPERATIONS.values():
        for preset in PRESETS:
            name = operation.name if preset == "base" else f"{operation.name}-{preset}"
            folder = ARTIFACTS / name
            in_wheel = ARTIFACTS / "mnistsum_artifacts" / model_name(operation)
            model = in_wheel if preset == "base" else folder / f"mnistsum-{name}.onnx"
            if model.exists() and (folder / "report.json").exists():
                found.append((preset, operation.name, folder, model))
    return found


def measure_latency(models: list[Path]) -> list[dict[str, float]]:
    """Microseconds for one warm picture on one thread, for each model, the medians of `ROUNDS` turns."""
    predictors = [Predictor(model) for model in models]
    turns = [[_median_times(predictor) for predictor in predictors] for _ in range(ROUNDS)]
    return [
        {name: round(statistics.median(turn[index][name] for turn in turns), 1) for name in turns[0][index]}
        for index in range(len(models))
    ]


def describe(
    preset: str, operation: str, report: dict[str, Any], size: int, latency: dict[str, float]
) -> dict[str, Any]:
    """One entry of the file."""
    test, machine = report["test"], report["machine"]
    return {
        "preset": preset,
        "operation": operation,
        "parameters": report["parameters"],
        "bytes": size,
        "digit": test["digit"],
        "value": test["value"],
        "both": test["both"],
        "agree": test["agree"],
        "epochs": report["recipe"]["epochs"],
        "members": report["members"],
        "training_seconds": report["training_seconds"],
        "trained_on": f"{machine['device']}, {machine['threads']} of {machine['cores']} cores",
        "latency_us": latency,
    }


def main() -> int:
    """Measure and write; returns the exit code."""
    models = shipped()
    latencies = measure_latency([model for *_, model in models])
    entries = [
        describe(preset, operation, json.loads((folder / "report.json").read_text()), model.stat().st_size, latency)
        for (preset, operation, folder, model), latency in zip(models, latencies, strict=True)
    ]
    write_atomically(ARTIFACTS / "sizes.json", (json.dumps(entries, indent=2) + "\n").encode())
    for entry in entries:
        click.echo(f"{entry['preset']}, {entry['operation']}: {entry['latency_us']}", err=True)
    return 0


def _median_times(predictor: Predictor) -> dict[str, float]:
    figures = measure_warm(predictor, network_workload(predictor.model), EFFORT)
    return {
        name: figure.value for figure in figures for name in ("session.run", "predict") if figure.name == f"{name} p50"
    }


if __name__ == "__main__":
    sys.exit(main())

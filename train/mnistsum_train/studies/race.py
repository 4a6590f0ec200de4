"""Two recipes side by side on one machine: how many seconds of training until 99.0 % of the test set is right.

`python -m mnistsum_train.studies.race`: the preset `fast`, judged by digit and sum both right, against PyTorch's own
MNIST example, judged by the digit alone. The clock runs while a recipe trains, and stands still while data is read from
the disk and while a network is evaluated. The figures are told; nothing is chosen by them.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import torch

from mnistsum_runtime.atomic import write_atomically
from mnistsum_runtime.commands.options import run_command
from mnistsum_train.data import Part, data_folder, load_mnist, split_validation
from mnistsum_train.evaluation import answer_all_pairs, evaluate
from mnistsum_train.plots import accuracy_over_seconds
from mnistsum_train.presets import FAST
from mnistsum_train.recipe import Recipe
from mnistsum_train.report import describe_machine, tool_versions
from mnistsum_train.results import make_folder
from mnistsum_train.studies import pytorch_example
from mnistsum_train.training import StepMetrics, new_trainer, run_epoch

TARGET = 0.99
"""Share of the test set that is to be right: the example's page promises about as much."""


@dataclass(frozen=True)
class Point:
    """One evaluation on the test set."""

    epochs: float
    """How many epochs were trained before it."""
    seconds: float
    """How long training took before it, evaluations left out."""
    accuracy: float
    """Share of the test set that is right, 0..1."""


@dataclass(frozen=True)
class Runner:
    """One recipe's race."""

    name: str
    judged_by: str
    """What counts as right."""
    parameters: int
    pictures: int
    """How many pictures it learns from."""
    curve: list[Point]

    @property
    def seconds(self) -> float | None:
        """Seconds of training until the first evaluation that reaches the target; None where none did."""
        return next((point.seconds for point in self.curve if point.accuracy >= TARGET), None)

    def to_dict(self) -> dict[str, Any]:
        """The runner as plain JSON values."""
        return asdict(self) | {"seconds": self.seconds}


class Stopwatch:
    """Wall-clock seconds since it was made, without those in which it was paused."""

    def __init__(self) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def seconds(self) -> float:
        """Seconds so far."""
        return time.perf_counter() - self._start

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the clock for what is done meanwhile."""
        before = time.perf_counter()
        yield
        self._start += time.perf_counter() - before


def run_ours(recipe: Recipe, training: Part, test: Part) -> Runner:
    """Train to the end of the recipe, whose learning rate falls to zero there; evaluated twice an epoch."""
    cpu = torch.device("cpu")
    trainer = new_trainer(recipe, cpu)
    operation = trainer.network.operation
    curve: list[Point] = []
    watch = Stopwatch()

    def on_step(step: int, steps: int, _: StepMetrics) -> None:
        if step % (steps // (2 * recipe.epochs)) == 0 or step == steps:
            seconds = watch.seconds()
            with watch.paused():
                result = evaluate(answer_all_pairs(trainer.average, test.images), test.labels, operation)
                curve.append(Point(step * recipe.epochs / steps, seconds, result.both))

    for epoch in range(1, recipe.epochs + 1):
        run_epoch(trainer, recipe, training, epoch, on_step)
    return Runner(
        "mnistsum-train --preset fast", "digit and sum", trainer.network.parameter_count(), len(training), curve
    )


def run_example(training: pytorch_example.Batches, test: pytorch_example.Batches, pictures: int) -> Runner:
    """Train until the target is reached, at most for the example's 14 epochs; evaluated after each."""
    torch.manual_seed(0)
    network = pytorch_example.ExampleNetwork()
    optimizer = torch.optim.Adadelta(network.parameters(), pytorch_example.LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, pytorch_example.DECAY)
    curve: list[Point] = []
    watch = Stopwatch()
    for epoch in range(1, pytorch_example.EPOCHS + 1):
        pytorch_example.train_epoch(network, optimizer, training)
        schedule.step()
        seconds = watch.seconds()
        with watch.paused():
            curve.append(Point(epoch, seconds, pytorch_example.digit_accuracy(network, test)))
        click.echo(f"example: epoch {epoch}, {seconds:.1f} s, {curve[-1].accuracy:.2%}", err=True)
        if curve[-1].accuracy >= TARGET:
            break
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Runner("PyTorch's MNIST example", "digit", parameters, pictures, curve)


@click.command("python -m mnistsum_train.studies.race", context_settings={"show_default": True})
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/race"), help="Gets race.json and race.png.")
def command(out: Path) -> None:
    """Train the preset `fast` and PyTorch's MNIST example until 99.0 % of the test set is right; some minutes."""
    make_folder(out)
    training, test = load_mnist(train=True), load_mnist(train=False)
    ours = run_ours(FAST.recipe, split_validation(training)[0], test)
    for point in ours.curve:
        click.echo(f"fast: epoch {point.epochs:g}, {point.seconds:.1f} s, {point.accuracy:.2%}", err=True)
    root = data_folder()
    example = run_example(
        pytorch_example.load_batches(root, train=True), pytorch_example.load_batches(root, train=False), len(training)
    )
    ratio = ours.seconds / example.seconds if ours.seconds and example.seconds else None
    record = {
        "target": TARGET,
        "machine": describe_machine(torch.device("cpu")),
        "versions": tool_versions("torch", "torchvision"),
        "recipe": FAST.recipe.to_dict(),
        "ours": ours.to_dict(),
        "example": example.to_dict(),
        "ratio": ratio,
    }
    write_atomically(out / "race.json", (json.dumps(record, indent=2) + "\n").encode())
    curves = {
        f"{runner.name}: {runner.judged_by}": [(point.seconds, point.accuracy) for point in runner.curve]
        for runner in (ours, example)
    }
    write_atomically(out / "race.png", accuracy_over_seconds(curves, TARGET))
    click.echo(f"ours {_seconds(ours)}, example {_seconds(example)}" + (f", 1/{1 / ratio:.1f}" if ratio else ""))


def _seconds(runner: Runner) -> str:
    return "not reached" if runner.seconds is None else f"{runner.seconds:.1f} s"


if __name__ == "__main__":
    run_command(command)

"""`mnistsum-train`: options, progress, and nothing else."""

from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never

import click

from mnistsum_runtime import __version__
from mnistsum_runtime.commands.options import require_extra, run_command
from mnistsum_runtime.errors import CallError
from mnistsum_runtime.operations import OPERATIONS
from mnistsum_train.presets import BASE, PRESETS

if TYPE_CHECKING:
    from tqdm import tqdm

    from mnistsum_train.recipe import Recipe
    from mnistsum_train.training import EpochMetrics, StepMetrics


@click.command("mnistsum-train", context_settings={"show_default": True, "max_content_width": 100})
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Output folder.  [default: runs/<operation>, with -<preset> after it where that is not base]",
)
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    default=BASE.name,
    help="Size and recipe: " + "; ".join(f"{preset.name}, {preset.purpose}" for preset in PRESETS.values()) + ".",
)
@click.option("--operation", type=click.Choice(list(OPERATIONS)), default="sum", help="What the second output learns.")
@click.option("--epochs", type=click.IntRange(1), help="Passes over the training pictures.  [default: the preset's]")
@click.option("--batch-size", type=click.IntRange(2), help="Pictures a step.  [default: the preset's]")
@click.option("--lr", type=click.FloatRange(0, min_open=True), help="Peak learning rate.  [default: the preset's]")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, help="Same seed, same machine: same weights.")
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="auto: CUDA if there is one."
)
@click.option("--limit", type=click.IntRange(2), help="Train on this many pictures only, for a quick look.")
@click.option(
    "--folds",
    type=click.Path(path_type=Path),
    help="What python -m mnistsum_train.folds left: then all pictures are learnt from, without a validation part.",
)
@click.option("--resume", is_flag=True, help="Go on after the last epoch that --out has finished.")
@click.version_option(__version__)
def command(
    out: Path | None,
    preset: str,
    operation: str,
    epochs: int | None,
    batch_size: int | None,
    lr: float | None,
    seed: int,
    device: str,
    limit: int | None,
    folds: Path | None,
    resume: bool,
) -> None:
    """Train the two-input network on MNIST.

    Writes checkpoint.safetensors, metrics.jsonl (an epoch a line), report.json and pictures (learning curves, confusion
    matrices, worst mistakes, risk over coverage) to the output folder, and prints the accuracy on the test set.

    On several processes or machines, with --out in a folder that all see: torchrun --nproc-per-node 2 -m mnistsum_train
    """
    require_extra("train", "torch", "torchvision", "safetensors", "matplotlib", "tqdm")
    from mnistsum_train.device import choose_device
    from mnistsum_train.ensemble import run_members
    from mnistsum_train.report import format_report
    from mnistsum_train.team import join, leave

    if lr is not None and not isfinite(lr):  # which click's ranges let through
        raise CallError(f"--lr {lr}: expected a number above 0")
    if folds is not None and limit is not None:
        raise CallError("--folds learns from all pictures: leave out --limit")
    given = {"epochs": epochs, "batch_size": batch_size, "learning_rate": lr}
    changed: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    recipe = replace(PRESETS[preset].recipe, operation=operation, seed=seed, **changed)
    out = out or Path("runs") / (operation if preset == BASE.name else f"{operation}-{preset}")
    progress = Progress(recipe)
    chosen = choose_device(device)
    team = join(chosen)
    report = run_members(
        recipe,
        PRESETS[preset].members,
        out,
        chosen,
        limit=limit,
        folds=folds,
        resume=resume,
        on_start=progress.start if team.writes else lambda *_: None,
        on_step=progress.step,
        on_epoch=progress.epoch,
        team=team,
    )
    progress.close()
    leave()
    if report is None:
        return
    click.echo(f"{report.parameters:,} parameters, {report.training_seconds:.0f} s of training -> {out}", err=True)
    click.echo(format_report(report))


class Progress:
    """One bar over all steps on a terminal, and a plain line an epoch; all on standard error."""

    def __init__(self, recipe: "Recipe") -> None:
        """Remember what is asked for."""
        self._recipe = self._running = recipe
        self._bar: tqdm[Never] | None = None

    def start(self, recipe: "Recipe", pictures: int) -> None:
        """Say what will be done: for each training, a teacher's and a member's too."""
        self.close()
        self._bar, self._running = None, recipe
        who = "" if replace(recipe, seed=self._recipe.seed) == self._recipe else "the teacher, "
        click.echo(
            f"{who}{recipe.operation}: {pictures:,} pictures, {recipe.epochs} epochs, batches of {recipe.batch_size}, "
            f"seed {recipe.seed}",
            err=True,
        )

    def step(self, step: int, steps: int, metrics: "StepMetrics") -> None:
        """Move the bar. It begins at the first step of this process, so that time left is right after a resume."""
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=steps, initial=step - 1, unit="step", dynamic_ncols=True, disable=None)
        self._bar.set_postfix_str(
            f"loss {metrics.digit_loss + metrics.value_loss:.3f}, digit {metrics.digit_accuracy:.1%}, "
            f"{self._recipe.operation} {metrics.value_accuracy:.1%}",
            refresh=False,
        )
        self._bar.update()

    def epoch(self, history: "list[EpochMetrics]") -> None:
        """A line that stays, on a terminal above the bar."""
        last = history[-1]
        line = f"epoch {last.epoch}/{self._running.epochs}: loss {last.digit_loss:.4f} + {last.value_loss:.4f}, "
        if last.validation_both is not None:
            line += (
                f"validation digit {last.validation_digit:.2%}, {self._recipe.operation} {last.validation_value:.2%}, "
                f"both {last.validation_both:.2%}, "
            )
        line += f"{last.seconds:.1f} s"
        if self._bar is not None:
            self._bar.clear()
        click.echo(line, err=True)

    def close(self) -> None:
        """Leave the terminal clean."""
        if self._bar is not None:
            self._bar.close()


def main() -> None:
    """Entry point."""
    run_command(command)

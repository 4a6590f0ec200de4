"""`mnistsum-train`: options, progress, and nothing else."""

from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

import click

from mnistsum_runtime import __version__
from mnistsum_runtime.commands.options import require_extra, run_command
from mnistsum_runtime.errors import CallError, MnistsumError
from mnistsum_runtime.operations import OPERATIONS
from mnistsum_train.presets import BASE, PRESETS
from mnistsum_train.progress import Progress


class TrainingInterruptedError(MnistsumError):
    """Ctrl-C: what is finished is kept."""

    exit_code = 130


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
@click.option(
    "--limit",
    type=click.IntRange(2),
    help="Train on this many pictures only, to try the program out: from few it learns to read, not to add.",
)
@click.option(
    "--folds",
    type=click.Path(path_type=Path),
    help="What python -m mnistsum_train.folds left: then all pictures are learnt from, without a validation part.",
)
@click.option("--resume", is_flag=True, help="Go on after the last epoch that --out has finished.")
@click.option("--overwrite", is_flag=True, help="Delete the training that --out holds, and begin again.")
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
    overwrite: bool,
) -> None:
    """Train the two-input network on MNIST.

    Writes checkpoint.safetensors, metrics.jsonl (an epoch a line), report.json and pictures (learning curves, confusion
    matrices, worst mistakes, risk over coverage) to the output folder, and prints the accuracy on the test set.

    For a quick look: --preset fast, 22 s of training on two cores and a minute or two for the gate and the report;
    digit and sum are right for 99.3 % of the test pairs. A few epochs on a part of the pictures teach it to read, not
    to add.

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
    if resume and overwrite:
        raise CallError("--resume goes on with a training, --overwrite deletes it: leave out one of them")
    given = {"epochs": epochs, "batch_size": batch_size, "learning_rate": lr}
    changed: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    recipe = replace(PRESETS[preset].recipe, operation=operation, seed=seed, **changed)
    out = out or Path("runs") / (operation if preset == BASE.name else f"{operation}-{preset}")
    progress = Progress(recipe)
    chosen = choose_device(device)
    team = join(chosen)
    try:
        report = run_members(
            recipe,
            PRESETS[preset].members,
            out,
            chosen,
            limit=limit,
            folds=folds,
            resume=resume,
            overwrite=overwrite,
            on_start=progress.start if team.writes else lambda *_: None,
            on_step=progress.step,
            on_epoch=progress.epoch,
            on_stage=progress.stage,
            team=team,
        )
    except KeyboardInterrupt as error:
        raise TrainingInterruptedError("interrupted: go on with --resume") from error
    finally:
        progress.close()
    leave()
    if report is None:
        return
    click.echo(f"{report.parameters:,} parameters, {report.training_seconds:.0f} s of training -> {out}", err=True)
    click.echo(format_report(report))


def main() -> None:
    """Entry point."""
    run_command(command)

"""What a terminal shows of a training: a bar for what takes seconds, a line for what is done; all on standard error."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from tqdm import tqdm

    from mnistsum_train.recipe import Recipe
    from mnistsum_train.stages import Watch
    from mnistsum_train.training import EpochMetrics, StepMetrics

T = TypeVar("T")


class Progress:
    """One bar over all steps on a terminal, and a plain line an epoch; then one for each stage."""

    def __init__(self, recipe: "Recipe") -> None:
        """Remember what is asked for."""
        self._recipe = self._running = recipe
        self._bar: tqdm[Any] | None = None

    def start(self, recipe: "Recipe", pictures: int) -> None:
        """Say what will be done: for each training, a teacher's and a member's too."""
        self.close()
        self._running = recipe
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

    def stage(self, name: str) -> "Watch":
        """A bar for a stage on a terminal; elsewhere a line when it begins."""
        self.close()

        def watch(items: Sequence[T]) -> Iterable[T]:
            if not sys.stderr.isatty():
                click.echo(name, err=True)
                return items
            from tqdm import tqdm

            self._bar = bar = tqdm(items, desc=name, dynamic_ncols=True)
            return bar

        return watch

    def close(self) -> None:
        """Leave the terminal clean."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

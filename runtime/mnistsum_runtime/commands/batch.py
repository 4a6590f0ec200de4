"""`mnistsum-batch`: folders, tar files and Parquet files to Parquet files with the answers."""

from __future__ import annotations

import json
import os
import sys
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mnistsum_runtime import __version__
from mnistsum_runtime.commands.entry import loading
from mnistsum_runtime.commands.options import model_option, operation_option, require_extra, run_command
from mnistsum_runtime.errors import CallError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mnistsum_runtime.batch.answers import Counts

_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@click.command("mnistsum-batch")
@click.argument("pictures", nargs=-1, required=True, type=click.Path())
@click.option(
    "--number",
    type=click.IntRange(0, 9),
    metavar="N",
    help="The second number, 0 to 9, of all pictures that have none of their own.",
)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="The folder for the answers."
)
@model_option
@operation_option
@click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Processes on this machine, one thread each.  [default: one for each core]",
)
@click.option(
    "--ray",
    "address",
    metavar="ADDRESS",
    help="Answer on the Ray cluster at HOST:PORT instead; `auto` finds it, `local` starts one.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@click.version_option(__version__)
def command(
    pictures: tuple[str, ...],
    number: int | None,
    out: Path,
    model: str | None,
    operation: str | None,
    workers: int | None,
    address: str | None,
    as_json: bool,
) -> int:
    """Answer very many pictures: into Parquet files, a row a picture, whether it has an answer or an error.

    PICTURES are folders (with all folders in them), tar files as WebDataset's, lists (.txt, a path a line), Parquet
    files with a column `image` of encoded pictures (and `number`, if each has its own), or single pictures.

    \b
      mnistsum-batch scans/ --number 4 --out answers
      mnistsum-batch shards/*.tar --number 4 --out answers --ray auto

    DIR gets _plan/plan.json, and the answers in part-00000.parquet and so on. Interrupted, by whatever, the same
    command goes on where it was. Other pictures, another number or another model into the same DIR are refused.

    Exit code: 0 all pictures have an answer, 1 some have none or the work failed, 2 the call was wrong, 3 the model is
    missing or damaged.
    """  # noqa: D301  (click needs the backspace itself)
    require_extra("batch", "pyarrow")
    if address is not None:
        if workers is not None:
            raise CallError("--workers is for this machine: a cluster has its own, leave it out with --ray")
        require_extra("cluster", "ray")
    with loading():
        from mnistsum_runtime.batch.run import plan_batch, run_batch, sole_batch

    with sole_batch(out):
        batch = plan_batch(list(pictures), number, out, model, operation)
        with _Progress(batch.plan.pictures) as progress:
            summary = run_batch(batch, _answerer(workers or _CORES, address), progress.tell)
    click.echo(json.dumps(summary) if as_json else _describe(summary))
    return 1 if summary["errors"] else 0


def _answerer(workers: int, address: str | None) -> Callable[[str, list[int]], Iterator[Counts]]:
    """Who answers: a cluster, or processes of this machine."""
    if address is not None:
        from mnistsum_runtime.batch.stage import answer_shard
        from mnistsum_runtime.cluster import run_on_cluster

        def answer(folder: str, shards: list[int]) -> Iterator[Counts]:
            jobs = [(folder, shard) for shard in shards]
            return (counts for _, counts in run_on_cluster(answer_shard, jobs, address))

        return answer
    from mnistsum_runtime.batch.workers import answer_with_workers

    return lambda folder, shards: answer_with_workers(folder, shards, min(workers, len(shards)))


class _Progress:
    """A bar on standard error, if that is a terminal: how many pictures, how quick, errors, time left."""

    def __init__(self, pictures: int) -> None:
        self._errors = 0
        self._bar: Any = click.progressbar(
            length=pictures,
            show_pos=True,
            item_show_func=lambda _: self._describe(),
            file=sys.stderr if sys.stderr is not None and sys.stderr.isatty() else StringIO(),
        )

    def __enter__(self) -> _Progress:
        self._bar.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._bar.__exit__(*raised)

    def tell(self, counts: Counts) -> None:
        """A shard is done."""
        self._errors += counts.errors.total()
        self._bar.update(counts.pictures, None)

    def _describe(self) -> str:
        per_iteration = self._bar.time_per_iteration
        per_second = 1 / per_iteration if per_iteration else 0
        return f"{per_second:,.0f} pictures/s, {self._errors:,} errors"


def _describe(summary: dict[str, Any]) -> str:
    lines = [
        f"{summary['pictures']:,} pictures, {summary['answered']:,} answered, {summary['reliable']:,} of them reliable",
        *(f"{count:,} without an answer: {kind}" for kind, count in summary["errors"].items()),
        f"{summary['out']}: {summary['shards']} files, {summary['seconds']:.1f} s, "
        f"{summary['pictures_per_second']:,.0f} pictures/s",
    ]
    if summary["answered_before"]:
        lines.insert(1, f"{summary['answered_before']:,} of them were answered before")
    return "\n".join(lines)


def main() -> None:
    """Entry point of `mnistsum-batch`."""
    run_command(command)

"""A whole batch: inputs to a plan, shards to whoever answers them, and what came of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from mnistsum_runtime.atomic import try_lock
from mnistsum_runtime.batch.plan import Plan, begin
from mnistsum_runtime.batch.sources import find_inputs
from mnistsum_runtime.errors import CallError, WorkError
from mnistsum_runtime.model import open_named_model

if TYPE_CHECKING:
    from mnistsum_runtime.batch.answers import Counts


@dataclass(frozen=True)
class Batch:
    """A plan in its folder."""

    folder: Path
    plan: Plan

    def left(self) -> list[int]:
        """The shards that have no file yet."""
        return [shard for shard in range(len(self.plan.shards)) if not self.plan.part(self.folder, shard).exists()]

    def done(self) -> Iterator[Counts]:
        """What the shards counted that have one.

        Raises:
            WorkError: A file is damaged.
        """
        from mnistsum_runtime.batch.answers import read_counts

        for shard in range(len(self.plan.shards)):
            part = self.plan.part(self.folder, shard)
            if part.exists():
                yield read_counts(part)


def plan_batch(
    arguments: list[str], number: int | None, out: Path, model: str | None = None, operation: str | None = None
) -> Batch:
    """Look at the inputs and the model, and write the plan, or find the one that was begun.

    Args:
        arguments: Folders, tar, list and Parquet files, and pictures.
        number: The second number, 0..9; None where every input has numbers of its own.
        out: The folder for the answers.
        model: As `Predictor` takes it.
        operation: The same.

    Raises:
        CallError: An input is not there or has no pictures, a number is missing, or `out` has answers to another batch.
        ModelError: The model is missing or damaged.
        WorkError: An input cannot be read, or `out` not be written.
    """
    opened = open_named_model(model, operation)
    found = find_inputs(arguments)
    if number is None:
        without = [each.path for each in found.inputs if not each.numbers]
        if without:
            raise CallError(f"--number is needed: {without[0]} has no numbers of its own (a Parquet column `number`)")
    inputs, shards = tuple(found.inputs), tuple(found.cut())
    plan = Plan(os.path.abspath(opened.path), opened.sha256(), opened.operation.name, number, inputs, shards)  # noqa: PTH100
    begin(out, plan, found)
    return Batch(out, plan)


@contextmanager
def sole_batch(out: Path) -> Iterator[None]:
    """Make the folder, and refuse a second batch in it while one runs there.

    Raises:
        CallError: One does.
        WorkError: The folder cannot be made or written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        file = (out / ".batch").open("wb")
    except OSError as error:
        raise WorkError(f"cannot write {error.filename or out}: {error.strerror or error}") from error
    with file:
        if not try_lock(file.fileno()):
            raise CallError(f"another batch writes to {out}: wait until it is done, or name another --out")
        yield


def run_batch(
    batch: Batch,
    answer: Callable[[str, list[int]], Iterator[Counts]],
    tell: Callable[[Counts], None],
) -> dict[str, Any]:
    """Answer what is left of a batch.

    Args:
        batch: The batch.
        answer: Answers shards of the plan in a folder: `answer_with_workers`, or a cluster.
        tell: Called with the counts of each shard that is done, the ones of before first.

    Returns:
        A summary as plain JSON values.

    Raises:
        MnistsumError: As of `answer`.
    """
    from mnistsum_runtime.batch.answers import Counts

    total, start = Counts(), perf_counter()
    left = batch.left()
    for counts in batch.done():
        total += counts
        tell(counts)
    before = total.pictures
    for counts in answer(os.path.abspath(batch.folder), left) if left else ():  # noqa: PTH100
        total += counts
        tell(counts)
    seconds = perf_counter() - start
    return total.to_dict() | {
        "answered_before": before,
        "seconds": round(seconds, 3),
        "pictures_per_second": round((total.pictures - before) / seconds, 1),
        "shards": len(batch.plan.shards),
        "out": str(batch.folder),
        "operation": batch.plan.operation,
        "model_sha256": batch.plan.model_sha256,
    }

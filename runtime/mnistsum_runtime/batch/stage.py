"""The one function that answers: a shard of a plan in, a Parquet file out. Who calls it does not matter to it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from mnistsum_runtime.batch.plan import Plan, read_plan
from mnistsum_runtime.batch.reading import Item, read_shard
from mnistsum_runtime.errors import ModelError, PictureError, WorkError
from mnistsum_runtime.predictor import BATCH_SIZE, Predictor

if TYPE_CHECKING:
    from mnistsum_runtime.batch.answers import Counts
    from mnistsum_runtime.prediction import Prediction
    from mnistsum_runtime.preparation.picture import Source


def answer_shard(folder: str, index: int) -> Counts:
    """Answer the pictures of a shard, and write its file; if that is there, only count.

    Args:
        folder: Where the plan is, and the file goes.
        index: Which shard of the plan.

    Raises:
        ModelError: The model is missing or damaged, or not the plan's.
        WorkError: The plan or an input cannot be read, or the file not be written.
    """
    from mnistsum_runtime.batch.answers import Answers, read_counts

    plan = _plan(folder)
    shard = plan.shards[index]
    part = plan.part(Path(folder), index)
    if part.exists():
        return read_counts(part)
    answers = Answers(plan.inputs[shard.input].path, plan.model_sha256)
    items = read_shard(Path(folder), plan, shard)
    while batch := list(islice(items, BATCH_SIZE)):
        for item, number, found in _answer(_predictor(plan.model, plan.model_sha256), batch, plan.number):
            answers.add(item.name, number, found)
    if answers.counts.pictures != shard.pictures:
        source = plan.inputs[shard.input].path
        raise WorkError(
            f"{source}: {answers.counts.pictures} pictures where there were {shard.pictures}: it was changed"
        )
    answers.write(part)
    return answers.counts


def _answer(
    predictor: Predictor, batch: list[Item], number: int | None
) -> Iterator[tuple[Item, int | None, Prediction | PictureError]]:
    """Each picture of a batch with the number that it was given, and what came of it."""
    asked: list[tuple[Source, int, str]] = []
    for item in batch:
        given = number if item.number is None else item.number
        if not isinstance(item.source, PictureError) and given is not None:
            asked.append((item.source, given, item.name))
    sources, numbers, names = zip(*asked, strict=True) if asked else ((), (), ())
    found = iter(predictor.predict_many(sources, numbers, on_error="return", names=names))
    for item in batch:
        given = number if item.number is None else item.number
        yield item, given, item.source if isinstance(item.source, PictureError) else next(found)


@cache
def _plan(folder: str) -> Plan:
    plan = read_plan(Path(folder))
    if plan is None:
        raise WorkError(f"{folder}: no plan here: do all machines see this folder?")
    return plan


@cache
def _predictor(model: str, sha256: str) -> Predictor:
    """The process's own, once it has seen that the file is the plan's."""
    predictor = Predictor(model)
    found = predictor.model.sha256()
    if found != sha256:
        raise ModelError(f"model {model}: SHA-256 {found[:12]}, the plan's is {sha256[:12]}: not the same file")
    return predictor

"""The plan of a batch, written before the first picture is read: which pictures, which model, which shards."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mnistsum_runtime import __version__
from mnistsum_runtime.atomic import write_together
from mnistsum_runtime.batch.sources import Found, Input, Shard
from mnistsum_runtime.errors import CallError, WorkError

FORMAT = 1
FOLDER, NAME = "_plan", "plan.json"
"""Beside the answers; who reads a folder of Parquet files leaves out names that begin so."""


@dataclass(frozen=True)
class Plan:
    """All that decides what a batch answers."""

    model: str
    """The model's file."""
    model_sha256: str
    """SHA-256 of its bytes."""
    operation: str
    """What it computes, such as `sum`."""
    number: int | None
    """The second number, of pictures that have none of their own."""
    inputs: tuple[Input, ...]
    shards: tuple[Shard, ...]

    @property
    def pictures(self) -> int:
        """How many there are."""
        return sum(each.pictures for each in self.inputs)

    def part(self, folder: Path, shard: int) -> Path:
        """The file that a shard's answers go into."""
        return folder / f"part-{shard:05d}.parquet"

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"format": FORMAT, "mnistsum": __version__, "pictures": self.pictures} | asdict(self)


def listing_path(folder: Path, number: int) -> Path:
    """Where the paths of an input's files are."""
    return folder / FOLDER / f"files-{number}.txt"


def read_plan(folder: Path) -> Plan | None:
    """The plan of a batch that was begun; None if none was.

    Raises:
        WorkError: It cannot be read.
    """
    path = folder / FOLDER / NAME
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise WorkError(f"{path}: made by mnistsum {found['mnistsum']}: name another --out")
        return Plan(
            str(found["model"]),
            str(found["model_sha256"]),
            str(found["operation"]),
            found["number"],
            tuple(Input(**each) for each in found["inputs"]),
            tuple(Shard(**each) for each in found["shards"]),
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise WorkError(f"{path}: not a plan, or damaged: {error}: remove it, or name another --out") from error


def begin(folder: Path, plan: Plan, found: Found) -> None:
    """Write a plan, or check that the one that is there is the same.

    Raises:
        CallError: A batch of something else was begun in the folder; the first difference is named.
        WorkError: The folder cannot be written, or its plan not be read.
    """
    old = read_plan(folder)
    if old is not None:
        _require_same(folder, old, plan)
        return
    if any(folder.glob("part-*.parquet")):
        raise CallError(f"{folder} has answers and no {FOLDER}/{NAME}: name another --out")
    try:
        (folder / FOLDER).mkdir(exist_ok=True)
    except OSError as error:
        raise WorkError(f"cannot write {folder / FOLDER}: {error.strerror or error}") from error
    files = {listing_path(folder, number): listing for number, listing in enumerate(found.listings) if listing}
    write_together(files | {folder / FOLDER / NAME: json.dumps(plan.to_dict(), indent=1).encode() + b"\n"})


def _require_same(folder: Path, old: Plan, new: Plan) -> None:
    differences = [
        (f"number {old.number}", f"{new.number}", old.number != new.number),
        (f"model {old.model_sha256[:12]}", new.model_sha256[:12], old.model_sha256 != new.model_sha256),
        (f"{len(old.inputs)} inputs", f"{len(new.inputs)}", len(old.inputs) != len(new.inputs)),
    ]
    for before, now in zip(old.inputs, new.inputs, strict=False):
        differences += [(f"{before.path}", now.path, before.path != now.path)]
        differences += [
            (f"{before.path} with {before.pictures:,} pictures", f"{now.pictures:,}", before.pictures != now.pictures)
        ]
        differences += [(f"{before.path} as it was", "a changed one", before != now)]
    for was, now_is, differs in differences:
        if differs:
            raise CallError(f"{folder} was begun with {was}, found {now_is}: name another --out")

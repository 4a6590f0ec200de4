"""The pictures of one shard, read where its input says."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mnistsum_runtime.batch.plan import Plan, listing_path
from mnistsum_runtime.batch.sources import IMAGE_COLUMN, NUMBER_COLUMN, Input, Shard, is_picture_member
from mnistsum_runtime.errors import PictureError, WorkError
from mnistsum_runtime.preparation.folder import regular_file
from mnistsum_runtime.preparation.picture import MAX_BYTES

if TYPE_CHECKING:
    from mnistsum_runtime.preparation.picture import Source

_ROWS = 64
"""Rows of a Parquet file that are in memory at once."""


class Item(NamedTuple):
    """One picture of a shard."""

    name: str
    """Its path, or what its tar or Parquet file calls it."""
    source: Source | PictureError
    """What `Predictor` reads, or why there is nothing to read."""
    number: int | None
    """Its own number, where the input has some; None: the plan's."""


def read_shard(folder: Path, plan: Plan, shard: Shard) -> Iterator[Item]:
    """All pictures of a shard, in their order.

    Args:
        folder: Where the plan is.
        plan: The plan.
        shard: One of its shards.

    Raises:
        WorkError: The input is no longer what it was, or cannot be read.
    """
    source = plan.inputs[shard.input]
    try:
        if source.kind == "files":
            yield from _files(listing_path(folder, shard.input), shard)
            return
        _require_unchanged(source)
        yield from _tar(source, shard) if source.kind == "tar" else _parquet(source, shard)
    except (OSError, tarfile.TarError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WorkError(f"{source.path}: cannot be read: {reason}") from error


def _require_unchanged(source: Input) -> None:
    stat = Path(source.path).stat()
    if (stat.st_size, stat.st_mtime_ns) != (source.bytes, source.modified):
        raise WorkError(f"{source.path}: was changed while it was read: start again with another --out")


def _files(listing: Path, shard: Shard) -> Iterator[Item]:
    with listing.open("rb") as file:
        file.seek(shard.start)
        for _ in range(shard.count):
            path = os.fsdecode(file.readline()[:-1].split(b" ", 2)[2]).replace("\0", "\n")
            found = regular_file(path)
            if found is None:
                found = PictureError("not_readable", f"{path}: cannot be read: Is a directory")
            yield Item(path, found, None)


def _tar(source: Input, shard: Shard) -> Iterator[Item]:
    with Path(source.path).open("rb") as file:
        file.seek(shard.start)
        with tarfile.open(fileobj=file, mode="r:") as tar:
            left = shard.count
            while left and (member := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # it would remember them all
                if is_picture_member(member):
                    left -= 1
                    yield Item(member.name, _read_member(tar, member), None)


def _read_member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes | PictureError:
    if member.size > MAX_BYTES:
        limit = MAX_BYTES // 1_000_000
        return PictureError("too_large", f"{member.name}: more than {limit} MB, the most that is read")
    file = tar.extractfile(member)
    return b"" if file is None else file.read()


def _parquet(source: Input, shard: Shard) -> Iterator[Item]:
    from pyarrow import parquet

    with parquet.ParquetFile(source.path) as file:
        groups = range(shard.start, shard.start + shard.count)
        row = sum(file.metadata.row_group(group).num_rows for group in range(shard.start))
        columns = [IMAGE_COLUMN, *([NUMBER_COLUMN] if source.numbers else [])]
        for batch in file.iter_batches(_ROWS, row_groups=list(groups), columns=columns):
            rows: list[dict[str, Any]] = batch.to_pylist()
            for values in rows:
                yield _row(row, values, numbers=source.numbers)
                row += 1


def _row(row: int, values: dict[str, Any], *, numbers: bool) -> Item:
    image, name = values[IMAGE_COLUMN], f"row {row}"
    if isinstance(image, dict):
        name = image.get("path") or name
        image = image["bytes"]
    number = values.get(NUMBER_COLUMN)
    if image is None:
        return Item(name, PictureError("empty", f"{name}: there is no picture"), number)
    if numbers and not (isinstance(number, int) and 0 <= number <= 9):
        reason = f"{name}: its number must be a whole number from 0 to 9, found {number!r}"
        return Item(name, PictureError("bad_number", reason), None)
    return Item(name, image, number)

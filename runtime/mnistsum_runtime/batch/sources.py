"""What the arguments of `mnistsum-batch` stand for: folders, tar files, list files, Parquet files and single pictures.

Each becomes an `Input` of the plan, and the `Shard`s that it is cut into. What a shard says is enough for any process
that sees the same files to read its pictures, and no others: see `reading`.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from mnistsum_runtime.errors import CallError, WorkError
from mnistsum_runtime.preparation.folder import is_called_picture
from mnistsum_runtime.preparation.picture import describe_missing

PARQUET, TAR, LISTS = (".parquet",), (".tar",), (".txt", ".lst")
"""Endings by which the files are told apart; a file with another ending is a picture."""
IMAGE_COLUMN, NUMBER_COLUMN = "image", "number"
"""Of a Parquet file: encoded pictures, as bytes or as a structure with a field `bytes`; and their numbers."""
_SHARDS, _FEWEST, _MOST = 64, 500, 10_000
"""How many shards there are at least, if each gets so many pictures, and at most so many."""


@dataclass(frozen=True)
class Input:
    """A file or folder that was named, as it was when the plan was made."""

    kind: str
    """`files` (a folder, a list, or one picture), `tar` or `parquet`."""
    path: str
    """Absolute."""
    pictures: int
    """How many it has."""
    bytes: int
    """Its size; of `files`, of all together."""
    modified: int
    """When it was changed last, in nanoseconds since 1970; of `files`, the newest of them."""
    listing: str = ""
    """Of `files`: SHA-256 of their paths, sizes and times."""
    numbers: bool = False
    """Whether its pictures have numbers of their own."""


@dataclass(frozen=True)
class Shard:
    """A part of an input that is answered as one, into one file."""

    input: int
    """Which input, from 0."""
    start: int
    """Where its pictures begin: bytes into a tar or into the listing of `files`; the row group of a Parquet file."""
    count: int
    """How many pictures, of Parquet how many row groups."""
    pictures: int
    """How many pictures."""


@dataclass
class Found:
    """All inputs, before they are cut."""

    inputs: list[Input]
    places: list[list[tuple[int, int]]]
    """Of each input, where each of its pictures (of Parquet, each row group) begins, and how many pictures it has."""
    listings: list[bytes]
    """Of each input of `files` one line a file; of others nothing."""

    def cut(self) -> list[Shard]:
        """Into shards whose size depends on the inputs alone, so that any number of workers goes on with them."""
        most = max(_FEWEST, min(_MOST, sum(each.pictures for each in self.inputs) // _SHARDS))
        shards = []
        for number, places in enumerate(self.places):
            first, pictures = 0, 0
            for index, (_, count) in enumerate(places):
                if pictures and pictures + count > most:
                    shards.append(Shard(number, places[first][0], index - first, pictures))
                    first, pictures = index, 0
                pictures += count
            if pictures:
                shards.append(Shard(number, places[first][0], len(places) - first, pictures))
        return shards


def find_inputs(arguments: list[str]) -> Found:
    """Look at all that was named; nothing is decoded.

    Raises:
        CallError: There is no such file or folder, no picture in it, or no column of pictures.
        WorkError: It cannot be read, or is damaged.
    """
    found = Found([], [], [])
    for argument in arguments:
        path = Path(os.path.abspath(argument))  # noqa: PTH100  (links stay as they were named)
        try:
            _add(found, path, argument)
        except OSError as error:
            raise WorkError(f"{error.filename or argument}: cannot be read: {error.strerror or error}") from error
        if not found.inputs[-1].pictures:
            raise CallError(f"{argument}: no pictures in it")
    return found


def _add(found: Found, path: Path, argument: str) -> None:
    suffix = path.suffix.lower()
    if path.is_dir():
        _add_files(found, path, _in_folder(path))
    elif not path.exists():
        raise CallError(f"{argument}: {describe_missing(argument, 'file or folder')}")
    elif suffix in TAR:
        _add_tar(found, path)
    elif suffix in PARQUET:
        _add_parquet(found, path)
    elif suffix in LISTS:
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        _add_files(found, path, (os.path.abspath(line) for line in lines if line.strip()))  # noqa: PTH100
    elif argument.lower().endswith((".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar.zst")):
        raise CallError(f"{argument}: a compressed tar cannot be read from its middle: decompress it first")
    else:
        _add_files(found, path, iter((str(path),)))


def _in_folder(folder: Path) -> Iterator[str]:
    """All that is called a picture, in a fixed order, links to folders not followed."""

    def fail(error: OSError) -> None:
        raise error

    for place, folders, names in os.walk(folder, onerror=fail):
        folders.sort()
        yield from (f"{place}{os.sep}{name}" for name in sorted(names) if is_called_picture(name))


def _add_files(found: Found, path: Path, files: Iterator[str]) -> None:
    """What is no regular file, or not there, keeps its place and becomes an error of its own."""
    lines: list[bytes] = []
    places: list[tuple[int, int]] = []
    at = size = newest = 0
    for file in files:
        try:
            stat = Path(file).stat()
            facts = (stat.st_size, stat.st_mtime_ns)
        except (OSError, ValueError):
            facts = (0, 0)
        size, newest = size + facts[0], max(newest, facts[1])
        line = b"%d %d %s\n" % (*facts, os.fsencode(file.replace("\n", "\0")))
        lines.append(line)
        places.append((at, 1))
        at += len(line)
    listing = b"".join(lines)
    found.inputs.append(Input("files", str(path), len(places), size, newest, sha256(listing).hexdigest()))
    found.places.append(places)
    found.listings.append(listing)


def _add_tar(found: Found, path: Path) -> None:
    places = []
    try:
        with tarfile.open(path, "r:") as tar:
            while (member := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # it would remember them all
                if is_picture_member(member):
                    places.append((member.offset, 1))
    except tarfile.TarError as error:
        raise WorkError(f"{path}: not a tar file, or damaged: {error}") from error
    _add_one(found, "tar", path, places)


def is_picture_member(member: tarfile.TarInfo) -> bool:
    """Whether a member of a tar is a picture: by its name, as in a folder."""
    return member.isreg() and is_called_picture(member.name)


def _add_parquet(found: Found, path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
    except pyarrow.ArrowException as error:
        raise WorkError(f"{path}: not a Parquet file, or damaged: {error}") from error
    with file:
        if IMAGE_COLUMN not in file.schema_arrow.names:
            names = ", ".join(file.schema_arrow.names[:10])
            raise CallError(f"{path}: expected a column `{IMAGE_COLUMN}` of encoded pictures, found {names}")
        kind = file.schema_arrow.field(IMAGE_COLUMN).type
        if not is_binary(kind) and not (pyarrow.types.is_struct(kind) and kind.get_field_index("bytes") >= 0):
            raise CallError(f"{path}: its column `{IMAGE_COLUMN}` is {kind}, expected binary or a struct with `bytes`")
        places = [(group, file.metadata.row_group(group).num_rows) for group in range(file.num_row_groups)]
        numbers = NUMBER_COLUMN in file.schema_arrow.names
    _add_one(found, "parquet", path, places, numbers=numbers)


def is_binary(kind: Any) -> bool:
    """Whether a column of such an Arrow type has bytes."""
    from pyarrow import types

    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _add_one(found: Found, kind: str, path: Path, places: list[tuple[int, int]], *, numbers: bool = False) -> None:
    stat = path.stat()
    count = sum(pictures for _, pictures in places)
    found.inputs.append(Input(kind, str(path), count, stat.st_size, stat.st_mtime_ns, numbers=numbers))
    found.places.append(places)
    found.listings.append(b"")


def to_dict(what: Input | Shard) -> dict[str, Any]:
    """As plain JSON values."""
    return asdict(what)

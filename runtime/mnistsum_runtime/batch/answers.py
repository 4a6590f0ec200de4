"""The answers of a shard as a Parquet file: a row a picture, whether it has an answer or an error."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow
from pyarrow import parquet

from mnistsum_runtime.atomic import write_atomically
from mnistsum_runtime.errors import PictureError, WorkError

if TYPE_CHECKING:
    from mnistsum_runtime.prediction import Prediction

SCHEMA = pyarrow.schema(
    [
        ("input", pyarrow.string()),
        ("image", pyarrow.string()),
        ("number", pyarrow.int8()),
        ("digit", pyarrow.int8()),
        ("value", pyarrow.int16()),
        ("digit_confidence", pyarrow.float32()),
        ("value_confidence", pyarrow.float32()),
        ("reliable", pyarrow.bool_()),
        ("reason", pyarrow.string()),
        ("error_kind", pyarrow.string()),
        ("error_message", pyarrow.string()),
        ("model_sha256", pyarrow.string()),
    ]
)
"""What the columns are; those of an answer are null where there is an error, and the other way round."""
_COUNTS = b"mnistsum.counts"


@dataclass
class Counts:
    """What came of pictures."""

    pictures: int = 0
    reliable: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    """How many have no answer, by kind."""

    def __iadd__(self, other: Counts) -> Counts:
        """Count other pictures too."""
        self.pictures += other.pictures
        self.reliable += other.reliable
        self.errors += other.errors
        return self

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        unanswered = self.errors.total()
        return {
            "pictures": self.pictures,
            "answered": self.pictures - unanswered,
            "reliable": self.reliable,
            "errors": dict(sorted(self.errors.items())),
        }


class Answers:
    """The rows of one shard."""

    def __init__(self, path: str, model_sha256: str) -> None:
        """Begin with none.

        Args:
            path: Of the input.
            model_sha256: Of the model that answers.
        """
        self._input, self._model = path, model_sha256
        self._rows: list[tuple[object, ...]] = []
        self.counts = Counts()

    def add(self, name: str, number: int | None, found: Prediction | PictureError) -> None:
        """One picture: its name, the number that was given, and what came of it."""
        self.counts.pictures += 1
        if isinstance(found, PictureError):
            self.counts.errors[found.kind] += 1
            answer: tuple[object, ...] = (None,) * 6 + (found.kind, _text(found.message))
        else:
            self.counts.reliable += found.reliable
            confidences = (found.digit_confidence, found.value_confidence)
            answer = (found.digit, found.value, *confidences, found.reliable, found.reason, None, None)
        self._rows.append((_text(self._input), _text(name), number, *answer, self._model))

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all.

        Raises:
            WorkError: It cannot be written.
        """
        columns = zip(*self._rows, strict=True)
        arrays = [pyarrow.array(list(values), kind.type) for values, kind in zip(columns, SCHEMA, strict=True)]
        counts = {_COUNTS: json.dumps(self.counts.to_dict()).encode()}
        buffer = BytesIO()
        parquet.write_table(pyarrow.table(arrays, schema=SCHEMA.with_metadata(counts)), buffer, compression="zstd")
        write_atomically(path, buffer.getvalue())


def read_counts(path: Path) -> Counts:
    """What came of the pictures of a file that is there.

    Raises:
        WorkError: It is not such a file.
    """
    try:
        found = json.loads(parquet.read_schema(path).metadata[_COUNTS])
        return Counts(found["pictures"], found["reliable"], Counter(found["errors"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkError(f"{path}: damaged: {error}: remove it, and call again") from error


def _text(name: str) -> str:
    """A name may have bytes that are no text, which Arrow does not take."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

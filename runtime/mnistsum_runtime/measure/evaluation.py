"""How good the answers are on a folder of labelled pictures."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mnistsum_runtime.contract import NUMBERS
from mnistsum_runtime.errors import CallError, PictureError
from mnistsum_runtime.preparation.folder import is_called_picture, regular_file
from mnistsum_runtime.preparation.picture import describe_missing
from mnistsum_runtime.terminal import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mnistsum_runtime.operations import Operation
    from mnistsum_runtime.prediction import JsonValue, Prediction


@dataclass(frozen=True)
class Labelled:
    """A picture of which it is known what it shows."""

    path: Path
    label: int
    """The digit 0..9."""
    number: int
    """The second number that goes with it, 0..9."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """One picture's answer beside its label."""

    picture: Labelled
    operation: Operation
    answer: Prediction | PictureError

    @property
    def digit_right(self) -> bool:
        """Whether the digit was read; not, where there is no answer."""
        return not isinstance(self.answer, PictureError) and self.answer.digit == self.picture.label

    @property
    def both_right(self) -> bool:
        """Whether the digit and the second output are right."""
        expected = self.operation.function(self.picture.label, self.picture.number)
        return self.digit_right and not isinstance(self.answer, PictureError) and self.answer.value == expected

    @property
    def reliable(self) -> bool:
        """Whether there is an answer and it is called reliable."""
        return not isinstance(self.answer, PictureError) and self.answer.reliable

    def to_json(self) -> dict[str, JsonValue]:
        """The line of `mnistsum-run --json`, with the label."""
        from mnistsum_runtime.prediction import error_to_json

        name, number, answer = str(self.picture.path), self.picture.number, self.answer
        if isinstance(answer, PictureError):
            return {"label": self.picture.label} | error_to_json(name, number, self.operation, answer)
        return {"label": self.picture.label} | answer.to_json(name)


@dataclass(frozen=True)
class Tally:
    """Counts over some pictures. Those without an answer count as wrong."""

    name: str
    """The folder of the pictures, or what else they have in common."""
    pictures: int
    unanswered: int
    digit_right: int
    both_right: int
    reliable: int
    reliable_and_right: int
    """Called reliable, with the digit and the second output right."""

    @classmethod
    def of(cls, name: str, outcomes: Sequence[Outcome]) -> Tally:
        """Count the outcomes."""
        return cls(
            name,
            len(outcomes),
            digit_right=sum(outcome.digit_right for outcome in outcomes),
            both_right=sum(outcome.both_right for outcome in outcomes),
            reliable=sum(outcome.reliable for outcome in outcomes),
            reliable_and_right=sum(outcome.reliable and outcome.both_right for outcome in outcomes),
            unanswered=sum(isinstance(outcome.answer, PictureError) for outcome in outcomes),
        )

    def to_dict(self) -> dict[str, Any]:
        """The tally as plain JSON values: the counts, and fractions 0..1 (null where nothing was counted)."""
        return asdict(self) | {
            "digit_accuracy": _share(self.digit_right, self.pictures),
            "both_accuracy": _share(self.both_right, self.pictures),
            "reliable_share": _share(self.reliable, self.pictures),
            "accuracy_where_reliable": _share(self.reliable_and_right, self.reliable),
        }


class FoundPictures(NamedTuple):
    """What is in a folder and the folders in it."""

    labelled: list[Labelled]
    unlabelled: list[Path]
    """Pictures whose label nobody knows."""
    unread: list[PictureError]
    """Folders that cannot be read, and what is called a picture and is no file."""


def find_labelled(folder: Path, number: int | None) -> FoundPictures:
    """All pictures in a folder and the folders in it, in the order of their paths.

    Args:
        folder: Where to look.
        number: The second number of every picture; None gives them 0 to 9 in turn.

    Raises:
        CallError: There is no such folder, it cannot be read, or it has no labelled picture.
    """
    if not folder.is_dir():
        raise CallError(f"{folder}: {describe_missing(str(folder), 'folder')}")
    files, unread = _walk(folder)
    labels = {path: label_of(path) for path in files}
    labelled = [(path, label) for path, label in labels.items() if label is not None]
    if not files:
        raise CallError(unread[0].message if unread else f"{folder}: no pictures in it, nor in the folders in it")
    if not labelled:
        raise CallError(
            f"{folder}: none of its {len(files)} pictures has a label; expected the digit as the name of a folder "
            "(7/photo.jpg) or as the last digit of a name (photo-7.jpg)"
        )
    pictures = [
        Labelled(path, label, index % NUMBERS if number is None else number)
        for index, (path, label) in enumerate(labelled)
    ]
    return FoundPictures(pictures, [path for path, label in labels.items() if label is None], unread)


def _walk(folder: Path) -> tuple[list[Path], list[PictureError]]:
    files: list[Path] = []
    unread: list[PictureError] = []

    def note(error: OSError) -> None:
        unread.append(PictureError("not_readable", f"{error.filename}: cannot be read: {error.strerror or error}"))

    for inner, _, names in os.walk(folder, onerror=note):
        for name in filter(is_called_picture, names):
            found = regular_file(os.path.join(inner, name))  # noqa: PTH118
            if isinstance(found, PictureError):
                unread.append(found)
            elif found is not None:
                files.append(Path(found))
    return sorted(files), unread


def label_of(path: Path) -> int | None:
    """The digit that a path says: the name of its folder if that is a digit, else the last digit before the ending."""
    if re.fullmatch("[0-9]", path.parent.name):
        return int(path.parent.name)
    digits = re.findall("[0-9]", path.stem)
    return int(digits[-1]) if digits else None


def by_folder(outcomes: Sequence[Outcome], root: Path) -> Iterator[Tally]:
    """A tally for each folder under `root` that has pictures, in the order of their names."""
    folders = sorted({outcome.picture.path.parent for outcome in outcomes})
    for folder in folders:
        inside = [outcome for outcome in outcomes if outcome.picture.path.parent == folder]
        yield Tally.of(str(folder.relative_to(root)), inside)


def format_table(rows: Sequence[Tally]) -> str:
    """The tallies as a table for people."""
    names = [one_line(row.name) for row in rows]
    width = max(6, *map(len, names))
    lines = [f"{'folder':<{width}}{'pictures':>10}{'digit':>10}{'both':>10}{'reliable':>10}{'right of those':>16}"]
    for name, row in zip(names, rows, strict=True):
        shares = (row.digit_right, row.both_right, row.reliable)
        cells = "".join(f"{_percent(count, row.pictures):>10}" for count in shares)
        lines.append(f"{name:<{width}}{row.pictures:>10,}{cells}{_percent(row.reliable_and_right, row.reliable):>16}")
    return "\n".join(lines)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.2%}" if whole else "-"

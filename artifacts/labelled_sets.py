"""Digits of people who are not in MNIST, read from a user's folder, for `measure_writers.py`.

Semeion and OptDigits are of the UCI Machine Learning Repository. None of the sets is committed to the project.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from mnistsum_runtime.errors import CallError, WorkError
from mnistsum_runtime.measure.evaluation import find_labelled

if TYPE_CHECKING:
    from mnistsum_runtime.preparation.picture import Source

ENLARGED = 8
"""Times, so that a stroke of two bits is as wide as a pen's in a scan."""
MARGIN = 40
"""Pixels of paper on each side."""
SEMEION_SIDE = 16
OPTDIGITS_SIDE = 32

Bits = NDArray[np.uint8]
"""[side, side], 1 where there is ink, else 0."""


@dataclass(frozen=True, eq=False)
class LabelledSet:
    """Pictures of digits as the runtime takes them, and what they show."""

    name: str
    source: Path
    """The file or folder that they were read from."""
    pictures: Sequence[Source]
    labels: Sequence[int]


def read_sets(folder: Path) -> list[LabelledSet]:
    """All sets that a folder has, in a fixed order.

    Raises:
        CallError: It has none of them; the message says what was looked for, and where the sets come from.
        WorkError: A set is damaged.
    """
    found = [read_drawings(folder / DRAWINGS)] if (folder / DRAWINGS).is_dir() else []
    for name, (file, read) in BIT_SETS.items():
        path = next((path for path in (folder / "writers" / file, folder / file) if path.exists()), None)
        if path is not None:
            digits = read(path)
            if not digits:
                raise WorkError(f"{path}: no digits in it")
            found.append(
                LabelledSet(name, path, [on_paper(bits) for bits, _ in digits], [label for _, label in digits])
            )
    if not found:
        files = " and ".join(file for file, _ in BIT_SETS.values())
        raise CallError(
            f"{folder}: {'none of the sets is in it' if folder.is_dir() else 'no such folder'}; looked for {DRAWINGS}/ "
            f"(pictures with the digit at the end of their names) and, in writers/ or directly, for {files}: Semeion "
            "Handwritten Digit and Optical Recognition of Handwritten Digits of the UCI Machine Learning Repository"
        )
    return found


def read_drawings(folder: Path) -> LabelledSet:
    """Pictures whose names end with the digit that they show.

    Raises:
        CallError: A picture has no label, or there are no pictures.
    """
    pictures, unlabelled, _ = find_labelled(folder, number=0)
    if unlabelled:
        raise CallError(f"{unlabelled[0]}: expected the digit that it shows at the end of its name")
    return LabelledSet(DRAWINGS, folder, [each.path for each in pictures], [each.label for each in pictures])


def read_semeion(path: Path) -> list[tuple[Bits, int]]:
    """Semeion's digits and labels: a digit a line, 256 values 0 or 1 by rows, then the label one-hot.

    Raises:
        WorkError: The file is damaged, or something else.
    """
    digits = []
    for index, line in enumerate(read_lines(path), start=1):
        if not re.fullmatch(r"\s*([01](\.0*)?\s+){265}[01](\.0*)?\s*", line):
            raise WorkError(f"{path}, line {index}: expected 266 values, each 0 or 1")
        values = np.array([value[0] == "1" for value in line.split()], np.uint8)
        if values[-10:].sum() != 1:
            raise WorkError(f"{path}, line {index}: expected a 1 among the last ten values, found {values[-10:].sum()}")
        digits.append((values[:-10].reshape(SEMEION_SIDE, SEMEION_SIDE), int(values[-10:].argmax())))
    return digits


def read_optdigits(path: Path) -> list[tuple[Bits, int]]:
    """OptDigits' digits and labels: a header, then for each digit 32 lines of 32 characters and a line with the label.

    A line `EOF` may end it.

    Raises:
        WorkError: The file is damaged, or something else.
    """
    lines = read_lines(path)
    if lines[-1:] == ["EOF"]:
        lines.pop()
    row, side = re.compile(f"[01]{{{OPTDIGITS_SIDE}}}"), OPTDIGITS_SIDE
    header = next((index for index, line in enumerate(lines) if row.fullmatch(line)), len(lines))
    digits = []
    for start in range(header, len(lines), side + 1):
        *rows, label = lines[start : start + side + 1]
        if len(rows) != side or not all(map(row.fullmatch, rows)) or not re.fullmatch(r"\s*[0-9]\s*", label):
            raise WorkError(f"{path}, line {start + 1}: expected {side} lines of {side} bits, then a label")
        digits.append((np.array([list(bits) for bits in rows]).astype(np.uint8), int(label)))
    promised = re.search(r"^ntot = (\d+)", "\n".join(lines[:header]), re.MULTILINE)
    if promised is None or int(promised[1]) != len(digits):
        said = "no number of digits" if promised is None else f"{promised[1]} digits"
        raise WorkError(f"{path}: its header says {said}, found {len(digits)}")
    return digits


BIT_SETS: dict[str, tuple[str, Callable[[Path], list[tuple[Bits, int]]]]] = {
    "Semeion": ("semeion.data.gz", read_semeion),
    "OptDigits": ("optdigits-orig.windep.gz", read_optdigits),
}
"""For each its file and what reads it."""
DRAWINGS = "drawings"
SETS = (DRAWINGS, *BIT_SETS)
"""All names, in their order."""


def read_lines(path: Path) -> list[str]:
    """The lines of a packed text file.

    Raises:
        WorkError: It cannot be read, is damaged, or is no text.
    """
    try:
        return gzip.decompress(path.read_bytes()).decode("ascii").splitlines()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise WorkError(f"{path}: cannot be read as packed text: {error}") from error


def on_paper(bits: Bits) -> Image.Image:
    """A digit in dark ink on white, enlarged, with paper around it."""
    small = Image.fromarray((1 - bits) * np.uint8(255))
    large = small.resize((ENLARGED * small.width, ENLARGED * small.height), Image.Resampling.BICUBIC)
    return ImageOps.expand(large, MARGIN, fill=255)

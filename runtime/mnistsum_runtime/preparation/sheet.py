"""The sheet of paper, where a photo also shows what it lies on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mnistsum_runtime.preparation.components import label
from mnistsum_runtime.preparation.morphology import shrink

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Levels = NDArray[np.uint8]
    Mask = NDArray[np.bool_]

SMALLEST = 0.2
"""A sheet fills at least this share of the picture."""
FULLEST = 0.6
"""A sheet that fills more than this share need not look like one: no digit fills so much."""
LEAST_FILLED, LEAST_OF_BOX = 0.75, 0.82
"""What is not ink fills at least this share of a sheet's outline, and the outline this share of its box."""
TURNED_FILLED, TURNED_OF_BOX, TURNED_LEAST = 0.88, 0.65, 0.3
"""A sheet that is turned or seen from the side is lighter than the table. Its paper without the ink fills at least the
first share of its outline, the outline the second share of its box, and the sheet the third share of the picture. A
thick 0 fills 0.75 of its outline and that 0.79 of its box, a bold 8 more, but neither so much of the picture."""
NOTE_LEAST, NOTE_FILLED, NOTE_NARROWEST = 0.1, 0.88, 0.5
"""A small note turned by any angle fills at least these shares of the picture and of the smallest rectangle around it,
of which one side is at least this share of the other. A thick 0 fills 0.79 of that, and a 1 is narrower."""
SHARP, SHARP_SHARE = 0.5, 0.75
"""Along this share of a sheet's outline, the levels change by the first share of the whole step."""
STEP = 24
"""The table differs from the sheet by at least this many levels."""
SEARCH_SIDE = 256
"""The sheet is looked for on a copy whose longer side is at most this long."""
MARGIN = 3
"""Pixels that are taken off the sheet all around, on the copy it is looked for on: the shadow and the thickness of its
edge."""


_ANGLES = np.radians(np.arange(0, 90, 3))
_AXES = np.concatenate(
    (np.stack((np.cos(_ANGLES), np.sin(_ANGLES)), axis=1), np.stack((-np.sin(_ANGLES), np.cos(_ANGLES)), axis=1))
).astype(np.float32)
"""Both axes of a rectangle that is turned by each angle: [2 x 30, (column, row)]."""


@dataclass(frozen=True, eq=False, slots=True)
class Sheet:
    """The part of a picture that is looked at."""

    levels: Levels
    """[height, width]: the box around the sheet; beside the sheet its median level."""
    top: int
    left: int
    """The box's corner in the picture."""


def cut_out_sheet(levels: Levels) -> Sheet:
    """The sheet in a picture that also shows what it lies on, else the whole picture."""
    from PIL import Image

    height, width = levels.shape
    factor = -(-max(height, width) // SEARCH_SIDE)
    small = levels
    if factor > 1:
        small = np.asarray(Image.fromarray(levels).reduce((min(factor, width), min(factor, height))))
    found = find_sheet(small)
    inside = None if found is None else shrink(found, MARGIN)
    if inside is None or not inside.any():
        return Sheet(levels, 0, 0)
    large = np.repeat(np.repeat(inside, factor, axis=0), factor, axis=1)[:height, :width]
    rows, columns = np.flatnonzero(large.any(axis=1)), np.flatnonzero(large.any(axis=0))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    cut = levels[box].copy()
    cut[~large[box]] = np.median(cut[large[box]])
    return Sheet(cut, int(rows[0]), int(columns[0]))


def find_sheet(levels: Levels) -> Mask | None:
    """The pixels of a sheet that lies wholly within the picture, its inside filled; None where there is none.

    The border must be of another level than the middle, the change between them sharp (a vignette's is not), and the
    inside must be full, as no stroke is, and about as wide as its box.

    Args:
        levels: uint8 [height, width], at most a few hundred pixels long.
    """
    height, width = levels.shape
    if min(height, width) < 32:
        return None
    border = np.concatenate((levels[0], levels[-1], levels[1:-1, 0], levels[1:-1, -1]))
    outside = float(np.median(border))
    inside = float(np.median(levels[height // 4 : -(height // 4), width // 4 : -(width // 4)]))
    threshold = (inside + outside) / 2
    if abs(inside - outside) < STEP or np.mean((border > threshold) == (inside > outside)) > 0.3:
        return None
    parts = label((levels > threshold) == (inside > outside))
    largest = int(parts.area.argmax())
    part = parts.mask_of(np.arange(len(parts)) == largest)
    sheet = outline(part)
    area = int(sheet.sum())
    box = int((parts.bottom - parts.top)[largest] * (parts.right - parts.left)[largest])
    share, filled, of_box = area / levels.size, int(parts.area[largest]) / area, area / box
    straight = share > SMALLEST and filled > LEAST_FILLED and of_box > LEAST_OF_BOX
    turned = share > TURNED_LEAST and filled > TURNED_FILLED and of_box > TURNED_OF_BOX and inside > outside
    if not (straight or turned or share > FULLEST or (share > NOTE_LEAST and filled > LEAST_FILLED and is_note(sheet))):
        return None
    if not has_sharp_outline(levels, sheet, abs(inside - outside)):
        return None
    within, beyond = shrink(sheet, 3), shrink(~sheet, 3)
    within, beyond = within & ~shrink(within, 2), beyond & ~shrink(beyond, 2)
    if not within.any() or not beyond.any():
        return None
    step = abs(float(np.median(levels[within])) - float(np.median(levels[beyond])))
    return sheet if step > 0.6 * abs(inside - outside) else None


def outline(part: Mask) -> Mask:
    """A part and what it encloses, seen along the rows and along the columns."""
    return _between_ends(part) & _between_ends(part.T).T


def has_sharp_outline(levels: Levels, sheet: Mask, step: float) -> bool:
    """Whether the levels change within a few pixels nearly everywhere along a sheet's outline.

    A page that runs over the picture's edge has the table on one side; where its light falls off, the threshold between
    the two runs across the page, and through the digit.
    """
    from PIL import Image, ImageFilter

    image = Image.fromarray(levels)
    lightest, darkest = image.filter(ImageFilter.MaxFilter(7)), image.filter(ImageFilter.MinFilter(7))
    edge = sheet & ~shrink(sheet, 1)
    change = np.asarray(lightest)[edge].astype(np.int16) - np.asarray(darkest)[edge]
    return bool(len(change) and np.mean(change > SHARP * step) > SHARP_SHARE)


def is_note(sheet: Mask) -> bool:
    """Whether an outline fills the smallest rectangle around it, however that is turned, and is not long and narrow."""
    narrow, long = smallest_rectangle(sheet)
    return bool(np.count_nonzero(sheet) > NOTE_FILLED * narrow * long and narrow > NOTE_NARROWEST * long)


def smallest_rectangle(mask: Mask) -> tuple[float, float]:
    """The shorter and the longer side of the smallest rectangle around a mask, turned in steps of 3 degrees."""
    rows = np.flatnonzero(np.logical_or.reduce(mask, axis=1))
    occupied = mask[rows]
    first, last = occupied.argmax(axis=1), mask.shape[1] - 1 - occupied[:, ::-1].argmax(axis=1)
    ends = np.stack((np.concatenate((first, last)), np.concatenate((rows, rows)))).astype(np.float32)
    turned = _AXES @ ends
    across, down = (np.maximum.reduce(turned, 1) - np.minimum.reduce(turned, 1) + 1).reshape(2, -1)
    best = int((across * down).argmin())
    narrow, long = sorted((float(across[best]), float(down[best])))
    return narrow, long


def _between_ends(mask: Mask) -> Mask:
    """Everything between each row's first and last true pixel."""
    forward = np.logical_or.accumulate(mask, axis=1)
    backward = np.logical_or.accumulate(mask[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(forward & backward)

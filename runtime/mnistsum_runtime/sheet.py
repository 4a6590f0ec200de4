"""The sheet of paper, where a photo also shows what it lies on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mnistsum_runtime.components import label

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Levels = NDArray[np.uint8]
    Mask = NDArray[np.bool_]

SMALLEST = 0.2
"""A sheet fills at least this share of the picture."""
FULLEST = 0.6
"""A sheet that fills more than this share need not look like a sheet: no digit fills so much."""
STEP = 24
"""The table differs from the sheet by at least this many levels."""


def find_sheet(levels: Levels) -> Mask | None:
    """The pixels of a sheet that lies wholly within the picture, its inside filled; None where there is none.

    The border must be of another level than the middle, the change between them sharp (a vignette's is not), and the
    inside must be full, as no stroke is, and about as wide as its box.

    Args:
        levels: uint8 [height, width], at most a few hundred pixels long.
    """
    height, width = levels.shape
    if min(height, width) < 24:
        return None
    border = np.concatenate((levels[0], levels[-1], levels[1:-1, 0], levels[1:-1, -1]))
    outside = float(np.median(border))
    inside = float(np.median(levels[height // 4 : -(height // 4), width // 4 : -(width // 4)]))
    if abs(inside - outside) < STEP:
        return None
    threshold = (inside + outside) / 2
    unlike = levels > threshold if inside > outside else levels < threshold
    if np.mean((border > threshold) == (inside > outside)) > 0.3:
        return None
    parts = label(unlike)
    largest = int(parts.area.argmax())
    part = parts.mask_of(np.arange(len(parts)) == largest)
    sheet = _between_ends(part) & _between_ends(part.T).T
    area = int(sheet.sum())
    box = int((parts.bottom - parts.top)[largest] * (parts.right - parts.left)[largest])
    looks_so = parts.area[largest] > 0.75 * area and area > 0.82 * box
    if area < SMALLEST * height * width or not (looks_so or area > FULLEST * height * width):
        return None
    core, around = shrink(sheet, 3), ~shrink(~sheet, 3)
    band_in, band_out = core & ~shrink(core, 2), ~around & shrink_out(around, 2)
    if not band_in.any() or not band_out.any():
        return None
    step = abs(float(np.median(levels[band_in])) - float(np.median(levels[band_out])))
    return sheet if step > 0.6 * abs(inside - outside) else None


def _between_ends(mask: Mask) -> Mask:
    """Everything between each row's first and last true pixel."""
    forward = np.logical_or.accumulate(mask, axis=1)
    backward = np.logical_or.accumulate(mask[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(forward & backward)


def shrink(mask: Mask, steps: int) -> Mask:
    """Take `steps` pixels off a mask all around; what is beyond the picture counts as true."""
    for _ in range(steps):
        padded = np.pad(mask, 1, constant_values=True)
        mask = padded[1:-1, 1:-1] & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask


def shrink_out(mask: Mask, steps: int) -> Mask:
    """What lies within `steps` pixels of a mask, the mask included."""
    return ~shrink(~mask, steps)

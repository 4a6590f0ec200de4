"""Ruled and grid lines: found as what crosses the whole picture at one small slope, and taken out under the ink.

The lines of paper are to a digit what staff lines are to notes. As there, a line is followed through the picture and
filled from above and below, so that ink that crosses it stays.
(C. Dalitz et al.: A Comparative Study of Staff Removal Algorithms, IEEE Trans. PAMI 30, 2008.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Contrast = NDArray[np.float32]
    """[height, width], 0 at the ground, 1 where all its light is gone."""

STEEPEST = 0.12
"""Lines that rise by more than this share of their length (7 degrees) are not looked for."""
DARKEST = 0.25
"""Contrast over this counts as this: ink is no more of a line for being dark."""
FAINTEST = 0.02
"""A line stands out from the paper beside it by at least this contrast, wherever one looks along it."""
THICKEST = 0.05
"""A line is at most this thick, as a share of the picture's shorter side."""


@dataclass(frozen=True, slots=True)
class Line:
    """A nearly horizontal line across the whole picture."""

    row: float
    """Where it crosses the middle column."""
    slope: float
    """Rows down for each column to the right."""


def remove_lines(contrast: Contrast, noise: float) -> tuple[Contrast, int]:
    """Take out the lines that run across and those that run down; the new contrast, and how many there were.

    Args:
        contrast: The ink's contrast over the ground.
        noise: Standard deviation of the ground.
    """
    count = 0
    for _ in range(2):
        lines = find_lines(contrast, noise)
        if lines:
            contrast = contrast.copy()
            for line in lines:
                _erase(contrast, line, noise)
            count += len(lines)
        contrast = contrast.T
    return contrast, count


def find_lines(contrast: Contrast, noise: float) -> list[Line]:
    """Find what crosses the picture from left to right in a straight, thin line.

    The picture is cut into upright stripes, each averaged along its rows. Where a line is, nearly every stripe is darker
    at the same row, the slope allowed for; a digit's stroke is not in every stripe.
    """
    height, width = contrast.shape
    if min(height, width) < 32:
        return []
    stripes = max(8, min(24, width // 24))
    edges = np.linspace(0, width, stripes + 1).astype(int)
    capped = contrast.clip(0, DARKEST)
    profiles = np.add.reduceat(capped, edges[:-1], axis=1) / np.diff(edges)  # [height, stripes]
    least = max(FAINTEST, 3 * noise / (width / stripes) ** 0.5)
    if min(profiles[:, 0].max(), profiles[:, -1].max()) < least:
        return []  # nothing reaches both ends
    centres = (edges[:-1] + edges[1:] - width) / 2
    slopes = np.linspace(-STEEPEST, STEEPEST, 2 * round(STEEPEST * width / 2) + 1)
    # [slopes, height, stripes]: where each stripe meets a line through (row, middle column).
    rows = np.arange(height)[None, :, None] + np.rint(slopes[:, None, None] * centres).astype(int)
    inside = rows.clip(0, height - 1)
    along = np.where(rows == inside, profiles[inside, np.arange(stripes)], np.float32(np.nan))
    # All but an eighth of the stripes: a line may be interrupted. Outside the picture anything may be.
    missing = max(1, stripes // 8)
    outside = np.isnan(along).sum(axis=2)
    along = np.where(np.isnan(along), np.float32(9), along)
    weakest = np.partition(along, missing, axis=2)[:, :, missing]
    # A bar of a digit may be long, but it ends before the picture does.
    weakest = np.minimum(weakest, np.minimum(along[:, :, 0], along[:, :, -1]))
    weakest[outside > stripes // 2] = 0
    gap = max(3, round(THICKEST * min(height, width)))
    padded = np.pad(weakest, ((0, 0), (gap, gap)), mode="edge")
    standing_out = weakest - np.maximum(padded[:, : -2 * gap], padded[:, 2 * gap :])
    best = standing_out.max(axis=0)
    found: list[Line] = []
    while best.max() > least:
        row = int(best.argmax())
        found.append(Line(row, float(slopes[standing_out[:, row].argmax()])))
        best[max(0, row - gap) : row + gap + 1] = 0
    return found


def _erase(contrast: Contrast, line: Line, noise: float) -> None:
    """Fill a line from the rows above and below it, in place; what is clearly darker than the line stays."""
    height, width = contrast.shape
    columns = np.arange(width)
    middle = np.rint(line.row + line.slope * (columns - width / 2)).astype(int)
    reach = max(3, round(THICKEST * min(height, width)))
    window = np.arange(-2 * reach, 2 * reach + 1)
    rows = (middle + window[:, None]).clip(0, height - 1)
    around = contrast[rows, columns]
    # Straight lines bend in a photo: each stretch of columns is followed on its own.
    stretch = max(8, width // 24)
    starts = np.arange(0, width, stretch)
    profile = np.add.reduceat(around.clip(0, DARKEST), starts, axis=1) / np.diff(np.append(starts, width))
    near = slice(2 * reach - 2, 2 * reach + 3)
    shift = profile[near].argmax(axis=0) - 2
    middle = middle + np.rint(np.interp(columns, starts + stretch / 2, shift)).astype(int)
    rows = (middle + window[:, None]).clip(0, height - 1)
    around = contrast[rows, columns]
    typical = np.median(around, axis=1)
    level = float(typical[near].max())
    dark = typical > max(level / 4, 2 * noise)
    above, below = 2 * reach, 2 * reach
    while above > reach and dark[above]:
        above -= 1
    while below < 3 * reach and dark[below]:
        below += 1
    before = around[max(0, above - 1) : above + 1].min(axis=0)
    after = around[below : below + 2].min(axis=0)
    share = np.linspace(0, 1, below - above + 1)[:, None]
    filled = before * (1 - share) + after * share
    band = around[above : below + 1]
    kept = np.where(band > 1.6 * level + 3 * noise, band, np.minimum(band, filled))
    contrast[rows[above : below + 1], columns] = kept

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
END = 1 / 40
"""A line reaches into the outermost stripes, which are this share of the picture wide: a long 1 in a small picture does
not."""
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

    The picture is cut into upright stripes, each averaged along its rows. Where a line is, nearly every stripe is
    darker at the same row, the slope allowed for; a digit's stroke is not in every stripe.
    """
    height, width = contrast.shape
    if min(height, width) < 32:
        return []
    stripes = max(8, min(24, width // 24))
    end = max(3, round(END * width))
    edges = np.concatenate(([0], np.linspace(end, width - end, stripes - 1).astype(int), [width]))
    columns = np.diff(edges).astype(np.float32)
    stripe_sums = np.add.reduceat(contrast.clip(0, DARKEST), edges[:-1], axis=1)
    profiles = np.divide(stripe_sums, columns, dtype=np.float32)  # [height, stripes]
    least = max(FAINTEST, 3 * noise / (width / stripes) ** 0.5)
    if min(profiles[:, 0].max(), profiles[:, -1].max()) < least:
        return []  # nothing reaches both ends
    pooled = max(1, min(height, width) // 300)  # rows that are looked at as one
    profiles = np.maximum.reduceat(profiles, np.arange(0, height, pooled), axis=0)
    steepest = STEEPEST * width / 2 / pooled  # rows that the steepest line rises from the middle to an end
    rises = np.arange(-round(steepest), round(steepest) + 1)
    weakest = _weakest_along(profiles, rises, (edges[:-1] + edges[1:] - width) / width)
    gap = max(3, round(THICKEST * min(height, width) / pooled))
    padded = np.pad(weakest, ((0, 0), (gap, gap)), mode="edge")
    standing_out = weakest - np.maximum(padded[:, : -2 * gap], padded[:, 2 * gap :])
    best = standing_out.max(axis=0)
    found: list[Line] = []
    while best.max() > least:
        row = int(best.argmax())
        rise = int(rises[standing_out[:, row].argmax()]) * pooled
        found.append(Line((row + 0.5) * pooled - 0.5, rise / (width / 2)))
        best[max(0, row - gap) : row + gap + 1] = 0
    return found


def _weakest_along(profiles: Contrast, rises: NDArray[np.int64], centres: NDArray[np.floating]) -> Contrast:
    """How dark the stripes are along each straight line: all of them but the lightest eighth, and both ends.

    Args:
        profiles: [rows, stripes], the stripes' mean contrast.
        rises: Rows that a line rises from the middle to the right end.
        centres: Where each stripe is, -1 left to 1 right.

    Returns:
        [rises, rows]: of the line with this rise that crosses the middle in this row.
    """
    rows, stripes = profiles.shape
    beyond = int(rises[-1]) + 1
    # A line that leaves the picture at the top or bottom may be anything there.
    padded = np.pad(profiles, ((beyond, beyond), (0, 0)), constant_values=DARKEST)
    weakest = np.empty((len(rises), rows), np.float32)
    middle, stripe = np.arange(rows)[:, None] + beyond, np.arange(stripes)
    for line, rise in zip(weakest, rises, strict=True):
        along = padded[middle + np.rint(rise * centres).astype(int), stripe]
        ends = np.minimum(along[:, 0], along[:, -1])  # a bar of a digit may be long, but it ends before the picture
        line[:] = np.minimum(np.partition(along, stripes // 8, axis=1)[:, stripes // 8], ends)
    return weakest


def _erase(contrast: Contrast, line: Line, noise: float) -> None:
    """Fill a line from the rows above and below it, in place; what is clearly darker than the line stays."""
    height, width = contrast.shape
    columns = np.arange(width)
    middle = np.rint(line.row + line.slope * (columns - width / 2)).astype(int)
    reach = max(3, round(THICKEST * min(height, width)))
    # Straight lines bend in a photo: each stretch of columns is followed on its own, in a part of its columns.
    sampled = columns[:: max(1, width // 256)]
    window = np.arange(-reach - 2, reach + 3)
    near = contrast[(middle[sampled] + window[:, None]).clip(0, height - 1), sampled]
    stretches = np.arange(0, len(sampled), max(4, len(sampled) // 24))
    profile = np.add.reduceat(near[reach - 1 : reach + 6].clip(0, DARKEST), stretches, axis=1)
    shift = np.interp(columns, sampled[stretches], profile.argmax(axis=0) - 3)
    middle = middle + np.rint(shift).astype(int)
    near = contrast[(middle[sampled] + window[:, None]).clip(0, height - 1), sampled]
    # More than half of a line may be under the upright of a 1; a third of what is free of ink is still there then.
    typical = np.percentile(near, 35, axis=1) + np.float32(0.4 * noise)
    level = float(typical[reach : reach + 5].max())
    dark = typical > max(level / 4, 2 * noise)
    above = below = reach + 2
    while above > 1 and dark[above]:
        above -= 1
    while below < len(window) - 2 and dark[below]:
        below += 1
    band = (middle + window[above - 1 : below + 2, None]).clip(0, height - 1)
    around = contrast[band, columns]
    before, after = np.minimum(around[0], around[1]), np.minimum(around[-2], around[-1])
    share = np.linspace(0, 1, len(around) - 2, dtype=np.float32)[:, None]
    inside = around[1:-1]
    filled = np.minimum(inside, before * (1 - share) + after * share)
    contrast[band[1:-1], columns] = np.where(inside > 1.6 * level + 3 * noise, inside, filled)

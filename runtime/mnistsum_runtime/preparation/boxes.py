"""Printed boxes, as forms have them around each digit: what both ways of the preparation know of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mnistsum_runtime.preparation.components import Components

BAND, COVERED = 0.1, 0.8
"""A printed box has ink within the first share of its length from its sides, along the second share of each side: the
round sides of a 0 have 0.6."""
LEAST_ALONG = 0.9
"""At least this share of a box's ink lies along its sides; it may be a few degrees askew."""
LEAST_INSIDE = 0.15
"""What stands in a box is at least this long, as a share of it: a dot within a 0 makes no box of it."""
LEAST_EVIDENCE = 0.05
"""What stands in a box has at least this share of its evidence."""


def find_boxes(parts: Components, strength: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which parts are printed boxes: a rectangle's outline with something of weight in it that does not touch it.

    Args:
        parts: What stands out from the ground.
        strength: The evidence for each part.
    """
    longest = np.maximum(parts.bottom - parts.top, parts.right - parts.left)
    boxes = np.zeros(len(parts), np.bool_)
    for part in np.flatnonzero(longest >= 0.3 * min(parts.shape)):
        inside = (
            (parts.top > parts.top[part])
            & (parts.bottom < parts.bottom[part])
            & (parts.left > parts.left[part])
            & (parts.right < parts.right[part])
            & (longest >= LEAST_INSIDE * longest[part])
            & (strength >= LEAST_EVIDENCE * strength[part])
        )
        boxes[part] = inside.any() and is_rectangle(_cut(parts, int(part)))
    return boxes


def is_boxed(mask: NDArray[np.bool_]) -> bool:
    """Whether there is ink along three or all of a mask's four sides, as a printed box has it; one may be broken."""
    band = max(1, round(BAND * max(mask.shape)))
    open_sides = 0
    for side in (mask[:band], mask[-band:], mask.T[:band], mask.T[-band:]):
        open_sides += bool(np.count_nonzero(np.logical_or.reduce(side)) < COVERED * side.shape[1])
        if open_sides == 2:  # of most digits, the first two: the others need not be looked at
            return False
    return True


def is_rectangle(mask: NDArray[np.bool_]) -> bool:
    """Whether a part's mask, cut to its box, is ink along at least three of the box's sides and little else."""
    band = max(1, round(BAND * max(mask.shape)))
    within = np.count_nonzero(mask[band:-band, band:-band])
    return bool(is_boxed(mask) and within <= (1 - LEAST_ALONG) * np.count_nonzero(mask))


def _cut(parts: Components, part: int) -> NDArray[np.bool_]:
    mask = parts.mask_of(np.arange(len(parts)) == part)
    return mask[parts.top[part] : parts.bottom[part], parts.left[part] : parts.right[part]]

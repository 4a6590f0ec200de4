"""The short way for clean scans: one threshold parts the ink from an even ground."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mnistsum_runtime.mnist_form import (
    BOX_SIZE,
    THICKEST,
    THINNEST,
    bring_near_mnist,
    fit_into_box,
    ink_box,
    place_by_mass,
)
from mnistsum_runtime.prepared import LEAST_NOISE, PreparedPicture
from mnistsum_runtime.strokes import change_width, stroke_width

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mnistsum_runtime.mnist_form import Box

LEAST_CONTRAST = 48
"""In a clean scan ink and ground are this many levels apart,"""
LARGEST_SPREAD = 0.06
"""the ground's standard deviation is at most this share of that,"""
LARGEST_SHARE = 0.6
"""the ink's share of the picture at most this (a bold digit that is cropped closely has half of it),"""
LEAST_LENGTH = 16
"""its length at least this many pixels;"""
FULL_BOX, LARGE_BOX = 0.7, 0.15
"""and it does not fill its box as a sheet does: not more than the first share of a box of more than the second share of
the picture,"""
TURNED_BOX = 0.42
"""or this share where it has the outline of a sheet that is turned."""
BAND, COVERED = 0.1, 0.8
"""A printed box around the digit has ink along this share of its sides, this share of its length deep: the round sides
of a 0 have 0.6."""
SAMPLED = 100
"""So many rows or columns are enough for a histogram."""


def prepare_scan(levels: NDArray[np.uint8], reduction: int) -> PreparedPicture | None:
    """Prepare a clean scan: an even ground, one digit and at most specks, free of the border; None for all else.

    Args:
        levels: uint8 [height, width], 0 black to 255 white.
        reduction: How many pixels of the given picture one of `levels` is wide.
    """
    histogram = level_histogram(levels)
    if np.count_nonzero(histogram) < 2:
        return None
    threshold = otsu_threshold(histogram)
    dark_ink = bool(levels[0, 0] > threshold)
    if dark_ink:
        levels, histogram, threshold = 255 - levels, histogram[::-1], 254 - threshold
    ground, full, spread, share = two_classes(histogram, threshold)
    height = full - ground
    if height < LEAST_CONTRAST or spread > LARGEST_SPREAD * height or share > LARGEST_SHARE:
        return None
    found = find_one_digit(levels > threshold)
    if found is None:
        return None
    mask, (top, bottom, left, right), parts, specks = found
    area = (bottom - top) * (right - left)
    if area > LARGE_BOX * levels.size:
        filled = share * levels.size / area
        if filled > FULL_BOX or (filled > TURNED_BOX and _is_sheet(mask)):
            return None  # a sheet on a table, not a stroke
    ink = np.clip(levels[top:bottom, left:right], ground, full) - np.float32(ground)
    ink *= np.float32(1 / height)
    if specks:
        ink *= change_width(mask[top:bottom, left:right].astype(np.float32), 3)
    boxed, thickening = fit_into_box(ink), 0.0
    scale = max(ink.shape) / BOX_SIZE
    stroke = stroke_width(boxed) * scale
    if not THINNEST * scale <= stroke <= THICKEST * scale:
        ink, stroke, thickening = bring_near_mnist(ink)
        boxed = fit_into_box(ink)
    return PreparedPicture(
        place_by_mass(boxed),
        untouched=False,
        mask=mask,
        reduction=reduction,
        box=(top * reduction, bottom * reduction, left * reduction, right * reduction),
        dark_ink=dark_ink,
        ground_level=255.0 - ground if dark_ink else float(ground),
        contrast=height / 255,
        noise=max(spread / 255, LEAST_NOISE),
        threshold=(threshold - ground) / height,
        specks_dropped=specks,
        parts=parts,
        stroke_width=stroke * reduction,
        thickening=thickening,
    )


def find_one_digit(mask: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Box, int, int] | None:
    """The digit in a mask that shows nothing else but specks, and does not touch the border; None for another mask.

    Returns:
        The digit's mask and box, how many parts it has, and how many specks there were.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    if top == 0 or left == 0 or bottom == mask.shape[0] or right == mask.shape[1]:
        return None
    parts, specks = 1, 0
    gap = len(rows) < bottom - top or len(columns) < right - left
    boxed = is_boxed(mask[top:bottom, left:right])
    if gap or boxed:
        # Seen from the side or from above there is a gap, or something stands all around: not all is one part.
        from mnistsum_runtime.components import choose_parts, label

        components = label(mask)
        chosen, small = choose_parts(components, components.area.astype(np.float64))
        parts, specks = int(chosen.sum()), int((small & ~chosen).sum())
        if parts + specks < len(components) or (boxed and parts > 1):
            return None
        mask = components.mask_of(chosen)
        top, bottom, left, right = ink_box(mask)
    if max(bottom - top, right - left) < LEAST_LENGTH:
        return None
    return mask, (top, bottom, left, right), parts, specks


def is_boxed(mask: NDArray[np.bool_]) -> bool:
    """Whether there is ink along three or all of a mask's four sides, as a printed box has it; one may be broken."""
    band = max(1, round(BAND * max(mask.shape)))
    open_sides = 0
    for side in (mask[:band], mask[-band:], mask.T[:band], mask.T[-band:]):
        open_sides += bool(np.count_nonzero(side.any(axis=0)) < COVERED * side.shape[1])
        if open_sides == 2:  # of most digits, the first two: the others need not be looked at
            return False
    return True


def _is_sheet(mask: NDArray[np.bool_]) -> bool:
    from mnistsum_runtime.sheet import LEAST_FILLED, is_note, outline

    around = outline(mask)
    return bool(np.count_nonzero(mask) > LEAST_FILLED * np.count_nonzero(around) and is_note(around))


def level_histogram(levels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each level 0..255 stands in a picture: [256]; of a large one, in a part of its rows and columns."""
    step = max(1, min(levels.shape) // SAMPLED)
    return np.bincount(levels[::step, ::step].ravel(), minlength=256)


def otsu_threshold(histogram: NDArray[np.integer]) -> int:
    """The level t that best parts a [256] histogram of two levels or more into levels <= t and levels > t.

    The between-class variance is largest there; of a flat maximum, the middle.
    (N. Otsu: A Threshold Selection Method from Gray-Level Histograms, IEEE Trans. SMC 9, 1979.)
    """
    levels = np.flatnonzero(histogram)
    first, last = int(levels[0]), int(levels[-1])  # between them, no class is empty
    below = np.cumsum(histogram[first : last + 1], dtype=np.float64)
    moment = np.cumsum(histogram[first : last + 1] * np.arange(first, last + 1), dtype=np.float64)
    total, total_moment = below[-1], moment[-1]
    below, moment = below[:-1], moment[:-1]
    variance = (total_moment * below - total * moment) ** 2 / (below * (total - below))
    best = np.flatnonzero(variance >= variance.max() * (1 - 1e-12))
    return first + int(best[0] + best[-1]) // 2


def two_classes(histogram: NDArray[np.integer], threshold: int) -> tuple[int, int, float, float]:
    """Of the levels up to a threshold and those over it: either's median, the lower's spread, the upper's share.

    The spread is the standard deviation as the 10th and the 90th percentile have it: the soft edges of ink, which are
    on the lower side as well, are no unevenness of the ground.
    """
    below = np.cumsum(histogram)
    lower, total = int(below[threshold]), int(below[-1])
    places = (0.1 * lower, 0.5 * lower, 0.9 * lower, 0.5 * (lower + total))
    low, ground, high, full = (int(level) for level in np.searchsorted(below, places))
    return ground, full, (high - low) / 2.56, (total - lower) / total

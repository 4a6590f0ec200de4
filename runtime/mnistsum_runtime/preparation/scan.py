"""The short way for clean scans: one threshold parts the ink from an even ground."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mnistsum_runtime.preparation.boxes import is_boxed
from mnistsum_runtime.preparation.mnist_form import (
    BOX_SIZE,
    THICKEST,
    THINNEST,
    bring_near_mnist,
    fit_into_box,
    ink_box,
    place_by_mass,
    span,
)
from mnistsum_runtime.preparation.morphology import change_width, stroke_width
from mnistsum_runtime.preparation.prepared import LEAST_NOISE, PreparedPicture

if TYPE_CHECKING:
    from typing import TypeVar

    from numpy.typing import NDArray

    from mnistsum_runtime.preparation.mnist_form import Box

    Level = TypeVar("Level", np.uint8, np.bool_)

LEAST_CONTRAST = 48
"""In a clean scan ink and ground are at least this many levels apart."""
LARGEST_SPREAD = 0.06
"""The standard deviation of a clean scan's ground is at most this share of the levels between ink and ground."""
LARGEST_SHARE = 0.6
"""The ink of a clean scan fills at most this share of the picture; a bold digit that is cropped closely fills half."""
LEAST_LENGTH = 16
"""The longer side of a clean scan's digit is at least this many pixels."""
FULL_BOX, LARGE_BOX = 0.7, 0.15
"""What fills more than the first share of its box, where the box is more than the second share of the picture, may be a
sheet of paper instead of a digit."""
NARROW, LARGE_NARROW = 0.5, 0.2
"""A bold 1 fills its box too, and is no sheet: its box is not wider than the first share of its length, and its ink not
more than the second share of the picture. The deep way does not take such ink for a sheet either."""
TURNED_BOX = 0.42
"""What fills more than this share of its box may be a sheet that is turned: its outline then decides."""
SAMPLED = 100
"""A histogram is counted over about this many rows or columns of the shorter side, which are enough."""
COARSE = 40
"""An outline is judged on about this many rows or columns of the shorter side, which are enough."""
LARGEST_CONTACT = 0.3
"""A digit that touches the border does so along at most this share of its length."""
LARGEST_FIELD = 64 * 64
"""A square picture of at most so many pixels is a field to draw in, see `edge`: its digit may touch all sides, and its
first corner may be ink."""
MOST_CONTACTS = 6
"""Strokes of one digit touch a field's border at so many places: of 1,000 of MNIST's training digits that were enlarged
up to all sides none does at more, noise does."""
FAINTEST, LEAST_FAINT = 0.15, 0.13
"""Faint ink is looked for where what has between the first share and half of the ink's contrast, less what has as much
more than half, is more than the second share of the ink: in one of 100 scans of MNIST's training digits."""
LEVELS = np.arange(256.0)
"""The grey level that each entry of a histogram counts."""


def prepare_scan(levels: NDArray[np.uint8], reduction: int) -> PreparedPicture | None:
    """Prepare a clean scan: an even ground, and one digit and at most specks on it; None for all else.

    Args:
        levels: uint8 [height, width], 0 black to 255 white.
        reduction: How many pixels of the given picture one of `levels` is wide.
    """
    histogram = level_histogram(levels)
    threshold = otsu_threshold(histogram)
    if threshold is None:
        return None
    field = levels.size <= LARGEST_FIELD and levels.shape[0] == levels.shape[1]
    border = around(levels) if field else levels[:1, 0]
    dark_ink = bool(2 * np.count_nonzero(border > threshold) > border.size)
    paper, pen, spread, share = two_classes(histogram, threshold, dark_ink)
    if field:
        spread = spread_along(border, threshold, dark_ink)
    height = abs(pen - paper)
    if height < LEAST_CONTRAST or spread > LARGEST_SPREAD * height or share > LARGEST_SHARE:
        return None
    found = find_one_digit(levels <= threshold if dark_ink else levels > threshold, field)
    if found is None:
        return None
    mask, (top, bottom, left, right), parts, specks, contact = found
    if may_be_sheet(mask, (top, bottom, left, right)):
        return None
    if may_be_faint(histogram, paper, pen, share):
        with_faint = add_faint(levels, mask, paper, pen)
        if with_faint is not None:
            levels, mask = with_faint
            top, bottom, left, right = ink_box(mask)
    ink = levels[top:bottom, left:right].astype(np.float32)
    ink -= paper
    ink *= np.float32(1 / (pen - paper))
    ink.clip(0, 1, ink)
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
        ground_level=float(paper),
        contrast=height / 255,
        noise=max(spread / 255, LEAST_NOISE),
        threshold=abs(threshold + dark_ink - paper) / height,
        specks_dropped=specks,
        parts=parts,
        cut=contact > 0 and _is_cut(mask, stroke),
        stroke_width=stroke * reduction,
        thickening=thickening,
    )


def may_be_faint(histogram: NDArray[np.integer], paper: int, pen: int, share: float) -> bool:
    """Whether there is more ink below half of the contrast than the soft edges of the strong ink have.

    As many of their pixels are below half as are above it, at the same distance.
    """
    half, near = (paper + pen) // 2, paper + int(FAINTEST * (pen - paper))
    far = paper + pen - near
    faint, soft = (half, near), (far, half)
    if pen > paper:
        faint, soft = (near, half), (half, far)
    more = int(np.add.reduce(histogram[slice(*faint)])) - int(np.add.reduce(histogram[slice(*soft)]))
    return more > 0 and more > LEAST_FAINT * share * int(np.add.reduce(histogram))


def add_faint(
    levels: NDArray[np.uint8], mask: NDArray[np.bool_], paper: int, pen: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]] | None:
    """The levels and the digit's mask with its faint parts as strong as the others; None where it has no such parts."""
    from mnistsum_runtime.preparation.faint import as_strong, faint_ink

    contrast = ((levels.astype(np.float32) - paper) / np.float32(pen - paper)).clip(0, 1)
    strong = mask & (contrast > 0.5)  # a threshold that parts faint ink from paper takes it for the digit's already
    faint = faint_ink(contrast, strong, stroke_width(strong.astype(np.float32)))
    if faint is None:
        return None
    return (paper + as_strong(contrast, faint) * (pen - paper)).round().astype(np.uint8), mask | faint


def find_one_digit(mask: NDArray[np.bool_], field: bool = False) -> tuple[NDArray[np.bool_], Box, int, int, int] | None:
    """The digit in a mask that shows nothing else but specks; None for another mask.

    Where it touches the border it touches one side, along a small part of its length: what does more may be a shadow,
    a finger or the table. In a small field, where none of these is, a digit may touch all sides.

    Returns:
        The digit's mask and box, how many parts it has, how many specks there were, and how many of its pixels lie on
        the border.
    """
    rows, columns = np.logical_or.reduce(mask, axis=1), np.logical_or.reduce(mask, axis=0)
    (top, bottom), (left, right) = span(rows), span(columns)
    sides = (top == 0) + (left == 0) + (bottom == mask.shape[0]) + (right == mask.shape[1])
    if sides > 1 and not field:
        return None
    parts, specks, contact = 1, 0, 0
    gap = np.count_nonzero(rows) < bottom - top or np.count_nonzero(columns) < right - left
    boxed = is_boxed(mask[top:bottom, left:right])
    if gap or boxed or sides:
        # Seen from the side or from above there is a gap, or something stands all around: not all is one part.
        from mnistsum_runtime.preparation.components import choose_parts, label

        components = label(mask)
        chosen, small = choose_parts(components, components.area.astype(np.float64))
        parts, specks = int(chosen.sum()), int((small & ~chosen).sum())
        contact = int(components.border_contact()[chosen].sum())
        if parts + specks < len(components) or (boxed and parts > 1):
            return None
        mask = components.mask_of(chosen)
        top, bottom, left, right = ink_box(mask)
        if touches_too_much(mask, contact / max(bottom - top, right - left), field):
            return None
    if max(bottom - top, right - left) < LEAST_LENGTH:
        return None
    return mask, (top, bottom, left, right), parts, specks, contact


def touches_too_much(mask: NDArray[np.bool_], contact: float, field: bool) -> bool:
    """Whether what touches the border is no digit: along much of its length, in a field at too many places.

    Args:
        mask: [height, width]: what was found.
        contact: Along which share of its length it touches the border.
        field: Whether the picture is a small field to draw in.
    """
    if not field:
        return contact > LARGEST_CONTACT
    border = around(mask)
    return int(np.count_nonzero(border[1:] > border[:-1])) + int(border[0] and not border[-1]) > MOST_CONTACTS


def around(levels: NDArray[Level]) -> NDArray[Level]:
    """The outermost pixels of a picture clockwise from the first corner, each once."""
    return np.concatenate((levels[0], levels[1:, -1], levels[-1, -2::-1], levels[-2:0:-1, 0]))


def spread_along(border: NDArray[np.uint8], threshold: int, dark_ink: bool) -> float:
    """The standard deviation of the ground along a small field's border, of its 10th and 75th percentile.

    All over a small field, and close to strokes that touch the border, soft edges of ink are too large a part of it.
    """
    ground = border[(border > threshold) == dark_ink]
    far, near = np.percentile(ground, (90, 25) if dark_ink else (10, 75))
    return float(abs(far - near)) / 1.96


def _is_cut(mask: NDArray[np.bool_], stroke: float) -> bool:
    from mnistsum_runtime.preparation.edge import is_cut

    return is_cut(mask, stroke)


def may_be_sheet(mask: NDArray[np.bool_], box: Box) -> bool:
    """Whether what was found may be a sheet on a table instead of a stroke: large, and it fills its outline."""
    top, bottom, left, right = box
    height, width = bottom - top, right - left
    if height * width <= LARGE_BOX * mask.size:
        return False
    ink = int(np.count_nonzero(mask))
    if ink > FULL_BOX * height * width:
        return min(height, width) > NARROW * max(height, width) or ink > LARGE_NARROW * mask.size
    return ink > TURNED_BOX * height * width and _fills_outline(mask)


def _fills_outline(mask: NDArray[np.bool_]) -> bool:
    """Whether a mask fills a sheet's outline, but for what is written on it."""
    from mnistsum_runtime.preparation.sheet import LEAST_FILLED, NOTE_FILLED, is_note, outline, smallest_rectangle

    step = max(1, min(mask.shape) // COARSE)
    coarse = mask[::step, ::step]
    narrow, long = smallest_rectangle(coarse)
    ink = np.count_nonzero(coarse)
    if ink <= LEAST_FILLED * NOTE_FILLED * narrow * long:  # which nearly all digits do not fill
        return False
    around = outline(coarse)
    return bool(ink > LEAST_FILLED * np.count_nonzero(around) and is_note(around))


def level_histogram(levels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each level 0..255 stands in a picture: [256]; of a large one, in a part of its rows and columns."""
    step = max(1, min(levels.shape) // SAMPLED)
    return np.bincount(levels[::step, ::step].ravel(), minlength=256)


def otsu_threshold(histogram: NDArray[np.integer]) -> int | None:
    """The level t that best parts a [256] histogram into levels <= t and levels > t; None where it has but one level.

    The between-class variance is largest there; of a flat maximum, the middle.
    (N. Otsu: A Threshold Selection Method from Gray-Level Histograms, IEEE Trans. SMC 9, 1979.)
    """
    below = np.add.accumulate(histogram, dtype=np.float64)
    moment = np.add.accumulate(histogram * LEVELS)
    total, total_moment = below[-1], moment[-1]
    # Where a class is empty, the numerator is 0.
    variance = (total_moment * below - total * moment) ** 2 / np.maximum(below * (total - below), 1)
    best = int(variance.argmax())
    if variance[best] == 0:
        return None
    flat = int(below.searchsorted(below[best], "right"))  # up to the next level that occurs
    return (best + flat - 1) // 2


def two_classes(histogram: NDArray[np.integer], threshold: int, dark_ink: bool) -> tuple[int, int, float, float]:
    """The levels of ground and ink on either side of a threshold: both medians, the ground's spread, the ink's share.

    The spread is the standard deviation as the 10th and the 90th percentile have it: the soft edges of ink, which are
    on the ground's side as well, are no unevenness of the ground.
    """
    if dark_ink:
        histogram, threshold = histogram[::-1], 254 - threshold
    below = np.add.accumulate(histogram)
    lower, total = int(below[threshold]), int(below[-1])
    places = (0.1 * lower, 0.5 * lower, 0.9 * lower, 0.5 * (lower + total))
    low, ground, high, full = below.searchsorted(places).tolist()
    if dark_ink:
        ground, full = 255 - ground, 255 - full
    return ground, full, (high - low) / 2.56, (total - lower) / total

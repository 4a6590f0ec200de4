"""Faint parts of a digit's strokes: a pen that ran dry, a loop drawn lightly.

Weak pixels belong to the digit where they are connected to strong ones, as in Canny's hysteresis, or go on in line with
them; and only where they are a stroke as the digit's own are, and nearly all that is faint in the picture: what shines
through the paper, a smudge, a shadow, ruled lines and a neighbour are not.
(J. Canny: A Computational Approach to Edge Detection, IEEE Trans. PAMI 8, 1986.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mnistsum_runtime.preparation.components import label
from mnistsum_runtime.preparation.morphology import change_width, stroke_width

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mnistsum_runtime.preparation.components import Components
    from mnistsum_runtime.preparation.mnist_form import Ink

    Mask = NDArray[np.bool_]

FAINTEST = 0.18
"""Faint ink has at least this share of the ink's contrast: what shines through paper mostly has less."""
WORKING_WIDTH = 4
"""Strokes are averaged down to this many pixels or a little more: grain goes, and there is little to look at."""
LEAST_AREA = 1.0
"""A faint part beyond the soft edges of the digit is at least so large, in squares as wide as its strokes."""
NARROWEST, WIDEST = 0.4, 2.0
"""A faint stroke's width as a share of the digit's own, as `stroke_width` has it, for which short ones are the wider:
what is wider still is a smudge or a shadow."""
LEAST_SHARP = 0.86
"""A faint stroke's edges are at least this share as sharp as the digit's, for its contrast: faint parts of one pen's
strokes have 0.9 and more, half of what shines through paper has less than 0.85, and smudges have at most 0.6."""
STEEPEST = 90
"""The percentile of the change of contrast at a stroke's edges that says how sharp they are."""
LARGEST_END = 2.6
"""Around the end of a stroke, in a square three times as wide as it, there is no more ink than this, in squares as wide
as the stroke; along its side there is 3. Three of four faint parts join an end, one in four of what shines through."""
WIDEST_GAP = 2.0
"""What is in line with the digit is not farther away than about this, in widths of its strokes."""
LEAST_IN_LINE = 0.8
"""The cosine of the angle between a faint stroke and the way to the digit is at least this, where they do not touch."""
LEAST_SHARE = 0.8
"""The digit's faint parts are at least this share of all that is faint."""
LARGEST_SHARE = 1.5
"""The digit's faint ink is not more than this share of its strong ink: the loop of a 9 is longer than its stem."""
USUAL = 60
"""The percentile of faint ink's contrast that is its level; its soft edges are below."""
MOST_PARTS = 12
"""Where there are more faint parts, they are a texture."""
MOST_OWN = 2
"""Of one digit so many parts are faint, seldom more."""


def faint_ink(contrast: Ink, mask: Mask, stroke: float, least: float = 0.0) -> Mask | None:
    """The faint ink that belongs to a digit, soft edges towards the strong ink included; None where there is none.

    Args:
        contrast: [height, width], 0 the ground, 1 the digit's ink.
        mask: [height, width]: the digit's ink, as strong as it was found.
        stroke: The width of its strokes, in pixels.
        least: The share of the ink's contrast below which there may be noise.
    """
    step = max(1, int(stroke / WORKING_WIDTH))
    small, strong = averaged(contrast, step), averaged(mask.astype(np.float32), step) > 0.5
    width = max(stroke / step, 1.0)
    near = widened(strong, 2 * np.ceil(width / 2))
    weak = small > max(FAINTEST, least)
    parts = label(weak & ~near)
    if len(parts) == 0:
        return None
    large = np.flatnonzero(parts.area >= LEAST_AREA * width * width)
    if not 0 < len(large) <= MOST_PARTS:
        return None
    mine = chosen_parts(parts, large, small, strong, near, width)
    amount = np.bincount(parts.run_labels, parts.run_ends - parts.run_starts, len(parts))
    chosen = np.zeros(len(parts), np.bool_)
    chosen[mine] = True
    if not 0 < len(mine) <= MOST_OWN or amount[mine].sum() < LEAST_SHARE * amount[large].sum():
        return None
    beyond = parts.mask_of(chosen)
    if np.count_nonzero(beyond) > LARGEST_SHARE * np.count_nonzero(strong):
        return None
    found = weak & ~strong & widened(beyond, 2 * np.ceil(width / 2) + 2)
    height, wide = mask.shape
    return np.repeat(np.repeat(found, step, axis=0), step, axis=1)[:height, :wide] & ~mask


def averaged(plane: Ink, step: int) -> Ink:
    """Means over squares of `step` pixels; those at the far sides are filled up with ground."""
    if step == 1:
        return plane
    height, width = (-(-length // step) for length in plane.shape)
    filled = np.zeros((height * step, width * step), np.float32)
    filled[: plane.shape[0], : plane.shape[1]] = plane
    return np.asarray(filled.reshape(height, step, width, step).mean(axis=(1, 3)), np.float32)


def chosen_parts(
    parts: Components, large: NDArray[np.int64], contrast: Ink, strong: Mask, near: Mask, width: float
) -> list[int]:
    """Which faint parts are strokes of the digit: those that go on from the end of one."""
    contact = parts.border_contact()
    steep = steepness(contrast)
    sharp = float(np.percentile(steep[widened(strong, 3)], STEEPEST))
    mine = []
    for part in large[contact[large] == 0].tolist():
        ink = parts.mask_of(np.arange(len(parts)) == part)
        edge = widened(ink, 4) & ~near
        steepest = float(np.percentile(steep[edge], STEEPEST)) / float(np.median(contrast[ink]))
        narrow = NARROWEST * width <= stroke_width(ink.astype(np.float32)) <= WIDEST * width
        if narrow and steepest >= LEAST_SHARP * sharp and goes_on(ink, strong, width):
            mine.append(part)
    return mine


def steepness(contrast: Ink) -> Ink:
    """How fast the contrast changes at each pixel, each way."""
    down, across = np.gradient(contrast)
    return np.asarray(np.hypot(down, across), np.float32)


def widened(mask: Mask, amount: float) -> Mask:
    """A mask made wider by `amount` pixels."""
    return change_width(mask.astype(np.float32), amount) > 0.5


def goes_on(part: Mask, strong: Mask, width: float) -> bool:
    """Whether a faint stroke goes on from the end of a strong one, which it touches or is in line with."""
    joints = label(strong & widened(part, 2 * (np.ceil(width / 2) + 2)))
    for joint in range(len(joints)):
        rows, columns = np.nonzero(joints.mask_of(np.arange(len(joints)) == joint))
        middle = np.hypot(rows - rows.mean(), columns - columns.mean()).argmin()
        if is_end(strong, int(rows[middle]), int(columns[middle]), width):
            return True
    return len(joints) == 0 and is_in_line(part, strong, width)


def is_in_line(part: Mask, strong: Mask, width: float) -> bool:
    """Whether a faint stroke that does not touch the digit points at the end of one of its strokes, not far off."""
    own, other = np.argwhere(part), np.argwhere(strong & widened(part, 2 * (WIDEST_GAP + 1) * width))
    if len(other) == 0:
        return False
    distances = np.square(own[:, None] - other[None]).sum(axis=2)
    start, end = np.unravel_index(int(distances.argmin()), distances.shape)
    way = (other[end] - own[start]).astype(np.float64)
    along = np.linalg.svd(own - own.mean(axis=0), full_matrices=False)[2][0]
    straight = abs(float(way @ along)) >= LEAST_IN_LINE * float(np.hypot(*way))
    return straight and is_end(strong, int(other[end][0]), int(other[end][1]), width)


def is_end(strong: Mask, row: int, column: int, width: float) -> bool:
    """Whether there is as little ink around a pixel of a stroke as there is at its end."""
    reach = max(2, round(1.5 * width))
    around = strong[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1]
    return bool(np.count_nonzero(around) <= LARGEST_END * width * width)


def as_strong(contrast: Ink, faint: Mask) -> Ink:
    """The contrast with its faint ink as strong as the digit's other ink is: the network was shown pens of one ink."""
    level = np.percentile(contrast[faint], USUAL)
    return np.where(faint, (contrast / np.float32(level)).clip(0, 1), contrast)

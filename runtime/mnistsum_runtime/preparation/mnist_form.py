"""The form of MNIST's pictures, as its authors made it: strokes, 20x20 box, centre of mass, 28x28 field.

"The original black and white (bilevel) images from NIST were size normalized to fit in a 20x20 pixel box while
preserving their aspect ratio. The resulting images contain grey levels as a result of the anti-aliasing technique used
by the normalization algorithm. The images were centered in a 28x28 image by computing the center of mass of the
pixels, and translating the image so as to position this point at the center of the 28x28 field."
(Y. LeCun, C. Cortes, C. Burges: The MNIST database of handwritten digits, http://yann.lecun.com/exdb/mnist/)
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from mnistsum_runtime.contract import IMAGE_SIZE
from mnistsum_runtime.preparation.morphology import change_width, stroke_width

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    from mnistsum_runtime.preparation.picture import Grey

    Ink: TypeAlias = NDArray[np.float32]
    """[height, width], 0 where there is no ink, 1 where there is full ink."""
    Box: TypeAlias = tuple[int, int, int, int]
    """Top, bottom, left, right, the ends exclusive."""

BOX_SIZE = 20
"""The longer side of the digit's ink, in pixels of the 28x28 field."""
INK_BEGINS = 0.4
"""Ink begins at this share of its own contrast."""
THINNEST, THICKEST = 2.1, 4.0
"""Strokes are brought between these widths, in pixels of the field: MNIST's own are 1.8 to 4.3 wide, but for 5 % on
either side."""
MOST_THINNED = 2.5
"""No more than this is taken from a stroke: what is wider still is a blot, of which little would be left."""
FINE = 3
"""Pixels of ink for each of the field, or more, in which strokes are widened and thinned."""

BLACK = 0.02
"""The ground is black where it is not lighter than this share of white: five levels of 8 bits, as JPEG
leaves them."""
HAZE = 1 / 8
"""What is not lighter than this share of white does not count for the length of the ink: JPEG leaves so much around
it."""
LIGHTEST_BORDER = 0.05
"""What touches a black ground's border at places is ink: of MNIST's training pictures 1.4 % have some there, along
which the border's mean is up to 0.034 of white. A ground of a higher mean is not black."""
LEAST_LENGTH, LONGEST_LENGTH = 18, 20
"""The longer side of the ink that passes as MNIST's, in pixels: `BOX_SIZE` in 99.97 % of its training pictures, a pixel
or two less in the others."""
FARTHEST = 0.6
"""The ink's centre of mass may be this far from the middle of pixel (14, 14), up and down as well as to the sides:
those of MNIST's training pictures are at most 0.52 away. By these limits and the ground's all 60,000 of them pass."""

_WHITE = {np.dtype(np.uint8): np.float32(255), np.dtype(np.uint16): np.float32(65535)}
_BORDER = np.flatnonzero(np.pad(np.zeros((IMAGE_SIZE - 2, IMAGE_SIZE - 2)), 1, constant_values=1))
"""Indices of a flattened 28x28 picture's outermost pixels."""
_MIDDLE = IMAGE_SIZE // 2 + 0.5
_TIE = 1e-3
"""Symmetric digits have their centre on the edge of two pixels: not rounding errors decide between these."""
_CENTRES = np.arange(IMAGE_SIZE) + 0.5


def intensity(grey: Grey) -> Ink:
    """Scale to float32 0..1 by the type's white; float32 is returned as it is."""
    white = _WHITE.get(grey.dtype)
    return np.asarray(grey, np.float32) if white is None else np.divide(grey, white, dtype=np.float32)


def is_mnist_form(field: Ink) -> bool:
    """Whether a 28x28 picture is in MNIST's form: its ground black, its digit as long as theirs and in their place.

    What chalk leaves of a board is not black, and what a paint program's user draws fills the field or stands in a
    corner: the network has learnt from neither.
    """
    border = field.take(_BORDER)
    lighter = np.count_nonzero(border > BLACK)
    if 2 * lighter > len(_BORDER) or border.sum() > LIGHTEST_BORDER * len(_BORDER):
        return False
    top, bottom, left, right = ink_box(field > HAZE)
    if not LEAST_LENGTH <= max(bottom - top, right - left) <= LONGEST_LENGTH:
        return False
    row, column = centre_of_mass(field)
    return max(abs(row - _MIDDLE), abs(column - _MIDDLE)) <= FARTHEST


def ink_box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """The smallest box around a mask's true pixels: top, bottom, left, right, the ends exclusive."""
    return (*span(np.logical_or.reduce(mask, axis=1)), *span(np.logical_or.reduce(mask, axis=0)))


def span(line: NDArray[np.bool_]) -> tuple[int, int]:
    """From the first true entry of a row to after its last; there is one."""
    return int(line.argmax()), len(line) - int(line[::-1].argmax())


def bring_near_mnist(ink: Ink) -> tuple[Ink, float, float]:
    """Widen or thin the strokes where they would be out of MNIST's range in the box, then cut to the ink again.

    Large ink is first averaged down to `FINE` or more pixels for one of the field, which is fine enough for that.

    Returns:
        The ink, how wide its strokes were in the pixels that it had, and what was added in pixels of the 28x28 field.
    """
    factor = max(1, max(ink.shape) // (FINE * BOX_SIZE))
    if factor > 1:
        from PIL import Image

        ink = np.asarray(Image.fromarray(ink).reduce((min(factor, ink.shape[1]), min(factor, ink.shape[0]))))
    scale = max(ink.shape) / BOX_SIZE
    width = stroke_width(ink)
    change = max(min(max(width, THINNEST * scale), THICKEST * scale) - width, -MOST_THINNED * scale)
    if abs(change) < 0.1 * scale:
        change = 0.0
    else:
        margin = int(abs(change)) + 2
        room = np.zeros((ink.shape[0] + 2 * margin, ink.shape[1] + 2 * margin), np.float32)
        room[margin:-margin, margin:-margin] = ink
        changed = change_width(room, change)
        # A blot has no strokes to thin: it is left whole.
        ink, change = (changed, change) if changed.sum() > 0.5 * ink.sum() else (ink, 0.0)
    # Of dust and hair, averaging leaves nothing at full ink.
    top, bottom, left, right = ink_box(ink > INK_BEGINS * ink.max())
    return ink[top:bottom, left:right], width * factor, change / scale


def fit_into_box(ink: Ink) -> Ink:
    """Resize so that the longer side is `BOX_SIZE`, keeping the aspect ratio; the shorter has at least one pixel."""
    height, width = ink.shape
    scale = BOX_SIZE / max(height, width)
    rows = area_weights(height, max(1, round(height * scale)))
    columns = area_weights(width, max(1, round(width * scale)))
    # Rounded weights may add up to a hair over 1.
    return np.asarray((rows @ ink @ columns.T).clip(0, 1), np.float32)


@lru_cache(256)
def area_weights(source: int, target: int) -> Ink:
    """The matrix [target, source] that resizes one axis by area, each row summing to 1.

    A target pixel is the mean of the stretch of source pixels that it covers, parts of pixels counted as parts. To
    enlarge, the stretch is one source pixel long, which is linear interpolation.
    """
    scale = source / target
    half = max(scale, 1.0) / 2
    centres = (np.arange(target) + 0.5)[:, None] * scale
    start = np.arange(source)[None, :]
    overlap = np.minimum(centres + half, start + 1) - np.maximum(centres - half, start)
    weights = np.maximum(overlap, 0)
    normal = np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)
    normal.flags.writeable = False  # it is shared: many scans have digits of a like size
    return normal


def centre_of_mass(ink: Ink) -> tuple[float, float]:
    """Row and column of the ink's centre of mass, in pixels from the top left corner (a pixel's own centre: 0.5)."""
    rows, columns = np.add.reduce(ink, 1), np.add.reduce(ink, 0)
    total = float(np.add.reduce(rows))
    return float(rows @ _CENTRES[: len(rows)]) / total, float(columns @ _CENTRES[: len(columns)]) / total


def place_by_mass(ink: Ink) -> Ink:
    """Put the box into an empty 28x28 field, its centre of mass at the middle of pixel (14, 14), all of it inside.

    "The center" of the MNIST authors is that pixel: the mean centre of mass of their test pictures is (14.49, 14.52).
    """
    height, width = ink.shape
    row, column = centre_of_mass(ink)
    top = min(max(round(_MIDDLE - row - _TIE), 0), IMAGE_SIZE - height)
    left = min(max(round(_MIDDLE - column - _TIE), 0), IMAGE_SIZE - width)
    field = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.float32)
    field[top : top + height, left : left + width] = ink
    return field

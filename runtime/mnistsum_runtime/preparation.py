"""From a grey picture of any size to the 28x28 ink that the network reads, as the MNIST authors made theirs.

"The original black and white (bilevel) images from NIST were size normalized to fit in a 20x20 pixel box while
preserving their aspect ratio. The resulting images contain grey levels as a result of the anti-aliasing technique used
by the normalization algorithm. The images were centered in a 28x28 image by computing the center of mass of the
pixels, and translating the image so as to position this point at the center of the 28x28 field."
(Y. LeCun, C. Cortes, C. Burges: The MNIST database of handwritten digits, http://yann.lecun.com/exdb/mnist/)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mnistsum_runtime.contract import IMAGE_SIZE
from mnistsum_runtime.errors import PictureError
from mnistsum_runtime.prepared import PreparedPicture

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    from mnistsum_runtime.picture import Grey

    Ink: TypeAlias = NDArray[np.float32]
    """[height, width], 0 where there is no ink, 1 where there is full ink."""

BOX_SIZE = 20
"""The longer side of the digit's ink, in pixels of the 28x28 field."""
WORKING_SIDE = 1600
"""Longer pictures are first averaged down by a whole factor: 80 pixels for one of the box are plenty."""

_WHITE = {np.dtype(np.uint8): np.float32(255), np.dtype(np.uint16): np.float32(65535)}
_BORDER = np.flatnonzero(np.pad(np.zeros((IMAGE_SIZE - 2, IMAGE_SIZE - 2)), 1, constant_values=1))
"""Indices of a flattened 28x28 picture's outermost pixels."""
_MIDDLE = IMAGE_SIZE // 2 + 0.5


def prepare(grey: Grey, name: str = "the picture") -> Ink:
    """Bring a picture into MNIST's form: float32 [28, 28], ink 0..1, light on dark; see `prepare_picture`."""
    return prepare_picture(grey, name).field


def prepare_picture(grey: Grey, name: str = "the picture") -> PreparedPicture:
    """Bring a picture into MNIST's form, with the record of what was decided.

    A 28x28 picture with a dark ground is taken to be in that form and passed through unchanged.

    Raises:
        PictureError: `no_digit`: the picture is of one colour.
    """
    if grey.min() == grey.max():
        raise _no_digit(name)
    if grey.shape == (IMAGE_SIZE, IMAGE_SIZE):
        field = intensity(grey)
        if has_dark_ground(field):
            return PreparedPicture(field)
    levels = reduce_size(stretch(grey))
    if levels.min() == levels.max():  # what there was has been averaged away
        raise _no_digit(name)
    histogram = np.bincount(levels.ravel(), minlength=256)
    threshold = otsu_threshold(histogram)
    dark_ink = border_is_light(levels, threshold)
    if dark_ink:
        levels, histogram, threshold = 255 - levels, histogram[::-1], 254 - threshold
    mask = levels > threshold
    top, bottom, left, right = ink_box(mask)
    ink = ink_of_level(histogram, threshold).take(levels[top:bottom, left:right])
    reduction = max(1, round(max(grey.shape) / max(levels.shape)))
    return PreparedPicture(
        place_by_mass(fit_into_box(ink)),
        untouched=False,
        mask=mask,
        reduction=reduction,
        box=(top * reduction, bottom * reduction, left * reduction, right * reduction),
        dark_ink=dark_ink,
    )


def _no_digit(name: str) -> PictureError:
    return PictureError("no_digit", f"{name}: one colour from edge to edge, there is no digit in it")


def intensity(grey: Grey) -> Ink:
    """Scale to float32 0..1 by the type's white; float32 is returned as it is."""
    white = _WHITE.get(grey.dtype)
    return np.asarray(grey, np.float32) if white is None else np.divide(grey, white, dtype=np.float32)


def has_dark_ground(field: Ink) -> bool:
    """Whether the outermost pixels of a 28x28 picture are on average darker than mid-grey."""
    return bool(field.take(_BORDER).sum() < 0.5 * len(_BORDER))


def stretch(grey: Grey) -> NDArray[np.uint8]:
    """Spread the picture's own range over 0..255; 8-bit pictures are returned as they are."""
    if grey.dtype == np.uint8:
        return np.asarray(grey, np.uint8)
    low, high = grey.min(), grey.max()
    levels = np.empty(grey.shape, np.uint8)
    # Ufuncs with `out` convert block by block: 64 megapixels need no float copy.
    np.multiply(grey - low, np.float32(255 / float(high - low)), out=levels, casting="unsafe", dtype=np.float32)
    return levels


def reduce_size(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Average blocks of n x n so that the longer side is at most `WORKING_SIDE` (n = 1: as it is)."""
    height, width = levels.shape
    factors = (-(-width // WORKING_SIDE), -(-height // WORKING_SIDE))
    factor = max(factors)
    if factor == 1:
        return levels
    from PIL import Image

    # A side that is shorter than the block stays one pixel long.
    reduced = Image.fromarray(np.ascontiguousarray(levels)).reduce((min(factor, width), min(factor, height)))
    return np.asarray(reduced)


def otsu_threshold(histogram: NDArray[np.integer]) -> int:
    """The level t that best parts a [256] histogram into levels <= t and levels > t.

    The between-class variance is largest there; of a flat maximum, the middle.
    (N. Otsu: A Threshold Selection Method from Gray-Level Histograms, IEEE Trans. SMC 9, 1979.)
    """
    below = np.cumsum(histogram[:-1], dtype=np.float64)
    moment = np.cumsum(histogram[:-1] * np.arange(255), dtype=np.float64)
    total = below[-1] + histogram[255]
    total_moment = moment[-1] + 255 * histogram[255]
    weight = below * (total - below)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.where(weight > 0, (total_moment * below - total * moment) ** 2 / weight, 0.0)
    best = np.flatnonzero(variance >= variance.max() * (1 - 1e-12))
    return int(best[0] + best[-1]) // 2


def border_is_light(levels: NDArray[np.uint8], threshold: int) -> bool:
    """Whether most of the outermost pixels are above the threshold, so that the ink is the darker side."""
    border = np.concatenate((levels[0], levels[-1], levels[1:-1, 0], levels[1:-1, -1]))
    return bool(2 * np.count_nonzero(border > threshold) > len(border))


def ink_box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """The smallest box around a mask's true pixels: top, bottom, left, right, the ends exclusive."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def ink_of_level(histogram: NDArray[np.integer], threshold: int) -> Ink:
    """A table [256]: the ink of each level, 0 at the ground's median level, 1 at the ink's, straight between."""
    ground = _median_level(histogram[: threshold + 1])
    full = threshold + 1 + _median_level(histogram[threshold + 1 :])
    return ((np.arange(256, dtype=np.float32) - ground) / np.float32(full - ground)).clip(0, 1)


def _median_level(histogram: NDArray[np.integer]) -> int:
    below = np.cumsum(histogram)
    return int(np.searchsorted(below, below[-1] / 2))


def fit_into_box(ink: Ink) -> Ink:
    """Resize so that the longer side is `BOX_SIZE`, keeping the aspect ratio; the shorter has at least one pixel."""
    height, width = ink.shape
    scale = BOX_SIZE / max(height, width)
    rows = area_weights(height, max(1, round(height * scale)))
    columns = area_weights(width, max(1, round(width * scale)))
    # Rounded weights may add up to a hair over 1.
    return np.asarray((rows @ ink @ columns.T).clip(0, 1), np.float32)


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
    weights = overlap.clip(0, None)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def centre_of_mass(ink: Ink) -> tuple[float, float]:
    """Row and column of the ink's centre of mass, in pixels from the top left corner (a pixel's own centre: 0.5)."""
    total = float(ink.sum())
    row = float(ink.sum(axis=1) @ (np.arange(ink.shape[0]) + 0.5)) / total
    column = float(ink.sum(axis=0) @ (np.arange(ink.shape[1]) + 0.5)) / total
    return row, column


def place_by_mass(ink: Ink) -> Ink:
    """Put the box into an empty 28x28 field, its centre of mass at the middle of pixel (14, 14), all of it inside.

    "The center" of the MNIST authors is that pixel: the mean centre of mass of their test pictures is (14.49, 14.52).
    """
    height, width = ink.shape
    row, column = centre_of_mass(ink)
    top = min(max(round(_MIDDLE - row), 0), IMAGE_SIZE - height)
    left = min(max(round(_MIDDLE - column), 0), IMAGE_SIZE - width)
    field = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.float32)
    field[top : top + height, left : left + width] = ink
    return field

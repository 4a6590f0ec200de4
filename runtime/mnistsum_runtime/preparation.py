"""From a grey picture of any size to the 28x28 ink that the network reads, as the MNIST authors made theirs.

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

from mnistsum_runtime.components import label
from mnistsum_runtime.contract import IMAGE_SIZE
from mnistsum_runtime.errors import PictureError
from mnistsum_runtime.ground import NARROW, WIDE, Grounds, roughness
from mnistsum_runtime.ink import INK_BEGINS, FoundInk, choose_parts, find_ink
from mnistsum_runtime.prepared import PreparedPicture
from mnistsum_runtime.sheet import cut_out_sheet
from mnistsum_runtime.strokes import change_width, stroke_width

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    from mnistsum_runtime.picture import Grey

    Ink: TypeAlias = NDArray[np.float32]
    """[height, width], 0 where there is no ink, 1 where there is full ink."""

BOX_SIZE = 20
"""The longer side of the digit's ink, in pixels of the 28x28 field."""
SAMPLED = 100
"""So many rows or columns are enough for a histogram."""
FINE = 3
"""Pixels of ink for each of the field, in which strokes are widened and thinned."""
WORKING_SIDE = 1000
"""Longer pictures are first averaged down by a whole factor: 50 pixels for one of the box are plenty."""
ROUGH = 2.0
"""A ground whose roughness is over this many levels has shadows."""
UNDECIDED = 3.0
"""Where one polarity's ground is less than this many times rougher than the other's, ink of both is looked for."""
CLEAN_CONTRAST = 48
"""In a clean scan ink and ground are this many levels apart,"""
CLEAN_SPREAD = 0.06
"""the ground's standard deviation is at most this share of that,"""
CLEAN_SHARE = 0.35
"""the ink's share of the picture at most this,"""
CLEAN_LENGTH = 16
"""its length at least this many pixels;"""
CLEAN_FILL, CLEAN_AREA = 0.6, 0.15
"""and it does not fill its box as a sheet of paper does: more than this share, of a box over this share of the picture."""
SMALLEST = 8
"""A digit is at least this long, in pixels of the working size."""
LEAST_SHARE = 0.25
"""A digit has at least this share of the evidence in its picture: photos of one have 0.77 and more."""
LEAST_EDGE = 0.5
"""Just outside it a digit's contrast falls by at least this share: in blurred photos by 0.6 and more."""
THINNEST, THICKEST = 2.1, 4.0
"""Strokes are brought between these widths, in pixels of the 28x28 field: of MNIST's digits 5 % are thinner than 1.8 and 5 %
thicker than 4.3."""

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
        PictureError: `no_digit`: there is nothing in the picture that could be ink.
    """
    if grey.shape == (IMAGE_SIZE, IMAGE_SIZE):
        if grey.min() == grey.max():
            raise _no_digit(name, "one colour from edge to edge")
        field = intensity(grey)
        if has_dark_ground(field):
            return PreparedPicture(field)
    levels = reduce_size(stretch(grey))
    reduction = max(1, round(max(grey.shape) / max(levels.shape)))
    clean = prepare_clean_scan(levels, reduction)
    if clean is not None:
        return clean
    sheet = cut_out_sheet(levels)
    found = find_best_ink(sheet.levels)
    reason = why_no_digit(found)
    if found is None or reason:
        raise _no_digit(name, reason)
    mask = np.zeros(levels.shape, np.bool_)
    height, width = found.mask.shape
    mask[sheet.top : sheet.top + height, sheet.left : sheet.left + width] = found.mask
    ink, stroke, thickening = bring_near_mnist(cut_out(found))
    return PreparedPicture(
        place_by_mass(fit_into_box(ink)),
        untouched=False,
        mask=mask,
        reduction=reduction,
        box=_enlarged(ink_box(mask), reduction),
        dark_ink=found.dark,
        ground_level=found.ground_level,
        contrast=found.level,
        noise=found.noise,
        edge=found.step / found.level,
        share=found.share,
        unevenness=found.unevenness,
        threshold=INK_BEGINS,
        lines_removed=found.lines,
        specks_dropped=found.specks,
        strangers_dropped=found.strangers,
        parts=found.parts,
        cut=found.contact > 0,
        stroke_width=stroke * reduction,
        thickening=thickening,
    )


def prepare_clean_scan(levels: NDArray[np.uint8], reduction: int) -> PreparedPicture | None:
    """The short way for what most scans are: two levels, one thing, free of the border. None where anything is doubtful.

    A single threshold by Otsu parts ink from ground. The ground must be even, the ink must not touch the border, and
    beside the digit there may be nothing but specks.
    """
    histogram = level_histogram(levels)
    if np.count_nonzero(histogram) < 2:
        return None
    threshold = otsu_threshold(histogram)
    dark_ink = bool(levels[0, 0] > threshold)
    if dark_ink:
        levels, histogram, threshold = 255 - levels, histogram[::-1], 254 - threshold
    ground, full, spread, share = two_classes(histogram, threshold)
    if full - ground < CLEAN_CONTRAST or spread > CLEAN_SPREAD * (full - ground) or share > CLEAN_SHARE:
        return None
    mask = levels > threshold
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows[0] == 0 or columns[0] == 0 or rows[-1] == len(mask) - 1 or columns[-1] == len(mask[0]) - 1:
        return None
    parts, specks = 1, 0
    box = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    if rows[-1] - rows[0] >= len(rows) or columns[-1] - columns[0] >= len(columns):
        # Seen from the side or from above there is a gap: not all is one part.
        components = label(mask)
        chosen, small = choose_parts(components, components.area.astype(np.float64))
        parts, specks = int(chosen.sum()), int((small & ~chosen).sum())
        if parts + specks < len(components):
            return None
        mask = components.mask_of(chosen)
        box = ink_box(mask)
    top, bottom, left, right = box
    area = (bottom - top) * (right - left)
    if max(bottom - top, right - left) < CLEAN_LENGTH:
        return None
    if share * levels.size > CLEAN_FILL * area and area > CLEAN_AREA * levels.size:
        return None  # a sheet on a table, not a stroke
    ink = np.clip(levels[top:bottom, left:right], ground, full) - np.float32(ground)
    ink *= np.float32(1 / (full - ground))
    if specks:
        ink *= change_width(mask[top:bottom, left:right].astype(np.float32), 3)
    boxed, thickening = fit_into_box(ink), 0.0
    stroke = stroke_width(boxed) * max(ink.shape) / BOX_SIZE
    if not THINNEST * max(ink.shape) <= stroke * BOX_SIZE <= THICKEST * max(ink.shape):
        ink, stroke, thickening = bring_near_mnist(ink)
        boxed = fit_into_box(ink)
    contrast = (full - ground) / 255
    return PreparedPicture(
        place_by_mass(boxed),
        untouched=False,
        mask=mask,
        reduction=reduction,
        box=_enlarged(box, reduction),
        dark_ink=dark_ink,
        ground_level=255.0 - ground if dark_ink else float(ground),
        contrast=contrast,
        noise=spread / 255,
        threshold=(threshold - ground) / (full - ground),
        specks_dropped=specks,
        parts=parts,
        stroke_width=stroke * reduction,
        thickening=thickening,
    )


def find_best_ink(levels: NDArray[np.uint8]) -> FoundInk | None:
    """Look for ink over the grounds that come into question, and take what has the most weight.

    Ink is narrow: what a closing takes out of one polarity leaves the ground smooth, and of the other torn. Where shadows
    make both rough, ink of either polarity is looked for over a ground that follows their edges more closely.
    """
    grounds = Grounds.of(levels)
    wide = {dark: grounds.without_ink(dark, WIDE) for dark in (True, False)}
    rough = {dark: roughness(ground) for dark, ground in wide.items()}
    dark = rough[True] <= rough[False]

    def look(dark: bool, widest: float) -> FoundInk | None:
        ground = wide[dark] if widest == WIDE else grounds.without_ink(dark, widest)
        return find_ink(levels, grounds.full_size(ground), dark)

    found: list[FoundInk | None] = []
    if rough[dark] > ROUGH:
        both = [look(dark, NARROW)]
        if rough[not dark] < UNDECIDED * rough[dark]:
            both.append(look(not dark, NARROW))
        best = _heaviest(both)
        found.append(best)
        dark = best.dark if best else dark
    found.append(look(dark, WIDE))
    return _heaviest(found)


def _heaviest(found: list[FoundInk | None]) -> FoundInk | None:
    return max((one for one in found if one is not None), key=lambda one: one.weight, default=None)


def why_no_digit(found: FoundInk | None) -> str:
    """Why what was found cannot be a digit; empty where it can."""
    if found is None:
        return "nothing stands out from the ground"
    top, bottom, left, right = found.box
    if max(bottom - top, right - left) < SMALLEST:
        return "nothing larger than a speck stands out from the ground"
    longest, area = max(bottom - top, right - left), (bottom - top) * (right - left)
    if 2 * found.contact > longest and 2 * area < found.mask.size:
        return "only the picture's edge stands out from the ground"
    if found.share < LEAST_SHARE:
        return "many things stand out from the ground, none of them from the others"
    if found.step < LEAST_EDGE * found.level:
        return "what stands out from the ground has no edge, as shadows have none"
    return ""


def cut_out(found: FoundInk) -> Ink:
    """The box of the ink and a little around it: 0 ground, 1 the ink's median contrast, nothing of other parts."""
    top, bottom, left, right = found.box
    around = (slice(max(0, top - 2), bottom + 2), slice(max(0, left - 2), right + 2))
    near = change_width(found.mask[around].astype(np.float32), 3)
    return (found.contrast[around] / np.float32(found.level)).clip(0, 1) * near


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
    change = min(max(width, THINNEST * scale), THICKEST * scale) - width
    if abs(change) < 0.1 * scale:
        change = 0.0
    else:
        ink = change_width(np.pad(ink, int(abs(change)) + 2), change)
    top, bottom, left, right = ink_box(ink > INK_BEGINS)
    return ink[top:bottom, left:right], width * factor, change / scale


def _enlarged(box: tuple[int, int, int, int], reduction: int) -> tuple[int, int, int, int]:
    top, bottom, left, right = (edge * reduction for edge in box)
    return top, bottom, left, right


def _no_digit(name: str, reason: str) -> PictureError:
    return PictureError("no_digit", f"{name}: {reason}, there is no digit in it")


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
    np.multiply(grey - low, np.float32(255 / (float(high - low) or 1)), out=levels, casting="unsafe", dtype=np.float32)
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

    The spread is the standard deviation as the 10th and the 90th percentile have it: the soft edges of ink, which are on
    the lower side as well, are no unevenness of the ground.
    """
    below = np.cumsum(histogram)
    lower, total = int(below[threshold]), int(below[-1])
    places = (0.1 * lower, 0.5 * lower, 0.9 * lower, 0.5 * (lower + total))
    low, ground, high, full = (int(level) for level in np.searchsorted(below, places))
    return ground, full, (high - low) / 2.56, (total - lower) / total


def ink_box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """The smallest box around a mask's true pixels: top, bottom, left, right, the ends exclusive."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


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

"""From a grey picture of any size to the 28x28 ink that the network reads, as the MNIST authors made theirs.

"The original black and white (bilevel) images from NIST were size normalized to fit in a 20x20 pixel box while
preserving their aspect ratio. The resulting images contain grey levels as a result of the anti-aliasing technique used
by the normalization algorithm. The images were centered in a 28x28 image by computing the center of mass of the
pixels, and translating the image so as to position this point at the center of the 28x28 field."
(Y. LeCun, C. Cortes, C. Burges: The MNIST database of handwritten digits, http://yann.lecun.com/exdb/mnist/)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mnistsum_runtime.components import Components, label
from mnistsum_runtime.contract import IMAGE_SIZE
from mnistsum_runtime.errors import PictureError
from mnistsum_runtime.sheet import find_sheet, shrink
from mnistsum_runtime.ground import GROUND_SIDE, NARROW, WIDE, Grounds, roughness
from mnistsum_runtime.lines import remove_lines
from mnistsum_runtime.prepared import PreparedPicture
from mnistsum_runtime.strokes import change_width, stroke_width

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    from mnistsum_runtime.picture import Grey

    Ink: TypeAlias = NDArray[np.float32]
    """[height, width], 0 where there is no ink, 1 where there is full ink."""

BOX_SIZE = 20
"""The longer side of the digit's ink, in pixels of the 28x28 field."""
WORKING_SIDE = 1000
"""Longer pictures are first averaged down by a whole factor: 50 pixels for one of the box are plenty."""
LEAST_CONTRAST = 0.04
"""What is nearer to the ground than this share of black to white is ground."""
INK_BEGINS = 0.4
"""Ink begins at this share of its own contrast."""
ROUGH = 2.0
"""A ground whose roughness is over this many levels has shadows."""
UNDECIDED = 1.3
"""Where one polarity's ground is less than this many times rougher than the other's, ink of both is looked for."""
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
    if grey.min() == grey.max():
        raise _no_digit(name, "one colour from edge to edge")
    if grey.shape == (IMAGE_SIZE, IMAGE_SIZE):
        field = intensity(grey)
        if has_dark_ground(field):
            return PreparedPicture(field)
    levels = reduce_size(stretch(grey))
    inner, offset = levels, (0, 0)
    sheet = cut_sheet_out(levels)
    if sheet is not None:
        inner, offset = sheet
    grounds = Grounds.of(inner)
    under = {dark: grounds.without_ink(dark, WIDE) for dark in (True, False)}
    rough = {dark: roughness(ground) for dark, ground in under.items()}
    dark = rough[True] <= rough[False]
    found = [find_ink(inner, grounds.full_size(under[dark]), dark)]
    if found[0] is None or rough[dark] > ROUGH:
        found.append(find_ink(inner, grounds.full_size(grounds.without_ink(dark, NARROW)), dark))
        if rough[not dark] < UNDECIDED * rough[dark]:
            found.append(find_ink(inner, grounds.full_size(grounds.without_ink(not dark, NARROW)), not dark))
    best = max((one for one in found if one is not None), key=sharpness, default=None)
    if best is None:
        raise _no_digit(name, "nothing stands out from the ground")
    return _finish(best, inner, offset, max(1, round(max(grey.shape) / max(levels.shape))))


def cut_sheet_out(levels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], tuple[int, int]] | None:
    """The box around the sheet and its top left corner; what is in the box beside the sheet is made paper."""
    from PIL import Image

    height, width = levels.shape
    factor = -(-max(height, width) // GROUND_SIDE)
    small = levels
    if factor > 1:
        small = np.asarray(Image.fromarray(levels).reduce((min(factor, width), min(factor, height))))
    sheet = find_sheet(small)
    if sheet is None:
        return None
    sheet = shrink(sheet, 3)
    if not sheet.any():
        return None
    top, bottom, left, right = (edge * factor for edge in ink_box(sheet))
    inner = levels[top:bottom, left:right].copy()
    large = np.repeat(np.repeat(sheet, factor, axis=0), factor, axis=1)[top:bottom, left:right]
    inner = inner[: large.shape[0], : large.shape[1]]
    large = large[: inner.shape[0], : inner.shape[1]]
    inner[~large] = np.median(inner[large])
    return inner, (top, left)


@dataclass(eq=False, slots=True)
class Found:
    """Ink of one polarity."""

    contrast: Ink
    dark: bool
    noise: float
    unevenness: float
    ground_level: float
    lines: int
    parts: Components
    chosen: NDArray[np.bool_]
    box: tuple[int, int, int, int]
    level: float
    specks: int
    strangers: int
    share_of_border: float
    cut: bool


def find_ink(levels: NDArray[np.uint8], ground: NDArray[np.uint8], dark: bool) -> Found | None:
    """Look for ink of one polarity."""
    if dark:
        contrast = 1 - levels / np.maximum(ground, 24).astype(np.float32)
    else:
        contrast = (levels.astype(np.float32) - ground) / np.float32(255)
    step = max(1, round((contrast.size / 20000) ** 0.5))
    sample = contrast[::step, ::step]
    low, middle = np.percentile(sample, [16, 50])
    contrast -= np.float32(middle)
    noise = max(float(middle - low), 0.5 / 255)
    contrast, lines = remove_lines(contrast, noise)
    least = max(LEAST_CONTRAST, 4.5 * noise)
    weak = label(contrast > least)
    if len(weak) == 0:
        return None
    evidence = _evidence(weak, contrast)
    main = int(evidence.argmax())
    inside = contrast[weak.mask_of(np.arange(len(weak)) == main)]
    level = float(np.percentile(inside, 80))
    parts = label(contrast > max(least, INK_BEGINS * level))
    if len(parts) == 0:
        return None
    evidence = _evidence(parts, contrast)
    chosen, specks, strangers = choose_parts(parts, evidence)
    box = (
        int(parts.top[chosen].min()), int(parts.bottom[chosen].max()),
        int(parts.left[chosen].min()), int(parts.right[chosen].max()),
    )
    spread = np.percentile(ground[::step, ::step], [2, 98])
    return Found(contrast, dark, noise, float(spread[1] - spread[0]) / 255, float(np.median(ground)), lines, parts, chosen, box,
        level, specks, strangers, float((evidence[chosen] / _mass(parts, contrast)[chosen]).min()), bool(parts.border_contact()[chosen].any()))


def _mass(parts: Components, contrast: Ink) -> NDArray[np.float64]:
    """The sum of squared contrast of each part."""
    padded = np.zeros((contrast.shape[0], contrast.shape[1] + 1))
    np.cumsum(np.square(contrast), axis=1, out=padded[:, 1:])
    sums = padded[parts.run_rows, parts.run_ends] - padded[parts.run_rows, parts.run_starts]
    return np.bincount(parts.run_labels, sums, len(parts)).astype(np.float64)


def _evidence(parts: Components, contrast: Ink) -> NDArray[np.float64]:
    """The sum of squared contrast of each part, less where it lies along the border or crosses the picture."""
    height, width = contrast.shape
    longest = np.maximum(parts.bottom - parts.top, parts.right - parts.left)
    along = parts.border_contact() / longest
    across = (parts.bottom - parts.top == height) | (parts.right - parts.left == width)
    return _mass(parts, contrast) * (1 - 2 * along).clip(0.003, 1) * np.where(across, 0.05, 1)


def choose_parts(parts: Components, evidence: NDArray[np.float64]) -> tuple[NDArray[np.bool_], int, int]:
    """Which components are the digit: the one of most evidence, and what is near it and of its size."""
    main = int(evidence.argmax())
    height, width = parts.bottom - parts.top, parts.right - parts.left
    longest = np.maximum(height, width)
    size = longest[main]
    down = np.maximum(parts.top - parts.bottom[main], parts.top[main] - parts.bottom).clip(0, None)
    across = np.maximum(parts.left - parts.right[main], parts.left[main] - parts.right).clip(0, None)
    gap = np.hypot(down, across)
    along = parts.border_contact() / longest
    speck = (longest < 0.15 * size) | (parts.area < 0.02 * parts.area[main])
    chosen = ~speck & (gap < 0.4 * size) & (along < 0.5) & (evidence > 0.02 * evidence[main])
    chosen[main] = True
    return chosen, int((speck & ~chosen).sum()), int((~speck & ~chosen).sum())


def sharpness(found: Found) -> float:
    """Squared contrast between ink and what lies just outside, times the ink's area: a shadow has a soft edge."""
    top, bottom, left, right = found.box
    height, width = found.contrast.shape
    t, b, l, r = max(0, top - 6), min(height, bottom + 6), max(0, left - 6), min(width, right + 6)
    mask = found.parts.mask_of(found.chosen)[t:b, l:r].astype(np.float32)
    contrast = found.contrast[t:b, l:r]
    near = change_width(mask, 4)
    ring = change_width(near, 4) - near
    step = float(contrast[mask > 0].mean()) - float((contrast * ring).sum()) / max(1.0, float(ring.sum()))
    weight = float(found.share_of_border)
    return step * abs(step) * float(mask.sum()) * weight


def _finish(best: Found, levels: NDArray[np.uint8], offset: tuple[int, int], reduction: int) -> PreparedPicture:
    """Cut the ink out, bring its strokes near MNIST's width, and put it into the field."""
    top, bottom, left, right = best.box
    mask = best.parts.mask_of(best.chosen)
    cut = mask[top:bottom, left:right].astype(np.float32)
    inside = best.contrast[top:bottom, left:right]
    full = float(np.median(inside[cut > 0]))
    near = change_width(np.pad(cut, 2), 3)
    margin = 2
    h, w = levels.shape
    t, b, l, r = max(0, top - margin), min(h, bottom + margin), max(0, left - margin), min(w, right + margin)
    near = near[t - top + 2 : b - top + 2, l - left + 2 : r - left + 2]
    ink = (best.contrast[t:b, l:r] / np.float32(full)).clip(0, 1) * near
    ink, width, change = _bring_near_mnist(ink)
    rows, columns = np.flatnonzero((ink > 0.4).any(axis=1)), np.flatnonzero((ink > 0.4).any(axis=0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return PreparedPicture(
        place_by_mass(fit_into_box(ink)),
        untouched=False,
        mask=mask,
        reduction=reduction,
        box=(
            (top + offset[0]) * reduction, (bottom + offset[0]) * reduction,
            (left + offset[1]) * reduction, (right + offset[1]) * reduction,
        ),
        dark_ink=best.dark,
        ground_level=best.ground_level if best.dark else 255 - best.ground_level,
        contrast=full,
        noise=best.noise,
        unevenness=best.unevenness,
        threshold=INK_BEGINS,
        lines_removed=best.lines,
        specks_dropped=best.specks,
        strangers_dropped=best.strangers,
        parts=int(best.chosen.sum()),
        cut=best.cut,
        stroke_width=width * reduction,
        thickening=change,
    )


def _bring_near_mnist(ink: Ink) -> tuple[Ink, float, float]:
    height, width = ink.shape
    scale = max(height, width) / BOX_SIZE
    found = stroke_width(ink)
    wanted = min(max(found / scale, THINNEST), THICKEST) * scale
    change = wanted - found
    if abs(change) < 0.1 * scale:
        return ink, found, 0.0
    pad = int(abs(change)) + 2
    widened = change_width(np.pad(ink, pad if change > 0 else 1), change)
    return np.asarray(widened, np.float32), found, change / scale


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

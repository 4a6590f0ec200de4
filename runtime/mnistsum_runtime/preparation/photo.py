"""A digit's photo: the sheet, the ground, the ink, and what cannot be a digit at all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mnistsum_runtime.errors import PictureError
from mnistsum_runtime.preparation.edge import is_cut
from mnistsum_runtime.preparation.faint import as_strong, faint_ink
from mnistsum_runtime.preparation.ground import NARROW, NARROWEST, WIDE, Grounds
from mnistsum_runtime.preparation.ink import ACROSS, LEAST_CONTRAST, LEAST_NOISES, FoundInk, find_ink
from mnistsum_runtime.preparation.mnist_form import INK_BEGINS, bring_near_mnist, fit_into_box, ink_box, place_by_mass
from mnistsum_runtime.preparation.morphology import change_width, stroke_width
from mnistsum_runtime.preparation.prepared import PreparedPicture
from mnistsum_runtime.preparation.sheet import cut_out_sheet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from mnistsum_runtime.preparation.mnist_form import Ink

ROUGH = 2.0
"""A ground whose roughness is over this many percent has shadows."""
UNDECIDED = 3.0
"""Where one polarity's ground is less than this many times rougher than the other's, ink of both is looked at."""
CLEAR_EDGE = 0.85
"""What falls by less than this share just outside it may be a shadow: narrower grounds are tried."""
MOST_LOST = 0.1
"""Over a narrower ground, this share of its ink may be missing inside a digit."""
AS_DARK = 0.9
"""The inside of a stroke is at least so much as dark as its outline; a shadow that the digit lies in is not."""
SMALLEST = 8
"""A digit is at least this long, in pixels of the working size."""
LEAST_SHARE = 0.25
"""A digit has at least this share of the evidence in its picture: photos of one have 0.77 and more."""
THINNEST_STROKE = 1 / 30
"""What runs over the picture's edge and is thinner than this share of its length is the end of a printed line."""
LEAST_AMONG_LINES = 0.1
"""On lined paper a digit is at least this long, as a share of the shorter side: what is shorter was left of lines."""
FLATTEST = 0.12
"""A digit is at least this high, as a share of its width."""
LEAST_OF_CHANGE, WIDEST_FAINT = 0.5, 1 / 8
"""Strokes wider than the second share of the picture's shorter side are fainter than ink is, where their contrast is
below the first share of the ground's change."""
LEAST_EDGE = 0.5
"""Just outside it a digit's contrast falls by at least this share: in blurred photos by 0.6 and more."""


def prepare_photo(levels: NDArray[np.uint8], reduction: int, name: str) -> PreparedPicture:
    """Prepare a picture of any kind.

    Args:
        levels: uint8 [height, width], 0 black to 255 white.
        reduction: How many pixels of the given picture one of `levels` is wide.
        name: What an error calls the picture.

    Raises:
        PictureError: `no_digit`: nothing in the picture could be a digit's ink.
    """
    sheet = cut_out_sheet(levels)
    found = find_best_ink(sheet.levels)
    reason = why_no_digit(found)
    if found is None or reason:
        raise PictureError("no_digit", f"{name}: {reason}, there is no digit in it")
    found = add_faint(found)
    mask = np.zeros(levels.shape, np.bool_)
    height, width = found.mask.shape
    mask[sheet.top : sheet.top + height, sheet.left : sheet.left + width] = found.mask
    top, bottom, left, right = ink_box(mask)
    ink, stroke, thickening = bring_near_mnist(cut_out(found))
    return PreparedPicture(
        place_by_mass(fit_into_box(ink)),
        untouched=False,
        mask=mask,
        reduction=reduction,
        box=(top * reduction, bottom * reduction, left * reduction, right * reduction),
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
        cut=found.contact > 0 and is_cut(found.mask, stroke),
        stroke_width=stroke * reduction,
        thickening=thickening,
    )


def find_best_ink(levels: NDArray[np.uint8]) -> FoundInk | None:
    """Look for ink over the grounds that come into question, and take what has the most weight.

    Ink is narrow: what a closing takes out of one polarity leaves the ground smooth, and of the other torn; where that
    does not decide, both are looked at. Where shadows make the ground rough, or what was found may be one, grounds that
    follow their edges more closely are tried too.
    """
    grounds = Grounds.of(levels)
    wide = {dark: grounds.without_ink(dark, WIDE) for dark in (True, False)}
    rough = {dark: grounds.roughness(ground) for dark, ground in wide.items()}
    likely = rough[True] <= rough[False]
    polarities = [likely, not likely] if rough[not likely] < UNDECIDED * rough[likely] else [likely]

    def find(dark: bool, widest: float) -> FoundInk | None:
        ground = wide[dark] if widest == WIDE else grounds.without_ink(dark, widest)
        return find_ink(levels, grounds.full_size(ground), dark)

    found = {dark: find(dark, WIDE) for dark in polarities}
    if rough[likely] > ROUGH or is_doubtful(_heaviest(found.values())):
        for dark in polarities:
            found[dark] = _better(found[dark], find(dark, NARROW))
    best = _heaviest(found.values())
    if best is not None and is_doubtful(best):
        best = _better(best, find(best.dark, NARROWEST))
    return best


def is_doubtful(found: FoundInk | None) -> bool:
    """Whether what was found may be a shadow, or be joined to one."""
    return found is not None and (found.contact > 0 or found.step < CLEAR_EDGE * found.level)


def _heaviest(found: Iterable[FoundInk | None]) -> FoundInk | None:
    return max((one for one in found if one is not None), key=lambda one: one.weight, default=None)


def _better(wider: FoundInk | None, narrower: FoundInk | None) -> FoundInk | None:
    """What was found over two grounds of one polarity: the heavier, unless over the narrower it is hollow."""
    if wider is not None and narrower is not None and is_hollow(narrower, wider):
        return wider
    return _heaviest((wider, narrower))


def is_hollow(found: FoundInk, wider: FoundInk) -> bool:
    """Whether ink over a narrow ground is the outline of strokes that are whole over a wider ground.

    What runs to more than one side of the picture there may be a shadow that the digit lies in; it is lighter than the
    digit.
    """
    top, bottom, left, right = found.box
    inside = (slice(top, bottom), slice(left, right))
    least = 0.8 * found.level
    if wider.free <= ACROSS:
        least = max(least, AS_DARK * float(np.median(wider.contrast[found.mask])))
    lost = (wider.contrast[inside] > least) & ~found.mask[inside]
    return bool(np.count_nonzero(lost) > MOST_LOST * np.count_nonzero(found.mask))


def why_no_digit(found: FoundInk | None) -> str:
    """Why what was found cannot be a digit; empty where it can."""
    if found is None or found.level < max(LEAST_CONTRAST, LEAST_NOISES * found.noise):
        return "nothing stands out from the ground"
    top, bottom, left, right = found.box
    longest, area = max(bottom - top, right - left), (bottom - top) * (right - left)
    ink = np.count_nonzero(found.mask)
    reasons = {
        "nothing larger than a speck stands out from the ground": longest < SMALLEST,
        "nothing but lines stands out from the ground": found.lines > 1
        and longest < LEAST_AMONG_LINES * min(found.mask.shape),
        "only a line across stands out from the ground": bottom - top < FLATTEST * (right - left),
        "only a line's end stands out from the ground": found.contact > 0 and ink < THINNEST_STROKE * longest**2,
        "only the picture's edge stands out from the ground": 2 * found.contact > longest
        and 2 * area < found.mask.size,
        "many things stand out from the ground, none of them from the others": found.share < LEAST_SHARE,
        "what stands out from the ground has no edge, as shadows have none": found.step < LEAST_EDGE * found.level,
        "only the light itself stands out from the ground": is_light(found),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def is_light(found: FoundInk) -> bool:
    """Whether what was found is the lightest or darkest place of the light: wide, and faint beside the ground's change.

    A gradient that runs in a circle has a peak, which no ground of a wide square follows.
    """
    if found.level > LEAST_OF_CHANGE * found.unevenness:
        return False
    top, bottom, left, right = found.box
    ink = found.mask[top:bottom, left:right].astype(np.float32)
    return bool(stroke_width(ink) > WIDEST_FAINT * min(found.mask.shape))


def add_faint(found: FoundInk) -> FoundInk:
    """What was found, with the faint parts of its strokes as strong as the others.

    Not where lines were taken out, which leave faint pieces, nor where what was found stands in something fainter.
    """
    if found.lines or found.free <= ACROSS:
        return found
    top, bottom, left, right = found.box
    stroke = stroke_width(found.mask[top:bottom, left:right].astype(np.float32))
    contrast = (found.contrast / np.float32(found.level)).clip(0, 1)
    faint = faint_ink(contrast, found.mask, stroke, LEAST_NOISES * found.noise / found.level)
    if faint is None:
        return found
    mask = found.mask | faint
    strong = as_strong(contrast, faint) * np.float32(found.level)
    return replace(found, mask=mask, box=ink_box(mask), contrast=strong)


def cut_out(found: FoundInk) -> Ink:
    """The box of the ink and a little around it: 0 ground, 1 the ink's median contrast, nothing of other parts."""
    top, bottom, left, right = found.box
    around = (slice(max(0, top - 2), bottom + 2), slice(max(0, left - 2), right + 2))
    near = change_width(found.mask[around].astype(np.float32), 3)
    return (found.contrast[around] / np.float32(found.level)).clip(0, 1) * near

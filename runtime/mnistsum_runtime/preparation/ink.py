"""The ink of one polarity over its ground: which parts stand out, and which of them are the digit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mnistsum_runtime.preparation.boxes import find_boxes
from mnistsum_runtime.preparation.components import Components, choose_parts, label
from mnistsum_runtime.preparation.lines import remove_lines
from mnistsum_runtime.preparation.mnist_form import INK_BEGINS
from mnistsum_runtime.preparation.morphology import change_width
from mnistsum_runtime.preparation.prepared import LEAST_NOISE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mnistsum_runtime.preparation.mnist_form import Box

    Levels = NDArray[np.uint8]
    Contrast = NDArray[np.float32]
    """[height, width], 0 at the ground, 1 where all its light is gone."""

LEAST_CONTRAST = 0.04
"""What is nearer to the ground than this share of black to white is ground."""
LEAST_NOISES = 4.5
"""What is nearer to the ground than this many standard deviations of it is ground."""
WEAK_NOISES = 3.0
"""Where ink was found, what is farther from the ground than this many of its standard deviations belongs to it."""
FAINT_NOISES = 10.0
"""Ink is faint where its contrast is at most this many standard deviations of the ground."""
RAISED = 0.6
"""Where what stands out runs along or across the border, ink is looked for in it over this share of its highest
contrast."""
AWAY, LARGEST_PART = 0.03, 0.7
"""Ink found that way counts if it is at least the first share of the picture's shorter side away from the border, and
less than the second share of what ran to the border."""
GRAIN = 1 / 250
"""Half the width of the square that smooths grain away, as a share of the picture's shorter side."""
REACHING = np.array([1, 0.1, 0.05, 0.05, 0.05])
"""The share of a part's evidence that counts, by the number of the picture's sides that it touches: 0 to 4."""
ACROSS = 0.05
"""The share of a part's evidence that counts where it crosses the picture."""
USUAL_NOISE = 0.03
"""Grain up to about this much says nothing about a ground."""
SURROUNDINGS = 0.6
"""Surroundings reach this far around what was found, as a share of its length."""
TORN = 0.1
"""The share of the weight that counts for what was found over a ground that is torn under all of it."""
DEEPEST_SHADOW = 24
"""Levels: the light of a darker ground is not divided by, since little but noise is left in it."""


@dataclass(frozen=True, eq=False, slots=True)
class FoundInk:
    """What was taken for the digit's ink, over one ground. Lengths are pixels of the picture it was found in."""

    contrast: Contrast
    """The whole picture's contrast over its ground, lines taken out."""
    mask: NDArray[np.bool_]
    """[height, width]: the digit's ink."""
    box: tuple[int, int, int, int]
    """The box around the digit's ink: top, bottom, left, right, the ends exclusive."""
    dark: bool
    """Whether the ink is darker than the ground."""
    level: float
    """The ink's median contrast."""
    step: float
    """Contrast between the ink and what lies a few pixels outside it: that of a shadow is small."""
    share: float
    """The digit's share of all evidence in the picture, 0..1."""
    noise: float
    """Standard deviation of the ground."""
    unevenness: float
    """Difference between the ground's lightest and darkest places, 0..1."""
    ground_level: float
    """Median level of the ground, 0..255."""
    lines: int
    """Lines taken out."""
    specks: int
    """Parts too small for the digit's."""
    strangers: int
    """Parts that stand out as the digit does but are not its own."""
    parts: int
    """Parts of the digit."""
    contact: int
    """How many of the digit's pixels lie on the picture's border."""
    free: float
    """How little of its main part has to do with the border, 0..1; see `freedom`."""
    torn: float
    """Share of it where the ground is that of the wrong polarity, 0..1; see `torn_share`."""

    @property
    def weight(self) -> float:
        """Squared step times the root of the area over the noise: the better of two polarities or grounds has more.

        By the area itself, what a wide shadow leaves would have more than a thin pen. The ground of the wrong polarity
        is torn, so that much is left over it for noise.
        """
        edge = min(1.0, max(0.0, self.step / self.level)) if self.level > 0 else 0.0
        signal = self.step * abs(self.step) * edge**2 * np.count_nonzero(self.mask) ** 0.5
        return float(signal / max(self.noise, USUAL_NOISE) * self.free * max(TORN, 1 - self.torn))


def contrast_over(ground: Levels, levels: Levels, dark: bool) -> Contrast:
    """How far each pixel is from its ground, 0 the ground, 1 black to white.

    Dark ink takes a share of the light that falls on it, so that its contrast is the same in a shadow; light ink on a
    dark ground is taken as it is.
    """
    if dark:
        return np.asarray(1 - levels / np.maximum(ground, DEEPEST_SHADOW).astype(np.float32))
    return (levels.astype(np.float32) - ground) / np.float32(255)


def find_ink(levels: Levels, ground: Levels, dark: bool) -> FoundInk | None:
    """Look for ink of one polarity over a ground; None where nothing stands out.

    Ink that is hardly stronger than the paper's grain is looked for again with the grain smoothed away, and taken from
    there where it stands out more.
    """
    found = _find_ink(levels, ground, dark)
    if found is not None and found.level > FAINT_NOISES * found.noise:
        return found
    from PIL import Image, ImageFilter

    smooth = Image.fromarray(levels).filter(ImageFilter.BoxBlur(max(1, round(min(levels.shape) * GRAIN))))
    again = _find_ink(np.asarray(smooth), ground, dark)
    if found is None or again is None:
        return found or again
    return max(found, again, key=lambda one: one.level / one.noise)


def _find_ink(levels: Levels, ground: Levels, dark: bool) -> FoundInk | None:
    """Look for ink of one polarity at the picture's own sharpness; None where nothing stands out.

    Ink begins in two steps, as in Canny's hysteresis: first the part of most evidence is found among all that the
    noise does not explain; its own contrast then says where ink begins, so that pencil and marker are measured alike.
    (J. Canny: A Computational Approach to Edge Detection, IEEE Trans. PAMI 8, 1986.)
    """
    contrast = contrast_over(ground, levels, dark)
    step = max(1, round((contrast.size / 8000) ** 0.5))
    # Most of the picture is ground: its median is the ground's, and what lies below it is noise alone.
    low, middle = np.percentile(contrast[::step, ::step], [16, 50])
    contrast -= np.float32(middle)
    noise = max(float(middle - low), LEAST_NOISE)
    contrast, lines = remove_lines(contrast, noise)
    weak = label(contrast > max(LEAST_CONTRAST, LEAST_NOISES * noise))
    if len(weak) == 0:
        return None
    main = np.arange(len(weak)) == evidence(weak, contrast).argmax()
    stands_out = contrast[weak.mask_of(main)]
    level = float(np.percentile(stands_out, 80))
    least = max(LEAST_CONTRAST / 2, WEAK_NOISES * noise, INK_BEGINS * level)
    parts = label(contrast > least)
    if freedom(weak)[main][0] <= ACROSS:
        # It runs to more than one side, as a digit that is cut does not: darker ink on lines askew, or in a shadow,
        # stands free of it over a higher threshold.
        higher = label(contrast > RAISED * float(np.percentile(stands_out, 98)))
        if is_free_of_rest(higher, evidence(higher, contrast), len(stands_out)):
            parts = higher
    strength = evidence(parts, contrast)
    chosen, specks = choose_parts(parts, strength)
    mask = parts.mask_of(chosen)
    box = (
        int(parts.top[chosen].min()),
        int(parts.bottom[chosen].max()),
        int(parts.left[chosen].min()),
        int(parts.right[chosen].max()),
    )
    lightest, darkest = np.percentile(ground[::step, ::step], [98, 2])
    return FoundInk(
        contrast,
        mask,
        box,
        dark,
        level=float(np.median(contrast[mask])),
        step=step_at_edge(contrast, mask, box),
        share=float(strength[chosen].sum() / strength.sum()),
        noise=noise,
        unevenness=float(lightest - darkest) / 255,
        ground_level=float(np.median(ground[::step, ::step])),
        lines=lines,
        specks=int((specks & ~chosen).sum()),
        strangers=int((~specks & ~chosen & (strength > 0.1 * strength.max())).sum()),
        parts=int(chosen.sum()),
        contact=int(parts.border_contact()[chosen].sum()),
        free=float(freedom(parts)[strength.argmax()]),
        torn=torn_share(ground, mask, box, float(np.median(contrast[mask])), dark),
    )


def evidence(parts: Components, contrast: Contrast) -> NDArray[np.float64]:
    """How much speaks for each part: the sum of its squared contrast.

    Less counts for what touches the picture's border, see `freedom`; nothing for a printed box.
    """
    squares = np.append(np.square(contrast).ravel(), np.float32(0))
    row = parts.run_rows * contrast.shape[1]
    # Of each run from its start to its end, and from there to the next, which is left out.
    bounds = np.stack((row + parts.run_starts, row + parts.run_ends), axis=1).ravel()
    mass = np.add.reduceat(squares, bounds)[::2]
    by_part = np.bincount(parts.run_labels, mass, len(parts)) * freedom(parts)
    return np.asarray(np.where(find_boxes(parts, by_part), 0, by_part))


def freedom(parts: Components) -> NDArray[np.float64]:
    """How little each part has to do with the picture's border, from 1 for what is free of it.

    What lies along the border is a table or a shadow, what reaches from one side to another a line or a shadow, and
    what comes in from one side may be a finger, a pen or its shadow as well as a digit that is cut.
    """
    height, width = parts.bottom - parts.top, parts.right - parts.left
    along = parts.border_contact() / np.maximum(height, width)
    top, bottom = parts.top == 0, parts.bottom == parts.shape[0]
    left, right = parts.left == 0, parts.right == parts.shape[1]
    sides = top.astype(np.int64) + bottom + left + right
    across = (top & bottom) | (left & right)
    return np.asarray(np.where(across, ACROSS, REACHING[sides]) * (1 - 2 * along).clip(0.003, 1))


def is_free_of_rest(higher: Components, strength: NDArray[np.float64], area: int) -> bool:
    """Whether what stands out over a higher threshold is something by itself, well away from the picture's border.

    Of a line, a higher threshold leaves all but its ends.

    Args:
        higher: The parts over the higher threshold.
        strength: The evidence for each.
        area: Pixels of the part that runs to the border, over the lower threshold.
    """
    if len(higher) == 0:
        return False
    best = int(strength.argmax())
    height, width = higher.shape
    sides = (higher.top[best], higher.left[best], height - higher.bottom[best], width - higher.right[best])
    return bool(min(sides) >= AWAY * min(height, width) and higher.area[best] < LARGEST_PART * area)


def torn_share(ground: Levels, mask: NDArray[np.bool_], box: Box, level: float, dark: bool) -> float:
    """Share of a mask where the ground is not that of its surroundings, but what stands around it there.

    The inside of a 0 looks like light ink on a ground that is as dark as its stroke; a little further off the ground is
    paper. Of dark ink, such a ground is lighter than around the digit; one that is darker is a shadow's.

    Args:
        ground: The ground over which the mask was found.
        mask: The digit's ink.
        box: Its box.
        level: Its median contrast.
        dark: Whether it is darker than the ground.
    """
    top, bottom, left, right = box
    reach = round(SURROUNDINGS * max(bottom - top, right - left)) + 4
    around = ground[max(0, top - reach) : bottom + reach, max(0, left - reach) : right + reach]
    border = np.concatenate((around[0], around[-1], around[:, 0], around[:, -1]))
    usual = float(np.percentile(border, 70 if dark else 30))
    under = ground[mask]
    torn = under > usual * (1 + level / 2) if dark else under < usual - 255 * level / 2
    return float(torn.mean())


def step_at_edge(contrast: Contrast, mask: NDArray[np.bool_], box: Box) -> float:
    """Mean contrast of a mask less that of a ring two to four pixels outside it."""
    top, bottom, left, right = box
    around = (slice(max(0, top - 6), bottom + 6), slice(max(0, left - 6), right + 6))
    inside, contrast = mask[around].astype(np.float32), contrast[around]
    near = change_width(inside, 4)
    ring = change_width(near, 4) - near
    return float((contrast * inside).sum() / inside.sum() - (contrast * ring).sum() / max(1.0, float(ring.sum())))

"""The ground under the ink: how light the paper is at each place, in whatever light (flat-field correction)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mnistsum_runtime.preparation.morphology import closing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Levels = NDArray[np.uint8]
    """[height, width], 0 black to 255 white."""
    Logs = NDArray[np.int16]
    """[height, width], the logarithm of light in `LOG_UNITS`, 0 at mid-grey."""

WIDE = 1 / 3
"""Ink may be this wide, as a share of the picture's shorter side, before it is taken for the ground."""
NARROW = 1 / 8
"""The widest ink, as a share of the shorter side, where light falls so unevenly that shadows could be taken for ink."""
NARROWEST = 1 / 20
"""The widest ink, as a share of the shorter side, where shadows are as narrow as fingers: it hollows thick strokes."""
GROUND_SIDE = 256
"""The ground is looked for on a copy whose longer side is at most about this long: light changes slowly."""
LEAST_GROUND_SIDE, LONGEST_GROUND_SIDE = 60, 1024
"""The copy of a long and narrow picture is larger, lest strokes be lost: its shorter side is about the first length, as
long as its longer side is not more than the second."""
LOG_UNITS = 2000
"""Steps of the logarithm for each factor of e: a tenth of a level on white paper, within 16 bits on black."""
DARKNESS = 8
"""Levels that are added before the logarithm is taken, lest the noise of black grow without bounds."""
LARGEST_LOG = 10_000
"""A trend may leave the levels' range, but not that of 16 bits, whatever is taken from it."""

_LOGARITHMS = (LOG_UNITS * np.log((np.arange(256) + DARKNESS) / (128 + DARKNESS))).astype(np.int16)
"""The logarithm of light for each level 0..255, in `LOG_UNITS`, 0 at mid-grey."""


@dataclass(frozen=True, eq=False, slots=True)
class Grounds:
    """A picture made small, from which the ground of either polarity is found."""

    shape: tuple[int, int]
    """Height and width of the whole picture."""
    light: Logs
    """The small picture."""
    trend: Logs
    """The quadratic surface through it: what vignettes and gradients nearly are."""

    @classmethod
    def of(cls, levels: Levels) -> Grounds:
        """Make a picture small, and take the logarithm, since light multiplies: a slope is the same in a shadow."""
        from PIL import Image, ImageFilter

        height, width = levels.shape
        longest = max(height, width)
        wanted = min(-(-longest // GROUND_SIDE), min(height, width) // LEAST_GROUND_SIDE)
        factor = max(1, wanted, -(-longest // LONGEST_GROUND_SIDE))
        image = Image.fromarray(levels)
        if factor > 1:
            image = image.reduce((min(factor, width), min(factor, height)))
        small = np.asarray(image.filter(ImageFilter.BoxBlur(1)))  # a closing keeps the lightest grain of the paper
        light = _LOGARITHMS[small]
        return cls((height, width), light, quadratic_surface(light))

    def without_ink(self, dark: bool, widest: float) -> Logs:
        """The small picture without what is darker (lighter) than its surroundings and narrower than `widest`.

        A grey-scale closing (of light ink, an opening) by a square. It keeps the edge of a shadow, since what lies
        behind it is wide. (J. Serra: Image Analysis and Mathematical Morphology, 1982; what a closing takes out is the
        black top-hat.)

        By so wide a square as `WIDE` it fills a curvature too: there the trend is taken out before and put back after.
        Where the square is narrow that would do harm: the trend of a picture that is half in shadow follows the shadow,
        and leaves a valley along its edge, which looks like ink.
        """
        side = max(3, round(min(self.light.shape) * widest))
        trend = self.trend if widest == WIDE else np.int16(0)
        rest = self.light - trend
        return (closing(rest, side) if dark else -closing(-rest, side)) + trend

    def roughness(self, wide: Logs) -> float:
        """Mean absolute deviation of a wide ground from its trend, in levels: the wrong polarity's ground is torn."""
        rest = to_levels(wide) - to_levels(self.trend)
        return float(np.abs(rest - np.median(rest)).mean())

    def full_size(self, ground: Logs) -> Levels:
        """A ground at the picture's own size, as levels."""
        from PIL import Image, ImageFilter

        small = Image.fromarray((to_levels(ground) + np.float32(0.5)).clip(0, 255).astype(np.uint8))
        height, width = self.shape
        return np.asarray(small.filter(ImageFilter.BoxBlur(1)).resize((width, height), Image.Resampling.BILINEAR))


def to_levels(light: Logs) -> NDArray[np.float32]:
    """The levels, of which `light` is the logarithm."""
    return np.asarray(np.exp(light / np.float32(LOG_UNITS)) * np.float32(128 + DARKNESS) - DARKNESS)


def quadratic_surface(light: Logs) -> Logs:
    """The quadratic surface through most of a picture: least squares, what lies far off left out in three rounds.

    Returns:
        int16 [height, width].
    """
    height, width = light.shape
    step = max(1, round((height * width / 2000) ** 0.5))
    rows, columns = np.linspace(-1, 1, height, dtype=np.float32), np.linspace(-1, 1, width, dtype=np.float32)

    def terms(y: NDArray[np.float32], x: NDArray[np.float32]) -> NDArray[np.float32]:
        one = np.ones((len(y), len(x)), np.float32)
        return np.stack([one, one * x, one * y[:, None], one * x * x, y[:, None] * x, one * (y * y)[:, None]], axis=-1)

    design = terms(rows[::step], columns[::step]).reshape(-1, 6)
    values = light[::step, ::step].ravel().astype(np.float32)
    weights = np.ones(len(values), np.float32)
    ridge = np.eye(6, dtype=np.float32) * 1e-3  # a row of pixels has no height to fit
    for _ in range(4):
        weighted = design * weights[:, None]
        coefficients = np.linalg.solve(weighted.T @ design + ridge, weighted.T @ values)
        off = np.abs(values - design @ coefficients)
        weights = (off <= max(LOG_UNITS / 100, 2 * float(np.median(off)))).astype(np.float32)
    c = coefficients.astype(np.float32)
    x, y = columns, rows[:, None]
    surface = (c[0] + c[1] * x + c[3] * x * x) + (c[2] + c[4] * x + c[5] * y) * y
    return np.asarray(surface.clip(-LARGEST_LOG, LARGEST_LOG), np.int16)

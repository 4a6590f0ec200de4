"""The ground under the ink: how light the paper is at each place, in whatever light (flat-field correction)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Levels = NDArray[np.uint8]
    """[height, width], 0 black to 255 white."""

WIDE = 1 / 3
"""Ink may be this wide, as a share of the picture's shorter side, before it is taken for the ground."""
NARROW = 1 / 8
"""The same where light falls so unevenly that narrow shadows would be taken for ink."""
GROUND_SIDE = 256
"""The ground is looked for on a copy whose longer side is at most about this long: light changes slowly."""


@dataclass(frozen=True, eq=False, slots=True)
class Grounds:
    """A picture made small, from which the ground of either polarity is found."""

    shape: tuple[int, int]
    """Height and width of the whole picture."""
    trend: NDArray[np.float32]
    """The quadratic surface through the small picture: what vignettes and gradients nearly are."""
    rest: Levels
    """The small picture without its trend, around 128."""

    @classmethod
    def of(cls, levels: Levels) -> Grounds:
        """Make a picture small and take its trend out, since a closing levels off slopes at the picture's border."""
        from PIL import Image, ImageFilter

        height, width = levels.shape
        factor = -(-max(height, width) // GROUND_SIDE)
        image = Image.fromarray(levels)
        if factor > 1:
            image = image.reduce((min(factor, width), min(factor, height)))
        small = np.asarray(image.filter(ImageFilter.BoxBlur(1)))  # a closing keeps the lightest grain of the paper
        trend = quadratic_surface(small)
        return cls((height, width), trend, (small - trend + 128).clip(0, 255).astype(np.uint8))

    def without_ink(self, dark: bool, widest: float) -> Levels:
        """The small picture without what is darker (lighter) than its surroundings and narrower than `widest`.

        A grey-scale closing (opening) by a square. It keeps the edge of a shadow, since what lies behind it is wide.
        (J. Serra: Image Analysis and Mathematical Morphology, 1982; what a closing takes is the black top-hat.)
        """
        side = max(3, round(min(self.rest.shape) * widest))
        return closing(self.rest, side) if dark else 255 - closing(255 - self.rest, side)

    def full_size(self, without_ink: Levels) -> Levels:
        """The ground at the picture's own size, its trend put back."""
        from PIL import Image, ImageFilter

        ground = Image.fromarray((without_ink + self.trend - 128).clip(0, 255).astype(np.uint8))
        height, width = self.shape
        return np.asarray(ground.filter(ImageFilter.BoxBlur(1)).resize((width, height), Image.Resampling.BILINEAR))


def roughness(without_ink: Levels) -> float:
    """Mean absolute deviation of a ground from its median level: ink of the wrong polarity leaves its ground torn."""
    return float(np.abs(without_ink - np.float32(np.median(without_ink))).mean())


def quadratic_surface(levels: Levels) -> NDArray[np.float32]:
    """The quadratic surface through most of a picture: least squares, what lies far off left out in three rounds.

    Returns:
        float32 [height, width], in levels.
    """
    height, width = levels.shape
    step = max(1, round((height * width / 2000) ** 0.5))
    rows, columns = np.linspace(-1, 1, height, dtype=np.float32), np.linspace(-1, 1, width, dtype=np.float32)

    def terms(y: NDArray[np.float32], x: NDArray[np.float32]) -> NDArray[np.float32]:
        one = np.ones((len(y), len(x)), np.float32)
        return np.stack([one, one * x, one * y[:, None], one * x * x, y[:, None] * x, one * (y * y)[:, None]], axis=-1)

    design = terms(rows[::step], columns[::step]).reshape(-1, 6)
    values = levels[::step, ::step].ravel().astype(np.float32)
    weights = np.ones(len(values), np.float32)
    ridge = np.eye(6, dtype=np.float32) * 1e-3  # a row of pixels has no height to fit
    for _ in range(4):
        weighted = design * weights[:, None]
        coefficients = np.linalg.solve(weighted.T @ design + ridge, weighted.T @ values)
        off = np.abs(values - design @ coefficients)
        weights = (off <= max(2.0, 2 * float(np.median(off)))).astype(np.float32)
    c = coefficients.astype(np.float32)
    x, y = columns, rows[:, None]
    surface: NDArray[np.float32] = (c[0] + c[1] * x + c[3] * x * x) + (c[2] + c[4] * x + c[5] * y) * y
    return surface


def closing(levels: Levels, side: int) -> Levels:
    """The grey-scale closing by a square of `side` pixels: the maximum over it, then the minimum."""
    return 255 - _maximum(255 - _maximum(levels, side), side)


def _maximum(levels: Levels, side: int) -> Levels:
    """The maximum over a centred square of `side` pixels (made odd), the picture's edge repeated.

    Along each axis by doubling: the maximum over 2 n pixels is that of two maxima over n.
    """
    reach = side // 2
    for _ in range(2):
        padded = np.pad(levels, ((reach, reach), (0, 0)), mode="edge")
        length = 1
        while 2 * length <= 2 * reach + 1:
            padded = np.maximum(padded[:-length], padded[length:])
            length *= 2
        rest = 2 * reach + 1 - length
        if rest:
            padded = np.maximum(padded[:-rest], padded[rest:])
        levels = np.ascontiguousarray(padded.T)
    return levels

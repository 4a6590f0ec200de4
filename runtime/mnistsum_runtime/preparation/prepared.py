"""What preparation made of a picture, and what it decided on the way: the record behind `--explain` and reliability."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST_NOISE = 0.5 / 255
"""No picture of 8 bits is known better than to half a level."""


class PreparedPicture(NamedTuple):
    """The 28x28 field and how it came about. Compared by identity: two arrays have no single truth value.

    Lengths and coordinates are in pixels of the grey picture that was given to `prepare_picture`, unless another
    unit is named. A picture that was in MNIST's form already has its `field` alone: everything else is as by default.
    """

    field: NDArray[np.float32]
    """[28, 28], ink 0..1, light on dark: what the network sees."""
    untouched: bool = True
    """Whether the picture was in MNIST's form already and passed through unchanged."""
    mask: NDArray[np.bool_] | None = None
    """[height, width] at the working size: the ink that was kept. None for an untouched picture."""
    reduction: int = 1
    """Sides of the given picture are this many times those of `mask`."""
    box: tuple[int, int, int, int] = (0, 28, 0, 28)
    """Where the digit is: top, bottom, left, right, the ends exclusive."""
    dark_ink: bool = False
    """Whether the ink is darker than its ground."""
    ground_level: float = 0.0
    """Grey level of the ground, 0 black to 255 white (the median; 16-bit and float pictures as stretched to 8 bits)."""
    contrast: float = 1.0
    """Difference between ink and ground, as a share of black to white, 0..1."""
    noise: float = 0.0
    """Standard deviation of the ground after uneven light was removed, as a share of black to white, 0..1."""
    edge: float = 1.0
    """Contrast across the ink's edge, as a share of the ink's: near 1 for a pen, small for the edge of a shadow."""
    share: float = 1.0
    """The digit's share of all that stands out from the ground, 0..1: small in a texture, or among other writing."""
    unevenness: float = 0.0
    """Difference between the lightest and the darkest ground that was levelled, as a share of black to white; 0 where
    the ground was flat and was left as it is."""
    threshold: float = 0.5
    """Where ink begins, as a share of the contrast between ground (0) and ink (1)."""
    lines_removed: int = 0
    """How many ruled or grid lines were taken out."""
    specks_dropped: int = 0
    """How many parts were too small to be the digit's ink."""
    strangers_dropped: int = 0
    """How many parts were dropped that stand out as the digit does: other writing."""
    parts: int = 1
    """How many connected parts the digit has."""
    cut: bool = False
    """Whether the digit's ink runs over the picture's edge, so that a part is likely to be missing; see `edge`."""
    stroke_width: float = 0.0
    """Mean width of the digit's strokes; 0 where it was not measured."""
    thickening: float = 0.0
    """What was added to (taken from, where negative) the strokes' width, in pixels of the 28x28 field."""

    def __eq__(self, other: object) -> bool:
        """Identity."""
        return self is other

    def __hash__(self) -> int:
        """The hash of the identity."""
        return id(self)

    @property
    def scale(self) -> float:
        """Length in the 28x28 field of one pixel of the given picture: over 1 it was enlarged."""
        top, bottom, left, right = self.box
        return 1.0 if self.untouched else 20 / max(bottom - top, right - left)

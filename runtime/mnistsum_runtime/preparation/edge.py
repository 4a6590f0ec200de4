"""What a digit that touches the picture's edge tells: whether it goes on beyond."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mnistsum_runtime.preparation.mnist_form import ink_box

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST_FIELD = 64
"""A square picture with sides of at most this many pixels is a field to draw in, as paint programs and data sets have
it: nobody crops a photo to that. Its user fills it, and stops at its edge because there is no more room."""
LEAST_FILLED = 0.7
"""From one side to the other a drawn digit fills at least this share of its field; MNIST's fill 20 of 28 pixels. What
is shorter and touches the edge was moved over it: of MNIST's training digits that were moved so far that 15 to 30 % of
them are lost, none is longer than 0.65, and of 18 drawings that touch the edge none is shorter than 0.71."""
LEAST_CROPPED = 0.95
"""Of any other picture a digit fills this share, where the picture was cropped to it: then there is as little room on
the side across, and nothing is missing. Of a digit with a margin, one side of which was cut off, 99 in 100 fill
less."""
LEAST_CONTACT = 0.5
"""A stroke that runs over the edge touches it along this share of its width or more; what touches it less has come to
its end there, or bends away."""
LEAST_WIDTH = 4.0
"""Only of strokes at least this many pixels wide is the contact measured: the half of a narrower one is a single
pixel."""


def is_field(height: int, width: int) -> bool:
    """Whether a picture of that size is a small field that a digit was drawn in."""
    return height == width <= LARGEST_FIELD


def is_cut(mask: NDArray[np.bool_], stroke: float) -> bool:
    """Whether a part of a digit is likely to be missing beyond one of the picture's sides.

    A digit that fills the picture between two opposite sides is whole though it touches them. Where there is room on
    the far side, nothing kept it from the near one: what crosses that side goes on.

    Args:
        mask: [height, width]: the digit's ink in the whole picture.
        stroke: The width of its strokes, in pixels of the mask.
    """
    top, bottom, left, right = ink_box(mask)
    height, width = mask.shape
    least = LEAST_FILLED if is_field(height, width) else LEAST_CROPPED
    crossing = LEAST_CONTACT * stroke if stroke >= LEAST_WIDTH else 0.0
    filled = {0: (bottom - top) / height, 1: (right - left) / width}
    sides = ((0, mask[0]), (0, mask[-1]), (1, mask[:, 0]), (1, mask[:, -1]))
    return any(filled[axis] < least and np.count_nonzero(side) > crossing for axis, side in sides)

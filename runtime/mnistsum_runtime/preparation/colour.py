"""Colour to grey: lightness, or the axis of colour that parts ink from paper where lightness does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

COLOUR_GAIN = 2.0
"""Colour is used where it holds this many times the squared contrast of lightness."""
SIDE = 200
"""The axis of colour is found on a copy whose longer side is at most about this long."""
LEAST_COLOUR = 8
"""Where red, green and blue are nowhere further apart than this many levels there is no colour to look for: black ink
on white, in a file that could have more. (It spares a megabyte of code.)"""
LIGHTNESS = np.array([0.299, 0.587, 0.114], np.float32)
"""Red, green and blue in Pillow's mode L (ITU-R BT.601)."""


def grey_of_contrast(colour: Image.Image) -> Image.Image:
    """Grey along the axis of colour on which ink and paper differ most, where lightness alone shows little of it.

    Orange on pink is as light as its paper. The axis is the first principal component of what a high-pass filter
    leaves, where it leaves most: the edges of ink, of whatever colour.
    (K. Pearson: On Lines and Planes of Closest Fit to Systems of Points in Space, 1901.)

    Args:
        colour: Mode RGB.
    """
    from PIL import ImageChops, ImageFilter

    factor = -(-max(colour.size) // SIDE)
    small = colour.reduce((min(factor, colour.width), min(factor, colour.height))) if factor > 1 else colour
    red, green, blue = small.split()
    pairs = ((red, green), (green, blue), (blue, red))
    if all(np.asarray(ImageChops.difference(*pair)).max() <= LEAST_COLOUR for pair in pairs):
        return colour.convert("L")
    around = small.filter(ImageFilter.BoxBlur(max(2, max(small.size) // 16)))
    left = np.subtract(np.asarray(small), np.asarray(around), dtype=np.float32).reshape(-1, 3)
    strength = np.einsum("ij,ij->i", left, left)
    most = left[strength >= np.partition(strength, -len(left) // 20)[-len(left) // 20]]
    moments = most.T @ most
    lightness = LIGHTNESS / np.sqrt(LIGHTNESS @ LIGHTNESS)
    enough = COLOUR_GAIN * (lightness @ moments @ lightness)
    # No axis has more than all three together: of most pictures, a megabyte of LAPACK's code is not even loaded.
    if moments.trace() < enough:
        return colour.convert("L")
    axis = np.linalg.eigh(moments)[1][:, -1]
    if axis @ moments @ axis < enough:
        return colour.convert("L")
    axis = axis * np.sign(axis @ lightness) / np.abs(axis).sum()
    offset = -255 * float(axis.clip(None, 0).sum())
    return colour.convert("L", (*(float(weight) for weight in axis), offset))

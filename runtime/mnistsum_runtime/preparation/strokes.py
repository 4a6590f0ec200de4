"""The width of pen strokes, and how it is brought near that of MNIST's digits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ink = NDArray[np.float32]


def stroke_width(ink: Ink) -> float:
    """Mean width of the strokes of an ink [height, width], 0..1, in its pixels.

    A stroke of width w and length l has the area w l and the perimeter 2 l + 2 w; w follows from both. The perimeter is
    Cauchy's and Crofton's: pi / 4 times the ink's total variation along rows and columns.
    """
    height, width = ink.shape
    padded = np.zeros((height + 2, width + 2), np.float32)  # nothing is beyond
    padded[1:-1, 1:-1] = ink
    flat = padded.ravel()
    down, across = flat[width + 2 :] - flat[: -width - 2], flat[1:] - flat[:-1]
    area = float(np.add.reduce(flat))
    variation = float(np.add.reduce(np.abs(down)) + np.add.reduce(np.abs(across)))
    half = np.pi / 8 * variation  # l + w
    # w l = area, l + w = half: the smaller root; a disc, which has no two roots, is as wide as long.
    return float(half / 2 - max(0.0, half * half / 4 - area) ** 0.5)


def change_width(ink: Ink, amount: float) -> Ink:
    """Widen strokes by `amount` pixels, or thin them where it is negative, by a grey-scale dilation or erosion.

    Of an odd number of steps on either side, square and cross in turn: an octagon, nearly a disc. Of a part of a step,
    that part.
    """
    if amount < 0:
        return 1 - change_width(1 - ink, -amount)
    steps, part = divmod(amount / 2, 1)
    for step in range(int(steps)):
        ink = _dilate(ink, corners=step % 2 == 1)
    if part:
        ink = ink + np.float32(part) * (_dilate(ink, corners=False) - ink)
    return ink


def _dilate(ink: Ink, corners: bool) -> Ink:
    down = ink.copy()
    np.maximum(down[1:], ink[:-1], out=down[1:])
    np.maximum(down[:-1], ink[1:], out=down[:-1])
    beside = down if corners else ink
    around = down.copy()
    np.maximum(around[:, 1:], beside[:, :-1], out=around[:, 1:])
    np.maximum(around[:, :-1], beside[:, 1:], out=around[:, :-1])
    return around

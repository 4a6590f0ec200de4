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
    area = float(ink.sum())
    edges = ink[0].sum() + ink[-1].sum() + ink[:, 0].sum() + ink[:, -1].sum()  # nothing is beyond
    variation = float(np.abs(ink[1:] - ink[:-1]).sum() + np.abs(ink[:, 1:] - ink[:, :-1]).sum() + edges)
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
    padded = np.pad(ink, 1, mode="edge")
    rows = np.maximum(np.maximum(padded[:-2], padded[2:]), padded[1:-1])
    if corners:
        return np.maximum(np.maximum(rows[:, :-2], rows[:, 2:]), rows[:, 1:-1])
    columns = np.maximum(padded[1:-1, :-2], padded[1:-1, 2:])
    return np.maximum(rows[:, 1:-1], columns)

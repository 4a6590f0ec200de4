"""Mathematical morphology in numpy: how wide strokes are, dilation, erosion, and the grey-scale closing.

scipy judges it in the tests. On the device its import would cost 27 MB of memory and a quarter of a second a call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ink = NDArray[np.float32]
    """[height, width], 0 where there is no ink, 1 where there is full ink."""
    Mask = NDArray[np.bool_]
    """[height, width]."""
    Light = NDArray[np.int16]
    """[height, width], on any scale."""


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

    Each side takes half of the amount, a pixel a step, by a cross and a square in turn: together an octagon, nearly a
    disc. A part of a step that is left over adds that part of a cross's.
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


def shrink(mask: Mask, steps: int) -> Mask:
    """Take `steps` pixels off a mask all around: erosions by a cross; what is beyond the picture counts as true."""
    for _ in range(steps):
        padded = np.pad(mask, 1, constant_values=True)
        mask = padded[1:-1, 1:-1] & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask


def closing(light: Light, side: int) -> Light:
    """The grey-scale closing by a square of `side` pixels (made odd): the maximum over it, then the minimum.

    Beyond the picture its slope goes on, mirrored, where repeating the border would level slopes off.
    """
    reach = side // 2
    padded = np.pad(light, [(min(2 * reach, length - 1),) * 2 for length in light.shape], "reflect", reflect_type="odd")
    closed = -_maximum(-_maximum(padded, reach), reach)
    top, left = ((p - q) // 2 for p, q in zip(padded.shape, light.shape, strict=True))
    return closed[top : top + light.shape[0], left : left + light.shape[1]]


def _maximum(light: Light, reach: int) -> Light:
    """The maximum over a centred square of 2 `reach` + 1 pixels, the border repeated.

    Along each axis by doubling: the maximum over 2 n pixels is that of two maxima over n.
    """
    for _ in range(2):
        padded = np.pad(light, ((reach, reach), (0, 0)), mode="edge")
        length = 1
        while 2 * length <= 2 * reach + 1:
            padded = np.maximum(padded[:-length], padded[length:])
            length *= 2
        rest = 2 * reach + 1 - length
        if rest:
            padded = np.maximum(padded[:-rest], padded[rest:])
        light = np.ascontiguousarray(padded.T)
    return light

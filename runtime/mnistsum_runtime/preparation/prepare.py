"""From a grey picture of any size to the 28x28 ink that the network reads.

A picture in MNIST's form passes through; a clean scan takes the short way of `scan`; all else, that of `photo`, whose
modules are imported only then. Either way ends in `mnist_form`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mnistsum_runtime.contract import IMAGE_SIZE
from mnistsum_runtime.errors import PictureError
from mnistsum_runtime.preparation.mnist_form import intensity, is_mnist_form
from mnistsum_runtime.preparation.prepared import PreparedPicture
from mnistsum_runtime.preparation.scan import prepare_scan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mnistsum_runtime.preparation.mnist_form import Ink
    from mnistsum_runtime.preparation.picture import Grey

WORKING_SIDE = 1000
"""Longer pictures are first averaged down by a whole factor: 50 pixels for one of the box are plenty."""
LEAST_SIDE, LONGEST_SIDE = 200, 4000
"""A long and narrow picture is reduced less, since the digit on it is no longer than its shorter side: the shorter side
keeps at least the first length, as long as the longer one is not more than the second."""


def prepare(grey: Grey, name: str = "the picture") -> Ink:
    """Bring a picture into MNIST's form: float32 [28, 28], ink 0..1, light on dark; see `prepare_picture`."""
    return prepare_picture(grey, name).field


def prepare_picture(grey: Grey, name: str = "the picture") -> PreparedPicture:
    """Bring a picture into MNIST's form, with the record of what was decided.

    A 28x28 picture with a black ground, whose digit is as long as MNIST's and lies as they do, is in that form already
    and passed through unchanged.

    Raises:
        PictureError: `no_digit`: there is nothing in the picture that could be ink. Or `too_large`: there is too little
            memory for it.
    """
    try:
        return _prepare(grey, name)
    except MemoryError as error:
        raise PictureError("too_large", f"{name}: too little memory to prepare it") from error


def _prepare(grey: Grey, name: str) -> PreparedPicture:
    if grey.shape == (IMAGE_SIZE, IMAGE_SIZE):
        if grey.min() == grey.max():
            raise PictureError("no_digit", f"{name}: one colour from edge to edge, there is no digit in it")
        field = intensity(grey)
        if is_mnist_form(field):
            return PreparedPicture(field)
    levels = reduce_size(stretch(grey))
    reduction = max(1, round(max(grey.shape) / max(levels.shape)))
    prepared = prepare_scan(levels, reduction)
    if prepared is None:
        from mnistsum_runtime.preparation.photo import prepare_photo

        prepared = prepare_photo(levels, reduction, name)
    return prepared


def stretch(grey: Grey) -> NDArray[np.uint8]:
    """Spread the picture's own range over 0..255; 8-bit pictures are returned as they are."""
    if grey.dtype == np.uint8:
        return np.asarray(grey, np.uint8)
    low, high = grey.min(), grey.max()
    levels = np.empty(grey.shape, np.uint8)
    # Ufuncs with `out` convert block by block: 64 megapixels need no float copy.
    np.multiply(grey - low, np.float32(255 / (float(high - low) or 1)), out=levels, casting="unsafe", dtype=np.float32)
    return levels


def reduce_size(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Average blocks of n x n so that the longer side is at most `WORKING_SIDE` (n = 1: as it is).

    Of a long and narrow picture the longer side may be longer, if the whole has no more pixels than such a square.
    """
    height, width = levels.shape
    by_area = math.isqrt((levels.size - 1) // WORKING_SIDE**2) + 1
    longest = max(height, width)
    factor = max(
        by_area, -(-longest // LONGEST_SIDE), min(-(-longest // WORKING_SIDE), min(height, width) // LEAST_SIDE)
    )
    if factor == 1:
        return levels
    from PIL import Image

    # A side that is shorter than the block stays one pixel long.
    reduced = Image.fromarray(np.ascontiguousarray(levels)).reduce((min(factor, width), min(factor, height)))
    return np.asarray(reduced)

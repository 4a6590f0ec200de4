"""The inputs on which torch and ONNX are compared: pairs of a picture and a number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mnistsum_export.proof.examples import FIRST_ROWS
from mnistsum_runtime.contract import IMAGE, IMAGE_SIZE, NUMBER, NUMBERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mnistsum_export.proof.examples import Arrays

NOISE_PICTURES = FIRST_ROWS - 2
"""So that every synthetic picture is among the rows of which each part of the examples has all."""
NOISE_SEED = 0


def make_probes(digits: NDArray[np.uint8]) -> Arrays:
    """Blank, saturated and noise pictures, then real digits, each with all ten numbers.

    The first rows have each synthetic picture once, the i-th with the number i modulo 10.

    Args:
        digits: [n, 28, 28], pictures of MNIST's test set.

    Returns:
        `image` [rows, 1, 28, 28] in 0..1 and `number` [rows, 10], one-hot; float32.
    """
    pictures = np.concatenate([synthetic_pictures(), digits])
    pairs = np.arange(NUMBERS * len(pictures))
    picture, number = pairs // NUMBERS, pairs % NUMBERS
    first = np.flatnonzero((picture < FIRST_ROWS) & (number == picture % NUMBERS))
    order = np.concatenate([first, np.delete(pairs, first)])
    return to_inputs(pictures[picture[order]], number[order])


def to_inputs(pictures: NDArray[np.uint8], numbers: NDArray[np.integer]) -> Arrays:
    """The network's inputs.

    Args:
        pictures: [rows, 28, 28], 0 ground to 255 ink.
        numbers: [rows], 0..9.

    Returns:
        `image` [rows, 1, 28, 28] in 0..1 and `number` [rows, 10], one-hot; float32.
    """
    images = pictures.astype(np.float32)[:, None]
    images /= np.float32(255)
    return {IMAGE: images, NUMBER: np.eye(NUMBERS, dtype=np.float32)[numbers]}


def synthetic_pictures() -> NDArray[np.uint8]:
    """[n, 28, 28]: blank, saturated, and seeded noise of three kinds (even, black and white, a few bright specks)."""
    generator = np.random.default_rng(NOISE_SEED)
    shape = (NOISE_PICTURES // 3, IMAGE_SIZE, IMAGE_SIZE)
    even = generator.integers(0, 256, shape)
    two_valued = generator.integers(0, 2, shape) * 255
    specks = (generator.random(shape) < 0.03) * 255
    flat = np.zeros((2, IMAGE_SIZE, IMAGE_SIZE), np.int64)
    flat[1] = 255
    return np.concatenate([flat, even, two_valued, specks]).astype(np.uint8)

"""The inputs on which torch and ONNX are compared."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnistsum_runtime.contract import IMAGE_SIZE, NUMBERS

NOISE_PICTURES = 30
SYNTHETIC_PICTURES = 2 + NOISE_PICTURES
NOISE_SEED = 0


@dataclass(frozen=True)
class Probes:
    """Pairs of a picture and a number: the synthetic ones first, each picture with 0 to 9."""

    images: NDArray[np.float32]
    """[n, 1, 28, 28], 0..1."""
    numbers: NDArray[np.float32]
    """[n, 10], one-hot."""

    def __len__(self) -> int:
        """How many pairs."""
        return len(self.images)

    def spread(self, count: int) -> NDArray[np.int64] | slice:
        """Index of about `count` pairs: each synthetic picture once, real ones evenly, all ten numbers with both.

        All pairs if there are no more than `count`.
        """
        if count >= len(self):
            return slice(None)
        first_real = SYNTHETIC_PICTURES * NUMBERS
        synthetic = np.arange(SYNTHETIC_PICTURES) * NUMBERS + np.arange(SYNTHETIC_PICTURES) % NUMBERS
        step = max(1, (len(self) - first_real) // max(1, count - SYNTHETIC_PICTURES))
        while np.gcd(step, NUMBERS) != 1:
            step += 1
        return np.concatenate([synthetic, np.arange(first_real, len(self), step)])


def make_probes(digits: NDArray[np.uint8]) -> Probes:
    """Blank, saturated and noise pictures, then real digits, each with all ten numbers.

    Args:
        digits: [n, 28, 28], pictures of MNIST's test set.
    """
    pictures = np.concatenate([synthetic_pictures(), digits]).astype(np.float32) / np.float32(255)
    images = pictures.repeat(NUMBERS, axis=0)[:, None]
    numbers: NDArray[np.float32] = np.tile(np.eye(NUMBERS, dtype=np.float32), (len(pictures), 1))
    return Probes(images, numbers)


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

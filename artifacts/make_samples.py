"""Make the sample pictures of `artifacts/samples/`, from MNIST test digits, as a maker's folder might hold them.

Usage: python artifacts/make_samples.py
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnistsum_export.network.sample_pictures import BLUE_INK, BOARD, CHALK, CREAM, INK, PAPER, draw, encode
from mnistsum_runtime.atomic import write_atomically
from mnistsum_train.data import load_mnist

SAMPLES = Path(__file__).parent / "samples"


def main() -> None:
    """Write every sample."""
    SAMPLES.mkdir(exist_ok=True)
    images = load_mnist(train=False).images[:, 0].numpy()
    samples = {
        "seven-mnist.png": Image.fromarray(images[0]),
        "seven.png": draw(images[0], (320, 240), (130, 20, 170), INK, PAPER),
        "two-blue-ink.png": draw(images[1], (400, 300), (20, 40, 220), BLUE_INK, CREAM),
        "zero-chalk.png": draw(images[3], (240, 240), (40, 30, 180), CHALK, BOARD),
        "forty-two.png": forty_two(images),
        "four-transparent.png": draw(images[4], (200, 280), (10, 90, 170), (0, 0, 0), None),
    }
    for name, picture in samples.items():
        write_atomically(SAMPLES / name, encode(picture, "PNG"))


def forty_two(images: NDArray[np.uint8]) -> Image.Image:
    """Two digits in a row: an answer that says that it is not reliable."""
    left, right = (draw(images[index], (180, 240), (20, 50, 140), INK, PAPER) for index in (4, 1))
    sheet = Image.new("RGB", (300, 240), PAPER)
    sheet.paste(right, (120, 0))
    sheet.paste(left.crop((0, 0, 150, 240)), (0, 0))
    return sheet


if __name__ == "__main__":
    main()

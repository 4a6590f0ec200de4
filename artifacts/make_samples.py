"""Make the sample pictures of `artifacts/samples/`, from MNIST test digits, as a maker's folder might hold them.

Usage: python artifacts/make_samples.py
"""

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnistsum_runtime.atomic import write_atomically
from mnistsum_train.data import load_mnist

SAMPLES = Path(__file__).parent / "samples"

Colour = tuple[int, int, int]


def draw(
    digit: NDArray[np.uint8], size: tuple[int, int], box: tuple[int, int, int], ink: Colour, ground: Colour | None
) -> Image.Image:
    """Put a digit on a sheet.

    Args:
        digit: uint8 [28, 28], 0 ground to 255 ink.
        size: Width and height of the sheet in pixels.
        box: Left, top and side of the square that the digit fills.
        ink: Colour of the digit.
        ground: Colour of the sheet, or None for a transparent one.
    """
    left, top, side = box
    coverage = Image.new("L", size)
    coverage.paste(Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC), (left, top))
    coverage = coverage.point(lambda value: min(255, max(0, (value - 64) * 2)))  # a pen's edge, not a blur
    if ground is None:
        sheet = Image.new("RGBA", size, (*ink, 0))
        sheet.putalpha(coverage)
        return sheet
    return Image.composite(Image.new("RGB", size, ink), Image.new("RGB", size, ground), coverage)


def main() -> None:
    """Write every sample."""
    SAMPLES.mkdir(exist_ok=True)
    images = load_mnist(train=False).images[:, 0].numpy()
    samples = {
        "seven-mnist.png": Image.fromarray(images[0]),
        "seven.png": draw(images[0], (320, 240), (130, 20, 170), (25, 25, 30), (255, 255, 255)),
        "two-blue-ink.png": draw(images[1], (400, 300), (20, 40, 220), (40, 60, 160), (244, 238, 220)),
        "zero-chalk.png": draw(images[3], (240, 240), (40, 30, 180), (235, 235, 230), (38, 62, 50)),
        "four-transparent.png": draw(images[4], (200, 280), (10, 90, 170), (0, 0, 0), None),
    }
    for name, picture in samples.items():
        buffer = BytesIO()
        picture.save(buffer, "PNG", optimize=True)
        write_atomically(SAMPLES / name, buffer.getvalue())


if __name__ == "__main__":
    main()

"""Small picture files of several kinds, as makers have them: what the references record the preparation of."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Colour = tuple[int, int, int]

INK: Colour = (25, 25, 30)
PAPER: Colour = (255, 255, 255)
BLUE_INK: Colour = (40, 60, 160)
CREAM: Colour = (244, 238, 220)
CHALK: Colour = (235, 235, 230)
BOARD: Colour = (38, 62, 50)


def sample_pictures(digits: NDArray[np.uint8]) -> dict[str, bytes]:
    """Encode six pictures, by file name; between them they go through every step of the preparation.

    Args:
        digits: uint8 [6 or more, 28, 28], 0 ground to 255 ink.
    """
    plain = Image.fromarray(digits[0])
    ink = draw(digits[1], (160, 120), (20, 10, 100), INK, PAPER)
    tinted = draw(digits[2], (150, 130), (12, 25, 96), BLUE_INK, CREAM)
    chalk = draw(digits[3], (120, 120), (18, 14, 90), CHALK, BOARD)
    transparent = draw(digits[4], (100, 140), (6, 44, 85), (0, 0, 0), None)
    photo = draw(digits[5], (140, 140), (22, 20, 98), INK, CREAM)
    return {
        "mnist.png": encode(plain, "PNG"),
        "ink-on-paper.png": encode(ink, "PNG"),
        "tinted-palette.png": encode(tinted.quantize(16), "PNG"),
        "chalk.png": encode(chalk, "PNG"),
        "transparent.png": encode(transparent, "PNG"),
        "ink.jpg": encode(photo, "JPEG"),
    }


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


def encode(image: Image.Image, form: str) -> bytes:
    """The bytes of a file; `form` is Pillow's name of the format."""
    buffer = BytesIO()
    image.save(buffer, form, optimize=True)
    return buffer.getvalue()

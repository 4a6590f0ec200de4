"""Small picture files of several kinds, as makers have them: what the references record the preparation of."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]

INK: Colour = (25, 25, 30)
PAPER: Colour = (255, 255, 255)
BLUE_INK: Colour = (40, 60, 160)
CREAM: Colour = (244, 238, 220)
CHALK: Colour = (235, 235, 230)
BOARD: Colour = (38, 62, 50)
BLUE_LINE: Colour = (120, 145, 205)
RED_INK: Colour = (190, 40, 60)
GREEN_PAPER: Colour = (190, 225, 190)
DESK: Colour = (92, 70, 52)
_ORIENTATION = 0x0112


def sample_pictures(digits: NDArray[np.uint8]) -> dict[str, bytes]:
    """Encode twelve pictures, by file name: six clean ones, then six photos, which take the deep way of preparation.

    Args:
        digits: uint8 [10, 28, 28], one of each digit, 0 ground to 255 ink.
    """
    return clean_pictures(digits[[7, 2, 5, 0, 4, 9]]) | photos(digits[[3, 6, 8, 1, 2, 4]])


def clean_pictures(digits: NDArray[np.uint8]) -> dict[str, bytes]:
    """Pictures with an even ground: uint8 [6, 28, 28] to files."""
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


def photos(digits: NDArray[np.uint8]) -> dict[str, bytes]:
    """Pictures as cameras take them: uint8 [6, 28, 28] to files."""
    size, box = (320, 260), (80, 40, 180)
    ruled = draw(digits[0], size, box, INK, CREAM)
    lines = ImageDraw.Draw(ruled)
    for y in range(14, size[1], 26):
        lines.line([(0, y), (size[0], y + 3)], BLUE_LINE, 2)
    shadow = draw(digits[1], size, box, INK, PAPER)
    light_on_dark = draw(digits[2], size, box, CHALK, BOARD)
    coloured = draw(digits[3], size, box, RED_INK, GREEN_PAPER)
    large = draw(digits[4], (1200, 1600), (250, 450, 700), INK, PAPER)
    note = draw(digits[5], (150, 190), (20, 40, 110), INK, PAPER).rotate(
        7, Image.Resampling.BICUBIC, True, fillcolor=DESK
    )
    table = Image.new("RGB", size, DESK)
    table.paste(note, (70, 20))
    turned = Image.Exif()
    turned[_ORIENTATION] = 6  # the camera was held upright
    return {
        "ruled.jpg": encode(lit(ruled, 0.9, 0.75), "JPEG"),
        "shadow.jpg": encode(lit(shadow, 1.0, 0.35, edge=0.5), "JPEG"),
        "light-on-dark.jpg": encode(lit(light_on_dark, 1.0, 0.5), "JPEG"),
        "coloured.jpg": encode(lit(coloured, 0.95, 0.6), "JPEG"),
        "large-turned.jpg": encode(lit(large, 0.95, 0.55).transpose(Image.Transpose.ROTATE_90), "JPEG", exif=turned),
        "sheet-on-table.jpg": encode(lit(table, 0.95, 0.75), "JPEG"),
    }


def lit(sheet: Image.Image, left: float, right: float, edge: float | None = None) -> Image.Image:
    """Let light fall on a sheet, and the camera's noise.

    Args:
        sheet: RGB.
        left: Share of the light at the left, 0..1.
        right: At the right; between the two it changes evenly.
        edge: Or at once, at this share of the width: the edge of a shadow.
    """
    across = np.linspace(0, 1, sheet.width)
    light = left + (right - left) * (across if edge is None else (across > edge))
    noise = np.random.default_rng(0).normal(0, 1.5, (sheet.height, sheet.width, 1))
    levels = np.asarray(sheet, np.float64) * light[None, :, None] + noise
    return Image.fromarray(levels.clip(0, 255).round().astype(np.uint8))


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


def encode(image: Image.Image, form: str, exif: Image.Exif | None = None) -> bytes:
    """The bytes of a file; `form` is Pillow's name of the format."""
    buffer = BytesIO()
    image.save(buffer, form, optimize=True, **({} if exif is None else {"exif": exif}))
    return buffer.getvalue()

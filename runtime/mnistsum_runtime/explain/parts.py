"""What panels are drawn with: measures, colours, letters, the answer as a headline and as bars, the 28x28 field."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFont

from mnistsum_runtime.errors import PictureError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import ImageDraw

    from mnistsum_runtime.prediction import Prediction

CELL = 252
"""Side of the square for a picture: nine pixels for one of the 28x28 field."""
GAP = 16
BARS = 226
HEADER = 64
HEIGHT = HEADER + CELL + 42
PAPER, TEXT, MUTED, LINE = "#ffffff", "#1b1f24", "#667078", "#d5dadf"
_SURE, _UNSURE, _FAILED, _REST = "#1a7f4b", "#c77700", "#c0322b", "#b6c2cc"


def describe_answer(answer: Prediction | PictureError) -> tuple[str, str]:
    """A sentence, and the colour that says how far it can be relied on."""
    if isinstance(answer, PictureError):
        return f"no answer: {answer.kind}: {shorten(answer.message, 110)}", _FAILED
    _, _, sentence = answer.to_line("").partition(": ")
    return sentence, _SURE if answer.reliable else _UNSURE


def draw_bars(draw: ImageDraw.ImageDraw, answer: Prediction, left: int) -> None:
    """Both outputs: bars over all digits, and over all values."""
    rows = (
        ("digit", tuple(range(10)), answer.digit_probabilities, answer.digit),
        (
            f"{answer.operation.name} with {answer.number}",
            answer.operation.classes,
            answer.value_probabilities,
            answer.value,
        ),
    )
    height = CELL // 2 - 46
    for index, (title, values, probabilities, best) in enumerate(rows):
        top = HEADER + index * (CELL // 2 + 8)
        base = top + 22 + height
        draw.text((left, top), f"{title}: {best} ({float(probabilities.max()):.1%})", TEXT, font(13))
        step = BARS / len(values)
        for place, (value, probability) in enumerate(zip(values, probabilities, strict=True)):
            x = left + place * step
            colour = (_SURE if answer.reliable else _UNSURE) if value == best else _REST
            draw.rectangle((x + 1, base - max(1, round(height * float(probability))), x + step - 2, base), colour)
            if len(values) <= 10 or value == best or (place % 3 == 0 and abs(place - values.index(best)) > 1):
                draw.text((x + step / 2, base + 4), str(value), MUTED, font(11), anchor="ma")
        draw.line((left, base, left + BARS, base), LINE)


def draw_frame(draw: ImageDraw.ImageDraw, left: int, caption: str) -> None:
    """The square that a picture is pasted into, and what it shows."""
    draw.rectangle((left - 1, HEADER - 1, left + CELL, HEADER + CELL), outline=LINE)
    draw.text((left, HEADER + CELL + 6), caption, MUTED, font(13))


def fit(picture: NDArray[np.uint8]) -> Image.Image:
    """[height, width] or [height, width, 3] into the square, the aspect ratio kept; small ones show their pixels."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    scale = CELL / max(image.size)
    resampling = Image.Resampling.NEAREST if scale > 3 else Image.Resampling.BILINEAR
    return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), resampling)


def draw_field(field: NDArray[np.float32]) -> Image.Image:
    """The 28x28 array, each pixel nine wide."""
    return fit((field.clip(0, 1) * 255).round().astype(np.uint8))


def paste(panel: Image.Image, image: Image.Image, left: int) -> None:
    """Into the middle of a panel's square."""
    panel.paste(image, (left + (CELL - image.width) // 2, HEADER + (CELL - image.height) // 2))


def shorten(text: str, length: int) -> str:
    """The text's end; what is not printable in it is escaped."""
    text = text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
    return text if len(text) <= length else "..." + text[3 - length :]


_fonts: dict[int, ImageFont.ImageFont | ImageFont.FreeTypeFont] = {}


def font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """Pillow's own font; reading it takes milliseconds, so once for each size."""
    if size not in _fonts:
        _fonts[size] = ImageFont.load_default(size)
    return _fonts[size]

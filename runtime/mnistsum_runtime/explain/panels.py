"""What the runtime saw in a picture, as a picture: the ink, the 28x28 field, both outputs, each decision in words.

Drawn with Pillow alone, and imported only where it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from mnistsum_runtime.atomic import write_atomically
from mnistsum_runtime.errors import PictureError
from mnistsum_runtime.explain.files import in_format_of
from mnistsum_runtime.explain.parts import (
    BARS,
    CELL,
    GAP,
    HEADER,
    HEIGHT,
    LINE,
    PAPER,
    TEXT,
    describe_answer,
    draw_bars,
    draw_field,
    draw_frame,
    fit,
    font,
    paste,
    shorten,
)
from mnistsum_runtime.explain.png_rows import PngRows
from mnistsum_runtime.preparation.prepare import stretch

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mnistsum_runtime.prediction import Prediction
    from mnistsum_runtime.preparation.picture import Grey
    from mnistsum_runtime.preparation.prepared import PreparedPicture

MOST_PANELS = 60
"""Pictures on one sheet, which is then 2800 x 10700 pixels: larger ones are slow to look at."""
_TWO_COLUMNS_FROM = 4

_WORDS = 330
_WIDTH = 3 * CELL + BARS + _WORDS + 6 * GAP
_INK = np.array([226, 60, 40], np.float32)
_BOX = "#1f6fd6"


@dataclass(frozen=True, eq=False, slots=True)
class Record:
    """One picture on its way through the runtime, as far as it came."""

    name: str
    grey: Grey | None
    """None where it could not be read."""
    colours: NDArray[np.uint8] | None
    """[height, width, 3]; None where it has none."""
    prepared: PreparedPicture | None
    """None where there is nothing to prepare."""
    answer: Prediction | PictureError


def describe_preparation(prepared: PreparedPicture) -> list[str]:
    """Each decision of the preparation, a short line each."""
    if prepared.untouched:
        return ["28x28 in MNIST's form, on black: unchanged"]
    top, bottom, left, right = prepared.box
    ink = "dark ink on a light ground" if prepared.dark_ink else "light ink on a dark ground"
    lines = [f"{ink} (level {prepared.ground_level:.0f})"]
    if prepared.unevenness:
        lines.append(f"uneven light removed ({prepared.unevenness:.0%})")
    lines.append(f"contrast {prepared.contrast:.0%}, noise {prepared.noise:.1%}, ink from {prepared.threshold:.0%}")
    for count, singular, plural in (
        (prepared.lines_removed, "line removed", "lines removed"),
        (prepared.specks_dropped, "speck dropped", "specks dropped"),
        (prepared.strangers_dropped, "larger part dropped", "larger parts dropped"),
    ):
        if count:
            lines.append(f"{count} {singular if count == 1 else plural}")
    parts = "" if prepared.parts == 1 else f", {prepared.parts} parts"
    lines.append(f"digit: {right - left}x{bottom - top} pixels at ({left}, {top}){parts}")
    if prepared.cut:
        lines.append("the ink runs into the picture's edge")
    scale = prepared.scale
    lines.append(f"enlarged {scale:.1f} x" if scale > 1 else f"reduced {1 / scale:.1f} x")
    if abs(prepared.thickening) >= 0.05:
        word = "thickened" if prepared.thickening > 0 else "thinned"
        lines.append(f"strokes {word} by {abs(prepared.thickening):.1f} pixels of 28x28")
    return lines


class ContactSheet:
    """Panels under each other, from four on in two columns; no more than `MOST_PANELS`.

    A row of panels is compressed as soon as it is full, so that a folder of any size takes a few megabytes.
    """

    def __init__(self) -> None:
        """Begin an empty one."""
        self._count = 0
        self._left_out = 0
        self._row: list[Image.Image] = []
        self._png: PngRows | None = None

    def __len__(self) -> int:
        """How many pictures are on it."""
        return self._count

    def add(self, record: Record, note: str = "") -> None:
        """Draw a picture's panel, with `note` behind the answer."""
        if len(self) == MOST_PANELS:
            self._left_out += 1
            return
        self._count += 1
        self._row.append(draw_panel(record, note))
        if len(self) >= _TWO_COLUMNS_FROM:
            self._compress_rows(2, only_full=True)

    def to_png(self) -> bytes:
        """The sheet as a file's bytes; it has one panel at least, and nothing can be added any more."""
        return self._compress_rows(1 if len(self) < _TWO_COLUMNS_FROM else 2, only_full=False).finish()

    def write(self, path: Path) -> str | None:
        """Write the sheet, whole or not at all, in the format that the ending of `path` says; see `check_ending`.

        Returns:
            What is not on it, as a sentence; None where everything is.

        Raises:
            WorkError: `path` cannot be written.
        """
        write_atomically(path, in_format_of(path, self.to_png()))
        return f"{path} shows the first {len(self)}, {self._left_out} more are not on it" if self._left_out else None

    def _compress_rows(self, columns: int, *, only_full: bool) -> PngRows:
        if self._png is None:
            self._png = PngRows(columns * _WIDTH)
        while len(self._row) >= (columns if only_full else 1):
            row = Image.new("RGB", (columns * _WIDTH, HEIGHT), PAPER)
            for column, panel in enumerate(self._row[:columns]):
                row.paste(panel, (column * _WIDTH, 0))
            self._png.add(row.tobytes())
            del self._row[:columns]
        return self._png


def draw_panel(record: Record, note: str = "") -> Image.Image:
    """A picture's panel, with `note` behind the answer."""
    panel = Image.new("RGB", (_WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(panel)
    draw.text((GAP, 10), shorten(record.name, 70), TEXT, font(18))
    headline, colour = describe_answer(record.answer)
    draw.text((GAP, 35), headline + note, colour, font(16))
    columns = [GAP + index * (CELL + GAP) for index in range(3)]
    captions = ["no picture", "", ""]
    if record.grey is not None:
        height, width = record.grey.shape
        captions[0] = f"the picture, {width}x{height}"
        grey = _eight_bit(record.grey)
        paste(panel, fit(grey if record.colours is None else record.colours), columns[0])
        if record.prepared is not None:
            captions[1:] = ["what was taken as ink", "what the network saw, 28x28"]
            paste(panel, _tinted(grey, record.prepared), columns[1])
            paste(panel, draw_field(record.prepared.field), columns[2])
    for left, caption in zip(columns, captions, strict=True):
        draw_frame(draw, left, caption)
    left = columns[2] + CELL + GAP
    if not isinstance(record.answer, PictureError):
        draw_bars(draw, record.answer, left)
    words = [] if record.prepared is None else describe_preparation(record.prepared)
    for index, line in enumerate(words):
        draw.text((left + BARS + GAP, HEADER + 22 * index), line, TEXT, font(13))
    draw.line((0, HEIGHT - 1, _WIDTH, HEIGHT - 1), LINE)
    return panel


def _eight_bit(grey: Grey) -> NDArray[np.uint8]:
    return np.zeros(grey.shape, np.uint8) if grey.min() == grey.max() and grey.dtype != np.uint8 else stretch(grey)


def _tinted(grey: NDArray[np.uint8], prepared: PreparedPicture) -> Image.Image:
    """The picture, paler, with the ink that was kept in red and the digit's box in blue."""
    mask = prepared.field > 0.5 if prepared.mask is None else prepared.mask
    picture = fit(grey)
    share = np.asarray(fit(mask.astype(np.uint8) * np.uint8(255)).resize(picture.size), np.float32)[:, :, None] / 255
    pale = 150 + np.asarray(picture, np.float32)[:, :, None] * (105 / 255)
    image = Image.fromarray((pale * (1 - share) + _INK * share).astype(np.uint8), "RGB")
    if not prepared.untouched:
        scale = max(picture.size) / max(grey.shape)
        top, bottom, left, right = (side * scale for side in prepared.box)
        corners = (left, top, max(left, right - 1), max(top, bottom - 1))
        ImageDraw.Draw(image).rectangle(corners, outline=_BOX)
    return image

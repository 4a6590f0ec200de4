"""An answer as a picture of its own, for a notebook: what the network saw, and both outputs."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from mnistsum_runtime.explain.parts import (
    BARS,
    CELL,
    GAP,
    HEIGHT,
    PAPER,
    describe_answer,
    draw_bars,
    draw_field,
    draw_frame,
    font,
    paste,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mnistsum_runtime.prediction import Prediction

_HEADLINE = 35
"""Where the headline of a panel begins, which has a name above it."""


def draw_alone(answer: Prediction, field: NDArray[np.float32]) -> bytes:
    """The right half of an answer's panel, without a name above it, as the bytes of a PNG.

    Args:
        answer: Sentence and bars.
        field: [28, 28], 0..1.
    """
    sentence, colour = describe_answer(answer)
    width = max(CELL + BARS + 3 * GAP, round(font(16).getlength(sentence)) + 2 * GAP)
    panel = Image.new("RGB", (width, HEIGHT), PAPER)
    draw = ImageDraw.Draw(panel)
    draw.text((GAP, _HEADLINE), sentence, colour, font(16))
    paste(panel, draw_field(field), GAP)
    draw_frame(draw, GAP, "what the network saw, 28x28")
    draw_bars(draw, answer, CELL + 2 * GAP)
    out = BytesIO()
    panel.crop((0, _HEADLINE - GAP, width, HEIGHT)).save(out, "PNG")
    return out.getvalue()

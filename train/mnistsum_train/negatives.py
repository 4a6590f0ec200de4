"""Pictures that are no digit, drawn to train the network's gate: what it must be unsure of.

Drawn here from scratch or made of training digits; no data set of other things has a part in it, so that any such set
can judge the result. Everything goes through the runtime's own preparation, as it does on a device.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from matplotlib import get_data_path
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from mnistsum_runtime.contract import IMAGE_SIZE
from mnistsum_runtime.errors import PictureError
from mnistsum_runtime.preparation.prepare import prepare
from mnistsum_train.data import Part
from mnistsum_train.stages import Watch, unwatched

Picture = NDArray[np.uint8]
"""[28, 28], 0 ground to 255 ink."""

SIDE = 160
"""Side of the sheet on which a thing is drawn, in pixels."""
LETTERS = "ACEFGHJKLMNPQRTUVWXYacdefhjkmnprtuvwxy&?#@%$=+"
"""Those that nobody reads as a digit: no O, I, l, S, Z, B, b, g, q, D, i, o, s, z."""
FONTS = ("DejaVuSans", "DejaVuSans-Oblique", "DejaVuSerif", "DejaVuSansMono", "STIXGeneralItalic", "cmr10", "cmti10")
"""Fonts that come with matplotlib: upright, slanted, with and without serifs, one that is nearly written."""
MIRRORED = (3, 4, 6, 7, 9)
"""A mirrored 2 is a 5 to some, and the reverse; 0, 1 and 8 stay what they are."""
TURNED = (2, 3, 4, 5, 6, 7, 9)
"""Turned by a quarter, these are no digits."""


class Pen:
    """Draws one thing after another; every choice comes from one generator."""

    def __init__(self, digits: Part, seed: int | list[int]) -> None:
        """Take `digits` as material, and the seed of all choices."""
        self.images = digits.images[:, 0].numpy()
        self.labels = digits.labels.numpy()
        self.generator = np.random.default_rng(seed)

    def letter(self) -> Picture:
        """A letter or sign, thin to bold, slightly turned, bent as a hand bends it."""
        g = self.generator
        sheet, draw = _sheet()
        font = _font(str(g.choice(FONTS)), int(g.integers(60, 110)))
        draw.text((80, 80), str(g.choice(list(LETTERS))), 255, font, anchor="mm", stroke_width=int(g.integers(0, 4)))
        turned = sheet.rotate(float(g.uniform(-12, 12)), Image.Resampling.BICUBIC)
        corners = np.array([0, 0, 0, SIDE, SIDE, SIDE, SIDE, 0]) + g.uniform(-25, 25, 8)
        return _prepared(turned.transform(turned.size, Image.Transform.QUAD, tuple(corners), Image.Resampling.BICUBIC))

    def word(self) -> Picture:
        """Two to five letters beside each other."""
        g = self.generator
        sheet = Image.new("L", (400, SIDE))
        text = "".join(g.choice(list(LETTERS), int(g.integers(2, 6))))
        draw = ImageDraw.Draw(sheet)
        draw.text((200, 80), text, 255, ImageFont.load_default(60), anchor="mm", stroke_width=int(g.integers(0, 3)))
        return _prepared(sheet)

    def scribble(self) -> Picture:
        """A smooth line through random points."""
        g = self.generator
        sheet, draw = _sheet()
        points = g.uniform(15, SIDE - 15, (int(g.integers(6, 16)), 2))
        places = np.linspace(0, len(points) - 1, 200)
        window = np.hanning(31) / np.hanning(31).sum()
        line = [
            np.convolve(np.pad(np.interp(places, np.arange(len(points)), points[:, axis]), 15, "edge"), window, "valid")
            for axis in (0, 1)
        ]
        draw.line(list(zip(*line, strict=True)), 255, int(g.integers(5, 17)), joint="curve")
        return _prepared(sheet)

    def row(self) -> Picture:
        """Two to four digits beside each other, apart or touching."""
        g = self.generator
        digits = [self._digit() for _ in range(g.integers(2, 5))]
        gap = np.zeros((IMAGE_SIZE, int(g.integers(1, 5))), np.uint8)
        strips = [part for digit in digits for part in (digit[:, digit.max(axis=0) > 80], gap)]
        line = Image.fromarray(np.pad(np.hstack(strips), 4))
        return _prepared(line.resize((line.width * 4, line.height * 4), Image.Resampling.BICUBIC))

    def overlaid(self) -> Picture:
        """Two different digits written over each other."""
        first = int(self.generator.integers(len(self.labels)))
        second = self._index(tuple(label for label in range(10) if label != self.labels[first]))
        shift = self.generator.integers(-4, 5, 2)
        both = np.maximum(self.images[first], np.roll(self.images[second], tuple(shift), (0, 1)))
        return _prepared(Image.fromarray(both))

    def mirrored(self) -> Picture:
        """A digit in the mirror."""
        return _prepared(Image.fromarray(self.images[self._index(MIRRORED)][:, ::-1]))

    def turned(self) -> Picture:
        """A digit turned by a quarter."""
        return _prepared(
            Image.fromarray(np.rot90(self.images[self._index(TURNED)], int(self.generator.choice([1, 3]))))
        )

    def silhouette(self) -> Picture:
        """A filled patch with grey and structure of its own, often symmetric, up to the edge of a 28x28 picture."""
        g = self.generator
        sheet, draw = _sheet()
        count = int(g.integers(3, 14))
        angles, radii = np.sort(g.uniform(0, 2 * np.pi, count)), g.uniform(20, 105, count)
        points = [(80 + r * np.cos(a), 80 + r * np.sin(a)) for a, r in zip(angles, radii, strict=True)]
        if g.random() < 0.6:
            points += [(SIDE - x, y) for x, y in reversed(points)]
        draw.polygon(points, fill=255)
        for _ in range(g.integers(0, 4)):
            x, y = g.integers(0, SIDE - 20, 2)
            width, height = g.integers(10, 80, 2)
            draw.rectangle((int(x), int(y), int(x + width), int(y + height)), fill=int(g.integers(256) * g.integers(2)))
        if g.random() < 0.5:
            sheet = sheet.resize((SIDE, int(g.integers(50, SIDE))))
        sheet.thumbnail((IMAGE_SIZE, IMAGE_SIZE))
        field = np.zeros((IMAGE_SIZE, IMAGE_SIZE))
        top = (IMAGE_SIZE - sheet.height) // 2
        field[top : top + sheet.height, : sheet.width] = np.asarray(sheet.filter(ImageFilter.GaussianBlur(0.4)))
        grain = g.uniform(0.4, 1) + g.uniform(0, 0.25) * _smooth_noise(g, float(g.uniform(0.08, 0.5)))
        return _prepared(Image.fromarray(np.asarray((field * grain.clip(0, 1)).round(), np.uint8)))

    def outline(self) -> Picture:
        """A rectangle, ellipse, polygon, cross or a few bars, drawn or filled."""
        g = self.generator
        sheet, draw = _sheet()
        width, fill = int(g.integers(4, 16)), int(g.choice([0, 255]))
        left, top, right, bottom = (int(v) for v in (*g.integers(10, 60, 2), *g.integers(100, 150, 2)))
        match g.integers(6):
            case 0:
                draw.rectangle((left, top, right, bottom), fill, 255, width)
            case 1:
                draw.ellipse((left, top, right, bottom), 255)
            case 2:
                draw.regular_polygon((80, 80, 60), int(g.integers(3, 7)), int(g.integers(90)), fill, 255, width)
            case 3:
                draw.line((left, 80, right, 80), 255, width)
                draw.line((80, top, 80, bottom), 255, width)
            case 4:
                draw.line((left, top, right, bottom), 255, width)
                draw.line((left, bottom, right, top), 255, width)
            case _:
                for bar in range(g.integers(3, 7)):
                    draw.line((left, 20 + bar * 22, right, 20 + bar * 22), 255, width // 2 + 1)
        return _prepared(sheet.rotate(float(g.uniform(-20, 20)), Image.Resampling.BICUBIC))

    def blocks(self) -> Picture:
        """Some squares of a coarse grid, filled: letters and figures of old screens, codes, plans."""
        g = self.generator
        side = int(g.integers(3, 8))
        filled = g.random((side, side)) < g.uniform(0.3, 0.7)
        if g.random() < 0.4:
            filled |= filled[:, ::-1]
        sheet = Image.fromarray((filled * 255).astype(np.uint8)).resize((120, 120), Image.Resampling.NEAREST)
        return _prepared(Image.fromarray(np.pad(np.asarray(sheet), 20)))

    def diagram(self) -> Picture:
        """Boxes joined by lines, bars on an axis, or a curve over axes."""
        g = self.generator
        sheet, draw = _sheet()
        width = int(g.integers(3, 9))
        match g.integers(3):
            case 0:
                boxes = [(x, y) for x in (20, 95) for y in (20, 95) if g.random() < 0.75] or [(20, 20), (95, 95)]
                for x, y in boxes:
                    draw.rectangle((x, y, x + 45, y + int(g.integers(20, 46))), 0, 255, width)
                draw.line([(x + 22, y + 22) for x, y in boxes], 255, width)
            case 1:
                draw.line((20, 20, 20, 140, 140, 140), 255, width)
                for x in range(30, 135, int(g.integers(18, 35))):
                    draw.rectangle((x, int(g.integers(25, 125)), x + 12, 140), 255)
            case _:
                draw.line((20, 20, 20, 140, 140, 140), 255, width)
                places = np.linspace(20, 140, int(g.integers(3, 8)))
                draw.line([(float(x), float(g.uniform(20, 130))) for x in places], 255, width, joint="curve")
        return _prepared(sheet)

    def texture(self) -> Picture:
        """Noise, clouds, stripes or squares from edge to edge."""
        g = self.generator
        y, x = np.mgrid[:IMAGE_SIZE, :IMAGE_SIZE] * (2 * np.pi / g.uniform(3, 12))
        angle = g.uniform(0, np.pi)
        stripes = np.sin(x * np.cos(angle) + y * np.sin(angle)) > 0
        match g.integers(4):
            case 0:
                field = g.random((IMAGE_SIZE, IMAGE_SIZE))
            case 1:
                field = 0.5 + 0.25 * _smooth_noise(g, float(g.uniform(0.04, 0.25)))
            case 2:
                field = stripes * 1.0
            case _:
                field = (stripes ^ (np.sin(y * np.cos(angle) - x * np.sin(angle)) > 0)) * 1.0
        return _prepared(Image.fromarray((field.clip(0, 1) * g.uniform(0.3, 1) * 255).astype(np.uint8)))

    def empty_sheet(self) -> Picture:
        """What preparation makes of a sheet with nothing on it but noise, uneven light or ruled lines."""
        g = self.generator
        y, x = np.mgrid[:SIDE, :SIDE] / SIDE
        sheet = 200 + g.uniform(0.5, 8) * g.standard_normal((SIDE, SIDE))
        sheet += g.uniform(-60, 60) * x + g.uniform(-60, 60) * y ** g.uniform(0.5, 2)
        if g.random() < 0.5:
            sheet += g.uniform(2, 20) * np.kron(g.standard_normal((20, 20)), np.ones((8, 8)))
        if g.random() < 0.4:
            pitch = int(g.integers(12, 50))
            sheet[int(g.integers(pitch)) :: pitch] -= g.uniform(20, 80)
            if g.random() < 0.5:
                sheet[:, int(g.integers(pitch)) :: pitch] -= g.uniform(20, 80)
        return _prepared(Image.fromarray(sheet.clip(0, 255).astype(np.uint8)))

    def _index(self, labels: tuple[int, ...]) -> int:
        while True:
            index = int(self.generator.integers(len(self.labels)))
            if self.labels[index] in labels:
                return index

    def _digit(self) -> Picture:
        digit: Picture = self.images[self.generator.integers(len(self.images))]
        return digit


KINDS: dict[str, Callable[[Pen], Picture]] = {
    "letters": Pen.letter,
    "words": Pen.word,
    "scribbles": Pen.scribble,
    "digits in a row": Pen.row,
    "digits overlaid": Pen.overlaid,
    "digits mirrored": Pen.mirrored,
    "digits turned": Pen.turned,
    "silhouettes": Pen.silhouette,
    "outlines": Pen.outline,
    "block graphics": Pen.blocks,
    "diagrams": Pen.diagram,
    "textures": Pen.texture,
    "empty sheets": Pen.empty_sheet,
}


HARDEST = ("scribbles", "digits overlaid")
"""Kinds that come closest to a digit: twice as many of them are trained with."""


def draw_negatives(kind: str, digits: Part, count: int, seed: int) -> torch.Tensor:
    """Draw pictures of one of `KINDS`.

    Args:
        kind: A key of `KINDS`.
        digits: Material for the kinds that are made of digits: training digits to train, validation digits to measure.
        count: How many. Those of which preparation leaves nothing never reach the network, and are missing.
        seed: Same seed, same pictures.

    Returns:
        uint8 [at most count, 1, 28, 28], as `Part.images`.
    """
    pen = Pen(digits, [seed, list(KINDS).index(kind)])
    pictures = [np.zeros((0, IMAGE_SIZE, IMAGE_SIZE), np.uint8)]
    for _ in range(count):
        with contextlib.suppress(PictureError):
            pictures.append(KINDS[kind](pen)[None])
    return torch.from_numpy(np.concatenate(pictures))[:, None]


def draw_all_negatives(digits: Part, count: int, seed: int, watch: Watch = unwatched) -> torch.Tensor:
    """Up to `count` pictures of every kind, twice as many of the `HARDEST`: uint8 [n, 1, 28, 28]."""
    kinds = watch(list(KINDS))
    return torch.cat([draw_negatives(kind, digits, count * (1 + (kind in HARDEST)), seed) for kind in kinds])


def _sheet() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    sheet = Image.new("L", (SIDE, SIDE))
    return sheet, ImageDraw.Draw(sheet)


def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """A font that comes with matplotlib."""
    return ImageFont.truetype(Path(get_data_path()) / "fonts" / "ttf" / f"{name}.ttf", size)


def _prepared(sheet: Image.Image) -> Picture:
    return np.asarray((prepare(np.asarray(sheet)) * 255).round(), np.uint8)


def _smooth_noise(generator: np.random.Generator, cutoff: float) -> NDArray[np.float64]:
    """[28, 28] of mean 0 and standard deviation 1, without frequencies much above `cutoff` (cycles a pixel)."""
    frequency = np.fft.fftfreq(IMAGE_SIZE)
    radius = np.hypot(frequency[:, None], frequency[None, :])
    noise = np.fft.ifft2(
        np.fft.fft2(generator.standard_normal((IMAGE_SIZE, IMAGE_SIZE))) * np.exp(-((radius / cutoff) ** 2))
    ).real
    return np.asarray((noise - noise.mean()) / noise.std())

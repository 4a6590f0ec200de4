"""MNIST digits on paper as cameras see them, and paper with nothing on it: seeded, each kind named.

As a program, `python tests/photo_set.py OUT.json` measures a model through the runtime on `PER_KIND` photos of each
kind, made from MNIST's test digits, and on 500 pictures without a digit, and draws OUT.png, a photo of each kind.
Whoever develops the preparation or chooses a threshold measures with `--validation` and another `--seed`: the digits
are then those of the validation part, and the test digits are left for the report.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from mnistsum_runtime import PictureError, Predictor, prepare, read_picture
from mnistsum_runtime.atomic import write_atomically
from mnistsum_runtime.preparation.components import label
from mnistsum_train.data import load_mnist, split_validation

SEED = 20
PER_KIND = 105
"""Photos of each kind."""
NOTHING = 500
"""Pictures without a digit."""
FINE = 8
"""Pixels in which a pen draws, for each of the 28x28 digit."""
THINNEST_PEN = 0.5
"""Width of the thinnest line, in pixels of the 28x28 digit."""
SMALLEST_LOOP = 1.0
"""Area of the smallest loop that is seen as one, in pixels of the 28x28 digit."""

Plane: TypeAlias = NDArray[np.float32]
Colour: TypeAlias = tuple[float, float, float]
Generator: TypeAlias = np.random.Generator

_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Scene:
    """What is in front of the camera, and the camera. Lengths are in pixels of the photo, light is 0..1."""

    width: int = 320
    height: int = 280
    digit_side: float = 0.7
    """Side of the digit's 28x28 square, as a share of the photo's shorter side."""
    paper: Colour = (0.93, 0.93, 0.92)
    ink: Colour = (0.12, 0.12, 0.14)
    coverage: float = 1.0
    """How much of the ink's colour the pen leaves: a pencil leaves less than a marker."""
    stroke: float = 0.0
    """Added to the strokes' width, in pixels of the 28x28 digit; negative is thinner."""
    angle: float = 0.0
    """The digit's own slant against the paper, in degrees."""
    texture: float = 0.01
    """Standard deviation of the paper's grain."""
    grain: float = 0.0
    """How unevenly the ink covers: charcoal, watercolour, a dry marker."""
    shadows: tuple[tuple[float, float, float, float], ...] = ()
    """Each: direction in radians, where the edge crosses (-1..1), softness as a share of the side, darkness 0..1."""
    gradient: tuple[float, float] = (0.0, 0.0)
    """Light lost across the width and across the height."""
    vignette: float = 0.0
    """Light lost in the corners."""
    ruled: float = 0.0
    """Darkness of ruled lines, 0 none."""
    grid: bool = False
    """Whether lines run down as well."""
    line_colour: Colour = (0.35, 0.45, 0.75)
    line_spacing: float = 0.2
    line_width: float = 1.5
    margin: bool = False
    """A red line down one side, as in school notebooks."""
    line_angle: float = 0.0
    specks: int = 0
    speck_side: float = 0.01
    """Largest radius of a speck, as a share of the shorter side."""
    desk: float | None = None
    """Grey of the desk that is seen around the paper, or None where the paper fills the photo."""
    perspective: float = 0.0
    """How far the paper's corners move, as a share of the side."""
    blur: float = 0.0
    """Radius of the camera's blur, in pixels."""
    noise: float = 0.008
    """Standard deviation of the sensor's noise."""
    place: tuple[float, float] = (0.5, 0.5)
    """Where the digit's square is between left and right, top and bottom, 0..1."""


@dataclass(frozen=True)
class Photo:
    """A picture file with what is on it."""

    kind: str
    content: bytes = field(repr=False)
    label: int | None
    """The digit, None where there is nothing."""


def smooth_noise(shape: tuple[int, int], scale: float, generator: Generator) -> Plane:
    """Noise of unit standard deviation whose blotches are about `scale` pixels wide."""
    small = (max(2, round(shape[0] / scale) + 1), max(2, round(shape[1] / scale) + 1))
    noise = Image.fromarray(generator.standard_normal(small).astype(np.float32))
    enlarged = np.asarray(noise.resize((shape[1], shape[0]), Image.Resampling.BICUBIC))
    return np.asarray(enlarged / max(float(enlarged.std()), 1e-6), np.float32)


def ink_of(digit: NDArray[np.uint8], side: int, stroke: float, angle: float) -> Plane:
    """The digit as a pen leaves it: [side, side], 0..1, with an edge about a pixel wide.

    A pen of another width writes the same digit: a thin one is not let break a stroke, nor a bold one close a loop.
    """
    levels = Image.fromarray(digit).resize((28 * FINE, 28 * FINE), Image.Resampling.BICUBIC)
    if angle:
        levels = levels.rotate(angle, Image.Resampling.BICUBIC)
    inside = np.asarray(levels) > 110
    if stroke < 0:
        inside = widened(inside, stroke) | widened(midline(inside), THINNEST_PEN)
    elif stroke > 0:
        loops = loops_of(inside)
        bold = widened(inside, stroke)
        while loops_of(bold) < loops:
            stroke *= 0.7
            bold = widened(inside, stroke)
        inside = bold
    resized = Image.fromarray(inside.astype(np.float32)).resize((side, side), Image.Resampling.BOX if side < 224 else 2)
    return np.asarray(resized, np.float32).clip(0, 1)


def widened(inside: NDArray[np.bool_], stroke: float) -> NDArray[np.bool_]:
    """Make ink wider by `stroke` pixels of the 28x28 digit, or thinner where it is negative."""
    grow = ImageFilter.MaxFilter(3) if stroke > 0 else ImageFilter.MinFilter(3)
    mask = Image.fromarray(inside.astype(np.uint8) * 255)
    for step in range(round(abs(stroke) / 2 * FINE)):
        # Alternating the square with a blur's threshold keeps corners round.
        mask = mask.filter(grow)
        if step % 3 == 2:
            mask = mask.filter(ImageFilter.BoxBlur(2)).point([0] * 128 + [255] * 128)
    return np.asarray(mask) > 0


def loops_of(inside: NDArray[np.bool_]) -> int:
    """How many loops of a digit a person sees: what ink encloses, but for a few pixels."""
    around = label(np.pad(~inside, 1, constant_values=True))
    return int((around.area >= SMALLEST_LOOP * FINE * FINE).sum()) - 1


def midline(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The line down the middle of the strokes, one pixel wide, all in one where they were.

    (T. Zhang, C. Suen: A Fast Parallel Algorithm for Thinning Digital Patterns, Communications of the ACM 27, 1984.)
    """
    line = np.pad(inside, 1)
    while True:
        before = int(line.sum())
        for half in range(2):
            # P2 to P9 of the paper: north, then clockwise.
            moves = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
            n, ne, e, se, s, sw, w, nw = (np.roll(line, (-row, -column), (0, 1)) for row, column in moves)
            around = np.stack((n, ne, e, se, s, sw, w, nw)).astype(np.int8)
            neighbours = around.sum(axis=0)
            rises = (np.roll(around, -1, axis=0) > around).sum(axis=0)
            corner = ~(n & e & s) & ~(e & s & w) if half == 0 else ~(n & e & w) & ~(n & s & w)
            line = line & ~((neighbours >= 2) & (neighbours <= 6) & (rises == 1) & corner)
        if int(line.sum()) == before:
            return line[1:-1, 1:-1]


def lines_of(scene: Scene, generator: Generator) -> tuple[Plane, Plane]:
    """The printed lines' darkness, and the margin line's: two planes 0..1."""
    height, width = scene.height, scene.width
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    tilt = np.deg2rad(scene.line_angle)
    across = rows * np.cos(tilt) + columns * np.sin(tilt)
    along = columns * np.cos(tilt) - rows * np.sin(tilt)
    spacing = scene.line_spacing * min(height, width)

    def stripes(position: Plane) -> Plane:
        offset = float(generator.uniform(0, spacing))
        distance = np.abs((position + offset) % spacing - spacing / 2)
        return np.asarray((scene.line_width / 2 + 0.5 - distance).clip(0, 1), np.float32)

    lines = stripes(across)
    if scene.grid:
        lines = np.maximum(lines, stripes(along))
    margin = np.zeros_like(lines)
    if scene.margin:
        place = float(generator.uniform(0.05, 0.2)) * width
        margin = np.asarray((scene.line_width / 2 + 0.5 - np.abs(along - place)).clip(0, 1), np.float32)
    return lines * scene.ruled, margin * max(scene.ruled, 0.5)


def light_on(scene: Scene, generator: Generator) -> Plane:
    """The light's strength at each pixel, about 0..1."""
    rows, columns = np.mgrid[-1 : 1 : scene.height * 1j, -1 : 1 : scene.width * 1j].astype(np.float32)
    light = 1 - scene.gradient[0] * (columns + 1) / 2 - scene.gradient[1] * (rows + 1) / 2
    light = light * (1 - scene.vignette * (rows**2 + columns**2) / 2)
    for direction, offset, softness, darkness in scene.shadows:
        edge = columns * np.cos(direction) + rows * np.sin(direction) - offset
        edge = edge + 0.05 * smooth_noise(edge.shape, min(edge.shape) / 3, generator)  # a hand is no ruler
        light = light * (1 - darkness / (1 + np.exp(-(edge / max(softness, 0.004)).clip(-50, 50))))
    return np.asarray(light, np.float32)


def expose(scene: Scene, digit: NDArray[np.uint8] | None, generator: Generator) -> Plane:
    """Take the photo: [height, width, 3], 0..1."""
    height, width = scene.height, scene.width
    shape = (height, width)
    grain = smooth_noise(shape, 1.5, generator) + smooth_noise(shape, 6, generator)
    sheet = np.ones((*shape, 3), np.float32) * np.array(scene.paper, np.float32)
    sheet += (scene.texture * grain)[..., None]
    if scene.ruled:
        lines, margin = lines_of(scene, generator)
        sheet += lines[..., None] * (np.array(scene.line_colour, np.float32) - sheet)
        sheet += margin[..., None] * (np.array((0.85, 0.3, 0.35), np.float32) - sheet)
    ink = np.zeros(shape, np.float32)
    if digit is not None:
        side = max(8, round(scene.digit_side * min(shape)))
        drawn = ink_of(digit, side, scene.stroke, scene.angle)
        top, left = round(scene.place[1] * (height - side)), round(scene.place[0] * (width - side))
        ink[top : top + side, left : left + side] = drawn
    if scene.grain:
        blotches = 0.6 * smooth_noise(shape, 2, generator) + 0.8 * smooth_noise(shape, min(shape) / 12, generator)
        ink *= (1 - scene.grain * (1 + blotches)).clip(0.15, 1)
    if scene.specks:
        rows, columns = np.mgrid[:height, :width].astype(np.float32)
        for _ in range(scene.specks):
            radius = generator.uniform(0.5, max(0.8, scene.speck_side * min(shape)))
            row, column = generator.uniform(0, height), generator.uniform(0, width)
            distance = np.hypot(rows - row, columns - column)
            ink = np.maximum(ink, generator.uniform(0.4, 1) * (radius + 0.5 - distance).clip(0, 1)).astype(np.float32)
    sheet += (scene.coverage * ink)[..., None] * (np.array(scene.ink, np.float32) - sheet)
    photo = Image.fromarray((sheet.clip(0, 1) * 255).round().astype(np.uint8))
    if scene.perspective:
        photo = _seen_from_the_side(photo, scene, generator)
    if scene.blur:
        photo = photo.filter(ImageFilter.GaussianBlur(scene.blur))
    exposed = np.asarray(photo, np.float32) / 255 * light_on(scene, generator)[..., None]
    exposed += scene.noise * generator.standard_normal(exposed.shape).astype(np.float32)
    return np.asarray(exposed.clip(0, 1), np.float32)


def _seen_from_the_side(photo: Image.Image, scene: Scene, generator: Generator) -> Image.Image:
    """Move the sheet's corners; what is beyond the sheet is desk, or more of the same paper."""
    width, height = photo.size
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
    inwards = 1 if scene.desk is not None else -1
    towards = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)]) * inwards
    moved = corners + towards * generator.uniform(0.2, 1, (4, 2)) * scene.perspective * min(width, height)
    # Solve for the eight coefficients that map the photo's points to the sheet's.
    rows, wanted = [], []
    for (x, y), (u, v) in zip(moved, corners, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        wanted += [u, v]
    coefficients = np.linalg.solve(np.array(rows), np.array(wanted))
    fill = tuple(round(255 * c) for c in ((scene.desk or 0.0,) * 3))
    return photo.transform(
        photo.size, Image.Transform.PERSPECTIVE, coefficients.tolist(), Image.Resampling.BICUBIC, fillcolor=fill
    )


def encode(photo: Plane, kind: str = "PNG", **options: object) -> bytes:
    """The photo as a file of 8 bits."""
    buffer = BytesIO()
    Image.fromarray((photo * 255).round().astype(np.uint8)).save(buffer, kind, **options)
    return buffer.getvalue()


def ordinary(generator: Generator) -> Scene:
    """A digit on paper without any difficulty, in all the ways that are none."""
    return Scene(
        width=int(generator.integers(180, 480)),
        height=int(generator.integers(180, 480)),
        digit_side=generator.uniform(0.45, 0.95),
        paper=(generator.uniform(0.8, 0.98),) * 3,
        ink=(generator.uniform(0.03, 0.3),) * 3,
        stroke=generator.uniform(-1.0, 1.0),
        angle=generator.uniform(-8, 8),
        place=(generator.uniform(0.1, 0.9), generator.uniform(0.1, 0.9)),
        noise=generator.uniform(0.003, 0.012),
    )


def _colour(generator: Generator, low: float, high: float) -> Colour:
    r, g, b = generator.uniform(low, high, 3)
    return r, g, b


def _plain(digit: NDArray[np.uint8], generator: Generator) -> bytes:
    return encode(expose(ordinary(generator), digit, generator))


def _light_on_dark(digit: NDArray[np.uint8], generator: Generator) -> bytes:
    board = generator.uniform(0.05, 0.3)
    chalk = generator.uniform(0.65, 0.98)
    scene = replace(
        ordinary(generator),
        paper=(board * 0.8, board, board * generator.uniform(0.8, 1.1)),
        ink=(chalk,) * 3,
        grain=generator.uniform(0, 0.25),
        gradient=(generator.uniform(-0.2, 0.3), generator.uniform(-0.2, 0.3)),
    )
    return encode(expose(scene, digit, generator))


def _transparent(digit: NDArray[np.uint8], generator: Generator) -> bytes:
    side = int(generator.integers(60, 400))
    ink = ink_of(digit, side, generator.uniform(-1, 2), generator.uniform(-8, 8))
    top, left = generator.integers(0, side // 2, 2)
    alpha = np.zeros((side + int(generator.integers(top, side)), side + int(generator.integers(left, side))), np.uint8)
    alpha[top : top + side, left : left + side] = (ink * 255).astype(np.uint8)
    colour = np.array([generator.integers(0, 90), generator.integers(0, 120), generator.integers(0, 200)])
    if generator.random() < 0.4:
        colour = 255 - colour
    drawing = np.empty((*alpha.shape, 4), np.uint8)
    drawing[..., :3] = colour
    drawing[..., 3] = alpha
    buffer = BytesIO()
    Image.fromarray(drawing).save(buffer, "PNG")
    return buffer.getvalue()


def _shadow_of(generator: Generator) -> tuple[float, float, float, float]:
    softness = float(np.exp(generator.uniform(np.log(0.01), np.log(0.4))))
    return generator.uniform(0, 2 * np.pi), generator.uniform(-0.6, 0.6), softness, generator.uniform(0.2, 0.65)


def _shadow(digit: NDArray[np.uint8], generator: Generator) -> bytes:
    shadows = tuple(_shadow_of(generator) for _ in range(generator.integers(1, 3)))
    return encode(expose(replace(ordinary(generator), shadows=shadows), digit, generator))


def _vignette(digit: NDArray[np.uint8], generator: Generator) -> bytes:
    scene = replace(
        ordinary(generator),
        vignette=generator.uniform(0.2, 0.8),
        gradient=(generator.uniform(-0.2, 0.4), generator.uniform(-0.2, 0.4)),
    )
    return encode(expose(scene, digit, generator))


def _lines(generator: Generator, grid: bool) -> Scene:
    scene = ordinary(generator)
    return replace(
        scene,
        ruled=generator.uniform(0.25, 0.9),
        grid=grid,
        line_colour=_colour(generator, 0.3, 0.75),
        line_spacing=generator.uniform(0.1, 0.35),
        line_width=generator.uniform(0.8, 0.012 * min(scene.width, scene.height)),
        line_angle=generator.uniform(-4, 4),
        margin=bool(generator.random() < 0.25),
        ink=(generator.uniform(0.03, 0.2),) * 3,
        stroke=generator.uniform(-0.6, 1.0),
    )


def _ruled(digit: NDArray[np.uint8], generator: Generator) -> bytes:
    return encode(expose(_lines(generator, grid=False), digit, generator))


def _grid(digit: NDArray[np.uint8], generator: Generator) -> bytes:
    return encode(expose(_lines(generator, grid=True), digit, generator))


def _specks(digit: NDArray[np.uint8], generator: Generator) -> bytes:
    scene = replace(
        ordinary(generator),
        specks=int(generator.integers(3, 40)),
        speck_side=generator.uniform(0.004, 0.014),
        texture=generator.uniform(0.01, 0.03),
    )
    return encode(expose(scene, digit, generator))


def _exif_turned(digit: NDArray[np.uint8], generator: Generator) -> bytes:
    photo = expose(ordinary(generator), digit, generator)
    orientation = int(generator.integers(2, 9))
    # Store the photo so that a viewer who obeys EXIF sees it upright: the inverse of each orientation.
    operations: dict[int, Image.Transpose] = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = Image.fromarray((photo * 255).round().astype(np.uint8)).transpose(operations[orientation])
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    buffer = BytesIO()
    stored.save(buffer, "JPEG", quality=90, exif=exif.tobytes())
    return buffer.getvalue()


def _tiny(digit: NDArray[np.uint8], generator: Generator) -> bytes:
    side = int(generator.integers(20, 64))
    scene = replace(
        ordinary(generator),
        width=side,
        height=int(side * generator.uniform(0.9, 1.3)),
        digit_side=generator.uniform(0.85, 1.0),
        stroke=generator.uniform(-0.3, 1.0),
        texture=0.004,
    )
    return encode(expose(scene, digit, generator))


def _wide(digit: NDArray[np.uint8], generator: Generator) -> bytes:
    short, long = int(generator.integers(80, 200)), int(generator.integers(500, 1400))
    turned = bool(generator.random() < 0.3)
    scene = replace(ordinary(generator), width=short if turned else long, height=long if turned else short)
    return encode(expose(scene, digit, generator))


def _sixteen_bit(digit: NDArray[np.uint8], generator: Generator) -> bytes:
    photo = expose(ordinary(generator), digit, generator).mean(axis=2)
    white = generator.choice([65535, 65535, 4095, 1023])  # cameras of 12 and 10 bits in a file of 16
    buffer = BytesIO()
    Image.fromarray((photo * white).round().astype(np.uint16)).save(buffer, "PNG")
    return buffer.getvalue()


def _faint(digit: NDArray[np.uint8], generator: Generator) -> bytes:
    scene = replace(
        ordinary(generator),
        coverage=generator.uniform(0.12, 0.35),
        grain=generator.uniform(0, 0.3),
        noise=generator.uniform(0.004, 0.012),
        gradient=(generator.uniform(-0.1, 0.15), generator.uniform(-0.1, 0.15)),
    )
    return encode(expose(scene, digit, generator), "JPEG", quality=int(generator.integers(75, 96)))


def _bold(digit: NDArray[np.uint8], generator: Generator) -> bytes:
    scene = replace(
        ordinary(generator),
        stroke=generator.uniform(0.8, 1.8),
        gradient=(generator.uniform(-0.2, 0.3), generator.uniform(-0.2, 0.3)),
    )
    return encode(expose(scene, digit, generator))


def _thin(digit: NDArray[np.uint8], generator: Generator) -> bytes:
    scene = replace(
        ordinary(generator),
        width=int(generator.integers(300, 700)),
        height=int(generator.integers(300, 700)),
        stroke=generator.uniform(-2.2, -1.2),
        digit_side=generator.uniform(0.3, 0.9),
    )
    return encode(expose(scene, digit, generator))


def _blurred(digit: NDArray[np.uint8], generator: Generator) -> bytes:
    scene = ordinary(generator)
    side = scene.digit_side * min(scene.width, scene.height)
    return encode(expose(replace(scene, blur=generator.uniform(0.02, 0.05) * side), digit, generator))


def _jpeg(digit: NDArray[np.uint8], generator: Generator) -> bytes:
    scene = replace(ordinary(generator), stroke=generator.uniform(-0.5, 1.0))
    return encode(expose(scene, digit, generator), "JPEG", quality=int(generator.integers(12, 50)))


def _coloured(digit: NDArray[np.uint8], generator: Generator) -> bytes:
    """Ink and paper of two colours, with little difference in lightness between them at times."""
    while True:
        paper, ink = _colour(generator, 0.5, 1), _colour(generator, 0.05, 0.9)
        if np.abs(np.subtract(paper, ink)).max() > 0.4 and sum(paper) > sum(ink):
            break
    scene = replace(ordinary(generator), paper=paper, ink=ink, grain=generator.uniform(0, 0.2))
    return encode(expose(scene, digit, generator), "JPEG", quality=int(generator.integers(80, 96)))


def _desk(digit: NDArray[np.uint8], generator: Generator) -> bytes:
    """A sheet that does not fill the photo, seen from the side, on a desk darker than it."""
    scene = replace(
        ordinary(generator),
        digit_side=generator.uniform(0.35, 0.6),
        place=(generator.uniform(0.4, 0.6), generator.uniform(0.4, 0.6)),
        desk=generator.uniform(0.08, 0.55),
        perspective=generator.uniform(0.05, 0.18),
    )
    return encode(expose(scene, digit, generator), "JPEG", quality=90)


def _phone(digit: NDArray[np.uint8], generator: Generator) -> bytes:
    """A photo as a phone takes it: several difficulties at once, and large."""
    size = int(generator.integers(900, 1800))
    lined = generator.random()
    scene = _lines(generator, grid=bool(lined < 0.25)) if lined < 0.5 else ordinary(generator)
    tint = generator.uniform(0.75, 0.95)
    scene = replace(
        scene,
        width=size,
        height=int(size * 0.75),
        digit_side=generator.uniform(0.25, 0.7),
        line_width=generator.uniform(1.5, 0.006 * size),
        paper=(tint, tint * generator.uniform(0.93, 1), tint * generator.uniform(0.82, 1)),
        ink=(generator.uniform(0.03, 0.2), generator.uniform(0.03, 0.25), generator.uniform(0.05, 0.5)),
        coverage=generator.uniform(0.6, 1),
        grain=generator.uniform(0, 0.15),
        shadows=(_shadow_of(generator),) if generator.random() < 0.5 else (),
        vignette=generator.uniform(0, 0.4),
        gradient=(generator.uniform(-0.2, 0.3), generator.uniform(-0.2, 0.3)),
        specks=int(generator.integers(0, 8)),
        speck_side=0.004,
        perspective=generator.uniform(0.01, 0.06),
        blur=generator.uniform(0, 0.003) * size,
        noise=generator.uniform(0.01, 0.03),
        stroke=generator.uniform(-1.6, 0.8),
    )
    return encode(expose(scene, digit, generator), "JPEG", quality=int(generator.integers(60, 95)))


KINDS: dict[str, Callable[[NDArray[np.uint8], Generator], bytes]] = {
    "plain": _plain,
    "light on dark": _light_on_dark,
    "transparent": _transparent,
    "shadow": _shadow,
    "vignette": _vignette,
    "ruled": _ruled,
    "grid": _grid,
    "specks": _specks,
    "EXIF-turned": _exif_turned,
    "tiny": _tiny,
    "wide": _wide,
    "16 bit": _sixteen_bit,
    "faint": _faint,
    "bold": _bold,
    "thin": _thin,
    "blurred": _blurred,
    "JPEG": _jpeg,
    "coloured": _coloured,
    "desk": _desk,
    "phone": _phone,
}
"""Each kind of photo by its name."""


def _blank(generator: Generator) -> bytes:
    scene = replace(ordinary(generator), noise=generator.uniform(0, 0.02), texture=generator.uniform(0, 0.02))
    paper = generator.uniform(0.05, 1)
    scene = replace(scene, paper=(paper,) * 3)
    return encode(expose(scene, None, generator), *(("JPEG",) if generator.random() < 0.5 else ()))


def _one_colour(generator: Generator) -> bytes:
    return encode(np.full((*generator.integers(1, 500, 2), 3), generator.uniform(0, 1), np.float32))


def _gradient(generator: Generator) -> bytes:
    scene = replace(
        ordinary(generator),
        gradient=(generator.uniform(-0.5, 0.7), generator.uniform(-0.5, 0.7)),
        vignette=generator.uniform(0, 0.6),
    )
    return encode(expose(scene, None, generator))


def _noise(generator: Generator) -> bytes:
    shape = tuple(int(side) for side in generator.integers(29, 400, 2))
    if generator.random() < 0.5:
        levels = generator.random((*shape, 3)) if generator.random() < 0.5 else generator.random(shape)
    else:
        levels = generator.normal(0.5, generator.uniform(0.02, 0.3), shape)
    return encode(np.asarray(levels, np.float32).clip(0, 1))


def _lines_alone(generator: Generator) -> bytes:
    return encode(expose(_lines(generator, grid=bool(generator.random() < 0.5)), None, generator))


def _shadow_alone(generator: Generator) -> bytes:
    return encode(expose(replace(ordinary(generator), shadows=(_shadow_of(generator),)), None, generator))


NOTHING_THERE: dict[str, Callable[[Generator], bytes]] = {
    "blank": _blank,
    "one colour": _one_colour,
    "gradient": _gradient,
    "noise": _noise,
    "lines": _lines_alone,
    "shadow": _shadow_alone,
}
"""Each kind of picture without a digit by its name."""


def photos(
    digits: NDArray[np.uint8], labels: NDArray[np.integer], seed: int, kinds: tuple[str, ...] = tuple(KINDS)
) -> Iterator[Photo]:
    """A photo of each digit, the kinds in turn.

    Args:
        digits: uint8 [n, 28, 28], 0 ground to 255 ink.
        labels: [n], the digits 0..9.
        seed: Every photo has a source of chance of its own, of this seed and its place.
        kinds: Names of `KINDS`.
    """
    for index, (digit, answer) in enumerate(zip(digits, labels, strict=True)):
        kind = kinds[index % len(kinds)]
        generator = np.random.default_rng((seed, index))
        yield Photo(kind, KINDS[kind](digit, generator), int(answer))


def nothing_there(count: int, seed: int) -> Iterator[Photo]:
    """Pictures without a digit, the kinds in turn."""
    names = list(NOTHING_THERE)
    for index in range(count):
        kind = names[index % len(names)]
        yield Photo(kind, NOTHING_THERE[kind](np.random.default_rng((seed, 1, index))), None)


def measure(predictor: Predictor, pictures: Iterator[Photo]) -> dict[str, dict[str, float]]:
    """Answer every picture; of each kind the count, the share right, and the share without an answer (`no_digit`).

    Right is the digit, or where there is none `no_digit`.
    """
    counts: dict[str, list[tuple[bool, bool]]] = {}
    for picture in pictures:
        answer = predictor.predict_many([picture.content], 4, on_error="return")[0]
        nothing = isinstance(answer, PictureError) and answer.kind == "no_digit"
        right = nothing if isinstance(answer, PictureError) else answer.digit == picture.label
        counts.setdefault(picture.kind, []).append((right and nothing == (picture.label is None), nothing))
    return {
        kind: {
            "count": len(pairs),
            "right": round(sum(right for right, _ in pairs) / len(pairs), 4),
            "no_digit": round(sum(nothing for _, nothing in pairs) / len(pairs), 4),
        }
        for kind, pairs in counts.items()
    }


def overall(table: dict[str, dict[str, float]]) -> dict[str, float]:
    """The row over all kinds."""
    count = sum(row["count"] for row in table.values())
    means = {name: sum(row[name] * row["count"] for row in table.values()) / count for name in ("right", "no_digit")}
    return {"count": count, **{name: round(mean, 4) for name, mean in means.items()}}


def draw_digits(validation: bool, count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Digits in a seeded order, of MNIST's test part or of the validation part of its training images."""
    part = split_validation(load_mnist(train=True))[1] if validation else load_mnist(train=False)
    order = np.random.default_rng(seed).permutation(len(part))[:count]
    return part.images[order, 0].numpy(), part.labels[order].numpy()


def draw_sheet(pictures: Iterable[Photo], columns: int = 5) -> Image.Image:
    """One panel a photo: its kind, the photo, and the 28x28 field that the network sees of it."""
    panels = []
    for picture in pictures:
        panel = Image.new("RGB", (300, 176), "white")
        photo = ImageOps.exif_transpose(Image.open(BytesIO(picture.content)))
        if photo.mode.startswith("I;16"):
            photo = Image.fromarray((np.asarray(photo) >> 8).astype(np.uint8))
        photo.thumbnail((150, 140))
        panel.paste(Image.new("RGB", (150, 140), (225, 225, 225)), (0, 28))
        photo = photo.convert("RGBA")
        panel.paste(photo, ((150 - photo.width) // 2, 28 + (140 - photo.height) // 2), photo)
        field = np.rint(prepare(read_picture(picture.content)) * 255).astype(np.uint8)
        panel.paste(Image.fromarray(field).resize((140, 140), Image.Resampling.NEAREST), (152, 28))
        ImageDraw.Draw(panel).text((4, 4), picture.kind, fill="black", font=ImageFont.load_default(16))
        panels.append(panel)
    sheet = Image.new("RGB", (columns * 300, -(-len(panels) // columns) * 176), "white")
    for index, panel in enumerate(panels):
        sheet.paste(panel, (index % columns * 300, index // columns * 176))
    return sheet


def main() -> None:
    """Measure a model on the photos and on the pictures with nothing in them, and write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", type=Path, help="default: the shipped one")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--per-kind", type=int, default=PER_KIND)
    parser.add_argument("--nothing", type=int, default=NOTHING)
    parser.add_argument("--validation", action="store_true", help="digits of the validation part, for development")
    options = parser.parse_args()
    predictor = Predictor(options.model)
    digits, labels = draw_digits(options.validation, options.per_kind * len(KINDS), options.seed)
    taken = measure(predictor, photos(digits, labels, options.seed))
    empty = measure(predictor, nothing_there(options.nothing, options.seed))
    report = {
        "model_sha256": predictor.model.sha256(),
        "digits": "validation" if options.validation else "test",
        "seed": options.seed,
        "photos": {"all": overall(taken), "kinds": taken},
        "nothing_there": {"all": overall(empty), "kinds": empty},
    }
    write_atomically(options.out, (json.dumps(report, indent=2) + "\n").encode())
    buffer = BytesIO()
    draw_sheet(islice(photos(digits, labels, options.seed), len(KINDS))).save(buffer, "PNG", optimize=True)
    write_atomically(options.out.with_suffix(".png"), buffer.getvalue())


if __name__ == "__main__":
    main()

"""Faint parts of a digit's strokes belong to it; what else is faint in the picture does not."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from mnistsum_runtime.preparation import scan
from mnistsum_runtime.preparation.faint import faint_ink
from mnistsum_runtime.preparation.prepare import prepare_picture
from mnistsum_runtime.preparation.prepared import PreparedPicture

SIDE, WIDTH = 240, 18
Plane = NDArray[np.float32]
Line = list[tuple[int, int]]
STEM: Line = [(160, 50), (115, 195)]
BAR: Line = [(75, 50), (160, 50)]
LOOP: Line = [(150, 110), (95, 118), (80, 90), (95, 60), (130, 45), (160, 50)]


def stroke(line: Line, width: int = WIDTH, blur: float = 1) -> Plane:
    """One stroke: [SIDE, SIDE], 0 ground to 1 ink."""
    image = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(image).line(line, fill=255, width=width, joint="curve")
    for x, y in (line[0], line[-1]):
        ImageDraw.Draw(image).ellipse((x - width // 2, y - width // 2, x + width // 2, y + width // 2), fill=255)
    return np.asarray(np.asarray(image.filter(ImageFilter.GaussianBlur(blur))) / np.float32(255), np.float32)


def picture(contrast: Plane, uneven: bool, light_ink: bool = False) -> NDArray[np.uint8]:
    """Ink on paper, or chalk on a board: a clean scan, or a photo in uneven light."""
    levels = np.asarray(25 + 200 * contrast if light_ink else 230 - 190 * contrast, np.float64)
    if uneven:
        noise = 1.5 * np.random.default_rng(0).standard_normal(contrast.shape)
        levels = levels * np.linspace(1, 0.75, SIDE) + noise
    return np.asarray(levels.clip(0, 255), np.uint8)


def drawn(strong: Plane, faint: Plane, level: float) -> Plane:
    return np.asarray(np.maximum(strong, level * faint), np.float32)


def alike(one: PreparedPicture, other: PreparedPicture) -> bool:
    """Whether the same ink was found, and the network sees as much of it."""
    near = np.abs(np.subtract(one.box, other.box)).max() <= WIDTH // 2
    return bool(near and abs(one.field.sum() / other.field.sum() - 1) < 0.15)


@pytest.mark.parametrize("uneven", [False, True], ids=["scan", "photo"])
@pytest.mark.parametrize("light_ink", [False, True], ids=["pen", "chalk"])
@pytest.mark.parametrize("level", [0.25, 0.35])
@pytest.mark.parametrize("part", [BAR, LOOP], ids=["bar of a 7", "loop of a 9"])
def test_a_faint_part_of_a_stroke_is_as_strong_as_the_rest(
    part: Line, level: float, light_ink: bool, uneven: bool
) -> None:
    strong, faint = stroke(STEM), stroke(part)
    whole = prepare_picture(picture(np.maximum(strong, faint), uneven, light_ink))
    assert alike(prepare_picture(picture(drawn(strong, faint, level), uneven, light_ink)), whole)
    assert not alike(prepare_picture(picture(strong, uneven, light_ink)), whole)


@pytest.mark.parametrize("uneven", [False, True], ids=["scan", "photo"])
def test_a_faint_part_in_line_with_a_stroke_belongs_to_it_over_a_gap(uneven: bool) -> None:
    strong, rest = stroke([(120, 40), (120, 120)]), stroke([(120, 168), (120, 205)])
    prepared = prepare_picture(picture(drawn(strong, rest, 0.3), uneven))
    assert prepared.box[1] > 200


def beside() -> Plane:
    """A faint stroke of another sign, as near as the one in line, across to the digit's end."""
    return 0.3 * stroke([(85, 170), (155, 170)])


def neighbour() -> Plane:
    return 0.3 * stroke([(215, 60), (215, 180)])


def shining_through() -> Plane:
    return 0.3 * stroke([(60, 160), (190, 90)], blur=3)


def crossing() -> Plane:
    return 0.3 * stroke([(70, 90), (190, 150)])


def smudge() -> Plane:
    return 0.3 * stroke([(110, 60), (180, 80)], 45, blur=6)


def shadow() -> Plane:
    return np.asarray(0.2 * (np.mgrid[:SIDE, :SIDE][0] > 150), np.float32)


def ruled() -> Plane:
    rows = np.mgrid[:SIDE, :SIDE][0]
    return np.asarray(0.3 * (rows % 40 < 3), np.float32)


@pytest.mark.parametrize("uneven", [False, True], ids=["scan", "photo"])
@pytest.mark.parametrize("other", [beside, neighbour, shining_through, crossing, smudge, ruled, shadow])
def test_what_else_is_faint_does_not_come_in(other: object, uneven: bool) -> None:
    assert callable(other)
    strong = stroke([(120, 40), (120, 120)]) if other is beside else np.maximum(stroke(STEM), stroke(BAR))
    clean = prepare_picture(picture(strong, uneven))
    assert alike(prepare_picture(picture(np.maximum(strong, other()), uneven)), clean)


def test_a_texture_of_faint_parts_is_none_of_the_digit() -> None:
    strong = stroke(STEM)
    dashes = np.zeros((SIDE, SIDE), np.float32)
    for row in range(20, 220, 40):
        for column in range(20, 220, 40):
            dashes[row : row + 18, column : column + 18] = 0.3
    assert faint_ink(np.maximum(strong, dashes), strong > 0.5, WIDTH) is None


def test_of_a_clean_scan_faint_ink_is_not_even_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "add_faint", None)
    for blur in (0, 1, 2, 4):
        contrast = np.maximum(stroke(STEM, blur=blur), stroke(BAR, blur=blur))
        assert prepare_picture(picture(contrast, uneven=False)).box[0] < 60

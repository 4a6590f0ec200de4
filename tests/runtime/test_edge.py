"""A digit at the picture's edge: whole where it fills the picture, cut where it goes on."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mnistsum_runtime.preparation.edge import is_cut, is_field
from mnistsum_runtime.preparation.prepare import prepare_picture

Levels = NDArray[np.uint8]
FOUR = [[(8, 3), (3, 17), (22, 17)], [(18, 8), (16, 28)]]
"""A 4 in a field of 28 pixels, its foot at the lower edge."""


def drawing(side: int, lines: list[list[tuple[int, int]]], width: int = 3) -> Levels:
    """Strokes of a 28x28 field, white on black, in a square picture of another side."""
    image = Image.new("L", (side, side))
    scale = (side - 1) / 27
    for line in lines:
        ImageDraw.Draw(image).line([(x * scale, y * scale) for x, y in line], 255, round(width * scale))
    return np.asarray(image)


def moved_down(lines: list[list[tuple[int, int]]], by: int) -> list[list[tuple[int, int]]]:
    return [[(x, y + by) for x, y in line] for line in lines]


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("side", [28, 56])
@pytest.mark.parametrize("light_ink", [False, True])
def test_a_drawing_that_fills_its_field_is_whole_though_it_touches_the_edge(
    turns: int, side: int, light_ink: bool
) -> None:
    picture = np.rot90(drawing(side, FOUR), turns)
    prepared = prepare_picture(picture if light_ink else 255 - picture)
    assert prepared.mask is not None
    assert min(prepared.box[0], prepared.box[2], side - prepared.box[1], side - prepared.box[3]) == 0
    assert not prepared.cut


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("side", [28, 140])
@pytest.mark.parametrize("light_ink", [False, True])
def test_a_digit_that_was_moved_over_the_edge_is_cut(turns: int, side: int, light_ink: bool) -> None:
    picture = np.rot90(drawing(side, moved_down(FOUR, 7)), turns)
    assert prepare_picture(picture if light_ink else 255 - picture).cut


def test_in_a_large_picture_a_stroke_over_the_edge_is_cut_where_the_far_side_has_room() -> None:
    assert prepare_picture(255 - drawing(280, FOUR)).cut
    cropped = drawing(280, FOUR)[24:]  # less than a twentieth is left above it
    assert not prepare_picture(255 - cropped).cut


def test_a_bend_that_grazes_the_edge_goes_on_in_the_picture() -> None:
    mask = np.zeros((200, 200), np.bool_)
    mask[60:199, 90:110] = True
    mask[199, 97:101] = True  # a fifth of the stroke's width
    assert not is_cut(mask, 20.0)
    mask[199, 90:110] = True
    assert is_cut(mask, 20.0)


def test_only_small_square_pictures_are_fields_to_draw_in() -> None:
    assert is_field(28, 28)
    assert is_field(64, 64)
    assert not is_field(28, 24)
    assert not is_field(140, 140)


@pytest.mark.parametrize("light_ink", [False, True])
def test_a_stroke_in_the_first_corner_of_a_field_is_ink(light_ink: bool) -> None:
    picture = drawing(28, [[(0, 1), (26, 1), (9, 27)]], 4)
    prepared = prepare_picture(picture if light_ink else 255 - picture)
    assert prepared.dark_ink == (not light_ink)
    assert prepared.mask is not None
    assert np.array_equal(prepared.mask, picture > 128)
    assert not prepared.cut


def test_soft_edges_that_fill_a_small_field_are_no_uneven_ground() -> None:
    image = Image.fromarray(drawing(280, [[(14, 1), (2, 12), (14, 26), (26, 12), (14, 1)]], 4))
    soft = np.asarray(image.resize((28, 28), Image.Resampling.BICUBIC))
    prepared = prepare_picture(soft)
    assert prepared.unevenness == 0  # the short way
    assert not prepared.cut
    assert prepared.box[0] == prepared.box[2] - 1 == 0

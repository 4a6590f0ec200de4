"""The short way of the preparation: which pictures take it, and which are left to the deep way."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mnistsum_runtime.preparation.mnist_form import place_by_mass
from mnistsum_runtime.preparation.prepare import prepare_picture
from mnistsum_runtime.preparation.scan import otsu_threshold, prepare_scan

SIDE = 200
Levels = NDArray[np.uint8]


def seven(shift: int = 0, width: int = 18) -> Levels:
    """A dark 7 on white paper, moved down by so many pixels."""
    image = Image.new("L", (SIDE, SIDE), 255)
    line = [(55, 45 + shift), (145, 45 + shift), (95, 160 + shift)]
    ImageDraw.Draw(image).line(line, fill=0, width=width, joint="curve")
    return np.asarray(image)


def with_block(picture: Levels, rows: slice, columns: slice) -> Levels:
    changed = picture.copy()
    changed[rows, columns] = 0
    return changed


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("light_ink", [False, True])
def test_a_digit_that_runs_over_one_side_is_a_clean_scan_and_cut(turns: int, light_ink: bool) -> None:
    picture = np.rot90(seven(shift=50), turns)
    prepared = prepare_scan(255 - picture if light_ink else picture, 1)
    assert prepared is not None
    assert prepared.cut
    assert prepared.dark_ink == (not light_ink)
    assert prepared.mask is not None
    assert np.array_equal(prepared.mask, picture < 128)
    assert np.array_equal(prepare_picture(picture).field, prepared.field)


def test_a_digit_that_is_free_of_the_border_is_not_cut() -> None:
    prepared = prepare_scan(seven(), 1)
    assert prepared is not None
    assert not prepared.cut


@pytest.mark.parametrize(
    "picture",
    [
        with_block(seven(), slice(60, 140), slice(170, SIDE)),  # a finger beside the digit, no gap in rows or columns
        with_block(seven(), slice(0, SIDE), slice(100, 110)),  # a line across
        with_block(seven(), slice(0, 60), slice(0, 60)),  # in a corner: two sides
        with_block(seven(shift=30), slice(150, SIDE), slice(80, 180)),  # wide where it comes in
    ],
    ids=["finger", "line", "corner", "wide"],
)
def test_what_comes_in_from_the_border_otherwise_is_left_to_the_deep_way(picture: Levels) -> None:
    assert prepare_scan(picture, 1) is None


def test_a_bold_1_is_a_stroke() -> None:
    one = with_block(np.full((SIDE, SIDE), 255, np.uint8), slice(28, 172), slice(78, 125))
    prepared = prepare_scan(one, 1)
    assert prepared is not None
    assert prepared.mask is not None
    assert np.array_equal(prepared.mask, one == 0)


@pytest.mark.parametrize(("height", "width"), [(180, 60), (120, 70)])
def test_a_large_or_broad_block_may_be_a_sheet(height: int, width: int) -> None:
    ground = np.full((SIDE, SIDE), 255, np.uint8)
    assert prepare_scan(with_block(ground, slice(10, 10 + height), slice(60, 60 + width)), 1) is None


def test_otsus_threshold_parts_two_levels_in_the_middle_and_is_none_for_one() -> None:
    histogram = np.zeros(256, np.int64)
    histogram[40] = 900
    assert otsu_threshold(histogram) is None
    histogram[141] = 100
    assert otsu_threshold(histogram) == (40 + 140) // 2
    histogram[255] = 50
    threshold = otsu_threshold(histogram)
    assert threshold is not None
    assert 40 <= threshold < 141


def test_rounding_errors_do_not_move_a_symmetric_digit() -> None:
    ink = np.zeros((20, 11), np.float32)
    ink[:, 3:8] = 0.5  # its centre lies between two rows of the field
    nearly = ink.copy()
    nearly[0, 5] += np.float32(2e-5)
    other = ink.copy()
    other[19, 5] += np.float32(2e-5)
    assert np.allclose(place_by_mass(nearly), place_by_mass(other), atol=1e-4)

"""The 28x28 picture that the network gets does not depend on how a digit was drawn or scanned."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mnistsum_runtime import PictureError
from mnistsum_runtime.preparation.mnist_form import area_weights, centre_of_mass, fit_into_box, ink_box
from mnistsum_runtime.preparation.prepare import prepare, prepare_picture, reduce_size, stretch
from mnistsum_runtime.preparation.scan import otsu_threshold
from tiny_model import drawn_digit


def scan(digit: int, scale: int, top: int, left: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Dark ink on white paper, the digit's 28x28 pixels enlarged `scale` times at (top, left)."""
    paper = np.full(shape, 255, np.uint8)
    ink = np.kron(drawn_digit(digit), np.ones((scale, scale), np.uint8))
    paper[top : top + len(ink), left : left + len(ink)] = 255 - ink
    return paper


def smooth_digit() -> NDArray[np.uint8]:
    """A digit in MNIST's form, its ground black: 20 pixels long, the centre of its ink in the middle pixel."""
    return np.rint(prepare(scan(5, 6, 20, 31, (200, 220))) * 255).astype(np.uint8)


@pytest.mark.parametrize(
    "given",
    [smooth_digit(), smooth_digit().astype(np.uint16) * 257, smooth_digit() / np.float32(255)],
    ids=["uint8", "uint16", "float32"],
)
def test_a_28x28_picture_in_mnists_form_passes_unchanged_bit_for_bit(given: Any) -> None:
    expected = smooth_digit() / np.float32(255)
    prepared = prepare(given)
    assert prepared.dtype == np.float32
    assert prepared.tobytes() == expected.tobytes()


def test_the_haze_that_jpeg_leaves_on_a_black_ground_passes() -> None:
    haze = np.random.default_rng(0).integers(0, 5, (28, 28), np.uint8)
    assert prepare_picture(np.maximum(smooth_digit(), haze)).untouched


def test_ink_that_reaches_the_border_of_mnists_form_passes() -> None:
    picture = np.zeros((28, 28), np.uint8)
    picture[4:24, 14:17] = 250
    picture[14:16, :14] = 60
    assert prepare_picture(picture).untouched


@pytest.mark.parametrize("level", [20, 40, 90])
def test_chalk_on_a_board_that_is_not_black_is_prepared(level: int) -> None:
    black = smooth_digit()
    prepared = prepare_picture((level + black * ((255 - level) / 255)).astype(np.uint8))
    assert not prepared.untouched
    assert prepared.field[0, 0] == 0
    assert np.abs(prepared.field - black / np.float32(255)).mean() < 0.02


@pytest.mark.parametrize("shift", [(-3, 0), (2, 0), (0, 3), (0, -2)])
def test_a_28x28_picture_whose_digit_lies_elsewhere_is_centred(shift: tuple[int, int]) -> None:
    prepared = prepare_picture(np.roll(smooth_digit(), shift, (0, 1)))
    assert not prepared.untouched
    assert np.abs(prepared.field - smooth_digit() / np.float32(255)).max() < 0.02


@pytest.mark.parametrize("side", [12, 17, 22, 27])
def test_a_28x28_picture_whose_digit_is_longer_or_shorter_is_brought_to_size(side: int) -> None:
    top, bottom, left, right = ink_box(smooth_digit() > 32)
    digit = Image.fromarray(smooth_digit()[top:bottom, left:right])
    small = digit.resize((round(digit.width * side / digit.height), side), Image.Resampling.BICUBIC)
    field = Image.new("L", (28, 28))
    field.paste(small, ((28 - small.width) // 2, (28 - side) // 2))
    prepared = prepare_picture(np.asarray(field))
    assert not prepared.untouched
    top, bottom, _, _ = ink_box(prepared.field > 0.2)
    assert bottom - top in (19, 20)


def test_a_28x28_picture_with_a_light_ground_is_turned_and_centred() -> None:
    prepared = prepare(255 - np.roll(drawn_digit(7), (-4, -6), axis=(0, 1)))
    assert prepared[0, 0] == 0
    assert np.allclose(centre_of_mass(prepared), (14.5, 14.5), atol=0.5)


@pytest.mark.parametrize("digit", range(10))
def test_polarity_does_not_matter(digit: int) -> None:
    picture = scan(digit, 5, 20, 31, (200, 220))
    assert np.allclose(prepare(picture), prepare(255 - picture), atol=1e-6)


def test_the_place_in_the_picture_does_not_matter() -> None:
    first = prepare(scan(4, 6, 0, 0, (300, 300)))
    assert np.array_equal(first, prepare(scan(4, 6, 120, 7, (300, 300))))
    assert np.array_equal(first, prepare(scan(4, 6, 40, 131, (210, 400))))


@pytest.mark.parametrize("scale", [2, 3, 7, 14, 80])
def test_the_size_of_the_digit_does_not_matter(scale: int) -> None:
    reference = prepare(scan(2, 10, 5, 5, (300, 300)))
    side = 28 * scale + 10
    assert np.abs(prepare(scan(2, scale, 3, 5, (side, side))) - reference).max() < 0.03


def test_the_paper_need_not_be_white_nor_the_ink_black() -> None:
    picture = scan(3, 6, 12, 20, (200, 200))
    grey = np.where(picture == 255, 190, 60).astype(np.uint8)
    assert np.allclose(prepare(grey), prepare(picture), atol=1e-6)


def test_a_faint_16_bit_picture_is_as_good_as_a_full_one() -> None:
    picture = scan(3, 6, 12, 20, (200, 200))
    faint = 1000 + picture.astype(np.uint16)
    assert np.allclose(prepare(faint), prepare(picture), atol=0.02)


@pytest.mark.parametrize(("height", "width"), [(200, 50), (60, 240), (100, 100), (300, 30)])
def test_the_box_is_filled_and_the_aspect_kept(height: int, width: int) -> None:
    picture = np.zeros((400, 400), np.uint8)
    picture[50 : 50 + height, 30 : 30 + width] = 255
    top, bottom, left, right = ink_box(prepare(picture) > 0.5)
    assert max(bottom - top, right - left) == 20
    longest = max(height, width)
    assert (bottom - top, right - left) == (max(1, 20 * height // longest), max(1, 20 * width // longest))


@pytest.mark.parametrize("digit", range(10))
def test_the_centre_of_mass_is_in_the_middle_pixel(digit: int) -> None:
    assert np.allclose(centre_of_mass(prepare(scan(digit, 9, 3, 40, (300, 300)))), (14.5, 14.5), atol=0.501)


def test_all_ink_stays_inside_when_the_mass_is_at_one_end() -> None:
    nail = np.zeros((300, 100), np.uint8)
    nail[10:30, 10:90] = 255
    nail[30:290, 48:52] = 255
    prepared = prepare(nail)
    top, bottom, _, _ = ink_box(prepared > 0.1)
    assert bottom - top == 20


def test_ink_stays_within_0_and_1() -> None:
    grainy = scan(8, 5, 20, 31, (171, 233)) * 0.8 + np.random.default_rng(1).integers(0, 50, (171, 233))
    prepared = prepare(grainy.astype(np.uint8))
    assert prepared.shape == (28, 28)
    assert prepared.dtype == np.float32
    assert prepared.min() >= 0
    assert prepared.max() <= 1


@pytest.mark.parametrize("shape", [(1, 1), (28, 28), (100, 60), (1, 10_000)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_one_colour_is_no_digit(shape: tuple[int, int], level: int) -> None:
    with pytest.raises(PictureError) as caught:
        prepare(np.full(shape, level, np.uint8))
    assert caught.value.kind == "no_digit"


@pytest.mark.parametrize("shape", [(1, 10_000), (10_000, 1), (1, 2), (2, 1)])
def test_a_row_or_column_of_pixels_is_no_digit(shape: tuple[int, int]) -> None:
    picture = np.zeros(shape, np.uint8)
    picture.ravel()[picture.size // 2 :] = 255
    with pytest.raises(PictureError) as caught:
        prepare(picture)
    assert caught.value.kind == "no_digit"


def test_ink_that_vanishes_when_reduced_is_no_digit() -> None:
    picture = np.zeros((1, 1_000_000), np.uint8)
    picture[0, 500_000] = 255
    with pytest.raises(PictureError, match="no digit"):
        prepare(picture)


def test_otsu_parts_two_groups_in_the_middle_between_them() -> None:
    histogram = np.zeros(256, int)
    histogram[[40, 41, 200, 203]] = [50, 60, 9, 11]
    assert otsu_threshold(histogram) == (41 + 199) // 2


def test_otsu_is_the_largest_between_class_variance() -> None:
    histogram = np.random.default_rng(3).integers(0, 50, 256)
    levels = np.repeat(np.arange(256), histogram)

    def variance(threshold: int) -> float:
        low, high = levels[levels <= threshold], levels[levels > threshold]
        return float(len(low) * len(high) * (low.mean() - high.mean()) ** 2)

    assert otsu_threshold(histogram) == max(range(255), key=variance)


def test_area_weights_count_parts_of_pixels_as_parts() -> None:
    assert np.allclose(area_weights(3, 2), [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]])
    assert np.allclose(area_weights(4, 2), [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])


def test_enlarging_is_linear_and_keeps_the_mean_of_a_ramp() -> None:
    weights = area_weights(5, 20)
    assert np.allclose(weights.sum(axis=1), 1)
    assert np.allclose(np.diff(weights[4:16] @ np.arange(5)), 0.25)


def test_reducing_to_the_box_keeps_the_mean_ink() -> None:
    ink = np.random.default_rng(2).random((137, 91)).astype(np.float32)
    assert fit_into_box(ink).mean() == pytest.approx(ink.mean(), abs=1e-5)


def test_large_pictures_are_reduced_before_the_work() -> None:
    assert reduce_size(np.zeros((4000, 3000), np.uint8)).shape == (1000, 750)
    assert reduce_size(np.zeros((1000, 1000), np.uint8)).shape == (1000, 1000)
    assert reduce_size(np.zeros((1, 10_500), np.uint8)).shape == (1, 3500)


def test_stretch_spreads_16_bit_and_float_over_8_bit() -> None:
    assert stretch(np.array([[300, 800, 1300]], np.uint16)).tolist() == [[0, 127, 255]]
    assert stretch(np.array([[0.25, 0.375, 0.5]], np.float32)).tolist() == [[0, 127, 255]]

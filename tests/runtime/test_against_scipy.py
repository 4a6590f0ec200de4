"""The preparation's own image operations give what scipy's and scikit-image's give, on seeded random pictures."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.measure import perimeter_crofton

from mnistsum_runtime.preparation.components import Components, label
from mnistsum_runtime.preparation.morphology import change_width, closing, shrink, stroke_width
from mnistsum_runtime.preparation.scan import otsu_threshold

CROSS = ndimage.generate_binary_structure(2, 1)
SQUARE = ndimage.generate_binary_structure(2, 2)
SHAPES = [(1, 1), (1, 50), (50, 1), (2, 3), (17, 40), (60, 45)]
DENSITIES = [0, 0.05, 0.2, 0.4, 0.6, 0.9, 1]  # at 0.4 parts of all sizes meet


def random_mask(shape: tuple[int, int], density: float) -> NDArray[np.bool_]:
    return np.random.default_rng((*shape, round(100 * density))).random(shape) < density


def random_ink(shape: tuple[int, int]) -> NDArray[np.float32]:
    """Blots with soft edges, in steps of 1/256, which float32 adds and subtracts without rounding."""
    noise = np.random.default_rng(shape).normal(size=shape)
    soft: NDArray[np.float64] = ndimage.gaussian_filter(noise, 2)
    return np.asarray(np.rint((soft / np.abs(soft).max()).clip(0, 1) * 256) / 256, np.float32)


def label_image(parts: Components) -> NDArray[np.int64]:
    """0 where there is no part, else 1 more than the part's index: as scipy gives labels."""
    image = np.zeros(parts.shape, np.int64)
    for part in range(len(parts)):
        image[parts.mask_of(np.arange(len(parts)) == part)] = part + 1
    return image


def areas(labels: NDArray[np.int64], count: int) -> list[int]:
    """Pixels of each label from 1 to `count`."""
    return [int(np.count_nonzero(labels == one)) for one in range(1, count + 1)]


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_labels_areas_boxes_and_border_pixels_are_scipys(shape: tuple[int, int], density: float) -> None:
    mask = random_mask(shape, density)
    parts = label(mask)
    expected, count = ndimage.label(mask, SQUARE)
    assert len(parts) == count
    assert np.array_equal(label_image(parts), expected)
    assert parts.area.tolist() == areas(expected, count)
    boxes = [(rows.start, rows.stop, columns.start, columns.stop) for rows, columns in ndimage.find_objects(expected)]
    assert list(zip(parts.top, parts.bottom, parts.left, parts.right, strict=True)) == boxes
    inside = expected.copy()
    inside[[0, -1]] = inside[:, [0, -1]] = 0
    assert (parts.area - parts.border_contact()).tolist() == areas(inside, count)


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shrinking_is_scipys_erosion_by_a_cross(shape: tuple[int, int], steps: int) -> None:
    mask = random_mask(shape, 0.9)
    expected = ndimage.binary_erosion(mask, CROSS, steps, border_value=1)
    assert np.array_equal(shrink(mask, steps), expected)


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
@pytest.mark.parametrize("shape", SHAPES[1:], ids=str)
def test_widening_and_thinning_are_scipys_dilations_and_erosions_by_cross_and_square(
    shape: tuple[int, int], steps: int
) -> None:
    ink = random_ink(shape)
    wider = thinner = ink
    for step in range(steps):
        footprint = SQUARE if step % 2 else CROSS
        wider = ndimage.grey_dilation(wider, footprint=footprint, mode="nearest")
        thinner = ndimage.grey_erosion(thinner, footprint=footprint, mode="nearest")
    assert np.array_equal(change_width(ink, 2 * steps), wider)
    assert np.array_equal(change_width(ink, -2 * steps), thinner)


@pytest.mark.parametrize("side", [3, 8, 15, 33])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_closing_is_scipys_with_the_slope_going_on_beyond_the_border(shape: tuple[int, int], side: int) -> None:
    light = np.random.default_rng((*shape, side)).integers(-3000, 3000, shape).astype(np.int16)
    odd = side // 2 * 2 + 1
    margins = [min(odd - 1, length - 1) for length in shape]
    padded = np.pad(light, [(margin, margin) for margin in margins], "reflect", reflect_type="odd")
    expected = ndimage.grey_closing(padded, (odd, odd), mode="nearest")
    inside = tuple(slice(margin, margin + length) for margin, length in zip(margins, shape, strict=True))
    assert np.array_equal(closing(light, side), expected[inside])


@pytest.mark.parametrize("seed", range(20))
def test_otsus_threshold_parts_the_levels_as_scikit_images_does(seed: int) -> None:
    generator = np.random.default_rng(seed)
    ground, ink = generator.normal(200, 15, 3000), generator.normal(70, 30, 400)
    levels = np.concatenate((ground, ink)).clip(0, 255).astype(np.uint8)
    levels = levels // 8 * 8 if seed % 2 else levels  # with levels that do not occur, any between two parts alike
    histogram = np.bincount(levels, minlength=256)
    threshold = otsu_threshold(histogram)
    assert threshold is not None
    assert np.array_equal(levels <= threshold, levels <= threshold_otsu(hist=(histogram, np.arange(256))))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("seed", range(5))
def test_the_stroke_width_follows_from_croftons_perimeter_as_scikit_image_has_it(seed: int) -> None:
    mask = np.pad(ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(50, 70)), 3) > 0.05, 2)
    half, area = perimeter_crofton(mask, directions=2) / 2, np.count_nonzero(mask)  # type: ignore[no-untyped-call]
    expected = half / 2 - (half**2 / 4 - area) ** 0.5  # w l = area, l + w = half of the perimeter
    assert stroke_width(mask.astype(np.float32)) == pytest.approx(expected, rel=1e-4)

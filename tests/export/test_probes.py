"""The network's parity is asked with what breaks networks: blank, saturated and noise pictures, and all ten numbers."""

import numpy as np
import pytest

from mnistsum_export.network.probes import make_probes, synthetic_pictures
from mnistsum_export.proof.examples import FIRST_ROWS, Arrays, rows_of, spread_rows


def test_blank_saturated_and_three_kinds_of_noise_are_among_the_pictures() -> None:
    pictures = synthetic_pictures()
    assert pictures.shape == (FIRST_ROWS, 28, 28)
    assert pictures.dtype == np.uint8
    kinds = [len(np.unique(picture)) for picture in pictures]
    assert (pictures[0] == 0).all()
    assert (pictures[1] == 255).all()
    assert sum(kind > 200 for kind in kinds) == 10
    two_valued = [picture for picture, kind in zip(pictures, kinds, strict=True) if kind == 2]
    bright = np.array([(picture == 255).mean() for picture in two_valued])
    assert ((bright > 0.4) & (bright < 0.6)).sum() == 10
    assert ((bright > 0) & (bright < 0.1)).sum() == 10


def test_every_picture_meets_every_number_once(probes: Arrays) -> None:
    images, numbers = probes["image"], probes["number"]
    assert images.shape == (rows_of(probes), 1, 28, 28)
    assert images.dtype == numbers.dtype == np.float32
    assert (images.min(), images.max()) == (0, 1)
    assert (numbers.sum(axis=1) == 1).all()
    asked: dict[bytes, list[int]] = {}
    for image, number in zip(images, numbers, strict=True):
        asked.setdefault(image.tobytes(), []).append(int(number.argmax()))
    assert len(asked) == FIRST_ROWS + 10
    assert all(sorted(found) == list(range(10)) for found in asked.values())


def test_real_digits_come_last_and_unchanged() -> None:
    digits = np.random.default_rng(1).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    images = make_probes(digits)["image"][FIRST_ROWS * 10 :: 10, 0]
    assert np.array_equal(np.round(images * 255).astype(np.uint8), digits)


@pytest.mark.parametrize("digits", [10, 1000, 10_000])
@pytest.mark.parametrize("count", [140, 1400])
def test_part_of_the_rows_has_every_synthetic_picture_and_all_ten_numbers(digits: int, count: int) -> None:
    rows = 10 * (FIRST_ROWS + digits)
    chosen = np.arange(rows)[spread_rows(rows, count)]
    assert len(np.unique(chosen)) == len(chosen) == min(count, rows)
    assert chosen[:FIRST_ROWS].tolist() == list(range(FIRST_ROWS))
    real = chosen[chosen >= 10 * FIRST_ROWS]
    assert set(real % 10) == set(range(10))
    assert chosen[-1] == rows - 1


def test_first_rows_have_each_synthetic_picture_once_and_all_numbers(probes: Arrays) -> None:
    expected = synthetic_pictures()
    assert np.array_equal(np.round(probes["image"][:FIRST_ROWS, 0] * 255).astype(np.uint8), expected)
    assert set(probes["number"][:FIRST_ROWS].argmax(axis=1)) == set(range(10))

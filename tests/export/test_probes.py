"""Parity is asked with what breaks networks: blank, saturated and noise pictures, and all ten numbers."""

import numpy as np
import pytest

from mnistsum_export.network.probes import SYNTHETIC_PICTURES, Probes, make_probes, synthetic_pictures


def fake_probes(digits: int) -> Probes:
    """As many pairs as `make_probes` would give, without the pictures."""
    pictures = SYNTHETIC_PICTURES + digits
    return Probes(np.empty((pictures * 10, 0), np.float32), np.tile(np.eye(10, dtype=np.float32), (pictures, 1)))


def test_blank_saturated_and_three_kinds_of_noise_are_among_the_pictures() -> None:
    pictures = synthetic_pictures()
    assert pictures.shape == (SYNTHETIC_PICTURES, 28, 28)
    assert pictures.dtype == np.uint8
    kinds = [len(np.unique(picture)) for picture in pictures]
    assert (pictures[0] == 0).all()
    assert (pictures[1] == 255).all()
    assert sum(kind > 200 for kind in kinds) == 10
    two_valued = [picture for picture, kind in zip(pictures, kinds, strict=True) if kind == 2]
    bright = np.array([(picture == 255).mean() for picture in two_valued])
    assert ((bright > 0.4) & (bright < 0.6)).sum() == 10
    assert ((bright > 0) & (bright < 0.1)).sum() == 10


def test_noise_is_the_same_in_every_run() -> None:
    assert np.array_equal(synthetic_pictures(), synthetic_pictures())


def test_every_picture_meets_all_ten_numbers(probes: Probes) -> None:
    assert probes.images.shape == (len(probes), 1, 28, 28)
    assert probes.images.dtype == probes.numbers.dtype == np.float32
    assert (probes.images.min(), probes.images.max()) == (0, 1)
    for start in range(0, len(probes), 10):
        assert (probes.images[start : start + 10] == probes.images[start]).all()
        assert np.array_equal(probes.numbers[start : start + 10], np.eye(10))


def test_real_digits_come_after_the_synthetic_pictures_unchanged() -> None:
    digits = np.random.default_rng(1).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    images = make_probes(digits).images[SYNTHETIC_PICTURES * 10 :: 10, 0]
    assert np.array_equal(np.round(images * 255).astype(np.uint8), digits)


@pytest.mark.parametrize("digits", [1, 10, 1000, 10_000])
@pytest.mark.parametrize("count", [140, 1400])
def test_short_run_meets_every_synthetic_picture_and_all_ten_numbers(digits: int, count: int) -> None:
    probes = fake_probes(digits)
    chosen = np.arange(len(probes))[probes.spread(count)]
    synthetic, real = chosen[chosen < SYNTHETIC_PICTURES * 10], chosen[chosen >= SYNTHETIC_PICTURES * 10]
    assert len(np.unique(chosen)) == len(chosen)
    assert set(synthetic // 10) == set(range(SYNTHETIC_PICTURES))
    assert set(synthetic % 10) == set(range(10))
    assert set(real % 10) == set(range(10))
    assert len(chosen) <= 1.3 * count
    if digits >= 1000:
        assert len(chosen) >= 0.7 * count
        assert real[-1] > 0.98 * len(probes) - 10


def test_run_as_long_as_all_pairs_is_all_pairs() -> None:
    probes = fake_probes(10)
    assert len(np.arange(len(probes))[probes.spread(len(probes))]) == len(probes) == 420

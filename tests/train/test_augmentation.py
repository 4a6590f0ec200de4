"""Augmentation varies pictures and leaves their kind as it is."""

import pytest
import torch

from mnistsum_train.augmentation import augment, change_thickness, strength_at
from mnistsum_train.data import Part


@pytest.fixture(scope="module")
def pictures(few: Part) -> torch.Tensor:
    return few.images.float() / 255


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def square() -> torch.Tensor:
    picture = torch.zeros(1, 1, 28, 28)
    picture[..., 10:14, 10:14] = 1
    return picture


def test_shape_dtype_and_range_stay(pictures: torch.Tensor) -> None:
    augmented = augment(pictures, seeded())
    assert augmented.shape == pictures.shape
    assert augmented.dtype == torch.float32
    assert augmented.min() >= 0
    assert augmented.max() <= 1 + 1e-6


def test_strength_0_leaves_pictures_as_they_are(pictures: torch.Tensor) -> None:
    assert (augment(pictures, seeded(), strength=0) - pictures).abs().max() < 1e-4


def test_strength_is_full_for_half_of_the_training_and_four_fifths_at_its_end() -> None:
    assert [strength_at(progress) for progress in (0, 0.25, 0.5)] == [1, 1, 1]
    assert strength_at(0.75) == pytest.approx(0.9)
    assert strength_at(1) == pytest.approx(0.8)


def test_full_strength_moves_every_picture_but_not_far(pictures: torch.Tensor) -> None:
    change = (augment(pictures, seeded()) - pictures).abs().mean(dim=(1, 2, 3))
    ink = pictures.mean(dim=(1, 2, 3))
    assert (change > 0.05 * ink).all()
    assert change.mean() < 1.3 * ink.mean()  # two pictures of other digits differ by 1.6


def test_same_generator_gives_the_same_pictures_and_another_does_not(pictures: torch.Tensor) -> None:
    assert torch.equal(augment(pictures, seeded(1)), augment(pictures, seeded(1)))
    assert not torch.equal(augment(pictures, seeded(1)), augment(pictures, seeded(2)))


def test_global_random_state_plays_no_part(pictures: torch.Tensor) -> None:
    torch.manual_seed(1)
    first = augment(pictures, seeded())
    torch.manual_seed(2)
    assert torch.equal(first, augment(pictures, seeded()))


def test_each_picture_of_a_batch_varies_on_its_own(pictures: torch.Tensor) -> None:
    copies = augment(pictures[:1].repeat(6, 1, 1, 1), seeded())
    for one in range(6):
        for other in range(one):
            assert (copies[one] - copies[other]).abs().max() > 0.1


def test_input_is_not_written_to(pictures: torch.Tensor) -> None:
    before = pictures.clone()
    augment(pictures, seeded())
    assert torch.equal(pictures, before)


def test_thickness_1_adds_a_pixel_on_every_side() -> None:
    expected = torch.zeros(1, 1, 28, 28)
    expected[..., 9:15, 9:15] = 1
    assert torch.equal(change_thickness(square(), torch.ones(1, 1, 1, 1)), expected)


def test_thickness_minus_1_takes_half_of_the_rim() -> None:
    expected = square() / 2
    expected[..., 11:13, 11:13] = 1
    assert torch.equal(change_thickness(square(), -torch.ones(1, 1, 1, 1)), expected)


def test_thickness_0_changes_nothing(pictures: torch.Tensor) -> None:
    assert torch.equal(change_thickness(pictures, torch.zeros(len(pictures), 1, 1, 1)), pictures)


def test_thickness_belongs_to_each_picture(pictures: torch.Tensor) -> None:
    amount = torch.tensor([0.5, -0.5]).repeat(len(pictures) // 2).view(-1, 1, 1, 1)
    ink = (change_thickness(pictures, amount) - pictures).sum(dim=(1, 2, 3))
    assert (ink[::2] > 0).all()
    assert (ink[1::2] < 0).all()

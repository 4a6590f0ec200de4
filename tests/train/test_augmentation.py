"""Augmentation varies pictures and leaves their kind as it is."""

import pytest
import torch

from mnistsum_train.augmentation import UPSTROKE, add_upstrokes, augment, change_thickness, strength_at
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
    assert change.mean() < ink.mean()


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


def stem() -> torch.Tensor:
    """A one: a bare vertical stroke from row 4 to row 23."""
    picture = torch.zeros(1, 1, 28, 28)
    picture[..., 4:24, 14:16] = 1
    return picture


def test_upstrokes_are_drawn_to_their_share_of_the_ones_and_to_nothing_else() -> None:
    pictures = stem().expand(2000, -1, -1, -1)
    labels = torch.arange(2000) % 2
    changed = (add_upstrokes(pictures, labels, seeded()) != pictures).flatten(1).any(dim=1)
    assert not changed[labels == 0].any()
    assert changed[labels == 1].double().mean().item() == pytest.approx(UPSTROKE, abs=0.04)


def test_upstroke_leaves_the_top_of_the_stem_down_to_the_left() -> None:
    pictures = stem().expand(200, -1, -1, -1)
    drawn = add_upstrokes(pictures, torch.ones(200, dtype=torch.int64), seeded())
    added = (drawn - pictures)[(drawn != pictures).flatten(1).any(dim=1), 0] > 0.5
    assert len(added) > 10
    rows = torch.arange(28)[None, :, None]
    columns = torch.arange(28)[None, None, :]
    assert not (added & (rows < 3)).any()  # not above the stem
    assert not (added & (columns > 17)).any()  # not to its right
    for one in added:
        low = (one & (rows[0] > 8)).nonzero()
        assert len(low)  # it falls, as no 7's bar does
        assert low[:, 1].float().mean() < 14


def test_upstrokes_keep_range_and_repeat_with_their_generator(pictures: torch.Tensor) -> None:
    labels = torch.ones(len(pictures), dtype=torch.int64)
    drawn = add_upstrokes(pictures, labels, seeded(3))
    assert drawn.shape == pictures.shape
    assert 0 <= drawn.min() <= drawn.max() <= 1
    assert torch.equal(drawn, add_upstrokes(pictures, labels, seeded(3)))

"""The number beside the picture: uniform, independent, anew in every epoch, and the same again from the same seed."""

import torch

from mnistsum_train.data import draw_numbers, epoch_generator

# Values that a chi-square statistic exceeds with probability 0.001; the draws are seeded, so that no run differs.
LIMIT_9_DEGREES = 27.88
LIMIT_99_DEGREES = 148.23


def chi_square(values: torch.Tensor, cells: int) -> float:
    counts = torch.bincount(values.flatten(), minlength=cells).double()
    expected = values.numel() / cells
    return float(((counts - expected) ** 2 / expected).sum())


def test_numbers_are_int64_0_to_9_of_the_asked_shape() -> None:
    numbers = draw_numbers(1000, 4, epoch_generator(0, 1))
    assert numbers.shape == (1000, 4)
    assert numbers.dtype == torch.int64
    assert set(numbers.flatten().tolist()) == set(range(10))


def test_numbers_of_an_epoch_are_uniform() -> None:
    numbers = draw_numbers(55_000, 4, epoch_generator(0, 1))
    assert chi_square(numbers, 10) < LIMIT_9_DEGREES
    for column in numbers.T:
        assert chi_square(column, 10) < LIMIT_9_DEGREES


def test_first_number_is_uniform_over_the_epochs() -> None:
    first = torch.stack([draw_numbers(1, 1, epoch_generator(0, epoch)) for epoch in range(1, 3001)])
    assert chi_square(first, 10) < LIMIT_9_DEGREES


def test_numbers_of_one_picture_are_independent_of_each_other() -> None:
    numbers = draw_numbers(55_000, 4, epoch_generator(0, 1))
    assert chi_square(numbers[:, 0] * 10 + numbers[:, 1], 100) < LIMIT_99_DEGREES


def test_numbers_of_two_epochs_and_of_two_seeds_are_independent() -> None:
    first = draw_numbers(55_000, 1, epoch_generator(0, 1))
    for other in (epoch_generator(0, 2), epoch_generator(1, 1)):
        assert chi_square(first * 10 + draw_numbers(55_000, 1, other), 100) < LIMIT_99_DEGREES


def test_numbers_repeat_for_the_same_seed_and_epoch() -> None:
    first, again = (draw_numbers(500, 4, epoch_generator(3, 7)) for _ in range(2))
    assert torch.equal(first, again)


def test_epochs_of_different_seeds_share_no_generator() -> None:
    seeds = {epoch_generator(seed, epoch).initial_seed() for seed in range(50) for epoch in range(1, 101)}
    assert len(seeds) == 50 * 100

"""Strokes that MNIST lacks, wide digits and coarse pixels: drawn where they belong, and nowhere else."""

import pytest
import torch

from mnistsum_train.handwriting import (
    COARSE,
    FOOT,
    HOOK,
    NARROW,
    NARROWEST,
    UPSTROKE,
    WIDE,
    WIDEST,
    add_strokes,
    choose_stretch,
    coarsen,
    draw_line,
    foot,
    hook,
    lean_of,
    set_upright,
    upstroke,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def stem(lean: int = 0) -> torch.Tensor:
    """A one: a bare stroke from row 4 to row 23, its top `lean` columns to the right of its bottom."""
    picture = torch.zeros(1, 1, 28, 28)
    for row in range(4, 24):
        column = 14 + round(lean * (23 - row) / 19)
        picture[..., row, column : column + 2] = 1
    return picture


def radius(count: int) -> torch.Tensor:
    return torch.ones(count, 1, 1)


def draws(count: int, numbers: int, seed: int = 0) -> torch.Tensor:
    return torch.rand((numbers, count, 1, 1), generator=seeded(seed))


@pytest.mark.parametrize(("digit", "share"), [(1, 1 - (1 - UPSTROKE) * (1 - FOOT)), (9, HOOK), (7, 0), (0, 0)])
def test_strokes_are_drawn_on_their_share_of_ones_and_nines_alone(digit: int, share: float) -> None:
    pictures = stem().expand(2000, -1, -1, -1)
    labels = torch.full((2000,), digit)
    changed = (add_strokes(pictures, labels, seeded()) != pictures).flatten(1).any(dim=1)
    assert changed.double().mean().item() == pytest.approx(share, abs=0.04)


def test_upstroke_goes_down_to_the_left_from_the_stem_s_upper_half() -> None:
    ink = stem()[:, 0].expand(300, -1, -1)
    added = (upstroke(ink, radius(300), draws(300, 4)) - ink) > 0.5
    rows, columns = torch.arange(28)[None, :, None], torch.arange(28)[None, None, :]
    assert added.flatten(1).any(dim=1).all()
    assert not (added & (rows < 1)).any()  # hardly above the stem
    assert not (added & (columns > 16)).any()  # not to its right
    for one in added:
        places = one.nonzero().double()
        leftmost = places[places[:, 1] == places[:, 1].min()][:, 0].mean()
        assert leftmost > places[:, 0].min()  # it falls to the left


def test_on_a_leaning_stem_no_upstroke_is_flat_as_a_seven_s_bar_is() -> None:
    flattest = []
    for lean in (0, 8):
        ink = stem(lean)[:, 0]
        numbers = torch.tensor([0.0, 1.0, 0.0, 0.4, 0.0]).view(
            5, 1, 1, 1
        )  # the flattest, longest, from the top, straight
        places = ((upstroke(ink, radius(1), numbers) - ink) > 0.5)[0].nonzero().double()
        flattest.append(float(places[:, 0].max() - places[:, 0].min()))
    assert flattest[1] > flattest[0] + 3


def test_a_leaning_stem_is_set_upright_by_its_share() -> None:
    ink = stem(8)[:, 0].repeat(3, 1, 1)
    leans = lean_of(set_upright(ink, torch.tensor([0.0, 0.5, 1.0]).view(3, 1, 1))).flatten()
    assert leans.tolist() == pytest.approx([8 / 19, 4 / 19, 0], abs=0.05)


def test_foot_is_a_level_bar_at_the_bottom() -> None:
    ink = stem()[:, 0].expand(50, -1, -1)
    added = ((foot(ink, radius(50), draws(50, 3)) - ink) > 0.5).nonzero()
    assert added[:, 1].min() >= 20
    assert added[:, 2].min() < 12
    assert added[:, 2].max() > 17


def test_hook_turns_left_at_the_bottom() -> None:
    ink = stem()[:, 0].expand(50, -1, -1)
    added = ((hook(ink, radius(50), draws(50, 4)) - ink) > 0.5).nonzero()
    assert added[:, 1].min() >= 15
    assert added[:, 2].max() <= 16
    assert added[:, 2].min() < 8


def test_line_is_as_wide_as_asked_and_ends_where_it_should() -> None:
    ends = [(torch.full((1, 1, 1), 10.0), torch.full((1, 1, 1), float(column))) for column in (5, 15)]
    line = draw_line(torch.zeros(1, 28, 28), ends[0], ends[1], torch.full((1, 1, 1), 1.5))[0]
    assert line[:, 10].sum() == pytest.approx(3, abs=0.1)
    assert line[10, 6:15].min() == 1
    assert line[10, 18:].max() == 0


def test_strokes_keep_range_and_repeat_with_their_generator() -> None:
    pictures = torch.rand((40, 1, 28, 28), generator=seeded(5))
    labels = torch.arange(40) % 10
    before = pictures.clone()
    drawn = add_strokes(pictures, labels, seeded(3))
    assert drawn.shape == pictures.shape
    assert 0 <= drawn.min() <= drawn.max() <= 1
    assert torch.equal(pictures, before)
    assert torch.equal(drawn, add_strokes(pictures, labels, seeded(3)))


def test_what_is_drawn_on_one_picture_does_not_depend_on_the_labels_of_others() -> None:
    pictures = stem().expand(30, -1, -1, -1)
    ones = torch.ones(30, dtype=torch.int64)
    mixed = ones.clone()
    mixed[::2] = 9
    assert torch.equal(add_strokes(pictures, ones, seeded())[1::2], add_strokes(pictures, mixed, seeded())[1::2])


def test_a_digit_is_stretched_no_further_than_the_box() -> None:
    wide = torch.zeros(1, 1, 28, 28)
    wide[..., 4:24, 6:22] = 1  # 16 of 20 pixels
    stretch = choose_stretch(wide.expand(4000, -1, -1, -1), seeded())
    assert stretch.max().item() == pytest.approx(20 / 16, abs=0.01)
    assert NARROWEST <= stretch.min().item() < 0.75
    assert (stretch > 1).double().mean().item() == pytest.approx(WIDE, abs=0.03)
    assert (stretch < 1).double().mean().item() == pytest.approx(NARROW, abs=0.03)
    assert choose_stretch(stem().expand(4000, -1, -1, -1), seeded()).max() <= WIDEST


def test_less_strength_stretches_and_coarsens_fewer() -> None:
    pictures = stem().expand(400, -1, -1, -1)
    assert torch.equal(choose_stretch(pictures, seeded(), 0), torch.ones(400))
    assert torch.equal(coarsen(pictures, seeded(), 0), pictures)
    half = (choose_stretch(pictures, seeded(), 0.5) != 1).sum()
    assert 0 < half < 0.7 * (choose_stretch(pictures, seeded()) != 1).sum()


def test_coarse_pixels_are_seen_on_their_share_and_the_ground_stays_black() -> None:
    pictures = stem().expand(200, -1, -1, -1)
    coarse = coarsen(pictures, seeded())
    changed = (coarse != pictures).flatten(1).any(dim=1)
    assert changed.sum() == round(COARSE * 200)
    assert 0 <= coarse.min() <= coarse.max() <= 1
    assert coarse[..., :1, :].max() == 0
    assert coarse[..., 24:, :].max() < 1  # and a pixel of it may reach a little further than the ink

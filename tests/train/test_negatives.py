"""Pictures of no digit: every kind can be drawn, seeded, in the network's form; the gate closes for them."""

import pytest
import torch

from mnistsum_runtime.operations import SUM
from mnistsum_train.data import Part
from mnistsum_train.evaluation import answer_all_pairs
from mnistsum_train.gate import fit_gate
from mnistsum_train.negatives import HARDEST, KINDS, draw_all_negatives, draw_negatives
from mnistsum_train.network import TwoInputNetwork

COUNTS = {"outlines": (6, 4, 6), "block graphics": (12, 6, 12), "textures": (24, 2, 20), "empty sheets": (60, 1, 20)}
"""How many are drawn, and how many of those are left at least and at most: of some, preparation finds no digit."""


@pytest.fixture(scope="module")
def digits(training_pictures: Part) -> Part:
    """A hundred real ones."""
    return training_pictures.first(100)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_gives_pictures_in_the_network_s_form_the_same_for_a_seed(kind: str, digits: Part) -> None:
    count, least, most = COUNTS.get(kind, (6, 6, 6))
    pictures = draw_negatives(kind, digits, count, seed=3)
    assert pictures.dtype == torch.uint8
    assert tuple(pictures.shape[1:]) == (1, 28, 28)
    assert least <= len(pictures) <= most
    assert torch.equal(pictures, draw_negatives(kind, digits, count, seed=3))
    assert not torch.equal(pictures, draw_negatives(kind, digits, count, seed=4))
    assert len({picture.numpy().tobytes() for picture in pictures}) == len(pictures)


def test_all_kinds_come_together(digits: Part) -> None:
    each = [draw_negatives(kind, digits, 4 if kind in HARDEST else 2, seed=0) for kind in KINDS]
    assert [len(pictures) for pictures in each].count(2) >= len(KINDS) - len(HARDEST) - 3  # see `COUNTS`
    assert torch.equal(draw_all_negatives(digits, 2, seed=0), torch.cat(each))


def test_the_gate_closes_for_what_is_no_digit_and_only_scales_what_is_answered(
    digits: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnistsum_train.gate.PASSES", 60 * 256 // len(digits))
    torch.manual_seed(0)
    network = TwoInputNetwork(SUM).eval()
    textures = draw_negatives("textures", digits, 160, seed=0)
    weights = {name: weight.clone() for name, weight in network.state_dict().items() if not name.startswith("gate.")}
    before = answer_all_pairs(network, digits.images)
    assert torch.sigmoid(network.gate(network.see(digits.images / 255)[1])).min() > 0.999
    fit_gate(network, digits, textures, seed=0)
    after = answer_all_pairs(network, digits.images)
    assert all(torch.equal(network.state_dict()[name], weight) for name, weight in weights.items())
    gate = network.features_and_gate(digits.images / 255)[1]
    assert gate.min() < 0.999
    for scaled, full in ((after.digit, before.digit), (after.value, before.value)):
        torch.testing.assert_close(scaled, full * gate[:, None], rtol=1e-4, atol=1e-5)
    gates = [torch.sigmoid(network.gate(network.see(images / 255)[1])).mean() for images in (digits.images, textures)]
    assert gates[0] > 0.9
    assert gates[1] < 0.5

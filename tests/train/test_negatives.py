"""Pictures of no digit: every kind can be drawn, seeded, in the network's form; the gate closes for them."""

import pytest
import torch

from mnistsum_runtime.operations import SUM
from mnistsum_train.data import Part
from mnistsum_train.evaluation import answer_all_pairs
from mnistsum_train.gate import fit_gate
from mnistsum_train.negatives import KINDS, draw_all_negatives, draw_negatives
from mnistsum_train.network import TwoInputNetwork


@pytest.fixture(scope="module")
def digits(training_pictures: Part) -> Part:
    """A hundred real ones."""
    return training_pictures.first(100)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_gives_pictures_in_the_network_s_form_the_same_for_a_seed(kind: str, digits: Part) -> None:
    pictures = draw_negatives(kind, digits, 6, seed=3)
    assert pictures.dtype == torch.uint8
    assert tuple(pictures.shape[1:]) == (1, 28, 28)
    assert len(pictures) <= 6
    assert kind == "empty sheets" or len(pictures) >= 4  # preparation may find that there is nothing
    assert torch.equal(pictures, draw_negatives(kind, digits, 6, seed=3))
    if len(pictures) == 6:
        assert not torch.equal(pictures, draw_negatives(kind, digits, 6, seed=4))
        assert len({picture.numpy().tobytes() for picture in pictures}) > 1


def test_all_kinds_come_together(digits: Part) -> None:
    pictures = draw_all_negatives(digits, 2, seed=0)
    assert len(KINDS) <= len(pictures) <= len(KINDS) * 2


def test_the_gate_closes_for_what_is_no_digit_and_changes_no_label(
    digits: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnistsum_train.gate.PASSES", 60 * 256 // len(digits))
    torch.manual_seed(0)
    network = TwoInputNetwork(SUM).eval()
    textures = draw_negatives("textures", digits, 40, seed=0)
    before = answer_all_pairs(network, digits.images)
    assert torch.sigmoid(network.gate(network.see(digits.images / 255)[1])).min() > 0.999
    fit_gate(network, digits, textures, seed=0)
    after = answer_all_pairs(network, digits.images)
    assert torch.equal(after.digit.argmax(-1), before.digit.argmax(-1))
    assert torch.equal(after.value.argmax(-1), before.value.argmax(-1))
    gates = [torch.sigmoid(network.gate(network.see(images / 255)[1])).mean() for images in (digits.images, textures)]
    assert gates[0] > 0.9
    assert gates[1] < 0.3

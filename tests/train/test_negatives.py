"""Pictures of no digit: every kind can be drawn, seeded, in the network's form; the loss is unsure of them."""

import math

import pytest
import torch

from mnistsum_train.data import Part
from mnistsum_train.negatives import KINDS, draw_all_negatives, draw_negatives
from mnistsum_train.training import Recipe, new_trainer, train_step


@pytest.fixture(scope="module")
def digits() -> Part:
    """Something with labels 0 to 9; the kinds only move its pixels."""
    generator = torch.Generator().manual_seed(0)
    images = torch.zeros(30, 1, 28, 28, dtype=torch.uint8)
    images[:, :, 5:22, 8:19] = torch.randint(256, (30, 1, 17, 11), generator=generator, dtype=torch.uint8)
    return Part(images, torch.arange(30) % 10)


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


def test_steps_with_negatives_make_the_network_unsure_of_them(digits: Part) -> None:
    recipe = Recipe(learning_rate=0.003)
    trainer = new_trainer(recipe, torch.device("cpu"))
    negatives = draw_negatives("textures", digits, 16, seed=0)
    generator = torch.Generator().manual_seed(0)
    trainer.network.train()

    def loss_to_uniform() -> float:
        features = trainer.network.features(negatives.float() / 255)
        outputs = trainer.network.heads(features, torch.eye(10)[torch.arange(len(negatives)) % 10])
        return sum(-output.log_softmax(1).mean().item() - math.log(output.shape[1]) for output in outputs)

    with torch.no_grad():
        for group in trainer.network.digit_head.parameters():
            group.mul_(8)  # sure of something, to begin with
    before = loss_to_uniform()
    for _ in range(12):
        train_step(trainer, recipe, digits.images[:16], digits.labels[:16], generator, negatives)
    assert loss_to_uniform() < 0.7 * before

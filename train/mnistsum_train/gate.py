"""The gate: is it a digit at all? Trained after everything else, on what the trained convolutions see.

It multiplies all logits of a picture, so that it changes no label: the accuracy stays what it was. (Training the whole
network to be unsure of the same pictures, as outlier exposure does, cost 0.2 points of accuracy: train/README.md.)
"""

from math import cos, pi
from typing import cast

import torch
from torch import nn
from torch.nn import functional as F

from mnistsum_train.augmentation import augment
from mnistsum_train.data import Part
from mnistsum_train.handwriting import add_strokes
from mnistsum_train.network import TwoInputNetwork
from mnistsum_train.stages import Watch, unwatched

PASSES = 30
"""How often each digit is looked at; with the convolutions fixed, ten to twenty seconds."""
BATCH = 256
"""Digits in a batch, and as many pictures of no digit."""
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.05
DIGITS = 25_000
"""More digits are not needed to tell them from other things."""
DIGIT_WEIGHT = 8.0
"""Weight of a digit's loss, where that of another picture is 1: pictures of no digit are rarer in use than in these
batches, and a digit that is gated away costs calibration."""
LEAST_SPREAD = 0.1
"""A feature's standard deviation, as a share of their mean, from which it is normalised."""
AUGMENTATION = 0.7
"""Strength of the augmentation: a digit on a photo is not as MNIST's, and must still pass."""


def fit_gate(
    network: TwoInputNetwork, digits: Part, negatives: torch.Tensor, seed: int, watch: Watch = unwatched
) -> None:
    """Train the network's gate to be 1 for digits and 0 for everything else; nothing else of the network changes.

    Args:
        network: In evaluation mode, on the CPU.
        digits: Training digits.
        negatives: uint8 [n, 1, 28, 28], pictures of no digit (`negatives.draw_all_negatives`).
        seed: Of the augmentation, the order and the first weights.
        watch: Sees the steps.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    few = digits.first(DIGITS)
    written = add_strokes(few.images.float() / 255, few.labels, generator)
    seen, other = (_see(network, pictures, generator) for pictures in (written, negatives.float() / 255))
    mean, spread = seen.mean(0), seen.std(0)
    # What digits hardly ever show would count a thousandfold otherwise, and quantisation would see nothing else.
    spread = spread.clamp_min(LEAST_SPREAD * float(spread.mean()))
    seen, other = (seen - mean) / spread, (other - mean) / spread
    gate = network.gate
    first = cast(nn.Linear, gate[0])
    for layer in gate:
        if isinstance(layer, nn.Linear):
            layer.reset_parameters()
    parameters = [parameter.requires_grad_() for parameter in gate.parameters()]
    optimizer = torch.optim.AdamW(parameters, LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    truth = torch.cat([torch.ones(BATCH), torch.zeros(BATCH)])
    weight = torch.tensor(DIGIT_WEIGHT)
    steps = -(-PASSES * len(seen) // BATCH)
    for step in watch(range(steps)):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * (1 + cos(pi * step / steps)) / 2
        rows = [pool[torch.randint(len(pool), (BATCH,), generator=generator)] for pool in (seen, other)]
        loss = F.binary_cross_entropy_with_logits(gate(torch.cat(rows))[:, 0], truth, pos_weight=weight)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    gate.requires_grad_(False)
    # The network sees the features as they are: no step of its own for the normalisation.
    weight, bias = first.weight.data / spread, first.bias.data
    first.weight.data, first.bias.data = weight, bias - weight @ mean


@torch.no_grad()
def _see(network: TwoInputNetwork, pictures: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """What the gate looks at, of augmented pictures (float [n, 1, 28, 28])."""
    chunks = torch.split(pictures, 500)
    return torch.cat([network.see(augment(chunk, generator, AUGMENTATION))[1] for chunk in chunks])

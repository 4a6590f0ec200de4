"""The two-input network: three convolution blocks, flattened, joined with the one-hot number, two heads."""

from collections.abc import Sequence
from typing import TypeAlias, cast

import torch
from torch import nn
from torch.nn import functional as F

from mnistsum_runtime.contract import NUMBERS
from mnistsum_runtime.operations import Operation
from mnistsum_train.recipe import Architecture

MEAN, STD = 0.1307, 0.3081
"""Mean and standard deviation of MNIST's training pixels in 0..1. The network normalises by them itself, so that the
exported graph takes plain 0..1 pictures."""

CLOSED = 0.01
"""The least value of the gate. At 0, all logits of blank and noise would be equal, and their labels chance."""


def convolution(channels_in: int, channels_out: int, kernel: int, *, padding: int = 0) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU; the convolution needs no bias, since the normalisation has one.

    Args:
        channels_in: Of the input.
        channels_out: Of the output.
        kernel: Side of the square kernel in pixels.
        padding: Zeros on every side, in pixels.
    """
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, padding=padding, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    )


class PooledConvolution(nn.Module):
    """Convolution, batch normalisation, ReLU and 2x2 maximum; in training the maximum is taken first.

    A normalisation whose scale is positive keeps the order of its values, so that it and the maximum may change places:
    the function is the same. Pooled first, a training step normalises a quarter of the values, and takes a quarter less
    time; normalised first, the exporter folds the normalisation into the convolution. So the scale is fixed at 1, which
    takes nothing away, since the next convolution can scale its inputs itself.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int, *, padding: int = 0) -> None:
        """See `convolution`."""
        super().__init__()
        self.convolution = nn.Conv2d(channels_in, channels_out, kernel, padding=padding, bias=False)
        self.normalisation = nn.BatchNorm2d(channels_out)
        self.normalisation.weight.requires_grad_(False)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Float [batch, channels_in, height, width] -> [batch, channels_out, about half, about half]."""
        maps = self.convolution(maps)
        if self.training:
            return F.relu(self.normalisation(F.max_pool2d(maps, 2)))
        return F.max_pool2d(F.relu(self.normalisation(maps)), 2)


class TwoInputNetwork(nn.Module):
    """A picture and a number in, logits of the digit and of the operation's value out.

    Side of the feature maps, flattened: 28 -> 24 -> pool 12 -> 10 -> 8 -> pool 4 -> 4 -> 2, then 2 x 2 x widths[2]
    features. MNIST's rim is empty, so the first convolution needs no padding. It is one 5x5, since two 3x3 at that size
    cost twice as much and gained nothing; in the later blocks two 3x3 are better than one (train/README.md).

    With `mean`, for fewest weights: 28 -> 26 -> 24 -> pool 12 -> 12 -> 12 -> 12 -> pool 6 -> 6 -> 4, then the mean of
    each of the widths[2] maps. More and narrower layers are then better; the first layer of the first block has 3/4 of
    its width, that of the second 5/6.
    """

    def __init__(self, operation: Operation, architecture: Architecture | None = None) -> None:
        """Build an untrained network for `operation`; without an architecture, that of `base`."""
        super().__init__()
        self.operation = operation
        self.architecture = architecture = architecture or Architecture()
        first, second, third = architecture.widths
        if architecture.mean:
            narrow, middle = first * 3 // 4, second * 5 // 6
            self.first_block: nn.Module = nn.Sequential(
                convolution(1, narrow, 3),
                PooledConvolution(narrow, first, 3),
            )
            self.second_block = nn.Sequential(
                convolution(first, middle, 3, padding=1),
                convolution(middle, second, 3, padding=1),
                PooledConvolution(second, second, 3, padding=1),
            )
        else:
            self.first_block = PooledConvolution(1, first, 5)
            self.second_block = nn.Sequential(
                convolution(first, second, 3),
                PooledConvolution(second, second, 3),
            )
        self.third_block = nn.Sequential(
            convolution(second, third, 3, padding=1),
            convolution(third, third, 3),
            nn.AdaptiveAvgPool2d(1) if architecture.mean else nn.Identity(),
            nn.Flatten(),
            nn.Dropout(architecture.dropout),
        )
        features = third if architecture.mean else 4 * third
        self.dense = nn.Sequential(nn.Linear(features + NUMBERS, architecture.dense), nn.ReLU())
        self.digit_head = nn.Linear(architecture.dense, NUMBERS)
        self.value_head = nn.Linear(architecture.dense, len(operation.classes))
        first_maps, second_maps = (9, 4) if architecture.mean else (16, 16)
        self.gate = make_gate(first_maps * first + second_maps * second + features, architecture.gate)

    def features(self, image: torch.Tensor) -> torch.Tensor:
        """What the convolutions see: float [batch, 1, 28, 28] in 0..1 -> float [batch, features + 1].

        The last column is the gate, 0..1: how much it looks like a digit.
        """
        return torch.cat(self.features_and_gate(image), dim=1)

    def features_and_gate(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features for the heads [batch, features], and the gate [batch, 1], 0..1."""
        features, gate_input = self.see(image)
        return features, CLOSED + (1 - CLOSED) * torch.sigmoid(self.gate(gate_input))

    def see(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features for the heads [batch, features], and what the gate looks at.

        The gate also sees the maps of the first two blocks: the last one has forgotten what no digit has.
        """
        first = self.first_block((image - MEAN) / STD)
        second = self.second_block(first)
        features = self.third_block(second)
        if self.architecture.mean:
            coarse = [F.avg_pool2d(first, 4), F.avg_pool2d(second, 3)]
        else:
            coarse = [F.avg_pool2d(first, 3), second]
        gate_input = torch.cat([maps.flatten(1) for maps in coarse] + [features], dim=1)
        return features, gate_input.detach()

    def heads(self, features: torch.Tensor, number: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Output of `features` and one-hot number [batch, 10] -> logits [batch, 10] and [batch, classes].

        All logits of a picture are multiplied by its gate, which changes no label and takes the confidence away from
        what is no digit.
        """
        return self._gated_heads(features[:, :-1], features[:, -1:], number)

    def _gated_heads(
        self, features: torch.Tensor, gate: torch.Tensor, number: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = self.dense(torch.cat([features, number], dim=1))
        return self.digit_head(hidden) * gate, self.value_head(hidden) * gate

    def forward(self, image: torch.Tensor, number: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Answer a batch.

        Args:
            image: float [batch, 1, 28, 28], ink intensity 0..1, light ink on dark ground.
            number: float [batch, 10], one-hot.

        Returns:
            Logits of the digit [batch, 10] and of the operation's value [batch, len(operation.classes)].
        """
        return self._gated_heads(*self.features_and_gate(image), number)

    def parameter_count(self) -> int:
        """Trained parameters."""
        return sum(parameter.numel() for parameter in self.parameters())


class Ensemble(nn.Module):
    """Networks of one shape and different first weights that answer together: the mean of their logits.

    Each has learnt on its own and errs on its own, and stands behind its own gate.
    """

    def __init__(self, members: Sequence[TwoInputNetwork]) -> None:
        """Join networks of one operation and one architecture."""
        super().__init__()
        self.operation, self.architecture = members[0].operation, members[0].architecture
        self.members = cast("list[TwoInputNetwork]", nn.ModuleList(members))  # which tells nothing of its entries

    def features(self, image: torch.Tensor) -> torch.Tensor:
        """See `TwoInputNetwork.features`: float [batch, members x (features + 1)], one member's after the other's."""
        return torch.cat([member.features(image) for member in self.members], dim=1)

    def heads(self, features: torch.Tensor, number: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """See `TwoInputNetwork.heads`."""
        parts = features.chunk(len(self.members), dim=1)
        return mean_logits([member.heads(part, number) for member, part in zip(self.members, parts, strict=True)])

    def forward(self, image: torch.Tensor, number: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """See `TwoInputNetwork.forward`."""
        return mean_logits([member(image, number) for member in self.members])

    def parameter_count(self) -> int:
        """Trained parameters."""
        return sum(parameter.numel() for parameter in self.parameters())


Network: TypeAlias = TwoInputNetwork | Ensemble
"""What answers: everything but the training itself takes either."""


def mean_logits(answers: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean of several networks' digit logits and value logits, each [batch, classes]."""
    digits, values = zip(*answers, strict=True)
    return sum(digits[1:], digits[0]) / len(digits), sum(values[1:], values[0]) / len(values)


def make_gate(inputs: int, hidden: int) -> nn.Sequential:
    """An open gate: 1 (nearly) for every picture until `gate.fit_gate` trains it, and out of the optimiser's reach."""
    last = nn.Linear(hidden, 1)
    nn.init.zeros_(last.weight)
    nn.init.constant_(last.bias, 20.0)
    gate = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), last)
    return gate.requires_grad_(False)

"""The two-input network: three convolution blocks, flattened, joined with the one-hot number, two heads."""

import torch
from torch import nn
from torch.nn import functional as F

from mnistsum_runtime.contract import NUMBERS
from mnistsum_runtime.operations import Operation

MEAN, STD = 0.1307, 0.3081
"""Of MNIST's training pixels in 0..1. Inside the network, so that the exported graph takes plain 0..1 pictures."""

WIDTHS = (24, 48, 96)
"""Channels of the three blocks."""
DENSE = 128
"""Units of the dense layer in front of the heads."""
DROPOUT = 0.25
"""Share of the features left out in a training step; the heads then contradict each other on half as many pairs."""
GATE = 32
"""Hidden units of the gate, which judges whether the picture is a digit at all."""
CLOSED = 0.01
"""What the gate is at least. At 0, all logits of blank and noise would be equal, and their labels chance."""


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


class TwoInputNetwork(nn.Module):
    """A picture and a number in, logits of the digit and of the operation's value out.

    Side of the feature maps: 28 -> 24 -> pool 12 -> 10 -> 8 -> pool 4 -> 4 -> 2, then 2 x 2 x widths[2] features. The
    convolutions are unpadded but one: MNIST's rim is empty. One 5x5 kernel opens, since two 3x3 at that size cost twice
    as much and gained nothing; in the later blocks two 3x3 are better than one (train/README.md).
    """

    def __init__(self, operation: Operation, widths: tuple[int, int, int] = WIDTHS, dense: int = DENSE) -> None:
        """Build an untrained network for `operation`, with so many channels a block and units in the dense layer."""
        super().__init__()
        self.operation = operation
        self.widths = widths
        self.convolutions = nn.Sequential(
            convolution(1, widths[0], 5),
            nn.MaxPool2d(2),
            convolution(widths[0], widths[1], 3),
            convolution(widths[1], widths[1], 3),
            nn.MaxPool2d(2),
            convolution(widths[1], widths[2], 3, padding=1),
            convolution(widths[2], widths[2], 3),
            nn.Flatten(),
            nn.Dropout(DROPOUT),
        )
        self.dense = nn.Sequential(nn.Linear(4 * widths[2] + NUMBERS, dense), nn.ReLU())
        self.digit_head = nn.Linear(dense, NUMBERS)
        self.value_head = nn.Linear(dense, len(operation.classes))
        self.gate = make_gate(16 * widths[0] + 16 * widths[1] + 4 * widths[2])

    def features(self, image: torch.Tensor) -> torch.Tensor:
        """What the convolutions see: float [batch, 1, 28, 28] in 0..1 -> float [batch, 4 * widths[2] + 1].

        The last column is the gate, 0..1: how much it looks like a digit.
        """
        return torch.cat(self.features_and_gate(image), dim=1)

    def features_and_gate(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The same, the gate [batch, 1] apart."""
        features, gate_input = self.see(image)
        return features, CLOSED + (1 - CLOSED) * torch.sigmoid(self.gate(gate_input))

    def see(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features for the heads [batch, 4 * widths[2]], and what the gate looks at.

        The gate also sees the maps of the first two blocks: the last one has forgotten what no digit has.
        """
        maps = (image - MEAN) / STD
        pooled = []
        for layer in self.convolutions:
            maps = layer(maps)
            if isinstance(layer, nn.MaxPool2d):
                pooled.append(maps)
        first, second = pooled
        gate_input = torch.cat([F.avg_pool2d(first, 3).flatten(1), second.flatten(1), maps], dim=1)
        return maps, gate_input.detach()

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


def make_gate(inputs: int) -> nn.Sequential:
    """An open gate: 1 (nearly) for every picture until `gate.fit_gate` trains it, and out of the optimiser's reach."""
    last = nn.Linear(GATE, 1)
    nn.init.zeros_(last.weight)
    nn.init.constant_(last.bias, 20.0)
    gate = nn.Sequential(nn.Linear(inputs, GATE), nn.ReLU(), last)
    return gate.requires_grad_(False)

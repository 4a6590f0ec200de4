"""The two-input network: three convolution blocks, flattened, joined with the one-hot number, two heads."""

import torch
from torch import nn

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

    def features(self, image: torch.Tensor) -> torch.Tensor:
        """What the convolutions see: float [batch, 1, 28, 28] in 0..1 -> float [batch, 4 * widths[2]]."""
        features: torch.Tensor = self.convolutions((image - MEAN) / STD)
        return features

    def heads(self, features: torch.Tensor, number: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features [batch, 4 * widths[2]] and one-hot number [batch, 10] -> logits [batch, 10] and [batch, classes]."""
        hidden = self.dense(torch.cat([features, number], dim=1))
        return self.digit_head(hidden), self.value_head(hidden)

    def forward(self, image: torch.Tensor, number: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Answer a batch.

        Args:
            image: float [batch, 1, 28, 28], ink intensity 0..1, light ink on dark ground.
            number: float [batch, 10], one-hot.

        Returns:
            Logits of the digit [batch, 10] and of the operation's value [batch, len(operation.classes)].
        """
        return self.heads(self.features(image), number)

    def parameter_count(self) -> int:
        """Trained parameters."""
        return sum(parameter.numel() for parameter in self.parameters())

"""The sound networks in whose graphs faults are planted: small, and with the layers that exporters get wrong."""

from __future__ import annotations

from typing import cast

import numpy as np
from torch import Tensor, nn

from faults.fault import Arrays, Network

ROWS = 96
WORDS = 40


class Picture(nn.Module):
    """Convolutions, normalised before and after, with a padded average pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(8)
        self.act = nn.LeakyReLU(0.1)
        self.pool = nn.AvgPool2d(3, 2, 1, count_include_pad=False)
        self.norm2 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.relu = nn.ReLU()
        self.drop = nn.Dropout(0.2)
        self.flat = nn.Flatten()
        self.head = nn.Linear(8 * 6 * 6, 10)
        for norm in (self.norm1, self.norm2):
            cast(Tensor, norm.running_mean).normal_(std=0.3)
            cast(Tensor, norm.running_var).uniform_(0.5, 2)

    def forward(self, image: Tensor) -> Tensor:
        """[rows, 3, 12, 12] to [rows, 10]."""
        x = self.pool(self.act(self.norm1(self.conv1(image))))
        x = self.drop(self.relu(self.conv2(self.norm2(x))))
        return cast(Tensor, self.head(self.flat(x)))


class Block(nn.Module):
    """A square linear layer and an exact GELU beside a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Linear(width, width)
        self.gelu = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, x + self.gelu(self.mix(x)))


class Text(nn.Module):
    """Words to two answers of one shape, with attention between them."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(WORDS, 16)
        self.norm = nn.LayerNorm(16)
        self.block = Block(16)
        self.softmax = nn.Softmax(-1)
        self.topic = nn.Linear(16, 6)
        self.mood = nn.Linear(16, 6)

    def forward(self, words: Tensor) -> tuple[Tensor, Tensor]:
        """[rows, 9] to [rows, 6] twice."""
        x = self.block(self.norm(self.embed(words)))
        x = (self.softmax(x @ x.transpose(1, 2) / 4) @ x)[:, 0]
        return self.topic(x), self.mood(x)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(6, 12, batch_first=True)
        self.head = nn.Linear(12, 4)

    def forward(self, signal: Tensor) -> Tensor:
        """[rows, 10, 6] to [rows, 4]."""
        return cast(Tensor, self.head(self.lstm(signal)[0][:, -1]))


class Enlarge(nn.Module):
    def __init__(self, up: nn.Upsample) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1)
        self.up = up
        self.conv2 = nn.Conv2d(4, 1, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """[rows, 2, 6, 6] to [rows, 1, 9 or 12, the same]."""
        return cast(Tensor, self.conv2(self.up(self.conv1(image)).relu()))


def normal(name: str, *shape: int) -> Arrays:
    """Examples around 0."""
    return {name: np.random.default_rng(4).normal(size=(ROWS, *shape)).astype(np.float32)}


def words() -> Arrays:
    return {"words": np.random.default_rng(5).integers(0, WORDS, (ROWS, 9))}


PICTURE = Network(lambda: Picture().eval(), lambda: normal("image", 3, 12, 12), labels=("output",))
TEXT = Network(lambda: Text().eval(), words, outputs=("topic", "mood"), opset=20)
RECURRENT = Network(lambda: Recurrent().eval(), lambda: normal("signal", 10, 6))
BILINEAR = Network(
    lambda: Enlarge(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)).eval(),
    lambda: normal("image", 2, 6, 6),
)
NEAREST = Network(
    lambda: Enlarge(nn.Upsample(scale_factor=1.5, mode="nearest")).eval(), lambda: normal("image", 2, 6, 6)
)

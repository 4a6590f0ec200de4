"""PyTorch's own MNIST example, after the description of its page: the recipe that `race` runs against.

github.com/pytorch/examples, mnist: two 3x3 convolutions of 32 and 64 maps, max pooling, dropout 0.25, a dense layer of
128, dropout 0.5, log-softmax; Adadelta with rate 1.0 that falls to 0.7 of itself after each epoch, batches of 64,
14 epochs. Written anew for the comparison, in plain float32 as there.
"""

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from mnistsum_runtime.contract import NUMBERS
from mnistsum_train.network import MEAN, STD
from mnistsum_train.torchvision_import import import_torchvision

EPOCHS = 14
BATCH = 64
LEARNING_RATE = 1.0
DECAY = 0.7

Batches = Iterable[tuple[torch.Tensor, torch.Tensor]]
"""Pictures float [n, 1, 28, 28] of mean 0 and deviation 1, and labels int64 [n]."""


class ExampleNetwork(nn.Module):
    """1,199,882 parameters; the digit alone."""

    def __init__(self) -> None:
        """Build it untrained."""
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 32, 3),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Dropout(0.25),
            nn.Flatten(),
            nn.Linear(64 * 12 * 12, 128),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(128, NUMBERS),
            nn.LogSoftmax(dim=1),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Log-probabilities of the digits, float [batch, 10]."""
        probabilities: torch.Tensor = self.layers(images)
        return probabilities


def load_batches(root: Path, *, train: bool) -> Batches:
    """MNIST through a DataLoader that opens, scales and normalises each picture when it is asked for.

    Args:
        root: The folder above `MNIST/raw`, verified by `data.load_mnist` before.
        train: The 60,000 training pictures in a new order each time, in batches of 64; else the test pictures.
    """
    import_torchvision()
    from torchvision import transforms
    from torchvision.datasets import MNIST

    steps = transforms.Compose([transforms.ToTensor(), transforms.Normalize((MEAN,), (STD,))])
    return DataLoader(MNIST(root, train=train, transform=steps), batch_size=BATCH if train else 1000, shuffle=train)


def train_epoch(network: ExampleNetwork, optimizer: torch.optim.Optimizer, batches: Batches) -> None:
    """One pass over the batches."""
    network.train()
    for images, labels in batches:
        optimizer.zero_grad()
        F.nll_loss(network(images), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()


@torch.inference_mode()
def digit_accuracy(network: ExampleNetwork, batches: Batches) -> float:
    """The share of pictures whose digit is right."""
    network.eval()
    right = torch.cat([network(images).argmax(1) == labels for images, labels in batches])
    return float(right.double().mean())

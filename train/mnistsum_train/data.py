"""MNIST as two tensors a part, and the second input: a number 0..9 drawn anew for every image in every epoch."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

import torch

from mnistsum_runtime.contract import NUMBERS
from mnistsum_runtime.errors import WorkError
from mnistsum_train.torchvision_import import import_torchvision

VALIDATION_STRIDE = 12
"""Every twelfth training image, in label order, is validation: 5,000 of 60,000, each digit in its own share."""
SPLIT_SEED = 0
"""Fixes the split, whatever the seed of the training: figures of different runs stay comparable."""


@dataclass(frozen=True)
class Part:
    """Some labelled pictures."""

    images: torch.Tensor
    """uint8 [n, 1, 28, 28], 0 ground to 255 ink."""
    labels: torch.Tensor
    """int64 [n], the digit 0..9."""

    def __len__(self) -> int:
        """How many pictures."""
        return len(self.labels)

    def first(self, count: int | None) -> "Part":
        """The first `count` pictures, or all."""
        return self if count is None else Part(self.images[:count], self.labels[:count])

    def to(self, device: torch.device) -> "Part":
        """Copy the pictures and labels to another device."""
        return Part(self.images.to(device), self.labels.to(device))


def data_folder() -> Path:
    """The folder above `MNIST/raw`: the checkout's own in a checkout, else the user's cache folder.

    Raises:
        WorkError: The user has none.
    """
    checkout = Path(__file__).parents[2] / "artifacts" / "data"
    if (checkout / "MNIST" / "raw" / "train-images-idx3-ubyte.gz").exists():
        return checkout
    try:
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError as error:  # a user whom the system does not know
        raise WorkError("there is no home folder to keep MNIST in: set XDG_CACHE_HOME to a folder") from error
    return Path(cache) / "mnistsum"


def mnist_files() -> list[Path]:
    """The files that `load_mnist` reads, so far as they are there.

    Raises:
        WorkError: See `data_folder`.
    """
    return sorted((data_folder() / "MNIST" / "raw").glob("*"))


def load_mnist(train: bool, root: Path | None = None) -> Part:
    """Read one official half of MNIST, verified by torchvision's MD5 table; downloads only what is not there.

    Args:
        train: The 60,000 training pictures, else the 10,000 test pictures.
        root: The folder above `MNIST/raw`; by default `data_folder()`.

    Raises:
        WorkError: The files are not there and cannot be downloaded, or are damaged.
    """
    root = root or data_folder()
    import_torchvision()
    from torchvision.datasets import MNIST

    try:
        # torchvision prints what it downloads; a command's standard output holds results only.
        with contextlib.redirect_stdout(None):
            data = MNIST(root, train=train, download=True)
    except (OSError, RuntimeError, ValueError, AssertionError) as error:  # it asserts that a file has its length
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
        raise WorkError(
            f"MNIST is not readable in {root} and could not be downloaded ({reason}): put the four official .gz files "
            f"into {root / 'MNIST' / 'raw'}, delete any damaged file there, and run again"
        ) from error
    return Part(data.data.unsqueeze(1), data.targets)


def shuffled(part: Part) -> Part:
    """The pictures in a fixed random order, so that the first n are a fair sample."""
    order = torch.randperm(len(part), generator=torch.Generator().manual_seed(SPLIT_SEED))
    return Part(part.images[order], part.labels[order])


def split_validation(part: Part) -> tuple[Part, Part]:
    """Split off the validation part: fixed, stratified, one picture in twelve.

    Returns:
        (training, validation); of the 60,000 official pictures 55,000 and 5,000, both in the order of `shuffled`.
    """
    part = shuffled(part)
    held_out = torch.zeros(len(part), dtype=torch.bool)
    held_out[part.labels.argsort(stable=True)[::VALIDATION_STRIDE]] = True
    return Part(part.images[~held_out], part.labels[~held_out]), Part(part.images[held_out], part.labels[held_out])


def draw_numbers(count: int, per_image: int, generator: torch.Generator) -> torch.Tensor:
    """Draw the second input: independent and uniform over 0..9.

    Returns:
        int64 [count, per_image].
    """
    return torch.randint(NUMBERS, (count, per_image), generator=generator)


def epoch_generator(seed: int, epoch: int) -> torch.Generator:
    """The source of every random choice of one epoch.

    It depends on nothing but (seed, epoch), so a resumed run draws what the uninterrupted one would have drawn.
    """
    return torch.Generator().manual_seed(seed * 1_000_003 + epoch)

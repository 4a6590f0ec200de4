"""`mnistsum-train` on the first few hundred pictures of MNIST: seconds, where all pictures take minutes.

Only what is read is less; everything after it is the command's own. Runs as a script too, for a process that is killed.
"""

import sys
from pathlib import Path
from unittest import mock

import torch

import mnistsum_train.run
from calling import Called, call
from mnistsum_runtime.commands.options import run_command
from mnistsum_train.cli import command
from mnistsum_train.data import Part, load_mnist

# More threads than idle cores wait for each other: on a busy machine one is ten times faster than two. The bits depend
# on how many there are, so every process of these tests has the same number.
torch.set_num_threads(1)

TRAINING_PICTURES, TEST_PICTURES = 300, 60
EPOCHS = 3
OPTIONS = ("--epochs", str(EPOCHS), "--batch-size", "64", "--device", "cpu", "--seed", "7")


def load_few(train: bool, root: Path | None = None) -> Part:
    """Read MNIST, keep its beginning."""
    return load_mnist(train, root).first(TRAINING_PICTURES if train else TEST_PICTURES)


def call_small_training(*arguments: object) -> Called:
    """The command on few pictures, in this process."""
    with mock.patch.object(mnistsum_train.run, "load_mnist", load_few):
        return call(command, *arguments)


if __name__ == "__main__":
    with mock.patch.object(mnistsum_train.run, "load_mnist", load_few):
        run_command(command)
    sys.exit(0)

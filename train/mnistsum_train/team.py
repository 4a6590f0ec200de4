"""Processes that train one network together, as `torchrun` starts them: each learns from a share of every batch.

What is learnt from does not depend on how many they are: every process draws the order, the numbers and the
augmentation of the whole batch from the same seeds, and keeps its share. Gradients are averaged over the batch
(`DistributedDataParallel`). Batch normalisation is the exception: each process normalises by its own share, and what
the network keeps of it is averaged after every epoch.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed

from mnistsum_runtime.errors import CallError


@dataclass(frozen=True)
class Team:
    """This process among those that train together."""

    rank: int = 0
    """Which it is, from 0."""
    size: int = 1
    """How many they are."""

    @property
    def writes(self) -> bool:
        """Whether this is the one that measures, prints and writes."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """Which of a batch's pictures are this process's; two shares differ by one at the most."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def weight(self, count: int) -> float:
        """What the loss of the share counts, so that the mean over the processes is the mean over the batch."""
        share = self.share(count)
        return float((share.stop - share.start) * self.size / count)

    def mean(self, values: list[float]) -> list[float]:
        """The mean of each value over the processes."""
        if self.size == 1:
            return values
        total = torch.tensor(values, dtype=torch.float64)
        distributed.all_reduce(total)
        return [value / self.size for value in total.tolist()]

    def average_buffers(self, networks: Iterable[torch.nn.Module]) -> None:
        """Give all processes the mean of what their batch normalisations keep."""
        if self.size == 1:
            return
        for network in networks:
            for buffer in network.buffers():
                if buffer.is_floating_point():
                    distributed.all_reduce(buffer)
                    buffer.div_(self.size)

    def require_equal(self, value: int, problem: str) -> None:
        """Raise `CallError` with a sentence unless all processes have the same value."""
        if self.size > 1:
            values = torch.tensor([value, -value])
            distributed.all_reduce(values, distributed.ReduceOp.MAX)
            if int(values[0]) != -int(values[1]):
                raise CallError(problem)

    @contextmanager
    def writer_first(self) -> Iterator[None]:
        """Let the process that writes do something before the others do: download a file that they then find."""
        if self.size > 1 and not self.writes:
            distributed.barrier()
        yield
        if self.size > 1 and self.writes:
            distributed.barrier()


ALONE = Team()
"""A process by itself."""


def join(device: torch.device) -> Team:
    """Meet the other processes that `torchrun` has started; without it, none.

    Args:
        device: Where this process computes. On CUDA each takes the device of its place on its machine.

    Raises:
        CallError: The environment of `torchrun` is not complete, or the others do not come.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return ALONE
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    try:
        distributed.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    except (ValueError, RuntimeError) as error:
        raise CallError(f"the processes do not find each other: {' '.join(str(error).split())[:300]}") from error
    return Team(distributed.get_rank(), distributed.get_world_size())


def leave() -> None:
    """Part from the other processes, if there are any."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()

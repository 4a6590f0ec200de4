"""Faults in the module or its examples: what a conversion freezes, loses, or makes a proof mean nothing."""

from __future__ import annotations

from collections import OrderedDict
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faults.fault import Arrays, Fault, Network

ROWS, FEATURES, CLASSES = 96, 16, 5


def rows() -> Arrays:
    """Rows of numbers around 0."""
    return {"x": np.random.default_rng(1).normal(size=(ROWS, FEATURES)).astype(np.float32)}


def one_row() -> Arrays:
    return {"x": rows()["x"][:1]}


def small_then_large() -> Arrays:
    """The first rows, which an exporter is shown, are small; later ones are not."""
    x = rows()["x"].clip(-2, 2)
    x[8::8] *= 3
    return {"x": x}


def sequences() -> Arrays:
    return {"x": np.random.default_rng(2).normal(size=(ROWS, 12, FEATURES)).astype(np.float32)}


def with_mask() -> Arrays:
    return {**rows(), "mask": np.random.default_rng(3).random((ROWS, FEATURES)) < 0.5}


def with_negative() -> Arrays:
    """One row in the middle has a negative sum, whose logarithm is NaN."""
    x = np.abs(rows()["x"])
    x[40] *= -1
    return {"x": x}


def between(**parts: nn.Module) -> nn.Sequential:
    """Named parts between two linear layers, in evaluation mode."""
    chain = OrderedDict[str, nn.Module](first=nn.Linear(FEATURES, FEATURES))
    chain.update(parts)
    chain["head"] = nn.Linear(FEATURES, CLASSES)
    return nn.Sequential(chain).eval()


def scaled(factor: float, offset: float = 0.0) -> nn.Module:
    """Two linear layers, and their answer in another unit."""
    return nn.Sequential(OrderedDict([*between().named_children(), ("unit", Scale(factor, offset))])).eval()


def dropout_in_training() -> nn.Module:
    module = between(drop=nn.Dropout(0.2))
    module.get_submodule("drop").train()
    return module


def norm_in_training() -> nn.Module:
    module = between(norm=nn.BatchNorm1d(FEATURES))
    module.get_submodule("norm").train()
    return module


class FunctionalDropout(nn.Module):
    """F.dropout is active unless it is told otherwise: .eval() does not reach it."""

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, 0.2)


class Noise(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 0.01 * torch.randn_like(x)


class Centre(nn.Module):
    """Subtracts the mean over the batch."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0)


class BatchStatistics(nn.Module):
    """Normalises with the statistics of the batch, whatever mode the module is in."""

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, None, None, training=True)


class LimitIfLarge(nn.Module):
    """Looks whether there is anything to limit: a tracing exporter keeps the way that its own rows took."""

    def forward(self, x: Tensor) -> Tensor:
        if bool((x > 2).any()):
            return x.clamp(max=2)
        return x


class BranchOnBatch(nn.Module):
    """One way or the other for the whole batch."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if float(x.sum()) > 0 else x * 3


class Counter(nn.Module):
    """Python state that changes at each call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x * (1 + self.calls / 10)


class Running(nn.Module):
    """A buffer that each call moves towards its batch."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(FEATURES))

    def forward(self, x: Tensor) -> Tensor:
        self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
        return x - self.mean


class Scan(nn.Module):
    """A Python loop over a length that is to be free: an exporter unrolls it for the length that it sees."""

    def forward(self, x: Tensor) -> Tensor:
        state = torch.zeros_like(x[:, 0])
        for step in range(x.shape[1]):
            state = torch.tanh(x[:, step] + 0.5 * state)
        return state


class FixedBatch(nn.Module):
    """The number of rows as a Python number: an exporter writes it into the graph."""

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(int(x.shape[0]), 4, 4).transpose(1, 2).reshape(int(x.shape[0]), FEATURES)


class Unused(nn.Module):
    """Takes a mask and does not look at it: the graph has no such input."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(FEATURES, CLASSES)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:  # noqa: ARG002  (that is the fault)
        return cast(Tensor, self.head(x))


class Scale(nn.Module):
    def __init__(self, factor: float, offset: float = 0.0) -> None:
        super().__init__()
        self.factor, self.offset = factor, offset

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor + self.offset


class Logarithm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.sum(1, keepdim=True).log()


class MeanOfRows(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(0)


def zero_head() -> nn.Module:
    """A head that starts at zero, as that of torchvision's vit_b_16 does."""
    module = between(act=nn.ReLU())
    head = module.get_submodule("head")
    assert isinstance(head, nn.Linear)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return module


def tied_classes() -> nn.Module:
    """All classes have the same weights: no label is one."""
    module = between(act=nn.ReLU())
    head = module.get_submodule("head")
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        head.weight[:] = head.weight[:1].clone()
        head.bias.zero_()
    return module


def _fault(name: str, what: str, network: Network, blamed: str | None = None) -> Fault:
    return Fault(name, what, network, blamed)


LENGTH = {"x": {1: "length"}}
UNUSED = Network(lambda: Unused().eval(), with_mask)
"""Sound: its file keeps the input."""
SMALL = Network(lambda: scaled(1e-5), rows)
"""Sound, with an output of a few millionths."""

FAULTS = [
    _fault("dropout in training mode", "a dropout that is still training", Network(dropout_in_training, rows), "drop"),
    _fault("batch norm in training mode", "a batch norm still in training", Network(norm_in_training, rows), "norm"),
    _fault(
        "functional dropout",
        "F.dropout, active after .eval()",
        Network(lambda: between(f=FunctionalDropout()), rows),
        "f",
    ),
    _fault("random noise", "noise added in forward", Network(lambda: between(noise=Noise()), rows), "noise"),
    _fault("mean of the batch", "x - x.mean(0)", Network(lambda: between(centre=Centre()), rows), "centre"),
    _fault(
        "statistics of the batch",
        "F.batch_norm(training=True), active after .eval()",
        Network(lambda: between(norm=BatchStatistics()), rows),
        "norm",
    ),
    _fault(
        "branch on the batch",
        "if x.sum() > 0, for the whole batch",
        Network(lambda: between(gate=BranchOnBatch()), rows),
        "gate",
    ),
    _fault(
        "frozen branch",
        "if (x > 2).any(), of which an exporter keeps one way",
        Network(
            lambda: nn.Sequential(OrderedDict(gate=LimitIfLarge(), head=nn.Linear(FEATURES, CLASSES))).eval(),
            small_then_large,
        ),
        "gate",
    ),
    _fault(
        "counter", "Python state that changes at each call", Network(lambda: between(count=Counter()), rows), "count"
    ),
    _fault("running buffer", "a buffer that each call moves", Network(lambda: between(track=Running()), rows), "track"),
    _fault(
        "frozen length",
        "a Python loop over a free length",
        Network(lambda: between(scan=Scan()), sequences, dynamic=LENGTH),
        "scan",
    ),
    _fault("frozen batch", "int(x.shape[0]) in a reshape", Network(lambda: between(fold=FixedBatch()), rows), "fold"),
    _fault("head of zeros", "an output that never varies", Network(zero_head, rows)),
    _fault(
        "tiny output",
        "an output of about 1e-15, below any absolute tolerance",
        Network(lambda: scaled(1e-15), rows),
    ),
    _fault(
        "large offset",
        "an output of 1e6 that varies by 0.1: float32 has no digits left",
        Network(lambda: scaled(0.1, 1e6), rows),
    ),
    _fault("tied classes", "logits of which none is the largest", Network(tied_classes, rows, labels=("output",))),
    _fault("one row", "examples with a single row", Network(lambda: between(act=nn.ReLU()), one_row)),
    _fault("NaN", "torch itself answers NaN for a row", Network(lambda: Logarithm().eval(), with_negative)),
    _fault("no batch", "an output without a row for each example", Network(lambda: MeanOfRows().eval(), rows)),
]

"""An architecture of the zoo: how it is made, alive, from a seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from mnistsum_export.proof.module import answer
from mnistsum_export.proof.rules import measure_spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mnistsum_export.proof.examples import Arrays

ENOUGH = 0.1
"""Least spread of a float output over the examples. Integers and booleans must differ from row to row."""


@dataclass(frozen=True, eq=False)
class Specimen:
    """A module with all that its proof needs."""

    module: nn.Module
    """Alive and in evaluation mode, once `Architecture.make` has had it."""
    examples: Arrays
    outputs: tuple[str, ...]
    labels: tuple[str, ...] | Mapping[str, int] = ()
    """Outputs that are class logits, with the axis of the classes where that is not 1."""
    dynamic: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    """Dimensions that are free beside the batch, as `prove` takes them."""
    head: str | None = None
    """Path of the last layer, which is scaled until the first output spreads by 1."""


@dataclass(frozen=True)
class Architecture:
    """One entry of the zoo."""

    build: Callable[[np.random.Generator], Specimen]
    """Makes it as torch initialises it; torch's own random numbers are seeded."""
    family: str
    """Where it comes from."""
    small: bool
    """Proven in a few seconds at the most."""
    least_opset: int = 17
    """The lowest of those tried at which torch writes it; below, it must be refused."""

    @property
    def name(self) -> str:
        """Its builder's."""
        return self.build.__name__

    def make(self, seed: int) -> Specimen:
        """The module with seeded weights that are alive, in evaluation mode, and its examples."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            specimen = self.build(np.random.default_rng(seed))
            specimen.module.eval()
            if not isinstance(specimen.module, torch.jit.ScriptModule):
                _shake(specimen.module)
            _warm_up(specimen)
        if specimen.head is not None:
            _scale_head(specimen, specimen.head)
        return specimen


def _shake(module: nn.Module) -> None:
    """Replace parameters that all have one value, such as biases of zero: a file that loses them must be found out."""
    with torch.no_grad():
        for parameter in module.parameters():
            first = parameter.flatten()[0]
            if not parameter.is_floating_point() or parameter.numel() == 1 or (parameter != first).any():
                continue
            if first != 0:
                parameter.uniform_(0.5, 1.5)
            elif parameter.ndim > 1:
                parameter.normal_(0, parameter[0].numel() ** -0.5)
            else:
                parameter.normal_(0, 0.1)


def _warm_up(specimen: Specimen) -> None:
    """Give normalisations the statistics of one pass over the examples."""
    norms = [child for child in specimen.module.modules() if isinstance(child, nn.modules.batchnorm._NormBase)]
    tracking = [norm for norm in norms if norm.track_running_stats]
    if not tracking:
        return
    usual = [norm.momentum for norm in tracking]
    for norm in tracking:
        norm.train()
        norm.momentum = 1.0
    with torch.no_grad():
        specimen.module(*(torch.from_numpy(array) for array in specimen.examples.values()))
    for norm, momentum in zip(tracking, usual, strict=True):
        norm.eval()
        norm.momentum = momentum


def _scale_head(specimen: Specimen, path: str) -> None:
    truth = answer(specimen.module, specimen.examples, list(specimen.outputs))
    spread, _ = measure_spread(truth[specimen.outputs[0]])
    weight = specimen.module.get_submodule(path).weight
    assert isinstance(weight, Tensor)
    with torch.no_grad():
        weight.mul_(1 / max(spread, 1e-3))


def spreads(specimen: Specimen) -> dict[str, float]:
    """How much each output of floats varies over the examples.

    Raises:
        ValueError: Another output is the same for all examples.
    """
    truth = answer(specimen.module, specimen.examples, list(specimen.outputs))
    for name, values in truth.items():
        if values.dtype.kind != "f" and not (values != values[:1]).any():
            raise ValueError(f"output {name} is the same for all examples")
    return {name: measure_spread(values)[0] for name, values in truth.items() if values.dtype.kind == "f"}


def maps(random: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    """Noise, [rows, ...]; every row has a mean and a scale of its own, and grows along each axis at its own rate."""
    rows, rest = shape[0], (1,) * (len(shape) - 1)
    values = random.normal(size=shape) * random.uniform(0.3, 1.5, (rows, *rest)) + random.normal(size=(rows, *rest))
    for axis in range(1, len(shape)):
        along = np.linspace(-1, 1, shape[axis]).reshape([-1 if other == axis else 1 for other in range(len(shape))])
        values = values + random.normal(size=(rows, *rest)) * along
    return values.astype(np.float32)


def tokens(random: np.random.Generator, rows: int, length: int, words: int) -> NDArray[np.int64]:
    """Words, [rows, length]; each row is drawn from its own few, so that rows differ."""
    few = random.integers(0, words, (rows, 4))
    chosen = np.take_along_axis(few, random.integers(0, 4, (rows, length)), axis=1)
    return np.where(random.random((rows, length)) < 0.8, chosen, random.integers(0, words, (rows, length)))


def beginnings(random: np.random.Generator, rows: int, length: int) -> NDArray[np.bool_]:
    """Masks, [rows, length]: True for as many first places as a row has words, one at least."""
    return np.arange(length) < random.integers(1, length + 1, (rows, 1))


Forward = Any
"""What `forward` of a network gives: torch types the call of a submodule as anything."""

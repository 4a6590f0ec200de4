"""Checkpoints: safetensors, so that reading one never runs code; one metadata entry says what network it is."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from mnistsum_runtime.atomic import write_atomically
from mnistsum_runtime.errors import ModelError
from mnistsum_runtime.operations import OPERATIONS
from mnistsum_runtime.reliability import Calibration
from mnistsum_train.network import Ensemble, Network, TwoInputNetwork
from mnistsum_train.recipe import Architecture
from mnistsum_train.tensors import tensor_hash

METADATA_KEY = "mnistsum"
"""The single entry of the file's metadata. One, since safetensors does not keep the order of several."""
FORMAT = 1
MOST_MEMBERS = 32
"""Of an ensemble: each more takes its time, and five are hardly better than two."""
DEEPEST = 20
"""Lists and objects in each other, of a description; a recipe with its teacher has five."""


@dataclass(frozen=True)
class Checkpoint:
    """A trained network and what is known about it."""

    network: Network
    """In evaluation mode, on the CPU."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What the training says of itself: seed, epochs, accuracy on the test set, versions. Plain JSON values."""

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all.

        Raises:
            WorkError: `path` cannot be written.
        """
        network = self.network
        description: dict[str, Any] = {
            "operation": network.operation.name,
            "architecture": asdict(network.architecture),
            "facts": self.facts,
        }
        if isinstance(network, Ensemble):
            description["members"] = len(network.members)
        write_safetensors(path, network.state_dict(), description)

    @classmethod
    def load(cls, path: Path) -> "Checkpoint":
        """Read a file written by `save`.

        Raises:
            ModelError: Missing, damaged, a pickle, or not this network's tensors.
        """
        tensors, description = read_safetensors(path)
        try:
            with torch.device("meta"):  # without weights: nothing is made yet that the file does not have
                expected = _make_network(description).state_dict()
            require_like(tensors, expected)
            network = _make_network(description)
            network.load_state_dict(tensors)
            facts = dict(description["facts"])
            read_calibration(facts)
        except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise ModelError(
                f"{path} is a safetensors file but not a mnistsum checkpoint ({_one_line(error)}): "
                "make one with mnistsum-train"
            ) from error
        return cls(network.eval(), facts)


def _make_network(description: dict[str, Any]) -> Network:
    """The network that a file describes, with its first weights.

    Raises:
        ValueError: It is none, or larger than any that is made here. Other errors pass as they are.
    """
    operation = OPERATIONS[description["operation"]]
    architecture = Architecture.from_dict(description["architecture"])
    members = description.get("members")
    if members is None:
        return TwoInputNetwork(operation, architecture)
    if type(members) is not int or not 1 <= members <= MOST_MEMBERS:
        raise ValueError(f"members are {members!r}, expected 1 to {MOST_MEMBERS}")
    return Ensemble([TwoInputNetwork(operation, architecture) for _ in range(members)])


def require_like(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    """Raise `ValueError` unless both have the same names, shapes and dtypes, and what was found is finite."""
    if found.keys() != expected.keys():
        names = sorted(found.keys() ^ expected.keys())
        raise ValueError(f"tensors that are missing or more than there should be: {', '.join(names[:3])}")
    for name, tensor in expected.items():
        if found[name].shape != tensor.shape or found[name].dtype != tensor.dtype:
            raise ValueError(
                f"tensor {name} is {found[name].dtype} {list(found[name].shape)}, "
                f"expected {tensor.dtype} {list(tensor.shape)}"
            )
        if not found[name].isfinite().all():
            raise ValueError(f"tensor {name} has values that are no numbers, or infinite")


def read_calibration(facts: dict[str, Any]) -> Calibration | None:
    """The calibration among a checkpoint's facts; None where only weights were kept.

    Raises:
        ValueError: It is none. Other errors pass as they are.
    """
    values = facts.get("calibration")
    if values is None:
        return None
    found = Calibration(**values)
    if not all(type(value) in (int, float) for value in found):
        raise ValueError("its calibration is not made of numbers")
    return Calibration.from_metadata(found.to_metadata())


def write_safetensors(path: Path, tensors: dict[str, torch.Tensor], description: dict[str, Any]) -> None:
    """Write tensors and a JSON description, whole or not at all, so that `read_safetensors` notices any damage.

    Raises:
        WorkError: `path` cannot be written.
    """
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    entry = {"format": FORMAT, "tensors_sha256": tensor_hash(tensors), **description}
    write_atomically(path, save(contiguous, {METADATA_KEY: json.dumps(entry)}))


def read_safetensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read the tensors and the JSON description of a file that `write_safetensors` wrote.

    safetensors checks its header only: the hash finds damage in the weights.

    Raises:
        ModelError: Missing, damaged, a pickle, or without the description.
    """
    try:
        if path.exists() and not path.is_file():
            raise ValueError("a folder, a pipe or a device, not a file")
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        description = _read_description(metadata[METADATA_KEY])
        if description["format"] != FORMAT:
            raise ValueError(f"format {description['format']}, expected {FORMAT}")
        if description["tensors_sha256"] != tensor_hash(tensors):
            raise ValueError("damaged: the tensors do not have the hash that was written with them")
    except FileNotFoundError as error:
        raise ModelError(f"no checkpoint at {path}: make one with mnistsum-train") from error
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"{path} is not a mnistsum checkpoint ({_one_line(error)}): expected a .safetensors file from "
            "mnistsum-train; pickled checkpoints are never loaded"
        ) from error
    return tensors, description


def _read_description(text: str) -> dict[str, Any]:
    """A JSON object, no deeper than whoever writes or compares it later can go.

    Raises:
        ValueError: It is none.
        RecursionError: It is far too deep.
    """
    description = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    if not isinstance(description, dict):
        raise ValueError("its description is no JSON object")
    level: list[Any] = [description]
    for _ in range(DEEPEST):
        level = [inner for outer in level if isinstance(outer, list | dict) for inner in _values(outer)]
    if level:
        raise ValueError(f"its description is nested more than {DEEPEST} deep")
    return description


def _values(outer: list[Any] | dict[str, Any]) -> Iterable[Any]:
    return outer.values() if isinstance(outer, dict) else outer


def _refuse(constant: str) -> None:
    """JSON has no infinities and no NaN, though Python reads them."""
    raise ValueError(f"its description says {constant}")


def _finite(number: str) -> float:
    value = float(number)
    if not isfinite(value):
        raise ValueError(f"its description says {number}")
    return value


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else text[:157] + "..."

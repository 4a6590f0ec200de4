"""Checkpoints: safetensors, so that reading one never runs code; one metadata entry says what network it is."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from mnistsum_runtime.atomic import write_atomically
from mnistsum_runtime.errors import ModelError
from mnistsum_runtime.operations import OPERATIONS
from mnistsum_train.network import Ensemble, Network, TwoInputNetwork
from mnistsum_train.recipe import Architecture
from mnistsum_train.tensors import tensor_hash

METADATA_KEY = "mnistsum"
"""The single entry of the file's metadata. One, since safetensors does not keep the order of several."""
FORMAT = 1


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
            operation = OPERATIONS[description["operation"]]
            architecture = Architecture.from_dict(description["architecture"])
            members = description.get("members")
            network: Network = (
                TwoInputNetwork(operation, architecture)
                if members is None
                else Ensemble([TwoInputNetwork(operation, architecture) for _ in range(members)])
            )
            network.load_state_dict(tensors)
            facts = dict(description["facts"])
        except (LookupError, TypeError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"{path} is a safetensors file but not a mnistsum checkpoint ({_one_line(error)}): "
                "make one with mnistsum-train"
            ) from error
        return cls(network.eval(), facts)


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
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        description = json.loads(metadata[METADATA_KEY])
        if description["format"] != FORMAT:
            raise ValueError(f"format {description['format']}, expected {FORMAT}")
        if description["tensors_sha256"] != tensor_hash(tensors):
            raise ValueError("damaged: the tensors do not have the hash that was written with them")
    except FileNotFoundError as error:
        raise ModelError(f"no checkpoint at {path}: make one with mnistsum-train") from error
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path} is not a mnistsum checkpoint ({_one_line(error)}): expected a .safetensors file from "
            "mnistsum-train; pickled checkpoints are never loaded"
        ) from error
    return tensors, description


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else text[:157] + "..."

"""What a proven file says of itself, in its `metadata_props`."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from typing import TYPE_CHECKING

import onnx
import torch

from mnistsum_runtime import __version__
from mnistsum_train.tensors import tensor_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from mnistsum_export.proof.parity import Parity

# Keys; every value is text.
RECEIPT = "proof.parity"
"""JSON object: the parity receipt (`Parity.to_dict`)."""
OPSET = "proof.opset"
"""The opset that was asked for, equal to the file's own."""
EXPORTER = "proof.exporter"
"""Which exporter made the graph; `given` where the caller did."""
MODULE = "proof.module_sha256"
"""SHA-256 over name, dtype, shape and bytes of the module's parameters and buffers, in name order, as hex."""
VERSIONS = "proof.versions"
"""JSON object: the tools that made the file."""


def describe_proof(module: nn.Module, exporter: str, opset: int, parity: Parity) -> dict[str, str]:
    """The metadata of a file that is proven for any network."""
    tensors = {
        name: value if value.layout == torch.strided else value.to_dense()
        for name, value in module.state_dict().items()
        if isinstance(value, torch.Tensor)
    }
    return {
        RECEIPT: parity.to_json(),
        OPSET: str(opset),
        EXPORTER: exporter,
        MODULE: tensor_hash(tensors),
        VERSIONS: json.dumps(tool_versions()),
    }


def tool_versions() -> dict[str, str]:
    """Versions of everything that has a part in the bytes."""
    versions = {"mnistsum": __version__, "python": platform.python_version()}
    return versions | {package: version(package) for package in ("torch", "onnx", "onnxruntime")}


def with_metadata(model: onnx.ModelProto, metadata: Mapping[str, str]) -> bytes:
    """The bytes that ship: the model with its description, and what else it says of itself. `model` stays as it is."""
    described = onnx.ModelProto()
    described.CopyFrom(model)
    own = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(described, own | dict(metadata))
    content: bytes = described.SerializeToString(deterministic=True)
    return content

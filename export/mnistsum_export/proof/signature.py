"""Names, dtypes and shapes of a graph's inputs and outputs, as the examples have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from onnx import helper

from mnistsum_runtime.errors import CallError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BATCH = "batch"
"""Name of the first dimension of every input and output."""

Dims = tuple[int | str, ...]


@dataclass(frozen=True)
class TensorType:
    """One input or output."""

    dtype: np.dtype[Any]
    dims: Dims
    """A number where the size is fixed, a name where it is free. The first is always free."""

    @property
    def element_type(self) -> int:
        """ONNX's number of the dtype."""
        return helper.np_dtype_to_tensor_dtype(self.dtype)

    def __str__(self) -> str:
        """As people write it: `float32 [batch, 1, 28, 28]`."""
        return f"{self.dtype} [{', '.join(map(str, self.dims))}]"


@dataclass(frozen=True)
class Signature:
    """What a graph takes and gives."""

    inputs: dict[str, TensorType]
    outputs: dict[str, TensorType]
    """Of an output, what the examples tell: a free dimension of an input may come back in it."""
    lengths: dict[str, int]
    """How long each free dimension but the batch is in the examples."""

    @property
    def dynamic(self) -> dict[str, dict[int, str]]:
        """The free dimensions of the inputs, by name and axis; as torch's exporters ask for them."""
        return {
            name: {axis: dim for axis, dim in enumerate(tensor.dims) if isinstance(dim, str)}
            for name, tensor in self.inputs.items()
        }


def make_signature(
    inputs: Mapping[str, NDArray[Any]],
    outputs: Mapping[str, NDArray[Any]],
    dynamic: Mapping[str, Mapping[int, str]],
) -> Signature:
    """The signature that examples and torch's answers to them have.

    Args:
        inputs: By name, [rows, ...].
        outputs: The same.
        dynamic: By input name and axis, the names of dimensions that are free beside the batch.

    Raises:
        CallError: A free dimension of an input or axis that there is not, or one name with two lengths.
    """
    lengths: dict[str, int] = {}
    for name, axes in dynamic.items():
        if name not in inputs:
            raise CallError(f"dynamic: there is no input {name}, the inputs are {', '.join(inputs)}")
        for axis, dim in axes.items():
            if not 1 <= axis < inputs[name].ndim:
                raise CallError(
                    f"dynamic: input {name} has {inputs[name].ndim} axes, axis {axis} cannot be named {dim}"
                )
            length = inputs[name].shape[axis]
            if length < 2:
                raise CallError(f"dynamic: {dim} is {length} in the examples of {name}: give longer ones, to cut them")
            if dim == BATCH or lengths.setdefault(dim, length) != length:
                raise CallError(
                    f"dynamic: {dim} is {lengths.get(dim, 'the batch')} elsewhere, {length} in input {name}"
                )
    return Signature(
        {name: TensorType(array.dtype, _dims(array, dynamic.get(name, {}))) for name, array in inputs.items()},
        {name: TensorType(array.dtype, _dims(array, {})) for name, array in outputs.items()},
        lengths,
    )


def _dims(array: NDArray[Any], free: Mapping[int, str]) -> Dims:
    return (BATCH, *(free.get(axis, size) for axis, size in enumerate(array.shape) if axis))

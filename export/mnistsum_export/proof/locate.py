"""Where a file parts from its module: the first submodule whose output is not in the graph.

Every submodule's output is recorded with torch, and every value of the graph is made an output. A submodule agrees if a
value of the graph is its output. Exporters fold submodules together and drop what nothing needs, so one that does not
agree may still be sound: then a later one agrees although it depends on it. Whether it depends is tried out: the
submodule's output is disturbed, and what changes behind it is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from torch import Tensor, nn

from mnistsum_export.proof.convert import module_paths
from mnistsum_export.proof.module import Call, describe, in_float64, record_calls
from mnistsum_export.proof.parity import AS_WRITTEN, make_session
from mnistsum_export.proof.rules import ROUNDING_FACTOR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mnistsum_export.proof.examples import Arrays

RTOL, LEAST_RTOL = 1e-4, 1e-5
"""Of the size of a submodule's output: what it may differ by, or by what it rounds where that is more."""


@dataclass(frozen=True)
class Parting:
    """Where they part."""

    module: str
    """The submodule as torch names it, with its class, and what is folded into it."""
    difference: float | None
    """Largest absolute difference of its output; None where the graph has no value of its shape."""
    node: str | None
    """The ONNX node whose value is nearest to it; None where that is an input or a weight."""

    def __str__(self) -> str:
        """Half a sentence."""
        if self.difference is None:
            return f"the first submodule that differs is {self.module}, of whose output's shape the graph has no value"
        node = f", ONNX node {self.node}" if self.node else ""
        return f"the first submodule that differs is {self.module}, by {self.difference:.2g}{node}"


@dataclass(frozen=True)
class _Value:
    """A value of the graph."""

    node: str | None
    path: str
    """Of the submodule that it comes from, as the exporter says; empty where it does not."""
    array: NDArray[Any]


@dataclass(frozen=True)
class _Match:
    """The value of the graph that is nearest to an output of a submodule."""

    agrees: bool
    difference: float
    value: _Value | None


def find_parting(module: nn.Module, content: bytes, examples: Arrays, rtol: float = RTOL) -> Parting | None:
    """Find the first submodule whose output differs.

    Args:
        module: In evaluation mode.
        content: The ONNX file, which onnxruntime loads.
        examples: A few rows, in the order of `forward`; best those that differ most.
        rtol: Of the size of a submodule's output, what it may differ by; taken between `LEAST_RTOL` and `RTOL`. A fault
            that hardly shows in the outputs hardly shows inside either.

    Returns:
        None where it cannot be told: every submodule agrees, the module does not allow to be looked at, or onnxruntime
        does not run the file with all its values as outputs.
    """
    calls = record_calls(module, examples)
    try:
        values = _values_of(onnx.load_from_string(content), examples)
    except Exception:  # values that cannot all be outputs: sequences, types that are not known
        return None
    limit = max(LEAST_RTOL, min(RTOL, rtol))
    rounding = _rounding(module, examples, calls)
    matches = [_match(call, values, limit, each) for call, each in zip(calls, rounding, strict=True)]
    for index, match in enumerate(matches):
        if match is not None and not match.agrees and not _is_sound(module, examples, calls, matches, index):
            return _describe(calls, matches, index, {value.path for value in values})
    return None


def _values_of(model: onnx.ModelProto, examples: Arrays) -> list[_Value]:
    """Inputs, weights and, from a run of the graph as written, everything that a node of it makes."""
    known = {value.name: value for value in onnx.shape_inference.infer_shapes(model).graph.value_info}
    paths = module_paths(model)
    made = [(node, name) for node in model.graph.node for name in node.output if name]
    outputs = {value.name for value in model.graph.output}
    more = [known.get(name) or onnx.ValueInfoProto(name=name) for _, name in made if name not in outputs]
    everything = onnx.ModelProto()
    everything.CopyFrom(model)
    everything.graph.output.extend(more)
    session = make_session(
        everything.SerializeToString(), AS_WRITTEN, onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    )
    arrays = session.run(
        [name for _, name in made], {value.name: examples[value.name] for value in session.get_inputs()}
    )
    return [
        *(_Value(None, "", array) for array in examples.values()),
        *(_Value(None, "", numpy_helper.to_array(tensor)) for tensor in model.graph.initializer),
        *(
            _Value(node.name or f"{node.op_type} that makes {name}", paths[node.name], array)
            for (node, name), array in zip(made, arrays, strict=True)
            if isinstance(array, np.ndarray)
        ),
    ]


def _rounding(module: nn.Module, examples: Arrays, calls: list[Call]) -> list[float]:
    """For each call, how far its outputs are from those in float64; 0 where these are not to be had."""
    try:
        exact = record_calls(*in_float64(module, examples))
    except Exception:  # a module that cannot be copied
        exact = []
    if [call.path for call in exact] != [call.path for call in calls]:
        return [0.0] * len(calls)
    return [
        max((_difference(a.numpy(), b.numpy()) for a, b in _pairs(one, other)), default=0.0)
        for one, other in zip(calls, exact, strict=True)
    ]


def _pairs(one: Call, other: Call) -> list[tuple[Tensor, Tensor]]:
    return [
        (a, b.double())
        for a, b in zip(one.outputs, other.outputs, strict=False)
        if a.is_floating_point() and a.shape == b.shape and a.numel()
    ]


def _match(call: Call, values: list[_Value], rtol: float, rounding: float) -> _Match | None:
    """The best match of a submodule's outputs; of the module itself, the worst. None where no output is of floats."""
    outputs = [tensor.numpy() for tensor in call.outputs if tensor.is_floating_point() and tensor.numel()]
    matches = [_match_output(output, call.path, values, rtol, rounding) for output in outputs]
    if not matches:
        return None
    # An output that nothing needs is not in the graph: one that agrees is enough, but for the module's own outputs.
    return (max if call.path == "" else min)(matches, key=lambda match: (not match.agrees, match.difference))


def _match_output(output: NDArray[Any], path: str, values: list[_Value], rtol: float, rounding: float) -> _Match:
    exact = output.astype(np.float64)
    size = float(np.sqrt(np.mean(np.where(np.isfinite(exact), exact, 0) ** 2)))
    limit = max(rtol * size, ROUNDING_FACTOR * rounding)
    alike = [value for value in values if value.array.shape == output.shape and value.array.dtype.kind == "f"]
    differences = [(_difference(value.array, exact), value) for value in alike]
    if not differences:
        return _Match(False, np.inf, None)
    difference, value = min(differences, key=lambda pair: pair[0])
    if difference > limit:  # then what comes from the submodule itself says more than what happens to be near
        own = [pair for pair in differences if path and pair[1].path == path]
        difference, value = min(own, key=lambda pair: pair[0]) if own else (difference, value)
    return _Match(difference <= limit, difference, value)


def _difference(found: NDArray[Any], exact: NDArray[np.float64]) -> float:
    with np.errstate(invalid="ignore"):
        difference = np.abs(found.astype(np.float64) - exact)
    difference[found == exact] = 0
    largest = float(difference.max())
    return np.inf if np.isnan(largest) else largest


def _is_sound(module: nn.Module, examples: Arrays, calls: list[Call], matches: list[_Match | None], index: int) -> bool:
    """Whether nothing depends on a submodule's output, or something does that agrees; also where it cannot be told."""
    if calls[index].path == "":
        return False
    disturbed = record_calls(module, examples, disturb=index)
    if len(disturbed) != len(calls):  # the module does not work with it: it cannot be told
        return True
    changed = [
        later
        for later in range(index + 1, len(calls))
        if any(not one.equal(other) for one, other in zip(calls[later].outputs, disturbed[later].outputs, strict=True))
    ]
    return not changed or any(match.agrees for later in changed if (match := matches[later]) is not None)


def _describe(calls: list[Call], matches: list[_Match | None], index: int, paths: set[str]) -> Parting:
    """Name a submodule; with a batch normalisation that is folded into it, whose output then is the one to compare."""
    name, match = describe(calls[index].path, calls[index].module), matches[index]
    if index + 1 < len(calls):
        following = calls[index + 1]
        if isinstance(following.module, nn.modules.batchnorm._BatchNorm) and following.path not in paths:
            name += f" with {describe(following.path, following.module)} folded into it"
            match = matches[index + 1]
    if match is None or match.value is None:
        return Parting(name, None, None)
    return Parting(name, match.difference, match.value.node)

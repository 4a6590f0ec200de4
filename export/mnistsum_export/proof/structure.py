"""What can be said of a graph without running it: valid ONNX, at the opset asked for, with the signature's shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
from onnx import ModelProto, TensorProto, helper

from mnistsum_export.proof.tidy import all_nodes
from mnistsum_runtime.errors import WorkError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mnistsum_export.proof.signature import Signature, TensorType


_MOST_TOLD = 8


def check_structure(model: ModelProto, signature: Signature, opset: int) -> None:
    """Check a graph from every side that needs no run.

    Args:
        model: With or without metadata.
        signature: What it must take and give.
        opset: What it must be of.

    Raises:
        WorkError: Names the first property that does not hold.
    """
    # First what has a plain name: onnx's checker would refuse some of it in words of its own.
    for what, found, expected in properties(model, signature, opset):
        if found != expected:
            raise WorkError(
                f"the ONNX graph has {what} {_told(found)}, expected {_told(expected)}; nothing was written"
            )
    try:
        onnx.checker.check_model(model, full_check=True)
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except Exception as error:  # beside its own, onnx raises others on damaged names and types
        reason = " ".join(str(error).split())
        raise WorkError(f"onnx's checker refuses the ONNX graph: {reason}; nothing was written") from error


def properties(model: ModelProto, signature: Signature, opset: int) -> Iterator[tuple[str, object, object]]:
    """(what, found, expected) of everything that is fixed about the graph."""
    yield "opsets", [(entry.domain, entry.version) for entry in model.opset_import], [("", opset)]
    yield "IR version", model.ir_version, helper.find_min_ir_version_for([helper.make_opsetid("", opset)])
    yield "inputs", [value.name for value in model.graph.input], list(signature.inputs)
    yield "outputs", [value.name for value in model.graph.output], list(signature.outputs)
    for kind, values, tensors in (
        ("input", model.graph.input, signature.inputs),
        ("output", model.graph.output, signature.outputs),
    ):
        for value in values:
            yield f"the {kind} {value.name} as", *_compare(value, tensors[value.name], signature, kind)
    external = [tensor.name for tensor in model.graph.initializer if tensor.data_location == TensorProto.EXTERNAL]
    yield "tensors in a second file", external, []
    notes = [node.name for node in all_nodes(model.graph) if node.doc_string or node.metadata_props]
    yield "nodes that carry notes of the exporting machine", notes, []
    yield "operators of other domains", sorted({node.domain for node in all_nodes(model.graph)} - {""}), []
    yield "model functions", len(model.functions), 0


def _compare(
    value: onnx.ValueInfoProto, expected: TensorType, signature: Signature, kind: str
) -> tuple[object, object]:
    """Found and expected of one input or output, equal where what was found will do."""
    tensor = value.type.tensor_type
    dims = [dim.dim_param or (dim.dim_value if dim.HasField("dim_value") else "?") for dim in tensor.shape.dim]
    wanted = list(expected.dims)
    if len(dims) == len(wanted):
        for axis, (found, size) in enumerate(zip(dims, wanted, strict=True)):
            # A free dimension may have any name, and what an output makes of free dimensions is found by running it.
            left_open = kind == "output" and axis and signature.lengths
            if left_open or (isinstance(found, str) and isinstance(size, str)):
                dims[axis] = size
    return (tensor.elem_type, dims), (expected.element_type, wanted)


def _told(value: object) -> object:
    """Element types by name, and of a long list the first."""
    if isinstance(value, list) and len(value) > _MOST_TOLD:
        return f"{value[:_MOST_TOLD]} and {len(value) - _MOST_TOLD} more"
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], int):
        known = value[0] in TensorProto.DataType.values()
        return f"{TensorProto.DataType.Name(value[0]).lower() if known else f'type {value[0]}'} {value[1]}"
    return value

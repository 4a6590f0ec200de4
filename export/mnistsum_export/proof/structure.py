"""What can be said of a file without running it: valid ONNX, at the opset asked for, with the contract's shapes."""

import onnx
from onnx import ModelProto, TensorProto, helper

from mnistsum_runtime.contract import BATCH, DIGIT, IMAGE, IMAGE_SIZE, NUMBER, NUMBERS
from mnistsum_runtime.errors import WorkError
from mnistsum_runtime.operations import Operation


def check_structure(model: ModelProto, operation: Operation, opset: int) -> None:
    """Check a converted model from every side that needs no run.

    Raises:
        WorkError: Names the first property that does not hold.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise WorkError(f"onnx's checker refuses the converted model: {' '.join(str(error).split())}") from error
    for what, found, expected in properties(model, operation, opset):
        if found != expected:
            raise WorkError(f"the converted model has {what} {found}, expected {expected}; nothing was written")


def properties(model: ModelProto, operation: Operation, opset: int) -> list[tuple[str, object, object]]:
    """(what, found, expected) of everything that the contract fixes about the graph."""
    inputs = {
        IMAGE: (TensorProto.FLOAT, [BATCH, 1, IMAGE_SIZE, IMAGE_SIZE]),
        NUMBER: (TensorProto.FLOAT, [BATCH, NUMBERS]),
    }
    outputs = {
        DIGIT: (TensorProto.FLOAT, [BATCH, NUMBERS]),
        operation.name: (TensorProto.FLOAT, [BATCH, len(operation.classes)]),
    }
    external = [tensor.name for tensor in model.graph.initializer if tensor.data_location == TensorProto.EXTERNAL]
    notes = [node.name for node in model.graph.node if node.doc_string or node.metadata_props]
    return [
        ("opsets", [(entry.domain, entry.version) for entry in model.opset_import], [("", opset)]),
        ("IR version", model.ir_version, helper.find_min_ir_version_for([helper.make_opsetid("", opset)])),
        ("inputs", _signature(model.graph.input), inputs),
        ("outputs", _signature(model.graph.output), outputs),
        ("tensors in a second file", external, []),
        ("nodes that carry notes of the exporting machine", notes, []),
        ("model functions", len(model.functions), 0),
    ]


def _signature(values: "list[onnx.ValueInfoProto]") -> dict[str, tuple[int, list[str | int]]]:
    return {
        value.name: (
            value.type.tensor_type.elem_type,
            [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim],
        )
        for value in values
    }

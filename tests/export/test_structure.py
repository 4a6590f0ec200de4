"""The structural check passes the converted graph and names whatever is not as the contract has it."""

from collections.abc import Callable

import onnx
import pytest
from onnx import ModelProto, TensorProto

from exporting import rename, swap_outputs
from mnistsum_export.proof.structure import check_structure
from mnistsum_export.proof.subject import Subject
from mnistsum_runtime.errors import WorkError


def rename_input(model: ModelProto) -> None:
    rename(model, "number", "addend")


def rename_output(model: ModelProto) -> None:
    rename(model, "sum", "total")


def freeze_batch(model: ModelProto) -> None:
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 2


def name_the_batch_otherwise(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"


def free_another_dimension(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"


def change_input_type(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT32


def add_function(model: ModelProto) -> None:
    model.functions.append(onnx.helper.make_function("own", "f", ["x"], ["x"], [], []))


def move_node_to_another_domain(model: ModelProto) -> None:
    model.graph.node[0].domain = "com.example"


def raise_ir(model: ModelProto) -> None:
    model.ir_version += 1


def add_opset_domain(model: ModelProto) -> None:
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))


def add_doc_string(model: ModelProto) -> None:
    model.graph.node[0].doc_string = "/home/someone/network.py(51): forward"


def add_node_metadata(model: ModelProto) -> None:
    model.graph.node[-1].metadata_props.add(key="pkg.torch.onnx.stack_trace", value="File /home/someone/network.py")


def move_tensor_outside(model: ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="model.onnx.data")
    tensor.ClearField("raw_data")


def break_graph(model: ModelProto) -> None:
    model.graph.node[1].input[0] = "nowhere"


def break_shape(model: ModelProto) -> None:
    model.graph.output[1].type.tensor_type.shape.dim[1].dim_value = 20


def test_converted_graph_passes_and_stays_as_it_is(converted: ModelProto, subject: Subject) -> None:
    before = converted.SerializeToString()
    check_structure(converted, subject.signature, 17)
    assert converted.SerializeToString() == before


def test_free_dimensions_may_have_any_name(converted: ModelProto, subject: Subject) -> None:
    """Of a file that somebody else converted: that the batch is free is what counts."""
    model = ModelProto()
    model.CopyFrom(converted)
    name_the_batch_otherwise(model)
    check_structure(model, subject.signature, 17)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (rename_input, "has inputs"),
        (rename_output, "has outputs"),
        (swap_outputs, "has outputs"),
        (freeze_batch, r"has the input image as float \[2, 1, 28, 28\], expected float \['batch', 1, 28, 28\]"),
        (free_another_dimension, r"has the input image as float \['batch', 1, 'height', 28\]"),
        (change_input_type, "has the input image as int32"),
        (raise_ir, "has IR version 9, expected 8"),
        (add_opset_domain, "has opsets"),
        (move_node_to_another_domain, r"has operators of other domains \['com.example'\]"),
        (add_function, "has model functions 1"),
        (add_doc_string, "has nodes that carry notes"),
        (add_node_metadata, "has nodes that carry notes"),
        (move_tensor_outside, "has tensors in a second file"),
        (break_graph, "onnx's checker refuses"),
        (break_shape, r"has the output sum as float \['batch', 20\]"),
    ],
)
def test_broken_structure_is_named_in_one_line(
    converted: ModelProto, subject: Subject, change: Callable[[ModelProto], None], reason: str
) -> None:
    model = ModelProto()
    model.CopyFrom(converted)
    change(model)
    with pytest.raises(WorkError, match=reason) as caught:
        check_structure(model, subject.signature, 17)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("opset", [13, 18])
def test_another_opset_than_asked_for_is_refused(converted: ModelProto, subject: Subject, opset: int) -> None:
    with pytest.raises(WorkError, match=r"has opsets \[\('', 17\)\]"):
        check_structure(converted, subject.signature, opset)

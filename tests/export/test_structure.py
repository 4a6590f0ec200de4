"""The structural check passes the converted graph and names whatever is not as the contract has it."""

from collections.abc import Callable

import onnx
import pytest
from onnx import ModelProto, TensorProto

from exporting import rename, swap_outputs
from mnistsum_export.proof.structure import check_structure
from mnistsum_runtime.errors import WorkError
from mnistsum_runtime.operations import PRODUCT, SUM


def rename_input(model: ModelProto) -> None:
    rename(model, "number", "addend")


def rename_output(model: ModelProto) -> None:
    rename(model, "sum", "total")


def freeze_batch(model: ModelProto) -> None:
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 2


def name_the_batch_otherwise(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"


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


def test_converted_graph_passes_and_stays_as_it_is(converted: ModelProto) -> None:
    before = converted.SerializeToString()
    check_structure(converted, SUM, 17)
    assert converted.SerializeToString() == before


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (rename_input, "has inputs"),
        (rename_output, "has outputs"),
        (swap_outputs, "has outputs"),
        (freeze_batch, "has inputs"),
        (name_the_batch_otherwise, "has inputs"),
        (raise_ir, "has IR version 9, expected 8"),
        (add_opset_domain, "has opsets"),
        (add_doc_string, "has nodes that carry notes"),
        (add_node_metadata, "has nodes that carry notes"),
        (move_tensor_outside, "onnx's checker refuses|has tensors in a second file"),
        (break_graph, "onnx's checker refuses"),
        (break_shape, "onnx's checker refuses"),
    ],
)
def test_broken_contract_is_named_in_one_line(
    converted: ModelProto, change: Callable[[ModelProto], None], reason: str
) -> None:
    model = ModelProto()
    model.CopyFrom(converted)
    change(model)
    with pytest.raises(WorkError, match=reason) as caught:
        check_structure(model, SUM, 17)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("opset", [13, 18])
def test_another_opset_than_asked_for_is_refused(converted: ModelProto, opset: int) -> None:
    with pytest.raises(WorkError, match=r"has opsets \[\('', 17\)\]"):
        check_structure(converted, SUM, opset)


def test_another_operation_than_the_checkpoint_has_is_refused(converted: ModelProto) -> None:
    with pytest.raises(WorkError, match="has outputs"):
        check_structure(converted, PRODUCT, 17)

"""Every supported opset gives exactly what was asked for, and no opset is promised that is not kept."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from calling import assert_one_line, call
from mnistsum_export.cli import command
from mnistsum_export.proof.opsets import supported_opsets
from mnistsum_export.proof.prove import convert
from mnistsum_export.proof.subject import Subject

LOWEST_IR = {13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11}
"""From the table in onnx's own documentation, docs/Versioning.md."""


def test_supported_opsets_are_13_to_23() -> None:
    assert supported_opsets() == tuple(LOWEST_IR)


@pytest.mark.parametrize("opset", LOWEST_IR)
def test_file_is_what_was_asked_for(opset: int, subject: Subject) -> None:
    model = convert(subject, opset).model
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", opset)]
    assert model.ir_version == LOWEST_IR[opset]
    assert [value.name for value in model.graph.input] == ["image", "number"]
    assert [value.name for value in model.graph.output] == ["digit", "sum"]
    for value in (*model.graph.input, *model.graph.output):
        assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        assert value.type.tensor_type.shape.dim[0].dim_param == "batch"
        assert all(dim.dim_value > 0 for dim in value.type.tensor_type.shape.dim[1:])
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for batch in (1, 2, 5):
        inputs = {name: array[:batch] for name, array in subject.case.examples.items()}
        for found, expected in zip(session.run(None, inputs), subject.case.truth.values(), strict=True):
            assert np.abs(found - expected[:batch]).max() < 1e-4


@pytest.mark.parametrize("opset", [12, 24, 0, 99, -1])
def test_other_opset_is_exit_2_and_the_range_is_named(opset: int, small_checkpoint_file: Path, tmp_path: Path) -> None:
    called = call(command, "--checkpoint", small_checkpoint_file, "--output", tmp_path / "m.onnx", "--opset", opset)
    assert_one_line(called, 2, f"opset {opset} is not supported", "13 to 23")


def test_onnxruntime_that_takes_fewer_opsets_narrows_the_range(monkeypatch: pytest.MonkeyPatch) -> None:
    import mnistsum_export.proof.opsets

    monkeypatch.setattr(mnistsum_export.proof.opsets, "_onnxruntime_loads", lambda opset: opset <= 17)
    assert supported_opsets.__wrapped__() == (13, 14, 15, 16, 17)

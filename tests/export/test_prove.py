"""`prove`: any module, any names and shapes; refused where a proof would mean nothing."""

import json
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from calling import call
from mnistsum_export import prove
from mnistsum_export.proof import convert as convert_module
from mnistsum_export.proof import prove as prove_module
from mnistsum_export.proof.convert import (
    TORCH_EXPORT,
    TRACING,
    Conversion,
    ConversionError,
    convert_by_torch_export,
)
from mnistsum_export.proof.rules import RTOL
from mnistsum_runtime.commands.bench import command as bench
from mnistsum_runtime.commands.doctor import command as doctor
from mnistsum_runtime.commands.verify import command as verify
from mnistsum_runtime.errors import CallError, WorkError
from mnistsum_runtime.measure import bench as bench_measures
from mnistsum_runtime.proof.references import read_references, references_path

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.normal(size=(24, 1, 8, 8)).astype(np.float32)
EXTRA = GENERATOR.normal(size=(24, 3)).astype(np.float32)


class TwoInputs(nn.Module):
    """An image and three numbers in, class logits and a number out."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(inplace=True))
        self.mix = nn.Linear(9, 5)
        self.score = nn.Linear(9, 1)

    def forward(self, image: torch.Tensor, extra: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = torch.cat([self.stem(image).mean((2, 3)), extra], dim=1)
        return self.mix(features), self.score(features)


@pytest.fixture
def module() -> TwoInputs:
    torch.manual_seed(0)
    made = TwoInputs()
    made(torch.from_numpy(IMAGES) + 0.5, torch.from_numpy(EXTRA))  # batch statistics that a file could lose
    return made.eval()


@pytest.fixture
def examples() -> dict[str, Any]:
    return {"image": IMAGES, "extra": torch.from_numpy(EXTRA)}


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "net.onnx"


class Lambda(nn.Module):
    """A module from a function."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.function(*inputs)


def metadata_of(path: Path) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


def test_two_inputs_are_proven_and_verified_without_torch(
    module: TwoInputs, examples: dict[str, Any], output: Path
) -> None:
    proof = prove(module, examples, output=output, outputs=["kind", "score"], labels=["kind"])
    assert proof.parity
    assert (proof.file.opset, proof.file.ir_version, proof.exporter) == (17, 8, TRACING)
    assert sorted(path.name for path in output.parent.iterdir()) == ["net.onnx", "net.references.npz"]
    called = call(verify, "--model", output, "--json")
    assert called.code == 0, called.err
    found = json.loads(called.out)
    assert (found["preparation"], found["answers"], found["model"]["operation"]) == (None, None, None)
    kind, score = found["inference"]["outputs"]
    assert (kind["name"], kind["labels_compared"], kind["labels_equal"]) == ("kind", 24, 24)
    assert (score["name"], score["labels_compared"]) == ("score", 0)


def test_metadata_is_the_receipt_and_nothing_of_another_network(
    module: TwoInputs, examples: dict[str, Any], output: Path
) -> None:
    proof = prove(module, examples, output=output)
    metadata = metadata_of(output)
    assert set(metadata) == {f"proof.{key}" for key in ("parity", "opset", "exporter", "module_sha256", "versions")}
    assert json.loads(metadata["proof.parity"]) == json.loads(proof.parity.to_json())
    assert metadata["proof.opset"] == "17"


def test_two_proofs_are_equal_byte_for_byte(module: TwoInputs, examples: dict[str, Any], tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        prove(module, examples, output=tmp_path / name)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    assert (tmp_path / "a.references.npz").read_bytes() == (tmp_path / "b.references.npz").read_bytes()


def test_inputs_go_to_the_parameters_of_their_names(module: TwoInputs, examples: dict[str, Any], output: Path) -> None:
    prove(module, dict(reversed(examples.items())), output=output)
    assert [value.name for value in onnx.load(output).graph.input] == ["image", "extra"]


def test_inputs_of_other_names_keep_their_order(module: TwoInputs, output: Path) -> None:
    prove(module, {"photo": IMAGES, "facts": EXTRA}, output=output)
    assert [value.name for value in onnx.load(output).graph.input] == ["photo", "facts"]


def test_outputs_of_a_dict_are_named_by_its_keys(output: Path) -> None:
    module = Lambda(lambda x: OrderedDict(low=x - 1, high=x + 1)).eval()
    assert list(prove(module, {"x": EXTRA}, output=output).parity.rules) == ["low", "high"]


def test_references_are_torchs_float64_answers(module: TwoInputs, examples: dict[str, Any], output: Path) -> None:
    proof = prove(module, examples, output=output)
    references = read_references(output, proof.file.sha256)
    assert references.notes == {"computed_in": "float64"}
    with torch.inference_mode():
        exact = module.double()(torch.from_numpy(IMAGES).double(), torch.from_numpy(EXTRA).double())
    for found, expected in zip(references.outputs.values(), exact, strict=True):
        np.testing.assert_array_equal(found, expected.float().numpy())


def test_module_that_cannot_be_run_in_float64_is_recorded_in_float32(output: Path) -> None:
    module = Lambda(lambda x: x @ torch.ones(3, 2)).eval()  # float32 in its code
    proof = prove(module, {"x": EXTRA}, output=output)
    assert read_references(output, proof.file.sha256).notes == {"computed_in": "float32"}


def test_bench_and_doctor_take_a_proven_file(
    module: TwoInputs, examples: dict[str, Any], output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prove(module, examples, output=output)
    monkeypatch.setattr(bench_measures, "start_alternating", lambda commands, _: [[_Start()] for _ in commands])
    monkeypatch.setattr(bench_measures, "time_alternating", lambda one, _, __: ([one() and 1e-3], [1e-3]))
    measured = call(bench, "--model", output, "--json", "--threads", 1)
    assert measured.code == 0, measured.err
    names = {figure["name"] for figure in json.loads(measured.out)["figures"]}
    assert {"session.run p50", "creation", "batch 64, 1 thread"} <= names
    assert not [name for name in names if "mnistsum-run" in name]
    examined = call(doctor, "--model", output)
    assert examined.code == 0, examined.out
    assert "24 references, as recorded" in examined.out


class _Start:
    seconds = 0.1
    peak_bytes = 1


def test_doctor_tells_a_file_that_answers_otherwise(module: TwoInputs, examples: dict[str, Any], output: Path) -> None:
    proof = prove(module, examples, output=output)
    references = read_references(output, proof.file.sha256)
    references.outputs["output_0"][0] += 1
    references_path(output).write_bytes(references.to_bytes())
    examined = call(doctor, "--model", output)
    assert examined.code == 1
    assert "do not give the recorded outputs" in examined.out


def test_verify_names_missing_references(module: TwoInputs, examples: dict[str, Any], output: Path) -> None:
    prove(module, examples, output=output)
    references_path(output).unlink()
    called = call(verify, "--model", output)
    assert (called.code, called.out) == (3, "")
    assert "no references at" in called.err


def test_an_operation_is_refused_for_another_network(module: TwoInputs, examples: dict[str, Any], output: Path) -> None:
    prove(module, examples, output=output)
    called = call(verify, "--model", output, "--operation", "sum")
    assert called.code == 3
    assert "it has no operation" in called.err


# What else than floats.


def test_integers_and_booleans_must_be_equal(output: Path) -> None:
    module = Lambda(lambda ids, mask: (ids * 3 - 1, mask & (ids > 4), ids.float() * 0.5)).eval()
    examples = {"ids": np.arange(12).reshape(6, 2), "mask": np.arange(12).reshape(6, 2) % 3 > 0}
    proof = prove(module, examples, output=output, outputs=["next", "kept", "half"], rtol=0.5)
    assert [output.largest_difference for output in proof.parity.comparisons[0].outputs] == [0, 0, 0]
    model = onnx.load(output)
    for node in (node for node in model.graph.node if node.op_type == "Constant"):
        value = numpy_helper.to_array(node.attribute[0].t)
        if value == 3:
            node.attribute[0].t.CopyFrom(numpy_helper.from_array(value + 1, node.attribute[0].t.name))
    with pytest.raises(WorkError, match="output next differs by up to 11"):
        prove(module, examples, output=output, outputs=["next", "kept", "half"], rtol=0.5, model=model)


def test_infinities_that_are_the_same_pass(output: Path) -> None:
    module = Lambda(lambda x: x.masked_fill(x > 0.5, float("-inf"))).eval()
    assert prove(module, {"x": EXTRA}, output=output).parity


def test_float64_is_kept(output: Path) -> None:
    prove(Lambda(torch.sin).eval(), {"x": EXTRA.astype(np.float64)}, output=output)
    assert onnx.load(output).graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.DOUBLE


# Dimensions that are free beside the batch.


def test_a_free_length_is_proven_at_another_length_too(output: Path) -> None:
    module = nn.Sequential(nn.Embedding(20, 6), nn.Linear(6, 4)).eval()
    examples = {"text": GENERATOR.integers(0, 20, (8, 10))}
    proof = prove(module, examples, output=output, dynamic={"text": {1: "length"}})
    assert [dim.dim_param for dim in onnx.load(output).graph.input[0].type.tensor_type.shape.dim] == ["batch", "length"]
    assert any(row.engine.endswith("half as long") for row in proof.parity.comparisons)


def test_a_length_that_tracing_froze_is_refused(output: Path) -> None:
    module = Lambda(lambda x: x * 3 if int(x.shape[1]) == 6 else x * 2).eval()
    examples = {"x": GENERATOR.normal(size=(8, 6)).astype(np.float32)}
    with pytest.raises(WorkError, match="half as long"):
        prove(module, examples, output=output, dynamic={"x": {1: "length"}})
    assert not output.exists()


def test_a_length_that_torch_itself_does_not_take_is_told(output: Path) -> None:
    examples = {"x": GENERATOR.normal(size=(8, 6)).astype(np.float32)}
    with pytest.raises(CallError, match="dynamic: with these dimensions half as long, the module does not take"):
        prove(nn.Linear(6, 2).eval(), examples, output=output, dynamic={"x": {1: "length"}})


# Tolerances.


@pytest.mark.parametrize(
    ("tolerances", "passes"),
    [
        ({}, False),
        ({"atol": 0.07}, True),
        ({"rtol": 0.7}, True),
        ({"atol": {"score": 0.07}}, True),
        ({"atol": 1e-4}, False),
    ],
)
def test_tolerance_is_atol_plus_rtol_times_spread(
    module: TwoInputs, examples: dict[str, Any], output: Path, tolerances: dict[str, Any], passes: bool
) -> None:
    names = ["kind", "score"]
    proof = prove(module, examples, output=output, outputs=names)
    assert proof.parity.rules["score"].rule.tolerance == RTOL["float32"] * proof.parity.rules["score"].spread
    model = onnx.load(output)
    bias = next(tensor for tensor in model.graph.initializer if tensor.name == "score.bias")
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + np.float32(0.05), bias.name))
    if passes:
        prove(module, examples, output=output, outputs=names, model=model, **tolerances)
        return
    with pytest.raises(
        WorkError, match=r"score differs by up to 0\.05 .* is score \(Linear\), by 0\.05, ONNX node /score/Gemm"
    ):
        prove(module, examples, output=output, outputs=names, model=model, **tolerances)


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_a_tolerance_that_is_none_is_refused(
    module: TwoInputs, examples: dict[str, Any], output: Path, wrong: float
) -> None:
    for given in ({"atol": wrong}, {"rtol": {"output_0": wrong}}):
        with pytest.raises(CallError, match="expected a finite number of 0 or more"):
            prove(module, examples, output=output, **given)


# No empty proof.


@pytest.mark.parametrize("wide", [{"rtol": 1.0}, {"atol": 1e6}, {"atol": {"score": 10.0}}])
def test_a_tolerance_within_which_anything_passes_is_refused(
    module: TwoInputs, examples: dict[str, Any], output: Path, wide: dict[str, Any]
) -> None:
    with pytest.raises(CallError, match="as large as its spread over the examples"):
        prove(module, examples, output=output, outputs=["kind", "score"], **wide)


def test_a_module_that_ends_the_process_is_told(output: Path) -> None:
    with pytest.raises(CallError, match=r"does not take the examples .*: SystemExit: 3"):
        prove(Lambda(lambda _: sys.exit(3)).eval(), {"x": EXTRA}, output=output)


def test_an_output_that_may_be_constant_is_named_as_such(output: Path) -> None:
    module = Lambda(lambda x: (x * 2, torch.zeros_like(x) + 3)).eval()
    with pytest.raises(CallError, match=r"output flat varies by 0\.0e\+00 over the examples, around 3\.0e\+00"):
        prove(module, {"x": EXTRA}, output=output, outputs=["double", "flat"])
    prove(module, {"x": EXTRA}, output=output, outputs=["double", "flat"], constant=["flat"])


def test_labels_that_are_all_ties_prove_nothing(output: Path) -> None:
    module = Lambda(lambda x: torch.stack([x[:, 0], x[:, 0]], dim=1)).eval()
    with pytest.raises(CallError, match="no example has a clear label"):
        prove(module, {"x": EXTRA}, output=output, labels=["output"])


@pytest.mark.parametrize("axis", [0, 2, -1])
def test_an_axis_that_cannot_be_of_classes_is_refused(
    module: TwoInputs, examples: dict[str, Any], output: Path, axis: int
) -> None:
    with pytest.raises(CallError, match=f"axis {axis} of it cannot be that of class logits"):
        prove(module, examples, output=output, labels={"output_0": axis})


def test_labels_along_another_axis(output: Path) -> None:
    module = nn.Linear(3, 4).eval()
    examples = {"x": GENERATOR.normal(size=(8, 5, 3)).astype(np.float32)}
    proof = prove(module, examples, output=output, labels={"output": 2})
    assert proof.parity.comparisons[0].outputs[0].labels_compared == 40


# Which exporter.


def older(*_: object) -> Conversion:
    raise ConversionError("the older one: no such operator", "what torch says\nin many lines")


def test_the_newer_exporter_takes_what_the_older_cannot(
    module: TwoInputs, examples: dict[str, Any], output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prove_module, "exporters", lambda: [older, convert_by_torch_export])
    proof = prove(module, examples, output=output, opset=18)
    assert proof.exporter == TORCH_EXPORT
    model = onnx.load(output)
    assert [entry.version for entry in model.opset_import] == [18]
    assert model.ir_version == 8
    assert metadata_of(output)["proof.exporter"] == TORCH_EXPORT
    assert b".py" not in output.read_bytes()
    assert call(verify, "--model", output).code == 0


def test_the_newer_exporter_s_file_names_submodules_too(
    module: TwoInputs, examples: dict[str, Any], output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prove_module, "exporters", lambda: [convert_by_torch_export])
    prove(module, examples, output=output, opset=18)
    model = onnx.load(output)
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "mix.weight")
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * np.float32(1.01), weight.name))
    with pytest.raises(WorkError, match=r"the first submodule that differs is mix \(Linear\)"):
        prove(module, examples, output=output, model=model)


def test_the_newer_exporter_takes_inputs_of_a_starred_parameter(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove_module, "exporters", lambda: [convert_by_torch_export])
    prove(Lambda(lambda x, y: x * 2 + y).eval(), {"x": EXTRA, "y": EXTRA + 1}, output=output, opset=18)


def test_module_that_neither_converts_is_told_in_one_line_with_torch_s_text_beside(
    module: TwoInputs, examples: dict[str, Any], output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prove_module, "exporters", lambda: [older, older])
    with pytest.raises(
        WorkError,
        match=r"cannot be converted: the older one: no such operator; the older .*; opset 23 knows more operators",
    ) as caught:
        prove(module, examples, output=output)
    assert "\n" not in str(caught.value)
    assert caught.value.__notes__ == ["what torch says\nin many lines"] * 2
    assert not output.exists()


@pytest.mark.parametrize("opset", [16, 17])
def test_the_newer_exporter_s_graph_is_converted_down(
    module: TwoInputs, examples: dict[str, Any], output: Path, monkeypatch: pytest.MonkeyPatch, opset: int
) -> None:
    monkeypatch.setattr(prove_module, "exporters", lambda: [convert_by_torch_export])
    prove(module, examples, output=output, opset=opset)
    assert [entry.version for entry in onnx.load(output).opset_import] == [opset]


def test_a_conversion_down_that_keeps_another_opset_is_refused(
    module: TwoInputs, examples: dict[str, Any], output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prove_module, "exporters", lambda: [convert_by_torch_export])
    monkeypatch.setattr(convert_module, "convert_version", lambda model, _: model)
    with pytest.raises(WorkError, match=r"cannot be converted: the ONNX graph has opsets \[\('', 18\)\], expected"):
        prove(module, examples, output=output, opset=13)


# What a caller may get wrong, or somebody else's file may bring.


class Skips(nn.Module):
    """Has a parameter between two that have examples."""

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None, *, scale: torch.Tensor | None = None) -> Any:
        return x if mask is None else x * mask * (1 if scale is None else scale)


@pytest.mark.parametrize("names", [("x", "scale"), ("mask",)])
def test_an_input_is_never_given_to_another_parameter(output: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(CallError, match="inputs are given in order"):
        prove(Skips().eval(), dict.fromkeys(names, EXTRA), output=output)


def test_a_free_dimension_of_length_one_cannot_be_tried(output: Path) -> None:
    with pytest.raises(CallError, match="length is 1 in the examples of x"):
        prove(Lambda(torch.sin).eval(), {"x": EXTRA[:, :1]}, output=output, dynamic={"x": {1: "length"}})


def test_a_file_of_another_tool_is_tidied_and_nothing_of_a_machine_stays(
    module: TwoInputs, examples: dict[str, Any], output: Path
) -> None:
    prove(module, examples, output=output)
    theirs = onnx.load(output)
    theirs.ir_version += 2
    theirs.opset_import[0].domain = "ai.onnx"
    theirs.opset_import.insert(0, onnx.helper.make_opsetid("ai.onnx.ml", 3))
    theirs.doc_string = theirs.graph.doc_string = theirs.graph.node[0].doc_string = "/home/alice/net.py"
    theirs.graph.input[0].doc_string = theirs.graph.initializer[0].doc_string = "/home/alice/net.py"
    theirs.graph.node[0].metadata_props.add(key="stack", value="/home/alice/net.py")
    prove(module, examples, output=output, model=theirs)
    assert b"alice" not in output.read_bytes()
    assert onnx.load(output).ir_version == 8
    assert theirs.doc_string == "/home/alice/net.py"  # what was given stays as it is


@pytest.mark.parametrize("wrong", ["net.onnx", b"bytes", 3])
def test_a_model_that_is_no_graph_is_told(
    module: TwoInputs, examples: dict[str, Any], output: Path, wrong: Any
) -> None:
    with pytest.raises(CallError, match=r"expected an onnx\.ModelProto"):
        prove(module, examples, output=output, model=wrong)


def test_an_output_that_mixes_sizes_is_warned_of(output: Path) -> None:
    module = Lambda(lambda x: torch.cat([x * 1e4, torch.sigmoid(x)], dim=1)).eval()
    (warning,) = prove(module, {"x": EXTRA}, output=output).warnings
    assert warning.startswith("3 columns of output output vary by less than ten times its tolerance")
    assert prove(Lambda(torch.sigmoid).eval(), {"x": EXTRA}, output=output).warnings == ()


def test_small_columns_are_seen_along_any_axis(output: Path) -> None:
    module = Lambda(lambda x: torch.stack([x * 1e4, torch.sigmoid(x)], dim=2)).eval()  # [rows, places, 2]
    (warning,) = prove(module, {"x": EXTRA}, output=output).warnings
    assert warning.startswith("1 columns of output output vary")


def test_a_module_can_be_trained_afterwards(output: Path) -> None:
    module = nn.Sequential(nn.LazyLinear(4), nn.Tanh(), nn.Linear(4, 2)).eval()
    prove(module, {"x": EXTRA}, output=output)
    module.train()(torch.from_numpy(EXTRA)).sum().backward()
    assert module[0].weight.grad is not None


def test_one_output_may_be_named_by_its_name_alone(output: Path) -> None:
    proof = prove(nn.Linear(3, 4).eval(), {"x": EXTRA}, output=output, outputs="kind", labels="kind")
    assert proof.parity.labels_compared > 0


@pytest.mark.parametrize(
    "value", [torch.eye(3).to_sparse(), torch.zeros(4, 3, device="meta"), torch.zeros(4, 3).to(torch.float8_e5m2)]
)
def test_tensors_that_numpy_does_not_have_are_told(output: Path, value: torch.Tensor) -> None:
    with pytest.raises(CallError, match="input x cannot be brought to numpy"):
        prove(nn.Linear(3, 4).eval(), {"x": value}, output=output)


def test_a_sparse_output_is_told(output: Path) -> None:
    with pytest.raises(CallError, match="output output is a sparse or nested tensor"):
        prove(Lambda(lambda x: x.to_sparse()).eval(), {"x": EXTRA}, output=output)


def test_a_damaged_graph_is_told_in_one_line(module: TwoInputs, examples: dict[str, Any], output: Path) -> None:
    prove(module, examples, output=output)
    model = onnx.load(output)
    model.graph.initializer[0].data_type = 119
    with pytest.raises(WorkError, match="onnx's checker refuses the ONNX graph") as caught:
        prove(module, examples, output=output, model=model)
    assert "\n" not in str(caught.value)


def test_a_sparse_buffer_has_a_part_in_the_hash(output: Path) -> None:
    module = nn.Linear(3, 2).eval()
    module.register_buffer("table", torch.eye(3).to_sparse())
    prove(module, {"x": EXTRA}, output=output)
    assert len(metadata_of(output)["proof.module_sha256"]) == 64


# What stands there already.


def test_a_refusal_leaves_old_files_as_they_are(module: TwoInputs, examples: dict[str, Any], output: Path) -> None:
    output.write_bytes(b"old")
    references_path(output).write_bytes(b"old references")
    with pytest.raises(WorkError):
        prove(module, examples, output=output, rtol=1e-12)
    assert output.read_bytes() == b"old"
    assert references_path(output).read_bytes() == b"old references"
    assert len(list(output.parent.iterdir())) == 2

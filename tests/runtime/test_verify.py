"""`mnistsum-verify`: two answers kept apart, each with something that makes it fail, and what they leave behind."""

import json
import os
import platform
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from calling import call
from mnistsum_runtime.commands.verify import command
from mnistsum_runtime.contract import FP32, INT8
from mnistsum_runtime.errors import ModelError, PictureError
from mnistsum_runtime.measure import samples as samples_module
from mnistsum_runtime.measure.recorded import Recorded, Sample, attach
from mnistsum_runtime.measure.samples import prepare_samples, verify_answers, verify_preparation
from mnistsum_runtime.model import find_model, open_model, shipped_model
from mnistsum_runtime.operations import SUM
from mnistsum_runtime.predictor import Predictor
from mnistsum_runtime.preparation.prepare import prepare_picture
from mnistsum_runtime.preparation.prepared import PreparedPicture
from mnistsum_runtime.proof.comparison import Rule
from mnistsum_runtime.proof.references import References, references_path
from mnistsum_runtime.proof.verification import verify_inference
from recording import old_arrays, record, recorded, write_recorded
from tiny_model import make_tiny_model


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.onnx"
    write_recorded(path)
    return path


@pytest.fixture
def references(model_path: Path) -> References:
    return record(open_model(model_path))


@pytest.fixture
def samples(model_path: Path) -> tuple[Sample, ...]:
    return recorded(open_model(model_path)).samples


def with_samples(references: References, samples: tuple[Sample, ...]) -> References:
    attachments, notes = attach(samples)
    return replace(references, attachments=attachments, notes=notes)


def nudged_model(by: float) -> onnx.ModelProto:
    """The tiny model with every element of its largest weight tensor moved."""
    model = make_tiny_model()
    largest = max(
        (tensor for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT),
        key=lambda tensor: np.prod(tensor.dims),
    )
    largest.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(largest) + np.float32(by), largest.name))
    return model


def shifted(grey: NDArray[np.uint8], name: str = "the picture") -> PreparedPicture:
    prepared = prepare_picture(grey, name)
    return prepared._replace(field=np.roll(prepared.field, 1, axis=1))


def test_unchanged_model_passes_both(model_path: Path) -> None:
    called = call(command, "--model", model_path)
    assert called.code == 0
    assert called.err == ""
    assert "preparation passed: 3 of 3 pictures" in called.out
    assert "inference passed: 120 references" in called.out
    assert "answers passed: 3 of 3 pictures" in called.out
    assert called.out.endswith("\nverified\n")


def test_nudged_weights_fail_inference_and_not_preparation(model_path: Path, references: References) -> None:
    model_path.write_bytes(nudged_model(3e-3).SerializeToString())
    nudged = open_model(model_path)
    rebound = replace(references, model_sha256=nudged.sha256())
    references_path(model_path).write_bytes(rebound.to_bytes())
    samples = Recorded.of(rebound).samples
    assert verify_preparation(samples, prepare_samples(samples))
    assert not verify_inference(nudged.session, rebound)
    called = call(command, "--model", model_path)
    assert called.code == 1
    assert "preparation passed" in called.out
    assert "inference FAILED" in called.out
    assert called.out.endswith("\nNOT VERIFIED\n")


def test_nudged_weights_are_refused_by_their_hash_first(model_path: Path) -> None:
    model_path.write_bytes(nudged_model(3e-3).SerializeToString())
    called = call(command, "--model", model_path)
    assert (called.code, called.out) == (3, "")
    assert "belong to another model" in called.err


def test_preparation_off_by_one_pixel_fails_preparation_and_not_inference(
    model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples_module, "prepare_picture", shifted)
    called = call(command, "--model", model_path)
    assert called.code == 1
    assert "preparation FAILED: 0 of 3 pictures" in called.out
    assert "inference passed" in called.out


@pytest.mark.parametrize(("change", "passes"), [(1e-5, True), (1 / 255, False), (float("nan"), False)])
def test_preparation_may_differ_by_less_than_a_grey_level(
    samples: tuple[Sample, ...], change: float, passes: bool
) -> None:
    first, *others = samples
    ink = first.ink.copy()
    ink[14, 14] += np.float32(change)
    changed = (replace(first, ink=ink), *others)
    assert bool(verify_preparation(changed, prepare_samples(changed))) is passes


def test_picture_that_cannot_be_prepared_is_a_failure_with_its_reason(
    model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_decoder(content: bytes, name: str) -> NDArray[np.uint8]:
        raise PictureError("truncated", f"{name}: decoder png not available")

    monkeypatch.setattr(samples_module, "read_picture", no_decoder)
    called = call(command, "--model", model_path, "--json")
    assert called.code == 1
    row = json.loads(called.out)["preparation"]["pictures"][0]
    assert row == {
        "name": "2.png",
        "largest_difference": None,
        "error": "2.png: decoder png not available",
        "passed": False,
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [("digit", 9), ("sum", 0), ("reliable", False), ("reason", "looks like no digit"), ("digit_confidence", 0.5)],
)
def test_an_answer_that_is_not_the_recorded_one_fails_the_answers_alone(
    model_path: Path, references: References, samples: tuple[Sample, ...], field: str, value: object
) -> None:
    first, *others = samples
    assert first.answer is not None
    changed = replace(first, answer=first.answer | {field: value})
    references_path(model_path).write_bytes(with_samples(references, (changed, *others)).to_bytes())
    called = call(command, "--model", model_path)
    assert called.code == 1
    assert "preparation passed" in called.out
    assert "inference passed" in called.out
    assert f"answers FAILED: 2 of 3 pictures, confidences within 0.001\n  2.png {'':<22}{field} " in called.out


@pytest.mark.parametrize(("change", "passes"), [(0.0009, True), (0.0011, False)])
def test_confidences_of_answers_may_differ_by_the_tolerance(
    model_path: Path, samples: tuple[Sample, ...], change: float, passes: bool
) -> None:
    first = samples[0]
    assert first.answer is not None
    moved = replace(first, answer=first.answer | {"sum_confidence": first.answer["sum_confidence"] - change})
    assert bool(verify_answers(Predictor(model_path), (moved,), prepare_samples((moved,)), 1e-3)) is passes


@pytest.mark.parametrize("output", ["digit", "sum"])
@pytest.mark.parametrize(("change", "passes"), [(5e-5, True), (2e-4, False), (float("nan"), False)])
def test_each_output_is_held_to_the_tolerance(
    model_path: Path, references: References, output: str, change: float, passes: bool
) -> None:
    changed = references.outputs[output].copy()
    changed[60, 3] += np.float32(change)
    result = verify_inference(
        open_model(model_path).session, replace(references, outputs=references.outputs | {output: changed})
    )
    assert bool(result) is passes
    assert [compared.passed for compared in result.outputs].count(False) == (0 if passes else 1)


def swap_best(logits: NDArray[np.float32], row: int) -> NDArray[np.float32]:
    """Move one row by its margin and a hair, so that its label is another."""
    changed = logits.copy()
    second, best = changed[row].argsort()[-2:]
    changed[row, second] = changed[row, best] + np.float32(1e-6)
    return changed


@pytest.mark.parametrize(
    ("precision", "row", "equal"), [(FP32, 110, 119), (INT8, 110, 100), (FP32, 10, 119), (INT8, 10, 99)]
)
def test_labels_count_of_all_references_for_fp32_and_of_real_digits_for_int8(
    model_path: Path, precision: str, row: int, equal: int
) -> None:
    opened = open_model(model_path)
    references = record(opened, precision)
    changed = references.outputs | {"digit": swap_best(references.outputs["digit"], row)}
    digit = verify_inference(opened.session, replace(references, outputs=changed)).outputs[0]
    assert (digit.labels_compared, digit.labels_equal) == (100 if precision == INT8 else 120, equal)
    assert not digit.passed


def test_label_that_the_tolerance_leaves_open_is_a_tie_and_passes(model_path: Path, references: References) -> None:
    changed = references.outputs | {"digit": swap_best(references.outputs["digit"], 10)}
    rules = references.rules | {"digit": Rule(1e6, 1)}
    result = verify_inference(open_model(model_path).session, replace(references, outputs=changed, rules=rules))
    assert (result.outputs[0].labels_equal, result.outputs[0].labels_tied) == (119, 1)
    assert result


@pytest.mark.parametrize("precision", [FP32, INT8])
def test_references_of_the_format_before_are_read_and_verify(model_path: Path, precision: str) -> None:
    if precision == INT8:
        model = make_tiny_model()
        model.metadata_props.add(key="mnistsum.precision", value=INT8)
        model_path.write_bytes(model.SerializeToString())
    opened = open_model(model_path)
    np.savez(references_path(model_path), **old_arrays(opened, precision))  # type: ignore[arg-type]
    called = call(command, "--model", model_path, "--json")
    assert called.code == 0, called.err
    found = json.loads(called.out)
    assert found["inference"]["pairs"] == 120
    assert found["inference"]["outputs"][1]["labels_compared"] == (100 if precision == INT8 else 120)
    assert len(found["preparation"]["pictures"]) == 3
    assert found["answers"] is None


def test_json_is_one_object_with_the_documented_fields(model_path: Path) -> None:
    called = call(command, "--model", model_path, "--json")
    assert called.code == 0
    assert called.out.count("\n") == 1
    record = json.loads(called.out)
    fields = ["passed", "model", "here", "references_made_with", "preparation", "inference", "answers"]
    assert list(record) == fields
    assert record["passed"] is True
    assert record["model"] == {
        "file": str(model_path),
        "operation": "sum",
        "precision": "fp32",
        "sha256": open_model(model_path).sha256(),
    }
    versions = {"mnistsum", "onnxruntime", "numpy", "Pillow", "python", "machine", "system"}
    assert set(record["here"]) == versions | {"host", "board"}
    assert record["here"]["host"] == platform.node()
    assert set(record["preparation"]) == {"passed", "tolerance", "pictures"}
    assert set(record["inference"]) == {"passed", "tolerance", "pairs", "outputs"}
    assert [output["name"] for output in record["inference"]["outputs"]] == ["digit", "sum"]
    assert set(record["inference"]["outputs"][0]) == {
        "name",
        "largest_difference",
        "tolerance",
        "labels_compared",
        "labels_equal",
        "labels_tied",
        "labels_as_fp32",
        "passed",
    }


def test_not_a_number_is_null_in_json(model_path: Path, references: References, samples: tuple[Sample, ...]) -> None:
    outputs = references.outputs | {"digit": np.full_like(references.outputs["digit"], np.nan)}
    first, *others = samples
    forged = with_samples(references, (replace(first, ink=np.full_like(first.ink, np.inf)), *others))
    forged = replace(forged, outputs=outputs)
    references_path(model_path).write_bytes(forged.to_bytes())
    called = call(command, "--model", model_path, "--json")
    assert called.code == 1

    def refuse(constant: str) -> object:
        raise AssertionError(constant)

    record = json.loads(called.out, parse_constant=refuse)
    assert record["inference"]["outputs"][0]["largest_difference"] is None
    assert record["preparation"]["pictures"][0]["largest_difference"] is None


def test_more_threads_than_onnxruntime_takes_are_a_wrong_call(model_path: Path) -> None:
    called = call(command, "--model", model_path, "--threads", "5000")
    assert called.code == 2
    assert "1<=x<=256" in called.err


@pytest.mark.parametrize("other", [np.float32(1), np.zeros((1, 3)), np.zeros((1, 10), np.float64)])
def test_answers_of_another_shape_are_a_bad_model(references: References, other: Any) -> None:
    class Session:
        def run(self, *_: object) -> list[Any]:
            return [other, other]

    with pytest.raises(ModelError, match="does not answer as its references say"):
        verify_inference(Session(), references)


def test_metadata_that_is_no_text_is_exit_3_and_one_line(model_path: Path) -> None:
    content = model_path.read_bytes()
    assert content.count(b"mnistsum.operation") == 1
    model_path.write_bytes(content.replace(b"mnistsum.operation", b"mnistsum.operati\xff\xfe"))
    called = call(command, "--model", model_path)
    assert (called.code, called.out, called.err.count("\n")) == (3, "", 1)
    assert "its metadata is not text" in called.err


@pytest.mark.parametrize("what", ["model", "references"])
def test_missing_file_is_exit_3_and_one_line(model_path: Path, what: str) -> None:
    (model_path if what == "model" else references_path(model_path)).unlink()
    called = call(command, "--model", model_path, "--json")
    assert (called.code, called.out) == (3, "")
    assert called.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [("--threads", 0), ("--nonsense",), ("surplus",)])
def test_wrong_call_is_exit_2(arguments: tuple[object, ...]) -> None:
    assert call(command, *arguments).code == 2


def test_int8_names_the_shipped_int8_model_and_a_path_is_a_path() -> None:
    assert find_model(None) == shipped_model()
    assert find_model("int8") == shipped_model(SUM, INT8)
    assert Path(find_model("int8")).name == "mnistsum-sum-int8.onnx"
    assert find_model("./int8") == "./int8"
    assert find_model(Path("a.onnx")) == "a.onnx"


def test_process_ends_with_the_code_and_needs_neither_torch_nor_onnx(model_path: Path) -> None:
    script = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('torch', 'onnx'): raise AssertionError(name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "from mnistsum_runtime.commands.verify import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "--model", str(model_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("verified\n")

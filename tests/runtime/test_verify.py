"""`mnistsum-verify`: two answers kept apart, each with something that makes it fail, and what they leave behind."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from calling import call
from mnistsum_runtime.commands.verify import command
from mnistsum_runtime.contract import FP32, INT8
from mnistsum_runtime.errors import PictureError
from mnistsum_runtime.model import find_model, open_model, shipped_model
from mnistsum_runtime.operations import SUM
from mnistsum_runtime.preparation.prepare import prepare
from mnistsum_runtime.proof import verification
from mnistsum_runtime.proof.references import References, references_path
from mnistsum_runtime.proof.verification import verify_inference, verify_preparation
from recording import record, write_recorded
from tiny_model import make_tiny_model


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.onnx"
    write_recorded(path)
    return path


@pytest.fixture
def references(model_path: Path) -> References:
    return record(open_model(model_path))


def nudged_model(by: float) -> onnx.ModelProto:
    """The tiny model with every element of its largest weight tensor moved."""
    model = make_tiny_model()
    largest = max(
        (tensor for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT),
        key=lambda tensor: np.prod(tensor.dims),
    )
    largest.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(largest) + np.float32(by), largest.name))
    return model


def shifted(grey: NDArray[np.uint8], name: str = "the picture") -> NDArray[np.float32]:
    return np.roll(prepare(grey, name), 1, axis=1)


def test_unchanged_model_passes_both(model_path: Path) -> None:
    called = call(command, "--model", model_path)
    assert called.code == 0
    assert called.err == ""
    assert "preparation passed: 3 of 3 pictures" in called.out
    assert "inference passed: 120 references" in called.out
    assert called.out.endswith("\nverified\n")


def test_nudged_weights_fail_inference_and_not_preparation(model_path: Path, references: References) -> None:
    model_path.write_bytes(nudged_model(3e-3).SerializeToString())
    nudged = open_model(model_path)
    rebound = replace(references, model_sha256=nudged.sha256())
    references_path(model_path).write_bytes(rebound.to_bytes())
    assert verify_preparation(rebound)
    assert not verify_inference(nudged, rebound)
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
    monkeypatch.setattr(verification, "prepare", shifted)
    called = call(command, "--model", model_path)
    assert called.code == 1
    assert "preparation FAILED: 0 of 3 pictures" in called.out
    assert "inference passed" in called.out


@pytest.mark.parametrize(("change", "passes"), [(1e-5, True), (1 / 255, False), (float("nan"), False)])
def test_preparation_may_differ_by_less_than_a_grey_level(references: References, change: float, passes: bool) -> None:
    first, *others = references.samples
    ink = first.ink.copy()
    ink[14, 14] += np.float32(change)
    changed = replace(references, samples=(replace(first, ink=ink), *others))
    assert bool(verify_preparation(changed)) is passes


def test_picture_that_cannot_be_prepared_is_a_failure_with_its_reason(
    model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_decoder(content: bytes, name: str) -> NDArray[np.uint8]:
        raise PictureError("truncated", f"{name}: decoder png not available")

    monkeypatch.setattr(verification, "read_picture", no_decoder)
    called = call(command, "--model", model_path, "--json")
    assert called.code == 1
    row = json.loads(called.out)["preparation"]["pictures"][0]
    assert row == {
        "name": "2.png",
        "largest_difference": None,
        "error": "2.png: decoder png not available",
        "passed": False,
    }


@pytest.mark.parametrize("logits", ["digit_logits", "value_logits"])
@pytest.mark.parametrize(("change", "passes"), [(5e-5, True), (2e-4, False), (float("nan"), False)])
def test_each_output_is_held_to_the_tolerance(
    model_path: Path, references: References, logits: str, change: float, passes: bool
) -> None:
    changed = getattr(references, logits).copy()
    changed[60, 3] += np.float32(change)
    result = verify_inference(open_model(model_path), replace(references, **{logits: changed}))
    assert bool(result) is passes
    assert [output.passed for output in result.outputs].count(False) == (0 if passes else 1)


def swap_best(logits: NDArray[np.float32], row: int) -> NDArray[np.float32]:
    """Move one row by its margin and a hair, so that its label is another."""
    changed = logits.copy()
    second, best = changed[row].argsort()[-2:]
    changed[row, second] = changed[row, best] + np.float32(1e-6)
    return changed


@pytest.mark.parametrize(
    ("precision", "row", "passes"), [(FP32, 110, False), (INT8, 110, True), (FP32, 10, False), (INT8, 10, False)]
)
def test_labels_count_of_all_references_for_fp32_and_of_real_digits_for_int8(
    model_path: Path, references: References, precision: str, row: int, passes: bool
) -> None:
    changed = replace(
        references, precision=precision, tolerance=1e6, digit_logits=swap_best(references.digit_logits, row)
    )
    assert bool(verify_inference(open_model(model_path), changed)) is passes


def test_json_is_one_object_with_the_documented_fields(model_path: Path) -> None:
    called = call(command, "--model", model_path, "--json")
    assert called.code == 0
    assert called.out.count("\n") == 1
    record = json.loads(called.out)
    assert list(record) == ["passed", "model", "here", "references_made_with", "preparation", "inference"]
    assert record["passed"] is True
    assert record["model"] == {
        "file": str(model_path),
        "operation": "sum",
        "precision": "fp32",
        "sha256": open_model(model_path).sha256(),
    }
    assert set(record["here"]) == {"mnistsum", "onnxruntime", "numpy", "Pillow", "python", "machine", "system"}
    assert set(record["preparation"]) == {"passed", "tolerance", "pictures"}
    assert set(record["inference"]) == {"passed", "tolerance", "pairs", "outputs"}
    assert [output["name"] for output in record["inference"]["outputs"]] == ["digit", "sum"]
    assert set(record["inference"]["outputs"][0]) == {
        "name",
        "largest_difference",
        "labels_compared",
        "labels_equal",
        "labels_as_fp32",
        "passed",
    }


def test_not_a_number_is_null_in_json(model_path: Path, references: References) -> None:
    logits = np.full_like(references.digit_logits, np.nan)
    first, *others = references.samples
    samples = (replace(first, ink=np.full_like(first.ink, np.inf)), *others)
    forged = replace(references, digit_logits=logits, samples=samples)
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

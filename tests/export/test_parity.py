"""Parity holds for the file as exported, and for nothing that answers otherwise."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper

from exporting import measure, swap_outputs
from mnistsum_export.proof.examples import rows_of
from mnistsum_export.proof.parity import Case, Comparison, EngineError, Parity
from mnistsum_export.proof.rules import OutputRule
from mnistsum_export.proof.subject import Subject
from mnistsum_runtime.errors import WorkError
from mnistsum_runtime.proof.comparison import OutputComparison

PASSED = Comparison("engine", 64, 100, (OutputComparison("digit", 1e-6, 1e-4, 100, 100, 0, True),))
FAILED = Comparison("other", 7, 50, (OutputComparison("digit", 3e-4, 1e-4, 50, 49, 0, False),))
RULES = {"digit": OutputRule(1.0, 1e-4, 0, 1)}


def with_changed_weights(model: ModelProto, change: Callable[[NDArray[np.float32]], None]) -> bytes:
    """The model after `change` of its largest tensor."""
    changed = ModelProto()
    changed.CopyFrom(model)
    floats = [tensor for tensor in changed.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT]
    largest = max(floats, key=lambda tensor: int(np.prod(tensor.dims)))
    values = numpy_helper.to_array(largest).copy()
    change(values)
    largest.CopyFrom(numpy_helper.from_array(values, largest.name))
    content: bytes = changed.SerializeToString()
    return content


def with_truth(subject: Subject, **truth: NDArray[np.float32]) -> Subject:
    """As if torch had answered something else."""
    return replace(subject, case=Case(subject.case.examples, dict(subject.case.truth) | truth))


def with_tolerance(subject: Subject, tolerance: float) -> Subject:
    return replace(subject, rules={name: replace(rule, atol=tolerance) for name, rule in subject.rules.items()})


@pytest.fixture(scope="module")
def parity(converted: ModelProto, subject: Subject) -> Parity:
    return measure(subject, converted)


def test_examples_tell_networks_apart(subject: Subject) -> None:
    """Were all answers alike, agreement would mean nothing."""
    for logits in subject.case.truth.values():
        assert len(np.unique(logits.argmax(1))) > 3
        assert logits.std(axis=0).min() > 0.05


def test_converted_graph_answers_as_torch_does(parity: Parity, subject: Subject) -> None:
    assert parity
    assert parity.rows == rows_of(subject.case.examples)
    for name in ("digit", "sum"):
        assert parity.largest_difference(name) > 0  # two engines were compared, not one with itself


def test_engines_and_batches_are_all_there(parity: Parity) -> None:
    found = {(row.engine, row.batch) for row in parity.comparisons}
    onnxruntime = {(f"onnxruntime, {level}", batch) for level in ("optimised", "as written") for batch in (1, 2, 7, 64)}
    assert found == onnxruntime | {("onnx.reference", 7)}
    assert all(row.rows == parity.rows for row in parity.comparisons if row.batch == 64)
    assert all(row.rows >= 140 for row in parity.comparisons)
    assert parity.no_reference is None


def test_nudged_weight_fails_in_every_comparison(converted: ModelProto, subject: Subject) -> None:
    def nudge(values: NDArray[np.float32]) -> None:
        values += np.float32(3e-3)

    nudged = measure(subject, with_changed_weights(converted, nudge))
    assert not nudged
    assert not any(nudged.comparisons)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("tolerance", [1e-4, 1e9])
def test_not_a_number_fails_within_any_tolerance(converted: ModelProto, subject: Subject, tolerance: float) -> None:
    def spoil(values: NDArray[np.float32]) -> None:
        values.flat[0] = np.nan

    assert not measure(with_tolerance(subject, tolerance), with_changed_weights(converted, spoil))


def test_not_a_number_fails_also_where_torch_has_one(converted: ModelProto, subject: Subject) -> None:
    digit = subject.case.truth["digit"].copy()
    digit[0, 0] = np.nan
    assert not measure(with_tolerance(with_truth(subject, digit=digit), 1e9), converted)


def test_outputs_of_other_shapes_are_told(converted: ModelProto, subject: Subject) -> None:
    swapped = ModelProto()
    swapped.CopyFrom(converted)
    swap_outputs(swapped)
    with pytest.raises(WorkError, match=r"answers otherwise than torch: output digit is float32 \[420, 19\]") as caught:
        measure(subject, swapped)
    assert "\n" not in str(caught.value)


def test_engine_that_fails_at_its_first_answer_is_told(converted: ModelProto, subject: Subject) -> None:
    frozen = ModelProto()
    frozen.CopyFrom(converted)
    frozen.graph.initializer.append(numpy_helper.from_array(np.array([3, 10], np.int64), "three"))
    frozen.graph.node.insert(0, onnx.helper.make_node("Reshape", ["number", "three"], ["only_three"]))
    for node in frozen.graph.node[1:]:
        node.input[:] = ["only_three" if name == "number" else name for name in node.input]
    with pytest.raises(EngineError, match=r"onnxruntime, optimised cannot run the file at batch 64: .*Reshape"):
        measure(subject, frozen)


def closest_pair(subject: Subject) -> tuple[NDArray[np.float32], float]:
    """The digit's logits with the two best of the closest row in each other's place, and how far these are apart."""
    digit = subject.case.truth["digit"].copy()
    two_best = np.sort(digit, axis=1)[:, -2:]
    closest = int((two_best[:, 1] - two_best[:, 0]).argmin())
    first, second = digit[closest].argsort()[-2:]
    digit[closest, [first, second]] = digit[closest, [second, first]]
    return digit, float(two_best[closest, 1] - two_best[closest, 0])


def test_label_that_the_tolerance_leaves_open_is_counted_as_a_tie(converted: ModelProto, subject: Subject) -> None:
    digit, gap = closest_pair(subject)
    result = measure(with_tolerance(with_truth(subject, digit=digit), 1.1 * gap + 1e-5), converted)
    assert result
    row = result.comparisons[0]
    assert (row.outputs[0].labels_equal, row.outputs[0].labels_tied) == (419, 1)
    assert "1 of 840 DIFFER" in str(result)


def test_label_that_differs_by_more_than_the_tolerance_fails(converted: ModelProto, subject: Subject) -> None:
    digit, gap = closest_pair(subject)
    result = measure(with_tolerance(with_truth(subject, digit=digit), 0.4 * gap), converted)
    assert not result
    assert result.comparisons[0].outputs[0].labels_tied == 0


def test_one_failed_comparison_fails_the_whole() -> None:
    whole = Parity(100, RULES, (PASSED, PASSED))
    assert whole
    assert "parity passed" in str(whole)
    broken = replace(whole, comparisons=(PASSED, FAILED))
    assert not broken
    assert not broken.to_dict()["passed"]
    assert "parity FAILED" in str(broken)


def test_receipt_sums_up_the_comparisons() -> None:
    receipt = Parity(100, RULES, (PASSED, FAILED)).to_dict()
    assert receipt["outputs"]["digit"]["largest_difference"] == 3e-4
    assert receipt["outputs"]["digit"]["tolerance"] == 1e-4
    assert (receipt["labels_compared"], receipt["labels_equal"]) == (150, 149)
    assert len(receipt["comparisons"]) == 2


def test_difference_that_is_no_number_is_null_in_the_receipt() -> None:
    nan = replace(FAILED, outputs=(replace(FAILED.outputs[0], largest_difference=float("nan")),))
    receipt = Parity(100, RULES, (PASSED, nan)).to_dict()
    assert receipt["outputs"]["digit"]["largest_difference"] is None
    assert receipt["comparisons"][1]["outputs"][0]["largest_difference"] is None

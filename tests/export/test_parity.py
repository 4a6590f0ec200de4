"""Parity holds for the file as exported, and for nothing that answers otherwise."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper

from exporting import swap_outputs
from mnistsum_export.network.export import require
from mnistsum_export.network.probes import Probes
from mnistsum_export.proof.parity import Comparison, Logits, Parity, measure_parity
from mnistsum_runtime.errors import WorkError

TOLERANCE = 1e-4

PASSED = Comparison("engine", 64, 100, 1e-6, 1e-6, 100)


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


@pytest.fixture(scope="module")
def parity(converted: ModelProto, probes: Probes, truth: Logits) -> Parity:
    return measure_parity(converted.SerializeToString(), probes, truth, TOLERANCE, "sum")


def test_probes_tell_networks_apart(truth: Logits) -> None:
    """Were all answers alike, agreement would mean nothing."""
    for logits in truth:
        assert len(np.unique(logits.argmax(1))) > 3
        assert logits.std(axis=0).min() > 0.05


def test_converted_graph_answers_as_torch_does(parity: Parity, probes: Probes) -> None:
    assert parity
    assert parity.pairs == len(probes)
    assert max(row.digit_difference for row in parity.comparisons) > 0  # two engines were compared, not one with itself


def test_engines_and_batches_are_all_there(parity: Parity) -> None:
    found = {(row.engine, row.batch) for row in parity.comparisons}
    optimised = {(f"onnxruntime, {level}", batch) for level in ("optimised", "as written") for batch in (1, 2, 7, 64)}
    assert found == optimised | {("onnx.reference", 7)}
    assert all(row.pairs == parity.pairs for row in parity.comparisons if row.batch == 64)
    assert all(row.pairs >= 74 for row in parity.comparisons)


def test_nudged_weight_fails(converted: ModelProto, probes: Probes, truth: Logits) -> None:
    def nudge(values: NDArray[np.float32]) -> None:
        values += np.float32(3e-3)

    nudged = measure_parity(with_changed_weights(converted, nudge), probes, truth, TOLERANCE, "sum")
    assert not nudged
    assert not any(row.passed(TOLERANCE) for row in nudged.comparisons)
    with pytest.raises(WorkError, match=r"^parity not reached by onnxruntime, optimised at batch 64: logits differ by"):
        require(nudged)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_not_a_number_fails(converted: ModelProto, probes: Probes, truth: Logits) -> None:
    def spoil(values: NDArray[np.float32]) -> None:
        values.flat[0] = np.nan

    content = with_changed_weights(converted, spoil)
    assert not measure_parity(content, probes, truth, TOLERANCE, "sum")
    assert not measure_parity(content, probes, truth, 1e9, "sum")


def test_not_a_number_fails_also_where_torch_has_one(converted: ModelProto, probes: Probes, truth: Logits) -> None:
    spoiled = (truth[0].copy(), truth[1])
    spoiled[0][0, 0] = np.nan
    assert not measure_parity(converted.SerializeToString(), probes, spoiled, 1e9, "sum")


def test_swapped_outputs_fail(converted: ModelProto, probes: Probes, truth: Logits) -> None:
    swapped = ModelProto()
    swapped.CopyFrom(converted)
    swap_outputs(swapped)
    with pytest.raises(WorkError, match="answers in shapes") as caught:
        measure_parity(swapped.SerializeToString(), probes, truth, TOLERANCE, "sum")
    assert "\n" not in str(caught.value)


def test_label_that_flips_within_the_tolerance_fails(converted: ModelProto, probes: Probes, truth: Logits) -> None:
    """The two best logits of the closest pair change places: every difference is within the tolerance."""
    digit = truth[0].copy()
    two_best = np.sort(digit, axis=1)[:, -2:]
    closest = int((two_best[:, 1] - two_best[:, 0]).argmin())
    gap = float(two_best[closest, 1] - two_best[closest, 0])
    first, second = digit[closest].argsort()[-2:]
    digit[closest, [first, second]] = digit[closest, [second, first]]
    tolerance = 1.1 * gap + 1e-5
    result = measure_parity(converted.SerializeToString(), probes, (digit, truth[1]), tolerance, "sum")
    assert not result
    assert max(row.digit_difference for row in result.comparisons) <= tolerance
    assert {row.pairs - row.labels_agree for row in result.comparisons if row.batch == 64} == {1}
    with pytest.raises(WorkError, match=r"1 of 420 labels differ"):
        require(result)


@pytest.mark.parametrize(
    "failed",
    [
        replace(PASSED, digit_difference=2e-4),
        replace(PASSED, value_difference=2e-4),
        replace(PASSED, digit_difference=float("nan")),
        replace(PASSED, value_difference=float("nan")),
        replace(PASSED, labels_agree=99),
    ],
)
def test_one_failed_comparison_fails_the_whole(failed: Comparison) -> None:
    whole = Parity(100, TOLERANCE, "sum", (PASSED, PASSED))
    assert whole
    require(whole)
    broken = replace(whole, comparisons=(PASSED, failed))
    assert not broken
    assert not broken.to_dict()["passed"]
    assert "FAILED" in str(broken)
    with pytest.raises(WorkError, match="nothing was written"):
        require(broken)


def test_receipt_sums_up_the_comparisons() -> None:
    worse = Comparison("other", 7, 50, 3e-6, 5e-7, 49)
    receipt = Parity(100, TOLERANCE, "sum", (PASSED, worse)).to_dict()
    assert receipt["largest_difference"] == {"digit": 3e-6, "sum": 1e-6}
    assert (receipt["labels_compared"], receipt["labels_agree"]) == (150, 149)
    assert len(receipt["comparisons"]) == 2

"""The table of opsets and releases can fail, and shows what was found."""

import pytest

from compat.table import FAILED, REFUSED, VERIFIED, Result, Row, find_problems, require_verified, to_markdown
from mnistsum_export.proof.opsets import oldest_onnxruntime, supported_opsets

GOOD = Result(VERIFIED, 1e-6, "")
NO = Result(REFUSED, None, "onnxruntime cannot load it")
WRONG = Result(FAILED, 0.3, "")


def row(old: Result, new: Result) -> Row:
    return Row(20, 9, "1.17", {"1.15.1": old, "1.17.3": new})


def test_a_table_as_promised_has_no_problems() -> None:
    assert find_problems([row(NO, GOOD)]) == []


@pytest.mark.parametrize("wrong", [row(NO, NO), row(NO, WRONG), row(GOOD, GOOD), row(WRONG, GOOD)])
def test_another_result_is_a_problem(wrong: Row) -> None:
    assert len(find_problems([wrong])) == 1


def test_no_results_are_a_problem() -> None:
    assert find_problems([])
    assert require_verified([], 20, "1.17.3")


def test_the_promised_pair_must_verify() -> None:
    assert require_verified([row(NO, GOOD)], 20, "1.17.3") == []
    assert require_verified([row(NO, GOOD)], 20, "1.15.1")
    assert require_verified([row(NO, GOOD)], 17, "1.17.3")


def test_markdown_shows_differences_refusals_and_versions() -> None:
    runtimes = [{"onnxruntime": version, "numpy": "1.26.0", "Pillow": "10.1.0"} for version in ("1.15.1", "1.17.3")]
    lines = to_markdown([row(NO, GOOD)], runtimes).splitlines()
    assert lines[0] == "| opset (IR version) | 1.15.1 | 1.17.3 |"
    assert lines[2] == "| 20 (9) | refused | 1.0e-06 |"


def test_every_supported_opset_has_an_oldest_onnxruntime() -> None:
    for opset in supported_opsets():
        assert oldest_onnxruntime(opset, 7)


def test_the_oldest_onnxruntime_follows_opset_and_ir_version() -> None:
    assert oldest_onnxruntime(17, 8) == "1.12"
    assert oldest_onnxruntime(17, 10) == "1.18"
    assert oldest_onnxruntime(23, 11) == "1.23"
    with pytest.raises(LookupError, match="opset 99"):
        oldest_onnxruntime(99, 8)

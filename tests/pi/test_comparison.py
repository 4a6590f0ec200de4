"""The Pi test can fail: each way in which a Pi could be wrong is found."""

from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from click import ClickException

from pi.comparison import check_other_verification, check_verification, compare_answers
from pi.readme import read_lines
from pi.run_on_pi import shipped_models
from pi.systems import DEBIAN_SYSTEMS, SYSTEMS

PI_4 = SYSTEMS[0]
ANSWER: dict[str, Any] = {
    "image": "seven.png",
    "number": 4,
    "digit": 7,
    "sum": 11,
    "digit_confidence": 0.9998,
    "sum_confidence": 0.9997,
    "consistent": True,
    "error": None,
}
REPORT: dict[str, Any] = {
    "passed": True,
    "model": {"operation": "sum", "precision": "fp32"},
    "here": {"machine": "aarch64", "python": "3.11.2"},
    "inference": {"outputs": [{"name": "digit", "largest_difference": 1e-6, "labels_equal": 9, "labels_compared": 9}]},
}


def test_equal_answers_have_no_differences() -> None:
    assert compare_answers([ANSWER], [ANSWER | {"digit_confidence": 0.9997}]) == []


@pytest.mark.parametrize(
    "change",
    [
        {"digit": 1},
        {"sum": 12},
        {"digit_confidence": 0.9},
        {"sum_confidence": None},
        {"consistent": False},
        {"error": {"kind": "truncated", "message": "cut off"}},
        {"image": "another.png"},
        {"product": 28},
    ],
)
def test_another_answer_is_found(change: dict[str, Any]) -> None:
    assert compare_answers([ANSWER], [ANSWER | change])


def test_missing_answers_are_found() -> None:
    assert compare_answers([ANSWER], [])
    assert compare_answers([], [])


OTHER = REPORT | {"model": {"file": "net.onnx", "operation": None, "precision": "fp32"}}


def test_verification_of_another_network_passes() -> None:
    assert check_other_verification(OTHER, PI_4) == []


@pytest.mark.parametrize(
    "change",
    [
        {"passed": False},
        {"model": {"file": "net.onnx", "operation": "sum", "precision": "fp32"}},
        {"here": {"machine": "x86_64", "python": "3.11.2"}},
        {"here": {"machine": "aarch64", "python": "3.13.5"}},
        {"inference": {"outputs": []}},
        {"inference": {"outputs": [REPORT["inference"]["outputs"][0] | {"labels_equal": 8}]}},
    ],
)
def test_what_is_wrong_with_another_network_is_found(change: dict[str, Any]) -> None:
    assert check_other_verification(OTHER | change, PI_4)


def test_a_32_bit_system_must_have_run_as_one() -> None:
    here = REPORT | {"here": {"machine": "armv7l", "python": "3.13.5"}}
    assert check_verification(here, "sum", "fp32", DEBIAN_SYSTEMS[0]) == []
    assert check_verification(REPORT, "sum", "fp32", DEBIAN_SYSTEMS[0])


@pytest.mark.parametrize(
    ("difference", "answers", "problems"), [(1.1e-4, True, 0), (1.3e-4, True, 1), (1.1e-4, False, 1)]
)
def test_what_is_known_to_differ_may_not_differ_by_more(difference: float, answers: bool, problems: int) -> None:
    output = REPORT["inference"]["outputs"][0] | {"largest_difference": difference}
    report = REPORT | {
        "passed": False,
        "model": {"operation": "product", "precision": "fp32"},
        "here": {"machine": "armv7l", "python": "3.13.5"},
        "inference": {"outputs": [output]},
        "preparation": {"passed": True},
        "answers": {"passed": answers},
    }
    assert len(check_verification(report, "product", "fp32", DEBIAN_SYSTEMS[0])) == problems
    pi_5 = report | {"here": {"machine": "aarch64", "python": "3.13.5"}}
    assert len(check_verification(pi_5, "product", "fp32", SYSTEMS[1])) == 2


def test_verification_on_the_right_system_passes() -> None:
    assert check_verification(REPORT, "sum", "fp32", PI_4) == []


@pytest.mark.parametrize(
    "change",
    [
        {"passed": False},
        {"model": {"operation": "sum", "precision": "int8"}},
        {"model": {"operation": "product", "precision": "fp32"}},
        {"here": {"machine": "x86_64", "python": "3.11.2"}},
        {"here": {"machine": "aarch64", "python": "3.1.1"}},
        {"inference": {"outputs": [REPORT["inference"]["outputs"][0] | {"largest_difference": 2e-4}]}},
        {"inference": {"outputs": [REPORT["inference"]["outputs"][0] | {"largest_difference": None}]}},
        {"inference": {"outputs": [REPORT["inference"]["outputs"][0] | {"labels_equal": 8}]}},
        {"inference": {"outputs": [REPORT["inference"]["outputs"][0] | {"labels_equal": 0, "labels_compared": 0}]}},
    ],
)
def test_another_verification_is_found(change: dict[str, Any]) -> None:
    assert check_verification(REPORT | change, "sum", "fp32", PI_4)


@pytest.mark.parametrize(
    ("names", "models"),
    [
        (["mnistsum-sum.onnx"], [("sum", "fp32")]),
        (
            ["mnistsum-sum.onnx", "mnistsum-product-int8.onnx", "mnistsum-product.onnx"],
            [("product", "int8"), ("product", "fp32"), ("sum", "fp32")],
        ),
        ([], None),
        (["mnistsum-quotient.onnx"], None),
    ],
)
def test_every_model_of_the_wheel_is_asked(
    names: list[str], models: list[tuple[str, str]] | None, tmp_path: Path
) -> None:
    wheel = tmp_path / "mnistsum.whl"
    with ZipFile(wheel, "w") as archive:
        for name in ["mnistsum_runtime/model.py", *(f"mnistsum_artifacts/{name}" for name in names)]:
            archive.writestr(name, "")
    if models is None:
        with pytest.raises(ClickException, match="has the models"):
            shipped_models(wheel)
    else:
        assert list(shipped_models(wheel).values()) == models


README = """\
## On a Raspberry Pi
```sh
first
```
### With a network
```console
$ shown only
```
```sh
online
```
### Without a network
```sh
offline 1
```
and
```sh
offline 2
```
### With Debian's own packages, 32-bit too
```sh
sudo apt install
```
## Another section
```sh
elsewhere
```
"""


def test_the_lines_of_the_readme_are_parted_by_heading() -> None:
    lines = read_lines(README)
    assert (lines.first, lines.with_network, lines.without_network) == ("first\n", "online\n", "offline 1\noffline 2\n")
    assert lines.debian == "sudo apt install\n"


@pytest.mark.parametrize(
    "part", ["## On a Raspberry Pi", "first", "### With a network", "### Without a network", "### With Debian's own"]
)
def test_a_section_without_lines_is_refused(part: str) -> None:
    text = README.replace("```sh\nfirst\n```\n", "") if part == "first" else README.replace(part, "## Something else")
    with pytest.raises(ValueError, match=r"platforms\.md has no"):
        read_lines(text)

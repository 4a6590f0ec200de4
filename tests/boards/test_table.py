"""The table of boards can fail; the shipped one is whole, and the doctor's data are made from it."""

import json
import re
from typing import Any

import pytest

from boards.measure import KNOWN
from boards.runtimes import BUILDS, PROCESSORS
from boards.table import explain, find_problems, to_known
from mnistsum_runtime.measure.known import read_known
from pi.wheelhouse import ROOT

GOOD: dict[str, Any] = {
    "build": "1.32.0",
    "onnxruntime": "1.32.0",
    "origin": "wheel",
    "processor": "Cortex-A72",
    "part": 0xD08,
    "machine": "aarch64",
    "installs": True,
    "starts": True,
    "verifies": True,
    "largest_difference": 1e-5,
    "how": None,
    "explanation": None,
}
DIED = GOOD | {"starts": False, "verifies": False, "largest_difference": None, "how": "an illegal instruction"}
BOARDS = json.loads((ROOT / "artifacts/boards.json").read_text(encoding="utf-8"))


def test_a_whole_table_has_no_problems() -> None:
    assert find_problems([GOOD, DIED | {"build": "1.21.0", "explanation": "why"}], ["1.32.0"], ["Cortex-A72"]) == []


@pytest.mark.parametrize("cells", [[], [DIED], [GOOD | {"processor": "another"}]])
def test_an_empty_cell_and_a_failure_without_a_reason_are_problems(cells: list[dict[str, Any]]) -> None:
    assert len(find_problems(cells, ["1.32.0"], ["Cortex-A72"])) == 1


def test_only_the_failure_that_was_looked_into_is_explained() -> None:
    known = DIED | {"onnxruntime": "1.21.0"}
    assert "23957" in str(explain(known))
    assert explain(known | {"machine": "armv7l"}) is None
    assert explain(known | {"how": "a memory fault"}) is None
    assert explain(DIED) is None
    assert explain(GOOD) is None


def test_what_does_not_install_is_nothing_that_a_doctor_could_meet() -> None:
    cells = [GOOD, GOOD | {"processor": "Cortex-A7", "installs": False}]
    assert len(json.loads(to_known(cells))["tried"]) == 1


def test_the_shipped_table_has_every_cell_and_every_reason() -> None:
    builds, processors = [build.name for build in BUILDS], [processor.name for processor in PROCESSORS]
    assert (BOARDS["builds"], list(BOARDS["processors"])) == (builds, processors)
    assert find_problems(BOARDS["cells"], builds, processors) == []
    assert len(BOARDS["cells"]) == len(builds) * len(processors) >= 28


def test_the_newest_release_is_that_of_the_constraints() -> None:
    versions = re.findall(r"^onnxruntime==([\d.]+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert versions[-1] in {build.version for build in BUILDS}, "add it to boards/runtimes.py and run `make boards`"


def test_the_doctor_s_data_are_those_of_the_table() -> None:
    assert KNOWN.read_text(encoding="utf-8") == to_known(BOARDS["cells"])
    assert len(read_known()) == sum(cell["installs"] for cell in BOARDS["cells"])
